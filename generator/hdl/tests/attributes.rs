//! Attributes of ports: how they are printed, and what they may hold.

use bitlathe_hdl::{Code, Module, bit, check};

#[test]
fn attributes_stand_above_their_port() {
    let m = Module::new("example");
    let a = m.input("a_i", bit());
    m.attribute(&a, "X_INTERFACE_INFO", "xilinx.com:interface:axis:1.0 a TVALID");
    m.attribute(&a, "mark_debug", "true");
    m.output("y_o", &!&a);
    let design = check(&m.finish()).unwrap_or_else(|e| panic!("{e}"));
    let text = &design.files(&[])[0].1;
    let ports = "  (* X_INTERFACE_INFO = \"xilinx.com:interface:axis:1.0 a TVALID\" *)\n  (* mark_debug = \"true\" *)\n  \
                 input  wire a_i,\n  output wire y_o\n";
    assert!(text.contains(ports), "{text}");
}

#[test]
fn text_that_would_end_the_string_is_refused() {
    for value in ["a\"b", "a\\", "a\nb", "\u{e9}"] {
        let m = Module::new("example");
        let a = m.input("a_i", bit());
        m.attribute(&a, "note", value);
        m.output("y_o", &a);
        let errors = check(&m.finish()).expect_err("the value is no plain text");
        assert_eq!(errors.0[0].code, Code::Name, "{errors}");
    }
}

//! Lint messages of both tools, with their places.

mod tools_support;

use bitlathe_flow::lint::{LintMessage, Severity, lint};
use tools_support::{source, tools};

#[test]
fn clean_verilog_has_no_message_and_a_truncation_has_one_of_each_tool() {
    let (tools, _cache) = tools();
    let text = "module cut (\n  input  wire [7:0] a_i,\n  output wire [3:0] y_o\n);\n  assign y_o = a_i;\nendmodule\n";
    let messages = lint(&[source("rtl/cut.v", text)], "cut", &tools).unwrap();
    let find = |tool: &str, code: &str| -> LintMessage {
        let found = messages.iter().find(|m| m.tool == tool && m.code.starts_with(code));
        found.unwrap_or_else(|| panic!("no {code} of {tool} in {messages:?}")).clone()
    };
    for message in [find("verilator", "WIDTH"), find("slang", "width-trunc")] {
        assert_eq!((message.file.as_str(), message.line, message.severity), ("rtl/cut.v", 5, Severity::Warning));
    }
    let clean = text.replace("= a_i;", "= a_i[7:4] ^ a_i[3:0];");
    assert_eq!(lint(&[source("rtl/cut.v", &clean)], "cut", &tools).unwrap(), []);
}

#[test]
fn vendor_primitives_need_no_definition_but_other_modules_do() {
    let (tools, _cache) = tools();
    let text = "module use_it (input wire a_i, output wire y_o);\n  INV inv (.I(a_i), .O(y_o));\nendmodule\n";
    assert_eq!(lint(&[source("use_it.v", text)], "use_it", &tools).unwrap(), []);
    let messages = lint(&[source("use_it.v", &text.replace("INV", "absent"))], "use_it", &tools).unwrap();
    for tool in ["verilator", "slang"] {
        assert!(
            messages.iter().any(|m| m.tool == tool && m.severity == Severity::Error && m.line == 2),
            "{messages:?}"
        );
    }
}

#[test]
fn broken_syntax_is_an_error_with_its_place() {
    let (tools, _cache) = tools();
    let messages = lint(&[source("bad.v", "module bad;\n  assign = 1;\nendmodule\n")], "bad", &tools).unwrap();
    for tool in ["verilator", "slang"] {
        assert!(
            messages.iter().any(|m| m.tool == tool && m.severity == Severity::Error && m.line == 2),
            "{messages:?}"
        );
    }
}

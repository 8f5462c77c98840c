//! One failing example for every error code, with the text that the designer sees.

use std::rc::Rc;

use bitlathe_hdl::{Code, Errors, Module, Unit, bit, check, lit, sint, uint};

/// The errors of a module; panics when it is accepted.
fn refused(unit: Rc<Unit>) -> Errors {
    check(&unit).expect_err("the example must be refused")
}

fn mismatch() -> Rc<Unit> {
    let m = Module::new("example");
    let (a, b) = (m.input("a_i", uint(8)), m.input("b_i", uint(9)));
    m.output("y_o", &(&a & &b));
    m.finish()
}

fn undriven() -> Rc<Unit> {
    let m = Module::new("example");
    let w = m.wire_later("w", uint(8));
    w.drive_part(0, 4, &lit(3, uint(4)));
    m.output("y_o", &w);
    m.finish()
}

fn doubly_driven() -> Rc<Unit> {
    let m = Module::new("example");
    let y = m.output_wire("y_o", bit());
    y.drive(0);
    y.drive(1);
    m.finish()
}

fn combinational_loop() -> Rc<Unit> {
    let m = Module::new("example");
    let a = m.wire_later("a", bit());
    let b = m.wire("b", &!&*a);
    a.drive(&b);
    m.output("y_o", &b);
    m.finish()
}

fn foreign() -> Rc<Unit> {
    let other = Module::new("other");
    let stranger = other.input("a_i", bit());
    let m = Module::new("example");
    let a = m.input("a_i", bit());
    m.output("y_o", &(&a & &stranger));
    m.finish()
}

fn crossing() -> Rc<Unit> {
    let m = Module::new("example");
    let (fast, slow) = (m.clock_named("fast_i", "fast_rst_i"), m.clock_named("slow_i", "slow_rst_i"));
    let d = m.input("d_i", bit());
    let a = fast.reg("a_q", bit());
    a.next(&d);
    let b = slow.reg("b_q", bit());
    b.next(&*a);
    m.output("y_o", &b);
    m.finish()
}

fn overflow() -> Rc<Unit> {
    let m = Module::new("example");
    let ck = m.clock();
    let term = m.input("term_i", sint(8));
    let clear = m.input("clear_i", bit());
    let sum = ck.reg("sum_q", sint(12));
    sum.accumulate(None, &clear, &term, 17);
    m.output("y_o", &sum);
    m.finish()
}

fn dropped() -> Rc<Unit> {
    let m = Module::new("example");
    let _unused = m.sink("s", uint(8), false);
    m.finish()
}

fn name() -> Rc<Unit> {
    let m = Module::new("example");
    let a = m.input("signed", bit());
    m.output("y_o", &a);
    m.finish()
}

fn parameter() -> Rc<Unit> {
    let m = Module::new("example");
    let w = m.param("W", 40, 1..=32, "width");
    let a = m.input("a_i", uint(&w));
    m.output("y_o", &a);
    m.finish()
}

fn instance() -> Rc<Unit> {
    let child = Module::new("child");
    let a = child.input("a_i", uint(8));
    child.output("y_o", &a);
    child.output("z_o", &a.as_signed());
    let child = child.finish();
    let m = Module::new("example");
    let narrow = m.input("a_i", uint(7));
    let z = m.output_wire("z_o", uint(8));
    m.instance("u_child", &child).input("a_i", &narrow).output("z_o", &z).done();
    m.finish()
}

fn clash() -> Rc<Unit> {
    let child = |invert: bool| {
        let m = Module::new("child");
        let a = m.input("a_i", bit());
        m.output("y_o", &if invert { !&a } else { a.clone() });
        m.finish()
    };
    let m = Module::new("example");
    let a = m.input("a_i", bit());
    for (n, invert) in [("u_one", false), ("u_two", true)] {
        let y = m.output_wire(&format!("{n}_o"), bit());
        m.instance(n, &child(invert)).input("a_i", &a).output("y_o", &y).done();
    }
    m.finish()
}

fn bounds() -> Rc<Unit> {
    let m = Module::new("example");
    let a = m.input("a_i", uint(8));
    m.output("y_o", &a.slice(4, 5));
    m.finish()
}

/// Code, and the example that earns it.
type Example = (Code, fn() -> Rc<Unit>);

const EXAMPLES: &[Example] = &[
    (Code::Mismatch, mismatch),
    (Code::Undriven, undriven),
    (Code::DoublyDriven, doubly_driven),
    (Code::Loop, combinational_loop),
    (Code::Foreign, foreign),
    (Code::Crossing, crossing),
    (Code::Overflow, overflow),
    (Code::Dropped, dropped),
    (Code::Name, name),
    (Code::Parameter, parameter),
    (Code::Instance, instance),
    (Code::Clash, clash),
    (Code::Bounds, bounds),
];

#[test]
fn every_code_has_an_example_that_earns_it() {
    let mut text = String::new();
    for (code, example) in EXAMPLES {
        let errors = refused(example());
        assert!(errors.0.iter().any(|e| e.code == *code), "{}: {errors}", code.id());
        text += &format!("{errors}\n\n");
    }
    insta::assert_snapshot!(text);
    let without: Vec<_> = Code::ALL.iter().filter(|c| !EXAMPLES.iter().any(|(e, _)| e == *c)).collect();
    assert!(without.is_empty(), "{without:?}");
}

//! Product plus or minus addend: the behavioural form against plain integers, the vendor's form by proof.

use bitlathe_cores::parts::multiply_add::{Form, LATENCY, fitting, multiply_add};
use bitlathe_cores::random::Random;
use bitlathe_flow::synth::{Circuit, Start, Verdict, prove_equal};
use bitlathe_spec::SourceFile;

use super::bench::{Bench, Cycle, Part};
use super::{printed, tools};

const SHAPES: [(Form, i64, i64, i64); 5] = [
    (Form::PlusC, 27, 18, 46),
    (Form::PlusC, 5, 2, 8),
    (Form::PlusC, 20, 30, 60),
    (Form::MinusC, 15, 6, 22),
    (Form::FromC, 19, 17, 40),
];

fn signed(r: &mut Random, bits: i64) -> i64 {
    match r.below(4) {
        0 => -(1 << (bits - 1)),
        1 => (1 << (bits - 1)) - 1,
        _ => r.next() as i64 >> (64 - bits),
    }
}

#[test]
fn products_are_exact_and_on_time() {
    let mut r = Random::new(31);
    let parts: Vec<Part> = (SHAPES.iter().enumerate())
        .map(|(n, s)| Part::new(multiply_add(s.0, s.1, s.2, s.3, 0)).renamed(format!("_{n}")))
        .collect();
    let cycles: Vec<Cycle> = (0..1000)
        .map(|_| {
            let go = i64::from(r.below(4) > 0);
            let inputs = |(form, a, b, c): (Form, i64, i64, i64), r: &mut Random| {
                let mut inputs = vec![go, signed(r, a), signed(r, b), signed(r, c)];
                inputs.extend((form == Form::FromC).then(|| r.below(2) as i64));
                inputs
            };
            SHAPES.iter().map(|s| inputs(*s, &mut r)).collect()
        })
        .collect();
    let outputs = Bench::new("multiply_add", &parts).play(&cycles);
    // What is seen in cycle t depends on the enabled cycles before it.
    let mut enabled: Vec<&Cycle> = vec![];
    let mut judged = 0;
    for (cycle, now) in cycles.iter().zip(&outputs) {
        if let [.., factors, addend, _] = enabled[..] {
            for (n, (form, _, _, bits)) in SHAPES.into_iter().enumerate() {
                let (product, c) = (factors[n][1].wrapping_mul(factors[n][2]), addend[n][3]);
                let p = match form {
                    Form::PlusC => product.wrapping_add(c),
                    Form::MinusC => product.wrapping_sub(c),
                    Form::FromC => (c * addend[n][4]).wrapping_sub(product),
                };
                assert_eq!(now[n][0] << (64 - bits), p << (64 - bits), "{form:?}: {product}, {c} in {bits} bits");
                judged += 1;
            }
        }
        if cycle[0][0] == 1 {
            enabled.push(cycle);
        }
    }
    assert!(judged > 2000 && LATENCY == 3, "{judged}");
}

#[test]
fn a_block_is_taken_where_it_is_wide_enough() {
    let with = |implementation| {
        [(27, 18, 48), (25, 18, 46), (28, 18, 48), (27, 19, 48)].map(|(a, b, p)| fitting(implementation, a, b, p))
    };
    assert_eq!([with(0), with(1), with(2)], [[0, 0, 0, 0], [1, 1, 0, 0], [0, 2, 0, 0]]);
}

/// The part with its enable free, compared after the three enabled cycles that fill it.
const DRIVEN: &str = "
module driven #(parameter IMPL = 0) (
  input wire clk_i, input wire en_i, input wire [3:0] a_i, input wire [3:0] b_i, input wire [8:0] c_i,
  input wire keep_i, output wire [8:0] p_o
);
  reg [1:0] filled_q = 0;
  always @(posedge clk_i) if (en_i && filled_q != 3) filled_q <= filled_q + 1;
  wire [8:0] p;
  MODULE #(.A_W(4), .B_W(4), .P_W(9), .IMPL(IMPL)) u_dut (
    .clk_i(clk_i), .en_i(en_i), .a_i(a_i), .b_i(b_i), .c_i(c_i), KEEP .p_o(p));
  assign p_o = filled_q == 3 ? p : 9'd0;
endmodule
";

fn proof(files: &[SourceFile]) -> Verdict {
    let circuit = |parameters| Circuit { top: "driven", parameters };
    // DSP48E1 has a model in Yosys, DSP48E2 has none: its form is printed from the same lists, see the test below.
    let (gold, gate) = ([("IMPL", 0)], [("IMPL", 2)]);
    prove_equal(files, circuit(&gold), circuit(&gate), Start::ZeroFor { cycles: 6 }, &tools()).expect("the prover runs")
}

fn files(form: Form) -> Vec<SourceFile> {
    let part = multiply_add(form, 4, 4, 9, 0);
    let keep = if form == Form::FromC { ".keep_i(keep_i)," } else { "" };
    let text = DRIVEN.replace("MODULE", part.name()).replace("KEEP", keep);
    let mut files = printed(&part);
    files.push(SourceFile { path: "driven.v".into(), text });
    files
}

#[test]
fn the_vendors_forms_equal_the_behavioural_ones() {
    for form in [Form::PlusC, Form::MinusC, Form::FromC] {
        let verdict = proof(&files(form));
        assert!(matches!(verdict, Verdict::Proven), "{form:?}: {verdict:?}");
    }
}

#[test]
fn a_lost_register_and_a_wrong_operand_are_refuted() {
    for (form, from, to) in [
        (Form::PlusC, ".MREG(1)", ".MREG(0)"),
        (Form::PlusC, ".CEC(en_i)", ".CEC(1'b1)"),
        (Form::PlusC, "7'd53", "7'd5"),
        (Form::MinusC, ".CARRYIN(1'b1)", ".CARRYIN(1'b0)"),
        (Form::FromC, ".CECTRL(en_i)", ".CECTRL(1'b1)"),
    ] {
        let mut files = files(form);
        assert!(files[0].text.contains(from), "{from}\n{}", files[0].text);
        files[0].text = files[0].text.replace(from, to);
        let verdict = proof(&files);
        assert!(matches!(verdict, Verdict::Refuted(_)), "{form:?} {from}: {verdict:?}");
    }
}

/// What the proof of one form says of the other hangs on this: the two cells differ in the width of two ports and in one
/// attribute, and AMD UG579 gives the wider operation mode the older one's meaning where its two new bits are zero.
#[test]
fn the_two_vendor_forms_differ_in_three_places() {
    let files = printed(&multiply_add(Form::PlusC, 25, 18, 48, 1));
    let form = |cell: &str| -> Vec<String> {
        let from = files[0].text.lines().skip_while(|l| !l.contains(&format!("{cell} #("))).skip(1);
        from.take_while(|l| l.trim() != ");").map(|l| l.trim().trim_end_matches(',').to_owned()).collect()
    };
    let only = |a: &[String], b: &[String]| -> Vec<String> {
        let kept = a.iter().filter(|l| !b.contains(l) && l.starts_with('.'));
        kept.cloned().collect()
    };
    let (new, old) = (form("DSP48E2"), form("DSP48E1"));
    assert_eq!(only(&new, &old), [".D(27'd0)", ".OPMODE(9'd53)"]);
    assert_eq!(only(&old, &new), [".USE_DPORT(\"FALSE\")", ".D(25'd0)", ".OPMODE(7'd53)"]);
}

//! Proofs: each method on a true and on a broken example.

mod tools_support;

use bitlathe_flow::synth::{Circuit, FormalMode, Start, Verdict, prove_equal, prove_formal};
use tools_support::{source, tools};

/// A carry chain of vendor primitives and the sum it stands for; `FAULT` swaps an operand bit.
const CHAIN: &str = "
module sum #(parameter IMPL = 0, parameter FAULT = 0) (input wire [7:0] a_i, input wire [7:0] b_i, output wire [7:0] y_o);
  generate if (IMPL == 1) begin : gen_vendor
    wire [7:0] s;
    wire [7:0] co;
    genvar i;
    for (i = 0; i < 8; i = i + 1) begin : gen_bit
      LUT6_2 #(.INIT(64'h0000_0006_0000_0006)) half (.I0(a_i[i]), .I1(b_i[i ^ FAULT]), .I2(1'b0), .I3(1'b0), .I4(1'b0), .I5(1'b1), .O6(s[i]), .O5());
    end
    CARRY8 #(.CARRY_TYPE(\"SINGLE_CY8\")) chain (.CI(1'b0), .CI_TOP(1'b0), .DI(a_i), .S(s), .O(y_o), .CO(co));
  end else begin : gen_plain
    assign y_o = a_i + b_i;
  end endgenerate
endmodule
";

/// Three times x, two cycles later: multiplied before the second register and after it.
const PIPELINE: &str = "
module plain (input wire clk_i, input wire [7:0] x_i, output reg [8:0] y_o);
  reg [7:0] x_q;
  always @(posedge clk_i) begin x_q <= x_i; y_o <= x_q + {x_q[6:0], 1'b0}; end
endmodule
module retimed #(parameter K = 3) (input wire clk_i, input wire [7:0] x_i, output wire [8:0] y_o);
  reg [7:0] x_q, x2_q;
  always @(posedge clk_i) begin x_q <= x_i; x2_q <= x_q; end
  wire [8:0] twice = {1'b0, x2_q[6:0], 1'b0};
  assign y_o = (K == 3) ? x2_q + twice : x2_q;
endmodule
";

/// A register that may hold one item; the count never leaves 0..1, unless `LIMIT` is wrong.
const SKID: &str = "
module slot #(parameter LIMIT = 1) (input wire clk_i, input wire rst_i, input wire push_i, input wire pop_i);
  reg [1:0] count_q = 0;
  reg started_q = 0;
  always @(posedge clk_i) begin
    started_q <= 1;
    if (rst_i) count_q <= 0;
    else if (push_i && count_q < LIMIT) count_q <= count_q + 1;
    else if (pop_i && count_q != 0) count_q <= count_q - 1;
  end
  always @(posedge clk_i) if (started_q) assert (count_q <= 1);
endmodule
";

#[test]
fn a_vendor_macro_equals_its_behavioural_form() {
    let (tools, _cache) = tools();
    let files = [source("sum.v", CHAIN)];
    let prove = |parameters: &[(&str, i64)]| {
        let gold = Circuit { top: "sum", parameters: &[("IMPL", 0)] };
        let gate = Circuit { top: "sum", parameters };
        prove_equal(&files, gold, gate, Start::Any { ignore: 0 }, &tools).unwrap()
    };
    assert_eq!(prove(&[("IMPL", 1)]), Verdict::Proven);
    let Verdict::Refuted(example) = prove(&[("IMPL", 1), ("FAULT", 1)]) else { panic!("the fault was not found") };
    assert!(example.contains("in_a_i") && example.contains("in_b_i"), "{example}");
}

#[test]
fn a_pipeline_equals_its_retimed_form() {
    let (tools, _cache) = tools();
    let files = [source("pipeline.v", PIPELINE)];
    let gold = Circuit { top: "plain", parameters: &[] };
    let prove = |k, start| {
        prove_equal(&files, gold, Circuit { top: "retimed", parameters: &[("K", k)] }, start, &tools).unwrap()
    };
    assert_eq!(prove(3, Start::Any { ignore: 2 }), Verdict::Proven);
    assert_eq!(prove(3, Start::Zero), Verdict::Proven);
    assert!(matches!(prove(1, Start::Any { ignore: 2 }), Verdict::Refuted(_)));
    assert!(matches!(prove(1, Start::Zero), Verdict::Refuted(_)));
}

#[test]
fn assertions_are_proven_or_refuted() {
    let (tools, _cache) = tools();
    let good = [source("slot.v", SKID)];
    for mode in [FormalMode::Bmc, FormalMode::Induction] {
        assert_eq!(prove_formal(&good, "slot", mode, 8, &tools).unwrap(), Verdict::Proven);
    }
    let bad = [source("slot.v", &SKID.replace("LIMIT = 1", "LIMIT = 2"))];
    let Verdict::Refuted(text) = prove_formal(&bad, "slot", FormalMode::Induction, 8, &tools).unwrap() else {
        panic!("the fault was not found")
    };
    assert!(text.contains("slot.v:11."), "{text}");
    // The fault needs two pushes: too short a bound does not see it, and induction does not call that a proof.
    assert!(matches!(prove_formal(&bad, "slot", FormalMode::Induction, 2, &tools).unwrap(), Verdict::Unknown(_)));
    let none = [source("slot.v", &SKID.replace("assert (count_q <= 1)", "count_q <= count_q"))];
    assert!(matches!(prove_formal(&none, "slot", FormalMode::Bmc, 8, &tools).unwrap(), Verdict::Unknown(_)));
}

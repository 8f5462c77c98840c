//! `flash-attention`: what its schedule promises, its cell's DSP form against the behavioural one, a large array against the model.

use bitlathe_cores::{Core, kinds};
use bitlathe_flow::generate;
use bitlathe_flow::synth::{Circuit, Start, Verdict, prove_equal};
use bitlathe_flow::tools::Tools;
use bitlathe_spec::{Dims, SourceFile};
use serde_json::{Value, json};

#[path = "support/model.rs"]
mod model;

fn core(config: &Value) -> Box<dyn Core> {
    let kind = kinds().iter().find(|k| k.name() == "flash-attention").expect("the kind is registered");
    kind.configure(config).unwrap_or_else(|e| panic!("{config}: {e:?}"))
}

fn config(n: i64, d_max: i64, l_max: i64, causal: bool) -> Value {
    json!({
        "kind": "flash-attention", "name": "attention", "target": {"name": "kv260"},
        "shape": {"d_max": d_max, "l_max": l_max, "heads_max": 32}, "array": {"n": n}, "mask": {"causal": causal},
    })
}

/// Sizes of a job, masked where the core can.
fn dims(core: &dyn Core, [heads, kv_heads, queries, keys, columns]: [u64; 5]) -> Dims {
    let causal = core.interface().sizes.iter().filter(|s| s.name == "causal").map(|s| s.max).sum();
    let sizes = [("H", heads), ("Hkv", kv_heads), ("Lq", queries), ("Lk", keys), ("d", columns), ("causal", causal)];
    sizes.map(|(name, n)| (name.to_owned(), n)).into_iter().collect()
}

fn utilization(core: &dyn Core, sizes: [u64; 5]) -> f64 {
    let dims = dims(core, sizes);
    core.useful_ops(&dims) as f64 / (core.ops_per_cycle() * core.schedule(&dims)) as f64
}

/// The schedule is held against the hardware for every job of `cores.rs`; here are the sizes that users compare by.
#[test]
fn long_heads_keep_the_array_busy() {
    let (plain, causal, wide) =
        (config(16, 128, 4096, false), config(16, 128, 4096, true), config(32, 32, 1024, false));
    let (plain, causal, wide) = (core(&plain), core(&causal), core(&wide));
    assert!(plain.schedule(&dims(plain.as_ref(), [1, 1, 1024, 1024, 128])) <= 1_055_000);
    for (core, sizes, least) in [
        (&plain, [1, 1, 1024, 1024, 64], 0.995),
        (&plain, [1, 1, 1024, 1024, 128], 0.995),
        (&plain, [1, 1, 64, 64, 64], 0.8),
        (&wide, [1, 1, 1024, 1024, 32], 0.95),
        // The mask leaves half of each tile on the diagonal.
        (&causal, [1, 1, 1024, 1024, 64], 0.98),
        // One query a head: sixteen heads that share their keys fill the rows, one head fills one.
        (&plain, [16, 1, 1, 1024, 64], 0.95),
        (&plain, [32, 2, 1, 1024, 64], 0.95),
    ] {
        let found = utilization(core.as_ref(), sizes);
        assert!(found >= least && found <= 1.0, "{sizes:?}: {found}");
    }
    assert!(utilization(plain.as_ref(), [1, 1, 1, 1024, 64]) < 1.0 / 16.0);
}

#[test]
fn tiles_above_the_diagonal_take_no_time() {
    let (plain, causal) = (core(&config(16, 128, 4096, false)), core(&config(16, 128, 4096, true)));
    let cycles = |core: &dyn Core| core.schedule(&dims(core, [1, 1, 1024, 1024, 64])) as f64;
    let share = cycles(causal.as_ref()) / cycles(plain.as_ref());
    // 64 blocks see 1, 2, … 64 tiles.
    assert!((share - 65.0 / 128.0).abs() < 0.002, "{share}");
    // Without the mask the core is one that has none.
    let unmasked =
        Dims::from_iter(dims(causal.as_ref(), [1, 1, 1024, 1024, 64]).into_iter().chain([("causal".into(), 0)]));
    assert_eq!(causal.schedule(&unmasked) as f64, cycles(plain.as_ref()));
}

#[test]
fn a_large_array_equals_the_model() {
    let mut config = config(16, 24, 64, true);
    config["shape"]["heads_max"] = json!(2);
    model::check(core(&config).as_ref(), &Tools::discover().expect("tools")).unwrap_or_else(|e| panic!("{e}"));
}

/// The cell with few free bits, as a product of many is beyond the prover; a sum is not asked to stay and to pass at once.
const DRIVEN: &str = "
module driven #(parameter IMPL = 0) (
  input wire clk_i, input wire [2:0] q_i, input wire [2:0] kv_i, input wire [1:0] p_i, input wire take_i, input wire load_i,
  input wire weigh_i, input wire own_i, input wire pass_i, input wire [2:0] before_i, output wire [47:0] sum_o, output wire [47:0] pass_o
);
  attention_cell #(.IN_W(8), .P_W(8), .SUM_W(48), .CHAINED(1), .IMPL(IMPL)) u_dut (
    .clk_i(clk_i), .q_i({{5{q_i[2]}}, q_i}), .kv_i({{5{kv_i[2]}}, kv_i}), .p_i({6'd0, p_i}), .take_i(take_i), .load_i(load_i),
    .weigh_i(weigh_i), .own_i(own_i & ~pass_i), .pass_i(pass_i), .before_i({{45{before_i[2]}}, before_i}), .sum_o(sum_o), .pass_o(pass_o));
endmodule
";

fn cell() -> Vec<SourceFile> {
    let files = generate::print(core(&config(16, 64, 256, false)).as_ref()).expect("prints").files;
    let mut files: Vec<SourceFile> = files.into_iter().filter(|f| f.path.ends_with("attention_cell.v")).collect();
    assert_eq!(files.len(), 1);
    files.push(SourceFile { path: "driven.v".into(), text: DRIVEN.into() });
    files
}

fn proof(files: &[SourceFile]) -> Verdict {
    let circuit = |parameters| Circuit { top: "driven", parameters };
    let (gold, gate) = ([("IMPL", 0)], [("IMPL", 2)]);
    let start = Start::ZeroFor { cycles: 6 };
    let tools = Tools::discover().expect("tools");
    prove_equal(files, circuit(&gold), circuit(&gate), start, &tools).expect("the prover runs")
}

/// DSP48E1 has a model in Yosys, DSP48E2 has none: both forms are printed from the same lists.
#[test]
fn the_cell_on_a_block_equals_its_behavioural_form() {
    let verdict = proof(&cell());
    assert!(matches!(verdict, Verdict::Proven), "{verdict:?}");
}

#[test]
fn a_wrong_cell_is_refuted() {
    for (from, to) in [(".ADREG(1)", ".ADREG(0)"), (".OPMODEREG(1)", ".OPMODEREG(0)"), (".CED(load_i)", ".CED(1'b1)")] {
        let mut files = cell();
        assert!(files[0].text.contains(from), "{from}\n{}", files[0].text);
        files[0].text = files[0].text.replace(from, to);
        let verdict = proof(&files);
        assert!(matches!(verdict, Verdict::Refuted(_)), "{from}: {verdict:?}");
    }
}

/// The two vendor forms differ in the widths of two ports and in the attributes that only one has.
#[test]
fn the_two_vendor_forms_of_the_cell_differ_in_few_places() {
    let text = cell()[0].text.clone();
    let form = |cell: &str| -> Vec<String> {
        let from = text.lines().skip_while(|l| !l.contains(&format!("{cell} #("))).skip(1);
        from.take_while(|l| l.trim() != ");").map(|l| l.trim().trim_end_matches(',').to_owned()).collect()
    };
    let (new, old) = (form("DSP48E2"), form("DSP48E1"));
    let only = |a: &[String], b: &[String]| -> Vec<String> {
        let ports = a.iter().filter(|l| !b.contains(l) && l.starts_with('.'));
        ports.map(|l| l.split('(').next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(only(&new, &old), [".AMULTSEL", ".BMULTSEL", ".D", ".OPMODE"]);
    assert_eq!(only(&old, &new), [".USE_DPORT", ".D", ".OPMODE"]);
}

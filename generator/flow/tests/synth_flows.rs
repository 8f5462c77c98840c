//! Synthesis of small circuits whose resources can be worked out by hand, on every flow.

mod tools_support;

use std::time::{Duration, Instant};

use bitlathe_flow::process::ProcessError;
use bitlathe_flow::synth::{RouteRequest, SynthError, SynthReport, SynthRequest, synthesize};
use bitlathe_flow::tools::Tools;
use bitlathe_spec::{Family, SourceFile, Target};
use tools_support::{source, tools};

/// Registered sum of two 8-bit numbers: 9 sum bits, the last one a carry.
const ADDER: &str = "module adder #(parameter W = 8) (input wire clk_i, input wire [W-1:0] a_i, input wire [W-1:0] b_i, \
                     output reg [W:0] q_o);\n  always @(posedge clk_i) q_o <= a_i + b_i;\nendmodule\n";
/// 32 words of 28 bits, written by the clock and read without it.
const TABLE: &str = "module table_ram (input wire clk_i, input wire we_i, input wire [4:0] wa_i, input wire [27:0] d_i,\n\
                     input wire [4:0] ra_i, output wire [27:0] q_o);\n  reg [27:0] words [0:31];\n\
                     always @(posedge clk_i) if (we_i) words[wa_i] <= d_i;\n  assign q_o = words[ra_i];\nendmodule\n";
/// 512 words of 36 bits with a registered read: half a 36 kb block.
const BUFFER: &str = "module buffer (input wire clk_i, input wire we_i, input wire [8:0] wa_i, input wire [35:0] d_i,\n\
                      input wire [8:0] ra_i, output reg [35:0] q_o);\n  reg [35:0] words [0:511];\n\
                      always @(posedge clk_i) begin if (we_i) words[wa_i] <= d_i; q_o <= words[ra_i]; end\nendmodule\n";
/// Signed 16 x 16 product.
const PRODUCT: &str = "module product (input wire clk_i, input wire signed [15:0] a_i, input wire signed [15:0] b_i,\n\
                       output reg signed [31:0] q_o);\n  always @(posedge clk_i) q_o <= a_i * b_i;\nendmodule\n";
/// Two adders of different width under one top.
const PAIR: &str = "module pair #(parameter N = 4) (input wire clk_i, input wire [31:0] a_i, output wire [N:0] p_o, \
                    output wire [2*N:0] q_o);\n  adder #(.W(N)) narrow (.clk_i(clk_i), .a_i(a_i[N-1:0]), .b_i(a_i[31:32-N]), \
                    .q_o(p_o));\n  adder #(.W(2*N)) wide (.clk_i(clk_i), .a_i(a_i[2*N-1:0]), .b_i(a_i[31:32-2*N]), .q_o(q_o));\n\
                    buffer store (.clk_i(clk_i), .we_i(1'b0), .wa_i(9'd0), .d_i(36'd0), .ra_i(9'd0), .q_o());\nendmodule\n";

fn area(text: &str, top: &str, family: Family, tools: &Tools) -> SynthReport {
    let files = [source("rtl/design.v", text)];
    synthesize(&SynthRequest::new(&files, top, family), tools).unwrap()
}

#[test]
fn an_adder_takes_one_lut_a_bit() {
    let (tools, _cache) = tools();
    let xcup = area(ADDER, "adder", Family::Xcup, &tools);
    assert_eq!((xcup.lut, xcup.ff, xcup.dsp, xcup.bram), (8, 9, 0, 0.0));
    // Nine bits need three CARRY4; the path is one LUT and the chain.
    assert_eq!((xcup.carry, xcup.logic_depth), (3, Some(4)));
    assert_eq!((xcup.flow.as_str(), xcup.top.as_str()), ("xcup", "adder"));
    assert!(std::fs::read_to_string(&xcup.log).unwrap().contains("SYNTH_XILINX"));
    let xc7 = area(ADDER, "adder", Family::Xc7, &tools);
    assert_eq!((xc7.lut, xc7.ff), (8, 9));
    // Each CCU2C adds two bits in two LUTs.
    let ecp5 = area(ADDER, "adder", Family::Ecp5, &tools);
    assert_eq!((ecp5.ff, ecp5.carry, ecp5.lut), (9, ecp5.cells["CCU2C"], 2 * ecp5.carry));
    let ice40 = area(ADDER, "adder", Family::Ice40, &tools);
    assert_eq!((ice40.ff, ice40.dsp), (9, 0));
    assert_eq!(ice40.lut, ice40.cells["SB_LUT4"]);
}

#[test]
fn memories_are_counted_by_sites_and_blocks() {
    let (tools, _cache) = tools();
    // One RAM32M16 holds 14 bits beside its write port and takes 8 sites.
    let table = area(TABLE, "table_ram", Family::Xcup, &tools);
    assert_eq!((table.cells.get("RAM32M16"), table.lutram, table.lut, table.ff), (Some(&2), 16, 16, 0));
    assert_eq!(table.logic_depth, Some(1));
    // Seven nibbles of 16 words, twice.
    let table = area(TABLE, "table_ram", Family::Ecp5, &tools);
    assert_eq!((table.cells.get("TRELLIS_DPR16X4"), table.lutram), (Some(&14), 56));
    assert_eq!(area(BUFFER, "buffer", Family::Xcup, &tools).bram, 0.5);
    assert_eq!(area(BUFFER, "buffer", Family::Ecp5, &tools).bram, 1.0);
    // 4 kb blocks of 256 words by 16 bits: two deep, two and a quarter wide.
    let buffer = area(BUFFER, "buffer", Family::Ice40, &tools);
    assert_eq!(buffer.bram, 5.0);
}

#[test]
fn products_take_a_dsp_unless_it_is_forbidden() {
    let (tools, _cache) = tools();
    let files = [source("rtl/product.v", PRODUCT)];
    let mut request = SynthRequest::new(&files, "product", Family::Xcup);
    let with = synthesize(&request, &tools).unwrap();
    assert_eq!((with.dsp, with.cells.get("DSP48E2")), (1, Some(&1)));
    request.nodsp = true;
    let without = synthesize(&request, &tools).unwrap();
    assert_eq!(without.dsp, 0);
    assert!(without.lut >= 256, "{} LUTs for 16 x 16 partial products", without.lut);
    assert_eq!(area(PRODUCT, "product", Family::Ecp5, &tools).dsp, 1);
}

#[test]
fn a_module_is_measured_with_the_values_of_the_design() {
    let (tools, _cache) = tools();
    let files = [source("adder.v", ADDER), source("buffer.v", BUFFER), source("pair.v", PAIR)];
    let parameters = [("N".to_string(), 6)];
    let mut request = SynthRequest {
        module: Some("adder"),
        parameters: &parameters,
        ..SynthRequest::new(&files, "pair", Family::Xcup)
    };
    let error = synthesize(&request, &tools).unwrap_err();
    let SynthError::Ambiguous { choices, .. } = &error else { panic!("{error}") };
    let widths: Vec<u64> = choices.lines().map(|l| l.rsplit(' ').next().unwrap().parse().unwrap()).collect();
    assert_eq!(
        {
            let mut w = widths.clone();
            w.sort_unstable();
            w
        },
        [6, 12],
        "{choices}"
    );
    for (name, width) in [("adder#1", widths[0]), ("adder#2", widths[1])] {
        request.module = Some(name);
        let report = synthesize(&request, &tools).unwrap();
        assert_eq!((report.top.as_str(), report.ff), ("adder", width + 1));
    }
    // The instance's inputs are constant in the design; alone it is whole.
    request.module = Some("buffer");
    assert_eq!(synthesize(&request, &tools).unwrap().bram, 0.5);
    request.module = Some("subtractor");
    let error = synthesize(&request, &tools).unwrap_err().to_string();
    assert!(error.contains("`subtractor`") && error.contains("adder, buffer, pair"), "{error}");
}

#[test]
fn parameters_reach_the_top() {
    let (tools, _cache) = tools();
    let files = [source("adder.v", ADDER)];
    let parameters = [("W".to_string(), 13)];
    let request = SynthRequest { parameters: &parameters, ..SynthRequest::new(&files, "adder", Family::Ice40) };
    assert_eq!(synthesize(&request, &tools).unwrap().ff, 14);
}

#[test]
fn routing_gives_a_frequency_and_a_bitstream() {
    let (tools, _cache) = tools();
    let out = tempfile::tempdir().unwrap();
    let files = [source("adder.v", ADDER)];
    for (family, tool) in [(Family::Ecp5, "nextpnr-ecp5"), (Family::Ice40, "nextpnr-ice40")] {
        if !tools.has(tool) {
            eprintln!("skipped {}: {}", family.name(), tools.command(tool).unwrap_err());
            continue;
        }
        let area = synthesize(&SynthRequest::new(&files, "adder", family), &tools).unwrap();
        let route = RouteRequest { target: Target::of(family).unwrap(), freq_mhz: 2000.0, seed: 1 };
        let request = SynthRequest {
            route: Some(route),
            work_dir: Some(out.path()),
            ..SynthRequest::new(&files, "adder", family)
        };
        let report = synthesize(&request, &tools).unwrap();
        // No such part runs at 2 GHz: a missed aim is a result, not an error.
        let fmax = report.fmax_mhz.unwrap();
        assert!(fmax > 50.0 && fmax < 1000.0, "{fmax} MHz");
        // 16 input bits, 9 + 1 captured bits, folded to 3 and to 1.
        assert_eq!(report.harness.unwrap().ff, 16 + 10 + 3 + 1);
        assert_eq!((report.lut, report.ff, &report.cells), (area.lut, area.ff, &area.cells));
        assert!(report.tool_versions.contains_key(tool));
        let bitstream = report.bitstream.unwrap();
        assert_eq!(bitstream.parent(), Some(out.path()));
        assert!(std::fs::metadata(bitstream).unwrap().len() > 10_000);
    }
    let request = SynthRequest {
        route: Some(RouteRequest { target: Target::of(Family::Xcup).unwrap(), freq_mhz: 100.0, seed: 1 }),
        ..SynthRequest::new(&files, "adder", Family::Xcup)
    };
    assert!(matches!(synthesize(&request, &tools), Err(SynthError::NoRoute("xcup"))));
}

#[test]
fn a_repeated_request_is_answered_from_the_cache() {
    let (tools, _cache) = tools();
    let files = [source("adder.v", ADDER)];
    let mut request = SynthRequest::new(&files, "adder", Family::Ice40);
    let first = synthesize(&request, &tools).unwrap();
    let start = Instant::now();
    let second = synthesize(&request, &tools).unwrap();
    assert!(start.elapsed() < Duration::from_millis(500));
    assert_eq!(first, second);
    // Damage what is stored: only a request for a fresh run does not show it.
    let stored = first.log.with_file_name("report.json");
    let text = std::fs::read_to_string(&stored).unwrap();
    std::fs::write(&stored, text.replace("\"ff\": 9", "\"ff\": 77")).unwrap();
    assert_eq!(synthesize(&request, &tools).unwrap().ff, 77);
    request.fresh = true;
    assert_eq!(synthesize(&request, &tools).unwrap().ff, 9);
    request.fresh = false;
    assert_eq!(synthesize(&request, &tools).unwrap().ff, 9);
    // Other text, other parameter: other entries.
    let changed = [source("adder.v", &ADDER.replace("a_i + b_i", "a_i - b_i"))];
    assert_ne!(synthesize(&SynthRequest::new(&changed, "adder", Family::Ice40), &tools).unwrap().log, first.log);
}

#[test]
fn errors_name_file_and_line() {
    let (tools, _cache) = tools();
    let out = tempfile::tempdir().unwrap();
    let broken = [source("rtl/broken.v", "module broken (input wire a);\n  wire b;\n  assign b = = a;\nendmodule\n")];
    let request = SynthRequest { work_dir: Some(out.path()), ..SynthRequest::new(&broken, "broken", Family::Xcup) };
    let error = synthesize(&request, &tools).unwrap_err();
    let SynthError::Tool { tool: "yosys", message, .. } = &error else { panic!("{error}") };
    assert!(message.starts_with("rtl/broken.v:3: syntax error"), "{message}");
    assert!(out.path().join("yosys.log").exists());

    let orphan = [source("top.v", "module top (input wire a);\n  child c (.a(a));\nendmodule\n")];
    let error = synthesize(&SynthRequest::new(&orphan, "top", Family::Ecp5), &tools).unwrap_err().to_string();
    assert!(error.contains("child"), "{error}");
    let error = synthesize(&SynthRequest::new(&orphan, "absent", Family::Ecp5), &tools).unwrap_err().to_string();
    assert!(error.contains("absent"), "{error}");
}

#[test]
fn what_could_leave_the_script_or_the_folder_is_refused() {
    let (tools, _cache) = tools();
    let files = [source("adder.v", ADDER)];
    let request = SynthRequest::new(&files, "adder; shell true", Family::Xcup);
    assert!(matches!(synthesize(&request, &tools), Err(SynthError::Name(_))));
    let outside: [SourceFile; 1] = [source("../adder.v", ADDER)];
    let error = synthesize(&SynthRequest::new(&outside, "adder", Family::Xcup), &tools).unwrap_err().to_string();
    assert!(error.contains("../adder.v"), "{error}");
}

#[test]
fn an_uncounted_cell_is_an_error() {
    let (tools, _cache) = tools();
    let text = "module driver (input wire a, input wire en, output wire y);\n  OBUFT buffer (.I(a), .T(en), .O(y));\nendmodule\n";
    let files = [source("driver.v", text)];
    let error = synthesize(&SynthRequest::new(&files, "driver", Family::Xc7), &tools).unwrap_err();
    let SynthError::UnknownCells(cells) = &error else { panic!("{error}") };
    assert_eq!(cells, &["OBUFT"]);
}

#[test]
fn a_run_ends_at_its_time_limit() {
    let (tools, _cache) = tools();
    let files = [source("adder.v", ADDER)];
    let request =
        SynthRequest { limit: Duration::from_millis(100), ..SynthRequest::new(&files, "adder", Family::Xcup) };
    let start = Instant::now();
    let error = synthesize(&request, &tools).unwrap_err();
    assert!(matches!(error, SynthError::Process(ProcessError::Timeout { .. })), "{error}");
    assert!(start.elapsed() < Duration::from_secs(5));
}

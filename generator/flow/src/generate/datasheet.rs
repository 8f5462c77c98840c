//! The figures of the datasheet: sizes, cycles, stream rates, resources, and where each comes from.

use bitlathe_cores::{Cost, Issue, PartCost};
use bitlathe_spec::{Dims, Dir, Family, Field, Interface, Register, Scalar};
use bitlathe_templates::datasheet::{
    BarCell, CycleRow, Datasheet, Fact, FieldRow, FitRow, MeasuredRow, MeasuredTable, PartRow, PortRow, RangeRow,
    RateRow, RegisterMap, RegisterRow, TargetRow, TimingFigure,
};
use serde_json::Value;

use super::numbers::{figure, grouped, percent, sizes, time};
use super::timing::Trace;
use super::{GenerateError, Subject, VERSION, describe, diagram, timing, waves};

/// Layer shapes (inputs, outputs) found in language models, for cores with sizes K and M.
const LAYERS: [(u64, u64); 7] =
    [(64, 64), (256, 256), (1024, 1024), (2560, 2560), (2560, 6912), (6912, 2560), (4096, 4096)];
/// Tokens for which each layer is shown, for cores with a size T.
const TOKENS: [u64; 2] = [1, 16];
/// A size is shown up to this value where it has no bound of practical meaning.
const LARGE: u64 = 4096;
/// Width of one bit in the drawing of a register.
const BIT: u32 = 20;
/// Upper edge of the first register in that drawing, and the distance between registers.
const REGISTERS_TOP: u32 = 20;
const REGISTER_ROW: u32 = 32;

/// The datasheet of a core.
pub fn datasheet(subject: &Subject) -> Result<Datasheet, GenerateError> {
    let (core, interface, about) = (subject.core, &subject.interface, subject.core.about());
    let target = core.target();
    let parts = super::parts(core, target.family);
    let examples = example_sizes(interface);
    let rate_job = typical_job(interface);
    let streams = interface.streams.iter().map(describe::walk).collect();
    let registers = subject.registers();
    Ok(Datasheet {
        name: core.name().into(),
        top: subject.top().into(),
        kind: core.kind().into(),
        title: about.title,
        version: VERSION.into(),
        config_hash: subject.hash.clone(),
        target: TargetRow { name: target.name, part: target.part, family: target.family.name(), source: target.source },
        facts: facts(subject, &parts, &rate_job),
        warnings: core.warnings().iter().map(warning).collect(),
        paragraphs: about.paragraphs,
        definition: about.definition,
        blocks: diagram::diagram(interface, &about.blocks),
        sizes: describe::size_rows(interface),
        tensors: describe::tensor_rows(interface),
        ports: subject.ports().into_iter().map(port_row).collect(),
        registers: registers.iter().zip(0..).map(|(r, n)| register_row(r, n, bits_left(registers))).collect(),
        register_map: register_map(registers),
        streams,
        ranges: core.ranges().into_iter().map(range_row).collect(),
        timing: timing::timing(core)?.map(|trace| timing_figure(interface, &trace)),
        cycles: examples.iter().map(|d| cycle_row(subject, d)).collect::<Result<_, _>>()?,
        op: op_name(core.op()),
        cycle_sizes: interface.sizes.iter().map(|s| s.name.as_str()).collect::<Vec<_>>().join(" × "),
        rates: rates(subject, &rate_job)?,
        rate_job: size_text(interface, &rate_job),
        total: part_row("total".into(), String::new(), &sum(&parts)),
        fit: fit(subject, &sum(&parts)),
        parts: parts.iter().map(|p| part_row(p.part.clone(), grouped(p.count), &p.cost)).collect(),
        measured: subject.options.synth.iter().map(|report| measured(subject, report)).collect(),
        instance: instance(subject),
        impl_parameter: subject.rtl.impl_parameter,
        commands: commands(subject),
        config: toml::to_string_pretty(&without_null(&core.config()))?,
        config_file: subject.config_file(),
    })
}

fn warning(issue: &Issue) -> String {
    format!("Warning {} ({}): {}. {}.", issue.code, issue.path, issue.message, issue.help)
}

fn op_name(op: &str) -> String {
    if op == "mac" { "MAC".into() } else { op.into() }
}

fn size_text(interface: &Interface, dims: &Dims) -> String {
    sizes(interface.sizes.iter().map(|s| s.name.as_str()), dims)
}

/// Sizes for which cycles are shown: layers of language models within the core's bounds, and the bounds themselves.
pub fn example_sizes(interface: &Interface) -> Vec<Dims> {
    let sizes = &interface.sizes;
    let find = |name: &str| sizes.iter().find(|s| s.name == name);
    let (Some(k), Some(m)) = (find("K"), find("M")) else {
        let shown = |s: &Scalar, v: u64| (s.name.clone(), v.clamp(s.min, s.max));
        let ends: [u64; 4] = [0, 64, 512, LARGE];
        let mut all: Vec<Dims> = ends.iter().map(|v| sizes.iter().map(|s| shown(s, *v)).collect()).collect();
        all.dedup();
        return all;
    };
    let largest = (k.max.min(4 * LARGE), m.max.min(4 * LARGE));
    let legal = |v: u64, s: &Scalar| (s.min..=s.max).contains(&v);
    let mut layers: Vec<(u64, u64)> = LAYERS.into_iter().filter(|(a, b)| legal(*a, k) && legal(*b, m)).collect();
    if !layers.contains(&largest) {
        layers.push(largest);
    }
    let mut all: Vec<Dims> = Vec::new();
    for (inputs, outputs) in layers {
        for tokens in TOKENS {
            let value = |s: &Scalar| match s.name.as_str() {
                "K" => inputs,
                "M" => outputs,
                "T" => tokens.clamp(s.min, s.max),
                _ => s.min,
            };
            all.push(sizes.iter().map(|s| (s.name.clone(), value(s))).collect());
        }
    }
    all.dedup();
    all
}

/// The job that a reader most likely has in mind: one token through a 2560 x 2560 layer, else the largest example.
pub fn typical_job(interface: &Interface) -> Dims {
    let examples = example_sizes(interface);
    let is_layer = |d: &&Dims| d.get("K") == Some(&2560) && d.get("M") == Some(&2560);
    let largest = || examples.iter().max_by_key(|d| d.values().product::<u64>());
    examples.iter().find(is_layer).or_else(largest).cloned().unwrap_or_default()
}

fn timing_figure(interface: &Interface, trace: &Trace) -> TimingFigure {
    let cycles = trace.signals.first().map_or(0, |s| s.values.len()) - trace.lead;
    TimingFigure { job: size_text(interface, &trace.dims), cycles: grouped(cycles as u64), waves: waves::draw(trace) }
}

fn facts(subject: &Subject, parts: &[PartCost], job: &Dims) -> Vec<Fact> {
    let core = subject.core;
    let fact = |label: &str, value: String, origin: &str| Fact { label: label.into(), value, origin: origin.into() };
    let (peak, total) = (core.ops_per_cycle(), sum(parts));
    let op = op_name(core.op());
    let model = "predicted by cost model";
    let mut facts = vec![
        fact("Peak rate", format!("{} {op}/cycle", grouped(peak)), "configuration"),
        fact("LUT", grouped(total.lut.round() as i64), model),
        fact(&format!("LUT per {op}/cycle"), figure(total.lut / peak.max(1) as f64), model),
        fact("FF", grouped(total.ff.round() as i64), model),
        fact(
            "DSP, BRAM, URAM",
            format!("{}, {}, {}", figure(total.dsp), figure(total.bram), figure(total.uram)),
            model,
        ),
    ];
    let used = utilization(subject, job);
    let label = format!("Utilization at {}", size_text(&subject.interface, job).replace(" = ", "\u{a0}=\u{a0}"));
    facts.push(fact(&label, percent(used), "exact schedule"));
    for report in subject.options.synth.iter().filter(|r| is_own(r)) {
        if let (Some(flow), Some(lut)) = (text(report, "flow"), number(report, "lut")) {
            facts.push(fact(&format!("LUT, flow {flow}"), figure(lut), "measured: bitlathe synth"));
        }
    }
    facts
}

fn utilization(subject: &Subject, dims: &Dims) -> f64 {
    let (cycles, ops) = (subject.core.schedule(dims), subject.core.useful_ops(dims));
    ops as f64 / (cycles.max(1) as f64 * subject.core.ops_per_cycle().max(1) as f64)
}

fn port_row(port: describe::PortInfo) -> PortRow {
    PortRow { name: port.name, direction: describe::direction(port.dir), width: port.width, doc: port.doc }
}

fn register_map(registers: &[Register]) -> RegisterMap {
    let left = bits_left(registers);
    let middle = |bit: u32| left + BIT * (31 - bit) + BIT / 2;
    let width = left + 32 * BIT + 1;
    RegisterMap {
        width,
        height: REGISTERS_TOP + REGISTER_ROW * registers.len() as u32,
        min_width: width * 4 / 5,
        scale: [31, 24, 16, 8, 0].map(|bit| (middle(bit), bit.to_string())).into(),
    }
}

/// Left edge of bit 31 in the drawing of the registers: right of the longest name.
fn bits_left(registers: &[Register]) -> u32 {
    let longest = registers.iter().map(|r| r.name.chars().count()).max().unwrap_or(0);
    60 + 74 * longest as u32 / 10
}

fn register_row(register: &Register, n: u32, left: u32) -> RegisterRow {
    let y = REGISTERS_TOP + REGISTER_ROW * n;
    RegisterRow {
        name: register.name.clone(),
        offset: format!("0x{:02x}", register.offset),
        doc: register.doc.clone(),
        y,
        text_y: y + 17,
        bar: bar(&register.fields, left),
        fields: register.fields.iter().map(field_row).collect(),
    }
}

/// The fields and the gaps between them over 32 bits, highest bit first.
fn bar(fields: &[Field], left: u32) -> Vec<BarCell> {
    let mut ordered: Vec<&Field> = fields.iter().collect();
    ordered.sort_by_key(|f| f.lsb);
    let mut cells = Vec::new();
    let mut nameless: Vec<&str> = Vec::new();
    let mut from = 0;
    for field in ordered {
        if field.lsb > from {
            cells.push(gap(left, from, field.lsb, &std::mem::take(&mut nameless)));
        }
        let cell = field_cell(left, field);
        if cell.label.is_empty() {
            nameless.insert(0, &field.name);
        }
        cells.push(cell);
        from = field.lsb + field.width;
    }
    if from < 32 {
        cells.push(gap(left, from, 32, &nameless));
    }
    cells.reverse();
    cells
}

fn field_cell(left: u32, field: &Field) -> BarCell {
    let (x, width) = (left + BIT * 32u32.saturating_sub(field.lsb + field.width), BIT * field.width);
    let label = if fits(&field.name, width) { field.name.clone() } else { String::new() };
    BarCell { x, width, label, label_x: x + width / 2, anchor: "middle", gap: false }
}

/// Bits without a field, with the names of the fields to the right that are too narrow for theirs.
fn gap(left: u32, from: u32, to: u32, nameless: &[&str]) -> BarCell {
    let (x, width) = (left + BIT * (32 - to), BIT * (to - from));
    let names = nameless.join(", ");
    let label = if fits(&names, width) { names } else { String::new() };
    BarCell { x, width, label, label_x: x + width - 6, anchor: "end", gap: true }
}

fn fits(text: &str, width: u32) -> bool {
    text.chars().count() as u32 * 8 < width
}

fn field_row(field: &Field) -> FieldRow {
    let top = field.lsb + field.width.max(1) - 1;
    FieldRow {
        name: field.name.clone(),
        bits: if top == field.lsb { top.to_string() } else { format!("{top}:{}", field.lsb) },
        access: describe::access(field.access),
        range: match field.min == field.max {
            true => constant(field.min),
            false => format!("{} .. {}", grouped(field.min), grouped(field.max)),
        },
        reset: constant(field.reset),
        value: describe::field_value(&field.value),
        doc: field.doc.clone(),
    }
}

/// Hexadecimal where a number is no count.
fn constant(value: u64) -> String {
    if value > 0xffff { format!("0x{value:08x}") } else { grouped(value) }
}

fn range_row(range: bitlathe_cores::ProvenRange) -> RangeRow {
    RangeRow {
        signal: range.signal,
        bits: range.bits,
        min: grouped(range.min),
        max: grouped(range.max),
        proof: range.proof,
    }
}

fn cycle_row(subject: &Subject, dims: &Dims) -> Result<CycleRow, GenerateError> {
    let cycles = subject.core.schedule(dims);
    let names = subject.interface.sizes.iter();
    let values: Vec<String> = names.filter_map(|s| dims.get(&s.name)).map(|v| grouped(*v)).collect();
    let mut busiest = (0, "");
    for stream in &subject.interface.streams {
        busiest = busiest.max((stream.layout.beats(dims)?, stream.name.as_str()));
    }
    Ok(CycleRow {
        sizes: values.join(" × "),
        cycles: grouped(cycles),
        busiest: format!("{} {}", busiest.1, grouped(busiest.0)),
        ops: grouped(subject.core.useful_ops(dims)),
        utilization: percent(utilization(subject, dims)),
        time: time(cycles as f64 / 100e6),
    })
}

fn rates(subject: &Subject, dims: &Dims) -> Result<Vec<RateRow>, GenerateError> {
    let cycles = subject.core.schedule(dims).max(1) as f64;
    let mut rows = Vec::new();
    for stream in &subject.interface.streams {
        let (beats, bits) = (stream.layout.beats(dims)?, stream.layout.beat_bits());
        rows.push(RateRow {
            stream: stream.name.clone(),
            direction: if stream.dir == Dir::In { "in" } else { "out" },
            bits,
            peak: figure(bits as f64 / 8.0),
            beats: grouped(beats),
            average: figure(beats as f64 * bits as f64 / 8.0 / cycles),
        });
    }
    Ok(rows)
}

fn sum(parts: &[PartCost]) -> Cost {
    let mut total = Cost::default();
    for part in parts {
        total += part.cost.clone();
    }
    total
}

fn part_row(part: String, count: String, cost: &Cost) -> PartRow {
    let whole = |v: f64| grouped(v.round() as i64);
    PartRow {
        part,
        count,
        lut: whole(cost.lut),
        lutram: whole(cost.lutram),
        ff: whole(cost.ff),
        dsp: figure(cost.dsp),
        bram: figure(cost.bram),
        uram: figure(cost.uram),
    }
}

fn fit(subject: &Subject, total: &Cost) -> Vec<FitRow> {
    let capacity = subject.core.target().capacity;
    [
        ("LUT", total.lut, capacity.lut),
        ("FF", total.ff, capacity.ff),
        ("DSP", total.dsp, capacity.dsp),
        ("BRAM", total.bram, capacity.bram),
        ("URAM", total.uram, capacity.uram),
    ]
    .into_iter()
    .filter(|(_, used, available)| *used > 0.0 || *available > 0)
    .map(|(resource, used, available)| fit_row(resource, used, available))
    .collect()
}

fn fit_row(resource: &'static str, used: f64, available: u64) -> FitRow {
    let over = used > available as f64;
    let share = if available > 0 { used / available as f64 } else { 0.0 };
    FitRow {
        resource,
        used: if used.fract() == 0.0 { grouped(used as i64) } else { figure(used) },
        available: grouped(available),
        percent: if available == 0 { "none there".into() } else { percent(share) },
        bar: format!("{:.1}", if over { 100.0 } else { 100.0 * share }),
        over,
    }
}

fn text<'a>(report: &'a Value, key: &str) -> Option<&'a str> {
    report.get(key)?.as_str()
}

fn number(report: &Value, key: &str) -> Option<f64> {
    report.get(key)?.as_f64()
}

/// What the command line of a report changed in the config.
fn changes(report: &Value) -> Vec<&str> {
    report.get("set").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Whether a report is of the whole core as it is here, not of a module or of another choice beside it.
fn is_own(report: &Value) -> bool {
    text(report, "module").is_none() && changes(report).is_empty()
}

/// A synthesis report beside the prediction for the same family, where it is of the same core.
fn measured(subject: &Subject, report: &Value) -> MeasuredTable {
    let flow = text(report, "flow").unwrap_or("unknown").to_string();
    let family = Family::ALL.into_iter().find(|f| f.name() == flow);
    let cost = family.filter(|_| is_own(report)).map(|f| super::whole_cost(subject.core, f));
    let peak = subject.core.ops_per_cycle().max(1) as f64;
    let per_op = |c: &Cost| c.lut / peak;
    type Predict<'a> = &'a dyn Fn(&Cost) -> f64;
    let figures: [(&str, &str, Option<Predict>); 11] = [
        ("lut", "LUT", Some(&|c| c.lut)),
        ("lutram", "of it LUTRAM", Some(&|c| c.lutram)),
        ("ff", "FF", Some(&|c| c.ff)),
        ("dsp", "DSP", Some(&|c| c.dsp)),
        ("bram", "BRAM", Some(&|c| c.bram)),
        ("uram", "URAM", Some(&|c| c.uram)),
        ("carry", "Carry cells", None),
        ("lut_per_mac", "LUT per MAC/cycle", Some(&per_op)),
        ("lut_per_element", "LUT per element/cycle", Some(&per_op)),
        ("logic_depth", "Logic depth, levels", None),
        ("fmax_mhz", "Clock after routing, MHz", None),
    ];
    let rows = figures.into_iter().filter_map(|(key, label, predict)| {
        let got = number(report, key)?;
        let expected = cost.as_ref().zip(predict).map(|(c, p)| p(c));
        Some(measured_row(label, got, expected))
    });
    let (mut of, mut command) =
        (format!("flow {flow}"), format!("bitlathe synth {} --flow {flow}", subject.config_file()));
    if let Some(module) = text(report, "module") {
        of += &format!(", module {module}");
        command += &format!(" --module {module}");
    }
    for change in changes(report) {
        of += &format!(", {change}");
        command += &format!(" --set {change}");
    }
    MeasuredTable { tools: tools(report), command, rows: rows.collect(), subject: of }
}

fn measured_row(label: &str, got: f64, expected: Option<f64>) -> MeasuredRow {
    let difference = expected.filter(|_| got != 0.0).map(|e| format!("{:+.1} %", 100.0 * (e / got - 1.0)));
    MeasuredRow {
        label: label.into(),
        predicted: expected.map(figure).unwrap_or_else(|| "–".into()),
        measured: figure(got),
        difference: difference.unwrap_or_else(|| "–".into()),
    }
}

/// Names and versions of the tools of a report.
fn tools(report: &Value) -> String {
    match report.get("tool_versions") {
        Some(Value::String(one)) => one.clone(),
        Some(Value::Object(many)) => {
            let named = many.iter().filter_map(|(name, v)| Some(format!("{name} {}", v.as_str()?)));
            named.collect::<Vec<_>>().join(", ")
        }
        _ => String::new(),
    }
}

/// An instance of the top with every port connected by name to a signal that is declared before it.
fn instance(subject: &Subject) -> String {
    let (mut wires, mut connections) = (Vec::new(), Vec::new());
    for port in subject.ports() {
        let signal = port.name.strip_suffix("_i").or_else(|| port.name.strip_suffix("_o")).unwrap_or(&port.name);
        let width = if port.width > 1 { format!("[{}:0] ", port.width - 1) } else { String::new() };
        wires.push(format!("wire {width}{signal};"));
        connections.push(format!("  .{}({signal})", port.name));
    }
    let unit = subject.core.name().replace('-', "_");
    format!("{}\n\n{} u_{unit} (\n{}\n);", wires.join("\n"), subject.top(), connections.join(",\n"))
}

fn commands(subject: &Subject) -> Vec<String> {
    let (config, family) = (subject.config_file(), subject.core.target().family.name());
    let (name, top) = (subject.core.name(), subject.core.interface().top);
    let commands = [
        (format!("bitlathe gen {config} -o {name}"), "this folder"),
        (format!("bitlathe verify {config}"), "RTL against model and schedule"),
        (format!("bitlathe synth {config} --flow {family}"), "measured resources"),
    ];
    let longest = commands.iter().map(|(command, _)| command.chars().count()).max().unwrap_or(0);
    let mut lines: Vec<String> =
        commands.iter().map(|(command, what)| format!("{command:longest$}  # {what}")).collect();
    lines.push(format!("cd {name}/tb && iverilog -g2005 -o tb.vvp {top}_tb.v ../rtl/*.v && vvp -N tb.vvp"));
    lines
}

/// TOML has no null: absent keys stay absent.
fn without_null(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            map.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), without_null(v))).collect()
        }
        Value::Array(items) => items.iter().filter(|v| !v.is_null()).map(without_null).collect(),
        other => other.clone(),
    }
}

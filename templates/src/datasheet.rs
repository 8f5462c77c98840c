//! The datasheet page: one self-contained HTML file. Every number and coordinate arrives computed from `flow::generate`.

use askama::Template;

use crate::model_page::{SizeRow, StreamWalk, TensorRow};

/// A datasheet, as HTML by [`Template::render`].
#[derive(Template)]
#[template(path = "datasheet.html")]
pub struct Datasheet {
    /// The core's name.
    pub name: String,
    /// The top module.
    pub top: String,
    /// The kind of core.
    pub kind: String,
    /// What it computes, in one line.
    pub title: String,
    /// Generator version.
    pub version: String,
    /// Hash of the config.
    pub config_hash: String,
    /// Target name, part and family.
    pub target: TargetRow,
    /// Figures at the head of the page.
    pub facts: Vec<Fact>,
    /// Warnings of the config check.
    pub warnings: Vec<String>,
    /// What it computes, in plain text.
    pub paragraphs: Vec<String>,
    /// The definition of the output, one formula a line.
    pub definition: Vec<String>,
    /// Block diagram.
    pub blocks: Diagram,
    /// Run-time sizes.
    pub sizes: Vec<SizeRow>,
    /// Tensors.
    pub tensors: Vec<TensorRow>,
    /// Ports of the top.
    pub ports: Vec<PortRow>,
    /// Registers; empty when the core has none.
    pub registers: Vec<RegisterRow>,
    /// Frame of the drawing of the registers.
    pub register_map: RegisterMap,
    /// Streams, inputs first.
    pub streams: Vec<StreamWalk>,
    /// Ranges proven at generation.
    pub ranges: Vec<RangeRow>,
    /// Timing diagram, where the schedule tells single beats.
    pub timing: Option<TimingFigure>,
    /// Cycles by job size.
    pub cycles: Vec<CycleRow>,
    /// What an operation is.
    pub op: String,
    /// Names of the sizes in `cycles`.
    pub cycle_sizes: String,
    /// The job for which average rates are given.
    pub rate_job: String,
    /// Bytes a cycle of each stream.
    pub rates: Vec<RateRow>,
    /// Predicted resources by part.
    pub parts: Vec<PartRow>,
    /// Their sum.
    pub total: PartRow,
    /// Use of the device.
    pub fit: Vec<FitRow>,
    /// Measured resources, one table a synthesis run.
    pub measured: Vec<MeasuredTable>,
    /// A Verilog instance with the signals that it connects.
    pub instance: String,
    /// Whether the top takes `IMPL`, which selects the behavioural form of vendor primitives when 0.
    pub impl_parameter: bool,
    /// Commands that make, verify and measure the core.
    pub commands: Vec<String>,
    /// The config with every default filled in.
    pub config: String,
    /// The config's file name.
    pub config_file: String,
}

/// The device.
pub struct TargetRow {
    /// Name in the config.
    pub name: &'static str,
    /// Full part name.
    pub part: &'static str,
    /// Logic family.
    pub family: &'static str,
    /// Where its capacity comes from.
    pub source: &'static str,
}

/// A figure at the head of the page.
pub struct Fact {
    /// What it is.
    pub label: String,
    /// The number with its unit.
    pub value: String,
    /// Where it comes from.
    pub origin: String,
}

/// A port of the top module.
pub struct PortRow {
    /// Verilog name.
    pub name: String,
    /// `in` or `out`.
    pub direction: &'static str,
    /// Bits.
    pub width: u64,
    /// What it is.
    pub doc: String,
}

/// A register with its fields.
pub struct RegisterRow {
    /// Name.
    pub name: String,
    /// Byte offset, hexadecimal.
    pub offset: String,
    /// What it is.
    pub doc: String,
    /// Upper edge in the drawing.
    pub y: u32,
    /// Baseline of its texts in the drawing.
    pub text_y: u32,
    /// Fields drawn to scale over 32 bits.
    pub bar: Vec<BarCell>,
    /// Fields, lowest bit first.
    pub fields: Vec<FieldRow>,
}

/// The frame of the drawing of all registers.
pub struct RegisterMap {
    /// Width in user units.
    pub width: u32,
    /// Height in user units.
    pub height: u32,
    /// Width below which it scrolls instead of shrinking.
    pub min_width: u32,
    /// Bit numbers with the middle of their bit.
    pub scale: Vec<(u32, String)>,
}

/// A field or a gap in the drawing of a register.
pub struct BarCell {
    /// Left edge.
    pub x: u32,
    /// Width.
    pub width: u32,
    /// Text in it: the field's name, or in a gap the names of the fields to its right that are too narrow for theirs.
    pub label: String,
    /// Where the text stands.
    pub label_x: u32,
    /// How it stands there: `middle` or `end`.
    pub anchor: &'static str,
    /// Whether no field lies here.
    pub gap: bool,
}

/// A field of a register.
pub struct FieldRow {
    /// Name.
    pub name: String,
    /// Bits, such as `15:0`.
    pub bits: String,
    /// Who changes it.
    pub access: &'static str,
    /// Legal values.
    pub range: String,
    /// Value after reset.
    pub reset: String,
    /// What a job writes.
    pub value: String,
    /// What it is.
    pub doc: String,
}

/// A value range proven at generation.
pub struct RangeRow {
    /// Signal.
    pub signal: String,
    /// Bits that hold it.
    pub bits: u32,
    /// Smallest value.
    pub min: String,
    /// Largest value.
    pub max: String,
    /// Why.
    pub proof: String,
}

/// The cycles of one job.
pub struct CycleRow {
    /// The sizes, in the order of the heading.
    pub sizes: String,
    /// Cycles without stalls.
    pub cycles: String,
    /// The stream with the most beats, and their number.
    pub busiest: String,
    /// Useful operations.
    pub ops: String,
    /// Useful operations of the peak.
    pub utilization: String,
    /// Job time at a clock of 100 MHz.
    pub time: String,
}

/// The rate of one stream.
pub struct RateRow {
    /// Port prefix.
    pub stream: String,
    /// `in` or `out`.
    pub direction: &'static str,
    /// Bits in a beat.
    pub bits: u64,
    /// Bytes in a cycle that moves a beat.
    pub peak: String,
    /// Beats of the example job.
    pub beats: String,
    /// Bytes a cycle over that job.
    pub average: String,
}

/// Predicted resources of one part.
#[allow(missing_docs)]
pub struct PartRow {
    pub part: String,
    pub count: String,
    pub lut: String,
    pub lutram: String,
    pub ff: String,
    pub dsp: String,
    pub bram: String,
    pub uram: String,
}

/// How much of one resource of the device the core takes.
pub struct FitRow {
    /// Resource.
    pub resource: &'static str,
    /// Predicted need.
    pub used: String,
    /// What the device holds.
    pub available: String,
    /// Share of the device.
    pub percent: String,
    /// Length of the bar, at most 100.
    pub bar: String,
    /// Whether the need exceeds the device.
    pub over: bool,
}

/// What one synthesis run measured.
pub struct MeasuredTable {
    /// What was measured, such as `flow xcup` or `flow ecp5, module mixpe_array, array.kernel=multiply`.
    pub subject: String,
    /// Tools and their versions.
    pub tools: String,
    /// The command that repeats it.
    pub command: String,
    /// One row a figure.
    pub rows: Vec<MeasuredRow>,
}

/// One measured figure.
pub struct MeasuredRow {
    /// What was counted.
    pub label: String,
    /// What the cost model says; empty where it says nothing.
    pub predicted: String,
    /// What the tool says.
    pub measured: String,
    /// Prediction relative to the measurement.
    pub difference: String,
}

/// A drawing of boxes and arrows.
#[derive(Default)]
pub struct Diagram {
    /// Width in user units.
    pub width: u32,
    /// Height in user units.
    pub height: u32,
    /// Width below which it scrolls instead of shrinking.
    pub min_width: u32,
    /// The drawing in words.
    pub description: String,
    /// Boxes.
    pub boxes: Vec<DiagramBox>,
    /// Arrows.
    pub edges: Vec<DiagramEdge>,
}

/// One box.
pub struct DiagramBox {
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
    /// Middle.
    pub middle: u32,
    /// A stream rather than a block.
    pub stream: bool,
    /// Baseline of the name.
    pub name_y: u32,
    /// Name.
    pub name: String,
    /// Smaller lines with their baselines.
    pub lines: Vec<(u32, String)>,
}

/// One arrow.
pub struct DiagramEdge {
    /// SVG path.
    pub path: String,
    /// Whether it runs against the flow.
    pub feedback: bool,
}

/// The timing diagram of a small job.
pub struct TimingFigure {
    /// Sizes of the job.
    pub job: String,
    /// Cycles of the job.
    pub cycles: String,
    /// The drawing.
    pub waves: Waves,
}

/// The drawing of a timing diagram.
#[derive(Default)]
pub struct Waves {
    /// Width in user units.
    pub width: u32,
    /// Height in user units.
    pub height: u32,
    /// Width below which it scrolls instead of shrinking.
    pub min_width: u32,
    /// Cycles of the job: middle of the cell, number.
    pub numbers: Vec<(u32, usize)>,
    /// Vertical lines at the rising clock edges.
    pub grid: Vec<u32>,
    /// Shaded cells in which a beat or a register write moves: x, y, width, height.
    pub moves: Vec<(u32, u32, u32, u32)>,
    /// Signal names with their baselines.
    pub names: Vec<(u32, String)>,
    /// Lines of one-bit signals.
    pub lines: Vec<String>,
    /// Outlines of bus values.
    pub buses: Vec<String>,
    /// Outlines of unknown bus values.
    pub unknown: Vec<String>,
    /// Bus values: x, baseline, text.
    pub values: Vec<(u32, u32, String)>,
    /// Places where cycles are left out: left edge of the break.
    pub breaks: Vec<u32>,
    /// Width of a break.
    pub break_width: u32,
}

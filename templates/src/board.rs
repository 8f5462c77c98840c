//! What a board's folder has beside its Verilog parts: the top with the pins, a bench that reads the UART, the script of Yosys, a Makefile.

use askama::Template;

/// The top of a board.
#[derive(Template)]
#[template(path = "board/top.v", escape = "none")]
pub struct BoardTop<'a> {
    /// Lines of the head comment.
    pub banner: &'a [String],
    /// The board, and what its lights mean.
    pub about: &'a [String],
    /// The module.
    pub top: &'a str,
    /// The self-test in it.
    pub self_test: &'a str,
    /// Whether it takes `IMPL`, and with which value on the board.
    pub implementation: Option<i64>,
    /// Ports, named like the board's signals.
    pub clock: &'a str,
    /// The line of the UART.
    pub text: &'a str,
    /// Lights.
    pub lights: &'a str,
    /// Their highest bit.
    pub lights_msb: usize,
    /// Wires of the self-test at the lights, highest first.
    pub shows: &'a [String],
    /// Whether a zero lights one.
    pub lit_by_zero: bool,
    /// Cycles of a bit of the UART.
    pub divider: u64,
    /// Cycles between two tests.
    pub pause: u64,
    /// How fast that is.
    pub baud: String,
}

/// A bench that reads the UART of that top.
#[derive(Template)]
#[template(path = "board/bench.v", escape = "none")]
pub struct BoardBench<'a> {
    /// Lines of the head comment.
    pub banner: &'a [String],
    /// The board's top.
    pub top: &'a str,
    /// Whether it takes `IMPL`.
    pub implementation: bool,
    /// Ports of the top.
    pub clock: &'a str,
    /// The line of the UART.
    pub text: &'a str,
    /// The expected line, as Verilog text.
    pub expected: &'a str,
    /// Its number of characters.
    pub length: usize,
    /// Cycles after which the bench gives up.
    pub patience: u64,
}

/// The commands from Verilog to a bitstream.
#[derive(Template)]
#[template(path = "board/Makefile", escape = "none")]
pub struct BoardMake<'a> {
    /// Lines of the head comment.
    pub banner: &'a [String],
    /// The board's folder within that of the core.
    pub folder: &'a str,
    /// The board's top.
    pub top: &'a str,
    /// The bitstream's file name.
    pub bitstream: &'a str,
    /// The commands that make it.
    pub steps: &'a [MakeStep],
    /// The command that loads it.
    pub load: &'a str,
    /// Verilog of the top.
    pub sources: &'a [String],
}

/// One command.
#[derive(Clone, Debug)]
pub struct MakeStep {
    /// Variable that holds the program.
    pub variable: String,
    /// Program.
    pub tool: String,
    /// Arguments as text.
    pub arguments: String,
}

/// The clock of the bench in Verilator.
pub const BOARD_SIM: &str = include_str!("../templates/board/sim.cpp");

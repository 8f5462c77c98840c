//! Constraint files: the pins of a board's top, the clock of a core alone.

use askama::Template;

/// A bit of a port at its pin.
#[derive(Clone, Debug)]
pub struct PinLine {
    /// The port's bit, as the format names it.
    pub port: String,
    /// The pin.
    pub pin: String,
    /// I/O standard.
    pub standard: String,
    /// The pull resistor in words of the format, with what separates it from the word before; empty for none.
    pub pull: &'static str,
}

/// The clock of a board at its port.
#[derive(Clone, Debug)]
pub struct ClockLine {
    /// Name of the clock.
    pub name: String,
    /// The port.
    pub port: String,
    /// Frequency in MHz.
    pub mhz: f64,
    /// Nanoseconds.
    pub period: String,
}

/// Pins for Vivado.
#[derive(Template)]
#[template(path = "pins.xdc", escape = "none")]
pub struct Xdc<'a> {
    /// Lines of the head comment.
    pub head: &'a [String],
    /// A line for each bit of each port.
    pub pins: &'a [PinLine],
    /// The clock, where a port carries it.
    pub clock: Option<&'a ClockLine>,
}

/// Pins for nextpnr-ecp5 and Diamond.
#[derive(Template)]
#[template(path = "pins.lpf", escape = "none")]
pub struct Lpf<'a> {
    /// Lines of the head comment.
    pub head: &'a [String],
    /// A line for each bit of each port.
    pub pins: &'a [PinLine],
    /// The clock, where a port carries it.
    pub clock: Option<&'a ClockLine>,
}

/// Pins for nextpnr-ice40.
#[derive(Template)]
#[template(path = "pins.pcf", escape = "none")]
pub struct Pcf<'a> {
    /// Lines of the head comment.
    pub head: &'a [String],
    /// A line for each bit of each port.
    pub pins: &'a [PinLine],
    /// The clock, where a port carries it.
    pub clock: Option<&'a ClockLine>,
}

/// The clock of a top alone, for any tool that reads SDC.
#[derive(Template)]
#[template(path = "clock.sdc", escape = "none")]
pub struct Sdc<'a> {
    /// Lines of the head comment.
    pub banner: &'a [String],
    /// Where the frequency comes from.
    pub about: &'a str,
    /// The port.
    pub port: &'a str,
    /// Nanoseconds.
    pub period: &'a str,
}

//! Boards as data (`constraints/*.toml`, compiled in), and constraint files of the pins of a top and of the clock of a core.
//!
//! A constraint that matches nothing is an error here: tools let it pass.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bitlathe_spec::{SourceFile, Target};
use bitlathe_templates::constraints::{ClockLine, Lpf, Pcf, PinLine, Sdc, Xdc};
use bitlathe_templates::{RenderError, Template};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A board, or a device whose processor clocks the logic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// Name, also that of its file.
    pub name: String,
    /// What it is.
    pub about: String,
    /// The target of configs that means its device; `None` where there is none yet.
    pub target: Option<String>,
    /// Full part name.
    pub part: String,
    /// The constraint files that its tools read.
    pub format: Format,
    /// Where pins and standards come from.
    pub source: String,
    /// The clock that is there.
    pub clock: BoardClock,
    /// What kernels of XRT need, on cards that it drives.
    pub xrt: Option<Xrt>,
    /// Signals by name.
    pub signals: BTreeMap<String, Signal>,
    /// Where a self-test shows what it found; `None` where nothing makes a bitstream of one.
    pub self_test: Option<SelfTestPins>,
}

/// The signals of a self-test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfTestPins {
    /// Signal that carries the text, as asynchronous serial.
    pub text: String,
    /// Signal of the lights.
    pub lights: String,
    /// What they show, bit 0 first; further ones stay dark.
    pub shows: Vec<Light>,
    /// Whether a zero lights one.
    pub lit_by_zero: bool,
    /// The command that takes a bitstream to the board.
    pub load: String,
}

/// What a light shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Light {
    /// Changes with every test.
    Heartbeat,
    /// A test is over.
    Done,
    /// The last one was right.
    Pass,
    /// It was not.
    Fail,
}

impl Light {
    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Heartbeat => "heartbeat",
            Self::Done => "done",
            Self::Pass => "pass",
            Self::Fail => "fail",
        }
    }
}

/// A card of XRT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Xrt {
    /// The platform that kernels are linked into.
    pub platform: String,
    /// Channels of HBM.
    pub hbm_channels: u32,
}

/// The clock of a board.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoardClock {
    /// Frequency.
    pub mhz: f64,
    /// The signal that carries it, or [`PROCESSOR`].
    pub from: String,
}

/// In place of a signal: the clock comes from the processor on the device, over no pin.
pub const PROCESSOR: &str = "processor";

/// What a board connects to the device under one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// Pins, bit 0 first.
    pub pins: Vec<String>,
    /// I/O standard.
    pub standard: String,
    /// The resistor that the pins need.
    pub pull: Option<Pull>,
}

/// A pull resistor of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Pull {
    Up,
    Down,
}

/// A format of constraint files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Vivado.
    Xdc,
    /// nextpnr-ecp5 and Diamond.
    Lpf,
    /// nextpnr-ice40.
    Pcf,
}

/// A constraint that means nothing, or a port without one.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum ConstraintError {
    #[error("the design has no port `{port}` that signal `{signal}` could go to; it has {known}")]
    NoPort { port: String, signal: String, known: String },
    #[error("{board} has no signal `{signal}`; it has {known}")]
    NoSignal { board: String, signal: String, known: String },
    #[error("port `{port}` has {width} bits, signal `{signal}` of {board} has {pins} pins")]
    Width { port: String, width: u64, signal: String, board: String, pins: usize },
    #[error("port `{0}` is given two signals")]
    Twice(String),
    #[error("pin {pin} of {board} is given to two ports")]
    SharedPin { pin: String, board: String },
    #[error("port `{0}` has no pin")]
    Unplaced(String),
    #[error("signal `{signal}` of {board} needs a pull-down, which its device does not have")]
    NoPull { signal: String, board: String },
    #[error("a template failed: {0}")]
    Template(#[from] RenderError),
}

static BOARDS: LazyLock<Vec<Board>> = LazyLock::new(|| {
    let texts = [
        include_str!("../../../constraints/arty-a7-100t.toml"),
        include_str!("../../../constraints/icebreaker.toml"),
        include_str!("../../../constraints/kv260.toml"),
        include_str!("../../../constraints/u280.toml"),
        include_str!("../../../constraints/ulx3s.toml"),
    ];
    // A file of the program itself: a test reads every one.
    texts.map(|t| toml::from_str(t).unwrap_or_else(|e| unreachable!("{e}\n{t}"))).into()
});

/// Every board, in the order in which `bitlathe list` shows them.
pub fn boards() -> &'static [Board] {
    &BOARDS
}

impl Board {
    /// The board of a target.
    pub fn of(target: &Target) -> Option<&'static Self> {
        boards().iter().find(|b| b.target.as_deref() == Some(target.name))
    }

    /// Whether XRT drives it.
    pub fn has_xrt(&self) -> bool {
        self.xrt.is_some()
    }

    /// Whether a processor on the device runs software that drives the logic.
    pub fn has_processor(&self) -> bool {
        self.clock.from == PROCESSOR
    }

    /// The constraint file of a top. `ports` are its names and bits, `places` says which signal each port goes to; every
    /// port needs one.
    pub fn pins(&self, ports: &[(String, u64)], places: &[(&str, &str)]) -> Result<SourceFile, ConstraintError> {
        let mut lines = Vec::new();
        for (port, signal) in places {
            let found = ports.iter().find(|p| p.0 == *port);
            let (_, width) = found.ok_or_else(|| ConstraintError::NoPort {
                port: port.to_string(),
                signal: signal.to_string(),
                known: names(ports.iter().map(|p| &p.0)),
            })?;
            if places.iter().filter(|p| p.0 == *port).count() > 1 {
                return Err(ConstraintError::Twice(port.to_string()));
            }
            lines.extend(self.lines(port, *width, signal)?);
        }
        if let Some(port) = ports.iter().find(|p| places.iter().all(|place| place.0 != p.0)) {
            return Err(ConstraintError::Unplaced(port.0.clone()));
        }
        if let Some(twice) = lines.iter().enumerate().find(|(n, l)| lines[..*n].iter().any(|o| o.pin == l.pin)) {
            return Err(ConstraintError::SharedPin { pin: twice.1.pin.clone(), board: self.name.clone() });
        }
        let clock = places.iter().find(|p| p.1 == self.clock.from).map(|p| clock_line(p.0, self.clock.mhz));
        self.render(&lines, clock.as_ref())
    }

    fn lines(&self, port: &str, width: u64, name: &str) -> Result<Vec<PinLine>, ConstraintError> {
        let board = || self.name.clone();
        let signal = self.signals.get(name).ok_or_else(|| ConstraintError::NoSignal {
            board: board(),
            signal: name.into(),
            known: names(self.signals.keys()),
        })?;
        if signal.pins.len() as u64 != width {
            let (port, signal, pins) = (port.into(), name.into(), signal.pins.len());
            return Err(ConstraintError::Width { port, width, signal, board: board(), pins });
        }
        let pull = match (self.format, signal.pull) {
            (_, None) => "",
            (Format::Xdc, Some(Pull::Up)) => " PULLTYPE PULLUP",
            (Format::Xdc, Some(Pull::Down)) => " PULLTYPE PULLDOWN",
            (Format::Lpf, Some(Pull::Up)) => " PULLMODE=UP",
            (Format::Lpf, Some(Pull::Down)) => " PULLMODE=DOWN",
            (Format::Pcf, Some(Pull::Up)) => " -pullup yes",
            (Format::Pcf, Some(Pull::Down)) => {
                return Err(ConstraintError::NoPull { signal: name.into(), board: board() });
            }
        };
        let bit = |n: usize| match (width, self.format) {
            (1, _) => port.to_string(),
            (_, Format::Xdc) => format!("{{{port}[{n}]}}"),
            _ => format!("{port}[{n}]"),
        };
        let line = |(n, pin): (usize, &String)| PinLine {
            port: bit(n),
            pin: pin.clone(),
            standard: signal.standard.clone(),
            pull,
        };
        Ok(signal.pins.iter().enumerate().map(line).collect())
    }

    fn render(&self, pins: &[PinLine], clock: Option<&ClockLine>) -> Result<SourceFile, ConstraintError> {
        let head = &[format!("{}, {}: {}.", self.about, self.part, self.source)];
        let text = match self.format {
            Format::Xdc => Xdc { head, pins, clock }.render()?,
            Format::Lpf => Lpf { head, pins, clock }.render()?,
            Format::Pcf => Pcf { head, pins, clock }.render()?,
        };
        Ok(SourceFile { path: self.pin_file_name(), text: format!("{}\n", text.trim()) })
    }

    /// Name of the file that [`Board::pins`] makes.
    pub fn pin_file_name(&self) -> String {
        let suffix = match self.format {
            Format::Xdc => "xdc",
            Format::Lpf => "lpf",
            Format::Pcf => "pcf",
        };
        format!("{}.{suffix}", self.name)
    }
}

fn names<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}

fn clock_line(port: &str, mhz: f64) -> ClockLine {
    ClockLine { name: port.into(), port: port.into(), mhz, period: period(mhz) }
}

/// Nanoseconds, to the picosecond.
fn period(mhz: f64) -> String {
    format!("{:.3}", 1000.0 / mhz)
}

/// The clock of a top alone, as SDC; `about` says where the frequency comes from.
pub fn clock(
    banner: &[String],
    ports: &[(String, u64)],
    port: &str,
    mhz: f64,
    about: &str,
) -> Result<String, ConstraintError> {
    if !ports.iter().any(|p| p.0 == port && p.1 == 1) {
        let known = names(ports.iter().map(|p| &p.0));
        return Err(ConstraintError::NoPort { port: port.into(), signal: "clock".into(), known });
    }
    Ok(Sdc { banner, about, port, period: &period(mhz) }.render()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(name: &str) -> &'static Board {
        boards().iter().find(|b| b.name == name).expect("a board")
    }

    fn ports(list: &[(&str, u64)]) -> Vec<(String, u64)> {
        list.iter().map(|(n, w)| (n.to_string(), *w)).collect()
    }

    #[test]
    fn boards_agree_with_their_targets_and_with_themselves() {
        for board in boards() {
            if let Some(target) = &board.target {
                assert_eq!(Target::find(target).expect(target).part, board.part);
            }
            assert!(board.has_processor() || board.signals.contains_key(&board.clock.from), "{}", board.name);
            let all: Vec<(String, u64)> = board.signals.iter().map(|(n, s)| (n.clone(), s.pins.len() as u64)).collect();
            let places: Vec<(&str, &str)> = all.iter().map(|(n, _)| (n.as_str(), n.as_str())).collect();
            let file = board.pins(&all, &places).unwrap_or_else(|e| panic!("{}: {e}", board.name));
            if let Some(test) = &board.self_test {
                let pins = |name: &String| board.signals.get(name).map_or(0, |s| s.pins.len());
                assert!(pins(&test.text) == 1 && pins(&test.lights) >= test.shows.len(), "{}", board.name);
                let routes = board.target.as_deref().and_then(Target::find).is_some_and(|t| !t.nextpnr.is_empty());
                assert!(routes, "{} has no open tools", board.name);
            }
            for pin in board.signals.values().flat_map(|s| &s.pins) {
                assert!(file.text.contains(pin), "{}: {pin}\n{}", board.name, file.text);
            }
        }
    }

    #[test]
    fn pins_come_in_the_words_of_each_tool() {
        let top = ports(&[("clock", 1), ("leds", 8), ("go", 1)]);
        let lpf = board("ulx3s").pins(&top, &[("clock", "clk"), ("leds", "led"), ("go", "button")]).expect("fits");
        for line in [
            "LOCATE COMP \"clock\" SITE \"G2\";",
            "IOBUF PORT \"clock\" IO_TYPE=LVCMOS33;",
            "LOCATE COMP \"leds[7]\" SITE \"H3\";",
            "IOBUF PORT \"go\" IO_TYPE=LVCMOS33 PULLMODE=DOWN;",
            "FREQUENCY PORT \"clock\" 25 MHZ;",
        ] {
            assert!(lpf.text.lines().any(|l| l == line), "{line}\n{}", lpf.text);
        }
        let pcf = board("icebreaker").pins(&ports(&[("clk", 1), ("led_n", 2)]), &[("clk", "clk"), ("led_n", "led_n")]);
        let pcf = pcf.expect("fits").text;
        assert!(pcf.contains("\nset_io led_n[1] 37\n") && pcf.ends_with("set_frequency clk 12\n"), "{pcf}");
        let top = ports(&[("p", 1), ("n", 1), ("hot", 1)]);
        let xdc = board("u280").pins(&top, &[("p", "sysclk_p"), ("n", "sysclk_n"), ("hot", "hbm_cattrip")]);
        let xdc = xdc.expect("fits").text;
        let pulled = "{PACKAGE_PIN D32 IOSTANDARD LVCMOS18 PULLTYPE PULLDOWN} [get_ports hot]";
        assert!(xdc.contains(pulled) && xdc.contains("create_clock -name p -period 10.000 [get_ports p]"), "{xdc}");
        let bits = board("u280").pins(&ports(&[("s", 4)]), &[("s", "switch")]).expect("fits").text;
        assert!(bits.contains("[get_ports {s[3]}]"), "{bits}");
    }

    #[test]
    fn a_constraint_that_matches_nothing_is_refused() {
        let top = ports(&[("clk", 1), ("led", 3), ("tx", 1)]);
        let places = [("clk", "clk"), ("tx", "uart_tx")];
        let refuse = |extra: &[(&str, &str)]| {
            let places: Vec<_> = places.iter().chain(extra).copied().collect();
            board("ulx3s").pins(&top, &places).expect_err("refused").to_string()
        };
        assert_eq!(refuse(&[]), "port `led` has no pin");
        assert_eq!(refuse(&[("led", "led")]), "port `led` has 3 bits, signal `led` of ulx3s has 8 pins");
        assert!(refuse(&[("leds", "led")]).starts_with("the design has no port `leds`"));
        assert!(refuse(&[("led", "lamp")]).starts_with("ulx3s has no signal `lamp`"));
        assert_eq!(refuse(&[("clk", "button")]), "port `clk` is given two signals");
        let shared = board("ulx3s").pins(&ports(&[("a", 1), ("b", 1)]), &[("a", "clk"), ("b", "clk")]);
        assert_eq!(shared.expect_err("refused").to_string(), "pin G2 of ulx3s is given to two ports");
        assert!(clock(&[], &top, "aclk", 100.0, "").expect_err("refused").to_string().contains("no port `aclk`"));
        assert!(clock(&[], &top, "led", 100.0, "").is_err(), "a bus is no clock");
    }
}

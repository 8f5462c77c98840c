//! What the language refuses: one error with its code, cause, help and the Rust place where the design was written.

use std::fmt;
use std::panic::Location;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $title:literal;)*) => {
        /// The kinds of error, each with a stable code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
            /// The stable code, such as `H002`.
            pub fn id(self) -> &'static str { match self { $(Self::$name => $code,)* } }
            /// What it is about, in a few words.
            pub fn title(self) -> &'static str { match self { $(Self::$name => $title,)* } }
        }
    };
}

codes! {
    /// Operands or target differ in width or sign.
    Mismatch = "H001", "width or sign mismatch";
    /// A wire, output or register that nothing drives.
    Undriven = "H002", "undriven signal";
    /// More than one driver for the same bits.
    DoublyDriven = "H003", "doubly driven signal";
    /// A value that depends on itself without a register between.
    Loop = "H004", "combinational loop";
    /// A signal of another module.
    Foreign = "H005", "signal of a foreign module";
    /// A register that samples another clock's register directly.
    Crossing = "H006", "clock-domain crossing without a synchroniser";
    /// A value range that does not fit where it goes.
    Overflow = "H007", "range overflow";
    /// A stream that nothing takes.
    Dropped = "H008", "stream dropped";
    // H009, a stream with two consumers, is refused by Rust's ownership already.
    /// A keyword, an illegal identifier or a name used twice.
    Name = "H010", "illegal name";
    /// A parameter outside its own range or a relation that does not hold.
    Parameter = "H011", "illegal parameter";
    /// An instance with a missing, unknown or misfitting connection.
    Instance = "H012", "misconnected instance";
    /// Two modules of one name with different text.
    Clash = "H013", "two modules share a name";
    /// Bits outside a vector, or a vector without bits.
    Bounds = "H014", "bits out of bounds";
}

/// One refused construct.
#[derive(Clone, Debug)]
pub struct Error {
    /// Kind.
    pub code: Code,
    /// Module in which it happened.
    pub module: String,
    /// What is wrong.
    pub cause: String,
    /// What to do.
    pub help: String,
    /// Where the design was written.
    pub place: &'static Location<'static>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let file = self.place.file().rsplit('/').next().unwrap_or_default();
        writeln!(f, "{}: {} in module `{}`", self.code.id(), self.code.title(), self.module)?;
        writeln!(f, "  {}", self.cause)?;
        writeln!(f, "  at {}:{}", file, self.place.line())?;
        write!(f, "  help: {}", self.help)
    }
}

/// All errors of a design, in the order in which they were found.
#[derive(Clone, Debug, Default)]
pub struct Errors(pub Vec<Error>);

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (n, e) in self.0.iter().enumerate() {
            if n > 0 {
                writeln!(f)?;
            }
            write!(f, "{e}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

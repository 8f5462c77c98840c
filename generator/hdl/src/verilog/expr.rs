//! Expressions as Verilog: exact widths and signs, parentheses where a reader wants them, breaks where a line may end.
//!
//! Operands of one width make Verilog's context rules harmless. Where a value goes straight into a target of its own width
//! the text may lean on them after all: `a * b` instead of two sign extensions, `0` instead of `{W{1'b0}}`.

use pretty::RcDoc;

use super::dim::factor;
use crate::dim::Dim;
use crate::expr::{BinOp, Expr, Op, Ty};
use crate::module::Data;

/// A text with the places where it may be broken.
pub(super) type Doc = RcDoc<'static, ()>;

/// How tightly a text binds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Choice,
    Binary(BinOp),
    /// A reduction or a negative number: `|x` beside `|` would confuse.
    Prefix,
    Name,
}

/// How Verilog reads a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Signed,
    Unsigned,
    /// A plain decimal, which follows its neighbours.
    Either,
}

/// Where a text stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Its width must be its own.
    Exact,
    /// Its low bits go straight into a target of its width.
    Target,
}

/// Printed expression.
pub(super) struct Text {
    pub doc: Doc,
    sign: Sign,
    level: Level,
    /// It opens with a brace and breaks inside it.
    pub braced: bool,
}

impl Text {
    fn new(doc: Doc, signed: bool, level: Level) -> Self {
        let sign = if signed { Sign::Signed } else { Sign::Unsigned };
        Self { doc, sign, level, braced: false }
    }

    fn name(s: impl Into<String>, signed: bool) -> Self {
        Self::new(RcDoc::text(s.into()), signed, Level::Name)
    }

    fn reads_as(&self, signed: bool) -> bool {
        self.sign == Sign::Either || (self.sign == Sign::Signed) == signed
    }

    fn into_sign(self, signed: bool) -> Self {
        if self.reads_as(signed) {
            return self;
        }
        let cast = if signed { "$signed(" } else { "$unsigned(" };
        let doc = RcDoc::text(cast).append(self.doc.group().nest(2)).append(")");
        Self::new(doc, signed, Level::Name)
    }

    fn parens(self) -> Doc {
        RcDoc::text("(").append(self.doc.group().nest(2)).append(")")
    }

    /// As an operand of `op`, on its left or right side.
    fn operand(self, op: BinOp, left: bool) -> Doc {
        use BinOp::{Add, And, Eq, Ge, Gt, Le, Lt, Mul, Ne, Or, Sub, Xor};
        let Level::Binary(own) = self.level else {
            return if self.level == Level::Name { self.doc } else { self.parens() };
        };
        match (op, own) {
            (And, And) | (Or, Or) | (Xor, Xor) | (Add, Add) => self.doc,
            (Add, Sub) | (Sub, Add | Sub) if left => self.doc,
            (Add | Sub | Eq | Ne | Lt | Le | Gt | Ge, Mul) => self.doc.group(),
            (Eq | Ne | Lt | Le | Gt | Ge, Add | Sub) => self.doc.group(),
            _ => self.parens(),
        }
    }
}

/// The text on one line.
pub(super) fn flat(doc: &Doc) -> String {
    doc.clone().group().pretty(usize::MAX / 2).to_string()
}

/// Prints the expressions of one module.
#[derive(Clone, Copy)]
pub(super) struct Writer<'a> {
    pub d: &'a Data,
}

impl Writer<'_> {
    /// Where the width of the text counts: conditions, indices, connections.
    pub fn exact(self, e: &Expr) -> Text {
        self.expr(e, Place::Exact)
    }

    /// The same, read as signed or unsigned.
    pub fn exact_as(self, e: &Expr, signed: bool) -> Text {
        self.read_as(e, signed, Place::Exact)
    }

    /// The right side of an assignment to a target of the same width.
    pub fn assigned(self, e: &Expr, signed: bool) -> Text {
        if let Some(text) = self.exact_result(e).filter(|t| t.reads_as(signed)) {
            return text;
        }
        let free = if low_bits_suffice(e) { Some(self.expr(e, Place::Target)) } else { None };
        // A cast would give the text a width of its own.
        free.filter(|t| t.reads_as(signed)).unwrap_or_else(|| self.exact_as(e, signed))
    }

    /// `a * b`, `a + b`, `a - b` whose exact result fills the target: Verilog widens both sides to the target by itself.
    /// Linters accept that of products, and of sums one bit wider than both sides.
    fn exact_result(self, e: &Expr) -> Option<Text> {
        let Op::Bin(op @ (BinOp::Mul | BinOp::Add | BinOp::Sub), a, b) = &e.node.op else { return None };
        let side = |e: &Expr, signed| match &e.node.op {
            Op::Extend(inner) if inner.ty().signed == signed && stands_alone(inner) => Some(inner.clone()),
            _ => None,
        };
        let (x, y) = (side(a, e.ty().signed)?, side(b, e.ty().signed)?);
        let carry_only = |s: &Expr| (e.width() - s.width()).constant() == Some(1);
        if *op != BinOp::Mul && !(carry_only(&x) && carry_only(&y)) {
            return None;
        }
        let (x, y) = (self.exact(&x), self.exact(&y));
        let signed = e.ty().signed;
        (x.reads_as(signed) && y.reads_as(signed)).then(|| joined(*op, x, y, signed))
    }

    fn read_as(self, e: &Expr, signed: bool, place: Place) -> Text {
        self.number_as(e, signed, place).unwrap_or_else(|| self.expr(e, place).into_sign(signed))
    }

    fn expr(self, e: &Expr, place: Place) -> Text {
        let signed = e.ty().signed;
        match &e.node.op {
            Op::Signal(id) => Text::name(&self.d.signals[*id].name, signed),
            Op::Const(v) => literal(*v, e.width(), signed, place),
            Op::Named(n) => Text::name(n, false),
            Op::Not(a) => {
                let text = self.expr(a, place);
                let (level, signed) = (text.level, text.reads_as(true));
                // `~|x` is one operator.
                let tight = matches!(level, Level::Name | Level::Prefix);
                let doc = if tight { text.doc } else { text.parens() };
                Text::new(RcDoc::text("~").append(doc), signed, if tight { level } else { Level::Name })
            }
            Op::Bin(op, a, b) => self.binary(*op, a, b, place),
            Op::Mux(c, a, b) => self.choice(c, a, b, place),
            Op::Slice(a, lo) => self.slice(a, lo, e.width()),
            Op::Lane(a, index) => {
                let (base, at, w) = (flat(&self.exact(a).doc), self.exact(index), e.width());
                let select = match (w.constant(), at.level) {
                    (Some(1), _) => format!("{base}[{}]", flat(&at.doc)),
                    (_, Level::Name) => format!("{base}[{}*{} +: {w:#}]", flat(&at.doc), factor(w)),
                    _ => format!("{base}[{}*{} +: {w:#}]", flat(&at.parens()), factor(w)),
                };
                Text::name(select, false)
            }
            Op::Concat(parts) if parts.len() == 1 => self.read_as(&parts[0], false, Place::Exact),
            Op::Concat(parts) => {
                let list = parts.iter().map(|p| self.exact(p).doc.group());
                let list = RcDoc::intersperse(list, RcDoc::text(",").append(RcDoc::line()));
                let doc = RcDoc::line_().append(list).nest(2).append(RcDoc::line_());
                let doc = RcDoc::text("{").append(doc).append("}").group();
                Text { braced: true, ..Text::new(doc, false, Level::Name) }
            }
            Op::Repeat(a) => {
                let n = match a.width().constant() {
                    Some(1) => e.width().clone(),
                    _ => e.width().div(a.width().clone()),
                };
                let doc = RcDoc::text(format!("{{{}{{", factor(&n))).append(self.exact(a).doc).append("}}");
                Text::new(doc, false, Level::Name)
            }
            Op::Extend(a) => self.extend(a, e.ty()),
            Op::Cast(a) => self.read_as(a, signed, if a.ty().signed == signed { place } else { Place::Exact }),
            Op::Reduce(c, a) => {
                let text = self.exact(a);
                let doc = if text.level == Level::Name { text.doc } else { text.parens() };
                Text::new(RcDoc::text(c.to_string()).append(doc), false, Level::Prefix)
            }
            Op::MemRead(m, addr) => {
                let name = format!("{}[", self.d.memories[*m].name);
                Text::new(RcDoc::text(name).append(self.exact(addr).doc).append("]"), false, Level::Name)
            }
        }
    }

    fn slice(self, a: &Expr, lo: &Dim, width: &Dim) -> Text {
        let whole = a.width() == width && lo.constant() == Some(0);
        // A vector of one bit is declared without a range and takes no select.
        if (whole && !matches!(a.node.op, Op::Named(_))) || a.width().constant() == Some(1) {
            return self.read_as(a, false, Place::Exact);
        }
        Text::name(format!("{}{}", flat(&self.exact(a).doc), part(lo, width)), false)
    }

    fn extend(self, a: &Expr, ty: &Ty) -> Text {
        let more = &ty.width - a.width();
        let text = self.exact(a).doc;
        let fill = match (&a.node.op, a.ty().signed) {
            (Op::Signal(_), true) if a.width().constant() == Some(1) => flat(&text),
            (Op::Signal(_), true) => format!("{}[{:#}]", flat(&text), a.width() - 1),
            _ => "1'b0".into(),
        };
        let fill = if more.constant() == Some(1) { fill } else { format!("{{{}{{{fill}}}}}", factor(&more)) };
        let doc = RcDoc::text(format!("{{{fill}, ")).append(text.group().nest(2)).append("}");
        Text::new(doc, false, Level::Name)
    }

    /// Both sides with one sign: signed values are read as such unless both would need a cast, for unsigned is the same to
    /// every bit. `place` is that of the operands, `numbers` that of plain numbers.
    fn agreed(self, a: &Expr, b: &Expr, place: Place, numbers: Place) -> (Text, Text, bool) {
        let is_number = |e: &Expr| matches!(e.node.op, Op::Const(_));
        let (x, y) = (self.expr(a, place), self.expr(b, place));
        let signed = a.ty().signed
            && match (is_number(a), is_number(b)) {
                (true, true) => true,
                (true, false) => y.reads_as(true),
                (false, true) => x.reads_as(true),
                (false, false) => x.reads_as(true) || y.reads_as(true),
            };
        let side = |e: &Expr, text: Text| self.number_as(e, signed, numbers).unwrap_or_else(|| text.into_sign(signed));
        (side(a, x), side(b, y), signed)
    }

    /// A constant needs no cast.
    fn number_as(self, e: &Expr, signed: bool, place: Place) -> Option<Text> {
        if let Op::Const(v) = &e.node.op { Some(literal(*v, e.width(), signed, place)) } else { None }
    }

    /// A fixed amount is a plain number: Verilator 5.048 adds the amounts of two shifts in a row in the width of the
    /// amount, where `2'd2 + 2'd2` is 0 (verilator issue 7955).
    fn shift_amount(self, by: &Expr) -> Text {
        match &by.node.op {
            Op::Const(v) => Text::name(v.to_string(), false),
            _ => self.exact_as(by, false),
        }
    }

    fn choice(self, c: &Expr, a: &Expr, b: &Expr, place: Place) -> Text {
        let cond = self.exact(c);
        let cond = if cond.level == Level::Name { cond.doc } else { cond.parens() };
        let (x, y, signed) = self.agreed(a, b, place, place);
        let then = if x.level == Level::Choice { x.parens() } else { x.doc.group() };
        // Choices in the last place chain: `a ? x : b ? y : z`, one condition a line where it is long.
        let otherwise = if y.level == Level::Choice { y.doc } else { y.doc.group() };
        let then = cond.append(" ?").append(RcDoc::line().append(then).nest(2)).group();
        Text::new(then.append(" :").append(RcDoc::line()).append(otherwise), signed, Level::Choice)
    }

    fn binary(self, op: BinOp, a: &Expr, b: &Expr, place: Place) -> Text {
        match op {
            BinOp::Add | BinOp::Sub if b.width().constant().is_none() && is_const(b, 1) && !a.ty().signed => {
                // Every linter takes one bit for an increment.
                joined(op, self.read_as(a, false, place), Text::name("1'b1", false), false)
            }
            BinOp::Add | BinOp::Sub | BinOp::And | BinOp::Or | BinOp::Xor => {
                // A plain decimal would widen what it is added to, and linters would say so.
                let (x, y, signed) = self.agreed(a, b, place, Place::Exact);
                joined(op, x, y, signed)
            }
            BinOp::Mul => {
                let signed = a.ty().signed || b.ty().signed;
                joined(op, self.read_as(a, signed, place), self.read_as(b, signed, place), signed)
            }
            BinOp::Shl => {
                let x = self.expr(a, place);
                let signed = x.reads_as(true);
                joined(op, x, self.shift_amount(b), signed)
            }
            BinOp::Shr => joined(op, self.exact_as(a, a.ty().signed), self.shift_amount(b), a.ty().signed),
            BinOp::Eq | BinOp::Ne | BinOp::Lt | BinOp::Le | BinOp::Gt | BinOp::Ge => {
                let signed = a.ty().signed;
                // Beside a value whose width is its own a plain number is safe: neither side changes when it is widened.
                let place = |other: &Expr| if stands_alone(other) { Place::Target } else { Place::Exact };
                let side = |e: &Expr, other: &Expr| {
                    self.number_as(e, signed, place(other)).unwrap_or_else(|| self.exact_as(e, signed))
                };
                let text = joined(op, side(a, b), side(b, a), false);
                Text { sign: Sign::Unsigned, ..text }
            }
        }
    }
}

/// Two operands with the operator between them; a long text breaks behind the operator.
fn joined(op: BinOp, a: Text, b: Text, signed: bool) -> Text {
    let symbol = match op {
        BinOp::Add => "+",
        BinOp::Sub => "-",
        BinOp::Mul => "*",
        BinOp::And => "&",
        BinOp::Or => "|",
        BinOp::Xor => "^",
        BinOp::Eq => "==",
        BinOp::Ne => "!=",
        BinOp::Lt => "<",
        BinOp::Le => "<=",
        BinOp::Gt => ">",
        BinOp::Ge => ">=",
        BinOp::Shl => "<<",
        BinOp::Shr if signed => ">>>",
        BinOp::Shr => ">>",
    };
    let doc = a.operand(op, true).append(format!(" {symbol}")).append(RcDoc::line()).append(b.operand(op, false));
    Text::new(doc, signed, Level::Binary(op))
}

fn is_const(e: &Expr, value: i128) -> bool {
    matches!(e.node.op, Op::Const(v) if v == value)
}

/// Whether the text of an expression keeps its width among wider neighbours.
fn stands_alone(e: &Expr) -> bool {
    match &e.node.op {
        Op::Signal(_) | Op::Slice(..) | Op::Lane(..) | Op::Concat(_) | Op::Repeat(_) | Op::Extend(_) => true,
        Op::Reduce(..) | Op::MemRead(..) => true,
        Op::Cast(a) => stands_alone(a),
        Op::Bin(op, ..) => matches!(op, BinOp::Eq | BinOp::Ne | BinOp::Lt | BinOp::Le | BinOp::Gt | BinOp::Ge),
        Op::Const(_) | Op::Named(_) | Op::Not(_) | Op::Mux(..) => false,
    }
}

/// Whether the low bits come out the same when Verilog computes it in more bits.
fn low_bits_suffice(e: &Expr) -> bool {
    match &e.node.op {
        Op::Const(_) => true,
        Op::Not(a) | Op::Cast(a) | Op::Bin(BinOp::Shl, a, _) => low_bits_suffice(a),
        Op::Bin(BinOp::Add | BinOp::Sub | BinOp::Mul | BinOp::And | BinOp::Or | BinOp::Xor, a, b) => {
            low_bits_suffice(a) && low_bits_suffice(b)
        }
        // slang accepts a choice in a wider context only when a plain number is what widens it.
        Op::Mux(_, a, b) => low_bits_suffice(a) && low_bits_suffice(b) && offers_number(e),
        _ => stands_alone(e),
    }
}

/// Whether a choice holds a constant of symbolic width, which becomes a plain number.
fn offers_number(e: &Expr) -> bool {
    match &e.node.op {
        Op::Const(_) => e.width().constant().is_none(),
        Op::Mux(_, a, b) => offers_number(a) || offers_number(b),
        _ => false,
    }
}

/// A select of bits `lo +: width`.
pub(super) fn part(lo: &Dim, width: &Dim) -> String {
    match (lo.constant(), width.constant()) {
        (_, Some(1)) => format!("[{lo:#}]"),
        (Some(0), _) => format!("[{:#}:0]", width - 1),
        (Some(_), Some(_)) => format!("[{:#}:{lo:#}]", lo + width - 1),
        _ => format!("[{lo:#} +: {width:#}]"),
    }
}

/// A number of `width` bits. A symbolic width is filled by replication, unless a plain decimal does in its place.
fn literal(v: i128, width: &Dim, signed: bool, place: Place) -> Text {
    let Some(w) = width.constant() else { return symbolic(v, width, signed, place) };
    let mask = if w >= 127 { i128::MAX } else { (1i128 << w) - 1 };
    let radix = if signed { "s" } else { "" };
    let (text, level) = match v {
        _ if w == 1 => (format!("1'{radix}b{}", v & 1), Level::Name),
        0..=0xffff => (format!("{w}'{radix}d{v}"), Level::Name),
        // The smallest number has no positive counterpart.
        i128::MIN..0 if signed && -v < mask / 2 && -v <= 0xffff => (format!("-{w}'sd{}", -v), Level::Prefix),
        _ => (format!("{w}'{radix}h{:x}", v & mask), Level::Name),
    };
    Text { level, ..Text::name(text, signed) }
}

fn symbolic(v: i128, width: &Dim, signed: bool, place: Place) -> Text {
    if place == Place::Target && i32::try_from(v).is_ok() && (v >= 0 || signed) {
        let level = if v < 0 { Level::Prefix } else { Level::Name };
        return Text { sign: Sign::Either, level, ..Text::name(v.to_string(), false) };
    }
    let fill = if v < 0 { "1'b1" } else { "1'b0" };
    let text = match v {
        0 | -1 => format!("{{{}{{{fill}}}}}", factor(width)),
        _ => {
            let bits = 128 - if v < 0 { (!v).leading_zeros() } else { v.leading_zeros() };
            let low = match v & ((1i128 << bits) - 1) {
                low if bits == 1 => format!("1'b{low}"),
                low => format!("{bits}'d{low}"),
            };
            format!("{{{{{}{{{fill}}}}}, {low}}}", factor(&(width - i64::from(bits))))
        }
    };
    Text::name(text, false).into_sign(signed)
}

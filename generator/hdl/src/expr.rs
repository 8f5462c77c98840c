//! Expressions: typed, ranged nodes. Every node has an exact width, so the printer never relies on Verilog's context rules.

use std::panic::Location;
use std::rc::Rc;

use crate::dim::Dim;
use crate::error::Code;
use crate::module::{Body, MemId, SigId};

/// Width and signedness of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ty {
    /// Bits.
    pub width: Dim,
    /// Two's complement when true.
    pub signed: bool,
}

/// A single bit.
pub fn bit() -> Ty {
    uint(1)
}

/// An unsigned vector.
pub fn uint(width: impl Into<Dim>) -> Ty {
    Ty { width: width.into(), signed: false }
}

/// A two's-complement vector.
pub fn sint(width: impl Into<Dim>) -> Ty {
    Ty { width: width.into(), signed: true }
}

pub(crate) type Range = Option<(i128, i128)>;

impl Ty {
    /// All values of the type; `None` above 120 bits, where nobody does arithmetic.
    pub(crate) fn range(&self) -> Range {
        let w = self.width.value();
        match (w, self.signed) {
            (..=0, _) | (121.., _) => None,
            (_, true) => Some((-(1i128 << (w - 1)), (1i128 << (w - 1)) - 1)),
            (_, false) => Some((0, (1i128 << w) - 1)),
        }
    }

    pub(crate) fn text(&self) -> String {
        format!("{} {} bits", if self.signed { "signed" } else { "unsigned" }, self.width)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BinOp {
    Add,
    Sub,
    Mul,
    And,
    Or,
    Xor,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Shl,
    Shr,
}

#[derive(Debug)]
pub(crate) enum Op {
    Signal(SigId),
    Const(i128),
    /// The value of a dimension; the name is a localparam that holds it.
    Named(String),
    Not(Expr),
    Bin(BinOp, Expr, Expr),
    Mux(Expr, Expr, Expr),
    Slice(Expr, Dim),
    /// `base[index*width +: width]`, index at run time.
    Lane(Expr, Expr),
    Concat(Vec<Expr>),
    Repeat(Expr),
    Extend(Expr),
    Cast(Expr),
    Reduce(char, Expr),
    MemRead(MemId, Expr),
}

#[derive(Debug)]
pub(crate) struct Node {
    pub op: Op,
    pub ty: Ty,
    pub range: Range,
}

/// A value in a module under construction.
#[derive(Clone, Debug)]
pub struct Expr {
    pub(crate) node: Rc<Node>,
    pub(crate) body: Option<Rc<Body>>,
}

/// What may stand where a value is wanted: an expression, or an integer that takes the other side's type.
pub trait Operand {
    /// The value; an integer becomes a constant of type `like`.
    fn operand(&self, like: &Ty) -> Expr;
    /// The type it brings along, if any.
    fn own_type(&self) -> Option<Ty>;
}

impl Operand for Expr {
    fn operand(&self, _: &Ty) -> Expr {
        self.clone()
    }
    fn own_type(&self) -> Option<Ty> {
        Some(self.node.ty.clone())
    }
}

impl<T: Operand + ?Sized> Operand for &T {
    fn operand(&self, like: &Ty) -> Expr {
        (**self).operand(like)
    }
    fn own_type(&self) -> Option<Ty> {
        (**self).own_type()
    }
}

impl Operand for i64 {
    fn operand(&self, like: &Ty) -> Expr {
        constant(i128::from(*self), like.clone())
    }
    fn own_type(&self) -> Option<Ty> {
        None
    }
}

impl Operand for i32 {
    fn operand(&self, like: &Ty) -> Expr {
        constant(i128::from(*self), like.clone())
    }
    fn own_type(&self) -> Option<Ty> {
        None
    }
}

/// A constant of a given type.
pub(crate) fn constant(value: i128, ty: Ty) -> Expr {
    Expr { node: Rc::new(Node { op: Op::Const(value), ty, range: Some((value, value)) }), body: None }
}

/// A constant of a given type, for use outside operators.
pub fn lit(value: i64, ty: Ty) -> Expr {
    constant(i128::from(value), ty)
}

/// Concatenation, most significant part first.
#[track_caller]
pub fn concat(parts: &[&Expr]) -> Expr {
    let width = parts.iter().fold(Dim::from(0), |w, p| w + &p.node.ty.width);
    let body = parts.iter().find_map(|p| p.body.clone());
    let owned: Vec<Expr> = parts.iter().map(|p| (*p).clone()).collect();
    for p in parts {
        same_body(&body, &p.body);
    }
    make(Op::Concat(owned), uint(width), None, body)
}

pub(crate) fn make(op: Op, ty: Ty, range: Range, body: Option<Rc<Body>>) -> Expr {
    let range = range.or_else(|| ty.range());
    Expr { node: Rc::new(Node { op, ty, range }), body }
}

#[track_caller]
fn same_body(a: &Option<Rc<Body>>, b: &Option<Rc<Body>>) -> Option<Rc<Body>> {
    match (a, b) {
        (Some(x), Some(y)) if !Rc::ptr_eq(x, y) => {
            x.error(
                Code::Foreign,
                format!("a value of module `{}` is used in module `{}`", y.name(), x.name()),
                "pass it through a port of the instance",
            );
            Some(x.clone())
        }
        (Some(x), _) => Some(x.clone()),
        (None, y) => y.clone(),
    }
}

impl Expr {
    /// Its type.
    pub fn ty(&self) -> &Ty {
        &self.node.ty
    }

    /// Its width.
    pub fn width(&self) -> &Dim {
        &self.node.ty.width
    }

    /// Smallest and largest value it can take under this config; `None` for wide vectors.
    pub fn range(&self) -> Option<(i128, i128)> {
        self.node.range
    }

    #[track_caller]
    fn fail(&self, code: Code, cause: String, help: &str) {
        if let Some(b) = &self.body {
            b.error(code, cause, help);
        }
    }

    /// Whether slices and sign extension can be printed on it.
    fn is_name(&self) -> bool {
        matches!(self.node.op, Op::Signal(_))
    }

    #[track_caller]
    fn pair(&self, other: &impl Operand) -> (Self, Self, Option<Rc<Body>>) {
        let o = other.operand(&self.node.ty);
        let body = same_body(&self.body, &o.body);
        (self.clone(), o, body)
    }

    #[track_caller]
    fn same_type(&self, o: &Self, what: &str) {
        if self.node.ty != o.node.ty {
            let cause = format!("{what} of {} and {}", self.node.ty.text(), o.node.ty.text());
            let help = "bring both to one type with extend, slice, as_signed or as_unsigned";
            if self.body.is_some() {
                self.fail(Code::Mismatch, cause, help)
            } else {
                o.fail(Code::Mismatch, cause, help)
            }
        }
    }

    #[track_caller]
    fn logic(&self, op: BinOp, other: &impl Operand) -> Self {
        let (a, b, body) = self.pair(other);
        a.same_type(&b, "bitwise operation");
        let ty = a.node.ty.clone();
        make(Op::Bin(op, a, b), ty, None, body)
    }

    /// Bitwise and.
    #[track_caller]
    pub fn and(&self, o: impl Operand) -> Self {
        self.logic(BinOp::And, &o)
    }

    /// Bitwise or.
    #[track_caller]
    pub fn or(&self, o: impl Operand) -> Self {
        self.logic(BinOp::Or, &o)
    }

    /// Bitwise exclusive or.
    #[track_caller]
    pub fn xor(&self, o: impl Operand) -> Self {
        self.logic(BinOp::Xor, &o)
    }

    /// Bitwise complement.
    #[allow(clippy::should_implement_trait)]
    pub fn not(&self) -> Self {
        match &self.node.op {
            Op::Not(inner) => inner.clone(),
            _ => make(Op::Not(self.clone()), self.node.ty.clone(), None, self.body.clone()),
        }
    }

    #[track_caller]
    fn sum(&self, op: BinOp, other: &impl Operand) -> Self {
        let minimal = match other.own_type() {
            Some(t) => t,
            None => Ty { width: Dim::from(1), signed: self.node.ty.signed },
        };
        let (a, mut b) = (self.clone(), other.operand(&minimal));
        if let (Op::Const(v), None) = (&b.node.op, other.own_type()) {
            b = constant(*v, smallest_type(*v, a.node.ty.signed));
        }
        let body = same_body(&a.body, &b.body);
        let signed = a.node.ty.signed || b.node.ty.signed || op == BinOp::Sub;
        let own = |e: &Self| if signed && !e.node.ty.signed { &e.node.ty.width + 1 } else { e.node.ty.width.clone() };
        let ty = Ty { width: own(&a).larger(own(&b)) + 1, signed };
        let range = match (a.node.range, b.node.range) {
            (Some((al, ah)), Some((bl, bh))) if op == BinOp::Add => Some((al + bl, ah + bh)),
            (Some((al, ah)), Some((bl, bh))) => Some((al - bh, ah - bl)),
            _ => None,
        };
        let (x, y) = (a.stretch(&ty), b.stretch(&ty));
        make(Op::Bin(op, x, y), ty, range, body)
    }

    /// Exact sum: one bit wider than the wider side.
    #[allow(clippy::should_implement_trait)]
    #[track_caller]
    pub fn add(&self, o: impl Operand) -> Self {
        self.sum(BinOp::Add, &o)
    }

    /// Exact difference, signed.
    #[allow(clippy::should_implement_trait)]
    #[track_caller]
    pub fn sub(&self, o: impl Operand) -> Self {
        self.sum(BinOp::Sub, &o)
    }

    /// Sum modulo 2^width; both sides of one type.
    #[track_caller]
    pub fn wrapping_add(&self, o: impl Operand) -> Self {
        self.logic(BinOp::Add, &o)
    }

    /// Difference modulo 2^width; both sides of one type.
    #[track_caller]
    pub fn wrapping_sub(&self, o: impl Operand) -> Self {
        self.logic(BinOp::Sub, &o)
    }

    /// Exact product: as wide as both sides together.
    #[allow(clippy::should_implement_trait)]
    #[track_caller]
    pub fn mul(&self, o: &Self) -> Self {
        let (a, b, body) = self.pair(o);
        let signed = a.node.ty.signed || b.node.ty.signed;
        let own = |e: &Self| if signed && !e.node.ty.signed { &e.node.ty.width + 1 } else { e.node.ty.width.clone() };
        let ty = Ty { width: own(&a) + own(&b), signed };
        let range = match (a.node.range, b.node.range) {
            (Some((al, ah)), Some((bl, bh))) => {
                let p = [al * bl, al * bh, ah * bl, ah * bh];
                p.iter().min().copied().zip(p.iter().max().copied())
            }
            _ => None,
        };
        let (x, y) = (a.stretch(&ty), b.stretch(&ty));
        make(Op::Bin(BinOp::Mul, x, y), ty, range, body)
    }

    /// Widened to `ty` without a change of value; distributes over exact sums so that names carry the sign bits.
    #[track_caller]
    fn stretch(&self, ty: &Ty) -> Self {
        if self.node.ty == *ty {
            return self.clone();
        }
        let remake = |op| make(op, ty.clone(), self.node.range, self.body.clone());
        match &self.node.op {
            Op::Const(v) => constant(*v, ty.clone()),
            Op::Bin(op @ (BinOp::Add | BinOp::Sub), a, b) if self.node.ty.signed => {
                remake(Op::Bin(*op, a.stretch(ty), b.stretch(ty)))
            }
            Op::Mux(c, a, b) if self.node.ty.signed => remake(Op::Mux(c.clone(), a.stretch(ty), b.stretch(ty))),
            Op::Extend(a) => a.stretch(ty),
            _ => {
                if self.node.ty.signed && !self.is_name() {
                    let cause = format!("sign extension of an unnamed expression to {}", ty.text());
                    self.fail(Code::Mismatch, cause, "give the expression a name with `wire` first");
                }
                if (&ty.width - &self.node.ty.width).value() <= 0 {
                    let cause = format!("{} does not widen to {}", self.node.ty.text(), ty.text());
                    self.fail(Code::Bounds, cause, "choose the width so that the extension has at least one bit");
                }
                remake(Op::Extend(self.clone()))
            }
        }
    }

    /// The same value in a wider type of the same sign.
    #[track_caller]
    pub fn extend(&self, width: impl Into<Dim>) -> Self {
        self.stretch(&Ty { width: width.into(), signed: self.node.ty.signed })
    }

    /// The same value in fewer bits, proven to fit by its range.
    #[track_caller]
    pub fn fit(&self, width: impl Into<Dim>) -> Self {
        let ty = Ty { width: width.into(), signed: self.node.ty.signed };
        match (self.node.range, ty.range()) {
            (Some((lo, hi)), Some((min, max))) if lo < min || hi > max => {
                let cause = format!("values {lo}..={hi} do not fit {} ({min}..={max})", ty.text());
                self.fail(Code::Overflow, cause, "widen the target, or narrow on purpose with low_bits or saturate");
            }
            _ => {}
        }
        if self.node.ty == ty {
            return self.clone();
        }
        let range = self.node.range;
        let low = self.slice(0, ty.width.clone());
        let cast = if ty.signed {
            Op::Cast(low)
        } else {
            return Self {
                node: Rc::new(Node { op: Op::Slice(self.clone(), Dim::from(0)), ty, range }),
                body: self.body.clone(),
            };
        };
        make(cast, ty, range, self.body.clone())
    }

    /// Bits `lo +: width` as an unsigned vector.
    #[track_caller]
    pub fn slice(&self, lo: impl Into<Dim>, width: impl Into<Dim>) -> Self {
        let (lo, width) = (lo.into(), width.into());
        if !self.is_name() && !matches!(self.node.op, Op::Named(_)) {
            self.fail(Code::Mismatch, "a slice of an unnamed expression".into(), "name it with `wire` first");
        }
        for (at, w) in [(lo.value(), width.value()), (lo.last_value(), width.last_value())] {
            if at < 0 || w < 1 || at + w > self.node.ty.width.last_value().max(self.node.ty.width.value()) {
                let cause =
                    format!("bits [{lo} +: {width}] = [{at} +: {w}] of a vector of {} bits", self.node.ty.width);
                self.fail(Code::Bounds, cause, "keep the slice inside the vector");
                break;
            }
        }
        make(Op::Slice(self.clone(), lo), uint(width), None, self.body.clone())
    }

    /// Bit `index` for an index known at elaboration.
    #[track_caller]
    pub fn bit(&self, index: impl Into<Dim>) -> Self {
        self.slice(index, 1)
    }

    /// The most significant bit: the sign of a signed value.
    #[track_caller]
    pub fn msb(&self) -> Self {
        self.bit(&self.node.ty.width - 1)
    }

    /// Lane `index` of a packed vector, `index` known at elaboration.
    #[track_caller]
    pub fn lane(&self, index: impl Into<Dim>, width: &Dim) -> Self {
        self.slice(&index.into() * width, width)
    }

    /// Lane of a packed vector chosen at run time.
    #[track_caller]
    pub fn lane_at(&self, index: &Self, width: impl Into<Dim>) -> Self {
        let body = same_body(&self.body, &index.body);
        make(Op::Lane(self.clone(), index.clone()), uint(width), None, body)
    }

    /// The same bits read as two's complement.
    pub fn as_signed(&self) -> Self {
        self.cast(true)
    }

    /// The same bits read as unsigned.
    pub fn as_unsigned(&self) -> Self {
        self.cast(false)
    }

    fn cast(&self, signed: bool) -> Self {
        if self.node.ty.signed == signed {
            return self.clone();
        }
        make(Op::Cast(self.clone()), Ty { width: self.node.ty.width.clone(), signed }, None, self.body.clone())
    }

    /// The value states a narrower range than its type, for a reason that the caller knows.
    pub fn assume_range(&self, min: i128, max: i128) -> Self {
        make(Op::Cast(self.clone()), self.node.ty.clone(), Some((min, max)), self.body.clone())
    }

    #[track_caller]
    fn compare(&self, op: BinOp, other: &impl Operand) -> Self {
        let (a, b, body) = self.pair(other);
        a.same_type(&b, "comparison");
        make(Op::Bin(op, a, b), bit(), None, body)
    }

    /// `==`
    #[track_caller]
    pub fn eq_to(&self, o: impl Operand) -> Self {
        self.compare(BinOp::Eq, &o)
    }
    /// `!=`
    #[track_caller]
    pub fn ne_to(&self, o: impl Operand) -> Self {
        self.compare(BinOp::Ne, &o)
    }
    /// `<`
    #[track_caller]
    pub fn lt(&self, o: impl Operand) -> Self {
        self.compare(BinOp::Lt, &o)
    }
    /// `<=`
    #[track_caller]
    pub fn le(&self, o: impl Operand) -> Self {
        self.compare(BinOp::Le, &o)
    }
    /// `>`
    #[track_caller]
    pub fn gt(&self, o: impl Operand) -> Self {
        self.compare(BinOp::Gt, &o)
    }
    /// `>=`
    #[track_caller]
    pub fn ge(&self, o: impl Operand) -> Self {
        self.compare(BinOp::Ge, &o)
    }

    /// `self ? a : b`; an integer takes the other side's type.
    #[track_caller]
    pub fn select(&self, a: impl Operand, b: impl Operand) -> Self {
        let like = a.own_type().or_else(|| b.own_type()).unwrap_or_else(bit);
        let (a, b) = (a.operand(&like), b.operand(&like));
        a.same_type(&b, "choice");
        if self.node.ty.width.value() != 1 {
            self.fail(Code::Mismatch, format!("a condition of {}", self.node.ty.text()), "compare it with something");
        }
        let body = same_body(&same_body(&self.body, &a.body), &b.body);
        let range = match (a.node.range, b.node.range) {
            (Some((al, ah)), Some((bl, bh))) => Some((al.min(bl), ah.max(bh))),
            _ => None,
        };
        let ty = a.node.ty.clone();
        make(Op::Mux(self.clone(), a, b), ty, range, body)
    }

    /// All bits and-ed.
    pub fn all(&self) -> Self {
        make(Op::Reduce('&', self.clone()), bit(), None, self.body.clone())
    }
    /// All bits or-ed.
    pub fn any(&self) -> Self {
        make(Op::Reduce('|', self.clone()), bit(), None, self.body.clone())
    }
    /// All bits xor-ed.
    pub fn parity(&self) -> Self {
        make(Op::Reduce('^', self.clone()), bit(), None, self.body.clone())
    }

    /// Every bit of the result is this one bit.
    #[track_caller]
    pub fn repeat(&self, n: impl Into<Dim>) -> Self {
        let n = n.into();
        if n.value() < 1 {
            self.fail(Code::Bounds, format!("a bit repeated {n} times"), "repeat it at least once");
        }
        make(Op::Repeat(self.clone()), uint(&n * &self.node.ty.width), None, self.body.clone())
    }

    /// Shifted left inside its width by a run-time amount.
    #[track_caller]
    pub fn shl(&self, by: &Self) -> Self {
        let body = same_body(&self.body, &by.body);
        make(Op::Bin(BinOp::Shl, self.clone(), by.clone()), self.node.ty.clone(), None, body)
    }

    /// Shifted right by a run-time amount; keeps the sign of a signed value.
    #[track_caller]
    pub fn shr(&self, by: &Self) -> Self {
        let body = same_body(&self.body, &by.body);
        let range = self.node.range.map(|(lo, hi)| (lo.min(0), hi.max(0)));
        make(Op::Bin(BinOp::Shr, self.clone(), by.clone()), self.node.ty.clone(), range, body)
    }
}

fn smallest_type(v: i128, signed: bool) -> Ty {
    let bits = if v < 0 { 128 - (!v).leading_zeros() } else { 128 - v.leading_zeros() };
    if signed || v < 0 { sint(bits + 1) } else { uint(bits.max(1)) }
}

macro_rules! operator {
    ($trait:ident $method:ident) => {
        impl<R: Operand> std::ops::$trait<R> for &Expr {
            type Output = Expr;
            #[track_caller]
            fn $method(self, rhs: R) -> Expr {
                Expr::$method(self, rhs)
            }
        }
        impl<R: Operand> std::ops::$trait<R> for Expr {
            type Output = Expr;
            #[track_caller]
            fn $method(self, rhs: R) -> Expr {
                Expr::$method(&self, rhs)
            }
        }
    };
}
operator!(Add add);
operator!(Sub sub);

macro_rules! bit_operator {
    ($trait:ident $method:ident $call:ident) => {
        impl<R: Operand> std::ops::$trait<R> for &Expr {
            type Output = Expr;
            #[track_caller]
            fn $method(self, rhs: R) -> Expr {
                self.$call(rhs)
            }
        }
        impl<R: Operand> std::ops::$trait<R> for Expr {
            type Output = Expr;
            #[track_caller]
            fn $method(self, rhs: R) -> Expr {
                self.$call(rhs)
            }
        }
    };
}
bit_operator!(BitAnd bitand and);
bit_operator!(BitOr bitor or);
bit_operator!(BitXor bitxor xor);

impl std::ops::Not for &Expr {
    type Output = Expr;
    fn not(self) -> Expr {
        Expr::not(self)
    }
}
impl std::ops::Not for Expr {
    type Output = Expr;
    fn not(self) -> Expr {
        Self::not(&self)
    }
}

impl std::ops::Mul<&Expr> for &Expr {
    type Output = Expr;
    #[track_caller]
    fn mul(self, rhs: &Expr) -> Expr {
        Expr::mul(self, rhs)
    }
}

/// The place in the caller's source, for errors raised later.
#[track_caller]
pub(crate) fn here() -> &'static Location<'static> {
    Location::caller()
}

//! Modules under construction: parameters, ports, signals, state, memories, instances, generate scopes.
//!
//! A [`Module`] collects errors instead of stopping; [`Module::finish`] freezes it into a [`Unit`], which a `Design` checks and prints.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::panic::Location;
use std::rc::Rc;

use crate::dim::{Atom, Cond, Dim};
use crate::error::{Code, Error};
use crate::expr::{Expr, Op, Operand, Ty, bit, here, make};

pub(crate) type SigId = usize;
pub(crate) type MemId = usize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SigKind {
    Input,
    Output,
    Wire,
    Reg,
}

#[derive(Debug)]
pub(crate) struct Signal {
    pub name: String,
    pub ty: Ty,
    pub kind: SigKind,
    pub doc: String,
    /// Names and values of the attributes that the declaration carries.
    pub attributes: Vec<(String, String)>,
    pub place: &'static Location<'static>,
    /// Declared in a branch that this config does not take.
    pub inactive: bool,
    /// Clock of a register.
    pub clock: Option<SigId>,
    /// Allowed to sample another clock's register.
    pub synchroniser: bool,
}

/// A parameter with its legal range.
#[derive(Clone, Debug)]
pub struct Param {
    /// Name in capitals.
    pub name: String,
    /// Value under this config, the default in the Verilog.
    pub value: i64,
    /// Smallest legal value.
    pub min: i64,
    /// Largest legal value.
    pub max: i64,
    /// One line for the comment.
    pub doc: String,
}

/// How a memory maps to the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RamStyle {
    /// Look-up tables used as memory.
    Distributed,
    /// Block RAM.
    Block,
    /// UltraRAM.
    Ultra,
    /// Left to the tool.
    Auto,
}

#[derive(Debug)]
pub(crate) struct Memory {
    pub name: String,
    pub width: Dim,
    pub depth: Dim,
    pub style: RamStyle,
    pub doc: String,
}

/// Bits of a signal that an assignment drives.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub sig: SigId,
    /// Offset and width; all bits when absent.
    pub part: Option<(Dim, Dim)>,
}

#[derive(Debug)]
pub(crate) struct Clocked {
    pub clock: SigId,
    pub target: Target,
    pub next: Expr,
    pub enable: Option<Expr>,
    pub reset: Option<(SigId, i128)>,
}

#[derive(Debug)]
pub(crate) enum Connection {
    In(Expr),
    Out(Target),
}

#[derive(Debug)]
pub(crate) struct Instance {
    pub name: String,
    pub unit: InstanceOf,
    pub params: Vec<(String, Dim)>,
    pub ports: Vec<(String, Connection)>,
    pub place: &'static Location<'static>,
}

#[derive(Clone, Debug)]
pub(crate) enum InstanceOf {
    Unit(Rc<Unit>),
    /// A module that builds itself smaller.
    Recursive(String),
    /// A vendor primitive: name and literal parameter text come from the caller.
    Primitive(String, Vec<(String, String)>),
}

#[derive(Debug)]
pub(crate) enum Item {
    Comment(String),
    Declare(SigId),
    Localparam(String, Dim),
    Assign(Target, Expr),
    Clocked(Clocked, &'static Location<'static>),
    Memory(MemId),
    MemWrite { mem: MemId, clock: SigId, enable: Expr, addr: Expr, data: Expr },
    Rom { sig: SigId, addr: Expr, values: Vec<u64>, block: bool },
    Instance(Instance),
    For { label: String, index: String, count: Dim, items: Vec<Item> },
    If { cond: Cond, label: String, items: Vec<Item>, else_label: String, else_items: Vec<Item> },
}

/// A lint rule that a signal breaks on purpose.
#[derive(Clone, Debug)]
pub struct Waiver {
    /// Verilator's rule, such as `UNUSEDSIGNAL`.
    pub rule: String,
    /// Signal.
    pub signal: String,
    /// Why.
    pub reason: String,
}

pub(crate) struct StreamMark {
    pub name: String,
    pub taken: Rc<Cell<bool>>,
    pub place: &'static Location<'static>,
}

/// Everything known of a module.
#[derive(Default)]
pub(crate) struct Data {
    pub name: String,
    pub doc: String,
    pub params: Vec<Param>,
    pub ports: Vec<SigId>,
    pub signals: Vec<Signal>,
    pub memories: Vec<Memory>,
    pub guards: Vec<(Cond, String)>,
    pub waivers: Vec<Waiver>,
    pub items: Vec<Item>,
    pub errors: Vec<Error>,
    pub streams: Vec<StreamMark>,
    scopes: Vec<Vec<Item>>,
    inactive: u32,
}

/// The shared state behind a [`Module`] and its expressions.
pub(crate) struct Body {
    pub data: RefCell<Data>,
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "module {}", self.name())
    }
}

impl Body {
    pub fn name(&self) -> String {
        self.data.borrow().name.clone()
    }

    #[track_caller]
    pub fn error(&self, code: Code, cause: impl Into<String>, help: &str) {
        let place = here();
        let mut d = self.data.borrow_mut();
        if d.inactive > 0 && code != Code::Name {
            return;
        }
        let module = d.name.clone();
        d.errors.push(Error { code, module, cause: cause.into(), help: help.into(), place });
    }

    fn push(&self, item: Item) {
        let mut d = self.data.borrow_mut();
        match d.scopes.last_mut() {
            Some(scope) => scope.push(item),
            None => d.items.push(item),
        }
    }

    fn declare(&self, name: &str, ty: Ty, kind: SigKind, place: &'static Location<'static>) -> SigId {
        let mut d = self.data.borrow_mut();
        let inactive = d.inactive > 0;
        let (name, doc, attributes) = (name.to_owned(), String::new(), vec![]);
        d.signals.push(Signal { name, ty, kind, doc, attributes, place, inactive, clock: None, synchroniser: false });
        let id = d.signals.len() - 1;
        if matches!(kind, SigKind::Input | SigKind::Output) {
            d.ports.push(id);
        }
        id
    }
}

/// A module under construction.
#[derive(Clone)]
pub struct Module {
    body: Rc<Body>,
}

/// A finished module.
pub struct Unit {
    pub(crate) data: Data,
    pub(crate) children: Vec<Rc<Self>>,
}

impl std::fmt::Debug for Unit {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "unit {}", self.data.name)
    }
}

/// A clock with its synchronous, active-high reset.
#[derive(Clone)]
pub struct Clock {
    body: Rc<Body>,
    clk: SigId,
    rst: Rc<Cell<Option<SigId>>>,
    rst_name: String,
}

/// A wire or output that is driven later, whole or by parts.
#[derive(Clone, Debug)]
pub struct Wire {
    expr: Expr,
    id: SigId,
}

/// A register: a value that changes at the clock edge.
#[derive(Clone)]
pub struct Reg {
    expr: Expr,
    id: SigId,
    clock: Clock,
    reset: Rc<Cell<Option<i128>>>,
}

/// A memory with any number of ports.
#[derive(Clone)]
pub struct Mem {
    body: Rc<Body>,
    id: MemId,
    width: Dim,
}

/// The index of a generate loop.
pub type Index = Dim;

impl Deref for Wire {
    type Target = Expr;
    fn deref(&self) -> &Expr {
        &self.expr
    }
}

impl Deref for Reg {
    type Target = Expr;
    fn deref(&self) -> &Expr {
        &self.expr
    }
}

impl Operand for Wire {
    fn operand(&self, _: &Ty) -> Expr {
        self.expr.clone()
    }
    fn own_type(&self) -> Option<Ty> {
        Some(self.expr.ty().clone())
    }
}

impl Operand for Reg {
    fn operand(&self, _: &Ty) -> Expr {
        self.expr.clone()
    }
    fn own_type(&self) -> Option<Ty> {
        Some(self.expr.ty().clone())
    }
}

impl Module {
    /// An empty module.
    pub fn new(name: &str) -> Self {
        let data = Data { name: name.into(), ..Data::default() };
        Self { body: Rc::new(Body { data: RefCell::new(data) }) }
    }

    /// What the module does; becomes the comment at its head.
    pub fn doc(&self, text: &str) -> &Self {
        self.body.data.borrow_mut().doc = text.into();
        self
    }

    fn expr(&self, id: SigId) -> Expr {
        let ty = self.body.data.borrow().signals[id].ty.clone();
        make(Op::Signal(id), ty, None, Some(self.body.clone()))
    }

    /// A numeric parameter with its legal range; the value under this config becomes the default.
    #[track_caller]
    pub fn param(&self, name: &str, value: impl Into<Dim>, range: std::ops::RangeInclusive<i64>, doc: &str) -> Dim {
        let value = value.into().value();
        let (min, max) = (*range.start(), *range.end());
        if !range.contains(&value) {
            let cause = format!("{name} = {value} is outside {min}..={max}");
            self.body.error(Code::Parameter, cause, "choose a value inside the range");
        }
        self.body.data.borrow_mut().params.push(Param { name: name.into(), value, min, max, doc: doc.into() });
        Dim::name(name, value)
    }

    /// A named constant of the shape, computed from parameters.
    pub fn localparam(&self, name: &str, value: impl Into<Dim>) -> Dim {
        let value = value.into();
        self.body.push(Item::Localparam(name.into(), value.clone()));
        match value.indexed() {
            true => value,
            false => Dim::name(name, value.value()),
        }
    }

    /// A dimension as an unsigned constant of `width` bits; it gets the name unless it is a parameter already.
    #[track_caller]
    pub fn constant(&self, name: &str, value: impl Into<Dim>, width: impl Into<Dim>) -> Expr {
        let (value, width) = (value.into(), width.into());
        let name = value.as_name().unwrap_or(name);
        let dim = if value.as_name().is_some() { value.clone() } else { self.localparam(name, &value) };
        let v = i128::from(dim.value());
        if v < 0 || (width.value() < 63 && v >= 1 << width.value()) {
            self.body.error(Code::Overflow, format!("{name} = {v} does not fit {width} bits"), "widen the constant");
        }
        let named = make(Op::Named(name.into()), Ty { width: 32.into(), signed: false }, None, Some(self.body.clone()));
        let sliced = Op::Slice(named, Dim::from(0));
        make(sliced, Ty { width, signed: false }, Some((v, v)), Some(self.body.clone()))
    }

    /// A relation between parameters that elaboration proved; users who override parameters are stopped when it breaks.
    #[track_caller]
    pub fn guard(&self, cond: Cond, reason: &str) {
        if !cond.holds() {
            self.body.error(Code::Parameter, format!("{cond} does not hold: {reason}"), "change the parameters");
        }
        self.body.data.borrow_mut().guards.push((cond, reason.into()));
    }

    /// The module's clock `clk_i`, with reset `rst_i` once a register asks for it.
    pub fn clock(&self) -> Clock {
        self.clock_named("clk_i", "rst_i")
    }

    /// A clock with names of its own.
    #[track_caller]
    pub fn clock_named(&self, clk: &str, rst: &str) -> Clock {
        let clk = self.body.declare(clk, bit(), SigKind::Input, here());
        Clock { body: self.body.clone(), clk, rst: Rc::default(), rst_name: rst.into() }
    }

    /// A clock as a value, for lint waivers.
    pub fn clock_value(&self, clock: &Clock) -> Expr {
        self.expr(clock.clk)
    }

    /// An input port.
    #[track_caller]
    pub fn input(&self, name: &str, ty: Ty) -> Expr {
        self.expr(self.body.declare(name, ty, SigKind::Input, here()))
    }

    /// An output port with its value; gives the port, to be described.
    #[track_caller]
    pub fn output(&self, name: &str, value: &Expr) -> Expr {
        let port = self.output_wire(name, value.ty().clone());
        port.drive(value);
        port.expr
    }

    /// An output port that is driven later.
    #[track_caller]
    pub fn output_wire(&self, name: &str, ty: Ty) -> Wire {
        let id = self.body.declare(name, ty, SigKind::Output, here());
        Wire { expr: self.expr(id), id }
    }

    /// A named intermediate value; it keeps the range of the expression.
    #[track_caller]
    pub fn wire(&self, name: &str, value: &Expr) -> Expr {
        let w = self.wire_later(name, value.ty().clone());
        w.drive(value);
        make(Op::Signal(w.id), value.ty().clone(), value.range(), Some(self.body.clone()))
    }

    /// A wire that is driven later, whole or by parts.
    #[track_caller]
    pub fn wire_later(&self, name: &str, ty: Ty) -> Wire {
        let id = self.body.declare(name, ty, SigKind::Wire, here());
        self.body.push(Item::Declare(id));
        Wire { expr: self.expr(id), id }
    }

    /// The comment of a signal's declaration.
    pub fn describe(&self, signal: &Expr, text: &str) {
        if let Op::Signal(id) = signal.node.op {
            self.body.data.borrow_mut().signals[id].doc = text.into();
        }
    }

    /// An attribute of a port, such as `X_INTERFACE_INFO`, with text as its value.
    #[track_caller]
    pub fn attribute(&self, port: &Expr, name: &str, value: &str) {
        let plain = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\' || c == ' ';
        if !value.chars().all(plain) {
            let cause = format!("attribute `{name}` has the value {value:?}");
            self.body.error(Code::Name, cause, "use plain text without quotation marks");
        }
        if let Op::Signal(id) = port.node.op {
            self.body.data.borrow_mut().signals[id].attributes.push((name.into(), value.into()));
        }
    }

    /// A comment line in the Verilog.
    pub fn comment(&self, text: &str) {
        self.body.push(Item::Comment(text.into()));
    }

    /// A lint rule that a signal breaks on purpose, with the reason.
    pub fn allow(&self, signal: &Expr, rule: &str, reason: &str) {
        let mut d = self.body.data.borrow_mut();
        if let Op::Signal(id) = signal.node.op {
            let signal = d.signals[id].name.clone();
            d.waivers.push(Waiver { rule: rule.into(), signal, reason: reason.into() });
        }
    }

    /// A memory; reads and writes are made on the result.
    pub fn memory(&self, name: &str, width: impl Into<Dim>, depth: impl Into<Dim>, style: RamStyle, doc: &str) -> Mem {
        let (width, depth) = (width.into(), depth.into());
        let mut d = self.body.data.borrow_mut();
        let (name, doc) = (name.to_owned(), doc.to_owned());
        d.memories.push(Memory { name, width: width.clone(), depth, style, doc });
        let id = d.memories.len() - 1;
        drop(d);
        self.body.push(Item::Memory(id));
        Mem { body: self.body.clone(), id, width }
    }

    /// A read-only table: entry `addr`, zero beyond the last.
    #[track_caller]
    pub fn rom(&self, name: &str, addr: &Expr, width: impl Into<Dim>, values: &[u64]) -> Expr {
        self.table(name, addr, width.into(), values, false)
    }

    /// The same for block memory: the address, or what is read, goes straight into a register.
    #[track_caller]
    pub fn block_rom(&self, name: &str, addr: &Expr, width: impl Into<Dim>, values: &[u64]) -> Expr {
        self.table(name, addr, width.into(), values, true)
    }

    #[track_caller]
    fn table(&self, name: &str, addr: &Expr, width: Dim, values: &[u64], block: bool) -> Expr {
        let ty = Ty { width, signed: false };
        let bits = ty.width.value();
        if let Some(v) = values.iter().find(|v| bits < 64 && **v >> bits != 0) {
            self.body.error(Code::Overflow, format!("entry {v} does not fit {bits} bits"), "widen the table");
        }
        let sig = self.body.declare(name, ty, SigKind::Wire, here());
        self.body.push(Item::Rom { sig, addr: addr.clone(), values: values.to_vec(), block });
        self.expr(sig)
    }

    /// `count` copies of what the closure builds; the index may be used in slices and dimensions.
    pub fn generate_for(&self, label: &str, count: impl Into<Dim>, build: impl FnOnce(&Index)) {
        let count = count.into();
        let index = format!("{}_idx", label.trim_start_matches("g_"));
        self.body.data.borrow_mut().scopes.push(Vec::new());
        build(&Dim::atom(Atom::Index(index.clone(), count.value())));
        let items = self.body.data.borrow_mut().scopes.pop().unwrap_or_default();
        self.body.push(Item::For { label: label.into(), index, count, items });
    }

    /// One of two structures, chosen by parameters. Both are printed; only the taken one is checked.
    pub fn generate_if(&self, cond: Cond, labels: [&str; 2], then: impl FnOnce(), otherwise: impl FnOnce()) {
        let taken = cond.holds();
        let items = self.branch(taken, then);
        let else_items = self.branch(!taken, otherwise);
        let (label, else_label) = (labels[0].to_owned(), labels[1].to_owned());
        self.body.push(Item::If { cond, label, items, else_label, else_items });
    }

    fn branch(&self, taken: bool, build: impl FnOnce()) -> Vec<Item> {
        {
            let mut d = self.body.data.borrow_mut();
            d.scopes.push(Vec::new());
            d.inactive += u32::from(!taken);
        }
        build();
        let mut d = self.body.data.borrow_mut();
        d.inactive -= u32::from(!taken);
        d.scopes.pop().unwrap_or_default()
    }

    /// An instance of a finished module.
    #[track_caller]
    pub fn instance(&self, name: &str, unit: &Rc<Unit>) -> InstanceBuilder {
        self.instance_of(name, InstanceOf::Unit(unit.clone()))
    }

    /// An instance of the module itself, with other parameters: structures that recurse.
    #[track_caller]
    pub fn recursive_instance(&self, name: &str) -> InstanceBuilder {
        self.instance_of(name, InstanceOf::Recursive(self.body.name()))
    }

    /// A vendor primitive; parameters are literal text.
    #[track_caller]
    pub fn primitive(&self, name: &str, cell: &str, params: &[(&str, &str)]) -> InstanceBuilder {
        let params = params.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        self.instance_of(name, InstanceOf::Primitive(cell.into(), params))
    }

    #[track_caller]
    fn instance_of(&self, name: &str, unit: InstanceOf) -> InstanceBuilder {
        let instance = Instance { name: name.into(), unit, params: vec![], ports: vec![], place: here() };
        InstanceBuilder { module: self.clone(), instance: Some(instance) }
    }

    #[track_caller]
    pub(crate) fn error(&self, code: Code, cause: String, help: &str) {
        self.body.error(code, cause, help);
    }

    #[track_caller]
    pub(crate) fn mark_stream(&self, name: &str, taken: &Rc<Cell<bool>>) {
        let (name, taken, place) = (name.to_owned(), taken.clone(), here());
        self.body.data.borrow_mut().streams.push(StreamMark { name, taken, place });
    }

    /// Freezes the module. Its errors are reported when a design that holds it is checked.
    pub fn finish(self) -> Rc<Unit> {
        let data = std::mem::take(&mut *self.body.data.borrow_mut());
        let mut children = Vec::new();
        collect_children(&data.items, &mut children);
        // Expressions keep the body alive; give it back its name for messages about late uses.
        self.body.data.borrow_mut().name = data.name.clone();
        Rc::new(Unit { data, children })
    }
}

fn collect_children(items: &[Item], out: &mut Vec<Rc<Unit>>) {
    for item in items {
        match item {
            Item::Instance(Instance { unit: InstanceOf::Unit(u), .. }) => out.push(u.clone()),
            Item::For { items, .. } => collect_children(items, out),
            Item::If { items, else_items, .. } => {
                collect_children(items, out);
                collect_children(else_items, out);
            }
            _ => {}
        }
    }
}

impl Clock {
    /// A register; without [`Reg::reset_to`] it keeps no reset.
    #[track_caller]
    pub fn reg(&self, name: &str, ty: Ty) -> Reg {
        let id = self.body.declare(name, ty.clone(), SigKind::Reg, here());
        self.body.data.borrow_mut().signals[id].clock = Some(self.clk);
        self.body.push(Item::Declare(id));
        let expr = make(Op::Signal(id), ty, None, Some(self.body.clone()));
        Reg { expr, id, clock: self.clone(), reset: Rc::default() }
    }

    /// The reset port, made on first use.
    fn rst(&self) -> SigId {
        self.rst.get().unwrap_or_else(|| {
            let id = self.body.declare(&self.rst_name, bit(), SigKind::Input, Location::caller());
            // The reset port stands right behind its clock.
            let mut d = self.body.data.borrow_mut();
            d.ports.pop();
            let at = d.ports.iter().position(|p| *p == self.clk).map_or(0, |p| p + 1);
            d.ports.insert(at, id);
            drop(d);
            self.rst.set(Some(id));
            id
        })
    }

    /// The reset as a value.
    pub fn reset(&self) -> Expr {
        make(Op::Signal(self.rst()), bit(), None, Some(self.body.clone()))
    }

    /// The value `n` cycles earlier; the registers are named `<name>_q`, or `<name>_1_q`, `<name>_2_q`, ….
    #[track_caller]
    pub fn delay(&self, name: &str, value: &Expr, n: u32) -> Expr {
        let mut v = value.clone();
        for step in 1..=n {
            let label = if n == 1 { format!("{name}_q") } else { format!("{name}_{step}_q") };
            let r = self.reg(&label, v.ty().clone());
            r.next(&v);
            v = r.expr.clone();
        }
        v
    }
}

impl Wire {
    /// Drives all bits.
    #[track_caller]
    pub fn drive(&self, value: impl Operand) {
        let value = value.operand(self.expr.ty());
        self.assign(value, None);
    }

    /// Drives bits `lo +: width`.
    #[track_caller]
    pub fn drive_part(&self, lo: impl Into<Dim>, width: impl Into<Dim>, value: &Expr) {
        self.assign(value.clone(), Some((lo.into(), width.into())));
    }

    /// Drives lane `index` of `width` bits.
    #[track_caller]
    pub fn drive_lane(&self, index: impl Into<Dim>, width: &Dim, value: &Expr) {
        self.drive_part(&index.into() * width, width, value);
    }

    #[track_caller]
    fn assign(&self, value: Expr, part: Option<(Dim, Dim)>) {
        if let Some(b) = &self.expr.body {
            check_target(b, &self.expr, part.as_ref(), &value);
            b.push(Item::Assign(Target { sig: self.id, part }, value));
        }
    }
}

#[track_caller]
fn check_target(body: &Rc<Body>, target: &Expr, part: Option<&(Dim, Dim)>, value: &Expr) {
    let want = match part {
        Some((_, w)) => Ty { width: w.clone(), signed: value.ty().signed },
        None => target.ty().clone(),
    };
    if want != *value.ty() {
        let cause = format!("{} assigned to {}", value.ty().text(), want.text());
        body.error(Code::Mismatch, cause, "widen with extend, narrow with fit or slice, reinterpret with as_signed");
    }
    if let Some(other) = value.body.as_ref().filter(|o| !Rc::ptr_eq(o, body)) {
        let cause = format!("a value of module `{}` drives a signal of `{}`", other.name(), body.name());
        body.error(Code::Foreign, cause, "pass it through a port of the instance");
    }
    if let (Some((lo, hi)), Op::Const(_)) = (value.range(), &value.node.op)
        && want.range().is_some_and(|(min, max)| lo < min || hi > max)
    {
        body.error(Code::Overflow, format!("constant {lo} does not fit {}", want.text()), "widen the target");
    }
    if let Some((lo, w)) = part {
        for (at, width) in [(lo.value(), w.value()), (lo.last_value(), w.last_value())] {
            if at < 0 || width < 1 || at + width > target.width().last_value().max(target.width().value()) {
                let cause = format!("bits [{lo} +: {w}] of a vector of {} bits are driven", target.width());
                body.error(Code::Bounds, cause, "keep the driven part inside the vector");
                break;
            }
        }
    }
}

impl Reg {
    /// Value after a synchronous reset; give it before `next`.
    #[must_use]
    pub fn reset_to(self, value: i64) -> Self {
        self.reset.set(Some(i128::from(value)));
        self.clock.rst();
        self
    }

    /// May sample another clock's register: the first stage of a synchroniser.
    #[must_use]
    pub fn synchroniser(self) -> Self {
        self.clock.body.data.borrow_mut().signals[self.id].synchroniser = true;
        self
    }

    /// Takes this value at every clock edge.
    #[track_caller]
    pub fn next(&self, value: impl Operand) {
        self.clocked(None, value.operand(self.expr.ty()), None);
    }

    /// Takes this value when `enable` holds.
    #[track_caller]
    pub fn next_when(&self, enable: &Expr, value: impl Operand) {
        self.clocked(Some(enable.clone()), value.operand(self.expr.ty()), None);
    }

    /// Lane `index` takes this value (when `enable` holds).
    #[track_caller]
    pub fn next_lane(&self, index: impl Into<Dim>, width: &Dim, enable: Option<&Expr>, value: &Expr) {
        let part = Some((&index.into() * width, width.clone()));
        self.clocked(enable.cloned(), value.clone(), part);
    }

    /// The running sum of `terms` values of `term`, restarted by `clear`: elaboration proves that it fits.
    #[track_caller]
    pub fn accumulate(&self, enable: Option<&Expr>, clear: &Expr, term: &Expr, terms: i128) {
        let body = &self.clock.body;
        if let (Some((lo, hi)), Some((min, max))) = (term.range(), self.expr.ty().range()) {
            let (low, high) = (lo.min(0) * terms, hi.max(0) * terms);
            if low < min || high > max {
                let cause = format!("{terms} terms of {lo}..={hi} reach {low}..={high}, beyond {min}..={max}");
                body.error(Code::Overflow, cause, "widen the accumulator or bound the number of terms");
            }
        }
        let base = clear.select(0, &self.expr);
        let sum = base.wrapping_add(term.extend(self.expr.width().clone()));
        self.clocked(enable.cloned(), sum, None);
    }

    #[track_caller]
    fn clocked(&self, enable: Option<Expr>, next: Expr, part: Option<(Dim, Dim)>) {
        let body = &self.clock.body;
        check_target(body, &self.expr, part.as_ref(), &next);
        let reset = self.reset.get().map(|v| (self.clock.rst(), v));
        let target = Target { sig: self.id, part };
        body.push(Item::Clocked(Clocked { clock: self.clock.clk, target, next, enable, reset }, here()));
    }
}

impl Mem {
    /// Writes `data` to `addr` at the clock edge when `enable` holds.
    #[track_caller]
    pub fn write(&self, clock: &Clock, enable: &Expr, addr: &Expr, data: &Expr) {
        if *data.width() != self.width {
            let cause = format!("{} written to words of {} bits", data.ty().text(), self.width);
            self.body.error(Code::Mismatch, cause, "write a whole word");
        }
        let (enable, addr, data) = (enable.clone(), addr.clone(), data.clone());
        self.body.push(Item::MemWrite { mem: self.id, clock: clock.clk, enable, addr, data });
    }

    /// The word at `addr`, in the same cycle.
    pub fn read(&self, addr: &Expr) -> Expr {
        let ty = Ty { width: self.width.clone(), signed: false };
        make(Op::MemRead(self.id, addr.clone()), ty, None, Some(self.body.clone()))
    }

    /// The word at `addr`, one cycle later, held while `enable` is low.
    #[track_caller]
    pub fn read_registered(&self, clock: &Clock, name: &str, enable: &Expr, addr: &Expr) -> Expr {
        let r = clock.reg(name, Ty { width: self.width.clone(), signed: false });
        r.next_when(enable, self.read(addr));
        r.expr.clone()
    }
}

/// Connects an instance; the instance is made when this is dropped.
pub struct InstanceBuilder {
    module: Module,
    instance: Option<Instance>,
}

impl InstanceBuilder {
    fn edit(mut self, f: impl FnOnce(&mut Instance)) -> Self {
        if let Some(i) = &mut self.instance {
            f(i);
        }
        self
    }

    /// Sets a parameter.
    #[must_use]
    pub fn param(self, name: &str, value: impl Into<Dim>) -> Self {
        let value = value.into();
        self.edit(|i| i.params.push((name.into(), value)))
    }

    /// Connects `clk_i` and, where the instance has it, `rst_i`.
    #[must_use]
    pub fn clock(self, clock: &Clock) -> Self {
        let (has_clk, has_rst) = match self.instance.as_ref().map(|i| &i.unit) {
            Some(InstanceOf::Unit(u)) => (u.has_port("clk_i"), u.has_port("rst_i")),
            Some(InstanceOf::Recursive(_)) => {
                let d = self.module.body.data.borrow();
                let has = |n: &str| d.ports.iter().any(|p| d.signals[*p].name == n);
                (has("clk_i"), has("rst_i"))
            }
            _ => (false, false),
        };
        let clk = make(Op::Signal(clock.clk), bit(), None, Some(clock.body.clone()));
        let rst = has_rst.then(|| clock.reset());
        self.edit(|i| {
            if has_clk {
                i.ports.push(("clk_i".into(), Connection::In(clk)));
            }
            if let Some(rst) = rst {
                i.ports.push(("rst_i".into(), Connection::In(rst)));
            }
        })
    }

    /// Connects an input.
    #[must_use]
    pub fn input(self, port: &str, value: &Expr) -> Self {
        let value = value.clone();
        self.edit(|i| i.ports.push((port.into(), Connection::In(value))))
    }

    /// Connects an output to a wire that is driven by nothing else.
    #[must_use]
    pub fn output(self, port: &str, wire: &Wire) -> Self {
        let target = Target { sig: wire.id, part: None };
        self.edit(|i| i.ports.push((port.into(), Connection::Out(target))))
    }

    /// Connects an output to bits `lo +: width` of a wire.
    #[must_use]
    pub fn output_part(self, port: &str, wire: &Wire, lo: impl Into<Dim>, width: impl Into<Dim>) -> Self {
        let target = Target { sig: wire.id, part: Some((lo.into(), width.into())) };
        self.edit(|i| i.ports.push((port.into(), Connection::Out(target))))
    }

    /// Connects an output to lane `index` of a wire.
    #[must_use]
    pub fn output_lane(self, port: &str, wire: &Wire, index: impl Into<Dim>, width: &Dim) -> Self {
        self.output_part(port, wire, &index.into() * width, width)
    }

    /// Makes the instance.
    pub fn done(mut self) {
        if let Some(i) = self.instance.take() {
            check_instance(&self.module.body, &i);
            self.module.body.push(Item::Instance(i));
        }
    }
}

impl Drop for InstanceBuilder {
    fn drop(&mut self) {
        if let Some(i) = self.instance.take() {
            self.module.body.error(Code::Instance, format!("instance `{}` was never made", i.name), "end with done()");
        }
    }
}

fn check_instance(body: &Rc<Body>, instance: &Instance) {
    let InstanceOf::Unit(unit) = &instance.unit else { return };
    let fail = |cause: String, help: &str| {
        let mut d = body.data.borrow_mut();
        if d.inactive == 0 {
            let module = d.name.clone();
            d.errors.push(Error { code: Code::Instance, module, cause, help: help.into(), place: instance.place });
        }
    };
    let child = &unit.data;
    let mut env = BTreeMap::new();
    for (name, dim) in &instance.params {
        match child.params.iter().find(|p| p.name == *name) {
            None => fail(format!("`{}` has no parameter `{name}`", child.name), "see its parameter list"),
            Some(p) if !dim.indexed() && p.value != dim.value() => fail(
                format!("`{}` was made for {name} = {}, the instance sets {}", child.name, p.value, dim.value()),
                "build the child with the value that the instance uses",
            ),
            Some(_) => {}
        }
        env.insert(name.clone(), dim.clone());
    }
    for id in &child.ports {
        let port = &child.signals[*id];
        let Some((_, c)) = instance.ports.iter().find(|(n, _)| *n == port.name) else {
            fail(format!("port `{}` of `{}` is not connected", port.name, instance.name), "connect every port");
            continue;
        };
        let (width, inward) = match c {
            Connection::In(e) => (e.width().clone(), true),
            Connection::Out(Target { part: Some((_, w)), .. }) => (w.clone(), false),
            Connection::Out(t) => (body.data.borrow().signals[t.sig].ty.width.clone(), false),
        };
        if inward != (port.kind == SigKind::Input) {
            fail(format!("port `{}` of `{}` is connected the wrong way", port.name, instance.name), "check directions");
        }
        // Inputs are read as the port wants them; an output cannot be cast.
        if let Connection::Out(t) = c
            && port.ty.signed != (t.part.is_none() && body.data.borrow().signals[t.sig].ty.signed)
        {
            let sign = if port.ty.signed { "signed" } else { "unsigned" };
            let cause = format!("output `{}` of `{}` is {sign}, what it drives is not", port.name, instance.name);
            fail(cause, "connect a whole wire of the port's sign, and drive parts from that");
        }
        if !width.indexed() && width.value() != port.ty.width.value() {
            let cause = format!(
                "port `{}` of `{}` has {} = {} bits, connected are {} = {}",
                port.name,
                instance.name,
                port.ty.width,
                port.ty.width.value(),
                width,
                width.value()
            );
            fail(cause, "bring the connection to the port's width");
        }
    }
    for (name, _) in &instance.ports {
        if !child.ports.iter().any(|p| child.signals[*p].name == *name) {
            fail(format!("`{}` has no port `{name}`", child.name), "see its port list");
        }
    }
}

impl Unit {
    /// Name of the module.
    pub fn name(&self) -> &str {
        &self.data.name
    }

    /// Whether it has a port of this name.
    pub fn has_port(&self, name: &str) -> bool {
        self.data.ports.iter().any(|p| self.data.signals[*p].name == name)
    }
}

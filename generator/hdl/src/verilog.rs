//! The printer: a checked unit as Verilog-2005 text. It decides nothing; widths and signs are exact in the nodes.

use std::fmt::Write as _;

use crate::dim::Dim;
use crate::expr::{BinOp, Expr, Op, Ty};
use crate::module::{Clocked, Connection, Data, Instance, InstanceOf, Item, RamStyle, SigId, SigKind, Target, Unit};

/// The text of one module below its banner lines.
pub(crate) fn print(unit: &Unit, banner: &[String]) -> String {
    let mut p = Printer { d: &unit.data, out: String::new(), indent: 0 };
    for line in banner {
        let _ = writeln!(p.out, "// {line}");
    }
    p.module();
    p.out
}

struct Printer<'a> {
    d: &'a Data,
    out: String,
    indent: usize,
}

/// Text of an expression, whether Verilog takes it as signed, and whether it binds as tightly as a name.
struct Text {
    s: String,
    signed: bool,
    tight: bool,
}

impl Text {
    fn tight(s: String, signed: bool) -> Self {
        Self { s, signed, tight: true }
    }

    fn loose(s: String) -> Self {
        Self { s, signed: false, tight: false }
    }

    fn parens(&self) -> String {
        if self.tight { self.s.clone() } else { format!("({})", self.s) }
    }

    fn into_sign(self, want: bool) -> Self {
        match (self.signed, want) {
            (false, true) => Self::tight(format!("$signed({})", self.s), true),
            (true, false) => Self::tight(format!("$unsigned({})", self.s), false),
            _ => self,
        }
    }
}

/// `[W-1:0] ` or nothing for a single bit.
fn vector(width: &Dim) -> String {
    if width.constant() == Some(1) { String::new() } else { format!("[{}:0] ", width - 1) }
}

fn declaration(ty: &Ty) -> String {
    format!("{}{}", if ty.signed { "signed " } else { "" }, vector(&ty.width))
}

impl Printer<'_> {
    fn line(&mut self, text: &str) {
        if text.is_empty() {
            self.out.push('\n');
            return;
        }
        for _ in 0..self.indent {
            self.out.push_str("  ");
        }
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn name(&self, id: SigId) -> &str {
        &self.d.signals[id].name
    }

    fn module(&mut self) {
        let d = self.d;
        for text in wrap(&d.doc, 97) {
            self.line(&format!("// {text}"));
        }
        self.line("`default_nettype none");
        self.line("");
        if d.params.is_empty() {
            self.line(&format!("module {} (", d.name));
        } else {
            self.line(&format!("module {} #(", d.name));
            self.indent += 1;
            for (n, p) in d.params.iter().enumerate() {
                let comma = if n + 1 < d.params.len() { "," } else { "" };
                self.line(&format!("// {}; {} to {}", p.doc, p.min, p.max));
                self.line(&format!("parameter {} = {}{comma}", p.name, p.value));
            }
            self.indent -= 1;
            self.line(") (");
        }
        self.ports();
        self.line(");");
        self.guards();
        for w in &d.waivers {
            self.line(&format!("// {} of {}: {}", w.rule, w.signal, w.reason));
        }
        self.items(&d.items);
        self.line("");
        self.line("endmodule");
        self.line("");
        self.line("`default_nettype wire");
    }

    fn ports(&mut self) {
        let d = self.d;
        self.indent += 1;
        for (n, &id) in d.ports.iter().enumerate() {
            let s = &d.signals[id];
            if !s.doc.is_empty() {
                self.line(&format!("// {}", s.doc));
            }
            let dir = if s.kind == SigKind::Input { "input " } else { "output" };
            let comma = if n + 1 < d.ports.len() { "," } else { "" };
            let (open, close) = self.waived(id);
            self.line(&format!("{open}{dir} wire {}{}{comma}{close}", declaration(&s.ty), s.name));
        }
        self.indent -= 1;
    }

    /// Lint pragmas around a declaration.
    fn waived(&self, id: SigId) -> (String, String) {
        let (mut open, mut close) = (String::new(), String::new());
        for w in self.d.waivers.iter().filter(|w| w.signal == self.d.signals[id].name) {
            let _ = write!(open, "/* verilator lint_off {} */ ", w.rule);
            let _ = write!(close, " /* verilator lint_on {} */", w.rule);
        }
        (open, close)
    }

    fn guards(&mut self) {
        let d = self.d;
        if d.params.is_empty() && d.guards.is_empty() {
            return;
        }
        self.line("");
        self.indent += 1;
        self.line("// An illegal parameter stops elaboration here: the module named below does not exist.");
        self.line("generate");
        self.indent += 1;
        for p in &d.params {
            let (name, label) = (&p.name, p.name.to_lowercase());
            self.line(&format!("if ({name} < {} || {name} > {}) begin : g_legal_{label}", p.min, p.max));
            self.line(&format!("  {name}_must_be_{}_to_{} u_illegal ();", text_number(p.min), text_number(p.max)));
            self.line("end");
        }
        for (n, (cond, reason)) in d.guards.iter().enumerate() {
            self.line(&format!("if (!({cond})) begin : g_relation_{n}  // {reason}"));
            self.line("  parameters_break_a_proven_relation u_illegal ();");
            self.line("end");
        }
        self.indent -= 1;
        self.line("endgenerate");
        self.indent -= 1;
    }

    fn items(&mut self, items: &[Item]) {
        self.indent += 1;
        let mut n = 0;
        while n < items.len() {
            match &items[n] {
                Item::Clocked(first, _) => {
                    let same = |i: &Item| matches!(i, Item::Clocked(c, _) if self.groups(first, c));
                    let count = items[n..].iter().take_while(|i| same(i)).count();
                    self.clocked(&items[n..n + count]);
                    n += count;
                    continue;
                }
                item => self.item(item),
            }
            n += 1;
        }
        self.indent -= 1;
    }

    fn groups(&self, a: &Clocked, b: &Clocked) -> bool {
        let enable = |c: &Clocked| c.enable.as_ref().map(|e| self.expr(e).s);
        a.clock == b.clock && a.reset.map(|r| r.0) == b.reset.map(|r| r.0) && enable(a) == enable(b)
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Comment(text) => {
                self.line("");
                for t in wrap(text, 94 - 2 * self.indent) {
                    self.line(&format!("// {t}"));
                }
            }
            Item::Declare(id) => self.declare(*id),
            Item::Localparam(name, dim) => self.line(&format!("localparam {name} = {dim};")),
            Item::Assign(target, value) => {
                let signed = self.target_signed(target);
                let value = self.expr(value).into_sign(signed).s;
                let line = format!("assign {} = {value};", self.target(target));
                self.line(&line);
            }
            Item::Clocked(..) => {}
            Item::Memory(id) => self.memory(*id),
            Item::MemWrite { mem, clock, enable, addr, data } => {
                let name = &self.d.memories[*mem].name;
                let write = format!("{name}[{}] <= {};", self.expr(addr).s, self.expr(data).into_sign(false).s);
                let line = format!("always @(posedge {}) if ({}) {write}", self.name(*clock), self.expr(enable).s);
                self.line(&line);
            }
            Item::Rom { sig, addr, values } => self.rom(*sig, addr, values),
            Item::Instance(i) => self.instance(i),
            Item::For { label, index, count, items } => self.generate_for(label, index, count, items),
            Item::If { cond, label, items, else_label, else_items } => {
                self.line("");
                self.line("generate");
                self.line(&format!("  if ({cond}) begin : {label}"));
                self.indent += 1;
                self.items_nested(items);
                self.indent -= 1;
                if !else_items.is_empty() {
                    self.line(&format!("  end else begin : {else_label}"));
                    self.indent += 1;
                    self.items_nested(else_items);
                    self.indent -= 1;
                }
                self.line("  end");
                self.line("endgenerate");
            }
        }
    }

    /// Items inside a generate block, whose own generate keywords fall away.
    fn items_nested(&mut self, items: &[Item]) {
        let mut inner = Printer { d: self.d, out: String::new(), indent: self.indent };
        inner.items(items);
        for line in inner.out.lines() {
            if !matches!(line.trim(), "generate" | "endgenerate") {
                self.out.push_str(line);
                self.out.push('\n');
            }
        }
    }

    fn generate_for(&mut self, label: &str, index: &str, count: &Dim, items: &[Item]) {
        self.line("");
        self.line(&format!("genvar {index};"));
        self.line("generate");
        self.line(&format!("  for ({index} = 0; {index} < {count}; {index} = {index} + 1) begin : {label}"));
        self.indent += 1;
        self.items_nested(items);
        self.indent -= 1;
        self.line("  end");
        self.line("endgenerate");
    }

    fn declare(&mut self, id: SigId) {
        let s = &self.d.signals[id];
        let keyword = if s.kind == SigKind::Reg { "reg" } else { "wire" };
        let doc = if s.doc.is_empty() { String::new() } else { format!("  // {}", s.doc) };
        let (open, close) = self.waived(id);
        self.line(&format!("{open}{keyword} {}{};{close}{doc}", declaration(&s.ty), s.name));
    }

    fn memory(&mut self, id: usize) {
        let m = &self.d.memories[id];
        let style = match m.style {
            RamStyle::Distributed => "(* ram_style = \"distributed\" *) ",
            RamStyle::Block => "(* ram_style = \"block\" *) ",
            RamStyle::Ultra => "(* ram_style = \"ultra\" *) ",
            RamStyle::Auto => "",
        };
        let doc = if m.doc.is_empty() { String::new() } else { format!("  // {}", m.doc) };
        self.line(&format!("{style}reg {}{} [0:{}];{doc}", vector(&m.width), m.name, &m.depth - 1));
    }

    fn rom(&mut self, sig: SigId, addr: &Expr, values: &[u64]) {
        let s = &self.d.signals[sig];
        let (bits, address) = (s.ty.width.value(), addr.width().value());
        self.line(&format!("reg {}{};", vector(&s.ty.width), s.name));
        let selector = self.expr(addr).s;
        self.line("always @* begin");
        self.line(&format!("  case ({selector})"));
        for (n, v) in values.iter().enumerate() {
            self.line(&format!("    {address}'d{n}: {} = {bits}'d{v};", s.name));
        }
        self.line(&format!("    default: {} = {bits}'d0;", s.name));
        self.line("  endcase");
        self.line("end");
    }

    fn clocked(&mut self, items: &[Item]) {
        let regs: Vec<&Clocked> =
            items.iter().filter_map(|i| if let Item::Clocked(c, _) = i { Some(c) } else { None }).collect();
        let Some(first) = regs.first() else { return };
        let line = format!("always @(posedge {}) begin", self.name(first.clock));
        self.line(&line);
        self.indent += 1;
        let enable = first.enable.as_ref().map(|e| self.expr(e).s);
        if let Some((rst, _)) = first.reset {
            let line = format!("if ({}) begin", self.name(rst));
            self.line(&line);
            for c in &regs {
                if let Some((_, v)) = c.reset {
                    let width = c.target.part.as_ref().map_or(&self.d.signals[c.target.sig].ty.width, |p| &p.1);
                    let signed = self.target_signed(&c.target);
                    let zero = literal(v, &Ty { width: width.clone(), signed });
                    let line = format!("  {} <= {};", self.target(&c.target), zero.into_sign(signed).s);
                    self.line(&line);
                }
            }
            self.line(&enable.map_or("end else begin".into(), |e| format!("end else if ({e}) begin")));
            self.updates(&regs);
            self.line("end");
        } else if let Some(e) = enable {
            self.line(&format!("if ({e}) begin"));
            self.updates(&regs);
            self.line("end");
        } else {
            self.indent -= 1;
            self.updates(&regs);
            self.indent += 1;
        }
        self.indent -= 1;
        self.line("end");
    }

    fn updates(&mut self, regs: &[&Clocked]) {
        for c in regs {
            let signed = self.target_signed(&c.target);
            let line = format!("  {} <= {};", self.target(&c.target), self.expr(&c.next).into_sign(signed).s);
            self.line(&line);
        }
    }

    fn instance(&mut self, i: &Instance) {
        self.line("");
        let (cell, literal) = match &i.unit {
            InstanceOf::Unit(u) => (u.name().to_owned(), vec![]),
            InstanceOf::Recursive(n) => (n.clone(), vec![]),
            InstanceOf::Primitive(n, p) => (n.clone(), p.clone()),
        };
        let mut params: Vec<String> = i.params.iter().map(|(n, d)| format!(".{n}({d})")).collect();
        params.extend(literal.into_iter().map(|(n, t)| format!(".{n}({t})")));
        if params.is_empty() {
            self.line(&format!("{cell} {} (", i.name));
        } else {
            self.line(&format!("{cell} #("));
            for (n, p) in params.iter().enumerate() {
                self.line(&format!("  {p}{}", if n + 1 < params.len() { "," } else { "" }));
            }
            self.line(&format!(") {} (", i.name));
        }
        for (n, (port, c)) in i.ports.iter().enumerate() {
            let text = match c {
                Connection::In(e) => {
                    let signed = match &i.unit {
                        InstanceOf::Unit(u) => u.port_type(port).is_some_and(|t| t.signed),
                        _ => e.ty().signed,
                    };
                    self.expr(e).into_sign(signed).s
                }
                Connection::Out(t) => self.target(t),
            };
            self.line(&format!("  .{port}({text}){}", if n + 1 < i.ports.len() { "," } else { "" }));
        }
        self.line(");");
    }

    fn target_signed(&self, t: &Target) -> bool {
        t.part.is_none() && self.d.signals[t.sig].ty.signed
    }

    fn target(&self, t: &Target) -> String {
        let name = self.name(t.sig);
        match &t.part {
            None => name.to_owned(),
            Some((lo, w)) => format!("{name}{}", part(lo, w)),
        }
    }

    fn expr(&self, e: &Expr) -> Text {
        match &e.node.op {
            Op::Signal(id) => Text::tight(self.name(*id).to_owned(), e.node.ty.signed),
            Op::Const(v) => literal(*v, &e.node.ty),
            Op::Named(n) => Text::tight(n.clone(), false),
            Op::Not(a) => Text::tight(format!("~{}", self.expr(a).into_sign(false).parens()), false),
            Op::Bin(op, a, b) => self.binary(*op, a, b),
            Op::Mux(c, a, b) => {
                let (x, y) = (self.expr(a).into_sign(false), self.expr(b).into_sign(false));
                Text::loose(format!("{} ? {} : {}", self.expr(c).parens(), x.parens(), y.parens()))
            }
            Op::Slice(a, lo) => {
                let whole = a.width() == &e.node.ty.width && lo.constant() == Some(0);
                let base = self.expr(a);
                // A vector of one bit is declared without a range and takes no select.
                if (whole && !matches!(a.node.op, Op::Named(_))) || a.width().constant() == Some(1) {
                    return base.into_sign(false);
                }
                Text::tight(format!("{}{}", base.s, part(lo, &e.node.ty.width)), false)
            }
            Op::Lane(a, index) => {
                let (base, at, w) = (self.expr(a).s, self.expr(index), &e.node.ty.width);
                let select = if w.constant() == Some(1) {
                    format!("{base}[{}]", at.s)
                } else {
                    format!("{base}[{}*{} +: {w}]", at.parens(), w.factor())
                };
                Text::tight(select, false)
            }
            Op::Concat(parts) => {
                let list: Vec<String> = parts.iter().map(|p| self.expr(p).s).collect();
                Text::tight(format!("{{{}}}", list.join(", ")), false)
            }
            Op::Repeat(a) => {
                let n = match a.width().constant() {
                    Some(1) => e.node.ty.width.clone(),
                    _ => e.node.ty.width.div(a.width().clone()),
                };
                Text::tight(format!("{{{}{{{}}}}}", n.factor(), self.expr(a).s), false)
            }
            Op::Extend(a) => self.extend(a, &e.node.ty),
            Op::Cast(a) => self.expr(a).into_sign(e.node.ty.signed),
            Op::Reduce(c, a) => Text::tight(format!("({c}{})", self.expr(a).parens()), false),
            Op::MemRead(m, addr) => Text::tight(format!("{}[{}]", self.d.memories[*m].name, self.expr(addr).s), false),
        }
    }

    fn extend(&self, a: &Expr, ty: &Ty) -> Text {
        let more = &ty.width - a.width();
        let text = self.expr(a).s;
        let fill = match (&a.node.op, a.ty().signed) {
            (Op::Signal(_), true) if a.width().constant() == Some(1) => text.clone(),
            (Op::Signal(_), true) => format!("{text}[{}]", a.width() - 1),
            _ => "1'b0".into(),
        };
        let fill = if more.constant() == Some(1) { fill } else { format!("{{{}{{{fill}}}}}", more.factor()) };
        Text::tight(format!("{{{fill}, {text}}}"), false)
    }

    fn binary(&self, op: BinOp, a: &Expr, b: &Expr) -> Text {
        let (x, y) = (self.expr(a), self.expr(b));
        let signed = a.ty().signed || b.ty().signed;
        let with = |symbol: &str, x: Text, y: Text| Text::loose(format!("{} {symbol} {}", x.parens(), y.parens()));
        let plain = |symbol: &str, x: Text, y: Text| with(symbol, x.into_sign(false), y.into_sign(false));
        let chain = |symbol: &str, x: Text, y: Text| {
            let same = |e: &Expr| matches!(&e.node.op, Op::Bin(o, ..) if *o == op);
            let side = |t: Text, e: &Expr| if same(e) { t.into_sign(false).s } else { t.into_sign(false).parens() };
            Text::loose(format!("{} {symbol} {}", side(x, a), side(y, b)))
        };
        match op {
            BinOp::Add => chain("+", x, y),
            BinOp::Sub => plain("-", x, y),
            BinOp::And => chain("&", x, y),
            BinOp::Or => chain("|", x, y),
            BinOp::Xor => chain("^", x, y),
            BinOp::Mul => Text { signed, ..with("*", x.into_sign(signed), y.into_sign(signed)) },
            BinOp::Eq => plain("==", x, y),
            BinOp::Ne => plain("!=", x, y),
            BinOp::Lt => with("<", x.into_sign(signed), y.into_sign(signed)),
            BinOp::Le => with("<=", x.into_sign(signed), y.into_sign(signed)),
            BinOp::Gt => with(">", x.into_sign(signed), y.into_sign(signed)),
            BinOp::Ge => with(">=", x.into_sign(signed), y.into_sign(signed)),
            BinOp::Shl => plain("<<", x, y),
            BinOp::Shr if a.ty().signed => Text { signed: true, ..with(">>>", x.into_sign(true), y.into_sign(false)) },
            BinOp::Shr => plain(">>", x, y),
        }
    }
}

fn part(lo: &Dim, width: &Dim) -> String {
    match (lo.constant(), width.constant()) {
        (_, Some(1)) => format!("[{lo}]"),
        (Some(0), _) => format!("[{}:0]", width - 1),
        _ if lo.indexed() || lo.constant().is_none() => format!("[{lo} +: {width}]"),
        _ => format!("[{}:{lo}]", lo + width - 1),
    }
}

/// A sized literal; a symbolic width is filled by replication.
fn literal(v: i128, ty: &Ty) -> Text {
    let text = match (ty.width.constant(), v) {
        (Some(1), _) => format!("1'b{}", v & 1),
        (Some(w), 0..) => format!("{w}'d{v}"),
        (Some(w), _) => {
            let mask = if w >= 127 { i128::MAX } else { (1i128 << w) - 1 };
            format!("{w}'h{:x}", v & mask)
        }
        (None, 0) => format!("{{{}{{1'b0}}}}", ty.width.factor()),
        (None, -1) => format!("{{{}{{1'b1}}}}", ty.width.factor()),
        (None, 1..) => {
            let bits = 128 - v.leading_zeros();
            let low = if bits == 1 { "1'b1".to_owned() } else { format!("{bits}'d{v}") };
            format!("{{{{{}{{1'b0}}}}, {low}}}", (&ty.width - i64::from(bits)).factor())
        }
        (None, _) => {
            let bits = 128 - (!v).leading_zeros();
            let low = v & ((1i128 << bits) - 1);
            format!("{{{{{}{{1'b1}}}}, {bits}'h{low:x}}}", (&ty.width - i64::from(bits)).factor())
        }
    };
    Text::tight(text, false)
}

fn text_number(n: i64) -> String {
    if n < 0 { format!("minus_{}", -n) } else { n.to_string() }
}

/// Splits text into lines of at most `width` characters at spaces; keeps its own line breaks.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            if !line.is_empty() && line.len() + 1 + word.len() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

//! The printer: a checked unit as Verilog-2005 text, at most 100 columns wide. It decides nothing about the hardware.
//!
//! [`layout`] orders the items, [`expr`] and [`dim`] write values, this file writes what stands around them.

mod dim;
mod expr;
mod layout;

use std::fmt::Write as _;

use pretty::RcDoc;

use crate::dim::Dim;
use crate::expr::{Expr, Ty};
use crate::module::{
    Clocked, Connection, Data, Instance, InstanceOf, Item, Param, RamStyle, SigId, SigKind, Target, Unit,
};
use expr::{Doc, Text, Writer, flat, part};
use layout::{Assign, Block, Declaration, Paragraph, paragraphs};

/// Columns of a line.
const COLUMNS: usize = 100;

/// The text of one module, the banner lines at its head.
pub(crate) fn print(unit: &Unit, banner: &[String]) -> String {
    let mut p = Printer { d: &unit.data, out: String::new(), indent: 0 };
    for line in banner {
        let _ = writeln!(p.out, "// {line}");
    }
    if !banner.is_empty() && !unit.data.doc.is_empty() {
        p.line("//");
    }
    p.module();
    p.out
}

struct Printer<'a> {
    d: &'a Data,
    out: String,
    indent: usize,
}

/// `[W-1:0] ` or nothing for a single bit.
fn vector(width: &Dim) -> String {
    if width.constant() == Some(1) { String::new() } else { format!("[{:#}:0] ", width - 1) }
}

fn declaration(ty: &Ty) -> String {
    format!("{}{}", if ty.signed { "signed " } else { "" }, vector(&ty.width))
}

impl<'a> Printer<'a> {
    fn line(&mut self, text: &str) {
        self.doc(RcDoc::text(text.to_owned()));
    }

    /// A text that may break; what it breaks into stands deeper.
    fn doc(&mut self, doc: Doc) {
        let mut lines = String::new();
        let width = COLUMNS - 2 * self.indent;
        doc.group().render_fmt(width, &mut lines).unwrap_or_else(|_| unreachable!("a string takes every text"));
        for line in lines.lines() {
            let line = line.trim_end();
            if !line.is_empty() {
                (0..self.indent).for_each(|_| self.out.push_str("  "));
            }
            self.out.push_str(line);
            self.out.push('\n');
        }
    }

    fn blank(&mut self) {
        self.out.push('\n');
    }

    fn indented(&mut self, write: impl FnOnce(&mut Self)) {
        self.indent += 1;
        write(self);
        self.indent -= 1;
    }

    fn comment(&mut self, text: &str) {
        for line in wrap(text, COLUMNS - 3 - 2 * self.indent) {
            self.line(format!("// {line}").trim_end());
        }
    }

    /// A text with a comment behind it, or above it where both are too long for one line.
    fn remarked(&mut self, text: Doc, remark: &str) {
        let line = flat(&text);
        if !remark.is_empty() && 2 * self.indent + line.len() + 5 + remark.len() <= COLUMNS {
            return self.line(&format!("{line}  // {remark}"));
        }
        self.comment(remark);
        self.doc(text);
    }

    fn name(&self, id: SigId) -> &'a str {
        &self.d.signals[id].name
    }

    fn values(&self) -> Writer<'a> {
        Writer { d: self.d }
    }

    fn module(&mut self) {
        let d = self.d;
        self.comment(&d.doc);
        if !self.out.is_empty() {
            self.blank();
        }
        self.line("`default_nettype none");
        self.blank();
        if d.params.is_empty() {
            self.line(&format!("module {} (", d.name));
        } else {
            self.line(&format!("module {} #(", d.name));
            self.indented(Self::parameters);
            self.line(") (");
        }
        self.indented(Self::ports);
        self.line(");");
        self.indented(|p| p.scope(&d.items, Generate::Outside));
        self.indented(Self::guards);
        self.blank();
        self.line("endmodule");
        self.blank();
        self.line("`default_nettype wire");
    }

    fn parameters(&mut self) {
        for (n, p) in self.d.params.iter().enumerate() {
            let comma = if n + 1 < self.d.params.len() { "," } else { "" };
            self.comment(&format!("{}; {} to {}", p.doc, p.min, p.max));
            self.line(&format!("parameter {} = {}{comma}", p.name, p.value));
        }
    }

    /// Ports that share the first part of their name stand together.
    fn ports(&mut self) {
        let ports = &self.d.ports;
        let prefix = |n: usize| self.name(ports[n]).split('_').next();
        let alike = |n: usize| n > 0 && n < ports.len() && prefix(n) == prefix(n - 1);
        let list: Vec<(usize, bool)> =
            (0..ports.len()).map(|n| (n, n > 0 && !alike(n) && (alike(n + 1) || alike(n - 1)))).collect();
        self.waived_list(
            &list,
            |p, (n, _)| p.rules(p.d.ports[*n]),
            |p, (n, opens)| {
                if *opens {
                    p.blank();
                }
                p.port(*n);
            },
        );
    }

    fn port(&mut self, n: usize) {
        let id = self.d.ports[n];
        let s = &self.d.signals[id];
        self.comment(&s.doc);
        s.attributes.iter().for_each(|(name, value)| self.line(&format!("(* {name} = \"{value}\" *)")));
        let dir = if s.kind == SigKind::Input { "input " } else { "output" };
        let comma = if n + 1 < self.d.ports.len() { "," } else { "" };
        let text = format!("{dir} wire {}{}{comma}", declaration(&s.ty), s.name);
        self.remarked(RcDoc::text(text), &self.reason(id));
    }

    /// The lint rules that a signal breaks on purpose.
    fn rules(&self, id: SigId) -> Vec<&'a str> {
        self.d.waivers.iter().filter(|w| w.signal == self.name(id)).map(|w| w.rule.as_str()).collect()
    }

    fn reason(&self, id: SigId) -> String {
        let reasons = self.d.waivers.iter().filter(|w| w.signal == self.name(id)).map(|w| w.reason.as_str());
        reasons.collect::<Vec<_>>().join("; ")
    }

    fn guards(&mut self) {
        let d = self.d;
        if d.params.is_empty() && d.guards.is_empty() {
            return;
        }
        self.blank();
        self.comment("Illegal parameters stop elaboration here: the modules named below do not exist.");
        self.line("generate");
        self.indented(|p| {
            for Param { name, min, max, .. } in &d.params {
                p.line(&format!("if ({name} < {min} || {name} > {max}) begin : g_legal_{}", name.to_lowercase()));
                p.line(&format!("  {name}_must_be_{}_to_{} u_illegal ();", spelt(*min), spelt(*max)));
                p.line("end");
            }
            for (n, (cond, reason)) in d.guards.iter().enumerate() {
                p.comment(&format!("Needed: {reason}."));
                p.line(&format!("if ({}) begin : g_relation_{n}", cond.negated()));
                p.line("  parameters_break_a_proven_relation u_illegal ();");
                p.line("end");
            }
        });
        self.line("endgenerate");
    }

    /// The items of the module or of a generate block, paragraph by paragraph.
    fn scope(&mut self, items: &[Item], within: Generate) {
        let values = self.values();
        let enable = |c: &Clocked| c.enable.as_ref().map(|e| flat(&values.exact(e).doc));
        let reset = |c: &Clocked| c.reset.map(|r| r.0);
        let together = |a: &Clocked, b: &Clocked| a.clock == b.clock && reset(a) == reset(b) && enable(a) == enable(b);
        // A block opens with its first paragraph, a title with what it is over.
        let mut tight = within == Generate::Inside;
        for paragraph in paragraphs(items, &together) {
            if !std::mem::take(&mut tight) {
                self.blank();
            }
            match paragraph {
                Paragraph::Title(text) => {
                    self.comment(text);
                    tight = true;
                }
                Paragraph::Localparams(list) => {
                    list.iter().for_each(|(name, value)| self.line(&format!("localparam {name} = {value};")));
                }
                Paragraph::Declarations(list) => self.declarations(&list),
                Paragraph::Assigns(list) => self.assigns(&list),
                Paragraph::Block(own, block) => {
                    self.declarations(&own);
                    match block {
                        Block::Clocked(run) => self.clocked(&run),
                        Block::Other(item) => self.block(item, within),
                    }
                }
            }
        }
    }

    /// Writes items of a list; neighbours that break the same lint rules share their pragmas.
    fn waived_list<T>(&mut self, list: &[T], rules: impl Fn(&Self, &T) -> Vec<&'a str>, write: impl Fn(&mut Self, &T)) {
        let rules: Vec<_> = list.iter().map(|t| rules(self, t)).collect();
        let mut at = 0;
        for alike in rules.chunk_by(|a, b| a == b) {
            alike[0].iter().for_each(|rule| self.line(&format!("// verilator lint_off {rule}")));
            list[at..at + alike.len()].iter().for_each(|t| write(self, t));
            alike[0].iter().for_each(|rule| self.line(&format!("// verilator lint_on {rule}")));
            at += alike.len();
        }
    }

    fn declarations(&mut self, list: &[Declaration]) {
        let rules = |p: &Self, d: &Declaration| match d {
            Declaration::Signal(id) => p.rules(*id),
            Declaration::Memory(_) => vec![],
        };
        self.waived_list(list, rules, |p, d| p.declare(*d));
    }

    fn declare(&mut self, d: Declaration) {
        match d {
            Declaration::Signal(id) => {
                let s = &self.d.signals[id];
                let keyword = if s.kind == SigKind::Reg { "reg" } else { "wire" };
                let text = format!("{keyword} {}{};", declaration(&s.ty), s.name);
                self.remarked(RcDoc::text(text), &self.remark(id));
            }
            Declaration::Memory(id) => {
                let m = &self.d.memories[id];
                let style = match m.style {
                    RamStyle::Distributed => Some("distributed"),
                    RamStyle::Block => Some("block"),
                    RamStyle::Ultra => Some("ultra"),
                    RamStyle::Auto => None,
                };
                style.iter().for_each(|s| self.line(&format!("(* ram_style = \"{s}\" *)")));
                let depth = RcDoc::line().append(format!("[0:{:#}];", &m.depth - 1)).nest(2);
                let text = RcDoc::text(format!("reg {}{}", vector(&m.width), m.name)).append(depth);
                self.remarked(text, &m.doc);
            }
        }
    }

    /// What a signal is, and why it breaks a lint rule.
    fn remark(&self, id: SigId) -> String {
        let parts = [self.d.signals[id].doc.clone(), self.reason(id)];
        parts.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join("; ")
    }

    fn assigns(&mut self, list: &[Assign]) {
        let rules = |p: &Self, a: &Assign| if a.declares { p.rules(a.target.sig) } else { vec![] };
        self.waived_list(list, rules, Self::assign);
    }

    fn assign(&mut self, a: &Assign) {
        let value = self.values().assigned(a.value, self.target_signed(a.target));
        if !a.declares {
            return self.doc(statement(format!("assign {} =", self.target(a.target)), value));
        }
        let s = &self.d.signals[a.target.sig];
        let text = statement(format!("wire {}{} =", declaration(&s.ty), s.name), value);
        self.remarked(text, &self.remark(a.target.sig));
    }

    fn block(&mut self, item: &Item, within: Generate) {
        match item {
            Item::MemWrite { mem, clock, enable, addr, data } => {
                let target = format!("{}[{}] <=", self.d.memories[*mem].name, flat(&self.values().exact(addr).doc));
                let write = statement(target, self.values().assigned(data, false));
                self.line(&format!("always @(posedge {}) begin", self.name(*clock)));
                self.indented(|p| {
                    p.condition("if (", enable);
                    p.indented(|p| p.doc(write));
                    p.line("end");
                });
                self.line("end");
            }
            Item::Rom { sig, addr, values, block } => self.rom(*sig, addr, values, *block),
            Item::Instance(i) => self.instance(i),
            Item::For { label, index, count, items } => {
                self.line(&format!("genvar {index};"));
                self.generated(within, |p| {
                    let steps = [
                        format!("for ({index} = 0;"),
                        format!("{index} < {count};"),
                        format!("{index} = {index} + 1)"),
                    ];
                    let head = RcDoc::intersperse(steps.map(RcDoc::text), RcDoc::line()).nest(4).group();
                    p.doc(head.append(RcDoc::line()).append(format!("begin : {label}")));
                    p.indented(|p| p.scope(items, Generate::Inside));
                    p.line("end");
                });
            }
            Item::If { cond, .. } => self.generated(within, |p| p.generate_if(&format!("if ({cond})"), item)),
            _ => unreachable!("the layout gives this item a paragraph of its own kind"),
        }
    }

    /// Branches of a generate-if; another one alone in the last branch joins the chain as `else if`.
    fn generate_if(&mut self, head: &str, item: &Item) {
        let Item::If { label, items, else_label, else_items, .. } = item else { return };
        self.line(&format!("{head} begin : {label}"));
        self.indented(|p| p.scope(items, Generate::Inside));
        match &else_items[..] {
            [] => self.line("end"),
            [next @ Item::If { cond, .. }] => self.generate_if(&format!("end else if ({cond})"), next),
            _ => {
                self.line(&format!("end else begin : {else_label}"));
                self.indented(|p| p.scope(else_items, Generate::Inside));
                self.line("end");
            }
        }
    }

    /// The outermost generate block of a nest carries the keywords.
    fn generated(&mut self, within: Generate, write: impl FnOnce(&mut Self)) {
        if within == Generate::Inside {
            return write(self);
        }
        self.line("generate");
        self.indented(write);
        self.line("endgenerate");
    }

    fn rom(&mut self, sig: SigId, addr: &Expr, values: &[u64], block: bool) {
        let s = &self.d.signals[sig];
        let (bits, address) = (s.ty.width.value(), addr.width().value());
        let digits = (bits as usize).div_ceil(4);
        // Vivado reads the attribute at the signal, Yosys at the case.
        let style = "(* rom_style = \"block\" *)";
        if block {
            self.line(style);
        }
        self.remarked(RcDoc::text(format!("reg {}{};", vector(&s.ty.width), s.name)), &s.doc);
        self.line("always @* begin");
        self.indented(|p| {
            if block {
                p.line(style);
            }
            p.line(&format!("case ({})", flat(&p.values().exact(addr).doc)));
            for (n, v) in values.iter().enumerate() {
                p.line(&format!("  {address}'d{n}: {} = {bits}'h{v:0digits$x};", s.name));
            }
            p.line(&format!("  default: {} = {bits}'h{:0digits$x};", s.name, 0));
            p.line("endcase");
        });
        self.line("end");
    }

    fn clocked(&mut self, run: &[&Clocked]) {
        let first = run[0];
        self.line(&format!("always @(posedge {}) begin", self.name(first.clock)));
        self.indented(|p| match (first.reset, &first.enable) {
            (None, None) => p.updates(run),
            (None, Some(enable)) => {
                p.condition("if (", enable);
                p.indented(|p| p.updates(run));
                p.line("end");
            }
            (Some((rst, _)), enable) => {
                p.line(&format!("if ({}) begin", p.name(rst)));
                p.indented(|p| p.resets(run));
                match enable {
                    Some(enable) => p.condition("end else if (", enable),
                    None => p.line("end else begin"),
                }
                p.indented(|p| p.updates(run));
                p.line("end");
            }
        });
        self.line("end");
    }

    fn condition(&mut self, head: &'static str, cond: &Expr) {
        let cond = self.values().exact(cond).doc.group().nest(4);
        self.doc(RcDoc::text(head).append(cond).append(") begin"));
    }

    fn resets(&mut self, run: &[&Clocked]) {
        for c in run {
            let Some((_, value)) = c.reset else { continue };
            let width = c.target.part.as_ref().map_or(&self.d.signals[c.target.sig].ty.width, |p| &p.1);
            let signed = self.target_signed(&c.target);
            let value = crate::expr::constant(value, Ty { width: width.clone(), signed });
            self.doc(statement(format!("{} <=", self.target(&c.target)), self.values().assigned(&value, signed)));
        }
    }

    fn updates(&mut self, run: &[&Clocked]) {
        for c in run {
            let value = self.values().assigned(&c.next, self.target_signed(&c.target));
            self.doc(statement(format!("{} <=", self.target(&c.target)), value));
        }
    }

    fn instance(&mut self, i: &Instance) {
        let (cell, literal) = match &i.unit {
            InstanceOf::Unit(u) => (u.name(), &[][..]),
            InstanceOf::Recursive(n) => (n.as_str(), &[][..]),
            InstanceOf::Primitive(n, p) => (n.as_str(), &p[..]),
        };
        let symbolic = i.params.iter().map(|(n, d)| format!(".{n}({d})"));
        let params: Vec<String> = symbolic.chain(literal.iter().map(|(n, t)| format!(".{n}({t})"))).collect();
        let short = format!("{cell} #({}) {} (", params.join(", "), i.name);
        if params.is_empty() {
            self.line(&format!("{cell} {} (", i.name));
        } else if params.len() <= 2 && 2 * self.indent + short.len() <= COLUMNS {
            self.line(&short);
        } else {
            self.line(&format!("{cell} #("));
            self.line(&format!("  {}", params.join(",\n  ")));
            self.line(&format!(") {} (", i.name));
        }
        self.indented(|p| {
            for (n, (port, c)) in i.ports.iter().enumerate() {
                let value = p.connection(i, port, c);
                let tail = if n + 1 < i.ports.len() { ")," } else { ")" };
                let value = RcDoc::line_().append(value).nest(2).append(RcDoc::line_());
                p.doc(RcDoc::text(format!(".{port}(")).append(value).append(tail));
            }
        });
        self.line(");");
    }

    fn connection(&self, i: &Instance, port: &str, c: &Connection) -> Doc {
        match c {
            Connection::In(e) => {
                let signed = match &i.unit {
                    InstanceOf::Unit(u) => u.port_type(port).is_some_and(|t| t.signed),
                    _ => e.ty().signed,
                };
                self.values().exact_as(e, signed).doc.group()
            }
            Connection::Out(t) => RcDoc::text(self.target(t)),
        }
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
}

/// Whether a scope stands inside a generate block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Generate {
    Outside,
    Inside,
}

/// `head value;`, the value on lines of its own where it is long.
fn statement(head: String, value: Text) -> Doc {
    let head = RcDoc::text(head);
    let value_doc = value.doc.group();
    let body = if value.braced {
        head.append(" ").append(value_doc)
    } else {
        head.append(RcDoc::line().append(value_doc).nest(2))
    };
    body.append(";")
}

fn spelt(n: i64) -> String {
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

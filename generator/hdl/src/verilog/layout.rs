//! The order of a module's text: items become paragraphs with a blank line between them.
//!
//! Each comment opens a section. In a section come its localparams, the declarations that several paragraphs share, then
//! assignments and blocks in the order in which they were written. A wire with one value is declared with it; what only the
//! next block drives is declared right above that block.

use std::collections::BTreeSet;

use crate::checks::walk;
use crate::dim::Dim;
use crate::expr::Expr;
use crate::module::{Clocked, Item, MemId, SigId, Target};

/// Lines that belong together.
pub(super) enum Paragraph<'a> {
    /// A comment over what follows.
    Title(&'a str),
    Localparams(Vec<(&'a str, &'a Dim)>),
    Declarations(Vec<Declaration>),
    Assigns(Vec<Assign<'a>>),
    Block(Vec<Declaration>, Block<'a>),
}

/// A name without a value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Declaration {
    Signal(SigId),
    Memory(MemId),
}

/// A continuous assignment, or a declaration with its value.
pub(super) struct Assign<'a> {
    pub target: &'a Target,
    pub value: &'a Expr,
    pub declares: bool,
}

/// What stands by itself.
pub(super) enum Block<'a> {
    /// Registers with one clock, reset and enable.
    Clocked(Vec<&'a Clocked>),
    Other(&'a Item),
}

/// The paragraphs of a scope; `together` says whether two registers share their clock, reset and enable.
pub(super) fn paragraphs<'a>(items: &'a [Item], together: &dyn Fn(&Clocked, &Clocked) -> bool) -> Vec<Paragraph<'a>> {
    let mut out = Vec::new();
    let starts = (0..items.len()).filter(|n| *n == 0 || matches!(items[*n], Item::Comment(_)));
    let bounds: Vec<usize> = starts.chain([items.len()]).collect();
    for section in bounds.windows(2).map(|b| &items[b[0]..b[1]]) {
        let items = match section {
            [Item::Comment(text), rest @ ..] => {
                out.push(Paragraph::Title(text));
                rest
            }
            all => all,
        };
        let (localparams, shared, pending, body) = (vec![], vec![], vec![], vec![]);
        let mut s = Section { items, together, localparams, shared, pending, body };
        s.walk();
        s.finish(&mut out);
    }
    out
}

/// One section on its way to paragraphs.
struct Section<'a, 'b> {
    items: &'a [Item],
    together: &'b dyn Fn(&Clocked, &Clocked) -> bool,
    localparams: Vec<(&'a str, &'a Dim)>,
    shared: Vec<Declaration>,
    /// Declared, and not yet known to be shared.
    pending: Vec<Declaration>,
    body: Vec<Paragraph<'a>>,
}

impl<'a> Section<'a, '_> {
    fn walk(&mut self) {
        let mut done = BTreeSet::new();
        for (n, item) in self.items.iter().enumerate() {
            if done.contains(&n) {
                continue;
            }
            match item {
                Item::Localparam(name, value) => self.localparams.push((name, value)),
                Item::Declare(id) if self.value_follows(n, *id) => {}
                Item::Declare(id) => self.pending.push(Declaration::Signal(*id)),
                Item::Memory(id) => self.pending.push(Declaration::Memory(*id)),
                Item::Assign(target, value) => self.assign(n, target, value),
                Item::Clocked(first, _) => {
                    let run = self.run(n, first, &mut done);
                    self.block(Block::Clocked(run));
                }
                other => self.block(Block::Other(other)),
            }
        }
    }

    /// Whether the wire gets its whole value further down, with nothing between that reads it.
    fn value_follows(&self, at: usize, id: SigId) -> bool {
        for item in &self.items[at + 1..] {
            match item {
                Item::Assign(Target { sig, part }, _) if *sig == id => return part.is_none(),
                Item::Assign(_, value) => {
                    let mut reads = BTreeSet::new();
                    walk::reads(value, &mut reads);
                    if reads.contains(&id) {
                        return false;
                    }
                }
                Item::Declare(_) | Item::Localparam(..) => {}
                _ => return false,
            }
        }
        false
    }

    fn assign(&mut self, at: usize, target: &'a Target, value: &'a Expr) {
        self.shared.append(&mut self.pending);
        let declared = self.items[..at].iter().rposition(|i| matches!(i, Item::Declare(id) if *id == target.sig));
        let declares = target.part.is_none() && declared.is_some_and(|d| self.value_follows(d, target.sig));
        let assign = Assign { target, value, declares };
        match self.body.last_mut() {
            Some(Paragraph::Assigns(list)) => list.push(assign),
            _ => self.body.push(Paragraph::Assigns(vec![assign])),
        }
    }

    /// The register updates that go into one `always` with the first. They and the declarations between move up over
    /// assignments, but not over a wire that they read.
    fn run(&mut self, at: usize, first: &'a Clocked, done: &mut BTreeSet<usize>) -> Vec<&'a Clocked> {
        let mut run = vec![first];
        let (mut between, mut values) = (vec![], BTreeSet::new());
        for (n, item) in self.items.iter().enumerate().skip(at + 1) {
            match item {
                Item::Clocked(c, _) if (self.together)(first, c) => {
                    let mut reads = BTreeSet::new();
                    walk::reads(&c.next, &mut reads);
                    if !reads.is_disjoint(&values) {
                        break;
                    }
                    run.push(c);
                    done.insert(n);
                    done.extend(between.iter().map(|(n, _)| *n));
                    self.pending.extend(between.drain(..).map(|(_, id)| Declaration::Signal(id)));
                }
                Item::Declare(id) if self.value_follows(n, *id) => {
                    values.insert(*id);
                }
                Item::Declare(id) => between.push((n, *id)),
                Item::Assign(..) => {}
                _ => break,
            }
        }
        run
    }

    fn block(&mut self, block: Block<'a>) {
        let mut driven = BTreeSet::new();
        match &block {
            Block::Clocked(run) => driven.extend(run.iter().map(|c| Declaration::Signal(c.target.sig))),
            Block::Other(item) => drives(item, &mut driven),
        }
        let (own, others): (Vec<_>, Vec<_>) = self.pending.drain(..).partition(|d| driven.contains(d));
        self.shared.extend(others);
        self.body.push(Paragraph::Block(own, block));
    }

    fn finish(mut self, out: &mut Vec<Paragraph<'a>>) {
        self.shared.append(&mut self.pending);
        if !self.localparams.is_empty() {
            out.push(Paragraph::Localparams(self.localparams));
        }
        if !self.shared.is_empty() {
            out.push(Paragraph::Declarations(self.shared));
        }
        out.append(&mut self.body);
    }
}

/// What an item drives, generate blocks included.
fn drives(item: &Item, out: &mut BTreeSet<Declaration>) {
    out.extend(walk::targets(item).iter().map(|t| Declaration::Signal(t.sig)));
    match item {
        Item::MemWrite { mem, .. } => {
            out.insert(Declaration::Memory(*mem));
        }
        Item::For { items, .. } => items.iter().for_each(|i| drives(i, out)),
        Item::If { items, else_items, .. } => items.iter().chain(else_items).for_each(|i| drives(i, out)),
        _ => {}
    }
}

//! Walks over items and expressions that the passes and the printer share.

use std::collections::BTreeSet;

use crate::expr::{Expr, Op};
use crate::module::{Connection, Data, InstanceOf, Item, SigId, SigKind, Target};

/// Calls `visit` for every item of branches that this config takes.
pub(super) fn active<'a>(items: &'a [Item], visit: &mut impl FnMut(&'a Item)) {
    for item in items {
        visit(item);
        match item {
            Item::For { items, count, .. } if count.value() > 0 => active(items, visit),
            Item::If { cond, items, else_items, .. } => active(if cond.holds() { items } else { else_items }, visit),
            _ => {}
        }
    }
}

/// Adds every signal that an expression reads.
pub(crate) fn reads(e: &Expr, out: &mut BTreeSet<SigId>) {
    match &e.node.op {
        Op::Signal(id) => {
            out.insert(*id);
        }
        Op::Const(_) | Op::Named(_) => {}
        Op::Not(a) | Op::Slice(a, _) | Op::Repeat(a) | Op::Extend(a) | Op::Cast(a) | Op::Reduce(_, a) => reads(a, out),
        Op::MemRead(_, a) => reads(a, out),
        Op::Bin(_, a, b) | Op::Lane(a, b) => {
            reads(a, out);
            reads(b, out);
        }
        Op::Mux(a, b, c) => {
            reads(a, out);
            reads(b, out);
            reads(c, out);
        }
        Op::Concat(parts) => parts.iter().for_each(|p| reads(p, out)),
    }
}

/// Combinational dependencies: (driven signal, whole?, signals read). Instances count as opaque: no path through them.
pub(super) fn combinational(data: &Data) -> Vec<(SigId, bool, BTreeSet<SigId>)> {
    let mut out = Vec::new();
    active(&data.items, &mut |item| match item {
        Item::Assign(Target { sig, part }, value) => {
            let mut r = BTreeSet::new();
            reads(value, &mut r);
            out.push((*sig, part.is_none(), r));
        }
        Item::Rom { sig, addr, .. } => {
            let mut r = BTreeSet::new();
            reads(addr, &mut r);
            out.push((*sig, true, r));
        }
        _ => {}
    });
    out
}

/// Registers that an expression depends on, through wires of this module.
pub(super) fn source_registers(data: &Data, e: &Expr) -> BTreeSet<SigId> {
    let edges = combinational(data);
    let mut todo = BTreeSet::new();
    reads(e, &mut todo);
    let (mut seen, mut regs) = (BTreeSet::new(), BTreeSet::new());
    while let Some(id) = todo.pop_first() {
        if !seen.insert(id) {
            continue;
        }
        if data.signals[id].kind == SigKind::Reg {
            regs.insert(id);
            continue;
        }
        for (_, _, r) in edges.iter().filter(|(s, _, _)| *s == id) {
            todo.extend(r);
        }
    }
    regs
}

/// The targets that an item drives.
pub(crate) fn targets(item: &Item) -> Vec<&Target> {
    match item {
        Item::Assign(t, _) => vec![t],
        Item::Clocked(c, _) => vec![&c.target],
        Item::Instance(i) if !matches!(i.unit, InstanceOf::Recursive(_)) || !i.ports.is_empty() => {
            i.ports.iter().filter_map(|(_, c)| if let Connection::Out(t) = c { Some(t) } else { None }).collect()
        }
        _ => vec![],
    }
}

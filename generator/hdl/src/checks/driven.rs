//! Refuses signals that nothing drives and bits that two drivers share.

use super::{Pass, walk};
use crate::error::{Code, Error};
use crate::module::{Data, Item, SigKind, Target, Unit};

pub(super) const PASS: Pass = Pass { name: "driven", about: "undriven and doubly driven signals", run };

fn run(unit: &Unit, errors: &mut Vec<Error>) {
    let d = &unit.data;
    let mut drivers: Vec<Vec<Span>> = d.signals.iter().map(|_| vec![]).collect();
    collect(&d.items, 1, &mut drivers);
    walk::active(&d.items, &mut |item| {
        if let Item::Rom { sig, .. } = item {
            drivers[*sig].push(Span::Whole);
        }
    });
    for (id, spans) in drivers.iter().enumerate() {
        let s = &d.signals[id];
        if s.inactive {
            continue;
        }
        let fail = |code, cause: String, help: &str| Error {
            code,
            module: d.name.clone(),
            cause,
            help: help.into(),
            place: s.place,
        };
        if s.kind == SigKind::Input {
            if !spans.is_empty() {
                let cause = format!("input `{}` is driven inside the module", s.name);
                errors.push(fail(Code::DoublyDriven, cause, "make it an output"));
            }
            continue;
        }
        match coverage(d, id, spans) {
            Coverage::Exact => {}
            Coverage::Missing => {
                let cause = format!("`{}` is not driven in all of its {} bits", s.name, s.ty.width);
                errors.push(fail(Code::Undriven, cause, "drive it, or remove it"));
            }
            Coverage::Twice => {
                let cause = format!("`{}` has two drivers for the same bits", s.name);
                errors.push(fail(Code::DoublyDriven, cause, "merge the drivers with a select"));
            }
        }
    }
}

enum Coverage {
    Exact,
    Missing,
    Twice,
}

/// What one driver covers, with generate loops unrolled.
enum Span {
    Whole,
    /// First bit, bits, step and count.
    Comb {
        lo: i64,
        width: i64,
        last: i64,
        count: i64,
    },
}

fn collect(items: &[Item], copies: i64, drivers: &mut [Vec<Span>]) {
    for item in items {
        for Target { sig, part } in walk::targets(item) {
            drivers[*sig].push(match part {
                None => Span::Whole,
                Some((lo, w)) => Span::Comb {
                    lo: lo.value(),
                    width: w.value(),
                    last: lo.last_value(),
                    count: if lo.indexed() { copies } else { 1 },
                },
            });
        }
        match item {
            Item::For { items, count, .. } => collect(items, copies * count.value().max(0), drivers),
            Item::If { cond, items, else_items, .. } => {
                collect(if cond.holds() { items } else { else_items }, copies, drivers);
            }
            _ => {}
        }
    }
}

/// Whether the spans tile the signal. Loops step evenly, so bits are counted and the ends compared.
fn coverage(d: &Data, id: usize, spans: &[Span]) -> Coverage {
    let width = d.signals[id].ty.width.value();
    let whole = spans.iter().filter(|s| matches!(s, Span::Whole)).count();
    let partial: i64 =
        spans.iter().map(|s| if let Span::Comb { width, count, .. } = s { width * count } else { 0 }).sum();
    let reach =
        spans.iter().map(|s| if let Span::Comb { width, last, lo, .. } = s { (*last).max(*lo) + width } else { 0 });
    match (whole, partial) {
        (0, 0) => Coverage::Missing,
        (1, 0) => Coverage::Exact,
        (0, n) if n == width && reach.max() == Some(width) => Coverage::Exact,
        (0, n) if n < width => Coverage::Missing,
        _ => Coverage::Twice,
    }
}

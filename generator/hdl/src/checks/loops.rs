//! Refuses values that depend on themselves without a register between.

use std::collections::{BTreeMap, BTreeSet};

use super::{Pass, walk};
use crate::error::{Code, Error};
use crate::module::{SigId, SigKind, Unit};

pub(super) const PASS: Pass = Pass { name: "loops", about: "combinational loops inside a module", run };

fn run(unit: &Unit, errors: &mut Vec<Error>) {
    let d = &unit.data;
    // Parts of one vector may feed each other (a chain), so only whole assignments make edges.
    let mut edges: BTreeMap<SigId, BTreeSet<SigId>> = BTreeMap::new();
    for (sig, whole, reads) in walk::combinational(d) {
        if whole && d.signals[sig].kind != SigKind::Reg {
            edges.entry(sig).or_default().extend(reads);
        }
    }
    let mut state: BTreeMap<SigId, bool> = BTreeMap::new();
    for &start in edges.keys() {
        if let Some(at) = visit(start, &edges, &mut state) {
            let s = &d.signals[at];
            errors.push(Error {
                code: Code::Loop,
                module: d.name.clone(),
                cause: format!("`{}` depends on itself within one cycle", s.name),
                help: "put a register into the loop".into(),
                place: s.place,
            });
        }
    }
}

/// Depth first; `false` marks the path, `true` the finished. Gives a signal on a loop.
fn visit(at: SigId, edges: &BTreeMap<SigId, BTreeSet<SigId>>, state: &mut BTreeMap<SigId, bool>) -> Option<SigId> {
    match state.get(&at) {
        Some(true) => return None,
        Some(false) => return Some(at),
        None => {}
    }
    state.insert(at, false);
    let found = edges.get(&at).into_iter().flatten().find_map(|&next| visit(next, edges, state));
    state.insert(at, true);
    found
}

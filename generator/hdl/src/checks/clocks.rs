//! Refuses registers that sample another clock's register without a synchroniser.

use super::{Pass, walk};
use crate::error::{Code, Error};
use crate::module::{Item, Unit};

pub(super) const PASS: Pass = Pass { name: "clocks", about: "clock-domain crossings", run };

fn run(unit: &Unit, errors: &mut Vec<Error>) {
    let d = &unit.data;
    let clocks: std::collections::BTreeSet<_> = d.signals.iter().filter_map(|s| s.clock).collect();
    if clocks.len() < 2 {
        return;
    }
    walk::active(&d.items, &mut |item| {
        let Item::Clocked(c, place) = item else { return };
        if d.signals[c.target.sig].synchroniser {
            return;
        }
        for source in walk::source_registers(d, &c.next) {
            if d.signals[source].clock != Some(c.clock) {
                errors.push(Error {
                    code: Code::Crossing,
                    module: d.name.clone(),
                    cause: format!(
                        "`{}` samples `{}` of another clock",
                        d.signals[c.target.sig].name, d.signals[source].name
                    ),
                    help: "pass it through a register marked as synchroniser and a second one".into(),
                    place,
                });
            }
        }
    });
}

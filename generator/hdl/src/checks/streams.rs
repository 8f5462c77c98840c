//! Refuses streams that nothing takes.

use super::Pass;
use crate::error::{Code, Error};
use crate::module::Unit;

pub(super) const PASS: Pass = Pass { name: "streams", about: "dropped streams", run };

fn run(unit: &Unit, errors: &mut Vec<Error>) {
    let d = &unit.data;
    for s in d.streams.iter().filter(|s| !s.taken.get()) {
        errors.push(Error {
            code: Code::Dropped,
            module: d.name.clone(),
            cause: format!("nothing takes stream `{}`", s.name),
            help: "take it, or end it in a source".into(),
            place: s.place,
        });
    }
}

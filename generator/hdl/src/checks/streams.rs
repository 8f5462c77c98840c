//! Refuses streams that nothing takes and streams that are taken twice.

use super::Pass;
use crate::error::{Code, Error};
use crate::module::Unit;

pub(super) const PASS: Pass = Pass { name: "streams", about: "dropped streams and streams consumed twice", run };

fn run(unit: &Unit, errors: &mut Vec<Error>) {
    let d = &unit.data;
    for s in &d.streams {
        let (code, cause, help) = match s.taken.get() {
            0 => (Code::Dropped, format!("nothing takes stream `{}`", s.name), "take it, or end it in a source"),
            1 => continue,
            n => (Code::TakenTwice, format!("stream `{}` is taken {n} times", s.name), "fork it first"),
        };
        errors.push(Error { code, module: d.name.clone(), cause, help: help.into(), place: s.place });
    }
}

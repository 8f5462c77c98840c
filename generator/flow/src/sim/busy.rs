//! When the units and streams of a core were busy in a simulated job: from the signals that a core names, in a recorded wave.

use std::collections::BTreeMap;
use std::path::Path;

use bitlathe_cores::Activity;
use bitlathe_spec::{Interface, Stream};
use wellen::{Hierarchy, SignalRef, SignalValueRef};

use super::{Run, SimError};

/// Cycles from which and up to which something lasts.
pub type Spans = Vec<(u64, u64)>;

/// One phase of a unit, or the beats of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Busy {
    /// Unit or stream.
    pub unit: String,
    /// The phase; of a stream `beats`.
    pub phase: String,
    /// Whether it is a stream.
    pub is_stream: bool,
    /// In rising order, apart from each other, counted from the first accepted input beat.
    pub spans: Spans,
}

impl Busy {
    /// Cycles altogether.
    pub fn cycles(&self) -> u64 {
        self.spans.iter().map(|(from, to)| to - from).sum()
    }
}

/// The modules that a wave must record for these activities.
pub fn scopes(activities: &[Activity]) -> Vec<String> {
    let mut scopes: Vec<String> = activities.iter().flat_map(|a| &a.signals).map(|s| split(s).0.to_owned()).collect();
    scopes.sort();
    scopes.dedup();
    scopes
}

/// Scope and name of a signal below the top.
fn split(signal: &str) -> (&str, &str) {
    signal.rsplit_once('.').unwrap_or(("", signal))
}

/// The streams of a run.
pub(super) fn streams(interface: &Interface, run: &Run) -> Vec<Busy> {
    let window = Window::of(run);
    let busy = |stream: &Stream| {
        let beats = run.beat_cycles.get(&stream.name).into_iter().flatten();
        let spans = window.cut(joined(beats.map(|&c| (c, c + 1)).collect()));
        Busy { unit: stream.name.clone(), phase: "beats".into(), is_stream: true, spans }
    };
    interface.streams.iter().map(busy).collect()
}

/// The phases of a core's units in a run of which the wave was recorded, at least the scopes that [`scopes`] names.
pub(super) fn units(run: &Run, wave: &Path, top: &str, activities: &[Activity]) -> Result<Vec<Busy>, SimError> {
    let fail = |reason: String| SimError::Wave { path: wave.into(), reason };
    let mut recorded = wellen::simple::read(wave).map_err(|e| fail(e.to_string()))?;
    let by_path = paths(recorded.hierarchy(), top);
    let find =
        |signal: &String| by_path.get(signal).copied().ok_or_else(|| fail(format!("it does not hold `{signal}`")));
    let found: Vec<Vec<SignalRef>> =
        activities.iter().map(|a| a.signals.iter().map(find).collect()).collect::<Result<_, SimError>>()?;
    recorded.load_signals(&found.concat());
    let window = Window::of(run);
    let busy = |(activity, signals): (&Activity, &Vec<SignalRef>)| {
        let spans = signals.iter().flat_map(|&s| not_zero(&recorded, s, window.end)).collect();
        let (unit, phase) = (activity.unit.into(), activity.phase.into());
        Busy { unit, phase, is_stream: false, spans: window.cut(joined(spans)) }
    };
    Ok(activities.iter().zip(&found).map(busy).collect())
}

/// The variables of a wave by their path below the top.
fn paths(hierarchy: &Hierarchy, top: &str) -> BTreeMap<String, SignalRef> {
    let mut paths = BTreeMap::new();
    for var in hierarchy.all_vars() {
        let full = hierarchy[var].full_name(hierarchy);
        let below = full.split_once(&format!("{top}.")).map_or(full.as_str(), |(_, rest)| rest);
        paths.insert(below.to_owned(), hierarchy[var].signal_ref());
    }
    paths
}

/// The spans of cycles in which a signal has a bit that is one. A cycle lasts 10 ns; what changes with its clock edge, 5 ns on, shows in
/// the next one.
fn not_zero(wave: &wellen::simple::Waveform, signal: SignalRef, end: u64) -> Spans {
    let Some(signal) = wave.get_signal(signal) else { return vec![] };
    let mut spans = vec![];
    let mut since: Option<u64> = None;
    for (index, value) in signal.iter_changes() {
        let cycle = wave.time_table().get(index as usize).map_or(0, |t| t.div_ceil(10));
        let one = matches!(value, SignalValueRef::BitVec(bits) if bits.bit_string().contains('1'));
        match (since, one) {
            (None, true) => since = Some(cycle),
            (Some(from), false) => {
                spans.push((from, cycle));
                since = None;
            }
            _ => {}
        }
    }
    spans.extend(since.map(|from| (from, end)));
    spans
}

/// Sorted, without gaps of nothing and without what lies in another.
fn joined(mut spans: Spans) -> Spans {
    spans.sort_unstable();
    let mut joined: Spans = vec![];
    for (from, to) in spans.into_iter().filter(|(from, to)| from < to) {
        match joined.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => joined.push((from, to)),
        }
    }
    joined
}

/// The cycles of a run that count.
struct Window {
    start: u64,
    end: u64,
}

impl Window {
    fn of(run: &Run) -> Self {
        Self { start: run.first_input, end: run.first_input + run.cycles }
    }

    /// What lies within, counted from the start.
    fn cut(&self, spans: Spans) -> Spans {
        let inside = |(from, to): (u64, u64)| (from.max(self.start), to.min(self.end));
        let spans = spans.into_iter().map(inside).filter(|(from, to)| from < to);
        spans.map(|(from, to)| (from - self.start, to - self.start)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_joined_and_cut() {
        assert_eq!(joined(vec![(5, 7), (1, 3), (3, 4), (6, 6), (6, 9)]), [(1, 4), (5, 9)]);
        assert_eq!(Window { start: 3, end: 8 }.cut(vec![(0, 2), (1, 4), (5, 6), (7, 12)]), [(0, 1), (2, 3), (4, 5)]);
    }
}

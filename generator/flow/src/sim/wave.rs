//! Turns the VCD that a traced model writes into an FST. Verilator's own FST writer needs system libraries; this does not.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use fst_writer::{
    FstBodyWriter, FstFileType, FstHeaderWriter, FstInfo, FstScopeType, FstSignalId, FstSignalType, FstVarDirection,
    FstVarType, open_fst,
};
use wellen::{Hierarchy, ItemRef, LoadOptions, ScopeType, SignalRef, SignalValueRef, VarType, stream};

use super::SimError;

type Out<W> = FstHeaderWriter<W>;
type Ids = HashMap<SignalRef, FstSignalId>;

/// Writes `fst` with everything that `vcd` holds.
pub(super) fn vcd_to_fst(vcd: &Path, fst: &Path) -> Result<(), SimError> {
    convert(vcd, fst).map_err(|reason| SimError::Wave { path: fst.into(), reason })
}

fn convert(vcd: &Path, fst: &Path) -> Result<(), String> {
    let mut wave = stream::read_from_file(vcd, &LoadOptions::default()).map_err(text)?;
    let (mut body, ids) = header(wave.hierarchy(), fst)?;
    let mut failure = None;
    let mut now = None;
    wave.stream_changes::<()>(stream::Filter::all(), |time, signal, value| {
        let changed = change(&mut body, &mut now, time, ids.get(&signal), value);
        failure = failure.take().or(changed.err());
        Ok(())
    })
    .map_err(|_| "the trace is not a readable VCD".to_string())?;
    match failure {
        Some(e) => Err(text(e)),
        None => body.finish().map(drop).map_err(text),
    }
}

fn text(e: impl std::fmt::Display) -> String {
    e.to_string()
}

fn header(hierarchy: &Hierarchy, fst: &Path) -> Result<(FstBodyWriter<BufWriter<File>>, Ids), String> {
    let info = FstInfo {
        start_time: 0,
        timescale_exponent: -9,
        version: "bitlathe".into(),
        date: String::new(),
        file_type: FstFileType::Verilog,
    };
    let mut out = open_fst(fst, &info).map_err(text)?;
    let mut ids = Ids::new();
    for item in hierarchy.items() {
        declare(hierarchy, item, "", &mut out, &mut ids).map_err(text)?;
    }
    Ok((out.finish().map_err(text)?, ids))
}

/// Declares an item; `array` is the name of the array that it belongs to.
fn declare(
    h: &Hierarchy,
    item: ItemRef,
    array: &str,
    out: &mut Out<BufWriter<File>>,
    ids: &mut Ids,
) -> fst_writer::Result<()> {
    match item {
        // The reader makes a scope of every array. In a file an element carries the array's name: one that is `[0]` alone
        // makes viewers stumble.
        ItemRef::Scope(scope) if h[scope].items(h).any(|i| is_element(h, i)) => {
            let name = format!("{array}{}", h[scope].name(h));
            h[scope].items(h).try_for_each(|item| declare(h, item, &name, out, ids))
        }
        ItemRef::Scope(scope) => {
            let scope = &h[scope];
            let kind = match scope.scope_type() {
                ScopeType::Generate => FstScopeType::Generate,
                ScopeType::Begin => FstScopeType::Begin,
                ScopeType::Function => FstScopeType::Function,
                ScopeType::Task => FstScopeType::Task,
                _ => FstScopeType::Module,
            };
            out.scope(scope.name(h), scope.component(h).unwrap_or(""), kind)?;
            for item in scope.items(h) {
                declare(h, item, "", out, ids)?;
            }
            out.up_scope()
        }
        ItemRef::Var(var) => {
            let var = &h[var];
            let kind = match var.var_type() {
                VarType::Parameter => FstVarType::Parameter,
                VarType::Integer => FstVarType::Integer,
                _ => FstVarType::Wire,
            };
            let encoding = match var.length(h) {
                Some(bits) if !var.is_real(h) => FstSignalType::bit_vec(bits),
                _ => FstSignalType::real(),
            };
            let known = ids.get(&var.signal_ref()).copied();
            let range = var.index().map_or(String::new(), |i| format!(" [{}:{}]", i.msb(), i.lsb()));
            let id =
                out.var(format!("{array}{}{range}", var.name(h)), encoding, kind, FstVarDirection::Implicit, known)?;
            ids.entry(var.signal_ref()).or_insert(id);
            Ok(())
        }
    }
}

fn is_element(h: &Hierarchy, item: ItemRef) -> bool {
    match item {
        ItemRef::Scope(scope) => h[scope].name(h).starts_with('['),
        ItemRef::Var(var) => h[var].name(h).starts_with('['),
    }
}

fn change(
    body: &mut FstBodyWriter<BufWriter<File>>,
    now: &mut Option<u64>,
    time: u64,
    id: Option<&FstSignalId>,
    value: SignalValueRef,
) -> fst_writer::Result<()> {
    if now.is_none_or(|before| before < time) {
        body.time_change(time)?;
        *now = Some(time);
    }
    match (id, value) {
        (Some(id), SignalValueRef::BitVec(bits)) => body.signal_change(*id, bits.bit_string().as_bytes()),
        (Some(id), SignalValueRef::Real(real)) => body.signal_change(*id, &real.to_le_bytes()),
        _ => Ok(()),
    }
}

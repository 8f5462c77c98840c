//! The register file of a core, made from its register map: a single-cycle write port and a combinational read port.

use std::rc::Rc;

use bitlathe_hdl::{Clock, Dim, Expr, Module, Ty, Unit, bit, concat, lit, uint};
use bitlathe_spec::{Access, Family, Interface, Register};

use crate::Cost;

/// What the name of the status field ends in that a refused write sets.
pub const CONFIG_ERROR: &str = "config_error";

/// The register file. Ports beside the bus: `<field>_o` for what software writes, `<field>_set_i` for sticky bits,
/// `<field>_done_i` for triggers, which software sets and the core clears, `<field>_i` for what only the core changes.
pub fn register_file(name: &str, address_bits: u32, registers: &[Register]) -> Rc<Unit> {
    let m = Module::new(name);
    m.doc("Register file. A write of an illegal value is refused and sets config_error; reads are combinational.");
    let maxima: Vec<_> = bounded(registers)
        .map(|f| {
            m.param(&format!("{}_MAX", f.name.to_uppercase()), f.max as i64, 1..=0x7fff_ffff, "largest legal value")
        })
        .collect();
    let ck = m.clock();
    let write = m.input("write_i", bit());
    let addr = m.input("addr_i", uint(address_bits));
    let wdata = m.input("wdata_i", uint(32));
    m.allow(&addr, "UNUSEDSIGNAL", "the two lowest bits address bytes");
    m.allow(&wdata, "UNUSEDSIGNAL", "no register uses every bit");
    let word = m.wire("word", &addr.slice(2, i64::from(address_bits) - 2));
    let (mut refusals, mut reads) = (vec![], vec![]);
    let mut maxima = maxima.into_iter();
    let mut config_error = None;
    for r in registers {
        let here = m.wire(&format!("at_{}", r.name), &word.eq_to(i64::from(r.offset / 4)));
        let written = r.fields.iter().any(|f| f.access != Access::ReadOnly);
        let hit = if written { m.wire(&format!("write_{}", r.name), &(&write & &here)) } else { lit(0, bit()) };
        let mut fields: Vec<(u32, Expr)> = vec![];
        for f in &r.fields {
            let bits = wdata.slice(i64::from(f.lsb), i64::from(f.width));
            let shown = match f.access {
                Access::ReadOnly if f.min == f.max => lit(f.reset as i64, uint(f.width)),
                Access::ReadOnly => m.input(&format!("{}_i", f.name), uint(f.width)),
                // The words that such fields are in have hardware of their own.
                Access::ReadToClear => unreachable!("{} is cleared by reading", f.name),
                Access::WriteOneToClear => {
                    let q = ck.reg(&format!("{}_q", f.name), bit()).reset_to(0);
                    let clear = m.wire(&format!("{}_clear", f.name), &(&hit & &bits));
                    if f.name.ends_with(CONFIG_ERROR) {
                        config_error = Some((q.clone(), clear));
                    } else {
                        let set = m.input(&format!("{}_set_i", f.name), bit());
                        q.next(&set | (&*q & !&clear));
                    }
                    (*q).clone()
                }
                Access::Trigger => {
                    let done = m.input(&format!("{}_done_i", f.name), bit());
                    let q = ck.reg(&format!("{}_q", f.name), bit()).reset_to(f.reset as i64);
                    let pulse = m.wire(&format!("{}_pulse", f.name), &(&hit & &bits));
                    q.next(&pulse | (&*q & !&done));
                    m.output(&format!("{}_o", f.name), &pulse);
                    (*q).clone()
                }
                // What this core leaves no choice of.
                Access::ReadWrite if f.max == 0 => {
                    refusals.push(&hit & wdata.any());
                    lit(0, uint(f.width))
                }
                Access::ReadWrite => {
                    let max = if is_whole(f) { None } else { maxima.next() };
                    let max = max.unwrap_or_else(|| Dim::from(f.max as i64));
                    // The width follows the largest value, so that a wider core is the same text.
                    let width = (&max + 1).clog2();
                    let q = ck.reg(&format!("{}_q", f.name), uint(&width)).reset_to(f.reset as i64);
                    let limit = || m.constant(&format!("{}_LIMIT", f.name.to_uppercase()), &max, 32);
                    let high = (f.lsb == 0 && !is_whole(f)).then(|| wdata.gt(limit()));
                    let low = (f.min > 0).then(|| wdata.lt(f.min as i64));
                    let outside = any_of(high.into_iter().chain(low).collect(), bit());
                    let bad = m.wire(&format!("{}_illegal", f.name), &outside);
                    let ok = m.wire(&format!("{}_write", f.name), &(&hit & !&bad));
                    q.next_when(&ok, wdata.slice(i64::from(f.lsb), &width));
                    refusals.push(&hit & &bad);
                    m.output(&format!("{}_o", f.name), &q);
                    if !is_whole(f) {
                        let pad = 32 - i64::from(f.lsb) - &width;
                        fields.push((32, lit(0, uint(pad))));
                    }
                    (*q).clone()
                }
            };
            fields.push((f.lsb, shown));
        }
        let value = m.wire(&format!("read_{}", r.name), &assemble(fields));
        reads.push(&here.repeat(32) & &value);
    }
    if let Some((q, clear)) = config_error {
        let refused = m.wire("refused", &any_of(refusals, bit()));
        q.next(&refused | (&*q & !&clear));
    }
    m.output("rdata_o", &any_of(reads, uint(32)));
    m.finish()
}

/// The register file of a top with its bus ports: each field that software writes by name. `maxima` are parameters of the
/// register file (`<FIELD>_MAX`) that follow those of the top; `errors` set the sticky bits of their names.
pub fn connect(
    m: &Module,
    ck: &Clock,
    interface: &Interface,
    maxima: &[(&str, &Dim)],
    errors: &[(&str, &Expr)],
) -> Vec<(String, Expr)> {
    let bits = interface.address_bits();
    m.comment("Registers");
    let unit = register_file("register_file", bits, &interface.registers);
    let write = m.input("reg_write_i", bit());
    let addr = m.input("reg_addr_i", uint(bits));
    let wdata = m.input("reg_wdata_i", uint(32));
    let rdata = m.output_wire("reg_rdata_o", uint(32));
    let mut i = m.instance("u_registers", &unit).clock(ck).input("write_i", &write).input("addr_i", &addr);
    i = i.input("wdata_i", &wdata).output("rdata_o", &rdata);
    for (name, value) in maxima {
        i = i.param(name, *value);
    }
    for (name, set) in errors {
        i = i.input(&format!("{name}_set_i"), set);
    }
    let mut fields = vec![];
    for f in interface.registers.iter().flat_map(|r| &r.fields) {
        if unit.has_port(&format!("{}_o", f.name)) {
            let max = maxima.iter().find(|(n, _)| *n == format!("{}_MAX", f.name.to_uppercase()));
            let wire = m.wire_later(&f.name, uint(max.map_or(Dim::from(f.width), |(_, max)| (*max + 1).clog2())));
            i = i.output(&format!("{}_o", f.name), &wire);
            fields.push((f.name.clone(), (*wire).clone()));
        }
    }
    i.done();
    fields
}

/// All values or-ed; zero when there is none.
fn any_of(values: Vec<Expr>, ty: Ty) -> Expr {
    values.into_iter().reduce(|a, b| a | b).unwrap_or_else(|| lit(0, ty))
}

/// Cost of the register file: its bits, the bits that it only shows, its written fields, their comparisons with a limit, and what
/// is there once. The LUT figures were fitted to register maps of two to five fields, those of bits shown to maps of wrappers.
pub fn register_file_cost(family: Family, registers: &[Register]) -> Cost {
    let stored = |f: &bitlathe_spec::Field| match f.access {
        Access::ReadOnly | Access::ReadToClear => 0,
        Access::ReadWrite => 64 - f.max.leading_zeros(),
        Access::WriteOneToClear | Access::Trigger => 1,
    };
    let bits = f64::from(registers.iter().flat_map(|r| &r.fields).map(stored).sum::<u32>());
    let live = |f: &&bitlathe_spec::Field| f.access == Access::ReadOnly && f.min < f.max;
    let shown = f64::from(registers.iter().flat_map(|r| &r.fields).filter(live).map(|f| f.width).sum::<u32>());
    let triggers = registers.iter().flat_map(|r| &r.fields).filter(|f| f.access == Access::Trigger);
    let written = (bounded(registers).count() + triggers.count()) as f64;
    // A limit of one less than a power of two, or from one on, needs no subtraction.
    let comparisons = |f: &bitlathe_spec::Field| u8::from(!(f.max + 1).is_power_of_two()) + u8::from(f.min > 1);
    let comparisons = f64::from(bounded(registers).map(comparisons).sum::<u8>());
    let (bit, field, comparison, once) = match family {
        Family::Xcup | Family::Xc7 | Family::Ice40 => (1.0, 4.0, 0.0, 10.0),
        Family::Ecp5 => (1.5, 2.0, 42.0, 18.0),
    };
    Cost::logic(bits * bit + shown * 0.44 + written * field + comparisons * comparison + once, bits)
}

/// Whether every word is legal.
fn is_whole(field: &bitlathe_spec::Field) -> bool {
    field.min == 0 && field.max == u64::from(u32::MAX)
}

/// Fields that software writes within bounds, in map order, but those that can only be 0.
fn bounded(registers: &[Register]) -> impl Iterator<Item = &bitlathe_spec::Field> {
    let fields = registers.iter().flat_map(|r| &r.fields);
    fields.filter(|f| f.access == Access::ReadWrite && f.max > 0 && !is_whole(f))
}

/// A 32-bit word from fields by lowest bit; one entry at 32 is symbolic padding above a bounded field.
fn assemble(mut fields: Vec<(u32, Expr)>) -> Expr {
    fields.sort_by_key(|f| f.0);
    if fields.last().is_some_and(|f| f.0 == 32) {
        let parts: Vec<&Expr> = fields.iter().rev().map(|f| &f.1).collect();
        return concat(&parts);
    }
    let mut parts: Vec<Expr> = vec![];
    let mut at = 0;
    for (lsb, e) in fields {
        if lsb > at {
            parts.push(lit(0, uint(lsb - at)));
        }
        at = lsb + e.width().value() as u32;
        parts.push(e);
    }
    if at < 32 {
        parts.push(lit(0, uint(32 - at)));
    }
    let refs: Vec<&Expr> = parts.iter().rev().collect();
    concat(&refs)
}

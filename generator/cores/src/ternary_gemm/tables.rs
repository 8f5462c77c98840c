//! Lookup tables in two styles and the unit that fills them.
//!
//! They live with the core and not among the shared parts because the fill is no general memory port: which sums are written,
//! and in which order, is the core's own coding of ternary patterns (`fill.rs`), and the two banks are handed over by the
//! core's walk over slabs. `flow/tests/parts/tables.rs` tests table and fill path alone.

use std::rc::Rc;

use bitlathe_hdl::{Module, RamStyle, Unit, bit, clog2, concat, lit, uint};

use super::fill::Table;

/// A table in look-up-table memory: one write port, `PORTS` read ports, two banks.
pub fn table_lutram(ports: i64, width: i64, index_bits: i64) -> Rc<Unit> {
    let m = Module::new("table_lutram");
    m.doc("Lookup table in distributed memory: two banks, one write port, PORTS registered read ports.");
    let (p, w, a) = table_params(&m, ports, width, index_bits);
    let t = table_ports(&m, &p, &w, &a);
    let mem = m.memory("entries", &w, (&a + 1).pow2(), RamStyle::Distributed, "bank above index");
    let waddr = m.wire("write_address", &concat(&[&t.write_bank, &t.write_index]));
    mem.write(&t.clock, &t.write, &waddr, &t.write_data);
    let out = t.clock.reg("data_q", uint(&p * &w));
    m.generate_for("g_port", &p, |i| {
        let address = m.wire("read_address", &concat(&[&t.read_bank, &t.read_index.lane(i, &a)]));
        out.next_lane(i, &w, Some(&t.en), &mem.read(&address));
    });
    m.output("data_o", &out);
    m.finish()
}

/// A table in flip-flops with a multiplexer a read port: the baseline for devices without distributed memory.
pub fn table_mux(ports: i64, width: i64, index_bits: i64) -> Rc<Unit> {
    let m = Module::new("table_mux");
    m.doc(
        "Lookup table in flip-flops: two banks, one write port, PORTS registered read ports with a multiplexer each.",
    );
    let (p, w, a) = table_params(&m, ports, width, index_bits);
    let t = table_ports(&m, &p, &w, &a);
    let depth = m.localparam("DEPTH", a.pow2());
    let one = lit(1, uint(&depth));
    let select = m.wire("write_select", &one.shl(&t.write_index));
    let banks = [("bank0", !&t.write_bank), ("bank1", t.write_bank.clone())].map(|(name, chosen)| {
        let bank = t.clock.reg(&format!("{name}_q"), uint(&depth * &w));
        m.generate_for(&format!("g_{name}"), &depth, |i| {
            let enable = m.wire(&format!("{name}_write"), &(&t.write & &chosen & select.bit(i)));
            bank.next_lane(i, &w, Some(&enable), &t.write_data);
        });
        bank
    });
    let active = m.wire("active", &t.read_bank.select(&*banks[1], &*banks[0]));
    let out = t.clock.reg("data_q", uint(&p * &w));
    m.generate_for("g_port", &p, |i| {
        let index = m.wire("index", &t.read_index.lane(i, &a));
        out.next_lane(i, &w, Some(&t.en), &active.lane_at(&index, &w));
    });
    m.output("data_o", &out);
    m.finish()
}

type Dims3 = (bitlathe_hdl::Dim, bitlathe_hdl::Dim, bitlathe_hdl::Dim);

fn table_params(m: &Module, ports: i64, width: i64, index_bits: i64) -> Dims3 {
    (
        m.param("PORTS", ports, 1..=512, "read ports, one a row"),
        m.param("WIDTH", width, 2..=32, "bits of an entry"),
        m.param("INDEX_W", index_bits, 1..=8, "address bits of a bank"),
    )
}

struct TablePorts {
    clock: bitlathe_hdl::Clock,
    en: bitlathe_hdl::Expr,
    write: bitlathe_hdl::Expr,
    write_bank: bitlathe_hdl::Expr,
    write_index: bitlathe_hdl::Expr,
    write_data: bitlathe_hdl::Expr,
    read_bank: bitlathe_hdl::Expr,
    read_index: bitlathe_hdl::Expr,
}

fn table_ports(m: &Module, p: &bitlathe_hdl::Dim, w: &bitlathe_hdl::Dim, a: &bitlathe_hdl::Dim) -> TablePorts {
    let t = TablePorts {
        clock: m.clock(),
        en: m.input("en_i", bit()),
        write: m.input("write_i", bit()),
        write_bank: m.input("write_bank_i", bit()),
        write_index: m.input("write_index_i", uint(a)),
        write_data: m.input("write_data_i", uint(w)),
        read_bank: m.input("read_bank_i", bit()),
        read_index: m.input("read_index_i", uint(p * a)),
    };
    m.describe(&t.en, "advances the read registers");
    m.describe(&t.read_index, "one address a port, port 0 lowest");
    t
}

/// Moves a one-hot pointer on by one, round and round.
fn rotate(m: &Module, pointer: &bitlathe_hdl::Reg, when: &bitlathe_hdl::Expr, width: &bitlathe_hdl::Dim) {
    let moved = m.wire("moved", &concat(&[pointer, &pointer.bit(width - 1)]));
    m.allow(&moved, "UNUSEDSIGNAL", "the highest bit went round to the lowest");
    pointer.next_when(when, moved.slice(0, width));
}

/// Steps through the fill of a table: which activation is added, and where the sum goes.
pub fn fill_control(table: Table, batch: i64) -> Rc<Unit> {
    let program = table.program();
    let name = match table {
        Table::Dense(g) => format!("fill_control_dense{g}"),
        Table::OneZero => "fill_control_sherry".into(),
    };
    let m = Module::new(&name);
    m.doc("Takes BATCH activation beats, then steps all tables through one fill and hands the bank over.");
    let b = m.param("BATCH", batch, 1..=16, "activation vectors side by side");
    let (ck, valid, last) = (m.clock(), m.input("x_valid_i", bit()), m.input("x_last_i", bit()));
    let ready = m.output_wire("x_ready_o", bit());
    let free = m.input("free_i", uint(2));
    m.describe(&free, "a bank's last read is done");
    m.comment("Load: one beat a vector, a one-hot pointer says which");
    let busy = ck.reg("busy_q", bit()).reset_to(0);
    let pointer = ck.reg("pointer_q", uint(&b)).reset_to(1);
    let bank = ck.reg("bank_q", bit()).reset_to(0);
    let full = ck.reg("full_q", uint(2)).reset_to(0);
    let final_q = ck.reg("final_q", uint(2)).reset_to(0);
    let job_end = ck.reg("job_end_q", bit()).reset_to(0);
    ready.drive(!&*busy);
    let load = m.wire("load", &(&valid & !&*busy));
    let at_last = m.wire("last_vector", &pointer.bit(&b - 1));
    rotate(&m, &pointer, &load, &b);
    job_end.next_when(&load, &last);
    m.comment("Fill: one step a cycle through the program, into a bank that is free");
    let steps = program.len() as i64;
    let sw = clog2(steps);
    let step = ck.reg("step_q", uint(sw)).reset_to(0);
    let bank_full = m.wire("bank_full", &bank.select(full.bit(1), full.bit(0)));
    let run = m.wire("run", &(&*busy & !&bank_full));
    let ends = m.wire("ends", &(&run & step.eq_to(steps - 1)));
    step.next_when(&run, ends.select(0, step.wrapping_add(1)));
    let iw = i64::from(table.index_bits());
    let words: Vec<u64> = program
        .iter()
        .map(|s| {
            u64::from(s.index)
                | u64::from(s.write) << iw
                | u64::from(s.negate) << (iw + 1)
                | u64::from(s.clear) << (iw + 2)
                | u64::from(s.term) << (iw + 3)
        })
        .collect();
    let word = m.rom("step_word", &step, iw + 5, &words);
    m.describe(&word, "from the top: term, clear, negate, write, table index");
    let write = ck.reg("write_q", bit()).reset_to(0);
    write.next(&run & word.bit(iw));
    let index = ck.reg("index_q", uint(iw));
    index.next(word.slice(0, iw));
    let written = ck.reg("written_q", bit()).reset_to(0);
    written.next(&ends);
    m.describe(&m.output("load_o", &load.repeat(&b).and(&*pointer)), "which vector the beat belongs to, one bit each");
    m.describe(&m.output("run_o", &run), "a step is taken");
    m.describe(&m.output("clear_o", &word.bit(iw + 2)), "the step starts from zero");
    m.describe(&m.output("negate_o", &word.bit(iw + 1)), "the step subtracts");
    m.describe(&m.output("term_o", &word.slice(iw + 3, 2)), "activation of the group that the step adds");
    m.describe(&m.output("write_o", &write), "the sum of the step before goes into the table");
    m.output("write_index_o", &index);
    m.describe(&m.output("write_bank_o", &bank), "bank that is being filled");
    m.comment("Hand over: when the last write has been made; activations may change one cycle before");
    busy.next((&load & &at_last) | (&*busy & !&ends));
    bank.next(&*bank ^ &*written);
    let set = m.wire("set", &concat(&[&(&*written & &*bank), &(&*written & !&*bank)]));
    full.next((&*full | &set) & !&free);
    final_q
        .next(concat(&[&set.bit(1).select(&*job_end, final_q.bit(1)), &set.bit(0).select(&*job_end, final_q.bit(0))]));
    m.describe(&m.output("full_o", &full), "banks that hold a slab");
    m.describe(&m.output("final_o", &final_q), "banks whose slab belongs to the job's last pass");
    m.finish()
}

/// One table's running sum: adds or subtracts one activation of its group a step.
pub fn fill_lane(group: i64, act_bits: i64, width: i64) -> Rc<Unit> {
    let m = Module::new("fill_lane");
    m.doc("Running sum of a table's fill: plus or minus one activation a step.");
    let g = m.param("GROUP", group, 1..=4, "activations of the table");
    let a = m.param("ACT_W", act_bits, 2..=16, "bits of an activation");
    let w = m.param("WIDTH", width, 3..=32, "bits of a sum");
    m.guard(w.gt(&a), "a sum of activations is wider than one");
    let ck = m.clock();
    let (run, clear, negate) = (m.input("run_i", bit()), m.input("clear_i", bit()), m.input("negate_i", bit()));
    let term = m.input("term_i", uint(2));
    let x = m.input("x_i", uint(&g * &a));
    m.describe(&run, "a step is taken");
    m.describe(&clear, "start from zero");
    m.describe(&negate, "subtract the activation");
    m.describe(&term, "which activation");
    m.describe(&x, "the group's activations, the first lowest");
    let sum = ck.reg("sum_q", uint(&w));
    let chosen = m.wire("chosen", &x.lane_at(&term, &a));
    let flipped = m.wire("flipped", &(&chosen ^ negate.repeat(&a)));
    let operand = m.wire("operand", &concat(&[&flipped.msb().repeat(&w - &a), &flipped, &negate]));
    // The extra low bit carries the +1 of a subtraction into the chain.
    let next = m.wire("next", &concat(&[&*sum, &negate]).wrapping_add(&operand));
    m.allow(&next, "UNUSEDSIGNAL", "the lowest bit only makes the carry");
    sum.next_when(&run, clear.select(0, next.slice(1, &w)));
    m.output("sum_o", &sum);
    m.finish()
}

/// For styles without tables: activations go straight into one of two banks.
pub fn load_control(batch: i64) -> Rc<Unit> {
    let m = Module::new("load_control");
    m.doc("Takes BATCH activation beats into a free bank and hands the bank over.");
    let b = m.param("BATCH", batch, 1..=16, "activation vectors side by side");
    let (ck, valid, last) = (m.clock(), m.input("x_valid_i", bit()), m.input("x_last_i", bit()));
    let ready = m.output_wire("x_ready_o", bit());
    let free = m.input("free_i", uint(2));
    m.describe(&free, "a bank's last read is done");
    let pointer = ck.reg("pointer_q", uint(&b)).reset_to(1);
    let bank = ck.reg("bank_q", bit()).reset_to(0);
    let full = ck.reg("full_q", uint(2)).reset_to(0);
    let final_q = ck.reg("final_q", uint(2)).reset_to(0);
    let open = m.wire("open", &!bank.select(full.bit(1), full.bit(0)));
    ready.drive(&open);
    let load = m.wire("load", &(&valid & &open));
    let at_last = m.wire("last_vector", &pointer.bit(&b - 1));
    rotate(&m, &pointer, &load, &b);
    let done = m.wire("done", &(&load & &at_last));
    bank.next(&*bank ^ &done);
    let set = m.wire("set", &concat(&[&(&done & &*bank), &(&done & !&*bank)]));
    full.next((&*full | &set) & !&free);
    final_q.next(concat(&[&set.bit(1).select(&last, final_q.bit(1)), &set.bit(0).select(&last, final_q.bit(0))]));
    m.describe(&m.output("load_o", &load.repeat(&b).and(&*pointer)), "which vector the beat belongs to, one bit each");
    m.describe(&m.output("write_bank_o", &bank), "bank that is being filled");
    m.describe(&m.output("full_o", &full), "banks that hold a slab");
    m.describe(&m.output("final_o", &final_q), "banks whose slab belongs to the job's last pass");
    m.finish()
}

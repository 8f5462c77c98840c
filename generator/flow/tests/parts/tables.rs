//! The lookup table with its fill path, as `ternary-gemm` wires it: what a fill writes is read at every port, and a bank that is
//! filled leaves the other alone.

use std::rc::Rc;

use bitlathe_cores::random::Random;
use bitlathe_cores::ternary_gemm::fill::Table;
use bitlathe_cores::ternary_gemm::tables::{fill_control, fill_lane, table_lutram, table_mux};
use bitlathe_hdl::{Module, Unit, bit, lit, uint};

use super::bench::{Bench, Cycle, Part};

const PORTS: i64 = 3;
const ACT_W: i64 = 5;
/// Bits of an entry: the sum of four activations.
const WIDTH: i64 = 7;

/// Fill control, running sum and table around one group of activations.
fn filled_table(table: Table, mux: bool) -> Rc<Unit> {
    let (group, index_bits) = (table.group() as i64, i64::from(table.index_bits()));
    let style = if mux { "mux" } else { "lutram" };
    let m = Module::new(&format!("filled_{style}_{group}_{index_bits}"));
    m.doc("A lookup table with its fill path.");
    let ck = m.clock();
    let (x_valid, x) = (m.input("x_valid_i", bit()), m.input("x_i", uint(group * ACT_W)));
    let free = m.input("free_i", uint(2));
    let (read_bank, read_index) = (m.input("read_bank_i", bit()), m.input("read_index_i", uint(PORTS * index_bits)));
    let x_ready = m.output_wire("x_ready_o", bit());
    let full = m.output_wire("full_o", uint(2));
    let final_bank = m.output_wire("final_o", uint(2));
    let [load, run, clear, negate, write, write_bank] =
        ["load", "run", "clear", "negate", "write", "write_bank"].map(|n| m.wire_later(n, bit()));
    let (term, index) = (m.wire_later("term", uint(2)), m.wire_later("index", uint(index_bits)));
    m.instance("u_control", &fill_control(table, 1))
        .clock(&ck)
        .input("x_valid_i", &x_valid)
        .input("x_last_i", &lit(0, bit()))
        .output("x_ready_o", &x_ready)
        .input("free_i", &free)
        .output("load_o", &load)
        .output("run_o", &run)
        .output("clear_o", &clear)
        .output("negate_o", &negate)
        .output("term_o", &term)
        .output("write_o", &write)
        .output("write_index_o", &index)
        .output("write_bank_o", &write_bank)
        .output("full_o", &full)
        .output("final_o", &final_bank)
        .done();
    let held = ck.reg("x_q", uint(group * ACT_W));
    held.next_when(&load, &x);
    let sum = m.wire_later("sum", uint(WIDTH));
    m.instance("u_fill", &fill_lane(group, ACT_W, WIDTH))
        .param("GROUP", group)
        .param("ACT_W", ACT_W)
        .param("WIDTH", WIDTH)
        .clock(&ck)
        .input("run_i", &run)
        .input("clear_i", &clear)
        .input("negate_i", &negate)
        .input("term_i", &term)
        .input("x_i", &held)
        .output("sum_o", &sum)
        .done();
    let data = m.output_wire("data_o", uint(PORTS * WIDTH));
    let unit = if mux { table_mux(PORTS, WIDTH, index_bits) } else { table_lutram(PORTS, WIDTH, index_bits) };
    m.instance("u_table", &unit)
        .param("PORTS", PORTS)
        .param("WIDTH", WIDTH)
        .param("INDEX_W", index_bits)
        .clock(&ck)
        .input("en_i", &lit(1, bit()))
        .input("write_i", &write)
        .input("write_bank_i", &write_bank)
        .input("write_index_i", &index)
        .input("write_data_i", &sum)
        .input("read_bank_i", &read_bank)
        .input("read_index_i", &read_index)
        .output("data_o", &data)
        .done();
    m.finish()
}

/// The sums that a table of these activations holds, by address, as entries of `WIDTH` bits.
fn sums(table: Table, x: &[i64]) -> Vec<(i64, i64)> {
    let sum = |weights: &[i8]| weights.iter().zip(x).map(|(w, x)| i64::from(*w) * x).sum::<i64>();
    table.entries().iter().map(|(address, w)| (i64::from(*address), sum(w) & ((1 << WIDTH) - 1))).collect()
}

#[test]
fn a_fill_is_read_back_at_every_port_of_either_bank() {
    for table in [Table::Dense(2), Table::Dense(3), Table::Dense(4), Table::OneZero] {
        let group = table.group();
        let part = |mux| {
            let unit = filled_table(table, mux);
            Part::new(unit).vector("x_i", group).vector("read_index_i", PORTS as usize).vector("data_o", PORTS as usize)
        };
        let bench = Bench::new(&format!("tables_{group}_{}", table.index_bits()), &[part(false), part(true)]);
        let mut r = Random::new(17);
        let x: Vec<Vec<i64>> =
            (0..3).map(|_| (0..group).map(|_| r.below(1 << ACT_W) as i64 - (1 << (ACT_W - 1))).collect()).collect();
        let steps = table.program().len();
        let fill = steps + 4;
        let mut cycles: Vec<Cycle> = vec![];
        let mut expected: Vec<(usize, usize, i64)> = vec![];
        let idle = |cycles: &mut Vec<Cycle>, x: Option<&Vec<i64>>, free: i64, bank: i64, index: i64| {
            let mut inputs = vec![i64::from(x.is_some())];
            inputs.extend(x.cloned().unwrap_or_else(|| vec![0; group]).iter().map(|v| v & ((1 << ACT_W) - 1)));
            inputs.extend([free, bank]);
            // Each port reads another address.
            inputs.extend((0..PORTS).map(|p| (index + p) % (1 << table.index_bits())));
            cycles.push(vec![inputs; 2]);
        };
        let mut read = |cycles: &mut Vec<Cycle>, bank: i64, x: &[i64]| {
            let entries = sums(table, x);
            for index in 0..1i64 << table.index_bits() {
                for port in 0..PORTS {
                    let address = (index + port) % (1 << table.index_bits());
                    if let Some((_, sum)) = entries.iter().find(|e| e.0 == address) {
                        expected.push((cycles.len() + 1, port as usize, *sum));
                    }
                }
                idle(cycles, None, 0, bank, index);
            }
        };
        for set in &x[..2] {
            idle(&mut cycles, Some(set), 0, 0, 0);
            (1..fill).for_each(|_| idle(&mut cycles, None, 0, 0, 0));
        }
        read(&mut cycles, 0, &x[0]);
        read(&mut cycles, 1, &x[1]);
        // Both banks are full: a third set is taken but not filled in before bank 0 is free.
        idle(&mut cycles, Some(&x[2]), 0, 0, 0);
        (1..fill).for_each(|_| idle(&mut cycles, None, 0, 0, 0));
        read(&mut cycles, 0, &x[0]);
        let freed = cycles.len();
        idle(&mut cycles, None, 1, 0, 0);
        read(&mut cycles, 1, &x[1]);
        (0..fill).for_each(|_| idle(&mut cycles, None, 0, 0, 0));
        read(&mut cycles, 0, &x[2]);
        read(&mut cycles, 1, &x[1]);
        idle(&mut cycles, None, 0, 0, 0);
        let outputs = bench.play(&cycles);
        // x_ready_o, full_o, final_o, then the ports.
        for out in &outputs[freed] {
            assert_eq!(out[..2], [0, 3], "a set waits while both banks are full");
        }
        for (t, port, sum) in &expected {
            for (part, out) in outputs[*t].iter().enumerate() {
                assert_eq!(out[3 + port], *sum, "{table:?}, part {part}, port {port}, cycle {t}");
            }
        }
    }
}

//! Reads the netlist that Yosys writes as JSON: ports of a module, parameter values, logic depth.

use std::collections::{BTreeMap, HashMap};

use bitlathe_spec::Family;
use serde::Deserialize;

use super::cells::{Kind, kind};

/// A netlist as written by `write_json`.
#[derive(Debug, Deserialize)]
pub(super) struct Netlist {
    pub modules: BTreeMap<String, Module>,
}

/// One module.
#[derive(Debug, Deserialize)]
pub(super) struct Module {
    #[serde(default)]
    pub attributes: HashMap<String, serde_json::Value>,
    #[serde(default)]
    pub parameter_default_values: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    pub ports: BTreeMap<String, Port>,
    #[serde(default)]
    pub cells: HashMap<String, Cell>,
}

/// A port with its nets, least significant first.
#[derive(Debug, Deserialize)]
pub(super) struct Port {
    pub direction: String,
    pub bits: Vec<Bit>,
}

/// A cell instance.
#[derive(Debug, Deserialize)]
pub(super) struct Cell {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub parameters: HashMap<String, serde_json::Value>,
    #[serde(default)]
    pub port_directions: HashMap<String, String>,
    #[serde(default)]
    pub connections: HashMap<String, Vec<Bit>>,
}

/// A net by number, or a constant.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(untagged)]
pub(super) enum Bit {
    Net(u32),
    #[allow(dead_code)]
    Constant(String),
}

/// Nets that reach other nets through a cell without a clock; the outputs share one depth.
struct Arc {
    inputs: Vec<u32>,
    outputs: Vec<u32>,
}

/// Cells on the longest path between registers, block memories and ports. LUTs, carry cells, wide multiplexers, reads of
/// distributed RAM and DSP blocks without registers count one each. `None` if the netlist
/// holds a combinational loop.
pub(super) fn logic_depth(module: &Module, family: Family) -> Option<u64> {
    let arcs: Vec<Arc> = module.cells.values().flat_map(|c| arcs(c, family)).collect();
    let mut readers: HashMap<u32, Vec<usize>> = HashMap::new();
    let driven: HashMap<u32, usize> =
        arcs.iter().enumerate().flat_map(|(i, a)| a.outputs.iter().map(move |net| (*net, i))).collect();
    let mut waiting: Vec<usize> = Vec::with_capacity(arcs.len());
    for (i, arc) in arcs.iter().enumerate() {
        let pending = arc.inputs.iter().filter(|net| driven.contains_key(net));
        waiting.push(pending.inspect(|net| readers.entry(**net).or_default().push(i)).count());
    }
    let mut depth = vec![1_u64; arcs.len()];
    let mut ready: Vec<usize> = (0..arcs.len()).filter(|i| waiting[*i] == 0).collect();
    let mut done = 0;
    while let Some(i) = ready.pop() {
        done += 1;
        for reader in arcs[i].outputs.iter().flat_map(|net| readers.get(net).into_iter().flatten()) {
            depth[*reader] = depth[*reader].max(depth[i] + 1);
            waiting[*reader] -= 1;
            if waiting[*reader] == 0 {
                ready.push(*reader);
            }
        }
    }
    (done == arcs.len()).then(|| depth.into_iter().max().unwrap_or(0))
}

/// The combinational parts of a cell: one as a rule, none for a register, one a read port for distributed RAM.
fn arcs(cell: &Cell, family: Family) -> Vec<Arc> {
    match kind(family, &cell.kind) {
        Some(Kind::Lut | Kind::Carry(_) | Kind::Mux) => vec![arc(cell, |_| true, |_| true)],
        Some(Kind::LutRam(_)) => {
            // `RAM64M` and its like have the read ports A to H, each with an address and data of its own.
            let ports = ('A'..='H').filter(|p| cell.connections.contains_key(&format!("DO{p}")));
            let arcs: Vec<Arc> =
                ports.map(|p| arc(cell, |i| i == format!("ADDR{p}"), |o| o == format!("DO{p}"))).collect();
            if arcs.is_empty() { vec![arc(cell, is_read_address, |_| true)] } else { arcs }
        }
        Some(Kind::Dsp) if !has_registers(cell) => vec![arc(cell, |_| true, |_| true)],
        _ => Vec::new(),
    }
}

fn arc(cell: &Cell, input: impl Fn(&str) -> bool, output: impl Fn(&str) -> bool) -> Arc {
    let nets = |direction: &str, wanted: &dyn Fn(&str) -> bool| -> Vec<u32> {
        let ports = cell.connections.iter();
        let ports = ports.filter(|(p, _)| cell.port_directions.get(*p).is_some_and(|d| d == direction) && wanted(p));
        let bits = ports.flat_map(|(_, bits)| bits);
        let mut nets: Vec<u32> = bits.filter_map(|b| if let Bit::Net(net) = b { Some(*net) } else { None }).collect();
        nets.sort_unstable();
        nets.dedup();
        nets
    };
    Arc { inputs: nets("input", &input), outputs: nets("output", &output) }
}

/// Inputs of distributed RAM that reach its outputs without a clock: the addresses, not data, write enable and clock.
fn is_read_address(port: &str) -> bool {
    port.starts_with("DPRA") || !(port.starts_with(['D', 'W']) || port == "CE" || port == "CLK")
}

/// Whether a DSP block has any register in use. Xilinx counts registers (`PREG = 1`), Lattice names a clock (`CLK0`).
fn has_registers(cell: &Cell) -> bool {
    let is_register = |name: &str| name.ends_with("REG") || (name.starts_with("REG_") && name.ends_with("_CLK"));
    cell.parameters.iter().filter(|(name, _)| is_register(name)).any(|(_, value)| match value {
        serde_json::Value::String(text) => text != "NONE" && text.contains(|c| c != '0'),
        other => other.as_u64() != Some(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// A netlist of (cell, inputs, outputs), ports as (name, net).
    /// Kind, inputs and outputs of a cell, each port with its net.
    type Cell<'a> = (&'a str, &'a [(&'a str, u32)], &'a [(&'a str, u32)]);

    fn module(cells: &[Cell]) -> Module {
        let ports = |ports: &[(&str, u32)], value: fn(u32) -> Value| -> Vec<(String, Value)> {
            ports.iter().map(|(name, net)| (name.to_string(), value(*net))).collect()
        };
        let cell = |(kind, inputs, outputs): &Cell| {
            let mut directions = ports(inputs, |_| json!("input"));
            directions.extend(ports(outputs, |_| json!("output")));
            let nets: Vec<_> =
                ports(inputs, |n| json!([n, "0"])).into_iter().chain(ports(outputs, |n| json!([n]))).collect();
            json!({
                "type": kind,
                "port_directions": directions.into_iter().collect::<serde_json::Map<_, _>>(),
                "connections": nets.into_iter().collect::<serde_json::Map<_, _>>(),
            })
        };
        let cells: serde_json::Map<_, _> =
            cells.iter().enumerate().map(|(i, c)| (format!("cell{i}"), cell(c))).collect();
        serde_json::from_value(json!({ "cells": cells })).unwrap()
    }

    #[test]
    fn registers_and_memory_writes_end_a_path() {
        let through_a_register = module(&[
            ("LUT2", &[("I0", 1)], &[("O", 2)]),
            ("LUT2", &[("I0", 2)], &[("O", 3)]),
            ("FDRE", &[("D", 3)], &[("Q", 4)]),
            ("LUT2", &[("I0", 4)], &[("O", 5)]),
        ]);
        assert_eq!(logic_depth(&through_a_register, Family::Xcup), Some(2));
        // An accumulator in distributed RAM: what is read goes back as data, which is no loop.
        let accumulator =
            module(&[("RAM32M", &[("ADDRA", 1), ("DIA", 3)], &[("DOA", 2)]), ("LUT2", &[("I0", 2)], &[("O", 3)])]);
        assert_eq!(logic_depth(&accumulator, Family::Xc7), Some(2));
        // One port's data is another port's address, which is no loop either.
        let chained = module(&[("RAM32M", &[("ADDRA", 1), ("ADDRB", 2)], &[("DOA", 2), ("DOB", 3)])]);
        assert_eq!(logic_depth(&chained, Family::Xc7), Some(2));
        assert_eq!(logic_depth(&module(&[]), Family::Ice40), Some(0));
    }

    #[test]
    fn a_loop_has_no_depth() {
        let ring = module(&[("SB_LUT4", &[("I0", 1)], &[("O", 2)]), ("SB_LUT4", &[("I0", 2)], &[("O", 1)])]);
        assert_eq!(logic_depth(&ring, Family::Ice40), None);
    }
}

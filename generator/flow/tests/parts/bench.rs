//! A bench that plays parts cycle by cycle: beat `n` of one wide stream is what all inputs hold in cycle `n`, and the outputs
//! of that cycle, before its clock edge, are beat `n` of another. Many parts share one bench, so one build serves them all.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::rc::Rc;

use bitlathe_flow::sim::{Options, Simulator, Stalls};
use bitlathe_hdl::{Port, Unit};
use bitlathe_spec::{
    Axis, Carrier, DType, DimSpec, Dims, Dir, Extent, Interface, Job, LaneVar, Layout, LoopVar, Role, SourceFile,
    Stream, Tensor, TensorSpec,
};

use super::{assert_lint_clean, printed, tools};

/// Bits of an element of either stream; ports are cut from elements and extended to them.
const ELEMENT: u32 = 64;

/// Values of each part's ports in one cycle, in the order of its ports; a vector of `n` values takes `n` places.
pub type Cycle = Vec<Vec<i64>>;

/// A part on the bench.
#[derive(Clone)]
pub struct Part {
    unit: Rc<Unit>,
    /// Ports that are vectors, with their numbers of values.
    vectors: Vec<(&'static str, usize)>,
    /// Ends the names of its modules, which other parts have too.
    suffix: String,
}

impl Part {
    pub fn new(unit: Rc<Unit>) -> Self {
        Self { unit, vectors: vec![], suffix: String::new() }
    }

    /// A port holds several values side by side.
    pub fn vector(mut self, port: &'static str, values: usize) -> Self {
        self.vectors.push((port, values));
        self
    }

    /// The names of its modules get a suffix: on one bench, one name would mean one module.
    pub fn renamed(mut self, suffix: String) -> Self {
        self.suffix = suffix;
        self
    }

    /// Its files under their names on the bench.
    fn files(&self) -> Vec<SourceFile> {
        let mut files = printed(&self.unit);
        let names: Vec<String> = files.iter().map(|f| f.path.trim_end_matches(".v").to_owned()).collect();
        for (file, name) in files.iter_mut().zip(&names) {
            file.path = format!("{name}{}.v", self.suffix);
            for known in &names {
                file.text = file.text.replace(known, &format!("{known}{}", self.suffix));
            }
        }
        files
    }

    fn ports(&self, input: bool) -> Vec<(Port, usize)> {
        let all = self.unit.manifest().ports.into_iter();
        all.filter(|p| p.input == input && !matches!(p.name.as_str(), "clk_i" | "rst_i"))
            .map(|p| {
                let values = self.vectors.iter().find(|(n, _)| *n == p.name).map_or(1, |v| v.1);
                (p, values)
            })
            .collect()
    }

    fn places(&self, input: bool) -> usize {
        self.ports(input).iter().map(|p| p.1).sum()
    }

    /// The instance: inputs are zero in cycles outside the test.
    fn instance(&self, number: usize, first_in: usize, first_out: usize) -> String {
        let mut ports = vec![];
        let mut wires = String::new();
        for clock in ["clk_i", "rst_i"].into_iter().filter(|c| self.unit.has_port(c)) {
            ports.push(format!(".{clock}({clock})"));
        }
        for (input, first) in [(true, first_in), (false, first_out)] {
            let mut at = first;
            for (port, values) in self.ports(input) {
                let (width, each) = (port.width as usize, port.width as usize / values);
                let wire = format!("p{number}_{}", port.name);
                let _ = writeln!(wires, "  wire [{}:0] {wire};", width - 1);
                for v in 0..values {
                    let element = (at + v) * ELEMENT as usize;
                    let part = format!("{wire}[{} +: {each}]", v * each);
                    let _ = if input {
                        writeln!(wires, "  assign {part} = s_data_i[{element} +: {each}] & {{{each}{{s_valid_i}}}};")
                    } else {
                        let fill = ELEMENT as usize - each;
                        let top = if port.signed { format!("{wire}[{}]", (v + 1) * each - 1) } else { "1'b0".into() };
                        let wide = if fill == 0 { part } else { format!("{{{{{fill}{{{top}}}}}, {part}}}") };
                        writeln!(wires, "  assign m_data_o[{element} +: {ELEMENT}] = {wide};")
                    };
                }
                at += values;
                ports.push(format!(".{}({wire})", port.name));
            }
        }
        let parameters: Vec<String> =
            self.unit.manifest().params.iter().map(|p| format!(".{}({})", p.name, p.value)).collect();
        let values = if parameters.is_empty() { String::new() } else { format!(" #({})", parameters.join(", ")) };
        let module = format!("{}{}", self.unit.name(), self.suffix);
        format!("{wires}  {module}{values} u_{number} ({});\n", ports.join(", "))
    }
}

/// A compiled bench.
pub struct Bench {
    simulator: Simulator,
    /// Elements of each part's inputs and outputs.
    places: Vec<(usize, usize)>,
}

impl Bench {
    /// Builds a bench of parts, each of which must be lint-clean.
    pub fn new(name: &str, parts: &[Part]) -> Self {
        let places: Vec<(usize, usize)> = parts.iter().map(|p| (p.places(true), p.places(false))).collect();
        let (inputs, outputs) = places.iter().fold((0, 0), |(i, o), p| (i + p.0, o + p.1));
        let mut text = format!(
            "module {name} (\n  input clk_i, input rst_i,\n  input s_valid_i, output s_ready_o, input [{}:0] s_data_i,\n  \
             output m_valid_o, input m_ready_i, output [{}:0] m_data_o\n);\n  \
             assign s_ready_o = m_ready_i;\n  assign m_valid_o = s_valid_i;\n",
            inputs as u32 * ELEMENT - 1,
            outputs as u32 * ELEMENT - 1
        );
        let mut files: BTreeMap<String, SourceFile> = BTreeMap::new();
        let (mut at_in, mut at_out) = (0, 0);
        for (n, (part, place)) in parts.iter().zip(&places).enumerate() {
            text += &part.instance(n, at_in, at_out);
            (at_in, at_out) = (at_in + place.0, at_out + place.1);
            if !files.contains_key(&format!("{}{}.v", part.unit.name(), part.suffix)) {
                assert_lint_clean(&part.unit);
            }
            files.extend(part.files().into_iter().map(|f| (f.path.clone(), f)));
        }
        let mut files: Vec<SourceFile> = files.into_values().collect();
        files.push(SourceFile { path: format!("{name}.v"), text: text + "endmodule\n" });
        let options = Options { parameters: vec![], ..Options::default() };
        let interface = interface(name, (inputs as u64, outputs as u64), ELEMENT);
        let simulator = Simulator::build(&interface, &files, &tools(), options).expect("the bench builds");
        Self { simulator, places }
    }

    /// Plays the cycles; what each part's outputs held in each.
    pub fn play(&self, cycles: &[Cycle]) -> Vec<Cycle> {
        let outputs: usize = self.places.iter().map(|p| p.1).sum();
        let mut data = vec![];
        for cycle in cycles {
            assert_eq!(cycle.len(), self.places.len(), "values for every part");
            for (values, place) in cycle.iter().zip(&self.places) {
                assert_eq!(values.len(), place.0, "a value for every input");
                data.extend(values);
            }
        }
        let job = job(cycles.len() * self.places.iter().map(|p| p.0).sum::<usize>(), data, cycles.len() * outputs);
        let run = self.simulator.run(&job, &|_, _| 0, Stalls::NONE, None).expect("the bench runs");
        assert_eq!(run.cycles, cycles.len() as u64, "beats are cycles");
        run.outputs["m"]
            .data
            .chunks_exact(outputs)
            .map(|row| {
                let mut rest = row;
                self.places
                    .iter()
                    .map(|p| {
                        let (mine, others) = rest.split_at(p.1);
                        rest = others;
                        mine.to_vec()
                    })
                    .collect()
            })
            .collect()
    }
}

/// Ports `s` and `m`: plain elements of `bits` bits, so many in a beat of either.
pub fn interface(top: &str, (wide_in, wide_out): (u64, u64), bits: u32) -> Interface {
    let layout = |dim: &str, lanes: u64| Layout {
        loops: vec![LoopVar { name: "n".into(), extent: Extent::CeilDiv { dim: dim.into(), by: lanes } }],
        lanes: vec![LaneVar { name: "lane".into(), extent: lanes }],
        group: 1,
        lane_bits: bits,
        code: "plain".into(),
        axes: vec![Axis { terms: vec![("n".into(), lanes), ("lane".into(), 1)], tile: lanes }],
        shape: vec![],
    };
    let tensor = |name: &str, role, dim: &str| TensorSpec {
        name: name.into(),
        role,
        dtype: DType::I64,
        shape: vec![DimSpec::Named(dim.into())],
        range: (i64::MIN, i64::MAX),
        default: None,
        carrier: Carrier::Stream(name.into()),
        doc: String::new(),
    };
    let stream = |name: &str, dir, dim: &str, lanes| Stream {
        name: name.into(),
        dir,
        layout: layout(dim, lanes),
        signed: true,
        last: false,
        doc: String::new(),
    };
    Interface {
        top: top.into(),
        sizes: vec![],
        tensors: vec![tensor("s", Role::In, "IN"), tensor("m", Role::Out, "OUT")],
        streams: vec![stream("s", Dir::In, "IN", wide_in), stream("m", Dir::Out, "OUT", wide_out)],
        registers: vec![],
    }
}

/// A job that sends `inputs` elements and awaits `outputs`.
pub fn job(inputs: usize, data: Vec<i64>, outputs: usize) -> Job {
    let dims: Dims = BTreeMap::from([("IN".to_owned(), inputs as u64), ("OUT".to_owned(), outputs as u64)]);
    let tensors = BTreeMap::from([("s".to_owned(), Tensor::new(DType::I64, [inputs], data))]);
    Job { dims, tensors }
}

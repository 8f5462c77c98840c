//! Random expression trees, printed as Verilog, run under Verilator and compared with an evaluator in plain integers.

use std::collections::BTreeMap;

use bitlathe_cores::random::Random;
use bitlathe_flow::lint;
use bitlathe_flow::sim::{Options, Simulator, StallMode, Stalls};
use bitlathe_flow::tools::Tools;
use bitlathe_hdl::{Expr, Module, check, concat, lit, sint, uint};
use bitlathe_spec::{
    Axis, Carrier, DType, DimSpec, Dims, Dir, Extent, Interface, Job, LaneVar, Layout, LoopVar, Role, SourceFile,
    Stream, Tensor, TensorSpec,
};

const INPUTS: usize = 6;
const OUTPUTS: usize = 48;
const LANE: i64 = 56;

/// A value with its exact meaning: the expression, and what it is worth for given inputs.
#[derive(Clone)]
struct Node {
    expr: Expr,
    bits: i64,
    tree: Tree,
}

#[derive(Clone)]
enum Tree {
    Input(usize),
    Constant(i128),
    Binary(char, Box<Tree>, Box<Tree>),
    /// Cut to bits and read with a sign.
    Cut(Box<Tree>, i64, i64, bool),
    Choose(Box<Tree>, Box<Tree>, Box<Tree>),
    /// High part, low part and the bits of the low part.
    Join(Box<Tree>, Box<Tree>, i64),
}

fn cut(v: i128, lo: i64, bits: i64, signed: bool) -> i128 {
    let v = (v >> lo) & ((1 << bits) - 1);
    if signed && v >> (bits - 1) & 1 == 1 { v - (1 << bits) } else { v }
}

impl Tree {
    fn value(&self, x: &[i128]) -> i128 {
        match self {
            Self::Input(i) => x[*i],
            Self::Constant(v) => *v,
            Self::Cut(a, lo, bits, signed) => cut(a.value(x), *lo, *bits, *signed),
            Self::Choose(c, a, b) => if c.value(x) != 0 { a } else { b }.value(x),
            Self::Join(a, b, bits) => a.value(x) << bits | b.value(x),
            Self::Binary(op, a, b) => {
                let (a, b) = (a.value(x), b.value(x));
                match op {
                    '+' => a + b,
                    '-' => a - b,
                    '*' => a * b,
                    '&' => a & b,
                    '|' => a | b,
                    '^' => a ^ b,
                    '=' => i128::from(a == b),
                    _ => i128::from(a < b),
                }
            }
        }
    }
}

struct Maker<'a> {
    m: &'a Module,
    r: Random,
    inputs: Vec<Node>,
    names: usize,
}

impl Maker<'_> {
    fn named(&mut self, expr: &Expr, tree: Tree) -> Node {
        self.names += 1;
        let ty = expr.ty().clone();
        let expr = self.m.wire(&format!("n{}", self.names), expr);
        Node { expr, bits: ty.width.value(), tree }
    }

    /// The low bits of a value as an unsigned vector of `bits`.
    fn raw(&mut self, n: &Node, bits: i64) -> Node {
        if n.bits < bits {
            let wide = n.expr.extend(bits);
            let tree = Tree::Cut(Box::new(n.tree.clone()), 0, bits, false);
            return self.named(&wide.as_unsigned(), tree);
        }
        let tree = Tree::Cut(Box::new(n.tree.clone()), 0, bits, false);
        self.named(&n.expr.slice(0, bits), tree)
    }

    fn node(&mut self, depth: u32) -> Node {
        let leaf = depth == 0 || self.r.below(8) == 0;
        if leaf {
            if self.r.below(6) == 0 {
                let (bits, signed) = (1 + self.r.below(9) as i64, self.r.below(2) == 1);
                let v = cut(i128::from(self.r.next()), 0, bits, signed);
                let ty = if signed { sint(bits) } else { uint(bits) };
                return self.named(&lit(v as i64, ty), Tree::Constant(v));
            }
            let i = self.r.below(INPUTS as u64) as usize;
            return self.inputs[i].clone();
        }
        let (a, b) = (self.node(depth - 1), self.node(depth - 1));
        let two = |op, a: &Node, b: &Node| Tree::Binary(op, Box::new(a.tree.clone()), Box::new(b.tree.clone()));
        match self.r.below(8) {
            0 if a.bits.max(b.bits) < LANE - 3 => self.named(&(&a.expr + &b.expr), two('+', &a, &b)),
            1 if a.bits.max(b.bits) < LANE - 3 => self.named(&(&a.expr - &b.expr), two('-', &a, &b)),
            2 if a.bits + b.bits < LANE - 3 => self.named(&(&a.expr * &b.expr), two('*', &a, &b)),
            3 => {
                let bits = 1 + self.r.below(12) as i64;
                let (x, y) = (self.raw(&a, bits), self.raw(&b, bits));
                match self.r.below(3) {
                    0 => self.named(&(&x.expr & &y.expr), two('&', &x, &y)),
                    1 => self.named(&(&x.expr | &y.expr), two('|', &x, &y)),
                    _ => self.named(&(&x.expr ^ &y.expr), two('^', &x, &y)),
                }
            }
            4 => {
                let bits = 1 + self.r.below(12) as i64;
                let signed = self.r.below(2) == 1;
                let (x, y) = (self.raw(&a, bits), self.raw(&b, bits));
                let read = |maker: &mut Self, n: &Node| {
                    let tree = Tree::Cut(Box::new(n.tree.clone()), 0, bits, true);
                    maker.named(&n.expr.as_signed(), tree)
                };
                let (x, y) = if signed { (read(self, &x), read(self, &y)) } else { (x, y) };
                match self.r.below(2) {
                    0 => self.named(&x.expr.lt(&y.expr), two('<', &x, &y)),
                    _ => self.named(&x.expr.eq_to(&y.expr), two('=', &x, &y)),
                }
            }
            5 => {
                let bits = 1 + self.r.below(12) as i64;
                let (x, y) = (self.raw(&a, bits), self.raw(&b, bits));
                let c = self.node(0);
                let c = self.raw(&c, 1);
                let tree = Tree::Choose(Box::new(c.tree.clone()), Box::new(x.tree.clone()), Box::new(y.tree.clone()));
                self.named(&c.expr.select(&x.expr, &y.expr), tree)
            }
            6 if a.bits + b.bits < LANE - 3 => {
                let (x, y) = (self.raw(&a, a.bits), self.raw(&b, b.bits));
                let tree = Tree::Join(Box::new(x.tree.clone()), Box::new(y.tree.clone()), y.bits);
                self.named(&concat(&[&x.expr, &y.expr]), tree)
            }
            _ => {
                let lo = self.r.below(a.bits as u64) as i64;
                let bits = 1 + self.r.below((a.bits - lo) as u64) as i64;
                let tree = Tree::Cut(Box::new(a.tree.clone()), lo, bits, false);
                self.named(&a.expr.slice(lo, bits), tree)
            }
        }
    }
}

fn layout(lanes: usize) -> Layout {
    let count = |name: &str, extent| LaneVar { name: name.into(), extent };
    Layout {
        loops: vec![LoopVar { name: "n".into(), extent: Extent::CeilDiv { dim: "N".into(), by: 1 } }],
        lanes: vec![count("lane", lanes as u64)],
        group: 1,
        lane_bits: LANE as u32,
        code: "plain".into(),
        axes: vec![
            Axis { terms: vec![("n".into(), 1)], tile: 1 },
            Axis { terms: vec![("lane".into(), 1)], tile: lanes as u64 },
        ],
    }
}

fn interface() -> Interface {
    let tensor = |name: &str, role, lanes: usize| TensorSpec {
        name: name.into(),
        role,
        dtype: DType::I64,
        shape: vec![DimSpec::Named("N".into()), DimSpec::Fixed(lanes as u64)],
        range: (i64::MIN, i64::MAX),
        default: None,
        carrier: Carrier::Stream(name.into()),
        doc: String::new(),
    };
    let stream = |name: &str, dir, lanes| Stream {
        name: name.into(),
        dir,
        layout: layout(lanes),
        signed: true,
        last: true,
        doc: String::new(),
    };
    Interface {
        top: "expressions".into(),
        sizes: vec![],
        tensors: vec![tensor("x", Role::In, INPUTS), tensor("y", Role::Out, OUTPUTS)],
        streams: vec![stream("x", Dir::In, INPUTS), stream("y", Dir::Out, OUTPUTS)],
        registers: vec![],
    }
}

/// A module of random expressions over six typed inputs, and their trees.
fn module(seed: u64) -> (Vec<SourceFile>, Vec<Tree>) {
    let m = Module::new("expressions");
    let ck = m.clock();
    m.allow(&ck.reset(), "UNUSEDSIGNAL", "everything is combinational");
    m.allow(&m.clock_value(&ck), "UNUSEDSIGNAL", "everything is combinational");
    let mut trees = vec![];
    let x = m.sink("x", uint(LANE * INPUTS as i64), true);
    x.map("y", |word| {
        let mut maker = Maker { m: &m, r: Random::new(seed), inputs: vec![], names: 0 };
        for i in 0..INPUTS {
            let (bits, signed) = ([1, 3, 8, 9, 13, 5][i], i % 2 == 1);
            let low = word.slice(LANE * i as i64, bits);
            let value = if signed { low.as_signed() } else { low };
            let node = maker.named(&value, Tree::Input(i));
            maker.inputs.push(node);
        }
        let mut parts = vec![];
        for _ in 0..OUTPUTS {
            let n = maker.node(3);
            trees.push(n.tree.clone());
            parts.push(n.expr.extend(LANE).as_unsigned());
        }
        let refs: Vec<&Expr> = parts.iter().rev().collect();
        concat(&refs)
    })
    .source("y");
    let design = check(&m.finish()).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    let files = design.files(&[]).into_iter().map(|(path, text)| SourceFile { path, text }).collect();
    (files, trees)
}

#[test]
fn random_expressions_mean_in_verilog_what_they_mean_in_integers() {
    let tools = Tools::discover().expect("tools");
    for seed in 0..4 {
        let (files, trees) = module(seed);
        let options = Options { parameters: vec![], ..Options::default() };
        let sim =
            Simulator::build(&interface(), &files, &tools, options).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let mut r = Random::new(seed + 100);
        let n = 400;
        let x: Vec<i64> = (0..n * INPUTS)
            .map(|at| {
                let (bits, signed) = ([1, 3, 8, 9, 13, 5][at % INPUTS], at % INPUTS % 2 == 1);
                cut(i128::from(r.next()), 0, bits, signed) as i64
            })
            .collect();
        let dims: Dims = BTreeMap::from([("N".to_owned(), n as u64)]);
        let tensors = BTreeMap::from([("x".to_owned(), Tensor::new(DType::I64, [n, INPUTS], x.clone()))]);
        let encode = |_: &str, _: &[i64]| 0;
        let run = sim.run(&Job { dims, tensors }, &encode, Stalls { mode: StallMode::None, seed: 0 }, None);
        let run = run.unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        for (at, got) in run.outputs["y"].data.iter().enumerate() {
            let row: Vec<i128> = x[at / OUTPUTS * INPUTS..][..INPUTS].iter().map(|v| i128::from(*v)).collect();
            let want = trees[at % OUTPUTS].value(&row);
            assert_eq!(i128::from(*got), want, "seed {seed}, output {}, inputs {row:?}", at % OUTPUTS);
        }
    }
}

#[test]
fn random_expressions_are_lint_clean_but_for_unused_bits() {
    let tools = Tools::discover().expect("tools");
    let (files, _) = module(9);
    let found = lint::lint(&files, "expressions", &tools).expect("lint runs");
    let text: Vec<String> =
        found.iter().map(|m| format!("{m:?}")).filter(|m| !m.contains("UNUSED") && !m.contains("unused")).collect();
    assert!(text.is_empty(), "{}", text.join("\n"));
}

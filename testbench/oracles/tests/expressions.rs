//! Random expression trees, printed as Verilog, run under Verilator and compared with an evaluator in plain integers.

use bitlathe_cores::random::Random;
use bitlathe_flow::lint;
use bitlathe_flow::sim::StallMode;
use bitlathe_flow::tools::Tools;
use bitlathe_hdl::{Dim, Expr, Module, Ty, check, concat, lit, sint, uint};
use bitlathe_oracles::{Bench, Lanes, files};
use bitlathe_spec::SourceFile;

const INPUTS: usize = 6;
const OUTPUTS: usize = 48;
const LANE: i64 = 56;

/// Bits of the values that the symbolic expressions compute with, as the parameter `W`.
const W: i64 = 7;

/// A value with its exact meaning: the expression, and what it is worth for given inputs.
#[derive(Clone)]
struct Node {
    expr: Expr,
    bits: i64,
    /// A name: bits may be selected and the sign extended.
    named: bool,
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
    fn two(op: char, a: &Self, b: &Self) -> Self {
        Self::Binary(op, Box::new(a.clone()), Box::new(b.clone()))
    }

    fn cut(self, bits: i64, signed: bool) -> Self {
        Self::Cut(Box::new(self), 0, bits, signed)
    }

    fn choose(c: &Self, a: &Self, b: &Self) -> Self {
        Self::Choose(Box::new(c.clone()), Box::new(a.clone()), Box::new(b.clone()))
    }

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
                    'l' => a << b,
                    'r' => a >> b,
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
    /// `W` as a parameter.
    w: Dim,
    names: usize,
}

impl Maker<'_> {
    fn named(&mut self, expr: &Expr, tree: Tree) -> Node {
        self.names += 1;
        let ty = expr.ty().clone();
        let expr = self.m.wire(&format!("n{}", self.names), expr);
        Node { expr, bits: ty.width.value(), named: true, tree }
    }

    /// With a name or without.
    fn node(&mut self, expr: &Expr, tree: Tree) -> Node {
        match self.r.below(3) {
            0 => self.named(expr, tree),
            _ => Node { expr: expr.clone(), bits: expr.width().value(), named: false, tree },
        }
    }

    fn solid(&mut self, n: &Node) -> Node {
        if n.named { n.clone() } else { self.named(&n.expr, n.tree.clone()) }
    }

    /// The low bits of a value as an unsigned vector of `bits`.
    fn raw(&mut self, n: &Node, bits: i64) -> Node {
        let tree = n.tree.clone().cut(bits, false);
        if n.bits == bits {
            return self.node(&n.expr.as_unsigned(), tree);
        }
        let n = self.solid(n);
        let expr = if n.bits < bits { n.expr.extend(bits).as_unsigned() } else { n.expr.slice(0, bits) };
        self.node(&expr, tree)
    }

    fn any(&mut self, depth: u32) -> Node {
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
        let (a, b) = (self.any(depth - 1), self.any(depth - 1));
        match self.r.below(9) {
            op @ 0..3 if a.bits + b.bits < LANE - 3 => self.exact(op, &a, &b),
            3 => {
                let bits = 1 + self.r.below(12) as i64;
                let (x, y) = (self.raw(&a, bits), self.raw(&b, bits));
                self.logic(&x, &y)
            }
            4 => {
                let bits = 1 + self.r.below(12) as i64;
                let (x, y) = (self.raw(&a, bits), self.raw(&b, bits));
                self.compared(&x, &y)
            }
            5 => {
                let bits = 1 + self.r.below(12) as i64;
                let (x, y) = (self.raw(&a, bits), self.raw(&b, bits));
                let c = self.any(0);
                let c = self.raw(&c, 1);
                let tree = Tree::choose(&c.tree, &x.tree, &y.tree);
                self.node(&c.expr.select(&x.expr, &y.expr), tree)
            }
            6 if a.bits + b.bits < LANE - 3 => {
                let (x, y) = (self.raw(&a, a.bits), self.raw(&b, b.bits));
                let tree = Tree::Join(Box::new(x.tree.clone()), Box::new(y.tree.clone()), y.bits);
                self.node(&concat(&[&x.expr, &y.expr]), tree)
            }
            7 => self.symbolic(3),
            _ => {
                let a = self.solid(&a);
                let lo = self.r.below(a.bits as u64) as i64;
                let bits = 1 + self.r.below((a.bits - lo) as u64) as i64;
                let tree = Tree::Cut(Box::new(a.tree.clone()), lo, bits, false);
                self.node(&a.expr.slice(lo, bits), tree)
            }
        }
    }

    fn exact(&mut self, op: u64, a: &Node, b: &Node) -> Node {
        let (a, b) = (self.solid(a), self.solid(b));
        let (op, expr) = match op {
            0 => ('+', &a.expr + &b.expr),
            1 => ('-', &a.expr - &b.expr),
            _ => ('*', &a.expr * &b.expr),
        };
        self.node(&expr, Tree::two(op, &a.tree, &b.tree))
    }

    /// Two unsigned values of one width.
    fn logic(&mut self, x: &Node, y: &Node) -> Node {
        let two = |op| Tree::two(op, &x.tree, &y.tree);
        let wide = |op| two(op).cut(x.bits, false);
        let (expr, tree) = match self.r.below(6) {
            0 => (&x.expr & &y.expr, two('&')),
            1 => (&x.expr | &y.expr, two('|')),
            2 => (&x.expr ^ &y.expr, two('^')),
            3 => (x.expr.wrapping_add(&y.expr), wide('+')),
            4 => (x.expr.wrapping_sub(&y.expr), wide('-')),
            _ => (!&x.expr, Tree::two('^', &x.tree, &Tree::Constant(-1)).cut(x.bits, false)),
        };
        self.node(&expr, tree)
    }

    /// Two unsigned values of one width, read with a sign or without.
    fn compared(&mut self, x: &Node, y: &Node) -> Node {
        let signed = self.r.below(2) == 1;
        let read = |n: &Node| match signed {
            true => (n.expr.as_signed(), n.tree.clone().cut(n.bits, true)),
            false => (n.expr.clone(), n.tree.clone()),
        };
        let ((x, a), (y, b)) = (read(x), read(y));
        match self.r.below(2) {
            0 => self.node(&x.lt(&y), Tree::two('<', &a, &b)),
            _ => self.node(&x.eq_to(&y), Tree::two('=', &a, &b)),
        }
    }

    /// A value of `W` bits made from operands of that type, unsigned or signed, and plain numbers.
    fn symbolic(&mut self, depth: u32) -> Node {
        let signed = self.r.below(2) == 1;
        let n = self.of_width_w(depth, signed);
        let n = self.solid(&n);
        self.node(&n.expr.slice(0, W), n.tree.clone().cut(W, false))
    }

    fn of_width_w(&mut self, depth: u32, signed: bool) -> Node {
        if depth == 0 {
            let i = self.r.below(INPUTS as u64) as usize;
            let input = self.inputs[i].clone();
            let low = self.raw(&input, W);
            let tree = low.tree.clone().cut(W, signed);
            let ty = Ty { width: self.w.clone(), signed: false };
            let wire = self.m.wire_later(&format!("w{}", self.names), ty);
            self.names += 1;
            wire.drive_part(0, W, &low.expr);
            let expr = if signed { wire.as_signed() } else { (*wire).clone() };
            return Node { expr, bits: W, named: false, tree };
        }
        let (a, b) = (self.of_width_w(depth - 1, signed), self.of_width_w(depth - 1, signed));
        let v = if signed { self.r.below(9) as i64 - 4 } else { self.r.below(5) as i64 };
        let (n, number) = (Tree::Constant(i128::from(v)), v);
        let wide = |op, x: &Tree, y: &Tree| Tree::two(op, x, y).cut(W, signed);
        let same = |c: Expr| (c, Tree::two('=', &a.tree, &n));
        let (expr, tree) = match self.r.below(9) {
            0 => (a.expr.wrapping_add(number), wide('+', &a.tree, &n)),
            1 => (a.expr.wrapping_sub(number), wide('-', &a.tree, &n)),
            2 => (a.expr.wrapping_add(&b.expr), wide('+', &a.tree, &b.tree)),
            3 => (a.expr.wrapping_sub(&b.expr), wide('-', &a.tree, &b.tree)),
            4 => {
                let (c, t) = same(a.expr.eq_to(number));
                (c.select(number, &b.expr), Tree::choose(&t, &n, &b.tree))
            }
            5 => {
                // Nothing unsigned is below zero, and linters know it.
                let number = if signed { number } else { number.max(1) };
                let t = Tree::two('<', &a.tree, &Tree::Constant(i128::from(number)));
                (a.expr.lt(number).select(&a.expr, &b.expr), Tree::choose(&t, &a.tree, &b.tree))
            }
            6 => (!&a.expr, wide('^', &a.tree, &Tree::Constant(-1))),
            7 => (a.expr.shl(&lit(2, uint(2))), wide('l', &a.tree, &Tree::Constant(2))),
            _ => (a.expr.shr(&lit(1, uint(2))), Tree::two('r', &a.tree, &Tree::Constant(1))),
        };
        self.node(&expr, tree)
    }
}

/// A module of random expressions over six typed inputs, and their trees.
fn module(seed: u64) -> (Vec<SourceFile>, Vec<Tree>) {
    let m = Module::new("expressions");
    let w = m.param("W", W, W..=W, "bits of the values of symbolic width");
    let ck = m.clock();
    m.allow(&ck.reset(), "UNUSEDSIGNAL", "everything is combinational");
    m.allow(&m.clock_value(&ck), "UNUSEDSIGNAL", "everything is combinational");
    let mut trees = vec![];
    let x = m.sink("x", uint(LANE * INPUTS as i64), true);
    x.map("y", |word| {
        let mut maker = Maker { m: &m, r: Random::new(seed), inputs: vec![], w: w.clone(), names: 0 };
        for i in 0..INPUTS {
            let (bits, signed) = ([1, 3, 8, 9, 13, 5][i], i % 2 == 1);
            let low = word.slice(LANE * i as i64, bits);
            let value = if signed { low.as_signed() } else { low };
            let node = maker.named(&value, Tree::Input(i));
            maker.inputs.push(node);
        }
        let mut parts = vec![];
        for _ in 0..OUTPUTS {
            let n = maker.any(4);
            let n = maker.solid(&n);
            trees.push(n.tree.clone());
            parts.push(n.expr.extend(LANE).as_unsigned());
        }
        let refs: Vec<&Expr> = parts.iter().rev().collect();
        concat(&refs)
    })
    .source("y");
    let design = check(&m.finish()).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    (files(&design), trees)
}

#[test]
fn random_expressions_mean_in_verilog_what_they_mean_in_integers() {
    let lanes = |name, count| Lanes { name, count, bits: LANE as u32, last: true };
    for seed in 0..4 {
        let (files, trees) = module(seed);
        let bench = Bench::new("expressions", &files, lanes("x", INPUTS), lanes("y", OUTPUTS));
        let mut r = Random::new(seed + 100);
        let n = 400;
        let x: Vec<i64> = (0..n * INPUTS)
            .map(|at| {
                let (bits, signed) = ([1, 3, 8, 9, 13, 5][at % INPUTS], at % INPUTS % 2 == 1);
                cut(i128::from(r.next()), 0, bits, signed) as i64
            })
            .collect();
        for (at, got) in bench.run(&x, StallMode::None, 0).iter().enumerate() {
            let row: Vec<i128> = x[at / OUTPUTS * INPUTS..][..INPUTS].iter().map(|v| i128::from(*v)).collect();
            let want = trees[at % OUTPUTS].value(&row);
            assert_eq!(i128::from(*got), want, "seed {seed}, output {}, inputs {row:?}", at % OUTPUTS);
        }
    }
}

#[test]
fn random_expressions_are_lint_clean_but_for_what_chance_makes() {
    let tools = Tools::discover().expect("tools");
    // Bits that nothing reads, and comparisons with a constant that is always larger.
    let chance = ["UNUSEDSIGNAL", "unused", "CMPCONST", "UNSIGNED"];
    for seed in 9..15 {
        let (files, _) = module(seed);
        let found = lint::lint(&files, "expressions", &tools).expect("lint runs");
        let found: Vec<_> = found.iter().filter(|m| !chance.iter().any(|c| m.code.contains(c))).collect();
        assert!(found.is_empty(), "seed {seed}: {found:?}");
    }
}

//! One row of the product: signed terms in, their sum added to the row's partial sum.
//!
//! Every value travels with one pending bit, the +1 that a complemented operand still owes. Each adder has as many carry
//! inputs as it retires operands, so negation costs no logic: an adder of two pays one debt of two, an adder of three pays two of three.

use std::rc::Rc;

use bitlathe_hdl::{Dim, Module, Unit, bit, concat, lit, uint};

use crate::parts::carry::{impl_param, signed_pair_add, ternary_add};

/// Levels of three-operand adders that bring `n` values down to at most two.
pub fn tree_levels(n: i64) -> i64 {
    if n <= 2 { 0 } else { 1 + tree_levels((n + 2) / 3) }
}

/// Shape of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowShape {
    /// Terms a cycle.
    pub terms: i64,
    /// Bits of a term.
    pub term_bits: i64,
    /// Bits of the partial sum.
    pub acc_bits: i64,
    /// `IMPL`.
    pub implementation: i64,
}

impl RowShape {
    /// Pair sums that enter the tree.
    pub fn pairs(self) -> i64 {
        (self.terms + 1) / 2
    }

    /// Levels of the tree.
    pub fn levels(self) -> i64 {
        tree_levels(self.pairs())
    }

    /// Bits of a value that leaves the tree.
    pub fn tree_bits(self) -> i64 {
        self.term_bits + 1 + 2 * self.levels()
    }

    /// Cycles from a term to the sum that holds it.
    pub fn latency(self) -> i64 {
        2 + self.levels()
    }
}

/// The tree: `N` values with their pending bits down to two. It instantiates itself until no level is left.
fn dot_tree(n: i64, width: i64, levels: i64, implementation: i64) -> Rc<Unit> {
    let m = Module::new("dot_tree");
    m.doc(
        "Pipelined tree of three-operand adders: N values, each with a pending +1, down to two.\n\
         One level is built here, the rest by an instance of this module with a third of the values.",
    );
    let nd = m.param("N", n, 1..=512, "values");
    let w = m.param("WIDTH", width, 2..=60, "bits of a value");
    let lv = m.param("LEVELS", levels, 0..=6, "levels of adders; the outputs are 2 bits wider for each");
    let imp = impl_param(&m, implementation);
    let (ck, en) = (m.clock(), m.input("en_i", bit()));
    let values = m.input("values_i", uint(&nd * &w));
    let pending = m.input("pending_i", uint(&nd));
    let out_w = &w + 2 * &lv;
    let [a, b] = ["a_o", "b_o"].map(|p| m.output_wire(p, uint(&out_w)));
    let [pa, pb] = ["pending_a_o", "pending_b_o"].map(|p| m.output_wire(p, bit()));
    m.allow(&en, "UNUSEDSIGNAL", "the last instance has no register");
    m.allow(&m.clock_value(&ck), "UNUSEDSIGNAL", "the last instance has no register");
    let level = || {
        let full = m.localparam("FULL", nd.div(3));
        let rest = m.localparam("REST", &nd - 3 * &full);
        let next = m.localparam("NEXT", nd.ceil_div(3));
        let w2 = m.localparam("NEXT_WIDTH", &w + 2);
        let sums = ck.reg("sums_q", uint(&next * &w2));
        let owed = ck.reg("owed_q", uint(&next));
        let result = m.wire_later("sums", uint(&next * &w2));
        let debts = m.wire_later("owed", uint(&next));
        let add = |name: &str, first: &Dim, three: bool, slot: &Dim| {
            let operand = |k: i64, tag: &str| {
                let v = m.wire(&format!("{tag}_{k}"), &values.lane(first + k, &w).as_signed());
                v.extend(&w2).as_unsigned()
            };
            let zero = lit(0, uint(&w2));
            let (x, y) = (operand(0, name), operand(1, name));
            let z = if three { operand(2, name) } else { zero };
            let owes = |k: i64| pending.bit(first + k);
            m.instance(&format!("u_{name}"), &ternary_add(width + 2, implementation))
                .param("WIDTH", &w2)
                .param("IMPL", &imp)
                .input("a_i", &x)
                .input("b_i", &y)
                .input("c_i", &z)
                .input("use_c_i", &lit(i64::from(three), bit()))
                .input("carry_a_i", &owes(0))
                .input("carry_b_i", &if three { owes(1) } else { lit(0, bit()) })
                .output_lane("sum_o", &result, slot, &w2)
                .done();
            debts.drive_part(slot, 1, &owes(if three { 2 } else { 1 }));
        };
        m.generate_for("g_three", &full, |i| add("three", &(3 * i), true, i));
        m.generate_if(
            rest.eq_to(2),
            ["g_two", "g_not_two"],
            || add("two", &(3 * &full), false, &full),
            || {
                m.generate_if(
                    rest.eq_to(1),
                    ["g_one", "g_none"],
                    || {
                        let v = m.wire("one", &values.lane(3 * &full, &w).as_signed());
                        result.drive_lane(&full, &w2, &v.extend(&w2).as_unsigned());
                        debts.drive_part(&full, 1, &pending.bit(3 * &full));
                    },
                    || {},
                );
            },
        );
        sums.next_when(&en, &*result);
        owed.next_when(&en, &*debts);
        m.recursive_instance("u_rest")
            .param("N", next)
            .param("WIDTH", w2)
            .param("LEVELS", &lv - 1)
            .param("IMPL", &imp)
            .clock(&ck)
            .input("en_i", &en)
            .input("values_i", &sums)
            .input("pending_i", &owed)
            .output("a_o", &a)
            .output("b_o", &b)
            .output("pending_a_o", &pa)
            .output("pending_b_o", &pb)
            .done();
    };
    let done = || {
        a.drive_part(0, &w, &values.lane(0, &w));
        pa.drive(pending.bit(0));
        m.generate_if(
            nd.eq_to(2),
            ["g_pair", "g_single"],
            || {
                b.drive_part(0, &w, &values.lane(1, &w));
                pb.drive(pending.bit(1));
            },
            || {
                b.drive_part(0, &w, &lit(0, uint(&w)));
                pb.drive(lit(0, bit()));
            },
        );
    };
    m.generate_if(lv.gt(0), ["g_level", "g_leaf"], level, done);
    m.finish()
}

/// The row: pair adders, tree, and the adder that brings the partial sum in.
pub fn dot_row(shape: RowShape) -> Rc<Unit> {
    let m = Module::new("dot_row");
    m.doc(
        "One row of the product: TERMS values, each complemented where its sign is set, summed and added to the partial sum.\n\
         Latency from terms to sum_o: 2 + LEVELS; the partial sum is taken one cycle before sum_o.",
    );
    let n = m.param("TERMS", shape.terms, 1..=512, "terms a cycle");
    let w = m.param("WIDTH", shape.term_bits, 2..=32, "bits of a term");
    let acc = m.param("ACC_W", shape.acc_bits, 4..=62, "bits of the partial sum");
    let lv = m.param("LEVELS", shape.levels(), 0..=6, "levels of the adder tree");
    let imp = impl_param(&m, shape.implementation);
    m.guard(acc.gt(&w + 1 + 2 * &lv), "a cycle's sum fits the partial sum");
    let (ck, en) = (m.clock(), m.input("en_i", bit()));
    let terms = m.input("terms_i", uint(&n * &w));
    let signs = m.input("signs_i", uint(&n));
    let psum = m.input("psum_i", uint(&acc));
    let keep = m.input("keep_i", bit());
    m.describe(&keep, "add the partial sum; low on the first slab");
    let pairs = m.localparam("PAIRS", n.ceil_div(2));
    let whole = m.localparam("WHOLE", n.div(2));
    let w1 = m.localparam("PAIR_WIDTH", &w + 1);
    let sums = m.wire_later("pair_sums", uint(&pairs * &w1));
    let owed = m.wire_later("pair_owed", uint(&pairs));
    let pair = |name: &str, a: &Dim, two: bool, slot: &Dim| {
        let zero = lit(0, uint(&w));
        let b = if two { terms.lane(a + 1, &w) } else { zero };
        let nb = if two { signs.bit(a + 1) } else { lit(0, bit()) };
        m.instance(&format!("u_{name}"), &signed_pair_add(shape.term_bits, shape.implementation))
            .param("WIDTH", &w)
            .param("IMPL", &imp)
            .input("a_i", &terms.lane(a, &w))
            .input("b_i", &b)
            .input("na_i", &signs.bit(a))
            .input("nb_i", &nb)
            .output_lane("sum_o", &sums, slot, &w1)
            .done();
        owed.drive_part(slot, 1, &nb);
    };
    m.generate_if(
        whole.gt(0),
        ["g_pairs", "g_no_pair"],
        || m.generate_for("g_pair", &whole, |i| pair("pair", &(2 * i), true, i)),
        || {},
    );
    m.generate_if(pairs.ne_to(&whole), ["g_odd", "g_even"], || pair("odd", &(2 * &whole), false, &whole), || {});
    let sums_q = ck.reg("pair_sums_q", uint(&pairs * &w1));
    let owed_q = ck.reg("pair_owed_q", uint(&pairs));
    sums_q.next_when(&en, &*sums);
    owed_q.next_when(&en, &*owed);
    let tree_w = m.localparam("TREE_WIDTH", &w1 + 2 * &lv);
    let [a, b] = ["tree_a", "tree_b"].map(|s| m.wire_later(s, uint(&tree_w)));
    let [pa, pb] = ["tree_owed_a", "tree_owed_b"].map(|s| m.wire_later(s, bit()));
    m.instance("u_tree", &dot_tree(shape.pairs(), shape.term_bits + 1, shape.levels(), shape.implementation))
        .param("N", pairs)
        .param("WIDTH", w1)
        .param("LEVELS", lv)
        .param("IMPL", &imp)
        .clock(&ck)
        .input("en_i", &en)
        .input("values_i", &sums_q)
        .input("pending_i", &owed_q)
        .output("a_o", &a)
        .output("b_o", &b)
        .output("pending_a_o", &pa)
        .output("pending_b_o", &pb)
        .done();
    let widened = |name: &str, v: &bitlathe_hdl::Wire| {
        let more = &acc - &tree_w;
        m.wire(name, &concat(&[&v.msb().repeat(more), v]))
    };
    let (ax, bx) = (widened("operand_a", &a), widened("operand_b", &b));
    let sum = m.wire_later("sum", uint(&acc));
    m.instance("u_accumulate", &ternary_add(shape.acc_bits, shape.implementation))
        .param("WIDTH", &acc)
        .param("IMPL", &imp)
        .input("a_i", &ax)
        .input("b_i", &bx)
        .input("c_i", &psum)
        .input("use_c_i", &keep)
        .input("carry_a_i", &pa)
        .input("carry_b_i", &pb)
        .output("sum_o", &sum)
        .done();
    let sum_q = ck.reg("sum_q", uint(&acc));
    sum_q.next_when(&en, &*sum);
    m.output("sum_o", &sum_q);
    m.finish()
}

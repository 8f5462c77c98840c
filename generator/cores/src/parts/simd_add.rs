//! Sums on the DSP blocks of UltraScale+ and 7 series, whose 48-bit adder splits into four lanes of 12 bits or two of 24.
//!
//! A block adds two operands of its own and the sum of the block below it (AMD UG579, "Arithmetic Logic Unit" and "SIMD
//! Mode"), so a column of blocks sums twice as many values as it has blocks, for as many rows as the adder has lanes. The
//! multiplier stays unused. Signs are not its business: SIMD lanes have no carry input of their own.

use std::rc::Rc;

use bitlathe_hdl::{Clock, Dim, Expr, Module, Unit, Wire, bit, clog2, concat, lit, uint};
use bitlathe_spec::Family;

use super::carry::{adder_lut, impl_param};
use super::delay_line::delay_line;
use crate::Cost;

/// Bits of a block's adder.
const ADDER_BITS: i64 = 48;
/// Most values of one column: a longer one would hold its late operands back in shift registers, a look-up table a bit.
const COLUMN: i64 = 6;

/// Whether a family's DSP blocks split their adder.
pub fn splits(family: Family) -> bool {
    matches!(family, Family::Xcup | Family::Xc7)
}

/// Lanes that hold sums of `bits` bits, as a symbol.
fn lanes(bits: &Dim) -> Dim {
    Dim::from(4).when(bits.lt(13), Dim::from(2).when(bits.lt(25), 1))
}

/// Ports of one DSP block.
struct Block {
    clock: Clock,
    en: Expr,
    x: Expr,
    y: Expr,
    use_x: Expr,
    cascade: Expr,
    /// Whether the cascade counts, a constant.
    below: Expr,
    sum: Wire,
    up: Wire,
}

/// One DSP block.
pub fn dsp_add(lanes: i64, chained: bool, implementation: i64) -> Rc<Unit> {
    let m = Module::new("dsp_add");
    m.doc(
        "The adder of one DSP block in LANES lanes: sum = (use_x ? x : 0) + y + cascade, each modulo 2^(48 / LANES).\n\
         x and y are taken one cycle before the cascade, which is the neighbour's sum.\n\
         sum_o follows the cascade by one cycle.",
    );
    let n = m.param("LANES", lanes, 1..=4, "1 lane of 48 bits, 2 of 24 or 4 of 12");
    let chained = m.param("CHAINED", i64::from(chained), 0..=1, "1: the cascade counts");
    let imp = impl_param(&m, implementation);
    m.guard(n.ne_to(3), "the adder splits evenly");
    let word = |name: &str| m.input(name, uint(ADDER_BITS));
    let block = Block {
        clock: m.clock(),
        en: m.input("en_i", bit()),
        x: word("x_i"),
        y: word("y_i"),
        use_x: m.input("use_x_i", bit()),
        cascade: word("cascade_i"),
        below: m.constant("BELOW", chained, 1),
        sum: m.output_wire("sum_o", uint(ADDER_BITS)),
        up: m.output_wire("cascade_o", uint(ADDER_BITS)),
    };
    m.describe(&block.use_x, "taken with x");
    m.describe(&block.cascade, "cascade_o of the block below");
    m.generate_if(imp.eq_to(0), ["g_behavioural", "g_vendor"], || block.behaviour(&m, &n), || block.cells(&m, &imp));
    m.finish()
}

impl Block {
    fn behaviour(&self, m: &Module, lanes: &Dim) {
        let (ck, en) = (&self.clock, &self.en);
        let lane_w = m.localparam("LANE_W", Dim::from(ADDER_BITS).div(lanes));
        let [x_q, y_q, sum_q] = ["x_q", "y_q", "sum_q"].map(|r| ck.reg(r, uint(ADDER_BITS)));
        let use_x_q = ck.reg("use_x_q", bit());
        x_q.next_when(en, &self.x);
        y_q.next_when(en, &self.y);
        use_x_q.next_when(en, &self.use_x);
        let first = m.wire("first", &(&*x_q & use_x_q.repeat(ADDER_BITS)));
        let third = m.wire("third", &(&self.cascade & self.below.repeat(ADDER_BITS)));
        m.generate_for("g_lane", lanes, |i| {
            let lane = |v: &Expr| v.lane(i, &lane_w);
            let total = lane(&first).wrapping_add(lane(&y_q)).wrapping_add(lane(&third));
            sum_q.next_lane(i, &lane_w, Some(en), &total);
        });
        self.sum.drive(&*sum_q);
        self.up.drive(&*sum_q);
    }

    fn cells(&self, m: &Module, imp: &Dim) {
        // Z is the cascade or zero, Y is C, X is A:B or zero.
        let mode = concat(&[&lit(0, uint(2)), &self.below, &lit(3, uint(2)), &self.use_x, &self.use_x]);
        let mode = m.wire("opmode", &mode);
        // The newer cell has a fourth operand, W, which stays zero.
        let wide_mode = concat(&[&lit(0, uint(2)), &mode]);
        m.generate_if(
            imp.eq_to(1),
            ["g_ultrascale", "g_series7"],
            || self.cell(m, "DSP48E2", &wide_mode),
            || self.cell(m, "DSP48E1", &mode),
        );
    }

    fn cell(&self, m: &Module, cell: &str, mode: &Expr) {
        let name = format!("u_{}", cell.to_lowercase());
        let mut i = m.primitive(&name, cell, &attributes(cell)).input("CLK", &m.clock_value(&self.clock));
        for (port, bits) in tied(cell) {
            i = i.input(port, &lit(0, uint(bits)));
        }
        for port in ["CEA1", "CEA2", "CEB1", "CEB2", "CEC", "CECTRL", "CEP"] {
            i = i.input(port, &self.en);
        }
        i.input("A", &self.x.slice(18, 30))
            .input("B", &self.x.slice(0, 18))
            .input("C", &self.y)
            .input("OPMODE", mode)
            .input("PCIN", &self.cascade)
            .output("P", &self.sum)
            .output("PCOUT", &self.up)
            .done();
    }
}

/// Attributes of the vendor's cell: operands and sum registered, operation mode with the operands, the multiplier off.
fn attributes(cell: &str) -> Vec<(&'static str, &'static str)> {
    let mut out =
        vec![("USE_MULT", "\"NONE\""), ("USE_SIMD", "LANES == 4 ? \"FOUR12\" : LANES == 2 ? \"TWO24\" : \"ONE48\"")];
    out.extend(["ACASCREG", "AREG", "BCASCREG", "BREG", "CREG", "OPMODEREG", "PREG"].map(|a| (a, "1")));
    let none = ["ADREG", "ALUMODEREG", "CARRYINREG", "CARRYINSELREG", "DREG", "INMODEREG", "MREG"];
    out.extend(none.map(|a| (a, "0")));
    if cell == "DSP48E1" {
        out.push(("USE_DPORT", "\"FALSE\""));
    }
    out
}

/// Inputs of the vendor's cell that stay at zero, with their bits.
pub(super) fn tied(cell: &str) -> Vec<(&'static str, i64)> {
    let d = if cell == "DSP48E2" { 27 } else { 25 };
    let mut out = vec![("ACIN", 30), ("ALUMODE", 4), ("BCIN", 18), ("CARRYINSEL", 3), ("D", d), ("INMODE", 5)];
    let single = ["CARRYCASCIN", "CARRYIN", "MULTSIGNIN", "CEAD", "CEALUMODE", "CECARRYIN", "CED", "CEINMODE", "CEM"];
    let resets =
        ["RSTA", "RSTALLCARRYIN", "RSTALUMODE", "RSTB", "RSTC", "RSTCTRL", "RSTD", "RSTINMODE", "RSTM", "RSTP"];
    out.extend(single.into_iter().chain(resets).map(|port| (port, 1)));
    out
}

/// Sums of a few values, for many rows at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimdSum {
    /// Independent sums.
    pub rows: i64,
    /// Values of a sum.
    pub operands: i64,
    /// Bits of a value.
    pub width: i64,
    /// Bits of a sum, at least those of a value.
    pub sum_bits: i64,
    /// `IMPL`.
    pub implementation: i64,
}

impl SimdSum {
    /// Blocks above each other.
    fn steps(self) -> i64 {
        (self.operands + 1) / 2
    }

    /// Cycles from the values to their sum.
    pub fn latency(self) -> i64 {
        1 + self.steps()
    }

    /// Columns of DSP blocks side by side, a row in every lane.
    pub fn unit(self) -> Rc<Unit> {
        let m = Module::new("simd_sum");
        m.doc(
            "Sums of OPERANDS signed values for ROWS rows on the split adders of DSP blocks.\n\
             A column of blocks, two values a block, sums as many rows as the adder has lanes.\n\
             values_i: all rows of one operand lie together.\n\
             Latency: 1 + (OPERANDS + 1) / 2.",
        );
        let rows = m.param("ROWS", self.rows, 1..=256, "independent sums");
        let n = m.param("OPERANDS", self.operands, 1..=COLUMN, "values of a sum");
        let w = m.param("WIDTH", self.width, 2..=ADDER_BITS, "bits of a value");
        let sum_w = m.param("SUM_W", self.sum_bits, 2..=ADDER_BITS, "bits of a sum");
        let imp = impl_param(&m, self.implementation);
        m.guard(sum_w.ge(&w), "a sum is no narrower than its values");
        let (ck, en) = (m.clock(), m.input("en_i", bit()));
        let values = m.input("values_i", uint(&n * &rows * &w));
        let use_first = m.input("use_first_i", bit());
        m.describe(&use_first, "operand 0 counts; taken with it");
        let out = m.output_wire("sums_o", uint(&rows * &sum_w));
        let lanes = m.localparam("LANES", lanes(&sum_w));
        let lane_w = m.localparam("LANE_W", Dim::from(ADDER_BITS).div(&lanes));
        let columns = m.localparam("COLUMNS", rows.ceil_div(&lanes));
        let steps = m.localparam("STEPS", n.ceil_div(2));
        // An odd number of operands is followed by a zero.
        let padded = m.wire("padded", &concat(&[&lit(0, uint(&rows * &w)), &values]));
        m.allow(&padded, "UNUSEDSIGNAL", "padding of the last block");
        let bus = &columns * ADDER_BITS;
        let [x, y, sums, up] = ["x", "y", "column_sums", "cascade"].map(|s| m.wire_later(s, uint(&steps * &bus)));
        m.allow(&sums, "UNUSEDSIGNAL", "only the last block's sum leaves");
        m.allow(&up, "UNUSEDSIGNAL", "nobody takes the last cascade");
        let at = Columns { m: &m, ck: &ck, en: &en, rows: &rows, w: &w, lanes, lane_w, columns, imp, x, y, sums, up };
        let pair = &rows * &w * 2;
        at.step("first", &Dim::from(0), &m.wire("first_pair", &padded.slice(0, &pair)), &use_first);
        let later = |s: &Dim| {
            let step = s + 1;
            let late = m.wire_later("late", uint(&pair));
            m.instance("u_wait", &delay_line(pair.value(), 1, false))
                .param("WIDTH", &pair)
                .param("STAGES", &step)
                .clock(&ck)
                .input("en_i", &en)
                .input("value_i", &padded.slice(&step * &pair, &pair))
                .output("value_o", &late)
                .done();
            at.step("later", &step, &late, &lit(1, bit()));
        };
        // The operands of a later block wait for the sum from below.
        m.generate_if(steps.gt(1), ["g_more", "g_one"], || m.generate_for("g_step", &steps - 1, later), || {});
        let last = m.wire("last", &at.sums.slice((&steps - 1) * &bus, &bus));
        m.allow(&last, "UNUSEDSIGNAL", "copies of the sign and padding");
        m.generate_for("g_sum", &rows, |r| out.drive_lane(r, &sum_w, &last.slice(r * &at.lane_w, &sum_w)));
        m.finish()
    }

    /// Registers in which the later ones of `operands` wait for the sum from below.
    fn waiting(self, operands: i64) -> f64 {
        let wait = |step: i64| step * (operands - 2 * step).clamp(0, 2) * self.width;
        (self.rows * (1..self.steps()).map(wait).sum::<i64>()) as f64
    }

    /// Cost of all rows; without split adders that of the behavioural form.
    pub fn cost(self, family: Family) -> Cost {
        let mut sum = Cost { ff: self.waiting(self.operands), ..Cost::default() };
        if splits(family) {
            let lanes = lanes(&Dim::from(self.sum_bits)).value();
            sum.dsp = ((self.rows + lanes - 1) / lanes * self.steps()) as f64;
        } else {
            // The third operand of a step takes a carry-save stage of two LUTs a bit.
            let lut = adder_lut(family, self.sum_bits) + (2 * self.sum_bits) as f64;
            let block = Cost::logic(lut, (2 * self.width + self.sum_bits) as f64);
            sum += block * (self.rows * self.steps()) as f64;
        }
        sum
    }
}

/// What the steps of a module's columns share: symbols, and the buses [step][column] of their blocks' ports.
struct Columns<'a> {
    m: &'a Module,
    ck: &'a Clock,
    en: &'a Expr,
    rows: &'a Dim,
    w: &'a Dim,
    lanes: Dim,
    lane_w: Dim,
    columns: Dim,
    imp: Dim,
    x: Wire,
    y: Wire,
    sums: Wire,
    up: Wire,
}

impl Columns<'_> {
    /// One block of every column, the `first` ones or `later` ones: two operands of all rows onto its lanes.
    fn step(&self, tag: &str, at: &Dim, pair: &Expr, use_x: &Expr) {
        let (m, w, lane_w, chained) = (self.m, self.w, &self.lane_w, tag == "later");
        let bus = &self.columns * ADDER_BITS;
        let base = at * &bus;
        // Lanes beyond the last row add whatever stands there; nobody reads them.
        let wide = m.wire(&format!("{tag}_rows"), &concat(&[&lit(0, uint(&self.lanes * w)), pair]));
        m.allow(&wide, "UNUSEDSIGNAL", "padding of the last column");
        m.generate_for(&format!("g_{tag}_lane"), &self.columns * &self.lanes, |r| {
            for (name, row, target) in [("x", r.clone(), &self.x), ("y", r + self.rows, &self.y)] {
                let value = m.wire(&format!("{tag}_{name}"), &wide.lane(row, w));
                let lane = m.wire(&format!("{tag}_{name}_lane"), &concat(&[&value.msb().repeat(lane_w), &value]));
                m.allow(&lane, "UNUSEDSIGNAL", "copies of the sign");
                target.drive_part(&base + r * lane_w, lane_w, &lane.slice(0, lane_w));
            }
        });
        let unit = dsp_add(self.lanes.value(), chained, self.imp.value());
        m.generate_for(&format!("g_{tag}_column"), &self.columns, |c| {
            let here = &base + c * ADDER_BITS;
            let below = if chained { self.up.slice(&here - &bus, ADDER_BITS) } else { lit(0, uint(ADDER_BITS)) };
            m.instance(&format!("u_{tag}_add"), &unit)
                .param("LANES", &self.lanes)
                .param("CHAINED", i64::from(chained))
                .param("IMPL", &self.imp)
                .clock(self.ck)
                .input("en_i", self.en)
                .input("x_i", &self.x.slice(&here, ADDER_BITS))
                .input("y_i", &self.y.slice(&here, ADDER_BITS))
                .input("use_x_i", use_x)
                .input("cascade_i", &below)
                .output_part("sum_o", &self.sums, &here, ADDER_BITS)
                .output_part("cascade_o", &self.up, &here, ADDER_BITS)
                .done();
        });
    }
}

/// Sums of many values: columns of at most [`COLUMN`] values, level by level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimdTree {
    /// Independent sums.
    pub rows: i64,
    /// Values of a sum.
    pub values: i64,
    /// Bits of a value.
    pub width: i64,
    /// `IMPL`.
    pub implementation: i64,
}

impl SimdTree {
    /// The columns of the first level and how many sums of a row they give.
    fn level(self) -> (SimdSum, i64) {
        let groups = (self.values + COLUMN - 1) / COLUMN;
        let operands = (self.values + groups - 1) / groups;
        let Self { rows, width, implementation, .. } = self;
        (SimdSum { rows, operands, width, sum_bits: width + clog2(operands), implementation }, groups)
    }

    /// Columns of every level with their number.
    fn levels(self) -> Vec<(SimdSum, i64)> {
        let (mut rest, mut out) = (self, vec![]);
        while rest.values > 1 {
            let (sum, groups) = rest.level();
            out.push((sum, groups));
            rest = Self { values: groups, width: sum.sum_bits, ..rest };
        }
        out
    }

    /// Bits of a sum.
    pub fn sum_bits(self) -> i64 {
        self.levels().last().map_or(self.width, |(sum, _)| sum.sum_bits)
    }

    /// Cycles from the values to their sum.
    pub fn latency(self) -> i64 {
        self.levels().iter().map(|(sum, _)| sum.latency()).sum()
    }

    /// The tree; it instantiates itself until one value a row is left.
    pub fn unit(self) -> Rc<Unit> {
        let m = Module::new("simd_tree");
        m.doc(
            "Sums of N signed values for ROWS rows on DSP blocks.\n\
             One level is built here, equal columns of at most 6 values; the rest by an instance of this module.\n\
             values_i: all rows of one value lie together.",
        );
        let rows = m.param("ROWS", self.rows, 1..=256, "independent sums");
        let n = m.param("N", self.values, 1..=512, "values of a sum");
        let w = m.param("WIDTH", self.width, 2..=ADDER_BITS, "bits of a value");
        let sum_w = m.param("SUM_W", self.sum_bits(), 2..=ADDER_BITS, "bits of a sum");
        let imp = impl_param(&m, self.implementation);
        let (ck, en) = (m.clock(), m.input("en_i", bit()));
        let values = m.input("values_i", uint(&n * &rows * &w));
        let out = m.output_wire("sums_o", uint(&rows * &sum_w));
        m.allow(&en, "UNUSEDSIGNAL", "the last instance has no register");
        m.allow(&m.clock_value(&ck), "UNUSEDSIGNAL", "the last instance has no register");
        let slot = &rows * &w;
        let level = || {
            let groups = m.localparam("GROUPS", n.ceil_div(COLUMN));
            let each = m.localparam("EACH", n.ceil_div(&groups));
            let next_w = m.localparam("NEXT_W", &w + each.clog2());
            let group = m.localparam("GROUP_W", &each * &slot);
            // The last group may be short of values: zeros stand there.
            let padded = m.wire("padded", &concat(&[&lit(0, uint(&group)), &values]));
            m.allow(&padded, "UNUSEDSIGNAL", "padding of the last group");
            let sums = m.wire_later("sums", uint(&groups * &rows * &next_w));
            let column = self.level().0.unit();
            m.generate_for("g_group", &groups, |g| {
                m.instance("u_sum", &column)
                    .param("ROWS", &rows)
                    .param("OPERANDS", &each)
                    .param("WIDTH", &w)
                    .param("SUM_W", &next_w)
                    .param("IMPL", &imp)
                    .clock(&ck)
                    .input("en_i", &en)
                    .input("values_i", &padded.slice(g * &group, &group))
                    .input("use_first_i", &lit(1, bit()))
                    .output_part("sums_o", &sums, g * &rows * &next_w, &rows * &next_w)
                    .done();
            });
            m.recursive_instance("u_rest")
                .param("ROWS", &rows)
                .param("N", &groups)
                .param("WIDTH", &next_w)
                .param("SUM_W", &sum_w)
                .param("IMPL", &imp)
                .clock(&ck)
                .input("en_i", &en)
                .input("values_i", &sums)
                .output("sums_o", &out)
                .done();
        };
        m.generate_if(n.gt(1), ["g_level", "g_leaf"], level, || out.drive_part(0, &slot, &values.slice(0, &slot)));
        m.finish()
    }

    /// Cost of all rows.
    pub fn cost(self, family: Family) -> Cost {
        let (mut sum, mut values) = (Cost::default(), self.values);
        for (column, groups) in self.levels() {
            sum += column.cost(family) * groups as f64;
            // The zeros that fill up the last column need no registers.
            let present = values - column.operands * (groups - 1);
            sum.ff += column.waiting(present) - column.waiting(column.operands);
            values = groups;
        }
        sum
    }
}

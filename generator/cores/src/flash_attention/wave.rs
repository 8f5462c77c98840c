//! The control that passes down the rows, one row a cycle: what each row does when the wave of a column reaches it.

use bitlathe_hdl::{Expr, Module, clog2, concat};

use super::array::select::PICK_BITS;
use super::hardware::Hardware;

/// Fields with their bits, lowest first. Times count from the arrival of a column at the row.
pub struct Wave(Vec<(&'static str, i64)>);

impl Wave {
    /// The fields of a configured core.
    pub fn new(hw: &Hardware) -> Self {
        let slot = hw.slot_bits();
        let mut fields = vec![
            // With a column: p is a factor, p of the next tile comes into use.
            ("weigh", 1),
            ("load", 1),
            // Two cycles later: sums grow in their cells, or pass to the next; neither: they begin anew.
            ("own", 1),
            ("pass", 1),
            // After the last column of q and k: which cell's sum is complete.
            ("pick", PICK_BITS),
            // With the octave of a logit: it is the first.
            ("open", 1),
            // The maximum of a tile is complete: its block, whether it is the block's first.
            ("close", 1),
            ("close_first", 1),
            ("close_slot", slot),
            // With the first probability.
            ("take", 1),
            // Two cycles before a row's sum of products: address of O, whether it is the tile's or the block's first.
            ("out", 1),
            ("out_load", 1),
            ("out_first", 1),
            ("out_at", hw.address_bits()),
        ];
        fields.extend(if hw.causal {
            // A cycle before the first sum is complete: which keys the row sees. With each sum: there is one, the number of its key.
            vec![("reveal", 1), ("summed", 1), ("key", clog2(hw.n))]
        } else {
            // With the octave of a logit, and one cycle before a probability: its key counts.
            vec![("seen", 1), ("live", 1)]
        });
        Self(fields)
    }

    /// Bits of the bus.
    pub fn bits(&self) -> i64 {
        self.0.iter().map(|f| f.1).sum()
    }

    /// A field of the bus.
    pub fn field(&self, bus: &Expr, name: &str) -> Expr {
        let at = self.0.iter().take_while(|f| f.0 != name).map(|f| f.1).sum::<i64>();
        let width = self.0.iter().find(|f| f.0 == name).map_or(1, |f| f.1);
        bus.slice(at, width)
    }

    /// The bus of fields given by name.
    pub fn pack(&self, m: &Module, name: &str, field: impl Fn(&str) -> Expr) -> Expr {
        let fields: Vec<Expr> = self.0.iter().rev().map(|f| field(f.0)).collect();
        m.wire(name, &concat(&fields.iter().collect::<Vec<_>>()))
    }
}

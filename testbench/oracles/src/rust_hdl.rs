//! The same hardware in `rust-hdl` 0.46, a language that shares nothing with ours: a MAC cell, arrays of it, a FIFO.
//!
//! `rust-hdl` multiplies 16 by 16 bits only, has widths as const generics, and starts registers at zero without a reset.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

/// Bits of an operand.
pub const W: usize = 16;
/// Bits of the sum.
pub const ACC: usize = 48;
/// Rows and columns of the array.
pub const SIZE: usize = 16;

/// Output-stationary MAC cell: `a` moves right, `b` moves down, one cell a cycle.
#[derive(LogicBlock, Default)]
pub struct MacCell {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// From the left.
    pub a: Signal<In, Signed<W>>,
    /// From above.
    pub b: Signal<In, Signed<W>>,
    /// This product starts a new sum.
    pub clear: Signal<In, Bit>,
    /// To the right.
    pub a_next: Signal<Out, Signed<W>>,
    /// Down.
    pub b_next: Signal<Out, Signed<W>>,
    /// Running dot product.
    pub sum: Signal<Out, Signed<ACC>>,
    a_q: DFF<Signed<W>>,
    b_q: DFF<Signed<W>>,
    sum_q: DFF<Signed<ACC>>,
    product: Signal<Local, Signed<32>>,
    base: Signal<Local, Signed<ACC>>,
}

impl Logic for MacCell {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, a_q, b_q, sum_q);
        self.a_q.d.next = self.a.val();
        self.b_q.d.next = self.b.val();
        self.base.next = self.sum_q.q.val();
        if self.clear.val() {
            self.base.next = 0.into();
        }
        // Not in one expression: 0.46 prints the cast as `$signed(a * b)`, in which Verilog cuts the product to 16 bits.
        self.product.next = self.a.val() * self.b.val();
        self.sum_q.d.next = signed_bit_cast::<48, 32>(self.product.val()) + self.base.val();
        self.a_next.next = self.a_q.q.val();
        self.b_next.next = self.b_q.q.val();
        self.sum.next = self.sum_q.q.val();
    }
}

/// An array of 16 by 16 cells: `a` enters on the left, `b` at the top, all sums are outputs, row after row.
#[derive(LogicBlock)]
pub struct MacArray {
    clock: Signal<In, Clock>,
    clear: Signal<In, Bit>,
    a: [Signal<In, Signed<W>>; SIZE],
    b: [Signal<In, Signed<W>>; SIZE],
    sum: [Signal<Out, Signed<ACC>>; SIZE * SIZE],
    cells: [MacCell; SIZE * SIZE],
}

impl Default for MacArray {
    fn default() -> Self {
        Self {
            clock: Signal::default(),
            clear: Signal::default(),
            a: array_init::array_init(|_| Signal::default()),
            b: array_init::array_init(|_| Signal::default()),
            sum: array_init::array_init(|_| Signal::default()),
            cells: array_init::array_init(|_| MacCell::default()),
        }
    }
}

impl Logic for MacArray {
    #[hdl_gen]
    fn update(&mut self) {
        for i in 0..256 {
            self.cells[i].clock.next = self.clock.val();
            self.cells[i].clear.next = self.clear.val();
            self.sum[i].next = self.cells[i].sum.val();
        }
        for i in 0..16 {
            self.cells[16 * i].a.next = self.a[i].val();
            self.cells[i].b.next = self.b[i].val();
            for j in 1..16 {
                self.cells[16 * i + j].a.next = self.cells[16 * i + j - 1].a_next.val();
                self.cells[16 * j + i].b.next = self.cells[16 * j + i - 16].b_next.val();
            }
        }
    }
}

fn verilog<B: Block>(mut block: B) -> String {
    block.connect_all();
    generate_verilog(&block)
}

/// The MAC cell, module `top`.
pub fn mac_cell() -> String {
    verilog(MacCell::default())
}
/// The array, module `top`.
pub fn mac_array() -> String {
    verilog(MacArray::default())
}

/// A FIFO of four bytes, module `top`: `write` is ignored while `full`, `read` while `empty`.
pub fn fifo() -> String {
    verilog(SynchronousFIFO::<Bits<8>, 2, 3, 1>::default())
}

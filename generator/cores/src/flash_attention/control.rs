//! The order of columns: which tile's q and k, or v, enters the array next, and what the rows do in its wake.
//!
//! ```text
//! tile   0    1    0    2    1   …   X-1  X-2  X-1
//! phase  A    A    B    A    B   …   A    B    B      A: q·k, B: p·v; one column a cycle
//! ```
//!
//! While B of tile x - 1 and A of tile x + 1 occupy the array, the logits of tile x become probabilities. The last column of A waits until
//! the probabilities of the tile before are made, so that B of that one may follow at once and frees them in time.

use std::rc::Rc;

use bitlathe_hdl::{Clock, Dim, Expr, Module, Reg, Unit, Wire, bit, clog2, concat, lit, uint};
use bitlathe_spec::Family;

use super::array::cell;
use super::array::select::{PICK_BITS, STEP_BITS};
use super::hardware::Hardware;
use super::wave::Wave;
use crate::Cost;
use crate::parts::delay_line::delayed;

/// A tile under way, as long as its v are to come.
struct Tile {
    /// There is one.
    there: Reg,
    words: Reg,
}

/// What is known of a tile: its slot, whether it is its block's first or last, the job's last, and whether its v come by the stream.
struct Marks {
    slot: Expr,
    first: Expr,
    last: Expr,
    job_end: Expr,
    streamed: Expr,
}

impl Marks {
    fn word(&self, m: &Module, name: &str) -> Expr {
        m.wire(name, &concat(&[&self.streamed, &self.job_end, &self.last, &self.first, &self.slot]))
    }

    fn of(word: &Expr, slot_bits: i64) -> Self {
        let flag = |n: i64| word.bit(slot_bits + n);
        Self { slot: word.slice(0, slot_bits), first: flag(0), last: flag(1), job_end: flag(2), streamed: flag(3) }
    }
}

struct Control<'a> {
    hw: &'a Hardware,
    m: Module,
    ck: Clock,
    n: Dim,
    /// Place of a head's last column.
    last_place: Expr,
    /// Phase B.
    weighing: Reg,
    /// Column within the phase.
    place: Reg,
    place_first: Expr,
    place_last: Expr,
    /// A column of A, of B moves; its last one.
    a_go: Wire,
    b_go: Wire,
    a_last: Expr,
    b_last: Expr,
}

/// The unit.
pub fn unit(hw: &Hardware) -> Rc<Unit> {
    let m = Module::new("attention_control");
    m.doc(
        "Walks over heads, blocks of queries and tiles of keys; lets columns of q, k and v into the array in the order A0 A1 B0 A2 B1 ...\n\
         a_o and b_o: a column of q and k, of v enters now; control_o follows for the rows.",
    );
    let n = m.param("N", hw.n, 4..=32, "queries of a block, keys of a tile");
    let ck = m.clock();
    let columns = m.input("columns_i", uint(hw.column_bits()));
    let weighing = ck.reg("weighing_q", bit()).reset_to(0);
    m.describe(&weighing, "the present phase is B");
    let place = ck.reg("place_q", uint(hw.place_bits())).reset_to(0);
    let end = m.wire("last_place", &columns.wrapping_sub(1));
    m.allow(&end, "UNUSEDSIGNAL", "a place has one bit less where the largest number of columns is a power of two");
    let place_first = m.wire("place_first", &!place.any());
    let last_place = end.slice(0, hw.place_bits());
    let place_last = m.wire("place_last", &place.eq_to(&last_place));
    let (a_go, b_go) = (m.output_wire("a_o", bit()), m.output_wire("b_o", bit()));
    let a_last = m.wire("a_last", &(&*a_go & &place_last));
    let b_last = m.wire("b_last", &(&*b_go & &place_last));
    let moves = m.wire("moves", &(&*a_go | &*b_go));
    place.next_when(&moves, place_last.select(0, place.wrapping_add(1)));
    let c = Control { hw, m, ck, n, last_place, weighing, place, place_first, place_last, a_go, b_go, a_last, b_last };
    c.build();
    c.m.finish()
}

impl Control<'_> {
    fn build(&self) {
        let (m, hw) = (&self.m, self.hw);
        let walk = self.walk();
        let spaced = self.spaced();
        m.comment("Tiles whose v are to come");
        let [older, newer] = ["older", "newer"].map(|name| Tile {
            there: self.ck.reg(&format!("{name}_there_q"), bit()).reset_to(0),
            words: self.ck.reg(&format!("{name}_q"), uint(hw.slot_bits() + 4)),
        });
        m.describe(&older.there, "a tile whose v come next");
        m.describe(&newer.there, "the tile after it");
        let marks = walk.marks.word(m, "marks");
        let to_newer = m.wire("to_newer", &(&self.a_last & &*older.there));
        let to_older = m.wire("to_older", &(&self.a_last & !&*older.there));
        newer.there.next(&to_newer | (&*newer.there & !&self.b_last));
        newer.words.next_when(&to_newer, &marks);
        older.there.next(&self.a_last | &*newer.there | (&*older.there & !&self.b_last));
        older.words.next_when(&(&to_older | &self.b_last), to_older.select(&marks, &*newer.words));
        // The last tile of a job is followed by no A.
        let over = self.ck.reg("over_q", bit()).reset_to(0);
        m.describe(&over, "all q and k of the job are in");
        let job_end = m.wire("job_end", &(&self.a_last & &walk.marks.job_end));
        let emptied = m.wire("emptied", &(&self.b_last & !&*newer.there));
        over.next(&job_end | (&*over & !&emptied));
        let after_a = &*older.there | &walk.marks.job_end;
        let after_b = &*over & &*newer.there;
        let turns = m.wire("turns", &(&self.a_last | &self.b_last));
        self.weighing.next_when(&turns, self.a_last.select(&after_a, &after_b));

        let next = Marks::of(&older.words, hw.slot_bits());
        self.columns_enter(&walk, &next, &older, &newer, &spaced);
        self.wave(&walk, &next);
        m.comment("A block is complete");
        let done = m.wire("block_done", &(&self.b_last & &next.last));
        let done = m.wire("block", &concat(&[&(&done & &next.job_end), &done]));
        // One cycle to the array, then down the rows.
        let always = lit(1, bit());
        let half = delayed(m, &self.ck, "block", &always, &done, hw.block_latency() - hw.n, true);
        let done = delayed(m, &self.ck, "complete", &always, &half, hw.n + 1, true);
        m.output("done_o", &done.bit(0));
        m.output("job_done_o", &done.bit(1));
    }

    /// Counts what may begin no sooner than the probabilities of the last tile are made: the last column of the next A.
    fn spaced(&self) -> Spaced {
        let (m, latency) = (&self.m, self.hw.probability_latency());
        let bits = clog2(latency);
        let wait = self.ck.reg("wait_q", uint(bits)).reset_to(0);
        m.describe(&wait, "cycles until the probabilities of the last tile begin");
        let waits = m.wire("waits", &wait.any());
        let fewer = m.wire("fewer", &wait.wrapping_sub(concat(&[&lit(0, uint(bits - 1)), &waits])));
        wait.next(self.a_last.select(latency - 1, &fewer));
        let begun = self.ck.reg("begun_q", bit()).reset_to(0);
        m.describe(&begun, "the first probability is in its cell");
        begun.next(!&waits & !&self.a_last);
        Spaced { free: m.wire("spaced", &!&waits), begun: (*begun).clone() }
    }

    /// When columns may enter, and the handshakes of the streams.
    fn columns_enter(&self, walk: &Walk, next: &Marks, older: &Tile, newer: &Tile, spaced: &Spaced) {
        let m = &self.m;
        m.comment("Columns enter");
        let [q_valid, k_valid, v_valid] = ["q_valid_i", "k_valid_i", "v_valid_i"].map(|n| m.input(n, bit()));
        let ahead = self.q_memory(walk, &q_valid);
        let room = self.room(walk);
        let has_v = m.wire("has_v", &(&v_valid | !&next.streamed));
        // Where B follows, its first column is there.
        let follows = !&*older.there | &has_v;
        let ends = m.wire("may_end", &(&spaced.free & &follows & (&room | !&walk.marks.first)));
        let a_may = !&*self.weighing & (&ahead | !&walk.marks.first) & (!&self.place_last | &ends);
        let a_may = m.wire("a_may", &a_may);
        let begins = !&self.place_first | &*newer.there | &spaced.begun;
        let b_may = m.wire("b_may", &(&*self.weighing & &begins));
        self.a_go.drive(&a_may & (&k_valid | !&walk.marks.streamed));
        self.b_go.drive(&b_may & &has_v);
        m.output("k_ready_o", &(&a_may & &walk.marks.streamed));
        m.output("v_ready_o", &(&b_may & &next.streamed));
        if self.hw.resident > 1 {
            m.output("k_streamed_o", &walk.marks.streamed);
            m.output("v_streamed_o", &next.streamed);
            m.output("place_o", &self.place);
        }
    }

    /// Blocks that have begun and whose output is not read: no more than there are slots.
    fn room(&self, walk: &Walk) -> Expr {
        let m = &self.m;
        let drained = m.input("drained_i", bit());
        let bits = self.hw.slot_bits() + 1;
        let open = self.ck.reg("open_q", uint(bits)).reset_to(0);
        m.describe(&open, "blocks that have begun and have not left");
        let begins = m.wire("block_begins", &(&self.a_last & &walk.marks.first));
        let counted = m.wire("open_next", &begins.select(open.wrapping_add(1), open.wrapping_sub(1)));
        open.next_when(&m.wire("open_changes", &begins.xor(&drained)), &counted);
        m.wire("block_room", &!open.msb())
    }

    /// Blocks of q on their way into memory, and out of it. Whether a column is there for a block's first tile.
    fn q_memory(&self, walk: &Walk, q_valid: &Expr) -> Expr {
        let (m, hw, ck) = (&self.m, self.hw, &self.ck);
        let slot = ck.reg("q_slot_q", uint(hw.slot_bits())).reset_to(0);
        let place = ck.reg("q_place_q", uint(hw.place_bits())).reset_to(0);
        let held = ck.reg("held_q", uint(hw.slot_bits() + 1)).reset_to(0);
        m.describe(&held, "blocks of q in memory or under way");
        let last = m.wire("q_last", &place.eq_to(&self.last_place));
        let first = m.wire("q_first", &!place.any());
        // The block whose columns come in counts from its first one.
        let ready = m.wire("q_ready", &(!held.msb() | !&first));
        let take = m.wire("q_take", &(q_valid & &ready));
        place.next_when(&take, last.select(0, place.wrapping_add(1)));
        let ends = m.wire("q_ends", &(&take & &last));
        slot.next_when(&ends, slot.wrapping_add(1));
        let begins = m.wire("q_begins", &(&take & &first));
        let leaves = m.wire("q_leaves", &(&self.a_last & &walk.marks.last));
        let counted = m.wire("held_next", &begins.select(held.wrapping_add(1), held.wrapping_sub(1)));
        held.next_when(&m.wire("held_changes", &begins.xor(&leaves)), &counted);
        let ahead = ck.reg("ahead_q", uint(hw.address_bits() + 1)).reset_to(0);
        m.describe(&ahead, "columns of q that no tile has used");
        let used = m.wire("q_used", &(&*self.a_go & &walk.marks.first));
        let counted = m.wire("ahead_next", &take.select(ahead.wrapping_add(1), ahead.wrapping_sub(1)));
        ahead.next_when(&m.wire("ahead_changes", &take.xor(&used)), &counted);
        m.output("q_ready_o", &ready);
        m.output("q_write_o", &take);
        m.output("q_write_at_o", &concat(&[&*slot, &*place]));
        m.output("q_read_at_o", &concat(&[&walk.marks.slot, &*self.place]));
        m.wire("has_q", &ahead.any())
    }

    /// Where among heads, blocks and tiles the next A lies.
    fn walk(&self) -> Walk {
        let (m, hw, ck) = (&self.m, self.hw, &self.ck);
        m.comment("Tiles in their order");
        let [keys, rows, heads] = [("keys", hw.l_max), ("rows", hw.l_max * hw.heads_max), ("kv_heads", hw.heads_max)]
            .map(|(name, max)| m.input(&format!("{name}_i"), uint(clog2(max + 1))));
        // Counts that begin with a register and go down by N.
        let count = |name: &str, all: &Expr, begins: &Reg| {
            let left = ck.reg(&format!("{name}_left_q"), uint(all.width()));
            let now = m.wire(&format!("{name}_now"), &begins.select(all, &*left));
            (left, now)
        };
        let by_n = |name: &str, now: &Expr| {
            let step = m.constant(&format!("{}_STEP", name.to_uppercase()), &self.n, now.width());
            (m.wire(&format!("{name}_end"), &now.le(&step)), m.wire(&format!("{name}_less"), &now.wrapping_sub(&step)))
        };
        let [first_tile, first_block, first_head] =
            ["first_tile_q", "first_block_q", "first_head_q"].map(|name| ck.reg(name, bit()).reset_to(1));
        let resident = (hw.resident > 1).then(|| ck.reg("resident_q", uint(clog2(hw.resident))).reset_to(0));
        let opens = resident.as_ref().map_or_else(|| lit(1, bit()), |r| m.wire("streamed", &!r.any()));
        let causal = hw.causal.then(|| self.causal(&keys, [&first_tile, &first_block, &opens]));
        let all_keys = causal.as_ref().unwrap_or(&keys);
        let (keys_left, keys_now) = count("keys", all_keys, &first_tile);
        let (keys_end, keys_less) = by_n("keys", &keys_now);
        let (rows_left, rows_now) = count("rows", &rows, &first_block);
        let (heads_left, heads_now) = count("heads", &heads, &first_head);
        let heads_end = m.wire("heads_end", &heads_now.eq_to(1));
        let base = ck.reg("base_q", uint(hw.slot_bits())).reset_to(0);
        m.describe(&base, "slot of the first resident block");

        // The blocks that share a walk over the keys.
        let shared = resident.map(|r| {
            let left = ck.reg("block_left_q", uint(rows.width()));
            let now = m.wire("block_now", &opens.select(&rows_now, &*left));
            (r, left, now)
        });
        let block_now = shared.as_ref().map_or(&rows_now, |(_, _, now)| now);
        let (rows_end, rows_less) = by_n("rows", block_now);
        let (turn, slot) = match &shared {
            None => (lit(1, bit()), (*base).clone()),
            Some((r, left, _)) => {
                let end = m.wire("resident_end", &(&rows_end | r.eq_to(hw.resident - 1)));
                r.next_when(&self.a_last, end.select(0, r.wrapping_add(1)));
                left.next_when(&self.a_last, &rows_less);
                let slot = base.wrapping_add(concat(&[&lit(0, bit()), &**r]));
                (end, m.wire("slot", &slot))
            }
        };
        let tile_ends = m.wire("tile_ends", &(&self.a_last & &turn));
        let blocks_end = m.wire("blocks_end", &(&tile_ends & &keys_end));
        let head_ends = m.wire("head_ends", &(&blocks_end & &rows_end));
        keys_left.next_when(&tile_ends, &keys_less);
        first_tile.next_when(&tile_ends, &keys_end);
        base.next_when(&blocks_end, slot.wrapping_add(1));
        rows_left.next_when(&blocks_end, &rows_less);
        first_block.next_when(&blocks_end, &rows_end);
        heads_left.next_when(&head_ends, heads_now.wrapping_sub(1));
        first_head.next_when(&head_ends, &heads_end);
        let job_end = m.wire("last_tile", &(&turn & &keys_end & &rows_end & &heads_end));
        let marks = Marks { slot, first: (*first_tile).clone(), last: keys_end.clone(), job_end, streamed: opens };
        // Under a causal mask each row knows its own keys.
        let keys = (!hw.causal).then(|| {
            let all = m.constant("KEYS_STEP", &self.n, keys_now.width());
            let whole = m.wire("whole", &(!&keys_end | keys_now.eq_to(all)));
            (whole, m.wire("keys_low", &keys_now.slice(0, clog2(hw.n))))
        });
        Walk { marks, keys }
    }

    /// Keys that the blocks of a walk see at most, from their first row's query on. Rows pass on how many keys they see; what comes out
    /// behind the last row is where the next block begins, also the next one of the same walk. `opens`: the walk's first block is next.
    fn causal(&self, keys: &Expr, [first_tile, first_block, opens]: [&Expr; 3]) -> Expr {
        let (m, hw, ck) = (&self.m, self.hw, &self.ck);
        m.comment("Causal mask");
        let bits = hw.reach_bits();
        let wide = |name: &str, value: &Expr| m.wire(name, &concat(&[&lit(0, uint(bits - value.width())), value]));
        let step = lit(hw.n, uint(bits));
        let queries = m.input("queries_i", uint(clog2(hw.l_max + 1)));
        // Without the mask each row sees what a head's last query sees, as where heads have one query each.
        let queries = m.wire("queries", &m.input("causal_i", bit()).select(&queries, lit(1, queries.ty().clone())));
        let (keys_wide, queries) = (wide("keys_wide", keys), wide("queries_wide", &queries));
        let more = m.wire("more_keys", &keys_wide.wrapping_sub(&queries));
        m.output("mask_error_o", &(&*self.a_go & more.msb()));
        let [query, next, tile_key] = ["query_q", "next_query_q", "tile_key_q"].map(|name| ck.reg(name, uint(bits)));
        m.describe(&query, "query of the walk's first row");
        m.describe(&next, "that of the block after the last one");
        m.describe(&tile_key, "the tile's first key");
        let begins = m.wire("first_query", &(next.as_unsigned() & (!first_block).repeat(bits)));
        let walk = m.wire("walk_query", &(first_tile & opens).select(&begins, &*query));
        query.next_when(&self.a_last, &walk);
        let now = if hw.resident > 1 { m.wire("query_now", &opens.select(&walk, &*next)) } else { walk.clone() };
        let own = if hw.resident > 1 {
            let own = ck.reg("own_query_q", uint(bits));
            own.next_when(&self.a_last, &now);
            own
        } else {
            query
        };
        let later = m.wire("next_key", &tile_key.wrapping_add(&step & opens.repeat(bits)));
        tile_key.next_when(&self.a_last, later.as_unsigned() & (!first_tile).repeat(bits));
        // Numbers of keys from the tile's first on: two cycles, then they are ready for row 0.
        let key = (*tile_key).clone();
        let first = ck.delay("reach_first", &m.wire("reach_first", &more.wrapping_sub(&key).wrapping_add(1)), 1);
        let last = ck.delay("reach_last", &m.wire("reach_last", &keys_wide.wrapping_sub(&key)), 1);
        let own = ck.delay("reach_own", &m.wire("reach_own", &own.wrapping_add(&first)), 1);
        for (name, value) in [("reach_o", &own), ("reach_first_o", &first), ("reach_last_o", &last)] {
            m.output(name, value);
        }
        let out = m.input("reach_i", uint(bits));
        let due = delayed(m, ck, "reach_due", &lit(1, bit()), &self.a_last, self.reach_latency(), true);
        next.next_when(&due, out.wrapping_sub(&first));
        let end = m.wire("query_end", &walk.wrapping_add(hw.n * hw.resident));
        let whole = m.wire("sees_all", &end.ge(&queries));
        let seen = m.wire("keys_seen", &end.wrapping_add(&more));
        m.allow(&seen, "UNUSEDSIGNAL", "there are no more keys than that");
        whole.select(keys, seen.slice(0, keys.width()))
    }

    /// Cycles from the last column of A until the last row has passed on how many keys the row after it would see.
    fn reach_latency(&self) -> i64 {
        cell::LATENCY + self.hw.n
    }

    /// What the rows do, each signal at its time.
    fn wave(&self, walk: &Walk, next: &Marks) {
        let (m, hw, ck) = (&self.m, self.hw, &self.ck);
        m.comment("The wave of a phase's columns");
        let always = lit(1, bit());
        let later = |name: &str, value: &Expr, cycles: i64| delayed(m, ck, name, &always, value, cycles, true);
        let entered = |name: &str, value: Expr| ck.delay(name, &m.wire(name, &value), 1);
        let weigh = entered("weigh", (*self.b_go).clone());
        let load = entered("load", &*self.b_go & &self.place_first);
        let anew = &*self.b_go | (&*self.a_go & &self.place_first);
        let own = entered("own", !anew);
        let late = |name: &str, v: &Expr| later(name, v, cell::ROLE_DELAY);
        let (own, pass) = (late("own", &own), late("pass", &weigh));

        // Cycles since the last column of A entered, a bit a cycle.
        let since = Dim::from(hw.probability_latency()) + &self.n;
        let since_q = ck.reg("since_q", uint(&since)).reset_to(0);
        let moved = m.wire("since", &concat(&[&*since_q, &self.a_last]));
        m.allow(&moved, "UNUSEDSIGNAL", "the oldest bit leaves");
        since_q.next(moved.slice(0, &since));
        let after = |cycles: i64| since_q.bit(cycles);
        let slot_bits = hw.slot_bits();
        let held = |name: &str, when: &Expr, value: &Expr| {
            let q = ck.reg(name, uint(value.width()));
            q.next_when(when, value);
            (*q).clone()
        };
        let close = after(hw.maximum_latency());
        let tile = held("tile_q", &self.a_last, &concat(&[&walk.marks.first, &walk.marks.slot]));
        let settling = held("settling_q", &close, &tile);

        m.comment("The sums of a row's cells, one after the other");
        let cells = self.sequence("cell", &after(cell::LATENCY - 1));
        let counts = match &walk.keys {
            Some(keys) => self.counts(keys, &cells),
            None => cells.active.clone(),
        };
        m.comment("The tile's sums of all rows");
        let rows = self.sequence("row", &since_q.bit(&since - 1));
        let settled = held("settled_q", &since_q.bit(&since - 1), &settling);
        m.output("settle_o", &rows.active);
        m.output("settle_pick_o", &rows.pick);
        m.output("settle_first_o", &settled.bit(slot_bits));
        m.output("settle_at_o", &concat(&[&m.wire("settle_slot", &settled.slice(0, slot_bits)), &rows.number]));
        let seen = |cycles: i64, name: &str| later(name, &counts, cycles - cell::LATENCY);
        let masks =
            (!hw.causal).then(|| (seen(hw.logit_latency() + 1, "seen"), seen(hw.probability_latency() - 1, "live")));

        let at = concat(&[&next.slot, &*self.place]);
        let out = concat(&[&at, &next.first, &(&*self.b_go & &self.place_first), &*self.b_go]);
        let out = m.wire("out_now", &out);
        let out = m.wire("out", &later("out", &out, hw.row_latency() - 1));
        let wave = Wave::new(hw).pack(m, "wave", |field| match field {
            "weigh" => weigh.clone(),
            "load" => load.clone(),
            "own" => own.clone(),
            "pass" => pass.clone(),
            "pick" => cells.pick.clone(),
            "open" => after(hw.logit_latency() + 1),
            "close" => close.clone(),
            "close_first" => tile.bit(slot_bits),
            "close_slot" => tile.slice(0, slot_bits),
            "take" => after(hw.probability_latency()),
            "out" => out.bit(0),
            "out_load" => out.bit(1),
            "out_first" => out.bit(2),
            "out_at" => out.slice(3, hw.address_bits()),
            "reveal" => after(cell::LATENCY - 1),
            "summed" => counts.clone(),
            "key" => cells.number.clone(),
            name => match &masks {
                Some((seen, _)) if name == "seen" => seen.clone(),
                Some((_, live)) => live.clone(),
                None => lit(0, bit()),
            },
        });
        m.output("control_o", &wave);
    }

    /// N steps from the cycle after `begins`.
    fn sequence(&self, name: &str, begins: &Expr) -> Sequence {
        let (m, ck, low) = (&self.m, &self.ck, clog2(self.hw.n));
        let number = ck.reg(&format!("{name}_q"), uint(low));
        number.next(begins.select(0, number.wrapping_add(1)));
        let active = ck.reg(&format!("{name}_active_q"), bit()).reset_to(0);
        active.next(begins | (&*active & !&m.wire(&format!("{name}_last"), &number.all())));
        let mut parts = vec![];
        for (step, at) in (0..PICK_BITS).step_by(STEP_BITS as usize).enumerate() {
            let bits = (low - at).clamp(0, STEP_BITS);
            if bits == 0 {
                parts.push(lit(0, uint(STEP_BITS)));
                continue;
            }
            let own = number.slice(at, bits);
            let own = if bits < STEP_BITS { concat(&[&lit(0, uint(STEP_BITS - bits)), &own]) } else { own };
            let name = format!("{name}_step_{step}");
            parts.push(ck.delay(&name, &m.wire(&name, &own), step as u32));
        }
        let parts: Vec<&Expr> = parts.iter().rev().collect();
        let pick = m.wire(&format!("{name}_pick"), &concat(&parts));
        Sequence { number: (*number).clone(), active: (*active).clone(), pick }
    }

    /// Whether the key of a cell is one.
    fn counts(&self, (all, number): &(Expr, Expr), cells: &Sequence) -> Expr {
        let (m, ck) = (&self.m, &self.ck);
        let whole = ck.reg("whole_q", bit());
        whole.next_when(&self.a_last, all);
        let keys = ck.reg("keys_q", uint(number.width()));
        keys.next_when(&self.a_last, number);
        m.wire("counts", &(&cells.active & (&*whole | cells.number.lt(&*keys))))
    }
}

/// A number that counts to N, and the choices that it makes, each step a cycle later.
struct Sequence {
    number: Expr,
    active: Expr,
    pick: Expr,
}

/// When the next A may end, and when a B may begin that follows no A.
struct Spaced {
    free: Expr,
    begun: Expr,
}

/// The next tile of A.
struct Walk {
    marks: Marks,
    /// Whether it holds N keys, and how many otherwise.
    keys: Option<(Expr, Expr)>,
}

/// Cost: counters, two tiles' marks, histories of a bit a cycle.
pub fn cost(hw: &Hardware, _: Family) -> Cost {
    let counters = clog2(hw.l_max + 1) + clog2(hw.l_max * hw.heads_max + 1) + clog2(hw.heads_max + 1);
    let places = 2 * hw.place_bits() + 2 * hw.address_bits() + 4 * hw.slot_bits();
    let masks = if hw.causal { 6 * hw.reach_bits() } else { hw.logit_latency() + hw.probability_latency() };
    let histories = hw.probability_latency() + hw.n + masks;
    let out = (hw.address_bits() + 3) * hw.row_latency() + 2 * hw.block_latency();
    let logic = 3 * counters + 3 * places + 60;
    Cost::logic(logic as f64, (counters + places + histories + out + 40) as f64)
}

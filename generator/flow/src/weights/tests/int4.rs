//! Layers of AWQ and GPTQ packed here as their writers do, word by word, and damaged.

use super::*;

/// A layer before it is packed.
#[derive(Clone, Debug)]
struct Plain {
    rows: usize,
    columns: usize,
    group: usize,
    codes: Vec<u8>,
    /// As stored, [rows, groups].
    zeros: Vec<u8>,
    scales: Vec<f32>,
}

impl Plain {
    fn new(rows: usize, columns: usize, group: usize, seed: u64) -> Self {
        let groups = columns.div_ceil(group);
        let mix = |n: usize| (n as u64 + 1).wrapping_mul(seed | 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        Self {
            rows,
            columns,
            group,
            codes: (0..rows * columns).map(|n| (mix(n) & 15) as u8).collect(),
            zeros: (0..rows * groups).map(|n| (mix(n + 7_777) & 15) as u8).collect(),
            scales: (0..rows * groups).map(|n| (mix(n + 99) & 1023) as f32 / 4096.0).collect(),
        }
    }

    fn groups(&self) -> usize {
        self.columns.div_ceil(self.group)
    }

    /// Rows of W packed eight to a word, [wide, rows / 8].
    fn across(&self, wide: usize, order: [usize; 8], code: impl Fn(usize, usize) -> u8) -> Vec<u32> {
        let mut words = vec![0u32; wide * self.rows / 8];
        for (at, word) in words.iter_mut().enumerate() {
            let (line, first) = (at / (self.rows / 8), at % (self.rows / 8) * 8);
            for (i, o) in order.iter().enumerate() {
                *word |= u32::from(code(first + o, line)) << (4 * i);
            }
        }
        words
    }

    fn awq(&self) -> Vec<u8> {
        let order = [0, 2, 4, 6, 1, 3, 5, 7];
        let codes = self.across(self.columns, order, |m, k| self.codes[m * self.columns + k]);
        let zeros = self.across(self.groups(), order, |m, g| self.zeros[m * self.groups() + g]);
        self.file([self.columns, self.rows / 8], &codes, &zeros, None)
    }

    fn gptq(&self, order: Option<&[i32]>) -> Vec<u8> {
        let mut codes = vec![0u32; self.columns / 8 * self.rows];
        for (m, k) in (0..self.rows).flat_map(|m| (0..self.columns).map(move |k| (m, k))) {
            codes[k / 8 * self.rows + m] |= u32::from(self.codes[m * self.columns + k]) << (k % 8 * 4);
        }
        let zeros = self.across(self.groups(), [0, 1, 2, 3, 4, 5, 6, 7], |m, g| self.zeros[m * self.groups() + g]);
        self.file([self.columns / 8, self.rows], &codes, &zeros, order)
    }

    fn file(&self, shape: [usize; 2], codes: &[u32], zeros: &[u32], order: Option<&[i32]>) -> Vec<u8> {
        let bytes = |words: &[u32]| words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>();
        let groups = self.groups();
        let scale = |at: usize| f16::from_f32(self.scales[at % self.rows * groups + at / self.rows]);
        let scales: Vec<u8> = (0..self.rows * groups).flat_map(|at| scale(at).to_le_bytes()).collect();
        let (codes, zeros) = (bytes(codes), bytes(zeros));
        let order: Option<Vec<u8>> = order.map(|o| o.iter().flat_map(|g| g.to_le_bytes()).collect());
        let shapes = ([groups, self.rows / 8], [groups, self.rows], [self.columns]);
        let mut tensors: Vec<(&str, Dtype, &[usize], &[u8])> = vec![
            ("up.qweight", Dtype::I32, &shape, &codes),
            ("up.qzeros", Dtype::I32, &shapes.0, &zeros),
            ("up.scales", Dtype::F16, &shapes.1, &scales),
        ];
        if let Some(order) = &order {
            tensors.push(("up.g_idx", Dtype::I32, &shapes.2, order));
        }
        safetensors_file(&tensors)
    }

    /// What the reader should give, with the stored zero points raised by a number.
    fn expect(&self, got: ModelTensor, added: u8) -> Vec<String> {
        let ModelTensor::Grouped { shape, group, codes, zeros, scales, notes } = got else { panic!("{got:?}") };
        assert_eq!((shape, group), ([self.rows, self.columns], self.group));
        assert_eq!(codes, self.codes);
        assert_eq!(zeros, self.zeros.iter().map(|z| z + added).collect::<Vec<u8>>());
        assert_eq!(scales, self.scales);
        notes
    }
}

fn version(zeros: GptqZeros) -> ImportOptions {
    ImportOptions { gptq_zeros: Some(zeros), ..plain() }
}

/// Words of the codes (3k + 5m + km) mod 16 and of the zero points (3m + 1) mod 16, packed by a script in Python.
#[test]
fn words_packed_elsewhere_are_read() {
    let layer = Plain {
        rows: 8,
        columns: 8,
        group: 8,
        codes: (0..64).map(|at| ((3 * (at % 8) + 5 * (at / 8) + at % 8 * (at / 8)) % 16) as u8).collect(),
        zeros: (0..8).map(|m| (3 * m + 1) % 16).collect(),
        scales: vec![0.5; 8],
    };
    let awq = AWQ_WORDS;
    let file = layer.file([8, 1], &awq.0, &[awq.1], None);
    assert_eq!(file, layer.awq(), "the writer of these tests agrees");
    layer.expect(read_bytes(&file, None, plain()).unwrap(), 0);
    let stored = Plain { zeros: layer.zeros.iter().map(|z| z.wrapping_sub(1) & 15).collect(), ..layer };
    let file = stored.file([1, 8], &GPTQ_WORDS.0, &[GPTQ_WORDS.1], None);
    assert_eq!(file, stored.gptq(None), "the writer of these tests agrees");
    stored.expect(read_bytes(&file, None, version(GptqZeros::V1)).unwrap(), 1);
}

const AWQ_WORDS: ([u32; 8], u32) = (
    [0x39f5_e4a0, 0xd159_7bf3, 0x79bd_0246, 0x1111_9999, 0xb975_20ec, 0x51d9_b73f, 0xf93d_4e82, 0x9191_d5d5],
    0x60a4_3d71,
);
const GPTQ_WORDS: ([u32; 8], u32) = (
    [0x52fc_9630, 0x1d95_1d95, 0xd83e_94fa, 0x93d7_1b5f, 0x5e70_92b4, 0x1919_1919, 0xd4b2_907e, 0x9f5b_17d3],
    0x52fc_9630,
);

#[test]
fn a_gptq_layer_needs_the_version_of_its_zero_points() {
    let mut layer = Plain::new(16, 64, 32, 3);
    layer.zeros[5] = 15;
    let file = layer.gptq(None);
    let text = message(&file, None, plain());
    assert!(text.starts_with("layer `up` is packed as GPTQ does"), "{text}");
    let notes = layer.expect(read_bytes(&file, Some("up.qweight"), version(GptqZeros::V1)).unwrap(), 1);
    assert!(notes[0].contains("version 1") && notes[1].ends_with("stored as 15 and mean 16"), "{notes:?}");
    let notes = layer.expect(read_bytes(&file, None, version(GptqZeros::V2)).unwrap(), 0);
    assert_eq!(notes, ["GPTQ packing, version 2; zero points as stored", "groups of 32 columns"]);
}

#[test]
fn a_short_last_group_needs_the_groups_of_the_columns() {
    let layer = Plain::new(8, 80, 32, 5);
    let order: Vec<i32> = (0..80).map(|k| k / 32).collect();
    layer.expect(read_bytes(&layer.gptq(Some(&order)), None, version(GptqZeros::V1)).unwrap(), 1);
    let text = message(&layer.gptq(None), None, version(GptqZeros::V1));
    assert!(text.ends_with("80 columns are not 3 equal groups, and there is no `g_idx`"), "{text}");
    let mut swapped = order.clone();
    swapped.swap(10, 70);
    let text = message(&layer.gptq(Some(&swapped)), None, version(GptqZeros::V1));
    assert!(text.contains("in activation order: column 10 is of group 2"), "{text}");
}

#[test]
fn shapes_and_scales_that_do_not_fit_are_refused() {
    let layer = Plain::new(16, 64, 32, 9);
    let wrong = |layer: &Plain, shape, codes: usize, zeros: usize| {
        message(&layer.file(shape, &vec![0; codes], &vec![0; zeros], None), None, version(GptqZeros::V2))
    };
    let text = wrong(&layer, [3, 5], 15, 4);
    assert!(text.contains("`qweight` is [3, 5], expected [K, 2] (AWQ) or [K/8, 16] (GPTQ)"), "{text}");
    for (value, shown) in [(-0.5, "-0.5"), (f32::NAN, "NaN")] {
        let mut bad = layer.clone();
        bad.scales[3] = value;
        let text = message(&bad.awq(), None, plain());
        assert_eq!(text, format!("layer `up`, row 1, group 1: scale {shown} is negative or not finite"));
    }
}

proptest! {
    #[test]
    fn packed_layers_survive(words in 1usize..4, groups in 1usize..4, seed: u64, awq: bool) {
        let layer = Plain::new(8 * words, 32 * groups, 32, seed);
        if awq {
            layer.expect(read_bytes(&layer.awq(), None, plain()).unwrap(), 0);
        } else {
            layer.expect(read_bytes(&layer.gptq(None), None, version(GptqZeros::V1)).unwrap(), 1);
        }
    }

    #[test]
    fn damaged_layers_never_panic(
        awq: bool,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        digits in prop::collection::vec((any::<prop::sample::Index>(), b'0'..=b'9'), 0..4),
        cut in any::<prop::sample::Index>(),
        truncate: bool,
    ) {
        let order: Vec<i32> = (0..32).map(|k| k / 16).collect();
        let layer = Plain::new(8, 32, 16, 1);
        let mut file = if awq { layer.awq() } else { layer.gptq(Some(&order)) };
        // Another digit in the header is another shape or offset; the other changes hit anything.
        let digit_places: Vec<usize> = (8..file.len()).filter(|at| file[*at].is_ascii_digit()).collect();
        for (place, digit) in &digits {
            file[digit_places[place.index(digit_places.len())]] = *digit;
        }
        if digits.is_empty() {
            for (place, value) in changes {
                let place = place.index(file.len());
                file[place] = value;
            }
        }
        if truncate {
            file.truncate(cut.index(file.len()));
        }
        let _ = read_bytes(&file, None, everything());
        let _ = read_bytes(&file, Some("up.qweight"), everything());
    }
}

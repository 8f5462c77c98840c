//! Writers of model files for tests, made from the formats' definitions alone. Also used by the tests of the program.

use half::f16;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize};

/// A repeatable ternary matrix.
pub fn ternary(count: usize, seed: u64) -> Vec<i8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % 3) as i8 - 1
    };
    (0..count).map(|_| next()).collect()
}

/// One TQ1_0 block, digit by digit into base-3 numbers.
pub fn tq1_block(w: &[i8], d: f32) -> Vec<u8> {
    let number = |places: Vec<usize>| {
        let q = places.iter().fold(0u32, |q, &e| q * 3 + (w[e] + 1) as u32);
        let q = if places.len() == 4 { q * 3 } else { q };
        (q * 256).div_ceil(243) as u8
    };
    let mut block: Vec<u8> = (0..32).map(|m| number((0..5).map(|n| 32 * n + m).collect())).collect();
    block.extend((0..16).map(|m| number((0..5).map(|n| 160 + 16 * n + m).collect())));
    block.extend((0..4).map(|m| number((0..4).map(|n| 240 + 4 * n + m).collect())));
    block.extend(f16::from_f32(d).to_le_bytes());
    block
}

/// One TQ2_0 block.
pub fn tq2_block(w: &[i8], d: f32) -> Vec<u8> {
    let mut block = vec![0u8; 64];
    for (e, w) in w.iter().enumerate() {
        block[32 * (e / 128) + e % 32] |= ((w + 1) as u8) << (2 * (e % 128 / 32));
    }
    block.extend(f16::from_f32(d).to_le_bytes());
    block
}

/// A tensor for [`gguf_file`]: name, sizes innermost first, type, data.
pub type Raw = (&'static str, Vec<u64>, u32, Vec<u8>);

fn gguf_string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

/// A GGUF file with metadata of every kind and an alignment of its own.
pub fn gguf_file(version: u32, tensors: &[Raw]) -> Vec<u8> {
    let alignment = 64usize;
    let mut out = b"GGUF".to_vec();
    out.extend(version.to_le_bytes());
    out.extend((tensors.len() as u64).to_le_bytes());
    out.extend(5u64.to_le_bytes());
    let mut pair = |key: &str, type_id: u32, value: &[u8]| {
        gguf_string(&mut out, key);
        out.extend(type_id.to_le_bytes());
        out.extend(value);
    };
    let mut text = Vec::new();
    gguf_string(&mut text, "bitnet");
    let mut words = [8u32.to_le_bytes().as_slice(), &2u64.to_le_bytes()].concat();
    gguf_string(&mut words, "a");
    gguf_string(&mut words, "");
    let numbers = [5u32.to_le_bytes().as_slice(), &3u64.to_le_bytes(), &[0; 12]].concat();
    pair("general.architecture", 8, &text);
    pair("general.alignment", 4, &(alignment as u32).to_le_bytes());
    pair("tokens", 9, &words);
    pair("types", 9, &numbers);
    pair("flag", 7, &[1]);
    let mut data = Vec::new();
    for (name, dims, type_id, bytes) in tensors {
        gguf_string(&mut out, name);
        out.extend((dims.len() as u32).to_le_bytes());
        dims.iter().for_each(|d| out.extend(d.to_le_bytes()));
        out.extend(type_id.to_le_bytes());
        out.extend((data.len() as u64).to_le_bytes());
        data.extend(bytes);
        data.resize(data.len().next_multiple_of(alignment), 0);
    }
    out.resize(out.len().next_multiple_of(alignment), 0);
    out.extend(data);
    out
}

pub fn safetensors_file(tensors: &[(&str, Dtype, &[usize], &[u8])]) -> Vec<u8> {
    let views = tensors.iter().map(|(n, d, s, b)| (*n, TensorView::new(*d, s.to_vec(), b).unwrap()));
    serialize(views, None).unwrap()
}

/// Packs rows as HF BitNet does.
pub fn hf_pack(w: &[i8], rows: usize, columns: usize) -> Vec<u8> {
    let mut packed = vec![0u8; rows / 4 * columns];
    for row in 0..rows {
        for column in 0..columns {
            let (byte, place) = (row % (rows / 4), row / (rows / 4));
            packed[byte * columns + column] |= ((w[row * columns + column] + 1) as u8) << (2 * place);
        }
    }
    packed
}

/// Rows of blocks with one scale for each block.
pub fn blocks_of(w: &[i8], scales: &[f32], pack: Packer) -> Vec<u8> {
    w.chunks(256).zip(scales).flat_map(|(block, &d)| pack(block, d)).collect()
}

/// Packs a block of weights with its scale.
pub type Packer = fn(&[i8], f32) -> Vec<u8>;

/// A layer of four-bit weights before it is packed.
#[derive(Clone, Debug)]
pub struct Plain {
    /// Rows of W.
    pub rows: usize,
    /// Columns of W.
    pub columns: usize,
    /// Columns of a group.
    pub group: usize,
    /// u, [rows, columns].
    pub codes: Vec<u8>,
    /// As stored, [rows, groups].
    pub zeros: Vec<u8>,
    /// [rows, groups].
    pub scales: Vec<f32>,
}

impl Plain {
    /// A repeatable layer.
    pub fn new(rows: usize, columns: usize, group: usize, seed: u64) -> Self {
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

    /// Groups of a row.
    pub fn groups(&self) -> usize {
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

    /// As AutoAWQ writes it.
    pub fn awq(&self) -> Vec<u8> {
        let order = [0, 2, 4, 6, 1, 3, 5, 7];
        let codes = self.across(self.columns, order, |m, k| self.codes[m * self.columns + k]);
        let zeros = self.across(self.groups(), order, |m, g| self.zeros[m * self.groups() + g]);
        self.file([self.columns, self.rows / 8], &codes, &zeros, None)
    }

    /// As GPTQ's packers write it, with the group of each column where `order` gives it.
    pub fn gptq(&self, order: Option<&[i32]>) -> Vec<u8> {
        let mut codes = vec![0u32; self.columns / 8 * self.rows];
        for (m, k) in (0..self.rows).flat_map(|m| (0..self.columns).map(move |k| (m, k))) {
            codes[k / 8 * self.rows + m] |= u32::from(self.codes[m * self.columns + k]) << (k % 8 * 4);
        }
        let zeros = self.across(self.groups(), [0, 1, 2, 3, 4, 5, 6, 7], |m, g| self.zeros[m * self.groups() + g]);
        self.file([self.columns / 8, self.rows], &codes, &zeros, order)
    }

    /// The safetensors file of packed words.
    pub fn file(&self, shape: [usize; 2], codes: &[u32], zeros: &[u32], order: Option<&[i32]>) -> Vec<u8> {
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
}

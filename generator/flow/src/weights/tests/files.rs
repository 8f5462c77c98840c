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

//! The readers against files made here by writers of their own, against published packing, and against damage.

mod files;
mod int4;

use std::path::Path;

use ::safetensors::Dtype;
use half::{bf16, f16};
use proptest::prelude::*;

use super::*;
use files::{Packer, blocks_of, gguf_file, hf_pack, safetensors_file, ternary, tq1_block, tq2_block};

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn read_bytes(bytes: &[u8], tensor: Option<&str>, options: ImportOptions) -> Result<ModelTensor, WeightProblem> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    std::fs::write(&path, bytes).unwrap();
    read(&path, tensor, &options).map_err(|e| e.problem)
}

fn message(bytes: &[u8], tensor: Option<&str>, options: ImportOptions) -> String {
    read_bytes(bytes, tensor, options).unwrap_err().to_string()
}

fn plain() -> ImportOptions {
    ImportOptions::default()
}

fn parts(matrix: ModelTensor) -> ([usize; 2], Vec<i8>, Vec<f32>) {
    let ModelTensor::Ternary { shape, data, scale, .. } = matrix else { panic!("{matrix:?} is not ternary") };
    (shape, data, scale)
}

const PACKERS: [(u32, Packer); 2] = [(34, tq1_block), (35, tq2_block)];

/// The weights ((e² + e/7) mod 3) - 1 with scale 0.5, as the `gguf` Python package (0.19.0) packs them.
const PUBLISHED: [(u32, &str); 2] = [
    (
        34,
        "4782901198581cf8b76bc2d685b033c80953e723414782901198581cf8b76bc2e429ee3d35f70d501567a805705c22e38fc1e7560038",
    ),
    (
        35,
        "589509901901a02a122162562542640680a84a8488589509901901a02a12216209901901a02a122162562542640680a84a8488589509901901a02a12216256250038",
    ),
];

#[test]
fn published_packing_is_read() {
    let expected: Vec<i8> = (0..256).map(|e: i64| ((e * e + e / 7) % 3 - 1) as i8).collect();
    for ((type_id, text), (_, pack)) in PUBLISHED.into_iter().zip(PACKERS) {
        assert_eq!(hex(text), pack(&expected, 0.5), "the writer of these tests agrees");
        let file = gguf_file(3, &[("w", vec![256, 1], type_id, hex(text))]);
        assert_eq!(parts(read_bytes(&file, None, plain()).unwrap()), ([1, 256], expected.clone(), vec![0.5]));
    }
}

#[test]
fn gguf_blocks_with_one_scale_a_row() {
    for version in [2, 3] {
        for (type_id, pack) in PACKERS {
            let mut w = ternary(3 * 512, 7);
            w[512..1024].fill(0);
            w[1024..1280].fill(0);
            let scales = [0.25, 0.25, 9.0, 8.0, 7.0, 2.0];
            let file = gguf_file(
                version,
                &[("norm", vec![3], 0, vec![0; 12]), ("w", vec![512, 3], type_id, blocks_of(&w, &scales, pack))],
            );
            // Row 1 is all zero and takes row 0's scale; a block of zeros in row 2 has no say.
            let got = read_bytes(&file, Some("w"), plain()).unwrap();
            let ModelTensor::Ternary { notes, .. } = &got else { panic!("not ternary") };
            assert!(notes[1].starts_with("1 rows are all zero"), "{notes:?}");
            assert_eq!(parts(got), ([3, 512], w, vec![0.25, 0.25, 2.0]));
        }
    }
}

#[test]
fn a_block_with_scale_zero_is_a_block_of_zeros() {
    let w = ternary(512, 3);
    for (type_id, pack) in PACKERS {
        let file = gguf_file(3, &[("w", vec![512, 1], type_id, blocks_of(&w, &[0.0, 4.0], pack))]);
        let (_, data, scale) = parts(read_bytes(&file, None, plain()).unwrap());
        assert!(data[..256].iter().all(|w| *w == 0));
        assert_eq!((&data[256..], scale), (&w[256..], vec![4.0]));
    }
}

#[test]
fn unequal_and_broken_scales_name_the_block() {
    let w = ternary(2 * 768, 5);
    for (type_id, pack) in PACKERS {
        let file = |scales| gguf_file(3, &[("w", vec![768, 2], type_id, blocks_of(&w, scales, pack))]);
        let text = message(&file(&[1.0, 1.0, 1.0, 2.0, 2.0, 3.0]), None, plain());
        assert!(text.contains("row 1, block 2 (columns 512..=767) has scale 3e0"), "{text}");
        let text = message(&file(&[1.0, f32::NAN, 1.0, 2.0, 2.0, 2.0]), None, plain());
        assert!(text.contains("row 0, block 1: scale NaN"), "{text}");
    }
}

#[test]
fn a_code_that_is_no_weight_names_its_place() {
    let mut bytes = blocks_of(&ternary(1024, 1), &[1.0; 4], tq2_block);
    // Row 1, block 1, byte 32 + 5, bits 5:4: element 128 + 64 + 5 of the block.
    bytes[3 * 66 + 37] |= 0b11 << 4;
    let text = message(&gguf_file(3, &[("blk.w", vec![512, 2], 35, bytes)]), None, plain());
    assert_eq!(text, "tensor `blk.w`, row 1, column 453: 2 is not a ternary weight (-1, 0 or 1)");
}

#[test]
fn gguf_real_and_integer_types() {
    let values = [1.5f32, -2.0, 0.0, 0.25];
    let data: Vec<(u32, Vec<u8>)> = vec![
        (0, values.iter().flat_map(|v| v.to_le_bytes()).collect()),
        (1, values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect()),
        (28, values.iter().flat_map(|v| f64::from(*v).to_le_bytes()).collect()),
        (30, values.iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes()).collect()),
    ];
    for (type_id, bytes) in data {
        let file = gguf_file(3, &[("w", vec![2, 2, 1], type_id, bytes)]);
        let expected = ModelTensor::Float { shape: [2, 2], data: vec![1.5, -2.0, 0.0, 0.25] };
        assert!(matches!(read_bytes(&file, None, plain()), Err(WeightProblem::NoMatrix)));
        let got = read_bytes(&file, Some("w"), plain());
        // Sizes innermost first: the trailing 1 is an outer axis.
        assert_eq!(got.unwrap(), expected);
    }
    let file = gguf_file(3, &[("w", vec![3], 24, vec![1, 0xFF, 0])]);
    assert_eq!(
        read_bytes(&file, Some("w"), plain()).unwrap(),
        ModelTensor::Int { shape: [1, 3], data: vec![1, -1, 0] }
    );
}

#[test]
fn i2s_needs_its_layout_named() {
    let w = ternary(512, 11);
    for (layout, block) in [(I2sLayout::X86, 128), (I2sLayout::Arm, 64)] {
        let mut bytes = vec![0u8; 128];
        for (n, w) in w.iter().enumerate() {
            let (quarter, place) = (n % block / (block / 4), n % (block / 4));
            bytes[n / block * (block / 4) + place] |= ((w + 1) as u8) << (6 - 2 * quarter);
        }
        bytes.extend(1.25f32.to_le_bytes());
        bytes.extend([0; 28]);
        let file = gguf_file(3, &[("w", vec![256, 2], 36, bytes)]);
        let text = message(&file, None, plain());
        assert!(
            text.contains("three incompatible layouts") && text.contains("convert the model to TQ1_0 or TQ2_0"),
            "{text}"
        );
        let got = read_bytes(&file, None, ImportOptions { i2s: Some(layout), ..plain() }).unwrap();
        assert_eq!(parts(got), ([2, 256], w.clone(), vec![1.25; 2]));
    }
}

#[test]
fn gguf_refusals() {
    let file = |dims: &[u64], type_id, bytes| gguf_file(3, &[("blk.0.up", dims.to_vec(), type_id, bytes)]);
    let text = |bytes: &[u8]| message(bytes, Some("blk.0.up"), plain());
    assert!(text(&file(&[100, 2], 34, vec![0; 200])).contains("100 columns; TQ1_0 stores rows in blocks of 256"));
    assert!(text(&file(&[256, 2], 12, vec![0; 500])).contains("GGUF type 12, which is not read; F32 (0)"));
    assert!(text(&file(&[256, 0], 35, vec![])).contains("is empty"));
    assert!(text(&file(&[2, 2, 2], 0, vec![0; 32])).contains("two axes"));
    assert!(text(&file(&[1 << 40, 1 << 40], 0, vec![0; 32])).contains("sizes"));
    assert!(text(&file(&[1 << 30, 1 << 30], 0, vec![0; 32])).contains("truncated or damaged"));
    let whole = file(&[256, 4], 35, vec![0x55; 264]);
    let missing = message(&whole, Some("blk.0.uq"), plain());
    assert_eq!(missing, "no tensor `blk.0.uq`; the nearest names are `blk.0.up`");
    for cut in 4..whole.len() - 56 {
        assert!(read_bytes(&whole[..cut], None, plain()).is_err(), "cut at {cut}");
    }
    let mut version = whole.clone();
    version[4] = 1;
    assert!(text(&version).contains("GGUF version 1 is not supported"));
    for place in [8, 16] {
        let mut counts = whole.clone();
        counts[place..place + 8].fill(0xFF);
        assert!(text(&counts).contains("announces 18446744073709551615"), "at {place}");
    }
    let mut far = whole;
    let end = far.len();
    let entry = (0..end - 8).find(|&i| far[i..].starts_with(b"blk.0.up")).unwrap();
    far[entry + 32..entry + 40].fill(0xFF);
    assert!(text(&far).contains("offset 18446744073709551615"));
}

#[test]
fn hf_bitnet_needs_the_use_of_its_scale() {
    let (rows, columns) = (8, 6);
    let w = ternary(rows * columns, 2);
    let packed = hf_pack(&w, rows, columns);
    let scale = bf16::from_f32(4.0).to_le_bytes();
    let file = safetensors_file(&[
        ("up.weight", Dtype::U8, &[2, 6], &packed),
        ("up.weight_scale", Dtype::BF16, &[1], &scale),
        ("norm.weight", Dtype::F32, &[1], &[0; 4]),
    ]);
    let text = message(&file, None, plain());
    assert!(
        text.contains("divides in layers of class BitLinear") && text.contains("multiplies in AutoBitLinear"),
        "{text}"
    );
    for (scale, expected) in [(ScaleUse::Divide, 0.25), (ScaleUse::Multiply, 4.0)] {
        let got = read_bytes(&file, None, ImportOptions { scale: Some(scale), ..plain() }).unwrap();
        assert_eq!(parts(got), ([8, 6], w.clone(), vec![expected; 8]));
    }
}

#[test]
fn hf_bitnet_refusals() {
    let divide = ImportOptions { scale: Some(ScaleUse::Divide), ..plain() };
    // Bits 5:4 of packed row 1, column 2: row 1 + 2 · 2.
    let mut packed = hf_pack(&[0; 24], 8, 3);
    packed[5] |= 0b11 << 4;
    let file = |scale: &[u8], dtype, shape: &[usize]| {
        safetensors_file(&[("w", Dtype::U8, &[2, 3], &packed), ("w_scale", dtype, shape, scale)])
    };
    let good = file(&2.0f32.to_le_bytes(), Dtype::F32, &[1]);
    assert_eq!(message(&good, None, divide), "tensor `w`, row 5, column 2: 2 is not a ternary weight (-1, 0 or 1)");
    let zero = file(&0.0f32.to_le_bytes(), Dtype::F32, &[]);
    assert!(message(&zero, None, divide).contains("`w_scale` should hold one positive, finite scale"));
    let two = file(&[0; 8], Dtype::F32, &[2]);
    assert!(message(&two, None, divide).contains("has shape [2]"));
    let int = file(&[1; 4], Dtype::I32, &[1]);
    assert!(message(&int, None, divide).contains("has element type I32"));
    let bare = safetensors_file(&[("w", Dtype::U8, &[2, 3], &packed)]);
    assert!(message(&bare, None, divide).contains("no tensor `w_scale`"));
}

#[test]
fn plain_safetensors_matrices() {
    let file = safetensors_file(&[
        ("a", Dtype::F16, &[1, 2], &[0x00, 0x3C, 0x00, 0xC0]),
        ("b", Dtype::I8, &[2, 2], &[1, 0xFF, 0, 1]),
        ("c", Dtype::BOOL, &[1, 1], &[1]),
        ("d", Dtype::F32, &[3], &[0; 12]),
    ]);
    let read_one = |name| read_bytes(&file, Some(name), plain());
    assert_eq!(read_one("a").unwrap(), ModelTensor::Float { shape: [1, 2], data: vec![1.0, -2.0] });
    assert_eq!(read_one("b").unwrap(), ModelTensor::Int { shape: [2, 2], data: vec![1, -1, 0, 1] });
    assert!(read_one("c").unwrap_err().to_string().contains("element type BOOL, which is not read"));
    assert!(read_one("d").unwrap_err().to_string().contains("has shape [3], a weight matrix has two axes"));
    assert!(message(&file, None, plain()).contains("the file holds 3 matrices; name one, such as `a`, `b`, `c`"));
}

#[test]
fn safetensors_with_offsets_beyond_any_file() {
    let with_header = |header: &str| [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
    let huge = r#"{"w":{"dtype":"U8","shape":[1,1152921504606846976],"data_offsets":[0,1152921504606846976]}}"#;
    assert!(message(&with_header(huge), None, plain()).contains("the tensors' data needs bytes"));
    let overflow = r#"{"w":{"dtype":"F32","shape":[4294967296,4294967296,2],"data_offsets":[0,4]}}"#;
    assert!(message(&with_header(overflow), None, plain()).contains("damaged: its header"));
    assert!(message(&[0xFF; 9], None, plain()).contains("neither a GGUF"));
    let mut long = with_header("{}");
    long[..8].fill(0xFF);
    assert!(message(&long, None, plain()).contains("announces 18446744073709551615 bytes"));
    assert!(matches!(read_bytes(&with_header("{}"), None, plain()), Err(WeightProblem::NoMatrix)));
}

#[test]
fn npy_matrices_and_absmean_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.npy");
    let absmean = ImportOptions { ternarize: Some(Ternarize::Absmean), ..plain() };
    crate::npy::write(&path, &Tensor::from_f32([2, 2], &[0.5, -1.5, 0.25, 1.75])).unwrap();
    let float = ModelTensor::Float { shape: [2, 2], data: vec![0.5, -1.5, 0.25, 1.75] };
    assert_eq!(read(&path, None, &plain()).unwrap(), float);
    assert_eq!(parts(read(&path, None, &absmean).unwrap()), ([2, 2], vec![0, -1, 0, 1], vec![1.0; 2]));
    crate::npy::write(&path, &Tensor::from_f64([1, 2], &[1.0, f64::NAN])).unwrap();
    assert!(
        read(&path, None, &absmean).unwrap_err().to_string().ends_with("row 0, column 1: NaN is not a finite number")
    );
    crate::npy::write(&path, &Tensor::new(DType::I8, [1, 3], vec![-1, 0, 1])).unwrap();
    assert_eq!(read(&path, None, &plain()).unwrap(), ModelTensor::Int { shape: [1, 3], data: vec![-1, 0, 1] });
    assert!(matches!(read(&path, None, &absmean).unwrap_err().problem, WeightProblem::NothingToTernarize));
    assert!(read(&path, Some("w"), &plain()).unwrap_err().to_string().contains("without a name"));
    crate::npy::write(&path, &Tensor::new(DType::I8, [2], vec![0, 1])).unwrap();
    assert!(matches!(read(&path, None, &plain()).unwrap_err().problem, WeightProblem::NotMatrix { .. }));
}

#[test]
fn missing_files_and_unknown_formats() {
    let text = read(Path::new("/nonexistent.gguf"), None, &plain()).unwrap_err().to_string();
    assert!(text.starts_with("/nonexistent.gguf: "), "{text}");
    assert!(matches!(read_bytes(b"hello, world", None, plain()), Err(WeightProblem::UnknownFormat)));
    assert!(matches!(read_bytes(b"", None, plain()), Err(WeightProblem::UnknownFormat)));
    assert!(message(b"GGUF", None, plain()).contains("the GGUF version needs bytes 4 to 8, but the file has 4"));
}

/// Options under which every path of the readers is taken.
fn everything() -> ImportOptions {
    ImportOptions {
        ternarize: None,
        scale: Some(ScaleUse::Divide),
        i2s: Some(I2sLayout::Arm),
        gptq_zeros: Some(GptqZeros::V1),
    }
}

/// One small valid file of each format.
fn valid_files() -> Vec<Vec<u8>> {
    let w = ternary(256, 1);
    let mut files: Vec<Vec<u8>> =
        PACKERS.map(|(t, pack)| gguf_file(3, &[("w", vec![256, 1], t, pack(&w, 1.0))])).into();
    let i2s = [[0x55; 16].as_slice(), &1.0f32.to_le_bytes(), &[0; 28]].concat();
    files.push(gguf_file(2, &[("w", vec![64, 1], 36, i2s)]));
    files.push(safetensors_file(&[
        ("w", Dtype::U8, &[1, 2], &[0x55, 0xAA]),
        ("w_scale", Dtype::F32, &[1], &1.0f32.to_le_bytes()),
    ]));
    files
}

#[test]
fn the_files_to_be_damaged_are_valid() {
    for (index, file) in valid_files().iter().enumerate() {
        read_bytes(file, Some("w"), everything()).unwrap_or_else(|e| panic!("file {index}: {e}"));
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), start in 0usize..4) {
        let magic: [&[u8]; 4] = [b"", b"GGUF\x03\0\0\0", b"GGUF\x02\0\0\0\x01\0\0\0\0\0\0\0", b"\x40\0\0\0\0\0\0\0{"];
        prop_assert!(read_bytes(&[magic[start], &bytes].concat(), None, everything()).is_err());
    }

    #[test]
    fn damaged_files_never_panic(
        which in 0usize..4,
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![any::<u8>(), Just(0xFF), Just(0)]), 1..5),
        run in 1usize..9,
        cut in any::<prop::sample::Index>(),
        truncate: bool,
    ) {
        let mut file = valid_files().swap_remove(which);
        for (place, value) in changes {
            let place = place.index(file.len());
            let end = (place + run).min(file.len());
            file[place..end].fill(value);
        }
        if truncate {
            file.truncate(cut.index(file.len()));
        }
        let _ = read_bytes(&file, None, everything());
        let _ = read_bytes(&file, Some("w"), everything());
    }

    #[test]
    fn packed_matrices_survive(rows in 1usize..4, blocks in 1usize..3, seed: u64, kind in 0usize..2) {
        let w = ternary(rows * blocks * 256, seed);
        let (type_id, pack) = PACKERS[kind];
        let bytes = blocks_of(&w, &vec![0.5; rows * blocks], pack);
        let file = gguf_file(3, &[("w", vec![256 * blocks as u64, rows as u64], type_id, bytes)]);
        let (shape, data, scale) = parts(read_bytes(&file, None, plain()).unwrap());
        prop_assert_eq!((shape, data, scale), ([rows, 256 * blocks], w, vec![0.5; rows]));
    }
}

//! Tensors to packed beats and back, as a stream's layout says. Used by co-simulation and by `bitlathe pack --stream`.

use bitlathe_spec::{DType, Dims, Layout, Slot, Stream, Tensor};

use super::SimError;

/// Encodes the elements of one lane: code name and values, padding being zero.
pub type Encode<'a> = dyn Fn(&str, &[i64]) -> u64 + 'a;

/// The beats of one stream in 32-bit words, each beat starting at a new word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Beats {
    /// Words of one pass over the tensor.
    pub words: Vec<u32>,
    /// Words of one beat.
    pub stride: usize,
    /// Beats of one pass; the stream repeats it.
    pub period: u64,
}

/// Words of one beat.
pub(super) fn stride(layout: &Layout) -> usize {
    layout.beat_bits().div_ceil(32) as usize
}

/// Packs one pass of a tensor.
pub(super) fn pack(stream: &Stream, dims: &Dims, tensor: &Tensor, encode: &Encode) -> Result<Beats, SimError> {
    let layout = stream.layout.one_pass();
    let (stride, period) = (stride(&layout), layout.beats(dims)?);
    let mut words = vec![0u32; stride * period as usize];
    let mut group = vec![0i64; layout.group as usize];
    let mut wrong = None;
    let plain = layout.code == "plain";
    if plain && layout.group != 1 {
        return Err(unsupported(stream, "a plain lane holds one element"));
    }
    layout.walk(dims, &tensor.shape, |beat, slots| {
        let beat = &mut words[beat as usize * stride..][..stride];
        for (lane, slots) in slots.chunks_exact(group.len()).enumerate() {
            for (value, slot) in group.iter_mut().zip(slots) {
                *value = match slot {
                    Slot::Element(index) => tensor.data[*index],
                    Slot::Pad => 0,
                };
            }
            let bits = if plain {
                if !fits(group[0], layout.lane_bits, stream.signed) && wrong.is_none() {
                    wrong = Some(slots[0]);
                }
                group[0] as u64
            } else {
                encode(&layout.code, &group)
            };
            put(beat, lane as u64 * u64::from(layout.lane_bits), layout.lane_bits, bits);
        }
    })?;
    match wrong {
        Some(Slot::Element(index)) => Err(SimError::Lane {
            stream: stream.name.clone(),
            value: tensor.data[index],
            index,
            bits: layout.lane_bits,
            signed: stream.signed,
        }),
        _ => Ok(Beats { words, stride, period }),
    }
}

/// The packed beats of one pass over a tensor as bytes: each beat little-endian and padded to whole bytes.
///
/// Loops that only repeat the pass are left to whoever plays the file; `dims` need not hold their sizes.
pub fn pack_stream(stream: &Stream, dims: &Dims, tensor: &Tensor, encode: &Encode) -> Result<Vec<u8>, SimError> {
    let beats = pack(stream, dims, tensor, encode)?;
    let bytes = stream.layout.beat_bits().div_ceil(8) as usize;
    let mut out = Vec::with_capacity(bytes * beats.period as usize);
    for beat in beats.words.chunks_exact(beats.stride) {
        out.extend(beat.iter().flat_map(|w| w.to_le_bytes()).take(bytes));
    }
    Ok(out)
}

/// The tensor that received beats make; where a layout writes an element twice, the later beat counts.
pub(super) fn unpack(
    stream: &Stream,
    dims: &Dims,
    dtype: DType,
    shape: Vec<usize>,
    words: &[u32],
) -> Result<Tensor, SimError> {
    let layout = &stream.layout;
    if layout.code != "plain" || layout.group != 1 {
        return Err(unsupported(stream, "only plain lanes can be received"));
    }
    let (stride, bits) = (stride(layout), layout.lane_bits);
    let mut data = vec![0i64; shape.iter().product()];
    layout.walk(dims, &shape, |beat, slots| {
        let beat = &words[beat as usize * stride..][..stride];
        for (lane, slot) in slots.iter().enumerate() {
            if let Slot::Element(index) = slot {
                data[*index] = get(beat, lane as u64 * u64::from(bits), bits, stream.signed);
            }
        }
    })?;
    Ok(Tensor { dtype, shape, data })
}

/// The last beat that carries an element; `None` where no beat does.
pub(super) fn beat_of(layout: &Layout, dims: &Dims, shape: &[usize], index: usize) -> Result<Option<u64>, SimError> {
    let mut found = None;
    layout.walk(dims, shape, |beat, slots| {
        if slots.contains(&Slot::Element(index)) {
            found = Some(beat);
        }
    })?;
    Ok(found)
}

fn unsupported(stream: &Stream, reason: &str) -> SimError {
    let layout = &stream.layout;
    let reason = format!("{reason}; this layout has code `{}` with {} elements a lane", layout.code, layout.group);
    SimError::Stream { stream: stream.name.clone(), reason }
}

fn mask(bits: u32) -> u64 {
    u64::MAX >> (64 - bits.clamp(1, 64))
}

fn fits(value: i64, bits: u32, signed: bool) -> bool {
    if signed {
        bits >= 64 || (value >> (bits - 1) == 0 || value >> (bits - 1) == -1)
    } else {
        value >= 0 && value as u64 & !mask(bits) == 0
    }
}

/// Sets `bits` zeroed bits at bit `at`.
fn put(words: &mut [u32], at: u64, bits: u32, value: u64) {
    let (first, shift) = ((at / 32) as usize, at % 32);
    let spread = u128::from(value & mask(bits)) << shift;
    for (n, word) in words[first..].iter_mut().take((shift as usize + bits as usize).div_ceil(32)).enumerate() {
        *word |= (spread >> (32 * n)) as u32;
    }
}

/// Reads `bits` bits at bit `at`.
fn get(words: &[u32], at: u64, bits: u32, signed: bool) -> i64 {
    let (first, shift) = ((at / 32) as usize, at % 32);
    let taken = words[first..].iter().take(3);
    let joined = taken.enumerate().fold(0u128, |all, (n, &w)| all | u128::from(w) << (32 * n));
    let value = (joined >> shift) as u64 & mask(bits);
    let spare = 64 - bits;
    if signed { (value << spare) as i64 >> spare } else { value as i64 }
}

#[cfg(test)]
mod tests {
    use bitlathe_spec::{Axis, Dir, Extent, LaneVar, LoopVar};
    use proptest::prelude::*;

    use super::*;

    /// Three lanes of `lane_bits` along K, repeated T times.
    fn stream(lane_bits: u32, signed: bool) -> Stream {
        let ceil = |dim: &str, by| Extent::CeilDiv { dim: dim.into(), by };
        let loops = vec![
            LoopVar { name: "pass".into(), extent: ceil("T", 1) },
            LoopVar { name: "k".into(), extent: ceil("K", 3) },
        ];
        let lanes = vec![LaneVar { name: "c".into(), extent: 3 }];
        let axes = vec![Axis { terms: vec![("k".into(), 3), ("c".into(), 1)], tile: 3 }];
        let layout = Layout { loops, lanes, group: 1, lane_bits, code: "plain".into(), axes, shape: vec![] };
        Stream { name: "x".into(), dir: Dir::In, layout, signed, last: false, doc: String::new() }
    }

    fn dims(t: u64, k: usize) -> Dims {
        Dims::from([("T".to_string(), t), ("K".to_string(), k as u64)])
    }

    fn plain(_: &str, _: &[i64]) -> u64 {
        0
    }

    #[test]
    fn a_repeated_pass_is_packed_once_and_padding_is_zero() {
        let tensor = Tensor::new(DType::I8, [4], vec![-1, 2, 3, -4]);
        let beats = pack(&stream(5, true), &dims(7, 4), &tensor, &plain).expect("fits");
        assert_eq!(beats, Beats { words: vec![0b00011_00010_11111, 0b11100], stride: 1, period: 2 });
    }

    #[test]
    fn the_stream_file_needs_no_repeat_count_and_pads_to_bytes() {
        let tensor = Tensor::new(DType::I8, [4], vec![-1, 2, 3, -4]);
        let only_k = Dims::from([("K".to_string(), 4)]);
        let bytes = pack_stream(&stream(5, true), &only_k, &tensor, &plain).expect("fits");
        assert_eq!(bytes, [0b0101_1111, 0b0000_1100, 0b0001_1100, 0], "lanes 11111, 00010, 00011, then 11100");
    }

    #[test]
    fn a_value_wider_than_its_lane_is_refused_by_name() {
        let tensor = Tensor::new(DType::I8, [3], vec![0, 16, 0]);
        let error = pack(&stream(5, true), &dims(1, 3), &tensor, &plain).expect_err("16 needs six bits");
        assert_eq!(error.to_string(), "stream `x` cannot carry 16 (element 1): a lane holds 5 signed bits");
    }

    #[test]
    fn codes_get_whole_groups_with_zeros_for_padding() {
        let mut coded = stream(5, true);
        coded.layout.code = "pairs".into();
        coded.layout.lanes[0].extent = 1;
        coded.layout.group = 3;
        coded.layout.axes[0].terms = vec![("k".into(), 3), ("i".into(), 1)];
        let tensor = Tensor::new(DType::I8, [4], vec![1, 1, 0, 1]);
        let encode = |code: &str, v: &[i64]| {
            assert_eq!((code, v.len()), ("pairs", 3));
            (v[0] + 2 * v[1] + 4 * v[2]) as u64
        };
        assert_eq!(pack(&coded, &dims(1, 4), &tensor, &encode).expect("fits").words, [0b011, 0b001]);
    }

    proptest! {
        #[test]
        fn what_is_packed_unpacks(bits in 1u32..=64, signed: bool, raw in prop::collection::vec(any::<i64>(), 1..9)) {
            let clip = |v: &i64| if signed { v >> (64 - bits) } else { ((*v as u64) >> (64 - bits)) as i64 };
            let data: Vec<i64> = raw.iter().map(clip).filter(|v| signed || *v >= 0).collect();
            prop_assume!(!data.is_empty());
            let tensor = Tensor::new(DType::I64, [data.len()], data);
            let (stream, dims) = (stream(bits, signed), dims(1, tensor.data.len()));
            let beats = pack(&stream, &dims, &tensor, &plain).expect("fits");
            let back = unpack(&stream, &dims, tensor.dtype, tensor.shape.clone(), &beats.words).expect("plain");
            prop_assert_eq!(back, tensor);
        }
    }
}

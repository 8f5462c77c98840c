//! Layers of AWQ and GPTQ packed here as their writers do, word by word, and damaged.

use super::files::Plain;
use super::*;

/// What the reader should give, with the stored zero points raised by a number.
fn expect(layer: &Plain, got: ModelTensor, added: u8) -> Vec<String> {
    let ModelTensor::Grouped { shape, group, codes, zeros, scales, notes } = got else { panic!("{got:?}") };
    assert_eq!((shape, group), ([layer.rows, layer.columns], layer.group));
    assert_eq!(codes, layer.codes);
    assert_eq!(zeros, layer.zeros.iter().map(|z| z + added).collect::<Vec<u8>>());
    assert_eq!(scales, layer.scales);
    notes
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
    expect(&layer, read_bytes(&file, None, plain()).unwrap(), 0);
    let stored = Plain { zeros: layer.zeros.iter().map(|z| z.wrapping_sub(1) & 15).collect(), ..layer };
    let file = stored.file([1, 8], &GPTQ_WORDS.0, &[GPTQ_WORDS.1], None);
    assert_eq!(file, stored.gptq(None), "the writer of these tests agrees");
    expect(&stored, read_bytes(&file, None, version(GptqZeros::V1)).unwrap(), 1);
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
    let notes = expect(&layer, read_bytes(&file, Some("up.qweight"), version(GptqZeros::V1)).unwrap(), 1);
    assert!(notes[0].contains("version 1") && notes[1].ends_with("stored as 15 and mean 16"), "{notes:?}");
    let notes = expect(&layer, read_bytes(&file, None, version(GptqZeros::V2)).unwrap(), 0);
    assert_eq!(notes, ["GPTQ packing, version 2; zero points as stored", "groups of 32 columns"]);
}

#[test]
fn a_short_last_group_needs_the_groups_of_the_columns() {
    let layer = Plain::new(8, 80, 32, 5);
    let order: Vec<i32> = (0..80).map(|k| k / 32).collect();
    expect(&layer, read_bytes(&layer.gptq(Some(&order)), None, version(GptqZeros::V1)).unwrap(), 1);
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
            expect(&layer, read_bytes(&layer.awq(), None, plain()).unwrap(), 0);
        } else {
            expect(&layer, read_bytes(&layer.gptq(None), None, version(GptqZeros::V1)).unwrap(), 1);
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

//! A register file with a field of every access against a model in Rust.

use bitlathe_cores::parts::register_file::{CONFIG_ERROR, register_file};
use bitlathe_cores::random::Random;
use bitlathe_spec::{Access, Field, FieldValue, Register};

use super::bench::{Bench, Cycle, Part};

const ID: i64 = 0x424c_5447;
const AT_ID: i64 = 0;
const AT_CONTROL: i64 = 4;
const AT_STATUS: i64 = 8;
const AT_SIZE: i64 = 12;
const AT_OFFSET: i64 = 16;
const AT_COUNT: i64 = 20;
const AT_CHOICE: i64 = 24;
const NOWHERE: i64 = 28;

fn field(name: &str, lsb: u32, width: u32, access: Access, (min, max, reset): (u64, u64, u64)) -> Field {
    let (name, value, doc) = (name.into(), FieldValue::None, String::new());
    Field { name, lsb, width, access, min, max, reset, value, doc }
}

fn register(name: &str, offset: i64, fields: Vec<Field>) -> Register {
    Register { name: name.into(), offset: offset as u32, fields, doc: String::new() }
}

/// The map under test.
pub fn map() -> Vec<Register> {
    let flag = |name, lsb| field(name, lsb, 1, Access::WriteOneToClear, (0, 1, 0));
    vec![
        register("id", AT_ID, vec![field("id", 0, 32, Access::ReadOnly, (ID as u64, ID as u64, ID as u64))]),
        register("control", AT_CONTROL, vec![field("start", 3, 1, Access::Trigger, (0, 1, 0))]),
        register("status", AT_STATUS, vec![flag(CONFIG_ERROR, 0), flag("overflow", 1)]),
        register("size", AT_SIZE, vec![field("size", 0, 7, Access::ReadWrite, (1, 100, 5))]),
        register("offset", AT_OFFSET, vec![field("offset", 0, 8, Access::ReadWrite, (0, 255, 0))]),
        register("count", AT_COUNT, vec![field("count", 4, 3, Access::ReadOnly, (0, 7, 0))]),
        register("choice", AT_CHOICE, vec![field("choice", 0, 1, Access::ReadWrite, (0, 0, 0))]),
    ]
}

/// What the registers hold.
#[derive(Clone, Copy, Debug)]
struct Model {
    start: i64,
    config_error: i64,
    overflow: i64,
    size: i64,
    offset: i64,
}

impl Model {
    fn read(&self, address: i64) -> i64 {
        match address {
            AT_ID => ID,
            AT_CONTROL => self.start << 3,
            AT_STATUS => self.config_error | self.overflow << 1,
            AT_SIZE => self.size,
            AT_OFFSET => self.offset,
            _ => 0,
        }
    }

    /// One clock edge; a flag that is set and cleared at once stays set.
    fn step(&mut self, write: Option<(i64, i64)>, start_done: i64, overflow_set: i64) {
        let written = |address| write.filter(|w| w.0 == address).map(|w| w.1);
        let bit = |address, n: i64| written(address).map_or(0, |v| v >> n & 1);
        let refused = written(AT_SIZE).is_some_and(|v| !(1..=100).contains(&v))
            || written(AT_OFFSET).is_some_and(|v| v > 255)
            || written(AT_CHOICE).is_some_and(|v| v > 0);
        self.start = bit(AT_CONTROL, 3) | self.start & (1 - start_done);
        self.config_error = i64::from(refused) | self.config_error & (1 - bit(AT_STATUS, 0));
        self.overflow = overflow_set | self.overflow & (1 - bit(AT_STATUS, 1));
        self.size = written(AT_SIZE).filter(|_| !refused).unwrap_or(self.size);
        self.offset = written(AT_OFFSET).filter(|_| !refused).unwrap_or(self.offset);
    }
}

#[test]
fn every_access_behaves_as_its_name_says() {
    let bench = Bench::new("registers", &[Part::new(register_file("registers_under_test", 8, &map()))]);
    let mut r = Random::new(8);
    let addresses = [AT_ID, AT_CONTROL, AT_STATUS, AT_SIZE, AT_OFFSET, AT_COUNT, AT_CHOICE, NOWHERE];
    let values = [0, 1, 2, 3, 8, 99, 100, 101, 127, 128, 255, 256, 1 << 31, 0xffff_ffff];
    let cycles: Vec<Cycle> = (0..8000)
        .map(|_| {
            let address = r.pick(&addresses).unwrap_or_default();
            let value = r.pick(&values).unwrap_or_default();
            let rarely = |r: &mut Random| i64::from(r.below(5) == 0);
            vec![vec![r.below(2) as i64, address, value, rarely(&mut r), rarely(&mut r), r.below(8) as i64]]
        })
        .collect();
    let outputs = bench.play(&cycles);
    let mut model = Model { start: 0, config_error: 0, overflow: 0, size: 5, offset: 0 };
    for (t, (cycle, now)) in cycles.iter().zip(&outputs).enumerate() {
        let [write, address, value, start_done, overflow_set, count] = cycle[0][..] else { panic!("six inputs") };
        let pulse = i64::from(write == 1 && address == AT_CONTROL && value >> 3 & 1 == 1);
        let read = if address == AT_COUNT { count << 4 } else { model.read(address) };
        let expected = [pulse, model.size, model.offset, read];
        assert_eq!(now[0], expected, "cycle {t}: {cycle:?} on {model:?}");
        model.step((write == 1).then_some((address, value)), start_done, overflow_set);
    }
}

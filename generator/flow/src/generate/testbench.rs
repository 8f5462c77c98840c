//! The testbench's register steps, stream sizes and watchdog. It drives the core itself, also where something stands around it.

use bitlathe_spec::{Access, Dir, Field, Interface, Register, Stream};
use bitlathe_templates::testbench::{JobSteps, Port, RegisterStep, StreamEnd, Testbench};

use super::vectors::{JobVectors, Write, beats_file, field_mask, mask_file};
use super::{Subject, numbers};

/// The testbench of a core over the given jobs.
pub fn testbench(subject: &Subject, jobs: &[JobVectors]) -> Testbench {
    let interface = &subject.interface;
    let address_bits = interface.address_bits();
    let longest = jobs.iter().map(|j| subject.core.schedule(&j.dims)).max().unwrap_or(0);
    let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
    for (n, stream) in interface.streams.iter().enumerate() {
        let total: usize = jobs.iter().map(|j| j.streams[n].data.len()).sum();
        let side = if stream.dir == Dir::In { &mut inputs } else { &mut outputs };
        side.push(port(stream, n as u64, total as u64));
    }
    Testbench {
        banner: subject.banner.clone(),
        name: subject.core.name().into(),
        top: interface.top.clone(),
        impl_parameter: subject.rtl.impl_parameter,
        registers: !interface.registers.is_empty(),
        address_bits,
        address_msb: address_bits - 1,
        seed: seed(&subject.hash),
        patience: (2 * longest + 1000).min(u64::from(u32::MAX)),
        inputs,
        outputs,
        jobs: steps(subject, jobs),
    }
}

/// Eight digits of the config's hash, with the lowest bit set: the sequence must not start at 0.
fn seed(hash: &str) -> String {
    let word = u32::from_str_radix(hash.get(..8).unwrap_or_default(), 16).unwrap_or_default();
    format!("{:08x}", word | 1)
}

fn port(stream: &Stream, n: u64, beats: u64) -> Port {
    let bits = stream.layout.beat_bits();
    Port {
        name: stream.name.clone(),
        bits,
        msb: bits - 1,
        last: stream.last,
        top_index: beats - 1,
        file: beats_file(stream),
        mask_file: mask_file(stream),
        dice_lsb: 4 * (n % 8),
    }
}

fn steps(subject: &Subject, jobs: &[JobVectors]) -> Vec<JobSteps> {
    let interface = &subject.interface;
    let mut sent = vec![0u64; interface.streams.len()];
    let mut steps = Vec::new();
    for job in jobs {
        for (count, beats) in sent.iter_mut().zip(&job.streams) {
            *count += beats.data.len() as u64;
        }
        let ends = interface.streams.iter().zip(&sent);
        let of_core = |w: &&Write| interface.registers.iter().any(|r| r.offset == w.offset);
        let writes = || job.writes.iter().filter(of_core).map(|w| write_step(interface, w)).collect();
        steps.push(JobSteps {
            name: job.name.clone(),
            sizes: numbers::sizes(interface.sizes.iter().map(|s| s.name.as_str()), &job.dims),
            writes: writes(),
            set_up: writes(),
            ends: ends.map(|(s, &beats)| StreamEnd { stream: s.name.clone(), beats }).collect(),
            afterwards: interface.registers.iter().filter_map(settled).map(|w| write_step(interface, &w)).collect(),
        });
    }
    steps
}

/// A register access with its numbers as digits.
pub fn write_step(interface: &Interface, write: &Write) -> RegisterStep {
    let digits = interface.address_bits().div_ceil(4) as usize;
    RegisterStep {
        address: format!("{:0digits$x}", write.offset),
        mask: format!("{:08x}", write.mask),
        value: format!("{:08x}", write.value),
        note: write.note.clone(),
    }
}

/// After a legal job no sticky bit is set, and constants read as documented: which bits of a register that are, and their values.
pub fn settled(register: &Register) -> Option<Write> {
    let is_constant = |f: &Field| f.access == Access::ReadOnly && f.min == f.max;
    let known = register.fields.iter().filter(|f| f.access == Access::WriteOneToClear || is_constant(f));
    let (mut mask, mut value, mut notes) = (0, 0, Vec::new());
    for field in known {
        let expected = if is_constant(field) { field.min } else { 0 };
        mask |= field_mask(field);
        value |= ((expected << field.lsb) as u32) & field_mask(field);
        notes.push(format!("{} = {expected}", field.name));
    }
    (mask != 0).then(|| Write { offset: register.offset, mask, value, note: notes.join(", ") })
}

//! What every kind of core promises, whatever it computes: legal configs, jobs, streams, registers, schedules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use bitlathe_cores::random::Random;
use bitlathe_cores::{Core, Kind, kinds};
use bitlathe_spec::{Carrier, Dims, Dir, FieldValue, Register, Slot, TARGETS};
use serde_json::{Value, json};

/// The cover of each kind, found once for all tests.
fn covers() -> &'static [(&'static dyn Kind, Vec<Value>)] {
    static COVERS: OnceLock<Vec<(&'static dyn Kind, Vec<Value>)>> = OnceLock::new();
    COVERS.get_or_init(|| kinds().iter().map(|k| (*k, k.space().cover())).collect())
}

/// Calls for the core of each legal pair of options of each kind.
fn each_core(judge: impl Fn(&dyn Core)) {
    static CORES: OnceLock<Vec<Box<dyn Core>>> = OnceLock::new();
    let configure = |kind: &dyn Kind, c: &Value| kind.configure(c).unwrap_or_else(|e| panic!("{c}: {e:?}"));
    let all = || covers().iter().flat_map(|(k, cover)| cover.iter().map(|c| configure(*k, c))).collect();
    CORES.get_or_init(all).iter().for_each(|core| judge(core.as_ref()));
}

fn legal(kind: &dyn Kind, config: &Value) -> bool {
    (kind.space().legal)(config)
}

#[test]
fn covers_are_legal_small_and_the_same_every_time() {
    for (kind, cover) in covers() {
        assert!(!cover.is_empty() && cover.len() <= 80, "{}: {} configs", kind.name(), cover.len());
        assert!(cover.iter().all(|c| legal(*kind, c)), "{}", kind.name());
        assert_eq!(*cover, kind.space().cover(), "{}", kind.name());
    }
}

/// Pairs of acting options with their values.
fn pairs(kind: &dyn Kind, config: &Value) -> Vec<String> {
    let space = kind.space();
    let acting = space.options.iter().filter(|(table, key, _)| (space.acts)(config, table, key));
    let live: Vec<String> = acting.map(|(table, key, _)| format!("{table}.{key}={}", config[table][key])).collect();
    let from = |n: usize| live[n + 1..].iter().map(|b| format!("{} {b}", live[n])).collect::<Vec<_>>();
    (0..live.len()).flat_map(from).collect()
}

/// Draws thousands of configs blindly: no pair that acts in a legal one may be missing from the cover.
#[test]
fn no_legal_config_holds_a_pair_that_its_cover_lacks() {
    for (kind, cover) in covers() {
        let space = kind.space();
        let covered: BTreeSet<String> = cover.iter().flat_map(|c| pairs(*kind, c)).collect();
        let mut random = Random::new(77);
        let drawn = (0..20_000).map(|_| space.config(&space.draw(&mut random), "drawn"));
        let mut count = 0;
        for config in drawn.filter(|c| (space.legal)(c)) {
            count += 1;
            let lacking = pairs(*kind, &config).into_iter().find(|p| !covered.contains(p));
            assert_eq!(lacking, None, "{config}");
        }
        assert!(count > 200, "{}: only {count} of the draws are legal", kind.name());
    }
}

#[test]
fn a_cross_holds_its_cover_and_every_core_once() {
    for (kind, cover) in covers() {
        let space = kind.space();
        let unnamed = |mut c: Value| {
            c["name"] = json!("same");
            c.to_string()
        };
        let points = (0..space.cross_size()).step_by(977);
        let crossed: Vec<String> = points.filter_map(|p| space.crossed(p)).map(unnamed).collect();
        let distinct: BTreeSet<&String> = crossed.iter().collect();
        assert!(crossed.len() > 5 && distinct.len() == crossed.len(), "{}: {}", kind.name(), crossed.len());
        for config in cover {
            let digit = |(table, key, values): &(&str, &str, Vec<Value>)| {
                let acting = (space.acts)(config, table, key);
                values.iter().position(|v| acting && *v == config[*table][*key]).unwrap_or(0) as u64
            };
            let point = space.options.iter().rev().fold(0, |n, o| n * o.2.len() as u64 + digit(o));
            assert!(space.crossed(point).is_some(), "{config}");
        }
    }
}

#[test]
fn starters_are_legal_on_every_target() {
    for kind in kinds() {
        for target in TARGETS {
            let text = kind.starter(target);
            let document: toml::Table = text.parse().unwrap_or_else(|e| panic!("{} {}: {e}", kind.name(), target.name));
            let config = serde_json::to_value(document).unwrap();
            kind.configure(&config).unwrap_or_else(|e| panic!("{} {}: {e:?}", kind.name(), target.name));
        }
    }
}

#[test]
fn random_configs_are_legal_and_follow_from_the_seed() {
    for kind in kinds() {
        for target in TARGETS {
            let configs = kind.random_configs(target, 7, 12);
            assert_eq!(configs.len(), 12);
            assert!(configs.iter().all(|c| legal(*kind, c) && c["target"]["name"] == target.name));
            assert_eq!(configs, kind.random_configs(target, 7, 12));
            assert_ne!(configs, kind.random_configs(target, 8, 12));
        }
    }
}

#[test]
fn the_ports_of_a_design_are_those_of_its_interface() {
    each_core(|core| {
        let design = core.rtl().unwrap_or_else(|e| panic!("{}: {e}", core.config()));
        let ports: Vec<String> = design.top_manifest().ports.into_iter().map(|p| p.name).collect();
        for s in core.interface().streams {
            assert!(ports.iter().any(|p| p.starts_with(&format!("{}_valid", s.name))), "{}: {}", core.config(), s.name);
        }
    });
}

#[test]
fn jobs_are_within_the_interface_and_have_outputs() {
    each_core(|core| {
        let interface = core.interface();
        let jobs = core.corners().into_iter().map(|c| c.job).chain((0..8).map(|s| core.random_job(s)));
        for job in jobs {
            core.check_job(&job).unwrap_or_else(|e| panic!("{}: {e}", core.config()));
            let outputs = core.golden(&job);
            assert!(!outputs.is_empty(), "{}", core.config());
            let mut dims = Dims::new();
            for (name, tensor) in job.tensors.iter().chain(&outputs) {
                let spec = interface.tensor(name).unwrap_or_else(|| panic!("{}: {name}", core.config()));
                spec.bind(tensor, &mut dims).unwrap_or_else(|e| panic!("{}: {e}", core.config()));
            }
            assert_eq!(dims, job.dims, "{}", core.config());
        }
    });
}

#[test]
fn corners_fill_the_coverage_and_nothing_else() {
    each_core(|core| {
        let filled: BTreeSet<_> = core.corners().into_iter().flat_map(|c| c.covers).collect();
        assert_eq!(filled, core.coverage().into_iter().collect(), "{}", core.config());
    });
}

/// A stream carries each element of its tensor, and each equally often: once a job, or once a pass over another tensor.
#[test]
fn streams_carry_every_element_equally_often() {
    each_core(|core| {
        let (interface, job) = (core.interface(), core.random_job(9));
        for s in &interface.streams {
            let shape = interface.tensor(&s.name).unwrap().resolve(&job.dims).unwrap();
            let mut seen: BTreeMap<usize, u64> = BTreeMap::new();
            let mut count = |slots: &[Slot]| {
                for slot in slots {
                    if let Slot::Element(n) = slot {
                        *seen.entry(*n).or_default() += 1;
                    }
                }
            };
            s.layout.walk(&job.dims, &shape, |_, slots| count(slots)).unwrap();
            assert_eq!(seen.len(), shape.iter().product::<usize>(), "{}: {}", core.config(), s.name);
            // Under a causal mask the first keys are seen more often than the last.
            if s.layout.loops.iter().any(|l| l.extent.depends_on().is_some()) {
                continue;
            }
            let times = seen.values().next().copied();
            assert!(seen.values().all(|n| Some(*n) == times), "{}: {}", core.config(), s.name);
            assert!(s.dir == Dir::In || times == Some(1), "{}: {}", core.config(), s.name);
        }
    });
}

#[test]
fn registers_have_their_own_words_and_bits() {
    each_core(|core| {
        let interface = core.interface();
        let mut words = BTreeSet::new();
        for r in &interface.registers {
            assert!(r.offset.is_multiple_of(4) && words.insert(r.offset), "{}: {}", core.config(), r.name);
            check_fields(r, |name| interface.tensor(name).unwrap().carrier.clone());
        }
    });
}

fn check_fields(register: &Register, carrier: impl Fn(&str) -> Carrier) {
    let mut used = 0u64;
    for f in &register.fields {
        let mask = ((1u64 << f.width) - 1) << f.lsb;
        assert!(used & mask == 0 && mask >> 32 == 0 && f.max >> f.width == 0, "{}", f.name);
        assert!(f.min <= f.reset && f.reset <= f.max, "{}", f.name);
        used |= mask;
        if let FieldValue::Element { tensor, index } = &f.value {
            let Carrier::Fields(names) = carrier(tensor) else { panic!("{tensor} is no register") };
            assert_eq!(names[*index], f.name);
        }
    }
}

/// The hardware is held against these cycles by every `verify`.
#[test]
fn the_cycles_of_single_beats_are_those_of_the_whole_job() {
    each_core(|core| {
        let dims = core.random_job(3).dims;
        let streams = core.interface().streams;
        let beats = core.beat_cycles(&dims).unwrap();
        assert_eq!(beats.len(), streams.len());
        for (stream, beats) in streams.iter().zip(&beats) {
            let place = || format!("{}: {}", core.config(), stream.name);
            assert_eq!(beats.len() as u64, stream.layout.beats(&dims).unwrap(), "{}", place());
            assert!(beats.is_sorted_by(|a, b| a < b), "{}", place());
        }
        let outputs = streams.iter().zip(&beats).filter(|(s, _)| s.dir == Dir::Out);
        let last = outputs.filter_map(|(_, b)| b.last()).max();
        assert_eq!(last, Some(&(core.schedule(&dims) - 1)), "{}", core.config());
    });
}

/// A stream that no block takes would be missing in the block diagram of the datasheet.
#[test]
fn every_stream_stands_in_the_block_diagram() {
    each_core(|core| {
        let blocks = core.about().blocks;
        for stream in core.interface().streams.iter().filter(|s| s.dir == Dir::In) {
            assert!(blocks.iter().any(|b| b.from.contains(&stream.name)), "{}: {}", core.config(), stream.name);
        }
    });
}

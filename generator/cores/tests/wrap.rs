//! What wrapping promises of every kind of core.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use bitlathe_cores::wrap::Wrap;
use bitlathe_cores::{Core, Kind, kinds};
use bitlathe_spec::axi::{ADDRESS_BITS, AxiInterface, WRAPPER_OFFSET};
use bitlathe_spec::{Dir, Register, TARGETS};
use serde_json::{Value, json};

/// Legal configs of every kind, in every wrapper; found once for all tests.
fn wrapped() -> &'static [Box<dyn Core>] {
    static CORES: OnceLock<Vec<Box<dyn Core>>> = OnceLock::new();
    let configure = |(kind, config): (&'static dyn Kind, Value)| {
        ["axi", "kernel"].map(|wrap| {
            let mut config = config.clone();
            config["wrap"] = json!(wrap);
            kind.configure(&config).unwrap_or_else(|e| panic!("{config}: {e:?}"))
        })
    };
    let configs = || kinds().iter().flat_map(|k| k.space().cover().into_iter().step_by(12).map(move |c| (*k, c)));
    CORES.get_or_init(|| configs().flat_map(configure).collect())
}

fn interface(core: &dyn Core) -> AxiInterface {
    core.wrap().interface(&core.interface(), 0x1234_5678).expect("wrapped")
}

#[test]
fn every_kind_takes_the_key_and_a_bare_core_has_the_config_of_before() {
    for kind in kinds() {
        let key = &kind.schema()["properties"]["wrap"];
        assert!(key.is_object(), "{} has no key `wrap`", kind.name());
        let configured = |wrap: Option<&str>| {
            let starter: toml::Table = kind.starter(&TARGETS[0]).parse().expect("TOML");
            let mut config = serde_json::to_value(starter).expect("JSON");
            if let Some(wrap) = wrap {
                config["wrap"] = wrap.into();
            }
            let core = kind.configure(&config).unwrap_or_else(|e| panic!("{config}: {e:?}"));
            (core.config(), core.wrap())
        };
        assert_eq!(configured(None), configured(Some("none")));
        assert_eq!((configured(None).1, configured(Some("axi")).1), (Wrap::None, Wrap::Axi));
        assert_eq!(configured(Some("kernel")).1, Wrap::Kernel);
    }
}

#[test]
fn registers_of_core_and_wrapper_share_one_map() {
    for core in wrapped() {
        let axi = interface(core.as_ref());
        let own = axi.core_registers().iter().cloned().map(|r| Register { offset: r.offset - axi.core_offset, ..r });
        assert_eq!(own.collect::<Vec<_>>(), core.interface().registers);
        assert!(axi.registers.is_sorted_by_key(|r| r.offset), "{}", core.config());
        assert!(axi.core_registers().iter().all(|r| r.offset < WRAPPER_OFFSET), "{}", core.config());
        assert!(axi.registers.iter().all(|r| r.offset < 1 << ADDRESS_BITS), "{}", core.config());
        let unique = |names: Vec<String>| names.len() == names.iter().collect::<BTreeSet<_>>().len();
        assert!(unique(axi.registers.iter().map(|r| r.offset.to_string()).collect()), "{}", core.config());
        assert!(unique(axi.registers.iter().map(|r| r.name.clone()).collect()), "{}", core.config());
        let fields = axi.registers.iter().flat_map(|r| &r.fields);
        assert!(unique(fields.map(|f| f.name.clone()).collect()), "{}", core.config());
        let first = if core.wrap() == Wrap::Kernel { "ap_control" } else { "id" };
        assert_eq!(axi.registers[0].name, first);
        assert!(axi.registers.iter().any(|r| r.name == "id"));
    }
}

#[test]
fn the_ports_of_the_wrapped_top_are_those_of_its_interface() {
    for core in wrapped() {
        let (bare, axi) = (core.rtl().unwrap_or_else(|e| panic!("{e}")), interface(core.as_ref()));
        let design = core.wrap().design(bare, &core.interface(), &axi);
        let design = design.unwrap_or_else(|e| panic!("{}: {e}", core.config()));
        let built = design.top_manifest().ports.into_iter().map(|p| (p.name, p.input, p.width));
        let declared = axi.ports().into_iter().map(|p| (p.name, p.dir == Dir::In, p.width));
        assert_eq!(built.collect::<Vec<_>>(), declared.collect::<Vec<_>>(), "{}", core.config());
        for stream in &axi.streams {
            let memory = stream.memory();
            let (words, spare) = memory.map_or((1, 8), |m| (m.beat_words, stream.beat_bits.max(32)));
            let bits = words * stream.data_bits();
            assert!(bits >= stream.beat_bits && bits < stream.beat_bits + spare, "{}", stream.name);
        }
    }
}

/// XRT writes every word from the first argument to the last, so pointers, numbers and the core's registers lie together.
#[test]
fn arguments_of_kernels_lie_where_xrt_has_them() {
    for core in wrapped().iter().filter(|c| c.wrap() == Wrap::Kernel) {
        let axi = interface(core.as_ref());
        let offset = |name: String| axi.registers.iter().find(|r| r.name == name).map(|r| r.offset);
        for (n, s) in (0..).zip(&axi.streams) {
            assert_eq!(offset(format!("{}_address_low", s.stream)), Some(0x10 + 12 * n), "{}", core.config());
            assert_eq!(offset(format!("{}_address_high", s.stream)), Some(0x14 + 12 * n), "{}", core.config());
            assert!(offset(format!("{}_beats", s.stream)).is_some_and(|at| at < axi.core_offset));
        }
        assert_eq!(axi.core_offset % (1 << core.interface().address_bits()), 0);
        assert!(axi.reserved_below <= 0x100, "{} bytes of arguments: {}", axi.reserved_below, core.config());
    }
}

//! What wrapping promises of every kind of core.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use bitlathe_cores::wrap::{Wrap, axi, axi_interface};
use bitlathe_cores::{Core, Kind, kinds};
use bitlathe_spec::axi::{ADDRESS_BITS, WRAPPER_OFFSET};
use bitlathe_spec::{Dir, TARGETS};
use serde_json::{Value, json};

/// Legal configs of every kind, wrapped; found once for all tests.
fn wrapped() -> &'static [Box<dyn Core>] {
    static CORES: OnceLock<Vec<Box<dyn Core>>> = OnceLock::new();
    let configure = |(kind, mut config): (&'static dyn Kind, Value)| {
        config["wrap"] = json!("axi");
        kind.configure(&config).unwrap_or_else(|e| panic!("{config}: {e:?}"))
    };
    let configs = || kinds().iter().flat_map(|k| k.space().cover().into_iter().step_by(12).map(move |c| (*k, c)));
    CORES.get_or_init(|| configs().map(configure).collect())
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
    }
}

#[test]
fn registers_of_core_and_wrapper_share_one_map() {
    for core in wrapped() {
        let axi = axi_interface(&core.interface(), 0x1234_5678);
        assert_eq!(axi.core_registers(), core.interface().registers);
        assert!(axi.core_registers().iter().all(|r| r.offset < WRAPPER_OFFSET), "{}", core.config());
        assert!(axi.registers.iter().all(|r| r.offset < 1 << ADDRESS_BITS), "{}", core.config());
        let unique = |names: Vec<String>| names.len() == names.iter().collect::<BTreeSet<_>>().len();
        assert!(unique(axi.registers.iter().map(|r| r.offset.to_string()).collect()), "{}", core.config());
        assert!(unique(axi.registers.iter().map(|r| r.name.clone()).collect()), "{}", core.config());
        let fields = axi.registers.iter().flat_map(|r| &r.fields);
        assert!(unique(fields.map(|f| f.name.clone()).collect()), "{}", core.config());
        assert_eq!(axi.registers.iter().find(|r| r.offset == 0).map(|r| r.name.as_str()), Some("id"));
    }
}

#[test]
fn the_ports_of_the_wrapped_top_are_those_of_its_interface() {
    for core in wrapped() {
        let (bare, interface) = (core.rtl().unwrap_or_else(|e| panic!("{e}")), core.interface());
        let axi = axi_interface(&interface, 0);
        let design = axi::design(&bare, &interface, &axi).unwrap_or_else(|e| panic!("{}: {e}", core.config()));
        let built = design.top_manifest().ports.into_iter().map(|p| (p.name, p.input, p.width));
        let declared = axi.ports().into_iter().map(|p| (p.name, p.dir == Dir::In, p.width));
        assert_eq!(built.collect::<Vec<_>>(), declared.collect::<Vec<_>>(), "{}", core.config());
        for stream in &axi.streams {
            assert!(stream.data_bits() >= stream.beat_bits && stream.data_bits() < stream.beat_bits + 8);
        }
    }
}

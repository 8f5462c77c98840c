//! The self-test around a core of every kind: its hardware passes every check.

use bitlathe_cores::kinds;
use bitlathe_cores::selftest::{self, Line, Pass, Plan, RegisterWord, Traffic};
use bitlathe_spec::{Dir, Interface};

/// A plan of the right shape for an interface.
fn plan(interface: &Interface) -> Plan {
    let words = |bits: u64| vec![0x5a_u32; bits.div_ceil(32) as usize];
    let traffic = interface.streams.iter().enumerate().map(|(n, s)| match s.dir {
        Dir::In => {
            // A long and a short memory.
            let beats = if n == 0 { 20 } else { 3 };
            let narrow = words(s.layout.beat_bits()).iter().map(|w| w & 1).collect::<Vec<_>>();
            Traffic::In { pass: Pass(vec![narrow; beats]), beats: 40 }
        }
        Dir::Out => {
            Traffic::Out { beats: 7, mask: words(s.layout.beat_bits()).iter().map(|w| w & 1).collect(), signature: 1 }
        }
    });
    let word = RegisterWord { offset: 0, mask: 1, value: 1 };
    let registers = if interface.registers.is_empty() { vec![] } else { vec![word; 3] };
    let names =
        |dir: Dir| interface.streams.iter().filter(|s| s.dir == dir).map(|s| s.name.as_str()).collect::<Vec<_>>();
    let all: Vec<&str> = interface.streams.iter().map(|s| s.name.as_str()).collect();
    Plan {
        writes: registers.clone(),
        checks: registers,
        traffic: traffic.collect(),
        patience: 1000,
        pause: 1000,
        divider: 217,
        line: Line::new("bitlathe", &names(Dir::Out), &all),
    }
}

#[test]
fn every_core_fits_into_a_self_test() {
    for kind in kinds() {
        for config in kind.space().cover().into_iter().step_by(12) {
            let core = kind.configure(&config).unwrap_or_else(|e| panic!("{config}: {e:?}"));
            let (rtl, interface) = (core.rtl().unwrap_or_else(|e| panic!("{e}")), core.interface());
            let design =
                selftest::design(&rtl, &interface, &plan(&interface)).unwrap_or_else(|e| panic!("{config}: {e}"));
            let ports: Vec<String> = design.top_manifest().ports.into_iter().map(|p| p.name).collect();
            let expected = ["clk_i", "rst_i", "tx_o", "done_o", "pass_o", "fail_o", "heartbeat_o"];
            assert!(expected.iter().all(|name| ports.iter().any(|p| p == name)), "{ports:?}");
            assert_eq!(ports.len(), expected.len(), "{ports:?}");
        }
    }
}

//! `<name>.json`, which describes the core to programs, and its FuseSoC description.

use bitlathe_spec::{Dims, Dir};
use bitlathe_templates::fusesoc::FuseSoc;
use serde_json::{Value, json};

use super::vectors::{beats_file, mask_file};
use super::{GenerateError, Subject, VERSION, datasheet, describe, sorted};
use crate::synth::script;

/// The interface as one JSON object.
pub fn json(subject: &Subject, mut files: Vec<String>) -> Result<String, GenerateError> {
    let (core, interface) = (subject.core, &subject.interface);
    files.push(format!("{}.json", core.name()));
    let ports: Vec<Value> = describe::ports(interface)
        .iter()
        .map(|p| json!({"name": p.name, "dir": p.dir, "width": p.width, "doc": p.doc}))
        .collect();
    let target = core.target();
    let object = json!({
        "generator": format!("bitlathe {VERSION}"),
        "licence": "Generated files may be used under any licence.",
        "kind": core.kind(),
        "name": core.name(),
        "top": interface.top,
        "config": sorted(&core.config()),
        "config_hash": subject.hash,
        "target": {"name": target.name, "part": target.part, "family": target.family},
        "files": files,
        "ports": ports,
        "registers": interface.registers,
        "sizes": interface.sizes,
        "tensors": interface.tensors,
        "streams": interface.streams,
        "ranges": core.ranges(),
        "op": core.op(),
        "ops_per_cycle": core.ops_per_cycle(),
        "schedule": datasheet::example_sizes(interface).iter().map(|d| schedule(subject, d)).collect::<Vec<_>>(),
        "predicted": core.cost(target.family),
        "warnings": core.warnings(),
    });
    Ok(serde_json::to_string_pretty(&object)?)
}

fn schedule(subject: &Subject, dims: &Dims) -> Value {
    let (cycles, ops) = (subject.core.schedule(dims), subject.core.useful_ops(dims));
    json!({"sizes": dims, "cycles": cycles, "useful_ops": ops})
}

/// The FuseSoC description.
pub fn fusesoc(subject: &Subject) -> FuseSoc {
    let mut vectors = Vec::new();
    for stream in &subject.interface.streams {
        vectors.push(beats_file(stream));
        if stream.dir == Dir::Out {
            vectors.push(mask_file(stream));
        }
    }
    let family = subject.core.target().family;
    let nodsp = subject.core.cost(family).iter().all(|part| part.cost.dsp == 0.0);
    FuseSoc {
        banner: subject.banner.clone(),
        name: subject.core.name().into(),
        version: VERSION.into(),
        description: subject.core.about().title.replace(['"', '\\', '\n'], " "),
        top: subject.interface.top.clone(),
        rtl: subject.rtl.files.iter().map(|f| format!("rtl/{}", f.path)).collect(),
        vectors,
        impl_parameter: subject.rtl.impl_parameter,
        arch: script::architecture(family),
        synth_options: script::options(family, nodsp),
    }
}

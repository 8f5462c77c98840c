//! `<name>.json`, which describes the core to programs, and its FuseSoC description.

use std::collections::BTreeMap;

use bitlathe_spec::{Dims, Dir};
use bitlathe_templates::fusesoc::FuseSoc;
use serde_json::{Value, json};

use super::vectors::{JobVectors, beats_file, mask_file};
use super::{GenerateError, Subject, VERSION, datasheet, sorted};
use crate::synth::script;

/// The interface as one JSON object.
pub fn json(subject: &Subject, jobs: &[JobVectors], mut files: Vec<String>) -> Result<String, GenerateError> {
    let (core, interface) = (subject.core, &subject.interface);
    files.push(format!("{}.json", core.name()));
    let ports: Vec<Value> =
        subject.ports().iter().map(|p| json!({"name": p.name, "dir": p.dir, "width": p.width, "doc": p.doc})).collect();
    let target = core.target();
    let object = json!({
        "generator": format!("bitlathe {VERSION}"),
        "licence": "Generated files may be used under any licence.",
        "kind": core.kind(),
        "name": core.name(),
        "top": subject.top(),
        "config": sorted(&core.config()),
        "config_hash": subject.hash,
        "target": {"name": target.name, "part": target.part, "family": target.family},
        "files": files,
        "ports": ports,
        "registers": subject.registers(),
        "sizes": interface.sizes,
        "tensors": interface.tensors,
        "streams": interface.streams,
        "axi_streams": subject.axi.as_ref().map(|axi| &axi.streams),
        "jobs": jobs.iter().map(|j| job(subject, j)).collect::<Vec<_>>(),
        "ranges": core.ranges(),
        "op": core.op(),
        "ops_per_cycle": core.ops_per_cycle(),
        "schedule": datasheet::example_sizes(interface).iter().map(|d| schedule(subject, d)).collect::<Vec<_>>(),
        "predicted": super::parts(core, target.family),
        "warnings": core.warnings(),
    });
    Ok(serde_json::to_string_pretty(&object)?)
}

/// A job of the testbench: what is written before it, and how many lines of the vector files are its beats.
fn job(subject: &Subject, job: &JobVectors) -> Value {
    let writes: Vec<Value> = job.writes.iter().map(|w| json!({"offset": w.offset, "value": w.value})).collect();
    let streams = subject.interface.streams.iter().zip(&job.streams);
    let beats: BTreeMap<&String, usize> = streams.map(|(s, b)| (&s.name, b.data.len())).collect();
    let cycles = subject.core.schedule(&job.dims);
    json!({"name": job.name, "sizes": job.dims, "writes": writes, "beats": beats, "cycles": cycles})
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
    let nodsp = !subject.core.infers_dsp(family, None);
    FuseSoc {
        banner: subject.banner.clone(),
        name: subject.core.name().into(),
        version: VERSION.into(),
        description: subject.core.about().title.replace(['"', '\\', '\n'], " "),
        top: subject.top().into(),
        testbench: format!("{}_tb", subject.interface.top),
        rtl: subject.rtl.files.iter().map(|f| format!("rtl/{}", f.path)).collect(),
        vectors,
        impl_parameter: subject.rtl.impl_parameter,
        arch: script::architecture(family),
        synth_options: script::options(family, nodsp),
    }
}

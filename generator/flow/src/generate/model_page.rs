//! `model.md`: the set-up sequence and the first beats of a job, element by element.

use bitlathe_spec::{Access, Job, Register, Slot, Stream};
use bitlathe_templates::model_page::{Example, ExampleBeat, ExampleStream, ModelPage, SetUpRow};

use super::vectors::{JobVectors, is_set_by_job};
use super::{GenerateError, Subject, describe, numbers, testbench};

/// Beats shown of each stream, and lanes shown of each beat.
const BEATS: u64 = 4;
const LANES: usize = 12;

/// The page of a core, with the last of the jobs as its example (the one with ragged sizes).
pub fn model_page(subject: &Subject, jobs: &[JobVectors]) -> Result<ModelPage, GenerateError> {
    let interface = &subject.interface;
    let about = subject.core.about();
    let job = jobs.last().ok_or_else(|| subject.contradiction("the core offers no job".into()))?;
    let sticky = subject.registers().iter().flat_map(|r| r.fields.iter().map(move |f| (r, f)));
    let sticky = sticky.filter(|(_, f)| f.access == Access::WriteOneToClear);
    Ok(ModelPage {
        banner: subject.banner.clone(),
        top: subject.top().into(),
        title: about.title,
        definition: about.definition,
        sizes: describe::size_rows(interface),
        tensors: describe::tensor_rows(interface),
        set_up: subject.registers().iter().filter_map(set_up).collect(),
        status: sticky.map(|(r, f)| format!("`{}` in `{}`", f.name, r.name)).collect(),
        streams: interface.streams.iter().map(describe::walk).collect(),
        example: example(subject, job)?,
    })
}

fn set_up(register: &Register) -> Option<SetUpRow> {
    let fields = register.fields.iter().filter(|f| is_set_by_job(f));
    let values: Vec<String> = fields.map(|f| format!("{} = `{}`", f.name, describe::field_value(&f.value))).collect();
    (!values.is_empty()).then(|| SetUpRow {
        name: register.name.clone(),
        offset: format!("0x{:02x}", register.offset),
        value: values.join(", "),
    })
}

fn example(subject: &Subject, job: &JobVectors) -> Result<Example, GenerateError> {
    let interface = &subject.interface;
    let mut streams = Vec::new();
    for (stream, beats) in interface.streams.iter().zip(&job.streams) {
        let lanes = first_lanes(subject, stream, &job.job)?;
        let rows = beats.data.iter().zip(lanes).zip(0..);
        let rows = rows.map(|((data, lanes), index)| ExampleBeat { index, data: data.clone(), lanes });
        streams.push(ExampleStream {
            name: stream.name.clone(),
            total: beats.data.len() as u64,
            beats: rows.collect(),
        });
    }
    Ok(Example {
        name: job.name.clone(),
        sizes: numbers::sizes(interface.sizes.iter().map(|s| s.name.as_str()), &job.dims),
        writes: job.writes.iter().map(|w| testbench::write_step(interface, w)).collect(),
        streams,
    })
}

/// What the lanes of the first beats hold, in words.
fn first_lanes(subject: &Subject, stream: &Stream, job: &Job) -> Result<Vec<String>, GenerateError> {
    let tensor = job.tensors.get(&stream.name);
    let tensor = tensor.ok_or_else(|| subject.contradiction(format!("no job gives `{}`", stream.name)))?;
    let group = stream.layout.group.max(1) as usize;
    let mut beats = Vec::new();
    stream.layout.walk(&job.dims, &tensor.shape, |beat, slots| {
        if beat < BEATS {
            let lanes = slots.chunks(group).take(LANES).map(|lane| lane_text(lane, &tensor.shape, &tensor.data));
            let mut lanes: Vec<String> = lanes.collect();
            if slots.len() / group > LANES {
                lanes.push("…".into());
            }
            beats.push(lanes.join("; "));
        }
    })?;
    Ok(beats)
}

fn lane_text(lane: &[Slot], shape: &[usize], data: &[i64]) -> String {
    let first = lane.iter().find_map(|s| if let Slot::Element(index) = s { Some(*index) } else { None });
    let Some(first) = first else { return "padding".into() };
    let values: Vec<String> = lane
        .iter()
        .map(|slot| match slot {
            Slot::Element(index) => data[*index].to_string(),
            Slot::Pad => "padding".into(),
        })
        .collect();
    match values.as_slice() {
        [one] => format!("{} = {one}", position(first, shape)),
        many => format!("{}.. = {}", position(first, shape), many.join(", ")),
    }
}

/// A flat index as `[row, column]`.
fn position(flat: usize, shape: &[usize]) -> String {
    let mut rest = flat;
    let mut indices: Vec<String> = Vec::new();
    for size in shape.iter().rev() {
        indices.push((rest % size).to_string());
        rest /= size;
    }
    indices.reverse();
    format!("[{}]", indices.join(", "))
}

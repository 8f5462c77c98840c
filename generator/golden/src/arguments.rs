//! Checks of the tensors that a model is given, and the spreading of one value over all channels.

use bitlathe_spec::Tensor;
use thiserror::Error;

use crate::dyadic::MAX_SHIFT;

/// A tensor that does not fit the job.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum ArgumentError {
    #[error("tensor `{name}` has shape {got:?}, expected {expected}")]
    Shape { name: &'static str, got: Vec<usize>, expected: String },
    #[error("tensor `{name}` holds {value} at index {index}, outside {min}..={max}")]
    Range { name: &'static str, value: i64, index: usize, min: i64, max: i64 },
    #[error("the job needs the tensor `{0}`")]
    Missing(&'static str),
}

/// One value a channel, from a tensor of one or of as many elements as there are channels.
pub(crate) struct PerChannel(Vec<i64>);

impl PerChannel {
    /// The same value for every channel.
    pub fn constant(value: i64) -> Self {
        Self(vec![value])
    }

    /// The value of a channel.
    pub fn at(&self, channel: usize) -> i64 {
        if self.0.len() == 1 { self.0[0] } else { self.0[channel] }
    }
}

/// The elements in a narrower type; the first outside the bounds is refused.
pub(crate) fn narrowed<T: TryFrom<i64>>(
    name: &'static str,
    tensor: &Tensor,
    bounds: (i64, i64),
) -> Result<Vec<T>, ArgumentError> {
    let (min, max) = bounds;
    let convert = |(index, &value): (usize, &i64)| {
        let fits = (min..=max).contains(&value);
        (T::try_from(value).ok().filter(|_| fits)).ok_or(ArgumentError::Range { name, value, index, min, max })
    };
    tensor.data.iter().enumerate().map(convert).collect()
}

/// The planes of a tensor of shape [N] or [1], or [2, N] or [2, 1] with two planes.
pub(crate) fn planes_per_channel(
    name: &'static str,
    tensor: &Tensor,
    planes: usize,
    channels: usize,
    bounds: (i64, i64),
) -> Result<Vec<PerChannel>, ArgumentError> {
    let length = match (tensor.shape.as_slice(), planes) {
        (&[length], 1) | (&[2, length], 2) if length == channels || length == 1 => length,
        _ => {
            let prefix = if planes == 2 { "2, " } else { "" };
            let expected = format!("[{prefix}{channels}] or [{prefix}1]");
            return Err(ArgumentError::Shape { name, got: tensor.shape.clone(), expected });
        }
    };
    let data = narrowed::<i64>(name, tensor, bounds)?;
    Ok(data.chunks_exact(length).map(|plane| PerChannel(plane.to_vec())).collect())
}

/// The only plane of a tensor of shape [N] or [1].
pub(crate) fn per_channel(
    name: &'static str,
    tensor: &Tensor,
    channels: usize,
    bounds: (i64, i64),
) -> Result<PerChannel, ArgumentError> {
    let mut planes = planes_per_channel(name, tensor, 1, channels, bounds)?;
    Ok(planes.swap_remove(0))
}

/// The shift of every channel: a constant of the core, or the tensor `shift` of shape [N] or [1] within 0..=47.
pub(crate) fn shift_per_channel(
    constant: Option<u32>,
    tensor: Option<&Tensor>,
    channels: usize,
) -> Result<PerChannel, ArgumentError> {
    match constant {
        Some(shift) => Ok(PerChannel::constant(shift.into())),
        None => {
            let tensor = tensor.ok_or(ArgumentError::Missing("shift"))?;
            per_channel("shift", tensor, channels, (0, MAX_SHIFT.into()))
        }
    }
}

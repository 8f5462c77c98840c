//! Four-bit weights in groups, as AWQ and GPTQ pack eight of them into an int32 of a safetensors file.
//!
//! AWQ: `WQLinear_GEMM.from_linear` in awq/modules/linear/gemm.py of casper-hansen/AutoAWQ. GPTQ: `QuantLinear.pack` in
//! auto_gptq/nn_modules/qlinear/qlinear_cuda_old.py of AutoGPTQ/AutoGPTQ; its version 2 of the zero points:
//! `convert_gptq_v1_to_v2_format_module` of ModelCloud/GPTQModel.

use bitlathe_cores::ModelTensor;

use super::error::WeightProblem;
use super::options::GptqZeros;

/// Codes in a word.
const CODES: usize = 8;
/// Which of eight neighbours AWQ puts at each place of a word, least significant first.
const AWQ_ORDER: [usize; CODES] = [0, 2, 4, 6, 1, 3, 5, 7];
/// The same for GPTQ.
const IN_ORDER: [usize; CODES] = [0, 1, 2, 3, 4, 5, 6, 7];

/// A table of a file.
pub struct Table<T> {
    /// Rows and columns.
    pub shape: [usize; 2],
    /// Row-major elements.
    pub data: Vec<T>,
}

/// The tensors of one layer.
pub struct Layer {
    /// The name in front of `.qweight`.
    pub name: String,
    /// `qweight`.
    pub weights: Table<u32>,
    /// `qzeros`.
    pub zeros: Table<u32>,
    /// `scales`, [groups, M].
    pub scales: Table<f64>,
    /// `g_idx`, the group of every column, where the file has it.
    pub group_of: Option<Vec<i64>>,
}

/// Which of the two a layer is; their shapes differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    /// `qweight` [K, M/8].
    Awq,
    /// `qweight` [K/8, M].
    Gptq,
}

impl Layer {
    /// The matrix [M, K]. `zeros` says how GPTQ's zero points are meant.
    pub fn decode(&self, zeros: Option<GptqZeros>) -> Result<ModelTensor, WeightProblem> {
        let [groups, rows] = self.scales.shape;
        let (packing, columns) = self.packing()?;
        let group = self.group(columns, groups)?;
        let (order, added, mut notes) = match (packing, zeros) {
            (Packing::Awq, _) => (AWQ_ORDER, 0, vec!["AWQ packing; zero points as stored".to_owned()]),
            (Packing::Gptq, None) => return Err(WeightProblem::GptqZeros { tensor: self.name.clone() }),
            (Packing::Gptq, Some(zeros)) => (IN_ORDER, zeros.added(), vec![zeros.note().to_owned()]),
        };
        let code = |m: usize, k: usize| match packing {
            Packing::Awq => nibble(&self.weights, k, m, order),
            Packing::Gptq => nibble_down(&self.weights, k, m),
        };
        let codes = (0..rows * columns).map(|at| code(at / columns, at % columns)).collect();
        let transposed = |at: usize| (at % groups, at / groups);
        let zero = |at: usize| nibble(&self.zeros, transposed(at).0, transposed(at).1, order) + added;
        let zeros: Vec<u8> = (0..rows * groups).map(zero).collect();
        let scales = (0..rows * groups).map(|at| self.scale(transposed(at))).collect::<Result<_, _>>()?;
        let sixteens = zeros.iter().filter(|z| **z == 16).count();
        if sixteens > 0 {
            notes.push(format!("{sixteens} zero points are stored as 15 and mean 16"));
        }
        notes.push(format!("groups of {group} columns"));
        Ok(ModelTensor::Grouped { shape: [rows, columns], group, codes, zeros, scales, notes })
    }

    /// The packing with K, after the shapes have been held against each other.
    fn packing(&self) -> Result<(Packing, usize), WeightProblem> {
        let [groups, rows] = self.scales.shape;
        let wrong = |what: String| Err(WeightProblem::Int4Shapes { tensor: self.name.clone(), what });
        if groups == 0 || rows == 0 || rows % CODES != 0 {
            return wrong(format!("`scales` is {:?}, expected [groups, a multiple of 8]", self.scales.shape));
        }
        if self.zeros.shape != [groups, rows / CODES] {
            return wrong(format!("`qzeros` is {:?}, expected {:?}", self.zeros.shape, [groups, rows / CODES]));
        }
        match self.weights.shape {
            [columns, words] if columns > 0 && words == rows / CODES => Ok((Packing::Awq, columns)),
            [words, width] if words > 0 && width == rows => match words.checked_mul(CODES) {
                Some(columns) => Ok((Packing::Gptq, columns)),
                None => wrong(format!("`qweight` is {:?}", self.weights.shape)),
            },
            _ => wrong(format!(
                "`qweight` is {:?}, expected [K, {}] (AWQ) or [K/8, {rows}] (GPTQ)",
                self.weights.shape,
                rows / CODES
            )),
        }
    }

    /// Columns of a group: as `g_idx` says, otherwise K in equal parts.
    fn group(&self, columns: usize, groups: usize) -> Result<usize, WeightProblem> {
        let wrong = |what: String| WeightProblem::Int4Shapes { tensor: self.name.clone(), what };
        let Some(group_of) = &self.group_of else {
            return match columns % groups {
                0 => Ok(columns / groups),
                _ => Err(wrong(format!("{columns} columns are not {groups} equal groups, and there is no `g_idx`"))),
            };
        };
        if group_of.len() != columns {
            return Err(wrong(format!("`g_idx` has {} elements, expected {columns}", group_of.len())));
        }
        let group = group_of.iter().position(|g| *g != 0).unwrap_or(columns).max(1);
        if let Some(column) = (0..columns).find(|k| group_of[*k] != (k / group) as i64) {
            return Err(WeightProblem::ActOrder { tensor: self.name.clone(), column, group: group_of[column] });
        }
        match columns.div_ceil(group) == groups {
            true => Ok(group),
            false => Err(wrong(format!("`g_idx` has {} groups, `scales` {groups}", columns.div_ceil(group)))),
        }
    }

    fn scale(&self, (group, row): (usize, usize)) -> Result<f32, WeightProblem> {
        let value = self.scales.data[group * self.scales.shape[1] + row];
        let single = value as f32;
        if single.is_finite() && single >= 0.0 {
            return Ok(single);
        }
        Err(WeightProblem::GroupScale { tensor: self.name.clone(), row, group, value })
    }
}

impl GptqZeros {
    fn added(self) -> u8 {
        match self {
            Self::V1 => 1,
            Self::V2 => 0,
        }
    }

    fn note(self) -> &'static str {
        match self {
            Self::V1 => "GPTQ packing, version 1; zero points are one more than stored",
            Self::V2 => "GPTQ packing, version 2; zero points as stored",
        }
    }
}

/// Element (row, column) of a table whose words hold eight neighbours of a row.
fn nibble(table: &Table<u32>, row: usize, column: usize, order: [usize; CODES]) -> u8 {
    let place = order.iter().position(|o| *o == column % CODES).unwrap_or(0);
    (table.data[row * table.shape[1] + column / CODES] >> (4 * place) & 15) as u8
}

/// Element (row, column) of a table whose words hold eight neighbours of a column.
fn nibble_down(table: &Table<u32>, row: usize, column: usize) -> u8 {
    (table.data[row / CODES * table.shape[1] + column] >> (4 * (row % CODES)) & 15) as u8
}

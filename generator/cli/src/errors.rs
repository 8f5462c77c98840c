//! Errors of the flow as failures of the program: code, cause, help, exit code.

use bitlathe_flow::generate::GenerateError;
use bitlathe_flow::lint::LintError;
use bitlathe_flow::process::ProcessError;
use bitlathe_flow::sim::SimError;
use bitlathe_flow::synth::SynthError;
use bitlathe_flow::tools::ToolError;
use bitlathe_flow::verify::VerifyError;
use bitlathe_flow::weights::{WeightError, WeightProblem};

use crate::report::{Exit, Failure, Finding};

const DOCTOR: &str = "`bitlathe doctor` says which tools are here, `--verbose` shows every call of one";

fn fail(exit: Exit, code: &'static str, message: impl ToString, help: impl Into<String>) -> Failure {
    Failure::one(exit, Finding::new(code, message.to_string()).help(help))
}

impl From<ToolError> for Failure {
    fn from(error: ToolError) -> Self {
        match error {
            ToolError::Missing { name, unlocks, get } => fail(
                Exit::Tool,
                "T001",
                format!("`{name}` is missing; it is needed for {unlocks}"),
                format!("to get it: {get}"),
            ),
            other => fail(Exit::Tool, "T002", other, DOCTOR),
        }
    }
}

impl From<ProcessError> for Failure {
    fn from(error: ProcessError) -> Self {
        fail(Exit::Tool, "T003", error, DOCTOR)
    }
}

impl From<SimError> for Failure {
    fn from(error: SimError) -> Self {
        match error {
            SimError::Tools(e) => e.into(),
            SimError::Process(e) => e.into(),
            SimError::Blocked(_) => fail(
                Exit::No,
                "S002",
                error,
                "`bitlathe verify` records a wave of the cycles before; compare with `--stalls` left out",
            ),
            SimError::Protocol(_) => {
                fail(Exit::No, "S003", error, "`bitlathe verify` records a wave of the cycles around it")
            }
            SimError::Register { .. } => fail(
                Exit::No,
                "S004",
                error,
                "the core's interface and its register file disagree; please report it with the config",
            ),
            SimError::Wave { .. } => fail(Exit::Input, "E020", error, "name a file in a folder that you may write"),
            SimError::Layout(_)
            | SimError::Tensor(_)
            | SimError::NoTensor { .. }
            | SimError::Lane { .. }
            | SimError::Stream { .. } => fail(
                Exit::Input,
                "S001",
                error,
                "the core's `model.md`, which `bitlathe gen` writes, says what it takes",
            ),
            SimError::Io { .. } | SimError::Tool { .. } | SimError::Shim(_) | SimError::Load { .. } => {
                fail(Exit::Tool, "T004", error, DOCTOR)
            }
        }
    }
}

impl From<SynthError> for Failure {
    fn from(error: SynthError) -> Self {
        match error {
            SynthError::Missing(e) => e.into(),
            SynthError::Process(e) => e.into(),
            SynthError::Name(_) | SynthError::NoModule { .. } | SynthError::Ambiguous { .. } => {
                fail(Exit::Input, "Y001", error, "name one of the modules in `rtl/` of the generated folder")
            }
            SynthError::NoRoute(_) => fail(Exit::Input, "Y001", error, "take --flow ecp5 or --flow ice40"),
            SynthError::Tool { .. } | SynthError::Io(_) | SynthError::Report { .. } | SynthError::Port { .. } => fail(
                Exit::Tool,
                "T005",
                error,
                format!("a design that is too large for the device fails here too; {DOCTOR}"),
            ),
            SynthError::UnknownCells(_) => {
                fail(Exit::Tool, "T005", error, "the pinned tools give no such cells: `bitlathe doctor --install`")
            }
        }
    }
}

impl From<GenerateError> for Failure {
    fn from(error: GenerateError) -> Self {
        match error {
            GenerateError::Occupied { .. } | GenerateError::NoFolder { .. } => {
                fail(Exit::Input, "G001", error, "give -o another folder")
            }
            GenerateError::Io { .. } => {
                fail(Exit::Input, "G001", error, "is there room on the disk, and may you write there?")
            }
            GenerateError::Design(_) => fail(
                Exit::Input,
                "G002",
                error,
                "the check took this config, its hardware does not: please report it; a smaller size may pass",
            ),
            other => fail(Exit::Tool, "B002", other, "this is a bug of bitlathe: please report it with the config"),
        }
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        fail(Exit::Tool, "T006", error, "run it where you may write files")
    }
}

impl From<LintError> for Failure {
    fn from(error: LintError) -> Self {
        match error {
            LintError::Tool(e) => e.into(),
            LintError::Process(e) => e.into(),
            other => fail(Exit::Tool, "T007", other, DOCTOR),
        }
    }
}

impl From<WeightError> for Failure {
    fn from(error: WeightError) -> Self {
        let help = match &error.problem {
            WeightProblem::ScaleUse { .. } => "--scale divide for BitLinear, --scale multiply for AutoBitLinear",
            WeightProblem::I2s { .. } => "--i2s x86 or --i2s arm",
            WeightProblem::GptqZeros { .. } => "--gptq-zeros v1 for gptq, --gptq-zeros v2 for gptq_v2",
            WeightProblem::ChooseTensor { .. } | WeightProblem::NoTensor { .. } => {
                "the name of the tensor follows the file: --weights FILE:TENSOR"
            }
            WeightProblem::NothingToTernarize => "leave --ternarize out",
            _ => "read are GGUF (TQ1_0, TQ2_0, I8, floats), safetensors (HF BitNet, AWQ, GPTQ, int8, floats) and npy",
        };
        fail(Exit::Input, "W001", error, help)
    }
}

//! What commands hand back: results, findings with their places, failures with exit codes; and how these are shown.

use std::fmt;
use std::io::IsTerminal;
use std::ops::Range;
use std::sync::Arc;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, NamedSource, Severity, SourceCode,
    SourceSpan, SpanContents,
};
use serde_json::{Value, json};

/// Exit codes of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Success = 0,
    /// Done, and the answer is no: a mismatch, or it does not fit.
    No = 1,
    /// The input is wrong.
    Input = 2,
    /// A tool is missing or failed, or the program has a bug.
    Tool = 3,
}

/// Where the text of a place came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file, which has lines and columns.
    File,
    /// A `--set` argument.
    Argument,
}

/// A named text that findings point into.
#[derive(Debug)]
pub struct Source {
    origin: Origin,
    named: NamedSource<String>,
}

impl Source {
    /// A file's text.
    pub fn file(name: &str, text: String) -> Arc<Self> {
        Arc::new(Self { origin: Origin::File, named: NamedSource::new(name, text) })
    }

    /// The text of a `--set` argument.
    pub fn argument(text: &str) -> Arc<Self> {
        Arc::new(Self { origin: Origin::Argument, named: NamedSource::new("--set", text.to_string()) })
    }

    /// The text.
    pub fn text(&self) -> &str {
        self.named.inner()
    }

    /// The file's name, or the whole argument.
    fn shown(&self) -> String {
        match self.origin {
            Origin::File => self.named.name().to_string(),
            Origin::Argument => format!("--set {}", self.text()),
        }
    }

    /// The bytes of the lines that a range touches.
    fn lines(&self, span: Range<usize>) -> Range<usize> {
        let start = self.text()[..span.start].rfind('\n').map_or(0, |n| n + 1);
        let last = if self.text()[..span.end].ends_with('\n') { span.end.max(1) - 1 } else { span.end };
        let last = last.max(span.start);
        let end = self.text()[last..].find('\n').map_or(self.text().len(), |n| last + n + 1);
        start..end
    }

    /// Line and column of an offset, from 1, in characters; `None` for an argument.
    fn line_column(&self, offset: usize) -> Option<(usize, usize)> {
        let before = self.text().get(..offset)?;
        let start = before.rfind('\n').map_or(0, |n| n + 1);
        let line = before.matches('\n').count() + 1;
        (self.origin == Origin::File).then(|| (line, before[start..].chars().count() + 1))
    }
}

impl SourceCode for Source {
    /// Asked for context, gives the whole lines of the span and none around them; many findings stay readable that way.
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        if before + after == 0 {
            return self.named.read_span(span, 0, 0);
        }
        let lines = self.lines(span.offset()..span.offset() + span.len());
        self.named.read_span(&lines.into(), 0, 0)
    }
}

/// A range of bytes in a source.
#[derive(Clone, Debug)]
pub struct Place {
    /// The text.
    pub source: Arc<Source>,
    /// Bytes, cut to the text and to whole characters.
    pub span: Range<usize>,
}

impl Place {
    /// A place whose range is made to fit the text.
    pub fn new(source: &Arc<Source>, span: Range<usize>) -> Self {
        let text = source.text();
        let fit = |mut at: usize| {
            at = at.min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let start = fit(span.start);
        Self { source: source.clone(), span: start..fit(span.end.max(start)) }
    }

    /// The text at the place.
    pub fn text(&self) -> &str {
        &self.source.text()[self.span.clone()]
    }
}

/// One thing that is wrong, or worth a warning.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Stable code, such as `E012`.
    pub code: &'static str,
    /// What is wrong and why.
    pub message: String,
    /// What would be right; empty where nothing is known.
    pub help: String,
    /// Whether it stops nothing.
    pub warning: bool,
    /// Where it is.
    pub place: Option<Place>,
    /// A few words under the caret.
    pub label: String,
}

impl Finding {
    /// An error without a place.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        let (help, label) = (String::new(), String::new());
        Self { code, message: message.into(), help, warning: false, place: None, label }
    }

    /// With what would be right.
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: help.into(), ..self }
    }

    /// With its place and a few words under the caret.
    pub fn at(self, place: &Place, label: impl Into<String>) -> Self {
        Self { place: Some(place.clone()), label: label.into(), ..self }
    }

    /// As a warning.
    pub fn warning(self) -> Self {
        Self { warning: true, ..self }
    }

    /// For sorting: the file before arguments, in the order of the text.
    pub fn order(&self) -> (bool, usize) {
        self.place.as_ref().map_or((true, 0), |p| (p.source.origin == Origin::Argument, p.span.start))
    }

    /// As one object of `errors`.
    pub fn json(&self) -> Value {
        let at = self.place.as_ref().and_then(|p| p.source.line_column(p.span.start));
        json!({
            "code": self.code,
            "message": self.message,
            "line": at.map(|a| a.0),
            "column": at.map(|a| a.1),
            "help": self.help,
            "source": self.place.as_ref().map(|p| p.source.shown()),
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Finding {}

impl Diagnostic for Finding {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn severity(&self) -> Option<Severity> {
        Some(if self.warning { Severity::Warning } else { Severity::Error })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        (!self.help.is_empty()).then(|| Box::new(&self.help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().map(|p| p.source.as_ref() as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.place.as_ref()?;
        let label = (!self.label.is_empty()).then(|| self.label.clone());
        let span = LabeledSpan::new_primary_with_span(label, place.span.clone());
        Some(Box::new(std::iter::once(span)))
    }
}

/// Findings that stopped a command, and its exit code.
#[derive(Debug)]
pub struct Failure {
    /// Exit code.
    pub exit: Exit,
    /// At least one error; warnings may stand beside it.
    pub findings: Vec<Finding>,
}

impl Failure {
    /// Wrong input.
    pub fn input(findings: Vec<Finding>) -> Self {
        Self { exit: Exit::Input, findings }
    }

    /// One finding.
    pub fn one(exit: Exit, finding: Finding) -> Self {
        Self { exit, findings: vec![finding] }
    }

    /// The object printed under `--json`.
    pub fn json(&self) -> Value {
        let part =
            |warning| self.findings.iter().filter(|f| f.warning == warning).map(Finding::json).collect::<Vec<_>>();
        let mut object = json!({ "errors": part(false) });
        let warnings = part(true);
        if !warnings.is_empty() {
            object["warnings"] = warnings.into();
        }
        object
    }
}

/// What a command that ran to its end shows.
#[derive(Debug)]
pub struct Done {
    /// [`Exit::Success`] or [`Exit::No`].
    pub exit: Exit,
    /// The text for a person.
    pub text: String,
    /// The object for a program.
    pub json: Value,
    /// Warnings for standard error.
    pub warnings: Vec<Finding>,
}

impl Done {
    /// A success.
    pub fn new(text: impl Into<String>, json: Value) -> Self {
        Self { exit: Exit::Success, text: text.into(), json, warnings: vec![] }
    }

    /// With warnings.
    pub fn warn(self, warnings: Vec<Finding>) -> Self {
        Self { warnings, ..self }
    }
}

/// How findings look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Colours and box-drawing characters.
    Terminal,
    /// ASCII.
    Plain,
}

impl Style {
    /// As standard error can show.
    pub fn of_stderr() -> Self {
        let colour = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        if std::io::stderr().is_terminal() && colour { Self::Terminal } else { Self::Plain }
    }
}

/// Findings as text, each with its source line.
pub fn render(findings: &[Finding], style: Style) -> String {
    let theme = match style {
        Style::Terminal => GraphicalTheme::unicode(),
        Style::Plain => GraphicalTheme::none(),
    };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(110).with_context_lines(1);
    let mut text = String::new();
    for finding in findings {
        if handler.render_report(&mut text, finding).is_err() {
            text.push_str(&format!("{}: {finding}\n", finding.code));
        }
    }
    let errors = findings.iter().filter(|f| !f.warning).count();
    if errors > 1 {
        text.push_str(&format!("{errors} errors\n"));
    }
    text
}

//! Where results go: text for people or one JSON document a line, on the standard output; notes and errors on
//! the standard error.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use proofline::ledger::Damage;
use serde::Serialize;

use super::error::{CliError, ErrorLine, place_of};
use super::phrase::{counted, wrap_words};
use super::safe::{safe, safe_cut, safe_json, without_secrets};

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// One JSON document a line, for programs
    Json,
}

/// What every verb takes.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct OutputArgs {
    /// Text for people, or JSON documents, one a line
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: Format,
}

/// The width of text that goes to no terminal, unless the variable COLUMNS says otherwise.
const DEFAULT_COLUMNS: usize = 80;

/// More than any line needs.
const WIDE_COLUMNS: usize = 400;

/// The standard output.
pub(crate) struct Out {
    format: Format,
    stream: BufWriter<Stdout>,
    columns: Option<usize>,
    paint: Paint,
    /// Whether nothing stands above the next line.
    is_blank: bool,
}

impl Out {
    pub(crate) fn new(format: Format) -> Self {
        let stdout = io::stdout();
        let paint = Paint::of(AutoStream::choice(&stdout));
        Self { format, stream: BufWriter::new(stdout), columns: columns(), paint, is_blank: true }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// How many characters fit on a line.
    pub(crate) fn columns(&self) -> usize {
        self.columns.unwrap_or(DEFAULT_COLUMNS)
    }

    /// The same where there is no telling what the output goes to: what can be long is then not cut.
    pub(crate) fn columns_or_wide(&self) -> usize {
        self.columns.unwrap_or(WIDE_COLUMNS)
    }

    pub(crate) const fn paint(&self) -> Paint {
        self.paint
    }

    /// One line of text, which the caller made safe.
    pub(crate) fn line(&mut self, text: impl Display) -> Result<(), CliError> {
        self.is_blank = false;
        writeln!(self.stream, "{text}").map_err(CliError::Output)
    }

    /// An empty line below what stands there.
    pub(crate) fn space(&mut self) -> Result<(), CliError> {
        if !std::mem::replace(&mut self.is_blank, true) {
            writeln!(self.stream).map_err(CliError::Output)?;
        }
        Ok(())
    }

    /// A heading, below an empty line.
    pub(crate) fn heading(&mut self, text: &str) -> Result<(), CliError> {
        let text = self.paint.strong(text);
        self.space()?;
        self.line(text)
    }

    /// One JSON document on a line.
    pub(crate) fn json(&mut self, document: &impl Serialize) -> Result<(), CliError> {
        let line = json_line(document)?;
        self.line(line)
    }

    /// Bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        self.stream.write_all(bytes).map_err(CliError::Output)
    }

    /// A signed note and nothing else, so that it can be piped; a terminal is spared what it would obey.
    pub(crate) fn note(&mut self, note: &[u8]) -> Result<(), CliError> {
        if !is_terminal() {
            return self.bytes(note);
        }
        String::from_utf8_lossy(note).lines().try_for_each(|line| self.line(safe(line)))
    }

    /// Sends what was written so far.
    pub(crate) fn flush(&mut self) -> Result<(), CliError> {
        self.stream.flush().map_err(CliError::Output)
    }
}

/// A document as one line of JSON that a terminal can bear.
pub(crate) fn json_line(document: &impl Serialize) -> Result<String, CliError> {
    let json = serde_json::to_string(document);
    json.map(safe_json).map_err(|error| CliError::Internal(format!("a result is no JSON: {error}")))
}

/// Whether the standard output is a terminal.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// The width of the terminal, else that in the variable COLUMNS.
fn columns() -> Option<usize> {
    let set = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    let terminal = terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0));
    terminal.or(set).filter(|columns| *columns > 0)
}

/// Colours, where they are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    const fn of(choice: ColorChoice) -> Self {
        Self { on: !matches!(choice, ColorChoice::Never) }
    }

    fn with(self, style: Style, text: &str) -> String {
        if self.on { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.with(AnsiColor::Green.on_default(), text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.with(AnsiColor::Red.on_default().bold(), text)
    }

    pub(crate) fn odd(self, text: &str) -> String {
        self.with(AnsiColor::Yellow.on_default(), text)
    }

    pub(crate) fn faint(self, text: &str) -> String {
        self.with(Style::new().dimmed(), text)
    }

    pub(crate) fn strong(self, text: &str) -> String {
        self.with(Style::new().bold(), text)
    }

    pub(crate) fn struck(self, text: &str) -> String {
        self.with(AnsiColor::Red.on_default().strikethrough(), text)
    }
}

/// Tells an error on the standard error. Nobody is told that this failed too.
pub(crate) fn report(error: &CliError, format: Format) {
    let (message, place) = (error.to_string(), error.place());
    tell(format, "error", error.code(), &message, place.as_deref(), error.hint());
    if let Some(drawn) = error.drawn().filter(|_| format == Format::Text) {
        let _ = drawn.iter().try_for_each(|line| writeln!(io::stderr().lock(), "    {line}"));
    }
}

/// Tells something worth knowing that is no error, on the standard error.
pub(crate) fn note(format: Format, code: &str, message: &str) {
    tell(format, "note", code, message, None, None);
}

/// A document on the standard error, beside results that go elsewhere.
pub(crate) fn aside(document: &impl Serialize) -> Result<(), CliError> {
    let line = json_line(document)?;
    let _ = writeln!(io::stderr().lock(), "{line}");
    Ok(())
}

/// Tells an error or a note.
pub(crate) fn tell(
    format: Format,
    kind: &'static str,
    code: &str,
    message: &str,
    place: Option<&str>,
    hint: Option<&str>,
) {
    let stderr = io::stderr();
    let paint = Paint::of(AutoStream::choice(&stderr));
    let (message, place) = (&*without_secrets(message), place.map(without_secrets));
    let (place, hint) = (place.as_deref(), hint.map(without_secrets));
    let hint = hint.as_deref();
    let text = match format {
        Format::Json if kind == "error" => json_line(&ErrorLine::new(code, message, place, hint)),
        Format::Json => json_line(&NoteLine { note: Note { code, message } }),
        Format::Text => Ok(told_as_text(paint, kind, code, message, place, hint)),
    };
    let mut stderr = stderr.lock();
    let _ = writeln!(stderr, "{}", text.unwrap_or_default());
}

/// Tells that the command line makes no sense; `more` is what to know about it, in lines.
pub(crate) fn usage(format: Format, what: &str, more: Option<&str>) {
    if format == Format::Json {
        return tell(format, "error", "cli.usage", what, None, more);
    }
    let paint = Paint::of(AutoStream::choice(&io::stderr()));
    let (what, more) = (without_secrets(what), more.map(without_secrets));
    let more = more.as_deref();
    let lines = what.lines().chain(more.map(|_| "")).chain(more.unwrap_or_default().lines());
    let shown: Vec<_> = lines.map(safe).collect();
    let _ = writeln!(io::stderr().lock(), "{}: {}", paint.bad("error[cli.usage]"), shown.join("\n"));
}

/// Of a sentence or a place in text this much is shown; a document may have names of any length.
const TOLD_CHARS: usize = 1_000;

fn told_as_text(
    paint: Paint,
    kind: &str,
    code: &str,
    message: &str,
    place: Option<&str>,
    hint: Option<&str>,
) -> String {
    let label = format!("{kind}[{}]", safe(code));
    let label = if kind == "error" { paint.bad(&label) } else { paint.odd(&label) };
    let place = place.map(|place| format!("\n  where: {}", safe_cut(place, TOLD_CHARS)));
    let place = place.unwrap_or_default();
    let hint = hint.map(|hint| format!("\n  try: {}", safe(hint))).unwrap_or_default();
    format!("{label}: {}{place}{hint}", safe_cut(message, TOLD_CHARS))
}

#[derive(Serialize)]
struct NoteLine<'a> {
    note: Note<'a>,
}

#[derive(Serialize)]
struct Note<'a> {
    code: &'a str,
    message: &'a str,
}

/// A damage as JSON shows it.
#[derive(Serialize)]
pub(crate) struct DamageLine {
    code: &'static str,
    file: String,
    offset: Option<u64>,
    seq: Option<u64>,
    message: String,
}

impl From<&Damage> for DamageLine {
    fn from(damage: &Damage) -> Self {
        Self {
            code: damage.code,
            file: damage.file.clone(),
            offset: damage.offset,
            seq: damage.seq.map(|seq| seq.get()),
            message: damage.message.clone(),
        }
    }
}

/// The most places of damage that text lists.
const DAMAGE_SHOWN: usize = 50;

/// A section of damage, if there is any; `total` is how many places there are, listed or not.
pub(crate) fn show_damage(out: &mut Out, title: &str, list: &[&Damage], total: u64) -> Result<(), CliError> {
    if list.is_empty() {
        return Ok(());
    }
    out.heading(title)?;
    for damage in list.iter().take(DAMAGE_SHOWN) {
        let code = out.paint().bad(damage.code);
        out.line(format_args!("  {code}  {}", safe(&place_of(damage))))?;
        for line in wrap_words(&safe(&damage.message), out.columns().saturating_sub(4)) {
            out.line(format_args!("    {line}"))?;
        }
    }
    let shown = u64::try_from(list.len().min(DAMAGE_SHOWN)).unwrap_or(u64::MAX);
    if total > shown {
        out.line(format_args!("  and {} more", counted(total - shown, "place", "places")))?;
    }
    Ok(())
}

//! `proofline records`: the records of a ledger as a table, for notebooks.

use std::io::{self, BufWriter, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use proofline::ledger::{EntryFault, Snapshot};
use proofline::query::table;
use proofline::query::{Event, Hit, Question, Undecided, answer};
use serde::Serialize;

use super::archives::ArchivesArgs;
use super::counting::Counting;
use super::error::CliError;
use super::exit::Exit;
use super::new_file::write_new;
use super::output::{self, Format, Out, OutputArgs};
use super::phrase::counted;
use super::query::{between, moment_ms, read_filter, threads_of};
use super::query_error::QueryTrouble;
use super::safe::safe_path;

/// Writes records as a table: CSV, JSON lines or Parquet
///
/// One row a record, refused attempts included, with the actor and the decision
/// that it rests on beside it. Columns keep their names, order and types. A filter
/// is one of `query`; entries that are no records have no row. The file is whole
/// or absent, and no other file is written over. A record that cannot be read ends
/// it, for no empty cell may stand for what is not known.
///
/// With --out - the table goes to the standard output, and what was written of it
/// before an error stays there; the exit code says so.
///
/// Examples:
///   proofline records ledger --to csv --out records.csv
///   proofline records ledger 'record_type = tool_call' --to jsonl --out t.jsonl
///   proofline records ledger --from 2026-01-01T00:00:00Z --to csv --out 2026.csv
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct RecordsArgs {
    /// The ledger's folder
    dir: PathBuf,
    /// Which records; see `proofline query`
    filter: Option<String>,
    /// The form of the table
    #[arg(long = "to", value_enum, value_name = "FORM")]
    form: Form,
    /// The file to write; `-` for the standard output, and the account then goes to the standard error
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Begin texts with an apostrophe that a spreadsheet would take for formulas
    #[arg(long)]
    csv_safe: bool,
    /// Records whose own time is this or later
    #[arg(long, value_name = "TIME", value_parser = moment_ms)]
    from: Option<i64>,
    /// Records whose own time is before this, in RFC 3339 or Unix milliseconds
    #[arg(long, value_name = "TIME", value_parser = moment_ms)]
    until: Option<i64>,
    /// How many threads work; the file is the same for any number [default: one a processor]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    archives: ArchivesArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// The forms of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// CSV as RFC 4180 has it, with titles
    Csv,
    /// An object a line
    Jsonl,
    /// Apache Parquet; where the program was built with it
    Parquet,
}

impl Form {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Parquet => "parquet",
        }
    }
}

#[derive(Serialize)]
struct WrittenLine {
    file: String,
    is_new: bool,
    form: &'static str,
    rows: u64,
    columns: usize,
    file_bytes: u64,
    ledger_id: String,
    entries: u64,
    head: Option<String>,
}

/// About what a row takes as text.
const LINE_BYTES: usize = 1 << 10;

/// Writes the table.
pub(crate) fn run(args: &RecordsArgs, out: &mut Out) -> Result<Exit, CliError> {
    if args.csv_safe && args.form != Form::Csv {
        return Err(CliError::Usage("--csv-safe goes with --to csv"));
    }
    #[cfg(not(feature = "parquet"))]
    if args.form == Form::Parquet {
        return Err(QueryTrouble::NoParquet.into());
    }
    let filter = table::records(between(read_filter(args.filter.as_deref())?, args.from, args.until));
    let snapshot = args.archives.snapshot(&args.dir)?;
    let threads = threads_of(args.threads);
    let question = Question { threads, reads_chains: true, ..Question::new(filter) };
    if args.out == Path::new("-") {
        if output::is_terminal() {
            return Err(CliError::Usage(
                "a table is for programs, and this is a terminal: name a file with --out",
            ));
        }
        let mut stream = Counting { out: io::stdout(), bytes: 0 };
        let rows = write(args, &snapshot, &question, &mut stream, &CliError::Output)?;
        tell(args, None, &snapshot, (rows, stream.bytes, true))?;
        return Ok(Exit::Ok);
    }
    let unwritable = |source| CliError::Unwritable { name: safe_path(&args.out), source };
    let ((rows, file_bytes), is_new) = write_new(&args.out, |file| {
        let rows = write(args, &snapshot, &question, &mut *file, &unwritable)?;
        Ok((rows, file.metadata().map_err(unwritable)?.len()))
    })?;
    tell(args, Some(out), &snapshot, (rows, file_bytes, is_new))?;
    Ok(Exit::Ok)
}

/// Beside a table on the standard output, on the standard error.
fn tell(
    args: &RecordsArgs,
    out: Option<&mut Out>,
    snapshot: &Snapshot,
    (rows, file_bytes, is_new): (u64, u64, bool),
) -> Result<(), CliError> {
    let file = safe_path(&args.out);
    if args.output.format == Format::Text {
        let there = if is_new { "wrote" } else { "there already, the same:" };
        let said = format!("{there} {file}: {}, {file_bytes} bytes", counted(rows, "record", "records"));
        let Some(out) = out else {
            output::note(Format::Text, "query.written", &said);
            return Ok(());
        };
        return out.line(said);
    }
    let line = WrittenLine {
        file,
        is_new,
        form: args.form.as_str(),
        rows,
        columns: table::COLUMNS.len(),
        file_bytes,
        ledger_id: snapshot.ledger_id().to_string(),
        entries: snapshot.entries(),
        head: snapshot.head().map(|head| head.to_string()),
    };
    match out {
        Some(out) => out.json(&line),
        None => output::aside(&line),
    }
}

fn write(
    args: &RecordsArgs,
    snapshot: &Snapshot,
    question: &Question,
    to: impl Write + Send,
    unwritable: &dyn Fn(io::Error) -> CliError,
) -> Result<u64, CliError> {
    let mut out = BufWriter::with_capacity(1 << 20, to);
    let rows = match args.form {
        Form::Csv => {
            out.write_all(&table::csv_titles()).map_err(unwritable)?;
            let spell = |hit: &mut Hit<'_, '_>| {
                let mut line = Vec::with_capacity(LINE_BYTES);
                Ok(table::csv_line(hit, args.csv_safe, &mut line)?.then_some(line))
            };
            rows(snapshot, question, &spell, &mut |line| out.write_all(&line).map_err(unwritable))?
        }
        Form::Jsonl => {
            let spell = |hit: &mut Hit<'_, '_>| {
                let mut line = Vec::with_capacity(LINE_BYTES);
                Ok(table::json_line(hit, &mut line)?.then_some(line))
            };
            rows(snapshot, question, &spell, &mut |line| out.write_all(&line).map_err(unwritable))?
        }
        Form::Parquet => parquet(snapshot, question, &mut out)?,
    };
    out.flush().map_err(unwritable)?;
    Ok(rows)
}

#[cfg(feature = "parquet")]
fn parquet(snapshot: &Snapshot, question: &Question, out: &mut (impl Write + Send)) -> Result<u64, CliError> {
    let mut parquet = table::ParquetTable::new(out).map_err(QueryTrouble::from)?;
    let written = rows(snapshot, question, &table::row, &mut |row| {
        Ok(parquet.push(row).map_err(QueryTrouble::from)?)
    })?;
    parquet.finish().map_err(QueryTrouble::from)?;
    Ok(written)
}

#[cfg(not(feature = "parquet"))]
fn parquet(_: &Snapshot, _: &Question, _: &mut impl Write) -> Result<u64, CliError> {
    Err(QueryTrouble::NoParquet.into())
}

/// Makes the row of each record, on any thread, and hands them on in order.
fn rows<T: Send>(
    snapshot: &Snapshot,
    question: &Question,
    spell: &(dyn Fn(&mut Hit<'_, '_>) -> Result<Option<T>, EntryFault> + Sync),
    take: &mut dyn FnMut(T) -> Result<(), CliError>,
) -> Result<u64, CliError> {
    let view = |hit: &mut Hit<'_, '_>| -> Result<(u64, Option<T>), EntryFault> {
        Ok((hit.header().seq.get(), spell(hit)?))
    };
    let (_, cost) = answer(snapshot, question, &view, &mut |event| match event {
        Event::Answer((_, Some(row))) => take(row),
        Event::Answer((seq, None)) => Err(QueryTrouble::NoRow { seq }.into()),
        Event::Damaged(damage) => Err(EntryFault::Damaged(damage).into()),
        Event::Undecided(Undecided::Archived(archived)) => Err(EntryFault::Archived(archived).into()),
        Event::Undecided(Undecided::Unreadable(seq) | Undecided::Chain(seq)) => {
            Err(QueryTrouble::NoRow { seq: seq.get() }.into())
        }
        Event::Undecided(_) => {
            Err(CliError::Internal("an entry was left out for no known reason".to_owned()))
        }
    })?;
    Ok(cost.answers)
}

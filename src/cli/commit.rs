//! `proofline commit`: brings evidence in, line by line.

use std::path::PathBuf;
use std::sync::Arc;

use proofline::canon::Sha256Digest;
use proofline::ledger::disk::OsDisk;
use proofline::ledger::{KeptCheckpoint, Ledger, Options, Recovery};
use proofline::trace::Classification;

use super::blobs;
use super::clock::Clock;
use super::commit_checkpoints::{Checkpointing, CheckpointingArgs, SignedLine};
use super::error::CliError;
use super::exit::Exit;
use super::ingest::{Answer, ingest};
use super::input::{Lines, Source, ledger_folder};
use super::output::{self, Format, Out, OutputArgs, note};
use super::phrase::{counted, wrap_words};
use super::progress::Progress;
use super::safe::{safe, safe_cut};
use super::table::{Cell, Column, plain, row, titles};

/// Commits evidence, one record a line
///
/// A line is an envelope, or {"record_type","declared_hash","envelope"} around
/// one. The gate answers each line in turn; an answer is printed when all it
/// rests on is on the disk. A bad line never stops the rest. Blank lines are
/// skipped and counted.
///
/// Exits with 0 when every line was accepted, 4 when some line is no evidence
/// and was not kept, else 1 when some attempt was refused and kept. With
/// --checkpoint-key, checkpoints are signed; when that fails, all that was
/// answered is kept all the same, and the exit code is that of the failure,
/// unless it is 4 already.
///
/// Examples:
///   proofline commit ledger evidence.jsonl
///   producer | proofline commit ledger --format json
///   proofline commit ledger evidence.jsonl --checkpoint-key desk.key
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct CommitArgs {
    /// The ledger's folder
    dir: PathBuf,
    /// The evidence file; `-`, or nothing, for the standard input
    file: Option<PathBuf>,
    /// Payloads to keep beside the log first: a folder of files, or a file with one payload a line
    #[arg(long, value_name = "FILE|DIR")]
    blobs: Option<PathBuf>,
    #[command(flatten)]
    checkpoints: CheckpointingArgs,
    /// The time of the entries
    #[arg(long, value_name = "RFC3339|now", default_value = "now", value_parser = Clock::parse, hide = true)]
    clock: Clock,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Commits the lines.
pub(crate) fn run(args: &CommitArgs, out: &mut Out) -> Result<Exit, CliError> {
    let mut checkpoints = Checkpointing::of(&args.checkpoints)?;
    let mut lines = Lines::open(&Source::of(args.file.as_deref()))?;
    let ledger = Ledger::open(ledger_folder(&args.dir)?, Options::default())?;
    tell_recovery(args.output.format, &ledger.recovery());
    if let Some(from) = &args.blobs {
        blobs::store(Arc::new(OsDisk), &args.dir, from)?;
    }
    let progress = Progress::beside_results("lines committed");
    let mut shown = Answers::new(out);
    let ingested = ingest(&ledger, &mut lines, args.clock, &progress, &mut |answer| {
        shown.show(answer)?;
        let is_group_end = answer.is_none();
        let signed = is_group_end.then(|| checkpoints.on_the_way(&ledger, args.clock)).flatten();
        signed.map_or(Ok(()), |kept| shown.signed(&kept))
    });
    // However the input ended, what was answered is there to be signed.
    if let Some(kept) = checkpoints.at_the_end(&ledger) {
        shown.signed(&kept)?;
    }
    let failed = checkpoints.failure.as_ref().map_or(Exit::Ok, CliError::exit);
    if let Some(error) = &checkpoints.failure {
        out.flush()?;
        output::report(error, args.output.format);
    }
    let counts = ingested?;
    if !out.is_json() {
        out.line(counts.sentence())?;
    }
    let bad_input = Exit::when(counts.exit() == Exit::BadInput, Exit::BadInput);
    Ok(Exit::first([bad_input, failed, counts.exit()]))
}

/// Says what opening the ledger had to mend.
pub(crate) fn tell_recovery(format: Format, recovery: &Recovery) {
    if recovery.is_clean() {
        return;
    }
    let mut mended = Vec::new();
    if recovery.recovered_entries > 0 {
        mended.push(format!(
            "{} past the durable mark written again",
            counted(recovery.recovered_entries, "entry", "entries")
        ));
    }
    for torn in &recovery.torn {
        mended.push(format!("{} bytes that are no whole entry kept as {}", torn.size_bytes, torn.kept_as));
    }
    if recovery.rebuilt_indexes > 0 {
        mended.push(format!("{} made again", counted(recovery.rebuilt_indexes, "index file", "index files")));
    }
    if recovery.undone_archivings > 0 {
        let cut_off = counted(recovery.undone_archivings, "archiving", "archivings");
        mended
            .push(format!("{cut_off} cut off half-way undone: the segment is in place, and nothing is lost"));
    }
    if recovery.mark_rebuilt {
        mended.push("the published size was missing or damaged, and made again".to_owned());
    }
    if recovery.redone_erasures > 0 {
        let payloads = counted(recovery.redone_erasures, "payload", "payloads");
        mended.push(format!("{payloads} that an entry had erased, erased to the end"));
    }
    if recovery.removed_unfinished > 0 {
        let files = counted(recovery.removed_unfinished, "unfinished payload", "unfinished payloads");
        mended.push(format!("{files} removed, for something was erased here"));
    }
    note(format, "ledger.recovered", &format!("mended on opening: {}", mended.join("; ")));
}

/// Prints answers as they come.
struct Answers<'a> {
    out: &'a mut Out,
    columns: [Column; 4],
    hash_chars: usize,
    is_first: bool,
}

impl<'a> Answers<'a> {
    fn new(out: &'a mut Out) -> Self {
        let hash_chars = hash_chars(out.columns());
        let columns = answer_columns();
        Self { out, columns, hash_chars, is_first: true }
    }

    fn show(&mut self, answer: Option<&Answer>) -> Result<(), CliError> {
        let Some(answer) = answer else { return self.out.flush() };
        if self.out.is_json() {
            return self.out.json(answer);
        }
        if std::mem::take(&mut self.is_first) {
            let titles = self.out.paint().faint(&titles(&self.columns));
            self.out.line(titles)?;
        }
        show_answer(self.out, &self.columns, self.hash_chars, answer)
    }

    fn signed(&mut self, kept: &KeptCheckpoint) -> Result<(), CliError> {
        if self.out.is_json() {
            self.out.json(&SignedLine::of(kept))?;
        } else {
            self.out.line(format_args!("signed: {} entries, {}", kept.size, kept.file))?;
        }
        self.out.flush()
    }
}

/// As many digits of a hash as fit beside the rest of an answer.
pub(crate) const fn hash_chars(columns: usize) -> usize {
    const REST: usize = 7 + 2 + 7 + 2 + 22 + 2 + " there before".len();
    if columns >= REST + 64 { 64 } else { 20 }
}

/// The columns of a table of answers.
pub(crate) fn answer_columns() -> [Column; 4] {
    [
        Column::number("line", 7),
        Column::number("entry", 7),
        Column::text("answer", 22),
        Column::text("record", 64),
    ]
}

/// Why a line was refused stands below the entry's column.
const INDENT: usize = 9;

/// The digits of a hash that text shows where the whole is not needed.
const SHORT_HASH_CHARS: usize = 16;

/// The sentence with whole hashes cut short; JSON has them whole.
fn short_hashes(text: &str) -> String {
    let cut = |word: &str| {
        let is_hash = word.parse::<Sha256Digest>().is_ok();
        if is_hash { safe_cut(word, SHORT_HASH_CHARS + 1) } else { word.to_owned() }
    };
    text.split(' ').map(cut).collect::<Vec<_>>().join(" ")
}

/// One answer as text: a row, and for a refusal why.
pub(crate) fn show_answer(
    out: &mut Out,
    columns: &[Column],
    hash_chars: usize,
    answer: &Answer,
) -> Result<(), CliError> {
    let paint = out.paint();
    let hash = answer.envelope_hash.map(|hash| safe_cut(&hash.to_string(), hash_chars));
    let record = match (&hash, answer.duplicate) {
        (Some(hash), true) => format!("{hash} there before"),
        (hash, _) => hash.clone().unwrap_or_else(|| "not kept".to_owned()),
    };
    let color: &dyn Fn(&str) -> String =
        if answer.is_accepted() { &|text| paint.good(text) } else { &|text| paint.bad(text) };
    let cells: [Cell<'_>; 4] = [
        (answer.line.to_string(), &plain),
        (answer.seq.map_or_else(|| "-".to_owned(), |seq| seq.to_string()), &plain),
        (answer.classification.to_string(), color),
        (record, &plain),
    ];
    let row = row(columns, &cells);
    out.line(row)?;
    if let (Some(kind), Some(path), Some(message)) = (&answer.error_kind, &answer.path, &answer.message) {
        let place = if path.is_empty() { String::new() } else { format!(" at {}", safe_cut(path, 120)) };
        out.line(format_args!("{:INDENT$}{}{place}", "", safe(kind)))?;
        // Of two hashes that differ, the difference may lie anywhere.
        let compares = answer.classification == Classification::HashMismatch;
        let message = if compares { message.clone() } else { short_hashes(message) };
        for line in wrap_words(&safe_cut(&message, 400), out.columns().saturating_sub(INDENT)) {
            out.line(format_args!("{:INDENT$}{line}", ""))?;
        }
    }
    Ok(())
}

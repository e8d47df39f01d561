//! Why a verb ended early: a stable code, a sentence, the place, what to do next, and the exit code.

use std::io;

use proofline::canon::{CanonError, Pointer};
use proofline::ledger::{
    BlobError, CatalogueError, Damage, EntryFault, ErasureRefusal, LedgerError, PublishError, ReindexError,
    RetentionFault, SalvageError, TransferError,
};
use proofline::replay::html::HtmlError;
use proofline::replay::report::ReportError;
use proofline::replay::{
    BacktestRecordError, FormError, KeysError, MOST_PAIRS, PairsError, RecordError, ReplayError, SealError,
};
use proofline::trace::TraceId;
use serde::Serialize;

use super::bundle_error::BundleTrouble;
use super::check_bundle::CheckError;
use super::deciding_error::DecidingError;
use super::exit::Exit;
use super::otel_error::OtelTrouble;
use super::proof_error::ProofError;
use super::query_error::QueryTrouble;
use super::replay_tools::ToolTrouble;
use super::sealing_error::SealingError;
use super::signing_error::SigningError;
use super::transfer_error;

impl From<SigningError> for CliError {
    fn from(error: SigningError) -> Self {
        Self::Signing(Box::new(error))
    }
}

impl From<ReportError> for CliError {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::Replay(error) => error.into(),
            ReportError::Ledger(fault) => fault.into(),
            other => Self::Report(Box::new(other)),
        }
    }
}

impl From<ReindexError> for CliError {
    fn from(error: ReindexError) -> Self {
        match error {
            ReindexError::Ledger(error) => error.into(),
            ReindexError::Catalogue(error) => error.into(),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<SalvageError> for CliError {
    fn from(error: SalvageError) -> Self {
        match error {
            SalvageError::Ledger(error) => error.into(),
            SalvageError::Payload(error) => error.into(),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<PublishError> for CliError {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Entry(fault) => fault.into(),
            other => Self::Publish(other),
        }
    }
}

impl From<SealError> for CliError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Replay(error) => error.into(),
            SealError::Ledger(error) => error.into(),
            SealError::Record(error) => error.into(),
            SealError::Root(error) => SigningError::Checkpointing(error).into(),
            SealError::Tree(error) => SigningError::Tree(error).into(),
            other => Self::Seal(other),
        }
    }
}

/// Why a verb ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The ledger would not.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A question was not answered, or a table not written.
    #[error("{0}")]
    Query(Box<QueryTrouble>),
    /// An entry cannot be read.
    #[error("{0}")]
    Entry(#[from] EntryFault),
    /// Verdicts were not sealed, or seals not looked at.
    #[error(transparent)]
    Seal(SealError),
    /// What was given as a tool is none.
    #[error(transparent)]
    Tool(#[from] ToolTrouble),
    /// A file that was named, or the standard input, cannot be read.
    #[error("cannot read {name}: {source}")]
    Unreadable {
        /// The file, or `the standard input`.
        name: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {name}: {source}")]
    Unwritable {
        /// The file or folder.
        name: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A document is not what it has to be.
    #[error("{}", what_is_wrong(.source))]
    Content {
        /// Where it came from.
        name: String,
        /// What is wrong with it.
        source: CanonError,
    },
    /// Input without a single line of evidence: more likely a mistake than a wish.
    #[error("{name} holds no evidence: there is no line that is not blank")]
    Empty {
        /// The file, or `the standard input`.
        name: String,
    },
    /// A file that steers a comparison is not what it has to be.
    #[error("{source}")]
    Form {
        /// The file, or `the standard input`.
        name: String,
        /// What is wrong with it.
        source: FormError,
    },
    /// A file of retention rules is not what it has to be.
    #[error("{source}")]
    Rules {
        /// The file, or `the standard input`.
        name: String,
        /// What is wrong with it.
        source: RetentionFault,
    },
    /// A line of a pairs file is no pair.
    #[error("{source}")]
    Pairs {
        /// The file, or `the standard input`.
        name: String,
        /// What is wrong with it.
        source: PairsError,
    },
    /// Pairs were to be compared, and there is none.
    #[error("{name} holds no pairs: there is no line that is not blank")]
    NoPairs {
        /// The file, or `the standard input`.
        name: String,
    },
    /// A line of a keys file is none.
    #[error("{source}")]
    Keys {
        /// The file, or `the standard input`.
        name: String,
        /// What is wrong with it.
        source: KeysError,
    },
    /// Runs of the same work were to be compared, and there are no two.
    #[error(
        "no two runs to compare: {alone} traces have a key that no other has, {without} have no such key"
    )]
    NoRuns {
        /// Traces with a key of their own.
        alone: u64,
        /// Traces without a key.
        without: u64,
    },
    /// More pairs than are compared in one run.
    #[error("that would be {0} pairs, and {MOST_PAIRS} are compared at most")]
    TooManyPairs(u64),
    /// Nothing was published.
    #[error(transparent)]
    Publish(PublishError),
    /// A ledger was not exported, imported or backed up.
    #[error("{source}")]
    Transfer {
        /// Where the stream came from.
        name: Option<String>,
        /// Why.
        source: Box<TransferError>,
    },
    /// More input than was allowed.
    #[error("{name} is longer than the {max_bytes} bytes allowed")]
    TooLong {
        /// The file, or `the standard input`.
        name: String,
        /// The limit.
        max_bytes: usize,
    },
    /// A payload could not be kept.
    #[error("{source}")]
    Blob {
        /// Where the payload came from.
        name: String,
        /// What went wrong.
        source: BlobError,
    },
    /// The payloads of a ledger cannot be looked through.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// The catalogue could not be made.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// A replay did not come to its end.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The report of a back-test is not in the ledger.
    #[error(transparent)]
    BacktestRecord(#[from] BacktestRecordError),
    /// A report was not written, read or merged.
    #[error(transparent)]
    Report(Box<ReportError>),
    /// A page is not whole.
    #[error(transparent)]
    Html(#[from] HtmlError),
    /// A verdict is not in the ledger.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Keys, notes and signatures.
    #[error(transparent)]
    Signing(Box<SigningError>),
    /// Sealed payloads and the keys of subjects.
    #[error(transparent)]
    Sealing(Box<SealingError>),
    /// There is no proof, or it is not believed.
    #[error(transparent)]
    Proof(Box<ProofError>),
    /// The gate refuses an erasure, a hold or a release.
    #[error("{0}")]
    Erasure(ErasureRefusal),
    /// A policy was not asked, or its answer not recorded.
    #[error(transparent)]
    Deciding(Box<DecidingError>),
    /// Telemetry was not imported.
    #[error(transparent)]
    Otel(Box<OtelTrouble>),
    /// There is no bundle, or it does not hold.
    #[error(transparent)]
    Bundle(Box<BundleTrouble>),
    /// A check has no rules, or could not show what it found.
    #[error(transparent)]
    Check(Box<CheckError>),
    /// No entry has that hash.
    #[error("no entry of the ledger has the hash {0}")]
    NoSuchHash(String),
    /// No entry belongs to that trace.
    #[error("no entry of the ledger belongs to a trace {0}")]
    NoSuchTrace(String),
    /// The beginning of an id that more than one trace has.
    #[error("several traces begin with {begin}: {first}, {second} and perhaps others")]
    AmbiguousTrace {
        /// What was asked for.
        begin: String,
        /// The first one.
        first: TraceId,
        /// The next one.
        second: TraceId,
    },
    /// Arguments that do not go together.
    #[error("{0}")]
    Usage(&'static str),
    /// The standard output cannot be written.
    #[error("cannot write the output: {0}")]
    Output(io::Error),
    /// The system gave no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
    /// What must not happen.
    #[error("{0}")]
    Internal(String),
}

/// An error as `--format json` shows it.
#[derive(Serialize)]
pub(crate) struct ErrorLine<'a> {
    error: ErrorShape<'a>,
}

#[derive(Serialize)]
struct ErrorShape<'a> {
    code: &'a str,
    message: &'a str,
    place: Option<&'a str>,
    hint: Option<&'a str>,
}

impl<'a> ErrorLine<'a> {
    pub(crate) const fn new(
        code: &'a str,
        message: &'a str,
        place: Option<&'a str>,
        hint: Option<&'a str>,
    ) -> Self {
        Self { error: ErrorShape { code, message, place, hint } }
    }
}

impl CliError {
    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Ledger(error) => error.code(),
            Self::Entry(EntryFault::Damaged(damage)) => damage.code,
            Self::Entry(EntryFault::Archived(_)) => "entry.archived",
            Self::Entry(_) => "ledger.io",
            Self::Unreadable { .. } => "input.unreadable",
            Self::Unwritable { .. } => "output.unwritable",
            Self::Content { source, .. } => source.code(),
            Self::Empty { .. } => "input.empty",
            Self::Form { source, .. } => source.code(),
            Self::Rules { source, .. } => source.code(),
            Self::Pairs { source, .. } => source.code(),
            Self::NoPairs { .. } => "input.no_pairs",
            Self::Keys { source, .. } => source.code(),
            Self::NoRuns { .. } => "drift.no_runs",
            Self::TooManyPairs(_) => "drift.too_many_pairs",
            Self::Publish(error) => error.code(),
            Self::Transfer { source, .. } => source.code(),
            Self::TooLong { .. } => "input.too_long",
            Self::Blob { source, .. } | Self::Blobs(source) => source.code(),
            Self::Catalogue(error) => error.code(),
            Self::Replay(error) => error.code(),
            Self::BacktestRecord(error) => error.code(),
            Self::Report(error) => error.code(),
            Self::Html(error) => error.code(),
            Self::Record(error) => error.code(),
            Self::Signing(error) => error.code(),
            Self::Sealing(error) => error.code(),
            Self::Proof(error) => error.code(),
            Self::Erasure(refusal) => refusal.code(),
            Self::Deciding(error) => error.code(),
            Self::Otel(trouble) => trouble.code(),
            Self::Bundle(trouble) => trouble.code(),
            Self::Tool(trouble) => trouble.code(),
            Self::Seal(error) => error.code(),
            Self::Check(error) => error.code(),
            Self::Query(trouble) => trouble.code(),
            Self::NoSuchHash(_) => "ledger.no_such_hash",
            Self::NoSuchTrace(_) => "ledger.no_such_trace",
            Self::AmbiguousTrace { .. } => "cli.ambiguous_trace",
            Self::Usage(_) => "cli.usage",
            Self::Output(_) => "output.unwritable",
            Self::Random(_) => "cli.no_random_bytes",
            Self::Internal(_) => "cli.internal",
        }
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Ledger(error)
            | Self::Record(RecordError::Ledger(error))
            | Self::BacktestRecord(BacktestRecordError::Ledger(error)) => exit_of_ledger(error),
            Self::Catalogue(CatalogueError::Ledger(error)) => exit_of_ledger(error),
            Self::Catalogue(CatalogueError::Log(_))
            | Self::Entry(EntryFault::Damaged(_))
            | Self::Replay(ReplayError::Lookup(EntryFault::Damaged(_))) => Exit::DamagedLedger,
            Self::Entry(EntryFault::Archived(_)) | Self::Replay(ReplayError::Archived(_)) => Exit::BadInput,
            Self::Blob {
                source: BlobError::TooLarge { .. } | BlobError::Source(_) | BlobError::Erased { .. },
                ..
            } => Exit::BadInput,
            Self::Entry(_) | Self::Replay(_) | Self::Html(_) | Self::Blob { .. } | Self::Blobs(_) => {
                Exit::SystemRefused
            }
            Self::Catalogue(_) | Self::Unwritable { .. } | Self::Output(_) | Self::Random(_) => {
                Exit::SystemRefused
            }
            Self::Unreadable { .. } | Self::Content { .. } | Self::TooLong { .. } => Exit::BadInput,
            Self::Form { .. } | Self::Rules { .. } => Exit::BadInput,
            Self::Pairs { .. } | Self::NoPairs { .. } | Self::Keys { .. } => Exit::BadInput,
            Self::NoRuns { .. } | Self::TooManyPairs(_) => Exit::BadInput,
            Self::Publish(error) => exit_of_publication(error),
            Self::Transfer { source, .. } => transfer_error::exit_of(source),
            Self::Empty { .. } | Self::NoSuchHash(_) | Self::NoSuchTrace(_) | Self::AmbiguousTrace { .. } => {
                Exit::BadInput
            }
            Self::Erasure(_) => Exit::BadInput,
            Self::Report(error) => match **error {
                ReportError::Io { .. } | ReportError::Output(_) | ReportError::InUse(_) => {
                    Exit::SystemRefused
                }
                ReportError::Value(_) => Exit::Internal,
                _ => Exit::BadInput,
            },
            Self::Signing(error) => error.exit(),
            Self::Sealing(error) => error.exit(),
            Self::Usage(_) => Exit::Usage,
            Self::Proof(error) => error.exit(),
            Self::Deciding(error) => error.exit(),
            Self::Otel(trouble) => trouble.exit(),
            Self::Bundle(trouble) => trouble.exit(),
            Self::Check(error) => error.exit(),
            Self::Tool(trouble) => trouble.exit(),
            Self::Query(trouble) => trouble.exit(),
            Self::Seal(SealError::Sign(_)) => Exit::Unauthentic,
            Self::Seal(_) => Exit::BadInput,
            Self::BacktestRecord(BacktestRecordError::Refused(_)) => Exit::BadInput,
            Self::Record(_) | Self::BacktestRecord(_) | Self::Internal(_) => Exit::Internal,
        }
    }

    /// Where it happened.
    pub(crate) fn place(&self) -> Option<String> {
        match self {
            Self::Ledger(LedgerError::Damaged(damage)) | Self::Entry(EntryFault::Damaged(damage)) => {
                Some(place_of(damage))
            }
            Self::Ledger(LedgerError::NotALedger(path) | LedgerError::NotEmpty(path)) => {
                Some(path.to_string_lossy().into_owned())
            }
            Self::Ledger(LedgerError::NewerFormat { dir: path, .. } | LedgerError::Io { path, .. }) => {
                Some(path.to_string_lossy().into_owned())
            }
            Self::Publish(PublishError::Io { path, .. } | PublishError::IntoLedger(path)) => {
                Some(path.to_string_lossy().into_owned())
            }
            Self::Publish(PublishError::Differs { path } | PublishError::Hashes { path }) => {
                Some(path.to_string())
            }
            Self::Transfer { name, source } => transfer_error::place_of(source, name.as_deref()),
            Self::Unreadable { name, .. }
            | Self::Unwritable { name, .. }
            | Self::Empty { name }
            | Self::NoPairs { name }
            | Self::TooLong { name, .. }
            | Self::Blob { name, .. } => Some(name.clone()),
            Self::Content { name, source } => Some(match source {
                CanonError::Parse(error) => format!("{name}, byte {}", error.offset),
                CanonError::NotCanonical { offset } => format!("{name}, byte {offset}"),
                CanonError::Write(error) => format!("{name}, at \"{}\"", error.pointer),
                _ => name.clone(),
            }),
            Self::Report(error) => error.place().map(|(file, line)| {
                let line = line.map(|line| format!(", line {line}")).unwrap_or_default();
                format!("{}{line}", file.to_string_lossy())
            }),
            Self::Signing(error) => error.place(),
            Self::Sealing(error) => error.place(),
            Self::Rules { name, source } => Some(format!("{name}{}", pointed(Some(&source.pointer)))),
            Self::Form { name, source } => Some(format!("{name}{}", pointed(source.pointer()))),
            Self::Pairs { name, source } => {
                Some(format!("{name}, line {}{}", source.line, pointed(source.pointer())))
            }
            Self::Keys { name, source } => {
                Some(format!("{name}, line {}{}", source.line, pointed(source.pointer())))
            }
            Self::Proof(error) => error.place(),
            Self::Deciding(error) => error.place(),
            Self::Otel(trouble) => trouble.place(),
            Self::Bundle(trouble) => trouble.place(),
            Self::Check(error) => error.place(),
            Self::Query(trouble) => trouble.place(),
            _ => None,
        }
    }

    /// What was given with the place marked, in lines that are safe to print.
    pub(crate) fn drawn(&self) -> Option<[String; 2]> {
        match self {
            Self::Query(trouble) => trouble.drawn(),
            _ => None,
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Ledger(error) => Some(error.hint()),
            Self::Entry(EntryFault::Damaged(_)) => Some(
                "run `proofline verify` to see all damage, then restore a copy or use `proofline salvage`",
            ),
            Self::Entry(EntryFault::Archived(_)) => Some(
                "name the archive with `--archive`, or bring the segment back with `proofline archive restore`",
            ),
            Self::Unreadable { .. } => {
                Some("name a file that this user can read, or `-` for the standard input")
            }
            Self::Unwritable { .. } => Some("name a place where this user can write"),
            Self::Content { source, .. } => Some(source.hint()),
            Self::Empty { .. } => Some("give a file of envelopes, one JSON record a line"),
            Self::Form { .. } => {
                Some(r#"write it like {"allow_variance":{"model_call":["response","usage"]}}"#)
            }
            Self::Rules { source, .. } => Some(source.hint()),
            Self::Pairs { .. } | Self::NoPairs { .. } => {
                Some(r#"give pairs of trace ids, one {"baseline":"...","candidate":"..."} a line"#)
            }
            Self::Keys { .. } => Some(r#"give keys of traces, one {"trace":"...","key":"..."} a line"#),
            Self::NoRuns { .. } => {
                Some("take another key, or say which traces are runs of the same work with --pairs or --keys")
            }
            Self::TooManyPairs(_) => {
                Some("leave out --each-with-each, or take a key that fewer traces share")
            }
            Self::Publish(error) => Some(error.hint()),
            Self::Transfer { source, .. } => Some(source.hint()),
            Self::TooLong { .. } => Some("give less; where the verb has --max-bytes, that raises the limit"),
            Self::Signing(error) => error.hint(),
            Self::Erasure(refusal) => Some(refusal.hint()),
            Self::Sealing(error) => error.hint(),
            Self::NoSuchHash(_) => Some("`proofline traces` and `proofline trace` list what there is"),
            Self::NoSuchTrace(_) => Some("`proofline traces` lists what there is"),
            Self::AmbiguousTrace { .. } => Some("give more digits of the id"),
            Self::Usage(_) => Some("see `proofline help`"),
            Self::Output(_) => Some("free space where the output goes, or send it elsewhere"),
            Self::Internal(_) => Some("please report this, with what led to it"),
            Self::Blob { source, .. } | Self::Blobs(source) => Some(source.hint()),
            Self::Catalogue(error) => Some(error.hint()),
            Self::Replay(error) => Some(error.hint()),
            Self::BacktestRecord(error) => Some(error.hint()),
            Self::Report(error) => Some(error.hint()),
            Self::Html(error) => Some(error.hint()),
            Self::Record(error) => Some(error.hint()),
            Self::Proof(error) => error.hint(),
            Self::Deciding(error) => error.hint(),
            Self::Otel(trouble) => trouble.hint(),
            Self::Bundle(trouble) => trouble.hint(),
            Self::Tool(trouble) => Some(trouble.hint()),
            Self::Seal(_) => Some("sign with a producer key; its role is part of it"),
            Self::Check(error) => Some(error.hint()),
            Self::Query(trouble) => Some(trouble.hint()),
            Self::Entry(_) | Self::Random(_) => None,
        }
    }

    /// True when whoever read the output has closed it: there is nobody left to tell.
    pub(crate) fn is_closed_output(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// A place in a document, behind its name.
fn pointed(pointer: Option<&Pointer>) -> String {
    pointer
        .filter(|pointer| !pointer.is_root())
        .map(|pointer| format!(", at \"{pointer}\""))
        .unwrap_or_default()
}

/// The fault of a document alone; its place and what to do are told beside it.
fn what_is_wrong(error: &CanonError) -> String {
    match error {
        CanonError::Parse(error) => format!("not one strict JSON value: {}", error.kind),
        CanonError::NotCanonical { .. } => "the bytes are not canonical".to_owned(),
        other => other.to_string(),
    }
}

pub(crate) fn exit_of_ledger(error: &LedgerError) -> Exit {
    match error {
        LedgerError::NotALedger(_)
        | LedgerError::NotEmpty(_)
        | LedgerError::NewerFormat { .. }
        | LedgerError::Archived(_)
        | LedgerError::Archive(_)
        | LedgerError::NoSuchEntry { .. } => Exit::BadInput,
        LedgerError::Damaged(_) => Exit::DamagedLedger,
        LedgerError::Option { .. } => Exit::Usage,
        _ => Exit::SystemRefused,
    }
}

fn exit_of_publication(error: &PublishError) -> Exit {
    match error {
        PublishError::Root { .. } | PublishError::Fork { .. } | PublishError::Ahead { .. } => {
            Exit::Incomplete
        }
        PublishError::Unverified(_) => Exit::Unauthentic,
        PublishError::Header { .. } => Exit::DamagedLedger,
        PublishError::Hashes { .. } => Exit::DerivedDamaged,
        PublishError::Io { .. } => Exit::SystemRefused,
        PublishError::Tile(_) => Exit::Internal,
        _ => Exit::BadInput,
    }
}

/// The file, offset and entry of a damage, as one phrase.
pub(crate) fn place_of(damage: &Damage) -> String {
    let offset = damage.offset.map(|offset| format!(" at byte {offset}")).unwrap_or_default();
    let entry = damage.seq.map(|seq| format!(", entry {seq}")).unwrap_or_default();
    format!("{}{offset}{entry}", damage.file)
}

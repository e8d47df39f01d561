//! `proofline prove`: writes a proof that an entry is in the log, or that the log only grew.

use std::fs::OpenOptions;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use proofline::canon::base64;
use proofline::ledger::Snapshot;
use proofline::proof::files::Dialect;
use proofline::proof::{SecretKey, Signer};
use serde::Serialize;

use super::clock::Clock;
use super::entry_view::warn_of_damage;
use super::error::CliError;
use super::exit::Exit;
use super::input::ledger_folder;
use super::key_file::read_secret;
use super::output::{self, Format, Out};
use super::phrase::wrap_words;
use super::proof_error::ProofError;
use super::proof_view::{ProofLine, sentence, show};
use super::proving::{At, Proven, Prover};
use super::safe::{safe, safe_json, safe_path};
use super::show::Wanted;

/// Writes a proof that a record is in the log, for somebody without the ledger
///
/// The proof has three forms. `tlog-proof` is text: it holds a checkpoint, which
/// the log signed and witnesses may have cosigned. `cose` is a COSE receipt and
/// `dsse` an in-toto statement; each is signed now, with a key of its own (--key).
/// The entry's header travels with the proof, so that it and the record are all
/// that somebody needs; `proofline verify-proof` checks it without a ledger.
///
/// With --consistency OLD the proof says that the log still begins with what OLD
/// covers; as text it is the request that a witness takes.
///
/// Every proof is verified before it is written. It goes to the standard output,
/// or to the file that --out names, and then a report goes to the standard
/// output. With --format json the report holds the proof in base64.
///
/// Examples:
///   proofline prove ledger 17 --out 17.tlog-proof
///   proofline prove ledger 17 --format cose --key cose.key --out 17.cose
///   proofline prove ledger --consistency old.checkpoint
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ProveArgs {
    /// The ledger's folder
    dir: PathBuf,
    /// An envelope hash, 64 lower-case hex digits, or a sequence number
    #[arg(value_name = "HASH|SEQ", value_parser = Wanted::parse, required_unless_present = "consistency")]
    what: Option<Wanted>,
    /// Prove that the log grew from this checkpoint file, or from this size
    #[arg(long, value_name = "CHECKPOINT|SIZE", value_parser = At::parse, conflicts_with = "what")]
    consistency: Option<At>,
    /// Prove it in the tree of this checkpoint file or of this size [default: the latest checkpoint kept;
    /// for cose and dsse all entries, where that covers too few]
    #[arg(long, value_name = "CHECKPOINT|SIZE", value_parser = At::parse)]
    at: Option<At>,
    /// The secret key, in a file, that signs a receipt (role cose) or a statement (role dsse)
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Write the proof into this file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The form of the proof, and text or json for the report; give it twice to choose both
    #[arg(long = "format", value_enum, value_name = "FORMAT")]
    #[arg(default_values_t = [ProveFormat::TlogProof, ProveFormat::Text])]
    formats: Vec<ProveFormat>,
    /// The time that a receipt states
    #[arg(long, value_name = "RFC3339|now", default_value = "now", value_parser = Clock::parse, hide = true)]
    clock: Clock,
}

/// The forms of a proof, and those of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ProveFormat {
    /// C2SP tlog-proof, or the request to a witness: signed by the log
    TlogProof,
    /// A COSE receipt (RFC 9942), signed with --key
    Cose,
    /// An in-toto statement in DSSE, signed with --key
    Dsse,
    /// The report for people
    Text,
    /// The report for programs
    Json,
}

impl ProveFormat {
    const fn dialect(self) -> Option<Dialect> {
        match self {
            Self::TlogProof => Some(Dialect::Tlog),
            Self::Cose => Some(Dialect::Cose),
            Self::Dsse => Some(Dialect::Dsse),
            Self::Text | Self::Json => None,
        }
    }
}

impl ProveArgs {
    /// The form of the report, and of errors.
    pub(crate) fn report_format(&self) -> Format {
        if self.formats.contains(&ProveFormat::Json) { Format::Json } else { Format::Text }
    }

    fn dialect(&self) -> Result<Dialect, CliError> {
        let mut forms = self.formats.iter().filter_map(|format| format.dialect());
        let form = forms.next().unwrap_or(Dialect::Tlog);
        let both = self.formats.contains(&ProveFormat::Text) && self.formats.contains(&ProveFormat::Json);
        if forms.next().is_some() || both {
            return Err(CliError::Usage("--format names two forms of the proof, or both text and json"));
        }
        Ok(form)
    }

    fn key(&self, dialect: Dialect) -> Result<Option<SecretKey>, CliError> {
        match (dialect, &self.key) {
            (Dialect::Tlog, None) => Ok(None),
            (Dialect::Tlog, Some(_)) => Err(CliError::Usage(
                "a tlog-proof is signed by its checkpoint; --key goes with --format cose or dsse",
            )),
            (_, None) => {
                Err(CliError::Usage("a receipt or statement is signed: give its secret key with --key"))
            }
            (_, Some(path)) => read_secret(path).map(Some),
        }
    }
}

/// A proof as JSON shows it, in the report or beside an answer.
#[derive(Serialize)]
pub(crate) struct ProveLine {
    #[serde(flatten)]
    proof: ProofLine,
    file: Option<String>,
    proof_bytes: usize,
    proof_base64: Option<String>,
}

impl ProveLine {
    /// A proof of inclusion, itself in base64.
    pub(crate) fn inline(proven: &Proven) -> Self {
        Self {
            proof: ProofLine::of(&proven.verified, proven.is_inclusion()),
            file: None,
            proof_bytes: proven.bytes.len(),
            proof_base64: Some(base64(&proven.bytes)),
        }
    }

    /// How many entries the tree has that it is about.
    pub(crate) const fn size(&self) -> u64 {
        self.proof.size()
    }
}

/// Makes the proof, checks it, and writes it.
pub(crate) fn run(args: &ProveArgs, out: &mut Out) -> Result<Exit, CliError> {
    let dialect = args.dialect()?;
    let to_terminal = args.out.is_none() && !out.is_json() && output::is_terminal();
    if to_terminal && dialect == Dialect::Cose {
        return Err(BINARY);
    }
    let key = args.key(dialect)?;
    let snapshot = Snapshot::open(ledger_folder(&args.dir)?)?;
    let prover = Prover::new(&snapshot, dialect, key.as_ref(), args.clock)?;
    tell_of_unlisted(args, &prover, key.as_ref());
    let proven = match (&args.consistency, args.what) {
        (Some(old), _) => prover.consistency(old, args.at.as_ref())?,
        (None, Some(what)) => prover.inclusion(what, args.at.as_ref())?,
        (None, None) => return Err(CliError::Usage("give the entry, or --consistency")),
    };
    match &args.out {
        Some(path) => write_file(path, &proven.bytes, dialect)?,
        None if to_terminal => out.line(shown(&proven.bytes, dialect))?,
        None if !out.is_json() => out.bytes(&proven.bytes)?,
        None => {}
    }
    report(args, out, &proven)?;
    Ok(warn_of_damage(args.report_format(), &snapshot))
}

const BINARY: CliError =
    CliError::Usage("a receipt is binary, and this is a terminal: name a file with --out");

/// A signature of a key that the ledger does not list binds no less; whoever checks it has to know the key.
fn tell_of_unlisted(args: &ProveArgs, prover: &Prover<'_>, key: Option<&SecretKey>) {
    if let Some(key) = key.filter(|key| !prover.is_listed(key.verifier())) {
        let name = key.verifier().short_name();
        let message =
            format!("the ledger does not list {name}; whoever checks the proof has to know it otherwise");
        output::note(args.report_format(), "prove.unlisted_key", &message);
    }
}

/// The text of a proof as a terminal can bear it: a checkpoint may have lines of anybody.
fn shown(bytes: &[u8], dialect: Dialect) -> String {
    let text = String::from_utf8_lossy(bytes);
    if dialect == Dialect::Dsse {
        return safe_json(text.into_owned());
    }
    text.lines().map(safe).collect::<Vec<_>>().join("\n")
}

fn write_file(path: &Path, bytes: &[u8], dialect: Dialect) -> Result<(), CliError> {
    let unwritable = |source| CliError::Unwritable { name: safe_path(path), source };
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).open(path).map_err(unwritable)?;
    if dialect == Dialect::Cose && file.is_terminal() {
        return Err(BINARY);
    }
    file.write_all(bytes).map_err(unwritable)
}

/// With the proof itself on the standard output, text has nothing to add.
fn report(args: &ProveArgs, out: &mut Out, proven: &Proven) -> Result<(), CliError> {
    let has_envelope = proven.is_inclusion();
    let file = args.out.as_deref().map(safe_path);
    if out.is_json() {
        return out.json(&ProveLine {
            proof: ProofLine::of(&proven.verified, has_envelope),
            proof_bytes: proven.bytes.len(),
            proof_base64: file.is_none().then(|| base64(&proven.bytes)),
            file,
        });
    }
    let Some(file) = file else { return Ok(()) };
    let said = format!("wrote {file}: {}", sentence(&proven.verified));
    for line in wrap_words(&said, out.columns()) {
        out.line(line)?;
    }
    show(out, &proven.verified, has_envelope)
}

impl From<ProofError> for CliError {
    fn from(error: ProofError) -> Self {
        Self::Proof(Box::new(error))
    }
}

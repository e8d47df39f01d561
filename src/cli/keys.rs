//! `proofline keys`: which keys a ledger lists; adds one, retires one.

use std::path::PathBuf;

use proofline::ledger::{Action, Ledger, Options, Outcome, Snapshot};
use proofline::proof::{KeyList, KeyListError, ListedKey, SecretKey, Signer, VerifierKey};
use proofline::trace::{EnvelopeHash, KeyRecord};
use serde::Serialize;

use super::clock::Clock;
use super::commit::tell_recovery;
use super::entry_view::warn_of_damage;
use super::error::CliError;
use super::exit::Exit;
use super::input::ledger_folder;
use super::key_file::{public_key, read_secret};
use super::output::{Format, Out, OutputArgs};
use super::safe::safe;
use super::signing_error::SigningError;
use super::table::{Cell, Column, plain, row, titles};

/// Lists the keys of a ledger; `add` and `retire` change the list
///
/// A key counts for what comes behind the entry that adds it, until the one that
/// retires it: a checkpoint is good under the log keys that were current at its
/// size. A log key that no other vouches for is a root: whoever relies on it has
/// to know it from elsewhere.
///
/// Example:
///   proofline keys ledger
#[derive(clap::Args)]
#[command(verbatim_doc_comment, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    change: Option<Change>,
    /// The ledger's folder
    #[arg(required = true)]
    dir: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(clap::Subcommand)]
enum Change {
    Add(AddArgs),
    Retire(RetireArgs),
}

/// Adds a key to the list
///
/// The key signs its own addition, so its secret part must be at hand. A log key
/// is named as the ledger's origin; the first needs nobody to vouch for it. Keys
/// of the roles cose, dsse and producer need a log key that does. Witnesses do
/// not belong here, but into a policy file.
///
/// Examples:
///   proofline keys add ledger --key desk.key
///   proofline keys add ledger --key gateway.key --by desk.key
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct AddArgs {
    /// The ledger's folder
    dir: PathBuf,
    /// The file of the secret key to be added
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The file of a current log key that vouches for it
    #[arg(long, value_name = "FILE")]
    by: Option<PathBuf>,
    /// The time of the entry
    #[arg(long, value_name = "RFC3339|now", default_value = "now", value_parser = Clock::parse, hide = true)]
    clock: Clock,
    #[command(flatten)]
    output: OutputArgs,
}

/// Retires a key, for good
///
/// What it signed while it was current stays good. A log key can retire itself;
/// add its successor first.
///
/// Example:
///   proofline keys retire ledger evidence.example/refund-desk+1f6e0c52 --by new.key
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct RetireArgs {
    /// The ledger's folder
    dir: PathBuf,
    /// The key: name+id as `proofline keys` shows it, the whole public key, or its file
    #[arg(value_name = "KEY")]
    what: PathBuf,
    /// The file of a current log key that says so
    #[arg(long, value_name = "FILE")]
    by: PathBuf,
    /// The time of the entry
    #[arg(long, value_name = "RFC3339|now", default_value = "now", value_parser = Clock::parse, hide = true)]
    clock: Clock,
    #[command(flatten)]
    output: OutputArgs,
}

/// A key of the list as JSON shows it.
#[derive(Serialize)]
struct KeyLine {
    role: &'static str,
    name: String,
    id: String,
    key: String,
    added_seq: u64,
    vouched_by: Option<String>,
    retired_seq: Option<u64>,
    retired_by: Option<String>,
    is_current: bool,
}

/// A change of the list as JSON shows it.
#[derive(Serialize)]
struct ChangeLine {
    event: &'static str,
    role: &'static str,
    key: String,
    by: Option<String>,
    seq: u64,
    envelope_hash: EnvelopeHash,
    duplicate: bool,
}

impl KeysArgs {
    pub(crate) const fn format(&self) -> Format {
        match &self.change {
            None => self.output.format,
            Some(Change::Add(args)) => args.output.format,
            Some(Change::Retire(args)) => args.output.format,
        }
    }
}

/// Lists or changes.
pub(crate) fn run(args: &KeysArgs, out: &mut Out) -> Result<Exit, CliError> {
    match (&args.change, &args.dir) {
        (Some(Change::Add(args)), _) => add(args, out),
        (Some(Change::Retire(args)), _) => retire(args, out),
        (None, Some(dir)) => {
            let snapshot = Snapshot::open(ledger_folder(dir)?)?;
            list(out, &snapshot.key_list()?, snapshot.entries())?;
            Ok(warn_of_damage(args.output.format, &snapshot))
        }
        (None, None) => Err(CliError::Usage("name the ledger's folder")),
    }
}

impl KeyLine {
    fn of(listed: &ListedKey, entries: u64) -> Self {
        Self {
            role: listed.key.role().as_str(),
            name: listed.key.name().to_string(),
            id: listed.key.id().to_string(),
            key: listed.key.to_string(),
            added_seq: listed.added.get(),
            vouched_by: listed.endorsed_by.clone(),
            retired_seq: listed.retired.as_ref().map(|(seq, _)| seq.get()),
            retired_by: listed.retired.as_ref().map(|(_, by)| by.clone()),
            is_current: listed.is_current_at(entries),
        }
    }
}

fn list(out: &mut Out, keys: &KeyList, entries: u64) -> Result<(), CliError> {
    let lines = keys.all().iter().map(|listed| KeyLine::of(listed, entries));
    if out.is_json() {
        return lines.into_iter().try_for_each(|line| out.json(&line));
    }
    if keys.all().is_empty() {
        return out.line("The ledger lists no keys; `proofline keys add` adds one.");
    }
    let rest = out.columns().saturating_sub(8 + 7 + 7 + 3 * 2).max(20);
    let columns = [
        Column::text("role", 8),
        Column::number("since", 7),
        Column::number("retired", 7),
        Column::text("key", rest),
    ];
    let paint = out.paint();
    out.line(paint.faint(&titles(&columns)))?;
    for line in lines {
        let (faint, strong) = (|text: &str| paint.faint(text), |text: &str| paint.strong(text));
        let style: &dyn Fn(&str) -> String = if line.is_current { &strong } else { &faint };
        let cells: [Cell<'_>; 4] = [
            (line.role.to_owned(), &plain),
            (line.added_seq.to_string(), &plain),
            (line.retired_seq.map_or_else(|| "-".to_owned(), |seq| seq.to_string()), &plain),
            (safe(&format!("{}+{}", line.name, line.id)).into_owned(), style),
        ];
        out.line(row(&columns, &cells))?;
        let vouched = match &line.vouched_by {
            Some(by) => format!("vouched for by {by}"),
            None => "a root: nobody here vouches for it".to_owned(),
        };
        let retired = line.retired_by.map(|by| format!(", retired by {by}")).unwrap_or_default();
        out.line(format_args!("{:10}{}", "", paint.faint(&safe(&(vouched + &retired)))))?;
    }
    Ok(())
}

fn add(args: &AddArgs, out: &mut Out) -> Result<Exit, CliError> {
    let key = read_secret(&args.key)?;
    let by = args.by.as_deref().map(read_secret).transpose()?;
    let ledger = open(&args.dir, args.output.format)?;
    let list = ledger.snapshot()?.key_list()?;
    let record = list.addition(&key, by.as_ref().map(|by| by as &dyn Signer))?;
    append(&ledger, &record, key.verifier(), by.as_ref(), args.clock, out)
}

fn retire(args: &RetireArgs, out: &mut Out) -> Result<Exit, CliError> {
    let by = read_secret(&args.by)?;
    let ledger = open(&args.dir, args.output.format)?;
    let list = ledger.snapshot()?.key_list()?;
    let named = args.what.to_str().unwrap_or_default();
    let listed = list.all().iter().find(|listed| listed.key.short_name() == named);
    let key = match listed {
        Some(listed) => listed.key.clone(),
        None if named.matches('+').count() == 1 && !args.what.exists() => {
            let source = KeyListError::NotCurrent(named.to_owned()).into();
            return Err(SigningError::Refused { name: safe(named).into_owned(), source }.into());
        }
        None => public_key(&args.what)?,
    };
    let record = list.retirement(&key, &by)?;
    append(&ledger, &record, &key, Some(&by), args.clock, out)
}

fn open(dir: &std::path::Path, format: Format) -> Result<Ledger, CliError> {
    let ledger = Ledger::open(ledger_folder(dir)?, Options::default())?;
    tell_recovery(format, &ledger.recovery());
    Ok(ledger)
}

fn append(
    ledger: &Ledger,
    record: &KeyRecord,
    key: &VerifierKey,
    by: Option<&SecretKey>,
    clock: Clock,
    out: &mut Out,
) -> Result<Exit, CliError> {
    let name = key.short_name();
    let outcome = ledger.commit_action(&Action::System(&record.canonical()), clock.now_ms())?;
    let (envelope_hash, seq, duplicate) = match outcome {
        Outcome::Accepted { envelope_hash, seq, duplicate } => (envelope_hash, seq.get(), duplicate),
        Outcome::ArtifactRefused(source) => {
            return Err(SigningError::Refused { name: safe(&name).into_owned(), source }.into());
        }
        Outcome::Refused { rejection, .. } => {
            let message = format!("a key record was answered as evidence: {}", rejection.message);
            return Err(CliError::Internal(message));
        }
    };
    let by = by.map(|by| by.verifier().short_name());
    let event = record.event().as_str();
    if out.is_json() {
        let role = key.role().as_str();
        out.json(&ChangeLine { event, role, key: name, by, seq, envelope_hash, duplicate })?;
        return Ok(Exit::Ok);
    }
    let before = if duplicate { ", as it was before: nothing was appended" } else { "" };
    out.line(format_args!("{event} the {} key {} in entry {seq}{before}", key.role(), safe(&name)))?;
    match by {
        Some(by) => out.line(format_args!("  {} says so", safe(&by)))?,
        None => out.line("  a root: nobody here vouches for it, so make it known elsewhere")?,
    }
    Ok(Exit::Ok)
}

//! `proofline publish`: writes a ledger out as a tiled log, for any web server and for anyone to check.

use std::path::PathBuf;

use proofline::ledger::{
    CHECKPOINT_FILE, PublishOrder, PublishReport, Snapshot, checkpoint_path, policy_at, publish,
};
use proofline::proof::{
    Checkpoint, KeyList, KeyRole, MAX_NOTE_BYTES, Note, Policy, VerifiedCheckpoint, VerifierKey,
};
use serde::Serialize;

use super::error::CliError;
use super::exit::Exit;
use super::input::{Source, ledger_folder};
use super::keys_given::{no_policy, policy_file, public_keys};
use super::output::{Out, OutputArgs};
use super::phrase::counted;
use super::progress::Progress;
use super::safe::{safe, safe_path};
use super::signing_error::SigningError;

/// Writes a ledger out as static files that anyone can serve and check
///
/// OUT becomes a tiled log (C2SP tlog-tiles): a signed checkpoint, the tiles of
/// the tree, and the headers of the entries it covers. What the entries say
/// stays in the ledger. Files that are there are kept as they are, the checkpoint
/// is replaced last, and a run that was cut off is simply done again.
///
/// Without --checkpoint it is the latest one that the ledger keeps. Without
/// --policy and --key it must be signed by a log key that the ledger lists.
///
/// Examples:
///   proofline publish ledger /srv/www/log
///   proofline publish ledger public --checkpoint signed.txt --policy policy.txt
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct PublishArgs {
    /// The ledger's folder
    dir: PathBuf,
    /// The folder to serve; it is made if it is not there
    out: PathBuf,
    /// The signed checkpoint to publish, `-` for the standard input
    /// [default: the latest that the ledger keeps]
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Whom to believe: a file of keys and a quorum (C2SP tlog-policy)
    #[arg(long, value_name = "FILE", conflicts_with = "keys")]
    policy: Option<PathBuf>,
    /// A public key of the log, as text or a file; may be given several times
    /// [default: those that the ledger lists]
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<PathBuf>,
    /// Compares every file that is there with the ledger, byte by byte
    #[arg(long)]
    check: bool,
    /// Deletes partial tiles for which the full tile is published
    #[arg(long)]
    prune_partials: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Serialize)]
struct PublishLine {
    origin: String,
    size: u64,
    root: String,
    previous_size: Option<u64>,
    checkpoint_replaced: bool,
    tiles_written: u64,
    tiles_present: u64,
    bundles_written: u64,
    bundles_present: u64,
    bytes_written: u64,
    pruned_partials: u64,
    checked: bool,
}

/// Publishes and reports.
pub(crate) fn run(args: &PublishArgs, out: &mut Out) -> Result<Exit, CliError> {
    let snapshot = Snapshot::open(ledger_folder(&args.dir)?)?;
    let keys = snapshot.key_list()?;
    let given = given_policy(args)?;
    let checkpoint = checkpoint(args, &snapshot, &keys, given.as_ref())?;
    let policy = policy_of_published(&keys, given.as_ref())?;
    let order = PublishOrder {
        checkpoint: &checkpoint,
        policy: &policy,
        check: args.check,
        prune_partials: args.prune_partials,
    };
    let progress = Progress::up_to(checkpoint.checkpoint().size(), "entries");
    let report = publish(&snapshot, &order, &args.out, &mut |step| {
        progress.set(step.done_entries, step.total_entries)
    })?;
    drop(progress);
    if out.is_json() {
        out.json(&line(args, &checkpoint, &report))?;
    } else {
        show(args, out, &checkpoint, &report)?;
    }
    Ok(Exit::Ok)
}

/// The policy that the command line names, if it does.
fn given_policy(args: &PublishArgs) -> Result<Option<Policy>, CliError> {
    match &args.policy {
        Some(path) => policy_file(path).map(Some),
        None if args.keys.is_empty() => Ok(None),
        None => of_keys(public_keys(&args.keys)?, "--key").map(Some),
    }
}

fn of_keys(keys: Vec<VerifierKey>, from: &str) -> Result<Policy, CliError> {
    Policy::of_keys(keys).map_err(|source| no_policy(from.to_owned(), source))
}

/// The checkpoint to publish, if it is believed.
fn checkpoint(
    args: &PublishArgs,
    snapshot: &Snapshot,
    keys: &KeyList,
    given: Option<&Policy>,
) -> Result<VerifiedCheckpoint, CliError> {
    let (name, note) = match &args.checkpoint {
        Some(path) => {
            let source = Source::of(Some(path));
            (source.name(), source.read_all(MAX_NOTE_BYTES)?)
        }
        None => {
            let kept = snapshot.latest_checkpoint()?;
            let kept = kept.ok_or(CliError::Usage(
                "the ledger keeps no checkpoint yet: name one with --checkpoint, or sign one first",
            ))?;
            (safe_path(&checkpoint_path(&args.dir, kept.size)), kept.note)
        }
    };
    let listed;
    let policy = match given {
        Some(policy) => policy,
        None => {
            listed = listed_policy(keys, &note)?;
            &listed
        }
    };
    policy.verify(&note).map_err(|source| SigningError::Checkpoint { name, source: Box::new(source) }.into())
}

/// The policy of the log keys that the ledger lists as current at the size that a note states. A note
/// that states none is refused by any policy.
fn listed_policy(keys: &KeyList, note: &[u8]) -> Result<Policy, CliError> {
    let stated = Note::parse(note).ok().and_then(|note| Checkpoint::parse_text(note.text()).ok());
    let size = stated.map_or(0, |checkpoint| checkpoint.size());
    policy_at(keys, size).map_err(|source| no_policy("the ledger's keys".to_owned(), source))
}

/// Whom to believe about what OUT holds: any log key that the ledger ever listed, or that was given.
/// No quorum is asked for, which may be younger than the publication; the tree must continue it anyway.
fn policy_of_published(keys: &KeyList, given: Option<&Policy>) -> Result<Policy, CliError> {
    let listed = keys.all().iter().map(|listed| &listed.key).filter(|key| key.role() == KeyRole::Log);
    let named = given.into_iter().flat_map(Policy::logs).map(proofline::proof::PolicyKey::key);
    let mut all: Vec<VerifierKey> = Vec::new();
    for key in named.chain(listed) {
        if !all.iter().any(|other| other.key_bytes() == key.key_bytes()) {
            all.push(key.clone());
        }
    }
    of_keys(all, "the log's keys")
}

fn line(args: &PublishArgs, checkpoint: &VerifiedCheckpoint, report: &PublishReport) -> PublishLine {
    PublishLine {
        origin: checkpoint.checkpoint().origin().to_owned(),
        size: report.size,
        root: report.root.to_base64(),
        previous_size: report.previous_size,
        checkpoint_replaced: report.is_new_checkpoint,
        tiles_written: report.tiles_written,
        tiles_present: report.tiles_present,
        bundles_written: report.bundles_written,
        bundles_present: report.bundles_present,
        bytes_written: report.bytes_written,
        pruned_partials: report.pruned_partials,
        checked: args.check,
    }
}

fn show(
    args: &PublishArgs,
    out: &mut Out,
    checkpoint: &VerifiedCheckpoint,
    report: &PublishReport,
) -> Result<(), CliError> {
    let origin = checkpoint.checkpoint().origin();
    let witnesses = match checkpoint.witnesses().len() {
        0 => String::new(),
        count => format!(", cosigned by {}", counted(count as u64, "known witness", "known witnesses")),
    };
    let mut facts = vec![
        ("log", origin.to_owned()),
        ("size", format!("{}{witnesses}", counted(report.size, "entry", "entries"))),
        ("root", report.root.to_base64()),
        ("before", before(report)),
        ("tiles", files(report.tiles_written, report.tiles_present, args.check)),
        ("bundles", files(report.bundles_written, report.bundles_present, args.check)),
        ("written", counted(report.bytes_written, "byte", "bytes")),
    ];
    if args.prune_partials {
        facts.push(("pruned", counted(report.pruned_partials, "partial file", "partial files")));
    }
    for (name, fact) in facts {
        out.line(format_args!("{name:<12} {}", safe(&fact)))?;
    }
    out.space()?;
    let folder = safe_path(&args.out);
    out.line(out.paint().good(&format!("Published into {folder}.")))?;
    out.line(format_args!("Serve that folder as https://{}/, with", safe(origin)))?;
    out.line(format_args!("  {CHECKPOINT_FILE:<12} text/plain; charset=utf-8, cached for seconds at most"))?;
    out.line(format_args!("  {:<12} application/octet-stream, cached for good", "tile/"))
}

fn before(report: &PublishReport) -> String {
    match report.previous_size {
        None => "nothing".to_owned(),
        Some(_) if !report.is_new_checkpoint => "the same checkpoint".to_owned(),
        Some(size) => counted(size, "entry", "entries"),
    }
}

fn files(written: u64, present: u64, is_checked: bool) -> String {
    let compared = if is_checked && present > 0 { ", each compared" } else { "" };
    format!("{written} written, {present} there already{compared}")
}

#[cfg(test)]
mod tests {
    use super::files;

    #[test]
    fn files_that_were_compared_are_told_so() {
        assert_eq!(files(3, 0, true), "3 written, 0 there already");
        assert_eq!(files(0, 2, true), "0 written, 2 there already, each compared");
        assert_eq!(files(0, 2, false), "0 written, 2 there already");
    }
}

//! `proofline checkpoint verify`: whether to believe a checkpoint, and whom one believes then.

use std::path::{Path, PathBuf};

use proofline::ledger::{Snapshot, policy_at};
use proofline::proof::{Checkpoint, KeyRole, MAX_NOTE_BYTES, Note, Policy, VerifiedCheckpoint, VerifierKey};
use serde::Serialize;

use super::clock::moment;
use super::entry_view::warn_of_damage;
use super::error::CliError;
use super::exit::Exit;
use super::input::{Source, ledger_folder};
use super::key_file::public_key;
use super::keys_given::{no_policy, policy_file};
use super::output::{Out, OutputArgs};
use super::phrase::{counted, wrap_words};
use super::safe::{safe, safe_bytes};
use super::signing_error::{SigningError, no_checkpoint};

/// Verifies a checkpoint: who signed it, who cosigned it and when
///
/// Whom to believe is said by a policy file (C2SP tlog-policy), by the keys of
/// logs and witnesses, or by a ledger's own list: the log keys that were current
/// at the checkpoint's size. Keys given together with a ledger are roots, and what
/// they vouched for counts too. With a ledger, its tree must have had the root
/// that was signed; that the log gives this tree is checked by `proofline verify`.
///
/// Exits with 4 when the file is no checkpoint, 8 when the ledger is shorter or
/// has another history, 9 when a signature or cosignature is missing or wrong.
///
/// Examples:
///   proofline checkpoint verify note --key desk.key.pub
///   proofline checkpoint verify note --policy auditors.policy
///   proofline checkpoint verify note --ledger ledger --key desk.key.pub
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
#[command(group = clap::ArgGroup::new("trust").required(true).multiple(true).args(["policy", "keys", "ledger"]))]
pub(crate) struct VerifyCheckpointArgs {
    /// The checkpoint; `-` for the standard input
    file: PathBuf,
    /// A policy file
    #[arg(long, value_name = "FILE", conflicts_with = "keys")]
    policy: Option<PathBuf>,
    /// A public key, or its file: of a log or a witness; may be given several times
    #[arg(long = "key", value_name = "KEY|FILE")]
    keys: Vec<PathBuf>,
    /// A ledger to compare with
    #[arg(long, value_name = "DIR")]
    ledger: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Whom to believe.
pub(crate) struct Trust<'a> {
    pub(crate) policy: Option<&'a Path>,
    pub(crate) keys: &'a [PathBuf],
    pub(crate) ledger: Option<&'a Snapshot>,
}

/// A note whose text is a checkpoint; nothing of it is verified.
pub(crate) struct ReadNote {
    pub(crate) name: String,
    bytes: Vec<u8>,
    pub(crate) note: Note,
    stated: Checkpoint,
}

impl ReadNote {
    pub(crate) fn read(path: &Path) -> Result<Self, CliError> {
        let source = Source::of(Some(path));
        let (name, bytes) = (source.name(), source.read_all(MAX_NOTE_BYTES)?);
        let note = Note::parse(&bytes).map_err(|source| SigningError::Note { name: name.clone(), source })?;
        let stated =
            Checkpoint::parse_text(note.text()).map_err(|error| no_checkpoint(name.clone(), error))?;
        Ok(Self { name, bytes, note, stated })
    }

    /// The checkpoint, if the policy believes it.
    pub(crate) fn verify(&self, policy: &Policy) -> Result<VerifiedCheckpoint, CliError> {
        let verified = policy.verify(&self.bytes);
        let refused = |error| SigningError::Checkpoint { name: self.name.clone(), source: Box::new(error) };
        Ok(verified.map_err(refused)?)
    }
}

impl Trust<'_> {
    /// The policy for a checkpoint of the size that the note states.
    pub(crate) fn policy(&self, read: &ReadNote) -> Result<Policy, CliError> {
        if let Some(path) = self.policy {
            return policy_file(path);
        }
        let keys = self.keys.iter().map(|key| public_key(key)).collect::<Result<Vec<_>, _>>()?;
        let Some(snapshot) = self.ledger else {
            return Policy::of_keys(keys).map_err(|error| no_policy("the keys given".to_owned(), error));
        };
        let (size, list) = (read.stated.size(), snapshot.key_list()?);
        if keys.is_empty() {
            return policy_at(&list, size).map_err(|error| no_policy("the ledger's list".to_owned(), error));
        }
        let (roots, others): (Vec<VerifierKey>, Vec<VerifierKey>) =
            keys.into_iter().partition(|key| key.role() == KeyRole::Log);
        let trusted = list.resting_on(&roots);
        let logs = trusted.current(KeyRole::Log, size).map(|listed| listed.key.clone());
        Policy::of_keys(logs.chain(others).collect())
            .map_err(|error| no_policy("the keys given".to_owned(), error))
    }
}

/// That the ledger's tree had the root that a checkpoint signed. Its hashes come from indexes; that the log gives them
/// is for `verify` to say.
pub(crate) fn compare(snapshot: &Snapshot, checkpoint: &Checkpoint) -> Result<(), CliError> {
    let origin = snapshot.genesis()?.origin;
    let (size, entries) = (checkpoint.size(), snapshot.entries());
    if checkpoint.origin() != origin.as_str() {
        let found = checkpoint.origin().to_owned();
        return Err(SigningError::OtherLedger { found, origin: origin.to_string() }.into());
    }
    if size > entries {
        return Err(SigningError::PastEnd { size, entries }.into());
    }
    let root = snapshot.tree().root(size).map_err(SigningError::from)?;
    if root == *checkpoint.root() { Ok(()) } else { Err(SigningError::Fork { size }.into()) }
}

/// A verified checkpoint as JSON shows it.
#[derive(Serialize)]
pub(crate) struct VerifiedLine {
    origin: String,
    size: u64,
    root: String,
    extensions: Vec<String>,
    signed_by: Vec<String>,
    witnesses: Vec<WitnessLine>,
    quorum: &'static str,
    timestamps: Vec<TimestampLine>,
    unknown_lines: usize,
    ledger_entries: Option<u64>,
}

#[derive(Serialize)]
struct WitnessLine {
    name: String,
    key: String,
    timestamp_s: u64,
}

#[derive(Serialize)]
struct TimestampLine {
    authority: String,
    time: String,
    serial_hex: String,
    policy: String,
    signature: &'static str,
}

impl VerifiedLine {
    fn of(verified: &VerifiedCheckpoint, has_quorum: bool, ledger_entries: Option<u64>) -> Self {
        let checkpoint = verified.checkpoint();
        let witnesses = verified.witnesses().iter().map(|cosigned| WitnessLine {
            name: safe_bytes(cosigned.witness.name()),
            key: cosigned.witness.key().short_name(),
            timestamp_s: cosigned.timestamp_s,
        });
        let timestamps = verified.timestamps().iter().map(|stamp| TimestampLine {
            authority: stamp.authority.clone(),
            time: stamp.token.time().to_string(),
            serial_hex: stamp.token.serial_hex().to_owned(),
            policy: stamp.token.policy().to_owned(),
            signature: "not_verified",
        });
        Self {
            origin: checkpoint.origin().to_owned(),
            size: checkpoint.size(),
            root: checkpoint.root().to_base64(),
            extensions: checkpoint.extensions().to_vec(),
            signed_by: verified.log_keys().iter().map(VerifierKey::short_name).collect(),
            witnesses: witnesses.collect(),
            quorum: if has_quorum { "met" } else { "not_asked" },
            timestamps: timestamps.collect(),
            unknown_lines: verified.unknown_lines(),
            ledger_entries,
        }
    }
}

/// Verifies and says what it came to.
pub(crate) fn verify(args: &VerifyCheckpointArgs, out: &mut Out) -> Result<Exit, CliError> {
    let read = ReadNote::read(&args.file)?;
    let dir = args.ledger.as_deref().map(ledger_folder).transpose()?;
    let snapshot = dir.map(Snapshot::open).transpose()?;
    let trust = Trust { policy: args.policy.as_deref(), keys: &args.keys, ledger: snapshot.as_ref() };
    let policy = trust.policy(&read)?;
    let verified = read.verify(&policy)?;
    if let Some(snapshot) = &snapshot {
        compare(snapshot, verified.checkpoint())?;
    }
    let entries = snapshot.as_ref().map(Snapshot::entries);
    let line = VerifiedLine::of(&verified, policy.has_quorum(), entries);
    if out.is_json() {
        out.json(&line)?;
    } else {
        show(out, &line)?;
    }
    Ok(snapshot.map_or(Exit::Ok, |snapshot| warn_of_damage(args.output.format, &snapshot)))
}

/// What a timestamp does not say.
pub(crate) const NOT_VERIFIED: &str =
    "that the authority signed this is not verified; `openssl ts -verify` does that";

fn show(out: &mut Out, line: &VerifiedLine) -> Result<(), CliError> {
    let mut facts = vec![
        ("origin", line.origin.clone()),
        ("size", counted(line.size, "entry", "entries")),
        ("root", line.root.clone()),
    ];
    facts.extend(line.extensions.iter().map(|text| ("extension", text.clone())));
    facts.extend(line.signed_by.iter().map(|key| ("signed by", key.clone())));
    for WitnessLine { name, key, timestamp_s } in &line.witnesses {
        let at = moment(timestamp_s.saturating_mul(1000)).filter(|_| *timestamp_s > 0);
        let at = at.map_or_else(|| format!("with the time {timestamp_s}"), |at| format!("at {at}"));
        let called = if key.starts_with(&format!("{name}+")) { String::new() } else { format!("{name}, ") };
        facts.push(("cosigned by", format!("{called}{key}, {at}")));
    }
    facts.push(("quorum", line.quorum.replace('_', " ")));
    for stamp in &line.timestamps {
        facts.push((
            "timestamp",
            format!("{} of {}, serial {}", stamp.time, stamp.authority, stamp.serial_hex),
        ));
        facts.push(("", NOT_VERIFIED.to_owned()));
    }
    if line.unknown_lines > 0 {
        let lines = counted(line.unknown_lines as u64, "line", "lines");
        facts.push(("unknown", format!("{lines} of keys that are not known here; nothing is known of them")));
    }
    if let Some(entries) = line.ledger_entries {
        let now = counted(entries, "entry", "entries");
        facts.push(("ledger", format!("its tree begins with what was signed, and has {now} now")));
    }
    for (name, fact) in facts {
        for (index, part) in wrap_words(&safe(&fact), out.columns().saturating_sub(13)).iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            out.line(format_args!("{name:<12} {part}"))?;
        }
    }
    out.space()?;
    let good = out.paint().good("The checkpoint is good.");
    out.line(good)
}

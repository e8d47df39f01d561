//! `proofline subject`: the keys of those whom sealed payloads are about, in a folder apart from every ledger.

use std::path::{Path, PathBuf};

use proofline::ledger::disk::OsDisk;
use proofline::ledger::{SubjectKeys, SubjectName, is_ledger};
use proofline::proof::sealed::{SUBJECT_KEY_BYTES, SubjectKey};
use proofline::trace::SubjectKeyId;
use serde::Serialize;
use zeroize::Zeroizing;

use super::erase_subject::{EraseSubjectArgs, erase};
use super::error::CliError;
use super::exit::Exit;
use super::output::{Format, Out, OutputArgs};
use super::safe::{safe, safe_path};
use super::sealing_error::SealingError;

/// Keeps the keys of those whom sealed payloads are about
///
/// A subject is a person whose data may have to be erased. Payloads about it are
/// sealed under its key; destroying the key closes all of them for good, copies
/// included. The keys lie in a folder of their own, for its owner alone. Keep it
/// out of the ledger and out of its backups: a copy of a key undoes its erasure.
///
/// Examples:
///   proofline subject add keys "Ines Moreau"
///   proofline subject list keys
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct SubjectArgs {
    #[command(subcommand)]
    step: Step,
}

#[derive(clap::Subcommand)]
enum Step {
    Add(AddArgs),
    List(ListArgs),
    Erase(EraseSubjectArgs),
}

/// Makes the key of a new subject
///
/// The name stays in the folder: a ledger only ever sees the key's id. The folder
/// is made when it is missing.
///
/// Example:
///   proofline subject add keys "Ines Moreau"
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct AddArgs {
    /// The folder of subject keys
    keys: PathBuf,
    /// What you call the subject
    name: String,
    #[command(flatten)]
    output: OutputArgs,
}

/// Lists the subjects that have a key
///
/// Example:
///   proofline subject list keys
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ListArgs {
    /// The folder of subject keys
    keys: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
}

/// A subject as JSON shows it.
#[derive(Serialize)]
struct SubjectLine {
    key_id: SubjectKeyId,
    name: String,
}

impl SubjectArgs {
    pub(crate) const fn format(&self) -> Format {
        match &self.step {
            Step::Add(args) => args.output.format,
            Step::List(args) => args.output.format,
            Step::Erase(args) => args.output.format,
        }
    }
}

/// Adds, lists or erases.
pub(crate) fn run(args: &SubjectArgs, out: &mut Out) -> Result<Exit, CliError> {
    match &args.step {
        Step::Add(args) => add(args, out),
        Step::List(args) => list(args, out),
        Step::Erase(args) => erase(args, out),
    }
}

/// Opens a folder of keys, which must not lie where copies of a ledger take it along.
pub(crate) fn open_keys(dir: &Path) -> Result<SubjectKeys, CliError> {
    apart(dir)?;
    Ok(SubjectKeys::open(dir)?)
}

fn apart(dir: &Path) -> Result<(), CliError> {
    let unreadable = |source| CliError::Unreadable { name: safe_path(dir), source };
    let mut whole = std::path::absolute(dir).map_err(unreadable)?;
    // What is there may be a link; what is not is made beside what is.
    let there = whole.ancestors().find(|path| path.exists()).map(Path::to_owned);
    if let Some(there) = there {
        whole = there.canonicalize().map_err(unreadable)?;
    }
    if whole.ancestors().any(|path| is_ledger(&OsDisk, path)) {
        return Err(SealingError::InsideLedger { name: safe_path(dir) }.into());
    }
    Ok(())
}

fn add(args: &AddArgs, out: &mut Out) -> Result<Exit, CliError> {
    let name = SubjectName::new(&args.name)?;
    apart(&args.keys)?;
    let keys = SubjectKeys::create(&args.keys)?;
    let mut master = Zeroizing::new([0; SUBJECT_KEY_BYTES]);
    getrandom::fill(&mut *master).map_err(CliError::Random)?;
    let key = SubjectKey::from_bytes(&master);
    keys.add(&name, &key)?;
    if out.is_json() {
        out.json(&SubjectLine { key_id: key.id(), name: args.name.clone() })?;
    } else {
        out.line(key.id())?;
    }
    Ok(Exit::Ok)
}

fn list(args: &ListArgs, out: &mut Out) -> Result<Exit, CliError> {
    let subjects = open_keys(&args.keys)?.list()?;
    for subject in &subjects {
        let (key_id, name) = (subject.key_id, subject.name.as_str());
        if out.is_json() {
            out.json(&SubjectLine { key_id, name: name.to_owned() })?;
        } else {
            out.line(format_args!("{key_id}  {}", safe(name)))?;
        }
    }
    if subjects.is_empty() && !out.is_json() {
        out.line("There is no subject; `proofline subject add` adds one.")?;
    }
    Ok(Exit::Ok)
}

//! `proofline verify-proof`: checks a proof file, for somebody who has no ledger.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use proofline::canon::{Limits, Sha256Digest};
use proofline::proof::files::{Dialect, Given, MAX_PROOF_BYTES, OldTree, ProofFile, ProofFileError, Trust};
use proofline::proof::header::MAX_HEADER_BYTES;
use proofline::proof::{KeyRole, MAX_NOTE_BYTES, NodeHash, Policy, VerifierKey};

use super::error::CliError;
use super::exit::Exit;
use super::input::Source;
use super::keys_given;
use super::output::{Out, OutputArgs};
use super::phrase::wrap_words;
use super::proof_check::{check, is_consistency};
use super::proof_error::ProofError;
use super::proof_view::{ProofLine, sentence, show};
use super::safe::safe_path;

/// Checks a proof file against keys; needs no ledger
///
/// Says what is proven and by whom it is signed, what a signature binds and what
/// none does. A tlog-proof is checked with keys of role log (and of witnesses) or
/// with a policy, which may ask for a quorum of witnesses; a COSE receipt with a
/// key of role cose, a statement in DSSE with one of role dsse.
///
/// Exits with 9 when a signature or the proof does not hold, or when the envelope
/// or the older tree given is another; with 4 when the file is no proof.
///
/// Examples:
///   proofline verify-proof 17.tlog-proof --key log.vkey --envelope record.json
///   proofline verify-proof grown.txt --policy trust.policy --old old.checkpoint
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct VerifyProofArgs {
    /// The proof; `-` for the standard input
    file: PathBuf,
    /// A public key, as text or in a file; any number of them
    #[arg(long = "key", value_name = "KEY|FILE", required_unless_present = "policy")]
    keys: Vec<PathBuf>,
    /// A policy (C2SP tlog-policy): which logs and witnesses to believe
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// How many of the keys must have signed a statement
    #[arg(long, value_name = "COUNT", default_value = "1")]
    threshold: NonZeroUsize,
    /// The entry header, in place of the one that travels with the proof
    #[arg(long, value_name = "FILE", conflicts_with = "old")]
    entry: Option<PathBuf>,
    /// The record that the entry is said to be about, in its canonical bytes
    #[arg(long, value_name = "FILE", conflicts_with = "old")]
    envelope: Option<PathBuf>,
    /// The older tree of a proof of consistency: a checkpoint file, or its size and root
    #[arg(long, value_name = "CHECKPOINT|SIZE:ROOT", value_parser = Old::parse)]
    old: Option<Old>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// An older tree, as a command line names it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Old {
    Tree { size: u64, root: NodeHash },
    File(PathBuf),
}

/// A text that begins with a size and ends in no root.
#[derive(Debug, thiserror::Error)]
#[error("behind the size stands a root: 64 lower-case hex digits, or the base64 that checkpoints have")]
struct NoRoot;

impl Old {
    /// Digits and a colon begin a size and a root; anything else is a file.
    fn parse(text: &str) -> Result<Self, NoRoot> {
        let parts = text.split_once(':').and_then(|(size, root)| Some((size.parse().ok()?, root)));
        let Some((size, root)) = parts.filter(|_| text.starts_with(|c: char| c.is_ascii_digit())) else {
            return Ok(Self::File(PathBuf::from(text)));
        };
        let hex = root.parse().ok().map(|digest: Sha256Digest| NodeHash::from_bytes(*digest.as_bytes()));
        let root = hex.or_else(|| NodeHash::from_base64(root)).ok_or(NoRoot)?;
        Ok(Self::Tree { size, root })
    }
}

/// Whom the command line names.
struct Believed {
    policy: Option<Policy>,
    keys: Vec<VerifierKey>,
}

impl Believed {
    fn of(args: &VerifyProofArgs) -> Result<Self, CliError> {
        let keys = keys_given::public_keys(&args.keys)?;
        if keys.iter().any(|key| key.role() == KeyRole::Producer) {
            return Err(CliError::Usage("a producer's key signs envelopes; no proof is checked with it"));
        }
        let is_of_checkpoints = |key: &VerifierKey| key.role() == KeyRole::Log || key.role().is_witness();
        let (parties, keys): (Vec<_>, Vec<_>) = keys.into_iter().partition(is_of_checkpoints);
        let policy = match &args.policy {
            Some(_) if !parties.is_empty() => {
                return Err(CliError::Usage(
                    "the policy names logs and witnesses; give no such key beside it",
                ));
            }
            Some(path) => Some(keys_given::policy_file(path)?),
            None if parties.is_empty() => None,
            None => Some(
                Policy::of_keys(parties)
                    .map_err(|source| keys_given::no_policy("the keys given".to_owned(), source))?,
            ),
        };
        Ok(Self { policy, keys })
    }
}

/// Checks the proof and says what follows.
pub(crate) fn run(args: &VerifyProofArgs, out: &mut Out) -> Result<Exit, CliError> {
    let believed = Believed::of(args)?;
    let source = Source::of(Some(&args.file));
    let bytes = source.read_all(MAX_PROOF_BYTES)?;
    let refused = |error| ProofError::File { name: source.name(), source: error };
    check_kind(args, &bytes).map_err(refused)?;
    let old = args.old.as_ref().map(|old| old_tree(old, &believed)).transpose()?;
    let entry = read(args.entry.as_deref(), MAX_HEADER_BYTES)?;
    let envelope = read(args.envelope.as_deref(), Limits::ENVELOPE.max_bytes())?;
    let trust = Trust { policy: believed.policy.as_ref(), keys: &believed.keys, threshold: args.threshold };
    let given = Given { entry: entry.as_deref(), envelope: envelope.as_deref() };
    let verified = check(&bytes, &trust, &given, old.as_ref()).map_err(refused)?;
    if out.is_json() {
        out.json(&ProofLine::of(&verified, envelope.is_some()))?;
        return Ok(Exit::Ok);
    }
    let said = format!("the proof holds: {}", sentence(&verified));
    for line in wrap_words(&said, out.columns()) {
        out.line(line)?;
    }
    show(out, &verified, envelope.is_some())?;
    Ok(Exit::Ok)
}

/// Says that --old is missing, or too much, before anything that depends on it goes wrong.
fn check_kind(args: &VerifyProofArgs, bytes: &[u8]) -> Result<(), ProofFileError> {
    match (is_consistency(&ProofFile::parse(bytes)?), &args.old) {
        (Some(true), None) => Err(ProofFileError::Kind("inclusion")),
        (Some(false), Some(_)) => Err(ProofFileError::Kind("consistency")),
        _ => Ok(()),
    }
}

fn read(file: Option<&Path>, max_bytes: usize) -> Result<Option<Vec<u8>>, CliError> {
    file.map(|path| Source::of(Some(path)).read_all(max_bytes)).transpose()
}

fn old_tree(old: &Old, believed: &Believed) -> Result<OldTree, CliError> {
    let path = match old {
        Old::Tree { size, root } => return Ok(OldTree::new(*size, *root)),
        Old::File(path) => path,
    };
    let refused = |source| ProofError::File { name: safe_path(path), source };
    let policy = believed.policy.as_ref().ok_or_else(|| refused(ProofFileError::NoTrust(Dialect::Tlog)))?;
    let note = Source::File(path.clone()).read_all(MAX_NOTE_BYTES)?;
    Ok(OldTree::of_checkpoint(&note, policy).map_err(refused)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_tree_is_a_file_or_a_size_and_a_root() {
        let root = NodeHash::empty_root();
        let tree = Old::Tree { size: 7, root };
        assert_eq!(Old::parse(&format!("7:{root}")).unwrap(), tree);
        assert_eq!(Old::parse(&format!("7:{}", root.to_base64())).unwrap(), tree);
        for file in ["old.checkpoint", "a:b", "7", "", ":x", "C:7"] {
            assert_eq!(Old::parse(file).unwrap(), Old::File(PathBuf::from(file)));
        }
        for bad in ["7:", "7:xyz", &format!("7:{root}0")] {
            assert!(Old::parse(bad).is_err(), "{bad}");
        }
    }
}

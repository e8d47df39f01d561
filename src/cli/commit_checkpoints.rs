//! The checkpoints that a `commit` signs on its way. Whatever becomes of them, the records that were answered are kept.

use std::path::PathBuf;

use proofline::ledger::{CheckpointRule, CheckpointingError, KeptCheckpoint, Ledger};
use proofline::proof::SecretKey;
use serde::Serialize;

use super::checkpoint::rule;
use super::clock::Clock;
use super::error::CliError;
use super::key_file::{read_secrets, signers};

/// When a `commit` signs, and with what.
#[derive(clap::Args)]
pub(crate) struct CheckpointingArgs {
    /// Sign a checkpoint at the end with the secret key in this file; may be given several times
    #[arg(long = "checkpoint-key", value_name = "FILE")]
    checkpoint_keys: Vec<PathBuf>,
    /// Sign one on the way too, whenever so many entries came since the last
    #[arg(long, value_name = "N", requires = "checkpoint_keys")]
    checkpoint_entries: Option<u64>,
    /// Sign one on the way too, when an entry that none covers was recorded so many seconds ago
    #[arg(long, value_name = "T", requires = "checkpoint_keys")]
    checkpoint_seconds: Option<u64>,
}

/// A checkpoint as a line among the answers.
#[derive(Serialize)]
pub(crate) struct SignedLine {
    checkpoint: Signed,
}

#[derive(Serialize)]
struct Signed {
    size: u64,
    root: Option<String>,
    file: String,
}

impl SignedLine {
    pub(crate) fn of(kept: &KeptCheckpoint) -> Self {
        let root = kept.stated().map(|stated| stated.root().to_base64());
        Self { checkpoint: Signed { size: kept.size, root, file: kept.file.clone() } }
    }
}

/// Signs until that fails once.
pub(crate) struct Checkpointing {
    keys: Vec<SecretKey>,
    rule: Option<CheckpointRule>,
    pub(crate) failure: Option<CliError>,
    /// The size of the last one.
    signed: Option<u64>,
}

impl Checkpointing {
    /// Reads the keys.
    pub(crate) fn of(args: &CheckpointingArgs) -> Result<Self, CliError> {
        let keys = read_secrets(&args.checkpoint_keys)?;
        Ok(Self {
            keys,
            rule: rule(args.checkpoint_entries, args.checkpoint_seconds),
            failure: None,
            signed: None,
        })
    }

    /// Signs if that was asked for and is due.
    pub(crate) fn on_the_way(&mut self, ledger: &Ledger, clock: Clock) -> Option<KeptCheckpoint> {
        let rule = self.rule.filter(|_| self.failure.is_none())?;
        let result = ledger.checkpoint_if_due(&rule, &signers(&self.keys), clock.now_ms());
        self.note(result)
    }

    /// Signs if that was asked for.
    pub(crate) fn at_the_end(&mut self, ledger: &Ledger) -> Option<KeptCheckpoint> {
        if self.keys.is_empty() || self.failure.is_some() {
            return None;
        }
        let result = ledger.checkpoint(&signers(&self.keys)).map(Some);
        self.note(result)
    }

    /// A checkpoint that was not told of yet.
    fn note(&mut self, result: Result<Option<KeptCheckpoint>, CheckpointingError>) -> Option<KeptCheckpoint> {
        match result {
            Ok(kept) => kept.filter(|kept| self.signed.replace(kept.size) != Some(kept.size)),
            Err(error) => {
                self.failure = Some(error.into());
                None
            }
        }
    }
}

//! Proofs beside answers: what `prove` gives where a kept checkpoint covers the entry, else the path to the root that
//! the ledger has now, which nobody signed.

use proofline::canon::base64;
use proofline::ledger::{LeafHash, LedgerError, Seq, Snapshot};
use proofline::proof::NodeHash;
use proofline::proof::files::Dialect;
use proofline::proof::tree::verify_inclusion;
use serde::Serialize;

use super::clock::Clock;
use super::error::CliError;
use super::proof_error::ProofError;
use super::prove::ProveLine;
use super::proving::Prover;
use super::show::Wanted;

/// Makes the proofs of one snapshot.
pub(crate) struct Proofs<'a> {
    snapshot: &'a Snapshot,
    prover: Prover<'a>,
    /// The size of the latest kept checkpoint.
    signed_size: u64,
    root: NodeHash,
}

/// A proof that an entry is in the log.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum AnswerProof {
    /// In the shape of `prove`.
    Signed(Box<ProveLine>),
    /// Against the tree of all entries of the snapshot.
    Path(PathLine),
}

/// A proof that nobody signed. Whoever has the root from elsewhere can check it.
#[derive(Serialize)]
pub(crate) struct PathLine {
    proves: &'static str,
    form: &'static str,
    size: u64,
    root: String,
    index: u64,
    leaf_hash: String,
    header_base64: String,
    path: Vec<String>,
}

impl<'a> Proofs<'a> {
    pub(crate) fn of(snapshot: &'a Snapshot) -> Result<Self, CliError> {
        let prover = Prover::new(snapshot, Dialect::Tlog, None, Clock::System)?;
        let signed_size = snapshot.latest_checkpoint()?.map_or(0, |kept| kept.size);
        let root = snapshot.tree().root(snapshot.entries()).map_err(ProofError::from)?;
        Ok(Self { snapshot, prover, signed_size, root })
    }

    /// Proves it, and verifies the proof.
    pub(crate) fn prove(&self, seq: Seq) -> Result<AnswerProof, CliError> {
        if seq.get() < self.signed_size {
            let proven = self.prover.inclusion(Wanted::Seq(seq), None)?;
            return Ok(AnswerProof::Signed(Box::new(ProveLine::inline(&proven))));
        }
        let size = self.snapshot.entries();
        let missing = || LedgerError::NoSuchEntry { seq, entries: size };
        let header = self.snapshot.header_bytes(seq)?.ok_or_else(missing)?;
        let path = self.snapshot.tree().inclusion_proof(seq, size).map_err(ProofError::from)?;
        let leaf = LeafHash::of_header(&header);
        if let Err(fault) = verify_inclusion(seq.get(), size, leaf, &path, &self.root) {
            return Err(CliError::Internal(format!(
                "a proof of entry {seq} that was made does not hold: {fault}"
            )));
        }
        Ok(AnswerProof::Path(PathLine {
            proves: "inclusion",
            form: "path",
            size,
            root: self.root.to_string(),
            index: seq.get(),
            leaf_hash: leaf.to_string(),
            header_base64: base64(&header),
            path: path.iter().map(ToString::to_string).collect(),
        }))
    }
}

impl AnswerProof {
    /// The proof in a few words.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Signed(line) => format!("proven in a signed tree of {} entries", line.size()),
            Self::Path(line) => {
                format!("proven in the tree of all {} entries, which is not signed", line.size)
            }
        }
    }
}

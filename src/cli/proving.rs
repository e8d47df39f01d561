//! Makes proofs from a ledger, and verifies each before anybody sees it.

use std::path::{Path, PathBuf};

use proofline::ledger::{EntryFault, EntryStatus, LedgerError, Seq, Snapshot, checkpoint_path, policy_at};
use proofline::proof::files::cose::{Receipt, ReceiptProof};
use proofline::proof::files::dsse::DsseEnvelope;
use proofline::proof::files::statement::{
    ConsistencyStatement, InclusionStatement, STATEMENT_PAYLOAD_TYPE, Statement,
};
use proofline::proof::files::{ConsistencyFile, Dialect, Given, OldTree, ProofFileError, TlogProof, Trust};
use proofline::proof::{
    Checkpoint, CheckpointError, KeyList, KeyRole, MAX_NOTE_BYTES, NodeHash, Note, Policy, SecretKey, Signer,
    VerifierKey,
};

use super::clock::Clock;
use super::error::CliError;
use super::input::Source;
use super::proof_check::{Verified, check};
use super::proof_error::ProofError;
use super::safe::safe_path;
use super::show::Wanted;

/// A tree, as a command line names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// The tree of the first entries, so many.
    Size(u64),
    /// The tree of a checkpoint in a file.
    File(PathBuf),
}

impl At {
    /// Digits alone are a size; a file with such a name is given as `./17`.
    #[expect(clippy::unnecessary_wraps, reason = "clap wants it")]
    pub(crate) fn parse(text: &str) -> Result<Self, std::convert::Infallible> {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let size = text.parse().ok().filter(|_| is_number);
        Ok(size.map_or_else(|| Self::File(PathBuf::from(text)), Self::Size))
    }
}

/// A proof that was made and holds.
pub(crate) struct Proven {
    /// The file.
    pub(crate) bytes: Vec<u8>,
    /// What checking it gave.
    pub(crate) verified: Verified,
}

impl Proven {
    pub(crate) const fn is_inclusion(&self) -> bool {
        matches!(self.verified, Verified::Inclusion(_))
    }
}

/// The tree that a proof is about.
struct Chosen {
    size: u64,
    root: NodeHash,
    /// The checkpoint, where there is one.
    note: Option<Vec<u8>>,
}

/// Makes proofs of one ledger in one form.
pub(crate) struct Prover<'a> {
    snapshot: &'a Snapshot,
    keys: KeyList,
    dialect: Dialect,
    key: Option<&'a SecretKey>,
    issued_at_s: i64,
}

impl<'a> Prover<'a> {
    /// Refuses a key that the ledger lists as retired.
    pub(crate) fn new(
        snapshot: &'a Snapshot,
        dialect: Dialect,
        key: Option<&'a SecretKey>,
        clock: Clock,
    ) -> Result<Self, CliError> {
        let keys = snapshot.key_list()?;
        let issued_at_s = i64::try_from(clock.now_ms() / 1000).unwrap_or(i64::MAX);
        let prover = Prover { snapshot, keys, dialect, key, issued_at_s };
        let listed =
            key.and_then(|key| prover.keys.all().iter().find(|listed| listed.key == *key.verifier()));
        match listed.filter(|listed| !listed.is_current_at(snapshot.entries())) {
            Some(listed) => Err(ProofError::RetiredKey { key: listed.key.short_name() }.into()),
            None => Ok(prover),
        }
    }

    pub(crate) fn is_listed(&self, key: &VerifierKey) -> bool {
        self.keys.all().iter().any(|listed| listed.key == *key)
    }

    /// Proves that an entry is in the log.
    pub(crate) fn inclusion(&self, what: Wanted, at: Option<&At>) -> Result<Proven, CliError> {
        let seq = self.entry_of(what)?;
        let entries = self.snapshot.entries();
        let missing = || LedgerError::NoSuchEntry { seq, entries };
        // What is archived is proven by its header; its body, which is not at hand, is compared with nothing.
        let (entry_header, body) = match self.snapshot.entry(seq) {
            Err(EntryFault::Archived(_)) => (self.snapshot.header(seq)?.ok_or_else(missing)?, None),
            entry => {
                let entry = entry?.ok_or_else(missing)?;
                (entry.header, Some(entry.body))
            }
        };
        let tree = self.choose(at, Some(seq))?;
        if seq.get() >= tree.size {
            return Err(ProofError::NotCovered { seq, size: tree.size }.into());
        }
        let path = self.snapshot.tree().inclusion_proof(seq, tree.size).map_err(ProofError::from)?;
        let header = entry_header.encode();
        let (size, root, index) = (tree.size, tree.root, seq.get());
        let bytes = match self.dialect {
            Dialect::Tlog => {
                TlogProof { index, path, extra: Some(header), checkpoint: note(&tree)?.to_vec() }.write()
            }
            Dialect::Cose => {
                self.receipt(ReceiptProof::Inclusion { size, index, path }, &root, Some(header))?
            }
            Dialect::Dsse => self.statement(&Statement::Inclusion(InclusionStatement {
                origin: self.keys.origin().to_string(),
                tree_size: size,
                leaf_index: index,
                root,
                header: entry_header,
                path,
            }))?,
        };
        self.checked(bytes, &tree, &Given { entry: None, envelope: body.as_deref() }, None)
    }

    /// Proves that the log still begins with an older tree.
    pub(crate) fn consistency(&self, old: &At, at: Option<&At>) -> Result<Proven, CliError> {
        let old = self.old_tree(old)?;
        let tree = self.choose(at, None)?;
        let found = self.snapshot.tree().consistency_proof(old.size, tree.size);
        let path = found.map_err(ProofError::from)?;
        let (old_size, new_size, root) = (old.size, tree.size, tree.root);
        let bytes = match self.dialect {
            Dialect::Tlog => ConsistencyFile { old: old_size, path, checkpoint: note(&tree)?.to_vec() }
                .write()
                .map_err(making)?,
            Dialect::Cose => {
                self.receipt(ReceiptProof::Consistency { old_size, new_size, path }, &root, None)?
            }
            Dialect::Dsse => self.statement(&Statement::Consistency(ConsistencyStatement {
                origin: self.keys.origin().to_string(),
                old_size,
                old_root: old.root,
                new_size,
                new_root: root,
                path,
            }))?,
        };
        self.checked(bytes, &tree, &Given::default(), Some(&old))
    }

    fn receipt(
        &self,
        proof: ReceiptProof,
        root: &NodeHash,
        header: Option<Vec<u8>>,
    ) -> Result<Vec<u8>, CliError> {
        let (key, origin) = (self.signer()?, self.keys.origin().as_str());
        let receipt = Receipt::issue(proof, root, origin, Some(self.issued_at_s), header, key);
        Ok(receipt.map_err(making)?.write())
    }

    fn statement(&self, statement: &Statement) -> Result<Vec<u8>, CliError> {
        let payload = statement.write().map_err(making)?;
        let signed = DsseEnvelope::sign(STATEMENT_PAYLOAD_TYPE, payload, KeyRole::Dsse, self.signer()?);
        Ok(signed.and_then(|envelope| envelope.write()).map_err(making)?)
    }

    fn signer(&self) -> Result<&'a SecretKey, CliError> {
        self.key.ok_or(CliError::Usage("a receipt or statement is signed: give its secret key with --key"))
    }

    /// Checks the bytes as a stranger would, and that they are about this tree.
    fn checked(
        &self,
        bytes: Vec<u8>,
        tree: &Chosen,
        given: &Given<'_>,
        old: Option<&OldTree>,
    ) -> Result<Proven, CliError> {
        let policy = self.policy(tree.size);
        let keys: Vec<VerifierKey> = self.key.iter().map(|key| key.verifier().clone()).collect();
        let trust = Trust { policy: Some(&policy), ..Trust::keys(&keys) };
        let verified = check(&bytes, &trust, given, old).map_err(ProofError::from)?;
        let (size, root) = match &verified {
            Verified::Inclusion(proof) => (proof.size, proof.root),
            Verified::Consistency(proof) => (proof.new_size, proof.new_root),
        };
        if (size, root) != (tree.size, tree.root) {
            return Err(CliError::Internal("the proof that was made is about another tree".to_owned()));
        }
        Ok(Proven { bytes, verified })
    }

    /// The entry that is meant; a hash that several entries have names none.
    fn entry_of(&self, what: Wanted) -> Result<Seq, CliError> {
        let hash = match what {
            Wanted::Seq(seq) => return Ok(seq),
            Wanted::Hash(hash) => hash,
        };
        let seqs = self.snapshot.with_hash(&hash)?;
        match seqs.as_slice() {
            [] => Err(CliError::NoSuchHash(hash.to_string())),
            [seq] => Ok(*seq),
            several => {
                let found = several.iter().map(|seq| self.named(*seq)).collect::<Result<_, _>>()?;
                Err(ProofError::SeveralEntries { hash: hash.to_string(), found }.into())
            }
        }
    }

    fn named(&self, seq: Seq) -> Result<String, CliError> {
        let header = self.snapshot.header(seq)?;
        let kind = header.map_or("gone", |header| match header.status {
            EntryStatus::Accepted => "accepted",
            EntryStatus::Rejected { .. } => "refused",
            status => status.kind().as_str(),
        });
        Ok(format!("{seq} ({kind})"))
    }

    /// The log keys that are current for so many entries; a list that the gate let in always gives a policy.
    fn policy(&self, size: u64) -> Policy {
        policy_at(&self.keys, size).unwrap_or_default()
    }

    /// The tree to prove in. Without `at`, the latest kept checkpoint, if it covers the entry; receipts and
    /// statements, which sign for themselves, do without one.
    fn choose(&self, at: Option<&At>, seq: Option<Seq>) -> Result<Chosen, CliError> {
        let needs_note = self.dialect == Dialect::Tlog;
        match at {
            Some(At::File(path)) => self.given(path),
            Some(At::Size(size)) => {
                let path = checkpoint_path(self.snapshot.dir(), *size);
                match path.exists() {
                    true => self.given(&path),
                    false if needs_note => Err(ProofError::NoCheckpoint { size: Some(*size) }.into()),
                    false => self.logged(*size),
                }
            }
            None => {
                let kept = self.snapshot.latest_checkpoint()?;
                let covers = |size| seq.is_none_or(|seq| seq.get() < size);
                match kept.filter(|kept| needs_note || covers(kept.size)) {
                    Some(kept) => self.signed(&kept.file, kept.note),
                    None if needs_note => Err(ProofError::NoCheckpoint { size: None }.into()),
                    None => self.logged(self.snapshot.entries()),
                }
            }
        }
    }

    /// The tree that the entries themselves give: no index gets into a signature.
    fn logged(&self, size: u64) -> Result<Chosen, CliError> {
        let root = self.snapshot.logged_root(size).map_err(ProofError::from)?;
        Ok(Chosen { size, root, note: None })
    }

    fn given(&self, path: &Path) -> Result<Chosen, CliError> {
        let note = Source::File(path.to_owned()).read_all(MAX_NOTE_BYTES)?;
        self.signed(&safe_path(path), note)
    }

    /// The tree of a checkpoint that a log key signed which was current for its size, if the ledger has that tree.
    fn signed(&self, name: &str, note: Vec<u8>) -> Result<Chosen, CliError> {
        let refused = |source| ProofError::Checkpoint { name: name.to_owned(), source };
        let stated = stated(&note).map_err(refused)?;
        let verified = self.policy(stated.size()).verify(&note).map_err(refused)?;
        let (size, root) = (verified.checkpoint().size(), *verified.checkpoint().root());
        let (name, entries) = (name.to_owned(), self.snapshot.entries());
        if size > entries {
            return Err(ProofError::Truncated { name, size, entries }.into());
        }
        if self.snapshot.tree().root(size).map_err(ProofError::from)? != root {
            return Err(ProofError::Fork { name, size }.into());
        }
        Ok(Chosen { size, root, note: Some(note) })
    }

    fn old_tree(&self, old: &At) -> Result<OldTree, CliError> {
        let (size, root) = match old {
            At::Size(size) => (*size, self.snapshot.tree().root(*size).map_err(ProofError::from)?),
            At::File(path) => {
                let tree = self.given(path)?;
                (tree.size, tree.root)
            }
        };
        Ok(OldTree { origin: Some(self.keys.origin().to_string()), size, root })
    }
}

fn note(tree: &Chosen) -> Result<&[u8], CliError> {
    let missing = || ProofError::NoCheckpoint { size: Some(tree.size) }.into();
    tree.note.as_deref().ok_or_else(missing)
}

/// What a note says, before anybody is believed: enough to choose the keys.
fn stated(note: &[u8]) -> Result<Checkpoint, CheckpointError> {
    Ok(Checkpoint::parse_text(Note::parse(note)?.text())?)
}

fn making(error: impl Into<ProofFileError>) -> ProofError {
    ProofError::Making(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_alone_are_a_size() {
        let file = |text: &str| At::File(PathBuf::from(text));
        let cases = [("17", At::Size(17)), ("./17", file("./17")), ("-1", file("-1")), ("", file(""))];
        for (text, expected) in cases {
            assert_eq!(At::parse(text).unwrap(), expected);
        }
        assert_eq!(At::parse("99999999999999999999999").unwrap(), file("99999999999999999999999"));
    }
}

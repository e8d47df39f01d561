//! Tells the dialects apart and verifies any of them with one call.

use crate::VerifiedCheckpoint;
use crate::files::consistency_file::ConsistencyFile;
use crate::files::cose::{Receipt, ReceiptProof};
use crate::files::dsse::DsseEnvelope;
use crate::files::error::ProofFileError;
use crate::files::statement::{ConsistencyStatement, InclusionStatement, STATEMENT_PAYLOAD_TYPE, Statement};
use crate::files::tlog_proof::TlogProof;
use crate::files::verified::{
    Backing, Dialect, Entry, Fact, Given, OldTree, Trust, VerifiedConsistency, VerifiedInclusion,
};
use crate::ids::NodeHash;
use crate::key::{KeyRole, VerifierKey};
use crate::tree::{TreeFault, verify_consistency, verify_inclusion};

/// A proof file of any dialect, read and not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProofFile {
    /// A C2SP tlog-proof.
    TlogProof(TlogProof),
    /// A consistency proof, as a witness takes it.
    Consistency(ConsistencyFile),
    /// A COSE receipt of either kind.
    Receipt(Receipt),
    /// A DSSE envelope; what it holds shows when it is verified.
    Envelope(DsseEnvelope),
}

impl ProofFile {
    /// Reads a proof file of any dialect, told apart by how it begins: the first line of a text,
    /// CBOR tag 18, the brace of JSON.
    ///
    /// # Errors
    /// [`ProofFileError::Dialect`], and those of each dialect.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofFileError> {
        /// CBOR tag 18 in its shortest form.
        const SIGN1: u8 = 0xd2;
        let visible = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        if bytes.starts_with(b"c2sp.org/tlog-proof@") {
            Ok(ProofFile::TlogProof(TlogProof::parse(bytes)?))
        } else if bytes.starts_with(b"old ") {
            Ok(ProofFile::Consistency(ConsistencyFile::parse(bytes)?))
        } else if bytes.first() == Some(&SIGN1) {
            Ok(ProofFile::Receipt(Receipt::parse(bytes)?))
        } else if visible == Some(&b'{') {
            Ok(ProofFile::Envelope(DsseEnvelope::parse(bytes)?))
        } else {
            Err(ProofFileError::Dialect)
        }
    }

    /// The file's dialect.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        match self {
            ProofFile::TlogProof(_) | ProofFile::Consistency(_) => Dialect::Tlog,
            ProofFile::Receipt(_) => Dialect::Cose,
            ProofFile::Envelope(_) => Dialect::Dsse,
        }
    }

    /// Verifies an inclusion proof: the signatures, the path from the entry to the signed root, and
    /// where the entry is one of ours its number; the envelope, if one is given.
    ///
    /// # Errors
    /// [`ProofFileError`].
    pub fn verify_inclusion(
        &self,
        trust: &Trust<'_>,
        given: &Given<'_>,
    ) -> Result<VerifiedInclusion, ProofFileError> {
        match self {
            ProofFile::TlogProof(proof) => proof.verify(trust, given),
            ProofFile::Receipt(receipt) => receipt_inclusion(receipt, trust, given),
            ProofFile::Envelope(envelope) => match statement(envelope, trust)? {
                (Statement::Inclusion(inclusion), backing) => inclusion.verified(backing, given),
                _ => Err(ProofFileError::Kind("inclusion")),
            },
            ProofFile::Consistency(_) => Err(ProofFileError::Kind("inclusion")),
        }
    }

    /// Verifies a consistency proof from a tree that the verifier knows.
    ///
    /// # Errors
    /// [`ProofFileError`].
    pub fn verify_consistency(
        &self,
        trust: &Trust<'_>,
        old: &OldTree,
    ) -> Result<VerifiedConsistency, ProofFileError> {
        match self {
            ProofFile::Consistency(proof) => proof.verify(trust, old),
            ProofFile::Receipt(receipt) => receipt_consistency(receipt, trust, old),
            ProofFile::Envelope(envelope) => match statement(envelope, trust)? {
                (Statement::Consistency(consistency), backing) => consistency.verified(backing, old),
                _ => Err(ProofFileError::Kind("consistency")),
            },
            ProofFile::TlogProof(_) => Err(ProofFileError::Kind("consistency")),
        }
    }
}

impl TlogProof {
    /// Verifies the checkpoint by the policy, then the path from the entry to its root.
    ///
    /// # Errors
    /// [`ProofFileError`].
    pub fn verify(&self, trust: &Trust<'_>, given: &Given<'_>) -> Result<VerifiedInclusion, ProofFileError> {
        let entry = Entry::choose(given.entry, self.extra.as_deref())?;
        let verified = checkpoint(&self.checkpoint, trust)?;
        let (size, root) = (verified.checkpoint().size(), *verified.checkpoint().root());
        verify_inclusion(self.index, size, entry.leaf, &self.path, &root)?;
        let bound = vec![Fact::Origin, Fact::Size, Fact::Root, Fact::Index, Fact::Entry];
        inclusion(entry, checkpoint_backing(&verified, bound), [self.index, size], root, given)
    }
}

impl ConsistencyFile {
    /// Verifies the newer checkpoint by the policy, then the proof from the older tree to it.
    ///
    /// # Errors
    /// [`ProofFileError`].
    pub fn verify(&self, trust: &Trust<'_>, old: &OldTree) -> Result<VerifiedConsistency, ProofFileError> {
        let verified = checkpoint(&self.checkpoint, trust)?;
        let (new_size, new_root) = (verified.checkpoint().size(), *verified.checkpoint().root());
        let backing = checkpoint_backing(&verified, vec![Fact::Origin, Fact::Size, Fact::Root]);
        same_old(old, self.old, backing.origin.as_deref())?;
        verify_consistency(old.size, &old.root, new_size, &new_root, &self.path)?;
        Ok(VerifiedConsistency { backing, old: old.clone(), new_size, new_root })
    }
}

fn checkpoint(note: &[u8], trust: &Trust<'_>) -> Result<VerifiedCheckpoint, ProofFileError> {
    let policy = trust.policy.ok_or(ProofFileError::NoTrust(Dialect::Tlog))?;
    Ok(policy.verify(note)?)
}

fn checkpoint_backing(verified: &VerifiedCheckpoint, bound: Vec<Fact>) -> Backing {
    Backing {
        dialect: Dialect::Tlog,
        origin: Some(verified.checkpoint().origin().to_owned()),
        signers: verified.log_keys().iter().map(VerifierKey::short_name).collect(),
        witnesses: verified.witnesses().iter().map(|cosigned| cosigned.witness.key().short_name()).collect(),
        signed_at_s: None,
        bound,
        unbound: Vec::new(),
    }
}

fn inclusion(
    entry: Entry,
    backing: Backing,
    [index, size]: [u64; 2],
    root: NodeHash,
    given: &Given<'_>,
) -> Result<VerifiedInclusion, ProofFileError> {
    let envelope_matches = entry.check(index, given.envelope)?;
    let Entry { leaf, header } = entry;
    Ok(VerifiedInclusion { backing, index, size, root, leaf, header, envelope_matches })
}

/// Refuses a proof that begins elsewhere than at the older tree, or that is of another log.
fn same_old(old: &OldTree, size: u64, origin: Option<&str>) -> Result<(), ProofFileError> {
    if let (Some(known), Some(signed)) = (old.origin.as_deref(), origin)
        && known != signed
    {
        return Err(ProofFileError::OtherLog { old: known.to_owned(), new: signed.to_owned() });
    }
    let is_same = size == old.size;
    if is_same { Ok(()) } else { Err(ProofFileError::OldSize { expected: old.size, found: size }) }
}

/// The keys of a role, of those trusted.
fn has_key(trust: &Trust<'_>, role: KeyRole, dialect: Dialect) -> Result<(), ProofFileError> {
    let has = trust.keys.iter().any(|key| key.role() == role);
    if has { Ok(()) } else { Err(ProofFileError::NoTrust(dialect)) }
}

fn receipt_trust(trust: &Trust<'_>) -> Result<(), ProofFileError> {
    has_key(trust, KeyRole::Cose, Dialect::Cose)?;
    let needed = trust.threshold.get();
    if needed == 1 { Ok(()) } else { Err(ProofFileError::Threshold(needed)) }
}

/// A receipt binds the root. The size is bound where the protected header has it, and then the index
/// too: in a tree of known size another index turns elsewhere. Our header states the index itself.
fn receipt_backing(receipt: &Receipt, key: &VerifierKey, entry: Option<&Entry>) -> Backing {
    let claims = receipt.claims();
    let (mut bound, mut unbound) = (vec![Fact::Root], Vec::new());
    let has_size = claims.tree_size.is_some();
    let mut state = |fact, is_bound| if is_bound { bound.push(fact) } else { unbound.push(fact) };
    state(Fact::Size, has_size);
    if let Some(entry) = entry {
        state(Fact::Index, has_size || entry.header.is_some());
        state(Fact::Entry, true);
    }
    if claims.issuer.is_some() {
        state(Fact::Origin, true);
    }
    Backing {
        dialect: Dialect::Cose,
        origin: claims.issuer.clone(),
        signers: vec![key.short_name()],
        witnesses: Vec::new(),
        signed_at_s: claims.issued_at_s,
        bound: sorted(bound),
        unbound,
    }
}

fn sorted(mut facts: Vec<Fact>) -> Vec<Fact> {
    facts.sort_unstable();
    facts
}

fn receipt_inclusion(
    receipt: &Receipt,
    trust: &Trust<'_>,
    given: &Given<'_>,
) -> Result<VerifiedInclusion, ProofFileError> {
    let ReceiptProof::Inclusion { size, index, .. } = receipt.proof() else {
        return Err(ProofFileError::Kind("inclusion"));
    };
    let entry = Entry::choose(given.entry, receipt.entry_header())?;
    receipt_trust(trust)?;
    let (root, key) = receipt.verify_inclusion(entry.leaf, trust.keys)?;
    let backing = receipt_backing(receipt, key, Some(&entry));
    inclusion(entry, backing, [*index, *size], root, given)
}

fn receipt_consistency(
    receipt: &Receipt,
    trust: &Trust<'_>,
    old: &OldTree,
) -> Result<VerifiedConsistency, ProofFileError> {
    let ReceiptProof::Consistency { old_size, new_size, .. } = receipt.proof() else {
        return Err(ProofFileError::Kind("consistency"));
    };
    receipt_trust(trust)?;
    same_old(old, *old_size, receipt.claims().issuer.as_deref())?;
    let (new_root, key) = receipt.verify_consistency(&old.root, trust.keys)?;
    let backing = receipt_backing(receipt, key, None);
    Ok(VerifiedConsistency { backing, old: old.clone(), new_size: *new_size, new_root })
}

/// Verifies an envelope's signatures, and then reads the very bytes that were verified.
fn statement(envelope: &DsseEnvelope, trust: &Trust<'_>) -> Result<(Statement, Backing), ProofFileError> {
    has_key(trust, KeyRole::Dsse, Dialect::Dsse)?;
    let verified = envelope.verify(STATEMENT_PAYLOAD_TYPE, KeyRole::Dsse, trust.keys, trust.threshold)?;
    let statement = Statement::read(verified.payload)?;
    let backing = Backing {
        dialect: Dialect::Dsse,
        origin: Some(statement.origin().to_owned()),
        signers: verified.keys.iter().map(|key| key.short_name()).collect(),
        witnesses: Vec::new(),
        signed_at_s: None,
        bound: vec![Fact::Origin, Fact::Size, Fact::Root],
        unbound: Vec::new(),
    };
    Ok((statement, backing))
}

impl InclusionStatement {
    fn verified(self, backing: Backing, given: &Given<'_>) -> Result<VerifiedInclusion, ProofFileError> {
        let header = self.header.encode();
        if given.entry.is_some_and(|entry| entry != header) {
            return Err(ProofFileError::OtherEntry);
        }
        let entry = Entry::choose(None, Some(&header))?;
        let mut backing = backing;
        backing.bound.extend([Fact::Index, Fact::Entry]);
        inclusion(entry, backing, [self.leaf_index, self.tree_size], self.root, given)
    }
}

impl ConsistencyStatement {
    fn verified(self, backing: Backing, old: &OldTree) -> Result<VerifiedConsistency, ProofFileError> {
        same_old(old, self.old_size, Some(&self.origin))?;
        if self.old_root != old.root {
            return Err(TreeFault::OldRoot { expected: old.root, found: self.old_root }.into());
        }
        Ok(VerifiedConsistency {
            backing,
            old: old.clone(),
            new_size: self.new_size,
            new_root: self.new_root,
        })
    }
}

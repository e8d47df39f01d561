//! COSE receipts (RFC 9942) over the ledger's tree: a COSE_Sign1 whose detached payload is the root,
//! with the proof in its unprotected header.
//!
//! ```text
//! 18([ protected,                     bstr: {1: -19, 4: kid, 15: {1: issuer, 6: time}, 395: 1,
//!                                            "proofline-tree-size": size}
//!      {396: {-1: [ bstr: [size, index, [hashes]] ]}     or {-2: [ bstr: [old, new, [hashes]] ]}
//!       "proofline-entry-header": bstr},
//!      nil,                           the root, which whoever checks computes
//!      signature ])                   over ["Signature1", protected, h'', root]
//! ```
//!
//! The signature covers the protected header and the root, not the proof beside them; so ours put the
//! tree size into the protected header, under a label of their own. Size and root bind the index.
//!
//! A tree of one leaf, or two equal sizes, would need an empty path, which the RFC's grammar does not
//! have: such a receipt is neither issued nor accepted.

use proofline_canon::cbor::{self, CborFault, Decoder};
use thiserror::Error;

use crate::files::MAX_PROOF_BYTES;
use crate::files::cose_labels::{self as labels, Label};
use crate::ids::{LeafHash, NodeHash};
use crate::key::{KeyRole, VerifierKey};
use crate::signer::{SignError, Signer, sign_checked};
use crate::tree::{TreeFault, consistency_nodes, consistency_root, inclusion_nodes, inclusion_root};

pub use crate::files::cose_labels::{ENTRY_HEADER_LABEL, TREE_SIZE_LABEL};

/// Ed25519 (RFC 9864), the algorithm of every receipt issued here.
pub const ALGORITHM_ED25519: i64 = -19;
/// EdDSA, deprecated because it does not fix the curve; the keys here do.
pub const ALGORITHM_EDDSA: i64 = -8;

/// CBOR tag of a COSE_Sign1.
const SIGN1_TAG: u64 = 18;
/// RFC9162_SHA256, the verifiable data structure of all that is read here.
pub(super) const VDS_RFC9162_SHA256: i64 = 1;
const INCLUSION: i64 = -1;
const CONSISTENCY: i64 = -2;
/// The most hashes of a proof between sizes of 64 bits.
const MAX_HASHES: u64 = 65;
/// The most keys that a receipt is tried with.
pub const MAX_KEYS: usize = 64;

/// Why bytes are no receipt, or why one is not accepted.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CoseError {
    /// Not CBOR in its shortest form, cut, or another type than the structure has there.
    #[error("the receipt is not as RFC 9942 draws it, in shortest CBOR: {0}")]
    Cbor(#[from] CborFault),
    /// Longer than any proof is.
    #[error("a receipt has at most 1 MiB, this one has {0} bytes")]
    TooLong(usize),
    /// Another tag, another number of elements, or bytes behind one of its parts.
    #[error("the receipt's {0} has another shape than a tagged COSE_Sign1 with one proof")]
    Form(&'static str),
    /// A label for the second time, within a header or in both.
    #[error("a header label stands there twice")]
    DuplicateLabel,
    /// A header that must be protected and is not there.
    #[error("the protected header has no {0}")]
    Missing(&'static str),
    /// A label marked critical that is not understood here, or is not in the protected header.
    #[error("the receipt marks a header label critical that is not understood here")]
    Critical,
    /// An algorithm that the keys here do not have.
    #[error("the receipt's algorithm is {0}; keys here are Ed25519: -19, or -8")]
    Algorithm(i64),
    /// Another verifiable data structure than RFC 9162 with SHA-256.
    #[error("the receipt is about data structure {0}; only 1 is known (RFC 9162 with SHA-256)")]
    DataStructure(i64),
    /// A proof without hashes.
    #[error("a receipt's proof has at least one hash; for a tree of one leaf use another form of proof")]
    EmptyPath,
    /// An attached payload that is not the root to which the proof leads.
    #[error("the attached payload is not the root to which the proof leads")]
    Payload,
    /// The signed size is not the proof's.
    #[error("the receipt is signed for a tree of {signed} entries, its proof is for one of {claimed}")]
    TreeSize {
        /// Under [`TREE_SIZE_LABEL`].
        signed: u64,
        /// In the proof.
        claimed: u64,
    },
    /// More keys than a receipt is tried with.
    #[error("{0} keys are given; at most 64 are tried")]
    TooManyKeys(usize),
    /// An inclusion receipt where a consistency receipt is wanted, or the other way round.
    #[error("this is no receipt of {0}")]
    Kind(&'static str),
    /// No key verifies the signature over the root: another entry, another older root or another key.
    #[error("no given key signed the root to which the proof leads: another tree, entry or signer")]
    Signature,
    /// The proof cannot be followed.
    #[error(transparent)]
    Tree(#[from] TreeFault),
    /// There is no signature.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl CoseError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            CoseError::Cbor(_) => "cose.cbor",
            CoseError::TooLong(_) => "cose.too_long",
            CoseError::Form(_) => "cose.form",
            CoseError::DuplicateLabel => "cose.duplicate_label",
            CoseError::Missing(_) => "cose.missing",
            CoseError::Critical => "cose.critical",
            CoseError::Algorithm(_) => "cose.algorithm",
            CoseError::DataStructure(_) => "cose.data_structure",
            CoseError::EmptyPath => "cose.empty_path",
            CoseError::Payload => "cose.payload",
            CoseError::TreeSize { .. } => "cose.tree_size",
            CoseError::TooManyKeys(_) => "cose.too_many_keys",
            CoseError::Kind(_) => "cose.kind",
            CoseError::Signature => "cose.signature",
            CoseError::Tree(fault) => fault.code(),
            CoseError::Sign(error) => error.code(),
        }
    }
}

/// What a receipt proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiptProof {
    /// That an entry is in a tree.
    Inclusion {
        /// The tree's size.
        size: u64,
        /// The entry's index.
        index: u64,
        /// From the leaf's sibling to the root's child.
        path: Vec<NodeHash>,
    },
    /// That a tree begins with an older one.
    Consistency {
        /// The older size.
        old_size: u64,
        /// The newer size, whose root is signed.
        new_size: u64,
        /// The proof between them.
        path: Vec<NodeHash>,
    },
}

impl ReceiptProof {
    /// The size of the tree whose root is signed.
    #[must_use]
    pub const fn size(&self) -> u64 {
        match self {
            ReceiptProof::Inclusion { size, .. } => *size,
            ReceiptProof::Consistency { new_size, .. } => *new_size,
        }
    }

    const fn parts(&self) -> (i64, [u64; 2], &Vec<NodeHash>) {
        match self {
            ReceiptProof::Inclusion { size, index, path } => (INCLUSION, [*size, *index], path),
            ReceiptProof::Consistency { old_size, new_size, path } => {
                (CONSISTENCY, [*old_size, *new_size], path)
            }
        }
    }

    /// Refuses a path of another length than the numbers ask for.
    fn check(&self) -> Result<(), CoseError> {
        let expected = match self {
            ReceiptProof::Inclusion { size, index, .. } => inclusion_nodes(*index, *size)?,
            ReceiptProof::Consistency { old_size, new_size, .. } => consistency_nodes(*old_size, *new_size)?,
        };
        let (.., path) = self.parts();
        match path.len() {
            0 => Err(CoseError::EmptyPath),
            found if found == expected => Ok(()),
            found => Err(TreeFault::NodeCount { expected, found }.into()),
        }
    }
}

/// What a protected header says, and so what the signature covers beside the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptClaims {
    /// The COSE number of the signature's algorithm.
    pub algorithm: i64,
    /// Which key signed; a hint. Ours hold the key's short name.
    pub kid: Option<Vec<u8>>,
    /// Who issued it; ours hold the log's origin.
    pub issuer: Option<String>,
    /// When it was issued, in Unix seconds.
    pub issued_at_s: Option<i64>,
    /// The size of the tree whose root is signed.
    pub tree_size: Option<u64>,
}

impl ReceiptClaims {
    /// Claims of which none is made.
    #[must_use]
    pub const fn none() -> Self {
        let algorithm = ALGORITHM_ED25519;
        ReceiptClaims { algorithm, kid: None, issuer: None, issued_at_s: None, tree_size: None }
    }
}

/// A receipt, read and not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    protected: Vec<u8>,
    claims: ReceiptClaims,
    proof: ReceiptProof,
    entry_header: Option<Vec<u8>>,
    payload: Option<Vec<u8>>,
    signature: Vec<u8>,
}

impl Receipt {
    /// Signs a receipt as the ledger issues them: the issuer is the log's origin, and the size is
    /// bound. The header travels unprotected; its leaf hash is what the proof begins with.
    ///
    /// # Errors
    /// [`CoseError::EmptyPath`] for a tree of one leaf and for equal sizes, [`CoseError::Tree`] when
    /// the path does not go with the numbers, [`CoseError::Sign`].
    pub fn issue(
        proof: ReceiptProof,
        root: &NodeHash,
        origin: &str,
        issued_at_s: Option<i64>,
        entry_header: Option<Vec<u8>>,
        signer: &dyn Signer,
    ) -> Result<Self, CoseError> {
        let claims = ReceiptClaims {
            algorithm: ALGORITHM_ED25519,
            kid: Some(signer.verifier().short_name().into_bytes()),
            issuer: Some(origin.to_owned()),
            issued_at_s,
            tree_size: Some(proof.size()),
        };
        Ok(Receipt { entry_header, ..Receipt::sign(proof, root, claims, signer)? })
    }

    /// Signs a receipt with these claims and no others.
    ///
    /// # Errors
    /// Those of [`Receipt::issue`], and [`CoseError::TreeSize`] for a claim that contradicts the proof.
    pub fn sign(
        proof: ReceiptProof,
        root: &NodeHash,
        claims: ReceiptClaims,
        signer: &dyn Signer,
    ) -> Result<Self, CoseError> {
        let key = signer.verifier();
        if key.role() != KeyRole::Cose {
            let error = SignError::Role { key: key.short_name(), found: key.role(), wanted: "cose" };
            return Err(error.into());
        }
        proof.check()?;
        claims.check(&proof)?;
        let protected = labels::write_protected(&claims);
        let signature = sign_checked(signer, &sig_structure(&protected, root.as_bytes()))?;
        Ok(Receipt { protected, claims, proof, entry_header: None, payload: None, signature })
    }

    /// Reads a receipt: a tagged COSE_Sign1 in shortest CBOR with exactly one proof. Unprotected
    /// labels that are not known are passed over.
    ///
    /// # Errors
    /// [`CoseError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, CoseError> {
        if bytes.len() > MAX_PROOF_BYTES {
            return Err(CoseError::TooLong(bytes.len()));
        }
        let mut decoder = Decoder::new(bytes);
        if decoder.tag("tag 18")? != SIGN1_TAG || decoder.array("a COSE_Sign1")? != 4 {
            return Err(CoseError::Form("message"));
        }
        let protected = decoder.bytes("the protected header")?;
        let (claims, mut seen) = labels::read_protected(protected)?;
        let (proof, entry_header) = read_unprotected(&mut decoder, &mut seen)?;
        let payload = decoder.nullable(|d| d.bytes("the payload"))?.map(<[u8]>::to_vec);
        let signature = decoder.bytes("the signature")?.to_vec();
        if !decoder.is_at_end() {
            return Err(CoseError::Form("end"));
        }
        Ok(Receipt { protected: protected.to_vec(), claims, proof, entry_header, payload, signature })
    }

    /// The receipt's bytes: its protected header as it was signed, the proof, the entry header.
    /// Other unprotected labels that were read are not kept.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        cbor::put_tag(&mut out, SIGN1_TAG);
        cbor::put_array(&mut out, 4);
        cbor::put_bytes(&mut out, &self.protected);
        cbor::put_map(&mut out, if self.entry_header.is_some() { 2 } else { 1 });
        cbor::put_int(&mut out, labels::VDP);
        put_proof(&mut out, &self.proof);
        if let Some(header) = &self.entry_header {
            cbor::put_text(&mut out, ENTRY_HEADER_LABEL);
            cbor::put_bytes(&mut out, header);
        }
        match &self.payload {
            Some(payload) => cbor::put_bytes(&mut out, payload),
            None => cbor::put_null(&mut out),
        }
        cbor::put_bytes(&mut out, &self.signature);
        out
    }

    /// What the protected header says.
    #[must_use]
    pub const fn claims(&self) -> &ReceiptClaims {
        &self.claims
    }

    /// The proof, which the signature covers only through the root.
    #[must_use]
    pub const fn proof(&self) -> &ReceiptProof {
        &self.proof
    }

    /// The entry header that travels with the receipt, covered by nothing.
    #[must_use]
    pub fn entry_header(&self) -> Option<&[u8]> {
        self.entry_header.as_deref()
    }

    /// Checks an inclusion receipt for the entry with this leaf hash: returns the root and the key,
    /// one of those given, that signed it.
    ///
    /// # Errors
    /// [`CoseError`]. A wrong entry and a wrong signature cannot be told apart.
    pub fn verify_inclusion<'k>(
        &self,
        leaf: LeafHash,
        keys: &'k [VerifierKey],
    ) -> Result<(NodeHash, &'k VerifierKey), CoseError> {
        let ReceiptProof::Inclusion { size, index, path } = &self.proof else {
            return Err(CoseError::Kind("inclusion"));
        };
        self.verify_root(inclusion_root(*index, *size, leaf, path)?, keys)
    }

    /// Checks a consistency receipt that begins at this older root: returns the newer root and the
    /// key, one of those given, that signed it.
    ///
    /// # Errors
    /// [`CoseError`].
    pub fn verify_consistency<'k>(
        &self,
        old_root: &NodeHash,
        keys: &'k [VerifierKey],
    ) -> Result<(NodeHash, &'k VerifierKey), CoseError> {
        let ReceiptProof::Consistency { old_size, new_size, path } = &self.proof else {
            return Err(CoseError::Kind("consistency"));
        };
        self.verify_root(consistency_root(*old_size, old_root, *new_size, path)?, keys)
    }

    fn verify_root<'k>(
        &self,
        root: NodeHash,
        keys: &'k [VerifierKey],
    ) -> Result<(NodeHash, &'k VerifierKey), CoseError> {
        self.claims.check(&self.proof)?;
        if self.payload.as_deref().is_some_and(|payload| payload != root.as_bytes()) {
            return Err(CoseError::Payload);
        }
        if keys.len() > MAX_KEYS {
            return Err(CoseError::TooManyKeys(keys.len()));
        }
        let signed = sig_structure(&self.protected, root.as_bytes());
        let mut keys = keys.iter().filter(|key| key.role() == KeyRole::Cose);
        let key = keys.find(|key| key.verify(&signed, &self.signature)).ok_or(CoseError::Signature)?;
        Ok((root, key))
    }
}

impl ReceiptClaims {
    /// Refuses an algorithm that no key here has, and a size that is not the proof's.
    fn check(&self, proof: &ReceiptProof) -> Result<(), CoseError> {
        if !matches!(self.algorithm, ALGORITHM_ED25519 | ALGORITHM_EDDSA) {
            return Err(CoseError::Algorithm(self.algorithm));
        }
        match self.tree_size {
            Some(signed) if signed != proof.size() => {
                Err(CoseError::TreeSize { signed, claimed: proof.size() })
            }
            _ => Ok(()),
        }
    }
}

/// What is signed (RFC 9052 §4.4); the payload is the root itself, not its CBOR.
fn sig_structure(protected: &[u8], root: &[u8; 32]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + protected.len());
    cbor::put_array(&mut out, 4);
    cbor::put_text(&mut out, "Signature1");
    cbor::put_bytes(&mut out, protected);
    cbor::put_bytes(&mut out, b"");
    cbor::put_bytes(&mut out, root);
    out
}

fn put_proof(out: &mut Vec<u8>, proof: &ReceiptProof) {
    let (label, numbers, path) = proof.parts();
    let mut inner = Vec::new();
    cbor::put_array(&mut inner, 3);
    numbers.iter().for_each(|number| cbor::put_uint(&mut inner, *number));
    cbor::put_array(&mut inner, path.len() as u64);
    path.iter().for_each(|hash| cbor::put_bytes(&mut inner, hash.as_bytes()));
    cbor::put_map(out, 1);
    cbor::put_int(out, label);
    cbor::put_array(out, 1);
    cbor::put_bytes(out, &inner);
}

fn read_unprotected<'a>(
    decoder: &mut Decoder<'a>,
    seen: &mut Vec<Label<'a>>,
) -> Result<(ReceiptProof, Option<Vec<u8>>), CoseError> {
    let (mut proof, mut entry_header) = (None, None);
    for _ in 0..decoder.map("the unprotected header")? {
        match labels::read_label(decoder, seen)? {
            Label::Number(labels::VDP) => proof = Some(read_proofs(decoder)?),
            // RFC 9052 §3.1: what is critical must be protected.
            Label::Number(labels::CRIT) => return Err(CoseError::Critical),
            Label::Text(ENTRY_HEADER_LABEL) => {
                entry_header = Some(decoder.bytes("the entry header")?.to_vec());
            }
            _ => drop(decoder.skip("an unprotected header")?),
        }
    }
    Ok((proof.ok_or(CoseError::Form("unprotected header"))?, entry_header))
}

/// The value of label 396: a map with one kind of proof, and an array with one proof of it.
fn read_proofs(decoder: &mut Decoder<'_>) -> Result<ReceiptProof, CoseError> {
    const FORM: CoseError = CoseError::Form("map of proofs");
    if decoder.map("the map of proofs")? != 1 {
        return Err(FORM);
    }
    let label = decoder.int("the kind of proof")?;
    if decoder.array("the array of proofs")? != 1 {
        return Err(FORM);
    }
    let mut inner = Decoder::new(decoder.bytes("a proof")?);
    if inner.array("a proof")? != 3 {
        return Err(CoseError::Form("proof"));
    }
    let (first, second) = (inner.uint("a size")?, inner.uint("an index or a size")?);
    let count = inner.array("a path")?;
    if count > MAX_HASHES {
        return Err(CoseError::Form("path"));
    }
    let hash = |_| inner.exact_bytes("a hash").map(NodeHash::from_bytes);
    let path = (0..count).map(hash).collect::<Result<Vec<_>, CborFault>>()?;
    if !inner.is_at_end() {
        return Err(CoseError::Form("proof"));
    }
    let proof = match label {
        INCLUSION => ReceiptProof::Inclusion { size: first, index: second, path },
        CONSISTENCY => ReceiptProof::Consistency { old_size: first, new_size: second, path },
        _ => return Err(FORM),
    };
    proof.check()?;
    Ok(proof)
}

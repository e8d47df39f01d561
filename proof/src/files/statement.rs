//! in-toto statements (Statement v1) about an entry of the log, or about two of its sizes. The whole
//! proof stands in the predicate, and so everything in it is signed.
//!
//! | predicate | subject, sha256 | members |
//! |---|---|---|
//! | [`INCLUSION_TYPE`] | the envelope hash | `origin`, `tree_size`, `leaf_index`, `root` (hex), `header` (base64), `path` (list of base64) |
//! | [`CONSISTENCY_TYPE`] | the newer root | `origin`, `old_size`, `old_root` (hex), `new_size`, `new_root` (hex), `path` |

use proofline_canon::{
    Integer, Limits, Number, ParseError, Profile, Sha256Digest, Value, WriteError, base64, parse, unbase64,
};
use thiserror::Error;

use crate::files::MAX_PROOF_BYTES;
use crate::header::{EntryHeader, HeaderError};
use crate::ids::{LeafHash, NodeHash};
use crate::tree::{TreeFault, verify_consistency, verify_inclusion};

/// The payload type of an in-toto statement in DSSE.
pub const STATEMENT_PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// The `_type` of a statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The predicate type of an inclusion proof.
pub const INCLUSION_TYPE: &str = "https://proofline.dev/inclusion/v1";
/// The predicate type of a consistency proof.
pub const CONSISTENCY_TYPE: &str = "https://proofline.dev/consistency/v1";

const LIMITS: Limits = Limits::ENVELOPE.with_max_bytes(MAX_PROOF_BYTES);
/// The most hashes of a proof between sizes of 64 bits.
const MAX_HASHES: usize = 65;

/// Why a payload is no statement of ours, or why one does not hold.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StatementError {
    /// Not one strict JSON value.
    #[error(transparent)]
    Json(#[from] ParseError),
    /// A member that is missing, of another type, or in another form than its only one.
    #[error("the statement has no {0} in the form that its type asks for")]
    Member(&'static str),
    /// Another `_type`.
    #[error("this is no in-toto Statement v1")]
    Type,
    /// A predicate that is not known here.
    #[error("the predicate is of type {0}, which is no proof known here")]
    PredicateType(String),
    /// Not exactly one subject, or another digest than the predicate leads to.
    #[error("the statement's one subject is not what its predicate is about")]
    Subject,
    /// The entry header does not decode.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The header is of another entry.
    #[error("the header is that of entry {found}, the statement is about entry {claimed}")]
    Seq {
        /// In the predicate.
        claimed: u64,
        /// In the header.
        found: u64,
    },
    /// The proof does not hold.
    #[error(transparent)]
    Tree(#[from] TreeFault),
    /// A number above 2^53 - 1, which canonical JSON does not carry.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl StatementError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            StatementError::Json(error) => error.code(),
            StatementError::Member(_) => "statement.member",
            StatementError::Type => "statement.type",
            StatementError::PredicateType(_) => "statement.predicate_type",
            StatementError::Subject => "statement.subject",
            StatementError::Header(_) => "proof.header",
            StatementError::Seq { .. } => "proof.seq",
            StatementError::Tree(fault) => fault.code(),
            StatementError::Write(error) => error.code(),
        }
    }
}

/// A statement of one of the two kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// That an entry is in the log.
    Inclusion(InclusionStatement),
    /// That the log only grew.
    Consistency(ConsistencyStatement),
}

/// That the entry with this header is in the tree with this root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionStatement {
    /// The log.
    pub origin: String,
    /// The tree's size.
    pub tree_size: u64,
    /// The entry's index.
    pub leaf_index: u64,
    /// The tree's root.
    pub root: NodeHash,
    /// The entry header, in its one encoding.
    pub header: EntryHeader,
    /// From the leaf's sibling to the root's child.
    pub path: Vec<NodeHash>,
}

/// That the newer tree begins with the older.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistencyStatement {
    /// The log.
    pub origin: String,
    /// The older size.
    pub old_size: u64,
    /// The older root.
    pub old_root: NodeHash,
    /// The newer size.
    pub new_size: u64,
    /// The newer root.
    pub new_root: NodeHash,
    /// The proof between them.
    pub path: Vec<NodeHash>,
}

impl InclusionStatement {
    /// Checks that the header's leaf hash and the path lead to the root, and that the header is that
    /// of the entry named.
    ///
    /// # Errors
    /// [`StatementError::Seq`], [`StatementError::Tree`].
    pub fn check(&self) -> Result<(), StatementError> {
        let (claimed, found) = (self.leaf_index, self.header.seq.get());
        if claimed != found {
            return Err(StatementError::Seq { claimed, found });
        }
        let leaf = LeafHash::of_header(&self.header.encode());
        Ok(verify_inclusion(self.leaf_index, self.tree_size, leaf, &self.path, &self.root)?)
    }

    fn predicate(&self) -> Value {
        Value::object([
            ("origin", Value::from(self.origin.as_str())),
            ("tree_size", number(self.tree_size)),
            ("leaf_index", number(self.leaf_index)),
            ("root", Value::from(self.root.to_string())),
            ("header", Value::from(base64(&self.header.encode()))),
            ("path", path_value(&self.path)),
        ])
    }

    fn read(predicate: &Value) -> Result<Self, StatementError> {
        let header = unbase64(text(predicate, "header")?).ok_or(StatementError::Member("header"))?;
        Ok(InclusionStatement {
            origin: text(predicate, "origin")?.to_owned(),
            tree_size: uint(predicate, "tree_size")?,
            leaf_index: uint(predicate, "leaf_index")?,
            root: root(predicate, "root")?,
            header: EntryHeader::decode(&header)?,
            path: path(predicate)?,
        })
    }
}

impl ConsistencyStatement {
    /// Checks that the proof leads from the older root to the newer.
    ///
    /// # Errors
    /// [`StatementError::Tree`].
    pub fn check(&self) -> Result<(), StatementError> {
        let (old, new) = (&self.old_root, &self.new_root);
        Ok(verify_consistency(self.old_size, old, self.new_size, new, &self.path)?)
    }

    fn predicate(&self) -> Value {
        Value::object([
            ("origin", Value::from(self.origin.as_str())),
            ("old_size", number(self.old_size)),
            ("old_root", Value::from(self.old_root.to_string())),
            ("new_size", number(self.new_size)),
            ("new_root", Value::from(self.new_root.to_string())),
            ("path", path_value(&self.path)),
        ])
    }

    fn read(predicate: &Value) -> Result<Self, StatementError> {
        Ok(ConsistencyStatement {
            origin: text(predicate, "origin")?.to_owned(),
            old_size: uint(predicate, "old_size")?,
            old_root: root(predicate, "old_root")?,
            new_size: uint(predicate, "new_size")?,
            new_root: root(predicate, "new_root")?,
            path: path(predicate)?,
        })
    }
}

impl Statement {
    /// The statement in canonical JSON: the payload that is signed. A proof that does not hold is
    /// not written.
    ///
    /// # Errors
    /// [`StatementError`].
    pub fn write(&self) -> Result<Vec<u8>, StatementError> {
        self.check()?;
        let (kind, predicate) = match self {
            Statement::Inclusion(inclusion) => (INCLUSION_TYPE, inclusion.predicate()),
            Statement::Consistency(consistency) => (CONSISTENCY_TYPE, consistency.predicate()),
        };
        let digest = Value::object([("sha256", Value::from(self.subject().to_string()))]);
        let statement = Value::object([
            ("_type", Value::from(STATEMENT_TYPE)),
            ("subject", Value::array([Value::object([("digest", digest)])])),
            ("predicateType", Value::from(kind)),
            ("predicate", predicate),
        ]);
        Ok(statement.to_canonical(Profile::Envelope)?)
    }

    /// Reads a verified payload, and checks that its proof holds and is about its subject. Members
    /// that are not known are passed over, as in-toto asks.
    ///
    /// # Errors
    /// [`StatementError`].
    pub fn read(payload: &[u8]) -> Result<Self, StatementError> {
        let value = parse(payload, &LIMITS)?;
        if text(&value, "_type")? != STATEMENT_TYPE {
            return Err(StatementError::Type);
        }
        let kind = text(&value, "predicateType")?;
        let predicate = || value.get("predicate").ok_or(StatementError::Member("predicate"));
        let statement = match kind {
            INCLUSION_TYPE => Statement::Inclusion(InclusionStatement::read(predicate()?)?),
            CONSISTENCY_TYPE => Statement::Consistency(ConsistencyStatement::read(predicate()?)?),
            other => return Err(StatementError::PredicateType(other.to_owned())),
        };
        statement.check()?;
        if subject(&value)? != statement.subject() {
            return Err(StatementError::Subject);
        }
        Ok(statement)
    }

    /// The log that the statement is about.
    #[must_use]
    pub fn origin(&self) -> &str {
        match self {
            Statement::Inclusion(inclusion) => &inclusion.origin,
            Statement::Consistency(consistency) => &consistency.origin,
        }
    }

    /// What the statement is about: the envelope, or the newer tree by its root.
    #[must_use]
    pub fn subject(&self) -> Sha256Digest {
        match self {
            Statement::Inclusion(inclusion) => inclusion.header.envelope_hash.digest(),
            Statement::Consistency(consistency) => Sha256Digest::from_bytes(*consistency.new_root.as_bytes()),
        }
    }

    fn check(&self) -> Result<(), StatementError> {
        match self {
            Statement::Inclusion(inclusion) => inclusion.check(),
            Statement::Consistency(consistency) => consistency.check(),
        }
    }
}

fn number(value: u64) -> Value {
    Value::Number(Number::from_u64(value))
}

fn path_value(path: &[NodeHash]) -> Value {
    Value::array(path.iter().map(NodeHash::to_base64))
}

fn text<'v>(value: &'v Value, name: &'static str) -> Result<&'v str, StatementError> {
    value.get(name).and_then(Value::as_str).ok_or(StatementError::Member(name))
}

fn uint(value: &Value, name: &'static str) -> Result<u64, StatementError> {
    let number = value.get(name).and_then(Value::as_number).map(Number::as_integer);
    match number {
        Some(Integer::Exact(number)) => u64::try_from(number).map_err(|_| StatementError::Member(name)),
        _ => Err(StatementError::Member(name)),
    }
}

fn root(value: &Value, name: &'static str) -> Result<NodeHash, StatementError> {
    let digest: Option<Sha256Digest> = text(value, name)?.parse().ok();
    digest.map(|digest| NodeHash::from_bytes(*digest.as_bytes())).ok_or(StatementError::Member(name))
}

fn path(value: &Value) -> Result<Vec<NodeHash>, StatementError> {
    const NAME: StatementError = StatementError::Member("path");
    let items = value.get("path").and_then(Value::as_array).ok_or(NAME)?;
    if items.len() > MAX_HASHES {
        return Err(NAME);
    }
    items.iter().map(|item| item.as_str().and_then(NodeHash::from_base64).ok_or(NAME)).collect()
}

/// The SHA-256 of the statement's only subject; digests of other algorithms are passed over.
fn subject(value: &Value) -> Result<Sha256Digest, StatementError> {
    let subjects = value.get("subject").and_then(Value::as_array).ok_or(StatementError::Member("subject"))?;
    let [subject] = subjects else { return Err(StatementError::Subject) };
    let digest = subject.get("digest").ok_or(StatementError::Member("digest"))?;
    text(digest, "sha256")?.parse().map_err(|_| StatementError::Member("sha256"))
}

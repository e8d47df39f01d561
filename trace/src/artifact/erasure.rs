//! The system entries about what may no longer be kept, and what must be: an erasure of a payload
//! or of a subject's key, a legal hold that forbids one, and the release of a hold.

use std::fmt;

use proofline_canon::{Sha256Digest, Value};

use crate::ids::{EnvelopeHash, SubjectKeyId, TraceId};
use crate::rejection::{SchemaFault, Violation, named};
use crate::walk::{Members, Node, Path, digest, word};
use crate::words::{Matter, Reason};
use crate::write::text;

const VERSION: &str = "1";

/// What can be erased. Its text is the resource that a decision about it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErasureTarget {
    /// A payload, by the SHA-256 of its bytes: `blob/<64 hex>`.
    Blob(Sha256Digest),
    /// A subject's sealing key, and so every payload sealed under it: `subject/<64 hex>`.
    Subject(SubjectKeyId),
}

/// What can be held. Its text is `blob/<64 hex>`, `subject/<64 hex>` or `trace/<32 hex>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HoldTarget {
    /// A payload or a subject's key.
    One(ErasureTarget),
    /// A trace: every payload that its records refer to, those to come included.
    Trace(TraceId),
}

/// The kinds of targets; the texts are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetKind {
    /// A payload.
    Blob,
    /// A subject's sealing key.
    Subject,
    /// A trace.
    Trace,
}

named!(TargetKind, "a kind of target", {
    Blob => "blob",
    Subject => "subject",
    Trace => "trace",
});

impl TargetKind {
    /// Those that can be erased.
    const ERASABLE: &'static [Self] = &[Self::Blob, Self::Subject];

    /// The member that names a target of this kind.
    const fn member(self) -> &'static str {
        match self {
            Self::Blob => "sha256",
            Self::Subject => "key_id",
            Self::Trace => "trace_id",
        }
    }
}

impl HoldTarget {
    /// What kind it is.
    #[must_use]
    pub const fn kind(&self) -> TargetKind {
        match self {
            Self::One(target) => target.kind(),
            Self::Trace(_) => TargetKind::Trace,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::One(ErasureTarget::Blob(sha256)) => sha256.to_string(),
            Self::One(ErasureTarget::Subject(key_id)) => key_id.to_string(),
            Self::Trace(trace_id) => trace_id.to_string(),
        }
    }

    fn to_value(self) -> Value {
        Value::object([("kind", text(self.kind())), (self.kind().member(), text(self.name()))])
    }

    fn read(node: Node<'_>, known: &[TargetKind]) -> Result<Self, Violation> {
        let optional: Vec<&'static str> = known.iter().map(|kind| kind.member()).collect();
        let members = node.members(&["kind"], &optional)?;
        let kind = members.get("kind", |node| match node.name(TargetKind::ALL)? {
            kind if known.contains(&kind) => Ok(kind),
            _ => Err(node.not_one_of(known)),
        })?;
        let sha256 = members.optional("sha256", digest)?;
        let key_id = members.optional("key_id", word)?;
        let trace_id = members.optional("trace_id", word)?;
        let given = [sha256.is_some(), key_id.is_some(), trace_id.is_some()];
        let strange = TargetKind::ALL.iter().zip(given).find(|(other, given)| *given && **other != kind);
        if let Some((other, _)) = strange {
            let place = Path::Member(node.path, other.member());
            let predicate = "is a member that does not go with this kind of target";
            return Err(place.fail(SchemaFault::AdditionalProperties, predicate));
        }
        let target = match kind {
            TargetKind::Blob => sha256.map(ErasureTarget::Blob).map(Self::One),
            TargetKind::Subject => key_id.map(ErasureTarget::Subject).map(Self::One),
            TargetKind::Trace => trace_id.map(Self::Trace),
        };
        target.ok_or_else(|| {
            let fault = SchemaFault::Required(kind.member().to_owned());
            let predicate = format!("lacks the member `{}`, which goes with this kind", kind.member());
            node.fail(fault, &predicate)
        })
    }
}

impl ErasureTarget {
    fn read(node: Node<'_>) -> Result<Self, Violation> {
        match HoldTarget::read(node, TargetKind::ERASABLE)? {
            HoldTarget::One(target) => Ok(target),
            HoldTarget::Trace(_) => Err(node.not_one_of(TargetKind::ERASABLE)),
        }
    }

    /// What kind it is.
    #[must_use]
    pub const fn kind(&self) -> TargetKind {
        match self {
            Self::Blob(_) => TargetKind::Blob,
            Self::Subject(_) => TargetKind::Subject,
        }
    }

    /// The resource that a decision which allows its erasure names: its text.
    #[must_use]
    pub fn resource(&self) -> String {
        self.to_string()
    }
}

impl From<ErasureTarget> for HoldTarget {
    fn from(target: ErasureTarget) -> Self {
        Self::One(target)
    }
}

impl fmt::Display for HoldTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.kind(), self.name()))
    }
}

impl fmt::Display for ErasureTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        HoldTarget::One(*self).fmt(f)
    }
}

/// That a payload, or a subject's key, is erased for good.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ErasureRecord {
    /// What is erased.
    pub target: ErasureTarget,
    /// Why, in the words of whoever asked.
    pub reason: Reason,
    /// The accepted decision that allows it.
    pub authority: EnvelopeHash,
}

super::identity!(ErasureRecord);

impl ErasureRecord {
    /// `system_type` of the record.
    pub const SYSTEM_TYPE: &'static str = "erasure";
    /// The action of the decision that allows it.
    pub const ACTION: &'static str = "erase";

    /// The record as a JSON value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::object([
            ("system_type", text(Self::SYSTEM_TYPE)),
            ("version", text(VERSION)),
            ("target", HoldTarget::One(self.target).to_value()),
            ("reason", text(&self.reason)),
            ("authority", text(self.authority)),
        ])
    }

    /// Reads a record.
    ///
    /// # Errors
    /// The first violation of the schema.
    pub fn from_value(value: &Value) -> Result<Self, Violation> {
        let path = Path::Root("the erasure");
        let required = ["system_type", "version", "target", "reason", "authority"];
        let members = Node { value, path: &path }.members(&required, &[])?;
        head(&members, Self::SYSTEM_TYPE)?;
        Ok(Self {
            target: members.get("target", ErasureTarget::read)?,
            reason: members.get("reason", word)?,
            authority: members.get("authority", word)?,
        })
    }
}

/// That something must not be erased, until the hold is released. Its hash is its id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HoldRecord {
    /// What is held.
    pub target: HoldTarget,
    /// Why, in the words of whoever asked.
    pub reason: Reason,
    /// The legal matter that it belongs to.
    pub matter: Option<Matter>,
}

super::identity!(HoldRecord);

impl HoldRecord {
    /// `system_type` of the record.
    pub const SYSTEM_TYPE: &'static str = "hold";

    /// The record as a JSON value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let head = [
            ("system_type", text(Self::SYSTEM_TYPE)),
            ("version", text(VERSION)),
            ("target", self.target.to_value()),
            ("reason", text(&self.reason)),
        ];
        let matter = self.matter.as_ref().map(|matter| ("matter", text(matter)));
        Value::object(head.into_iter().chain(matter))
    }

    /// Reads a record.
    ///
    /// # Errors
    /// The first violation of the schema.
    pub fn from_value(value: &Value) -> Result<Self, Violation> {
        let path = Path::Root("the hold");
        let required = ["system_type", "version", "target", "reason"];
        let members = Node { value, path: &path }.members(&required, &["matter"])?;
        head(&members, Self::SYSTEM_TYPE)?;
        Ok(Self {
            target: members.get("target", |node| HoldTarget::read(node, TargetKind::ALL))?,
            reason: members.get("reason", word)?,
            matter: members.optional("matter", word)?,
        })
    }
}

/// That a hold is over.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReleaseRecord {
    /// The hash of the hold.
    pub hold: EnvelopeHash,
    /// Why, in the words of whoever asked.
    pub reason: Reason,
    /// The accepted decision that allows it.
    pub authority: EnvelopeHash,
}

super::identity!(ReleaseRecord);

impl ReleaseRecord {
    /// `system_type` of the record.
    pub const SYSTEM_TYPE: &'static str = "release";
    /// The action of the decision that allows it.
    pub const ACTION: &'static str = "release";

    /// The resource that a decision which allows it names: `hold/<64 hex>`.
    #[must_use]
    pub fn resource(&self) -> String {
        format!("hold/{}", self.hold)
    }

    /// The record as a JSON value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::object([
            ("system_type", text(Self::SYSTEM_TYPE)),
            ("version", text(VERSION)),
            ("hold", text(self.hold)),
            ("reason", text(&self.reason)),
            ("authority", text(self.authority)),
        ])
    }

    /// Reads a record.
    ///
    /// # Errors
    /// The first violation of the schema.
    pub fn from_value(value: &Value) -> Result<Self, Violation> {
        let path = Path::Root("the release");
        let required = ["system_type", "version", "hold", "reason", "authority"];
        let members = Node { value, path: &path }.members(&required, &[])?;
        head(&members, Self::SYSTEM_TYPE)?;
        Ok(Self {
            hold: members.get("hold", word)?,
            reason: members.get("reason", word)?,
            authority: members.get("authority", word)?,
        })
    }
}

fn head(members: &Members<'_>, system_type: &str) -> Result<(), Violation> {
    members.get("system_type", |node| node.text_const(system_type))?;
    members.get("version", |node| node.text_const(VERSION))
}

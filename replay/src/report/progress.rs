//! How far a run over everything is: enough to go on in another process and come to the same end.

use proofline_canon::{Sha256Digest, Value};
use proofline_ledger::{Snapshot, damage_value};
use proofline_trace::TraceId;

use super::node::Node;
use super::part::Part;
use super::spelling;
use crate::form::FormError;

/// Where a run over everything can go on: [`replay_part`](crate::replay_part) takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// What it came to so far.
    pub(crate) part: Part,
    pub(crate) place: Place,
    /// Entries of the traces so far.
    pub(crate) entries: u64,
    /// What damage opening the ledger came upon, as one digest: what was counted of it must not be counted again.
    pub(crate) opening: Sha256Digest,
}

/// How far a run over everything is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Entries of its stretch of the log that were checked.
    pub(crate) checked: u64,
    /// The last trace that was replayed.
    pub(crate) after: Option<TraceId>,
}

/// The damage that opening came upon, as one digest.
pub(crate) fn opening_of(snapshot: &Snapshot) -> Sha256Digest {
    let damage = Value::array(snapshot.damage().iter().map(damage_value));
    Sha256Digest::of(spelling::canonical(&damage).unwrap_or_default().as_bytes())
}

impl Progress {
    /// Traces with a verdict so far.
    #[must_use]
    pub const fn traces(&self) -> u64 {
        self.part.summary.traces
    }

    pub(super) fn to_value(&self) -> Value {
        let after = self.place.after.map_or(Value::Null, |trace| Value::from(trace.to_string()));
        Value::object([
            ("part", self.part.to_value()),
            ("checked", Value::from(self.place.checked)),
            ("after", after),
            ("entries", Value::from(self.entries)),
            ("opening_sha256", Value::from(self.opening.to_string())),
        ])
    }

    pub(super) fn read(node: &Node<'_>) -> Result<Self, FormError> {
        let after = node.get("after")?.some().map(|trace| trace.word("a trace id")).transpose()?;
        Ok(Self {
            part: Part::read(&node.get("part")?)?,
            place: Place { checked: node.get("checked")?.count()?, after },
            entries: node.get("entries")?.count()?,
            opening: node.get("opening_sha256")?.word("a SHA-256")?,
        })
    }
}

//! An entry that is asked about: its header, its body as far as it is at hand, and what the body says once somebody
//! asks.

use std::cell::OnceCell;
use std::sync::Arc;

use proofline_canon::{Limits, Value, parse};
use proofline_ledger::frame::MAX_BODY_BYTES;
use proofline_ledger::{EntryFault, EntryHeader, EntryKind, EntryStatus};
use proofline_trace::{Classification, Envelope, read_unhashed};

use crate::cell::{Cell, Found};
use crate::decide::Depth;
use crate::field::{BodyPath, EntryField, Field, Whose};
use crate::reach::{Named, Reach};
use crate::record;

/// Bodies as the log lets them be.
const LIMITS: Limits = Limits::CONTENT.with_max_bytes(MAX_BODY_BYTES);

/// The record in a body; none where it is no envelope, which is damage that `verify` tells.
pub(crate) fn read_record(body: &[u8]) -> Option<Envelope> {
    read_unhashed(body, &LIMITS).ok().map(proofline_trace::Unhashed::into_envelope)
}

/// An entry that is asked about.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) header: &'a EntryHeader,
    pub(crate) header_bytes: &'a [u8],
    /// None where it is archived.
    pub(crate) body: Option<&'a [u8]>,
    record: OnceCell<Option<Arc<Envelope>>>,
    value: OnceCell<Option<Value>>,
    /// The records that it rests on.
    context: OnceCell<Named>,
    decision: OnceCell<Named>,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(header: &'a EntryHeader, header_bytes: &'a [u8], body: &'a [u8]) -> Self {
        Self { body: Some(body), ..Self::without_body(header, header_bytes) }
    }

    pub(crate) const fn without_body(header: &'a EntryHeader, header_bytes: &'a [u8]) -> Self {
        Self {
            header,
            header_bytes,
            body: None,
            record: OnceCell::new(),
            value: OnceCell::new(),
            context: OnceCell::new(),
            decision: OnceCell::new(),
        }
    }

    pub(crate) const fn is_evidence(&self) -> bool {
        matches!(self.header.status, EntryStatus::Accepted | EntryStatus::Rejected { .. })
    }

    /// The record of evidence; none of other entries, and where it cannot be read.
    pub(crate) fn record(&self) -> Option<&Arc<Envelope>> {
        let read = || self.body.filter(|_| self.is_evidence()).and_then(read_record).map(Arc::new);
        self.record.get_or_init(read).as_ref()
    }

    fn value(&self) -> Option<&Value> {
        self.value.get_or_init(|| parse(self.body?, &LIMITS).ok()).as_ref()
    }

    /// Hands what a field says to `take`.
    pub(crate) fn read<R>(
        &self,
        field: &Field,
        reach: &mut Reach<'_>,
        depth: Depth,
        take: impl FnOnce(Found<'_>) -> R,
    ) -> Result<R, EntryFault> {
        Ok(match field {
            Field::Entry(field) => take(self.of_header(*field).into()),
            // That an entry is no evidence, or of no trace, its header says.
            Field::Record(..) | Field::Member(..) if !self.is_evidence() => take(Found::Absent),
            Field::Trace(_) if self.header.trace.is_none() => take(Found::Absent),
            _ if depth == Depth::Header => take(Found::Unknown),
            Field::Trace(field) => {
                let count = match self.header.trace {
                    Some(link) => reach.count(link.trace_id, *field)?,
                    None => None,
                };
                take(count.map_or(Found::Unknown, |count| Found::Cell(Cell::Integer(count.into()))))
            }
            Field::Body(path) => take(self.of_body(path)),
            Field::Record(whose, _) | Field::Member(whose, ..) => match self.rests_on(*whose, reach)? {
                Named::Record(record) => take(of_record(&record, field).into()),
                Named::Nothing => take(Found::Absent),
                Named::Unknown => take(Found::Unknown),
            },
        })
    }

    /// The record that a field is read from, looked for once.
    fn rests_on(&self, whose: Whose, reach: &mut Reach<'_>) -> Result<Named, EntryFault> {
        let known = match whose {
            Whose::Own => None,
            Whose::Context => Some(&self.context),
            Whose::Decision => Some(&self.decision),
        };
        if let Some(named) = known.and_then(OnceCell::get) {
            return Ok(named.clone());
        }
        let named = self.look_for(whose, reach)?;
        if let Some(known) = known {
            let _ = known.set(named.clone());
        }
        Ok(named)
    }

    fn look_for(&self, whose: Whose, reach: &mut Reach<'_>) -> Result<Named, EntryFault> {
        let Some(own) = self.record() else { return Ok(Named::Unknown) };
        let (is_own, hash) = match whose {
            Whose::Own => (true, None),
            Whose::Context => (matches!(**own, Envelope::AuthContext(_)), own.auth_context_hash()),
            Whose::Decision => (matches!(**own, Envelope::PolicyDecision(_)), own.policy_decision_hash()),
        };
        if is_own {
            return Ok(Named::Record(Arc::clone(own)));
        }
        let Some(hash) = hash else { return Ok(Named::Nothing) };
        let named = reach.record(&hash)?;
        // A hash of another type names nothing, as for the gate.
        let is_of_type = |record: &Envelope| match whose {
            Whose::Own => true,
            Whose::Context => matches!(record, Envelope::AuthContext(_)),
            Whose::Decision => matches!(record, Envelope::PolicyDecision(_)),
        };
        Ok(match named {
            Named::Record(record) if !is_of_type(&record) => Named::Nothing,
            named => named,
        })
    }

    fn of_header(&self, field: EntryField) -> Option<Cell<'a>> {
        let header = self.header;
        let answer = match &header.status {
            EntryStatus::Accepted => Some((Classification::Accept, None)),
            EntryStatus::Rejected { classification, error_kind, .. } => {
                Some((*classification, Some(error_kind.code())))
            }
            _ => None,
        };
        match field {
            EntryField::Seq => Some(Cell::Integer(header.seq.get().into())),
            EntryField::Kind => Some(Cell::Text(header.status.kind().as_str())),
            EntryField::RecordedAt => Some(Cell::Integer(header.recorded_at_ms.into())),
            EntryField::TraceId => header.trace.as_ref().map(|link| Cell::Hex(link.trace_id.as_bytes())),
            EntryField::TraceCount => header.trace.map(|link| Cell::Integer(link.count.into())),
            EntryField::Hash => Some(Cell::Hex(header.envelope_hash.as_bytes())),
            EntryField::Classification => answer.map(|(class, _)| Cell::Text(class.as_str())),
            EntryField::ErrorKind => answer.and_then(|(_, kind)| kind).map(Cell::Text),
        }
    }

    fn of_body(&self, path: &BodyPath) -> Found<'_> {
        let Some(value) = self.value() else { return Found::Unknown };
        let mut at = Some(value);
        for step in path.steps() {
            at = at.and_then(|value| match value {
                Value::Object(object) => object.get(step),
                Value::Array(items) => place(step).and_then(|place| items.get(place)),
                _ => None,
            });
        }
        at.and_then(Cell::of_json).into()
    }

    /// Whether all that the header leaves to the body can be had.
    pub(crate) fn is_readable(&self) -> bool {
        match self.header.status.kind() {
            EntryKind::Accepted | EntryKind::Rejected => self.record().is_some(),
            _ => self.value().is_some(),
        }
    }
}

fn of_record<'a>(record: &'a Envelope, field: &Field) -> Option<Cell<'a>> {
    match field {
        Field::Record(_, field) => record::value(record, *field),
        Field::Member(_, set, token) => {
            record::set(record, *set).filter(|set| set.contains(token.as_str())).map(|_| Cell::Flag(true))
        }
        _ => None,
    }
}

/// A place in an array: digits without a zero in front.
fn place(step: &str) -> Option<usize> {
    let is_plain = step == "0" || !step.starts_with(['0', '+']);
    step.parse().ok().filter(|_| is_plain)
}

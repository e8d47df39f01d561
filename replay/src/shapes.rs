//! Spans that are no records: an import of telemetry names them in an entry of its own, and a record below one of them
//! lacks no parent.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use proofline_ledger::{ArtifactKind, EntryFault, EntryKind, Snapshot};
use proofline_trace::{Became, OtelImport, SpanId, TraceId};

use crate::error::ReplayError;

/// The spans of a trace that imports keep as its shape. An entry that cannot be read names none: the check of every
/// entry tells of it.
pub(crate) fn of_trace(snapshot: &Snapshot, trace: TraceId) -> Result<BTreeSet<SpanId>, ReplayError> {
    let mut shapes = BTreeSet::new();
    each_import(snapshot, trace, |import| {
        let kept = import.spans.iter().filter(|span| span.became == Became::Shape);
        shapes.extend(kept.map(|span| span.span_id));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(shapes)
}

/// Hands on what each import says of a trace, in the order of the log, until it is told to stop.
pub(crate) fn each_import(
    snapshot: &Snapshot,
    trace: TraceId,
    mut take: impl FnMut(&OtelImport) -> Result<ControlFlow<()>, ReplayError>,
) -> Result<(), ReplayError> {
    for seq in snapshot.of_trace(trace).map_err(ReplayError::Lookup)? {
        let header = match snapshot.header(seq) {
            Ok(Some(header)) => header,
            Ok(None) | Err(EntryFault::Damaged(_)) => continue,
            Err(fault) => return Err(ReplayError::Lookup(fault)),
        };
        if header.status.kind() != EntryKind::Artifact {
            continue;
        }
        let body = match snapshot.entry(seq) {
            Ok(Some(entry)) => entry.body,
            Ok(None) | Err(EntryFault::Damaged(_)) => continue,
            Err(EntryFault::Archived(entry)) => return Err(ReplayError::Archived(entry)),
            Err(fault) => return Err(ReplayError::Lookup(fault)),
        };
        if let Ok(ArtifactKind::OtelImport(import)) = ArtifactKind::read(&body)
            && take(&import)?.is_break()
        {
            break;
        }
    }
    Ok(())
}

//! Keys from telemetry: an attribute of the spans of a trace, which imports keep in the documents of its spans.

use std::ops::ControlFlow;

use proofline_canon::{Limits, Value, parse};
use proofline_ledger::Snapshot;
use proofline_trace::{BlobRef, TraceId};

use super::text::read;
use crate::error::ReplayError;
use crate::means::Means;
use crate::shapes::each_import;

/// A document that claims more is not read for its attributes.
const DOCUMENT_BYTES: u64 = Limits::CONTENT.max_bytes() as u64;

/// Whose attribute it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttributeOf {
    /// That of the resource that sent a span.
    Resource,
    /// That of a span itself.
    Span,
}

/// The value that the root span has, else that of the first span that has one, as OTLP writes it; none where no span
/// that is kept at hand has such an attribute.
pub(super) fn value_of(
    snapshot: &Snapshot,
    means: &Means<'_>,
    trace: TraceId,
    of: AttributeOf,
    name: &str,
) -> Result<Option<Value>, ReplayError> {
    let mut first = None;
    each_import(snapshot, trace, |import| {
        let Some(document) = document(means, &import.document)? else { return Ok(ControlFlow::Continue(())) };
        for span in items(&document, "spans") {
            let is_root = is_root(span);
            if first.is_some() && !is_root {
                continue;
            }
            let Some(value) = attribute(&document, span, of, name) else { continue };
            first = Some(value.clone());
            if is_root {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(first)
}

/// The value in words: what it holds, where that is one text or number.
pub(super) fn in_words(value: &Value) -> Option<&str> {
    ["stringValue", "intValue"].into_iter().find_map(|name| value.get(name)?.as_str())
}

fn document(means: &Means<'_>, blob: &BlobRef) -> Result<Option<Value>, ReplayError> {
    let Some(store) = means.payloads.filter(|_| blob.size_bytes.get() <= DOCUMENT_BYTES) else {
        return Ok(None);
    };
    Ok(read(store, blob)?.and_then(|bytes| parse(&bytes, &Limits::CONTENT).ok()))
}

fn items<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).unwrap_or_default()
}

/// Some senders write no parent as an id of zeros.
fn is_root(span: &Value) -> bool {
    let parent = span.get("parentSpanId").and_then(Value::as_str).unwrap_or_default();
    parent.bytes().all(|digit| digit == b'0')
}

fn attribute<'v>(document: &'v Value, span: &'v Value, of: AttributeOf, name: &str) -> Option<&'v Value> {
    let holder = match of {
        AttributeOf::Span => span,
        AttributeOf::Resource => {
            let at = span.get("resource").and_then(Value::as_number)?;
            items(document, "resources").get(at.literal().parse::<usize>().ok()?)?
        }
    };
    let found =
        items(holder, "attributes").iter().find(|it| it.get("key").and_then(Value::as_str) == Some(name));
    found?.get("value")
}

//! The document of the spans, read back: spans as they came, with the content that payloads hold put in its place.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::Cursor;
use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use proofline_canon::{Limits, Object, Profile, Sha256Digest, Value, parse};
use proofline_trace::TraceId;
use thiserror::Error;

use crate::allowance::{Allowance, Budget};
use crate::content::{Surroundings, span_value};
use crate::read::{Item, ReadOptions, read};
use crate::restore::{Pieces, Restored};
use crate::spans_document::{FORM, VERSION};

/// A span in what it stands in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlacedSpan {
    pub(crate) span: Span,
    pub(crate) resource: Arc<Resource>,
    pub(crate) resource_schema_url: Arc<str>,
    pub(crate) scope: Arc<InstrumentationScope>,
    pub(crate) scope_schema_url: Arc<str>,
}

impl PlacedSpan {
    /// A span in no surroundings.
    pub(crate) fn alone(span: Span) -> Self {
        Self {
            span,
            resource: Arc::default(),
            resource_schema_url: "".into(),
            scope: Arc::default(),
            scope_schema_url: "".into(),
        }
    }

    /// What the span is known by.
    pub(crate) fn content_sha256(&self) -> Option<Sha256Digest> {
        let within = Surroundings {
            resource: &self.resource,
            resource_schema_url: &self.resource_schema_url,
            scope: &self.scope,
            scope_schema_url: &self.scope_schema_url,
        };
        within.sha256_of(span_value(&self.span)).ok()
    }
}

/// A span of the document, and what of it is not as it came.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KeptSpan {
    pub(crate) placed: PlacedSpan,
    /// Attributes that were left out: their content is nowhere at hand.
    pub(crate) missing: Vec<String>,
    /// Attributes that say what they said, in another spelling.
    pub(crate) restated: Vec<String>,
}

/// Why a document gives no spans.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum NotKept {
    /// Nothing but its digest was kept.
    #[error("the import kept digests alone")]
    DigestOnly,
    /// It is not what imports write.
    #[error("it is no document of spans: {0}")]
    Form(&'static str),
}

/// Reads a document. `payloads` gives the documents of the call that the span of this place became. Content beyond the
/// allowance is missing.
pub(crate) fn kept_spans(
    bytes: &[u8],
    trace: TraceId,
    allowance: &Allowance,
    payloads: &mut dyn FnMut(usize) -> (Option<Value>, Option<Value>),
) -> Result<Vec<KeptSpan>, NotKept> {
    let limits = Limits::CONTENT.with_max_bytes(bytes.len().max(1));
    let document = parse(bytes, &limits).map_err(|_| NotKept::Form("no JSON"))?;
    let is = |name: &str, wanted: &str| document.get(name).and_then(Value::as_str) == Some(wanted);
    if !is("type", FORM) || !is("version", VERSION) || !is("trace_id", &trace.to_string()) {
        return Err(NotKept::Form("another type, version or trace"));
    }
    if document.get("whole").is_some() {
        return Err(NotKept::DigestOnly);
    }
    let list = |name: &'static str| {
        document.get(name).and_then(Value::as_array).ok_or(NotKept::Form("a list is missing"))
    };
    let spans = list("spans")?;
    let mut groups = Groups::new(list("resources")?, list("scopes")?, &allowance.around);
    let mut notes = Vec::with_capacity(spans.len());
    for (at, span) in spans.iter().enumerate() {
        let mut members = span.as_object().cloned().ok_or(NotKept::Form("a span is no object"))?;
        let within = (place(members.remove("resource"))?, place(members.remove("scope"))?);
        let (request, response) = payloads(at);
        let pieces = Pieces {
            request: request.as_ref().and_then(Value::as_object),
            response: response.as_ref().and_then(Value::as_object),
        };
        let budget = &allowance.content;
        let mut filler = Filler { pieces, budget, missing: Vec::new(), restated: Vec::new() };
        filler.span(&mut members);
        filler.missing.extend(groups.take(at, within, Value::Object(members))?);
        notes.push((filler.missing, filler.restated));
    }
    let placed = groups.decoded()?;
    if placed.len() != notes.len() {
        return Err(NotKept::Form("a span cannot be read"));
    }
    let join = |(placed, (missing, restated))| KeptSpan { placed, missing, restated };
    Ok(placed.into_iter().zip(notes).map(join).collect())
}

/// Where a span says that its resource or scope stands.
fn place(at: Option<Value>) -> Result<usize, NotKept> {
    let place = || at?.as_number()?.literal().parse().ok();
    place().ok_or(NotKept::Form("a span names no resource or scope"))
}

/// A resource or scope, without what was told by digest, and the keys of that: no payload gives it back.
struct Around {
    members: Object,
    missing: Vec<String>,
}

impl Around {
    fn of(list: &[Value], at: usize) -> Result<Self, NotKept> {
        let members = list.get(at).and_then(Value::as_object).cloned();
        let mut members = members.ok_or(NotKept::Form("a span names no resource or scope"))?;
        let budget = Budget::of_bytes(0);
        let mut filler =
            Filler { pieces: Pieces::default(), budget: &budget, missing: Vec::new(), restated: Vec::new() };
        filler.attributes(&mut members);
        Ok(Self { members, missing: filler.missing })
    }
}

/// Spans by the resource and the scope that they stand in, each of which is there once however many spans name it.
struct Groups<'a> {
    resources: &'a [Value],
    scopes: &'a [Value],
    budget: &'a Budget,
    around: [BTreeMap<usize, Around>; 2],
    spans: BTreeMap<(usize, usize), Vec<Value>>,
    /// The spans of the groups, one group behind the other, by where they stand in the document.
    places: BTreeMap<(usize, usize), Vec<usize>>,
    last: Option<(usize, usize)>,
}

impl<'a> Groups<'a> {
    fn new(resources: &'a [Value], scopes: &'a [Value], budget: &'a Budget) -> Self {
        let (around, spans, places) = (Default::default(), BTreeMap::new(), BTreeMap::new());
        Self { resources, scopes, budget, around, spans, places, last: None }
    }

    /// Takes a span; the keys that are missing around it. Wherever the surroundings change, an export says them anew.
    fn take(&mut self, at: usize, within: (usize, usize), span: Value) -> Result<Vec<String>, NotKept> {
        let mut missing = Vec::new();
        let lists = [(self.resources, within.0), (self.scopes, within.1)];
        for ((list, at), around) in lists.into_iter().zip(&mut self.around) {
            let known = match around.entry(at) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(Around::of(list, at)?),
            };
            let named_bytes = known.missing.iter().map(String::len).sum();
            let is_new = self.last != Some(within);
            let is_allowed = self.budget.take(named_bytes)
                && (!is_new || list.get(at).is_none_or(|value| self.budget.take_value(value)));
            if !is_allowed {
                return Err(NotKept::Form("its spans name resources and scopes far too often"));
            }
            missing.extend(known.missing.iter().cloned());
        }
        self.last = Some(within);
        self.spans.entry(within).or_default().push(span);
        self.places.entry(within).or_default().push(at);
        Ok(missing)
    }

    /// All of them, in the order of the document.
    fn decoded(self) -> Result<Vec<PlacedSpan>, NotKept> {
        let [resources, scopes] = &self.around;
        let around = |known: &BTreeMap<usize, Around>,
                      at: usize,
                      name: &'static str,
                      rest: (&'static str, Vec<Value>)| {
            let mut members = known.get(&at).map(|it| it.members.clone()).unwrap_or_default();
            let url = members.remove("schemaUrl").map(|url| ("schemaUrl", url));
            let whole = [(name, Value::Object(members)), (rest.0, Value::Array(rest.1))];
            Value::object(whole.into_iter().chain(url))
        };
        let mut by_resource: BTreeMap<usize, Vec<Value>> = BTreeMap::new();
        for ((resource, scope), spans) in self.spans {
            let scope_spans = around(scopes, scope, "scope", ("spans", spans));
            by_resource.entry(resource).or_default().push(scope_spans);
        }
        let messages = by_resource.into_iter();
        let messages = messages.map(|(at, within)| around(resources, at, "resource", ("scopeSpans", within)));
        let decoded = decoded(messages.collect())?;
        let mut all: Vec<(usize, PlacedSpan)> = self.places.into_values().flatten().zip(decoded).collect();
        all.sort_by_key(|(at, _)| *at);
        Ok(all.into_iter().map(|(_, placed)| placed).collect())
    }
}

/// Spans from OTLP's JSON, by the reader that takes in files.
fn decoded(messages: Vec<Value>) -> Result<Vec<PlacedSpan>, NotKept> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let whole = Value::object([("resourceSpans", Value::Array(messages))]);
    let text = whole.to_canonical(Profile::Content).map_err(|_| NotKept::Form("too deep"))?;
    let mut options = ReadOptions::default();
    options.message_bytes = text.len().max(options.message_bytes);
    options.json_depth = Limits::CONTENT.max_depth();
    let mut placed = Vec::new();
    read(&mut Cursor::new(text), &options, &mut |item| {
        let Item::Batch(batch) = item else { return Err(()) };
        placed.extend(batch.spans.into_iter().map(|read| PlacedSpan {
            span: read.span,
            resource: Arc::clone(&batch.resource),
            resource_schema_url: Arc::clone(&batch.resource_schema_url),
            scope: Arc::clone(&batch.scope),
            scope_schema_url: Arc::clone(&batch.scope_schema_url),
        }));
        Ok(())
    })
    .map_err(|_| NotKept::Form("a span cannot be read"))?;
    Ok(placed)
}

/// Puts content in the place of the digests that stand for it.
struct Filler<'a> {
    pieces: Pieces<'a>,
    budget: &'a Budget,
    missing: Vec<String>,
    restated: Vec<String>,
}

impl Filler<'_> {
    fn span(&mut self, span: &mut Object) {
        self.attributes(span);
        for list in ["events", "links"] {
            let Some(Value::Array(items)) = span.get_mut(list) else { continue };
            for item in items {
                if let Value::Object(item) = item {
                    self.attributes(item);
                }
            }
        }
        let Some(Value::Object(status)) = span.get_mut("status") else { return };
        if matches!(status.get("message"), Some(Value::Object(_))) {
            status.remove("message");
            self.missing.push("status.message".to_owned());
        }
    }

    fn attributes(&mut self, of: &mut Object) {
        let Some(Value::Array(attributes)) = of.get_mut("attributes") else { return };
        attributes.retain_mut(|attribute| {
            let Value::Object(members) = attribute else { return true };
            let Some(stand_in) = members.get("value").filter(|it| it.get("sha256").is_some()) else {
                return true;
            };
            let key = members.get("key").and_then(Value::as_str).unwrap_or_default().to_owned();
            let text = match self.pieces.restore(&key, stand_in, self.budget) {
                Some(Restored::Same(text)) => text,
                Some(Restored::Restated(text)) => {
                    self.restated.push(key);
                    text
                }
                None => {
                    self.missing.push(key);
                    return false;
                }
            };
            members.insert("value", Value::object([("stringValue", text)]));
            true
        });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    const DOCUMENT: &str = concat!(
        r#"{"capture":"full","resources":[{"attributes":[{"key":"service.name","value":{"stringValue":"desk"}}],"#,
        r#""schemaUrl":"https://schema.example/1"}],"scopes":[{"name":"s"}],"spans":[{"attributes":["#,
        r#"{"key":"gen_ai.tool.call.result","value":{"sha256":"SHA","size_bytes":23}},"#,
        r#"{"key":"n","value":{"intValue":"1"}}],"name":"a","resource":0,"scope":0,"spanId":"0102030405060708","#,
        r#""status":{"code":2,"message":{"sha256":"SHA","size_bytes":6}},"traceId":"01010101010101010101010101010101"}],"#,
        r#""trace_id":"01010101010101010101010101010101","type":"proofline.otel.spans","version":"1"}"#,
    );

    fn trace() -> TraceId {
        TraceId::from_bytes([1; 16]).unwrap()
    }

    fn enough() -> Allowance {
        Allowance::of_document(0)
    }

    fn document() -> String {
        let digest = Sha256Digest::of(br#"{"stringValue":"done"}"#);
        DOCUMENT.replace("SHA", &digest.to_string())
    }

    /// The same, where the result came in pieces.
    fn shaped() -> String {
        let text = r#"{"content": "done"}"#;
        let said = Value::object([("stringValue", text)]).to_canonical(Profile::Content).unwrap();
        let stand_in = format!(
            r#"{{"sha256":"{}","shape":{{"content":{{"$payload":"/response/result"}}}},"size_bytes":39,"spelling":{{"ascii":true,"orders":[],"spaced":true}}}}"#,
            Sha256Digest::of(&said),
        );
        let digest = Sha256Digest::of(br#"{"stringValue":"done"}"#);
        let plain = format!(r#"{{"sha256":"{digest}","size_bytes":23}}"#);
        document().replace("gen_ai.tool.call.result", "gen_ai.event.content").replace(&plain, &stand_in)
    }

    fn result(text: &str) -> (Option<Value>, Option<Value>) {
        (None, Some(Value::object([("result", text)])))
    }

    #[test]
    fn content_is_put_back_or_missed_by_name() {
        let read = |payloads: (Option<Value>, Option<Value>)| {
            let mut all =
                kept_spans(document().as_bytes(), trace(), &enough(), &mut |_| payloads.clone()).unwrap();
            all.remove(0)
        };
        let same = read(result("done"));
        assert_eq!(same.missing, ["status.message"]);
        assert!(same.restated.is_empty());
        let keys = |kept: &KeptSpan| -> Vec<String> {
            kept.placed.span.attributes.iter().map(|it| it.key.clone()).collect()
        };
        assert_eq!(keys(&same), ["gen_ai.tool.call.result", "n"]);
        assert_eq!(&*same.placed.resource_schema_url, "https://schema.example/1");
        assert_eq!(same.placed.scope.name, "s");
        // Another text than the digest's is told.
        assert_eq!(read(result("other")).restated, ["gen_ai.tool.call.result"]);
        let gone = read((None, None));
        assert_eq!(gone.missing, ["gen_ai.tool.call.result", "status.message"]);
        assert_eq!(keys(&gone), ["n"]);
    }

    #[test]
    fn what_came_in_pieces_is_put_together_or_missed() {
        let read = |payloads: (Option<Value>, Option<Value>)| {
            kept_spans(shaped().as_bytes(), trace(), &enough(), &mut |_| payloads.clone()).unwrap().remove(0)
        };
        let value = |kept: &KeptSpan| {
            crate::value::text(&kept.placed.span.attributes, "gen_ai.event.content").map(str::to_owned)
        };
        let same = read(result("done"));
        assert_eq!((value(&same).as_deref(), same.restated.len()), (Some(r#"{"content": "done"}"#), 0));
        let other = read(result("other"));
        assert_eq!(value(&other).as_deref(), Some(r#"{"content": "other"}"#));
        assert_eq!(other.restated, ["gen_ai.event.content"]);
        let gone = read((None, None));
        assert_eq!(
            (value(&gone), gone.missing),
            (None, vec!["gen_ai.event.content".to_owned(), "status.message".to_owned()])
        );
    }

    #[test]
    fn what_is_no_document_gives_no_spans() {
        let read =
            |text: &str, trace: TraceId| kept_spans(text.as_bytes(), trace, &enough(), &mut |_| (None, None));
        let document = document();
        assert!(read(&document, TraceId::from_bytes([2; 16]).unwrap()).is_err());
        for (from, to) in [
            ("\"resource\":0", "\"resource\":7"),
            ("\"scope\":0", "\"scope\":\"0\""),
            ("\"spanId\":\"0102", "\"spanId\":\"xx02"),
            ("\"version\":\"1\"", "\"version\":\"2\""),
            ("\"spans\":[", "\"spans\":[7,"),
            ("\"intValue\":\"1\"", "\"intValue\":\"one\""),
        ] {
            assert!(document.contains(from), "{from}");
            assert!(read(&document.replacen(from, to, 1), trace()).is_err(), "{to}");
        }
        // Cut anywhere, and with any byte changed: an error or spans, and never a fault.
        for document in [&document, &shaped()] {
            for at in 0..document.len() {
                assert!(read(&document[..at], trace()).is_err());
                let mut bytes = document.clone().into_bytes();
                bytes[at] ^= 1;
                let _ = kept_spans(&bytes, trace(), &enough(), &mut |_| result("done"));
            }
        }
        let whole = r#"{"capture":"digest","trace_id":"01010101010101010101010101010101","type":"proofline.otel.spans","#;
        let whole = format!(r#"{whole}"version":"1","whole":{{"sha256":"x","size_bytes":1}}}}"#);
        assert_eq!(read(&whole, trace()), Err(NotKept::DigestOnly));
    }

    /// A document that names one payload, or one resource, far more often than imports do.
    #[test]
    fn what_is_named_too_often_is_missing() {
        const LARGE: usize = 10_000;
        let large = "x".repeat(LARGE);
        let (from, to) =
            (document().find(r#"{"key":"gen_ai"#).unwrap(), document().find(r#"{"key":"n""#).unwrap());
        let one = &document()[from..to];
        let read = |document: &str, left: usize| {
            let allowance = Allowance::of_bytes(left);
            kept_spans(document.as_bytes(), trace(), &allowance, &mut |_| result(&large))
        };
        let many = document().replacen(one, &one.repeat(50), 1);
        for (left, there) in [(60 * LARGE, 50), (7 * LARGE + LARGE / 2, 7), (LARGE / 2, 0)] {
            let kept = read(&many, left).unwrap().remove(0);
            assert_eq!((kept.restated.len(), kept.missing.len()), (there, 50 - there + 1), "{left}");
            assert_eq!(kept.placed.span.attributes.len(), there + 1);
        }
        // Many places in one text.
        let places = vec![r#"{"$payload":"/response/result"}"#; 50].join(",");
        let many = shaped().replacen(r#"{"$payload":"/response/result"}"#, &format!("[{places}]"), 1);
        assert_eq!(read(&many, 200 * LARGE).unwrap().remove(0).restated.len(), 1);
        assert_eq!(
            read(&many, 20 * LARGE).unwrap().remove(0).missing,
            ["gen_ai.event.content", "status.message"]
        );
        // One resource, and spans that change between it and another: an export says it each time.
        let span = &document()[document().find(r#"{"attributes":[{"key":"gen_ai"#).unwrap()
            ..document().find(r#"],"trace_id""#).unwrap()];
        let other = span.replace("\"resource\":0", "\"resource\":1");
        let named = |spans: &[&str]| {
            let named = document().replacen("\"desk\"", &format!("\"{large}\""), 1).replacen(
                r#"}],"scopes""#,
                r#"},{}],"scopes""#,
                1,
            );
            named.replacen(span, &spans.join(","), 1)
        };
        let same = read(&named(&[span; 50]), 60 * LARGE).unwrap();
        assert!(same.iter().all(|it| Arc::ptr_eq(&it.placed.resource, &same[0].placed.resource)));
        let (few, many) = ([span, &other].repeat(5), [span, &other].repeat(70));
        let few = read(&named(&few), 60 * LARGE).unwrap();
        assert_eq!(
            (few.len(), few[8].placed.resource.attributes.len(), few[9].placed.resource.attributes.len()),
            (10, 1, 0)
        );
        assert!(read(&named(&many), 60 * LARGE).is_err());
    }
}

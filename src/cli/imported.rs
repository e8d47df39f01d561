//! Spans that an import of telemetry kept and that became no record, as `trace` draws them where they stand. Their
//! names are whatever somebody sent.

use std::collections::BTreeMap;

use proofline::trace::{Became, ImportedSpan, Millis, OtelImport, SpanId, SpanPlace, SpanStatus};
use serde::Serialize;

use super::record_facts::{Phrase, Tone, duration_text};

const NANOS_PER_MS: u64 = 1_000_000;

/// A span that is no record; the shape of `imported[]` in `trace --format json`.
#[derive(Debug, Serialize)]
pub(crate) struct PlainSpan {
    /// The entry that names it.
    pub(crate) seq: u64,
    name: String,
    kind: u64,
    start_unix_nano: String,
    end_unix_nano: String,
    status: &'static str,
    operation: Option<String>,
    became: &'static str,
    reason: Option<String>,
    content_sha256: String,
    #[serde(skip)]
    start_ms: Option<u64>,
    #[serde(skip)]
    end_ms: Option<u64>,
}

impl PlainSpan {
    fn of(seq: u64, span: &ImportedSpan) -> Self {
        // Zero is what OTLP has where nothing was said.
        let ms = |nanos: u64| (nanos > 0).then_some(nanos / NANOS_PER_MS);
        Self {
            seq,
            name: span.name.to_string(),
            kind: span.kind.get(),
            start_unix_nano: span.start_unix_nano.to_string(),
            end_unix_nano: span.end_unix_nano.to_string(),
            status: span.status.as_str(),
            operation: span.operation.as_ref().map(ToString::to_string),
            became: span.became.as_str(),
            reason: span.reason.as_ref().map(ToString::to_string),
            content_sha256: span.content_sha256.to_string(),
            start_ms: ms(span.start_unix_nano.nanos()),
            end_ms: ms(span.end_unix_nano.nanos()),
        }
    }

    /// When it began; where it does not say so, when it ended.
    pub(crate) fn at_ms(&self) -> Option<u64> {
        self.start_ms.or(self.end_ms)
    }

    /// Whether it is that span, told by another import.
    fn is_again(&self, other: &Self) -> bool {
        let Self { content_sha256, became, reason, .. } = self;
        (content_sha256, became, reason) == (&other.content_sha256, &other.became, &other.reason)
    }

    fn is_refused(&self) -> bool {
        self.became == Became::Refused.as_str()
    }

    /// What it is and that it is no record, in words.
    pub(crate) fn phrases(&self) -> Vec<Phrase> {
        let mut phrases = vec![("span".to_owned(), Tone::Plain)];
        phrases.push(match self.name.as_str() {
            "" => ("without a name".to_owned(), Tone::Odd),
            name => (name.to_owned(), Tone::Strong),
        });
        let tone = match self.status {
            status if status == SpanStatus::Error.as_str() => Tone::Odd,
            status if status == SpanStatus::Ok.as_str() => Tone::Good,
            _ => Tone::Faint,
        };
        phrases.push((self.status.to_owned(), tone));
        phrases.push(match (self.start_ms, self.end_ms) {
            (Some(start), Some(end)) => match end.checked_sub(start) {
                Some(ms) => (duration_text(ms), Tone::Plain),
                None => ("ended before it began".to_owned(), Tone::Odd),
            },
            (None, _) => ("without a start".to_owned(), Tone::Odd),
            (_, None) => ("without an end".to_owned(), Tone::Odd),
        });
        let reason = self.reason.as_deref().unwrap_or_default();
        phrases.push(match (self.is_refused(), reason) {
            (true, reason) => (format!("no record: refused, {reason}"), Tone::Bad),
            (false, "" | PLAIN_REASON) => ("no record".to_owned(), Tone::Faint),
            (false, reason) => (format!("no record: {reason}"), Tone::Faint),
        });
        phrases
    }
}

/// Why most of them are no records, which goes without saying.
const PLAIN_REASON: &str = "no-call";

/// All of a trace, each once, whatever number of policies it came in under.
#[derive(Default)]
pub(crate) struct PlainSpans {
    by_id: BTreeMap<SpanId, Vec<PlainSpan>>,
    places: Vec<SpanPlace>,
    places_refused: Vec<SpanPlace>,
}

impl PlainSpans {
    pub(crate) fn add(&mut self, seq: u64, import: &OtelImport) {
        for span in import.spans.iter().filter(|span| span.became != Became::Call) {
            let plain = PlainSpan::of(seq, span);
            let there = self.by_id.entry(span.span_id).or_default();
            if there.iter().any(|known| plain.is_again(known)) {
                continue;
            }
            let places = if plain.is_refused() { &mut self.places_refused } else { &mut self.places };
            places.push(SpanPlace {
                span_id: span.span_id,
                parent_span_id: span.parent_span_id,
                start_ms: Millis::saturating(plain.at_ms().unwrap_or_default()),
            });
            there.push(plain);
        }
    }

    /// Where they stand: a shape of the tree before what was refused, which may have the id of another.
    pub(crate) fn places(&self) -> impl Iterator<Item = SpanPlace> {
        self.places.iter().chain(&self.places_refused).copied()
    }

    /// Those with this id.
    pub(crate) fn on(&self, span_id: SpanId) -> &[PlainSpan] {
        self.by_id.get(&span_id).map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) const fn len(&self) -> usize {
        self.places.len() + self.places_refused.len()
    }

    /// When the first of them began.
    pub(crate) fn first_ms(&self) -> Option<u64> {
        self.by_id.values().flatten().filter_map(PlainSpan::at_ms).min()
    }

    /// When the last of them ended.
    pub(crate) fn last_ms(&self) -> Option<u64> {
        self.by_id.values().flatten().filter_map(|span| span.end_ms.max(span.start_ms)).max()
    }
}

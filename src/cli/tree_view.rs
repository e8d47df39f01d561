//! A trace as a drawing and as JSON lines. Producers are not trusted: a tree may be 100,000 spans deep, so what is
//! drawn of the ancestors is bounded.

use std::collections::HashMap;

use proofline::trace::{Classification, DrawnSpan, SpanAnomaly, SpanId, SpanNode};
use serde::Serialize;

use super::branches::{CONTINUED, Glyphs, LEVEL_CHARS, WORDS_CHARS, chars, painted, wrap};
use super::clock::moment;
use super::error::CliError;
use super::gone::GonePayload;
use super::imported::{PlainSpan, PlainSpans};
use super::output::{Out, Paint};
use super::phrase::{counted, wrap_words};
use super::record_facts::{Phrase, RecordFacts, Tone, duration_text};
use super::safe::safe_cut;
use super::trace::{SignatureLine, TraceRecord, TraceView, VerdictLine};

/// Time and entry, at the right.
const RIGHT_CHARS: usize = 20;

/// Draws the tree.
pub(crate) fn draw(out: &mut Out, view: &TraceView, ascii: bool) -> Result<(), CliError> {
    let title = out.paint().strong(&format!("trace {}", view.trace_id));
    out.line(title)?;
    for line in wrap_words(&summary(view), out.columns().saturating_sub(2)) {
        out.line(format_args!("  {line}"))?;
    }
    out.space()?;
    let drawing = Drawing {
        glyphs: Glyphs::of(ascii),
        paint: out.paint(),
        columns: out.columns(),
        start_ms: start_ms(view),
        records: view.records.iter().map(|record| (record.span.position, record)).collect(),
        imported: &view.imported,
        anomalies: anomalies_by_span(view),
    };
    let (mut lasts, mut walk) = (Vec::new(), view.tree.walk().peekable());
    while let Some(drawn) = walk.next() {
        lasts.truncate(drawn.depth);
        lasts.push(drawn.is_last);
        let has_children = walk.peek().is_some_and(|next| next.depth > drawn.depth);
        drawing.span(out, &drawn, &lasts, has_children)?;
    }
    for anomaly in view.anomalies.iter().filter(|anomaly| anomaly.span_ids().is_empty()) {
        let text = out.paint().odd(&format!("! {anomaly}"));
        out.line(text)?;
    }
    signatures(out, view)?;
    verdicts(out, &view.verdicts)
}

/// Counts and times of a trace in a few words.
pub(crate) fn summary(view: &TraceView) -> String {
    let refused = view.records.iter().filter(|record| record.refusal.is_some()).count();
    let accepted = view.records.len() - refused;
    let mut parts = vec![counted(accepted as u64, "record", "records")];
    if refused > 0 {
        parts.push(counted(refused as u64, "refused attempt", "refused attempts"));
    }
    parts.push(counted(view.spans() as u64, "span", "spans"));
    if view.imported.len() > 0 {
        parts.push(counted(view.imported.len() as u64, "span without a record", "spans without a record"));
    }
    let (start, end) = (start_ms(view), end_ms(view));
    if let Some(moment) = moment(start) {
        parts.push(format!("from {moment}"));
    }
    parts.push(format!("over {}", duration_text(end.saturating_sub(start))));
    parts.join(", ")
}

/// When the first of what is drawn began.
fn start_ms(view: &TraceView) -> u64 {
    first_ms(view).into_iter().chain(view.imported.first_ms()).min().unwrap_or_default()
}

fn end_ms(view: &TraceView) -> u64 {
    last_ms(view).into_iter().chain(view.imported.last_ms()).max().unwrap_or_default()
}

/// The same of its records alone.
fn first_ms(view: &TraceView) -> Option<u64> {
    view.records.iter().map(|record| record.span.start_ms.get()).min()
}

fn last_ms(view: &TraceView) -> Option<u64> {
    view.records.iter().map(|record| record.span.end_ms.unwrap_or(record.span.start_ms).get()).max()
}

fn anomalies_by_span(view: &TraceView) -> HashMap<SpanId, Vec<&SpanAnomaly>> {
    let mut by_span: HashMap<SpanId, Vec<&SpanAnomaly>> = HashMap::new();
    for anomaly in &view.anomalies {
        if let Some(span_id) = anomaly.span_ids().first() {
            by_span.entry(*span_id).or_default().push(anomaly);
        }
    }
    by_span
}

fn signatures(out: &mut Out, view: &TraceView) -> Result<(), CliError> {
    if view.signatures.is_empty() {
        return Ok(());
    }
    out.heading("signed by producers")?;
    for SignatureLine { seq, envelope_hash, key } in &view.signatures {
        let of = view.records.iter().filter(|record| record.span.hash == *envelope_hash);
        let of: Vec<String> = of.map(|record| format!("#{}", record.span.position)).collect();
        let (room, of) = (out.columns().saturating_sub(2), of.join(", "));
        out.line(safe_cut(&format!("  #{seq}  signs {of}"), room))?;
        out.line(format_args!("      {}", safe_cut(key, room.saturating_sub(4))))?;
    }
    Ok(())
}

fn verdicts(out: &mut Out, verdicts: &[VerdictLine]) -> Result<(), CliError> {
    if verdicts.is_empty() {
        return Ok(());
    }
    out.heading("verdicts in the ledger")?;
    for verdict in verdicts {
        let VerdictLine { seq, replay_type, result, failure_class, generated_at, artifact_sha256 } = verdict;
        let class = failure_class.map(|class| format!(" {class}")).unwrap_or_default();
        out.line(format_args!("  #{seq}  {replay_type} {result}{class}, {generated_at}"))?;
        out.line(format_args!("      {artifact_sha256}"))?;
    }
    Ok(())
}

struct Drawing<'a> {
    glyphs: &'static Glyphs,
    paint: Paint,
    columns: usize,
    start_ms: u64,
    records: HashMap<u64, &'a TraceRecord>,
    imported: &'a PlainSpans,
    anomalies: HashMap<SpanId, Vec<&'a SpanAnomaly>>,
}

/// What is drawn of a record, or of a span without one.
struct Line<'a> {
    phrases: &'a [Phrase],
    /// When it began, where that is known, and its entry.
    at: (Option<u64>, u64),
    is_struck: bool,
}

impl Drawing<'_> {
    fn span(
        &self,
        out: &mut Out,
        drawn: &DrawnSpan<'_>,
        lasts: &[bool],
        has_children: bool,
    ) -> Result<(), CliError> {
        let levels = self.columns.saturating_sub(WORDS_CHARS + RIGHT_CHARS) / LEVEL_CHARS;
        let first = self.glyphs.front(lasts, levels);
        let below = self.glyphs.front_below(lasts, levels, has_children);
        let mut front = &first;
        for plain in self.imported.on(drawn.span.span_id()) {
            let (phrases, at) = (plain.phrases(), (plain.at_ms(), plain.seq));
            self.line(out, &Line { phrases: &phrases, at, is_struck: false }, front, &below)?;
            front = &below;
        }
        for record in drawn.span.records() {
            if let Some(record) = self.records.get(&record.position) {
                self.record(out, record, front, &below)?;
                front = &below;
            }
        }
        self.odd(out, drawn.span, &below)
    }

    fn record(&self, out: &mut Out, record: &TraceRecord, front: &str, below: &str) -> Result<(), CliError> {
        let at = (Some(record.span.start_ms.get()), record.span.position);
        let is_struck = record.refusal.is_some();
        self.line(out, &Line { phrases: &record.facts.phrases(), at, is_struck }, front, below)?;
        for gone in &record.gone {
            let phrases = [(format!("{} {}", gone.member, gone.says()), Tone::Odd)];
            let width = self.words_below(below);
            for line in wrap(&phrases, width, width) {
                out.line(format_args!("{below}{CONTINUED}{}", painted(self.paint, &line, false)))?;
            }
        }
        if let Some((class, kind)) = &record.refusal {
            let text = self.paint.bad(&format!("refused: {class} {kind}"));
            out.line(format_args!("{below}{CONTINUED}{text}"))?;
        }
        Ok(())
    }

    /// Words beside their branches, with time and entry at the right of the first line.
    fn line(&self, out: &mut Out, line: &Line<'_>, front: &str, below: &str) -> Result<(), CliError> {
        let (at_ms, seq) = line.at;
        let offset = at_ms.map(|at| format!("+{}", duration_text(at.saturating_sub(self.start_ms))));
        let right = format!("{:>12} {:>7}", offset.unwrap_or_default(), format!("#{seq}"));
        let lines = wrap(line.phrases, self.words(front), self.words_below(below));
        for (index, words) in lines.iter().enumerate() {
            let text = painted(self.paint, words, line.is_struck);
            let fill = self.words(front).saturating_sub(chars(words));
            match index {
                0 => {
                    let right = self.paint.faint(&right);
                    out.line(format_args!("{front}{text}{}{right}", " ".repeat(fill)))?;
                }
                _ => out.line(format_args!("{below}{CONTINUED}{text}"))?,
            }
        }
        Ok(())
    }

    /// How many characters of words fit beside these branches.
    fn words(&self, front: &str) -> usize {
        self.columns.saturating_sub(front.chars().count() + RIGHT_CHARS).max(WORDS_CHARS / 2)
    }

    /// How many fit on a continued line, which has nothing at its right.
    fn words_below(&self, below: &str) -> usize {
        self.columns.saturating_sub(below.chars().count() + CONTINUED.len()).max(WORDS_CHARS / 2)
    }

    fn odd(&self, out: &mut Out, span: &SpanNode, below: &str) -> Result<(), CliError> {
        for anomaly in self.anomalies.get(&span.span_id()).into_iter().flatten() {
            let code = anomaly.finding_code().map(|code| format!("{code}: ")).unwrap_or_default();
            let phrases: Vec<Phrase> =
                format!("! {code}{anomaly}").split(' ').map(|word| (word.to_owned(), Tone::Odd)).collect();
            let width = self.words_below(below);
            for line in wrap(&phrases, width, width) {
                out.line(format_args!("{below}{CONTINUED}{}", painted(self.paint, &line, false)))?;
            }
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct SpanLine<'a> {
    span_id: String,
    parent_span_id: Option<String>,
    depth: usize,
    records: Vec<RecordLine<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    imported: &'a [PlainSpan],
}

#[derive(Serialize)]
pub(crate) struct RecordLine<'a> {
    seq: u64,
    envelope_hash: String,
    record_type: &'static str,
    classification: &'static str,
    error_kind: Option<String>,
    start_ms: u64,
    end_ms: Option<u64>,
    says: &'a RecordFacts,
    payloads_gone: &'a [GonePayload],
}

impl<'a> RecordLine<'a> {
    pub(crate) fn of(record: &'a TraceRecord) -> Self {
        let refusal = record.refusal.as_ref();
        Self {
            seq: record.span.position,
            envelope_hash: record.span.hash.to_string(),
            record_type: record.span.record_type.as_str(),
            classification: refusal.map_or(Classification::Accept, |(class, _)| *class).as_str(),
            error_kind: refusal.map(|(_, kind)| kind.to_string()),
            start_ms: record.span.start_ms.get(),
            end_ms: record.span.end_ms.map(|end| end.get()),
            says: &record.facts,
            payloads_gone: &record.gone,
        }
    }
}

#[derive(Serialize)]
struct SummaryLine<'a> {
    summary: TraceSummary<'a>,
}

#[derive(Serialize)]
struct TraceSummary<'a> {
    trace_id: String,
    spans: usize,
    accepted: usize,
    rejected: usize,
    start_ms: u64,
    end_ms: u64,
    anomalies: Vec<AnomalyLine>,
    verdicts: &'a [VerdictLine],
    signatures: &'a [SignatureLine],
    #[serde(skip_serializing_if = "is_zero")]
    imported: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

#[derive(Serialize)]
struct AnomalyLine {
    code: Option<&'static str>,
    span_ids: Vec<String>,
    message: String,
}

/// One line a span, from the root down, then a summary.
pub(crate) fn print_json(out: &mut Out, view: &TraceView) -> Result<(), CliError> {
    let records: HashMap<u64, &TraceRecord> =
        view.records.iter().map(|record| (record.span.position, record)).collect();
    for drawn in view.tree.walk() {
        let own = drawn.span.records().iter().filter_map(|record| records.get(&record.position));
        out.json(&SpanLine {
            span_id: drawn.span.span_id().to_string(),
            parent_span_id: drawn.span.parent_span_id().map(|id| id.to_string()),
            depth: drawn.depth,
            records: own.map(|record| RecordLine::of(record)).collect(),
            imported: view.imported.on(drawn.span.span_id()),
        })?;
    }
    let rejected = view.records.iter().filter(|record| record.refusal.is_some()).count();
    out.json(&SummaryLine {
        summary: TraceSummary {
            trace_id: view.trace_id.to_string(),
            spans: view.spans(),
            accepted: view.records.len() - rejected,
            rejected,
            start_ms: first_ms(view).unwrap_or_default(),
            end_ms: last_ms(view).unwrap_or_default(),
            anomalies: view.anomalies.iter().map(anomaly_line).collect(),
            verdicts: &view.verdicts,
            signatures: &view.signatures,
            imported: view.imported.len(),
        },
    })
}

fn anomaly_line(anomaly: &SpanAnomaly) -> AnomalyLine {
    AnomalyLine {
        code: anomaly.finding_code().map(|code| code.as_str()),
        span_ids: anomaly.span_ids().iter().map(ToString::to_string).collect(),
        message: anomaly.to_string(),
    }
}

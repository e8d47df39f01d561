//! A trace as a drawing and as JSON lines. Producers are not trusted: a tree may be 100,000 spans deep, so what is
//! drawn of the ancestors is bounded.

use std::collections::HashMap;

use proofline::trace::{DrawnSpan, SpanAnomaly, SpanId, SpanNode};
use serde::Serialize;

use super::clock::moment;
use super::error::CliError;
use super::output::{Out, Paint};
use super::phrase::{counted, wrap_words};
use super::record_facts::{Phrase, RecordFacts, Tone, duration_text};
use super::safe::safe;
use super::trace::{TraceRecord, TraceView, VerdictLine};

/// What the branches are made of; all of a set are equally wide.
struct Glyphs {
    branch: &'static str,
    last: &'static str,
    pipe: &'static str,
    blank: &'static str,
    deeper: &'static str,
}

const UNICODE: Glyphs =
    Glyphs { branch: "├─ ", last: "└─ ", pipe: "│  ", blank: "   ", deeper: "⋯ " };
const ASCII: Glyphs = Glyphs { branch: "|- ", last: "`- ", pipe: "|  ", blank: "   ", deeper: "... " };

/// The width of a level.
const LEVEL_CHARS: usize = 3;
/// The least that is left for words.
const WORDS_CHARS: usize = 40;
/// Time and entry, at the right.
const RIGHT_CHARS: usize = 20;
/// Continued lines stand in by this much.
const CONTINUED: &str = "    ";

/// Draws the tree.
pub(crate) fn draw(out: &mut Out, view: &TraceView, ascii: bool) -> Result<(), CliError> {
    let title = out.paint().strong(&format!("trace {}", view.trace_id));
    out.line(title)?;
    for line in wrap_words(&summary(view), out.columns().saturating_sub(2)) {
        out.line(format_args!("  {line}"))?;
    }
    out.space()?;
    let drawing = Drawing {
        glyphs: if ascii { &ASCII } else { &UNICODE },
        paint: out.paint(),
        columns: out.columns(),
        start_ms: start_ms(view),
        records: view.records.iter().map(|record| (record.span.position, record)).collect(),
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
    verdicts(out, &view.verdicts)
}

fn summary(view: &TraceView) -> String {
    let refused = view.records.iter().filter(|record| record.refusal.is_some()).count();
    let accepted = view.records.len() - refused;
    let mut parts = vec![counted(accepted as u64, "record", "records")];
    if refused > 0 {
        parts.push(counted(refused as u64, "refused attempt", "refused attempts"));
    }
    parts.push(counted(view.tree.len() as u64, "span", "spans"));
    let (start, end) = (start_ms(view), end_ms(view));
    if let Some(moment) = moment(start) {
        parts.push(format!("from {moment}"));
    }
    parts.push(format!("over {}", duration_text(end.saturating_sub(start))));
    parts.join(", ")
}

fn start_ms(view: &TraceView) -> u64 {
    view.records.iter().map(|record| record.span.start_ms.get()).min().unwrap_or_default()
}

fn end_ms(view: &TraceView) -> u64 {
    let ends = view.records.iter().map(|record| record.span.end_ms.unwrap_or(record.span.start_ms).get());
    ends.max().unwrap_or_default()
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
    anomalies: HashMap<SpanId, Vec<&'a SpanAnomaly>>,
}

impl Drawing<'_> {
    fn span(
        &self,
        out: &mut Out,
        drawn: &DrawnSpan<'_>,
        lasts: &[bool],
        has_children: bool,
    ) -> Result<(), CliError> {
        let first = self.front(lasts, true, false);
        let below = self.front(lasts, false, has_children);
        let mut front = &first;
        for record in drawn.span.records() {
            if let Some(record) = self.records.get(&record.position) {
                self.record(out, record, front, &below)?;
                front = &below;
            }
        }
        self.odd(out, drawn.span, &below)
    }

    /// The branches before a span's line, and before the lines below it.
    fn front(&self, lasts: &[bool], is_first: bool, has_children: bool) -> String {
        let Glyphs { branch, last, pipe, blank, deeper } = self.glyphs;
        let levels = lasts.get(1..).unwrap_or_default();
        let room = self.columns.saturating_sub(WORDS_CHARS + RIGHT_CHARS) / LEVEL_CHARS;
        let hidden = levels.len().saturating_sub(room.max(4));
        let mut front = if hidden > 0 { format!("{}{deeper}", lasts.len() - 1) } else { String::new() };
        if !is_first {
            front = " ".repeat(front.chars().count());
        }
        let shown = levels.get(hidden..).unwrap_or_default();
        for (index, is_last) in shown.iter().enumerate() {
            let is_own = is_first && index + 1 == shown.len();
            front.push_str(match (is_own, *is_last) {
                (true, true) => last,
                (true, false) => branch,
                (false, true) => blank,
                (false, false) => pipe,
            });
        }
        if has_children {
            front.push_str(pipe);
        }
        front
    }

    fn record(&self, out: &mut Out, record: &TraceRecord, front: &str, below: &str) -> Result<(), CliError> {
        let offset_ms = record.span.start_ms.get().saturating_sub(self.start_ms);
        let right = format!(
            "{:>12} {:>7}",
            format!("+{}", duration_text(offset_ms)),
            format!("#{}", record.span.position)
        );
        let is_refused = record.refusal.is_some();
        let lines = wrap(&record.facts.phrases(), self.words(front), self.words_below(below));
        for (index, line) in lines.iter().enumerate() {
            let text = self.painted(line, is_refused);
            let fill = self.words(front).saturating_sub(chars(line));
            match index {
                0 => {
                    let right = self.paint.faint(&right);
                    out.line(format_args!("{front}{text}{}{right}", " ".repeat(fill)))?;
                }
                _ => out.line(format_args!("{below}{CONTINUED}{text}"))?,
            }
        }
        if let Some((class, kind)) = &record.refusal {
            let text = self.paint.bad(&format!("refused: {class} {kind}"));
            out.line(format_args!("{below}{CONTINUED}{text}"))?;
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

    fn painted(&self, line: &[Phrase], is_refused: bool) -> String {
        if is_refused {
            let texts: Vec<&str> = line.iter().map(|(text, _)| text.as_str()).collect();
            return self.paint.struck(&texts.join(" "));
        }
        let texts = line.iter().map(|(text, tone)| match tone {
            Tone::Plain => text.clone(),
            Tone::Strong => self.paint.strong(text),
            Tone::Good => self.paint.good(text),
            Tone::Bad => self.paint.bad(text),
            Tone::Odd => self.paint.odd(text),
            Tone::Faint => self.paint.faint(text),
        });
        texts.collect::<Vec<_>>().join(" ")
    }

    fn odd(&self, out: &mut Out, span: &SpanNode, below: &str) -> Result<(), CliError> {
        for anomaly in self.anomalies.get(&span.span_id()).into_iter().flatten() {
            let code = anomaly.finding_code().map(|code| format!("{code}: ")).unwrap_or_default();
            let phrases: Vec<Phrase> =
                format!("! {code}{anomaly}").split(' ').map(|word| (word.to_owned(), Tone::Odd)).collect();
            let width = self.words_below(below);
            for line in wrap(&phrases, width, width) {
                out.line(format_args!("{below}{CONTINUED}{}", self.painted(&line, false)))?;
            }
        }
        Ok(())
    }
}

fn chars(line: &[Phrase]) -> usize {
    let words: usize = line.iter().map(|(text, _)| text.chars().count()).sum();
    words + line.len().saturating_sub(1)
}

/// Phrases in lines: each on the line of the one before if it fits there, cut into pieces if it fits on none.
fn wrap(phrases: &[Phrase], first_chars: usize, more_chars: usize) -> Vec<Vec<Phrase>> {
    let mut lines: Vec<Vec<Phrase>> = vec![Vec::new()];
    for (text, tone) in phrases {
        let mut rest = safe(text).into_owned();
        while !rest.is_empty() {
            let room = if lines.len() == 1 { first_chars } else { more_chars };
            let Some(line) = lines.last_mut() else { return lines };
            let taken = chars(line) + usize::from(!line.is_empty());
            let length = rest.chars().count();
            if taken + length <= room {
                line.push((std::mem::take(&mut rest), *tone));
            } else if line.is_empty() {
                let cut = rest.char_indices().nth(room.max(1)).map_or(rest.len(), |(at, _)| at);
                let more = rest.split_off(cut);
                line.push((std::mem::replace(&mut rest, more), *tone));
                lines.push(Vec::new());
            } else {
                lines.push(Vec::new());
            }
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

#[derive(Serialize)]
struct SpanLine<'a> {
    span_id: String,
    parent_span_id: Option<String>,
    depth: usize,
    records: Vec<RecordLine<'a>>,
}

#[derive(Serialize)]
struct RecordLine<'a> {
    seq: u64,
    envelope_hash: String,
    record_type: &'static str,
    classification: &'a str,
    error_kind: Option<&'a str>,
    start_ms: u64,
    end_ms: Option<u64>,
    says: &'a RecordFacts,
}

impl<'a> RecordLine<'a> {
    fn of(record: &'a TraceRecord) -> Self {
        let refusal = record.refusal.as_ref();
        Self {
            seq: record.span.position,
            envelope_hash: record.span.hash.to_string(),
            record_type: record.span.record_type.as_str(),
            classification: refusal.map_or("ACCEPT", |(class, _)| class),
            error_kind: refusal.map(|(_, kind)| kind.as_str()),
            start_ms: record.span.start_ms.get(),
            end_ms: record.span.end_ms.map(|end| end.get()),
            says: &record.facts,
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
        })?;
    }
    let rejected = view.records.iter().filter(|record| record.refusal.is_some()).count();
    out.json(&SummaryLine {
        summary: TraceSummary {
            trace_id: view.trace_id.to_string(),
            spans: view.tree.len(),
            accepted: view.records.len() - rejected,
            rejected,
            start_ms: start_ms(view),
            end_ms: end_ms(view),
            anomalies: view.anomalies.iter().map(anomaly_line).collect(),
            verdicts: &view.verdicts,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(phrases: &[&str], first: usize, more: usize) -> Vec<String> {
        let phrases: Vec<Phrase> = phrases.iter().map(|text| ((*text).to_owned(), Tone::Plain)).collect();
        let text = |line: Vec<Phrase>| line.into_iter().map(|(text, _)| text).collect::<Vec<_>>().join(" ");
        wrap(&phrases, first, more).into_iter().map(text).collect()
    }

    #[test]
    fn phrases_stay_whole_where_a_line_can_hold_them() {
        assert_eq!(lines(&["allow", "mail.send", "lists/all"], 15, 12), ["allow mail.send", "lists/all"]);
        assert_eq!(lines(&["allow", "abcdefghijkl"], 8, 5), ["allow", "abcde", "fghij", "kl"]);
        assert_eq!(lines(&[], 8, 5), Vec::<String>::new());
    }
}

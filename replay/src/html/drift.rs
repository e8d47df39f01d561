//! Two traces side by side, span by span: a mark in words and by shape, both sides, and in what they differ.

use std::io::Write;

use proofline_trace::{SpanId, TraceId};

use super::error::HtmlError;
use super::frame::{self, Asked};
use super::markup::{Html, put};
use super::standing::{Proof, Proven, Standing};
use super::story::{Story, Told};
use super::words::{Count, Counted, said};
use super::{HtmlReport, HtmlWritten, bars, failure, payloads};
use crate::alignment::{
    AlignedRecord, AlignedSpan, Alignment, Aspect, AspectDifference, Change, Durations, align,
};
use crate::verdict::TraceReplay;

/// So many steps in a row that do not differ, and more, fold into one line.
const FOLDED_FROM: usize = 4;
/// Levels that are shown by an indent.
const INDENTS: usize = 12;

pub(super) fn write(
    report: &HtmlReport<'_>,
    a: TraceId,
    b: TraceId,
    replays: &[TraceReplay],
    out: &mut dyn Write,
) -> Result<HtmlWritten, HtmlError> {
    let html = &mut Html::new(out);
    let (a, b) = (Story::read(report.snapshot, a)?, Story::read(report.snapshot, b)?);
    let alignment = align(&a.run(), &b.run(), Durations::Listed);
    frame::begin(html, &format!("{} and {} - Proofline", a.trace_id, b.trace_id))?;
    masthead(html, report, [&a, &b], &alignment, replays)?;
    put!(html, "<main id=\"main\" tabindex=\"-1\">\n");
    frame::legend(html)?;
    put!(html, "<section aria-labelledby=\"verdicts\"><h2 id=\"verdicts\">Verdicts</h2>\n");
    put!(html, "<div class=\"two\">\n");
    for (name, story) in [("A", &a), ("B", &b)] {
        put!(html, "<div><h3>", (name), " <code>", (story.trace_id), "</code></h3>\n");
        for replay in replays.iter().filter(|replay| replay.trace_id() == story.trace_id) {
            failure::verdict(html, replay)?;
            if let Some(failure) = replay.failure() {
                failure::failure(html, failure)?;
            }
            failure::findings(html, replay)?;
        }
        put!(html, "</div>\n");
    }
    put!(html, "</div>\n");
    put!(
        html,
        "</section>\n<section aria-labelledby=\"totals\"><h2 id=\"totals\">In what they differ</h2>\n"
    );
    totals(html, &alignment)?;
    put!(html, "</section>\n<section aria-labelledby=\"steps\"><h2 id=\"steps\">Step by step</h2>\n");
    let pair = Pair { report, a: &a, b: &b, proof: &Proof::of(replays) };
    pair.draw(html, &alignment)?;
    put!(html, "</section>\n");
    frame::end(html, report)?;
    let failed = replays.iter().filter(|replay| !replay.is_pass()).count() as u64;
    Ok(HtmlWritten { traces: 2, failed, trees: 2, differs: alignment.differs() })
}

/// Both sides alone, within another page.
pub(super) fn sides(
    html: &mut Html<'_>,
    report: &HtmlReport<'_>,
    a: &Story,
    b: &Story,
    proof: &Proof<'_>,
) -> Result<(), HtmlError> {
    let alignment = align(&a.run(), &b.run(), Durations::Listed);
    Pair { report, a, b, proof }.draw(html, &alignment)
}

fn masthead(
    html: &mut Html<'_>,
    report: &HtmlReport<'_>,
    [a, b]: [&Story; 2],
    alignment: &Alignment,
    replays: &[TraceReplay],
) -> Result<(), HtmlError> {
    put!(
        html,
        "<header class=\"mast\"><p class=\"kicker\">Proofline <span>two runs side by side</span></p>\n"
    );
    if alignment.differs() {
        put!(html, "<h1 class=\"bad\">The runs differ</h1>\n");
    } else {
        put!(html, "<h1 class=\"ok\">The runs do not differ</h1>\n");
    }
    put!(html, "<p class=\"lead\"><b>A</b> <code>", (a.trace_id), "</code><br><b>B</b> <code>", (b.trace_id));
    put!(html, "</code></p>\n");
    let first = replays.first();
    let question = first.map_or("two traces, span by span", |_| "two traces, span by span, each replayed");
    let clock = first.map(|replay| replay.result.generated_at.to_string()).unwrap_or_default();
    frame::facts(html, report, &Asked { question, clock, is_whole: false })?;
    put!(html, "</header>\n");
    Ok(())
}

fn totals(html: &mut Html<'_>, alignment: &Alignment) -> Result<(), HtmlError> {
    let counts = alignment.counts();
    let all = alignment.spans().len() as u64;
    let bar = |label, count: usize, fill| bars::Bar { label, count: count as u64, of: all, fill };
    put!(html, "<p>");
    html.badge(Standing::Inferred)?;
    put!(
        html,
        "Steps are paired by what their records say. Ids, hashes and times differ between any two runs "
    );
    put!(html, "and are not compared; durations are listed and do not count.</p>\n<div class=\"figures\">\n");
    let steps = [
        bar("the same", counts.same, bars::Fill::Good),
        bar("changed", counts.changed, bars::Fill::Odd),
        bar("only in A", counts.only_a, bars::Fill::Bad),
        bar("only in B", counts.only_b, bars::Fill::Bad),
    ];
    bars::patterns(html)?;
    bars::figure(html, "Steps", &steps)?;
    let aspects = alignment.aspects();
    let most = aspects.values().copied().max().unwrap_or_default() as u64;
    let aspects: Vec<bars::Bar<'_>> = aspects
        .iter()
        .map(|(aspect, count)| bars::Bar {
            label: aspect.as_str(),
            count: *count as u64,
            of: most,
            fill: bars::Fill::Odd,
        })
        .collect();
    bars::figure(html, "Records that differ, by what", &aspects)?;
    put!(html, "</div>\n");
    Ok(())
}

struct Pair<'a> {
    report: &'a HtmlReport<'a>,
    a: &'a Story,
    b: &'a Story,
    proof: &'a Proof<'a>,
}

impl Pair<'_> {
    fn draw(&self, html: &mut Html<'_>, alignment: &Alignment) -> Result<(), HtmlError> {
        put!(html, "<div class=\"heads\" aria-hidden=\"true\"><span>A</span><span>B</span></div>\n");
        let mut rest = alignment.spans();
        while !rest.is_empty() {
            let same = rest.iter().take_while(|span| span.change == Change::Same).count();
            let (run, behind) = rest.split_at(same);
            let parted = behind.iter().take_while(|span| span.change != Change::Same).count();
            let (differing, behind) = behind.split_at(parted);
            self.same(html, run)?;
            self.rows(html, differing)?;
            rest = behind;
        }
        self.cut(html, self.a)?;
        self.cut(html, self.b)
    }

    fn same(&self, html: &mut Html<'_>, run: &[AlignedSpan]) -> Result<(), HtmlError> {
        if run.len() < FOLDED_FROM {
            return self.rows(html, run);
        }
        put!(
            html,
            "<details class=\"fold\"><summary>",
            (Count(run.len() as u64)),
            " steps are the same</summary>\n"
        );
        self.rows(html, run)?;
        put!(html, "</details>\n");
        Ok(())
    }

    fn rows(&self, html: &mut Html<'_>, spans: &[AlignedSpan]) -> Result<(), HtmlError> {
        if spans.is_empty() {
            return Ok(());
        }
        put!(html, "<ol class=\"pairs\" role=\"list\">\n");
        for span in spans {
            self.row(html, span)?;
        }
        put!(html, "</ol>\n");
        Ok(())
    }

    fn row(&self, html: &mut Html<'_>, span: &AlignedSpan) -> Result<(), HtmlError> {
        match span.change {
            Change::Same => put!(html, "<li class=\"pr\""),
            Change::Changed => put!(html, "<li class=\"pr ch\""),
            Change::OnlyA => put!(html, "<li class=\"pr oa\""),
            Change::OnlyB => put!(html, "<li class=\"pr ob\""),
            Change::MovedA => put!(html, "<li class=\"pr ch oa\""),
            Change::MovedB => put!(html, "<li class=\"pr ch ob\""),
        }
        put!(html, " style=\"--d:", (span.depth.min(INDENTS)), "\"><p class=\"mk\">");
        match span.change {
            Change::Same => put!(html, "<span aria-hidden=\"true\">=</span> same"),
            Change::Changed => put!(html, "<span aria-hidden=\"true\">~</span> changed"),
            Change::OnlyA => put!(html, "<span aria-hidden=\"true\">\u{2212}</span> only in A"),
            Change::OnlyB => put!(html, "<span aria-hidden=\"true\">+</span> only in B"),
            Change::MovedA => put!(html, "<span aria-hidden=\"true\">&lt;</span> moved: A has it here"),
            Change::MovedB => put!(html, "<span aria-hidden=\"true\">&gt;</span> moved: B has it here"),
        }
        if span.depth > INDENTS {
            put!(
                html,
                " <span class=\"at\">",
                (Counted(span.depth as u64, "span", "spans")),
                " above</span>"
            );
        }
        put!(html, "</p>");
        self.side(html, true, self.a, span.a)?;
        self.side(html, false, self.b, span.b)?;
        self.differences(html, span)?;
        put!(html, "</li>\n");
        Ok(())
    }

    fn side(
        &self,
        html: &mut Html<'_>,
        is_a: bool,
        story: &Story,
        span: Option<SpanId>,
    ) -> Result<(), HtmlError> {
        if is_a {
            put!(html, "<div class=\"sd\"><span class=\"who\">A</span>");
        } else {
            put!(html, "<div class=\"sd\"><span class=\"who\">B</span>");
        }
        let node = span.and_then(|id| story.tree.span(id));
        match node {
            None => put!(html, "<p class=\"none\">no such step</p>"),
            Some(node) => {
                for at in node.records() {
                    if let Some(told) = story.record(at.position) {
                        self.record(html, story, told)?;
                    }
                }
            }
        }
        put!(html, "</div>");
        Ok(())
    }

    fn record(&self, html: &mut Html<'_>, story: &Story, told: &Told) -> Result<(), HtmlError> {
        put!(html, "<p class=\"line\">");
        html.headline(told, story.start_ms())?;
        if let Some(outcome) = told.envelope.outcome() {
            put!(html, " ended ", (outcome.status));
        }
        put!(html, "</p><p class=\"mini\">");
        let is_proven = match &told.refusal {
            Some(_) => self.proof.refuses_again(told.seq),
            None => self.proof.of_record(told.key) != Proven::Nothing,
        };
        html.badge(if is_proven { Standing::Verified } else { Standing::NotReplayable })?;
        put!(html, "<code class=\"h\">", (told.key), "</code></p>");
        Ok(())
    }

    fn differences(&self, html: &mut Html<'_>, span: &AlignedSpan) -> Result<(), HtmlError> {
        // Of a span without counterpart the span itself is the difference.
        let both = span.records.iter().filter(|record| !record.differences.is_empty());
        let records: Vec<&AlignedRecord> = both.collect();
        if records.is_empty() || span.a.is_none() || span.b.is_none() {
            return Ok(());
        }
        put!(html, "<div class=\"df\"><table><caption class=\"vh\">What differs</caption><thead><tr>");
        put!(
            html,
            "<th scope=\"col\">What</th><th scope=\"col\">A</th><th scope=\"col\">B</th></tr></thead><tbody>"
        );
        for difference in records.iter().flat_map(|record| &record.differences) {
            difference_row(html, difference)?;
        }
        put!(html, "</tbody></table>");
        for difference in records.iter().flat_map(|record| &record.differences) {
            if matches!(difference.aspect, Aspect::Request | Aspect::Response) {
                put!(html, "<p class=\"cap\">", (difference.aspect), "</p>");
                payloads::excerpts(html, self.report, difference.a.as_ref(), difference.b.as_ref())?;
            }
        }
        put!(html, "</div>");
        Ok(())
    }

    fn cut(&self, html: &mut Html<'_>, story: &Story) -> Result<(), HtmlError> {
        if story.left_out > 0 {
            put!(html, "<p class=\"cut\">Of trace <code>", (story.trace_id), "</code> ");
            put!(
                html,
                (Counted(story.left_out as u64, "more entry", "more entries")),
                " are not compared here; "
            );
            put!(html, "<code>proofline diff DIR A B</code> compares all.</p>\n");
        }
        for unread in &story.unread {
            put!(html, "<p class=\"cut\">");
            html.badge(Standing::NotReplayable)?;
            put!(
                html,
                "entry ",
                (unread.seq),
                " of trace <code>",
                (story.trace_id),
                "</code>: ",
                (unread.why)
            );
            put!(html, "</p>\n");
        }
        Ok(())
    }
}

fn difference_row(html: &mut Html<'_>, difference: &AspectDifference) -> Result<(), HtmlError> {
    let words = |value: &Option<proofline_canon::Value>| match (value, difference.aspect) {
        (Some(value), Aspect::Duration) => format!("{} ms", said(value)),
        (Some(value), _) => said(value),
        (None, Aspect::Refusal) => "accepted".to_owned(),
        (None, Aspect::Duration) => "ended before it began".to_owned(),
        (None, _) => "nothing".to_owned(),
    };
    put!(html, "<tr><th scope=\"row\">", (difference.aspect.as_str().replace('_', " ")), "</th><td>");
    put!(html, (words(&difference.a)), "</td><td>", (words(&difference.b)), "</td></tr>");
    Ok(())
}

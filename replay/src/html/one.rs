//! The page of one trace: the verdict of each question, then the whole trace.

use std::io::Write;

use proofline_trace::{Coverage, SafeInt, TraceId};

use super::error::HtmlError;
use super::failure;
use super::frame::{self, Asked};
use super::markup::{Html, put};
use super::standing::Proof;
use super::story::Story;
use super::words::Counted;
use super::{HtmlReport, HtmlWritten, bars, timeline, tree};
use crate::verdict::TraceReplay;

pub(super) fn write(
    report: &HtmlReport<'_>,
    trace_id: TraceId,
    replays: &[TraceReplay],
    out: &mut dyn Write,
) -> Result<HtmlWritten, HtmlError> {
    let html = &mut Html::new(out);
    let story = Story::read(report.snapshot, trace_id)?;
    let failed = replays.iter().filter(|replay| !replay.is_pass()).count() as u64;
    frame::begin(html, &format!("Trace {trace_id} - Proofline"))?;
    bars::patterns(html)?;
    masthead(html, report, trace_id, replays)?;
    put!(html, "<main id=\"main\" tabindex=\"-1\">\n");
    frame::legend(html)?;
    put!(html, "<section aria-labelledby=\"verdicts\"><h2 id=\"verdicts\">Verdicts</h2>\n");
    let mut before = None;
    for replay in replays {
        one(html, replay, before.replace(replay))?;
    }
    put!(html, "</section>\n<section aria-labelledby=\"records\"><h2 id=\"records\">Records</h2>\n<p>");
    put!(html, (story.shown()), ", each below the span that called it.</p>\n");
    tree::draw(html, report, &story, &Proof::of(replays))?;
    timeline::draw(html, &story)?;
    put!(html, "</section>\n");
    frame::end(html, report)?;
    Ok(HtmlWritten { traces: 1, failed: failed.min(1), trees: 1, differs: false })
}

fn masthead(
    html: &mut Html<'_>,
    report: &HtmlReport<'_>,
    trace_id: TraceId,
    replays: &[TraceReplay],
) -> Result<(), HtmlError> {
    let failed = replays.iter().filter(|replay| !replay.is_pass()).count();
    put!(html, "<header class=\"mast\"><p class=\"kicker\">Proofline <span>one trace</span></p>\n");
    match failed {
        0 => put!(html, "<h1 class=\"ok\">The trace passes</h1>\n"),
        _ => put!(html, "<h1 class=\"bad\">The trace fails</h1>\n"),
    }
    put!(html, "<p class=\"lead\"><code>", (trace_id), "</code></p>\n");
    let questions: Vec<&str> = replays.iter().map(|replay| replay.result.replay_type().as_str()).collect();
    let clock = replays.first().map(|replay| replay.result.generated_at.to_string()).unwrap_or_default();
    let question = format!("{} replay of one trace", questions.join(" and "));
    frame::facts(html, report, &Asked { question: &question, clock, is_whole: false })?;
    put!(html, "</header>\n");
    Ok(())
}

fn one(html: &mut Html<'_>, replay: &TraceReplay, before: Option<&TraceReplay>) -> Result<(), HtmlError> {
    let class = if replay.is_pass() { "card pass" } else { "card fail" };
    put!(html, "<article class=\"", (class), "\"><h3>", (replay.result.replay_type()), " replay</h3>\n");
    failure::verdict(html, replay)?;
    if let Some(failure) = replay.failure() {
        failure::failure(html, failure)?;
    }
    put!(html, "<p class=\"done\">", (done(&replay.diagnostics.coverage)), "</p>\n");
    // Two questions about one trace mostly find the same.
    match before {
        Some(before) if !replay.findings().is_empty() && before.findings() == replay.findings() => {
            put!(html, "<p class=\"note\">The findings are those above.</p>\n");
        }
        _ => failure::findings(html, replay)?,
    }
    put!(html, "</article>\n");
    Ok(())
}

fn done(coverage: &Coverage) -> String {
    let absent = |count: SafeInt, one, many| Counted(count.get(), one, many);
    format!(
        "Of {}: {} verified by bytes, schema and hash; {} decided again by the gate; {} decided again by their \
         policy; {} executed again. Not at hand: {}, {} that others rest on.",
        Counted(coverage.records.get(), "record", "records"),
        coverage.verified,
        coverage.gate_rechecked,
        coverage.policy_re_decided,
        coverage.re_executed,
        absent(coverage.blobs_absent, "payload", "payloads"),
        absent(coverage.absent, "record", "records"),
    )
}

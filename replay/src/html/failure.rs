//! What one verdict says: the check that failed with both sides of it, and findings.

use proofline_trace::Failure;

use super::error::HtmlError;
use super::markup::{Html, put};
use super::standing::{Standing, of_finding};
use super::words::Count;
use crate::verdict::TraceReplay;

/// Of either side of a check so much is shown.
const SIDE_CHARS: usize = 4_000;
/// Findings of one trace that are listed.
const FINDINGS: usize = 100;
/// Entries of one finding that are named.
const SEQS: usize = 20;

/// The verdict in a line, with the artifact that backs it.
pub(super) fn verdict(html: &mut Html<'_>, replay: &TraceReplay) -> Result<(), HtmlError> {
    put!(html, "<p class=\"verdict\">");
    html.badge(Standing::Verified)?;
    put!(html, (replay.result.replay_type()), " replay: ");
    match replay.result.verdict.failure_class() {
        None => put!(html, "<b class=\"y\">pass</b>"),
        Some(class) => put!(html, "<b class=\"x\">fail</b> ", (class)),
    }
    put!(html, " <span class=\"by\">artifact <code class=\"h\">", (replay.artifact_sha256));
    put!(html, "</code></span></p>\n");
    Ok(())
}

/// What ended the run, with expected and found side by side.
pub(super) fn failure(html: &mut Html<'_>, failure: &Failure) -> Result<(), HtmlError> {
    put!(
        html,
        "<div class=\"why\"><p class=\"check\"><b class=\"x\">",
        (failure.class),
        "</b> at the check <code>"
    );
    put!(html, (failure.check), "</code></p>\n<p class=\"msg\">", (failure.message), "</p>\n");
    if failure.expected.is_some() || failure.found.is_some() {
        put!(html, "<div class=\"sides\">");
        side(html, "expected", failure.expected.as_deref())?;
        side(html, "found", failure.found.as_deref())?;
        put!(html, "</div>\n");
    }
    put!(html, "<dl class=\"small\">");
    if let Some(seq) = failure.seq {
        put!(html, "<div><dt>Entry</dt><dd>", (seq), "</dd></div>");
    }
    if let Some(record_type) = failure.record_type {
        put!(html, "<div><dt>Record type</dt><dd>", (record_type), "</dd></div>");
    }
    if let Some(hash) = failure.envelope_hash {
        put!(html, "<div><dt>Record</dt><dd><code class=\"h\">", (hash), "</code></dd></div>");
    }
    if let Some(kind) = &failure.error_kind {
        put!(html, "<div><dt>Kind</dt><dd>", (kind), "</dd></div>");
    }
    if let Some(pointer) = failure.pointer.as_ref().filter(|pointer| !pointer.is_root()) {
        put!(html, "<div><dt>Place</dt><dd><code>", (pointer), "</code></dd></div>");
    }
    put!(html, "</dl></div>\n");
    Ok(())
}

fn side(html: &mut Html<'_>, name: &'static str, text: Option<&str>) -> Result<(), HtmlError> {
    put!(html, "<div><p class=\"cap\">", (name), "</p><pre>");
    match text {
        Some(text) => html.lines(&text, SIDE_CHARS)?,
        None => put!(html, "nothing was said"),
    }
    put!(html, "</pre></div>");
    Ok(())
}

/// Findings of a trace, if it has any.
pub(super) fn findings(html: &mut Html<'_>, replay: &TraceReplay) -> Result<(), HtmlError> {
    if replay.findings().is_empty() {
        return Ok(());
    }
    put!(html, "<p class=\"cap\">Findings</p><ul class=\"finds\" role=\"list\">\n");
    for finding in replay.findings().iter().take(FINDINGS) {
        put!(html, "<li>");
        html.badge(of_finding(finding.code))?;
        put!(html, "<span class=\"sev\">", (finding.severity), "</span> <b>", (finding.code), "</b> ");
        put!(html, (finding.message), " <span class=\"by\">");
        put!(html, (if finding.seqs.len() == 1 { "entry" } else { "entries" }));
        for seq in finding.seqs.iter().take(SEQS) {
            put!(html, " ", (seq));
        }
        let more = finding.seqs.len().saturating_sub(SEQS);
        if more > 0 {
            put!(html, " and ", (Count(more as u64)), " more");
        }
        put!(html, "</span></li>\n");
    }
    put!(html, "</ul>\n");
    let more = replay.findings().len().saturating_sub(FINDINGS);
    if more > 0 {
        put!(
            html,
            "<p class=\"cut\">",
            (Count(more as u64)),
            " more findings; <code>proofline replay DIR --trace "
        );
        put!(html, (replay.trace_id()), "</code> lists all.</p>\n");
    }
    Ok(())
}

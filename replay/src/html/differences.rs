//! The differences that a constrained replay lists, baseline and candidate side by side.

use proofline_trace::{Difference, DifferenceSide};

use super::error::HtmlError;
use super::markup::{Html, put};
use super::standing::Standing;
use super::words::Count;

/// Differences of one pair that are listed.
const DIFFERENCES: usize = 50;
/// Of what a side says so much is shown.
const VALUE_CHARS: usize = 1_000;
/// Entries of a side that are named.
const SEQS: usize = 8;

/// The list, those that are not allowed first, as the text output has them.
pub(super) fn list(html: &mut Html<'_>, differences: &[Difference]) -> Result<(), HtmlError> {
    if differences.is_empty() {
        return Ok(());
    }
    put!(html, "<p class=\"cap\">Differences</p><ul class=\"diffs\" role=\"list\">\n");
    let (allowed, refused): (Vec<&Difference>, Vec<&Difference>) =
        differences.iter().partition(|difference| difference.allowed);
    for difference in refused.iter().chain(&allowed).take(DIFFERENCES) {
        put!(html, "<li><p>");
        html.badge(Standing::Verified)?;
        match difference.allowed {
            true => put!(html, "<b class=\"y\">allowed</b> "),
            false => put!(html, "<b class=\"x\">not allowed</b> "),
        }
        put!(html, (difference.kind), " of ", (difference.record_type), "</p><div class=\"sides\">");
        side(html, "baseline", &difference.baseline)?;
        side(html, "candidate", &difference.candidate)?;
        put!(html, "</div></li>\n");
    }
    put!(html, "</ul>\n");
    let more = differences.len().saturating_sub(DIFFERENCES);
    if more > 0 {
        put!(
            html,
            "<p class=\"cut\">",
            (Count(more as u64)),
            " more are in the diagnostics of the verdict.</p>\n"
        );
    }
    Ok(())
}

fn side(html: &mut Html<'_>, name: &'static str, side: &DifferenceSide) -> Result<(), HtmlError> {
    put!(html, "<div><p class=\"cap\">", (name));
    for seq in side.seqs.iter().take(SEQS) {
        put!(html, " #", (seq));
    }
    let more = side.seqs.len().saturating_sub(SEQS);
    if more > 0 {
        put!(html, " and ", (Count(more as u64)), " more");
    }
    put!(html, "</p><pre>");
    match &side.value {
        Some(value) => html.lines(value, VALUE_CHARS)?,
        None if side.seqs.is_empty() => put!(html, "no such record"),
        None => put!(html, "nothing"),
    }
    put!(html, "</pre></div>");
    Ok(())
}

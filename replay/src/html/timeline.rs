//! When the records of a trace began and ended, drawn to scale: a row a record, in words and as a bar. The words
//! say all that the bar shows.

use super::error::HtmlError;
use super::markup::{Html, put};
use super::standing::Standing;
use super::story::{Story, Told};
use super::words::{Count, Percent, kind, moment, subject};
use proofline_trace::Envelope;

/// Rows of one timeline. The tree has the times of all records.
const ROWS: usize = 60;

/// Draws the records by the time they began. One record alone needs no picture.
pub(super) fn draw(html: &mut Html<'_>, story: &Story) -> Result<(), HtmlError> {
    if story.records.len() < 2 {
        return Ok(());
    }
    let (start_ms, end_ms) = (story.start_ms(), story.end_ms());
    let mut records: Vec<&Told> = story.records.iter().collect();
    records.sort_by_key(|told| (told.span.start_ms, told.seq));
    put!(html, "<details class=\"tl\"><summary>Timeline: ", (Count(end_ms - start_ms)), " ms");
    if let Some(moment) = moment(start_ms) {
        put!(html, " from ", (moment));
    }
    put!(html, "</summary><p class=\"note\">");
    html.badge(Standing::Inferred)?;
    put!(html, "by the clocks of the producers; a ring is a moment, a bar a call</p>\n<ol role=\"list\">\n");
    for told in records.iter().take(ROWS) {
        row(html, told, start_ms, end_ms)?;
    }
    put!(html, "</ol>");
    let more = records.len().saturating_sub(ROWS);
    if more > 0 {
        put!(html, "<p class=\"cut\">", (Count(more as u64)), " more are in the tree alone.</p>");
    }
    put!(html, "</details>\n");
    Ok(())
}

fn row(html: &mut Html<'_>, told: &Told, start_ms: u64, end_ms: u64) -> Result<(), HtmlError> {
    let whole = end_ms - start_ms;
    let from = told.span.start_ms.get() - start_ms;
    let length = told.span.end_ms.map(|end| end.get().saturating_sub(told.span.start_ms.get()));
    put!(html, "<li><span class=\"tn\">#", (told.seq), " ", (kind(&told.envelope)), " ");
    put!(html, (subject(&told.envelope)), "</span><svg aria-hidden=\"true\" width=\"100%\" height=\"12\">");
    put!(html, "<line x1=\"0\" x2=\"100%\" y1=\"6\" y2=\"6\"/>");
    match length {
        Some(length) => {
            match &told.envelope {
                Envelope::ModelCall(_) => put!(html, "<rect class=\"bm\" x=\""),
                _ => put!(html, "<rect class=\"bt\" x=\""),
            }
            put!(html, (Percent(from, whole)), "\" width=\"", (Percent(length, whole)));
            put!(html, "\" y=\"2\" height=\"8\" rx=\"1\"/>");
        }
        None => put!(html, "<circle cx=\"", (Percent(from, whole)), "\" cy=\"6\" r=\"4\"/>"),
    }
    put!(html, "</svg><span class=\"tt\">+", (Count(from)), " ms");
    if let Some(length) = length {
        put!(html, ", ", (Count(length)), " ms long");
    }
    put!(html, "</span></li>\n");
    Ok(())
}

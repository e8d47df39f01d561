//! A span that an import kept and that became no record, where it stands in the tree.

use proofline_trace::Became;

use super::error::HtmlError;
use super::markup::{Html, put};
use super::standing::Standing;
use super::story::Plain;
use super::words::Count;

/// Why most of them are no records, which goes without saying.
const PLAIN_REASON: &str = "no-call";

/// Its name in a line, its entry, and when it began.
pub(super) fn headline(html: &mut Html<'_>, plain: &Plain, start_ms: u64) -> Result<(), HtmlError> {
    put!(html, "<b>", (plain.span.name), "</b> <span class=\"note\">span, no record</span>");
    if plain.span.became == Became::Refused {
        put!(html, " <span class=\"ref\"><b class=\"x\">refused</b> ", (reason(plain)), "</span>");
    }
    put!(html, " <span class=\"at\">#", (plain.seq));
    if let Some(at) = plain.at_ms() {
        put!(html, " +", (Count(at.saturating_sub(start_ms))), " ms");
    }
    put!(html, "</span>");
    Ok(())
}

/// What its import says of it: the log holds that, and nobody proved it.
pub(super) fn statements(html: &mut Html<'_>, plain: &Plain) -> Result<(), HtmlError> {
    put!(html, "<ul class=\"st\" role=\"list\"><li>");
    html.badge(Standing::Inferred)?;
    put!(html, "an import kept it as ");
    match plain.span.became {
        Became::Refused => put!(html, "refused"),
        _ => put!(html, "a place in the tree"),
    }
    if !matches!(reason(plain), "" | PLAIN_REASON) {
        put!(html, ", ", (reason(plain)));
    }
    let (start, end) = (plain.span.start_unix_nano.nanos(), plain.span.end_unix_nano.nanos());
    put!(html, "; status ", (plain.span.status));
    match (start, end, end.checked_sub(start)) {
        (0, _, _) => put!(html, ", without a start"),
        (_, 0, _) => put!(html, ", without an end"),
        (_, _, None) => put!(html, ", ended before it began"),
        (_, _, Some(nanos)) => put!(html, ", after ", (Count(nanos / 1_000_000)), " ms"),
    }
    match plain.span.parent_span_id {
        None => put!(html, ", at the root"),
        Some(parent) => put!(html, ", below span <code>", (parent), "</code>"),
    }
    put!(html, " <span class=\"by\">entry ", (plain.seq), " <code class=\"h\">", (plain.key));
    put!(html, "</code></span></li></ul>");
    Ok(())
}

fn reason(plain: &Plain) -> &str {
    plain.span.reason.as_ref().map_or("", |reason| reason.as_str())
}

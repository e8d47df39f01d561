//! Counts as bars. Each row says its number in words as well; a failure is hatched, so that no colour is needed.

use super::error::HtmlError;
use super::markup::{Html, put};
use super::words::{Count, Percent};

/// How a bar looks.
#[derive(Clone, Copy)]
pub(super) enum Fill {
    Good,
    Bad,
    Odd,
    Plain,
}

/// A row: what is counted, how many, of how many.
pub(super) struct Bar<'a> {
    pub(super) label: &'a str,
    pub(super) count: u64,
    pub(super) of: u64,
    pub(super) fill: Fill,
}

/// The hatching of failures, once a page.
pub(super) fn patterns(html: &mut Html<'_>) -> Result<(), HtmlError> {
    put!(html, "<svg class=\"defs\" aria-hidden=\"true\" width=\"0\" height=\"0\"><defs>");
    put!(html, "<pattern id=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" ");
    put!(html, "patternTransform=\"rotate(45)\"><rect class=\"hb\" width=\"6\" height=\"6\"/>");
    put!(html, "<rect class=\"hf\" width=\"3\" height=\"6\"/></pattern></defs></svg>\n");
    Ok(())
}

/// A figure of bars under a caption.
pub(super) fn figure(html: &mut Html<'_>, caption: &'static str, bars: &[Bar<'_>]) -> Result<(), HtmlError> {
    if bars.is_empty() {
        return Ok(());
    }
    put!(html, "<figure class=\"bars\"><figcaption>", (caption), "</figcaption>\n<ul role=\"list\">\n");
    for bar in bars {
        put!(html, "<li><span class=\"bl\">", (bar.label), "</span><svg role=\"img\" aria-label=\"");
        put!(html, (Count(bar.count)), " of ", (Count(bar.of)), "\" width=\"100%\" height=\"14\">");
        put!(html, "<rect class=\"track\" width=\"100%\" height=\"14\" rx=\"3\"/>");
        match bar.fill {
            Fill::Good => put!(html, "<rect class=\"bg\" height=\"14\" rx=\"3\" width=\""),
            Fill::Bad => put!(html, "<rect class=\"bb\" height=\"14\" rx=\"3\" width=\""),
            Fill::Odd => put!(html, "<rect class=\"bo\" height=\"14\" rx=\"3\" width=\""),
            Fill::Plain => put!(html, "<rect class=\"bp\" height=\"14\" rx=\"3\" width=\""),
        }
        put!(
            html,
            (Percent(bar.count, bar.of)),
            "\"/></svg><span class=\"bn\">",
            (Count(bar.count)),
            "</span></li>\n"
        );
    }
    put!(html, "</ul></figure>\n");
    Ok(())
}

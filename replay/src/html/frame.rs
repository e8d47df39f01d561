//! What all pages share: the document around them, the head with what was read, the legend, the foot.

use proofline_ledger::{EntryFault, LogEnd, TreeError};

use super::HtmlReport;
use super::error::HtmlError;
use super::markup::{Html, put};
use super::standing::Standing;
use super::words::{Count, Counted};

/// The document up to the masthead. Titles are text, and may name evidence.
pub(super) fn begin(html: &mut Html<'_>, title: &str) -> Result<(), HtmlError> {
    put!(html, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    // No address of any kind can be loaded, whatever stands in the page.
    put!(html, "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; ");
    put!(html, "style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; ");
    put!(html, "base-uri 'none'; form-action 'none'\">\n");
    put!(html, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    put!(html, "<meta name=\"color-scheme\" content=\"light dark\">\n");
    put!(html, "<meta name=\"referrer\" content=\"no-referrer\">\n<link rel=\"icon\" href=\"data:,\">\n");
    put!(html, "<title>", (title), "</title>\n<style>\n");
    html.markup(include_str!("style.css"))?;
    put!(html, "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to the report</a>\n");
    Ok(())
}

/// The foot and the end of the document.
pub(super) fn end(html: &mut Html<'_>, report: &HtmlReport<'_>) -> Result<(), HtmlError> {
    put!(html, "</main>\n<footer class=\"foot\"><p>Made by Proofline ", (report.versions.proofline));
    put!(html, ". The same ledger, question and clock give this file byte for byte. It fetches nothing and ");
    put!(html, "sends nothing.</p></footer>\n<script>\n");
    html.markup(include_str!("page.js"))?;
    put!(html, "</script>\n</body>\n</html>\n");
    Ok(())
}

/// What a run was asked, as the masthead lists it.
pub(super) struct Asked<'a> {
    pub(super) question: &'a str,
    pub(super) clock: String,
    /// Whether every entry of the log was checked and none is damaged.
    pub(super) is_whole: bool,
}

/// The ledger and the question. The words of whoever asked rest on nothing, and have no badge.
pub(super) fn facts(
    html: &mut Html<'_>,
    report: &HtmlReport<'_>,
    asked: &Asked<'_>,
) -> Result<(), HtmlError> {
    let snapshot = report.snapshot;
    put!(html, "<dl class=\"facts\">\n");
    let of_genesis = if asked.is_whole { Standing::Verified } else { Standing::Inferred };
    put!(html, "<div class=\"long\"><dt>Ledger</dt><dd>");
    html.badge(of_genesis)?;
    put!(html, "<code>", (snapshot.ledger_id()), "</code> <span class=\"by\">entry 0</span></dd></div>\n");
    put!(html, "<div><dt>Origin</dt><dd>");
    match snapshot.genesis() {
        Ok(genesis) => {
            html.badge(of_genesis)?;
            put!(html, (genesis.origin), " <span class=\"by\">entry 0</span>");
        }
        Err(EntryFault::Io(fault)) => return Err(EntryFault::Io(fault).into()),
        Err(_) => {
            html.badge(Standing::NotReplayable)?;
            put!(html, "entry 0 cannot be read");
        }
    }
    put!(html, "</dd></div>\n<div><dt>Entries</dt><dd>");
    html.badge(of_genesis)?;
    put!(html, (Count(snapshot.entries())), "</dd></div>\n<div class=\"wide\"><dt>Root</dt><dd>");
    root(html, report)?;
    put!(html, "</dd></div>\n<div><dt>End of the log</dt><dd>");
    match snapshot.end() {
        LogEnd::Published => {
            html.badge(Standing::Inferred)?;
            put!(html, "anchored by the published size");
        }
        _ => {
            html.badge(Standing::NotReplayable)?;
            put!(html, "not anchored: entries may have been cut off unseen");
        }
    }
    put!(html, "</dd></div>\n<div class=\"long\"><dt>Question</dt><dd>", (asked.question), "</dd></div>\n");
    put!(html, "<div><dt>Clock of the verdicts</dt><dd>", (asked.clock), "</dd></div>\n");
    put!(html, "<div><dt>Replayed by</dt><dd>Proofline ", (report.versions.proofline));
    if let Some(engine) = &report.versions.policy_engine {
        put!(html, ", ", (engine));
    }
    put!(html, "</dd></div>\n</dl>\n");
    Ok(())
}

/// A root says nothing until somebody signed it, so it is computed and not verified here.
fn root(html: &mut Html<'_>, report: &HtmlReport<'_>) -> Result<(), HtmlError> {
    match report.snapshot.tree().root(report.snapshot.entries()) {
        Ok(root) => {
            html.badge(Standing::Inferred)?;
            put!(html, "<code>", (root), "</code> <span class=\"by\">RFC 6962, over ");
            put!(html, (Counted(report.snapshot.entries(), "entry", "entries")), "</span>");
        }
        Err(TreeError::Entry(EntryFault::Io(fault))) => return Err(EntryFault::Io(fault).into()),
        Err(_) => {
            html.badge(Standing::NotReplayable)?;
            put!(html, "not known: entries that it is made of cannot be read");
        }
    }
    Ok(())
}

/// What the three words mean.
pub(super) fn legend(html: &mut Html<'_>) -> Result<(), HtmlError> {
    put!(
        html,
        "<section class=\"legend\" aria-labelledby=\"legend\">\n<h2 id=\"legend\">How to read it</h2>\n"
    );
    put!(
        html,
        "<p>Every statement about the evidence bears one of three marks.</p>\n<ul role=\"list\">\n<li>"
    );
    html.badge(Standing::Verified)?;
    put!(
        html,
        "<span>This replay derived it again from stored bytes. The entry and the hash beside it back it. "
    );
    put!(html, "It says that the record is unchanged and passed the checks named, not that the world was ");
    put!(html, "as the record says.</span></li>\n<li>");
    html.badge(Standing::Inferred)?;
    put!(
        html,
        "<span>Drawn from what records say and nobody proved: times, durations, outcomes, who called "
    );
    put!(html, "whom.</span></li>\n<li>");
    html.badge(Standing::NotReplayable)?;
    put!(
        html,
        "<span>This replay could not derive it: a payload or policy that is not at hand, what a model "
    );
    put!(html, "answered, a record behind the check that failed.</span></li>\n</ul>\n");
    put!(html, "<p class=\"switch\"><input type=\"checkbox\" id=\"whole\"> <label for=\"whole\">Show whole ");
    put!(html, "hashes</label></p>\n</section>\n");
    Ok(())
}

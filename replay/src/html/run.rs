//! The report of a run: what it came to, what was and was not done, failures, findings, passes.

use std::io::Write;
use std::ops::ControlFlow;

use proofline_ledger::Damage;
use proofline_trace::{Coverage, ReplayType};

use super::bars::{self, Bar, Fill};
use super::drift;
use super::error::HtmlError;
use super::frame::{self, Asked};
use super::markup::{Html, put};
use super::standing::{Proof, Standing};
use super::story::Story;
use super::words::{Count, Counted};
use super::{HtmlReport, HtmlWritten, TreeLimits, differences, failure, timeline, tree};
use crate::report::Verdicts;
use crate::summary::{RunVerdict, Summary};
use crate::verdict::TraceReplay;

/// So many failures, and fewer, are shown with their trees open.
const OPEN_FAILURES: u64 = 3;
/// Places of damage that are listed.
const DAMAGE: usize = 200;

pub(super) fn write(
    report: &HtmlReport<'_>,
    summary: &Summary,
    verdicts: &dyn Verdicts,
    limits: &TreeLimits,
    out: &mut dyn Write,
) -> Result<HtmlWritten, HtmlError> {
    let html = &mut Html::new(out);
    let sums = Sums::of(verdicts)?;
    let writer = Writer { report, summary, verdicts, sums: &sums };
    let mut trees = Trees { left: limits.records, drawn: 0 };
    frame::begin(html, &format!("{} replay of {} - Proofline", summary.replay_type, summary.ledger_id))?;
    bars::patterns(html)?;
    writer.masthead(html)?;
    put!(html, "<main id=\"main\" tabindex=\"-1\">\n");
    frame::legend(html)?;
    writer.totals(html)?;
    writer.coverage(html)?;
    writer.damage(html)?;
    writer.failures(html, &mut trees)?;
    writer.findings(html, &mut trees)?;
    let drawn = writer.passes(html, limits, &trees)?;
    writer.trees_of_passes(html, drawn, &mut trees)?;
    frame::end(html, report)?;
    Ok(HtmlWritten { traces: summary.traces, failed: summary.failed, trees: trees.drawn, differs: false })
}

/// Goes over all verdicts, and stops at the first fault.
fn each(
    verdicts: &dyn Verdicts,
    mut take: impl FnMut(TraceReplay) -> Result<(), HtmlError>,
) -> Result<(), HtmlError> {
    let mut fault = None;
    verdicts.each(&mut |replay| match take(replay) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            fault = Some(error);
            ControlFlow::Break(())
        }
    })?;
    fault.map_or(Ok(()), Err)
}

/// What a summary does not count.
#[derive(Default)]
struct Sums {
    policy_re_decided: u64,
    policy_absent: u64,
    policy_unusable: u64,
    re_executed: u64,
    rejected_listed: u64,
    blobs_absent: u64,
    absent: u64,
    /// Traces that passed and have findings.
    with_findings: u64,
}

impl Sums {
    fn of(verdicts: &dyn Verdicts) -> Result<Self, HtmlError> {
        let mut sums = Self::default();
        each(verdicts, |replay| {
            sums.add(&replay.diagnostics.coverage);
            sums.with_findings += u64::from(Part::of(&replay) == Part::Found);
            Ok(())
        })?;
        Ok(sums)
    }

    fn add(&mut self, coverage: &Coverage) {
        self.policy_re_decided += coverage.policy_re_decided.get();
        self.policy_absent += coverage.policy_absent.get();
        self.policy_unusable += coverage.policy_unusable.get();
        self.re_executed += coverage.re_executed.get();
        self.rejected_listed += coverage.rejected_listed.get();
        self.blobs_absent += coverage.blobs_absent.get();
        self.absent += coverage.absent.get();
    }
}

/// Where on the page a verdict stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Failed,
    Found,
    Passed,
}

impl Part {
    fn of(replay: &TraceReplay) -> Self {
        match (replay.is_pass(), replay.findings().is_empty()) {
            (false, _) => Self::Failed,
            (true, false) => Self::Found,
            (true, true) => Self::Passed,
        }
    }
}

/// How many records may still be drawn.
struct Trees {
    left: u64,
    drawn: u64,
}

impl Trees {
    /// Whether this one may be drawn; then it is counted.
    fn take(&mut self, replay: &TraceReplay) -> bool {
        let records = replay.diagnostics.coverage.records.get();
        let fits = records <= self.left;
        if fits {
            self.left -= records;
            self.drawn += 1;
        }
        fits
    }
}

struct Writer<'a> {
    report: &'a HtmlReport<'a>,
    summary: &'a Summary,
    verdicts: &'a dyn Verdicts,
    sums: &'a Sums,
}

impl Writer<'_> {
    fn is_of_pairs(&self) -> bool {
        self.summary.replay_type == ReplayType::Constrained
    }

    fn traces(&self, count: u64) -> Counted {
        if self.is_of_pairs() { Counted(count, "pair", "pairs") } else { Counted(count, "trace", "traces") }
    }

    fn masthead(&self, html: &mut Html<'_>) -> Result<(), HtmlError> {
        let summary = self.summary;
        put!(html, "<header class=\"mast\"><p class=\"kicker\">Proofline <span>", (summary.replay_type));
        put!(html, " replay</span></p>\n");
        match summary.verdict() {
            RunVerdict::AllWell => put!(html, "<h1 class=\"ok\">", (self.all_passed()), "</h1>\n"),
            RunVerdict::SomeFailed => {
                put!(
                    html,
                    "<h1 class=\"bad\">",
                    (Count(summary.failed)),
                    " of ",
                    (self.traces(summary.traces))
                );
                put!(html, " failed</h1>\n");
            }
            RunVerdict::Damaged => put!(html, "<h1 class=\"bad\">The log is damaged</h1>\n"),
        }
        put!(
            html,
            "<p class=\"lead\">",
            (question(summary.replay_type)),
            " ",
            (Count(summary.passed)),
            " passed, "
        );
        put!(
            html,
            (Count(summary.failed)),
            " failed, ",
            (Count(self.sums.with_findings)),
            " passed with findings."
        );
        if summary.damage_count > 0 {
            put!(
                html,
                " ",
                (Counted(summary.damage_count, "place", "places")),
                " of the log cannot be relied on."
            );
        }
        put!(html, "</p>\n");
        let question = match (summary.replay_type, summary.entries_checked) {
            (ReplayType::Constrained, _) => "constrained replay of pairs of traces".to_owned(),
            (other, true) => format!("{other} replay of every trace and every entry"),
            (other, false) => format!("{other} replay of chosen traces"),
        };
        let clock = summary.generated_at.to_string();
        let asked = Asked {
            question: &question,
            clock,
            is_whole: summary.entries_checked && summary.damage_count == 0,
        };
        frame::facts(html, self.report, &asked)?;
        self.contents(html)
    }

    fn all_passed(&self) -> String {
        match self.summary.traces {
            0 => "There was nothing to replay".to_owned(),
            1 => format!("{} passed", self.traces(1)),
            traces => format!("All {} passed", self.traces(traces)),
        }
    }

    fn contents(&self, html: &mut Html<'_>) -> Result<(), HtmlError> {
        let passed = self.summary.passed.saturating_sub(self.sums.with_findings);
        put!(
            html,
            "<nav aria-label=\"Contents\"><ul role=\"list\">\n<li><a href=\"#totals\">Totals</a></li>\n"
        );
        put!(html, "<li><a href=\"#coverage\">What was done, and what was not</a></li>\n");
        if self.summary.damage_count > 0 {
            put!(
                html,
                "<li><a href=\"#damage\">Damage (",
                (Count(self.summary.damage_count)),
                ")</a></li>\n"
            );
        }
        put!(html, "<li><a href=\"#failures\">Failures (", (Count(self.summary.failed)), ")</a></li>\n");
        put!(html, "<li><a href=\"#findings\">Findings (", (Count(self.sums.with_findings)), ")</a></li>\n");
        put!(html, "<li><a href=\"#passes\">Passes (", (Count(passed)), ")</a></li>\n</ul></nav></header>\n");
        Ok(())
    }

    fn totals(&self, html: &mut Html<'_>) -> Result<(), HtmlError> {
        let summary = self.summary;
        put!(
            html,
            "<section aria-labelledby=\"totals\"><h2 id=\"totals\">Totals</h2>\n<div class=\"figures\">\n"
        );
        let of = summary.traces;
        let results = [
            Bar { label: "passed", count: summary.passed, of, fill: Fill::Good },
            Bar { label: "failed", count: summary.failed, of, fill: Fill::Bad },
        ];
        let caption = if self.is_of_pairs() { "Pairs of traces" } else { "Traces" };
        bars::figure(html, caption, &results)?;
        let classes = summary.failures.iter();
        let classes = classes.map(|(class, count)| Bar {
            label: class.as_str(),
            count: *count,
            of: summary.failed,
            fill: Fill::Bad,
        });
        bars::figure(html, "Failures by class", &classes.collect::<Vec<_>>())?;
        let found: u64 = summary.findings.values().sum();
        let codes = summary.findings.iter();
        let codes = codes.map(|(code, count)| Bar {
            label: code.as_str(),
            count: *count,
            of: found,
            fill: Fill::Odd,
        });
        bars::figure(html, "Findings by code", &codes.collect::<Vec<_>>())?;
        let of = summary.records;
        let records = [
            Bar { label: "bytes, schema, hash", count: summary.verified, of, fill: Fill::Plain },
            Bar { label: "gate again", count: summary.gate_rechecked, of, fill: Fill::Plain },
            Bar { label: "policy again", count: self.sums.policy_re_decided, of, fill: Fill::Plain },
            Bar { label: "executed again", count: self.sums.re_executed, of, fill: Fill::Plain },
        ];
        bars::figure(html, "Records", &records)?;
        put!(html, "</div></section>\n");
        Ok(())
    }

    fn coverage(&self, html: &mut Html<'_>) -> Result<(), HtmlError> {
        put!(
            html,
            "<section aria-labelledby=\"coverage\"><h2 id=\"coverage\">What was done, and what was not</h2>\n"
        );
        put!(html, "<div class=\"two\"><div><h3>Done</h3><ul class=\"st\" role=\"list\">\n");
        for line in self.done() {
            put!(html, "<li>");
            html.badge(Standing::Verified)?;
            put!(html, (line), "</li>\n");
        }
        put!(html, "</ul></div>\n<div><h3>Not done</h3><ul class=\"st\" role=\"list\">\n");
        for line in self.not_done() {
            put!(html, "<li>");
            html.badge(Standing::NotReplayable)?;
            put!(html, (line), "</li>\n");
        }
        put!(html, "</ul></div></div></section>\n");
        Ok(())
    }

    fn done(&self) -> Vec<String> {
        let (summary, sums) = (self.summary, self.sums);
        let records = |count| Counted(count, "record", "records");
        let mut lines = vec![
            format!("bytes, schema and hash of {}", records(summary.verified)),
            format!("the gate's decision on {}", records(summary.gate_rechecked)),
        ];
        let mut more = |count: u64, line: String| lines.extend((count > 0).then_some(line));
        let decided = Counted(sums.policy_re_decided, "decision", "decisions");
        more(sums.policy_re_decided, format!("the policy's answer to {decided}"));
        more(
            sums.re_executed,
            format!("the answer of {} executed again", Counted(sums.re_executed, "tool call", "tool calls")),
        );
        let signatures = Counted(summary.producer_signatures, "signature", "signatures");
        more(summary.producer_signatures, format!("{signatures} of producers"));
        let listed = Counted(sums.rejected_listed, "refused attempt", "refused attempts");
        more(sums.rejected_listed, format!("bytes and hash of {listed}"));
        if summary.entries_checked && summary.damage_count == 0 {
            let entries = Counted(summary.entries, "entry", "entries");
            lines.push(format!("frame, body, link and clock of {entries}, which is every entry of the log"));
        }
        lines
    }

    fn not_done(&self) -> Vec<String> {
        let (summary, sums) = (self.summary, self.sums);
        let mut lines = Vec::new();
        let left = summary.records.saturating_sub(summary.verified);
        let mut more = |count: u64, line: String| lines.extend((count > 0).then_some(line));
        let records = Counted(left, "record", "records");
        more(left, format!("{records} behind the check that failed in their trace"));
        let policies = Counted(sums.policy_absent, "decision", "decisions");
        more(sums.policy_absent, format!("{policies} whose policy is not at hand"));
        let unusable = Counted(sums.policy_unusable, "decision", "decisions");
        more(sums.policy_unusable, format!("{unusable} whose policy no engine can read"));
        let payloads = Counted(sums.blobs_absent, "payload", "payloads");
        more(sums.blobs_absent, format!("{payloads} that records name and that are not at hand"));
        let absent = Counted(sums.absent, "record", "records");
        more(sums.absent, format!("{absent} that others rest on and that are not there"));
        let attempts = Counted(summary.unlisted_attempts, "refused attempt", "refused attempts");
        let alone = format!("{attempts} in {}", Counted(summary.unlisted_traces, "trace", "traces"));
        more(summary.unlisted_traces, format!("{alone} that hold nothing else and have no verdict"));
        if sums.policy_re_decided == 0 {
            lines.push("no policy was asked again".to_owned());
        }
        if sums.re_executed == 0 {
            lines.push("no tool was executed again".to_owned());
        }
        lines.push("no model was asked again: what it answers cannot be derived".to_owned());
        if !summary.entries_checked {
            lines.push(
                "of the log only the chosen traces, and the entries beside theirs, were checked".to_owned(),
            );
        }
        lines
    }

    fn damage(&self, html: &mut Html<'_>) -> Result<(), HtmlError> {
        let count = self.summary.damage_count;
        if count == 0 {
            return Ok(());
        }
        put!(html, "<section aria-labelledby=\"damage\"><h2 id=\"damage\">Damage of the log</h2>\n");
        put!(html, "<ul class=\"finds\" role=\"list\">\n");
        for damage in self.summary.damage.iter().take(DAMAGE) {
            put!(html, "<li>");
            html.badge(Standing::Verified)?;
            put!(html, "<b class=\"x\">", (damage.code), "</b> ", (damage.message));
            put!(html, " <span class=\"by\">", (place(damage)), "</span></li>\n");
        }
        put!(html, "</ul>\n");
        let more = count.saturating_sub(DAMAGE as u64);
        if more > 0 {
            put!(
                html,
                "<p class=\"cut\">",
                (Count(more)),
                " more places; <code>proofline verify DIR</code> lists "
            );
            put!(html, "them.</p>\n");
        }
        put!(html, "</section>\n");
        Ok(())
    }

    fn failures(&self, html: &mut Html<'_>, trees: &mut Trees) -> Result<(), HtmlError> {
        put!(html, "<section aria-labelledby=\"failures\"><h2 id=\"failures\">Failures</h2>\n");
        if self.summary.failed == 0 {
            put!(html, "<p class=\"none\">No verdict failed.</p>\n");
        }
        self.articles(html, Part::Failed, trees)?;
        put!(html, "</section>\n");
        Ok(())
    }

    fn findings(&self, html: &mut Html<'_>, trees: &mut Trees) -> Result<(), HtmlError> {
        put!(html, "<section aria-labelledby=\"findings\"><h2 id=\"findings\">Passed with findings</h2>\n");
        if self.sums.with_findings == 0 {
            put!(html, "<p class=\"none\">Nothing suspicious was found in what passed.</p>\n");
        } else {
            put!(html, "<p>Suspicious and legal: a finding fails no verdict.</p>\n");
        }
        self.articles(html, Part::Found, trees)?;
        put!(html, "</section>\n");
        Ok(())
    }

    fn articles(&self, html: &mut Html<'_>, part: Part, trees: &mut Trees) -> Result<(), HtmlError> {
        each(self.verdicts, |replay| {
            if Part::of(&replay) != part {
                return Ok(());
            }
            self.article(html, &replay, trees)
        })
    }

    fn article(&self, html: &mut Html<'_>, replay: &TraceReplay, trees: &mut Trees) -> Result<(), HtmlError> {
        let class = if replay.is_pass() { "card odd" } else { "card fail" };
        put!(html, "<article class=\"", (class), "\" id=\"", (anchor(replay)), "\"><h3>");
        name(html, replay)?;
        put!(html, "</h3>\n");
        failure::verdict(html, replay)?;
        if let Some(failure) = replay.failure() {
            failure::failure(html, failure)?;
        }
        failure::findings(html, replay)?;
        differences::list(html, replay.differences())?;
        if trees.take(replay) {
            let plains = self.tree(html, replay, part_is_open(replay, self.summary))?;
            trees.left = trees.left.saturating_sub(plains);
        } else {
            not_drawn(html, replay)?;
        }
        put!(html, "</article>\n");
        Ok(())
    }

    /// Gives how many spans without a record it drew.
    fn tree(&self, html: &mut Html<'_>, replay: &TraceReplay, is_open: bool) -> Result<u64, HtmlError> {
        let story = Story::read(self.report.snapshot, replay.trace_id())?;
        let replays = std::slice::from_ref(replay);
        if is_open {
            put!(html, "<details class=\"story\" open><summary>");
        } else {
            put!(html, "<details class=\"story\"><summary>");
        }
        if let Some(baseline) = replay.baseline() {
            let before = Story::read(self.report.snapshot, baseline)?;
            put!(html, "Both runs side by side</summary>\n");
            drift::sides(html, self.report, &before, &story, &Proof::of(replays))?;
        } else {
            put!(html, (story.shown()), "</summary>\n");
            tree::draw(html, self.report, &story, &Proof::of(replays))?;
            timeline::draw(html, &story)?;
        }
        put!(html, "</details>\n");
        Ok(story.plains.len() as u64)
    }

    /// The table of passes; gives how many of the first ones are drawn below it.
    fn passes(&self, html: &mut Html<'_>, limits: &TreeLimits, trees: &Trees) -> Result<u64, HtmlError> {
        let passed = self.summary.passed.saturating_sub(self.sums.with_findings);
        put!(html, "<section aria-labelledby=\"passes\"><h2 id=\"passes\">Passes</h2>\n");
        if passed == 0 {
            put!(html, "<p class=\"none\">Nothing passed without a finding.</p></section>\n");
            return Ok(0);
        }
        put!(html, "<p>");
        html.badge(Standing::Verified)?;
        put!(html, "Each verdict is backed by the artifact in its row.</p>\n");
        put!(
            html,
            "<div class=\"scroll\" role=\"region\" aria-label=\"Passes\" tabindex=\"0\"><table class=\"sortable\">"
        );
        put!(html, "<caption class=\"vh\">Traces that passed without a finding</caption><thead><tr>");
        if self.is_of_pairs() {
            put!(html, "<th scope=\"col\">Baseline</th><th scope=\"col\">Candidate</th>");
            put!(html, "<th scope=\"col\" class=\"num\">Differences, allowed</th>");
        } else {
            put!(html, "<th scope=\"col\">Trace</th>");
        }
        put!(
            html,
            "<th scope=\"col\" class=\"num\">Records</th><th scope=\"col\" class=\"num\">Gate again</th>"
        );
        put!(html, "<th scope=\"col\" class=\"num\">Policy again</th><th scope=\"col\">Artifact</th>");
        put!(html, "</tr></thead><tbody>\n");
        let (mut count, mut left, mut is_open) = (0_u64, trees.left, true);
        each(self.verdicts, |replay| {
            if Part::of(&replay) != Part::Passed {
                return Ok(());
            }
            let records = replay.diagnostics.coverage.records.get();
            is_open &= count < limits.passes && records <= left;
            if is_open {
                (count, left) = (count + 1, left - records);
            }
            self.row(html, &replay, is_open)
        })?;
        put!(html, "</tbody></table></div>\n");
        if count < passed {
            put!(
                html,
                "<p class=\"cut\">The first ",
                (Count(count)),
                " are drawn below. For any other: <code>proofline html DIR "
            );
            put!(html, "--trace ID</code></p>\n");
        }
        put!(html, "</section>\n");
        Ok(count)
    }

    fn row(&self, html: &mut Html<'_>, replay: &TraceReplay, is_drawn: bool) -> Result<(), HtmlError> {
        let coverage = &replay.diagnostics.coverage;
        put!(html, "<tr>");
        if let Some(baseline) = replay.baseline() {
            put!(html, "<td><code>", (baseline), "</code></td>");
        }
        put!(html, "<th scope=\"row\"><code>");
        if is_drawn {
            put!(html, "<a href=\"#", (anchor(replay)), "\">", (replay.trace_id()), "</a>");
        } else {
            put!(html, (replay.trace_id()));
        }
        put!(html, "</code></th>");
        if self.is_of_pairs() {
            put!(html, "<td class=\"num\">", (replay.differences().len()), "</td>");
        }
        put!(
            html,
            "<td class=\"num\">",
            (coverage.records),
            "</td><td class=\"num\">",
            (coverage.gate_rechecked)
        );
        put!(html, "</td><td class=\"num\">", (coverage.policy_re_decided), "</td><td><code class=\"h\">");
        put!(html, (replay.artifact_sha256), "</code></td></tr>\n");
        Ok(())
    }

    fn trees_of_passes(&self, html: &mut Html<'_>, drawn: u64, trees: &mut Trees) -> Result<(), HtmlError> {
        if drawn == 0 {
            return Ok(());
        }
        put!(html, "<section aria-labelledby=\"trees\"><h2 id=\"trees\">Records of passes</h2>\n");
        let mut left = drawn;
        each(self.verdicts, |replay| {
            if left == 0 || Part::of(&replay) != Part::Passed || !trees.take(&replay) {
                return Ok(());
            }
            left -= 1;
            put!(html, "<article class=\"card pass\" id=\"", (anchor(&replay)), "\"><h3>");
            name(html, &replay)?;
            put!(html, "</h3>\n");
            failure::verdict(html, &replay)?;
            self.tree(html, &replay, false)?;
            put!(html, "</article>\n");
            Ok(())
        })?;
        put!(html, "</section>\n");
        Ok(())
    }
}

fn part_is_open(replay: &TraceReplay, summary: &Summary) -> bool {
    !replay.is_pass() && summary.failed <= OPEN_FAILURES
}

/// The place of a verdict on the page. A trace stands there once, a candidate once a baseline.
fn anchor(replay: &TraceReplay) -> String {
    match replay.baseline() {
        Some(baseline) => format!("t-{baseline}-{}", replay.trace_id()),
        None => format!("t-{}", replay.trace_id()),
    }
}

fn name(html: &mut Html<'_>, replay: &TraceReplay) -> Result<(), HtmlError> {
    match replay.baseline() {
        Some(baseline) => {
            put!(html, "Pair <code>", (baseline), "</code> and <code>", (replay.trace_id()), "</code>");
        }
        None => put!(html, "Trace <code>", (replay.trace_id()), "</code>"),
    }
    Ok(())
}

fn not_drawn(html: &mut Html<'_>, replay: &TraceReplay) -> Result<(), HtmlError> {
    put!(html, "<p class=\"cut\">Its records are not drawn: this page has as many as it may. ");
    match replay.baseline() {
        Some(baseline) => {
            put!(html, "<code>proofline html DIR --drift ", (baseline), " ", (replay.trace_id()), "</code>");
        }
        None => put!(html, "<code>proofline html DIR --trace ", (replay.trace_id()), "</code>"),
    }
    put!(html, " draws them.</p>\n");
    Ok(())
}

const fn question(replay_type: ReplayType) -> &'static str {
    match replay_type {
        ReplayType::Forensic => "Are these the exact bytes, and did the gate have to accept them?",
        ReplayType::Invariant => "Would the same policy give the same answer, with no execution?",
        ReplayType::Constrained => "Does another run of the same work follow the same policy path?",
    }
}

fn place(damage: &Damage) -> String {
    let offset = damage.offset.map(|offset| format!(" at byte {offset}")).unwrap_or_default();
    let entry = damage.seq.map(|seq| format!(", entry {seq}")).unwrap_or_default();
    format!("{}{offset}{entry}", damage.file)
}

//! What a replay found, for people and for programs: a row or line a trace as it comes; then what failed and why,
//! the findings, what was covered, and one sentence.

use std::collections::BTreeMap;

use proofline::canon::{Profile, Value};
use proofline::ledger::LogEnd;
use proofline::replay::report::verdict_line;
use proofline::replay::{RunVerdict, Summary, TraceReplay, Unlisted};
use proofline::trace::{
    AllowedVariance, Difference, Failure, FailureClass, Finding, FindingCode, ReplayType, Severity, TraceId,
};

use super::error::CliError;
use super::ingest::Counts;
use super::output::{Out, show_damage};
use super::phrase::{counted, wrap_words};
use super::replay_differences::{Allowed, show_of_failed};
use super::replay_output::{self, Again};
use super::replay_policy::not_re_decided;
use super::safe::{safe, safe_cut, safe_json};
use super::table::{Cell, Column, plain, row, titles};
use super::variance_words::variance_text;

/// Failures that text explains; the others are counted, and JSON has them all.
const FAILURES_SHOWN: usize = 100;
/// Findings of one code that text shows.
const FINDINGS_SHOWN: usize = 3;

/// What became of verdicts that were to be recorded.
#[derive(Clone, Copy)]
pub(crate) struct RecordedCounts {
    pub(crate) appended: u64,
    pub(crate) there_before: u64,
    /// Those that were sealed, if that was asked for.
    pub(crate) sealed: Option<u64>,
}

/// What is known when the last trace is through.
pub(crate) struct Tail<'a> {
    pub(crate) summary: &'a Summary,
    pub(crate) ingest: Option<&'a Counts>,
    pub(crate) recorded: Option<RecordedCounts>,
    /// What a failed tool call is looked at with.
    pub(crate) again: Again<'a>,
}

/// A report in the making; its memory does not grow with the number of traces.
pub(crate) struct Report<'a> {
    out: &'a mut Out,
    columns: Vec<Column>,
    is_first: bool,
    failures: Vec<Failed>,
    findings: BTreeMap<FindingCode, FindingGroup>,
    allowed: Allowed,
    covered: Covered,
    /// What the policy of a constrained replay lets differ.
    variance: Option<AllowedVariance>,
}

/// A trace, or pair of them, that failed.
struct Failed {
    trace_id: TraceId,
    baseline: Option<TraceId>,
    artifact: String,
    failure: Failure,
    differences: Vec<Difference>,
}

/// Findings of one code.
struct FindingGroup {
    severity: Severity,
    count: u64,
    shown: Vec<(TraceId, String)>,
}

/// Sums of what the diagnostics say of each trace, beyond what the summary counts.
#[derive(Default)]
struct Covered {
    policy_re_decided: u64,
    re_executed: u64,
    rejected_listed: u64,
    blobs_absent: u64,
}

impl<'a> Report<'a> {
    pub(crate) fn new(out: &'a mut Out, replay_type: ReplayType) -> Self {
        let columns = match replay_type {
            ReplayType::Constrained => pair_columns(out.columns()),
            _ => columns(out.columns()).to_vec(),
        };
        Self {
            out,
            columns,
            is_first: true,
            failures: Vec::new(),
            findings: BTreeMap::new(),
            allowed: Allowed::default(),
            covered: Covered::default(),
            variance: None,
        }
    }

    /// One trace.
    pub(crate) fn verdict(&mut self, replay: &TraceReplay) -> Result<(), CliError> {
        if self.out.is_json() {
            return self.out.line(verdict_line(replay)?);
        }
        let paint = self.out.paint();
        let coverage = &replay.diagnostics.coverage;
        self.covered.policy_re_decided += coverage.policy_re_decided.get();
        self.covered.re_executed += coverage.re_executed.get();
        self.covered.rejected_listed += coverage.rejected_listed.get();
        self.covered.blobs_absent += coverage.blobs_absent.get();
        if self.variance.is_none() {
            self.variance = replay.baseline().map(|_| replay.diagnostics.variance.clone());
        }
        let (good, bad) = (|text: &str| paint.good(text), |text: &str| paint.bad(text));
        let result: Cell<'_> =
            if replay.is_pass() { ("pass".to_owned(), &good) } else { ("FAIL".to_owned(), &bad) };
        let (trace_id, artifact) = (replay.trace_id().to_string(), replay.artifact_sha256.to_string());
        let cells: [Cell<'_>; 5] = match replay.baseline() {
            Some(baseline) => [
                (baseline.to_string(), &plain),
                (trace_id, &plain),
                result,
                (replay.differences().len().to_string(), &plain),
                (artifact, &plain),
            ],
            None => [
                (trace_id, &plain),
                result,
                (coverage.records.to_string(), &plain),
                (replay.findings().len().to_string(), &plain),
                (artifact, &plain),
            ],
        };
        let row = row(&self.columns, &cells);
        self.row(&row)?;
        if let Some(failure) = replay.failure().filter(|_| self.failures.len() < FAILURES_SHOWN) {
            self.failures.push(Failed {
                trace_id: replay.trace_id(),
                baseline: replay.baseline(),
                artifact: replay.artifact_sha256.to_string(),
                failure: failure.clone(),
                differences: replay.differences().to_vec(),
            });
        }
        self.allowed.add(replay);
        self.keep_findings(replay.trace_id(), replay.findings());
        Ok(())
    }

    /// A trace of refused attempts alone, which has no verdict.
    pub(crate) fn unlisted(&mut self, unlisted: &Unlisted) -> Result<(), CliError> {
        if self.out.is_json() {
            return Ok(());
        }
        let cells: [Cell<'_>; 5] = [
            (unlisted.trace_id.to_string(), &plain),
            ("none".to_owned(), &plain),
            ("0".to_owned(), &plain),
            (unlisted.findings.len().to_string(), &plain),
            (format!("{} refused only", unlisted.attempts), &plain),
        ];
        let row = row(&self.columns, &cells);
        self.keep_findings(unlisted.trace_id, &unlisted.findings);
        self.row(&row)
    }

    fn row(&mut self, row: &str) -> Result<(), CliError> {
        if std::mem::take(&mut self.is_first) {
            let titles = self.out.paint().faint(&titles(&self.columns));
            self.out.line(titles)?;
        }
        self.out.line(row)
    }

    fn keep_findings(&mut self, trace_id: TraceId, findings: &[Finding]) {
        for finding in findings {
            let group = self.findings.entry(finding.code).or_insert_with(|| FindingGroup {
                severity: finding.severity,
                count: 0,
                shown: Vec::new(),
            });
            group.severity = group.severity.max(finding.severity);
            group.count += 1;
            if group.shown.len() < FINDINGS_SHOWN {
                let entries: Vec<String> = finding.seqs.iter().take(3).map(|seq| format!("#{seq}")).collect();
                group.shown.push((trace_id, format!("{} ({})", finding.message, entries.join(" "))));
            }
        }
    }

    /// The rest of the report.
    pub(crate) fn finish(mut self, tail: &Tail<'_>) -> Result<(), CliError> {
        if self.out.is_json() {
            return self.out.line(summary_json(tail)?);
        }
        self.explain_failures(tail)?;
        self.allowed.show(self.out)?;
        self.list_findings()?;
        let damage: Vec<_> = tail.summary.damage.iter().collect();
        show_damage(self.out, "damage of the log", &damage, tail.summary.damage_count)?;
        let derived: Vec<_> = tail.summary.derived_damage.iter().collect();
        show_damage(self.out, "derived files (no verdict rests on them)", &derived, derived.len() as u64)?;
        self.tell_coverage(tail)?;
        self.out.space()?;
        let sentence = sentence(tail.summary);
        let paint = self.out.paint();
        self.out.line(match tail.summary.verdict() {
            RunVerdict::AllWell => paint.good(&sentence),
            _ => paint.bad(&sentence),
        })
    }

    fn explain_failures(&mut self, tail: &Tail<'_>) -> Result<(), CliError> {
        if self.failures.is_empty() {
            return Ok(());
        }
        self.out.heading("what failed and why")?;
        let width = self.out.columns().saturating_sub(4);
        for Failed { trace_id, baseline, artifact, failure, differences } in &self.failures {
            let (class, paint) = (failure.class.to_string(), self.out.paint());
            if let Some(baseline) = baseline {
                self.out.line(format_args!("  baseline {baseline}"))?;
                self.out.line(format_args!("  candidate {trace_id}"))?;
            } else {
                self.out.line(format_args!("  trace {trace_id}"))?;
            }
            let kind = failure.error_kind.as_ref().map(|kind| format!(" {kind}")).unwrap_or_default();
            self.out.line(format_args!("    {}{}", paint.bad(&class), safe(&kind)))?;
            for line in wrap_words(&safe_cut(&failure.message, 600), width) {
                self.out.line(format_args!("    {line}"))?;
            }
            for (name, fact) in failure_facts(failure, artifact, differences.is_empty()) {
                self.out.line(format_args!("    {name:<9} {}", safe_cut(&fact, 200)))?;
            }
            replay_output::show(self.out, &tail.again, failure)?;
            show_of_failed(self.out, differences)?;
        }
        let shown = self.failures.len() as u64;
        if tail.summary.failed > shown {
            let more = tail.summary.failed - shown;
            self.out.line(format_args!("  and {more} more; `--format json` has all"))?;
        }
        Ok(())
    }

    fn list_findings(&mut self) -> Result<(), CliError> {
        if self.findings.is_empty() {
            return Ok(());
        }
        self.out.heading("findings")?;
        let width = self.out.columns().saturating_sub(6);
        for (code, group) in &self.findings {
            let title = self.out.paint().odd(code.as_str());
            self.out.line(format_args!("  {title}, {}: {}", group.severity, group.count))?;
            for (trace_id, message) in &group.shown {
                self.out.line(format_args!("    trace {trace_id}"))?;
                for line in wrap_words(&safe_cut(message, 300), width) {
                    self.out.line(format_args!("      {line}"))?;
                }
            }
            let more = group.count.saturating_sub(group.shown.len() as u64);
            if more > 0 {
                self.out.line(format_args!("    and {more} more; `--format json` has all"))?;
            }
        }
        Ok(())
    }

    fn tell_coverage(&mut self, tail: &Tail<'_>) -> Result<(), CliError> {
        let (summary, covered) = (tail.summary, &self.covered);
        let mut lines = vec![format!(
            "{} of {} verified (bytes, schema, hash), {} decided again by the gate",
            summary.verified,
            counted(summary.records, "record", "records"),
            summary.gate_rechecked
        )];
        let mismatched = summary.failures.contains_key(&FailureClass::DecisionMismatch);
        lines.push(match covered.policy_re_decided {
            0 if !mismatched && covered.re_executed == 0 => {
                "policy not re-decided, nothing executed again".to_owned()
            }
            0 if !mismatched => format!("policy not re-decided, {} executed again", covered.re_executed),
            count => {
                format!("{count} re-decided by policy as recorded, {} executed again", covered.re_executed)
            }
        });
        lines.extend(not_re_decided(summary));
        lines.extend(self.variance.as_ref().map(variance_text));
        if covered.rejected_listed > 0 {
            let attempts = counted(covered.rejected_listed, "refused attempt", "refused attempts");
            lines.push(format!("{attempts} listed"));
        }
        if covered.blobs_absent > 0 {
            let payloads = counted(covered.blobs_absent, "payload", "payloads");
            lines.push(format!("{payloads} named and not at hand"));
        }
        if summary.producer_signatures > 0 {
            let signatures =
                counted(summary.producer_signatures, "producer's signature", "producers' signatures");
            lines.push(format!("{signatures} verified again"));
        }
        lines.push(match summary.entries_checked {
            true => format!("every entry of the log checked: {}", summary.entries),
            false => "of the log only the chosen traces checked, and the entries beside theirs".to_owned(),
        });
        lines.push(end_text(summary.end).to_owned());
        if let Some(RecordedCounts { appended, there_before, sealed }) = tail.recorded {
            let verdicts = counted(appended, "verdict", "verdicts");
            let sealed = sealed.map(|sealed| format!(", {sealed} sealed")).unwrap_or_default();
            lines.push(format!("{verdicts} recorded, {there_before} there before{sealed}"));
        }
        self.out.heading("coverage")?;
        lines.iter().try_for_each(|line| self.out.line(format_args!("  {line}")))
    }
}

const fn end_text(end: LogEnd) -> &'static str {
    match end {
        LogEnd::Published => "the end of the log is anchored by the published size",
        _ => "the end of the log is not anchored: entries may have been cut off there unseen",
    }
}

/// At 80 columns an artifact is cut; JSON and wide terminals have it whole.
fn columns(width: usize) -> [Column; 5] {
    const BEFORE: usize = 32 + 6 + 7 + 8 + 4 * 2;
    let artifact = if width >= BEFORE + 64 { 64 } else { width.saturating_sub(BEFORE).clamp(16, 64) };
    [
        Column::text("trace", 32),
        Column::text("result", 6),
        Column::number("records", 7),
        Column::number("findings", 8),
        Column::text("artifact", artifact),
    ]
}

/// What two runs differ in: on a wide line the artifact stands there too.
fn pair_columns(width: usize) -> Vec<Column> {
    const BEFORE: usize = 32 + 32 + 6 + 4 + 4 * 2;
    let mut columns = vec![
        Column::text("baseline", 32),
        Column::text("candidate", 32),
        Column::text("result", 6),
        Column::number("diff", 4),
    ];
    if width >= BEFORE + 16 {
        columns.push(Column::text("artifact", (width - BEFORE).min(64)));
    }
    columns
}

/// Both sides of a difference are shown with the difference, and in full.
fn failure_facts(failure: &Failure, artifact: &str, with_sides: bool) -> Vec<(&'static str, String)> {
    let mut facts = vec![("check", failure.check.to_string())];
    if let Some(seq) = failure.seq {
        let what = failure.record_type.map(|record_type| format!(", {record_type}")).unwrap_or_default();
        facts.push(("entry", format!("{seq}{what}")));
    }
    facts.extend(failure.envelope_hash.map(|hash| ("record", hash.to_string())));
    let place = failure.pointer.as_ref().filter(|pointer| !pointer.is_root());
    facts.extend(place.map(|pointer| ("at", pointer.to_string())));
    if with_sides {
        facts.extend(failure.expected.clone().map(|text| ("expected", text)));
        facts.extend(failure.found.clone().map(|text| ("found", text)));
    }
    facts.push(("artifact", artifact.to_owned()));
    facts
}

/// What a run came to, in a sentence.
pub(crate) fn sentence(summary: &Summary) -> String {
    let (one, many) = match summary.replay_type {
        ReplayType::Constrained => ("pair", "pairs"),
        _ => ("trace", "traces"),
    };
    let traces = |count| counted(count, one, many);
    let verb = if summary.failed == 1 { "fails" } else { "fail" };
    let failed = format!("{} of {} {verb}", summary.failed, traces(summary.traces));
    match summary.verdict() {
        RunVerdict::AllWell if summary.traces == 0 => format!("Nothing to replay: there is no {one}."),
        RunVerdict::AllWell if summary.traces == 1 => {
            format!("The {one} passes {} replay.", summary.replay_type)
        }
        RunVerdict::AllWell => format!("All {} pass {} replay.", traces(summary.traces), summary.replay_type),
        RunVerdict::SomeFailed => format!("{failed} {} replay.", summary.replay_type),
        RunVerdict::Damaged => {
            let places = counted(summary.damage_count, "place", "places");
            format!("The log is damaged in {places}; {failed} {} replay.", summary.replay_type)
        }
    }
}

/// The summary of the run, with what was committed before it and recorded after it.
fn summary_json(tail: &Tail<'_>) -> Result<String, CliError> {
    let mut line = tail.summary.to_value();
    if let Value::Object(line) = &mut line
        && let Some(Value::Object(mut summary)) = line.remove("summary")
    {
        if let Some(counts) = tail.ingest {
            summary.insert("ingest", ingest_value(counts));
        }
        if let Some(RecordedCounts { appended, there_before, sealed }) = tail.recorded {
            let members = [("appended", Value::from(appended)), ("there_before", Value::from(there_before))];
            let sealed = sealed.map(|sealed| ("sealed", Value::from(sealed)));
            summary.insert("recorded", Value::object(members.into_iter().chain(sealed)));
        }
        line.insert("summary", summary);
    }
    json(&line).map(safe_json)
}

pub(crate) fn ingest_value(counts: &Counts) -> Value {
    Value::object([
        ("lines", Value::from(counts.lines)),
        ("blank", Value::from(counts.blank)),
        ("accepted", Value::from(counts.accepted)),
        ("duplicates", Value::from(counts.duplicates)),
        ("rejected", Value::from(counts.rejected)),
        ("bad", Value::from(counts.bad)),
    ])
}

fn json(value: &Value) -> Result<String, CliError> {
    let bytes = value.to_canonical(Profile::Envelope);
    let bytes = bytes.map_err(|error| CliError::Internal(format!("a result is no JSON: {error}")))?;
    String::from_utf8(bytes).map_err(|_| CliError::Internal("a result is no text".to_owned()))
}

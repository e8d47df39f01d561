//! What a back-test found, for people and for programs: of programs a line for each decision that would be another;
//! for people totals, tables, and the calls and denials that matter most.

use proofline::canon::{Profile, Value};
use proofline::ledger::Seq;
use proofline::replay::{Backtest, BacktestTable, ChangeCount, ChangedDecision, DecisionChange};
use proofline::trace::{Decision, DecisionResult, EnvelopeHash, Failure, Token, TraceId};

use super::error::CliError;
use super::ingest::Counts;
use super::output::Out;
use super::phrase::{counted, wrap_words};
use super::replay_report::ingest_value;
use super::safe::{safe, safe_cut, safe_json};
use super::table::{Cell, Column, plain, row, titles};

/// Rows of a table that text shows.
const ROWS_SHOWN: usize = 10;
/// Lost calls, allowed denials and skipped traces that text shows, of each.
const EXAMPLES_SHOWN: usize = 20;

/// Where the report was recorded.
#[derive(Clone, Copy)]
pub(crate) struct Kept {
    pub(crate) artifact_sha256: EnvelopeHash,
    pub(crate) seq: Seq,
    pub(crate) there_before: bool,
}

/// A report in the making; its memory does not grow with the number of decisions.
pub(crate) struct Report<'a> {
    out: &'a mut Out,
    lost: Vec<String>,
    gained: Vec<String>,
    skipped: Vec<String>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(out: &'a mut Out) -> Self {
        Self { out, lost: Vec::new(), gained: Vec::new(), skipped: Vec::new() }
    }

    pub(crate) fn changed(&mut self, changed: ChangedDecision) -> Result<(), CliError> {
        if self.out.is_json() {
            return self.out.line(json(&changed.to_value())?);
        }
        let who = format!("{} {}", changed.actor.actor_kind, changed.actor.actor_id);
        let what = format!("{} on {}", changed.request.action, changed.request.resource);
        let why = why(&changed.other);
        for call in changed.calls.iter().take(EXAMPLES_SHOWN.saturating_sub(self.lost.len())) {
            self.lost.push(format!(
                "trace {} entry {}: {} {}, for {who}, {what}: {why}",
                changed.trace_id, call.seq, call.record_type, call.name
            ));
        }
        if changed.change == DecisionChange::DenyToAllow && self.gained.len() < EXAMPLES_SHOWN {
            let (trace, seq) = (changed.trace_id, changed.seq);
            self.gained.push(format!("trace {trace} entry {seq}: {who}, {what}: {why}"));
        }
        Ok(())
    }

    pub(crate) fn skipped(&mut self, trace_id: TraceId, failure: &Failure) -> Result<(), CliError> {
        if self.out.is_json() {
            let members = [
                ("trace_id", Value::from(trace_id.to_string())),
                ("class", Value::from(failure.class.as_str())),
                ("message", Value::from(failure.message.as_str())),
            ];
            return self.out.line(json(&Value::object([("skipped", Value::object(members))]))?);
        }
        if self.skipped.len() < EXAMPLES_SHOWN {
            self.skipped.push(format!("trace {trace_id}: {}: {}", failure.class, failure.message));
        }
        Ok(())
    }

    /// The rest of it.
    pub(crate) fn finish(
        self,
        report: &Backtest,
        policy: &str,
        ingest: Option<&Counts>,
        kept: Option<Kept>,
    ) -> Result<(), CliError> {
        if self.out.is_json() {
            return self.out.line(summary_json(report, ingest, kept)?);
        }
        let Self { out, lost, gained, skipped } = self;
        let counts = &report.counts;
        out.heading("what would change")?;
        totals(report).iter().try_for_each(|line| out.line(format_args!("  {line}")))?;
        for (title, table) in
            [("actor", &report.actors), ("action", &report.actions), ("resource", &report.resources)]
        {
            show_table(out, title, table)?;
        }
        examples(out, "calls that would not have happened", &lost, counts.calls_lost)?;
        examples(out, "denials that would be allowed", &gained, counts.deny_to_allow)?;
        examples(out, "traces that were not asked about", &skipped, counts.traces_skipped)?;
        if let Some(Kept { artifact_sha256, seq, there_before }) = kept {
            let how = if there_before { "there before" } else { "recorded" };
            out.space()?;
            out.line(format_args!("The report is entry {seq}, {how}: {artifact_sha256}"))?;
        }
        out.space()?;
        let sentence = sentence(report, &safe(policy));
        let paint = out.paint();
        let is_well = !report.changes() && counts.traces_skipped == 0;
        let lines = wrap_words(&sentence, out.columns());
        lines.iter().try_for_each(|line| out.line(if is_well { paint.good(line) } else { paint.odd(line) }))
    }
}

fn totals(report: &Backtest) -> Vec<String> {
    let counts = &report.counts;
    let lost =
        counted(counts.calls_lost, "call that would not have happened", "calls that would not have happened");
    let lines = [
        (counts.same, "the same".to_owned()),
        (counts.allow_to_deny, format!("denied instead of allowed, with {lost}")),
        (counts.deny_to_allow, "allowed instead of denied".to_owned()),
        (counts.other_reasons, "of the same result, for other reasons or with other obligations".to_owned()),
    ];
    let mut lines: Vec<String> = lines
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if counts.policy_errors > 0 {
        lines.push(format!(
            "among all these {} that the policy could not evaluate, which denies",
            counts.policy_errors
        ));
    }
    if counts.refused_calls > 0 {
        let calls = counted(counts.refused_calls, "refused call", "refused calls");
        lines.push(format!("{calls} kept and not asked about"));
    }
    lines
}

fn show_table(out: &mut Out, title: &'static str, table: &BacktestTable) -> Result<(), CliError> {
    if table.rows.is_empty() {
        return Ok(());
    }
    const NUMBERS: usize = 6 + 6 + 7 + 6 + 4 * 2;
    let name_width = out.columns().saturating_sub(NUMBERS).clamp(16, 72);
    let columns = [
        Column::text(title, name_width),
        Column::number("same", 6),
        Column::number("denied", 6),
        Column::number("allowed", 7),
        Column::number("other", 6),
    ];
    out.space()?;
    let line = out.paint().faint(&titles(&columns));
    out.line(line)?;
    let mut rows: Vec<(&String, &ChangeCount)> = table.rows.iter().collect();
    // Those that change most come first, then by name.
    rows.sort_by_key(|(name, count)| (std::cmp::Reverse(count.changed()), *name));
    for (name, count) in rows.iter().take(ROWS_SHOWN) {
        let cells: [Cell<'_>; 5] = [
            (safe_cut(name, name_width), &plain),
            (count.same.to_string(), &plain),
            (count.allow_to_deny.to_string(), &plain),
            (count.deny_to_allow.to_string(), &plain),
            (count.other_reasons.to_string(), &plain),
        ];
        out.line(row(&columns, &cells))?;
    }
    let more = rows.len().saturating_sub(ROWS_SHOWN);
    if more > 0 {
        out.line(format_args!("and {more} more; `--format json` has all"))?;
    }
    Ok(())
}

fn examples(out: &mut Out, title: &str, shown: &[String], total: u64) -> Result<(), CliError> {
    if shown.is_empty() {
        return Ok(());
    }
    out.heading(title)?;
    let width = out.columns().saturating_sub(4);
    for example in shown {
        let lines = wrap_words(&safe_cut(example, 600), width);
        for (at, line) in lines.iter().enumerate() {
            out.line(format_args!("{}{line}", if at == 0 { "  " } else { "    " }))?;
        }
    }
    let more = total.saturating_sub(shown.len() as u64);
    if more > 0 {
        out.line(format_args!("  and {more} more; `--format json` has all"))?;
    }
    Ok(())
}

/// What the other policy says, and by which statements.
fn why(decision: &Decision) -> String {
    let codes: Vec<&str> = decision.reason_codes.iter().map(Token::as_str).collect();
    match (decision.result, codes.is_empty()) {
        (DecisionResult::Allow, _) => format!("allowed by {}", codes.join(", ")),
        (DecisionResult::Deny, false) => format!("denied by {}", codes.join(", ")),
        (DecisionResult::Deny, true) => "denied, as nothing permits it".to_owned(),
    }
}

fn sentence(report: &Backtest, policy: &str) -> String {
    let counts = &report.counts;
    let decisions = counted(counts.decisions, "decision", "decisions");
    let skipped = match counts.traces_skipped {
        0 => String::new(),
        count => format!(
            " {} not asked about: `proofline replay` says why.",
            counted(count, "trace was", "traces were")
        ),
    };
    let changed = counts.decisions.saturating_sub(counts.same);
    let sentence = match (counts.decisions, changed) {
        (0, _) => "There is no decision to ask about.".to_owned(),
        (_, 0) => format!("Under {policy} nothing would change: {decisions} asked."),
        (_, changed) => format!("Under {policy} {changed} of {decisions} would be others."),
    };
    sentence + &skipped
}

fn summary_json(report: &Backtest, ingest: Option<&Counts>, kept: Option<Kept>) -> Result<String, CliError> {
    let mut line = report.to_value();
    if let Value::Object(line) = &mut line
        && let Some(Value::Object(mut summary)) = line.remove("backtest")
    {
        if let Some(counts) = ingest {
            summary.insert("ingest", ingest_value(counts));
        }
        if let Some(Kept { artifact_sha256, seq, there_before }) = kept {
            let members = [
                ("artifact_sha256", Value::from(artifact_sha256.to_string())),
                ("seq", Value::from(seq.get())),
                ("there_before", Value::from(there_before)),
            ];
            summary.insert("recorded", Value::object(members));
        }
        line.insert("backtest", summary);
    }
    json(&line)
}

fn json(value: &Value) -> Result<String, CliError> {
    let bytes = value.to_canonical(Profile::Envelope);
    let bytes = bytes.map_err(|error| CliError::Internal(format!("a result is no JSON: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|_| CliError::Internal("a result is no text".to_owned()))?;
    Ok(safe_json(text))
}

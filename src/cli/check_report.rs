//! What a check found, for people and for programs: each violation as it comes, then a line for each rule, and one
//! sentence.

use std::collections::BTreeMap;

use proofline::policy::{CaseKind, Fact, Rule};
use proofline::replay::{RecordAt, RuleTally, RulesSummary, Violation};
use proofline::trace::Severity;
use serde::Serialize;
use serde_json::Value;

use super::check_bundle::Written;
use super::error::CliError;
use super::output::{DamageLine, Out, Paint, show_damage};
use super::phrase::{counted, wrap_words};
use super::safe::{safe, safe_cut};
use super::table::{Cell, Column, plain, row, titles};

/// Violations of one rule that text shows.
const SHOWN: usize = 10;

/// A report in the making; its memory does not grow with the number of violations.
pub(crate) struct Report<'a> {
    out: &'a mut Out,
    rules: Vec<Rule>,
    /// The first violations of each rule.
    shown: BTreeMap<usize, Vec<Violation>>,
}

#[derive(Serialize)]
struct ViolationLine<'a> {
    violation: ViolationShape<'a>,
}

#[derive(Serialize)]
struct ViolationShape<'a> {
    rule: &'a str,
    kind: &'static str,
    title: Option<&'a str>,
    controls: &'a [String],
    severity: &'static str,
    message: Option<&'a str>,
    error: Option<&'a str>,
    #[serde(flatten)]
    record: RecordShape,
    refused: bool,
    actor: Option<ActorShape<'a>>,
    resource: Option<&'a str>,
    facts: BTreeMap<&'a str, Value>,
    beside: Vec<BesideShape>,
}

#[derive(Serialize)]
struct ActorShape<'a> {
    actor_kind: &'a str,
    actor_id: &'a str,
}

#[derive(Serialize)]
struct RecordShape {
    trace_id: String,
    seq: u64,
    envelope_hash: String,
    record_type: &'static str,
}

#[derive(Serialize)]
struct BesideShape {
    part: &'static str,
    #[serde(flatten)]
    record: RecordShape,
}

#[derive(Serialize)]
struct SummaryLine<'a> {
    summary: SummaryShape<'a>,
}

#[derive(Serialize)]
struct SummaryShape<'a> {
    verdict: &'static str,
    rules: Vec<TallyShape<'a>>,
    violations: u64,
    traces: u64,
    violating_traces: u64,
    absent: u64,
    records: u64,
    attempts: u64,
    damage: Vec<DamageLine>,
    damage_count: u64,
    bundle: Option<BundleShape<'a>>,
}

#[derive(Serialize)]
struct TallyShape<'a> {
    rule: &'a str,
    title: Option<&'a str>,
    controls: &'a [String],
    severity: &'static str,
    asked: u64,
    held: u64,
    violated: u64,
    errors: u64,
}

#[derive(Serialize)]
struct BundleShape<'a> {
    file: &'a str,
    is_new: bool,
    bundle_bytes: u64,
    traces: usize,
    entries: u64,
    size: u64,
}

#[derive(Serialize)]
struct RuleLine<'a> {
    rule: &'a str,
    title: Option<&'a str>,
    controls: &'a [String],
    severity: &'static str,
    message: Option<&'a str>,
    asked_of: Vec<&'static str>,
    reads: Vec<&'a str>,
}

impl From<&RecordAt> for RecordShape {
    fn from(record: &RecordAt) -> Self {
        Self {
            trace_id: record.trace_id.to_string(),
            seq: record.seq.get(),
            envelope_hash: record.envelope_sha256.to_string(),
            record_type: record.record_type.as_str(),
        }
    }
}

fn value(fact: &Fact) -> Value {
    match fact {
        Fact::Text(text) => text.as_str().into(),
        Fact::Number(number) => (*number).into(),
        Fact::Truth(truth) => (*truth).into(),
        Fact::Set(texts) => texts.iter().map(String::as_str).collect(),
        Fact::Record(members) => {
            Value::Object(members.iter().map(|(name, fact)| ((*name).to_owned(), value(fact))).collect())
        }
    }
}

impl<'a> Report<'a> {
    pub(crate) fn new(out: &'a mut Out, rules: &[Rule]) -> Self {
        Self { out, rules: rules.to_vec(), shown: BTreeMap::new() }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.out.is_json()
    }

    /// One violation.
    pub(crate) fn violation(&mut self, violation: Violation) -> Result<(), CliError> {
        let Some(rule) = self.rules.get(violation.rule) else { return Ok(()) };
        if self.out.is_json() {
            return self.out.json(&ViolationLine { violation: shape(rule, &violation) });
        }
        let shown = self.shown.entry(violation.rule).or_default();
        if shown.len() < SHOWN {
            shown.push(violation);
        }
        Ok(())
    }

    /// The rest of the report.
    pub(crate) fn finish(self, summary: &RulesSummary, bundle: Option<&Written>) -> Result<(), CliError> {
        let Self { out, rules, shown } = self;
        if out.is_json() {
            return out.json(&SummaryLine { summary: summary_shape(&rules, summary, bundle) });
        }
        table(out, &rules, summary)?;
        for (at, violations) in &shown {
            if let (Some(rule), Some(tally)) = (rules.get(*at), summary.rules.get(*at)) {
                section(out, rule, tally, violations)?;
            }
        }
        let damage: Vec<_> = summary.damage.iter().collect();
        show_damage(out, "records that no rule could be asked about", &damage, summary.damage_count)?;
        covered(out, summary, bundle)?;
        out.space()?;
        let (sentence, paint) = (sentence(&rules, summary), out.paint());
        let lines = wrap_words(&sentence, out.columns());
        lines
            .iter()
            .try_for_each(|line| out.line(if summary.holds() { paint.good(line) } else { paint.bad(line) }))
    }
}

fn shape<'a>(rule: &'a Rule, violation: &'a Violation) -> ViolationShape<'a> {
    let actor = violation.actor.as_ref();
    let facts = violation.facts.iter();
    ViolationShape {
        rule: &rule.id,
        kind: kind(violation),
        title: rule.title.as_deref(),
        controls: &rule.controls,
        severity: rule.severity.as_str(),
        message: rule.message.as_deref(),
        error: violation.error.as_deref(),
        record: (&violation.record).into(),
        refused: violation.is_refused,
        actor: actor.map(|(kind, id)| ActorShape { actor_kind: kind, actor_id: id }),
        resource: violation.resource.as_deref(),
        facts: facts.map(|(name, fact)| (name.as_str(), fact.as_ref().map_or(Value::Null, value))).collect(),
        beside: violation
            .beside
            .iter()
            .map(|(part, record)| BesideShape { part: part.as_str(), record: record.into() })
            .collect(),
    }
}

const fn kind(violation: &Violation) -> &'static str {
    if violation.error.is_some() { "rule-error" } else { "violation" }
}

fn summary_shape<'a>(
    rules: &'a [Rule],
    summary: &RulesSummary,
    bundle: Option<&'a Written>,
) -> SummaryShape<'a> {
    let tallies = rules.iter().zip(&summary.rules).map(|(rule, tally)| TallyShape {
        rule: &rule.id,
        title: rule.title.as_deref(),
        controls: &rule.controls,
        severity: rule.severity.as_str(),
        asked: tally.asked,
        held: tally.held,
        violated: tally.violated,
        errors: tally.errors,
    });
    SummaryShape {
        verdict: match () {
            () if summary.damage_count > 0 => "damaged",
            () if summary.violations > 0 => "some_violated",
            () => "all_hold",
        },
        rules: tallies.collect(),
        violations: summary.violations,
        traces: summary.traces,
        violating_traces: summary.violating_traces,
        absent: summary.absent,
        records: summary.records,
        attempts: summary.attempts,
        damage: summary.damage.iter().map(DamageLine::from).collect(),
        damage_count: summary.damage_count,
        bundle: bundle.map(|written| BundleShape {
            file: &written.file,
            is_new: written.is_new,
            bundle_bytes: written.bundle_bytes,
            traces: written.traces,
            entries: written.entries,
            size: written.size,
        }),
    }
}

/// A line for each rule.
fn table(out: &mut Out, rules: &[Rule], summary: &RulesSummary) -> Result<(), CliError> {
    const BEFORE: usize = 9 + 9 + 8 + 6 + 4 * 2;
    let columns = [
        Column::number("asked", 9),
        Column::number("held", 9),
        Column::number("violated", 8),
        Column::number("errors", 6),
        Column::text("rule", out.columns().saturating_sub(BEFORE).max(16)),
    ];
    let head = out.paint().faint(&titles(&columns));
    out.line(head)?;
    let paint = out.paint();
    let bad = |text: &str| if text == "0" { text.to_owned() } else { paint.bad(text) };
    for (rule, tally) in rules.iter().zip(&summary.rules) {
        let cells: [Cell<'_>; 5] = [
            (tally.asked.to_string(), &plain),
            (tally.held.to_string(), &plain),
            (tally.violated.to_string(), &bad),
            (tally.errors.to_string(), &bad),
            (safe(&rule.id).into_owned(), &plain),
        ];
        out.line(row(&columns, &cells))?;
    }
    Ok(())
}

fn painted(paint: Paint, severity: Severity, text: &str) -> String {
    if severity >= Severity::High { paint.bad(text) } else { paint.odd(text) }
}

/// The violations of one rule.
fn section(out: &mut Out, rule: &Rule, tally: &RuleTally, violations: &[Violation]) -> Result<(), CliError> {
    out.space()?;
    let name = painted(out.paint(), rule.severity, &safe_cut(&rule.id, 200));
    let count = tally.violated + tally.errors;
    out.line(format_args!("{name}, {}: {}", rule.severity, counted(count, "violation", "violations")))?;
    about(out, rule)?;
    for violation in violations {
        let record = &violation.record;
        let refused = if violation.is_refused { "refused " } else { "" };
        out.line(format_args!("  trace {}", record.trace_id))?;
        out.line(format_args!("    entry {}, {refused}{}", record.seq, record.record_type))?;
        out.line(format_args!("    record {}", record.envelope_sha256))?;
        for (name, text) in details(violation) {
            let room = out.columns().saturating_sub(6);
            for (at, line) in wrap_words(&format!("{name} {}", safe_cut(&text, 300)), room).iter().enumerate()
            {
                out.line(format_args!("    {}{line}", if at == 0 { "" } else { "  " }))?;
            }
        }
    }
    let more = count.saturating_sub(violations.len() as u64);
    if more > 0 {
        out.line(format_args!("  and {more} more; `--format json` has all"))?;
    }
    Ok(())
}

/// What a rule says of itself.
fn about(out: &mut Out, rule: &Rule) -> Result<(), CliError> {
    let room = out.columns().saturating_sub(2);
    let controls = (!rule.controls.is_empty()).then(|| rule.controls.join(", "));
    for text in [rule.title.clone(), rule.message.clone(), controls].into_iter().flatten() {
        for line in wrap_words(&safe_cut(&text, 600), room) {
            out.line(format_args!("  {line}"))?;
        }
    }
    Ok(())
}

fn details(violation: &Violation) -> Vec<(String, String)> {
    let mut details = Vec::new();
    details.extend(violation.error.clone().map(|error| ("cannot be evaluated:".to_owned(), error)));
    details.extend(violation.actor.as_ref().map(|(kind, id)| ("by".to_owned(), format!("{kind} {id}"))));
    details.extend(violation.resource.clone().map(|resource| ("on".to_owned(), resource)));
    for (name, fact) in &violation.facts {
        let text = fact.as_ref().map_or_else(|| "not there".to_owned(), |fact| value(fact).to_string());
        details.push((format!("{name} ="), text));
    }
    for (part, record) in &violation.beside {
        let elsewhere = if record.trace_id == violation.record.trace_id {
            String::new()
        } else {
            format!(" of trace {}", record.trace_id)
        };
        details.push((part.as_str().to_owned(), format!("in entry {}{elsewhere}", record.seq)));
    }
    details
}

fn covered(out: &mut Out, summary: &RulesSummary, bundle: Option<&Written>) -> Result<(), CliError> {
    out.heading("coverage")?;
    let records = counted(summary.records, "record", "records");
    let traces = counted(summary.traces, "trace", "traces");
    out.line(format_args!("  {records} of {traces} asked about"))?;
    if summary.attempts > 0 {
        let attempts = counted(summary.attempts, "refused attempt", "refused attempts");
        out.line(format_args!("  {attempts} asked about"))?;
    }
    let Some(written) = bundle else { return Ok(()) };
    let did = if written.is_new { "wrote" } else { "these bytes are there already:" };
    let text = format!(
        "{did} {}: {} of {} up to the checkpoint of {} entries, in {} bytes; it was read again and verified",
        written.file,
        counted(written.entries, "entry", "entries"),
        counted(written.traces as u64, "trace", "traces"),
        written.size,
        written.bundle_bytes,
    );
    let lines = wrap_words(&text, out.columns().saturating_sub(2));
    lines.iter().try_for_each(|line| out.line(format_args!("  {line}")))
}

fn sentence(rules: &[Rule], summary: &RulesSummary) -> String {
    let asked = counted(rules.len() as u64, "rule", "rules");
    if summary.violations > 0 {
        let broken = summary.rules.iter().filter(|tally| tally.violated + tally.errors > 0).count();
        return format!(
            "{} of {broken} of {asked}, in {}.",
            counted(summary.violations, "violation", "violations"),
            counted(summary.violating_traces, "trace", "traces"),
        );
    }
    match summary.damage_count {
        0 if summary.records + summary.attempts == 0 => "There is no record to ask about.".to_owned(),
        0 => format!("No violation of {asked}."),
        _ => format!("No violation of {asked} was seen, but not every record could be asked about."),
    }
}

/// The rules and nothing else.
pub(crate) fn list(out: &mut Out, rules: &[Rule]) -> Result<(), CliError> {
    for rule in rules {
        if out.is_json() {
            out.json(&RuleLine {
                rule: &rule.id,
                title: rule.title.as_deref(),
                controls: &rule.controls,
                severity: rule.severity.as_str(),
                message: rule.message.as_deref(),
                asked_of: rule.asked_of.iter().copied().map(CaseKind::as_str).collect(),
                reads: rule.reads.iter().map(String::as_str).collect(),
            })?;
            continue;
        }
        let name = painted(out.paint(), rule.severity, &safe_cut(&rule.id, 200));
        out.line(format_args!("{name}, {}", rule.severity))?;
        about(out, rule)?;
    }
    Ok(())
}

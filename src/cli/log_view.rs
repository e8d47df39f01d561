//! An entry as `log` shows it: one line, in JSON whole, for people what the width has room for.

use proofline::canon::{Limits, parse};
use proofline::ledger::{ArtifactKind, Entry, EntryStatus, SystemKind};
use proofline::proof::VerifierKey;
use proofline::trace::{
    BacktestRecord, Classification, Envelope, EnvelopeHash, GenesisRecord, RecordType, ReplayDiagnostics,
    ReplayResult, TraceId, read_envelope,
};
use serde::Serialize;

use super::clock::moment;
use super::error::CliError;
use super::output::Out;
use super::phrase::counted;
use super::record_facts::RecordFacts;
use super::safe::safe_cut;
use super::table::{Cell, Column, plain, row, titles};

/// One entry as JSON shows it.
#[derive(Serialize)]
pub(crate) struct LogLine {
    seq: u64,
    kind: &'static str,
    pub(crate) recorded_at_ms: u64,
    pub(crate) trace_id: Option<TraceId>,
    envelope_hash: String,
    pub(crate) classification: Option<Classification>,
    error_kind: Option<String>,
    pub(crate) record_type: Option<RecordType>,
    time_ms: Option<u64>,
    pub(crate) says: Option<RecordFacts>,
    artifact: Option<ArtifactFacts>,
    system: Option<SystemFacts>,
    #[serde(skip)]
    origin: Option<String>,
}

/// What an artifact is about.
#[derive(Serialize)]
#[serde(tag = "artifact_type", rename_all = "snake_case")]
enum ArtifactFacts {
    ReplayResult {
        replay_type: &'static str,
        reference_trace_id: Option<TraceId>,
        result: &'static str,
        failure_class: Option<&'static str>,
    },
    ReplayDiagnostics {
        replay_type: &'static str,
        result_sha256: String,
        failures: usize,
        findings: usize,
        differences: usize,
    },
    PolicyBacktest {
        policy_sha256: String,
        decisions: u64,
        changed: u64,
    },
    ProducerSignature {
        envelope_sha256: EnvelopeHash,
        key: String,
    },
    VerdictSeal {
        result_sha256: String,
        size: u64,
    },
    VerdictSignature {
        seal_sha256: EnvelopeHash,
        key: String,
    },
    OtelImport {
        policy_sha256: String,
        spans: usize,
        calls: usize,
    },
    ImportAccount {
        source_sha256: String,
        spans: u64,
        refused: u64,
    },
}

/// What a system entry is about.
#[derive(Serialize)]
#[serde(tag = "system_type", rename_all = "snake_case")]
enum SystemFacts {
    Key { event: &'static str, role: Option<&'static str>, key: String, by: Option<String> },
    TraceIndex { from: u64, keys: u64, traces: u64 },
    Erasure { target: String, reason: String, authority: EnvelopeHash },
    Hold { target: String, reason: String, matter: Option<String> },
    Release { hold: EnvelopeHash, reason: String, authority: EnvelopeHash },
}

impl SystemFacts {
    /// None of what is no system entry, or damaged.
    fn of(entry: &Entry) -> Option<Self> {
        if !matches!(entry.header.status, EntryStatus::System) {
            return None;
        }
        match SystemKind::read(&entry.body).ok()? {
            SystemKind::Key(record) => {
                let key: Option<VerifierKey> = record.key.as_str().parse().ok();
                Some(Self::Key {
                    event: record.event().as_str(),
                    role: key.as_ref().map(|key| key.role().as_str()),
                    key: key.map_or_else(|| record.key.to_string(), |key| key.short_name()),
                    by: record.endorsement().map(|by| by.key.to_string()),
                })
            }
            SystemKind::TraceIndex(record) => Some(Self::TraceIndex {
                from: record.from.get(),
                keys: record.keys.get(),
                traces: record.traces.get(),
            }),
            SystemKind::Erasure(record) => Some(Self::Erasure {
                target: record.target.to_string(),
                reason: record.reason.to_string(),
                authority: record.authority,
            }),
            SystemKind::Hold(record) => Some(Self::Hold {
                target: record.target.to_string(),
                reason: record.reason.to_string(),
                matter: record.matter.as_ref().map(ToString::to_string),
            }),
            SystemKind::Release(record) => Some(Self::Release {
                hold: record.hold,
                reason: record.reason.to_string(),
                authority: record.authority,
            }),
            _ => None,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Key { event, role, key, by } => {
                let role = role.map(|role| format!("{role} ")).unwrap_or_default();
                let by = by.as_ref().map(|by| format!("  by {by}")).unwrap_or_default();
                format!("{event} {role}key  {key}{by}")
            }
            Self::TraceIndex { from, traces, .. } => {
                format!("index of {} since entry {from}", counted(*traces, "trace", "traces"))
            }
            Self::Erasure { target, reason, .. } => format!("erased {target}  {reason}"),
            Self::Hold { target, reason, .. } => format!("held {target}  {reason}"),
            Self::Release { hold, reason, .. } => format!("released hold {hold}  {reason}"),
        }
    }
}

impl LogLine {
    pub(crate) fn of(entry: &Entry, envelope: Option<&Envelope>) -> Self {
        let header = &entry.header;
        let (classification, error_kind) = match &header.status {
            EntryStatus::Accepted => (Some(Classification::Accept), None),
            EntryStatus::Rejected { classification, error_kind, .. } => {
                (Some(*classification), Some(error_kind.to_string()))
            }
            _ => (None, None),
        };
        Self {
            seq: header.seq.get(),
            kind: header.status.kind().as_str(),
            recorded_at_ms: header.recorded_at_ms,
            trace_id: header.trace.map(|link| link.trace_id),
            envelope_hash: header.envelope_hash.to_string(),
            classification,
            error_kind,
            record_type: envelope.map(Envelope::record_type),
            time_ms: envelope.map(|envelope| envelope.time_ms().get()),
            says: envelope.map(RecordFacts::of),
            artifact: ArtifactFacts::of(entry),
            system: SystemFacts::of(entry),
            origin: origin(entry),
        }
    }

    /// What the entry says, in words.
    fn words(&self) -> String {
        if let Some(says) = &self.says {
            let says = says.phrases().into_iter().map(|(text, _)| text).collect::<Vec<_>>().join("  ");
            return match &self.error_kind {
                Some(kind) => format!("refused {kind}  {says}"),
                None => says,
            };
        }
        match (&self.artifact, &self.system, &self.origin) {
            (Some(artifact), ..) => artifact.words(),
            (None, Some(system), _) => system.words(),
            (None, None, Some(origin)) => format!("{}  {origin}", self.kind),
            (None, None, None) => self.kind.to_owned(),
        }
    }

    fn is_bad(&self) -> bool {
        let failed =
            matches!(&self.artifact, Some(ArtifactFacts::ReplayResult { failure_class: Some(_), .. }));
        self.error_kind.is_some() || failed
    }
}

/// The record of evidence in an entry.
pub(crate) fn envelope_of(entry: &Entry) -> Option<Envelope> {
    if !matches!(entry.header.status, EntryStatus::Accepted | EntryStatus::Rejected { .. }) {
        return None;
    }
    // A body that is no envelope is damage, which `verify` and `replay` tell.
    Some(read_envelope(&entry.body, &Limits::CONTENT).ok()?.envelope().clone())
}

fn origin(entry: &Entry) -> Option<String> {
    if !matches!(entry.header.status, EntryStatus::Genesis) {
        return None;
    }
    let value = parse(&entry.body, &Limits::ENVELOPE).ok()?;
    GenesisRecord::from_value(&value).ok().map(|genesis| genesis.origin.to_string())
}

impl ArtifactFacts {
    /// None of what is no artifact, or damaged.
    fn of(entry: &Entry) -> Option<Self> {
        if !matches!(entry.header.status, EntryStatus::Artifact) {
            return None;
        }
        match ArtifactKind::read(&entry.body).ok()? {
            ArtifactKind::ReplayResult(result) => Some(Self::of_result(&result)),
            ArtifactKind::ReplayDiagnostics(diagnostics) => Some(Self::of_diagnostics(&diagnostics)),
            ArtifactKind::ProducerSignature(signature) => Some(Self::ProducerSignature {
                envelope_sha256: signature.envelope_sha256,
                key: signature.key.to_string(),
            }),
            ArtifactKind::PolicyBacktest(record) => Some(Self::of_backtest(&record)),
            ArtifactKind::VerdictSeal(seal) => Some(Self::VerdictSeal {
                result_sha256: seal.result_sha256.to_string(),
                size: seal.log.size.get(),
            }),
            ArtifactKind::VerdictSignature(signature) => Some(Self::VerdictSignature {
                seal_sha256: signature.seal_sha256,
                key: signature.key.to_string(),
            }),
            ArtifactKind::OtelImport(import) => Some(Self::OtelImport {
                policy_sha256: import.mapping.policy_sha256.to_string(),
                spans: import.spans.len(),
                calls: import.spans.iter().filter(|span| span.call.is_some()).count(),
            }),
            ArtifactKind::ImportAccount(account) => Some(Self::ImportAccount {
                source_sha256: account.source_sha256.to_string(),
                spans: account.totals.spans.get(),
                refused: account.totals.refused.get().saturating_add(account.totals.unreadable.get()),
            }),
            _ => None,
        }
    }

    fn of_backtest(record: &BacktestRecord) -> Self {
        let (decisions, same) = (record.counts.decisions.get(), record.counts.same.get());
        let changed = decisions.saturating_sub(same);
        Self::PolicyBacktest { policy_sha256: record.policy_sha256.to_string(), decisions, changed }
    }

    fn of_result(result: &ReplayResult) -> Self {
        Self::ReplayResult {
            replay_type: result.replay_type().as_str(),
            reference_trace_id: result.reference_trace_id(),
            result: if result.verdict.is_pass() { "pass" } else { "fail" },
            failure_class: result.verdict.failure_class().map(|class| class.as_str()),
        }
    }

    fn of_diagnostics(diagnostics: &ReplayDiagnostics) -> Self {
        Self::ReplayDiagnostics {
            replay_type: diagnostics.replay_type.as_str(),
            result_sha256: diagnostics.result_sha256.to_string(),
            failures: diagnostics.failures.len(),
            findings: diagnostics.findings.len(),
            differences: diagnostics.differences.len(),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::ReplayResult { replay_type, reference_trace_id, result, failure_class } => {
                let answer = failure_class.unwrap_or(result);
                let against =
                    reference_trace_id.map(|trace| format!("  against {trace}")).unwrap_or_default();
                format!("{replay_type} replay  {answer}{against}")
            }
            Self::ReplayDiagnostics { replay_type, failures, findings, differences, .. } => {
                let counts = [
                    (*failures, "failure", "failures"),
                    (*findings, "finding", "findings"),
                    (*differences, "difference", "differences"),
                ];
                let counts = counts.into_iter().filter(|(count, _, _)| *count > 0);
                let counts: Vec<String> =
                    counts.map(|(count, one, many)| counted(count as u64, one, many)).collect();
                let counts = if counts.is_empty() { "nothing odd".to_owned() } else { counts.join(", ") };
                format!("{replay_type} diagnostics  {counts}")
            }
            Self::PolicyBacktest { policy_sha256, decisions, changed } => {
                let policy: String = policy_sha256.chars().take(16).collect();
                let decisions = counted(*decisions, "decision", "decisions");
                format!("policy back-test  {changed} of {decisions} would change under {policy}…")
            }
            Self::ProducerSignature { envelope_sha256, key } => {
                let hash: String = envelope_sha256.to_string().chars().take(16).collect();
                format!("producer signature  {key}  of {hash}…")
            }
            Self::VerdictSeal { result_sha256, size } => {
                let hash: String = result_sha256.chars().take(16).collect();
                format!("verdict seal  of {hash}…  over {size} entries")
            }
            Self::VerdictSignature { seal_sha256, key } => {
                let hash: String = seal_sha256.to_string().chars().take(16).collect();
                format!("verdict signature  {key}  of {hash}…")
            }
            Self::OtelImport { spans, calls, .. } => {
                let spans = counted(*spans as u64, "span", "spans");
                format!("import  {spans}, {}", counted(*calls as u64, "call", "calls"))
            }
            Self::ImportAccount { source_sha256, spans, refused } => {
                let hash: String = source_sha256.chars().take(16).collect();
                let spans = counted(*spans, "span", "spans");
                format!("account of an import  {spans}, {refused} refused  of {hash}…")
            }
        }
    }
}

/// From so many columns on a line has room for the day and the whole trace id.
const WIDE: usize = 140;

/// Lines below each other, under titles; on narrow screens the day stands above the lines of it.
pub(crate) struct LogView {
    columns: [Column; 4],
    is_wide: bool,
    is_first: bool,
    day: String,
}

impl LogView {
    pub(crate) fn new(width: usize) -> Self {
        let is_wide = width >= WIDE;
        let (moment, trace) = if is_wide { (23, 32) } else { (12, 8) };
        let says = width.saturating_sub(7 + moment + trace + 3 * 2).max(20);
        let columns = [
            Column::number("entry", 7),
            Column::text("recorded", moment),
            Column::text("trace", trace),
            Column::text("says", says),
        ];
        Self { columns, is_wide, is_first: true, day: String::new() }
    }

    /// One entry.
    pub(crate) fn show(&mut self, out: &mut Out, line: &LogLine) -> Result<(), CliError> {
        if out.is_json() {
            return out.json(line);
        }
        let paint = out.paint();
        if std::mem::take(&mut self.is_first) {
            out.line(paint.faint(&titles(&self.columns)))?;
        }
        let at = line.recorded_at_ms;
        let recorded = moment(at).map_or_else(|| at.to_string(), |at| at.to_string());
        let (day, time) = recorded.split_once('T').unwrap_or(("", &recorded));
        let time = time.trim_end_matches('Z');
        if !self.is_wide && self.day != day {
            out.line(paint.faint(day))?;
            self.day = day.to_owned();
        }
        let recorded = if self.is_wide { format!("{day} {time}") } else { time.to_owned() };
        let trace = line.trace_id.map(|trace| trace.to_string()).unwrap_or_default();
        let trace = if self.is_wide { trace } else { trace.chars().take(8).collect() };
        let (faint, bad) = (|text: &str| paint.faint(text), |text: &str| paint.bad(text));
        let [.., says] = &self.columns;
        let says: Cell<'_> =
            (safe_cut(&line.words(), says.width()), if line.is_bad() { &bad } else { &plain });
        let cells: [Cell<'_>; 4] =
            [(line.seq.to_string(), &faint), (recorded, &faint), (trace, &faint), says];
        out.line(row(&self.columns, &cells))
    }
}

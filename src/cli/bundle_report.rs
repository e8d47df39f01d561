//! What the verification of a bundle came to, for people and for programs: integrity, completeness, authenticity and
//! erasure are separate answers.

use proofline::proof::VerifierKey;
use proofline::proof::bundle::{Answer, BundleReport, Manifest, PayloadState, Question};
use serde::Serialize;

use super::bundle_error::exit_of_fault;
use super::error::CliError;
use super::exit::Exit;
use super::output::Out;
use super::phrase::{counted, wrap_words};
use super::safe::safe;

/// Of a list, text shows so many.
const SHOWN: usize = 20;

/// How many payloads are in each state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PayloadCounts {
    included: u64,
    withheld: u64,
    erased: u64,
    absent: u64,
}

impl PayloadCounts {
    pub(crate) fn of(manifest: &Manifest) -> Self {
        Self {
            included: manifest.count("included"),
            withheld: manifest.count("withheld"),
            erased: manifest.count("erased"),
            absent: manifest.count("absent"),
        }
    }
}

/// The counts as a phrase.
pub(crate) fn payloads_text(counts: &PayloadCounts) -> String {
    let PayloadCounts { included, withheld, erased, absent } = counts;
    format!("{included} included, {withheld} withheld, {erased} erased, {absent} absent")
}

#[derive(Serialize)]
struct FaultLine {
    code: &'static str,
    step: u8,
    claim: &'static str,
    message: String,
    hint: &'static str,
}

#[derive(Serialize)]
struct TraceLine {
    trace_id: String,
    entries: u64,
}

#[derive(Serialize)]
struct PayloadLine {
    sha256: String,
    state: &'static str,
    erased_by: Option<u64>,
}

/// A report as JSON shows it.
#[derive(Serialize)]
pub(crate) struct ReportLine {
    bundle: String,
    integrity: &'static str,
    completeness: &'static str,
    authenticity: &'static str,
    faults: Vec<FaultLine>,
    ledger_id: Option<String>,
    origin: Option<String>,
    size: Option<u64>,
    root: Option<String>,
    entries: u64,
    accepted: u64,
    rejected: u64,
    artifacts: u64,
    system: u64,
    traces: Vec<TraceLine>,
    cover: Vec<u64>,
    withheld: Vec<u64>,
    payloads: Vec<PayloadLine>,
    payload_bytes: u64,
    signed_by: Vec<String>,
    witnesses: usize,
}

impl ReportLine {
    pub(crate) fn of(name: String, report: &BundleReport) -> Self {
        let manifest = report.manifest.as_ref();
        let list = |of: fn(&Manifest) -> Vec<u64>| manifest.map(of).unwrap_or_default();
        let answer = |question| report.answer(question).as_str();
        Self {
            bundle: name,
            integrity: answer(Question::Integrity),
            completeness: answer(Question::Completeness),
            authenticity: answer(Question::Authenticity),
            faults: faults(report),
            ledger_id: manifest.map(|manifest| manifest.ledger_id.to_string()),
            origin: manifest.map(|manifest| manifest.origin.to_string()),
            size: manifest.map(|manifest| manifest.size),
            root: report.checkpoint.as_ref().map(|checkpoint| checkpoint.root().to_string()),
            entries: report.counts.entries,
            accepted: report.counts.accepted,
            rejected: report.counts.rejected,
            artifacts: report.counts.artifacts,
            system: report.counts.system,
            traces: manifest.map(traces).unwrap_or_default(),
            cover: list(|manifest| manifest.cover.iter().map(|seq| seq.get()).collect()),
            withheld: list(|manifest| manifest.withheld.iter().map(|seq| seq.get()).collect()),
            payloads: manifest.map(payloads).unwrap_or_default(),
            payload_bytes: report.payload_bytes,
            signed_by: signers(report),
            witnesses: report.signed.as_ref().map_or(0, |signed| signed.witnesses().len()),
        }
    }
}

fn faults(report: &BundleReport) -> Vec<FaultLine> {
    let line = |fault: &proofline::proof::bundle::BundleFault| FaultLine {
        code: fault.code(),
        step: fault.step().number(),
        claim: fault.step().question().as_str(),
        message: fault.to_string(),
        hint: fault.hint(),
    };
    report.faults.iter().map(line).collect()
}

fn traces(manifest: &Manifest) -> Vec<TraceLine> {
    let claims = manifest.traces.iter();
    claims.map(|claim| TraceLine { trace_id: claim.trace_id.to_string(), entries: claim.entries }).collect()
}

fn payloads(manifest: &Manifest) -> Vec<PayloadLine> {
    let line = |claim: &proofline::proof::bundle::PayloadClaim| PayloadLine {
        sha256: claim.sha256.to_string(),
        state: claim.state.as_str(),
        erased_by: match claim.state {
            PayloadState::Erased(seq) => Some(seq.get()),
            _ => None,
        },
    };
    manifest.payloads.iter().map(line).collect()
}

fn signers(report: &BundleReport) -> Vec<String> {
    let signed = report.signed.iter();
    signed.flat_map(|signed| signed.log_keys()).map(VerifierKey::short_name).collect()
}

/// The exit code: that of the claim that broke first.
pub(crate) fn exit_of(report: &BundleReport) -> Exit {
    report.fault().map_or(Exit::Ok, exit_of_fault)
}

/// The report in words.
pub(crate) fn text(out: &mut Out, name: &str, report: &BundleReport) -> Result<(), CliError> {
    let verdict = match (report.fault(), report.asked_who_signed) {
        (None, true) => out.paint().good("the bundle holds"),
        (None, false) => out.paint().odd("the bundle holds, and nobody was asked who signed it"),
        (Some(_), _) => out.paint().bad("the bundle does not hold"),
    };
    out.line(format_args!("{name}: {verdict}"))?;
    for fault in &report.faults {
        let code = out.paint().bad(fault.code());
        out.line(format_args!(
            "  {code}  step {}, {}",
            fault.step().number(),
            fault.step().question().as_str()
        ))?;
        for line in wrap_words(&safe(&fault.to_string()), out.columns().saturating_sub(4)) {
            out.line(format_args!("    {line}"))?;
        }
    }
    out.space()?;
    for (title, said) in facts(report) {
        let mut front = format!("  {title:<14}");
        for line in wrap_words(&safe(&said), out.columns().saturating_sub(16)) {
            out.line(format_args!("{front}{line}"))?;
            front = " ".repeat(16);
        }
    }
    let Some(manifest) = &report.manifest else { return Ok(()) };
    out.heading("traces")?;
    for claim in manifest.traces.iter().take(SHOWN) {
        let said = match claim.entries {
            0 => "no entry".to_owned(),
            count => counted(count, "entry", "entries"),
        };
        out.line(format_args!("  {}  {said}", claim.trace_id))?;
    }
    and_more(out, manifest.traces.len())?;
    listed(out, manifest)
}

fn facts(report: &BundleReport) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("integrity", words(report, Question::Integrity)),
        ("completeness", words(report, Question::Completeness)),
        ("authenticity", authenticity(report)),
    ];
    let Some(manifest) = &report.manifest else { return facts };
    let counts = &report.counts;
    facts.push((
        "erasure",
        match manifest.count("erased") {
            0 => "nothing that is named here was erased".to_owned(),
            count => format!("{} erased by the ledger", counted(count, "payload was", "payloads were")),
        },
    ));
    facts.push(("ledger", format!("{} of {}", manifest.ledger_id, manifest.origin)));
    facts.push(("up to", format!("the checkpoint of {} entries", manifest.size)));
    facts.push((
        "entries",
        format!(
            "{}: {} accepted, {} refused, {}, {} of the ledger itself",
            counts.entries,
            counts.accepted,
            counts.rejected,
            counted(counts.artifacts, "artifact", "artifacts"),
            counts.system
        ),
    ));
    facts.push(("payloads", payloads_text(&PayloadCounts::of(manifest))));
    facts
}

fn words(report: &BundleReport, question: Question) -> String {
    let answer = report.answer(question);
    let said = match (question, answer) {
        (_, Answer::Unknown) => "unknown: an earlier fault leaves no way to tell",
        (_, Answer::NotAsked) => "not asked: give the log's key or a policy",
        (Question::Integrity, Answer::Holds) => "these are entries of the log that the checkpoint states",
        (Question::Integrity, Answer::Fails) => "no: something is not what it has to be",
        (Question::Completeness, Answer::Holds) => {
            "nothing of these traces is missing, by what the log signed of itself"
        }
        (Question::Completeness, Answer::Fails) => "no: something was left out, or the index lies",
        (Question::Authenticity, Answer::Holds) => "signed",
        (Question::Authenticity, Answer::Fails) => "no: nobody who is believed signed it",
    };
    said.to_owned()
}

fn authenticity(report: &BundleReport) -> String {
    match &report.signed {
        None => words(report, Question::Authenticity),
        Some(signed) => {
            let witnesses = signed.witnesses().len() as u64;
            let cosigned = match witnesses {
                0 => String::new(),
                count => format!(", cosigned by {}", counted(count, "witness", "witnesses")),
            };
            format!("signed by {}{cosigned}", signers(report).join(", "))
        }
    }
}

fn listed(out: &mut Out, manifest: &Manifest) -> Result<(), CliError> {
    if !manifest.withheld.is_empty() {
        out.heading("bodies withheld")?;
        let shown = manifest.withheld.iter().take(SHOWN).map(|seq| format!("#{seq}"));
        out.line(format_args!("  {}", shown.collect::<Vec<_>>().join(" ")))?;
        and_more(out, manifest.withheld.len())?;
    }
    let gone = manifest.payloads.iter().filter(|claim| claim.state != PayloadState::Included);
    let gone: Vec<_> = gone.collect();
    if !gone.is_empty() {
        out.heading("payloads that are not here")?;
        for claim in gone.iter().take(SHOWN) {
            let by = match claim.state {
                PayloadState::Erased(seq) => format!(" by #{seq}"),
                _ => String::new(),
            };
            out.line(format_args!("  {}  {}{by}", claim.sha256, claim.state.as_str()))?;
        }
        and_more(out, gone.len())?;
    }
    Ok(())
}

fn and_more(out: &mut Out, count: usize) -> Result<(), CliError> {
    if count > SHOWN { out.line(format_args!("  and {} more", count - SHOWN)) } else { Ok(()) }
}

//! What `verify` found, for people and for programs: integrity, completeness, authenticity and
//! erasure are separate answers.

use proofline::ledger::{
    Anchors, ArchivedSegment, BlobTotals, CheckpointCheck, Damage, ErasureCheck, History, LogEnd,
    VerifyReport,
};
use serde::Serialize;

use super::error::CliError;
use super::exit::Exit;
use super::output::{DamageLine, Out, show_damage};
use super::phrase::{counted, wrap_words};
use super::safe::safe;

/// What was found of the payloads, which are neither log nor derived.
#[derive(Default)]
pub(crate) struct Payloads {
    pub(crate) totals: BlobTotals,
    /// Those of them that an erased key closed for good: their bytes are there and nobody reads them.
    pub(crate) closed: u64,
    pub(crate) damage: Vec<Damage>,
}

/// All that was found.
pub(crate) struct Found {
    pub(crate) report: VerifyReport,
    pub(crate) payloads: Payloads,
}

impl Found {
    fn is_whole(&self) -> bool {
        self.report.integrity().next().is_none() && self.payloads.damage.is_empty()
    }

    fn is_complete(&self) -> bool {
        self.report.completeness().next().is_none()
    }

    /// The first of the troubles, in the order in which they matter.
    pub(crate) fn exit(&self) -> Exit {
        Exit::first([
            Exit::when(!self.is_whole(), Exit::DamagedLedger),
            Exit::when(!self.is_complete(), Exit::Incomplete),
            Exit::when(!self.report.unauthentic.is_empty(), Exit::Unauthentic),
            Exit::when(!self.report.erasure.troubles.is_empty(), Exit::NotErased),
            Exit::when(!self.report.derived.is_empty(), Exit::DerivedDamaged),
        ])
    }

    fn verdict(&self) -> &'static str {
        match self.exit() {
            Exit::Ok => "sound",
            Exit::Incomplete => "incomplete",
            Exit::Unauthentic => "unauthentic",
            Exit::NotErased => "not_erased",
            Exit::DerivedDamaged => "derived_damaged",
            _ => "damaged",
        }
    }

    /// What authenticity rests on.
    fn authenticity(&self) -> &'static str {
        let anchors = &self.report.anchors;
        match (self.report.unauthentic.is_empty(), anchors.is_signed(), anchors.knows_roots) {
            (false, ..) => "unauthentic",
            (true, false, _) => "unsigned",
            (true, true, true) => "authentic",
            (true, true, false) => "own_word",
        }
    }
}

#[derive(Serialize)]
struct VerifyLine<'a> {
    verdict: &'static str,
    ledger_id: String,
    origin: Option<&'a str>,
    entries: u64,
    segments: u64,
    log_bytes: u64,
    head: Option<String>,
    end: &'static str,
    unpublished_entries: u64,
    archived: Vec<ArchivedLine<'a>>,
    integrity: IntegrityAnswer,
    completeness: CompletenessAnswer<'a>,
    authenticity: AuthenticityAnswer,
    erasure: ErasureAnswer,
    damage: Vec<DamageLine>,
    derived: Vec<DamageLine>,
    payloads: u64,
    payload_bytes: u64,
    payload_damage: Vec<DamageLine>,
    payloads_closed: u64,
}

#[derive(Serialize)]
struct ArchivedLine<'a> {
    first_seq: u64,
    last_seq: u64,
    entries: u64,
    segment_bytes: u64,
    sha256: String,
    place: &'a str,
    archived_at_ms: u64,
    bodies: &'static str,
}

impl<'a> ArchivedLine<'a> {
    fn of(segment: &'a ArchivedSegment) -> Self {
        Self {
            first_seq: segment.first_seq.get(),
            last_seq: segment.first_seq.get().saturating_add(segment.entries.saturating_sub(1)),
            entries: segment.entries,
            segment_bytes: segment.segment_bytes,
            sha256: segment.sha256.to_string(),
            place: &segment.place,
            archived_at_ms: segment.archived_at_ms,
            bodies: if segment.is_checked { "checked" } else { "not_checked" },
        }
    }
}

#[derive(Serialize)]
struct IntegrityAnswer {
    answer: &'static str,
    troubles: Vec<DamageLine>,
}

#[derive(Serialize)]
struct CompletenessAnswer<'a> {
    answer: &'static str,
    troubles: Vec<DamageLine>,
    anchored_entries: u64,
    unanchored: Option<[u64; 2]>,
    checkpoints: Vec<CheckpointLine<'a>>,
}

#[derive(Serialize)]
struct AuthenticityAnswer {
    answer: &'static str,
    troubles: Vec<DamageLine>,
    roots_known: bool,
    keys: usize,
    producer_signatures: u64,
    producer_signatures_rooted: u64,
}

#[derive(Serialize)]
struct ErasureAnswer {
    answer: &'static str,
    troubles: Vec<DamageLine>,
    erased_payloads: u64,
    erased_subjects: u64,
    holds_in_force: u64,
    unchecked: u64,
}

impl ErasureAnswer {
    fn of(check: &ErasureCheck) -> Self {
        Self {
            answer: erasure_answer(check),
            troubles: check.troubles.iter().map(DamageLine::from).collect(),
            erased_payloads: check.blobs(),
            erased_subjects: check.subjects(),
            holds_in_force: check.holds(),
            unchecked: check.unchecked,
        }
    }
}

fn erasure_answer(check: &ErasureCheck) -> &'static str {
    match (check.troubles.is_empty(), check.blobs() + check.subjects(), check.unchecked) {
        (false, ..) => "not_erased",
        (true, _, 1..) => "unchecked",
        (true, 0, 0) => "none",
        (true, _, 0) => "erased",
    }
}

#[derive(Serialize)]
struct CheckpointLine<'a> {
    file: &'a str,
    kept: bool,
    origin: Option<&'a str>,
    size: Option<u64>,
    root: Option<String>,
    history: &'static str,
    believed: bool,
    keys: Vec<String>,
    witnesses: Vec<String>,
    code: Option<&'static str>,
}

impl<'a> CheckpointLine<'a> {
    fn of(check: &'a CheckpointCheck) -> Self {
        let stated = check.stated.as_ref();
        let believed = check.belief.as_ref().ok();
        Self {
            file: &check.name,
            kept: check.is_kept,
            origin: stated.map(proofline::proof::Checkpoint::origin),
            size: stated.map(proofline::proof::Checkpoint::size),
            root: stated.map(|stated| stated.root().to_string()),
            history: check.history.as_str(),
            believed: believed.is_some(),
            keys: believed
                .map_or_else(Vec::new, |it| it.log_keys().iter().map(|key| key.short_name()).collect()),
            witnesses: believed.map_or_else(Vec::new, |it| {
                it.witnesses().iter().map(|cosigned| cosigned.witness.key().short_name()).collect()
            }),
            code: check.belief.as_ref().err().map(|disbelief| disbelief.code),
        }
    }
}

/// The report as a line of JSON.
pub(crate) fn json(out: &mut Out, found: &Found) -> Result<(), CliError> {
    let (report, payloads) = (&found.report, &found.payloads);
    let lines = |list: &[Damage]| list.iter().map(DamageLine::from).collect::<Vec<_>>();
    let unanchored = report.unanchored();
    let producers = report.anchors.producers;
    let damaged = report.integrity().chain(&payloads.damage);
    out.json(&VerifyLine {
        verdict: found.verdict(),
        ledger_id: report.ledger_id.to_string(),
        origin: report.origin.as_deref(),
        entries: report.entries,
        segments: report.segments,
        log_bytes: report.log_bytes,
        head: report.head.map(|leaf| leaf.to_string()),
        end: report.end.as_str(),
        unpublished_entries: report.unpublished_entries,
        archived: report.archived.iter().map(ArchivedLine::of).collect(),
        integrity: IntegrityAnswer {
            answer: if found.is_whole() { "sound" } else { "damaged" },
            troubles: damaged.map(DamageLine::from).collect(),
        },
        completeness: CompletenessAnswer {
            answer: if found.is_complete() { "complete" } else { "incomplete" },
            troubles: report.completeness().map(DamageLine::from).collect(),
            anchored_entries: unanchored.start,
            unanchored: (!unanchored.is_empty()).then_some([unanchored.start, unanchored.end]),
            checkpoints: report.anchors.checkpoints.iter().map(CheckpointLine::of).collect(),
        },
        authenticity: AuthenticityAnswer {
            answer: found.authenticity(),
            troubles: lines(&report.unauthentic),
            roots_known: report.anchors.knows_roots,
            keys: report.anchors.keys.as_ref().map_or(0, |keys| keys.all().len()),
            producer_signatures: producers.verified,
            producer_signatures_rooted: producers.rooted,
        },
        erasure: ErasureAnswer::of(&report.erasure),
        damage: lines(&report.damage),
        derived: lines(&report.derived),
        payloads: payloads.totals.blobs,
        payload_bytes: payloads.totals.bytes,
        payload_damage: lines(&payloads.damage),
        payloads_closed: payloads.closed,
    })
}

/// The report for people.
pub(crate) fn text(out: &mut Out, found: &Found) -> Result<(), CliError> {
    let (report, payloads) = (&found.report, &found.payloads);
    for (name, fact) in facts(report, payloads) {
        out.line(format_args!("{name:<14} {}", safe(&fact)))?;
    }
    out.space()?;
    let paint = out.paint();
    let answers = [
        ("integrity", found.is_whole(), integrity_text(found)),
        ("completeness", found.is_complete(), completeness_text(found)),
        ("authenticity", report.unauthentic.is_empty(), authenticity_text(found)),
        ("erasure", report.erasure.troubles.is_empty(), erasure_text(&report.erasure)),
    ];
    for (name, is_good, sentence) in answers {
        let mut lines = wrap_words(&safe(&sentence), out.columns().saturating_sub(15)).into_iter();
        let first = lines.next().unwrap_or_default();
        let label = format!("{name:<14}");
        let label = if is_good { paint.good(&label) } else { paint.bad(&label) };
        out.line(format_args!("{label} {first}"))?;
        for line in lines {
            out.line(format_args!("{:<14} {line}", ""))?;
        }
    }
    checkpoints(out, &report.anchors)?;
    archived(out, &report.archived)?;
    let all = |list: &[Damage]| (list.len() as u64, list.to_vec());
    let missing: Vec<Damage> = report.completeness().cloned().collect();
    let damaged: Vec<Damage> = report.integrity().cloned().collect();
    let sections = [
        ("damage", all(&damaged)),
        ("missing, cut or rewritten", all(&missing)),
        ("not authentic", all(&report.unauthentic)),
        ("not erased, or not allowed", all(&report.erasure.troubles)),
        ("derived files", all(&report.derived)),
        ("payloads", all(&payloads.damage)),
    ];
    for (title, (total, list)) in &sections {
        show_damage(out, title, &list.iter().collect::<Vec<_>>(), *total)?;
    }
    out.space()?;
    out.line(sentence(out, found))
}

fn facts(report: &VerifyReport, payloads: &Payloads) -> Vec<(&'static str, String)> {
    let unknown = || "unreadable".to_owned();
    let mut facts = vec![
        ("ledger", report.ledger_id.to_string()),
        ("origin", report.origin.clone().unwrap_or_else(unknown)),
        ("log", log_text(report)),
        ("head", report.head.map_or_else(unknown, |leaf| leaf.to_string())),
        ("end", report.end.to_string()),
    ];
    if report.unpublished_entries > 0 {
        let entries = counted(report.unpublished_entries, "whole entry", "whole entries");
        facts.push(("unpublished", format!("{entries} past the published size")));
    }
    if payloads.totals.blobs > 0 {
        facts.push(("payloads", format!("{}, {} bytes", payloads.totals.blobs, payloads.totals.bytes)));
    }
    if payloads.closed > 0 {
        facts.push(("erased", format!("{} of them, closed for good: their key is erased", payloads.closed)));
    }
    facts
}

fn log_text(report: &VerifyReport) -> String {
    let segments = counted(report.segments, "segment", "segments");
    format!("{}, {} bytes in {segments}", counted(report.entries, "entry", "entries"), report.log_bytes)
}

fn integrity_text(found: &Found) -> String {
    if found.is_whole() {
        let sound = "what is there is as it was written: bytes, links, hashes, tree";
        let unread = found.report.archived.iter().filter(|segment| !segment.is_checked);
        return match unread.map(|segment| segment.entries).sum() {
            0 => sound.to_owned(),
            away => format!(
                "{sound}; the bodies of {} are archived and were not checked",
                counted(away, "entry", "entries")
            ),
        };
    }
    let places = found.report.integrity().count() + found.payloads.damage.len();
    format!("damaged in {}", counted(places as u64, "place", "places"))
}

fn completeness_text(found: &Found) -> String {
    let report = &found.report;
    let unanchored = report.unanchored();
    let begin = match report.completeness().count() {
        0 => "no gap".to_owned(),
        troubles => counted(troubles as u64, "trouble", "troubles"),
    };
    let anchored = match unanchored.start {
        0 => "no checkpoint anchors any entry".to_owned(),
        size => format!("a checkpoint anchors entries 0 to {}", size - 1),
    };
    let rest = match (unanchored.start, unanchored.end.saturating_sub(unanchored.start)) {
        (0, _) | (_, 0) => String::new(),
        (_, 1) => format!(", none anchors entry {}", unanchored.start),
        (_, _) => format!(", none anchors entries {} to {}", unanchored.start, unanchored.end - 1),
    };
    format!("{begin}; {anchored}{rest}")
}

fn authenticity_text(found: &Found) -> String {
    let anchors = &found.report.anchors;
    let holding = anchors.checkpoints.iter().filter(|check| check.holds()).count() as u64;
    let checkpoints = counted(holding, "checkpoint", "checkpoints");
    let begin = match found.authenticity() {
        "unsigned" => "nothing is signed".to_owned(),
        "unauthentic" => {
            let troubles = counted(found.report.unauthentic.len() as u64, "trouble", "troubles");
            format!("{troubles}; {checkpoints} hold")
        }
        "authentic" => format!("{checkpoints} signed by keys that rest on those given"),
        _ => format!(
            "{checkpoints} signed by keys that the ledger itself lists; `--key` or `--policy` rests on more than its word"
        ),
    };
    match anchors.producers.verified {
        0 => begin,
        verified => {
            format!("{begin}; {}", counted(verified, "producer's signature", "producers' signatures"))
        }
    }
}

fn erasure_text(check: &ErasureCheck) -> String {
    let begin = match (erasure_answer(check), check.subjects()) {
        ("not_erased", _) => counted(check.troubles.len() as u64, "trouble", "troubles"),
        ("none", _) => "nothing was erased".to_owned(),
        (_, 0) => format!("{} erased and gone", counted(check.blobs(), "payload", "payloads")),
        (_, subjects) => format!(
            "{} erased and gone, and {}",
            counted(check.blobs(), "payload", "payloads"),
            counted(subjects, "subject's key", "subjects' keys")
        ),
    };
    let unchecked = match check.unchecked {
        0 => String::new(),
        count => format!("; whether {} allowed was not asked", counted(count, "entry was", "entries were")),
    };
    match check.holds() {
        0 => begin + &unchecked,
        holds => format!("{begin}{unchecked}; {} in force", counted(holds, "hold", "holds")),
    }
}

/// The archived segments that text lists.
const ARCHIVED_SHOWN: usize = 8;

fn archived(out: &mut Out, segments: &[ArchivedSegment]) -> Result<(), CliError> {
    if segments.is_empty() {
        return Ok(());
    }
    out.heading("archived")?;
    let paint = out.paint();
    for line in segments.iter().take(ARCHIVED_SHOWN).map(ArchivedLine::of) {
        let bodies = match line.bodies {
            "checked" => "bodies checked in the archive",
            _ => "headers checked; bodies archived: not checked here",
        };
        out.line(format_args!(
            "  entries {} to {}, {} bytes: {bodies}",
            line.first_seq, line.last_seq, line.segment_bytes
        ))?;
        if !line.place.is_empty() {
            out.line(paint.faint(&format!("    went to {}", safe(line.place))))?;
        }
    }
    match segments.len().saturating_sub(ARCHIVED_SHOWN) as u64 {
        0 => Ok(()),
        more => out.line(paint.faint(&format!("  and {}", counted(more, "more segment", "more segments")))),
    }
}

/// The checkpoints that text lists: all that were brought, the largest kept ones, whatever has trouble.
const KEPT_SHOWN: usize = 5;

fn checkpoints(out: &mut Out, anchors: &Anchors) -> Result<(), CliError> {
    let kept = anchors.checkpoints.iter().filter(|check| check.is_kept).count();
    let shown = anchors
        .checkpoints
        .iter()
        .enumerate()
        .filter(|(at, check)| !check.is_kept || !check.holds() || at + KEPT_SHOWN >= kept);
    let shown: Vec<&CheckpointCheck> = shown.map(|(_, check)| check).collect();
    if shown.is_empty() {
        return Ok(());
    }
    out.heading("checkpoints")?;
    let paint = out.paint();
    if anchors.checkpoints.len() > shown.len() {
        let more =
            counted((anchors.checkpoints.len() - shown.len()) as u64, "older one holds", "older ones hold");
        out.line(paint.faint(&format!("  {more}")))?;
    }
    for check in shown {
        let (is_good, what) = told(check);
        let name = safe(&check.name);
        let fits = what.chars().count() + name.chars().count() + 4 <= out.columns();
        let what = if is_good { paint.good(&what) } else { paint.bad(&what) };
        let gap = if fits { "  " } else { "\n    " };
        out.line(format_args!("  {what}{gap}{name}"))?;
        let signed = check.belief.as_ref().map_or_else(
            |disbelief| disbelief.message.clone(),
            |it| {
                let witnesses = it.witnesses().iter().map(|cosigned| cosigned.witness.key().short_name());
                let keys: Vec<String> =
                    it.log_keys().iter().map(|key| key.short_name()).chain(witnesses).collect();
                format!("signed by {}", keys.join(", "))
            },
        );
        for line in wrap_words(&safe(&signed), out.columns().saturating_sub(4)) {
            out.line(format_args!("    {line}"))?;
        }
    }
    Ok(())
}

fn told(check: &CheckpointCheck) -> (bool, String) {
    let size = check
        .stated
        .as_ref()
        .map_or_else(|| "unreadable".to_owned(), |stated| counted(stated.size(), "entry", "entries"));
    let history = match check.history {
        History::Same if check.belief.is_ok() => return (true, format!("{size}, holds")),
        History::Same => "the same history, not believed",
        History::Cut => "the log is shorter",
        History::Other(_) => "another history",
        _ => "cannot be compared",
    };
    (false, format!("{size}, {history}"))
}

fn sentence(out: &Out, found: &Found) -> String {
    let paint = out.paint();
    let anchor = match found.report.end {
        LogEnd::NotAnchored => "; its end is not anchored, so entries may have been cut off there unseen",
        _ => "",
    };
    match found.exit() {
        Exit::Ok => paint.good(&format!("The ledger is sound{anchor}.")),
        Exit::DerivedDamaged => {
            let count = found.report.derived.len() as u64;
            let files = counted(count, "derived file is not", "derived files are not");
            paint.odd(&format!("The log is sound and {files}: run `proofline reindex`{anchor}."))
        }
        Exit::Incomplete => {
            paint.bad("Entries are missing, or of another history than was published or signed.")
        }
        Exit::Unauthentic => paint.bad("The log is whole, and a signature is not what it has to be."),
        Exit::NotErased => {
            paint.bad("The log is whole, and what was erased is there, or was not allowed to be erased.")
        }
        _ => {
            let places = found.report.damage.len() + found.payloads.damage.len();
            let places = counted(places as u64, "place", "places");
            paint.bad(&format!("The ledger is damaged in {places}{anchor}."))
        }
    }
}

//! `proofline stat`: what a ledger holds, counted from its log.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proofline::canon::{Limits, members, parse};
use proofline::ledger::segment::parse_segment_name;
use proofline::ledger::{
    Damage, Entry, EntryFault, EntryKind, EntryStatus, LogEnd, MARK_FILE, Seq, Snapshot, TORN_DIR,
    decode_marks, parse_stub_name,
};
use proofline::trace::{Classification, GenesisRecord, RecordType};
use serde::Serialize;

use super::archives::{ArchivesArgs, Away};
use super::entry_view::time_text;
use super::error::CliError;
use super::exit::Exit;
use super::gone::{Gone, GoneTotals};
use super::output::{DamageLine, Out, OutputArgs, show_damage};
use super::phrase::counted;
use super::progress::Progress;
use super::safe::{safe, safe_bytes};

/// How many trace ids are asked for at once.
const PAGE: usize = 1000;

/// Counts what a ledger holds
///
/// Everything is counted from the log itself, which is read from end to end.
///
/// Example:
///   proofline stat ledger
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct StatArgs {
    /// The ledger's folder
    dir: PathBuf,
    #[command(flatten)]
    archives: ArchivesArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// A ledger's numbers, as JSON shows them.
#[derive(Serialize)]
struct StatLine {
    ledger_id: String,
    origin: Option<String>,
    entries: u64,
    traces: u64,
    kinds: BTreeMap<&'static str, u64>,
    record_types: BTreeMap<&'static str, u64>,
    classifications: BTreeMap<&'static str, u64>,
    first_recorded_at_ms: Option<u64>,
    last_recorded_at_ms: Option<u64>,
    segments: u64,
    log_bytes: u64,
    head: Option<String>,
    end: &'static str,
    unpublished_bytes: u64,
    torn_tails: Vec<String>,
    archived_segments: u64,
    archived_bytes: u64,
    archived_entries: u64,
    #[serde(flatten)]
    gone: GoneTotals,
    derived: Vec<DamageLine>,
    damage: Vec<DamageLine>,
    damage_count: u64,
    hints: Vec<String>,
}

/// Counts and prints.
pub(crate) fn run(args: &StatArgs, out: &mut Out) -> Result<Exit, CliError> {
    let snapshot = args.archives.snapshot(&args.dir)?;
    let (mut counting, mut away) = (Counting::default(), Away::default());
    let progress = Progress::up_to(snapshot.entries(), "entries");
    for seq in 0..snapshot.entries() {
        match snapshot.entry(Seq::new(seq)) {
            Ok(Some(entry)) => counting.add(&entry),
            Ok(None) => {}
            Err(EntryFault::Archived(archived)) => {
                let entry = away.take(&snapshot, Seq::new(seq), archived)?;
                entry.iter().for_each(|entry| counting.add(entry));
            }
            Err(EntryFault::Damaged(damage)) => counting.note(damage),
            Err(fault) => return Err(fault.into()),
        }
        progress.advance(1);
    }
    drop(progress);
    counting.archived = away.count();
    let exit = Exit::when(!counting.damage.is_empty() || !snapshot.damage().is_empty(), Exit::DamagedLedger);
    let (files, gone) = (LogFiles::of(&args.dir)?, Gone::of(&snapshot)?.totals()?);
    if out.is_json() {
        out.json(&line(&snapshot, &counting, files, gone)?)?;
    } else {
        show(out, &snapshot, &counting, &files, gone)?;
    }
    Ok(exit)
}

/// What the entries add up to.
#[derive(Default)]
struct Counting {
    origin: Option<String>,
    kinds: BTreeMap<EntryKind, u64>,
    record_types: BTreeMap<RecordType, u64>,
    classifications: BTreeMap<Classification, u64>,
    first_recorded_at_ms: Option<u64>,
    last_recorded_at_ms: Option<u64>,
    /// The first unreadable entries; a lost segment can make them many.
    damage: Vec<Damage>,
    /// How many more there were.
    more_damage: u64,
    /// Entries of which only the header is there.
    archived: u64,
}

/// How many unreadable entries are kept by name.
const DAMAGE_KEPT: usize = 1000;

impl Counting {
    fn note(&mut self, damage: Damage) {
        if self.damage.len() < DAMAGE_KEPT {
            self.damage.push(damage);
        } else {
            self.more_damage += 1;
        }
    }

    fn add(&mut self, entry: &Entry) {
        let header = &entry.header;
        *self.kinds.entry(header.status.kind()).or_default() += 1;
        self.first_recorded_at_ms.get_or_insert(header.recorded_at_ms);
        self.last_recorded_at_ms = Some(header.recorded_at_ms);
        let classification = match &header.status {
            EntryStatus::Accepted => Classification::Accept,
            EntryStatus::Rejected { classification, .. } => *classification,
            EntryStatus::Genesis => return self.origin = origin_of(&entry.body),
            _ => return,
        };
        *self.classifications.entry(classification).or_default() += 1;
        if let Some(record_type) = record_type_of(&entry.body) {
            *self.record_types.entry(record_type).or_default() += 1;
        }
    }
}

fn origin_of(body: &[u8]) -> Option<String> {
    let value = parse(body, &Limits::ENVELOPE).ok()?;
    GenesisRecord::from_value(&value).ok().map(|genesis| genesis.origin.to_string())
}

/// The record type of a body that the gate has judged, without judging it again.
fn record_type_of(body: &[u8]) -> Option<RecordType> {
    let range = members(body, &Limits::CONTENT).ok()?.get("record_type")?;
    let text = std::str::from_utf8(body.get(range)?).ok()?;
    text.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

/// What lies in the folder.
struct LogFiles {
    segments: u64,
    log_bytes: u64,
    unpublished_bytes: u64,
    torn_tails: Vec<String>,
}

impl LogFiles {
    fn of(dir: &Path) -> Result<Self, CliError> {
        let log = dir.join("log");
        let unreadable = |source| CliError::Unreadable { name: super::safe::safe_path(&log), source };
        let mut files = Self { segments: 0, log_bytes: 0, unpublished_bytes: 0, torn_tails: torn_tails(dir) };
        let mark = fs::read(dir.join(MARK_FILE)).ok().and_then(|bytes| decode_marks(&bytes).mark);
        for file in fs::read_dir(&log).map_err(unreadable)? {
            let file = file.map_err(unreadable)?;
            let name = file.file_name();
            let first =
                name.to_str().and_then(|name| parse_segment_name(name).or_else(|| parse_stub_name(name)));
            let Some(first) = first else { continue };
            let size_bytes = file.metadata().map_err(unreadable)?.len();
            files.segments += 1;
            files.log_bytes += size_bytes;
            if let Some(mark) = mark.filter(|mark| mark.segment == first) {
                files.unpublished_bytes = size_bytes.saturating_sub(mark.segment_bytes);
            }
        }
        Ok(files)
    }
}

fn torn_tails(dir: &Path) -> Vec<String> {
    let Ok(files) = fs::read_dir(dir.join(TORN_DIR)) else { return Vec::new() };
    let names = files.filter_map(Result::ok).map(|file| file.file_name());
    let mut names: Vec<String> =
        names.map(|name| format!("{TORN_DIR}/{}", safe_bytes(name.as_encoded_bytes()))).collect();
    names.sort_unstable();
    names
}

fn traces(snapshot: &Snapshot) -> Result<u64, CliError> {
    let (mut count, mut after) = (0, None);
    loop {
        let page = snapshot.traces_after(after, PAGE)?;
        let Some(last) = page.last() else { return Ok(count) };
        after = Some(*last);
        count += page.len() as u64;
    }
}

fn hints(snapshot: &Snapshot, counting: &Counting, files: &LogFiles) -> Vec<String> {
    let damaged = !counting.damage.is_empty() || !snapshot.damage().is_empty();
    let mut hints = Vec::new();
    if damaged {
        hints.push(
            "the log is damaged: run `proofline verify`, restore a copy or use `proofline salvage`"
                .to_owned(),
        );
    }
    if snapshot.end() == LogEnd::NotAnchored {
        hints.push(
            "the end is not anchored: entries may have been cut off unseen; `proofline reindex` anchors what is there"
                .to_owned(),
        );
    } else if !snapshot.derived_damage().is_empty() {
        hints.push("derived files are missing or damaged: run `proofline reindex`".to_owned());
    }
    if files.unpublished_bytes > 0 {
        hints.push(format!(
            "{} bytes lie past the published size: a writer is at work, or died; \
             the next one to open the ledger settles them",
            files.unpublished_bytes
        ));
    }
    if counting.archived > 0 {
        let entries = counted(counting.archived, "entry", "entries");
        hints.push(format!(
            "the bodies of {entries} are archived: their record types are not counted; `--archive` names an archive"
        ));
    }
    if !files.torn_tails.is_empty() {
        let tails = counted(files.torn_tails.len() as u64, "tail", "tails");
        hints.push(format!("{TORN_DIR}/ keeps {tails} that held no whole entry"));
    }
    hints
}

fn line(
    snapshot: &Snapshot,
    counting: &Counting,
    files: LogFiles,
    gone: GoneTotals,
) -> Result<StatLine, CliError> {
    let hints = hints(snapshot, counting, &files);
    Ok(StatLine {
        ledger_id: snapshot.ledger_id().to_string(),
        origin: counting.origin.clone(),
        entries: snapshot.entries(),
        traces: traces(snapshot)?,
        kinds: EntryKind::ALL.into_iter().map(|kind| (kind.as_str(), count(&counting.kinds, kind))).collect(),
        record_types: RecordType::ALL
            .iter()
            .map(|record_type| (record_type.as_str(), count(&counting.record_types, *record_type)))
            .collect(),
        classifications: Classification::ALL
            .iter()
            .filter(|class| **class == Classification::Accept || class.is_kept())
            .map(|class| (class.as_str(), count(&counting.classifications, *class)))
            .collect(),
        first_recorded_at_ms: counting.first_recorded_at_ms,
        last_recorded_at_ms: counting.last_recorded_at_ms,
        segments: files.segments,
        log_bytes: files.log_bytes,
        head: snapshot.head().map(|leaf| leaf.to_string()),
        end: snapshot.end().as_str(),
        unpublished_bytes: files.unpublished_bytes,
        torn_tails: files.torn_tails,
        archived_segments: snapshot.archived().len() as u64,
        archived_bytes: snapshot.archived().iter().map(|segment| segment.segment_bytes).sum(),
        archived_entries: counting.archived,
        gone,
        derived: snapshot.derived_damage().iter().map(DamageLine::from).collect(),
        damage: all_damage(snapshot, counting).into_iter().map(DamageLine::from).collect(),
        damage_count: all_damage(snapshot, counting).len() as u64 + counting.more_damage,
        hints,
    })
}

/// What opening came upon and what reading did, each once.
fn all_damage<'a>(snapshot: &'a Snapshot, counting: &'a Counting) -> Vec<&'a Damage> {
    let mut damage: Vec<&Damage> = snapshot.damage().iter().collect();
    let known =
        |one: &&Damage| !snapshot.damage().iter().any(|other| other.seq.is_some() && other.seq == one.seq);
    damage.extend(counting.damage.iter().filter(known));
    damage
}

fn count<K: Ord>(counts: &BTreeMap<K, u64>, key: K) -> u64 {
    counts.get(&key).copied().unwrap_or_default()
}

fn show(
    out: &mut Out,
    snapshot: &Snapshot,
    counting: &Counting,
    files: &LogFiles,
    gone: GoneTotals,
) -> Result<(), CliError> {
    let origin = counting.origin.clone().unwrap_or_else(|| "unreadable".to_owned());
    let head = snapshot.head().map_or_else(|| "unknown".to_owned(), |leaf| leaf.to_string());
    let time = |ms: Option<u64>| ms.map_or_else(|| "unknown".to_owned(), time_text);
    let facts = [
        ("ledger", snapshot.ledger_id().to_string()),
        ("origin", origin),
        ("entries", snapshot.entries().to_string()),
        ("traces", traces(snapshot)?.to_string()),
        ("first recorded", time(counting.first_recorded_at_ms)),
        ("last recorded", time(counting.last_recorded_at_ms)),
        ("log", format!("{} bytes in {}", files.log_bytes, counted(files.segments, "segment", "segments"))),
        ("head", head),
        ("end", snapshot.end().to_string()),
    ];
    let archived = snapshot.archived();
    let bytes: u64 = archived.iter().map(|segment| segment.segment_bytes).sum();
    let segments = counted(archived.len() as u64, "segment", "segments");
    let away = (!archived.is_empty()).then(|| ("archived", format!("{bytes} bytes in {segments} of them")));
    for (name, fact) in facts.into_iter().chain(away).chain(gone_facts(gone)) {
        out.line(format_args!("{name:<15} {}", safe(&fact)))?;
    }
    show_counts(out, "entries by kind", &counting.kinds, |kind| kind.to_string())?;
    show_counts(out, "evidence by record type", &counting.record_types, |kind| kind.to_string())?;
    show_counts(out, "evidence by answer", &counting.classifications, |class| class.to_string())?;
    let damage = all_damage(snapshot, counting);
    show_damage(out, "damage", &damage, damage.len() as u64 + counting.more_damage)?;
    let derived: Vec<_> = snapshot.derived_damage().iter().collect();
    show_damage(out, "derived files", &derived, derived.len() as u64)?;
    for (index, hint) in hints(snapshot, counting, files).iter().enumerate() {
        if index == 0 {
            out.heading("worth knowing")?;
        }
        out.line(format_args!("  {}", safe(hint)))?;
    }
    Ok(())
}

/// What is erased and held, where anything is.
fn gone_facts(gone: GoneTotals) -> impl Iterator<Item = (&'static str, String)> {
    let payloads = counted(gone.payloads_erased, "payload", "payloads");
    let subjects = counted(gone.subjects_erased, "subject's key", "subjects' keys");
    let closed = counted(gone.payloads_closed, "payload", "payloads");
    let facts = [
        (gone.payloads_erased > 0, "erased", payloads),
        (gone.subjects_erased > 0, "keys erased", format!("{subjects}; {closed} closed for good")),
        (gone.holds_in_force > 0, "held", counted(gone.holds_in_force, "legal hold", "legal holds")),
    ];
    facts.into_iter().filter(|(is_told, ..)| *is_told).map(|(_, name, fact)| (name, fact))
}

fn show_counts<K: Ord>(
    out: &mut Out,
    title: &str,
    counts: &BTreeMap<K, u64>,
    name: impl Fn(&K) -> String,
) -> Result<(), CliError> {
    if counts.is_empty() {
        return Ok(());
    }
    out.heading(title)?;
    for (key, count) in counts {
        out.line(format_args!("  {count:>10}  {}", name(key)))?;
    }
    Ok(())
}

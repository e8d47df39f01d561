//! `proofline verify`: checks all that a ledger holds, and repairs nothing.

use std::path::{Path, PathBuf};

use proofline::ledger::{BLOBS_DIR, BlobTotals, Blobs, Damage, LogEnd, VerifyReport, verify};
use serde::Serialize;

use super::error::CliError;
use super::exit::Exit;
use super::input::ledger_folder;
use super::output::{DamageLine, Out, OutputArgs, show_damage};
use super::phrase::counted;
use super::progress::Progress;
use super::safe::safe;

/// Checks frames, headers, links, bodies, indexes and payloads; repairs nothing
///
/// The log is what counts: if it or a payload is damaged the exit code is 3.
/// Indexes, the published size and the catalogue are derived from the log: if
/// only they are missing or damaged the exit code is 5, and `proofline reindex`
/// makes them again.
///
/// Example:
///   proofline verify ledger
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct VerifyArgs {
    /// The ledger's folder
    dir: PathBuf,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Serialize)]
struct VerifyLine {
    verdict: &'static str,
    ledger_id: String,
    origin: Option<String>,
    entries: u64,
    segments: u64,
    log_bytes: u64,
    head: Option<String>,
    end: &'static str,
    unpublished_entries: u64,
    damage: Vec<DamageLine>,
    derived: Vec<DamageLine>,
    payloads: u64,
    payload_bytes: u64,
    payload_damage: Vec<DamageLine>,
}

/// What was found of the payloads, which are neither log nor derived.
#[derive(Default)]
struct Payloads {
    totals: BlobTotals,
    damage: Vec<Damage>,
}

/// Checks and reports.
pub(crate) fn run(args: &VerifyArgs, out: &mut Out) -> Result<Exit, CliError> {
    let progress = Progress::bytes();
    let report =
        verify(ledger_folder(&args.dir)?, &mut |step| progress.set(step.done_bytes, step.total_bytes))?;
    drop(progress);
    let payloads = check_payloads(&args.dir)?;
    if out.is_json() {
        out.json(&line(&report, &payloads))?;
    } else {
        show(out, &report, &payloads)?;
    }
    Ok(exit(&report, &payloads))
}

fn exit(report: &VerifyReport, payloads: &Payloads) -> Exit {
    let damaged = !report.damage.is_empty() || !payloads.damage.is_empty();
    Exit::first([
        Exit::when(damaged, Exit::DamagedLedger),
        Exit::when(!report.derived.is_empty(), Exit::DerivedDamaged),
    ])
}

fn check_payloads(dir: &Path) -> Result<Payloads, CliError> {
    let mut payloads = Payloads::default();
    if dir.join(BLOBS_DIR).is_dir() {
        let damage = &mut payloads.damage;
        // What is not named by a digest harms nobody.
        payloads.totals = Blobs::open(dir)?.check(&mut |found| {
            if found.code == "blob.damaged" {
                damage.push(found);
            }
        })?;
    }
    Ok(payloads)
}

fn line(report: &VerifyReport, payloads: &Payloads) -> VerifyLine {
    let lines = |list: &[Damage]| list.iter().map(DamageLine::from).collect();
    VerifyLine {
        verdict: match exit(report, payloads) {
            Exit::Ok => "sound",
            Exit::DerivedDamaged => "derived_damaged",
            _ => "damaged",
        },
        ledger_id: report.ledger_id.to_string(),
        origin: report.origin.clone(),
        entries: report.entries,
        segments: report.segments,
        log_bytes: report.log_bytes,
        head: report.head.map(|leaf| leaf.to_string()),
        end: report.end.as_str(),
        unpublished_entries: report.unpublished_entries,
        damage: lines(&report.damage),
        derived: lines(&report.derived),
        payloads: payloads.totals.blobs,
        payload_bytes: payloads.totals.bytes,
        payload_damage: lines(&payloads.damage),
    }
}

fn show(out: &mut Out, report: &VerifyReport, payloads: &Payloads) -> Result<(), CliError> {
    let unknown = || "unreadable".to_owned();
    let mut facts = vec![
        ("ledger", report.ledger_id.to_string()),
        ("origin", report.origin.clone().unwrap_or_else(unknown)),
        ("log", log_text(report)),
        ("head", report.head.map_or_else(unknown, |leaf| leaf.to_string())),
        ("end", report.end.to_string()),
    ];
    if report.unpublished_entries > 0 {
        facts.push((
            "unpublished",
            format!(
                "{} past the published size",
                counted(report.unpublished_entries, "whole entry", "whole entries")
            ),
        ));
    }
    if payloads.totals.blobs > 0 {
        facts.push(("payloads", format!("{}, {} bytes", payloads.totals.blobs, payloads.totals.bytes)));
    }
    for (name, fact) in facts {
        out.line(format_args!("{name:<12} {}", safe(&fact)))?;
    }
    let sections =
        [("damage", &report.damage), ("derived files", &report.derived), ("payloads", &payloads.damage)];
    for (title, list) in sections {
        show_damage(out, title, &list.iter().collect::<Vec<_>>(), list.len() as u64)?;
    }
    out.space()?;
    out.line(sentence(out, report, payloads))
}

fn log_text(report: &VerifyReport) -> String {
    let segments = counted(report.segments, "segment", "segments");
    format!("{}, {} bytes in {segments}", counted(report.entries, "entry", "entries"), report.log_bytes)
}

fn sentence(out: &Out, report: &VerifyReport, payloads: &Payloads) -> String {
    let paint = out.paint();
    let anchor = match report.end {
        LogEnd::NotAnchored => "; its end is not anchored, so entries may have been cut off there unseen",
        _ => "",
    };
    match exit(report, payloads) {
        Exit::Ok => paint.good(&format!("The ledger is sound{anchor}.")),
        Exit::DerivedDamaged => {
            let files = counted(report.derived.len() as u64, "derived file is not", "derived files are not");
            paint.odd(&format!("The log is sound and {files}: run `proofline reindex`{anchor}."))
        }
        _ => {
            let places = counted((report.damage.len() + payloads.damage.len()) as u64, "place", "places");
            paint.bad(&format!("The ledger is damaged in {places}{anchor}."))
        }
    }
}

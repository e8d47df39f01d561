//! `proofline bundle create`: everything that a ledger holds about some traces, as one file.

use std::collections::BTreeSet;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use proofline::canon::Sha256Digest;
use proofline::ledger::{BundleOrder, PayloadChoice, Snapshot, create_bundle};
use proofline::proof::bundle::Manifest;
use proofline::trace::TraceId;
use serde::Serialize;

use super::archives::ArchivesArgs;
use super::bundle_error::BundleTrouble;
use super::bundle_report::{PayloadCounts, payloads_text};
use super::error::CliError;
use super::exit::Exit;
use super::input::{Source, ledger_folder};
use super::new_file::write_new;
use super::output::{Out, OutputArgs};
use super::phrase::{counted, wrap_words};
use super::safe::safe_path;
use super::trace::TraceBegin;

/// The most bytes of a file of trace ids.
const MAX_LIST_BYTES: usize = 64 << 20;

/// Writes a bundle of some traces
///
/// It rests on the newest kept checkpoint: run `proofline checkpoint` first, so
/// that the newest entries are in it. A trace that the ledger does not have is
/// shown to be absent. The same ledger, checkpoint and selection give the same
/// bytes. OUT is whole or absent, and nothing is written over.
///
/// Examples:
///   proofline bundle create ledger --trace da95 case.bundle
///   proofline bundle create ledger --traces-file ids.txt --blobs all case.bundle
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct CreateArgs {
    /// The ledger's folder
    dir: PathBuf,
    /// The bundle to be written
    out: PathBuf,
    /// A trace: its id, or as many first digits as no other has; may be given several times
    #[arg(long = "trace", value_name = "ID", value_delimiter = ',', value_parser = TraceBegin::parse)]
    #[arg(required_unless_present = "traces_file")]
    traces: Vec<TraceBegin>,
    /// A file with one whole trace id a line; `-` for the standard input
    #[arg(long, value_name = "FILE")]
    traces_file: Option<PathBuf>,
    /// Which payloads travel along: all, none, or these; the hashes of the others do
    #[arg(long, value_name = "all|none|SHA256,...", default_value = "none", value_parser = Choice::parse)]
    blobs: Choice,
    /// Rest on the kept checkpoint of so many entries
    #[arg(long, value_name = "SIZE")]
    at: Option<u64>,
    #[command(flatten)]
    archives: ArchivesArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Payloads as a command line names them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Choice(PayloadChoice);

/// A text that chooses no payloads.
#[derive(Debug, thiserror::Error)]
#[error("give all, none, or SHA-256 digests of 64 lower-case hex digits with commas between them")]
struct NoChoice;

impl Choice {
    fn parse(text: &str) -> Result<Self, NoChoice> {
        match text {
            "all" => Ok(Self(PayloadChoice::All)),
            "none" => Ok(Self(PayloadChoice::None)),
            list => {
                let digests = list.split(',').map(|digest| digest.parse::<Sha256Digest>().ok());
                digests
                    .collect::<Option<BTreeSet<_>>>()
                    .map(|these| Self(PayloadChoice::These(these)))
                    .ok_or(NoChoice)
            }
        }
    }
}

#[derive(Serialize)]
struct CreatedLine<'a> {
    bundle: String,
    is_new: bool,
    bundle_bytes: u64,
    ledger_id: String,
    origin: &'a str,
    size: u64,
    traces: usize,
    entries: u64,
    absent: Vec<String>,
    payloads: PayloadCounts,
}

/// Makes the bundle.
pub(crate) fn run(args: &CreateArgs, out: &mut Out) -> Result<Exit, CliError> {
    let dir = ledger_folder(&args.dir)?;
    let order = BundleOrder {
        traces: traces(args, dir)?,
        payloads: args.blobs.0.clone(),
        at: args.at,
        archives: args.archives.archives.clone(),
    };
    let unwritable = |source| CliError::Unwritable { name: safe_path(&args.out), source };
    let ((manifest, bundle_bytes), is_new) = write_new(&args.out, |file| {
        let mut writer = BufWriter::with_capacity(1 << 20, &mut *file);
        let manifest = create_bundle(dir, &order, &mut writer).map_err(BundleTrouble::from)?;
        writer.flush().map_err(unwritable)?;
        drop(writer);
        Ok((manifest, file.metadata().map_err(unwritable)?.len()))
    })?;
    tell(args, out, &manifest, bundle_bytes, is_new)?;
    Ok(Exit::Ok)
}

fn traces(args: &CreateArgs, dir: &Path) -> Result<BTreeSet<TraceId>, CliError> {
    let mut traces = BTreeSet::new();
    if !args.traces.is_empty() {
        let snapshot = Snapshot::open(dir)?;
        for begin in &args.traces {
            traces.insert(begin.find(&snapshot)?);
        }
    }
    if let Some(path) = &args.traces_file {
        let source = Source::of(Some(path));
        let bytes = source.read_all(MAX_LIST_BYTES)?;
        for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let id = std::str::from_utf8(line.trim_ascii()).ok();
            if id == Some("") {
                continue;
            }
            let trouble = || BundleTrouble::TraceLine { name: source.name(), line: at + 1 };
            traces.insert(id.and_then(|id| id.parse().ok()).ok_or_else(trouble)?);
        }
    }
    Ok(traces)
}

fn tell(
    args: &CreateArgs,
    out: &mut Out,
    manifest: &Manifest,
    bundle_bytes: u64,
    is_new: bool,
) -> Result<(), CliError> {
    let absent = manifest.traces.iter().filter(|claim| claim.entries == 0);
    let absent: Vec<String> = absent.map(|claim| claim.trace_id.to_string()).collect();
    let entries = manifest.traces.iter().map(|claim| claim.entries).sum();
    let (name, payloads) = (safe_path(&args.out), PayloadCounts::of(manifest));
    if out.is_json() {
        return out.json(&CreatedLine {
            bundle: name,
            is_new,
            bundle_bytes,
            ledger_id: manifest.ledger_id.to_string(),
            origin: manifest.origin.as_str(),
            size: manifest.size,
            traces: manifest.traces.len(),
            entries,
            absent,
            payloads,
        });
    }
    let did = if is_new { "wrote" } else { "nothing to do, these bytes are there already:" };
    let said = format!(
        "{did} {name}: {} of {} up to the checkpoint of {} entries, in {bundle_bytes} bytes",
        counted(entries, "entry", "entries"),
        counted(manifest.traces.len() as u64, "trace", "traces"),
        manifest.size,
    );
    for line in wrap_words(&said, out.columns()) {
        out.line(line)?;
    }
    out.line(format_args!("  payloads  {}", payloads_text(&payloads)))?;
    for id in absent.iter().take(SHOWN) {
        out.line(format_args!("  absent    {id}: the bundle shows that there is no entry of it"))?;
    }
    if absent.len() > SHOWN {
        out.line(format_args!("            and {} more", absent.len() - SHOWN))?;
    }
    Ok(())
}

/// Of a list, text shows so many.
const SHOWN: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_all_none_or_named() {
        let digest = Sha256Digest::of(b"x");
        assert_eq!(Choice::parse("all").unwrap().0, PayloadChoice::All);
        assert_eq!(Choice::parse("none").unwrap().0, PayloadChoice::None);
        let two = Choice::parse(&format!("{digest},{digest}")).unwrap();
        assert_eq!(two.0, PayloadChoice::These(BTreeSet::from([digest])));
        for bad in ["", "ALL", "all,none", &format!("{digest},"), &digest.to_string().to_uppercase()] {
            assert!(Choice::parse(bad).is_err(), "{bad}");
        }
    }
}

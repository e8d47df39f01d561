//! `proofline bundle extract`: unpacks a bundle that holds, into files that other verbs take.
//!
//! No name of a file comes out of the bundle but the hex digits of a payload's SHA-256, and no length either: what is
//! written is what was read.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use proofline::canon::hex;
use proofline::ledger::commit_line_front;
use proofline::proof::bundle::{Bundle, BundleEntry, BundleError, BundleFault};
use serde::Serialize;

use super::bundle::{open, refused};
use super::bundle_error::BundleTrouble;
use super::bundle_verify::TrustArgs;
use super::error::CliError;
use super::exit::Exit;
use super::new_file::fill_new;
use super::output::{Out, OutputArgs};
use super::phrase::counted;
use super::safe::safe_path;

/// Unpacks a bundle that holds
///
/// OUT gets evidence.jsonl (lines that `commit` and `replay` take), entries.jsonl
/// (every entry with its header), checkpoint, and the payloads under blobs/. The
/// bundle is checked first, as `bundle verify` does and with the same exit codes;
/// one that does not hold is not unpacked. OUT is whole or absent.
///
/// Examples:
///   proofline bundle extract case.bundle case --key desk.vkey
///   proofline replay case/evidence.jsonl
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ExtractArgs {
    /// The bundle
    file: PathBuf,
    /// A new or empty folder for what is in it
    out: PathBuf,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// What was unpacked.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Counts {
    entries: u64,
    evidence: u64,
    withheld: u64,
    blobs: u64,
    blob_bytes: u64,
}

#[derive(Serialize)]
struct ExtractedLine {
    bundle: String,
    out: String,
    #[serde(flatten)]
    counts: Counts,
}

/// Judges and unpacks.
pub(crate) fn run(args: &ExtractArgs, out: &mut Out) -> Result<Exit, CliError> {
    let trusted = args.trust.read()?;
    let mut bundle = open(&args.file)?;
    let report = trusted.judge(&args.file, &mut bundle)?;
    if let Some(fault) = report.fault() {
        let source = BundleError::Fault(fault.clone());
        return Err(BundleTrouble::File { name: safe_path(&args.file), source }.into());
    }
    let counts = fill_new(&args.out, |folder| Unpacking { file: &args.file, folder }.unpack(&mut bundle))?;
    if out.is_json() {
        let (bundle, out_name) = (safe_path(&args.file), safe_path(&args.out));
        out.json(&ExtractedLine { bundle, out: out_name, counts })?;
        return Ok(Exit::Ok);
    }
    out.line(format_args!("unpacked {} into {}", safe_path(&args.file), safe_path(&args.out)))?;
    out.line(format_args!("  entries   {}, {} without a body", counts.entries, counts.withheld))?;
    out.line(format_args!("  evidence  {}", counted(counts.evidence, "line", "lines")))?;
    out.line(format_args!("  payloads  {}", counts.blobs))?;
    Ok(Exit::Ok)
}

struct Unpacking<'a> {
    file: &'a Path,
    folder: &'a Path,
}

/// An entry, up to its body.
#[derive(Serialize)]
struct EntryFront {
    header: String,
    kind: &'static str,
    leaf: String,
    seq: u64,
}

impl Unpacking<'_> {
    fn unpack(&self, bundle: &mut Bundle<File>) -> Result<Counts, CliError> {
        let mut counts = Counts::default();
        let checkpoint = bundle.checkpoint().map_err(|error| refused(self.file, error))?;
        self.write("checkpoint", |file| Ok(file.write_all(&checkpoint)?))?;
        self.write("entries.jsonl", |file| {
            bundle.visit_entries(|entry| {
                counts.entries += 1;
                counts.withheld += u64::from(entry.body.is_none());
                write_entry(file, &entry)
            })
        })?;
        self.write("evidence.jsonl", |file| {
            bundle.visit_entries(|entry| {
                let Some(body) = &entry.body else { return Ok(()) };
                if let Some(front) = commit_line_front(&entry.header, body) {
                    counts.evidence += 1;
                    file.write_all(front.as_bytes())?;
                    file.write_all(body)?;
                    file.write_all(b"}\n")?;
                }
                Ok(())
            })
        })?;
        let payloads: Vec<_> = bundle.payloads().collect();
        for (name, length) in payloads {
            let digits = name.to_string();
            let (folder, rest) = digits.split_at(2);
            let folder = format!("blobs/{folder}");
            fs::create_dir_all(self.folder.join(&folder))
                .map_err(|source| self.unwritable(&folder, source))?;
            self.write(&format!("{folder}/{rest}"), |file| match bundle.copy_payload(&name, file)? {
                Some(true) => Ok(()),
                _ => Err(BundleFault::PayloadBytes(name).into()),
            })?;
            counts.blobs += 1;
            counts.blob_bytes += length;
        }
        Ok(counts)
    }

    fn write(
        &self,
        name: &str,
        write: impl FnOnce(&mut BufWriter<File>) -> Result<(), BundleError>,
    ) -> Result<(), CliError> {
        let file = File::create_new(self.folder.join(name));
        let mut writer = BufWriter::new(file.map_err(|source| self.unwritable(name, source))?);
        let written = write(&mut writer).and_then(|()| Ok(writer.flush()?));
        written.map_err(|error| match error {
            BundleError::Io(source) => self.unwritable(name, source),
            other => refused(self.file, other),
        })?;
        writer.get_ref().sync_all().map_err(|source| self.unwritable(name, source))
    }

    fn unwritable(&self, name: &str, source: std::io::Error) -> CliError {
        CliError::Unwritable { name: safe_path(&self.folder.join(name)), source }
    }
}

fn write_entry(file: &mut BufWriter<File>, entry: &BundleEntry) -> Result<(), BundleError> {
    let front = EntryFront {
        header: hex(&entry.header.encode()),
        kind: entry.header.status.kind().as_str(),
        leaf: entry.leaf.to_string(),
        seq: entry.header.seq.get(),
    };
    let front = serde_json::to_string(&front).map_err(std::io::Error::other)?;
    let front = front.strip_suffix('}').unwrap_or(&front);
    file.write_all(front.as_bytes())?;
    file.write_all(b",\"body\":")?;
    file.write_all(entry.body.as_deref().unwrap_or(b"null"))?;
    Ok(file.write_all(b"}\n")?)
}

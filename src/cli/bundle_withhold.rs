//! `proofline bundle withhold`: a copy of a bundle with less in it.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use proofline::canon::Sha256Digest;
use proofline::ledger::Seq;
use proofline::proof::bundle::{BundleError, Manifest, Withholding, withhold};
use serde::Serialize;

use super::bundle::{open, refused};
use super::bundle_error::BundleTrouble;
use super::bundle_report::{PayloadCounts, payloads_text};
use super::bundle_verify::TrustArgs;
use super::error::CliError;
use super::exit::Exit;
use super::new_file::write_new;
use super::output::{Out, OutputArgs};
use super::phrase::counted;
use super::safe::safe_path;

/// Writes a copy of a bundle without some bodies or payloads
///
/// What is left still verifies, and says what is withheld, by number and by hash.
/// Only the bodies of the traces' own entries can be withheld; with a body goes
/// what it alone named. The bundle is checked first.
///
/// Examples:
///   proofline bundle withhold case.bundle --body 17 --body 18 thin.bundle
///   proofline bundle withhold case.bundle thin.bundle \
///     --blob 5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct WithholdArgs {
    /// The bundle
    file: PathBuf,
    /// The copy to be written
    out: PathBuf,
    /// The number of an entry whose body is withheld; may be given several times
    #[arg(long = "body", value_name = "SEQ", value_delimiter = ',', required_unless_present = "blobs")]
    bodies: Vec<u64>,
    /// The SHA-256 of a payload that is withheld; may be given several times
    #[arg(long = "blob", value_name = "SHA256", value_delimiter = ',')]
    blobs: Vec<Sha256Digest>,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Serialize)]
struct WithheldLine {
    bundle: String,
    is_new: bool,
    withheld: Vec<u64>,
    payloads: PayloadCounts,
}

/// Judges the bundle and writes the copy.
pub(crate) fn run(args: &WithholdArgs, out: &mut Out) -> Result<Exit, CliError> {
    let trusted = args.trust.read()?;
    let mut bundle = open(&args.file)?;
    let report = trusted.judge(&args.file, &mut bundle)?;
    if let Some(fault) = report.fault() {
        let source = BundleError::Fault(fault.clone());
        return Err(BundleTrouble::File { name: safe_path(&args.file), source }.into());
    }
    let withholding = Withholding {
        bodies: args.bodies.iter().copied().map(Seq::new).collect(),
        payloads: args.blobs.iter().copied().collect(),
    };
    let unwritable = |source| CliError::Unwritable { name: safe_path(&args.out), source };
    let (manifest, is_new) = write_new(&args.out, |file| {
        let writer = BufWriter::with_capacity(1 << 20, file);
        let written = withhold(&mut bundle, &withholding, writer);
        let (mut writer, manifest) = written.map_err(|error| match error {
            BundleError::Io(source) => unwritable(source),
            other => refused(&args.file, other),
        })?;
        writer.flush().map_err(unwritable)?;
        Ok(manifest)
    })?;
    tell(args, out, &manifest, is_new)
}

fn tell(args: &WithholdArgs, out: &mut Out, manifest: &Manifest, is_new: bool) -> Result<Exit, CliError> {
    let (bundle, payloads) = (safe_path(&args.out), PayloadCounts::of(manifest));
    if out.is_json() {
        let withheld = manifest.withheld.iter().map(|seq| seq.get()).collect();
        out.json(&WithheldLine { bundle, is_new, withheld, payloads })?;
        return Ok(Exit::Ok);
    }
    let bodies = counted(manifest.withheld.len() as u64, "body", "bodies");
    out.line(format_args!("wrote {bundle}: {bodies} withheld"))?;
    out.line(format_args!("  payloads  {}", payloads_text(&payloads)))?;
    Ok(Exit::Ok)
}

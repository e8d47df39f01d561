//! `proofline bundle show`: what a bundle is and says, with its traces drawn.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use proofline::ledger::Entry;
use proofline::proof::bundle::BundleError;
use proofline::trace::TraceId;

use super::bundle::{open, refused};
use super::bundle_report::{ReportLine, exit_of, text};
use super::bundle_verify::TrustArgs;
use super::error::CliError;
use super::exit::Exit;
use super::output::{Out, OutputArgs};
use super::safe::safe_path;
use super::trace::{TraceBegin, view_of};
use super::tree_view;

/// So many traces are drawn unless some are named.
const DRAWN: usize = 20;

/// Shows a bundle: verdicts, traces drawn as trees, what is withheld or erased
///
/// The bundle is checked first, as `bundle verify` does and with the same exit
/// codes; of one that does not hold no trace is drawn.
///
/// Examples:
///   proofline bundle show case.bundle --key desk.vkey
///   proofline bundle show case.bundle --trace da95
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ShowBundleArgs {
    /// The bundle
    file: PathBuf,
    #[command(flatten)]
    trust: TrustArgs,
    /// Draw this trace alone: its id or first digits; may be given several times
    #[arg(long = "trace", value_name = "ID", value_parser = TraceBegin::parse)]
    traces: Vec<TraceBegin>,
    /// Draw with ASCII characters only
    #[arg(long)]
    ascii: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Judges and draws.
pub(crate) fn run(args: &ShowBundleArgs, out: &mut Out) -> Result<Exit, CliError> {
    let trusted = args.trust.read()?;
    let mut bundle = open(&args.file)?;
    let report = trusted.judge(&args.file, &mut bundle)?;
    let name = safe_path(&args.file);
    if out.is_json() {
        out.json(&ReportLine::of(name, &report))?;
    } else {
        text(out, &name, &report)?;
    }
    if !report.holds() {
        return Ok(exit_of(&report));
    }
    let there = bundle.manifest().traces.iter().filter(|claim| claim.entries > 0).map(|claim| claim.trace_id);
    let there: Vec<TraceId> = there.collect();
    let chosen = chosen(args, &there)?;
    let mut entries: BTreeMap<TraceId, Vec<Entry>> = BTreeMap::new();
    let visited = bundle.visit_entries(|entry| {
        let trace = entry.header.trace.as_ref().map(|link| link.trace_id);
        if let (Some(trace), Some(body)) = (trace.filter(|trace| chosen.contains(trace)), entry.body) {
            let header_bytes = entry.header.encode();
            entries.entry(trace).or_default().push(Entry { header: entry.header, header_bytes, body });
        }
        Ok::<_, BundleError>(())
    });
    visited.map_err(|error| refused(&args.file, error))?;
    for trace in &chosen {
        let view = view_of(*trace, &entries.remove(trace).unwrap_or_default())?;
        if out.is_json() {
            tree_view::print_json(out, &view)?;
        } else {
            out.space()?;
            tree_view::draw(out, &view, args.ascii)?;
        }
    }
    if there.len() > chosen.len() && args.traces.is_empty() && !out.is_json() {
        out.space()?;
        let rest = there.len() - chosen.len();
        out.line(format_args!("and {rest} more traces; name one with --trace to have it drawn"))?;
    }
    Ok(Exit::Ok)
}

fn chosen(args: &ShowBundleArgs, there: &[TraceId]) -> Result<BTreeSet<TraceId>, CliError> {
    if args.traces.is_empty() {
        return Ok(there.iter().take(DRAWN).copied().collect());
    }
    args.traces.iter().map(|begin| begin.find_among(there)).collect()
}

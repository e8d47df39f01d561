//! `proofline holds`: every legal hold of a ledger, and what became of it.

use std::path::PathBuf;

use proofline::ledger::{Hold, Snapshot};
use serde::Serialize;

use super::entry_view::warn_of_damage;
use super::error::CliError;
use super::exit::Exit;
use super::input::ledger_folder;
use super::output::{Out, OutputArgs};
use super::safe::safe;

/// Lists the legal holds of a ledger
///
/// Example:
///   proofline holds ledger
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct HoldsArgs {
    /// The ledger's folder
    dir: PathBuf,
    /// Leave out those that were released
    #[arg(long)]
    in_force: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// A hold as JSON shows it.
#[derive(Serialize)]
struct HoldLine {
    hold: String,
    seq: u64,
    target: String,
    reason: String,
    matter: Option<String>,
    in_force: bool,
    released_seq: Option<u64>,
    released_reason: Option<String>,
}

impl HoldLine {
    fn of(hold: &Hold) -> Self {
        let released = hold.released.as_ref();
        Self {
            hold: hold.id.to_string(),
            seq: hold.seq.get(),
            target: hold.record.target.to_string(),
            reason: hold.record.reason.to_string(),
            matter: hold.record.matter.as_ref().map(ToString::to_string),
            in_force: hold.is_in_force(),
            released_seq: released.map(|(seq, _)| seq.get()),
            released_reason: released.map(|(_, record)| record.reason.to_string()),
        }
    }
}

/// Lists them.
pub(crate) fn run(args: &HoldsArgs, out: &mut Out) -> Result<Exit, CliError> {
    let snapshot = Snapshot::open(ledger_folder(&args.dir)?)?;
    let erasures = snapshot.erasures()?;
    let shown = erasures.holds().iter().filter(|hold| !args.in_force || hold.is_in_force());
    let lines: Vec<HoldLine> = shown.map(HoldLine::of).collect();
    if !out.is_json() && lines.is_empty() {
        out.line("Nothing is held.")?;
    }
    for line in &lines {
        if out.is_json() {
            out.json(line)?;
        } else {
            show(out, line)?;
        }
    }
    Ok(warn_of_damage(args.output.format, &snapshot))
}

fn show(out: &mut Out, line: &HoldLine) -> Result<(), CliError> {
    let paint = out.paint();
    let matter = line.matter.as_ref().map(|matter| format!(", matter {matter}")).unwrap_or_default();
    let title = safe(&format!("{}{matter}", line.target)).into_owned();
    out.line(if line.in_force { paint.strong(&title) } else { paint.faint(&title) })?;
    out.line(format_args!("  since entry {}: {}", line.seq, safe(&line.reason)))?;
    if let (Some(seq), Some(reason)) = (line.released_seq, &line.released_reason) {
        out.line(format_args!("  released by entry {seq}: {}", safe(reason)))?;
    }
    out.line(format_args!("  hold {}", line.hold))
}

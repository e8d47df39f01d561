//! `proofline reindex`: makes again all that is derived from the log.

use std::path::PathBuf;

use proofline::ledger::{ReindexReport, reindex_with};
use serde::Serialize;

use super::archives::ArchivesArgs;
use super::commit::tell_recovery;
use super::error::CliError;
use super::exit::Exit;
use super::input::ledger_folder;
use super::output::{Out, OutputArgs};
use super::phrase::counted;

/// Makes indexes, the published size and the catalogue again from the log
///
/// A damaged log is refused, because what would be derived from it would hide
/// the damage.
///
/// Example:
///   proofline reindex ledger
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ReindexArgs {
    /// The ledger's folder
    dir: PathBuf,
    #[command(flatten)]
    archives: ArchivesArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Serialize)]
struct ReindexLine {
    entries: u64,
    indexes: u64,
    recovered_entries: u64,
    torn_tails: Vec<String>,
    mark_was_damaged: bool,
    catalogue_entries: Option<u64>,
    archived_segments: u64,
}

/// Makes everything again.
pub(crate) fn run(args: &ReindexArgs, out: &mut Out) -> Result<Exit, CliError> {
    let ReindexReport { indexes, entries, catalogue_entries, recovery, archived_segments, .. } =
        reindex_with(ledger_folder(&args.dir)?, &args.archives.archives)?;
    if out.is_json() {
        out.json(&ReindexLine {
            entries,
            indexes,
            recovered_entries: recovery.recovered_entries,
            torn_tails: recovery.torn.iter().map(|torn| torn.kept_as.clone()).collect(),
            mark_was_damaged: recovery.mark_rebuilt,
            catalogue_entries,
            archived_segments,
        })?;
    } else {
        tell_recovery(args.output.format, &recovery);
        out.line(format_args!(
            "made {} and the published size again, for {}",
            counted(indexes, "index", "indexes"),
            counted(entries, "entry", "entries")
        ))?;
        match catalogue_entries {
            Some(count) => {
                out.line(format_args!("made the catalogue again, of {}", counted(count, "entry", "entries")))
            }
            None if archived_segments > 0 => out.line(
                "left the catalogue as it is, for entries are archived: name the archive with --archive",
            ),
            None => out.line("left the catalogue as it is, for it is open elsewhere"),
        }?;
    }
    Ok(Exit::Ok)
}

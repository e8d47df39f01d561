//! `proofline verify`: checks all that a ledger holds, and repairs nothing.

use std::path::{Path, PathBuf};

use proofline::ledger::{BLOBS_DIR, Blobs, BroughtCheckpoint, Snapshot, VerifyPlan, verify_with};
use proofline::proof::MAX_NOTE_BYTES;

use super::archives::ArchivesArgs;
use super::error::CliError;
use super::exit::Exit;
use super::input::{Source, ledger_folder};
use super::keys_given::{policy_file, public_keys};
use super::output::{Out, OutputArgs};
use super::progress::Progress;
use super::verify_report::{self, Found, Payloads};

/// Checks all that a ledger holds, and answers four questions; repairs nothing
///
/// Integrity: is what is there as it was written? Frames, headers, links, bodies,
/// hashes, tree, payloads. Exit code 3 if not.
///
/// Completeness: is anything missing, cut off, or of another history? Gaps, the
/// published size, and every checkpoint: those that the ledger keeps and those that
/// you bring. Says which entries no checkpoint anchors. Exit code 8 if so.
///
/// Authenticity: did those sign who had to? Checkpoints, cosignatures, the list of
/// keys, producers' signatures. Without --key or --policy this rests on the ledger's
/// own word. Exit code 9 if not.
///
/// Erasure: is gone what was erased, and did the gate's rule allow every erasure,
/// hold and release? Says how many there are. Exit code 10 if not.
///
/// Indexes, the published size and the catalogue are derived from the log: if only
/// they are missing or damaged the exit code is 5, and `proofline reindex` makes
/// them again.
///
/// Examples:
///   proofline verify ledger
///   proofline verify ledger --checkpoint kept.note --key ledger.pub
///   proofline verify ledger --policy witnesses.policy
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct VerifyArgs {
    /// The ledger's folder
    dir: PathBuf,
    /// A checkpoint that somebody kept elsewhere; may be given several times
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// A key that you know to be the log's, as text or a file; may be given several times
    #[arg(long, value_name = "KEY")]
    key: Vec<PathBuf>,
    /// Keys and witnesses that you rely on, as a C2SP tlog-policy file
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    #[command(flatten)]
    archives: ArchivesArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Checks and reports.
pub(crate) fn run(args: &VerifyArgs, out: &mut Out) -> Result<Exit, CliError> {
    let plan = plan(args)?;
    let dir = ledger_folder(&args.dir)?;
    let progress = Progress::bytes();
    let report = verify_with(dir, &plan, &mut |step| progress.set(step.done_bytes, step.total_bytes))?;
    drop(progress);
    let found = Found { report, payloads: check_payloads(&args.dir)? };
    if out.is_json() {
        verify_report::json(out, &found)?;
    } else {
        verify_report::text(out, &found)?;
    }
    Ok(found.exit())
}

fn plan(args: &VerifyArgs) -> Result<VerifyPlan, CliError> {
    let brought = |path: &PathBuf| {
        let source = Source::of(Some(path));
        Ok(BroughtCheckpoint { name: source.name(), note: source.read_all(MAX_NOTE_BYTES)? })
    };
    Ok(VerifyPlan {
        checkpoints: args.checkpoint.iter().map(brought).collect::<Result<_, CliError>>()?,
        roots: public_keys(&args.key)?,
        policy: args.policy.as_deref().map(policy_file).transpose()?,
        archives: args.archives.archives.clone(),
    })
}

fn check_payloads(dir: &Path) -> Result<Payloads, CliError> {
    let mut payloads = Payloads::default();
    if dir.join(BLOBS_DIR).is_dir() {
        let damage = &mut payloads.damage;
        // What is not named by a digest harms nobody.
        let blobs = Blobs::open(dir)?;
        payloads.totals = blobs.check(&mut |found| {
            if found.code == "blob.damaged" {
                damage.push(found);
            }
        })?;
        // Of a log that cannot be read this cannot be told; what is wrong with it is in the report.
        if let Ok(erasures) = Snapshot::open(dir).and_then(|snapshot| snapshot.erasures()) {
            payloads.closed = blobs.closed(&erasures)?.len() as u64;
        }
    }
    Ok(payloads)
}

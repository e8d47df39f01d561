//! The command line: one file per verb, holding its arguments (whose docs are its help) and its function.

mod archive;
mod archives;
mod attest;
mod backtest_report;
mod backup;
mod bench;
mod bench_evidence;
mod bench_machine;
mod bench_otlp;
mod bench_otlp_report;
mod bench_report;
mod blobs;
mod branches;
mod bundle;
mod bundle_create;
mod bundle_error;
mod bundle_extract;
mod bundle_report;
mod bundle_show;
mod bundle_verify;
mod bundle_withhold;
mod canon;
mod check;
mod check_bundle;
mod check_report;
mod checkpoint;
mod checkpoint_add;
mod checkpoint_verify;
mod clock;
mod commit;
mod commit_checkpoints;
mod completions;
mod counting;
mod decide;
mod deciding_error;
mod diff;
mod diff_view;
mod diff_words;
mod drift;
mod drift_keys;
mod drift_view;
mod entry_view;
mod erase;
mod erase_subject;
mod erasing;
mod error;
mod exit;
mod export;
mod export_choice;
mod export_otlp;
mod gone;
mod hash;
mod hold;
mod holds;
mod html;
mod import;
mod import_otlp;
mod imported;
mod ingest;
mod init;
mod input;
mod key_file;
mod keygen;
mod keys;
mod keys_given;
mod log;
mod log_view;
mod man;
mod migrate;
mod new_file;
mod otel_error;
mod output;
mod pace;
mod payload_view;
mod phrase;
mod policy;
mod policy_file;
mod progress;
mod proof_check;
mod proof_error;
mod proof_view;
mod prove;
mod proving;
mod publish;
mod query;
mod query_error;
mod query_proof;
mod query_view;
mod record_facts;
mod records;
mod reindex;
mod release;
mod replay;
mod replay_backtest;
mod replay_batch;
mod replay_differences;
mod replay_mode;
mod replay_output;
mod replay_policy;
mod replay_report;
mod replay_seal;
mod replay_tools;
mod report;
mod report_show;
mod retention;
mod retention_erase;
mod safe;
mod salvage;
mod scratch_disk;
mod seal;
mod sealing_error;
mod show;
mod signals;
mod signing_error;
mod stat;
mod subject;
mod table;
mod trace;
mod traces;
mod transfer_error;
mod tree_view;
mod unseal;
mod variance_words;
mod verdicts;
mod verdicts_verify;
mod verify;
mod verify_proof;
mod verify_report;

use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use error::CliError;
use exit::Exit;
use output::{Format, Out};

/// Keeps evidence of what AI agents did, and proves it
///
/// A ledger is a folder. `commit` brings evidence in, one JSON record a line,
/// through a gate that says of each line why it was taken or refused. `replay`
/// reads it all again and gives a verdict for each trace.
///
/// Begin with an evidence file:
///
///   proofline replay evidence.jsonl
///
/// or keep a ledger:
///
///   proofline init ledger
///   proofline commit ledger evidence.jsonl
///   proofline replay ledger
#[derive(Parser)]
#[command(name = "proofline", version, verbatim_doc_comment, after_long_help = EXIT_CODES)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  all well
  1  a verdict failed, the gate refused and kept an attempt, `diff` or `drift`
     found a difference, a rule of `check` does not hold, or `decide` says deny
  2  the command line makes no sense
  3  the log is damaged
  4  bad input: a line that is no evidence, an unreadable file, no ledger
  5  the log is sound, a derived file is not: run `proofline reindex`
  6  the system refused: a full disk, a read-only folder, a closed output
  7  a fault of this program
  8  entries are missing: a gap, a cut, or another history than was signed
  9  a signature, a key or a proof is not what it has to be
 10  a payload that was erased is there, or its erasure was not allowed
130, 143  a signal stopped `replay --out`, which --resume goes on with, or `bench`";

#[derive(Subcommand)]
enum Verb {
    Init(init::InitArgs),
    Commit(commit::CommitArgs),
    Decide(decide::DecideArgs),
    Policy(policy::PolicyArgs),
    Replay(replay::ReplayArgs),
    Check(check::CheckArgs),
    Report(report::ReportArgs),
    Verify(verify::VerifyArgs),
    Bundle(bundle::BundleArgs),
    Prove(prove::ProveArgs),
    VerifyProof(verify_proof::VerifyProofArgs),
    Show(show::ShowArgs),
    Traces(traces::TracesArgs),
    Trace(trace::TraceArgs),
    Diff(diff::DiffArgs),
    Drift(drift::DriftArgs),
    Verdicts(verdicts::VerdictsArgs),
    Html(html::HtmlArgs),
    Log(log::LogArgs),
    Query(query::QueryArgs),
    Records(records::RecordsArgs),
    Stat(stat::StatArgs),
    Keygen(keygen::KeygenArgs),
    Keys(keys::KeysArgs),
    Checkpoint(checkpoint::CheckpointArgs),
    Attest(attest::AttestArgs),
    Subject(subject::SubjectArgs),
    Seal(seal::SealArgs),
    Unseal(unseal::UnsealArgs),
    Reindex(reindex::ReindexArgs),
    Salvage(salvage::SalvageArgs),
    Archive(archive::ArchiveArgs),
    Migrate(migrate::MigrateArgs),
    Retention(retention::RetentionArgs),
    Publish(publish::PublishArgs),
    Erase(erase::EraseArgs),
    Hold(hold::HoldArgs),
    Release(release::ReleaseArgs),
    Holds(holds::HoldsArgs),
    Export(export::ExportArgs),
    Import(import::ImportArgs),
    Backup(backup::BackupArgs),
    Bench(bench::BenchArgs),
    Canon(canon::CanonArgs),
    Hash(hash::HashArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

impl Verb {
    fn format(&self) -> Format {
        match self {
            Self::Init(args) => args.output.format,
            Self::Commit(args) => args.output.format,
            Self::Decide(args) => args.output.format,
            Self::Policy(args) => args.format(),
            Self::Show(args) => args.output.format,
            Self::Traces(args) => args.output.format,
            Self::Trace(args) => args.output.format,
            Self::Diff(args) => args.output.format,
            Self::Drift(args) => args.output.format,
            Self::Verdicts(args) => args.format(),
            Self::Html(args) => args.output.format,
            Self::Log(args) => args.output.format,
            Self::Query(args) => args.output.format,
            Self::Records(args) => args.output.format,
            Self::Stat(args) => args.output.format,
            Self::Replay(args) => args.output.format,
            Self::Check(args) => args.output.format,
            Self::Report(args) => args.format(),
            Self::Verify(args) => args.output.format,
            Self::Keygen(args) => args.output.format,
            Self::Keys(args) => args.format(),
            Self::Checkpoint(args) => args.format(),
            Self::Attest(args) => args.output.format,
            Self::Subject(args) => args.format(),
            Self::Seal(args) => args.output.format,
            Self::Unseal(args) => args.output.format,
            Self::Bundle(args) => args.format(),
            Self::Prove(args) => args.report_format(),
            Self::VerifyProof(args) => args.output.format,
            Self::Reindex(args) => args.output.format,
            Self::Salvage(args) => args.output.format,
            Self::Archive(args) => args.format(),
            Self::Migrate(args) => args.output.format,
            Self::Retention(args) => args.output.format,
            Self::Publish(args) => args.output.format,
            Self::Erase(args) => args.output.format,
            Self::Hold(args) => args.output.format,
            Self::Release(args) => args.output.format,
            Self::Holds(args) => args.output.format,
            Self::Export(args) => args.format(),
            Self::Import(args) => args.format(),
            Self::Backup(args) => args.output.format,
            Self::Bench(args) => args.format(),
            Self::Canon(args) => args.output.format,
            Self::Hash(args) => args.output.format,
            Self::Completions(args) => args.output.format,
            Self::Man(args) => args.output.format,
        }
    }

    fn run(&self, out: &mut Out) -> Result<Exit, CliError> {
        match self {
            Self::Init(args) => init::run(args, out),
            Self::Commit(args) => commit::run(args, out),
            Self::Decide(args) => decide::run(args, out),
            Self::Policy(args) => policy::run(args, out),
            Self::Show(args) => show::run(args, out),
            Self::Traces(args) => traces::run(args, out),
            Self::Trace(args) => trace::run(args, out),
            Self::Diff(args) => diff::run(args, out),
            Self::Drift(args) => drift::run(args, out),
            Self::Verdicts(args) => verdicts::run(args, out),
            Self::Html(args) => html::run(args, out),
            Self::Log(args) => log::run(args, out),
            Self::Query(args) => query::run(args, out),
            Self::Records(args) => records::run(args, out),
            Self::Stat(args) => stat::run(args, out),
            Self::Replay(args) => replay::run(args, out),
            Self::Check(args) => check::run(args, out),
            Self::Report(args) => report::run(args, out),
            Self::Verify(args) => verify::run(args, out),
            Self::Keygen(args) => keygen::run(args, out),
            Self::Keys(args) => keys::run(args, out),
            Self::Checkpoint(args) => checkpoint::run(args, out),
            Self::Attest(args) => attest::run(args, out),
            Self::Subject(args) => subject::run(args, out),
            Self::Seal(args) => seal::run(args, out),
            Self::Unseal(args) => unseal::run(args, out),
            Self::Bundle(args) => bundle::run(args, out),
            Self::Prove(args) => prove::run(args, out),
            Self::VerifyProof(args) => verify_proof::run(args, out),
            Self::Reindex(args) => reindex::run(args, out),
            Self::Salvage(args) => salvage::run(args, out),
            Self::Archive(args) => archive::run(args, out),
            Self::Migrate(args) => migrate::run(args, out),
            Self::Retention(args) => retention::run(args, out),
            Self::Publish(args) => publish::run(args, out),
            Self::Erase(args) => erase::run(args, out),
            Self::Hold(args) => hold::run(args, out),
            Self::Release(args) => release::run(args, out),
            Self::Holds(args) => holds::run(args, out),
            Self::Export(args) => export::run(args, out),
            Self::Import(args) => import::run(args, out),
            Self::Backup(args) => backup::run(args, out),
            Self::Bench(args) => bench::run(args, out),
            Self::Canon(args) => canon::run(args, out),
            Self::Hash(args) => hash::run(args, out),
            Self::Completions(args) => completions::run(args, out),
            Self::Man(args) => man::run(args, out),
        }
    }
}

/// Parses the arguments, runs the verb, and gives its exit code.
pub(crate) fn main() -> ExitCode {
    // The panic is told below, once, in the form that was asked for.
    panic::set_hook(Box::new(|_| {}));
    match Cli::try_parse() {
        Ok(cli) => run(&cli.verb).into(),
        Err(error) => refuse(&error).into(),
    }
}

fn run(verb: &Verb) -> Exit {
    let format = verb.format();
    let attempt = panic::catch_unwind(AssertUnwindSafe(|| {
        let mut out = Out::new(format);
        let exit = verb.run(&mut out);
        // What was found before an error is shown all the same, and before the error.
        let flushed = out.flush();
        exit.and_then(|exit| flushed.map(|()| exit))
    }));
    let error = match attempt {
        Ok(Ok(exit)) => return exit,
        Ok(Err(error)) => error,
        Err(panic) => {
            CliError::Internal(format!("the program came upon a fault of its own: {}", said(&*panic)))
        }
    };
    if !error.is_closed_output() {
        output::report(&error, format);
    }
    error.exit()
}

fn said(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// Help and version are answers; everything else is an error of usage.
fn refuse(error: &clap::Error) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let _ = error.print();
            Exit::Ok
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            Exit::Usage
        }
        _ => {
            let text = error.render().to_string();
            let shown = text.trim_end().strip_prefix("error: ").unwrap_or(&text);
            let (what, more) = shown.split_once("\n\n").unwrap_or((shown, ""));
            let hint = (!more.is_empty()).then_some(more);
            output::usage(wanted_format(), what, hint);
            Exit::Usage
        }
    }
}

/// The format that a command line asks for which clap could not read.
fn wanted_format() -> Format {
    let arguments: Vec<_> = std::env::args_os().collect();
    let together = arguments.iter().any(|argument| argument == "--format=json");
    let apart = arguments.windows(2).any(|pair| matches!(pair, [a, b] if a == "--format" && b == "json"));
    if together || apart { Format::Json } else { Format::Text }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn arguments_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }
}

//! `proofline decide`: asks a policy, and records its decision through the gate.

use std::path::{Path, PathBuf};

use proofline::ledger::{Blobs, Snapshot};
use proofline::policy::{Answer, CedarEngine, Determining, EvaluationFault, PolicyEngine};
use proofline::trace::{
    DecisionResult, EnvelopeHash, Millis, PolicyRequest, Resource, SpanId, StringSet, Token, TraceContext,
};
use proofline::{DecisionOrder, NamedPolicy, Weighed, decide, weigh};
use serde::Serialize;

use super::clock::Clock;
use super::deciding_error::DecidingError;
use super::erasing::{self, as_before};
use super::error::CliError;
use super::exit::Exit;
use super::input::ledger_folder;
use super::output::{Out, OutputArgs};
use super::policy_file::PolicyFile;
use super::safe::safe;

/// Asks a policy, and records its decision through the gate
///
/// The policy is read first: one that cannot be read decides nothing. Then it is
/// asked about the accepted auth_context and the request, its bytes are kept as a
/// payload, and the policy_decision is committed. An error in any statement
/// denies, for the reason policy-error. See docs/policy.md.
///
/// Exit code 0 says allow, 1 deny.
///
/// Examples:
///   proofline decide ledger --auth HASH --action tickets:read \
///     --resource desk/7 --policy desk.cedar
///   proofline decide ledger --auth HASH --action tickets:read \
///     --resource desk/7 --policy desk.cedar --schema desk.cedarschema --dry-run
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct DecideArgs {
    /// The ledger's folder
    dir: PathBuf,
    /// The accepted auth_context, by its envelope hash
    #[arg(long, value_name = "HASH")]
    auth: EnvelopeHash,
    /// What is to be done
    #[arg(long, value_name = "A")]
    action: Token,
    /// What it is to be done to
    #[arg(long, value_name = "R")]
    resource: Resource,
    /// The policy, in Cedar; `-` for the standard input
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Refuse a policy that does not pass under this schema
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// What the decision calls the policy [default: the file's name]
    #[arg(long, value_name = "TOKEN")]
    policy_id: Option<Token>,
    /// Its version [default: sha256: and 16 digits of its hash]
    #[arg(long, value_name = "TOKEN")]
    policy_version: Option<Token>,
    /// Who decides
    #[arg(long, value_name = "TOKEN", default_value = "proofline")]
    component: Token,
    /// The span above [default: that of the context]
    #[arg(long, value_name = "SPAN")]
    parent: Option<SpanId>,
    /// The decision's span [default: drawn from all that it is made of]
    #[arg(long, value_name = "ID")]
    span: Option<SpanId>,
    /// The time of the decision and its entry
    #[arg(long, value_name = "RFC3339|now", default_value = "now", value_parser = Clock::parse)]
    clock: Clock,
    /// Commit nothing: say what the decision would be
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// A decision as JSON shows it.
#[derive(Serialize)]
struct DecideLine<'a> {
    event: &'static str,
    result: &'static str,
    reason_codes: Vec<&'a str>,
    obligations: Vec<&'a str>,
    engine: String,
    engine_result: &'static str,
    determining: Vec<DeterminingLine<'a>>,
    errors: Vec<ErrorLine<'a>>,
    policy: PolicyLine<'a>,
    trace_id: String,
    span_id: String,
    ts_ms: u64,
    envelope_hash: Option<EnvelopeHash>,
    seq: Option<u64>,
    duplicate: bool,
}

#[derive(Serialize)]
struct DeterminingLine<'a> {
    id: &'a str,
    obligations: &'a [String],
}

#[derive(Serialize)]
struct ErrorLine<'a> {
    id: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
struct PolicyLine<'a> {
    policy_id: &'a str,
    policy_version: &'a str,
    policy_sha256: String,
}

/// Where the decision is, if it is in the ledger.
struct Recorded {
    envelope_hash: EnvelopeHash,
    seq: u64,
    duplicate: bool,
}

/// Decides.
pub(crate) fn run(args: &DecideArgs, out: &mut Out) -> Result<Exit, CliError> {
    let file = PolicyFile::read(&args.policy)?;
    file.must_pass(args.schema.as_deref())?;
    let id = args.policy_id.clone().unwrap_or_else(|| id_of(&args.policy));
    let policy = NamedPolicy::load(&CedarEngine, id, args.policy_version.clone(), &file.bytes)
        .map_err(|source| DecidingError::Policy { name: file.name.clone(), source })?;
    let order = DecisionOrder {
        auth_context: args.auth,
        request: PolicyRequest { action: args.action.clone(), resource: args.resource.clone() },
        component: args.component.clone(),
        parent: args.parent,
        span: args.span,
    };
    let ts_ms =
        Millis::new(args.clock.now_ms()).map_err(|_| CliError::Usage("no record holds such a time"))?;
    let (weighed, recorded) = if args.dry_run {
        let snapshot = Snapshot::open(ledger_folder(&args.dir)?)?;
        (weigh(&snapshot, &policy, &order, ts_ms).map_err(DecidingError::from)?, None)
    } else {
        let ledger = erasing::open(&args.dir, args.output.format)?;
        let blobs = Blobs::open(&args.dir)?;
        let decided = decide(&ledger, &blobs, &policy, &order, ts_ms).map_err(DecidingError::from)?;
        let (envelope_hash, seq, duplicate) = (decided.envelope_hash, decided.seq.get(), decided.duplicate);
        (decided.weighed, Some(Recorded { envelope_hash, seq, duplicate }))
    };
    if out.is_json() {
        out.json(&line(&weighed, recorded.as_ref()))?;
    } else {
        show(out, &weighed, recorded.as_ref())?;
    }
    let denied = weighed.decision.decision.result == DecisionResult::Deny;
    Ok(Exit::when(denied, Exit::Failed))
}

/// The file's name without its ending, as a Token.
pub(crate) fn id_of(path: &Path) -> Token {
    match path.file_stem() {
        Some(stem) if path != Path::new("-") => Token::of_name(&stem.to_string_lossy()),
        _ => Token::of_name("stdin"),
    }
}

fn tokens(set: &StringSet) -> Vec<&str> {
    set.iter().map(Token::as_str).collect()
}

fn line<'a>(weighed: &'a Weighed, recorded: Option<&Recorded>) -> DecideLine<'a> {
    let (answer, record) = (&weighed.answer, &weighed.decision);
    let of_statement = |it: &'a Determining| DeterminingLine { id: &it.id, obligations: &it.obligations };
    let of_error = |it: &'a EvaluationFault| ErrorLine { id: &it.id, message: &it.message };
    DecideLine {
        event: if recorded.is_some() { "decided" } else { "would_decide" },
        result: record.decision.result.as_str(),
        reason_codes: tokens(&record.decision.reason_codes),
        obligations: tokens(&record.decision.obligations),
        engine: engine(),
        engine_result: answer.result.as_str(),
        determining: answer.determining.iter().map(of_statement).collect(),
        errors: answer.errors.iter().map(of_error).collect(),
        policy: PolicyLine {
            policy_id: record.policy.policy_id.as_str(),
            policy_version: record.policy.policy_version.as_str(),
            policy_sha256: record.policy.policy_sha256.to_string(),
        },
        trace_id: record.trace.trace_id().to_string(),
        span_id: record.trace.span_id().to_string(),
        ts_ms: record.ts_ms.get(),
        envelope_hash: recorded.map(|it| it.envelope_hash),
        seq: recorded.map(|it| it.seq),
        duplicate: recorded.is_some_and(|it| it.duplicate),
    }
}

fn engine() -> String {
    format!("{} {}", CedarEngine.name(), CedarEngine.version())
}

fn show(out: &mut Out, weighed: &Weighed, recorded: Option<&Recorded>) -> Result<(), CliError> {
    let (record, paint) = (&weighed.decision, out.paint());
    let result = match record.decision.result {
        DecisionResult::Allow => paint.good("allow"),
        DecisionResult::Deny => paint.bad("deny"),
    };
    out.line(format_args!(
        "{result}  {} on {}",
        record.request.action.as_str(),
        record.request.resource.as_str()
    ))?;
    match record.decision.reason_codes.is_empty() {
        true => out.line("  no statement applies, which denies")?,
        false => show_each(out, "reason", &tokens(&record.decision.reason_codes))?,
    }
    show_each(out, "obligation", &tokens(&record.decision.obligations))?;
    show_answer(out, &weighed.answer)?;
    let named = (record.policy.policy_id.as_str(), record.policy.policy_version.as_str());
    out.line(format_args!("  {:<11} {}, version {}", "policy", named.0, named.1))?;
    out.line(format_args!("  {:<11} {}", "sha256", record.policy.policy_sha256))?;
    out.line(format_args!("  {:<11} {}", "span", span_of(&record.trace)))?;
    match recorded {
        None => out.line("nothing was committed"),
        Some(it) => {
            out.line(format_args!("recorded by entry {}{}", it.seq, as_before(it.duplicate)))?;
            out.line(format_args!("  {}", it.envelope_hash))
        }
    }
}

fn span_of(trace: &TraceContext) -> String {
    format!("{} of trace {}", trace.span_id(), trace.trace_id())
}

fn show_each(out: &mut Out, what: &str, list: &[&str]) -> Result<(), CliError> {
    list.iter().try_for_each(|it| out.line(format_args!("  {what:<11} {}", safe(it))))
}

/// What the engine said, where that is more than the decision says.
fn show_answer(out: &mut Out, answer: &Answer) -> Result<(), CliError> {
    for it in answer.determining.iter().filter(|it| Token::of_name(&it.id).as_str() != it.id) {
        out.line(format_args!("  {:<11} {:?}", "statement", safe(&it.id)))?;
    }
    if answer.errors.is_empty() {
        return Ok(());
    }
    for it in &answer.errors {
        out.line(format_args!("  {:<11} in {}: {}", "error", safe(&it.id), safe(&it.message)))?;
    }
    out.line(format_args!("  {:<11} {} alone would have said", "engine", answer.result.as_str()))
}

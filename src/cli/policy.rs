//! `proofline policy check`: lists the statements of a policy, or what is wrong with it.

use std::path::PathBuf;

use proofline::policy::{CedarEngine, PolicyError, Statement, ValidationError, ValidationFault};
use proofline::trace::{DecisionResult, Token};
use serde::Serialize;

use super::error::CliError;
use super::exit::Exit;
use super::output::{Format, Out, OutputArgs};
use super::phrase::{counted, wrap_words};
use super::policy_file::PolicyFile;
use super::safe::safe;

/// What can be done with a policy by itself
#[derive(clap::Args)]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    step: Step,
}

#[derive(clap::Subcommand)]
enum Step {
    Check(CheckArgs),
}

/// Lists the statements of a policy, or what is wrong with it
///
/// With --schema the policy must also fit it: the types of what a policy is asked
/// are known, the schema adds the actions. Warnings count: a forbid that can never
/// apply protects nothing. See docs/policy.md.
///
/// Exit code 0 says that the policy can be asked, 4 that it cannot.
///
/// Examples:
///   proofline policy check desk.cedar
///   proofline policy check desk.cedar --schema desk.cedarschema
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
struct CheckArgs {
    /// The policy, in Cedar; `-` for the standard input
    file: PathBuf,
    /// Hold it against this schema
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

impl PolicyArgs {
    pub(crate) const fn format(&self) -> Format {
        let Step::Check(args) = &self.step;
        args.output.format
    }
}

/// Does it.
pub(crate) fn run(args: &PolicyArgs, out: &mut Out) -> Result<Exit, CliError> {
    let Step::Check(args) = &args.step;
    check(args, out)
}

/// A statement as JSON shows it.
#[derive(Serialize)]
struct StatementLine<'a> {
    line: usize,
    effect: &'static str,
    id: &'a str,
    reason_code: String,
    obligations: Vec<ObligationLine<'a>>,
}

#[derive(Serialize)]
struct ObligationLine<'a> {
    name: &'a str,
    token: String,
}

#[derive(Serialize)]
struct FaultLine {
    fault: Fault,
}

/// What is wrong with a policy, as JSON shows it.
#[derive(Serialize)]
struct Fault {
    code: &'static str,
    line: Option<usize>,
    id: Option<String>,
    is_warning: bool,
    message: String,
}

impl Fault {
    fn of_text(error: &PolicyError) -> Self {
        let (code, line) = (error.code(), error.line());
        Self { code, line, id: None, is_warning: false, message: error.to_string() }
    }

    fn of_statement(code: &'static str, fault: ValidationFault) -> Self {
        let ValidationFault { line, id, is_warning, message, .. } = fault;
        Self { code, line: Some(line), id: Some(id), is_warning, message }
    }
}

fn check(args: &CheckArgs, out: &mut Out) -> Result<Exit, CliError> {
    let file = PolicyFile::read(&args.file)?;
    match checked(args, &file)? {
        Ok(statements) => {
            show_statements(out, &statements)?;
            Ok(Exit::Ok)
        }
        Err(faults) => {
            show_faults(out, faults)?;
            Ok(Exit::BadInput)
        }
    }
}

/// All faults of the text, or where it has none those under the schema.
fn checked(args: &CheckArgs, file: &PolicyFile) -> Result<Result<Vec<Statement>, Vec<Fault>>, CliError> {
    let statements = match CedarEngine.statements(&file.bytes) {
        Ok(statements) => statements,
        Err(faults) => return Ok(Err(faults.iter().map(Fault::of_text).collect())),
    };
    let Some(schema) = &args.schema else { return Ok(Ok(statements)) };
    Ok(file.validate(schema)?.map_err(|error| match (error.code(), error) {
        (code, ValidationError::Statements(faults)) => {
            faults.into_iter().map(|fault| Fault::of_statement(code, fault)).collect()
        }
        (code, error) => {
            let (line, message) = (error.line(), error.to_string());
            vec![Fault { code, line, id: None, is_warning: false, message }]
        }
    }))
}

fn show_statements(out: &mut Out, statements: &[Statement]) -> Result<(), CliError> {
    for it in statements {
        let effect = match it.effect {
            DecisionResult::Allow => "permit",
            DecisionResult::Deny => "forbid",
        };
        if out.is_json() {
            let obligation = |name| ObligationLine { name, token: Token::of_name(name).to_string() };
            let obligations = it.obligations.iter().map(|name| obligation(name.as_str())).collect();
            let reason_code = Token::of_name(&it.id).to_string();
            out.json(&StatementLine { line: it.line, effect, id: &it.id, reason_code, obligations })?;
            continue;
        }
        out.line(format_args!("line {:>5}  {effect}  {}", it.line, named(&it.id)))?;
        for name in &it.obligations {
            out.line(format_args!("            obliges to {}", named(name)))?;
        }
    }
    if out.is_json() {
        return Ok(());
    }
    out.line(counted(statements.len() as u64, "statement", "statements"))
}

/// A name, and the Token that stands for it where it is none.
fn named(name: &str) -> String {
    let token = Token::of_name(name);
    if token.as_str() == name { name.to_owned() } else { format!("\"{}\", as {token}", safe(name)) }
}

fn show_faults(out: &mut Out, faults: Vec<Fault>) -> Result<(), CliError> {
    let count = faults.len() as u64;
    for fault in faults {
        if out.is_json() {
            out.json(&FaultLine { fault })?;
            continue;
        }
        let line = fault.line.map(|line| format!("line {line:>5}  ")).unwrap_or_default();
        let id = fault.id.map(|id| format!("  {}", named(&id))).unwrap_or_default();
        let code = if fault.is_warning { out.paint().odd(fault.code) } else { out.paint().bad(fault.code) };
        out.line(format_args!("{line}{code}{id}"))?;
        for words in wrap_words(&safe(&fault.message), out.columns().saturating_sub(4)) {
            out.line(format_args!("    {words}"))?;
        }
    }
    if out.is_json() {
        return Ok(());
    }
    out.line(format_args!("{}: this policy is not asked", counted(count, "fault", "faults")))
}

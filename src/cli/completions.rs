//! `proofline completions`: what a shell needs to complete arguments.

use clap::CommandFactory;
use clap_complete::Shell;
use serde::Serialize;

use super::Cli;
use super::error::CliError;
use super::exit::Exit;
use super::output::{Out, OutputArgs};

/// Prints completions for a shell
///
/// Examples:
///   proofline completions bash > ~/.local/share/bash-completion/completions/proofline
///   proofline completions zsh > ~/.zfunc/_proofline
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Serialize)]
struct CompletionsLine {
    shell: String,
    script: String,
}

/// Prints the script.
pub(crate) fn run(args: &CompletionsArgs, out: &mut Out) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "proofline", &mut script);
    if out.is_json() {
        let script = String::from_utf8_lossy(&script).into_owned();
        out.json(&CompletionsLine { shell: args.shell.to_string(), script })?;
    } else {
        out.bytes(&script)?;
    }
    Ok(Exit::Ok)
}

//! `proofline man`: the manual.

use std::path::{Path, PathBuf};

use clap::CommandFactory;
use serde::Serialize;

use super::Cli;
use super::error::CliError;
use super::exit::Exit;
use super::output::{Out, OutputArgs};
use super::phrase::counted;
use super::safe::safe_path;

/// Prints the manual page, or writes one for each verb into a folder
///
/// Examples:
///   proofline man | man -l -
///   proofline man --out ~/.local/share/man/man1
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ManArgs {
    /// Write proofline.1 and a page for each verb into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Serialize)]
struct ManLine {
    page: Option<String>,
    files: Option<Vec<String>>,
}

/// Prints or writes the manual.
pub(crate) fn run(args: &ManArgs, out: &mut Out) -> Result<Exit, CliError> {
    match &args.out {
        None => print(out),
        Some(dir) => write(dir, out),
    }?;
    Ok(Exit::Ok)
}

fn print(out: &mut Out) -> Result<(), CliError> {
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new(Cli::command()).render(&mut page);
    rendered.map_err(|error| CliError::Internal(format!("the manual cannot be rendered: {error}")))?;
    if out.is_json() {
        let page = String::from_utf8_lossy(&page).into_owned();
        return out.json(&ManLine { page: Some(page), files: None });
    }
    out.bytes(&page)
}

fn write(dir: &Path, out: &mut Out) -> Result<(), CliError> {
    let unwritable = |source| CliError::Unwritable { name: safe_path(dir), source };
    std::fs::create_dir_all(dir).map_err(unwritable)?;
    clap_mangen::generate_to(Cli::command(), dir).map_err(unwritable)?;
    let mut files = Vec::new();
    for file in std::fs::read_dir(dir).map_err(unwritable)? {
        let name = file.map_err(unwritable)?.file_name().to_string_lossy().into_owned();
        if name.starts_with("proofline") {
            files.push(name);
        }
    }
    files.sort_unstable();
    if out.is_json() {
        return out.json(&ManLine { page: None, files: Some(files) });
    }
    out.line(format_args!("wrote {} into {}", counted(files.len() as u64, "page", "pages"), safe_path(dir)))
}

//! `proofline init`: makes a ledger.

use std::path::{Path, PathBuf};

use proofline::ledger::{Genesis, Ledger, Snapshot};
use proofline::trace::{LedgerId, Origin};
use serde::Serialize;

use super::clock::Clock;
use super::error::CliError;
use super::exit::Exit;
use super::output::{Out, OutputArgs};
use super::safe::safe_path;

/// Makes a ledger in a new or empty folder
///
/// The ledger gets an id of sixteen random bytes and an origin, the name that
/// its checkpoints will carry. Both are in its first entry and never change.
///
/// Examples:
///   proofline init ledger
///   proofline init ledger --origin evidence.example/refund-desk
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct InitArgs {
    /// The folder; it is made if it is not there
    dir: PathBuf,
    /// The ledger's name: printable ASCII without spaces and without `+`
    /// [default: proofline.local/ and the folder's name]
    #[arg(long, value_name = "NAME", value_parser = origin)]
    origin: Option<Origin>,
    /// The ledger's id, 32 lower-case hex digits [default: random]
    #[arg(long, value_name = "HEX")]
    ledger_id: Option<LedgerId>,
    /// The time of the first entry
    #[arg(long, value_name = "RFC3339|now", default_value = "now", value_parser = Clock::parse, hide = true)]
    clock: Clock,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Serialize)]
struct InitLine {
    ledger_id: String,
    origin: String,
    entries: u64,
    head: Option<String>,
}

fn origin(text: &str) -> Result<Origin, proofline::trace::WordError> {
    Origin::new(text)
}

/// Makes the ledger.
pub(crate) fn run(args: &InitArgs, out: &mut Out) -> Result<Exit, CliError> {
    let genesis = Genesis {
        ledger_id: args.ledger_id.map_or_else(random_id, Ok)?,
        origin: args.origin.clone().map_or_else(|| default_origin(&args.dir), Ok)?,
        created_at_ms: args.clock.now_ms(),
    };
    Ledger::init(&args.dir, &genesis)?;
    let snapshot = Snapshot::open(&args.dir)?;
    let line = InitLine {
        ledger_id: genesis.ledger_id.to_string(),
        origin: genesis.origin.to_string(),
        entries: snapshot.entries(),
        head: snapshot.head().map(|leaf| leaf.to_string()),
    };
    if out.is_json() {
        out.json(&line)?;
    } else {
        out.line(format_args!("made the ledger {} in {}", line.ledger_id, safe_path(&args.dir)))?;
        out.line(format_args!("  origin  {}", line.origin))?;
        out.line(format_args!("  head    {}", line.head.unwrap_or_default()))?;
    }
    Ok(Exit::Ok)
}

pub(crate) fn random_id() -> Result<LedgerId, CliError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(CliError::Random)?;
    Ok(LedgerId::from_bytes(bytes))
}

/// `proofline.local/` and the folder's name, with `-` for what an origin cannot hold.
pub(crate) fn default_origin(dir: &Path) -> Result<Origin, CliError> {
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let name = absolute.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let clean: String = name.chars().map(clean_char).take(100).collect();
    let name = if clean.is_empty() { "ledger" } else { &clean };
    Origin::new(&format!("proofline.local/{name}"))
        .map_err(|error| CliError::Internal(format!("the default origin is none: {error}")))
}

const fn clean_char(c: char) -> char {
    if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_folder_name_makes_an_origin() {
        let origin = |dir: &str| default_origin(Path::new(dir)).unwrap().to_string();
        assert_eq!(origin("/var/desk-1.ledger"), "proofline.local/desk-1.ledger");
        assert_eq!(origin("/x/a b+c\n東"), "proofline.local/a-b-c--");
        assert_eq!(origin("/"), "proofline.local/ledger");
        assert_eq!(origin(&format!("/{}", "a".repeat(5000))).len(), 116);
    }
}

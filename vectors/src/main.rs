//! Writes `vectors/evidence/`, or with `--check` says which of its files drifted and fails.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use proofline_vectors::files;

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("evidence");
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => write(&folder),
        ["--check"] => check(&folder),
        _ => say("usage: proofline-vectors [--check]").map(|()| ExitCode::from(2)),
    };
    outcome.unwrap_or_else(|error| {
        let _ = say(&format!("{}: {error}", folder.display()));
        ExitCode::FAILURE
    })
}

fn say(line: &str) -> io::Result<()> {
    writeln!(io::stderr(), "{line}")
}

fn write(folder: &Path) -> io::Result<ExitCode> {
    for (name, bytes) in files() {
        let path = folder.join(&name);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(path, bytes)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn check(folder: &Path) -> io::Result<ExitCode> {
    let made = files();
    let drifted =
        made.iter().filter(|(name, bytes)| fs::read(folder.join(name)).ok().as_ref() != Some(*bytes));
    let drifted = drifted.map(|(name, _)| format!("drift: vectors/evidence/{name}"));
    let left = on_disk(folder)?.into_iter().filter(|name| !made.contains_key(name));
    let left = left.map(|name| format!("not generated any more: vectors/evidence/{name}"));
    let complaints: Vec<String> = drifted.chain(left).collect();
    for complaint in &complaints {
        say(complaint)?;
    }
    Ok(if complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The `.jsonl` files there are, as [`files`] names them; the `.json` ones are the reference's.
fn on_disk(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for (prefix, path) in [("", folder.to_owned()), ("trouble/", folder.join("trouble"))] {
        for entry in fs::read_dir(path)? {
            let path: PathBuf = entry?.path();
            if path.extension().is_some_and(|extension| extension == "jsonl")
                && let Some(name) = path.file_name().and_then(|name| name.to_str())
            {
                names.push(format!("{prefix}{name}"));
            }
        }
    }
    Ok(names)
}

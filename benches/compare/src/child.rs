//! This program as its own child, where a process has to begin fresh or to be killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use proofline::ledger::Snapshot;
use proofline::trace::SealedEnvelope;

use crate::data::{self, GROUP};
use crate::failure::Failure;

/// The first argument of a child; nobody types it.
pub(crate) const CHILD: &str = "child";

/// What a child does: prints the nanoseconds of an opening, or commits until it is killed.
pub(crate) fn main(arguments: &[String]) -> Result<(), Failure> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["open", dir] => {
            let begun = Instant::now();
            let ledger = data::open(Path::new(dir))?;
            say(begun.elapsed());
            drop(ledger);
            Ok(())
        }
        ["read", dir] => {
            let begun = Instant::now();
            let snapshot = Snapshot::open(dir).map_err(Failure::of("proofline"))?;
            say(begun.elapsed());
            drop(snapshot);
            Ok(())
        }
        ["commit", dir, seed] => commit(Path::new(dir), seed.parse().unwrap_or(0)),
        _ => Err(Failure::Wrong("no child does that".to_owned())),
    }
}

fn say(taken: Duration) {
    println!("{}", taken.as_nanos());
}

/// Says when the first group is in, and goes on.
fn commit(dir: &Path, seed: u64) -> Result<(), Failure> {
    let ledger = data::open(dir)?;
    let mut evidence = data::evidence(seed);
    let mut is_first = true;
    loop {
        let group: Vec<SealedEnvelope> = evidence.by_ref().take(GROUP).collect();
        data::commit(&ledger, group.iter().map(SealedEnvelope::canonical))?;
        if std::mem::take(&mut is_first) {
            println!("committing");
        }
    }
}

fn start(arguments: &[&str], dir: &Path) -> Result<(Child, BufReader<std::process::ChildStdout>), Failure> {
    let failed = Failure::io("run a child on", dir);
    let program = std::env::current_exe().map_err(Failure::io("find", Path::new("this program")))?;
    let mut command = Command::new(program);
    command.arg(CHILD).arg(arguments.first().copied().unwrap_or_default()).arg(dir);
    command.args(arguments.iter().skip(1)).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    match child.stdout.take() {
        Some(output) => Ok((child, BufReader::new(output))),
        None => Err(Failure::Wrong("a child has no output".to_owned())),
    }
}

fn line(output: &mut impl BufRead, dir: &Path) -> Result<String, Failure> {
    let mut line = String::new();
    output.read_line(&mut line).map_err(Failure::io("hear of", dir))?;
    Ok(line.trim_end().to_owned())
}

/// How long opening takes in a process that does nothing else; `how` is `open` or `read`.
pub(crate) fn opened(how: &str, dir: &Path) -> Result<Duration, Failure> {
    let (mut child, mut output) = start(&[how], dir)?;
    let said = line(&mut output, dir)?;
    child.wait().map_err(Failure::io("wait for a child on", dir))?;
    let nanoseconds =
        said.parse().map_err(|_| Failure::Wrong(format!("a child opened nothing: {said:?}")))?;
    Ok(Duration::from_nanos(nanoseconds))
}

/// Lets a process commit and kills it in the middle, so long after its first group.
pub(crate) fn killed_in_a_commit(dir: &Path, seed: u64, after: Duration) -> Result<(), Failure> {
    let (mut child, mut output) = start(&["commit", &seed.to_string()], dir)?;
    let said = line(&mut output, dir)?;
    std::thread::sleep(after);
    let killed = child.kill().and_then(|()| child.wait()); // SIGKILL
    killed.map_err(Failure::io("kill a child on", dir))?;
    if said == "committing" {
        Ok(())
    } else {
        Err(Failure::Wrong(format!("a child did not commit: {said:?}")))
    }
}

//! For examples without an argument: a ledger of the evidence that ships with the project.

use std::error::Error;
use std::path::{Path, PathBuf};

use proofline::canon::Limits;
use proofline::ledger::{Action, EvidenceLine, Genesis, Ledger, Options};
use proofline::trace::LedgerId;

/// Where the shipped evidence lies.
pub(crate) fn evidence(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/evidence").join(name)
}

/// Makes a ledger in `dir` of these files of shipped evidence. What the gate refuses is kept or
/// not, as the contract says.
pub(crate) fn ledger(dir: &Path, files: &[&str]) -> Result<PathBuf, Box<dyn Error>> {
    let ledger_id = LedgerId::from_bytes([0; 16]);
    Ledger::init(dir, &Genesis { ledger_id, origin: "example.org/shipped".parse()?, created_at_ms: 0 })?;
    let ledger = Ledger::open(dir, Options::default())?;
    for file in files {
        let text = std::fs::read(evidence(file))?;
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let lines =
            lines.map(|line| EvidenceLine::read(line, &Limits::ENVELOPE)).collect::<Result<Vec<_>, _>>()?;
        let actions: Vec<_> = lines.iter().map(|line| Action::Evidence(line.submission())).collect();
        ledger.commit_actions(&actions, 0)?;
    }
    Ok(dir.to_owned())
}

//! An attack that was carried out, and the row of the table that it comes to.

use std::path::{Path, PathBuf};

use proofline::proof::{SecretKey, Signer};

use crate::house::{House, root};
use crate::say;

/// What an attacker leaves behind, and what the honest parties have.
pub(crate) struct Attack {
    /// As docs/tamper.md names it.
    pub(crate) name: &'static str,
    pub(crate) dir: PathBuf,
    /// Checkpoints that the attacker hands over with the folder.
    pub(crate) handed: Vec<PathBuf>,
    /// The checkpoint that the auditor kept.
    pub(crate) kept: PathBuf,
    /// The one that the witnesses know.
    pub(crate) witnessed: Option<PathBuf>,
    /// Who is asked to sign the next one.
    pub(crate) signer: SecretKey,
}

impl Attack {
    pub(crate) fn new(house: &House, name: &'static str, dir: PathBuf) -> Self {
        Attack {
            name,
            dir,
            handed: Vec::new(),
            kept: house.file("second", &house.second.note),
            witnessed: Some(house.file("second.cosigned", &house.cosigned(&house.second))),
            signer: root(),
        }
    }

    /// Asks everybody: `verify` with nothing more, with the kept checkpoint, with the key, with the policy
    /// of witnesses; then opening for writing, signing, and a replay of everything.
    pub(crate) fn ask(&self, policy: &Path) -> [String; 7] {
        let handed = self.handed.iter().flat_map(|note| brought(note));
        let handed: Vec<String> = handed.collect();
        let with = |more: Vec<String>| say::verify(&self.dir, &[handed.clone(), more].concat());
        let key = vec!["--key".to_owned(), root_text()];
        let witnessed = self.witnessed.iter().flat_map(|note| brought(note));
        let policy = ["--policy".to_owned(), policy.to_str().unwrap().to_owned()];
        [
            with(Vec::new()),
            with(brought(&self.kept).to_vec()),
            with(key),
            with(policy.into_iter().chain(witnessed).collect()),
            say::open(&self.dir),
            say::sign(&self.dir, &self.signer),
            say::replay_all(&self.dir),
        ]
    }
}

fn root_text() -> String {
    root().verifier().to_string()
}

fn brought(note: &Path) -> [String; 2] {
    ["--checkpoint".to_owned(), note.to_str().unwrap().to_owned()]
}

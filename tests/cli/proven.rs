//! A ledger with keys and checkpoints for the tests of proofs, made with the library: keys from fixed seeds, so that
//! every run has the same.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use proofline::ledger::{Action, KeptCheckpoint, Ledger as Log, Options, Outcome, Snapshot};
use proofline::proof::{KeyName, KeyRole, SecretKey, Signer};
use zeroize::Zeroizing;

use crate::run::{Ledger, Ran, program, ran, vectors};

pub(crate) const ORIGIN: &str = "ledger.example/test";
/// What the tests commit to their ledger; one record of it was refused and sent again.
pub(crate) const EVIDENCE: &str = "evidence/agent-work.jsonl";
/// The time of all that is committed, as [`crate::run::CLOCK`] in milliseconds.
const NOW_MS: u64 = 1_769_817_600_000;

pub(crate) fn secret(name: &str, role: KeyRole, seed: u8) -> SecretKey {
    SecretKey::from_seed(KeyName::new(name).unwrap(), role, &Zeroizing::new([seed; 32])).unwrap()
}

/// A ledger that lists a log key, one for receipts and one for statements, and what a test keeps beside it.
pub(crate) struct Proven {
    pub(crate) ledger: Ledger,
    beside: tempfile::TempDir,
    pub(crate) log: SecretKey,
    pub(crate) cose: SecretKey,
    pub(crate) dsse: SecretKey,
}

impl Proven {
    /// Keys and the evidence, and checkpoints of `sizes[0]` entries (keys and the index of no trace) and of all.
    pub(crate) fn new() -> (Self, [KeptCheckpoint; 2]) {
        let proven = Self {
            ledger: Ledger::empty(),
            beside: tempfile::tempdir().unwrap(),
            log: secret(ORIGIN, KeyRole::Log, 1),
            cose: secret(ORIGIN, KeyRole::Cose, 2),
            dsse: secret(ORIGIN, KeyRole::Dsse, 3),
        };
        proven.list(&proven.log, None);
        proven.list(&proven.cose, Some(&proven.log));
        proven.list(&proven.dsse, Some(&proven.log));
        let first = proven.checkpoint();
        proven.ledger.commit(&vectors(EVIDENCE), &[]).exits(1);
        let second = proven.checkpoint();
        (proven, [first, second])
    }

    pub(crate) fn open(&self) -> Log {
        Log::open(&self.ledger.dir, Options::default()).unwrap()
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot::open(&self.ledger.dir).unwrap()
    }

    fn list(&self, key: &SecretKey, by: Option<&SecretKey>) {
        let list = self.snapshot().key_list().unwrap();
        self.system(&list.addition(key, by.map(|by| by as &dyn Signer)).unwrap());
    }

    pub(crate) fn retire(&self, key: &SecretKey) {
        let list = self.snapshot().key_list().unwrap();
        self.system(&list.retirement(key.verifier(), &self.log).unwrap());
    }

    fn system(&self, record: &proofline::trace::KeyRecord) {
        let outcome = self.open().commit_action(&Action::System(&record.canonical()), NOW_MS).unwrap();
        assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    }

    pub(crate) fn checkpoint(&self) -> KeptCheckpoint {
        self.open().checkpoint(&[&self.log]).unwrap()
    }

    /// A file beside the ledger.
    pub(crate) fn path(&self, name: &str) -> String {
        self.beside.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// A key file that its owner alone may read.
    pub(crate) fn key_file(&self, name: &str, key: &SecretKey) -> String {
        let path = self.file(name, format!("{}\n", *key.to_secret_text()));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    pub(crate) fn prove(&self, more: &[&str]) -> Ran {
        let clock = ["--clock", crate::run::CLOCK];
        ran(program().arg("prove").arg(&self.ledger.dir).args(more).args(clock))
    }

    /// Writes a proof in this form into a file, and gives its path.
    pub(crate) fn proof(&self, form: &str, more: &[&str]) -> String {
        let out = self.path(&format!("proof-{}", fs::read_dir(self.beside.path()).unwrap().count()));
        let mut all: Vec<String> = more.iter().map(ToString::to_string).collect();
        all.extend(["--format".to_owned(), form.to_owned(), "--out".to_owned(), out.clone()]);
        match form {
            "cose" => all.extend(["--key".to_owned(), self.key_file("cose.key", &self.cose)]),
            "dsse" => all.extend(["--key".to_owned(), self.key_file("dsse.key", &self.dsse)]),
            _ => {}
        }
        self.prove(&all.iter().map(String::as_str).collect::<Vec<_>>()).well();
        out
    }

    /// The public key that a form is checked with.
    pub(crate) fn public(&self, form: &str) -> String {
        let key = match form {
            "cose" => &self.cose,
            "dsse" => &self.dsse,
            _ => &self.log,
        };
        key.verifier().to_string()
    }

    /// The canonical bytes of an entry's record, in a file.
    pub(crate) fn envelope(&self, seq: u64) -> String {
        let entry = self.snapshot().entry(proofline::ledger::Seq::new(seq)).unwrap().unwrap();
        self.file(&format!("envelope-{seq}.json"), entry.body)
    }

    pub(crate) fn kept(&self, size: u64) -> PathBuf {
        proofline::ledger::checkpoint_path(&self.ledger.dir, size)
    }
}

/// Runs `verify-proof`, far from any ledger.
pub(crate) fn verify_proof(arguments: &[&str]) -> Ran {
    ran(program().current_dir("/").arg("verify-proof").args(arguments))
}

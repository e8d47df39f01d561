//! A case file: what a ledger holds about a trace leaves it as one file, a body is withheld, and whoever has the public
//! key is told what is there, what is withheld, and that nothing is missing.
//!
//! ```sh
//! cargo run --example case_file
//! ```
#![allow(clippy::print_stdout, reason = "an example prints")]

mod shipped;

use std::collections::BTreeSet;
use std::error::Error;
use std::io::Cursor;

use proofline::ledger::{Action, BundleOrder, Ledger, Options, Seq, create_bundle};
use proofline::proof::bundle::{Bundle, BundleTrust, Question, Withholding, verify_bundle, withhold};
use proofline::proof::{KeyName, KeyRole, SecretKey, Signer};
use zeroize::Zeroizing;

const ORIGIN: &str = "example.org/shipped";

fn main() -> Result<(), Box<dyn Error>> {
    let home = tempfile::tempdir()?;
    let dir = shipped::ledger(&home.path().join("ledger"), &["agent-work.jsonl"])?;
    let ledger = Ledger::open(&dir, Options::default())?;

    // The log's key signs checkpoints; its public part is what a reader has to know.
    let log_key = SecretKey::from_seed(KeyName::new(ORIGIN)?, KeyRole::Log, &Zeroizing::new([7; 32]))?;
    let added = ledger.snapshot()?.key_list()?.addition(&log_key, None)?;
    ledger.commit_action(&Action::System(&added.canonical()), 0)?;
    let checkpoint = ledger.checkpoint(&[&log_key])?;
    println!("a checkpoint of {} entries is signed", checkpoint.size);

    // One trace that there is, and one that there is not.
    let first = ledger.snapshot()?.traces_after(None, 1)?.first().copied().ok_or("the ledger is empty")?;
    let traces = BTreeSet::from([first, "00000000000000000000000000000001".parse()?]);
    let order = BundleOrder { traces, ..BundleOrder::default() };
    let mut file = Cursor::new(Vec::new());
    create_bundle(&dir, &order, &mut file)?;
    println!("the case file has {} bytes", file.get_ref().len());

    // Somebody hands it on without the body of the trace's first entry.
    let entry = ledger.snapshot()?.of_trace(first)?.first().copied().unwrap_or(Seq::GENESIS);
    let withholding = Withholding { bodies: BTreeSet::from([entry]), ..Withholding::default() };
    let (thin, _) = withhold(&mut Bundle::open(file)?, &withholding, Cursor::new(Vec::new()))?;

    // Far away, without the ledger.
    let keys = [log_key.verifier().clone()];
    let report = verify_bundle(thin, &BundleTrust { keys: &keys, policy: None })?;
    for question in [Question::Integrity, Question::Completeness, Question::Authenticity] {
        println!("{}: {}", question.as_str(), report.answer(question).as_str());
    }
    let manifest = report.manifest.as_ref().ok_or("no manifest")?;
    for claim in &manifest.traces {
        println!("trace {}: {} entries, and there is no other", claim.trace_id, claim.entries);
    }
    println!(
        "withheld: the bodies of {:?}",
        manifest.withheld.iter().map(|seq| seq.get()).collect::<Vec<_>>()
    );
    if report.holds() { Ok(()) } else { Err("the case file does not hold".into()) }
}

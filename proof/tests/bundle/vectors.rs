//! The golden bundles of `vectors/bundles`, made and judged by an independent Python program: our reader says the same
//! of each, and at the same step.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

use proofline_canon::{Sha256Digest, unhex};
use proofline_proof::bundle::{
    Answer, Bundle, BundleFault, BundleReport, BundleStep, BundleTrust, BundleWriter, PayloadState, Question,
    Withholding, verify_bundle, withhold,
};
use proofline_proof::{Seq, VerifierKey};
use serde_json::{Value, json};

/// A golden bundle and its case.
pub(crate) struct Golden {
    pub(crate) case: Value,
    pub(crate) bytes: Vec<u8>,
}

impl Golden {
    pub(crate) fn key(&self) -> Vec<VerifierKey> {
        self.case["key"].as_str().iter().map(|key| key.parse().unwrap()).collect()
    }

    pub(crate) fn name(&self) -> &str {
        self.case["name"].as_str().unwrap()
    }

    pub(crate) fn judge(&self) -> BundleReport {
        judge(&self.bytes, &self.key())
    }
}

pub(crate) fn judge(bytes: &[u8], keys: &[VerifierKey]) -> BundleReport {
    verify_bundle(Cursor::new(bytes), &BundleTrust { keys, policy: None }).unwrap()
}

fn cases(file: &str, least: usize) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/bundles").join(file);
    let document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let cases = document["cases"].as_array().unwrap().clone();
    assert!(cases.len() >= least, "{file} has {} cases only", cases.len());
    cases
}

fn pieces(list: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in list.as_array().unwrap() {
        match piece {
            Value::String(text) => bytes.extend_from_slice(text.as_bytes()),
            Value::Number(zeros) => {
                bytes.resize(bytes.len() + usize::try_from(zeros.as_u64().unwrap()).unwrap(), 0);
            }
            other => {
                let digits = other["hex"].as_str().unwrap();
                let pairs = (0..digits.len()).step_by(2);
                bytes.extend(pairs.map(|at| unhex::<1>(&digits[at..at + 2]).unwrap()[0]));
            }
        }
    }
    bytes
}

fn edited(original: &[u8], edits: &Value) -> Vec<u8> {
    let (mut bytes, mut at) = (Vec::new(), 0);
    let number = |value: &Value| usize::try_from(value.as_u64().unwrap()).unwrap();
    for edit in edits.as_array().unwrap() {
        let place = number(&edit["at"]);
        bytes.extend_from_slice(&original[at..place]);
        bytes.extend(pieces(&edit["insert"]));
        at = place + number(&edit["remove"]);
    }
    bytes.extend_from_slice(&original[at..]);
    bytes
}

/// Those that must be accepted.
pub(crate) fn accepted() -> Vec<Golden> {
    let golden = |case: Value| Golden { bytes: pieces(&case["bundle"]), case };
    cases("accepted.json", 22).into_iter().map(golden).collect()
}

fn refused() -> Vec<Golden> {
    let known: BTreeMap<String, Vec<u8>> =
        accepted().into_iter().map(|golden| (golden.name().to_owned(), golden.bytes)).collect();
    let golden = |case: Value| {
        let bytes = match case["of"].as_str() {
            Some(name) => edited(&known[name], &case["edits"]),
            None => pieces(&case["bundle"]),
        };
        assert_eq!(
            Sha256Digest::of(&bytes).to_string(),
            case["sha256"].as_str().unwrap(),
            "{}",
            case["name"]
        );
        Golden { bytes, case }
    };
    cases("refused.json", 299).into_iter().map(golden).collect()
}

fn told(report: &BundleReport, bundle: &mut Bundle<Cursor<&[u8]>>) -> Value {
    let manifest = report.manifest.as_ref().unwrap();
    let mut keys = 0;
    let visit = bundle.visit_entries(|entry| {
        let body = entry.body.unwrap_or_default();
        keys += u64::from(String::from_utf8_lossy(&body).contains("\"system_type\":\"key\""));
        Ok::<_, proofline_proof::bundle::BundleError>(())
    });
    visit.unwrap();
    let blobs = manifest.payloads.iter().map(|claim| match claim.state {
        PayloadState::Erased(seq) => {
            json!({"sha256": claim.sha256.to_string(), "state": "erased", "erased_by": seq.get()})
        }
        state => json!({"sha256": claim.sha256.to_string(), "state": state.as_str()}),
    });
    let traces = manifest
        .traces
        .iter()
        .map(|claim| json!({"trace_id": claim.trace_id.to_string(), "entries": claim.entries}));
    let signed = report.signed.as_ref();
    let authenticity = match report.answer(Question::Authenticity) {
        Answer::Holds => "authentic",
        other => other.as_str(),
    };
    json!({
        "ledger_id": manifest.ledger_id.to_string(),
        "origin": manifest.origin.as_str(),
        "size": manifest.size,
        "root": report.checkpoint.as_ref().unwrap().root().to_string(),
        "traces": traces.collect::<Vec<_>>(),
        "entries": report.counts.entries,
        "cover": manifest.cover.iter().map(|seq| seq.get()).collect::<Vec<_>>(),
        "keys": keys,
        "withheld": manifest.withheld.iter().map(|seq| seq.get()).collect::<Vec<_>>(),
        "blobs": blobs.collect::<Vec<_>>(),
        "authenticity": authenticity,
        "signers": signed.iter().flat_map(|signed| signed.log_keys()).map(VerifierKey::short_name).collect::<Vec<_>>(),
    })
}

#[test]
fn what_is_right_is_told_the_same() {
    for golden in accepted() {
        let report = golden.judge();
        assert_eq!(report.fault(), None, "{}", golden.name());
        assert!(report.holds());
        let mut bundle = Bundle::open(Cursor::new(golden.bytes.as_slice())).unwrap();
        assert_eq!(told(&report, &mut bundle), golden.case["expected"], "{}", golden.name());
    }
}

fn step(fault: &BundleFault) -> &'static str {
    match fault.step() {
        BundleStep::Container => match fault {
            BundleFault::Manifest { .. } | BundleFault::Newer(_) => "manifest",
            _ => "container",
        },
        BundleStep::Checkpoint => "checkpoint",
        BundleStep::Entries => "entries",
        BundleStep::Inclusion => "inclusion",
        BundleStep::Genesis => "genesis",
        BundleStep::Cover => "cover",
        BundleStep::Completeness => "completeness",
        BundleStep::Keys => "keys",
        BundleStep::NothingElse => "surplus",
        other => {
            assert_eq!(other, BundleStep::Authenticity);
            "authenticity"
        }
    }
}

#[test]
fn what_is_wrong_is_refused_at_the_same_step() {
    let mut wrong = Vec::new();
    for golden in refused() {
        let report = golden.judge();
        let found = report.fault().map_or("accepted", step);
        let expected = golden.case["expected"]["step"].as_str().unwrap();
        if found != expected {
            wrong.push(format!(
                "{}: {expected} expected, {found} found: {:?}",
                golden.name(),
                report.fault()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn our_writer_gives_the_same_bytes() {
    // Nothing withheld: the copy is written anew, and is the golden file again.
    for golden in accepted() {
        let mut bundle = Bundle::open(Cursor::new(golden.bytes.as_slice())).unwrap();
        let (copy, _) = withhold(&mut bundle, &Withholding::default(), Cursor::new(Vec::new())).unwrap();
        assert!(copy.into_inner() == golden.bytes, "{}", golden.name());
    }
}

#[test]
fn a_manifest_that_no_reader_takes_is_not_written() {
    let golden = &accepted()[0];
    let bundle = Bundle::open(Cursor::new(golden.bytes.as_slice())).unwrap();
    let mut manifest = bundle.manifest().clone();
    let claim = manifest.traces[0];
    manifest.traces = vec![claim; 1_300_000];
    assert!(BundleWriter::begin(Cursor::new(Vec::new()), &manifest, b"").is_err());
}

#[test]
fn what_a_holder_takes_out_leaves_the_same_bytes() {
    let known: BTreeMap<String, Golden> =
        accepted().into_iter().map(|golden| (golden.name().to_owned(), golden)).collect();
    for case in cases("thinned.json", 10) {
        let (name, of) = (case["name"].as_str().unwrap(), &known[case["of"].as_str().unwrap()]);
        let withholding = Withholding {
            bodies: case["bodies"]
                .as_array()
                .unwrap()
                .iter()
                .map(|seq| Seq::new(seq.as_u64().unwrap()))
                .collect(),
            payloads: case["blobs"]
                .as_array()
                .unwrap()
                .iter()
                .map(|name| name.as_str().unwrap().parse().unwrap())
                .collect(),
        };
        let mut bundle = Bundle::open(Cursor::new(of.bytes.as_slice())).unwrap();
        let (copy, manifest) = withhold(&mut bundle, &withholding, Cursor::new(Vec::new())).unwrap();
        let copy = copy.into_inner();
        assert_eq!(
            Sha256Digest::of(&copy).to_string(),
            case["expected"]["sha256"].as_str().unwrap(),
            "{name}"
        );
        let report = judge(&copy, &of.key());
        assert!(report.holds(), "{name}: {:?}", report.fault());
        assert_eq!(report.manifest, Some(manifest), "{name}");
    }
}

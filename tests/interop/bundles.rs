//! Evidence bundles of a real ledger, judged by both programs: `proofline` and `examples/verify_bundle.py`. Both accept
//! what was made and thinned, and refuse the same bytes of what was changed.

use std::io::Cursor;
use std::process::Command;

use proofline::proof::Signer;
use proofline::proof::bundle::{BundleTrust, verify_bundle};
use serde_json::{Value, json};

use crate::proven::Proven;
use crate::run::{json_lines, program, ran, vectors};

/// Of each bundle so many bytes are changed, one at a time.
const CHANGED: usize = 200;

fn bundle(arguments: &[&str]) {
    ran(program().arg("bundle").args(arguments)).exits(0);
}

/// Bundles of one trace, of another with payloads, of ten with one that there is not, and one thinned.
fn made(proven: &Proven) -> Vec<&'static str> {
    let payloads = vectors("evidence/payloads.jsonl");
    proven.ledger.commit(&vectors("evidence/agent-work.jsonl"), &["--blobs", payloads.to_str().unwrap()]);
    proven.checkpoint();
    let dir = proven.ledger.dir.to_str().unwrap();
    let traces = proven.snapshot().traces_after(None, 10).unwrap();
    let ids: Vec<String> = traces.iter().map(ToString::to_string).collect();
    let absent = "0".repeat(31) + "1";
    bundle(&["create", dir, &proven.path("one"), "--trace", &ids[0]]);
    bundle(&["create", dir, &proven.path("full"), "--trace", &ids[1], "--blobs", "all"]);
    bundle(&[
        "create",
        dir,
        &proven.path("ten"),
        "--trace",
        &(ids.join(",") + "," + &absent),
        "--blobs",
        "all",
    ]);
    let seq = proven.snapshot().of_trace(traces[1]).unwrap().last().unwrap().get().to_string();
    bundle(&["withhold", &proven.path("full"), &proven.path("thin"), "--body", &seq]);
    vec!["one", "full", "ten", "thin"]
}

#[test]
fn two_programs_agree_on_bundles() {
    let Ok(python) = std::env::var("PROOFLINE_INTEROP_PYTHON") else {
        eprintln!("skipped: PROOFLINE_INTEROP_PYTHON names no Python; .ci/interop runs this");
        return;
    };
    let (proven, _) = Proven::new();
    let key = proven.log.verifier().clone();
    let mut cases = Vec::new();
    for name in made(&proven) {
        let bytes = std::fs::read(proven.path(name)).unwrap();
        let mut judge = |what: String, bytes: &[u8]| {
            let trust = BundleTrust { keys: std::slice::from_ref(&key), policy: None };
            let holds = verify_bundle(Cursor::new(bytes), &trust).unwrap().holds();
            proven.file(&what, bytes);
            let step = if holds { Value::Null } else { json!("any") };
            cases.push(json!({"name": what, "file": what, "key": key.to_string(), "step": step}));
            holds
        };
        assert!(judge(name.to_owned(), &bytes));
        for place in 0..CHANGED {
            let mut changed = bytes.clone();
            let at = place * bytes.len() / CHANGED;
            changed[at] ^= 1 << (place % 8);
            judge(format!("{name}-{at}"), &changed);
        }
        assert!(!judge(format!("{name}-cut"), &bytes[..bytes.len() - 512]));
    }
    let list = proven.file("cases.json", serde_json::to_vec(&cases).unwrap());
    let folder = std::path::Path::new(&list).parent().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/bundles.py");
    let output = Command::new(python).args(["-B", script]).arg(folder).output().unwrap();
    let said = json_lines(std::str::from_utf8(&output.stdout).unwrap());
    let wrong: Vec<&Value> = said.iter().filter(|line| line["as_expected"] != true).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.len(), cases.len());
}

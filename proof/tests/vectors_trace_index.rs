//! The golden trees of traces and multiproofs of `vectors/`, computed by an independent Python program.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::path::Path;

use proofline_canon::unhex;
use proofline_proof::tree::{HashTree, TreeFault, multiproof_root};
use proofline_proof::{LeafHash, NodeHash, TraceLeaf};
use proofline_trace::TraceId;
use serde_json::{Value, json};

fn cases(file: &str, least: usize) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors").join(file);
    let document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let cases = document["cases"].as_array().unwrap().clone();
    assert!(cases.len() >= least, "{file} has {} cases only", cases.len());
    cases
}

fn digest(value: &Value) -> [u8; 32] {
    unhex(value.as_str().unwrap()).unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

#[test]
fn trees_of_traces_have_the_reference_leaves_and_roots() {
    for case in cases("trace_index/trees.json", 12) {
        let leaf = |leaf: &Value| TraceLeaf {
            trace_id: leaf["trace_id"].as_str().unwrap().parse::<TraceId>().unwrap(),
            count: number(&leaf["count"]),
            last_leaf: LeafHash::from_bytes(digest(&leaf["leaf_hash"])),
        };
        let hashes: Vec<LeafHash> =
            case["leaves"].as_array().unwrap().iter().map(|it| leaf(it).hash()).collect();
        let found = json!({
            "leaf_hashes": hashes.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "root": HashTree::of(hashes.iter().copied()).root().to_string(),
        });
        assert_eq!(found, case["expected"], "{}", case["name"]);
    }
}

fn leaf(index: u64) -> LeafHash {
    LeafHash::of(&index.to_be_bytes())
}

fn chosen(case: &Value) -> Vec<u64> {
    case["chosen"].as_array().unwrap().iter().map(number).collect()
}

fn root_of(case: &Value, text: &str) -> Result<NodeHash, TreeFault> {
    let hashes: Vec<NodeHash> = text.lines().map(|line| NodeHash::from_base64(line).unwrap()).collect();
    let leaves = chosen(case).into_iter().map(|index| Ok((index, leaf(index))));
    multiproof_root(number(&case["size"]), leaves, hashes.into_iter().map(Ok))
}

#[test]
fn multiproofs_are_those_of_the_reference() {
    for case in cases("multiproofs/positive.json", 100) {
        let tree = HashTree::of((0..number(&case["size"])).map(leaf));
        let proof = tree.multiproof(&chosen(&case)).unwrap();
        let text: String = proof.iter().map(|hash| format!("{}\n", hash.to_base64())).collect();
        let found = json!({"proof": text, "root": tree.root().to_string()});
        assert_eq!(found, case["expected"], "{}", case["name"]);
        assert_eq!(root_of(&case, &text).unwrap(), tree.root(), "{}", case["name"]);
    }
    for case in cases("multiproofs/negative.json", 30) {
        let root = NodeHash::from_bytes(digest(&case["root"]));
        let refused = match root_of(&case, case["proof"].as_str().unwrap()) {
            Err(TreeFault::TooFewHashes) => "too_few",
            Err(TreeFault::TooManyHashes) => "too_many",
            Ok(found) if found != root => "other_root",
            other => panic!("{}: {other:?}", case["name"]),
        };
        assert_eq!(json!({"refused": refused}), case["expected"], "{}", case["name"]);
    }
}

//! Whatever is done to a bundle that holds, it holds no more: each byte changed, each part dropped, swapped, doubled or
//! taken from another.

use serde_json::Value;

use crate::tar::{Members, pack, unpack};
use crate::vectors::{Golden, accepted, judge};

/// Golden bundles that are asked who signed: what a signature alone protects is protected too.
fn asked() -> Vec<Golden> {
    accepted().into_iter().filter(|golden| !golden.key().is_empty()).collect()
}

fn refuse(golden: &Golden, bytes: &[u8], what: &str) {
    assert!(!judge(bytes, &golden.key()).holds(), "{}: {what}", golden.name());
}

fn refuse_members(golden: &Golden, members: &Members, what: &str) {
    let bytes = pack(members);
    if bytes != golden.bytes {
        refuse(golden, &bytes, what);
    }
}

#[test]
fn the_tar_of_the_tests_is_that_of_the_golden_files() {
    for golden in accepted() {
        assert!(pack(&unpack(&golden.bytes)) == golden.bytes, "{}", golden.name());
    }
}

#[test]
fn no_changed_byte_goes_unnoticed() {
    // One with a trace that there is: that there is none can be true of another id as well.
    let golden = asked().into_iter().find(|golden| golden.name() == "one trace").unwrap();
    for at in 0..golden.bytes.len() {
        let mut bytes = golden.bytes.clone();
        bytes[at] ^= 1 << (at % 8);
        refuse(&golden, &bytes, &format!("byte {at}"));
    }
}

#[test]
fn no_length_but_its_own_holds() {
    let golden = asked().into_iter().min_by_key(|golden| golden.bytes.len()).unwrap();
    for length in 0..golden.bytes.len() {
        refuse(&golden, &golden.bytes[..length], &format!("{length} bytes"));
    }
    for more in [1, 511, 512, 1024, 10240] {
        let longer = [golden.bytes.clone(), vec![0; more]].concat();
        refuse(&golden, &longer, &format!("{more} zeros more"));
        let behind = [vec![0; more], golden.bytes.clone()].concat();
        refuse(&golden, &behind, &format!("{more} zeros before"));
    }
    refuse(&golden, &[golden.bytes.clone(), golden.bytes.clone()].concat(), "twice");
}

/// The list with each item dropped, doubled, and swapped with the next one.
fn variants<T: Clone>(items: &[T]) -> Vec<(String, Vec<T>)> {
    let mut variants = Vec::new();
    for at in 0..items.len() {
        let mut dropped = items.to_vec();
        dropped.remove(at);
        variants.push((format!("{at} dropped"), dropped));
        let mut doubled = items.to_vec();
        doubled.insert(at, items[at].clone());
        variants.push((format!("{at} doubled"), doubled));
        if at + 1 < items.len() {
            let mut swapped = items.to_vec();
            swapped.swap(at, at + 1);
            variants.push((format!("{at} swapped"), swapped));
        }
    }
    variants
}

#[test]
fn no_member_can_be_dropped_doubled_or_swapped() {
    for golden in asked() {
        for (what, members) in variants(&unpack(&golden.bytes)) {
            refuse_members(&golden, &members, &what);
        }
    }
}

/// Signature lines of a note may stand in any order, twice, or be missing (C2SP signed-note): with the
/// same text and the log's own signature it is believed.
fn says_the_same(note: &[u8], other: &[u8]) -> bool {
    let (note, other) = (String::from_utf8_lossy(note), String::from_utf8_lossy(other));
    let (Some((text, _)), Some((other_text, lines))) = (note.split_once("\n\n"), other.split_once("\n\n"))
    else {
        return false;
    };
    let own = format!("\u{2014} {} ", text.lines().next().unwrap());
    text == other_text && lines.lines().any(|line| line.starts_with(&own) && note.contains(line))
}

#[test]
fn no_line_can_be_dropped_doubled_or_swapped() {
    for golden in asked() {
        let members = unpack(&golden.bytes);
        for (at, (name, content)) in members.iter().enumerate() {
            if name == "bundle.json" || name.starts_with("blobs/") {
                continue;
            }
            let lines: Vec<&[u8]> = content.split_inclusive(|byte| *byte == b'\n').collect();
            // Entries are two lines each: a record is dropped as a whole.
            let parts: Vec<Vec<u8>> = match name.as_str() {
                "entries" => lines.chunks(2).map(<[&[u8]]>::concat).collect(),
                _ => lines.iter().map(|line| line.to_vec()).collect(),
            };
            for (what, parts) in variants(&parts) {
                if name == "checkpoint" && says_the_same(content, &parts.concat()) {
                    continue;
                }
                let mut members = members.clone();
                members[at].1 = parts.concat();
                refuse_members(&golden, &members, &format!("{name}: {what}"));
            }
        }
    }
}

/// The claims about traces that have entries.
fn there(manifest: &Value) -> Vec<Value> {
    let claims = manifest["traces"].as_array().cloned().unwrap_or_default();
    claims.into_iter().filter(|claim| claim["entries"] != 0).collect()
}

#[test]
fn no_claim_can_be_dropped_doubled_swapped_or_changed() {
    for golden in asked() {
        let members = unpack(&golden.bytes);
        let manifest: Value = serde_json::from_slice(&members[0].1).unwrap();
        let refuse_claims = |claims: &Value, what: &str| {
            let mut members = members.clone();
            members[0].1 = serde_json::to_vec(claims).unwrap();
            let bytes = pack(&members);
            if bytes != golden.bytes && judge(&bytes, &golden.key()).holds() {
                // To ask no more about a trace that there is not leaves all that is said true.
                assert_eq!(there(claims), there(&manifest), "{}: {what}", golden.name());
                assert!(
                    what.starts_with("traces: ") && what.ends_with("dropped"),
                    "{}: {what}",
                    golden.name()
                );
            }
        };
        refuse_claims(&manifest.clone(), "as it is");
        for (name, value) in manifest.as_object().unwrap() {
            let mut without = manifest.clone();
            without.as_object_mut().unwrap().remove(name);
            refuse_claims(&without, name);
            for (what, items) in value.as_array().map(|items| variants(items)).unwrap_or_default() {
                let mut claims = manifest.clone();
                claims[name] = Value::Array(items);
                refuse_claims(&claims, &format!("{name}: {what}"));
            }
            for number in [0, 1, 2, 1000] {
                if value.is_u64() && value.as_u64() != Some(number) {
                    let mut claims = manifest.clone();
                    claims[name] = number.into();
                    refuse_claims(&claims, &format!("{name}: {number}"));
                }
            }
        }
        for (at, trace) in manifest["traces"].as_array().unwrap().iter().enumerate() {
            let count = trace["entries"].as_u64().unwrap();
            for other in
                [0, count.wrapping_sub(1) % 1000, count + 1].into_iter().filter(|other| *other != count)
            {
                let mut claims = manifest.clone();
                claims["traces"][at]["entries"] = other.into();
                refuse_claims(&claims, &format!("trace {at}: {other}"));
            }
        }
    }
}

#[test]
fn no_two_bundles_can_be_mixed() {
    let all = asked();
    for golden in &all {
        let own = unpack(&golden.bytes);
        for other in &all {
            let foreign = unpack(&other.bytes);
            for (name, content) in &foreign {
                let note = own.iter().find(|(own, _)| own == "checkpoint").map(|(_, note)| note);
                if name == "checkpoint" && note.is_some_and(|note| says_the_same(note, content)) {
                    continue;
                }
                let mut members = own.clone();
                match members.iter().position(|(own, _)| own == name) {
                    Some(at) => members[at].1.clone_from(content),
                    None => members.push((name.clone(), content.clone())),
                }
                let what = format!("{name} of {}", other.name());
                refuse_members(golden, &members, &what);
            }
        }
    }
}

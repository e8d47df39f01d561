//! Tampered files of each kind, and what was done to each.

use proofline::canon::{base64, unbase64};
use proofline::proof::files::dsse::DsseEnvelope;
use proofline::proof::files::statement::STATEMENT_PAYLOAD_TYPE;
use proofline::proof::{KeyRole, SecretKey};
use serde_json::Value;

type Tampered = Vec<(&'static str, Vec<u8>)>;

/// The place of a text that is there.
#[track_caller]
fn find(bytes: &[u8], text: &[u8]) -> usize {
    bytes.windows(text.len()).position(|window| window == text).expect("it is there")
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[at] ^= 1;
    changed
}

/// Another base64 text of as many bytes.
fn other_base64(text: &str) -> String {
    let mut bytes = unbase64(text).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    base64(&bytes)
}

/// The text with one of its lines exchanged for others.
fn with_line(text: &str, at: usize, change: impl Fn(&str) -> Option<String>) -> Vec<u8> {
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    match change(&lines[at]) {
        Some(line) => lines[at] = line,
        None => drop(lines.remove(at)),
    }
    lines.join("\n").into_bytes()
}

/// A line of a signature, with its bytes changed at a place counted from their beginning.
fn other_signature(line: &str, at: usize) -> String {
    let (front, data) = line.rsplit_once(' ').unwrap();
    let mut bytes = unbase64(data).unwrap();
    bytes[at] ^= 1;
    format!("{front} {}", base64(&bytes))
}

/// A checkpoint with lines of its log and of a witness: origin, size, root, empty, signatures.
pub(crate) fn checkpoints(text: &str, forged: Vec<u8>) -> Tampered {
    let line = |at, change: &dyn Fn(&str) -> Option<String>| with_line(text, at, change);
    vec![
        ("another origin", line(0, &|origin| Some(format!("{origin}x")))),
        ("another size", line(1, &|size| Some((size.parse::<u64>().unwrap() - 1).to_string()))),
        ("a size with a leading zero", line(1, &|size| Some(format!("0{size}")))),
        ("another root", line(2, &|root| Some(other_base64(root)))),
        ("a root of 31 bytes", line(2, &|_| Some(base64(&[7; 31])))),
        ("an extension line", line(2, &|root| Some(format!("{root}\nmore")))),
        ("no empty line", line(3, &|_| None)),
        ("another signature", line(4, &|line| Some(other_signature(line, 40)))),
        ("another key id", line(4, &|line| Some(other_signature(line, 0)))),
        ("no signature of the log", line(4, &|_| None)),
        ("no cosignature", line(5, &|_| None)),
        ("another time of the cosignature", line(5, &|line| Some(other_signature(line, 11)))),
        ("another cosignature", line(5, &|line| Some(other_signature(line, 60)))),
        ("no newline at the end", text.trim_end().as_bytes().to_vec()),
        ("signed by another key of that name", forged),
    ]
}

/// Lines of a proof's head, and what stands behind its empty line.
fn parts(text: &str) -> (Vec<String>, &str) {
    let (head, note) = text.split_once("\n\n").unwrap();
    (head.split('\n').map(str::to_owned).collect(), note)
}

fn joined(lines: &[String], note: &str) -> Vec<u8> {
    format!("{}\n\n{note}", lines.join("\n")).into_bytes()
}

fn changed(text: &str, change: impl Fn(&mut Vec<String>)) -> Vec<u8> {
    let (mut lines, note) = parts(text);
    change(&mut lines);
    joined(&lines, note)
}

fn with_note(text: &str, note: &[u8]) -> Vec<u8> {
    joined(&parts(text).0, std::str::from_utf8(note).unwrap())
}

/// Lines: version, extra, index, hashes.
pub(crate) fn text_inclusion(text: &str, neighbour: &[u8], older: &[u8]) -> Tampered {
    let extra = parts(std::str::from_utf8(neighbour).unwrap()).0[1].clone();
    let note = parts(text).1;
    vec![
        ("another version", changed(text, |lines| lines[0] = "c2sp.org/tlog-proof@v2".to_owned())),
        ("the neighbour's entry", changed(text, |lines| lines[1] = extra.clone())),
        (
            "one bit of the entry",
            changed(text, |lines| lines[1] = format!("extra {}", other_base64(&lines[1][6..]))),
        ),
        ("the neighbour's index", changed(text, |lines| lines[2] = "index 16".to_owned())),
        ("an index past the size", changed(text, |lines| lines[2] = "index 100000".to_owned())),
        ("an index with a leading zero", changed(text, |lines| lines[2] = "index 017".to_owned())),
        ("two hashes swapped", changed(text, |lines| lines.swap(3, 4))),
        ("a hash too few", changed(text, |lines| drop(lines.pop()))),
        ("a hash too many", changed(text, |lines| lines.push(lines[3].clone()))),
        ("another hash", changed(text, |lines| lines[5] = other_base64(&lines[5]))),
        ("an older checkpoint", with_note(text, older)),
        (
            "another root in the checkpoint",
            with_note(text, &with_line(note, 2, |root| Some(other_base64(root)))),
        ),
        ("another signature", with_note(text, &with_line(note, 4, |line| Some(other_signature(line, 40))))),
    ]
}

/// Lines: old, hashes.
pub(crate) fn text_consistency(text: &str, other: &[u8]) -> Tampered {
    let note = parts(text).1;
    vec![
        ("another older size", changed(text, |lines| lines[0] = "old 101".to_owned())),
        ("no older size", changed(text, |lines| lines[0] = "old 0".to_owned())),
        ("an older size with a leading zero", changed(text, |lines| lines[0] = "old 0100".to_owned())),
        ("two hashes swapped", changed(text, |lines| lines.swap(1, 2))),
        ("a hash too few", changed(text, |lines| drop(lines.pop()))),
        ("a hash too many", changed(text, |lines| lines.push(lines[1].clone()))),
        ("another hash", changed(text, |lines| lines[2] = other_base64(&lines[2]))),
        ("a hash in short", changed(text, |lines| lines[2].truncate(40))),
        ("another checkpoint of the log", with_note(text, other)),
        ("another size in the checkpoint", with_note(text, &with_line(note, 1, |_| Some("1000".to_owned())))),
        ("another signature", with_note(text, &with_line(note, 4, |line| Some(other_signature(line, 40))))),
    ]
}

/// The last byte of the CBOR number that begins at a place.
fn last_of_number(bytes: &[u8], at: usize) -> usize {
    at + [0, 1, 2, 4, 8][usize::from((bytes[at] & 31).saturating_sub(23))]
}

/// A receipt of either kind, changed byte by byte at the places that docs/proofs.md draws.
pub(crate) fn receipt(bytes: &[u8], is_inclusion: bool) -> Tampered {
    let proof = find(bytes, &[0x19, 0x01, 0x8c, 0xa1]);
    let proof = proof + find(&bytes[proof..], &[0x83]);
    let first = last_of_number(bytes, proof + 1);
    let second = last_of_number(bytes, first + 1);
    let (path, end) = (second + 1, bytes.len() - 1);
    let label = b"proofline-tree-size";
    let signed_size = last_of_number(bytes, find(bytes, label) + label.len());
    let replaced = |from: &[u8], to: &[u8]| {
        let at = find(bytes, from);
        [&bytes[..at], to, &bytes[at + from.len()..]].concat()
    };
    let mut swapped = bytes.to_vec();
    // Each hash is 58 20 and its bytes.
    swapped[path + 1..path + 69].rotate_left(34);
    let mut tampered = vec![
        ("the first number of the proof", flipped(bytes, first)),
        ("the second number of the proof", flipped(bytes, second)),
        ("another hash", flipped(bytes, path + 10)),
        ("two hashes swapped", swapped),
        ("another signed size", flipped(bytes, signed_size)),
        ("another issuer", flipped(bytes, find(bytes, crate::ORIGIN.as_bytes()))),
        ("another algorithm", replaced(&[0x01, 0x32], &[0x01, 0x27])),
        ("another data structure", replaced(&[0x19, 0x01, 0x8b, 0x01], &[0x19, 0x01, 0x8b, 0x02])),
        ("another tag", replaced(&[0xd2, 0x84], &[0xd1, 0x84])),
        ("no tag", bytes[1..].to_vec()),
        ("another signature", flipped(bytes, end)),
        ("a byte behind the end", [bytes, &[0]].concat()),
        ("the last byte gone", bytes[..end].to_vec()),
        ("an attached payload", replaced(&[0xf6, 0x58, 0x40], &[0x41, 0x00, 0x58, 0x40])),
    ];
    if is_inclusion {
        let header = find(bytes, b"proofline-entry-header") + b"proofline-entry-header".len() + 30;
        tampered.push(("one bit of the entry", flipped(bytes, header)));
    }
    tampered
}

/// A statement: changed under its old signature, and changed and signed anew by the right key, so that the proof itself
/// has to be looked at.
pub(crate) fn statement(bytes: &[u8], key: &SecretKey, is_inclusion: bool) -> Tampered {
    let envelope: Value = serde_json::from_slice(bytes).unwrap();
    let payload = unbase64(envelope["payload"].as_str().unwrap()).unwrap();
    let edited = |edit: &dyn Fn(&mut Value)| {
        let mut payload: Value = serde_json::from_slice(&payload).unwrap();
        edit(&mut payload);
        serde_json::to_vec(&payload).unwrap()
    };
    let outer = |edit: &dyn Fn(&mut Value)| {
        let mut envelope = envelope.clone();
        edit(&mut envelope);
        serde_json::to_vec(&envelope).unwrap()
    };
    let under_old = |edit: &dyn Fn(&mut Value)| {
        let payload = edited(edit);
        outer(&|envelope| envelope["payload"] = base64(&payload).into())
    };
    let resigned = |edit: &dyn Fn(&mut Value)| {
        let signed = DsseEnvelope::sign(STATEMENT_PAYLOAD_TYPE, edited(edit), KeyRole::Dsse, key);
        signed.unwrap().write().unwrap()
    };
    let [size, root] = if is_inclusion { ["tree_size", "root"] } else { ["new_size", "new_root"] };
    let other_hex = |value: &Value| {
        let text = value.as_str().unwrap();
        let end = if text.ends_with('0') { '1' } else { '0' };
        Value::from(format!("{}{end}", &text[..63]))
    };
    let swap = |path: &mut Value| path.as_array_mut().unwrap().swap(0, 1);
    let mut tampered = vec![
        ("another size", under_old(&|s| s["predicate"][size] = 1000.into())),
        ("another origin", under_old(&|s| s["predicate"]["origin"] = "other.example".into())),
        ("two hashes swapped, signed anew", resigned(&|s| swap(&mut s["predicate"]["path"]))),
        (
            "a hash too few, signed anew",
            resigned(&|s| drop(s["predicate"]["path"].as_array_mut().unwrap().pop())),
        ),
        ("another root, signed anew", resigned(&|s| s["predicate"][root] = other_hex(&s["predicate"][root]))),
        (
            "another subject, signed anew",
            resigned(&|s| {
                let digest = &mut s["subject"][0]["digest"]["sha256"];
                *digest = other_hex(digest);
            }),
        ),
        ("no subject, signed anew", resigned(&|s| s["subject"] = Value::Array(Vec::new()))),
        (
            "another predicate, signed anew",
            resigned(&|s| s["predicateType"] = "https://proofline.dev/x/v1".into()),
        ),
        ("no statement, signed anew", resigned(&|s| s["_type"] = "https://in-toto.io/Statement/v0".into())),
        (
            "another signature",
            outer(&|e| {
                let sig = e["signatures"][0]["sig"].as_str().unwrap().to_owned();
                e["signatures"][0]["sig"] = other_base64(&sig).into();
            }),
        ),
        ("another payload type", outer(&|e| e["payloadType"] = "application/json".into())),
        ("no signature", outer(&|e| e["signatures"] = Value::Array(Vec::new()))),
        ("cut", bytes[..bytes.len() - 1].to_vec()),
    ];
    if is_inclusion {
        tampered.push((
            "the neighbour's number, signed anew",
            resigned(&|s| s["predicate"]["leaf_index"] = 16.into()),
        ));
        tampered.push((
            "one bit of the header, signed anew",
            resigned(&|s| {
                let header = s["predicate"]["header"].as_str().unwrap().to_owned();
                s["predicate"]["header"] = other_base64(&header).into();
            }),
        ));
    } else {
        tampered.push((
            "another older size, signed anew",
            resigned(&|s| s["predicate"]["old_size"] = 101.into()),
        ));
    }
    tampered
}

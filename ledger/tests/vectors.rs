//! The golden vectors of `vectors/`, computed by an independent Python program: our gate, header
//! codec, frames and links give the same answers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::fmt;
use std::path::Path;

use ciborium::Value as Cbor;
use common::recovered::{dir, open, prepared};
use common::sim_disk::SimDisk;
use common::{NOW_MS, raw};
use proofline_canon::{Limits, Sha256Digest, Value, hex, parse};
use proofline_ledger::frame::{decode_frame, encode_frame};
use proofline_ledger::header::{DeclaredHash, HeaderError, TraceLink};
use proofline_ledger::{
    Action, DeclaredDigest, DeclaredType, EntryHeader, EntryKind, EntryStatus, EvidenceLine, LeafHash,
    Ledger, Options, Outcome, Seq, Snapshot, Submission, VerifyPlan, verify_on,
};
use proofline_trace::{Classification, EnvelopeHash, TraceId};

/// A JSON value of a golden file, with its place for complaints.
#[derive(Clone)]
struct Json {
    value: Value,
    place: String,
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

impl Json {
    fn find(&self, name: &str) -> Option<Json> {
        let value = self.value.get(name)?.clone();
        Some(Json { value, place: format!("{}/{name}", self.place) })
    }

    fn get(&self, name: &str) -> Json {
        self.find(name).unwrap_or_else(|| panic!("{} has no {name}", self.place))
    }

    fn text(&self) -> String {
        self.value.as_str().unwrap_or_else(|| panic!("{} is no text", self.place)).to_owned()
    }

    fn text_or_null(&self) -> Option<String> {
        (!self.value.is_null()).then(|| self.text())
    }

    fn number(&self) -> u64 {
        self.value.as_number().unwrap().literal().parse().unwrap()
    }

    fn number_or_null(&self) -> Option<u64> {
        (!self.value.is_null()).then(|| self.number())
    }

    fn is_true(&self) -> bool {
        self.value.as_bool().unwrap()
    }

    fn bytes(&self) -> Vec<u8> {
        unhex(&self.text())
    }

    fn array<const N: usize>(&self) -> [u8; N] {
        self.bytes().try_into().unwrap()
    }

    fn items(&self) -> Vec<Json> {
        let items = self.value.as_array().unwrap().iter().enumerate();
        items.map(|(at, item)| Json { value: item.clone(), place: format!("{}/{at}", self.place) }).collect()
    }

    /// Bytes given as text, or as `name_hex`.
    fn text_or_hex(&self, name: &str) -> Vec<u8> {
        match self.find(name) {
            Some(text) => text.text().into_bytes(),
            None => self.get(&format!("{name}_hex")).bytes(),
        }
    }

    fn name(&self) -> String {
        format!("{}: {}", self.place, self.get("name").text())
    }
}

fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2));
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// The cases of a golden file; their number is checked against the least it may have.
fn cases(file: &str, least: usize) -> Vec<Json> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors").join(file);
    let text = std::fs::read(&path).unwrap();
    let value = parse(&text, &Limits::CONTENT).unwrap_or_else(|error| panic!("{file}: {error}"));
    let cases = Json { value, place: file.to_owned() }.get("cases").items();
    assert!(cases.len() >= least, "{file} has {} cases only", cases.len());
    cases
}

fn kind_named(name: &str) -> EntryKind {
    EntryKind::ALL.into_iter().find(|kind| kind.as_str() == name).unwrap()
}

fn declared_hash_of(json: &Json) -> DeclaredHash {
    if json.value.is_null() {
        DeclaredHash::Absent
    } else if let Some(text) = json.value.as_str() {
        DeclaredHash::Text(text.to_owned())
    } else {
        DeclaredHash::Long {
            head: Box::new(json.get("first_bytes_hex").array()),
            length: json.get("length").number(),
            sha256: Sha256Digest::from_bytes(json.get("sha256").array()),
        }
    }
}

/// The header that the fields of a case describe.
fn header_of(fields: &Json) -> EntryHeader {
    assert_eq!(fields.get("format_version").number(), 1);
    let hash = fields.get("previous_leaf_hash");
    let trace = fields.get("trace_id").text_or_null().map(|text| TraceLink {
        trace_id: text.parse::<TraceId>().unwrap(),
        previous: fields.get("trace_previous_seq").number_or_null().map(Seq::new),
        count: fields.get("trace_count").number(),
    });
    let status = match kind_named(&fields.get("kind").text()) {
        EntryKind::Genesis => EntryStatus::Genesis,
        EntryKind::Accepted => EntryStatus::Accepted,
        EntryKind::Artifact => EntryStatus::Artifact,
        EntryKind::System => EntryStatus::System,
        EntryKind::Rejected => EntryStatus::Rejected {
            classification: fields.get("classification").text().parse::<Classification>().unwrap(),
            error_kind: fields.get("error_kind").text().parse().unwrap(),
            declared_hash: declared_hash_of(&fields.get("declared_hash")),
        },
        other => panic!("{other}"),
    };
    EntryHeader {
        format: 1,
        seq: Seq::new(fields.get("seq").number()),
        previous_leaf: hash.text_or_null().map(|_| LeafHash::from_bytes(hash.array())),
        trace,
        envelope_hash: EnvelopeHash::from_bytes(fields.get("envelope_hash").array()),
        status,
        recorded_at_ms: fields.get("recorded_at_ms").number(),
    }
}

/// The numbers of classifications, from the contract's list.
const CLASSIFICATIONS: [&str; 7] = [
    "ACCEPT",
    "RECORD_TYPE_FORBIDDEN",
    "SCHEMA_REJECT",
    "HASH_MISMATCH",
    "MISSING_PREREQ",
    "TRACE_VIOLATION",
    "UNAUTHORIZED_EXECUTION",
];
const KINDS: [&str; 5] = ["genesis", "accepted", "rejected", "artifact", "system"];

/// The same fields as the independent CBOR reader has to see them.
fn cbor_of(fields: &Json) -> Vec<Cbor> {
    let number = |name: &str| fields.get(name).number_or_null().map_or(Cbor::Null, Cbor::from);
    let bytes = |name: &str| {
        let field = fields.get(name);
        field.text_or_null().map_or(Cbor::Null, |text| Cbor::Bytes(unhex(&text)))
    };
    let code = |names: &[&str], name: &str| {
        let text = fields.get(name).text_or_null();
        text.map_or(Cbor::Null, |text| Cbor::from(names.iter().position(|it| *it == text).unwrap() as u64))
    };
    let declared = fields.get("declared_hash");
    let declared = match declared_hash_of(&declared) {
        DeclaredHash::Absent => Cbor::Null,
        DeclaredHash::Text(text) => Cbor::Text(text),
        DeclaredHash::Long { .. } => Cbor::Array(vec![
            Cbor::Bytes(declared.get("first_bytes_hex").bytes()),
            Cbor::from(declared.get("length").number()),
            Cbor::Bytes(declared.get("sha256").bytes()),
        ]),
    };
    vec![
        number("format_version"),
        number("seq"),
        bytes("previous_leaf_hash"),
        code(&KINDS, "kind"),
        bytes("trace_id"),
        number("trace_previous_seq"),
        number("trace_count"),
        bytes("envelope_hash"),
        code(&CLASSIFICATIONS, "classification"),
        fields.get("error_kind").text_or_null().map_or(Cbor::Null, Cbor::Text),
        declared,
        number("recorded_at_ms"),
    ]
}

#[test]
fn headers_have_the_bytes_that_the_reference_gives_them() {
    for case in cases("headers/positive.json", 40) {
        let name = case.name();
        let expected = case.get("expected");
        let bytes = expected.get("header_hex").bytes();
        let header = header_of(&case.get("fields"));
        assert_eq!(hex(&header.encode()), hex(&bytes), "{name}");
        assert_eq!(EntryHeader::decode(&bytes).unwrap_or_else(|error| panic!("{name}: {error}")), header);
        assert_eq!(header.leaf_hash().to_string(), expected.get("leaf_hash").text(), "{name}");
        assert_eq!(hex(&raw::leaf_of(&bytes)), expected.get("leaf_hash").text(), "{name}");
        let read: Cbor = ciborium::from_reader(&bytes[..]).unwrap();
        assert_eq!(read, Cbor::Array(cbor_of(&case.get("fields"))), "{name}");
    }
}

#[test]
fn what_the_reference_calls_no_header_is_refused() {
    let mut passed = Vec::new();
    for case in cases("headers/negative.json", 80) {
        let decoded = EntryHeader::decode(&case.get("header_hex").bytes());
        if decoded.is_ok() {
            passed.push(format!("{} ({})", case.name(), case.get("why").text()));
        }
        let is_newer = case.get("why").text() == "a newer format is refused by name";
        assert_eq!(matches!(decoded, Err(HeaderError::NewerFormat(_))), is_newer, "{}", case.name());
    }
    assert_eq!(passed, Vec::<String>::new());
}

#[test]
fn frames_have_the_bytes_that_the_reference_gives_them() {
    for case in cases("headers/frames.json", 4) {
        let name = case.name();
        let (header_bytes, body) = (case.get("header_hex").bytes(), case.text_or_hex("body"));
        let expected = case.get("expected").get("frame_hex").bytes();
        let header = EntryHeader::decode(&header_bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut frame = b"before".to_vec();
        let leaf = encode_frame(&header, &body, &mut frame).unwrap();
        assert_eq!(hex(&frame[6..]), hex(&expected), "{name}");
        assert_eq!(leaf, LeafHash::of_header(&header_bytes), "{name}");
        let longer = [&expected[..], b"behind"].concat();
        let decoded = decode_frame(&longer).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((decoded.header_bytes, decoded.body), (&header_bytes[..], &body[..]), "{name}");
        assert_eq!(decoded.frame_bytes(), expected.len(), "{name}");
        assert_eq!(raw::frame(&header_bytes, &body), expected, "{name}: the laboratory's own frames");
    }
    for case in cases("headers/frames.negative.json", 20) {
        assert!(decode_frame(&case.get("frame_hex").bytes()).is_err(), "{}", case.name());
    }
    for case in cases("headers/crc32c.json", 5) {
        let expected = u32::try_from(case.get("expected").get("crc32c").number()).unwrap();
        let input = case.get("input_hex").bytes();
        assert_eq!((crc32c::crc32c(&input), raw::crc32c(&input)), (expected, expected), "{}", case.name());
    }
}

/// A ledger's folder with one segment that holds these frames, and no mark.
fn disk_with(frames: &[Vec<u8>]) -> SimDisk {
    let mut segment = b"PROOFSEG\x01\0\0\0\0\0\0\0".to_vec();
    segment.extend_from_slice(&[7; 16]);
    segment.extend_from_slice(&[0; 44]);
    segment.extend_from_slice(&raw::crc32c(&segment).to_le_bytes());
    segment.extend_from_slice(&frames.concat());
    let disk = prepared();
    disk.meddle(&dir().join("log/00000000000000000000.seg"), Some(segment));
    disk.meddle(&dir().join("published"), None);
    disk
}

#[test]
fn logs_are_intact_or_broken_where_the_reference_says() {
    for case in cases("links/logs.json", 20) {
        let (name, entries) = (case.name(), case.get("entries").items());
        let frames: Vec<Vec<u8>> = entries
            .iter()
            .map(|entry| {
                let header = entry.get("header_hex").bytes();
                assert_eq!(hex(&raw::leaf_of(&header)), entry.get("leaf_hash").text(), "{name}");
                assert_eq!(LeafHash::of_header(&header).to_string(), entry.get("leaf_hash").text(), "{name}");
                raw::frame(&header, &entry.text_or_hex("body"))
            })
            .collect();
        if frames.is_empty() {
            continue; // an empty list is intact; a ledger has a genesis entry
        }
        let report = verify_on(&disk_with(&frames), dir(), &VerifyPlan::default(), &mut |_| {}).unwrap();
        // The bodies of these logs stand for any body: what they say is not judged here.
        let about_links = |code: &str| !["body.form", "body.trace"].contains(&code);
        let first = report.damage.iter().find(|damage| about_links(damage.code));
        let expected = case.get("expected");
        if expected.get("intact").is_true() {
            assert_eq!(first, None, "{name}");
            let leaves: Vec<String> = expected.get("leaf_hashes").items().iter().map(Json::text).collect();
            assert_eq!(report.head.map(|leaf| leaf.to_string()).as_ref(), leaves.last(), "{name}");
            continue;
        }
        let at = usize::try_from(expected.get("entry").number()).unwrap();
        let offset = 80 + frames[..at].iter().map(Vec::len).sum::<usize>() as u64;
        let code = match expected.get("link").text().as_str() {
            "seq" => "log.sequence",
            "previous_leaf_hash" => "log.link",
            "recorded_at_ms" => "log.clock",
            "trace_links" => "log.trace_link",
            "body_hash" => "body.hash",
            // A header that is genesis elsewhere than at entry 0, or the other way round, is none.
            "genesis" => "frame.header_form",
            other => panic!("{name}: {other}"),
        };
        let found = first.map(|damage| (damage.code, damage.offset));
        assert_eq!(found, Some((code, Some(offset))), "{name}: {:#?}", report.damage);
    }
}

/// An answer as the golden files write it.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    classification: String,
    error_kind: Option<String>,
    pointer: Option<String>,
    envelope_hash: Option<String>,
    seq: Option<u64>,
    duplicate: bool,
}

impl Answer {
    fn expected(json: &Json) -> Self {
        Answer {
            classification: json.get("classification").text(),
            error_kind: json.get("error_kind").text_or_null(),
            pointer: json.get("pointer").text_or_null(),
            envelope_hash: json.get("envelope_hash").text_or_null(),
            seq: json.get("seq").number_or_null(),
            duplicate: json.get("duplicate").is_true(),
        }
    }

    fn refused(rejection: &proofline_trace::Rejection) -> Self {
        Answer {
            classification: rejection.classification.to_string(),
            error_kind: Some(rejection.kind.to_string()),
            pointer: Some(rejection.pointer.to_string()),
            envelope_hash: None,
            seq: None,
            duplicate: false,
        }
    }

    fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Accepted { envelope_hash, seq, duplicate } => Answer {
                classification: "ACCEPT".to_owned(),
                error_kind: None,
                pointer: None,
                envelope_hash: Some(envelope_hash.to_string()),
                seq: Some(seq.get()),
                duplicate: *duplicate,
            },
            Outcome::Refused { rejection, envelope_hash, seq } => Answer {
                envelope_hash: envelope_hash.map(|hash| hash.to_string()),
                seq: seq.map(Seq::get),
                ..Answer::refused(rejection)
            },
            other => panic!("{other:?}"),
        }
    }
}

/// A submission as a golden file gives it.
struct Sent {
    record_type: Option<String>,
    declared_hash: Option<String>,
    envelope: Vec<u8>,
}

impl Sent {
    fn read(json: &Json) -> Self {
        let text = |name| json.find(name).and_then(|it| it.value.as_str().map(str::to_owned));
        Sent {
            record_type: text("record_type"),
            declared_hash: text("declared_hash"),
            envelope: json.text_or_hex("envelope"),
        }
    }

    fn action(&self) -> Action<'_> {
        Action::Evidence(Submission {
            record_type: self.record_type.as_deref().map_or(DeclaredType::Absent, DeclaredType::Named),
            declared_hash: self.declared_hash.as_deref().map_or(DeclaredDigest::Absent, DeclaredDigest::Text),
            envelope: &self.envelope,
        })
    }
}

fn check_entries(disk: &SimDisk, expected: &[Json], name: &str) {
    let snapshot = Snapshot::open_on(disk, dir()).unwrap();
    assert_eq!(snapshot.entries(), 1 + expected.len() as u64, "{name}");
    for entry in expected {
        let held = snapshot.entry(Seq::new(entry.get("seq").number())).unwrap().unwrap();
        let header = &held.header;
        assert_eq!(header.status.kind().as_str(), entry.get("kind").text(), "{name}");
        let trace = header.trace.as_ref().map(|link| link.trace_id.to_string());
        assert_eq!(trace, entry.get("trace_id").text_or_null(), "{name}");
        assert_eq!(header.envelope_hash.to_string(), entry.get("envelope_hash").text(), "{name}");
        assert_eq!(Sha256Digest::of(&held.body).to_string(), entry.get("envelope_hash").text(), "{name}");
        assert_eq!(held.body.len() as u64, entry.get("body_bytes").number(), "{name}");
        if let EntryStatus::Rejected { classification, error_kind, declared_hash } = &header.status {
            assert_eq!(classification.to_string(), entry.get("classification").text(), "{name}");
            assert_eq!(error_kind.to_string(), entry.get("error_kind").text(), "{name}");
            assert_eq!(*declared_hash, declared_hash_of(&entry.get("declared_hash")), "{name}");
        }
    }
}

#[test]
fn the_gate_answers_as_the_reference_does_one_by_one_and_in_one_group() {
    let files = [
        ("accepted", 10),
        ("record_type", 20),
        ("declared_hash", 29),
        ("prerequisites", 20),
        ("authority", 10),
    ];
    for (file, least) in files {
        for case in cases(&format!("gate/{file}.json"), least) {
            let name = case.name();
            let sent: Vec<Sent> = case.get("input").items().iter().map(Sent::read).collect();
            let actions: Vec<Action<'_>> = sent.iter().map(Sent::action).collect();
            let expected: Vec<Answer> =
                case.get("expected").get("outcomes").items().iter().map(Answer::expected).collect();
            for as_group in [false, true] {
                let disk = prepared();
                let ledger = open(&disk).unwrap();
                let outcomes = if as_group {
                    ledger.commit_actions(&actions, NOW_MS).unwrap()
                } else {
                    let one = |action| ledger.commit_action(action, NOW_MS).unwrap();
                    actions.iter().map(one).collect()
                };
                let answers: Vec<Answer> = outcomes.iter().map(Answer::of).collect();
                assert_eq!(answers, expected, "{name}, as a group: {as_group}");
                check_entries(&disk, &case.get("expected").get("entries").items(), &name);
            }
        }
    }
}

#[test]
fn lines_are_taken_apart_and_answered_as_the_reference_does() {
    for case in cases("gate/lines.json", 39) {
        let (name, line) = (case.name(), case.text_or_hex("input"));
        let disk = prepared();
        let ledger: Ledger = open(&disk).unwrap();
        let answer = match EvidenceLine::read(&line, &Options::default().limits) {
            Err(rejection) => Answer::refused(&rejection),
            Ok(parts) => {
                let action = Action::Evidence(parts.submission());
                Answer::of(&ledger.commit_action(&action, NOW_MS).unwrap())
            }
        };
        assert_eq!(answer, Answer::expected(&case.get("expected")), "{name}");
    }
}

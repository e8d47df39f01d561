//! The fuzz targets' bodies on a stable compiler, in every test run: golden files, seeded evidence
//! and a small ledger, changed by a seeded mutator. `PROOFLINE_EFFORT` sets how often. It finds no
//! new paths by itself, as libFuzzer does; it shows that the targets run and that what was found
//! stays mended. A failure names the target and the file with its input; `fuzz/README.md` says how
//! to run it again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "tests fail by panicking; the targets are public to libFuzzer"
)]

use std::fs;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proofline::canon::{Limits, Sha256Digest, Value, parse};
use proofline::ledger::disk::Disk;
use proofline::ledger::{Action, EvidenceLine, ExportOrder, Genesis, Ledger, Options, Snapshot, export_on};
use proofline::replay::report::Batch;
use proofline::replay::{Means, Plan};
use proofline::trace::LedgerId;
use proofline_vectors::{EvidencePlan, Generator, SplitMix64};

#[path = "../fuzz/src/lib.rs"]
mod targets;

use targets::Image;
use targets::disk::MemoryDisk;

/// Runs of each target, for the cheap ones and for those that open a ledger.
fn budget() -> (u64, u64) {
    match std::env::var("PROOFLINE_EFFORT").as_deref() {
        Ok("full") => (5_000_000, 500_000),
        Err(_) | Ok("ci") => (50_000, 5_000),
        Ok(other) => panic!("PROOFLINE_EFFORT is ci or full, not {other}"),
    }
}

fn vectors(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(file);
    let document = parse(&fs::read(path).unwrap(), &Limits::CONTENT).unwrap();
    let Some(Value::Array(cases)) = document.get("cases") else { panic!("{file} has no cases") };
    cases.clone()
}

/// What the cases of a golden file give under a name, as text or under `NAME_hex`.
fn inputs(file: &str, name: &str) -> Vec<Vec<u8>> {
    let as_hex = format!("{name}_hex");
    let input = |case: &Value| {
        let text = case.get(name).and_then(Value::as_str).map(|text| text.as_bytes().to_vec());
        text.or_else(|| case.get(&as_hex).and_then(Value::as_str).map(unhex))
    };
    let found: Vec<Vec<u8>> = vectors(file).iter().filter_map(input).collect();
    assert!(!found.is_empty(), "{file} gives no {name}");
    // One case is a megabyte of brackets; a mutator needs none of that.
    found.into_iter().filter(|input| input.len() <= 16 << 10).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().map(|digit| u8::try_from(digit.to_digit(16).unwrap()).unwrap()).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn lines() -> Vec<Vec<u8>> {
    let mut lines = inputs("gate/lines.json", "input");
    lines.extend(Generator::new(&EvidencePlan::clean(11, 2)).map(|submission| submission.line()));
    lines
}

fn texts() -> Vec<Vec<u8>> {
    let mut texts = lines();
    for file in
        ["canon/positive.json", "canon/negative.json", "numbers/literals.json", "order/first_fault.json"]
    {
        texts.extend(inputs(file, "input"));
    }
    texts
}

fn headers() -> Vec<Vec<u8>> {
    let mut headers = inputs("headers/negative.json", "header");
    let expected = vectors("headers/positive.json");
    let expected = expected.iter().filter_map(|case| case.get("expected")?.get("header_hex")?.as_str());
    headers.extend(expected.map(unhex));
    headers
}

fn frames() -> Vec<Vec<u8>> {
    let mut frames = inputs("headers/frames.negative.json", "frame");
    frames.extend(small_ledger().segments.iter().map(|segment| segment[80..].to_vec()));
    frames
}

/// A ledger of three segments, in memory.
fn small_ledger() -> Image {
    let disk = Arc::new(MemoryDisk::default());
    let dir = PathBuf::from("made");
    disk.create_dir(Path::new("")).unwrap();
    let genesis = Genesis {
        ledger_id: LedgerId::from_bytes([5; 16]),
        origin: "fuzz.example".parse().unwrap(),
        created_at_ms: 1,
    };
    Ledger::init_on(&*disk, &dir, &genesis).unwrap();
    let options = Options { segment_bytes: 4096, ..Options::default() };
    let ledger = Ledger::open_on(Arc::clone(&disk) as Arc<dyn Disk>, &dir, options).unwrap();
    for submission in Generator::new(&EvidencePlan::clean(5, 1)).take(9) {
        let line = submission.line();
        let line = EvidenceLine::read(&line, &Limits::ENVELOPE).unwrap();
        ledger.commit_action(&Action::Evidence(line.submission()), 2).unwrap();
    }
    let image = Image::of(&disk, &dir);
    assert!(image.segments.len() >= 3, "{} segments", image.segments.len());
    image
}

fn images() -> Vec<Vec<u8>> {
    let whole = small_ledger();
    let unanchored = Image { mark: None, ..whole.clone() };
    let one = Image { mark: None, segments: vec![whole.segments[0].clone()] };
    let all = [whole, unanchored, one];
    all.iter().flat_map(|image| [image.write(false), image.write(true)]).collect()
}

/// The small ledger as a stream, with and without a payload, and up to an earlier size.
fn streams() -> Vec<Vec<u8>> {
    let disk = Arc::new(small_ledger().lay_out(Path::new("made")));
    let blob = b"a payload";
    let name = Sha256Digest::of(blob).to_string();
    disk.put(Path::new("made/blobs").join(&name[..2]).join(&name[2..]), blob);
    let orders = [(true, None), (false, None), (true, Some(4))];
    let exported = orders.map(|(with_blobs, at)| {
        let mut bytes = Vec::new();
        let order = ExportOrder { with_blobs, at };
        let go_on = &mut |_| ControlFlow::Continue(());
        export_on(Arc::clone(&disk) as Arc<dyn Disk>, Path::new("made"), &order, &mut bytes, go_on).unwrap();
        bytes
    });
    assert_ne!(exported[0], exported[1]);
    exported.to_vec()
}

fn marks() -> Vec<Vec<u8>> {
    vec![small_ledger().mark.unwrap()]
}

fn notes() -> Vec<Vec<u8>> {
    let files = [
        "notes/positive.json",
        "notes/negative.json",
        "checkpoints/positive.json",
        "checkpoints/negative.json",
    ];
    files.iter().flat_map(|file| inputs(file, "input")).collect()
}

fn policies() -> Vec<Vec<u8>> {
    let files = ["policies/positive.json", "policies/negative.json"];
    files.iter().flat_map(|file| inputs(file, "policy")).collect()
}

fn timestamps() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("proof/tests/data");
    let files = ["granted.tsr", "granted-cert.tsr", "sha512.tsr", "refused.tsr", "token.der"];
    files.iter().map(|file| fs::read(folder.join(file)).unwrap()).collect()
}

const PROOFS: [&str; 6] = [
    "proofs/tlog.json",
    "proofs/tlog.negative.json",
    "proofs/cose.json",
    "proofs/cose.negative.json",
    "proofs/dsse.json",
    "proofs/dsse.negative.json",
];

fn proofs() -> Vec<Vec<u8>> {
    PROOFS.iter().flat_map(|file| inputs(file, "proof")).collect()
}

/// Proof files that begin like this.
fn proofs_of(start: &[u8]) -> Vec<Vec<u8>> {
    let found: Vec<Vec<u8>> = proofs().into_iter().filter(|proof| proof.starts_with(start)).collect();
    assert!(found.len() >= 10, "only {} proofs begin so", found.len());
    found
}

/// The payloads of the golden statements.
fn statements() -> Vec<Vec<u8>> {
    let payload = |envelope: &Vec<u8>| {
        let value = parse(envelope, &Limits::CONTENT).ok()?;
        proofline::canon::unbase64(value.get("payload")?.as_str()?)
    };
    let found: Vec<Vec<u8>> = proofs_of(b"{").iter().filter_map(payload).collect();
    assert!(found.len() >= 10, "only {} statements", found.len());
    found
}

fn tiles() -> Vec<Vec<u8>> {
    let mut tiles: Vec<Vec<u8>> =
        ["tile/0/000", "tile/7/x001/x234/067.p/255", "tile/entries/x001/000"].map(|path| path.into()).into();
    tiles.push(b"\x01\x00\x03one\x00\x03two".to_vec());
    let mut full = vec![0xff];
    full.extend([0_u8; 512]);
    tiles.push(full);
    tiles
}

/// Golden payloads of one chunk, those that open and those that do not.
fn sealed() -> Vec<Vec<u8>> {
    let mut payloads = inputs("sealed/negative.json", "sealed");
    let expected = vectors("sealed/positive.json");
    let expected = expected.iter().filter_map(|case| case.get("expected")?.get("sealed_hex")?.as_str());
    payloads.extend(expected.map(unhex));
    payloads
}

/// Changes bytes as a fuzzer would: bits, bytes, runs cut, doubled, moved, and parts of others.
struct Mutator {
    random: SplitMix64,
    corpus: Vec<Vec<u8>>,
}

const TOKENS: [&[u8]; 18] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\",
    b"\\u0061",
    b"\\ud800",
    b":",
    b",",
    b"-0",
    b"1e400",
    b"9007199254740993",
    b"\x00",
    b"\xff\xff\xff\xff",
    b"PROOFSEG",
    b"\n\n",
    "\u{2014} ".as_bytes(),
];

impl Mutator {
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.random.below(bound as u64)).unwrap()
    }

    /// A range inside of `length` bytes, mostly short.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        let most = if self.random.chance(100) { length - start } else { (length - start).min(16) };
        start..start + self.below(most + 1)
    }

    fn next(&mut self) -> Vec<u8> {
        let pick = self.below(self.corpus.len());
        let mut bytes = self.corpus[pick].clone();
        for _ in 0..=self.below(4) {
            self.change(&mut bytes);
        }
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let range = self.range(bytes.len());
        match self.below(8) {
            0 => bytes.truncate(range.start),
            1 => drop(bytes.drain(range)),
            2 => {
                let copy = bytes[range.clone()].to_vec();
                bytes.splice(range.end..range.end, copy);
            }
            3 => {
                let token = *self.random.pick(&TOKENS);
                bytes.splice(range, token.iter().copied());
            }
            4 => {
                let other = self.below(self.corpus.len());
                let other = self.corpus[other].clone();
                let part = self.range(other.len());
                bytes.splice(range, other[part].iter().copied());
            }
            5 => {
                let drawn = self.random.bytes::<8>();
                bytes.splice(range, drawn);
            }
            _ if bytes.is_empty() => {}
            6 => {
                let at = self.below(bytes.len());
                bytes[at] ^= 1 << self.below(8);
            }
            _ => {
                let at = self.below(bytes.len());
                bytes[at] = bytes[at].wrapping_add(*self.random.pick(&[1, 2, 0x7f, 0x80, 0xff]));
            }
        }
    }
}

/// Leaves what a target begins with in `DIR/NAME/` for libFuzzer, if `PROOFLINE_FUZZ_SEEDS` names a folder.
fn leave_seeds(name: &str, corpus: &[Vec<u8>]) {
    let Some(dir) = std::env::var_os("PROOFLINE_FUZZ_SEEDS") else { return };
    let dir = PathBuf::from(dir).join(name);
    fs::create_dir_all(&dir).unwrap();
    for (at, seed) in corpus.iter().enumerate() {
        fs::write(dir.join(format!("seed-{at:04}")), seed).unwrap();
    }
}

fn smoke(name: &str, corpus: Vec<Vec<u8>>, runs: u64) {
    leave_seeds(name, &corpus);
    let (_, target) =
        *targets::TARGETS.iter().find(|(known, _)| *known == name).expect("a target of this name");
    let mut mutator = Mutator { random: SplitMix64::new(0x5eed), corpus: corpus.clone() };
    let changed = std::iter::from_fn(|| Some(mutator.next())).take(usize::try_from(runs).unwrap());
    for input in corpus.into_iter().chain([Vec::new()]).chain(changed) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(&input))) {
            let said = panic.downcast_ref::<String>().cloned();
            let said = said.or_else(|| panic.downcast_ref::<&str>().map(|said| (*said).to_owned()));
            let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}.bin"));
            fs::write(&kept, &input).unwrap();
            panic!("target {name}: {}\nits input is {}", said.unwrap_or_default(), kept.display());
        }
    }
}

#[test]
fn parse_survives() {
    smoke("parse", texts(), budget().0);
}

#[test]
fn canonical_survives() {
    let canonical = Generator::new(&EvidencePlan::clean(12, 3)).map(|made| made.sealed.canonical().to_vec());
    smoke("canonical", texts().into_iter().chain(canonical).collect(), budget().0);
}

#[test]
fn members_survives() {
    smoke("members", texts(), budget().0);
}

#[test]
fn line_survives() {
    smoke("line", lines(), budget().0);
}

#[test]
fn header_survives() {
    smoke("header", headers(), budget().0);
}

#[test]
fn frame_survives() {
    smoke("frame", frames(), budget().0);
}

#[test]
fn mark_survives() {
    smoke("mark", marks(), budget().0);
}

#[test]
fn segment_survives() {
    smoke("segment", small_ledger().segments, budget().1);
}

#[test]
fn recovery_survives() {
    smoke("recovery", images(), budget().1);
}

#[test]
fn note_survives() {
    smoke("note", notes(), budget().1);
}

#[test]
fn policy_survives() {
    smoke("policy", policies(), budget().1);
}

#[test]
fn timestamp_survives() {
    smoke("timestamp", timestamps(), budget().0);
}

#[test]
fn proof_text_survives() {
    smoke("proof_text", [proofs_of(b"c2sp"), proofs_of(b"old ")].concat(), budget().0);
}

#[test]
fn receipt_survives() {
    smoke("receipt", proofs_of(b"\xd2"), budget().0);
}

#[test]
fn envelope_survives() {
    smoke("envelope", proofs_of(b"{"), budget().1);
}

#[test]
fn statement_survives() {
    smoke("statement", statements(), budget().1);
}

#[test]
fn proof_file_survives() {
    smoke("proof_file", proofs(), budget().1);
}

#[test]
fn stream_survives() {
    smoke("stream", streams(), budget().1);
}

#[test]
fn tile_survives() {
    smoke("tile", tiles(), budget().0);
}

#[test]
fn sealed_survives() {
    smoke("sealed", sealed(), budget().1);
}

/// The mutator must reach what is behind the checksums, and images must be what they were.
#[test]
fn images_are_read_as_they_were_written() {
    let image = small_ledger();
    assert_eq!(Image::read(&image.write(false)), image);
    assert_eq!(Image::read(&image.write(true)), image, "whole checksums are right as they are");
    let mut changed = image.clone();
    changed.segments[1][120] ^= 1;
    assert_ne!(Image::read(&changed.write(true)), changed, "a checksum over a changed byte is made right");
    assert!(targets::TARGETS.iter().all(|(name, _)| {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fuzz/fuzz_targets/{name}.rs")).is_file()
    }));
}

/// The golden bundles, whose bytes are given in pieces.
fn bundles() -> Vec<Vec<u8>> {
    let piece = |piece: &Value| match piece {
        Value::String(text) => text.as_bytes().to_vec(),
        Value::Number(zeros) => vec![0; zeros.literal().parse().unwrap()],
        other => unhex(other.get("hex").and_then(Value::as_str).unwrap()),
    };
    let whole = |case: &Value| {
        let pieces = case.get("bundle")?.as_array()?;
        Some(pieces.iter().flat_map(piece).collect::<Vec<u8>>())
    };
    let files = ["bundles/accepted.json", "bundles/refused.json"];
    let found: Vec<Vec<u8>> =
        files.iter().flat_map(|file| vectors(file)).filter_map(|case| whole(&case)).collect();
    assert!(found.len() > 20, "only {} bundles", found.len());
    found
}

#[test]
fn bundle_survives() {
    smoke("bundle", bundles(), budget().1);
}

fn policy_texts() -> Vec<Vec<u8>> {
    let rule = br#"@id("late") @control("SOC2:CC6.1") forbid(principal, action in Action::"call", resource)
        when { context.started_at_ms > context.auth_context.credential.expires_at_ms };"#;
    let files = [inputs("decisions/answers.json", "policy"), inputs("decisions/refused.json", "policy")];
    [files.concat(), vec![rule.to_vec()]].concat()
}

#[test]
fn policy_text_survives() {
    smoke("policy_text", policy_texts(), budget().1);
}

#[test]
fn calculator_survives() {
    let expressions = [
        "(305 - 250) * 1.5",
        "1/3",
        "2--3",
        "0.125 + .5 - 1.",
        "{\"expression\":\"1 + 1\"}",
        "1/0",
        "9007199254740993*7",
    ];
    smoke("calculator", expressions.map(|text| text.as_bytes().to_vec()).into(), budget().0);
}

/// Reports over the evidence that ships with some of its bytes changed: a whole and a shard.
fn reports() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("ledger");
    let origin = "ledger.example/fuzz".parse().unwrap();
    Ledger::init(&dir, &Genesis { ledger_id: LedgerId::from_bytes([9; 16]), origin, created_at_ms: 0 })
        .unwrap();
    let ledger = Ledger::open(&dir, Options::default()).unwrap();
    for submission in Generator::new(&EvidencePlan::clean(5, 2)) {
        let line = submission.line();
        if let Ok(line) = EvidenceLine::read(&line, &Limits::ENVELOPE) {
            ledger.commit_action(&Action::Evidence(line.submission()), 0).unwrap();
        }
    }
    drop(ledger);
    let segment = dir.join("log/00000000000000000000.seg");
    let mut bytes = fs::read(&segment).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let snapshot = Snapshot::open(&dir).unwrap();
    let one = |(name, shard): (&str, Option<&str>)| {
        let plan = Plan { shard: shard.map(|shard| shard.parse().unwrap()), ..Plan::default() };
        let out = folder.path().join(name);
        Batch::begin(&out).unwrap().run(&snapshot, &Means::default(), &plan, &mut Vec::new()).unwrap();
        fs::read(out).unwrap()
    };
    [("whole", None), ("shard", Some("1/2"))].map(one).to_vec()
}

#[test]
fn report_survives() {
    smoke("report", reports(), budget().1);
}

const OTLP_JSON: [&str; 3] = [
    r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]},"scopeSpans":[{"scope":{"name":"s","version":"1"},"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"EEE19b7ec3c1b174","parentSpanId":"","name":"chat \"x\" \ud83d\ude00","kind":3,"startTimeUnixNano":"1544712660000000000","endTimeUnixNano":1544712661000000000,"attributes":[{"key":"i","value":{"intValue":"-1"}},{"key":"d","value":{"doubleValue":1.5e-7}},{"key":"b","value":{"bytesValue":"AP8="}},{"key":"l","value":{"arrayValue":{"values":[{"boolValue":true},{"kvlistValue":{"values":[{"key":"k"}]}}]}}}],"events":[{"timeUnixNano":"1","name":"e"}],"links":[{"traceId":"00","spanId":"01","flags":1}],"status":{"code":2,"message":"m"},"flags":257}]}],"schemaUrl":"u"}]}
{"resourceSpans":[]}
"#,
    r#"{"resourceSpans":[{"schemaUrl":"u","scopeSpans":[{"schemaUrl":"v","spans":[{"kind":"SPAN_KIND_CLIENT","start_time_unix_nano":"1"},{"name":1},{"name":"b","name":"c"}],"scope":null}],"resource":{"entityRefs":[{"type":"t","idKeys":["k"]}]}}]}"#,
    "{}\n{\"resourceLogs\":[]}",
];

/// The seeds of JSON as protobuf, in each framing, with a log record and a field of no one among them.
fn otlp_protobuf() -> Vec<Vec<u8>> {
    use proofline_otel::read::{Item, ReadOptions, read};
    let mut frames = Vec::new();
    for text in &OTLP_JSON[..2] {
        let sink = &mut |item: Item| {
            if let Item::Batch(batch) = &item {
                frames.push(proofline_otel::write::protobuf_frame(&batch.into()));
            }
            Ok::<(), std::convert::Infallible>(())
        };
        read(&mut std::io::Cursor::new(text), &ReadOptions::default(), sink).unwrap();
    }
    assert_eq!(frames.len(), 2);
    // The length of a frame is a varint; without it a frame is a single message.
    let single = |frame: &Vec<u8>| {
        let length = frame.iter().take_while(|byte| **byte & 0x80 != 0).count() + 1;
        frame[length..].to_vec()
    };
    let singles: Vec<Vec<u8>> = frames.iter().map(single).collect();
    let u32be = singles
        .iter()
        .flat_map(|single| [&u32::try_from(single.len()).unwrap().to_be_bytes()[..], single].concat());
    let log = b"\x0a\x0f\x12\x0d\x12\x0b\x09\x01\x02\x03\x04\x05\x06\x07\x08\x12\x00".to_vec();
    let foreign = b"\x0a\x07\x12\x05\x12\x03\xa0\x06\x01".to_vec();
    [vec![u32be.collect(), frames.concat(), singles.concat(), log, foreign], singles, frames].concat()
}

#[test]
fn otlp_json_survives() {
    smoke("otlp_json", OTLP_JSON.map(|text| text.as_bytes().to_vec()).into(), budget().1);
}

#[test]
fn otlp_protobuf_survives() {
    smoke("otlp_protobuf", otlp_protobuf(), budget().1);
}

#[test]
fn otlp_auto_survives() {
    let packed = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00";
    let json = OTLP_JSON.map(|text| text.as_bytes().to_vec());
    smoke("otlp_auto", [otlp_protobuf(), json.to_vec(), vec![packed.to_vec()]].concat(), budget().1);
}

#[test]
fn filter_survives() {
    let filters = [
        r#"kind = accepted or seq < 3 and not (seq > 1 or not not trace.any(classification != ACCEPT))"#,
        r#"tool.tool_name in (a, "b c") and "#,
        r#"recorded_at >= 2026-01-31T00:00:00Z and time < "2026-01-31T01:00:00.000Z""#,
        r#"body.a.0 = 5 or body.a = "5\u00e9\"" or auth.grants.tickets:read exists"#,
        r#"trace ~ a3d5 and decision.reason_codes ~ "over.limit" and usage.total_tokens >= -1"#,
    ];
    smoke("filter", filters.map(|text| text.as_bytes().to_vec()).into(), budget().0);
}

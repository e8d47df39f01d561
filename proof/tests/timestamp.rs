//! RFC 3161 timestamps in notes, with responses that `openssl ts` made (`data/README.md`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::path::Path;

use common::{NOTE, TEXT, checkpoint, log, policy_of, witness};
use proofline_canon::{Sha256Digest, hex};
use proofline_proof::{CheckpointError, KeyId, KeyName, Note, NoteSignature, TimestampToken, TsaError};
use proptest::prelude::*;

fn data(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    std::fs::read(path).unwrap()
}

fn tsa() -> KeyName {
    "tsa.example".parse().unwrap()
}

fn example() -> Note {
    Note::parse(NOTE.as_bytes()).unwrap()
}

#[test]
fn a_token_says_what_openssl_prints_of_it() {
    // `openssl ts -reply -in FILE -text` for each.
    for (file, time, serial) in [
        ("granted.tsr", "2026-11-25T16:13:33.151Z", "02"),
        ("granted-cert.tsr", "2026-11-25T16:13:33.209Z", "03"),
        ("token.der", "2026-11-25T16:13:33.249Z", "04"),
    ] {
        let token = TimestampToken::parse(&data(file)).unwrap();
        assert_eq!(token.time().to_string(), time, "{file}");
        assert_eq!(token.serial_hex(), serial, "{file}");
        assert_eq!(token.policy(), "1.3.6.1.4.1.99999.1.2", "{file}");
        let imprint = "a638afb6fce9dcaaba35940deacd030bcbbba296d49bf7440db24885c7765f20";
        assert_eq!(token.imprint().to_string(), imprint);
        assert_eq!(token.check(TEXT), Ok(()));
        assert_eq!(token.check("something else\n"), Err(TsaError::Imprint));
    }
}

#[test]
fn a_response_and_its_token_are_the_same() {
    let response = data("granted.tsr");
    let token = TimestampToken::parse(&response).unwrap();
    assert!(response.ends_with(token.to_der()));
    assert_eq!(TimestampToken::parse(token.to_der()), Ok(token));
}

#[test]
fn a_timestamp_travels_in_the_note() {
    let policy = policy_of(&[&log(), &witness()]);
    let note = example().with_timestamp(&tsa(), &data("granted.tsr")).unwrap();
    let line = note.signatures().last().unwrap();
    // SHA-256("tsa.example" || 0A || ff || "proofline/rfc3161-timestamp" || 00), by another program.
    assert_eq!(line.id().to_string(), "8504779e");
    assert_eq!(Note::parse(&note.to_bytes()), Ok(note.clone()));
    let verified = policy.verify(&note.to_bytes()).unwrap();
    let [timestamp] = verified.timestamps() else { panic!("{verified:?}") };
    assert_eq!(timestamp.authority, "tsa.example");
    assert_eq!(timestamp.token.time().to_string(), "2026-11-25T16:13:33.151Z");
    assert_eq!((verified.unknown_lines(), verified.witnesses().len()), (0, 1));
    // A later one of the same authority replaces it; one of another stands beside it.
    let later = note.clone().with_timestamp(&tsa(), &data("granted-cert.tsr")).unwrap();
    let both = later.with_timestamp(&"tsa2.example".parse().unwrap(), &data("token.der")).unwrap();
    let verified = policy.verify(&both.to_bytes()).unwrap();
    let serials: Vec<&str> = verified.timestamps().iter().map(|found| found.token.serial_hex()).collect();
    assert_eq!(serials, ["03", "04"]);
}

#[test]
fn what_is_no_timestamp_of_the_text_is_not_attached() {
    for (file, error) in [
        ("other.tsr", TsaError::Imprint),
        ("refused.tsr", TsaError::Refused(2)),
        ("sha512.tsr", TsaError::Hash),
        ("README.md", TsaError::Form),
    ] {
        assert_eq!(example().with_timestamp(&tsa(), &data(file)), Err(error), "{file}");
    }
    assert_eq!(example().with_timestamp(&tsa(), b""), Err(TsaError::Form));
    let other = checkpoint_note(6);
    assert_eq!(other.with_timestamp(&tsa(), &data("granted.tsr")), Err(TsaError::Imprint));
}

fn checkpoint_note(size: u64) -> Note {
    let root = *checkpoint().root();
    proofline_proof::Checkpoint::new(common::ORIGIN, size, root).unwrap().sign(&[&log()]).unwrap()
}

/// A line that says to be a timestamp, with any bytes.
fn forged(bytes: Vec<u8>) -> NoteSignature {
    let stamped = example().with_timestamp(&tsa(), &data("granted.tsr")).unwrap();
    NoteSignature::new("tsa.example", stamped.signatures().last().unwrap().id(), bytes).unwrap()
}

#[test]
fn a_timestamp_that_lies_refuses_the_note() {
    let policy = policy_of(&[&log()]);
    let refused = |line: NoteSignature| {
        let note = example().with_signature(line).unwrap();
        policy.verify(&note.to_bytes()).unwrap_err()
    };
    let other = TimestampToken::parse(&data("other.tsr")).unwrap().to_der().to_vec();
    let granted = TimestampToken::parse(&data("granted.tsr")).unwrap().to_der().to_vec();
    let mut trailing = granted.clone();
    trailing.push(0);
    let response = data("granted.tsr");
    for (bytes, code) in [
        (other, "tsa.imprint"),
        (trailing, "tsa.form"),
        (response, "tsa.form"),
        (granted[..granted.len() - 1].to_vec(), "tsa.form"),
        (vec![0], "tsa.form"),
    ] {
        let error = refused(forged(bytes));
        assert_eq!(error.code(), code);
        assert!(matches!(error, CheckpointError::Timestamp { authority, .. } if authority == "tsa.example"));
    }
    // Under another id it is a line of nobody.
    let unknown = NoteSignature::new("tsa.example", KeyId::from_bytes([1; 4]), vec![0]).unwrap();
    let note = example().with_signature(unknown).unwrap();
    assert_eq!(policy.verify(&note.to_bytes()).unwrap().unknown_lines(), 2);
}

#[test]
fn a_token_cut_anywhere_is_refused_and_every_bit_of_its_imprint_counts() {
    let token = TimestampToken::parse(&data("granted.tsr")).unwrap();
    let der = token.to_der();
    for end in 0..der.len() {
        assert_eq!(TimestampToken::parse(&der[..end]), Err(TsaError::Form), "cut at {end}");
    }
    // The imprint stands where its bytes are; each changed bit is another imprint.
    let imprint = Sha256Digest::of(TEXT.as_bytes());
    let at = der.windows(32).position(|window| window == imprint.as_bytes()).unwrap();
    for bit in 0..256 {
        let mut changed = der.to_vec();
        changed[at + bit / 8] ^= 1 << (bit % 8);
        let changed = TimestampToken::parse(&changed).unwrap();
        assert_eq!(changed.check(TEXT), Err(TsaError::Imprint), "{}", hex(changed.to_der()));
    }
}

/// The token with one run of its bytes replaced by another of the same length.
fn edited(from: &[u8], to: &[u8]) -> Result<TimestampToken, TsaError> {
    assert_eq!(from.len(), to.len());
    let der = TimestampToken::parse(&data("granted.tsr")).unwrap().to_der().to_vec();
    let at = der.windows(from.len()).position(|window| window == from).expect("the bytes are there");
    let mut changed = der.clone();
    changed[at..at + to.len()].copy_from_slice(to);
    TimestampToken::parse(&changed)
}

#[test]
fn times_and_identifiers_are_read_strictly() {
    let time = b"20261125161333.151Z";
    assert_eq!(edited(time, b"20261125161333.150Z").unwrap().time().to_string(), "2026-11-25T16:13:33.150Z");
    assert_eq!(edited(time, b"00010101000000.000Z").unwrap().time().to_string(), "0001-01-01T00:00:00.000Z");
    for wrong in [
        b"20261325161333.151Z",
        b"20261131161333.151Z",
        b"20261125251333.151Z",
        b"20261125166333.151Z",
        b"20261125161361.151Z",
        b"20261125161333,151Z",
        b"20261125161333.1510",
        b"2026112516133300.1Z",
        b"2026112516133.3151Z",
        b"20261125161333.+51Z",
        b"2026112516 333.151Z",
    ] {
        assert_eq!(edited(time, wrong), Err(TsaError::Time), "{}", String::from_utf8_lossy(wrong));
    }
    // id-sha256 made id-sha512; id-ct-TSTInfo and id-signedData made others; version 2; serial 0 and -1.
    let sha256 = [
        0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20,
    ];
    let mut sha512 = sha256;
    sha512[12] = 3;
    assert_eq!(edited(&sha256, &sha512), Err(TsaError::Hash));
    let content = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];
    let mut other = content;
    other[10] = 5;
    assert_eq!(edited(&content, &other), Err(TsaError::Form));
    let signed_data = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
    let mut other = signed_data;
    other[8] = 1;
    assert_eq!(edited(&signed_data, &other), Err(TsaError::Form));
    let version = [0x30, 0x81, 0x8b, 0x02, 0x01, 0x01];
    assert_eq!(edited(&version, &[0x30, 0x81, 0x8b, 0x02, 0x01, 0x02]), Err(TsaError::Form));
    let serial = [0x02, 0x01, 0x02, 0x18];
    assert_eq!(edited(&serial, &[0x02, 0x01, 0x7f, 0x18]).unwrap().serial_hex(), "7f");
    for wrong in [[0x02, 0x01, 0x00, 0x18], [0x02, 0x01, 0xff, 0x18]] {
        assert_eq!(edited(&serial, &wrong), Err(TsaError::Form));
    }
}

/// DER of a value, its length in the one spelling.
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let contents = parts.concat();
    let length = u16::try_from(contents.len()).unwrap().to_be_bytes();
    let head = match contents.len() {
        0..0x80 => vec![tag, length[1]],
        0x80..0x100 => vec![tag, 0x81, length[1]],
        _ => vec![tag, 0x82, length[0], length[1]],
    };
    [head, contents].concat()
}

/// A token made by hand, of which each part can be another.
struct Made {
    info_tail: Vec<u8>,
    behind_info: Vec<u8>,
    optional: Vec<u8>,
    signers: Vec<u8>,
    behind_signers: Vec<u8>,
    behind_token: Vec<u8>,
    time: Vec<u8>,
    algorithm_tail: Vec<u8>,
    serial: Vec<u8>,
}

impl Default for Made {
    fn default() -> Self {
        let nothing = Vec::new();
        Made {
            info_tail: nothing.clone(),
            behind_info: nothing.clone(),
            optional: nothing.clone(),
            signers: tlv(0x30, &[]),
            behind_signers: nothing.clone(),
            behind_token: nothing.clone(),
            time: b"20260131000000Z".to_vec(),
            algorithm_tail: nothing,
            serial: vec![1],
        }
    }
}

impl Made {
    fn read(&self) -> Result<TimestampToken, TsaError> {
        let imprint = Sha256Digest::of(TEXT.as_bytes());
        let sha256 = tlv(6, &[&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1]]);
        let algorithm = tlv(0x30, &[&sha256, &self.algorithm_tail]);
        let imprint = tlv(0x30, &[&algorithm, &tlv(4, &[imprint.as_bytes()])]);
        let (serial, time) = (tlv(2, &[&self.serial]), tlv(0x18, &[&self.time]));
        let policy = tlv(6, &[&[0x2a, 3]]);
        let info = tlv(0x30, &[&tlv(2, &[&[1]]), &policy, &imprint, &serial, &time, &self.info_tail]);
        let content_type = tlv(6, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 0x10, 1, 4]]);
        let content = tlv(0xa0, &[&tlv(4, &[&info, &self.behind_info])]);
        let encapsulated = tlv(0x30, &[&content_type, &content]);
        let signers = tlv(0x31, &[&self.signers]);
        let (version, digests) = (tlv(2, &[&[3]]), tlv(0x31, &[]));
        let lists = [&self.optional[..], &signers, &self.behind_signers].concat();
        let signed = tlv(0x30, &[&version, &digests, &encapsulated, &lists]);
        let signed_data = tlv(6, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2]]);
        let token = tlv(0x30, &[&signed_data, &tlv(0xa0, &[&signed]), &self.behind_token]);
        TimestampToken::parse(&token)
    }
}

#[test]
fn what_a_token_may_leave_out_and_may_hold() {
    let token = Made::default().read().unwrap();
    assert_eq!(token.check(TEXT), Ok(()));
    assert_eq!((token.policy(), token.serial_hex()), ("1.2.3", "01"));
    assert_eq!(token.time().to_string(), "2026-01-31T00:00:00.000Z");
    let tail = [&tlv(0x30, &[])[..], &tlv(1, &[&[0xff]]), &tlv(2, &[&[9]]), &tlv(0xa0, &[]), &tlv(0xa1, &[])];
    let full = Made {
        info_tail: tail.concat(),
        optional: [tlv(0xa0, &[]), tlv(0xa1, &[])].concat(),
        algorithm_tail: tlv(5, &[]),
        time: b"20260131000000.123456789Z".to_vec(),
        serial: [&[0][..], &[0xff; 20]].concat(),
        ..Made::default()
    };
    let token = full.read().unwrap();
    assert_eq!(token.time().to_string(), "2026-01-31T00:00:00.123Z", "cut, not rounded");
    assert_eq!(token.serial_hex(), format!("00{}", "ff".repeat(20)));
    let short = Made { time: b"20260131000000.5Z".to_vec(), ..Made::default() };
    assert_eq!(short.read().unwrap().time().to_string(), "2026-01-31T00:00:00.500Z");
}

#[test]
fn what_a_token_may_not_hold() {
    let made = Made::default;
    let two = [tlv(0x30, &[]), tlv(0x30, &[])].concat();
    let cases = [
        ("no signer", Made { signers: Vec::new(), ..made() }, TsaError::Form),
        ("two signers", Made { signers: two, ..made() }, TsaError::Form),
        ("no sequence as signer", Made { signers: tlv(2, &[&[1]]), ..made() }, TsaError::Form),
        ("more behind the signers", Made { behind_signers: tlv(5, &[]), ..made() }, TsaError::Form),
        ("more in the token", Made { behind_token: tlv(5, &[]), ..made() }, TsaError::Form),
        ("more behind the facts", Made { behind_info: vec![0], ..made() }, TsaError::Form),
        ("more in the facts", Made { info_tail: tlv(0xa2, &[]), ..made() }, TsaError::Form),
        (
            "facts out of order",
            Made { info_tail: [tlv(2, &[&[1]]), tlv(1, &[&[0]])].concat(), ..made() },
            TsaError::Form,
        ),
        (
            "lists out of order",
            Made { optional: [tlv(0xa1, &[]), tlv(0xa0, &[])].concat(), ..made() },
            TsaError::Form,
        ),
        ("other parameters", Made { algorithm_tail: tlv(2, &[&[1]]), ..made() }, TsaError::Form),
        ("a serial of 0", Made { serial: vec![0], ..made() }, TsaError::Form),
        ("a serial of 176 bits", Made { serial: vec![1; 22], ..made() }, TsaError::Form),
        ("no zone", Made { time: b"20260131000000".to_vec(), ..made() }, TsaError::Time),
        ("another zone", Made { time: b"20260131000000+0100".to_vec(), ..made() }, TsaError::Time),
        ("no seconds", Made { time: b"202601310000Z".to_vec(), ..made() }, TsaError::Time),
        ("an empty fraction", Made { time: b"20260131000000.Z".to_vec(), ..made() }, TsaError::Time),
        ("the 30th of February", Made { time: b"20260230000000Z".to_vec(), ..made() }, TsaError::Time),
    ];
    for (what, made, error) in cases {
        assert_eq!(made.read(), Err(error), "{what}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        flips in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..5),
        cut in any::<Option<proptest::sample::Index>>(),
    ) {
        let mut der = data("granted-cert.tsr");
        for (at, byte) in flips {
            let at = at.index(der.len());
            der[at] = byte;
        }
        if let Some(cut) = cut {
            der.truncate(cut.index(der.len()));
        }
        if let Ok(token) = TimestampToken::parse(&der) {
            prop_assert_eq!(TimestampToken::parse(token.to_der()), Ok(token.clone()));
        }
    }
}

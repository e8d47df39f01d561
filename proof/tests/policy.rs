//! Policies by C2SP tlog-policy: each rule with a file that breaks it, and quorums of every shape.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use common::{LOG_KEY, NOTE, ORIGIN, TIME_S, WITNESS_KEY, checkpoint, log, numbered, secret, witness};
use proofline_proof::{
    CheckpointError, KeyRole, MAX_POLICY_BYTES, Note, Policy, SecretKey, Signer, VerifierKey,
};
use proptest::prelude::*;

fn witness_key(number: u8) -> SecretKey {
    numbered(&format!("witness.example/{number}"), KeyRole::Witness, number)
}

/// `LOG`, `W1` to `W6` and others stand for keys.
fn filled(file: &str) -> String {
    let mut text = file.replace("LOG", LOG_KEY);
    for number in 1..=6_u8 {
        text = text.replace(&format!("W{number}"), &witness_key(number).verifier().to_string());
    }
    text
}

/// The code and the line of what is wrong.
fn fault(file: impl AsRef<[u8]>) -> (&'static str, usize) {
    let error = Policy::parse(file.as_ref()).unwrap_err();
    assert!(error.to_string().starts_with(&format!("line {} of the policy: ", error.at())), "{error}");
    (error.code(), error.at())
}

#[test]
fn a_whole_policy_is_read() {
    let file = filled(
        "# a comment\n#another\n\t # and one\n\n  \t\n\
         log LOG https://log.example/\n\
         \twitness  one\tW1 \n\
         witness two W2 https://two.example/ \n\
         witness three W3\n\
         group inner 1 one two\n\
         group outer all inner three\n\
         quorum outer\n\
         # after\n",
    );
    let policy = Policy::parse(file.as_bytes()).unwrap();
    let [log_line] = policy.logs() else { panic!("{policy:?}") };
    assert_eq!((log_line.name(), log_line.url()), (ORIGIN.as_bytes(), Some(&b"https://log.example/"[..])));
    assert_eq!(log_line.key(), log().verifier());
    let names: Vec<&[u8]> = policy.witnesses().iter().map(|witness| witness.name()).collect();
    assert_eq!(names, [&b"one"[..], b"two", b"three"]);
    assert_eq!(policy.witnesses()[1].url(), Some(&b"https://two.example/"[..]));
    assert_eq!(policy.witnesses()[0].url(), None);
    assert!(policy.has_quorum());
    assert!(!Policy::parse(b"quorum none\n").unwrap().has_quorum());
}

#[test]
fn octets_and_line_ends() {
    for octet in (0..=0x1f).chain([0x7f]).filter(|octet| !matches!(octet, b'\t' | b'\n')) {
        assert_eq!(
            fault([b"# a", &[octet][..], b"b\nquorum none\n"].concat()),
            ("policy.octet", 1),
            "{octet}"
        );
    }
    assert_eq!(fault("quorum none\r\n"), ("policy.octet", 1));
    for octet in 0x80..=0xff_u8 {
        assert!(Policy::parse(&[b"# ", &[octet][..], b"\nquorum none\n"].concat()).is_ok(), "{octet}");
    }
    assert_eq!(fault("quorum none"), ("policy.unfinished", 1));
    assert_eq!(fault("quorum none\n#"), ("policy.unfinished", 2));
    assert_eq!(fault(""), ("policy.no_quorum", 1));
    assert_eq!(fault("\n\n#quorum none\n"), ("policy.no_quorum", 3));
    assert_eq!(fault(vec![b'\n'; MAX_POLICY_BYTES + 1]), ("policy.too_long", 1));
    assert!(Policy::parse(&[b"quorum none".to_vec(), vec![b'\n'; 99]].concat()).is_ok());
    // An octet that is white space elsewhere separates nothing here.
    assert_eq!(fault("quorum\u{a0}none\n"), ("policy.keyword", 1));
}

#[test]
fn each_rule_has_a_file_that_breaks_it() {
    let cases = [
        ("other LOG\n", "policy.keyword", 1),
        ("Log LOG\n", "policy.keyword", 1),
        ("quorum none # not a comment\n", "policy.items", 1),
        ("log\n", "policy.items", 1),
        ("log LOG url more\n", "policy.items", 1),
        ("witness\n", "policy.items", 1),
        ("witness w\n", "policy.items", 1),
        ("witness w W1 url more\n", "policy.items", 1),
        ("group\n", "policy.items", 1),
        ("group g\n", "policy.items", 1),
        ("group g any\n", "policy.items", 1),
        ("group g 0\n", "policy.items", 1),
        ("quorum\n", "policy.items", 1),
        ("quorum none none\n", "policy.items", 1),
        ("quorum none\nquorum none\n", "policy.second_quorum", 2),
        ("witness w W1\nquorum w\nquorum w\n", "policy.second_quorum", 3),
        ("quorum w\nwitness w W1\n", "policy.undefined", 1),
        ("quorum w\n", "policy.undefined", 1),
        ("log LOG\nquorum log.example/demo\n", "policy.undefined", 2),
        ("group g any w\nwitness w W1\nquorum g\n", "policy.undefined", 1),
        ("group g any g\nquorum g\n", "policy.undefined", 1),
        ("witness w W1\ngroup g any w none\nquorum g\n", "policy.undefined", 2),
        ("witness w W1\ngroup g any W\nquorum g\n", "policy.undefined", 2),
        ("witness none W1\nquorum none\n", "policy.name_taken", 1),
        ("witness w W1\ngroup none any w\nquorum none\n", "policy.name_taken", 2),
        ("witness w W1\nwitness w W2\nquorum w\n", "policy.name_taken", 2),
        ("witness w W1\ngroup w any w\nquorum w\n", "policy.name_taken", 2),
        ("witness w W1\ngroup g any w\nwitness g W2\nquorum w\n", "policy.name_taken", 3),
        ("witness w W1\ngroup g any w w\nquorum g\n", "policy.member_twice", 2),
        ("witness w W1\ngroup g any w\ngroup h any w\nquorum g\n", "policy.member_twice", 3),
        ("witness w W1\ngroup g any w\ngroup h any g w\nquorum h\n", "policy.member_twice", 3),
        ("witness w W1\ngroup g 0 w\nquorum g\n", "policy.threshold", 2),
        ("witness w W1\ngroup g 2 w\nquorum g\n", "policy.threshold", 2),
        ("witness w W1\ngroup g -1 w\nquorum g\n", "policy.threshold", 2),
        ("witness w W1\ngroup g +1 w\nquorum g\n", "policy.threshold", 2),
        ("witness w W1\ngroup g 01 w\nquorum g\n", "policy.threshold", 2),
        ("witness w W1\ngroup g 1.0 w\nquorum g\n", "policy.threshold", 2),
        ("witness w W1\ngroup g ALL w\nquorum g\n", "policy.threshold", 2),
        ("witness w W1\ngroup g 18446744073709551617 w\nquorum g\n", "policy.threshold", 2),
        ("log LOG\nlog LOG\nquorum none\n", "policy.same_key", 2),
        ("witness v W1\nwitness w W1\nquorum none\n", "policy.same_key", 2),
        ("log W1\nquorum none\n", "policy.role", 1),
        ("witness w LOG\nquorum none\n", "policy.role", 1),
        ("log log.example/demo\nquorum none\n", "key.form", 1),
        ("log +00000000+\nquorum none\n", "key.name", 1),
        ("log PRIVATE+KEY+LOG\nquorum none\n", "key.kind", 1),
        ("log LOG=\nquorum none\n", "key.form", 1),
    ];
    for (file, code, line) in cases {
        assert_eq!(fault(filled(file)), (code, line), "{file:?}");
    }
    // A key of a type that nobody knows is a fault of the configuration (its id was made to fit).
    let unknown = "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    assert_eq!(fault(format!("log {unknown}\nquorum none\n")), ("key.type", 1));
    assert_eq!(fault(b"log \xff+00000000+AAAA\nquorum none\n"), ("key.name", 1));
}

#[test]
fn the_same_public_key_under_other_names_is_the_same_key() {
    let renamed = |name: &str, role| numbered(name, role, 1).verifier().to_string();
    let logs = [renamed("a.example", KeyRole::Log), renamed("b.example", KeyRole::Log)];
    assert_eq!(fault(format!("log {}\nlog {}\nquorum none\n", logs[0], logs[1])), ("policy.same_key", 2));
    let witnesses = [renamed("a.example", KeyRole::Witness), renamed("b.example", KeyRole::Witness)];
    let file = format!("witness a {}\nwitness b {}\nquorum none\n", witnesses[0], witnesses[1]);
    assert_eq!(fault(file), ("policy.same_key", 2));
    // A log that is a witness as well is no such pair.
    assert!(
        Policy::parse(format!("log {}\nwitness a {}\nquorum a\n", logs[0], witnesses[0]).as_bytes()).is_ok()
    );
    // One log may have several keys; a log may sign with ML-DSA-44 too.
    let second = numbered(ORIGIN, KeyRole::Log, 2);
    let third = numbered(ORIGIN, KeyRole::WitnessMlDsa44, 2);
    let file = format!("log {LOG_KEY}\nlog {}\nlog {}\nquorum none\n", second.verifier(), third.verifier());
    assert_eq!(Policy::parse(file.as_bytes()).unwrap().logs().len(), 3);
    let twice = Policy::of_keys(vec![log().verifier().clone(), log().verifier().clone()]).unwrap_err();
    assert_eq!(twice.to_string(), "key 2 of the policy: another line has the same public key");
}

#[test]
fn keys_that_a_line_cannot_tell_apart_are_refused() {
    // Found by trying: a key of a log and another of a witness, of one name, with one id.
    let seed = |number: u64| {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&number.to_be_bytes());
        seed
    };
    let log = secret(ORIGIN, KeyRole::Log, seed(97_054));
    let witness = secret(ORIGIN, KeyRole::Witness, seed(60_564));
    assert_eq!(log.verifier().id(), witness.verifier().id());
    assert_ne!(log.verifier().key_bytes(), witness.verifier().key_bytes());
    let file = format!("log {}\nwitness w {}\nquorum w\n", log.verifier(), witness.verifier());
    assert_eq!(fault(file), ("policy.ambiguous", 2));
    let keys: Vec<VerifierKey> = [&witness, &log].map(|key| key.verifier().clone()).to_vec();
    let error = Policy::of_keys(keys).unwrap_err();
    assert_eq!((error.code(), error.at()), ("policy.ambiguous", 2));
}

#[test]
fn names_are_octets() {
    let w = witness_key(1).verifier().to_string();
    let file =
        [b"witness \xff\xfe ".as_slice(), w.as_bytes(), b"\ngroup \xe9 any \xff\xfe\nquorum \xe9\n"].concat();
    assert_eq!(Policy::parse(&file).unwrap().witnesses()[0].name(), b"\xff\xfe");
    // Two spellings of one character are two names; names that are keywords elsewhere are names.
    let file = filled(
        "witness \u{e9} W1\nwitness e\u{301} W2\nwitness all W3\ngroup any all \u{e9} all\nquorum any\n",
    );
    assert!(Policy::parse(file.as_bytes()).is_ok());
    assert_eq!(fault(filled("witness \u{e9} W1\nquorum e\u{301}\n")), ("policy.undefined", 2));
}

/// The example's checkpoint, cosigned by these witnesses.
fn note_of(numbers: &[u8]) -> Note {
    let bare = checkpoint().sign(&[&log()]).unwrap();
    let verified = Policy::of_keys(vec![log().verifier().clone()]).unwrap().verify(&bare.to_bytes()).unwrap();
    numbers.iter().fold(bare, |note, number| {
        note.with_signature(verified.cosignature(&witness_key(*number), TIME_S).unwrap()).unwrap()
    })
}

#[test]
fn quorums_hold_as_they_are_written() {
    let witnesses = "log LOG\nwitness a W1\nwitness b W2\nwitness c W3\nwitness d W4\n";
    let nested = "group ab any a b\ngroup cd all c d\ngroup g 2 ab cd\nquorum g\n";
    let cases: [(&str, &[u8], bool); 17] = [
        ("quorum none\n", &[], true),
        ("quorum a\n", &[1], true),
        ("quorum a\n", &[2, 3, 4], false),
        ("group g any a b c\nquorum g\n", &[3], true),
        ("group g any a b c\nquorum g\n", &[4], false),
        ("group g all a b c\nquorum g\n", &[1, 2, 3], true),
        ("group g all a b c\nquorum g\n", &[1, 3, 4], false),
        ("group g 2 a b c\nquorum g\n", &[1, 3], true),
        ("group g 2 a b c\nquorum g\n", &[2], false),
        ("group g 3 a b c\nquorum g\n", &[2, 1, 3], true),
        (nested, &[1, 3, 4], true),
        (nested, &[1, 2, 3], false),
        (nested, &[3, 4], false),
        (nested, &[2, 3, 4], true),
        ("group ab any a b\ngroup cd all c d\ngroup g 1 ab cd\nquorum ab\n", &[3, 4], false),
        ("quorum none\n", &[5, 6], true),
        ("quorum a\n", &[5, 6], false),
    ];
    for (quorum, cosigned, holds) in cases {
        let policy = Policy::parse(filled(&format!("{witnesses}{quorum}")).as_bytes()).unwrap();
        let answer = policy.verify(&note_of(cosigned).to_bytes());
        let known = cosigned.iter().filter(|number| **number <= 4).count();
        match answer {
            Ok(verified) => {
                assert!(holds, "{quorum} {cosigned:?}");
                assert_eq!(verified.witnesses().len(), known);
                assert_eq!(verified.unknown_lines(), cosigned.len() - known);
            }
            Err(error) => {
                assert!(!holds, "{quorum} {cosigned:?}");
                assert_eq!(error, CheckpointError::Quorum { cosigned: known });
            }
        }
    }
}

#[test]
fn a_witness_counts_once_and_only_for_this_checkpoint() {
    let file = filled("log LOG\nwitness a W1\nwitness b W2\ngroup g 2 a b\nquorum g\n");
    let policy = Policy::parse(file.as_bytes()).unwrap();
    let once = String::from_utf8(note_of(&[1]).to_bytes()).unwrap();
    let line = once.lines().last().unwrap();
    let twice = format!("{once}{line}\n");
    assert_eq!(policy.verify(twice.as_bytes()), Err(CheckpointError::Quorum { cosigned: 1 }));
    // Who is to be one of the quorum asks for the log's signature alone; a known witness still counts.
    let without = policy.clone().without_quorum();
    assert!(!without.has_quorum());
    assert_eq!(without.verify(twice.as_bytes()).unwrap().witnesses().len(), 1);
    // The cosignature of an older head does not count for a newer one: it is a bad line.
    let newer = proofline_proof::Checkpoint::new(ORIGIN, 6, *checkpoint().root()).unwrap();
    let newer = newer.sign(&[&log()]).unwrap().with_signature(note_of(&[1]).signatures()[1].clone()).unwrap();
    assert_eq!(policy.verify(&newer.to_bytes()).unwrap_err().code(), "checkpoint.signature");
}

#[test]
fn the_example_holds_under_a_policy_that_asks_for_its_witness() {
    let file = format!("log {LOG_KEY}\nwitness first {WITNESS_KEY}\nquorum first\n");
    let verified = Policy::parse(file.as_bytes()).unwrap().verify(NOTE.as_bytes()).unwrap();
    assert_eq!(verified.witnesses()[0].witness.name(), b"first");
    assert_eq!(verified.witnesses()[0].witness.key(), witness().verifier());
    // A list of logs may be empty; then nothing is believed under it.
    let none = Policy::parse(b"quorum none\n").unwrap();
    assert_eq!(none.verify(NOTE.as_bytes()).unwrap_err().code(), "checkpoint.no_log");
}

#[test]
fn a_hundred_of_everything_are_read() {
    let mut file = String::new();
    for number in 0..100_u8 {
        let log = numbered(&format!("log.example/{number}"), KeyRole::Log, number);
        let witness = numbered(&format!("w.example/{number}"), KeyRole::Witness, number);
        file += &format!("log {}\nwitness w{number} {}\n", log.verifier(), witness.verifier());
        let previous = if number == 0 { String::new() } else { format!(" g{}", number - 1) };
        file += &format!("group g{number} all w{number}{previous}\n");
    }
    let policy = Policy::parse((file + "quorum g99\n").as_bytes()).unwrap();
    assert_eq!((policy.logs().len(), policy.witnesses().len()), (100, 100));
}

proptest! {
    #[test]
    fn arbitrary_policies_never_panic(
        parts in proptest::collection::vec(
            prop_oneof![
                Just("log ".to_owned()), Just("witness a ".to_owned()), Just("group g any ".to_owned()),
                Just("quorum ".to_owned()), Just("none".to_owned()), Just("\n".to_owned()), Just("a ".to_owned()),
                Just(LOG_KEY.to_owned()), Just(WITNESS_KEY.to_owned()), Just("g ".to_owned()), "[ -~\t\n]{0,6}",
            ],
            0..16,
        ),
    ) {
        let file = parts.concat();
        match Policy::parse(file.as_bytes()) {
            Ok(policy) => {
                prop_assert!(file.contains("quorum"));
                let _ = policy.verify(NOTE.as_bytes());
            }
            Err(error) => prop_assert!(error.at() <= file.lines().count().max(1)),
        }
    }
}

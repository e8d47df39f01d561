//! Checkpoints and cosignatures: the example that was computed elsewhere byte for byte, every rule of the
//! text, and every way for a note to be signed by the wrong one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use common::{
    LOG_KEY, NOTE, ORIGIN, TEXT, TIME_S, WITNESS_KEY, checkpoint, log, numbered, policy_of, secret, witness,
};
use proofline_canon::{Sha256Digest, base64, hex, unhex};
use proofline_proof::{
    Checkpoint, CheckpointError, CheckpointTextError, KeyRole, MAX_COSIGNATURE_TIME_S, NodeHash, Note,
    NoteSignature, Policy, SecretKey, SignError, Signer, VerifierKey, ed25519_cosignature_message,
    ml_dsa_44_cosignature_message,
};
use proptest::prelude::*;

#[test]
fn the_example_is_signed_and_cosigned_byte_for_byte() {
    assert_eq!(log().verifier().to_string(), LOG_KEY);
    assert_eq!(witness().verifier().to_string(), WITNESS_KEY);
    assert_eq!(checkpoint().to_text(), TEXT);
    let signed = checkpoint().sign(&[&log()]).unwrap();
    let policy = policy_of(&[&log(), &witness()]);
    let verified = policy.verify(&signed.to_bytes()).unwrap();
    assert!(verified.witnesses().is_empty());
    let cosigned = verified.cosign(&witness(), TIME_S).unwrap();
    let bytes = cosigned.to_bytes();
    assert_eq!(String::from_utf8(bytes.clone()).unwrap(), NOTE);
    assert_eq!(bytes.len(), 307);
    assert_eq!(
        Sha256Digest::of(&bytes).to_string(),
        "94ee562a66507d2f80e715e9ae00a5ced5a6c385a2febb6a6b3129613cb68c2b"
    );
    let verified = policy.verify(&bytes).unwrap();
    assert_eq!(verified.checkpoint(), &checkpoint());
    assert_eq!(verified.note(), &cosigned);
    assert_eq!(verified.log_keys(), [log().verifier().clone()]);
    let [cosigned] = verified.witnesses() else { panic!("{verified:?}") };
    assert_eq!((cosigned.witness.key(), cosigned.timestamp_s), (witness().verifier(), TIME_S));
    assert_eq!(verified.unknown_lines(), 0);
}

#[test]
fn the_cosigned_messages_are_those_of_the_example() {
    let message = ed25519_cosignature_message(TEXT, TIME_S);
    assert_eq!(message.len(), 95);
    assert_eq!(
        Sha256Digest::of(&message).to_string(),
        "49507e504dafc89de02e7ce7833c533d89837a26fb42fcf2587620ba1aeb73bd"
    );
    assert!(message.starts_with(b"cosignature/v1\ntime 1700000000\nlog.example/demo\n5\n"));
    let name = "witness.example/w1".parse().unwrap();
    let message = ml_dsa_44_cosignature_message(&name, &checkpoint(), TIME_S).unwrap();
    let expected = [
        "737562747265652f76310a00",
        "12",
        "7769746e6573732e6578616d706c652f7731",
        "000000006553f100",
        "10",
        "6c6f672e6578616d706c652f64656d6f",
        "0000000000000000",
        "0000000000000005",
        "b6748f6ed7a99de7da84fd97e1a3bac6fab8999f4a43695cab9528a2de431147",
    ];
    assert_eq!(message.len(), 104);
    assert_eq!(hex(&message), expected.concat());
}

#[test]
fn one_key_as_log_and_as_witness_has_two_ids() {
    let as_log = secret("witness.example/w1", KeyRole::Log, unhex(common::SEEDS[1]).unwrap());
    assert_eq!(as_log.verifier().id().to_string(), "d3188955");
    assert_eq!(witness().verifier().id().to_string(), "04d2d833");
}

#[test]
fn ml_dsa_44_cosignatures_are_made_and_verified() {
    let post_quantum = numbered("witness.example/pq", KeyRole::WitnessMlDsa44, 3);
    let policy = policy_of(&[&log(), &post_quantum]);
    let verified = policy.verify(&checkpoint().sign(&[&log()]).unwrap().to_bytes()).unwrap();
    let note = verified.cosign(&post_quantum, TIME_S).unwrap();
    let line = note.signatures().last().unwrap();
    assert_eq!(line.bytes().len(), 8 + 2420);
    assert_eq!(hex(&line.bytes()[..8]), "000000006553f100");
    // Verified without the code that made the message.
    let message = [
        &unhex::<31>("737562747265652f76310a00127769746e6573732e6578616d706c652f7071").unwrap()[..],
        &unhex::<41>("000000006553f100106c6f672e6578616d706c652f64656d6f00000000000000000000000000000005")
            .unwrap(),
        checkpoint().root().as_bytes(),
    ]
    .concat();
    assert!(post_quantum.verifier().verify(&message, &line.bytes()[8..]));
    let verified = policy.verify(&note.to_bytes()).unwrap();
    assert_eq!(verified.witnesses()[0].timestamp_s, TIME_S);
    // Another time, another bit of the signature: not this witness's.
    for at in [7, 8, 2427] {
        let mut bytes = line.bytes().to_vec();
        bytes[at] ^= 1;
        let changed = NoteSignature::new(line.name(), line.id(), bytes).unwrap();
        let changed = note.clone().with_signature(changed).unwrap();
        let error = policy.verify(&changed.to_bytes()).unwrap_err();
        assert_eq!(error, CheckpointError::Signature { key: post_quantum.verifier().short_name() });
    }
}

#[test]
fn a_time_of_zero_is_kept_and_one_past_the_last_refused() {
    let post_quantum = numbered("witness.example/pq", KeyRole::WitnessMlDsa44, 3);
    let policy = policy_of(&[&log(), &witness(), &post_quantum]);
    let verified = policy.verify(&checkpoint().sign(&[&log()]).unwrap().to_bytes()).unwrap();
    for signer in [&witness(), &post_quantum] {
        for time_s in [0, MAX_COSIGNATURE_TIME_S] {
            let note = verified.cosign(signer, time_s).unwrap();
            let verified = policy.verify(&note.to_bytes()).unwrap();
            assert_eq!(verified.witnesses()[0].timestamp_s, time_s);
        }
        let error = verified.cosign(signer, MAX_COSIGNATURE_TIME_S + 1).unwrap_err();
        assert_eq!(error.code(), "sign.message");
    }
    // Signed all the same by a witness that does not look.
    let time_s = MAX_COSIGNATURE_TIME_S + 1;
    let message = format!("cosignature/v1\ntime {time_s}\n{TEXT}");
    let signature = witness().sign(message.as_bytes()).unwrap();
    let bytes = [&time_s.to_be_bytes()[..], &signature].concat();
    let key = witness().verifier().clone();
    let line = NoteSignature::new(key.name().as_str(), key.id(), bytes).unwrap();
    let note = verified.note().clone().with_signature(line).unwrap();
    assert_eq!(policy.verify(&note.to_bytes()).unwrap_err().code(), "checkpoint.signature");
}

#[test]
fn only_witnesses_cosign_and_only_logs_sign() {
    let policy = policy_of(&[&log()]);
    let verified = policy.verify(NOTE.as_bytes()).unwrap();
    for role in [KeyRole::Log, KeyRole::Cose, KeyRole::Dsse, KeyRole::Producer] {
        let error = verified.cosign(&numbered(ORIGIN, role, 4), 1).unwrap_err();
        assert!(matches!(error, SignError::Role { found, .. } if found == role), "{error}");
    }
    for role in KeyRole::ALL.into_iter().filter(|role| *role != KeyRole::Log) {
        let error = checkpoint().sign(&[&numbered(ORIGIN, role, 4)]).unwrap_err();
        assert!(matches!(error, SignError::Role { found, .. } if found == role), "{error}");
    }
    let other = numbered("log.example/other", KeyRole::Log, 4);
    assert_eq!(checkpoint().sign(&[&log(), &other]).unwrap_err().code(), "sign.origin");
    // An origin that ML-DSA-44 cannot state; a key of that name cannot be made, so the log's is shorter.
    let long = Checkpoint::new(&"o".repeat(256), 1, *checkpoint().root()).unwrap();
    assert_eq!(ml_dsa_44_cosignature_message(witness().verifier().name(), &long, 1), None);
}

#[test]
fn texts_that_are_no_checkpoint_are_refused() {
    use CheckpointTextError::{EmptyRoot, Lines, Root, Size};
    let root = "tnSPbtepnefahP2X4aO6xvq4mZ9KQ2lcq5Uoot5DEUc=";
    let empty = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let short = base64(&[7; 31]);
    let cases = [
        (String::new(), Lines),
        ("\n".to_owned(), Lines),
        ("o\n".to_owned(), Lines),
        ("o\n5\n".to_owned(), Lines),
        (format!("o\n5\n{root}"), Lines),
        (format!("\n5\n{root}\n"), Lines),
        (format!("o\n\n{root}\n"), Lines),
        ("o\n5\n\n".to_owned(), Lines),
        (format!("o\n5\n{root}\n\n"), Lines),
        (format!("o\n5\n{root}\n\next\n"), Lines),
        (format!("o\n5\n{root}\next\n\n"), Lines),
        (format!("o\n05\n{root}\n"), Size),
        (format!("o\n00\n{root}\n"), Size),
        (format!("o\n+5\n{root}\n"), Size),
        (format!("o\n-5\n{root}\n"), Size),
        (format!("o\n 5\n{root}\n"), Size),
        (format!("o\n5 \n{root}\n"), Size),
        (format!("o\n5.0\n{root}\n"), Size),
        (format!("o\n0x5\n{root}\n"), Size),
        (format!("o\n\u{665}\n{root}\n"), Size),
        (format!("o\n18446744073709551616\n{root}\n"), Size),
        (format!("o\n5\n{}\n", root.trim_end_matches('=')), Root),
        (format!("o\n5\n{root}=\n"), Root),
        (format!("o\n5\n{root} \n"), Root),
        (format!("o\n5\n{}AA==\n", base64(&[7; 31])), Root),
        (format!("o\n5\n{short}\n"), Root),
        (format!("o\n5\n{}\n", root.replace("Uc=", "Ud=")), Root),
        (format!("o\n5\n{}\n", root.replace('P', "_")), Root),
        (format!("o\n0\n{root}\n"), EmptyRoot),
    ];
    for (text, error) in cases {
        assert_eq!(Checkpoint::parse_text(&text), Err(error), "{text:?}");
    }
    for text in [
        format!("o\n0\n{empty}\n"),
        format!("o\n18446744073709551615\n{root}\n"),
        format!("an origin with + and spaces \u{e9}\n5\n{root}\none\n two\n"),
    ] {
        assert_eq!(Checkpoint::parse_text(&text).unwrap().to_text(), text);
    }
    let with = |origin: &str, lines: &[&str]| {
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        Checkpoint::with_extensions(origin, 5, *checkpoint().root(), lines)
    };
    assert_eq!(with("", &[]), Err(Lines));
    assert_eq!(with("a\nb", &[]), Err(Lines));
    assert_eq!(with("a", &[""]), Err(Lines));
    assert_eq!(with("a", &["b\nc"]), Err(Lines));
    assert_eq!(with("a", &["b"]).unwrap().extensions(), ["b"]);
    assert_eq!(Checkpoint::new("a", 0, *checkpoint().root()), Err(EmptyRoot));
    assert!(Checkpoint::new("a", 0, NodeHash::empty_root()).is_ok());
}

/// A note of any text under any keys, whether or not they may sign it.
fn signed_anyhow(text: &str, signers: &[&SecretKey]) -> Note {
    let mut note = Note::unsigned(text).unwrap();
    for signer in signers {
        let key = signer.verifier();
        let signature = signer.sign(text.as_bytes()).unwrap();
        let line = NoteSignature::new(key.name().as_str(), key.id(), signature).unwrap();
        note = note.with_signature(line).unwrap();
    }
    note
}

#[test]
fn the_key_of_another_log_is_refused_by_name() {
    let other = numbered("log.example/other", KeyRole::Log, 5);
    let policy = policy_of(&[&log(), &other]);
    let error = policy.verify(&signed_anyhow(TEXT, &[&other]).to_bytes()).unwrap_err();
    let expected =
        CheckpointError::OtherLog { origin: ORIGIN.to_owned(), key: other.verifier().short_name() };
    assert_eq!(error, expected);
    assert!(error.to_string().contains("log.example/other+"), "{error}");
    assert!(error.to_string().contains(ORIGIN), "{error}");
    // Both logs' keys under one text: the one of this origin counts, and only it.
    let both = policy.verify(&signed_anyhow(TEXT, &[&other, &log()]).to_bytes()).unwrap();
    assert_eq!(both.log_keys(), [log().verifier().clone()]);
    // Each log's checkpoint is its own.
    let root = *checkpoint().root();
    let theirs = Checkpoint::new("log.example/other", 5, root).unwrap().sign(&[&other]).unwrap();
    assert_eq!(policy.verify(&theirs.to_bytes()).unwrap().checkpoint().origin(), "log.example/other");
    // An origin is compared as it is.
    for origin in ["Log.example/demo", "log.example/demo/", "log.example/demo "] {
        let text = TEXT.replacen(ORIGIN, origin, 1);
        let error = policy.verify(&signed_anyhow(&text, &[&log()]).to_bytes()).unwrap_err();
        assert_eq!(error.code(), "checkpoint.other_log", "{origin:?}");
    }
}

#[test]
fn a_note_without_a_known_log_key_is_refused() {
    let expected = Err(CheckpointError::NoLog { origin: ORIGIN.to_owned() });
    assert_eq!(policy_of(&[]).verify(NOTE.as_bytes()), expected);
    assert_eq!(policy_of(&[&witness()]).verify(NOTE.as_bytes()), expected);
    let stranger = numbered(ORIGIN, KeyRole::Log, 6);
    assert_eq!(policy_of(&[&stranger]).verify(NOTE.as_bytes()), expected);
    // The name alone, or the id alone, is not the key.
    let line = Note::parse(NOTE.as_bytes()).unwrap().signatures()[0].clone();
    let renamed = NoteSignature::new("log.example/demo2", line.id(), line.bytes().to_vec()).unwrap();
    let note = Note::unsigned(TEXT).unwrap().with_signature(renamed).unwrap();
    assert_eq!(policy_of(&[&log()]).verify(&note.to_bytes()), expected);
}

#[test]
fn a_bad_line_of_a_known_key_refuses_the_note_beside_a_good_one() {
    let second = numbered(ORIGIN, KeyRole::Log, 7);
    let good = signed_anyhow(TEXT, &[&log(), &second]);
    for at in 0..2 {
        let line = good.signatures()[at].clone();
        let mut bytes = line.bytes().to_vec();
        bytes[40] ^= 4;
        let bad = NoteSignature::new(line.name(), line.id(), bytes).unwrap();
        let note = good.clone().with_signature(bad).unwrap().to_bytes();
        let key = format!("{}+{}", line.name(), line.id());
        assert_eq!(
            policy_of(&[&log(), &second]).verify(&note),
            Err(CheckpointError::Signature { key }),
            "{at}"
        );
        // To who does not know that key it is a line of nobody.
        let other = if at == 0 { &second } else { &log() };
        assert_eq!(policy_of(&[other]).verify(&note).unwrap().unknown_lines(), 1);
    }
    // A witness's too: a log's good line does not save it.
    let line = Note::parse(NOTE.as_bytes()).unwrap().signatures()[1].clone();
    for bytes in [line.bytes()[..71].to_vec(), vec![1], [line.bytes(), &[0]].concat()] {
        let bad = NoteSignature::new(line.name(), line.id(), bytes).unwrap();
        let note = signed_anyhow(TEXT, &[&log()]).with_signature(bad).unwrap();
        let error = policy_of(&[&log(), &witness()]).verify(&note.to_bytes()).unwrap_err();
        assert_eq!(error.code(), "checkpoint.signature");
    }
}

#[test]
fn a_second_line_of_the_same_key_is_skipped() {
    let text = String::from_utf8(signed_anyhow(TEXT, &[&log()]).to_bytes()).unwrap();
    let line = text.rsplit_once("\n\n").unwrap().1;
    let bad = line.replace("hltKg0=", "hltKg4=");
    assert_ne!(line, bad);
    let policy = policy_of(&[&log()]);
    let verified = policy.verify(format!("{text}{bad}").as_bytes()).unwrap();
    assert_eq!((verified.log_keys().len(), verified.unknown_lines()), (1, 0));
    let bad_first = format!("{TEXT}\n{bad}{line}");
    assert_eq!(policy.verify(bad_first.as_bytes()).unwrap_err().code(), "checkpoint.signature");
}

#[test]
fn a_signed_text_that_is_no_checkpoint_is_refused_after_its_signature() {
    let policy = policy_of(&[&log()]);
    let text = format!("{ORIGIN}\n05\ntnSPbtepnefahP2X4aO6xvq4mZ9KQ2lcq5Uoot5DEUc=\n");
    let error = policy.verify(&signed_anyhow(&text, &[&log()]).to_bytes()).unwrap_err();
    assert_eq!(error.code(), "checkpoint.size");
    let stranger = numbered(ORIGIN, KeyRole::Log, 6);
    let error = policy.verify(&signed_anyhow(&text, &[&stranger]).to_bytes()).unwrap_err();
    assert_eq!(error.code(), "checkpoint.no_log");
    assert_eq!(policy.verify(b"no note").unwrap_err().code(), "note.split");
}

#[test]
fn a_cosignature_is_no_plain_signature_and_the_other_way_round() {
    let policy = policy_of(&[&log(), &witness()]);
    let key = witness().verifier().clone();
    let plain = witness().sign(TEXT.as_bytes()).unwrap();
    let line = NoteSignature::new(key.name().as_str(), key.id(), [&[0; 8][..], &plain].concat()).unwrap();
    let note = signed_anyhow(TEXT, &[&log()]).with_signature(line).unwrap();
    assert_eq!(policy.verify(&note.to_bytes()).unwrap_err().code(), "checkpoint.signature");
}

#[test]
fn extension_lines_need_a_signature_that_covers_them() {
    let post_quantum = numbered(ORIGIN, KeyRole::WitnessMlDsa44, 9);
    let file = format!("log {}\nlog {LOG_KEY}\nquorum none\n", post_quantum.verifier());
    let policy = Policy::parse(file.as_bytes()).unwrap();
    let sign = |text: &str| {
        let checkpoint = Checkpoint::parse_text(text).unwrap();
        let key = post_quantum.verifier();
        let message = ml_dsa_44_cosignature_message(key.name(), &checkpoint, TIME_S).unwrap();
        let bytes = [&TIME_S.to_be_bytes()[..], &post_quantum.sign(&message).unwrap()].concat();
        let line = NoteSignature::new(ORIGIN, key.id(), bytes).unwrap();
        Note::unsigned(text).unwrap().with_signature(line).unwrap()
    };
    let verified = policy.verify(&sign(TEXT).to_bytes()).unwrap();
    assert_eq!(verified.log_keys(), [post_quantum.verifier().clone()]);
    let extended = format!("{TEXT}extension\n");
    assert_eq!(policy.verify(&sign(&extended).to_bytes()), Err(CheckpointError::Extensions));
    let key = log().verifier().clone();
    let line = NoteSignature::new(ORIGIN, key.id(), log().sign(extended.as_bytes()).unwrap()).unwrap();
    let both = sign(&extended).with_signature(line).unwrap();
    assert_eq!(policy.verify(&both.to_bytes()).unwrap().checkpoint().extensions(), ["extension"]);
}

#[test]
fn every_flipped_bit_of_text_and_log_signature_is_refused() {
    let policy = policy_of(&[&log(), &witness()]);
    let note = NOTE.as_bytes();
    assert!(policy.verify(note).is_ok());
    let blob_at = NOTE.find(" a9L5").unwrap() + 1;
    let blob_end = NOTE.find("Kg0=").unwrap() + 4;
    for at in (0..TEXT.len()).chain(blob_at..blob_end) {
        for bit in 0..8 {
            let mut changed = note.to_vec();
            changed[at] ^= 1 << bit;
            assert!(policy.verify(&changed).is_err(), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn keys_of_other_roles_verify_no_checkpoint() {
    for role in [KeyRole::Cose, KeyRole::Dsse, KeyRole::Producer] {
        let key: VerifierKey = numbered(ORIGIN, role, 1).verifier().clone();
        let error = Policy::of_keys(vec![log().verifier().clone(), key]).unwrap_err();
        assert_eq!((error.code(), error.at()), ("policy.role", 2));
    }
}

proptest! {
    #[test]
    fn arbitrary_texts_never_panic(text in "[ -~\n]{0,40}") {
        if let Ok(checkpoint) = Checkpoint::parse_text(&text) {
            prop_assert_eq!(checkpoint.to_text(), text);
        }
    }

    #[test]
    fn checkpoints_are_read_as_they_were_written(
        origin in "[ -~é]{1,40}", size in any::<u64>(), root in any::<[u8; 32]>(),
        extensions in proptest::collection::vec("[ -~]{1,20}", 0..3),
    ) {
        let root = if size == 0 { NodeHash::empty_root() } else { NodeHash::from_bytes(root) };
        let checkpoint = Checkpoint::with_extensions(&origin, size, root, extensions).unwrap();
        prop_assert_eq!(Checkpoint::parse_text(&checkpoint.to_text()), Ok(checkpoint));
    }

    #[test]
    fn changed_bytes_of_a_note_never_verify_as_another_text(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut note = NOTE.as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(note.len());
            note[at] = byte;
        }
        if let Ok(verified) = policy_of(&[&log(), &witness()]).verify(&note) {
            prop_assert_eq!(verified.note().text(), TEXT);
        }
    }
}

//! Signed notes by the letter of C2SP signed-note: the published vectors, every refusal, keys copied wrong.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use common::{LOG_KEY, NOTE, SEEDS, TEXT, log, numbered, witness};
use proofline_canon::{Sha256Digest, base64, hex, unhex};
use proofline_proof::{
    KeyError, KeyId, KeyRole, MAX_NOTE_BYTES, MAX_NOTE_SIGNATURES, Note, NoteError, NoteSignature, SecretKey,
    SignError, Signer, VerifierKey,
};
use proptest::prelude::*;

/// The key and note published in the text of C2SP signed-note.
const FOO_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const FOO_NOTE: &str = "This is an example message.

\u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
";

/// The keys and note published with the Go module `golang.org/x/mod/sumdb/note`.
const NEUMANN_SECRET: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const NEUMANN_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const NEUMANN_NOTE: &str = "If you think cryptography is the answer to your problem,
then you don't know what your problem is.

\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
";

fn text_of(note: &str) -> &str {
    &note[..note.rfind("\n\n").unwrap() + 1]
}

#[test]
fn the_note_of_the_c2sp_text_verifies() {
    assert_eq!(FOO_NOTE.len(), 142);
    let digest = Sha256Digest::of(FOO_NOTE.as_bytes());
    assert_eq!(digest.to_string(), "8822d243b739082a3e46364540e26ea7cb59d5ee7aef454429be60a4edf1cfc2");
    let note = Note::parse(FOO_NOTE.as_bytes()).unwrap();
    assert_eq!(note.text(), "This is an example message.\n");
    let [line] = note.signatures() else { panic!("{note:?}") };
    let key: VerifierKey = FOO_KEY.parse().unwrap();
    assert_eq!((line.name(), line.id()), (key.name().as_str(), key.id()));
    assert_eq!(key.id().to_string(), "530d903a");
    assert_eq!(line.bytes().len(), 64);
    assert!(key.verify(note.text().as_bytes(), line.bytes()));
    assert!(!key.verify(b"This is an example message", line.bytes()), "the newline is signed too");
    assert_eq!(note.to_bytes(), FOO_NOTE.as_bytes());
}

#[test]
fn the_note_of_the_go_module_is_signed_again_byte_for_byte() {
    let secret: SecretKey = NEUMANN_SECRET.parse().unwrap();
    assert_eq!(secret.verifier().to_string(), NEUMANN_KEY);
    assert_eq!(*secret.to_secret_text(), NEUMANN_SECRET);
    let note = Note::sign(text_of(NEUMANN_NOTE), &[&secret]).unwrap();
    assert_eq!(String::from_utf8(note.to_bytes()).unwrap(), NEUMANN_NOTE);
}

/// A text is no key, or (for a raised byte of the name) one that the id no longer fits.
fn refuse_key(text: &str) {
    assert!(text.parse::<VerifierKey>().is_err(), "{text}");
    assert!(text.parse::<SecretKey>().is_err(), "{text}");
}

#[test]
fn a_key_cut_anywhere_is_refused() {
    for key in [NEUMANN_KEY, NEUMANN_SECRET] {
        for start in 0..key.len() {
            for end in start..=key.len() {
                let part = &key[start..end];
                // The secret's text holds that of a public key nowhere, so no part of either is a key.
                if part != key {
                    refuse_key(part);
                }
            }
        }
    }
}

#[test]
fn a_key_with_any_byte_raised_by_one_is_refused() {
    for key in [NEUMANN_KEY, NEUMANN_SECRET] {
        for at in 0..key.len() {
            let mut bytes = key.as_bytes().to_vec();
            bytes[at] += 1;
            refuse_key(&String::from_utf8(bytes).unwrap());
        }
    }
}

#[test]
fn keys_whose_id_was_made_to_fit_are_refused() {
    let too_long = "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==";
    assert_eq!(
        too_long.parse::<VerifierKey>(),
        Err(KeyError::Form),
        "its base64 has spare bits that are set"
    );
    let spelled_well = "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEQ==";
    assert_eq!(spelled_well.parse::<VerifierKey>(), Err(KeyError::Length));
    let unknown_type = "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    assert_eq!(unknown_type.parse::<VerifierKey>(), Err(KeyError::Type));
}

#[test]
fn no_secret_shows_in_debug_or_errors() {
    let secret: SecretKey = NEUMANN_SECRET.parse().unwrap();
    let seed = secret_seed();
    let shown = format!("{secret:?} {secret:#?}");
    assert!(shown.contains("PeterNeumann+c74f20a3"));
    for form in [hex(&seed), base64(&seed), base64(&[&[1], &seed[..]].concat()), format!("{seed:?}")] {
        assert!(!shown.contains(&form), "{shown}");
    }
    // Whatever is wrong with a secret's text, what is said of it repeats none of it.
    let body = NEUMANN_SECRET.rsplit('+').next().unwrap();
    for at in 0..NEUMANN_SECRET.len() {
        let mut bytes = NEUMANN_SECRET.as_bytes().to_vec();
        bytes[at] += 1;
        let wrong = String::from_utf8(bytes).unwrap();
        let error = wrong.parse::<SecretKey>().unwrap_err();
        let said = format!("{error} {error:?}");
        assert!((0..body.len() - 8).all(|from| !said.contains(&body[from..from + 8])), "{said}");
    }
    let error = NEUMANN_SECRET.parse::<VerifierKey>().unwrap_err();
    assert_eq!(error, KeyError::Kind("public"));
}

fn secret_seed() -> [u8; 32] {
    // Decoded by hand from the published text.
    unhex("810a1402d5146c8d84f2443330f54080ebf98ee17d9c74f6252fc5d5c7283173").unwrap()
}

/// A good note of one line, from which the refused ones are made.
fn good() -> (String, String) {
    let line = FOO_NOTE.rsplit_once("\n\n").unwrap().1.to_owned();
    (text_of(FOO_NOTE).to_owned(), line)
}

#[test]
fn notes_of_a_wrong_form_are_refused() {
    let (text, line) = good();
    let blob = line.trim_end().rsplit(' ').next().unwrap();
    let note = |text: &str, block: &str| format!("{text}\n{block}").into_bytes();
    let named = |name: &str| note(&text, &format!("\u{2014} {name} {blob}\n"));
    let cases: Vec<(&str, Vec<u8>, NoteError)> = vec![
        ("nothing", Vec::new(), NoteError::Split),
        ("a text alone", text.clone().into_bytes(), NoteError::Split),
        ("no signature line", note(&text, ""), NoteError::Block),
        ("no last newline", note(&text, line.trim_end()), NoteError::Block),
        ("CR LF", FOO_NOTE.replace('\n', "\r\n").into_bytes(), NoteError::Control(27)),
        ("a tab in the text", note("a\tb\n", &line), NoteError::Control(1)),
        ("a NUL in the text", note("a\0b\n", &line), NoteError::Control(1)),
        ("a unit separator", note("a\u{1f}b\n", &line), NoteError::Control(1)),
        ("no UTF-8", [b"a\xff\n\n", line.as_bytes()].concat(), NoteError::Utf8),
        ("UTF-8 of a surrogate", [b"\xed\xa0\x80\n\n", line.as_bytes()].concat(), NoteError::Utf8),
        ("a hyphen for the dash", note(&text, &line.replace('\u{2014}', "-")), NoteError::Line(1)),
        ("an en dash", note(&text, &line.replace('\u{2014}', "\u{2013}")), NoteError::Line(1)),
        ("two spaces before the name", note(&text, &line.replacen(' ', "  ", 1)), NoteError::Line(1)),
        ("two spaces before the base64", note(&text, &line.replace(" Uw2Q", "  Uw2Q")), NoteError::Line(1)),
        ("no empty line", format!("{text}{line}").into_bytes(), NoteError::Split),
        ("a blob of four bytes", note(&text, "\u{2014} example.com/foo Uw2QOg==\n"), NoteError::Line(1)),
        ("an empty blob", note(&text, "\u{2014} example.com/foo \n"), NoteError::Line(1)),
        ("no padding", note(&text, &line.replace('=', "")), NoteError::Line(1)),
        ("a spare bit set", note(&text, &line.replace("yaQM=", "yaQN=")), NoteError::Line(1)),
        ("two padded texts in a row", note(&text, "\u{2014} n AAAAAA==AAAA\n"), NoteError::Line(1)),
        ("base64 for URLs", note(&text, "\u{2014} n AAAAAA-_\n"), NoteError::Line(1)),
        ("an empty name", note(&text, &format!("\u{2014}  {blob}\n")), NoteError::Line(1)),
        ("a name with +", named("example.com/f+o"), NoteError::Line(1)),
        ("a name with U+00A0", named("example.com\u{a0}foo"), NoteError::Line(1)),
        ("a name with U+3000", named("example.com\u{3000}foo"), NoteError::Line(1)),
        ("a name with U+0085", named("example.com\u{85}foo"), NoteError::Line(1)),
        ("a bad line of nobody", note(&text, &format!("{line}hello\n")), NoteError::Line(2)),
        ("something behind the base64", note(&text, &line.replace("=\n", "= x\n")), NoteError::Line(1)),
        ("too long", vec![b'\n'; MAX_NOTE_BYTES + 1], NoteError::TooLong),
    ];
    for (what, bytes, error) in cases {
        assert_eq!(Note::parse(&bytes), Err(error), "{what}");
    }
}

#[test]
fn what_the_form_allows_is_read() {
    let (_, line) = good();
    for text in ["\n", "\n\n", "a\n\nb\n", "\u{7f}\u{85}\u{9f}\n", &format!("a\n\n{line}\n")] {
        let bytes = format!("{text}\n{line}").into_bytes();
        let note = Note::parse(&bytes).unwrap();
        assert_eq!(note.text(), text, "the last empty line splits");
        assert_eq!(note.signatures().len(), 1);
        assert_eq!(note.to_bytes(), bytes);
    }
    // Names are longer and odder than those of our own keys may be.
    let name = "\u{1}\u{2}".replace(['\u{1}', '\u{2}'], "\u{7f}é") + &"n".repeat(300);
    let bytes = format!("a\n\n\u{2014} {name} AAAAAAA=\n").into_bytes();
    let note = Note::parse(&bytes).unwrap();
    let [line] = note.signatures() else { panic!("{note:?}") };
    assert_eq!((line.name(), line.id().as_bytes(), line.bytes()), (name.as_str(), &[0; 4], &[0][..]));
}

#[test]
fn a_hundred_lines_are_read_and_the_limit_holds() {
    let lines = |count: usize| {
        let line = |at: usize| format!("\u{2014} n{at} AAAAAAA=\n");
        format!("a\n\n{}", (0..count).map(line).collect::<String>()).into_bytes()
    };
    const { assert!(MAX_NOTE_SIGNATURES >= 100) };
    let note = Note::parse(&lines(MAX_NOTE_SIGNATURES)).unwrap();
    assert_eq!(note.signatures().len(), MAX_NOTE_SIGNATURES);
    assert_eq!(Note::parse(&lines(MAX_NOTE_SIGNATURES + 1)), Err(NoteError::TooMany));
    let one_more = NoteSignature::new("more", KeyId::from_bytes([0; 4]), vec![0]).unwrap();
    assert_eq!(note.clone().with_signature(one_more), Err(NoteError::TooMany));
    let replaced = NoteSignature::new("n3", KeyId::from_bytes([0; 4]), vec![7]).unwrap();
    assert_eq!(note.with_signature(replaced).unwrap().signatures().len(), MAX_NOTE_SIGNATURES);
    // As many ML-DSA-44 cosignatures as lines are allowed fit as well.
    let mut large = Note::unsigned("a\n").unwrap();
    for at in 0..MAX_NOTE_SIGNATURES {
        let line = NoteSignature::new(&format!("n{at}"), KeyId::from_bytes([0; 4]), vec![0; 2428]).unwrap();
        large = large.with_signature(line).unwrap();
    }
    assert_eq!(Note::parse(&large.to_bytes()), Ok(large));
    let long = NoteSignature::new("long", KeyId::from_bytes([0; 4]), vec![0; MAX_NOTE_BYTES]).unwrap();
    assert_eq!(Note::unsigned("a\n").unwrap().with_signature(long), Err(NoteError::TooLong));
}

#[test]
fn signing_keeps_lines_in_order_and_replaces_those_of_the_same_key() {
    let keys: Vec<SecretKey> = (1..=3).map(|at| numbered("n.example", KeyRole::Log, at)).collect();
    let [a, b, c] = [&keys[0], &keys[1], &keys[2]];
    let ids = |note: &Note| note.signatures().iter().map(NoteSignature::id).collect::<Vec<_>>();
    let note = Note::sign("t\n", &[a, b, c]).unwrap();
    assert_eq!(ids(&note), [a, b, c].map(|key| key.verifier().id()));
    let again = note.clone().with_signature(note.signatures()[0].clone()).unwrap();
    assert_eq!(ids(&again), [b, c, a].map(|key| key.verifier().id()));
    // Same name, other id; same id, other name: other keys.
    let id = a.verifier().id();
    let other_name = NoteSignature::new("m.example", id, vec![1]).unwrap();
    assert_eq!(note.clone().with_signature(other_name).unwrap().signatures().len(), 4);
}

#[test]
fn texts_and_keys_that_make_no_note_are_refused() {
    let key = log();
    let text = |text: &str| Note::sign(text, &[&key]).unwrap_err();
    for (bad, code) in
        [("", "note.text"), ("a", "note.text"), ("a\tb\n", "note.control"), ("a\r\n", "note.control")]
    {
        assert_eq!(text(bad).code(), code, "{bad:?}");
    }
    assert_eq!(text(&"\n".repeat(MAX_NOTE_BYTES)).code(), "note.too_long");
    let error = Note::sign("a\n", &[&key, &witness()]).unwrap_err();
    assert!(matches!(&error, SignError::Role { found: KeyRole::Witness, .. }), "{error}");
    for name in ["", "a b", "a+b", "a\u{3000}", "a\n"] {
        assert_eq!(NoteSignature::new(name, KeyId::from_bytes([0; 4]), vec![1]), None, "{name:?}");
    }
    assert_eq!(NoteSignature::new("a", KeyId::from_bytes([0; 4]), Vec::new()), None);
}

/// A signer that signs something else than it was given.
#[derive(Debug)]
struct Broken(SecretKey);

impl Signer for Broken {
    fn verifier(&self) -> &VerifierKey {
        self.0.verifier()
    }

    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SignError> {
        self.0.sign(b"something else")
    }
}

#[test]
fn a_signature_that_does_not_verify_is_not_published() {
    let error = Note::sign("a\n", &[&Broken(log())]).unwrap_err();
    assert_eq!(error.code(), "sign.unverified");
}

#[test]
fn the_example_key_is_that_of_rfc_8032() {
    let key = log();
    assert_eq!(key.verifier().to_string(), LOG_KEY);
    assert_eq!(
        hex(key.verifier().key_bytes()),
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    );
    assert!(!format!("{key:?}").contains(SEEDS[0]));
    assert!(NOTE.starts_with(TEXT));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(note) = Note::parse(&bytes) {
            prop_assert_eq!(note.to_bytes(), bytes);
        }
    }

    #[test]
    fn a_note_cut_and_pasted_is_refused_or_written_as_it_was(
        parts in proptest::collection::vec(
            prop_oneof![
                Just("\n"), Just("\n\n"), Just("\u{2014} "), Just("\u{2014} a AAAAAAA=\n"), Just("AAAAAAA="),
                Just(" "), Just("a"), Just("a\n"), Just("\u{a0}"), Just("+"), Just("\t"), Just("AAAAAAB="),
            ],
            0..14,
        ),
    ) {
        let bytes = parts.concat().into_bytes();
        if let Ok(note) = Note::parse(&bytes) {
            prop_assert_eq!(note.to_bytes(), bytes);
            prop_assert!(note.text().ends_with('\n'));
            prop_assert!(!note.signatures().is_empty());
        }
    }

    #[test]
    fn what_is_written_is_read_again(
        text in "([ -~é\u{2014}]{0,12}\n){1,5}",
        lines in proptest::collection::vec(
            ("[a-zé./]{1,9}", any::<[u8; 4]>(), proptest::collection::vec(any::<u8>(), 1..80)),
            1..6,
        ),
    ) {
        let mut note = Note::unsigned(&text).unwrap();
        for (name, id, bytes) in lines {
            note = note.with_signature(NoteSignature::new(&name, KeyId::from_bytes(id), bytes).unwrap()).unwrap();
        }
        prop_assert_eq!(Note::parse(&note.to_bytes()), Ok(note));
    }
}

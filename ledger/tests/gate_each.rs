//! The gate over many submissions at once, and over canonical bytes, against the gate over one submission in a
//! spelling that only the strict parser reads: the same answers, word for word.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::sync::LazyLock;

use common::{auth_context, chain, hash_of};
use proofline_canon::{Limits, Profile, canonicalize};
use proofline_ledger::Submission;
use proofline_ledger::gate::{DeclaredDigest, DeclaredType, Examined, examine, examine_each};
use proofline_trace::try_canonical;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Canonical envelopes of all kinds that the gate takes, and texts that it refuses.
static TEXTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let canonical = |text: &String| {
        let bytes = canonicalize(text.as_bytes(), Profile::Envelope, &Limits::ENVELOPE).unwrap();
        String::from_utf8(bytes).unwrap()
    };
    let envelopes: Vec<String> = chain(7, 3).iter().map(canonical).collect();
    let first = envelopes[0].clone();
    let broken = [
        first.replace("\"ts_ms\"", "\"ts_mss\""),
        first.replace("auth_context", "model_call"),
        first.replace("auth_context", "auth"),
        first.replace("\"1.0.0\"", "\"1.0.1\""),
        first[..first.len() - 1].to_owned(),
        first.replacen('{', "{\"a\":1,\"a\":2,", 1),
        "{}".to_owned(),
        "7".to_owned(),
        String::new(),
    ];
    let spelled =
        envelopes.iter().map(|text| text.replace("\"trace\"", "\"tr\\u0061ce\"")).collect::<Vec<_>>();
    envelopes.into_iter().chain(spelled).chain(broken).collect()
});

#[derive(Debug, Clone)]
enum Hash {
    Right,
    Shouted,
    Other(String),
    Absent,
    Computed,
}

fn declared_type() -> impl Strategy<Value = DeclaredType<'static>> {
    let names = ["auth_context", "policy_decision", "model_call", "tool_call", "Tool_call", ""];
    prop_oneof![
        3 => Just(DeclaredType::Own),
        1 => Just(DeclaredType::Absent),
        3 => select(names.to_vec()).prop_map(DeclaredType::Named),
    ]
}

fn declared_hash() -> impl Strategy<Value = Hash> {
    prop_oneof![
        2 => Just(Hash::Computed),
        2 => Just(Hash::Right),
        1 => Just(Hash::Shouted),
        1 => Just(Hash::Absent),
        1 => "[0-9a-f]{62,66}|\\PC{0,70}".prop_map(Hash::Other),
    ]
}

/// All that an answer says.
fn said(examined: &Examined) -> String {
    format!("{examined:?}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn many_are_examined_as_each_and_canonical_ones_as_any(
        picked in vec((any::<Index>(), declared_type(), declared_hash()), 0..20),
    ) {
        let limits = Limits::ENVELOPE;
        let spoken: Vec<(&str, DeclaredType<'_>, Option<String>)> = picked
            .iter()
            .map(|(at, record_type, hash)| {
                let text = at.get(&TEXTS).as_str();
                let declared = match hash {
                    Hash::Right => hash_if_sound(text),
                    Hash::Shouted => hash_if_sound(text).map(|hash| hash.to_uppercase()),
                    Hash::Other(text) => Some(text.clone()),
                    Hash::Absent | Hash::Computed => None,
                };
                (text, *record_type, declared)
            })
            .collect();
        let digest = |at: usize| match (&picked[at].2, &spoken[at].2) {
            (Hash::Computed, _) => DeclaredDigest::Computed,
            (_, Some(text)) => DeclaredDigest::Text(text),
            (_, None) => DeclaredDigest::Absent,
        };
        let spaced: Vec<String> = spoken.iter().map(|(text, ..)| format!("{text} ")).collect();
        let submissions: Vec<Submission<'_>> = (0..spoken.len())
            .map(|at| Submission {
                record_type: spoken[at].1,
                declared_hash: digest(at),
                envelope: spoken[at].0.as_bytes(),
            })
            .collect();
        let together: Vec<String> = examine_each(&submissions, &limits).iter().map(said).collect();
        let one_by_one: Vec<String> =
            submissions.iter().map(|submission| said(&examine(submission, &limits))).collect();
        prop_assert_eq!(&together, &one_by_one);
        // White space behind a text changes no answer, and keeps the one pass over canonical bytes out of it.
        for ((submission, answer), spaced) in submissions.iter().zip(&together).zip(&spaced) {
            prop_assert!(try_canonical(spaced.as_bytes(), &limits).is_none());
            let slow = said(&examine(&Submission { envelope: spaced.as_bytes(), ..*submission }, &limits));
            // The end of a text that breaks off is where the text ends.
            if submission.envelope.ends_with(b"}") {
                prop_assert_eq!(answer, &slow);
            }
        }
    }
}

fn hash_if_sound(text: &str) -> Option<String> {
    match examine(&Submission::bare(format!("{text} ").as_bytes()), &Limits::ENVELOPE) {
        Examined::Sound(sealed) => Some(sealed.hash().to_string()),
        _ => None,
    }
}

#[test]
fn every_answer_is_among_those_examined() {
    let text = auth_context(3, "staff/ada");
    let canonical = canonicalize(text.as_bytes(), Profile::Envelope, &Limits::ENVELOPE).unwrap();
    assert!(try_canonical(&canonical, &Limits::ENVELOPE).is_some());
    let hash = hash_of(&text);
    let submission =
        |record_type, declared_hash| Submission { record_type, declared_hash, envelope: &canonical };
    let answers = examine_each(
        &[
            submission(DeclaredType::Own, DeclaredDigest::Text(&hash)),
            submission(DeclaredType::Named("tool_call"), DeclaredDigest::Text(&hash)),
            submission(DeclaredType::Own, DeclaredDigest::Absent),
            submission(DeclaredType::Named("nothing"), DeclaredDigest::Absent),
            submission(DeclaredType::Named("auth_context"), DeclaredDigest::Computed),
        ],
        &Limits::ENVELOPE,
    );
    let kinds: Vec<String> = answers
        .iter()
        .map(|answer| match answer {
            Examined::Sound(sealed) => sealed.hash().to_string(),
            Examined::Mismatched(sealed, rejection) => format!("{} {}", sealed.hash(), rejection.kind),
            Examined::Refused(rejection) => rejection.kind.to_string(),
        })
        .collect();
    let mismatched = format!("{hash} hash_mismatch.envelope_hash");
    let expected =
        [&hash, "schema_violation.record_type_mismatch", &mismatched, "record_type_forbidden", &hash];
    assert_eq!(kinds, expected);
}

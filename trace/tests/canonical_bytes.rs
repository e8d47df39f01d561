//! The one pass over canonical bytes against its slow twin (the strict parser, `validate`, the writer of values): it
//! answers the same or nothing, and it does answer whenever it should, so that it cannot rot into a way that nothing
//! takes. The typed writers have the same twin. `PROOFLINE_EFFORT=full` runs a million generated documents.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

#[path = "canonical_bytes/generated.rs"]
mod generated;
#[path = "canonical_bytes/mutated.rs"]
mod mutated;

use generated::{envelope, extreme_envelopes};
use mutated::{Change, Document, change};
use proofline_canon::{Limits, Profile, Sha256Digest, parse};
use proofline_trace::{
    Envelope, EnvelopeHash, Uncertified, Unhashed, certify, read_canonical, read_envelope, read_unhashed,
    seal_each, try_canonical, validate,
};
use proptest::collection::vec;
use proptest::prelude::*;

const LIMITS: Limits = Limits::ENVELOPE;

fn is_full() -> bool {
    match std::env::var("PROOFLINE_EFFORT").as_deref() {
        Ok("full") => true,
        Err(_) | Ok("ci") => false,
        Ok(other) => panic!("PROOFLINE_EFFORT is ci or full, not {other}"),
    }
}

fn cases() -> ProptestConfig {
    let cases = if is_full() { 1_000_000 } else { 3_000 };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// The slow twin: the envelope in canonical bytes.
fn slowly(bytes: &[u8], limits: &Limits) -> Option<Envelope> {
    let value = parse(bytes, limits).ok()?;
    let envelope = validate(&value).ok()?;
    (value.to_canonical(Profile::Envelope).unwrap() == bytes).then_some(envelope)
}

fn slow_bytes(envelope: &Envelope) -> Vec<u8> {
    envelope.to_value().to_canonical(Profile::Envelope).unwrap()
}

/// Both agree on these bytes: without an escape they give the same answer, and with one the fast way may give none.
/// Says whether the fast way answered.
fn agree(bytes: &[u8], limits: &Limits) -> bool {
    let fast = try_canonical(bytes, limits).map(|read| {
        assert!(read.is_as_read() && read.canonical() == bytes);
        read.into_envelope()
    });
    let slow = slowly(bytes, limits);
    if fast.is_some() || !bytes.contains(&b'\\') {
        assert_eq!(fast, slow, "{}", String::from_utf8_lossy(bytes));
    }
    assert_eq!(read_canonical(bytes, limits), slow, "{}", String::from_utf8_lossy(bytes));
    fast.is_some()
}

#[test]
fn extreme_envelopes_are_written_and_read_as_by_the_slow_twin() {
    let mut answered = 0;
    let envelopes = extreme_envelopes();
    for envelope in &envelopes {
        let bytes = slow_bytes(envelope);
        assert_eq!(envelope.clone().unhashed().canonical(), bytes);
        answered += usize::from(agree(&bytes, &LIMITS));
        // Limits: exactly fitting, and one less of each.
        let exact = LIMITS.with_max_bytes(bytes.len());
        agree(&bytes, &exact);
        assert_eq!(read_canonical(&bytes, &exact).as_ref(), Some(envelope));
        assert_eq!(try_canonical(&bytes, &LIMITS.with_max_bytes(bytes.len() - 1)), None);
        for depth in 0..5 {
            let slow = slowly(&bytes, &LIMITS.with_max_depth(depth));
            assert_eq!(read_canonical(&bytes, &LIMITS.with_max_depth(depth)), slow, "{depth}");
        }
    }
    let escaped = envelopes.iter().filter(|envelope| slow_bytes(envelope).contains(&b'\\')).count();
    assert!(escaped > 0 && answered > 100);
    assert_eq!(answered, envelopes.len() - escaped, "of {} envelopes", envelopes.len());
}

/// Every byte changed, left out, doubled, and others put in before it.
#[test]
fn single_bytes_changed_anywhere() {
    let every: Vec<u8> = (0..=u8::MAX).collect();
    let some = b"\0\n \"\\/{}[]:,-.+_eE019aAfgz\x7f\x80\xc3\xff";
    let bytes_to_try: &[u8] = if is_full() { &every } else { some };
    let mut canonical = 0;
    for envelope in generated::samples() {
        let bytes = slow_bytes(&envelope);
        assert!(agree(&bytes, &LIMITS));
        for at in 0..bytes.len() {
            for byte in bytes_to_try {
                let mut changed = bytes.clone();
                changed[at] = *byte;
                canonical += usize::from(agree(&changed, &LIMITS));
                changed.insert(at, *byte);
                agree(&changed, &LIMITS);
                changed[at + 1] = bytes[at];
                canonical += usize::from(agree(&changed, &LIMITS));
            }
            let mut shorter = bytes.clone();
            shorter.remove(at);
            canonical += usize::from(agree(&shorter, &LIMITS));
            agree(&bytes[..at], &LIMITS);
            let mut doubled = bytes.clone();
            doubled.insert(at, bytes[at]);
            canonical += usize::from(agree(&doubled, &LIMITS));
        }
        for byte in bytes_to_try {
            assert!(!agree(&[&bytes[..], &[*byte]].concat(), &LIMITS));
        }
    }
    assert!(canonical > 5_000, "only {canonical} changes left a canonical envelope");
}

#[test]
fn many_are_hashed_as_each() {
    let envelopes = extreme_envelopes();
    let spelled: Vec<Vec<u8>> =
        envelopes.iter().map(slow_bytes).map(|bytes| [b" ", &bytes[..]].concat()).collect();
    let read = |bytes| read_unhashed(bytes, &LIMITS).unwrap();
    let mixed: Vec<Unhashed<'_>> = envelopes
        .iter()
        .zip(&spelled)
        .enumerate()
        .map(
            |(at, (envelope, bytes))| {
                if at % 3 == 0 { envelope.clone().unhashed() } else { read(&bytes[at % 2..]) }
            },
        )
        .collect();
    let one_by_one: Vec<_> = mixed.iter().cloned().map(Unhashed::seal).collect();
    assert_eq!(seal_each(mixed), one_by_one);
    for (sealed, envelope) in one_by_one.iter().zip(&envelopes) {
        assert_eq!((sealed.envelope(), sealed.canonical()), (envelope, &slow_bytes(envelope)[..]));
        assert_eq!(sealed.hash(), EnvelopeHash::from(Sha256Digest::of(&slow_bytes(envelope))));
    }
    assert_eq!(seal_each(Vec::new()), []);
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_envelope_is_written_and_read_as_by_the_slow_twin(envelope in envelope()) {
        let bytes = slow_bytes(&envelope);
        let sealed = envelope.clone().seal();
        prop_assert_eq!(sealed.canonical(), &bytes[..]);
        prop_assert_eq!(agree(&bytes, &LIMITS), !bytes.contains(&b'\\'));
        let read = read_envelope(&bytes, &LIMITS).unwrap();
        prop_assert_eq!(&read, &sealed);
        let certificate = certify(&bytes, &sealed.hash()).unwrap();
        prop_assert_eq!(certificate.envelope(), &sealed);
    }

    /// Whatever was done to the text, both ways say the same of it, faults included.
    #[test]
    fn changed_documents_are_read_as_by_the_slow_twin(envelope in envelope(), changes in vec(change(), 1..4)) {
        let bytes = slow_bytes(&envelope);
        let changed = Document::of(&bytes).changed(&changes);
        agree(&changed, &LIMITS);
        match (read_envelope(&changed, &LIMITS), parse(&changed, &LIMITS)) {
            (Ok(sealed), Ok(value)) => {
                prop_assert_eq!(&validate(&value), &Ok(sealed.envelope().clone()));
                prop_assert_eq!(sealed.canonical(), &value.to_canonical(Profile::Envelope).unwrap()[..]);
                let certified = certify(&changed, &sealed.hash());
                prop_assert_eq!(certified.is_ok(), sealed.canonical() == &changed[..]);
                if let Err(error) = certified {
                    let is_expected = matches!(error, Uncertified::NotCanonical { .. });
                    prop_assert!(is_expected, "{error}");
                }
            }
            (Err(rejection), Ok(value)) => {
                let violation = validate(&value).unwrap_err();
                prop_assert_eq!(rejection, violation.into());
            }
            (read, Err(error)) => prop_assert_eq!(read.unwrap_err(), proofline_trace::malformed(&error)),
        }
    }
}

/// The changes reach both kinds of document, or the test above would show little.
#[test]
fn changes_make_sound_documents_and_unsound_ones() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let (mut sound, mut canonical) = (0, 0);
    for _ in 0..1_000 {
        let strategy = (envelope(), vec(change(), 1..4));
        let (envelope, changes): (Envelope, Vec<Change>) = strategy.new_tree(&mut runner).unwrap().current();
        let changed = Document::of(&slow_bytes(&envelope)).changed(&changes);
        sound += usize::from(read_envelope(&changed, &LIMITS).is_ok());
        canonical += usize::from(slowly(&changed, &LIMITS).is_some());
    }
    assert!(
        (100..900).contains(&sound) && (20..sound).contains(&canonical),
        "{sound} sound, {canonical} canonical"
    );
}

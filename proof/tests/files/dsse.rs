//! DSSE envelopes, in-toto statements and producers' signatures: published and computed vectors, and
//! the holes that readers of DSSE are known for.

use std::num::NonZeroUsize;

use proofline_canon::{Sha256Digest, base64};
use proofline_proof::files::dsse::{DsseEnvelope, pae};
use proofline_proof::files::producer::{ENVELOPE_HASH_TYPE, sign_envelope, verify_envelope};
use proofline_proof::{KeyRole, SecretKey, Signer, VerifierKey};
use proofline_trace::EnvelopeHash;
use proptest::prelude::*;

use crate::common::{SEEDS, key};

const TYPE: &str = "application/vnd.in-toto+json";

fn signers() -> [SecretKey; 2] {
    [key("a.example", KeyRole::Dsse, SEEDS[0]), key("b.example", KeyRole::Dsse, SEEDS[1])]
}

fn keys() -> [VerifierKey; 2] {
    signers().map(|signer| signer.verifier().clone())
}

fn of(needed: usize) -> NonZeroUsize {
    NonZeroUsize::new(needed).unwrap()
}

/// The keys that signed an envelope, or the code with which it is refused.
fn verdict(json: &str, keys: &[VerifierKey], needed: usize) -> Result<Vec<String>, &'static str> {
    let envelope = DsseEnvelope::parse(json.as_bytes()).map_err(|error| error.code())?;
    let verified = envelope.verify(TYPE, KeyRole::Dsse, keys, of(needed)).map_err(|error| error.code())?;
    assert_eq!(verified.payload_type, TYPE);
    Ok(verified.keys.iter().map(|key| key.name().to_string()).collect())
}

#[test]
fn the_encoding_is_that_of_the_text() {
    for (kind, body, expected) in [
        (
            "http://example.com/HelloWorld",
            "hello world",
            "DSSEv1 29 http://example.com/HelloWorld 11 hello world",
        ),
        ("", "", "DSSEv1 0  0 "),
        ("http://example.com/ü", "hé", "DSSEv1 21 http://example.com/ü 3 hé"),
    ] {
        assert_eq!(pae(kind, body.as_bytes()), expected.as_bytes());
    }
    let published = pae("http://example.com/HelloWorld", b"hello world");
    assert_eq!(published.len(), 54);
    assert_eq!(
        Sha256Digest::of(&published).to_string(),
        "217751fac2c4f14edb2c9297fbc34abcb016ba88e74757e875ec4ac16fb6b6a1"
    );
}

/// The body of the computed vector.
fn minimal() -> String {
    concat!(
        r#"{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"a.txt","digest":{"sha256":""#,
        "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9",
        r#""}}],"predicateType":"https://example.com/Result/v1","predicate":{}}"#
    )
    .to_owned()
}

const SIGNATURE: &str =
    "I9m4nlOOk2hbSviaotZV6J4fjngyoajPghqBigzlm4bf8dcvbugIb392jBIT2fdHeTa0sZ3LAyYB2MBW1m6CDw==";

#[test]
fn the_computed_vector_is_made_and_verified() {
    let body = minimal();
    assert_eq!(body.len(), 222);
    let signed = pae(TYPE, body.as_bytes());
    assert_eq!(signed.len(), 265);
    assert_eq!(
        Sha256Digest::of(&signed).to_string(),
        "6c5b7bf75558fb41922fc8d2c4da40f1bf45f935fbb0a1e089fdafbdefb496ad"
    );
    let envelope = DsseEnvelope::sign(TYPE, body.clone().into_bytes(), KeyRole::Dsse, &signers()[0]).unwrap();
    assert_eq!(base64(&envelope.signatures()[0].sig), SIGNATURE);
    let keyid = keys()[0].short_name();
    let json = format!(
        r#"{{"payload":"{}","payloadType":"{TYPE}","signatures":[{{"keyid":"{keyid}","sig":"{SIGNATURE}"}}]}}"#,
        base64(body.as_bytes())
    );
    assert_eq!(envelope.write().unwrap(), json.as_bytes());
    assert_eq!(DsseEnvelope::parse(json.as_bytes()).unwrap(), envelope);
    let keys = keys();
    let verified = envelope.verify(TYPE, KeyRole::Dsse, &keys, of(1)).unwrap();
    assert_eq!((verified.payload, &verified.keys[..]), (body.as_bytes(), &[&keys[0]][..]));
}

/// An envelope of the computed vector with other members.
fn json(payload: &str, signatures: &str, more: &str) -> String {
    format!(r#"{{"payload":"{payload}","payloadType":"{TYPE}","signatures":[{signatures}]{more}}}"#)
}

fn payload() -> String {
    base64(minimal().as_bytes())
}

fn first() -> String {
    format!(r#"{{"sig":"{SIGNATURE}"}}"#)
}

fn second() -> String {
    let signed = signers()[1].sign(&pae(TYPE, minimal().as_bytes())).unwrap();
    format!(r#"{{"sig":"{}"}}"#, base64(&signed))
}

#[test]
fn either_base64_and_unknown_members_are_read() {
    let keys = keys();
    let a = Ok(vec!["a.example".to_owned()]);
    assert_eq!(verdict(&json(&payload(), &first(), ""), &keys, 1), a);
    let url_safe = |text: &str| text.replace('+', "-").replace('/', "_");
    let b = Ok(vec!["b.example".to_owned()]);
    assert!(second().contains('+') || second().contains('/'), "{}", second());
    assert_eq!(verdict(&json(&payload(), &url_safe(&second()), ""), &keys, 1), b);
    let spaced = json(&payload(), &first().replace('}', r#", "more": {"a": 1.5}}"#), r#","extra":[null]"#);
    assert_eq!(verdict(&format!(" \n{spaced}\n"), &keys, 1), a);
}

#[test]
fn what_two_readers_could_read_differently_is_refused() {
    let keys = keys();
    let whole = json(&payload(), &first(), "");
    let payload = payload();
    for (json, code, why) in [
        (json(&payload, &first(), r#","payload":"""#), "canon.duplicate_member", "two payloads"),
        (json(&payload, &first().replace('}', r#","sig":""}"#), ""), "canon.duplicate_member", "two sigs"),
        (format!("{whole} {{}}"), "canon.trailing_data", "two envelopes"),
        (format!("[{whole}]"), "dsse.member", "no object"),
        (whole.replace("payload\"", "Payload\""), "dsse.member", "another case"),
        (whole.replace("payloadType", "payload_type"), "dsse.member", "no type"),
        (whole.replace("\"sig\"", "\"signature\""), "dsse.member", "no sig"),
        (whole.replace("\"signatures\"", "\"sigs\""), "dsse.member", "no signatures"),
        (whole.replace("{\"sig\"", "{\"keyid\":1,\"sig\""), "dsse.member", "a number as key id"),
        (json(&payload, "", ""), "dsse.count", "nobody signed"),
        (json(&payload, &vec![first(); 17].join(","), ""), "dsse.count", "17 signatures"),
        (whole.replace("==", ""), "dsse.base64", "no padding"),
        (whole.replacen("Dw==", "Dx==", 1), "dsse.base64", "spare bits"),
        (whole.replacen("hbSv", "hb Sv", 1), "dsse.base64", "white space"),
        (whole.replacen("/", "_", 1), "dsse.payload_type", "another type"),
        (
            whole.replace(TYPE, "application/vnd.in-toto+JSON"),
            "dsse.payload_type",
            "another case of the type",
        ),
        (json(&base64(b"other"), &first(), ""), "dsse.threshold", "another payload"),
        (whole.replacen("I9m4", "I9m5", 1), "dsse.threshold", "another signature"),
    ] {
        assert_eq!(verdict(&json, &keys, 1), Err(code), "{why}");
    }
    let mixed = json(&payload, r#"{"sig":"+_AA"}"#, "");
    assert_eq!(verdict(&mixed, &keys, 1), Err("dsse.base64"), "both alphabets at once");
}

#[test]
fn keys_are_counted_and_not_signatures() {
    let keys = keys();
    let both = format!("{},{}", first(), second());
    let names = |names: &[&str]| Ok(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    assert_eq!(verdict(&json(&payload(), &both, ""), &keys, 2), names(&["a.example", "b.example"]));
    let twice = format!("{},{}", first(), first());
    assert_eq!(verdict(&json(&payload(), &twice, ""), &keys, 2), Err("dsse.threshold"));
    assert_eq!(verdict(&json(&payload(), &both, ""), &keys[..1], 2), Err("dsse.threshold"));
    // One key under two names is one key.
    let again = [keys[0].clone(), key("c.example", KeyRole::Dsse, SEEDS[0]).verifier().clone()];
    assert_eq!(verdict(&json(&payload(), &both, ""), &again, 2), Err("dsse.threshold"));
    // A good signature among others is enough for one.
    let bad = format!(r#"{{"sig":""}},{{"keyid":"x","sig":"{}"}},{}"#, base64(&[1; 64]), second());
    assert_eq!(verdict(&json(&payload(), &bad, ""), &keys, 1), names(&["b.example"]));
    assert_eq!(verdict(&json(&payload(), &both, ""), &[], 1), Err("dsse.count"));
    let other_role = [key("a.example", KeyRole::Producer, SEEDS[0]).verifier().clone()];
    assert_eq!(verdict(&json(&payload(), &both, ""), &other_role, 1), Err("dsse.count"));
    let many: Vec<VerifierKey> = (1..=65)
        .map(|seed| key("n.example", KeyRole::Dsse, &format!("{seed:064x}")).verifier().clone())
        .collect();
    assert_eq!(verdict(&json(&payload(), &both, ""), &many, 1), Err("dsse.count"));
}

#[test]
fn a_key_id_only_narrows() {
    let keys = keys();
    let with = |keyid: &str| json(&payload(), &first().replace('{', &format!(r#"{{"keyid":"{keyid}","#)), "");
    let a = Ok(vec!["a.example".to_owned()]);
    for keyid in [keys[0].short_name().as_str(), "", "a.example", "SHA256:whatever"] {
        assert_eq!(verdict(&with(keyid), &keys, 1), a, "{keyid:?}");
    }
    let other = keys[1].short_name();
    assert_eq!(verdict(&with(&other), &keys, 1), Err("dsse.threshold"), "it names another key");
    assert_eq!(verdict(&with(&other), &keys[..1], 1), a, "it names none of those given");
}

#[test]
fn envelopes_over_the_same_payload_are_joined() {
    let sign = |at: usize, body: &str| {
        DsseEnvelope::sign(TYPE, body.as_bytes().to_vec(), KeyRole::Dsse, &signers()[at]).unwrap()
    };
    let mut joined = sign(0, "{}");
    joined.join(sign(1, "{}")).unwrap();
    let keys = keys();
    assert_eq!(joined.verify(TYPE, KeyRole::Dsse, &keys, of(2)).unwrap().keys, [&keys[0], &keys[1]]);
    assert_eq!(joined.join(sign(1, "[]")).unwrap_err().code(), "dsse.member");
    for _ in 2..16 {
        joined.join(sign(1, "{}")).unwrap();
    }
    assert_eq!(joined.join(sign(1, "{}")).unwrap_err().code(), "dsse.count");
    let refused = DsseEnvelope::sign(TYPE, Vec::new(), KeyRole::Dsse, &key("a", KeyRole::Log, SEEDS[0]));
    assert_eq!(refused.unwrap_err().code(), "sign.role");
}

#[test]
fn a_producer_signs_the_digits_of_the_envelope_hash() {
    let producer = key("producer.example/agent", KeyRole::Producer, SEEDS[0]);
    let hash = EnvelopeHash::of(b"{}");
    let digits = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    let signed = sign_envelope(&hash, &producer).unwrap();
    assert_eq!(signed.payload_type(), "application/vnd.proofline.envelope-sha256");
    let text = String::from_utf8(signed.write().unwrap()).unwrap();
    assert!(text.contains(&format!(r#""payload":"{}""#, base64(digits.as_bytes()))), "{text}");
    let key_of = producer.verifier();
    let read = DsseEnvelope::parse(text.as_bytes()).unwrap();
    verify_envelope(&read, key_of, &hash).unwrap();
    let code = |envelope: &DsseEnvelope, key: &VerifierKey, hash: &EnvelopeHash| {
        verify_envelope(envelope, key, hash).unwrap_err().code()
    };
    assert_eq!(code(&read, key_of, &EnvelopeHash::of(b"[]")), "dsse.other_envelope");
    let other = key("producer.example/agent", KeyRole::Producer, SEEDS[1]);
    assert_eq!(code(&read, other.verifier(), &hash), "dsse.threshold");
    let statement = key("producer.example/agent", KeyRole::Dsse, SEEDS[0]);
    assert_eq!(code(&read, statement.verifier(), &hash), "dsse.count", "the same bytes in another role");
    assert_eq!(sign_envelope(&hash, &statement).unwrap_err().code(), "sign.role");
    for body in [digits.to_uppercase(), format!("{digits}\n"), String::new()] {
        let odd =
            DsseEnvelope::sign(ENVELOPE_HASH_TYPE, body.into_bytes(), KeyRole::Producer, &producer).unwrap();
        assert_eq!(code(&odd, key_of, &hash), "dsse.other_envelope");
    }
    let typed = DsseEnvelope::sign(TYPE, digits.into(), KeyRole::Producer, &producer).unwrap();
    assert_eq!(code(&typed, key_of, &hash), "dsse.payload_type");
}

proptest! {
    #[test]
    fn written_envelopes_are_read(kind in ".{0,40}", body in prop::collection::vec(any::<u8>(), 0..100)) {
        let envelope = DsseEnvelope::sign(&kind, body, KeyRole::Dsse, &signers()[0]).unwrap();
        prop_assert_eq!(DsseEnvelope::parse(&envelope.write().unwrap()).unwrap(), envelope);
    }

    /// A changed byte is refused, or it is one that changes nothing that is covered.
    #[test]
    fn what_is_verified_was_signed(at in 0..500_usize, to: u8) {
        let mut text = json(&payload(), &first(), "").into_bytes();
        let at = at % text.len();
        text[at] = to;
        let keys = keys();
        if let Ok(envelope) = DsseEnvelope::parse(&text)
            && let Ok(verified) = envelope.verify(TYPE, KeyRole::Dsse, &keys, of(1))
        {
            prop_assert_eq!(verified.payload.to_vec(), minimal().into_bytes());
        }
    }
}

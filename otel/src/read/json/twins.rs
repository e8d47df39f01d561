//! The quick reading of a span against the slow one, on plain spans, unusual ones, and what is left
//! of both after a mutator was at them.

use proofline_canon::Limits;
use prost::Message;

use super::{fast, slow};

const LIMITS: Limits = Limits::CONTENT.with_max_depth(20);

/// Read by both.
const PLAIN: [&str; 6] = [
    r#"{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"EEE19b7ec3c1b174","parentSpanId":"","name":"chat gpt-4o","kind":3,"startTimeUnixNano":"1544712660000000000","endTimeUnixNano":1544712661000000000,"status":{"code":2,"message":"no \"way\""},"flags":257,"traceState":"a=b"}"#,
    r#" { "attributes" : [ {"key":"i","value":{"intValue":"-9223372036854775808"}} , {"key":"n","value":{"intValue":-0}}, {"key":"d","value":{"doubleValue":-0.0}}, {"key":"e","value":{"doubleValue":1.5e-7}}, {"key":"b","value":{"boolValue":false}} ] }"#,
    r#"{"attributes":[{"key":"k","value":{"kvlistValue":{"values":[{"key":"x","value":{"arrayValue":{"values":[{"stringValue":"\ud83d\ude00 \u00e9\n\t\\\/"},{},{"arrayValue":{}}]}}},{"key":"y"}]}}}]}"#,
    r#"{"events":[{"timeUnixNano":"18446744073709551615","name":"e","attributes":[],"droppedAttributesCount":4294967295}],"droppedEventsCount":"1","droppedAttributesCount":2,"droppedLinksCount":3}"#,
    r#"{"links":[{"traceId":"00","spanId":"aB","traceState":"","attributes":[{"value":{},"key":"é"}],"droppedAttributesCount":0,"flags":1}]}"#,
    "{}",
];

/// Left to the slow reading, which reads or refuses them.
const UNUSUAL: [&str; 22] = [
    r#"{"name":null}"#,
    r#"{"name":"a","name":"b"}"#,
    r#"{"name":"a","n\u0061me":"b"}"#,
    r#"{"kind":"SPAN_KIND_CLIENT"}"#,
    r#"{"kind":-1}"#,
    r#"{"kind":3.0}"#,
    r#"{"flags":4294967296}"#,
    r#"{"startTimeUnixNano":"01"}"#,
    r#"{"startTimeUnixNano":1e9}"#,
    r#"{"start_time_unix_nano":"1"}"#,
    r#"{"traceId":"0g"}"#,
    r#"{"traceId":"000"}"#,
    r#"{"name":"\ud800"}"#,
    r#"{"name":"\udc00\ud800"}"#,
    r#"{"attributes":[{"key":"a","value":{"intValue":"1","stringValue":"1"}}]}"#,
    r#"{"attributes":[{"key":"a","value":{"doubleValue":"NaN"}}]}"#,
    r#"{"attributes":[{"key":"a","value":{"doubleValue":1e400}}]}"#,
    r#"{"attributes":[{"key":"a","value":{"bytesValue":"AP8="}}]}"#,
    r#"{"attributes":[{"key":"a","value":{"arrayValue":{"values":[null]}}}]}"#,
    r#"{"attributes":[{"key":"a","value":{"intValue":true}}]}"#,
    r#"{"attributes":{}}"#,
    r#"{"unknown":[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]}"#,
];

/// What is quick is what is slow; true if there was something quick.
fn agree(text: &[u8]) -> bool {
    let Some((span, length)) = fast::span(text, LIMITS.max_depth()) else { return false };
    let shown = String::from_utf8_lossy(text);
    let (slow, notes) =
        slow::span(&text[..length], &LIMITS).unwrap_or_else(|fault| panic!("{fault}: {shown}"));
    assert!(notes.is_empty(), "{shown}");
    // Bytes tell the two zeros apart, which values do not.
    assert_eq!(span.encode_to_vec(), slow.encode_to_vec(), "{shown}");
    true
}

#[test]
fn plain_spans_are_quick_and_unusual_ones_are_not() {
    for text in PLAIN {
        assert!(agree(text.trim_start().as_bytes()), "{text}");
        assert!(slow::span(text.as_bytes(), &LIMITS).is_ok(), "{text}");
    }
    for text in UNUSUAL {
        assert!(!agree(text.as_bytes()), "{text}");
    }
}

#[test]
fn behind_a_plain_span_the_text_goes_on() {
    let (span, length) = fast::span(br#"{"name":"a"},{"name":"b"}"#, 20).unwrap();
    assert_eq!((span.name.as_str(), length), ("a", 12));
    assert_eq!(fast::span(br#"{"name":"a""#, 20), None);
    assert_eq!(fast::span(br#"{"attributes":[]}"#, 1), None, "too deep");
    assert!(fast::span(br#"{"attributes":[]}"#, 2).is_some());
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }
}

fn change(text: &mut Vec<u8>, random: &mut Random) {
    const TOKENS: [&[u8]; 14] =
        [b"\"", b"{", b"}", b"[", b"]", b",", b":", b"\\", b"0", b"-", b".5", b"e1", b" ", b"null"];
    let at = random.below(text.len() + 1);
    let end = (at + random.below(4)).min(text.len());
    match random.below(5) {
        0 => drop(text.drain(at..end)),
        1 => drop(text.splice(at..end, TOKENS[random.below(TOKENS.len())].iter().copied())),
        2 => {
            let other = if random.below(2) == 0 { PLAIN[random.below(6)] } else { UNUSUAL[random.below(22)] };
            let from = random.below(other.len());
            let to = (from + random.below(30)).min(other.len());
            drop(text.splice(at..end, other.as_bytes()[from..to].iter().copied()));
        }
        3 if at < text.len() => text[at] ^= 1 << random.below(8),
        _ => {
            let copy = text[at..end].to_vec();
            drop(text.splice(at..at, copy));
        }
    }
}

#[test]
fn changed_spans_are_read_alike_or_slowly() {
    let runs = match std::env::var("PROOFLINE_EFFORT").as_deref() {
        Ok("full") => 1_000_000,
        _ => 20_000,
    };
    let mut random = Random(0x5EED);
    let mut quick = 0;
    for _ in 0..runs {
        let seed = if random.below(8) == 0 { UNUSUAL[random.below(22)] } else { PLAIN[random.below(6)] };
        let mut text = seed.trim_start().as_bytes().to_vec();
        for _ in 0..=random.below(3) {
            change(&mut text, &mut random);
        }
        quick += usize::from(agree(&text));
    }
    assert!(quick > runs / 50, "only {quick} of {runs} were plain");
}

//! Targets that read JSON: the strict parser with its canonical bytes, the one pass over canonical bytes, the raw
//! members of a wrapper, and a line of evidence up to the gate's first checks.

use proofline_canon::{
    Limits, ParseError, Profile, RawMembers, Value, check_canonical, members as raw_members,
    parse as parse_value,
};
use proofline_ledger::gate::{Examined, examine};
use proofline_ledger::{EvidenceLine, Submission};
use proofline_trace::{certify, read_canonical, try_canonical, validate};
use serde::de::IgnoredAny;

/// Deep enough for every rule, shallow enough for the other parser, which stops at 128.
const LIMITS: Limits = Limits::CONTENT.with_max_depth(100);

const PROFILES: [Profile; 3] = [Profile::Envelope, Profile::Content, Profile::ContentExact];

/// What the strict parser accepts another parser accepts too, and its canonical bytes are a fixed
/// point on which the profiles agree.
pub fn parse(data: &[u8]) {
    let value = match parse_value(data, &LIMITS) {
        Ok(value) => value,
        Err(error) => return check_fault(&error, data),
    };
    assert!(serde_json::from_slice::<IgnoredAny>(data).is_ok(), "accepted what serde_json refuses");
    let written = PROFILES.map(|profile| value.to_canonical(profile).ok());
    for (profile, bytes) in PROFILES.into_iter().zip(&written) {
        let Some(bytes) = bytes else { continue };
        let again = parse_value(bytes, &LIMITS).expect("canonical bytes parse");
        assert_eq!(again.to_canonical(profile).as_ref(), Ok(bytes), "no fixed point in {profile:?}");
        assert_eq!(check_canonical(bytes, profile, &LIMITS), Ok(()));
        assert_eq!(check_canonical(data, profile, &LIMITS).is_ok(), data == bytes);
    }
    let [envelope, content, exact] = written;
    assert!(envelope.is_none() || envelope == exact, "an envelope's bytes are exact content");
    assert!(exact.is_none() || exact == content, "exact content is content");
}

/// The one pass over canonical bytes and the parser agree, on whether bytes are canonical and on the envelope in them.
pub fn canonical(data: &[u8]) {
    let value = parse_value(data, &LIMITS).ok();
    let is_written_as = |profile| value.as_ref().and_then(|value| value.to_canonical(profile).ok());
    for profile in PROFILES {
        let is_canonical = is_written_as(profile).as_deref() == Some(data);
        assert_eq!(check_canonical(data, profile, &LIMITS).is_ok(), is_canonical, "{profile:?}");
    }
    let slow = value.as_ref().and_then(|value| validate(value).ok());
    let slow = slow.filter(|_| is_written_as(Profile::Envelope).as_deref() == Some(data));
    let fast = try_canonical(data, &LIMITS).map(|read| read.into_envelope());
    assert!(fast == slow || (fast.is_none() && data.contains(&b'\\')), "the one pass says otherwise");
    assert_eq!(read_canonical(data, &LIMITS), slow);
    if let Some(envelope) = slow {
        assert_eq!(envelope.seal().canonical(), data, "written otherwise than read");
    }
}

fn check_fault(error: &ParseError, data: &[u8]) {
    assert!(error.offset <= data.len(), "{error} lies behind the text");
    assert!(error.code().starts_with("canon."));
    assert!(!error.to_string().is_empty());
}

/// The members of a wrapper are those that the parser sees, each with its raw text.
pub fn members(data: &[u8]) {
    let found = raw_members(data, &LIMITS);
    if let Err(error) = &found {
        check_fault(error, data);
    }
    if let Ok(RawMembers::Object(list)) = &found {
        let mut end = 0;
        for member in list {
            assert!(end < member.value.start && member.value.end <= data.len(), "{member:?} is out of place");
            assert!(!member.value.is_empty());
            end = member.value.end;
        }
    }
    match (parse_value(data, &LIMITS), found) {
        (Err(_), _) => {}
        (Ok(Value::Object(object)), Ok(RawMembers::Object(list))) => {
            assert_eq!(object.len(), list.len());
            for member in list {
                let inside =
                    parse_value(&data[member.value.clone()], &LIMITS).expect("a member parses by itself");
                assert_eq!(object.get(&member.name), Some(&inside));
            }
        }
        (Ok(value), Ok(RawMembers::NotAnObject)) => assert!(!matches!(value, Value::Object(_))),
        (Ok(value), found) => panic!("parsed as {value:?}, yet its members are {found:?}"),
    }
}

/// What the gate's first checks let pass is canonical, certifies, and passes again.
pub fn line(data: &[u8]) {
    let limits = Limits::ENVELOPE;
    let Ok(line) = EvidenceLine::read(data, &limits) else { return };
    let sealed = match examine(&line.submission(), &limits) {
        Examined::Sound(sealed) | Examined::Mismatched(sealed, _) => sealed,
        Examined::Refused(rejection) => {
            assert!(!rejection.message.is_empty());
            assert!(!rejection.is_kept(), "{} has no envelope to keep", rejection.kind);
            return;
        }
    };
    let bytes = sealed.canonical();
    assert_eq!(check_canonical(bytes, Profile::Envelope, &limits), Ok(()));
    let certificate = certify(bytes, &sealed.hash()).expect("a sealed envelope certifies");
    assert_eq!(certificate.trace_id(), sealed.envelope().trace_id());
    match examine(&Submission::bare(bytes), &limits) {
        Examined::Sound(again) => assert_eq!((again.hash(), again.canonical()), (sealed.hash(), bytes)),
        other => panic!("canonical bytes of a sealed envelope give {other:?}"),
    }
}

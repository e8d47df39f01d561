//! Input made to hurt: deep, wide, and far exponents. Each must end soon, in an error or a
//! value, on the stack of an ordinary thread.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use proofline_canon::{
    Limits, Number, Object, Profile, RawMembers, Value, WriteErrorKind, canonicalize, members, parse,
};

/// Generous for a slow machine, and far below what quadratic work would take.
const SOON: Duration = Duration::from_secs(20);

fn soon<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    assert!(start.elapsed() < SOON, "took {:?}", start.elapsed());
    result
}

fn many_members(names: impl Iterator<Item = u32>) -> String {
    let mut text = String::from("{");
    for name in names {
        let _ = write!(text, "\"{name:07}\":0,");
    }
    text
}

#[test]
fn a_million_members_in_any_order() {
    const COUNT: u32 = 1 << 20;
    // An odd factor permutes the numbers below a power of two: every name once, in no order.
    let orders: [Box<dyn Iterator<Item = u32>>; 3] = [
        Box::new(0..COUNT),
        Box::new((0..COUNT).rev()),
        Box::new((0..COUNT).map(|i| i.wrapping_mul(611_953) % COUNT)),
    ];
    for order in orders {
        let open = many_members(order);
        let whole = format!("{}\"x\":1}}", open);
        let value = soon(|| parse(whole.as_bytes(), &Limits::CONTENT)).unwrap();
        let names: Vec<&str> = value.as_object().unwrap().names().collect();
        assert_eq!(names.len(), (1 << 20) + 1);
        assert!(names.is_sorted() && names[0] == "0000000" && names[1 << 20] == "x");
        assert!(value.get("0777777").is_some() && value.get("1048576").is_none());

        let repeated = format!("{open}\"0500000\":1}}");
        let error = soon(|| parse(repeated.as_bytes(), &Limits::CONTENT)).unwrap_err();
        assert_eq!((error.code(), error.offset), ("canon.duplicate_member", open.len()));
        let error = soon(|| members(repeated.as_bytes(), &Limits::CONTENT)).unwrap_err();
        assert_eq!((error.code(), error.offset), ("canon.duplicate_member", open.len()));
    }
}

#[test]
fn an_object_of_a_million_members_is_built_soon() {
    let object: Object = soon(|| (0..1_000_000_u64).rev().map(|i| (i.to_string(), i % 7)).collect());
    assert_eq!(object.len(), 1_000_000);
}

/// 2 MiB is what Rust gives a spawned thread.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap().join().unwrap();
}

#[test]
fn the_deepest_text_allowed_fits_on_a_small_stack() {
    on_a_small_stack(|| {
        let limits = Limits::CONTENT.with_max_depth(usize::MAX);
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let text = format!("{}0{}", open.repeat(512), close.repeat(512));
            let value = parse(text.as_bytes(), &limits).unwrap();
            let copy = value.clone();
            assert_eq!(copy, value);
            assert_eq!(value.to_canonical(Profile::Content).unwrap(), text.as_bytes());
            let json = value.to_json().unwrap();
            assert_eq!(Value::try_from(&json).unwrap(), value);
            let deeper = format!("{}0{}", open.repeat(513), close.repeat(513));
            let error = parse(deeper.as_bytes(), &limits).unwrap_err();
            assert_eq!((error.code(), error.offset), ("canon.too_deep", open.len() * 512));
        }
    });
}

#[test]
fn values_built_too_deep_are_refused_not_written() {
    let nested = |levels: usize| (0..levels).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
    assert_eq!(nested(512).to_canonical(Profile::Envelope).unwrap().len(), 512 * 2 + 4);
    let deep = Value::object([("a", nested(512))]);
    let error = deep.to_canonical(Profile::Envelope).unwrap_err();
    assert_eq!((error.kind.clone(), error.code()), (WriteErrorKind::TooDeep, "canon.too_deep"));
    assert_eq!(error.pointer.to_string(), format!("/a{}", "/0".repeat(511)));
    assert_eq!(deep.to_json().unwrap_err(), error);
    let json = (0..513).fold(serde_json::Value::Null, |inner, _| serde_json::Value::Array(vec![inner]));
    assert_eq!(Value::try_from(&json).unwrap_err().kind, WriteErrorKind::TooDeep);
}

#[test]
fn millions_of_open_brackets() {
    on_a_small_stack(|| {
        for unit in ["[", "{\"a\":"] {
            let bomb = unit.repeat((8 << 20) / unit.len());
            assert_eq!(parse(bomb.as_bytes(), &Limits::CONTENT).unwrap_err().code(), "canon.too_deep");
            let wrapped = format!("{{\"envelope\":{bomb}");
            let error = soon(|| members(wrapped.as_bytes(), &Limits::CONTENT)).unwrap_err();
            assert_eq!((error.code(), error.offset), ("canon.unexpected_end", wrapped.len()));
        }
        let levels = 4 << 20;
        let wrapped = format!("{{\"envelope\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        let RawMembers::Object(found) = soon(|| members(wrapped.as_bytes(), &Limits::CONTENT)).unwrap()
        else {
            panic!("an object")
        };
        assert_eq!(found[0].value, 12..12 + 2 * levels);
    });
}

fn content(literal: &str, profile: Profile) -> Result<String, &'static str> {
    match soon(|| canonicalize(literal.as_bytes(), profile, &Limits::CONTENT)) {
        Ok(bytes) => Ok(String::from_utf8(bytes).unwrap()),
        Err(error) => Err(error.code()),
    }
}

#[test]
fn exponents_beyond_any_counter() {
    let far = "9".repeat(40);
    let both = |literal: &str| (content(literal, Profile::Content), content(literal, Profile::ContentExact));
    let overflow = Err("canon.number_overflow");
    let changes = Err("canon.number_changes_value");
    for exponent in [far.as_str(), "9223372036854775807", "9223372036854775808", "2147483648", "400"] {
        assert_eq!(both(&format!("1e{exponent}")), (overflow.clone(), overflow.clone()));
        assert_eq!(both(&format!("-1.5E+{exponent}")), (overflow.clone(), overflow.clone()));
        assert_eq!(both(&format!("1e-{exponent}")), (Ok("0".to_owned()), changes.clone()));
        assert_eq!(both(&format!("0e{exponent}")), (Ok("0".to_owned()), Ok("0".to_owned())));
        assert_eq!(both(&format!("0.000e-{exponent}")), (Ok("0".to_owned()), Ok("0".to_owned())));
        assert_eq!(both(&format!("-0e{exponent}")), (Ok("0".to_owned()), changes.clone()));
    }
}

/// The standard library stops counting exponents at 65536 or so; a text long enough makes up
/// for any such exponent, and the value is an ordinary one again.
#[test]
fn long_digits_that_make_up_for_a_far_exponent() {
    let one = Ok("1".to_owned());
    for length in [1_000_usize, 70_000, 700_000, 5_000_000] {
        let zeros = "0".repeat(length);
        for profile in [Profile::Content, Profile::ContentExact] {
            assert_eq!(content(&format!("0.{zeros}1e{}", length + 1), profile), one);
            assert_eq!(content(&format!("1{zeros}e-{length}"), profile), one);
            assert_eq!(content(&format!("1{zeros}.{zeros}e-{length}"), profile), one);
            assert_eq!(content(&format!("0.{zeros}25e{}", length + 2), profile), Ok("25".to_owned()));
        }
        assert_eq!(content(&format!("1{zeros}"), Profile::Content), Err("canon.number_overflow"));
        assert_eq!(content(&format!("1.{zeros}1"), Profile::Content), one);
        assert_eq!(content(&format!("1.{zeros}1"), Profile::ContentExact), Err("canon.number_changes_value"));
    }
}

/// A double half way between two others, decided by a digit very far out.
#[test]
fn a_digit_far_out_still_decides_the_rounding() {
    let zeros = "0".repeat(10_000);
    let half = "9007199254740993.";
    assert_eq!(content(&format!("{half}{zeros}"), Profile::Content).as_deref(), Ok("9007199254740992"));
    assert_eq!(content(&format!("{half}{zeros}1"), Profile::Content).as_deref(), Ok("9007199254740994"));
}

#[test]
fn an_error_never_carries_the_hostile_text_whole() {
    let literal = format!("0.{}", "1".repeat(1 << 20));
    assert_eq!(Number::from_literal(&literal).unwrap().literal(), literal);
    let error = canonicalize(literal.as_bytes(), Profile::ContentExact, &Limits::CONTENT).unwrap_err();
    assert!(error.to_string().len() < 200, "{error}");
}

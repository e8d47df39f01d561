//! Integers as JSON may spell them, exactly: never through a double.

use proofline_canon::Number;

/// The integer that a literal is, also one with a point or an exponent; the flag says whether it
/// has one. `None` if it is no integer, or far beyond 64 bits.
pub(super) fn integer(number: &Number) -> Option<(i128, bool)> {
    let literal = number.literal();
    match literal.parse::<i128>() {
        Ok(value) => Some((value, false)),
        Err(_) => scaled(literal).map(|value| (value, true)),
    }
}

/// Digits, scaled by the point and the exponent.
fn scaled(literal: &str) -> Option<i128> {
    let (mantissa, exponent) = literal.split_once(['e', 'E']).unwrap_or((literal, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let negative = whole.starts_with('-');
    let digits = format!("{}{fraction}", whole.trim_start_matches('-'));
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    let exponent: i64 = exponent.parse().ok()?;
    let trailing = digits.len() - digits.trim_end_matches('0').len();
    let scale = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let scale = scale.checked_add(i64::try_from(trailing).ok()?)?;
    let scale = u32::try_from(scale).ok().filter(|scale| *scale <= 20)?;
    if significant.len() > 20 {
        return None;
    }
    let value = significant.parse::<i128>().ok()?.checked_mul(10_i128.checked_pow(scale)?)?;
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(literal: &str) -> Option<(i128, bool)> {
        integer(&Number::from_literal(literal).unwrap())
    }

    #[test]
    fn integers_are_exact_however_they_are_spelled() {
        assert_eq!(of("18446744073709551615"), Some((u64::MAX.into(), false)));
        assert_eq!(of("-9223372036854775808"), Some((i64::MIN.into(), false)));
        assert_eq!(of("9007199254740993"), Some((9_007_199_254_740_993, false)));
        assert_eq!(of("9007199254740993.0"), Some((9_007_199_254_740_993, true)));
        assert_eq!(of("1.8446744073709551615e19"), Some((u64::MAX.into(), true)));
        assert_eq!(of("-0"), Some((0, false)));
        assert_eq!(of("0e999999999999999999999"), Some((0, true)));
        assert_eq!(of("120e-1"), Some((12, true)));
        assert_eq!(of("-1.50e1"), Some((-15, true)));
    }

    #[test]
    fn what_is_no_integer_is_none() {
        for literal in ["0.5", "1e-1", "1e400", "1e99999999999999999999", "1.25e1", "123456789012345678901.0"]
        {
            assert_eq!(of(literal), None, "{literal}");
        }
    }
}

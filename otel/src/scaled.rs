//! A number that somebody said, times a scale, without rounding: a policy must not see less than was asked for.

use proofline_trace::MAX_SAFE_INT;

/// Digits of the shortest text of any double; what has more would have been rounded.
const MOST_DIGITS: usize = 17;
/// The highest power of ten that is counted with: one digit times it is beyond every integer that records have, and
/// no product below is a multiple of it.
const MOST_ZEROS: u32 = 38;

/// The number of a JSON literal times `scale`, where that is an integer as records have them.
pub(crate) fn scaled(literal: &str, scale: u32) -> Option<i64> {
    let (is_negative, number) = match literal.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, literal),
    };
    let (digits, power) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let written = [whole, fraction].concat();
    let counted = written.trim_end_matches('0');
    let digits = counted.trim_start_matches('0');
    if digits.is_empty() {
        return Some(0);
    }
    if digits.len() > MOST_DIGITS {
        return None;
    }
    let zeros = i64::try_from(written.len() - counted.len()).ok()?;
    let power =
        power.parse::<i64>().ok()?.checked_sub(i64::try_from(fraction.len()).ok()?)?.checked_add(zeros)?;
    let product = digits.parse::<u128>().ok()?.checked_mul(u128::from(scale))?;
    let ten_to =
        |power: i64| u32::try_from(power).ok().filter(|it| *it <= MOST_ZEROS).map(|it| 10_u128.pow(it));
    let integer = if power < 0 {
        let divisor = ten_to(power.checked_neg()?)?;
        (product % divisor == 0).then_some(product / divisor)?
    } else {
        product.checked_mul(ten_to(power)?)?
    };
    let integer = u64::try_from(integer).ok().filter(|integer| *integer <= MAX_SAFE_INT)?;
    let integer = i64::try_from(integer).ok()?;
    Some(if is_negative { -integer } else { integer })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_rounded() {
        for (literal, scale, expected) in [
            ("150", 1, Some(150)),
            ("150.0", 1, Some(150)),
            ("100.4", 1, None),
            ("100.4", 10, Some(1004)),
            ("100.00000000005", 1, None),
            ("100.00000000000000001", 1, None),
            ("123456789012.1", 1, None),
            ("19.99", 100, Some(1999)),
            ("1.1", 100, Some(110)),
            ("0.004", 100, None),
            ("0.25", 4, Some(1)),
            ("1e3", 1, Some(1000)),
            ("1E+3", 1, Some(1000)),
            ("1500e-1", 1, Some(150)),
            ("15e-1", 1, None),
            ("-7", 1, Some(-7)),
            ("-0.0", 1, Some(0)),
            ("0", 1, Some(0)),
            ("0e999999999999999999999", 1, Some(0)),
            ("1e999999999999999999999", 1, None),
            ("1e-999999999999999999999", 1, None),
            ("1e-9223372036854775808", 1, None),
            ("1e300", 1, None),
            ("5e-324", u32::MAX, None),
            ("9007199254740991", 1, Some(9_007_199_254_740_991)),
            ("-9007199254740991", 1, Some(-9_007_199_254_740_991)),
            ("9007199254740992", 1, None),
            ("9007199254740993", 1, None),
            ("90071992547409.91", 100, Some(9_007_199_254_740_991)),
            ("0.0000000004656612873077", u32::MAX, None),
        ] {
            assert_eq!(scaled(literal, scale), expected, "{literal} times {scale}");
        }
    }

    /// By another way: each double is a fraction over a power of ten in its shortest text.
    #[test]
    fn cents_are_what_their_text_says() {
        for cents in -20_000_i64..20_000 {
            let (whole, rest) = (cents.abs() / 100, cents.abs() % 100);
            let sign = if cents < 0 { "-" } else { "" };
            let literal = format!("{sign}{whole}.{rest:02}");
            assert_eq!(scaled(&literal, 100), Some(cents), "{literal}");
            assert_eq!(scaled(&literal, 1), (rest == 0).then_some(cents / 100), "{literal}");
            let double: f64 = literal.parse().unwrap_or(f64::NAN);
            assert_eq!(scaled(&format!("{double:?}"), 100), Some(cents), "{double:?}");
        }
    }
}

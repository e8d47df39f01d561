//! What a number literal is worth: its exact decimal value, its nearest double, and the
//! text that ECMAScript gives that double (RFC 8785 §3.2.2.3).

use std::borrow::Cow;

/// A finite decimal value: 0.DIGITS * 10^scale, with no zero at either end of the digits;
/// zero has no digits and scale 0. Two literals have equal values exactly if these are equal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decimal<'a> {
    negative: bool,
    digits: Cow<'a, str>,
    scale: i64,
}

/// Exponents stop counting here: no text is long enough to bring such a value back into
/// the range of a double, and adding a length to it cannot overflow.
const FAR: i64 = 1 << 60;

/// Beyond these scales every value overflows a double, or is nearest to zero.
const MAX_SCALE: i64 = 400;

impl<'a> Decimal<'a> {
    /// The exact value of a literal that RFC 8259 §6 accepts, ignoring the sign of zero.
    pub(crate) fn of(literal: &'a str) -> Self {
        let negative = literal.starts_with('-');
        let unsigned = literal.trim_start_matches('-');
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let significant = whole.trim_start_matches('0');
        let (digits, point) = if significant.is_empty() {
            let fraction_significant = fraction.trim_start_matches('0');
            let leading_zeros = length(fraction) - length(fraction_significant);
            (Cow::Borrowed(fraction_significant.trim_end_matches('0')), -leading_zeros)
        } else {
            (joined(significant, fraction.trim_end_matches('0')), length(significant))
        };
        if digits.is_empty() {
            return Self { negative: false, digits, scale: 0 };
        }
        Self { negative, digits, scale: point + parse_exponent(exponent) }
    }

    /// The nearest double, ties to even; infinite beyond its range.
    fn nearest_double(&self) -> f64 {
        let magnitude = if self.scale > MAX_SCALE {
            f64::INFINITY
        } else if self.scale < -MAX_SCALE || self.digits.is_empty() {
            0.0
        } else {
            // Never an error: `0.`, digits, a small exponent. NaN would be refused below.
            format!("0.{}e{}", self.digits, self.scale).parse().unwrap_or(f64::NAN)
        };
        if self.negative { -magnitude } else { magnitude }
    }
}

/// Both runs of digits without the zeros at their end.
fn joined<'a>(whole: &'a str, fraction: &str) -> Cow<'a, str> {
    if fraction.is_empty() {
        Cow::Borrowed(whole.trim_end_matches('0'))
    } else {
        Cow::Owned(format!("{whole}{fraction}"))
    }
}

fn length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(FAR)
}

/// Reads `[+-]digits`, stopping at [`FAR`].
fn parse_exponent(text: &str) -> i64 {
    let magnitude = text.trim_start_matches(['+', '-']).bytes().fold(0_i64, |sum, digit| {
        sum.saturating_mul(10).saturating_add(i64::from(digit.saturating_sub(b'0'))).min(FAR)
    });
    if text.starts_with('-') { -magnitude } else { magnitude }
}

/// The nearest double of a literal that RFC 8259 §6 accepts; infinite beyond its range.
pub(crate) fn nearest_double(literal: &str) -> f64 {
    /// The standard library stops counting exponents at 65536, which is only right as long
    /// as the digits cannot make up for it.
    const TRUSTED_LEN: usize = 1024;
    if literal.len() <= TRUSTED_LEN {
        literal.parse().unwrap_or(f64::NAN)
    } else {
        Decimal::of(literal).nearest_double()
    }
}

/// The text of a finite double: ECMAScript `Number::toString` in radix 10 (ECMA-262 §6.1.6.1.20),
/// the shortest digits that read back as this double. Both zeros are `0`.
pub(crate) fn es_text(double: f64) -> String {
    if double == 0.0 {
        return "0".to_owned();
    }
    let sign = if double < 0.0 { "-" } else { "" };
    // Shortest round-trip digits, `d.ddd` or `d`, and the exponent of the first digit.
    let shortest = format!("{:e}", double.abs());
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let point = exponent.parse::<i32>().unwrap_or_default() + 1;
    format!("{sign}{}", layout(&digits, point))
}

/// Lays out 0.DIGITS * 10^point; steps 6 to 10 of the algorithm, where `point` is n.
fn layout(digits: &str, point: i32) -> String {
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let split = |at: i32| digits.split_at_checked(usize::try_from(at).unwrap_or(0)).unwrap_or((digits, ""));
    let zeros = |how_many: i32| "0".repeat(usize::try_from(how_many).unwrap_or(0));
    match point {
        1..=21 if count <= point => format!("{digits}{}", zeros(point - count)),
        1..=21 => {
            let (whole, fraction) = split(point);
            format!("{whole}.{fraction}")
        }
        -5..=0 => format!("0.{}{digits}", zeros(-point)),
        _ => {
            let (first, rest) = split(1);
            let dot = if rest.is_empty() { "" } else { "." };
            format!("{first}{dot}{rest}e{:+}", point - 1)
        }
    }
}

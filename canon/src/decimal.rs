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
    let (digits, point) = shortest_digits(double.abs());
    format!("{sign}{}", layout(&digits, point))
}

/// The digits and the n of step 5 of the algorithm: as few digits as read back, of those the
/// nearest, and of two equally near the even one.
///
/// The standard library finds how few, and the nearest, but takes the upper one of two
/// (1424953923781206.25 becomes ...6.3); when told how many digits to print it rounds half to
/// even. Next to a power of two that may miss the double, and then there was no tie.
fn shortest_digits(magnitude: f64) -> (String, i32) {
    let shortest = format!("{magnitude:e}");
    let (digits, _) = split_scientific(&shortest);
    let even = format!("{magnitude:.*e}", digits.len().saturating_sub(1));
    let same = even.parse::<f64>().is_ok_and(|read| read.to_bits() == magnitude.to_bits());
    split_scientific(if same { &even } else { &shortest })
}

/// `d.ddde-N` as digits and the place of the point before them.
fn split_scientific(text: &str) -> (String, i32) {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let digits = mantissa.chars().filter(char::is_ascii_digit).collect();
    (digits, exponent.parse::<i32>().unwrap_or_default() + 1)
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

#[cfg(test)]
mod tests {
    use super::{Decimal, es_text, layout, nearest_double};

    #[test]
    fn equal_values_are_equal_decimals() {
        let families: [&[&str]; 6] = [
            &["0", "-0", "0.0", "0e9", "-0.000E-7", "0e99999999999999999999999"],
            &["1", "1.0", "1e0", "10e-1", "0.1e1", "0.001e+3", "100000e-5"],
            &["-12.5", "-1.25e1", "-125e-1", "-0.0125E3", "-12.500"],
            &["1200", "1.2e3", "12e2", "0.12e4", "1200.00"],
            &["0.012", "1.2e-2", "0.12e-1", "0.01200"],
            &["1e400", "10e399", "0.1e401"],
        ];
        for (index, family) in families.iter().enumerate() {
            for literal in *family {
                assert_eq!(Decimal::of(literal), Decimal::of(family[0]), "{literal}");
                for other in families.iter().skip(index + 1).flat_map(|other| other.iter()) {
                    assert_ne!(Decimal::of(literal), Decimal::of(other), "{literal} {other}");
                }
            }
        }
        assert_ne!(Decimal::of("1"), Decimal::of("-1"));
        assert_ne!(Decimal::of("9007199254740993"), Decimal::of("9007199254740992"));
    }

    /// ECMA-262 §6.1.6.1.20, steps 6 to 10, at each border.
    #[test]
    fn layouts() {
        let cases = [
            ("1", 1, "1"),
            ("12", 2, "12"),
            ("12", 21, "120000000000000000000"),
            ("12", 22, "1.2e+21"),
            ("1", 22, "1e+21"),
            ("12", 1, "1.2"),
            ("12", 0, "0.12"),
            ("12", -5, "0.0000012"),
            ("12", -6, "1.2e-7"),
            ("1", -6, "1e-7"),
            ("123456789012345678901", 21, "123456789012345678901"),
        ];
        for (digits, point, text) in cases {
            assert_eq!(layout(digits, point), text);
        }
    }

    /// Half way between two texts of fewest digits the even one is right (RFC 8785, Appendix B).
    #[test]
    fn ties_go_to_the_even_digit() {
        assert_eq!(es_text(f64::from_bits(0x4314_3ff3_c1cb_0959)), "1424953923781206.2");
        // 699910272376117 / 8 = 87488784047014.625
        assert_eq!(es_text(699_910_272_376_117.0 / 8.0), "87488784047014.62");
        assert_eq!(es_text(-5e-324), "-5e-324");
        assert_eq!(es_text(-0.0), "0");
    }

    #[test]
    fn the_long_way_to_a_double_is_the_short_way() {
        for literal in
            ["0.1", "-0.1", "1e308", "5e-324", "2e-324", "1.7976931348623159e308", "-0", "123456.789e-3"]
        {
            let long = Decimal::of(literal).nearest_double();
            assert_eq!(long, nearest_double(literal), "{literal}");
        }
    }
}

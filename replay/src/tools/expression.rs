//! Arithmetic, read strictly and worked out as Python does: whole numbers are exact, a division or a number
//! with a point makes doubles, and doubles are IEEE 754's. What it cannot work out exactly so, it refuses.
//!
//! ```text
//! sum     = product { ("+" | "-") product }
//! product = factor { ("*" | "/") factor }
//! factor  = { "+" | "-" } ( number | "(" sum ")" )
//! number  = digits | digits "." [ digits ] | "." digits
//! ```

use thiserror::Error;

/// Parentheses inside each other.
const MOST_DEPTH: usize = 64;
/// Up to here each whole number is a double of its own.
const EXACT: u128 = 1 << 53;

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Fault {
    #[error("byte {at} is not {expected}")]
    Syntax { at: usize, expected: &'static str },
    #[error("byte {at} opens more than {MOST_DEPTH} parentheses inside each other")]
    Depth { at: usize },
    #[error("something is divided by zero")]
    DivisionByZero { of_doubles: bool },
    #[error("a whole number is too large to be worked with exactly")]
    TooLarge,
}

#[derive(Debug, Clone, Copy)]
enum Number {
    Whole(i128),
    Double(f64),
}

impl Number {
    #[expect(clippy::cast_precision_loss, reason = "to the nearest double, ties to even, as Python does")]
    fn double(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Double(double) => double,
        }
    }

    fn negated(self) -> Result<Self, Fault> {
        match self {
            Self::Whole(whole) => whole.checked_neg().map(Self::Whole).ok_or(Fault::TooLarge),
            Self::Double(double) => Ok(Self::Double(-double)),
        }
    }

    fn with(
        self,
        other: Self,
        whole: impl Fn(i128, i128) -> Option<i128>,
        double: impl Fn(f64, f64) -> f64,
    ) -> Result<Self, Fault> {
        match (self, other) {
            (Self::Whole(one), Self::Whole(other)) => {
                whole(one, other).map(Self::Whole).ok_or(Fault::TooLarge)
            }
            _ => Ok(Self::Double(double(self.double(), other.double()))),
        }
    }

    fn divided(self, by: Self) -> Result<Self, Fault> {
        let of_doubles = !matches!((self, by), (Self::Whole(_), Self::Whole(_)));
        if by.double() == 0.0 {
            return Err(Fault::DivisionByZero { of_doubles });
        }
        let is_exact = |number| matches!(number, Self::Whole(whole) if whole.unsigned_abs() <= EXACT);
        // Of whole numbers the quotient itself is rounded, not what doubles make of both sides.
        match of_doubles || is_exact(self) && is_exact(by) {
            true => Ok(Self::Double(self.double() / by.double())),
            false => Err(Fault::TooLarge),
        }
    }
}

/// The value of an expression, which may be beyond the range of doubles.
pub(super) fn evaluate(expression: &str) -> Result<f64, Fault> {
    let mut reader = Reader { text: expression, at: 0, depth: 0 };
    let value = reader.sum()?;
    match reader.peek() {
        None => Ok(value.double()),
        Some(_) => reader.expected("an operator, or the end"),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    /// The next byte that is no blank.
    fn peek(&mut self) -> Option<u8> {
        while self.byte() == Some(b' ') {
            self.at += 1;
        }
        self.byte()
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn expected<T>(&self, expected: &'static str) -> Result<T, Fault> {
        Err(Fault::Syntax { at: self.at, expected })
    }

    /// Takes the next byte if it is one of these.
    fn take(&mut self, of: [u8; 2]) -> Option<u8> {
        let next = self.peek().filter(|byte| of.contains(byte))?;
        self.at += 1;
        Some(next)
    }

    fn sum(&mut self) -> Result<Number, Fault> {
        let mut value = self.product()?;
        while let Some(sign) = self.take(*b"+-") {
            let other = self.product()?;
            value = match sign {
                b'+' => value.with(other, i128::checked_add, |one, other| one + other)?,
                _ => value.with(other, i128::checked_sub, |one, other| one - other)?,
            };
        }
        Ok(value)
    }

    fn product(&mut self) -> Result<Number, Fault> {
        let mut value = self.factor()?;
        while let Some(sign) = self.take(*b"*/") {
            let other = self.factor()?;
            value = match sign {
                b'*' => value.with(other, i128::checked_mul, |one, other| one * other)?,
                _ => value.divided(other)?,
            };
        }
        Ok(value)
    }

    fn factor(&mut self) -> Result<Number, Fault> {
        let mut is_negative = false;
        while let Some(sign) = self.take(*b"+-") {
            is_negative ^= sign == b'-';
        }
        let value = match self.take(*b"((") {
            Some(_) => self.enclosed()?,
            None => self.number()?,
        };
        if is_negative { value.negated() } else { Ok(value) }
    }

    fn enclosed(&mut self) -> Result<Number, Fault> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(Fault::Depth { at: self.at });
        }
        let value = self.sum()?;
        self.depth -= 1;
        match self.take(*b"))") {
            Some(_) => Ok(value),
            None => self.expected("a closing parenthesis"),
        }
    }

    fn number(&mut self) -> Result<Number, Fault> {
        self.peek();
        let begin = self.at;
        let is_part = |byte: u8| byte.is_ascii_digit() || byte == b'.';
        while self.byte().is_some_and(is_part) {
            self.at += 1;
        }
        let literal = self.text.get(begin..self.at).unwrap_or_default();
        let zeros_in_front = literal.starts_with('0') && literal.bytes().any(|byte| byte != b'0');
        let value = match literal.matches('.').count() {
            0 if !literal.is_empty() && !zeros_in_front => return whole(literal),
            1 if literal.len() > 1 => literal.parse().ok(),
            _ => None,
        };
        value.map(Number::Double).ok_or(Fault::Syntax { at: begin, expected: "a number" })
    }
}

fn whole(literal: &str) -> Result<Number, Fault> {
    literal.parse().map(Number::Whole).map_err(|_| Fault::TooLarge)
}

//! A filter's text to its tree: words, then a descent through `or`, `and`, `not`. Each value is read as the type of its
//! field, so that what no entry can answer is refused here, with its place. `docs/query.md` has the grammar.

use std::ops::Range;
use std::str::FromStr;

use proofline_canon::{Limits, Value, parse as parse_json};
use proofline_trace::Timestamp;

use crate::error::{FilterError, FilterFault};
use crate::field::{Field, FieldType, is_word};
use crate::filter::{Comparison, Filter, Literal};

/// The longest filter.
pub const MAX_FILTER_BYTES: usize = 64 << 10;
/// How many brackets and `not` may be open at once.
pub const MAX_DEPTH: usize = 64;
/// How many comparisons and listed values a filter may have.
pub const MAX_TERMS: usize = 1_000;

/// The trace's quantifier is no field.
const ANY: [&str; 2] = ["trace", "any"];

impl FromStr for Filter {
    type Err = FilterError;

    /// Reads a filter; an empty text is [`Filter::All`].
    fn from_str(text: &str) -> Result<Self, FilterError> {
        if text.len() > MAX_FILTER_BYTES {
            return Err(FilterError::new(FilterFault::TooLong(text.len()), 0..0, text));
        }
        let mut parser =
            Parser { text, at: 0, token: Token::End, place: 0..0, depth: 0, terms: 0, in_any: false };
        parser.advance()?;
        if parser.token == Token::End {
            return Ok(Self::All);
        }
        let filter = parser.or()?;
        match parser.token {
            Token::End => Ok(filter),
            _ => Err(parser.expected("`and`, `or` or the end")),
        }
    }
}

/// What the text is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// A name, a number, a keyword, a value without quotes.
    Word,
    /// A text in quotes.
    Text,
    Compare(Comparison),
    Open,
    Close,
    Comma,
    End,
}

struct Parser<'a> {
    text: &'a str,
    /// Behind the token.
    at: usize,
    token: Token,
    place: Range<usize>,
    depth: usize,
    terms: usize,
    in_any: bool,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn error(&self, fault: FilterFault) -> FilterError {
        FilterError::new(fault, self.place.clone(), self.text)
    }

    /// The text of the token.
    fn shown(&self) -> &'a str {
        self.text.get(self.place.clone()).unwrap_or_default()
    }

    fn expected(&self, expected: &'static str) -> FilterError {
        self.error(FilterFault::Expected { found: self.shown().to_owned(), expected })
    }

    /// Goes on to the next token.
    fn advance(&mut self) -> Result<(), FilterError> {
        let rest = self.rest().trim_start();
        self.at = self.text.len() - rest.len();
        let (token, length) = self.next_token(rest)?;
        self.token = token;
        self.place = self.at..self.at + length;
        self.at += length;
        Ok(())
    }

    fn next_token(&mut self, rest: &str) -> Result<(Token, usize), FilterError> {
        let Some(first) = rest.chars().next() else { return Ok((Token::End, 0)) };
        let marks = [("(", Token::Open), (")", Token::Close), (",", Token::Comma)];
        // The longer first: `<=` is not `<`.
        let comparisons = [
            Comparison::Different,
            Comparison::AtMost,
            Comparison::AtLeast,
            Comparison::Equal,
            Comparison::Less,
            Comparison::Greater,
            Comparison::Contains,
        ];
        let comparisons = comparisons.map(|how| (how.as_str(), Token::Compare(how)));
        let known = marks.into_iter().chain(comparisons).find(|(text, _)| rest.starts_with(text));
        if let Some((text, token)) = known {
            return Ok((token, text.len()));
        }
        if first == '"' {
            return match text_length(rest) {
                Some(length) => Ok((Token::Text, length)),
                None => {
                    self.place = self.at..self.text.len();
                    Err(self.error(FilterFault::Text))
                }
            };
        }
        let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        if length == 0 {
            self.place = self.at..self.at + first.len_utf8();
            return Err(self.error(FilterFault::Character(first)));
        }
        Ok((Token::Word, length))
    }

    fn is_word(&self, word: &str) -> bool {
        self.token == Token::Word && self.shown() == word
    }

    fn take_word(&mut self, word: &str) -> Result<bool, FilterError> {
        let is_it = self.is_word(word);
        if is_it {
            self.advance()?;
        }
        Ok(is_it)
    }

    fn take(&mut self, token: Token, expected: &'static str) -> Result<(), FilterError> {
        if self.token != token {
            return Err(self.expected(expected));
        }
        self.advance()
    }

    fn or(&mut self) -> Result<Filter, FilterError> {
        let mut filter = self.and()?;
        while self.take_word("or")? {
            filter = Filter::Or(Box::new(filter), Box::new(self.and()?));
        }
        Ok(filter)
    }

    fn and(&mut self) -> Result<Filter, FilterError> {
        let mut filter = self.unary()?;
        while self.take_word("and")? {
            filter = Filter::And(Box::new(filter), Box::new(self.unary()?));
        }
        Ok(filter)
    }

    fn unary(&mut self) -> Result<Filter, FilterError> {
        if self.depth >= MAX_DEPTH {
            return Err(self.error(FilterFault::TooDeep));
        }
        self.depth += 1;
        let filter = self.one();
        self.depth -= 1;
        filter
    }

    fn one(&mut self) -> Result<Filter, FilterError> {
        if self.take_word("not")? {
            return Ok(Filter::Not(Box::new(self.unary()?)));
        }
        if self.token == Token::Open {
            self.advance()?;
            let filter = self.or()?;
            self.take(Token::Close, "`)`")?;
            return Ok(filter);
        }
        if self.take_word("all")? {
            return self.counted(Filter::All);
        }
        if self.token != Token::Word {
            return Err(self.expected("a field, `not` or `(`"));
        }
        if self.shown().split('.').eq(ANY) {
            return self.any_of_trace();
        }
        self.term()
    }

    fn any_of_trace(&mut self) -> Result<Filter, FilterError> {
        if self.in_any {
            return Err(self.error(FilterFault::Nested));
        }
        self.advance()?;
        self.take(Token::Open, "`(`")?;
        self.in_any = true;
        let within = self.or()?;
        self.in_any = false;
        self.take(Token::Close, "`)`")?;
        Ok(Filter::AnyOfTrace(Box::new(within)))
    }

    /// Counts what a question costs.
    fn counted<T>(&mut self, term: T) -> Result<T, FilterError> {
        self.terms += 1;
        if self.terms > MAX_TERMS { Err(self.error(FilterFault::TooManyTerms)) } else { Ok(term) }
    }

    fn field(&mut self) -> Result<Field, FilterError> {
        let name = self.shown();
        let unknown = || FilterFault::UnknownField { name: name.to_owned(), nearest: Field::nearest(name) };
        let field = Field::named(name).ok_or_else(|| self.error(unknown()))?;
        self.advance()?;
        Ok(field)
    }

    fn term(&mut self) -> Result<Filter, FilterError> {
        let field = self.field()?;
        if self.take_word("exists")? {
            return self.counted(Filter::Exists(field));
        }
        if self.is_word("in") {
            self.check_comparison(&field, Comparison::Equal, "in")?;
            self.advance()?;
            return self.listed(field);
        }
        let Token::Compare(how) = self.token else {
            return Err(self.expected("`=`, `!=`, `<`, `<=`, `>`, `>=`, `~`, `in` or `exists`"));
        };
        self.check_comparison(&field, how, how.as_str())?;
        self.advance()?;
        let value = self.value(&field, how)?;
        self.counted(Filter::Compare { field, how, value })
    }

    fn check_comparison(
        &self,
        field: &Field,
        how: Comparison,
        shown: &'static str,
    ) -> Result<(), FilterError> {
        if suits(field.field_type(), how) {
            return Ok(());
        }
        Err(self.error(FilterFault::Comparison { field: field.clone(), how: shown }))
    }

    fn listed(&mut self, field: Field) -> Result<Filter, FilterError> {
        self.take(Token::Open, "`(`")?;
        let mut values = Vec::new();
        while self.token != Token::Close {
            if !values.is_empty() {
                self.take(Token::Comma, "`,` or `)`")?;
            }
            let value = self.value(&field, Comparison::Equal)?;
            values.push(self.counted(value)?);
        }
        self.advance()?;
        self.counted(Filter::In { field, values })
    }

    fn value(&mut self, field: &Field, how: Comparison) -> Result<Literal, FilterError> {
        let shown = self.shown();
        let (text, is_quoted) = match self.token {
            Token::Word => (shown.to_owned(), false),
            Token::Text => (string(shown).ok_or_else(|| self.error(FilterFault::Text))?, true),
            _ => return Err(self.expected("a value")),
        };
        let value = literal(field.field_type(), how, text, is_quoted);
        let refused = || FilterFault::Value { field: field.clone(), value: shown.to_owned() };
        let value = value.ok_or_else(|| self.error(refused()))?;
        self.advance()?;
        Ok(value)
    }
}

/// How long the text in quotes is, quotes and all.
fn text_length(rest: &str) -> Option<usize> {
    let mut is_escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn string(json: &str) -> Option<String> {
    match parse_json(json.as_bytes(), &Limits::ENVELOPE) {
        Ok(Value::String(text)) => Some(text),
        _ => None,
    }
}

/// Whether a comparison says something of such a field.
const fn suits(field_type: FieldType, how: Comparison) -> bool {
    let is_contains = matches!(how, Comparison::Contains);
    match field_type {
        FieldType::Text | FieldType::Hex(_) | FieldType::Any => true,
        FieldType::Integer | FieldType::Time => !is_contains,
        FieldType::Named(_) => !how.is_order(),
        FieldType::Flag => !is_contains && !how.is_order(),
        FieldType::Set => is_contains,
    }
}

/// The value that a text stands for beside a field of this type; `None` where the field never has it.
fn literal(field_type: FieldType, how: Comparison, text: String, is_quoted: bool) -> Option<Literal> {
    let integer = |text: &str| text.parse().ok().filter(|_| !is_quoted && !text.starts_with('+'));
    let flag = |text: &str| text.parse().ok().filter(|_| !is_quoted);
    let is_whole = matches!(how, Comparison::Equal | Comparison::Different);
    match field_type {
        FieldType::Text | FieldType::Set => Some(Literal::Text(text)),
        FieldType::Named(names) => (!is_whole || names.contains(&&*text)).then_some(Literal::Text(text)),
        FieldType::Hex(bytes) => (!is_whole || is_hex(&text, bytes)).then_some(Literal::Text(text)),
        FieldType::Integer => integer(&text).map(Literal::Integer),
        FieldType::Time => {
            let moment = || Timestamp::parse_rfc3339(&text).ok().map(Timestamp::unix_ms);
            integer(&text).or_else(moment).map(Literal::Integer)
        }
        FieldType::Flag => flag(&text).map(Literal::Flag),
        FieldType::Any => {
            let plain = integer(&text).map(Literal::Integer).or_else(|| flag(&text).map(Literal::Flag));
            Some(plain.unwrap_or(Literal::Text(text)))
        }
    }
}

fn is_hex(text: &str, bytes: usize) -> bool {
    text.len() == bytes * 2 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

//! Policy and schema texts as tokens, before Cedar sees them: enough of its grammar to know where a statement ends
//! and how deep one goes. Strings and `//` comments end where Cedar's lexer ends them (a comment also at a lone CR).

/// A piece of text, as far as depth is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// `(`, `[` or `{`.
    Open(u8),
    /// `)`, `]` or `}`.
    Close(u8),
    /// `,`
    Comma,
    /// `;`
    End,
    /// Letters, digits and `_`.
    Word(&'a str),
    /// `&&` and `||`.
    Join,
    /// What else joins or takes expressions: an operator, or the dot of a member.
    Link,
    /// `<` and `>`: operators in a policy, brackets in a schema.
    Angle(u8),
    /// A whole string.
    Text,
    /// A string without its end.
    Unended,
    /// Anything else.
    Other,
}

/// A token, the line where it begins, and where it ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) token: Token<'a>,
    pub(super) line: usize,
    pub(super) end: usize,
}

/// The tokens of a text.
pub(super) struct Tokens<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Tokens<'a> {
    pub(super) const fn of(text: &'a str) -> Self {
        Self { text, at: 0, line: 1 }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn step(&mut self) {
        self.line += usize::from(self.peek(0) == Some(b'\n'));
        self.at += 1;
    }

    /// Never inside of a character: what is no ASCII is stepped over whole.
    fn next_char(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn step_over(&mut self, next: char) {
        self.line += usize::from(next == '\n');
        self.at += next.len_utf8();
    }

    fn skip_while(&mut self, wanted: fn(u8) -> bool) {
        while self.peek(0).is_some_and(wanted) {
            self.step();
        }
    }

    fn skip_blanks(&mut self) {
        loop {
            while let Some(blank) = self.next_char().filter(|next| next.is_whitespace()) {
                self.step_over(blank);
            }
            if !(self.peek(0) == Some(b'/') && self.peek(1) == Some(b'/')) {
                return;
            }
            self.skip_while(|byte| !matches!(byte, b'\n' | b'\r'));
        }
    }

    fn string(&mut self) -> Token<'a> {
        self.step();
        loop {
            match self.peek(0) {
                None => return Token::Unended,
                Some(b'"') => {
                    self.step();
                    return Token::Text;
                }
                Some(b'\\') => {
                    self.step();
                    if self.peek(0).is_some() {
                        self.step();
                    }
                }
                Some(_) => self.step(),
            }
        }
    }

    fn word(&mut self) -> Token<'a> {
        let start = self.at;
        self.skip_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        Token::Word(self.text.get(start..self.at).unwrap_or_default())
    }

    fn mark(&mut self, first: u8) -> Token<'a> {
        let second = self.peek(1);
        let is_pair = matches!(
            (first, second),
            (b'=' | b'!' | b'<' | b'>', Some(b'='))
                | (b'|', Some(b'|'))
                | (b'&', Some(b'&'))
                | (b':', Some(b':'))
        );
        self.step();
        if is_pair {
            self.step();
        }
        match first {
            b'(' | b'[' | b'{' => Token::Open(first),
            b')' | b']' | b'}' => Token::Close(first),
            b',' => Token::Comma,
            b';' => Token::End,
            b'|' | b'&' if is_pair => Token::Join,
            b'<' | b'>' if !is_pair => Token::Angle(first),
            b'.' | b'+' | b'-' | b'*' | b'/' | b'%' | b'!' | b'<' | b'>' | b'=' | b'|' | b'&' => Token::Link,
            _ => Token::Other,
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Found<'a>;

    fn next(&mut self) -> Option<Found<'a>> {
        self.skip_blanks();
        let line = self.line;
        let token = match self.peek(0)? {
            b'"' => self.string(),
            byte if byte.is_ascii_alphanumeric() || byte == b'_' => self.word(),
            byte if byte.is_ascii() => self.mark(byte),
            _ => {
                self.step_over(self.next_char()?);
                Token::Other
            }
        };
        Some(Found { token, line, end: self.at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<(Token<'_>, usize)> {
        Tokens::of(text).map(|found| (found.token, found.line)).collect()
    }

    #[test]
    fn strings_and_comments_hide_what_is_in_them() {
        assert_eq!(tokens("\"a;\\\"(\" ;"), [(Token::Text, 1), (Token::End, 1)]);
        assert_eq!(tokens("// ( \" ;\n;"), [(Token::End, 2)]);
        assert_eq!(tokens("// (\r;"), [(Token::End, 1)], "Cedar ends a comment at a lone CR");
        assert_eq!(tokens("\"// \n\" ("), [(Token::Text, 1), (Token::Open(b'('), 2)]);
        assert_eq!(tokens("\n\"never ended ;"), [(Token::Unended, 2)]);
        assert_eq!(tokens("\"ended by nothing\\"), [(Token::Unended, 1)]);
    }

    #[test]
    fn marks_of_two_characters_are_one_token() {
        let found = tokens("a == b != c <= d >= e || f && g");
        let many = |wanted| found.iter().filter(|(token, _)| *token == wanted).count();
        assert_eq!((many(Token::Link), many(Token::Join), found.len()), (4, 2, 13));
        assert_eq!(tokens("A::B"), [(Token::Word("A"), 1), (Token::Other, 1), (Token::Word("B"), 1)]);
        assert_eq!(tokens("< é\u{2028}\n;").last(), Some(&(Token::End, 2)), "blanks are those of Unicode");
        assert_eq!(tokens("< é >").len(), 3);
    }
}

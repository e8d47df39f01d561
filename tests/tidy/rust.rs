//! Rust as tokens: enough of a lexer to tell code from comments and strings, which is where rules
//! that search plain text go wrong.

/// One token, with the line it begins on, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) line: usize,
}

/// What a token is. Comments and character literals are left out; of a lifetime its name is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name, a keyword or a number.
    Word(String),
    /// What stands between the quotes of a string, escapes as written.
    Text(String),
    /// Any other character.
    Mark(char),
}

impl Token {
    pub(crate) fn is(&self, expected: &str) -> bool {
        match &self.kind {
            Kind::Word(word) => word == expected,
            Kind::Mark(mark) => expected.chars().eq([*mark]),
            Kind::Text(_) => false,
        }
    }
}

/// True when the tokens at `at` are these words and marks.
pub(crate) fn stands(tokens: &[Token], at: usize, expected: &[&str]) -> bool {
    tokens
        .get(at..at + expected.len())
        .is_some_and(|found| found.iter().zip(expected).all(|(token, expected)| token.is(expected)))
}

/// The place behind the bracket that closes the one at `at`.
pub(crate) fn behind_bracket(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0_usize;
    for (place, token) in tokens.iter().enumerate().skip(at) {
        match token.kind {
            Kind::Mark('(' | '[' | '{') => depth += 1,
            Kind::Mark(')' | ']' | '}') => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return place + 1;
        }
    }
    tokens.len()
}

/// The tokens without items under `#[cfg(test)]`.
pub(crate) fn without_tests(tokens: &[Token]) -> Vec<Token> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if !stands(tokens, at, &MARK) {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let ends = |token: &Token| token.is(";") || token.is("{");
        let end = tokens.iter().skip(at).position(ends).map_or(tokens.len(), |offset| at + offset);
        at = if tokens.get(end).is_some_and(|token| token.is("{")) {
            behind_bracket(tokens, end)
        } else {
            end + 1
        };
    }
    kept
}

/// Reads a source file.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let chars = text.chars().collect();
    let mut lexer = Lexer { chars, at: 0, line: 1, tokens: Vec::new() };
    while let Some(next) = lexer.peek(0) {
        lexer.step(next);
    }
    lexer.tokens
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    line: usize,
    tokens: Vec<Token>,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn advance(&mut self, count: usize) {
        let passed = self.chars.iter().skip(self.at).take(count);
        self.line += passed.filter(|passed| **passed == '\n').count();
        self.at += count;
    }

    fn step(&mut self, next: char) {
        match (next, self.peek(1)) {
            ('/', Some('/')) => self.until_newline(),
            ('/', Some('*')) => self.block_comment(),
            ('"', _) => self.string(0),
            ('\'', _) => self.quote(),
            _ if is_word(next) => self.word(),
            _ => {
                if !next.is_whitespace() {
                    self.tokens.push(Token { kind: Kind::Mark(next), line: self.line });
                }
                self.advance(1);
            }
        }
    }

    fn until_newline(&mut self) {
        while self.peek(0).is_some_and(|next| next != '\n') {
            self.advance(1);
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        while let Some(next) = self.peek(0) {
            let step = match (next, self.peek(1)) {
                ('/', Some('*')) => 1,
                ('*', Some('/')) => -1,
                _ => 0,
            };
            depth = depth.saturating_add_signed(step);
            self.advance(if step == 0 { 1 } else { 2 });
            if depth == 0 {
                return;
            }
        }
    }

    /// A character, or a lifetime, which has no closing quote.
    fn quote(&mut self) {
        if self.peek(1) == Some('\\') {
            self.advance(3);
            while self.peek(0).is_some_and(|next| next != '\'') {
                self.advance(1);
            }
            self.advance(1);
        } else {
            self.advance(if self.peek(2) == Some('\'') { 3 } else { 1 });
        }
    }

    /// A name or number, or the prefix of a string: `b"`, `c"`, `r"`, `br#"` and the like.
    fn word(&mut self) {
        let rest = self.chars.get(self.at..).unwrap_or_default();
        let word: String = rest.iter().take_while(|next| is_word(**next)).collect();
        let length = word.chars().count();
        let hashes = rest.iter().skip(length).take_while(|next| **next == '#').count();
        let quoted = rest.get(length + hashes) == Some(&'"');
        let raw = matches!(word.as_str(), "r" | "br" | "cr");
        if quoted && raw {
            self.advance(length + hashes);
            return self.raw_string(hashes);
        }
        if quoted && hashes == 0 && matches!(word.as_str(), "b" | "c") {
            return self.string(length);
        }
        self.tokens.push(Token { kind: Kind::Word(word), line: self.line });
        self.advance(length);
    }

    fn string(&mut self, prefix: usize) {
        let line = self.line;
        self.advance(prefix + 1);
        let mut text = String::new();
        while let Some(next) = self.peek(0).filter(|next| *next != '"') {
            text.push(next);
            if next == '\\' {
                text.extend(self.peek(1));
            }
            self.advance(if next == '\\' { 2 } else { 1 });
        }
        self.advance(1);
        self.tokens.push(Token { kind: Kind::Text(text), line });
    }

    fn raw_string(&mut self, hashes: usize) {
        let line = self.line;
        self.advance(1);
        let mut text = String::new();
        while let Some(next) = self.peek(0) {
            if next == '"' && (1..=hashes).all(|ahead| self.peek(ahead) == Some('#')) {
                break;
            }
            text.push(next);
            self.advance(1);
        }
        self.advance(1 + hashes);
        self.tokens.push(Token { kind: Kind::Text(text), line });
    }
}

fn is_word(next: char) -> bool {
    next.is_alphanumeric() || next == '_'
}

fn spelled(text: &str) -> Vec<String> {
    let spell = |token: Token| match token.kind {
        Kind::Word(word) => word,
        Kind::Text(text) => format!("<{text}>"),
        Kind::Mark(mark) => mark.to_string(),
    };
    tokens(text).into_iter().map(spell).collect()
}

#[test]
fn comments_strings_and_characters_are_told_from_code() {
    assert_eq!(spelled("a /* b /* c */ d */ e // f\ng"), ["a", "e", "g"]);
    assert_eq!(
        spelled(r#"x("a \" b", 'c', '\'', b"d")"#),
        ["x", "(", "<a \\\" b>", ",", ",", ",", "<d>", ")"]
    );
    assert_eq!(spelled("r#\"a \" b\"# br\"c\""), ["<a \" b>", "<c>"]);
    assert_eq!(
        spelled("fn f<'a>(x: &'a str)"),
        ["fn", "f", "<", "a", ">", "(", "x", ":", "&", "a", "str", ")"]
    );
    assert_eq!(spelled("'\\u{1F600}' r"), ["r"]);
}

#[test]
fn tokens_know_their_lines() {
    let lines: Vec<usize> = tokens("a\n\"b\nc\" /*\n*/ d").iter().map(|token| token.line).collect();
    assert_eq!(lines, [1, 2, 4]);
}

#[test]
fn test_modules_are_left_out() {
    let text = "a #[cfg(test)] mod tests { fn b() { c } } d #[cfg(test)] mod e; f";
    let kept: Vec<String> =
        without_tests(&tokens(text)).into_iter().map(|token| format!("{:?}", token.kind)).collect();
    assert_eq!(kept, ["Word(\"a\")", "Word(\"d\")", "Word(\"f\")"]);
}

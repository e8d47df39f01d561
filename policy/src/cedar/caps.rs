//! Cuts a policy into its statements and refuses what is nested or chained too deep, before Cedar parses it: its
//! parser has no guard of its own. Figures of stacks are in `docs/policy.md`.

use super::lexer::{Found, Token, Tokens};
use crate::engine::PolicyError;

/// Brackets inside each other.
pub(super) const MAX_BRACKETS: usize = 64;

/// Operators, members, brackets and `if`s on one path through a statement: no expression tree is deeper.
pub(super) const MAX_LINKS: usize = 500;

/// Tokens of a statement, each of which takes the parser about a kibibyte.
pub(super) const MAX_TOKENS: usize = 200_000;

/// A statement, with what stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    /// The line of its first byte.
    pub(super) text_line: usize,
    /// The line of its first token.
    pub(super) line: usize,
    /// No path through its expressions has more links.
    pub(super) links: usize,
}

/// The statements of a text, up to the first that is refused.
pub(super) fn pieces(text: &str) -> Pieces<'_> {
    Pieces { text, tokens: Tokens::of(text), done: Some((0, 1)) }
}

pub(super) struct Pieces<'a> {
    text: &'a str,
    tokens: Tokens<'a>,
    /// Where the piece before ended, and on which line; none when there are no more.
    done: Option<(usize, usize)>,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Result<Piece<'a>, PolicyError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (start, text_line) = self.done.take()?;
        let mut first = None;
        let mut depth = Depth::default();
        let mut end = self.text.len();
        for found in self.tokens.by_ref() {
            first = first.or(Some(found.line));
            if let Err(error) = depth.take(&found) {
                return Some(Err(error));
            }
            if found.token == Token::End && depth.is_outside() {
                end = found.end;
                self.done = Some((found.end, found.line));
                break;
            }
        }
        let text = self.text.get(start..end).unwrap_or_default();
        first.map(|line| Ok(Piece { text, text_line, line, links: depth.links() }))
    }
}

/// What an open bracket holds so far. Its elements stand between commas, and an element is operands between joins.
#[derive(Default)]
struct Frame {
    opened_by: u8,
    /// Links of the operand.
    links: usize,
    /// The deepest bracket of the operand.
    inner: usize,
    /// The deepest operand of the element up to here.
    operand: usize,
    /// Joins of the element.
    joins: usize,
    /// The deepest element up to here.
    element: usize,
}

impl Frame {
    fn of(opened_by: u8) -> Self {
        Self { opened_by, ..Self::default() }
    }

    /// No expression in it is deeper: operands lie side by side below their joins, the rest below each other.
    fn deepest(&self) -> usize {
        self.element.max(self.joins + self.operand.max(self.links + self.inner))
    }

    fn join(&mut self) {
        self.joins += 1;
        self.operand = self.operand.max(self.links + self.inner);
        (self.links, self.inner) = (0, 0);
    }

    fn next_element(&mut self) {
        *self = Self { element: self.deepest(), ..Self::of(self.opened_by) };
    }
}

/// How deep a statement goes.
#[derive(Default)]
struct Depth {
    outside: Frame,
    open: Vec<Frame>,
    tokens: usize,
}

impl Depth {
    const fn is_outside(&self) -> bool {
        self.open.is_empty()
    }

    fn links(&self) -> usize {
        self.outside.deepest()
    }

    fn frame(&mut self) -> &mut Frame {
        self.open.last_mut().unwrap_or(&mut self.outside)
    }

    fn take(&mut self, found: &Found<'_>) -> Result<(), PolicyError> {
        let too_deep = |what, limit| Err(PolicyError::TooDeep { line: found.line, what, limit });
        self.tokens += 1;
        if self.tokens > MAX_TOKENS {
            return too_deep("words and marks of one statement", MAX_TOKENS);
        }
        match found.token {
            Token::Link | Token::Angle(_) | Token::Word("in" | "has" | "like" | "is") => {
                self.frame().links += 1
            }
            Token::Join | Token::Word("if") => self.frame().join(),
            Token::Open(bracket) => {
                self.frame().links += 1;
                if self.open.len() == MAX_BRACKETS {
                    return too_deep("brackets inside each other", MAX_BRACKETS);
                }
                self.open.push(Frame::of(bracket));
            }
            Token::Close(bracket) => self.close(bracket, found.line)?,
            Token::Comma => self.frame().next_element(),
            Token::Unended => return Err(syntax("a string has no end", found.line)),
            Token::End | Token::Word(_) | Token::Text | Token::Other => {}
        }
        if self.frame().deepest() > MAX_LINKS {
            return too_deep("operators, members and brackets on one path", MAX_LINKS);
        }
        Ok(())
    }

    fn close(&mut self, bracket: u8, line: usize) -> Result<(), PolicyError> {
        let closed = self.open.pop().ok_or_else(|| syntax("a bracket closes none", line))?;
        if !matches!((closed.opened_by, bracket), (b'(', b')') | (b'[', b']') | (b'{', b'}')) {
            return Err(syntax("a bracket closes one of another kind", line));
        }
        let frame = self.frame();
        frame.inner = frame.inner.max(closed.deepest());
        Ok(())
    }
}

fn syntax(message: &str, line: usize) -> PolicyError {
    PolicyError::Syntax { message: message.to_owned(), line: Some(line) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(text: &str) -> usize {
        pieces(text).next().unwrap().unwrap().links
    }

    #[test]
    fn statements_are_cut_at_their_ends_and_know_their_lines() {
        let text =
            "// one; two\npermit(principal, action, resource)\n;\n\nforbid(x) when { \"a;b\" }; // last\n";
        let cut: Vec<_> = pieces(text).map(|piece| piece.unwrap()).collect();
        let lines: Vec<_> = cut.iter().map(|piece| (piece.text_line, piece.line)).collect();
        assert_eq!(lines, [(1, 2), (3, 5)]);
        assert!(cut[1].text.starts_with("\n\nforbid") && cut[1].text.ends_with("};"));
        assert!(pieces("").next().is_none() && pieces(" // nothing\n").next().is_none());
        assert_eq!(pieces("a; b").count(), 2, "what has no end is told by Cedar");
    }

    #[test]
    fn links_are_counted_along_one_path() {
        assert_eq!(links("a.b.c;"), 2);
        assert_eq!(links("[a.b, c.d.e, f];"), 3, "the list, and the longest of its elements");
        assert_eq!(links("a && (b || c && (d == e));"), 6);
        assert_eq!(links("a.b == c || a.b == d || a.b == e;"), 4, "two joins, and the deepest operand");
        assert_eq!(links("f(1)(2)[3];"), 3, "a bracket behind another is a link of its own");
        assert_eq!(links("if a then b else if c then d else e;"), 2);
    }

    #[test]
    fn brackets_that_do_not_match_are_told_with_their_line() {
        for (text, line) in [("a\n)", 2), ("(\n\n]", 3), ("\"a", 1)] {
            let fault = pieces(text).find_map(Result::err).unwrap();
            assert!(matches!(fault, PolicyError::Syntax { line: Some(at), .. } if at == line), "{fault}");
        }
    }
}

//! Writes a page: markup that stands in this source, and text of anybody. Only a literal can become markup; all
//! else is escaped on its way out, spelled out where a reader would not see it, and cut where it is too long.

use std::fmt::{self, Display, Write as _};
use std::io::{self, Write};

use proofline_trace::is_treacherous;

/// Of one text so much is shown; the rest is counted.
pub(super) const TEXT_CHARS: usize = 2_000;

/// A page on its way out.
pub(super) struct Html<'a> {
    out: &'a mut dyn Write,
}

/// Writes pieces in their order: a literal as markup, a value in brackets as text.
macro_rules! put {
    ($html:expr $(, $part:tt)* $(,)?) => {{ $(put!(@ $html, $part);)* }};
    (@ $html:expr, $markup:literal) => { $html.markup($markup)?; };
    (@ $html:expr, ($value:expr)) => { $html.text(&$value)?; };
}
pub(super) use put;

impl<'a> Html<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self { out }
    }

    /// Markup of our own: what comes from elsewhere is no `'static` text.
    pub(super) fn markup(&mut self, markup: &'static str) -> io::Result<()> {
        self.out.write_all(markup.as_bytes())
    }

    /// Text of anybody, in a line: line ends are spelled out too.
    pub(super) fn text(&mut self, text: &dyn Display) -> io::Result<()> {
        self.escaped(text, TEXT_CHARS, false)
    }

    /// Text of anybody in a `pre`, which keeps its lines.
    pub(super) fn lines(&mut self, text: &dyn Display, most_chars: usize) -> io::Result<()> {
        self.escaped(text, most_chars, true)
    }

    fn escaped(&mut self, text: &dyn Display, most_chars: usize, keeps_lines: bool) -> io::Result<()> {
        let mut escaping = Escaping { out: self.out, left: most_chars, cut: 0, keeps_lines, fault: None };
        if write!(escaping, "{text}").is_err() {
            let other = || io::Error::other("a value does not show itself");
            return Err(escaping.fault.take().unwrap_or_else(other));
        }
        let cut = escaping.cut;
        if cut > 0 {
            write!(self.out, "\u{2026} [{cut} more characters are not shown]")?;
        }
        Ok(())
    }
}

/// Takes text and gives text that means the same in HTML, in content and in quoted attributes alike.
struct Escaping<'a> {
    out: &'a mut dyn Write,
    left: usize,
    cut: u64,
    keeps_lines: bool,
    fault: Option<io::Error>,
}

impl fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.pass(text).map_err(|fault| {
            self.fault = Some(fault);
            fmt::Error
        })
    }
}

impl Escaping<'_> {
    fn pass(&mut self, text: &str) -> io::Result<()> {
        // What needs no escape goes out in pieces as long as possible.
        let mut plain_from = 0;
        for (at, c) in text.char_indices() {
            if self.left == 0 {
                self.plain(text, plain_from, at)?;
                self.cut += text.get(at..).unwrap_or_default().chars().count() as u64;
                return Ok(());
            }
            self.left -= 1;
            if self.is_plain(c) {
                continue;
            }
            self.plain(text, plain_from, at)?;
            plain_from = at + c.len_utf8();
            self.spelled(c)?;
        }
        self.plain(text, plain_from, text.len())
    }

    fn plain(&mut self, text: &str, from: usize, to: usize) -> io::Result<()> {
        self.out.write_all(text.get(from..to).unwrap_or_default().as_bytes())
    }

    fn is_plain(&self, c: char) -> bool {
        match c {
            '&' | '<' | '>' | '"' | '\'' => false,
            '\n' => self.keeps_lines,
            c => !is_treacherous(c) && !is_noncharacter(c),
        }
    }

    fn spelled(&mut self, c: char) -> io::Result<()> {
        match c {
            '&' => self.out.write_all(b"&amp;"),
            '<' => self.out.write_all(b"&lt;"),
            '>' => self.out.write_all(b"&gt;"),
            '"' => self.out.write_all(b"&quot;"),
            '\'' => self.out.write_all(b"&#39;"),
            '\n' => self.out.write_all(b"\\n"),
            '\r' => self.out.write_all(b"\\r"),
            '\t' => self.out.write_all(b"\\t"),
            c => write!(self.out, "\\u{{{:x}}}", u32::from(c)),
        }
    }
}

/// Code points that HTML says no document has.
const fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || (c as u32) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, most_chars: usize, keeps_lines: bool) -> String {
        let mut out = Vec::new();
        Html::new(&mut out).escaped(&text, most_chars, keeps_lines).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn nothing_of_a_text_is_markup() {
        let text = "</script><b title=\"x\" id='y'>&amp;";
        let escaped = "&lt;/script&gt;&lt;b title=&quot;x&quot; id=&#39;y&#39;&gt;&amp;amp;";
        assert_eq!(shown(text, 100, false), escaped);
    }

    #[test]
    fn what_a_reader_would_not_see_is_spelled_out() {
        let text = "\u{0}\u{1b}[2J \u{202e}gpj.exe\u{2066} a\u{200b}b\r\n\tc\u{fffe}\u{1ffff} Zoë 東京";
        let spelled = r"\u{0}\u{1b}[2J \u{202e}gpj.exe\u{2066} a\u{200b}b\r\n\tc\u{fffe}\u{1ffff} Zoë 東京";
        assert_eq!(shown(text, 100, false), spelled);
        assert_eq!(shown("a\nb\r\n", 100, true), "a\nb\\r\n");
    }

    #[test]
    fn what_is_too_long_is_cut_and_counted() {
        assert_eq!(shown("<<<", 3, false), "&lt;&lt;&lt;");
        assert_eq!(shown("<<<é", 3, false), "&lt;&lt;&lt;\u{2026} [1 more characters are not shown]");
        let long = "x".repeat(10 << 20);
        let cut = shown(&long, 4, false);
        assert_eq!(cut, format!("xxxx\u{2026} [{} more characters are not shown]", (10 << 20) - 4));
    }

    #[test]
    fn a_value_in_pieces_is_one_text() {
        let mut out = Vec::new();
        Html::new(&mut out).escaped(&format_args!("{}{}{}", "a<", 12, "bc"), 4, false).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "a&lt;12\u{2026} [2 more characters are not shown]");
    }
}

//! A picture of what the program showed on a terminal: the text with its colours, as SVG.

use std::fmt::Write;

/// The width of a character, in tenths of a pixel.
const CHAR_TENTHS: usize = 84;
const LINE_PX: usize = 19;
const MARGIN_PX: usize = 16;

/// How a piece of text looks.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Look {
    is_bold: bool,
    is_faint: bool,
    is_struck: bool,
    colour: Option<&'static str>,
}

impl Look {
    /// Takes one parameter of "select graphic rendition" in.
    fn set(&mut self, parameter: &str) {
        match parameter {
            "" | "0" => *self = Self::default(),
            "1" => self.is_bold = true,
            "2" => self.is_faint = true,
            "9" => self.is_struck = true,
            "31" => self.colour = Some("r"),
            "32" => self.colour = Some("g"),
            "33" => self.colour = Some("y"),
            other => panic!("the picture knows no SGR {other}"),
        }
    }

    fn classes(self) -> String {
        let marks = [(self.is_bold, "b"), (self.is_faint, "f"), (self.is_struck, "s")];
        let marks = marks.into_iter().filter(|(is_on, _)| *is_on).map(|(_, name)| name);
        self.colour.into_iter().chain(marks).collect::<Vec<_>>().join(" ")
    }
}

/// The picture, below the command that made it.
pub(crate) fn picture(title: &str, command: &str, shown: &str) -> String {
    let lines: Vec<&str> = shown.trim_end().lines().collect();
    let columns =
        lines.iter().map(|line| pieces(line).iter().map(|(text, _)| text.chars().count()).sum::<usize>());
    let columns = columns.max().unwrap_or_default().max(command.chars().count() + 2).max(80);
    let width = columns * CHAR_TENTHS / 10 + 2 * MARGIN_PX;
    let height = (lines.len() + 2) * LINE_PX + 2 * MARGIN_PX;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n<rect width=\"100%\" height=\"100%\" rx=\"8\"/>\n\
         <g xml:space=\"preserve\">\n",
        escaped(title)
    );
    let row = |svg: &mut String, at: usize, pieces: Vec<(String, Look)>| {
        let (mut column, y) = (0, MARGIN_PX + (at + 1) * LINE_PX - 5);
        for (text, look) in pieces {
            let chars = text.chars().count();
            if !text.trim().is_empty() {
                let (x, length) =
                    (tenths(column * CHAR_TENTHS + MARGIN_PX * 10), tenths(chars * CHAR_TENTHS));
                let class = look.classes();
                let class = if class.is_empty() { class } else { format!(" class=\"{class}\"") };
                let text = escaped(&text);
                writeln!(svg, "<text x=\"{x}\" y=\"{y}\" textLength=\"{length}\"{class}>{text}</text>")
                    .unwrap();
            }
            column += chars;
        }
    };
    let faint = Look { is_faint: true, ..Look::default() };
    row(&mut svg, 0, vec![(format!("$ {command}"), faint)]);
    for (at, line) in lines.iter().enumerate() {
        row(&mut svg, at + 2, pieces(line));
    }
    svg + "</g>\n</svg>\n"
}

const STYLE: &str = "rect { fill: #16181d; }
text { font: 14px ui-monospace, \"DejaVu Sans Mono\", Menlo, Consolas, monospace; fill: #d8dce3; white-space: pre; }
.r { fill: #ff8a80; }
.g { fill: #8fd68f; }
.y { fill: #e8c46b; }
.f { fill: #98a0ad; }
.b { font-weight: bold; }
.s { text-decoration: line-through; }
";

/// A line in pieces of one look each.
fn pieces(line: &str) -> Vec<(String, Look)> {
    let (mut pieces, mut look) = (Vec::new(), Look::default());
    for (at, part) in line.split("\u{1b}[").enumerate() {
        let text = if at == 0 {
            part
        } else {
            let (codes, text) = part.split_once('m').expect("colours alone");
            codes.split(';').for_each(|code| look.set(code));
            text
        };
        if !text.is_empty() {
            pieces.push((text.to_owned(), look));
        }
    }
    pieces
}

fn tenths(count: usize) -> String {
    format!("{}.{}", count / 10, count % 10)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The text without its colours.
pub(crate) fn plain(shown: &str) -> String {
    let lines =
        shown.lines().map(|line| pieces(line).into_iter().map(|(text, _)| text).collect::<String>() + "\n");
    lines.collect()
}

#[test]
fn a_picture_has_the_text_with_its_colours() {
    let shown = "\u{1b}[1m\u{1b}[31ma<b\u{1b}[0m  c\n\n\u{1b}[2md\u{1b}[0m\n";
    assert_eq!(plain(shown), "a<b  c\n\nd\n");
    let svg = picture("A & B", "tool x", shown);
    assert!(svg.contains("<title>A &amp; B</title>"));
    assert!(
        svg.contains("<text x=\"16.0\" y=\"68\" textLength=\"25.2\" class=\"r b\">a&lt;b</text>"),
        "{svg}"
    );
    assert!(svg.contains("<text x=\"41.2\" y=\"68\" textLength=\"25.2\">  c</text>"), "{svg}");
    assert!(svg.contains("y=\"106\" textLength=\"8.4\" class=\"f\">d</text>"), "{svg}");
}

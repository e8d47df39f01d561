//! Reads a page more strictly than any browser would: tags in pairs, names and attributes of a short list, every
//! ampersand one of our escapes, no character that a reader would not see. It shares nothing with the writer.
#![allow(dead_code, unreachable_pub, reason = "each test file takes what it needs")]

use std::collections::BTreeSet;

const VOID: [&str; 4] = ["meta", "link", "br", "input"];
const ELEMENTS: &[&str] = &[
    "a",
    "article",
    "b",
    "body",
    "br",
    "caption",
    "circle",
    "code",
    "dd",
    "defs",
    "details",
    "div",
    "dl",
    "dt",
    "figcaption",
    "figure",
    "footer",
    "h1",
    "h2",
    "h3",
    "head",
    "header",
    "html",
    "input",
    "label",
    "li",
    "line",
    "link",
    "main",
    "mark",
    "meta",
    "nav",
    "ol",
    "p",
    "pattern",
    "pre",
    "rect",
    "script",
    "section",
    "span",
    "style",
    "summary",
    "svg",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "title",
    "tr",
    "ul",
];
const ATTRIBUTES: &[&str] = &[
    "aria-hidden",
    "aria-label",
    "aria-labelledby",
    "charset",
    "class",
    "content",
    "cx",
    "cy",
    "for",
    "height",
    "href",
    "http-equiv",
    "id",
    "lang",
    "name",
    "open",
    "patternTransform",
    "patternUnits",
    "r",
    "rel",
    "role",
    "rx",
    "scope",
    "style",
    "tabindex",
    "type",
    "width",
    "x",
    "x1",
    "x2",
    "y",
    "y1",
    "y2",
];
const ENTITIES: [&str; 5] = ["amp;", "lt;", "gt;", "quot;", "#39;"];

/// A page as it was read.
#[derive(Debug, Default)]
pub struct Page {
    /// All text outside tags, escapes undone, in order.
    pub text: String,
    /// The elements with their classes, in order.
    pub elements: Vec<(String, String)>,
    /// The deepest nesting.
    pub depth: usize,
    ids: BTreeSet<String>,
    links: Vec<String>,
    headings: Vec<u8>,
}

/// Reads a page.
///
/// # Panics
/// At the first thing that is not as it has to be.
pub fn read(bytes: &[u8]) -> Page {
    let text = std::str::from_utf8(bytes).unwrap();
    let mut rest = text.strip_prefix("<!DOCTYPE html>\n").expect("a document type");
    let (mut page, mut open) = (Page::default(), Vec::<&str>::new());
    while let Some(at) = rest.find('<') {
        page.take_text(&rest[..at]);
        let end = tag_end(&rest[at..]);
        let tag = &rest[at + 1..at + end];
        rest = &rest[at + end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closes {name}");
            continue;
        }
        let (name, is_closed) = page.take_tag(tag);
        if VOID.contains(&name) || is_closed {
            continue;
        }
        open.push(name);
        page.depth = page.depth.max(open.len());
        if matches!(name, "script" | "style") {
            // What stands there is ours; it ends at the first of its end tags.
            let length = rest.find(&format!("</{name}>")).expect("an end");
            assert!(!rest[..length].contains('<') || name == "script", "{name}");
            rest = &rest[length..];
        }
    }
    page.take_text(rest);
    assert_eq!(open, Vec::<&str>::new(), "all is closed");
    page.finish();
    page
}

/// Where a tag ends; a bracket in quotes would end none, and there is none.
fn tag_end(tag: &str) -> usize {
    let mut is_quoted = false;
    for (at, c) in tag.char_indices() {
        match c {
            '"' => is_quoted = !is_quoted,
            '>' if !is_quoted => return at,
            '<' if at > 0 => panic!("a tag within a tag: {tag:.80}"),
            _ => {}
        }
    }
    panic!("a tag without end: {tag:.80}")
}

impl Page {
    fn take_text(&mut self, text: &str) {
        assert!(!text.contains(['>', '"', '\'']), "unescaped: {text:.200}");
        self.text.push_str(&unescaped(text));
    }

    fn take_tag<'a>(&mut self, tag: &'a str) -> (&'a str, bool) {
        let (tag, is_closed) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(ELEMENTS.contains(&name), "element {name:?}");
        let (mut class, mut seen) = (String::new(), BTreeSet::new());
        while !rest.is_empty() {
            let end = rest.find(['=', ' ']).unwrap_or(rest.len());
            let attribute = &rest[..end];
            assert!(ATTRIBUTES.contains(&attribute), "attribute {attribute:?} of {name}");
            assert!(seen.insert(attribute), "{attribute} twice");
            let value = match rest[end..].strip_prefix("=\"") {
                None => "",
                Some(quoted) => &quoted[..quoted.find('"').expect("a closing quote")],
            };
            let taken = end + if rest[end..].starts_with('=') { value.len() + 3 } else { 0 };
            rest = rest[taken..].trim_start_matches(' ');
            self.take_attribute(attribute, &unescaped(value), &mut class);
        }
        if let [b'h', level @ b'1'..=b'6'] = name.as_bytes() {
            self.headings.push(*level - b'0');
        }
        self.elements.push((name.to_owned(), class));
        (name, is_closed)
    }

    fn take_attribute(&mut self, name: &str, value: &str, class: &mut String) {
        match name {
            "class" => value.clone_into(class),
            "id" => assert!(self.ids.insert(value.to_owned()), "the id {value} twice"),
            "href" if value == "data:," => {}
            "href" => self.links.push(value.strip_prefix('#').expect("no address").to_owned()),
            "aria-labelledby" | "for" => self.links.push(value.to_owned()),
            "style" => assert!(value.starts_with("--d:") && value.len() < 8, "{value}"),
            _ => {}
        }
    }

    fn finish(&self) {
        for link in &self.links {
            assert!(self.ids.contains(link), "nothing has the id {link}");
        }
        assert_eq!(self.headings.iter().filter(|level| **level == 1).count(), 1, "one h1");
        for pair in self.headings.windows(2) {
            assert!(pair[1] <= pair[0] + 1, "a heading is skipped: {pair:?}");
        }
    }

    /// How many elements have this class.
    pub fn count(&self, class: &str) -> usize {
        self.elements.iter().filter(|(_, classes)| classes.split(' ').any(|it| it == class)).count()
    }
}

fn unescaped(text: &str) -> String {
    for c in text.chars() {
        let is_hidden = c.is_control() && c != '\n'
            || matches!(c, '\u{ad}' | '\u{feff}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(c, '\u{2060}'..='\u{206f}' | '\u{e0000}'..='\u{e0fff}');
        assert!(!is_hidden, "{c:?} can be in no page");
    }
    let mut pieces = text.split('&');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let entity = ENTITIES.iter().find(|entity| piece.starts_with(**entity)).expect("an escape");
        plain.push(match *entity {
            "amp;" => '&',
            "lt;" => '<',
            "gt;" => '>',
            "quot;" => '"',
            _ => '\'',
        });
        plain.push_str(&piece[entity.len()..]);
    }
    plain
}

//! Rules about text as such: its form, its width, its length, and marks of work that was left.

use crate::tree::{Complaint, Tree};

/// The longest line of Rust, in characters.
const WIDEST: usize = 120;

/// The longest file, in lines.
const LONGEST: usize = 700;

/// Files that may be longer: the path, how long at most, and why. Lower a limit when its file shrinks.
const RATCHET: [(&str, usize, &str); 1] =
    [("examples/verify_bundle.py", 900, "one file, so that somebody can take it along with a bundle")];

/// Files that people write and read as text. Golden data, locks and snapshots are made by programs
/// and belong to those byte for byte.
fn is_written(path: &str) -> bool {
    const ENDS: [&str; 9] =
        [".rs", ".toml", ".md", ".py", ".sh", ".css", ".html", ".gitignore", ".gitattributes"];
    let script = path.starts_with(".ci/") || path == "vectors/regenerate";
    let schema = path.ends_with(".schema.json");
    let licence = path.starts_with("LICENSE");
    script || schema || licence || ENDS.iter().any(|end| path.ends_with(end))
}

fn written(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    tree.texts().filter(|(path, _)| is_written(path))
}

pub(crate) fn form(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (path, text) in written(tree) {
        if !text.is_empty() && !text.ends_with('\n') {
            complaints.push(Complaint::of(path, "does not end in a newline"));
        }
        if text.ends_with("\n\n") {
            complaints.push(Complaint::of(path, "ends in an empty line"));
        }
        for (at, line) in text.split('\n').enumerate() {
            if line.contains('\t') {
                complaints.push(Complaint::at(path, at + 1, "has a tab"));
            }
            if line.ends_with([' ', '\r']) {
                complaints.push(Complaint::at(path, at + 1, "has trailing white space"));
            }
        }
    }
    complaints
}

pub(crate) fn width(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (path, text) in tree.ending(".rs") {
        for (at, line) in text.lines().enumerate() {
            let width = line.chars().count();
            if width > WIDEST && foldable(line).chars().count() > WIDEST {
                complaints.push(Complaint::at(path, at + 1, format!("is {width} characters long")));
            }
        }
    }
    complaints
}

/// What of a line could be folded: not the inside of a string, which is one line of JSON or one
/// message, and not a row of a table.
fn foldable(line: &str) -> String {
    let trimmed = line.trim_start();
    if trimmed.starts_with("//! |") || trimmed.starts_with("/// |") {
        return String::new();
    }
    match (line.find('"'), line.rfind('"')) {
        (Some(from), Some(to)) if from < to => format!("{}{}", &line[..from], &line[to..]),
        _ => line.to_owned(),
    }
}

pub(crate) fn size(tree: &Tree) -> Vec<Complaint> {
    sizes(tree, &RATCHET)
}

fn sizes(tree: &Tree, ratchet: &[(&str, usize, &str)]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (path, text) in written(tree).filter(|(path, _)| !path.starts_with("LICENSE")) {
        let lines = text.lines().count();
        let most =
            ratchet.iter().find(|(listed, _, _)| *listed == path).map_or(LONGEST, |(_, most, _)| *most);
        if lines > most {
            complaints.push(Complaint::of(path, format!("has {lines} lines; at most {most} are allowed")));
        }
    }
    for (path, most, why) in ratchet {
        let lines = tree.text(path).map_or(0, |text| text.lines().count());
        if lines <= LONGEST || *most <= LONGEST || why.is_empty() {
            complaints.push(Complaint::of(path, "needs no exception, or has no reason for one"));
        }
    }
    complaints
}

pub(crate) fn leftovers(tree: &Tree) -> Vec<Complaint> {
    // In two pieces, so that this file does not object to itself.
    const MARKS: [&str; 4] =
        [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];
    let mut complaints = Vec::new();
    for (path, text) in written(tree) {
        for (at, line) in text.lines().enumerate() {
            let mut words = line.split(|next: char| !next.is_alphanumeric());
            if let Some(mark) = words.find(|word| MARKS.contains(word)) {
                complaints.push(Complaint::at(path, at + 1, format!("is marked {mark}")));
            }
        }
    }
    complaints
}

fn messages(complaints: &[Complaint]) -> Vec<String> {
    complaints.iter().map(ToString::to_string).collect()
}

#[test]
fn form_bites() {
    let tree = Tree::of(&[
        ("a.rs", "fine\n"),
        ("b.md", "no end"),
        ("c.toml", "\ta\nb \n\n"),
        ("vectors/crlf.jsonl", "data\t\r\n \n\n"),
    ]);
    assert_eq!(
        messages(&form(&tree)),
        [
            "b.md: does not end in a newline",
            "c.toml: ends in an empty line",
            "c.toml:1: has a tab",
            "c.toml:2: has trailing white space",
        ]
    );
}

#[test]
fn width_bites() {
    let wide = "é".repeat(WIDEST + 1);
    let fits = "é".repeat(WIDEST);
    let tree = Tree::of(&[("a.rs", &format!("{fits}\n{wide}\n")), ("b.md", &wide)]);
    assert_eq!(messages(&width(&tree)), ["a.rs:2: is 121 characters long"]);
    let text = format!("let a = \"{wide}\";\n//! | {wide} |\n");
    let code = format!("let {wide} = \"{wide}\";\n// {wide}\n");
    let tree = Tree::of(&[("a.rs", &text), ("b.rs", &code)]);
    assert_eq!(messages(&width(&tree)), ["b.rs:1: is 252 characters long", "b.rs:2: is 124 characters long"]);
}

#[test]
fn size_bites() {
    let long = "\n".repeat(LONGEST + 1);
    let tree = Tree::of(&[("a.rs", &long), ("b.rs", &long), ("c.rs", "\n"), ("d.rs", &long)]);
    let ratchet =
        [("b.rs", LONGEST + 1, "a table"), ("c.rs", LONGEST + 9, "a table"), ("d.rs", LONGEST + 1, "")];
    assert_eq!(
        messages(&sizes(&tree, &ratchet)),
        [
            "a.rs: has 701 lines; at most 700 are allowed",
            "c.rs: needs no exception, or has no reason for one",
            "d.rs: needs no exception, or has no reason for one",
        ]
    );
}

#[test]
fn leftovers_bite() {
    let marked = concat!("// TO", "DO: more\n// methodology\n# FIX", "ME\n// XX", "X(me)\nmktemp a.XXXXXX\n");
    let tree = Tree::of(&[("a.rs", marked), ("b.jsonl", marked)]);
    let lines: Vec<Option<usize>> = leftovers(&tree).iter().map(|complaint| complaint.line).collect();
    assert_eq!(lines, [Some(1), Some(3), Some(4)]);
}

//! Rules about pages: links resolve, pages that sources mention exist, decisions are listed.

use crate::layout::join;
use crate::tree::{Complaint, Tree};

const DECISIONS: &str = "docs/decisions/";

pub(crate) fn resolve(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (path, text) in tree.ending(".md") {
        for (line, target) in links(text) {
            if let Some(why) = fault(tree, path, &target) {
                complaints.push(Complaint::at(path, line, format!("{target} {why}")));
            }
        }
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (at, line) in text.lines().enumerate() {
            let lost =
                spans(line).into_iter().filter(|named| !tree.has(named) && !tree.has(&join(folder, named)));
            complaints
                .extend(lost.map(|named| Complaint::at(path, at + 1, format!("{named} does not exist"))));
        }
    }
    let sources = tree.ending(".rs").chain(tree.ending(".toml")).chain(tree.ending(".py"));
    // The samples below name pages that are not there.
    for (path, text) in sources.filter(|(path, _)| !path.starts_with("tests/tidy/")) {
        for (at, line) in text.lines().enumerate() {
            let lost = mentions(line).into_iter().filter(|page| !tree.has(page));
            complaints.extend(lost.map(|page| Complaint::at(path, at + 1, format!("{page} does not exist"))));
        }
    }
    complaints
}

/// Source files and pages that a code span of a page names, with their folder: `ledger/src/log.rs`.
fn spans(line: &str) -> Vec<&str> {
    let is_part = |next: char| next.is_ascii_alphanumeric() || matches!(next, '/' | '-' | '_' | '.');
    let spans = line.split('`').skip(1).step_by(2);
    let paths = spans.filter(|span| span.contains('/') && span.chars().all(is_part));
    paths.filter(|path| [".rs", ".md", ".py", ".toml"].iter().any(|end| path.ends_with(end))).collect()
}

/// Pages under `docs/` that a line of source names.
fn mentions(line: &str) -> Vec<&str> {
    let is_part = |next: char| next.is_ascii_alphanumeric() || matches!(next, '/' | '-' | '_' | '.');
    let words = line.split(|next| !is_part(next));
    words.filter(|word| word.starts_with("docs/") && word.ends_with(".md")).collect()
}

/// The targets of a page's links, code left aside.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (at, line) in prose(text) {
        let mut rest = line.as_str();
        while let Some((_, behind)) = rest.split_once("](") {
            let (target, after) = behind.split_once(')').unwrap_or((behind, ""));
            let target = target.split_whitespace().next().unwrap_or_default();
            links.push((at, target.to_owned()));
            rest = after;
        }
    }
    links
}

/// The lines of a page outside code fences, with code spans blanked.
fn prose(text: &str) -> Vec<(usize, String)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let outside = line.split('`').step_by(2).collect::<Vec<_>>().join(" ");
            lines.push((at + 1, outside));
        }
    }
    lines
}

fn fault(tree: &Tree, from: &str, target: &str) -> Option<&'static str> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let path = if file.is_empty() { from.to_owned() } else { join(folder, file) };
    if !tree.has(&path) {
        return Some("does not exist");
    }
    let page = tree.text(&path).unwrap_or_default();
    let known = anchor.is_empty() || headings(page).iter().any(|heading| heading == anchor);
    (!known).then_some("names no heading there")
}

/// The anchors that a page's headings get.
fn headings(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut anchors = Vec::new();
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        if let Some(title) = line.strip_prefix('#').filter(|_| !fenced) {
            let title = title.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|next| next.is_alphanumeric() || matches!(next, ' ' | '-' | '_'));
            anchors.push(kept.map(|next| if next == ' ' { '-' } else { next }).collect());
        }
    }
    anchors
}

pub(crate) fn decisions(tree: &Tree) -> Vec<Complaint> {
    let index = format!("{DECISIONS}README.md");
    let listed = links(tree.text(&index).unwrap_or_default());
    let mut complaints = Vec::new();
    let pages = tree.ending(".md").filter(|(path, _)| path.starts_with(DECISIONS) && *path != index);
    for (at, (path, text)) in pages.enumerate() {
        let name = path.strip_prefix(DECISIONS).unwrap_or_default();
        let number = format!("{:04}-", at + 1);
        if !name.starts_with(&number) {
            complaints.push(Complaint::of(path, format!("breaks the numbering: {number}... is next")));
        }
        if !listed.iter().any(|(_, target)| target == name) {
            complaints.push(Complaint::of(path, format!("is not listed in {index}")));
        }
        if !text.to_lowercase().contains("not taken") {
            complaints.push(Complaint::of(path, "does not say what was not taken"));
        }
    }
    complaints
}

fn messages(complaints: &[Complaint]) -> Vec<String> {
    complaints.iter().map(ToString::to_string).collect()
}

#[test]
fn links_bite() {
    let page = "# One page\n[a](b.md) [c](../gone.md#x)\n[d](#one-page) [e](#two) `[f](gone)`\n```\n[g](gone)\n```\n\
        [h](https://example.com/x) [i](../README.md) [j](b.md#b-the-second)\n";
    let tree = Tree::of(&[
        ("README.md", "[docs](docs) [k](nowhere)\n"),
        ("docs/a.md", page),
        ("docs/b.md", "## `b`, the second\n`src/a.rs` `src/gone.rs` `a/*.rs` `lost.rs` `../docs/a.md`\n"),
        ("src/a.rs", "// see docs/b.md.\n// see docs/c.md\n"),
    ]);
    assert_eq!(
        messages(&resolve(&tree)),
        [
            "README.md:1: nowhere does not exist",
            "docs/a.md:2: ../gone.md#x does not exist",
            "docs/a.md:3: #two names no heading there",
            "docs/b.md:2: src/gone.rs does not exist",
            "src/a.rs:2: docs/c.md does not exist",
        ]
    );
}

#[test]
fn decisions_bite() {
    let tree = Tree::of(&[
        ("docs/decisions/README.md", "[1](0001-a.md) [3](0003-c.md)\n"),
        ("docs/decisions/0001-a.md", "Not taken\n"),
        ("docs/decisions/0003-c.md", "Taken\n"),
        ("docs/decisions/0003-d.md", "Not taken\n"),
    ]);
    assert_eq!(
        messages(&decisions(&tree)),
        [
            "docs/decisions/0003-c.md: breaks the numbering: 0002-... is next",
            "docs/decisions/0003-c.md: does not say what was not taken",
            "docs/decisions/0003-d.md: is not listed in docs/decisions/README.md",
        ]
    );
}

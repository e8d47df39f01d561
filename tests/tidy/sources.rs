//! Rules about what stands in Rust code, comments and strings left aside.

use crate::rust::{Kind, Token, behind_bracket, stands, tokens, without_tests};
use crate::tree::{Complaint, Tree};

/// Runs a check over the tokens of every file, those of tests only if asked to.
fn each_token(
    tree: &Tree,
    tests: bool,
    mut check: impl FnMut(&[Token], usize) -> Option<String>,
) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (path, text) in tree.ending(".rs") {
        let is_test = path.starts_with("tests/") || path.contains("/tests/");
        let tokens = match (tests, is_test) {
            (true, _) => tokens(text),
            (false, true) => continue,
            (false, false) => without_tests(&tokens(text)),
        };
        for at in 0..tokens.len() {
            if let Some(message) = check(&tokens, at) {
                complaints.push(Complaint::at(path, tokens[at].line, message));
            }
        }
    }
    complaints
}

pub(crate) fn unfinished(tree: &Tree) -> Vec<Complaint> {
    each_token(tree, true, |tokens, at| {
        let called =
            ["todo", "dbg", "unimplemented"].into_iter().find(|name| stands(tokens, at, &[name, "!"]));
        let ignored = stands(tokens, at, &["#", "[", "ignore"]);
        called.map(|name| format!("calls {name}!")).or_else(|| ignored.then(|| "ignores a test".to_owned()))
    })
}

/// `Result<_, String>`, and causes that are turned into text where they could be kept. Tests may:
/// they compare what people read.
pub(crate) fn string_errors(tree: &Tree) -> Vec<Complaint> {
    each_token(tree, false, |tokens, at| {
        let result = stands(tokens, at, &["Result", "<"]) && last_argument_is_string(tokens, at + 1);
        let flattened = stands(tokens, at, &["map_err", "("]) && is_flattened(tokens, at + 1);
        let message =
            if result { "returns a bare string as its error" } else { "turns an error into a string" };
        (result || flattened).then(|| message.to_owned())
    })
}

/// For the `<` at `open`: whether the last argument before its `>` is `String`.
fn last_argument_is_string(tokens: &[Token], open: usize) -> bool {
    let mut depth = 0_usize;
    let mut argument = open + 1;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        let arrow = at > 0 && tokens[at - 1].is("-");
        match token.kind {
            Kind::Mark('<' | '(' | '[') => depth += 1,
            Kind::Mark(')' | ']') => depth = depth.saturating_sub(1),
            Kind::Mark('>') if !arrow => depth = depth.saturating_sub(1),
            Kind::Mark(',') if depth == 1 => argument = at + 1,
            Kind::Mark(';' | '{') => return false,
            _ => {}
        }
        if depth == 0 {
            let last = tokens.get(argument..at).unwrap_or_default();
            let comma = argument > open + 1;
            return comma && matches!(last, [.., one] if one.is("String")) && last.len() <= 7;
        }
    }
    false
}

/// For the `(` at `open`: a closure or path that only makes text of the error.
fn is_flattened(tokens: &[Token], open: usize) -> bool {
    let inside = tokens.get(open + 1..behind_bracket(tokens, open).saturating_sub(1)).unwrap_or_default();
    let path = stands(inside, 0, &["ToString", ":", ":", "to_string"]);
    let closure =
        inside.len() == 8 && inside[0].is("|") && stands(inside, 2, &["|"]) && inside[5].is("to_string");
    path || closure
}

/// A bare `matches!(..);` throws its answer away, and `assert!(true)` has only one.
pub(crate) fn idle_checks(tree: &Tree) -> Vec<Complaint> {
    each_token(tree, true, |tokens, at| {
        let begins = at == 0 || [";", "{", "}"].iter().any(|end| tokens[at - 1].is(end));
        let bare = begins
            && stands(tokens, at, &["matches", "!", "("])
            && tokens.get(behind_bracket(tokens, at + 2)).is_some_and(|next| next.is(";"));
        let constant = stands(tokens, at, &["assert", "!", "(", "true"]);
        (bare || constant).then(|| "checks nothing".to_owned())
    })
}

pub(crate) fn opening(tree: &Tree) -> Vec<Complaint> {
    let files = tree.ending(".rs").filter(|(_, text)| !text.starts_with("//!"));
    files.map(|(path, _)| Complaint::of(path, "does not open with `//!`")).collect()
}

/// Only `src/`, the command line, asks the system what time it is or talks to anyone; the floors
/// below are told. Their tests may measure.
pub(crate) fn ambient(tree: &Tree) -> Vec<Complaint> {
    const ASKED: [&[&str]; 4] = [
        &["SystemTime", ":", ":", "now"],
        &["Instant", ":", ":", "now"],
        &["std", ":", ":", "net"],
        &["env", ":", ":", "var"],
    ];
    let mut complaints = Vec::new();
    for floor in [
        "lanes/src/",
        "canon/src/",
        "trace/src/",
        "policy/src/",
        "proof/src/",
        "ledger/src/",
        "replay/src/",
        "query/src/",
    ] {
        for (path, text) in tree.ending(".rs").filter(|(path, _)| path.starts_with(floor)) {
            let tokens = without_tests(&tokens(text));
            for at in 0..tokens.len() {
                if let Some(asked) = ASKED.iter().find(|asked| stands(&tokens, at, asked)) {
                    complaints.push(Complaint::at(path, tokens[at].line, format!("asks {}", asked.concat())));
                }
            }
        }
    }
    complaints
}

fn lines_of(complaints: &[Complaint]) -> Vec<usize> {
    complaints.iter().filter_map(|complaint| complaint.line).collect()
}

#[test]
fn unfinished_bites() {
    let tree = Tree::of(&[(
        "a.rs",
        "fn a() { todo!() }\ndbg!(1);\n#[ignore = \"slow\"]\n// todo!()\nlet x = \"dbg!\";\n",
    )]);
    assert_eq!(lines_of(&unfinished(&tree)), [1, 2, 3]);
}

#[test]
fn string_errors_bite() {
    let text = "fn a() -> Result<(), String>;\nfn b() -> Result<Vec<u8>, Fault>;\nfn c() -> Result<String>;\n\
        fn d() -> Result<Vec<(u8, String)>, std::string::String>;\nfn e() -> Result<String, Fault>;\n\
        x.map_err(|e| e.to_string())?;\nx.map_err(ToString::to_string)?;\nx.map_err(|e| Fault::Io(e.to_string()))?;\n";
    let tree = Tree::of(&[("a.rs", text)]);
    assert_eq!(lines_of(&string_errors(&tree)), [1, 4, 6, 7]);
}

#[test]
fn idle_checks_bite() {
    let text = "fn a() {\nmatches!(x, Some(_));\nassert!(matches!(x, Some(_)));\nassert!(true);\n}\n\
        fn b() -> bool {\nmatches!(x, Y { .. })\n}\n";
    let tree = Tree::of(&[("a.rs", text)]);
    assert_eq!(lines_of(&idle_checks(&tree)), [2, 4]);
}

#[test]
fn opening_bites() {
    let tree = Tree::of(&[("a.rs", "//! What for.\n"), ("b.rs", "// Not this.\n"), ("c.md", "# Page\n")]);
    assert_eq!(opening(&tree), [Complaint::of("b.rs", "does not open with `//!`")]);
}

#[test]
fn ambient_bites() {
    let text = "fn a() { SystemTime::now(); }\n#[cfg(test)]\nmod tests { fn b() { Instant::now(); } }\n";
    let tree =
        Tree::of(&[("replay/src/a.rs", text), ("src/cli/clock.rs", text), ("replay/tests/b.rs", text)]);
    assert_eq!(ambient(&tree), [Complaint::at("replay/src/a.rs", 1, "asks SystemTime::now")]);
}

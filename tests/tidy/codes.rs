//! The rule that `docs/errors.md`, with the pages `docs/errors-*.md` behind it, and the sources name the same error
//! codes.

use std::collections::{BTreeMap, BTreeSet};

use crate::rust::{Kind, Token, behind_bracket, stands, tokens, without_tests};
use crate::tree::{Complaint, Tree};

const PAGE: &str = "docs/errors.md";

/// Where a code is listed: the page and the line.
type Listed<'a> = BTreeMap<String, (&'a str, usize)>;

/// Where codes are made. `vectors/` makes data, not errors.
const SOURCES: [&str; 10] = [
    "lanes/src/",
    "canon/src/",
    "trace/src/",
    "policy/src/",
    "proof/src/",
    "ledger/src/",
    "replay/src/",
    "otel/src/",
    "query/src/",
    "src/",
];

/// Texts that look like a code and are none.
const OTHERS: [&str; 5] = [
    "archive.lock",   // a file's name
    "bundle.json",    // a member's name
    "import.lock",    // a file's name
    "log.proof",      // a member's name
    "catalogue.lock", // a file's name
];

pub(crate) fn documented(tree: &Tree) -> Vec<Complaint> {
    let (listed, mut complaints) = listed(tree);
    let sources: Vec<(&str, Vec<Token>)> = tree
        .ending(".rs")
        .filter(|(path, _)| SOURCES.iter().any(|folder| path.starts_with(folder)))
        .map(|(path, text)| (path, without_tests(&tokens(text))))
        .collect();
    let families = families(&sources, &listed);
    let mut found = BTreeSet::new();
    for (path, tokens) in &sources {
        let loose = tokens.iter().filter_map(|token| Some((token.line, code(token)?)));
        let loose = loose.filter(|(_, code)| families.contains(family(code)));
        for (line, code) in loose.chain(returned(tokens)) {
            if found.insert(code) && !listed.contains_key(code) {
                complaints.push(Complaint::at(path, line, format!("{code} is not in {PAGE}")));
            }
        }
    }
    for (code, (page, line)) in listed.iter().filter(|(code, _)| !found.contains(code.as_str())) {
        complaints.push(Complaint::at(page, *line, format!("{code} is in no source")));
    }
    complaints
}

fn is_page(path: &str) -> bool {
    path == PAGE || path.starts_with("docs/errors-")
}

/// The codes that the pages list, each once, with a meaning and what to do.
fn listed(tree: &Tree) -> (Listed<'_>, Vec<Complaint>) {
    let mut codes = BTreeMap::new();
    let mut complaints = Vec::new();
    let pages = tree.ending(".md").filter(|(path, _)| is_page(path));
    let lines =
        pages.flat_map(|(path, text)| text.lines().enumerate().map(move |(at, line)| (path, at, line)));
    for (page, at, line) in lines {
        let Some((code, rest)) = line.strip_prefix("| `").and_then(|rest| rest.split_once('`')) else {
            continue;
        };
        let cells: Vec<&str> = rest.trim_matches([' ', '|']).split('|').map(str::trim).collect();
        if cells.len() != 2 || cells.iter().any(|cell| cell.is_empty()) {
            complaints.push(Complaint::at(page, at + 1, format!("{code} needs a meaning and what to do")));
        }
        if codes.insert(code.to_owned(), (page, at + 1)).is_some() {
            complaints.push(Complaint::at(page, at + 1, format!("{code} is listed twice")));
        }
    }
    (codes, complaints)
}

/// What stands before the dot of a code: the families that the page lists, those of the codes that
/// any `fn code` returns, and those given to a field named `code`.
fn families<'a>(sources: &'a [(&str, Vec<Token>)], listed: &'a Listed<'_>) -> BTreeSet<&'a str> {
    let mut families: BTreeSet<&str> = listed.keys().map(|code| family(code)).collect();
    for (_, tokens) in sources {
        families.extend(returned(tokens).map(|(_, code)| family(code)));
        let given = (0..tokens.len()).filter(|at| stands(tokens, *at, &["code", ":"]));
        families.extend(given.filter_map(|at| code(tokens.get(at + 2)?)).map(family));
    }
    families
}

/// The codes that the functions named `code` return.
fn returned(tokens: &[Token]) -> impl Iterator<Item = (usize, &str)> {
    let functions = (0..tokens.len()).filter(|at| stands(tokens, *at, &["fn", "code", "("]));
    let texts = functions.flat_map(|at| body(tokens, at));
    texts.filter_map(|token| match &token.kind {
        Kind::Text(code) => Some((token.line, code.as_str())),
        _ => None,
    })
}

/// The tokens of the body of the function at `at`.
fn body(tokens: &[Token], at: usize) -> &[Token] {
    let open =
        tokens.iter().skip(at).position(|token| token.is("{")).map_or(tokens.len(), |offset| at + offset);
    tokens.get(open..behind_bracket(tokens, open)).unwrap_or_default()
}

fn code(token: &Token) -> Option<&str> {
    match &token.kind {
        Kind::Text(text) if is_code(text) && !OTHERS.contains(&text.as_str()) => Some(text),
        _ => None,
    }
}

/// Words of letters, digits and `_`, each beginning in lower case, with dots between them.
fn is_code(text: &str) -> bool {
    let word = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_lowercase())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    text.contains('.') && text.split('.').all(word)
}

fn family(code: &str) -> &str {
    code.split('.').next().unwrap_or_default()
}

#[test]
fn codes_bite() {
    let source = "fn code(&self) -> &str { match self { A => \"disk.full\", B => \"disk.gone\" } }\n\
        fn x() { damage(\"log.link\", 1); open(\"file.txt\"); Damage { code: \"mark.lost\" } }\n\
        #[cfg(test)]\nmod tests { fn code() -> &str { \"disk.tested\" } }\n";
    let page = "| code | meaning | what to do |\n|---|---|---|\n| `disk.full` | No space. | Free some. |\n\
        | `disk.full` | No space. | Free some. |\n| `log.link` | | Restore. |\n| `log.never` | Never. | Nothing. |\n";
    let more = "| `disk.full` | No space. | Free some. |\n";
    let pages = [(PAGE, page), ("docs/errors-more.md", more), ("docs/other.md", more)];
    let tree = Tree::of(&[&[("ledger/src/a.rs", source), ("vectors/src/b.rs", source)], &pages[..]].concat());
    let messages: Vec<String> = documented(&tree).iter().map(ToString::to_string).collect();
    assert_eq!(
        messages,
        [
            "docs/errors.md:3: disk.full is listed twice",
            "docs/errors.md:4: disk.full is listed twice",
            "docs/errors.md:5: log.link needs a meaning and what to do",
            "ledger/src/a.rs:1: disk.gone is not in docs/errors.md",
            "ledger/src/a.rs:2: mark.lost is not in docs/errors.md",
            "docs/errors.md:6: log.never is in no source",
        ]
    );
}

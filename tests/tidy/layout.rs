//! The rule that no source file lies about unused: each is a crate's root or is reached from one
//! by `mod`.

use std::collections::BTreeSet;

use crate::manifest::entries;
use crate::rust::{Kind, Token, stands, tokens};
use crate::tree::{Complaint, Tree};

pub(crate) fn orphans(tree: &Tree) -> Vec<Complaint> {
    let mut reached = BTreeSet::new();
    let mut complaints = Vec::new();
    for (manifest, text) in tree.ending("Cargo.toml") {
        let folder = manifest.strip_suffix("Cargo.toml").unwrap_or_default();
        for root in roots(tree, folder, text) {
            visit(tree, &root, true, &mut reached, &mut complaints);
        }
    }
    let lost = tree.ending(".rs").filter(|(path, _)| !reached.contains(*path));
    complaints.extend(lost.map(|(path, _)| Complaint::of(path, "is part of no crate")));
    complaints
}

/// The files that Cargo takes for the roots of a package's crates.
fn roots(tree: &Tree, folder: &str, manifest: &str) -> Vec<String> {
    let mut roots: Vec<String> =
        ["src/lib.rs", "src/main.rs", "build.rs"].map(|name| format!("{folder}{name}")).into();
    let named = entries(manifest).into_iter().filter(|entry| {
        entry.key == "path" && ["lib", "bin", "test", "bench", "example"].contains(&entry.section.as_str())
    });
    roots.extend(named.map(|entry| format!("{folder}{}", entry.value.trim_matches('"'))));
    for group in ["src/bin/", "tests/", "benches/", "examples/"] {
        let prefix = format!("{folder}{group}");
        let found = tree.paths().filter(|path| {
            let name = path.strip_prefix(&prefix).and_then(|name| name.strip_suffix(".rs"));
            name.is_some_and(|name| !name.trim_end_matches("/main").contains('/'))
        });
        roots.extend(found.map(str::to_owned));
    }
    roots.retain(|root| tree.text(root).is_some());
    roots
}

fn visit(
    tree: &Tree,
    path: &str,
    is_root: bool,
    reached: &mut BTreeSet<String>,
    complaints: &mut Vec<Complaint>,
) {
    if !reached.insert(path.to_owned()) {
        return;
    }
    let tokens = tokens(tree.text(path).unwrap_or_default());
    for module in modules(&tokens) {
        let (candidates, is_root) = places(path, is_root, &module);
        match candidates.iter().find(|candidate| tree.text(candidate).is_some()) {
            Some(found) => {
                let is_root = is_root || found.ends_with("/mod.rs");
                visit(tree, found, is_root, reached, complaints);
            }
            None => {
                complaints.push(Complaint::at(path, module.line, format!("mod {} has no file", module.name)))
            }
        }
    }
}

/// A `mod name;`, with the file that a `#[path]` names.
#[derive(Debug, PartialEq, Eq)]
struct Module {
    name: String,
    file: Option<String>,
    line: usize,
}

fn modules(tokens: &[Token]) -> Vec<Module> {
    let mut modules = Vec::new();
    for at in 0..tokens.len() {
        let Some(Kind::Word(name)) = tokens.get(at + 1).map(|token| &token.kind) else { continue };
        if tokens[at].is("mod") && tokens.get(at + 2).is_some_and(|token| token.is(";")) {
            let file = path_attribute(tokens, at);
            modules.push(Module { name: name.clone(), file, line: tokens[at].line });
        }
    }
    modules
}

/// The text of the last `#[path = ".."]` since the item before.
fn path_attribute(tokens: &[Token], at: usize) -> Option<String> {
    let before = tokens.get(..at).unwrap_or_default();
    let start = before.iter().rposition(|token| token.is(";") || token.is("}")).map_or(0, |place| place + 1);
    let found = (start..at).rfind(|place| stands(tokens, *place, &["#", "[", "path", "="]))?;
    match &tokens.get(found + 4)?.kind {
        Kind::Text(file) => Some(file.clone()),
        _ => None,
    }
}

/// Where a module's file may lie, and whether that file's own modules lie beside it.
fn places(path: &str, is_root: bool, module: &Module) -> (Vec<String>, bool) {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    if let Some(named) = &module.file {
        return (vec![join(folder, named)], true);
    }
    let stem = file.strip_suffix(".rs").unwrap_or(file);
    let base = if is_root { folder.to_owned() } else { join(folder, stem) };
    let name = &module.name;
    (vec![join(&base, &format!("{name}.rs")), join(&base, &format!("{name}/mod.rs"))], false)
}

/// Joins two paths of the tree; `..` goes up.
pub(crate) fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

#[test]
fn orphans_bite() {
    let tree = Tree::of(&[
        ("Cargo.toml", "[package]\nname = \"x\"\n[[bin]]\nname = \"y\"\npath = \"other/y.rs\"\n"),
        ("src/lib.rs", "mod a; pub mod b; mod gone; // mod lost;\nconst C: &str = \"mod lost;\";"),
        ("src/a.rs", "mod inner;"),
        ("src/a/inner.rs", ""),
        ("src/b/mod.rs", "mod beside;"),
        ("src/b/beside.rs", ""),
        ("src/lost.rs", ""),
        ("other/y.rs", ""),
        ("tests/t.rs", "#[path = \"../shared/part.rs\"] mod part;"),
        ("shared/part.rs", "mod more;"),
        ("shared/more.rs", ""),
        ("tests/common/mod.rs", ""),
        ("tests/u/main.rs", "mod v;"),
        ("tests/u/v.rs", ""),
    ]);
    let messages: Vec<String> = orphans(&tree).iter().map(ToString::to_string).collect();
    assert_eq!(
        messages,
        [
            "src/lib.rs:1: mod gone has no file",
            "src/lost.rs: is part of no crate",
            "tests/common/mod.rs: is part of no crate"
        ]
    );
}

#[test]
fn paths_are_joined() {
    assert_eq!(join("docs/decisions", "../format.md"), "docs/format.md");
    assert_eq!(join("", "./README.md"), "README.md");
}

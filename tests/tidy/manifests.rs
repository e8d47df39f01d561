//! Rules about the manifests: arrows between floors, reasons, versions, lints, benches.

use crate::manifest::{Entry, entries};
use crate::tree::{Complaint, Tree};

/// The floors, lowest first, by the folder of their manifest. An arrow points to a lower one.
const FLOORS: [(&str, &str); 10] = [
    ("lanes", "proofline-lanes"),
    ("canon", "proofline-canon"),
    ("trace", "proofline-trace"),
    ("policy", "proofline-policy"),
    ("proof", "proofline-proof"),
    ("ledger", "proofline-ledger"),
    ("query", "proofline-query"),
    ("replay", "proofline-replay"),
    ("otel", "proofline-otel"),
    ("", "proofline"),
];

/// Golden data and the programs that make it: stands on canon and trace, and only tests, benches
/// and examples stand on it.
const VECTORS: (&str, &str) = ("vectors", "proofline-vectors");

/// The one floor that may hold unsafe code.
const UNSAFE_FLOOR: &str = "lanes";

const HOUSE: &str = "proofline";
const DEPENDENCIES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

fn manifest_path(folder: &str) -> String {
    if folder.is_empty() { "Cargo.toml".to_owned() } else { format!("{folder}/Cargo.toml") }
}

/// The manifests of the workspace, by path.
fn manifests(tree: &Tree) -> Vec<(String, Vec<Entry>)> {
    let folders = FLOORS.iter().chain([&VECTORS]).map(|(folder, _)| manifest_path(folder));
    folders.filter_map(|path| tree.text(&path).map(|text| (path.clone(), entries(text)))).collect()
}

fn rank(package: &str) -> Option<usize> {
    FLOORS.iter().position(|(_, name)| *name == package)
}

pub(crate) fn floors(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (folder, package) in FLOORS.iter().chain([&VECTORS]) {
        let path = manifest_path(folder);
        let Some(text) = tree.text(&path) else {
            complaints.push(Complaint::of(&path, "is missing: the floors are crates"));
            continue;
        };
        for entry in entries(text).iter().filter(|entry| DEPENDENCIES.contains(&entry.section.as_str())) {
            let below = entry.name();
            let house = below == HOUSE || below.starts_with("proofline-");
            if house && !is_allowed(package, below, &entry.section) {
                complaints.push(Complaint::at(
                    &path,
                    entry.line,
                    format!("{package} must not stand on {below}"),
                ));
            }
        }
    }
    complaints
}

fn is_allowed(package: &str, below: &str, section: &str) -> bool {
    let tests = section == "dev-dependencies";
    match (rank(package), rank(below)) {
        (Some(upper), Some(lower)) => lower < upper,
        (Some(_), None) => below == VECTORS.1 && tests,
        (None, Some(lower)) => Some(lower) <= rank("proofline-trace") || tests,
        (None, None) => false,
    }
}

pub(crate) fn versions(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (path, entries) in manifests(tree) {
        let dependencies = entries.iter().filter(|entry| DEPENDENCIES.contains(&entry.section.as_str()));
        for entry in dependencies.filter(|entry| !entry.is_inherited()) {
            complaints.push(Complaint::at(
                &path,
                entry.line,
                format!("{} is not `workspace = true`", entry.name()),
            ));
        }
    }
    complaints
}

/// A path dependency has its reason beside its member.
pub(crate) fn reasons(tree: &Tree) -> Vec<Complaint> {
    let path = "Cargo.toml";
    let mut complaints = Vec::new();
    for entry in entries(tree.text(path).unwrap_or_default()) {
        let shared = entry.section == "workspace.dependencies" && !entry.value.contains("path =");
        let member = entry.section == "workspace" && entry.key == "members";
        let own = DEPENDENCIES.contains(&entry.section.as_str()) && !entry.is_plain();
        let what = if member { &entry.value } else { &entry.key };
        if (shared || member || own) && !entry.has_reason {
            complaints.push(Complaint::at(
                path,
                entry.line,
                format!("{what} has no reason beside or above it"),
            ));
        }
    }
    complaints
}

pub(crate) fn unused(tree: &Tree) -> Vec<Complaint> {
    let all = manifests(tree);
    let used = |name: &str| {
        let mut entries = all.iter().flat_map(|(_, entries)| entries);
        entries.any(|entry| DEPENDENCIES.contains(&entry.section.as_str()) && entry.name() == name)
    };
    let shared = entries(tree.text("Cargo.toml").unwrap_or_default());
    let shared = shared.iter().filter(|entry| entry.section == "workspace.dependencies");
    let unused = shared.filter(|entry| !used(entry.name()));
    unused
        .map(|entry| Complaint::at("Cargo.toml", entry.line, format!("no crate uses {}", entry.name())))
        .collect()
}

pub(crate) fn lints(tree: &Tree) -> Vec<Complaint> {
    let takes = |entries: &[Entry]| {
        entries
            .iter()
            .any(|entry| entry.section == "lints" && entry.key == "workspace" && entry.value == "true")
    };
    let (unsafe_floor, others): (Vec<_>, Vec<_>) =
        manifests(tree).into_iter().partition(|(path, _)| *path == manifest_path(UNSAFE_FLOOR));
    let without = others.into_iter().filter(|(_, entries)| !takes(entries));
    let without = without.map(|(path, _)| Complaint::of(&path, "does not take `[lints] workspace = true`"));
    without.chain(unsafe_floor.iter().flat_map(|(path, entries)| own_lints(tree, path, entries))).collect()
}

/// The lints of the workspace that the floor with unsafe code does not hold itself to. Cargo takes either all of them
/// or none.
fn own_lints(tree: &Tree, path: &str, own: &[Entry]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for shared in entries(tree.text("Cargo.toml").unwrap_or_default()) {
        let Some(section) =
            shared.section.strip_prefix("workspace.").filter(|name| name.starts_with("lints"))
        else {
            continue;
        };
        // Denied, so that each place that needs it says so; forbidden, none could.
        let is_unsafe = shared.key == "unsafe_code";
        let wanted = if is_unsafe { "\"deny\"" } else { &shared.value };
        if !own.iter().any(|own| own.section == section && own.key == shared.key && own.value == wanted) {
            complaints.push(Complaint::of(path, format!("does not say `{} = {wanted}`", shared.key)));
        }
    }
    complaints
}

pub(crate) fn benches(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (path, entries) in manifests(tree) {
        let folder = path.strip_suffix("Cargo.toml").unwrap_or_default();
        let mut declared = Vec::new();
        for table in tables(&entries) {
            let says =
                |key: &str, value: &str| table.iter().any(|entry| entry.key == key && entry.value == value);
            let section = table.first().map_or("", |entry| entry.section.as_str());
            let line = table.first().map_or(1, |entry| entry.line);
            if section == "bench" {
                declared.extend(
                    table.iter().filter(|entry| entry.key == "name").map(|entry| unquoted(&entry.value)),
                );
                if !says("harness", "false") {
                    complaints.push(Complaint::at(&path, line, "a [[bench]] without harness = false"));
                }
            }
            if ["lib", "bin"].contains(&section) && !says("bench", "false") {
                complaints.push(Complaint::at(&path, line, format!("a [{section}] without bench = false")));
            }
        }
        if !entries.iter().any(|entry| entry.section == "lib") {
            complaints.push(Complaint::of(&path, "has no [lib] with bench = false"));
        }
        complaints.extend(undeclared_benches(tree, folder, &declared));
    }
    complaints
}

/// Files of `benches/` that no `[[bench]]` names: Cargo would run them with its own harness.
fn undeclared_benches(tree: &Tree, folder: &str, declared: &[&str]) -> Vec<Complaint> {
    let prefix = format!("{folder}benches/");
    let mut complaints = Vec::new();
    for path in tree.paths() {
        let name = path.strip_prefix(&prefix).and_then(|name| name.strip_suffix(".rs"));
        let Some(name) = name.map(|name| name.strip_suffix("/main").unwrap_or(name)) else { continue };
        if !name.contains('/') && !declared.contains(&name) {
            complaints.push(Complaint::of(path, "has no [[bench]] with harness = false"));
        }
    }
    complaints
}

fn tables(entries: &[Entry]) -> impl Iterator<Item = &[Entry]> {
    entries.chunk_by(|a, b| a.table == b.table)
}

fn unquoted(value: &str) -> &str {
    value.trim_matches('"')
}

pub(crate) fn panics(tree: &Tree) -> Vec<Complaint> {
    let aborts = |entry: &Entry| entry.section.starts_with("profile") && entry.key == "panic";
    let mut complaints = Vec::new();
    for (path, entries) in manifests(tree) {
        let found = entries.iter().filter(|entry| aborts(entry));
        complaints.extend(found.map(|entry| Complaint::at(&path, entry.line, "sets what a panic does")));
    }
    complaints
}

fn messages(complaints: &[Complaint]) -> Vec<String> {
    complaints.iter().map(ToString::to_string).collect()
}

#[test]
fn floors_bite() {
    let tree = Tree::of(&[
        (
            "Cargo.toml",
            "[dependencies]\nproofline-replay.workspace = true\nproofline-vectors.workspace = true\n",
        ),
        ("canon/Cargo.toml", "[dependencies]\nproofline-trace.workspace = true\n"),
        (
            "trace/Cargo.toml",
            "[dev-dependencies]\nproofline-ledger.workspace = true\nproofline-vectors.workspace = true\n",
        ),
        ("proof/Cargo.toml", "[dependencies]\nproofline-ledger.workspace = true\n"),
        (
            "ledger/Cargo.toml",
            "[dependencies]\nproofline-trace.workspace = true\nproofline = { path = \"..\" }\n",
        ),
        (
            "vectors/Cargo.toml",
            "[dependencies]\nproofline-trace.workspace = true\nproofline-ledger.workspace = true\n",
        ),
    ]);
    assert_eq!(
        messages(&floors(&tree)),
        [
            "lanes/Cargo.toml: is missing: the floors are crates",
            "canon/Cargo.toml:2: proofline-canon must not stand on proofline-trace",
            "trace/Cargo.toml:2: proofline-trace must not stand on proofline-ledger",
            "policy/Cargo.toml: is missing: the floors are crates",
            "proof/Cargo.toml:2: proofline-proof must not stand on proofline-ledger",
            "ledger/Cargo.toml:3: proofline-ledger must not stand on proofline",
            "query/Cargo.toml: is missing: the floors are crates",
            "replay/Cargo.toml: is missing: the floors are crates",
            "otel/Cargo.toml: is missing: the floors are crates",
            "Cargo.toml:3: proofline must not stand on proofline-vectors",
            "vectors/Cargo.toml:3: proofline-vectors must not stand on proofline-ledger",
        ]
    );
}

#[test]
fn versions_bite() {
    let tree = Tree::of(&[("canon/Cargo.toml", "[dependencies]\nsha2 = \"0.11\"\nserde.workspace = true\n")]);
    assert_eq!(messages(&versions(&tree)), ["canon/Cargo.toml:2: sha2 is not `workspace = true`"]);
}

#[test]
fn reasons_bite() {
    let text = "[workspace]\nmembers = [\n    \"canon\", # bytes\n    \"trace\",\n]\n\n[workspace.dependencies]\n\
        proofline-canon = { path = \"canon\" }\n# Digests.\nsha2 = \"0.11\"\n\nblake3 = \"1\"\n\n[dependencies]\n\
        sha2.workspace = true\nserde = { workspace = true, features = [\"derive\"] }\n";
    let tree = Tree::of(&[("Cargo.toml", text)]);
    assert_eq!(
        messages(&reasons(&tree)),
        [
            "Cargo.toml:4: \"trace\" has no reason beside or above it",
            "Cargo.toml:12: blake3 has no reason beside or above it",
            "Cargo.toml:16: serde has no reason beside or above it",
        ]
    );
}

#[test]
fn unused_bites() {
    let tree = Tree::of(&[
        ("Cargo.toml", "[workspace.dependencies]\nsha2 = \"0.11\"\nblake3 = \"1\"\n"),
        ("canon/Cargo.toml", "[dev-dependencies]\nsha2.workspace = true\n"),
    ]);
    assert_eq!(messages(&unused(&tree)), ["Cargo.toml:3: no crate uses blake3"]);
}

#[test]
fn lints_bite() {
    let tree =
        Tree::of(&[("canon/Cargo.toml", "[lints]\nworkspace = true\n"), ("trace/Cargo.toml", "[lib]\n")]);
    assert_eq!(messages(&lints(&tree)), ["trace/Cargo.toml: does not take `[lints] workspace = true`"]);
}

#[test]
fn lints_of_the_unsafe_floor_bite() {
    let shared = "[workspace.lints.rust]\nunsafe_code = \"forbid\"\nmissing_docs = \"warn\"\n\
        [workspace.lints.clippy]\npanic = \"deny\"\n[lints]\nworkspace = true\n";
    let messages_of =
        |own: &str| messages(&lints(&Tree::of(&[("Cargo.toml", shared), ("lanes/Cargo.toml", own)])));
    let whole =
        "[lints.rust]\nunsafe_code = \"deny\"\nmissing_docs = \"warn\"\n[lints.clippy]\npanic = \"deny\"\n";
    assert_eq!(messages_of(whole), Vec::<String>::new());
    assert_eq!(
        messages_of(
            "[lints.rust]\nunsafe_code = \"allow\"\npanic = \"deny\"\n[lints.clippy]\npanic = \"warn\"\n"
        ),
        [
            "lanes/Cargo.toml: does not say `unsafe_code = \"deny\"`",
            "lanes/Cargo.toml: does not say `missing_docs = \"warn\"`",
            "lanes/Cargo.toml: does not say `panic = \"deny\"`",
        ]
    );
}

#[test]
fn benches_bite() {
    let tree = Tree::of(&[
        (
            "Cargo.toml",
            "[lib]\nname = \"a\"\n\n[[bench]]\nname = \"b\"\n\n[[bench]]\nname = \"c\"\nharness = false\n",
        ),
        ("benches/b.rs", ""),
        ("benches/c.rs", ""),
        ("benches/d.rs", ""),
        ("benches/e/main.rs", ""),
        ("benches/e/part.rs", ""),
        ("canon/Cargo.toml", "[package]\nname = \"f\"\n"),
    ]);
    assert_eq!(
        messages(&benches(&tree)),
        [
            "canon/Cargo.toml: has no [lib] with bench = false",
            "Cargo.toml:2: a [lib] without bench = false",
            "Cargo.toml:5: a [[bench]] without harness = false",
            "benches/d.rs: has no [[bench]] with harness = false",
            "benches/e/main.rs: has no [[bench]] with harness = false",
        ]
    );
}

#[test]
fn panics_bite() {
    let tree = Tree::of(&[("Cargo.toml", "[profile.release]\npanic = \"abort\"\n")]);
    assert_eq!(messages(&panics(&tree)), ["Cargo.toml:2: sets what a panic does"]);
}

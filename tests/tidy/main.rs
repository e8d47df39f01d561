//! The repository lints itself. Each rule reads the files that a clone would hold and returns what
//! it objects to; each also has a test that feeds it a bad sample, so that it is known to bite.
//! Limits ratchet: they may be tightened here, and an exception is listed with its reason.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod codes;
mod layout;
mod links;
mod manifest;
mod manifests;
mod rust;
mod sources;
mod text;
mod tree;

use std::path::Path;

use tree::{Complaint, Tree};

/// A rule: what it asks for, and the check.
type Rule = (&'static str, fn(&Tree) -> Vec<Complaint>);

const RULES: [Rule; 20] = [
    ("text ends in a newline and has no tabs or trailing spaces", text::form),
    ("lines of Rust are at most 120 characters long", text::width),
    ("files have at most 700 lines", text::size),
    ("nothing is left for later by a mark in the text", text::leftovers),
    ("no unfinished or debugging macros, no ignored tests", sources::unfinished),
    ("no error is a bare string", sources::string_errors),
    ("no check that checks nothing", sources::idle_checks),
    ("each Rust file opens by saying what it is for", sources::opening),
    ("each Rust file is part of a crate", layout::orphans),
    ("libraries read no clock, no environment and no network", sources::ambient),
    ("arrows between floors go down", manifests::floors),
    ("versions of dependencies stand in the root manifest", manifests::versions),
    ("each dependency and member has its reason", manifests::reasons),
    ("each shared dependency is used", manifests::unused),
    ("each crate takes the workspace's lints", manifests::lints),
    ("benches have no harness of their own, libraries and programs no bench", manifests::benches),
    ("no profile aborts on panic", manifests::panics),
    ("links inside the repository resolve", links::resolve),
    ("decision pages are numbered and listed", links::decisions),
    ("docs/errors.md lists each error code, and no other", codes::documented),
];

#[test]
fn the_repository_is_tidy() {
    let tree = Tree::read(Path::new(env!("CARGO_MANIFEST_DIR")));
    let mut report = String::new();
    for (what, rule) in RULES {
        let complaints = rule(&tree);
        if !complaints.is_empty() {
            report.push_str(&format!("\n{what}:\n"));
        }
        for complaint in complaints {
            report.push_str(&format!("  {complaint}\n"));
        }
    }
    assert!(report.is_empty(), "\n{report}");
}

#[test]
fn the_walk_sees_the_repository() {
    let tree = Tree::read(Path::new(env!("CARGO_MANIFEST_DIR")));
    for path in ["Cargo.toml", "canon/src/lib.rs", "docs/errors.md", ".ci/run", "tests/tidy/main.rs"] {
        assert!(tree.text(path).is_some(), "{path} is not seen");
    }
    assert!(tree.paths().all(|path| !path.starts_with("target/") && !path.starts_with(".git/")));
}

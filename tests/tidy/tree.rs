//! The files of the repository, as a clone would hold them: a walk that leaves out `.git` and what
//! `.gitignore` names, so that it works where there is no git.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

/// What a rule objects to, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) path: String,
    pub(crate) line: Option<usize>,
    pub(crate) message: String,
}

impl Complaint {
    /// About a file as a whole.
    pub(crate) fn of(path: &str, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: None, message: message.into() }
    }

    /// About one line, counted from 1.
    pub(crate) fn at(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: Some(line), message: message.into() }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.message),
            None => write!(f, "{}: {}", self.path, self.message),
        }
    }
}

/// Files by their path from the root, with `/` between folders. Files that are no UTF-8 are there
/// without their text.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, Option<String>>,
}

impl Tree {
    /// Reads the repository at `root`.
    pub(crate) fn read(root: &Path) -> Self {
        let ignored = fs::read_to_string(root.join(".gitignore")).unwrap_or_default();
        let ignored = Ignored::parse(&ignored);
        let mut tree = Self::default();
        tree.walk(root, "", &ignored);
        tree
    }

    fn walk(&mut self, folder: &Path, prefix: &str, ignored: &Ignored) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let path = format!("{prefix}{name}");
            let is_dir = entry.file_type().unwrap().is_dir();
            if path == ".git" || ignored.covers(&path, &name) {
                continue;
            }
            if is_dir {
                self.walk(&entry.path(), &format!("{path}/"), ignored);
            } else {
                // A file that went away since it was listed is not one of the repository.
                let Ok(bytes) = fs::read(entry.path()) else { continue };
                self.files.insert(path, String::from_utf8(bytes).ok());
            }
        }
    }

    /// A tree made of samples.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), Some((*text).to_owned())));
        Self { files: files.collect() }
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// The text of a file, if it is there and is text.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.as_deref()
    }

    /// True for a file, and for a folder that holds one.
    pub(crate) fn has(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        path.is_empty()
            || self.files.contains_key(path)
            || self.paths().any(|other| other.starts_with(&folder))
    }

    /// Files whose name ends so, with their text.
    pub(crate) fn ending<'a>(&'a self, end: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let files = self.files.iter().filter(move |(path, _)| path.ends_with(end));
        files.filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)))
    }

    /// Every file that is text.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.ending("")
    }
}

/// The lines of a `.gitignore`, as far as this repository uses them: a path from the root, a name
/// anywhere, or `*` and the end of a name.
struct Ignored {
    paths: Vec<String>,
    names: Vec<String>,
    ends: Vec<String>,
}

impl Ignored {
    fn parse(text: &str) -> Self {
        let mut ignored = Self { paths: Vec::new(), names: Vec::new(), ends: Vec::new() };
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let line = line.trim_end_matches('/');
            if let Some(path) = line.strip_prefix('/') {
                ignored.paths.push(path.to_owned());
            } else if let Some(end) = line.strip_prefix('*') {
                ignored.ends.push(end.to_owned());
            } else {
                ignored.names.push(line.to_owned());
            }
        }
        ignored
    }

    fn covers(&self, path: &str, name: &str) -> bool {
        self.paths.iter().any(|ignored| ignored == path)
            || self.names.iter().any(|ignored| ignored == name)
            || self.ends.iter().any(|end| name.ends_with(end.as_str()))
    }
}

#[test]
fn ignored_files_are_left_out() {
    let ignored = Ignored::parse("# made\n/target\n/fuzz/target\n*.snap.new\n__pycache__/\n");
    assert!(ignored.covers("target", "target"));
    assert!(ignored.covers("fuzz/target", "target"));
    assert!(!ignored.covers("docs/target", "target"));
    assert!(ignored.covers("tests/a.snap.new", "a.snap.new"));
    assert!(ignored.covers("vectors/reference/__pycache__", "__pycache__"));
    assert!(!ignored.covers("tests/a.snap", "a.snap"));
}

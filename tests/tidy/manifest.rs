//! `Cargo.toml` line by line: enough of TOML for the manifests of this repository, with the
//! comments, which a TOML parser would drop.

/// One `key = value`, or one line of an array that stands on several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The table's name, as in `workspace.dependencies`; `[[bench]]` is `bench`.
    pub(crate) section: String,
    /// Which of the tables of that name, counted over the whole file.
    pub(crate) table: usize,
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) line: usize,
    /// True when a comment stands behind it, or above it in the same block of lines.
    pub(crate) has_reason: bool,
}

impl Entry {
    /// The part of the key before the first dot: `serde` in `serde.workspace = true`.
    pub(crate) fn name(&self) -> &str {
        self.key.split('.').next().unwrap_or_default()
    }

    /// True when the version stands in the workspace's table.
    pub(crate) fn is_inherited(&self) -> bool {
        self.key.ends_with(".workspace") && self.value == "true" || self.value.contains("workspace = true")
    }

    /// True for `workspace = true` or `x.workspace = true` and nothing else.
    pub(crate) fn is_plain(&self) -> bool {
        self.is_inherited() && !self.value.contains(',')
    }
}

/// Reads a manifest.
pub(crate) fn entries(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let (mut section, mut table) = (String::new(), 0);
    let mut array: Option<String> = None;
    let mut explained = false;
    for (at, line) in text.lines().enumerate() {
        let (code, has_comment) = split_comment(line);
        if code.is_empty() {
            explained = has_comment;
            continue;
        }
        let mut push = |key: &str, value: &str| {
            let (section, key, value) = (section.clone(), key.to_owned(), value.to_owned());
            let has_reason = has_comment || explained;
            entries.push(Entry { section, table, key, value, line: at + 1, has_reason });
        };
        if let Some(key) = &array {
            if code.starts_with(']') {
                array = None;
            } else {
                push(key, code.trim_end_matches(','));
            }
        } else if let Some(name) = code.strip_prefix('[') {
            section = name.trim_matches(['[', ']']).to_owned();
            table += 1;
            explained = false;
        } else if let Some((key, value)) = code.split_once('=') {
            let (key, value) = (key.trim(), value.trim());
            if value == "[" {
                array = Some(key.to_owned());
            } else {
                push(key, value);
            }
        }
    }
    entries
}

/// The line without its comment and the space around, and whether there was one.
fn split_comment(line: &str) -> (&str, bool) {
    let mut quoted = false;
    for (at, next) in line.char_indices() {
        match next {
            '"' => quoted = !quoted,
            '#' if !quoted => return (line.get(..at).unwrap_or_default().trim(), true),
            _ => {}
        }
    }
    (line.trim(), false)
}

#[test]
fn manifests_are_read_with_their_comments() {
    let text = "[workspace]\nmembers = [\n    \"a\", # first\n    \"b\",\n]\n[workspace.dependencies]\n\
        # Both for x.\nc = \"1\"\nd = { version = \"2\", features = [\"#\"] }\n\ne = \"3\"\nf = \"4\" # for y\n\
        [[bench]]\nname = \"g\"\n";
    let found: Vec<(String, String, bool)> =
        entries(text).into_iter().map(|entry| (entry.section, entry.key, entry.has_reason)).collect();
    let expected = [
        ("workspace", "members", true),
        ("workspace", "members", false),
        ("workspace.dependencies", "c", true),
        ("workspace.dependencies", "d", true),
        ("workspace.dependencies", "e", false),
        ("workspace.dependencies", "f", true),
        ("bench", "name", false),
    ];
    assert_eq!(found, expected.map(|(section, key, reason)| (section.to_owned(), key.to_owned(), reason)));
}

#[test]
fn inherited_dependencies_are_told() {
    let text = "[dependencies]\na.workspace = true\nb = { workspace = true }\n\
        c = { workspace = true, features = [] }\nd = \"1\"\n";
    let found: Vec<(bool, bool)> =
        entries(text).iter().map(|entry| (entry.is_inherited(), entry.is_plain())).collect();
    assert_eq!(found, [(true, true), (true, true), (true, false), (false, false)]);
}

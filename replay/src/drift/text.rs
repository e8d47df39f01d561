//! Two textual payloads line by line, bounded in size and work: what is not compared is said to be cut.

use proofline_canon::{ContentStore, Limits, Profile, StoreError, Value, parse};
use proofline_trace::BlobRef;
use similar::{Algorithm, ChangeTag, TextDiff};

use crate::error::ReplayError;

/// Payloads that claim more are not read.
const PAYLOAD_BYTES: u64 = 16 << 20;
/// Lines of a side that are compared.
const LINES_COMPARED: usize = 2_000;
/// Characters of a line that are compared.
const LINE_CHARS: usize = 400;
/// Lines of a difference that are kept.
const LINES_KEPT: usize = 200;
/// Equal lines that are kept around what differs.
const CONTEXT_LINES: usize = 2;

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LineChange {
    /// On both sides, near what differs.
    Same,
    /// In the baseline's payload only.
    Removed,
    /// In the candidate's payload only.
    Added,
    /// Equal lines were left out here; the text says how many.
    Skipped,
}

impl LineChange {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Removed => "removed",
            Self::Added => "added",
            Self::Skipped => "skipped",
        }
    }
}

/// Why there are lines, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PayloadState {
    /// Both were read as text and compared.
    Compared,
    /// One of them is not at hand.
    NotAtHand,
    /// One of them is no UTF-8 text.
    NotText,
    /// One of them is longer than is read.
    TooLong,
}

impl PayloadState {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Compared => "compared",
            Self::NotAtHand => "not_at_hand",
            Self::NotText => "not_text",
            Self::TooLong => "too_long",
        }
    }
}

/// How two payloads differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadDiff {
    /// Where the records name them: `request` or `response`.
    pub member: &'static str,
    /// Whether they were compared.
    pub state: PayloadState,
    /// What differs, with some equal lines around it.
    pub lines: Vec<(LineChange, String)>,
    /// True where not all of the payloads was compared, or not all that differs is kept.
    pub is_cut: bool,
}

impl PayloadDiff {
    /// `{"member","state","lines":[{"change","text"}],"is_cut"}`.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let line = |(change, text): &(LineChange, String)| {
            Value::object([("change", Value::from(change.as_str())), ("text", Value::from(text.as_str()))])
        };
        Value::object([
            ("member", Value::from(self.member)),
            ("state", Value::from(self.state.as_str())),
            ("lines", Value::array(self.lines.iter().map(line))),
            ("is_cut", Value::from(self.is_cut)),
        ])
    }
}

/// Compares two payloads that records name. JSON is laid out first, a member a line in canonical order, so that
/// neither white space nor order counts.
///
/// # Errors
/// The store of payloads did not answer. Bytes that are not those of their name are not at hand.
pub fn diff_payloads(
    store: &(dyn ContentStore + Sync),
    member: &'static str,
    baseline: &BlobRef,
    candidate: &BlobRef,
) -> Result<PayloadDiff, ReplayError> {
    let without = |state| PayloadDiff { member, state, lines: Vec::new(), is_cut: false };
    if [baseline, candidate].iter().any(|blob| blob.size_bytes.get() > PAYLOAD_BYTES) {
        return Ok(without(PayloadState::TooLong));
    }
    let (Some(before), Some(after)) = (read(store, baseline)?, read(store, candidate)?) else {
        return Ok(without(PayloadState::NotAtHand));
    };
    Ok(match texts(&before, &after) {
        None => without(PayloadState::NotText),
        Some((before, after)) => compared(member, &before, &after),
    })
}

pub(crate) fn read(
    store: &(dyn ContentStore + Sync),
    blob: &BlobRef,
) -> Result<Option<Vec<u8>>, ReplayError> {
    match store.get(&blob.sha256) {
        Ok(bytes) => Ok(bytes),
        Err(StoreError::Damaged { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn texts(before: &[u8], after: &[u8]) -> Option<(String, String)> {
    let (one, other) = (std::str::from_utf8(before).ok()?, std::str::from_utf8(after).ok()?);
    let document = |bytes| parse(bytes, &Limits::CONTENT).ok().filter(is_composite);
    match (document(before), document(after)) {
        (Some(one), Some(other)) => Some((laid_out(&one), laid_out(&other))),
        _ => Some((one.to_owned(), other.to_owned())),
    }
}

/// A bare string or number is best read as it stands.
const fn is_composite(value: &Value) -> bool {
    matches!(value, Value::Object(_) | Value::Array(_))
}

/// A document with a member or item a line, as far as its lines are compared.
fn laid_out(value: &Value) -> String {
    let mut layout = Layout { text: String::new(), lines: 0 };
    layout.value(value, 0);
    layout.text
}

struct Layout {
    text: String,
    lines: usize,
}

impl Layout {
    fn value(&mut self, value: &Value, depth: usize) {
        let (open, close) = match value {
            Value::Object(members) if !members.is_empty() => ('{', '}'),
            Value::Array(items) if !items.is_empty() => ('[', ']'),
            Value::Number(number) => return self.text.push_str(number.literal()),
            other => return self.text.push_str(&scalar(other)),
        };
        self.text.push(open);
        let named = value.as_object().into_iter().flat_map(|members| members.iter());
        let named = named.map(|(name, value)| (Some(name), value));
        let items = value.as_array().into_iter().flatten().map(|item| (None, item));
        for (index, (name, value)) in named.chain(items).enumerate() {
            if self.lines > LINES_COMPARED {
                return;
            }
            self.text.push_str(if index == 0 { "" } else { "," });
            self.line(depth + 1);
            if let Some(name) = name {
                self.text.push_str(&scalar(&Value::from(name)));
                self.text.push_str(": ");
            }
            self.value(value, depth + 1);
        }
        self.line(depth);
        self.text.push(close);
    }

    fn line(&mut self, depth: usize) {
        self.lines += 1;
        self.text.push('\n');
        self.text.push_str(&"  ".repeat(depth));
    }
}

/// What has no parts. A string is spelled as canonical bytes have it.
fn scalar(value: &Value) -> String {
    let bytes = value.to_canonical(Profile::Content).unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

fn compared(member: &'static str, before: &str, after: &str) -> PayloadDiff {
    let ((before, cut_before), (after, cut_after)) = (lines(before), lines(after));
    let diff = TextDiff::configure().algorithm(Algorithm::Myers).diff_slices(&before, &after);
    let (mut kept, mut at) = (Vec::new(), 0);
    for group in diff.grouped_ops(CONTEXT_LINES) {
        let start = group.first().map(|op| op.old_range().start).unwrap_or_default();
        if start > at {
            kept.push((LineChange::Skipped, (start - at).to_string()));
        }
        at = group.last().map(|op| op.old_range().end).unwrap_or(at);
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let kind = match change.tag() {
                ChangeTag::Equal => LineChange::Same,
                ChangeTag::Delete => LineChange::Removed,
                ChangeTag::Insert => LineChange::Added,
            };
            kept.push((kind, change.value().to_owned()));
        }
    }
    let is_cut = cut_before || cut_after || kept.len() > LINES_KEPT;
    kept.truncate(LINES_KEPT);
    PayloadDiff { member, state: PayloadState::Compared, lines: kept, is_cut }
}

/// The lines that are compared, and whether that is not all.
fn lines(text: &str) -> (Vec<&str>, bool) {
    let (mut found, mut is_cut) = (Vec::new(), false);
    for line in text.lines() {
        if found.len() == LINES_COMPARED {
            return (found, true);
        }
        let end = line.char_indices().nth(LINE_CHARS).map(|(at, _)| at);
        is_cut |= end.is_some();
        found.push(line.get(..end.unwrap_or(line.len())).unwrap_or(line));
    }
    (found, is_cut)
}

#[cfg(test)]
mod tests {
    use proofline_canon::{MemoryStore, Sha256Digest};
    use proofline_trace::SafeInt;

    use super::*;

    fn blob(store: &MemoryStore, bytes: &[u8]) -> BlobRef {
        let sha256 = Sha256Digest::of(bytes);
        store.put(&sha256, bytes).unwrap();
        BlobRef {
            content_type: "text/plain".parse().unwrap(),
            sha256,
            size_bytes: SafeInt::saturating(bytes.len() as u64),
        }
    }

    fn diff(one: &[u8], other: &[u8]) -> PayloadDiff {
        let store = MemoryStore::new();
        diff_payloads(&store, "response", &blob(&store, one), &blob(&store, other)).unwrap()
    }

    fn marked(diff: &PayloadDiff) -> Vec<String> {
        let mark = |change| match change {
            LineChange::Same => ' ',
            LineChange::Removed => '-',
            LineChange::Added => '+',
            LineChange::Skipped => '@',
        };
        diff.lines.iter().map(|(change, text)| format!("{}{text}", mark(*change))).collect()
    }

    #[test]
    fn texts_are_compared_line_by_line_with_what_is_near() {
        let found = diff(b"1\n2\n3\n4\n5\n6\n7", b"1\n2\n3\n4\nfive\n6\n7\n8");
        assert_eq!(marked(&found), ["@2", " 3", " 4", "-5", "+five", " 6", " 7", "+8"]);
        assert_eq!((found.state, found.is_cut), (PayloadState::Compared, false));
        assert!(diff(b"a", b"a\n").lines.is_empty());
    }

    #[test]
    fn json_is_laid_out_so_that_order_and_space_do_not_count() {
        let found = diff(br#"{"b":[1,{"x":null}],"a":"q"}"#, br#"{ "a": "r", "b": [1, {"x":null}, []] }"#);
        assert_eq!(
            marked(&found),
            [
                " {",
                "-  \"a\": \"q\",",
                "+  \"a\": \"r\",",
                "   \"b\": [",
                "     1,",
                "     {",
                "       \"x\": null",
                "-    }",
                "+    },",
                "+    []",
                "   ]",
                " }"
            ]
        );
        // One side that is no strict JSON is read as it stands, both are.
        assert_eq!(marked(&diff(br#"{"a":1}"#, br#"{"a":1,"a":1}"#)), [r#"-{"a":1}"#, r#"+{"a":1,"a":1}"#]);
    }

    #[test]
    fn what_is_no_text_not_at_hand_or_too_long_is_said_to_be() {
        assert_eq!(diff(b"a", b"\xff").state, PayloadState::NotText);
        let (store, other) = (MemoryStore::new(), MemoryStore::new());
        let (here, away) = (blob(&store, b"a"), blob(&other, b"b"));
        let state =
            |one: &BlobRef, other: &BlobRef| diff_payloads(&store, "request", one, other).unwrap().state;
        assert_eq!(state(&here, &away), PayloadState::NotAtHand);
        let long = BlobRef { size_bytes: SafeInt::MAX, ..here.clone() };
        assert_eq!(state(&here, &long), PayloadState::TooLong);
    }

    #[test]
    fn size_and_work_are_bounded_and_the_cut_is_told() {
        let list = |from: usize, to: usize| (from..to).map(|n| format!("{n}\n")).collect::<String>();
        let found = diff(list(0, 50_000).as_bytes(), list(100_000, 150_000).as_bytes());
        assert_eq!((found.lines.len(), found.is_cut), (LINES_KEPT, true));
        // What differs behind the lines that are compared is not found, and the cut says so.
        let found = diff(list(0, 3_000).as_bytes(), list(0, 3_001).as_bytes());
        assert_eq!((found.lines.len(), found.is_cut), (0, true));
        let found = diff("é".repeat(401).as_bytes(), "é".repeat(400).as_bytes());
        assert_eq!((found.lines.len(), found.is_cut), (0, true));
    }
}

//! Changes of the structure of a document, and of how it is spelled. A document is kept as raw pieces, so that what
//! no writer would write can be written.

use proptest::prelude::*;
use proptest::sample::{Index, select};

/// A JSON text taken apart: members in text order, names and scalars as they are spelled.
#[derive(Debug, Clone)]
pub(super) enum Document {
    Scalar(Vec<u8>),
    Object(Members),
}

type Members = Vec<(Vec<u8>, Document)>;

/// One change, at a place that the index picks.
#[derive(Debug, Clone)]
pub(super) enum Change {
    SwapMembers(Index, Index),
    RepeatMember(Index),
    DropMember(Index),
    AddMember(Index, &'static str),
    RenameMember(Index, &'static str),
    ReplaceValue(Index, Vec<u8>),
    CopyValue(Index, Index),
    SpellName(Index, Index),
    SpellValue(Index, Index),
    PutByte(Index, Vec<u8>),
    CutAt(Index),
}

/// Spellings that a fast reader may take for what they are not.
const VALUES: [&str; 52] = [
    "0",
    "1",
    "-0",
    "-1",
    "00",
    "01",
    "1.0",
    "1.",
    "1e0",
    "1E3",
    "0e0",
    "0.5",
    "+1",
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "9999999999999999",
    "10000000000000000",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999",
    "true",
    "false",
    "null",
    "{}",
    "[]",
    "[1]",
    "\"\"",
    "\"a\"",
    "\"A\"",
    "\"a b\"",
    "\"_a\"",
    "\"a/\"",
    "\"/a\"",
    "\"a/b/c\"",
    "\"\\u0061\"",
    "\"\\/\"",
    "\"\\\"\"",
    "\"\\n\"",
    "\"\\u000a\"",
    "\"\\u001F\"",
    "\"\\u001f\"",
    "\"\\ud800\"",
    "\"\\ud83d\\ude00\"",
    "\"é\"",
    "\"\u{7f}\"",
    "{\"a\":true}",
    "{\"a\":false}",
    "{\"b\":true,\"a\":true}",
    "{\"a\":true,\"a\":true}",
    "{\"A\":true}",
    "{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}",
];

const NAMES: [&str; 14] = [
    "a",
    "",
    "zz",
    "ts_ms",
    "usage",
    "trace",
    "actor",
    "trace_id",
    "parent_span_id",
    "record_type",
    "Ts_ms",
    "é",
    "decision",
    "canon_version",
];

/// Bytes put in anywhere.
const BYTES: [&[u8]; 20] = [
    b" ",
    b"\n",
    b"\t",
    b"\0",
    b"\x0b",
    b"\x1f",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\xc3\xa9",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\"",
    b"\\",
    b",",
    b":",
    b"{",
    b"}",
    b"0",
];

fn value() -> impl Strategy<Value = Vec<u8>> {
    let hex = select(vec![15_usize, 16, 31, 32, 63, 64, 65]).prop_flat_map(|length| {
        select(vec!["0", "f", "F", "g", "1"]).prop_map(move |digit| digit.repeat(length))
    });
    let long = select(vec![0_usize, 1, 128, 129, 256, 257, 300]).prop_map(|length| "a".repeat(length));
    let quoted = prop_oneof![hex, long].prop_map(|text| format!("\"{text}\"").into_bytes());
    let number = any::<u64>().prop_map(|number| number.to_string().into_bytes());
    prop_oneof![3 => select(VALUES.to_vec()).prop_map(|text| text.as_bytes().to_vec()), 1 => quoted, 1 => number]
}

pub(super) fn change() -> impl Strategy<Value = Change> {
    let index = any::<Index>;
    prop_oneof![
        1 => (index(), index()).prop_map(|(one, other)| Change::SwapMembers(one, other)),
        1 => index().prop_map(Change::RepeatMember),
        1 => index().prop_map(Change::DropMember),
        1 => (index(), select(NAMES.to_vec())).prop_map(|(at, name)| Change::AddMember(at, name)),
        1 => (index(), select(NAMES.to_vec())).prop_map(|(at, name)| Change::RenameMember(at, name)),
        3 => (index(), value()).prop_map(|(at, value)| Change::ReplaceValue(at, value)),
        3 => (index(), index()).prop_map(|(from, to)| Change::CopyValue(from, to)),
        1 => (index(), index()).prop_map(|(at, letter)| Change::SpellName(at, letter)),
        1 => (index(), index()).prop_map(|(at, letter)| Change::SpellValue(at, letter)),
        2 => (index(), select(BYTES.to_vec())).prop_map(|(at, bytes)| Change::PutByte(at, bytes.to_vec())),
        1 => index().prop_map(Change::CutAt),
    ]
}

impl Document {
    /// Takes canonical bytes apart.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let (document, end) = Self::at(bytes, 0);
        assert_eq!(end, bytes.len());
        document
    }

    fn at(bytes: &[u8], start: usize) -> (Self, usize) {
        if bytes[start] != b'{' {
            let end = scalar_end(bytes, start);
            return (Self::Scalar(bytes[start..end].to_vec()), end);
        }
        let (mut members, mut at) = (Vec::new(), start + 1);
        while bytes[at] != b'}' {
            let name_end = scalar_end(bytes, at);
            let (value, end) = Self::at(bytes, name_end + 1);
            members.push((bytes[at..name_end].to_vec(), value));
            at = end + usize::from(bytes[end] == b',');
        }
        (Self::Object(members), at + 1)
    }

    /// The text after all changes: those of the structure first, then those of the bytes.
    pub(super) fn changed(mut self, changes: &[Change]) -> Vec<u8> {
        changes.iter().for_each(|change| self.apply(change));
        let mut bytes = Vec::new();
        self.write(&mut bytes);
        for change in changes {
            match change {
                Change::PutByte(at, put) => {
                    let at = at.index(bytes.len() + 1);
                    bytes.splice(at..at, put.iter().copied());
                }
                Change::CutAt(at) => bytes.truncate(at.index(bytes.len() + 1)),
                _ => {}
            }
        }
        bytes
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::SwapMembers(one, other) => self.edit(*one, |members, at| {
                let other = other.index(members.len());
                members.swap(at, other);
            }),
            Change::RepeatMember(at) => self.edit(*at, |members, at| members.insert(at, members[at].clone())),
            Change::DropMember(at) => self.edit(*at, |members, at| drop(members.remove(at))),
            Change::AddMember(at, name) => self.edit(*at, |members, at| {
                members.insert(at, (format!("\"{name}\"").into_bytes(), Self::Scalar(b"1".to_vec())));
            }),
            Change::RenameMember(at, name) => {
                self.edit(*at, |members, at| members[at].0 = format!("\"{name}\"").into_bytes());
            }
            Change::ReplaceValue(at, value) => {
                self.edit(*at, |members, at| members[at].1 = Self::Scalar(value.clone()));
            }
            Change::CopyValue(from, to) => {
                let all = self.members();
                let value = all[from.index(all.len())].1.clone();
                self.edit(*to, |members, at| members[at].1 = value);
            }
            Change::SpellName(at, letter) => self.edit(*at, |members, at| spell(&mut members[at].0, *letter)),
            Change::SpellValue(at, letter) => self.edit(*at, |members, at| {
                if let Self::Scalar(text) = &mut members[at].1 {
                    spell(text, *letter);
                }
            }),
            Change::PutByte(..) | Change::CutAt(_) => {}
        }
    }

    fn edit(&mut self, at: Index, edit: impl FnOnce(&mut Members, usize)) {
        let count = self.members().len();
        if count == 0 {
            return;
        }
        let place = at.index(count);
        let (members, own) = self.find(place).unwrap();
        edit(members, own);
    }

    /// Every member, at whatever depth, in text order.
    fn members(&self) -> Vec<&(Vec<u8>, Self)> {
        let Self::Object(members) = self else { return Vec::new() };
        members.iter().flat_map(|member| std::iter::once(member).chain(member.1.members())).collect()
    }

    /// The object that holds the member of that place, and where in it.
    fn find(&mut self, place: usize) -> Option<(&mut Members, usize)> {
        let Self::Object(members) = self else { return None };
        let mut left = place;
        let mut inside = None;
        for (at, member) in members.iter().enumerate() {
            if left == 0 {
                return Some((members, at));
            }
            left -= 1;
            let below = member.1.members().len();
            if left < below {
                inside = Some(at);
                break;
            }
            left -= below;
        }
        members[inside?].1.find(left)
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Scalar(text) => out.extend_from_slice(text),
            Self::Object(members) => {
                out.push(b'{');
                for (at, (name, value)) in members.iter().enumerate() {
                    out.extend_from_slice(if at > 0 { b"," } else { b"" });
                    out.extend_from_slice(name);
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
        }
    }
}

/// Spells one ASCII letter of a quoted text as an escape.
fn spell(text: &mut Vec<u8>, letter: Index) {
    let plain: Vec<usize> = (0..text.len()).filter(|at| text[*at].is_ascii_alphanumeric()).collect();
    if text.first() != Some(&b'"') || plain.is_empty() || text.contains(&b'\\') {
        return;
    }
    let at = plain[letter.index(plain.len())];
    let escape = format!("\\u{:04x}", text[at]);
    text.splice(at..=at, escape.into_bytes());
}

/// Where the string, number or word that starts here ends.
fn scalar_end(bytes: &[u8], start: usize) -> usize {
    if bytes[start] != b'"' {
        return start + bytes[start..].iter().position(|byte| matches!(byte, b',' | b'}')).unwrap();
    }
    let mut at = start + 1;
    while bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

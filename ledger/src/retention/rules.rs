//! The rules as a JSON document, closed and versioned; docs/retention.md describes it.

use proofline_canon::{Integer, Limits, Number, Object, Pointer, Value, parse};
use proofline_proof::header::EntryKind;
use proofline_trace::Classification;
use thiserror::Error;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The longest rules file, in bytes.
const MAX_BYTES: usize = 1 << 20;

/// Why a document holds no rules.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct RetentionFault {
    /// The place in the document.
    pub pointer: Pointer,
    /// What is wrong there.
    pub message: String,
}

impl RetentionFault {
    /// The stable code of this fault.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "retention.rules"
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        r#"write rules like {"retention_version":"1","archive":[{"min_age_days":365}],"erase":[]}"#
    }

    fn at(pointer: &Pointer, message: impl Into<String>) -> Self {
        RetentionFault { pointer: pointer.clone(), message: message.into() }
    }
}

/// From which age on an entry may go with its segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveRule {
    /// Since it was recorded, in milliseconds.
    pub min_age_ms: u64,
    /// The kind of entry that it is about; of every kind without it.
    pub kind: Option<EntryKind>,
    /// The answer of the gate that it is about; of every one without it.
    pub classification: Option<Classification>,
}

/// From which age on the payloads of a call may be erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EraseRule {
    /// A name for people.
    pub id: String,
    /// Since the record that refers to it was recorded, in milliseconds.
    pub min_age_ms: u64,
    /// The media type of the payload.
    pub content_type: Option<String>,
    /// How the action begins that the call's decision is about.
    pub action_prefix: Option<String>,
    /// How the resource begins that the call's decision is about.
    pub resource_prefix: Option<String>,
}

/// What may be archived and erased when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetentionRules {
    /// An entry may go when any of these fits it.
    pub archive: Vec<ArchiveRule>,
    /// A payload may be erased when, for each record that refers to it, any of these fits.
    pub erase: Vec<EraseRule>,
}

impl RetentionRules {
    /// Reads a document of rules.
    ///
    /// # Errors
    /// [`RetentionFault`]: the first thing that is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, RetentionFault> {
        let root = Pointer::root();
        let limits = Limits::ENVELOPE.with_max_bytes(MAX_BYTES);
        let value = parse(bytes, &limits).map_err(|error| RetentionFault::at(&root, error.to_string()))?;
        let members = closed(&value, &root, &["retention_version", "archive", "erase"])?;
        match members.get("retention_version").and_then(Value::as_str) {
            Some("1") => {}
            Some(other) => {
                let message = format!("retention_version is {other:?}; this program reads version \"1\"");
                return Err(RetentionFault::at(&root.child("retention_version"), message));
            }
            None => {
                let message = "retention_version is missing; it is \"1\"";
                return Err(RetentionFault::at(&root.child("retention_version"), message));
            }
        }
        Ok(RetentionRules {
            archive: list(members, "archive", archive_rule)?,
            erase: list(members, "erase", erase_rule)?,
        })
    }
}

fn closed<'a>(value: &'a Value, at: &Pointer, known: &[&str]) -> Result<&'a Object, RetentionFault> {
    let members = value.as_object().ok_or_else(|| RetentionFault::at(at, "an object is expected here"))?;
    match members.names().find(|name| !known.contains(name)) {
        None => Ok(members),
        Some(name) => {
            let message = format!("{name:?} is no member here; known are {}", known.join(", "));
            Err(RetentionFault::at(&at.child(name), message))
        }
    }
}

fn list<T>(
    members: &Object,
    name: &str,
    read: fn(&Value, &Pointer) -> Result<T, RetentionFault>,
) -> Result<Vec<T>, RetentionFault> {
    let at = Pointer::root().child(name);
    let Some(value) = members.get(name) else { return Ok(Vec::new()) };
    let rules = value.as_array().ok_or_else(|| RetentionFault::at(&at, "a list of rules is expected"))?;
    rules.iter().enumerate().map(|(index, rule)| read(rule, &at.child(&index.to_string()))).collect()
}

fn archive_rule(value: &Value, at: &Pointer) -> Result<ArchiveRule, RetentionFault> {
    let members = closed(value, at, &["min_age_days", "min_age_ms", "kind", "classification"])?;
    Ok(ArchiveRule {
        min_age_ms: age(members, at)?,
        kind: named(members, at, "kind", |name| {
            EntryKind::ALL.into_iter().find(|kind| kind.as_str() == name)
        })?,
        classification: named(members, at, "classification", |name| name.parse().ok())?,
    })
}

fn erase_rule(value: &Value, at: &Pointer) -> Result<EraseRule, RetentionFault> {
    let known = ["id", "min_age_days", "min_age_ms", "content_type", "action_prefix", "resource_prefix"];
    let members = closed(value, at, &known)?;
    let text = |name| named(members, at, name, |text| Some(text.to_owned()));
    let id = text("id")?.ok_or_else(|| RetentionFault::at(at, "`id` is missing: a name for the rule"))?;
    Ok(EraseRule {
        id,
        min_age_ms: age(members, at)?,
        content_type: text("content_type")?,
        action_prefix: text("action_prefix")?,
        resource_prefix: text("resource_prefix")?,
    })
}

/// A member that is a text with a meaning.
fn named<T>(
    members: &Object,
    at: &Pointer,
    name: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, RetentionFault> {
    let Some(value) = members.get(name) else { return Ok(None) };
    let found = value.as_str().and_then(read);
    let fault = || RetentionFault::at(&at.child(name), format!("`{name}` is not a value that is known"));
    found.map(Some).ok_or_else(fault)
}

/// One of `min_age_days` and `min_age_ms`, and not both.
fn age(members: &Object, at: &Pointer) -> Result<u64, RetentionFault> {
    let number = |name: &str| match members.get(name).and_then(Value::as_number).map(Number::as_integer) {
        Some(Integer::Exact(number)) => u64::try_from(number).ok(),
        _ => None,
    };
    let (name, unit_ms) = match (members.contains("min_age_days"), members.contains("min_age_ms")) {
        (true, false) => ("min_age_days", DAY_MS),
        (false, true) => ("min_age_ms", 1),
        _ => return Err(RetentionFault::at(at, "give one of `min_age_days` and `min_age_ms`")),
    };
    let age = number(name).and_then(|number| number.checked_mul(unit_ms));
    age.ok_or_else(|| RetentionFault::at(&at.child(name), format!("`{name}` is no count that fits")))
}

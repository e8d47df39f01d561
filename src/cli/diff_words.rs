//! What two records differ in, in words: labels, and values of either side.

use std::collections::{BTreeMap, BTreeSet};

use proofline::canon::{Integer, Value};
use proofline::replay::{Aspect, AspectDifference};

use super::branches::Glyphs;
use super::record_facts::duration_text;
use super::safe::safe_cut;
use super::trace::TraceView;

/// So much of a hash is shown.
const HASH_CHARS: usize = 12;
/// So much of a value is shown; JSON has all.
const VALUE_CHARS: usize = 300;
/// So many items of a set are shown.
const ITEMS_SHOWN: usize = 20;

/// What either side says, as short as the difference allows.
pub(crate) enum Words {
    /// Two values.
    Values(String, String),
    /// Two sets: what only the first has, what only the second has.
    Sets(Vec<String>, Vec<String>),
}

/// The entries of both traces under their hashes.
pub(crate) struct Entries {
    a: BTreeMap<String, u64>,
    b: BTreeMap<String, u64>,
}

impl Entries {
    /// No entries: hashes stand for themselves.
    pub(crate) const fn none() -> Self {
        Self { a: BTreeMap::new(), b: BTreeMap::new() }
    }

    pub(crate) fn of(a: &TraceView, b: &TraceView) -> Self {
        let of = |view: &TraceView| {
            view.records.iter().map(|record| (record.span.hash.to_string(), record.span.position)).collect()
        };
        Self { a: of(a), b: of(b) }
    }
}

/// The name of an aspect.
pub(crate) fn label(aspect: Aspect) -> String {
    match aspect {
        Aspect::Record => "records on one side".to_owned(),
        Aspect::Duration => "duration".to_owned(),
        Aspect::AuthContext => "rests on".to_owned(),
        Aspect::PolicyDecision => "decided by".to_owned(),
        other => other.as_str().replace('_', " "),
    }
}

/// The two sides of a difference.
pub(crate) fn words(difference: &AspectDifference, entries: &Entries, glyphs: &Glyphs) -> Words {
    let AspectDifference { aspect, a, b } = difference;
    if matches!(aspect, Aspect::Grants | Aspect::ReasonCodes | Aspect::Obligations)
        && let (Some(a), Some(b)) = (a, b)
    {
        let (a, b) = (items(a), items(b));
        return Words::Sets(listed(a.difference(&b)), listed(b.difference(&a)));
    }
    let types = [a, b].map(|side| side.as_ref().and_then(|value| text(value, "content_type")));
    let is_typed = types.first() != types.last();
    let say = |value: &Option<Value>, seqs: &BTreeMap<String, u64>| {
        let said = value.as_ref().and_then(|value| said(*aspect, value, seqs, is_typed, glyphs));
        said.map_or_else(|| nothing(*aspect).to_owned(), |said| safe_cut(&said, VALUE_CHARS))
    };
    Words::Values(say(a, &entries.a), say(b, &entries.b))
}

/// What it means that a side says nothing.
const fn nothing(aspect: Aspect) -> &'static str {
    match aspect {
        Aspect::Refusal => "accepted",
        Aspect::Duration => "ended before it began",
        _ => "none",
    }
}

fn said(
    aspect: Aspect,
    value: &Value,
    seqs: &BTreeMap<String, u64>,
    is_typed: bool,
    glyphs: &Glyphs,
) -> Option<String> {
    let short = |hash: &str| format!("{}{}", hash.get(..HASH_CHARS).unwrap_or(hash), glyphs.more);
    let joined = |first: &str, second: &str, by: &str| {
        Some(format!("{}{by}{}", text(value, first)?, text(value, second)?))
    };
    match aspect {
        Aspect::Refusal => joined("classification", "error_kind", " "),
        Aspect::Actor => joined("actor_kind", "actor_id", " "),
        Aspect::Credential => joined("credential_kind", "issuer", " of "),
        Aspect::Policy => Some(format!(
            "{} {}",
            joined("policy_id", "policy_version", " ")?,
            short(text(value, "policy_sha256")?)
        )),
        Aspect::Model => joined("provider", "model", "/"),
        Aspect::Tool => joined("adapter_id", "tool_name", "/"),
        Aspect::Request | Aspect::Response => {
            let content_type = text(value, "content_type").filter(|_| is_typed);
            let content_type = content_type.map(|it| format!("{it} ")).unwrap_or_default();
            let size = number(value, "size_bytes")?;
            Some(format!("{content_type}{size} bytes {}", short(text(value, "sha256")?)))
        }
        Aspect::Outcome => text(value, "status").map(str::to_owned),
        Aspect::Usage => usage(value),
        Aspect::Duration => whole(value).map(duration_text),
        Aspect::AuthContext | Aspect::PolicyDecision => {
            let hash = value.as_str()?;
            Some(seqs.get(hash).map_or_else(|| format!("{} elsewhere", short(hash)), |seq| format!("#{seq}")))
        }
        Aspect::Parent => match value.as_str()? {
            "root" => Some("a root".to_owned()),
            "absent" => Some("below a span without records".to_owned()),
            _ => Some("in a circle of spans".to_owned()),
        },
        _ => value.as_str().map(str::to_owned),
    }
}

fn usage(value: &Value) -> Option<String> {
    let [input, output, total] =
        ["input_tokens", "output_tokens", "total_tokens"].map(|name| number(value, name));
    let (input, output, total) = (input?, output?, total?);
    // The total is the producer's word and need not be the sum.
    let total = if input + output == total { String::new() } else { format!(", {total} in total") };
    Some(format!("{input} + {output} tokens{total}"))
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

fn number(value: &Value, name: &str) -> Option<u64> {
    whole(value.get(name)?)
}

fn whole(value: &Value) -> Option<u64> {
    match value.as_number()?.as_integer() {
        Integer::Exact(number) => u64::try_from(number).ok(),
        _ => None,
    }
}

fn items(value: &Value) -> BTreeSet<&str> {
    value.as_array().unwrap_or_default().iter().filter_map(Value::as_str).collect()
}

fn listed<'a>(items: impl Iterator<Item = &'a &'a str>) -> Vec<String> {
    let mut listed: Vec<String> = items.map(|item| safe_cut(item, VALUE_CHARS)).collect();
    let more = listed.len().saturating_sub(ITEMS_SHOWN);
    listed.truncate(ITEMS_SHOWN);
    if more > 0 {
        listed.push(format!("and {more} more"));
    }
    listed
}

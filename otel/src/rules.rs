//! Rules of one's own for an import: whom calls are made for, what a policy is asked about them, and decisions that
//! other tools recorded. A file of JSON; `docs/otel.md` has its form.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::resource::v1::Resource as OtelResource;
use opentelemetry_proto::tonic::trace::v1::Span;
use proofline_canon::{Pointer, Profile, Sha256Digest, Value};
use proofline_trace::{DecisionResult, Resource, Token};
use serde::Deserialize;
use thiserror::Error;

use crate::scaled::scaled;
use crate::value::plain;

/// Why a file is none of rules.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ImportRulesError {
    /// More than a mebibyte.
    #[error("the rules are {0} bytes long; at most {most} are read", most = ImportRules::MAX_BYTES)]
    TooLong(usize),
    /// Not the JSON of rules.
    #[error("the rules are not of the form that docs/otel.md has: {0}")]
    Form(String),
    /// A word that cannot stand where it should.
    #[error("the rules say {0}")]
    Word(String),
}

impl ImportRulesError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "otel.rules_too_long",
            Self::Form(_) => "otel.rules_form",
            Self::Word(_) => "otel.rules_word",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "give a file of rules, not of telemetry",
            Self::Form(_) => "docs/otel.md has an example of every member",
            Self::Word(_) => "names are lower-case letters, digits and _ - : . as in every record",
        }
    }
}

/// Rules that were read.
#[derive(Debug, Clone)]
pub struct ImportRules {
    sha256: Sha256Digest,
    file: RulesFile,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesFile {
    version: String,
    #[serde(default)]
    identity: IdentityRules,
    #[serde(default)]
    requests: Vec<RequestRule>,
    decision: Option<DecisionRule>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityRules {
    actor_kind: Option<Source>,
    actor_id: Option<Source>,
    credential_kind: Option<Source>,
    issuer: Option<Source>,
    #[serde(default)]
    grants: Vec<Source>,
}

/// Where a word comes from.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Source {
    Fixed(String),
    From(FromAttributes),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct FromAttributes {
    /// `span:KEY`, `resource:KEY` or `event:NAME:KEY`; the first that is there.
    from: Vec<String>,
    #[serde(rename = "else")]
    otherwise: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestRule {
    #[serde(default)]
    when: BTreeMap<String, String>,
    action: Option<String>,
    resource: Option<String>,
    #[serde(default)]
    numbers: BTreeMap<String, NumberRule>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum NumberRule {
    At(String),
    Scaled { at: String, scale: u32 },
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct DecisionRule {
    result: FromAttributes,
    allow: Vec<String>,
    deny: Vec<String>,
    reasons: Option<FromAttributes>,
    policy_id: Option<Source>,
    policy_version: Option<Source>,
    policy_sha256: Option<FromAttributes>,
}

/// What a source is asked of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told<'a> {
    pub(crate) span: &'a Span,
    pub(crate) resource: &'a OtelResource,
}

impl<'a> Told<'a> {
    /// All that is said at a place: of a key that is there twice, and of every event of the name.
    fn each_at(&self, place: &str) -> Vec<&'a Any> {
        let Some((of, key)) = place.split_once(':') else { return Vec::new() };
        match of {
            "span" => values_of(&self.span.attributes, key).collect(),
            "resource" => values_of(&self.resource.attributes, key).collect(),
            "event" => {
                let Some((name, key)) = key.split_once(':') else { return Vec::new() };
                let events = self.span.events.iter().filter(|event| event.name == name);
                events.flat_map(|event| values_of(&event.attributes, key)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn at(&self, place: &str) -> Option<&'a Any> {
        self.each_at(place).into_iter().next()
    }

    /// Every verdict at every place of these: nobody's is passed over.
    fn verdicts(&self, from: &FromAttributes) -> Vec<String> {
        let mut found = Vec::new();
        for value in from.from.iter().flat_map(|place| self.each_at(place)) {
            add_verdicts(&plain(value), &mut found);
        }
        if found.is_empty() { from.otherwise.clone().into_iter().collect() } else { found }
    }

    fn reasons(&self, from: &FromAttributes) -> Vec<String> {
        let each = from.from.iter().flat_map(|place| self.each_at(place));
        let found: Vec<String> = each.flat_map(|value| reasons_of(plain(value))).collect();
        if found.is_empty() { from.otherwise.clone().into_iter().collect() } else { found }
    }

    fn texts(&self, from: &FromAttributes) -> Vec<String> {
        let found = from.from.iter().find_map(|place| self.at(place)).map(texts_of).unwrap_or_default();
        if found.is_empty() { from.otherwise.clone().into_iter().collect() } else { found }
    }

    fn text(&self, source: &Source) -> Option<String> {
        match source {
            Source::Fixed(text) => Some(text.clone()),
            Source::From(from) => self.texts(from).into_iter().next(),
        }
    }
}

/// A value as texts: one, or each item of an array.
fn texts_of(value: &Any) -> Vec<String> {
    match plain(value) {
        Value::String(text) if text.is_empty() => Vec::new(),
        Value::String(text) => vec![text],
        Value::Bool(flag) => vec![flag.to_string()],
        Value::Number(number) => vec![number.literal().to_owned()],
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::Null | Value::Object(_) => Vec::new(),
    }
}

fn values_of<'a>(attributes: &'a [KeyValue], key: &str) -> impl Iterator<Item = &'a Any> {
    let of_key = attributes.iter().filter(move |attribute| attribute.key == key);
    of_key.filter_map(|attribute| attribute.value.as_ref()?.value.as_ref())
}

/// A text, or the canonical JSON of anything else.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        // INVARIANT: a span that is deeper than what can be written has no records.
        other => {
            String::from_utf8(other.to_canonical(Profile::Content).unwrap_or_default()).unwrap_or_default()
        }
    }
}

/// The items of lists, however deep; a list of nothing is a verdict that nobody knows.
fn add_verdicts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(items) if !items.is_empty() => items.iter().for_each(|item| add_verdicts(item, found)),
        other => found.push(text_of(other)),
    }
}

/// A reason, or those of a list.
fn reasons_of(value: Value) -> Vec<String> {
    let said = match value {
        Value::Array(items) => items.iter().map(text_of).collect(),
        Value::Null => Vec::new(),
        other => vec![text_of(&other)],
    };
    said.into_iter().filter(|reason| !reason.is_empty()).collect()
}

/// Whom calls are made for, as far as rules say; the rest is that of the import.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ToldIdentity {
    pub(crate) actor_kind: Option<String>,
    pub(crate) actor_id: Option<String>,
    pub(crate) credential_kind: Option<String>,
    pub(crate) issuer: Option<String>,
    pub(crate) grants: Vec<String>,
}

/// What a policy is to be asked, as far as rules say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ToldRequest {
    pub(crate) action: Option<Token>,
    pub(crate) resource: Option<String>,
    /// `word:number`, in the order of words.
    pub(crate) numbers: Vec<String>,
    /// Words of numbers that the call does not have.
    pub(crate) missing: usize,
}

/// A decision that another tool recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToldDecision {
    pub(crate) result: DecisionResult,
    pub(crate) reasons: Vec<String>,
    pub(crate) policy_id: String,
    pub(crate) policy_version: String,
    pub(crate) policy_sha256: Option<Sha256Digest>,
}

/// What is recorded of a decision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) decision: Option<ToldDecision>,
    /// Something is said where a verdict should be, and rules do not say what it means.
    pub(crate) is_unclear: bool,
}

impl ImportRules {
    /// The longest file of rules, in bytes.
    pub const MAX_BYTES: usize = 1 << 20;

    /// Reads a file of rules.
    ///
    /// # Errors
    /// [`ImportRulesError`].
    pub fn read(bytes: &[u8]) -> Result<Self, ImportRulesError> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(ImportRulesError::TooLong(bytes.len()));
        }
        let file: RulesFile =
            serde_json::from_slice(bytes).map_err(|error| ImportRulesError::Form(error.to_string()))?;
        file.check()?;
        Ok(Self { sha256: Sha256Digest::of(bytes), file })
    }

    /// SHA-256 of the file.
    #[must_use]
    pub const fn sha256(&self) -> Sha256Digest {
        self.sha256
    }

    pub(crate) fn identity(&self, told: Told<'_>) -> ToldIdentity {
        let rules = &self.file.identity;
        let word = |source: &Option<Source>| source.as_ref().and_then(|source| told.text(source));
        let grants = rules.grants.iter().flat_map(|source| match source {
            Source::Fixed(text) => vec![text.clone()],
            Source::From(from) => told.texts(from),
        });
        ToldIdentity {
            actor_kind: word(&rules.actor_kind),
            actor_id: word(&rules.actor_id),
            credential_kind: word(&rules.credential_kind),
            issuer: word(&rules.issuer),
            grants: grants.collect(),
        }
    }

    /// The first rule whose every condition holds. `facts` are the words that conditions ask of, as records have them;
    /// a condition may have the name itself or its word.
    pub(crate) fn request(&self, facts: &[(&str, Token)], arguments: Option<&Value>) -> ToldRequest {
        let is_so = |name: &str, value: &str| {
            let is_named = |word: &Token| word.as_str() == value || *word == Token::of_name(value);
            facts.iter().any(|(fact, word)| *fact == name && is_named(word))
        };
        let holds = |rule: &&RequestRule| rule.when.iter().all(|(name, value)| is_so(name, value));
        let Some(rule) = self.file.requests.iter().find(holds) else { return ToldRequest::default() };
        let mut told = ToldRequest {
            // INVARIANT: `check` has seen that they are words.
            action: rule.action.as_deref().and_then(|action| Token::new(action).ok()),
            resource: rule.resource.clone(),
            ..ToldRequest::default()
        };
        for (word, number) in &rule.numbers {
            match arguments.and_then(|arguments| number.of(arguments)) {
                Some(number) => told.numbers.push(format!("{word}:{number}")),
                None => told.missing += 1,
            }
        }
        told
    }

    /// Whether a part of a resource that telemetry names would be taken for a number that rules put behind resources.
    pub(crate) fn is_number(&self, part: &str) -> bool {
        let words = self.file.requests.iter().flat_map(|rule| rule.numbers.keys());
        words.into_iter().any(|word| is_of_word(part, word))
    }

    /// The decision that the span, its resource or its events record. One that denies is enough; there is none where
    /// somebody says what is neither.
    pub(crate) fn decision(&self, told: Told<'_>) -> Recorded {
        let Some(rule) = &self.file.decision else { return Recorded::default() };
        let said = told.verdicts(&rule.result);
        let is_denied = said.iter().any(|said| rule.deny.contains(said));
        let is_clear = said.iter().all(|said| rule.deny.contains(said) || rule.allow.contains(said));
        let is_unclear = !is_clear;
        if !is_denied && (is_unclear || said.is_empty()) {
            return Recorded { decision: None, is_unclear };
        }
        let word = |source: &Option<Source>| source.as_ref().and_then(|source| told.text(source));
        let digest = rule.policy_sha256.as_ref().and_then(|from| told.texts(from).into_iter().next());
        let decision = Some(ToldDecision {
            result: if is_denied { DecisionResult::Deny } else { DecisionResult::Allow },
            reasons: rule.reasons.as_ref().map(|from| told.reasons(from)).unwrap_or_default(),
            policy_id: word(&rule.policy_id).unwrap_or_else(|| "recorded".to_owned()),
            policy_version: word(&rule.policy_version).unwrap_or_else(|| "unsaid".to_owned()),
            policy_sha256: digest.and_then(|text| text.parse().ok()),
        });
        Recorded { decision, is_unclear }
    }
}

/// Whether a part of a resource says a number of this word, or would if it were one.
fn is_of_word(part: &str, word: &str) -> bool {
    part.strip_prefix(word).is_some_and(|rest| rest.starts_with(':'))
}

impl NumberRule {
    const fn parts(&self) -> (&String, u32) {
        match self {
            Self::At(at) => (at, 1),
            Self::Scaled { at, scale } => (at, *scale),
        }
    }

    /// The number there, times the scale, if that is an integer. To round it would let a policy see less than was asked
    /// for: 100.4 is above a bound of 100.
    fn of(&self, arguments: &Value) -> Option<i64> {
        let (at, scale) = self.parts();
        scaled(Pointer::parse(at)?.find(arguments)?.as_number()?.literal(), scale)
    }
}

impl RulesFile {
    fn check(&self) -> Result<(), ImportRulesError> {
        let word = |what: String| Err(ImportRulesError::Word(what));
        if self.version != "1" {
            return word(format!("version {:?}; this program knows version \"1\"", self.version));
        }
        let identity = &self.identity;
        let own = [&identity.actor_kind, &identity.actor_id, &identity.credential_kind, &identity.issuer];
        let decision = self.decision.iter().flat_map(|rule| [&rule.policy_id, &rule.policy_version]);
        let sources = own.into_iter().chain(decision).flatten().chain(&identity.grants);
        let from = sources.filter_map(|source| match source {
            Source::From(from) => Some(from),
            Source::Fixed(_) => None,
        });
        let decided = self.decision.iter().flat_map(|rule| {
            [Some(&rule.result), rule.reasons.as_ref(), rule.policy_sha256.as_ref()].into_iter().flatten()
        });
        for place in from.chain(decided).flat_map(|from| &from.from) {
            let parts = place.split(':').count();
            let fits = match place.split_once(':') {
                Some(("span" | "resource", key)) => !key.is_empty(),
                Some(("event", _)) => parts >= 3,
                _ => false,
            };
            if !fits {
                return word(format!("`from` {place:?}; it is span:KEY, resource:KEY or event:NAME:KEY"));
            }
        }
        self.requests.iter().try_for_each(RequestRule::check)
    }
}

/// What conditions of a request can ask of.
pub(crate) const FACTS: [&str; 5] = ["operation", "tool", "adapter", "provider", "model"];

impl RequestRule {
    fn check(&self) -> Result<(), ImportRulesError> {
        let word = |what: String| Err(ImportRulesError::Word(what));
        if let Some(name) = self.when.keys().find(|name| !FACTS.contains(&name.as_str())) {
            return word(format!("`when` {name:?}; it can ask of {}", FACTS.join(", ")));
        }
        let action = self.action.as_deref().unwrap_or("none");
        if let Err(error) = Token::new(action) {
            return word(format!("the action {action:?}: {error}"));
        }
        let resource = self.resource.as_deref().unwrap_or("none");
        if let Err(error) = Resource::new(resource) {
            return word(format!("the resource {resource:?}: {error}"));
        }
        for (name, number) in &self.numbers {
            let (at, scale) = number.parts();
            if let Some(part) = resource.split('/').find(|part| is_of_word(part, name)) {
                return word(format!("the resource with {part:?}, and the number {name:?} behind it"));
            }
            if scale == 0 {
                return word(format!("scale 0 of the number {name:?}; every number would be 0"));
            }
            if Token::new(name).is_err() || name.contains(':') {
                return word(format!("the number {name:?}; it is a word without a colon"));
            }
            if Pointer::parse(at).is_none() {
                return word(format!("the place {at:?}; it is a JSON Pointer such as /amount"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proofline_canon::{Limits, parse};

    use super::*;

    #[test]
    fn a_number_is_an_integer_or_is_not_seen() {
        let of = |text: &str, scale: u32| {
            let arguments = parse(format!("{{\"a\":{text}}}").as_bytes(), &Limits::CONTENT).ok()?;
            NumberRule::Scaled { at: "/a".to_owned(), scale }.of(&arguments)
        };
        for (text, scale, expected) in [
            ("150", 1, Some(150)),
            ("100.4", 1, None),
            ("19.99", 100, Some(1999)),
            ("\"150\"", 1, None),
            ("null", 1, None),
        ] {
            assert_eq!(of(text, scale), expected, "{text} times {scale}");
        }
    }

    #[test]
    fn rules_that_would_mislead_are_refused() {
        let long = "r".repeat(600);
        for (request, expected) in [
            (r#"{"numbers":{"amount":{"at":"/a","scale":0}}}"#.to_owned(), "scale 0"),
            (r#"{"numbers":{"amount":"/a"},"resource":"tool/amount:1"}"#.to_owned(), "\"amount:1\""),
            (format!(r#"{{"resource":"{long}"}}"#), "the resource \"rrr"),
            (r#"{"action":"No"}"#.to_owned(), "the action \"No\""),
        ] {
            let rules = ImportRules::read(format!(r#"{{"version":"1","requests":[{request}]}}"#).as_bytes());
            let error = rules.map(|_| ()).map_err(|error| error.to_string());
            assert!(error.as_ref().is_err_and(|error| error.contains(expected)), "{request}: {error:?}");
        }
    }
}

//! The names that a filter can use, what they stand for, and what values they have. The schemas of records are
//! closed, and so is this list: a name that nothing can have is refused, with the nearest that there is.

use std::fmt;

use proofline_trace::Token;

/// Whose record a field is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Whose {
    /// The entry's own.
    Own,
    /// `auth.`: the auth_context that it rests on; a context rests on itself.
    Context,
    /// `policy.`: the policy_decision that it rests on; a decision rests on itself.
    Decision,
}

impl Whose {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Own => "",
            Self::Context => "auth.",
            Self::Decision => "policy.",
        }
    }

    /// The record types that it can be.
    const fn types(self) -> u8 {
        match self {
            Self::Own => EVERY,
            Self::Context => AUTH,
            Self::Decision => DECISION,
        }
    }
}

/// What values a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldType {
    /// Text.
    Text,
    /// One of these texts.
    Named(&'static [&'static str]),
    /// So many bytes, as lower-case hex digits.
    Hex(usize),
    /// An integer.
    Integer,
    /// Unix milliseconds; in a filter also a date and time of RFC 3339.
    Time,
    /// `true`.
    Flag,
    /// A set of tokens.
    Set,
    /// Whatever stands there.
    Any,
}

macro_rules! fields {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $path:expr, $types:expr, $kind:expr;)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant),+
        }

        impl $name {
            /// Every field, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            const fn path(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &$path),+ }
            }

            #[allow(dead_code, reason = "of records alone")]
            const fn types(self) -> u8 {
                match self { $(Self::$variant => $types),+ }
            }

            /// What values it has.
            #[must_use]
            pub const fn field_type(self) -> FieldType {
                match self { $(Self::$variant => $kind),+ }
            }

            /// The name in filters.
            #[must_use]
            pub fn name(self) -> String {
                self.path().join(".")
            }

            fn named(steps: &[&str]) -> Option<Self> {
                Self::ALL.iter().copied().find(|field| field.path() == steps)
            }
        }
    };
}

const AUTH: u8 = 1;
const DECISION: u8 = 2;
const MODEL: u8 = 4;
const TOOL: u8 = 8;
const CALL: u8 = MODEL | TOOL;
const EVERY: u8 = AUTH | DECISION | CALL;

const KINDS: FieldType = FieldType::Named(&["genesis", "accepted", "rejected", "artifact", "system"]);
const CLASSES: FieldType = FieldType::Named(&[
    "ACCEPT",
    "HASH_MISMATCH",
    "MISSING_PREREQ",
    "TRACE_VIOLATION",
    "UNAUTHORIZED_EXECUTION",
]);
const ERROR_KINDS: FieldType = FieldType::Named(&[
    "hash_mismatch.envelope_hash",
    "missing_prereq.auth_context",
    "missing_prereq.policy_decision",
    "trace_violation.trace_id_mismatch",
    "unauthorized.authority_mismatch",
    "unauthorized.policy_denied",
]);
const RECORD_TYPES: FieldType =
    FieldType::Named(&["auth_context", "policy_decision", "model_call", "tool_call"]);

fields! {
    /// A field of an entry's header.
    EntryField {
        /// Its place in the log.
        Seq = ["seq"], EVERY, FieldType::Integer;
        /// What it is.
        Kind = ["kind"], EVERY, KINDS;
        /// When it was recorded.
        RecordedAt = ["recorded_at_ms"], EVERY, FieldType::Time;
        /// Its trace.
        TraceId = ["trace_id"], EVERY, FieldType::Hex(16);
        /// Its number among the entries of its trace, from 1.
        TraceCount = ["trace_count"], EVERY, FieldType::Integer;
        /// SHA-256 of its body.
        Hash = ["envelope_hash"], EVERY, FieldType::Hex(32);
        /// The gate's answer; of evidence alone.
        Classification = ["classification"], EVERY, CLASSES;
        /// Why the gate refused it.
        ErrorKind = ["error_kind"], EVERY, ERROR_KINDS;
    }
}

fields! {
    /// A field of a record of evidence: its members by their paths, and two that follow from them.
    RecordField {
        /// Which of the four it is.
        RecordType = ["record_type"], EVERY, RECORD_TYPES;
        /// The contract's version.
        SpecVersion = ["spec_version"], EVERY, FieldType::Text;
        /// The canonical form's version.
        CanonVersion = ["canon_version"], EVERY, FieldType::Text;
        /// `ts_ms`, or `started_at_ms` of a call.
        Time = ["time_ms"], EVERY, FieldType::Time;
        /// `ended_at_ms` less `started_at_ms`; below zero where a call ended before it began.
        Duration = ["duration_ms"], CALL, FieldType::Integer;
        /// When a context or decision was made.
        TsMs = ["ts_ms"], AUTH | DECISION, FieldType::Time;
        /// When a call began.
        StartedAt = ["started_at_ms"], CALL, FieldType::Time;
        /// When it ended.
        EndedAt = ["ended_at_ms"], CALL, FieldType::Time;
        /// The trace that the record names.
        TraceId = ["trace", "trace_id"], EVERY, FieldType::Hex(16);
        /// The span.
        SpanId = ["trace", "span_id"], EVERY, FieldType::Hex(8);
        /// Root or child.
        SpanKind = ["trace", "span_kind"], EVERY, FieldType::Named(&["root", "child"]);
        /// The span above.
        ParentSpanId = ["trace", "parent_span_id"], EVERY, FieldType::Hex(8);
        /// The plane that wrote it.
        Layer = ["producer", "layer"], EVERY, FieldType::Named(&["cpo", "flow", "adapter"]);
        /// The component that wrote it.
        Component = ["producer", "component"], EVERY, FieldType::Text;
        /// The context that it names.
        ContextHash = ["auth_context_envelope_sha256"], DECISION | CALL, FieldType::Hex(32);
        /// The decision that it names.
        DecisionHash = ["policy_decision_envelope_sha256"], CALL, FieldType::Hex(32);
        /// What kind of actor.
        ActorKind = ["actor", "actor_kind"], AUTH, FieldType::Text;
        /// Who.
        ActorId = ["actor", "actor_id"], AUTH, FieldType::Text;
        /// How they proved it.
        CredentialKind = ["credential", "credential_kind"], AUTH, FieldType::Text;
        /// Who issued the credential.
        Issuer = ["credential", "issuer"], AUTH, FieldType::Text;
        /// SHA-256 of what was presented.
        PresentedHash = ["credential", "presented_hash_sha256"], AUTH, FieldType::Hex(32);
        /// When it was verified.
        VerifiedAt = ["credential", "verified_at_ms"], AUTH, FieldType::Time;
        /// When it ends.
        ExpiresAt = ["credential", "expires_at_ms"], AUTH, FieldType::Time;
        /// What the actor may do.
        Grants = ["grants"], AUTH, FieldType::Set;
        /// Which policy was asked.
        PolicyId = ["policy", "policy_id"], DECISION, FieldType::Text;
        /// Its version.
        PolicyVersion = ["policy", "policy_version"], DECISION, FieldType::Text;
        /// SHA-256 of its bytes.
        PolicySha256 = ["policy", "policy_sha256"], DECISION, FieldType::Hex(32);
        /// What was to be done.
        Action = ["request", "action"], DECISION, FieldType::Text;
        /// What to.
        Resource = ["request", "resource"], DECISION, FieldType::Text;
        /// The answer.
        Result = ["decision", "result"], DECISION, FieldType::Named(&["allow", "deny"]);
        /// Why.
        ReasonCodes = ["decision", "reason_codes"], DECISION, FieldType::Set;
        /// What the caller must do besides.
        Obligations = ["decision", "obligations"], DECISION, FieldType::Set;
        /// Who serves the model.
        Provider = ["model", "provider"], MODEL, FieldType::Text;
        /// The model.
        Model = ["model", "model"], MODEL, FieldType::Text;
        /// The adapter that ran the tool.
        AdapterId = ["tool", "adapter_id"], TOOL, FieldType::Text;
        /// The tool.
        ToolName = ["tool", "tool_name"], TOOL, FieldType::Text;
        /// The media type of what was sent.
        RequestContentType = ["request", "content_type"], CALL, FieldType::Text;
        /// SHA-256 of what was sent.
        RequestSha256 = ["request", "sha256"], CALL, FieldType::Hex(32);
        /// How long it is, in bytes.
        RequestSize = ["request", "size_bytes"], CALL, FieldType::Integer;
        /// The media type of what came back.
        ResponseContentType = ["response", "content_type"], CALL, FieldType::Text;
        /// SHA-256 of what came back.
        ResponseSha256 = ["response", "sha256"], CALL, FieldType::Hex(32);
        /// How long it is, in bytes.
        ResponseSize = ["response", "size_bytes"], CALL, FieldType::Integer;
        /// How the call ended.
        Status = ["outcome", "status"], CALL, FieldType::Text;
        /// Tokens read.
        InputTokens = ["usage", "input_tokens"], MODEL, FieldType::Integer;
        /// Tokens written.
        OutputTokens = ["usage", "output_tokens"], MODEL, FieldType::Integer;
        /// Tokens in all, as reported.
        TotalTokens = ["usage", "total_tokens"], MODEL, FieldType::Integer;
    }
}

fields! {
    /// How many entries the trace of an entry has.
    TraceField {
        /// All of them.
        Entries = ["trace", "entries"], EVERY, FieldType::Integer;
        /// Accepted records.
        Records = ["trace", "records"], EVERY, FieldType::Integer;
        /// Refused attempts.
        Rejected = ["trace", "rejected"], EVERY, FieldType::Integer;
        /// Artifacts.
        Artifacts = ["trace", "artifacts"], EVERY, FieldType::Integer;
    }
}

/// A set in a record, whose members are fields of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SetField {
    /// `grants`
    Grants,
    /// `decision.reason_codes`
    ReasonCodes,
    /// `decision.obligations`
    Obligations,
}

impl SetField {
    const ALL: [Self; 3] = [Self::Grants, Self::ReasonCodes, Self::Obligations];

    /// The set itself.
    #[must_use]
    pub const fn whole(self) -> RecordField {
        match self {
            Self::Grants => RecordField::Grants,
            Self::ReasonCodes => RecordField::ReasonCodes,
            Self::Obligations => RecordField::Obligations,
        }
    }
}

/// Steps into the JSON of a body.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BodyPath(Vec<String>);

impl BodyPath {
    /// The path of these steps: names of members, or places in an array from 0. None of no steps, and of a step that a
    /// filter cannot spell.
    #[must_use]
    pub fn new(steps: &[&str]) -> Option<Self> {
        let is_step = |step: &&str| !step.is_empty() && step.chars().all(|c| is_word(c) && c != '.');
        let fits = !steps.is_empty() && steps.iter().all(is_step);
        fits.then(|| Self(steps.iter().map(|step| (*step).to_owned()).collect()))
    }

    /// The steps.
    #[must_use]
    pub fn steps(&self) -> &[String] {
        &self.0
    }
}

/// Characters that names and unquoted values have.
pub(crate) const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '/' | '+')
}

/// What a name in a filter stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// A field of the entry's header.
    Entry(EntryField),
    /// A member of a record.
    Record(Whose, RecordField),
    /// A token of a set in a record: `true`, or absent.
    Member(Whose, SetField, Token),
    /// A number about the entry's trace.
    Trace(TraceField),
    /// `body.`: any place in the JSON of the body, whatever the entry is.
    Body(BodyPath),
}

/// Shorter names.
const SHORT: [(&str, Field); 4] = [
    ("hash", Field::Entry(EntryField::Hash)),
    ("recorded_at", Field::Entry(EntryField::RecordedAt)),
    ("time", Field::Record(Whose::Own, RecordField::Time)),
    ("trace", Field::Entry(EntryField::TraceId)),
];

impl Field {
    /// The field of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        if let Some((_, field)) = SHORT.iter().find(|(short, _)| *short == name) {
            return Some(field.clone());
        }
        let steps: Vec<&str> = name.split('.').collect();
        match steps.as_slice() {
            ["body", rest @ ..] => BodyPath::new(rest).map(Self::Body),
            // Before the chain: `policy.policy_id` is a decision's own.
            steps => Self::plain(steps).or_else(|| Self::of_chain(steps)),
        }
    }

    fn plain(steps: &[&str]) -> Option<Self> {
        let entry = EntryField::named(steps).map(Self::Entry);
        let trace = || TraceField::named(steps).map(Self::Trace);
        entry.or_else(trace).or_else(|| Self::of_record(Whose::Own, steps))
    }

    fn of_chain(steps: &[&str]) -> Option<Self> {
        match steps {
            ["auth", rest @ ..] => Self::of_record(Whose::Context, rest),
            ["policy", rest @ ..] => Self::of_record(Whose::Decision, rest),
            _ => None,
        }
    }

    fn of_record(whose: Whose, steps: &[&str]) -> Option<Self> {
        if let Some(field) = RecordField::named(steps) {
            return (field.types() & whose.types() != 0).then_some(Self::Record(whose, field));
        }
        let sets = SetField::ALL.iter().filter(|set| set.whole().types() & whose.types() != 0);
        let mut members = sets.filter_map(|set| {
            // Tokens have dots too: all that follows is one.
            let token = steps.strip_prefix(set.whole().path())?.join(".");
            Token::new(&token).ok().map(|token| Self::Member(whose, *set, token))
        });
        members.next()
    }

    /// What values it has.
    #[must_use]
    pub const fn field_type(&self) -> FieldType {
        match self {
            Self::Entry(field) => field.field_type(),
            Self::Record(_, field) => field.field_type(),
            Self::Trace(field) => field.field_type(),
            Self::Member(..) => FieldType::Flag,
            Self::Body(_) => FieldType::Any,
        }
    }

    /// Whether its value rests on what another entry says.
    #[must_use]
    pub const fn is_of_chain(&self) -> bool {
        match self {
            Self::Record(whose, _) | Self::Member(whose, _, _) => !matches!(whose, Whose::Own),
            Self::Entry(_) | Self::Trace(_) | Self::Body(_) => false,
        }
    }

    /// Every name that has no part of one's own choice in it.
    #[must_use]
    pub fn names() -> Vec<String> {
        let short = SHORT.iter().map(|(name, _)| (*name).to_owned());
        let entry = EntryField::ALL.iter().map(|field| field.name());
        let trace = TraceField::ALL.iter().map(|field| field.name());
        let records = [Whose::Own, Whose::Context, Whose::Decision].into_iter().flat_map(|whose| {
            let within = RecordField::ALL.iter().filter(move |field| field.types() & whose.types() != 0);
            within.map(move |field| format!("{}{}", whose.prefix(), field.name()))
        });
        short.chain(entry).chain(trace).chain(records).collect()
    }

    /// The name that is nearest to one that is none, if one is near.
    #[must_use]
    pub fn nearest(name: &str) -> Option<String> {
        let names = Self::names();
        nearest_of(name, names.iter().map(String::as_str)).map(str::to_owned)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(field) => f.write_str(&field.name()),
            Self::Trace(field) => f.write_str(&field.name()),
            Self::Record(whose, field) => write!(f, "{}{}", whose.prefix(), field.name()),
            Self::Member(whose, set, token) => {
                write!(f, "{}{}.{token}", whose.prefix(), set.whole().name())
            }
            Self::Body(path) => write!(f, "body.{}", path.0.join(".")),
        }
    }
}

/// The longest name for which near ones are looked for.
const LONGEST_GUESSED: usize = 80;

/// The one of these texts that takes the fewest changes to come from `text`; the first of several. None where a third
/// of it would have to change.
pub(crate) fn nearest_of<'a>(text: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if text.len() > LONGEST_GUESSED {
        return None;
    }
    let (text, most) = (text.to_ascii_lowercase(), (text.len() / 3).max(1));
    // Whoever writes the last part alone means the first name that ends so.
    let rank = |name: &str| match name.strip_suffix(&*text) {
        Some(before) if before.ends_with('.') => 1,
        _ => changes(&text, &name.to_ascii_lowercase()),
    };
    let near = known.map(|name| (rank(name), name)).filter(|(rank, _)| *rank <= most);
    near.min_by_key(|(rank, _)| *rank).map(|(_, name)| name)
}

/// Levenshtein's distance.
fn changes(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, c) in one.chars().enumerate() {
        let mut above_left = at;
        let mut left = at + 1;
        let mut next = Vec::with_capacity(row.len());
        next.push(left);
        for (above, d) in row.iter().skip(1).zip(&other) {
            let changed = above_left + usize::from(c != *d);
            left = changed.min(left + 1).min(above + 1);
            above_left = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_the_name_of_its_field() {
        let names = Field::names();
        assert!(names.len() > 80);
        for name in names.iter().skip(SHORT.len()) {
            assert_eq!(Field::named(name).unwrap().to_string(), *name);
        }
    }

    #[test]
    fn a_decisions_own_policy_is_not_of_the_chain() {
        let own = Field::Record(Whose::Own, RecordField::PolicyId);
        assert_eq!(Field::named("policy.policy_id"), Some(own));
        let rested_on = Field::Record(Whose::Decision, RecordField::PolicyId);
        assert_eq!(Field::named("policy.policy.policy_id"), Some(rested_on));
    }

    #[test]
    fn tokens_of_sets_have_dots() {
        let token = Token::new("tickets:read.all").unwrap();
        let expected = Field::Member(Whose::Context, SetField::Grants, token);
        assert_eq!(Field::named("auth.grants.tickets:read.all"), Some(expected));
        assert_eq!(Field::named("grants.Shouting"), None);
        assert_eq!(Field::named("policy.grants.x"), None);
    }

    #[test]
    fn what_no_record_can_have_is_no_field() {
        for name in
            ["", ".", "auth", "auth.tool.tool_name", "policy.usage.total_tokens", "tool", "body", "body."]
        {
            assert_eq!(Field::named(name), None, "{name}");
        }
    }

    #[test]
    fn near_names_are_found() {
        let cases = [
            ("tool.tool_nme", Some("tool.tool_name")),
            ("tool_name", Some("tool.tool_name")),
            ("outcome.stauts", Some("outcome.status")),
            ("actor_id", Some("actor.actor_id")),
            ("auth.actor.actor", Some("auth.actor.actor_id")),
            ("xyzzy", None),
        ];
        for (wrong, right) in cases {
            assert_eq!(Field::nearest(wrong).as_deref(), right, "{wrong}");
        }
        assert_eq!((changes("kitten", "sitting"), changes("", "abc"), changes("abc", "abc")), (3, 3, 0));
    }
}

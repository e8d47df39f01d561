//! What rules see of a case, as a tree of named values: total, since every word of the contract has its place.
//! `docs/rules.md` draws it, `policy/schema/rules.cedarschema` types it, and an engine takes it as it is.

use proofline_trace::{
    AuthContext, BlobRef, Envelope, Millis, ModelRef, Outcome, PolicyRef, StringSet, Token, ToolRef,
    TraceContext, Usage,
};

use super::CaseKind;
use super::case::{About, Call, DecisionCase, Earlier, RefusedAttempt, RuleCase};

/// A value of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A text.
    Text(String),
    /// A count, a size, a time in Unix milliseconds.
    Number(u64),
    /// Yes or no.
    Truth(bool),
    /// A set of texts, ascending.
    Set(Vec<String>),
    /// Named values; an optional one that is not there has no name either.
    Record(Vec<(&'static str, Fact)>),
}

type Members = Vec<(&'static str, Fact)>;

/// All that rules see of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseFacts<'a> {
    /// The `action`.
    pub kind: CaseKind,
    /// The `principal`: the actor of the context. None where nobody was authenticated.
    pub auth_context: Option<&'a AuthContext>,
    /// The `resource`: the decision's. None where there is no decision.
    pub resource: Option<&'a str>,
    /// The `context`.
    pub context: Fact,
}

impl<'a> CaseFacts<'a> {
    /// What rules see of a case.
    #[must_use]
    pub fn of(case: &RuleCase<'a>) -> Self {
        let (kind, previous) = (case.about.kind(), case.previous.as_ref());
        let head = |of: Head<'_>| {
            let mut members = vec![
                ("envelope_sha256", text(case.envelope_sha256)),
                ("seq", Fact::Number(case.seq)),
                ("ts_ms", millis(of.0)),
                ("trace", trace(of.1)),
                ("component", text(of.2)),
                ("depth", Fact::Number(case.depth)),
            ];
            members.extend(previous.map(|earlier| ("previous", earlier_facts(earlier))));
            members
        };
        let (auth_context, decision, members) = match case.about {
            About::AuthContext(it) => {
                let members = joined([head((it.ts_ms, &it.trace, &it.component)), context_member(it)]);
                (Some(it), None, members)
            }
            About::Decision { decision, auth_context, calls } => {
                let it = decision.record;
                let own = vec![
                    ("decision", Fact::Record(decision_members(&decision))),
                    ("calls_of_decision", Fact::Number(calls)),
                ];
                let head = head((it.ts_ms, &it.trace, &it.component));
                (Some(auth_context), Some(decision), joined([head, context_member(auth_context), own]))
            }
            About::Call { call, decision, auth_context, in_force, calls, index } => {
                let (of, own) = call_members(call);
                let mut decided = decision_members(&decision);
                decided.push(("in_force_at_call", Fact::Truth(in_force)));
                let rests_on = vec![
                    ("decision", Fact::Record(decided)),
                    ("calls_of_decision", Fact::Number(calls)),
                    ("call_index", Fact::Number(index)),
                ];
                let members = joined([head(of), context_member(auth_context), rests_on, own]);
                (Some(auth_context), Some(decision), members)
            }
            About::Refused(attempt) => {
                let it = attempt.envelope;
                let head = head((it.time_ms(), it.trace(), it.component()));
                (attempt.auth_context, attempt.decision, joined([head, refused_members(&attempt)]))
            }
        };
        let resource = decision.map(|decision| decision.record.request.resource.as_str());
        Self { kind, auth_context, resource, context: Fact::Record(members) }
    }

    /// The value of a member, as in `context.tool.tool_name` or `principal.kind`; none where it is not there.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Fact> {
        let mut names = path.split('.');
        if names.next()? == "principal" {
            let auth = self.auth_context;
            return Some(match names.next()? {
                "kind" => text(auth.map_or("", |auth| auth.actor.actor_kind.as_str())),
                "id" => text(auth.map_or("", |auth| auth.actor.actor_id.as_str())),
                "grants" => auth.map_or(Fact::Set(Vec::new()), |auth| set(&auth.grants)),
                _ => return None,
            });
        }
        names.try_fold(&self.context, |fact, name| fact.member(name)).cloned()
    }
}

impl Fact {
    fn member(&self, name: &str) -> Option<&Self> {
        let Self::Record(members) = self else { return None };
        members.iter().find(|(own, _)| *own == name).map(|(_, value)| value)
    }
}

fn joined<const PARTS: usize>(parts: [Members; PARTS]) -> Members {
    parts.into_iter().flatten().collect()
}

/// When, where in the trace, by which component.
type Head<'a> = (Millis, &'a TraceContext, &'a Token);

fn text(word: impl ToString) -> Fact {
    Fact::Text(word.to_string())
}

fn millis(at: Millis) -> Fact {
    Fact::Number(at.get())
}

fn set(words: &StringSet) -> Fact {
    Fact::Set(words.iter().map(ToString::to_string).collect())
}

/// The parent is there for a child alone, and the kind tells them apart.
fn trace(it: &TraceContext) -> Fact {
    let parent = it.parent_span_id();
    let mut members = vec![
        ("trace_id", text(it.trace_id())),
        ("span_id", text(it.span_id())),
        ("span_kind", text(if parent.is_some() { "child" } else { "root" })),
    ];
    members.extend(parent.map(|parent| ("parent_span_id", text(parent))));
    Fact::Record(members)
}

fn context_member(auth: &AuthContext) -> Members {
    let actor = vec![("actor_kind", text(&auth.actor.actor_kind)), ("actor_id", text(&auth.actor.actor_id))];
    let it = &auth.credential;
    let credential = vec![
        ("credential_kind", text(&it.credential_kind)),
        ("issuer", text(&it.issuer)),
        ("presented_hash_sha256", text(it.presented_hash_sha256)),
        ("verified_at_ms", millis(it.verified_at_ms)),
        ("expires_at_ms", millis(it.expires_at_ms)),
    ];
    let members = vec![
        ("ts_ms", millis(auth.ts_ms)),
        ("trace", trace(&auth.trace)),
        ("component", text(&auth.component)),
        ("actor", Fact::Record(actor)),
        ("credential", Fact::Record(credential)),
        ("grants", set(&auth.grants)),
    ];
    vec![("auth_context", Fact::Record(members))]
}

fn decision_members(decision: &DecisionCase<'_>) -> Members {
    let it = decision.record;
    vec![
        ("seq", Fact::Number(decision.seq)),
        ("ts_ms", millis(it.ts_ms)),
        ("component", text(&it.component)),
        ("action", text(&it.request.action)),
        ("resource", text(&it.request.resource)),
        ("result", text(it.decision.result)),
        ("reason_codes", set(&it.decision.reason_codes)),
        ("obligations", set(&it.decision.obligations)),
        ("policy", policy(&it.policy)),
        ("in_force", Fact::Truth(decision.in_force)),
    ]
}

fn policy(it: &PolicyRef) -> Fact {
    Fact::Record(vec![
        ("policy_id", text(&it.policy_id)),
        ("policy_version", text(&it.policy_version)),
        ("policy_sha256", text(it.policy_sha256)),
    ])
}

fn earlier_facts(earlier: &Earlier<'_>) -> Fact {
    let it = earlier.envelope;
    let mut members = vec![
        ("record_type", text(it.record_type())),
        ("seq", Fact::Number(earlier.seq)),
        ("ts_ms", millis(it.time_ms())),
    ];
    match it {
        Envelope::ModelCall(call) => members.push(("model", model(&call.model))),
        Envelope::ToolCall(call) => members.push(("tool", tool(&call.tool))),
        Envelope::AuthContext(_) | Envelope::PolicyDecision(_) => {}
    }
    members.extend(it.outcome().map(|it| ("outcome", outcome(it))));
    Fact::Record(members)
}

fn call_members(call: Call<'_>) -> (Head<'_>, Members) {
    match call {
        Call::Model(it) => {
            let mut members = call_body(it.started_at_ms, it.ended_at_ms, [&it.request, &it.response]);
            members.extend([("outcome", outcome(&it.outcome)), ("model", model(&it.model))]);
            members.extend(it.usage.as_ref().map(|it| ("usage", usage(it))));
            ((it.started_at_ms, &it.trace, &it.component), members)
        }
        Call::Tool(it) => {
            let mut members = call_body(it.started_at_ms, it.ended_at_ms, [&it.request, &it.response]);
            members.extend([("outcome", outcome(&it.outcome)), ("tool", tool(&it.tool))]);
            ((it.started_at_ms, &it.trace, &it.component), members)
        }
    }
}

fn call_body(started_at: Millis, ended_at: Millis, [request, response]: [&BlobRef; 2]) -> Members {
    vec![
        ("started_at_ms", millis(started_at)),
        ("ended_at_ms", millis(ended_at)),
        ("request", blob(request)),
        ("response", blob(response)),
    ]
}

fn refused_members(attempt: &RefusedAttempt<'_>) -> Members {
    let it = attempt.envelope;
    let mut members = vec![
        ("record_type", text(it.record_type())),
        ("classification", text(attempt.classification)),
        ("error_kind", text(attempt.error_kind)),
    ];
    members.extend(attempt.auth_context.into_iter().flat_map(context_member));
    let decision = attempt.decision.as_ref().map(decision_members);
    members.extend(decision.map(|decision| ("decision", Fact::Record(decision))));
    match it {
        Envelope::ModelCall(call) => members.extend(call_members(Call::Model(call)).1),
        Envelope::ToolCall(call) => members.extend(call_members(Call::Tool(call)).1),
        Envelope::AuthContext(_) | Envelope::PolicyDecision(_) => {}
    }
    members
}

fn blob(it: &BlobRef) -> Fact {
    Fact::Record(vec![
        ("content_type", text(&it.content_type)),
        ("sha256", text(it.sha256)),
        ("size_bytes", Fact::Number(it.size_bytes.get())),
    ])
}

fn outcome(it: &Outcome) -> Fact {
    Fact::Record(vec![("status", text(&it.status))])
}

fn model(it: &ModelRef) -> Fact {
    Fact::Record(vec![("provider", text(&it.provider)), ("model", text(&it.model))])
}

fn tool(it: &ToolRef) -> Fact {
    Fact::Record(vec![("adapter_id", text(&it.adapter_id)), ("tool_name", text(&it.tool_name))])
}

fn usage(it: &Usage) -> Fact {
    Fact::Record(vec![
        ("input_tokens", Fact::Number(it.input_tokens.get())),
        ("output_tokens", Fact::Number(it.output_tokens.get())),
        ("total_tokens", Fact::Number(it.total_tokens.get())),
    ])
}

//! What a record says, in the few words that a line has room for.

use proofline::trace::{DecisionResult, Envelope, StringSet};
use serde::Serialize;

/// A record's own facts; the shape of `records[].says` in `trace --format json`.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum RecordFacts {
    /// `auth_context`
    Context {
        actor_kind: String,
        actor_id: String,
        credential_kind: String,
        issuer: String,
        grants: Vec<String>,
    },
    /// `policy_decision`
    Decision {
        action: String,
        resource: String,
        result: &'static str,
        reason_codes: Vec<String>,
        obligations: Vec<String>,
        policy_id: String,
        policy_version: String,
    },
    /// `model_call`
    Model {
        provider: String,
        model: String,
        status: String,
        duration_ms: Option<u64>,
        input_tokens: Option<u64>,
        output_tokens: Option<u64>,
        total_tokens: Option<u64>,
    },
    /// `tool_call`
    Tool { adapter_id: String, tool_name: String, status: String, duration_ms: Option<u64> },
}

/// How a phrase is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Strong,
    Good,
    Bad,
    Odd,
    Faint,
}

/// A few words that stay together on a line where they can.
pub(crate) type Phrase = (String, Tone);

impl RecordFacts {
    /// The facts of a record.
    pub(crate) fn of(envelope: &Envelope) -> Self {
        let start_ms = envelope.time_ms().get();
        // None where a call ended before it began, which the text says.
        let duration_ms = envelope.ended_at_ms().and_then(|end| end.get().checked_sub(start_ms));
        match envelope {
            Envelope::AuthContext(record) => Self::Context {
                actor_kind: record.actor.actor_kind.to_string(),
                actor_id: record.actor.actor_id.to_string(),
                credential_kind: record.credential.credential_kind.to_string(),
                issuer: record.credential.issuer.to_string(),
                grants: texts(&record.grants),
            },
            Envelope::PolicyDecision(record) => Self::Decision {
                action: record.request.action.to_string(),
                resource: record.request.resource.to_string(),
                result: record.decision.result.as_str(),
                reason_codes: texts(&record.decision.reason_codes),
                obligations: texts(&record.decision.obligations),
                policy_id: record.policy.policy_id.to_string(),
                policy_version: record.policy.policy_version.to_string(),
            },
            Envelope::ModelCall(record) => Self::Model {
                provider: record.model.provider.to_string(),
                model: record.model.model.to_string(),
                status: record.outcome.status.to_string(),
                duration_ms,
                input_tokens: record.usage.map(|usage| usage.input_tokens.get()),
                output_tokens: record.usage.map(|usage| usage.output_tokens.get()),
                total_tokens: record.usage.map(|usage| usage.total_tokens.get()),
            },
            Envelope::ToolCall(record) => Self::Tool {
                adapter_id: record.tool.adapter_id.to_string(),
                tool_name: record.tool.tool_name.to_string(),
                status: record.outcome.status.to_string(),
                duration_ms,
            },
        }
    }

    /// What it is and what came of it: the first phrases of [`phrases`](Self::phrases).
    pub(crate) fn title(&self) -> Vec<Phrase> {
        let length = if matches!(self, Self::Context { .. }) { 2 } else { 3 };
        self.phrases().into_iter().take(length).collect()
    }

    /// The facts in words. What they are made of was checked to be plain, the issuer excepted.
    pub(crate) fn phrases(&self) -> Vec<Phrase> {
        match self {
            Self::Context { actor_kind, actor_id, credential_kind, grants, .. } => {
                let grants = match grants.len() {
                    1 => "1 grant".to_owned(),
                    count => format!("{count} grants"),
                };
                let faint = (format!("by {credential_kind}, {grants}"), Tone::Faint);
                vec![(actor_kind.clone(), Tone::Plain), (actor_id.clone(), Tone::Strong), faint]
            }
            Self::Decision { action, resource, result, reason_codes, obligations, .. } => {
                let tone = if *result == DecisionResult::Allow.as_str() { Tone::Good } else { Tone::Bad };
                let mut phrases = vec![
                    ((*result).to_owned(), tone),
                    (action.clone(), Tone::Strong),
                    (resource.clone(), Tone::Plain),
                ];
                if !reason_codes.is_empty() {
                    phrases.push((format!("because {}", reason_codes.join(", ")), Tone::Faint));
                }
                if !obligations.is_empty() {
                    phrases.push((format!("must {}", obligations.join(", ")), Tone::Faint));
                }
                phrases
            }
            Self::Model { provider, model, status, duration_ms, input_tokens, output_tokens, .. } => {
                let mut phrases = call("model", format!("{provider}/{model}"), status, *duration_ms);
                if let (Some(input), Some(output)) = (input_tokens, output_tokens) {
                    phrases.push((format!("{input} + {output} tokens"), Tone::Faint));
                }
                phrases
            }
            Self::Tool { adapter_id, tool_name, status, duration_ms } => {
                call("tool", format!("{adapter_id}/{tool_name}"), status, *duration_ms)
            }
        }
    }
}

fn call(what: &str, name: String, status: &str, duration_ms: Option<u64>) -> Vec<Phrase> {
    let tone = if status == "ok" { Tone::Good } else { Tone::Odd };
    let duration = match duration_ms {
        Some(ms) => (duration_text(ms), Tone::Plain),
        None => ("ended before it began".to_owned(), Tone::Odd),
    };
    vec![(what.to_owned(), Tone::Plain), (name, Tone::Strong), (status.to_owned(), tone), duration]
}

fn texts(set: &StringSet) -> Vec<String> {
    set.iter().map(ToString::to_string).collect()
}

/// Milliseconds for people.
pub(crate) fn duration_text(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..100_000 => format!("{}.{:03} s", ms / 1_000, ms % 1_000),
        100_000..6_000_000 => format!("{} min {:02} s", ms / 60_000, ms / 1_000 % 60),
        6_000_000..172_800_000 => format!("{} h {:02} min", ms / 3_600_000, ms / 60_000 % 60),
        _ => format!("{} d {:02} h", ms / 86_400_000, ms / 3_600_000 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_that_suits_them() {
        let table = [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_000, "1.000 s"),
            (99_999, "99.999 s"),
            (100_000, "1 min 40 s"),
            (5_999_999, "99 min 59 s"),
            (6_000_000, "1 h 40 min"),
            (172_799_999, "47 h 59 min"),
            (172_800_000, "2 d 00 h"),
        ];
        for (ms, text) in table {
            assert_eq!(duration_text(ms), text);
        }
    }
}

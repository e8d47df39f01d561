//! What a record says, as markup, and numbers for people. Nothing of it depends on a locale.

use std::fmt::{self, Display};

use proofline_canon::{Integer, Value};
use proofline_trace::{DecisionResult, Envelope, StringSet, Timestamp};

use super::error::HtmlError;
use super::markup::{Html, put};

/// A whole number with a thin gap between groups of three.
pub(super) struct Count(pub(super) u64);

impl Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

/// A count with its noun.
pub(super) struct Counted(pub(super) u64, pub(super) &'static str, pub(super) &'static str);

impl Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", Count(self.0), if self.0 == 1 { self.1 } else { self.2 })
    }
}

/// How much a tree shows: records, spans, and spans without a record where there are any.
pub(super) struct Shown(pub(super) u64, pub(super) u64, pub(super) u64);

impl Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(records, spans, plains) = *self;
        write!(f, "{} on {}", Counted(records, "record", "records"), Counted(spans, "span", "spans"))?;
        if plains > 0 {
            write!(f, ", and {}", Counted(plains, "span without a record", "spans without a record"))?;
        }
        Ok(())
    }
}

/// A share of a whole as SVG takes it, two digits behind the point, rounded down.
pub(super) struct Percent(pub(super) u64, pub(super) u64);

impl Percent {
    fn hundredths(&self) -> u128 {
        u128::from(self.0) * 10_000 / u128::from(self.1.max(1))
    }
}

impl Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hundredths = self.hundredths();
        write!(f, "{}.{:02}%", hundredths / 100, hundredths % 100)
    }
}

/// A moment, where it lies in the years that have a date.
pub(super) fn moment(unix_ms: u64) -> Option<Timestamp> {
    Timestamp::from_unix_ms(i64::try_from(unix_ms).ok()?).ok()
}

/// The kind of a record in a word.
pub(super) const fn kind(envelope: &Envelope) -> &'static str {
    match envelope {
        Envelope::AuthContext(_) => "context",
        Envelope::PolicyDecision(_) => "decision",
        Envelope::ModelCall(_) => "model",
        Envelope::ToolCall(_) => "tool",
    }
}

/// What a record is about, in one text.
pub(super) fn subject(envelope: &Envelope) -> String {
    match envelope {
        Envelope::AuthContext(record) => record.actor.actor_id.to_string(),
        Envelope::PolicyDecision(record) => format!("{} {}", record.decision.result, record.request.action),
        Envelope::ModelCall(record) => format!("{}/{}", record.model.provider, record.model.model),
        Envelope::ToolCall(record) => format!("{}/{}", record.tool.adapter_id, record.tool.tool_name),
    }
}

impl Html<'_> {
    /// The kind as a tag, whose shape the style sheet gives.
    pub(super) fn kind(&mut self, envelope: &Envelope) -> Result<(), HtmlError> {
        match envelope {
            Envelope::AuthContext(_) => put!(self, "<span class=\"k kc\">context</span> "),
            Envelope::PolicyDecision(_) => put!(self, "<span class=\"k kd\">decision</span> "),
            Envelope::ModelCall(_) => put!(self, "<span class=\"k km\">model</span> "),
            Envelope::ToolCall(_) => put!(self, "<span class=\"k kt\">tool</span> "),
        }
        Ok(())
    }

    /// What it is and what came of it.
    pub(super) fn title(&mut self, envelope: &Envelope) -> Result<(), HtmlError> {
        self.kind(envelope)?;
        match envelope {
            Envelope::AuthContext(record) => {
                put!(self, "<b>", (record.actor.actor_id), "</b> ", (record.actor.actor_kind));
            }
            Envelope::PolicyDecision(record) => {
                match record.decision.result {
                    DecisionResult::Allow => put!(self, "<b class=\"y\">allow</b> "),
                    DecisionResult::Deny => put!(self, "<b class=\"x\">deny</b> "),
                }
                put!(self, "<b>", (record.request.action), "</b> ", (record.request.resource));
            }
            Envelope::ModelCall(_) | Envelope::ToolCall(_) => put!(self, "<b>", (subject(envelope)), "</b>"),
        }
        Ok(())
    }

    /// The facts of a record that are no derivation of ours: what it says, word for word.
    pub(super) fn facts(&mut self, envelope: &Envelope) -> Result<(), HtmlError> {
        match envelope {
            Envelope::AuthContext(record) => {
                let credential = &record.credential;
                put!(self, (credential.credential_kind), " of ", (credential.issuer), "; ");
                put!(self, (Counted(record.grants.iter().count() as u64, "grant", "grants")));
                self.set(": ", &record.grants)
            }
            Envelope::PolicyDecision(record) => {
                put!(self, "policy ", (record.policy.policy_id), " ", (record.policy.policy_version));
                self.set("; because ", &record.decision.reason_codes)?;
                self.set("; must ", &record.decision.obligations)
            }
            Envelope::ModelCall(record) => {
                let Some(usage) = &record.usage else { return Ok(()) };
                put!(self, (Count(usage.input_tokens.get())), " tokens in, ");
                put!(self, (Count(usage.output_tokens.get())), " out");
                Ok(())
            }
            Envelope::ToolCall(_) => Ok(()),
        }
    }

    fn set(&mut self, before: &'static str, set: &StringSet) -> Result<(), HtmlError> {
        let tokens: Vec<&str> = set.iter().map(proofline_trace::Token::as_str).collect();
        if !tokens.is_empty() {
            self.markup(before)?;
            put!(self, (tokens.join(", ")));
        }
        Ok(())
    }
}

/// A value of a comparison in words, the names of its members left out: what they are is said beside it.
pub(super) fn said(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => match number.as_integer() {
            Integer::Exact(whole) => whole.to_string(),
            _ => number.literal().to_owned(),
        },
        Value::String(text) => text.clone(),
        Value::Array(items) => match items.is_empty() {
            true => "none".to_owned(),
            false => items.iter().map(said).collect::<Vec<_>>().join(", "),
        },
        Value::Object(_) => said_of_members(value),
    }
}

/// The members in the order in which people say them.
fn said_of_members(value: &Value) -> String {
    const ORDER: [(&str, &str); 15] = [
        ("classification", ""),
        ("error_kind", ""),
        ("actor_kind", ""),
        ("actor_id", ""),
        ("credential_kind", ""),
        ("issuer", ""),
        ("policy_id", ""),
        ("policy_version", ""),
        ("provider", ""),
        ("model", ""),
        ("adapter_id", ""),
        ("tool_name", ""),
        ("size_bytes", " bytes"),
        ("content_type", ""),
        ("status", ""),
    ];
    const THEN: [(&str, &str); 5] = [
        ("input_tokens", " in"),
        ("output_tokens", " out"),
        ("total_tokens", " in total"),
        ("policy_sha256", ""),
        ("sha256", ""),
    ];
    let member = |(name, unit): &(&str, &str)| Some(format!("{}{unit}", said(value.get(name)?)));
    ORDER.iter().chain(&THEN).filter_map(member).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_shares_have_two_digits() {
        let table = [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")];
        for (number, text) in table {
            assert_eq!(Count(number).to_string(), text);
        }
        assert_eq!(Counted(1, "record", "records").to_string(), "1 record");
        assert_eq!(Counted(2_000, "record", "records").to_string(), "2,000 records");
        assert_eq!(Percent(1, 3).to_string(), "33.33%");
        assert_eq!(Percent(u64::MAX, u64::MAX).to_string(), "100.00%");
        assert_eq!(Percent(0, 0).to_string(), "0.00%");
    }
}

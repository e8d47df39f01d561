//! A text of Cedar statements, each under its `@id`, with what it obliges to.

use std::collections::BTreeMap;

use cedar_policy::{ParseErrors, PolicyId, PolicySet};
use proofline_trace::Token;

use crate::answer::POLICY_ERROR;
use crate::engine::PolicyError;

/// The text that is read at most.
const MAX_BYTES: usize = 16 << 20;

type Obligations = BTreeMap<String, Vec<String>>;

/// Reads a text: its statements in one set, the obligations of each beside it.
pub(super) fn read(bytes: &[u8]) -> Result<(PolicySet, Obligations), PolicyError> {
    if bytes.len() > MAX_BYTES {
        return Err(PolicyError::TooLong { bytes: bytes.len(), limit: MAX_BYTES });
    }
    let text =
        std::str::from_utf8(bytes).map_err(|error| PolicyError::Encoding { offset: error.valid_up_to() })?;
    let numbered: PolicySet = text.parse().map_err(|errors: ParseErrors| syntax(text, &errors))?;
    if let Some(template) = numbered.templates().next() {
        let id = template.annotation("id").unwrap_or_default().to_owned();
        return Err(PolicyError::Template { id });
    }
    let (mut named, mut obligations) = (Vec::new(), Obligations::new());
    for (at, policy) in numbered.policies().enumerate() {
        let id = policy.annotation("id").ok_or(PolicyError::NoId { statement: at + 1, line: 0 })?;
        if id == POLICY_ERROR {
            return Err(PolicyError::ReservedId { id: Token::of_name(id) });
        }
        let obliged =
            policy.annotations().filter(|(key, _)| *key == "obligation" || key.starts_with("obligation_"));
        let obliged = obliged.map(|(_, value)| value.to_owned()).collect();
        if obligations.insert(id.to_owned(), obliged).is_some() {
            return Err(PolicyError::DuplicateId { id: id.to_owned() });
        }
        named.push(policy.new_id(PolicyId::new(id)));
    }
    let set = PolicySet::from_policies(named)
        .map_err(|error| PolicyError::Syntax { message: error.to_string(), line: None })?;
    Ok((set, obligations))
}

fn syntax(text: &str, errors: &ParseErrors) -> PolicyError {
    let _ = text;
    PolicyError::Syntax { message: errors.to_string(), line: None }
}

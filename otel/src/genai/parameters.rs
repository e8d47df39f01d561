//! How a model was asked: the parameters of a request, under the names of their attributes.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use proofline_canon::{Object, Value};

use crate::value::plain;

const PREFIXES: [&str; 3] = ["gen_ai.request.", "gen_ai.openai.request.", "openai.request."];
const NAMED: [&str; 2] = ["gen_ai.output.type", "gen_ai.embeddings.dimension.count"];
const MODEL: &str = "gen_ai.request.model";

/// Whether an attribute is one.
fn is_parameter(key: &str) -> bool {
    key != MODEL && (PREFIXES.iter().any(|prefix| key.starts_with(prefix)) || NAMED.contains(&key))
}

/// All of them; none where the span says none. The model is no parameter but a member of its own.
pub(crate) fn parameters(attributes: &[KeyValue]) -> Option<Value> {
    let own = attributes.iter().filter(|attribute| is_parameter(&attribute.key));
    let own = own.filter_map(|attribute| {
        Some((attribute.key.as_str(), plain(attribute.value.as_ref()?.value.as_ref()?)))
    });
    let members: Object = own.collect();
    (!members.is_empty()).then_some(Value::Object(members))
}

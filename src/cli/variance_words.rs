//! What a variance policy says, for people.

use proofline::trace::{AllowedVariance, BoundCalls, MayVary, VarianceBound};

/// Bounds that a line names.
const BOUNDS_SHOWN: usize = 8;

/// What may differ, in a line.
pub(crate) fn variance_text(variance: &AllowedVariance) -> String {
    let of_type = |may: MayVary, record_type: &str| {
        let words = words(may);
        (!words.is_empty()).then(|| format!("{} of {record_type}", words.join(", ")))
    };
    let types = [of_type(variance.model_call, "model_call"), of_type(variance.tool_call, "tool_call")];
    let mut parts: Vec<String> = types.into_iter().flatten().collect();
    parts.extend(variance.bounds.iter().take(BOUNDS_SHOWN).map(bound_text));
    let more = variance.bounds.len().saturating_sub(BOUNDS_SHOWN);
    parts.extend((more > 0).then(|| format!("and {more} more bounds")));
    if parts.is_empty() {
        return "nothing was allowed to differ".to_owned();
    }
    format!("allowed to differ: {}", parts.join("; "))
}

fn words(may: MayVary) -> Vec<&'static str> {
    let named = [("response", may.response), ("outcome", may.outcome), ("usage", may.usage)];
    named.into_iter().filter(|(_, may)| *may).map(|(name, _)| name).collect()
}

fn bound_text(bound: &VarianceBound) -> String {
    let mut may: Vec<String> = words(bound.allow).into_iter().map(str::to_owned).collect();
    may.extend(bound.usage_percent.map(|percent| format!("usage within {percent} %")));
    let may = if may.is_empty() { "nothing".to_owned() } else { may.join(", ") };
    let kind = match bound.calls {
        BoundCalls::Model { .. } => "model",
        BoundCalls::Tool { .. } => "tool",
    };
    let names = bound.calls.names().map(|name| name.map_or_else(|| "*".to_owned(), ToString::to_string));
    format!("{may} of {kind} {}", names.join("/"))
}

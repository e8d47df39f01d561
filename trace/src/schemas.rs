//! The schemas of records and artifacts as published: JSON Schema 2020-12, one file each in
//! `trace/schemas/`. They say what the typed readers say; tests hold the two equal.

/// Every schema: its name and its text, records first, then artifacts.
pub const ALL: [(&str, &str); 18] = [
    ("auth_context", include_str!("../schemas/auth_context.schema.json")),
    ("policy_decision", include_str!("../schemas/policy_decision.schema.json")),
    ("model_call", include_str!("../schemas/model_call.schema.json")),
    ("tool_call", include_str!("../schemas/tool_call.schema.json")),
    ("replay_result", include_str!("../schemas/replay_result.schema.json")),
    ("replay_diagnostics", include_str!("../schemas/replay_diagnostics.schema.json")),
    ("policy_backtest", include_str!("../schemas/policy_backtest.schema.json")),
    ("producer_signature", include_str!("../schemas/producer_signature.schema.json")),
    ("verdict_seal", include_str!("../schemas/verdict_seal.schema.json")),
    ("verdict_signature", include_str!("../schemas/verdict_signature.schema.json")),
    ("otel_import", include_str!("../schemas/otel_import.schema.json")),
    ("import_account", include_str!("../schemas/import_account.schema.json")),
    ("genesis", include_str!("../schemas/genesis.schema.json")),
    ("key", include_str!("../schemas/key.schema.json")),
    ("trace_index", include_str!("../schemas/trace_index.schema.json")),
    ("erasure", include_str!("../schemas/erasure.schema.json")),
    ("hold", include_str!("../schemas/hold.schema.json")),
    ("release", include_str!("../schemas/release.schema.json")),
];

/// The text of a schema by its name, such as `auth_context`.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static str> {
    ALL.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

//! The bodies of the fuzz targets. Each takes any bytes, must return, and asserts what has to hold
//! of whatever was accepted; a panic is a finding. `fuzz_targets/` hands them to libFuzzer, and
//! `tests/fuzz_smoke.rs` of the repository includes this file to run them on a stable compiler.

mod bundles;
pub mod disk;
mod filters;
mod image;
mod notes;
mod payloads;
mod policies;
mod proofs;
mod reports;
mod storage;
mod streams;
mod telemetry;
mod texts;
mod tools;

pub use bundles::bundle;
pub use filters::filter;
pub use image::Image;
pub use notes::{note, policy, timestamp};
pub use payloads::sealed;
pub use policies::policy_text;
pub use proofs::{envelope, proof_file, proof_text, receipt, statement, tile};
pub use reports::report;
pub use storage::{frame, header, mark, recovery, segment};
pub use streams::stream;
pub use telemetry::{otlp_auto, otlp_json, otlp_protobuf};
pub use texts::{canonical, line, members, parse};
pub use tools::calculator;

/// A target with its name.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 28] = [
    ("parse", parse),
    ("canonical", canonical),
    ("members", members),
    ("line", line),
    ("header", header),
    ("frame", frame),
    ("mark", mark),
    ("segment", segment),
    ("recovery", recovery),
    ("note", note),
    ("policy", policy),
    ("timestamp", timestamp),
    ("proof_text", proof_text),
    ("receipt", receipt),
    ("envelope", envelope),
    ("statement", statement),
    ("proof_file", proof_file),
    ("tile", tile),
    ("sealed", sealed),
    ("stream", stream),
    ("bundle", bundle),
    ("policy_text", policy_text),
    ("calculator", calculator),
    ("report", report),
    ("otlp_json", otlp_json),
    ("otlp_protobuf", otlp_protobuf),
    ("otlp_auto", otlp_auto),
    ("filter", filter),
];

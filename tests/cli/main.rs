//! The program as a person or a script meets it: what it prints, where, and with which exit code. Expected answers
//! come from the contract, from the independent reference in `vectors/`, or from pictures that a person looked at.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod agent_runs;
mod anchored;
mod archive;
mod bad_input;
mod bundle;
mod check;
mod damage;
mod deciding;
mod diff;
mod drift;
mod erasing;
mod evidence;
mod export_filter;
mod export_otlp;
mod hostile;
mod html;
mod import_at_once;
mod import_otlp;
mod imported;
mod log;
mod measuring;
mod modes;
mod pictures;
mod policies;
mod prove;
mod proven;
mod publish;
mod query;
mod recording;
mod records;
mod report;
mod run;
mod sealing;
mod shapes;
mod signing;
mod signing_refused;
mod streams;
#[path = "../../replay/tests/common/strict_html.rs"]
mod strict_html;
mod svg;
mod tools;
mod tour;
mod transfer;
mod verbs;
mod verdicts;

//! Evidence from OpenTelemetry: what teams have already, brought under proof.

pub mod read;
pub mod write;

//! Whole ledgers on the move: out as a stream and back in, whole or not at all, and copied while
//! they grow.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod backup;
mod backup_crash;
#[path = "../common/mod.rs"]
mod common;
mod erased;
mod forged;
mod house;
mod import_crash;
mod large;
mod parts;
mod refused;
mod round_trip;

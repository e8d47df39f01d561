//! Proof files against the published texts, worked examples and golden files: what is written is
//! read, what is covered cannot be changed, and nothing makes a reader panic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "tests fail by panicking"
)]

mod common;
mod cose;
mod dsse;
#[path = "../common/mod.rs"]
mod shared;
mod text;
mod tiles;
mod vectors;
mod verify;

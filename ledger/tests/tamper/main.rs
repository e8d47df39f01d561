//! Somebody changes, cuts, removes, swaps, repeats or inserts bytes, frames and files of a small
//! ledger: `verify` reports each with its place, no reader takes a changed entry for a sound one,
//! nothing panics, and what is derived is noticed without changing an answer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking"
)]

#[path = "../common/mod.rs"]
mod common;

mod bytes;
mod derived;
mod files;
mod frames;
mod original;

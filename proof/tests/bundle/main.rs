//! Evidence bundles: what an independent program made, and everything that can be done to them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod completeness;
mod model;
mod tampered;
mod tar;
mod vectors;

//! Cedar behind the seam, as its callers meet it. Expected answers are written by hand from what Cedar's
//! documentation says of its language.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod asked;
mod decisions;
mod loading;
mod random;
mod remembered;
mod schema;

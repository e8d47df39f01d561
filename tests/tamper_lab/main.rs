//! The tamper laboratory: each attack that `docs/tamper.md` lists is carried out with what an attacker
//! has, a folder to write in and now and then a key, and everybody is asked what they say of it. The
//! tables of that page are held to the answers, also where the answer is that nothing is noticed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod attack;
mod cosigning;
mod files;
mod forge;
mod history;
mod house;
mod indexes;
mod keys;
mod say;
mod split;
mod table;

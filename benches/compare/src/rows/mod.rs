//! The rows of the table, each in a file with those that are measured together.

mod committing;
mod deciding;
mod growing;
mod looking_up;
mod opening;
mod proving;
mod replaying;
mod singles;

use crate::failure::Failure;
use crate::run::Run;
use crate::table::Line;

/// A row, or some that are measured together.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) measure: fn(&mut Run) -> Result<Vec<Line>, Failure>,
}

pub(crate) const ROWS: [Row; 9] = [
    Row {
        name: "replay",
        what: "forensic and invariant replay beside sha256sum and openssl over the same canonical bytes",
        measure: replaying::measure,
    },
    Row {
        name: "decide",
        what: "a policy asked again in a replay beside a bare cedar-policy authorization of the same request",
        measure: deciding::measure,
    },
    Row {
        name: "commit",
        what: "groups of 1,000 beside SQLite behind the same gate, and SQLite, redb, fjall and sled bare",
        measure: committing::measure,
    },
    Row {
        name: "single",
        what: "one record a commit beside a bare loop of append and fdatasync; 16 threads beside groups of 16",
        measure: singles::measure,
    },
    Row { name: "lookup", what: "look-ups by hash, warm, beside redb", measure: looking_up::measure },
    Row { name: "disk", what: "bytes on disk for each canonical byte", measure: opening::disk },
    Row { name: "open", what: "opening, clean and after a kill in a commit", measure: opening::measure },
    Row {
        name: "proof",
        what: "an inclusion proof beside the hashes that it needs",
        measure: proving::measure,
    },
    Row {
        name: "growth",
        what: "memory of a replay, and the cost of a record in a large ledger beside a small one; see --big",
        measure: growing::measure,
    },
];

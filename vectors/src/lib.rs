//! Seeded, realistic evidence: agents at work, what they asked, what policy said, what was called.
//! Examples, tests and benches draw from it; the files under `evidence/` are its output for one seed.

mod evidence;
mod files;
mod line;
mod plan;
mod random;
mod session;
mod trouble;
mod world;

pub use evidence::{Evidence, Generator, generate};
pub use files::files;
pub use line::Form;
pub use plan::EvidencePlan;
pub use random::SplitMix64;
pub use session::{Fate, Payload, Submission};

//! Seeded, realistic evidence: agents at work, what they asked, what policy said, what was called.
//! Examples, tests and benches draw from it; the files under `evidence/` are its output for one seed.

mod deviation;
mod evidence;
mod files;
mod line;
mod plan;
mod random;
mod rerun;
mod session;
mod trouble;
mod work;
mod world;

pub use deviation::Deviation;
pub use evidence::{Evidence, Generator, generate};
pub use files::files;
pub use line::Form;
pub use plan::EvidencePlan;
pub use random::SplitMix64;
pub use rerun::{AfterModelChange, Pair, Rerun, after_model_change, rerun};
pub use session::{Fate, Payload, Submission};

//! Which traces a constrained replay compares. The file form is JSON Lines, a pair a line:
//!
//! ```json
//! {"baseline": "4bf92f3577b34da6a3ce929d0e0e4736", "candidate": "00f067aa0ba902b74bf92f3577b34da6"}
//! ```

use std::collections::BTreeSet;

use proofline_canon::{Pointer, Value};
use proofline_trace::TraceId;
use thiserror::Error;

use crate::form::{self, FormError};

/// Two runs of the same work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair {
    /// The run that is measured against: `reference_trace_id` of the result.
    pub baseline: TraceId,
    /// The run that is measured: `target_trace_id` of the result.
    pub candidate: TraceId,
}

/// Pairs of traces, each once, in byte order of the baseline, then of the candidate: the order of
/// their verdicts, whatever order they were given in.
///
/// ```
/// use proofline_replay::Pairs;
///
/// let pairs = Pairs::parse(
///     b"{\"baseline\":\"00000000000000000000000000000001\",\"candidate\":\"00000000000000000000000000000002\"}\n",
/// )?;
/// assert_eq!(pairs.len(), 1);
/// # Ok::<(), proofline_replay::PairsError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pairs(BTreeSet<Pair>);

impl Pairs {
    /// One baseline against many candidates.
    #[must_use]
    pub fn against(baseline: TraceId, candidates: impl IntoIterator<Item = TraceId>) -> Self {
        candidates.into_iter().map(|candidate| Pair { baseline, candidate }).collect()
    }

    /// Reads the file form. Lines of white space are skipped, and a pair that was there before
    /// changes nothing.
    ///
    /// # Errors
    /// [`PairsError`] with the first line that is no pair.
    pub fn parse(bytes: &[u8]) -> Result<Self, PairsError> {
        let lines = (1..).zip(bytes.split(|byte| *byte == b'\n'));
        let lines = lines.filter(|(_, line)| !line.iter().all(u8::is_ascii_whitespace));
        lines.map(|(number, line)| pair(line).map_err(|fault| PairsError { line: number, fault })).collect()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pairs in order.
    pub fn iter(&self) -> impl Iterator<Item = Pair> {
        self.0.iter().copied()
    }
}

impl FromIterator<Pair> for Pairs {
    fn from_iter<I: IntoIterator<Item = Pair>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

fn pair(line: &[u8]) -> Result<Pair, FormError> {
    let document = form::document(line)?;
    let known = "\"baseline\" and \"candidate\"";
    let [baseline, candidate] = form::members(&document, ["baseline", "candidate"], known)?;
    Ok(Pair { baseline: trace_id(baseline, "baseline")?, candidate: trace_id(candidate, "candidate")? })
}

fn trace_id(value: &Value, name: &str) -> Result<TraceId, FormError> {
    let pointer = Pointer::root().child(name);
    form::text(value, &pointer)?.parse().map_err(|_| FormError::TraceId { pointer })
}

/// A line of a pairs file that is no pair.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line} of the pairs: {fault}")]
pub struct PairsError {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong with it.
    #[source]
    pub fault: FormError,
}

impl PairsError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.fault.code()
    }

    /// The place in the line.
    #[must_use]
    pub const fn pointer(&self) -> Option<&Pointer> {
        self.fault.pointer()
    }
}

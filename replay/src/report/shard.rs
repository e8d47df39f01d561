//! One of several jobs that share a ledger: which traces are its own, and which stretch of the log. Both follow from
//! the trace's id and the log's length alone, so that jobs need not know of each other.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use proofline_canon::Sha256Digest;
use proofline_trace::TraceId;
use thiserror::Error;

/// One shard of so many, counted from 1.
///
/// ```
/// use proofline_replay::report::Shard;
///
/// let shard: Shard = "2/7".parse()?;
/// assert_eq!((shard.index(), shard.of()), (2, 7));
/// assert!("0/7".parse::<Shard>().is_err() && "8/7".parse::<Shard>().is_err());
/// # Ok::<(), proofline_replay::report::ShardError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard {
    index: u64,
    of: u64,
}

/// No shard: two numbers with a slash between them, the first from 1 to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no shard: give I/N, with I from 1 to N and N at most {}", Shard::MOST)]
pub struct ShardError;

impl ShardError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "report.shard"
    }
}

impl Shard {
    /// The most shards there can be.
    pub const MOST: u64 = 65_536;

    /// The `index`-th shard of `of`.
    ///
    /// # Errors
    /// [`ShardError`] where there is no such one.
    pub const fn new(index: u64, of: u64) -> Result<Self, ShardError> {
        if index == 0 || index > of || of > Self::MOST { Err(ShardError) } else { Ok(Self { index, of }) }
    }

    /// Which one, from 1.
    #[must_use]
    pub const fn index(self) -> u64 {
        self.index
    }

    /// How many there are.
    #[must_use]
    pub const fn of(self) -> u64 {
        self.of
    }

    /// Whether a trace is one of its own: the first eight bytes of the SHA-256 of the id's sixteen, big endian,
    /// modulo the number of shards.
    #[must_use]
    pub fn covers(self, trace: TraceId) -> bool {
        let digest = Sha256Digest::of(trace.as_bytes());
        let front = digest.as_bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        front % self.of == self.index - 1
    }

    /// The entries that it checks, of so many.
    #[must_use]
    pub(crate) fn range(self, entries: u64) -> Range<u64> {
        let cut = |at: u64| {
            let product = u128::from(entries) * u128::from(at) / u128::from(self.of);
            u64::try_from(product).unwrap_or(entries)
        };
        cut(self.index - 1)..cut(self.index)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let number = |text: &str| {
            let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| is_plain).ok_or(ShardError)
        };
        let (index, of) = text.split_once('/').ok_or(ShardError)?;
        Self::new(number(index)?, number(of)?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    /// Computed by Python: `int.from_bytes(hashlib.sha256(bytes.fromhex(id)).digest()[:8], "big") % n`.
    #[test]
    fn traces_go_where_an_independent_count_sends_them() {
        let ids = ["4bf92f3577b34da6a3ce929d0e0e4736", "00000000000000000000000000000001"];
        for (id, of, remainder) in EXPECTED {
            let trace: TraceId = ids[id].parse().unwrap();
            for index in 1..=of {
                assert_eq!(
                    Shard::new(index, of).unwrap().covers(trace),
                    index == remainder + 1,
                    "{id} {index}/{of}"
                );
            }
        }
    }

    const EXPECTED: [(usize, u64, u64); 6] =
        [(0, 2, 0), (0, 7, 6), (0, 64, 0), (1, 2, 1), (1, 7, 6), (1, 64, 59)];

    #[test]
    fn ranges_meet_and_leave_nothing_out() {
        for entries in [0, 1, 2, 63, 64, 65, 1_000_003, u64::MAX] {
            for of in [1, 2, 7, 64] {
                let mut end = 0;
                for index in 1..=of {
                    let range = Shard::new(index, of).unwrap().range(entries);
                    assert_eq!(range.start, end);
                    end = range.end;
                }
                assert_eq!(end, entries);
            }
        }
    }

    #[test]
    fn what_is_no_shard_is_refused() {
        for text in
            ["", "1", "/", "1/", "/1", "0/1", "2/1", "1/0", "+1/2", "1/2/3", " 1/2", "1/65537", "1/-2"]
        {
            assert_eq!(text.parse::<Shard>(), Err(ShardError), "{text}");
        }
        assert_eq!("1/65536".parse::<Shard>().unwrap().to_string(), "1/65536");
    }
}

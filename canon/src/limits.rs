//! How much JSON a caller is willing to read. Every entry point takes limits, because what
//! is read may come from anyone.

/// Size and depth that a document may have; checked before and while it is parsed.
///
/// ```
/// use proofline_canon::Limits;
///
/// let small = Limits::ENVELOPE.with_max_bytes(4096).with_max_depth(8);
/// assert_eq!(small.max_depth(), 8);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limits {
    max_bytes: usize,
    max_depth: usize,
}

impl Limits {
    /// The deepest nesting that any limits allow: parser and writer call themselves once a
    /// level, and this many levels fit on the stack that Rust gives a spawned thread (2 MiB):
    /// they take less than 1 MiB in an unoptimised build, less than half of that in others.
    pub const DEEPEST: usize = 512;

    /// Evidence records: 1 MiB, 64 levels (the contract, section 4).
    pub const ENVELOPE: Self = Self { max_bytes: 1 << 20, max_depth: 64 };

    /// Any other content: 64 MiB, 128 levels.
    pub const CONTENT: Self = Self { max_bytes: 64 << 20, max_depth: 128 };

    /// The same limits with another size, in bytes.
    #[must_use]
    pub const fn with_max_bytes(self, max_bytes: usize) -> Self {
        Self { max_bytes, ..self }
    }

    /// The same limits with another depth (arrays and objects open at once), at most
    /// [`Limits::DEEPEST`].
    #[must_use]
    pub const fn with_max_depth(self, max_depth: usize) -> Self {
        let max_depth = if max_depth > Self::DEEPEST { Self::DEEPEST } else { max_depth };
        Self { max_depth, ..self }
    }

    /// The largest document accepted, in bytes.
    #[must_use]
    pub const fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// How many arrays and objects may be open at once; a scalar has depth 0.
    #[must_use]
    pub const fn max_depth(&self) -> usize {
        self.max_depth
    }
}

#[cfg(test)]
mod tests {
    use super::Limits;

    #[test]
    fn depth_is_clamped() {
        assert_eq!(Limits::CONTENT.with_max_depth(usize::MAX).max_depth(), 512);
        assert_eq!(Limits::CONTENT.with_max_depth(0).max_depth(), 0);
        assert_eq!(Limits::CONTENT.with_max_depth(3).max_bytes(), 64 * 1024 * 1024);
    }
}

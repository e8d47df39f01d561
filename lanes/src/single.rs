//! One message after the other, by the quickest way that the processor has for one.

use crate::block::{Block, Message, Run, SCRATCH_BLOCKS, START, Scratch, digest_of};
#[cfg(target_arch = "x86_64")]
use crate::x86::{Scalar, ShaNi};

/// A way to compress the blocks of one message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Single {
    /// What the crate sha2 chooses: instructions for it where there are any, else plain words.
    Sha2,
    /// Plain words with BMI.
    #[cfg(target_arch = "x86_64")]
    Scalar(Scalar),
}

impl Single {
    /// The quickest here.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn best() -> Self {
        if ShaNi::detect().is_some() || cfg!(lanes_widest = "portable") {
            return Single::Sha2;
        }
        Scalar::detect().map_or(Single::Sha2, Single::Scalar)
    }

    /// The quickest here.
    #[cfg(not(target_arch = "x86_64"))]
    pub(crate) const fn best() -> Self {
        Single::Sha2
    }

    /// The quickest without SHA extensions, for a backend that is there for processors without them.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn without_extensions() -> Self {
        Scalar::detect().map_or(Single::Sha2, Single::Scalar)
    }

    pub(crate) fn compress(self, state: &mut [u32; 8], blocks: &[Block]) {
        match self {
            Single::Sha2 => sha2::block_api::compress256(state, blocks),
            #[cfg(target_arch = "x86_64")]
            Single::Scalar(scalar) => scalar.compress(state, blocks),
        }
    }

    pub(crate) fn digest(self, prefix: &[u8], input: &[u8]) -> [u8; 32] {
        self.finish(START, Message::new(prefix, input))
    }

    /// Hashes what is left of a message.
    pub(crate) fn finish(self, mut state: [u32; 8], mut message: Message<'_>) -> [u8; 32] {
        let mut scratch: Scratch = [[0; 64]; SCRATCH_BLOCKS];
        while let Some(run) = message.next(&mut scratch) {
            match run {
                Run::Lent(blocks) => self.compress(&mut state, blocks),
                Run::Made(count) => self.compress(&mut state, scratch.get(..count).unwrap_or_default()),
            }
        }
        digest_of(state)
    }
}

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

    /// The quickest without SHA extensions of x86, for a backend that is there for processors without them.
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

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::Single;
    use crate::block::{Block, START};

    /// On a processor with SHA extensions nothing else would ask the plain words for long messages.
    #[test]
    fn both_ways_compress_alike() {
        let blocks: Vec<Block> = (0..200_u8)
            .map(|at| std::array::from_fn(|byte| at.wrapping_mul(89) ^ u8::try_from(byte).unwrap()))
            .collect();
        for count in 0..blocks.len() {
            let (mut one, mut other) = (START, START);
            Single::Sha2.compress(&mut one, &blocks[..count]);
            Single::without_extensions().compress(&mut other, &blocks[..count]);
            assert_eq!(one, other, "{count}");
        }
    }
}

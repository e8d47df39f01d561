//! The order in which messages go into lanes: the longest first, so that few lanes are left over at the end, and
//! those of as many blocks one behind the other, so that lanes begin and end together and go on for long without a
//! look.

use crate::block::{BLOCK_BYTES, Message};

/// How many inputs are put in order at once.
pub(crate) const QUEUE_INPUTS: usize = 1024;

/// Messages of so many blocks or more are told apart by the logarithm of their length.
const LONG_BLOCKS: usize = 192;

/// One for each length below that, one for each logarithm.
const SIZES: usize = LONG_BLOCKS + usize::BITS as usize + 1;

/// Messages that wait.
pub(crate) struct Queue<'a> {
    prefix: &'a [u8],
    inputs: &'a [&'a [u8]],
    /// Places of the inputs, the last to be taken first.
    order: [u16; QUEUE_INPUTS],
    /// How many are left of them.
    left: usize,
}

impl<'a> Queue<'a> {
    /// Of up to [`QUEUE_INPUTS`] inputs.
    pub(crate) fn new(prefix: &'a [u8], inputs: &'a [&'a [u8]]) -> Self {
        let size = |input: &[u8]| size_of_blocks((prefix.len() + input.len()) / BLOCK_BYTES);
        // Where the messages of each size begin, and then where the next of them goes: a counting sort.
        let mut starts = [0_u16; SIZES];
        for input in inputs {
            if let Some(start) = starts.get_mut(size(input) + 1) {
                *start += 1;
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut order = [0; QUEUE_INPUTS];
        for (place, input) in (0..).zip(inputs) {
            let Some(start) = starts.get_mut(size(input)) else { continue };
            if let Some(next) = order.get_mut(usize::from(*start)) {
                *next = place;
            }
            *start += 1;
        }
        Queue { prefix, inputs, order, left: inputs.len() }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// The next message, and which input it is.
    pub(crate) fn next(&mut self) -> Option<(usize, Message<'a>)> {
        self.left = self.left.checked_sub(1)?;
        let place = usize::from(*self.order.get(self.left)?);
        let input = self.inputs.get(place)?;
        Some((place, Message::new(self.prefix, input)))
    }
}

/// Which of the sizes messages of so many blocks are.
const fn size_of_blocks(blocks: usize) -> usize {
    if blocks < LONG_BLOCKS { blocks } else { LONG_BLOCKS + blocks.ilog2() as usize }
}

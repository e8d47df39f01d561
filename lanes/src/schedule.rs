//! Keeps the lanes of an engine full: a lane takes the next message when its own ends. What is left in few lanes at the
//! end goes on alone, which is quicker there.

use crate::block::{BLOCK_BYTES, Block, Message, Run, SCRATCH_BLOCKS, START, Scratch, digest_of};
use crate::queue::{QUEUE_INPUTS, Queue};
use crate::single::Single;

/// A way to compress one block of each of `N` messages in little more than the time of one.
pub(crate) trait Engine<const N: usize>: Copy {
    /// With fewer busy lanes than these, one message after the other is quicker.
    const FEWEST: usize;

    /// Compresses `count` blocks of each run into the state of its lane. Every run is so long.
    fn compress(self, words: &mut Words<N>, runs: &[&[Block]; N], count: usize);
}

/// The states of `N` messages, the first words of all side by side, then the second ones.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Words<const N: usize>([[u32; N]; 8]);

impl<const N: usize> Words<N> {
    /// Every lane before its first block.
    pub(crate) fn start() -> Self {
        Words(START.map(|word| [word; N]))
    }

    pub(crate) const fn rows(&self) -> [[u32; N]; 8] {
        self.0
    }

    pub(crate) const fn rows_mut(&mut self) -> &mut [[u32; N]; 8] {
        &mut self.0
    }

    pub(crate) fn lane(&self, lane: usize) -> [u32; 8] {
        self.0.map(|row| row.get(lane).copied().unwrap_or_default())
    }

    pub(crate) fn set_lane(&mut self, lane: usize, state: [u32; 8]) {
        for (place, word) in self.0.iter_mut().filter_map(|row| row.get_mut(lane)).zip(state) {
            *place = word;
        }
    }
}

/// The digest of `prefix` and each of `inputs`, in their order.
pub(crate) fn each<const N: usize>(
    engine: impl Engine<N>,
    single: Single,
    prefix: &[u8],
    inputs: &[&[u8]],
    digests: &mut [[u8; 32]],
) {
    for (inputs, digests) in inputs.chunks(QUEUE_INPUTS).zip(digests.chunks_mut(QUEUE_INPUTS)) {
        let lanes = [const { Lane::idle() }; N];
        Lanes { engine, single, words: Words::start(), lanes, queue: Queue::new(prefix, inputs), digests }
            .run();
    }
}

/// One lane and the message in it.
struct Lane<'a> {
    /// Which input it is; none in an idle lane.
    place: Option<usize>,
    message: Message<'a>,
    /// The blocks at hand.
    run: Blocks<'a>,
    scratch: Scratch,
}

/// A run that is partly compressed.
#[derive(Clone, Copy)]
enum Blocks<'a> {
    Lent(&'a [Block]),
    /// From one to the other of the scratch.
    Made(usize, usize),
}

impl<'a> Lane<'a> {
    const fn idle() -> Self {
        let (message, run) = (Message::ended(), Blocks::Made(0, 0));
        Lane { place: None, message, run, scratch: [[0; BLOCK_BYTES]; SCRATCH_BLOCKS] }
    }

    fn blocks(&self) -> &[Block] {
        match self.run {
            Blocks::Lent(blocks) => blocks,
            Blocks::Made(from, to) => self.scratch.get(from..to).unwrap_or_default(),
        }
    }

    const fn left(&self) -> usize {
        match self.run {
            Blocks::Lent(blocks) => blocks.len(),
            Blocks::Made(from, to) => to - from,
        }
    }

    fn advance(&mut self, count: usize) {
        match &mut self.run {
            Blocks::Lent(blocks) => *blocks = blocks.get(count..).unwrap_or_default(),
            Blocks::Made(from, to) => *from = (*from + count).min(*to),
        }
    }

    /// Turns to the message's next blocks; false at its end.
    fn turn(&mut self) -> bool {
        match self.message.next(&mut self.scratch) {
            Some(Run::Lent(blocks)) => self.run = Blocks::Lent(blocks),
            Some(Run::Made(count)) => self.run = Blocks::Made(0, count),
            None => return false,
        }
        true
    }
}

/// An engine at work.
struct Lanes<'a, 'o, const N: usize, E> {
    engine: E,
    single: Single,
    words: Words<N>,
    lanes: [Lane<'a>; N],
    queue: Queue<'a>,
    digests: &'o mut [[u8; 32]],
}

impl<const N: usize, E: Engine<N>> Lanes<'_, '_, N, E> {
    fn run(mut self) {
        loop {
            (0..N).for_each(|lane| self.refill(lane));
            let busy = self.lanes.iter().filter(|lane| lane.place.is_some()).count();
            if self.queue.is_empty() && busy < E::FEWEST {
                return self.finish();
            }
            self.step();
        }
    }

    /// Sees to it that a lane has blocks at hand, unless no message is left for it.
    fn refill(&mut self, at: usize) {
        let Some(lane) = self.lanes.get_mut(at) else { return };
        while lane.left() == 0 {
            if lane.turn() {
                continue;
            }
            if let Some(digest) = lane.place.take().and_then(|place| self.digests.get_mut(place)) {
                *digest = digest_of(self.words.lane(at));
            }
            let Some((place, message)) = self.queue.next() else { return };
            (lane.place, lane.message) = (Some(place), message);
            self.words.set_lane(at, START);
        }
    }

    /// Goes on as far as all busy lanes have blocks. Idle ones hash along with one of them, for nothing.
    fn step(&mut self) {
        let busy = || self.lanes.iter().filter(|lane| lane.place.is_some());
        let Some(shortest) = busy().min_by_key(|lane| lane.left()) else { return };
        let count = shortest.left();
        let runs =
            self.lanes.each_ref().map(|lane| if lane.place.is_some() { lane } else { shortest }.blocks());
        self.engine.compress(&mut self.words, &runs, count);
        self.lanes.iter_mut().for_each(|lane| lane.advance(count));
    }

    /// Hashes what is left in the lanes one after the other.
    fn finish(self) {
        for (at, lane) in self.lanes.iter().enumerate() {
            let Some(digest) = lane.place.and_then(|place| self.digests.get_mut(place)) else { continue };
            let mut state = self.words.lane(at);
            self.single.compress(&mut state, lane.blocks());
            *digest = self.single.finish(state, lane.message);
        }
    }
}

//! Nodes of a Merkle tree: a byte and two digests each, two blocks of which the second is nearly the same for all.

use crate::block::{BLOCK_BYTES, Block, digest_of};
#[cfg(target_arch = "x86_64")]
use crate::schedule::{Engine, Words};
use crate::single::Single;

/// The bytes of a node: the prefix and two digests.
const NODE_BYTES: usize = 1 + 2 * 32;

/// The blocks of a node, with all in them that is the same for every one.
fn blank(prefix: u8) -> [Block; 2] {
    let mut blocks = [[0; BLOCK_BYTES]; 2];
    let [front, back] = &mut blocks;
    front[0] = prefix;
    back[1] = 0x80;
    if let Some(length) = back.last_chunk_mut() {
        *length = (NODE_BYTES as u64 * 8).to_be_bytes();
    }
    blocks
}

fn fill(blocks: &mut [Block; 2], [left, right]: &[[u8; 32]; 2]) {
    let bytes = blocks.as_flattened_mut();
    if let Some(place) = bytes.get_mut(1..33) {
        place.copy_from_slice(left);
    }
    if let Some(place) = bytes.get_mut(33..NODE_BYTES) {
        place.copy_from_slice(right);
    }
}

/// The node over each pair, one after the other.
pub(crate) fn one_by_one(single: Single, prefix: u8, pairs: &[[[u8; 32]; 2]], nodes: &mut [[u8; 32]]) {
    let mut blocks = blank(prefix);
    for (pair, node) in pairs.iter().zip(nodes) {
        fill(&mut blocks, pair);
        let mut state = crate::block::START;
        single.compress(&mut state, &blocks);
        *node = digest_of(state);
    }
}

/// The node over each pair, many at once.
#[cfg(target_arch = "x86_64")]
pub(crate) fn in_lanes<const N: usize, E: Engine<N>>(
    engine: E,
    single: Single,
    prefix: u8,
    pairs: &[[[u8; 32]; 2]],
    nodes: &mut [[u8; 32]],
) {
    let mut lanes = [blank(prefix); N];
    for (pairs, nodes) in pairs.chunks(N).zip(nodes.chunks_mut(N)) {
        if pairs.len() < E::FEWEST {
            one_by_one(single, prefix, pairs, nodes);
            continue;
        }
        lanes.iter_mut().zip(pairs).for_each(|(blocks, pair)| fill(blocks, pair));
        let mut words = Words::start();
        engine.compress(&mut words, &lanes.each_ref().map(<[Block; 2]>::as_slice), 2);
        for (lane, node) in nodes.iter_mut().enumerate() {
            *node = digest_of(words.lane(lane));
        }
    }
}

//! SHA-256 (FIPS 180-4) of many independent inputs at once, and the quickest that there is of one.
//!
//! A ledger hashes many short things that do not depend on each other: bodies, headers, nodes of a tree. A processor
//! can hash several of them in the time of one. Which way it has is asked when it runs; all give the same digests.
//!
//! ```
//! let inputs: [&[u8]; 2] = [b"abc", b""];
//! let digests = proofline_lanes::sha256_each(b"", &inputs);
//! assert_eq!(digests[0][..4], [0xba, 0x78, 0x16, 0xbf]);
//! assert_eq!(digests[1][..4], [0xe3, 0xb0, 0xc4, 0x42]);
//! ```

mod backend;
mod block;
mod pairs;
#[cfg(target_arch = "x86_64")]
mod queue;
#[cfg(target_arch = "x86_64")]
mod rounds;
#[cfg(target_arch = "x86_64")]
mod schedule;
mod single;
mod stream;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use backend::Backend;
pub use stream::Sha256;

/// SHA-256 of these bytes.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    sha256_after(&[], bytes)
}

/// SHA-256 of `prefix` and then these bytes.
#[must_use]
pub fn sha256_after(prefix: &[u8], bytes: &[u8]) -> [u8; 32] {
    single::Single::best().digest(prefix, bytes)
}

/// SHA-256 of `prefix` and then the input, for each input, in order.
///
/// The prefix is what keeps leaves and nodes of a tree apart (RFC 6962 §2.1), or empty.
#[must_use]
pub fn sha256_each(prefix: &[u8], inputs: &[&[u8]]) -> Vec<[u8; 32]> {
    sha256_each_on(Backend::best(), prefix, inputs)
}

/// [`sha256_each`] by one backend. One that this processor does not have is [`Backend::Portable`].
#[must_use]
pub fn sha256_each_on(backend: Backend, prefix: &[u8], inputs: &[&[u8]]) -> Vec<[u8; 32]> {
    let mut digests = vec![[0; 32]; inputs.len()];
    backend.each(prefix, inputs, &mut digests);
    digests
}

/// [`sha256_each`] into the front of `digests`. Where one list is longer than the other, its rest is left alone.
pub fn sha256_each_into(prefix: &[u8], inputs: &[&[u8]], digests: &mut [[u8; 32]]) {
    let count = inputs.len().min(digests.len());
    let inputs = inputs.get(..count).unwrap_or_default();
    Backend::best().each(prefix, inputs, digests.get_mut(..count).unwrap_or_default());
}

/// SHA-256 of `prefix` and then both digests: one node of a Merkle tree.
#[must_use]
pub fn sha256_pair(prefix: u8, left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut node = [[0; 32]];
    pairs::one_by_one(single::Single::best(), prefix, &[[*left, *right]], &mut node);
    let [node] = node;
    node
}

/// SHA-256 of `prefix` and then both digests, for each pair: the row of nodes above a row of a Merkle tree (RFC 6962
/// §2.1). Where one list is longer than the other, its rest is left alone.
pub fn sha256_pairs_into(prefix: u8, pairs: &[[[u8; 32]; 2]], nodes: &mut [[u8; 32]]) {
    sha256_pairs_into_on(Backend::best(), prefix, pairs, nodes);
}

/// [`sha256_pairs_into`] by one backend. One that this processor does not have is [`Backend::Portable`].
pub fn sha256_pairs_into_on(backend: Backend, prefix: u8, pairs: &[[[u8; 32]; 2]], nodes: &mut [[u8; 32]]) {
    let count = pairs.len().min(nodes.len());
    backend.pairs(prefix, pairs.get(..count).unwrap_or_default(), nodes.get_mut(..count).unwrap_or_default());
}

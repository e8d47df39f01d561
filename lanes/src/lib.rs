//! SHA-256 (FIPS 180-4) of many independent inputs at once.
//!
//! A ledger hashes many short things that do not depend on each other: bodies, headers, nodes of a tree. A processor
//! can hash several of them in the time of one.
//!
//! ```
//! let inputs: [&[u8]; 2] = [b"abc", b""];
//! let digests = proofline_lanes::sha256_each(b"", &inputs);
//! assert_eq!(digests[0][..4], [0xba, 0x78, 0x16, 0xbf]);
//! assert_eq!(digests[1][..4], [0xe3, 0xb0, 0xc4, 0x42]);
//! ```

use sha2::{Digest, Sha256};

/// SHA-256 of `prefix` and then the input, for each input, in order.
///
/// The prefix is what keeps leaves and nodes of a tree apart (RFC 6962 §2.1), or empty.
#[must_use]
pub fn sha256_each(prefix: &[u8], inputs: &[&[u8]]) -> Vec<[u8; 32]> {
    let digest = |input: &&[u8]| Sha256::new().chain_update(prefix).chain_update(input).finalize().into();
    inputs.iter().map(digest).collect()
}

//! Hash maps over digests and trace ids, quicker than those of the standard library and as hard to slow down from
//! outside.
//!
//! Whoever brings records chooses their ids, and can try contents until their digests agree in the few bits that
//! choose a place in a table: taking a part of a digest as its hash would let him make every look-up a walk over
//! thousands. So a secret of the process (that of the standard library, which seeds its own maps with it) is multiplied
//! in, over all bytes, and nobody outside can tell which keys meet. Nothing that is written or told depends on it.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

/// A map over digests or ids.
pub(crate) type KeyedMap<K, V> = HashMap<K, V, Keyed>;

/// Makes hashers that share a secret.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keyed {
    start: u64,
    factor: u64,
}

impl Default for Keyed {
    fn default() -> Self {
        let secret = RandomState::new();
        // An odd factor loses nothing of what it is multiplied with.
        Keyed { start: secret.hash_one(0_u8), factor: secret.hash_one(1_u8) | 1 }
    }
}

impl BuildHasher for Keyed {
    type Hasher = KeyedHasher;

    fn build_hasher(&self) -> KeyedHasher {
        KeyedHasher { state: self.start, factor: self.factor }
    }
}

pub(crate) struct KeyedHasher {
    state: u64,
    factor: u64,
}

impl KeyedHasher {
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.state ^ word).wrapping_mul(u128::from(self.factor));
        let [low, high] = [product, product >> 64].map(|half| u64::try_from(half & u128::from(u64::MAX)));
        self.state = low.unwrap_or_default() ^ high.unwrap_or_default().rotate_left(23);
    }
}

impl Hasher for KeyedHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.mix(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            let mut last = [0; 8];
            last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            self.mix(u64::from_le_bytes(last));
        }
    }

    fn write_usize(&mut self, number: usize) {
        self.mix(number as u64);
    }

    fn finish(&self) -> u64 {
        // Both ends choose places in a table; the middle of a product is its best part.
        self.state ^ (self.state >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Places in a table of 4,096, by the low bits and by the high ones, of keys that differ little.
    #[test]
    fn keys_spread_whatever_they_have_in_common() {
        let makers: [fn(u64) -> [u8; 16]; 3] = [
            |number| u128::from(number).to_le_bytes(),
            |number| u128::from(number).to_be_bytes(),
            |number| (u128::from(number) << 77).to_le_bytes(),
        ];
        for make in makers {
            let keyed = Keyed::default();
            let mut places = [vec![0_u32; 4096], vec![0; 4096]];
            for number in 0..65_536 {
                let hash = keyed.hash_one(make(number));
                for (places, at) in places.iter_mut().zip([hash & 4095, hash >> 52]) {
                    places[usize::try_from(at).unwrap()] += 1;
                }
            }
            // Sixteen on average; a good hash stays below 45 with a probability beyond doubt.
            assert!(places.iter().flatten().all(|count| *count < 60));
        }
    }

    #[test]
    fn two_processes_do_not_share_their_secret_and_two_maps_hash_apart() {
        let (one, other) = (Keyed::default(), Keyed::default());
        assert_ne!((one.start, one.factor), (other.start, other.factor));
        assert_ne!(one.hash_one([7_u8; 32]), other.hash_one([7_u8; 32]));
        assert_eq!(one.hash_one([7_u8; 32]), one.hash_one([7_u8; 32]));
    }
}

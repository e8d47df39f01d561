//! A split block Bloom filter, as Apache Parquet specifies it, over 64-bit keys that are spread evenly:
//! whether a segment may hold a key, without a look at its file. It says yes to every key that it was
//! made of and to about one other in 200.

const WORDS: usize = 8;
/// Bytes of a block: half a cache line, so that a question touches one.
pub(super) const BLOCK_BYTES: u64 = 32;
const KEYS_PER_64_BLOCKS: u64 = 1365; // 12 bits for a key

/// The odd numbers of Parquet's specification, one for each word of a block.
const SALTS: [u32; WORDS] =
    [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31];

/// The blocks of a filter of so many keys; none for none.
pub(super) const fn blocks_for(keys: u64) -> u64 {
    (keys * 64).div_ceil(KEYS_PER_64_BLOCKS)
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    blocks: Vec<[u32; WORDS]>,
}

fn bits_of(key: u64) -> [u32; WORDS] {
    let [.., a, b, c, d] = key.to_be_bytes();
    let low = u32::from_be_bytes([a, b, c, d]);
    SALTS.map(|salt| 1 << (low.wrapping_mul(salt) >> 27))
}

impl Filter {
    /// The filter of these keys, of which there are `count`.
    pub(super) fn of(count: u64, keys: impl Iterator<Item = u64>) -> Self {
        let mut filter = Filter::with_room(count);
        keys.for_each(|key| filter.insert(key));
        filter
    }

    /// An empty filter that is right for so many keys.
    pub(super) fn with_room(keys: u64) -> Self {
        let blocks = usize::try_from(blocks_for(keys)).unwrap_or(usize::MAX);
        Filter { blocks: vec![[0; WORDS]; blocks] }
    }

    pub(super) fn insert(&mut self, key: u64) {
        let place = self.place(key);
        if let Some(block) = self.blocks.get_mut(place) {
            block.iter_mut().zip(bits_of(key)).for_each(|(word, bit)| *word |= bit);
        }
    }

    fn place(&self, key: u64) -> usize {
        usize::try_from(((key >> 32) * self.blocks.len() as u64) >> 32).unwrap_or(usize::MAX)
    }

    /// False only for a key that the filter was not made of.
    pub(super) fn may_hold(&self, key: u64) -> bool {
        let Some(block) = self.blocks.get(self.place(key)) else { return false };
        let missing = block.iter().zip(bits_of(key)).fold(0, |missing, (word, bit)| missing | (bit & !word));
        missing == 0
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.blocks.iter().flatten().flat_map(|word| word.to_le_bytes()));
    }

    pub(super) fn decode(bytes: &[u8]) -> Self {
        let words = |block: &[[u8; 4]; WORDS]| block.map(u32::from_le_bytes);
        Filter { blocks: bytes.as_chunks::<4>().0.as_chunks::<WORDS>().0.iter().map(words).collect() }
    }
}

#[cfg(test)]
mod tests {
    use proofline_canon::Blake3Digest;

    use super::*;

    fn key(number: u64) -> u64 {
        let digest = Blake3Digest::of(&number.to_le_bytes());
        u64::from_be_bytes(*digest.as_bytes().first_chunk().unwrap())
    }

    #[test]
    fn every_key_is_held_and_few_others_are() {
        for count in [0, 1, 2, 20, 1000, 65_000] {
            let filter = Filter::of(count, (0..count).map(key));
            assert!((0..count).all(|number| filter.may_hold(key(number))), "{count}");
            let others = (count..count + 20_000).filter(|number| filter.may_hold(key(*number))).count();
            assert!(others < 400, "{others} of 20,000 others pass a filter of {count}");
            let mut bytes = Vec::new();
            filter.encode(&mut bytes);
            assert_eq!(bytes.len() as u64, blocks_for(count) * BLOCK_BYTES);
            assert_eq!(Filter::decode(&bytes), filter);
        }
    }

    /// Worked by hand from the specification: the bit of word `i` is bit `(low * salt[i]) >> 27`.
    #[test]
    fn bits_lie_where_the_specification_puts_them() {
        assert_eq!(bits_of(1), [8, 8, 17, 20, 14, 5, 19, 11].map(|bit: u32| 1 << bit));
        assert_eq!(bits_of(0xffff_ffff_0000_0000), [1; 8]);
        let filter = Filter::of(1, [1 << 32].into_iter());
        assert_eq!(filter.blocks, [[1; 8]]);
    }
}

//! The one loop that every text passes: how far a string goes on without anything special, eight bytes a step.

const STEP: usize = 8;

/// How many bytes stand before the first quote, backslash or control character (below 20 hex), or before the end.
///
/// Those are ASCII, and no byte of a longer UTF-8 sequence is, so the place is a border of characters.
#[must_use]
pub fn plain_len(bytes: &[u8]) -> usize {
    let (steps, rest) = bytes.as_chunks::<STEP>();
    let mut at = 0;
    for step in steps {
        let found = specials(u64::from_le_bytes(*step));
        if found != 0 {
            // The lowest mark is exact; those above it may be wrong, for a borrow passes upwards.
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += STEP;
    }
    at + rest.iter().position(is_special).unwrap_or(rest.len())
}

fn is_special(byte: &u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..=0x1F)
}

/// The top bit of a byte that is special, as far as the lowest such byte.
const fn specials(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xFF;
    const TOPS: u64 = ONES * 0x80;
    let quotes = word ^ (ONES * b'"' as u64);
    let backslashes = word ^ (ONES * b'\\' as u64);
    (below(quotes, ONES) | below(backslashes, ONES) | below(word, ONES * 0x20)) & TOPS
}

/// Marks the bytes of a word that are below those of the limits.
const fn below(word: u64, limits: u64) -> u64 {
    word.wrapping_sub(limits) & !word
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{is_special, plain_len};

    fn one_by_one(bytes: &[u8]) -> usize {
        bytes.iter().position(is_special).unwrap_or(bytes.len())
    }

    #[test]
    fn every_byte_at_every_place_is_found_as_one_by_one() {
        for length in 0..=20_usize {
            for place in 0..length {
                for byte in 0..=u8::MAX {
                    for around in [b'a', b'!', b' ', b'#', b'[', 0x7F, 0x80, 0xA2, 0xDC, 0xFF] {
                        let mut bytes = vec![around; length];
                        bytes[place] = byte;
                        assert_eq!(
                            plain_len(&bytes),
                            one_by_one(&bytes),
                            "{byte:02x} at {place} of {length}"
                        );
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_searched_as_one_by_one(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(plain_len(&bytes), one_by_one(&bytes));
        }
    }
}

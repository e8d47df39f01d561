//! What SHA-256 works on (FIPS 180-4 §4.2.2, §5): its constants, and a message cut into blocks. Whole blocks are lent
//! where they lie; what straddles the prefix, and the padded end, is put together in a few blocks of one's own.

/// The 64 bytes that one compression takes.
pub(crate) type Block = [u8; 64];

/// Bytes of a block.
pub(crate) const BLOCK_BYTES: usize = size_of::<Block>();

/// The state before the first block (§5.3.3).
pub(crate) const START: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The constants of the rounds (§4.2.2), sixteen at a time.
#[rustfmt::skip]
#[cfg(target_arch = "x86_64")]
pub(crate) const ROUND_CONSTANTS: [[u32; 16]; 4] = [
    [
        0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
        0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    ],
    [
        0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
        0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    ],
    [
        0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
        0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    ],
    [
        0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
        0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
    ],
];

/// How many blocks a message may need to be put together at once. Short messages are, which is quicker than to lend
/// them block by block.
pub(crate) const SCRATCH_BLOCKS: usize = 4;

/// Room for blocks that do not lie anywhere as they are hashed.
pub(crate) type Scratch = [Block; SCRATCH_BLOCKS];

/// 0x80 and the length stand behind the bytes (§5.1.1).
const LENGTH_BYTES: usize = 8;
const PADDING_BYTES: usize = 1 + LENGTH_BYTES;

/// The digest as bytes (§6.2.2).
pub(crate) fn digest_of(state: [u32; 8]) -> [u8; 32] {
    let mut digest = [0; 32];
    for (place, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *place = word.to_be_bytes();
    }
    digest
}

/// Blocks of a message that follow each other in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Run<'a> {
    /// They are part of the input or of the prefix.
    Lent(&'a [Block]),
    /// So many at the front of the scratch.
    Made(usize),
}

/// A prefix and an input, as far as they are not hashed yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    prefix: &'a [u8],
    input: &'a [u8],
    /// Of the whole message; the padding says so.
    length_bits: u64,
    is_ended: bool,
}

impl<'a> Message<'a> {
    pub(crate) fn new(prefix: &'a [u8], input: &'a [u8]) -> Self {
        Message { prefix, input, length_bits: bits(bytes(prefix) + bytes(input)), is_ended: false }
    }

    /// What follows `hashed` bytes, a whole number of blocks.
    pub(crate) fn rest(hashed: u64, input: &'a [u8]) -> Self {
        let length_bits = bits(hashed.wrapping_add(bytes(input)));
        Message { prefix: &[], input, length_bits, is_ended: false }
    }

    /// One of which nothing is left.
    #[cfg(target_arch = "x86_64")]
    pub(crate) const fn ended() -> Self {
        Message { prefix: &[], input: &[], length_bits: 0, is_ended: true }
    }

    /// Takes the next blocks; none at the end. Those that are made lie in `scratch`.
    pub(crate) fn next(&mut self, scratch: &mut Scratch) -> Option<Run<'a>> {
        if self.is_ended {
            return None;
        }
        let left = self.prefix.len().saturating_add(self.input.len());
        if left <= SCRATCH_BLOCKS * BLOCK_BYTES - PADDING_BYTES {
            return self.end(scratch);
        }
        if self.prefix.is_empty() {
            let (blocks, rest) = self.input.as_chunks();
            self.input = rest;
            return Some(Run::Lent(blocks));
        }
        let (blocks, rest) = self.prefix.as_chunks();
        self.prefix = rest;
        if blocks.is_empty() { self.straddle(scratch) } else { Some(Run::Lent(blocks)) }
    }

    /// The end of the prefix, which is shorter than a block, and the input's first bytes.
    fn straddle(&mut self, scratch: &mut Scratch) -> Option<Run<'a>> {
        let block = scratch.first_mut()?;
        let (front, back) = block.split_at_mut_checked(self.prefix.len())?;
        let (input, rest) = self.input.split_at_checked(back.len())?;
        front.copy_from_slice(self.prefix);
        back.copy_from_slice(input);
        (self.prefix, self.input) = (&[], rest);
        Some(Run::Made(1))
    }

    /// All that is left, and the padding.
    fn end(&mut self, scratch: &mut Scratch) -> Option<Run<'a>> {
        self.is_ended = true;
        let left = self.prefix.len() + self.input.len();
        let blocks = (left + PADDING_BYTES).div_ceil(BLOCK_BYTES);
        let bytes = scratch.get_mut(..blocks)?.as_flattened_mut();
        let (front, rest) = bytes.split_at_mut_checked(self.prefix.len())?;
        let (middle, rest) = rest.split_at_mut_checked(self.input.len())?;
        let (mark, rest) = rest.split_first_mut()?;
        let (zeros, length) = rest.split_last_chunk_mut::<LENGTH_BYTES>()?;
        front.copy_from_slice(self.prefix);
        middle.copy_from_slice(self.input);
        *mark = 0x80;
        zeros.fill(0);
        *length = self.length_bits.to_be_bytes();
        Some(Run::Made(blocks))
    }
}

fn bytes(part: &[u8]) -> u64 {
    part.len() as u64
}

/// A length over 2^61 bytes, for which SHA-256 is not defined, does not fit in memory.
const fn bits(bytes: u64) -> u64 {
    bytes.wrapping_mul(8)
}

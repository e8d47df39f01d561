//! What a device can hold of writes that no sync covered.

use super::random::Random;

const SECTOR_BYTES: usize = 512;

pub(crate) fn put(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}

/// Applies a write that no sync covered: whole, not at all, its beginning, or some of its sectors.
pub(crate) fn tear(content: &mut Vec<u8>, offset: usize, bytes: &[u8], random: &mut Random) {
    match random.below(4) {
        0 => put(content, offset, bytes),
        1 => {}
        2 => put(content, offset, &bytes[..random.below(bytes.len() + 1)]),
        _ => {
            // The file may be as long as if all were there; what is not there shows as zeros or junk.
            if random.once_in(2) && content.len() < offset + bytes.len() {
                let filler = *random.pick(&[0x00, 0xa5]);
                content.resize(offset.max(content.len()), 0);
                content.resize(offset + bytes.len(), filler);
            }
            let mut at = offset;
            while at < offset + bytes.len() {
                let end = ((at / SECTOR_BYTES + 1) * SECTOR_BYTES).min(offset + bytes.len());
                if random.once_in(2) {
                    put(content, at, &bytes[at - offset..end - offset]);
                }
                at = end;
            }
        }
    }
}

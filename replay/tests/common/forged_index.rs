//! Sealed indexes that say something else than their segment, under checksums that are right.

/// The look-up part of a sealed index, without its checksum, and the tree behind it.
fn parts(whole: &[u8]) -> (&[u8], &[u8]) {
    let number = |at: usize| u32::from_le_bytes(whole[at..at + 4].try_into().unwrap()) as usize;
    let end = 88 + 20 * number(12) + 20 * number(16) + 4 * number(20);
    // Fewer entries than fill a tile: a leaf hash for each, and a checksum.
    assert_eq!(whole.len(), end + 32 + 32 * number(12) + 32);
    (&whole[..end], &whole[end + 32..])
}

/// The index with this look-up part, under the right checksum.
fn sealed_again(part: &[u8], tree: &[u8]) -> Vec<u8> {
    [part, proofline_canon::Blake3Digest::of(part).as_bytes(), tree].concat()
}

/// A sealed index without its last `cut` pairs of trace and ordinal, with the right checksum.
pub fn forged_index(whole: &[u8], cut: usize) -> Vec<u8> {
    let (part, tree) = parts(whole);
    let number = |at: usize| u32::from_le_bytes(part[at..at + 4].try_into().unwrap()) as usize;
    let (traced, to) = (number(16), 88 + 20 * number(12) + 20 * number(16));
    let mut forged = [&part[..to - 20 * cut], &part[to..]].concat();
    forged[16..20].copy_from_slice(&u32::try_from(traced - cut).unwrap().to_le_bytes());
    sealed_again(&forged, tree)
}

/// A sealed index whose entries under hashes were tampered with, with the right checksum.
pub fn forged_hashes(whole: &[u8], forge: impl FnOnce(&mut Vec<[u8; 16]>)) -> Vec<u8> {
    let (part, tree) = parts(whole);
    let count = u32::from_le_bytes(part[12..16].try_into().unwrap()) as usize;
    let from = 88 + 4 * count;
    let entries = part[from..from + 16 * count].chunks_exact(16);
    let mut entries: Vec<[u8; 16]> = entries.map(|entry| entry.try_into().unwrap()).collect();
    forge(&mut entries);
    assert_eq!(entries.len(), count);
    let mut forged = part.to_vec();
    forged[from..from + 16 * count].copy_from_slice(&entries.concat());
    sealed_again(&forged, tree)
}

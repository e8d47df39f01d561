//! Sealed indexes that say something else than their segment, under checksums that are right.
//! Of at most 64 entries, so that each filter and each list of signposts is short.

/// Where the parts of a sealed index begin that forgeries change, as `docs/format.md` draws them.
struct Parts {
    count: usize,
    traced: usize,
    offsets: usize,
    hashes: usize,
    ordinals: usize,
    system: usize,
    digest: usize,
}

fn number(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

fn parts(whole: &[u8]) -> Parts {
    let [count, traced, system, traces] = [12, 16, 20, 88].map(|at| number(whole, at));
    let resident = |keys: usize, bytes: usize| 32 * (64 * keys).div_ceil(1365) + bytes * keys.div_ceil(64);
    let offsets = 96 + resident(count, 8) + resident(traces, 16);
    let hashes = offsets + 4 * count;
    let ordinals = hashes + 16 * count + 20 * traces;
    let (system, digest) = (ordinals + 4 * traced, ordinals + 4 * traced + 4 * system);
    // Fewer entries than fill a tile: a leaf hash for each, and a checksum.
    assert_eq!(whole.len(), digest + 32 + 32 * count + 32);
    Parts { count, traced, offsets, hashes, ordinals, system, digest }
}

/// The index with this look-up part, under the right checksum.
fn sealed_again(part: &[u8], tree: &[u8]) -> Vec<u8> {
    [part, proofline_canon::Blake3Digest::of(part).as_bytes(), tree].concat()
}

/// A sealed index without the last `cut` entries of its traces, with the right checksum.
pub fn forged_index(whole: &[u8], cut: usize) -> Vec<u8> {
    let Parts { traced, ordinals, digest, .. } = parts(whole);
    let to = ordinals + 4 * traced;
    let mut forged = [&whole[..to - 4 * cut], &whole[to..digest]].concat();
    forged[16..20].copy_from_slice(&u32::try_from(traced - cut).unwrap().to_le_bytes());
    sealed_again(&forged, &whole[digest + 32..])
}

/// A sealed index that says of other entries that they are system entries, with the right checksum.
pub fn forged_system(whole: &[u8], forge: impl FnOnce(&mut [[u8; 4]])) -> Vec<u8> {
    let Parts { system, digest, .. } = parts(whole);
    let mut forged = whole[..digest].to_vec();
    forge(forged[system..].as_chunks_mut::<4>().0);
    sealed_again(&forged, &whole[digest + 32..])
}

/// A sealed index whose entries under hashes were tampered with, with the right checksum. Each is shown as
/// the first eight bytes of the hash, the ordinal (4), the kind (1) and three zeros.
pub fn forged_hashes(whole: &[u8], forge: impl FnOnce(&mut Vec<[u8; 16]>)) -> Vec<u8> {
    let Parts { count, offsets, hashes, digest, .. } = parts(whole);
    let stored = whole[hashes..hashes + 16 * count].chunks_exact(16);
    let mut entries: Vec<[u8; 16]> = stored
        .map(|entry| {
            let place = number(entry, 8);
            let mut shown = [0; 16];
            shown[..8].copy_from_slice(&entry[..8]);
            shown[8..12].copy_from_slice(&u32::try_from(place % (1 << 26)).unwrap().to_le_bytes());
            shown[12] = u8::try_from(place >> 26).unwrap();
            shown
        })
        .collect();
    forge(&mut entries);
    assert_eq!(entries.len(), count);
    let mut forged = whole[..digest].to_vec();
    for (at, shown) in entries.iter().enumerate() {
        let ordinal = number(shown, 8);
        let place = u32::try_from(ordinal).unwrap() + (u32::from(shown[12]) << 26);
        let offset_at = offsets + 4 * ordinal.min(count - 1);
        let offset = &whole[offset_at..offset_at + 4];
        let stored = [&shown[..8], &place.to_le_bytes(), offset].concat();
        forged[hashes + 16 * at..hashes + 16 * (at + 1)].copy_from_slice(&stored);
    }
    sealed_again(&forged, &whole[digest + 32..])
}

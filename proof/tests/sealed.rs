//! Sealed payloads: what holds of any content and any key, and that nothing of a payload can be changed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::io::{self, Cursor, Read};

use proofline_canon::Sha256Digest;
use proofline_proof::sealed::{
    Content, HEADER_BYTES, OpenError, SealError, SealedHeader, Sealer, SubjectKey, open, open_bytes,
    seal_bytes, sealed_size_bytes,
};
use proptest::prelude::*;
use zeroize::Zeroizing;

const CHUNK_BYTES: usize = 65_536;
const TAG_BYTES: usize = 16;

fn key(number: u8) -> SubjectKey {
    SubjectKey::from_bytes(&Zeroizing::new([number; 32]))
}

/// Bytes of which no two chunks are alike.
fn content(size: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

/// Sizes around the edges of chunks, and others.
fn sizes() -> impl Strategy<Value = usize> {
    let edges = (0..3_usize, -2..3_isize)
        .prop_map(|(chunks, off)| (chunks * CHUNK_BYTES).saturating_sub(32).saturating_add_signed(off));
    prop_oneof![0..200_usize, edges, 0..3 * CHUNK_BYTES]
}

/// Gives no more than a few bytes at a time, and is interrupted in between.
struct Dripping<R> {
    inner: R,
    most: usize,
    calls: usize,
}

impl<R: Read> Read for Dripping<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.calls += 1;
        if self.calls.is_multiple_of(7) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let most = self.most.min(buffer.len());
        self.inner.read(&mut buffer[..most])
    }
}

proptest! {
    #[test]
    fn what_is_sealed_opens_to_the_same(master: [u8; 32], size in sizes(), salt: u8, most in 1..5000_usize) {
        let key = SubjectKey::from_bytes(&Zeroizing::new(master));
        let content: Vec<u8> = content(size).into_iter().map(|byte| byte ^ salt).collect();
        let sealed = seal_bytes(&key, &content);
        prop_assert_eq!(sealed.len() as u64, sealed_size_bytes(size as u64).unwrap());
        prop_assert_eq!(&*open_bytes(&key, &sealed).unwrap(), &content);

        // In small pieces it is the same.
        let measured = Content::measure(&mut Dripping { inner: content.as_slice(), most, calls: 0 }).unwrap();
        prop_assert_eq!(measured, Content { sha256: Sha256Digest::of(&content), size_bytes: size as u64 });
        let source = Dripping { inner: content.as_slice(), most, calls: 0 };
        let mut streamed = Vec::new();
        Sealer::new(&key, &measured, source).unwrap().read_to_end(&mut streamed).unwrap();
        prop_assert!(streamed == sealed);
        let mut opened = Vec::new();
        let mut source = Dripping { inner: sealed.as_slice(), most, calls: 0 };
        prop_assert_eq!(open(&key, &mut source, &mut opened).unwrap(), measured);
        prop_assert!(opened == content);
    }

    #[test]
    fn other_content_and_other_keys_give_other_bytes(size in 0..200_usize, at: prop::sample::Index) {
        let (one, two) = (content(size), content(size + 1));
        let sealed = seal_bytes(&key(1), &one);
        let other = seal_bytes(&key(2), &one);
        prop_assert!(SealedHeader::parse(&sealed).unwrap().key_id() == key(1).id());
        prop_assert!(SealedHeader::parse(&other).unwrap().key_id() == key(2).id());
        // Nonce and chunks share nothing either: 19 random bytes are never equal.
        prop_assert_ne!(&sealed[44..63], &other[44..63]);
        prop_assert_ne!(&sealed[64..], &other[64..]);
        prop_assert_ne!(&sealed[44..63], &seal_bytes(&key(1), &two)[44..63]);
        let mut changed = two.clone();
        changed[at.index(size + 1)] ^= 1;
        prop_assert_ne!(&seal_bytes(&key(1), &changed)[44..63], &seal_bytes(&key(1), &two)[44..63]);
    }

    #[test]
    fn arbitrary_bytes_are_not_opened(mut bytes: Vec<u8>, with_header: bool) {
        if with_header {
            let sealed = seal_bytes(&key(1), b"Ines Moreau");
            bytes.splice(0..0, sealed[..HEADER_BYTES].iter().copied());
        }
        prop_assert!(open_bytes(&key(1), &bytes).is_err());
    }
}

#[test]
fn every_bit_of_a_payload_counts() {
    let sealed = seal_bytes(&key(1), b"Ines Moreau");
    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut changed = sealed.clone();
            changed[at] ^= 1 << bit;
            let code = open_bytes(&key(1), &changed).unwrap_err().code();
            let wanted = match at {
                0..8 => "sealed.not_sealed",
                8..12 => "sealed.version",
                12..44 => "sealed.wrong_key",
                63 => "sealed.header",
                _ => "sealed.damaged",
            };
            assert_eq!(code, wanted, "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn a_payload_has_one_length() {
    let sealed = seal_bytes(&key(1), b"Ines Moreau");
    for size in 0..sealed.len() {
        let code = open_bytes(&key(1), &sealed[..size]).unwrap_err().code();
        assert_eq!(code, if size < HEADER_BYTES { "sealed.not_sealed" } else { "sealed.damaged" }, "{size}");
    }
    for more in [1, TAG_BYTES, CHUNK_BYTES, 2 * CHUNK_BYTES] {
        let longer = [sealed.clone(), vec![0; more]].concat();
        assert!(matches!(open_bytes(&key(1), &longer), Err(OpenError::Damaged { chunk: 0 })), "{more}");
    }
}

/// Every way to leave out, double or swap whole chunks, and to cut between them.
#[test]
fn chunks_stay_where_they_are() {
    let whole = seal_bytes(&key(1), &content(3 * CHUNK_BYTES));
    let (header, chunks) = whole.split_at(HEADER_BYTES);
    let chunks: Vec<&[u8]> = chunks.chunks(CHUNK_BYTES + TAG_BYTES).collect();
    assert_eq!(chunks.len(), 4);
    let mut orders = Vec::new();
    for length in 0..=5_u32 {
        for number in 0..4_usize.pow(length) {
            orders.push((0..length).map(|place| number / 4_usize.pow(place) % 4).collect::<Vec<_>>());
        }
    }
    for order in orders {
        let mut bytes = header.to_vec();
        order.iter().for_each(|at| bytes.extend_from_slice(chunks[*at]));
        let opened = open_bytes(&key(1), &bytes);
        assert_eq!(opened.is_ok(), order == [0, 1, 2, 3], "{order:?}");
    }
    // Another payload's chunk of the same number does not fit either.
    let mut other = content(3 * CHUNK_BYTES);
    other[0] ^= 1;
    let other = seal_bytes(&key(1), &other);
    let start = HEADER_BYTES + CHUNK_BYTES + TAG_BYTES;
    let mixed = [&whole[..start], &other[start..]].concat();
    assert!(matches!(open_bytes(&key(1), &mixed), Err(OpenError::Damaged { chunk: 1 })));
}

/// Nothing is decrypted, so nothing is written, and what follows the header is not even read.
#[test]
fn another_key_is_refused_before_anything_is_decrypted() {
    let mut sealed = Cursor::new(seal_bytes(&key(1), &content(1000)));
    let mut opened = Vec::new();
    let error = open(&key(2), &mut sealed, &mut opened).unwrap_err();
    let OpenError::WrongKey { sealed_under, at_hand } = error else { panic!("{error}") };
    assert_eq!((sealed_under, at_hand), (key(1).id(), key(2).id()));
    assert_eq!((opened.len(), sealed.position()), (0, HEADER_BYTES as u64));
}

#[test]
fn content_that_changes_while_it_is_sealed_is_not_sealed() {
    let size = 2 * CHUNK_BYTES;
    let before = content(size);
    let measured = Content::measure(&mut before.as_slice()).unwrap();
    let mut changed = before.clone();
    changed[5] ^= 1;
    let longer = [before.clone(), vec![0]].concat();
    for other in [&changed[..], &longer, &before[..size - 1], &before[..10], &[]] {
        let mut sealer = Sealer::new(&key(1), &measured, other).unwrap();
        let mut sealed = Vec::new();
        let error = sealer.read_to_end(&mut sealed).unwrap_err();
        let error = error.get_ref().and_then(|error| error.downcast_ref::<SealError>());
        assert_eq!(error, Some(&SealError::Changed));
        assert!(open_bytes(&key(1), &sealed).is_err(), "what was read before is no sealed payload");
        assert_eq!(sealer.read(&mut [0; 8]).unwrap(), 0, "nothing comes behind an error");
    }
}

#[test]
fn more_than_the_counter_counts_is_refused_at_once() {
    let most = (1_u64 << 48) - 32;
    let of = |size_bytes| Content { sha256: Sha256Digest::of(b""), size_bytes };
    assert!(Sealer::new(&key(1), &of(most), io::empty()).is_ok());
    assert_eq!(Sealer::new(&key(1), &of(most + 1), io::empty()).err(), Some(SealError::TooLong));
    assert_eq!(sealed_size_bytes(u64::MAX), Err(SealError::TooLong));
}

#[test]
fn a_key_shows_its_public_name_alone() {
    let key = key(0xab);
    assert_eq!(format!("{key:?}"), format!("SubjectKey({})", key.id()));
    assert_eq!(*SubjectKey::from_bytes(&key.to_bytes()).to_bytes(), [0xab; 32]);
}

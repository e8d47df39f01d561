//! Paths and bundles of C2SP tlog-tiles: its own examples, and every refusal that it names.

use std::num::NonZeroU8;

use proofline_proof::files::tiles::{
    MAX_BUNDLE_BYTES, MAX_ENTRY_BYTES, TileError, TileKind, TilePath, check_bundle, decode_bundle,
    decode_tile, encode_bundle, encode_tile,
};
use proofline_proof::{LeafHash, NodeHash};
use proptest::prelude::*;

use crate::common::{bytes, h2, h3, h4};

fn path(level: u8, index: u64, partial: u8) -> TilePath {
    TilePath { kind: TileKind::Hashes(level), index, partial: NonZeroU8::new(partial) }
}

#[test]
fn paths_are_those_of_the_text() {
    for (index, text) in [
        (0, "000"),
        (999, "999"),
        (1000, "x001/000"),
        (1_234_067, "x001/x234/067"),
        (123_456_789, "x123/x456/789"),
        ((1 << 56) - 1, "x072/x057/x594/x037/x927/935"),
        (1_000_000, "x001/x000/000"),
    ] {
        for (level, partial) in [(0, 0), (7, 1), (63, 255)] {
            let name = match partial {
                0 => format!("tile/{level}/{text}"),
                width => format!("tile/{level}/{text}.p/{width}"),
            };
            assert_eq!(path(level, index, partial).to_string(), name);
            assert_eq!(name.parse(), Ok(path(level, index, partial)));
        }
    }
    let entries = TilePath { kind: TileKind::Entries, index: 67, partial: NonZeroU8::new(8) };
    assert_eq!(entries.to_string(), "tile/entries/067.p/8");
    assert_eq!("tile/entries/067.p/8".parse(), Ok(entries));
    assert_eq!((entries.hashes(), path(0, 0, 0).hashes()), (8, 256));
}

#[test]
fn other_spellings_of_a_path_are_refused() {
    for text in [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/1000",
        "tile/0/x000",
        "tile/0/x000/001",
        "tile/0/x000/x001/000",
        "tile/0/001/000",
        "tile/0/x001/x000",
        "tile/0/x1/000",
        "tile/0/x001//000",
        "tile/0/x001/000/",
        "tile/0//000",
        "tile/0/+01",
        "tile/0/x+01/000",
        "tile/0/00a",
        "tile/0/X001/000",
        "tile/00/000",
        "tile/01/000",
        "tile/64/000",
        "tile/256/000",
        "tile/-1/000",
        "tile//000",
        "tile/entry/000",
        "tile/entries",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/1/",
        "tile/0/000.p/1.p/1",
        "tile/0/000.p/+1",
        "tile/0/x001.p/1/000",
        "tile/0/000.q/1",
        "/tile/0/000",
        "tile/0/000 ",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
    ] {
        assert_eq!(text.parse::<TilePath>(), Err(TileError::Path), "{text:?}");
    }
    // 2^64 - 1, the largest that is no overflow.
    let most = "tile/0/x018/x446/x744/x073/x709/x551/615".parse::<TilePath>().unwrap();
    assert_eq!(most.index, u64::MAX);
}

#[test]
fn bundles_are_those_of_the_text() {
    let bundle = bytes("00036f6e65 000374776f");
    assert_eq!(encode_bundle(&["one", "two"]).unwrap(), bundle);
    assert_eq!(decode_bundle(&bundle, 2).unwrap(), [b"one", b"two"]);
    let empty = encode_bundle(&[""; 256]).unwrap();
    assert_eq!(empty, [0; 512]);
    assert_eq!(decode_bundle(&empty, 256).unwrap(), [b""; 256]);
    let long = vec![7; MAX_ENTRY_BYTES];
    let full = encode_bundle(&vec![&long; 256]).unwrap();
    assert_eq!(full.len(), 16_777_472);
    assert_eq!(MAX_BUNDLE_BYTES, full.len());
    assert_eq!(decode_bundle(&full, 256).unwrap().len(), 256);
}

#[test]
fn broken_bundles_are_refused() {
    let bundle = bytes("00036f6e65 000374776f");
    let count = |expected, found| Err(TileError::EntryCount { expected, found });
    assert_eq!(decode_bundle(&bundle, 3), count(3, 2));
    assert_eq!(decode_bundle(&bundle, 256), count(256, 2));
    assert_eq!(decode_bundle(&bundle, 1), count(1, 2));
    assert_eq!(decode_bundle(&[], 1), count(1, 0));
    assert_eq!(decode_bundle(&bundle[..9], 2), Err(TileError::Truncated(1)));
    assert_eq!(decode_bundle(&bundle[..6], 2), Err(TileError::Truncated(1)), "one dangling byte");
    assert_eq!(decode_bundle(&[0xff, 0xff, 1], 1), Err(TileError::Truncated(0)));
    assert_eq!(encode_bundle::<&str>(&[]), Err(TileError::EntryCount { expected: 256, found: 0 }));
    assert_eq!(encode_bundle(&[""; 257]), Err(TileError::EntryCount { expected: 256, found: 257 }));
    assert_eq!(encode_bundle(&[vec![0; 65_536]]), Err(TileError::EntryTooLong(65_536)));
    // The leaves "2", "3", "4" are known answers.
    let tile = [h2(), h3(), h4()];
    assert_eq!(check_bundle(&[b"2", b"3", b"4"], &tile), Ok(()));
    assert_eq!(check_bundle(&[b"2", b"4", b"4"], &tile), Err(TileError::Leaf(1)));
    assert_eq!(check_bundle(&[b"2", b"3"], &tile), Err(TileError::EntryCount { expected: 3, found: 2 }));
}

#[test]
fn tiles_have_the_length_of_their_width() {
    let tile = encode_tile(&[h2(), h3()]);
    assert_eq!(tile.len(), 64);
    assert_eq!(decode_tile(&tile, 2), Ok(vec![h2(), h3()]));
    let length = |expected, found| Err(TileError::TileLength { expected, found });
    assert_eq!(decode_tile(&tile, 3), length(96, 64));
    assert_eq!(decode_tile(&tile[1..], 2), length(64, 63));
    assert_eq!(decode_tile(&[0; 8193], 256), length(8192, 8193));
}

proptest! {
    #[test]
    fn written_paths_are_read(level in 0..64_u8, index: u64, partial: u8, entries: bool) {
        let mut written = path(level, index, partial);
        if entries {
            written.kind = TileKind::Entries;
        }
        prop_assert_eq!(written.to_string().parse(), Ok(written));
    }

    #[test]
    fn what_is_read_as_a_path_is_its_one_spelling(text in "tile/(entries|[0-9]{1,2})/(x[0-9]{3}/){0,7}[0-9]{3}(.p/[0-9]{1,3})?") {
        if let Ok(path) = text.parse::<TilePath>() {
            prop_assert_eq!(path.to_string(), text);
        }
    }

    #[test]
    fn written_bundles_are_read(entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..=256)) {
        let bundle = encode_bundle(&entries).unwrap();
        let read = decode_bundle(&bundle, entries.len()).unwrap();
        prop_assert_eq!(&read, &entries);
        let tile: Vec<NodeHash> = entries.iter().map(|entry| LeafHash::of_header(entry).into()).collect();
        prop_assert_eq!(check_bundle(&read, &tile), Ok(()));
    }

    #[test]
    fn any_bytes_are_one_bundle_or_none(bundle in prop::collection::vec(0..4_u8, 0..64), width in 1..40_usize) {
        if let Ok(entries) = decode_bundle(&bundle, width) {
            prop_assert_eq!(encode_bundle(&entries), Ok(bundle.clone()));
        }
    }
}

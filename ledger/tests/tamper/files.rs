//! Segment files: removed, renamed, swapped, from another ledger, from beyond the end.

use std::path::Path;
use std::sync::Arc;

use proofline_ledger::{Damage, Seq, salvage_on};

use crate::common::raw;
use crate::common::recovered::dir;
use crate::original::{Original, assert_damaged, forged, other_ledger, relative, report};

#[test]
fn removed_renamed_swapped_and_foreign_segments_are_reported() {
    let original = Original::new(1..6);
    let other = other_ledger();
    let fork = Original::new(40..45);
    let count = original.segments.len();
    assert!(count >= 4 && other.segments.len() >= 2, "{count} segments");
    for (at, path) in original.segments.iter().enumerate() {
        let (file, first) = (relative(path), original.frames(path)[0].seq);
        let is_here =
            |damage: &Damage| damage.file == file || damage.seq.is_some_and(|seq| seq.get() >= first);
        let index = path.with_extension("idx");
        for index_too in [false, true] {
            for mark_too in [false, true] {
                let disk = original.with(path, None);
                if index_too {
                    disk.meddle(&index, None);
                }
                if mark_too {
                    disk.meddle(&dir().join("published"), None);
                }
                if mark_too && index_too && at == count - 1 {
                    // The segment before is sealed: that is the mark that is left.
                    assert!(report(&disk).damage.iter().any(|it| it.code == "log.missing_segment"));
                }
                assert_damaged(&original, &disk, &format!("{file} removed"), is_here);
                if count > 1 {
                    let saved = salvage_on(Arc::new(disk), dir(), Path::new("/data/saved")).unwrap();
                    let held = original.entries.len() - original.frames(path).len();
                    assert_eq!(saved.entries, held as u64, "{file} removed");
                }
            }
        }
        for (with, other_path) in original.segments.iter().enumerate() {
            if with > at {
                let disk = original.with(path, Some(original.bytes(other_path)));
                disk.meddle(other_path, Some(original.bytes(path)));
                assert_damaged(&original, &disk, &format!("{file} swapped with segment {with}"), is_here);
            }
            if with != at {
                let disk = original.with(path, Some(original.bytes(other_path)));
                assert_damaged(&original, &disk, &format!("{file} replaced by segment {with}"), is_here);
            }
        }
        let renamed = path.with_file_name(format!("{:020}.seg", first + 1));
        let disk = original.with(path, None);
        disk.meddle(&renamed, Some(original.bytes(path)));
        assert_damaged(&original, &disk, &format!("{file} renamed"), |damage| {
            damage.file == relative(&renamed) || is_here(damage)
        });
        let added = path.with_file_name(format!("{:020}.seg", 1000 + first));
        let disk = original.with(&added, Some(original.bytes(path)));
        assert_damaged(&original, &disk, &format!("{file} added again at the end"), |damage| {
            damage.file == relative(&added)
        });
        for (whose, stranger) in [("another ledger", &other), ("a fork", &fork)] {
            for stranger_path in &stranger.segments {
                let disk = original.with(path, Some(stranger.bytes(stranger_path)));
                let is_all = stranger_path == path && at == 0;
                assert_damaged(&original, &disk, &format!("{file} from {whose}"), |damage| {
                    // The first segment says whose the others are: then they are the strangers.
                    is_all || is_here(damage)
                });
            }
        }
        for junk in [vec![], vec![0; 79], vec![0; 5000], b"PROOFSEG".to_vec()] {
            let disk = original.with(path, Some(junk));
            assert_damaged(&original, &disk, &format!("{file} replaced by junk"), is_here);
        }
    }
}

/// A segment file with right checksums that says it begins where no segment can.
#[test]
fn a_segment_from_beyond_the_end_is_reported() {
    let original = Original::new(1..3);
    for first_seq in [20, 1 << 20, 1 << 40, 1 << 63, u64::MAX] {
        for seq in [first_seq, first_seq - 1, 0, 7] {
            for mark_too in [false, true] {
                let mut bytes = b"PROOFSEG\x01\0\0\0\0\0\0\0".to_vec();
                bytes.extend_from_slice(&[7; 16]);
                bytes.extend_from_slice(&first_seq.to_le_bytes());
                bytes.extend_from_slice(&[9; 32]);
                bytes.extend_from_slice(&[0; 4]);
                bytes.extend_from_slice(&raw::crc32c(&bytes).to_le_bytes());
                bytes.extend_from_slice(&forged(seq, [9; 32]));
                let path = dir().join("log").join(format!("{first_seq:020}.seg"));
                let disk = original.with(&path, Some(bytes));
                if mark_too {
                    disk.meddle(&dir().join("published"), None);
                }
                let what = format!("a segment at {first_seq} with a frame of {seq}");
                assert_damaged(&original, &disk, &what, |damage| {
                    damage.file == relative(&path)
                        || damage.seq == Some(Seq::new(original.entries.len() as u64))
                });
            }
        }
    }
}

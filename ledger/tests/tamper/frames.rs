//! Frames of the log: removed, swapped, repeated, inserted, linked elsewhere, left behind the end.

use std::path::Path;

use proofline_ledger::Seq;

use crate::common::raw;
use crate::common::recovered::{dir, open};
use crate::common::{NOW_MS, bare, chain};
use crate::original::{
    Original, answers, assert_careful_without_mark, assert_damaged, forged, frame_bytes, other_ledger,
    relative, report,
};

/// A segment file put together from frames.
fn assemble(original: &Original, path: &Path, frames: &[Vec<u8>]) -> Vec<u8> {
    [&original.bytes(path)[..80], &frames.concat()].concat()
}

/// Every frame of every ledger that a test can get hold of.
fn strangers(original: &Original) -> Vec<Vec<u8>> {
    let mut frames: Vec<Vec<u8>> = Vec::new();
    for other in [original, &Original::new(40..42), &other_ledger()] {
        frames.extend(other.segments.iter().flat_map(|path| frame_bytes(other, path)));
    }
    frames.push(forged(u64::MAX, [9; 32]));
    frames.push(forged(1 << 40, [9; 32]));
    frames.push(forged(0, [9; 32]));
    frames
}

#[test]
fn every_removed_swapped_repeated_or_inserted_frame_is_reported() {
    let original = Original::new(1..4);
    let strangers = strangers(&original);
    let mut cases = 0;
    for path in &original.segments {
        let file = relative(path);
        let frames = frame_bytes(&original, path);
        let seqs: Vec<u64> = original.frames(path).iter().map(|frame| frame.seq).collect();
        let mut check = |frames: &[Vec<u8>], seq: u64, what: String| {
            let disk = original.with(path, Some(assemble(&original, path, frames)));
            let what = format!("{what} in {file}");
            assert_damaged(&original, &disk, &what, |damage| {
                // The place: the first entry that is not as it was, or what stands there instead.
                damage.file == file || damage.seq == Some(Seq::new(seq))
            });
            assert_careful_without_mark(&original, &disk, &what);
            cases += 1;
        };
        for at in 0..frames.len() {
            let mut removed = frames.clone();
            removed.remove(at);
            check(&removed, seqs[at], format!("entry {} removed", seqs[at]));
            for with in at + 1..frames.len() {
                let mut swapped = frames.clone();
                swapped.swap(at, with);
                check(&swapped, seqs[at], format!("entries {} and {} swapped", seqs[at], seqs[with]));
            }
        }
        for at in 0..=frames.len() {
            // Behind the last frame lies what a writer that died may have left: judged below.
            if at == frames.len() && Some(path) == original.segments.last() {
                continue;
            }
            let seq = seqs.get(at).copied().unwrap_or_else(|| seqs[at - 1] + 1);
            for (number, stranger) in strangers.iter().enumerate() {
                let mut inserted = frames.clone();
                inserted.insert(at, stranger.clone());
                check(&inserted, seq, format!("stranger {number} before entry {seq}"));
            }
        }
    }
    println!("{cases} cases of frames");
    assert!(cases > 300, "{cases} cases");
}

/// Each entry's link turned to another leaf, the checksum made right: the link itself is named.
#[test]
fn a_link_to_another_leaf_is_reported_as_such() {
    let original = Original::new(1..3);
    for path in &original.segments {
        for (frame, entry) in frame_bytes(&original, path).iter().zip(original.frames(path)) {
            let Some(leaf) = entry.previous_leaf else { continue };
            let header_end = 6 + usize::from(u16::from_le_bytes([frame[0], frame[1]]));
            let mut header = frame[6..header_end].to_vec();
            let at = header.windows(32).position(|window| window == leaf).unwrap();
            header[at] ^= 0x55;
            let mut bytes = original.bytes(path);
            let forged = raw::frame(&header, &entry.body);
            bytes[entry.offset..entry.offset + frame.len()].copy_from_slice(&forged);
            let disk = original.with(path, Some(bytes));
            assert_damaged(&original, &disk, &format!("the link of entry {}", entry.seq), |damage| {
                damage.code == "log.link"
                    && damage.seq == Some(Seq::new(entry.seq))
                    && damage.offset == Some(entry.offset as u64)
            });
        }
    }
}

/// Behind the published end: bytes that are no frame, or no entry of this log, are damage to
/// `verify`; for a writer they are a torn tail, which is kept aside and reported.
#[test]
fn what_stands_behind_the_published_end_is_named_and_never_taken_for_an_entry() {
    let original = Original::new(1..3);
    let last = original.segments.last().unwrap();
    let whole = original.bytes(last);
    let next = original.entries.len() as u64;
    let mut tails = strangers(&original);
    tails.extend([vec![0], vec![0; 600], vec![0xff; 100], whole[80..130].to_vec()]);
    for (number, tail) in tails.iter().enumerate() {
        let disk = original.with(last, Some([&whole[..], tail].concat()));
        let found = report(&disk);
        assert!(
            found.damage.iter().any(|it| it.file == relative(last) && it.offset == Some(whole.len() as u64)),
            "tail {number}: {:?}",
            found.damage
        );
        assert_eq!(answers(&disk, &original.entries), original.answers, "tail {number}");
        assert_careful_without_mark(&original, &disk, &format!("tail {number}"));
        let ledger = open(&disk).unwrap();
        assert_eq!(ledger.entries(), next);
        let recovery = ledger.recovery();
        assert_eq!(raw::read_file(&disk, &dir().join(&recovery.torn[0].kept_as)), *tail);
        assert!(report(&disk).is_sound());
        assert_eq!(raw::read_log(&disk, dir()).0, original.entries);
    }
    // A whole next entry is what a writer leaves that died before it published.
    let published = original.bytes(&dir().join("published"));
    let disk = original.disk.copy();
    open(&disk).unwrap().commit_action(&bare(&chain(9, 0)[0]), NOW_MS).unwrap();
    disk.meddle(&dir().join("published"), Some(published));
    let found = report(&disk);
    assert_eq!((found.unpublished_entries, found.damage, found.entries), (1, vec![], next + 1));
    assert_eq!(answers(&disk, &original.entries).bodies, original.answers.bodies);
    assert_eq!(open(&disk).unwrap().recovery().recovered_entries, 1);
}

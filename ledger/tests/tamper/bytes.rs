//! Bytes of the log: changed, cut off, changed with their checksums made right.

use proofline_ledger::{LogEnd, Seq, Snapshot};

use crate::common::random::full_effort;
use crate::common::raw;
use crate::common::recovered::{dir, open};
use crate::original::{
    Original, assert_damaged, assert_no_false_pass, assert_one_entry_lost, assert_writers_are_careful,
    frame_bytes, other_values, relative, report,
};

#[test]
fn every_changed_byte_of_the_log_is_reported_where_it_is() {
    let original = Original::new(1..3);
    let mut changes = 0;
    for path in &original.segments {
        let (whole, file) = (original.bytes(path), relative(path));
        let is_last = Some(path) == original.segments.last();
        for at in 0..whole.len() {
            let frame = original.frames(path).into_iter().rfind(|frame| frame.offset <= at);
            let start = frame.map_or(0, |frame| frame.offset as u64);
            for value in other_values(whole[at], at) {
                let mut bytes = whole.clone();
                bytes[at] = value;
                let disk = original.with(path, Some(bytes));
                let what = format!("byte {at} of {file} made {value}");
                assert_damaged(&original, &disk, &what, |damage| {
                    let here = damage.file == file && (start..=at as u64).contains(&damage.offset.unwrap());
                    here && (frame.is_none() || damage.seq == Some(Seq::new(frame.unwrap().seq)))
                });
                if let Some(frame) = frame.filter(|_| value == whole[at] ^ 1) {
                    assert_one_entry_lost(&original, &disk, frame.seq, &what);
                }
                if is_last {
                    assert_eq!(open(&disk).unwrap_err().code(), "ledger.damaged", "{what}");
                }
                changes += 1;
            }
        }
    }
    println!("{changes} changed bytes");
    assert!(original.segments.len() >= 2 && changes > 10_000);
}

#[test]
fn every_truncation_is_reported() {
    let original = Original::new(1..3);
    for path in &original.segments {
        let (whole, file) = (original.bytes(path), relative(path));
        let frames = original.frames(path);
        for length in 0..whole.len() {
            let first_lost =
                frames.iter().find(|frame| frame.offset + frame.frame_bytes > length).unwrap().seq;
            let disk = original.with(path, Some(whole[..length].to_vec()));
            assert_damaged(&original, &disk, &format!("{file} cut to {length}"), |damage| {
                damage.file == file || damage.seq == Some(Seq::new(first_lost))
            });
        }
    }
}

/// Without the mark nothing says how long the log was: a cut between frames of the last segment
/// is not damage, and the report says on what it rests.
#[test]
fn a_cut_between_frames_without_the_mark_is_not_anchored() {
    let original = Original::new(1..3);
    let mark = dir().join("published");
    let last = original.segments.last().unwrap();
    let whole = original.bytes(last);
    let frames = original.frames(last);
    assert!(frames.len() >= 2);
    for length in 0..=whole.len() {
        let disk = original.with(last, Some(whole[..length].to_vec()));
        disk.meddle(&mark, None);
        let found = report(&disk);
        let is_between =
            length == 80 || frames.iter().any(|frame| frame.offset + frame.frame_bytes == length);
        assert_eq!(found.damage.is_empty(), is_between, "cut to {length}: {:?}", found.damage);
        assert_eq!(found.end, LogEnd::NotAnchored);
        assert_eq!(found.derived[0].code, "mark.damaged");
        if is_between {
            let snapshot = Snapshot::open_on(&disk, dir()).unwrap();
            assert_eq!(snapshot.end(), LogEnd::NotAnchored);
            let kept = original.entries.len() - frames.iter().filter(|frame| frame.offset >= length).count();
            assert_eq!(snapshot.entries(), kept as u64);
        }
        assert_no_false_pass(&original, &disk, &format!("cut to {length}"));
        assert_writers_are_careful(&disk, &format!("cut to {length}"));
    }
    // A sealed segment is as good as a mark: what followed it is missed.
    let disk = original.with(last, None);
    disk.meddle(&mark, None);
    assert_damaged(&original, &disk, "the last segment and the mark gone", |damage| {
        damage.code == "log.missing_segment" && damage.file == relative(last)
    });
}

/// Whoever knows the format makes the checksums right again. Then the links tell, the hash that a
/// header names, or, for the last entry, the mark.
#[test]
fn every_byte_changed_with_its_checksum_made_right_is_reported() {
    let original = Original::new(1..3);
    let mut cases = 0;
    for path in &original.segments {
        let (whole, file, frames) = (original.bytes(path), relative(path), frame_bytes(&original, path));
        for (frame, entry) in frames.iter().zip(original.frames(path)) {
            let header_bytes = usize::from(u16::from_le_bytes([frame[0], frame[1]]));
            let (header_end, body_at) = (6 + header_bytes, 10 + header_bytes);
            let body_end = frame.len() - 4;
            let places =
                (6..header_end).chain((body_at..body_end).step_by(if full_effort() { 1 } else { 7 }));
            for at in places {
                let mut changed = frame.clone();
                changed[at] ^= 1;
                let forged = raw::frame(&changed[6..header_end], &changed[body_at..body_end]);
                let mut bytes = whole.clone();
                bytes[entry.offset..entry.offset + frame.len()].copy_from_slice(&forged);
                let disk = original.with(path, Some(bytes));
                let what = format!("byte {at} of entry {} in {file}", entry.seq);
                assert_damaged(&original, &disk, &what, |damage| {
                    // The link to a changed header is in the entry behind it.
                    let behind = Some(Seq::new(entry.seq + 1));
                    damage.seq == Some(Seq::new(entry.seq))
                        || damage.seq == behind
                        || damage.code == "log.head"
                });
                cases += 1;
            }
        }
    }
    assert!(cases > 1500, "{cases} cases");
}

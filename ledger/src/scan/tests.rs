//! A walk that reads ahead against one that looks at a frame at a time: the same steps, damage, places
//! and bytes, over segments that were tampered with in every way that a seeded hand comes upon.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use proofline_canon::Blake3Digest;
use proofline_proof::header::{DeclaredHash, EntryStatus, TraceLink};
use proofline_trace::{Classification, EnvelopeHash, ErrorKind, LedgerId, TraceId};

use super::*;
use crate::frame::encode_frame;
use crate::segment::SegmentHeader;

/// A file in memory.
#[derive(Debug)]
struct Bytes(Vec<u8>);

impl DiskFile for Bytes {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = self.0.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_all_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn truncate(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn try_lock(&self) -> io::Result<bool> {
        Ok(true)
    }
}

/// The digests of a counter, as numbers.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 += 1;
        let digest = Blake3Digest::of(&self.0.to_le_bytes());
        let number = u64::from_le_bytes(*digest.as_bytes().first_chunk().unwrap());
        usize::try_from(number % bound as u64).unwrap()
    }
}

const FIRST: u64 = 7;

fn start() -> ChainState {
    ChainState { next: Seq::new(FIRST), head: Some(LeafHash::from_bytes([1; 32])), recorded_at_ms: 5 }
}

/// A segment of a whole chain, and where its frames begin.
fn segment(dice: &mut Dice) -> (Vec<u8>, Vec<usize>) {
    let header = SegmentHeader {
        format: 1,
        ledger_id: LedgerId::from_bytes([3; 16]),
        first_seq: Seq::new(FIRST),
        previous_leaf: start().head,
    };
    let (mut bytes, mut places) = (header.encode().to_vec(), Vec::new());
    let mut head = start().head;
    for at in 0..(1 + dice.below(400)) as u64 {
        places.push(bytes.len());
        let seq = Seq::new(FIRST + at);
        let body: Vec<u8> = (0..dice.below(60)).map(|at| b"{\"a\":1,\x8c\x20}"[at % 10]).collect();
        let status = match dice.below(9) {
            0 => EntryStatus::System,
            1 => EntryStatus::Artifact,
            2 => EntryStatus::Rejected {
                classification: Classification::HashMismatch,
                error_kind: ErrorKind::HashMismatch,
                declared_hash: DeclaredHash::keep(Some("no hash")),
            },
            _ => EntryStatus::Accepted,
        };
        let is_evidence = matches!(status, EntryStatus::Accepted | EntryStatus::Rejected { .. });
        let trace = is_evidence.then(|| TraceLink {
            trace_id: TraceId::from_bytes([1 + u8::try_from(dice.below(5)).unwrap(); 16]).unwrap(),
            previous: None,
            count: 1,
        });
        let header = EntryHeader {
            format: 1,
            seq,
            previous_leaf: head,
            trace,
            envelope_hash: EnvelopeHash::of(&body),
            status,
            recorded_at_ms: 5 + at,
        };
        head = Some(encode_frame(&header, &body, &mut bytes).unwrap());
    }
    places.push(bytes.len());
    (bytes, places)
}

/// Changes a segment in one of the ways that a disk or a hand has.
fn tamper(dice: &mut Dice, bytes: &mut Vec<u8>, places: &[usize]) {
    let frame = dice.below(places.len() - 1);
    let (from, to) = (places[frame], places[frame + 1].min(bytes.len()));
    match dice.below(9) {
        0 => {
            let at = 80 + dice.below(bytes.len().max(81) - 80);
            bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << dice.below(8));
        }
        1 => bytes.truncate(80 + dice.below(bytes.len().max(81) - 80)),
        2 => bytes.extend((0..dice.below(90)).map(|_| 0x8c)),
        3 if from < to => drop(bytes.drain(from..to)),
        4 if from < to => {
            let copy = bytes[from..to].to_vec();
            let other = places[dice.below(places.len())].min(bytes.len());
            bytes.splice(other..other, copy);
        }
        5 => {
            let garbage: Vec<u8> =
                (0..dice.below(3000)).map(|_| u8::try_from(dice.below(256)).unwrap()).collect();
            let at = places[dice.below(places.len())].min(bytes.len());
            bytes.splice(at..at, garbage);
        }
        6 if from < to => bytes[from..to].fill(0),
        // A header with the right checksum that says something else.
        7 if from + 20 < to => {
            let length = usize::from(u16::from_le_bytes([bytes[from], bytes[from + 1]]));
            let crc_at = from + LENGTHS_BYTES + length;
            if crc_at + 4 <= bytes.len() {
                bytes[from + LENGTHS_BYTES + dice.below(length)] ^= 1 << dice.below(8);
                let crc = crc32c::crc32c(&bytes[from..crc_at]).to_le_bytes();
                bytes[crc_at..crc_at + 4].copy_from_slice(&crc);
            }
        }
        _ => {}
    }
}

/// All that a walk shows, word for word.
fn told(mut scan: Scan) -> Vec<String> {
    let mut told = Vec::new();
    loop {
        let step = scan.step().unwrap();
        told.push(format!("{step:?} {:?} {}", scan.chain(), scan.position()));
        match step {
            Step::End => return told,
            Step::Gap(_) => {}
            Step::Entry(_) => {
                told.push(format!("{:?}", scan.current_bytes().unwrap()));
                told.push(format!("{:?}", scan.current_frame().unwrap()));
            }
        }
    }
}

/// What a walk says of the bodies that it reads ahead is what a look at each of them says; how many it
/// judged.
fn bodies_are_judged_alike(scan: Scan) -> usize {
    let ledger_id = LedgerId::from_bytes([3; 16]);
    let (mut scan, mut judged) = (scan.checking_bodies(ledger_id), 0);
    loop {
        match scan.step().unwrap() {
            Step::End => return judged,
            Step::Gap(_) => {}
            Step::Entry(found) => {
                let Some(check) = found.body else { continue };
                let (_, body) = scan.current_bytes().unwrap();
                assert_eq!(check, crate::verify::check_body(&found.header, body.unwrap(), ledger_id));
                judged += 1;
            }
        }
    }
}

#[test]
fn a_walk_that_reads_ahead_tells_what_one_step_at_a_time_tells() {
    let is_full = option_env!("PROOFLINE_EFFORT") == Some("full");
    let mut dice = Dice(0);
    let (mut damaged, mut read_ahead, mut checks) = (0, 0, 0);
    for _ in 0..if is_full { 20_000 } else { 400 } {
        let (mut bytes, places) = segment(&mut dice);
        for _ in 0..dice.below(4) {
            tamper(&mut dice, &mut bytes, &places);
        }
        let end = if dice.below(4) == 0 { dice.below(bytes.len() + 50) as u64 } else { u64::MAX };
        let file: Arc<dyn DiskFile> = Arc::new(Bytes(bytes));
        let window_bytes = 1 << (4 + dice.below(17));
        let walk = |in_batches: bool| {
            let mut scan = Scan::new(Arc::clone(&file), Seq::new(FIRST), 80, end, start()).unwrap();
            scan.cursor = FrameCursor::new(Arc::clone(&file), 80, end).unwrap().with_window(window_bytes);
            scan.in_batches = in_batches;
            scan
        };
        let mut first = walk(true);
        first.step().unwrap();
        read_ahead += usize::from(!first.ready.is_empty());
        let expected = told(walk(false));
        damaged += usize::from(expected.iter().any(|line| line.contains("code:")));
        assert_eq!(told(walk(true)), expected);
        checks += bodies_are_judged_alike(walk(true));
    }
    assert!(damaged > 100 && read_ahead > 200, "{damaged} damaged, {read_ahead} read ahead");
    assert!(checks > 10_000, "{checks} bodies judged ahead");
}

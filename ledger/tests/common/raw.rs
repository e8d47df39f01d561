//! A second reader of the log, written from the tables of the format and sharing no code with
//! the library's: frames by hand, headers through `ciborium`, its own CRC-32C.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;

use ciborium::Value as Cbor;
use proofline_canon::Sha256Digest;
use proofline_ledger::disk::{Access, Disk};

const SEGMENT_HEADER_BYTES: usize = 80;

/// Number of the kind "system" in headers.
pub(crate) const SYSTEM: u64 = 4;

/// CRC-32C (Castagnoli), reflected, as in RFC 3720 B.4.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| CRC_TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8))
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut at: u32 = 0;
    while at < 256 {
        let mut crc = at;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        table[at as usize] = crc;
        at += 1;
    }
    table
};

/// SHA-256(0x00 || header), RFC 6962 §2.1.
pub(crate) fn leaf_of(header: &[u8]) -> [u8; 32] {
    *Sha256Digest::of(&[&[0], header].concat()).as_bytes()
}

/// An entry as it lies there.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RawEntry {
    pub(crate) seq: u64,
    pub(crate) leaf: [u8; 32],
    pub(crate) previous_leaf: Option<[u8; 32]>,
    pub(crate) kind: u64,
    /// Trace id, seq of its previous entry, count.
    pub(crate) trace: Option<([u8; 16], Option<u64>, u64)>,
    pub(crate) envelope_hash: [u8; 32],
    pub(crate) recorded_at_ms: u64,
    pub(crate) body: Vec<u8>,
    /// Segment file name, offset and length of the frame.
    pub(crate) segment: String,
    pub(crate) offset: usize,
    pub(crate) frame_bytes: usize,
}

impl std::fmt::Debug for RawEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "entry {} at {} of {}", self.seq, self.offset, self.segment)
    }
}

impl RawEntry {
    pub(crate) fn hash(&self) -> String {
        proofline_canon::hex(&self.envelope_hash)
    }
}

fn uint(value: &Cbor) -> Option<u64> {
    u64::try_from(i128::from(value.as_integer()?)).ok()
}

fn byte_string<const N: usize>(value: &Cbor) -> Option<[u8; N]> {
    value.as_bytes()?.as_slice().try_into().ok()
}

fn nullable<T>(value: &Cbor, read: impl Fn(&Cbor) -> Option<T>) -> Option<Option<T>> {
    if value.is_null() { Some(None) } else { read(value).map(Some) }
}

/// The frame at the front of `bytes`, if there is a whole one.
fn read_frame(bytes: &[u8]) -> Option<RawEntry> {
    let header_bytes = usize::from(u16::from_le_bytes(bytes.get(0..2)?.try_into().ok()?));
    let body_bytes = u32::from_le_bytes(bytes.get(2..6)?.try_into().ok()?) as usize;
    let (header_end, body_at) = (6 + header_bytes, 10 + header_bytes);
    let body_end = body_at + body_bytes;
    let header = bytes.get(6..header_end)?;
    let body = bytes.get(body_at..body_end)?;
    let crc_at = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    if crc_at(header_end)? != crc32c(&bytes[..header_end]) || crc_at(body_end)? != crc32c(body) {
        return None;
    }
    let fields: Cbor = ciborium::from_reader(header).ok()?;
    let fields = fields.as_array()?;
    let [version, seq, previous, kind, trace, trace_previous, count, hash, _, _, _, clock] =
        fields.as_slice()
    else {
        return None;
    };
    assert!(uint(version).is_some_and(|version| version <= 1));
    let trace = nullable(trace, byte_string::<16>)?;
    let trace_previous = nullable(trace_previous, uint)?;
    let count = uint(count)?;
    Some(RawEntry {
        seq: uint(seq)?,
        leaf: leaf_of(header),
        previous_leaf: nullable(previous, byte_string::<32>)?,
        kind: uint(kind)?,
        trace: trace.map(|trace| (trace, trace_previous, count)),
        envelope_hash: byte_string(hash)?,
        recorded_at_ms: uint(clock)?,
        body: body.to_vec(),
        segment: String::new(),
        offset: 0,
        frame_bytes: body_end + 4,
    })
}

/// A frame around these bytes, whatever they are.
pub(crate) fn frame(header: &[u8], body: &[u8]) -> Vec<u8> {
    let lengths = [
        &u16::try_from(header.len()).unwrap().to_le_bytes()[..],
        &u32::try_from(body.len()).unwrap().to_le_bytes(),
    ];
    let front = [&lengths.concat(), header].concat();
    [&front[..], &crc32c(&front).to_le_bytes(), body, &crc32c(body).to_le_bytes()].concat()
}

pub(crate) fn read_file(disk: &dyn Disk, path: &Path) -> Vec<u8> {
    let file = disk.open(path, Access::Read).unwrap();
    let mut content = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    let mut filled = 0;
    while filled < content.len() {
        let count = file.read_at(&mut content[filled..], filled as u64).unwrap();
        assert_ne!(count, 0, "{} grew shorter", path.display());
        filled += count;
    }
    content
}

/// Writes into a file, or makes it, as somebody with another program would; nothing is synced.
pub(crate) fn write_at(disk: &dyn Disk, path: &Path, offset: usize, content: &[u8]) {
    let access = if disk.exists(path) { Access::Write } else { Access::CreateNew };
    disk.open(path, access).unwrap().write_all_at(content, offset as u64).unwrap();
}

/// The segment file names of a ledger, in order.
pub(crate) fn segment_names(disk: &dyn Disk, dir: &Path) -> Vec<String> {
    let names = disk.list(&dir.join("log")).unwrap_or_default();
    names.into_iter().filter(|name| name.ends_with(".seg")).collect()
}

/// A segment file as it was read.
struct RawSegment {
    content: Vec<u8>,
    /// Its whole frames from the front, up to the first thing that is none; nothing without a header.
    frames: Option<Vec<RawEntry>>,
}

thread_local! {
    /// The last content under each segment's name: the laboratories look at thousands of images that
    /// hardly differ, and the same bytes need no second reading.
    static LAST_READ: RefCell<HashMap<String, RawSegment>> = RefCell::default();
}

/// Reads a segment file, unless these very bytes were the last under this name.
fn read_segment(name: &str, first_seq: u64, content: Vec<u8>) -> RawSegment {
    let last = LAST_READ.with_borrow_mut(|last| last.remove(name));
    if let Some(last) = last.filter(|last| last.content == content) {
        return last;
    }
    let is_segment = content.get(..8) == Some(b"PROOFSEG")
        && content.get(32..40) == Some(&first_seq.to_le_bytes())
        && content.get(76..80) == Some(&crc32c(&content[..76]).to_le_bytes());
    let frames = is_segment.then(|| read_frames(name, first_seq, &content));
    RawSegment { content, frames }
}

fn read_frames(name: &str, first_seq: u64, content: &[u8]) -> Vec<RawEntry> {
    let mut frames = Vec::new();
    let mut offset = SEGMENT_HEADER_BYTES;
    while let Some(entry) = content.get(offset..).and_then(read_frame) {
        if entry.seq != first_seq + frames.len() as u64 {
            break;
        }
        let frame_bytes = entry.frame_bytes;
        frames.push(RawEntry { segment: name.to_owned(), offset, ..entry });
        offset += frame_bytes;
    }
    frames
}

/// Every whole entry from the front of the log up to the first thing that is none. A segment
/// ends where the next one begins. The second answer is how many bytes were left over.
pub(crate) fn read_log(disk: &dyn Disk, dir: &Path) -> (Vec<RawEntry>, usize) {
    let names = segment_names(disk, dir);
    let mut entries: Vec<RawEntry> = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let first_seq: u64 = name.trim_end_matches(".seg").parse().unwrap();
        let next_seq = names.get(at + 1).map(|next| next.trim_end_matches(".seg").parse::<u64>().unwrap());
        if first_seq != entries.len() as u64 {
            return (entries, 0);
        }
        let content = read_file(disk, &dir.join("log").join(name));
        let segment = read_segment(name, first_seq, content);
        let Some(frames) = &segment.frames else { return (entries, segment.content.len()) };
        let room = next_seq.map_or(usize::MAX, |next| usize::try_from(next - first_seq).unwrap());
        let taken = &frames[..frames.len().min(room)];
        entries.extend_from_slice(taken);
        let end = taken.last().map_or(SEGMENT_HEADER_BYTES, |last| last.offset + last.frame_bytes);
        if taken.len() < room && end < segment.content.len() {
            return (entries, segment.content.len() - end);
        }
        LAST_READ.with_borrow_mut(|last| last.insert(name.clone(), segment));
    }
    (entries, 0)
}

/// Checks links, clocks, hashes and the places of entries in their traces.
pub(crate) fn check_chain(entries: &[RawEntry]) {
    let mut traces: HashMap<[u8; 16], (u64, u64)> = HashMap::new();
    let (mut head, mut clock) = (None, 0);
    for (at, entry) in entries.iter().enumerate() {
        assert_eq!(entry.seq, at as u64, "seqs have no gap");
        assert_eq!(entry.previous_leaf, head, "the link of entry {at}");
        assert!(entry.recorded_at_ms >= clock, "the clock of entry {at} goes back");
        assert_eq!(*Sha256Digest::of(&entry.body).as_bytes(), entry.envelope_hash, "the hash of entry {at}");
        assert_eq!(entry.kind == 0, at == 0, "the kind of entry {at}");
        if let Some((trace, previous, count)) = entry.trace {
            let before = traces.insert(trace, (entry.seq, count));
            let expected = before.map_or((None, 1), |(seq, count)| (Some(seq), count + 1));
            assert_eq!((previous, count), expected, "the place of entry {at} in its trace");
        }
        (head, clock) = (Some(entry.leaf), entry.recorded_at_ms);
    }
}

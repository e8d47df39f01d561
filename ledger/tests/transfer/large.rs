//! A payload far longer than what may be in memory, out and in again.

use std::io::{self, Read, Write};
use std::ops::ControlFlow;

use proofline_canon::Sha256Hasher;
use proofline_ledger::{Blobs, ExportOrder, Ledger, Options, backup, export, import};

use crate::common::genesis;
use crate::common::random::full_effort;

/// So many bytes, of which no two stretches are alike.
struct Synthetic {
    at: u64,
    length: u64,
}

impl Read for Synthetic {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.length - self.at).unwrap_or(usize::MAX).min(buffer.len());
        for byte in &mut buffer[..left] {
            *byte = u8::try_from((self.at ^ (self.at >> 9)) % 251).unwrap();
            self.at += 1;
        }
        Ok(left)
    }
}

/// Counts what it is given and keeps nothing but its hash and its longest write.
#[derive(Default)]
struct Counting {
    bytes: u64,
    longest: usize,
    hasher: Sha256Hasher,
    /// The last bytes, which are the stream's own hash and not in it.
    held: Vec<u8>,
}

impl Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += bytes.len() as u64;
        self.longest = self.longest.max(bytes.len());
        self.held.extend_from_slice(bytes);
        let end = self.held.len().saturating_sub(32);
        self.hasher.update(&self.held[..end]);
        self.held.drain(..end);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// 1 GiB where effort is full. What is read or written at once is far less, on every way.
#[test]
fn payloads_of_any_length_go_by_in_small_parts() {
    let length = if full_effort() { 1 << 30 } else { 24 << 20 };
    let folder = tempfile::tempdir().unwrap();
    let [dir, file, copy, saved] = ["ledger", "stream", "copy", "saved"].map(|name| folder.path().join(name));
    Ledger::init(&dir, &genesis()).unwrap();
    let stored = Blobs::open(&dir).unwrap().put_reader(&mut Synthetic { at: 0, length }, length).unwrap();
    assert_eq!(stored.size_bytes, length);
    let order = ExportOrder { with_blobs: true, at: None };
    let go_on = &mut |_| ControlFlow::Continue(());
    let mut counting = Counting::default();
    let counted = export(&dir, &order, &mut counting, go_on).unwrap();
    assert_eq!((counted.stream_bytes, counted.blob_bytes), (counting.bytes, length));
    assert_eq!(counted.sha256, counting.hasher.finalize());
    assert_eq!(counted.sha256.as_bytes()[..], counting.held);
    assert!(counting.longest <= 1 << 20, "{} bytes at once", counting.longest);
    export(&dir, &order, &mut std::fs::File::create(&file).unwrap(), go_on).unwrap();
    let mut source = std::fs::File::open(&file).unwrap();
    let imported = import(&mut source, &copy, &Options::default(), go_on).unwrap();
    assert_eq!((imported.blob_bytes, imported.sha256), (length, counted.sha256));
    assert_eq!(backup(&dir, &saved, go_on).unwrap().blob_bytes, length);
    for dir in [&copy, &saved] {
        let mut damaged = Vec::new();
        let totals = Blobs::open(dir).unwrap().check(&mut |damage| damaged.push(damage)).unwrap();
        assert_eq!((totals.bytes, damaged), (length, vec![]));
    }
}

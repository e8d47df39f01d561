//! The member `entries`: two lines for each entry, the header in padded base64 and the body, or `-` where it is
//! withheld. One entry is in memory at a time.

use std::io::{BufRead, Read, Write};

use proofline_canon::{Sha256Digest, base64, unbase64};

use crate::header::{EntryHeader, MAX_HEADER_BYTES};
use crate::ids::LeafHash;

use super::body::MAX_BODY_BYTES;
use super::fault::{BundleError, BundleFault};

/// What stands for a body that is withheld.
const WITHHELD: &[u8] = b"-";

/// The base64 of the longest header.
const MAX_HEADER_CHARS: usize = MAX_HEADER_BYTES.div_ceil(3) * 4;

/// An entry of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleEntry {
    /// What it says of itself.
    pub header: EntryHeader,
    /// Its leaf hash.
    pub leaf: LeafHash,
    /// Its body; none where it is withheld.
    pub body: Option<Vec<u8>>,
}

/// Reads entries one by one.
pub(crate) struct EntryLines<R> {
    reader: R,
    /// How many were read.
    count: u64,
}

impl<R: BufRead> EntryLines<R> {
    pub(crate) const fn new(reader: R) -> Self {
        EntryLines { reader, count: 0 }
    }

    /// The next entry.
    pub(crate) fn next(&mut self) -> Result<Option<BundleEntry>, BundleError> {
        let place = self.count + 1;
        let malformed = || BundleError::Fault(BundleFault::EntryLines { place });
        if self.reader.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let text = line(&mut self.reader, MAX_HEADER_CHARS)?.ok_or_else(malformed)?;
        let bytes = std::str::from_utf8(&text).ok().and_then(unbase64).ok_or_else(malformed)?;
        let body = line(&mut self.reader, MAX_BODY_BYTES)?.ok_or_else(malformed)?;
        let header = EntryHeader::decode(&bytes)
            .map_err(|source| BundleError::Fault(BundleFault::EntryHeader { place, source }))?;
        let body = (body != WITHHELD).then_some(body);
        if let Some(body) = &body
            && Sha256Digest::of(body) != header.envelope_hash.digest()
        {
            return Err(BundleFault::BodyHash(header.seq).into());
        }
        self.count = place;
        Ok(Some(BundleEntry { leaf: LeafHash::of_header(&bytes), header, body }))
    }
}

/// A line without its newline, if it has one within so many bytes.
pub(crate) fn line(reader: &mut impl BufRead, max_bytes: usize) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let limit = (max_bytes as u64).saturating_add(1);
    reader.take(limit).read_until(b'\n', &mut bytes)?;
    Ok((bytes.pop() == Some(b'\n')).then_some(bytes))
}

/// Writes an entry.
pub(crate) fn write_entry(
    writer: &mut impl Write,
    header: &[u8],
    body: Option<&[u8]>,
) -> std::io::Result<()> {
    writer.write_all(base64(header).as_bytes())?;
    writer.write_all(b"\n")?;
    writer.write_all(body.unwrap_or(WITHHELD))?;
    writer.write_all(b"\n")
}

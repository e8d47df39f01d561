//! Writes a bundle, member by member in their order. The manifest comes first, so whoever writes knows before what is
//! in it.

use std::io::{self, Read, Seek, Write};

use proofline_canon::{Sha256Digest, Sha256Hasher};

use crate::ids::{NodeHash, Seq};

use super::container::{ContainerWriter, MAX_MEMBER_BYTES, MemberName, WINDOW_BYTES, too_long};
use super::entries::write_entry;
use super::index::{ShownLeaf, write_hashes, write_index};
use super::manifest::{MAX_MANIFEST_BYTES, Manifest};

/// A bundle being written. The functions are to be called in the order in which they stand here.
#[derive(Debug)]
pub struct BundleWriter<W> {
    container: ContainerWriter<W>,
}

impl<W: Write + Seek> BundleWriter<W> {
    /// Begins a bundle where the writer stands, which must be its start.
    ///
    /// # Errors
    /// When it cannot be written; a manifest longer than [`MAX_MANIFEST_BYTES`], which no reader takes.
    pub fn begin(writer: W, manifest: &Manifest, checkpoint: &[u8]) -> io::Result<Self> {
        let mut container = ContainerWriter::new(writer);
        let bytes = manifest.to_bytes();
        if bytes.len() as u64 > MAX_MANIFEST_BYTES {
            let message = "the bundle would list more than bundle.json may hold; ask for fewer traces";
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        container.whole(MemberName::Manifest, &bytes)?;
        container.whole(MemberName::Checkpoint, checkpoint)?;
        container.begin(MemberName::Entries)?;
        Ok(BundleWriter { container })
    }

    /// An entry; they come ascending.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn entry(&mut self, header: &[u8], body: Option<&[u8]>) -> io::Result<()> {
        write_entry(&mut self.container, header, body)
    }

    /// The proof that the entries are in the log.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn log_proof(&mut self, hashes: &[NodeHash]) -> io::Result<()> {
        self.container.end()?;
        self.container.begin(MemberName::LogProof)?;
        write_hashes(&mut self.container, hashes)?;
        self.container.end()
    }

    /// What an index entry says; they come as in the cover.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn index(&mut self, seq: Seq, leaves: &[ShownLeaf], hashes: &[NodeHash]) -> io::Result<()> {
        self.index_from(seq, |writer| write_index(writer, leaves, hashes))
    }

    /// The same, by a function that writes its bytes.
    pub(super) fn index_from(
        &mut self,
        seq: Seq,
        write: impl FnOnce(&mut ContainerWriter<W>) -> io::Result<()>,
    ) -> io::Result<()> {
        self.container.begin(MemberName::Index(seq.get()))?;
        write(&mut self.container)?;
        self.container.end()
    }

    /// A payload; they come ascending. False when what the reader gives has another hash.
    ///
    /// # Errors
    /// When it cannot be read or written, or is longer than [`MAX_MEMBER_BYTES`].
    pub fn payload(&mut self, name: Sha256Digest, reader: &mut dyn Read) -> io::Result<bool> {
        let member = MemberName::Blob(name);
        self.container.begin(member)?;
        let (mut hasher, mut length) = (Sha256Hasher::new(), 0);
        let mut window = vec![0; WINDOW_BYTES];
        loop {
            let count = reader.read(&mut window)?;
            let Some(part) = window.get(..count).filter(|part| !part.is_empty()) else { break };
            length += count as u64;
            if length > MAX_MEMBER_BYTES {
                return Err(too_long(&member));
            }
            hasher.update(part);
            self.container.write_all(part)?;
        }
        self.container.end()?;
        Ok(hasher.finalize() == name)
    }

    /// The same, by a function that writes its bytes.
    pub(super) fn payload_from(
        &mut self,
        name: Sha256Digest,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        self.container.begin(MemberName::Blob(name))?;
        write(&mut self.container)?;
        self.container.end()
    }

    /// Ends the bundle.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self) -> io::Result<W> {
        self.container.finish()
    }
}

//! The bytes of a ledger as one stream (`docs/stream.md`): a head, items in order, an end that hashes
//! all before it. Integers are little-endian.
//!
//! | offset | bytes | field of the head |
//! |---|---|---|
//! | 0 | 8 | magic `PROOFEXP` |
//! | 8 | 4 | stream version, 0 |
//! | 12 | 4 | 1 when payloads are carried, else 0 |
//! | 16 | 16 | ledger id |
//! | 32 | 8 | entries |
//! | 40 | 32 | leaf hash of the last entry |
//! | 72 | 2 | length `o` of the origin, 1 to 255 |
//! | 74 | o | origin, UTF-8 |
//! | 74 + o | 4 | CRC-32C of the bytes before |
//!
//! | item | bytes behind its tag |
//! |---|---|
//! | 1 entry | its frame |
//! | 2 checkpoint | size (8), length (4), note |
//! | 3 payload | name (32), length (8), bytes |
//! | 4 end | entries (8), checkpoints (8), payloads (8), their bytes (8), SHA-256 of all before it (32) |

use std::io::{self, BufReader, BufWriter, Read, Write};

use proofline_canon::{Sha256Digest, Sha256Hasher};
use proofline_proof::LeafHash;
use proofline_trace::{LedgerId, Origin};

use super::error::TransferError;

const MAGIC: &[u8; 8] = b"PROOFEXP";
const VERSION: u32 = 1;
const FIXED_HEAD_BYTES: usize = 74;
const CARRIES_BLOBS: u32 = 1;
const MAX_ORIGIN_BYTES: usize = 255;

pub(super) const BUFFER_BYTES: usize = 256 << 10;

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Tag {
    Entry = 1,
    Checkpoint = 2,
    Blob = 3,
    End = 4,
}

impl Tag {
    fn of(byte: u8) -> Option<Self> {
        [Tag::Entry, Tag::Checkpoint, Tag::Blob, Tag::End].into_iter().find(|tag| *tag as u8 == byte)
    }
}

/// Whose ledger the stream is, and how far it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) ledger_id: LedgerId,
    pub(super) origin: Origin,
    pub(super) entries: u64,
    pub(super) leaf: LeafHash,
    pub(super) carries_blobs: bool,
}

/// How much was in a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) entries: u64,
    pub(super) checkpoints: u64,
    pub(super) blobs: u64,
    pub(super) blob_bytes: u64,
}

impl Counts {
    fn encode(&self) -> Vec<u8> {
        let Counts { entries, checkpoints, blobs, blob_bytes } = *self;
        [entries, checkpoints, blobs, blob_bytes].map(u64::to_le_bytes).concat()
    }
}

impl Head {
    fn encode(&self) -> Vec<u8> {
        let origin = self.origin.as_str().as_bytes();
        let length = u16::try_from(origin.len()).unwrap_or(u16::MAX).to_le_bytes();
        let flags = if self.carries_blobs { CARRIES_BLOBS } else { 0 };
        let mut bytes = [
            &MAGIC[..],
            &VERSION.to_le_bytes(),
            &flags.to_le_bytes(),
            self.ledger_id.as_bytes(),
            &self.entries.to_le_bytes(),
            self.leaf.as_bytes(),
            &length,
            origin,
        ]
        .concat();
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }
}

/// Writes a stream, hashing what goes by.
pub(super) struct StreamWriter<'a> {
    out: BufWriter<&'a mut dyn Write>,
    hasher: Sha256Hasher,
    pub(super) written: u64,
}

impl<'a> StreamWriter<'a> {
    pub(super) fn begin(out: &'a mut dyn Write, head: &Head) -> Result<Self, TransferError> {
        let out = BufWriter::with_capacity(BUFFER_BYTES, out);
        let mut writer = StreamWriter { out, hasher: Sha256Hasher::new(), written: 0 };
        writer.put(&head.encode())?;
        Ok(writer)
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<(), TransferError> {
        self.hasher.update(bytes);
        self.written += bytes.len() as u64;
        self.out.write_all(bytes).map_err(TransferError::Sink)
    }

    pub(super) fn tag(&mut self, tag: Tag) -> Result<(), TransferError> {
        self.put(&[tag as u8])
    }

    /// The end of the stream; its hash.
    pub(super) fn end(mut self, counts: &Counts) -> Result<(Sha256Digest, u64), TransferError> {
        self.tag(Tag::End)?;
        self.put(&counts.encode())?;
        let digest = self.hasher.finalize();
        let written = self.written + digest.as_bytes().len() as u64;
        let done = self.out.write_all(digest.as_bytes()).and_then(|()| self.out.flush());
        done.map_err(TransferError::Sink)?;
        Ok((digest, written))
    }
}

/// Reads a stream, hashing what goes by.
pub(super) struct StreamReader<'a> {
    source: BufReader<&'a mut dyn Read>,
    hasher: Sha256Hasher,
    pub(super) position: u64,
}

impl<'a> StreamReader<'a> {
    pub(super) fn new(source: &'a mut dyn Read) -> Self {
        let source = BufReader::with_capacity(BUFFER_BYTES, source);
        StreamReader { source, hasher: Sha256Hasher::new(), position: 0 }
    }

    pub(super) fn form<T>(&self, what: impl Into<String>) -> Result<T, TransferError> {
        Err(TransferError::Form { at: self.position, what: what.into() })
    }

    fn raw(&mut self, buffer: &mut [u8]) -> Result<(), TransferError> {
        let at = self.position;
        self.source.read_exact(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => TransferError::Truncated { at },
            _ => TransferError::Source(error),
        })?;
        self.position += buffer.len() as u64;
        Ok(())
    }

    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<(), TransferError> {
        self.raw(buffer)?;
        self.hasher.update(buffer);
        Ok(())
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], TransferError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// So many bytes, which the caller has bounded.
    pub(super) fn bytes(&mut self, length: usize) -> Result<Vec<u8>, TransferError> {
        let mut bytes = vec![0; length];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn number(&mut self) -> Result<u64, TransferError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(super) fn small_number(&mut self) -> Result<u32, TransferError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn tag(&mut self) -> Result<Tag, TransferError> {
        let at = self.position;
        let [byte] = self.array()?;
        let what = || format!("no item has the tag {byte}");
        Tag::of(byte).ok_or_else(|| TransferError::Form { at, what: what() })
    }

    pub(super) fn head(&mut self) -> Result<Head, TransferError> {
        let mut magic = [0; MAGIC.len()];
        match self.fill(&mut magic) {
            Err(TransferError::Truncated { .. }) => return Err(TransferError::NoStream),
            filled => filled?,
        }
        if magic != *MAGIC {
            return Err(TransferError::NoStream);
        }
        let version = self.small_number()?;
        if version > VERSION {
            return Err(TransferError::NewerStream { found: version });
        }
        let rest: [u8; FIXED_HEAD_BYTES - 12] = self.array()?;
        let length: [u8; 2] = rest.last_chunk().copied().unwrap_or_default();
        let origin = match usize::from(u16::from_le_bytes(length)) {
            length if (1..=MAX_ORIGIN_BYTES).contains(&length) => self.bytes(length)?,
            length => return self.form(format!("an origin of {length} bytes is none")),
        };
        let covered = [&MAGIC[..], &version.to_le_bytes(), &rest, &origin].concat();
        let found = crc32c::crc32c(&covered);
        let expected = self.small_number()?;
        if expected != found {
            return Err(TransferError::HeadChecksum { expected, found });
        }
        let part = |from: usize, to: usize| covered.get(from..to).unwrap_or_default();
        let flags = u32::from_le_bytes(part(12, 16).try_into().unwrap_or_default());
        let origin = std::str::from_utf8(&origin).ok().and_then(|origin| Origin::new(origin).ok());
        let Some(origin) = origin else { return self.form("its origin is none") };
        if flags > CARRIES_BLOBS {
            return self.form(format!("the flags {flags:#x} have no meaning"));
        }
        Ok(Head {
            ledger_id: LedgerId::from_bytes(part(16, 32).try_into().unwrap_or_default()),
            origin,
            entries: u64::from_le_bytes(part(32, 40).try_into().unwrap_or_default()),
            leaf: LeafHash::from_bytes(part(40, 72).try_into().unwrap_or_default()),
            carries_blobs: flags == CARRIES_BLOBS,
        })
    }

    /// What stands behind the tag of the end, which is the end of the source as well.
    pub(super) fn end(&mut self, counts: &Counts) -> Result<Sha256Digest, TransferError> {
        let at = self.position;
        let stated: [u8; 32] = self.array()?;
        if stated[..] != counts.encode() {
            let what = "its end counts other items than the stream has".to_owned();
            return Err(TransferError::Form { at, what });
        }
        let found = std::mem::take(&mut self.hasher).finalize();
        let mut expected = [0; 32];
        self.raw(&mut expected)?;
        let expected = Sha256Digest::from_bytes(expected);
        if expected != found {
            return Err(TransferError::StreamHash { expected, found });
        }
        let at = self.position;
        match self.source.read(&mut [0]) {
            Ok(0) => Ok(found),
            Ok(_) => Err(TransferError::Surplus { at }),
            Err(error) => Err(TransferError::Source(error)),
        }
    }
}

/// The next so many bytes of a stream as a reader of their own. What went wrong is kept beside it, since
/// an [`io::Error`] cannot carry it.
pub(super) struct Part<'a, 'b> {
    pub(super) stream: &'a mut StreamReader<'b>,
    pub(super) left: u64,
    pub(super) failed: Option<TransferError>,
}

impl Read for Part<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(buffer) = buffer.get_mut(..most).filter(|buffer| !buffer.is_empty()) else { return Ok(0) };
        if let Err(error) = self.stream.fill(buffer) {
            self.failed = Some(error);
            return Err(io::Error::other("the stream ended or failed"));
        }
        self.left -= buffer.len() as u64;
        Ok(buffer.len())
    }
}

//! What cannot be read twice from where it comes, standard input and gzip, in a temporary file
//! without a name; unpacked on the way, within limits that end a gzip bomb early.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read, Seek, SeekFrom, Write};
use std::rc::Rc;

use flate2::bufread::GzDecoder;
use tempfile::SpooledTempFile;

use super::error::{ReadError, Stop};
use super::item::{Container, Item, Reading};
use super::late::temporary;
use super::options::ReadOptions;

/// Up to here a spool stays in memory.
const MEMORY_BYTES: usize = 8 << 20;

/// How many layers of gzip are taken off.
const MOST_LAYERS: u32 = 4;

const GZIP: [u8; 2] = [0x1F, 0x8B];
const ZSTD: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// An input that was read once to its end, unpacked, and can be read again.
#[derive(Debug)]
pub struct Spool {
    file: SpooledTempFile,
    container: Container,
}

impl Spool {
    /// Reads an input to its end and takes off whatever gzip lies around it. `progress` is told
    /// the unpacked bytes so far.
    ///
    /// # Errors
    /// [`ReadError::Io`]; gzip that is damaged, unpacks to too much, or lies in too many layers; zstd.
    pub fn new(
        input: impl Read,
        options: &ReadOptions,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, ReadError> {
        let counts = Rc::new(Counts::default());
        let mut reader = peel(input, options, &counts)?;
        let mut file = temporary(options.temporary.as_deref(), MEMORY_BYTES);
        let mut unpacked_bytes = 0;
        loop {
            let got = reader.fill_buf().map_err(|error| counts.failed(error, unpacked_bytes))?;
            if got.is_empty() {
                break;
            }
            let written = file.write_all(got);
            written.map_err(|source| ReadError::Io { doing: "spooled", offset: unpacked_bytes, source })?;
            let count = got.len();
            unpacked_bytes += count as u64;
            reader.consume(count);
            progress(unpacked_bytes);
        }
        drop(reader);
        Ok(Self { file, container: counts.container() })
    }

    /// What lay around the messages.
    #[must_use]
    pub const fn container(&self) -> Container {
        self.container
    }

    /// Reads the spans: [`read`](super::read), with an account that knows what lay around them.
    ///
    /// # Errors
    /// As [`read`](super::read).
    pub fn read<E>(
        &mut self,
        options: &ReadOptions,
        sink: &mut dyn FnMut(Item) -> Result<(), E>,
    ) -> Result<Reading, Stop<E>> {
        let reading = super::read_unpacked(&mut self.file, options, sink)?;
        Ok(Reading { container: self.container, ..reading })
    }
}

impl Read for Spool {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

impl Seek for Spool {
    fn seek(&mut self, place: SeekFrom) -> io::Result<u64> {
        self.file.seek(place)
    }
}

/// Whether an input begins like gzip, and has to be spooled.
pub(super) fn is_packed<R: Read + Seek>(input: &mut R) -> Result<bool, ReadError> {
    let failed = |source| ReadError::Io { doing: "read", offset: 0, source };
    input.seek(SeekFrom::Start(0)).map_err(failed)?;
    let mut head = Vec::with_capacity(4);
    input.by_ref().take(4).read_to_end(&mut head).map_err(failed)?;
    input.seek(SeekFrom::Start(0)).map_err(failed)?;
    if head.starts_with(&ZSTD) {
        return Err(ReadError::Zstd);
    }
    Ok(head.starts_with(&GZIP))
}

/// Bytes that begin like a zstd frame.
pub(super) fn is_zstd(head: &[u8]) -> bool {
    head.starts_with(&ZSTD)
}

/// What is counted while layers are read, by whichever of them sees it.
#[derive(Debug, Default)]
struct Counts {
    packed_bytes: Cell<u64>,
    layers: Cell<u32>,
    members: Cell<u64>,
}

impl Counts {
    fn container(&self) -> Container {
        Container {
            gzip_layers: self.layers.get(),
            gzip_members: self.members.get(),
            packed_bytes: self.packed_bytes.get(),
        }
    }

    /// The error behind an error of reading: a limit, gzip, or the system.
    fn failed(&self, error: io::Error, unpacked_bytes: u64) -> ReadError {
        let source = match error.downcast::<ReadError>() {
            Ok(limit) => return limit,
            Err(other) => other,
        };
        let damaged = matches!(
            source.kind(),
            ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof
        );
        if damaged && self.layers.get() > 0 {
            return ReadError::Gzip { unpacked_bytes, source };
        }
        ReadError::Io { doing: "read", offset: unpacked_bytes, source }
    }
}

/// The innermost layer.
fn peel<'a>(
    input: impl Read + 'a,
    options: &ReadOptions,
    counts: &Rc<Counts>,
) -> Result<Box<dyn BufRead + 'a>, ReadError> {
    let counted = Counted { input, counts: Rc::clone(counts) };
    let mut reader: Box<dyn BufRead + 'a> = Box::new(BufReader::with_capacity(256 << 10, counted));
    loop {
        let mut head = Vec::with_capacity(4);
        let looked = (&mut reader).take(4).read_to_end(&mut head);
        looked.map_err(|error| counts.failed(error, 0))?;
        let (packed, zstd) = (head.starts_with(&GZIP), head.starts_with(&ZSTD));
        reader = Box::new(Cursor::new(head).chain(reader));
        if zstd {
            return Err(ReadError::Zstd);
        }
        if !packed {
            return Ok(reader);
        }
        if counts.layers.get() == MOST_LAYERS {
            return Err(ReadError::Layers(MOST_LAYERS));
        }
        counts.layers.set(counts.layers.get() + 1);
        let members = Members { decoder: Some(GzDecoder::new(reader)), counts: Rc::clone(counts) };
        counts.members.set(counts.members.get() + 1);
        let limited = Limited {
            input: members,
            unpacked_bytes: 0,
            limit_bytes: options.unpacked_bytes,
            ratio: options.unpacked_ratio,
            counts: Rc::clone(counts),
        };
        reader = Box::new(BufReader::with_capacity(256 << 10, limited));
    }
}

/// Counts what is read.
struct Counted<R> {
    input: R,
    counts: Rc<Counts>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.input.read(buffer)?;
        self.counts.packed_bytes.set(self.counts.packed_bytes.get() + got as u64);
        Ok(got)
    }
}

/// Gzip members, one behind the other (RFC 1952 §2.2), perhaps with zeros behind the last one.
struct Members<R> {
    decoder: Option<GzDecoder<R>>,
    counts: Rc<Counts>,
}

impl<R: BufRead> Members<R> {
    /// Behind a member: the next one, if there is one.
    fn next(&self, mut input: R) -> io::Result<Option<GzDecoder<R>>> {
        loop {
            let rest = input.fill_buf()?;
            match rest.first() {
                None => return Ok(None),
                Some(0) => {
                    let zeros = rest.iter().take_while(|byte| **byte == 0).count();
                    input.consume(zeros);
                }
                Some(_) => {
                    self.counts.members.set(self.counts.members.get() + 1);
                    return Ok(Some(GzDecoder::new(input)));
                }
            }
        }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.decoder {
            let got = decoder.read(buffer)?;
            if got > 0 || buffer.is_empty() {
                return Ok(got);
            }
            if let Some(ended) = self.decoder.take() {
                self.decoder = self.next(ended.into_inner())?;
            }
        }
        Ok(0)
    }
}

/// Stops a layer that unpacks to too much.
struct Limited<R> {
    input: R,
    unpacked_bytes: u64,
    limit_bytes: u64,
    ratio: u64,
    counts: Rc<Counts>,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.input.read(buffer)?;
        self.unpacked_bytes += got as u64;
        let unpacked_bytes = self.unpacked_bytes;
        if unpacked_bytes > self.limit_bytes {
            return Err(io::Error::other(ReadError::Unpacked { limit_bytes: self.limit_bytes }));
        }
        let (packed_bytes, ratio) = (self.counts.packed_bytes.get(), self.ratio);
        let judged = unpacked_bytes > ReadOptions::RATIO_FROM_BYTES;
        if judged && unpacked_bytes / ratio.max(1) > packed_bytes {
            return Err(io::Error::other(ReadError::Ratio { packed_bytes, unpacked_bytes, ratio }));
        }
        Ok(got)
    }
}

//! The container of a bundle: USTAR (POSIX.1-1988) in one spelling, regular files only. A header is made anew from its
//! name and length and compared bit for bit, so there are no links, no paths, no second spelling, and nothing that
//! unpacks to more than it is long.
//!
//! | offset | bytes | value |
//! |---|---|---|
//! | 0 | 100 | name |
//! | 100 | 8 | `0000644` NUL |
//! | 108, 116 | 8 each | `0000000` NUL |
//! | 124 | 12 | length, eleven octal digits, NUL |
//! | 136 | 12 | `00000000000` NUL |
//! | 148 | 8 | checksum: six octal digits, NUL, space |
//! | 156 | 1 | `0` |
//! | 257 | 8 | `ustar` NUL `00` |
//! | 329, 337 | 8 each | `0000000` NUL |

use std::fmt;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};

use proofline_canon::Sha256Digest;

use super::fault::{BundleError, BundleFault};

/// A header, and the unit that members are padded to.
const BLOCK_BYTES: usize = 512;

/// The end of a container: two blocks of zeros.
const END_BYTES: u64 = 2 * BLOCK_BYTES as u64;

/// The longest member, in bytes: eleven octal digits.
pub const MAX_MEMBER_BYTES: u64 = (1 << 33) - 1;

const INDEX_DIR: &str = "index/";
const BLOBS_DIR: &str = "blobs/";

/// The name of a member. There are no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MemberName {
    Manifest,
    Checkpoint,
    Entries,
    LogProof,
    /// What the index entry of this seq says.
    Index(u64),
    /// The payload of this name.
    Blob(Sha256Digest),
}

impl fmt::Display for MemberName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MemberName::Manifest => f.write_str("bundle.json"),
            MemberName::Checkpoint => f.write_str("checkpoint"),
            MemberName::Entries => f.write_str("entries"),
            MemberName::LogProof => f.write_str("log.proof"),
            MemberName::Index(seq) => write!(f, "{INDEX_DIR}{seq:020}"),
            MemberName::Blob(name) => write!(f, "{BLOBS_DIR}{name}"),
        }
    }
}

impl MemberName {
    fn parse(name: &[u8]) -> Option<Self> {
        let name = std::str::from_utf8(name).ok()?;
        let fixed = [MemberName::Manifest, MemberName::Checkpoint, MemberName::Entries, MemberName::LogProof];
        let known = fixed.into_iter().find(|fixed| fixed.to_string() == name).or_else(|| {
            match name.strip_prefix(INDEX_DIR) {
                Some(seq) => seq.parse().ok().map(MemberName::Index),
                None => name.strip_prefix(BLOBS_DIR)?.parse().ok().map(MemberName::Blob),
            }
        })?;
        (known.to_string() == name).then_some(known)
    }
}

/// Where the bytes of a member lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// How many zeros follow a member of so many bytes.
const fn padding(length: u64) -> u64 {
    (BLOCK_BYTES as u64 - length % BLOCK_BYTES as u64) % BLOCK_BYTES as u64
}

/// The header of a member, if it fits into one.
fn header(name: &MemberName, length: u64) -> Option<Vec<u8>> {
    if length > MAX_MEMBER_BYTES {
        return None;
    }
    let mut front = Vec::with_capacity(BLOCK_BYTES);
    let mut field = |text: &str, bytes: usize| {
        let end = front.len() + bytes;
        front.extend_from_slice(text.as_bytes());
        front.resize(end, 0);
    };
    field(&name.to_string(), 100);
    field("0000644", 8);
    field("0000000", 8);
    field("0000000", 8);
    field(&format!("{length:011o}"), 12);
    field("00000000000", 12);
    let mut back = Vec::with_capacity(BLOCK_BYTES - front.len());
    back.extend_from_slice(b"0");
    back.resize(257 - 156, 0);
    back.extend_from_slice(b"ustar\0");
    back.extend_from_slice(b"00");
    back.resize(329 - 156, 0);
    back.extend_from_slice(b"0000000\0");
    back.extend_from_slice(b"0000000\0");
    back.resize(BLOCK_BYTES - 156, 0);
    let spaces = 8 * u32::from(b' ');
    let sum: u32 = front.iter().chain(&back).map(|byte| u32::from(*byte)).sum::<u32>() + spaces;
    front.extend_from_slice(format!("{sum:06o}\0 ").as_bytes());
    front.extend_from_slice(&back);
    Some(front)
}

/// Reads a header: name and length, if it is the one header that has them.
fn read_header(block: &[u8; BLOCK_BYTES]) -> Option<(MemberName, u64)> {
    let name = block.get(..100)?.split(|byte| *byte == 0).next()?;
    let name = MemberName::parse(name)?;
    let digits = std::str::from_utf8(block.get(124..135)?).ok()?;
    let length = u64::from_str_radix(digits, 8).ok()?;
    (header(&name, length)?.as_slice() == block.as_slice()).then_some((name, length))
}

/// Goes through a container from member to member.
#[derive(Debug)]
pub(crate) struct Walk<R> {
    pub(crate) reader: BufReader<R>,
    /// Where the next header begins.
    at: u64,
    total: u64,
}

/// Bytes in memory while a member streams.
pub(crate) const WINDOW_BYTES: usize = 64 << 10;

impl<R: Read + Seek> Walk<R> {
    pub(crate) fn new(mut reader: R) -> io::Result<Self> {
        let total = reader.seek(SeekFrom::End(0))?;
        reader.seek(SeekFrom::Start(0))?;
        Ok(Walk { reader: BufReader::with_capacity(WINDOW_BYTES, reader), at: 0, total })
    }

    /// The next member, or the end, behind which nothing may stand. The bytes of a member are not read.
    pub(crate) fn next(&mut self) -> Result<Option<(MemberName, Span)>, BundleError> {
        let start = self.at;
        let mut block = [0; BLOCK_BYTES];
        self.read(&mut block)?;
        if block.iter().all(|byte| *byte == 0) {
            return self.end(start).map(|()| None);
        }
        let Some((name, length)) = read_header(&block) else {
            let fault = if start == 0 { BundleFault::NotABundle } else { BundleFault::Header(start) };
            return Err(fault.into());
        };
        let span = Span { offset: self.at, length };
        let pad = padding(length);
        if length + pad > self.total - self.at {
            return Err(BundleFault::Truncated(self.total).into());
        }
        self.at += length;
        self.reader.seek(SeekFrom::Start(self.at))?;
        let mut zeros = Vec::with_capacity(BLOCK_BYTES);
        (&mut self.reader).take(pad).read_to_end(&mut zeros)?;
        if let Some(odd) = zeros.iter().position(|byte| *byte != 0) {
            return Err(BundleFault::Padding(self.at + odd as u64).into());
        }
        self.at += pad;
        Ok(Some((name, span)))
    }

    fn end(&mut self, start: u64) -> Result<(), BundleError> {
        let mut second = [0; BLOCK_BYTES];
        self.read(&mut second)?;
        if let Some(odd) = second.iter().position(|byte| *byte != 0) {
            return Err(BundleFault::Padding(start + (BLOCK_BYTES + odd) as u64).into());
        }
        if self.total > start + END_BYTES {
            return Err(BundleFault::Surplus(start + END_BYTES).into());
        }
        Ok(())
    }

    fn read(&mut self, block: &mut [u8; BLOCK_BYTES]) -> Result<(), BundleError> {
        if self.total - self.at < BLOCK_BYTES as u64 {
            let fault =
                if self.at == 0 { BundleFault::NotABundle } else { BundleFault::Truncated(self.total) };
            return Err(fault.into());
        }
        self.reader.read_exact(block)?;
        self.at += BLOCK_BYTES as u64;
        Ok(())
    }

    /// The bytes of a member, as a stream; whoever walks on goes back to where the walk was.
    pub(crate) fn member(&mut self, span: Span) -> io::Result<io::Take<&mut BufReader<R>>> {
        self.reader.seek(SeekFrom::Start(span.offset))?;
        Ok((&mut self.reader).take(span.length))
    }

    /// The bytes of a member in memory, if they are at most so many.
    pub(crate) fn bytes(&mut self, span: Span, max_bytes: u64) -> io::Result<Option<Vec<u8>>> {
        if span.length > max_bytes {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        self.member(span)?.read_to_end(&mut bytes)?;
        self.reader.seek(SeekFrom::Start(self.at))?;
        Ok(Some(bytes))
    }
}

/// Writes a container. A member's length is put into its header when its bytes are written.
#[derive(Debug)]
pub(crate) struct ContainerWriter<W> {
    writer: W,
    /// The member being written: its name, where its header stands, and how many bytes it has so far.
    open: Option<(MemberName, u64)>,
    at: u64,
}

/// A member that is too long for its header.
pub(crate) fn too_long(name: &MemberName) -> io::Error {
    io::Error::new(
        io::ErrorKind::FileTooLarge,
        format!("{name} has 8 GiB or more, which a bundle cannot hold"),
    )
}

impl<W: Write + Seek> ContainerWriter<W> {
    /// Begins a container where the writer stands, which must be its start.
    pub(crate) const fn new(writer: W) -> Self {
        ContainerWriter { writer, open: None, at: 0 }
    }

    /// Begins a member of a length that is known.
    pub(crate) fn whole(&mut self, name: MemberName, bytes: &[u8]) -> io::Result<()> {
        self.begin(name)?;
        self.write_all(bytes)?;
        self.end()
    }

    /// Begins a member; its bytes are written next.
    pub(crate) fn begin(&mut self, name: MemberName) -> io::Result<()> {
        self.open = Some((name, self.at));
        self.write_all(&[0; BLOCK_BYTES])
    }

    /// Ends the member.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        let Some((name, start)) = self.open.take() else { return Ok(()) };
        let length = self.at - start - BLOCK_BYTES as u64;
        let header = header(&name, length).ok_or_else(|| too_long(&name))?;
        let zeros = usize::try_from(padding(length)).map_err(io::Error::other)?;
        self.write_all(&vec![0; zeros])?;
        self.writer.seek(SeekFrom::Start(start))?;
        self.writer.write_all(&header)?;
        self.writer.seek(SeekFrom::Start(self.at))?;
        Ok(())
    }

    /// Ends the container.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.write_all(&[0; 2 * BLOCK_BYTES])?;
        self.writer.flush()?;
        Ok(self.writer)
    }
}

impl<W: Write> Write for ContainerWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.writer.write(bytes)?;
        self.at += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn a_name_has_one_spelling() {
        let blob = format!("blobs/{}", "0a".repeat(32));
        for name in ["bundle.json", "checkpoint", "entries", "log.proof", "index/00000000000000000413", &blob]
        {
            assert_eq!(MemberName::parse(name.as_bytes()).unwrap().to_string(), name);
        }
        let upper = blob.to_uppercase();
        for name in [
            "",
            "index/413",
            "index/+0000000000000000413",
            "index/99999999999999999999",
            &upper,
            "../x",
            "/etc",
        ] {
            assert_eq!(MemberName::parse(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn fields_stand_where_the_format_draws_them() {
        let header = header(&MemberName::Entries, 5).unwrap();
        let mut blank = header.clone();
        blank[148..156].copy_from_slice(b"        ");
        let sum: u32 = blank.iter().map(|byte| u32::from(*byte)).sum();
        assert_eq!(&header[148..156], format!("{sum:06o}\0 ").as_bytes());
        assert_eq!(&header[124..136], b"00000000005\0");
        assert_eq!((header.len(), &header[257..265]), (512, b"ustar\x0000".as_slice()));
    }

    #[test]
    fn what_was_written_is_read_and_every_other_byte_refused() {
        let mut writer = ContainerWriter::new(Cursor::new(Vec::new()));
        writer.whole(MemberName::Entries, b"abc").unwrap();
        writer.whole(MemberName::Index(7), &[1; 512]).unwrap();
        let bytes = writer.finish().unwrap().into_inner();
        assert_eq!(bytes.len(), 4 * 512 + 1024);
        let read = |bytes: &[u8]| {
            let mut walk = Walk::new(Cursor::new(bytes.to_vec()))?;
            let mut found = Vec::new();
            while let Some((name, span)) = walk.next()? {
                found.push((name.to_string(), walk.bytes(span, 600)?.unwrap()));
            }
            Ok::<_, BundleError>(found)
        };
        let expected = vec![
            ("entries".to_owned(), b"abc".to_vec()),
            ("index/00000000000000000007".to_owned(), vec![1; 512]),
        ];
        assert_eq!(read(&bytes).unwrap(), expected);
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            let is_content = (512..515).contains(&at) || (1536..2048).contains(&at);
            assert_eq!(read(&other).is_ok(), is_content, "byte {at}");
        }
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length]).is_err(), "{length}");
        }
        assert!(read(&[bytes.as_slice(), &[0]].concat()).is_err());
    }
}

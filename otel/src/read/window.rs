//! The part of an input that is in memory: read forward in steps, moved where that is wanted, and
//! kept from a mark on for as long as one value needs it.

use std::io::{Read, Seek, SeekFrom};

use super::error::ReadError;

/// How many bytes are read at once.
const STEP_BYTES: u64 = 256 << 10;

pub(crate) struct Window<'r, R> {
    input: &'r mut R,
    buffer: Vec<u8>,
    /// The next byte, in the buffer.
    at: usize,
    /// The offset in the input of the buffer's first byte.
    base: u64,
    /// From here on bytes of the buffer are kept.
    mark: Option<usize>,
    /// How many bytes a mark may keep.
    most_kept: usize,
    /// Where reading ends; the input may be longer.
    end: u64,
    /// The input stands elsewhere than behind the buffer.
    moved: bool,
}

impl<'r, R: Read + Seek> Window<'r, R> {
    /// The whole input, from its first byte, whatever its position is.
    pub(crate) fn new(input: &'r mut R, most_kept: usize) -> Result<Self, ReadError> {
        let end = input.seek(SeekFrom::End(0)).map_err(|source| Self::failed("measured", 0, source))?;
        Ok(Self { input, buffer: Vec::new(), at: 0, base: 0, mark: None, most_kept, end, moved: true })
    }

    fn failed(doing: &'static str, offset: u64, source: std::io::Error) -> ReadError {
        ReadError::Io { doing, offset, source }
    }

    /// The offset of the next byte.
    pub(crate) fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    /// Where reading ends.
    pub(crate) const fn end(&self) -> u64 {
        self.end
    }

    /// Makes reading end elsewhere, and gives where it ended.
    pub(crate) fn set_end(&mut self, end: u64) -> u64 {
        let before = std::mem::replace(&mut self.end, end);
        let loaded = self.base + self.buffer.len() as u64;
        if loaded > end {
            let kept = usize::try_from(end.saturating_sub(self.base)).unwrap_or(usize::MAX);
            self.buffer.truncate(kept.max(self.at));
            self.moved = true;
        }
        before
    }

    /// What is in memory from the next byte on.
    pub(crate) fn rest(&self) -> &[u8] {
        self.buffer.get(self.at..).unwrap_or_default()
    }

    /// The next byte, if it is in memory or can be brought there.
    #[inline]
    pub(crate) fn peek(&mut self) -> Result<Option<u8>, ReadError> {
        match self.buffer.get(self.at) {
            Some(byte) => Ok(Some(*byte)),
            None => Ok(if self.fill()? { self.buffer.get(self.at).copied() } else { None }),
        }
    }

    /// Steps over bytes that are in memory.
    #[inline]
    pub(crate) fn advance(&mut self, count: usize) {
        self.at = (self.at + count).min(self.buffer.len());
    }

    /// Goes to an offset, in memory or not. The mark goes.
    pub(crate) fn go(&mut self, offset: u64) {
        self.mark = None;
        let inside = offset.checked_sub(self.base).and_then(|at| usize::try_from(at).ok());
        match inside.filter(|at| *at <= self.buffer.len()) {
            Some(at) => self.at = at,
            None => {
                self.buffer.clear();
                (self.base, self.at, self.moved) = (offset, 0, true);
            }
        }
    }

    /// Keeps bytes from here on.
    pub(crate) fn mark(&mut self) {
        self.mark = Some(self.at);
    }

    /// The bytes since the mark, which goes; `None` if they were more than may be kept.
    pub(crate) fn marked(&mut self) -> Option<&[u8]> {
        let start = self.mark.take()?;
        self.buffer.get(start..self.at).filter(|bytes| bytes.len() <= self.most_kept)
    }

    /// Brings more bytes to memory; `false` at the end.
    pub(crate) fn fill(&mut self) -> Result<bool, ReadError> {
        self.drop_passed();
        let loaded = self.base + self.buffer.len() as u64;
        let wanted = self.end.saturating_sub(loaded).min(STEP_BYTES);
        if wanted == 0 {
            return Ok(false);
        }
        if self.moved {
            let sought = self.input.seek(SeekFrom::Start(loaded));
            sought.map_err(|source| Self::failed("sought", loaded, source))?;
            self.moved = false;
        }
        let got = self.read_some(wanted, loaded)?;
        if got == 0 {
            return Err(ReadError::Changed { offset: loaded });
        }
        Ok(true)
    }

    fn drop_passed(&mut self) {
        if self.mark.is_some_and(|mark| self.at - mark > self.most_kept) {
            self.mark = None;
        }
        let from = self.mark.unwrap_or(self.at);
        if from > 0 {
            self.buffer.drain(..from);
            self.base += from as u64;
            self.at -= from;
            self.mark = self.mark.map(|_| 0);
        }
    }

    /// Reads as many bytes as are wanted, in however small pieces the input gives them.
    fn read_some(&mut self, wanted: u64, loaded: u64) -> Result<usize, ReadError> {
        let before = self.buffer.len();
        let got = self.input.by_ref().take(wanted).read_to_end(&mut self.buffer);
        if got.is_err() {
            self.buffer.truncate(before);
            self.moved = true;
        }
        got.map_err(|source| Self::failed("read", loaded, source))
    }

    /// The next `count` bytes, brought to memory and stepped over; `None` if there are fewer, or
    /// more than may be kept. Nothing is allocated for bytes that there are not.
    pub(crate) fn take(&mut self, count: u64) -> Result<Option<&[u8]>, ReadError> {
        let left = self.end.saturating_sub(self.offset());
        let Some(count) = usize::try_from(count).ok().filter(|count| *count <= self.most_kept) else {
            return Ok(None);
        };
        if count as u64 > left {
            return Ok(None);
        }
        while self.rest().len() < count {
            if !self.fill()? {
                return Ok(None);
            }
        }
        let start = self.at;
        self.at += count;
        Ok(self.buffer.get(start..self.at))
    }
}

//! Evidence files line by line, in memory that depends on limits and not on the file: a thread reads ahead, as far
//! as a queue allows, while the lines before are committed.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use proofline::canon::Limits;
use proofline::ledger::{LedgerError, WRAPPER_BYTES};

use super::error::CliError;
use super::safe::safe_path;

/// The longest line that is kept: an envelope of the greatest size in a wrapper.
pub(crate) const MAX_LINE_BYTES: usize = Limits::ENVELOPE.max_bytes() + WRAPPER_BYTES;

/// Lines that are committed together; small enough for one group of the ledger.
const GROUP_LINES: usize = 1024;
const GROUP_BYTES: usize = 2 << 20;

/// How far the reading thread runs ahead.
const QUEUE_LINES: usize = 4 * GROUP_LINES;
const QUEUE_BYTES: usize = 2 * GROUP_BYTES;

const CHUNK_BYTES: usize = 64 << 10;

/// Where input comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl Source {
    /// A file, or the standard input for `-` and for nothing.
    pub(crate) fn of(file: Option<&Path>) -> Self {
        match file {
            None => Self::Stdin,
            Some(path) if path == Path::new("-") => Self::Stdin,
            Some(path) => Self::File(path.to_owned()),
        }
    }

    /// Its name in messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Stdin => "the standard input".to_owned(),
            Self::File(path) => safe_path(path),
        }
    }

    /// Names this source in the error of a read.
    pub(crate) fn unreadable(&self, source: io::Error) -> CliError {
        CliError::Unreadable { name: self.name(), source }
    }

    /// Opens it for reading.
    pub(crate) fn open(&self) -> Result<Box<dyn Read + Send>, CliError> {
        match self {
            Self::Stdin => Ok(Box::new(io::stdin())),
            Self::File(path) => {
                let file = File::open(path).map_err(|error| self.unreadable(error))?;
                // Some systems open a folder and fail at the first read; say it before anything is done.
                if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
                    return Err(self.unreadable(io::ErrorKind::IsADirectory.into()));
                }
                Ok(Box::new(file))
            }
        }
    }

    /// All of it, if it is no longer than allowed.
    pub(crate) fn read_all(&self, max_bytes: usize) -> Result<Vec<u8>, CliError> {
        let mut bytes = Vec::new();
        let one_more = u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1);
        self.open()?.take(one_more).read_to_end(&mut bytes).map_err(|error| self.unreadable(error))?;
        if bytes.len() > max_bytes {
            return Err(CliError::TooLong { name: self.name(), max_bytes });
        }
        Ok(bytes)
    }
}

/// A ledger's folder, if it can be one.
pub(crate) fn ledger_folder(dir: &Path) -> Result<&Path, CliError> {
    let is_other = dir.exists() && !dir.is_dir();
    if is_other { Err(LedgerError::NotALedger(dir.to_owned()).into()) } else { Ok(dir) }
}

/// One line, without its newline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its number, from 1.
    pub(crate) number: u64,
    /// What it holds.
    pub(crate) content: Content,
}

/// What a line holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// White space, or nothing.
    Blank,
    /// Something.
    Bytes(Vec<u8>),
    /// More than [`MAX_LINE_BYTES`]; it was not kept.
    TooLong {
        /// How much it was.
        size_bytes: u64,
    },
}

impl Line {
    fn kept_bytes(&self) -> usize {
        match &self.content {
            Content::Bytes(bytes) => bytes.len(),
            Content::Blank | Content::TooLong { .. } => 0,
        }
    }
}

/// Cuts chunks into lines.
struct Splitter {
    max_bytes: usize,
    number: u64,
    kept: Vec<u8>,
    size_bytes: u64,
}

impl Splitter {
    const fn new(max_bytes: usize) -> Self {
        Self { max_bytes, number: 0, kept: Vec::new(), size_bytes: 0 }
    }

    /// Takes a chunk in and hands out the lines that end in it.
    fn feed(&mut self, chunk: &[u8], lines: &mut Vec<Line>) {
        let mut rest = chunk;
        while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = rest.split_at_checked(at).unwrap_or((rest, &[]));
            self.keep(line);
            lines.push(self.take());
            rest = after.get(1..).unwrap_or_default();
        }
        self.keep(rest);
    }

    /// The last line, if no newline ended it.
    fn finish(&mut self) -> Option<Line> {
        (self.size_bytes > 0).then(|| self.take())
    }

    fn keep(&mut self, part: &[u8]) {
        self.size_bytes += part.len() as u64;
        if self.kept.len() + part.len() <= self.max_bytes && self.size_bytes <= self.max_bytes as u64 {
            self.kept.extend_from_slice(part);
        } else {
            self.kept = Vec::new();
        }
    }

    fn take(&mut self) -> Line {
        self.number += 1;
        let kept = std::mem::take(&mut self.kept);
        let size_bytes = std::mem::take(&mut self.size_bytes);
        let content = if size_bytes > self.max_bytes as u64 {
            Content::TooLong { size_bytes }
        } else if kept.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r')) {
            Content::Blank
        } else {
            Content::Bytes(kept)
        };
        Line { number: self.number, content }
    }
}

/// Lines in groups, read ahead by a thread.
pub(crate) struct Lines {
    queue: Arc<Queue>,
    source: Source,
    /// Whether to hand out what is there, rather than wait for a whole group: somebody may be waiting for answers.
    eager: bool,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Line>,
    kept_bytes: usize,
    end: Option<io::Result<()>>,
    abandoned: bool,
}

impl State {
    fn is_full(&self) -> bool {
        self.lines.len() >= QUEUE_LINES || self.kept_bytes >= QUEUE_BYTES
    }

    fn has_group(&self) -> bool {
        self.lines.len() >= GROUP_LINES || self.kept_bytes >= GROUP_BYTES
    }

    fn take_group(&mut self) -> Vec<Line> {
        let mut bytes = 0;
        let fitting = self.lines.iter().take(GROUP_LINES).take_while(|line| {
            bytes += line.kept_bytes();
            bytes <= GROUP_BYTES
        });
        let count = fitting.count().max(1).min(self.lines.len());
        let group: Vec<Line> = self.lines.drain(..count).collect();
        self.kept_bytes -= group.iter().map(Line::kept_bytes).sum::<usize>();
        group
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for room; false when nobody wants the lines any more.
    fn push(&self, lines: &mut Vec<Line>) -> bool {
        for line in lines.drain(..) {
            let mut state = self.lock();
            while state.is_full() && !state.abandoned {
                state = self.wait(state);
            }
            if state.abandoned {
                return false;
            }
            state.kept_bytes += line.kept_bytes();
            state.lines.push_back(line);
            if state.lines.len() == 1 || state.has_group() {
                self.changed.notify_all();
            }
        }
        true
    }

    fn end(&self, result: io::Result<()>) {
        self.lock().end = Some(result);
        self.changed.notify_all();
    }
}

/// Whoever waits for lines is told of the end, however the reading ends.
struct Ending<'a>(&'a Queue);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let stopped = || Err(io::Error::other("reading stopped early"));
        self.0.lock().end.get_or_insert_with(stopped);
        self.0.changed.notify_all();
    }
}

impl Lines {
    /// Begins to read.
    pub(crate) fn open(source: &Source) -> Result<Self, CliError> {
        let mut reader = source.open()?;
        let queue = Arc::new(Queue::default());
        let feeding = Arc::clone(&queue);
        let read_ahead = move || {
            let ending = Ending(&feeding);
            let result = feed(&mut reader, ending.0);
            ending.0.end(result);
        };
        let started = thread::Builder::new().name("input".to_owned()).spawn(read_ahead);
        started.map_err(|error| CliError::Internal(format!("no thread for reading: {error}")))?;
        Ok(Self { queue, source: source.clone(), eager: *source == Source::Stdin })
    }

    /// The error of input that turned out to have nothing in it.
    pub(crate) fn without_evidence(&self) -> CliError {
        CliError::Empty { name: self.source.name() }
    }

    /// The next lines, none at the end.
    ///
    /// # Errors
    /// When the source could not be read further; all lines before were handed out.
    pub(crate) fn next_group(&mut self) -> Result<Vec<Line>, CliError> {
        let mut state = self.queue.lock();
        while state.end.is_none() && !state.has_group() && (!self.eager || state.lines.is_empty()) {
            state = self.queue.wait(state);
        }
        if state.lines.is_empty()
            && let Some(Err(error)) = state.end.replace(Ok(()))
        {
            return Err(self.source.unreadable(error));
        }
        let group = state.take_group();
        drop(state);
        self.queue.changed.notify_all();
        Ok(group)
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.queue.lock().abandoned = true;
        self.queue.changed.notify_all();
    }
}

fn feed(reader: &mut dyn Read, queue: &Queue) -> io::Result<()> {
    let mut splitter = Splitter::new(MAX_LINE_BYTES);
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut lines = Vec::new();
    loop {
        let count = match reader.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        splitter.feed(chunk.get(..count).unwrap_or_default(), &mut lines);
        if !queue.push(&mut lines) {
            return Ok(());
        }
    }
    lines.extend(splitter.finish());
    queue.push(&mut lines);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(max_bytes: usize, chunks: &[&[u8]]) -> Vec<Line> {
        let mut splitter = Splitter::new(max_bytes);
        let mut lines = Vec::new();
        for chunk in chunks {
            splitter.feed(chunk, &mut lines);
        }
        lines.extend(splitter.finish());
        lines
    }

    fn bytes(number: u64, text: &str) -> Line {
        Line { number, content: Content::Bytes(text.as_bytes().to_vec()) }
    }

    #[test]
    fn lines_do_not_depend_on_how_the_bytes_arrive() {
        let text = b"one\r\n\n \t\r\ntwo\nthree";
        let expected = vec![
            bytes(1, "one\r"),
            Line { number: 2, content: Content::Blank },
            Line { number: 3, content: Content::Blank },
            bytes(4, "two"),
            bytes(5, "three"),
        ];
        assert_eq!(split(9, &[text]), expected);
        for size in 1..text.len() {
            assert_eq!(split(9, &text.chunks(size).collect::<Vec<_>>()), expected, "{size}");
        }
        assert_eq!(split(9, &[b"one\n"]), [bytes(1, "one")]);
        assert_eq!(split(9, &[]), []);
    }

    #[test]
    fn what_is_too_long_is_measured_and_not_kept() {
        let mut splitter = Splitter::new(4);
        let mut lines = Vec::new();
        for _ in 0..1000 {
            splitter.feed(b"abc", &mut lines);
            assert!(splitter.kept.len() <= 4);
        }
        splitter.feed(b"\nabcd\nabcde\n", &mut lines);
        let too_long = |number, size_bytes| Line { number, content: Content::TooLong { size_bytes } };
        assert_eq!(lines, [too_long(1, 3000), bytes(2, "abcd"), too_long(3, 5)]);
    }

    #[test]
    fn groups_come_in_order_and_bounded_and_then_the_error() {
        struct Failing(usize);
        impl Read for Failing {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0 += 1;
                if self.0 > 2000 {
                    return Err(io::Error::other("unplugged"));
                }
                buffer[..4].copy_from_slice(b"a\nb\n");
                Ok(4)
            }
        }
        let queue = Arc::new(Queue::default());
        let feeding = Arc::clone(&queue);
        let thread = thread::spawn(move || {
            let result = feed(&mut Failing(0), &feeding);
            feeding.end(result);
        });
        let mut lines = Lines { queue, source: Source::Stdin, eager: false };
        let mut next = 1;
        loop {
            match lines.next_group() {
                Ok(group) => {
                    assert!(!group.is_empty() && group.len() <= GROUP_LINES);
                    for line in group {
                        assert_eq!(line.number, next);
                        next += 1;
                    }
                }
                Err(error) => {
                    assert_eq!(error.code(), "input.unreadable");
                    break;
                }
            }
        }
        assert_eq!(next, 4001);
        assert_eq!(lines.next_group().unwrap(), []);
        thread.join().unwrap();
    }

    #[test]
    fn a_reader_that_nobody_listens_to_ends() {
        let queue = Arc::new(Queue::default());
        let feeding = Arc::clone(&queue);
        let thread = thread::spawn(move || feed(&mut io::repeat(b'\n'), &feeding));
        let mut lines = Lines { queue, source: Source::Stdin, eager: true };
        assert!(!lines.next_group().unwrap().is_empty());
        drop(lines);
        thread.join().unwrap().unwrap();
    }
}

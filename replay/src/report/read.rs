//! Reads reports, strictly: every line must be one that this program would write, each in its place, and the last one
//! must count what stands in front of it. Of a file, one line is held at a time.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use proofline_canon::{Limits, Value, parse};
use proofline_ledger::{Snapshot, TreeError};

use super::Verdicts;
use super::batch::End;
use super::error::{LineFault, ReportError};
use super::head::Head;
use super::line::{self, Key};
use super::node::Node;
use super::part::Part;
use super::spelling;
use super::totals;
use crate::form::FormError;
use crate::sink::Unlisted;
use crate::summary::Summary;
use crate::verdict::TraceReplay;

/// The longest line that is read. One trace of a million records takes about a tenth of it.
const MAX_LINE_BYTES: u64 = 1 << 30;

/// A line behind the first one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportLine {
    /// A verdict.
    Verdict(Box<TraceReplay>),
    /// A trace that has none.
    Unlisted(Unlisted),
    /// The last line.
    End(Box<End>),
}

impl ReportLine {
    pub(super) fn key(&self) -> Option<Key> {
        match self {
            Self::Verdict(replay) => Some(Key::of_verdict(replay)),
            Self::Unlisted(unlisted) => Some(Key::of_unlisted(unlisted)),
            Self::End(_) => None,
        }
    }
}

/// Takes a line with its bytes, and says whether it wants more.
pub type TakeLine<'a> = dyn FnMut(ReportLine, &[u8]) -> Result<ControlFlow<()>, ReportError> + 'a;

/// Reads a report line by line, from anything.
#[derive(Debug)]
pub struct ReportReader<R> {
    source: R,
    file: PathBuf,
    head: Head,
    number: u64,
    bytes: Vec<u8>,
    last: Option<Key>,
    counted: Option<Summary>,
    is_done: bool,
}

impl<R: BufRead> ReportReader<R> {
    /// Reads the first line; `file` is what errors call the report.
    ///
    /// # Errors
    /// [`ReportError`]: this is no report, or one of a later version.
    pub fn new(mut source: R, file: impl Into<PathBuf>) -> Result<Self, ReportError> {
        let (file, mut bytes) = (file.into(), Vec::new());
        let at_first = |fault: LineFault| at(&file, 1, fault);
        let is_line = next(&mut source, &mut bytes).map_err(|fault| fault.on(&file, 1))?;
        let head = match head_of(&bytes) {
            Err(LineFault::Form(FormError::Malformed(_))) => return Err(at_first(LineFault::NotAReport)),
            head => head.map_err(at_first)?,
        };
        if !is_line {
            return Err(at_first(LineFault::Cut));
        }
        Ok(Self { source, file, head, number: 1, bytes, last: None, counted: None, is_done: false })
    }

    /// What the first line says.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// The number of the line that was read last, from 1.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// The line that was read last, without its end.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The next line; none behind the last one.
    ///
    /// # Errors
    /// [`ReportError`] at the first line that is not what it has to be.
    pub fn next_line(&mut self) -> Result<Option<ReportLine>, ReportError> {
        self.number += 1;
        let is_line =
            next(&mut self.source, &mut self.bytes).map_err(|fault| fault.on(&self.file, self.number))?;
        if self.is_done {
            let is_end = !is_line && self.bytes.is_empty();
            return if is_end { Ok(None) } else { Err(self.fault(LineFault::Surplus)) };
        }
        if !is_line {
            return Err(self.fault(LineFault::Cut));
        }
        let line = read_line(&self.bytes).and_then(|line| self.place(line));
        line.map(Some).map_err(|fault| self.fault(fault))
    }

    /// Nothing may stand behind the last line.
    pub(super) fn expect_end(&mut self) -> Result<(), ReportError> {
        let rest = self.source.fill_buf().map_err(|source| unreadable(&self.file, source))?;
        if rest.is_empty() { Ok(()) } else { Err(at(&self.file, self.number + 1, LineFault::Surplus)) }
    }

    /// An error at the line that was read last.
    pub(super) fn fault(&self, fault: LineFault) -> ReportError {
        at(&self.file, self.number, fault)
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Holds a line against those in front of it.
    fn place(&mut self, line: ReportLine) -> Result<ReportLine, LineFault> {
        if let Some(key) = line.key() {
            if self.last.is_some_and(|last| last >= key) {
                return Err(LineFault::Order);
            }
            if let Some(shard) = self.head.shard.filter(|shard| !shard.covers(key.trace)) {
                return Err(LineFault::Foreign { trace: key.trace, shard });
            }
            self.last = Some(key);
        }
        let counted = self.counted.get_or_insert_with(|| empty(&self.head));
        match &line {
            ReportLine::Verdict(replay) => {
                let of_head = (self.head.replay_type, self.head.generated_at);
                if (replay.result.replay_type(), replay.result.generated_at) != of_head {
                    return Err(LineFault::Unbacked(
                        "the verdict answers another question than the first line",
                    ));
                }
                counted.count(replay);
            }
            ReportLine::Unlisted(unlisted) => counted.count_unlisted(unlisted),
            ReportLine::End(end) => {
                self.is_done = true;
                check_end(&self.head, counted, end)?;
            }
        }
        Ok(line)
    }
}

/// What a line could not be read for.
enum Unread {
    System(io::Error),
    TooLong,
}

impl Unread {
    fn on(self, file: &Path, line: u64) -> ReportError {
        match self {
            Self::System(source) => ReportError::Io { action: "read", path: file.to_owned(), source },
            Self::TooLong => at(file, line, LineFault::TooLong(MAX_LINE_BYTES)),
        }
    }
}

fn at(file: &Path, line: u64, fault: LineFault) -> ReportError {
    ReportError::Line { file: file.to_owned(), line, fault: Box::new(fault) }
}

/// Reads up to the next end of a line, which is taken off. False where there is none.
fn next(source: &mut impl BufRead, bytes: &mut Vec<u8>) -> Result<bool, Unread> {
    bytes.clear();
    source.take(MAX_LINE_BYTES + 1).read_until(b'\n', bytes).map_err(Unread::System)?;
    if bytes.pop_if(|last| *last == b'\n').is_some() {
        return Ok(true);
    }
    if bytes.len() as u64 > MAX_LINE_BYTES { Err(Unread::TooLong) } else { Ok(false) }
}

fn value_of(bytes: &[u8]) -> Result<Value, LineFault> {
    let limits = Limits::CONTENT.with_max_bytes(usize::try_from(MAX_LINE_BYTES).unwrap_or(usize::MAX));
    Ok(parse(bytes, &limits).map_err(FormError::Malformed)?)
}

/// The head in the bytes of a first line.
pub(super) fn head_of(bytes: &[u8]) -> Result<Head, LineFault> {
    let head = Head::from_value(&value_of(bytes)?)?;
    spelled(bytes, head.to_line())?;
    Ok(head)
}

/// What was read must be spelled as it was found: so there is nothing in a line that was not understood.
pub(super) fn spelled(bytes: &[u8], again: Result<String, ReportError>) -> Result<(), LineFault> {
    if again.is_ok_and(|again| again.as_bytes() == bytes) { Ok(()) } else { Err(LineFault::Spelling) }
}

fn read_line(bytes: &[u8]) -> Result<ReportLine, LineFault> {
    let value = value_of(bytes)?;
    let node = Node::root(&value);
    if value.get("record").is_some() {
        let replay = line::read_verdict(&value)?;
        spelled(bytes, line::verdict_line(&replay))?;
        return Ok(ReportLine::Verdict(Box::new(replay)));
    }
    if value.get("unlisted").is_some() {
        let unlisted = line::read_unlisted(&node.get("unlisted")?)?;
        spelled(bytes, line::unlisted_line(&unlisted))?;
        return Ok(ReportLine::Unlisted(unlisted));
    }
    Ok(ReportLine::End(Box::new(end_of(bytes, &value)?)))
}

fn end_of(bytes: &[u8], value: &Value) -> Result<End, LineFault> {
    let node = Node::root(value);
    let end = match value.get("part") {
        Some(_) => End::Part(Part::read(&node.get("part")?)?),
        None => End::Whole(totals::read(&node.get("summary")?)?),
    };
    spelled(bytes, spelling::line(&end.to_value()))?;
    Ok(end)
}

/// A summary that counts nothing yet; what lines cannot tell is the last line's to say.
fn empty(head: &Head) -> Summary {
    Summary::empty(head.replay_type, head.generated_at, head.ledger_id, head.entries, head.end)
}

fn check_end(head: &Head, counted: &Summary, end: &End) -> Result<(), LineFault> {
    if matches!(end, End::Part(_)) != head.shard.is_some() {
        return Err(LineFault::Unbacked("a shard ends with a part, and nothing else does"));
    }
    let said = end.summary();
    let of_ledger = |summary: &Summary| {
        (summary.replay_type, summary.generated_at, summary.ledger_id, summary.entries, summary.end)
    };
    if of_ledger(said) != of_ledger(counted) || said.entries_checked != (head.selection == "all") {
        return Err(LineFault::Unbacked("the last line is of another run than the first"));
    }
    if totals::counted(counted, said) == *said { Ok(()) } else { Err(LineFault::Counts) }
}

/// A report in a file, which is read as often as somebody asks. What stands in the middle is judged when it is read.
#[derive(Debug)]
pub struct ReportFile {
    path: PathBuf,
    head: Head,
    end: End,
}

impl ReportFile {
    /// Opens a report: its first and its last line are read.
    ///
    /// # Errors
    /// [`ReportError`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, ReportError> {
        let path = path.into();
        let head = Self::reader(&path)?.head().clone();
        let mut file = File::open(&path).map_err(|source| unreadable(&path, source))?;
        let last = last_line(&mut file).map_err(|fault| fault.on(&path, 0))?;
        let end = last.ok_or(LineFault::Cut).and_then(|bytes| {
            let value = value_of(&bytes).map_err(|_| LineFault::Cut)?;
            let is_end = value.get("summary").is_some() || value.get("part").is_some();
            if is_end { end_of(&bytes, &value) } else { Err(LineFault::Cut) }
        });
        let end = end.map_err(|fault| at(&path, lines_of(&path), fault))?;
        Ok(Self { path, head, end })
    }

    /// A reader of a file from its first line on.
    pub(super) fn reader(path: &Path) -> Result<ReportReader<BufReader<File>>, ReportError> {
        let file = File::open(path).map_err(|source| unreadable(path, source))?;
        ReportReader::new(BufReader::with_capacity(1 << 16, file), path)
    }

    /// What the first line says.
    #[must_use]
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// What the last line says.
    #[must_use]
    pub const fn end(&self) -> &End {
        &self.end
    }

    /// The entries that the report is about: as many of this ledger as were read then, under the root that was theirs.
    ///
    /// # Errors
    /// [`ReportError::NotOfLedger`], [`ReportError::Ledger`].
    pub fn prefix(&self, snapshot: &Snapshot) -> Result<Snapshot, ReportError> {
        let other = |member| ReportError::NotOfLedger { file: self.path.clone(), member };
        if self.head.ledger_id != snapshot.ledger_id() {
            return Err(other("ledger_id"));
        }
        let prefix = snapshot.at(self.head.entries).map_err(|error| match error {
            TreeError::Entry(fault) => ReportError::Ledger(fault),
            _ => other("entries"),
        })?;
        match super::head::root(&prefix)? == self.head.root {
            true => Ok(prefix),
            false => Err(other("root")),
        }
    }

    /// Hands on every line behind the first, with its bytes, the last one included.
    ///
    /// # Errors
    /// [`ReportError`]: of the file, or that of `take`.
    pub fn visit(&self, take: &mut TakeLine<'_>) -> Result<(), ReportError> {
        let mut reader = Self::reader(&self.path)?;
        while let Some(line) = reader.next_line()? {
            if take(line, reader.bytes())?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl Verdicts for ReportFile {
    fn each(&self, take: &mut dyn FnMut(TraceReplay) -> ControlFlow<()>) -> Result<(), ReportError> {
        self.visit(&mut |line, _| {
            Ok(match line {
                ReportLine::Verdict(replay) => take(*replay),
                ReportLine::Unlisted(_) | ReportLine::End(_) => ControlFlow::Continue(()),
            })
        })
    }
}

fn unreadable(path: &Path, source: io::Error) -> ReportError {
    ReportError::Io { action: "read", path: path.to_owned(), source }
}

/// The last line without its end; none where the file does not end with one.
fn last_line(file: &mut File) -> Result<Option<Vec<u8>>, Unread> {
    const CHUNK_BYTES: u64 = 1 << 16;
    let end = file.seek(SeekFrom::End(0)).map_err(Unread::System)?;
    let (mut start, mut tail) = (end, Vec::new());
    while start > 0 {
        let from = start.saturating_sub(CHUNK_BYTES);
        let mut chunk = vec![0; usize::try_from(start - from).unwrap_or_default()];
        file.seek(SeekFrom::Start(from)).and_then(|_| file.read_exact(&mut chunk)).map_err(Unread::System)?;
        chunk.extend_from_slice(&tail);
        (tail, start) = (chunk, from);
        let Some(body) = tail.strip_suffix(b"\n") else { return Ok(None) };
        if let Some(at) = body.iter().rposition(|byte| *byte == b'\n') {
            return Ok(body.get(at + 1..).map(<[u8]>::to_vec));
        }
        if tail.len() as u64 > MAX_LINE_BYTES {
            return Err(Unread::TooLong);
        }
    }
    Ok(tail.strip_suffix(b"\n").map(<[u8]>::to_vec))
}

/// How many lines a file has, a last one without an end included: the place of what is wrong with its end.
fn lines_of(path: &Path) -> u64 {
    let Ok(file) = File::open(path) else { return 0 };
    let (mut source, mut lines, mut is_open) = (BufReader::new(file), 0, false);
    loop {
        let (count, length) = match source.fill_buf() {
            Ok(bytes) if !bytes.is_empty() => {
                is_open = bytes.last() != Some(&b'\n');
                (bytes.iter().filter(|byte| **byte == b'\n').count() as u64, bytes.len())
            }
            _ => return lines + u64::from(is_open),
        };
        lines += count;
        source.consume(length);
    }
}

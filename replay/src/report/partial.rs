//! A report in the making, on the disk: `FILE.partial` grows by lines, `FILE.checkpoint` says up to where it counts
//! and how to go on from there.
//!
//! The calls, in order. A checkpoint: write the lines, sync them; write and sync `FILE.checkpoint.new`, rename it over
//! `FILE.checkpoint`, sync the folder. So a checkpoint never speaks of lines that are not there. The end: write the
//! lines, sync, rename `FILE.partial` to FILE, remove the checkpoint, sync the folder. A kill between the last two
//! leaves a checkpoint beside a whole report, which nothing reads.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use proofline_canon::{Limits, Sha256Digest, Sha256Hasher, Value, parse};

use super::error::ReportError;
use super::head::Head;
use super::node::Node;
use super::progress::Progress;
use super::read;
use super::spelling;
use crate::form::FormError;

const FORMAT: &str = "proofline-report-checkpoint";
const VERSION: u64 = 1;

/// The files of one report.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) out: PathBuf,
    pub(super) partial: PathBuf,
    pub(super) checkpoint: PathBuf,
}

impl Names {
    pub(super) fn of(out: &Path) -> Self {
        let with = |end: &str| {
            let mut name = OsString::from(out);
            name.push(end);
            PathBuf::from(name)
        };
        Self { out: out.to_owned(), partial: with(".partial"), checkpoint: with(".checkpoint") }
    }

    /// Syncs the folder, so that names are as durable as what they name.
    fn sync_folder(&self) -> Result<(), ReportError> {
        let folder = self.out.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or_else(|| Path::new("."));
        File::open(folder).and_then(|file| file.sync_all()).map_err(|error| failed("sync", folder, error))
    }

    /// Takes away what a finished or discarded run leaves.
    pub(super) fn remove(&self, path: &Path) -> Result<(), ReportError> {
        match fs::remove_file(path) {
            Ok(()) => self.sync_folder(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed("remove", path, error)),
        }
    }

    fn misfit(&self, what: &'static str) -> ReportError {
        ReportError::Checkpoint { partial: self.partial.clone(), checkpoint: self.checkpoint.clone(), what }
    }
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> ReportError {
    ReportError::Io { action, path: path.to_owned(), source }
}

/// Up to where a report in the making counts.
#[derive(Debug, Clone)]
pub(super) struct Checkpoint {
    bytes: u64,
    sha256: Sha256Digest,
    pub(super) progress: Progress,
}

impl Checkpoint {
    fn to_value(&self) -> Value {
        let inner = Value::object([
            ("format", Value::from(FORMAT)),
            ("version", Value::from(VERSION)),
            ("bytes", Value::from(self.bytes)),
            ("sha256", Value::from(self.sha256.to_string())),
            ("progress", self.progress.to_value()),
        ]);
        Value::object([("checkpoint", inner)])
    }

    /// Reads the checkpoint beside a report in the making; none where there is none.
    pub(super) fn read(names: &Names) -> Result<Option<Self>, ReportError> {
        let bytes = match fs::read(&names.checkpoint) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", &names.checkpoint, error)),
        };
        let unreadable = || names.misfit("the checkpoint is none that this program writes");
        let body = bytes.strip_suffix(b"\n").ok_or_else(unreadable)?;
        let checkpoint = Self::parse(body).map_err(|_| unreadable())?;
        read::spelled(body, spelling::line(&checkpoint.to_value())).map_err(|_| unreadable())?;
        Ok(Some(checkpoint))
    }

    fn parse(bytes: &[u8]) -> Result<Self, FormError> {
        let value = parse(bytes, &Limits::CONTENT)?;
        let node = Node::root(&value).get("checkpoint")?;
        Ok(Self {
            bytes: node.get("bytes")?.count()?,
            sha256: node.get("sha256")?.word("a SHA-256")?,
            progress: Progress::read(&node.get("progress")?)?,
        })
    }
}

/// The head of a report in the making.
pub(super) fn head(names: &Names) -> Result<Head, ReportError> {
    let mut line = Vec::new();
    let read = File::open(&names.partial).and_then(|file| {
        BufReader::new(file).take(Limits::ENVELOPE.max_bytes() as u64).read_until(b'\n', &mut line)
    });
    read.map_err(|error| failed("read", &names.partial, error))?;
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    read::head_of(line).map_err(|_| names.misfit("the first line of the report is no head"))
}

/// `FILE.partial`, open for writing.
#[derive(Debug)]
pub(super) struct Partial {
    names: Names,
    out: BufWriter<File>,
    bytes: u64,
    hasher: Sha256Hasher,
}

impl Partial {
    /// A new one, which must not be there.
    pub(super) fn create(names: Names) -> Result<Self, ReportError> {
        let file = OpenOptions::new().write(true).create_new(true).open(&names.partial);
        let file = file.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => ReportError::Unfinished(names.partial.clone()),
            _ => failed("create", &names.partial, error),
        })?;
        lock(&file, &names)?;
        Ok(Self {
            names,
            out: BufWriter::with_capacity(1 << 16, file),
            bytes: 0,
            hasher: Sha256Hasher::new(),
        })
    }

    /// The one that a run left, cut back to its checkpoint.
    pub(super) fn reopen(names: Names, checkpoint: &Checkpoint) -> Result<Self, ReportError> {
        let unreadable = |error| failed("read", &names.partial, error);
        let mut file = OpenOptions::new().read(true).write(true).open(&names.partial).map_err(unreadable)?;
        lock(&file, &names)?;
        let hasher = hash_front(&mut file, checkpoint.bytes).map_err(unreadable)?;
        let hasher =
            hasher.ok_or_else(|| names.misfit("the report is shorter than it was at the checkpoint"))?;
        if hasher.clone().finalize() != checkpoint.sha256 {
            return Err(names.misfit("the report is not the one that the checkpoint was made of"));
        }
        let cut = file.set_len(checkpoint.bytes).and_then(|()| file.seek(SeekFrom::End(0)));
        cut.map_err(|error| failed("cut", &names.partial, error))?;
        let out = BufWriter::with_capacity(1 << 16, file);
        Ok(Self { names, out, bytes: checkpoint.bytes, hasher })
    }

    pub(super) fn line(&mut self, line: &str) -> Result<(), ReportError> {
        for bytes in [line.as_bytes(), b"\n"] {
            self.hasher.update(bytes);
            self.bytes = self.bytes.saturating_add(bytes.len() as u64);
            self.out.write_all(bytes).map_err(|error| failed("write", &self.names.partial, error))?;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), ReportError> {
        let synced = self.out.flush().and_then(|()| self.out.get_ref().sync_all());
        synced.map_err(|error| failed("sync", &self.names.partial, error))
    }

    /// Makes all lines durable, and says how to go on behind them.
    pub(super) fn checkpoint(&mut self, progress: Progress) -> Result<(), ReportError> {
        self.sync()?;
        let checkpoint = Checkpoint { bytes: self.bytes, sha256: self.hasher.clone().finalize(), progress };
        let mut new = OsString::from(&self.names.checkpoint);
        new.push(".new");
        let (new, line) = (PathBuf::from(new), spelling::line(&checkpoint.to_value())? + "\n");
        let written = File::create(&new).and_then(|mut file| {
            file.write_all(line.as_bytes())?;
            file.sync_all()
        });
        written.map_err(|error| failed("write", &new, error))?;
        let renamed = fs::rename(&new, &self.names.checkpoint);
        renamed.map_err(|error| failed("rename", &new, error))?;
        self.names.sync_folder()
    }

    /// Makes it the report.
    pub(super) fn finish(mut self) -> Result<(), ReportError> {
        self.sync()?;
        let names = &self.names;
        if fs::symlink_metadata(&names.out).is_ok() {
            return Err(ReportError::Exists(names.out.clone()));
        }
        fs::rename(&names.partial, &names.out).map_err(|error| failed("rename", &names.partial, error))?;
        names.sync_folder()?;
        names.remove(&names.checkpoint)
    }

    /// Takes it away: nothing of it can be gone on with.
    pub(super) fn discard(self) {
        // What made the run fail is the error to tell.
        let _ = self.names.remove(&self.names.partial);
    }
}

fn lock(file: &File, names: &Names) -> Result<(), ReportError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(ReportError::InUse(names.partial.clone())),
        Err(TryLockError::Error(error)) => Err(failed("lock", &names.partial, error)),
    }
}

/// A hasher that has read the first bytes of a file; none where it has not so many.
fn hash_front(file: &mut File, bytes: u64) -> io::Result<Option<Sha256Hasher>> {
    let (mut hasher, mut left) = (Sha256Hasher::new(), bytes);
    let mut source = BufReader::with_capacity(1 << 16, file.take(bytes));
    while left > 0 {
        let chunk = source.fill_buf()?;
        if chunk.is_empty() {
            return Ok(None);
        }
        hasher.update(chunk);
        let length = chunk.len();
        left = left.saturating_sub(length as u64);
        source.consume(length);
    }
    Ok(Some(hasher))
}

//! Payloads that come with evidence: the files of a folder, or the lines of a file, each kept under its digest
//! before the envelope that names it.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proofline::ledger::disk::Disk;
use proofline::ledger::{BLOBS_DIR, BlobError, Blobs};

use super::error::CliError;
use super::progress::Progress;
use super::safe::safe_path;

/// Keeps all payloads of a folder or file in the ledger and says how many there were.
pub(crate) fn store(disk: Arc<dyn Disk>, ledger: &Path, from: &Path) -> Result<u64, CliError> {
    let blobs = Blobs::open_on(disk, ledger)?;
    let progress = Progress::counter("payloads stored");
    let is_folder = fs::metadata(from).map_err(|source| unreadable(from, source))?.is_dir();
    if !is_folder {
        return store_lines(&blobs, from, &progress);
    }
    let mut count = 0;
    let mut open = vec![from.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let mut inside = list(&path)?;
            // Ascending, and the first one is taken first.
            inside.sort_unstable_by(|a, b| b.cmp(a));
            open.extend(inside);
            continue;
        }
        let mut file = File::open(&path).map_err(|source| unreadable(&path, source))?;
        put(&blobs, &mut file, &path)?;
        progress.advance(1);
        count += 1;
    }
    Ok(count)
}

/// The files and folders in a folder; links to folders are passed over, for they may lead in circles.
fn list(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let failed = |source| unreadable(folder, source);
    let mut paths = Vec::new();
    for file in fs::read_dir(folder).map_err(failed)? {
        let file = file.map_err(failed)?;
        let is_folder = file.file_type().map_err(failed)?.is_dir();
        if is_folder || file.path().is_file() {
            paths.push(file.path());
        }
    }
    Ok(paths)
}

fn store_lines(blobs: &Blobs, from: &Path, progress: &Progress) -> Result<u64, CliError> {
    let mut reader = BufReader::new(File::open(from).map_err(|source| unreadable(from, source))?);
    let mut count = 0;
    loop {
        let next = reader.fill_buf().map_err(|source| unreadable(from, source))?.first().copied();
        match next {
            None => return Ok(count),
            Some(b'\n') => reader.consume(1),
            Some(_) => {
                put(blobs, &mut UpToNewline { reader: &mut reader }, from)?;
                progress.advance(1);
                count += 1;
            }
        }
    }
}

fn put(blobs: &Blobs, reader: &mut dyn Read, from: &Path) -> Result<(), CliError> {
    match blobs.put_reader(reader, u64::MAX) {
        Ok(_) => Ok(()),
        Err(BlobError::Source(source)) => Err(unreadable(from, source)),
        Err(source) => Err(CliError::Blob { name: safe_path(from), source }),
    }
}

fn unreadable(path: &Path, source: io::Error) -> CliError {
    CliError::Unreadable { name: safe_path(path), source }
}

/// The rest of a line, without its newline, which stays unread.
struct UpToNewline<'a, R> {
    reader: &'a mut R,
}

impl<R: BufRead> Read for UpToNewline<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let waiting = self.reader.fill_buf()?;
        let line = waiting.iter().position(|byte| *byte == b'\n').unwrap_or(waiting.len());
        let count = line.min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(waiting.iter().take(count)) {
            *to = *from;
        }
        self.reader.consume(count);
        Ok(count)
    }
}

/// The payloads of a ledger, where it has some.
pub(crate) fn of_ledger(dir: &Path) -> Result<Option<Blobs>, CliError> {
    Ok(if dir.join(BLOBS_DIR).is_dir() { Some(Blobs::open(dir)?) } else { None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_before_its_newline_however_it_is_read() {
        for size in 1..9 {
            let mut reader = BufReader::with_capacity(size, b"abc\r\n\ndef".as_slice());
            let mut line = String::new();
            UpToNewline { reader: &mut reader }.read_to_string(&mut line).unwrap();
            assert_eq!(line, "abc\r");
            reader.consume(1);
            assert_eq!(reader.fill_buf().unwrap().first(), Some(&b'\n'));
        }
    }
}

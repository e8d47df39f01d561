//! A whole file of telemetry into a ledger.

use std::io::{self, Read, Seek, SeekFrom};

use proofline_canon::{Sha256Digest, Sha256Hasher};
use proofline_ledger::{Blobs, Ledger};
use proofline_trace::{Counted, SafeInt, Token};
use thiserror::Error;

use super::{ImportError, ImportOrder, Imported, Importer, Source};
use crate::read::{Found, ReadError, ReadOptions, Reading, Stop, read};

/// Bytes in memory while a file is hashed.
const WINDOW_BYTES: usize = 1 << 20;

/// Why a file was not imported to its end.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ImportFileError {
    /// It cannot be read; where it is in no framing, nothing of it was taken in.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// There is nothing in it: more likely a mistake than a wish. The ledger is as it was.
    #[error("there is no message of OTLP in it, and nothing else")]
    Empty,
    /// It was read, and the ledger did not take it.
    #[error(transparent)]
    Import(#[from] ImportError),
}

impl ImportFileError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Read(error) => error.code(),
            Self::Empty => "otlp.empty",
            Self::Import(error) => error.code(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Read(error) => error.hint(),
            Self::Empty => "look at what was to write it; it is no telemetry of nothing, and has no account",
            Self::Import(error) => error.hint(),
        }
    }
}

/// Imports a file, from its first byte to the account. `clock` gives Unix milliseconds for entries, and `watch` hears
/// how many
/// spans were taken.
///
/// # Errors
/// [`ImportFileError`]. What was committed before stays, and the same import again goes on from there.
pub fn import_file<R: Read + Seek>(
    ledger: &Ledger,
    blobs: &Blobs,
    order: &ImportOrder,
    input: &mut R,
    options: &ReadOptions,
    clock: &mut dyn FnMut() -> u64,
    watch: &mut dyn FnMut(u64),
) -> Result<Imported, ImportFileError> {
    let unread = |offset| move |source| ReadError::Io { doing: "read", offset, source };
    let (sha256, size_bytes) = digest_of(input).map_err(unread(0))?;
    let mut importer = Importer::new(ledger, blobs, order)?;
    let reading = read(input, options, &mut |item| {
        importer.take(item, clock())?;
        watch(importer.spans());
        Ok::<(), ImportError>(())
    });
    let reading = reading.map_err(|stop| match stop {
        Stop::Read(error) => ImportFileError::Read(error),
        Stop::Sink(error) => ImportFileError::Import(error),
    })?;
    if reading.framing == Found::Empty {
        return Err(ImportFileError::Empty);
    }
    let source = Source {
        sha256,
        size_bytes,
        framing: Token::of_name(reading.framing.name()),
        messages: reading.messages,
        warnings: warnings(&reading),
    };
    Ok(importer.finish(source, clock())?)
}

fn digest_of<R: Read + Seek>(input: &mut R) -> io::Result<(Sha256Digest, u64)> {
    input.seek(SeekFrom::Start(0))?;
    let (mut hasher, mut size_bytes) = (Sha256Hasher::new(), 0);
    let mut window = vec![0; WINDOW_BYTES];
    loop {
        match input.read(&mut window) {
            Ok(0) => break,
            Ok(count) => {
                hasher.update(window.get(..count).unwrap_or_default());
                size_bytes += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    input.seek(SeekFrom::Start(0))?;
    Ok((hasher.finalize(), size_bytes))
}

/// What was odd, by kind: names and places are for whoever reads the account at once, and not for the record.
fn warnings(reading: &Reading) -> Vec<Counted> {
    let mut counts = std::collections::BTreeMap::new();
    for warned in &reading.warnings {
        *counts.entry(Token::of_name(warned.kind.name())).or_insert(0_u64) += warned.count;
    }
    if reading.truncated.is_some() {
        counts.insert(Token::of_name("truncated"), 1);
    }
    counts.into_iter().map(|(what, count)| Counted { what, count: SafeInt::saturating(count) }).collect()
}

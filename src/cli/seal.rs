//! `proofline seal`: encrypts content under its subject's key, into a ledger or a file.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use proofline::ledger::SubjectName;
use proofline::ledger::{BlobError, Blobs, Snapshot, StoredBlob};
use proofline::proof::sealed::{Content, SealError, Sealer, SubjectKey, sealed_size_bytes};
use proofline::trace::{ContentType, SubjectKeyId};
use serde::Serialize;
use zeroize::Zeroizing;

use super::error::CliError;
use super::exit::Exit;
use super::input::{Source, ledger_folder};
use super::key_file::write_new_with;
use super::output::{Out, OutputArgs};
use super::safe::safe_path;
use super::sealing_error::SealingError;
use super::subject::open_keys;

/// The most that is held in memory of a standard input, which cannot be read twice.
const MAX_STDIN_BYTES: usize = 256 << 20;

/// Encrypts content under its subject's key, into a ledger or a file
///
/// What is printed is the BlobRef to put into an envelope. Equal content under
/// one key is the same payload. Length, subject key and equality can be told
/// without the key; docs/sealed.md says what else cannot be hidden. A file is
/// read twice and must not change meanwhile; the standard input is held in
/// memory, since a temporary file would be a copy that no erasure reaches.
///
/// Examples:
///   proofline seal letter.txt --subject-keys keys --subject Ines --ledger ledger
///   proofline seal letter.txt --subject-keys keys --subject Ines --out sealed
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct SealArgs {
    /// The content; `-` for the standard input, at most 256 MiB
    file: PathBuf,
    /// The folder of subject keys
    #[arg(long, value_name = "FOLDER")]
    subject_keys: PathBuf,
    /// Whom the content is about
    #[arg(long, value_name = "NAME")]
    subject: String,
    /// Keep it as a payload of this ledger
    #[arg(long, value_name = "DIR", required_unless_present = "out")]
    ledger: Option<PathBuf>,
    /// Write it into this new file
    #[arg(long, value_name = "FILE", conflicts_with = "ledger")]
    out: Option<PathBuf>,
    /// What the BlobRef calls the sealed bytes
    #[arg(long, value_name = "TYPE", default_value = "application/vnd.proofline.sealed")]
    content_type: ContentType,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// A sealed payload as JSON shows it.
#[derive(Serialize)]
struct SealLine<'a> {
    blob: BlobLine<'a>,
    key_id: SubjectKeyId,
    file: Option<String>,
}

/// A BlobRef, its members in canonical order.
#[derive(Serialize)]
struct BlobLine<'a> {
    content_type: &'a str,
    sha256: proofline::canon::Sha256Digest,
    size_bytes: u64,
}

/// Seals.
pub(crate) fn run(args: &SealArgs, out: &mut Out) -> Result<Exit, CliError> {
    let name = SubjectName::new(&args.subject)?;
    // Held until the payload is kept: nobody destroys the key meanwhile.
    let keys = open_keys(&args.subject_keys)?;
    let key = keys.find(&name)?;
    let source = Source::of(Some(&args.file));
    let stored = match &source {
        Source::Stdin => {
            let content = Zeroizing::new(source.read_all(MAX_STDIN_BYTES)?);
            seal(args, &key, &source, io::Cursor::new(content.as_slice()))?
        }
        Source::File(path) => {
            let file = File::open(path).map_err(|error| source.unreadable(error))?;
            seal(args, &key, &source, file)?
        }
    };
    let blob = BlobLine {
        content_type: args.content_type.as_str(),
        sha256: stored.name,
        size_bytes: stored.size_bytes,
    };
    if out.is_json() {
        let file = args.out.as_deref().map(safe_path);
        out.json(&SealLine { blob, key_id: key.id(), file })?;
    } else {
        out.json(&blob)?;
    }
    Ok(Exit::Ok)
}

fn seal(
    args: &SealArgs,
    key: &SubjectKey,
    source: &Source,
    mut file: impl Read + Seek,
) -> Result<StoredBlob, CliError> {
    let content = Content::measure(&mut file).map_err(|error| source.unreadable(error))?;
    file.rewind().map_err(|error| source.unreadable(error))?;
    let refused = |error| SealingError::Seal { name: source.name(), source: error };
    let mut sealer = Sealer::new(key, &content, file).map_err(refused)?;
    match (&args.ledger, &args.out) {
        (Some(dir), _) => into_ledger(dir, key, source, &mut sealer),
        (None, Some(path)) => into_file(path, source, &content, sealer),
        (None, None) => Err(CliError::Usage("name a ledger with --ledger, or a file with --out")),
    }
}

fn into_ledger(
    dir: &Path,
    key: &SubjectKey,
    source: &Source,
    sealer: &mut dyn Read,
) -> Result<StoredBlob, CliError> {
    let dir = ledger_folder(dir)?;
    if let Some(seq) = Snapshot::open(dir)?.erasures()?.of_subject(&key.id()) {
        return Err(SealingError::Erased { key_id: key.id(), seq }.into());
    }
    match Blobs::open(dir)?.put_reader(sealer, u64::MAX) {
        Ok(stored) => Ok(stored),
        Err(BlobError::Source(error)) => Err(of_source(source, error)),
        Err(error) => Err(CliError::Blob { name: source.name(), source: error }),
    }
}

fn into_file(
    path: &Path,
    source: &Source,
    content: &Content,
    sealer: impl Read,
) -> Result<StoredBlob, CliError> {
    let size_bytes = sealed_size_bytes(content.size_bytes)
        .map_err(|error| SealingError::Seal { name: source.name(), source: error })?;
    let unwritable = |error| CliError::Unwritable { name: safe_path(path), source: error };
    let mut sealed = Hashing::of(sealer);
    write_new_with(path, 0o666, |file| {
        let mut window = vec![0; 64 << 10];
        loop {
            let count = sealed.read(&mut window).map_err(|error| of_source(source, error))?;
            if count == 0 {
                return Ok(());
            }
            file.write_all(window.get(..count).unwrap_or_default()).map_err(unwritable)?;
        }
    })?;
    Ok(StoredBlob { name: sealed.finish(), size_bytes })
}

/// The error of a second pass: the content changed, or could not be read again.
fn of_source(source: &Source, error: io::Error) -> CliError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<SealError>()) {
        Some(inner) => SealingError::Seal { name: source.name(), source: *inner }.into(),
        None => source.unreadable(error),
    }
}

/// Digests what passes by.
pub(crate) struct Hashing<R> {
    inner: R,
    hasher: proofline::canon::Sha256Hasher,
}

impl<R> Hashing<R> {
    pub(crate) fn of(inner: R) -> Self {
        Self { inner, hasher: proofline::canon::Sha256Hasher::new() }
    }

    pub(crate) fn finish(self) -> proofline::canon::Sha256Digest {
        self.hasher.finalize()
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}

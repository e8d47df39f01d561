//! `proofline unseal`: opens a sealed payload with its subject's key.

use std::fs::File;
use std::io::{self, Cursor, Read, Write};
use std::path::{Path, PathBuf};

use proofline::canon::Sha256Digest;
use proofline::ledger::{BLOBS_DIR, Snapshot, SubjectKeys};
use proofline::proof::sealed::{Content, HEADER_BYTES, OpenError, SealedHeader, SubjectKey, open};
use proofline::trace::SubjectKeyId;
use serde::Serialize;

use super::error::CliError;
use super::exit::Exit;
use super::input::ledger_folder;
use super::key_file::write_new_with;
use super::output::{Out, OutputArgs};
use super::safe::safe_path;
use super::seal::Hashing;
use super::sealing_error::SealingError;
use super::subject::open_keys;

/// Opens a sealed payload with its subject's key
///
/// The payload says which key it is sealed under. OUT is a new file for its owner
/// alone, and is there only if all of the payload is what was sealed. What was
/// opened is out of reach of an erasure: delete it when it has served.
///
/// Examples:
///   proofline unseal 3b7e... --ledger ledger --subject-keys keys --out letter.txt
///   proofline unseal letter.sealed --subject-keys keys --out letter.txt
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct UnsealArgs {
    /// A file; with --ledger the SHA-256 of a payload
    #[arg(value_name = "FILE|SHA256")]
    what: PathBuf,
    /// The ledger that keeps the payload
    #[arg(long, value_name = "DIR")]
    ledger: Option<PathBuf>,
    /// The folder of subject keys
    #[arg(long, value_name = "FOLDER")]
    subject_keys: PathBuf,
    /// The new file for the content
    #[arg(long, value_name = "OUT")]
    out: PathBuf,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Opened content as JSON shows it.
#[derive(Serialize)]
struct UnsealLine {
    file: String,
    sha256: Sha256Digest,
    size_bytes: u64,
    key_id: SubjectKeyId,
}

/// A payload to be opened.
struct Payload<'a> {
    name: String,
    file: File,
    /// The ledger that keeps it and the name under which it does.
    kept: Option<(&'a Path, Sha256Digest)>,
}

/// Opens.
pub(crate) fn run(args: &UnsealArgs, out: &mut Out) -> Result<Exit, CliError> {
    let keys = open_keys(&args.subject_keys)?;
    let mut payload = find(args)?;
    let mut start = Vec::new();
    let header = read_header(&mut payload, &mut start)?;
    let key = key_of(&keys, &header, &payload)?;
    let content = write_new_with(&args.out, 0o600, |file| payload.open(&key, start, file))?;
    let file = safe_path(&args.out);
    if out.is_json() {
        let Content { sha256, size_bytes } = content;
        out.json(&UnsealLine { file, sha256, size_bytes, key_id: key.id() })?;
    } else {
        out.line(format_args!("opened {} bytes into {file}", content.size_bytes))?;
    }
    Ok(Exit::Ok)
}

fn find(args: &UnsealArgs) -> Result<Payload<'_>, CliError> {
    let Some(dir) = &args.ledger else {
        let name = safe_path(&args.what);
        let file =
            File::open(&args.what).map_err(|source| CliError::Unreadable { name: name.clone(), source })?;
        return Ok(Payload { name, file, kept: None });
    };
    let dir = ledger_folder(dir)?;
    let text = args.what.to_string_lossy();
    let digest: Sha256Digest = text
        .parse()
        .map_err(|_| CliError::Usage("with --ledger, name a payload by its SHA-256: 64 hex digits"))?;
    // A folder that is no ledger is told as such.
    Snapshot::open(dir)?;
    let name = digest.to_string();
    let (folder, rest) = name.split_at_checked(2).unwrap_or_default();
    match File::open(dir.join(BLOBS_DIR).join(folder).join(rest)) {
        Ok(file) => Ok(Payload { name, file, kept: Some((dir, digest)) }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(SealingError::NoPayload { name }.into()),
        Err(source) => Err(CliError::Unreadable { name, source }),
    }
}

fn read_header(payload: &mut Payload<'_>, start: &mut Vec<u8>) -> Result<SealedHeader, CliError> {
    let most = HEADER_BYTES as u64;
    let unreadable = |source| CliError::Unreadable { name: payload.name.clone(), source };
    (&mut payload.file).take(most).read_to_end(start).map_err(unreadable)?;
    SealedHeader::parse(start).map_err(|error| payload.refused(error))
}

/// The key that it is sealed under; without it, why.
fn key_of(keys: &SubjectKeys, header: &SealedHeader, payload: &Payload<'_>) -> Result<SubjectKey, CliError> {
    let key_id = header.key_id();
    if let Some(key) = keys.key(&key_id)? {
        return Ok(key);
    }
    if let Some((dir, _)) = payload.kept
        && let Some(seq) = Snapshot::open(dir)?.erasures()?.of_subject(&key_id)
    {
        return Err(SealingError::Erased { key_id, seq }.into());
    }
    Err(SealingError::NoKey { name: payload.name.clone(), key_id }.into())
}

impl Payload<'_> {
    fn refused(&self, source: OpenError) -> CliError {
        SealingError::Open { name: self.name.clone(), source }.into()
    }

    /// Opens it, and checks that it is what its name in the ledger says.
    fn open(&self, key: &SubjectKey, start: Vec<u8>, to: &mut dyn Write) -> Result<Content, CliError> {
        let mut sealed = Hashing::of(Cursor::new(start).chain(&self.file));
        let content = open(key, &mut sealed, to).map_err(|error| self.refused(error))?;
        let actual = sealed.finish();
        match self.kept {
            Some((_, digest)) if digest != actual => {
                Err(SealingError::OtherPayload { name: self.name.clone(), actual: actual.to_string() }.into())
            }
            _ => Ok(content),
        }
    }
}

//! `proofline hash`: the digests that a document goes by.

use std::path::PathBuf;

use proofline::canon::{Blake3Digest, Cid, Limits, Sha256Digest, canonicalize};
use serde::Serialize;

use super::canon::ReadingArgs;
use super::error::CliError;
use super::exit::Exit;
use super::input::Source;
use super::output::{Out, OutputArgs};

/// Prints the digests of a JSON document, or of any bytes
///
/// Of a document it hashes the canonical bytes: the SHA-256 of an envelope is
/// its key in a ledger. With --raw it hashes the bytes as they are, as a
/// payload blob is named.
///
/// Examples:
///   proofline hash envelope.json
///   proofline hash --raw picture.png
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct HashArgs {
    /// The document; `-`, or nothing, for the standard input
    file: Option<PathBuf>,
    /// Hash the bytes as they are
    #[arg(long, conflicts_with_all = ["profile", "max_depth"])]
    raw: bool,
    #[command(flatten)]
    reading: ReadingArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Serialize)]
struct HashLine {
    sha256: String,
    blake3: String,
    cid: String,
    size_bytes: usize,
}

/// Prints the digests.
pub(crate) fn run(args: &HashArgs, out: &mut Out) -> Result<Exit, CliError> {
    let source = Source::of(args.file.as_deref());
    let bytes = if args.raw { raw(args, &source)? } else { canonical(args, &source)? };
    let sha256 = Sha256Digest::of(&bytes);
    let line = HashLine {
        sha256: sha256.to_string(),
        blake3: Blake3Digest::of(&bytes).to_string(),
        cid: Cid::from(sha256).to_string(),
        size_bytes: bytes.len(),
    };
    if out.is_json() {
        out.json(&line)?;
    } else {
        out.line(format_args!("sha256  {}", line.sha256))?;
        out.line(format_args!("blake3  {}", line.blake3))?;
        out.line(format_args!("cid     {}", line.cid))?;
    }
    Ok(Exit::Ok)
}

fn raw(args: &HashArgs, source: &Source) -> Result<Vec<u8>, CliError> {
    source.read_all(args.reading.max_bytes.unwrap_or(Limits::CONTENT.max_bytes()))
}

fn canonical(args: &HashArgs, source: &Source) -> Result<Vec<u8>, CliError> {
    let limits = args.reading.limits();
    let bytes = source.read_all(limits.max_bytes())?;
    let named = |error| CliError::Content { name: source.name(), source: error };
    canonicalize(&bytes, args.reading.profile(), &limits).map_err(named)
}

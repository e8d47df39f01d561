//! `proofline attest`: the producer of an envelope stands for it.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use proofline::canon::{Limits, Profile, base64, canonicalize};
use proofline::ledger::{Action, ArtifactRefusal, Ledger, Options, Outcome};
use proofline::proof::files::MAX_PROOF_BYTES;
use proofline::proof::files::dsse::{DsseEnvelope, DsseError, pae};
use proofline::proof::files::producer::{ENVELOPE_HASH_TYPE, sign_envelope};
use proofline::proof::{KeyRole, SecretKey, VerifierKey};
use proofline::trace::{EnvelopeHash, KeyReference, ProducerSignature, SignatureText, TraceId};
use serde::Serialize;
use serde_json::value::RawValue;

use super::clock::Clock;
use super::commit::tell_recovery;
use super::error::CliError;
use super::exit::Exit;
use super::input::{Source, ledger_folder};
use super::key_file::read_secret;
use super::output::{self, Out, OutputArgs};
use super::safe::safe;
use super::signing_error::SigningError;

/// Signs envelopes as their producer, and keeps that in a ledger
///
/// The signature is a DSSE over the envelope's hash. The key has to be a current
/// producer key of the ledger: see `proofline keys add`. A producer that has no
/// ledger signs with --offline and sends the DSSE along; --dsse brings it in.
/// A signature that is refused does not stop the others.
///
/// Examples:
///   proofline attest ledger 9f1c... 03ab... --key gateway.key
///   proofline attest --offline envelope.json --key gateway.key > envelope.dsse
///   proofline attest ledger --dsse envelope.dsse
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct AttestArgs {
    /// The ledger's folder
    #[arg(required_unless_present = "offline")]
    dir: Option<PathBuf>,
    /// The envelopes, each by its hash
    #[arg(value_name = "ENVELOPE_HASH", requires = "key")]
    hashes: Vec<EnvelopeHash>,
    /// The file of the producer's secret key
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Print a DSSE for the envelope in this file, without a ledger; `-` for the standard input
    #[arg(long, value_name = "FILE", requires = "key", conflicts_with_all = ["dir", "hashes", "dsse"])]
    offline: Option<PathBuf>,
    /// Keep the signatures in this DSSE; may be given several times
    #[arg(long, value_name = "FILE", conflicts_with = "hashes")]
    dsse: Vec<PathBuf>,
    /// The time of the entries
    #[arg(long, value_name = "RFC3339|now", default_value = "now", value_parser = Clock::parse, hide = true)]
    clock: Clock,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// A kept signature as JSON shows it.
#[derive(Serialize)]
struct AttestLine {
    envelope_hash: EnvelopeHash,
    trace_id: TraceId,
    key: String,
    seq: u64,
    duplicate: bool,
}

#[derive(Serialize)]
struct OfflineLine {
    envelope_hash: EnvelopeHash,
    key: String,
    dsse: Box<RawValue>,
}

/// Signs, or keeps what was signed.
pub(crate) fn run(args: &AttestArgs, out: &mut Out) -> Result<Exit, CliError> {
    let key = args.key.as_deref().map(read_secret).transpose()?;
    match (&args.offline, &key, &args.dir) {
        (Some(file), Some(key), _) => offline(out, file, key),
        (None, _, Some(dir)) if !args.dsse.is_empty() => {
            let attesting = Attesting::open(args, dir)?;
            attesting.each(out, &args.dsse, |file| attesting.of_dsse(file))
        }
        (None, Some(key), Some(dir)) if !args.hashes.is_empty() => {
            let attesting = Attesting::open(args, dir)?;
            attesting.each(out, &args.hashes, |hash| attesting.signed(hash, key))
        }
        _ => Err(CliError::Usage("give envelope hashes and --key, or --dsse, or --offline and --key")),
    }
}

fn offline(out: &mut Out, file: &Path, key: &SecretKey) -> Result<Exit, CliError> {
    use proofline::proof::Signer;
    let source = Source::of(Some(file));
    let bytes = source.read_all(Limits::ENVELOPE.max_bytes())?;
    let unfit = |error| CliError::Content { name: source.name(), source: error };
    let canonical = canonicalize(&bytes, Profile::Envelope, &Limits::ENVELOPE).map_err(unfit)?;
    let envelope_hash = EnvelopeHash::of(&canonical);
    let dsse = sign_envelope(&envelope_hash, key).and_then(|dsse| dsse.write());
    let dsse = dsse.map_err(|error| refused_dsse(source.name(), error))?;
    let text = String::from_utf8_lossy(&dsse).into_owned();
    if !out.is_json() {
        out.line(text)?;
        return Ok(Exit::Ok);
    }
    let dsse = RawValue::from_string(text);
    let dsse = dsse.map_err(|error| CliError::Internal(format!("a DSSE is no JSON: {error}")))?;
    out.json(&OfflineLine { envelope_hash, key: key.verifier().short_name(), dsse })?;
    Ok(Exit::Ok)
}

fn refused_dsse(name: String, error: DsseError) -> CliError {
    match error {
        DsseError::Sign(error) => error.into(),
        source => SigningError::Dsse { name, source }.into(),
    }
}

struct Attesting<'a> {
    args: &'a AttestArgs,
    ledger: Ledger,
}

impl<'a> Attesting<'a> {
    fn open(args: &'a AttestArgs, dir: &Path) -> Result<Self, CliError> {
        let ledger = Ledger::open(ledger_folder(dir)?, Options::default())?;
        tell_recovery(args.output.format, &ledger.recovery());
        Ok(Self { args, ledger })
    }

    /// Keeps the signatures of each, and tells of those that are refused; the first of these is the exit code.
    fn each<T>(
        &self,
        out: &mut Out,
        items: &[T],
        signatures: impl Fn(&T) -> Result<Vec<ProducerSignature>, CliError>,
    ) -> Result<Exit, CliError> {
        let mut exit = Exit::Ok;
        for item in items {
            let kept = signatures(item).and_then(|records| {
                records.iter().map(|record| self.append(record)).collect::<Result<Vec<_>, _>>()
            });
            match kept {
                Ok(lines) => lines.iter().try_for_each(|line| show(out, line))?,
                Err(error) => {
                    out.flush()?;
                    exit = Exit::first([exit, error.exit()]);
                    output::report(&error, self.args.output.format);
                }
            }
        }
        Ok(exit)
    }

    /// The key's signature over the envelope with this hash.
    fn signed(&self, hash: &EnvelopeHash, key: &SecretKey) -> Result<Vec<ProducerSignature>, CliError> {
        use proofline::proof::Signer;
        let trace_id = self.trace_of(hash)?;
        let dsse = sign_envelope(hash, key).map_err(|error| refused_dsse(hash.to_string(), error))?;
        let made = dsse.signatures().iter().map(|made| record(trace_id, *hash, key.verifier(), &made.sig));
        made.collect()
    }

    /// The signatures in a DSSE by producers whom the ledger lists.
    fn of_dsse(&self, file: &Path) -> Result<Vec<ProducerSignature>, CliError> {
        let source = Source::of(Some(file));
        let refused = |error| refused_dsse(source.name(), error);
        let dsse = DsseEnvelope::parse(&source.read_all(MAX_PROOF_BYTES)?).map_err(refused)?;
        let snapshot = self.ledger.snapshot()?;
        let (list, size) = (snapshot.key_list()?, snapshot.entries());
        let mut records = Vec::new();
        for listed in list.current(KeyRole::Producer, size) {
            let keys = std::slice::from_ref(&listed.key);
            let verified = match dsse.verify(ENVELOPE_HASH_TYPE, KeyRole::Producer, keys, NonZeroUsize::MIN) {
                Ok(verified) => verified,
                Err(DsseError::Threshold { .. }) => continue,
                Err(error) => return Err(refused(error)),
            };
            let hash = std::str::from_utf8(verified.payload).ok().and_then(|text| text.parse().ok());
            let hash: EnvelopeHash = hash.ok_or_else(|| refused(DsseError::Member("payload")))?;
            let signed = pae(ENVELOPE_HASH_TYPE, verified.payload);
            let made = dsse.signatures().iter().find(|made| listed.key.verify(&signed, &made.sig));
            if let Some(made) = made {
                records.push(record(self.trace_of(&hash)?, hash, &listed.key, &made.sig)?);
            }
        }
        if records.is_empty() {
            let by = |key: &VerifierKey| {
                dsse.signatures().iter().any(|made| made.keyid.as_deref() == Some(&key.short_name()))
            };
            let named = list.current(KeyRole::Producer, size).find(|listed| by(&listed.key));
            let keyid = dsse.signatures().iter().find_map(|made| made.keyid.clone());
            let source_of = match named {
                Some(listed) => ArtifactRefusal::Signature(listed.key.short_name()),
                None => ArtifactRefusal::UnknownProducer(keyid.unwrap_or_else(|| "who signed".to_owned())),
            };
            return Err(SigningError::Refused { name: source.name(), source: source_of }.into());
        }
        Ok(records)
    }

    /// The trace of the evidence with this hash, accepted or not.
    fn trace_of(&self, hash: &EnvelopeHash) -> Result<TraceId, CliError> {
        let snapshot = self.ledger.snapshot()?;
        let first = snapshot.with_hash(hash)?.first().map(|seq| snapshot.header(*seq)).transpose()?.flatten();
        let trace = first.and_then(|header| header.trace);
        trace.map(|link| link.trace_id).ok_or_else(|| CliError::NoSuchHash(hash.to_string()))
    }

    fn append(&self, record: &ProducerSignature) -> Result<AttestLine, CliError> {
        let action = record.canonical();
        let outcome = self.ledger.commit_action(&Action::Artifact(&action), self.args.clock.now_ms())?;
        let envelope_hash = record.envelope_sha256;
        match outcome {
            Outcome::Accepted { seq, duplicate, .. } => Ok(AttestLine {
                envelope_hash,
                trace_id: record.target_trace_id,
                key: record.key.to_string(),
                seq: seq.get(),
                duplicate,
            }),
            Outcome::ArtifactRefused(source) => {
                Err(SigningError::Refused { name: envelope_hash.to_string(), source }.into())
            }
            Outcome::Refused { rejection, .. } => Err(CliError::Internal(format!(
                "a signature was answered as evidence: {}",
                rejection.message
            ))),
        }
    }
}

fn record(
    target_trace_id: TraceId,
    envelope_sha256: EnvelopeHash,
    key: &VerifierKey,
    signature: &[u8],
) -> Result<ProducerSignature, CliError> {
    let unfit = |error| CliError::Internal(format!("a signature does not fit its record: {error}"));
    Ok(ProducerSignature {
        target_trace_id,
        envelope_sha256,
        key: KeyReference::new(&key.short_name()).map_err(unfit)?,
        signature: SignatureText::new(&base64(signature)).map_err(unfit)?,
    })
}

fn show(out: &mut Out, line: &AttestLine) -> Result<(), CliError> {
    if out.is_json() {
        return out.json(line);
    }
    let before = if line.duplicate { ", as it was before: nothing was appended" } else { "" };
    out.line(format_args!("{}", line.envelope_hash))?;
    out.line(format_args!("  signed by {} in entry {}{before}", safe(&line.key), line.seq))
}

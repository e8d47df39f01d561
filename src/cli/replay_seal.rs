//! Seals the verdicts that `proofline replay --record` appends.

use std::path::PathBuf;

use proofline::ledger::{ArtifactRefusal, Ledger, Snapshot};
use proofline::proof::{KeyRole, SecretKey, Signer};
use proofline::replay::{Means, Sealing, TraceReplay, record_seals};
use proofline::trace::VerdictSeal;

use super::error::CliError;
use super::key_file::read_secret;
use super::safe::safe_path;
use super::signing_error::SigningError;

/// Whether recorded verdicts are sealed, and who signs.
#[derive(clap::Args)]
pub(crate) struct SealArgs {
    /// Seal the recorded verdicts: name the log that was read and the versions that they rest on
    #[arg(long, requires = "record")]
    seal: bool,
    /// Sign the seals with the producer's secret key in this file
    #[arg(long, value_name = "FILE", requires = "seal")]
    key: Option<PathBuf>,
}

impl SealArgs {
    /// The key, read before anything is replayed.
    pub(crate) fn key(&self) -> Result<Option<SecretKey>, CliError> {
        self.key.as_deref().map(read_secret).transpose()
    }

    /// What seals the verdicts over this snapshot, if that was asked for.
    pub(crate) fn sealer<'a>(
        &self,
        snapshot: &'a Snapshot,
        means: Means<'a>,
        key: Option<&'a SecretKey>,
    ) -> Result<Option<Sealer<'a>>, CliError> {
        if !self.seal {
            return Ok(None);
        }
        if let (Some(file), Some(key)) = (&self.key, key) {
            let (name, keys) = (key.verifier().short_name(), snapshot.key_list()?);
            let listed = keys.find(&name, snapshot.entries());
            // Refused here, so that no verdict is sealed and then not signed.
            if listed.is_none_or(|listed| listed.key.role() != KeyRole::Producer) {
                let source = ArtifactRefusal::UnknownProducer(name);
                return Err(SigningError::Refused { name: safe_path(file), source }.into());
            }
        }
        let sealing = Sealing::new(snapshot, means, env!("CARGO_PKG_VERSION"))?;
        Ok(Some(Sealer { sealing, key, sealed: 0 }))
    }
}

/// Seals verdicts that are in the ledger.
pub(crate) struct Sealer<'a> {
    sealing: Sealing<'a>,
    key: Option<&'a SecretKey>,
    /// How many so far.
    pub(crate) sealed: u64,
}

impl Sealer<'_> {
    pub(crate) fn take(
        &mut self,
        ledger: &Ledger,
        verdicts: &[TraceReplay],
        now_ms: u64,
    ) -> Result<(), CliError> {
        let seals: Result<Vec<VerdictSeal>, _> =
            verdicts.iter().map(|verdict| self.sealing.seal(verdict)).collect();
        let signer = self.key.map(|key| key as &dyn Signer);
        record_seals(ledger, &seals?, signer, now_ms)?;
        self.sealed += verdicts.len() as u64;
        Ok(())
    }
}

//! `proofline keygen`: makes a key, or shows the public part of one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use proofline::proof::{KeyName, KeyRole, SEED_BYTES, SecretKey, Signer, VerifierKey};
use serde::Serialize;
use zeroize::Zeroizing;

use super::error::CliError;
use super::exit::Exit;
use super::key_file::{KeyFile, read_key, write_new};
use super::output::{Out, OutputArgs};
use super::safe::{safe, safe_path};
use super::signing_error::SigningError;

/// Makes a key and prints its public part
///
/// OUT gets the secret key and is readable for its owner alone; OUT.pub gets the
/// public key, in the form of C2SP signed-note. Files that are there are never
/// written over. The key of a log has the ledger's origin as its name, others
/// have any: by custom a URL without its scheme. What a key may sign is part of
/// it:
///   log                checkpoints of a ledger, and changes to its keys
///   witness            cosignatures of checkpoints
///   witness-ml-dsa-44  the same, safe from quantum computers
///   cose, dsse         proofs as COSE receipts, and as in-toto statements
///   producer           envelopes, by whoever makes them
///
/// Examples:
///   proofline keygen evidence.example/refund-desk desk.key
///   proofline keygen gateway.example/eu gateway.key --role producer --pem
///   proofline keygen --show desk.key
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct KeygenArgs {
    /// The key's name: no space, control character or `+`
    #[arg(required_unless_present = "show", requires = "out")]
    name: Option<OsString>,
    /// The file for the secret key
    out: Option<PathBuf>,
    /// What the key may sign: log, witness, witness-ml-dsa-44, cose, dsse or producer
    #[arg(long, value_name = "ROLE", default_value = "log")]
    role: KeyRole,
    /// Write OUT.pem too, the public key for programs that know no notes (not of ML-DSA-44)
    #[arg(long)]
    pem: bool,
    /// Make nothing; print the public key of this key file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["name", "out", "role", "pem"])]
    show: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Serialize)]
struct KeygenLine {
    key: String,
    name: String,
    id: String,
    role: &'static str,
    pem: Option<String>,
    secret_file: Option<String>,
    public_file: Option<String>,
    pem_file: Option<String>,
}

/// The files of a key.
struct Files {
    secret: PathBuf,
    public: PathBuf,
    pem: Option<PathBuf>,
}

impl Files {
    fn of(out: &Path, with_pem: bool) -> Self {
        let with = |ending: &str| {
            let mut name = out.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        };
        Self { secret: out.to_owned(), public: with(".pub"), pem: with_pem.then(|| with(".pem")) }
    }

    fn all(&self) -> impl Iterator<Item = &Path> {
        [Some(&self.secret), Some(&self.public), self.pem.as_ref()]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
    }

    /// Says which is there already, before anything is written.
    fn check_free(&self) -> Result<(), CliError> {
        let taken = self.all().find(|path| path.symlink_metadata().is_ok());
        taken.map_or(Ok(()), |path| Err(SigningError::Exists { name: safe_path(path) }.into()))
    }

    fn write(&self, key: &SecretKey, pem: Option<&str>) -> Result<(), CliError> {
        let mut secret = key.to_secret_text();
        secret.push('\n');
        write_new(&self.secret, secret.as_bytes(), 0o600)?;
        let public = || {
            write_new(&self.public, format!("{}\n", key.verifier()).as_bytes(), 0o666)?;
            match (&self.pem, pem) {
                (Some(path), Some(pem)) => write_new(path, pem.as_bytes(), 0o666).inspect_err(|_| {
                    let _ = std::fs::remove_file(&self.public);
                }),
                _ => Ok(()),
            }
        };
        // Nobody has seen the key yet, so what is left of it is of no use.
        public().inspect_err(|_| {
            let _ = std::fs::remove_file(&self.secret);
        })
    }
}

/// Makes or shows a key.
pub(crate) fn run(args: &KeygenArgs, out: &mut Out) -> Result<Exit, CliError> {
    if let Some(path) = &args.show {
        let key = match read_key(path)? {
            KeyFile::Secret(key) => key.verifier().clone(),
            KeyFile::Public(key) => key,
        };
        return print(out, &key, None);
    }
    let (Some(name), Some(path)) = (&args.name, &args.out) else {
        return Err(CliError::Usage("a name and a file for the key are wanted"));
    };
    let key = make(&name.to_string_lossy(), args.role)?;
    let pem = key.verifier().to_pem();
    if args.pem && pem.is_none() {
        return Err(SigningError::NoPem(args.role).into());
    }
    let files = Files::of(path, args.pem);
    files.check_free()?;
    files.write(&key, pem.as_deref())?;
    print(out, key.verifier(), Some(&files))
}

fn make(name: &str, role: KeyRole) -> Result<SecretKey, CliError> {
    let wrong = |source| SigningError::Key { name: "the name given".to_owned(), source };
    let name = KeyName::new(name).map_err(wrong)?;
    let mut seed = Zeroizing::new([0; SEED_BYTES]);
    getrandom::fill(&mut *seed).map_err(CliError::Random)?;
    Ok(SecretKey::from_seed(name, role, &seed).map_err(wrong)?)
}

fn print(out: &mut Out, key: &VerifierKey, files: Option<&Files>) -> Result<Exit, CliError> {
    if !out.is_json() {
        out.line(safe(&key.to_string()))?;
        return Ok(Exit::Ok);
    }
    let shown = |path: &PathBuf| safe_path(path);
    out.json(&KeygenLine {
        key: key.to_string(),
        name: key.name().to_string(),
        id: key.id().to_string(),
        role: key.role().as_str(),
        pem: key.to_pem(),
        secret_file: files.map(|files| shown(&files.secret)),
        public_file: files.map(|files| shown(&files.public)),
        pem_file: files.and_then(|files| files.pem.as_ref()).map(shown),
    })?;
    Ok(Exit::Ok)
}

//! One run: where it works, the program that it measures, and what several rows share.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::charts::Curve;
use crate::data::{self, Grown, Record};
use crate::failure::Failure;
use crate::files;
use crate::options::Options;

/// Of the records, the share that rows use which build many stores.
const SAMPLE_SHARE: u64 = 5;

/// What all rows work with.
pub(crate) struct Run {
    pub(crate) options: Options,
    home: TempDir,
    program: PathBuf,
    sample: Option<Vec<Record>>,
    ledgers: Vec<Grown>,
    folders: u64,
    /// What of the row at hand could not be measured, and why.
    pub(crate) missing: Vec<String>,
    /// What charts will show.
    pub(crate) curves: Vec<Curve>,
}

impl Run {
    pub(crate) fn new(options: Options) -> Result<Self, Failure> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let within = options.dir.clone().unwrap_or_else(|| root.join("target"));
        fs::create_dir_all(&within).map_err(Failure::io("make", &within))?;
        let home = tempfile::tempdir_in(&within).map_err(Failure::io("work in", &within))?;
        let program = match &options.proofline {
            Some(path) => path.canonicalize().map_err(Failure::io("find", path))?,
            None => built(&root.join("../.."))?,
        };
        Ok(Self {
            options,
            home,
            program,
            sample: None,
            ledgers: Vec::new(),
            folders: 0,
            missing: Vec::new(),
            curves: Vec::new(),
        })
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// A path that is not there yet.
    pub(crate) fn fresh(&mut self) -> PathBuf {
        self.folders += 1;
        self.home().join(format!("work-{}", self.folders))
    }

    /// How many records rows use that build many stores.
    pub(crate) fn sample_size(&self) -> u64 {
        (self.options.records / SAMPLE_SHARE).max(1)
    }

    /// The sample; whoever takes it gives it back with [`Run::keep_sample`].
    pub(crate) fn sample(&mut self) -> Vec<Record> {
        self.sample.take().unwrap_or_else(|| data::records(self.sample_size()))
    }

    pub(crate) fn keep_sample(&mut self, sample: Vec<Record>) {
        self.sample = Some(sample);
    }

    /// A ledger of so many records, made once.
    pub(crate) fn ledger(&mut self, records: u64) -> Result<(PathBuf, Grown), Failure> {
        let dir = self.home().join(format!("ledger-{records}"));
        if let Some(grown) = self.ledgers.iter().find(|grown| grown.records == records) {
            return Ok((dir, grown.clone()));
        }
        eprintln!("  making a ledger of {records} records");
        let grown = data::grow(&dir, records, &self.canonical(records))?;
        self.ledgers.push(grown.clone());
        Ok((dir, grown))
    }

    /// The file with the same canonical bytes.
    pub(crate) fn canonical(&self, records: u64) -> PathBuf {
        self.home().join(format!("canonical-{records}"))
    }

    /// The number of records of the large rows.
    pub(crate) const fn big(&self) -> u64 {
        if self.options.big { self.options.records * 10 } else { self.options.records }
    }

    /// `proofline` with these arguments; what it prints goes nowhere.
    pub(crate) fn proofline(&self, arguments: &[&str], dir: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(arguments.first().copied().unwrap_or_default()).arg(dir);
        command.args(arguments.iter().skip(1)).stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// [`Run::settle`] for one file.
    pub(crate) fn settle_file(&self, path: &Path) -> Result<(), Failure> {
        if self.options.cold { files::forget(path) } else { files::warm_file(path) }
    }

    /// Reads the files of a folder, or drops them from the page cache, as was asked for.
    pub(crate) fn settle(&self, folder: &Path) -> Result<(), Failure> {
        if self.options.cold {
            files::files(folder)?.iter().try_for_each(|path| files::forget(path))
        } else {
            files::warm(folder)
        }
    }
}

fn built(root: &Path) -> Result<PathBuf, Failure> {
    let cargo = || Command::new("cargo");
    let manifest = root.join("Cargo.toml");
    eprintln!("building proofline in release");
    let built = cargo()
        .args(["build", "--release", "--locked", "--bin", "proofline", "--manifest-path"])
        .arg(&manifest)
        .env("CARGO_TARGET_DIR", root.join("target"))
        .status()
        .map_err(Failure::io("build", &manifest))?;
    if !built.success() {
        return Err(Failure::Wrong(format!("proofline does not build: {built}")));
    }
    let program = root.join("target/release/proofline");
    program.canonicalize().map_err(Failure::io("find", &program))
}

/// How long a program takes from its start to its end, which has to be a good one.
pub(crate) fn spawned(command: &mut Command) -> Result<Duration, Failure> {
    let name = Path::new(command.get_program()).to_owned();
    let begun = Instant::now();
    let ended = command.status();
    let taken = begun.elapsed();
    let ended = ended.map_err(Failure::io("run", &name))?;
    if ended.success() { Ok(taken) } else { Err(Failure::Wrong(format!("{}: {ended}", name.display()))) }
}

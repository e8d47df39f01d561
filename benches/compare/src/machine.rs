//! What a run was made on and with: without it a ratio says little.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use serde::Serialize;

use crate::options::Options;

/// The lock file of this package: which versions were measured.
const LOCK: &str = include_str!("../Cargo.lock");

/// The machine and the programs.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    sha_extensions: Option<bool>,
    avx2: Option<bool>,
    avx512: Option<bool>,
    kernel: String,
    file_system: String,
    toolchain: String,
    programs: Vec<String>,
    page_cache: &'static str,
    records: u64,
    rounds: usize,
}

impl Machine {
    pub(crate) fn of(options: &Options, home: &Path) -> Self {
        let sqlite = format!("SQLite {}", rusqlite::version());
        let locked = ["cedar-policy", "fjall", "redb", "sled"].map(locked);
        let tools = [&["sha256sum", "--version"][..], &["openssl", "version"]].map(said);
        Self {
            cpu: cpu(),
            cores: thread::available_parallelism().map_or(1, |cores| cores.get()),
            sha_extensions: feature("sha"),
            avx2: feature("avx2"),
            avx512: feature("avx512f"),
            kernel: said(&["uname", "-sr"]),
            file_system: said(&["stat", "-f", "-c", "file system %T", &home.to_string_lossy()]),
            toolchain: said(&["rustc", "--version"]),
            programs: [vec![sqlite], locked.into(), tools.into()].concat(),
            page_cache: if options.cold { "cold: dropped before each replay" } else { "warm" },
            records: options.records,
            rounds: options.rounds,
        }
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "{}, {} cores, {}.", self.cpu, self.cores, self.features());
        let _ = writeln!(text, "{}, {}, {}.", self.kernel, self.file_system, self.toolchain);
        let _ = writeln!(text, "{}.", self.programs.join(", "));
        let _ = writeln!(
            text,
            "{} records; medians of {} rounds, sides in turns; page cache {}.",
            self.records, self.rounds, self.page_cache
        );
        if self.has_sha_extensions() {
            text.push_str("Targets are for processors without SHA extensions: here they are only reported, in brackets.\n");
        }
        text
    }

    /// Whether targets are only reported.
    pub(crate) fn has_sha_extensions(&self) -> bool {
        self.sha_extensions == Some(true)
    }

    fn features(&self) -> String {
        let word = |name: &str, has: Option<bool>| match has {
            Some(true) => format!("with {name}"),
            Some(false) => format!("without {name}"),
            None => format!("{name} not known"),
        };
        let all = [("SHA extensions", self.sha_extensions), ("AVX2", self.avx2), ("AVX-512", self.avx512)];
        all.map(|(name, has)| word(name, has)).join(", ")
    }
}

#[cfg(target_arch = "x86_64")]
fn feature(name: &str) -> Option<bool> {
    match name {
        "sha" => Some(std::arch::is_x86_feature_detected!("sha")),
        "avx2" => Some(std::arch::is_x86_feature_detected!("avx2")),
        "avx512f" => Some(std::arch::is_x86_feature_detected!("avx512f")),
        _ => None,
    }
}

#[cfg(not(target_arch = "x86_64"))]
const fn feature(_: &str) -> Option<bool> {
    None
}

fn cpu() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or_else(|| "a processor without a name".to_owned(), |(_, name)| name.trim().to_owned())
}

/// The first line that a program prints, or that there is none.
fn said(command: &[&str]) -> String {
    let Some((program, arguments)) = command.split_first() else { return String::new() };
    let output = Command::new(program).args(arguments).output().ok();
    let text = output.and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    text.lines().next().map_or_else(|| format!("no {program}"), str::to_owned)
}

/// A package and its version in the lock file.
fn locked(name: &str) -> String {
    let mark = format!("name = \"{name}\"\nversion = \"");
    let version = LOCK.split_once(&mark).and_then(|(_, rest)| rest.split('"').next());
    format!("{name} {}", version.unwrap_or("of unknown version"))
}

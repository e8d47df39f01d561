//! What a measurement was made on: processor, cores, whether it hashes in hardware, the file system. What the system
//! does not tell is absent.

use std::fs;
use std::path::Path;
use std::thread;

use serde::Serialize;

/// The machine, as JSON shows it.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    /// The processor's own name.
    cpu: Option<String>,
    /// Threads that the system runs at the same time.
    pub(super) cores: u64,
    /// Whether it has instructions for SHA-256; `null` where that is not known.
    sha_extensions: Option<bool>,
    /// The kind of file system that the ledger lay on.
    file_system: Option<String>,
}

impl Machine {
    /// This one, and the file system that holds `folder`.
    pub(super) fn of(folder: &Path) -> Self {
        Self {
            cpu: fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| processor(&text)),
            cores: thread::available_parallelism().map_or(1, |cores| cores.get() as u64),
            sha_extensions: sha_extensions(),
            file_system: file_system(folder),
        }
    }

    /// Whether the ledger lay in memory, where a sync costs nothing.
    pub(super) fn is_in_memory(&self) -> bool {
        matches!(self.file_system.as_deref(), Some("tmpfs" | "ramfs"))
    }

    /// In one sentence.
    pub(super) fn sentence(&self) -> String {
        let cpu = self.cpu.as_deref().unwrap_or("a processor without a name");
        let sha = match self.sha_extensions {
            Some(true) => "with SHA extensions",
            Some(false) => "without SHA extensions",
            None => "SHA extensions not known",
        };
        let cores = super::phrase::counted(self.cores, "core", "cores");
        let file_system = self.file_system.as_deref().unwrap_or("a file system of unknown kind");
        format!("{cpu}, {cores}, {sha}; the ledger on {file_system}")
    }
}

/// The most memory that this process had so far, where the system tells.
pub(super) fn peak_memory_bytes() -> Option<u64> {
    peak_of(&fs::read_to_string("/proc/self/status").ok()?)
}

/// A line of proc(5): `VmHWM:     5120 kB`, where a kB is 1,024 bytes.
fn peak_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

fn processor(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    line.split_once(':').map(|(_, name)| name.trim().to_owned())
}

#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
fn sha_extensions() -> Option<bool> {
    Some(std::arch::is_x86_feature_detected!("sha"))
}

#[cfg(target_arch = "aarch64")]
fn sha_extensions() -> Option<bool> {
    Some(std::arch::is_aarch64_feature_detected!("sha2"))
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64")))]
const fn sha_extensions() -> Option<bool> {
    None
}

/// The kind of the file system with the longest mount point above the folder.
fn file_system(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    kind_of_mount(&fs::read_to_string("/proc/self/mountinfo").ok()?, &folder)
}

/// Lines of proc(5): `36 35 98:0 /root /mount/point options - ext4 source options`. Of two on one point the later one
/// is seen.
fn kind_of_mount(mountinfo: &str, folder: &Path) -> Option<String> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        Some((place.split(' ').nth(4)?, kind.split(' ').next()?))
    });
    let above = mounts.filter(|(point, _)| folder.starts_with(point));
    above.max_by_key(|(point, _)| point.len()).map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_mount_point_decides() {
        let mounts = "21 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
                      22 21 0:5 / /tmp rw shared:2 - tmpfs tmpfs rw\n\
                      23 22 0:6 / /tmp/x rw - xfs /dev/vdb rw\n";
        let kind = |folder: &str| kind_of_mount(mounts, Path::new(folder));
        assert_eq!(kind("/tmp/a").as_deref(), Some("tmpfs"));
        assert_eq!(kind("/tmp/x/y").as_deref(), Some("xfs"));
        assert_eq!(kind("/tmpx").as_deref(), Some("ext4"));
        assert_eq!(kind_of_mount("", Path::new("/")), None);
    }

    #[test]
    fn the_peak_of_memory_is_read() {
        assert_eq!(peak_of("VmPeak:\t  9 kB\nVmHWM:\t    5120 kB\nVmRSS:\t 1 kB\n"), Some(5_242_880));
        assert_eq!(peak_of("VmHWM:\t5120\n"), None);
        assert_eq!(peak_of(""), None);
    }

    #[test]
    fn a_processor_has_a_name() {
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n";
        assert_eq!(processor(text).as_deref(), Some("Some CPU @ 2 GHz"));
        assert_eq!(processor("processor: 0"), None);
    }
}

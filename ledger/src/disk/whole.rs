//! Many files made durable by one call, `syncfs`, which costs a fraction of a sync of each. It is only asked where it
//! is known to promise as much: Linux since 5.18, which reports what failed, and file systems that keep the promise
//! (a FUSE file system is not even told). Everywhere else each file is synced by itself.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Fewer are synced one by one: the call writes all that is unwritten on the file system, whosever it is.
const WORTH_IT_FROM: usize = 48;

/// Whether things on these file systems are to be synced by one call: they are many, and all on one that can.
pub(super) fn is_worth_it(mut systems: impl ExactSizeIterator<Item = Option<u64>>) -> bool {
    systems.len() >= WORTH_IT_FROM
        && systems.next().flatten().is_some_and(|first| systems.all(|system| system == Some(first)))
}

/// [`super::DiskFile::file_system`] of a file.
pub(super) fn file_system(file: &File) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    if !system::keeps_promises(file) {
        return None;
    }
    file.metadata().ok().map(|metadata| metadata.dev())
}

/// The same of a folder.
pub(super) fn file_system_of(folder: &Path) -> Option<u64> {
    fs::File::open(folder).ok().and_then(|folder| file_system(&folder))
}

/// Makes all durable that was written on the file system of a file or folder, and reports what failed since it was
/// opened.
pub(super) fn sync(file: &File) -> io::Result<()> {
    system::sync(file)?;
    // What was written last may be in the device's cache where there is no journal to flush it; this flushes it.
    file.sync_all()
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs::{self, File};
    use std::io;
    use std::sync::OnceLock;

    const EXT4: u64 = 0xef53;
    const XFS: u64 = 0x5846_5342;

    /// From this kernel on the call reports the errors of files and of journals alike.
    const SINCE: (u32, u32) = (5, 18);

    pub(super) fn keeps_promises(file: &File) -> bool {
        static IS_NEW: OnceLock<bool> = OnceLock::new();
        let is_new = || {
            let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
            version(&release).is_some_and(|version| version >= SINCE)
        };
        *IS_NEW.get_or_init(is_new)
            && rustix::fs::fstatfs(file)
                .is_ok_and(|about| u64::try_from(about.f_type).is_ok_and(|kind| kind == EXT4 || kind == XFS))
    }

    pub(super) fn sync(file: &File) -> io::Result<()> {
        Ok(rustix::fs::syncfs(file)?)
    }

    /// The two numbers that a kernel's release begins with.
    pub(super) fn version(release: &str) -> Option<(u32, u32)> {
        let mut numbers = release.split(|letter: char| !letter.is_ascii_digit());
        let mut next = || numbers.next()?.parse().ok();
        Some((next()?, next()?))
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::fs::File;
    use std::io;

    pub(super) const fn keeps_promises(_: &File) -> bool {
        false
    }

    pub(super) fn sync(file: &File) -> io::Result<()> {
        file.sync_all()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn only_many_on_one_file_system_that_can_are_synced_at_once() {
        let of = |systems: Vec<Option<u64>>| is_worth_it(systems.into_iter());
        assert!(of(vec![Some(1); WORTH_IT_FROM]));
        assert!(!of(vec![Some(1); WORTH_IT_FROM - 1]));
        assert!(!of(vec![None; WORTH_IT_FROM]));
        let mut mixed = vec![Some(1); WORTH_IT_FROM];
        mixed.push(None);
        assert!(!of(mixed.clone()));
        mixed.pop();
        mixed.push(Some(2));
        assert!(!of(mixed));
        assert!(!of(Vec::new()));
    }

    #[test]
    fn a_file_and_its_folder_are_on_one_file_system_and_are_synced() {
        let home = tempfile::tempdir().unwrap();
        let file = File::create(home.path().join("file")).unwrap();
        assert_eq!(file_system(&file), file_system_of(home.path()));
        sync(&file).unwrap();
        sync(&File::open(home.path()).unwrap()).unwrap();
        assert_eq!(file_system_of(&home.path().join("none")), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_release_tells_its_version() {
        assert_eq!(system::version("6.18.44-fc-v595\n"), Some((6, 18)));
        assert_eq!(system::version("5.4.0-200-generic"), Some((5, 4)));
        assert_eq!(system::version("6.1"), Some((6, 1)));
        for odd in ["", "x", "6", "6.x", "99999999999.1"] {
            assert_eq!(system::version(odd), None, "{odd}");
        }
    }
}

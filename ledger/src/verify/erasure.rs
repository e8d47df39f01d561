//! The answer about erasure: the gate's rule allows every erasure, hold and release that the log
//! records, and what is erased is gone.

use std::path::Path;

use proofline_canon::Sha256Digest;
use proofline_proof::Seq;
use proofline_trace::{EnvelopeHash, ErasureTarget};

use crate::blobs::Eraser;
use crate::disk::{Disk, DiskLock};
use crate::erasure::Erasures;
use crate::error::{Damage, LedgerError};
use crate::log::{LOCK_FILE, failed_erasure};
use crate::segments::{EntryFault, read_error};
use crate::snapshot::Snapshot;
use crate::system::SystemKind;

/// What a verification found of erasures and holds.
#[derive(Clone, Debug, Default)]
pub struct ErasureCheck {
    /// What is erased and held, by the entries that can be read.
    pub erasures: Erasures,
    /// Entries that the gate's rule was not asked about: the log is damaged, they lie behind its
    /// published size, or what they rest on is archived and the archive was not brought.
    pub unchecked: u64,
    /// Entries that the rule refuses, and erased payloads whose bytes are there.
    pub troubles: Vec<Damage>,
}

impl ErasureCheck {
    /// Erased payloads.
    #[must_use]
    pub fn blobs(&self) -> u64 {
        self.erasures.blobs().count() as u64
    }

    /// Erased keys of subjects.
    #[must_use]
    pub fn subjects(&self) -> u64 {
        let is_subject = |target: ErasureTarget| matches!(target, ErasureTarget::Subject(_));
        self.erasures.erased().filter(|erasure| is_subject(erasure.record.target)).count() as u64
    }

    /// Holds in force.
    #[must_use]
    pub fn holds(&self) -> u64 {
        self.erasures.in_force().count() as u64
    }
}

/// The entries about erasure that a walk over the log met.
#[derive(Debug, Default)]
pub(super) struct Told {
    entries: Vec<(Seq, EnvelopeHash, SystemKind)>,
}

impl Told {
    /// Takes in a system entry that has its form.
    pub(super) fn take(&mut self, seq: Seq, id: EnvelopeHash, kind: SystemKind) {
        if matches!(kind, SystemKind::Erasure(_) | SystemKind::Hold(_) | SystemKind::Release(_)) {
            self.entries.push((seq, id, kind));
        }
    }

    /// Asks the rule about each entry, over the evidence of a sound log; `open` gives it.
    pub(super) fn check(
        self,
        is_sound: bool,
        open: impl FnOnce() -> Result<Snapshot, LedgerError>,
    ) -> Result<ErasureCheck, LedgerError> {
        let mut check = ErasureCheck::default();
        let snapshot = if is_sound && !self.entries.is_empty() { Some(open()?) } else { None };
        for (seq, id, kind) in self.entries {
            match snapshot.as_ref().filter(|snapshot| seq.get() < snapshot.entries()) {
                Some(snapshot) => check.ask(snapshot, seq, id, &kind)?,
                None => check.unchecked += 1,
            }
            check.erasures.note(seq, id, &kind);
        }
        Ok(check)
    }
}

impl ErasureCheck {
    fn ask(
        &mut self,
        snapshot: &Snapshot,
        seq: Seq,
        id: EnvelopeHash,
        kind: &SystemKind,
    ) -> Result<(), LedgerError> {
        let allowed = match self.erasures.check(seq, id, kind, snapshot.segments()) {
            Err(EntryFault::Archived(_)) => {
                self.unchecked += 1;
                return Ok(());
            }
            allowed => allowed.map_err(|fault| read_error(snapshot.dir(), fault))?,
        };
        if let Err(refusal) = allowed {
            let (file, offset) = snapshot.place(seq).unwrap_or_default();
            let (code, message) = (refusal.code(), refusal.to_string());
            self.troubles.push(Damage { code, file, offset, seq: Some(seq), message });
        }
        Ok(())
    }

    /// Whoever erases holds the lock from the entry to the bytes: where something looks unfinished, this
    /// waits for it, unless the caller holds the lock itself.
    pub(super) fn wait_for_erasing(
        &self,
        disk: &dyn Disk,
        dir: &Path,
        has_lock: bool,
    ) -> Option<Box<dyn DiskLock>> {
        let eraser = Eraser::within(disk, dir);
        let is_owed = |name: &Sha256Digest| eraser.has_bytes(name) || !eraser.is_marked(name);
        let waits = !has_lock && self.erasures.blobs().any(|(name, _)| is_owed(&name));
        waits.then(|| disk.lock(&dir.join(LOCK_FILE)).ok()).flatten()
    }

    /// Looks whether what is erased is gone and marked, and whether nothing else is marked. Marks can
    /// be made again from the log.
    pub(super) fn look(
        &mut self,
        disk: &dyn Disk,
        dir: &Path,
        is_sound: bool,
        derived: &mut Vec<Damage>,
    ) -> Result<(), LedgerError> {
        let eraser = Eraser::within(disk, dir);
        for (name, seq) in self.erasures.blobs() {
            let damage = |code, message: String| Damage {
                code,
                file: Eraser::place(&name),
                offset: None,
                seq: Some(seq),
                message,
            };
            if eraser.has_bytes(&name) {
                let message = format!("entry {seq} erased this payload, and its bytes are there");
                self.troubles.push(damage("erasure.present", message));
            } else if !eraser.is_marked(&name) {
                let message = format!("entry {seq} erased this payload, and no mark keeps it out");
                derived.push(damage("erasure.unmarked", message));
            }
        }
        if !is_sound {
            // An entry that cannot be read may have erased what is marked.
            return Ok(());
        }
        for name in eraser.marked().map_err(|error| failed_erasure(dir, error))? {
            if self.erasures.of_blob(&name).is_none() {
                derived.push(Damage {
                    code: "erasure.stray_mark",
                    file: Eraser::place(&name),
                    offset: None,
                    seq: None,
                    message: "a mark says that this payload is erased, and no entry does".to_owned(),
                });
            }
        }
        Ok(())
    }
}

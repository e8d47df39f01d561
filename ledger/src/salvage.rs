//! Copies all that verifies out of a damaged ledger, and says what is missing. The damaged
//! ledger is only read.
//!
//! What it writes into the new folder:
//!
//! - `entries.jsonl`: every readable entry with its header's bytes (hex), so that links and
//!   proofs can still be checked; without its body where that is archived;
//! - `evidence.jsonl`: the accepted records and rejected attempts among them, in log order, as
//!   lines that `commit` takes;
//! - `blobs/`: the blobs whose bytes still match their names, those that were erased left out;
//! - `gaps.json`: the report.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use thiserror::Error;

use proofline_canon::{Number, Object, Profile, Sha256Digest, Value, hex};

use crate::archive::{Stub, StubFault, stub_name};
use crate::blobs::{BlobError, Blobs};
use crate::disk::{Access, Disk, DiskFile, OsDisk};
use crate::durable;
use crate::error::{Damage, IoContext, LedgerError};
use crate::index::index_name;
use crate::line::commit_line_front;
use crate::load::{file_name, segment_seqs};
use crate::mark::{MARK_FILE, read_mark};
use crate::scan::{ChainState, Found, Scan, Step};
use crate::segment::{SEGMENT_HEADER_BYTES, read_segment_header, segment_name};
use crate::segments::LOG_DIR;
use crate::system::SystemKind;
use crate::verify::{check_body, read_genesis};
use proofline_proof::Seq;
use proofline_proof::header::EntryStatus;
use proofline_trace::ErasureTarget;

/// What was saved and what was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SalvageReport {
    /// Entries written to `entries.jsonl`.
    pub entries: u64,
    /// Records and attempts written to `evidence.jsonl`.
    pub evidence: u64,
    /// Entries among them that do not link to the entry before them.
    pub unlinked: u64,
    /// Entries among them whose bodies are archived, and were not at hand.
    pub archived: u64,
    /// Blobs copied.
    pub blobs: u64,
    /// What was left behind, and where.
    pub gaps: Vec<Damage>,
}

impl SalvageReport {
    /// The report as JSON, as `gaps.json` has it.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let count = |number: u64| Value::Number(Number::from_u64(number));
        Value::Object(Object::from_iter([
            ("entries".to_owned(), count(self.entries)),
            ("evidence".to_owned(), count(self.evidence)),
            ("unlinked".to_owned(), count(self.unlinked)),
            ("archived".to_owned(), count(self.archived)),
            ("blobs".to_owned(), count(self.blobs)),
            ("gaps".to_owned(), Value::Array(self.gaps.iter().map(damage_value).collect())),
        ]))
    }
}

/// Why a ledger could not be salvaged.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SalvageError {
    /// The log, or a file of ours.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A payload, or the folder of payloads.
    #[error(transparent)]
    Payload(#[from] BlobError),
}

impl SalvageError {
    /// The stable code of this error: that of its cause.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            SalvageError::Ledger(error) => error.code(),
            SalvageError::Payload(error) => error.code(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            SalvageError::Ledger(error) => error.hint(),
            SalvageError::Payload(error) => error.hint(),
        }
    }
}

/// A damage as JSON: `code`, `file`, `offset`, `seq`, `message`.
#[must_use]
pub fn damage_value(damage: &Damage) -> Value {
    // A damaged header can claim any number; one that JSON cannot carry exactly stands in the message.
    let count = |number: Option<u64>| {
        let exact = number.filter(|number| *number <= proofline_trace::MAX_SAFE_INT);
        exact.map_or(Value::Null, |number| Value::Number(Number::from_u64(number)))
    };
    Value::Object(Object::from_iter([
        ("code".to_owned(), Value::from(damage.code)),
        ("file".to_owned(), Value::from(damage.file.as_str())),
        ("offset".to_owned(), count(damage.offset)),
        ("seq".to_owned(), count(damage.seq.map(Seq::get))),
        ("message".to_owned(), Value::from(damage.message.as_str())),
    ]))
}

/// Copies all that verifies out of the ledger in `dir` into the new or empty folder `out`.
///
/// # Errors
/// When there is no trace of a ledger, `out` is not empty, or the system refuses a call.
pub fn salvage(dir: impl AsRef<Path>, out: impl AsRef<Path>) -> Result<SalvageReport, SalvageError> {
    salvage_on(Arc::new(OsDisk), dir.as_ref(), out.as_ref())
}

/// [`salvage`] on another [`Disk`].
///
/// # Errors
/// As [`salvage`].
pub fn salvage_on(disk: Arc<dyn Disk>, dir: &Path, out: &Path) -> Result<SalvageReport, SalvageError> {
    let shared = Arc::clone(&disk);
    let disk = &*disk;
    let seqs = segment_seqs(disk, dir)?;
    durable::create_dirs(disk, out).during("create", out)?;
    if !disk.list(out).during("list", out)?.is_empty() {
        return Err(LedgerError::NotEmpty(out.to_owned()).into());
    }
    let mut salvage = Salvage {
        disk,
        dir,
        entries: Lines::create(disk, out, "entries.jsonl")?,
        evidence: Lines::create(disk, out, "evidence.jsonl")?,
        report: SalvageReport {
            entries: 0,
            evidence: 0,
            unlinked: 0,
            archived: 0,
            blobs: 0,
            gaps: Vec::new(),
        },
        chain: ChainState::EMPTY,
        erased: BTreeSet::new(),
    };
    for (at, seq) in seqs.iter().enumerate() {
        salvage.segment(*seq, seqs.get(at + 1).copied())?;
    }
    salvage.check_end(seqs.last().copied())?;
    let mut report = salvage.report;
    salvage.entries.finish(disk)?;
    salvage.evidence.finish(disk)?;
    let payloads = Blobs::within(Arc::clone(&shared), dir);
    let gaps = &mut report.gaps;
    let (to, erased) = (Blobs::within(shared, out), &salvage.erased);
    report.blobs = payloads.copy_sound(&to, erased, &mut |damage| gaps.push(damage))?;
    let mut gaps = Lines::create(disk, out, "gaps.json")?;
    let text = report.to_value().to_canonical(Profile::Envelope);
    let text = text.map_err(io::Error::other).during("write", &out.join("gaps.json"))?;
    gaps.put(&[&text])?;
    gaps.finish(disk)?;
    Ok(report)
}

struct Salvage<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    entries: Lines,
    evidence: Lines,
    report: SalvageReport,
    chain: ChainState,
    /// Payloads that a readable entry erased: what is left of them stays behind.
    erased: BTreeSet<Sha256Digest>,
}

impl Salvage<'_> {
    /// What was there once and is missing behind the last frame, as far as a mark of it is left.
    fn check_end(&mut self, last: Option<Seq>) -> Result<(), LedgerError> {
        let next = self.chain.next;
        let mark = read_mark(self.disk, self.dir).during("read", &self.dir.join(MARK_FILE))?.mark;
        let file = format!("{LOG_DIR}/{}", segment_name(next));
        let is_sealed =
            last.is_some_and(|seq| self.disk.exists(&self.dir.join(LOG_DIR).join(index_name(seq))));
        let message = match mark {
            Some(mark) if mark.entries > next.get() => {
                format!("entries {next} to {} are missing: they were made durable", mark.entries - 1)
            }
            _ if is_sealed => {
                "the last segment is sealed, so a segment that followed it is missing".to_owned()
            }
            _ => return Ok(()),
        };
        self.report.gaps.push(Damage { code: "log.truncated", file, offset: None, seq: Some(next), message });
        Ok(())
    }

    fn segment(&mut self, seq: Seq, next: Option<Seq>) -> Result<(), LedgerError> {
        let stub = stub_of(self.disk, self.dir, seq)?;
        let name = format!("{LOG_DIR}/{}", file_name(seq, stub.is_some()));
        let path = self.dir.join(&name);
        let gap = |code, offset, seq, message| Damage { code, file: name.clone(), offset, seq, message };
        if seq > self.chain.next {
            let message = format!("entries {} to {} are missing", self.chain.next, seq.get() - 1);
            self.report.gaps.push(gap("log.missing_segment", None, Some(self.chain.next), message));
        }
        let file = self.disk.open(&path, Access::Read).during("open", &path)?;
        let header = match &stub {
            Some(Ok(stub)) => Ok(stub.head.segment),
            Some(Err(fault)) => Err((fault.code(), fault.to_string())),
            None => {
                let header = read_segment_header(&*file).during("read", &path)?;
                header.map_err(|fault| (fault.code(), fault.to_string()))
            }
        };
        if let Err((code, message)) = &header {
            self.report.gaps.push(gap(code, Some(0), Some(seq), message.clone()));
        }
        let stub = match stub {
            Some(Err(_)) => return Ok(()),
            Some(Ok(stub)) => Some(Arc::new(stub)),
            None => None,
        };
        if seq != self.chain.next || self.chain.head.is_none() {
            let head = header.ok().and_then(|header| header.previous_leaf);
            self.chain = ChainState { next: seq, head, ..self.chain };
        }
        let start = SEGMENT_HEADER_BYTES as u64;
        let archived_before = self.report.archived;
        let scan = match &stub {
            Some(stub) => Scan::of_stub(Arc::clone(stub), seq, self.chain),
            None => Scan::new(Arc::clone(&file), seq, start, u64::MAX, self.chain),
        };
        let mut scan = scan.during("read", &path)?;
        while next.is_none_or(|next| scan.chain().next < next) {
            match scan.step().during("read", &path)? {
                Step::End => break,
                Step::Gap(damage) => self.report.gaps.push(damage),
                Step::Entry(found) => {
                    let (header_bytes, body) = scan.current_bytes().during("read", &path)?;
                    self.entry(&name, &found, header_bytes, body)?;
                }
            }
        }
        self.chain = scan.chain();
        let archived = self.report.archived - archived_before;
        if archived > 0 {
            let message = format!("the bodies of {archived} entries from entry {seq} on are archived");
            self.report.gaps.push(gap("entry.archived", None, Some(seq), message));
        }
        Ok(())
    }

    fn entry(
        &mut self,
        name: &str,
        found: &Found,
        header_bytes: &[u8],
        body: Option<&[u8]>,
    ) -> Result<(), LedgerError> {
        let header = &found.header;
        let linked = found.damage.is_none();
        self.report.gaps.extend(found.damage.clone());
        let Some(body) = body else {
            self.report.entries += 1;
            self.report.archived += 1;
            self.report.unlinked += u64::from(!linked);
            let front = entry_front(found, header_bytes, linked);
            return self.entries.put(&[front.as_bytes(), b"null}\n"]);
        };
        let ledger_id = read_genesis(body).map(|record| record.ledger_id);
        let own_id = ledger_id.unwrap_or(proofline_trace::LedgerId::from_bytes([0; 16]));
        if let Err((code, message)) = check_body(header, body, own_id) {
            // A damaged body is a gap already; one that reads well and is wrong is one more.
            if linked {
                let (offset, seq) = (Some(found.offset), Some(header.seq));
                self.report.gaps.push(Damage { code, file: name.to_owned(), offset, seq, message });
            }
            return Ok(());
        }
        if let (EntryStatus::System, Ok(SystemKind::Erasure(record))) =
            (&header.status, SystemKind::read(body))
            && let ErasureTarget::Blob(sha256) = record.target
        {
            self.erased.insert(sha256);
        }
        self.report.entries += 1;
        self.report.unlinked += u64::from(!linked);
        let front = entry_front(found, header_bytes, linked);
        self.entries.put(&[front.as_bytes(), body, b"}\n"])?;
        if let Some(front) = commit_line_front(header, body) {
            self.report.evidence += 1;
            self.evidence.put(&[front.as_bytes(), body, b"}\n"])?;
        }
        Ok(())
    }
}

/// The beginning of a line of `entries.jsonl`: all of it but the body.
fn entry_front(found: &Found, header_bytes: &[u8], linked: bool) -> String {
    format!(
        r#"{{"header":"{}","kind":"{}","leaf":"{}","linked":{linked},"seq":{},"body":"#,
        hex(header_bytes),
        found.header.status.kind(),
        found.leaf,
        found.header.seq
    )
}

/// What stays of a segment, where the segment itself is not there.
fn stub_of(disk: &dyn Disk, dir: &Path, seq: Seq) -> Result<Option<Result<Stub, StubFault>>, LedgerError> {
    let log = dir.join(LOG_DIR);
    let path = log.join(stub_name(seq));
    if disk.exists(&log.join(segment_name(seq))) || !disk.exists(&path) {
        return Ok(None);
    }
    disk.open(&path, Access::Read).and_then(Stub::read).during("read", &path).map(Some)
}

/// A file of lines that gets its name when it is whole and durable.
struct Lines {
    file: Arc<dyn DiskFile>,
    path: std::path::PathBuf,
    waiting: Vec<u8>,
    written: u64,
}

const WRITE_BYTES: usize = 1 << 20;

impl Lines {
    fn create(disk: &dyn Disk, out: &Path, name: &str) -> Result<Self, LedgerError> {
        let path = out.join(name);
        let temporary = durable::unfinished(&path);
        let file = disk.open(&temporary, Access::CreateNew).during("create", &temporary)?;
        Ok(Lines { file, path, waiting: Vec::new(), written: 0 })
    }

    fn put(&mut self, parts: &[&[u8]]) -> Result<(), LedgerError> {
        parts.iter().for_each(|part| self.waiting.extend_from_slice(part));
        if self.waiting.len() >= WRITE_BYTES {
            self.flush().during("write", &self.path.clone())
        } else {
            Ok(())
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all_at(&self.waiting, self.written)?;
        self.written += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    fn finish(mut self, disk: &dyn Disk) -> Result<(), LedgerError> {
        let path = self.path.clone();
        let temporary = durable::unfinished(&path);
        let done = self.flush().and_then(|()| self.file.sync());
        done.and_then(|()| disk.rename(&temporary, &path))
            .and_then(|()| durable::sync_parent(disk, &path))
            .during("write", &path)
    }
}

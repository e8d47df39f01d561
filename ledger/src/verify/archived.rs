//! Segments as a verification opens them. What stays of an archived one is checked like a segment,
//! bodies aside. Where the segment was brought in an archive, its bodies are checked in place, and
//! what stays of it must be what the segment gives.

use std::io;
use std::sync::Arc;

use proofline_proof::Seq;

use crate::archive::{ArchivedSegment, Stub, StubBuilder, stub_name};
use crate::disk::{Access, DiskFile};
use crate::durable::read_full_at;
use crate::error::{IoContext, LedgerError};
use crate::index::Table;
use crate::scan::{ChainState, Found, Scan};
use crate::segment::{SEGMENT_HEADER_BYTES, SegmentFault, SegmentHeader, read_segment_header, segment_name};
use crate::segments::LOG_DIR;

use super::Verifier;

/// A segment as far as it can be opened.
pub(super) struct Opened {
    pub(super) seq: Seq,
    pub(super) name: String,
    pub(super) file: Arc<dyn DiskFile>,
    /// Bytes of the segment, also of an archived one.
    pub(super) length: u64,
    pub(super) header: Option<SegmentHeader>,
    pub(super) form: Form,
}

/// How a segment is there.
#[derive(Debug)]
pub(super) enum Form {
    /// In the ledger.
    Whole,
    /// Archived: what stays of it is there, if that is readable.
    Archived(Option<Arc<Stub>>),
    /// Archived, and brought in an archive.
    Brought(Stub),
}

impl Opened {
    /// A walk over the segment or over what stays of it; none where that cannot be read.
    pub(super) fn scan(&self, chain: ChainState) -> io::Result<Option<Scan>> {
        match &self.form {
            Form::Archived(None) => Ok(None),
            Form::Archived(Some(stub)) => Scan::of_stub(Arc::clone(stub), self.seq, chain).map(Some),
            Form::Whole | Form::Brought(_) => {
                let start = SEGMENT_HEADER_BYTES as u64;
                Scan::new(Arc::clone(&self.file), self.seq, start, self.length, chain).map(Some)
            }
        }
    }

    /// Where the segment was brought: adds an entry to what would stay of it.
    pub(super) fn build_again(
        &self,
        again: &mut StubBuilder,
        found: &Found,
        header_bytes: &[u8],
        body: Option<&[u8]>,
    ) {
        if let (Form::Brought(_), Some(body), Ok(offset)) = (&self.form, body, u32::try_from(found.offset)) {
            // An accepted record that is no envelope is damage already.
            again.push(offset, &found.header, header_bytes, body);
        }
    }
}

impl Verifier<'_> {
    pub(super) fn open_all(&mut self) -> Result<Vec<Opened>, LedgerError> {
        let mut opened = Vec::new();
        for seq in std::mem::take(&mut self.seqs) {
            if let Some(archived) = self.open_archived(seq)? {
                opened.push(archived);
                continue;
            }
            let name = format!("{LOG_DIR}/{}", segment_name(seq));
            let path = self.dir.join(&name);
            let file = self.disk.open(&path, Access::Read).during("open", &path)?;
            let length = file.len().during("read", &path)?;
            let header = match read_segment_header(&*file).during("read", &path)? {
                Ok(header) => Some(header),
                Err(fault @ SegmentFault::NewerFormat(_)) => {
                    let detail = format!("{name}: {fault}");
                    return Err(LedgerError::NewerFormat { dir: self.dir.to_owned(), detail });
                }
                Err(fault) => {
                    self.damage(fault.code(), &name, Some(0), Some(seq), fault.to_string());
                    None
                }
            };
            let form = self.form_of(seq)?;
            if !matches!(form, Form::Brought(_)) {
                self.report.log_bytes += length;
            }
            opened.push(Opened { seq, name, file, length, header, form });
        }
        self.total_bytes = opened.iter().map(|segment| segment.length).sum();
        let ids = || opened.iter().filter_map(|segment| segment.header).map(|header| header.ledger_id);
        self.report.ledger_id = ids().next().unwrap_or(self.report.ledger_id);
        Ok(opened)
    }

    /// What stays of a segment, where it is archived and was not brought.
    pub(super) fn open_archived(&mut self, seq: Seq) -> Result<Option<Opened>, LedgerError> {
        let log = self.dir.join(LOG_DIR);
        let name = format!("{LOG_DIR}/{}", stub_name(seq));
        let path = self.dir.join(&name);
        if self.disk.exists(&log.join(segment_name(seq))) || !self.disk.exists(&path) {
            return Ok(None);
        }
        let file = self.disk.open(&path, Access::Read).during("open", &path)?;
        self.report.log_bytes += file.len().during("read", &path)?;
        let stub = match Stub::read(Arc::clone(&file)).during("read", &path)? {
            Ok(stub) => {
                self.report.archived.push(ArchivedSegment::of(&stub));
                Some(Arc::new(stub))
            }
            Err(fault) if fault.is_newer() => {
                let detail = format!("{name}: {fault}");
                return Err(LedgerError::NewerFormat { dir: self.dir.to_owned(), detail });
            }
            Err(fault) => {
                self.damage(fault.code(), &name, Some(0), Some(seq), fault.to_string());
                None
            }
        };
        let length = stub.as_ref().map_or(0, |stub| stub.head.segment_bytes);
        let header = stub.as_ref().map(|stub| stub.head.segment);
        Ok(Some(Opened { seq, name, file, length, header, form: Form::Archived(stub) }))
    }

    /// How a segment that can be opened is there.
    pub(super) fn form_of(&mut self, seq: Seq) -> Result<Form, LedgerError> {
        let log = self.dir.join(LOG_DIR);
        if self.bare.exists(&log.join(segment_name(seq))) {
            return Ok(Form::Whole);
        }
        let name = format!("{LOG_DIR}/{}", stub_name(seq));
        let path = self.dir.join(&name);
        let file = self.disk.open(&path, Access::Read).during("open", &path)?;
        self.report.log_bytes += file.len().during("read", &path)?;
        match Stub::read(file).during("read", &path)? {
            Ok(stub) => {
                self.report.archived.push(ArchivedSegment { is_checked: true, ..ArchivedSegment::of(&stub) });
                Ok(Form::Brought(stub))
            }
            Err(fault) => {
                self.damage(fault.code(), &name, Some(0), Some(seq), fault.to_string());
                Ok(Form::Whole)
            }
        }
    }

    /// What stays of an archived segment must be whole, and what its entries, or the segment that was
    /// brought, give.
    pub(super) fn check_stub(
        &mut self,
        segment: &Opened,
        next: Option<&Opened>,
        table: &Table,
        again: StubBuilder,
    ) -> Result<(), LedgerError> {
        let (stub, is_brought) = match &segment.form {
            Form::Whole | Form::Archived(None) => return Ok(()),
            Form::Archived(Some(stub)) => (&**stub, false),
            Form::Brought(stub) => (stub, true),
        };
        let name = format!("{LOG_DIR}/{}", stub_name(segment.seq));
        if next.is_none() {
            let message = "the last segment is archived, so a segment that followed it is missing";
            self.damage("log.missing_segment", &name, None, Some(self.chain.next), message.to_owned());
        }
        let path = self.dir.join(&name);
        let fault = if !stub.has_right_digest().during("read", &path)? {
            Some(("archive.stub_checksum", "its bytes do not have the digest at its end"))
        } else if (u64::from(stub.head.entries), stub.head.segment_bytes, Some(stub.head.head))
            != (table.count(), table.end(), self.chain.head)
        {
            Some(("archive.stub_differs", "its front is not the one that its entries give"))
        } else if is_brought && !is_same(stub, again).during("read", &path)? {
            Some(("archive.stub_differs", "it is not what the archived segment gives"))
        } else {
            None
        };
        if let Some((code, message)) = fault {
            self.damage(code, &name, None, Some(segment.seq), message.to_owned());
        }
        Ok(())
    }
}

/// True when a stub has the bytes that these entries give.
fn is_same(stub: &Stub, again: StubBuilder) -> io::Result<bool> {
    let Some(expected) = again.finish(&stub.head) else { return Ok(false) };
    let mut found = vec![0; expected.len()];
    let count = read_full_at(&*stub.file, &mut found, 0)?;
    Ok(count == expected.len() && stub.file_bytes == expected.len() as u64 && found == expected)
}

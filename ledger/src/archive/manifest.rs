//! The manifest beside a segment in an archive: canonical JSON that names the segment's ledger, place,
//! size and digests, so that whoever holds the archive alone can tell whether it is whole.

use std::path::Path;

use proofline_canon::{Integer, Limits, Number, Object, Profile, Value, hex, parse, unhex};
use proofline_proof::{LeafHash, Seq};
use proofline_trace::LedgerId;

use crate::disk::{Access, Disk};
use crate::durable::{self, read_full_at};
use crate::error::{IoContext, LedgerError};
use crate::segment::segment_name;

use super::fault::ArchiveFault;

const NAME_END: &str = ".json";
const MAX_BYTES: usize = 1 << 16;
const MEMBERS: usize = 11;

/// What a manifest says of its segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) ledger_id: LedgerId,
    pub(super) origin: String,
    pub(super) first_seq: Seq,
    pub(super) entries: u64,
    pub(super) segment_bytes: u64,
    pub(super) sha256: [u8; 32],
    pub(super) blake3: [u8; 32],
    /// Leaf hash of the entry before the first; none at seq 0.
    pub(super) previous_leaf: Option<LeafHash>,
    /// Leaf hash of the last entry.
    pub(super) head: LeafHash,
}

/// A manifest in an archive by the number in its name, or what is wrong with it.
pub(super) type FoundManifest = (Seq, Result<Manifest, ArchiveFault>);

/// The version of manifests; the one before it differs in nothing but this number.
const ARCHIVE_VERSION: u64 = 1;

/// The file name of the manifest of the segment that begins with this entry.
pub(super) fn manifest_name(first_seq: Seq) -> String {
    format!("{:020}{NAME_END}", first_seq.get())
}

/// The first entry of the segment whose manifest has this file name.
pub(super) fn parse_manifest_name(name: &str) -> Option<Seq> {
    let digits = name.strip_suffix(NAME_END)?;
    let well_formed = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    well_formed.then(|| digits.parse().ok().map(Seq::new)).flatten()
}

impl Manifest {
    /// The name of the segment's file.
    pub(super) fn file(&self) -> String {
        segment_name(self.first_seq)
    }

    /// The canonical bytes.
    pub(super) fn encode(&self) -> Result<Vec<u8>, std::io::Error> {
        let number = |number: u64| Value::Number(Number::from_u64(number));
        let leaf = self.previous_leaf.map_or(Value::Null, |leaf| Value::from(leaf.to_string().as_str()));
        let value = Value::Object(Object::from_iter([
            ("archive_version".to_owned(), number(ARCHIVE_VERSION)),
            ("blake3".to_owned(), Value::from(hex(&self.blake3).as_str())),
            ("entries".to_owned(), number(self.entries)),
            ("file".to_owned(), Value::from(self.file().as_str())),
            ("first_seq".to_owned(), number(self.first_seq.get())),
            ("last_leaf_hash".to_owned(), Value::from(self.head.to_string().as_str())),
            ("ledger_id".to_owned(), Value::from(self.ledger_id.to_string().as_str())),
            ("origin".to_owned(), Value::from(self.origin.as_str())),
            ("previous_leaf_hash".to_owned(), leaf),
            ("segment_bytes".to_owned(), number(self.segment_bytes)),
            ("sha256".to_owned(), Value::from(hex(&self.sha256).as_str())),
        ]));
        value.to_canonical(Profile::Envelope).map_err(std::io::Error::other)
    }

    /// Reads the bytes of the manifest with this file name.
    fn decode(bytes: &[u8], file: &str) -> Result<Self, ArchiveFault> {
        let fault = |message: String| ArchiveFault::Manifest { file: file.to_owned(), message };
        let value = parse(bytes, &Limits::ENVELOPE).map_err(|error| fault(error.to_string()))?;
        let missing = |member: &str| fault(format!("`{member}` is missing, or of another form"));
        let number =
            |member: &'static str| match value.get(member).and_then(Value::as_number).map(Number::as_integer)
            {
                Some(Integer::Exact(found)) => u64::try_from(found).map_err(|_| missing(member)),
                _ => Err(missing(member)),
            };
        let text =
            |member: &'static str| value.get(member).and_then(Value::as_str).ok_or_else(|| missing(member));
        let digest =
            |member: &'static str| text(member).and_then(|hex| unhex(hex).ok_or_else(|| missing(member)));
        let version = number("archive_version")?;
        if version > ARCHIVE_VERSION {
            return Err(ArchiveFault::NewerFormat { file: file.to_owned(), found: version });
        }
        let previous_leaf = match value.get("previous_leaf_hash") {
            Some(Value::Null) => None,
            _ => Some(LeafHash::from_bytes(digest("previous_leaf_hash")?)),
        };
        let manifest = Manifest {
            ledger_id: text("ledger_id")?.parse().map_err(|_| missing("ledger_id"))?,
            origin: text("origin")?.to_owned(),
            first_seq: Seq::new(number("first_seq")?),
            entries: number("entries")?,
            segment_bytes: number("segment_bytes")?,
            sha256: digest("sha256")?,
            blake3: digest("blake3")?,
            previous_leaf,
            head: LeafHash::from_bytes(digest("last_leaf_hash")?),
        };
        if value.as_object().map_or(0, Object::len) != MEMBERS {
            return Err(fault("it has other members than a manifest".to_owned()));
        }
        if text("file")? != manifest.file() || manifest_name(manifest.first_seq) != file {
            return Err(fault("it is that of another segment".to_owned()));
        }
        if previous_leaf.is_none() != (manifest.first_seq == Seq::GENESIS) || manifest.entries == 0 {
            return Err(fault("its members contradict each other".to_owned()));
        }
        if manifest.encode().ok().as_deref() != Some(bytes) {
            return Err(fault("it is not canonical".to_owned()));
        }
        Ok(manifest)
    }

    /// Writes the manifest into an archive, whole and durable.
    pub(super) fn write(&self, disk: &dyn Disk, out: &Path) -> Result<(), LedgerError> {
        let path = out.join(manifest_name(self.first_seq));
        let bytes = self.encode().during("write", &path)?;
        durable::write_file(disk, &path, |file| file.write_all_at(&bytes, 0))
            .map(|_| ())
            .during("write", &path)
    }

    /// Reads the manifest of a segment in an archive; `None` when there is none.
    pub(super) fn read(disk: &dyn Disk, out: &Path, first_seq: Seq) -> Result<Option<Self>, LedgerError> {
        let name = manifest_name(first_seq);
        let path = out.join(&name);
        if !disk.exists(&path) {
            return Ok(None);
        }
        let file = disk.open(&path, Access::Read).during("open", &path)?;
        let mut bytes = vec![0; MAX_BYTES];
        let count = read_full_at(&*file, &mut bytes, 0).during("read", &path)?;
        bytes.truncate(count);
        Ok(Some(Manifest::decode(&bytes, &name)?))
    }

    /// Every manifest in an archive, in the order of the log, each read or its fault.
    pub(super) fn all(disk: &dyn Disk, out: &Path) -> Result<Vec<FoundManifest>, LedgerError> {
        let names = disk.list(out).during("list", out)?;
        let mut found = Vec::new();
        for seq in names.iter().filter_map(|name| parse_manifest_name(name)) {
            match Manifest::read(disk, out, seq) {
                Ok(manifest) => found.extend(manifest.map(|manifest| (seq, Ok(manifest)))),
                Err(LedgerError::Archive(fault)) => found.push((seq, Err(fault))),
                Err(error) => return Err(error),
            }
        }
        if found.is_empty() { Err(ArchiveFault::NotAnArchive(out.to_owned()).into()) } else { Ok(found) }
    }

    /// The manifest, if it is of this ledger.
    pub(super) fn of_ledger(self, expected: LedgerId) -> Result<Self, ArchiveFault> {
        if self.ledger_id == expected {
            return Ok(self);
        }
        let (expected, found) = (expected.to_string(), self.ledger_id.to_string());
        Err(ArchiveFault::OtherLedger { file: manifest_name(self.first_seq), expected, found })
    }
}

//! A second writer of the stream, from the tables of `docs/stream.md` and not from the library's code:
//! a stream in its parts, so that a test can drop, double, swap and change them.

use std::path::Path;

use proofline_canon::Sha256Digest;
use proofline_ledger::disk::Disk;

use crate::common::raw::{self, crc32c};

#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) version: u32,
    pub(crate) flags: u32,
    pub(crate) ledger_id: [u8; 16],
    pub(crate) size: u64,
    pub(crate) leaf: [u8; 32],
    pub(crate) origin: String,
    pub(crate) frames: Vec<Vec<u8>>,
    pub(crate) checkpoints: Vec<(u64, Vec<u8>)>,
    pub(crate) blobs: Vec<([u8; 32], Vec<u8>)>,
}

impl Parts {
    /// What a ledger's folder holds, read by hand.
    pub(crate) fn of(disk: &dyn Disk, dir: &Path) -> Self {
        let (entries, surplus) = raw::read_log(disk, dir);
        assert_eq!(surplus, 0);
        let frames = entries.iter().map(|entry| {
            let content = raw::read_file(disk, &dir.join("log").join(&entry.segment));
            content[entry.offset..entry.offset + entry.frame_bytes].to_vec()
        });
        let genesis = proofline_canon::parse(&entries[0].body, &proofline_canon::Limits::ENVELOPE).unwrap();
        let segment = raw::read_file(disk, &dir.join("log/00000000000000000000.seg"));
        Parts {
            version: 1,
            flags: 1,
            ledger_id: segment[16..32].try_into().unwrap(),
            size: entries.len() as u64,
            leaf: entries.last().unwrap().leaf,
            origin: genesis.get("origin").unwrap().as_str().unwrap().to_owned(),
            frames: frames.collect(),
            checkpoints: checkpoints(disk, dir),
            blobs: blobs(disk, dir),
        }
    }

    pub(crate) fn head(&self) -> Vec<u8> {
        let origin = self.origin.as_bytes();
        let fields = [
            b"PROOFEXP".to_vec(),
            self.version.to_le_bytes().to_vec(),
            self.flags.to_le_bytes().to_vec(),
            self.ledger_id.to_vec(),
            self.size.to_le_bytes().to_vec(),
            self.leaf.to_vec(),
            u16::try_from(origin.len()).unwrap().to_le_bytes().to_vec(),
            origin.to_vec(),
        ]
        .concat();
        [&fields[..], &crc32c(&fields).to_le_bytes()].concat()
    }

    /// The items, each with its tag.
    pub(crate) fn items(&self) -> Vec<Vec<u8>> {
        let entries = self.frames.iter().map(|frame| [&[1], &frame[..]].concat());
        let checkpoints = self.checkpoints.iter().map(|(size, note)| {
            let length = u32::try_from(note.len()).unwrap();
            [&[2], &size.to_le_bytes()[..], &length.to_le_bytes(), note].concat()
        });
        let blobs = self
            .blobs
            .iter()
            .map(|(name, bytes)| [&[3], &name[..], &(bytes.len() as u64).to_le_bytes(), bytes].concat());
        entries.chain(checkpoints).chain(blobs).collect()
    }

    /// The stream with these items, its counts and its hash being right.
    pub(crate) fn with_items(&self, items: &[Vec<u8>]) -> Vec<u8> {
        let count = |tag| items.iter().filter(|item| item[0] == tag).count() as u64;
        let blob_bytes: usize = items.iter().filter(|item| item[0] == 3).map(|item| item.len() - 41).sum();
        let counts = [count(1), count(2), count(3), blob_bytes as u64].map(u64::to_le_bytes).concat();
        let before = [self.head(), items.concat(), vec![4], counts].concat();
        [&before[..], Sha256Digest::of(&before).as_bytes()].concat()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.with_items(&self.items())
    }
}

fn checkpoints(disk: &dyn Disk, dir: &Path) -> Vec<(u64, Vec<u8>)> {
    let folder = dir.join("checkpoints");
    let names = disk.list(&folder).unwrap_or_default().into_iter();
    let sized =
        names.filter_map(|name| Some((name.strip_suffix(".checkpoint")?.parse().ok()?, name.clone())));
    sized.map(|(size, name)| (size, raw::read_file(disk, &folder.join(name)))).collect()
}

pub(crate) fn blobs(disk: &dyn Disk, dir: &Path) -> Vec<([u8; 32], Vec<u8>)> {
    let folder = dir.join("blobs");
    let mut found = Vec::new();
    for begin in disk.list(&folder).unwrap_or_default().into_iter().filter(|name| name.len() == 2) {
        let names = disk.list(&folder.join(&begin)).unwrap().into_iter();
        for rest in names.filter(|name| !name.ends_with(".erased")) {
            let bytes = raw::read_file(disk, &folder.join(&begin).join(&rest));
            let name = Sha256Digest::of(&bytes);
            assert_eq!(name.to_string(), format!("{begin}{rest}"), "the store's own promise");
            found.push((*name.as_bytes(), bytes));
        }
    }
    found
}

//! Payloads and their erasures: what a ledger in the laboratories holds beside its log, and what must
//! be there and gone whatever happened. The layout of the folder is that of docs/format.md.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proofline_canon::{ContentStore, Sha256Digest};
use proofline_ledger::Blobs;

use super::busy::Receipt;
use super::raw::{self, RawEntry, SYSTEM};
use super::sim_disk::SimDisk;
use super::{auth_context, decision_about, hash_of};

/// How many payloads a prepared ledger has.
pub(crate) const PAYLOADS: u32 = 4;

/// The bytes of a payload.
pub(crate) fn payload(number: u32) -> Vec<u8> {
    format!("personal data of subject {number}").into_bytes()
}

pub(crate) fn payload_name(number: u32) -> Sha256Digest {
    Sha256Digest::of(&payload(number))
}

/// Where a payload lies.
pub(crate) fn blob_path(dir: &Path, name: &Sha256Digest) -> PathBuf {
    let digits = name.to_string();
    dir.join("blobs").join(&digits[..2]).join(&digits[2..])
}

/// Where the mark of an erased payload lies.
pub(crate) fn mark_path(dir: &Path, name: &Sha256Digest) -> PathBuf {
    let mut path = blob_path(dir, name).into_os_string();
    path.push(".erased");
    path.into()
}

pub(crate) fn put_payloads(disk: &SimDisk, dir: &Path) {
    let blobs = Blobs::open_on(Arc::new(disk.clone()), dir).unwrap();
    for number in 0..PAYLOADS {
        blobs.put(&payload_name(number), &payload(number)).unwrap();
    }
}

/// An erasure in canonical bytes: its members are in order as they stand here.
pub(crate) fn erasure(name: &Sha256Digest, reason: &str, authority: &str) -> String {
    format!(
        r#"{{"authority":"{authority}","reason":"{reason}","system_type":"erasure","target":{{"kind":"blob","sha256":"{name}"}},"version":"1"}}"#
    )
}

/// A context, a decision that allows an erasure of this payload, and the erasure.
pub(crate) fn erasing_chain(of_trace: u32, name: &Sha256Digest) -> Vec<String> {
    let context = auth_context(of_trace, "staff/dpo");
    let resource = format!("blob/{name}");
    let decision = decision_about(of_trace, &hash_of(&context), "allow", "erase", &resource);
    let erasure = erasure(name, "art. 17", &hash_of(&decision));
    vec![context, decision, erasure]
}

/// The payloads that entries of a log erase, and the numbers of those entries.
pub(crate) fn erased_in(entries: &[RawEntry]) -> BTreeMap<String, u64> {
    let erased = entries.iter().filter(|entry| entry.kind == SYSTEM).filter_map(|entry| {
        let body = std::str::from_utf8(&entry.body).ok()?;
        let (_, name) = body.split_once(r#""system_type":"erasure""#)?.1.split_once(r#""sha256":""#)?;
        Some((name[..64].to_owned(), entry.seq))
    });
    erased.collect()
}

/// What was acknowledged as erased is gone; what no entry erases is there, byte for byte; and in a
/// ledger that was opened for writing, all that entries erase is gone and kept out. Returns how many
/// payloads are gone.
pub(crate) fn check_payloads(disk: &SimDisk, dir: &Path, receipts: &[Receipt], is_mended: bool) -> usize {
    let (entries, _) = raw::read_log(disk, dir);
    let erased = erased_in(&entries);
    let is_told = |seq: u64, hash: String| receipts.iter().any(|it| it.seq == seq && it.hash == hash);
    let contents = disk.contents_below(&dir.join("blobs"));
    if contents.is_empty() {
        return 0; // not a ledger that was given payloads
    }
    let mut gone = 0;
    for number in 0..PAYLOADS {
        let name = payload_name(number);
        let bytes = contents.get(&blob_path(dir, &name));
        let seq = erased.get(&name.to_string());
        let is_told = seq.is_some_and(|seq| is_told(*seq, entries[usize::try_from(*seq).unwrap()].hash()));
        match seq {
            None => {
                assert_eq!(bytes, Some(&payload(number)), "payload {number} is gone, and nobody erased it")
            }
            Some(seq) if is_told || is_mended => {
                assert_eq!(bytes, None, "payload {number} is there, and entry {seq} erased it");
                let mark = contents.get(&mark_path(dir, &name));
                assert_eq!(mark, Some(&format!("{seq}\n").into_bytes()), "the mark of payload {number}");
            }
            Some(_) => {}
        }
        gone += usize::from(bytes.is_none());
    }
    let unfinished = contents.iter().filter(|(path, bytes)| {
        let is_payload = path.parent() == Some(&dir.join("blobs"));
        is_payload && path.extension().is_some_and(|it| it == "tmp") && !bytes.is_empty()
    });
    if is_mended && gone > 0 {
        assert_eq!(unfinished.count(), 0, "an unfinished payload is left");
    }
    gone
}

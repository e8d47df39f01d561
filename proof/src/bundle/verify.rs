//! Reads a bundle and judges it by the steps of `docs/bundle.md`, in their order. Steps 1 to 6 build on each other, so
//! the first that fails ends it; of the later ones each is asked for itself.

use std::io::{self, Read, Seek, Write};

use proofline_canon::{Sha256Digest, Sha256Hasher};
use proofline_trace::TraceIndexRecord;

use crate::checkpoint::Checkpoint;
use crate::ids::{LeafHash, NodeHash, Seq};
use crate::key::{KeyRole, VerifierKey};
use crate::key_list::KeyList;
use crate::note::{MAX_NOTE_BYTES, Note, NoteError};
use crate::policy::{Policy, PolicyKey, VerifiedCheckpoint};
use crate::tree::multiproof_root;

use super::container::{MemberName, Span, WINDOW_BYTES, Walk};
use super::entries::{BundleEntry, EntryLines};
use super::fault::{BundleError, BundleFault};
use super::index::{HashFault, HashLines, IndexTree, ShownLeaf};
use super::manifest::{MAX_MANIFEST_BYTES, Manifest};
use super::report::BundleReport;
use super::survey::{Seen, Survey};

/// Whom a verifier believes.
#[derive(Clone, Copy, Debug, Default)]
pub struct BundleTrust<'a> {
    /// Keys that are known to be the log's: a key of the list counts if it is one of these or rests on one.
    pub keys: &'a [VerifierKey],
    /// Logs and witnesses; its log keys are known ones too.
    pub policy: Option<&'a Policy>,
}

impl BundleTrust<'_> {
    const fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.policy.is_none()
    }
}

/// More leaves than this beside two for each trace are not kept: nothing asks for them.
const SPARE_LEAVES: usize = 64;

/// A bundle whose container and manifest are what they have to be (step 1).
#[derive(Debug)]
pub struct Bundle<R> {
    walk: Walk<R>,
    manifest: Manifest,
    checkpoint: Span,
    entries: Span,
    log_proof: Span,
    /// One for each member of the cover.
    index: Vec<Span>,
    /// The payloads there are; at most one more than the manifest lists.
    payloads: Vec<(Sha256Digest, Span)>,
}

/// Opens and judges a bundle.
///
/// # Errors
/// When the file cannot be read; what is wrong with it is in the report.
pub fn verify_bundle<R: Read + Seek>(reader: R, trust: &BundleTrust<'_>) -> io::Result<BundleReport> {
    match Bundle::open(reader) {
        Ok(mut bundle) => bundle.verify(trust),
        Err(BundleError::Io(error)) => Err(error),
        Err(BundleError::Fault(fault)) => {
            let asked_who_signed = !trust.is_empty();
            Ok(BundleReport { faults: vec![fault], asked_who_signed, ..BundleReport::default() })
        }
        Err(other @ BundleError::NotThere(_)) => Err(io::Error::other(other)),
    }
}

impl<R: Read + Seek> Bundle<R> {
    /// Reads container and manifest (step 1).
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn open(reader: R) -> Result<Self, BundleError> {
        let mut walk = Walk::new(reader)?;
        let span = expect(&mut walk, MemberName::Manifest)?;
        let bytes = walk.bytes(span, MAX_MANIFEST_BYTES)?.ok_or_else(|| BundleFault::TooLong {
            name: MemberName::Manifest.to_string(),
            limit_bytes: MAX_MANIFEST_BYTES,
        })?;
        let manifest = Manifest::parse(&bytes)?;
        drop(bytes);
        let checkpoint = expect(&mut walk, MemberName::Checkpoint)?;
        let entries = expect(&mut walk, MemberName::Entries)?;
        let log_proof = expect(&mut walk, MemberName::LogProof)?;
        let index = manifest.cover.iter().map(|seq| expect(&mut walk, MemberName::Index(seq.get())));
        let index = index.collect::<Result<_, _>>()?;
        let payloads = read_payloads(&mut walk, manifest.payloads.len())?;
        Ok(Bundle { walk, manifest, checkpoint, entries, log_proof, index, payloads })
    }

    /// What the bundle says of itself.
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The bytes of the checkpoint.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn checkpoint(&mut self) -> Result<Vec<u8>, BundleError> {
        let bytes = self.walk.bytes(self.checkpoint, MAX_NOTE_BYTES as u64)?;
        bytes.ok_or_else(|| BundleFault::Note(NoteError::TooLong).into())
    }

    /// Visits the entries in order. That they are right, only [`Bundle::verify`] says.
    ///
    /// # Errors
    /// [`BundleError`], or what `visit` returns.
    pub fn visit_entries<E: From<BundleError>>(
        &mut self,
        mut visit: impl FnMut(BundleEntry) -> Result<(), E>,
    ) -> Result<(), E> {
        let member = self.walk.member(self.entries).map_err(BundleError::from)?;
        let mut lines = EntryLines::new(member);
        while let Some(entry) = lines.next()? {
            visit(entry)?;
        }
        Ok(())
    }

    /// The payloads that are in the bundle, ascending, and their lengths in bytes.
    pub fn payloads(&self) -> impl Iterator<Item = (Sha256Digest, u64)> + '_ {
        self.payloads.iter().map(|(name, span)| (*name, span.length))
    }

    /// Copies the bytes of a payload, and says whether they have its hash. `None`: it is not in the bundle.
    ///
    /// # Errors
    /// When they cannot be read or written.
    pub fn copy_payload(&mut self, name: &Sha256Digest, to: &mut dyn Write) -> io::Result<Option<bool>> {
        let at = self.payloads.binary_search_by(|(other, _)| other.cmp(name));
        let Some((_, span)) = at.ok().and_then(|at| self.payloads.get(at)).copied() else { return Ok(None) };
        let (mut member, mut hasher) = (self.walk.member(span)?, Sha256Hasher::new());
        let mut window = vec![0; WINDOW_BYTES];
        loop {
            let count = member.read(&mut window)?;
            let Some(part) = window.get(..count).filter(|part| !part.is_empty()) else { break };
            hasher.update(part);
            to.write_all(part)?;
        }
        Ok(Some(hasher.finalize() == *name))
    }

    /// Reads all of the bundle and judges it.
    ///
    /// # Errors
    /// When the file cannot be read; what is wrong with it is in the report.
    pub fn verify(&mut self, trust: &BundleTrust<'_>) -> io::Result<BundleReport> {
        let manifest = self.manifest.clone();
        let mut report = BundleReport {
            asked_who_signed: !trust.is_empty(),
            payload_bytes: self.payloads.iter().map(|(_, span)| span.length).sum(),
            ..BundleReport::default()
        };
        let judged = self.judge(&manifest, trust, &mut report);
        report.manifest = Some(manifest);
        match judged {
            Ok(()) => {
                report.is_complete = true;
                report.faults.sort_by_key(BundleFault::step);
                Ok(report)
            }
            Err(BundleError::Fault(fault)) => {
                report.faults = vec![fault];
                Ok(report)
            }
            Err(BundleError::Io(error)) => Err(error),
            Err(other @ BundleError::NotThere(_)) => Err(io::Error::other(other)),
        }
    }

    fn judge(
        &mut self,
        manifest: &Manifest,
        trust: &BundleTrust<'_>,
        report: &mut BundleReport,
    ) -> Result<(), BundleError> {
        let note = self.checkpoint()?;
        let checkpoint = stated(&note, manifest)?;
        report.checkpoint = Some(checkpoint.clone());
        let mut survey = self.survey(manifest, report)?;
        self.inclusion(manifest, &survey.leaves, checkpoint.root())?;
        genesis(manifest, &survey)?;
        let cover = cover(manifest, &survey)?;
        report.faults.extend(self.completeness(manifest, &survey, &cover)?);
        report.faults.extend(keys(&survey, &cover));
        report.faults.extend(match survey.finish() {
            Some(fault) => Some(fault),
            None => self.check_payloads(manifest)?,
        });
        if !trust.is_empty() {
            match believe(trust, &survey.keys, &note, manifest.size) {
                Ok(signed) => report.signed = Some(Box::new(signed)),
                Err(fault) => report.faults.push(fault),
            }
        }
        Ok(())
    }

    /// Step 3.
    fn survey<'m>(
        &mut self,
        manifest: &'m Manifest,
        report: &mut BundleReport,
    ) -> Result<Survey<'m>, BundleError> {
        let mut survey = Survey::new(manifest);
        let read = self.visit_entries(|entry| survey.entry(&entry).map_err(BundleError::Fault));
        report.counts = survey.counts;
        read.map(|()| survey)
    }

    /// Step 4.
    fn inclusion(
        &mut self,
        manifest: &Manifest,
        leaves: &[(u64, LeafHash)],
        expected: &NodeHash,
    ) -> Result<(), BundleError> {
        let mut member = self.walk.member(self.log_proof)?;
        let hashes = HashLines { reader: &mut member, place: 0, fault: BundleFault::ProofLine };
        let root = multiproof_root::<HashFault>(manifest.size, leaves.iter().copied().map(Ok), hashes);
        let found = root.map_err(|fault| match fault {
            HashFault::Read(error) => error,
            HashFault::Tree(fault) => BundleFault::Proof(fault).into(),
        })?;
        if found == *expected { Ok(()) } else { Err(BundleFault::Root { expected: *expected, found }.into()) }
    }

    /// The roots of step 6, and step 7 as far as the leaves go; leaves are in memory for one index entry at a time.
    fn completeness(
        &mut self,
        manifest: &Manifest,
        survey: &Survey<'_>,
        cover: &[(Seq, TraceIndexRecord)],
    ) -> Result<Option<BundleFault>, BundleError> {
        let most = manifest.traces.len().saturating_mul(2).saturating_add(SPARE_LEAVES);
        let mut search = Search::new(manifest);
        let mut first = None;
        for ((seq, record), span) in cover.iter().zip(self.index.clone()) {
            let root = NodeHash::from_bytes(*record.root.as_bytes());
            let tree = IndexTree { seq: *seq, traces: record.traces.get(), root };
            let leaves = tree.read(&mut self.walk.member(span)?, most)?;
            if first.is_none() {
                first = search.look(*seq, tree.traces, &leaves).err();
            }
        }
        Ok(first.or_else(|| search.compare(manifest, &survey.traces).err()))
    }

    /// The payloads of step 9.
    fn check_payloads(&mut self, manifest: &Manifest) -> io::Result<Option<BundleFault>> {
        let (mut listed, mut there) = (manifest.included(), self.payloads.iter().map(|(name, _)| *name));
        loop {
            match (listed.next(), there.next()) {
                (None, None) => break,
                (Some(one), Some(other)) if one == other => {}
                (one, other) => {
                    let odd = one.into_iter().chain(other).min();
                    return Ok(odd.map(BundleFault::PayloadMember));
                }
            }
        }
        for name in manifest.included() {
            if self.copy_payload(&name, &mut io::sink())? == Some(false) {
                return Ok(Some(BundleFault::PayloadBytes(name)));
            }
        }
        Ok(None)
    }

    /// The hashes of `log.proof`.
    pub(super) fn log_proof(&mut self) -> Result<Vec<NodeHash>, BundleError> {
        let mut member = self.walk.member(self.log_proof)?;
        let lines = HashLines { reader: &mut member, place: 0, fault: BundleFault::ProofLine };
        let hashes = lines.map(|line| {
            line.map_err(|fault| match fault {
                HashFault::Read(error) => error,
                HashFault::Tree(fault) => BundleFault::Proof(fault).into(),
            })
        });
        hashes.collect()
    }

    /// Copies a member of the cover as it is.
    pub(super) fn copy_index(&mut self, place: usize, to: &mut dyn Write) -> io::Result<()> {
        let Some(span) = self.index.get(place).copied() else { return Ok(()) };
        io::copy(&mut self.walk.member(span)?, to).map(drop)
    }
}

fn expect<R: Read + Seek>(walk: &mut Walk<R>, expected: MemberName) -> Result<Span, BundleError> {
    let fault = |found: String| BundleFault::Member { expected: expected.to_string(), found };
    match walk.next()? {
        Some((name, span)) if name == expected => Ok(span),
        Some((name, _)) => Err(fault(name.to_string()).into()),
        None => Err(fault("the end".to_owned()).into()),
    }
}

/// The payloads up to the end, ascending; one more than there can be tells as much as all of them.
fn read_payloads<R: Read + Seek>(
    walk: &mut Walk<R>,
    listed: usize,
) -> Result<Vec<(Sha256Digest, Span)>, BundleError> {
    let mut payloads: Vec<(Sha256Digest, Span)> = Vec::new();
    let mut last = None;
    while let Some((name, span)) = walk.next()? {
        let found = match name {
            MemberName::Blob(sha256) if last.is_none_or(|last| last < sha256) => sha256,
            other => {
                let expected = "a payload that ascends, or the end,".to_owned();
                return Err(BundleFault::Member { expected, found: other.to_string() }.into());
            }
        };
        last = Some(found);
        if payloads.len() <= listed {
            payloads.push((found, span));
        }
    }
    Ok(payloads)
}

/// Step 2.
fn stated(note: &[u8], manifest: &Manifest) -> Result<Checkpoint, BundleFault> {
    let note = Note::parse(note)?;
    let checkpoint = Checkpoint::parse_text(note.text())?;
    let other =
        |what, expected: String, found: String| BundleFault::CheckpointOther { what, expected, found };
    if checkpoint.origin() != manifest.origin.as_str() {
        return Err(other("origin", manifest.origin.to_string(), checkpoint.origin().to_owned()));
    }
    if checkpoint.size() != manifest.size {
        return Err(other("size", manifest.size.to_string(), checkpoint.size().to_string()));
    }
    Ok(checkpoint)
}

/// Step 5.
fn genesis(manifest: &Manifest, survey: &Survey<'_>) -> Result<(), BundleFault> {
    match &survey.genesis {
        None => Err(BundleFault::Genesis("is not here")),
        Some(None) => Err(BundleFault::Genesis("is here without its body")),
        Some(Some(record))
            if (record.ledger_id, &record.origin) != (manifest.ledger_id, &manifest.origin) =>
        {
            Err(BundleFault::Genesis("is that of another ledger than bundle.json names"))
        }
        Some(Some(_)) => Ok(()),
    }
}

/// The index entries of step 6, whose ranges meet.
fn cover(manifest: &Manifest, survey: &Survey<'_>) -> Result<Vec<(Seq, TraceIndexRecord)>, BundleFault> {
    let mut cover = Vec::with_capacity(manifest.cover.len());
    for (at, seq) in manifest.cover.iter().enumerate() {
        let record = survey.index.get(seq).ok_or(BundleFault::NoIndexEntry(*seq))?;
        let expected = manifest.cover.get(at + 1).map_or(0, |next| next.get());
        if record.from.get() != expected {
            return Err(BundleFault::CoverGap { seq: *seq, from: record.from.get(), expected });
        }
        cover.push((*seq, record.clone()));
    }
    Ok(cover)
}

/// Step 8.
fn keys(survey: &Survey<'_>, cover: &[(Seq, TraceIndexRecord)]) -> Option<BundleFault> {
    let listed = cover.first().map_or(0, |(_, newest)| newest.keys.get());
    if listed != survey.key_entries {
        return Some(BundleFault::KeyCount { listed, found: survey.key_entries });
    }
    survey.key_fault.clone()
}

/// Step 10.
fn believe(
    trust: &BundleTrust<'_>,
    list: &KeyList,
    note: &[u8],
    size: u64,
) -> Result<VerifiedCheckpoint, BundleFault> {
    let of_policy = trust.policy.iter().flat_map(|policy| policy.logs()).map(PolicyKey::key);
    let roots: Vec<VerifierKey> = trust.keys.iter().chain(of_policy).cloned().collect();
    let resting = list.resting_on(&roots);
    let current = resting.current(KeyRole::Log, size).map(|listed| listed.key.clone());
    let policy = trust.policy.cloned().unwrap_or_default().with_logs(current)?;
    Ok(policy.verify(note)?)
}

/// Looks for the traces asked for from the newest index entry back.
struct Search {
    /// What the newest index entry that lists it says, for each trace.
    found: Vec<Option<(u64, LeafHash)>>,
    manifest_ids: Vec<proofline_trace::TraceId>,
}

impl Search {
    fn new(manifest: &Manifest) -> Self {
        let manifest_ids: Vec<_> = manifest.traces.iter().map(|claim| claim.trace_id).collect();
        Search { found: vec![None; manifest_ids.len()], manifest_ids }
    }

    /// Takes in what an index entry shows: a leaf for each trace that no newer one listed, or the two
    /// between which there is no place for it, and nothing else.
    fn look(&mut self, seq: Seq, traces: u64, leaves: &[ShownLeaf]) -> Result<(), BundleFault> {
        let mut needed = vec![false; leaves.len()];
        for (trace, found) in self.manifest_ids.iter().zip(&mut self.found) {
            if found.is_some() {
                continue;
            }
            let place = leaves.binary_search_by(|shown| shown.leaf.trace_id.cmp(trace));
            let mut need = |at: usize| needed.get_mut(at).into_iter().for_each(|flag| *flag = true);
            match place {
                Ok(at) => {
                    need(at);
                    *found = leaves.get(at).map(|shown| (shown.leaf.count, shown.leaf.last_leaf));
                }
                Err(at) => {
                    let before = at.checked_sub(1).and_then(|before| leaves.get(before));
                    // The index that the leaf behind T's place must have.
                    let next = before.map_or(0, |before| before.index.saturating_add(1));
                    let is_shown = leaves.get(at).map_or(next == traces, |behind| behind.index == next);
                    if !is_shown {
                        return Err(BundleFault::IndexSilent { seq, trace: *trace });
                    }
                    at.checked_sub(1).into_iter().for_each(&mut need);
                    need(at);
                }
            }
        }
        if needed.iter().all(|needed| *needed) { Ok(()) } else { Err(BundleFault::IndexSurplus { seq }) }
    }

    /// Compares what the index says of each trace with the entries that are there.
    fn compare(&self, manifest: &Manifest, seen: &[Seen]) -> Result<(), BundleFault> {
        for ((claim, listed), seen) in manifest.traces.iter().zip(&self.found).zip(seen) {
            let (trace, found) = (claim.trace_id, seen.count);
            let count = listed.map_or(0, |(count, _)| count);
            if count != found {
                return Err(BundleFault::TraceCount { trace, listed: count, found });
            }
            if let Some(seq) = seen.broken {
                return Err(BundleFault::TraceLink { trace, seq });
            }
            if seen.last.map(|(_, leaf)| leaf) != listed.map(|(_, leaf)| leaf) {
                return Err(BundleFault::TraceLast { trace });
            }
            if claim.entries != found {
                return Err(BundleFault::TraceStated { trace, stated: claim.entries, found });
            }
        }
        Ok(())
    }
}

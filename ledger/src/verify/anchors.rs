//! What anchors a log from outside of it: checkpoints that the ledger keeps and that somebody
//! brings, the list of keys, the signatures of producers. Each is asked two things that are not the
//! same: is the log the one that was signed, and who signed it?

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use proofline_proof::tree::Frontier;
use proofline_proof::{
    Checkpoint, CheckpointError, KeyList, KeyRole, LeafHash, NodeHash, Note, Policy, Seq, VerifiedCheckpoint,
    VerifierKey,
};
use proofline_trace::{GenesisRecord, ProducerSignature};

use crate::artifact::{ArtifactKind, check_producer, check_verdict_signature};
use crate::checkpoints::{CHECKPOINTS_DIR, KeptCheckpoint};
use crate::error::{ArtifactRefusal, Damage, LedgerError};
use crate::segments::read_error;
use crate::snapshot::Snapshot;
use crate::system::SystemKind;

use super::producers;

/// What a verification is held against beside what the ledger itself holds.
#[derive(Clone, Debug, Default)]
pub struct VerifyPlan {
    /// Checkpoints that somebody kept elsewhere.
    pub checkpoints: Vec<BroughtCheckpoint>,
    /// Keys that the caller knows to be the log's. Without any, and without a policy, the ledger's
    /// own list of keys is taken at its word.
    pub roots: Vec<VerifierKey>,
    /// Which witnesses must have cosigned; its log keys are roots too.
    pub policy: Option<Policy>,
    /// Archives whose segments are checked as if they were in place.
    pub archives: Vec<PathBuf>,
}

impl VerifyPlan {
    /// True when somebody from outside of the ledger must have signed.
    fn asks_for_signatures(&self) -> bool {
        self.knows_roots() || self.policy.as_ref().is_some_and(Policy::has_quorum)
    }

    /// True when keys come from outside of the ledger.
    #[must_use]
    pub fn knows_roots(&self) -> bool {
        !self.roots.is_empty() || self.policy.as_ref().is_some_and(|policy| !policy.logs().is_empty())
    }

    fn all_roots(&self) -> Vec<VerifierKey> {
        let of_policy = self.policy.iter().flat_map(|policy| policy.logs());
        self.roots.iter().cloned().chain(of_policy.map(|log| log.key().clone())).collect()
    }
}

/// A checkpoint from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BroughtCheckpoint {
    /// What to call it: its file, as the caller names it.
    pub name: String,
    /// The bytes of the note.
    pub note: Vec<u8>,
}

/// Whether the log is the one that a checkpoint states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum History {
    /// The first entries have the root that it states.
    Same,
    /// The log has fewer entries than it states.
    Cut,
    /// The first entries have another root: this one.
    Other(NodeHash),
    /// An entry below cannot be read, or the note states nothing: nobody can say.
    Unknown,
}

impl History {
    /// Its name in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            History::Same => "same",
            History::Cut => "cut",
            History::Other(_) => "other",
            History::Unknown => "unknown",
        }
    }
}

/// Why a checkpoint is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disbelief {
    /// Stable code.
    pub code: &'static str,
    /// A sentence.
    pub message: String,
}

/// What became of one checkpoint.
#[derive(Clone, Debug)]
pub struct CheckpointCheck {
    /// Its file: in the ledger's folder, or as the caller names it.
    pub name: String,
    /// True for one that the ledger keeps.
    pub is_kept: bool,
    /// What it states, if it is a checkpoint.
    pub stated: Option<Checkpoint>,
    /// Whether the log is the one that it states.
    pub history: History,
    /// Who signed, or why it is not believed.
    pub belief: Result<Box<VerifiedCheckpoint>, Disbelief>,
}

impl CheckpointCheck {
    /// True when it is believed and the log is the one that it states.
    #[must_use]
    pub const fn holds(&self) -> bool {
        matches!(self.history, History::Same) && self.belief.is_ok()
    }
}

/// The signatures of producers that a ledger keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProducerSignatures {
    /// Those that verify under a key that was current.
    pub verified: u64,
    /// Of those, how many are of keys that rest on the roots the caller knows; all without any.
    pub rooted: u64,
}

/// What a verification learned of keys, checkpoints and signatures.
#[derive(Clone, Debug, Default)]
pub struct Anchors {
    /// Every checkpoint, those that the ledger keeps first, by size.
    pub checkpoints: Vec<CheckpointCheck>,
    /// The list of keys; none when the genesis entry cannot be read.
    pub keys: Option<KeyList>,
    /// True when the caller brought keys: else all rests on the ledger's own word.
    pub knows_roots: bool,
    /// Producers' signatures.
    pub producers: ProducerSignatures,
}

impl Anchors {
    /// How many entries a checkpoint that holds covers: the entries behind them no checkpoint anchors.
    #[must_use]
    pub fn anchored_entries(&self) -> u64 {
        let holding = self.checkpoints.iter().filter(|check| check.holds());
        holding.filter_map(|check| check.stated.as_ref()).map(Checkpoint::size).max().unwrap_or(0)
    }

    /// True when somebody whom the caller believes signed. With keys of the caller that is a checkpoint:
    /// a producer's signature says nothing of the log that its envelope is found in.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.anchored_entries() > 0 || !self.knows_roots && self.producers.verified > 0
    }
}

/// Follows a walk over the log.
pub(super) struct Watch<'a> {
    plan: &'a VerifyPlan,
    kept: &'a [KeptCheckpoint],
    /// The sizes that a checkpoint states, and the roots that the log has there.
    roots: BTreeMap<u64, Option<NodeHash>>,
    frontier: Option<Frontier>,
    keys: Option<KeyList>,
    /// Producers' signatures that verify, by key.
    producers: BTreeMap<String, u64>,
    /// Where they are.
    signed: Vec<Seq>,
    unauthentic: Vec<Damage>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(plan: &'a VerifyPlan, kept: &'a [KeptCheckpoint]) -> Self {
        let brought = plan.checkpoints.iter().filter_map(|brought| stated(&brought.note));
        let sizes = kept.iter().filter_map(KeptCheckpoint::stated).chain(brought);
        let roots = sizes.map(|checkpoint| (checkpoint.size(), None)).collect();
        let mut watch = Watch {
            plan,
            kept,
            roots,
            frontier: Some(Frontier::empty()),
            keys: None,
            producers: BTreeMap::new(),
            signed: Vec::new(),
            unauthentic: Vec::new(),
        };
        watch.note_root();
        watch
    }

    /// Takes in the next readable header.
    pub(super) fn header(&mut self, seq: Seq, leaf: LeafHash) {
        let mut frontier = self.frontier.take().filter(|frontier| frontier.size() == seq.get());
        frontier.iter_mut().for_each(|frontier| frontier.push(leaf));
        self.frontier = frontier;
        self.note_root();
    }

    fn note_root(&mut self) {
        let Some(frontier) = &self.frontier else { return };
        if let Some(root) = self.roots.get_mut(&frontier.size()) {
            *root = Some(frontier.root());
        }
    }

    pub(super) fn genesis(&mut self, record: GenesisRecord) {
        self.keys = Some(KeyList::new(record.ledger_id, record.origin));
    }

    /// Takes in a system entry that has its form; an event that the gate refuses is damage.
    pub(super) fn system(&mut self, seq: Seq, kind: &SystemKind) -> Result<(), ArtifactRefusal> {
        match (kind, &mut self.keys) {
            (SystemKind::Key(record), Some(keys)) => Ok(keys.apply(seq, record)?),
            _ => Ok(()),
        }
    }

    /// Takes in an artifact that has its form.
    pub(super) fn artifact(&mut self, seq: Seq, kind: &ArtifactKind, file: &str, offset: u64) {
        let Some(keys) = &self.keys else { return };
        let checked = match kind {
            ArtifactKind::ProducerSignature(signature) => check_producer(signature, keys, seq.get()),
            ArtifactKind::VerdictSignature(signature) => check_verdict_signature(signature, keys, seq.get()),
            _ => return,
        };
        match (checked, kind) {
            (Ok(()), ArtifactKind::ProducerSignature(signature)) => self.count(seq, signature),
            (Ok(()), _) => {}
            (Err(refusal), _) => self.unauthentic.push(Damage {
                code: refusal.code(),
                file: file.to_owned(),
                offset: Some(offset),
                seq: Some(seq),
                message: refusal.to_string(),
            }),
        }
    }

    fn count(&mut self, seq: Seq, signature: &ProducerSignature) {
        self.signed.push(seq);
        *self.producers.entry(signature.key.to_string()).or_default() += 1;
    }

    /// Takes back the producers' signatures that stand beside no envelope of this log. Asked of a log that
    /// is sound; `open` gives it.
    pub(super) fn check_envelopes(
        &mut self,
        open: impl FnOnce() -> Result<Snapshot, LedgerError>,
    ) -> Result<(), LedgerError> {
        if self.signed.is_empty() {
            return Ok(());
        }
        let snapshot = open()?;
        let strays = producers::strays(&snapshot, &self.signed);
        for stray in strays.map_err(|fault| read_error(snapshot.dir(), fault))? {
            if let Some(count) = self.producers.get_mut(&stray.key) {
                *count = count.saturating_sub(1);
            }
            self.unauthentic.push(stray.damage);
        }
        Ok(())
    }

    /// What it all comes to for a log of so many entries; damage of the log, and what is not authentic.
    pub(super) fn finish(mut self, entries: u64) -> (Anchors, Vec<Damage>, Vec<Damage>) {
        let knows_roots = self.plan.knows_roots();
        let all_roots = self.plan.all_roots();
        let trusted = self
            .keys
            .as_ref()
            .map(|keys| if knows_roots { keys.resting_on(&all_roots) } else { keys.clone() });
        let kept = self.kept.iter().map(|kept| (kept.file.clone(), true, &kept.note, kept.stated()));
        let brought = self.plan.checkpoints.iter();
        let brought = brought.map(|it| (it.name.clone(), false, &it.note, stated(&it.note)));
        let mut damage = Vec::new();
        let mut checkpoints = Vec::new();
        for (name, is_kept, note, stated) in kept.chain(brought) {
            let history = stated.as_ref().map_or(History::Unknown, |stated| self.history(stated, entries));
            let of_other_size = if is_kept && stated.is_none() { self::stated(note) } else { None };
            let belief = match of_other_size {
                Some(found) => Err(misnamed(&found)),
                None => self.belief(trusted.as_ref(), note, stated.as_ref()),
            };
            let check = CheckpointCheck { name, is_kept, stated, history, belief };
            damage.extend(history_damage(&check, entries));
            self.unauthentic.extend(disbelief_damage(&check));
            checkpoints.push(check);
        }
        if self.plan.asks_for_signatures() && self.unauthentic.is_empty() {
            self.unauthentic.extend(nothing_believed(&checkpoints));
        }
        let listed: BTreeSet<String> =
            trusted.iter().flat_map(KeyList::all).map(|listed| listed.key.short_name()).collect();
        let verified = self.producers.values().sum();
        let rooted =
            self.producers.iter().filter(|(key, _)| listed.contains(*key)).map(|(_, count)| count).sum();
        let producers = ProducerSignatures { verified, rooted };
        let anchors = Anchors { checkpoints, keys: self.keys, knows_roots, producers };
        (anchors, damage, self.unauthentic)
    }

    fn history(&self, stated: &Checkpoint, entries: u64) -> History {
        if stated.size() > entries {
            return History::Cut;
        }
        match self.roots.get(&stated.size()).copied().flatten() {
            None => History::Unknown,
            Some(root) if root == *stated.root() => History::Same,
            Some(root) => History::Other(root),
        }
    }

    fn belief(
        &self,
        trusted: Option<&KeyList>,
        note: &[u8],
        stated: Option<&Checkpoint>,
    ) -> Result<Box<VerifiedCheckpoint>, Disbelief> {
        let size = stated.map_or(0, Checkpoint::size);
        let listed = trusted.iter().flat_map(|keys| keys.current(KeyRole::Log, size));
        let listed = listed.map(|listed| listed.key.clone());
        let roots = self.plan.roots.iter().filter(|key| key.role() == KeyRole::Log);
        let policy = self.plan.policy.clone().unwrap_or_default();
        let policy = policy.with_logs(listed.chain(roots.cloned()));
        let policy = policy.map_err(|error| Disbelief { code: error.code(), message: error.to_string() })?;
        let disbelieved =
            |error: CheckpointError| Disbelief { code: error.code(), message: error.to_string() };
        // That cosignatures are lacking is told last: who signed at all is the graver question.
        let (verified, lacking) = match policy.verify(note) {
            Err(error @ CheckpointError::Quorum { .. }) => {
                (policy.without_quorum().verify(note).map_err(disbelieved)?, Some(disbelieved(error)))
            }
            verified => (verified.map_err(disbelieved)?, None),
        };
        let is_past = |key: &VerifierKey| is_retired(trusted, key, size);
        if verified.log_keys().iter().all(is_past) {
            let message = "it is signed with a key that was retired before".to_owned();
            return Err(Disbelief { code: "checkpoint.retired_key", message });
        }
        let origin = trusted.map(|keys| keys.origin().as_str());
        let found = verified.checkpoint().origin();
        match origin.filter(|origin| *origin != found) {
            None => lacking.map_or_else(|| Ok(Box::new(verified)), Err),
            Some(origin) => Err(Disbelief {
                code: "checkpoint.other_log",
                message: format!("it is a checkpoint of the log {found:?}, and this one is {origin:?}"),
            }),
        }
    }
}

/// A root that the list retired below a size signs nothing of that size.
fn is_retired(trusted: Option<&KeyList>, key: &VerifierKey, size: u64) -> bool {
    let listed = trusted.iter().flat_map(|keys| keys.all()).find(|listed| listed.key == *key);
    listed.is_some_and(|listed| listed.retired.as_ref().is_some_and(|(at, _)| at.get() < size))
}

fn stated(note: &[u8]) -> Option<Checkpoint> {
    Checkpoint::parse_text(Note::parse(note).ok()?.text()).ok()
}

/// A log that is not the one of a checkpoint is not complete, if anyone is to believe the checkpoint;
/// one that the ledger itself keeps is a mark like the published size.
fn history_damage(check: &CheckpointCheck, entries: u64) -> Option<Damage> {
    let stated = check.stated.as_ref().filter(|_| check.is_kept || check.belief.is_ok())?;
    let (code, seq, message) = match check.history {
        History::Cut => {
            let message = format!("it was signed over {} entries, and the log has {entries}", stated.size());
            ("checkpoint.truncated", Some(Seq::new(entries)), message)
        }
        History::Other(found) => {
            let message = format!(
                "the first {} entries have the root {}, and {} was signed: the log has forked or was rewritten",
                stated.size(),
                found.to_base64(),
                stated.root().to_base64()
            );
            ("checkpoint.forked", None, message)
        }
        History::Same | History::Unknown => return None,
    };
    Some(Damage { code, file: check.name.clone(), offset: None, seq, message })
}

/// A checkpoint that stands under the name of another size.
fn misnamed(found: &Checkpoint) -> Disbelief {
    let message =
        format!("it states {} entries, and its file is named as that of another size", found.size());
    Disbelief { code: "checkpoint.misnamed", message }
}

/// Whoever asks for signatures and gets none must not take the answer for a pass: anybody who can
/// write into the folder can take its checkpoints away.
fn nothing_believed(checkpoints: &[CheckpointCheck]) -> Option<Damage> {
    let covers = |check: &CheckpointCheck| check.stated.as_ref().is_some_and(|stated| stated.size() > 0);
    let is_any = checkpoints.iter().any(|check| check.belief.is_ok() && covers(check));
    (!is_any).then(|| Damage {
        code: "checkpoint.none",
        file: CHECKPOINTS_DIR.to_owned(),
        offset: None,
        seq: None,
        message: "no checkpoint is signed as the keys and the policy that were given ask".to_owned(),
    })
}

/// A checkpoint that is not believed is trouble, but for a kept one that only lacks cosignatures.
fn disbelief_damage(check: &CheckpointCheck) -> Option<Damage> {
    let disbelief = check.belief.as_ref().err()?;
    let lacks_witnesses = check.is_kept && disbelief.code == "checkpoint.quorum";
    (!lacks_witnesses).then(|| Damage {
        code: disbelief.code,
        file: check.name.clone(),
        offset: None,
        seq: None,
        message: disbelief.message.clone(),
    })
}

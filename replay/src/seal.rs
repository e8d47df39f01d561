//! Sealed verdicts: an artifact that names a verdict, the log that was read, and the versions that the answer
//! rests on; signatures over it; and the question whether the verdict still comes out as it was sealed.

use std::collections::{BTreeMap, BTreeSet};

use proofline_canon::{ContentStore, Sha256Digest, StoreError};
use proofline_ledger::{
    Action, ArtifactKind, CheckpointingError, EntryFault, EntryStatus, Ledger, LedgerError, Seq, Snapshot,
    TreeError, check_verdict_signature,
};
use proofline_proof::files::dsse::DsseError;
use proofline_proof::files::verdict::sign_seal;
use proofline_proof::{NodeHash, Signer};
use proofline_trace::{
    EngineVersion, Envelope, EnvelopeHash, Finding, FindingCode, KeyReference, ReplayDiagnostics, ReplayMode,
    ReplayResult, SafeInt, SignatureText, ToolVersion, TraceId, TreeHead, VerdictSeal, VerdictSignature,
    VersionText, WordError,
};
use thiserror::Error;

use crate::chain::{ByteRule, TraceLog, Verified};
use crate::check::Check;
use crate::engine::replay;
use crate::error::{RecordError, ReplayError};
use crate::means::Means;
use crate::pairs::{Pair, Pairs};
use crate::plan::{Mode, Plan, Selection};
use crate::reading::read_entry;
use crate::tools::{Tools, again};
use crate::variance::VariancePolicy;
use crate::verdict::{Place, TraceReplay, place};

/// Why verdicts were not sealed, or a seal not looked at.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SealError {
    /// What was to be read again.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The root of the log.
    #[error(transparent)]
    Root(#[from] CheckpointingError),
    /// The tree of the log at another size.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The kept checkpoints.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A version that no record can hold.
    #[error("a version does not fit into a seal: {0}")]
    Version(#[from] WordError),
    /// There is no signature.
    #[error(transparent)]
    Sign(#[from] DsseError),
    /// The ledger did not take the seal or the signature.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl SealError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Replay(error) => error.code(),
            Self::Root(error) => error.code(),
            Self::Tree(error) => error.code(),
            Self::Ledger(error) => error.code(),
            Self::Version(_) => "replay.seal_version",
            Self::Sign(error) => error.code(),
            Self::Record(error) => error.code(),
        }
    }
}

impl From<EntryFault> for SealError {
    fn from(fault: EntryFault) -> Self {
        Self::Replay(fault_of(fault))
    }
}

impl From<StoreError> for SealError {
    fn from(error: StoreError) -> Self {
        Self::Replay(error.into())
    }
}

fn fault_of(fault: EntryFault) -> ReplayError {
    match fault {
        EntryFault::Archived(entry) => ReplayError::Archived(entry),
        fault => ReplayError::Lookup(fault),
    }
}

/// What the verdicts of one run are sealed with.
#[derive(Clone)]
pub struct Sealing<'a> {
    snapshot: &'a Snapshot,
    means: Means<'a>,
    proofline: VersionText,
    log: TreeHead,
    checkpoint: Option<TreeHead>,
}

impl<'a> Sealing<'a> {
    /// Reads the root of the log that was replayed, from the log and no index. `proofline` is the version of the
    /// program.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn new(snapshot: &'a Snapshot, means: Means<'a>, proofline: &str) -> Result<Self, SealError> {
        let log = tree_head(snapshot.entries(), snapshot.logged_root(snapshot.entries())?);
        let kept = snapshot.latest_checkpoint()?.and_then(|kept| kept.stated());
        let checkpoint = kept.map(|stated| tree_head(stated.size(), *stated.root()));
        Ok(Self { snapshot, means, proofline: VersionText::new(proofline)?, log, checkpoint })
    }

    /// The seal of a verdict that this ledger gave with these means.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal(&self, replay: &TraceReplay) -> Result<VerdictSeal, SealError> {
        let basis = Basis::of(self.snapshot, &self.means, replay)?;
        Ok(VerdictSeal {
            target_trace_id: replay.trace_id(),
            result_sha256: replay.artifact_sha256,
            diagnostics_sha256: replay.diagnostics.sha256(),
            ledger_id: self.snapshot.ledger_id(),
            log: self.log,
            checkpoint: self.checkpoint,
            proofline: self.proofline.clone(),
            engine: basis.engine,
            policies: basis.policies.into_iter().collect(),
            tools: basis.tools.into_iter().collect(),
        })
    }
}

fn tree_head(size: u64, root: NodeHash) -> TreeHead {
    TreeHead { size: SafeInt::saturating(size), root: Sha256Digest::from_bytes(*root.as_bytes()) }
}

/// Appends seals to the ledger whose verdicts they are, which it holds already, and signatures over them where
/// there is a signer. Signing again with the same key gives the same signature.
///
/// # Errors
/// [`SealError`]; recording again completes what is missing.
pub fn record_seals(
    ledger: &Ledger,
    seals: &[VerdictSeal],
    signer: Option<&dyn Signer>,
    now_ms: u64,
) -> Result<Vec<Place>, SealError> {
    let bodies: Vec<Vec<u8>> = seals.iter().map(VerdictSeal::canonical).collect();
    let places = append(ledger, seals, &bodies, now_ms)?;
    if let Some(signer) = signer {
        let signed: Result<Vec<_>, SealError> = seals.iter().map(|seal| signature(seal, signer)).collect();
        append(ledger, seals, &signed?, now_ms)?;
    }
    Ok(places)
}

fn append(
    ledger: &Ledger,
    seals: &[VerdictSeal],
    bodies: &[Vec<u8>],
    now_ms: u64,
) -> Result<Vec<Place>, SealError> {
    let actions: Vec<Action<'_>> = bodies.iter().map(|body| Action::Artifact(body)).collect();
    let mut outcomes = ledger.commit_actions(&actions, now_ms).map_err(RecordError::from)?.into_iter();
    let places: Result<Vec<Place>, RecordError> =
        seals.iter().map(|seal| place(seal.target_trace_id, outcomes.next())).collect();
    Ok(places?)
}

/// The canonical bytes of a signature over a seal.
fn signature(seal: &VerdictSeal, signer: &dyn Signer) -> Result<Vec<u8>, SealError> {
    let seal_sha256 = EnvelopeHash::from_bytes(*seal.sha256().as_bytes());
    let made = sign_seal(&seal_sha256, signer)?;
    let sig = made.signatures().first().map(|made| proofline_canon::base64(&made.sig)).unwrap_or_default();
    let record = VerdictSignature {
        target_trace_id: seal.target_trace_id,
        seal_sha256,
        key: KeyReference::new(&signer.verifier().short_name())?,
        signature: SignatureText::new(&sig)?,
    };
    Ok(record.canonical())
}

/// What a verdict rests on besides the log.
#[derive(Default)]
struct Basis {
    engine: Option<EngineVersion>,
    policies: BTreeSet<Sha256Digest>,
    tools: BTreeSet<ToolVersion>,
}

impl Basis {
    fn of(snapshot: &Snapshot, means: &Means<'_>, replay: &TraceReplay) -> Result<Self, SealError> {
        let (coverage, mut basis) = (&replay.diagnostics.coverage, Self::default());
        // Nor was a decision asked again behind one that came out otherwise.
        let mismatch = replay.failure().filter(|failure| failure.check == Check::Decision.token());
        let mismatch = mismatch.and_then(|failure| failure.envelope_hash);
        let has_decided = mismatch.is_some() || coverage.policy_re_decided.get() > 0;
        let not_asked = not_asked(replay.findings());
        if has_decided || coverage.policy_unusable.get() > 0 {
            basis.engine = means.policies.map(engine_version).transpose()?;
        }
        // A call that answered otherwise was run as well, and no other after it.
        let failed = replay.failure().is_some_and(|failure| failure.check == Check::Output.token());
        let mut runs = coverage.re_executed.get() + u64::from(failed);
        if !has_decided && runs == 0 {
            return Ok(basis);
        }
        for trace in replay.baseline().into_iter().chain([replay.trace_id()]) {
            let mut decides = has_decided;
            for (hash, envelope) in chain(snapshot, trace)? {
                match &envelope {
                    Envelope::PolicyDecision(decision) if decides => {
                        let name = decision.policy.policy_sha256;
                        if !not_asked.contains(&hash) && has(means, &name)? {
                            basis.policies.insert(name);
                        }
                        decides = mismatch != Some(hash);
                    }
                    envelope if runs > 0 => {
                        let Some(again::Runnable { call, tool, .. }) = again::runnable(means, envelope)?
                        else {
                            continue;
                        };
                        runs -= 1;
                        basis.tools.insert(ToolVersion {
                            adapter_id: call.tool.adapter_id.clone(),
                            tool_name: call.tool.tool_name.clone(),
                            version: VersionText::new(&tool.version())?,
                        });
                    }
                    _ => {}
                }
            }
        }
        Ok(basis)
    }
}

/// The decisions that a passed replay says were not decided again.
fn not_asked(findings: &[Finding]) -> BTreeSet<EnvelopeHash> {
    let is_one = |finding: &&Finding| {
        matches!(finding.code, FindingCode::PolicyNotAtHand | FindingCode::PolicyNotUsable)
    };
    findings.iter().filter(is_one).flat_map(|finding| finding.records.iter().copied()).collect()
}

fn engine_version(engine: &dyn proofline_policy::PolicyEngine) -> Result<EngineVersion, WordError> {
    Ok(EngineVersion {
        name: VersionText::new(engine.name())?,
        version: VersionText::new(&engine.version())?,
    })
}

/// The accepted records of a trace, in chain order.
fn chain(snapshot: &Snapshot, trace: TraceId) -> Result<Vec<(EnvelopeHash, Envelope)>, SealError> {
    let log = TraceLog::read(snapshot, trace, &snapshot.of_trace(trace)?, ByteRule::Meant)?;
    let chain = log.chain(false);
    Ok(Verified::of_chain(&chain).iter().map(|record| (record.hash, record.envelope.clone())).collect())
}

fn has(means: &Means<'_>, name: &Sha256Digest) -> Result<bool, StoreError> {
    means.payloads.map_or(Ok(false), |payloads: &(dyn ContentStore + Sync)| payloads.has(name))
}

/// A signature over a seal, as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptSignature {
    /// Its entry.
    pub seq: Seq,
    /// The signature.
    pub signature: VerdictSignature,
}

/// A sealed verdict, as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedVerdict {
    /// The entry of the seal.
    pub seq: Seq,
    /// The artifact key of the seal.
    pub seal_sha256: EnvelopeHash,
    /// The seal.
    pub seal: VerdictSeal,
    /// The result that it names.
    pub result: ReplayResult,
    /// The diagnostics that it names.
    pub diagnostics: ReplayDiagnostics,
    /// Who signed, verified or not, in ledger order.
    pub signatures: Vec<KeptSignature>,
}

impl SealedVerdict {
    /// The sealed verdicts on a trace, in ledger order. A seal whose result or diagnostics cannot be read is
    /// left out, and damage: `verify` tells of it.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn of_trace(snapshot: &Snapshot, trace: TraceId) -> Result<Vec<Self>, SealError> {
        let (mut results, mut diagnostics) = (BTreeMap::new(), BTreeMap::new());
        let (mut seals, mut signatures) = (Vec::new(), BTreeMap::<_, Vec<KeptSignature>>::new());
        for seq in snapshot.of_trace(trace)? {
            let is_artifact = |status: &EntryStatus| matches!(status, EntryStatus::Artifact);
            match snapshot.header(seq) {
                Ok(Some(header)) if is_artifact(&header.status) => {}
                Ok(_) | Err(EntryFault::Damaged(_)) => continue,
                Err(fault) => return Err(fault.into()),
            }
            let Ok(entry) = read_entry(snapshot, seq)? else { continue };
            let key = entry.header.envelope_hash;
            match ArtifactKind::read(&entry.body) {
                Ok(ArtifactKind::ReplayResult(result)) => drop(results.insert(key, result)),
                Ok(ArtifactKind::ReplayDiagnostics(explains)) => drop(diagnostics.insert(key, explains)),
                Ok(ArtifactKind::VerdictSeal(seal)) => seals.push((seq, key, *seal)),
                Ok(ArtifactKind::VerdictSignature(signature)) => {
                    let kept = KeptSignature { seq, signature };
                    signatures.entry(kept.signature.seal_sha256).or_default().push(kept);
                }
                _ => {}
            }
        }
        let key = |digest: &Sha256Digest| EnvelopeHash::from_bytes(*digest.as_bytes());
        let whole = seals.into_iter().filter_map(|(seq, seal_sha256, seal)| {
            let result = results.get(&key(&seal.result_sha256))?.clone();
            let diagnostics = diagnostics.get(&key(&seal.diagnostics_sha256))?.clone();
            let signatures = signatures.remove(&seal_sha256).unwrap_or_default();
            Some(Self { seq, seal_sha256, seal, result, diagnostics, signatures })
        });
        Ok(whole.collect())
    }

    /// The very question that was answered.
    fn plan(&self, closed: BTreeMap<Sha256Digest, Seq>) -> Plan {
        let candidate = self.result.target_trace_id;
        let (mode, traces) = match self.result.mode {
            ReplayMode::Forensic => (Mode::Forensic, Selection::from_iter([candidate])),
            ReplayMode::Invariant => (Mode::Invariant, Selection::from_iter([candidate])),
            ReplayMode::Constrained { reference_trace_id: baseline } => {
                let variance = VariancePolicy::from(self.diagnostics.variance.clone());
                let pairs = Pairs::from_iter([Pair { baseline, candidate }]);
                (Mode::Constrained(variance), Selection::Pairs(pairs))
            }
        };
        Plan {
            mode,
            traces,
            include_rejected: self.diagnostics.coverage.rejected_listed.get() > 0,
            generated_at: self.result.generated_at,
            closed,
            // Nothing but its failure shows that it was asked for, and nothing else rests on it.
            require_policies: self.diagnostics.failures.iter().any(|it| it.check == Check::Policy.token()),
            ..Plan::default()
        }
    }
}

/// Whether the explanation of a verdict came out as it was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Explanation {
    /// Byte for byte.
    Same,
    /// Not, and payloads that were read are erased or closed since, so that it cannot.
    Erased {
        /// How many payloads.
        payloads: u64,
    },
    /// Not.
    Differs,
}

/// A version that is another one today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionChange {
    /// `proofline`, `engine`, or a tool as `adapter_id/tool_name`.
    pub what: String,
    /// As it was sealed.
    pub sealed: String,
    /// Today; none where there is no such thing at hand.
    pub now: Option<String>,
}

/// Who signed a seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealSigner {
    /// The key, as `name+hex8`.
    pub key: String,
    /// The entry of the signature.
    pub seq: Seq,
    /// Whether the key was a current producer key of the ledger then, and the signature verifies.
    pub is_good: bool,
}

/// What came of replaying a sealed verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealCheck {
    /// Whether the first entries of the log have the sealed root. If not, nothing was replayed.
    pub is_same_history: bool,
    /// The verdict of today; none where nothing was replayed.
    pub replay: Option<TraceReplay>,
    /// Whether it has the same result, byte for byte.
    pub is_same_result: bool,
    /// What became of its explanation.
    pub explanation: Explanation,
    /// Members of the diagnostics that differ.
    pub differing: Vec<&'static str>,
    /// Who signed.
    pub signers: Vec<SealSigner>,
    /// Versions that are others today: said, and no failure.
    pub versions: Vec<VersionChange>,
    /// Policies that were asked and are not at hand.
    pub policies_absent: Vec<Sha256Digest>,
}

impl SealCheck {
    /// Whether the verdict is the one that was sealed, and every signature is good.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.is_same_history
            && self.is_same_result
            && self.explanation != Explanation::Differs
            && self.signers.iter().all(|signer| signer.is_good)
    }
}

/// Replays a sealed verdict: over the entries that it was given over, with the same question and clock. Of the
/// tools of `means` only those run that ran then. `closed` are the payloads that are closed today, as
/// [`Plan::closed`] has them.
///
/// # Errors
/// [`SealError`].
pub fn check_seal(
    snapshot: &Snapshot,
    means: &Means<'_>,
    closed: &BTreeMap<Sha256Digest, Seq>,
    proofline: &str,
    sealed: &SealedVerdict,
) -> Result<SealCheck, SealError> {
    let seal = &sealed.seal;
    let mut check = SealCheck {
        is_same_history: false,
        replay: None,
        is_same_result: false,
        explanation: Explanation::Differs,
        differing: Vec::new(),
        signers: signers(snapshot, sealed)?,
        versions: Vec::new(),
        policies_absent: Vec::new(),
    };
    let size = seal.log.size.get();
    if size > snapshot.entries() || snapshot.ledger_id() != seal.ledger_id {
        return Ok(check);
    }
    let root = Sha256Digest::from_bytes(*snapshot.tree().root(size)?.as_bytes());
    check.is_same_history = root == seal.log.root;
    if !check.is_same_history {
        return Ok(check);
    }
    let prefix = snapshot.at(size)?;
    let (tools, tool_changes) = tools_of(seal, means.tools);
    let means = Means { tools: Some(&tools).filter(|tools| !tools.is_empty()), ..*means };
    check.versions = changes(seal, &means, proofline);
    check.versions.extend(tool_changes);
    for policy in &seal.policies {
        if !has(&means, policy)? {
            check.policies_absent.push(*policy);
        }
    }
    let before: BTreeMap<Sha256Digest, Seq> =
        closed.iter().filter(|(_, seq)| seq.get() < size).map(|(name, seq)| (*name, *seq)).collect();
    let mut verdicts = Vec::new();
    replay(&prefix, &means, &sealed.plan(before), &mut verdicts)?;
    let Some(today) = verdicts.into_iter().next() else { return Ok(check) };
    check.is_same_result = today.result == sealed.result;
    check.differing = differing(&today.diagnostics, &sealed.diagnostics);
    check.explanation = if check.differing.is_empty() {
        Explanation::Same
    } else {
        match erased_since(snapshot, &today, closed, size)? {
            0 => Explanation::Differs,
            payloads => Explanation::Erased { payloads },
        }
    };
    check.replay = Some(today);
    Ok(check)
}

fn signers(snapshot: &Snapshot, sealed: &SealedVerdict) -> Result<Vec<SealSigner>, SealError> {
    if sealed.signatures.is_empty() {
        return Ok(Vec::new());
    }
    let keys = snapshot.key_list()?;
    let signer = |kept: &KeptSignature| SealSigner {
        key: kept.signature.key.to_string(),
        seq: kept.seq,
        is_good: check_verdict_signature(&kept.signature, &keys, kept.seq.get()).is_ok(),
    };
    Ok(sealed.signatures.iter().map(signer).collect())
}

/// The handlers of the tools that were run, and no others; what became of their versions.
fn tools_of(seal: &VerdictSeal, given: Option<&Tools>) -> (Tools, Vec<VersionChange>) {
    let (mut tools, mut changes) = (Tools::default(), Vec::new());
    for tool in &seal.tools {
        let now = given.and_then(|given| tools.take_from(given, &tool.adapter_id, &tool.tool_name));
        if now.as_deref() != Some(tool.version.as_str()) {
            let what = format!("{}/{}", tool.adapter_id, tool.tool_name);
            changes.push(VersionChange { what, sealed: tool.version.to_string(), now });
        }
    }
    (tools, changes)
}

/// Versions of the program and the engine that are others today.
fn changes(seal: &VerdictSeal, means: &Means<'_>, proofline: &str) -> Vec<VersionChange> {
    let mut changes = Vec::new();
    let mut compare = |what: &str, sealed: String, now: Option<String>| {
        if now.as_deref() != Some(&sealed) {
            changes.push(VersionChange { what: what.to_owned(), sealed, now });
        }
    };
    compare("proofline", seal.proofline.to_string(), Some(proofline.to_owned()));
    if let Some(engine) = &seal.engine {
        let now = means.policies.map(|now| format!("{} {}", now.name(), now.version()));
        compare("engine", format!("{} {}", engine.name, engine.version), now);
    }
    changes
}

/// Members of the diagnostics that differ; the hash of the result aside, which is told by itself.
fn differing(today: &ReplayDiagnostics, sealed: &ReplayDiagnostics) -> Vec<&'static str> {
    let members = [
        ("coverage", today.coverage == sealed.coverage),
        ("failures", today.failures == sealed.failures),
        ("findings", today.findings == sealed.findings),
        ("variance", today.variance == sealed.variance),
        ("differences", today.differences == sealed.differences),
        ("result_sha256", today.result_sha256 == sealed.result_sha256),
    ];
    members.into_iter().filter(|(_, is_same)| !is_same).map(|(name, _)| name).collect()
}

/// How many payloads and policies of the traces were erased or closed by entries from `size` on.
fn erased_since(
    snapshot: &Snapshot,
    replay: &TraceReplay,
    closed: &BTreeMap<Sha256Digest, Seq>,
    size: u64,
) -> Result<u64, SealError> {
    let erasures = snapshot.readable_erasures()?;
    let mut named = BTreeSet::new();
    for trace in replay.baseline().into_iter().chain([replay.trace_id()]) {
        for (_, envelope) in chain(snapshot, trace)? {
            named.extend(envelope.blobs().map(|blob| blob.sha256));
            if let Envelope::PolicyDecision(decision) = &envelope {
                named.insert(decision.policy.policy_sha256);
            }
        }
    }
    let gone = |name: &&Sha256Digest| {
        let by = [erasures.of_blob(name), closed.get(name).copied()];
        by.into_iter().flatten().any(|seq| seq.get() >= size)
    };
    Ok(named.iter().filter(gone).count() as u64)
}

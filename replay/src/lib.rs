//! MEANING: what the log of the ledger below proves, derived again from its bytes.
//!
//! [`replay`] takes a [`Snapshot`](proofline_ledger::Snapshot) and a [`Plan`], gives each trace a
//! verdict and the run a [`Summary`]. It calls the same gate as the one write path, so a verdict is a
//! proof and not a second opinion. It reads no clock, network, environment or random order: the
//! same ledger under the same plan gives the same bytes, whatever the number of threads.
//!
//! ```
//! use proofline_ledger::{Action, Genesis, Ledger, Options, Submission};
//! use proofline_replay::{Means, Plan, RunVerdict, replay};
//! use proofline_trace::LedgerId;
//!
//! let dir = tempfile::tempdir()?;
//! let genesis = Genesis {
//!     ledger_id: LedgerId::from_bytes([7; 16]), // drawn at random in earnest
//!     origin: "ledger.example/agents".parse()?,
//!     created_at_ms: 1769817600000,
//! };
//! Ledger::init(dir.path(), &genesis)?;
//! let ledger = Ledger::open(dir.path(), Options::default())?;
//! let context = br#"{
//!     "spec_version": "1.0.0", "canon_version": "1", "record_type": "auth_context", "ts_ms": 1769817600000,
//!     "trace": {
//!         "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7", "span_kind": "root"
//!     },
//!     "producer": {"layer": "cpo", "component": "gateway"},
//!     "actor": {"actor_kind": "user", "actor_id": "staff/ines"},
//!     "credential": {
//!         "credential_kind": "oidc", "issuer": "https://id.example",
//!         "presented_hash_sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
//!         "verified_at_ms": 1769817600000, "expires_at_ms": 1769821200000
//!     },
//!     "grants": {"tickets:read": true}
//! }"#;
//! ledger.commit_action(&Action::Evidence(Submission::bare(context)), 1769817600000)?;
//!
//! // A list is the simplest sink; one that prints needs no memory for all verdicts.
//! let mut verdicts = Vec::new();
//! let summary = replay(&ledger.snapshot()?, &Means::default(), &Plan::default(), &mut verdicts)?;
//! assert_eq!(summary.verdict(), RunVerdict::AllWell);
//! assert_eq!(verdicts[0].trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
//! assert!(verdicts[0].is_pass() && verdicts[0].findings().is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Forensic replay
//!
//! The chain of a trace is its accepted records by rank, time and hash, and on request its rejected
//! attempts. A record that does not pass its schema has no rank and no time: it stands behind all
//! others, by hash. The first check that does not hold ends the run of the trace and gives its class:
//!
//! | check | class | asks |
//! |---|---|---|
//! | `schema` | `SCHEMA_REJECT` | per record of the chain: is it one of the four types? |
//! | `canonical_bytes`, `envelope_hash` | `HASH_MISMATCH` | per record: are these its bytes, and is this their key? |
//! | `frame` | `HASH_MISMATCH` | can every entry of the trace be read? |
//! | `prerequisite` | `MISSING_PREREQ` | per accepted record: the gate, over the accepted records of the chain |
//! | `trace_continuity` | `TRACE_VIOLATION` | the same; and is it of the trace that its entry names? |
//! | `authorization` | `UNAUTHORIZED_EXECUTION` | the same |
//! | `entry_link`, `entry_clock` | `HASH_MISMATCH` | per entry, artifacts included: the links to the entries right before and after, the clock |
//! | `trace_link` | `HASH_MISMATCH` | per entry: its place in the trace |
//! | `accepted_once` | `HASH_MISMATCH` | per accepted record: the gate appends no record twice |
//! | `chain` | `REPLAY_CHAIN_NOT_FOUND` | is there a chain? |
//! | `output` | `REPLAY_OUTPUT_MISMATCH` | per tool call that [`Means::tools`] has a handler for: does it give the response again? |
//!
//! Rejected attempts that are listed are asked for bytes and hash alone; their classification
//! stands. Listed or not, each is decided again over the whole ledger, and where the gate would not
//! repeat its answer there is a `REJECTION_NOT_REPRODUCED`. Other findings rest on a chain that
//! passed; a failed run has none.
//!
//! # Invariant replay
//!
//! The checks from `schema` to `authorization`, and `chain`. The hash is over the canonical bytes of
//! the record, in whatever spelling it is stored; whether these are the stored bytes, and how
//! entries are linked, is forensic replay's question. Where an engine and the policy's bytes are at hand
//! ([`Means`]), each accepted decision is then decided again, in chain order, by the question that it
//! answered; nothing is executed:
//!
//! | check | class | asks |
//! |---|---|---|
//! | `decision` | `REPLAY_DECISION_MISMATCH` | does its policy give the recorded result, reason codes and obligations? |
//! | `policy` | `MISSING_PREREQ` | could it be asked? Only where [`Plan::require_policies`] wants it; else see coverage |
//!
//! A failure points at the first of result, reason codes and obligations that differs, and has both decisions as
//! canonical JSON.
//!
//! # Constrained replay
//!
//! Asked of [`Pairs`]. The chains are of accepted records alone, and either side must pass invariant
//! replay: a failure says which one does not. Then, and the first that does not hold gives the class:
//!
//! | check | class | asks |
//! |---|---|---|
//! | `policy_signatures`, `evidence_identities` | `REPLAY_POLICY_PATH_MISMATCH` | do both runs hold the same ones, each equally often? |
//! | `variance` | `REPLAY_VARIANCE_VIOLATION` | do calls of equal identity, the k-th with the k-th in chain order, differ in response, outcome or usage only where the [`VariancePolicy`] allows it? |
//!
//! Diagnostics name the variance policy, for which differences were allowed rests on it, and list every
//! difference with both sides, as canonical JSON text: policy signatures of the
//! baseline in chain order, those that only the candidate has, identities likewise; or, where the
//! path is the same, what paired calls differ in, allowed or not. Findings are told by invariant
//! replay of the traces.
//!
//! # Another policy
//!
//! [`backtest`] asks every accepted decision of another policy: what it would have allowed and denied instead, and
//! the calls that would not have happened. It gives no verdict. Traces that do not pass the checks of invariant
//! replay, the decisions aside, are not asked about.
//!
//! # Tools and seals
//!
//! [`Tools`] run the calls of deterministic tools again, in forensic replay alone. [`Sealing`] makes the artifact that
//! says what a verdict rests on, and [`check_seal`] replays such a verdict over the entries that were read.
//!
//! # Two traces side by side
//!
//! [`align`] puts any two traces beside each other, span by span, and lists what differs. It gives no
//! verdict: constrained replay asks whether two runs follow one policy path, `align` shows where they part.
//!
//! # Drift
//!
//! [`drift`] does so for many pairs: for each the first place at which the runs part and the [`Cause`], over all
//! where runs part, how often and in which models and tools. [`pairs_by_key`] finds the runs of the same work.
//!
//! # All of them
//!
//! Coverage says what was done: `verified` and `gate_rechecked` count records up to the failure,
//! `absent` the records that are named as prerequisites and not in the chain, `blobs_absent` the
//! payloads that are named and not at hand, which without a store of payloads are all of them. A payload
//! that an entry erased is not among them; the finding `BLOB_ERASED` names it. The same finding names a sealed
//! payload that the plan calls closed: its bytes may be at hand, and nothing opens them.
//! `policy_re_decided` counts the decisions that their policy decided again likewise, `policy_absent`
//! those whose policy is not at hand, erased or damaged, `policy_unusable` those whose policy no engine can read,
//! up to the failure. With a store of payloads there are findings for the latter, `POLICY_NOT_AT_HAND` and
//! `POLICY_NOT_USABLE`, one a policy. Without an engine no policy is looked for, and the three are 0.
//!
//! A run over everything also checks each entry of the log (frame, hash of the body, link,
//! clock, a producer's signature under the ledger's list of keys), so that damage in entries of no
//! trace is reported with its place. At its end the entries that name a trace must be those that
//! the traces gave, and the indexes must list the envelope hash of every entry and every system entry:
//! traces, prerequisites and keys are found through indexes, and an index that leaves
//! some out is damage, `index.incomplete`.
//!
//! Such a run looks at each link once. The entries of the traces, which are read after that, must be those whose links
//! were looked at, by sums over their leaf hashes; else the log was written to, and the run ends with
//! [`ReplayError::Changed`].

mod alignment;
mod backtest;
mod census;
mod chain;
mod check;
mod compare;
mod constrained;
mod drift;
mod engine;
mod error;
mod findings;
mod form;
mod gate_again;
pub mod html;
mod integrity;
mod links;
mod means;
mod pairs;
mod pipeline;
mod plan;
mod reading;
mod redecide;
pub mod report;
mod rules;
mod seal;
mod shapes;
mod shelf;
mod signatures;
mod single;
mod sink;
mod summary;
mod tools;
mod variance;
mod variance_bounds;
mod verdict;
mod walk;

pub use alignment::{
    AlignedRecord, AlignedSpan, Alignment, Aspect, AspectDifference, Change, ChangeCounts, Durations, Run,
    RunRecord, align,
};
pub use backtest::{
    Backtest, BacktestCounts, BacktestError, BacktestPlan, BacktestRecordError, BacktestSink, BacktestTable,
    ChangeCount, ChangedDecision, DecisionChange, LostCall, backtest, record_backtest,
};
pub use drift::{
    AttributeOf, Cause, Divergence, DriftByKey, DriftKey, DriftPlan, DriftSink, DriftSummary, DriftVerdict,
    KeyDrift, Keyed, KeyedRuns, KeysError, LineChange, MOST_PAIRS, PairDrift, PayloadDiff, PayloadState,
    RecordPlace, Subject, SubjectCount, diff_payloads, drift, pairs_by_key, pairs_of_keys, parse_keys,
};
pub use engine::{replay, replay_part};
#[doc(hidden)]
pub use engine::{replay_one_by_one, replay_part_one_by_one};
pub use error::{RecordError, ReplayError};
pub use form::FormError;
pub use means::Means;
pub use pairs::{Pair, Pairs, PairsError};
pub use plan::{Mode, Plan, Selection};
pub use rules::{
    Part, RecordAt, RuleTally, RulesEvent, RulesPlan, RulesSink, RulesSummary, Violation, check_rules,
};
pub use seal::{
    Explanation, KeptSignature, SealCheck, SealError, SealSigner, SealedVerdict, Sealing, VersionChange,
    check_seal, record_seals,
};
pub use sink::{Event, ReplaySink, Unlisted};
pub use summary::{RunVerdict, Summary};
pub use tools::{Calculator, JsonTransform, OutputDifference, Tool, ToolFault, ToolName, Tools, ToolsError};
pub use variance::VariancePolicy;
pub use verdict::{Place, Recorded, TraceReplay, record, record_all};

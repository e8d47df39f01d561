//! The first line of a report: which state of which ledger was read, which question was asked, and by which versions.
//! Two reports can be merged exactly when this is the same, the shard aside.

use std::collections::BTreeMap;

use proofline_canon::{Value, hex};
use proofline_ledger::{EntryFault, LogEnd, Snapshot, TreeError};
use proofline_proof::NodeHash;
use proofline_trace::{LedgerId, ReplayType, Timestamp};

use super::error::{LineFault, ReportError};
use super::node::Node;
use super::shard::Shard;
use super::{spelling, totals};
use crate::form::FormError;
use crate::means::Means;
use crate::plan::{Mode, Plan, Selection};
use crate::tools::Tools;

pub(super) const FORMAT: &str = "proofline-report";
pub(super) const VERSION: u64 = 1;

/// What was read and what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Head {
    /// The ledger.
    pub ledger_id: LedgerId,
    /// Its origin; none where the first entry cannot be read.
    pub origin: Option<String>,
    /// How many entries were there, the genesis entry included.
    pub entries: u64,
    /// The RFC 6962 root over them; none where the log is so damaged that there is none.
    pub root: Option<NodeHash>,
    /// What the end of the log rested on.
    pub end: LogEnd,
    /// The question.
    pub replay_type: ReplayType,
    /// Of what it was asked: `all`, `chosen` or `pairs`.
    pub selection: &'static str,
    /// The clock of the verdicts.
    pub generated_at: Timestamp,
    /// Whether refused attempts are listed.
    pub include_rejected: bool,
    /// Whether a decision that could not be decided again failed its trace.
    pub require_policies: bool,
    /// Whether there was a store to look for payloads in.
    pub payloads: bool,
    /// What might differ, of a constrained replay, as its file form says it.
    pub variance: Option<Value>,
    /// The version of this program.
    pub proofline: String,
    /// Name and version of what decided again; none in a forensic replay, which asks no policy.
    pub policy_engine: Option<String>,
    /// The version of each handler that might run tool calls again, by its name; none in an invariant replay.
    pub tools: BTreeMap<String, String>,
    /// Which shard this is; none for the whole.
    pub shard: Option<Shard>,
}

const SELECTIONS: [&str; 3] = ["all", "chosen", "pairs"];

impl Head {
    /// The head of the report of such a run.
    ///
    /// # Errors
    /// [`ReportError::Ledger`].
    pub fn of(snapshot: &Snapshot, means: &Means<'_>, plan: &Plan) -> Result<Self, ReportError> {
        let origin = readable(snapshot.genesis())?.map(|genesis| genesis.origin.to_string());
        let root = root(snapshot)?;
        let tools = means.tools.filter(|_| plan.mode == Mode::Forensic);
        let tools = tools.into_iter().flat_map(Tools::versions);
        let engine = means.policies.filter(|_| plan.mode != Mode::Forensic);
        Ok(Self {
            ledger_id: snapshot.ledger_id(),
            origin,
            entries: snapshot.entries(),
            root,
            end: snapshot.end(),
            replay_type: plan.mode.replay_type(),
            selection: match plan.traces {
                Selection::All => "all",
                Selection::Chosen(_) => "chosen",
                Selection::Pairs(_) => "pairs",
            },
            generated_at: plan.generated_at,
            include_rejected: plan.include_rejected,
            require_policies: plan.require_policies,
            payloads: means.payloads.is_some(),
            variance: match &plan.mode {
                Mode::Constrained(policy) => Some(policy.to_value()),
                Mode::Forensic | Mode::Invariant => None,
            },
            proofline: env!("CARGO_PKG_VERSION").to_owned(),
            policy_engine: engine.map(|engine| format!("{} {}", engine.name(), engine.version())),
            tools: tools.map(|(name, version)| (name.to_string(), version)).collect(),
            shard: plan.shard,
        })
    }

    /// The first line's value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let shard = |shard: Shard| {
            Value::object([("index", Value::from(shard.index())), ("of", Value::from(shard.of()))])
        };
        let text = |text: Option<String>| text.map_or(Value::Null, Value::from);
        let tools = self.tools.iter().map(|(name, version)| (name.as_str(), Value::from(version.as_str())));
        let versions = Value::object([
            ("proofline", Value::from(self.proofline.as_str())),
            ("policy_engine", text(self.policy_engine.clone())),
            ("tools", Value::object(tools)),
        ]);
        let head = Value::object([
            ("format", Value::from(FORMAT)),
            ("version", Value::from(VERSION)),
            ("ledger_id", Value::from(self.ledger_id.to_string())),
            ("origin", text(self.origin.clone())),
            ("entries", Value::from(self.entries)),
            ("root", text(self.root.map(|root| hex(root.as_bytes())))),
            ("end", Value::from(self.end.as_str())),
            ("replay_type", Value::from(self.replay_type.as_str())),
            ("selection", Value::from(self.selection)),
            ("generated_at", Value::from(self.generated_at.to_string())),
            ("include_rejected", Value::from(self.include_rejected)),
            ("require_policies", Value::from(self.require_policies)),
            ("payloads", Value::from(self.payloads)),
            ("variance", self.variance.clone().unwrap_or(Value::Null)),
            ("versions", versions),
            ("shard", self.shard.map_or(Value::Null, shard)),
        ]);
        Value::object([("report", head)])
    }

    /// The first line, without its end.
    ///
    /// # Errors
    /// [`ReportError::Value`] for a number that JSON cannot carry.
    pub fn to_line(&self) -> Result<String, ReportError> {
        spelling::line(&self.to_value())
    }

    /// Reads the first line's value.
    pub(super) fn from_value(value: &Value) -> Result<Self, LineFault> {
        let Some(head) = value.get("report") else { return Err(LineFault::NotAReport) };
        if head.get("format").and_then(Value::as_str) != Some(FORMAT) {
            return Err(LineFault::NotAReport);
        }
        let node = Node::root(value).get("report")?;
        match node.get("version")?.count()? {
            VERSION => Ok(Self::read(&node)?),
            other => Err(LineFault::Version(other)),
        }
    }

    fn read(node: &Node<'_>) -> Result<Self, FormError> {
        let text = |node: Node<'_>| node.text().map(str::to_owned);
        let versions = node.get("versions")?;
        let selection = node.get("selection")?;
        let known = SELECTIONS.into_iter().find(|known| selection.text() == Ok(*known));
        Ok(Self {
            ledger_id: node.get("ledger_id")?.word("the id of a ledger")?,
            origin: node.get("origin")?.some().map(text).transpose()?,
            entries: node.get("entries")?.count()?,
            root: node.get("root")?.some().map(|root| root.hex().map(NodeHash::from_bytes)).transpose()?,
            end: totals::end(&node.get("end")?)?,
            replay_type: node.get("replay_type")?.word("a replay type")?,
            selection: known.ok_or_else(|| selection.other("`all`, `chosen` or `pairs`"))?,
            generated_at: node.get("generated_at")?.word("a time")?,
            include_rejected: node.get("include_rejected")?.flag()?,
            require_policies: node.get("require_policies")?.flag()?,
            payloads: node.get("payloads")?.flag()?,
            variance: node.get("variance")?.some().map(|variance| variance.value().clone()),
            proofline: text(versions.get("proofline")?)?,
            policy_engine: versions.get("policy_engine")?.some().map(text).transpose()?,
            tools: versions.get("tools")?.texts()?,
            shard: node.get("shard")?.some().map(|shard| read_shard(&shard)).transpose()?,
        })
    }

    /// The head of the whole that this is a part of.
    #[must_use]
    pub fn of_whole(&self) -> Self {
        Self { shard: None, ..self.clone() }
    }

    /// The first member that another head has otherwise, the shard aside.
    pub(super) fn difference(&self, other: &Self) -> Option<Difference> {
        let Self {
            ledger_id,
            origin,
            entries,
            root,
            end,
            replay_type,
            selection,
            generated_at,
            include_rejected,
            require_policies,
            payloads,
            variance,
            proofline,
            policy_engine,
            tools,
            shard: _,
        } = other;
        let members = [
            (Side::Ledger, "ledger_id", self.ledger_id == *ledger_id),
            (Side::Ledger, "origin", self.origin == *origin),
            (Side::Size, "entries", self.entries == *entries),
            (Side::Size, "root", self.root == *root),
            (Side::Size, "end", self.end == *end),
            (Side::Plan, "replay_type", self.replay_type == *replay_type),
            (Side::Plan, "selection", self.selection == *selection),
            (Side::Plan, "generated_at", self.generated_at == *generated_at),
            (Side::Plan, "include_rejected", self.include_rejected == *include_rejected),
            (Side::Plan, "require_policies", self.require_policies == *require_policies),
            (Side::Plan, "payloads", self.payloads == *payloads),
            (Side::Plan, "variance", self.variance == *variance),
            (Side::Plan, "versions/proofline", self.proofline == *proofline),
            (Side::Plan, "versions/policy_engine", self.policy_engine == *policy_engine),
            (Side::Plan, "versions/tools", self.tools == *tools),
        ];
        members.into_iter().find(|(_, _, same)| !same).map(|(side, member, _)| Difference { side, member })
    }
}

/// What a member of a head is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Ledger,
    Size,
    Plan,
}

/// A member that two heads have otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) side: Side,
    pub(super) member: &'static str,
}

fn read_shard(node: &Node<'_>) -> Result<Shard, FormError> {
    let shard = Shard::new(node.get("index")?.count()?, node.get("of")?.count()?);
    shard.map_err(|_| node.other("a shard that there can be"))
}

/// The root over all entries; none where the log is so damaged that there is none.
pub(super) fn root(snapshot: &Snapshot) -> Result<Option<NodeHash>, ReportError> {
    match snapshot.tree().root(snapshot.entries()) {
        Ok(root) => Ok(Some(root)),
        Err(TreeError::Entry(fault)) => readable(Err(fault)),
        Err(_) => Ok(None),
    }
}

/// What can be read; damage is for the replay to report.
fn readable<T>(read: Result<T, EntryFault>) -> Result<Option<T>, ReportError> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(EntryFault::Damaged(_)) => Ok(None),
        Err(fault) => Err(ReportError::Ledger(fault)),
    }
}

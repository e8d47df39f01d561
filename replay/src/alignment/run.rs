//! One side of a comparison: the records of a trace on its span tree, with the keys that say which
//! steps are likely to be the same.

use std::collections::{BTreeMap, BTreeSet};

use proofline_canon::Sha256Digest;
use proofline_trace::{Classification, Envelope, EnvelopeHash, ErrorKind, SpanNode, SpanRecord, SpanTree};

use super::aspect::{self, Digests};

/// One record of a trace, accepted or refused.
#[derive(Debug, Clone)]
pub struct RunRecord<'a> {
    /// Where it stands. Its `position` names it in the result and is its own in the trace.
    pub span: SpanRecord,
    /// What it says.
    pub envelope: &'a Envelope,
    /// How the gate refused it, if it did.
    pub refusal: Option<(Classification, ErrorKind)>,
}

/// The records of one trace as a tree of spans.
#[derive(Debug)]
pub struct Run<'a> {
    tree: SpanTree,
    records: BTreeMap<u64, Keyed<'a>>,
}

#[derive(Debug)]
struct Keyed<'a> {
    record: RunRecord<'a>,
    digests: Digests,
}

impl<'a> Run<'a> {
    /// The run of one trace, its records in ledger order.
    pub fn of(records: impl IntoIterator<Item = RunRecord<'a>>) -> Self {
        let records = records.into_iter().map(|record| {
            let digests = aspect::digests(&record);
            (record.span.position, Keyed { record, digests })
        });
        let records: BTreeMap<u64, Keyed<'a>> = records.collect();
        let tree = SpanTree::build(records.values().map(|keyed| keyed.record.span));
        Self { tree, records }
    }

    /// The span tree, of accepted and refused records alike.
    #[must_use]
    pub const fn tree(&self) -> &SpanTree {
        &self.tree
    }

    /// A record by its position.
    #[must_use]
    pub fn record(&self, position: u64) -> Option<&RunRecord<'a>> {
        self.records.get(&position).map(|keyed| &keyed.record)
    }

    pub(super) fn hashes(&self) -> BTreeSet<EnvelopeHash> {
        self.records.values().map(|keyed| keyed.record.span.hash).collect()
    }

    /// What stands above a span at the top.
    pub(super) fn parent_of_top(&self, span: &SpanNode) -> &'static str {
        match span.parent_span_id() {
            None => "root",
            Some(parent) if self.tree.span(parent).is_none() => "absent",
            Some(_) => "circle",
        }
    }
}

/// How alike two spans or records must be to be paired; what is more alike is paired first. The words
/// come twice: for two that were both accepted or both refused, then whatever the gate answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Likeness {
    /// The span and all below say the same.
    Below,
    /// They say the same but for what came back.
    AskedBelow,
    /// The span's own records say the same; of records, they do.
    Content,
    /// They do but for what came back.
    Asked,
    /// The same actor; the same action and resource; the same model or tool.
    Subject { answered_alike: bool },
    /// The same action; the same model or tool of another provider or adapter.
    Verb { answered_alike: bool },
    /// The same resource; the same provider or adapter.
    Object { answered_alike: bool },
    /// Both contexts, or both calls. Decisions on another action and another resource are other steps.
    Kind { answered_alike: bool },
}

impl Likeness {
    pub(super) const ALL: [Self; 12] = [
        Self::Below,
        Self::AskedBelow,
        Self::Content,
        Self::Asked,
        Self::Subject { answered_alike: true },
        Self::Subject { answered_alike: false },
        Self::Verb { answered_alike: true },
        Self::Verb { answered_alike: false },
        Self::Object { answered_alike: true },
        Self::Object { answered_alike: false },
        Self::Kind { answered_alike: true },
        Self::Kind { answered_alike: false },
    ];
}

/// What two items must share to be alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key<'a> {
    Digest(Sha256Digest),
    Words(bool, &'static str, &'a str, &'a str),
}

/// A span with its place in the drawing and its keys.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) span: &'a SpanNode,
    pub(super) children: Vec<usize>,
    /// Of its own records.
    pub(super) content: Sha256Digest,
    /// The same without what came back.
    asked: Sha256Digest,
    /// Of its records and all below.
    pub(super) below: Sha256Digest,
    /// The same without what came back.
    pub(super) asked_below: Sha256Digest,
}

/// The spans of a run in the order of its drawing, and which of them are at the top.
pub(super) fn nodes<'a>(run: &'a Run<'_>) -> (Vec<Node<'a>>, Vec<usize>) {
    let (mut nodes, mut tops, mut above) = (Vec::<Node<'a>>::new(), Vec::new(), Vec::new());
    for drawn in run.tree.walk() {
        above.truncate(drawn.depth);
        let at = nodes.len();
        match above.last().and_then(|parent: &usize| nodes.get_mut(*parent)) {
            Some(parent) => parent.children.push(at),
            None => tops.push(at),
        }
        above.push(at);
        let content = of_records(run, drawn.span, |digests| digests.content);
        let asked = of_records(run, drawn.span, |digests| digests.asked);
        let (below, asked_below) = (content, asked);
        nodes.push(Node { span: drawn.span, children: Vec::new(), content, asked, below, asked_below });
    }
    add_what_is_below(&mut nodes);
    (nodes, tops)
}

fn of_records(run: &Run<'_>, span: &SpanNode, of: impl Fn(&Digests) -> Sha256Digest) -> Sha256Digest {
    let records = span.records().iter().filter_map(|record| run.records.get(&record.position));
    digest_of(records.map(|keyed| of(&keyed.digests)))
}

fn digest_of(digests: impl Iterator<Item = Sha256Digest>) -> Sha256Digest {
    let bytes: Vec<u8> = digests.flat_map(|digest| *digest.as_bytes()).collect();
    Sha256Digest::of(&bytes)
}

/// From the last span to the first: children stand behind their parent.
fn add_what_is_below(nodes: &mut [Node<'_>]) {
    for at in (0..nodes.len()).rev() {
        let Some(node) = nodes.get(at) else { continue };
        let of_children = |of: fn(&Node<'_>) -> Sha256Digest| -> Vec<Sha256Digest> {
            node.children.iter().filter_map(|child| nodes.get(*child)).map(of).collect()
        };
        let below = of_children(|child| child.below);
        let asked_below = of_children(|child| child.asked_below);
        let below = digest_of(std::iter::once(node.content).chain(below));
        let asked_below = digest_of(std::iter::once(node.asked).chain(asked_below));
        if let Some(node) = nodes.get_mut(at) {
            (node.below, node.asked_below) = (below, asked_below);
        }
    }
}

impl<'a> Run<'a> {
    /// What a span is paired by: its first accepted record speaks for it, a context only where there is no other, else
    /// its first. Where a context stands says less of what a span did than anything else there.
    pub(super) fn key_of_span(&self, node: &Node<'_>, likeness: Likeness) -> Option<Key<'_>> {
        match likeness {
            Likeness::Below => return Some(Key::Digest(node.below)),
            Likeness::AskedBelow => return Some(Key::Digest(node.asked_below)),
            Likeness::Content => return Some(Key::Digest(node.content)),
            Likeness::Asked => return Some(Key::Digest(node.asked)),
            _ => {}
        }
        let own = || node.span.records().iter().filter_map(|record| self.records.get(&record.position));
        let accepted = || own().filter(|keyed| keyed.record.refusal.is_none());
        let is_context = |keyed: &&Keyed<'_>| matches!(keyed.record.envelope, Envelope::AuthContext(_));
        let first = accepted().find(|keyed| !is_context(keyed));
        let first = first.or_else(|| accepted().next()).or_else(|| own().next())?;
        words(&first.record, likeness)
    }

    /// What a record is paired by within its span.
    pub(super) fn key_of_record(&self, position: u64, likeness: Likeness) -> Option<Key<'_>> {
        let keyed = self.records.get(&position)?;
        match likeness {
            Likeness::Below | Likeness::AskedBelow => None,
            Likeness::Content => Some(Key::Digest(keyed.digests.content)),
            Likeness::Asked => Some(Key::Digest(keyed.digests.asked)),
            _ => words(&keyed.record, likeness),
        }
    }
}

fn words<'a>(record: &RunRecord<'a>, likeness: Likeness) -> Option<Key<'a>> {
    let (kind, verb, object) = match record.envelope {
        Envelope::AuthContext(record) => {
            ("context", record.actor.actor_id.as_str(), record.actor.actor_kind.as_str())
        }
        Envelope::PolicyDecision(record) => {
            ("decision", record.request.action.as_str(), record.request.resource.as_str())
        }
        Envelope::ModelCall(record) => ("model", record.model.model.as_str(), record.model.provider.as_str()),
        Envelope::ToolCall(record) => {
            ("tool", record.tool.tool_name.as_str(), record.tool.adapter_id.as_str())
        }
    };
    let key = |answered_alike, kind, verb, object| {
        Some(Key::Words(answered_alike && record.refusal.is_some(), kind, verb, object))
    };
    match likeness {
        Likeness::Below | Likeness::AskedBelow | Likeness::Content | Likeness::Asked => None,
        Likeness::Subject { answered_alike } => key(answered_alike, kind, verb, object),
        Likeness::Verb { answered_alike } => key(answered_alike, kind, verb, ""),
        Likeness::Object { answered_alike } => key(answered_alike, kind, object, ""),
        Likeness::Kind { answered_alike } => match record.envelope {
            Envelope::PolicyDecision(_) => None,
            Envelope::AuthContext(_) => key(answered_alike, kind, "", ""),
            Envelope::ModelCall(_) | Envelope::ToolCall(_) => key(answered_alike, "call", "", ""),
        },
    }
}

//! Two traces side by side: which spans are the same step, which only one of them has, and in what
//! the records of a step differ. Pure functions; neither side is the measure of the other.

mod aspect;
mod moves;
mod run;
mod sequence;

use std::collections::{BTreeMap, BTreeSet};

use proofline_canon::Value;
use proofline_trace::{EnvelopeHash, SpanId};

pub use aspect::Aspect;
use run::{Key, Likeness, Node, nodes};
pub use run::{Run, RunRecord};

/// Whether a step that took another time is another step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durations {
    /// No: durations are listed and change nothing, for two runs hardly ever share one.
    #[default]
    Listed,
    /// Yes: a pair that differs in nothing else is changed.
    Counted,
}

/// What became of a span, or of a record of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// On both sides, and no difference counts.
    Same,
    /// On both sides, with a difference.
    Changed,
    /// On the first side only.
    OnlyA,
    /// On the second side only.
    OnlyB,
    /// Of a span: on both sides, and this is where the first has it.
    MovedA,
    /// Of a span: on both sides, and this is where the second has it.
    MovedB,
}

impl Change {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Changed => "changed",
            Self::OnlyA => "only_a",
            Self::OnlyB => "only_b",
            Self::MovedA => "moved_a",
            Self::MovedB => "moved_b",
        }
    }
}

/// One respect in which two records differ, with what either says; none where it says nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct AspectDifference {
    /// The respect, which says what the values are.
    pub aspect: Aspect,
    /// What the first says.
    pub a: Option<Value>,
    /// What the second says.
    pub b: Option<Value>,
}

/// Two records of one step, or one that has no counterpart.
#[derive(Debug, Clone, PartialEq)]
pub struct AlignedRecord {
    /// The position of the first side's record.
    pub a: Option<u64>,
    /// The position of the second side's record.
    pub b: Option<u64>,
    /// Of a record on a span that moved: the position of the other side's record, which stands elsewhere.
    pub elsewhere: Option<u64>,
    /// What became of it.
    pub change: Change,
    /// How the two differ, in the order of [`Aspect::ALL`]. One without counterpart on a span that has one
    /// differs in [`Aspect::Record`]; one on a span without counterpart is told by the span.
    pub differences: Vec<AspectDifference>,
}

/// Two spans that are the same step, or one that has no counterpart.
#[derive(Debug, Clone, PartialEq)]
pub struct AlignedSpan {
    /// How many spans are above, on either side.
    pub depth: usize,
    /// Whether nothing follows below the same span, on either side.
    pub is_last: bool,
    /// The span of the first side.
    pub a: Option<SpanId>,
    /// The span of the second side.
    pub b: Option<SpanId>,
    /// Of a span that moved: the other side's, which stands elsewhere in the list.
    pub elsewhere: Option<SpanId>,
    /// What became of it: of a pair, whether its own records have a difference. What is below counts
    /// for itself.
    pub change: Change,
    /// The records of both.
    pub records: Vec<AlignedRecord>,
}

/// How many spans there are of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChangeCounts {
    /// Pairs without a difference that counts.
    pub same: usize,
    /// Pairs with one.
    pub changed: usize,
    /// Spans of the first side alone.
    pub only_a: usize,
    /// Spans of the second side alone.
    pub only_b: usize,
    /// Spans of both sides that stand elsewhere, whether they differ or not.
    pub moved: usize,
}

/// Two runs side by side, from [`align`].
#[derive(Debug, Clone, PartialEq)]
pub struct Alignment {
    spans: Vec<AlignedSpan>,
}

impl Alignment {
    /// Every span of either side once, depth first; what only the first has stands before what
    /// only the second has. A span that moved thus stands there twice, once for each side.
    #[must_use]
    pub fn spans(&self) -> &[AlignedSpan] {
        &self.spans
    }

    /// How many spans there are of each kind.
    #[must_use]
    pub fn counts(&self) -> ChangeCounts {
        let mut counts = ChangeCounts::default();
        for span in &self.spans {
            match span.change {
                Change::Same => counts.same += 1,
                Change::Changed => counts.changed += 1,
                Change::OnlyA => counts.only_a += 1,
                Change::OnlyB => counts.only_b += 1,
                Change::MovedA => counts.moved += 1,
                Change::MovedB => {} // counted where the first side has it
            }
        }
        counts
    }

    /// Whether anything differs that counts.
    #[must_use]
    pub fn differs(&self) -> bool {
        self.spans.iter().any(|span| span.change != Change::Same)
    }

    /// How many pairs of records differ in each respect, those included that do not count.
    #[must_use]
    pub fn aspects(&self) -> BTreeMap<Aspect, usize> {
        let mut counts = BTreeMap::new();
        let spans = self.spans.iter().filter(|span| span.change != Change::MovedA);
        let records = spans.flat_map(|span| &span.records);
        for difference in records.flat_map(|record| &record.differences) {
            *counts.entry(difference.aspect).or_default() += 1;
        }
        counts
    }
}

/// Puts two runs side by side.
///
/// From the top down, the spans below two that were paired are paired in the order in which
/// [`SpanTree::walk`](proofline_trace::SpanTree::walk) draws them: first those that say the same with all
/// that is below them, then between these those that do but for what came back of calls, then those whose own
/// records say the same, with or without what came back, then those on the same subject (the actor of a context,
/// action and resource of a decision, the model or tool of a call),
/// then those that share a part of it, at last contexts with contexts and calls with calls. Pairs never
/// cross, and below a span without counterpart nothing has one. The records of two paired spans are paired alike.
///
/// Spans that are left then may have moved: below another span, or past others of their level. Subtrees that say the
/// same, or do but for what came back, are found wherever they stand, the largest first, then single spans that say
/// the same; of equal ones the k-th is the k-th. Such a span stands in the list where the first side has it and where
/// the second has it. What comes in another order on one level is set aside before anything is paired by its subject.
///
/// Ids, hashes and times are not compared; what a record rests on differs when the two prerequisites were
/// not paired. Swapping the sides swaps every pair and changes nothing else, except that what only
/// one side has is listed before or after what only the other has.
///
/// Memory grows with the number of spans and records, plus a table of 8 MiB at most, and time grows likewise:
/// each of the twelve likenesses takes at most about a thousand steps a span, however wide a level is. Levels that
/// fit the table (about 2,000 spans beside 2,000, equal beginnings and ends not counted) get as many pairs of
/// each likeness as there can be; of larger ones the k-th is paired with the k-th of the same key, which may
/// find fewer.
///
/// ```
/// use proofline_canon::Limits;
/// use proofline_replay::{Aspect, Durations, Run, RunRecord, align};
/// use proofline_trace::{SpanRecord, read_envelope};
///
/// # let line = br#"{"spec_version": "1.0.0", "canon_version": "1", "record_type": "auth_context",
/// #     "ts_ms": 1769817600000, "trace": {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
/// #     "span_id": "00f067aa0ba902b7", "span_kind": "root"}, "producer": {"layer": "cpo", "component": "gateway"},
/// #     "actor": {"actor_kind": "user", "actor_id": "staff/ines"}, "credential": {"credential_kind": "oidc",
/// #     "issuer": "https://id.example", "presented_hash_sha256":
/// #     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "verified_at_ms": 1769817600000,
/// #     "expires_at_ms": 1769821200000}, "grants": {"tickets:read": true}}"#;
/// // Any two envelopes; here an auth_context of staff/ines and the same of staff/omar.
/// let other = String::from_utf8_lossy(line).replace("ines", "omar");
/// let (one, other) = (read_envelope(line, &Limits::ENVELOPE)?, read_envelope(other.as_bytes(), &Limits::ENVELOPE)?);
/// let run = |sealed, position| {
///     let record: &proofline_trace::SealedEnvelope = sealed;
///     Run::of([RunRecord { span: SpanRecord::of(record, position), envelope: record.envelope(), refusal: None }])
/// };
/// let alignment = align(&run(&one, 1), &run(&other, 2), Durations::Listed);
/// let [root] = alignment.spans() else { panic!("one pair") };
/// assert_eq!(root.records[0].differences[0].aspect, Aspect::Actor);
/// assert!(!align(&run(&one, 1), &run(&one, 1), Durations::Counted).differs());
/// # Ok::<(), proofline_trace::Rejection>(())
/// ```
#[must_use]
pub fn align(a: &Run<'_>, b: &Run<'_>, durations: Durations) -> Alignment {
    let rows = rows(a, b);
    let paired = Prerequisites::of(a, b, &rows);
    let spans = rows.into_iter().map(|row| row.compared(a, b, &paired, durations));
    Alignment { spans: spans.collect() }
}

/// A pair of places, or one without counterpart.
type Pair<T> = (Option<T>, Option<T>);

/// One span of the result before its records are compared.
struct Row {
    depth: usize,
    is_last: bool,
    spans: Pair<SpanId>,
    /// What is above a pair at the top, on either side.
    parents: Option<(&'static str, &'static str)>,
    /// On the row of a span that moved, those of this side with their counterparts elsewhere.
    records: Vec<Pair<u64>>,
    /// The two among the nodes of their sides.
    places: Pair<usize>,
    /// The counterpart of a span that moved.
    elsewhere: Option<SpanId>,
}

fn rows(a: &Run<'_>, b: &Run<'_>) -> Vec<Row> {
    let ((nodes_a, tops_a), (nodes_b, tops_b)) = (nodes(a), nodes(b));
    let sides = Sides { a, b, nodes_a: &nodes_a, nodes_b: &nodes_b };
    let mut open = Vec::new();
    push(&mut open, 0, sides.level(&tops_a, &tops_b));
    let mut rows = Vec::with_capacity(nodes_a.len().max(nodes_b.len()));
    while let Some((depth, is_last, places)) = open.pop() {
        let one = places.0.and_then(|at| nodes_a.get(at));
        let other = places.1.and_then(|at| nodes_b.get(at));
        rows.push(sides.row(depth, is_last, places, one, other));
        let below = |node: Option<&Node<'_>>| node.map(|node| node.children.clone()).unwrap_or_default();
        push(&mut open, depth + 1, sides.level(&below(one), &below(other)));
    }
    sides.mark_moved(&mut rows);
    rows
}

fn push(open: &mut Vec<(usize, bool, Pair<usize>)>, depth: usize, level: Vec<Pair<usize>>) {
    let last = level.len().saturating_sub(1);
    let marked = level.into_iter().enumerate().rev().map(|(at, pair)| (depth, at == last, pair));
    open.extend(marked);
}

struct Sides<'a> {
    a: &'a Run<'a>,
    b: &'a Run<'a>,
    nodes_a: &'a [Node<'a>],
    nodes_b: &'a [Node<'a>],
}

impl Sides<'_> {
    /// The spans below two that were paired.
    fn level(&self, of_a: &[usize], of_b: &[usize]) -> Vec<Pair<usize>> {
        let key_a = |at: &usize, likeness| self.a.key_of_span(self.nodes_a.get(*at)?, likeness);
        let key_b = |at: &usize, likeness| self.b.key_of_span(self.nodes_b.get(*at)?, likeness);
        paired(of_a, of_b, key_a, key_b)
    }

    fn records(&self, one: Option<&Node<'_>>, other: Option<&Node<'_>>) -> Vec<Pair<u64>> {
        let positions = |node: Option<&Node<'_>>| -> Vec<u64> {
            let records = node.map(|node| node.span.records()).unwrap_or_default();
            records.iter().map(|record| record.position).collect()
        };
        let key_a = |position: &u64, likeness| self.a.key_of_record(*position, likeness);
        let key_b = |position: &u64, likeness| self.b.key_of_record(*position, likeness);
        paired(&positions(one), &positions(other), key_a, key_b)
    }

    /// Tells the rows of spans that moved of their counterparts.
    fn mark_moved(&self, rows: &mut [Row]) {
        let alone_a = rows.iter().filter(|row| row.places.1.is_none()).filter_map(|row| row.places.0);
        let alone_b = rows.iter().filter(|row| row.places.0.is_none()).filter_map(|row| row.places.1);
        let (alone_a, alone_b): (Vec<usize>, Vec<usize>) = (alone_a.collect(), alone_b.collect());
        let found = moves::moves(self.nodes_a, self.nodes_b, &alone_a, &alone_b);
        let of_a: BTreeMap<usize, usize> = found.iter().copied().collect();
        let of_b: BTreeMap<usize, usize> = found.iter().map(|(one, other)| (*other, *one)).collect();
        for row in rows {
            let (one, other) = match row.places {
                (Some(one), None) => (Some(one), of_a.get(&one).copied()),
                (None, Some(other)) => (of_b.get(&other).copied(), Some(other)),
                _ => continue,
            };
            let (one, other) =
                (one.and_then(|at| self.nodes_a.get(at)), other.and_then(|at| self.nodes_b.get(at)));
            if let (Some(one), Some(other)) = (one, other) {
                let is_of_a = row.places.0.is_some();
                let records = self.records(Some(one), Some(other)).into_iter();
                let own = |pair: &Pair<u64>| if is_of_a { pair.0.is_some() } else { pair.1.is_some() };
                row.records = records.filter(own).collect();
                row.elsewhere = Some(if is_of_a { other.span.span_id() } else { one.span.span_id() });
            }
        }
    }

    fn row(
        &self,
        depth: usize,
        is_last: bool,
        places: Pair<usize>,
        one: Option<&Node<'_>>,
        other: Option<&Node<'_>>,
    ) -> Row {
        let top = one.zip(other).filter(|_| depth == 0);
        Row {
            depth,
            is_last,
            spans: (one.map(|node| node.span.span_id()), other.map(|node| node.span.span_id())),
            parents: top
                .map(|(one, other)| (self.a.parent_of_top(one.span), self.b.parent_of_top(other.span))),
            records: self.records(one, other),
            places,
            elsewhere: None,
        }
    }
}

/// Pairs items of two lists without crossing, the more alike first. What is between two pairs comes in the order
/// of the lists, the first list's before the second's.
fn paired<'k, T: Copy>(
    a: &[T],
    b: &[T],
    key_a: impl Fn(&T, Likeness) -> Option<Key<'k>>,
    key_b: impl Fn(&T, Likeness) -> Option<Key<'k>>,
) -> Vec<Pair<T>> {
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    let mut crossing = Crossing { a: BTreeSet::new(), b: BTreeSet::new() };
    for likeness in Likeness::ALL {
        let mut found = Vec::new();
        for (of_a, of_b) in sequence::gaps(&pairs, a.len(), b.len()) {
            if of_a.is_empty() || of_b.is_empty() {
                continue;
            }
            let (from_a, from_b) = (of_a.start, of_b.start);
            let keys_a: Vec<_> =
                of_a.map(|at| (!crossing.a.contains(&at)).then(|| key_a(a.get(at)?, likeness))?).collect();
            let keys_b: Vec<_> =
                of_b.map(|at| (!crossing.b.contains(&at)).then(|| key_b(b.get(at)?, likeness))?).collect();
            let common = sequence::common(&keys_a, &keys_b);
            found.extend(common.into_iter().map(|(one, other)| (from_a + one, from_b + other)));
        }
        if !found.is_empty() {
            pairs.extend(found);
            pairs.sort_unstable();
        }
        if likeness == Likeness::AskedBelow {
            crossing = Crossing::of(
                open_keys(
                    a,
                    |at| pairs.binary_search_by_key(&at, |pair| pair.0).is_ok(),
                    |item| key_a(item, likeness),
                ),
                open_keys(
                    b,
                    |at| pairs.binary_search_by_key(&at, |pair| pair.1).is_ok(),
                    |item| key_b(item, likeness),
                ),
            );
        }
    }
    merged(a, b, &pairs)
}

/// Items of one level that both sides have, in an order in which they cannot be paired: nothing less alike takes
/// their place.
struct Crossing {
    a: BTreeSet<usize>,
    b: BTreeSet<usize>,
}

impl Crossing {
    fn of<'k>(a: BTreeMap<Key<'k>, Vec<usize>>, mut b: BTreeMap<Key<'k>, Vec<usize>>) -> Self {
        let mut crossing = Self { a: BTreeSet::new(), b: BTreeSet::new() };
        for (key, places) in a {
            let others = b.remove(&key).unwrap_or_default();
            let count = places.len().min(others.len());
            crossing.a.extend(places.into_iter().take(count));
            crossing.b.extend(others.into_iter().take(count));
        }
        crossing
    }
}

/// The places of items that are not paired yet, by their keys.
fn open_keys<'k, T>(
    items: &[T],
    is_paired: impl Fn(usize) -> bool,
    key: impl Fn(&T) -> Option<Key<'k>>,
) -> BTreeMap<Key<'k>, Vec<usize>> {
    let mut open: BTreeMap<Key<'k>, Vec<usize>> = BTreeMap::new();
    for (at, item) in items.iter().enumerate().filter(|(at, _)| !is_paired(*at)) {
        if let Some(key) = key(item) {
            open.entry(key).or_default().push(at);
        }
    }
    open
}

fn merged<T: Copy>(a: &[T], b: &[T], pairs: &[(usize, usize)]) -> Vec<Pair<T>> {
    let mut merged = Vec::with_capacity(a.len().max(b.len()));
    let (mut from_a, mut from_b) = (0, 0);
    for (one, other) in pairs.iter().copied().chain([(a.len(), b.len())]) {
        let alone_a = a.get(from_a..one).unwrap_or_default();
        let alone_b = b.get(from_b..other).unwrap_or_default();
        merged.extend(alone_a.iter().map(|item| (Some(*item), None)));
        merged.extend(alone_b.iter().map(|item| (None, Some(*item))));
        if let (Some(one), Some(other)) = (a.get(one), b.get(other)) {
            merged.push((Some(*one), Some(*other)));
        }
        (from_a, from_b) = (one + 1, other + 1);
    }
    merged
}

/// Which records the two sides have, and which of them were paired.
struct Prerequisites {
    pairs: BTreeSet<(EnvelopeHash, EnvelopeHash)>,
    in_a: BTreeSet<EnvelopeHash>,
    in_b: BTreeSet<EnvelopeHash>,
}

impl Prerequisites {
    fn of(a: &Run<'_>, b: &Run<'_>, rows: &[Row]) -> Self {
        let both = rows.iter().flat_map(|row| &row.records).filter_map(|(one, other)| (*one).zip(*other));
        let hashes =
            both.filter_map(|(one, other)| Some((a.record(one)?.span.hash, b.record(other)?.span.hash)));
        Self { pairs: hashes.collect(), in_a: a.hashes(), in_b: b.hashes() }
    }

    /// Two that neither trace has are two ids, which are not compared.
    fn differ(&self, one: Option<EnvelopeHash>, other: Option<EnvelopeHash>) -> bool {
        match (one, other) {
            (Some(one), Some(other)) => {
                let absent = !self.in_a.contains(&one) && !self.in_b.contains(&other);
                one != other && !absent && !self.pairs.contains(&(one, other))
            }
            _ => one != other,
        }
    }
}

impl Row {
    fn compared(self, a: &Run<'_>, b: &Run<'_>, known: &Prerequisites, durations: Durations) -> AlignedSpan {
        let mut parents = self.parents.filter(|(one, other)| one != other);
        let is_pair = matches!(self.spans, (Some(_), Some(_))) || self.elsewhere.is_some();
        let records = self.records.iter().map(|(one, other)| {
            let (of_a, of_b) = (one.and_then(|it| a.record(it)), other.and_then(|it| b.record(it)));
            let differences = match (of_a, of_b) {
                (Some(of_a), Some(of_b)) => differences(of_a, of_b, parents.take(), known),
                (of_a, of_b) if is_pair => vec![alone(of_a, of_b)],
                _ => Vec::new(),
            };
            let change = change(*one, *other, &differences, durations);
            let (a, b, elsewhere) = match (self.elsewhere, self.spans) {
                (None, _) => (*one, *other, None),
                (Some(_), (Some(_), _)) => (*one, None, *other),
                (Some(_), (None, _)) => (None, *other, *one),
            };
            AlignedRecord { a, b, elsewhere, change, differences }
        });
        let records: Vec<AlignedRecord> = records.collect();
        let change = match self.spans {
            (_, None) if self.elsewhere.is_some() => Change::MovedA,
            (None, _) if self.elsewhere.is_some() => Change::MovedB,
            (_, None) => Change::OnlyA,
            (None, _) => Change::OnlyB,
            _ if records.iter().all(|record| record.change == Change::Same) => Change::Same,
            _ => Change::Changed,
        };
        let (a, b) = self.spans;
        let Self { depth, is_last, elsewhere, .. } = self;
        AlignedSpan { depth, is_last, a, b, elsewhere, change, records }
    }
}

fn change(a: Option<u64>, b: Option<u64>, differences: &[AspectDifference], durations: Durations) -> Change {
    let counts = |difference: &AspectDifference| {
        difference.aspect != Aspect::Duration || durations == Durations::Counted
    };
    match (a, b) {
        (_, None) => Change::OnlyA,
        (None, _) => Change::OnlyB,
        _ if differences.iter().any(counts) => Change::Changed,
        _ => Change::Same,
    }
}

fn alone(a: Option<&RunRecord<'_>>, b: Option<&RunRecord<'_>>) -> AspectDifference {
    let named = |record: &RunRecord<'_>| Value::from(record.envelope.record_type().as_str());
    AspectDifference { aspect: Aspect::Record, a: a.map(named), b: b.map(named) }
}

fn differences(
    a: &RunRecord<'_>,
    b: &RunRecord<'_>,
    parents: Option<(&'static str, &'static str)>,
    known: &Prerequisites,
) -> Vec<AspectDifference> {
    let mut said: BTreeMap<Aspect, Pair<Value>> = BTreeMap::new();
    for (aspect, value) in aspect::said(a) {
        said.entry(aspect).or_default().0 = Some(value);
    }
    for (aspect, value) in aspect::said(b) {
        said.entry(aspect).or_default().1 = Some(value);
    }
    said.extend(
        parents.map(|(one, other)| (Aspect::Parent, (Some(Value::from(one)), Some(Value::from(other))))),
    );
    let named = |hash: Option<EnvelopeHash>| hash.map(|hash| Value::from(hash.to_string()));
    let rests = [
        (Aspect::AuthContext, a.envelope.auth_context_hash(), b.envelope.auth_context_hash()),
        (Aspect::PolicyDecision, a.envelope.policy_decision_hash(), b.envelope.policy_decision_hash()),
    ];
    let other = rests.into_iter().filter(|(_, one, other)| known.differ(*one, *other));
    said.extend(other.map(|(aspect, one, other)| (aspect, (named(one), named(other)))));
    let differ = said.into_iter().filter(|(_, (one, other))| one != other);
    differ.map(|(aspect, (a, b))| AspectDifference { aspect, a, b }).collect()
}

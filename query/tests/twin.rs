//! Random filters, by the slow twin and by the crate: each plan, several numbers of threads, with a limit and without.
//! `PROOFLINE_EFFORT=full` asks a million, ten thousand of each of a hundred ledgers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use common::naive::World;
use common::{ask, is_full, ledger};
use proofline_ledger::Snapshot;
use proofline_query::{
    Datum, Event, Field, FieldType, Filter, QueryError, Question, Way, answer, count_by, traces_with,
};
use proofline_vectors::SplitMix64;
use serde_json::Value;

struct Chooser<'a> {
    random: SplitMix64,
    world: &'a World,
    names: Vec<String>,
}

impl Chooser<'_> {
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.random.below(bound as u64)).unwrap()
    }

    fn once_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    /// A filter whose comparisons have values from the ledger, most of the time.
    fn filter(&mut self, depth: usize, in_any: bool) -> String {
        let kind = if depth == 0 { 0 } else { self.below(8) };
        match kind {
            1 | 2 => format!("{} and {}", self.part(depth, in_any), self.part(depth, in_any)),
            3 => format!("{} or {}", self.part(depth, in_any), self.part(depth, in_any)),
            4 => format!("not {}", self.part(depth, in_any)),
            5 if !in_any && self.once_in(2) => format!("trace.any({})", self.filter(depth - 1, true)),
            _ => self.term(),
        }
    }

    fn part(&mut self, depth: usize, in_any: bool) -> String {
        let within = self.filter(depth - 1, in_any);
        if self.once_in(3) && !within.starts_with("not") { within } else { format!("({within})") }
    }

    fn name(&mut self) -> String {
        let at = self.below(self.names.len());
        self.names[at].clone()
    }

    fn term(&mut self) -> String {
        let name = self.name();
        let field = Field::named(&name).unwrap_or_else(|| panic!("{name}"));
        let comparisons: &[&str] = match field.field_type() {
            FieldType::Integer | FieldType::Time => &["=", "!=", "<", "<=", ">", ">="],
            FieldType::Named(_) => &["=", "!=", "~"],
            FieldType::Flag => &["=", "!="],
            FieldType::Set => &["~"],
            _ => &["=", "!=", "<", "<=", ">", ">=", "~"],
        };
        if self.once_in(6) {
            return format!("{name} exists");
        }
        if self.once_in(6) && field.field_type() != FieldType::Set {
            let values: Vec<String> = (0..self.below(4)).map(|_| self.value(&name, &field, "=")).collect();
            return format!("{name} in ({})", values.join(", "));
        }
        let how = comparisons[self.below(comparisons.len())];
        format!("{name} {how} {}", self.value(&name, &field, how))
    }

    fn value(&mut self, name: &str, field: &Field, how: &str) -> String {
        let column = self.world.column(&field.to_string());
        let found = (0..20).find_map(|_| column[self.below(column.len())].clone());
        match found {
            Some(Value::Number(number)) => {
                let number = number.as_i64().unwrap_or(3);
                let near = i64::try_from(self.below(3)).unwrap() - 1;
                (if self.once_in(2) { number } else { number + near }).to_string()
            }
            Some(Value::Bool(flag)) => (flag != self.once_in(3)).to_string(),
            Some(Value::String(text)) => {
                let cut = how == "~" || !["=", "!="].contains(&how);
                let length = text.chars().count();
                let take = if cut { 1 + self.below(length.max(1)) } else { length };
                let part: String = text.chars().take(take).collect();
                serde_json::to_string(&part).unwrap()
            }
            Some(Value::Object(set)) => {
                set.keys().next().map_or_else(|| "none".to_owned(), |token| format!("\"{token}\""))
            }
            _ => match field.field_type() {
                FieldType::Integer | FieldType::Time => "7".to_owned(),
                FieldType::Flag => "true".to_owned(),
                FieldType::Hex(bytes) => "0".repeat(bytes * 2),
                FieldType::Named(names) => names[name.len() % names.len()].to_owned(),
                _ => "\"x\"".to_owned(),
            },
        }
    }
}

/// Every name of the list, and some of one's own choice.
fn names() -> Vec<String> {
    let more = [
        "grants.ticket.read",
        "auth.grants.ticket.read",
        "decision.reason_codes.grant.present",
        "policy.decision.reason_codes.rule.business-hours",
        "policy.decision.obligations.redact.pii",
        "body.record_type",
        "body.trace.span_id",
        "body.decision.reason_codes",
        "body.result",
        "body.input_envelope_hashes.0",
        "body.target_trace_id",
        "body.origin",
        "body.ts_ms",
    ];
    // What most answers turn on comes up more often.
    let often = ["seq", "kind", "hash", "trace", "recorded_at", "classification", "record_type"];
    let often = std::iter::repeat_n(often, 6).flatten();
    let names = Field::names().into_iter();
    names.chain(more.into_iter().chain(often).map(str::to_owned)).collect()
}

fn threads(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

/// What came up among the questions.
#[derive(Debug, Default)]
struct Seen {
    questions: usize,
    ways: BTreeMap<&'static str, usize>,
    by_recorded_at: usize,
    /// Questions to which some entries are the answer, and some are not.
    telling: usize,
}

#[test]
fn answers_are_those_of_the_slow_twin() {
    let mut seen = Seen::default();
    if is_full() {
        for seed in 0..100 {
            // Of several sizes, and small: each question looks at each entry, often more than once.
            ask_many(&ledger(seed, 2 + seed % 5, 4 << 10), seed, 10_000, &mut seen);
        }
    } else {
        ask_many(&ledger(3, 30, 16 << 10), 11, 1_500, &mut seen);
    }
    // Every way was taken, and most questions said something.
    assert!(seen.ways.len() == 3 && seen.ways.values().all(|count| *count > 10), "{seen:?}");
    assert!(seen.by_recorded_at > 10 && seen.telling * 3 > seen.questions, "{seen:?}");
}

fn ask_many(home: &tempfile::TempDir, seed: u64, questions: usize, seen: &mut Seen) {
    let snapshot = Snapshot::open(home.path()).unwrap();
    let world = World::of(&snapshot);
    let mut chooser = Chooser { random: SplitMix64::new(seed), world: &world, names: names() };
    for _ in 0..questions {
        let text = chooser.filter(3, false);
        let filter: Filter = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(filter.to_string().parse::<Filter>().unwrap(), filter, "{text}");
        let fitting = (0..).zip(world.fitting(&filter));
        let expected: Vec<u64> = fitting.filter_map(|(seq, fits)| fits.then_some(seq)).collect();
        let question = Question::new(filter);
        let (planned, plan) = ask(&snapshot, &question);
        assert_eq!(planned.seqs, expected, "{text}\n{plan:?}");
        assert_eq!((planned.undecided, planned.damaged), (0, 0));
        assert!(
            planned.cost.looked_at == plan.candidates() && planned.cost.decoded <= planned.cost.looked_at
        );
        let scan = Question { scan_only: true, ..question.clone() };
        assert_eq!(ask(&snapshot, &scan).0.seqs, expected, "{text}");
        if chooser.once_in(8) {
            let many = Question { threads: threads(3), ..question.clone() };
            assert_eq!(ask(&snapshot, &many).0, planned, "{text}");
            let limit = 1 + chooser.random.below(5);
            let few = Question { limit: Some(limit), ..question };
            let several = Question { threads: threads(2), ..few.clone() };
            let (first, _) = ask(&snapshot, &few);
            assert_eq!(first.seqs, &expected[..expected.len().min(usize::try_from(limit).unwrap())]);
            assert_eq!(ask(&snapshot, &several).0, first);
        }
        *seen.ways.entry(plan.way.as_str()).or_insert(0) += 1;
        seen.by_recorded_at += usize::from(plan.by_recorded_at);
        seen.telling += usize::from(!expected.is_empty() && expected.len() < world.items.len());
    }
    seen.questions += questions;
}

/// A value as the slow twin's JSON has it.
fn as_json(datum: &Datum) -> Option<Value> {
    match datum {
        Datum::Unknown => panic!("all is at hand"),
        Datum::Absent => None,
        Datum::Flag(flag) => Some(Value::from(*flag)),
        Datum::Integer(number) => Some(Value::from(i64::try_from(*number).unwrap())),
        Datum::Text(text) => Some(Value::from(text.as_str())),
        Datum::Set(tokens) => {
            Some(Value::Object(tokens.iter().map(|token| (token.clone(), Value::from(true))).collect()))
        }
        Datum::Json(json) => Some(serde_json::from_str(json).unwrap()),
    }
}

#[test]
fn every_field_says_what_the_slow_twin_says() {
    let home = ledger(5, 12, 1 << 30);
    let snapshot = Snapshot::open(home.path()).unwrap();
    let world = World::of(&snapshot);
    let mut names = names();
    names.sort();
    names.dedup();
    let fields: Vec<Field> = names.iter().map(|name| Field::named(name).unwrap()).collect();
    let question = Question { reads_chains: true, ..Question::new(Filter::All) };
    let view = |hit: &mut proofline_query::Hit<'_, '_>| {
        fields.iter().map(|field| hit.value(field)).collect::<Result<Vec<_>, _>>()
    };
    let (mut at, mut present) = (0, vec![0; fields.len()]);
    answer::<_, QueryError>(&snapshot, &question, &view, &mut |event| {
        let Event::Answer(values) = event else { panic!("{event:?}") };
        for (place, (field, value)) in fields.iter().zip(values).enumerate() {
            let expected = world.look(&world.items[at], &field.to_string());
            assert_eq!(as_json(&value), expected, "{field} of entry {at}");
            present[place] += usize::from(value != Datum::Absent);
        }
        at += 1;
        Ok(())
    })
    .unwrap();
    assert_eq!(at, world.items.len());
    let never: Vec<&String> =
        names.iter().zip(&present).filter(|(_, count)| **count == 0).map(|(name, _)| name).collect();
    // Of the names of one's own choice only; every member of every record came up.
    assert_eq!(never, ["body.input_envelope_hashes.0"]);
}

#[test]
fn counts_are_those_of_the_slow_twin() {
    let home = ledger(8, 20, 16 << 10);
    let snapshot = Snapshot::open(home.path()).unwrap();
    let world = World::of(&snapshot);
    let sets = [
        vec!["kind"],
        vec!["record_type", "classification"],
        vec!["auth.actor.actor_id", "policy.decision.result", "tool.tool_name"],
        vec!["trace.records"],
        vec!["decision.reason_codes"],
    ];
    for names in sets {
        let fields: Vec<Field> = names.iter().map(|name| Field::named(name).unwrap()).collect();
        let sort =
            |key: Vec<Option<Value>>| -> Vec<String> { key.iter().map(|it| format!("{it:?}")).collect() };
        let mut by_text: BTreeMap<Vec<String>, u64> = BTreeMap::new();
        for item in &world.items {
            let key: Vec<Option<Value>> = fields.iter().map(|it| world.look(item, &it.to_string())).collect();
            *by_text.entry(sort(key)).or_default() += 1;
        }
        let question = Question { threads: threads(2), ..Question::new(Filter::All) };
        let mut none =
            |event: Event<std::convert::Infallible>| -> Result<(), QueryError> { panic!("{event:?}") };
        let (groups, _, cost) = count_by(&snapshot, &question, &fields, 1_000, &mut none).unwrap();
        let found: BTreeMap<Vec<String>, u64> =
            groups.iter().map(|it| (sort(it.key.iter().map(as_json).collect()), it.count)).collect();
        assert_eq!(found, by_text, "{names:?}");
        assert!(groups.is_sorted_by(|one, other| (other.count, &one.key) < (one.count, &other.key)));
        assert_eq!(cost.answers, snapshot.entries());
        let error = count_by(&snapshot, &question, &fields, groups.len() - 1, &mut none).unwrap_err();
        assert_eq!(error.code(), "query.too_many_groups");
    }
}

#[test]
fn plans_use_what_the_filter_says() {
    let home = ledger(9, 20, 16 << 10);
    let snapshot = Snapshot::open(home.path()).unwrap();
    let plan = |text: &str| Question::new(common::filter(text)).plan(&snapshot).unwrap();
    let header = snapshot.header(proofline_ledger::Seq::new(40)).unwrap().unwrap();
    let (hash, trace) = (header.envelope_hash, header.trace.unwrap().trace_id);
    let by_hash = plan(&format!("record_type = tool_call and hash = {hash} and trace = {trace}"));
    assert_eq!(by_hash.way, Way::HashIndex);
    assert!(by_hash.candidates() >= 1 && by_hash.candidates() < 4);
    let by_trace = plan(&format!("trace in ({trace}, {}) and seq > 40", "ab".repeat(16)));
    assert_eq!(by_trace.way, Way::TraceIndex);
    let of_trace = snapshot.of_trace(trace).unwrap().into_iter().filter(|seq| seq.get() > 40).count();
    assert_eq!(by_trace.candidates(), of_trace as u64 + 1);
    // One that may fit otherwise, too, is not looked up.
    assert_eq!(plan(&format!("hash = {hash} or seq = 1")).way, Way::Scan);
    assert_eq!(plan(&format!("not hash = {hash}")).way, Way::Scan);
    assert_eq!(plan("seq > 10 and seq <= 20 and seq != 15").range, 11..21);
    assert_eq!(plan("seq > 20 and seq < 10").candidates(), 0);
    assert_eq!(plan("seq in (5, 9, 7)").range, 5..10);
    assert_eq!(plan("seq >= -5").range, 0..snapshot.entries());
    // Seven entries were recorded a second.
    let by_time = plan(&format!(
        "recorded_at >= {} and recorded_at < {}",
        common::NOW_MS + 5_000,
        common::NOW_MS + 6_000
    ));
    assert!(by_time.by_recorded_at && by_time.way == Way::Scan);
    assert!((1..=7).contains(&by_time.candidates()), "{by_time:?}");
}

/// Traces by filter: those of the entries that the slow twin lets through, on any number of threads.
#[test]
fn traces_with_an_entry_that_fits_are_those_of_the_slow_twin() {
    let rounds = if is_full() { 100_000 } else { 400 };
    let home = ledger(4, 30, 16 << 10);
    let snapshot = Snapshot::open(home.path()).unwrap();
    let world = World::of(&snapshot);
    let mut chooser = Chooser { random: SplitMix64::new(12), world: &world, names: names() };
    let (mut some, mut none) = (0, 0);
    for _ in 0..rounds {
        let text = chooser.filter(3, false);
        let filter: Filter = text.parse().unwrap();
        let fitting = world.items.iter().zip(world.fitting(&filter)).filter(|(_, fits)| *fits);
        let expected: BTreeSet<String> = fitting
            .filter_map(|(item, _)| world.look(item, "trace_id"))
            .map(|id| id.as_str().unwrap().to_owned())
            .collect();
        // Which entries are the first in the log says nothing of traces.
        let question =
            Question { threads: threads(1 + chooser.below(3)), limit: Some(1), ..Question::new(filter) };
        let mut damage = |it| -> Result<(), QueryError> { panic!("{it:?}") };
        let (found, ..) = traces_with(&snapshot, &question, &mut damage).unwrap();
        let fitting: BTreeSet<String> = found.fitting.iter().map(ToString::to_string).collect();
        assert_eq!(fitting, expected, "{text}");
        assert!(found.undecided.is_empty());
        some += usize::from(!expected.is_empty() && expected.len() < 30);
        none += usize::from(expected.is_empty());
    }
    assert!(some * 4 > rounds && none > 10, "{some} {none}");
}

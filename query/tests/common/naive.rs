//! The slow twin: every entry as JSON by another parser, every name a path through it, every filter asked of every
//! entry. It shares with the crate the tree of the filter and nothing else. What a name says of each entry is found
//! once, for all filters.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use proofline_ledger::{EntryStatus, Snapshot};
use proofline_query::{Comparison, Filter, Literal};
use serde_json::{Map, Value, json};

/// An entry, taken apart.
pub(crate) struct Item {
    header: Map<String, Value>,
    /// The record of evidence.
    record: Option<Value>,
    body: Value,
}

/// All of a ledger.
pub(crate) struct World {
    pub(crate) items: Vec<Item>,
    /// Accepted records by their hash.
    accepted: BTreeMap<String, usize>,
    /// What names said so far.
    columns: RefCell<BTreeMap<String, Column>>,
}

/// What a name says of each entry.
type Column = Rc<Vec<Option<Value>>>;

impl World {
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        let mut world = Self { items: Vec::new(), accepted: BTreeMap::new(), columns: RefCell::default() };
        for seq in 0..snapshot.entries() {
            let entry = snapshot.entry(proofline_ledger::Seq::new(seq)).unwrap().unwrap();
            let body: Value = serde_json::from_slice(&entry.body).unwrap();
            let header = &entry.header;
            let mut doc = Map::new();
            doc.insert("seq".to_owned(), json!(header.seq.get()));
            doc.insert("kind".to_owned(), json!(header.status.kind().as_str()));
            doc.insert("recorded_at_ms".to_owned(), json!(header.recorded_at_ms));
            doc.insert("envelope_hash".to_owned(), json!(header.envelope_hash.to_string()));
            if let Some(link) = header.trace {
                doc.insert("trace_id".to_owned(), json!(link.trace_id.to_string()));
                doc.insert("trace_count".to_owned(), json!(link.count));
            }
            match &header.status {
                EntryStatus::Accepted => {
                    doc.insert("classification".to_owned(), json!("ACCEPT"));
                    world.accepted.insert(header.envelope_hash.to_string(), world.items.len());
                }
                EntryStatus::Rejected { classification, error_kind, .. } => {
                    doc.insert("classification".to_owned(), json!(classification.to_string()));
                    doc.insert("error_kind".to_owned(), json!(error_kind.to_string()));
                }
                _ => {}
            }
            let record = doc.contains_key("classification").then(|| body.clone());
            world.items.push(Item { header: doc, record, body });
        }
        world
    }

    /// What a name says of an entry.
    pub(crate) fn look(&self, item: &Item, name: &str) -> Option<Value> {
        if let Some(value) = item.header.get(name) {
            return Some(value.clone());
        }
        if let Some(path) = name.strip_prefix("body.") {
            return walk(&item.body, path).filter(|value| !value.is_null());
        }
        if ["trace.entries", "trace.records", "trace.rejected", "trace.artifacts"].contains(&name) {
            return self.count(item, name);
        }
        let own = item.record.as_ref()?;
        let is_own_policy =
            ["policy.policy_id", "policy.policy_version", "policy.policy_sha256"].contains(&name);
        let (record, path) = match (name.strip_prefix("auth."), name.strip_prefix("policy.")) {
            (Some(path), _) => (self.rests_on(own, "auth_context")?, path),
            (_, Some(path)) if !is_own_policy => (self.rests_on(own, "policy_decision")?, path),
            _ => (own, name),
        };
        of_record(record, path)
    }

    fn rests_on<'a>(&'a self, own: &'a Value, record_type: &str) -> Option<&'a Value> {
        if own["record_type"] == *record_type {
            return Some(own);
        }
        let hash = own.get(format!("{record_type}_envelope_sha256"))?.as_str()?;
        let named = self.items[*self.accepted.get(hash)?].record.as_ref()?;
        (named["record_type"] == *record_type).then_some(named)
    }

    fn same_trace<'a>(&'a self, item: &'a Item) -> Option<impl Iterator<Item = &'a Item>> {
        let trace = item.header.get("trace_id")?;
        Some(self.items.iter().filter(move |other| other.header.get("trace_id") == Some(trace)))
    }

    fn count(&self, item: &Item, name: &str) -> Option<Value> {
        let kind = match name {
            "trace.records" => Some("accepted"),
            "trace.rejected" => Some("rejected"),
            "trace.artifacts" => Some("artifact"),
            _ => None,
        };
        let is_of_kind = |item: &&Item| kind.is_none_or(|kind| item.header["kind"] == *kind);
        Some(json!(self.same_trace(item)?.filter(is_of_kind).count()))
    }

    /// What a name says of each entry.
    pub(crate) fn column(&self, name: &str) -> Column {
        if let Some(known) = self.columns.borrow().get(name) {
            return Rc::clone(known);
        }
        let column = Rc::new(self.items.iter().map(|item| self.look(item, name)).collect());
        self.columns.borrow_mut().insert(name.to_owned(), Rc::clone(&column));
        column
    }

    /// Which entries a filter lets through.
    pub(crate) fn fitting(&self, filter: &Filter) -> Vec<bool> {
        let both = |one: &Filter, other: &Filter, how: fn(bool, bool) -> bool| {
            let pairs = self.fitting(one).into_iter().zip(self.fitting(other));
            pairs.map(|(one, other)| how(one, other)).collect()
        };
        let each = |name: &str, fits: &dyn Fn(&Value) -> bool| {
            self.column(name).iter().map(|own| own.as_ref().is_some_and(fits)).collect()
        };
        match filter {
            Filter::All => vec![true; self.items.len()],
            Filter::Not(within) => self.fitting(within).into_iter().map(|fits| !fits).collect(),
            Filter::And(one, other) => both(one, other, |one, other| one && other),
            Filter::Or(one, other) => both(one, other, |one, other| one || other),
            Filter::AnyOfTrace(within) => self.in_traces_of(&self.fitting(within)),
            Filter::Exists(field) => each(&field.to_string(), &|_| true),
            Filter::Compare { field, how, value } => {
                let name = field.to_string();
                each(&name, &|own| compares(&name, own, *how, value))
            }
            Filter::In { field, values } => {
                let name = field.to_string();
                each(&name, &|own| values.iter().any(|it| compares(&name, own, Comparison::Equal, it)))
            }
        }
    }

    /// The entries in whose traces one of these stands.
    fn in_traces_of(&self, chosen: &[bool]) -> Vec<bool> {
        let traces = self.column("trace_id");
        let of_chosen = traces.iter().zip(chosen).filter(|(_, is_chosen)| **is_chosen);
        let found: Vec<&str> = of_chosen.filter_map(|(trace, _)| trace.as_ref()?.as_str()).collect();
        let is_found = |trace: &Option<Value>| {
            trace.as_ref().and_then(Value::as_str).is_some_and(|trace| found.contains(&trace))
        };
        traces.iter().map(is_found).collect()
    }
}

fn walk(value: &Value, path: &str) -> Option<Value> {
    let mut at = value;
    for step in path.split('.') {
        at = match at {
            Value::Array(items) => {
                let place: usize = step.parse().ok()?;
                items.get(place).filter(|_| place.to_string() == step)?
            }
            at => at.get(step)?,
        };
    }
    Some(at.clone())
}

const SETS: [&str; 3] = ["grants", "decision.reason_codes", "decision.obligations"];

fn of_record(record: &Value, path: &str) -> Option<Value> {
    let time = |name: &str| record.get(name).and_then(Value::as_i64);
    let started_ms = time("started_at_ms");
    match path {
        "time_ms" => return started_ms.or(time("ts_ms")).map(Value::from),
        "duration_ms" => return Some(json!(time("ended_at_ms")? - started_ms?)),
        _ => {}
    }
    for set in SETS {
        if let Some(token) = path.strip_prefix(set).and_then(|rest| rest.strip_prefix('.')) {
            return walk(record, set)?.get(token).cloned();
        }
    }
    walk(record, path)
}

fn compares(name: &str, own: &Value, how: Comparison, value: &Literal) -> bool {
    let is_set = !name.starts_with("body.")
        && SETS.iter().any(|set| name == *set || name.ends_with(&format!(".{set}")));
    let order = match (own, value) {
        (Value::Bool(own), Literal::Flag(other)) => own.cmp(other),
        (Value::String(own), Literal::Text(other)) => {
            if how == Comparison::Contains {
                return own.contains(other.as_str());
            }
            own.cmp(other)
        }
        (Value::Number(own), Literal::Integer(other)) => match own.as_i64() {
            Some(own) => own.cmp(other),
            None => return false,
        },
        (Value::Object(own), Literal::Text(other)) => {
            return is_set && how == Comparison::Contains && own.contains_key(other);
        }
        _ => return false,
    };
    match how {
        Comparison::Equal => order.is_eq(),
        Comparison::Different => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::AtMost => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::AtLeast => order.is_ge(),
        Comparison::Contains => false,
    }
}

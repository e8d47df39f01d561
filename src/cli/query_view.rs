//! Answers as `query` shows them: a JSON document or a line of text each, the counts of groups, and the summary.

use proofline::ledger::{EntryFault, EntryStatus, Snapshot};
use proofline::query::{Cost, Datum, Field, FieldType, Filter, Group, Hit, Plan, Way};
use proofline::trace::{RecordType, TraceId};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::clock::moment;
use super::entry_view::body_json;
use super::error::CliError;
use super::gone::{Gone, GonePayload};
use super::log_view::{LogLine, LogView};
use super::output::{Out, json_line};
use super::phrase::{counted, wrap_words};
use super::query_proof::{AnswerProof, Proofs};
use super::safe::{cut, safe, safe_cut};

/// What is made of each answer, on any thread.
pub(crate) struct View<'a> {
    pub(crate) gone: &'a Gone,
    pub(crate) proofs: Option<&'a Proofs<'a>>,
    pub(crate) fields: &'a [(String, Field)],
    pub(crate) is_json: bool,
    /// Answers are counted, and none is shown.
    pub(crate) counts: bool,
}

/// An answer, ready to be shown.
pub(crate) struct Line {
    shape: Shape,
    /// Whether its body is archived.
    pub(crate) is_away: bool,
}

enum Shape {
    Nothing,
    Json(String),
    Log(Box<LogLine>, Option<AnswerProof>),
    Row(Vec<Datum>),
}

/// An answer as JSON shows it.
#[derive(Serialize)]
struct AnswerLine {
    seq: u64,
    kind: &'static str,
    recorded_at_ms: u64,
    trace_id: Option<TraceId>,
    envelope_hash: String,
    classification: Option<&'static str>,
    error_kind: Option<String>,
    record_type: Option<RecordType>,
    time_ms: Option<u64>,
    payloads_gone: Vec<GonePayload>,
    body: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<AnswerProof>,
}

impl View<'_> {
    /// An answer; what goes wrong while it is made is told in its place.
    pub(crate) fn of(&self, hit: &mut Hit<'_, '_>) -> Result<Result<Line, CliError>, EntryFault> {
        let is_away = hit.body().is_none();
        if self.counts {
            return Ok(Ok(Line { shape: Shape::Nothing, is_away: false }));
        }
        if self.fields.is_empty() {
            return Ok(self.whole(hit).map(|shape| Line { shape, is_away }));
        }
        let values = self.fields.iter().map(|(_, field)| hit.value(field));
        let values = values.collect::<Result<Vec<Datum>, EntryFault>>()?;
        let is_away = values.contains(&Datum::Unknown);
        let shape = if self.is_json { self.picked(&values).map(Shape::Json) } else { Ok(Shape::Row(values)) };
        Ok(shape.map(|shape| Line { shape, is_away }))
    }

    fn picked(&self, values: &[Datum]) -> Result<String, CliError> {
        json_line(
            &self
                .fields
                .iter()
                .zip(values)
                .map(|((name, _), value)| (name, as_json(value)))
                .collect::<Picked<'_>>(),
        )
    }

    fn whole(&self, hit: &Hit<'_, '_>) -> Result<Shape, CliError> {
        let proof = self.proofs.map(|proofs| proofs.prove(hit.header().seq)).transpose()?;
        if !self.is_json {
            return Ok(Shape::Log(Box::new(LogLine::of(&hit.to_entry(), hit.record())), proof));
        }
        let header = hit.header();
        let (classification, error_kind) = match &header.status {
            EntryStatus::Accepted => (Some("ACCEPT"), None),
            EntryStatus::Rejected { classification, error_kind, .. } => {
                (Some(classification.as_str()), Some(error_kind.to_string()))
            }
            _ => (None, None),
        };
        let record = hit.record();
        let payloads_gone = record.map(|record| self.gone.named_by(record)).transpose()?;
        let line = AnswerLine {
            seq: header.seq.get(),
            kind: header.status.kind().as_str(),
            recorded_at_ms: header.recorded_at_ms,
            trace_id: header.trace.map(|link| link.trace_id),
            envelope_hash: header.envelope_hash.to_string(),
            classification,
            error_kind,
            record_type: record.map(proofline::trace::Envelope::record_type),
            time_ms: record.map(|record| record.time_ms().get()),
            payloads_gone: payloads_gone.unwrap_or_default(),
            body: hit.body().and_then(body_json),
            proof,
        };
        json_line(&line).map(Shape::Json)
    }
}

/// Members in the order in which they were asked for.
struct Picked<'a>(Vec<(&'a String, Box<RawValue>)>);

impl<'a> FromIterator<(&'a String, Box<RawValue>)> for Picked<'a> {
    fn from_iter<I: IntoIterator<Item = (&'a String, Box<RawValue>)>>(members: I) -> Self {
        Self(members.into_iter().collect())
    }
}

impl Serialize for Picked<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// A value in JSON; what is not known is null, as what is absent.
fn as_json(value: &Datum) -> Box<RawValue> {
    let json = match value {
        Datum::Unknown | Datum::Absent => Value::Null.to_string(),
        Datum::Flag(flag) => flag.to_string(),
        Datum::Integer(number) => number.to_string(),
        Datum::Text(text) => Value::from(text.as_str()).to_string(),
        Datum::Set(tokens) => Value::from(tokens.clone()).to_string(),
        Datum::Json(json) => json.clone(),
    };
    RawValue::from_string(json).unwrap_or_default()
}

/// Shows answers one after the other.
pub(crate) struct Viewer<'a> {
    out: &'a mut Out,
    log: LogView,
    table: Table,
    is_first: bool,
}

impl<'a> Viewer<'a> {
    pub(crate) fn new(out: &'a mut Out, fields: &[(String, Field)]) -> Self {
        let log = LogView::new(out.columns());
        let table = Table::new(fields, out.columns_or_wide());
        Self { out, log, table, is_first: true }
    }

    pub(crate) fn show(&mut self, line: Line) -> Result<(), CliError> {
        match line.shape {
            Shape::Nothing => Ok(()),
            Shape::Json(json) => self.out.line(json),
            Shape::Log(line, proof) => {
                self.log.show(self.out, &line)?;
                match proof {
                    Some(proof) => {
                        let words = self.out.paint().faint(&format!("           {}", proof.words()));
                        self.out.line(words)
                    }
                    None => Ok(()),
                }
            }
            Shape::Row(values) => {
                if std::mem::take(&mut self.is_first) {
                    let titles = self.out.paint().faint(&self.table.titles());
                    self.out.line(titles)?;
                }
                self.out.line(self.table.row(&values))
            }
        }
    }

    /// Shows the number of answers, where that is what is wanted.
    pub(crate) fn finish(self, counts: bool, answers: u64) -> Result<(), CliError> {
        match (counts, self.out.is_json()) {
            (false, _) => Ok(()),
            (true, true) => self.out.json(&serde_json::json!({ "count": answers })),
            (true, false) => self.out.line(answers),
        }
    }
}

/// Columns of fields. What is too wide for one ends in an ellipsis.
struct Table {
    columns: Vec<TableColumn>,
    width: usize,
}

struct TableColumn {
    title: String,
    width: usize,
    is_number: bool,
    is_time: bool,
}

impl Table {
    fn new(fields: &[(String, Field)], width: usize) -> Self {
        let columns = fields.iter().map(|(name, field)| {
            let (own, is_number) = match field.field_type() {
                FieldType::Integer => (10, true),
                FieldType::Time | FieldType::Text | FieldType::Any => (24, false),
                FieldType::Hex(bytes) => (bytes * 2, false),
                FieldType::Named(names) => (names.iter().map(|name| name.len()).max().unwrap_or(0), false),
                FieldType::Flag => (5, false),
                _ => (30, false),
            };
            let is_time = field.field_type() == FieldType::Time;
            let title = safe(name).into_owned();
            TableColumn { width: own.max(title.chars().count()), title, is_number, is_time }
        });
        let mut columns: Vec<TableColumn> = columns.collect();
        // The last one has what is left of the line.
        let used = columns.iter().map(|column| column.width + 2).sum::<usize>().saturating_sub(2);
        if let Some(last) = columns.last_mut().filter(|last| !last.is_number) {
            last.width += width.saturating_sub(used);
        }
        Self { columns, width }
    }

    fn titles(&self) -> String {
        self.line(self.columns.iter().map(|column| column.title.clone()))
    }

    fn row(&self, values: &[Datum]) -> String {
        let texts = self.columns.iter().zip(values).map(|(column, value)| match value {
            Datum::Unknown => "?".to_owned(),
            Datum::Integer(number) if column.is_time => {
                let at = u64::try_from(*number).ok().and_then(moment);
                at.map_or_else(|| number.to_string(), |at| at.to_string())
            }
            value => safe_cut(&value.text().unwrap_or_default(), column.width),
        });
        self.line(texts)
    }

    fn line(&self, texts: impl Iterator<Item = String>) -> String {
        let cells = self.columns.iter().zip(texts).map(|(column, text)| {
            let fill = " ".repeat(column.width.saturating_sub(text.chars().count()));
            if column.is_number { format!("{fill}{text}") } else { format!("{text}{fill}") }
        });
        cut(cells.collect::<Vec<_>>().join("  ").trim_end().to_owned(), self.width)
    }
}

/// Shows groups, each with its count.
pub(crate) struct GroupView {
    names: Vec<String>,
    table: Table,
}

impl GroupView {
    pub(crate) fn new(out: &Out, groups: &[(String, Field)]) -> Self {
        let names = groups.iter().map(|(name, _)| name.clone()).collect();
        Self { names, table: Table::new(groups, out.columns_or_wide().saturating_sub(COUNT_WIDTH + 2)) }
    }

    pub(crate) fn show(&self, out: &mut Out, group: &Group) -> Result<(), CliError> {
        if out.is_json() {
            let values = group.key.iter().map(as_json);
            let group_line = GroupLine { group: self.names.iter().zip(values).collect(), count: group.count };
            return out.json(&group_line);
        }
        let shown: Vec<Datum> = group.key.iter().map(|value| dash(value.clone())).collect();
        out.line(format_args!("{:>COUNT_WIDTH$}  {}", group.count, self.table.row(&shown)))
    }
}

/// How wide the column of counts is.
const COUNT_WIDTH: usize = 10;

/// What is absent has a mark of its own in a list of groups.
fn dash(value: Datum) -> Datum {
    if value == Datum::Absent { Datum::Text("-".to_owned()) } else { value }
}

#[derive(Serialize)]
struct GroupLine<'a> {
    group: Picked<'a>,
    count: u64,
}

/// How wide the names of what is explained are.
const NAME_WIDTH: usize = 9;

/// What the answers were taken from, and what they cost.
pub(crate) struct Summary {
    entries: u64,
    ledger_id: String,
    head: Option<String>,
    end: &'static str,
    filter: String,
    plan: Plan,
    cost: Cost,
}

impl Summary {
    pub(crate) fn new(snapshot: &Snapshot, plan: Plan, cost: Cost, filter: &Filter) -> Self {
        Self {
            entries: snapshot.entries(),
            ledger_id: snapshot.ledger_id().to_string(),
            head: snapshot.head().map(|head| head.to_string()),
            end: snapshot.end().as_str(),
            filter: filter.to_string(),
            plan,
            cost,
        }
    }

    pub(crate) fn show(&self, out: &mut Out, explains: bool) -> Result<(), CliError> {
        if out.is_json() {
            return out.json(&serde_json::json!({ "summary": self.document(explains) }));
        }
        let fit = if self.cost.answers == 1 { "fits" } else { "fit" };
        let answers = counted(self.cost.answers, "entry", "entries");
        let line = format!("{answers} {fit}, of {}", self.entries);
        out.space()?;
        out.line(line)?;
        if !explains {
            return Ok(());
        }
        for (name, text) in self.explained() {
            let lines = wrap_words(&safe(&text), out.columns().saturating_sub(NAME_WIDTH + 4));
            for (at, line) in lines.iter().enumerate() {
                let line = cut(line.clone(), out.columns().saturating_sub(NAME_WIDTH + 4));
                out.line(format_args!("  {:<NAME_WIDTH$}  {line}", if at == 0 { name } else { "" }))?;
            }
        }
        Ok(())
    }

    fn document(&self, explains: bool) -> Map<String, Value> {
        let explain = explains.then(|| {
            serde_json::json!({
                "filter": self.filter,
                "way": self.plan.way.as_str(),
                "from_seq": self.plan.range.start,
                "to_seq": self.plan.range.end,
                "by_recorded_at": self.plan.by_recorded_at,
                "reads_chains": self.plan.reads_chains,
                "candidates": self.plan.candidates(),
            })
        });
        let members = [
            ("ledger_id", Value::from(self.ledger_id.clone())),
            ("entries", self.entries.into()),
            ("head", self.head.clone().into()),
            ("end", self.end.into()),
            ("answers", self.cost.answers.into()),
            ("looked_at", self.cost.looked_at.into()),
            ("decoded", self.cost.decoded.into()),
            ("undecided", self.cost.undecided.into()),
            ("damaged", self.cost.damaged.into()),
            ("explain", explain.unwrap_or_default()),
        ];
        members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn explained(&self) -> Vec<(&'static str, String)> {
        let range = &self.plan.range;
        let way = match self.plan.way {
            Way::HashIndex => "by the index of envelope hashes".to_owned(),
            Way::TraceIndex => "by the index of traces".to_owned(),
            _ if range.is_empty() => "nothing can fit".to_owned(),
            _ => format!("by reading entries {} to {}", range.start, range.end - 1),
        };
        let bound = if self.plan.by_recorded_at { ", found by when they were recorded" } else { "" };
        let chains = if self.plan.reads_chains { "; the records that others name are read too" } else { "" };
        vec![
            ("filter", self.filter.clone()),
            ("way", format!("{way}{bound}{chains}")),
            ("looked at", counted(self.cost.looked_at, "entry", "entries")),
            ("decoded", counted(self.cost.decoded, "body", "bodies")),
        ]
    }
}

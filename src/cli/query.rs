//! `proofline query`: which entries fit a filter.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;

use proofline::ledger::Snapshot;
use proofline::query::{
    Comparison, Event, Field, FieldType, Filter, Literal, Question, Undecided, answer, count_by,
};
use proofline::trace::Timestamp;

use super::archives::ArchivesArgs;
use super::entry_view::warn_of_damage;
use super::error::CliError;
use super::exit::Exit;
use super::gone::Gone;
use super::output::{self, Format, Out, OutputArgs};
use super::phrase::counted;
use super::query_error::QueryTrouble;
use super::query_proof::Proofs;
use super::query_view::{GroupView, Summary, View, Viewer};
use super::trace::TraceBegin;

/// Asks a ledger which entries fit a filter
///
/// A filter compares fields with values: `=`, `!=`, `<`, `<=`, `>`, `>=`, `~`
/// (contains), `in (...)`, `exists`, joined by `and`, `or`, `not` and brackets.
/// Fields are those of the entry (seq, kind, classification, ...), the members of
/// its record by their paths (tool.tool_name), and below `auth.` and `policy.`
/// those of the context and the decision that it rests on. A comparison with what
/// a record does not have is false. Answers come in the order of the log; without
/// a filter every entry is one.
///
/// Examples:
///   proofline query ledger 'tool.tool_name = refund and not outcome.status = ok'
///   proofline query ledger 'auth.actor.actor_id ~ ines' --limit 10 --proofs
///   proofline query ledger 'kind = rejected' --count-by error_kind,record_type
///   proofline query ledger 'trace.any(kind = rejected)' --fields seq,trace,time
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct QueryArgs {
    /// The ledger's folder
    #[arg(required_unless_present = "list_fields")]
    dir: Option<PathBuf>,
    /// What is asked of each entry
    filter: Option<String>,
    /// Show these fields alone, with commas between them
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', conflicts_with_all = ["count", "count_by", "proofs"])]
    fields: Vec<String>,
    /// Give so many answers at most, the first in the log
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Count the answers, and show none
    #[arg(long, conflicts_with_all = ["limit", "proofs"])]
    count: bool,
    /// Count the answers by what these fields say, the largest group first
    #[arg(long, value_name = "A,B", value_delimiter = ',', conflicts_with_all = ["limit", "proofs", "count"])]
    count_by: Vec<String>,
    /// How many groups --count-by may hold in memory
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    max_groups: usize,
    /// Records whose own time is this or later
    #[arg(long, value_name = "TIME", value_parser = moment_ms)]
    from: Option<i64>,
    /// Records whose own time is before this, in RFC 3339 or Unix milliseconds
    #[arg(long, visible_alias = "until", value_name = "TIME", value_parser = moment_ms)]
    to: Option<i64>,
    /// Entries of this trace; its first digits are enough when no other trace has them
    #[arg(long, value_name = "ID", value_parser = TraceBegin::parse)]
    trace: Option<TraceBegin>,
    /// Prove of each answer that it is in the log
    #[arg(long)]
    proofs: bool,
    /// Say how the answers were found, and how many entries were looked at
    #[arg(long)]
    explain: bool,
    /// List the names of fields and what values they have
    #[arg(long)]
    list_fields: bool,
    /// How many threads work; the output is the same for any number [default: one a processor]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    archives: ArchivesArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// A text that is no time.
#[derive(Debug, thiserror::Error)]
#[error("neither a date and time of RFC 3339 nor Unix milliseconds")]
pub(crate) struct NoTime;

pub(crate) fn moment_ms(text: &str) -> Result<i64, NoTime> {
    let moment = || Timestamp::parse_rfc3339(text).ok().map(Timestamp::unix_ms);
    text.parse().ok().or_else(moment).ok_or(NoTime)
}

/// One thread a processor, unless so many are wanted.
pub(crate) fn threads_of(wanted: Option<NonZeroUsize>) -> NonZeroUsize {
    wanted.or_else(|| thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
}

/// Reads a filter of the command line.
pub(crate) fn read_filter(text: Option<&str>) -> Result<Filter, CliError> {
    Ok(text.unwrap_or_default().parse::<Filter>().map_err(QueryTrouble::from)?)
}

/// Bounds on the own time of records.
pub(crate) fn between(filter: Filter, from: Option<i64>, to: Option<i64>) -> Filter {
    let bound = |how, at_ms: Option<i64>| {
        let time = Field::named("time_ms").zip(at_ms);
        time.map_or(Filter::All, |(field, at_ms)| Filter::compare(field, how, Literal::Integer(at_ms)))
    };
    filter.and(bound(Comparison::AtLeast, from)).and(bound(Comparison::Less, to))
}

/// Reads a list of names; each stays as it was written.
fn read_fields(names: &[String]) -> Result<Vec<(String, Field)>, CliError> {
    let mut fields: Vec<(String, Field)> = Vec::new();
    for name in names {
        let field = Field::named(name).ok_or_else(|| QueryTrouble::unknown(name))?;
        if fields.iter().any(|(_, other)| *other == field) {
            return Err(QueryTrouble::FieldTwice(name.clone()).into());
        }
        fields.push((name.clone(), field));
    }
    Ok(fields)
}

impl QueryArgs {
    fn question(&self, snapshot: &Snapshot, filter: Filter) -> Result<Question, CliError> {
        let trace = match &self.trace {
            None => Filter::All,
            Some(begin) => {
                let id = Literal::Text(begin.find(snapshot)?.to_string());
                let field = Field::named("trace_id");
                field.map_or(Filter::All, |field| Filter::compare(field, Comparison::Equal, id))
            }
        };
        let filter = trace.and(between(filter, self.from, self.to));
        let threads = threads_of(self.threads);
        Ok(Question { limit: self.limit, threads, ..Question::new(filter) })
    }
}

/// Answers the question.
pub(crate) fn run(args: &QueryArgs, out: &mut Out) -> Result<Exit, CliError> {
    let Some(dir) = args.dir.as_deref().filter(|_| !args.list_fields) else { return list_fields(out) };
    let filter = read_filter(args.filter.as_deref())?;
    let fields = read_fields(&args.fields)?;
    let groups = read_fields(&args.count_by)?;
    let snapshot = args.archives.snapshot(dir)?;
    let question = args.question(&snapshot, filter)?;
    let mut odd = Odd::new(args.output.format);
    let summary = if args.count_by.is_empty() {
        answers(args, &snapshot, question, &fields, &mut odd, out)?
    } else {
        counts(args, &snapshot, &question, &groups, &mut odd, out)?
    };
    // Where a number is wanted, it stands alone.
    if out.is_json() || args.explain || !args.count {
        summary.show(out, args.explain)?;
    }
    odd.tell();
    Ok(Exit::first([odd.exit(), warn_of_damage(args.output.format, &snapshot)]))
}

fn list_fields(out: &mut Out) -> Result<Exit, CliError> {
    for name in Field::names() {
        let field = Field::named(&name);
        let values = match field.map(|field| field.field_type()) {
            Some(FieldType::Named(names)) => names.join(", "),
            Some(FieldType::Hex(bytes)) => format!("{} hex digits", bytes * 2),
            Some(FieldType::Integer) => "integer".to_owned(),
            Some(FieldType::Time) => "time".to_owned(),
            Some(FieldType::Set) => "set of tokens".to_owned(),
            _ => "text".to_owned(),
        };
        if out.is_json() {
            out.json(&serde_json::json!({ "field": name, "values": values }))?;
        } else {
            out.line(format_args!("{name:<44} {values}"))?;
        }
    }
    Ok(Exit::Ok)
}

fn answers(
    args: &QueryArgs,
    snapshot: &Snapshot,
    question: Question,
    fields: &[(String, Field)],
    odd: &mut Odd,
    out: &mut Out,
) -> Result<Summary, CliError> {
    let reads_chains = fields.iter().any(|(_, field)| field.is_of_chain());
    let question = Question { reads_chains, ..question };
    let gone = Gone::of(snapshot)?;
    let proofs = args.proofs.then(|| Proofs::of(snapshot)).transpose()?;
    let view =
        View { gone: &gone, proofs: proofs.as_ref(), fields, is_json: out.is_json(), counts: args.count };
    let mut viewer = Viewer::new(out, fields);
    let (plan, cost) = answer(snapshot, &question, &|hit| view.of(hit), &mut |event| match event {
        Event::Answer(line) => {
            let line = line?;
            odd.bodies += u64::from(line.is_away);
            viewer.show(line)
        }
        Event::Undecided(why) => odd.undecided(why),
        Event::Damaged(damage) => odd.damaged(damage),
    })?;
    viewer.finish(args.count, cost.answers)?;
    Ok(Summary::new(snapshot, plan, cost, &question.filter))
}

fn counts(
    args: &QueryArgs,
    snapshot: &Snapshot,
    question: &Question,
    groups: &[(String, Field)],
    odd: &mut Odd,
    out: &mut Out,
) -> Result<Summary, CliError> {
    let fields: Vec<Field> = groups.iter().map(|(_, field)| field.clone()).collect();
    let (counted, plan, cost) =
        count_by::<CliError>(snapshot, question, &fields, args.max_groups, &mut |event| match event {
            Event::Answer(never) => match never {},
            Event::Undecided(why) => odd.undecided(why),
            Event::Damaged(damage) => odd.damaged(damage),
        })?;
    let view = GroupView::new(out, groups);
    counted.iter().try_for_each(|group| view.show(out, group))?;
    Ok(Summary::new(snapshot, plan, cost, &question.filter))
}

/// What could not be answered, and what of the answers could not be shown.
pub(crate) struct Odd {
    format: Format,
    archived: u64,
    unreadable: u64,
    bodies: u64,
    first: Option<String>,
    is_damaged: bool,
}

impl Odd {
    pub(crate) const fn new(format: Format) -> Self {
        Self { format, archived: 0, unreadable: 0, bodies: 0, first: None, is_damaged: false }
    }

    fn undecided(&mut self, why: Undecided) -> Result<(), CliError> {
        let (count, text) = match why {
            Undecided::Archived(archived) => (&mut self.archived, archived.to_string()),
            Undecided::Unreadable(seq) => {
                (&mut self.unreadable, format!("the body of entry {seq} is not what its kind asks for"))
            }
            Undecided::Chain(seq) => (
                &mut self.unreadable,
                format!("an entry that entry {seq} rests on, or of its trace, cannot be read"),
            ),
            _ => (&mut self.unreadable, "an entry cannot be read".to_owned()),
        };
        *count += 1;
        self.first.get_or_insert(text);
        Ok(())
    }

    fn damaged(&mut self, damage: proofline::ledger::Damage) -> Result<(), CliError> {
        self.is_damaged = true;
        output::report(&CliError::Entry(proofline::ledger::EntryFault::Damaged(damage)), self.format);
        Ok(())
    }

    fn tell(&self) {
        if let Some(first) = &self.first {
            let entries = counted(self.archived + self.unreadable, "entry", "entries");
            let message = format!("of {entries} nobody can say here whether they fit; the first: {first}");
            let hint = "`--archive` names an archive to read; `proofline verify` says what is damaged";
            output::tell(self.format, "error", "query.undecided", &message, None, Some(hint));
        }
        if self.bodies > 0 {
            let message = format!(
                "the bodies of {} are archived and not shown; `--archive` names an archive to read",
                counted(self.bodies, "answer", "answers")
            );
            output::note(self.format, "entry.archived", &message);
        }
    }

    const fn exit(&self) -> Exit {
        if self.is_damaged { Exit::DamagedLedger } else { Exit::when(self.first.is_some(), Exit::BadInput) }
    }
}

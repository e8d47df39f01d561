//! Which traces `export otlp` writes: all, those named, or those with an entry that fits a filter.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::ops::Bound;

use proofline::ledger::{EntryFault, Snapshot};
use proofline::query::{Field, Filter, Literal, Question, traces_with};
use proofline::trace::TraceId;

use super::error::CliError;
use super::exit::Exit;
use super::output::{self, Format};
use super::phrase::counted;
use super::query::{between, moment_ms, read_filter, threads_of};
use super::trace::TraceBegin;

/// What is asked of traces; all that is given must hold.
#[derive(clap::Args)]
pub(super) struct ChoiceArgs {
    /// Which traces: those with an entry that fits; see `proofline query` [default: all]
    filter: Option<String>,
    /// This trace, by its first digits; may be given again [default: all]
    #[arg(long, value_name = "ID", value_parser = TraceBegin::parse)]
    trace: Vec<TraceBegin>,
    /// Traces with a record that fits and whose own time is this or later
    #[arg(long, value_name = "TIME", value_parser = moment_ms)]
    from: Option<i64>,
    /// Traces with a record that fits and whose own time is before this, in RFC 3339 or Unix milliseconds
    #[arg(long, value_name = "TIME", value_parser = moment_ms)]
    until: Option<i64>,
}

/// The traces that were chosen.
pub(super) struct Choice {
    /// None where all are meant.
    traces: Option<BTreeSet<TraceId>>,
    /// What was asked of their entries.
    pub(super) filter: Option<Filter>,
    /// Traces of which nobody can say whether they fit.
    undecided: BTreeSet<TraceId>,
    is_damaged: bool,
}

impl ChoiceArgs {
    /// What is asked of entries; none where nothing is.
    pub(super) fn filter(&self) -> Result<Option<Filter>, CliError> {
        let is_asked = self.filter.is_some() || self.from.is_some() || self.until.is_some();
        let filter = || Ok(between(read_filter(self.filter.as_deref())?, self.from, self.until));
        is_asked.then(filter).transpose()
    }

    /// The traces of this ledger. Damage that is met on the way is told.
    pub(super) fn choose(
        &self,
        filter: Option<Filter>,
        snapshot: &Snapshot,
        threads: Option<NonZeroUsize>,
        format: Format,
    ) -> Result<Choice, CliError> {
        let named = self.trace.iter().map(|begin| begin.find_there(snapshot));
        let named = named.collect::<Result<BTreeSet<TraceId>, CliError>>()?;
        let mut choice = Choice {
            traces: (!self.trace.is_empty()).then_some(named),
            filter: None,
            undecided: BTreeSet::new(),
            is_damaged: false,
        };
        let Some(filter) = filter else { return Ok(choice) };
        let whole = of_traces(choice.traces.as_ref()).and(filter.clone());
        let question = Question { threads: threads_of(threads), ..Question::new(whole) };
        let is_damaged = &mut choice.is_damaged;
        let (found, ..) = traces_with::<CliError>(snapshot, &question, &mut |damage| {
            *is_damaged = true;
            output::report(&CliError::Entry(EntryFault::Damaged(damage)), format);
            Ok(())
        })?;
        choice.traces = Some(found.fitting);
        choice.undecided = found.undecided;
        choice.filter = Some(filter);
        Ok(choice)
    }
}

/// Entries of these traces.
fn of_traces(traces: Option<&BTreeSet<TraceId>>) -> Filter {
    let Some((field, traces)) = Field::named("trace_id").zip(traces) else { return Filter::All };
    Filter::In { field, values: traces.iter().map(|it| Literal::Text(it.to_string())).collect() }
}

impl Choice {
    /// The next traces, ascending.
    pub(super) fn after(
        &self,
        snapshot: &Snapshot,
        after: Option<TraceId>,
        most: usize,
    ) -> Result<Vec<TraceId>, CliError> {
        let Some(traces) = &self.traces else { return Ok(snapshot.traces_after(after, most)?) };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        Ok(traces.range((from, Bound::Unbounded)).take(most).copied().collect())
    }

    /// How many traces nobody can decide; none where nothing was asked of entries.
    pub(super) fn undecided(&self) -> Option<u64> {
        self.filter.as_ref().map(|_| self.undecided.len() as u64)
    }

    /// Tells of traces that are left out because nobody can say whether they fit.
    pub(super) fn tell(&self, format: Format) {
        let Some(first) = self.undecided.first() else { return };
        let traces = counted(self.undecided.len() as u64, "trace", "traces");
        let message = format!(
            "of {traces} nobody can say here whether an entry fits, and none is written; the first: {first}"
        );
        let hint = "`--archive` names an archive to read; `proofline verify` says what is damaged";
        output::tell(format, "error", "query.undecided", &message, None, Some(hint));
    }

    /// What the choosing has to say: of damage, and of what is undecided.
    pub(super) fn exits(&self) -> (Exit, Exit) {
        (
            Exit::when(self.is_damaged, Exit::DamagedLedger),
            Exit::when(!self.undecided.is_empty(), Exit::BadInput),
        )
    }
}

//! Asks entry after entry, on as many threads as wanted, and hands on what fits, in the order of the log. Neither
//! what is handed on nor what is counted depends on the number of threads.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Mutex;

use proofline_ledger::{ArchivedEntry, Damage, Entry, EntryBuffer, EntryFault, EntryHeader, Seq, Snapshot};
use proofline_trace::Envelope;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use thiserror::Error;

use crate::cell::{Datum, Found};
use crate::decide::{Depth, decide};
use crate::field::Field;
use crate::filter::Filter;
use crate::plan::{Candidates, Plan, plan};
use crate::reach::Reach;
use crate::subject::Subject;

/// Entries that a thread takes at a time.
const UNIT_ENTRIES: u64 = 2_048;
/// Bodies of answers, in bytes, after which a thread gives what it has.
const UNIT_ANSWER_BYTES: usize = 4 << 20;
/// Units that are worked at before their answers are taken, for each thread.
const UNITS_A_THREAD: usize = 4;

/// Why a question was not answered to the end.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The system refused a call, or the ledger's files are not as they were.
    #[error(transparent)]
    Entry(#[from] EntryFault),
    /// There are no threads to be had.
    #[error("the system gives no threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// More groups than may be held in memory.
    #[error("there are more than {0} groups to count")]
    TooManyGroups(usize),
}

impl QueryError {
    /// A stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Entry(EntryFault::Damaged(_)) => "ledger.damaged",
            Self::Entry(EntryFault::Archived(_)) => "entry.archived",
            Self::Entry(_) => "ledger.io",
            Self::Threads(_) => "query.threads",
            Self::TooManyGroups(_) => "query.too_many_groups",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Entry(_) => "look at what the system reports, then try again",
            Self::Threads(_) => "ask with one thread",
            Self::TooManyGroups(_) => "count by a field that has fewer values, or raise the limit",
        }
    }
}

/// A question.
#[derive(Clone, Debug)]
pub struct Question {
    /// Which entries are wanted.
    pub filter: Filter,
    /// So many at most: the first in the log.
    pub limit: Option<u64>,
    /// On so many threads.
    pub threads: NonZeroUsize,
    /// Fields of chains that whoever takes the answers reads, besides those of the filter: what they name is then
    /// remembered.
    pub reads_chains: bool,
    /// Looks at every entry, as if there were no index.
    pub scan_only: bool,
}

impl Question {
    /// The question which entries fit a filter, asked on one thread.
    #[must_use]
    pub const fn new(filter: Filter) -> Self {
        Self { filter, limit: None, threads: NonZeroUsize::MIN, reads_chains: false, scan_only: false }
    }

    /// How it will be answered.
    ///
    /// # Errors
    /// [`EntryFault::Io`].
    pub fn plan(&self, snapshot: &Snapshot) -> Result<Plan, EntryFault> {
        plan(snapshot, &self.filter, self.scan_only)
    }
}

/// What an answer cost. The same for any number of threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Entries whose header was looked at.
    pub looked_at: u64,
    /// Of these, entries whose body was read to say whether they fit.
    pub decoded: u64,
    /// Entries that fit.
    pub answers: u64,
    /// Entries of which nobody can say whether they fit.
    pub undecided: u64,
    /// Entries that are damaged.
    pub damaged: u64,
}

/// Why nobody can say whether an entry fits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Undecided {
    /// Its body is archived.
    Archived(ArchivedEntry),
    /// Its body is not what its kind asks for.
    Unreadable(Seq),
    /// An entry that it rests on, or one of its trace, cannot be read.
    Chain(Seq),
}

/// What comes of an entry, in the order of the log.
#[derive(Debug)]
pub enum Event<T> {
    /// It fits; what the view made of it.
    Answer(T),
    /// Nobody can say whether it fits.
    Undecided(Undecided),
    /// It is damaged.
    Damaged(Damage),
}

/// An entry that fits.
pub struct Hit<'h, 'r> {
    subject: &'h Subject<'h>,
    reach: &'h mut Reach<'r>,
}

impl std::fmt::Debug for Hit<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hit").field("seq", &self.subject.header.seq).finish_non_exhaustive()
    }
}

impl Hit<'_, '_> {
    /// Its header.
    #[must_use]
    pub const fn header(&self) -> &EntryHeader {
        self.subject.header
    }

    /// Its body; none where it is archived.
    #[must_use]
    pub const fn body(&self) -> Option<&[u8]> {
        self.subject.body
    }

    /// The record of evidence; none of other entries, and where it cannot be read.
    #[must_use]
    pub fn record(&self) -> Option<&Envelope> {
        self.subject.record().map(|record| &**record)
    }

    /// The entry, to keep; without its body where that is archived.
    #[must_use]
    pub fn to_entry(&self) -> Entry {
        Entry {
            header: self.subject.header.clone(),
            header_bytes: self.subject.header_bytes.to_vec(),
            body: self.subject.body.unwrap_or_default().to_vec(),
        }
    }

    /// Hands what a field says of it to `take`, where it lies.
    pub(crate) fn read<R>(
        &mut self,
        field: &Field,
        take: impl FnOnce(Found<'_>) -> R,
    ) -> Result<R, EntryFault> {
        self.subject.read(field, self.reach, Depth::All, take)
    }

    /// What a field says of it.
    ///
    /// # Errors
    /// [`EntryFault::Io`].
    pub fn value(&mut self, field: &Field) -> Result<Datum, EntryFault> {
        self.read(field, |found| Datum::from(found))
    }
}

/// Answers a question. `view` makes of each entry that fits what is wanted of it, on any thread; `take` gets that, and
/// what could not be looked at, in the order of the log.
///
/// # Errors
/// [`QueryError`], and what `take` gives.
pub fn answer<T: Send, E: From<QueryError>>(
    snapshot: &Snapshot,
    question: &Question,
    view: &(dyn Fn(&mut Hit<'_, '_>) -> Result<T, EntryFault> + Sync),
    take: &mut dyn FnMut(Event<T>) -> Result<(), E>,
) -> Result<(Plan, Cost), E> {
    let plan = question.plan(snapshot).map_err(QueryError::from)?;
    let mut quantified = Vec::new();
    question.filter.visit(&mut |part| {
        if let Filter::AnyOfTrace(within) = part {
            quantified.push(&**within);
        }
    });
    let runner = Runner {
        snapshot,
        question,
        candidates: &plan.candidates,
        view,
        idle: Mutex::new(Vec::new()),
        quantified: &quantified,
        keeps_records: plan.reads_chains || question.reads_chains,
    };
    let mut taking = Taking { left: question.limit.unwrap_or(u64::MAX), cost: Cost::default(), take };
    if taking.left > 0 {
        runner.run(plan.candidates(), &mut taking)?;
    }
    let cost = taking.cost;
    Ok((plan, cost))
}

/// What came of a unit, or of its beginning.
struct Part<T> {
    events: Vec<(Event<T>, Spent)>,
    spent: Spent,
    /// How many of the unit's entries were looked at.
    done: usize,
}

/// What a unit cost so far.
#[derive(Clone, Copy, Default)]
struct Spent {
    looked_at: u64,
    decoded: u64,
}

/// A thread's memory.
struct Tools<'a> {
    reach: Reach<'a>,
    buffer: EntryBuffer,
}

struct Runner<'a, T> {
    snapshot: &'a Snapshot,
    question: &'a Question,
    candidates: &'a Candidates,
    view: &'a (dyn Fn(&mut Hit<'_, '_>) -> Result<T, EntryFault> + Sync),
    idle: Mutex<Vec<Tools<'a>>>,
    quantified: &'a [&'a Filter],
    keeps_records: bool,
}

/// Takes events in order, up to the limit.
struct Taking<'a, T, E> {
    left: u64,
    cost: Cost,
    take: &'a mut dyn FnMut(Event<T>) -> Result<(), E>,
}

impl<T, E> Taking<'_, T, E> {
    /// Takes what came of a unit; false when the limit is reached.
    fn part(&mut self, part: Part<T>) -> Result<bool, E> {
        let before = self.cost;
        for (event, spent) in part.events {
            match &event {
                Event::Answer(_) => self.cost.answers += 1,
                Event::Undecided(_) => self.cost.undecided += 1,
                Event::Damaged(_) => self.cost.damaged += 1,
            }
            let is_answer = matches!(event, Event::Answer(_));
            (self.take)(event)?;
            self.left -= u64::from(is_answer);
            if self.left == 0 {
                self.cost.looked_at = before.looked_at + spent.looked_at;
                self.cost.decoded = before.decoded + spent.decoded;
                return Ok(false);
            }
        }
        self.cost.looked_at = before.looked_at + part.spent.looked_at;
        self.cost.decoded = before.decoded + part.spent.decoded;
        Ok(true)
    }
}

impl<'a, T: Send> Runner<'a, T> {
    fn run<E: From<QueryError>>(&self, count: u64, taking: &mut Taking<'_, T, E>) -> Result<(), E> {
        let threads = self.question.threads.get();
        let pool = (threads > 1).then(|| ThreadPoolBuilder::new().num_threads(threads).build());
        let pool = pool.transpose().map_err(QueryError::from)?;
        // Whoever wants the first few is not kept waiting for many.
        let (mut from, mut width) = (0, 1);
        while from < count {
            let starts = (0..width as u64).map(|unit| from + unit * UNIT_ENTRIES);
            let units: Vec<Range<u64>> = starts
                .take_while(|start| *start < count)
                .map(|start| start..count.min(start + UNIT_ENTRIES))
                .collect();
            from = units.last().map_or(count, |unit| unit.end);
            width = (width * 2).min(threads * UNITS_A_THREAD);
            for (unit, part) in units.iter().zip(self.work_at(&units, pool.as_ref())) {
                if !self.take_unit(unit.clone(), part.map_err(QueryError::from)?, taking)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn work_at(&self, units: &[Range<u64>], pool: Option<&ThreadPool>) -> Vec<Result<Part<T>, EntryFault>> {
        match pool {
            Some(pool) => pool.install(|| units.par_iter().map(|unit| self.work(unit.clone())).collect()),
            None => units.iter().map(|unit| self.work(unit.clone())).collect(),
        }
    }

    /// Takes what came of a unit, and where that is only its beginning, works at the rest.
    fn take_unit<E: From<QueryError>>(
        &self,
        unit: Range<u64>,
        mut part: Part<T>,
        taking: &mut Taking<'_, T, E>,
    ) -> Result<bool, E> {
        let mut from = unit.start;
        loop {
            from += part.done as u64;
            if !taking.part(part)? {
                return Ok(false);
            }
            if from >= unit.end {
                return Ok(true);
            }
            part = self.work(from..unit.end).map_err(QueryError::from)?;
        }
    }

    fn tools(&self) -> Tools<'a> {
        let idle = self.idle.lock().ok().and_then(|mut idle| idle.pop());
        idle.unwrap_or_else(|| Tools {
            reach: Reach::new(self.snapshot, self.quantified, self.keeps_records),
            buffer: EntryBuffer::default(),
        })
    }

    fn work(&self, unit: Range<u64>) -> Result<Part<T>, EntryFault> {
        let seqs = self.candidates.part(unit);
        let mut tools = self.tools();
        let mut part = Part { events: Vec::new(), spent: Spent::default(), done: 0 };
        let mut answer_bytes = 0;
        while let Some(rest) = seqs.get(part.done..).filter(|rest| !rest.is_empty()) {
            if answer_bytes > UNIT_ANSWER_BYTES {
                break;
            }
            let count = self.snapshot.read_entries(rest, &mut tools.buffer).clamp(1, rest.len());
            let group = rest.get(..count).unwrap_or(rest);
            let views = tools.buffer.entries(group);
            let views = views.into_iter().map(Some).chain(std::iter::repeat_with(|| None));
            for (seq, view) in group.iter().zip(views) {
                let view = view.flatten();
                answer_bytes += match view {
                    Some(view) => {
                        let subject = Subject::new(&view.header, view.header_bytes, view.body);
                        self.judge(&subject, None, &mut tools.reach, &mut part)?
                    }
                    None => self.judge_alone(*seq, &mut tools.reach, &mut part)?,
                };
            }
            part.done += count;
        }
        if let Ok(mut idle) = self.idle.lock() {
            idle.push(tools);
        }
        Ok(part)
    }

    fn judge_alone(&self, seq: Seq, reach: &mut Reach<'a>, part: &mut Part<T>) -> Result<usize, EntryFault> {
        match self.snapshot.entry(seq) {
            Ok(Some(entry)) => {
                let subject = Subject::new(&entry.header, &entry.header_bytes, &entry.body);
                self.judge(&subject, None, reach, part)
            }
            Ok(None) => Ok(0),
            Err(EntryFault::Io(error)) => Err(EntryFault::Io(error)),
            Err(EntryFault::Archived(archived)) => self.judge_header(seq, archived, reach, part),
            Err(EntryFault::Damaged(damage)) => {
                part.damaged(damage);
                Ok(0)
            }
            Err(other) => Err(other),
        }
    }

    fn judge_header(
        &self,
        seq: Seq,
        archived: ArchivedEntry,
        reach: &mut Reach<'a>,
        part: &mut Part<T>,
    ) -> Result<usize, EntryFault> {
        let (header, bytes) = (self.snapshot.header(seq), self.snapshot.header_bytes(seq));
        match (header, bytes) {
            (Ok(Some(header)), Ok(Some(bytes))) => {
                self.judge(&Subject::without_body(&header, &bytes), Some(archived), reach, part)
            }
            (Err(EntryFault::Damaged(damage)), _) | (_, Err(EntryFault::Damaged(damage))) => {
                part.damaged(damage);
                Ok(0)
            }
            (Err(fault), _) | (_, Err(fault)) => Err(fault),
            (Ok(_), Ok(_)) => Ok(0),
        }
    }

    /// Asks one entry; gives the bytes of its body if it is an answer.
    fn judge(
        &self,
        subject: &Subject<'_>,
        archived: Option<ArchivedEntry>,
        reach: &mut Reach<'a>,
        part: &mut Part<T>,
    ) -> Result<usize, EntryFault> {
        part.spent.looked_at += 1;
        let filter = &self.question.filter;
        let mut fits = decide(filter, subject, reach, Depth::Header)?;
        if fits.is_none() {
            part.spent.decoded += u64::from(subject.body.is_some());
            reach.met(subject);
            fits = decide(filter, subject, reach, Depth::All)?;
        } else if fits == Some(true) {
            // Whoever takes the answer may want what later ones rest on.
            reach.met(subject);
        }
        match fits {
            Some(false) => Ok(0),
            Some(true) => {
                let made = (self.view)(&mut Hit { subject, reach })?;
                part.push(Event::Answer(made));
                Ok(subject.body.map_or(0, <[u8]>::len))
            }
            None => {
                let seq = subject.header.seq;
                let why = match archived {
                    Some(archived) => Undecided::Archived(archived),
                    None if subject.is_readable() => Undecided::Chain(seq),
                    None => Undecided::Unreadable(seq),
                };
                part.push(Event::Undecided(why));
                Ok(0)
            }
        }
    }
}

impl<T> Part<T> {
    fn push(&mut self, event: Event<T>) {
        self.events.push((event, self.spent));
    }

    fn damaged(&mut self, damage: Damage) {
        self.spent.looked_at += 1;
        self.push(Event::Damaged(damage));
    }
}

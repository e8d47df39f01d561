//! A run that writes its report into a file, and goes on where it was cut off.

use std::fs;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;

use proofline_canon::Value;
use proofline_ledger::{Snapshot, TreeError};
use proofline_trace::Timestamp;

use super::error::ReportError;
use super::head::Head;
use super::line::{unlisted_line, verdict_line};
use super::part::Part;
use super::partial::{self, Checkpoint, Names, Partial};
use super::progress::Progress;
use super::read::ReportFile;
use super::{spelling, totals};
use crate::engine::{replay, replay_part};
use crate::error::ReplayError;
use crate::means::Means;
use crate::plan::{Plan, Selection};
use crate::sink::{Event, ReplaySink};
use crate::summary::Summary;
use crate::verdict::TraceReplay;

/// The last line of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Of a whole.
    Whole(Summary),
    /// Of a shard.
    Part(Part),
}

impl End {
    /// What the report comes to; of a shard, its part alone.
    #[must_use]
    pub const fn summary(&self) -> &Summary {
        match self {
            Self::Whole(summary) => summary,
            Self::Part(part) => part.summary(),
        }
    }

    pub(super) fn to_value(&self) -> Value {
        match self {
            Self::Whole(summary) => Value::object([("summary", totals::inner_value(summary))]),
            Self::Part(part) => Value::object([("part", part.to_value())]),
        }
    }
}

/// Traces in a batch where nobody says otherwise; the engine's own number.
const BATCH_TRACES: usize = 256;
/// Entries that are checked between two checkpoints.
const ENTRIES_PER_CHECKPOINT: u64 = 1 << 20;

/// A run into a file.
///
/// While it runs, `FILE.partial` grows by whole lines, and `FILE.checkpoint` says how to go on behind a number of
/// them; both are durable. At the end the one is renamed to FILE, the other removed.
#[derive(Debug)]
pub struct Batch {
    names: Names,
    start: Start,
    checkpoint_traces: NonZeroUsize,
}

#[derive(Debug)]
enum Start {
    Anew,
    /// Behind the checkpoint of a run with this head.
    GoOn(Box<(Head, Checkpoint)>),
    /// There is nothing left to do.
    Done(Box<ReportFile>),
}

impl Batch {
    /// How many traces lie between two checkpoints unless somebody says otherwise.
    pub const CHECKPOINT_TRACES: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

    /// A run that begins anew.
    ///
    /// # Errors
    /// [`ReportError::Exists`], [`ReportError::Unfinished`]: nothing is written over.
    pub fn begin(out: &Path) -> Result<Self, ReportError> {
        let names = Names::of(out);
        let is_there = |path: &Path| fs::symlink_metadata(path).is_ok();
        if is_there(&names.out) {
            return Err(ReportError::Exists(names.out));
        }
        for left in [&names.partial, &names.checkpoint] {
            if is_there(left) {
                return Err(ReportError::Unfinished(left.clone()));
            }
        }
        Ok(Self { names, start: Start::Anew, checkpoint_traces: Self::CHECKPOINT_TRACES })
    }

    /// A run that goes on where an earlier one was cut off. Where there was none it begins, where there was a whole
    /// one it has nothing left to do.
    ///
    /// # Errors
    /// [`ReportError::Checkpoint`]: what was left is damaged.
    pub fn resume(out: &Path) -> Result<Self, ReportError> {
        let names = Names::of(out);
        let start = if fs::symlink_metadata(&names.out).is_ok() {
            Start::Done(Box::new(ReportFile::open(&names.out)?))
        } else if let Some(checkpoint) = Checkpoint::read(&names)? {
            Start::GoOn(Box::new((partial::head(&names)?, checkpoint)))
        } else {
            // Cut off before its first checkpoint.
            names.remove(&names.partial)?;
            Start::Anew
        };
        Ok(Self { names, start, checkpoint_traces: Self::CHECKPOINT_TRACES })
    }

    /// With another number of traces between two checkpoints.
    #[must_use]
    pub fn with_checkpoint_traces(self, traces: NonZeroUsize) -> Self {
        Self { checkpoint_traces: traces, ..self }
    }

    /// Whether an earlier run is gone on with, or was whole.
    #[must_use]
    pub const fn is_resumed(&self) -> bool {
        !matches!(self.start, Start::Anew)
    }

    /// The clock of the run that is gone on with.
    #[must_use]
    pub fn generated_at(&self) -> Option<Timestamp> {
        self.earlier().map(|head| head.generated_at)
    }

    fn earlier(&self) -> Option<&Head> {
        match &self.start {
            Start::Anew => None,
            Start::GoOn(earlier) => Some(&earlier.0),
            Start::Done(report) => Some(report.head()),
        }
    }

    /// The entries that the run is over: all, or those that the run had before it that is gone on with.
    ///
    /// # Errors
    /// [`ReportError::ShorterLedger`].
    pub fn prefix(&self, snapshot: &Snapshot) -> Result<Snapshot, ReportError> {
        let Some(head) = self.earlier() else { return Ok(snapshot.clone()) };
        snapshot.at(head.entries).map_err(|error| match error {
            TreeError::Entry(fault) => ReportError::Ledger(fault),
            _ => ReportError::ShorterLedger {
                file: self.names.partial.clone(),
                wanted: head.entries,
                entries: snapshot.entries(),
            },
        })
    }

    /// Runs over the entries that [`Batch::prefix`] gave. `watch` sees all that happens; when it breaks, a run over
    /// everything comes to its next checkpoint and ends with [`ReplayError::Stopped`].
    ///
    /// # Errors
    /// [`ReportError`]. A run over everything that has a checkpoint can be gone on with; of others nothing stays.
    pub fn run(
        self,
        snapshot: &Snapshot,
        means: &Means<'_>,
        plan: &Plan,
        watch: &mut dyn ReplaySink,
    ) -> Result<End, ReportError> {
        let head = Head::of(snapshot, means, plan)?;
        self.check_earlier(&head)?;
        let (out, from) = match self.start {
            Start::Done(report) => {
                self.names.remove(&self.names.checkpoint)?;
                return Ok(report.end().clone());
            }
            Start::GoOn(earlier) => {
                let (_, checkpoint) = *earlier;
                (Partial::reopen(self.names, &checkpoint)?, Some(checkpoint.progress))
            }
            Start::Anew => (Partial::create(self.names)?, None),
        };
        let can_go_on = plan.traces == Selection::All;
        let every = self.checkpoint_traces.get();
        let batch_traces = NonZeroUsize::new(every.min(BATCH_TRACES));
        let plan = &Plan { batch_traces, ..plan.clone() };
        let has_checkpoint = from.is_some();
        let mut sink = Sink {
            out,
            watch,
            every,
            traces: 0,
            checked: 0,
            can_go_on,
            has_checkpoint,
            stopping: false,
            failed: None,
        };
        let ended = match from {
            None => sink.begin(&head).and_then(|()| sink.replay(snapshot, means, plan, None)),
            from => sink.replay(snapshot, means, plan, from),
        };
        let ended = ended.and_then(|end| sink.out.line(&spelling::line(&end.to_value())?).map(|()| end));
        match ended {
            Ok(end) => sink.out.finish().map(|()| end),
            Err(error) => {
                if !sink.has_checkpoint {
                    sink.out.discard();
                }
                Err(error)
            }
        }
    }

    fn check_earlier(&self, head: &Head) -> Result<(), ReportError> {
        let Some(earlier) = self.earlier() else { return Ok(()) };
        let other = |member| Err(ReportError::OtherRun { file: self.names.partial.clone(), member });
        match head.difference(earlier) {
            Some(difference) => other(difference.member),
            None if head.shard != earlier.shard => other("shard"),
            None => Ok(()),
        }
    }
}

/// Writes what comes, and checkpoints.
struct Sink<'a> {
    out: Partial,
    watch: &'a mut dyn ReplaySink,
    /// Traces between two checkpoints.
    every: usize,
    /// Traces since the last one.
    traces: usize,
    /// Entries that were checked by then.
    checked: u64,
    can_go_on: bool,
    has_checkpoint: bool,
    /// Whether somebody asked to stop.
    stopping: bool,
    failed: Option<ReportError>,
}

impl Sink<'_> {
    fn begin(&mut self, head: &Head) -> Result<(), ReportError> {
        self.out.line(&head.to_line()?)
    }

    fn replay(
        &mut self,
        snapshot: &Snapshot,
        means: &Means<'_>,
        plan: &Plan,
        from: Option<Progress>,
    ) -> Result<End, ReportError> {
        let ended = if self.can_go_on {
            replay_part(snapshot, means, plan, from, self).map(|part| match plan.shard {
                Some(_) => End::Part(part),
                None => End::Whole(part.conclude()),
            })
        } else {
            replay(snapshot, means, plan, self).map(End::Whole)
        };
        ended.map_err(|error| match error {
            ReplayError::Stopped => self.failed.take().unwrap_or(ReplayError::Stopped.into()),
            other => other.into(),
        })
    }

    fn write(&mut self, line: Result<String, ReportError>) -> ControlFlow<()> {
        self.traces += 1;
        match line.and_then(|line| self.out.line(&line)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => self.fail(error),
        }
    }

    fn fail(&mut self, error: ReportError) -> ControlFlow<()> {
        self.failed = Some(error);
        ControlFlow::Break(())
    }

    /// Who asks to stop waits for a checkpoint, where there are any.
    fn heed(&mut self, answer: ControlFlow<()>) -> ControlFlow<()> {
        self.stopping |= answer.is_break();
        if self.stopping && !self.can_go_on { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn checkpoint(&mut self, progress: Progress) -> ControlFlow<()> {
        self.traces = 0;
        if let Err(error) = self.out.checkpoint(progress) {
            return self.fail(error);
        }
        self.has_checkpoint = true;
        if self.stopping { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

impl ReplaySink for Sink<'_> {
    fn verdict(&mut self, replay: TraceReplay) -> ControlFlow<()> {
        self.write(verdict_line(&replay))?;
        let answer = self.watch.verdict(replay);
        self.heed(answer)
    }

    fn event(&mut self, event: &Event) -> ControlFlow<()> {
        if let Event::Unlisted(unlisted) = event {
            self.write(unlisted_line(unlisted))?;
        }
        let answer = self.watch.event(event);
        self.heed(answer)
    }

    fn progress(&mut self, progress: &dyn Fn() -> Progress) -> ControlFlow<()> {
        if self.stopping || self.traces >= self.every {
            return self.checkpoint(progress());
        }
        let now = progress();
        if now.place.checked.saturating_sub(self.checked) >= ENTRIES_PER_CHECKPOINT {
            self.checked = now.place.checked;
            return self.checkpoint(now);
        }
        ControlFlow::Continue(())
    }
}

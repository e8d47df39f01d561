//! All traces and their entries, one trace after the other: the lists of the segments' indexes as one.
//! Each list is read front to back, in large pages, and never searched.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;

use proofline_proof::Seq;
use proofline_trace::TraceId;

use crate::index::TracePage;
use crate::segments::{EntryFault, Segment, Segments};
use crate::snapshot::Snapshot;

/// Traces of a segment that are in memory at a time, with their entries.
const PAGE_TRACES: u16 = 512;

/// One segment's traces, in their order.
struct Cursor<'a> {
    segment: &'a Segment,
    page: TracePage,
    /// The next trace of the page.
    at: usize,
    /// The trace behind the page.
    rank: u32,
}

impl Cursor<'_> {
    fn peek(&mut self) -> io::Result<Option<TraceId>> {
        while self.page.traces.len() <= self.at && self.rank < self.segment.index.trace_count() {
            self.page = self.segment.index.trace_page(self.rank, PAGE_TRACES.into())?;
            self.rank = self.rank.saturating_add(PAGE_TRACES.into());
            self.at = 0;
        }
        Ok(self.page.traces.get(self.at).map(|(trace, _)| *trace))
    }

    /// Takes what it lists of a trace next, and adds the entries among it that its segment shows.
    fn take(&mut self, trace: TraceId, entries: &mut Vec<Seq>) -> io::Result<()> {
        while self.peek()? == Some(trace) {
            let own = self.page.traces.get(self.at).map(|(_, own)| own.clone()).unwrap_or_default();
            self.at += 1;
            let ordinals = self.page.ordinals.get(own).unwrap_or_default().iter();
            let shown = ordinals.filter(|at| self.segment.shows(**at));
            entries.extend(shown.map(|at| self.segment.seq_of(*at)));
        }
        Ok(())
    }
}

/// The traces of several segments, ascending.
pub(crate) struct TraceWalk<'a> {
    cursors: Vec<Cursor<'a>>,
    heap: BinaryHeap<Reverse<(TraceId, usize)>>,
}

impl<'a> TraceWalk<'a> {
    /// The traces behind `after` that these segments list; the segments stand in their order.
    pub(crate) fn over(
        segments: impl Iterator<Item = &'a Segment>,
        after: Option<TraceId>,
    ) -> io::Result<Self> {
        let mut walk = TraceWalk { cursors: Vec::new(), heap: BinaryHeap::new() };
        for segment in segments {
            let rank = segment.index.trace_rank(after)?;
            walk.cursors.push(Cursor { segment, page: TracePage::default(), at: 0, rank });
            walk.wait(walk.cursors.len() - 1)?;
        }
        Ok(walk)
    }

    /// Puts a cursor where its next trace belongs.
    fn wait(&mut self, at: usize) -> io::Result<()> {
        let next = self.cursors.get_mut(at).map(Cursor::peek).transpose()?.flatten();
        self.heap.extend(next.map(|trace| Reverse((trace, at))));
        Ok(())
    }

    /// The next trace that is listed; its entries, as far as they are shown, are put into `entries`,
    /// ascending.
    pub(crate) fn next(&mut self, entries: &mut Vec<Seq>) -> io::Result<Option<TraceId>> {
        entries.clear();
        let Some(Reverse((trace, _))) = self.heap.peek().copied() else { return Ok(None) };
        while let Some(Reverse((other, at))) = self.heap.peek().copied()
            && other == trace
        {
            self.heap.pop();
            if let Some(cursor) = self.cursors.get_mut(at) {
                cursor.take(trace, entries)?;
            }
            self.wait(at)?;
        }
        Ok(Some(trace))
    }
}

impl Segments {
    fn trace_walk(&self, after: Option<TraceId>) -> io::Result<TraceWalk<'_>> {
        TraceWalk::over(self.list.iter(), after)
    }
}

/// The traces of a snapshot with their entries, one after the other; see [`Snapshot::traces_from`].
pub struct TracesFrom<'a> {
    segments: &'a Segments,
    after: Option<TraceId>,
    /// Begun when the first trace is asked for; none again behind a fault and at the end.
    walk: Option<TraceWalk<'a>>,
    is_over: bool,
}

impl std::fmt::Debug for TracesFrom<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TracesFrom").field("after", &self.after).field("is_over", &self.is_over).finish()
    }
}

impl TracesFrom<'_> {
    fn advance(&mut self) -> io::Result<Option<(TraceId, Vec<Seq>)>> {
        let walk = match &mut self.walk {
            Some(walk) => walk,
            None => self.walk.insert(self.segments.trace_walk(self.after)?),
        };
        let mut entries = Vec::new();
        while let Some(trace) = walk.next(&mut entries)? {
            // The index of a segment that is cut lists traces that begin behind the cut.
            if !entries.is_empty() {
                return Ok(Some((trace, entries)));
            }
        }
        Ok(None)
    }
}

impl Iterator for TracesFrom<'_> {
    type Item = Result<(TraceId, Vec<Seq>), EntryFault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let next = self.advance();
        self.is_over = !matches!(next, Ok(Some(_)));
        next.map_err(EntryFault::Io).transpose()
    }
}

impl Snapshot {
    /// The traces behind `after` in byte order, each with all its entries, ascending: what
    /// [`Snapshot::traces_after`] and [`Snapshot::of_trace`] say, without a search for each trace. Ends
    /// behind the first fault, which is [`EntryFault::Io`].
    #[must_use]
    pub fn traces_from(&self, after: Option<TraceId>) -> TracesFrom<'_> {
        TracesFrom { segments: self.segments(), after, walk: None, is_over: false }
    }
}

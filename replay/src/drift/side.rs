//! One run of a pair: its verified records on their span tree, and the order in which they happened.

use std::collections::BTreeMap;

use proofline_ledger::{Damage, Seq, Snapshot};
use proofline_trace::{Coverage, SpanRecord, TraceId};

use crate::alignment::{Run, RunRecord};
use crate::chain::{ByteRule, TraceLog, Verified};
use crate::error::ReplayError;
use crate::gate_again::ChainRecords;
use crate::single;

/// A trace, and why it cannot be compared, if so.
#[derive(Debug)]
pub(super) struct Side {
    log: TraceLog,
    pub(super) failure: Option<String>,
    pub(super) damage: Vec<Damage>,
}

impl Side {
    /// Reads a trace and asks of it what invariant replay asks, policies aside: records that are not proven
    /// show no drift.
    pub(super) fn read(snapshot: &Snapshot, trace_id: TraceId, seqs: &[Seq]) -> Result<Self, ReplayError> {
        let log = TraceLog::read(snapshot, trace_id, seqs, ByteRule::Meant)?;
        let (failure, damage) = {
            let chain = log.chain(false);
            let verified = Verified::of_chain(&chain);
            let records = ChainRecords::of(&verified);
            let mut run = single::Run::new(Coverage::default());
            let failure = run.invariants(trace_id, &chain, &log, &verified, &records);
            let absent = || chain.is_empty().then(|| single::not_found(trace_id, &log));
            (failure.or_else(absent).map(|failure| failure.message), run.damage)
        };
        Ok(Self { log, failure, damage })
    }

    /// The accepted records in chain order.
    pub(super) fn chain(&self) -> Vec<Verified<'_>> {
        Verified::of_chain(&self.log.chain(false))
    }
}

/// A run made ready for comparisons, of which a baseline may see many.
pub(super) struct Prepared<'a> {
    pub(super) side: &'a Side,
    pub(super) run: Run<'a>,
    /// Entries in the order in which things happened: by time, then by rank in the chain, then as they came in.
    pub(super) order: Vec<u64>,
    /// Where in that order each entry is.
    pub(super) places: BTreeMap<u64, usize>,
}

impl<'a> Prepared<'a> {
    pub(super) fn of(side: &'a Side) -> Self {
        let chain = side.chain();
        let run = Run::of(chain.iter().map(|record| {
            let trace = record.envelope.trace();
            let span = SpanRecord {
                span_id: trace.span_id(),
                parent_span_id: trace.parent_span_id(),
                record_type: record.envelope.record_type(),
                start_ms: record.envelope.time_ms(),
                end_ms: record.envelope.ended_at_ms(),
                hash: record.hash,
                position: record.seq.get(),
            };
            RunRecord { span, envelope: record.envelope, refusal: None }
        }));
        let mut order = chain;
        order.sort_by_key(|record| {
            (record.envelope.time_ms(), record.envelope.record_type().rank(), record.seq)
        });
        let order: Vec<u64> = order.into_iter().map(|record| record.seq.get()).collect();
        let places = order.iter().enumerate().map(|(at, seq)| (*seq, at)).collect();
        Self { side, run, order, places }
    }

    pub(super) fn record(&self, seq: u64) -> Option<&RunRecord<'a>> {
        self.run.record(seq)
    }

    /// All records, contexts included.
    pub(super) fn records(&self) -> impl Iterator<Item = &RunRecord<'a>> {
        self.order.iter().filter_map(|seq| self.record(*seq))
    }
}

//! Gathers spans into batches of bounded size and hands them on, with what was refused in between.

use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use proofline_canon::Sha256Digest;

use super::error::Stop;
use super::fault::SpanFault;
use super::item::{Item, Part, Place, ReadSpan, Refused, SpanBatch};
use super::options::ReadOptions;
use super::tally::{SpanWarning, Tally, WarningKind};

/// A part of what spans belong to, or why it cannot be read.
pub(crate) type Known<T> = Result<Arc<T>, SpanFault>;

/// What the spans that come belong to.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    pub(crate) resource: Known<Resource>,
    pub(crate) resource_schema_url: Known<str>,
    pub(crate) scope: Known<InstrumentationScope>,
    pub(crate) scope_schema_url: Known<str>,
}

impl Default for Owner {
    fn default() -> Self {
        let none: Arc<str> = Arc::from("");
        Self {
            resource: Ok(Arc::default()),
            resource_schema_url: Ok(Arc::clone(&none)),
            scope: Ok(Arc::default()),
            scope_schema_url: Ok(none),
        }
    }
}

impl Owner {
    /// Why no span of this owner can be given.
    pub(crate) fn fault(&self) -> Option<SpanFault> {
        let wrap = |part, fault: &SpanFault| SpanFault::Context { part, fault: Box::new(fault.clone()) };
        let resource = self.resource.as_ref().err().map(|fault| wrap("resource", fault));
        let scope = || self.scope.as_ref().err().map(|fault| wrap("scope", fault));
        let schemas = || {
            let outer = self.resource_schema_url.as_ref().err();
            outer.or(self.scope_schema_url.as_ref().err()).map(|fault| wrap("schemaUrl", fault))
        };
        resource.or_else(scope).or_else(schemas)
    }

    /// An empty batch, unless something cannot be read.
    fn batch(&self, message: Place) -> Option<SpanBatch> {
        Some(SpanBatch {
            resource: Arc::clone(self.resource.as_ref().ok()?),
            resource_schema_url: Arc::clone(self.resource_schema_url.as_ref().ok()?),
            scope: Arc::clone(self.scope.as_ref().ok()?),
            scope_schema_url: Arc::clone(self.scope_schema_url.as_ref().ok()?),
            spans: Vec::new(),
            message: message.message,
            offset: message.offset,
        })
    }
}

/// What is read of a span, or what is wrong with it.
pub(crate) struct Unreadable {
    pub(crate) part: Part,
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
    pub(crate) sha256: Sha256Digest,
    pub(crate) fault: SpanFault,
    pub(crate) trace_id: Option<[u8; 16]>,
    pub(crate) span_id: Option<[u8; 8]>,
}

pub(crate) struct Batcher<'s, E> {
    sink: &'s mut dyn FnMut(Item) -> Result<(), E>,
    most_spans: usize,
    most_bytes: u64,
    pub(crate) owner: Owner,
    pending: Option<SpanBatch>,
    pending_bytes: u64,
    /// The message that is read, and where it begins.
    message: Place,
    pub(crate) spans: u64,
    pub(crate) refused: u64,
    /// Spans and refusals before this message.
    before: u64,
    pub(crate) tally: Tally,
}

impl<'s, E> Batcher<'s, E> {
    pub(crate) fn new(options: &ReadOptions, sink: &'s mut dyn FnMut(Item) -> Result<(), E>) -> Self {
        Self {
            sink,
            most_spans: options.batch_spans.max(1),
            most_bytes: options.batch_bytes as u64,
            owner: Owner::default(),
            pending: None,
            pending_bytes: 0,
            message: Place { message: 0, offset: 0 },
            spans: 0,
            refused: 0,
            before: 0,
            tally: Tally::default(),
        }
    }

    /// Messages that ended.
    pub(crate) fn messages(&self) -> u64 {
        self.message.message
    }

    pub(crate) fn begin_message(&mut self, offset: u64) {
        self.message.offset = offset;
        self.before = self.spans + self.refused;
        self.owner = Owner::default();
    }

    pub(crate) fn end_message(&mut self) -> Result<(), Stop<E>> {
        self.flush()?;
        if self.spans + self.refused == self.before {
            self.tally.add(WarningKind::NoSpans, "", 1, self.message);
        }
        self.message.message += 1;
        Ok(())
    }

    /// Nothing was read yet, neither well nor badly.
    pub(crate) const fn is_untouched(&self) -> bool {
        self.spans == 0 && self.refused == 0
    }

    pub(crate) fn warn(&mut self, kind: WarningKind, name: &str, offset: u64) {
        self.tally.add(kind, name, 1, self.place(offset));
    }

    pub(crate) fn warn_all(&mut self, warnings: &[SpanWarning], offset: u64) {
        self.tally.add_all(warnings, self.place(offset));
    }

    pub(crate) fn place(&self, offset: u64) -> Place {
        Place { message: self.message.message, offset }
    }

    /// Counts a span; true if the one before closes the batch.
    fn overflows(&self, bytes: u64) -> bool {
        let full = |batch: &SpanBatch| {
            batch.spans.len() >= self.most_spans || self.pending_bytes + bytes > self.most_bytes
        };
        self.pending.as_ref().is_some_and(full)
    }

    pub(crate) fn give(&mut self, span: ReadSpan) -> Result<(), Stop<E>> {
        if self.overflows(span.bytes) {
            self.flush()?;
        }
        self.warn_all(&span.warnings, span.offset);
        self.spans += 1;
        self.pending_bytes += span.bytes;
        if self.pending.is_none() {
            self.pending = self.owner.batch(self.message);
        }
        if let Some(batch) = &mut self.pending {
            batch.spans.push(span);
        }
        Ok(())
    }

    pub(crate) fn refuse(&mut self, unreadable: Unreadable) -> Result<(), Stop<E>> {
        self.flush()?;
        self.refused += 1;
        let Unreadable { part, offset, bytes, sha256, fault, trace_id, span_id } = unreadable;
        let place = self.place(offset);
        let refused = Refused { part, place, fault, bytes, sha256, trace_id, span_id };
        (self.sink)(Item::Refused(refused)).map_err(Stop::Sink)
    }

    /// Hands on what is gathered; the owner changes, or something else has its turn.
    pub(crate) fn flush(&mut self) -> Result<(), Stop<E>> {
        self.pending_bytes = 0;
        match self.pending.take() {
            Some(batch) => (self.sink)(Item::Batch(batch)).map_err(Stop::Sink),
            None => Ok(()),
        }
    }
}

/// Remembers what bytes meant the last time: one resource stands in front of every line of a file.
pub(crate) struct Last<T: ?Sized> {
    bytes: Vec<u8>,
    known: Option<Known<T>>,
}

/// Longer parts are not remembered.
const REMEMBERED_BYTES: usize = 64 << 10;

impl<T: ?Sized> Default for Last<T> {
    fn default() -> Self {
        Self { bytes: Vec::new(), known: None }
    }
}

impl<T: ?Sized> Last<T> {
    /// What `bytes` mean; read only if they are not those of the last time. Whatever is to be
    /// warned about is not remembered: `read` says whether there was something.
    pub(crate) fn get(&mut self, bytes: &[u8], read: impl FnOnce() -> (Known<T>, bool)) -> Known<T> {
        if let Some(known) = self.known.as_ref().filter(|_| self.bytes == bytes) {
            return known.clone();
        }
        let (known, warned) = read();
        self.known = (known.is_ok() && !warned && bytes.len() <= REMEMBERED_BYTES).then(|| known.clone());
        self.bytes.clear();
        if self.known.is_some() {
            self.bytes.extend_from_slice(bytes);
        }
        known
    }
}

//! The second reading of protobuf: the outer levels by hand, so that each span is decoded by
//! itself and one that cannot be decoded stops nothing.

use std::borrow::Cow;
use std::io::{Read, Seek};
use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use proofline_canon::Sha256Digest;
use prost::Message;

use super::batch::{Batcher, Known, Last, Owner, Unreadable};
use super::error::{ReadError, Stop};
use super::fault::SpanFault;
use super::item::{Found, Part, ReadSpan, Signal};
use super::json::{Giver, digest};
use super::normal::{plain_resource, plain_scope, plain_span};
use super::options::ReadOptions;
use super::tally::{Notes, WarningKind};
use super::window::Window;
use super::wire::{Body, BreaksAt, Broke, Field, Fields, byte, u32be_length, varint_length};

pub(crate) struct Protobuf<'o> {
    options: &'o ReadOptions,
    last_resource: Last<Resource>,
    last_scope: Last<InstrumentationScope>,
    last_schema: Last<str>,
}

/// What was surveyed is there no more.
fn changed<E>(broke: Broke) -> Stop<E> {
    match broke {
        Broke::At(_, offset) => ReadError::Changed { offset }.into(),
        Broke::Read(error) => error.into(),
    }
}

impl<'o> Protobuf<'o> {
    pub(crate) fn new(options: &'o ReadOptions) -> Self {
        Self {
            options,
            last_resource: Last::default(),
            last_scope: Last::default(),
            last_schema: Last::default(),
        }
    }

    /// Gives every message of the input.
    pub(crate) fn messages<R: Read + Seek, E>(
        &mut self,
        window: &mut Window<'_, R>,
        batcher: &mut Batcher<'_, E>,
        giver: &mut Giver,
        framing: Found,
    ) -> Result<(), Stop<E>> {
        let end = window.end();
        while window.offset() < end {
            batcher.begin_message(window.offset());
            let length = match framing {
                Found::Varint => varint_length(window, end).map_err(changed)?,
                Found::U32be => u32be_length(window, end).map_err(changed)?,
                Found::Single | Found::Json | Found::Empty => end - window.offset(),
            };
            let frame_end = window.offset() + length;
            if length > 0 && window.peek()? == Some(b'{') {
                window.set_end(frame_end);
                let given = giver.documents(window, batcher, None);
                window.set_end(end);
                given?;
            } else {
                self.message(window, batcher, frame_end)?;
            }
            batcher.end_message()?;
        }
        Ok(())
    }

    fn message<R: Read + Seek, E>(
        &mut self,
        window: &mut Window<'_, R>,
        batcher: &mut Batcher<'_, E>,
        end: u64,
    ) -> Result<(), Stop<E>> {
        while window.offset() < end {
            byte(window).map_err(changed)?;
            let length = varint_length(window, end).map_err(changed)?;
            let offset = window.offset();
            match window.take(length)? {
                Some(body) => self.resource_spans(body, offset, batcher)?,
                None => self.refuse_large(window, batcher, offset, length)?,
            }
        }
        Ok(())
    }

    /// A `ResourceSpans` that is longer than what is held at once.
    fn refuse_large<R: Read + Seek, E>(
        &self,
        window: &mut Window<'_, R>,
        batcher: &mut Batcher<'_, E>,
        offset: u64,
        bytes: u64,
    ) -> Result<(), Stop<E>> {
        let sha256 = digest(window, offset, bytes)?;
        let fault = SpanFault::TooLarge { limit_bytes: self.options.message_bytes };
        let part = Part::ResourceSpans;
        batcher.refuse(Unreadable { part, offset, bytes, sha256, fault, trace_id: None, span_id: None })
    }

    fn resource_spans<E>(
        &mut self,
        bytes: &[u8],
        offset: u64,
        batcher: &mut Batcher<'_, E>,
    ) -> Result<(), Stop<E>> {
        let parts = match Parts::of(bytes) {
            Ok(parts) => parts,
            Err(breaks) => return batcher.refuse(broken(Part::ResourceSpans, bytes, offset, breaks)),
        };
        let mut notes = Notes::default();
        batcher.owner = Owner {
            resource: decoded(&mut self.last_resource, &parts.context, &mut notes, plain_resource),
            resource_schema_url: self.schema(parts.schema),
            ..Owner::default()
        };
        self.warn(batcher, ["resource", "schemaUrl"], &parts, notes, offset);
        for field in parts.items {
            let Body::Bytes(body) = field.body else { continue };
            self.scope_spans(body, offset + field.start as u64, batcher)?;
        }
        batcher.flush()
    }

    fn scope_spans<E>(
        &mut self,
        bytes: &[u8],
        offset: u64,
        batcher: &mut Batcher<'_, E>,
    ) -> Result<(), Stop<E>> {
        let parts = match Parts::of(bytes) {
            Ok(parts) => parts,
            Err(breaks) => return batcher.refuse(broken(Part::ScopeSpans, bytes, offset, breaks)),
        };
        batcher.flush()?;
        let mut notes = Notes::default();
        batcher.owner.scope = decoded(&mut self.last_scope, &parts.context, &mut notes, plain_scope);
        batcher.owner.scope_schema_url = self.schema(parts.schema);
        self.warn(batcher, ["scope", "schemaUrl"], &parts, notes, offset);
        let fault = batcher.owner.fault();
        for field in parts.items {
            let Body::Bytes(body) = field.body else { continue };
            let offset = offset + field.start as u64;
            if batcher.is_untouched()
                && let Some(signal) = signal_of(body)
            {
                let place = batcher.place(offset);
                return Err(ReadError::NotTraces { signal, place }.into());
            }
            span(body, offset, fault.as_ref(), batcher)?;
        }
        Ok(())
    }

    fn schema(&mut self, bytes: Option<&[u8]>) -> Known<str> {
        let bytes = bytes.unwrap_or_default();
        let bad = SpanFault::Type { field: "schemaUrl", expected: "UTF-8" };
        self.last_schema.get(bytes, || (std::str::from_utf8(bytes).map(Arc::from).map_err(|_| bad), false))
    }

    fn warn<E>(
        &self,
        batcher: &mut Batcher<'_, E>,
        [context, schema]: [&str; 2],
        parts: &Parts<'_>,
        notes: Notes,
        offset: u64,
    ) {
        let owner = &batcher.owner;
        let (bad_context, bad_schema) = match context {
            "resource" => (owner.resource.is_err(), owner.resource_schema_url.is_err()),
            _ => (owner.scope.is_err(), owner.scope_schema_url.is_err()),
        };
        for (_, name) in [(bad_context, context), (bad_schema, schema)].into_iter().filter(|(bad, _)| *bad) {
            batcher.warn(WarningKind::UnreadableContext, name, offset);
        }
        for field in &parts.unknown {
            batcher.warn(WarningKind::UnknownField, &field.number.to_string(), offset + field.at as u64);
        }
        batcher.warn_all(&notes.into_warnings(), offset);
    }
}

/// The fields of a `ResourceSpans` or of a `ScopeSpans`, which have the same numbers.
struct Parts<'a> {
    /// The resource or scope; in pieces it is what the pieces are together.
    context: Cow<'a, [u8]>,
    items: Vec<Field<'a>>,
    schema: Option<&'a [u8]>,
    unknown: Vec<Field<'a>>,
}

impl<'a> Parts<'a> {
    fn of(bytes: &'a [u8]) -> Result<Self, BreaksAt> {
        let mut parts =
            Self { context: Cow::Borrowed(&[]), items: Vec::new(), schema: None, unknown: Vec::new() };
        for field in Fields::of(bytes) {
            let field = field?;
            match (field.number, field.body) {
                (1, Body::Bytes(body)) if parts.context.is_empty() => parts.context = Cow::Borrowed(body),
                (1, Body::Bytes(body)) => parts.context.to_mut().extend_from_slice(body),
                (2, Body::Bytes(_)) => parts.items.push(field),
                (3, Body::Bytes(body)) => parts.schema = Some(body),
                (1..=3, _) => return Err(BreaksAt(field.at)),
                _ => parts.unknown.push(field),
            }
        }
        Ok(parts)
    }
}

fn broken(part: Part, bytes: &[u8], offset: u64, BreaksAt(at): BreaksAt) -> Unreadable {
    Unreadable {
        part,
        offset,
        bytes: bytes.len() as u64,
        sha256: Sha256Digest::of(bytes),
        fault: SpanFault::Wire { at: at as u64 },
        trace_id: None,
        span_id: None,
    }
}

fn decoded<T: Message + Default>(
    last: &mut Last<T>,
    bytes: &[u8],
    notes: &mut Notes,
    plain: fn(&mut T, &mut Notes),
) -> Known<T> {
    last.get(bytes, || {
        let mut decoded = T::decode(bytes).map_err(SpanFault::Protobuf);
        if let Ok(value) = &mut decoded {
            plain(value, notes);
        }
        (decoded.map(Arc::new), !notes.is_empty())
    })
}

fn span<E>(
    bytes: &[u8],
    offset: u64,
    owner: Option<&SpanFault>,
    batcher: &mut Batcher<'_, E>,
) -> Result<(), Stop<E>> {
    let outline = Outline::of(bytes);
    let read = match owner {
        None => Span::decode(bytes).map_err(SpanFault::Protobuf),
        Some(fault) => Span::decode(bytes).map_err(SpanFault::Protobuf).and(Err(fault.clone())),
    };
    let length = bytes.len() as u64;
    match read {
        Ok(mut span) => {
            let mut notes = outline.notes;
            plain_span(&mut span, &mut notes);
            batcher.give(ReadSpan { span, offset, bytes: length, warnings: notes.into_warnings() })
        }
        Err(fault) => {
            let Outline { trace_id, span_id, .. } = outline;
            let sha256 = Sha256Digest::of(bytes);
            batcher.refuse(Unreadable {
                part: Part::Span,
                offset,
                bytes: length,
                sha256,
                fault,
                trace_id,
                span_id,
            })
        }
    }
}

/// What can be told of a span without decoding it.
#[derive(Default)]
struct Outline {
    trace_id: Option<[u8; 16]>,
    span_id: Option<[u8; 8]>,
    notes: Notes,
}

impl Outline {
    fn of(bytes: &[u8]) -> Self {
        let mut outline = Self::default();
        for field in Fields::of(bytes).map_while(Result::ok) {
            match (field.number, field.body) {
                (1, Body::Bytes(id)) => outline.trace_id = id.try_into().ok(),
                (2, Body::Bytes(id)) => outline.span_id = id.try_into().ok(),
                (1..=16, _) => {}
                (number, _) => outline.notes.add(WarningKind::UnknownField, &number.to_string()),
            }
        }
        outline
    }
}

/// What the first span of an input is, if it is none: files of logs and metrics have the same outer
/// levels. A log record begins with a fixed64 where a span has its trace id; a metric holds nothing
/// but texts and messages, and no ids.
fn signal_of(bytes: &[u8]) -> Option<Signal> {
    let fields: Vec<Field<'_>> = Fields::of(bytes).collect::<Result<_, _>>().ok()?;
    let first = fields.iter().find(|field| field.number == 1);
    if matches!(first, Some(Field { body: Body::Fixed64, .. })) {
        return Some(Signal::Logs);
    }
    let is_text = |field: &Field<'_>| match field.body {
        Body::Bytes(text) => !matches!(text.len(), 8 | 16) && std::str::from_utf8(text).is_ok(),
        _ => false,
    };
    let is_data = |field: &Field<'_>| match field.body {
        Body::Bytes(data) => data.first() == Some(&0x0A),
        _ => false,
    };
    let fits = |field: &Field<'_>| match field.number {
        1..=3 => is_text(field),
        5 | 7 | 9 | 10 | 11 => is_data(field),
        12 => matches!(field.body, Body::Bytes(_)),
        _ => false,
    };
    let data = fields.iter().filter(|field| matches!(field.number, 5 | 7 | 9..=11)).count();
    (first.is_some() && data == 1 && fields.iter().all(fits)).then_some(Signal::Metrics)
}

//! The second reading of JSON: every span of every whole document, with what it belongs to.

use std::io::{Read, Seek};
use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use proofline_canon::{Limits, Sha256Digest, Sha256Hasher, Value, parse};

use super::skip::{self, Fault, space};
use super::walk::{Context, Edge, Visit, document};
use super::{fast, slow};
use crate::read::batch::{Batcher, Known, Last, Owner, Unreadable};
use crate::read::error::{ReadError, Stop};
use crate::read::fault::SpanFault;
use crate::read::item::{Part, ReadSpan, Signal};
use crate::read::late::LateReader;
use crate::read::options::ReadOptions;
use crate::read::tally::{Notes, WarningKind};
use crate::read::window::Window;

/// What lives as long as the reading of an input.
pub(crate) struct Giver {
    resources: LateReader,
    scopes: LateReader,
    resource_group: u64,
    scope_group: u64,
    limits: Limits,
    last_resource: Last<Resource>,
    last_scope: Last<InstrumentationScope>,
    last_schema: Last<str>,
}

impl Giver {
    pub(crate) fn new((resources, scopes): (LateReader, LateReader), options: &ReadOptions) -> Self {
        Self {
            resources,
            scopes,
            resource_group: 0,
            scope_group: 0,
            limits: Limits::CONTENT.with_max_bytes(options.message_bytes).with_max_depth(options.json_depth),
            last_resource: Last::default(),
            last_scope: Last::default(),
            last_schema: Last::default(),
        }
    }

    /// Gives `count` documents from where the window stands, each a message of its own; or those
    /// up to its end, which are one message together: a frame.
    pub(crate) fn documents<R: Read + Seek, E>(
        &mut self,
        window: &mut Window<'_, R>,
        batcher: &mut Batcher<'_, E>,
        count: Option<u64>,
    ) -> Result<(), Stop<E>> {
        let mut given = 0;
        while count != Some(given) {
            match space(window)? {
                Some(b'{') => {}
                None if count.is_none() => return Ok(()),
                _ => return Err(ReadError::Changed { offset: window.offset() }.into()),
            }
            if count.is_some() {
                batcher.begin_message(window.offset());
            }
            document(window, &mut Giving { giver: self, batcher, behind: Behind::default() })?;
            if count.is_some() {
                batcher.end_message()?;
            }
            given += 1;
        }
        Ok(())
    }
}

/// The text was right when it was surveyed.
fn changed(fault: Fault) -> ReadError {
    match fault {
        Fault::Text(_, offset) => ReadError::Changed { offset },
        Fault::Read(error) => error,
    }
}

impl<E> From<Fault> for Stop<E> {
    fn from(fault: Fault) -> Self {
        Self::Read(changed(fault))
    }
}

/// Which members of the open groups were read ahead of their turn.
#[derive(Default)]
struct Behind {
    resource: Taken,
    scope: Taken,
}

#[derive(Default, Clone, Copy)]
struct Taken {
    context: bool,
    schema: bool,
}

struct Giving<'g, 's, E> {
    giver: &'g mut Giver,
    batcher: &'g mut Batcher<'s, E>,
    behind: Behind,
}

impl<E> Giving<'_, '_, E> {
    /// Reads the members of a group that stand behind its spans.
    fn ahead<R: Read + Seek>(
        &mut self,
        window: &mut Window<'_, R>,
        parts: [(Context, Option<u64>); 2],
    ) -> Result<Taken, Stop<E>> {
        let here = window.offset();
        for (part, offset) in parts {
            let Some(offset) = offset else { continue };
            window.go(offset);
            self.read_context(window, part)?;
        }
        window.go(here);
        window.peek()?; // what is stepped over next has to be in memory
        let [context, schema] = parts.map(|(_, offset)| offset.is_some());
        Ok(Taken { context, schema })
    }

    fn read_context<R: Read + Seek>(
        &mut self,
        window: &mut Window<'_, R>,
        part: Context,
    ) -> Result<(), Stop<E>> {
        let offset = window.offset();
        window.mark();
        skip::value(window)?;
        let limit_bytes = self.giver.limits.max_bytes();
        let bytes = window.marked().ok_or(SpanFault::TooLarge { limit_bytes });
        let mut notes = Notes::default();
        let Giver { limits, last_resource, last_scope, last_schema, .. } = &mut *self.giver;
        let Owner { resource, resource_schema_url, scope, scope_schema_url } = &mut self.batcher.owner;
        let unreadable = match part {
            Context::Resource => {
                *resource = understood(bytes, last_resource, limits, &mut notes, slow::resource);
                resource.is_err()
            }
            Context::Scope => {
                *scope = understood(bytes, last_scope, limits, &mut notes, slow::scope);
                scope.is_err()
            }
            Context::ResourceSchema => {
                *resource_schema_url = understood(bytes, last_schema, limits, &mut notes, slow::schema_url);
                resource_schema_url.is_err()
            }
            Context::ScopeSchema => {
                *scope_schema_url = understood(bytes, last_schema, limits, &mut notes, slow::schema_url);
                scope_schema_url.is_err()
            }
        };
        if unreadable {
            self.batcher.warn(WarningKind::UnreadableContext, part.name(), offset);
        }
        self.batcher.warn_all(&notes.into_warnings(), offset);
        Ok(())
    }

    /// A span that is not plain, or not wholly in memory.
    fn read_span<R: Read + Seek>(&mut self, window: &mut Window<'_, R>) -> Result<(), Stop<E>> {
        let offset = window.offset();
        window.mark();
        skip::value(window)?;
        let bytes = window.offset() - offset;
        let limits = self.giver.limits;
        let Some(text) = window.marked() else {
            return self.refuse_large(window, offset, bytes);
        };
        let owner = self.batcher.owner.fault();
        let read = match fast::span(text, limits.max_depth()) {
            Some((span, _)) if owner.is_none() => Ok((span, Notes::default())),
            _ => slow::span(text, &limits),
        };
        let unreadable = |fault, (trace_id, span_id)| {
            let sha256 = Sha256Digest::of(text);
            Unreadable { part: Part::Span, offset, bytes, sha256, fault, trace_id, span_id }
        };
        match (owner, read) {
            (None, Ok((span, notes))) => {
                self.batcher.give(ReadSpan { span, offset, bytes, warnings: notes.into_warnings() })
            }
            (Some(fault), Ok((span, _))) => {
                let ids = (span.trace_id.try_into().ok(), span.span_id.try_into().ok());
                self.batcher.refuse(unreadable(fault, ids))
            }
            (_, Err(fault)) => {
                let ids = slow::ids(text, &limits);
                self.batcher.refuse(unreadable(fault, ids))
            }
        }
    }

    /// A span that is longer than what is held at once: it is passed a second time for its digest.
    fn refuse_large<R: Read + Seek>(
        &mut self,
        window: &mut Window<'_, R>,
        offset: u64,
        bytes: u64,
    ) -> Result<(), Stop<E>> {
        let sha256 = digest(window, offset, bytes)?;
        let fault = SpanFault::TooLarge { limit_bytes: self.giver.limits.max_bytes() };
        let part = Part::Span;
        self.batcher.refuse(Unreadable { part, offset, bytes, sha256, fault, trace_id: None, span_id: None })
    }
}

/// The digest of `bytes` bytes from `offset` on; the window stands behind them then.
pub(crate) fn digest<R: Read + Seek>(
    window: &mut Window<'_, R>,
    offset: u64,
    bytes: u64,
) -> Result<Sha256Digest, ReadError> {
    window.go(offset);
    let mut hasher = Sha256Hasher::new();
    let mut left = bytes;
    while left > 0 {
        if window.peek()?.is_none() {
            return Err(ReadError::Changed { offset: window.offset() });
        }
        let rest = window.rest();
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
        hasher.update(rest.get(..count).unwrap_or_default());
        window.advance(count);
        left -= count as u64;
    }
    Ok(hasher.finalize())
}

fn understood<T: ?Sized, U: Into<Arc<T>>>(
    bytes: Result<&[u8], SpanFault>,
    last: &mut Last<T>,
    limits: &Limits,
    notes: &mut Notes,
    read: impl FnOnce(&Value, &mut Notes) -> Result<U, SpanFault>,
) -> Known<T> {
    let bytes = bytes?;
    last.get(bytes, || {
        let value = parse(bytes, limits).map_err(SpanFault::Json);
        let known = value.and_then(|value| read(&value, notes)).map(Into::into);
        (known, !notes.is_empty())
    })
}

impl<R: Read + Seek, E> Visit<R> for Giving<'_, '_, E> {
    type Error = Stop<E>;

    fn resource_spans(&mut self, window: &mut Window<'_, R>, edge: Edge) -> Result<(), Stop<E>> {
        if edge == Edge::Ends {
            return self.batcher.flush();
        }
        self.batcher.owner = Owner::default();
        self.behind.resource = match self.giver.resources.of(self.giver.resource_group)? {
            Some(late) => {
                let parts = [(Context::Resource, late.context), (Context::ResourceSchema, late.schema)];
                self.ahead(window, parts)?
            }
            None => Taken::default(),
        };
        self.giver.resource_group += 1;
        Ok(())
    }

    fn scope_spans(&mut self, window: &mut Window<'_, R>, edge: Edge) -> Result<(), Stop<E>> {
        if edge == Edge::Ends {
            return self.batcher.flush();
        }
        let none = Owner::default();
        (self.batcher.owner.scope, self.batcher.owner.scope_schema_url) = (none.scope, none.scope_schema_url);
        self.behind.scope = match self.giver.scopes.of(self.giver.scope_group)? {
            Some(late) => {
                let parts = [(Context::Scope, late.context), (Context::ScopeSchema, late.schema)];
                self.ahead(window, parts)?
            }
            None => Taken::default(),
        };
        self.giver.scope_group += 1;
        Ok(())
    }

    fn context(&mut self, window: &mut Window<'_, R>, part: Context) -> Result<(), Stop<E>> {
        let taken = match part {
            Context::Resource => self.behind.resource.context,
            Context::ResourceSchema => self.behind.resource.schema,
            Context::Scope => self.behind.scope.context,
            Context::ScopeSchema => self.behind.scope.schema,
        };
        if taken { Ok(skip::value(window)?) } else { self.read_context(window, part) }
    }

    fn span(&mut self, window: &mut Window<'_, R>) -> Result<(), Stop<E>> {
        let offset = window.offset();
        if self.batcher.owner.fault().is_none()
            && let Some((span, length)) = fast::span(window.rest(), self.giver.limits.max_depth())
            && length <= self.giver.limits.max_bytes()
        {
            window.advance(length);
            let bytes = length as u64;
            return self.batcher.give(ReadSpan { span, offset, bytes, warnings: Vec::new() });
        }
        self.read_span(window)
    }

    fn unknown(&mut self, key: &str, offset: u64) {
        self.batcher.warn(slow::unknown_kind(key), &key.chars().take(40).collect::<String>(), offset);
    }

    fn signal(&mut self, _: Signal, offset: u64) -> Result<(), Stop<E>> {
        Err(ReadError::Changed { offset }.into())
    }
}

impl Context {
    const fn name(self) -> &'static str {
        match self {
            Self::Resource => "resource",
            Self::Scope => "scope",
            Self::ResourceSchema | Self::ScopeSchema => "schemaUrl",
        }
    }
}

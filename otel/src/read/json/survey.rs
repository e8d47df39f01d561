//! The first reading of JSON: whether it is JSON to the end and has the shape of OTLP, how many
//! documents are whole, and where what the spans need stands behind them.

use std::io::{Read, Seek};
use std::path::Path;

use super::skip::{self, Fault, space, unexpected};
use super::walk::{Context, Edge, Visit, document};
use crate::read::error::{Cause, JsonFault, ReadError, ShapeFault};
use crate::read::item::{Place, Signal};
use crate::read::late::{Late, LateReader, LateWriter};
use crate::read::window::Window;

/// What the first reading found.
pub(crate) struct Survey {
    /// The late members of each `ResourceSpans`.
    pub(crate) resources: LateWriter,
    /// The late members of each `ScopeSpans`.
    pub(crate) scopes: LateWriter,
    /// Whole documents.
    documents: u64,
    resource_group: Group,
    scope_group: Group,
}

/// The group that is open, and how many were before it.
#[derive(Default)]
struct Group {
    number: u64,
    spans_seen: bool,
    context: Option<u64>,
    schema: Option<u64>,
}

impl Group {
    /// The note about the group, which ends.
    fn close(&mut self) -> Late {
        let late = Late { group: self.number, context: self.context, schema: self.schema };
        *self = Self { number: self.number + 1, ..Self::default() };
        late
    }
}

/// Where documents end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Documents {
    /// Whole documents.
    pub(crate) count: u64,
    /// Where the one behind the last whole one begins, if it is cut.
    pub(crate) cut_at: Option<u64>,
}

impl Survey {
    pub(crate) fn new(folder: Option<&Path>) -> Self {
        Self {
            resources: LateWriter::new(folder),
            scopes: LateWriter::new(folder),
            documents: 0,
            resource_group: Group::default(),
            scope_group: Group::default(),
        }
    }

    pub(crate) fn into_late(self) -> Result<(LateReader, LateReader), ReadError> {
        Ok((self.resources.into_reader()?, self.scopes.into_reader()?))
    }

    /// Reads documents up to the window's end.
    pub(crate) fn documents<R: Read + Seek>(
        &mut self,
        window: &mut Window<'_, R>,
    ) -> Result<Documents, Fault> {
        let before = self.documents;
        let end = window.end();
        loop {
            let start = match space(window)? {
                None => return Ok(Documents { count: self.documents - before, cut_at: None }),
                Some(b'{') => window.offset(),
                Some(_) if self.documents == before => {
                    return Err(Fault::at(ShapeFault::Document, window.offset()));
                }
                found => return Err(unexpected(window, found, "a document")),
            };
            match document(window, self) {
                Ok(()) => self.documents += 1,
                Err(Fault::Text(Cause::Json(JsonFault::UnexpectedEnd), at)) if at == end => {
                    return Ok(Documents { count: self.documents - before, cut_at: Some(start) });
                }
                Err(other) => return Err(other),
            }
        }
    }

    fn place(&self, offset: u64) -> Place {
        Place { message: self.documents, offset }
    }
}

impl<R: Read + Seek> Visit<R> for Survey {
    type Error = Fault;

    fn resource_spans(&mut self, _: &mut Window<'_, R>, edge: Edge) -> Result<(), Fault> {
        if edge == Edge::Ends {
            self.resources.add(self.resource_group.close())?;
        }
        Ok(())
    }

    fn scope_spans(&mut self, _: &mut Window<'_, R>, edge: Edge) -> Result<(), Fault> {
        self.resource_group.spans_seen = true;
        if edge == Edge::Ends {
            self.scopes.add(self.scope_group.close())?;
        }
        Ok(())
    }

    fn context(&mut self, window: &mut Window<'_, R>, part: Context) -> Result<(), Fault> {
        let group = match part {
            Context::Resource | Context::ResourceSchema => &mut self.resource_group,
            Context::Scope | Context::ScopeSchema => &mut self.scope_group,
        };
        if group.spans_seen {
            let place = match part {
                Context::Resource | Context::Scope => &mut group.context,
                Context::ResourceSchema | Context::ScopeSchema => &mut group.schema,
            };
            *place = Some(window.offset());
        }
        skip::value(window)
    }

    fn span(&mut self, window: &mut Window<'_, R>) -> Result<(), Fault> {
        self.scope_group.spans_seen = true;
        skip::value(window)
    }

    fn unknown(&mut self, _: &str, _: u64) {}

    fn signal(&mut self, signal: Signal, offset: u64) -> Result<(), Fault> {
        Err(Fault::Read(ReadError::NotTraces { signal, place: self.place(offset) }))
    }
}

//! The outer levels of OTLP/JSON, from the document down to where spans stand. Spans, resources and
//! scopes are handed to a visitor: once to survey the input, once to give what is in it.

use std::io::{Read, Seek};

use proofline_canon::{Limits, parse};

use super::skip::{self, Fault, colon, space, unexpected};
use crate::read::error::ShapeFault;
use crate::read::item::Signal;
use crate::read::window::Window;

/// What the walk meets. Values are stepped over by whoever is asked about them.
pub(super) trait Visit<R> {
    /// What stops the walk.
    type Error: From<Fault>;

    /// A `ResourceSpans` begins or ends.
    fn resource_spans(&mut self, window: &mut Window<'_, R>, edge: Edge) -> Result<(), Self::Error>;
    /// A `ScopeSpans` begins or ends.
    fn scope_spans(&mut self, window: &mut Window<'_, R>, edge: Edge) -> Result<(), Self::Error>;
    /// The value of a member that the spans beside it need, or of their schema.
    fn context(&mut self, window: &mut Window<'_, R>, part: Context) -> Result<(), Self::Error>;
    /// A span.
    fn span(&mut self, window: &mut Window<'_, R>) -> Result<(), Self::Error>;
    /// A key that is not read; its value is stepped over for the visitor.
    fn unknown(&mut self, key: &str, offset: u64);
    /// A document of another kind.
    fn signal(&mut self, signal: Signal, offset: u64) -> Result<(), Self::Error>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    Begins,
    Ends,
}

/// A member beside the spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    Resource,
    ResourceSchema,
    Scope,
    ScopeSchema,
}

/// Keys longer than this are not told apart.
const LONGEST_KEY: usize = 1 << 10;

/// Walks one document, whose `{` is the next byte.
pub(super) fn document<R: Read + Seek, V: Visit<R>>(
    window: &mut Window<'_, R>,
    visitor: &mut V,
) -> Result<(), V::Error> {
    members(window, visitor, &["resourceSpans"], &mut |window, visitor, key, offset| match key {
        "resourceSpans" => objects(window, visitor, "resourceSpans", &mut resource_spans),
        "resourceLogs" => visitor.signal(Signal::Logs, offset),
        "resourceMetrics" => visitor.signal(Signal::Metrics, offset),
        "resourceProfiles" => visitor.signal(Signal::Profiles, offset),
        _ => left_out(window, visitor, key, offset),
    })
}

fn resource_spans<R: Read + Seek, V: Visit<R>>(
    window: &mut Window<'_, R>,
    visitor: &mut V,
) -> Result<(), V::Error> {
    const KNOWN: [&str; 3] = ["resource", "scopeSpans", "schemaUrl"];
    visitor.resource_spans(window, Edge::Begins)?;
    members(window, visitor, &KNOWN, &mut |window, visitor, key, offset| match key {
        "resource" => visitor.context(window, Context::Resource),
        "scopeSpans" => objects(window, visitor, "scopeSpans", &mut scope_spans),
        "schemaUrl" => visitor.context(window, Context::ResourceSchema),
        _ => left_out(window, visitor, key, offset),
    })?;
    visitor.resource_spans(window, Edge::Ends)
}

fn scope_spans<R: Read + Seek, V: Visit<R>>(
    window: &mut Window<'_, R>,
    visitor: &mut V,
) -> Result<(), V::Error> {
    const KNOWN: [&str; 3] = ["scope", "spans", "schemaUrl"];
    visitor.scope_spans(window, Edge::Begins)?;
    members(window, visitor, &KNOWN, &mut |window, visitor, key, offset| match key {
        "scope" => visitor.context(window, Context::Scope),
        "spans" => array(window, visitor, "spans", &mut |window, visitor| visitor.span(window)),
        "schemaUrl" => visitor.context(window, Context::ScopeSchema),
        _ => left_out(window, visitor, key, offset),
    })?;
    visitor.scope_spans(window, Edge::Ends)
}

fn left_out<R: Read + Seek, V: Visit<R>>(
    window: &mut Window<'_, R>,
    visitor: &mut V,
    key: &str,
    offset: u64,
) -> Result<(), V::Error> {
    visitor.unknown(key, offset);
    Ok(skip::value(window)?)
}

type Each<'e, R, V, E> = &'e mut dyn FnMut(&mut Window<'_, R>, &mut V) -> Result<(), E>;
type EachMember<'e, R, V, E> = &'e mut dyn FnMut(&mut Window<'_, R>, &mut V, &str, u64) -> Result<(), E>;

/// The members of an object whose `{` is the next byte; those that are `null` are left out.
fn members<R: Read + Seek, V: Visit<R>>(
    window: &mut Window<'_, R>,
    visitor: &mut V,
    known: &[&'static str],
    each: EachMember<'_, R, V, V::Error>,
) -> Result<(), V::Error> {
    window.advance(1);
    let mut seen = 0_u32;
    if space(window)? == Some(b'}') {
        window.advance(1);
        return Ok(());
    }
    loop {
        let offset = window.offset();
        let key = key(window)?;
        if let Some(place) = known.iter().position(|name| **name == *key) {
            if seen & 1 << place != 0 {
                let name = known.get(place).copied().unwrap_or_default();
                return Err(Fault::at(ShapeFault::Repeated(name), offset).into());
            }
            seen |= 1 << place;
        }
        match space(window)? {
            Some(b'n') => skip::word(window, b"null")?,
            _ => each(window, visitor, &key, offset)?,
        }
        match space(window)? {
            Some(b',') => window.advance(1),
            Some(b'}') => {
                window.advance(1);
                return Ok(());
            }
            found => return Err(unexpected(window, found, "a comma or the closing bracket").into()),
        }
        space(window)?;
    }
}

/// A member name and its colon; empty if it is none that could be known.
fn key<R: Read + Seek>(window: &mut Window<'_, R>) -> Result<String, Fault> {
    match window.peek()? {
        Some(b'"') => {}
        found => return Err(unexpected(window, found, "a member name in quotes")),
    }
    window.mark();
    skip::string(window)?;
    let quoted = window.marked().filter(|quoted| quoted.len() <= LONGEST_KEY);
    let key = quoted.and_then(unquoted).unwrap_or_default();
    colon(window)?;
    Ok(key)
}

/// What stands in quotes; canon is asked where something is escaped.
fn unquoted(quoted: &[u8]) -> Option<String> {
    match quoted {
        [b'"', plain @ .., b'"'] if !plain.contains(&b'\\') => {
            std::str::from_utf8(plain).ok().map(str::to_owned)
        }
        _ => parse(quoted, &Limits::ENVELOPE).ok()?.as_str().map(str::to_owned),
    }
}

fn objects<R: Read + Seek, V: Visit<R>>(
    window: &mut Window<'_, R>,
    visitor: &mut V,
    name: &'static str,
    each: Each<'_, R, V, V::Error>,
) -> Result<(), V::Error> {
    array(window, visitor, name, &mut |window, visitor| match space(window)? {
        Some(b'{') => each(window, visitor),
        Some(_) => Err(Fault::at(ShapeFault::NotObjects(name), window.offset()).into()),
        None => Err(unexpected(window, None, "").into()),
    })
}

fn array<R: Read + Seek, V: Visit<R>>(
    window: &mut Window<'_, R>,
    visitor: &mut V,
    name: &'static str,
    each: Each<'_, R, V, V::Error>,
) -> Result<(), V::Error> {
    match space(window)? {
        Some(b'[') => window.advance(1),
        Some(_) => return Err(Fault::at(ShapeFault::NotObjects(name), window.offset()).into()),
        None => return Err(unexpected(window, None, "").into()),
    }
    if space(window)? == Some(b']') {
        window.advance(1);
        return Ok(());
    }
    loop {
        space(window)?;
        each(window, visitor)?;
        match space(window)? {
            Some(b',') => window.advance(1),
            Some(b']') => {
                window.advance(1);
                return Ok(());
            }
            found => return Err(unexpected(window, found, "a comma or the closing bracket").into()),
        }
    }
}

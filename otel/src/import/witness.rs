//! Two spans of one call: that of a tool, and those of MCP's client and server below or above it. A call that is taken
//! for another one is not put to the policy, so nothing that a span says may be another thing than what the call says.

use std::collections::BTreeMap;

use proofline_canon::{Profile, Value};
use proofline_trace::SpanId;

use super::map::{Piece, PieceSpan, parent};
use super::said::Said;
use super::tally::Tally;
use crate::genai::{self, Kind};
use crate::rules::{ImportRules, Recorded, Told, ToldRequest};
use crate::value::{structured, text};

/// The spans above one that are looked at for another one of the same call.
const LEVELS: usize = 8;

/// What is said of a call, by a span or by several.
pub(super) struct Witness {
    arguments: Option<Vec<u8>>,
    result: Option<Vec<u8>>,
    /// What rules would have a policy asked.
    asked: ToldRequest,
    recorded: Recorded,
}

impl Witness {
    pub(super) fn of(told: Told<'_>, rules: Option<&ImportRules>) -> Self {
        let said = Said::of(told.span, Kind::Tool, &mut Tally::default());
        let asked = rules.map(|rules| rules.request(&said.facts(), said.arguments()));
        Self {
            arguments: said.arguments().map(written),
            result: said.result().map(written),
            asked: asked.unwrap_or_default(),
            recorded: rules.map(|rules| rules.decision(told)).unwrap_or_default(),
        }
    }

    /// Whether what a span below says is the same, as far as both say it, and asks the policy nothing else.
    pub(super) fn fits(&self, below: &Self) -> bool {
        let agree = |one: &Option<Vec<u8>>, other: &Option<Vec<u8>>| match (one, other) {
            // What has no form may be anything.
            (Some(one), Some(other)) => !one.is_empty() && one == other,
            _ => true,
        };
        let asks_same = self.asked.action == below.asked.action
            && self.asked.resource == below.asked.resource
            && (below.arguments.is_none() || self.asked.numbers == below.asked.numbers);
        let decides_same = below.recorded == Recorded::default() || self.recorded == below.recorded;
        agree(&self.arguments, &below.arguments)
            && agree(&self.result, &below.result)
            && asks_same
            && decides_same
    }

    /// What both say together.
    pub(super) fn with(self, below: Self) -> Self {
        Self { arguments: self.arguments.or(below.arguments), result: self.result.or(below.result), ..self }
    }
}

/// One form for a structure and for its text; nothing of what cannot be written.
fn written(value: &Value) -> Vec<u8> {
    let value = value.as_str().map_or_else(|| value.clone(), structured);
    value.to_canonical(Profile::Content).unwrap_or_default()
}

/// The span above each that may be of the same call: the next one of a tool, of the same name, where one of them is of
/// MCP and no call of a model is between. By places in the piece.
pub(super) fn above(piece: &Piece, places: &BTreeMap<SpanId, usize>) -> BTreeMap<usize, usize> {
    if !piece.spans.iter().any(|it| genai::is_mcp(&it.span)) {
        return BTreeMap::new();
    }
    let outer = |index: usize| {
        let it = piece.spans.get(index).filter(|it| genai::kind(&it.span) == Kind::Tool)?;
        let (outer, other) = next_tool(piece, places, it)?;
        let name = text(&it.span.attributes, "gen_ai.tool.name")?;
        let is_of_mcp = genai::is_mcp(&it.span) || genai::is_mcp(&other.span);
        (is_of_mcp && text(&other.span.attributes, "gen_ai.tool.name") == Some(name))
            .then_some((index, outer))
    };
    places.values().filter_map(|index| outer(*index)).collect()
}

fn next_tool<'a>(
    piece: &'a Piece,
    places: &BTreeMap<SpanId, usize>,
    it: &PieceSpan,
) -> Option<(usize, &'a PieceSpan)> {
    let mut above = parent(&it.span).ok().flatten();
    for _ in 0..LEVELS {
        let place = *places.get(&above?)?;
        let other = piece.spans.get(place)?;
        match genai::kind(&other.span) {
            Kind::Tool => return Some((place, other)),
            Kind::Model => return None,
            Kind::Other => above = parent(&other.span).ok().flatten(),
        }
    }
    None
}

//! The spans of one trace that came together, and what becomes of each: a pure function of the spans, of what is known
//! of the trace, and of the order.

use std::collections::BTreeMap;
use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource as OtelResource;
use opentelemetry_proto::tonic::trace::v1::Span;
use proofline_canon::{Limits, Sha256Digest, Value, WriteError};
use proofline_policy::Question;
use proofline_trace::{
    AuthContext, Became, CallRecords, ContentType, Credential, Decision, DecisionResult, Envelope,
    EnvelopeHash, ImportedSpan, MAX_SAFE_INT, Mapping, Millis, OtelImport, PolicyDecision, PolicyRef,
    PolicyRequest, Resource, SafeInt, SealedEnvelope, SpanId, SpanName, SpanStatus, Token, TraceContext,
    TraceId, UnixNano,
};

use super::ImportError;
use super::known::{KnownSpan, KnownTrace};
use super::order::{Identity, ImportOrder};
use super::said::{Place, Said, outcome};
use super::tally::Tally;
use super::witness::{self, Witness};
use crate::content::{Beginning, Surroundings, span_value};
use crate::genai::{self, Kind};
use crate::payload::{PAYLOAD_CONTENT_TYPE, Payload, STATUS_ERROR, STATUS_OK};
use crate::restore::Pieces;
use crate::rules::{Told, ToldRequest};
use crate::spans_document::{SPANS_CONTENT_TYPE, SpansDocument};

const NANOS_PER_MS: u64 = 1_000_000;

/// A span with what it stands in.
#[derive(Debug, Clone)]
pub(crate) struct PieceSpan {
    pub(crate) span: Span,
    /// Whether an export says that it made the span of records.
    pub(crate) says_records: bool,
    pub(crate) resource: Arc<OtelResource>,
    pub(crate) resource_schema_url: Arc<str>,
    pub(crate) scope: Arc<InstrumentationScope>,
    pub(crate) scope_schema_url: Arc<str>,
}

impl PieceSpan {
    fn within(&self) -> Surroundings<'_> {
        Surroundings {
            resource: &self.resource,
            resource_schema_url: &self.resource_schema_url,
            scope: &self.scope,
            scope_schema_url: &self.scope_schema_url,
        }
    }

    /// Its id and the digest of its content.
    pub(crate) fn known_by(&self) -> Option<(SpanId, Sha256Digest)> {
        let content = self.within().sha256_of(span_value(&self.span)).ok()?;
        Some((span_id(&self.span.span_id)?, content))
    }

    fn told(&self) -> Told<'_> {
        Told { span: &self.span, resource: &self.resource }
    }
}

/// Spans of one trace that came together, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) trace_id: TraceId,
    pub(crate) spans: Vec<PieceSpan>,
}

/// A call that is to be committed.
#[derive(Debug)]
pub(crate) struct MappedCall {
    /// The decision's bytes, and the context that it names.
    pub(crate) decision: Vec<u8>,
    auth_context: EnvelopeHash,
    /// The call's.
    pub(crate) call: Vec<u8>,
    pub(crate) hash: EnvelopeHash,
    pub(crate) is_denied: bool,
    /// A refused attempt that is in the ledger already.
    pub(crate) is_there: bool,
}

/// What a piece became.
#[derive(Debug)]
pub(crate) struct Mapped {
    pub(crate) trace_id: TraceId,
    pub(crate) contexts: Vec<SealedEnvelope>,
    pub(crate) calls: Vec<MappedCall>,
    pub(crate) payloads: Vec<Payload>,
    /// None where every span was known, and once it is learnt.
    pub(crate) import: Option<OtelImport>,
    /// The import's bytes.
    pub(crate) entry: Option<Vec<u8>>,
    /// Spans that the import names.
    pub(crate) new_spans: u64,
    pub(crate) tally: Tally,
}

/// Maps a piece.
pub(crate) fn map(piece: &Piece, known: &KnownTrace, order: &ImportOrder) -> Result<Mapped, ImportError> {
    let mut tally = Tally { traces: 1, spans: piece.spans.len() as u64, ..Tally::default() };
    let mut mapper = Mapper::new(piece, known, order);
    mapper.find_same_calls()?;
    let mut rows = Vec::new();
    let mut document = SpansDocument::default();
    let (mut calls, mut payloads) = (Vec::new(), Vec::new());
    for (index, piece_span) in piece.spans.iter().enumerate() {
        let read = match mapper.read(index) {
            Ok(read) => read,
            Err(reason) => {
                tally.unreadable(reason);
                continue;
            }
        };
        let became = mapper.became(&read, &mut tally)?;
        if became.is_known {
            continue;
        }
        rows.push(row(&piece_span.span, &read, &became));
        let pieces = became.call.as_ref().map(MadeCall::pieces).unwrap_or_default();
        document.add(&piece_span.span, read.value, piece_span.within(), pieces, order.capture)?;
        if let Some(made) = became.call {
            payloads.extend(made.payloads);
            calls.push(made.call);
        }
    }
    let contexts = mapper.new_contexts(&calls);
    let new_spans = rows.len() as u64;
    let import = if rows.is_empty() {
        None
    } else {
        let content_type = content_type(SPANS_CONTENT_TYPE)?;
        let whole = Payload::of(&document.finish(piece.trace_id, order.capture)?, &content_type)?;
        let document = whole.reference.clone();
        payloads.push(whole);
        Some(OtelImport { target_trace_id: piece.trace_id, mapping: order.mapping(), document, spans: rows })
    };
    let entry = import.as_ref().map(OtelImport::canonical);
    Ok(Mapped { trace_id: piece.trace_id, contexts, calls, payloads, import, entry, new_spans, tally })
}

fn content_type(text: &str) -> Result<ContentType, ImportError> {
    ContentType::new(text).map_err(|error| ImportError::Program(error.to_string()))
}

/// What of a span every use needs.
struct ReadSpan {
    index: usize,
    span_id: SpanId,
    parent: Result<Option<SpanId>, &'static str>,
    content_sha256: Sha256Digest,
    /// The form that it is known by.
    value: Value,
    kind: Kind,
}

/// What a span became.
struct Outcomes {
    became: Became,
    reason: Option<Token>,
    call: Option<MadeCall>,
    is_known: bool,
}

/// Whether a span is a call, where nothing else is wrong with it.
fn may_be_call(it: &PieceSpan) -> bool {
    genai::kind(&it.span) != Kind::Other && it.span.start_time_unix_nano != 0
}

struct MadeCall {
    records: CallRecords,
    call: MappedCall,
    payloads: Vec<Payload>,
    /// The documents that the payloads are.
    documents: Vec<Value>,
}

impl MadeCall {
    fn pieces(&self) -> Pieces<'_> {
        let document = |at: usize| self.documents.get(at).and_then(Value::as_object);
        Pieces { request: document(0), response: document(1) }
    }
}

struct Context {
    record: AuthContext,
    hash: EnvelopeHash,
    /// None of one that the ledger has.
    sealed: Option<SealedEnvelope>,
}

struct Mapper<'a> {
    piece: &'a Piece,
    known: &'a KnownTrace,
    order: &'a ImportOrder,
    mapping: Mapping,
    /// Where each span id stands first.
    places: BTreeMap<SpanId, usize>,
    /// What became of spans before, in this piece.
    met: BTreeMap<SpanId, Vec<(Sha256Digest, Became)>>,
    /// Spans that show a call once more, which another span is.
    same: BTreeMap<SpanId, Sha256Digest>,
    /// The contexts of the piece, by the identity of their calls.
    contexts: Vec<(Identity, Context)>,
    /// The surroundings of the span before, and what the form of a span begins with there.
    beginning: Option<(Surroundings<'a>, Beginning)>,
}

impl<'a> Mapper<'a> {
    fn new(piece: &'a Piece, known: &'a KnownTrace, order: &'a ImportOrder) -> Self {
        let mut places = BTreeMap::new();
        for (index, it) in piece.spans.iter().enumerate() {
            if let Some(id) = span_id(&it.span.span_id) {
                places.entry(id).or_insert(index);
            }
        }
        let (met, same, contexts) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let mapping = order.mapping();
        let mut mapper = Self { piece, known, order, mapping, places, met, same, contexts, beginning: None };
        mapper.find_contexts();
        mapper
    }

    fn span(&self, index: usize) -> Option<&'a PieceSpan> {
        self.piece.spans.get(index)
    }

    /// The context of each identity that calls of the piece are made for: one that the ledger has, if it was
    /// established before the first of these calls, else a new one.
    fn find_contexts(&mut self) {
        let mut firsts: Vec<(Identity, Millis)> = Vec::new();
        for it in &self.piece.spans {
            if !may_be_call(it) {
                continue;
            }
            let (identity, start) = (self.identity(it), millis(it.span.start_time_unix_nano));
            match firsts.iter_mut().find(|(known, _)| *known == identity) {
                Some((_, first)) => *first = start.min(*first),
                None => firsts.push((identity, start)),
            }
        }
        let stand = self.stand();
        for (identity, first) in firsts {
            let fits = |record: &AuthContext| {
                record.ts_ms <= first && is_of(record, &identity) && record.component == self.order.component
            };
            let kept = self.known.contexts.iter().find(|(_, record)| fits(record));
            let context = match (kept, stand) {
                (Some((hash, record)), _) => Context { record: record.clone(), hash: *hash, sealed: None },
                (None, Some(trace)) => {
                    let record = auth_context(&identity, trace, first, &self.order.component);
                    let sealed = Envelope::AuthContext(record.clone()).seal();
                    Context { hash: sealed.hash(), record, sealed: Some(sealed) }
                }
                (None, None) => continue,
            };
            self.contexts.push((identity, context));
        }
    }

    /// Where contexts stand: at the span of the piece without a parent, else at the one that came before, else where
    /// earlier contexts do, else where the first call does. Never at a span that nobody has sent yet: what is above
    /// that one is not known.
    fn stand(&self) -> Option<TraceContext> {
        let trace_id = self.piece.trace_id;
        let at = |it: &PieceSpan| {
            let span_id = span_id(&it.span.span_id)?;
            Some(match parent(&it.span) {
                Ok(Some(parent_span_id)) => TraceContext::Child { trace_id, span_id, parent_span_id },
                Ok(None) | Err(_) => TraceContext::Root { trace_id, span_id },
            })
        };
        let is_root = |it: &&PieceSpan| parent(&it.span) == Ok(None) && span_id(&it.span.span_id).is_some();
        if let Some(root) = self.piece.spans.iter().find(is_root) {
            return at(root);
        }
        if let Some(span_id) = self.known.root {
            return Some(TraceContext::Root { trace_id, span_id });
        }
        if let Some((_, record)) = self.known.contexts.first() {
            return Some(record.trace);
        }
        let calls = self.piece.spans.iter().filter(|it| may_be_call(it));
        calls.min_by_key(|it| it.span.start_time_unix_nano).and_then(at)
    }

    fn identity(&self, it: &PieceSpan) -> Identity {
        let told = self.order.rules.as_ref().map(|rules| rules.identity(it.told()));
        told.map_or_else(|| self.order.identity.clone(), |told| self.order.identity.told(&told))
    }

    /// # Errors
    /// Why the span has no row.
    fn read(&mut self, index: usize) -> Result<ReadSpan, &'static str> {
        let it = self.span(index).ok_or("span-id")?;
        let span_id = span_id(&it.span.span_id).ok_or("span-id")?;
        let content = self.content(it).map_err(|_| "too-deep")?;
        let (content_sha256, value) = content;
        let (parent, kind) = (parent(&it.span), genai::kind(&it.span));
        Ok(ReadSpan { index, span_id, parent, content_sha256, value, kind })
    }

    fn content(&mut self, it: &'a PieceSpan) -> Result<(Sha256Digest, Value), WriteError> {
        let within = it.within();
        let before = self.beginning.take().filter(|(last, _)| last.are(&within));
        let (_, beginning) = match before {
            Some(before) => self.beginning.insert(before),
            None => self.beginning.insert((within, within.beginning()?)),
        };
        beginning.sha256_with(span_value(&it.span))
    }

    /// Finds the spans that show a call once more. The call is that of the outermost span, if it becomes one; and it
    /// has one span below it of the same call, or none: of several that fit nobody knows which it is. Spans that stand
    /// in a circle are never reached from outside, and each is a call by itself.
    fn find_same_calls(&mut self) -> Result<(), ImportError> {
        let above = witness::above(self.piece, &self.places);
        let mut below: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (inner, outer) in &above {
            below.entry(*outer).or_default().push(*inner);
        }
        let is_outermost = |index: &usize| !above.contains_key(index);
        let mut open: Vec<(usize, Option<Witness>)> =
            below.keys().copied().filter(is_outermost).map(|index| (index, None)).collect();
        while let Some((outer, said)) = open.pop() {
            let Some(inner) = below.get(&outer) else { continue };
            let mut said = match said {
                None if self.is_call(outer)? => self.witness(outer),
                said => said,
            };
            let each: Vec<(usize, Witness)> =
                inner.iter().filter_map(|index| Some((*index, self.witness(*index)?))).collect();
            let fits = |below: &Witness| said.as_ref().is_some_and(|said| said.fits(below));
            let fitting: Vec<usize> =
                each.iter().filter(|(_, below)| fits(below)).map(|(index, _)| *index).collect();
            for (index, below) in each {
                let same = said.take_if(|_| fitting == [index]);
                if same.is_some() {
                    self.same.extend(self.span(index).and_then(PieceSpan::known_by));
                }
                open.push((index, same.map(|said| said.with(below))));
            }
        }
        Ok(())
    }

    fn witness(&self, index: usize) -> Option<Witness> {
        Some(Witness::of(self.span(index)?.told(), self.order.rules.as_ref()))
    }

    /// Whether the span, the first of its id here, becomes a call and is not known as something else.
    fn is_call(&mut self, index: usize) -> Result<bool, ImportError> {
        let Ok(read) = self.read(index) else { return Ok(false) };
        let policy = self.order.policy.reference().policy_sha256;
        let is_free = match self.known.of(read.span_id, read.content_sha256, policy) {
            Some(known) => known.became == Became::Call,
            None => !self.known.has_other(read.span_id, read.content_sha256),
        };
        Ok(is_free && self.fresh(&read, &mut Tally::default())?.became == Became::Call)
    }

    /// Whether another span above is the same call, seen from further out.
    fn is_same_call(&self, read: &ReadSpan) -> bool {
        self.same.get(&read.span_id) == Some(&read.content_sha256)
    }

    fn became(&mut self, read: &ReadSpan, tally: &mut Tally) -> Result<Outcomes, ImportError> {
        let policy = self.order.policy.reference().policy_sha256;
        let met = self.met.get(&read.span_id);
        let in_piece = met.and_then(|all| all.iter().find(|(content, _)| *content == read.content_sha256));
        let in_ledger = self.known.of(read.span_id, read.content_sha256, policy);
        let before = in_piece.map(|(_, became)| *became).or(in_ledger.map(|known| known.became));
        let is_clash = before.is_none()
            && (met.is_some_and(|all| all.iter().any(|(_, became)| *became != Became::Refused))
                || self.known.has_other(read.span_id, read.content_sha256));
        let is_known_otherwise = in_ledger.is_some_and(|known| !self.is_made_so(read, known));
        tally.known_otherwise += u64::from(is_known_otherwise);
        let mut own = Tally::default();
        let judged = self.fresh(read, &mut own)?;
        let mut outcomes = match (judged.became, before) {
            (Became::Refused, _) => judged,
            (_, Some(Became::Refused)) if is_known_otherwise => refused("refused-before"),
            // The first span of an id has it.
            (_, Some(Became::Refused)) => refused("span-clash"),
            (_, None) if is_clash => refused("span-clash"),
            (_, before) => {
                if before.is_none() {
                    own.are_new();
                }
                tally.add(&own);
                judged
            }
        };
        outcomes.is_known = before.is_some();
        tally.became(&outcomes.became, read.kind, outcomes.reason.as_ref());
        let all = self.met.entry(read.span_id).or_default();
        if !all.iter().any(|(content, _)| *content == read.content_sha256) {
            all.push((read.content_sha256, outcomes.became));
        }
        Ok(outcomes)
    }

    fn is_made_so(&self, read: &ReadSpan, known: KnownSpan) -> bool {
        let is_own = |record: &AuthContext| {
            let identity = self.span(read.index).map(|it| self.identity(it));
            record.component == self.order.component
                && identity.is_some_and(|identity| is_of(record, &identity))
        };
        self.known.is_made_so(known, &self.mapping, is_own)
    }

    /// What a span becomes that nothing stands in the way of.
    fn fresh(&self, read: &ReadSpan, tally: &mut Tally) -> Result<Outcomes, ImportError> {
        let Some(it) = self.span(read.index) else { return Ok(refused("span-id")) };
        let shape = |reason: &str| Outcomes {
            became: Became::Shape,
            reason: Some(Token::of_name(reason)),
            call: None,
            is_known: false,
        };
        if let Err(reason) = read.parent {
            return Ok(refused(reason));
        }
        match read.kind {
            Kind::Other => return Ok(shape("no-call")),
            Kind::Tool if self.is_same_call(read) => return Ok(shape("same-call")),
            Kind::Model | Kind::Tool => {}
        }
        if it.span.start_time_unix_nano == 0 {
            return Ok(refused("no-start-time"));
        }
        if it.span.end_time_unix_nano == 0 {
            return Ok(refused("no-end-time"));
        }
        match self.call(it, read, tally)? {
            Ok(call) => {
                Ok(Outcomes { became: Became::Call, reason: None, call: Some(call), is_known: false })
            }
            Err(reason) => Ok(refused(reason)),
        }
    }

    fn call(
        &self,
        it: &PieceSpan,
        read: &ReadSpan,
        tally: &mut Tally,
    ) -> Result<Result<MadeCall, &'static str>, ImportError> {
        let mut said = Said::of(&it.span, read.kind, tally);
        let asked = self.request(&said, tally);
        let capture = self.order.capture;
        let content_type = content_type(PAYLOAD_CONTENT_TYPE)?;
        let documents: Result<Vec<Value>, _> =
            said.documents().into_iter().map(|document| document.at(capture)).collect();
        let Ok(documents) = documents else { return Ok(Err("too-deep")) };
        let payloads: Result<Vec<Payload>, _> =
            documents.iter().map(|document| Payload::of(document, &content_type)).collect();
        let Ok(payloads) = payloads else { return Ok(Err("too-deep")) };
        let [request, response] = payloads.as_slice() else { return Ok(Err("too-deep")) };
        tally.payload_bytes += payloads.iter().map(|payload| payload.bytes.len() as u64).sum::<u64>();

        let identity = self.identity(it);
        let context = self.contexts.iter().find(|(known, _)| *known == identity).map(|(_, context)| context);
        let Some(context) = context else { return Ok(Err("no-root")) };
        let trace = self.trace_context(read);
        let started_at_ms = millis(it.span.start_time_unix_nano);
        let (asked, base) = match asked {
            Ok(asked) => asked,
            Err(reason) => return Ok(Err(reason)),
        };
        let decision = self.decision(it, context, trace, started_at_ms, asked, tally);
        let is_denied = decision.decision.result == DecisionResult::Deny;
        tally.decided(&decision.decision, decision.request.action.as_str(), base);
        let decision = Envelope::PolicyDecision(decision).seal();
        let call = said.record(Place {
            started_at_ms,
            ended_at_ms: millis(it.span.end_time_unix_nano),
            trace,
            component: &self.order.component,
            auth_context: context.hash,
            decision: decision.hash(),
            request,
            response,
            outcome: outcome(&it.span),
        });
        let sealed = context.sealed.iter().map(SealedEnvelope::canonical);
        let call = call.seal();
        if sealed.chain([decision.canonical(), call.canonical()]).any(is_too_large) {
            return Ok(Err("record-too-large"));
        }
        let (auth_context, (_, decision, decision_sha256)) = (context.hash, decision.into_parts());
        let (_, call, hash) = call.into_parts();
        let records = CallRecords { auth_context_sha256: auth_context, decision_sha256, record_sha256: hash };
        let call = MappedCall { decision, auth_context, call, hash, is_denied, is_there: false };
        Ok(Ok(MadeCall { records, call, payloads, documents }))
    }

    fn trace_context(&self, read: &ReadSpan) -> TraceContext {
        let (trace_id, span_id) = (self.piece.trace_id, read.span_id);
        match read.parent.ok().flatten() {
            Some(parent_span_id) => TraceContext::Child { trace_id, span_id, parent_span_id },
            None => TraceContext::Root { trace_id, span_id },
        }
    }

    /// What the policy is asked, and of which resource, numbers aside; or why it cannot be asked.
    fn request(&self, said: &Said, tally: &mut Tally) -> Result<(PolicyRequest, String), &'static str> {
        let told = match &self.order.rules {
            Some(rules) => rules.request(&said.facts(), said.arguments()),
            None => ToldRequest::default(),
        };
        for _ in 0..told.missing {
            tally.absent("request.number");
        }
        let action = told.action.unwrap_or_else(|| Token::of_name(&said.action));
        let base = match told.resource {
            Some(resource) => resource,
            None => self.named_resource(said)?,
        };
        let mut resource = base.clone();
        for number in &told.numbers {
            resource.push('/');
            resource.push_str(number);
        }
        let resource = Resource::new(&resource).map_err(|_| "resource-too-long")?;
        Ok((PolicyRequest { action, resource }, base))
    }

    /// The resource that telemetry names. A name that reads as a number would be the one that a policy sees, for it
    /// comes first.
    fn named_resource(&self, said: &Said) -> Result<String, &'static str> {
        let resource = said.resource();
        let is_number = |part: &str| self.order.rules.as_ref().is_some_and(|rules| rules.is_number(part));
        if resource.split('/').any(is_number) { Err("word-clash") } else { Ok(resource) }
    }

    fn decision(
        &self,
        it: &PieceSpan,
        context: &Context,
        trace: TraceContext,
        ts_ms: Millis,
        request: PolicyRequest,
        tally: &mut Tally,
    ) -> PolicyDecision {
        let component = self.order.component.clone();
        let recorded = self.order.rules.as_ref().map(|rules| rules.decision(it.told())).unwrap_or_default();
        if recorded.is_unclear {
            tally.absent("decision");
        }
        let (policy, decision) = match recorded.decision {
            Some(told) => {
                tally.denied_by_others += u64::from(told.result == DecisionResult::Deny);
                let (policy_id, policy_version) =
                    (Token::of_name(&told.policy_id), Token::of_name(&told.policy_version));
                let policy_sha256 = told
                    .policy_sha256
                    .unwrap_or_else(|| unseen_policy(&told.policy_id, &told.policy_version));
                let reason_codes = told.reasons.iter().map(|reason| Token::of_name(reason)).collect();
                let decision =
                    Decision { result: told.result, reason_codes, obligations: [].into_iter().collect() };
                (PolicyRef { policy_id, policy_version, policy_sha256 }, decision)
            }
            None => {
                let question = Question {
                    auth_context: &context.record,
                    request: &request,
                    trace: &trace,
                    component: &component,
                    ts_ms,
                };
                (self.order.policy.reference().clone(), self.order.policy.ask(&question).decision())
            }
        };
        PolicyDecision {
            ts_ms,
            trace,
            component,
            auth_context_envelope_sha256: context.hash,
            policy,
            request,
            decision,
        }
    }

    /// Those that calls of the piece name and the ledger has not.
    fn new_contexts(&mut self, calls: &[MappedCall]) -> Vec<SealedEnvelope> {
        let is_named = |hash: EnvelopeHash| calls.iter().any(|call| call.auth_context == hash);
        let mut new = Vec::new();
        for (_, context) in &mut self.contexts {
            if context.sealed.is_some() && is_named(context.hash) {
                new.extend(context.sealed.take());
            }
        }
        new
    }
}

/// Whether the gate would not read a record for its length.
fn is_too_large(canonical: &[u8]) -> bool {
    canonical.len() > Limits::ENVELOPE.max_bytes()
}

/// The name of a policy of which nobody has the bytes: the digest of what is said of it.
fn unseen_policy(id: &str, version: &str) -> Sha256Digest {
    let value = Value::object([
        ("type", "proofline.otel.recorded_policy"),
        ("policy_id", id),
        ("policy_version", version),
    ]);
    // INVARIANT: texts alone, which every profile writes.
    Sha256Digest::of(&value.to_canonical(proofline_canon::Profile::Content).unwrap_or_default())
}

fn refused(reason: &str) -> Outcomes {
    Outcomes { became: Became::Refused, reason: Some(Token::of_name(reason)), call: None, is_known: false }
}

fn is_of(record: &AuthContext, identity: &Identity) -> bool {
    record.actor.actor_kind == identity.actor_kind
        && record.actor.actor_id == identity.actor_id
        && record.credential.credential_kind == identity.credential_kind
        && record.credential.issuer == identity.issuer
        && record.grants == identity.grants
}

fn auth_context(identity: &Identity, trace: TraceContext, ts_ms: Millis, component: &Token) -> AuthContext {
    AuthContext {
        ts_ms,
        trace,
        component: component.clone(),
        actor: proofline_trace::Actor {
            actor_kind: identity.actor_kind.clone(),
            actor_id: identity.actor_id.clone(),
        },
        credential: Credential {
            credential_kind: identity.credential_kind.clone(),
            issuer: identity.issuer.clone(),
            presented_hash_sha256: identity.presented(),
            verified_at_ms: ts_ms,
            // Telemetry says of no end.
            expires_at_ms: Millis::saturating(MAX_SAFE_INT),
        },
        grants: identity.grants.clone(),
    }
}

/// A span's id: eight bytes, not all zero.
fn span_id(bytes: &[u8]) -> Option<SpanId> {
    SpanId::from_bytes(bytes.try_into().ok()?).ok()
}

/// The span above. No id and one of zeros are none.
pub(super) fn parent(span: &Span) -> Result<Option<SpanId>, &'static str> {
    let bytes = span.parent_span_id.as_slice();
    if bytes.is_empty() || bytes == [0; 8] {
        return Ok(None);
    }
    span_id(bytes).map(Some).ok_or("parent-span-id")
}

fn millis(nanos: u64) -> Millis {
    Millis::saturating(nanos / NANOS_PER_MS)
}

fn row(span: &Span, read: &ReadSpan, outcomes: &Outcomes) -> ImportedSpan {
    ImportedSpan {
        span_id: read.span_id,
        parent_span_id: read.parent.ok().flatten(),
        content_sha256: read.content_sha256,
        name: SpanName::of(&span.name),
        kind: SafeInt::saturating(u64::try_from(span.kind).unwrap_or_default()),
        start_unix_nano: UnixNano::from_nanos(span.start_time_unix_nano),
        end_unix_nano: UnixNano::from_nanos(span.end_time_unix_nano),
        status: match span.status.as_ref().map(|status| status.code) {
            Some(STATUS_OK) => SpanStatus::Ok,
            Some(STATUS_ERROR) => SpanStatus::Error,
            _ => SpanStatus::Unset,
        },
        operation: genai::operation(span).map(Token::of_name),
        became: outcomes.became,
        reason: outcomes.reason.clone(),
        call: outcomes.call.as_ref().map(|call| call.records),
    }
}

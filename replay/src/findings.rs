//! Findings over a chain (section 6): facts that the gate admits and that still want a look.
//! Pure functions of the verified, accepted records; rejected attempts are no records of the trace.
//!
//! A finding is about one record, which it names first; others that it concerns follow in ledger
//! order. Findings come by the record that they are about, then by code.
//!
//! | code | when |
//! |---|---|
//! | `DECISION_OUTSIDE_CREDENTIAL_VALIDITY` | a decision's `ts_ms` lies before `verified_at_ms` or after `expires_at_ms` of the credential in its context; both ends belong to the validity |
//! | `END_BEFORE_START` | a call's `ended_at_ms` is below its `started_at_ms` |
//! | `USAGE_TOTAL_MISMATCH` | `total_tokens` is not `input_tokens` + `output_tokens` |
//! | `PARENT_SPAN_MISSING`, `SECOND_ROOT`, `SPAN_CYCLE`, `LATE_PARENT`, `CONFLICTING_PARENT` | as [`SpanTree::findings`] has them, spans in ledger order |
//! | `BLOB_NOT_AT_HAND` | a store of payloads was given and lacks one that records name; one finding a payload |
//! | `BLOB_ERASED` | records name a payload that an entry of the ledger erased, or a sealed one whose subject's key was; one finding a payload |

use std::collections::{BTreeMap, BTreeSet};

use proofline_canon::{ContentStore, Sha256Digest, StoreError};
use proofline_ledger::{Erasures, Seq};
use proofline_trace::{
    AuthContext, Envelope, EnvelopeHash, Finding, FindingCode, PolicyDecision, SafeInt, SpanId, SpanRecord,
    SpanTree,
};

use crate::chain::Verified;

/// The payloads that a chain names and that are not at hand.
#[derive(Debug, Default)]
pub(crate) struct AbsentPayloads {
    names: BTreeSet<Sha256Digest>,
    looked_for: bool,
    /// Those that an entry erased, which nobody looks for, and by which entry.
    erased: BTreeMap<Sha256Digest, Seq>,
    /// Sealed ones whose subject's key an entry erased. Their bytes may be at hand.
    closed: BTreeMap<Sha256Digest, Seq>,
}

impl AbsentPayloads {
    /// Looks for each payload once; without a store none is at hand.
    pub(crate) fn of(
        chain: &[Verified<'_>],
        store: Option<&(dyn ContentStore + Sync)>,
        erasures: &Erasures,
        closed: &BTreeMap<Sha256Digest, Seq>,
    ) -> Result<Self, StoreError> {
        let named = chain.iter().flat_map(|record| record.envelope.blobs()).map(|blob| blob.sha256);
        let mut names: BTreeSet<Sha256Digest> = named.collect();
        let erased: BTreeMap<Sha256Digest, Seq> =
            names.iter().filter_map(|name| Some((*name, erasures.of_blob(name)?))).collect();
        names.retain(|name| !erased.contains_key(name));
        let closed = names.iter().filter_map(|name| Some((*name, *closed.get(name)?))).collect();
        let Some(store) = store else { return Ok(Self { names, looked_for: false, erased, closed }) };
        let mut fault = None;
        names.retain(|name| match store.has(name) {
            Ok(has) => !has,
            Err(error) => {
                fault.get_or_insert(error);
                true
            }
        });
        fault.map_or(Ok(Self { names, looked_for: true, erased, closed }), Err)
    }

    /// How many payloads neither of two runs has at hand, each counted once.
    pub(crate) fn count_with(&self, other: &Self) -> usize {
        self.names.union(&other.names).count()
    }

    pub(crate) fn count(&self) -> usize {
        self.names.len()
    }
}

/// All findings over a chain. `shapes` gives the spans that imports know without a record; it is asked only where a
/// parent seems to be missing.
pub(crate) fn of_chain<E>(
    chain: &[Verified<'_>],
    payloads: &AbsentPayloads,
    shapes: impl FnOnce() -> Result<BTreeSet<SpanId>, E>,
) -> Result<Vec<Finding>, E> {
    let mut records = chain.to_vec();
    records.sort_by_key(|record| record.seq);
    let mut found = outside_validity(&records);
    found.extend(records.iter().filter_map(end_before_start));
    found.extend(records.iter().filter_map(usage_total));
    let contexts = records.iter().map(|record| record.envelope.trace());
    if !is_plain_tree(contexts.map(|context| (context.span_id(), context.parent_span_id()))) {
        let tree = SpanTree::build(records.iter().map(span_record));
        let odd = tree.findings();
        let lacks_parents = odd.iter().any(|finding| finding.code == FindingCode::ParentSpanMissing);
        found.extend(if lacks_parents { tree.findings_beside(&shapes()?) } else { odd });
    }
    found.extend(not_at_hand(&records, payloads));
    found.extend(erased(&records, payloads));
    found.extend(closed(&records, payloads));
    Ok(found)
}

/// Spans beyond which a trace is not looked at in the plain way, which compares each with each.
const PLAIN_SPANS: usize = 32;

/// True only where nothing is odd about the spans, told without a tree: one span is the root, each other one has one
/// parent, of which a record came before. So none is missing, late, in conflict or above itself.
fn is_plain_tree(records: impl Iterator<Item = (SpanId, Option<SpanId>)>) -> bool {
    let mut spans: Vec<(SpanId, Option<SpanId>)> = Vec::with_capacity(PLAIN_SPANS);
    for (own, parent) in records {
        let is_plain = match (spans.iter().find(|(span, _)| *span == own), parent) {
            (Some((_, known)), _) => *known == parent,
            (None, Some(parent)) => spans.iter().any(|(span, _)| *span == parent),
            (None, None) => spans.is_empty(),
        };
        if !is_plain || spans.len() >= PLAIN_SPANS {
            return false;
        }
        if spans.iter().all(|(span, _)| *span != own) {
            spans.push((own, parent));
        }
    }
    true
}

/// Puts findings in the order in which they are told.
pub(crate) fn sort(findings: &mut [Finding]) {
    findings.sort_by_key(|finding| (finding.seqs.first().copied(), finding.code.as_str()));
}

fn finding(code: FindingCode, records: &[&Verified<'_>], message: String) -> Finding {
    Finding::new(code, message)
        .with_records(records.iter().map(|record| record.hash))
        .with_seqs(records.iter().map(|record| SafeInt::saturating(record.seq.get())))
}

fn outside_validity(chain: &[Verified<'_>]) -> Vec<Finding> {
    let mut contexts: BTreeMap<EnvelopeHash, (&Verified<'_>, &AuthContext)> = BTreeMap::new();
    for record in chain {
        if let Envelope::AuthContext(context) = record.envelope {
            contexts.entry(record.hash).or_insert((record, context));
        }
    }
    let judged = chain.iter().filter_map(|record| {
        let Envelope::PolicyDecision(decision) = record.envelope else { return None };
        let (of, context) = contexts.get(&decision.auth_context_envelope_sha256)?;
        let message = validity(context, decision)?;
        Some(finding(FindingCode::DecisionOutsideCredentialValidity, &[record, of], message))
    });
    judged.collect()
}

fn validity(context: &AuthContext, decision: &PolicyDecision) -> Option<String> {
    let (verified, expires) = (context.credential.verified_at_ms, context.credential.expires_at_ms);
    let at = decision.ts_ms;
    if at < verified {
        let early = verified.get() - at.get();
        return Some(format!("The decision was made {early} ms before its credential was verified."));
    }
    (at > expires).then(|| {
        let late = at.get() - expires.get();
        format!("The decision was made {late} ms after its credential had expired.")
    })
}

fn end_before_start(record: &Verified<'_>) -> Option<Finding> {
    let (start, end) = (record.envelope.time_ms(), record.envelope.ended_at_ms()?);
    (end < start).then(|| {
        let early = start.get() - end.get();
        finding(FindingCode::EndBeforeStart, &[record], format!("The call ended {early} ms before it began."))
    })
}

fn usage_total(record: &Verified<'_>) -> Option<Finding> {
    let Envelope::ModelCall(call) = record.envelope else { return None };
    let usage = call.usage.as_ref()?;
    // Each is below 2^53, so the sum fits.
    let sum = usage.input_tokens.get() + usage.output_tokens.get();
    let total = usage.total_tokens.get();
    (sum != total).then(|| {
        let (input, output) = (usage.input_tokens, usage.output_tokens);
        let message =
            format!("The call says {total} tokens in total; {input} in and {output} out make {sum}.");
        finding(FindingCode::UsageTotalMismatch, &[record], message)
    })
}

fn span_record(record: &Verified<'_>) -> SpanRecord {
    let trace = record.envelope.trace();
    SpanRecord {
        span_id: trace.span_id(),
        parent_span_id: trace.parent_span_id(),
        record_type: record.envelope.record_type(),
        start_ms: record.envelope.time_ms(),
        end_ms: record.envelope.ended_at_ms(),
        hash: record.hash,
        position: record.seq.get(),
    }
}

fn not_at_hand(records: &[Verified<'_>], payloads: &AbsentPayloads) -> Vec<Finding> {
    let absent = |name: &Sha256Digest| payloads.looked_for && payloads.names.contains(name);
    one_each(records, absent, FindingCode::BlobNotAtHand, |_| "is not at hand".to_owned())
}

fn erased(records: &[Verified<'_>], payloads: &AbsentPayloads) -> Vec<Finding> {
    let by = |name: &Sha256Digest| payloads.erased.get(name).map_or(String::new(), ToString::to_string);
    let is_erased = |name: &Sha256Digest| payloads.erased.contains_key(name);
    one_each(records, is_erased, FindingCode::BlobErased, |name| format!("was erased by entry {}", by(name)))
}

fn closed(records: &[Verified<'_>], payloads: &AbsentPayloads) -> Vec<Finding> {
    let by = |name: &Sha256Digest| payloads.closed.get(name).map_or(String::new(), ToString::to_string);
    let is_closed = |name: &Sha256Digest| payloads.closed.contains_key(name);
    let what = |name: &Sha256Digest| {
        format!("is closed for good: its subject's key was erased by entry {}", by(name))
    };
    one_each(records, is_closed, FindingCode::BlobErased, what)
}

/// A finding for each payload that records name and that `is_one` picks.
fn one_each(
    records: &[Verified<'_>],
    is_one: impl Fn(&Sha256Digest) -> bool,
    code: FindingCode,
    what: impl Fn(&Sha256Digest) -> String,
) -> Vec<Finding> {
    let mut naming: BTreeMap<Sha256Digest, (&str, Vec<&Verified<'_>>)> = BTreeMap::new();
    for record in records {
        for (member, blob) in ["request", "response"].into_iter().zip(record.envelope.blobs()) {
            if is_one(&blob.sha256) {
                let (_, named) = naming.entry(blob.sha256).or_insert((member, Vec::new()));
                // One that names it in both members stands there once.
                if named.last().is_none_or(|last| last.seq != record.seq) {
                    named.push(record);
                }
            }
        }
    }
    let mut found: Vec<_> = naming.into_iter().collect();
    // By where a payload is first named, the request before the response.
    found.sort_by_key(|(_, (member, named))| (named.first().map(|record| record.seq), *member));
    let found = found.into_iter().map(|(name, (member, named))| {
        let also = match named.len() {
            0 | 1 => String::new(),
            count => format!(", which {} more name", count - 1),
        };
        finding(code, &named, format!("The {member} {name} {}{also}.", what(&name)))
    });
    found.collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use proofline_trace::{Millis, RecordType};

    use super::*;

    /// Every sequence of four records over three spans, with no, a known or an unknown parent.
    #[test]
    fn a_tree_that_looks_plain_has_no_findings() {
        let span = |number: u8| SpanId::from_bytes([number; 8]).unwrap();
        let parents = [None, Some(1), Some(2), Some(3), Some(4)];
        let choices: Vec<(SpanId, Option<SpanId>)> =
            (1..=3).flat_map(|own| parents.map(|parent| (span(own), parent.map(span)))).collect();
        let (mut plain, mut odd) = (0, 0);
        for number in 0..choices.len().pow(4) {
            let places = (0..4).map(|place| number / choices.len().pow(place) % choices.len());
            let contexts: Vec<_> = places.filter_map(|at| choices.get(at).copied()).collect();
            let records = (1_u64..).zip(&contexts).map(|(position, (span_id, parent_span_id))| SpanRecord {
                span_id: *span_id,
                parent_span_id: *parent_span_id,
                record_type: RecordType::ToolCall,
                start_ms: Millis::saturating(position),
                end_ms: None,
                hash: EnvelopeHash::of(&position.to_le_bytes()),
                position,
            });
            let findings = SpanTree::build(records).findings();
            if is_plain_tree(contexts.into_iter()) {
                assert_eq!(findings, []);
                plain += 1;
            } else {
                odd += usize::from(!findings.is_empty());
            }
        }
        assert!(plain > 20 && odd > 20, "{plain} plain, {odd} odd");
    }
}

"""Family `system`: what an import of telemetry leaves beside its records, one ledger a case.

Each case states by hand what becomes of each action; the reference must agree before anything is written.
"""

from __future__ import annotations

import copy

from .build import envelope_hash
from .cases_keys import CONTEXT, OTHER, SCENE, Case, replaced

TRACE = CONTEXT["trace"]["trace_id"]
DECISION, CALL = (lambda decision: (decision, SCENE.model_call(CONTEXT, decision)))(SCENE.decision(CONTEXT))
DENIAL = SCENE.decision(CONTEXT, result="deny")
STOPPED = SCENE.tool_call(CONTEXT, DENIAL)
ELSEWHERE = SCENE.decision(OTHER)
OTHERS = SCENE.model_call(OTHER, ELSEWHERE)
DIGEST = "0d" * 32
MAPPING = {"mapper": "proofline-otel", "mapper_version": "1", "rules_sha256": None, "policy_sha256": "0a" * 32,
           "capture": "full"}
TOTALS = dict.fromkeys((
    "messages", "spans", "model_calls", "tool_calls", "shapes", "refused", "unreadable", "traces", "allowed", "denied",
    "payload_bytes",
), 0)


def call(context: dict, decision: dict, record: dict) -> dict:
    hashes = map(envelope_hash, (context, decision, record))
    return dict(zip(("auth_context_sha256", "decision_sha256", "record_sha256"), hashes))


def span(span_id: str, became: str, **members) -> dict:
    row = {"span_id": span_id, "parent_span_id": None, "content_sha256": DIGEST, "name": "a span", "kind": 1,
           "start_unix_nano": "1767225600000000000", "end_unix_nano": "1767225600000000001", "status": "unset",
           "operation": None, "became": became, "reason": None, "call": None}
    return {**row, **members}


SHAPE = span("00000000000000a1", "shape", reason="no-call", operation="invoke_agent")
CHAT = span("00000000000000a2", "call", parent_span_id="00000000000000a1", operation="chat",
            call=call(CONTEXT, DECISION, CALL))
TOOL = span("00000000000000a3", "call", call=call(CONTEXT, DENIAL, STOPPED), status="error")
REFUSED = span("00000000000000a4", "refused", reason="no-start-time", start_unix_nano="0")


def imported(*spans: dict, **members) -> dict:
    document = {"content_type": "application/vnd.proofline.otel-spans+json", "sha256": DIGEST, "size_bytes": 9}
    record = {"artifact_type": "otel_import", "version": "1", "target_trace_id": TRACE, "mapping": MAPPING,
              "document": document, "spans": list(spans)}
    return {**record, **members}


def account(**members) -> dict:
    record = {"artifact_type": "import_account", "version": "1", "source_sha256": DIGEST, "source_bytes": 9,
              "framing": "json", "mapping": MAPPING, "totals": TOTALS, "refusals": [{"what": "no-start-time", "count": 1}],
              "absent": [], "warnings": []}
    return {**record, **members}


def edited(record: dict, at: tuple, value) -> dict:
    """A copy with what stands at a place replaced, or taken out."""
    out = copy.deepcopy(record)
    *parents, last = at
    inner = out
    for step in parents:
        inner = inner[step]
    if value is REMOVED:
        del inner[last]
    else:
        inner[last] = value
    return out


REMOVED = object()


def ready(name: str, why=None) -> Case:
    """Entries 1 to 8: a call, one that was denied and is a refused attempt, and a call of another trace."""
    case = Case(name, why)
    for at, record in enumerate((CONTEXT, DECISION, CALL, DENIAL, STOPPED, OTHER, ELSEWHERE, OTHERS)):
        case.act("evidence", record, 1 + at)
    return case


def refused(name: str, why: str, record: dict, code: str = "ledger.artifact_form") -> Case:
    return ready(name, why).act("artifact", record, code)


def cases() -> list:
    whole, missing, elsewhere = imported(SHAPE, CHAT, TOOL, REFUSED), "ledger.artifact_reference", "ledger.artifact_trace"

    def named(which: str, digest: str) -> dict:
        return edited(whole, ("spans", 1, "call", which), digest)

    return [case.done() for case in (
        ready("what spans became").act("artifact", whole, 9).act("artifact", whole, -9),
        ready("a refused attempt alone").act("artifact", imported(TOOL), 9),
        ready("spans that are no calls").act("artifact", imported(SHAPE, REFUSED), 9),
        ready("no spans").act("artifact", imported(), 9),
        ready("another policy's import of the same spans").act("artifact", whole, 9)
        .act("artifact", edited(whole, ("mapping", "policy_sha256"), "0b" * 32), 10),
        ready("a trace without records").act("artifact", imported(SHAPE, target_trace_id="ee" * 16), 9),
        refused("a context that is not there", "the ledger does not hold it", named("auth_context_sha256", "ab" * 32), missing),
        refused("a decision that is not there", "the ledger does not hold it", named("decision_sha256", "ab" * 32), missing),
        refused("a call that is not there", "the ledger does not hold it", named("record_sha256", "ab" * 32), missing),
        ready("before its records", "each is looked for before it is let in")
        .act("artifact", edited(whole, ("spans", 1, "call"), call(CONTEXT, DECISION, SCENE.model_call(CONTEXT, DECISION))),
             missing),
        refused("a context of another trace", "records are of the import's trace",
                named("auth_context_sha256", envelope_hash(OTHER)), elsewhere),
        refused("a decision of another trace", "records are of the import's trace",
                named("decision_sha256", envelope_hash(ELSEWHERE)), elsewhere),
        refused("a call of another trace", "records are of the import's trace",
                named("record_sha256", envelope_hash(OTHERS)), elsewhere),
        refused("an import of another trace", "records are of the import's trace",
                edited(whole, ("target_trace_id",), OTHER["trace"]["trace_id"]), elsewhere),
        refused("a refused attempt of another trace", "it is evidence of its own",
                imported(TOOL, target_trace_id=OTHER["trace"]["trace_id"]), elsewhere),
        refused("a call without records", "a call has records", edited(whole, ("spans", 1, "call"), None)),
        refused("a shape with records", "it is none", edited(whole, ("spans", 1, "became"), "shape")),
        refused("a refused span with records", "it is no call", edited(whole, ("spans", 1, "became"), "refused")),
        refused("half of the records", "all three are named", edited(whole, ("spans", 1, "call", "decision_sha256"), REMOVED)),
        refused("no document", "it is required", edited(whole, ("document",), REMOVED)),
        refused("a document without a digest", "it is required", edited(whole, ("document", "sha256"), REMOVED)),
        refused("a member too many", "the schema is closed", {**whole, "more": 1}),
        refused("a span's member too many", "the schema is closed", edited(whole, ("spans", 0, "more"), 1)),
        refused("a mapping's member too many", "the schema is closed", edited(whole, ("mapping", "more"), 1)),
        refused("another version", "there is one", edited(whole, ("version",), "2")),
        refused("a trace of zeros", "it is none", imported(SHAPE, target_trace_id="0" * 32)),
        refused("a span id of zeros", "it is none", edited(whole, ("spans", 0, "span_id"), "0" * 16)),
        refused("a parent of zeros", "it is none", edited(whole, ("spans", 0, "parent_span_id"), "0" * 16)),
        refused("a span id in capitals", "digits are small", edited(whole, ("spans", 0, "span_id"), "00000000000000A1")),
        refused("a digest too short", "it has 64 digits", edited(whole, ("spans", 0, "content_sha256"), "0d" * 31)),
        refused("a time as a number", "it is a text", edited(whole, ("spans", 0, "start_unix_nano"), 1767225600)),
        refused("a time with a zero before it", "there is one form", edited(whole, ("spans", 0, "start_unix_nano"), "01")),
        refused("a kind below nothing", "it is counted from 0", edited(whole, ("spans", 0, "kind"), -1)),
        refused("another status", "there are three", edited(whole, ("spans", 0, "status"), "good")),
        refused("a reason that is no token", "it is one", edited(whole, ("spans", 0, "reason"), "No call")),
        refused("another level of capture", "there are three", edited(whole, ("mapping", "capture"), "some")),
        ready("a name of 256 letters").act("artifact", edited(whole, ("spans", 0, "name"), "\u00e9" * 256), 9),
        ready("no name").act("artifact", edited(whole, ("spans", 0, "name"), ""), 9),
        refused("a name of 257 letters", "the beginning is kept", edited(whole, ("spans", 0, "name"), "n" * 257)),
        refused("spans as an object", "they are a list", edited(whole, ("spans",), {})),
        ready("an account").act("artifact", account(), 9).act("artifact", account(), -9)
        .act("artifact", account(framing="varint"), 10),
        ready("an account of nothing").act("artifact", account(refusals=[]), 9),
        refused("an account without totals", "they are required", replaced(account(), totals=None)),
        refused("a total that is missing", "all are told", edited(account(), ("totals", "denied"), REMOVED)),
        refused("a total too many", "the schema is closed", edited(account(), ("totals", "more"), 0)),
        refused("a total below nothing", "it is a count", edited(account(), ("totals", "spans"), -1)),
        refused("a count of no token", "names are tokens", account(absent=[{"what": "No Token", "count": 1}])),
        refused("a count without a number", "it is required", account(warnings=[{"what": "late"}])),
        refused("an account's member too many", "the schema is closed", account(more=1)),
        refused("a length as a text", "it is a number", account(source_bytes="9")),
    )]


def files() -> dict:
    return {"system/imports.json": ("system", "What an import of telemetry leaves beside its records.", cases())}

"""Family `invariant`: would the same policy give the same answer, without executing anything.

The gate's questions are those of `forensic`; what differs is that the spelling of the stored bytes does not matter.
"""

from __future__ import annotations

import json

from . import replay
from .build import START_MS, canonical, compact, envelope_hash, with_edits
from .cases_forensic import EPOCH, LATER, PASS, Forger, described, gated
from .cases_gate import Cast, submit

NOT_FOUND = "REPLAY_CHAIN_NOT_FOUND"
HASH = "hash_mismatch.envelope_hash"
NO_AUTH, NO_POLICY = "missing_prereq.auth_context", "missing_prereq.policy_decision"
TRACE = "trace_violation.trace_id_mismatch"
SPLICED, DENIED = "unauthorized.authority_mismatch", "unauthorized.policy_denied"
EXTRA = "schema_violation.additional_properties"


def case(name, why, entries, trace_id, failed=PASS, include_rejected=False, clock=EPOCH, **marks) -> dict:
    """`failed` states (check, error_kind, seq), or a replay class alone, or PASS."""
    got = replay.invariant(entries, trace_id, include_rejected, clock)
    failure = got["failure"]
    answer = (failure["check"], failure["error_kind"],
              failure["seq"]) if failure else got["record"].get("failure_class")
    assert answer == failed, (name, answer, failed)
    head = {"name": name, "why": why} if why else {"name": name}
    return {
        **head, **marks, "entries": [described(e) for e in entries],
        "trace_id": trace_id, "include_rejected": include_rejected, "clock": clock, "expected": got,
    }


def forged(*envelopes) -> Forger:
    out = Forger()
    for envelope in envelopes:
        out.add(envelope)
    return out


def positive_cases(c: Cast) -> list:
    s, context, decision = c.scene, c.context, c.decision
    trace, other = context["trace"]["trace_id"], c.other_context["trace"]["trace_id"]
    whole = gated(submit(context), submit(c.other_context), submit(decision), submit(c.model), submit(c.tool),
                  submit(c.other_decision), submit(c.denial))
    denied = s.tool_call(context, c.denial, START_MS + 210)
    attempts = gated(submit(context), submit(decision, declared_hash="0" * 64), submit(decision), submit(c.denial),
                     submit(denied), submit(c.tool), submit(denied))
    only_rejected = gated(submit(c.tool), submit(c.model), submit(c.other_context))
    early = with_edits(context, ts_ms=START_MS + 500)
    two_actors = gated(submit(context), submit(c.guest), submit(c.guest_decision), submit(decision), submit(c.tool),
                       submit(s.tool_call(c.guest, c.guest_decision)))
    again = s.model_call(context, decision, START_MS + 400)
    spaced = canonical(c.tool).replace(b'":', b'": ', 1)

    def stored_as(body, **more):
        return forged(context, decision).add(c.tool, body=body, key=envelope_hash(c.tool), **more).entries

    odd = [
        with_edits(c.model, ended_at_ms=c.model["started_at_ms"] - 1),
        with_edits(s.tool_call(context, decision, START_MS + 1), trace__parent_span_id="ab" * 8),
        with_edits(again, usage__total_tokens=0),
    ]
    spelling = "forensic replay compares bytes; the hash of section 3 is over canonical bytes, however they are stored"
    return [
        case("a whole trace", "", whole, trace),
        case("the other trace", "", whole, other),
        case("another clock", "", whole, trace, clock=LATER),
        case("rejected attempts asked for where there are none", "", whole, trace, PASS, True),
        case("a context alone", "", gated(submit(context)), trace),
        case("a denial without a call", "", gated(submit(context), submit(c.denial)), trace),
        case("rejected attempts not listed", "", attempts, trace),
        case("rejected attempts listed", "", attempts, trace, PASS, True),
        case("rejected attempts alone, listed", "", only_rejected, trace, PASS, True),
        case("two actors, each under its own decision", "", two_actors, trace),
        case("two calls under one decision", "", gated(submit(context), submit(decision), submit(c.model),
                                                       submit(again)),
             trace),
        case("a context with a later time but a smaller sequence number", "", forged(early, s.decision(early)).entries,
             trace),
        case("suspicious but legal: an end before its start, a parent that is not there, a wrong total", "",
             forged(context, decision, *odd).entries, trace),
        case("white space in the stored bytes, the hash of the canonical ones", spelling, stored_as(spaced), trace,
             choice="whether the hash step is over canonical or stored bytes"),
        case("members out of order in the stored bytes, the hash of the canonical ones", spelling,
             stored_as(compact(c.tool).encode()), trace,
             choice="whether the hash step is over canonical or stored bytes"),
        case("a rejected attempt that the gate would accept, listed", "its recorded classification stands",
             forged(context, decision, c.tool).reject(c.model, "MISSING_PREREQ", NO_AUTH).entries, trace, PASS, True),
        case("wrong bytes in a rejected attempt that is not listed", "",
             forged(context, decision).reject(c.tool, "HASH_MISMATCH", HASH, key="e" * 64).entries, trace),
        case("faults of another trace", "", forged(context, decision, c.tool).add(c.other_context,
                                                                                  key="0" * 64).entries,
             trace),
    ]


def negative_cases(c: Cast) -> list:
    s, context, decision = c.scene, c.context, c.decision
    trace = context["trace"]["trace_id"]
    auth, policy = envelope_hash(context), envelope_hash(decision)
    spliced = s.tool_call(c.guest, decision, START_MS + 300)
    spliced_model = s.model_call(c.guest, decision, START_MS + 301)
    denied = s.tool_call(context, c.denial, START_MS + 310)
    denied_model = s.model_call(context, c.denial, START_MS + 305)
    both = s.tool_call(c.guest, c.denial, START_MS + 320)
    foreign = s.tool_call(context, decision, trace_id=s.trace_id())
    extra = canonical({**c.tool, "zz": 1})
    spoiled = canonical(decision).replace(b'"allow"', b'"deny"')
    spaced = canonical(c.tool).replace(b'":', b'": ', 1)
    indented = json.dumps(context, indent=1).encode()
    only_rejected = gated(submit(c.tool), submit(c.model), submit(c.other_context))
    missing, later = "nothing of that hash was accepted", "a prerequisite counts only at a smaller sequence number"
    wrong_type = "a hash of another type counts as missing"
    unreadable = "where a record that cannot be read stands in its chain"
    return [
        case("an empty ledger", "no such chain", [], "f" * 32, NOT_FOUND, clock=LATER),
        case("another trace than the ledger's", "no such chain", forged(context).entries, "f" * 32, NOT_FOUND),
        case("a trace of rejected attempts alone", "no accepted record", only_rejected, trace, NOT_FOUND),

        case("an unknown member", "closed schema", forged(context, decision).add(c.tool, body=extra).entries, trace,
             ("schema", EXTRA, 3)),
        case("a record type that is none of the four",
             "the schema of the record's own type; nothing is declared in a replay",
             forged(context, with_edits(decision, record_type="session")).entries, trace,
             ("schema", "schema_violation.enum", 2)),
        case("a duplicate member", "no strict JSON",
             Forger().add(context, body=canonical(context)[:-1] + b',"ts_ms":1}').entries, trace,
             ("schema", "schema_violation.duplicate_member", 1)),
        case("a body cut short", "no strict JSON", Forger().add(context, body=canonical(context)[:-1],
                                                                key=auth).entries,
             trace, ("schema", "schema_violation.malformed_json", 1)),
        case("a child span without a parent", "closed schema",
             forged(with_edits(context, trace__span_kind="child")).entries, trace,
             ("schema", "schema_violation.required.parent_span_id", 1)),
        case("schema before hash in one record", "both are wrong, the schema is checked first",
             Forger().add(c.tool, body=extra, key="0" * 64).entries, trace, ("schema", EXTRA, 1)),

        case("a value changed under its old key", "the record hashes to something else",
             Forger().add(context).add(decision, body=spoiled, key=policy).entries, trace, ("hash", HASH, 2)),
        case("a wrong key", "the record hashes to something else",
             forged(context, decision).add(c.tool, key="ab" * 32).entries, trace, ("hash", HASH, 3)),
        case("the key of another record", "the record hashes to something else",
             forged(context, decision, c.model).add(c.tool, key=envelope_hash(c.model)).entries, trace,
             ("hash", HASH, 4)),
        case("white space and the key of those bytes", "the hash is over the canonical bytes",
             forged(context, decision).add(c.tool, body=spaced).entries, trace, ("hash", HASH, 3)),
        case("an indented context under the key of those bytes", "found before the decision that misses it",
             Forger().add(context, body=indented).add(decision).entries, trace, ("hash", HASH, 1)),
        case("wrong bytes late in the chain, missing prerequisite early", "byte checks come before gate checks",
             forged(decision).add(c.tool, key="0" * 64).entries, trace, ("hash", HASH, 2)),
        case("two wrong keys: chain order decides", "the context comes first in the chain, last in the ledger",
             Forger().add(c.tool, key="1" * 64).add(decision, key="2" * 64).add(context, key="3" * 64).entries, trace,
             ("hash", HASH, 3)),
        case("hash before schema where chain order says so", "what cannot be read comes last in the chain",
             forged(context).add(c.tool, body=extra).add(decision, key="0" * 64).entries, trace, ("hash", HASH, 3),
             choice=unreadable),
        case("a rejected attempt under a wrong key, listed", "listing checks its hash",
             forged(context, decision).reject(c.tool, "HASH_MISMATCH", HASH, key="e" * 64).entries, trace,
             ("hash", HASH, 3), True),

        case("a decision without its context", missing, forged(decision).entries, trace, ("prerequisites", NO_AUTH, 1)),
        case("a call without its decision", missing, forged(context, c.tool).entries, trace,
             ("prerequisites", NO_POLICY, 2)),
        case("a call without anything", "the context is looked for first", forged(c.tool).entries, trace,
             ("prerequisites", NO_AUTH, 1)),
        case("a context later in the ledger", later, forged(decision, context).entries, trace,
             ("prerequisites", NO_AUTH, 1)),
        case("a decision later in the ledger", later, forged(context, c.tool, decision).entries, trace,
             ("prerequisites", NO_POLICY, 2)),
        case("a decision that names a decision", wrong_type,
             forged(context, decision, s.decision(context, START_MS + 41, auth_hash=policy)).entries, trace,
             ("prerequisites", NO_AUTH, 3)),
        case("a call that names a decision as its context", wrong_type,
             forged(context, decision, s.tool_call(context, decision, auth_hash=policy)).entries, trace,
             ("prerequisites", NO_AUTH, 3)),
        case("a call that names a context as its decision", wrong_type,
             forged(context, decision, s.tool_call(context, decision, policy_hash=auth)).entries, trace,
             ("prerequisites", NO_POLICY, 3)),
        case("a call that names a call as its decision", wrong_type,
             forged(context, decision, c.model, s.tool_call(context, decision,
                                                            policy_hash=envelope_hash(c.model))).entries,
             trace, ("prerequisites", NO_POLICY, 4)),
        case("a prerequisite that was only attempted", "a rejected attempt is none",
             Forger().reject(context, "HASH_MISMATCH", HASH).add(decision).entries, trace,
             ("prerequisites", NO_AUTH, 2)),
        case("the same, with rejected attempts listed", "listing makes no prerequisite of it",
             Forger().reject(context, "HASH_MISMATCH", HASH).add(decision).entries, trace,
             ("prerequisites", NO_AUTH, 2), True),
        case("a prerequisite in another trace",
             "it is looked for among the records of the chain, as in forensic replay",
             forged(c.other_context, s.decision(c.other_context, trace_id=trace)).entries, trace,
             ("prerequisites", NO_AUTH, 2)),
        case("a decision changed and its key made right", "the call rests on no decision any more",
             Forger().add(context).add(decision, body=spoiled).add(c.tool).entries, trace,
             ("prerequisites", NO_POLICY, 3)),

        case("a record of another trace under this trace's header", "its own trace_id is not its prerequisites'",
             forged(context, decision).add(foreign, trace_id=trace).entries, trace, ("trace_continuity", TRACE, 3),
             header_trace_differs=True),

        case("spliced authority: a tool call", "the guest's call on the planner's decision",
             forged(context, c.guest, decision, spliced).entries, trace, ("authorization", SPLICED, 4)),
        case("spliced authority: a model call", "the guest's call on the planner's decision",
             forged(context, c.guest, decision, spliced_model).entries, trace, ("authorization", SPLICED, 4)),
        case("spliced and denied", "whose authority it is comes before what it says",
             forged(context, c.guest, c.denial, both).entries, trace, ("authorization", SPLICED, 4)),
        case("a denied tool call", "the decision says deny", forged(context, c.denial, denied).entries, trace,
             ("authorization", DENIED, 3)),
        case("a denied model call", "the decision says deny", forged(context, c.denial, denied_model).entries, trace,
             ("authorization", DENIED, 3)),
        case("two denied calls: chain order decides", "the model call started first",
             forged(context, c.denial, denied, denied_model).entries, trace, ("authorization", DENIED, 4)),
        case("a decision's missing context before a denied call", "decisions come first in the chain",
             forged(context, c.denial, denied, s.decision(context, auth_hash="ab" * 32)).entries, trace,
             ("prerequisites", NO_AUTH, 4)),
        case("a denied call before a call without its decision",
             "one record after the other, not one check after the other",
             forged(context, c.denial, denied, s.tool_call(context, decision, START_MS + 400)).entries, trace,
             ("authorization", DENIED, 3)),
    ]


def files() -> dict:
    c = Cast(0x1A7A)
    return {
        "invariant/positive.json": ("invariant", "Traces that pass invariant replay.", positive_cases(c)),
        "invariant/negative.json": ("invariant", "Traces that fail it: each step, and which failure comes first.",
                                    negative_cases(c)),
    }

"""Family `findings`: what is legal and suspicious. Every ledger here passes forensic and invariant replay.

A case that rests on a reading of ours, where the contract leaves one, says in `choice` what it is.
"""

from __future__ import annotations

from . import canon, findings, replay
from .build import START_MS, Scene, envelope_hash, with_edits
from .cases_forensic import EPOCH, described, gated
from .cases_gate import submit
from .cases_invariant import NO_AUTH, NO_POLICY
from .cases_constrained import forge

VALIDITY, EARLY, NO_PARENT, ROOT, CYCLE = (
    "DECISION_OUTSIDE_CREDENTIAL_VALIDITY", "END_BEFORE_START", "PARENT_SPAN_MISSING", "SECOND_ROOT", "SPAN_CYCLE",
)
LATE, CONFLICT, TOTAL, BLOB, REPEAT = (
    "LATE_PARENT", "CONFLICTING_PARENT", "USAGE_TOTAL_MISMATCH", "BLOB_NOT_AT_HAND", "REJECTION_NOT_REPRODUCED",
)
WIDE = canon.SAFE_INTEGER
GROUPED = "one finding for each thing, with every record that names it, or one for each record"


class Cast:
    """A context and records under it; `span` gives a record another place in the span tree."""

    def __init__(self, seed: int):
        self.s = Scene(seed)
        self.context = self.s.context(self.s.trace_id())
        self.trace_id = self.context["trace"]["trace_id"]
        self.root = self.context["trace"]["span_id"]
        self.decision = self.s.decision(self.context)
        self.model = self.s.model_call(self.context, self.decision)
        self.tool = self.s.tool_call(self.context, self.decision)
        self.denial = self.s.decision(self.context, START_MS + 60, "deny")
        self.third = self.s.decision(self.context, START_MS + 70)

    def decided(self, ts_ms: int, result="allow"):
        return self.s.decision(self.context, ts_ms, result)

    def another(self, actor_id="agents/guest-9", at_ms=START_MS + 7, parent=None):
        """A second actor's context in the same trace."""
        return self.s.context(self.trace_id, at_ms, actor_id, parent)


def span(record, span_id=None, parent=None):
    """The record with another span id, under another parent."""
    out = with_edits(record, trace__span_kind="child",
                     trace__parent_span_id=parent or record["trace"].get("parent_span_id"))
    if span_id:
        out["trace"]["span_id"] = span_id
    return out


def payload(text: str) -> dict:
    return {"content_type": "application/json", "sha256": canon.sha256(text.encode()), "size_bytes": len(text)}


def case(name, why, entries, trace_id, stated, payloads=None, **marks) -> dict:
    """`stated` is [(code, seqs with the one it is about first)]."""
    verdicts = [replay.forensic(entries, trace_id, False, EPOCH), replay.invariant(entries, trace_id, False, EPOCH)]
    assert all(one["record"]["result"] == "pass" for one in verdicts), name
    at_hand = None if payloads is None else {canon.sha256(text.encode()) for text in payloads}
    got = findings.findings(entries, trace_id, at_hand)
    answer = [(one["code"], [one["seq"], *(seq for seq in one["seqs"] if seq != one["seq"])]) for one in got]
    assert answer == stated, (name, answer, stated)
    head = {"name": name, "why": why} if why else {"name": name}
    return {
        **head, **marks, "entries": [described(e) for e in entries], "payloads": payloads, "trace_id": trace_id,
        "clock": EPOCH, "expected": {**verdicts[1], "findings": got},
    }


class Book:
    def __init__(self, cast: Cast):
        self.cast = cast
        self.cases = []

    def add(self, name, why, records, stated, payloads=None, **marks):
        """Records that the gate accepts, in this order."""
        entries = gated(*map(submit, records))
        assert [e["kind"] for e in entries] == ["accepted"] * len(records), name
        self.cases.append(case(name, why, entries, self.cast.trace_id, stated, payloads, **marks))

    def entries(self, name, why, entries, stated, payloads=None, **marks):
        self.cases.append(case(name, why, entries, self.cast.trace_id, stated, payloads, **marks))


def fact_cases() -> list:
    """Times, totals: facts of one record, or of a decision and its context."""
    c = Cast(0xF1D0)
    b = Book(c)
    credential = c.context["credential"]
    verified, expires = credential["verified_at_ms"], credential["expires_at_ms"]
    b.add("nothing to find", "", [c.context, c.decision, c.model, c.tool, c.denial], [])
    b.add("a context alone", "", [c.context], [])

    b.add("a decision a millisecond before its credential was verified", "outside its validity",
          [c.context, c.decided(verified - 1)], [(VALIDITY, [2, 1])])
    b.add("a decision a millisecond after its credential expired", "outside its validity",
          [c.context, c.decided(expires + 1)], [(VALIDITY, [2, 1])])
    b.add("a decision in the millisecond of verification", "", [c.context, c.decided(verified)], [])
    b.add("a decision in the millisecond of expiry", "the last millisecond counts as inside",
          [c.context, c.decided(expires)], [], choice="whether the end of the validity belongs to it")
    b.add("a denial outside", "whatever was decided", [c.context, c.decided(0, "deny")], [(VALIDITY, [2, 1])])
    b.add("one decision of three outside", "", [c.context, c.decided(verified), c.decided(expires + 9),
                                                c.decided(expires - 1)],
          [(VALIDITY, [3, 1])])
    b.add("two decisions outside", "each is a finding",
          [c.context, c.decided(verified - 9), c.decided(expires + 9)], [(VALIDITY, [2, 1]), (VALIDITY, [3, 1])])
    late_call = c.s.tool_call(c.context, c.decision, expires + 5000)
    b.add("a call after expiry under a decision in time", "only decisions are measured",
          [c.context, c.decision, late_call], [])
    backwards = with_edits(c.context, credential__verified_at_ms=expires, credential__expires_at_ms=verified)
    b.add("a credential that expired before it was verified", "no time is inside",
          [backwards, c.s.decision(backwards, verified + 50)], [(VALIDITY, [2, 1])])
    guest = c.another(parent=c.root)
    guest = with_edits(guest, credential__expires_at_ms=START_MS + 30)
    b.add("two actors: each decision by its own credential", "only the guest's had ended",
          [c.context, guest, c.decision, c.s.decision(guest, START_MS + 41)], [(VALIDITY, [4, 2])])
    b.add("a context before its own verification", "only decisions are measured",
          [with_edits(c.context, ts_ms=verified - 500)], [])

    begun = c.model["started_at_ms"]
    b.add("a model call that ended before it began", "",
          [c.context, c.decision, with_edits(c.model, ended_at_ms=begun - 1)], [(EARLY, [3])])
    b.add("a tool call that ended at the beginning of time", "",
          [c.context, c.decision, with_edits(c.tool, ended_at_ms=0)], [(EARLY, [3])])
    b.add("a call that ended as it began", "", [c.context, c.decision, with_edits(c.model, ended_at_ms=begun)], [])
    b.add("a call that began before its decision", "the gate goes by sequence numbers, and no finding names it",
          [c.context, c.decision, with_edits(c.tool, started_at_ms=0)], [])

    def used(read, written, total):
        return [c.context, c.decision, with_edits(c.model, usage={
            "input_tokens": read, "output_tokens": written, "total_tokens": total})]

    b.add("a total that is one too high", "", used(10, 5, 16), [(TOTAL, [3])])
    b.add("a total that is one too low", "", used(10, 5, 14), [(TOTAL, [3])])
    b.add("a total of zero", "", used(10, 5, 0), [(TOTAL, [3])])
    b.add("a total of nothing but zeros", "", used(0, 0, 0), [])
    b.add("the largest total", "", used(WIDE - 1, 1, WIDE), [])
    b.add("a sum past the largest integer", "the sum is exact, it does not wrap, round or saturate",
          used(WIDE, WIDE, WIDE), [(TOTAL, [3])])
    b.add("no usage", "", [c.context, c.decision, c.s.model_call(c.context, c.decision, usage=False)], [])
    return b.cases


def span_cases() -> list:
    c = Cast(0xF1D1)
    b = Book(c)
    lost, elsewhere = "ab" * 8, "cd" * 8
    one, two, three = ("1" * 16, "2" * 16, "3" * 16)
    base = [c.context, c.decision]
    b.add("a tree of three levels", "", [*base, c.model, c.tool], [])
    b.add("several records of one span", "records may share a span",
          [*base, span(c.tool, c.decision["trace"]["span_id"], c.root)], [])

    b.add("a call under a span that is not there", "", [*base, span(c.tool, None, lost)], [(NO_PARENT, [3])])
    b.add("a decision under a span that is not there", "", [c.context, span(c.decision, None, lost)],
          [(NO_PARENT, [2])])
    b.add("a context under a span that is not there: no root at all", "", [span(c.context, None, lost)],
          [(NO_PARENT, [1])])
    b.add("two spans that are not there", "", [c.context, span(c.decision, None, lost),
                                               span(c.denial, None, elsewhere)],
          [(NO_PARENT, [2]), (NO_PARENT, [3])])
    b.add("two records under one span that is not there", "",
          [c.context, span(c.decision, None, lost), span(c.denial, None, lost)], [(NO_PARENT, [2, 3])], choice=GROUPED)
    stranger = c.s.context(c.s.trace_id())
    b.add("a parent in another trace", "no record of this trace has it",
          [stranger, c.context, span(c.decision, None, stranger["trace"]["span_id"])], [(NO_PARENT, [3])])
    attempt = c.s.decision(c.context, START_MS + 44)
    below = span(c.decision, None, attempt["trace"]["span_id"])
    b.entries("a parent that only a rejected attempt has", "an attempt is no record of the trace",
              gated(submit(c.context), submit(attempt, declared_hash="0" * 64), submit(below)), [(NO_PARENT, [3])],
              choice="whether a rejected attempt's span counts as there")
    b.entries("a rejected attempt under a span that is not there",
              "attempts are not looked at for findings of their own",
              gated(*map(submit, base), submit(span(c.tool, None, lost), declared_hash="0" * 64)), [],
              choice="whether rejected attempts have findings beside REJECTION_NOT_REPRODUCED")

    b.add("two roots", "", [c.context, c.another()], [(ROOT, [2, 1])])
    b.add("two roots, the second a call's", "any record can be a root",
          [*base, {**c.tool, "trace": rooted(c.tool, one)}], [(ROOT, [3, 1])])
    b.add("two records of one root span", "one root", [c.context, {**c.decision, "trace": rooted(c.decision, c.root)}],
          [], choice="whether two root records of one span are two roots")
    b.add("three roots", "each further root", [c.context, c.another(), c.another("agents/reviewer-2", START_MS + 9)],
          [(ROOT, [2, 1]), (ROOT, [3, 1])], choice="one finding for each further root, or one for the trace")

    b.add("a span that is its own parent", "", [c.context, span(c.decision, one, one)], [(CYCLE, [2])])
    ring = [c.context, span(c.decision, one, two), span(c.denial, two, one)]
    late = "whether a span of a cycle can be late"
    b.add("two spans above one another", "on a cycle no span is above another, so none is late", ring,
          [(CYCLE, [2, 3])], choice=late)
    b.add("three spans in a ring", "one cycle",
          [c.context, span(c.decision, one, three), span(c.denial, two, one), span(c.third, three, two)],
          [(CYCLE, [2, 3, 4])], choice=late)
    b.add("a span below a cycle", "it is not its own ancestor",
          [c.context, span(c.decision, one, one), span(c.third, two, one)], [(CYCLE, [2])])
    b.add("two cycles", "", [c.context, span(c.decision, one, one), span(c.denial, two, two)],
          [(CYCLE, [2]), (CYCLE, [3])])

    b.add("a decision recorded before the span above it", "recorded means its place in the ledger, whatever its time",
          [c.context, span(c.decision, None, one), span(c.denial, one, c.root)], [(LATE, [2, 3])])
    b.add("a span above with a later time, but recorded before",
          "recorded means its place in the ledger, whatever its time",
          [with_edits(c.context, ts_ms=START_MS + 500), *below_late(c)], [])
    b.add("a chain of three recorded upside down", "each is recorded before the one above it",
          [c.context, span(c.decision, one, two), span(c.denial, two, three), span(c.third, three, c.root)],
          [(LATE, [2, 3]), (LATE, [3, 4])])
    b.add("a root recorded after the spans below it", "",
          [c.another(parent=one), {**c.context, "trace": rooted(c.context, one)}], [(LATE, [1, 2])])

    b.add("one span with two parents", "", [*base, span(c.tool, one, c.root),
                                            span(c.model, one, c.decision["trace"]["span_id"])],
          [(CONFLICT, [4, 3])])
    b.add("one span twice with one parent", "", [*base, span(c.tool, one, c.root), span(c.model, one, c.root)], [])
    b.add("one span with two parents, one of them not there", "both are found",
          [*base, span(c.tool, one, c.root), span(c.model, one, lost)], [(CONFLICT, [4, 3]), (NO_PARENT, [4])])
    b.add("one span as root and as child", "a root names no parent: two different parents it has not",
          [c.context, span(c.decision, two, c.root), span(c.denial, c.root, two)], [(CYCLE, [1, 2, 3])],
          choice="whether a span that is both root and child has conflicting parents, and what is late on a cycle")
    return b.cases


def rooted(record, span_id: str) -> dict:
    return {"trace_id": record["trace"]["trace_id"], "span_id": span_id, "span_kind": "root"}


def below_late(c: Cast) -> list:
    context = with_edits(c.context, ts_ms=START_MS + 500)
    return [with_edits(c.s.decision(context), ts_ms=START_MS)]


def blob_cases() -> list:
    c = Cast(0xF1D2)
    b = Book(c)
    asked, told, looked = '{"ask":1}', '{"answer":2}', '{"look":3}'

    def naming(record, request, response):
        return {**record, "request": payload(request), "response": payload(response)}

    model = naming(c.model, asked, told)
    base = [c.context, c.decision]
    b.add("every blob at hand", "", [*base, model], [], [asked, told])
    b.add("more at hand than is named", "", [*base, model], [], [asked, looked, told])
    b.add("no store of blobs given", "nobody can say what is at hand", [*base, model], [], None,
          choice="whether blobs count as absent where no store of blobs was given")
    b.add("a request that is not at hand", "", [*base, model], [(BLOB, [3])], [told])
    b.add("a response that is not at hand", "", [*base, naming(c.tool, asked, told)], [(BLOB, [3])], [asked])
    b.add("neither is at hand", "each blob is a finding", [*base, model], [(BLOB, [3]), (BLOB, [3])], [],
          choice="one finding for each blob, or one for each record")
    b.add("two calls name one blob that is not at hand", "",
          [*base, naming(c.model, asked, told), naming(c.tool, looked, told)],
          [(BLOB, [3, 4])], [asked, looked], choice=GROUPED)
    b.add("request and response are one blob that is not at hand", "", [*base, naming(c.model, asked, asked)],
          [(BLOB, [3])], [told], choice="one finding for each blob, or one for each mention")
    b.add("almost the bytes", "a blob is named by its bytes", [*base, model], [(BLOB, [3])], [asked, told + "\n"])
    b.entries("a blob that only a rejected attempt names", "attempts are not looked at for findings of their own",
              gated(*map(submit, base), submit(model, declared_hash="0" * 64)), [], [],
              choice="whether rejected attempts have findings beside REJECTION_NOT_REPRODUCED")
    return b.cases


def mixed_cases() -> list:
    """Rejections, and several findings in one trace."""
    c = Cast(0xF1D3)
    b = Book(c)
    denied = ("UNAUTHORIZED_EXECUTION", "unauthorized.policy_denied")
    own = envelope_hash(c.tool)
    base = [c.context, c.decision]
    b.entries("a rejection that the gate would repeat", "",
              gated(submit(c.context), submit(c.tool), submit(c.decision), submit(c.tool)), [])
    b.entries("a rejection that the gate would not repeat", "the decision allows it",
              forge(base).reject(c.tool, *denied, declared_hash=own).entries, [(REPEAT, [3])])
    b.entries("a rejection for another reason than the recorded one", "the decision is missing, not denying",
              forge([c.context]).reject(c.tool, *denied, declared_hash=own).entries, [(REPEAT, [2])])
    b.entries("two attempts, one of them not reproduced", "",
              forge(base).reject(c.tool, "HASH_MISMATCH", "hash_mismatch.envelope_hash", "0" * 64)
              .reject(c.tool, "MISSING_PREREQ", NO_POLICY, own).entries, [(REPEAT, [4])])
    stranger = c.s.context(c.s.trace_id())
    b.entries("another trace's rejection", "each trace has its own findings",
              forge(base).reject(stranger, "MISSING_PREREQ", NO_AUTH, envelope_hash(stranger)).entries, [])

    asked, told = '{"ask":1}', '{"answer":2}'
    lost, one, two = "ab" * 8, "1" * 16, "2" * 16
    twisted = with_edits(c.model, request=payload(asked), response=payload(told), usage__total_tokens=1,
                         ended_at_ms=c.model["started_at_ms"] - 1)
    b.add("an end before its start, a wrong total and an absent blob in one record", "", [*base, twisted],
          [(BLOB, [3]), (EARLY, [3]), (TOTAL, [3])], [asked])
    outside = c.decided(0)
    records = [
        c.context, span(outside, one, lost), c.another(), span(c.denial, one, c.root), span(c.third, None, two),
        span(c.decided(START_MS + 80), two, c.root), span(c.decided(START_MS + 90), "3" * 16, "3" * 16),
        c.decision, twisted,
    ]
    b.entries("all ten at once", "", forge(records).reject(c.tool, *denied, declared_hash=own).entries, [
        (VALIDITY, [2, 1]), (NO_PARENT, [2]), (ROOT, [3, 1]), (CONFLICT, [4, 2]), (LATE, [5, 6]), (CYCLE, [7]),
        (BLOB, [9]), (EARLY, [9]), (TOTAL, [9]), (REPEAT, [10])], [asked])
    return b.cases


def files() -> dict:
    return {
        "findings/facts.json": ("findings", "Validity of credentials, times of calls, totals of usage.", fact_cases()),
        "findings/spans.json": ("findings", "Parents, roots, cycles: the span tree of a trace.", span_cases()),
        "findings/blobs.json": ("findings", "Blobs that are not at hand.", blob_cases()),
        "findings/mixed.json": ("findings", "Rejections that the gate would not repeat, and several findings at once.",
                                mixed_cases()),
    }

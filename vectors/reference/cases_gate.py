"""Family `gate`: sequences of submissions, with the outcome of each and the entries that are kept."""

from __future__ import annotations

import json

from . import canon, gate, lines
from .build import START_MS, Scene, canonical, compact, envelope_hash, shuffled, with_edits
from .cases_canon import raw

A, SELF = gate.ABSENT, object()


def submit(envelope, record_type=SELF, declared_hash=SELF, data=None) -> gate.Submission:
    """A submission that declares the truth unless told otherwise."""
    return gate.Submission(
        compact(envelope).encode() if data is None else data,
        envelope["record_type"] if record_type is SELF else record_type,
        envelope_hash(envelope) if declared_hash is SELF else declared_hash,
    )


def described(submission: gate.Submission) -> dict:
    out = {}
    for name in ("record_type", "declared_hash"):
        value = getattr(submission, name)
        if value is not A:
            out[name] = value
    return {**out, **raw(submission.envelope, "envelope")}


def kept(entry) -> dict:
    out = {k: v for k, v in entry.items() if k not in ("body", "key")}
    return {**out, "envelope_hash": entry["key"], "body_bytes": len(entry["body"])}


def case(name: str, why: str, submissions, kinds) -> dict:
    """`kinds` states the error_kind of each submission (None for ACCEPT, 'again' for a duplicate)."""
    ledger = gate.Ledger()
    outcomes = [ledger.commit(s) for s in submissions]
    got = ["again" if o["duplicate"] else o["error_kind"] for o in outcomes]
    assert got == list(kinds), (name, got, kinds)
    out = {"name": name}
    if why:
        out["why"] = why
    return {
        **out, "input": [described(s) for s in submissions],
        "expected": {"outcomes": outcomes, "entries": [kept(e) for e in ledger.entries]},
    }


HASH = "hash_mismatch.envelope_hash"
NO_AUTH, NO_POLICY = "missing_prereq.auth_context", "missing_prereq.policy_decision"
TRACE = "trace_violation.trace_id_mismatch"
SPLICED, DENIED = "unauthorized.authority_mismatch", "unauthorized.policy_denied"
FORBIDDEN = "record_type_forbidden"


class Cast:
    """A trace that the gate accepts whole, and a second one beside it."""

    def __init__(self, seed: int):
        s = self.scene = Scene(seed)
        self.context = s.context(s.trace_id())
        self.decision = s.decision(self.context)
        self.model = s.model_call(self.context, self.decision)
        self.tool = s.tool_call(self.context, self.decision)
        self.denial = s.decision(self.context, START_MS + 60, "deny", "tool.write", "repos/ledger/cargo.toml")
        self.other_context = s.context(s.trace_id(), START_MS + 5, "agents/reviewer-2")
        self.other_decision = s.decision(self.other_context, START_MS + 45)
        # Another actor with a context of its own in the same trace.
        self.guest = s.context(self.context["trace"]["trace_id"], START_MS + 7, "agents/guest-9",
                               self.context["trace"]["span_id"])
        self.guest_decision = s.decision(self.guest, START_MS + 47)


def accepted_cases(c: Cast) -> list:
    all_four = [submit(c.context), submit(c.decision), submit(c.model), submit(c.tool)]
    shuffled_context = compact(shuffled(c.context, c.scene.rng)).encode()
    spaced = json.dumps(c.decision, indent=2).encode()
    return [
        case("each type once", "", all_four, [None] * 4),
        case("not canonical on the way in, canonical in the ledger", "",
             [submit(c.context, data=shuffled_context), submit(c.decision, data=spaced)], [None, None]),
        case("the same line twice", "", [all_four[0], all_four[0]], [None, "again"]),
        case("a duplicate in another spelling", "",
             [all_four[0], submit(c.context, data=shuffled_context)], [None, "again"]),
        case("duplicates after others return the first position", "",
             all_four + [all_four[1], all_four[0], all_four[3]], [None] * 4 + ["again"] * 3),
        case("two traces interleaved", "",
             [submit(c.context), submit(c.other_context), submit(c.other_decision), submit(c.decision),
              submit(c.model)], [None] * 5),
        case("a denial is a record like any other", "", [submit(c.context), submit(c.denial)], [None, None]),
        case("several contexts and decisions in one trace", "",
             [submit(c.context), submit(c.guest), submit(c.guest_decision), submit(c.decision), submit(c.tool),
              submit(c.scene.tool_call(c.guest, c.guest_decision))], [None] * 6),
        case("time does not matter, order of submission does", "",
             [submit(c.context), submit(with_edits(c.decision, ts_ms=0))], [None, None]),
        case("refused first, accepted once its prerequisite is there", "the attempt stays as its own entry",
             [submit(c.decision), submit(c.context), submit(c.decision)], [NO_AUTH, None, None]),
    ]


def type_cases(c: Cast) -> list:
    head = submit(c.context)
    out = []
    for label, value in (("absent", A), ("null", None), ("number", 1), ("array", ["auth_context"]),
                         ("unknown", "session"), ("capitals", "AUTH_CONTEXT"), ("empty", ""),
                         ("an internal kind", "genesis"), ("trailing space", "auth_context ")):
        out.append(case(f"declared record_type: {label}", "not one of the four types",
                        [submit(c.context, record_type=value)], [FORBIDDEN]))
    out += [
        case("forbidden type before a schema fault", "check 0 comes before check 1",
             [submit(with_edits(c.context, actor=1), record_type="x")], [FORBIDDEN]),
        case("forbidden type of a value that is no object", "check 0 comes before check 1",
             [gate.Submission(b"[]", "x", A)], [FORBIDDEN]),
        case("malformed before a forbidden type", "bytes that are not one JSON value never reach check 0",
             [gate.Submission(b'{"a":', "x", A)], ["schema_violation.malformed_json"]),
        case("duplicate member before a forbidden type", "bytes that are not one JSON value never reach check 0",
             [gate.Submission(b'{"a":1,"a":2}', "x", A)], ["schema_violation.duplicate_member"]),
        case("declared type differs from a valid envelope's", "1b",
             [submit(c.context, record_type="policy_decision")], ["schema_violation.record_type_mismatch"]),
        case("declared type differs, hash wrong too", "1b comes before 3",
             [submit(c.context, record_type="tool_call", declared_hash="0" * 64)],
             ["schema_violation.record_type_mismatch"]),
        case("declared type differs from an invalid envelope's",
             "the schema of the envelope's own record_type comes before 1b",
             [submit(with_edits(c.context, ts_ms=-1), record_type="tool_call")], ["schema_violation.minimum"]),
        case("declared type right, the envelope's unknown", "check 1 answers enum",
             [submit(with_edits(c.context, record_type="session"), record_type="auth_context")],
             ["schema_violation.enum"]),
        case("declared type right, the envelope has none", "check 1 answers required.record_type",
             [gate.Submission(b"{}", "auth_context", A)], ["schema_violation.required.record_type"]),
        case("an array instead of an envelope", "check 1 answers type",
             [gate.Submission(b"[]", "auth_context", A)], ["schema_violation.type"]),
        case("schema rejects are not kept", "the next sequence number is unused",
             [head, gate.Submission(b"[]", "auth_context", A), submit(c.context, record_type="x"),
              submit(with_edits(c.context, ts_ms="0")), submit(c.decision)],
             [None, "schema_violation.type", FORBIDDEN, "schema_violation.type", None]),
    ]
    return out


def hash_cases(c: Cast) -> list:
    true_hash = envelope_hash(c.context)
    out = []
    for label, value in (
        ("absent", A), ("null", None), ("number", 7), ("true", True), ("array", [true_hash]), ("empty", ""),
        ("wrong", "0" * 64), ("capitals", true_hash.upper()), ("one capital", next(
            true_hash[:i] + ch.upper() + true_hash[i + 1:] for i, ch in enumerate(true_hash) if ch.isalpha())),
        ("space at the end", true_hash + " "), ("newline at the end", true_hash + "\n"),
        ("prefix", true_hash[:63]), ("with an algorithm in front", "sha256:" + true_hash),
        ("hash of the text sent", canon.sha256(compact(c.context).encode() + b" ")),
        ("128 bytes", "h" * 128), ("129 bytes", "h" * 129), ("127 bytes and one of two", "h" * 127 + "\u00e4"),
        ("126 bytes and one of two", "h" * 126 + "\u00e4"), ("10,000 bytes", "0123456789" * 1000),
        ("not ASCII", "\u00e9" * 20), ("128 characters of three bytes", "\u20ac" * 128),
        ("with a NUL", "a\u0000b"),
    ):
        out.append(case(f"declared hash: {label}", "unequal to the computed hash, byte for byte",
                        [submit(c.context, declared_hash=value)], [HASH]))
    spaced = json.dumps(c.context, indent=1).encode()
    out += [
        case("stale hash", "the hash of the envelope before a member was changed",
             [submit(with_edits(c.context, ts_ms=START_MS + 1), declared_hash=true_hash)], [HASH]),
        case("hash of the bytes sent instead of the canonical bytes", "the hash is over canonical bytes",
             [submit(c.context, data=spaced, declared_hash=canon.sha256(spaced))], [HASH]),
        case("every attempt is its own entry", "the same refused line three times",
             [submit(c.context, declared_hash="0" * 64)] * 3, [HASH] * 3),
        case("a wrong hash for an accepted record", "hash comes before the duplicate",
             [submit(c.context), submit(c.context, declared_hash="0" * 64), submit(c.context)],
             [None, HASH, "again"]),
        case("wrong hash before a missing prerequisite", "3 comes before 4",
             [submit(c.decision, declared_hash="0" * 64)], [HASH]),
        case("a rejected attempt does not make a prerequisite", "the context was refused for its hash",
             [submit(c.context, declared_hash=None), submit(c.decision)], [HASH, NO_AUTH]),
        case("a rejected attempt does not make a duplicate", "the first one was refused",
             [submit(c.context, declared_hash=None), submit(c.context)], [HASH, None]),
    ]
    return out


def prerequisite_cases(c: Cast) -> list:
    s, context, decision = c.scene, c.context, c.decision
    auth_hash, policy_hash = envelope_hash(context), envelope_hash(decision)
    head = [submit(context), submit(decision)]
    stale = with_edits(context, ts_ms=START_MS - 1)
    flipped = ("0" if auth_hash[0] != "0" else "1") + auth_hash[1:]
    return [
        case("no context", "nothing was accepted", [submit(decision)], [NO_AUTH]),
        case("no context, no decision", "the context is looked for first", [submit(c.tool)], [NO_AUTH]),
        case("context but no decision", "the decision was never sent", [submit(context), submit(c.tool)],
             [None, NO_POLICY]),
        case("decision later", "a prerequisite counts only at a smaller sequence number",
             [submit(context), submit(c.tool), submit(decision)], [None, NO_POLICY, None]),
        case("context later", "a prerequisite counts only at a smaller sequence number",
             [submit(decision), submit(context)], [NO_AUTH, None]),
        case("one digit of the hash changed", "no such record",
             [submit(context), submit(s.decision(context, auth_hash=flipped))], [None, NO_AUTH]),
        case("hash of an older version of the context", "no such record was accepted",
             [submit(context), submit(s.decision(context, auth_hash=envelope_hash(stale)))], [None, NO_AUTH]),
        case("case-changed hash", "the schema allows lower case only: not even an attempt",
             [submit(context), submit(s.decision(context, auth_hash=auth_hash.upper()))],
             [None, "schema_violation.pattern"]),
        case("a decision where a context belongs", "wrong type counts as missing",
             head + [submit(s.tool_call(context, decision, auth_hash=policy_hash))], [None, None, NO_AUTH]),
        case("a decision that names a decision", "wrong type counts as missing",
             head + [submit(s.decision(context, auth_hash=policy_hash))], [None, None, NO_AUTH]),
        case("a context where a decision belongs", "wrong type counts as missing",
             head + [submit(s.tool_call(context, decision, policy_hash=auth_hash))], [None, None, NO_POLICY]),
        case("a call where a decision belongs", "wrong type counts as missing",
             head + [submit(c.model), submit(s.tool_call(context, decision, policy_hash=envelope_hash(c.model)))],
             [None, None, None, NO_POLICY]),
        case("both swapped", "the context is looked for first",
             head + [submit(s.model_call(context, decision, auth_hash=policy_hash, policy_hash=auth_hash))],
             [None, None, NO_AUTH]),
        case("a rejected decision is none", "the decision itself was refused",
             [submit(context), submit(decision, declared_hash="0" * 64), submit(c.tool)], [None, HASH, NO_POLICY]),
        case("a decision of another trace", "5: it is there, but in another trace",
             [submit(context), submit(s.decision(context, trace_id=s.trace_id()))], [None, TRACE]),
        case("a call in another trace than both", "5", head + [submit(s.tool_call(context, decision,
             trace_id=s.trace_id()))], [None, None, TRACE]),
        case("a call whose context is of another trace", "5: every prerequisite counts",
             head + [submit(c.other_context), submit(s.tool_call(
                 context, decision, auth_hash=envelope_hash(c.other_context)))], [None, None, None, TRACE]),
        case("a call whose decision is of another trace", "5: every prerequisite counts",
             [submit(context), submit(c.other_context), submit(c.other_decision), submit(s.tool_call(
                 context, c.other_decision))], [None, None, None, TRACE]),
        case("missing before another trace", "4 comes before 5",
             [submit(context), submit(s.tool_call(context, decision, trace_id=s.trace_id()))], [None, NO_POLICY]),
        case("context of the wrong type before another trace", "4 comes before 5",
             head + [submit(s.tool_call(context, decision, trace_id=s.trace_id(), auth_hash=policy_hash))],
             [None, None, NO_AUTH]),
    ]


def authority_cases(c: Cast) -> list:
    s, context = c.scene, c.context
    head = [submit(context), submit(c.guest), submit(c.guest_decision), submit(c.decision)]
    names = [None] * 4
    denied_guest = s.decision(c.guest, START_MS + 70, "deny")
    denied = s.tool_call(context, c.denial)
    return [
        case("spliced authority: the guest's call on the planner's decision", "6a",
             head + [submit(s.tool_call(c.guest, c.decision))], names + [SPLICED]),
        case("spliced authority: the planner's call on the guest's decision", "6a",
             head + [submit(s.model_call(context, c.guest_decision))], names + [SPLICED]),
        case("spliced before denied", "6a comes before 6b",
             head + [submit(denied_guest), submit(s.tool_call(context, denied_guest))], names + [None, SPLICED]),
        case("another trace before spliced", "5 comes before 6a",
             head + [submit(s.tool_call(c.guest, c.decision, trace_id=s.trace_id()))], names + [TRACE]),
        case("denied tool call", "6b", [submit(context), submit(c.denial), submit(denied)], [None, None, DENIED]),
        case("denied model call", "6b",
             [submit(context), submit(c.denial), submit(s.model_call(context, c.denial))], [None, None, DENIED]),
        case("denied twice is two entries", "each attempt is evidence",
             [submit(context), submit(c.denial), submit(denied), submit(denied)], [None, None, DENIED, DENIED]),
        case("denied in another trace", "5 comes before 6b",
             [submit(context), submit(c.denial), submit(s.tool_call(context, c.denial, trace_id=s.trace_id()))],
             [None, None, TRACE]),
        case("wrong hash before denied", "3 comes before 6b",
             [submit(context), submit(c.denial), submit(denied, declared_hash="f" * 64)], [None, None, HASH]),
        case("a refused attempt repeated after an allow", "the attempt still names the denial",
             [submit(context), submit(c.denial), submit(denied), submit(c.decision), submit(denied),
              submit(s.tool_call(context, c.decision))], [None, None, DENIED, None, DENIED, None]),
    ]


def line_cases(c: Cast) -> list:
    """Whole evidence lines, as `proofline commit` reads them."""
    context, text = c.context, compact(c.context)
    key = envelope_hash(context)

    def wrapped(envelope=text, record_type='"auth_context"', declared=f'"{key}"', more="") -> str:
        members = [("record_type", record_type), ("declared_hash", declared), ("envelope", envelope)]
        return "{" + ",".join(f'"{n}":{v}' for n, v in members if v is not None) + more + "}"

    ok, schema = None, "schema_violation."
    rows = [
        ("bare", "", text, ok),
        ("bare in canonical bytes", "", canonical(context).decode(), ok),
        ("bare with a carriage return", "", text + "\r", ok),
        ("wrapper", "", wrapped(), ok),
        ("wrapper with white space", "", wrapped().replace(",", " ,\t", 2).replace(":", " : ", 2), ok),
        ("wrapper, members in another order", "",
         f'{{"envelope":{text},"declared_hash":"{key}","record_type":"auth_context"}}', ok),
        ("wrapper, names spelled with escapes", "",
         wrapped().replace('"envelope"', '"envel\\u006fpe"').replace('"declared_hash"', '"declared\\u005fhash"'), ok),
        ("bare: unknown record_type", "it declares its own", text.replace("auth_context", "session"), FORBIDDEN),
        ("bare: no record_type", "nothing is declared, check 1 answers", "{}", schema + "required.record_type"),
        ("bare: record_type is a number", "nothing is declared, check 1 answers",
         text.replace('"auth_context"', "1"), schema + "required.record_type"),
        ("bare: not an object", "check 1 answers", "[]", schema + "type"),
        ("bare: a number", "check 1 answers", "42", schema + "type"),
        ("bare: fraction", "check 1 answers before any hash", text.replace(str(START_MS), "1.5", 1), schema + "type"),
        ("bare: duplicate", "ts_ms twice", text[:-1] + ',"ts_ms":1}', schema + "duplicate_member"),
        ("bare: duplicate inside", "component twice",
         text.replace('"component":', '"component":"x","component":'), schema + "duplicate_member"),
        ("bare: cut", "no end", text[:-20], schema + "malformed_json"),
        ("bare: not JSON", "a log line", "2026-01-01 INFO started", schema + "malformed_json"),
        ("bare: two on one line", "trailing data", text + " " + text, schema + "malformed_json"),
        ("wrapper: wrong hash", "check 3", wrapped(declared='"' + "0" * 64 + '"'), HASH),
        ("wrapper: hash null", "a hash that is no string is unequal", wrapped(declared="null"), HASH),
        ("wrapper: hash an object", "a hash that is no string is unequal", wrapped(declared='{"sha256":1}'), HASH),
        ("wrapper: no hash", "an absent hash is unequal", wrapped(declared=None), HASH),
        ("wrapper: no record_type", "nothing declared in a wrapper is forbidden", wrapped(record_type=None), FORBIDDEN),
        ("wrapper: record_type null", "no string", wrapped(record_type="null"), FORBIDDEN),
        ("wrapper: record_type unknown", "not one of the four", wrapped(record_type='"session"'), FORBIDDEN),
        ("wrapper: record_type of another record", "1b", wrapped(record_type='"tool_call"'),
         schema + "record_type_mismatch"),
        ("wrapper: unknown member", "a wrapper has three members", wrapped(more=',"note":"x"'),
         schema + "additional_properties"),
        ("wrapper: two unknown members", "canonical order", wrapped(more=',"zz":1,"note":"x"'),
         schema + "additional_properties"),
        ("wrapper: no envelope", "type", wrapped(envelope=None), schema + "type"),
        ("a bare envelope with a declared_hash is a wrapper", "its other members are unknown",
         text[:-1] + f',"declared_hash":"{key}"}}', schema + "additional_properties"),
        ("wrapper: envelope null", "check 1 answers", wrapped(envelope="null"), schema + "type"),
        ("wrapper: envelope as text", "a string is no object", wrapped(envelope=canon.quote(text)), schema + "type"),
        ("wrapper: envelope twice", "duplicate in the wrapper", wrapped(more=f',"envelope":{text}'),
         schema + "duplicate_member"),
        ("wrapper: duplicate inside the envelope", "raw bytes matter", wrapped(envelope=text[:-1] + ',"ts_ms":1}'),
         schema + "duplicate_member"),
        ("wrapper: lone surrogate inside the envelope", "raw bytes matter",
         wrapped(envelope=text.replace("example", "ex\\ud800")), schema + "malformed_json"),
        ("wrapper: 65 levels inside the envelope", "depth counts inside the envelope",
         wrapped(envelope=text.replace('"grants":{', '"grants":{"a":' + "[" * 63 + "]" * 63 + ",")),
         schema + "malformed_json"),
        ("wrapper: 64 levels inside the envelope", "the wrapper does not count; the value of a grant is true",
         wrapped(envelope=text.replace('"grants":{', '"grants":{"a":' + "[" * 62 + "]" * 62 + ",")), schema + "type"),
        ("wrapper: cut", "no end", wrapped()[:-1], schema + "malformed_json"),
        ("wrapper: malformed envelope before a forbidden type", "intake comes before check 0",
         wrapped(envelope='{"a":01}', record_type='"x"'), schema + "malformed_json"),
    ]
    out = []
    for name, why, line, kind in rows:
        got = lines.ingest(line.encode(), gate.Ledger())
        assert len(got) == 1 and got[0]["error_kind"] == kind, (name, got, kind)
        head = {"name": name, "why": why} if why else {"name": name}
        out.append({**head, **raw(line.encode()), "expected": {k: v for k, v in got[0].items() if k != "line"}})
    return out


def files() -> dict:
    c = Cast(0x6A7E)
    about = {
        "accepted": ("ACCEPT, duplicates, spellings.", accepted_cases(c)),
        "record_type": ("Checks 0 and 1b, and what comes before them.", type_cases(c)),
        "declared_hash": ("Check 3, and how a declared hash is kept.", hash_cases(c)),
        "prerequisites": ("Checks 4 and 5.", prerequisite_cases(c)),
        "authority": ("Checks 6a and 6b.", authority_cases(c)),
        "lines": ("Evidence lines, bare and wrapped, each into an empty ledger.", line_cases(c)),
    }
    return {f"gate/{name}.json": ("gate", text, cases) for name, (text, cases) in about.items()}

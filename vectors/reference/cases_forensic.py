"""Families `chain` and `forensic`: the order of a trace, and the verdict over it.

The forged ledgers here could never come out of the gate; they are what a replay must notice.
"""

from __future__ import annotations

from . import canon, gate, replay
from .build import START_MS, Scene, canonical, compact, envelope_hash, with_edits
from .cases_canon import raw
from .cases_gate import Cast, submit
from .prng import SplitMix64

EPOCH = "1970-01-01T00:00:00.000Z"
LATER = "2026-01-31T00:00:00.000Z"
PASS = None


class Forger:
    """Entries that need not have passed the gate."""

    def __init__(self):
        self.entries = []

    def add(self, envelope, kind="accepted", body=None, key=None, trace_id=None, seq=None, **facts):
        """One entry; what is not given is the truth about `envelope`."""
        body = canonical(envelope) if body is None else body
        self.entries.append({
            "seq": (len(self.entries) + 1) if seq is None else seq, "kind": kind,
            "trace_id": trace_id or envelope["trace"]["trace_id"],
            "key": key or canon.sha256(body), "body": body, **facts,
        })
        return self

    def reject(self, envelope, classification, error_kind, declared_hash=None, **more):
        return self.add(envelope, "rejected", classification=classification, error_kind=error_kind,
                        declared_hash=declared_hash, **more)


def described(entry) -> dict:
    """`envelope_hash` is what the entry header says, whatever the body hashes to."""
    out = {k: v for k, v in entry.items() if k not in ("key", "body")}
    return {**out, "envelope_hash": entry["key"], **raw(entry["body"], "body")}


def case(name, why, entries, trace_id, failed=PASS, include_rejected=False, clock=EPOCH) -> dict:
    """`failed` states (check, error_kind, seq), or a replay class alone, or PASS."""
    got = replay.forensic(entries, trace_id, include_rejected, clock)
    failure = got["failure"]
    answer = (failure["check"], failure["error_kind"], failure["seq"]) if failure else got["record"].get("failure_class")
    assert answer == failed, (name, answer, failed)
    head = {"name": name, "why": why} if why else {"name": name}
    return {
        **head, "entries": [described(e) for e in entries],
        "trace_id": trace_id, "include_rejected": include_rejected, "clock": clock,
        "expected": got,
    }


def gated(*submissions) -> list:
    ledger = gate.Ledger()
    for submission in submissions:
        ledger.commit(submission)
    return ledger.entries


def honest_cases(c: Cast) -> list:
    trace, other = c.context["trace"]["trace_id"], c.other_context["trace"]["trace_id"]
    whole = gated(submit(c.context), submit(c.other_context), submit(c.decision), submit(c.model), submit(c.tool),
                  submit(c.other_decision), submit(c.denial))
    denied = c.scene.tool_call(c.context, c.denial, START_MS + 210)
    attempts = gated(
        submit(c.context), submit(c.decision, declared_hash="0" * 64), submit(c.decision), submit(c.denial),
        submit(denied), submit(c.tool), submit(denied), submit(c.tool, declared_hash=None))
    only_rejected = gated(submit(c.tool), submit(c.tool), submit(c.model), submit(c.other_context))
    late_first = gated(submit(with_edits(c.context, ts_ms=START_MS + 999999)), submit(c.other_context))
    not_found = "REPLAY_CHAIN_NOT_FOUND"
    return [
        case("fixed point: an empty ledger", "no such chain", [], "f" * 32, not_found, clock=LATER),
        case("an empty ledger, rejected attempts asked for", "no such chain", [], "f" * 32, not_found, True, LATER),
        case("another trace than the ledger's", "no such chain", whole, "f" * 32, not_found),
        case("a whole trace", "", whole, trace),
        case("the other trace", "", whole, other),
        case("the same trace, another clock", "", whole, trace, clock=LATER),
        case("a clock with milliseconds", "", whole, trace, clock="2026-02-28T23:59:59.999Z"),
        case("rejected attempts asked for where there are none", "", whole, trace, PASS, True),
        case("a context alone", "", late_first, trace),
        case("rejected attempts not listed", "", attempts, trace),
        case("rejected attempts listed: after an accepted record of the same key, once per entry", "",
             attempts, trace, PASS, True),
        case("a trace of rejected attempts alone is not found", "no accepted record", only_rejected, trace, not_found),
        case("a trace of rejected attempts alone, listed", "", only_rejected, trace, PASS, True),
        case("a trace beside rejected ones", "", only_rejected, other, PASS, True),
    ]


def byte_cases(c: Cast) -> list:
    trace = c.context["trace"]["trace_id"]
    order = (c.context, c.decision, c.model, c.tool)
    spoiled = canonical(c.decision).replace(b'"allow"', b'"deny"')
    spaced = canonical(c.tool).replace(b'":', b'": ', 1)
    named = canonical(c.tool).replace(b'"tool"', b'"t\\u006fol"')
    unsorted = compact(c.tool).encode()
    extra = canonical({**c.tool, "zz": 1})
    mismatch = "hash_mismatch.envelope_hash"

    def ledger(index=None, **forged):
        f = Forger()
        for at, envelope in enumerate(order):
            f.add(envelope, **(forged if at == index else {}))
        return f.entries

    def key(envelope):
        return envelope_hash(envelope)

    hash_text = key(c.tool)
    two = ledger(3, body=spaced)
    two[0] = {**two[0], "key": "0" * 64}
    schema_after = ledger(1, body=extra, key=key(c.decision))
    return [
        case("a value changed under its old key", "the bytes hash to something else",
             ledger(1, body=spoiled, key=key(c.decision)), trace, ("hash", mismatch, 2)),
        case("a value changed and the key made right", "the bytes are fine; the call now rests on no decision",
             ledger(1, body=spoiled), trace, ("gate", "missing_prereq.policy_decision", 3)),
        case("white space under the right key for the canonical bytes", "not the canonical bytes",
             ledger(3, body=spaced, key=hash_text), trace, ("canonical_bytes", mismatch, 4)),
        case("white space and the key of those bytes", "not the canonical bytes",
             ledger(3, body=spaced), trace, ("canonical_bytes", mismatch, 4)),
        case("an escape where none belongs", "not the canonical bytes",
             ledger(3, body=named, key=hash_text), trace, ("canonical_bytes", mismatch, 4)),
        case("members out of order", "not the canonical bytes",
             ledger(3, body=unsorted, key=hash_text), trace, ("canonical_bytes", mismatch, 4)),
        case("newline at the end", "not the canonical bytes",
             ledger(3, body=canonical(c.tool) + b"\n", key=hash_text), trace, ("canonical_bytes", mismatch, 4)),
        case("a wrong key", "the bytes hash to something else",
             ledger(3, key="ab" * 32), trace, ("hash", mismatch, 4)),
        case("the key of another record", "the bytes hash to something else",
             ledger(3, key=key(c.model)), trace, ("hash", mismatch, 4)),
        case("a context under a wrong key", "found before the decision that misses it",
             ledger(0, key="cd" * 32), trace, ("hash", mismatch, 1)),
        case("wrong bytes late in the chain, missing prerequisite early", "byte checks come before gate checks",
             Forger().add(c.decision).add(c.tool, key="0" * 64).entries, trace, ("hash", mismatch, 2)),
        case("two byte faults: chain order decides", "the context is first in the chain",
             two, trace, ("hash", mismatch, 1)),
        case("ledger order is not chain order", "the context comes first in the chain, last in the ledger",
             Forger().add(c.tool, key="1" * 64).add(c.decision, key="2" * 64).add(c.context, key="3" * 64).entries,
             trace, ("hash", mismatch, 3)),
        case("a wrong key does not hide as a prerequisite", "found as a hash mismatch first",
             Forger().add(c.guest, key=key(c.context)).add(c.decision).entries, trace, ("hash", mismatch, 1)),
        case("byte faults of other traces do not matter", "",
             ledger() + Forger().add(c.other_context, key="0" * 64, seq=9).entries, trace),
        case("a rejected attempt with wrong bytes, not listed", "",
             ledger() + Forger().reject(c.tool, "HASH_MISMATCH", mismatch, seq=9, body=spaced).entries, trace),
        case("a rejected attempt with wrong bytes, listed", "listing checks its bytes",
             ledger() + Forger().reject(c.tool, "HASH_MISMATCH", mismatch, seq=9, body=spaced, key=hash_text).entries,
             trace, ("canonical_bytes", mismatch, 9), True),
        case("a rejected attempt under a wrong key, listed", "listing checks its hash",
             ledger() + Forger().reject(c.tool, "HASH_MISMATCH", mismatch, seq=9, key="e" * 64).entries,
             trace, ("hash", mismatch, 9), True),
        case("a rejected attempt that the gate would accept, listed", "its recorded classification stands",
             ledger() + Forger().reject(c.model, "MISSING_PREREQ", "missing_prereq.auth_context", seq=9).entries,
             trace, PASS, True),
        case("an unknown member in a record alone", "closed schema",
             Forger().add(c.tool, body=extra).entries, trace, ("schema", "schema_violation.additional_properties", 1)),
        case("schema before hash in one record", "both are wrong, the schema is checked first",
             Forger().add(c.tool, body=extra, key="0" * 64).entries, trace,
             ("schema", "schema_violation.additional_properties", 1)),
        case("a stored body with a duplicate member", "no strict JSON",
             Forger().add(c.context, body=canonical(c.context)[:-1] + b',"ts_ms":1}').entries, trace,
             ("schema", "schema_violation.duplicate_member", 1)),
        case("a stored body cut short", "no strict JSON",
             Forger().add(c.context, body=canonical(c.context)[:-1], key=key(c.context)).entries, trace,
             ("schema", "schema_violation.malformed_json", 1)),
        case("an empty stored body", "no strict JSON",
             Forger().add(c.context, body=b"", key=key(c.context)).entries, trace,
             ("schema", "schema_violation.malformed_json", 1)),
        case("a stored body that is not UTF-8", "no strict JSON",
             Forger().add(c.context, body=b"\xff\xfe\x00", key=key(c.context)).entries, trace,
             ("schema", "schema_violation.malformed_json", 1)),
        {**case("what cannot be read comes last in the chain", "its rank and time are unknown; readable records are first",
                schema_after, trace, ("schema", "schema_violation.additional_properties", 2)),
         "order_is_a_choice": True},
    ]


def gate_cases(c: Cast) -> list:
    s, context, decision = c.scene, c.context, c.decision
    trace = context["trace"]["trace_id"]
    auth, policy = envelope_hash(context), envelope_hash(decision)
    no_auth, no_policy = "missing_prereq.auth_context", "missing_prereq.policy_decision"
    foreign = s.tool_call(context, decision, trace_id=s.trace_id())

    def f(*envelopes) -> Forger:
        out = Forger()
        for envelope in envelopes:
            out.add(envelope)
        return out

    spliced = s.tool_call(c.guest, decision, START_MS + 300)
    denied = s.tool_call(context, c.denial, START_MS + 310)
    denied_model = s.model_call(context, c.denial, START_MS + 305)
    early = with_edits(context, ts_ms=START_MS + 500)
    own_hash = s.decision(context, auth_hash="ab" * 32)
    return [
        case("a decision without its context", "missing", f(decision).entries, trace, ("gate", no_auth, 1)),
        case("a call without its decision", "missing", f(context, c.tool).entries, trace, ("gate", no_policy, 2)),
        case("a call without anything", "the context is looked for first", f(c.tool).entries, trace, ("gate", no_auth, 1)),
        case("a decision before its context in the ledger", "a prerequisite counts only at a smaller sequence number",
             f(decision, context).entries, trace, ("gate", no_auth, 1)),
        case("a call before its decision in the ledger", "a prerequisite counts only at a smaller sequence number",
             f(context, c.tool, decision).entries, trace, ("gate", no_policy, 2)),
        case("a context with a later time but a smaller sequence number", "",
             f(early, s.decision(early)).entries, trace),
        case("a decision whose hash names nothing", "missing", f(context, own_hash).entries, trace, ("gate", no_auth, 2)),
        case("a decision that names a decision", "wrong type counts as missing",
             f(context, decision, s.decision(context, START_MS + 41, auth_hash=policy)).entries, trace,
             ("gate", no_auth, 3)),
        case("a call that names a context as its decision", "wrong type counts as missing",
             f(context, decision, s.tool_call(context, decision, policy_hash=auth)).entries, trace,
             ("gate", no_policy, 3)),
        case("a prerequisite that was only attempted", "a rejected attempt is none",
             f().reject(context, "HASH_MISMATCH", "hash_mismatch.envelope_hash").add(decision).entries, trace,
             ("gate", no_auth, 2)),
        case("the same, with rejected attempts listed", "listing makes no prerequisite of it",
             f().reject(context, "HASH_MISMATCH", "hash_mismatch.envelope_hash").add(decision).entries, trace,
             ("gate", no_auth, 2), True),
        case("a prerequisite in another trace", "it is looked for among the chain's records only",
             f(c.other_context, s.decision(c.other_context, trace_id=trace)).entries, trace, ("gate", no_auth, 2)),
        case("spliced authority", "the guest's call on the planner's decision",
             f(context, c.guest, decision, spliced).entries, trace,
             ("gate", "unauthorized.authority_mismatch", 4)),
        case("a denied tool call", "the decision says deny",
             f(context, c.denial, denied).entries, trace, ("gate", "unauthorized.policy_denied", 3)),
        case("a denied model call", "the decision says deny",
             f(context, c.denial, denied_model).entries, trace, ("gate", "unauthorized.policy_denied", 3)),
        case("two gate faults: chain order decides", "the model call started first",
             f(context, c.denial, denied, denied_model).entries, trace, ("gate", "unauthorized.policy_denied", 4)),
        case("a decision's fault before a call's", "decisions come first in the chain",
             f(context, c.denial, denied, own_hash).entries, trace, ("gate", no_auth, 4)),
        {**case("a record of another trace under this trace's header", "its own trace_id is not its prerequisites'",
                f(context, decision).add(foreign, trace_id=trace).entries, trace,
                ("gate", "trace_violation.trace_id_mismatch", 3)), "header_trace_differs": True},
    ]


def not_reproduced_cases(c: Cast) -> list:
    """Rejected attempts decided again in log order."""
    s, context = c.scene, c.context
    denied = s.tool_call(context, c.denial)
    policy_denied = ("UNAUTHORIZED_EXECUTION", "unauthorized.policy_denied")
    no_auth = ("MISSING_PREREQ", "missing_prereq.auth_context")
    no_policy = ("MISSING_PREREQ", "missing_prereq.policy_decision")
    wrong_hash = ("HASH_MISMATCH", "hash_mismatch.envelope_hash")
    long = {"first_bytes_hex": "61" * 128, "length": 200, "sha256": canon.sha256(b"a" * 200)}

    def own(envelope):
        return envelope_hash(envelope)

    rows = [
        ("honest attempts", gated(
            submit(c.decision), submit(context), submit(c.denial), submit(denied), submit(c.tool, declared_hash="x" * 300),
            submit(c.tool), submit(c.decision)), []),
        ("recorded as denied, but the decision allows",
         Forger().add(context).add(c.decision).reject(c.tool, *policy_denied, own(c.tool)).entries, [3]),
        ("recorded as a wrong hash, but the hash is right",
         Forger().reject(context, *wrong_hash, own(context)).entries, [1]),
        ("recorded as a wrong hash, and it is: absent, long, wrong",
         Forger().reject(context, *wrong_hash).reject(context, *wrong_hash, long)
         .reject(context, *wrong_hash, "0" * 64).entries, []),
        ("recorded as missing, but the context is there",
         Forger().add(context).reject(c.decision, *no_auth, own(c.decision)).entries, [2]),
        ("recorded as missing, and the context came later",
         Forger().reject(c.decision, *no_auth, own(c.decision)).add(context).entries, []),
        ("recorded as denied, but the decision is missing: another rejection is no repetition",
         Forger().add(context).reject(denied, *policy_denied, own(denied)).entries, [2]),
        ("recorded as a missing decision, but the context is missing too",
         Forger().reject(denied, *no_policy, own(denied)).entries, [1]),
        ("recorded as missing with a wrong hash beside it",
         Forger().reject(c.decision, *no_auth, "0" * 64).entries, [1]),
        ("prerequisites of the whole ledger count, not only the trace's",
         Forger().add(c.other_context).reject(s.decision(c.other_context, trace_id=context["trace"]["trace_id"]),
                                              "TRACE_VIOLATION", "trace_violation.trace_id_mismatch").entries, None),
    ]
    out = []
    for name, entries, stated in rows:
        for entry in entries:
            if stated is None and entry["kind"] == "rejected":
                entry["declared_hash"] = entry["key"]
        got = replay.rejections_not_reproduced(entries)
        assert got == (stated or []), (name, got)
        out.append({
            "name": name, "entries": [described(e) for e in entries],
            "expected": {"findings": [{"code": "REJECTION_NOT_REPRODUCED", "severity": "high", "seq": seq}
                                      for seq in got]},
        })
    return out


def key_case(name: str, keys) -> dict:
    """Sort keys alone: rank by type, time, hash; accepted before rejected; then sequence number."""
    rng = SplitMix64(len(name))
    ordered = sorted(keys, key=lambda k: (
        replay.RANKS[k["record_type"]], k["time_ms"], k["envelope_hash"], k["kind"] == "rejected", k["seq"]))
    return {"name": name, "input": rng.shuffled(keys), "expected": [k["seq"] for k in ordered]}


def chain_keys() -> list:
    rng = SplitMix64(0xC4A1)
    types = tuple(replay.RANKS)
    state = {"seq": 0}

    def k(record_type, time_ms, envelope_hash=None, kind="accepted"):
        state["seq"] += 1
        return {"seq": state["seq"], "kind": kind, "record_type": record_type, "time_ms": time_ms,
                "envelope_hash": envelope_hash or rng.hex(64)}

    low, high, mid = "0" * 63 + "1", "f" * 64, "9" + "a" * 63
    return [
        key_case("nothing", []),
        key_case("one", [k("tool_call", 5)]),
        key_case("rank before time", [k("tool_call", 1), k("policy_decision", 2), k("auth_context", 3), k("model_call", 0)]),
        key_case("model and tool calls share a rank: time decides",
                 [k("tool_call", 3), k("model_call", 2), k("tool_call", 1), k("model_call", 4)]),
        key_case("same time: hash decides, whatever the type",
                 [k("tool_call", 7, high), k("model_call", 7, mid), k("tool_call", 7, low)]),
        key_case("byte order of hashes: digits before letters",
                 [k("auth_context", 0, c + "0" * 63) for c in "a9f0b1"]),
        key_case("hashes that differ in the last digit", [k("auth_context", 0, "7" * 63 + c) for c in "a9f0b1"]),
        key_case("times are numbers, not text", [k("auth_context", t) for t in (10, 9, 100, 0, MAX_TIME, 1000)]),
        key_case("ledger order does not matter for accepted records", [k("policy_decision", t) for t in (5, 4, 3, 2, 1)]),
        key_case("rejected after accepted of the same key",
                 [k("tool_call", 7, mid, "rejected"), k("tool_call", 7, mid), k("tool_call", 7, mid, "rejected")]),
        key_case("rejected in ledger order", [k("tool_call", 7, mid, "rejected") for _ in range(4)]),
        key_case("a rejected record of a smaller key comes first",
                 [k("tool_call", 7, mid), k("tool_call", 7, low, "rejected"), k("tool_call", 6, high, "rejected")]),
        key_case("fifty records at once",
                 [k(rng.pick(types), rng.below(4), None, rng.pick(("accepted", "accepted", "rejected")))
                  for _ in range(50)]),
    ]


MAX_TIME = canon.SAFE_INTEGER


def chain_ledgers() -> list:
    """Whole ledgers out of the gate: the chain of each trace, with and without rejected attempts."""
    out = []
    for seed in (1, 2, 3):
        s = Scene(0xC4A1 + seed)
        rng = s.rng
        submissions = []
        for _ in range(3):
            context = s.context(s.trace_id(), START_MS + rng.below(3))
            decision = s.decision(context, START_MS + rng.below(3), rng.pick(("allow", "deny")))
            calls = [rng.pick((s.model_call, s.tool_call))(context, decision, START_MS + rng.below(2)) for _ in range(3)]
            early, late = rng.pick(calls), rng.pick(calls)
            submissions.append([submit(context), submit(early), submit(decision), *map(submit, calls),
                                submit(late, declared_hash="0" * 64)])
        # Interleaved, each trace keeping its own order.
        merged, queues = [], submissions
        while any(queues):
            merged.append(rng.pick([q for q in queues if q]).pop(0))
        entries = gated(*merged)
        traces = sorted({e["trace_id"] for e in entries})
        out.append({
            "name": f"three traces interleaved, seed {seed}",
            "entries": [described(e) for e in entries],
            "expected": {
                trace: {"accepted": [e["seq"] for e in replay.chain(entries, trace, False)],
                        "with_rejected": [e["seq"] for e in replay.chain(entries, trace, True)]}
                for trace in traces
            },
        })
    return out


def files() -> dict:
    c = Cast(0xF07E)
    return {
        "chain/keys.json": ("chain", "Chain keys in any order; expected: sequence numbers in chain order.", chain_keys()),
        "chain/ledgers.json": ("chain", "Chains of whole ledgers, as sequence numbers.", chain_ledgers()),
        "forensic/honest.json": ("forensic", "Ledgers that the gate made.", honest_cases(c)),
        "forensic/bytes.json": ("forensic", "Forged entries that fail a byte check.", byte_cases(c)),
        "forensic/gate.json": ("forensic", "Forged entries that the gate would have refused.", gate_cases(c)),
        "forensic/not_reproduced.json": ("forensic", "Rejected attempts decided again in log order.",
                                         not_reproduced_cases(c)),
    }

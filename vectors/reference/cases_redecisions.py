"""Family `redecisions`: work under real policies, asked again, and asked of another policy.

Writes the evidence and the policies themselves as well: the answers follow from `house_policies.py`, which knows no engine.
"""

from __future__ import annotations

import json

from . import canon, gate, lines, replay
from .build import START_MS, Scene, canonical, envelope_hash, with_edits
from .cases_forensic import EPOCH, Forger, described, gated
from .cases_gate import submit
from .house_policies import DESK, MODELS, NEXT, TEXTS, Question, decide, failed, name_of

EVIDENCE_SEED, CASES_SEED = 0xDEC1DE, 0xDEC1DED
TRACES, STEPS = 12, 7
HOUR_MS = 3600 * 1000
# Payloads of all calls: what is asked and answered does not matter here.
ASKED, ANSWERED = "What does the ticket say?\n", "A lamp arrived broken.\n"

# Policies by id: the text that is named (None: nobody has it) and what it says (None: it cannot be asked).
POLICIES = {
    "desk": (TEXTS["desk.cedar"], DESK),
    "models": (TEXTS["models.cedar"], MODELS),
    "reports": (TEXTS["broken.cedar"], None),
    "archive": ("a text that is not kept\n", None),
}
AT_HAND = ("desk.cedar", "models.cedar", "broken.cedar")
ACTORS = (
    ("user", "staff/ines", ("tickets:read", "tickets:write")),
    ("user", "staff/omar", ("tickets:read",)),
    ("agent", "agents/planner-7", ("tickets:read", "tickets:write", "model.invoke")),
    ("agent", "agents/reader-2", ("tickets:read",)),
    ("service", "batch/nightly", ("tickets:read",)),
)
REQUESTS = (
    ("desk", "tickets:read", "desk/7"),
    ("desk", "tickets:read", "desk/escalations/3"),
    ("desk", "tickets:write:reply", "desk/7"),
    ("desk", "tickets:write", "desk/12"),
    ("desk", "tickets:read", "deskwork/1"),
    ("models", "model:invoke", "models/northwind/nw-large-2"),
    ("models", "model:invoke", "models/other/small"),
    ("models", "model:invoke", "models/trial/nw-next"),
    ("reports", "reports:read", "reports/2026"),
    ("archive", "archive:read", "archive/2019"),
)


def context_of(scene: Scene, actor, trace_id: str, ts_ms: int, lives_ms: int = HOUR_MS):
    kind, name, grants = actor
    context = scene.context(trace_id, ts_ms, name)
    context["actor"]["actor_kind"] = kind
    context["credential"]["expires_at_ms"] = ts_ms + lives_ms
    context["grants"] = dict.fromkeys(grants, True)
    return context


def decided(scene: Scene, context, request, ts_ms: int, **edits):
    """A decision as its policy makes it; one that nobody can ask allows."""
    policy, action, resource = request
    text, statements = POLICIES[policy]
    out = scene.decision(context, ts_ms, action=action, resource=resource)
    out["policy"] = {"policy_id": policy, "policy_version": "1", "policy_sha256": name_of(text)}
    if statements:
        out["decision"] = decide(statements, Question(context, out))
    else:
        out["decision"] = {"result": "allow", "reason_codes": {"as-before": True}, "obligations": {}}
    return with_edits(out, **edits)


def call(scene: Scene, context, decision, at_ms: int):
    is_model = decision["request"]["action"].startswith("model:")
    out = (scene.model_call if is_model else scene.tool_call)(context, decision, at_ms)
    for member, text in (("request", ASKED), ("response", ANSWERED)):
        out[member] = {"content_type": "text/plain", "sha256": name_of(text), "size_bytes": len(text)}
    return out


def evidence() -> bytes:
    """Each trace: one actor, seven requests, a call under each allow and now and then under a denial."""
    scene = Scene(EVIDENCE_SEED)
    records = []
    for number in range(TRACES):
        actor, start_ms = ACTORS[number % len(ACTORS)], START_MS + number * 60000
        # Every fourth credential ends before the work does.
        lives_ms = 3000 if number % 4 == 3 else HOUR_MS
        context = context_of(scene, actor, scene.trace_id(), start_ms, lives_ms)
        records.append(context)
        for step in range(STEPS):
            at_ms = start_ms + 1000 * (step + 1)
            decision = decided(scene, context, scene.rng.pick(REQUESTS), at_ms)
            records.append(decision)
            if decision["decision"]["result"] == "allow" or scene.rng.below(4) == 0:
                records.append(call(scene, context, decision, at_ms + 100))
    return b"".join(canonical(record) + b"\n" for record in records)


def chain_of(entries, trace_id: str) -> list:
    """(entry, record) of the accepted ones, in chain order."""
    return [(entry, json.loads(entry["body"])) for entry in replay.chain(entries, trace_id, False)]


def again(record, context):
    """What the policy of a decision says: a decision, or why it cannot be asked."""
    names = {name_of(TEXTS[name]): name for name in AT_HAND}
    file = names.get(record["policy"]["policy_sha256"])
    statements = {"desk.cedar": DESK, "models.cedar": MODELS}.get(file)
    if statements:
        return decide(statements, Question(context, record))
    return "unusable" if file else "absent"


def asked_again(entries, trace_id: str, required: bool = False) -> dict:
    """Invariant replay with the policies at hand: the verdict, and what became of the decisions."""
    members = replay.chain(entries, trace_id, False)
    failure = replay.invariant_failure(members)
    counts, gone = {"re_decided": 0, "absent": 0, "unusable": 0}, {}
    chain = chain_of(entries, trace_id) if failure is None else []
    contexts = {entry["key"]: record for entry, record in chain if record["record_type"] == "auth_context"}
    for entry, record in chain:
        if record["record_type"] != "policy_decision":
            continue
        answer = again(record, contexts[record["auth_context_envelope_sha256"]])
        if answer == record["decision"]:
            counts["re_decided"] += 1
            continue
        if isinstance(answer, str) and not required:
            counts[answer] += 1
            code = {"absent": "POLICY_NOT_AT_HAND", "unusable": "POLICY_NOT_USABLE"}[answer]
            gone.setdefault((record["policy"]["policy_sha256"], code), []).append(entry["seq"])
            continue
        failure = {"seq": entry["seq"], "envelope_hash": entry["key"], "error_kind": None}
        if isinstance(answer, str):
            failure.update(check="policy", classification="MISSING_PREREQ", pointer="/policy/policy_sha256")
        else:
            member = next(m for m in ("result", "reason_codes", "obligations") if answer[m] != record["decision"][m])
            failure.update(
                check="decision", classification="REPLAY_DECISION_MISMATCH", pointer="/decision/" + member,
                expected=canon.write(answer).decode(), found=canon.write(record["decision"]).decode())
        break
    findings = [] if failure else [
        {"code": code, "policy_sha256": name, "seqs": sorted(seqs)} for (name, code), seqs in sorted(gone.items())
    ]
    return {**replay.verdict("invariant", trace_id, members, failure, EPOCH), "decisions": counts, "findings": findings}


KINDS = ("same", "allow_to_deny", "deny_to_allow", "other_reasons")


def kind_of(recorded, other) -> str:
    if recorded == other:
        return "same"
    if recorded["result"] == other["result"]:
        return "other_reasons"
    return "allow_to_deny" if other["result"] == "deny" else "deny_to_allow"


def backtest(entries) -> dict:
    """Every accepted decision asked of `next.cedar`: counts, tables by name, and each that would be another."""
    totals = dict.fromkeys(
        ("traces", "decisions", *KINDS, "policy_errors", "calls_lost", "refused_calls"), 0)
    tables = {"actors": {}, "actions": {}, "resources": {}}
    changed = []
    for trace_id in sorted({entry["trace_id"] for entry in entries}):
        chain = chain_of(entries, trace_id)
        totals["traces"] += bool(chain)
        contexts = {entry["key"]: record for entry, record in chain if record["record_type"] == "auth_context"}
        rejected = [json.loads(e["body"]) for e in entries if e["trace_id"] == trace_id and e["kind"] == "rejected"]
        totals["refused_calls"] += sum(record["record_type"] in ("model_call", "tool_call") for record in rejected)
        for entry, record in chain:
            if record["record_type"] != "policy_decision":
                continue
            context = contexts[record["auth_context_envelope_sha256"]]
            question = Question(context, record)
            other = decide(NEXT, question)
            kind = kind_of(record["decision"], other)
            calls = [
                {"seq": at["seq"], "record_type": it["record_type"]} for at, it in chain
                if it.get("policy_decision_envelope_sha256") == entry["key"]
            ]
            totals["decisions"] += 1
            totals[kind] += 1
            totals["policy_errors"] += failed(NEXT, question)
            totals["calls_lost"] += len(calls) if kind == "allow_to_deny" else 0
            actor = f"{question.kind} {question.id}"
            for table, name in (("actors", actor), ("actions", question.action), ("resources", question.resource)):
                tables[table].setdefault(name, dict.fromkeys(KINDS, 0))[kind] += 1
            if kind != "same":
                changed.append({
                    "trace_id": trace_id, "seq": entry["seq"], "kind": kind, "recorded": record["decision"],
                    "other": other, "calls": calls if kind == "allow_to_deny" else [],
                })
    rows = {table: [{"name": name, **counts} for name, counts in sorted(named.items())] for table, named in tables.items()}
    return {"policy_sha256": name_of(TEXTS["next.cedar"]), "totals": totals, **rows, "changed": changed}


def expected(data: bytes) -> dict:
    ledger = gate.Ledger()
    outcomes = lines.ingest(data, ledger)
    assert {o["error_kind"] for o in outcomes} == {None, "unauthorized.policy_denied"}
    traces = []
    for trace_id in sorted({entry["trace_id"] for entry in ledger.entries}):
        got = asked_again(ledger.entries, trace_id)
        assert got["failure"] is None, trace_id
        traces.append({"trace_id": trace_id, **got})
    totals = {name: sum(row["decisions"][name] for row in traces) for name in ("re_decided", "absent", "unusable")}
    assert all(totals.values()), totals
    report = backtest(ledger.entries)
    assert all(report["totals"].values()), report["totals"]
    reasons = {reason for _, record in decisions_of(ledger.entries) for reason in record["decision"]["reason_codes"]}
    assert {"policy-error", "no-escalations", "credential-ended"} <= reasons
    assert any(reason.startswith("x.agents-may-write") for reason in reasons)
    return {
        "family": "redecisions",
        "description": "evidence.jsonl into an empty ledger, its payloads those in the folder payloads: invariant replay "
                       "of each trace with the clock at the epoch, and a back-test under next.cedar.",
        "totals": totals, "traces": traces, "backtest": report,
    }


def decisions_of(entries):
    records = [(entry, json.loads(entry["body"])) for entry in entries if entry["kind"] == "accepted"]
    return [(entry, record) for entry, record in records if record["record_type"] == "policy_decision"]


def case(name, why, records, stated, required=False) -> dict:
    """`stated`: (check, pointer, seq) of the failure, or None."""
    entries = gated(*map(submit, records)) if isinstance(records, list) else records.entries
    trace_id = entries[0]["trace_id"]
    got = asked_again(entries, trace_id, required)
    failure = got["failure"]
    assert (failure and (failure["check"], failure["pointer"], failure["seq"])) == stated, (name, failure)
    return {
        "name": name, "why": why, "require_policies": required, "entries": [described(e) for e in entries],
        "trace_id": trace_id, "expected": got,
    }


def cases() -> list:
    scene = Scene(CASES_SEED)
    ines, planner = ACTORS[0], ACTORS[2]
    trace = scene.trace_id()
    context = context_of(scene, ines, trace, START_MS)
    agent = context_of(scene, planner, trace, START_MS + 1)
    read, written, stray = REQUESTS[0], REQUESTS[2], REQUESTS[4]

    def of(whose, request, at=1000, **edits):
        return decided(scene, whose, request, START_MS + at, **edits)

    good = of(context, read)
    allowed = of(context, stray, decision__result="allow")
    by_agent = of(agent, written)
    spliced = {**by_agent, "auth_context_envelope_sha256": envelope_hash(context)}
    other_text = of(context, read, policy__policy_sha256=name_of(TEXTS["models.cedar"]))
    trial = of(context, REQUESTS[7])
    none_of = {"decision__reason_codes": {}}
    absent, unusable = of(context, REQUESTS[9]), of(context, REQUESTS[8])
    unknown = Forger().add(context).add(of(agent, read, decision__result="deny"))
    result, reasons, obligations = "/decision/result", "/decision/reason_codes", "/decision/obligations"
    more = {"log-prompt": True, "page-on-call": True}
    return [
        case("a denial recorded as an allow", "no statement permits it", [context, allowed], ("decision", result, 2)),
        case("the same with a call under it", "the call rests on the wrong decision, which is the failure",
             [context, allowed, call(scene, context, allowed, START_MS + 1100)], ("decision", result, 2)),
        case("an allow recorded as a denial", "a statement permits it", [context, of(context, read, decision__result="deny")],
             ("decision", result, 2)),
        case("a reason missing", "the statement that permits is the reason", [context, of(context, read, **none_of)],
             ("decision", reasons, 2)),
        case("a reason too many", "no such statement applies",
             [context, of(context, read, decision__reason_codes={"readers-read": True, "credential-ended": True})],
             ("decision", reasons, 2)),
        case("the name of a statement where its Token belongs", "names that are no Tokens are escaped",
             [agent, of(agent, written, decision__reason_codes={"agents-may-write": True})], ("decision", reasons, 2)),
        case("an obligation missing", "the statement obliges", [context, of(context, read, decision__obligations={})],
             ("decision", obligations, 2)),
        case("an obligation too many", "no statement that applies obliges to it",
             [context, of(context, read, decision__obligations=more)], ("decision", obligations, 2)),
        case("all three wrong", "the result is named first",
             [context, of(context, read, decision__result="deny", decision__reason_codes={}, decision__obligations={})],
             ("decision", result, 2)),
        case("reasons and obligations wrong", "the reasons are named before the obligations",
             [context, of(context, read, decision__reason_codes={}, decision__obligations={})], ("decision", reasons, 2)),
        case("the second of two wrong", "the first one ends the run",
             [context, good, of(context, read, 2000, **none_of), of(context, stray, 3000, decision__result="allow")],
             ("decision", reasons, 3)),
        case("first in chain order, not in ledger order", "decisions are asked in chain order",
             [context, of(context, read, 3000, **none_of), of(context, stray, 2000, decision__result="allow")],
             ("decision", result, 3)),
        case("another context spliced in", "made for the agent, it names a person of the same trace",
             [context, agent, spliced], ("decision", result, 3)),
        case("the policy swapped under its id and version", "the other text says otherwise", [context, other_text],
             ("decision", result, 2)),
        case("a policy that fails, recorded as if it had not", "a statement that cannot be evaluated denies for policy-error",
             [context, {**trial, "decision": {"result": "allow", "reason_codes": {"any-model-at-the-desk": True},
                                              "obligations": {"log-prompt": True, "cap-tokens": True}}}],
             ("decision", result, 2)),
        case("a policy that fails, with another reason", "the reason is policy-error and no other",
             [context, {**trial, "decision": {**trial["decision"], "reason_codes": {"trial-budget": True}}}],
             ("decision", reasons, 2)),
        case("a prerequisite missing and a decision wrong", "all gate checks come before any policy is asked",
             unknown, ("prerequisites", "/auth_context_envelope_sha256", 2)),
        case("policies required, one not at hand", "nobody has the text", [context, good, absent],
             ("policy", "/policy/policy_sha256", 3), True),
        case("policies required, one not usable", "a statement without an @id", [context, good, unusable],
             ("policy", "/policy/policy_sha256", 3), True),
        case("policies required, a mismatch first", "in chain order, whatever the fault",
             [context, of(context, read, 500, **none_of), absent], ("decision", reasons, 2), True),
        case("not required, one not at hand", "counted and found, no failure", [context, good, absent, unusable], None),
    ]


def files() -> dict:
    """Path to document of the golden cases."""
    return {"redecisions/cases.json": (
        "redecisions",
        "Entries, invariant replay of which asks the policies in the folder payloads again, and what must come of it.",
        cases(),
    )}


def shipped() -> dict:
    """Path to bytes of what ships as it is: evidence, policies, payloads."""
    out = {f"redecisions/payloads/{name}": TEXTS[name].encode() for name in AT_HAND}
    out["redecisions/payloads/asked.txt"], out["redecisions/payloads/answered.txt"] = ASKED.encode(), ANSWERED.encode()
    out["redecisions/next.cedar"] = TEXTS["next.cedar"].encode()
    out["redecisions/evidence.jsonl"] = evidence()
    return out


def report() -> dict:
    return {"redecisions/expected.json": expected(evidence())}

"""Family `constrained`: does another run of the same work follow the same policy path?

Each case holds the entries of both traces in one ledger, made or forged, and states its answer by hand.
"""

from __future__ import annotations

from . import constrained, replay
from .build import START_MS, Scene, canonical, compact, envelope_hash, with_edits
from .cases_forensic import EPOCH, LATER, Forger, described, gated
from .cases_gate import submit
from .cases_invariant import DENIED, EXTRA, HASH, NO_AUTH, NO_POLICY, SPLICED, TRACE
from .work import WEEK_MS, Run, ask, blob, edited, look, model, tool

NOT_FOUND, PATH, VARIANCE = "REPLAY_CHAIN_NOT_FOUND", "REPLAY_POLICY_PATH_MISMATCH", "REPLAY_VARIANCE_VIOLATION"
EVERYTHING = {"allow_variance": {"model_call": ["response", "outcome", "usage"], "tool_call": ["response", "outcome"]}}
WORK = [ask(model()), look(tool())]


def allow(**types) -> dict:
    return {"allow_variance": {name: list(members) for name, members in types.items()}}


def judged(got: dict):
    """The short form of an answer, as cases state it by hand."""
    record, failure = got["record"], got["failure"]
    kinds = [one["kind"] for one in ([got["first"]] if got["first"] else []) + got["others"]]
    if failure:
        return (failure["side"], failure["check"], failure["error_kind"], failure["seq"])
    if record["result"] == "pass":
        return ("pass", [one["kind"] for one in got["allowed"]])
    return (record["failure_class"], [one["kind"] for one in got["allowed"]], kinds)


def laws(name, entries, baseline, candidate, variance, got) -> None:
    """What must hold of any two traces: see the issue's laws."""
    swapped = constrained.constrained(entries, candidate, baseline, variance, EPOCH)
    # A percentage is of the baseline's value.
    is_of_one_side = isinstance(variance, dict) and "bounds" in variance
    assert is_of_one_side or got["record"]["result"] == swapped["record"]["result"], name
    if not (is_of_one_side or got["failure"] or swapped["failure"]):
        assert got["record"].get("failure_class") == swapped["record"].get("failure_class"), name
    for trace_id in (baseline, candidate):
        if replay.invariant(entries, trace_id, False, EPOCH)["record"]["result"] == "pass":
            itself = constrained.constrained(entries, trace_id, trace_id, None, EPOCH)
            assert itself["record"]["result"] == "pass" and not itself["allowed"], name
    most = constrained.constrained(entries, baseline, candidate, EVERYTHING, EPOCH)
    assert got["record"]["result"] == "fail" or most["record"]["result"] == "pass", name


class Book:
    """Cases of one file; `scene` draws the ids of their runs."""

    def __init__(self, seed: int):
        self.scene = Scene(seed)
        self.cases = []

    def run(self, work, start_ms=START_MS, **more) -> Run:
        return Run(self.scene, work, start_ms, **more)

    def entries(self, name, why, entries, baseline, candidate, stated, variance=None, clock=EPOCH, **marks):
        got = constrained.constrained(entries, baseline, candidate, variance, clock)
        assert judged(got) == stated, (name, judged(got), stated)
        laws(name, entries, baseline, candidate, variance, got)
        head = {"name": name, "why": why} if why else {"name": name}
        self.cases.append({
            **head, **marks, "entries": [described(e) for e in entries], "baseline": baseline, "candidate": candidate,
            "variance": variance, "clock": clock, "expected": got,
        })

    def runs(self, name, why, before: Run, after: Run, stated, variance=None, first=None, **more):
        """Both runs through the gate, which accepts every record."""
        ledger = gated(*map(submit, before.records + after.records))
        assert [e["kind"] for e in ledger] == ["accepted"] * len(before.records + after.records), name
        self.entries(name, why, ledger, before.trace_id, after.trace_id, stated, variance, **more)

    def works(self, name, why, before, after, stated, variance=None, **more):
        self.runs(name, why, self.run(before), self.run(after, START_MS + WEEK_MS), stated, variance, **more)


def ledger_of(*runs: Run) -> list:
    return gated(*(submit(record) for run in runs for record in run.records))


def call(work, at: int, **members) -> list:
    """The work with members of the first call of a step replaced; None removes one."""
    for name, value in members.items():
        work = edited(work, (at, "calls", 0, name), value)
    return work


def usage(read: int, written: int, total=None) -> dict:
    return {"input_tokens": read, "output_tokens": written, "total_tokens": read + written if total is None else total}


SAME = ("pass", [])
OTHER_ANSWER, OTHER_STATE = blob("a lamp came with a crack"), blob("answered", "text/plain")
FAILED = {"status": "error:timeout"}


def pass_cases() -> list:
    b = Book(0xC0DE)
    s = b.scene
    one, two = b.run(WORK), b.run(WORK, START_MS + WEEK_MS)
    ledger = ledger_of(one, two)
    b.entries("the same work again", "", ledger, one.trace_id, two.trace_id, SAME)
    b.entries("baseline and candidate swapped", "", ledger, two.trace_id, one.trace_id, SAME)
    b.entries("a trace against itself", "", ledger, one.trace_id, one.trace_id, SAME)
    b.entries("another clock", "", ledger, one.trace_id, two.trace_id, SAME, clock=LATER)
    b.entries("the candidate before the baseline in the ledger", "", ledger_of(two, one), one.trace_id, two.trace_id,
              SAME)
    b.entries("a policy that allows everything where nothing differs", "", ledger, one.trace_id, two.trace_id, SAME,
              EVERYTHING)
    b.works("steps in another order", "", WORK, WORK[::-1], SAME)
    calls = [look(tool("ticket 7"), tool("ticket 8"), tool("ticket 9"))]
    b.works("calls in another order", "", calls, [look(*calls[0]["calls"][::-1])], SAME)
    b.runs("another actor and credential", "contexts are no part of the path", b.run(WORK),
           b.run(WORK, actor_id="people/mara.olsen"), SAME)
    after = b.run([look(tool())])
    after.records.insert(1, s.context(after.trace_id, START_MS + 3, "agents/guest-9",
                                      after.context["trace"]["span_id"]))
    b.runs("one more context", "contexts are no part of the path", b.run([look(tool())]), after, SAME)
    after = b.run([look(tool())])
    after.records[-1] = with_edits(after.calls[0], producer__component="other-adapter", trace__span_kind="root",
                                   ended_at_ms=after.calls[0]["started_at_ms"])
    del after.records[-1]["trace"]["parent_span_id"]
    b.runs("another component, duration and place in the span tree", "none of them is compared",
           b.run([look(tool())]), after, SAME)
    twice = [look(tool()), look(tool())]
    b.works("two calls under the first of two equal decisions, or one under each",
            "identity holds the signature of the decision, not the decision", [look(tool(), tool()), look()], twice,
            SAME)
    b.works("the same request three times with the same answer", "", [look(tool(), tool(), tool())],
            [look(tool(), tool(), tool())], SAME)
    denial = look(result="deny", reasons=("grant.absent",), obligations=())
    b.works("denied in both, no call", "", [denial], [denial], SAME)
    b.works("contexts alone", "", [], [], SAME)
    b.works("no usage on either side", "", [ask(model(usage=None))], [ask(model(usage=None))], SAME)
    before, after = b.run([look(tool())]), b.run([look(tool())])
    refused = s.tool_call(after.context, after.decisions[0], START_MS + 900)
    b.entries("rejected attempts on one side", "constrained replay never lists them",
              gated(*map(submit, before.records + after.records), submit(refused, declared_hash="0" * 64)),
              before.trace_id, after.trace_id, SAME)
    after = b.run([look(tool())])
    spaced = compact(after.calls[0]).encode()
    b.entries("a record stored in another spelling under its own hash", "invariant replay is over values",
              forge(before.records + after.records[:-1]).add(after.calls[0], body=spaced,
                                                             key=envelope_hash(after.calls[0])).entries,
              before.trace_id, after.trace_id, SAME, choice="whether the hash step is over canonical or stored bytes")
    suspicious = edited([look(tool()), *WORK], (1, "calls", 0, "usage", "total_tokens"), 1)
    b.works("the same suspicious usage on both sides", "", suspicious, suspicious, SAME)

    asked = [ask(model())]
    answer, tokens = call(asked, 0, response=OTHER_ANSWER), call(asked, 0, usage=usage(900, 55))
    both = call(answer, 0, usage=usage(900, 55))
    b.works("another answer of the model, allowed by the preset", "", asked, answer, ("pass", ["response"]),
            "model-output")
    b.works("another answer, allowed by name", "", asked, answer, ("pass", ["response"]),
            allow(model_call=["response"]))
    b.works("another usage, allowed by the preset", "", asked, tokens, ("pass", ["usage"]), "model-output")
    b.works("another usage, allowed by name", "", asked, tokens, ("pass", ["usage"]), allow(model_call=["usage"]))
    b.works("another answer and usage, allowed by the preset", "", asked, both, ("pass", ["response", "usage"]),
            "model-output")
    b.works("the order of members in the policy does not matter", "", asked, both, ("pass", ["response", "usage"]),
            allow(model_call=["usage", "outcome", "response"]))
    b.works("usage only in the baseline, allowed", "", asked, call(asked, 0, usage=None), ("pass", ["usage"]),
            "model-output")
    b.works("usage only in the candidate, allowed", "", call(asked, 0, usage=None), asked, ("pass", ["usage"]),
            "model-output")
    b.works("another outcome of the model, allowed by name", "", asked, call(asked, 0, outcome=FAILED),
            ("pass", ["outcome"]), allow(model_call=["outcome"]))
    looked = [look(tool())]
    b.works("another answer of the tool, allowed by name", "", looked, call(looked, 0, response=OTHER_STATE),
            ("pass", ["response"]), allow(tool_call=["response"]))
    b.works("another outcome of the tool, allowed by name", "", looked, call(looked, 0, outcome=FAILED),
            ("pass", ["outcome"]), allow(tool_call=["outcome"]))
    all_differ = call(call(WORK, 0, response=OTHER_ANSWER, outcome=FAILED, usage=None), 1, response=OTHER_STATE,
                      outcome=FAILED)
    b.works("everything differs and everything is allowed", "",
            WORK, all_differ, ("pass", ["response", "outcome", "usage", "response", "outcome"]), EVERYTHING)
    b.works("allowed differences in the order of the baseline's chain", "", WORK[::-1], all_differ,
            ("pass", ["response", "outcome", "response", "outcome", "usage"]), EVERYTHING)
    b.works("equal identities with their answers the other way round, allowed", "the k-th is paired with the k-th",
            [ask(model(response="a"), model(response="b"))], [ask(model(response="b"), model(response="a"))],
            ("pass", ["response", "response"]), "model-output")
    return b.cases


def forge(records) -> Forger:
    out = Forger()
    for record in records:
        out.add(record)
    return out


def not_found_cases() -> list:
    b = Book(0xC0DF)
    one, nobody = b.run([look(tool())]), "f" * 32
    ledger = ledger_of(one)
    missing = (NOT_FOUND, [], [])
    b.entries("an empty ledger", "neither chain is there", [], "e" * 32, nobody, missing, clock=LATER)
    b.entries("the same missing trace on both sides", "neither chain is there", ledger, nobody, nobody, missing)
    b.entries("no baseline", "the candidate's hashes are not listed either", ledger, nobody, one.trace_id, missing)
    b.entries("no candidate", "the baseline's hashes are not listed either", ledger, one.trace_id, nobody, missing)
    b.entries("no candidate, everything allowed", "no variance policy makes up for a chain", ledger, one.trace_id,
              nobody, missing, EVERYTHING)
    two = b.run([look(tool())])
    attempts = gated(*map(submit, one.records), *map(submit, two.records[1:]))
    b.entries("a candidate of rejected attempts alone", "constrained replay never lists them", attempts, one.trace_id,
              two.trace_id, missing)
    b.entries("a baseline of rejected attempts alone", "constrained replay never lists them", attempts, two.trace_id,
              one.trace_id, missing)
    broken = forge(one.records[:2]).add(one.calls[0], key="0" * 64).entries
    b.entries("no candidate, and the baseline has a wrong key", "both chains are looked for before either is checked",
              broken, one.trace_id, nobody, missing)
    b.entries("no baseline, and the candidate has a wrong key", "both chains are looked for before either is checked",
              broken, nobody, one.trace_id, missing)
    return b.cases


def broken_runs(b: Book) -> list:
    """(label, check, error kind, index of the failing record, function from a run to forged entries, marks)."""
    s = b.scene

    def records(run):
        return list(run.records)

    def spoil(run, at, **facts):
        f = Forger()
        for index, record in enumerate(run.records):
            f.add(record, **(facts if index == at else {}))
        return f.entries

    def guest_call(run):
        guest = s.context(run.trace_id, START_MS + 1, "agents/guest-9", run.context["trace"]["span_id"])
        spliced = with_edits(run.calls[0], auth_context_envelope_sha256=envelope_hash(guest))
        return forge([run.context, run.decisions[0], guest, spliced]).entries

    def denied(run):
        no = with_edits(run.decisions[0], decision__result="deny")
        return forge([run.context, no, with_edits(run.calls[0],
                                                  policy_decision_envelope_sha256=envelope_hash(no))]).entries

    def foreign(run):
        moved = with_edits(run.calls[0], trace__trace_id=s.trace_id())
        return forge(records(run)[:2]).add(moved, trace_id=run.trace_id).entries

    def names(run, member, envelope):
        return forge([*records(run)[:2], with_edits(run.calls[0], **{member: envelope_hash(envelope)})]).entries

    auth, policy = "auth_context_envelope_sha256", "policy_decision_envelope_sha256"
    return [
        ("an unknown member", "schema", EXTRA, 2,
         lambda run: spoil(run, 2, body=canonical({**run.calls[0], "zz": 1})), {}),
        ("a wrong key", "hash", HASH, 2, lambda run: spoil(run, 2, key="0" * 64), {}),
        ("a missing context", "prerequisites", NO_AUTH, 0, lambda run: forge(run.records[1:]).entries, {}),
        ("a missing decision", "prerequisites", NO_POLICY, 1,
         lambda run: forge([run.context, run.calls[0]]).entries, {}),
        ("a context later in the ledger", "prerequisites", NO_AUTH, 0,
         lambda run: forge([run.decisions[0], run.context]).entries, {}),
        ("a decision later in the ledger", "prerequisites", NO_POLICY, 1,
         lambda run: forge([run.context, run.calls[0], run.decisions[0]]).entries, {}),
        ("a decision of the wrong type", "prerequisites", NO_POLICY, 2, lambda run: names(run, policy, run.context),
         {}),
        ("a context of the wrong type", "prerequisites", NO_AUTH, 2, lambda run: names(run, auth, run.decisions[0]),
         {}),
        ("another trace's record under this trace's header", "trace_continuity", TRACE, 2, foreign,
         {"header_trace_differs": True}),
        ("spliced authority", "authorization", SPLICED, 3, guest_call, {}),
        ("a denied call", "authorization", DENIED, 2, denied, {}),
    ]


def renumbered(*sides) -> list:
    """The entries of several ledgers one after the other."""
    return [{**entry, "seq": seq} for seq, entry in enumerate((e for side in sides for e in side), 1)]


def invariant_cases() -> list:
    b = Book(0xC0E0)
    work = [look(tool())]
    for label, check, kind, at, spoilt, marks in broken_runs(b):
        good, bad = b.run(work), b.run(work)
        good_entries, bad_entries = forge(good.records).entries, spoilt(bad)
        why = "each side passes invariant replay by itself, or the run ends there"
        b.entries(f"{label} in the baseline", why, renumbered(bad_entries, good_entries), bad.trace_id, good.trace_id,
                  ("baseline", check, kind, at + 1), **marks)
        b.entries(f"{label} in the candidate", why, renumbered(good_entries, bad_entries), good.trace_id, bad.trace_id,
                  ("candidate", check, kind, len(good_entries) + at + 1), **marks)
    faults = {label: (check, kind, at, spoilt) for label, check, kind, at, spoilt, _ in broken_runs(b)}

    def both(name, why, before, after, **more):
        first, second = b.run(work), b.run(work)
        check, kind, at, spoilt = faults[before]
        b.entries(name, why, renumbered(spoilt(first), faults[after][3](second)), first.trace_id, second.trace_id,
                  ("baseline", check, kind, at + 1), **more)

    both("both fail: a wrong key and a missing context", "the baseline's failure comes first", "a wrong key",
         "a missing context")
    both("both fail: a denied call and a wrong key",
         "the whole of the baseline's replay comes first, its gate checks before the candidate's byte checks",
         "a denied call", "a wrong key")
    both("both fail alike", "the baseline's failure comes first", "spliced authority", "spliced authority")
    good = b.run(work)
    for label, other in (("another path", [look(tool("ticket 8"))]),
                         ("another answer", call(work, 0, response=OTHER_STATE))):
        bad = b.run(other)
        b.entries(f"{label} and a wrong key", "invariant replay comes before any comparison",
                  forge(good.records + bad.records[:-1]).add(bad.records[-1], key="0" * 64).entries,
                  good.trace_id, bad.trace_id, ("candidate", "hash", HASH, 6), EVERYTHING)
    denied = faults["a denied call"][3]
    bad = b.run(work)
    b.entries("the candidate against itself", "a trace that fails invariant replay does not even compare with itself",
              denied(bad), bad.trace_id, bad.trace_id, ("baseline", "authorization", DENIED, 3), EVERYTHING)
    return b.cases


def path_cases() -> list:
    b = Book(0xC0E1)
    signatures, identities = ["policy_signature"], ["evidence_identity"]
    silent, spoken = [look()], [look(tool())]

    def differs(name, why, before, after, kinds, variance=None):
        b.works(name, why, before, after, (PATH, [], kinds), variance)

    for label, place, value in (
        ("policy_id", ("policy", "policy_id"), "agent-tools-2"),
        ("policy_version", ("policy", "policy_version"), "2026.01.3"),
        ("policy_sha256", ("policy", "policy_sha256"), "0" * 64),
        ("action", ("request", "action"), "ticket.write"),
        ("resource", ("request", "resource"), "tickets/8"),
        ("result", ("decision", "result"), "deny"),
        ("one reason code for another", ("decision", "reason_codes"), {"rule.own-branch": True}),
        ("one reason code more", ("decision", "reason_codes"), {"grant.present": True, "rule.own-branch": True}),
        ("one reason code fewer", ("decision", "reason_codes"), {}),
        ("one obligation for another", ("decision", "obligations"), {"redact.pii": True}),
        ("one obligation more", ("decision", "obligations"), {"log.full": True, "redact.pii": True}),
        ("one obligation fewer", ("decision", "obligations"), {}),
        ("a reason code that became an obligation", ("decision",),
         {"result": "allow", "reason_codes": {}, "obligations": {"grant.present": True, "log.full": True}}),
    ):
        differs(f"a decision changed: {label}", "its signature is another one", silent,
                edited(silent, (0, *place), value), signatures * 2)
    for label, place, value in (
        ("policy_sha256", ("policy", "policy_sha256"), "0" * 64), ("resource", ("request", "resource"), "tickets/8"),
        ("obligations", ("decision", "obligations"), {}),
    ):
        differs(f"a decision with a call changed: {label}",
                "the call's identity holds the signature; signatures come first",
                spoken, edited(spoken, (0, *place), value), signatures * 2 + identities * 2)

    differs("a decision added", "one signature more", silent, [look(), ask()], signatures)
    differs("a decision dropped", "one signature fewer", [look(), ask()], silent, signatures)
    differs("a decision made twice", "signatures are compared as multisets", silent, silent * 2, signatures)
    differs("a decision made twice in the baseline", "signatures are compared as multisets", silent * 2, silent,
            signatures)
    differs("two decisions: one twice and the other once, the other way round", "signatures are compared as multisets",
            [look(), look(), ask()], [look(), ask(), ask()], signatures * 2)
    differs("a step added", "a decision and its call are more", spoken, WORK, signatures + identities)
    differs("a step dropped", "a decision and its call are fewer", WORK, spoken, signatures + identities)
    differs("denied instead of called", "the decision is another and the call is gone", spoken,
            [look(result="deny", reasons=("grant.absent",), obligations=())], signatures * 2 + identities)

    differs("a call added", "another request under the same decision", spoken, [look(tool(), tool("ticket 8"))],
            identities)
    differs("a call dropped", "asked for and not done", spoken, silent, identities)
    differs("a call made twice", "identities are compared as multisets", spoken, [look(tool(), tool())], identities)
    differs("a call made twice in the baseline", "identities are compared as multisets", [look(tool(), tool())], spoken,
            identities)
    differs("two calls: one twice and the other once, the other way round", "identities are compared as multisets",
            [look(tool(), tool(), tool("ticket 8"))], [look(tool(), tool("ticket 8"), tool("ticket 8"))],
            identities * 2)
    differs("a retry that the other run did not need", "a failed call and its repetition are two records",
            spoken, [look(tool(status="error:timeout"), tool())], identities)
    for label, member, value in (
        ("request sha256", "request", blob("ticket 8")),
        ("request content_type", "request", {**blob("ticket 7"), "content_type": "text/plain"}),
        ("request size_bytes", "request", {**blob("ticket 7"), "size_bytes": 7}),
        ("tool_name", "tool", {"adapter_id": "tickets", "tool_name": "find_ticket"}),
        ("adapter_id", "tool", {"adapter_id": "tickets-2", "tool_name": "get_ticket"}),
    ):
        differs(f"a tool call changed: {label}", "its identity is another one", spoken,
                call(spoken, 0, **{member: value}), identities * 2)
    asked = [ask(model())]
    for label, member, value in (
        ("request sha256", "request", blob("summarise ticket 8")),
        ("model", "model", {"provider": "northwind", "model": "nw-large-3"}),
        ("provider", "model", {"provider": "lakeside", "model": "nw-large-2"}),
    ):
        differs(f"a model call changed: {label}", "its identity is another one", asked,
                call(asked, 0, **{member: value}), identities * 2)
    differs("a model call in place of a tool call", "the record type is part of the identity", spoken,
            [look(model("ticket 7"))], identities * 2)
    differs("the same calls under each other's decisions",
            "signatures are equal, identities hold the decision's signature",
            [look(tool()), ask(model())], [look(model()), ask(tool())], identities * 4)

    changed = call(asked, 0, request=blob("summarise ticket 8"), response=OTHER_ANSWER)
    differs("another request and another answer", "records are only paired when the path is the same", asked, changed,
            identities * 2)
    differs("another request, the preset", "the preset allows differences of paired records, not of the path", asked,
            changed, identities * 2, "model-output")
    differs("another request, everything allowed", "no variance policy allows another path", spoken,
            call(spoken, 0, request=blob("ticket 8")), identities * 2, EVERYTHING)
    differs("another policy version, everything allowed", "no variance policy allows another path", silent,
            edited(silent, (0, "policy", "policy_version"), "2"), signatures * 2, EVERYTHING)
    differs("one path difference beside an allowed difference",
            "records are only paired when the path is the same: nothing is listed as allowed",
            WORK, call(WORK, 0, response=OTHER_ANSWER) + [look(tool("ticket 9"))], signatures + identities,
            "model-output")
    differs("many differences: in the order in which the baseline's chain, then the candidate's, meets them",
            "signatures before identities", [look(tool()), ask(model()), look(tool("ticket 8"))],
            [ask(model(), model(name="nw-large-3")), look(tool("ticket 9"))], signatures + identities * 4)
    return b.cases


def variance_cases() -> list:
    b = Book(0xC0E2)
    asked, looked = [ask(model())], [look(tool())]

    def differs(name, why, before, after, refused, variance=None, allowed=(), **more):
        b.works(name, why, before, after, (VARIANCE, list(allowed), refused), variance, **more)

    for label, value in (
        ("sha256", OTHER_ANSWER), ("content_type", {**model()["response"], "content_type": "text/plain"}),
        ("size_bytes", {**model()["response"], "size_bytes": 1}),
    ):
        differs(f"response of a model call: {label}", "nothing may vary by default", asked,
                call(asked, 0, response=value), ["response"])
    differs("response of a tool call", "nothing may vary by default", looked, call(looked, 0, response=OTHER_STATE),
            ["response"])
    differs("outcome of a model call", "nothing may vary by default", asked, call(asked, 0, outcome=FAILED),
            ["outcome"])
    differs("outcome of a tool call", "nothing may vary by default", looked, call(looked, 0, outcome=FAILED),
            ["outcome"])
    for label, value in (("input_tokens", usage(901, 40, 940)), ("output_tokens", usage(900, 41, 940)),
                         ("total_tokens", usage(900, 40, 0))):
        differs(f"usage: {label}", "nothing may vary by default", asked, call(asked, 0, usage=value), ["usage"])
    differs("usage only in the baseline", "absent is different from present", asked, call(asked, 0, usage=None),
            ["usage"])
    differs("usage only in the candidate", "absent is different from present", call(asked, 0, usage=None), asked,
            ["usage"])
    zero = usage(0, 0)
    differs("usage of zeros against none", "absent is different from zero", call(asked, 0, usage=zero),
            call(asked, 0, usage=None), ["usage"])
    all_three = call(asked, 0, response=OTHER_ANSWER, outcome=FAILED, usage=None)
    differs("all three at once", "response, outcome, usage, in this order", asked, all_three,
            ["response", "outcome", "usage"])

    differs("the preset and another outcome", "the preset allows response and usage of model_call", asked, all_three,
            ["outcome"], "model-output", ["response", "usage"])
    differs("the preset and a tool's response", "the preset allows nothing of tool_call", looked,
            call(looked, 0, response=OTHER_STATE), ["response"], "model-output")
    differs("an empty policy", "nothing is allowed", asked, all_three, ["response", "outcome", "usage"], allow())
    differs("a record type with an empty list", "nothing is allowed", asked, all_three,
            ["response", "outcome", "usage"], allow(model_call=[]))
    differs("response allowed alone", "the rest is not", asked, all_three, ["outcome", "usage"],
            allow(model_call=["response"]), ["response"])
    differs("outcome allowed alone", "the rest is not", asked, all_three, ["response", "usage"],
            allow(model_call=["outcome"]), ["outcome"])
    differs("usage allowed alone", "the rest is not", asked, all_three, ["response", "outcome"],
            allow(model_call=["usage"]), ["usage"])
    differs("allowed for the other record type", "each record type has its own list", asked, all_three,
            ["response", "outcome", "usage"], allow(tool_call=["response", "outcome", "usage"]))
    differs("a tool's response, allowed for models", "each record type has its own list", looked,
            call(looked, 0, response=OTHER_STATE), ["response"], allow(model_call=["response"]))

    worked = call(call(WORK, 0, response=OTHER_ANSWER, usage=usage(900, 41)), 1, response=OTHER_STATE, outcome=FAILED)
    differs("allowed ones beside others", "the first of those not allowed is the tool's", WORK, worked,
            ["response", "outcome"], "model-output", ["response", "usage"])
    differs("several calls", "pairs in the order of the baseline's chain", WORK[::-1], worked,
            ["response", "outcome", "response", "usage"])
    differs("baseline and candidate the other way round", "pairs in the order of the baseline's chain", worked,
            WORK[::-1], ["response", "usage", "response", "outcome"])

    def answers(*texts):
        return [look(*(tool(response=text) for text in texts))]

    differs("equal identities with their answers the other way round",
            "the k-th is paired with the k-th, not with its equal",
            answers("a", "b"), answers("b", "a"), ["response", "response"])
    differs("three of equal identity, the middle one differs", "the k-th is paired with the k-th",
            answers("a", "b", "c"), answers("a", "x", "c"), ["response"])
    differs("one answer moved to the front", "the k-th is paired with the k-th", answers("a", "b", "c", "d"),
            answers("d", "a", "b", "c"), ["response"] * 4)
    differs("two and two, the second pair differs", "the k-th is paired with the k-th", answers("a", "a", "b"),
            answers("a", "b", "b"), ["response"])
    retried = [look(tool(status="error:timeout", response="no"), tool())]
    differs("a retry that failed last instead of first", "the k-th is paired with the k-th", retried,
            [look(*retried[0]["calls"][::-1])], ["response", "outcome"] * 2)
    before, after = b.run(answers("a", "b")), b.run(answers("b", "a"))
    backwards = with_edits(after.calls[0], started_at_ms=after.calls[1]["started_at_ms"] + 1)
    after.records[-2] = backwards
    b.runs("the order of the chain, not of the ledger",
           "the call that is first in the ledger started last: every pair is equal", before, after, SAME)
    tied = b.run([look({**tool(response="a"), "at_ms": START_MS + 5000},
                       {**tool(response="b"), "at_ms": START_MS + 5000})])
    by_hash = sorted(tied.calls, key=envelope_hash)
    texts = ["a" if call_["response"] == blob("a", "text/plain") else "b" for call_ in by_hash]
    b.runs("started in the same millisecond: the hash decides which is first",
           "the baseline's answers in the order of the hashes, turned round",
           tied, b.run(answers(*texts[::-1])), (VARIANCE, [], ["response", "response"]))
    b.runs("started in the same millisecond: equal in the order of the hashes", "", tied, b.run(answers(*texts)), SAME)
    under = [look(tool(response="a")), look(tool(response="b"))]
    differs("equal identities under two equal decisions",
            "paired over the whole chain, whichever decision they stand under",
            under, [look(tool(response="b")), look(tool(response="a"))], ["response", "response"])
    bounded_cases(b, asked, looked)
    return b.cases


def bounded(*bounds, **types) -> dict:
    """A policy with bounds in the one form of diagnostics."""
    return {**allow(**types), "bounds": [{"record_type": kind, **more} for kind, more in bounds]}


def bounded_cases(b: Book, asked: list, looked: list) -> None:
    """What is said of single models and tools; the baseline's usage is 900 + 40 = 940."""
    tenth = bounded(("model_call", {"allow": [], "usage_percent": 10}))

    def moved(name, value, variance, is_fine, why="of what the baseline has"):
        stated = ("pass", ["usage"]) if is_fine else (VARIANCE, [], ["usage"])
        b.works(name, why, asked, call(asked, 0, usage=value), stated, variance)

    moved("usage within a tenth", usage(990, 44), tenth, True)
    moved("usage within a tenth, less", usage(810, 36), tenth, True)
    moved("input tokens beyond a tenth", usage(991, 40), tenth, False)
    moved("output tokens beyond a tenth", usage(900, 45), tenth, False)
    moved("the total beyond a tenth alone", usage(900, 40, 1035), tenth, False, "each of the three numbers")
    moved("usage within a tenth against none", None, tenth, False, "absent is within nothing")
    moved("a tenth where the type allows all", usage(900, 45),
          bounded(("model_call", {"allow": ["response"], "usage_percent": 10}), model_call=["response", "usage"]), False,
          "a bound stands in place of its type")
    most = bounded(("model_call", {"allow": []}), ("model_call", {"allow": ["usage"], "model": "nw-large-2"}))
    moved("the bound of the model before that of all models", usage(0, 0), most, True, "the one that names most")
    least = bounded(("model_call", {"allow": ["usage"]}),
                    ("model_call", {"allow": [], "model": "nw-large-2", "provider": "northwind"}))
    moved("the bound of the model takes away", usage(0, 0), least, False, "the one that names most")
    other = bounded(("model_call", {"allow": [], "model": "nw-small"}), model_call=["usage"])
    moved("the bound of another model", usage(0, 0), other, True, "the type counts")
    for name, tool_name, is_fine in (("the bound of the tool", "get_ticket", True),
                                     ("the bound of another tool", "put_ticket", False)):
        variance = bounded(("tool_call", {"allow": ["response"], "adapter_id": "tickets", "tool_name": tool_name}))
        stated = ("pass", ["response"]) if is_fine else (VARIANCE, [], ["response"])
        b.works(name, "", looked, call(looked, 0, response=OTHER_STATE), stated, variance)


def files() -> dict:
    described_as = {
        "pass": ("Two runs that follow the same path, with what is allowed to vary.", pass_cases),
        "not_found": ("A chain that is not found, on either side.", not_found_cases),
        "invariant": ("Traces that fail invariant replay, on either side or both.", invariant_cases),
        "path": ("Policy signatures or evidence identities that are not equal as multisets.", path_cases),
        "variance": ("The same path, with a difference that the variance policy does not allow; near misses among "
                     "them pass.", variance_cases),
    }
    return {f"constrained/{name}.json": ("constrained", what, cases())
            for name, (what, cases) in described_as.items()}

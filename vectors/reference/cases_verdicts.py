"""Family `system`: sealed verdicts and who signed them, one ledger a case.

Each case states by hand what becomes of each action; the reference must agree before anything is written.
"""

from __future__ import annotations

from . import verdicts
from .build import envelope_hash
from .cases_keys import CONTEXT, FIRST, GATEWAY, LEDGER_ID, OTHER, STRANGER, Case, replaced
from .keys import Ledger

TRACE, OTHER_TRACE = (context["trace"]["trace_id"] for context in (CONTEXT, OTHER))
COVERAGE = ("records", "verified", "gate_rechecked", "policy_re_decided", "policy_absent", "policy_unusable",
            "re_executed", "rejected_listed", "blobs_absent", "absent")


def result(context: dict = CONTEXT, at: str = "2026-01-31T00:00:00.000Z") -> dict:
    return {"replay_type": "forensic", "target_trace_id": context["trace"]["trace_id"],
            "input_envelope_hashes": [envelope_hash(context)], "result": "pass", "generated_at": at}


def explains(of: dict) -> dict:
    counted = {"records": 1, "verified": 1, "gate_rechecked": 1}
    return {"artifact_type": "replay_diagnostics", "version": "1", "result_sha256": verdicts.digest(of),
            "replay_type": of["replay_type"], "target_trace_id": of["target_trace_id"],
            "coverage": {name: counted.get(name, 0) for name in COVERAGE}, "failures": [], "findings": []}


RESULT, ELSEWHERE = result(), result(OTHER)
LATER = result(at="2026-02-01T00:00:00.000Z")


def seal(**members) -> dict:
    record = {
        "artifact_type": "verdict_seal", "version": "1", "target_trace_id": TRACE,
        "result_sha256": verdicts.digest(RESULT), "diagnostics_sha256": verdicts.digest(explains(RESULT)),
        "ledger_id": LEDGER_ID, "log": {"size": 5, "root": "5a" * 32}, "checkpoint": None, "proofline": "0.1.0",
        "engine": None, "policies": [], "tools": [],
    }
    return {**record, **members}


def tool(adapter_id: str, tool_name: str, version: str) -> dict:
    return {"adapter_id": adapter_id, "tool_name": tool_name, "version": version}


FULL = seal(
    checkpoint={"size": 3, "root": "3c" * 32}, engine={"name": "cedar", "version": "4.14.1"},
    policies=["0a" * 32, "0b" * 32], tools=[tool("desk", "sort", "json-sort/1"), tool("desk", "sum", "calculator/1")],
)


def ready(name: str, why=None) -> Case:
    """Entries 1 to 8: two keys, the evidence of two traces, a verdict on each and why."""
    case = Case(name, why).add(FIRST, None, 1).add(GATEWAY, FIRST, 2).act("evidence", CONTEXT, 3)
    case.act("evidence", OTHER, 4)
    for at, record in enumerate((RESULT, explains(RESULT), ELSEWHERE, explains(ELSEWHERE))):
        case.act("artifact", record, 5 + at)
    return case


def refused(name: str, why: str, code: str, **members) -> Case:
    return ready(name, why).act("artifact", seal(**members), code)


def cases() -> list:
    own, strange = verdicts.signed(GATEWAY, FULL), verdicts.signed(STRANGER, FULL)
    spliced = verdicts.signed(GATEWAY, seal())["signature"]
    of_envelope = Ledger.signed(GATEWAY, verdicts.digest(FULL), TRACE)["signature"]
    missing = "ledger.artifact_reference"
    return [case.done() for case in (
        ready("sealed and signed").act("artifact", FULL, 9).act("artifact", own, 10).act("artifact", FULL, -9)
        .act("artifact", own, -10),
        ready("sealed again at another size").act("artifact", seal(), 9)
        .act("artifact", seal(log={"size": 9, "root": "9a" * 32}), 10),
        ready("all that is before it").act("artifact", seal(log={"size": 9, "root": "9a" * 32}), 9),
        refused("more than is before it", "there are nine entries", "ledger.seal", log={"size": 10, "root": "9a" * 32}),
        refused("a log of nothing", "no replay reads it", "ledger.seal", log={"size": 0, "root": "9a" * 32}),
        refused("a checkpoint of more", "it covers what was not read", "ledger.seal",
                checkpoint={"size": 6, "root": "6a" * 32}),
        refused("another ledger", "it names its own", "ledger.seal", ledger_id="ff" * 16),
        refused("policies out of order", "they ascend", "ledger.seal", policies=["0b" * 32, "0a" * 32]),
        refused("a policy twice", "each once", "ledger.seal", policies=["0a" * 32, "0a" * 32]),
        refused("tools out of order", "they ascend", "ledger.seal",
                tools=[tool("desk", "sum", "1"), tool("desk", "sort", "1")]),
        refused("no such result", "the ledger does not hold it", missing, result_sha256="ab" * 32),
        refused("no such diagnostics", "the ledger does not hold it", missing, diagnostics_sha256="ab" * 32),
        refused("evidence as the result", "it is no artifact", missing, result_sha256=envelope_hash(CONTEXT)),
        refused("diagnostics as the result", "they are none", "ledger.seal",
                result_sha256=verdicts.digest(explains(RESULT))),
        refused("a result as the diagnostics", "it is none", "ledger.seal",
                diagnostics_sha256=verdicts.digest(RESULT)),
        refused("another verdict's diagnostics", "they explain another result", "ledger.seal",
                diagnostics_sha256=verdicts.digest(explains(ELSEWHERE))),
        refused("another trace", "the verdict is on its own", "ledger.artifact_trace", target_trace_id=OTHER_TRACE),
        ready("a second verdict's result", "the diagnostics explain the first").act("artifact", LATER, 9)
        .act("artifact", seal(result_sha256=verdicts.digest(LATER)), "ledger.seal"),
        ready("signed before it is there", "the ledger does not hold the seal").act("artifact", own, missing),
        ready("a signature over a verdict", "a seal is signed, no result")
        .act("artifact", replaced(own, seal_sha256=verdicts.digest(RESULT)), "ledger.seal"),
        ready("a stranger signs", "its key is not listed").act("artifact", FULL, 9)
        .act("artifact", strange, "ledger.unknown_producer"),
        ready("a log key signs", "it is no producer key").act("artifact", FULL, 9)
        .act("artifact", replaced(own, key=FIRST.short), "ledger.unknown_producer"),
        ready("a retired producer signs", "it is not current").act("artifact", FULL, 9).retire(GATEWAY, FIRST, 10)
        .act("artifact", own, "ledger.unknown_producer"),
        ready("a signature of another trace", "the seal is of its own").act("artifact", FULL, 9)
        .act("artifact", replaced(own, target_trace_id=OTHER_TRACE), "ledger.artifact_trace"),
        ready("another seal's signature", "it does not verify").act("artifact", FULL, 9)
        .act("artifact", replaced(own, signature=spliced), "ledger.producer_signature"),
        ready("a signature over an envelope", "its type is another").act("artifact", FULL, 9)
        .act("artifact", replaced(own, signature=of_envelope), "ledger.producer_signature"),
    )]


def files() -> dict:
    return {"system/verdicts.json": ("system", "Sealed verdicts, and signatures over them.", cases())}

"""Family `system`, reports of back-tests: the log that such an artifact names must be the one that it comes into.

The root of a log is computed from headers that `log.py` encodes, with the tree of RFC 9162 section 2.1.
"""

from __future__ import annotations

from . import canon
from .build import Scene, canonical
from .cases_keys import LEDGER_ID, ORIGIN
from .log import FORMAT_VERSION, Log
from .proofs import root

NOW_MS = 1769817600000
SCENE = Scene(20261126)
TRACE = SCENE.trace_id()
CONTEXT, LATER = SCENE.context(TRACE), SCENE.context(TRACE, 1767225601000)
GENESIS = {
    "system_type": "genesis", "version": "1", "format_version": FORMAT_VERSION, "ledger_id": LEDGER_ID, "origin": ORIGIN,
}
COUNTS = (
    "traces", "traces_skipped", "decisions", "same", "allow_to_deny", "deny_to_allow", "other_reasons", "policy_errors",
    "calls_lost", "refused_calls",
)


def report(size: int, named_root: str, **members) -> dict:
    return {
        "artifact_type": "policy_backtest", "version": "1", "policy_sha256": canon.sha256(b"a policy"),
        "engine": {"name": "cedar-policy", "version": "4.14.1"}, "log_size": size, "root": named_root,
        "trace_ids": None, "counts": dict.fromkeys(COUNTS, 0), "generated_at": "2026-01-31T00:00:00.000Z", **members,
    }


class Case:
    """A ledger as its headers have it, and what it says of each action."""

    def __init__(self, name: str, why=None):
        self.out = {"name": name, **({"why": why} if why else {}), "ledger_id": LEDGER_ID, "origin": ORIGIN,
                    "actions": [], "outcomes": [], "current": []}
        self.log, self.known = Log(), {}
        self.log.append("genesis", canonical(GENESIS), NOW_MS)

    def root(self, size=None) -> str:
        return root([bytes.fromhex(entry["leaf_hash"]) for entry in self.log.entries][:size]).hex()

    def act(self, kind: str, body: dict, expected) -> "Case":
        data, size = canonical(body), len(self.log.entries)
        outcome = {"seq": size}
        if data in self.known:
            outcome = {"duplicate": self.known[data]}
        elif kind == "artifact" and not (
                0 < body["log_size"] <= size and body["root"] == self.root(body["log_size"])):
            outcome = {"code": "ledger.artifact_log"}
        elif kind == "artifact":
            self.known[data] = size
            self.log.append("artifact", data, NOW_MS)
        else:
            self.log.append("accepted", data, NOW_MS, TRACE, "ACCEPT")
        assert outcome == expected, (self.out["name"], outcome, expected)
        self.out["actions"].append({kind: body})
        self.out["outcomes"].append(outcome)
        return self

    def about(self, size: int, expected, named_root=None, **members) -> "Case":
        return self.act("artifact", report(size, named_root or self.root(size), **members), expected)


def cases() -> list:
    refused = {"code": "ledger.artifact_log"}

    def two(name: str, why=None) -> Case:
        return Case(name, why).act("evidence", CONTEXT, {"seq": 1}).act("evidence", LATER, {"seq": 2})

    return [case.out for case in (
        Case("about the genesis entry alone").about(1, {"seq": 1}),
        two("about all of the log").about(3, {"seq": 3}),
        two("about a part of it").about(2, {"seq": 3}),
        two("the same report again").about(3, {"seq": 3}).about(3, {"duplicate": 3}),
        two("a report about a log with a report").about(3, {"seq": 3}).about(4, {"seq": 4}),
        two("of chosen traces").about(3, {"seq": 3}, trace_ids=[TRACE, "f" * 32]),
        two("about nothing", "a log has an entry at least").about(0, refused, "ab" * 32),
        two("another root", "the log is another one").about(3, refused, "ab" * 32),
        two("the root of another size", "the sizes do not fit").about(3, refused, Case("").root()),
        two("about more than there is", "the log is shorter").about(4, refused, "ab" * 32),
    )]


def files() -> dict:
    return {"system/backtests.json": (
        "system", "Reports of back-tests: they name the log that they are about, and come into that one alone.", cases())}

"""The rules of erasures, holds and releases, from docs/erasure.md: what a ledger lets in."""

from __future__ import annotations

from .note import refuse_unless

TYPES = ("erasure", "hold", "release")
MEMBER = {"blob": "sha256", "subject": "key_id", "trace": "trace_id"}


def named(target: dict) -> str:
    """A target as the resource that a decision about it names."""
    return f'{target["kind"]}/{target[MEMBER[target["kind"]]]}'


class Erasures:
    """What was erased and held so far. `evidence` is a list of envelopes, all of them accepted."""

    def __init__(self):
        self.erased, self.holds = set(), []

    def take(self, record: dict, digest: str, evidence: dict) -> None:
        {"erasure": self._erase, "hold": self._hold, "release": self._release}[record["system_type"]](
            record, digest, evidence)

    def reheld(self, digest: str) -> bool:
        """True when this very hold was placed and released."""
        return any(hold["id"] == digest and hold["released"] for hold in self.holds)

    def _erase(self, record: dict, _digest: str, evidence: dict) -> None:
        target = named(record["target"])
        refuse_unless(target not in self.erased, "erasure.erased")
        self._allowed(record["authority"], "erase", target, evidence)
        for hold in self.holds:
            refuse_unless(hold["released"] or not self._holds(hold["target"], target, evidence), "erasure.held")
        self.erased.add(target)

    @staticmethod
    def _holds(held: dict, target: str, evidence: dict) -> bool:
        if held["kind"] != "trace":
            return named(held) == target
        of_trace = [it for it in evidence.values() if it["trace"]["trace_id"] == held["trace_id"]]
        return any(named({"kind": "blob", "sha256": it[member]["sha256"]}) == target
                   for it in of_trace for member in ("request", "response")
                   if it["record_type"] in ("model_call", "tool_call") and member in it)

    def _hold(self, record: dict, digest: str, _evidence: dict) -> None:
        refuse_unless(named(record["target"]) not in self.erased, "hold.erased")
        self.holds.append({"id": digest, "target": record["target"], "released": False})

    def _release(self, record: dict, _digest: str, evidence: dict) -> None:
        found = [hold for hold in self.holds if hold["id"] == record["hold"]]
        refuse_unless(bool(found), "hold.unknown")
        refuse_unless(not found[0]["released"], "hold.released")
        self._allowed(record["authority"], "release", f'hold/{record["hold"]}', evidence)
        found[0]["released"] = True

    @staticmethod
    def _allowed(authority: str, action: str, resource: str, evidence: dict) -> None:
        decision = evidence.get(authority, {})
        refuse_unless(decision.get("record_type") == "policy_decision", "erasure.authority")
        refuse_unless(decision["decision"]["result"] == "allow", "erasure.denied")
        refuse_unless(decision["request"]["action"] == action, "erasure.action")
        refuse_unless(decision["request"]["resource"] == resource, "erasure.resource")

"""Meaning: the constrained verdict over two traces, and every difference between them.

Entries are those of `replay`. A path difference says that the two runs did not do the same work; a
variance that the same work came out otherwise.
"""

from __future__ import annotations

import json

from . import canon, replay

COMPARED = ("response", "outcome", "usage")
CALLS = ("model_call", "tool_call")
PRESETS = {"model-output": {"allow_variance": {"model_call": ["response", "usage"]}}}
NOTHING = {"allow_variance": {}}


class Side:
    """One run whose chain passed invariant replay: its records in chain order, as plain JSON."""

    def __init__(self, members):
        self.records = [(entry, json.loads(entry["body"])) for entry in members]
        self.decisions = {
            entry["key"]: signature(value)
            for entry, value in self.records if value["record_type"] == "policy_decision"
        }

    def signatures(self) -> list:
        """(entry, policy signature) of each decision."""
        return [(entry, signature(value)) for entry, value in self.records
                if value["record_type"] == "policy_decision"]

    def identities(self) -> list:
        """(entry, evidence identity) of each call."""
        return [(entry, self.identity(value)) for entry, value in self.records if value["record_type"] in CALLS]

    def identity(self, value) -> dict:
        tool = "model" if value["record_type"] == "model_call" else "tool"
        return {
            "record_type": value["record_type"], tool: value[tool], "request": value["request"],
            "policy_signature": self.decisions[value["policy_decision_envelope_sha256"]],
        }

    def calls(self) -> dict:
        """Identity as text to its (entry, value)s in chain order."""
        out = {}
        for entry, value in self.records:
            if value["record_type"] in CALLS:
                out.setdefault(text(self.identity(value)), []).append((entry, value))
        return out


def signature(value) -> dict:
    return {
        **value["policy"], **value["request"], "result": value["decision"]["result"],
        "reason_codes": sorted(value["decision"]["reason_codes"]),
        "obligations": sorted(value["decision"]["obligations"]),
    }


def text(value) -> bytes:
    return canon.write(value)


def unequal(kind: str, baseline: list, candidate: list) -> list:
    """Values that the two multisets do not hold equally often, in the order in which they are met:
    the baseline's in chain order, then those that only the candidate has."""
    holders = {}
    for side, members in enumerate((baseline, candidate)):
        for entry, value in members:
            holders.setdefault(text(value), (value, [], []))[side + 1].append(entry["seq"])
    return [
        {"kind": kind, "value": value, "baseline": before, "candidate": after}
        for value, before, after in holders.values() if len(before) != len(after)
    ]


def path_differences(baseline: Side, candidate: Side) -> list:
    """Policy signatures first, then evidence identities; both are listed where both differ."""
    return [
        *unequal("policy_signature", baseline.signatures(), candidate.signatures()),
        *unequal("evidence_identity", baseline.identities(), candidate.identities()),
    ]


def variances(baseline: Side, candidate: Side) -> list:
    """Differences of paired calls: pairs in the baseline's chain order, then response, outcome, usage."""
    others = candidate.calls()
    taken = dict.fromkeys(others, 0)
    out = []
    for entry, value in baseline.records:
        if value["record_type"] not in CALLS:
            continue
        key = text(baseline.identity(value))
        other_entry, other = others[key][taken[key]]
        taken[key] += 1
        for member in COMPARED:
            before, after = value.get(member), other.get(member)
            if before != after:
                out.append({
                    "kind": member, "record_type": value["record_type"], "call": value,
                    "baseline": {"seq": entry["seq"], "value": before},
                    "candidate": {"seq": other_entry["seq"], "value": after},
                })
    return out


def policy_of(variance) -> dict:
    """The variance policy of a case: None, a preset's name, or the policy itself."""
    return NOTHING if variance is None else PRESETS[variance] if isinstance(variance, str) else variance


def constrained(entries, baseline_id: str, candidate_id: str, variance, clock: str) -> dict:
    """{record, artifact_sha256, failure, allowed, first, others}.

    `failure` is an invariant failure with its `side`; `first` the first difference that is not
    allowed, `others` the rest of those; `allowed` the differences that the variance policy allows.
    """
    chains = {"baseline": replay.chain(entries, baseline_id, False),
              "candidate": replay.chain(entries, candidate_id, False)}
    failure, allowed, refused = None, [], []
    if not all(chains.values()):
        chains = {"baseline": [], "candidate": []}
        failure_class = "REPLAY_CHAIN_NOT_FOUND"
    else:
        failure = first_invariant_failure(chains)
        if failure:
            failure_class = failure["classification"]
        else:
            failure_class, allowed, refused = compare(*map(Side, chains.values()), policy_of(variance))
    record = {
        "replay_type": "constrained",
        "target_trace_id": candidate_id,
        "reference_trace_id": baseline_id,
        "input_envelope_hashes": [entry["key"] for members in chains.values() for entry in members],
        "result": "fail" if failure_class else "pass",
        "generated_at": clock,
    }
    if failure_class:
        record["failure_class"] = failure_class
    return {
        **replay.sealed(record), "failure": failure, "allowed": allowed,
        "first": refused[0] if refused else None, "others": refused[1:],
    }


def first_invariant_failure(chains: dict):
    """The whole of the baseline's replay comes before the candidate's."""
    for side, members in chains.items():
        failure = replay.invariant_failure(members)
        if failure:
            return {"side": side, **failure}
    return None


def is_fine(difference: dict, policy: dict) -> bool:
    """Whether the policy allows it: by the bound that names most of the call, else by its type."""
    call, kind = difference.pop("call"), difference["kind"]
    words = policy["allow_variance"].get(difference["record_type"], ())
    bound = bound_of(call, policy.get("bounds", ()))
    if bound is None:
        return kind in words
    if kind == "usage" and "usage_percent" in bound:
        before, after = difference["baseline"]["value"], difference["candidate"]["value"]
        return before is not None and after is not None and all(
            abs(after[name] - number) * 100 <= bound["usage_percent"] * number for name, number in before.items())
    return kind in bound.get("allow", words)


def bound_of(call: dict, bounds):
    """Of the bounds that are of this call the one with most names; files name no two that could both be it."""
    names = call.get("model") or call["tool"]
    fits = [bound for bound in bounds if bound["record_type"] == call["record_type"]
            and all(bound.get(name, own) == own for name, own in names.items())]
    return max(fits, key=lambda bound: sum(name in bound for name in names), default=None)


def compare(baseline: Side, candidate: Side, policy: dict):
    """(failure class or None, allowed, not allowed). Without the same path no records are paired."""
    path = path_differences(baseline, candidate)
    if path:
        return "REPLAY_POLICY_PATH_MISMATCH", [], path
    allowed, refused = [], []
    for difference in variances(baseline, candidate):
        (allowed if is_fine(difference, policy) else refused).append(difference)
    return "REPLAY_VARIANCE_VIOLATION" if refused else None, allowed, refused

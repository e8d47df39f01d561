"""The second evidence file: the same work after a model change, into the ledger of the first, pair by pair.

Which pairs deviate and how is planned by the Rust generator; its test holds the plan to the verdicts here.
"""

from __future__ import annotations

import collections
import json
import pathlib

from . import canon, constrained, findings, gate, lines, replay
from .cases_forensic import EPOCH

FILES = ("agent-work.jsonl", "agent-work-after-model-change.jsonl")
PAYLOADS = ("payloads.jsonl", "payloads-after-model-change.jsonl")
VARIANCES = {"none": None, "model-output": "model-output"}
# By hand, from the mixture that the generator plans: 36 traces, two of each odd kind, the rest other answers alone.
TOTALS = {
    "none": {"pass": 2, "REPLAY_CHAIN_NOT_FOUND": 2, "REPLAY_POLICY_PATH_MISMATCH": 12,
    "REPLAY_VARIANCE_VIOLATION": 20},
    "model-output": {"pass": 18, "REPLAY_CHAIN_NOT_FOUND": 2, "REPLAY_POLICY_PATH_MISMATCH": 12,
                     "REPLAY_VARIANCE_VIOLATION": 4},
}


def judged(entries, pair: dict, variance) -> dict:
    got = constrained.constrained(entries, pair["baseline"], pair["candidate"], variance, EPOCH)
    assert got["failure"] is None, pair
    refused = ([got["first"]] if got["first"] else []) + got["others"]
    return {
        "record": got["record"], "artifact_sha256": got["artifact_sha256"],
        "allowed": counted(got["allowed"]), "not_allowed": counted(refused), "first": got["first"],
    }


def counted(differences: list) -> dict:
    return dict(sorted(collections.Counter(one["kind"] for one in differences).items()))


def totals(pairs: list) -> dict:
    out = {}
    for name in VARIANCES:
        classes = (pair[name]["record"].get("failure_class", "pass") for pair in pairs)
        out[name] = dict(sorted(collections.Counter(classes).items()))
    assert out == {name: dict(sorted(stated.items())) for name, stated in TOTALS.items()}, out
    return out


def invariants(entries) -> list:
    out = []
    for trace_id in sorted({entry["trace_id"] for entry in entries}):
        got = replay.invariant(entries, trace_id, False, EPOCH)
        assert got["failure"] is None, trace_id
        out.append({"trace_id": trace_id, **{name: got[name] for name in ("record", "artifact_sha256")}})
    return out


def found(entries, at_hand: set) -> list:
    """By trace and code: the entries that findings of the code are about or concern."""
    out, unrepeated = {}, replay.rejections_not_reproduced(entries)
    for trace_id in sorted({entry["trace_id"] for entry in entries}):
        for one in findings.findings(entries, trace_id, at_hand, unrepeated):
            row = out.setdefault((trace_id, one["code"]), {
                "trace_id": trace_id, "code": one["code"], "severity": one["severity"], "seqs": set()})
            row["seqs"].update(one["seqs"])
    return [{**row, "seqs": sorted(row["seqs"])} for _, row in sorted(out.items())]


def document(folder: pathlib.Path) -> dict:
    ledger = gate.Ledger()
    outcomes = [lines.ingest((folder / name).read_bytes(), ledger) for name in FILES]
    at_hand = {canon.sha256(line) for name in PAYLOADS for line in (folder / name).read_bytes().splitlines()}
    pairs = [json.loads(line) for line in (folder / "pairs.jsonl").read_bytes().splitlines()]
    judgements = [
        {**pair, **{name: judged(ledger.entries, pair, variance) for name, variance in VARIANCES.items()}}
        for pair in pairs
    ]
    return {
        "outcomes": outcomes[1], "pairs": judgements, "totals": totals(judgements),
        "invariant": invariants(ledger.entries), "findings": found(ledger.entries, at_hand),
    }


def files(here: pathlib.Path) -> dict:
    return {
        "evidence/expected-pairs.json": {
            "family": "evidence",
            "description": "agent-work.jsonl and then agent-work-after-model-change.jsonl into one empty ledger, clock "
                           "at the epoch: the outcome of each line of the second file, the constrained verdict over "
                           "each pair, the invariant verdict and the findings of each trace.",
            **document(here / "evidence"),
        },
    }

"""Meaning: the forensic and the invariant verdict of one trace over a list of ledger entries.

An entry is a dict {seq, kind, trace_id, key, body}: `kind` accepted or rejected, `trace_id` and
`key` as the entry header states them, `body` the stored bytes. Entries may be forged.
"""

from __future__ import annotations

import functools

from . import canon, gate, schema

RANKS = {"auth_context": 0, "policy_decision": 1, "model_call": 2, "tool_call": 2}
UNREADABLE_RANK = 3


@functools.lru_cache(maxsize=4096)
def read(body: bytes):
    """`gate.read`, for bodies that several replays meet; nobody changes the value."""
    return gate.read(body)


def sort_key(entry):
    """Rank, time, hash in byte order; accepted before rejected; then ledger order."""
    rank, time_ms = UNREADABLE_RANK, 0
    try:
        value, record_type = read(entry["body"])
    except gate.Rejected:
        pass  # only a forged entry: after all that can be read, by hash
    else:
        rank = RANKS[record_type]
        time_ms = value["ts_ms" if "ts_ms" in value else "started_at_ms"].integer()
    return (rank, time_ms, entry["key"], entry["kind"] == "rejected", entry["seq"])


def chain(entries, trace_id: str, include_rejected: bool):
    """The entries of a trace in chain order."""
    kinds = ("accepted", "rejected") if include_rejected else ("accepted",)
    mine = [e for e in entries if e["trace_id"] == trace_id and e["kind"] in kinds]
    return sorted(mine, key=sort_key)


def is_key(data: bytes, entry) -> None:
    if canon.sha256(data) != entry["key"]:
        raise gate.Rejected("HASH_MISMATCH", "hash_mismatch.envelope_hash", "")


def byte_checks(entry) -> None:
    """Schema; re-canonicalize and compare with the stored bytes; re-hash and compare with the key."""
    value, _ = read(entry["body"])
    if canon.write(value) != entry["body"]:
        raise gate.Rejected("HASH_MISMATCH", "hash_mismatch.envelope_hash", "")
    is_key(entry["body"], entry)


def value_checks(entry) -> None:
    """Schema; the hash, which is over the canonical bytes of the value however it is stored."""
    value, _ = read(entry["body"])
    is_key(canon.write(value), entry)


def forensic_check(entry, answer) -> str:
    """The name of the step that failed, finer than its classification."""
    if answer.classification == "SCHEMA_REJECT":
        return "schema"
    if answer.classification != "HASH_MISMATCH":
        return "gate"
    value, _ = read(entry["body"])
    return "canonical_bytes" if canon.write(value) != entry["body"] else "hash"


INVARIANT_STEPS = {
    "SCHEMA_REJECT": "schema", "HASH_MISMATCH": "hash", "MISSING_PREREQ": "prerequisites",
    "TRACE_VIOLATION": "trace_continuity", "UNAUTHORIZED_EXECUTION": "authorization",
}


def invariant_check(_entry, answer) -> str:
    return INVARIANT_STEPS[answer.classification]


def forensic(entries, trace_id: str, include_rejected: bool, clock: str) -> dict:
    """{record, artifact_sha256, failure}: the hashed result, its key, and what failed first (or None)."""
    members = chain(entries, trace_id, include_rejected)
    failure = first_failure(members, byte_checks, forensic_check)
    return verdict("forensic", trace_id, members, failure, clock)


def invariant(entries, trace_id: str, include_rejected: bool, clock: str) -> dict:
    """The same, and `coverage` where it passed: without policy bytes nothing is re-decided."""
    members = chain(entries, trace_id, include_rejected)
    failure = invariant_failure(members)
    out = verdict("invariant", trace_id, members, failure, clock)
    if out["record"]["result"] == "pass":
        out["coverage"] = {"re_decided": 0, "re_executed": 0, "verified": len(members), "absent": 0}
    return out


def invariant_failure(members):
    return first_failure(members, value_checks, invariant_check)


def verdict(replay_type: str, trace_id: str, members, failure, clock: str) -> dict:
    failure_class = failure["classification"] if failure else None if members else "REPLAY_CHAIN_NOT_FOUND"
    record = {
        "replay_type": replay_type,
        "target_trace_id": trace_id,
        "input_envelope_hashes": [entry["key"] for entry in members],
        "result": "fail" if failure_class else "pass",
        "generated_at": clock,
    }
    if failure_class:
        record["failure_class"] = failure_class
    return {**sealed(record), "failure": failure}


def sealed(record: dict) -> dict:
    return {"record": record, "artifact_sha256": canon.sha256(canon.write(record))}


def first_failure(members, byte_checks, name_of):
    """All byte checks of the chain come before its gate checks; rejected attempts get no gate checks."""
    for entry in members:
        try:
            byte_checks(entry)
        except gate.Rejected as answer:
            return explained(entry, answer, name_of(entry, answer))
    accepted = [entry for entry in members if entry["kind"] == "accepted"]
    known = {}
    for entry in accepted:
        known.setdefault(entry["key"], (entry["seq"], read(entry["body"])[0]))
    for entry in accepted:
        try:
            gate.decide(read(entry["body"])[0], entry["seq"], known.get)
        except gate.Rejected as answer:
            return explained(entry, answer, name_of(entry, answer))
    return None


def explained(entry, answer, check: str) -> dict:
    return {
        "check": check, "classification": answer.classification, "error_kind": answer.error_kind,
        "pointer": answer.pointer, "seq": entry["seq"], "envelope_hash": entry["key"],
    }


def rejections_not_reproduced(entries) -> list:
    """Sequence numbers of rejected attempts that the gate, asked again in log order, would answer otherwise."""
    known = {}
    out = []
    for entry in sorted(entries, key=lambda e: e["seq"]):
        value = canon.parse(entry["body"])
        schema.validate(value)
        if entry["kind"] == "accepted":
            known.setdefault(entry["key"], (entry["seq"], value))
            continue
        try:
            if entry["declared_hash"] != entry["key"]:
                raise gate.Rejected("HASH_MISMATCH", "hash_mismatch.envelope_hash", "")
            gate.decide(value, entry["seq"], known.get)
            answer = (None, None)
        except gate.Rejected as rejected:
            answer = (rejected.classification, rejected.error_kind)
        if answer != (entry["classification"], entry["error_kind"]):
            out.append(entry["seq"])
    return out

"""Meaning: the forensic verdict of one trace over a list of ledger entries.

An entry is a dict {seq, kind, trace_id, key, body}: `kind` accepted or rejected, `trace_id` and
`key` as the entry header states them, `body` the stored bytes. Entries may be forged.
"""

from __future__ import annotations

from . import canon, gate, schema

RANKS = {"auth_context": 0, "policy_decision": 1, "model_call": 2, "tool_call": 2}
UNREADABLE_RANK = 3


def sort_key(entry):
    """Rank, time, hash in byte order; accepted before rejected; then ledger order."""
    rank, time_ms = UNREADABLE_RANK, 0
    try:
        value, record_type = gate.read(entry["body"])
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


def byte_checks(entry) -> None:
    """Schema; re-canonicalize and compare with the stored bytes; re-hash and compare with the key."""
    value, _ = gate.read(entry["body"])
    if canon.write(value) != entry["body"] or canon.sha256(entry["body"]) != entry["key"]:
        raise gate.Rejected("HASH_MISMATCH", "hash_mismatch.envelope_hash", "")


def failed_check(entry, answer) -> str:
    """The name of the step that failed, finer than its classification."""
    if answer.classification == "SCHEMA_REJECT":
        return "schema"
    if answer.classification != "HASH_MISMATCH":
        return "gate"
    value, _ = gate.read(entry["body"])
    return "canonical_bytes" if canon.write(value) != entry["body"] else "hash"


def forensic(entries, trace_id: str, include_rejected: bool, clock: str) -> dict:
    """{record, artifact_sha256, failure}: the hashed result, its key, and what failed first (or None)."""
    members = chain(entries, trace_id, include_rejected)
    failure = None
    failure_class = None
    if not members:
        failure_class = "REPLAY_CHAIN_NOT_FOUND"
    else:
        failure = first_failure(members)
        failure_class = failure["classification"] if failure else None
    record = {
        "replay_type": "forensic",
        "target_trace_id": trace_id,
        "input_envelope_hashes": [entry["key"] for entry in members],
        "result": "fail" if failure_class else "pass",
        "generated_at": clock,
    }
    if failure_class:
        record["failure_class"] = failure_class
    return {"record": record, "artifact_sha256": canon.sha256(canon.write(record)), "failure": failure}


def first_failure(members):
    """All byte checks of the chain come before its gate checks; rejected attempts get no gate checks."""
    for entry in members:
        try:
            byte_checks(entry)
        except gate.Rejected as answer:
            return explained(entry, answer, failed_check(entry, answer))
    accepted = [entry for entry in members if entry["kind"] == "accepted"]
    known = {}
    for entry in accepted:
        known.setdefault(entry["key"], (entry["seq"], canon.parse(entry["body"])))
    for entry in accepted:
        try:
            gate.decide(canon.parse(entry["body"]), entry["seq"], known.get)
        except gate.Rejected as answer:
            return explained(entry, answer, "gate")
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

"""Order: `commit_action`, its checks 0 to 7, over a list of submissions.

`decide` holds checks 4 to 6 alone, so that a replay asks the very same question.
"""

from __future__ import annotations

from . import canon, schema

ABSENT = object()
KEPT_DECLARED_BYTES = 128


class Submission:
    """What a caller hands to the gate; `ABSENT` where nothing was declared."""

    def __init__(self, envelope: bytes, record_type=ABSENT, declared_hash=ABSENT):
        self.envelope = envelope
        self.record_type = record_type
        self.declared_hash = declared_hash


class Rejected(Exception):
    """An answer other than ACCEPT."""

    def __init__(self, classification: str, error_kind: str, pointer: str):
        super().__init__(f"{classification} {error_kind} at {pointer!r}")
        self.classification = classification
        self.error_kind = error_kind
        self.pointer = pointer


def schema_reject(kind: str, pointer: str = "") -> Rejected:
    return Rejected("SCHEMA_REJECT", "schema_violation." + kind, pointer)


def read(data: bytes):
    """(value, record type) of a valid envelope, else `Rejected`: intake and check 1."""
    try:
        value = canon.parse(data)
    except canon.Fault as fault:
        kind = fault.kind if fault.kind == "duplicate_member" else "malformed_json"
        raise schema_reject(kind) from None
    try:
        return value, schema.validate(value)
    except schema.Violation as violation:
        raise schema_reject(violation.kind, violation.pointer) from None


def decide(value, seq: int, lookup) -> None:
    """Checks 4 to 6. `lookup(hash)` gives (seq, value) of an accepted record, or None."""

    def prerequisite(member: str, record_type: str):
        found = lookup(value[member])
        if found is None or found[0] >= seq or found[1]["record_type"] != record_type:
            raise Rejected("MISSING_PREREQ", "missing_prereq." + record_type, "/" + member)
        return found[1]

    if value["record_type"] == "auth_context":
        return
    before = [prerequisite("auth_context_envelope_sha256", "auth_context")]
    if value["record_type"] != "policy_decision":
        before.append(prerequisite("policy_decision_envelope_sha256", "policy_decision"))
    if any(other["trace"]["trace_id"] != value["trace"]["trace_id"] for other in before):
        raise Rejected("TRACE_VIOLATION", "trace_violation.trace_id_mismatch", "/trace/trace_id")
    if value["record_type"] == "policy_decision":
        return
    decision = before[1]
    if decision["auth_context_envelope_sha256"] != value["auth_context_envelope_sha256"]:
        raise Rejected(
            "UNAUTHORIZED_EXECUTION", "unauthorized.authority_mismatch", "/auth_context_envelope_sha256"
        )
    if decision["decision"]["result"] != "allow":
        raise Rejected(
            "UNAUTHORIZED_EXECUTION", "unauthorized.policy_denied", "/policy_decision_envelope_sha256"
        )


def kept_declared_hash(declared):
    """How a rejected attempt keeps what was declared: text, a dict when over 128 bytes, or None."""
    if not isinstance(declared, str):
        return None
    data = declared.encode("utf-8")
    if len(data) <= KEPT_DECLARED_BYTES:
        return declared
    return {
        "first_bytes_hex": data[:KEPT_DECLARED_BYTES].hex(),
        "length": len(data),
        "sha256": canon.sha256(data),
    }


class Ledger:
    """An empty ledger after genesis: the first entry kept has sequence number 1."""

    def __init__(self):
        self.accepted = {}
        self.entries = []

    def lookup(self, envelope_hash: str):
        return self.accepted.get(envelope_hash)

    def _keep(self, kind: str, key: str, body: bytes, value, **facts) -> int:
        seq = len(self.entries) + 1
        self.entries.append({
            "seq": seq, "kind": kind, "trace_id": value["trace"]["trace_id"], "key": key,
            "body": body, **facts,
        })
        return seq

    def commit(self, submission: Submission) -> dict:
        """One outcome, as a line of `proofline commit` states it."""
        key = None
        try:
            try:
                value = canon.parse(submission.envelope)
            except canon.Fault:
                read(submission.envelope)  # raises the intake's own answer
            if submission.record_type not in schema.RECORD_TYPES:
                raise Rejected("RECORD_TYPE_FORBIDDEN", "record_type_forbidden", "")
            value, own_type = read(submission.envelope)
            if own_type != submission.record_type:
                raise schema_reject("record_type_mismatch", "/record_type")
            body = canon.write(value)
            key = canon.sha256(body)
            seq = len(self.entries) + 1
            first = self.accepted.get(key)
            if submission.declared_hash != key:
                raise Rejected("HASH_MISMATCH", "hash_mismatch.envelope_hash", "")
            decide(value, first[0] if first else seq, self.lookup)
        except Rejected as answer:
            kept = None
            if key is not None:
                kept = self._keep(
                    "rejected", key, body, value, classification=answer.classification,
                    error_kind=answer.error_kind,
                    declared_hash=kept_declared_hash(submission.declared_hash),
                )
            return outcome(answer.classification, answer.error_kind, answer.pointer, key, kept, False)
        if first:
            return outcome("ACCEPT", None, None, key, first[0], True)
        self._keep("accepted", key, body, value)
        self.accepted[key] = (seq, value)
        return outcome("ACCEPT", None, None, key, seq, False)


def outcome(classification, error_kind, pointer, envelope_hash, seq, duplicate) -> dict:
    return {
        "classification": classification, "error_kind": error_kind, "pointer": pointer,
        "envelope_hash": envelope_hash, "seq": seq, "duplicate": duplicate,
    }

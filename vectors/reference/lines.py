"""Lines of an evidence file: bare envelopes, and wrappers {record_type, declared_hash, envelope}."""

from __future__ import annotations

from . import canon, gate

WRAPPER_MEMBERS = ("record_type", "declared_hash", "envelope")


class Shallow(canon._Reader):
    """Finds the top-level members of one object with the raw text of each, judging no value's inside."""

    def members(self):
        """{name: raw bytes}, or None when the value is no object."""
        at = self.skip(0)
        if self.byte(at) != 0x7B:
            return None
        found = {}
        at = self.skip(at + 1)
        if self.byte(at) == 0x7D:
            return self.finish(found, at + 1)
        while True:
            if self.byte(at) != 0x22:
                raise self.unexpected(at)
            start = at
            name, at = self.string(at)
            if name in found:
                raise canon.Fault("duplicate_member", start)
            at = self.skip(at)
            if self.byte(at) != 0x3A:
                raise self.unexpected(at)
            at = self.skip(at + 1)
            end = self.value_end(at)
            found[name] = self.data[at:end].rstrip(b" \t\r\n")
            at = self.skip(end)
            if self.byte(at) == 0x7D:
                return self.finish(found, at + 1)
            if self.byte(at) != 0x2C:
                raise self.unexpected(at)
            at = self.skip(at + 1)

    def finish(self, found, at: int):
        at = self.skip(at)
        if at < len(self.data):
            raise canon.Fault("trailing_data", at)
        return found

    def value_end(self, at: int) -> int:
        """The end of the value that starts at `at`: brackets and strings are only counted."""
        depth = 0
        while True:
            byte = self.byte(at)
            if byte == 0x22:
                at = self.string_end(at)
            elif byte in b"{[":
                depth += 1
                at += 1
            elif byte in b"}]":
                if depth == 0:
                    return at
                depth -= 1
                at += 1
            elif byte == 0x2C and depth == 0:
                return at
            else:
                at += 1
            if depth == 0 and at < len(self.data) and self.data[at] in b",}":
                return at

    def string_end(self, at: int) -> int:
        at += 1
        while self.byte(at) != 0x22:
            at += 2 if self.data[at] == 0x5C else 1
        return at + 1


class Refused(Exception):
    """A line whose form is wrong: classification, kind and pointer, before the gate sees it."""

    def __init__(self, answer: gate.Rejected):
        super().__init__(str(answer))
        self.answer = answer


def submission(line: bytes) -> gate.Submission:
    """What a line submits, else `Refused`."""
    if line.startswith(b"\xef\xbb\xbf"):
        raise Refused(gate.schema_reject("malformed_json"))
    try:
        members = Shallow(line, 0).members()
    except canon.Fault as fault:
        # A bare line is judged as a whole, so that its first fault in text order is the answer.
        kind = intake_kind(line) or fault.kind
        raise Refused(gate.schema_reject(kind if kind == "duplicate_member" else "malformed_json")) from None
    if members is None or not ("envelope" in members or "declared_hash" in members):
        return bare(line)
    unknown = sorted((name for name in members if name not in WRAPPER_MEMBERS), key=canon.utf16_key)
    if unknown:
        raise Refused(gate.schema_reject("additional_properties", canon.child("", unknown[0])))
    if "envelope" not in members:
        raise Refused(gate.schema_reject("type"))
    declared = {name: whole(members[name]) for name in WRAPPER_MEMBERS[:2] if name in members}
    return gate.Submission(members["envelope"], **declared)


def whole(data: bytes):
    try:
        return canon.parse(data)
    except canon.Fault as fault:
        kind = fault.kind if fault.kind == "duplicate_member" else "malformed_json"
        raise Refused(gate.schema_reject(kind)) from None


def intake_kind(line: bytes):
    try:
        canon.parse(line)
    except canon.Fault as fault:
        return fault.kind
    return None


def bare(line: bytes) -> gate.Submission:
    """A bare envelope declares its own record_type and its own hash."""
    value = whole(line)
    own = value.get("record_type") if isinstance(value, dict) else None
    if not isinstance(own, str):
        gate_answer = gate.schema_reject("required.record_type" if isinstance(value, dict) else "type")
        raise Refused(gate_answer)
    try:
        declared = canon.sha256(canon.write(value))
    except canon.WriteFault:
        declared = gate.ABSENT  # no integer-only value: check 1 answers before check 3
    return gate.Submission(line, own, declared)


def ingest(data: bytes, ledger: gate.Ledger) -> list:
    """One outcome a line, with its 1-based number; blank lines are counted and skipped."""
    out = []
    lines = data.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    for number, line in enumerate(lines, 1):
        if not line.strip(b" \t\r"):
            continue
        try:
            answer = ledger.commit(submission(line))
        except Refused as refused:
            a = refused.answer
            answer = gate.outcome(a.classification, a.error_kind, a.pointer, None, None, False)
        out.append({"line": number, **answer})
    return out

"""Meaning: what is legal and suspicious in one trace (section 6). Ask only about chains that pass.

A finding is {code, severity, seq, seqs, records}: the entry it is about, and all that it concerns in
ledger order with their hashes. There is one finding for each thing found: a missing parent span, a further
root span, a cycle, a blob; however many records name it.
"""

from __future__ import annotations

import json

from . import replay

SEVERITY = {
    "DECISION_OUTSIDE_CREDENTIAL_VALIDITY": "medium", "END_BEFORE_START": "low", "PARENT_SPAN_MISSING": "low",
    "SECOND_ROOT": "low", "SPAN_CYCLE": "medium", "LATE_PARENT": "info", "CONFLICTING_PARENT": "medium",
    "USAGE_TOTAL_MISMATCH": "low", "BLOB_NOT_AT_HAND": "info", "REJECTION_NOT_REPRODUCED": "high",
}


def findings(entries, trace_id: str, at_hand, unrepeated=None) -> list:
    """By entry, then by code. `at_hand` is a set of SHA-256s, or None where no store of blobs was given.

    `unrepeated` is what `replay.rejections_not_reproduced` says of the whole ledger, where it is known.
    """
    if unrepeated is None:
        unrepeated = replay.rejections_not_reproduced(entries)
    mine = sorted(replay.chain(entries, trace_id, False), key=lambda entry: entry["seq"])
    records = [(entry, json.loads(entry["body"])) for entry in mine]
    found = [
        *outside_validity(records), *ended_early(records), *odd_totals(records),
        *absent_blobs(records, at_hand), *Spans(records).findings(),
        *not_reproduced(entries, trace_id, unrepeated),
    ]
    return sorted(found, key=lambda one: (one["seq"], one["code"]))


def finding(code: str, about, concerned=()) -> dict:
    """`about` and the entries `concerned` beside it."""
    every = {entry["seq"]: entry for entry in (about, *concerned)}
    seqs = sorted(every)
    return {
        "code": code, "severity": SEVERITY[code], "seq": about["seq"], "seqs": seqs,
        "records": [every[seq]["key"] for seq in seqs],
    }


def outside_validity(records):
    contexts = {entry["key"]: (entry, value) for entry, value in records if value["record_type"] == "auth_context"}
    for entry, value in records:
        if value["record_type"] == "policy_decision":
            context, holder = contexts[value["auth_context_envelope_sha256"]]
            credential = holder["credential"]
            if not credential["verified_at_ms"] <= value["ts_ms"] <= credential["expires_at_ms"]:
                yield finding("DECISION_OUTSIDE_CREDENTIAL_VALIDITY", entry, [context])


def ended_early(records):
    for entry, value in records:
        if "ended_at_ms" in value and value["ended_at_ms"] < value["started_at_ms"]:
            yield finding("END_BEFORE_START", entry)


def odd_totals(records):
    for entry, value in records:
        usage = value.get("usage")
        if usage and usage["input_tokens"] + usage["output_tokens"] != usage["total_tokens"]:
            yield finding("USAGE_TOTAL_MISMATCH", entry)


def absent_blobs(records, at_hand):
    if at_hand is None:
        return
    naming = {}
    for entry, value in records:
        if value["record_type"] in ("model_call", "tool_call"):
            for member in ("request", "response"):
                naming.setdefault(value[member]["sha256"], []).append(entry)
    for blob, entries in naming.items():
        if blob not in at_hand:
            yield finding("BLOB_NOT_AT_HAND", entries[0], entries[1:])


def not_reproduced(entries, trace_id: str, unrepeated):
    """Of the attempts that the gate answers otherwise when the whole ledger is decided again, this trace's."""
    for entry in entries:
        if entry["seq"] in unrepeated and entry["trace_id"] == trace_id:
            yield finding("REJECTION_NOT_REPRODUCED", entry)


class Spans:
    """The spans of a trace: which entries stand for each, and the parents that they name.

    Several records may share a span; it was recorded when the first of them was.
    """

    def __init__(self, records):
        self.entries = {}  # span to entries, in ledger order, as all below
        self.parents = {}  # span to {parent: first entry that names it}
        self.roots = {}  # root span to its entries
        for entry, value in records:
            span = value["trace"]["span_id"]
            self.entries.setdefault(span, []).append(entry)
            parent = value["trace"].get("parent_span_id")
            if parent is None:
                self.roots.setdefault(span, []).append(entry)
            else:
                self.parents.setdefault(span, {}).setdefault(parent, entry)
        self.above = {span: self.ancestors(span) for span in self.entries}

    def ancestors(self, span: str) -> set:
        """Every span above; the span itself where it is on a cycle."""
        above, todo = set(), [span]
        while todo:
            for parent in self.parents.get(todo.pop(), ()):
                if parent not in above:
                    above.add(parent)
                    todo.append(parent)
        return above

    def findings(self):
        yield from self.missing_parents()
        yield from self.further_roots()
        yield from self.cycles()
        yield from self.late_parents()
        yield from self.conflicts()

    def missing_parents(self):
        naming = {}
        for span, entries in self.entries.items():
            for parent in self.parents.get(span, ()):
                if parent not in self.entries:
                    naming.setdefault(parent, []).extend(
                        entry for entry in entries if parent_of(entry) == parent
                    )
        for entries in naming.values():
            entries.sort(key=lambda entry: entry["seq"])
            yield finding("PARENT_SPAN_MISSING", entries[0], entries[1:])

    def further_roots(self):
        first, *others = self.roots.values() or [[]]
        for entries in others:
            yield finding("SECOND_ROOT", entries[0], [*entries[1:], *first])

    def cycles(self):
        seen = set()
        for span in self.entries:
            if span in self.above[span] and span not in seen:
                ring = {other for other in self.above[span] if span in self.above.get(other, ())}
                seen |= ring
                entries = sorted((e for s in ring for e in self.entries[s]), key=lambda e: e["seq"])
                yield finding("SPAN_CYCLE", entries[0], entries[1:])

    def late_parents(self):
        for span, parents in self.parents.items():
            first = self.entries[span][0]
            for parent in parents:
                if parent not in self.entries or span in self.above[parent]:
                    continue  # missing, or on a cycle, where no span is above another
                if self.entries[parent][0]["seq"] > first["seq"]:
                    yield finding("LATE_PARENT", first, [self.entries[parent][0]])

    def conflicts(self):
        for parents in self.parents.values():
            first, *others = parents.values()
            if others:
                yield finding("CONFLICTING_PARENT", others[0], [first, *others[1:]])


def parent_of(entry):
    return json.loads(entry["body"])["trace"].get("parent_span_id")

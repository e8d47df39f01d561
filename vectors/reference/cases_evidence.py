"""The evidence files: what each of their lines must lead to, and the verdict over each trace.

The lines come from the Rust generator; every answer here comes from this reference.
"""

from __future__ import annotations

import json
import pathlib

from . import canon, gate, lines, replay
from .cases_forensic import EPOCH

S = "schema_violation."
JSON, TWICE, TYPE = S + "malformed_json", S + "duplicate_member", S + "type"
EXTRA, FORBIDDEN = S + "additional_properties", "record_type_forbidden"
HASH = "hash_mismatch.envelope_hash"
NO_AUTH, NO_POLICY = "missing_prereq.auth_context", "missing_prereq.policy_decision"
TRACE = "trace_violation.trace_id_mismatch"
OK, AGAIN = None, "again"

# What is in each file, and by hand what each of its lines must lead to (None: computed only).
TROUBLE = {
    "binary.jsonl": ("4 KiB of random bytes between two good lines.", None),
    "blank-lines.jsonl": ("Lines of white space are counted and skipped.", [OK] * 3),
    "bom.jsonl": ("The file begins with a UTF-8 BOM, which belongs to its first line.", [JSON, NO_AUTH]),
    "crlf.jsonl": ("Lines end in CR LF; CR is JSON white space.", [OK] * 3),
    "denied-call.jsonl": ("A call under a decision that says deny, twice; then under one that allows.",
                          [OK, OK, "unauthorized.policy_denied", "unauthorized.policy_denied", OK, OK]),
    "duplicate-member.jsonl": ("A member name twice: plain, spelled with an escape, deep inside, inside a wrapper.",
                               [OK, TWICE, TWICE, TWICE, TWICE, OK]),
    "empty.jsonl": ("No byte at all.", []),
    "hostile-text.jsonl": ("Legal text that must not reach a terminal as it stands: escape sequences, bidi marks.",
                           [OK, AGAIN]),
    "invalid-utf8.jsonl": ("The second line has bytes that are no UTF-8.", [OK, JSON]),
    "lone-surrogate.jsonl": ("Half a surrogate pair, bare and wrapped.", [OK, JSON, JSON]),
    "missing-prerequisite.jsonl": ("Records before what they refer to, and a decision on a context never sent.",
                                   [NO_AUTH, NO_AUTH, OK, NO_POLICY, NO_AUTH, OK, OK]),
    "missing-trace-id.jsonl": ("trace_id missing, all zero, and in capitals.",
                               [OK, S + "trace_context.missing_trace_id", S + "pattern", S + "pattern", OK]),
    "no-last-newline.jsonl": ("The last line has no newline and counts all the same.", [OK] * 3),
    "not-an-envelope.jsonl": ("JSON that is no object, an empty object, and text that is no JSON.",
                              [TYPE, TYPE, TYPE, TYPE, S + "required.record_type", TYPE, JSON, JSON, JSON]),
    "other-trace.jsonl": ("Records whose prerequisites belong to another trace.",
                          [OK, OK, TRACE, OK, OK, TRACE, TRACE, OK]),
    "over-long-line.jsonl": ("The second line is over 1 MiB.", [OK, JSON, OK]),
    "repeated-line.jsonl": ("One context five times, in three spellings.", [OK, AGAIN, AGAIN, AGAIN, OK, AGAIN]),
    "spliced-authority.jsonl": ("A guest's call under a decision made for somebody else.",
                                [OK, OK, OK, "unauthorized.authority_mismatch", OK]),
    "too-deep.jsonl": ("65 levels are malformed, 64 only break the schema, bare and wrapped; 20,000 levels, closed and open.",
                       [OK, JSON, TYPE, JSON, TYPE, JSON, JSON, OK]),
    "truncated-line.jsonl": ("A line cut in the middle, and a last one cut without a newline.", [OK, JSON, OK, JSON]),
    "two-on-a-line.jsonl": ("Two envelopes on one line, a comma after one, one in an array.", [JSON, JSON, TYPE]),
    "unknown-member.jsonl": ("The schema is closed on every level.", [OK, EXTRA, EXTRA, EXTRA, OK]),
    "unknown-record-type.jsonl": ("record_type unknown, in capitals, null, missing; unknown only inside a wrapper.",
                                  [FORBIDDEN, FORBIDDEN, S + "required.record_type", S + "required.record_type",
                                   S + "enum", OK]),
    "utf16.jsonl": ("UTF-16 with a BOM; its newline leaves a NUL on a line of its own.", [JSON, JSON]),
    "wrapper.jsonl": ("Wrappers without record_type, without envelope, with a fourth member, with an unknown and another "
                      "record's type, with a number as type, around null; then a good one.",
                      [FORBIDDEN, TYPE, EXTRA, FORBIDDEN, S + "record_type_mismatch", FORBIDDEN, TYPE, OK]),
    "wrong-declared-hash.jsonl": ("Wrong, in capitals, with a prefix, 256 long, null, a number, absent; then right.",
                                  [HASH] * 7 + [OK]),
    "wrong-prerequisite-type.jsonl": ("References to accepted records of the wrong type.",
                                      [OK, OK, NO_POLICY, NO_AUTH, NO_AUTH, OK]),
    "wrong-types.jsonl": ("started_at_ms as text, fraction, exponent, -0, -1, 2^53, 2^53+1, null; then right.",
                          [OK, OK, TYPE, TYPE, TYPE, TYPE, S + "minimum", S + "maximum", S + "maximum", TYPE, OK]),
}


def stated(outcome: dict):
    return AGAIN if outcome["duplicate"] else outcome["error_kind"]


def trouble(folder: pathlib.Path) -> dict:
    on_disk = {path.name for path in folder.glob("*.jsonl")}
    assert on_disk == set(TROUBLE), on_disk ^ set(TROUBLE)
    out = {}
    for name, (what, kinds) in TROUBLE.items():
        outcomes = lines.ingest((folder / name).read_bytes(), gate.Ledger())
        got = [stated(outcome) for outcome in outcomes]
        if kinds is None:
            kinds = [OK] + [JSON] * (len(got) - 2) + [AGAIN]
        assert got == kinds, (name, got)
        out[name] = {"what": what, "outcomes": outcomes}
    return out


def agent_work(folder: pathlib.Path) -> dict:
    ledger = gate.Ledger()
    outcomes = lines.ingest((folder / "agent-work.jsonl").read_bytes(), ledger)
    traces = sorted({entry["trace_id"] for entry in ledger.entries})
    forensic = []
    for trace_id in traces:
        row = {"trace_id": trace_id}
        for name, listed in (("accepted", False), ("with_rejected", True)):
            verdict = replay.forensic(ledger.entries, trace_id, listed, EPOCH)
            assert verdict["failure"] is None and verdict["record"]["result"] == "pass", trace_id
            row[name] = {"record": verdict["record"], "artifact_sha256": verdict["artifact_sha256"]}
        forensic.append(row)
    return {
        "outcomes": outcomes,
        "forensic": forensic,
        "rejections_not_reproduced": replay.rejections_not_reproduced(ledger.entries),
        **facts(ledger, (folder / "payloads.jsonl").read_bytes()),
    }


def facts(ledger: gate.Ledger, payloads: bytes) -> dict:
    """What findings can rest on: blobs that are not at hand, totals that do not add up."""
    at_hand = set()
    for line in payloads.splitlines():
        assert canon.write(canon.parse(line), "content") == line, line
        at_hand.add(canon.sha256(line))
    absent, odd = [], []
    for entry in ledger.entries:
        value = json.loads(entry["body"])
        for member in ("request", "response"):
            blob = value.get(member, {}).get("sha256")
            if blob and blob not in at_hand:
                absent.append({"seq": entry["seq"], "member": member, "sha256": blob})
        usage = value.get("usage")
        if usage and usage["input_tokens"] + usage["output_tokens"] != usage["total_tokens"]:
            odd.append(entry["seq"])
    return {"absent_blobs": absent, "usage_total_mismatch": odd}


def files(here: pathlib.Path) -> dict:
    """Path to document, for the evidence folder below `here`."""
    folder = here / "evidence"
    return {
        "evidence/expected.json": {
            "family": "evidence",
            "description": "agent-work.jsonl into an empty ledger: the outcome of each line, then the forensic verdict "
                           "of each trace with the clock at the epoch, without and with rejected attempts listed.",
            **agent_work(folder),
        },
        "evidence/trouble/expected.json": {
            "family": "evidence",
            "description": "Each file into an empty ledger: the outcome of each line.",
            "files": trouble(folder / "trouble"),
        },
    }

"""Writes every golden file, or with `--check` compares and fails on drift.

Run from `vectors/`: python3 -m reference.generate [--check]
"""

from __future__ import annotations

import json
import pathlib
import sys

from . import (
    cases_backtests, cases_bundles_claims, cases_canon, cases_constrained, cases_decisions, cases_erasures,
    cases_evidence, cases_findings, cases_forensic, cases_gate, cases_imports, cases_invariant, cases_keys, cases_log,
    cases_notes, cases_otel, cases_pairs, cases_proofs, cases_records, cases_redecisions, cases_sealed, cases_trace_index, cases_verdicts,
)

HERE = pathlib.Path(__file__).resolve().parent.parent
FAMILIES = (
    "canon", "numbers", "records", "order", "gate", "chain", "headers", "links", "forensic", "invariant", "constrained",
    "findings", "notes", "checkpoints", "policies", "proofs", "sealed", "system", "trace_index", "multiproofs",
    "bundles", "decisions", "redecisions", "otel",
)
MODULES = (
    cases_canon, cases_records, cases_gate, cases_log, cases_forensic, cases_invariant, cases_constrained, cases_findings,
    cases_notes, cases_proofs, cases_sealed, cases_keys, cases_trace_index, cases_bundles_claims,
    cases_erasures, cases_verdicts, cases_decisions, cases_redecisions, cases_backtests,
    cases_imports,
)
# How deep each document of the evidence folder has a line for each member or item.
EVIDENCE_DEPTHS = {
    "evidence/expected.json": 2, "evidence/trouble/expected.json": 4, "evidence/expected-pairs.json": 2,
    "redecisions/expected.json": 2, "otel/expected.json": 3,
}


def line(value) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def document(family: str, description: str, cases: list) -> bytes:
    """One case a line, so that a diff shows which cases moved."""
    names = [case["name"] for case in cases]
    assert len(set(names)) == len(names), (family, sorted(n for n in names if names.count(n) > 1))
    rows = ",\n".join(line(case) for case in cases)
    return (
        '{"family":' + line(family) + ',\n"description":' + line(description) + ',\n"cases":[\n' + rows + "\n]}\n"
    ).encode("ascii")


def rows(value, depth: int) -> str:
    """JSON with a line for each member or item down to `depth`."""
    if depth and isinstance(value, dict):
        return "{\n" + ",\n".join(line(name) + ":" + rows(inner, depth - 1) for name, inner in value.items()) + "\n}"
    if depth and isinstance(value, list) and value:
        return "[\n" + ",\n".join(rows(item, depth - 1) for item in value) + "\n]"
    return line(value)


def golden() -> dict:
    """Every golden file: path below `vectors/` to bytes."""
    out = {}
    for module in MODULES:
        for path, parts in module.files().items():
            out[path] = document(*parts)
    documents = {**cases_evidence.files(HERE), **cases_pairs.files(HERE), **cases_redecisions.report(), **cases_otel.report()}
    for path, value in documents.items():
        out[path] = (rows(value, EVIDENCE_DEPTHS[path]) + "\n").encode("ascii")
    out.update(cases_redecisions.shipped())
    out.update(cases_otel.shipped())
    return out


def on_disk() -> set:
    """Golden files that exist, so that one which is no longer made is noticed."""
    found = {path for family in FAMILIES for path in (HERE / family).rglob("*") if path.is_file()}
    found |= set((HERE / "evidence").rglob("*.json"))
    return {path.relative_to(HERE).as_posix() for path in found}


def check(files: dict) -> int:
    drifted = [path for path in sorted(files) if not (HERE / path).is_file() or (HERE / path).read_bytes() != files[path]]
    leftover = sorted(on_disk() - set(files))
    for path in drifted:
        print(f"drift: vectors/{path}", file=sys.stderr)
    for path in leftover:
        print(f"not generated any more: vectors/{path}", file=sys.stderr)
    if drifted or leftover:
        print("regenerate with: vectors/regenerate", file=sys.stderr)
        return 1
    return 0


def write(files: dict) -> int:
    for path in on_disk() - set(files):
        (HERE / path).unlink()
    for path, data in files.items():
        target = HERE / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.is_file() or target.read_bytes() != data:
            target.write_bytes(data)
    return 0


def main(arguments: list) -> int:
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    files = golden()
    return check(files) if arguments else write(files)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

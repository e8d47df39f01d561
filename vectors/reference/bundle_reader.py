"""Runs `examples/verify_bundle.py` over the golden bundles: it accepts what holds, with the report that is expected, and
refuses the rest at the step that is named; then over a small bundle of which each byte was changed.

Run from `vectors/`: python3 -m reference.bundle_reader [--stand-in]

`--stand-in`: with the reference's own Ed25519 in place of `cryptography`, and a sample of the bytes only.
"""

from __future__ import annotations

import importlib.util
import io
import json
import pathlib
import sys

from . import page

HERE = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = HERE.parent / "examples" / "verify_bundle.py"
SMALL = "one trace"


def reader():
    spec = importlib.util.spec_from_file_location("verify_bundle", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def joined(parts: list) -> bytes:
    def one(part) -> bytes:
        return bytes(part) if isinstance(part, int) else part.encode() if isinstance(part, str) else bytes.fromhex(part["hex"])
    return b"".join(map(one, parts))


def edited(old: bytes, edits: list) -> bytes:
    out, at = b"", 0
    for edit in edits:
        out += old[at:edit["at"]] + joined(edit["insert"])
        at = edit["at"] + edit["remove"]
    return out + old[at:]


def cases(name: str) -> list:
    return json.loads((HERE / "bundles" / f"{name}.json").read_text("ascii"))["cases"]


def main(arguments: list) -> int:
    if arguments not in ([], ["--stand-in"]):
        print(__doc__, file=sys.stderr)
        return 2
    if arguments:
        page.stand_in()
        sys.modules["cryptography.exceptions"] = type(sys)("cryptography.exceptions")
        sys.modules["cryptography.exceptions"].InvalidSignature = page.InvalidSignature
    program = reader()
    schemas = program.read_schemas(program.SCHEMAS)
    assert all(word in program.KEYWORDS or word in program.ANNOTATIONS for _, one in schemas.values() for word in words(one))

    def judged(data: bytes, key) -> dict:
        report = program.Bundle(io.BytesIO(data), key and program.Key(key), schemas).verify()
        assert not report.get("why", "").startswith("unexpected"), report
        return report

    wrong, bases = [], {}
    for case in cases("accepted"):
        data = bases[case["name"]] = joined(case["bundle"])
        report = judged(data, case["key"])
        if report != {"verdict": "accepted", "schemas": "checked", **case["expected"]}:
            wrong.append((case["name"], report, case["expected"]))
    refused = cases("refused")
    for case in refused:
        data = edited(bases[case["of"]], case["edits"]) if "of" in case else joined(case["bundle"])
        report = judged(data, case["key"])
        if report.get("step") != case["expected"]["step"]:
            wrong.append((case["name"], report, case["expected"]))
    data, key = bases[SMALL], cases("accepted")[0]["key"]
    changed = 0
    for at in range(0, len(data), 97 if arguments else 1):
        for bit in (1, 128) if not arguments else (1,):
            tampered = bytearray(data)
            tampered[at] ^= bit
            changed += 1
            if judged(bytes(tampered), key)["verdict"] != "refused":
                wrong.append((f"byte {at} changed", "accepted", data[max(0, at - 20):at + 20]))
    for one in wrong:
        print(*one, sep="\n    ", file=sys.stderr)
    print(f"accepted {len(bases)}, refused {len(refused)}, and {changed} with a byte changed; {len(wrong)} wrong")
    return 1 if wrong else 0


def words(schema) -> list:
    """The keywords of a schema and of those inside it."""
    if not isinstance(schema, dict):
        return []
    out = list(schema)
    for word in ("properties", "$defs"):
        out += [inner for one in schema.get(word, {}).values() for inner in words(one)]
    for word in ("if", "then", "else", "items", "additionalProperties", "propertyNames"):
        out += words(schema.get(word))
    return out + [inner for word in ("allOf", "anyOf") for one in schema.get(word, []) for inner in words(one)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Runs `examples/verify_bundle.py` over the golden bundles: it accepts what holds, with the report that is expected, and
refuses the rest at the step that is named. Then it must refuse a small bundle of which any byte was changed, bundles of
which any line was dropped, doubled or moved, and any two bundles mixed.

Needs `cryptography`. Run from `vectors/`: python3 -m reference.bundle_reader
"""

from __future__ import annotations

import importlib.util
import io
import itertools
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

from . import bundles
from .cases_bundles import edited, joined

HERE = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = HERE.parent / "examples" / "verify_bundle.py"
SMALL, LARGE = "one trace", "a cover of three, the newest empty"


def reader():
    spec = importlib.util.spec_from_file_location("verify_bundle", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cases(name: str) -> list:
    return json.loads((HERE / "bundles" / f"{name}.json").read_text("ascii"))["cases"]


def members(data: bytes) -> list:
    """Names and contents, of a bundle that is known to be good."""
    out, at = [], 0
    while any(data[at:at + 512]):
        length = int(data[at + 124:at + 135], 8)
        out.append((data[at:at + 100].rstrip(b"\0").decode(), data[at + 512:at + 512 + length]))
        at += 512 + length + -length % 512
    return out


def tampered(bases: dict, keys: dict):
    """What was done, the bytes, and the key: all of these are to be refused."""
    data, key = bases[SMALL], keys[SMALL]
    for at in range(len(data)):
        for bit in (1, 32, 128):
            yield f"byte {at} changed by {bit}", data[:at] + bytes([data[at] ^ bit]) + data[at + 1:], key
        yield f"byte {at} dropped", data[:at] + data[at + 1:], key
        yield f"cut before byte {at}", data[:at], key
    for name in (SMALL, LARGE):
        parts, key = members(bases[name]), keys[name]
        for at, (part, text) in enumerate(parts):
            for what, other in lines_moved(text) if not part.startswith("blobs/") else ():
                # A signature may stand in a note twice; the first counts.
                if other != text and not (part == "checkpoint" and what.endswith("twice")):
                    yield f"{name}, {part}: {what}", bundles.tar(parts[:at] + [(part, other)] + parts[at + 1:]), key
    for name, other in itertools.permutations(bases, 2):
        ours, theirs = members(bases[name]), members(bases[other])
        for at, part in enumerate(ours):
            named = [one for one in theirs if one[0] == part[0]]
            # Who else signed the same checkpoint is no part of what a bundle claims.
            same_note = part[0] == "checkpoint" and note_text(named[0]) == note_text(part)
            if keys[name] and named and named[0] != part and not same_note:
                yield f"{part[0]} of {other} in {name}", bundles.tar(ours[:at] + named + ours[at + 1:]), keys[name]


def note_text(part) -> bytes:
    return part[1].rpartition(b"\n\n")[0]


def lines_moved(text: bytes):
    lines = text.splitlines(keepends=True)
    for at in range(len(lines)):
        yield f"line {at} dropped", b"".join(lines[:at] + lines[at + 1:])
        yield f"line {at} twice", b"".join(lines[:at + 1] + lines[at:])
        yield f"line {at} after the next", b"".join(lines[:at] + lines[at + 1:at + 2] + [lines[at]] + lines[at + 2:])


def as_program(data: bytes, key: str) -> list:
    """Exit codes and answers, as somebody sees them."""
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        good, bad, key_file = (pathlib.Path(folder) / name for name in ("good", "bad", "key"))
        good.write_bytes(data)
        bad.write_bytes(data[:-1])
        key_file.write_text(key + "\n", "ascii")
        for code, answer, *arguments in (
            (0, "authenticity: signed by", good, "--key", key), (0, "authenticity: signed by", good, "--key", key_file),
            (0, "authenticity: not asked", good), (0, '"verdict": "accepted"', good, "--json"),
            (1, "refused: container: two blocks", bad), (1, '"step": "container"', bad, "--json"),
            (0, "schemas were not at hand", "taken along", good, "--key", key), (2, "", good, "--schemas", folder),
            (2, "", good, "--key", "nobody"), (2, "", pathlib.Path(folder) / "none"), (2, "", folder), (2, "", "/dev/stdin"),
            (2, "", good, "--unknown"), (2, ""),
        ):
            program = PROGRAM
            if arguments[:1] == ["taken along"]:
                program = shutil.copy(PROGRAM, folder)
                del arguments[0]
            ran = subprocess.run([sys.executable, "-B", program, *arguments], input="", capture_output=True, text=True, check=False)
            if ran.returncode != code or answer not in ran.stdout or "Traceback" in ran.stderr:
                wrong.append((f"as a program: {arguments[1:]}", ran.returncode, ran.stdout, ran.stderr))
    return wrong


def main() -> int:
    program = reader()
    schemas = program.read_schemas(program.SCHEMAS)
    assert all(word in program.KEYWORDS or word in program.ANNOTATIONS for _, one in schemas.values() for word in words(one))

    def judged(data: bytes, key) -> dict:
        report = program.Bundle(io.BytesIO(data), key and program.Key(key), schemas).verify()
        assert not report.get("why", "").startswith("unexpected"), report
        return report

    wrong, bases, keys = [], {}, {}
    for case in cases("accepted"):
        data = bases[case["name"]] = joined(case["bundle"])
        keys[case["name"]] = case["key"]
        report = judged(data, case["key"])
        if report != {"verdict": "accepted", "schemas": "checked", **case["expected"]}:
            wrong.append((case["name"], report, case["expected"]))
    refused = cases("refused")
    for case in refused:
        data = edited(bases[case["of"]], case["edits"]) if "of" in case else joined(case["bundle"])
        report = judged(data, case["key"])
        if report.get("step") != case["expected"]["step"]:
            wrong.append((case["name"], report, case["expected"]))
    for case in cases("thinned"):
        data = edited(bases[case["of"]], case["edits"])
        report = judged(data, case["key"])
        if report["verdict"] != "accepted" or report["withheld"] != case["bodies"]:
            wrong.append((case["name"], report, case))
    changed = 0
    for what, data, key in tampered(bases, keys):
        changed += 1
        if judged(data, key)["verdict"] != "refused":
            wrong.append((what, "accepted"))
    wrong += as_program(bases[SMALL], keys[SMALL])
    for one in wrong:
        print(*one, sep="\n    ", file=sys.stderr)
    print(f"accepted {len(bases)}, refused {len(refused)}, and {changed} tampered with; {len(wrong)} wrong")
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
    sys.exit(main())

"""Runs the program that docs/proofs.md prints, over the golden files: it accepts what was issued and
refuses what was tampered with. Its one library is stood in for by the reference's own Ed25519.

Run from `vectors/`: python3 -m reference.page
"""

from __future__ import annotations

import contextlib
import io
import json
import pathlib
import re
import sys
import tempfile
import types

from . import ed25519

HERE = pathlib.Path(__file__).resolve().parent.parent
MODULE = "cryptography.hazmat.primitives.asymmetric.ed25519"
# What a reader must see that looks at the proof alone, without policy, entry or envelope.
TAMPERED = {
    "swapped hashes", "a hash too few", "a hash too many", "another header", "the neighbour's index", "another root",
    "another index", "another subject", "another size signed", "an index past the size", "the payload changed",
    "a number that is not the header's", "index before size", "one byte of the header", "another size in the checkpoint",
}


class InvalidSignature(Exception):
    pass


class PublicKey:
    """The part of the library that the program uses."""

    def __init__(self, public: bytes):
        self.public = public

    @classmethod
    def from_public_bytes(cls, public: bytes) -> PublicKey:
        return cls(public)

    def verify(self, signature: bytes, message: bytes) -> None:
        if not ed25519.verify(self.public, message, signature):
            raise InvalidSignature


def stand_in() -> None:
    for at in range(1, MODULE.count(".") + 2):
        name = ".".join(MODULE.split(".")[:at])
        sys.modules[name] = types.ModuleType(name)
    sys.modules[MODULE].Ed25519PublicKey = PublicKey


def cases(name: str) -> list:
    return json.loads((HERE / "proofs" / f"{name}.json").read_text("ascii"))["cases"]


def said(program, case: dict, path: pathlib.Path):
    """What the program prints about a proof, None where it refuses."""
    proof = case["proof"].encode() if "proof" in case else bytes.fromhex(case["proof_hex"])
    path.write_bytes(proof)
    of_log = case["policy"].split("\n")[0].split(" ")[1]
    sys.argv = ["check.py", str(path), of_log if proof.startswith(b"c2sp") else case["keys"][2 if proof[:1] == b"{" else 1]]
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            exec(program, {})  # the page's text, from this repository
    except (AssertionError, InvalidSignature, KeyError):
        return None
    return out.getvalue()


def main() -> int:
    page = (HERE.parent / "docs" / "proofs.md").read_text("utf-8")
    program = compile(re.search("```python\n(.*?)```", page, re.S)[1], "docs/proofs.md", "exec")
    stand_in()
    accepted = refused = 0
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "proof"
        for name in ("tlog", "cose", "dsse"):
            for case in cases(name):
                if case.get("issued") in ("text", "receipt", "statement"):
                    answer = said(program, case, path)
                    assert answer and case["expected"]["root"] in answer, (name, case["name"], answer)
                    accepted += 1
            for case in cases(name + ".negative"):
                if case["name"] in TAMPERED and "old" not in case:
                    assert said(program, case, path) is None, (name, case["name"])
                    refused += 1
    assert accepted == 16 and refused >= 20, (accepted, refused)
    print(f"accepted {accepted}, refused {refused}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

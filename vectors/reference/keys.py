"""The rules of key records and producers' signatures, from docs/format.md: what a ledger lets in.

A refusal is a `Refused` with the code that `docs/errors.md` lists.
"""

from __future__ import annotations

import base64

from . import canon, ed25519, imports, note, verdicts
from .erasures import TYPES, Erasures
from .note import Refused, refuse_unless
from .proofs import pae

ENVELOPE = "application/vnd.proofline.envelope-sha256"
LISTED = ("log", "cose", "dsse", "producer")


def statement(ledger_id: str, origin: str, event: str, key: str) -> bytes:
    return f"proofline/key/v1\nledger {ledger_id}\norigin {origin}\n{event}\nkey {key}\n".encode()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Ledger:
    """As much of a ledger as these rules need: entries count, keys, evidence by hash."""

    def __init__(self, ledger_id: str, origin: str):
        self.ledger_id, self.origin = ledger_id, origin
        self.size, self.keys, self.traces, self.known = 1, [], {}, {}
        self.evidence, self.artifacts, self.erasures = {}, {}, Erasures()

    def current(self, role: str, size: int) -> list:
        return [k for k in self.keys if k["key"].role == role and k["added"] < size
                and (k["retired"] is None or k["retired"] >= size)]

    def statement(self, event: str, key: str) -> bytes:
        return statement(self.ledger_id, self.origin, event, key)

    # What a signer makes.

    def added(self, key: note.Secret, by=None) -> dict:
        message = self.statement("added", key.text)
        record = {"system_type": "key", "version": "1", "event": "added", "key": key.text,
                  "signature": b64(ed25519.sign(key.seed, message))}
        if by:
            record["endorsement"] = {"key": by.short, "signature": b64(ed25519.sign(by.seed, message))}
        return record

    def retired(self, key: note.Key, by: note.Secret) -> dict:
        signature = ed25519.sign(by.seed, self.statement("retired", key.text))
        return {"system_type": "key", "version": "1", "event": "retired", "key": key.text,
                "endorsement": {"key": by.short, "signature": b64(signature)}}

    @staticmethod
    def signed(key: note.Secret, envelope_hash: str, trace_id: str) -> dict:
        message = pae(ENVELOPE, envelope_hash.encode())
        return {"artifact_type": "producer_signature", "version": "1", "target_trace_id": trace_id,
                "envelope_sha256": envelope_hash, "key": key.short,
                "signature": b64(ed25519.sign(key.seed, message))}

    # What the gate does.

    def commit(self, kind: str, body: dict) -> dict:
        digest = canon.sha256(canon.write(body))
        if self.erasures.reheld(digest):
            return {"code": "hold.placed_before"}
        if digest in self.known:
            return {"duplicate": self.known[digest]}
        try:
            {"evidence": self._evidence, "system": self._system, "artifact": self._artifact}[kind](body, digest)
        except Refused as refused:
            return {"code": refused.code}
        self.known[digest] = self.size
        self.size += 1
        return {"seq": self.size - 1}

    def _evidence(self, body: dict, digest: str) -> None:
        self.traces[digest] = body["trace"]["trace_id"]
        self.evidence[digest] = body

    def _system(self, record: dict, digest: str) -> None:
        if record["system_type"] in TYPES:
            return self.erasures.take(record, digest, self.evidence)
        key, by = note.read_key(record["key"]), record.get("endorsement")
        message = self.statement(record["event"], record["key"])
        if by:
            endorsers = [k["key"] for k in self.current("log", self.size) if k["key"].short == by["key"]]
            refuse_unless(bool(endorsers), "keys.endorser")
            good = ed25519.verify(endorsers[0].public, message, base64.b64decode(by["signature"]))
            refuse_unless(good, "keys.endorsement")
        if record["event"] == "retired":
            found = [k for k in self.current(key.role, self.size) if k["key"].text == key.text]
            refuse_unless(bool(found), "keys.not_current")
            found[0]["retired"] = self.size
            return
        refuse_unless(key.role != "log" or key.name == self.origin, "keys.name")
        refuse_unless(key.role in LISTED, "keys.role")
        refuse_unless(key.role == "log" or by is not None, "keys.unendorsed")
        refuse_unless(all(k["key"].short != key.short for k in self.keys), "keys.listed")
        good = ed25519.verify(key.public, message, base64.b64decode(record["signature"]))
        refuse_unless(good, "keys.possession")
        self.keys.append({"key": key, "added": self.size, "retired": None})

    def _artifact(self, record: dict, digest: str) -> None:
        if record.get("artifact_type") == "producer_signature":
            self._producer_signature(record)
        elif record.get("artifact_type") in ("otel_import", "import_account"):
            imports.admit(record, self.traces)
        else:
            producers = [k["key"] for k in self.current("producer", self.size)]
            verdicts.admit(record, self.artifacts, self.evidence, self.ledger_id, self.size, producers)
        self.artifacts[digest] = record

    def _producer_signature(self, record: dict) -> None:
        digest = record["envelope_sha256"]
        refuse_unless(digest in self.traces, "ledger.artifact_reference")
        refuse_unless(self.traces[digest] == record["target_trace_id"], "ledger.artifact_trace")
        found = [k["key"] for k in self.current("producer", self.size) if k["key"].short == record["key"]]
        refuse_unless(bool(found), "ledger.unknown_producer")
        message = pae(ENVELOPE, digest.encode())
        good = ed25519.verify(found[0].public, message, base64.b64decode(record["signature"]))
        refuse_unless(good, "ledger.producer_signature")

"""The rules of sealed verdicts, from docs/format.md: what a ledger lets in beside its evidence.

A refusal is a `Refused` with the code that `docs/errors.md` lists.
"""

from __future__ import annotations

import base64

from . import canon, ed25519
from .note import refuse_unless
from .proofs import pae

SEAL = "application/vnd.proofline.verdict-seal-sha256"


def digest(record: dict) -> str:
    return canon.sha256(canon.write(record))


def signed(key, seal: dict) -> dict:
    message = pae(SEAL, digest(seal).encode())
    return {"artifact_type": "verdict_signature", "version": "1", "target_trace_id": seal["target_trace_id"],
            "seal_sha256": digest(seal), "key": key.short,
            "signature": base64.b64encode(ed25519.sign(key.seed, message)).decode()}


def ascends(items: list) -> bool:
    return all(one < next for one, next in zip(items, items[1:]))


def kind(record: dict) -> str:
    return record.get("artifact_type", "replay_result")


def admit(record: dict, artifacts: dict, evidence, ledger_id: str, size: int, producers: list) -> None:
    """`artifacts` and `evidence` are by hash; `producers` are the keys that are current at this size."""
    {"replay_result": _result, "replay_diagnostics": _diagnostics, "verdict_seal": _seal,
     "verdict_signature": _signature}[kind(record)](record, artifacts, evidence, ledger_id, size, producers)


def _result(record, _artifacts, evidence, *_rest) -> None:
    refuse_unless(all(name in evidence for name in record["input_envelope_hashes"]), "ledger.artifact_reference")


def _diagnostics(record, artifacts, *_rest) -> None:
    refuse_unless(record["result_sha256"] in artifacts, "ledger.artifact_reference")


def _seal(record, artifacts, _evidence, ledger_id, size, _producers) -> None:
    names = record["result_sha256"], record["diagnostics_sha256"]
    refuse_unless(all(name in artifacts for name in names), "ledger.artifact_reference")
    result, explains = (artifacts[name] for name in names)
    checkpoint, log = record["checkpoint"], record["log"]
    tools = [(tool["adapter_id"], tool["tool_name"], tool["version"]) for tool in record["tools"]]
    fits = (
        record["ledger_id"] == ledger_id
        and 1 <= log["size"] <= size
        and (checkpoint is None or checkpoint["size"] <= log["size"])
        and ascends(record["policies"]) and ascends(tools)
        and kind(result) == "replay_result" and kind(explains) == "replay_diagnostics"
        and explains["result_sha256"] == record["result_sha256"]
    )
    refuse_unless(fits, "ledger.seal")
    refuse_unless(result["target_trace_id"] == record["target_trace_id"], "ledger.artifact_trace")


def _signature(record, artifacts, _evidence, _ledger_id, _size, producers) -> None:
    refuse_unless(record["seal_sha256"] in artifacts, "ledger.artifact_reference")
    seal = artifacts[record["seal_sha256"]]
    refuse_unless(kind(seal) == "verdict_seal", "ledger.seal")
    refuse_unless(seal["target_trace_id"] == record["target_trace_id"], "ledger.artifact_trace")
    found = [key for key in producers if key.short == record["key"]]
    refuse_unless(bool(found), "ledger.unknown_producer")
    message = pae(SEAL, record["seal_sha256"].encode())
    good = ed25519.verify(found[0].public, message, base64.b64decode(record["signature"]))
    refuse_unless(good, "ledger.producer_signature")

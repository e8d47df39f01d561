"""Family `system`: key records and producers' signatures, one ledger a case.

Each case states by hand what becomes of each action; the reference must agree before anything is written.
"""

from __future__ import annotations

import copy

from .build import Scene, envelope_hash
from .keys import Ledger
from .note import Secret

ORIGIN = "log.example/demo"
LEDGER_ID = "000102030405060708090a0b0c0d0e0f"
FIRST = Secret(ORIGIN, "log", bytes([1]) * 32)
SECOND = Secret(ORIGIN, "log", bytes([2]) * 32)
THIRD = Secret(ORIGIN, "log", bytes([3]) * 32)
GATEWAY = Secret("gateway.example", "producer", bytes([4]) * 32)
STRANGER = Secret("stranger.example", "producer", bytes([5]) * 32)
COSE = Secret(ORIGIN, "cose", bytes([6]) * 32)
DSSE = Secret(ORIGIN, "dsse", bytes([7]) * 32)
WITNESS = Secret("witness.example/w1", "witness", bytes([8]) * 32)
ELSEWHERE = Secret("other.example/log", "log", bytes([9]) * 32)
ROLES = ("log", "cose", "dsse", "producer")
SCENE = Scene(20261125)
CONTEXT, OTHER = (SCENE.context(SCENE.trace_id()) for _ in range(2))


class Case:
    """Acts on a ledger and writes down what comes of it."""

    def __init__(self, name: str, why=None):
        self.out = {"name": name, **({"why": why} if why else {}), "ledger_id": LEDGER_ID, "origin": ORIGIN,
                    "actions": [], "outcomes": []}
        self.ledger = Ledger(LEDGER_ID, ORIGIN)

    def act(self, kind: str, body: dict, expected) -> "Case":
        """`expected`: a seq, `-seq` for a duplicate of that entry, or the code of the refusal."""
        outcome = self.ledger.commit(kind, copy.deepcopy(body))
        stated = {"code": expected} if isinstance(expected, str) else (
            {"seq": expected} if expected >= 0 else {"duplicate": -expected})
        assert outcome == stated, (self.out["name"], outcome, stated)
        self.out["actions"].append({kind: body})
        self.out["outcomes"].append(outcome)
        return self

    def add(self, key, by, expected):
        return self.act("system", self.ledger.added(key, by), expected)

    def retire(self, key, by, expected):
        return self.act("system", self.ledger.retired(key, by), expected)

    def sign(self, key, envelope, expected, trace=None):
        trace_id = trace or envelope["trace"]["trace_id"]
        return self.act("artifact", self.ledger.signed(key, envelope_hash(envelope), trace_id), expected)

    def done(self) -> dict:
        sizes = range(self.ledger.size + 1)
        self.out["current"] = [
            {"size": size, "role": role, "keys": [k["key"].short for k in self.ledger.current(role, size)]}
            for size in sizes for role in ROLES
        ]
        return self.out


def rotated(name: str, why=None) -> Case:
    return Case(name, why).add(FIRST, None, 1).add(SECOND, FIRST, 2).retire(FIRST, SECOND, 3)


def replaced(record: dict, **members) -> dict:
    return {name: value for name, value in {**record, **members}.items() if value is not None}


def keys() -> list:
    home, elsewhere = Ledger(LEDGER_ID, ORIGIN), Ledger("ff" * 16, ORIGIN)
    added, by_first = home.added(THIRD), home.added(THIRD, FIRST)
    flipped = "A" if added["signature"][0] != "A" else "B"
    return [case.done() for case in (
        rotated("rotation"),
        rotated("a root beside the list").add(THIRD, None, 4),
        rotated("every role").add(COSE, SECOND, 4).add(DSSE, SECOND, 5).add(GATEWAY, SECOND, 6)
        .retire(GATEWAY, SECOND, 7),
        Case("the last key retires itself").add(FIRST, None, 1).retire(FIRST, FIRST, 2).add(SECOND, None, 3),
        Case("the same record again").add(FIRST, None, 1).add(FIRST, None, -1),
        rotated("a retired key comes back", "it was listed before").add(FIRST, SECOND, "keys.listed"),
        rotated("a retired key vouches", "it is not current").add(THIRD, FIRST, "keys.endorser"),
        rotated("a stranger vouches", "it is not listed").add(THIRD, THIRD, "keys.endorser"),
        rotated("a producer vouches", "it is no log key").add(GATEWAY, SECOND, 4)
        .act("system", replaced(added, endorsement={"key": GATEWAY.short, "signature": added["signature"]}),
             "keys.endorser"),
        Case("another origin's name", "log keys bear the origin").add(ELSEWHERE, None, "keys.name"),
        rotated("a witness", "witnesses are listed in policies").add(WITNESS, SECOND, "keys.role"),
        Case("a receipt key without a voucher", "only log keys are roots").add(COSE, None, "keys.unendorsed"),
        Case("a statement key without a voucher", "only log keys are roots").add(DSSE, None, "keys.unendorsed"),
        Case("a producer without a voucher", "only log keys are roots").add(GATEWAY, None, "keys.unendorsed"),
        Case("another ledger's record", "the statement names the ledger")
        .act("system", elsewhere.added(FIRST), "keys.possession"),
        Case("another ledger's endorsement", "the statement names the ledger").add(FIRST, None, 1)
        .act("system", replaced(added, endorsement=elsewhere.added(THIRD, FIRST)["endorsement"]), "keys.endorsement"),
        Case("a flipped signature", "it does not verify")
        .act("system", replaced(added, signature=flipped + added["signature"][1:]), "keys.possession"),
        Case("an endorsement of another key", "the statement names the key").add(FIRST, None, 1)
        .act("system", replaced(home.added(SECOND), endorsement=by_first["endorsement"]), "keys.endorsement"),
        Case("an endorsement of another event", "the statement names the event").add(FIRST, None, 1)
        .act("system", replaced(added, event="retired", signature=None, endorsement=by_first["endorsement"]),
             "keys.endorsement"),
        Case("retiring what is not listed", "there is nothing to retire").add(FIRST, None, 1)
        .retire(SECOND, FIRST, "keys.not_current"),
        rotated("retiring twice", "it is not current").retire(FIRST, SECOND, -3).add(THIRD, SECOND, 4)
        .retire(FIRST, THIRD, "keys.not_current"),
    )]


def producers() -> list:
    spliced = Ledger.signed(GATEWAY, envelope_hash(OTHER), CONTEXT["trace"]["trace_id"])["signature"]
    own = Ledger.signed(GATEWAY, envelope_hash(CONTEXT), CONTEXT["trace"]["trace_id"])

    def ready(name: str, why=None) -> Case:
        return (Case(name, why).add(FIRST, None, 1).add(GATEWAY, FIRST, 2).act("evidence", CONTEXT, 3)
                .act("evidence", OTHER, 4))

    return [case.done() for case in (
        ready("signed").sign(GATEWAY, CONTEXT, 5).sign(GATEWAY, OTHER, 6).sign(GATEWAY, CONTEXT, -5),
        ready("a stranger", "its key is not listed").sign(STRANGER, CONTEXT, "ledger.unknown_producer"),
        ready("a log key", "it is no producer key")
        .act("artifact", replaced(own, key=FIRST.short), "ledger.unknown_producer"),
        ready("a retired producer", "it is not current").retire(GATEWAY, FIRST, 5)
        .sign(GATEWAY, CONTEXT, "ledger.unknown_producer"),
        ready("another trace", "the envelope is of its own trace")
        .sign(GATEWAY, CONTEXT, "ledger.artifact_trace", OTHER["trace"]["trace_id"]),
        ready("no such envelope", "the ledger does not hold it")
        .act("artifact", replaced(own, envelope_sha256="ab" * 32), "ledger.artifact_reference"),
        ready("another envelope's signature", "it does not verify")
        .act("artifact", replaced(own, signature=spliced), "ledger.producer_signature"),
    )]


def files() -> dict:
    return {
        "system/keys.json": ("system", "Key records in a ledger: what is let in, and who is current when.", keys()),
        "system/producer_signatures.json": (
            "system", "Producers' signatures over envelopes that the ledger holds.", producers()),
    }

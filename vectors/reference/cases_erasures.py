"""Family `system`: erasures, holds and releases, one ledger a case.

Each case states by hand what becomes of each action; the reference must agree before anything is written.
"""

from __future__ import annotations

from . import canon
from .build import Scene, envelope_hash
from .cases_keys import Case

SCENE = Scene(20261126)
CONTEXT = SCENE.context(SCENE.trace_id())
WORK = SCENE.context(SCENE.trace_id())
WORK_DECISION = SCENE.decision(WORK)
CALL = SCENE.tool_call(WORK, WORK_DECISION)
BLOB, OTHER, KEY = "aa" * 32, "bb" * 32, "cc" * 32
REQUEST = CALL["request"]["sha256"]
OF_BLOB, OF_KEY = {"kind": "blob", "sha256": BLOB}, {"kind": "subject", "key_id": KEY}
OF_TRACE = {"kind": "trace", "trace_id": WORK["trace"]["trace_id"]}


def decision(action: str, resource: str, result="allow") -> dict:
    return SCENE.decision(CONTEXT, result=result, action=action, resource=resource)


def erasure(target: dict, authority: dict, reason="art. 17") -> dict:
    return {"system_type": "erasure", "version": "1", "target": target, "reason": reason,
            "authority": envelope_hash(authority)}


def hold(target: dict, reason="inquiry", **matter) -> dict:
    return {"system_type": "hold", "version": "1", "target": target, "reason": reason, **matter}


def release(held: dict, authority: dict) -> dict:
    return {"system_type": "release", "version": "1", "hold": identity(held), "reason": "closed",
            "authority": envelope_hash(authority)}


def identity(record: dict) -> str:
    return canon.sha256(canon.write(record))


ERASE, DENY = decision("erase", f"blob/{BLOB}"), decision("erase", f"blob/{BLOB}", "deny")
READ, ERASE_OTHER = decision("read", f"blob/{BLOB}"), decision("erase", f"blob/{OTHER}")
ERASE_KEY, BARE = decision("erase", f"subject/{KEY}"), decision("erase", BLOB)
ERASE_REQUEST = decision("erase", f"blob/{REQUEST}")
HELD, HELD_KEY, HELD_TRACE = hold(OF_BLOB, matter="2026-17"), hold(OF_KEY), hold(OF_TRACE)
RELEASE = decision("release", f"hold/{identity(HELD)}")
RELEASE_KEY = decision("release", f"hold/{identity(HELD_KEY)}")
RELEASE_TRACE = decision("release", f"hold/{identity(HELD_TRACE)}")


class Erasing(Case):
    def system(self, record: dict, expected):
        return self.act("system", record, expected)

    def with_decision(self, record: dict, expected: int):
        return self.act("evidence", record, expected)


def case(name: str, why=None) -> Erasing:
    return Erasing(name, why).act("evidence", CONTEXT, 1)


def refused(name: str, why: str, authority: dict, code: str) -> Erasing:
    return case(name, why).with_decision(authority, 2).system(erasure(OF_BLOB, authority), code)


def held(name: str) -> Erasing:
    return (case(name).system(HELD, 2).with_decision(ERASE, 3)
            .system(erasure(OF_BLOB, ERASE), "erasure.held").with_decision(RELEASE, 4))


def held_trace(name: str) -> Erasing:
    """The evidence comes after the hold."""
    return (case(name).system(HELD_TRACE, 2).act("evidence", WORK, 3).act("evidence", WORK_DECISION, 4)
            .act("evidence", CALL, 5).with_decision(ERASE_REQUEST, 6)
            .system(erasure({"kind": "blob", "sha256": REQUEST}, ERASE_REQUEST), "erasure.held"))


def erasures() -> list:
    return [it.done() for it in (
        case("a payload").with_decision(ERASE, 2).system(erasure(OF_BLOB, ERASE), 3)
        .system(erasure(OF_BLOB, ERASE), -3).system(erasure(OF_BLOB, ERASE, "again"), "erasure.erased"),
        case("a subject's key").with_decision(ERASE_KEY, 2).system(erasure(OF_KEY, ERASE_KEY), 3),
        case("the decision comes later", "it has to be there before")
        .system(erasure(OF_BLOB, ERASE), "erasure.authority").with_decision(ERASE, 2)
        .system(erasure(OF_BLOB, ERASE), 3),
        case("a context as authority", "it is no decision")
        .system(erasure(OF_BLOB, CONTEXT), "erasure.authority"),
        refused("a denial", "the decision says deny", DENY, "erasure.denied"),
        refused("another action", "the decision is about reading", READ, "erasure.action"),
        refused("another payload", "the decision is about another one", ERASE_OTHER, "erasure.resource"),
        refused("another kind of target", "the decision is about a key", ERASE_KEY, "erasure.resource"),
        refused("a bare digest", "the resource names no kind", BARE, "erasure.resource"),
        held("a hold and its release").system(release(HELD, RELEASE), 5).system(erasure(OF_BLOB, ERASE), 6)
        .system(hold(OF_BLOB, "too late"), "hold.erased"),
        held("a hold that comes back").system(release(HELD, ERASE), "erasure.action")
        .system(release(HELD_KEY, RELEASE), "hold.unknown")
        .system(release(HELD, RELEASE), 5).system(release(HELD, RELEASE), -5)
        .system(HELD, "hold.placed_before").system(hold(OF_BLOB, "another inquiry"), 6)
        .system(erasure(OF_BLOB, ERASE), "erasure.held"),
        case("a release by the decision about another hold").system(HELD, 2).system(HELD_KEY, 3)
        .with_decision(RELEASE_KEY, 4).system(release(HELD, RELEASE_KEY), "erasure.resource"),
        case("the same hold twice").system(HELD, 2).system(HELD, -2),
        case("a held key").system(HELD_KEY, 2).with_decision(ERASE_KEY, 3)
        .system(erasure(OF_KEY, ERASE_KEY), "erasure.held"),
        held_trace("a held trace").with_decision(ERASE, 7).system(erasure(OF_BLOB, ERASE), 8),
        held_trace("a released trace").with_decision(RELEASE_TRACE, 7)
        .system(release(HELD_TRACE, RELEASE_TRACE), 8)
        .system(erasure({"kind": "blob", "sha256": REQUEST}, ERASE_REQUEST), 9),
    )]


def files() -> dict:
    return {
        "system/erasures.json": ("system", "Erasures, holds and releases: what is let in.", erasures()),
    }

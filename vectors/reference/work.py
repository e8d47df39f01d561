"""A piece of work as a plan, and runs of it: the same path under new ids, hashes and times.

Everything that constrained replay compares is in the plan; everything that it must not look at is drawn anew.
"""

from __future__ import annotations

import copy

from . import canon
from .build import START_MS, Scene, envelope_hash

WEEK_MS = 7 * 24 * 3600 * 1000


def blob(text: str, content_type: str = "application/json") -> dict:
    """A reference to a document of which only the name matters here."""
    return {"content_type": content_type, "sha256": canon.sha256(text.encode()), "size_bytes": 100 + len(text)}


def step(action, resource, *calls, result="allow", reasons=("grant.present",), obligations=("log.full",),
         policy="agent-tools") -> dict:
    """A decision and the calls under it."""
    return {
        "policy": {"policy_id": policy, "policy_version": "2026.01.2", "policy_sha256": canon.sha256(policy.encode())},
        "request": {"action": action, "resource": resource},
        "decision": {"result": result, "reason_codes": dict.fromkeys(reasons, True),
                     "obligations": dict.fromkeys(obligations, True)},
        "calls": list(calls),
    }


def model(request="summarise ticket 7", response="a lamp arrived broken", status="ok", name="nw-large-2",
          usage=(900, 40)):
    call = {
        "record_type": "model_call", "model": {"provider": "northwind", "model": name},
        "request": blob(request), "response": blob(response), "outcome": {"status": status},
    }
    if usage:
        call["usage"] = {"input_tokens": usage[0], "output_tokens": usage[1], "total_tokens": sum(usage)}
    return call


def tool(request="ticket 7", response="waiting", status="ok", name="get_ticket"):
    return {
        "record_type": "tool_call", "tool": {"adapter_id": "tickets", "tool_name": name},
        "request": blob(request), "response": blob(response, "text/plain"), "outcome": {"status": status},
    }


def ask(*calls, **more) -> dict:
    return step("model.invoke", "models/northwind/nw-large-2", *calls, policy="model-access", **more)


def look(*calls, **more) -> dict:
    return step("ticket.read", "tickets/7", *calls, **more)


def edited(work: list, place: tuple, value) -> list:
    """A copy with one value replaced: place is (step, member, ...), or (step, "calls", call, member, ...)."""
    out = copy.deepcopy(work)
    target = out
    for name in place[:-1]:
        target = target[name]
    if value is None:
        del target[place[-1]]
    else:
        target[place[-1]] = value
    return out


class Run:
    """The records of one run, in the order in which they were made: context, then step after step."""

    def __init__(self, scene: Scene, work: list, start_ms: int = START_MS, actor_id="agents/planner-7"):
        self.context = scene.context(scene.trace_id(), start_ms, actor_id)
        self.trace_id = self.context["trace"]["trace_id"]
        self.decisions, self.calls = [], []
        self.records = [self.context]
        now_ms = start_ms
        for one in work:
            now_ms += 50 + scene.rng.below(500)
            decision = scene.decision(self.context, now_ms)
            decision.update({name: one[name] for name in ("policy", "request", "decision")})
            self.decisions.append(decision)
            self.records.append(decision)
            for call in one["calls"]:
                now_ms += 20 + scene.rng.below(900)
                self.call(scene, decision, call, now_ms)

    def call(self, scene: Scene, decision, call: dict, at_ms: int):
        build = scene.model_call if call["record_type"] == "model_call" else scene.tool_call
        record = build(self.context, decision, call.get("at_ms", at_ms))
        record.pop("usage", None)
        record.update({name: value for name, value in call.items() if name != "at_ms"})
        self.calls.append(record)
        self.records.append(record)

    def hashes(self) -> list:
        return [envelope_hash(record) for record in self.records]

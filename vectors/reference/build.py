"""Sample envelopes for the golden cases, and the ways of spelling them as text."""

from __future__ import annotations

import copy

from . import canon
from .prng import SplitMix64

START_MS = 1767225600000  # 2026-01-01T00:00:00Z


def compact(value) -> str:
    """JSON text in the order given, without white space."""
    return spell(value, "", "", lambda name: canon.quote(name))


def spell(value, before: str, after: str, name_text) -> str:
    """JSON text with the given white space around structure and the given spelling of names."""
    if isinstance(value, dict):
        inner = ("," + before).join(
            name_text(k) + after + ":" + after + spell(v, before, after, name_text) for k, v in value.items()
        )
        return "{" + before + inner + before + "}"
    if isinstance(value, list):
        return "[" + ("," + before).join(spell(v, before, after, name_text) for v in value) + "]"
    if isinstance(value, canon.Number):
        return value.literal
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return canon.write(value, "content").decode("utf-8")


def escaped_name(name: str) -> str:
    """A member name with every character spelled as an escape."""
    return '"' + "".join(f"\\u{ord(c):04x}" for c in name) + '"'


def shuffled(value, rng: SplitMix64):
    """The same value with the members of every object in another order."""
    if isinstance(value, dict):
        return {name: shuffled(value[name], rng) for name in rng.shuffled(list(value))}
    return value


def envelope_hash(envelope) -> str:
    return canon.sha256(canon.write(envelope))


def canonical(envelope) -> bytes:
    return canon.write(envelope)


def with_edits(envelope, **edits):
    """A deep copy with members replaced; `a__b=1` replaces member b of member a."""
    out = copy.deepcopy(envelope)
    for path, value in edits.items():
        *parents, last = path.split("__")
        target = out
        for name in parents:
            target = target[name]
        target[last] = value
    return out


class Scene:
    """Builds the records of traces, with ids and hashes drawn from a seed."""

    def __init__(self, seed: int):
        self.rng = SplitMix64(seed)

    def trace_id(self) -> str:
        return self.rng.hex(32)

    def head(self, record_type: str, layer: str, component: str, trace_id: str, times: dict, parent):
        span = {"trace_id": trace_id, "span_id": self.rng.hex(16), "span_kind": "child" if parent else "root"}
        if parent:
            span["parent_span_id"] = parent
        return {
            "spec_version": "1.0.0", "canon_version": "1", "record_type": record_type, **times,
            "trace": span, "producer": {"layer": layer, "component": component},
        }

    def context(self, trace_id: str, ts_ms: int = START_MS, actor_id="agents/planner-7", parent=None):
        return {
            **self.head("auth_context", "cpo", "gateway", trace_id, {"ts_ms": ts_ms}, parent),
            "actor": {"actor_kind": "agent", "actor_id": actor_id},
            "credential": {
                "credential_kind": "oidc", "issuer": "https://login.example.org/realms/ops",
                "presented_hash_sha256": self.rng.hex(64),
                "verified_at_ms": ts_ms, "expires_at_ms": ts_ms + 900000,
            },
            "grants": {"model.invoke": True, "tool.read": True},
        }

    def decision(self, context, ts_ms: int = START_MS + 40, result="allow", action="tool.read",
                 resource="repos/ledger/src/main.rs", trace_id=None, auth_hash=None):
        trace = trace_id or context["trace"]["trace_id"]
        parent = context["trace"]["span_id"]
        return {
            **self.head("policy_decision", "cpo", "policy-engine", trace, {"ts_ms": ts_ms}, parent),
            "auth_context_envelope_sha256": auth_hash or envelope_hash(context),
            "policy": {
                "policy_id": "agent-tools", "policy_version": "2026.01.2", "policy_sha256": self.rng.hex(64),
            },
            "request": {"action": action, "resource": resource},
            "decision": {
                "result": result,
                "reason_codes": {"grant.present" if result == "allow" else "grant.absent": True},
                "obligations": {"log.full": True},
            },
        }

    def blob(self, content_type="application/json"):
        return {
            "content_type": content_type, "sha256": self.rng.hex(64), "size_bytes": 64 + self.rng.below(20000),
        }

    def call(self, record_type, layer, component, context, decision, started_at_ms, trace_id,
             auth_hash, policy_hash):
        times = {"started_at_ms": started_at_ms, "ended_at_ms": started_at_ms + 100 + self.rng.below(4000)}
        trace = trace_id or context["trace"]["trace_id"]
        parent = decision["trace"]["span_id"] if decision else context["trace"]["span_id"]
        return {
            **self.head(record_type, layer, component, trace, times, parent),
            "auth_context_envelope_sha256": auth_hash or envelope_hash(context),
            "policy_decision_envelope_sha256": policy_hash or envelope_hash(decision),
        }

    def model_call(self, context, decision, started_at_ms=START_MS + 100, trace_id=None,
                   auth_hash=None, policy_hash=None, usage=True):
        out = self.call("model_call", "flow", "orchestrator", context, decision, started_at_ms, trace_id,
                        auth_hash, policy_hash)
        out.update({
            "model": {"provider": "northwind", "model": "nw-large-2"},
            "request": self.blob(), "response": self.blob(), "outcome": {"status": "ok"},
        })
        if usage:
            read, written = 200 + self.rng.below(8000), 20 + self.rng.below(900)
            out["usage"] = {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}
        return out

    def tool_call(self, context, decision, started_at_ms=START_MS + 200, trace_id=None,
                  auth_hash=None, policy_hash=None):
        out = self.call("tool_call", "adapter", "fs-adapter", context, decision, started_at_ms, trace_id,
                        auth_hash, policy_hash)
        out.update({
            "tool": {"adapter_id": "filesystem", "tool_name": "read_file"},
            "request": self.blob(), "response": self.blob("text/plain"), "outcome": {"status": "ok"},
        })
        return out

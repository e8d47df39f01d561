"""The policies of the family `redecisions` as plain Python: what each statement says of a question, without any engine.

The texts in `vectors/redecisions/` say the same in Cedar. The answer follows `docs/policy.md`.
"""

from __future__ import annotations

import re

from . import canon

BROKEN = "a statement that cannot be evaluated"


class Question:
    """A context and a decision on it, by the names that the statements below use."""

    def __init__(self, context, decision):
        self.kind, self.id = context["actor"]["actor_kind"], context["actor"]["actor_id"]
        self.grants = set(context["grants"])
        self.action, self.resource = decision["request"]["action"], decision["request"]["resource"]
        self.component = decision["producer"]["component"]
        self.ts_ms = int(str(decision["ts_ms"]))
        self.expires_at_ms = int(str(context["credential"]["expires_at_ms"]))

    def acts(self, name: str) -> bool:
        return self.action == name or self.action.startswith(name + ":")

    def on(self, name: str) -> bool:
        return self.resource == name or self.resource.startswith(name + "/")


def ended(q: Question) -> bool:
    return q.ts_ms > q.expires_at_ms


def trial(q: Question):
    """The text reads an attribute that no actor has."""
    return BROKEN if q.on("models/trial") else False


# Of each policy its statements: (id, effect, obligations, when it applies).
DESK = (
    ("readers-read", "permit", ("log-prompt",),
     lambda q: "tickets:read" in q.grants and q.action == "tickets:read" and q.on("desk")),
    ("Agents may write (with care)", "permit", ("notify-owner", "Keep for 30 days"),
     lambda q: q.kind == "agent" and q.acts("tickets:write") and q.on("desk") and "tickets:write" in q.grants),
    ("credential-ended", "forbid", (), ended),
    ("no-escalations", "forbid", ("page-on-call",), lambda q: q.on("desk/escalations") and q.kind != "user"),
)
MODELS = (
    ("models-for-agents", "permit", ("log-prompt",),
     lambda q: q.kind == "agent" and q.action == "model:invoke" and q.on("models/northwind")),
    ("any-model-at-the-desk", "permit", ("log-prompt", "cap-tokens"),
     lambda q: q.kind == "user" and q.acts("model") and q.component == "policy-engine"),
    ("trial-budget", "forbid", (), trial),
)
NEXT = (
    ("readers-read", "permit", ("log-prompt",),
     lambda q: "tickets:read" in q.grants and q.action == "tickets:read" and q.on("desk")),
    ("people-write", "permit", ("notify-owner",), lambda q: q.kind == "user" and q.acts("tickets:write") and q.on("desk")),
    ("models-for-all", "permit", ("log-prompt",), lambda q: q.acts("model") and q.on("models/northwind")),
    ("no-nightly-batch", "forbid", (), lambda q: (q.kind, q.id) == ("service", "batch/nightly")),
    ("credential-ended", "forbid", (), ended),
    ("trial-budget", "forbid", (), trial),
)

TEXTS = {
    "desk.cedar": """\
// Who may read and write tickets.
@id("readers-read")
@obligation("log-prompt")
permit(principal in Grant::"tickets:read", action == Action::"tickets:read", resource in Resource::"desk");

@id("Agents may write (with care)")
@obligation("notify-owner")
@obligation_kept("Keep for 30 days")
permit(principal in ActorKind::"agent", action in Action::"tickets:write", resource in Resource::"desk")
when { principal.grants.contains("tickets:write") };

@id("credential-ended")
forbid(principal, action, resource)
when { context.ts_ms > context.auth_context.credential.expires_at_ms };

@id("no-escalations")
@obligation("page-on-call")
forbid(principal, action, resource in Resource::"desk/escalations")
unless { principal.kind == "user" };
""",
    "models.cedar": """\
// Who may ask which model.
@id("models-for-agents")
@obligation("log-prompt")
permit(principal in ActorKind::"agent", action == Action::"model:invoke", resource in Resource::"models/northwind");

@id("any-model-at-the-desk")
@obligation("log-prompt")
@obligation_cap("cap-tokens")
permit(principal in ActorKind::"user", action in Action::"model", resource)
when { context.component == "policy-engine" };

// No actor has a budget: wherever this is asked, the policy fails, and a failing policy denies.
@id("trial-budget")
forbid(principal, action, resource in Resource::"models/trial")
when { principal.budget < 10 };
""",
    "broken.cedar": """\
// No statement without an @id can be a reason, so this is no policy that can be asked.
permit(principal, action == Action::"reports:read", resource);
""",
    "next.cedar": """\
// What might come next: people write and agents do not, everybody asks the northwind models, the nightly batch is over.
@id("readers-read")
@obligation("log-prompt")
permit(principal in Grant::"tickets:read", action == Action::"tickets:read", resource in Resource::"desk");

@id("people-write")
@obligation("notify-owner")
permit(principal in ActorKind::"user", action in Action::"tickets:write", resource in Resource::"desk");

@id("models-for-all")
@obligation("log-prompt")
permit(principal, action in Action::"model", resource in Resource::"models/northwind");

@id("no-nightly-batch")
forbid(principal == Actor::"service|batch/nightly", action, resource);

@id("credential-ended")
forbid(principal, action, resource)
when { context.ts_ms > context.auth_context.credential.expires_at_ms };

@id("trial-budget")
forbid(principal, action, resource in Resource::"models/trial")
when { principal.budget < 10 };
""",
}


def name_of(text: str) -> str:
    return canon.sha256(text.encode())


def token(name: str) -> str:
    """The Token of a name: itself, or `x.<readable part>.<SHA-256>`."""
    is_token = re.fullmatch(r"[a-z0-9][a-z0-9_\-:.]{0,127}", name)
    looks_made = re.fullmatch(r"x\.(.*\.)?[0-9a-f]{64}", name)
    if is_token and not looks_made:
        return name
    readable = re.sub(r"[^a-z0-9_\-:.]+", "-", re.sub(r"[A-Z]", lambda m: m[0].lower(), name))[:61]
    return f"x.{readable}.{canon.sha256(name.encode())}"


def decide(statements, question: Question) -> dict:
    """The decision: an error denies whatever else; a forbid that applies denies; else some permit must apply."""
    applied = [(name, effect, obligations, when(question)) for name, effect, obligations, when in statements]
    if any(answer is BROKEN for *_, answer in applied):
        return decision("deny", ["policy-error"], [])
    for effect, result in (("forbid", "deny"), ("permit", "allow")):
        deciding = [(name, obligations) for name, its, obligations, answer in applied if answer and its == effect]
        if deciding:
            return decision(result, [name for name, _ in deciding], [o for _, all_of in deciding for o in all_of])
    return decision("deny", [], [])


def decision(result: str, reasons, obligations) -> dict:
    return {
        "result": result,
        "reason_codes": {token(name): True for name in sorted(reasons)},
        "obligations": {token(name): True for name in sorted(obligations)},
    }


def failed(statements, question: Question) -> bool:
    return any(when(question) is BROKEN for *_, when in statements)

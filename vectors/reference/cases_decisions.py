"""Family `decisions`: what Cedar answers to one question, and the contract's decision.

There is no engine here. Each answer was written down by hand from Cedar's documentation of its language; only the
Tokens of names that are none are computed.
"""

from __future__ import annotations

import re

from . import canon
from .build import START_MS, compact, with_edits

TRACE = {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7", "span_kind": "root"}
INES = {
    "spec_version": "1.0.0", "canon_version": "1", "record_type": "auth_context", "ts_ms": START_MS,
    "trace": TRACE, "producer": {"layer": "cpo", "component": "gateway"},
    "actor": {"actor_kind": "user", "actor_id": "staff/ines"},
    "credential": {
        "credential_kind": "oidc", "issuer": "https://id.example", "presented_hash_sha256": "ab" * 32,
        "verified_at_ms": START_MS, "expires_at_ms": START_MS + 900000,
    },
    "grants": {"tickets:read": True, "tickets:write": True},
}
CHILD = with_edits(INES, trace={
    "trace_id": TRACE["trace_id"], "span_id": "53995c3f42cd8ad8", "span_kind": "child", "parent_span_id": TRACE["span_id"],
})
TOKEN = re.compile(r"[a-z0-9][a-z0-9_\-:.]{0,127}\Z")


def token(name: str) -> str:
    """The Token of a name (docs/policy.md)."""
    if TOKEN.match(name) and not re.match(r"x\..*\.[0-9a-f]{64}\Z", name):
        return name
    readable = re.sub(r"[^a-z0-9_\-:.]+", "-", "".join(c.lower() if c.isascii() else c for c in name))[:61]
    return "x." + readable + "." + canon.sha256(name.encode("utf-8"))


def case(name, policy, result=None, ids=(), errors=(), obligations=(), action="tickets:read", resource="desk/eu/7",
         context=INES, ts_ms=START_MS + 40, component="gateway", why=None):
    """`result` is what the engine alone answers; `ids` determine it; `errors` are the statements that fail."""
    decision = {
        "result": "deny" if errors else result,
        "reason_codes": {token(i): True for i in sorted({"policy-error"} if errors else ids)},
        "obligations": {token(o): True for o in sorted(() if errors else obligations)},
    }
    return {
        "name": name, **({"why": why} if why else {}), "policy": policy, "auth_context": compact(context),
        "request": {"action": action, "resource": resource}, "trace": TRACE, "component": component, "ts_ms": ts_ms,
        "expected": {"result": result, "determining": sorted(ids), "errors": sorted(errors), "decision": decision},
    }


def refused(name, policy, error, line, why=None):
    return {"name": name, **({"why": why} if why else {}), "policy": policy, "expected": {"error": error, "line": line}}


PERMIT = '@id("p") permit(principal, action, resource);'
FORBID = '@id("f") forbid(principal, action, resource);'
ERRS = "when { context.nobody == 1 };"
ANSWERS = [
    case("a permit that applies", PERMIT, "allow", ["p"]),
    case("a forbid that applies", FORBID, "deny", ["f"]),
    case("a forbid overrides a permit", PERMIT + "\n" + FORBID, "deny", ["f"]),
    case("a forbid overrides, whatever the order", FORBID + "\n" + PERMIT, "deny", ["f"]),
    case("two permits, both are reasons", PERMIT + '@id("q") permit(principal, action, resource);', "allow", ["p", "q"]),
    case("two forbids, both are reasons", FORBID + '@id("g") forbid(principal, action, resource);' + PERMIT, "deny", ["f", "g"]),
    case("a permit that does not apply is no reason",
         PERMIT + '@id("q") permit(principal, action == Action::"tickets:write", resource);', "allow", ["p"]),
    case("default deny has no reason", '@id("p") permit(principal, action == Action::"tickets:write", resource);', "deny"),
    case("a forbid that does not apply denies nothing",
         PERMIT + '@id("f") forbid(principal, action, resource) when { context.component == "other" };', "allow", ["p"]),
    case("unless", '@id("p") permit(principal, action, resource) unless { principal.kind == "agent" };', "allow", ["p"]),
    case("an empty policy denies", "", "deny"),
    case("a policy of comments denies", '// @id("p") permit(principal, action, resource);\n', "deny"),
    # Errors: the engine passes over what fails, the gate does not.
    case("a forbid that errs beside a permit", PERMIT + '@id("f") forbid(principal, action, resource) ' + ERRS, "allow",
         ["p"], ["f"], why="the engine alone would allow"),
    case("a permit that errs alone", '@id("p") permit(principal, action, resource) ' + ERRS, "deny", [], ["p"]),
    case("a permit that errs beside another", PERMIT + '@id("q") permit(principal, action, resource) ' + ERRS, "allow",
         ["p"], ["q"]),
    case("a permit that errs beside a forbid", FORBID + '@id("p") permit(principal, action, resource) ' + ERRS, "deny",
         ["f"], ["p"], why="a clean denial would have the reason f"),
    case("two that err", '@id("a") permit(principal, action, resource) ' + ERRS + '@id("b") forbid(principal, action, resource) '
         + ERRS, "deny", [], ["a", "b"]),
    case("an error drops the obligations", '@id("p") @obligation("log") permit(principal, action, resource);'
         + '@id("f") forbid(principal, action, resource) ' + ERRS, "allow", ["p"], ["f"]),
    case("a scope that does not fit is not evaluated",
         PERMIT + '@id("f") forbid(principal, action == Action::"tickets:write", resource) ' + ERRS, "allow", ["p"]),
    case("or stops before an error", '@id("p") permit(principal, action, resource) when { true || context.nobody };', "allow", ["p"]),
    case("and stops before an error", '@id("p") permit(principal, action, resource) when { false && context.nobody };', "deny"),
    case("overflow", '@id("p") permit(principal, action, resource) when { context.ts_ms + 9223372036854775807 > 0 };', "deny",
         [], ["p"]),
    case("a word compared with a number by order", '@id("p") permit(principal, action, resource) when { context.component < 1 };',
         "deny", [], ["p"]),
    case("a word is not equal to a number, which is no error",
         '@id("p") permit(principal, action, resource) when { context.component != 1 };', "allow", ["p"]),
    case("a condition that is no truth", '@id("p") permit(principal, action, resource) when { context.component };', "deny", [], ["p"]),
    # The mapping: principal.
    case("principal by uid", '@id("p") permit(principal == Actor::"user|staff/ines", action, resource);', "allow", ["p"]),
    case("principal of another kind", '@id("p") permit(principal == Actor::"agent|staff/ines", action, resource);', "deny"),
    case("in a kind", '@id("p") permit(principal in ActorKind::"user", action, resource);', "allow", ["p"]),
    case("in another kind", '@id("p") permit(principal in ActorKind::"agent", action, resource);', "deny"),
    case("in a grant", '@id("p") permit(principal in Grant::"tickets:write", action, resource);', "allow", ["p"]),
    case("a grant's prefix is no grant", '@id("p") permit(principal in Grant::"tickets", action, resource);', "deny"),
    case("is", '@id("p") permit(principal is Actor in Grant::"tickets:read", action, resource is Resource);', "allow", ["p"]),
    case("attributes of the principal", '@id("p") permit(principal, action, resource) when { principal.kind == "user" && '
         + 'principal.id like "staff/*" && principal.grants.containsAll(["tickets:read", "tickets:write"]) };', "allow", ["p"]),
    # Action and resource.
    case("an action in its prefix", '@id("p") permit(principal, action in Action::"tickets", resource);', "allow", ["p"]),
    case("an action in each of its prefixes", '@id("p") permit(principal, action in Action::"tickets:read", resource);'
         + '@id("q") permit(principal, action in Action::"tickets", resource);', "allow", ["p", "q"], action="tickets:read:all"),
    case("an action is in itself", '@id("p") permit(principal, action in Action::"tickets:read", resource);', "allow", ["p"]),
    case("part of a word is no prefix of an action", '@id("p") permit(principal, action in Action::"ticket", resource);', "deny"),
    case("a longer action is no prefix", '@id("p") permit(principal, action in Action::"tickets:read:all", resource);', "deny"),
    case("an action of a list", '@id("p") permit(principal, action in [Action::"a", Action::"tickets"], resource);', "allow", ["p"]),
    case("an action that ends in a colon", '@id("p") permit(principal, action in Action::"tickets", resource);', "allow", ["p"],
         action="tickets:"),
    case("a resource in its prefixes", '@id("p") permit(principal, action, resource in Resource::"desk");'
         + '@id("q") permit(principal, action, resource in Resource::"desk/eu");', "allow", ["p", "q"]),
    case("a resource beside the prefix", '@id("p") permit(principal, action, resource in Resource::"desk/eu");', "deny",
         resource="desk/europe/7"),
    case("a slash at the end", '@id("p") permit(principal, action, resource in Resource::"desk/eu");', "allow", ["p"],
         resource="desk/eu/"),
    case("two slashes", '@id("p") permit(principal, action, resource in Resource::"desk/");', "allow", ["p"], resource="desk//7"),
    case("a colon is no slash", '@id("p") permit(principal, action, resource in Resource::"desk");', "deny", resource="desk:eu"),
    # Context.
    case("no parent span at a root", '@id("p") permit(principal, action, resource) when { context.auth_context.trace has '
         + 'parent_span_id };', "deny"),
    case("a parent span that is not guarded", '@id("p") permit(principal, action, resource) when '
         + '{ context.auth_context.trace.parent_span_id != "" };', "deny", [], ["p"]),
    case("a guarded parent span", '@id("p") permit(principal, action, resource) when { context.auth_context.trace has '
         + 'parent_span_id && context.auth_context.trace.parent_span_id == "00f067aa0ba902b7" };', "allow", ["p"], context=CHILD),
    case("the kind of a span", '@id("p") permit(principal, action, resource) when { context.trace.span_kind == "root" && '
         + 'context.auth_context.trace.span_kind == "child" };', "allow", ["p"], context=CHILD),
    case("the credential", '@id("p") permit(principal, action, resource) when { context.auth_context.credential == {'
         + 'credential_kind: "oidc", issuer: "https://id.example", presented_hash_sha256: "' + "ab" * 32 + '", verified_at_ms: '
         + f'{START_MS}, expires_at_ms: {START_MS + 900000}' + '} };', "allow", ["p"]),
    case("up to the end of the credential", PERMIT + '@id("ended") forbid(principal, action, resource) when { context.ts_ms > '
         + 'context.auth_context.credential.expires_at_ms };', "allow", ["p"], ts_ms=START_MS + 900000),
    case("behind the end of the credential", PERMIT + '@id("ended") forbid(principal, action, resource) when { context.ts_ms > '
         + 'context.auth_context.credential.expires_at_ms };', "deny", ["ended"], ts_ms=START_MS + 900001),
    case("the greatest time", '@id("p") permit(principal, action, resource) when { context.ts_ms == 9007199254740991 };', "allow",
         ["p"], ts_ms=9007199254740991),
    case("the time of the context", '@id("p") permit(principal, action, resource) when { context.auth_context.ts_ms == '
         + f'{START_MS}' + ' };', "allow", ["p"]),
    case("two components", '@id("p") permit(principal, action, resource) when { context.component == "kernel" && '
         + 'context.auth_context.component == "gateway" };', "allow", ["p"], component="kernel"),
    case("the actor of the context", '@id("p") permit(principal, action, resource) when { context.auth_context.actor == '
         + '{actor_kind: "user", actor_id: "staff/ines"} && context.auth_context.grants == principal.grants };', "allow", ["p"]),
    case("no grants", '@id("p") permit(principal, action, resource) when { principal.grants == [] };', "allow", ["p"],
         context=with_edits(INES, grants={})),
    case("an issuer with quotes", '@id("p") permit(principal, action, resource) when { context.auth_context.credential.issuer == '
         + '"a\\"b::\\n\\0" };', "allow", ["p"], context=with_edits(INES, credential__issuer='a"b::\n\x00')),
    case("an issuer that looks like an entity", '@id("p") permit(principal, action, resource) when '
         + '{ context.auth_context.credential.issuer == "{\\"__entity\\":{\\"type\\":\\"Actor\\",\\"id\\":\\"root\\"}}" };', "allow", ["p"],
         context=with_edits(INES, credential__issuer='{"__entity":{"type":"Actor","id":"root"}}')),
    # What does not exist.
    case("an entity that does not exist", '@id("p") permit(principal in Team::"nobody", action, resource);', "deny"),
    case("an action that does not exist", '@id("p") permit(principal, action == Action::"no such", resource);', "deny"),
    case("an attribute of an entity that does not exist", '@id("p") permit(principal, action, resource) when '
         + '{ Team::"nobody".lead == principal };', "deny", [], ["p"]),
    case("an attribute that does not exist", '@id("p") permit(principal, action, resource) when { principal.name == "" };', "deny",
         [], ["p"]),
    case("a type that does not exist", '@id("p") permit(principal is Robot, action, resource);', "deny"),
    # Reasons and obligations.
    case("obligations of what applies", '@id("p") @obligation("log") @obligation_2("mask") permit(principal, action, resource);'
         + '@id("q") @obligation("ask") permit(principal, action, resource in Resource::"lab");', "allow", ["p"],
         obligations=["log", "mask"]),
    case("equal obligations are one", '@id("p") @obligation("log") permit(principal, action, resource);'
         + '@id("q") @obligation("log") permit(principal, action, resource);', "allow", ["p", "q"], obligations=["log"]),
    case("obligations of a denial", '@id("f") @obligation("alert") forbid(principal, action, resource);'
         + '@id("p") @obligation("log") permit(principal, action, resource);', "deny", ["f"], obligations=["alert"]),
    case("other annotations oblige to nothing", '@id("p") @obligations("a") @advice("b") permit(principal, action, resource);',
         "allow", ["p"]),
    case("an id that is no Token", '@id("Refund limit (EU)") permit(principal, action, resource);', "allow", ["Refund limit (EU)"]),
    case("an empty id", '@id("") permit(principal, action, resource);', "allow", [""]),
    case("an id without a value", "@id permit(principal, action, resource);", "allow", [""]),
    case("an id of other letters", '@id("Grenze \\u{e9}\\u{1f642}") permit(principal, action, resource);', "allow",
         ["Grenze \u00e9\U0001f642"]),
    case("an id that looks made", '@id("x.a.' + "0" * 64 + '") permit(principal, action, resource);', "allow", ["x.a." + "0" * 64]),
    case("an obligation that is no Token", '@id("p") @obligation("Tell the DPO") permit(principal, action, resource);', "allow",
         ["p"], obligations=["Tell the DPO"]),
    case("an id like a number of the engine", '@id("policy1") permit(principal, action, resource);'
         + '@id("policy0") forbid(principal, action, resource);', "deny", ["policy0"]),
]
REFUSED = [
    refused("no policy", "\nlet it be;", "cedar.syntax", 2),
    refused("cut off", '@id("p") permit(principal, action, resource)', "cedar.syntax", 1),
    refused("a bracket without its other", '@id("p") permit(principal, action, resource) when {\n(true };', "cedar.syntax", 2),
    refused("two ids of one statement", '@id("p")\n@id("q") permit(principal, action, resource);', "cedar.syntax", 2),
    refused("an integer beyond 64 bits", '@id("p") permit(principal, action, resource)\nwhen { 9223372036854775808 > 0 };',
            "cedar.syntax", 2),
    refused("an unknown function", '@id("p") permit(principal, action, resource)\nwhen { now() > 0 };', "cedar.syntax", 2),
    refused("the same id twice", PERMIT + "\n" + PERMIT, "cedar.duplicate_id", 2),
    refused("one id for a permit and a forbid", PERMIT + "\n\n" + FORBID.replace('"f"', '"p"'), "cedar.duplicate_id", 3),
    refused("ids that are spelled differently and the same", PERMIT + "\n" + PERMIT.replace('"p"', '"\\u{70}"'), "cedar.duplicate_id", 2),
    refused("a template", PERMIT + '\n@id("t") permit(principal == ?principal, action, resource);', "cedar.template", 2),
    refused("no id", PERMIT + "\n\nforbid(principal, action, resource);", "cedar.no_id", 3),
    refused("an annotation that is no id", '@ID("p") permit(principal, action, resource);', "cedar.no_id", 1),
    refused("a reserved id", '\n@id("policy-error") permit(principal, action, resource);', "cedar.reserved_id", 2),
]


def files() -> dict:
    return {
        "decisions/answers.json": ("decisions", "Questions to policies, and what they answer.", ANSWERS),
        "decisions/refused.json": ("decisions", "Texts that are no policy.", REFUSED),
    }

"""Words: the closed schemas of the four record types, in the contract's exact order of faults.

Schemas are data below; `validate` walks them depth-first and answers with the first violation.
"""

from __future__ import annotations

import re

from .canon import SAFE_INTEGER, Number, child, utf16_key

RECORD_TYPES = ("auth_context", "policy_decision", "model_call", "tool_call")


class Violation(Exception):
    """The first fault of an envelope: `kind` without the `schema_violation.` prefix, and a pointer."""

    def __init__(self, kind: str, pointer: str):
        super().__init__(f"{kind} at {pointer!r}")
        self.kind = kind
        self.pointer = pointer

    @property
    def error_kind(self) -> str:
        return "schema_violation." + self.kind


# Node forms: ("string", max, min, pattern) with None where there is no rule; ("const", typed, value);
# ("enum", values) which is a typed string; ("int",); ("set",); ("trace",);
# ("object", [(name, node), ...], names that may be absent).
TOKEN = ("string", 128, 1, r"[a-z0-9][a-z0-9_\-:.]{0,127}")
RESOURCE = ("string", 256, 1, r"[a-z0-9][a-z0-9_\-:./]{0,255}")
CONTENT_TYPE = ("string", 128, 3, r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+")
ISSUER = ("string", 256, 1, None)
HASH256 = ("string", None, None, r"[0-9a-f]{64}")
TRACE_ID = ("string", None, None, r"(?!0{32})[0-9a-f]{32}")
SPAN_ID = ("string", None, None, r"(?!0{16})[0-9a-f]{16}")
INT = ("int",)
STRING_SET = ("set",)
TRACE = ("trace",)


def record(*members, optional=()):
    return ("object", list(members), frozenset(optional))


def producer(layer: str):
    return record(("layer", ("const", False, layer)), ("component", TOKEN))


ACTOR = record(("actor_kind", TOKEN), ("actor_id", RESOURCE))
CREDENTIAL = record(
    ("credential_kind", TOKEN), ("issuer", ISSUER), ("presented_hash_sha256", HASH256),
    ("verified_at_ms", INT), ("expires_at_ms", INT),
)
POLICY_REF = record(("policy_id", TOKEN), ("policy_version", TOKEN), ("policy_sha256", HASH256))
POLICY_REQUEST = record(("action", TOKEN), ("resource", RESOURCE))
DECISION = record(
    ("result", ("enum", ("allow", "deny"))), ("reason_codes", STRING_SET), ("obligations", STRING_SET),
)
BLOB_REF = record(("content_type", CONTENT_TYPE), ("sha256", HASH256), ("size_bytes", INT))
OUTCOME = record(("status", TOKEN))
MODEL_REF = record(("provider", TOKEN), ("model", TOKEN))
TOOL_REF = record(("adapter_id", TOKEN), ("tool_name", TOKEN))
USAGE = record(("input_tokens", INT), ("output_tokens", INT), ("total_tokens", INT))

TRACE_ROOT = record(
    ("trace_id", TRACE_ID), ("span_id", SPAN_ID), ("span_kind", ("const", False, "root")),
)
TRACE_CHILD = record(
    ("trace_id", TRACE_ID), ("span_id", SPAN_ID), ("span_kind", ("const", False, "child")),
    ("parent_span_id", SPAN_ID),
)


def head(record_type: str, times, layer: str):
    return [
        ("spec_version", ("const", True, "1.0.0")),
        ("canon_version", ("const", True, "1")),
        ("record_type", ("const", False, record_type)),
        *((name, INT) for name in times),
        ("trace", TRACE),
        ("producer", producer(layer)),
    ]


AUTHORITY = [("auth_context_envelope_sha256", HASH256), ("policy_decision_envelope_sha256", HASH256)]
BLOBS = [("request", BLOB_REF), ("response", BLOB_REF), ("outcome", OUTCOME)]
CALL_TIMES = ("started_at_ms", "ended_at_ms")

RECORDS = {
    "auth_context": record(
        *head("auth_context", ("ts_ms",), "cpo"),
        ("actor", ACTOR), ("credential", CREDENTIAL), ("grants", STRING_SET),
    ),
    "policy_decision": record(
        *head("policy_decision", ("ts_ms",), "cpo"), AUTHORITY[0],
        ("policy", POLICY_REF), ("request", POLICY_REQUEST), ("decision", DECISION),
    ),
    "model_call": record(
        *head("model_call", CALL_TIMES, "flow"), *AUTHORITY,
        ("model", MODEL_REF), *BLOBS, ("usage", USAGE), optional=("usage",),
    ),
    "tool_call": record(
        *head("tool_call", CALL_TIMES, "adapter"), *AUTHORITY, ("tool", TOOL_REF), *BLOBS,
    ),
}


def validate(value) -> str:
    """The record type of a valid envelope, else `Violation`."""
    if not isinstance(value, dict):
        raise Violation("type", "")
    record_type = value.get("record_type")
    if not isinstance(record_type, str):
        raise Violation("required.record_type", "")
    if record_type not in RECORDS:
        raise Violation("enum", "/record_type")
    walk(RECORDS[record_type], value, "")
    return record_type


def walk(node, value, pointer: str) -> None:
    """Raises the first violation at or below `pointer`."""
    form = node[0]
    if form == "object":
        walk_object(node, value, pointer)
    elif form == "trace":
        variant = TRACE_ROOT
        if isinstance(value, dict) and value.get("span_kind") == "child":
            variant = TRACE_CHILD
        walk_object(variant, value, pointer)
    elif form == "set":
        walk_set(value, pointer)
    elif form == "string":
        if not isinstance(value, str):
            raise Violation("type", pointer)
        walk_string(node, value, pointer)
    elif form == "int":
        walk_int(value, pointer)
    elif form == "enum":
        if not isinstance(value, str):
            raise Violation("type", pointer)
        if value not in node[1]:
            raise Violation("enum", pointer)
    else:
        _, typed, wanted = node
        if typed and not isinstance(value, str):
            raise Violation("type", pointer)
        if value is True or value is False or value != wanted:
            raise Violation("const", pointer)


def walk_object(node, value, pointer: str) -> None:
    _, members, optional = node
    if not isinstance(value, dict):
        raise Violation("type", pointer)
    for name, _ in members:
        if name not in value and name not in optional:
            if pointer == "/trace" and name == "trace_id":
                raise Violation("trace_context.missing_trace_id", pointer)
            raise Violation("required." + name, pointer)
    known = {name for name, _ in members}
    for name in sorted(value, key=utf16_key):
        if name not in known:
            raise Violation("additional_properties", child(pointer, name))
    for name, inner in members:
        if name in value:
            walk(inner, value[name], child(pointer, name))


def walk_set(value, pointer: str) -> None:
    if not isinstance(value, dict):
        raise Violation("type", pointer)
    names = sorted(value, key=utf16_key)
    for name in names:
        walk_string(TOKEN, name, child(pointer, name))
    for name in names:
        if not isinstance(value[name], bool):
            raise Violation("type", child(pointer, name))
        if value[name] is False:
            raise Violation("const", child(pointer, name))


def walk_string(node, text: str, pointer: str) -> None:
    _, longest, shortest, pattern = node
    if longest is not None and len(text) > longest:
        raise Violation("maxLength", pointer)
    if shortest is not None and len(text) < shortest:
        raise Violation("minLength", pointer)
    if pattern is not None and not re.fullmatch(pattern, text):
        raise Violation("pattern", pointer)


def walk_int(value, pointer: str) -> None:
    integer = value.integer() if isinstance(value, Number) else "not_an_integer"
    if integer == "not_an_integer":
        raise Violation("type", pointer)
    if integer == "too_large":
        raise Violation("maximum", pointer)
    if integer == "too_small" or integer < 0:
        raise Violation("minimum", pointer)
    assert integer <= SAFE_INTEGER

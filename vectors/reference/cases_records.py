"""Families `records` and `order`: each record type, valid and with each fault, and which fault is first.

Every negative states the answer that it expects; the reference must agree before a file is written.
"""

from __future__ import annotations

import copy

from . import canon, gate, schema
from .build import Scene, compact, escaped_name, shuffled, spell, with_edits
from .cases_canon import raw
from .prng import SplitMix64

MAX = canon.SAFE_INTEGER
HASH_FAULTS = (
    ("one digit short", lambda v: v[:-1]), ("one digit long", lambda v: v + "0"),
    ("upper case", lambda v: "A" + v[1:]), ("no hex digit", lambda v: "g" + v[1:]),
    ("newline at the end", lambda v: v + "\n"), ("empty", lambda v: ""), ("0x in front", lambda v: "0x" + v[2:]),
    ("space in front", lambda v: " " + v[1:]), ("full-width digit", lambda v: "\uff11" + v[1:]),
)
NOT_STRINGS = (("number", 7), ("null", None), ("true", True), ("array", []), ("object", {}))
NOT_OBJECTS = (("array", []), ("null", None), ("string", "{}"), ("number", 0), ("true", True))
INT_FAULTS = (
    ("decimal string", "1", "type"), ("fraction", canon.Number("1.5"), "type"),
    ("fraction of zero", canon.Number("1.0"), "type"), ("exponent", canon.Number("1e3"), "type"),
    ("minus zero", canon.Number("-0"), "type"), ("true", True, "type"), ("null", None, "type"),
    ("array", [], "type"), ("2^53", MAX + 1, "maximum"), ("2^64", 1 << 64, "maximum"),
    ("forty digits", canon.Number("1" * 40), "maximum"), ("minus one", -1, "minimum"),
    ("minus 2^53", -MAX - 1, "minimum"), ("minus forty digits", canon.Number("-" + "9" * 40), "minimum"),
    ("beyond a double", canon.Number("1e400"), "type"),
)
SET_FAULTS = (
    ("array of names", ["model.invoke"], "", "type"), ("null", None, "", "type"), ("string", "model.invoke", "", "type"),
    ("value null", {"a": None}, "/a", "type"), ("value 1", {"a": 1}, "/a", "type"),
    ("value \"true\"", {"a": "true"}, "/a", "type"), ("value object", {"a": {}}, "/a", "type"),
    ("value false", {"a": False}, "/a", "const"), ("empty name", {"": True}, "/", "minLength"),
    ("129 long name", {"a" * 129: True}, "/" + "a" * 129, "maxLength"),
    ("upper case name", {"Admin": True}, "/Admin", "pattern"),
    ("name with slash and tilde", {"a/b~c": True}, "/a~1b~0c", "pattern"),
    ("name with a newline", {"a\n": True}, "/a\n", "pattern"),
)
# String rules by node: (label, text, kind).
TOKEN_FAULTS = (
    ("129 long", "a" * 129, "maxLength"), ("129 long and upper case", "A" * 129, "maxLength"),
    ("empty", "", "minLength"), ("upper case", "Gateway", "pattern"), ("starts with a dot", ".a", "pattern"),
    ("starts with a colon", ":a", "pattern"), ("space", "a b", "pattern"), ("newline at the end", "a\n", "pattern"),
    ("slash", "a/b", "pattern"), ("not ASCII", "\u00e4", "pattern"), ("128 astral characters", "\U0001f600" * 128,
                                                                         "pattern"),
)
RESOURCE_FAULTS = (
    ("257 long", "a" * 257, "maxLength"), ("empty", "", "minLength"), ("starts with a slash", "/etc/passwd", "pattern"),
    ("upper case", "Repos/x", "pattern"), ("backslash", "a\\b", "pattern"), ("newline at the end", "a\n", "pattern"),
)
CONTENT_TYPE_FAULTS = (
    ("129 long", "a/" + "b" * 127, "maxLength"), ("two long", "a/", "minLength"), ("empty", "", "minLength"),
    ("no slash", "application", "pattern"), ("two slashes", "a/b/c", "pattern"), ("parameter", "text/plain; q=1",
                                                                                   "pattern"),
    ("no type", "/json", "pattern"), ("newline at the end", "text/plain\n", "pattern"),
)
ISSUER_FAULTS = (
    ("257 long", "a" * 257, "maxLength"), ("257 astral characters", "\U0001f600" * 257, "maxLength"),
    ("empty", "", "minLength"),
)
STRING_FAULTS = {
    schema.TOKEN: TOKEN_FAULTS, schema.RESOURCE: RESOURCE_FAULTS, schema.CONTENT_TYPE: CONTENT_TYPE_FAULTS,
    schema.ISSUER: ISSUER_FAULTS,
}


def bases() -> dict:
    """One full valid envelope of each type."""
    scene = Scene(0x5EED)
    trace = scene.trace_id()
    context = scene.context(trace)
    decision = scene.decision(context)
    return {
        "auth_context": scene.context(trace, parent=scene.rng.hex(16)),
        "policy_decision": decision,
        "model_call": scene.model_call(context, decision),
        "tool_call": scene.tool_call(context, decision),
    }


def accepted(name: str, text: str) -> dict:
    data = text.encode("utf-8")
    value, record_type = gate.read(data)
    body = canon.write(value)
    return {
        "name": name, **raw(data),
        "expected": {
            "record_type": record_type, **raw(body, "canonical"), "envelope_hash": canon.sha256(body),
            "certified": data == body,
        },
    }


def positives(record_type: str, base) -> list:
    rng = SplitMix64(len(record_type))
    cases = [
        accepted("schema order", compact(base)),
        accepted("canonical bytes", canon.write(base).decode("utf-8")),
        accepted("members shuffled, white space", spell(shuffled(base, rng), "\n  ", " ", canon.quote)),
        accepted("names spelled as escapes", spell(base, "", "", escaped_name)),
    ]
    root = copy.deepcopy(base)
    root["trace"]["span_kind"] = "root"
    del root["trace"]["parent_span_id"]
    cases.append(accepted("root span", compact(root)))
    longest = with_edits(base, producer__component="z" + "9_-:." * 25 + "ab")
    assert len(longest["producer"]["component"]) == 128
    cases.append(accepted("component of 128", compact(longest)))
    cases.append(accepted("component of 1", compact(with_edits(base, producer__component="0"))))
    times = {"ts_ms": 0} if "ts_ms" in base else {"started_at_ms": MAX, "ended_at_ms": 0}
    cases.append(accepted("edge times (an end before its start is a finding, not a fault)",
                          compact(with_edits(base, **times))))
    own_parent = with_edits(base, trace__parent_span_id=base["trace"]["span_id"])
    cases.append(accepted("a span that names itself as parent (a finding, not a fault)", compact(own_parent)))
    return cases + OWN_POSITIVES[record_type](base)


def context_positives(base) -> list:
    return [
        accepted("no grants", compact(with_edits(base, grants={}))),
        accepted("grants in UTF-16 order", compact(with_edits(base, grants={"a_b": True, "a-b": True, "a:b": True,
                                                                            "a.b": True, "a": True, "0": True}))),
        accepted("issuer of 256 astral characters", compact(with_edits(base, credential__issuer="\U0001f511" * 256))),
        accepted("issuer with quotes, controls and white space",
                 compact(with_edits(base, credential__issuer=" \"CN=Zo\u00eb\\Root\"\t\n\u0001\u2028/"))),
        accepted("issuer of one NUL", compact(with_edits(base, credential__issuer="\u0000"))),
        accepted("actor id of 256", compact(with_edits(base, actor__actor_id="a" + "/b_-:." * 42 + "xyz"))),
        accepted("expiry at 2^53-1", compact(with_edits(base, credential__expires_at_ms=MAX))),
        accepted("grant of 128", compact(with_edits(base, grants={"g" * 128: True}))),
    ]


def decision_positives(base) -> list:
    return [
        accepted("deny without reasons or obligations", compact(with_edits(
            base, decision={"result": "deny", "reason_codes": {}, "obligations": {}}))),
        accepted("resource of 256", compact(with_edits(base, request__resource="r" + "/" * 255))),
        accepted("resource of 1", compact(with_edits(base, request__resource="0"))),
        accepted("many reasons", compact(with_edits(
            base, decision__reason_codes={f"rule.{n}": True for n in range(20, 0, -1)}))),
    ]


def call_positives(base) -> list:
    cases = [
        accepted("shortest content type", compact(with_edits(base, request__content_type="a/b"))),
        accepted("content type of 128", compact(with_edits(base, response__content_type="a/" + "b" * 126))),
        accepted("content type with every allowed sign",
                 compact(with_edits(base, request__content_type="A0!#$&^_.+-/Z9!#$&^_.+-"))),
        accepted("empty blob", compact(with_edits(base, response__size_bytes=0))),
        accepted("largest blob", compact(with_edits(base, response__size_bytes=MAX))),
        accepted("another outcome", compact(with_edits(base, outcome__status="error:timeout"))),
    ]
    if "usage" in base:
        without = copy.deepcopy(base)
        del without["usage"]
        cases.append(accepted("without usage", compact(without)))
        cases.append(accepted("usage that does not add up (a finding, not a fault)",
                              compact(with_edits(base, usage__total_tokens=0))))
    return cases


OWN_POSITIVES = {
    "auth_context": context_positives, "policy_decision": decision_positives,
    "model_call": call_positives, "tool_call": call_positives,
}


def refused(name: str, why: str, text, kind: str, pointer: str) -> dict:
    data = text if isinstance(text, bytes) else text.encode("utf-8")
    try:
        gate.read(data)
    except gate.Rejected as answer:
        stated = ("schema_violation." + kind, pointer)
        assert (answer.error_kind, answer.pointer) == stated, (name, answer.error_kind, answer.pointer, stated)
    else:
        raise AssertionError(name + " was accepted")
    return {
        "name": name, "why": why, **raw(data),
        "expected": {
            "classification": "SCHEMA_REJECT", "error_kind": "schema_violation." + kind, "pointer": pointer,
        },
    }


def at(value, path):
    for name in path:
        value = value[name]
    return value


def put(base, path, new):
    out = copy.deepcopy(base)
    if not path:
        return new
    at(out, path[:-1])[path[-1]] = new
    return out


def drop(base, path):
    out = copy.deepcopy(base)
    del at(out, path[:-1])[path[-1]]
    return out


def nodes(node, path=()):
    """Every (path, node) of a schema, the child variant standing for every TraceContext."""
    if node[0] == "trace":
        node = schema.TRACE_CHILD
    yield path, node
    if node[0] == "object":
        for name, inner in node[1]:
            yield from nodes(inner, path + (name,))


class Rotation:
    """Takes `count` faults of a list at a time, so that each place meets some and all are met somewhere."""

    def __init__(self):
        self.positions = {}

    def take(self, faults, count: int) -> list:
        start = self.positions.get(id(faults), 0)
        self.positions[id(faults)] = start + count
        return [faults[(start + index) % len(faults)] for index in range(count)]


ROTATION = Rotation()


def negatives(record_type: str, base) -> list:
    cases = []
    for path, node in nodes(schema.RECORDS[record_type]):
        if path == ("record_type",):
            cases += record_type_faults(base)
            continue
        cases += missing_fault(base, path, node)
        cases += node_faults(base, path, node)
    return cases


def record_type_faults(base) -> list:
    out = [refused("record_type missing", "no record_type", compact(drop(base, ("record_type",))),
                   "required.record_type", "")]
    for label, value in NOT_STRINGS:
        out.append(refused(f"record_type: {label}", "a record_type that is no string counts as missing",
                           compact(put(base, ("record_type",), value)), "required.record_type", ""))
    for value in ("", "AUTH_CONTEXT", base["record_type"] + " ", "genesis", base["record_type"] + "s"):
        out.append(refused(f"record_type: {value!r}", "not one of the four types",
                           compact(put(base, ("record_type",), value)), "enum", "/record_type"))
    return out


def missing_fault(base, path, node) -> list:
    if not path or path[-1] == "usage":
        return []
    parent = "".join("/" + name for name in path[:-1])
    kind = "trace_context.missing_trace_id" if path == ("trace", "trace_id") else "required." + path[-1]
    if path == ("trace", "span_kind"):
        # Without a span_kind it is read as a root, but the missing member comes before the unknown one.
        kind = "required.span_kind"
    return [refused(".".join(path) + " missing", f"{path[-1]} is required", compact(drop(base, path)), kind, parent)]


def node_faults(base, path, node) -> list:
    label = ".".join(path) or "envelope"
    pointer = "".join("/" + name for name in path)
    form = node[0]
    out = []

    def add(fault: str, why: str, value, kind: str, below: str = "") -> None:
        out.append(refused(f"{label}: {fault}", why, compact(put(base, path, value)), kind, pointer + below))

    if form == "object":
        for fault, value in ROTATION.take(NOT_OBJECTS, 2 if path else 5):
            add(fault, "an object belongs here", value, "type")
        add("unknown member", "the schema is closed", {**at(base, path), "x_extra": 1}, "additional_properties",
            "/x_extra")
    elif form == "string":
        for fault, value in ROTATION.take(NOT_STRINGS, 1):
            add(fault, "a string belongs here", value, "type")
        if node in STRING_FAULTS:
            for fault, value, kind in ROTATION.take(STRING_FAULTS[node], 3):
                add(fault, f"breaks {kind}", value, kind)
        else:
            for fault, change in ROTATION.take(HASH_FAULTS, 2):
                add(fault, "breaks pattern", change(at(base, path)), "pattern")
        if node in (schema.TRACE_ID, schema.SPAN_ID):
            add("all zero", "W3C Trace Context forbids it", "0" * len(at(base, path)), "pattern")
    elif form == "int":
        for fault, value, kind in ROTATION.take(INT_FAULTS, 4):
            add(fault, f"breaks {kind}", value, kind)
    elif form == "set":
        for fault, value, below, kind in SET_FAULTS:
            add(fault, f"breaks {kind}", value, kind, below)
    elif form == "enum":
        for fault, value in ROTATION.take(NOT_STRINGS, 2):
            add(fault, "a string belongs here", value, "type")
        for value in ("ALLOW", "permit", "", "allow "):
            add(repr(value), "neither allow nor deny", value, "enum")
    elif path != ("trace", "span_kind"):
        out += const_faults(base, path, node)
    return out


def const_faults(base, path, node) -> list:
    _, typed, wanted = node
    label, pointer = ".".join(path), "/" + "/".join(path)
    out = []
    for fault, value in ROTATION.take(NOT_STRINGS, 3):
        kind, why = ("type", "a string belongs here") if typed else ("const", "a bare const has no type rule")
        out.append(refused(f"{label}: {fault}", why, compact(put(base, path, value)), kind, pointer))
    others = {"1.0.0": ("1.0.1", "1.0", ""), "1": ("2", "01", "")}.get(wanted, ("kernel", wanted.upper(), ""))
    for value in others:
        out.append(refused(f"{label}: {value!r}", f"only {wanted!r} is allowed", compact(put(base, path, value)),
                           "const", pointer))
    return out


def intake_negatives(base) -> list:
    """What never reaches check 0, and values that are no object."""
    text = compact(base)
    m, d = "malformed_json", "duplicate_member"
    out = [
        refused("empty input", "no value", "", m, ""),
        refused("cut in the middle", "no end", text[: len(text) // 2], m, ""),
        refused("cut before the last brace", "no end", text[:-1], m, ""),
        refused("BOM", "a BOM is refused", b"\xef\xbb\xbf" + text.encode(), m, ""),
        refused("two envelopes", "trailing data", text + text, m, ""),
        refused("trailing comma", "trailing data", text + ",", m, ""),
        refused("invalid UTF-8", "not UTF-8", text.replace("example", "ex\u00e4mple").encode("latin-1"), m, ""),
        refused("lone surrogate in a value", "no character", text.replace("example", "ex\\ud800mple"), m, ""),
        refused("lone surrogate in an unknown name", "no character", '{"\\udc00":1,' + text[1:], m, ""),
        refused("raw newline in a string", "control character", text.replace("example", "ex\nmple"), m, ""),
        refused("65 levels", "64 are allowed", text.replace('"grants":{', '"grants":{"a":' + "[" * 63 + "]" * 63 + ","),
                m, ""),
        refused("64 levels are only a schema fault", "the value of a grant is true",
                text.replace('"grants":{', '"grants":{"a":' + "[" * 62 + "]" * 62 + ","), "type", "/grants/a"),
        refused("duplicate at the top", "ts_ms twice", text[:-1] + ',"ts_ms":0}', d, ""),
        refused("duplicate with the same value", "record_type twice", text[:-1] + ',"record_type":"auth_context"}', d, ""),
        refused("duplicate spelled with an escape", "ts_ms twice", text[:-1] + ',"ts\\u005fms":0}', d, ""),
        refused("duplicate grant", "model.invoke twice", text.replace('"grants":{', '"grants":{"model.invoke":true,'),
                d, ""),
        refused("duplicate inside an unknown member", "intake comes before the schema", '{"x":{"y":1,"y":1},' + text[1:],
                d, ""),
        refused("duplicate before a cut", "the first fault in text order", text.replace('"grants":{',
                '"actor":{},"grants":{')[:-3], d, ""),
        refused("cut before a duplicate", "the first fault in text order", text[:-1] + ',]"ts_ms":0}', m, ""),
    ]
    for value in ("[]", "null", '"auth_context"', "1", "true", "[" + text + "]"):
        out.append(refused(f"not an object: {value[:14]}", "an envelope is an object", value, "type", ""))
    return out


def order_cases(base) -> list:
    """Several faults at once. `base` holds the four full envelopes."""
    auth, policy, model, tool = (base[name] for name in schema.RECORD_TYPES)
    first_name, second_name = "\U00010000", "\uffff"  # UTF-16 order, not code point order

    def r(name, value, kind, pointer):
        return refused(name, name, compact(value), kind, pointer)

    def without(value, *names):
        return {k: v for k, v in value.items() if k not in names}

    def trace(value, **edits):
        return put(value, ("trace",), {k: v for k, v in {**value["trace"], **edits}.items() if v is not ...})

    out = [
        r("unknown record_type before everything else", {"record_type": "session", "x": 1}, "enum", "/record_type"),
        r("missing record_type before everything else", {"x": 1, "spec_version": 2}, "required.record_type", ""),
        r("no member but record_type: spec_version is missing first", {"record_type": "tool_call"},
          "required.spec_version", ""),
        r("missing before unknown", {**without(auth, "grants"), "a": 1}, "required.grants", ""),
        r("missing before a bad value", put(without(auth, "grants"), ("spec_version",), "2"), "required.grants", ""),
        r("two missing: schema order, not alphabet", without(auth, "actor", "trace"), "required.trace", ""),
        r("two missing: canon_version before actor", without(auth, "actor", "canon_version"), "required.canon_version", ""),
        r("missing calls: started before ended", without(model, "started_at_ms", "ended_at_ms"),
          "required.started_at_ms", ""),
        r("missing calls: auth before policy",
          without(tool, "policy_decision_envelope_sha256", "auth_context_envelope_sha256"),
          "required.auth_context_envelope_sha256", ""),
        r("missing calls: producer before the hashes", without(tool, "auth_context_envelope_sha256", "producer"),
          "required.producer", ""),
        r("missing calls: model before request", without(model, "request", "model"), "required.model", ""),
        r("missing calls: response before outcome", without(model, "outcome", "response"), "required.response", ""),
        r("missing decision: policy before request", without(policy, "decision", "request", "policy"), "required.policy", ""),
        r("unknown before a bad value", {**auth, "spec_version": "2", "zz": 1}, "additional_properties", "/zz"),
        r("unknown before a bad type", {**auth, "trace": 1, "zz": 1}, "additional_properties", "/zz"),
        r("two unknown: canonical order, not text order", {"zz": 1, "aa": 1, **auth}, "additional_properties", "/aa"),
        r("two unknown: upper case first", {"aa": 1, "ZZ": 1, **auth}, "additional_properties", "/ZZ"),
        r("two unknown: UTF-16 order, not code point order", {second_name: 1, first_name: 1, **auth},
          "additional_properties", "/" + first_name),
        r("two unknown: a prefix first", {"ab": 1, "a": 1, **auth}, "additional_properties", "/a"),
        r("unknown: empty name first", {"a": 1, "": 1, **auth}, "additional_properties", "/"),
        r("unknown at the top before a missing one inside", {**put(auth, ("trace",), {}), "x": 1},
          "additional_properties", "/x"),
        r("usage of a tool_call is unknown", {**tool, "usage": model["usage"]}, "additional_properties", "/usage"),
        r("values in schema order: spec_version before ts_ms", put(put(auth, ("ts_ms",), -1), ("spec_version",), "2"),
          "const", "/spec_version"),
        r("values in schema order: ts_ms before actor (text order is the other way)",
          {"actor": 1, **put(put(without(auth, "actor"), ("ts_ms",), -1), ("producer",), 1)}, "minimum", "/ts_ms"),
        r("values in schema order: trace before actor", put(put(auth, ("actor",), 1), ("trace",), 1), "type", "/trace"),
        r("depth first: a leaf of trace before producer", put(put(auth, ("producer",), 1), ("trace", "span_id"), "x"),
          "pattern", "/trace/span_id"),
        r("depth first: trace is walked whole before producer",
          put(put(auth, ("producer",), 1), ("trace", "parent_span_id"), "x"), "pattern", "/trace/parent_span_id"),
        r("inside trace: missing before unknown before value",
          trace(auth, span_id=..., trace_id="x", extra=1), "required.span_id", "/trace"),
        r("inside trace: unknown before value", trace(auth, trace_id="x", extra=1), "additional_properties", "/trace/extra"),
        r("inside trace: trace_id missing first", trace(auth, span_id=..., trace_id=..., parent_span_id=...),
          "trace_context.missing_trace_id", "/trace"),
        r("inside trace: trace_id before span_id", trace(auth, trace_id="x", span_id="y"), "pattern", "/trace/trace_id"),
        r("child without a parent", trace(auth, parent_span_id=...), "required.parent_span_id", "/trace"),
        r("child without a parent and with a bad span", trace(auth, parent_span_id=..., span_id="y"),
          "required.parent_span_id", "/trace"),
        r("child's bad parent is reported as itself", trace(auth, parent_span_id=1), "type", "/trace/parent_span_id"),
        r("root with a parent", trace(auth, span_kind="root"), "additional_properties", "/trace/parent_span_id"),
        r("unknown span_kind is read as root: the parent is unknown", trace(auth, span_kind="sibling"),
          "additional_properties", "/trace/parent_span_id"),
        r("unknown span_kind without a parent", trace(auth, span_kind="sibling", parent_span_id=...), "const",
          "/trace/span_kind"),
        r("span_kind null without a parent: a bare const", trace(auth, span_kind=None, parent_span_id=...), "const",
          "/trace/span_kind"),
        r("span_kind 1 with a bad span_id: schema order", trace(auth, span_kind=1, parent_span_id=..., span_id=1), "type",
          "/trace/span_id"),
        r("span_kind missing with a parent: read as root, missing first", trace(auth, span_kind=...),
          "required.span_kind", "/trace"),
        r("span_kind in capitals is read as root", trace(auth, span_kind="CHILD", parent_span_id=...), "const",
          "/trace/span_kind"),
        r("trace_id null is present", trace(auth, trace_id=None), "type", "/trace/trace_id"),
        r("string: type before maxLength", put(auth, ("actor", "actor_id"), ["a" * 300]), "type", "/actor/actor_id"),
        r("string: maxLength before pattern", put(auth, ("actor", "actor_id"), "/" * 257), "maxLength", "/actor/actor_id"),
        r("string: minLength before pattern", put(auth, ("actor", "actor_id"), ""), "minLength", "/actor/actor_id"),
        r("string: a hash has no length rule", put(policy, ("policy", "policy_sha256"), "a" * 1000), "pattern",
          "/policy/policy_sha256"),
        r("string: code points, not UTF-16 units", put(auth, ("actor", "actor_kind"), "\U0001f600" * 128), "pattern",
          "/actor/actor_kind"),
        r("string: code points, not bytes", put(auth, ("actor", "actor_id"), "\u20ac" * 256), "pattern", "/actor/actor_id"),
        r("content type: minLength before pattern", put(tool, ("request", "content_type"), "//"), "minLength",
          "/request/content_type"),
        r("integer: a huge fraction is type, not maximum", put(auth, ("ts_ms",), canon.Number("99999999999999999999.5")),
          "type", "/ts_ms"),
        r("integer: a huge exponent is type, not maximum", put(auth, ("ts_ms",), canon.Number("1e30")), "type", "/ts_ms"),
        r("integer: 2^53 exactly", put(auth, ("ts_ms",), canon.Number("9007199254740992")), "maximum", "/ts_ms"),
        r("integer: never rounded", put(auth, ("ts_ms",), canon.Number("9007199254740993")), "maximum", "/ts_ms"),
        r("integer: -0 is type, not minimum", put(auth, ("ts_ms",), canon.Number("-0")), "type", "/ts_ms"),
        r("integer: -1.0 is type, not minimum", put(auth, ("ts_ms",), canon.Number("-1.0")), "type", "/ts_ms"),
        r("set: all names before any value", put(auth, ("grants",), {"a": 1, "B": True}), "pattern", "/grants/B"),
        r("set: names first even when the value comes first in order", put(auth, ("grants",), {"a": False, "z z": True}),
          "pattern", "/grants/z z"),
        r("set: names in canonical order", put(auth, ("grants",), {"b b": True, "a a": True}), "pattern", "/grants/a a"),
        r("set: names in UTF-16 order", put(auth, ("grants",), {second_name: True, first_name: True}), "pattern",
          "/grants/" + first_name),
        r("set: each name whole before the next", put(auth, ("grants",), {"": True, "A" * 129: True}), "minLength",
          "/grants/"),
        r("set: values in canonical order", put(auth, ("grants",), {"b": 1, "a": False}), "const", "/grants/a"),
        r("set: value type before its const", put(auth, ("grants",), {"b": False, "a": 0}), "type", "/grants/a"),
        r("set: digits before letters, dot after dash", put(auth, ("grants",), {"a.b": 0, "a-b": False, "a:b": 0}), "const",
          "/grants/a-b"),
        r("decision: result before reason_codes", put(policy, ("decision",), {"obligations": 1, "reason_codes": 1,
                                                                            "result": "maybe"}), "enum", "/decision/result"),
        r("decision: reason_codes before obligations", put(policy, ("decision",), {"obligations": 1, "reason_codes": 1,
                                                                                 "result": "deny"}), "type",
          "/decision/reason_codes"),
        r("model_call: a null usage is no absent usage", put(model, ("usage",), None), "type", "/usage"),
        r("model_call: outcome before usage", put(put(model, ("usage",), {}), ("outcome",), {}), "required.status",
          "/outcome"),
        r("model_call: started before ended", put(put(model, ("ended_at_ms",), "x"), ("started_at_ms",), -1), "minimum",
          "/started_at_ms"),
        r("tool_call: auth hash before policy hash", put(put(tool, ("policy_decision_envelope_sha256",), 1),
                                                       ("auth_context_envelope_sha256",), "x"), "pattern",
          "/auth_context_envelope_sha256"),
        r("tool_call: request before response", put(put(tool, ("response",), 1), ("request", "size_bytes"), 1 << 60),
          "maximum", "/request/size_bytes"),
        r("members of another type are unknown", {**auth, "record_type": "tool_call"}, "required.started_at_ms", ""),
        r("a policy_decision called auth_context", {**policy, "record_type": "auth_context"}, "required.actor", ""),
    ]
    return out


def files() -> dict:
    base = bases()
    ROTATION.positions.clear()
    out = {}
    for record_type in schema.RECORD_TYPES:
        out[f"records/{record_type}.json"] = (
            "records", f"Valid {record_type} envelopes: canonical bytes and hash.",
            positives(record_type, base[record_type]))
        out[f"records/{record_type}.negative.json"] = (
            "records", f"A {record_type} with one fault each.", negatives(record_type, base[record_type]))
    out["records/intake.negative.json"] = (
        "records", "Bytes that never reach check 0, and values that are no object.",
        intake_negatives(base["auth_context"]))
    out["order/first_fault.json"] = ("order", "Several faults at once: the first one is reported.", order_cases(base))
    return out

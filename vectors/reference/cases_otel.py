"""Family `otel`: telemetry of a desk as agents record it, and what an import makes of it, computed from docs/otel.md.

`desk.otlp.jsonl` is in the conventions of today, `desk-older.otlp.jsonl` has a run of it as events (1.36 and before), with trace ids
of its own. `desk.cedar` forbids cancelling, and refunds above a bound; `desk-rules.json` lets a policy see amounts.
`forms.otlp.jsonl` has all that a span can have, in the corners of each, for what spans are known by.
"""

from __future__ import annotations

import json

from . import canon

START_MS = 1_790_000_000_000
POLICY = """// What may an agent of the desk do?
@id("may-work") permit(principal, action, resource);
@id("no-cancelling")
forbid(principal, action == Action::"tool:execute", resource in Resource::"tool/cancel_order");
@id("refund-limit")
forbid(principal, action == Action::"tool:execute", resource in Resource::"tool/refund")
    when { !resource.hasTag("amount") || resource.getTag("amount") > 100 };
"""
RULES = {
    "version": "1",
    "identity": {"actor_kind": "agent", "actor_id": {"from": ["span:gen_ai.agent.name", "resource:service.name"]}},
    "requests": [{"when": {"tool": "refund"}, "numbers": {"amount": "/amount"}}],
}
FINISHED = {"tool_calls": "tool_call"}


def compact(value) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def canonical(value) -> bytes:
    """Names are ASCII, so sorting them by code points is RFC 8785's order, and numbers are plain integers."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def text(key, value) -> dict:
    return {"key": key, "value": {"stringValue": value}}


def number(key, value) -> dict:
    return {"key": key, "value": {"intValue": str(value)}}


RESOURCE = {"attributes": [text("service.name", "desk"), text("deployment.environment.name", "test")]}
SCOPE = {"name": "desk.tracing", "version": "1.0"}
# What stands for itself in a value, and what a number is in it.
PLAIN = {"stringValue", "boolValue", "intValue", "bytesValue"}


def any_value(value: dict) -> dict:
    """A value whose kind is said, whatever it is; lists have their items, if there are none."""
    if not value:
        return {}
    ((kind, inside),) = value.items()
    if kind in PLAIN:
        return {kind: inside}
    if kind == "doubleValue":
        return {kind: inside if isinstance(inside, str) else canon.Number(repr(inside))}
    each = {"arrayValue": any_value, "kvlistValue": attribute}[kind]
    return {kind: {"values": [each(item) for item in inside.get("values", [])]}}


def attribute(pair: dict) -> dict:
    return {"key": pair.get("key", ""), "value": any_value(pair.get("value", {}))}


def said(members: dict) -> dict:
    """An object of OTLP without what says nothing: empty texts and lists, zeros, and a status without message and code."""
    each = {"attributes": attribute, "events": said, "links": said}
    out = {}
    for name, value in members.items():
        if name in each:
            value = [each[name](item) for item in value]
        elif isinstance(value, dict):
            value = said(value)
        # Numbers of 64 bits are texts.
        if value not in ("", 0, "0", [], {}):
            out[name] = value
    return out


def known_by(resource: dict, scope: dict, span: dict) -> str:
    """A resource and a scope have their schema's URL within."""
    return canon.sha256(canon.write({"resource": said(resource), "scope": said(scope), "span": said(span)}, "content"))


class Run:
    """A run of an agent: what was said and done, from which spans and expectations are made."""

    def __init__(self, index: int, older: bool):
        self.trace = canon.sha256(f"desk {index} {older}".encode())[:32]
        self.older, self.spans, self.expected, self.clock = older, [], [], START_MS + 60_000 * index
        self.agent = self.span("invoke_agent desk", 1, [
            text("gen_ai.operation.name", "invoke_agent"), text("gen_ai.agent.name", "desk-agent"),
        ], parent=None)
        self.expect(self.agent, "shape")

    def span(self, name, kind, attributes, parent="agent", events=(), status=None, ms=700) -> dict:
        number_of = len(self.spans)
        made = {
            "traceId": self.trace, "spanId": canon.sha256(f"{self.trace} {number_of}".encode())[:16], "name": name, "kind": kind,
            "startTimeUnixNano": str(self.clock * 1_000_000), "endTimeUnixNano": str((self.clock + ms) * 1_000_000),
            "attributes": attributes,
        }
        if parent is not None:
            made["parentSpanId"] = self.agent["spanId"] if parent == "agent" else parent
        if events:
            made["events"] = list(events)
        made["status"] = status or {}
        self.clock += ms + 50
        self.spans.append(made)
        return made

    def expect(self, span, became, **more) -> None:
        self.expected.append({"trace_id": self.trace, "span_id": span["spanId"], "became": became, **more})

    def chat(self, said, answer=None, call=None, system=None, usage=None) -> None:
        """One message in, one choice out: a text, or the call of a tool."""
        head = [text("gen_ai.operation.name", "chat"),
                text("gen_ai.system" if self.older else "gen_ai.provider.name", "openai"),
                text("gen_ai.request.model", "gpt-4o"), text("gen_ai.response.model", "gpt-4o-2024-08-06")]
        if usage:
            head += [number("gen_ai.usage.input_tokens", usage[0]), number("gen_ai.usage.output_tokens", usage[1])]
        messages = [{"role": "system", "parts": [{"type": "text", "content": system}]}] if system else []
        messages.append({"role": "user", "parts": [{"type": "text", "content": said}]})
        parts = [{"type": "text", "content": answer}] if answer else []
        if call:
            parts.append({"type": "tool_call", "id": call[0], "name": call[1], "arguments": call[2]})
        reason = "tool_calls" if call else "stop"
        output = {"role": "assistant", "parts": parts, "finish_reason": FINISHED.get(reason, reason)}
        if self.older:
            events = [("gen_ai.system.message", {"content": system})] if system else []
            events.append(("gen_ai.user.message", {"content": said}))
            choice = {"index": 0, "finish_reason": reason, "message": {"role": "assistant", **({"content": answer} if answer else {})}}
            if call:
                function = {"name": call[1], "arguments": compact(call[2])}
                choice["tool_calls"] = [{"id": call[0], "type": "function", "function": function}]
            events.append(("gen_ai.choice", choice))
            events = [{"timeUnixNano": str(self.clock * 1_000_000), "name": name,
                       "attributes": [text("gen_ai.event.content", compact(body))]} for name, body in events]
            span = self.span("chat gpt-4o", 3, head, events=events)
        else:
            own = [text("gen_ai.system_instructions", compact(messages[0]["parts"]))] if system else []
            own.append(text("gen_ai.input.messages", compact(messages[-1:])))
            # Emitters write the provider's plural here as well.
            own.append(text("gen_ai.output.messages", compact([{**output, "finish_reason": reason}])))
            span = self.span("chat gpt-4o", 3, head + own)
        request = {"operation": "chat", "model": "gpt-4o", "messages": messages}
        response = {"model": "gpt-4o-2024-08-06", "messages": [output]}
        self.expect(span, "model_call", **payloads("model", request, response), usage=bool(usage))

    def tool(self, name, arguments, result=None, error=None, mcp=False) -> None:
        attributes = [text("gen_ai.operation.name", "execute_tool"), text("gen_ai.tool.name", name), text("gen_ai.tool.type", "function"),
                      text("gen_ai.tool.call.arguments", json.dumps(arguments))]
        if result is not None:
            attributes.append(text("gen_ai.tool.call.result", result))
        if error:
            attributes.append(text("error.type", error[0]))
        span = self.span(f"execute_tool {name}", 1, attributes, status={"code": 2, "message": error[1]} if error else None)
        absent = [] if result is not None else ["result"]
        response = {**({"result": result} if result is not None else {}),
                    **({"error": {"type": error[0], "message": error[1]}} if error else {})}
        expected = payloads("tool", {"tool": name, "arguments": arguments}, response, absent)
        denied = name == "cancel_order" or (name == "refund" and not arguments.get("amount", 101) <= 100)
        self.expect(span, "tool_call", **expected, denied=denied)
        if mcp:
            # The same call, seen by the client of MCP below it, and the request that carried it.
            inner = self.span(f"tools/call {name}", 3, [text("mcp.method.name", "tools/call"), text("gen_ai.tool.name", name)],
                              parent=span["spanId"], ms=20)
            self.expect(inner, "shape")
            self.expect(self.span("POST", 3, [text("http.request.method", "POST")], parent=inner["spanId"], ms=10), "shape")

    def message(self) -> str:
        return compact({"resourceSpans": [{"resource": RESOURCE, "scopeSpans": [{"scope": SCOPE, "spans": self.spans}]}]}) + "\n"

    def known(self) -> list:
        """What is expected, each with what its span is known by."""
        return [{**one, "content_sha256": known_by(RESOURCE, SCOPE, span)} for one, span in zip(self.expected, self.spans)]


def payloads(kind, request, response, absent=()) -> dict:
    def digest(form, members, left_out):
        return canon.sha256(canonical({
            "type": f"proofline.otel.{kind}_{form}", "version": "1", "capture": "full", "absent": list(left_out), **members,
        }))

    return {"request_sha256": digest("request", request, []), "response_sha256": digest("response", response, absent)}


SYSTEM = "You help at the desk of a shop. Never promise what the shop does not do."


def refund(run: Run, amount: int, order: str) -> None:
    run.chat(f"Order {order} came broken, I want my money back.", call=("call_1", "look_up", {"order": order}), system=SYSTEM,
             usage=(120, 18))
    run.tool("look_up", {"order": order}, result=compact({"order": order, "paid": amount}))
    run.chat(f"It was {amount}.", call=("call_2", "refund", {"amount": amount, "order": order}))
    run.tool("refund", {"amount": amount, "order": order}, result="done", mcp=amount > 100)
    run.chat("Thank you.", answer=f"You get {amount} back.")


def cancel(run: Run, order: str) -> None:
    run.chat(f"Cancel order {order}.", call=("call_1", "cancel_order", {"order": order}), system=SYSTEM)
    run.tool("cancel_order", {"order": order}, error=("shipped", "the order is on its way"))
    run.chat("Why?", answer="It is on its way already.")


def runs(older: bool) -> list:
    made = []
    for index, (amount, order) in enumerate([(40, "a-17"), (250, "b-3"), (100, "a-17")]):
        made.append(Run(index, older))
        refund(made[-1], amount, order)
    made.append(Run(len(made), older))
    cancel(made[-1], "c-8")
    return made


def expected() -> dict:
    out = {}
    for name, older in (("desk", False), ("desk-older", True)):
        spans = [span for run in runs(older) for span in run.known()]
        count = {became: sum(span["became"] == became for span in spans) for became in ("model_call", "tool_call", "shape")}
        denied = sum(span.get("denied", False) for span in spans)
        out[name] = {"spans": len(spans), **count, "denied": denied, "each": spans}
    out["forms"] = {"each": [
        {"trace_id": span["traceId"], "span_id": span["spanId"], "content_sha256": known_by(FORMS_RESOURCE | url, FORMS_SCOPE | url, span)}
        for url, span in zip(URLS, forms())
    ]}
    return out


FORMS_RESOURCE = {"attributes": [text("service.name", "forms"), {"key": "host", "value": {"kvlistValue": {}}}], "droppedAttributesCount": 2}
FORMS_SCOPE = {"name": "forms", "version": "", "attributes": [text("a", "")], "droppedAttributesCount": 0}
VALUES = [
    {}, None, {"stringValue": ""}, {"stringValue": "\u001b[31m \"quoted\" caf\u00e9 \U0001f600 \u2028"}, {"boolValue": False}, {"boolValue": True},
    {"intValue": "0"}, {"intValue": str(-(1 << 63))}, {"intValue": str((1 << 63) - 1)},
    *({"doubleValue": value} for value in (0.0, -0.0, 1.0, -1.5, 0.1, 1e21, 1e-7, 123456789.125, 5e-324, 1.7976931348623157e308)),
    *({"doubleValue": value} for value in ("NaN", "Infinity", "-Infinity")),
    {"bytesValue": ""}, {"bytesValue": "AAEC/+8="}, {"arrayValue": {}}, {"arrayValue": {"values": []}},
    {"arrayValue": {"values": [{}, {"arrayValue": {"values": [{"arrayValue": {}}, {"doubleValue": -0.0}]}}, {"kvlistValue": {}}]}},
    {"kvlistValue": {}}, {"kvlistValue": {"values": [
        {"key": "k", "value": {"intValue": "1"}}, {"key": "", "value": {}}, {"key": "k", "value": {"kvlistValue": {"values": [{"key": "bare"}]}}},
    ]}},
]


def forms() -> list:
    """All that a span can have: each kind of value, and what says nothing, said and not."""
    trace, made = canon.sha256(b"forms")[:32], []

    def span(**members):
        made.append({
            "traceId": trace, "spanId": canon.sha256(f"forms {len(made)}".encode())[:16], "name": f"span {len(made)}",
            "startTimeUnixNano": "1790000000000000000", "endTimeUnixNano": "1790000000000000001", **members,
        })
        return made[-1]["spanId"]

    values = [{"key": f"v{at}", **({} if value is None else {"value": value})} for at, value in enumerate(VALUES)]
    root = span(attributes=values + [{"value": {"stringValue": "no key"}}, {"key": "v2", "value": {"boolValue": True}}])
    # A status that says nothing, in each way of saying it, and those that do.
    for status in ({}, {"code": 0}, {"message": ""}, {"code": 1}, {"code": 2, "message": "went wrong"}, {"message": "unset"}):
        span(parentSpanId=root, status=status)
    span(parentSpanId=root, traceState="vendor=1", flags=257, kind=3, droppedAttributesCount=3, droppedEventsCount=4, droppedLinksCount=4294967295)
    span(parentSpanId=root, traceState="", flags=0, kind=0, droppedAttributesCount=0, attributes=[], events=[], links=[], name="")
    span(parentSpanId=root, events=[
        {"timeUnixNano": "17", "name": "exception", "droppedAttributesCount": 1, "attributes": [text("exception.message", "secret")]},
        {"name": "bare"}, {}, {"timeUnixNano": "0", "name": "", "attributes": values[:3]},
    ])
    span(parentSpanId=root, links=[
        {"traceId": "9" * 32, "spanId": "8" * 16, "traceState": "x=1", "flags": 1, "droppedAttributesCount": 5, "attributes": values[-1:]},
        {"traceId": "9" * 32, "spanId": "7" * 16, "flags": 0}, {},
    ])
    return made


# Of the first span, and of the others.
URLS = [{"schemaUrl": "https://schema.example/1"}] + [{}] * 20


def forms_message() -> str:
    """The spans in a resource and a scope, the first with the URLs of schemas."""
    first, *others = forms()
    made = [
        {"resource": FORMS_RESOURCE, "scopeSpans": [{"scope": FORMS_SCOPE, "spans": spans, **url}], **url}
        for url, spans in ((URLS[0], [first]), (URLS[1], others))
    ]
    return compact({"resourceSpans": made}) + "\n"


def shipped() -> dict:
    """Path below `vectors/` to bytes."""
    out = {
        "otel/desk.otlp.jsonl": "".join(run.message() for run in runs(False)),
        "otel/desk-older.otlp.jsonl": "".join(run.message() for run in runs(True)),
        "otel/forms.otlp.jsonl": forms_message(),
        "otel/desk.cedar": POLICY, "otel/desk-rules.json": json.dumps(RULES, indent=2) + "\n",
    }
    return {path: data.encode("ascii") for path, data in out.items()}


def report() -> dict:
    return {"otel/expected.json": expected()}

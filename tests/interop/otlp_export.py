"""Reads an export of traces with the standard library alone, and holds it against what was imported and what a replay says.

    python3 otlp_export.py EXPORT.jsonl REPLAY.jsonl [IMPORTED.otlp.jsonl]

Each span, without what begins with `proofline.`, has the digest that `proofline.span.sha256` names, computed here from
docs/otel.md: resource, scope and span in OTLP's JSON, canonical, defaults left out. Root spans say what the lines of `proofline
replay --format json` say. With a file of telemetry, its spans are the spans of the export. Prints how many spans there are.
"""

from __future__ import annotations

import hashlib
import json
import sys

OURS = "proofline."
NUMBERS = {"droppedAttributesCount", "droppedEventsCount", "droppedLinksCount", "flags", "kind", "code"}
TIMES = {"startTimeUnixNano", "endTimeUnixNano", "timeUnixNano"}


def canonical(value) -> bytes:
    """RFC 8785, for integers and for names of ASCII, which these spans have."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def plain_double(value: float):
    return int(value) if value.is_integer() and abs(value) < 1e15 else value


def any_value(value: dict) -> dict:
    if "doubleValue" in value and not isinstance(value["doubleValue"], str):
        return {"doubleValue": plain_double(float(value["doubleValue"]))}
    if "intValue" in value:
        return {"intValue": str(value["intValue"])}
    if "arrayValue" in value:
        return {"arrayValue": {"values": [any_value(it) for it in value["arrayValue"].get("values", [])]}}
    if "kvlistValue" in value:
        return {"kvlistValue": {"values": attributes(value["kvlistValue"].get("values", []))}}
    return value


def attributes(items: list) -> list:
    return [{"key": it["key"], "value": any_value(it.get("value", {}))} for it in items]


def said(members: dict) -> dict:
    """An object without members that say nothing."""
    out = {}
    for name, value in members.items():
        if name == "attributes":
            value = attributes(value)
        elif name in ("events", "links"):
            value = [said(it) for it in value]
        elif name in TIMES:
            value = str(value)
        elif name in ("status",):
            value = said(value)
        if value in ("", "0", 0, [], {}, None) and value is not False:
            continue
        out[name] = value
    return out


def surroundings(of: dict, url: str) -> dict:
    return said({**of, "schemaUrl": url})


def spans(path: str):
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            for of_resource in json.loads(line)["resourceSpans"]:
                resource = surroundings(of_resource.get("resource", {}), of_resource.get("schemaUrl", ""))
                for of_scope in of_resource["scopeSpans"]:
                    scope = surroundings(of_scope.get("scope", {}), of_scope.get("schemaUrl", ""))
                    for span in of_scope["spans"]:
                        yield resource, scope, span


def bare(span: dict) -> dict:
    out = dict(span)
    out["attributes"] = [it for it in span.get("attributes", []) if not it["key"].startswith(OURS)]
    out["events"] = [it for it in span.get("events", []) if not it["name"].startswith(OURS)]
    return out


def digest(resource: dict, scope: dict, span: dict) -> str:
    return hashlib.sha256(canonical({"resource": resource, "scope": scope, "span": said(span)})).hexdigest()


def ours(span: dict) -> dict:
    def value(it: dict):
        (kind, own), = it.items()
        return [value(one) for one in own.get("values", [])] if kind == "arrayValue" else own

    return {it["key"]: value(it["value"]) for it in span["attributes"] if it["key"].startswith(OURS)}


def main(export: str, replay: str, imported: str | None = None) -> None:
    found, roots = [], {}
    for resource, scope, span in spans(export):
        said_of = ours(span)
        whole = digest(resource, scope, bare(span))
        assert whole == said_of["proofline.span.sha256"], (span["traceId"], span["spanId"], whole)
        found.append((span["traceId"], whole))
        if "proofline.verdict" in said_of:
            roots.setdefault(span["traceId"], []).append(said_of)
    with open(replay, encoding="utf-8") as lines:
        verdicts = [json.loads(line) for line in lines]
    verdicts = [it for it in verdicts if "record" in it]
    for verdict in verdicts:
        for root in roots[verdict["record"]["target_trace_id"]]:
            assert root["proofline.verdict"] == verdict["record"]["result"]
            assert root["proofline.replay.forensic.artifact_sha256"] == verdict["artifact_sha256"]
            assert int(root.get("proofline.trace.findings", 0)) == len(verdict["findings"])
    assert len(verdicts) == len(roots), (len(verdicts), len(roots))
    if imported is not None:
        came = [(span["traceId"], digest(resource, scope, span)) for resource, scope, span in spans(imported)]
        assert sorted(came) == sorted(found)
        for trace in roots:
            assert [it for it in came if it[0] == trace] == [it for it in found if it[0] == trace]
    print(len(found))


if __name__ == "__main__":
    main(*sys.argv[1:])

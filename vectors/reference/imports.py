"""The rules of what an import of telemetry leaves in a ledger, from docs/otel.md and the published schemas themselves.

A refusal is a `Refused` with the code that `docs/errors.md` lists.
"""

from __future__ import annotations

import json
import pathlib
import re

from .note import refuse_unless

SCHEMAS = pathlib.Path(__file__).resolve().parents[2] / "trace" / "schemas"
TYPES = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "null": lambda value: value is None,
}
KNOWN = {
    "$schema", "$id", "$defs", "$ref", "title", "description", "type", "const", "enum", "pattern", "minLength", "maxLength",
    "minimum", "maximum", "required", "properties", "additionalProperties", "items",
}


def fits(schema: dict, value, root: dict) -> bool:
    """Whether a value is of a schema, as far as JSON Schema 2020-12 is used here."""
    assert set(schema) <= KNOWN, sorted(set(schema) - KNOWN)
    if "$ref" in schema:
        assert schema["$ref"].startswith("#/$defs/")
        return fits(root["$defs"][schema["$ref"].removeprefix("#/$defs/")], value, root)
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(TYPES[name](value) for name in types):
        return False
    if ("const" in schema and value != schema["const"]) or ("enum" in schema and value not in schema["enum"]):
        return False
    if isinstance(value, str):
        pattern = re.sub(r"\$\Z", r"\\Z", schema.get("pattern", ""))
        length = len(value)
        return bool(re.search(pattern, value)) and schema.get("minLength", 0) <= length <= schema.get("maxLength", length)
    if isinstance(value, int):
        return schema.get("minimum", value) <= value <= schema.get("maximum", value)
    if isinstance(value, list):
        return all(fits(schema["items"], item, root) for item in value)
    if isinstance(value, dict):
        members = schema["properties"]
        assert schema["additionalProperties"] is False
        return set(schema["required"]) <= set(value) <= set(members) and all(
            fits(members[name], inner, root) for name, inner in value.items()
        )
    return True


def of_schema(record: dict) -> bool:
    schema = json.loads((SCHEMAS / f"{record['artifact_type']}.schema.json").read_text("utf-8"))
    return fits(schema, record, schema)


def admit(record: dict, traces: dict) -> None:
    """`traces` are those of the evidence, by hash."""
    refuse_unless(of_schema(record), "ledger.artifact_form")
    if record["artifact_type"] == "import_account":
        return
    calls = [span["call"] for span in record["spans"]]
    agree = all((span["became"] == "call") == (span["call"] is not None) for span in record["spans"])
    refuse_unless(agree, "ledger.artifact_form")
    named = [digest for call in calls if call for digest in call.values()]
    refuse_unless(all(digest in traces for digest in named), "ledger.artifact_reference")
    refuse_unless(all(traces[digest] == record["target_trace_id"] for digest in named), "ledger.artifact_trace")

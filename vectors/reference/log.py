"""Order on disk: entry headers in deterministic CBOR (RFC 8949 section 4.2.1), leaf hashes
(RFC 6962 section 2.1), frames with CRC-32C (RFC 3720 appendix B.4), and the chain of a log.
"""

from __future__ import annotations

import hashlib
import struct

FORMAT_VERSION = 1
KINDS = ("genesis", "accepted", "rejected", "artifact", "system")
CLASSIFICATIONS = (
    "ACCEPT", "RECORD_TYPE_FORBIDDEN", "SCHEMA_REJECT", "HASH_MISMATCH", "MISSING_PREREQ",
    "TRACE_VIOLATION", "UNAUTHORIZED_EXECUTION",
)
MAX_HEADER_BYTES = 4096


def cbor_head(major: int, argument: int) -> bytes:
    """A major type with its argument in the shortest form."""
    if argument < 24:
        return bytes([major << 5 | argument])
    for extra, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << (8 * width):
            return bytes([major << 5 | extra]) + argument.to_bytes(width, "big")
    raise ValueError("more than 64 bits")


def cbor(value) -> bytes:
    """None, a non-negative int, bytes, str or a list."""
    if value is None:
        return b"\xf6"
    if isinstance(value, int):
        return cbor_head(0, value)
    if isinstance(value, bytes):
        return cbor_head(2, len(value)) + value
    if isinstance(value, str):
        data = value.encode("utf-8")
        return cbor_head(3, len(data)) + data
    return cbor_head(4, len(value)) + b"".join(cbor(item) for item in value)


def header_items(fields: dict) -> list:
    """The twelve items of a header, from its fields as the golden files spell them."""

    def raw(name):
        return None if fields[name] is None else bytes.fromhex(fields[name])

    declared = fields["declared_hash"]
    if isinstance(declared, dict):
        declared = [
            bytes.fromhex(declared["first_bytes_hex"]), declared["length"],
            bytes.fromhex(declared["sha256"]),
        ]
    classification = fields["classification"]
    return [
        fields["format_version"],
        fields["seq"],
        raw("previous_leaf_hash"),
        KINDS.index(fields["kind"]),
        raw("trace_id"),
        fields["trace_previous_seq"],
        fields["trace_count"],
        raw("envelope_hash"),
        None if classification is None else CLASSIFICATIONS.index(classification),
        fields["error_kind"],
        declared,
        fields["recorded_at_ms"],
    ]


def header_bytes(fields: dict) -> bytes:
    return cbor(header_items(fields))


def leaf_hash(header: bytes) -> str:
    return hashlib.sha256(b"\x00" + header).hexdigest()


def _crc_table() -> list:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    """Castagnoli's CRC, reflected, initial and final value all ones."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def frame(header: bytes, body: bytes) -> bytes:
    """Lengths, header, checksum over both; body, checksum over it. Little-endian."""
    head = struct.pack("<HI", len(header), len(body)) + header
    return head + struct.pack("<I", crc32c(head)) + body + struct.pack("<I", crc32c(body))


class Log:
    """Builds the headers of a log whose entries are given one after another."""

    def __init__(self):
        self.entries = []
        self.traces = {}

    def append(self, kind, body, recorded_at_ms, trace_id=None, classification=None,
               error_kind=None, declared_hash=None) -> dict:
        seq = len(self.entries)
        previous_seq, count = self.traces.get(trace_id, (None, 0))
        fields = {
            "format_version": FORMAT_VERSION,
            "seq": seq,
            "previous_leaf_hash": self.entries[-1]["leaf_hash"] if self.entries else None,
            "kind": kind,
            "trace_id": trace_id,
            "trace_previous_seq": previous_seq,
            "trace_count": 0 if trace_id is None else count + 1,
            "envelope_hash": hashlib.sha256(body).hexdigest(),
            "classification": classification,
            "error_kind": error_kind,
            "declared_hash": declared_hash,
            "recorded_at_ms": recorded_at_ms,
        }
        if trace_id is not None:
            self.traces[trace_id] = (seq, count + 1)
        self.entries.append(entry_of(fields, body))
        return self.entries[-1]


def entry_of(fields: dict, body: bytes) -> dict:
    header = header_bytes(fields)
    return {"fields": fields, "header": header, "leaf_hash": leaf_hash(header), "body": body}


def first_broken_link(entries):
    """(index, reason) of the first entry that does not continue the log before it, or None.

    Judges what the entries say of one another and of their bodies, not the bodies' meaning.
    """
    traces = {}
    before = None
    for index, entry in enumerate(entries):
        fields = entry["fields"]
        reason = broken_link(fields, before, traces) or (
            None if hashlib.sha256(entry["body"]).hexdigest() == fields["envelope_hash"] else "body_hash"
        )
        if reason:
            return index, reason
        if fields["trace_id"] is not None:
            traces[fields["trace_id"]] = (fields["seq"], fields["trace_count"])
        before = entry
    return None


def broken_link(fields, before, traces):
    if fields["seq"] != (before["fields"]["seq"] + 1 if before else 0):
        return "seq"
    if fields["previous_leaf_hash"] != (before["leaf_hash"] if before else None):
        return "previous_leaf_hash"
    if (fields["kind"] == "genesis") != (before is None):
        return "genesis"
    if before and fields["recorded_at_ms"] < before["fields"]["recorded_at_ms"]:
        return "recorded_at_ms"
    if fields["trace_id"] is None:
        return "trace_links" if (fields["trace_previous_seq"], fields["trace_count"]) != (None, 0) else None
    previous_seq, count = traces.get(fields["trace_id"], (None, 0))
    if fields["trace_previous_seq"] != previous_seq or fields["trace_count"] != count + 1:
        return "trace_links"
    return None

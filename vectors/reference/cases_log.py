"""Families `headers` and `links`: entry headers, frames, and whole small logs."""

from __future__ import annotations

import copy
import struct
import zlib

from . import canon, log
from .build import START_MS, canonical
from .cases_canon import raw
from .cases_gate import Cast

GENESIS = b'{"format_version":1,"ledger_id":"3f0c2a9e5b7d4168","origin":"example.org/ledger"}'
ARTIFACT = b'{"generated_at":"1970-01-01T00:00:00.000Z","replay_type":"forensic","result":"pass"}'
MAX = canon.SAFE_INTEGER


def sample_log(c: Cast) -> log.Log:
    """Genesis, a whole trace, each kind of kept attempt, an artifact and a system entry."""
    out = log.Log()
    trace, other = (x["trace"]["trace_id"] for x in (c.context, c.other_context))
    denied = c.scene.tool_call(c.context, c.denial)
    at = START_MS

    def accept(envelope, ms):
        out.append("accepted", canonical(envelope), ms, envelope["trace"]["trace_id"], "ACCEPT")

    def reject(envelope, ms, classification, kind, declared):
        out.append("rejected", canonical(envelope), ms, envelope["trace"]["trace_id"], classification, kind, declared)

    def own(envelope):
        return canon.sha256(canonical(envelope))

    out.append("genesis", GENESIS, at)
    accept(c.context, at + 1)
    reject(c.other_decision, at + 1, "MISSING_PREREQ", "missing_prereq.auth_context", own(c.other_decision))
    accept(c.decision, at + 2)
    accept(c.other_context, at + 2)
    accept(c.model, at + 70000)
    accept(c.denial, at + 70000)
    reject(denied, at + 70001, "UNAUTHORIZED_EXECUTION", "unauthorized.policy_denied", own(denied))
    reject(c.tool, at + 70002, "HASH_MISMATCH", "hash_mismatch.envelope_hash", None)
    reject(c.tool, at + 70003, "HASH_MISMATCH", "hash_mismatch.envelope_hash", "SHA256:" + own(c.tool).upper())
    long = b"0123456789abcdef" * 9
    reject(c.tool, at + 70004, "HASH_MISMATCH", "hash_mismatch.envelope_hash",
           {"first_bytes_hex": long[:128].hex(), "length": len(long), "sha256": canon.sha256(long)})
    accept(c.tool, at + 70005)
    out.append("artifact", ARTIFACT, at + 80000, trace)
    out.append("artifact", ARTIFACT[:-1] + b',"target_trace_id":"' + other.encode() + b'"}', at + 80001, other)
    out.append("system", b'{"root":"' + b"0" * 64 + b'"}', at + 80002)
    return out


def header_case(name: str, fields: dict) -> dict:
    header = log.header_bytes(fields)
    assert len(header) <= log.MAX_HEADER_BYTES
    return {"name": name, "fields": fields,
            "expected": {"header_hex": header.hex(), "leaf_hash": log.leaf_hash(header)}}


def edge_headers(base: dict) -> list:
    """Numbers at the steps of CBOR's shortest forms, and the extremes of the declared hash."""
    out = []
    for value in (1, 22, 23, 24, 255, 256, 65535, 65536, (1 << 32) - 1, 1 << 32, MAX):
        out.append(header_case(f"seq {value}", {
            **base, "seq": value, "trace_previous_seq": value - 1 if value > 1 else None,
            "trace_count": value if value > 1 else 1, "recorded_at_ms": value,
        }))
    rejected = {**base, "kind": "rejected", "classification": "HASH_MISMATCH",
                "error_kind": "hash_mismatch.envelope_hash"}
    for label, text in (("empty", ""), ("23 bytes", "x" * 23), ("24 bytes", "x" * 24), ("128 bytes", "x" * 128),
                        ("not ASCII", "\u20ac\U0001f600"), ("control characters", "a\u0000\n\u001b[31m")):
        out.append(header_case("declared hash: " + label, {**rejected, "declared_hash": text}))
    for label, data in (("129 bytes", b"y" * 129), ("65,536 bytes", b"z" * 65536),
                        ("cut inside a character", ("h" * 127 + "\u00e4").encode())):
        out.append(header_case("declared hash kept short: " + label, {**rejected, "declared_hash": {
            "first_bytes_hex": data[:128].hex(), "length": len(data), "sha256": canon.sha256(data)}}))
    for classification, kind in (("MISSING_PREREQ", "missing_prereq.auth_context"),
                                 ("MISSING_PREREQ", "missing_prereq.policy_decision"),
                                 ("TRACE_VIOLATION", "trace_violation.trace_id_mismatch"),
                                 ("UNAUTHORIZED_EXECUTION", "unauthorized.authority_mismatch"),
                                 ("UNAUTHORIZED_EXECUTION", "unauthorized.policy_denied")):
        out.append(header_case(kind, {**rejected, "classification": classification, "error_kind": kind,
                                      "declared_hash": base["envelope_hash"]}))
    return out


def header_negatives(base: dict, genesis: dict) -> list:
    items = log.header_items(base)
    out = []

    def add(name: str, why: str, header: bytes, level: str = "encoding") -> None:
        out.append({"name": name, "why": why, "level": level, "header_hex": header.hex()})

    def swapped(index: int, encoded: bytes) -> bytes:
        """The header with item `index` replaced by raw CBOR."""
        parts = [log.cbor(item) for item in items]
        parts[index] = encoded
        return b"\x8c" + b"".join(parts)

    def fields(name: str, why: str, start=base, **edits) -> None:
        add(name, why, log.header_bytes({**start, **edits}), "meaning")

    good = log.cbor(items)
    add("empty", "no item", b"")
    add("array head only", "no items", b"\x8c")
    for cut in (2, 10, len(good) // 2, len(good) - 1):
        add(f"cut after {cut} bytes", "an item is missing or cut", good[:cut])
    add("trailing byte", "a byte after the array", good + b"\x00")
    add("trailing item", "a second header", good + good)
    add("eleven items", "the array has twelve", log.cbor(items[:-1]))
    add("thirteen items", "the array has twelve", log.cbor(items + [0]))
    add("array length not shortest", "98 0c instead of 8c", b"\x98\x0c" + good[1:])
    add("indefinite array", "9f .. ff", b"\x9f" + good[1:] + b"\xff")
    add("map", "a map of six pairs", b"\xa6" + good[1:])
    add("byte string around the header", "bstr", log.cbor(good))
    add("tagged", "tag 55799 in front", b"\xd9\xd9\xf7" + good)
    add("array in an array", "one item", b"\x81" + good)
    for width, extra in ((1, 24), (2, 25), (4, 26), (8, 27)):
        add(f"seq {items[1]} in {width} bytes", "not the shortest integer",
            swapped(1, bytes([extra]) + items[1].to_bytes(width, "big")))
    add("recorded_at_ms not shortest", "8 bytes where 2 would do", swapped(11, b"\x1b" + (300).to_bytes(8, "big")))
    add("kind not shortest", "18 01", swapped(3, b"\x18\x01"))
    add("hash length not shortest", "59 0020 instead of 58 20", swapped(7, b"\x59\x00\x20" + items[7]))
    add("indefinite byte string", "5f .. ff", swapped(7, b"\x5f" + log.cbor(items[7]) + b"\xff"))
    add("reserved length", "additional information 28", swapped(1, b"\x1c"))
    add("seq as text", "unsigned integer belongs here", swapped(1, log.cbor("5")))
    add("seq negative", "unsigned integer belongs here", swapped(1, b"\x24"))
    add("seq as a float", "unsigned integer belongs here", swapped(1, b"\xfb" + struct.pack(">d", 5.0)))
    add("seq as a bignum", "unsigned integer belongs here", swapped(1, b"\xc2\x41\x05"))
    add("seq null", "unsigned integer belongs here", swapped(1, b"\xf6"))
    add("seq true", "unsigned integer belongs here", swapped(1, b"\xf5"))
    add("hash as an array of integers", "a byte string belongs here",
        swapped(7, log.cbor(list(items[7]))))
    add("hash as hex text", "a byte string belongs here", swapped(7, log.cbor(items[7].hex())))
    add("hash of 31 bytes", "32 belong here", swapped(7, log.cbor(items[7][:31])))
    add("hash of 33 bytes", "32 belong here", swapped(7, log.cbor(items[7] + b"\x00")))
    add("envelope hash null", "every entry has a body", swapped(7, b"\xf6"))
    add("previous leaf hash empty", "32 bytes or null", swapped(2, b"\x40"))
    add("trace id of 15 bytes", "16 belong here", swapped(4, log.cbor(items[4][:15])))
    add("trace id as text", "a byte string belongs here", swapped(4, log.cbor(items[4].hex())))
    add("undefined instead of null", "f7", swapped(9, b"\xf7"))
    add("simple value 32 instead of null", "f8 20", swapped(9, b"\xf8\x20"))
    add("error kind as bytes", "text belongs here", swapped(9, log.cbor(b"hash_mismatch.envelope_hash")))
    add("error kind not UTF-8", "text is UTF-8", swapped(9, b"\x62\xff\xfe"))
    add("unknown kind 5", "kinds are 0 to 4", swapped(3, b"\x05"))
    add("unknown kind 23", "kinds are 0 to 4", swapped(3, b"\x17"))
    add("unknown classification 7", "classifications are 0 to 6", swapped(8, b"\x07"))
    add("classification as text", "a code belongs here", swapped(8, log.cbor("ACCEPT")))
    add("format version 2", "a newer format is refused by name", swapped(0, b"\x02"))
    add("format version 255", "a newer format is refused by name", swapped(0, b"\x18\xff"))
    short = [b"x" * 128, 129, bytes(32)]
    add("declared hash: two items", "three belong here", swapped(10, log.cbor(short[:2])))
    add("declared hash: four items", "three belong here", swapped(10, log.cbor(short + [0])))
    add("declared hash as bytes", "text, null or three items", swapped(10, log.cbor(b"x")))
    add("declared hash of 129 bytes as text", "over 128 bytes it is kept short", swapped(10, log.cbor("x" * 129)))
    add("declared hash kept short with 127 bytes", "the first 128 bytes", swapped(10, log.cbor([b"x" * 127, 129, bytes(32)])))
    add("declared hash kept short with length 128", "only longer ones are", swapped(10, log.cbor([b"x" * 128, 128, bytes(32)])))
    add("more than 4,096 bytes", "a header is small", swapped(9, log.cbor("x" * 5000)))

    fields("genesis with a previous leaf", "nothing is before genesis", genesis, previous_leaf_hash="11" * 32)
    fields("no previous leaf after genesis", "every later entry names the one before", previous_leaf_hash=None)
    fields("genesis at seq 5", "genesis is entry 0", genesis, seq=5, previous_leaf_hash="11" * 32)
    fields("accepted at seq 0", "entry 0 is genesis", seq=0, previous_leaf_hash=None, trace_previous_seq=None,
           trace_count=1)
    fields("genesis with a trace", "genesis concerns none", genesis, trace_id="ab" * 16, trace_count=1)
    fields("accepted without a trace", "an envelope has one", trace_id=None, trace_previous_seq=None, trace_count=0)
    fields("trace id all zero", "W3C Trace Context forbids it", trace_id="00" * 16)
    fields("count 0 with a trace", "this entry counts", trace_count=0, trace_previous_seq=None)
    fields("count 3 without an entry before", "two entries were before", trace_count=3, trace_previous_seq=None)
    fields("count 1 with an entry before", "the first has none", trace_count=1, trace_previous_seq=3)
    fields("trace's previous entry is itself", "it must be before", trace_previous_seq=base["seq"])
    fields("trace's previous entry is later", "it must be before", trace_previous_seq=base["seq"] + 1)
    fields("count without a trace", "0 without one", {**genesis, "kind": "system", "seq": 4,
                                                    "previous_leaf_hash": "11" * 32}, trace_count=1)
    fields("accepted without a classification", "it is ACCEPT", classification=None)
    fields("accepted with another classification", "it is ACCEPT", classification="MISSING_PREREQ")
    fields("accepted with an error kind", "it has none", error_kind="hash_mismatch.envelope_hash")
    fields("accepted with a declared hash", "it equals the envelope hash and is not repeated",
           declared_hash=base["envelope_hash"])
    bad = {**base, "kind": "rejected", "classification": "HASH_MISMATCH", "error_kind": "hash_mismatch.envelope_hash"}
    fields("rejected as ACCEPT", "a rejection has a class of its own", bad, classification="ACCEPT", error_kind=None)
    fields("rejected without a classification", "a rejection has one", bad, classification=None)
    fields("rejected as SCHEMA_REJECT", "those are not kept", bad, classification="SCHEMA_REJECT",
           error_kind="schema_violation.type")
    fields("rejected as RECORD_TYPE_FORBIDDEN", "those are not kept", bad, classification="RECORD_TYPE_FORBIDDEN",
           error_kind="record_type_forbidden")
    fields("rejected without an error kind", "a rejection has one", bad, error_kind=None)
    fields("rejected with an unknown error kind", "kinds are the contract's", bad, error_kind="hash_mismatch.body")
    fields("error kind of another class", "kind and class belong together", bad,
           error_kind="missing_prereq.auth_context")
    fields("artifact with a classification", "only attempts have one", kind="artifact")
    return out


def frame_case(name: str, entry: dict) -> dict:
    return {
        "name": name, "header_hex": entry["header"].hex(), **raw(entry["body"], "body"),
        "expected": {"frame_hex": log.frame(entry["header"], entry["body"]).hex()},
    }


def frame_negatives(entry: dict) -> list:
    header, body = entry["header"], entry["body"]
    good = log.frame(header, body)
    out = []

    def add(name: str, why: str, data: bytes) -> None:
        out.append({"name": name, "why": why, "frame_hex": data.hex()})

    def crc_le(data: bytes, crc) -> bytes:
        return struct.pack("<I", crc(data))

    def with_crc(crc) -> bytes:
        head = struct.pack("<HI", len(header), len(body)) + header
        return head + crc_le(head, crc) + body + crc_le(body, crc)

    def flip(at: int) -> bytes:
        return good[:at] + bytes([good[at] ^ 1]) + good[at + 1:]

    head_end = 6 + len(header)
    for at, what in ((0, "header length"), (2, "body length"), (5, "body length, high byte"), (6, "header, first byte"),
                     (head_end - 1, "header, last byte"), (head_end, "header checksum"),
                     (head_end + 4, "body, first byte"), (len(good) - 5, "body, last byte"),
                     (len(good) - 1, "body checksum")):
        add("one bit changed: " + what, "a checksum does not match", flip(at))
    for cut, what in ((0, "nothing"), (5, "inside the lengths"), (20, "inside the header"),
                      (head_end + 2, "inside the header checksum"), (head_end + 4, "before the body"),
                      (len(good) - 4, "before the body checksum"), (len(good) - 1, "before the last byte")):
        add("cut " + what, "fewer bytes than the lengths say", good[:cut])
    add("CRC-32 of zip", "the polynomial is Castagnoli's", with_crc(zlib.crc32))
    add("header checksum without the lengths", "it covers lengths and header",
        struct.pack("<HI", len(header), len(body)) + header + crc_le(header, log.crc32c)
        + good[head_end + 4:])
    add("big-endian lengths", "little-endian", struct.pack(">HI", len(header), len(body)) + good[6:])
    add("body of another entry", "its checksum does not match", good[:head_end + 4] + bytes(len(body)) + good[-4:])
    add("zeros", "a hole in the file", bytes(len(good)))
    return out


def link_entry(entry: dict) -> dict:
    return {"fields": entry["fields"], "header_hex": entry["header"].hex(), "leaf_hash": entry["leaf_hash"],
            **raw(entry["body"], "body")}


def link_case(name: str, why: str, entries, index=None, reason=None) -> dict:
    broken = log.first_broken_link(entries)
    stated = None if index is None else (index, reason)
    assert broken == stated, (name, broken, stated)
    expected = {"intact": True, "leaf_hashes": [e["leaf_hash"] for e in entries]}
    if broken:
        expected = {"intact": False, "entry": index, "link": reason}
    head = {"name": name, "why": why} if why else {"name": name}
    return {**head, "entries": [link_entry(e) for e in entries], "expected": expected}


def rechained(entries, start: int) -> list:
    """The entries from `start` on with the previous leaf made right again, as a careful forger would."""
    out = list(entries[:start])
    for entry in entries[start:]:
        fields = {**entry["fields"], "previous_leaf_hash": out[-1]["leaf_hash"] if out else None}
        out.append(log.entry_of(fields, entry["body"]))
    return out


def edited(entries, index: int, careful: bool = False, **edits) -> list:
    out = list(entries)
    out[index] = log.entry_of({**out[index]["fields"], **edits}, out[index]["body"])
    return rechained(out, index + 1) if careful else out


def link_cases(c: Cast) -> list:
    whole = sample_log(c).entries
    e = whole[:7]
    body_changed = copy.copy(e)
    body_changed[3] = {**e[3], "body": e[3]["body"].replace(b'"allow"', b'"deny"')}
    inserted = e[:2] + [log.entry_of({**e[1]["fields"], "previous_leaf_hash": e[1]["leaf_hash"], "seq": 2,
                                      "trace_previous_seq": 1, "trace_count": 2}, e[1]["body"])] + e[2:]
    first_bytes = e[2]["fields"]["declared_hash"]
    return [
        link_case("a whole log", "", whole),
        link_case("genesis alone", "", whole[:1]),
        link_case("an empty log", "", []),
        link_case("a header changed", "the next entry names another leaf",
                  edited(e, 2, declared_hash=first_bytes[::-1]), 3, "previous_leaf_hash"),
        link_case("a body changed", "the header's envelope hash is another one", body_changed, 3, "body_hash"),
        link_case("an envelope hash changed with the chain made right again", "the body has another hash",
                  edited(e, 3, True, envelope_hash="00" * 32), 3, "body_hash"),
        link_case("two entries swapped", "sequence numbers run without gaps", e[:2] + [e[3], e[2]] + e[4:], 2, "seq"),
        link_case("an entry repeated", "sequence numbers run without gaps", e[:4] + [e[3]] + e[4:], 4, "seq"),
        link_case("an entry removed", "sequence numbers run without gaps", e[:3] + e[4:], 3, "seq"),
        link_case("an entry removed and the numbers made right", "the entry names a leaf that is gone",
                  e[:3] + edited(e, 4, seq=3)[4:], 3, "previous_leaf_hash"),
        link_case("an entry inserted", "the one after it has the same number", inserted, 3, "seq"),
        link_case("genesis removed", "a log begins with entry 0", e[1:], 0, "seq"),
        link_case("genesis removed and all made right", "entry 0 is genesis",
                  rechained([log.entry_of({**e[1]["fields"], "seq": 0, "previous_leaf_hash": None}, e[1]["body"])], 1),
                  0, "genesis"),
        link_case("a second genesis", "only entry 0 is",
                  e[:1] + [log.entry_of({**e[0]["fields"], "seq": 1, "previous_leaf_hash": e[0]["leaf_hash"]},
                                        GENESIS)], 1, "genesis"),
        link_case("a log of another origin spliced in", "the entry names a leaf of the other log",
                  e[:3] + edited(e, 3, previous_leaf_hash="ab" * 32)[3:], 3, "previous_leaf_hash"),
        link_case("time runs backwards", "recorded_at_ms is never below the previous entry's",
                  edited(e, 3, True, recorded_at_ms=START_MS), 3, "recorded_at_ms"),
        link_case("a trace's previous entry is another one", "entry 5 continues entry 3",
                  edited(e, 5, True, trace_previous_seq=1), 5, "trace_links"),
        link_case("a trace's count skips one", "entry 5 is the third of its trace",
                  edited(e, 5, True, trace_count=4), 5, "trace_links"),
        link_case("a trace starts again", "entry 3 is the second of its trace",
                  edited(e, 3, True, trace_count=1, trace_previous_seq=None), 3, "trace_links"),
        link_case("an entry moved to another trace", "the other trace has another count",
                  edited(e, 5, True, trace_id=e[4]["fields"]["trace_id"]), 5, "trace_links"),
    ]


def files() -> dict:
    c = Cast(0x10C)
    entries = sample_log(c).entries
    base, genesis = entries[5]["fields"], entries[0]["fields"]
    positive = [header_case(f"{e['fields']['kind']} at seq {e['fields']['seq']}", e["fields"]) for e in entries]
    frames = [frame_case(f"frame of entry {e['fields']['seq']}", e) for e in (entries[0], entries[1], entries[10])]
    frames.append(frame_case("frame with an empty body", {**entries[0], "body": b""}))
    checks = [{"name": name, "input_hex": data.hex(), "expected": {"crc32c": log.crc32c(data)}} for name, data in (
        ("empty", b""), ("check value", b"123456789"), ("RFC 3720: 32 zeros", bytes(32)),
        ("RFC 3720: 32 ones", b"\xff" * 32), ("RFC 3720: ascending", bytes(range(32))),
        ("RFC 3720: descending", bytes(range(31, -1, -1))))]
    assert [check["expected"]["crc32c"] for check in checks[1:]] == [
        0xE3069283, 0x8A9136AA, 0x62A8AB43, 0x46DD794E, 0x113FDB5C]
    return {
        "headers/positive.json": ("headers", "Header fields, their deterministic CBOR and leaf hash.",
                                  positive + edge_headers(base)),
        "headers/negative.json": ("headers", "Bytes that are no header: by their encoding, or by what they say.",
                                  header_negatives(base, genesis)),
        "headers/frames.json": ("headers", "Header and body, framed.", frames),
        "headers/frames.negative.json": ("headers", "Bytes that are no frame.", frame_negatives(entries[0])),
        "headers/crc32c.json": ("headers", "CRC-32C, with the check values of RFC 3720.", checks),
        "links/logs.json": ("links", "Whole small logs, intact or broken at a stated entry.", link_cases(c)),
    }

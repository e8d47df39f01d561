#!/usr/bin/env python3
"""Verifies an evidence bundle. Written from docs/bundle.md, docs/format.md and docs/proofs.md alone, with the standard
library, and `cryptography` for Ed25519 signatures only; it shares no code with the Rust crates.

    python3 verify_bundle.py BUNDLE [--key VKEY|FILE] [--schemas FOLDER] [--json]

--key      the public key of a log (name+id+base64), or a file with one; without it nobody is asked who signed
--schemas  the published schemas (trace/schemas of the repository, which is the default where it is there)

Exit codes: 0 everything holds, 1 refused (the step that failed first is named), 2 wrong arguments.
"""

import argparse
import base64
import bisect
import collections
import datetime
import hashlib
import json
import os
import pathlib
import re
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MANIFEST_BYTES, CHECKPOINT_BYTES, HEADER_BYTES, BODY_BYTES = 64 << 20, 1 << 20, 4096, 16 << 20
SAFE_INTEGER = (1 << 53) - 1
DEPTH = 128
SCHEMAS = pathlib.Path(__file__).resolve().parent.parent / "trace" / "schemas"


class Refused(Exception):
    """What is wrong with the bundle."""


def need(condition, why):
    if not condition:
        raise Refused(why)


# Bytes and numbers.

def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def b64(text):
    """Base64 in its one spelling: padded, and no stray bits."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Refused("no base64") from error
    need(base64.b64encode(data) == text, "base64 in another spelling")
    return data


def hash32(text):
    data = b64(text)
    need(len(data) == 32, "a hash of another length")
    return data


def decimal(text):
    need(re.fullmatch(rb"0|[1-9][0-9]{0,19}", text) and int(text) < 1 << 64, "no plain decimal number")
    return int(text)


def lines_of(data):
    need(not data or data.endswith(b"\n"), "the last line does not end")
    return data.split(b"\n")[:-1]


# Canonical JSON (RFC 8785): what is read is written again and compared.

def no_repeats(pairs):
    members = dict(pairs)
    need(len(members) == len(pairs), "a member stands there twice")
    return members


def no_constant(text):
    raise Refused(text + " is no JSON")


def integer(text):
    """An int where a double holds it exactly, else the double: JSON numbers are doubles to RFC 8785."""
    return int(text) if len(text) <= 17 and abs(int(text)) <= SAFE_INTEGER else float(text)


def es6(double):
    """ECMAScript Number::toString (ECMA-262 section 6.1.6.1.20), from the shortest digits, which repr gives too."""
    need(abs(double) != float("inf"), "a number too large")
    mantissa, _, exponent = repr(abs(double)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(digits) - len(fraction) + int(exponent or 0)  # the value is 0.DIGITS times ten to this power
    digits = digits.rstrip("0")
    if not digits:
        return "0"
    sign = "-" if double < 0 else ""
    if len(digits) <= point <= 21:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return sign + digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    power = "%+d" % (point - 1)
    return sign + digits[0] + ("." + digits[1:] if len(digits) > 1 else "") + "e" + power


ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def quoted(text):
    return '"' + re.sub('["\\\\\x00-\x1f]', lambda c: ESCAPES.get(c[0]) or "\\u%04x" % ord(c[0]), text) + '"'


def canonical(value, depth=0):
    need(depth <= DEPTH, "nested too deep")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return es6(value)
    if isinstance(value, list):
        return "[" + ",".join([canonical(item, depth + 1) for item in value]) + "]"
    names = sorted(value, key=lambda name: name.encode("utf-16-be"))
    return "{" + ",".join([quoted(name) + ":" + canonical(value[name], depth + 1) for name in names]) + "}"


def read_json(data):
    """The value of canonical bytes; anything else is refused, another spelling of the same value too."""
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=no_repeats, parse_constant=no_constant,
                           parse_int=integer)
        spelled = canonical(value).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise Refused("no JSON") from error
    need(spelled == data, "JSON that is not canonical")
    return value


def member(value, name, kind):
    need(type(value) is dict and type(value.get(name)) is kind, "no member " + name)
    return value[name]


def number(value, name):
    need(0 <= member(value, name, int) <= SAFE_INTEGER, "no number " + name)
    return value[name]


def hex_text(value, name, digits):
    need(re.fullmatch("[0-9a-f]{%d}" % digits, member(value, name, str)), "no hex digits in " + name)
    return value[name]


def exactly(value, names):
    need(type(value) is dict and set(value) == set(names), "not exactly the members " + ", ".join(sorted(names)))


def ascends(items):
    return all(a < b for a, b in zip(items, items[1:]))


# JSON Schema 2020-12, as much of it as the published schemas use.

ANNOTATIONS = {"$schema", "$id", "$defs", "$comment", "title", "description", "then", "else"}
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}


def matches(pattern, text):
    """As ECMAScript does: `$` is the very end, in Python it is also before a last newline."""
    at_end = re.sub(r"(\\.|\[[^\]]*\])|\$", lambda found: found[1] or r"\Z", pattern)
    return re.search(at_end, text) is not None


def fits(schema, value, root):
    return schema is not False and all(KEYWORDS[word](schema[word], value, schema, root)
                                       for word in schema if word not in ANNOTATIONS)


def if_then_else(condition, value, schema, root):
    return fits(schema.get("then" if fits(condition, value, root) else "else", {}), value, root)


def additional(inner, value, schema, root):
    more = [value[name] for name in value if name not in schema.get("properties", {})] if type(value) is dict else []
    return all(fits(inner, one, root) for one in more)


def when(kind, rule):
    """A keyword that says nothing about values of another type."""
    return lambda asked, value, schema, root: type(value) is not kind or rule(asked, value, root)


KEYWORDS = {
    "type": lambda a, v, s, r: type(v) in [TYPES[name] for name in ([a] if type(a) is str else a)],
    "const": lambda a, v, s, r: canonical(a) == canonical(v),
    "enum": lambda a, v, s, r: canonical(v) in map(canonical, a),
    "$ref": lambda a, v, s, r: fits(r["$defs"][a[len("#/$defs/"):]], v, r),
    "allOf": lambda a, v, s, r: all(fits(one, v, r) for one in a),
    "anyOf": lambda a, v, s, r: any(fits(one, v, r) for one in a),
    "if": if_then_else,
    "additionalProperties": additional,
    "required": when(dict, lambda a, v, r: all(name in v for name in a)),
    "properties": when(dict, lambda a, v, r: all(fits(a[name], v[name], r) for name in a if name in v)),
    "propertyNames": when(dict, lambda a, v, r: all(fits(a, name, r) for name in v)),
    "items": when(list, lambda a, v, r: all(fits(a, one, r) for one in v)),
    "minItems": when(list, lambda a, v, r: len(v) >= a),
    "pattern": when(str, lambda a, v, r: matches(a, v)),
    "maxLength": when(str, lambda a, v, r: len(v) <= a),
    "minLength": when(str, lambda a, v, r: len(v) >= a),
    "maximum": when(int, lambda a, v, r: v <= a),
    "minimum": when(int, lambda a, v, r: v >= a),
}


def read_schemas(folder):
    """By name: the SHA-256 of the published file, and the schema."""
    out = {}
    for path in sorted(pathlib.Path(folder).glob("*.schema.json")):
        data = path.read_bytes()
        out[path.name[:-len(".schema.json")]] = sha256(data).hex(), json.loads(data)
    need(out or folder == SCHEMAS, "no schemas in %s" % folder)
    return out


# Entry headers: deterministic CBOR, an array of twelve items.

Header = collections.namedtuple("Header", "version seq previous kind trace trace_previous trace_count envelope "
                                          "classification error_kind declared recorded_at_ms")
GENESIS, ACCEPTED, REJECTED, ARTIFACT, SYSTEM = range(5)
ERROR_KINDS = {3: ("hash_mismatch.envelope_hash",),
               4: ("missing_prereq.auth_context", "missing_prereq.policy_decision"),
               5: ("trace_violation.trace_id_mismatch",),
               6: ("unauthorized.authority_mismatch", "unauthorized.policy_denied")}


def cbor(data, at, depth=0):
    """A value of the forms that a header has, and where it ends."""
    need(at < len(data), "a header that ends early")
    need(depth <= 2, "a header nested too deep")
    major, small, at = data[at] >> 5, data[at] & 31, at + 1
    if (major, small) == (7, 22):
        return None, at
    need(major in (0, 2, 3, 4) and small < 28, "a form of CBOR that no header has")
    value = small
    if small >= 24:
        width = 1 << small - 24
        need(at + width <= len(data), "a header that ends early")
        value, at = int.from_bytes(data[at:at + width], "big"), at + width
        need(value >= (24 if width == 1 else 1 << 4 * width), "CBOR that is not shortest")
    if major == 0:
        return value, at
    if major == 4:
        need(value <= 12, "a list too long")
        items = []
        for _ in range(value):
            item, at = cbor(data, at, depth + 1)
            items.append(item)
        return items, at
    need(value <= len(data) - at, "a header that ends early")
    text, at = data[at:at + value], at + value
    return (text if major == 2 else text.decode("utf-8")), at


def is_bytes(value, length):
    return type(value) is bytes and len(value) == length


def read_header(data):
    need(len(data) <= HEADER_BYTES, "a header too long")
    need(data[:1] == b"\x8c", "no list of twelve items")
    try:
        items, end = cbor(data, 0)
    except UnicodeDecodeError as error:
        raise Refused("text that is not UTF-8 in a header") from error
    need(end == len(data), "bytes behind a header")
    header = Header(*items)
    need(type(header.version) is int and type(header.seq) is int and type(header.kind) is int, "a header's numbers")
    need(header.version in (0, 1), "a header of a newer format")
    need(header.kind <= SYSTEM, "an unknown kind of entry")
    need((header.kind == GENESIS) == (header.seq == 0), "entry 0 is genesis, and no other")
    need(header.previous is None if header.seq == 0 else is_bytes(header.previous, 32), "the leaf hash before")
    need(is_bytes(header.envelope, 32) and type(header.recorded_at_ms) is int, "envelope hash or time")
    check_trace_items(header)
    check_class_items(header)
    return header


def check_trace_items(header):
    need(type(header.trace_count) is int, "the trace's count")
    if header.trace is None:
        need(header.kind not in (ACCEPTED, REJECTED), "an envelope has a trace")
        need(header.trace_previous is None and header.trace_count == 0, "links of a trace without one")
        return
    need(header.kind != GENESIS, "genesis has no trace")
    need(is_bytes(header.trace, 16) and any(header.trace), "a trace id")
    if header.trace_previous is None:
        need(header.trace_count == 1, "the first entry of a trace has count 1")
    else:
        need(type(header.trace_previous) is int and header.trace_previous < header.seq, "the trace's previous entry")
        need(header.trace_count >= 2, "a later entry of a trace has a count above 1")


def check_class_items(header):
    need(type(header.classification) in (int, type(None)), "a classification")
    if header.kind == REJECTED:
        need(header.error_kind in ERROR_KINDS.get(header.classification, ()), "class and error of a refused attempt")
        short = header.declared
        if type(short) is list:
            need(len(short) == 3 and is_bytes(short[0], 128) and type(short[1]) is int and short[1] > 128
                 and is_bytes(short[2], 32), "a declared hash kept short")
        elif short is not None:
            need(type(short) is str and len(short.encode()) <= 128, "a declared hash")
    else:
        wanted = 0 if header.kind == ACCEPTED else None
        need(header.classification == wanted, "a classification of another kind of entry")
        need(header.error_kind is None and header.declared is None, "error or declared hash of no refused attempt")


# Trees: RFC 9162 section 2.1.1.

def leaf_hash(leaf):
    return sha256(b"\0", leaf)


def root_of(size, leaves, hashes):
    """The root that `leaves` (pairs of index and hash, ascending) and a multiproof give."""
    indexes, rest = [index for index, _ in leaves], iter(hashes)

    def root(low, high):
        at = bisect.bisect_left(indexes, low)
        if at == len(indexes) or indexes[at] >= high:
            found = next(rest, None)
            need(found is not None, "a hash too few")
            return found
        if high - low == 1:
            return leaves[at][1]
        middle = low + (1 << (high - low - 1).bit_length() - 1)
        left = root(low, middle)
        return sha256(b"\1", left, root(middle, high))

    found = root(0, size) if size else sha256()
    need(next(rest, None) is None, "a hash too many")
    return found


# Keys and signatures.

ROLES = {b"\x01": "log", b"\xffproofline/cose-receipt/ed25519\0": "cose",
         b"\xffproofline/dsse-statement/ed25519\0": "dsse", b"\xffproofline/producer/ed25519\0": "producer"}
PRIME = (1 << 255) - 19
Y_OF_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7


def is_strong_point(data):
    """No point of small order, whose signatures anyone can make, and no second spelling of one."""
    y = int.from_bytes(data, "little") & (1 << 255) - 1
    return y < PRIME and y not in (0, 1, PRIME - 1, Y_OF_ORDER_8, PRIME - Y_OF_ORDER_8)


class Key:
    def __init__(self, text):
        parts = text.split("+", 2)
        need(len(parts) == 3 and re.fullmatch("[!-*,-~]{1,255}", parts[0]) and re.fullmatch("[0-9a-f]{8}", parts[1]),
             "no key's text")
        self.text, self.name, self.short = text, parts[0], parts[0] + "+" + parts[1]
        data = b64(parts[2].encode())
        self.id = bytes.fromhex(parts[1])
        need(sha256(self.name.encode(), b"\n", data)[:4] == self.id, "a key's id is not that of the key")
        self.role, self.public = ROLES.get(data[:-32]), data[-32:]
        need(self.role, "a key of another kind")
        need(is_strong_point(self.public), "a weak key")

    def has_signed(self, message, signature):
        if len(signature) != 64 or not is_strong_point(signature[:32]):
            return False
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


class KeyList:
    """The keys that a ledger lists and has not retired, as its key entries say one after the other."""

    def __init__(self, ledger_id, origin):
        self.head = "proofline/key/v1\nledger %s\norigin %s\n" % (ledger_id, origin)
        self.origin, self.listed, self.current = origin, set(), {}

    def message(self, event, key):
        return (self.head + "%s\nkey %s\n" % (event, key.text)).encode()

    def take(self, record):
        """A key entry in its order; every rule of the list that it breaks is a reason to refuse it."""
        key, event = Key(member(record, "key", str)), member(record, "event", str)
        need(event in ("added", "retired"), "an unknown event")
        message, voucher = self.message(event, key), None
        if "endorsement" in record:
            by = member(record, "endorsement", dict)
            voucher = self.current.get(member(by, "key", str))
            need(voucher and voucher.role == "log", "nobody who is listed vouches for %s" % key.short)
            need(voucher.has_signed(message, b64(member(by, "signature", str).encode())), "a voucher did not sign")
        if event == "retired":
            need(voucher, "nobody retires %s" % key.short)
            need(key.short in self.current and self.current[key.short].text == key.text,
                 "%s is retired and not current" % key.short)
            del self.current[key.short]
            return key, event, voucher
        need(key.role != "log" or key.name == self.origin, "a log key of another origin")
        need(key.role == "log" or voucher, "nobody vouches for %s" % key.short)
        need(key.short not in self.listed, "%s is listed twice" % key.short)
        need(key.has_signed(message, b64(member(record, "signature", str).encode())), "a key did not sign its entry")
        self.listed.add(key.short)
        self.current[key.short] = key
        return key, event, voucher


def rests_on(root, events):
    """The log keys that are current for somebody who knows `root`, those that it vouched for, and nobody else."""
    trusted = {}
    for key, event, voucher in events:
        if key.text == root.text and event == "added" or voucher and voucher.short in trusted:
            if event == "added":
                trusted[key.short] = key
            else:
                trusted.pop(key.short, None)
    return [key for key in trusted.values() if key.role == "log"]


def read_note(data):
    """The signed text and the signature lines (C2SP signed-note)."""
    try:
        note = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused("a checkpoint that is not UTF-8") from error
    need(all(c >= " " or c == "\n" for c in note), "a control character in the checkpoint")
    at = note.rfind("\n\n")
    need(at > 0 and note.endswith("\n") and len(note) > at + 2, "no signed note")
    signatures = []
    for line in note[at + 2:-1].split("\n"):
        found = re.fullmatch("\u2014 ([^ +]+) ([A-Za-z0-9+/=]+)", line)
        need(found and not any(c.isspace() for c in found[1]), "a line that is no signature")
        blob = b64(found[2].encode())
        need(len(blob) >= 5, "a signature too short")
        signatures.append((found[1], blob[:4], blob[4:]))
    return note[:at + 1], signatures


# The bundle.

Member = collections.namedtuple("Member", "name at length")
Entry = collections.namedtuple("Entry", "header leaf body")


def tar_header(name, length):
    head = bytearray(512)
    for at, field in ((0, name), (100, b"0000644\0"), (108, b"0000000\0"), (116, b"0000000\0"),
                      (124, b"%011o\0" % length), (136, b"00000000000\0"), (148, b" " * 8), (156, b"0"),
                      (257, b"ustar\x0000"), (329, b"0000000\0"), (337, b"0000000\0")):
        head[at:at + len(field)] = field
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head)


def blob_names(body):
    """The payloads and policies that a record names."""
    kind = body.get("record_type")
    if kind == "policy_decision":
        return [hex_text(member(body, "policy", dict), "policy_sha256", 64)]
    if kind in ("model_call", "tool_call"):
        return [hex_text(member(body, name, dict), "sha256", 64) for name in ("request", "response")]
    return []


def is_day(timestamp):
    try:
        datetime.date.fromisoformat(timestamp[:10])
    except ValueError:
        return False
    return True


def kind_of(header, body):
    """The name of the schema of a body, which has to suit the kind of its entry."""
    need(type(body) is dict, "a body that is no object")
    word = {ACCEPTED: "record_type", REJECTED: "record_type", ARTIFACT: "artifact_type"}.get(header.kind, "system_type")
    if header.kind == ARTIFACT and word not in body:
        return "replay_result"
    name = member(body, word, str)
    need((name == "genesis") == (header.kind == GENESIS), "genesis is entry 0, and no other")
    need(word != "system_type" or body.get("version") == "1", "a newer version of a system entry: a newer reader is needed")
    return name


class Bundle:
    def __init__(self, file, key, schemas):
        self.file, self.key, self.schemas = file, key, schemas
        self.signers = []

    # 1. Container and manifest.

    def container(self):
        """Finds the members. Each header is made again and compared, so that there is one spelling of each file."""
        end = self.file.seek(0, os.SEEK_END)
        self.members, at = [], 0
        while True:
            self.file.seek(at)
            head = self.file.read(512)
            need(len(head) == 512, "the file ends inside a member's header")
            if not any(head):
                break
            name = head[:100].rstrip(b"\0")
            need(re.fullmatch(rb"[0-7]{11}\0", head[124:136]), "a length in another spelling")
            length = int(head[124:135], 8)
            need(tar_header(name, length) == head, "a member's header in another spelling")
            need(length <= end - at - 512, "a member is longer than the file")
            self.file.seek(at + 512 + length)
            padding = self.file.read(-length % 512)
            need(len(padding) == -length % 512 and not any(padding), "padding that is not zeros")
            self.members.append(Member(name, at + 512, length))
            at += 512 + length + len(padding)
        need(at + 1024 == end and not any(self.file.read(512)), "two blocks of zeros end the file, and nothing else")
        names = [part.name for part in self.members]
        need(names[:4] == [b"bundle.json", b"checkpoint", b"entries", b"log.proof"], "the first members are others")
        self.index = [part for part in self.members[4:] if re.fullmatch(rb"index/[0-9]{20}", part.name)]
        self.blobs = [part for part in self.members[4:] if re.fullmatch(rb"blobs/[0-9a-f]{64}", part.name)]
        need(self.members[4:] == self.index + self.blobs, "a member that has no place here")
        need(ascends([part.name for part in self.index][::-1]), "index members are not in order")
        need(ascends([part.name for part in self.blobs]), "payloads are not in order")

    def bytes_of(self, part, most):
        need(part.length <= most, "%s is too long" % part.name.decode())
        self.file.seek(part.at)
        return self.file.read(part.length)

    def manifest(self):
        value = read_json(self.bytes_of(self.members[0], MANIFEST_BYTES))
        need(member(value, "bundle_type", str) == "proofline.evidence", "no evidence bundle")
        need(member(value, "version", str) == "1", "a bundle of a newer version: a newer reader is needed")
        exactly(value, ("bundle_type", "version", "ledger_id", "origin", "size", "traces", "cover", "blobs", "schemas",
                        "withheld"))
        hex_text(value, "ledger_id", 32)
        member(value, "origin", str)
        self.size = number(value, "size")
        self.said = value
        for name, key, check in (("traces", "trace_id", self.said_trace), ("blobs", "sha256", self.said_blob),
                                 ("schemas", "name", self.said_schema)):
            for one in member(value, name, list):
                check(one)
            need(ascends([one[key] for one in value[name]]), name + " do not ascend")
        need(value["traces"], "no trace was asked for")
        for name in ("cover", "withheld"):
            need(all(type(seq) is int and 0 <= seq < self.size for seq in member(value, name, list)), name + " names a seq")
        need(ascends(value["withheld"]), "withheld does not ascend")
        need(ascends(value["cover"][::-1]) and value["cover"][:1] == [self.size - 1] and value["cover"][-1] > 0,
             "the cover does not descend from the last entry")
        self.traces = {bytes.fromhex(one["trace_id"]): one["entries"] for one in value["traces"]}

    def said_trace(self, one):
        exactly(one, ("trace_id", "entries"))
        need(hex_text(one, "trace_id", 32).strip("0"), "a trace id of zeros")
        number(one, "entries")

    def said_blob(self, one):
        state = member(one, "state", str)
        need(state in ("included", "withheld", "erased", "absent"), "an unknown state of a payload")
        exactly(one, ("sha256", "state") + (("erased_by",) if state == "erased" else ()))
        hex_text(one, "sha256", 64)
        if state == "erased":
            number(one, "erased_by")

    def said_schema(self, one):
        exactly(one, ("name", "sha256"))
        need(re.fullmatch("[a-z0-9_]{1,64}", member(one, "name", str)), "no name of a schema")
        hex_text(one, "sha256", 64)

    def container_names(self):
        names = [b"index/%020d" % seq for seq in self.said["cover"]]
        need([part.name for part in self.index] == names, "other index members than the cover has")

    # 2. Checkpoint.

    def checkpoint(self):
        self.text, self.signatures = read_note(self.bytes_of(self.members[1], CHECKPOINT_BYTES))
        lines = self.text[:-1].split("\n")
        need(len(lines) >= 3 and all(lines), "no checkpoint")
        size, self.root = decimal(lines[1].encode()), hash32(lines[2].encode())
        need(lines[0] == self.said["origin"], "the checkpoint of another log")
        need(size == self.said["size"], "the checkpoint has another size")

    # 3. Entries.

    def entries(self):
        """Line by line: what is kept of a body is what later steps ask for."""
        self.by_seq, self.system, self.kinds, self.named, self.withheld = {}, {}, set(), set(), []
        place, end = self.members[2].at, self.members[2].at + self.members[2].length
        self.file.seek(place)
        before = None
        while self.file.tell() < end:
            header_line, body_line = self.line(end, HEADER_BYTES * 4 // 3 + 4), self.line(end, BODY_BYTES)
            data = b64(header_line)
            header = read_header(data)
            need(header.seq < self.size and (before is None or before.header.seq < header.seq), "seqs do not ascend")
            entry = Entry(header, leaf_hash(data), None if body_line == b"-" else body_line)
            if before and before.header.seq + 1 == header.seq:
                need(header.previous == before.leaf, "entry %d does not continue the one before" % header.seq)
            self.body(entry)
            before = entry._replace(body=None)
            self.by_seq[header.seq] = before

    def line(self, end, most):
        data = self.file.readline(min(most + 1, end - self.file.tell()))
        need(data.endswith(b"\n"), "a line too long, or one that does not end")
        return data[:-1]

    def body(self, entry):
        header = entry.header
        if entry.body is None:
            self.withheld.append(header.seq)
            return
        need(sha256(entry.body) == header.envelope, "entry %d has another body" % header.seq)
        body = read_json(entry.body)
        name = kind_of(header, body)
        if self.schemas:
            need(name in self.schemas, "a body of an unknown kind")
            sort = {ACCEPTED: "record_type", REJECTED: "record_type", GENESIS: "system_type", SYSTEM: "system_type"}
            properties = self.schemas[name][1]["properties"]
            wanted = sort.get(header.kind)
            need(wanted in properties if wanted else not {"record_type", "system_type"} & set(properties),
                 "a body of another kind than its entry's")
            need(fits(self.schemas[name][1], body, self.schemas[name][1]), "entry %d is no %s" % (header.seq, name))
            need(name != "replay_result" or is_day(body["generated_at"]), "entry %d has a day that is none" % header.seq)
        self.kinds.add(name)
        if header.kind in (ACCEPTED, REJECTED):
            own = hex_text(member(body, "trace", dict), "trace_id", 32)
            self.named.update(blob_names(body))
        else:
            own = hex_text(body, "target_trace_id", 32) if header.kind == ARTIFACT else None
        need(own == (header.trace and header.trace.hex()), "entry %d has a body of another trace" % header.seq)
        if header.kind in (GENESIS, SYSTEM):
            self.system[header.seq] = body

    # 4. Inclusion.

    def inclusion(self):
        leaves = [(seq, entry.leaf) for seq, entry in self.by_seq.items()]
        hashes = [hash32(line) for line in lines_of(self.bytes_of(self.members[3], 64 * 45 * (len(leaves) + 1)))]
        need(root_of(self.size, leaves, hashes) == self.root, "the entries lead to another root")

    # 5. Genesis.

    def genesis(self):
        genesis = self.system.get(0)
        need(genesis is not None, "no genesis entry")
        need(member(genesis, "ledger_id", str) == self.said["ledger_id"], "the entries of another ledger")
        need(member(genesis, "origin", str) == self.said["origin"], "the entries of another origin")

    # 6. Cover.

    def cover(self):
        self.shown = []
        seqs = self.said["cover"]
        for at, (seq, part) in enumerate(zip(seqs, self.index)):
            body = self.system.get(seq, {})
            need(body.get("system_type") == "trace_index", "entry %d is no index entry" % seq)
            need(number(body, "from") == (seqs[at + 1] if at + 1 < len(seqs) else 0), "the cover has a gap")
            self.shown.append(self.leaves(part, number(body, "traces"), hex_text(body, "root", 64)))

    def leaves(self, part, traces, root):
        """The leaves that an index member shows, as (index, trace, count, leaf hash), their traces, and how many there are in the tree."""
        lines = lines_of(self.bytes_of(part, 4096 * (2 * len(self.traces) + 1)))
        need(b"" in lines, "an index member without an empty line")
        empty, leaves = lines.index(b""), []
        for line in lines[:empty]:
            words = line.split(b" ")
            need(len(words) == 4 and re.fullmatch(rb"[0-9a-f]{32}", words[1]), "a line that is no leaf")
            leaves.append((decimal(words[0]), bytes.fromhex(words[1].decode()), decimal(words[2]), hash32(words[3])))
        need(all(index < traces and count > 0 for index, _, count, _ in leaves), "a leaf that is not in the tree")
        need(ascends([leaf[0] for leaf in leaves]), "indexes do not ascend")
        need(ascends([leaf[1] for leaf in leaves]), "traces do not ascend")
        hashed = [(index, leaf_hash(trace + count.to_bytes(8, "big") + last)) for index, trace, count, last in leaves]
        found = root_of(traces, hashed, [hash32(line) for line in lines[empty + 1:]])
        need(found.hex() == root, "%s leads to another root" % part.name.decode())
        return leaves, [leaf[1] for leaf in leaves], traces

    # 7. Completeness.

    def completeness(self):
        wanted = [set() for _ in self.shown]
        found = {trace: self.newest_leaf(trace, wanted) for trace in self.traces}
        for (leaves, _, _), asked in zip(self.shown, wanted):
            need({leaf[0] for leaf in leaves} == asked, "a leaf is shown that was not asked for")
        chains = collections.defaultdict(list)
        for entry in self.by_seq.values():
            chains[entry.header.trace].append(entry)
        for trace, leaf in found.items():
            self.whole_trace(trace, leaf, chains.get(trace, []))

    def newest_leaf(self, trace, wanted):
        """The leaf of the newest member that lists the trace; each newer one shows by neighbours that it does not."""
        for (leaves, ids, traces), asked in zip(self.shown, wanted):
            at = bisect.bisect_left(ids, trace)
            if at < len(ids) and ids[at] == trace:
                asked.add(leaves[at][0])
                return leaves[at]
            before = leaves[at - 1][0] if at else -1
            behind = leaves[at][0] if at < len(leaves) else traces
            need(before + 1 == behind, "nothing shows that trace %s is not listed" % trace.hex())
            asked.update({before, behind} - {-1, traces})
        return None

    def whole_trace(self, trace, leaf, entries):
        count = leaf[2] if leaf else 0
        need(self.traces[trace] == count, "the manifest states another number of entries of %s" % trace.hex())
        need(len(entries) == count, "trace %s has %d entries, of which %d are here" % (trace.hex(), count, len(entries)))
        before = None
        for at, entry in enumerate(entries):
            need(entry.header.trace_count == at + 1 and entry.header.trace_previous == before,
                 "the links of trace %s are broken at entry %d" % (trace.hex(), entry.header.seq))
            before = entry.header.seq
        need(leaf is None or entries[-1].leaf == leaf[3], "trace %s ends in another entry" % trace.hex())

    # 8. Keys.

    def keys(self):
        records = [(seq, body) for seq, body in self.system.items() if body.get("system_type") == "key"]
        stated = number(self.system[self.said["cover"][0]], "keys")
        need(len(records) == stated, "%d key entries are stated, %d are here" % (stated, len(records)))
        listed = KeyList(self.said["ledger_id"], self.said["origin"])
        self.key_events, self.key_seqs = [listed.take(body) for _, body in records], {seq for seq, _ in records}
        self.current = list(listed.current.values())

    # 9. Nothing else.

    def surplus(self):
        said = self.said
        erasures = {one["erased_by"] for one in said["blobs"] if one["state"] == "erased"}
        always = {0, *said["cover"], *self.key_seqs, *erasures}
        for seq, entry in self.by_seq.items():
            need(seq in always or entry.header.trace in self.traces, "entry %d was not asked for" % seq)
        need(all(self.by_seq[seq].header.trace in self.traces for seq in self.withheld), "a body that must be here is not")
        need(self.withheld == said["withheld"], "other bodies are withheld than the manifest states")
        need(self.named == {one["sha256"] for one in said["blobs"]}, "other payloads are listed than the records name")
        need(self.kinds == {one["name"] for one in said["schemas"]}, "other schemas are listed than the entries have")
        for one in said["schemas"] if self.schemas else []:
            need(self.schemas[one["name"]][0] == one["sha256"], "another schema of %s than the published one" % one["name"])
        for one in said["blobs"]:
            if one["state"] == "erased":
                erasure = self.system.get(one["erased_by"], {})
                need(erasure.get("system_type") == "erasure" and member(erasure, "target", dict)
                     == {"kind": "blob", "sha256": one["sha256"]}, "no erasure of payload " + one["sha256"])
        names = [b"blobs/" + one["sha256"].encode() for one in said["blobs"] if one["state"] == "included"]
        need([blob.name for blob in self.blobs] == names, "other payloads are here than the manifest states")
        for blob in self.blobs:
            need(b"blobs/" + self.digest(blob).encode() == blob.name, "%s has another hash" % blob.name.decode())

    def digest(self, blob):
        """In pieces: a payload may be larger than the memory."""
        self.file.seek(blob.at)
        left, state = blob.length, hashlib.sha256()
        while left:
            piece = self.file.read(min(left, 1 << 20))
            need(piece, "the file ended while it was read")
            state.update(piece)
            left -= len(piece)
        return state.hexdigest()

    # 10. Authenticity.

    def authenticity(self):
        if self.key is None:
            return
        for key in rests_on(self.key, self.key_events):
            signed = [signature for name, key_id, signature in self.signatures if (name, key_id) == (key.name, key.id)]
            if signed:
                need(key.has_signed(self.text.encode(), signed[0]), "the signature of %s does not verify" % key.short)
                self.signers.append(key.short)
        need(self.signers, "nobody signed who rests on " + self.key.short)

    STEPS = ((container, "container"), (manifest, "manifest"), (container_names, "container"), (checkpoint, "checkpoint"),
             (entries, "entries"), (inclusion, "inclusion"), (genesis, "genesis"), (cover, "cover"),
             (completeness, "completeness"), (keys, "keys"), (surplus, "surplus"), (authenticity, "authenticity"))

    def verify(self):
        for step, name in self.STEPS:
            try:
                step(self)
            except Refused as refused:
                return {"verdict": "refused", "step": name, "why": str(refused)}
            except OSError:
                raise  # nothing is known of a file that cannot be read
            except Exception as error:  # a reader of hostile files does not fall over; this one would be a mistake in it
                return {"verdict": "refused", "step": name, "why": "unexpected: " + repr(error)}
        said = self.said
        return {
            "verdict": "accepted", "ledger_id": said["ledger_id"], "origin": said["origin"], "size": said["size"],
            "root": self.root.hex(), "traces": said["traces"], "entries": len(self.by_seq), "cover": said["cover"],
            "keys": len(self.key_events), "withheld": said["withheld"], "blobs": said["blobs"],
            "schemas": "checked" if self.schemas else "not_checked",
            "authenticity": "authentic" if self.signers else "not_asked", "signers": self.signers,
        }


def in_words(report):
    if report["verdict"] == "refused":
        return "refused: %s: %s" % (report["step"], report["why"])
    out = ["ledger %s, origin %s, the first %d entries" % (report["ledger_id"], report["origin"], report["size"])]
    for one in report["traces"]:
        out.append("trace %s: %s" % (one["trace_id"], "all of its %d entries" % one["entries"] if one["entries"]
                                     else "the log has no entry of it"))
    out += ["entry %d: its body is withheld" % seq for seq in report["withheld"]]
    for one in report["blobs"]:
        by = " by entry %d" % one["erased_by"] if "erased_by" in one else ""
        out.append("payload %s: %s%s" % (one["sha256"], one["state"], by))
    if report["schemas"] == "not_checked":
        out.append("schemas were not at hand: no body was checked against one")
    out.append("integrity: sound; completeness: complete, by what was signed; authenticity: "
               + ("signed by " + ", ".join(report["signers"]) if report["signers"] else "not asked, no key was given"))
    return "\n".join(out)


def verify_file(path, key, schemas):
    with open(path, "rb") as file:
        if not file.seekable():
            raise OSError("%s: a bundle is read twice, which a pipe is not" % path)
        return Bundle(file, key, schemas).verify()


def read_key(text):
    """A key, from its text or from the file that holds it."""
    if os.path.isfile(text):
        with open(text, encoding="utf-8") as file:
            text = file.read(4096).strip()
    key = Key(text)
    need(key.role == "log", "not the key of a log")
    return key


def main(arguments):
    parser = argparse.ArgumentParser(description="Verifies an evidence bundle.")
    parser.add_argument("bundle", metavar="BUNDLE")
    parser.add_argument("--key", metavar="VKEY|FILE", help="the public key of the log, or a file with it")
    parser.add_argument("--schemas", metavar="FOLDER", default=SCHEMAS, help="the published schemas")
    parser.add_argument("--json", action="store_true", help="one line of JSON in place of words")
    asked = parser.parse_args(arguments)
    try:
        key = None if asked.key is None else read_key(asked.key)
        report = verify_file(asked.bundle, key, read_schemas(asked.schemas))
    except (Refused, OSError, ValueError) as error:
        print("verify_bundle.py: %s" % error, file=sys.stderr)
        return 2
    sys.stdout.reconfigure(errors="backslashreplace")
    print(json.dumps(report) if asked.json else in_words(report))
    return 0 if report["verdict"] == "accepted" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

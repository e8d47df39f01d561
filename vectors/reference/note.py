"""Signed notes, checkpoints and policies, from C2SP signed-note, tlog-checkpoint, tlog-cosignature and tlog-policy.

A refusal is a `Refused` with the code that `docs/errors.md` lists. ML-DSA-44 is not computed here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
import unicodedata

from . import ed25519

DASH = "\u2014"
MAX_LINES = 128
MAX_NAME = 255
MAX_TIME = 2**63 - 1
TYPES = {
    b"\x01": "log", b"\x04": "witness",
    b"\xffproofline/cose-receipt/ed25519\0": "cose", b"\xffproofline/dsse-statement/ed25519\0": "dsse",
    b"\xffproofline/producer/ed25519\0": "producer",
}
BY_ROLE = {role: kind for kind, role in TYPES.items()}
# White_Space of the Unicode character database.
SPACES = {chr(c) for c in (*range(9, 14), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)}


class Refused(Exception):
    """The code is the first argument."""

    @property
    def code(self) -> str:
        return self.args[0]


def refuse_unless(condition: bool, code: str) -> None:
    if not condition:
        raise Refused(code)


def unbase64(text: str, code: str) -> bytes:
    """Strict: padded, standard alphabet, spare bits zero."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise Refused(code) from error
    refuse_unless(base64.b64encode(data).decode() == text, code)
    return data


def key_id(name: str, kind: bytes, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + kind + public).digest()[:4]


class Key:
    """A public key: name, role, id and its 32 bytes."""

    def __init__(self, name: str, role: str, public: bytes):
        self.name, self.role, self.public = name, role, public
        self.id = key_id(name, BY_ROLE[role], public)

    @property
    def short(self) -> str:
        return f"{self.name}+{self.id.hex()}"

    @property
    def text(self) -> str:
        return f"{self.short}+{base64.b64encode(BY_ROLE[self.role] + self.public).decode()}"


class Secret(Key):
    """A key with its seed."""

    def __init__(self, name: str, role: str, seed: bytes):
        super().__init__(name, role, ed25519.public_key(seed))
        self.seed = seed

    @property
    def secret_text(self) -> str:
        return f"PRIVATE+KEY+{self.short}+{base64.b64encode(BY_ROLE[self.role] + self.seed).decode()}"

    def line(self, signature: bytes) -> str:
        return f"{DASH} {self.name} {base64.b64encode(self.id + signature).decode()}\n"

    def sign(self, text: str) -> str:
        return self.line(ed25519.sign(self.seed, text.encode()))

    def cosign(self, text: str, time_s: int) -> str:
        return self.line(struct.pack(">Q", time_s) + ed25519.sign(self.seed, cosigned(text, time_s)))


def cosigned(text: str, time_s: int) -> bytes:
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()


def read_key(text: str) -> Key:
    refuse_unless(not text.startswith("PRIVATE+KEY+"), "key.kind")
    parts = text.split("+", 2)
    refuse_unless(len(parts) == 3 and re.fullmatch("[0-9a-f]{8}", parts[1]) is not None, "key.form")
    name, data = parts[0], unbase64(parts[2], "key.form")
    bad = any(c in SPACES or unicodedata.category(c) == "Cc" for c in name)
    refuse_unless(0 < len(name.encode()) <= MAX_NAME and not bad, "key.name")
    kind = next((kind for kind in TYPES if data.startswith(kind)), None)
    refuse_unless(kind is not None, "key.type")
    public = data[len(kind):]
    refuse_unless(len(public) == 32, "key.length")
    point = ed25519.decode(public)
    refuse_unless(point is not None and not ed25519.is_small(point), "key.weak")
    key = Key(name, TYPES[kind], public)
    refuse_unless(key.id.hex() == parts[1], "key.id")
    return key


def read_line(line: str):
    parts = line.split(" ")
    refuse_unless(len(parts) == 3 and parts[0] == DASH, "note.line")
    name, blob = parts[1], unbase64(parts[2], "note.line")
    refuse_unless(bool(name) and "+" not in name and not any(c in SPACES for c in name), "note.line")
    refuse_unless(len(blob) >= 5, "note.line")
    return name, blob[:4], blob[4:]


def read_note(data: bytes):
    """The text and its lines."""
    try:
        note = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused("note.utf8") from error
    refuse_unless(all(c >= " " or c == "\n" for c in note), "note.control")
    at = note.rfind("\n\n")
    refuse_unless(at >= 0, "note.split")
    text, block = note[:at + 1], note[at + 2:]
    refuse_unless(block.endswith("\n"), "note.block")
    lines = block[:-1].split("\n")
    refuse_unless(len(lines) <= MAX_LINES, "note.too_many")
    return text, [read_line(line) for line in lines]


def read_checkpoint(text: str) -> dict:
    lines = text.split("\n")
    refuse_unless(len(lines) >= 4 and lines.pop() == "" and all(lines), "checkpoint.lines")
    refuse_unless(re.fullmatch("0|[1-9][0-9]*", lines[1]) is not None and int(lines[1]) < 2**64, "checkpoint.size")
    root, size = unbase64(lines[2], "checkpoint.root"), int(lines[1])
    refuse_unless(len(root) == 32, "checkpoint.root")
    refuse_unless(size > 0 or root == hashlib.sha256(b"").digest(), "checkpoint.empty_root")
    return {"origin": lines[0], "size": size, "root_hex": root.hex(), "extensions": lines[3:]}


class Policy:
    """Logs, witnesses by node, groups, and the node that must hold."""

    def __init__(self):
        self.keys = {}  # (name, id) -> (key, the witness's name or None for a log)
        self.public = set()
        self.nodes = {}  # name -> ("witness",) or ("group", k, members)
        self.members = set()
        self.quorum = None

    def add(self, key: Key, role: str, name) -> None:
        refuse_unless(key.role == role, "policy.role")
        refuse_unless((role, key.public) not in self.public, "policy.same_key")
        refuse_unless((key.name, key.id) not in self.keys, "policy.ambiguous")
        self.public.add((role, key.public))
        self.keys[key.name, key.id] = key, name

    def define(self, name: bytes, node) -> None:
        self.nodes[name] = node

    def free(self, name: bytes) -> None:
        refuse_unless(name != b"none" and name not in self.nodes, "policy.name_taken")

    def read(self, line: bytes) -> None:
        refuse_unless(line.endswith(b"\n"), "policy.unfinished")
        line = line[:-1]
        refuse_unless(all(b == 9 or 0x20 <= b <= 0x7E or b >= 0x80 for b in line), "policy.octet")
        items = [item for item in re.split(b"[ \t]", line) if item]
        if not items or items[0].startswith(b"#"):
            return
        word, rest = items[0], items[1:]
        refuse_unless(word in (b"log", b"witness", b"group", b"quorum"), "policy.keyword")
        getattr(self, "read_" + word.decode())(rest)

    def read_log(self, items) -> None:
        refuse_unless(len(items) in (1, 2), "policy.items")
        self.add(read_key(items[0].decode("utf-8", "surrogateescape")), "log", None)

    def read_witness(self, items) -> None:
        refuse_unless(len(items) in (2, 3), "policy.items")
        self.free(items[0])
        self.add(read_key(items[1].decode("utf-8", "surrogateescape")), "witness", items[0])
        self.define(items[0], ("witness",))

    def read_group(self, items) -> None:
        refuse_unless(len(items) >= 3, "policy.items")
        name, k, members = items[0], items[1], items[2:]
        self.free(name)
        for member in members:
            refuse_unless(member in self.nodes, "policy.undefined")
            refuse_unless(member not in self.members, "policy.member_twice")
            self.members.add(member)
        if k in (b"any", b"all"):
            number = 1 if k == b"any" else len(members)
        else:
            refuse_unless(re.fullmatch(b"[1-9][0-9]*", k) is not None, "policy.threshold")
            number = int(k)
        refuse_unless(number <= len(members), "policy.threshold")
        self.define(name, ("group", number, members))

    def read_quorum(self, items) -> None:
        refuse_unless(len(items) == 1, "policy.items")
        refuse_unless(self.quorum is None, "policy.second_quorum")
        refuse_unless(items[0] == b"none" or items[0] in self.nodes, "policy.undefined")
        self.quorum = items[0]

    def holds(self, name: bytes, signed: set) -> bool:
        if name == b"none":
            return True
        node = self.nodes[name]
        if node[0] == "witness":
            return name in signed
        return sum(self.holds(member, signed) for member in node[2]) >= node[1]


def read_policy(data: bytes) -> Policy:
    policy = Policy()
    for line in re.findall(b"[^\n]*\n|[^\n]+", data):
        policy.read(line)
    refuse_unless(policy.quorum is not None, "policy.no_quorum")
    return policy


def verify_line(key: Key, text: str, signature: bytes):
    """The time that a cosignature states, 0 for a log's signature."""
    if key.role == "log":
        refuse_unless(ed25519.verify(key.public, text.encode(), signature), "checkpoint.signature")
        return 0
    refuse_unless(len(signature) == 72, "checkpoint.signature")
    time_s = struct.unpack(">Q", signature[:8])[0]
    good = time_s <= MAX_TIME and ed25519.verify(key.public, cosigned(text, time_s), signature[8:])
    refuse_unless(good, "checkpoint.signature")
    return time_s


def verify(policy: Policy, note: bytes) -> dict:
    """What a verified checkpoint says and who signed it."""
    text, lines = read_note(note)
    seen, logs, witnesses, unknown = set(), [], [], 0
    for name, ident, signature in lines:
        key, witness = policy.keys.get((name, ident), (None, None))
        if key is None:
            unknown += 1
        elif (name, ident) not in seen:
            seen.add((name, ident))
            time_s = verify_line(key, text, signature)
            if key.role == "log":
                logs.append(key)
            else:
                witnesses.append((key, witness, time_s))
    own = [key for key in logs if key.name == text.split("\n")[0]]
    refuse_unless(bool(own), "checkpoint.other_log" if logs else "checkpoint.no_log")
    found = read_checkpoint(text)
    refuse_unless(policy.holds(policy.quorum, {witness for _, witness, _ in witnesses}), "checkpoint.quorum")
    return {**found, "log_keys": [key.short for key in own],
            "witnesses": [{"key": key.short, "timestamp_s": time_s} for key, _, time_s in witnesses],
            "unknown_lines": unknown}

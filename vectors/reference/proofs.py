"""Proof files, written and verified from C2SP tlog-proof, RFC 9942, DSSE, in-toto and RFC 9162 alone.

A refusal is a `note.Refused` with the code that `docs/errors.md` lists.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re

from . import canon, ed25519, log
from .note import Key, Refused, Secret, refuse_unless, unbase64, verify as verify_note

HEAD = "c2sp.org/tlog-proof@v1"
STATEMENT = "application/vnd.in-toto+json"
INCLUSION, CONSISTENCY = "https://proofline.dev/inclusion/v1", "https://proofline.dev/consistency/v1"
PRODUCER = "application/vnd.proofline.envelope-sha256"
SIZE_LABEL, HEADER_LABEL = "proofline-tree-size", "proofline-entry-header"


# The tree, as RFC 6962 section 2.1 defines it.


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(n: int) -> int:
    return 1 << (n - 1).bit_length() - 1


def root(leaves) -> bytes:
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    k = split(len(leaves))
    return node(root(leaves[:k]), root(leaves[k:]))


def inclusion(m: int, leaves) -> list:
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    return inclusion(m, leaves[:k]) + [root(leaves[k:])] if m < k else inclusion(m - k, leaves[k:]) + [root(leaves[:k])]


def consistency(m: int, leaves, known: bool = True) -> list:
    if m == len(leaves):
        return [] if known else [root(leaves)]
    k = split(len(leaves))
    if m <= k:
        return consistency(m, leaves[:k], known) + [root(leaves[k:])]
    return consistency(m - k, leaves[k:], False) + [root(leaves[:k])]


# The steps of RFC 9162 sections 2.1.3.2 and 2.1.4.2.


def rise(fn: int, sn: int):
    while not fn & 1 and fn:
        fn, sn = fn >> 1, sn >> 1
    return fn, sn


def inclusion_root(index: int, size: int, leaf: bytes, path) -> bytes:
    refuse_unless(index < size, "proof.index")
    fn, sn, r = index, size - 1, leaf
    for p in path:
        refuse_unless(sn > 0, "proof.node_count")
        if fn & 1 or fn == sn:
            r = node(p, r)
            fn, sn = rise(fn, sn)
        else:
            r = node(r, p)
        fn, sn = fn >> 1, sn >> 1
    refuse_unless(sn == 0, "proof.node_count")
    return r


def consistency_root(old: int, old_root: bytes, new: int, path) -> bytes:
    refuse_unless(0 < old <= new, "proof.sizes")
    if old == new:
        refuse_unless(not path, "proof.node_count")
        return old_root
    path = [old_root, *path] if old & (old - 1) == 0 else list(path)
    refuse_unless(bool(path), "proof.node_count")
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        refuse_unless(sn > 0, "proof.node_count")
        if fn & 1 or fn == sn:
            fr, sr = node(c, fr), node(c, sr)
            fn, sn = rise(fn, sn)
        else:
            sr = node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    refuse_unless(sn == 0, "proof.node_count")
    refuse_unless(fr == old_root, "proof.old_root")
    return sr


# Texts.


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def tlog_proof(index: int, path, note: bytes, extra: bytes = b"") -> bytes:
    head = [HEAD] + (["extra " + b64(extra)] if extra else []) + [f"index {index}"] + [b64(h) for h in path]
    return "\n".join(head).encode() + b"\n\n" + note


def request(old: int, path, note: bytes) -> bytes:
    return "\n".join([f"old {old}"] + [b64(h) for h in path]).encode() + b"\n\n" + note


def head_of(data: bytes):
    """The lines up to the first empty one, and the note behind it."""
    head, empty, note = data.partition(b"\n\n")
    refuse_unless(bool(empty) and note.endswith(b"\n"), "tlog_proof.no_checkpoint")
    return head.decode("utf-8", "replace").split("\n"), note


def number_of(line: str, word: str) -> int:
    found = re.fullmatch(word + " (0|[1-9][0-9]*)", line, re.ASCII)
    refuse_unless(found is not None and int(found[1]) < 2**64, "tlog_proof.number")
    return int(found[1])


def hashes_of(lines, most: int) -> list:
    out = [unbase64(line, "tlog_proof.hash") for line in lines[:most + 1]]
    refuse_unless(all(len(h) == 32 for h in out), "tlog_proof.hash")
    refuse_unless(len(lines) <= most, "tlog_proof.too_many_hashes")
    return out


def read_tlog(data: bytes) -> dict:
    lines, note = head_of(data)
    refuse_unless(lines.pop(0) == HEAD, "tlog_proof.first_line")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = unbase64(lines.pop(0)[6:], "tlog_proof.extra")
        refuse_unless(bool(extra), "tlog_proof.extra")
    index = number_of(lines.pop(0) if lines else "", "index")
    return {"index": index, "path": hashes_of(lines, 64), "header": extra, "note": note}


def read_request(data: bytes) -> dict:
    lines, note = head_of(data)
    return {"old": number_of(lines.pop(0), "old"), "path": hashes_of(lines, 63), "note": note}


# CBOR (RFC 8949), deterministic.


class Map(list):
    """Pairs in the order in which they stand."""


class Tag(tuple):
    """(number, value)."""


def encode(value) -> bytes:
    if isinstance(value, Map):
        return log.cbor_head(5, len(value)) + b"".join(encode(k) + encode(v) for k, v in value)
    if isinstance(value, Tag):
        return log.cbor_head(6, value[0]) + encode(value[1])
    if isinstance(value, list):
        return log.cbor_head(4, len(value)) + b"".join(map(encode, value))
    return log.cbor_head(1, -1 - value) if isinstance(value, int) and value < 0 else log.cbor(value)


def decode(data: bytes):
    """A value and what follows it; only what encodes to the same bytes again."""
    refuse_unless(bool(data), "cose.cbor")
    major, small = data[0] >> 5, data[0] & 31
    if data[0] == 0xF6:
        return None, data[1:]
    width = {24: 1, 25: 2, 26: 4, 27: 8}.get(small, 0)
    refuse_unless(small < 28 and major < 7 and len(data) > width, "cose.cbor")
    number = int.from_bytes(data[1:1 + width], "big") if width else small
    refuse_unless(log.cbor_head(major, number) == data[:1 + width], "cose.cbor")
    rest = data[1 + width:]
    if major < 2:
        return (-1 - number if major else number), rest
    if major < 4:
        refuse_unless(len(rest) >= number, "cose.cbor")
        return (rest[:number] if major == 2 else rest[:number].decode()), rest[number:]
    items = []
    for _ in range({4: number, 5: 2 * number, 6: 1}[major]):
        item, rest = decode(rest)
        items.append(item)
    if major == 5:
        return Map(zip(items[::2], items[1::2])), rest
    return (items if major == 4 else Tag((number, items[0]))), rest


def whole(data: bytes, code: str):
    value, rest = decode(data)
    refuse_unless(not rest, code)
    return value


# Receipts.


def protected_of(key: Key, origin: str, size: int, time_s=None) -> bytes:
    claims = Map([(1, origin)] + ([] if time_s is None else [(6, time_s)]))
    return encode(Map([(1, -19), (4, key.short.encode()), (15, claims), (395, 1), (SIZE_LABEL, size)]))


def sig_structure(protected: bytes, payload: bytes) -> bytes:
    return encode(["Signature1", protected, b"", payload])


def receipt(key: Secret, protected: bytes, kind: int, numbers, path, payload: bytes, header=None, attached=None) -> bytes:
    proof = encode([*numbers, list(path)])
    free = Map([(396, Map([(kind, [proof])]))] + ([] if header is None else [(HEADER_LABEL, header)]))
    signature = ed25519.sign(key.seed, sig_structure(protected, payload))
    return encode(Tag((18, [protected, free, attached, signature])))


def read_receipt(data: bytes) -> dict:
    message = whole(data, "cose.form")
    refuse_unless(isinstance(message, Tag) and type(message[1]) is list, "cose.cbor")
    refuse_unless(message[0] == 18 and len(message[1]) == 4, "cose.form")
    protected, free, payload, signature = message[1]
    signed = whole(protected, "cose.form")
    labels = [label for label, _ in [*signed, *free]]
    refuse_unless(len(labels) == len(set(labels)), "cose.duplicate_label")
    signed, free = dict(signed), dict(free)
    known = {1, 2, 4, 15, 395, SIZE_LABEL}
    refuse_unless(all(label in known & set(signed) for label in signed.get(2, [])), "cose.critical")
    refuse_unless(1 in signed and 395 in signed, "cose.missing")
    refuse_unless(signed[395] == 1, "cose.data_structure")
    proofs = free.get(396, Map())
    refuse_unless(len(proofs) == 1 and proofs[0][0] in (-1, -2) and len(proofs[0][1]) == 1, "cose.form")
    first, second, path = whole(proofs[0][1][0], "cose.form")
    refuse_unless(bool(path), "cose.empty_path")
    return {"kind": proofs[0][0], "numbers": (first, second), "path": path, "header": free.get(HEADER_LABEL),
            "protected": protected, "signed": signed, "payload": payload, "signature": signature}


def check_receipt(read: dict, computed: bytes, size: int, keys) -> Key:
    signed = read["signed"]
    refuse_unless(signed[1] in (-19, -8), "cose.algorithm")
    refuse_unless(signed.get(SIZE_LABEL, size) == size, "cose.tree_size")
    refuse_unless(read["payload"] in (None, computed), "cose.payload")
    message = sig_structure(read["protected"], computed)
    for key in keys:
        if key.role == "cose" and ed25519.verify(key.public, message, read["signature"]):
            return key
    raise Refused("cose.signature")


# Envelopes and statements.


def pae(kind: str, body: bytes) -> bytes:
    return b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(body), body)


def envelope(kind: str, body: bytes, signers) -> bytes:
    lines = [{"keyid": s.short, "sig": b64(ed25519.sign(s.seed, pae(kind, body)))} for s in signers]
    return canon.write({"payload": b64(body), "payloadType": kind, "signatures": lines})


def statement(kind: str, subject: str, predicate: dict) -> bytes:
    return canon.write({"_type": "https://in-toto.io/Statement/v1", "subject": [{"digest": {"sha256": subject}}],
                        "predicateType": kind, "predicate": predicate})


def unique(pairs):
    refuse_unless(len({name for name, _ in pairs}) == len(pairs), "canon.duplicate_member")
    return dict(pairs)


def member(value, name: str, kind, code: str):
    found = value.get(name) if isinstance(value, dict) else None
    refuse_unless(isinstance(found, kind) and not isinstance(found, bool), code)
    return found


def either_base64(text: str) -> bytes:
    if re.search("[-_]", text):
        refuse_unless(not re.search("[+/]", text), "dsse.base64")
        text = text.replace("-", "+").replace("_", "/")
    return unbase64(text, "dsse.base64")


def read_envelope(data: bytes) -> dict:
    value = json.loads(data, object_pairs_hook=unique)
    signatures = member(value, "signatures", list, "dsse.member")
    refuse_unless(0 < len(signatures) <= 16, "dsse.count")
    return {"body": either_base64(member(value, "payload", str, "dsse.member")),
            "kind": member(value, "payloadType", str, "dsse.member"),
            "signatures": [(s.get("keyid"), either_base64(member(s, "sig", str, "dsse.member"))) for s in signatures]}


def check_envelope(read: dict, kind: str, keys, threshold: int) -> list:
    refuse_unless(read["kind"] == kind, "dsse.payload_type")
    shorts = {key.short for key in keys}
    message = pae(kind, read["body"])

    def signed(key) -> bool:
        return any(ed25519.verify(key.public, message, sig) for hint, sig in read["signatures"]
                   if hint == key.short or hint not in shorts)

    found = [key for key in keys if signed(key)]
    refuse_unless(len(found) >= threshold, "dsse.threshold")
    return found


def read_statement(body: bytes) -> dict:
    value = json.loads(body, object_pairs_hook=unique)
    bad = "statement.member"
    refuse_unless(member(value, "_type", str, bad) == "https://in-toto.io/Statement/v1", "statement.type")
    kind, predicate = member(value, "predicateType", str, bad), member(value, "predicate", dict, bad)
    refuse_unless(kind in (INCLUSION, CONSISTENCY), "statement.predicate_type")
    found = {"kind": kind, "origin": member(predicate, "origin", str, bad)}
    for name in ("tree_size", "leaf_index") if kind == INCLUSION else ("old_size", "new_size"):
        found[name] = member(predicate, name, int, bad)
    for name in ("root",) if kind == INCLUSION else ("old_root", "new_root"):
        refuse_unless(re.fullmatch("[0-9a-f]{64}", member(predicate, name, str, bad)) is not None, bad)
        found[name] = bytes.fromhex(predicate[name])
    found["path"] = [unbase64(h, bad) for h in member(predicate, "path", list, bad)]
    if kind == INCLUSION:
        found["header"] = unbase64(member(predicate, "header", str, bad), bad)
        seq, subject = facts_of(found["header"])
        refuse_unless(seq == found["leaf_index"], "proof.seq")
        leaf = leaf_of(found["header"])
        computed, claimed = inclusion_root(seq, found["tree_size"], leaf, found["path"]), found["root"]
    else:
        computed = consistency_root(found["old_size"], found["old_root"], found["new_size"], found["path"])
        claimed, subject = found["new_root"], found["new_root"].hex()
    refuse_unless(computed == claimed, "proof.root")
    subjects = member(value, "subject", list, bad)
    refuse_unless(len(subjects) == 1 and subjects[0]["digest"]["sha256"] == subject, "statement.subject")
    return found


# Any of them.


def leaf_of(entry: bytes) -> bytes:
    return hashlib.sha256(b"\0" + entry).digest()


def facts_of(header: bytes):
    """The seq and the envelope hash of an entry header."""
    try:
        items = whole(header, "proof.header")
    except Refused as error:
        raise Refused("proof.header") from error
    refuse_unless(isinstance(items, list) and len(items) == 12 and items[0] in (0, 1), "proof.header")
    return items[1], items[7].hex()


def entry_of(given, travelled):
    """The bytes that are hashed as the leaf, and what they say if they are a header."""
    if given is None:
        refuse_unless(travelled is not None, "proof.no_entry")
        return travelled, facts_of(travelled)
    try:
        return given, facts_of(given)
    except Refused:
        return given, None


def check_entry(facts, index: int, body) -> bool:
    refuse_unless(facts is None or facts[0] == index, "proof.seq")
    if body is None:
        return False
    refuse_unless(facts is not None, "proof.no_header")
    if hashlib.sha256(body).hexdigest() == facts[1]:
        return True
    try:
        again = canon.write(canon.parse(body))
    except (canon.Fault, canon.WriteFault):
        again = b""
    refuse_unless(hashlib.sha256(again).hexdigest() != facts[1], "proof.envelope_spelling")
    raise Refused("proof.envelope")


def told(dialect, origin, signers, witnesses, bound, unbound=(), time_s=None) -> dict:
    order = ("origin", "size", "root", "index", "entry")
    return {"dialect": dialect, "origin": origin, "signers": signers, "witnesses": witnesses, "signed_at_s": time_s,
            "bound": sorted(bound, key=order.index), "unbound": list(unbound)}


def of_note(note: bytes, policy, facts) -> tuple:
    refuse_unless(policy is not None, "proof.no_trust")
    found = verify_note(policy, note)
    backing = told("tlog", found["origin"], found["log_keys"], [w["key"] for w in found["witnesses"]], facts)
    return found["size"], bytes.fromhex(found["root_hex"]), backing


def of_receipt(read: dict, key: Key, facts, has_header: bool) -> dict:
    signed = read["signed"]
    claims = dict(signed.get(15, []))
    bound, unbound = ["root"], []
    (bound if SIZE_LABEL in signed else unbound).append("size")
    if "index" in facts:
        (bound if SIZE_LABEL in signed or has_header else unbound).append("index")
        bound.append("entry")
    if 1 in claims:
        bound.append("origin")
    return told("cose", claims.get(1), [key.short], [], bound, unbound, claims.get(6))


def verify_inclusion(data: bytes, policy, keys, threshold=1, given=None, body=None) -> dict:
    facts = ("origin", "size", "root", "index", "entry")
    if data.startswith(b"c2sp.org/tlog-proof@"):
        read = read_tlog(data)
        entry, header = entry_of(given, read["header"])
        size, claimed, backing = of_note(read["note"], policy, facts)
        index = read["index"]
        refuse_unless(inclusion_root(index, size, leaf_of(entry), read["path"]) == claimed, "proof.root")
    elif data[:1] == b"\xd2":
        read = read_receipt(data)
        refuse_unless(read["kind"] == -1, "proof.kind")
        size, index = read["numbers"]
        entry, header = entry_of(given, read["header"])
        claimed = inclusion_root(index, size, leaf_of(entry), read["path"])
        key = check_receipt(read, claimed, size, keys)
        backing = of_receipt(read, key, facts, header is not None)
    else:
        refuse_unless(data.lstrip()[:1] == b"{", "proof.dialect")
        read = read_envelope(data)
        signers = check_envelope(read, STATEMENT, [key for key in keys if key.role == "dsse"], threshold)
        found = read_statement(read["body"])
        refuse_unless(found["kind"] == INCLUSION, "proof.kind")
        entry, index, size, claimed = found["header"], found["leaf_index"], found["tree_size"], found["root"]
        refuse_unless(given in (None, entry), "proof.other_entry")
        header = facts_of(entry)
        backing = told("dsse", found["origin"], [key.short for key in signers], [], facts)
    matches = check_entry(header, index, body)
    return {**backing, "index": index, "size": size, "root": claimed.hex(), "leaf_hash": leaf_of(entry).hex(),
            "header_hex": entry.hex() if header else None, "envelope_matches": matches}


def verify_consistency(data: bytes, policy, keys, old: dict, threshold=1) -> dict:
    facts = ("origin", "size", "root")
    old_root = bytes.fromhex(old["root"])

    def same(size: int, origin) -> None:
        refuse_unless(None in (origin, old["origin"]) or origin == old["origin"], "proof.other_log")
        refuse_unless(size == old["size"], "proof.old_size")

    if data.startswith(b"old "):
        read = read_request(data)
        size, claimed, backing = of_note(read["note"], policy, facts)
        same(read["old"], backing["origin"])
        refuse_unless(consistency_root(old["size"], old_root, size, read["path"]) == claimed, "proof.root")
    elif data[:1] == b"\xd2":
        read = read_receipt(data)
        refuse_unless(read["kind"] == -2, "proof.kind")
        same(read["numbers"][0], dict(read["signed"].get(15, [])).get(1))
        size = read["numbers"][1]
        claimed = consistency_root(old["size"], old_root, size, read["path"])
        backing = of_receipt(read, check_receipt(read, claimed, size, keys), facts, False)
    else:
        refuse_unless(data.lstrip()[:1] == b"{", "proof.dialect")
        read = read_envelope(data)
        signers = check_envelope(read, STATEMENT, [key for key in keys if key.role == "dsse"], threshold)
        found = read_statement(read["body"])
        refuse_unless(found["kind"] == CONSISTENCY, "proof.kind")
        same(found["old_size"], found["origin"])
        refuse_unless(found["old_root"] == old_root, "proof.old_root")
        size, claimed = found["new_size"], found["new_root"]
        backing = told("dsse", found["origin"], [key.short for key in signers], [], facts)
    return {**backing, "new_size": size, "new_root": claimed.hex()}


def verify_producer(data: bytes, key: Key, digest: str) -> None:
    read = read_envelope(data)
    check_envelope(read, PRODUCER, [key] if key.role == "producer" else [], 1)
    refuse_unless(read["body"] == digest.encode(), "dsse.other_envelope")

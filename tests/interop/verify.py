"""Verifies checkpoints and proofs with the standard library and `cryptography`, and `cbor2` for receipts. Written
from docs/proofs.md and from C2SP signed-note, tlog-checkpoint, tlog-cosignature and tlog-proof, RFC 9162, RFC 9942,
DSSE and in-toto; it shares no code with the Rust crates and none with vectors/reference.

    python3 verify.py CASES.json     # a list of cases; prints a line of JSON for each: name, accepted, why

A case: {"name", "kind", "file", "keys": [name+id+base64, ...], and where it fits "envelope": path, "old": path of a
checkpoint}. Kinds: checkpoint, tlog, cose, dsse. `keys` of a checkpoint: the log's, then witnesses, all of which
must have cosigned it.
"""

import base64
import binascii
import hashlib
import json
import re
import struct
import sys
from collections.abc import Mapping

import cbor2
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

try:
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
except ImportError:
    MLDSA44PublicKey = None

LOG, WITNESS, WITNESS_ML_DSA = b"\x01", b"\x04", b"\x06"
COSE, DSSE = b"\xffproofline/cose-receipt/ed25519\0", b"\xffproofline/dsse-statement/ed25519\0"
STATEMENT = "application/vnd.in-toto+json"


class Refused(Exception):
    pass


def need(condition, why):
    if not condition:
        raise Refused(why)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def b64(text):
    """Base64 in its one spelling: padded, and no stray bits."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused("base64") from error
    need(base64.b64encode(data).decode() == text, "base64 in another spelling")
    return data


def hash32(text):
    data = b64(text)
    need(len(data) == 32, "a hash of another length")
    return data


def decimal(text):
    need(re.fullmatch("0|[1-9][0-9]*", text) and int(text) < 1 << 64, "no plain decimal number")
    return int(text)


# Trees: RFC 9162 section 2.1, checked from the top down, by the recursive definitions and not by the loops.

def leaf_hash(entry):
    return sha256(b"\0", entry)


def node(left, right):
    return sha256(b"\1", left, right)


def split(size):
    """The largest power of two below the size."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_root(index, size, leaf, path):
    need(index < size, "the index is not in the tree")
    if size == 1:
        need(not path, "a hash too many")
        return leaf
    need(path, "a hash too few")
    left = split(size)
    if index < left:
        return node(inclusion_root(index, left, leaf, path[:-1]), path[-1])
    return node(path[-1], inclusion_root(index - left, size - left, leaf, path[:-1]))


def consistency_roots(old, new, path, whole, old_root):
    """The roots of both trees; `whole`: the older tree is so far a whole subtree that the verifier knows."""
    if old == new:
        if whole:
            need(not path, "a hash too many")
            return old_root, old_root
        need(len(path) == 1, "another number of hashes")
        return path[0], path[0]
    need(path, "a hash too few")
    left = split(new)
    if old <= left:
        older, newer = consistency_roots(old, left, path[:-1], whole, old_root)
        return older, node(newer, path[-1])
    older, newer = consistency_roots(old - left, new - left, path[:-1], False, old_root)
    return node(path[-1], older), node(path[-1], newer)


def check_consistency(old_size, old_root, new_size, path):
    need(0 < old_size <= new_size, "sizes between which there is no proof")
    older, newer = consistency_roots(old_size, new_size, path, True, old_root)
    need(older == old_root, "another older root")
    return newer


# Keys and notes.

class Key:
    def __init__(self, text):
        self.name, key_id, data = text.split("+", 2)
        data = b64(data)
        self.id = bytes.fromhex(key_id)
        need(sha256(self.name.encode(), b"\n", data)[:4] == self.id, "the key was copied wrong")
        self.type, self.key = (data[:1], data[1:]) if data[:1] == WITNESS_ML_DSA else (data[:-32], data[-32:])

    def verify(self, signature, message):
        try:
            if self.type == WITNESS_ML_DSA:
                MLDSA44PublicKey.from_public_bytes(self.key).verify(signature, message)
            else:
                Ed25519PublicKey.from_public_bytes(self.key).verify(signature, message)
        except InvalidSignature as error:
            raise Refused("a signature does not verify") from error


def key_of(case, kind):
    keys = [Key(text) for text in case["keys"]]
    keys = [key for key in keys if key.type == kind]
    need(keys, "no key for this form")
    return keys[0]


def cosigned_message(key, body, origin, size, root, time_s):
    if key.type == WITNESS:
        return b"cosignature/v1\ntime %d\n" % time_s + body
    short = lambda data: bytes([len(data)]) + data
    return (b"subtree/v1\n\0" + short(key.name.encode()) + struct.pack(">Q", time_s) + short(origin.encode())
            + struct.pack(">QQ", 0, size) + root)


def checkpoint(note, case):
    """The origin, size and root that the log signed, and every witness that the case names."""
    try:
        text = note.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused("no UTF-8") from error
    need(not any(ord(c) < 0x20 and c != "\n" for c in text), "a control character")
    at = text.rfind("\n\n")
    need(at >= 0 and text.endswith("\n"), "no note")
    body, lines = text[: at + 1], text[at + 2 : -1].split("\n")
    signatures = []
    for line in lines:
        found = re.fullmatch("\u2014 ([^ +\n]+) ([A-Za-z0-9+/=]+)", line)
        need(found, "a line that is no signature")
        data = b64(found[2])
        need(len(data) >= 5, "a signature too short")
        signatures.append((found[1], data[:4], data[4:]))
    parts = body[:-1].split("\n")
    need(len(parts) >= 3 and all(parts), "no checkpoint")
    origin, size, root = parts[0], decimal(parts[1]), hash32(parts[2])
    for key in map(Key, case["keys"]):
        if key.type not in (LOG, WITNESS, WITNESS_ML_DSA):
            continue
        own = [data for name, key_id, data in signatures if name == key.name and key_id == key.id]
        need(own, "a key did not sign")
        if key.type == LOG:
            need(key.name == origin, "a checkpoint of another log")
            key.verify(own[0], body.encode())
        else:
            need(len(own[0]) > 8, "a cosignature too short")
            (time_s,) = struct.unpack(">Q", own[0][:8])
            message = cosigned_message(key, body.encode(), origin, size, root, time_s)
            key.verify(own[0][8:], message)
    return origin, size, root


# What an entry header holds (docs/format.md): an array of twelve items.

def header_items(header):
    need(len(header) <= 4096, "a header too long")
    items = cbor_one(header)
    need(isinstance(items, (list, tuple)) and len(items) == 12, "no entry header")
    return items


def check_entry(header, index, case):
    items = header_items(header)
    need(items[1] == index, "the header of another entry")
    if "envelope" in case:
        envelope = open(case["envelope"], "rb").read()
        need(sha256(envelope) == items[7], "another envelope")


def cbor_one(data):
    """One item in its shortest form, with nothing behind it; a map in the order in which it stands."""
    try:
        item = cbor2.loads(data)
    except Exception as error:
        raise Refused("no CBOR") from error
    need(cbor2.dumps(item) == data, "another spelling of CBOR, or bytes behind it")
    return item


# The forms.

def old_tree(case, keys_of_checkpoint=None):
    note = open(case["old"], "rb").read()
    keys = case["keys"] if keys_of_checkpoint is None else keys_of_checkpoint
    return checkpoint(note, {"keys": keys})


def tlog(data, case):
    head, empty, note = data.partition(b"\n\n")
    need(empty, "no checkpoint")
    try:
        lines = head.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise Refused("no UTF-8") from error
    if lines[0].startswith("old "):
        path = [hash32(line) for line in lines[1:]]
        origin, size, root = checkpoint(note, case)
        old_origin, old_size, old_root = old_tree(case)
        need(origin == old_origin and decimal(lines[0][4:]) == old_size, "another older tree")
        need(check_consistency(old_size, old_root, size, path) == root, "another root")
        return
    need(lines.pop(0) == "c2sp.org/tlog-proof@v1", "another first line")
    need(lines and lines[0].startswith("extra "), "no entry header travels with the proof")
    header = b64(lines.pop(0)[6:])
    need(lines and lines[0].startswith("index "), "no index")
    index = decimal(lines.pop(0)[6:])
    path = [hash32(line) for line in lines]
    _, size, root = checkpoint(note, case)
    need(inclusion_root(index, size, leaf_hash(header), path) == root, "another root")
    check_entry(header, index, case)


def cose(data, case):
    key = key_of(case, COSE)
    message = cbor_one(data)
    need(isinstance(message, cbor2.CBORTag) and message.tag == 18, "no COSE_Sign1")
    need(isinstance(message.value, (list, tuple)) and len(message.value) == 4, "no COSE_Sign1")
    protected, free, payload, signature = message.value
    need(isinstance(protected, bytes) and isinstance(signature, bytes) and isinstance(free, Mapping), "no COSE_Sign1")
    signed = cbor_one(protected)
    need(isinstance(signed, Mapping) and not set(signed) & set(free), "a label stands there twice")
    need(signed.get(1) == -19, "another algorithm")
    need(signed.get(395) == 1, "another data structure")
    need(2 not in signed and 2 not in free, "a critical label")
    need(payload is None, "the payload is attached")
    proofs = free.get(396)
    need(isinstance(proofs, Mapping) and len(proofs) == 1, "not one kind of proof")
    ((kind, several),) = proofs.items()
    need(kind in (-1, -2) and isinstance(several, (list, tuple)) and len(several) == 1, "not one proof")
    need(isinstance(several[0], bytes), "a proof is a byte string")
    proof = cbor_one(several[0])
    need(isinstance(proof, (list, tuple)) and len(proof) == 3, "no proof")
    first, second, path = proof
    need(all(type(number) is int and number >= 0 for number in (first, second)), "no sizes")
    need(path and all(isinstance(one, bytes) and len(one) == 32 for one in path), "no path")
    if kind == -1:
        need("old" not in case, "a proof of inclusion")
        header = free.get("proofline-entry-header")
        need(isinstance(header, bytes), "no entry header travels with the proof")
        size, root = first, inclusion_root(second, first, leaf_hash(header), path)
        check_entry(header, second, case)
    else:
        need("old" in case, "a proof of consistency")
        origin, old_size, old_root = old_tree(case, case["old_keys"])
        need(first == old_size and signed[15][1] == origin, "another older tree")
        size, root = second, check_consistency(old_size, old_root, second, path)
    need(signed.get("proofline-tree-size") == size, "signed for another size")
    key.verify(signature, cbor2.dumps(["Signature1", protected, b"", root]))


def no_repeats(pairs):
    names = [name for name, _ in pairs]
    need(len(names) == len(set(names)), "a member stands there twice")
    return dict(pairs)


def strict_json(data):
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=no_repeats)
    except ValueError as error:
        raise Refused("no JSON") from error


def member(value, name, kind):
    need(isinstance(value, dict) and type(value.get(name)) is kind, "no member " + name)
    return value[name]


def dsse(data, case):
    key = key_of(case, DSSE)
    envelope = strict_json(data)
    body, type_ = b64(member(envelope, "payload", str)), member(envelope, "payloadType", str)
    need(type_ == STATEMENT, "another type")
    signatures = member(envelope, "signatures", list)
    need(signatures, "no signature")
    pae = b"DSSEv1 %d %s %d %s" % (len(type_.encode()), type_.encode(), len(body), body)
    good = 0
    for signature in signatures:
        try:
            key.verify(b64(member(signature, "sig", str)), pae)
            good += 1
        except Refused:
            pass
    need(good, "nobody who is known signed")
    statement = strict_json(body)
    need(statement.get("_type") == "https://in-toto.io/Statement/v1", "no statement")
    subjects = member(statement, "subject", list)
    need(len(subjects) == 1, "not one subject")
    subject = bytes.fromhex(member(member(subjects[0], "digest", dict), "sha256", str))
    p = member(statement, "predicate", dict)
    path = [hash32(one) for one in member(p, "path", list)]
    if statement.get("predicateType") == "https://proofline.dev/inclusion/v1":
        need("old" not in case, "a proof of inclusion")
        header = b64(member(p, "header", str))
        index, size = member(p, "leaf_index", int), member(p, "tree_size", int)
        need(inclusion_root(index, size, leaf_hash(header), path).hex() == p["root"], "another root")
        check_entry(header, index, case)
        need(subject == header_items(header)[7], "another subject")
    else:
        need(statement.get("predicateType") == "https://proofline.dev/consistency/v1", "another predicate")
        need("old" in case, "a proof of consistency")
        origin, old_size, old_root = old_tree(case, case["old_keys"])
        need((p["origin"], p["old_size"], p["old_root"]) == (origin, old_size, old_root.hex()), "another older tree")
        newer = check_consistency(old_size, old_root, member(p, "new_size", int), path)
        need(newer.hex() == p["new_root"] and newer == subject, "another root")


KINDS = {"checkpoint": checkpoint, "tlog": tlog, "cose": cose, "dsse": dsse}


def judged(case):
    if MLDSA44PublicKey is None and any(Key(text).type == WITNESS_ML_DSA for text in case["keys"]):
        return {"name": case["name"], "accepted": None, "why": "this `cryptography` has no ML-DSA"}
    try:
        with open(case["file"], "rb") as file:
            KINDS[case["kind"]](file.read(), case)
    except (Refused, UnsupportedAlgorithm) as refused:
        return {"name": case["name"], "accepted": False, "why": str(refused)}
    return {"name": case["name"], "accepted": True, "why": ""}


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        for case in json.load(file):
            print(json.dumps(judged(case)))


if __name__ == "__main__":
    main()

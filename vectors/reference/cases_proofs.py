"""Family `proofs`: proof files of one small log in three dialects, whole and tampered with."""

from __future__ import annotations

import base64
import hashlib
import json

from . import canon, ed25519, note, proofs
from .cases_gate import Cast
from .cases_log import sample_log

ORIGIN = "log.example/vectors"
TIME_S = 1767225600


def seed(label: str) -> bytes:
    return hashlib.sha256(b"proofline vectors: " + label.encode()).digest()


def secret(label: str, name: str, role: str) -> note.Secret:
    return note.Secret(name, role, seed(label))


LOG = secret("log", ORIGIN, "log")
OTHER_LOG = secret("other log", "log.example/other", "log")
WITNESS = secret("witness", "witness.example/w1", "witness")
COSE = secret("cose", ORIGIN + "/receipts", "cose")
OTHER_COSE = secret("other cose", ORIGIN + "/receipts", "cose")
DSSE = secret("dsse", "auditor.example", "dsse")
SECOND = secret("second dsse", "second.example", "dsse")
PRODUCER = secret("producer", "producer.example/agent", "producer")
SECRETS = (LOG, OTHER_LOG, WITNESS, COSE, OTHER_COSE, DSSE, SECOND, PRODUCER)

POLICY = f"log {LOG.text}\nlog {OTHER_LOG.text}\nwitness w1 {WITNESS.text}\nquorum w1\n"
KEYS = [OTHER_COSE, COSE, DSSE, SECOND]


class Sample:
    """The entries of the sample log as leaves of a tree."""

    def __init__(self):
        self.entries = sample_log(Cast(0x10C)).entries
        self.leaves = [bytes.fromhex(entry["leaf_hash"]) for entry in self.entries]

    def root(self, size: int) -> bytes:
        return proofs.root(self.leaves[:size])

    def path(self, index: int, size: int) -> list:
        return proofs.inclusion(index, self.leaves[:size])

    def header(self, index: int) -> bytes:
        return self.entries[index]["header"]

    def body(self, index: int) -> bytes:
        return self.entries[index]["body"]

    def note(self, size: int, origin=ORIGIN, root=None, log=LOG, witness=WITNESS) -> bytes:
        text = f"{origin}\n{size}\n{proofs.b64(self.root(size) if root is None else root)}\n"
        return (text + "\n" + log.sign(text) + (witness.cosign(text, TIME_S) if witness else "")).encode()

    def text(self, at: int, size: int, **edits) -> bytes:
        parts = {"index": at, "path": self.path(at, size), "note": self.note(size), "extra": self.header(at)}
        return proofs.tlog_proof(**{**parts, **edits})

    def request(self, old: int, new: int, **edits) -> bytes:
        parts = {"old": old, "path": proofs.consistency(old, self.leaves[:new]), "note": self.note(new)}
        return proofs.request(**{**parts, **edits})

    def receipt(self, index: int, size: int, **edits) -> bytes:
        parts = {"key": COSE, "protected": proofs.protected_of(COSE, ORIGIN, size, TIME_S), "kind": -1,
                 "numbers": (size, index), "path": self.path(index, size), "payload": self.root(size),
                 "header": self.header(index)}
        return proofs.receipt(**{**parts, **edits})

    def newer(self, old: int, new: int, **edits) -> bytes:
        parts = {"key": COSE, "protected": proofs.protected_of(COSE, ORIGIN, new), "kind": -2, "numbers": (old, new),
                 "path": proofs.consistency(old, self.leaves[:new]), "payload": self.root(new)}
        return proofs.receipt(**{**parts, **edits})

    def statement(self, index: int, size: int, subject=None, kind=proofs.INCLUSION, **edits) -> bytes:
        predicate = {"origin": ORIGIN, "tree_size": size, "leaf_index": index, "root": self.root(size).hex(),
                     "header": proofs.b64(self.header(index)), "path": [proofs.b64(h) for h in self.path(index, size)]}
        subject = subject or self.entries[index]["fields"]["envelope_hash"]
        return proofs.statement(kind, subject, {**predicate, **edits})

    def grown(self, old: int, new: int, **edits) -> bytes:
        path = proofs.consistency(old, self.leaves[:new])
        predicate = {"origin": ORIGIN, "old_size": old, "old_root": self.root(old).hex(), "new_size": new,
                     "new_root": self.root(new).hex(), "path": [proofs.b64(h) for h in path]}
        return proofs.statement(proofs.CONSISTENCY, self.root(new).hex(), {**predicate, **edits})

    def old(self, size: int, **edits) -> dict:
        return {"origin": ORIGIN, "size": size, "root": self.root(size).hex(), **edits}


def sealed(body: bytes, *signers, kind=proofs.STATEMENT) -> bytes:
    return proofs.envelope(kind, body, signers or (DSSE,))


def url_safe(body: bytes, signer: note.Secret) -> bytes:
    """An envelope as another program may write it."""
    signature = ed25519.sign(signer.seed, proofs.pae(proofs.STATEMENT, body))
    payload, sig = (base64.urlsafe_b64encode(data).decode() for data in (body, signature))
    assert "-" in sig or "_" in sig
    return json.dumps({"signatures": [{"sig": sig, "cert": None}], "payloadType": proofs.STATEMENT,
                       "more": {"a": [1.5]}, "payload": payload}, indent=1).encode()


def case(name, data, old=None, entry=None, body=None, why=None, code=None, policy=POLICY, keys=None, threshold=1, issued=None):
    """A case with the reference's answer, which has to be the one stated."""
    keys = KEYS if keys is None else keys
    try:
        read = note.read_policy(policy.encode())
        if old is None:
            expected = proofs.verify_inclusion(data, read, keys, threshold, entry, body)
        else:
            expected = proofs.verify_consistency(data, read, keys, old, threshold)
    except note.Refused as refused:
        expected = {"refused": refused.code}
    assert expected.get("refused") == code, (name, expected, code)
    out = {"name": name, **({"why": why} if why else {}), "policy": policy, "keys": [key.text for key in keys],
           "threshold": threshold}
    out.update({"proof_hex": data.hex()} if data[:1] == b"\xd2" else {"proof": data.decode()})
    out.update({"old": old} if old else {"entry_hex": entry and entry.hex(), "envelope": body and body.decode()})
    return {**out, **({"issued": issued} if issued else {}), "expected": expected}


def tlog_cases(s: Sample) -> list:
    out = []
    for index, size in ((0, 1), (0, 2), (5, 8), (1, 15), (14, 15), (7, 11)):
        out.append(case(f"entry {index} of {size}", s.text(index, size), body=s.body(index), issued="text"))
    out.append(case("the header from outside", s.text(5, 8, extra=b""), entry=s.header(5)))
    out.append(case("an extra line that is not read", s.text(5, 8, extra=b"other data"), entry=s.header(5)))
    out.append(case("signature lines of unknown keys", s.text(5, 8) + OTHER_COSE.line(bytes(64)).encode()))
    for old, new in ((1, 15), (8, 15), (7, 11), (2, 3), (15, 15)):
        out.append(case(f"from {old} to {new}", s.request(old, new), old=s.old(old), issued="request"))
    out.append(case("from a tree of an unnamed log", s.request(7, 11), old=s.old(7, origin=None)))
    return out


def tlog_negatives(s: Sample) -> list:
    good, path = s.text(5, 8), s.path(5, 8)
    out = []

    def add(name, why, code, data, **more):
        out.append(case(name, data, why=why, code=code, **more))

    add("another version", "the first line names version 2", "tlog_proof.first_line", good.replace(b"@v1", b"@v2"))
    add("CR LF", "lines end in a newline alone", "tlog_proof.first_line", good.replace(b"@v1\n", b"@v1\r\n"))
    add("a leading zero", "a number has one spelling", "tlog_proof.number", good.replace(b"index 5", b"index 05"))
    add("an index of 65 bits", "2^64 is no index", "tlog_proof.number", good.replace(b"index 5", b"index 18446744073709551616"))
    add("extra behind the index", "the order is fixed", "tlog_proof.hash", s.text(5, 8, extra=b"").replace(b"index 5\n", b"index 5\nextra AA==\n"))
    add("an empty extra line", "without data there is no such line", "tlog_proof.extra", s.text(5, 8, extra=b"").replace(b"index", b"extra \nindex"))
    add("a hash of 31 bytes", "cut", "tlog_proof.hash", s.text(5, 8, path=[path[0][:31], *path[1:]]))
    add("a hash too few", "dropped", "proof.node_count", s.text(5, 8, path=path[1:]))
    add("a hash too many", "the root's child twice", "proof.node_count", s.text(5, 8, path=[*path, path[-1]]))
    add("swapped hashes", "sibling and uncle in the wrong order", "proof.root", s.text(5, 8, path=[path[1], path[0], *path[2:]]))
    add("65 hashes", "no size of 64 bits needs so many", "tlog_proof.too_many_hashes", s.text(5, 8, path=[path[0]] * 65))
    add("an index past the size", "entry 8 is not among eight", "proof.index", s.text(5, 8, index=8))
    add("the neighbour's index", "entry 4 has another path", "proof.root", s.text(5, 8, index=4))
    add("another header", "that of entry 6 travels", "proof.root", s.text(5, 8, extra=s.header(6)))
    add("one byte of the header", "the recorded time", "proof.root", s.text(5, 8, extra=s.header(5)[:-1] + b"\x00"))
    add("no header", "none travels and none is given", "proof.no_entry", s.text(5, 8, extra=b""))
    add("an extra line that is no header", "and none is given", "proof.header", s.text(5, 8, extra=b"other data"))
    add("another envelope", "that of entry 6", "proof.envelope", good, body=s.body(6))
    add("another spelling of the envelope", "a space behind it", "proof.envelope_spelling", good, body=s.body(5) + b" ")
    add("cut off", "the last newline is part of the checkpoint", "tlog_proof.no_checkpoint", good[:-1])
    add("another size in the checkpoint", "the log signed eight", "checkpoint.signature", good.replace(b"vectors\n8\n", b"vectors\n9\n"))
    add("the key of another log", "trusted, for that log", "checkpoint.other_log", s.text(5, 8, note=s.note(8, log=OTHER_LOG)))
    add("no witness", "the policy asks for one", "checkpoint.quorum", s.text(5, 8, note=s.note(8, witness=None)))
    add("an unknown log", "nobody known signed", "checkpoint.no_log", good, policy=f"log {OTHER_LOG.text}\nquorum none\n")
    add("a number that is not the header's", "signed by the log, and yet entry 6 is not entry 1", "proof.seq",
        proofs.tlog_proof(1, [s.leaves[0]], s.note(2, root=proofs.root([s.leaves[0], s.leaves[6]])), s.header(6)))
    add("from another root", "the older tree had the root of eight", "proof.old_root", s.request(7, 11), old=s.old(7, root=s.root(8).hex()))
    add("from another size", "the proof begins at seven", "proof.old_size", s.request(7, 11), old=s.old(8))
    add("from another log", "the older tree is of another origin", "proof.other_log", s.request(7, 11), old=s.old(7, origin="log.example/other"))
    add("from nothing", "there is no proof from an empty tree", "proof.sizes", proofs.request(0, [], s.note(11)), old=s.old(0))
    add("to a fork", "signed by the log, and entry 3 was replaced", "proof.root",
        s.request(7, 11, note=s.note(11, root=proofs.root(s.leaves[:7] + s.leaves[:4]))), old=s.old(7))
    return out


def cose_cases(s: Sample) -> list:
    out = []
    for index, size in ((0, 2), (5, 8), (1, 15), (14, 15), (7, 11)):
        out.append(case(f"entry {index} of {size}", s.receipt(index, size), body=s.body(index), issued="receipt"))
    out.append(case("the header from outside", s.receipt(5, 8, header=None), entry=s.header(5)))
    bare = proofs.encode(proofs.Map([(1, -19), (395, 1)]))
    out.append(case("no size and no issuer signed", s.receipt(5, 8, protected=bare)))
    out.append(case("an entry that is no header", proofs.receipt(
        COSE, bare, -1, (2, 1), [s.leaves[0]], proofs.root([s.leaves[0], proofs.leaf_of(b"entry")])), entry=b"entry"))
    other = proofs.encode(proofs.Map([(395, 1), (15, proofs.Map([(2, "x"), (1, ORIGIN)])), (1, -8), ("x", [1, None])]))
    out.append(case("EdDSA, another order, unknown labels", s.receipt(5, 8, protected=other)))
    critical = proofs.encode(proofs.Map([(1, -19), (2, [395, proofs.SIZE_LABEL]), (395, 1), (proofs.SIZE_LABEL, 8)]))
    out.append(case("critical labels that are known", s.receipt(5, 8, protected=critical)))
    out.append(case("the root attached", s.receipt(5, 8, attached=s.root(8))))
    for old, new in ((1, 15), (8, 15), (7, 11), (2, 3)):
        out.append(case(f"from {old} to {new}", s.newer(old, new), old=s.old(old), issued="newer"))
    return out


def cose_negatives(s: Sample) -> list:
    good, path, pairs = s.receipt(5, 8), s.path(5, 8), proofs.Map
    out = []

    def add(name, why, code, data, **more):
        out.append(case(name, data, why=why, code=code, **more))

    def protected(*labels) -> bytes:
        return s.receipt(5, 8, protected=proofs.encode(pairs(labels)))

    add("two tags", "18 within 18", "cose.cbor", b"\xd2" + good)
    add("a byte behind it", "nothing may follow", "cose.form", good + b"\x00")
    add("cut off", "the signature is a byte short", "cose.cbor", good[:-1])
    add("ES256", "keys here are Ed25519", "cose.algorithm", protected((1, -7), (395, 1)))
    add("no alg", "it must be signed", "cose.missing", protected((395, 1)))
    add("no vds", "it must be signed", "cose.missing", protected((1, -19)))
    add("another data structure", "vds 2", "cose.data_structure", protected((1, -19), (395, 2)))
    add("a label twice", "two readers could take either", "cose.duplicate_label", protected((1, -19), (4, b"a"), (4, b"b"), (395, 1)))
    add("an unknown critical label", "a reader that does not know it must refuse", "cose.critical", protected((1, -19), (2, [999]), (395, 1), (999, 0)))
    add("a critical label that is not there", "what is critical must be present", "cose.critical", protected((1, -19), (2, [4]), (395, 1)))
    add("another size signed", "signed nine, claimed eight", "cose.tree_size", protected((1, -19), (395, 1), (proofs.SIZE_LABEL, 9)))
    add("another size claimed", "the size is signed, so the proof cannot say seven", "cose.tree_size",
        s.receipt(5, 8, numbers=(6, 5), path=[path[0], path[2]]))
    add("index before size", "[5, 8]: entry 8 of five", "proof.index", s.receipt(5, 8, numbers=(5, 8)))
    add("the neighbour's index", "entry 4 has another path", "cose.signature", s.receipt(5, 8, numbers=(8, 4)))
    add("a hash too few", "dropped", "proof.node_count", s.receipt(5, 8, path=path[1:]))
    add("a hash too many", "the root's child twice", "proof.node_count", s.receipt(5, 8, path=[*path, path[-1]]))
    add("swapped hashes", "in the wrong order", "cose.signature", s.receipt(5, 8, path=[path[1], path[0], *path[2:]]))
    add("one leaf", "the grammar has no empty path", "cose.empty_path", s.receipt(0, 1))
    add("another header", "that of entry 6 travels", "cose.signature", s.receipt(5, 8, header=s.header(6)))
    add("no header", "none travels and none is given", "proof.no_entry", s.receipt(5, 8, header=None))
    add("another root attached", "that of seven", "cose.payload", s.receipt(5, 8, attached=s.root(7)))
    add("the root's CBOR signed", "5820 and the root, in place of the root", "cose.signature", s.receipt(5, 8, payload=proofs.encode(s.root(8))))
    add("an unknown key", "under the name of a known one", "cose.signature", good, keys=[OTHER_COSE])
    add("another envelope", "that of entry 6", "proof.envelope", good, body=s.body(6))
    add("a number that is not the header's", "signed, and yet entry 6 is not entry 1", "proof.seq", proofs.receipt(
        COSE, proofs.protected_of(COSE, ORIGIN, 2), -1, (2, 1), [s.leaves[0]],
        proofs.root([s.leaves[0], s.leaves[6]]), header=s.header(6)))
    add("from another root", "the older tree had the root of eight", "proof.old_root", s.newer(7, 11), old=s.old(7, root=s.root(8).hex()))
    add("from another size", "the proof begins at seven", "proof.old_size", s.newer(7, 11), old=s.old(8))
    add("from another log", "the issuer is another", "proof.other_log", s.newer(7, 11), old=s.old(7, origin="log.example/other"))
    add("consistency as inclusion", "another kind of proof", "proof.kind", s.newer(7, 11))
    add("inclusion as consistency", "another kind of proof", "proof.kind", good, old=s.old(5))
    return out


def dsse_cases(s: Sample) -> list:
    out = []
    for index, size in ((0, 1), (5, 8), (1, 15), (14, 15), (7, 11)):
        out.append(case(f"entry {index} of {size}", sealed(s.statement(index, size)), body=s.body(index), issued="statement"))
    both = sealed(s.statement(5, 8), SECOND, DSSE)
    out.append(case("two signers", both, threshold=2))
    out.append(case("the header from outside as well", both, entry=s.header(5)))
    out.append(case("a bad signature beside a good one", both.replace(SECOND.short.encode(), DSSE.short.encode())))
    out.append(case("a key id that names nobody", sealed(s.statement(5, 8)).replace(DSSE.short.encode(), b"who knows")))
    out.append(case("URL-safe base64, unknown members", url_safe(s.statement(5, 8), SECOND)))
    more = s.statement(5, 8, more={"a": [1]})
    out.append(case("unknown members of the predicate", sealed(more)))
    for old, new in ((1, 15), (8, 15), (7, 11), (15, 15)):
        out.append(case(f"from {old} to {new}", sealed(s.grown(old, new)), old=s.old(old), issued="grown"))
    return out


def dsse_negatives(s: Sample) -> list:
    body, path = s.statement(5, 8), [proofs.b64(h) for h in s.path(5, 8)]
    good = sealed(body)
    other = hashlib.sha256(b"other").hexdigest()
    out = []

    def add(name, why, code, data, **more):
        out.append(case(name, data, why=why, code=code, **more))

    def edited(**edits) -> bytes:
        return sealed(s.statement(5, 8, **edits))

    add("another type", "signed, and no statement", "dsse.payload_type", sealed(body, kind="application/json"))
    add("the type changed", "it is signed", "dsse.threshold", sealed(body, kind="application/x").replace(b"application/x", proofs.STATEMENT.encode()))
    add("the payload changed", "one member's value", "dsse.threshold", good.replace(proofs.b64(body).encode(), proofs.b64(body.replace(b":8}", b":9}")).encode()))
    add("payload twice", "two readers could take either", "canon.duplicate_member", good.replace(b"{\"payload\"", b"{\"payload\":\"\",\"payload\"", 1))
    add("nobody signed", "an empty list", "dsse.count", good[:good.index(b"[") + 1] + b"]}")
    add("17 signatures", "whoever sends it chooses the work", "dsse.count", sealed(body, *[DSSE] * 17))
    add("no padding", "base64 has one length", "dsse.base64", good.replace(b"==", b""))
    add("one key twice", "keys are counted, not signatures", "dsse.threshold", sealed(body, DSSE, DSSE), threshold=2)
    add("a key id that names another key", "it narrows", "dsse.threshold", good.replace(DSSE.short.encode(), SECOND.short.encode()))
    add("an unknown key", "nobody known signed", "dsse.threshold", good, keys=[SECOND])
    add("another statement version", "signed, and of version 0.1", "statement.type", sealed(body.replace(b"Statement/v1", b"Statement/v0.1")))
    add("another predicate", "signed, and of version 2", "statement.predicate_type", edited(kind="https://proofline.dev/inclusion/v2"))
    add("another subject", "signed, and about another envelope", "statement.subject", edited(subject=other))
    add("another root", "signed, and the path leads elsewhere", "proof.root", edited(root=other))
    add("another size", "signed, and six entries have another path", "proof.node_count", edited(tree_size=6))
    add("another index", "signed, and the header is that of entry 5", "proof.seq", edited(leaf_index=4))
    add("another header", "signed, and that of entry 6", "proof.seq", edited(header=proofs.b64(s.header(6))))
    add("no header", "signed, and bytes that are none", "proof.header", edited(header="AAAA"))
    add("a hash too few", "signed, and dropped", "proof.node_count", edited(path=path[1:]))
    add("a size as text", "signed, and of another type", "statement.member", edited(tree_size="8"))
    add("another entry given", "that of entry 6", "proof.other_entry", good, entry=s.header(6))
    add("another envelope", "that of entry 6", "proof.envelope", good, body=s.body(6))
    add("from another root", "the older tree had the root of eight", "proof.old_root", sealed(s.grown(7, 11)), old=s.old(7, root=s.root(8).hex()))
    add("from another size", "the proof begins at seven", "proof.old_size", sealed(s.grown(7, 11)), old=s.old(8))
    add("to another root", "signed, and the path leads elsewhere", "proof.root", sealed(s.grown(7, 11, new_root=other)), old=s.old(7))
    add("consistency as inclusion", "another kind of proof", "proof.kind", sealed(s.grown(7, 11)))
    return out


def producer_case(name, data, digest, why=None, code=None, key=PRODUCER) -> dict:
    try:
        proofs.verify_producer(data, key, digest)
        expected = {"refused": None}
    except note.Refused as refused:
        expected = {"refused": refused.code}
    assert expected["refused"] == code, (name, expected)
    return {"name": name, **({"why": why} if why else {}), "proof": data.decode(), "key": key.text,
            "envelope_hash": digest, "expected": expected}


def producer_cases(s: Sample) -> list:
    digest, other = (s.entries[index]["fields"]["envelope_hash"] for index in (5, 6))
    good = sealed(digest.encode(), PRODUCER, kind=proofs.PRODUCER)
    wrong = secret("other producer", PRODUCER.name, "producer")
    return [
        producer_case("signed", good, digest),
        producer_case("the key id left out", good.replace(PRODUCER.short.encode(), b""), digest),
        producer_case("another envelope", good, other, "the hash of entry 6", "dsse.other_envelope"),
        producer_case("upper case", sealed(digest.upper().encode(), PRODUCER, kind=proofs.PRODUCER), digest,
                      "the digits have one spelling", "dsse.other_envelope"),
        producer_case("the 32 bytes", sealed(bytes.fromhex(digest), PRODUCER, kind=proofs.PRODUCER), digest,
                      "in place of the digits", "dsse.other_envelope"),
        producer_case("another type", sealed(digest.encode(), PRODUCER), digest, "that of a statement", "dsse.payload_type"),
        producer_case("another key", good, digest, "under the same name", "dsse.threshold", wrong),
        producer_case("another hash in the payload", good.replace(proofs.b64(digest.encode()).encode(), proofs.b64(other.encode()).encode()),
                      other, "it is signed", "dsse.threshold"),
    ]


def key_case(key: note.Secret) -> dict:
    return {"name": f"{key.role} {key.short}", "secret": key.secret_text, "expected": {"key": key.text, "short": key.short}}


def files() -> dict:
    ed25519.self_test()
    s = Sample()
    assert s.leaves == [proofs.leaf_of(entry["header"]) for entry in s.entries]
    for size in range(1, 16):
        for index in range(size):
            assert proofs.inclusion_root(index, size, s.leaves[index], s.path(index, size)) == s.root(size)
            grown = proofs.consistency(index + 1, s.leaves[:size])
            assert proofs.consistency_root(index + 1, s.root(index + 1), size, grown) == s.root(size)
    assert canon.parse(s.body(5)) is not None
    parts = (
        ("keys", "Keys of RFC 8032 in the text forms of notes, and the secrets of these cases.", [key_case(k) for k in SECRETS]),
        ("tlog", "tlog-proofs and requests to witnesses that hold.", tlog_cases(s)),
        ("tlog.negative", "tlog-proofs and requests that are refused.", tlog_negatives(s)),
        ("cose", "COSE receipts that hold.", cose_cases(s)),
        ("cose.negative", "COSE receipts that are refused.", cose_negatives(s)),
        ("dsse", "Statements in DSSE that hold.", dsse_cases(s)),
        ("dsse.negative", "Statements in DSSE that are refused.", dsse_negatives(s)),
        ("producer", "Producers' signatures over envelope hashes, good and refused.", producer_cases(s)),
    )
    return {f"proofs/{name}.json": ("proofs", what, cases) for name, what, cases in parts}

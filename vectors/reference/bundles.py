"""Logs with index entries, and the evidence bundles about them, from docs/bundle.md alone.

Everything is computed in the plainest way: trees by recursion over all leaves, nothing kept between calls.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import pathlib

from . import canon, log, proofs
from .keys import Ledger

SCHEMAS = pathlib.Path(__file__).resolve().parent.parent.parent / "trace" / "schemas"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


# Multiproofs.


def multiproof(chosen, leaves, low: int = 0, high=None) -> list:
    """The hashes that lead from the leaves of the indexes `chosen` to the root of `leaves`."""
    high = len(leaves) if high is None else high
    inside = [index for index in chosen if low <= index < high]
    if low == high:
        return []
    if not inside:
        return [proofs.root(leaves[low:high])]
    if high - low == 1:
        return []
    middle = low + proofs.split(high - low)
    return multiproof(inside, leaves, low, middle) + multiproof(inside, leaves, middle, high)


def multiproof_root(size: int, known: dict, hashes):
    """The root of a list and of the leaves at hand; else which way the list is wrong."""
    rest = list(hashes)

    def walk(low: int, high: int) -> bytes:
        if not any(low <= index < high for index in known):
            return rest.pop(0)
        if high - low == 1:
            return known[low]
        middle = low + proofs.split(high - low)
        return proofs.node(walk(low, middle), walk(middle, high))

    try:
        root = walk(0, size) if size else hashlib.sha256(b"").digest()
    except IndexError:
        return "too_few"
    return "too_many" if rest else root


# The index of traces.


def trace_leaf(trace_id: str, count: int, leaf_hash: str) -> bytes:
    data = bytes.fromhex(trace_id) + count.to_bytes(8, "big") + bytes.fromhex(leaf_hash)
    assert len(data) == 56
    return hashlib.sha256(b"\x00" + data).digest()


def listed(entries, low: int, high: int) -> list:
    """(trace id, count, leaf hash) of each trace that the entries of a range belong to, ascending."""
    last = {}
    for entry in entries[low:high]:
        if entry["fields"]["trace_id"]:
            last[entry["fields"]["trace_id"]] = entry["fields"]["trace_count"], entry["leaf_hash"]
    return [(trace, *last[trace]) for trace in sorted(last)]


def tree_root(leaves) -> str:
    return proofs.root([trace_leaf(*leaf) for leaf in leaves]).hex()


def range_start(indexes: dict, seq: int) -> int:
    """Where the range of an index entry at `seq` begins: `indexes` has that of each earlier one by its seq."""
    start = max(indexes, default=0)
    while start and start - indexes[start] <= 2 * (seq - start):
        start = indexes[start]
    return start


def cover_of(indexes: dict, seq: int) -> list:
    out = [seq]
    while indexes[out[-1]]:
        out.append(indexes[out[-1]])
    return out


class Book:
    """A log that writes index entries, with its list of keys, its payloads, and a key that signs checkpoints."""

    def __init__(self, ledger_id: str, origin: str, at_ms: int):
        self.ledger_id, self.origin, self.at_ms = ledger_id, origin, at_ms
        self.log, self.ledger = log.Log(), Ledger(ledger_id, origin)
        self.indexes, self.keys, self.payloads, self.erased, self.erasures = {}, 0, {}, {}, 0
        genesis = {"format_version": log.FORMAT_VERSION, "ledger_id": ledger_id, "origin": origin, "system_type": "genesis", "version": "1"}
        self.log.append("genesis", canon.write(genesis), at_ms)

    @property
    def entries(self) -> list:
        return self.log.entries

    @property
    def size(self) -> int:
        return len(self.log.entries)

    def put(self, kind: str, body: dict, trace_id=None, **more) -> dict:
        self.at_ms += 10
        return self.log.append(kind, canon.write(body), self.at_ms, trace_id, **more)

    def accept(self, record: dict) -> dict:
        return self.put("accepted", record, record["trace"]["trace_id"], classification="ACCEPT")

    def reject(self, record: dict, classification: str, error_kind: str, declared=None) -> dict:
        return self.put("rejected", record, record["trace"]["trace_id"], classification=classification,
                        error_kind=error_kind, declared_hash=declared)

    def system(self, body: dict) -> dict:
        self.keys += body["system_type"] == "key"
        return self.put("system", body)

    def add_key(self, key, by=None) -> dict:
        return self.change_keys(self.ledger.added(key, by))

    def retire_key(self, key, by) -> dict:
        return self.change_keys(self.ledger.retired(key, by))

    def change_keys(self, record: dict) -> dict:
        """The gate of the list must let it in."""
        self.ledger.size = self.size
        outcome = self.ledger.commit("system", copy.deepcopy(record))
        assert outcome == {"seq": self.size}, outcome
        return self.system(record)

    def next_range(self) -> int:
        return range_start(self.indexes, self.size)

    def index(self, **lies) -> dict:
        """An index entry; members given are stated in place of the true ones."""
        seq = self.size
        start = range_start(self.indexes, seq)
        leaves = listed(self.entries, start, seq)
        body = {"from": start, "keys": self.keys, "root": tree_root(leaves), "system_type": "trace_index",
                "traces": len(leaves), "version": "1"}
        self.indexes[seq] = start
        return self.system({**body, **lies})

    def erase(self, digest: str, authority: str) -> dict:
        self.erased[digest] = self.size
        self.payloads.pop(digest)
        return self.system({"authority": authority, "reason": "asked for by the person it is about", "system_type": "erasure",
                            "target": {"kind": "blob", "sha256": digest}, "version": "1"})

    def leaves(self, size: int) -> list:
        return [bytes.fromhex(entry["leaf_hash"]) for entry in self.entries[:size]]

    def checkpoint(self, size: int, key, root=None, origin=None, stated=None) -> bytes:
        text = f"{origin or self.origin}\n{stated or size}\n{b64(root or proofs.root(self.leaves(size)))}\n"
        return (text + "\n" + key.sign(text)).encode()


# Bundles.


def names_of(body: dict) -> list:
    kind = body.get("record_type")
    if kind == "policy_decision":
        return [body["policy"]["policy_sha256"]]
    return [body[name]["sha256"] for name in ("request", "response")] if kind in ("model_call", "tool_call") else []


def kind_of(body: dict) -> str:
    return body.get("record_type") or body.get("system_type") or body.get("artifact_type") or "replay_result"


def schema_hash(name: str) -> str:
    return sha256((SCHEMAS / f"{name}.schema.json").read_bytes())


class Bundle:
    """The parts of a bundle, for cases to change before they are written."""

    def __init__(self, book: Book, size: int, traces, key, blobs="all", withheld=(), listing=listed):
        self.book, self.size, self.traces, self.key = book, size, sorted(traces), key
        self.cover = cover_of(book.indexes, size - 1)
        self.checkpoint = book.checkpoint(size, key)
        self.index, newer = {}, set()
        for seq in self.cover:
            leaves = listing(book.entries, book.indexes[seq], seq)
            self.show(seq, leaves, self.chosen(leaves, newer))
            newer |= {leaf[0] for leaf in leaves}
        self.select(set(withheld), blobs)

    def chosen(self, leaves: list, newer: set) -> list:
        """The indexes of the leaves that the selection needs of a tree, whose newer ones list these traces."""
        ids, chosen = [leaf[0] for leaf in leaves], set()
        for trace in self.traces:
            if trace in newer:
                continue
            if trace in ids:
                chosen.add(ids.index(trace))
                continue
            place = sum(other < trace for other in ids)
            chosen |= {at for at in (place - 1, place) if 0 <= at < len(ids)}
        return sorted(chosen)

    def show(self, seq: int, leaves: list, chosen: list) -> None:
        self.index[seq] = {"leaves": [(at, *leaves[at]) for at in chosen],
                           "hashes": multiproof(chosen, [trace_leaf(*leaf) for leaf in leaves])}

    def select(self, withheld: set, blobs) -> None:
        """Which entries and payloads are in it; called again when bodies are taken out."""
        book = self.book
        own = [e for e in book.entries[:self.size] if e["fields"]["trace_id"] in self.traces]
        parsed = {e["fields"]["seq"]: canon.parse(e["body"]) for e in book.entries[:self.size]}
        at_hand = [parsed[e["fields"]["seq"]] for e in own if e["fields"]["seq"] not in withheld]
        named = sorted({name for body in at_hand for name in names_of(body)})
        erased = {name: book.erased[name] for name in named if name in book.erased and book.erased[name] < self.size}
        keys = {seq for seq, body in parsed.items() if body.get("system_type") == "key"}
        seqs = sorted({0, *self.cover, *keys, *erased.values(), *(e["fields"]["seq"] for e in own)})
        self.blobs, states = {}, []
        for name in named:
            if name in erased:
                states.append({"sha256": name, "state": "erased", "erased_by": erased[name]})
            elif name not in book.payloads:
                states.append({"sha256": name, "state": "absent"})
            elif blobs == "all" or name in blobs:
                states.append({"sha256": name, "state": "included"})
                self.blobs[name] = book.payloads[name]
            else:
                states.append({"sha256": name, "state": "withheld"})
        self.take(seqs, withheld)
        kinds = sorted({kind_of(parsed[seq]) for seq in seqs if seq not in withheld})
        self.manifest = {
            "bundle_type": "proofline.evidence", "version": "1", "ledger_id": book.ledger_id, "origin": book.origin,
            "size": self.size, "cover": list(self.cover), "blobs": states, "withheld": sorted(withheld),
            "traces": [{"trace_id": t, "entries": sum(e["fields"]["trace_id"] == t for e in own)} for t in self.traces],
            "schemas": [{"name": name, "sha256": schema_hash(name)} for name in kinds],
        }

    def take(self, seqs, withheld=()) -> None:
        """Exactly these entries, and the proof that fits them."""
        self.seqs = list(seqs)
        self.entries = [(self.book.entries[seq]["header"], None if seq in withheld else self.book.entries[seq]["body"])
                        for seq in self.seqs]
        self.log_proof = multiproof(self.seqs, self.book.leaves(self.size))

    def members(self) -> list:
        lines = [line for header, body in self.entries for line in (b64(header).encode(), b"-" if body is None else body)]
        out = [
            ("bundle.json", canon.write(self.manifest)), ("checkpoint", self.checkpoint),
            ("entries", b"".join(line + b"\n" for line in lines)), ("log.proof", hash_lines(self.log_proof)),
        ]
        for seq, part in self.index.items():
            leaves = "".join(f"{at} {trace} {count} {b64(bytes.fromhex(leaf))}\n" for at, trace, count, leaf in part["leaves"])
            out.append((f"index/{seq:020d}", leaves.encode() + b"\n" + hash_lines(part["hashes"])))
        return out + [("blobs/" + name, data) for name, data in sorted(self.blobs.items())]

    def bytes(self) -> bytes:
        return tar(self.members())

    def report(self, signers) -> dict:
        """What a reader says of it, where nothing was tampered with."""
        said = self.manifest
        return {
            "ledger_id": said["ledger_id"], "origin": said["origin"], "size": self.size,
            "root": proofs.root(self.book.leaves(self.size)).hex(), "traces": said["traces"], "entries": len(self.entries),
            "cover": said["cover"], "keys": sum(kind == "key" for kind in self.kinds()), "withheld": said["withheld"],
            "blobs": said["blobs"], "authenticity": "authentic" if signers else "not_asked", "signers": signers,
        }

    def kinds(self) -> list:
        return [kind_of(canon.parse(body)) for _, body in self.entries if body is not None]


def hash_lines(hashes) -> bytes:
    return "".join(b64(h) + "\n" for h in hashes).encode()


# The container.


def tar_header(name: str, length: int, **fields) -> bytes:
    """A header as the page's table has it; `fields` are other bytes for some, by their offset."""
    head = bytearray(512)
    parts = {0: name.encode(), 100: b"0000644\0", 108: b"0000000\0", 116: b"0000000\0", 124: b"%011o\0" % length,
             136: b"00000000000\0", 156: b"0", 257: b"ustar\x0000", 329: b"0000000\0", 337: b"0000000\0"}
    for at, data in {**parts, **{int(at[1:]): data for at, data in fields.items() if at != "sum"}}.items():
        head[at:at + len(data)] = data
    head[148:156] = b" " * 8
    head[148:156] = fields.get("sum", lambda total: b"%06o\0 " % total)(sum(head))
    return bytes(head)


def tar_member(name: str, data: bytes, **fields) -> bytes:
    return tar_header(name, len(data), **fields) + data + bytes(-len(data) % 512)


def tar(members) -> bytes:
    return b"".join(tar_member(name, data) for name, data in members) + bytes(1024)

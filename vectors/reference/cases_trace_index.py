"""Families `trace_index` and `multiproofs`, and the index entry's record in `system`."""

from __future__ import annotations

import hashlib

from . import canon, proofs, schema
from .bundles import b64, cover_of, listed, multiproof, multiproof_root, range_start, trace_leaf, tree_root
from .cases_bundles import long
from .prng import SplitMix64

INDEX_ENTRY = schema.record(
    ("system_type", ("const", True, "trace_index")), ("version", ("const", True, "1")), ("from", schema.INT),
    ("keys", schema.INT), ("root", schema.HASH256), ("traces", schema.INT),
)
MAX = canon.SAFE_INTEGER


# The record.


def record_case(name: str, value, why=None, text=None) -> dict:
    """A case with `why` must be refused by the schema."""
    data = canon.write(value) if text is None else text.encode()
    try:
        schema.walk(INDEX_ENTRY, canon.parse(data), "")
        fine = True
    except (schema.Violation, canon.Fault):
        fine = False
    assert fine == (why is None), name
    return {"name": name, **({"why": why} if why else {}), "input": data.decode(), "expected": {"accepted": fine}}


def records() -> list:
    good = {"from": 413, "keys": 2, "root": "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
            "system_type": "trace_index", "traces": 17, "version": "1"}
    empty = {**good, "from": 0, "keys": 0, "traces": 0, "root": hashlib.sha256(b"").hexdigest()}
    out = [record_case("an index entry", good), record_case("over nothing", empty),
           record_case("the largest numbers", {**good, "from": MAX, "keys": MAX, "traces": MAX})]
    for name in good:
        out.append(record_case(f"no {name}", {k: v for k, v in good.items() if k != name}, "all members belong there"))
    text = canon.write(good).decode()
    for name, why, change in (
        ("a member more", "no other member", {"note": "x"}), ("another type", "trace_index", {"system_type": "key"}),
        ("a newer version", "version 1", {"version": "2"}), ("the version as a number", "text", {"version": 1}),
        ("from as text", "a number", {"from": "413"}), ("from below zero", "0 at least", {"from": -1}),
        ("keys null", "a number", {"keys": None}), ("keys true", "a number", {"keys": True}),
        ("traces as a list", "a number", {"traces": []}), ("root of 63 digits", "64 digits", {"root": good["root"][1:]}),
        ("root of 65 digits", "64 digits", {"root": "0" + good["root"]}),
        ("root in upper case", "lower-case hex", {"root": good["root"].upper()}),
        ("root with a newline behind", "64 digits", {"root": good["root"] + "\n"}), ("root null", "text", {"root": None}),
    ):
        out.append(record_case(name, {**good, **change}, why))
    for name, why, old, new in (
        ("from too large", "2^53 - 1 at most", '"from":413', '"from":9007199254740992'),
        ("from with a fraction", "a whole number", '"from":413', '"from":413.5'),
        ("from twice", "each member once", '"from":413', '"from":413,"from":413'),
    ):
        out.append(record_case(name, None, why, text.replace(old, new)))
    return out + [record_case("a list", [good], "an object belongs here"), record_case("null", None, "an object belongs here")]


# Trees of traces.


def tree_case(name: str, leaves: list) -> dict:
    return {"name": name, "leaves": [{"trace_id": t, "count": c, "leaf_hash": h} for t, c, h in leaves],
            "expected": {"leaf_hashes": [trace_leaf(*leaf).hex() for leaf in leaves], "root": tree_root(leaves)}}


def trees() -> list:
    rng = SplitMix64(0x7EE5)
    out = []
    for size in (0, 1, 2, 3, 4, 5, 7, 8, 9, 17):
        ids = sorted({rng.hex(32) for _ in range(size)})
        out.append(tree_case(f"{size} traces", [(t, 1 + rng.below(1 << rng.below(40)), rng.hex(64)) for t in ids]))
    return out + [tree_case("the extremes", [("0" * 31 + "1", 1, "0" * 64), ("f" * 32, MAX, "f" * 64)]),
                  tree_case("ids that differ in the last digit", [("ab" * 15 + "00", 255, "1" * 64), ("ab" * 15 + "01", 256, "2" * 64)])]


def logs() -> list:
    """What index entries state about ranges of a log's entries."""
    book = long().book
    entries = [{"trace_id": e["fields"]["trace_id"], "count": e["fields"]["trace_count"], "leaf_hash": e["leaf_hash"]}
               for e in book.entries]
    out = []
    for low, high in ((0, len(entries)), *((start, seq) for seq, start in book.indexes.items()), (0, 1), (4, 9), (9, 9)):
        leaves = listed(book.entries, low, high)
        out.append({"name": f"entries {low} to {high}", "from": low, "to": high, "entries": entries[low:high], "expected": {
            "leaves": [{"trace_id": t, "count": c, "leaf_hash": h} for t, c, h in leaves], "root": tree_root(leaves)}})
    unique = {case["name"]: case for case in out}
    return list(unique.values())


def ranges() -> list:
    """Which range a log chooses for each index entry that stands at one of these seqs."""
    rng = SplitMix64(0xC0FE)

    def case(name: str, seqs: list) -> dict:
        indexes = {}
        for seq in seqs:
            indexes[seq] = range_start(indexes, seq)
        return {"name": name, "seqs": seqs, "expected": {
            "from": [indexes[seq] for seq in seqs], "cover": cover_of(indexes, seqs[-1])}}

    def grown(steps) -> list:
        out, at = [], 0
        for step in steps:
            at += step
            out.append(at)
        return out

    out = [case("one", [5]), case("each a seq behind the last", grown([2] + [1] * 40)), case("equal steps", grown([100] * 60)),
           case("twice as long is taken in", [20, 30]), case("one more is not", [21, 31]), case("one fewer is", [19, 29]),
           case("a segment each, then a checkpoint", grown([1000, 1000, 1000, 37])),
           case("from long to short", grown([1 << at for at in range(12, -1, -1)])),
           case("from short to long", grown([1 << at for at in range(13)])), case("thirds", grown([3 ** at for at in range(8, -1, -1)]))]
    for at in range(12):
        out.append(case(f"random {at}", grown([1 + rng.below(1 << rng.below(12)) for _ in range(5 + rng.below(40))])))
    return out


# Multiproofs.


def leaf(index: int) -> bytes:
    return proofs.leaf_of(index.to_bytes(8, "big"))


def lines(hashes) -> str:
    return "".join(b64(h) + "\n" for h in hashes)


def multi_case(size: int, chosen: list, leaves: list, name=None) -> dict:
    hashes = multiproof(chosen, leaves)
    root = proofs.root(leaves)
    assert multiproof_root(size, {at: leaves[at] for at in chosen}, hashes) == root
    return {"name": name or f"{chosen} of {size}", "size": size, "chosen": chosen,
            "expected": {"proof": lines(hashes), "root": root.hex()}}


def multiproofs() -> list:
    rng = SplitMix64(0x3117)
    out = []
    for size in range(6):
        leaves = [leaf(at) for at in range(size)]
        for bits in range(1 << size):
            out.append(multi_case(size, [at for at in range(size) if bits >> at & 1], leaves))
    for at in range(60):
        size = 6 + rng.below(1 << 3 + rng.below(6))
        chosen = sorted({rng.below(size) for _ in range(rng.below(8) if at % 3 else size // 2)})[:40]
        leaves = [leaf(at) for at in range(size)]
        out.append(multi_case(size, chosen, leaves, f"random {at}: {len(chosen)} of {size}"))
    for size in (255, 256, 257):
        leaves = [leaf(at) for at in range(size)]
        out.append(multi_case(size, [0, size - 1], leaves))
        out.append(multi_case(size, [at for at in range(size) if at != 100], leaves, f"all but 100 of {size}"))
    unique = {(case["size"], tuple(case["chosen"])): case for case in out}
    return list(unique.values())


def refused_multiproofs() -> list:
    out = []

    def add(name, why, size, chosen, hashes, fault, truth):
        found = multiproof_root(size, {at: leaf(at) for at in chosen}, hashes)
        assert (found if isinstance(found, str) else "other_root") == fault and found != truth, name
        out.append({"name": name, "why": why, "size": size, "chosen": chosen, "proof": lines(hashes), "root": truth.hex(),
                    "expected": {"refused": fault}})

    for size, chosen in ((1, []), (2, [0]), (7, [2, 5]), (8, [0, 1, 7]), (13, [12]), (100, [3, 50, 51, 99])):
        leaves = [leaf(at) for at in range(size)]
        good, root = multiproof(chosen, leaves), proofs.root(leaves)
        label = f"{chosen} of {size}"
        add(f"{label}: a hash too few", "the last is missing", size, chosen, good[:-1], "too_few", root)
        add(f"{label}: no hash", "all are missing", size, chosen, [], "too_few", root)
        add(f"{label}: the last twice", "one is left over", size, chosen, [*good, good[-1]], "too_many", root)
        add(f"{label}: the root behind", "one is left over", size, chosen, [*good, root], "too_many", root)
        add(f"{label}: another first hash", "one bit of it", size, chosen, [bytes([good[0][0] ^ 1]) + good[0][1:], *good[1:]], "other_root", root)
        if len(good) > 1:
            add(f"{label}: the other way round", "hashes have an order", size, chosen, good[::-1], "other_root", root)
        if chosen and chosen[-1] + 1 < size:
            moved = [*chosen[:-1], chosen[-1] + 1]
            found = multiproof_root(size, {at: leaf(at) for at in moved}, good)
            fault = found if isinstance(found, str) else "other_root"
            add(f"{label}: another leaf known", "the list is of another choice", size, moved, good, fault, root)
    add("every leaf known, and a hash", "none is needed", 3, [0, 1, 2], [leaf(0)], "too_many", proofs.root([leaf(at) for at in range(3)]))
    add("no leaf, and a hash", "the tree is empty", 0, [], [hashlib.sha256(b"").digest()], "too_many", hashlib.sha256(b"").digest())
    return out


def files() -> dict:
    return {
        "system/trace_index.json": ("system", "The record of an index entry: what its schema lets in.", records()),
        "trace_index/trees.json": ("trace_index", "Leaves of traces, their hashes and the root of their tree.", trees()),
        "trace_index/logs.json": ("trace_index", "The traces that a range of a log's entries belongs to.", logs()),
        "trace_index/ranges.json": ("trace_index", "Where a log lets the range of each index entry begin.", ranges()),
        "multiproofs/positive.json": ("multiproofs", "From some leaves to the root with one list of hashes.", multiproofs()),
        "multiproofs/negative.json": ("multiproofs", "Lists of hashes that do not lead from the leaves to the root.", refused_multiproofs()),
    }

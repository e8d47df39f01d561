"""Random small ledgers, their bundles and writers that lie, judged by `examples/verify_bundle.py`. What has to come out is said by
a model without trees: the entries of a trace are those whose header names it.

Needs `cryptography`. Run from `vectors/`: python3 -m reference.bundle_model [LEDGERS]
"""

from __future__ import annotations

import collections
import io
import sys

from . import canon
from .bundle_reader import reader
from .bundles import Bundle, listed, tree_root
from .cases_bundles import FIRST, Story
from .prng import SplitMix64

TRACES = [f"{at:02x}" * 16 for at in range(16, 240, 17)]


def ledger(rng: SplitMix64, lie=None) -> Story:
    """Records of some traces with index entries between; `lie` changes the leaves of those that it is asked about."""
    s = Story(rng.next())
    if rng.below(2):
        s.book.add_key(FIRST)
    pool = TRACES[:2 + rng.below(len(TRACES) - 2)]
    for _ in range(1 + rng.below(6)):
        for _ in range(rng.below(1 + 2 ** rng.below(6))):
            trace = rng.pick(pool)
            if trace in s.decisions and rng.below(2):
                s.calls(trace, "a", f"b{rng.below(9)}", kept=rng.below(4) > 0)
            elif trace in s.contexts:
                s.decision(trace)
            else:
                s.context(trace)
        if lie is None:
            s.book.index()
        else:
            start = s.book.next_range()
            leaves = lie(listed(s.book.entries, start, s.book.size), s.book.entries)
            s.book.index(root=tree_root(leaves), traces=len(leaves))
    return s


def judged(program, schemas, bundle: Bundle, key=None) -> dict:
    report = program.Bundle(io.BytesIO(bundle.bytes()), key, schemas).verify()
    assert not report.get("why", "").startswith("unexpected"), report
    return report


def counts(book, size: int, traces) -> list:
    """The model: no tree, no link, no count of a header."""
    own = collections.Counter(entry["fields"]["trace_id"] for entry in book.entries[:size])
    return [{"entries": own[trace], "trace_id": trace} for trace in sorted(traces)]


def asked(rng: SplitMix64) -> list:
    strange = [rng.hex(32) for _ in range(rng.below(3))]
    return sorted({rng.pick(TRACES) for _ in range(1 + rng.below(5))} | set(strange))


def honest(program, schemas, rng: SplitMix64, told) -> None:
    s = ledger(rng)
    size = rng.pick(sorted(s.book.indexes)) + 1
    traces = asked(rng)
    own = [e["fields"]["seq"] for e in s.book.entries[:size] if e["fields"]["trace_id"] in traces]
    withheld = [seq for seq in own if rng.below(4) == 0] if rng.below(3) == 0 else []
    bundle = Bundle(s.book, size, traces, FIRST, blobs="all" if rng.below(2) else (), withheld=withheld)
    report = judged(program, schemas, bundle, program.Key(FIRST.text) if s.book.keys else None)
    assert report["verdict"] == "accepted", report
    assert report["traces"] == counts(s.book, size, traces) and report["withheld"] == withheld, report
    told[f"accepted, a cover of {len(bundle.cover)}"] += 1
    if own:
        dropped = rng.pick(own)
        bundle.select(set(), ())
        bundle.take([seq for seq in bundle.seqs if seq != dropped])
        report = judged(program, schemas, bundle)
        assert report.get("step") == "completeness", report
        told["a record dropped: refused"] += 1


def lies(rng: SplitMix64, victim: str) -> dict:
    """What a writer can say of one trace in place of the truth: a change of the leaves of each tree that lists it."""
    def changed(change):
        def lie(leaves: list, entries: list) -> list:
            return [other for leaf in leaves for other in (change(leaf, entries) if leaf[0] == victim else [leaf])]
        return lie

    other = rng.pick(sorted(set(TRACES) - {victim}))
    return {
        "left out": changed(lambda leaf, _: []),
        "one entry fewer": changed(lambda leaf, _: [(leaf[0], leaf[1] - 1, leaf[2])] if leaf[1] > 1 else []),
        "one entry more": changed(lambda leaf, _: [(leaf[0], leaf[1] + 1, leaf[2])]),
        "another last entry": changed(lambda leaf, entries: [(leaf[0], leaf[1], entries[0]["leaf_hash"])]),
        "under another id": lambda leaves, entries: sorted(changed(lambda leaf, _: [(other, *leaf[1:])])(
            leaves if victim not in [leaf[0] for leaf in leaves] else [leaf for leaf in leaves if leaf[0] != other], entries)),
        "behind its place": lambda leaves, _: sorted(leaves, key=lambda leaf: (leaf[0] == victim, leaf)),
        "twice, the first one older": changed(lambda leaf, entries: [(leaf[0], 1, entries[0]["leaf_hash"]), leaf]),
    }


class Hiding(Bundle):
    """Shows by neighbours that a trace is not listed which stands at the end, behind its place."""

    def chosen(self, leaves: list, newer: set) -> list:
        (victim,) = self.traces
        others = [leaf[0] for leaf in leaves if leaf[0] != victim]
        place = sum(other < victim for other in others)
        return [at for at in (place - 1, place) if 0 <= at < len(others)]


def lying(program, schemas, rng: SplitMix64, told) -> None:
    """A log whose trees lie about one trace, in a bundle with all of its records; and what whoever has the log sees."""
    seed, victim = rng.next(), rng.pick(TRACES)
    for name, lie in lies(rng, victim).items():
        s = ledger(SplitMix64(seed), lie)
        book, size = s.book, s.book.size
        truth = counts(book, size, [victim])
        sort = Hiding if name == "behind its place" else Bundle
        bundle = sort(book, size, [victim], FIRST, blobs=(), listing=lambda entries, low, high, lie=lie: lie(
            listed(entries, low, high), entries))
        is_lie = any(lie(leaves, book.entries) != leaves for leaves in (
            listed(book.entries, start, seq) for seq, start in book.indexes.items()))
        exposed = any(canon.parse(book.entries[seq]["body"])["root"] != tree_root(listed(book.entries, start, seq))
                      for seq, start in book.indexes.items())
        assert exposed == is_lie, name
        report = judged(program, schemas, bundle)
        if report["verdict"] == "accepted":
            # Only an older tree lied, and a newer one that has the trace did not need it.
            assert report["traces"] == truth, (name, report)
            told[f"{name}: {'nothing' if is_lie else 'no lie, and nothing'} that the bundle needs"] += 1
            continue
        assert report["step"] in ("cover", "completeness") and truth[0]["entries"], (name, report)
        told[f"{name}: refused"] += 1
        if name == "left out" or name == "behind its place" and judged(program, schemas, hidden(bundle))["verdict"] == "accepted":
            assert judged(program, schemas, hidden(bundle))["traces"] == [{"entries": 0, "trace_id": victim}], name
            told[f"{name}, and no record in the bundle: believed, and exposed by who makes the tree again"] += 1


def hidden(bundle: Bundle) -> Bundle:
    """The same without the records: the only way in which a lie fits."""
    (victim,) = bundle.traces
    bundle.select(set(), ())
    own = [seq for seq in bundle.seqs if bundle.book.entries[seq]["fields"]["trace_id"] == victim]
    bundle.take([seq for seq in bundle.seqs if seq not in own])
    kinds = set(bundle.kinds())
    bundle.manifest.update(blobs=[], traces=[{"entries": 0, "trace_id": victim}],
                           schemas=[one for one in bundle.manifest["schemas"] if one["name"] in kinds])
    bundle.blobs = {}
    return bundle


def main(arguments: list) -> int:
    program = reader()
    schemas = program.read_schemas(program.SCHEMAS)
    rng, told = SplitMix64(0x5EED), collections.Counter()
    for _ in range(int(arguments[0]) if arguments else 100):
        honest(program, schemas, rng, told)
        lying(program, schemas, rng, told)
    for name in sorted(told):
        print(f"{told[name]:6} {name}")
    names = lies(rng, TRACES[0])
    assert all(told[f"accepted, a cover of {at}"] for at in (1, 2, 3)) and all(told[f"{name}: refused"] > 5 for name in names)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

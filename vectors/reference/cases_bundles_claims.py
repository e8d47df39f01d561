"""Family `bundles`: what is refused though every hash leads to the signed root: claims about traces and keys, what is
not asked for, and who signed.
"""

from __future__ import annotations

import copy

from . import canon
from .bundles import Bundle, listed, schema_hash, sha256, tar
from .cases_bundles import (
    A, ABOVE, B, BETWEEN, C, D, FIRST, LEDGER_ID, ORIGIN, PRODUCER, SECOND, THIRD, Story, begun, long, positives, small, thinned,
)
from .cases_bundles_refused import (
    LONG, SMALL, Table, checkpoints, container, entries, forged, genesis, inclusion, manifest, with_fields,
)
from .cases_proofs import secret
from .keys import Ledger


def one(s: Story, traces=(A,)) -> Bundle:
    return Bundle(s.book, s.book.size, traces, FIRST)


def three(l: Story, traces=(A, B, C, BETWEEN)) -> Bundle:
    return Bundle(l.book, l.book.size, traces, SECOND)


def cover(t: Table, s: Story, l: Story) -> None:
    newest, middle, oldest = three(l).cover

    def edit(name, why, change, step="cover"):
        b = three(l)
        change(b)
        t.add(name, why, step, b.bytes(), LONG, SECOND)

    def only(*seqs):
        def change(b: Bundle) -> None:
            b.manifest["cover"] = list(seqs)
            b.index = {seq: b.index[seq] for seq in seqs}
            b.take([seq for seq in b.seqs if seq not in {newest, middle, oldest} - set(seqs)])
        return change

    def part(seq, **changes):
        return lambda b: b.index.update({seq: {**b.index[seq], **changes}})

    edit("the oldest of the cover left out", "its range does not begin with entry 0", only(newest, middle))
    edit("a gap in the cover", "the ranges do not meet", only(newest, oldest))
    edit("an index entry withheld", "nobody knows what it states", lambda b: (
        b.take(b.seqs, {middle}), b.manifest.update(withheld=[middle])))
    edit("index members exchanged", "other roots", lambda b: b.index.update({middle: b.index[oldest], oldest: b.index[middle]}))
    leaves, hashes = one(s).index[s.book.size - 1].values()
    at, trace, count, leaf = leaves[0]
    assert len(leaves) == 1 and len(hashes) == 2

    def small_part(name, why, step="cover", **changes):
        b = one(s)
        b.index[b.cover[0]].update(changes)
        t.add(name, why, step, b.bytes(), SMALL)

    def text(name, why, change):
        members = one(s).members()
        data = change(members[4][1])
        assert data != members[4][1], name
        t.add(name, why, "cover", tar(members[:4] + [(members[4][0], data)] + members[5:]), SMALL)

    small_part("another count in a leaf", "another root", leaves=[(at, trace, count + 1, leaf)])
    small_part("another trace in a leaf", "another root", leaves=[(at, B, count, leaf)])
    small_part("another last leaf in a leaf", "another root", leaves=[(at, trace, count, "11" * 32)])
    small_part("another index of a leaf", "another root", leaves=[(at + 1, trace, count, leaf)])
    small_part("an index past the tree", "three leaves", leaves=[(3, trace, count, leaf)])
    small_part("a leaf with a count of 0", "a trace that is listed has entries", leaves=[(at, trace, 0, leaf)])
    small_part("no leaf", "the proof is of one", leaves=[])
    small_part("a leaf twice", "indexes ascend", leaves=[leaves[0]] * 2)
    small_part("a hash of a tree's proof dropped", "too few", hashes=hashes[:-1])
    small_part("a hash of a tree's proof twice", "too many", hashes=[*hashes, hashes[-1]])
    small_part("hashes of a tree's proof swapped", "another root", hashes=hashes[::-1])
    text("no empty line in an index member", "it stands between leaves and hashes", lambda d: d.replace(b"\n\n", b"\n"))
    text("a second empty line in an index member", "one", lambda d: d.replace(b"\n\n", b"\n\n\n"))
    text("a trace in upper case", "lower-case hex", lambda d: d.replace(A.encode(), A.upper().encode()))
    text("an index with a zero before", "one spelling", lambda d: b"0" + d)
    text("a count with a sign", "digits", lambda d: d.replace(b" 3 ", b" +3 "))
    text("two spaces in a leaf", "one", lambda d: d.replace(b" 3 ", b"  3 "))
    text("a leaf of three words", "four", lambda d: d.replace(b" 3 ", b" "))
    text("a number of 80 bits", "64 at most", lambda d: d.replace(b" 3 ", b" 1208925819614629174706176 "))
    text("nothing in an index member", "an empty line at least", lambda d: b"")

    def backwards(entries, low, high):
        return listed(entries, low, high)[::-1]

    t.whole("a tree sorted the other way", "signed; neighbours of another place seem to enclose what is listed", "cover",
            forged(lambda s: None, [A, C, D], listing=backwards))
    t.whole("the number of traces is another", "signed; the tree has three leaves", "cover",
            forged(lambda s: None, lies=lambda book: {"traces": 2}))
    t.whole("a root of no tree", "signed", "cover", forged(lambda s: None, lies=lambda book: {"root": "ab" * 32}))
    t.whole("a range that begins at no index entry", "signed; entries 0 to 3 are in no range", "cover",
            forged(lambda s: None, lies=lambda book: {"from": 4}))
    plain = begun()
    plain.book.indexes[plain.book.size - 1] = 0
    b = Bundle(plain.book, plain.book.size, [A], FIRST)
    t.whole("a checkpoint behind a record", "the last entry is no index entry", "cover", b)
    b = forged(lambda s: None, lies=lambda book: {"from": 1})
    b.manifest["cover"].append(1)
    b.index[1] = {"leaves": [], "hashes": []}
    t.whole("a key entry in the cover", "signed: the range begins with it", "cover", b)


def completeness(t: Table, s: Story, l: Story) -> None:
    own = [e["fields"]["seq"] for e in s.book.entries if e["fields"]["trace_id"] == A]
    assert own == [2, 4, 5]

    def edit(name, why, change, step="completeness"):
        b = one(s)
        change(b)
        t.add(name, why, step, b.bytes(), SMALL)

    def without(*seqs):
        return lambda b: b.take([seq for seq in b.seqs if seq not in seqs])

    def stated(number, *changes):
        def change(b: Bundle) -> None:
            b.manifest["traces"][0]["entries"] = number
            for other in changes:
                other(b)
        return change

    def asked(traces):
        return lambda b: b.manifest.update(traces=[{"entries": n, "trace_id": trace} for trace, n in traces])

    def leaves(chosen, book=s.book):
        """Shows other leaves than the selection needs, in a proof that fits them."""
        def change(b: Bundle) -> None:
            tree = listed(book.entries, 0, b.cover[0])
            b.show(b.cover[0], tree, chosen)
        return change

    for seq in own:
        edit(f"record {seq} dropped", "the proof fits, the count does not", without(seq))
        edit(f"record {seq} dropped, and the manifest says so", "the index entry states three", stated(2, without(seq)))
    edit("all records dropped", "the index entry states three", stated(0, without(*own)))
    edit("one entry fewer in the manifest", "there are three", stated(2))
    edit("one entry more in the manifest", "there are three", stated(4))
    edit("another trace asked for", "nothing shows that there is none", asked([(A, 3), (ABOVE, 0)]))
    edit("a trace asked for no more", "its leaf is shown", asked([(B, 0)]))
    edit("a leaf that nobody asked for", "only those that the selection needs", leaves([0, 1]))
    edit("all leaves", "only those that the selection needs", leaves([0, 1, 2]))
    edit("the leaf of another trace", "nothing shows what A has", leaves([1]))

    base = "between two others: there is none"
    for name, chosen in (("the neighbour below alone", [0]), ("the neighbour behind alone", [1]), ("no neighbour", []),
                         ("neighbours that are not side by side", [0, 2]), ("neighbours of another place", [1, 2]),
                         ("a neighbour too many", [0, 1, 2])):
        b = one(s, [BETWEEN])
        b.show(b.cover[0], listed(s.book.entries, 0, b.cover[0]), chosen)
        t.add(name, "an absent trace is shown by the leaf before its place and the one behind it", "completeness", b.bytes(), base)
    b = one(s, [BETWEEN])
    b.manifest["traces"][0]["entries"] = 1
    t.add("an entry of a trace that there is not", "listed nowhere", "completeness", b.bytes(), base)

    oldest = three(l).cover[-1]
    b = three(l)
    tree = listed(l.book.entries, 0, oldest)
    b.show(oldest, tree, sorted({0, *(at for at, *_ in b.index[oldest]["leaves"])}))
    t.add("a leaf of a trace that a newer one lists", "only those that the selection needs", "completeness", b.bytes(), LONG, SECOND)
    middle = three(l).cover[1]
    b = three(l)
    b.show(middle, listed(l.book.entries, l.book.indexes[middle], middle), [])
    t.add("a newer one shows nothing", "it lists A, with more entries", "completeness", b.bytes(), LONG, SECOND)

    def told(entries, low, high):
        return [leaf for leaf in listed(entries, low, high) if leaf[0] != A]

    def older(entries, low, high):
        return [leaf if leaf[0] != A else (A, 2, entries[4]["leaf_hash"]) for leaf in listed(entries, low, high)]

    def other_last(entries, low, high):
        return [leaf if leaf[0] != A else (A, 3, entries[4]["leaf_hash"]) for leaf in listed(entries, low, high)]

    t.whole("the index leaves out the trace", "signed; and its records are here", "completeness", forged(lambda s: None, listing=told))
    t.whole("the index states fewer entries", "signed; and three are here", "completeness", forged(lambda s: None, listing=older))
    t.whole("the index states another last entry", "signed", "completeness", forged(lambda s: None, listing=other_last))
    b = forged(lambda s: None, listing=told)
    b.manifest["traces"] = [{"entries": 0, "trace_id": A}]
    t.whole("the index leaves out the trace, and the manifest says so", "signed; and its records are here", "completeness", b)
    t.whole("a record that continues another one", "signed; entry 5 names entry 2 as the one before", "completeness",
            forged(with_fields(5, trace_previous_seq=2)))
    t.whole("a count that skips one", "signed; the second record has count 3", "completeness",
            forged(with_fields(4, trace_count=3)))


def key_claims(t: Table, s: Story, l: Story) -> None:
    b = one(s)
    b.take([seq for seq in b.seqs if seq != 1])
    b.manifest["schemas"] = [x for x in b.manifest["schemas"] if x["name"] != "key"]
    t.add("the key entry dropped", "the index entry states one", "keys", b.bytes(), SMALL)
    b = one(s)
    b.take(b.seqs, {1})
    b.manifest.update(withheld=[1], schemas=[x for x in b.manifest["schemas"] if x["name"] != "key"])
    t.add("the key entry withheld", "the index entry states one", "keys", b.bytes(), SMALL)
    b = three(l)
    keys = [seq for seq in b.seqs if canon.parse(l.book.entries[seq]["body"]).get("system_type") == "key"]
    for seq in keys:
        b = three(l)
        b.take([x for x in b.seqs if x != seq])
        t.add(f"key entry {seq} dropped", "the newest index entry states four", "keys", b.bytes(), LONG, SECOND)
    for number in (0, 2):
        t.whole(f"{number} key entries stated", "signed; there is one", "keys",
                forged(lambda s: None, lies=lambda book, n=number: {"keys": n}))
    home, elsewhere = Ledger(LEDGER_ID, ORIGIN), Ledger("ff" * 16, ORIGIN)
    by_first = home.added(SECOND, FIRST)
    strange = Ledger(LEDGER_ID, ORIGIN).added(SECOND, THIRD)
    for name, why, body in (
        ("a key entry of another ledger", "the statement names the ledger", elsewhere.added(SECOND)),
        ("a key that did not sign its entry", "another's signature", {**home.added(SECOND), "signature": home.added(THIRD)["signature"]}),
        ("a voucher that did not sign", "another's signature",
         {**by_first, "endorsement": {**by_first["endorsement"], "signature": home.added(THIRD, FIRST)["endorsement"]["signature"]}}),
        ("a voucher that is not listed", "a stranger", strange),
        ("a producer that nobody vouches for", "only log keys are roots", home.added(PRODUCER)),
        ("a key listed twice", "once", {**home.added(FIRST, FIRST)}),
        ("retired, and not listed", "it is not current", home.retired(SECOND, FIRST)),
        ("retired by a stranger", "it is not listed", home.retired(FIRST, THIRD)),
        ("a log key of another origin", "it bears the origin", elsewhere_key()),
    ):
        t.whole(name, "signed by the log; " + why, "keys", forged(lambda s, body=body: s.book.system(body)))


def elsewhere_key() -> dict:
    other = secret("bundles elsewhere", "log.example/other", "log")
    return Ledger(LEDGER_ID, ORIGIN).added(other, FIRST)


def surplus(t: Table, s: Story, l: Story) -> None:
    def edit(name, why, change, base=SMALL, step="surplus"):
        b = one(s) if base == SMALL else three(l)
        change(b)
        t.add(name, why, step, b.bytes(), base, FIRST if base == SMALL else SECOND)

    def more(*seqs):
        return lambda b: b.take(sorted([*b.seqs, *seqs]))

    def said(**changes):
        return lambda b: b.manifest.update(changes)

    manifest = one(s).manifest
    blobs, schemas = manifest["blobs"], manifest["schemas"]
    edit("a record of another trace", "nobody asked for it", more(3))
    edit("a record of another trace withheld", "nobody asked for it", lambda b: (
        b.take(sorted([*b.seqs, 3]), {3}), b.manifest.update(withheld=[3])))
    (erasure,) = l.book.erased.values()
    b = Bundle(l.book, l.book.size, [D], SECOND)
    b.take(sorted([*b.seqs, erasure]))
    b.manifest["schemas"] = sorted([*b.manifest["schemas"], {"name": "erasure", "sha256": schema_hash("erasure")}], key=lambda x: x["name"])
    t.add("an erasure that nobody names", "its payload is of another trace", "surplus", b.bytes(), "only older ones list it", SECOND)
    edit("an erasure withheld", "only records may be", lambda b: (
        b.take(b.seqs, {erasure}), b.manifest.update(withheld=[erasure])), LONG)
    edit("an erasure dropped", "a payload names it", lambda b: (
        b.take([x for x in b.seqs if x != erasure]),
        b.manifest.update(schemas=[x for x in b.manifest["schemas"] if x["name"] != "erasure"])), LONG)
    edit("erased by another entry", "that one is no erasure", lambda b: b.manifest.update(blobs=[
        {**x, "erased_by": 1} if "erased_by" in x else x for x in b.manifest["blobs"]]), LONG)
    edit("erased by the erasure of another payload", "it names another", lambda b: b.manifest.update(blobs=[
        {"sha256": x["sha256"], "state": "erased", "erased_by": erasure} if x["state"] == "absent" else x
        for x in b.manifest["blobs"]]), LONG)
    edit("a payload not listed", "a record names it", lambda b: (
        b.manifest.update(blobs=blobs[1:]), b.blobs.pop(blobs[0]["sha256"])))
    edit("a payload that no record names", "listed all the same", said(
        blobs=sorted([*blobs, {"sha256": "00" * 32, "state": "absent"}], key=lambda x: x["sha256"])))
    edit("a payload here that is listed as withheld", "only those that are included", said(
        blobs=[{**blobs[0], "state": "withheld"}, *blobs[1:]]))
    edit("a payload included that is not here", "it is included", lambda b: b.blobs.pop(blobs[0]["sha256"]))
    edit("a payload here that is not listed", "nobody names it", lambda b: b.blobs.update({sha256(b"x"): b"x"}))
    edit("other bytes of a payload", "its hash is its name", lambda b: b.blobs.update({blobs[0]["sha256"]: b"x"}))
    edit("a byte more of a payload", "its hash is its name", lambda b: b.blobs.update({
        blobs[0]["sha256"]: b.blobs[blobs[0]["sha256"]] + b"\n"}))
    edit("payloads exchanged", "their hashes are their names", lambda b: b.blobs.update({
        blobs[0]["sha256"]: b.blobs[blobs[1]["sha256"]], blobs[1]["sha256"]: b.blobs[blobs[0]["sha256"]]}))
    edit("a schema not listed", "an entry is of it", said(schemas=schemas[1:]))
    edit("a schema listed that no entry is of", "those of the entries alone", said(schemas=sorted(
        [*schemas, {"name": "model_call", "sha256": schema_hash("model_call")}], key=lambda x: x["name"])))
    edit("another hash of a schema", "the published one has its own", said(schemas=[{**schemas[0], "sha256": "00" * 32}, *schemas[1:]]))
    edit("a body here that is listed as withheld", "those that are not here alone", said(withheld=[4]))
    edit("a body withheld that is not listed", "what is withheld is said", lambda b: (
        b.select({4}, "all"), b.manifest.update(withheld=[])))
    edit("a body withheld and its payload still listed", "nobody at hand names it", lambda b: (
        b.take(b.seqs, {4}), b.manifest.update(withheld=[4])))


def authenticity(t: Table, s: Story, l: Story) -> None:
    def signed(key, story=l):
        return Bundle(story.book, story.book.size, [D], key)

    base = "only older ones list it"
    t.add("signed by a key that was retired", "its time is over", "authenticity", signed(FIRST).bytes(), base, FIRST)
    t.add("signed by a key that is not listed", "nobody vouches for it", "authenticity", signed(THIRD).bytes(), base, THIRD)
    t.add("signed by nobody who rests on the key", "the key is a stranger's", "authenticity", signed(THIRD).bytes(), base, SECOND)
    t.whole("a key that is not listed", "it vouched for nobody", "authenticity", signed(SECOND), THIRD)
    fork = begun()
    fork.book.add_key(THIRD)
    fork.book.index()
    b = Bundle(fork.book, fork.book.size, [A], THIRD, blobs=())
    t.whole("signed by a new root", "nobody vouches for it", "authenticity", b, FIRST)
    t.whole("vouched for by the key that signed", "vouching does not go back", "authenticity",
            Bundle(backwards().book, backwards().book.size, [A], FIRST, blobs=()), SECOND)


def backwards() -> Story:
    """The first key vouched for the second, and signed; the second vouched for nobody."""
    s = begun()
    s.book.add_key(SECOND, FIRST)
    s.book.index()
    return s


def mixed(t: Table, s: Story, l: Story) -> None:
    other, own = three(l).members(), one(s).members()
    for at, (name, step) in enumerate((("manifest", "container"), ("checkpoint", "checkpoint"), ("entries", "entries"),
                                       ("log's proof", "inclusion"))):
        members = own[:at] + [other[at]] + own[at + 1:]
        t.add(f"the {name} of another bundle", "two bundles mixed", step, tar(members), SMALL)
    older = Bundle(l.book, three(l).cover[1] + 1, [A, B, C, BETWEEN], SECOND)
    for at, (name, step) in enumerate((("manifest", "container"), ("checkpoint", "checkpoint"), ("entries", "inclusion"))):
        members = other[:at] + [older.members()[at]] + other[at + 1:]
        t.add(f"the {name} of an older bundle of the same ledger", "two bundles mixed", step, tar(members), LONG, SECOND)


def files() -> dict:
    good = positives()
    s, l = small(), long()
    table = Table(good)
    for part in (container, manifest):
        part(table, s, l)
    checkpoints(table, s)
    entries(table, s, l)
    inclusion(table, s)
    genesis(table, s)
    for part in (cover, completeness, key_claims, surplus, authenticity, mixed):
        part(table, s, l)
    return {
        "bundles/accepted.json": ("bundles", "Evidence bundles that hold, and what they say.", good),
        "bundles/thinned.json": ("bundles", "Accepted bundles out of which their holder takes bodies and payloads.", thinned(good)),
        "bundles/refused.json": ("bundles", "Evidence bundles that are refused, and the step that must refuse them.", table.out),
    }

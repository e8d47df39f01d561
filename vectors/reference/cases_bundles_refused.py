"""Family `bundles`: what is refused, and at which step. A case is an accepted bundle with something done to it, or a
whole bundle of a log that somebody forged and signed.
"""

from __future__ import annotations

import base64
import copy
import json
import re

from . import canon, log, proofs
from .bundles import Book, Bundle, b64, listed, sha256, tar, tar_member, tree_root
from .cases_bundles import (
    A, B, BETWEEN, C, D, E, FIRST, SECOND, THIRD, Story, begun, edited, edits, joined, pieces,
)
from .cases_log import rechained


class Table:
    """Collects cases against the bundles that are accepted."""

    def __init__(self, cases: list):
        self.out, self.bases = [], {case["name"]: joined(case["bundle"]) for case in cases}

    def add(self, name: str, why: str, step: str, data: bytes, base: str, key=FIRST) -> None:
        old = self.bases[base]
        assert data != old or step == "authenticity", name
        changes = edits(old, data)
        assert edited(old, changes) == data, name
        self.out.append({"name": name, "why": why, "key": key.text, "of": base, "edits": changes,
                         "sha256": sha256(data), "expected": {"step": step}})

    def whole(self, name: str, why: str, step: str, bundle, key=FIRST) -> None:
        """A bundle of its own; written as what it has in common with a small one where that is shorter."""
        data = bundle.bytes() if isinstance(bundle, Bundle) else bundle
        changes, parts = edits(self.bases[SMALL], data), pieces(data)
        if len(json.dumps(changes)) < len(json.dumps(parts)):
            self.add(name, why, step, data, SMALL, key)
        else:
            self.out.append({"name": name, "why": why, "key": key.text, "bundle": parts, "sha256": sha256(data),
                             "expected": {"step": step}})


SMALL, LONG = "one trace", "a cover of three, the newest empty"


def container(t: Table, s: Story, l: Story) -> None:
    small_bundle = Bundle(s.book, s.book.size, [A], FIRST)
    members, data = small_bundle.members(), small_bundle.bytes()
    long_members = Bundle(l.book, l.book.size, [A, B, C, BETWEEN], SECOND).members()

    def add(name, why, changed, step="container"):
        t.add(name, why, step, tar(changed), SMALL)

    def raw(name, why, changed):
        t.add(name, why, "container", changed, SMALL)

    def third(name, why, **fields):
        """A header of another spelling, for the entries."""
        raw(name, why, b"".join(tar_member(n, d, **(fields if n == "entries" else {})) for n, d in members) + bytes(1024))

    for at, (name, _) in enumerate(members):
        kind = name.split("/")[0]
        if kind == "blobs" and at > 5:
            continue
        add(f"{kind} dropped", "a member is missing", members[:at] + members[at + 1:], "surplus" if kind == "blobs" else "container")
        add(f"{kind} twice", "each member stands there once", members[:at + 1] + members[at:])
        if at:
            add(f"{kind} before the one before", "members have one order",
                members[:at - 1] + [members[at], members[at - 1]] + members[at + 1:])
    for at in (4, 5, 6):
        name = long_members[at][0]
        t.add(f"{name} dropped", "the cover names it", "container", tar(long_members[:at] + long_members[at + 1:]), LONG, SECOND)
    t.add("two index members swapped", "they have the order of the cover", "container",
          tar(long_members[:4] + [long_members[5], long_members[4]] + long_members[6:]), LONG, SECOND)
    add("two payloads swapped", "they ascend", members[:-2] + [members[-1], members[-2]])
    add("an index member too many", "the cover does not name it", members[:5] + [(f"index/{1:020d}", b"\n")] + members[5:])
    add("a member too many", "nothing else may stand there", members + [("notes", b"read me")])
    add("a name that leaves the folder", "../", members + [("blobs/../../" + "a" * 55, b"x")])
    add("an absolute name", "/", members + [("/" + "a" * 69, b"x")])
    add("a name with a dot before", "./", [("./bundle.json", members[0][1])] + members[1:])
    add("a payload's name in upper case", "lower-case hex", members[:-1] + [(members[-1][0].upper().replace("BLOBS", "blobs"), members[-1][1])])
    add("an index member's name without zeros", "twenty digits", members[:4] + [("index/9", members[4][1])] + members[5:])
    third("a symbolic link", "regular files only", _156=b"2", _157=b"/etc/passwd")
    third("a hard link", "regular files only", _156=b"1", _157=b"bundle.json")
    third("a folder", "regular files only", _156=b"5")
    third("an extended header", "regular files only", _156=b"x")
    third("a long name of GNU tar", "regular files only", _156=b"L")
    third("a regular file of the old sort", "one spelling", _156=b"\0")
    third("the magic of GNU tar", "one spelling", _257=b"ustar  \0")
    third("another mode", "one spelling", _100=b"0000755\0")
    third("an owner", "one spelling", _108=b"0001750\0")
    third("a time", "one spelling", _136=b"14737424000\0")
    third("an owner's name", "one spelling", _265=b"root")
    third("a folder before the name", "no paths", _345=b"..")
    third("a byte behind the name", "one spelling", _99=b"x")
    third("a byte in the last twelve", "one spelling", _511=b"x")
    third("a device", "one spelling", _329=b"0000001\0")
    third("a sum that ends in a space and a zero", "one spelling", sum=lambda total: b"%06o \0" % total)
    third("a sum in seven digits", "one spelling", sum=lambda total: b"%07o\0" % total)
    third("a wrong sum", "the header was changed", sum=lambda total: b"%06o\0 " % (total + 1))
    size = len(members[2][1])
    third("a length with spaces", "eleven octal digits", _124=b"%11o\0" % size)
    third("a length that ends in a space", "eleven octal digits and a zero", _124=b"%011o " % size)
    third("a length of twelve digits", "eleven octal digits", _124=b"%012o" % size)
    third("a length in base 256", "eleven octal digits", _124=b"\x80" + size.to_bytes(11, "big"))
    third("a length with the digit 8", "octal digits", _124=b"00000000008\0")
    third("a length below zero", "octal digits", _124=b"-0000000001\0")
    third("a length of 8 GiB", "the file is shorter", _124=b"77777777777\0")
    third("a length with one block more", "the next header is in the payload", _124=b"%011o\0" % (size + 512))
    third("a length with one block less", "what is no header comes next", _124=b"%011o\0" % (size - 512))
    end = 512 + len(members[0][1])
    raw("a byte in the padding", "zeros up to the next block", data[:end] + b"x" + data[end + 1:])
    raw("one block of zeros at the end", "two end the file", data[:-512])
    raw("three blocks of zeros at the end", "two end the file", data + bytes(512))
    raw("no end", "two blocks of zeros end the file", data[:-1024])
    raw("a byte behind the end", "nothing stands behind it", data + b"\n")
    raw("a byte in the last block", "two blocks of zeros end the file", data[:-1] + b"x")
    raw("cut inside a member", "a member is longer than the file", data[:2000])
    raw("cut inside a header", "a header has 512 bytes", data[:700])
    t.whole("an empty file", "no bundle", "container", b"")
    t.whole("compressed", "no compression", "container", bytes.fromhex("1f8b0800000000000003") + b"x" * 20)
    t.whole("zeros alone", "no member", "container", bytes(1024))


def manifest(t: Table, s: Story, l: Story) -> None:
    bundle = Bundle(s.book, s.book.size, [A], FIRST)
    members, said = bundle.members(), bundle.manifest
    text = members[0][1]

    def raw(name, why, changed: bytes):
        t.add(name, why, "manifest", tar([("bundle.json", changed)] + members[1:]), SMALL)

    def edit(name, why, step="manifest", drop=(), **changes):
        value = {k: v for k, v in {**said, **changes}.items() if k not in drop}
        t.add(name, why, step, tar([("bundle.json", canon.write(value))] + members[1:]), SMALL)

    raw("a newline behind the manifest", "canonical JSON has none", text + b"\n")
    raw("a space in the manifest", "canonical JSON has none", text.replace(b":", b": ", 1))
    raw("another order of members", "canonical JSON sorts them", json.dumps(dict(reversed(said.items())), separators=(",", ":")).encode())
    raw("an escape that is not needed", "canonical JSON has the letter", text.replace(b"log.example", b"\\u006cog.example"))
    raw("a number in another spelling", "canonical JSON has 8", text.replace(b'"size":8', b'"size":8.0'))
    raw("a member twice", "the first or the last could count", text.replace(b'"withheld"', b'"version":"1","withheld"'))
    raw("a byte order mark", "no JSON", b"\xef\xbb\xbf" + text)
    raw("bytes that are not UTF-8", "no JSON", text.replace(b"log.example", b"log.ex\xffmple"))
    raw("half of a surrogate pair", "no text", text.replace(b"log.example", b"log.ex\\ud800mple"))
    raw("no JSON", "cut", text[:-1])
    raw("nothing", "no JSON", b"")
    raw("nested deep", "no manifest", b"[" * 100_000)
    raw("a list", "an object belongs here", b"[]")
    for name in said:
        edit(f"no {name}", "exactly these members", drop=(name,))
    edit("a member more", "exactly these members", note="")
    edit("a newer version", "a newer reader is needed", version="2")
    edit("a newer version with other members", "a newer reader is needed", version="2", drop=("cover", "traces"), index={})
    edit("the version as a number", "text", version=1)
    edit("another type", "no evidence bundle", bundle_type="proofline.archive")
    edit("a size as text", "a number", size="8")
    edit("a size below zero", "a number from 0 on", size=-8)
    raw("a size of 2^53", "no integer of JSON", text.replace(b'"size":8', b'"size":9007199254740992'))
    edit("another size", "the cover begins with the last entry", size=9)
    edit("a ledger id in upper case", "lower-case hex", ledger_id=said["ledger_id"].upper())
    edit("no trace", "at least one is asked for", traces=[])
    one = said["traces"][0]
    edit("a trace twice", "they ascend", traces=[one, one])
    edit("traces that do not ascend", "they ascend", traces=[{"entries": 0, "trace_id": B}, one])
    edit("a trace id of 31 digits", "32 of them", traces=[{**one, "trace_id": A[1:]}])
    edit("a trace id of zeros", "there is none", traces=[{"entries": 0, "trace_id": "0" * 32}, one])
    edit("a trace with a member more", "exactly these members", traces=[{**one, "last": 7}])
    edit("entries as text", "a number", traces=[{**one, "entries": "3"}])
    edit("an empty cover", "the last entry is in it", cover=[])
    edit("a cover without the last entry", "it begins with N - 1", cover=[6])
    edit("a cover that does not descend", "it descends", cover=[7, 7])
    edit("a cover down to genesis", "genesis is no index entry", cover=[7, 0])
    blobs = said["blobs"]
    edit("payloads that do not ascend", "they ascend", blobs=blobs[::-1])
    edit("a payload twice", "they ascend", blobs=[blobs[0], *blobs])
    edit("an unknown state", "there are four", blobs=[{**blobs[0], "state": "lost"}, *blobs[1:]])
    edit("erased by nobody", "a seq belongs there", blobs=[{**blobs[0], "state": "erased"}, *blobs[1:]])
    edit("included and erased", "no seq belongs there", blobs=[{**blobs[0], "erased_by": 1}, *blobs[1:]])
    edit("a payload's hash of 63 digits", "64 of them", blobs=[{**blobs[0], "sha256": blobs[0]["sha256"][1:]}, *blobs[1:]])
    edit("schemas that do not ascend", "they ascend", schemas=said["schemas"][::-1])
    edit("withheld that does not ascend", "it ascends", withheld=[5, 4])
    edit("withheld behind the end", "below N", withheld=[8])
    edit("withheld as text", "numbers", withheld=["4"])


def checkpoints(t: Table, s: Story) -> None:
    bundle = Bundle(s.book, s.book.size, [A], FIRST)
    book, size = s.book, s.book.size
    foreign = Story(0xF02)
    foreign.book.add_key(FIRST)
    for trace in (A, B, C, D, E):
        foreign.context(trace)
    foreign.book.index()
    assert foreign.book.size == size

    def add(name, why, note, step="checkpoint"):
        members = bundle.members()
        members[1] = ("checkpoint", note)
        t.add(name, why, step, tar(members), SMALL)

    note = bundle.checkpoint
    add("a checkpoint of another origin", "signed, and of another log", book.checkpoint(size, FIRST, origin="log.example/other"))
    add("a checkpoint of another size", "signed, and of another size", book.checkpoint(size - 1, FIRST))
    add("a checkpoint from the future", "signed, and larger", book.checkpoint(size, FIRST, stated=size + 1))
    add("a size with a zero before", "one spelling", note.replace(b"\n8\n", b"\n08\n"))
    add("no signature", "no signed note", note[:note.index(b"\n\n") + 2])
    add("no empty line", "no signed note", note.replace(b"\n\n", b"\n"))
    add("a line that is no signature", "no signed note", note + b"signed\n")
    add("a root of 31 bytes", "a hash has 32", note.replace(b64(proof_root(book)).encode(), b64(proof_root(book)[1:]).encode()))
    add("a control character", "no signed note", note.replace(b"\n8\n", b"\n8\r\n"))
    add("no UTF-8", "no signed note", note.replace(b"log.example/bundles\n", b"log.example/bundl\xe9s\n"))
    add("nothing in the checkpoint", "no signed note", b"")
    add("the checkpoint of another ledger", "signed, of the same origin and size", foreign.book.checkpoint(size, FIRST), "inclusion")
    add("another root", "signed, and of no log", book.checkpoint(size, FIRST, root=bytes(32)), "inclusion")
    add("the root of a fork", "the empty tree's", book.checkpoint(size, FIRST, root=bytes.fromhex(sha256(b""))), "inclusion")
    flipped = bytearray(note)
    flipped[-10] ^= 1
    add("a signature that does not verify", "one bit of it", bytes(flipped), "authenticity")
    add("signed by a stranger", "under the same name", book.checkpoint(size, THIRD), "authenticity")
    t.whole("the key of another log", "nobody signed who rests on it", "authenticity", bundle, SECOND)


def proof_root(book: Book) -> bytes:
    return proofs.root(book.leaves(book.size))


# A log that somebody forges, with hashes and signatures made right again.


def forged(change, traces=(A,), lies=None, listing=listed, story=None) -> Bundle:
    """`change` is given the story below its index entry, which says what is true then, but for `lies`."""
    s = story or begun()
    change(s)
    s.book.log.entries = rechained(s.book.entries, 1)
    lies = {**(lies(s.book) if lies else {})}
    if listing is not listed:
        leaves = listing(s.book.entries, 0, s.book.size)
        lies = {"root": tree_root(leaves), "traces": len(leaves), **lies}
    s.book.index(**lies)
    return Bundle(s.book, s.book.size, traces, FIRST, listing=listing)


def with_body(seq: int, body: bytes, **fields):
    """Another body in an entry, or other fields in its header."""
    def change(s: Story) -> None:
        old = s.book.entries[seq]
        s.book.entries[seq] = log.entry_of({**old["fields"], "envelope_hash": sha256(body), **fields}, body)
    return change


def with_fields(seq: int, **fields):
    def change(s: Story) -> None:
        s.book.entries[seq] = log.entry_of({**s.book.entries[seq]["fields"], **fields}, s.book.entries[seq]["body"])
    return change


def with_header(bundle: Bundle, seq: int, header: bytes, body=None) -> Bundle:
    """Header bytes that no writer here makes: in the bundle, in its proof and under its signature."""
    book = copy.deepcopy(bundle.book)
    entry = book.entries[seq]
    book.entries[seq] = {**entry, "header": header, "leaf_hash": log.leaf_hash(header), "body": body or entry["body"]}
    bundle = copy.copy(bundle)
    bundle.book = book
    bundle.take(bundle.seqs)
    bundle.checkpoint = book.checkpoint(bundle.size, FIRST)
    return bundle


def entries(t: Table, s: Story, l: Story) -> None:
    bundle = Bundle(s.book, s.book.size, [A], FIRST)
    lines = bundle.members()[2][1].split(b"\n")

    def raw(name, why, data: bytes, step="entries"):
        members = bundle.members()
        members[2] = ("entries", data)
        t.add(name, why, step, tar(members), SMALL)

    def line(at, data: bytes) -> bytes:
        return b"\n".join(lines[:at] + [data] + lines[at + 1:])

    raw("a letter of a body", "another hash", line(7, lines[7].replace(b"allow", b"Allow")))
    raw("bodies swapped", "other hashes", b"\n".join([*lines[:5], lines[7], lines[6], lines[5], *lines[8:]]))
    raw("entries swapped", "seqs ascend", b"\n".join(lines[:4] + lines[6:8] + lines[4:6] + lines[8:]))
    raw("an entry twice", "seqs ascend", b"\n".join(lines[:6] + lines[4:]))
    raw("no entries", "no genesis", b"", "inclusion")
    raw("no last newline", "lines end", b"\n".join(lines)[:-1])
    raw("a header alone", "two lines each", b"\n".join(lines[:-2] + [b""]))
    raw("an empty line", "two lines each", b"\n".join([*lines[:4], b"", *lines[4:]]))
    raw("lines that end in two bytes", "one newline", b"\r\n".join(lines))
    raw("base64 without padding", "one spelling", line(4, lines[4].rstrip(b"=")) if lines[4].endswith(b"=") else line(0, lines[0].rstrip(b"=")))
    raw("base64 of another alphabet", "one spelling", line(4, lines[4].replace(b"+", b"-").replace(b"/", b"_")))
    raw("a space in base64", "one spelling", line(4, lines[4] + b" "))
    raw("a header too long", "4,096 bytes", line(4, b"AAAA" * 2000))
    raw("a header in which one bit changed", "it leads to another root", line(4, flipped(lines[4])), "inclusion")
    raw("a header before its follower", "the follower names another leaf", line(0, flipped(lines[0])))
    base = canon.parse(s.book.entries[4]["body"])
    body = canon.write(base)
    spaced = body.replace(b":", b": ", 1)
    t.whole("a body in another spelling", "signed, and not canonical", "entries", forged(with_body(4, spaced)))
    more = canon.write({**base, "note": "more"})
    t.whole("a body with a member more", "signed, and against its schema", "entries", forged(with_body(4, more)))
    t.whole("a number in another spelling in a body", "signed, and not canonical", "entries",
            forged(with_body(4, re.sub(rb'("ts_ms":[0-9]+)', rb"\1.0", body))))
    first = s.book.entries[2]
    twice = first["body"].replace(b'"spec_version"', b'"canon_version":"1","spec_version"')
    t.whole("a member twice in a body", "signed, and no JSON", "entries",
            with_header(bundle, 2, log.header_bytes({**first["fields"], "envelope_hash": sha256(twice)}), twice))
    t.whole("a header of another trace than its body's", "signed: it would count as evidence of that trace", "entries",
            forged(with_fields(3, trace_id=A), story=begun()))
    verdict = canon.write({"artifact_type": "producer_signature", "version": "1"})
    t.whole("an artifact as accepted evidence", "signed, and of another kind than its entry", "entries", forged(with_body(4, verdict)))
    t.whole("a newer version of an index entry", "signed, and of a version that nobody here knows", "entries",
            forged(lambda s: None, lies=lambda book: {"version": "2"}))
    unknown = forged(lambda s: s.book.put("system", {"system_type": "mark", "version": "1"}))
    unknown.take(sorted([*unknown.seqs, 7]))
    t.whole("an unknown kind of system entry", "signed, and of no schema", "entries", unknown)
    t.whole("a seq behind the end", "signed, and entry 8 of eight", "entries",
            with_header(bundle, 7, log.header_bytes({**s.book.entries[7]["fields"], "seq": 8})))
    header = first["header"]
    for name, why, other in (
        ("a header of a newer format", "of version 2", header[:1] + b"\x02" + header[2:]),
        ("a seq that is not shortest", "not deterministic", header[:2] + b"\x18\x02" + header[3:]),
        ("a header of thirteen items", "no header", b"\x8d" + header[1:] + b"\xf6"),
        ("a byte behind a header", "no header", header + b"\0"),
        ("a header nested deep", "no header", b"\x8c" + b"\x81" * 4000),
    ):
        t.whole(name, "signed, and " + why, "entries", with_header(bundle, 2, other))
    t.whole("another leaf before", "signed, and it names another leaf than that of the entry before", "entries",
            with_header(bundle, 5, log.header_bytes({**s.book.entries[5]["fields"], "previous_leaf_hash": "11" * 32})))


def flipped(line: bytes) -> bytes:
    """The last byte but one of a header is in the time."""
    data = bytearray(base64.b64decode(line))
    data[-2] ^= 1
    return b64(bytes(data)).encode()


def inclusion(t: Table, s: Story) -> None:
    bundle = Bundle(s.book, s.book.size, [A], FIRST)

    def add(name, why, hashes, **change):
        changed = copy.copy(bundle)
        changed.log_proof = hashes
        for key, value in change.items():
            setattr(changed, key, value)
        t.add(name, why, "inclusion", changed.bytes(), SMALL)

    def raw(name, why, data):
        members = bundle.members()
        members[3] = ("log.proof", data)
        t.add(name, why, "inclusion", tar(members), SMALL)

    proof = bundle.log_proof
    text = bundle.members()[3][1]
    assert len(proof) == 2
    add("a hash of the log's proof dropped", "too few", proof[:-1])
    add("a hash of the log's proof twice", "too many", [*proof, proof[-1]])
    add("hashes of the log's proof swapped", "another root", proof[::-1])
    add("a hash of the log's proof changed", "another root", [bytes(32), proof[1]])
    add("no hash of the log's proof", "too few", [])
    add("one hash too many in the log's proof", "each is used", [*proof, bytes(32)])
    raw("a hash of 31 bytes", "32 belong here", b64(proof[0][1:]).encode() + b"\n" + text[45:])
    raw("no newline behind the log's proof", "lines end", text[:-1])
    raw("an empty line behind the log's proof", "no hash", text + b"\n")
    raw("hex in place of base64", "base64 belongs here", proof[0].hex().encode() + b"\n" + text[45:])
    for at, (header, _) in enumerate(bundle.entries):
        add(f"entry {bundle.seqs[at]} dropped", "the proof is of more leaves", proof,
            entries=bundle.entries[:at] + bundle.entries[at + 1:])
    add("an entry more", "the proof is of fewer leaves", proof,
        entries=sorted(bundle.entries + [(s.book.entries[3]["header"], s.book.entries[3]["body"])],
                       key=lambda e: [x["header"] for x in s.book.entries].index(e[0])))


def genesis(t: Table, s: Story) -> None:
    def changed() -> Bundle:
        return Bundle(s.book, s.book.size, [A], FIRST)

    b = changed()
    b.take([seq for seq in b.seqs if seq])
    t.add("without genesis", "the proof fits, and nobody says which ledger it is", "genesis", b.bytes(), SMALL)
    b = changed()
    b.take(b.seqs, {0})
    b.manifest["withheld"] = [0]
    t.add("genesis withheld", "nobody says which ledger it is", "genesis", b.bytes(), SMALL)
    b = changed()
    b.manifest["ledger_id"] = "ff" * 16
    t.add("another ledger id", "genesis has another", "genesis", b.bytes(), SMALL)
    b = changed()
    b.manifest["origin"] = "log.example/other"
    b.checkpoint = s.book.checkpoint(s.book.size, FIRST, origin="log.example/other")
    t.add("another origin", "in manifest and checkpoint; genesis has another", "genesis", b.bytes(), SMALL)

"""Family `bundles`: what holds, of three small ledgers; and the ledgers, for the cases that are refused.

The reader of these files is `examples/verify_bundle.py`: `reference.bundle_reader` runs it over all of them.
"""

from __future__ import annotations

import difflib
import re

from .build import Scene, envelope_hash
from .bundles import Book, Bundle, listed, sha256, tree_root
from .cases_proofs import WITNESS, secret

ORIGIN, LEDGER_ID = "log.example/bundles", "5f0e1d2c3b4a59687786950a1b2c3d4e"
START_MS = 1767225600000
FIRST, SECOND, THIRD = (secret(f"bundles {at}", ORIGIN, "log") for at in (1, 2, 3))
PRODUCER = secret("bundles producer", "gateway.example", "producer")
A, B, C, D, E = ("1a" * 16, "3b" * 16, "5c" * 16, "7d" * 16, "9e" * 16)
BELOW, BETWEEN, ABOVE = "00" * 15 + "01", "4" * 32, "ff" * 16


class Story:
    """Appends the records of traces to a book, as small as they can be."""

    def __init__(self, seed: int, origin: str = ORIGIN, ledger_id: str = LEDGER_ID):
        self.scene, self.book = Scene(seed), Book(ledger_id, origin, START_MS)
        self.contexts, self.decisions = {}, {}

    def context(self, trace: str) -> dict:
        record = self.scene.context(trace, self.book.at_ms)
        record["grants"] = {"tool.read": True}
        self.contexts[trace] = record
        return self.book.accept(record)

    def decision(self, trace: str, result="allow", policy=None) -> dict:
        record = self.scene.decision(self.contexts[trace], self.book.at_ms, result)
        record["policy"]["policy_sha256"] = self.payload(policy or "permit(principal, action, resource);")
        self.decisions[trace] = record
        return self.book.accept(record)

    def payload(self, text: str, kept: bool = True) -> str:
        digest = sha256(text.encode())
        if kept:
            self.book.payloads[digest] = text.encode()
        return digest

    def call(self, trace: str, asked: str, answered: str, kept: bool = True) -> dict:
        record = self.scene.tool_call(self.contexts[trace], self.decisions[trace], self.book.at_ms)
        for name, text in (("request", asked), ("response", answered)):
            record[name] = {"content_type": "text/plain", "sha256": self.payload(text, kept), "size_bytes": len(text)}
        return record

    def calls(self, trace: str, asked: str, answered: str, kept: bool = True) -> dict:
        return self.book.accept(self.call(trace, asked, answered, kept))

    def verdict(self, trace: str) -> dict:
        own = [e["fields"]["envelope_hash"] for e in self.book.entries
               if e["fields"]["trace_id"] == trace and e["fields"]["kind"] == "accepted"]
        return self.book.put("artifact", {
            "generated_at": "2026-01-02T00:00:00.000Z", "input_envelope_hashes": own, "replay_type": "forensic",
            "result": "pass", "target_trace_id": trace}, trace)

    def signature(self, trace: str) -> dict:
        record = self.book.ledger.signed(PRODUCER, envelope_hash(self.contexts[trace]), trace)
        return self.book.put("artifact", record, trace)


def begun(seed: int = 0xB0B) -> Story:
    """What `small` holds below its index entry."""
    s = Story(seed)
    s.book.add_key(FIRST)
    s.context(A)
    s.context(C)
    s.decision(A)
    s.calls(A, "list", "README.md")
    s.context(D)
    return s


def small() -> Story:
    """Three traces under one index entry: genesis, a key, five records, the index entry."""
    s = begun()
    s.book.index()
    return s


def empty() -> Story:
    """Nothing but a key, and then index entries over nothing."""
    s = Story(0xE)
    s.book.add_key(FIRST)
    s.book.index()
    return s


def erased() -> Story:
    """A payload that an index entry behind it and a checkpoint came before, and then its erasure."""
    s = small()
    s.book.erase(sha256(b"README.md"), envelope_hash(s.decisions[A]))
    s.book.index()
    return s


def long() -> Story:
    """Covers of one, two and three index entries, the newest of an empty tree; rotated keys, every sort of entry, every
    state of a payload."""
    s = Story(0x10C)
    book = s.book
    book.add_key(FIRST)
    for trace in (A, B, C, D):
        s.context(trace)
    s.decision(A)
    s.calls(A, "read a secret", "the secret")
    s.calls(A, "read what is gone", "never kept", kept=False)
    s.decision(B, "deny", policy="forbid(principal, action, resource);")
    denied = s.call(B, "write", "refused")
    book.reject(denied, "UNAUTHORIZED_EXECUTION", "unauthorized.policy_denied", envelope_hash(denied))
    wrong = s.call(A, "read a secret", "another answer")
    book.reject(wrong, "HASH_MISMATCH", "hash_mismatch.envelope_hash", kept_short("0" * 200))
    s.verdict(A)
    book.add_key(SECOND, FIRST)
    book.add_key(PRODUCER, SECOND)
    s.signature(A)
    book.erase(sha256(b"the secret"), envelope_hash(s.decisions[A]))
    book.index()
    s.context(E)
    s.decision(E)
    s.calls(A, "read a secret", "nothing any more")
    book.retire_key(FIRST, SECOND)
    book.index()
    book.index()
    return s


def kept_short(text: str) -> dict:
    """A declared hash of more than 128 bytes is kept short."""
    return {"first_bytes_hex": text[:128].encode().hex(), "length": len(text), "sha256": sha256(text.encode())}


# How a file is written down.


def pieces(data: bytes) -> list:
    """Text, runs of zeros as their number, and hex where there is no text."""
    out = []
    for part in re.findall(rb"\x00{8,}|(?:(?!\x00{8}).)+", data, re.S):
        if not any(part):
            out.append(len(part))
            continue
        try:
            out.append(part.decode("utf-8"))
        except UnicodeDecodeError:
            out.append({"hex": part.hex()})
    return out


def joined(parts: list) -> bytes:
    def one(part) -> bytes:
        return bytes(part) if isinstance(part, int) else part.encode() if isinstance(part, str) else bytes.fromhex(part["hex"])
    return b"".join(map(one, parts))


def edited(old: bytes, changes: list) -> bytes:
    out, at = b"", 0
    for change in changes:
        out += old[at:change["at"]] + joined(change["insert"])
        at = change["at"] + change["remove"]
    return out + old[at:]


def edits(old: bytes, new: bytes) -> list:
    """What to take out of `old` and to put there: offsets into `old`, ascending."""
    def tokens(data: bytes) -> list:
        return re.findall(rb"\x00{8,}|[^\x00\n]*\n|[^\x00\n]+|\x00{1,7}", data)

    before, after = tokens(old), tokens(new)
    assert b"".join(before) == old and b"".join(after) == new
    places = [0]
    for token in before:
        places.append(places[-1] + len(token))
    return [
        {"at": places[i], "remove": places[j] - places[i], "insert": pieces(b"".join(after[k:m]))}
        for tag, i, j, k, m in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes() if tag != "equal"
    ]


def accepted(name: str, bundle: Bundle, key=None, why=None) -> dict:
    signers = [] if key is None else [bundle.key.short]
    return {"name": name, **({"why": why} if why else {}), "key": key and key.text, "bundle": pieces(bundle.bytes()),
            "expected": bundle.report(signers)}


def positives() -> list:
    s, e, l = small(), empty(), long()
    last, older, oldest = (max(l.book.indexes) + 1, sorted(l.book.indexes)[1] + 1, min(l.book.indexes) + 1)
    own = [entry["fields"]["seq"] for entry in l.book.entries if entry["fields"]["trace_id"] == A]
    fork = hidden()
    stolen = long()
    stolen.book.add_key(THIRD)
    stolen.book.retire_key(SECOND, THIRD)
    stolen.book.index()
    gone = erased()
    cosigned = Bundle(s.book, s.book.size, [A], FIRST, blobs=())
    cosigned.checkpoint += WITNESS.cosign(cosigned.checkpoint.decode().split("\n\n")[0] + "\n", START_MS // 1000).encode()
    out = [
        accepted("one trace", Bundle(s.book, s.book.size, [A], FIRST), FIRST),
        accepted("nobody is asked who signed", Bundle(s.book, s.book.size, [A], FIRST)),
        accepted("all traces: no hash is needed", Bundle(s.book, s.book.size, [A, C, D], FIRST), FIRST),
        accepted("no payload, not asked for", Bundle(s.book, s.book.size, [A], FIRST, blobs=()), FIRST),
        accepted("one payload of three", Bundle(s.book, s.book.size, [A], FIRST, blobs=[sha256(b"list")]), FIRST),
        accepted("below all others: there is none", Bundle(s.book, s.book.size, [BELOW], FIRST), FIRST),
        accepted("between two others: there is none", Bundle(s.book, s.book.size, [BETWEEN], FIRST), FIRST),
        accepted("above all others: there is none", Bundle(s.book, s.book.size, [ABOVE], FIRST), FIRST),
        accepted("one trace and one that there is not", Bundle(s.book, s.book.size, [B, C], FIRST), FIRST),
        accepted("an empty tree", Bundle(e.book, e.book.size, [A], FIRST), FIRST),
        accepted("a cover of one", Bundle(l.book, oldest, [A, B], SECOND), SECOND),
        accepted("a cover of two", Bundle(l.book, older, [A, E, ABOVE], SECOND, blobs=()), FIRST,
                 "the key that is given is retired, and vouched for the one that signed"),
        accepted("a cover of three, the newest empty", Bundle(l.book, last, [A, B, C, BETWEEN], SECOND), SECOND),
        accepted("only older ones list it", Bundle(l.book, last, [D], SECOND), SECOND),
        accepted("one body withheld", Bundle(l.book, last, [A], SECOND, withheld=own[2:3]), SECOND,
                 "the erasure that only it needs is not there either"),
        accepted("all bodies withheld", Bundle(l.book, last, [A], SECOND, withheld=own), SECOND),
        accepted("a payload that two records name, one withheld", Bundle(l.book, last, [A], SECOND, withheld=own[-1:]), SECOND),
        accepted("a thief adds a key that retires the right one", Bundle(stolen.book, stolen.book.size, [A], SECOND, blobs=()),
                 SECOND, "nobody who is believed retired it"),
        accepted("an index entry that leaves out the newest record is believed", fork, FIRST,
                 "a bundle rests on what was signed; whoever has the log can tell"),
    ]
    assert [len(case["expected"]["cover"]) for case in out[10:13]] == [1, 2, 3]
    out += [
        accepted("erased", Bundle(gone.book, gone.book.size, [A], FIRST), FIRST),
        accepted("erased later", Bundle(gone.book, 8, [A], FIRST), FIRST,
                 "at this size the log does not say so yet, and the ledger has the payload no more"),
        accepted("a cosigned checkpoint", cosigned, FIRST, "cosignatures travel along, and are not asked for"),
    ]
    states = [[blob["state"] for blob in case["expected"]["blobs"]] for case in out[-3:-1]]
    assert [(one.count("erased"), one.count("absent")) for one in states] == [(1, 0), (0, 1)]
    return out


def thinned(cases: list) -> list:
    """What is left of an accepted bundle when its holder takes bodies and payloads out: again the page's one file."""
    s, l = small(), long()
    last = max(l.book.indexes) + 1
    own = [entry["fields"]["seq"] for entry in l.book.entries if entry["fields"]["trace_id"] == A]
    readme, listing, answer = (sha256(text) for text in (b"README.md", b"list", b"nothing any more"))
    policy = sha256(b"permit(principal, action, resource);")
    files = {case["name"]: joined(case["bundle"]) for case in cases}
    one, three = ("one trace", s, s.book.size, [A], FIRST), (
        "a cover of three, the newest empty", l, last, [A, B, C, BETWEEN], SECOND)
    out = []
    for name, (base, story, size, traces, key), bodies, blobs in (
        ("a payload", one, [], [readme]), ("all payloads", one, [], [listing, readme, policy]),
        ("the body of a call: its payloads go with it", one, [5], []), ("the body of a context: its kind is of no entry now", one, [2], []),
        ("all bodies", one, [2, 4, 5], []), ("a body, and a payload of another", one, [5], [policy]),
        ("a refused attempt and a verdict", three, [seq for seq in own if l.book.entries[seq]["fields"]["kind"] != "accepted"], []),
        ("a body whose payload another names too", three, own[-2:], [answer]),
        ("the last body that names an erased payload: the erasure goes too", three,
         [seq for seq in own if sha256(b"the secret").encode() in l.book.entries[seq]["body"]], []),
        ("all of a trace", three, own, []),
    ):
        everything = Bundle(story.book, size, traces, key)
        assert everything.bytes() == files[base], base
        kept = set(everything.blobs) - set(blobs)
        left = Bundle(story.book, size, traces, key, blobs=kept, withheld=bodies).bytes()
        changes = edits(files[base], left)
        assert edited(files[base], changes) == left != files[base], name
        out.append({"name": name, "key": key.text, "of": base, "bodies": sorted(bodies), "blobs": sorted(blobs), "edits": changes,
                    "expected": {"sha256": sha256(left)}})
    return out


def hidden() -> Bundle:
    """The writer left out the last record of trace A: index entry, manifest and entries agree."""
    s = Story(0xF0F)
    s.book.add_key(FIRST)
    s.context(A)
    s.context(C)
    s.decision(A)

    def told(entries, low, high):
        return [leaf if leaf[0] != A else (A, 1, entries[2]["leaf_hash"]) for leaf in listed(entries, low, high)]

    s.book.index(root=tree_root(told(s.book.entries, 0, s.book.size)))
    bundle = Bundle(s.book, s.book.size, [A], FIRST, listing=told)
    last = s.book.size - 2
    bundle.take([seq for seq in bundle.seqs if seq != last])
    bundle.manifest["traces"][0]["entries"] = 1
    bundle.manifest["blobs"] = []
    bundle.manifest["schemas"] = [one for one in bundle.manifest["schemas"] if one["name"] != "policy_decision"]
    bundle.blobs = {}
    return bundle

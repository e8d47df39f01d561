"""Families `notes`, `checkpoints` and `policies`: keys, signed notes, and whom a policy believes.

Each case states its answer by hand where it is a code; the reference must agree before anything is written.
"""

from __future__ import annotations

import base64
import hashlib

from . import ed25519, note
from .note import DASH, Refused, Secret, cosigned

ORIGIN = "log.example/demo"
SEEDS = (
    bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"),
    bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"),
)
LOG = Secret(ORIGIN, "log", SEEDS[0])
W1 = Secret("witness.example/w1", "witness", SEEDS[1])
SECOND = Secret(ORIGIN, "log", bytes([3]) * 32)
OTHER = Secret("log.example/other", "log", bytes([4]) * 32)
W2 = Secret("witness.example/w2", "witness", bytes([5]) * 32)
W3 = Secret("witness.example/w3", "witness", bytes([6]) * 32)
ROOT = "tnSPbtepnefahP2X4aO6xvq4mZ9KQ2lcq5Uoot5DEUc="
EMPTY_ROOT = base64.b64encode(hashlib.sha256(b"").digest()).decode()
TEXT = f"{ORIGIN}\n5\n{ROOT}\n"
TIME_S = 1700000000
EXAMPLE = f"{TEXT}\n{LOG.sign(TEXT)}{W1.cosign(TEXT, TIME_S)}"
FOO = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
FOO_LINE = (f"{DASH} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuw"
            "HjG1Yu72IneyaQM=\n")
FOO_TEXT = "This is an example message.\n"
NEUMANN = Secret("PeterNeumann", "log", bytes.fromhex("810a1402d5146c8d84f2443330f54080ebf98ee17d9c74f6252fc5d5c7283173"))
NEUMANN_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"


def given(name: str, data: bytes) -> dict:
    """Under its name as text, or as hex where text cannot hold it."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return {name + "_hex": data.hex()}
    return {name: text}


def as_bytes(data) -> bytes:
    return data.encode() if isinstance(data, str) else data


def code_of(action, *arguments) -> str:
    try:
        action(*arguments)
    except Refused as refused:
        return refused.code
    raise AssertionError(f"not refused: {arguments}")


def self_test() -> None:
    """What others published or computed; a mistake in the reference stops here."""
    ed25519.self_test()
    assert LOG.text == "log.example/demo+6bd2f923+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea"
    assert W1.text == "witness.example/w1+04d2d833+BD1AF8PoQ4lakrcKp00bfrycmCzPLsSWjMDNVfEq9GYM"
    message = cosigned(TEXT, TIME_S)
    assert (len(message), hashlib.sha256(message).hexdigest()) == (
        95, "49507e504dafc89de02e7ce7833c533d89837a26fb42fcf2587620ba1aeb73bd")
    assert (len(EXAMPLE.encode()), hashlib.sha256(EXAMPLE.encode()).hexdigest()) == (
        307, "94ee562a66507d2f80e715e9ae00a5ced5a6c385a2febb6a6b3129613cb68c2b")
    text, lines = note.read_note(f"{FOO_TEXT}\n{FOO_LINE}".encode())
    foo = note.read_key(FOO)
    assert ed25519.verify(foo.public, text.encode(), lines[0][2]) and lines[0][:2] == (foo.name, foo.id)
    assert NEUMANN.secret_text == "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
    assert NEUMANN.text == "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


def note_case(name: str, data) -> dict:
    text, lines = note.read_note(as_bytes(data))
    signatures = [{"name": who, "id": ident.hex(), "bytes_hex": blob.hex()} for who, ident, blob in lines]
    return {"name": name, **given("input", as_bytes(data)), "expected": {"text": text, "signatures": signatures}}


def note_refusal(name: str, why: str, data, code: str) -> dict:
    found = code_of(note.read_note, as_bytes(data))
    assert found == code, (name, found, code)
    return {"name": name, "why": why, **given("input", as_bytes(data)), "expected": {"error": code}}


def note_negatives() -> list:
    good = f"{FOO_TEXT}\n{FOO_LINE}"
    blob = FOO_LINE.strip().split(" ")[2]

    def block(text: str) -> str:
        return f"{FOO_TEXT}\n{text}"

    return [
        note_refusal("nothing", "a note has a text and a block", "", "note.split"),
        note_refusal("a text alone", "no empty line", FOO_TEXT, "note.split"),
        note_refusal("text and block together", "no empty line", FOO_TEXT + FOO_LINE, "note.split"),
        note_refusal("no signature line", "the block is empty", FOO_TEXT + "\n", "note.block"),
        note_refusal("no last newline", "the block does not end in a newline", good[:-1], "note.block"),
        note_refusal("an empty line behind the block", "the last empty line leaves no block", good + "\n", "note.block"),
        note_refusal("CR LF", "a carriage return is a control character", good.replace("\n", "\r\n"), "note.control"),
        note_refusal("a tab in the text", "a tab is a control character", good.replace(" is", "\tis"), "note.control"),
        note_refusal("a NUL in the text", "NUL is a control character", good.replace("T", "\0", 1), "note.control"),
        note_refusal("a tab in the block", "the whole file has none", good.replace("foo ", "foo\t"), "note.control"),
        note_refusal("a lone byte ff", "not UTF-8", b"\xff" + good.encode(), "note.utf8"),
        note_refusal("an overlong slash", "not UTF-8", b"\xc0\xaf" + good.encode(), "note.utf8"),
        note_refusal("a hyphen for the dash", "a line begins with U+2014", block(FOO_LINE.replace(DASH, "-")), "note.line"),
        note_refusal("an en dash", "a line begins with U+2014", block(FOO_LINE.replace(DASH, "\u2013")), "note.line"),
        note_refusal("two spaces before the base64", "one space", block(FOO_LINE.replace(" Uw", "  Uw")), "note.line"),
        note_refusal("two spaces before the name", "one space", block(FOO_LINE.replace(" ex", "  ex")), "note.line"),
        note_refusal("a name and no base64", "three parts", block(f"{DASH} example.com/foo\n"), "note.line"),
        note_refusal("a blob of four bytes", "an id and at least one byte", block(f"{DASH} n AAAAAA==\n"), "note.line"),
        note_refusal("no padding", "base64 is padded", block(FOO_LINE.replace("=", "")), "note.line"),
        note_refusal("a spare bit set", "base64 has one spelling here", block(FOO_LINE.replace("QM=", "QN=")), "note.line"),
        note_refusal("two padded texts in a row", "base64 has one spelling here", block(f"{DASH} n AAAAAA==AAAA\n"),
                     "note.line"),
        note_refusal("base64 for URLs", "the standard alphabet", block(f"{DASH} n AAAAAA-_\n"), "note.line"),
        note_refusal("a name with +", "+ separates a key's parts", block(f"{DASH} a+b {blob}\n"), "note.line"),
        note_refusal("a name with U+00A0", "Unicode white space", block(f"{DASH} a\u00a0b {blob}\n"), "note.line"),
        note_refusal("a name with U+3000", "Unicode white space", block(f"{DASH} a\u3000b {blob}\n"), "note.line"),
        note_refusal("a name with U+0085", "Unicode white space", block(f"{DASH} a\u0085b {blob}\n"), "note.line"),
        note_refusal("a bad line of nobody", "one bad line refuses the note", block(FOO_LINE + "hello\n"), "note.line"),
        note_refusal("129 lines", "at most 128", block(f"{DASH} n AAAAAAA=\n" * 129), "note.too_many"),
    ]


def signing(name: str, secret: Secret, text: str) -> dict:
    return {"name": name, "secret_key": secret.secret_text, "text": text,
            "expected": {"verifier_key": secret.text, "note": f"{text}\n{secret.sign(text)}"}}


def key_refusal(name: str, why: str, text: str, code: str) -> dict:
    found = code_of(note.read_key, text)
    assert found == code, (name, found, code)
    return {"name": name, "why": why, "key": text, "expected": {"error": code}}


def made(name: str, data: bytes) -> str:
    """A key's text whose id fits whatever its bytes are."""
    ident = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
    return f"{name}+{ident.hex()}+{base64.b64encode(data).decode()}"


def key_cases() -> list:
    point = LOG.public
    good = [
        {"name": f"a key of role {role}", "key": key.text,
         "expected": {"name": key.name, "role": role, "id": key.id.hex(), "key_hex": key.public.hex()}}
        for role in note.BY_ROLE for key in [note.Key("keys.example/k", role, point)]
    ]
    order_two = (ed25519.P - 1).to_bytes(32, "little")
    return good + [
        key_refusal("the id of another name", "the id covers the name", LOG.text.replace("demo", "dema"), "key.id"),
        key_refusal("another role with the old id", "the id covers the type",
                    f"{ORIGIN}+{LOG.id.hex()}+{base64.b64encode(bytes([4]) + point).decode()}", "key.id"),
        key_refusal("upper-case hex", "hex is lower-case", LOG.text.replace("f923", "F923"), "key.form"),
        key_refusal("seven digits", "hex is eight digits", LOG.text.replace("6bd2", "bd2"), "key.form"),
        key_refusal("no second +", "three parts", LOG.text.rsplit("+", 2)[0], "key.form"),
        key_refusal("an empty name", "a name has a character", made("", b"\x01" + point), "key.name"),
        key_refusal("a name with a space", "white space", made("a b", b"\x01" + point), "key.name"),
        key_refusal("a name with U+2003", "white space", made("a\u2003b", b"\x01" + point), "key.name"),
        key_refusal("type 00", "unknown", made("n", b"\x00" + point), "key.type"),
        key_refusal("type 02", "ECDSA is not supported", made("n", b"\x02" + point), "key.type"),
        key_refusal("type 65, id made to fit", "published with the Go module",
                    "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "key.type"),
        key_refusal("type ff alone", "a private type has a longer identifier", made("n", b"\xff" + point), "key.type"),
        key_refusal("too long, id made to fit", "published with the Go module, with its spare bits cleared",
                    "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEQ==", "key.length"),
        key_refusal("too short", "32 bytes", made("n", b"\x01" + point[:-1]), "key.length"),
        key_refusal("no bytes", "32 bytes", made("n", b"\x01"), "key.length"),
        key_refusal("the neutral point", "every message verifies under it", made("n", b"\x01\x01" + bytes(31)), "key.weak"),
        key_refusal("a point of order two", "of small order", made("n", b"\x01" + order_two), "key.weak"),
        key_refusal("no point", "no x has this y", made("n", b"\x01\x02" + bytes(31)), "key.weak"),
        key_refusal("a secret key", "a public one is wanted", NEUMANN.secret_text, "key.kind"),
    ]


def policy_text(lines: str) -> bytes:
    """`{LOG}` and the like stand for keys."""
    names = {"LOG": LOG, "SECOND": SECOND, "OTHER": OTHER, "W1": W1, "W2": W2, "W3": W3}
    return lines.format(**{name: key.text for name, key in names.items()}).encode()


ALL = "log {LOG}\nwitness one {W1}\n"


def believed(name: str, policy, data: str, **more) -> dict:
    policy = policy_text(policy) if isinstance(policy, str) else policy
    answer = note.verify(note.read_policy(policy), data.encode())
    return {"name": name, **more, **given("policy", policy), "input": data, "expected": answer}


def disbelieved(name: str, why: str, policy: str, data: str, code: str) -> dict:
    policy = policy_text(policy)
    found = code_of(note.verify, note.read_policy(policy), data.encode())
    assert found == code, (name, found, code)
    return {"name": name, "why": why, **given("policy", policy), "input": data, "expected": {"error": code}}


def signed(text: str, *secrets: Secret) -> str:
    return f"{text}\n" + "".join(secret.sign(text) for secret in secrets)


def malleable(secret: Secret, text: str) -> str:
    """The same signature with the group's order added to S."""
    signature = ed25519.sign(secret.seed, text.encode())
    s = int.from_bytes(signature[32:], "little") + ed25519.ORDER
    return secret.line(signature[:32] + s.to_bytes(32, "little"))


def flipped(line: str, at: int) -> str:
    head, blob = line.strip().rsplit(" ", 1)
    data = bytearray(base64.b64decode(blob))
    data[at] ^= 1
    return f"{head} {base64.b64encode(bytes(data)).decode()}\n"


def checkpoint_cases() -> tuple:
    none = ALL + "quorum none\n"
    extended = TEXT + "one\ntwo\n"
    empty = f"{ORIGIN}\n0\n{EMPTY_ROOT}\n"
    full = f"{ORIGIN}\n{2**64 - 1}\n{ROOT}\n"
    unknown = f"{DASH} nobody.example AAAAAAA=\n"
    renamed = LOG.sign(TEXT).replace("demo", "demo2")
    positive = [
        believed("the example", none, EXAMPLE),
        believed("without the witness", none, signed(TEXT, LOG)),
        believed("lines of nobody", none, EXAMPLE + unknown + renamed),
        believed("a second key of the log, unknown", none, signed(TEXT, SECOND, LOG)),
        believed("two keys of the log", "log {LOG}\nlog {SECOND}\nquorum none\n", signed(TEXT, SECOND, LOG)),
        believed("a second line of one key, bad, is skipped", none, signed(TEXT, LOG) + flipped(LOG.sign(TEXT), 9)),
        believed("another log's key beside the log's", none + "log {OTHER}\n", signed(TEXT, OTHER, LOG)),
        believed("extension lines", none, f"{extended}\n{LOG.sign(extended)}{W1.cosign(extended, 7)}"),
        believed("an empty log", none, signed(empty, LOG)),
        believed("the largest size", none, signed(full, LOG)),
        believed("a time of 0", none, f"{TEXT}\n{LOG.sign(TEXT)}{W1.cosign(TEXT, 0)}"),
        believed("the latest time", none, f"{TEXT}\n{LOG.sign(TEXT)}{W1.cosign(TEXT, note.MAX_TIME)}"),
    ]

    def text_case(name: str, why: str, text: str, code: str) -> dict:
        return disbelieved(name, why, none, signed(text, LOG), code)

    negative = [
        disbelieved("no known key", "the log's key is not given", "witness w {W1}\nquorum none\n", EXAMPLE,
                    "checkpoint.no_log"),
        disbelieved("the name alone", "the id is another", "log {SECOND}\nquorum none\n", EXAMPLE, "checkpoint.no_log"),
        disbelieved("the id alone", "the name is another", none, f"{TEXT}\n{renamed}", "checkpoint.no_log"),
        disbelieved("another log's key", "known, and not of this origin", none + "log {OTHER}\n", signed(TEXT, OTHER),
                    "checkpoint.other_log"),
        disbelieved("this log's key under another origin", "origins are compared as they are", none,
                    signed(TEXT.replace("demo", "Demo"), LOG), "checkpoint.other_log"),
        disbelieved("a bit of the log's signature", "a bad line of a known key", none,
                    f"{TEXT}\n{flipped(LOG.sign(TEXT), 40)}", "checkpoint.signature"),
        disbelieved("a bad line beside a good one", "a bad line of a known key refuses the note",
                    "log {LOG}\nlog {SECOND}\nquorum none\n", signed(TEXT, LOG) + flipped(SECOND.sign(TEXT), 60),
                    "checkpoint.signature"),
        disbelieved("a bad witness beside the log", "a bad line of a known key refuses the note", none,
                    signed(TEXT, LOG) + flipped(W1.cosign(TEXT, TIME_S), 70), "checkpoint.signature"),
        disbelieved("another time", "the time is signed", none,
                    signed(TEXT, LOG) + flipped(W1.cosign(TEXT, TIME_S), 11), "checkpoint.signature"),
        disbelieved("a time past 2^63 - 1", "not allowed", none,
                    signed(TEXT, LOG) + W1.cosign(TEXT, note.MAX_TIME + 1), "checkpoint.signature"),
        disbelieved("a witness's plain signature", "a cosignature signs another message", none,
                    signed(TEXT, LOG) + W1.sign(TEXT), "checkpoint.signature"),
        disbelieved("an S above the order", "the same signature in another spelling", none,
                    f"{TEXT}\n{malleable(LOG, TEXT)}", "checkpoint.signature"),
        disbelieved("another size", "the text is signed", none, EXAMPLE.replace("\n5\n", "\n6\n"), "checkpoint.signature"),
        disbelieved("no note", "the form comes first", none, TEXT, "note.split"),
        text_case("two lines", "three are needed", f"{ORIGIN}\n5\n", "checkpoint.lines"),
        text_case("an empty extension line", "no line is empty", f"{TEXT}\nx\n", "checkpoint.lines"),
        text_case("an empty line at the end", "no line is empty", f"{TEXT}\n", "checkpoint.lines"),
        text_case("a leading zero", "one spelling", TEXT.replace("\n5\n", "\n05\n"), "checkpoint.size"),
        text_case("a sign", "digits only", TEXT.replace("\n5\n", "\n+5\n"), "checkpoint.size"),
        text_case("65 bits", "2^64 is too large", TEXT.replace("\n5\n", f"\n{2**64}\n"), "checkpoint.size"),
        text_case("no padding", "base64 is padded", TEXT.replace("=", ""), "checkpoint.root"),
        text_case("31 bytes", "a root has 32", f"{ORIGIN}\n5\n{base64.b64encode(bytes(31)).decode()}\n",
                  "checkpoint.root"),
        text_case("size 0 with a root", "the root of nothing is SHA-256 of nothing", TEXT.replace("\n5\n", "\n0\n"),
                  "checkpoint.empty_root"),
    ]
    cosign = [
        {"name": name, "secret_key": W1.secret_text, "policy": policy_text("log {LOG}\nquorum none\n").decode(),
         "input": signed(text, LOG), "timestamp_s": time_s,
         "expected": {"message_hex": cosigned(text, time_s).hex(), "note": signed(text, LOG) + W1.cosign(text, time_s)}}
        for name, text, time_s in (("the example", TEXT, TIME_S), ("extension lines", extended, 1), ("time 0", empty, 0),
                                   ("the latest time", full, note.MAX_TIME))
    ]
    return positive, negative, cosign


def broken(name: str, why: str, policy, code: str) -> dict:
    policy = policy_text(policy) if isinstance(policy, str) else policy
    found = code_of(note.read_policy, policy)
    assert found == code, (name, found, code)
    return {"name": name, "why": why, **given("policy", policy), "expected": {"error": code}}


def policy_cases() -> tuple:
    three = "log {LOG}\nwitness a {W1}\nwitness b {W2}\nwitness c {W3}\n"
    text = f"{TEXT}\n{LOG.sign(TEXT)}"
    one, two, both = text + W1.cosign(TEXT, 1), text + W2.cosign(TEXT, 2), text + W1.cosign(TEXT, 1) + W2.cosign(TEXT, 2)
    nested = three + "group ab all a b\ngroup g any ab c\nquorum g\n"
    latin = b"log " + LOG.text.encode() + b"\nwitness \xe9 " + W1.text.encode() + b"\nquorum \xe9\n"
    positive = [
        believed("quorum none", three + "quorum none\n", text),
        believed("spaces, tabs, comments, URLs", "# x\n\n \t\nlog\t {LOG}  https://log.example/ \n #y\nquorum none\t\n", text),
        believed("a witness", three + "quorum a\n", one),
        believed("any", three + "group g any a b c\nquorum g\n", two),
        believed("2 of 3", three + "group g 2 a b c\nquorum g\n", both),
        believed("all", three + "group g all a b\nquorum g\n", both),
        believed("groups in groups", nested, both),
        believed("a name that is no UTF-8", latin, one),
        believed("names that are words elsewhere", "log {LOG}\nwitness all {W1}\ngroup any all all\nquorum any\n", one),
        believed("lines behind the quorum", three + "quorum a\ngroup g any a\n", one),
    ]
    lacking = [
        disbelieved("no cosignature", "the quorum is a witness", three + "quorum a\n", text, "checkpoint.quorum"),
        disbelieved("another witness", "the quorum is a witness", three + "quorum a\n", two, "checkpoint.quorum"),
        disbelieved("1 of 2 of 3", "two are asked for", three + "group g 2 a b c\nquorum g\n", one, "checkpoint.quorum"),
        disbelieved("one witness twice", "a witness counts once", three + "group g 2 a b c\nquorum g\n",
                    one + W1.cosign(TEXT, 9), "checkpoint.quorum"),
        disbelieved("groups in groups", "the inner group lacks one", nested, one, "checkpoint.quorum"),
    ]
    w = "witness w {W1}\n"
    again = Secret("elsewhere.example", "log", SEEDS[0]).text
    negative = lacking + [
        broken("an empty file", "no quorum", "", "policy.no_quorum"),
        broken("no quorum", "exactly one", w, "policy.no_quorum"),
        broken("two quorums", "exactly one", "quorum none\nquorum none\n", "policy.second_quorum"),
        broken("no newline at the end", "lines end in one", "quorum none", "policy.unfinished"),
        broken("CR LF", "a carriage return is not allowed", "quorum none\r\n", "policy.octet"),
        broken("DEL in a comment", "comments too", "# \x7f\nquorum none\n", "policy.octet"),
        broken("a vertical tab", "only space and tab separate", "quorum\x0bnone\n", "policy.octet"),
        broken("an unknown word", "four words", "logs {LOG}\n", "policy.keyword"),
        broken("a word in capitals", "four words", "Quorum none\n", "policy.keyword"),
        broken("a comment behind a line", "a line is a comment by its first item", "quorum none #\n", "policy.items"),
        broken("a log without a key", "one or two items", "log\n", "policy.items"),
        broken("a witness without a key", "two or three items", "witness w\n", "policy.items"),
        broken("a group without members", "n is at least 1", "group g any\n", "policy.items"),
        broken("a quorum of two", "one item", w + "quorum w w\n", "policy.items"),
        broken("a quorum defined later", "earlier lines only", "quorum w\n" + w, "policy.undefined"),
        broken("a member defined later", "earlier lines only", "group g any w\n" + w, "policy.undefined"),
        broken("a group in itself", "earlier lines only", "group g any g\n", "policy.undefined"),
        broken("none as a member", "legal only after quorum", w + "group g any none\n", "policy.undefined"),
        broken("a log as quorum", "logs have no names here", "log {LOG}\nquorum log.example/demo\n", "policy.undefined"),
        broken("none defined", "it is predefined", "witness none {W1}\n", "policy.name_taken"),
        broken("a name twice", "one name space", w + "witness w {W2}\n", "policy.name_taken"),
        broken("a group named as a witness", "one name space", w + "group w any w\n", "policy.name_taken"),
        broken("a member twice in a group", "once in the file", w + "group g any w w\n", "policy.member_twice"),
        broken("a member of two groups", "once in the file", w + "group g any w\ngroup h any w\n", "policy.member_twice"),
        broken("0 of 1", "k is at least 1", w + "group g 0 w\n", "policy.threshold"),
        broken("2 of 1", "k is at most n", w + "group g 2 w\n", "policy.threshold"),
        broken("a k with a sign", "digits only", w + "group g +1 w\n", "policy.threshold"),
        broken("a k that is no number", "digits, any or all", w + "group g most w\n", "policy.threshold"),
        broken("a log twice", "one line for each public key", "log {LOG}\nlog {LOG}\n", "policy.same_key"),
        broken("a log's key under another name", "one line for each public key", "log {LOG}\nlog " + again + "\n",
               "policy.same_key"),
        broken("a witness twice", "one line for each public key", w + "witness v {W1}\n", "policy.same_key"),
        broken("a witness's key as a log", "the type suits the role", "log {W1}\n", "policy.role"),
        broken("a log's key as a witness", "the type suits the role", "witness w {LOG}\n", "policy.role"),
        broken("a key of an unknown type", "a fault of the configuration",
               "log PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\n", "key.type"),
        broken("a key copied wrong", "the id does not fit", "log " + LOG.text.replace("demo", "dema") + "\n", "key.id"),
    ]
    return positive, negative


def files() -> dict:
    self_test()
    dash_text = f"a\n\n{FOO_LINE}"
    notes = [
        note_case("published with C2SP signed-note", f"{FOO_TEXT}\n{FOO_LINE}"),
        note_case("a text that looks like a note", f"{dash_text}\n{FOO_LINE}"),
        note_case("the shortest text", f"\n\n{FOO_LINE}"),
        note_case("a text that ends in an empty line", f"a\n\n\n{FOO_LINE}"),
        note_case("DEL and C1", f"\x7f\u0080\u0085\u009f\n\n{FOO_LINE}"),
        note_case("a name of 300 characters", f"a\n\n{DASH} {'n' * 300} AAAAAAA=\n"),
        note_case("the example checkpoint", EXAMPLE),
        note_case("100 lines", "a\n\n" + "".join(f"{DASH} n{at} AAAAAAA=\n" for at in range(100))),
    ]
    signings = [
        signing("published with the Go module", NEUMANN, NEUMANN_TEXT),
        signing("the example checkpoint", LOG, TEXT),
        signing("the shortest text", LOG, "\n"),
        signing("a text with empty lines", LOG, "a\n\n\u2014 b AAAAAAA=\n\n"),
    ]
    positive, negative, cosign = checkpoint_cases()
    policies, broken_policies = policy_cases()
    return {
        "notes/positive.json": ("notes", "Signed notes in their parts.", notes),
        "notes/negative.json": ("notes", "Bytes that are no signed note.", note_negatives()),
        "notes/sign.json": ("notes", "Texts signed by a key, byte for byte.", signings),
        "notes/keys.json": ("notes", "Public keys, and texts that are none.", key_cases()),
        "checkpoints/positive.json": ("checkpoints", "Notes that a policy believes.", positive),
        "checkpoints/negative.json": ("checkpoints", "Notes that it does not believe.", negative),
        "checkpoints/cosign.json": ("checkpoints", "Cosignatures by an Ed25519 witness, byte for byte.", cosign),
        "policies/positive.json": ("policies", "Policies, and a note that each believes.", policies),
        "policies/negative.json": ("policies", "Files that are no policy, and quorums that are not reached.",
                                   broken_policies),
    }

"""Family `sealed`: payloads under a subject's key. Each negative case states its code by hand; the reference must agree."""

from __future__ import annotations

import hashlib

from . import sealed, xchacha
from .note import Refused

ONE = bytes(range(32))
TWO = bytes(range(32, 64))
KEYS = (ONE, TWO, bytes(32), b"\xff" * 32)
FULL = sealed.CHUNK + sealed.TAG


def pattern(size: int) -> bytes:
    """Bytes that differ from chunk to chunk: each is its place modulo 251."""
    return bytes(at % 251 for at in range(size))


def positive() -> list:
    cases = []
    contents = (
        ("nothing", b""), ("one byte", b"\0"), ("a word", b"Ines Moreau"), ("the same word", b"Ines Moreau"),
        ("a JSON document", b'{"born":"1980-02-29","name":"Ines Moreau"}'),
    )
    for at, (name, content) in enumerate(contents):
        cases.append(whole(name, KEYS[0 if at == 3 else at % 4], content))
    cases.append(whole("a word under another key", TWO, b"Ines Moreau"))
    for name, size in (
        ("one chunk but one byte", sealed.CHUNK - 33), ("exactly one chunk", sealed.CHUNK - 32),
        ("a last chunk of one byte", sealed.CHUNK - 31), ("exactly two chunks", 2 * sealed.CHUNK - 32),
        ("three chunks", 2 * sealed.CHUNK + 1000),
    ):
        data = sealed.seal(ONE, pattern(size))
        expected = {**told(ONE, data), "sealed_bytes": len(data)}
        cases.append({"name": name, "key_hex": ONE.hex(), "content_bytes": size, "expected": expected})
    return cases


def whole(name: str, key: bytes, content: bytes) -> dict:
    data = sealed.seal(key, content)
    assert sealed.unseal(key, data) == content
    expected = {**told(key, data), "sealed_hex": data.hex()}
    return {"name": name, "key_hex": key.hex(), "content_hex": content.hex(), "expected": expected}


def told(key: bytes, data: bytes) -> dict:
    return {"key_id": sealed.key_id(key).hex(), "nonce_hex": data[44:63].hex(), "sha256": hashlib.sha256(data).hexdigest()}


def flipped(data: bytes, at: int, bit: int = 1) -> bytes:
    return data[:at] + bytes([data[at] ^ bit]) + data[at + 1:]


def small() -> list:
    """Payloads of one chunk: name, why, code, bytes, and the key that is to open them."""
    content = b"Ines Moreau"
    data = sealed.seal(ONE, content)
    identity, nonce = sealed.key_id(ONE), sealed.nonce_of(ONE, content)
    head, message = data[:64], hashlib.sha256(content).digest() + content
    other_nonce = sealed.nonce_of(ONE, b"another")
    twice = sealed.of_two_keys(ONE, TWO, nonce, 6)
    rows = [
        ("nothing at all", "no header", "sealed.not_sealed", b""),
        ("plain text", "it was never sealed", "sealed.not_sealed", b"Ines Moreau, born 1980-02-29" * 4),
        ("half a header", "cut within the header", "sealed.not_sealed", data[:40]),
        ("a header but one byte", "cut within the header", "sealed.not_sealed", data[:63]),
        ("another magic", "a segment's", "sealed.not_sealed", b"PROOFSEG" + data[8:]),
        ("version 0", "no such version", "sealed.version", data[:8] + bytes(4) + data[12:]),
        ("version 2", "a newer program made it", "sealed.version", data[:8] + b"\2\0\0\0" + data[12:]),
        ("version 2 of another length", "a newer header may be shorter", "sealed.version", data[:8] + b"\2\0\0\0"),
        ("the reserved byte", "it is not zero", "sealed.header", flipped(data, 63)),
        ("the reserved byte, authentic", "it is not zero, although the tag is right", "sealed.header",
         sealed.seal_message(ONE, sealed.header(identity, nonce, reserved=1), message)),
        ("a header alone", "no chunk", "sealed.damaged", head),
        ("less than a tag", "cut within the tag", "sealed.damaged", data[:79]),
        ("a tag alone", "a chunk without a message", "sealed.damaged", head + data[-16:]),
        ("an empty chunk, authentic", "a chunk without a message", "sealed.damaged",
         head + sealed.seal_chunk(ONE, head, 0, True, b"")),
        ("cut at the end", "a byte too few", "sealed.damaged", data[:-1]),
        ("one byte more", "something follows", "sealed.damaged", data + b"\0"),
        ("twice in a row", "something follows", "sealed.damaged", data + data),
        ("its chunk twice", "something follows", "sealed.damaged", data + data[64:]),
        ("a changed nonce", "the header is authenticated", "sealed.damaged", flipped(data, 50)),
        ("a changed ciphertext", "it is authenticated", "sealed.damaged", flipped(data, 70)),
        ("a changed tag", "it is not the tag", "sealed.damaged", flipped(data, len(data) - 1, 0x80)),
        ("not marked as the last", "the payload could go on", "sealed.damaged",
         head + sealed.seal_chunk(ONE, head, 0, False, message)),
        ("counted from one", "its first chunk is missing", "sealed.damaged",
         head + sealed.seal_chunk(ONE, head, 1, True, message)),
        ("less than a hash, authentic", "31 bytes of message", "sealed.content", sealed.seal_message(ONE, head, message[:31])),
        ("the hash of other content, authentic", "made by a program that lies", "sealed.content",
         sealed.seal_message(ONE, head, hashlib.sha256(b"another").digest() + content)),
        ("a nonce of other content, authentic", "made by a program that chose its nonce", "sealed.content",
         sealed.seal_message(ONE, sealed.header(identity, other_nonce), message)),
        ("a changed key id", "it commits to no key that is at hand", "sealed.wrong_key", flipped(data, 12)),
        ("the key id of another, authentic", "encrypted under this key, committed to another", "sealed.wrong_key",
         sealed.seal_message(ONE, sealed.header(sealed.key_id(TWO), nonce), message)),
        ("of two keys", "authentic under this key, but solved for and not written", "sealed.content", twice),
    ]
    rows = [(*row, ONE) for row in rows]
    rows.append(("under another key", "it is sealed under the key of another subject", "sealed.wrong_key", data, TWO))
    rows.append(("of two keys, by the second", "authentic under this key as well; the commitment refuses it", "sealed.wrong_key",
                 twice, TWO))
    return rows


def large() -> list:
    """Payloads made of pieces of the one with three chunks: name, why, pieces."""
    first, second, third = (64, 64 + FULL), (64 + FULL, 64 + 2 * FULL), (64 + 2 * FULL, 64 + 2 * FULL + 1048)
    head = (0, 64)
    return [
        ("without its last chunk", "cut between chunks", [head, first, second]),
        ("its first chunk alone", "cut between chunks", [head, first]),
        ("without its first chunk", "the second stands first", [head, second, third]),
        ("without its second chunk", "the third stands second", [head, first, third]),
        ("chunks in another order", "the second stands first", [head, second, first, third]),
        ("a chunk twice", "the second follows itself", [head, first, second, second, third]),
        ("its last chunk twice", "it goes on behind the last", [head, first, second, third, third]),
        ("cut within its last chunk", "a byte too few", [(0, 64 + 2 * FULL + 1047)]),
        ("a byte of its first chunk missing", "all that follows is out of place", [(0, 100), (101, 64 + 2 * FULL + 1048)]),
    ]


def negative() -> list:
    cases = []
    for name, why, code, data, key in small():
        check(code, key, data)
        cases.append({"name": name, "why": why, "key_hex": key.hex(), "sealed_hex": data.hex(), "expected": {"error": code}})
    size = 2 * sealed.CHUNK + 1000
    data = sealed.seal(ONE, pattern(size))
    for name, why, pieces in large():
        check("sealed.damaged", ONE, b"".join(data[start:end] for start, end in pieces))
        cases.append({"name": name, "why": why, "key_hex": ONE.hex(), "content_bytes": size, "pieces": pieces,
                      "expected": {"error": "sealed.damaged"}})
    return cases


def check(code: str, key: bytes, data: bytes) -> None:
    try:
        sealed.unseal(key, data)
    except Refused as refused:
        assert refused.code == code, (code, refused.code)
        return
    raise AssertionError(f"opened, and not {code}")


def files() -> dict:
    xchacha.self_test()
    return {
        "sealed/positive.json": ("sealed", "Content sealed under a subject's key; content_bytes: that many bytes, each its place "
                                 "modulo 251.", positive()),
        "sealed/negative.json": ("sealed", "Payloads that are not opened; pieces: parts, from and up to, of the payload that "
                                 "content_bytes gives.", negative()),
    }

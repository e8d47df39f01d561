"""Sealed payloads, from docs/sealed.md: seal, open, and payloads that nobody should have made."""

from __future__ import annotations

import hashlib
import struct

from . import xchacha
from .note import Refused

MAGIC = b"PROOFSLD"
CHUNK = 65536
TAG = 16


def subkey(master: bytes, use: str) -> bytes:
    return xchacha.hkdf_expand(xchacha.hkdf_extract(b"", master), f"proofline/sealed/v1 {use}".encode(), 32)


def key_id(master: bytes) -> bytes:
    return subkey(master, "key id")


def nonce_of(master: bytes, content: bytes) -> bytes:
    return xchacha.hkdf_expand(subkey(master, "nonce"), hashlib.sha256(content).digest(), 19)


def header(identity: bytes, nonce: bytes, version: int = 1, reserved: int = 0) -> bytes:
    return MAGIC + struct.pack("<I", version) + identity + nonce + bytes([reserved])


def chunk_nonce(head: bytes, number: int, is_last: bool) -> bytes:
    return head[44:63] + struct.pack(">I", number) + bytes([is_last])


def seal_chunk(master: bytes, head: bytes, number: int, is_last: bool, message: bytes) -> bytes:
    return xchacha.seal(subkey(master, "encryption"), chunk_nonce(head, number, is_last), head, message)


def seal_message(master: bytes, head: bytes, message: bytes) -> bytes:
    parts = [message[at:at + CHUNK] for at in range(0, len(message), CHUNK)]
    sealed = (seal_chunk(master, head, at, at == len(parts) - 1, part) for at, part in enumerate(parts))
    return head + b"".join(sealed)


def seal(master: bytes, content: bytes) -> bytes:
    head = header(key_id(master), nonce_of(master, content))
    return seal_message(master, head, hashlib.sha256(content).digest() + content)


def head_of(data: bytes) -> bytes:
    """The header, if it is one; a version that is not known says nothing of what follows it."""
    head = data[:64]
    if head[:8] != MAGIC or len(head) < 12:
        raise Refused("sealed.not_sealed")
    if head[8:12] != struct.pack("<I", 1):
        raise Refused("sealed.version")
    if len(head) < 64:
        raise Refused("sealed.not_sealed")
    if head[63]:
        raise Refused("sealed.header")
    return head


def unseal(master: bytes, data: bytes) -> bytes:
    head = head_of(data)
    if head[12:44] != key_id(master):
        raise Refused("sealed.wrong_key")
    parts = [data[at:at + CHUNK + TAG] for at in range(64, len(data), CHUNK + TAG)] or [b""]
    message = b""
    for number, part in enumerate(parts):
        nonce = chunk_nonce(head, number, number == len(parts) - 1)
        opened = xchacha.unseal(subkey(master, "encryption"), nonce, head, part)
        if not opened:
            raise Refused("sealed.damaged")
        message += opened
        if len(message) < 32:
            raise Refused("sealed.content")
    content = message[32:]
    if hashlib.sha256(content).digest() != message[:32] or nonce_of(master, content) != head[44:63]:
        raise Refused("sealed.content")
    return content


def of_two_keys(one: bytes, two: bytes, nonce: bytes, blocks: int) -> bytes:
    """A payload whose only chunk is authentic under both keys, as XChaCha20-Poly1305 allows whoever knows both: the
    tag is a polynomial of the ciphertext, so two of its blocks can be solved for. The header commits to the first."""
    head = header(key_id(one), nonce)
    keys = [xchacha.derived(subkey(key, "encryption"), chunk_nonce(head, 0, True)) for key in (one, two)]
    numbers = [xchacha.one_time_key(*key) for key in keys]
    fixed = xchacha.stream(*keys[0], blocks * 16)
    for attempt in range(10_000):
        tag = int.from_bytes(hashlib.sha256(bytes([attempt % 256, attempt // 256])).digest()[:16], "little")
        # The two blocks that are solved for are the last; behind them comes the block of lengths.
        around = xchacha.authenticated(head, fixed)
        rows = []
        for r, s in numbers:
            total = 0
            chunks = [around[at:at + 16] for at in range(0, len(around), 16)]
            for at, piece in enumerate(chunks):
                is_free = at in (len(chunks) - 2, len(chunks) - 3)
                total = (total + (0 if is_free else int.from_bytes(piece + b"\1", "little"))) * r % xchacha.PRIME
            rows.append((pow(r, 3, xchacha.PRIME), pow(r, 2, xchacha.PRIME), (tag - s) % 2**128 - total))
        (a, b, e), (c, d, f) = rows
        inverse = pow(a * d - b * c, -1, xchacha.PRIME)
        x, y = (e * d - b * f) * inverse % xchacha.PRIME, (a * f - e * c) * inverse % xchacha.PRIME
        if x >> 128 == 1 and y >> 128 == 1:
            free = b"".join((number - 2**128).to_bytes(16, "little") for number in (x, y))
            sealed = fixed[:-32] + free + tag.to_bytes(16, "little")
            for key in (one, two):
                opened = xchacha.unseal(subkey(key, "encryption"), chunk_nonce(head, 0, True), head, sealed)
                assert opened is not None
            return head + sealed
    raise AssertionError("no tag has a solution")

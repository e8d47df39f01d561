"""XChaCha20-Poly1305 as RFC 8439 and draft-irtf-cfrg-xchacha-03 write it, and HKDF-SHA-256 (RFC 5869): slow, and not
for secrets."""

from __future__ import annotations

import hashlib
import hmac
import struct

PRIME = 2**130 - 5
MASK = 2**32 - 1
CONSTANTS = struct.unpack("<4I", b"expand 32-byte k")
ROUNDS = (
    (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
)


def mixed(state) -> list:
    """Twenty rounds (RFC 8439 section 2.3), without the addition at their end."""
    x = list(state)
    for _ in range(10):
        for a, b, c, d in ROUNDS:
            for one, two, three, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                x[one] = (x[one] + x[two]) & MASK
                turned = x[three] ^ x[one]
                x[three] = (turned << by | turned >> (32 - by)) & MASK
    return x


def block(key: bytes, counter: int, nonce: bytes) -> bytes:
    state = (*CONSTANTS, *struct.unpack("<8I", key), counter, *struct.unpack("<3I", nonce))
    return struct.pack("<16I", *((a + b) & MASK for a, b in zip(mixed(state), state)))


def hchacha20(key: bytes, nonce: bytes) -> bytes:
    x = mixed((*CONSTANTS, *struct.unpack("<8I", key), *struct.unpack("<4I", nonce)))
    return struct.pack("<8I", *x[:4], *x[12:])


def stream(key: bytes, nonce: bytes, length: int) -> bytes:
    return b"".join(block(key, 1 + at, nonce) for at in range((length + 63) // 64))[:length]


def xor(one: bytes, two: bytes) -> bytes:
    return (int.from_bytes(one, "big") ^ int.from_bytes(two, "big")).to_bytes(len(one), "big")


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 16)


def authenticated(aad: bytes, ciphertext: bytes) -> bytes:
    """What Poly1305 is computed over (RFC 8439 section 2.8)."""
    return padded(aad) + padded(ciphertext) + struct.pack("<QQ", len(aad), len(ciphertext))


def one_time_key(key: bytes, nonce: bytes):
    """The numbers r and s of Poly1305."""
    start = block(key, 0, nonce)
    r = int.from_bytes(start[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    return r, int.from_bytes(start[16:32], "little")


def poly1305(r: int, s: int, message: bytes) -> bytes:
    total = 0
    for at in range(0, len(message), 16):
        total = (total + int.from_bytes(message[at:at + 16] + b"\1", "little")) * r % PRIME
    return ((total + s) % 2**128).to_bytes(16, "little")


def derived(key: bytes, nonce: bytes):
    """The key and nonce of ChaCha20 that XChaCha20 uses."""
    return hchacha20(key, nonce[:16]), bytes(4) + nonce[16:]


def seal_chacha(key: bytes, nonce: bytes, aad: bytes, message: bytes) -> bytes:
    ciphertext = xor(message, stream(key, nonce, len(message)))
    return ciphertext + poly1305(*one_time_key(key, nonce), authenticated(aad, ciphertext))


def seal(key: bytes, nonce: bytes, aad: bytes, message: bytes) -> bytes:
    """The ciphertext, and the tag behind it."""
    return seal_chacha(*derived(key, nonce), aad, message)


def unseal(key: bytes, nonce: bytes, aad: bytes, data: bytes):
    """The message, None when the tag is not right."""
    key, nonce = derived(key, nonce)
    ciphertext, tag = data[:-16], data[-16:]
    if len(data) < 16 or poly1305(*one_time_key(key, nonce), authenticated(aad, ciphertext)) != tag:
        return None
    return xor(ciphertext, stream(key, nonce, len(ciphertext)))


def hkdf_extract(salt: bytes, secret: bytes) -> bytes:
    return hmac.new(salt or bytes(32), secret, hashlib.sha256).digest()


def hkdf_expand(key: bytes, info: bytes, length: int) -> bytes:
    out = last = b""
    for number in range(1, 256):
        if len(out) >= length:
            break
        last = hmac.new(key, last + info + bytes([number]), hashlib.sha256).digest()
        out += last
    return out[:length]


def self_test() -> None:
    """RFC 8439 sections 2.3.2, 2.5.2 and 2.8.2, draft-irtf-cfrg-xchacha-03 section 2.2.1 and appendix A.3.1, RFC 5869
    appendixes A.1 and A.3."""
    counted = bytes(range(32))
    assert block(counted, 1, bytes.fromhex("000000090000004a00000000")).hex().startswith(
        "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e")
    assert hchacha20(counted, bytes.fromhex("000000090000004a0000000031415927")).hex() == (
        "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc")
    r = int.from_bytes(bytes.fromhex("85d6be7857556d337f4452fe42d506a8"), "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    s = int.from_bytes(bytes.fromhex("0103808afb0db2fd4abff6af4149f51b"), "little")
    assert poly1305(r, s, b"Cryptographic Forum Research Group").hex() == "a8061dc1305136c6c22b8baf0c0127a9"
    text = (b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen "
            b"would be it.")
    key, aad = bytes(range(0x80, 0xA0)), bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    sealed = seal_chacha(key, bytes.fromhex("070000004041424344454647"), aad, text).hex()
    assert sealed.startswith("d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6")
    assert sealed.endswith("1ae10b594f09e26a7e902ecbd0600691")
    nonce = bytes(range(0x40, 0x58))
    sealed = seal(key, nonce, aad, text)
    assert sealed.hex().startswith("bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb")
    assert sealed.hex().endswith("c0875924c1c7987947deafd8780acf49")
    assert unseal(key, nonce, aad, sealed) == text and unseal(key, nonce, aad + b"x", sealed) is None
    assert hkdf_expand(hkdf_extract(bytes(range(13)), b"\x0b" * 22), bytes(range(0xF0, 0xFA)), 42).hex() == (
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")
    assert hkdf_expand(hkdf_extract(b"", b"\x0b" * 22), b"", 42).hex() == (
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8")

"""Ed25519 as RFC 8032 section 5.1 writes it, for small tables of cases: slow, and not for secrets."""

from __future__ import annotations

import hashlib

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
NEUTRAL = (0, 1, 1, 0)


def add(p, q):
    """The sum of two points in extended coordinates (section 5.1.4)."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number: int, p):
    out = NEUTRAL
    while number:
        if number & 1:
            out = add(out, p)
        p = add(p, p)
        number >>= 1
    return out


def same(p, q) -> bool:
    return (p[0] * q[2] - q[0] * p[2]) % P == 0 and (p[1] * q[2] - q[1] * p[2]) % P == 0


def decode(data: bytes):
    """The point of 32 bytes (section 5.1.3), None where there is none."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - x2) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def encode(p) -> bytes:
    inverse = pow(p[2], -1, P)
    x, y = p[0] * inverse % P, p[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def is_small(p) -> bool:
    """True for the eight points whose order divides the cofactor."""
    return same(times(8, p), NEUTRAL)


BASE = decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def number_of(*parts: bytes) -> int:
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


def expand(seed: bytes):
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little")
    return scalar & (2**254 - 8) | 2**254, digest[32:]


def public_key(seed: bytes) -> bytes:
    return encode(times(expand(seed)[0], BASE))


def sign(seed: bytes, message: bytes) -> bytes:
    scalar, prefix = expand(seed)
    public = encode(times(scalar, BASE))
    r = number_of(prefix, message) % ORDER
    point = encode(times(r, BASE))
    s = (r + number_of(point, public, message) * scalar) % ORDER
    return point + s.to_bytes(32, "little")


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Strictly: no key and no R of small order, S below the group's order, no cofactor in the equation."""
    key, point = decode(public), decode(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or key is None or point is None or s >= ORDER or is_small(key) or is_small(point):
        return False
    k = number_of(signature[:32], public, message) % ORDER
    return same(times(s, BASE), add(point, times(k, key)))


def self_test() -> None:
    """RFC 8032 section 7.1, tests 1 to 3."""
    for seed, public, message, start in (
        ("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "", "e5564300c360ac72"),
        ("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72", "92a009a9f0d4cab8"),
        ("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
         "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82", "6291d657deec2402"),
    ):
        seed, message = bytes.fromhex(seed), bytes.fromhex(message)
        signature = sign(seed, message)
        assert public_key(seed).hex() == public and signature.hex().startswith(start)
        assert verify(public_key(seed), message, signature) and not verify(public_key(seed), b"x", signature)

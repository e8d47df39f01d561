"""Bytes: strict JSON in, RFC 8785 out, SHA-256 and CIDs.

Numbers stay the literal that was read; what a literal may be is the profile's business,
not the parser's. The parser reports the first fault in text order.
"""

from __future__ import annotations

import base64
import hashlib
import re
import sys

ENVELOPE_MAX_BYTES = 1 << 20
ENVELOPE_MAX_DEPTH = 64
CONTENT_MAX_BYTES = 64 << 20
CONTENT_MAX_DEPTH = 128
SAFE_INTEGER = (1 << 53) - 1

# The parser recurses once or twice a level; callers may ask for 512 levels.
sys.setrecursionlimit(max(sys.getrecursionlimit(), 8000))

_SPACE = b" \t\n\r"
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_SIMPLE_ESCAPES = {
    0x22: '"', 0x5C: "\\", 0x2F: "/", 0x62: "\b", 0x66: "\f", 0x6E: "\n", 0x72: "\r", 0x74: "\t",
}


class Fault(Exception):
    """Bytes that are not one strict JSON value: what is wrong first, and where."""

    def __init__(self, kind: str, offset: int):
        super().__init__(f"{kind} at byte {offset}")
        self.kind = kind
        self.offset = offset


class WriteFault(Exception):
    """A value that a profile cannot write: stable code and JSON Pointer."""

    def __init__(self, code: str, pointer: str):
        super().__init__(f"{code} at {pointer!r}")
        self.code = code
        self.pointer = pointer


class Number:
    """A JSON number as it was spelled."""

    __slots__ = ("literal",)

    def __init__(self, literal: str):
        self.literal = literal

    def integer(self):
        """An int of magnitude up to 2^53-1, or 'too_large', 'too_small', 'not_an_integer'."""
        if not re.fullmatch(r"-?[0-9]+", self.literal) or self.literal == "-0":
            return "not_an_integer"
        negative = self.literal.startswith("-")
        # The length decides first: converting a million digits proves nothing more.
        if len(self.literal.lstrip("-")) > 16 or abs(int(self.literal)) > SAFE_INTEGER:
            return "too_small" if negative else "too_large"
        return int(self.literal)


def parse(data: bytes, max_bytes: int = ENVELOPE_MAX_BYTES, max_depth: int = ENVELOPE_MAX_DEPTH):
    """One strict JSON value: None, bool, Number, str, list or dict; else `Fault`."""
    if len(data) > max_bytes:
        raise Fault("too_large", max_bytes)
    if data.startswith(b"\xef\xbb\xbf"):
        raise Fault("bom", 0)
    reader = _Reader(data, max_depth)
    value, at = reader.value(reader.skip(0), 0)
    at = reader.skip(at)
    if at < len(data):
        raise Fault(_stray(data, at, "trailing_data"), at)
    return value


def _stray(data: bytes, at: int, kind: str) -> str:
    """A byte out of place that does not even begin a UTF-8 character is an encoding fault."""
    return kind if _utf8_length(data, at) else "invalid_utf8"


def _utf8_length(data: bytes, at: int) -> int:
    """Bytes of the well-formed UTF-8 character at `at`, or 0 where there is none."""
    for length in (1, 2, 3, 4):
        try:
            data[at:at + length].decode("utf-8")
        except UnicodeDecodeError:
            continue
        return length
    return 0


class _Reader:
    def __init__(self, data: bytes, max_depth: int):
        self.data = data
        self.max_depth = max_depth

    def skip(self, at: int) -> int:
        while at < len(self.data) and self.data[at] in _SPACE:
            at += 1
        return at

    def byte(self, at: int) -> int:
        if at >= len(self.data):
            raise Fault("unexpected_end", len(self.data))
        return self.data[at]

    def unexpected(self, at: int) -> Fault:
        if at >= len(self.data):
            return Fault("unexpected_end", len(self.data))
        return Fault(_stray(self.data, at, "unexpected_byte"), at)

    def value(self, at: int, depth: int):
        first = self.byte(at)
        if first == 0x7B:
            return self.object(at, depth + 1)
        if first == 0x5B:
            return self.array(at, depth + 1)
        if first == 0x22:
            return self.string(at)
        if first == 0x2D or 0x30 <= first <= 0x39:
            return self.number(at)
        for word, meaning in ((b"true", True), (b"false", False), (b"null", None)):
            if first == word[0]:
                return meaning, self.word(at, word)
        raise self.unexpected(at)

    def word(self, at: int, word: bytes) -> int:
        for index, expected in enumerate(word):
            if self.byte(at + index) != expected:
                raise self.unexpected(at + index)
        return at + len(word)

    def number(self, at: int):
        found = _NUMBER.match(self.data, at)
        if found is None:
            raise Fault("bad_number", at)
        end = found.end()
        if end < len(self.data) and self.data[end] in b"0123456789.eE+-":
            raise Fault("bad_number", at)
        return Number(found.group().decode("ascii")), end

    def open(self, at: int, depth: int) -> int:
        if depth > self.max_depth:
            raise Fault("too_deep", at)
        return self.skip(at + 1)

    def array(self, at: int, depth: int):
        at = self.open(at, depth)
        items = []
        if self.byte(at) == 0x5D:
            return items, at + 1
        while True:
            item, at = self.value(at, depth)
            items.append(item)
            at = self.skip(at)
            mark = self.byte(at)
            if mark == 0x5D:
                return items, at + 1
            if mark != 0x2C:
                raise self.unexpected(at)
            at = self.skip(at + 1)

    def object(self, at: int, depth: int):
        at = self.open(at, depth)
        members = {}
        if self.byte(at) == 0x7D:
            return members, at + 1
        while True:
            if self.byte(at) != 0x22:
                raise self.unexpected(at)
            start = at
            name, at = self.string(at)
            if name in members:
                raise Fault("duplicate_member", start)
            at = self.skip(at)
            if self.byte(at) != 0x3A:
                raise self.unexpected(at)
            members[name], at = self.value(self.skip(at + 1), depth)
            at = self.skip(at)
            mark = self.byte(at)
            if mark == 0x7D:
                return members, at + 1
            if mark != 0x2C:
                raise self.unexpected(at)
            at = self.skip(at + 1)

    def string(self, at: int):
        at += 1
        out = []
        while True:
            byte = self.byte(at)
            if byte == 0x22:
                return "".join(out), at + 1
            if byte == 0x5C:
                text, at = self.escape(at)
                out.append(text)
            elif byte < 0x20:
                raise Fault("control_character", at)
            else:
                length = 1 if byte < 0x80 else _utf8_length(self.data, at)
                if length == 0:
                    raise Fault("invalid_utf8", at)
                out.append(self.data[at:at + length].decode("utf-8"))
                at += length

    def escape(self, at: int):
        mark = self.byte(at + 1)
        if mark in _SIMPLE_ESCAPES:
            return _SIMPLE_ESCAPES[mark], at + 2
        if mark != 0x75:
            raise Fault("bad_escape", at)
        unit = self.hex4(at)
        if 0xDC00 <= unit <= 0xDFFF:
            raise Fault("lone_surrogate", at)
        if not 0xD800 <= unit <= 0xDBFF:
            return chr(unit), at + 6
        if self.data[at + 6:at + 8] != b"\\u":
            raise Fault("lone_surrogate", at)
        low = self.hex4(at + 6)
        if not 0xDC00 <= low <= 0xDFFF:
            raise Fault("lone_surrogate", at)
        return chr(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)), at + 12

    def hex4(self, at: int) -> int:
        unit = 0
        for index in range(at + 2, at + 6):
            digit = self.byte(index)
            if digit not in b"0123456789abcdefABCDEF":
                raise Fault("bad_escape", at)
            unit = unit * 16 + int(chr(digit), 16)
        return unit


def utf16_key(text: str) -> bytes:
    """Sorts as RFC 8785 section 3.2.3 asks: by UTF-16 code units."""
    return text.encode("utf-16-be")


def child(pointer: str, token) -> str:
    """One RFC 6901 step down."""
    return pointer + "/" + str(token).replace("~", "~0").replace("/", "~1")


def write(value, profile: str = "envelope") -> bytes:
    """RFC 8785 bytes of a parsed (or plain Python) value; profile: envelope, content, content_exact."""
    out = []
    _write(value, profile, "", out)
    return "".join(out).encode("utf-8")


def _write(value, profile: str, pointer: str, out: list) -> None:
    if value is None:
        out.append("null")
    elif value is True or value is False:
        out.append("true" if value else "false")
    elif isinstance(value, str):
        out.append(quote(value))
    elif isinstance(value, int):
        out.append(number_text(Number(str(value)), profile, pointer))
    elif isinstance(value, Number):
        out.append(number_text(value, profile, pointer))
    elif isinstance(value, list):
        out.append("[")
        for index, item in enumerate(value):
            out.append("," if index else "")
            _write(item, profile, child(pointer, index), out)
        out.append("]")
    else:
        out.append("{")
        for index, name in enumerate(sorted(value, key=utf16_key)):
            out.append("," if index else "")
            out.append(quote(name) + ":")
            _write(value[name], profile, child(pointer, name), out)
        out.append("}")


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def quote(text: str) -> str:
    """An ECMAScript JSON string: short escapes, else lower-hex \\u00xx below U+0020, else itself."""
    return '"' + "".join(
        _ESCAPES.get(c) or (f"\\u{ord(c):04x}" if c < " " else c) for c in text
    ) + '"'


def number_text(number: Number, profile: str, pointer: str = "") -> str:
    """The canonical spelling of a number in a profile, or `WriteFault`."""
    integer = number.integer()
    if profile == "envelope":
        if integer == "not_an_integer":
            raise WriteFault("canon.not_an_integer", pointer)
        if isinstance(integer, str):
            raise WriteFault("canon.integer_out_of_range", pointer)
        return str(integer)
    literal = number.literal
    double = float(literal)
    if double in (float("inf"), float("-inf")):
        raise WriteFault("canon.number_overflow", pointer)
    text = es6(double)
    if _decimal(text) != _decimal(literal):
        if re.fullmatch(r"-?[0-9]+", literal):
            raise WriteFault("canon.integer_changes_value", pointer)
        if profile == "content_exact":
            raise WriteFault("canon.number_changes_value", pointer)
    elif profile == "content_exact" and literal.startswith("-") and text == "0":
        raise WriteFault("canon.number_changes_value", pointer)  # the sign of -0 would be lost
    return text


def _decimal(literal: str):
    """A literal's exact decimal value as (negative, digits, exponent), zero as one triple."""
    mantissa, _, exponent = literal.lower().partition("e")
    negative = mantissa.startswith("-")
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    stripped = digits.rstrip("0")
    if not stripped:
        return (False, "", 0)
    return (negative, stripped, int(exponent or "0") - len(fraction) + len(digits) - len(stripped))


def es6(double: float) -> str:
    """ECMAScript Number::toString, from the shortest digits that Python's repr gives."""
    if double == 0:
        return "0"
    sign = "-" if double < 0 else ""
    _, digits, exponent = _decimal(repr(abs(double)))
    point = len(digits) + exponent  # value = 0.digits * 10^point
    if len(digits) <= point <= 21:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return sign + digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    power = ("+" if point > 0 else "-") + str(abs(point - 1))
    return sign + digits[0] + ("." + digits[1:] if len(digits) > 1 else "") + "e" + power


def sha256(data: bytes) -> str:
    """Lower-hex SHA-256."""
    return hashlib.sha256(data).hexdigest()


def cid(data: bytes) -> str:
    """CIDv1, raw codec, sha2-256, base32 lower without padding (multiformats)."""
    raw = b"\x01\x55\x12\x20" + hashlib.sha256(data).digest()
    return "b" + base64.b32encode(raw).decode("ascii").rstrip("=").lower()

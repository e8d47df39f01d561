"""Families `canon` and `numbers`: what is one strict JSON value, and its canonical bytes."""

from __future__ import annotations

import struct

from . import canon
from .prng import SplitMix64

PROFILES = ("envelope", "content", "content_exact")


def raw(data: bytes, name: str = "input") -> dict:
    """Bytes as JSON text where that is harmless, else as hex."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return {name + "_hex": data.hex()}
    if "\ufeff" in text or any(c < " " and c not in "\t\n\r" for c in text) or "\x7f" in text:
        return {name + "_hex": data.hex()}
    return {name: text}


def positive(name: str, text, profile: str = "content", **limits) -> dict:
    data = text if isinstance(text, bytes) else text.encode("utf-8")
    out = canon.write(canon.parse(data, canon.CONTENT_MAX_BYTES, limits.get("max_depth", 128)), profile)
    again = canon.write(canon.parse(out, canon.CONTENT_MAX_BYTES, 512), profile)
    assert again == out, name
    return {
        "name": name, **raw(data), "profile": profile, **limits,
        "expected": {
            **raw(out, "canonical"), "sha256": canon.sha256(out), "cid": canon.cid(out),
            "is_canonical": data == out,
        },
    }


def positives() -> list:
    nested_64 = "[" * 64 + "]" * 64
    objects_64 = '{"a":' * 63 + "{}" + "}" * 63
    controls = '{"s":"' + "".join(f"\\u{c:04x}" for c in range(0x20)) + '\\u007f\\u0080\\u2028\\u2029"}'
    return [
        positive("fixed point: member order", '{"b":2,"a":1}', "envelope"),
        positive("fixed point: hash", '{"a":1,"b":"hello","c":true}', "envelope"),
        positive("empty object", "{}"),
        positive("empty array", "[]"),
        positive("null", "null"),
        positive("true with white space around", " \t\r\n true \n"),
        positive("empty string", '""'),
        positive("white space everywhere", '{ "b" : [ 1 , 2 ,\t3 ] ,\r\n "a" : { } }'),
        positive("RFC 8785 section 3.2.3: sorting by UTF-16 code units",
                 '{"\\u20ac":"Euro Sign","\\r":"Carriage Return","\\ufb33":"Hebrew Letter Dalet With Dagesh",'
                 '"1":"One","\\ud83d\\ude00":"Emoji: Grinning Face","\\u0080":"Control",'
                 '"\\u00f6":"Latin Small Letter O With Diaeresis"}'),
        positive("RFC 8785 section 3.2.2: literals, strings, numbers",
                 '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],'
                 '"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/",'
                 '"literals":[null,true,false]}'),
        positive("astral names sort before U+E000..U+FFFF", '{"\uffff":1,"\U00010000":2,"\ue000":3,"\U0010ffff":4}'),
        positive("names that are prefixes of one another", '{"aa":1,"a":2,"":3,"ab":4,"a\\u0000":5}'),
        positive("case and digits sort by code unit", '{"a":1,"A":2,"_":3,"0":4,"10":5,"2":6,"~":7}'),
        positive("escapes are undone where they need not be", '"\\u0041\\u00e9\\ud83d\\ude00\\/\\u0022\\u005C"'),
        positive("every control character and the ones that stay", controls),
        positive("short escapes", '"\\b\\t\\n\\f\\r\\"\\\\\\/"'),
        positive("DEL, NEL and line separators stay as they are", '"\x7f\x85\u2028\u2029"'),
        positive("noncharacters are characters here", '"\ufffe\uffff\U0001ffff"'),
        positive("a BOM inside a string is a character", '"\ufeff"'),
        positive("no Unicode normalisation", '{"\u00e9":1,"e\u0301":2}'),
        positive("names equal but for case are different", '{"a":1,"A":2}'),
        positive("the same name on two levels is no duplicate", '{"a":{"a":{"a":1}},"b":{"a":1}}'),
        positive("arrays keep their order", "[3,2,1,[],{},null,false]"),
        positive("depth 64 of arrays", nested_64, "envelope", max_depth=64),
        positive("depth 64 of objects", objects_64, "envelope", max_depth=64),
        positive("siblings do not add up to depth", "[" + ",".join(["[[]]"] * 70) + "]", "envelope", max_depth=3),
        positive("a scalar has depth 0", "7", "envelope", max_depth=0),
        positive("envelope: smallest and largest integer",
                 "[9007199254740991,-9007199254740991,0]", "envelope"),
        positive("already canonical, not ASCII", '{"name":"Zo\u00eb \U0001f600"}'),
        positive("__proto__ and constructor are names", '{"constructor":1,"__proto__":2,"toString":3}'),
    ]


def negative(name: str, why: str, data, kind: str, offset=None, other=(), **limits) -> dict:
    data = data if isinstance(data, bytes) else data.encode("utf-8")
    try:
        canon.parse(data, limits.get("max_bytes", 1 << 20), limits.get("max_depth", 64))
    except canon.Fault as fault:
        assert fault.kind == kind, (name, fault.kind, kind)
        assert offset is None or fault.offset == offset, (name, fault.offset, offset)
    else:
        raise AssertionError(name + " was accepted")
    fault = {"kind": kind}
    if offset is not None:
        fault["offset"] = offset
    if other:
        fault["or"] = list(other)
    return {"name": name, "why": why, **raw(data), **limits, "expected": {"fault": fault}}


def negatives() -> list:
    n = negative
    return [
        n("empty input", "no value at all", "", "unexpected_end", 0),
        n("white space only", "no value at all", " \n ", "unexpected_end", 3),
        n("too many bytes", "17 bytes where 16 are allowed", '"aaaaaaaaaaaaaaa"', "too_large", max_bytes=16),
        n("too many bytes comes before their faults", "size is checked before parsing", "\xef\xbb\xbf" + "]" * 20,
          "too_large", max_bytes=16),
        n("UTF-8 BOM", "a BOM is refused, not skipped", b"\xef\xbb\xbf{}", "bom", 0),
        n("BOM after white space", "U+FEFF is no JSON white space", b" \xef\xbb\xbf{}", "unexpected_byte", 1,
          ["bom"]),
        n("UTF-16 little endian", "not UTF-8", b"\xff\xfe{\x00}\x00", "invalid_utf8", 0, ["unexpected_byte"]),
        n("UTF-16 big endian", "not UTF-8", b"\xfe\xff\x00{\x00}", "invalid_utf8", 0, ["unexpected_byte"]),
        n("lone continuation byte", "not UTF-8", b'"a\x80"', "invalid_utf8", 2),
        n("Latin-1 text", "not UTF-8", b'"caf\xe9"', "invalid_utf8", 4),
        n("overlong slash", "C0 AF is no UTF-8", b'"\xc0\xaf"', "invalid_utf8", 1),
        n("overlong three bytes", "E0 80 AF is no UTF-8", b'"\xe0\x80\xaf"', "invalid_utf8", 1),
        n("UTF-8 of a surrogate", "ED A0 80 is no UTF-8", b'"\xed\xa0\x80"', "invalid_utf8", 1),
        n("CESU-8 pair", "surrogates encoded one by one", b'"\xed\xa0\xbd\xed\xb8\x80"', "invalid_utf8", 1),
        n("above U+10FFFF", "F4 90 80 80 is no UTF-8", b'"\xf4\x90\x80\x80"', "invalid_utf8", 1),
        n("cut inside a character", "the string ends in the middle of a euro sign", b'"\xe2\x82', "invalid_utf8",
          1, ["unexpected_end"]),
        n("character cut by a quote", "E2 82 and no third byte", b'"\xe2\x82"', "invalid_utf8", 1),
        n("invalid UTF-8 in a name", "not UTF-8", b'{"\xff":1}', "invalid_utf8", 2),
        n("invalid UTF-8 outside of strings", "not UTF-8", b"[1,\xff]", "invalid_utf8", 3, ["unexpected_byte"]),
        n("open array", "no end", "[1,2", "unexpected_end", 4),
        n("open object", "no end", '{"a":1', "unexpected_end", 6),
        n("open string", "no end", '"abc', "unexpected_end", 4),
        n("open after the colon", "no value", '{"a":', "unexpected_end", 5),
        n("open after the comma", "no next item", "[1,", "unexpected_end", 3),
        n("cut inside an escape", "no end", '"\\u00', "unexpected_end", 5, ["bad_escape"]),
        n("cut after a backslash", "no end", '"\\', "unexpected_end", 2, ["bad_escape"]),
        n("cut inside a word", "no end", "tru", "unexpected_end", None, ["bad_literal", "unexpected_byte"]),
        n("trailing comma in an array", "a value must follow", "[1,]", "unexpected_byte", 3),
        n("trailing comma in an object", "a name must follow", '{"a":1,}', "unexpected_byte", 7),
        n("leading comma", "a value must come first", "[,1]", "unexpected_byte", 1),
        n("missing comma", "two values side by side", "[1 2]", "unexpected_byte", 3),
        n("missing colon", "name without value", '{"a" 1}', "unexpected_byte", 5),
        n("name without quotes", "not JSON", "{a:1}", "unexpected_byte", 1),
        n("single quotes", "not JSON", "['a']", "unexpected_byte", 1),
        n("number as a name", "not JSON", "{1:1}", "unexpected_byte", 1),
        n("wrong bracket", "an array closed as an object", "[1}", "unexpected_byte", 2),
        n("comment", "not JSON", "[1/*one*/]", "unexpected_byte", 2),
        n("NaN", "not JSON", "[NaN]", "unexpected_byte", 1, ["bad_literal"]),
        n("Infinity", "not JSON", "[Infinity]", "unexpected_byte", 1, ["bad_literal"]),
        n("capital True", "not JSON", "[True]", "unexpected_byte", 1, ["bad_literal"]),
        n("misspelled word", "not JSON", "[nulL]", "unexpected_byte", None, ["bad_literal"]),
        n("form feed as white space", "JSON has four white space characters", b"[1,\x0c2]", "unexpected_byte", 3,
          ["control_character"]),
        n("no-break space", "JSON has four white space characters", "[1,\u00a02]", "unexpected_byte", 3),
        n("NUL byte outside of strings", "not JSON", b"[\x00]", "unexpected_byte", 1, ["control_character"]),
        n("plus sign", "not JSON", "[+1]", "unexpected_byte", 1, ["bad_number"]),
        n("leading point", "not JSON", "[.5]", "unexpected_byte", 1, ["bad_number"]),
        n("leading zero", "not JSON", "[01]", "bad_number", None, ["unexpected_byte"]),
        n("leading zero after minus", "not JSON", "[-01]", "bad_number", None, ["unexpected_byte"]),
        n("minus alone", "not JSON", "[-]", "bad_number", None, ["unexpected_byte"]),
        n("point without digits", "not JSON", "[1.]", "bad_number", None, ["unexpected_byte"]),
        n("point before exponent", "not JSON", "[1.e5]", "bad_number", None, ["unexpected_byte"]),
        n("exponent without digits", "not JSON", "[1e]", "bad_number", None, ["unexpected_byte"]),
        n("exponent with a sign only", "not JSON", "[1e+]", "bad_number", None, ["unexpected_byte"]),
        n("two points", "not JSON", "[1.2.3]", "bad_number", None, ["unexpected_byte"]),
        n("hexadecimal", "not JSON", "[0x10]", "unexpected_byte", 2, ["bad_number"]),
        n("number cut at its exponent", "not JSON", "1e", "bad_number", None, ["unexpected_end"]),
        n("unknown escape", "not JSON", '"\\x41"', "bad_escape"),
        n("escaped newline", "not JSON", b'"a\\\nb"', "bad_escape"),
        n("capital U escape", "not JSON", '"\\U0041"', "bad_escape"),
        n("three hex digits", "not JSON", '"\\u041"', "bad_escape"),
        n("hex digits with a sign", "not JSON", '"\\u+041"', "bad_escape"),
        n("lone high surrogate", "no character", '"\\ud83d"', "lone_surrogate"),
        n("lone low surrogate", "no character", '"\\ude00"', "lone_surrogate"),
        n("pair in the wrong order", "low before high", '"\\ude00\\ud83d"', "lone_surrogate"),
        n("two high surrogates", "the first has no low one", '"\\ud83d\\ud83d\\ude00"', "lone_surrogate"),
        n("high surrogate then a letter", "no low one", '"\\ud83dx"', "lone_surrogate"),
        n("high surrogate then another escape", "no low one", '"\\ud83d\\n"', "lone_surrogate"),
        n("high surrogate then a BMP escape", "no low one", '"\\ud83d\\u0041"', "lone_surrogate"),
        n("lone surrogate in a name", "no character", '{"\\udbff":1}', "lone_surrogate"),
        n("raw newline in a string", "control characters must be escaped", b'"a\nb"', "control_character", 2),
        n("raw tab in a string", "control characters must be escaped", b'"\t"', "control_character", 1),
        n("raw NUL in a string", "control characters must be escaped", b'"\x00"', "control_character", 1),
        n("raw unit separator in a name", "control characters must be escaped", b'{"\x1f":1}', "control_character", 2),
        n("duplicate member", "`a` twice", '{"a":1,"a":1}', "duplicate_member"),
        n("duplicate member spelled with an escape", "`a` twice", '{"a":1,"\\u0061":2}', "duplicate_member"),
        n("duplicate member spelled with a pair", "the same emoji twice",
          '{"\U0001f600":1,"\\ud83d\\ude00":2}', "duplicate_member"),
        n("duplicate member far apart", "`a` twice", '{"a":1,"b":{"c":[]},"d":2,"a":3}', "duplicate_member"),
        n("duplicate member deep inside", "`x` twice", '[{"a":[{"x":1,"x":2}]}]', "duplicate_member"),
        n("duplicate empty name", "`` twice", '{"":1,"":2}', "duplicate_member"),
        n("depth 65 of arrays", "64 levels are allowed", "[" * 65 + "]" * 65, "too_deep", 64, max_depth=64),
        n("depth 65 of objects", "64 levels are allowed", '{"a":' * 64 + "{}" + "}" * 64, "too_deep", 320,
          max_depth=64),
        n("depth 1 where none is allowed", "only scalars", "[]", "too_deep", 0, max_depth=0),
        n("a thousand open brackets", "64 levels are allowed", "[" * 1000, "too_deep", 64, max_depth=64),
        n("second value", "one value only", "{} {}", "trailing_data", 3),
        n("two numbers", "one value only", "1 2", "trailing_data", 2),
        n("closing bracket too many", "one value only", "[]]", "trailing_data", 2),
        n("NUL after the value", "one value only", b"{}\x00", "trailing_data", 2),
        n("text after the value", "one value only", '{"a":1}x', "trailing_data", 7),
        # First fault in text order.
        n("order: duplicate before a syntax error", "both are there; the duplicate comes first",
          '{"a":1,"a":2,]', "duplicate_member"),
        n("order: syntax error before a duplicate", "both are there; the comma comes first",
          '{"a":1,,"a":2}', "unexpected_byte", 7),
        n("order: duplicate before bad UTF-8", "both are there; the duplicate comes first",
          b'{"a":1,"a":"\xff"}', "duplicate_member"),
        n("order: bad UTF-8 before a duplicate", "both are there; the byte comes first",
          b'{"a":"\xff","a":1}', "invalid_utf8", 6),
        n("order: duplicate before depth", "both are there; the duplicate comes first",
          '{"a":1,"a":' + "[" * 80, "duplicate_member"),
        n("order: depth before a duplicate", "both are there; the bracket comes first",
          '{"a":' + "[" * 64 + "]" * 64 + ',"a":1}', "too_deep", 68, max_depth=64),
        n("order: inner duplicate before the outer one", "the inner one is complete first",
          '{"a":1,"b":{"c":1,"c":2},"a":3}', "duplicate_member", 18),
        n("order: duplicate before trailing data", "both are there; the duplicate comes first",
          '{"a":1,"a":2} x', "duplicate_member"),
        n("order: lone surrogate before a duplicate", "both are there; the surrogate comes first",
          '{"a":"\\ud800","a":1}', "lone_surrogate"),
        n("order: duplicate before the input ends", "both are there; the name is complete first",
          '{"a":1,"a"', "duplicate_member"),
        n("order: control character before a bad escape", "both are there; the tab comes first",
          b'"\t\\x"', "control_character", 1),
    ]


def number_case(name: str, literal: str) -> dict:
    expected = {}
    number = canon.parse(literal.encode("ascii"))
    for profile in PROFILES:
        try:
            expected[profile] = {"canonical": canon.write(number, profile).decode("ascii")}
        except canon.WriteFault as fault:
            expected[profile] = {"error": fault.code}
    out = {"name": name}
    refused = [f"{p}: {e['error']}" for p, e in expected.items() if "error" in e]
    if refused:
        out["why"] = "; ".join(refused)
    return {**out, "input": literal, "expected": expected}


SPELLINGS = (
    ("zero", "0"), ("minus zero", "-0"), ("minus zero with a fraction", "-0.0"), ("zero with a fraction", "0.0"),
    ("zero with an exponent", "0e5"), ("zero with a huge exponent", "0e999999999999"), ("one", "1"),
    ("minus one", "-1"), ("an integer with a fraction", "1.0"), ("an integer with an exponent", "1e0"),
    ("capital exponent", "1E2"), ("plus in the exponent", "1e+2"), ("zeros in the exponent", "1e0002"),
    ("2^53-1", "9007199254740991"), ("-(2^53-1)", "-9007199254740991"), ("2^53", "9007199254740992"),
    ("-2^53", "-9007199254740992"), ("2^53+1 has no double", "9007199254740993"),
    ("2^53+2", "9007199254740994"), ("2^64-1 has no double", "18446744073709551615"),
    ("2^64", "18446744073709551616"), ("2^64 in shortest digits", "18446744073709552000"),
    ("10^20", "100000000000000000000"), ("10^21 as digits", "1000000000000000000000"), ("10^21", "1e21"),
    ("10^21 less one unit", "999999999999999900000"), ("10^22 as digits", "10000000000000000000000"),
    ("10^23 as digits is no double, but its canonical text is the same number", "100000000000000000000000"),
    ("10^23", "1e23"), ("the double next to 10^23", "99999999999999991611392"),
    ("68 bits", "295147905179352830000"), ("exact value of that double", "295147905179352825856"),
    ("an odd integer of 17 digits", "12345678901234567"), ("an even integer of 17 digits", "12345678901234568"),
    ("401 digits", "1" + "0" * 400), ("309 digits that fit", "1" + "0" * 308),
    ("tenth", "0.1"), ("tenth with a zero", "0.10"), ("tenth as an exponent", "1e-1"),
    ("tenth and then some", "0.10000000000000001"), ("the double's own value of a tenth",
                                                       "0.1000000000000000055511151231257827021181583404541015625"),
    ("three tenths, added", "0.30000000000000004"), ("a millionth", "0.000001"), ("less than a millionth", "1e-7"),
    ("a millionth as an exponent", "1e-6"), ("seven digits after the point", "0.0000001"),
    ("RFC 8785: 333333333.33333329", "333333333.33333329"), ("RFC 8785: 1E30", "1E30"),
    ("RFC 8785: 4.50", "4.50"), ("RFC 8785: 2e-3", "2e-3"),
    ("largest double", "1.7976931348623157e308"), ("overflow", "1.7976931348623159e308"), ("far overflow", "1e400"),
    ("minus overflow", "-1e400"), ("overflow with an endless exponent", "1e99999999999999999999"),
    ("rounds down to the largest double", "1.7976931348623158e308"),
    ("smallest double", "5e-324"), ("smallest double, other digits", "4.9406564584124654e-324"),
    ("smallest normal double", "2.2250738585072014e-308"), ("largest subnormal", "2.225073858507201e-308"),
    ("underflow", "1e-400"), ("minus underflow", "-1e-400"), ("less than half of the smallest double", "2e-324"),
    ("more than half of the smallest double", "3e-324"),
    ("a tie that goes to even", "9007199254740993.0"), ("a hair above the tie", "9007199254740993.00000000000001"),
    ("21 digits with a fraction", "123456789012345678.5"), ("1.5", "1.5"), ("-1.5", "-1.5"),
    ("15 digits", "123456789.012345"), ("two hundred zeros after the point", "1." + "0" * 200),
)

# RFC 8785 appendix B: the bits of a double and its text.
APPENDIX_B = (
    ("0000000000000000", "0"), ("8000000000000000", "0"), ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"), ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"), ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"), ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"), ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"), ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"), ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"), ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"), ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"), ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"), ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
)


def double_case(bits: str, text=None) -> dict:
    double = struct.unpack(">d", bytes.fromhex(bits))[0]
    canonical = canon.es6(double)
    assert text is None or canonical == text, (bits, canonical, text)
    return {"name": "double " + bits, "bits_hex": bits, "input": format(double, ".25e"),
            "expected": {"content": {"canonical": canonical}}}


def random_doubles(count: int) -> list:
    rng = SplitMix64(0x8785)
    cases = []
    while len(cases) < count:
        bits = rng.next()
        if len(cases) % 2:  # near one, where people's numbers live
            bits = bits & ~(0x7FF << 52) | (1023 - 40 + rng.below(110)) << 52
        if (bits >> 52) & 0x7FF != 0x7FF:
            cases.append(double_case(f"{bits:016x}"))
    return cases


def hard_doubles() -> list:
    """Where shortest printers go wrong: two shortest texts equally near (the even one counts), and
    powers of two, whose lower neighbour is nearer than the upper one."""
    rng = SplitMix64(0x71E)
    ties = [float((1 << 50) + rng.below(1 << 50)) + fraction for fraction in (0.25, 0.75) for _ in range(10)]
    powers = [2.0 ** exponent for exponent in (*range(-1074, 1024, 19), -1022, -1021, 1023)]
    return [double_case(struct.pack(">d", double).hex()) for double in dict.fromkeys(ties + powers)]


def pointer_cases() -> list:
    """Where in a value the number is that a profile cannot write."""
    cases = []
    for name, text, profile, pointer, code in (
        ("fraction in an array", '{"a":[1,2.5]}', "envelope", "/a/1", "canon.not_an_integer"),
        ("name with a slash and a tilde", '{"a/b~c":1e3}', "envelope", "/a~1b~0c", "canon.not_an_integer"),
        ("range", '[[],[0,-9007199254740992]]', "envelope", "/1/1", "canon.integer_out_of_range"),
        ("overflow", '{"":{"x":1e309}}', "content", "//x", "canon.number_overflow"),
        ("integer", '{"x":[9007199254740993]}', "content", "/x/0", "canon.integer_changes_value"),
        ("exact", '{"x":{"y":0.10000000000000001}}', "content_exact", "/x/y", "canon.number_changes_value"),
    ):
        try:
            canon.write(canon.parse(text.encode()), profile)
            raise AssertionError(name)
        except canon.WriteFault as fault:
            assert (fault.code, fault.pointer) == (code, pointer), (name, fault)
        cases.append({"name": name, "why": f"{profile}: {code}", "input": text, "profile": profile,
                      "expected": {"error": code, "pointer": pointer}})
    return cases


def unique(cases: list) -> list:
    """Each name once, the first case of it."""
    return list({case["name"]: case for case in reversed(cases)}.values())[::-1]


def files() -> dict:
    return {
        "canon/positive.json": ("canon", "Strict JSON and its RFC 8785 bytes, SHA-256 and CID.", positives()),
        "canon/negative.json": ("canon", "Bytes that are not one strict JSON value.", negatives()),
        "numbers/literals.json": ("numbers", "One number literal in each of the three profiles.",
                                  [number_case(*spelling) for spelling in SPELLINGS]),
        "numbers/doubles.json": ("numbers", "Doubles by their bits, spelled with 26 digits, and their RFC 8785 text: "
                                 "appendix B, ties and powers of two, then seeded random ones.",
                                 unique([double_case(*row) for row in APPENDIX_B] + hard_doubles()
                                        + random_doubles(400))),
        "numbers/pointers.json": ("numbers", "Where in a value the number is that a profile refuses.", pointer_cases()),
    }

// Writes es6_numbers.tsv: number literals and what ECMAScript makes of them. The engine that
// RFC 8785 takes its number text from is the oracle, so no line depends on this repository.
//
//     node es6_numbers.js > es6_numbers.tsv
//
// Columns: the literal; its canonical text, or `overflow`; whether the text has exactly the
// decimal value of the literal (by integer arithmetic on BigInt); whether the literal is plain digits.
"use strict";

// xorshift64*, seeded, so that the file is the same each time.
let state = 0x9e3779b97f4a7c15n;
const MASK = (1n << 64n) - 1n;
function random64() {
  state ^= state >> 12n;
  state ^= (state << 25n) & MASK;
  state ^= state >> 27n;
  return (state * 0x2545f4914f6cdd1dn) & MASK;
}
const below = (n) => Number(random64() % BigInt(n));

function doubleOf(bits) {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}

// A decimal literal as numerator / 10^power, exactly. Exponents here stay small.
function exact(literal) {
  const [, sign, whole, fraction = "", exponent = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(literal);
  let numerator = BigInt(whole + fraction);
  let power = fraction.length - Number(exponent);
  if (power < 0) {
    numerator *= 10n ** BigInt(-power);
    power = 0;
  }
  return { numerator: sign ? -numerator : numerator, power };
}
function sameValue(a, b) {
  const [x, y] = [exact(a), exact(b)];
  return x.numerator * 10n ** BigInt(y.power) === y.numerator * 10n ** BigInt(x.power);
}

function line(literal) {
  const double = Number(literal);
  const plain = /^-?\d+$/.test(literal);
  if (!Number.isFinite(double)) return [literal, "overflow", false, plain].join("\t");
  const text = JSON.stringify(double);
  return [literal, text, sameValue(literal, text), plain].join("\t");
}

const literals = new Set([
  "0", "-0", "0.0", "-0.0", "0e5", "-0E-5", "1", "-1", "1.0", "10", "1e0", "1E+2", "100e-2",
  "0.1", "0.10", "0.10000000000000001", "0.30000000000000004", "1e-400", "-1e-400", "5e-324", "2e-324",
  "2.4703282292062327e-324", "2.4703282292062328e-324", "2.2250738585072011e-308", "2.2250738585072014e-308",
  "1.7976931348623157e308", "1.7976931348623158e308", "1.7976931348623159e308", "1e308", "1e309", "-1e309",
  "9007199254740991", "9007199254740992", "9007199254740993", "9007199254740994", "-9007199254740993",
  "9007199254740993.0", "9007199254740993e0", "18446744073709551615", "18446744073709551616",
  "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
  "100000000000000000000", "999999999999999999999", "1000000000000000000000", "1000000000000000000001",
  "1e20", "1e21", "123456789012345680000", "123456789012345678901", "1e-6", "1e-7", "0.000001", "0.0000001",
  "123e-20", "8.5", "333333333.33333329", "1E30", "4.50", "2e-3", "0.000000000000000000000000001",
]);
// Any double, as the engine spells it, as 17 digits, and as 20.
for (let i = 0; i < 400; i += 1) {
  const double = doubleOf(random64());
  if (!Number.isFinite(double)) continue;
  literals.add(String(double).replace("e+", "E"));
  literals.add(double.toExponential(16));
  literals.add(double.toExponential(20));
}
// Around each power of ten that the layout of the text depends on.
for (let exponent = -9; exponent <= 24; exponent += 1) {
  for (let i = 0; i < 4; i += 1) literals.add(`${1 + below(9)}.${below(1e6)}e${exponent}`);
}
// Decimals of every length, plain digits of every length.
for (let i = 0; i < 300; i += 1) {
  let digits = String(1 + below(9));
  for (let length = below(24); length > 0; length -= 1) digits += below(10);
  literals.add((below(2) ? "-" : "") + digits);
  const cut = 1 + below(digits.length);
  if (cut < digits.length) literals.add(`${digits.slice(0, cut)}.${digits.slice(cut)}`);
}
// Half way between two doubles, and a digit to either side.
for (let i = 0; i < 60; i += 1) {
  const low = (1n << 53n) + (random64() >> 12n);
  const half = low * 2n + 1n;
  for (const near of [half - 1n, half, half + 1n]) {
    literals.add(String(near));
    literals.add(`${near}.5`);
    literals.add(`${near}e-10`);
  }
}
// Doubles half way between two shortest texts: the even one is right. Quarters and eighths
// below 2^53, and even integers above it, end in the 5 that makes the tie.
for (let i = 0; i < 240; i += 1) {
  const eighths = (random64() >> BigInt(11 + (i % 4))) | 1n;
  literals.add((Number(eighths) / 8).toFixed(3));
  literals.add((Number(eighths) / 4).toFixed(2));
  literals.add(`${(random64() >> BigInt(i % 8)) | 1n}.5e${below(4)}`);
}
// Powers of two, where the doubles below are closer than those above.
for (let exponent = -1074; exponent <= 1023; exponent += 13) literals.add(String(2 ** exponent));

process.stdout.write([...literals].map(line).join("\n") + "\n");

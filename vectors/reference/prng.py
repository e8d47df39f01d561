"""A tiny seeded generator (SplitMix64, Steele, Lea, Flood 2014), so that golden ids look real and never move."""

from __future__ import annotations

_MASK = (1 << 64) - 1


class SplitMix64:
    def __init__(self, seed: int):
        self.state = seed & _MASK

    def next(self) -> int:
        """The next 64 bits."""
        self.state = (self.state + 0x9E3779B97F4A7C15) & _MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def below(self, bound: int) -> int:
        """A number in 0..bound (the bias of a modulo does not matter here)."""
        return self.next() % bound

    def hex(self, digits: int) -> str:
        """Lower-hex text of `digits` digits."""
        return "".join(f"{self.next():016x}" for _ in range((digits + 15) // 16))[:digits]

    def pick(self, items):
        return items[self.below(len(items))]

    def shuffled(self, items) -> list:
        """A permutation (Fisher-Yates)."""
        out = list(items)
        for last in range(len(out) - 1, 0, -1):
            other = self.below(last + 1)
            out[last], out[other] = out[other], out[last]
        return out

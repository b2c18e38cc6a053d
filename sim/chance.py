"""Chance from a seed: one stream of numbers a device, derived by name, the same on every machine for ever.

Built on SHA-256 and integers, not on `random`: no version of Python and no hash seed changes what comes out, and
a new device does not shift the numbers of all others.
"""

import hashlib

_WORD_BYTES = 8
_WORDS = 1 << (8 * _WORD_BYTES)


class Chance:
    """A stream of random numbers with a name. Implements the product's Randomness."""

    def __init__(self, seed: int, name: str) -> None:
        self._key = hashlib.sha256(f"{seed}/{name}".encode()).digest()
        self._counter = 0
        self._name = f"{seed}/{name}"

    def __repr__(self) -> str:
        return f"Chance({self._name!r})"

    def random_bytes(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            data += hashlib.sha256(self._key + self._counter.to_bytes(_WORD_BYTES, "big")).digest()
            self._counter += 1
        return data[:count]

    def below(self, limit: int) -> int:
        """A whole number, 0 <= n < limit, each as likely as the others."""
        if limit <= 0:
            raise ValueError(f"there is no whole number from 0 to below {limit}")
        fair = _WORDS - _WORDS % limit
        while True:
            word = int.from_bytes(self.random_bytes(_WORD_BYTES), "big")
            if word < fair:
                return word % limit

    def between(self, low: int, high: int) -> int:
        """A whole number, low <= n <= high."""
        return low + self.below(high - low + 1)

    def one_in(self, count: int) -> bool:
        return self.below(count) == 0

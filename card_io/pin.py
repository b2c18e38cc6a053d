"""A PIN's verifier on the card: enough to check a PIN offline, and weaker than a PIN that the card itself checks.

DESFire has no PIN of its own. The verifier lies in the signed entitlement, so nobody can change it; but who holds a
read key of the network can copy it and try all ten thousand PINs of four digits at home: scrypt makes that minutes
or hours instead of milliseconds, and no more. The tries are counted in file 05, which stations write.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from card_io.desfire.crypto import same

VERIFIER_LENGTH = 24
PIN_DIGITS = range(4, 9)
COST = 14  # scrypt's N is 2^14: 16 MiB and some 50 ms on a station's computer
_COSTS = range(10, 18)
_SALT_LENGTH, _DIGEST_LENGTH = 8, 15
_BLOCK_SIZE = 8
_MEMORY_MAX = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PinVerifier:
    """`cost` is the exponent of scrypt's N; salt 8 bytes, digest 15."""

    cost: int
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if self.cost not in _COSTS:
            raise ValueError(f"a PIN verifier's cost is {_COSTS[0]} to {_COSTS[-1]}, not {self.cost}")
        if len(self.salt) != _SALT_LENGTH or len(self.digest) != _DIGEST_LENGTH:
            raise ValueError("a PIN verifier has a salt of 8 and a digest of 15 bytes")

    @classmethod
    def make(cls, pin: str, card_number: str, salt: bytes, cost: int = COST) -> PinVerifier:
        """Of a PIN of 4 to 8 digits; `salt` is 8 fresh random bytes. Raises ValueError."""
        if len(pin) not in PIN_DIGITS or not (pin.isascii() and pin.isdigit()):
            raise ValueError(f"a PIN has {PIN_DIGITS[0]} to {PIN_DIGITS[-1]} digits")
        if cost not in _COSTS or len(salt) != _SALT_LENGTH:
            raise ValueError("a PIN verifier has a salt of 8 bytes and a cost of 10 to 17")
        return cls(cost, salt, _digest(pin, card_number, salt, cost))

    def matches(self, pin: str, card_number: str) -> bool:
        """Whether this is the PIN. Takes some 50 ms: not on the event loop."""
        return same(self.digest, _digest(pin, card_number, self.salt, self.cost))

    def __bytes__(self) -> bytes:
        return bytes((self.cost,)) + self.salt + self.digest

    @classmethod
    def parse(cls, raw: bytes) -> PinVerifier:
        """24 bytes. Raises ValueError."""
        if len(raw) != VERIFIER_LENGTH:
            raise ValueError(f"a PIN verifier has {VERIFIER_LENGTH} bytes, not {len(raw)}")
        return cls(raw[0], raw[1 : 1 + _SALT_LENGTH], raw[1 + _SALT_LENGTH :])


def _digest(pin: str, card_number: str, salt: bytes, cost: int) -> bytes:
    # the card number is in the salt, so that one card's verifier is of no use on another
    return hashlib.scrypt(
        pin.encode(),
        salt=salt + card_number.encode(),
        n=1 << cost,
        r=_BLOCK_SIZE,
        p=1,
        maxmem=_MEMORY_MAX,
        dklen=_DIGEST_LENGTH,
    )

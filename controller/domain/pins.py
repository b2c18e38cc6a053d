"""PINs: what a list row says of one, and how often a wrong one was typed. Never a PIN itself. Knows no till.

A verifier is text: `scrypt$N$r$p$salt$key`, salt and key in hex. Who verifies is `controller.pincheck`.
"""

from enum import StrEnum

import msgspec

PIN_DIGITS = range(4, 13)
TRIES = 3
"""So many wrong ones in a row lock it."""
KEY_BYTES = 32
CARD_KEY_BYTES = 15
"""Of a verifier that lies on a card, where room is dear."""
SALT_BYTES = 16
BLOCK, PARALLEL = 8, 1
COST_MAX = 2**17
"""What a list may ask of a station's processor: half a second."""


ON_CARD = "card$"
"""How a row's verifier begins that lies on the card itself, and is in no list and no journal."""


class PinAnswer(StrEnum):
    """What came of the PIN that was typed."""

    RIGHT = "right"
    WRONG = "wrong"


class BadVerifier(ValueError):
    """A list row's verifier cannot be read."""


class Verifier(msgspec.Struct, frozen=True):
    """A verifier, read. `cost` is scrypt's N."""

    cost: int
    salt: bytes
    key: bytes

    @property
    def text(self) -> str:
        """As a list row has it."""
        return f"scrypt${self.cost}${BLOCK}${PARALLEL}${self.salt.hex()}${self.key.hex()}"


def parse_verifier(text: str) -> Verifier:
    """BadVerifier says what is wrong with it."""
    try:
        scheme, cost, block, parallel, salt, key = text.split("$")
        found = Verifier(int(cost), bytes.fromhex(salt), bytes.fromhex(key))
        same = (scheme, int(block), int(parallel)) == ("scrypt", BLOCK, PARALLEL)
    except ValueError as error:
        raise BadVerifier("a PIN's verifier is scrypt$N$8$1$salt$key, salt and key in hex") from error
    if not (same and 2 <= found.cost <= COST_MAX and found.cost & (found.cost - 1) == 0):
        raise BadVerifier(
            f"a PIN's verifier is by scrypt, with N a power of two up to {COST_MAX}, r {BLOCK}, p {PARALLEL}"
        )
    if len(found.salt) < SALT_BYTES or len(found.key) not in (KEY_BYTES, CARD_KEY_BYTES):
        raise BadVerifier(f"a PIN's verifier has at least {SALT_BYTES} bytes of salt and {KEY_BYTES} of key")
    return found


def check_pin(text: str) -> str:
    """A PIN as it is verified: digits only. ValueError if it cannot be one (it is not repeated)."""
    pin = text.strip()
    if not (pin.isascii() and pin.isdecimal() and len(pin) in PIN_DIGITS):
        raise ValueError(f"a PIN has {PIN_DIGITS[0]} to {PIN_DIGITS[-1]} digits and nothing else")
    return pin


class Tries(msgspec.Struct, array_like=True):
    """Wrong tries in a row of one token, against the PIN of `version`."""

    wrong: int
    version: int


class Pins(msgspec.Struct):
    """By token: what was tried wrongly since the last right one."""

    tries: dict[bytes, Tries] = {}

    def tried(self, key: bytes, version: int, *, right: bool) -> None:
        """A PIN was typed. A right one forgets the wrong ones; against a newer PIN they are counted anew."""
        if right:
            self.tries.pop(key, None)
            return
        known = self.tries.get(key)
        if known is None or known.version < version:
            self.tries[key] = Tries(1, version)
        else:
            known.wrong += 1

    def unlocked(self, key: bytes) -> None:
        """A person has said that it may be tried again."""
        self.tries.pop(key, None)

    def wrong(self, key: bytes, version: int) -> int:
        """Wrong tries in a row against the PIN of this version. From TRIES on it is locked."""
        known = self.tries.get(key)
        return 0 if known is None or known.version < version else known.wrong

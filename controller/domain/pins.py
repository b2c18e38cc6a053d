"""PINs: what a list row says of one, and how often a wrong one was typed. Never a PIN itself. Knows no till.

A verifier is text: `scrypt$N$r$p$salt$key`, salt and key in hex. Who verifies is `controller.pincheck`.
"""

from enum import StrEnum

import msgspec

PIN_DIGITS = range(4, 13)
TRIES = 3
"""So many wrong ones in a row lock it."""
ALL_OF_THEM = 255
"""As many as a card can count."""
KEY_BYTES = 32
CARD_KEY_BYTES = 15
"""Of a verifier that lies on a card, where room is dear."""
SALT_BYTES = 16
BLOCK, PARALLEL = 8, 1
COST_MAX = 2**17
"""What a list may ask of a station's processor: half a second."""


ON_CARD = "card$"
"""How the verifier of a row begins whose card has it (`LookUp.pin_on_card`). In a list it is nothing readable."""


class PinAnswer(StrEnum):
    """What came of the PIN that was typed."""

    RIGHT = "right"
    WRONG = "wrong"


class PinAsked(StrEnum):
    """Whether a token has a PIN, and who can check it. That is all that a journal knows of a verifier."""

    NO = "no"
    BY_LIST = "by_list"
    BY_CARD = "by_card"
    """By the verifier on the card itself."""
    UNREADABLE = "unreadable"


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


def pin_asked(verifier: str, *, on_card: bool) -> PinAsked:
    """What a row's verifier makes of it. `on_card`: a card said it of itself; a list may not send us to a card."""
    if not verifier:
        return PinAsked.NO
    if on_card:
        return PinAsked.BY_CARD
    try:
        parse_verifier(verifier)
    except BadVerifier:
        return PinAsked.UNREADABLE
    return PinAsked.BY_LIST


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
    """By token: what was tried wrongly since the last right one.

    A card may count, too, for all stations that write on it: the larger number holds. `forgiven`: how much of the
    card's own count is over, by a right PIN or a person's word, as long as the card was not told so.
    """

    tries: dict[bytes, Tries] = {}
    forgiven: dict[bytes, int] = {}

    def tried(self, key: bytes, version: int, *, right: bool, wrong: int = 0, on_card: int = 0) -> None:
        """A PIN was typed. A right one forgets the wrong ones; against a newer PIN they are counted anew.

        `wrong`: how many these are, with those that only the card knew of; `on_card`: the card's own count before.
        """
        if right:
            self.tries.pop(key, None)
            if on_card:
                self.forgiven[key] = on_card
            return
        known = self.tries.get(key)
        before = 0 if known is None or known.version < version else known.wrong
        self.tries[key] = Tries(max(before + 1, wrong), version if known is None else max(known.version, version))

    def unlocked(self, key: bytes) -> None:
        """A person has said that it may be tried again, whatever its card counts."""
        self.tries.pop(key, None)
        self.forgiven[key] = ALL_OF_THEM

    def forgotten(self, key: bytes) -> None:
        """As `unlocked`, of what no card counts: a driver's codes."""
        self.tries.pop(key, None)

    def noted(self, key: bytes) -> None:
        """The card's own count is this station's now."""
        self.forgiven.pop(key, None)

    def wrong(self, key: bytes, version: int, on_card: int = 0) -> int:
        """Wrong tries in a row against the PIN of this version. From TRIES on it is locked.

        `on_card`: what its card counts of them.
        """
        known = self.tries.get(key)
        here = 0 if known is None or known.version < version else known.wrong
        return max(here, on_card - self.forgiven.get(key, 0))

"""Tokens: what is shown at the station to say who buys (a card or a plate), and how it is kept private.

Card numbers and plates are few enough to be guessed, so wherever they are stored or compared they are keyed
hashes (HMAC-SHA-256, cut to 8 bytes); people see them masked. Knows no list and no card.
"""

import hashlib
import hmac
from enum import StrEnum

import msgspec

KEY_BYTES = 8
MIN_CARD_DIGITS = 8
MAX_PLATE_LETTERS = 16
HIDDEN_OF_PLATE = 3
"""Letters of a plate that are never shown, however short it is: some plates have four."""


class TokenKind(StrEnum):
    CARD = "card"
    PLATE = "plate"


class Assurance(StrEnum):
    """How sure it is that the token is what it says."""

    PROVEN = "proven"
    """The card answered a cryptographic challenge."""
    IDENTIFIED = "identified"
    """Read or typed, and could be a copy: a UID, a plate."""


class TokenRef(msgspec.Struct, frozen=True, array_like=True):
    """A token as records and screens may hold it: a keyed hash to match, a masked text to show."""

    kind: TokenKind
    key: bytes
    shown: str
    assurance: Assurance


_PLATE_FOLD = str.maketrans(
    "ıiİАВЕІКМНОРСТХаеорсухіУЇ",
    "IIIABEIKMHOPCTXAEOPCYXIYI",
)
"""ı/i/İ as I, and Cyrillic letters that look like Latin ones as those (they stand on Ukrainian plates)."""


def fold_plate(text: str) -> str:
    """A plate as it is compared: capitals, without spaces, hyphens and dots, look-alikes made one.

    ValueError if nothing that could be a plate remains.
    """
    folded = "".join(ch for ch in text.translate(_PLATE_FOLD).upper().translate(_PLATE_FOLD) if ch not in " -.·")
    if not folded.isalnum() or len(folded) > MAX_PLATE_LETTERS:
        raise ValueError(f"{text!r} is not a plate: letters and digits, at most {MAX_PLATE_LETTERS}")
    return folded


def check_card_number(text: str) -> str:
    """A card number as it is compared: digits only. ValueError if it cannot be one (the number is not repeated)."""
    digits = text.replace(" ", "")
    if not (digits.isascii() and digits.isdecimal() and MIN_CARD_DIGITS <= len(digits) <= 19):
        raise ValueError(f"a card number has {MIN_CARD_DIGITS} to 19 digits and nothing else")
    return digits


def mask_card(number: str) -> str:
    """First six and last four digits, or the last four of a short number."""
    if len(number) >= 13:
        return f"{number[:6]}{'*' * (len(number) - 10)}{number[-4:]}"
    return "*" * (len(number) - 4) + number[-4:]


def mask_plate(plate: str) -> str:
    """Enough for the driver to know it again, not enough to look it up."""
    ends = min(2, max(len(plate) - HIDDEN_OF_PLATE, 0) // 2)
    return plate[:ends] + "*" * (len(plate) - 2 * ends) + plate[len(plate) - ends :]


def token_key(secret: bytes, kind: TokenKind, value: str) -> bytes:
    """The keyed hash of a folded plate or a checked card number: 8 bytes, one false match in 2 x 10^12."""
    return hmac.digest(secret, f"{kind}:{value}".encode(), hashlib.sha256)[:KEY_BYTES]


def card_token(secret: bytes, number: str, assurance: Assurance) -> TokenRef:
    digits = check_card_number(number)
    return TokenRef(TokenKind.CARD, token_key(secret, TokenKind.CARD, digits), mask_card(digits), assurance)


def plate_token(secret: bytes, text: str) -> TokenRef:
    plate = fold_plate(text)
    return TokenRef(TokenKind.PLATE, token_key(secret, TokenKind.PLATE, plate), mask_plate(plate), Assurance.IDENTIFIED)

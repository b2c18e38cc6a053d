"""Tokens: what is shown at the station to say who buys (a card or a plate), and how it is kept private.

Card numbers and plates are few enough to be guessed, so wherever they are stored or compared they are keyed
hashes (HMAC-SHA-256, cut to 8 bytes); people see them masked. Knows no list and no card.
"""

import hashlib
import hmac
import unicodedata
from enum import StrEnum

import msgspec

KEY_BYTES = 8
_HMAC_BLOCK = 64
"""SHA-256 takes bytes by so many: HMAC is defined by it (RFC 2104)."""
MIN_CARD_DIGITS = 8
MAX_PLATE_LETTERS = 16
MAX_DRIVER_LETTERS = 16
HIDDEN_OF_PLATE = 3
"""Letters of a plate that are never shown, however short it is: some plates have four."""


class TokenKind(StrEnum):
    CARD = "card"
    PLATE = "plate"
    PHONE = "phone"
    QR = "qr"
    """A code that is shown and scanned, signed for one use."""
    VOUCHER = "voucher"


class Assurance(StrEnum):
    """How sure it is that the token is what it says."""

    PROVEN = "proven"
    """The card answered a cryptographic challenge."""
    IDENTIFIED = "identified"
    """Read or typed, and could be a copy: a UID, a plate."""
    CAMERA = "camera"
    """A plate that a camera read at the pump: the vehicle stands there, or somebody's picture of it."""
    TAG = "tag"
    """A tag at the vehicle, read at its tank: it can be copied, and not carried away unseen."""

    @property
    def rank(self) -> int:
        """The higher, the surer."""
        return _RANKS.index(self)


_RANKS = (Assurance.IDENTIFIED, Assurance.CAMERA, Assurance.TAG, Assurance.PROVEN)


class TokenRef(msgspec.Struct, frozen=True, array_like=True):
    """A token as records and screens may hold it: a keyed hash to match, a masked text to show.

    On disk and on the wire `shown` is empty and `sealed` holds it, under a key that can be destroyed; everywhere else
    `sealed` is empty. Rows of before there were seals have it the other way round on disk too.
    """

    kind: TokenKind
    key: bytes
    shown: str
    assurance: Assurance
    sealed: bytes = b""


_LOOK_ALIKES = str.maketrans(
    "ıiİÐАВЕЅІЇЈКМНОРСТУХ",
    "IIIĐABESIIJKMHOPCTYX",
)
"""ı/i/İ as I, and Cyrillic letters that look like Latin ones as those (they stand on Ukrainian plates)."""
_BETWEEN = frozenset(("Zs", "Cf", "Pd", "Pc"))
"""Spaces and dashes of all sorts, and what cannot be seen: the categories of what only parts a plate's letters."""
_DOTS = ".·\u0307"
"""The last is the dot that lower case leaves over an i which was a capital İ."""


def plate_letters(text: str) -> str:
    """What is compared of a plate, or of whatever stands in its place: `fold_plate` refuses what cannot be one."""
    whole = unicodedata.normalize("NFKC", text).translate(_LOOK_ALIKES).upper().translate(_LOOK_ALIKES)
    return "".join(ch for ch in whole if ch not in _DOTS and unicodedata.category(ch) not in _BETWEEN)


def fold_plate(text: str) -> str:
    """A plate as it is compared: capitals, without spaces, dashes and dots, look-alikes made one.

    Of any country: `34 abc 123`, `51F-123.45`, `АА 1234 ВВ` (in Cyrillic or Latin), or a form that is not known here.
    ValueError if nothing that could be a plate remains.
    """
    folded = plate_letters(text)
    if not folded.isalnum() or len(folded) > MAX_PLATE_LETTERS:
        raise ValueError(f"{text!r} is not a plate: letters and digits, at most {MAX_PLATE_LETTERS}")
    return folded


_PHONE_FOLD = str.maketrans("", "", " -./()\u00a0")


def phone_digits(text: str) -> str:
    """What is compared of a phone number, or of whatever stands in its place: `fold_phone` refuses what is none."""
    digits = "".join(text.translate(_PHONE_FOLD).split())
    return f"+{digits[2:]}" if digits.startswith("00") else digits


def fold_phone(text: str) -> str:
    """A phone number as it is compared: + and 8 to 15 digits. ValueError if it is none (it is not repeated)."""
    digits = phone_digits(text)
    if not (digits.isascii() and digits[:1] == "+" and digits[1:].isdecimal() and len(digits) in range(9, 17)):
        raise ValueError("a phone number has its country's code, such as +90 for Türkiye, and at most 15 digits")
    return digits


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


PHONE_SHOWN = 4


def mask_phone(phone: str) -> str:
    """Its last four digits, of however many; of what is too short to be one, no more than half."""
    shown = min(PHONE_SHOWN, len(phone) // 2)
    return "*" * (len(phone) - shown) + phone[len(phone) - shown :]


def mask_plate(plate: str) -> str:
    """Enough for the driver to know it again, not enough to look it up."""
    ends = min(2, max(len(plate) - HIDDEN_OF_PLATE, 0) // 2)
    return plate[:ends] + "*" * (len(plate) - 2 * ends) + plate[len(plate) - ends :]


def token_key(secret: bytes, kind: TokenKind, value: str) -> bytes:
    """The keyed hash of a folded plate or a checked card number: 8 bytes, one false match in 2 x 10^12."""
    return hmac.digest(secret, f"{kind}:{value}".encode(), hashlib.sha256)[:KEY_BYTES]


class KeyedHash:
    """`token_key` for many tokens of one kind: the key and the kind are hashed once."""

    def __init__(self, secret: bytes, kind: TokenKind) -> None:
        block = secret if len(secret) <= _HMAC_BLOCK else hashlib.sha256(secret).digest()
        block = block.ljust(_HMAC_BLOCK, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + f"{kind}:".encode())
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def of(self, value: str) -> bytes:
        """The keyed hash of a folded value."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(value.encode())
        outer.update(inner.digest())
        return outer.digest()[:KEY_BYTES]


def list_key_print(secret: bytes) -> str:
    """What a list says of the key that it was hashed by: whether it is the same, and nothing else."""
    return hmac.digest(secret, b"fingerprint of a list key", hashlib.sha256)[:KEY_BYTES].hex()


def driver_key(secret: bytes, code: str) -> bytes:
    """The keyed hash of a driver's code, as a list row has it. ValueError if it is none: 2 to 16 letters and digits."""
    folded = code.strip().upper()
    if not (folded.isalnum() and 2 <= len(folded) <= MAX_DRIVER_LETTERS):
        raise ValueError(f"a driver's code has 2 to {MAX_DRIVER_LETTERS} letters and digits and nothing else")
    return hmac.digest(secret, f"driver:{folded}".encode(), hashlib.sha256)[:KEY_BYTES]


VOUCHER_LETTERS = range(4, 33)


def fold_voucher(text: str) -> str:
    """A voucher's id as it is compared: without spaces. ValueError if it cannot be one."""
    folded = "".join(text.split())
    if not (folded.isascii() and folded.isprintable() and len(folded) in VOUCHER_LETTERS):
        raise ValueError(f"a voucher's id has {VOUCHER_LETTERS[0]} to {VOUCHER_LETTERS[-1]} letters, digits and signs")
    return folded


def mask_voucher(voucher: str) -> str:
    """Its last letters: whoever knows all of it can spend it."""
    return "*" * (len(voucher) - len(voucher) // 4) + voucher[len(voucher) - len(voucher) // 4 :]


def phone_token(secret: bytes, text: str) -> TokenRef:
    """A phone number that was told: nobody has proven it."""
    phone = fold_phone(text)
    shown = mask_phone(phone.removeprefix("+"))
    return TokenRef(TokenKind.PHONE, token_key(secret, TokenKind.PHONE, phone), shown, Assurance.IDENTIFIED)


def voucher_token(secret: bytes, text: str) -> TokenRef:
    """A voucher by its id: who has it may use it."""
    voucher = fold_voucher(text)
    key = token_key(secret, TokenKind.VOUCHER, voucher)
    return TokenRef(TokenKind.VOUCHER, key, mask_voucher(voucher), Assurance.IDENTIFIED)


def card_token(secret: bytes, number: str, assurance: Assurance) -> TokenRef:
    digits = check_card_number(number)
    return TokenRef(TokenKind.CARD, token_key(secret, TokenKind.CARD, digits), mask_card(digits), assurance)


def plate_token(secret: bytes, text: str) -> TokenRef:
    plate = fold_plate(text)
    return TokenRef(TokenKind.PLATE, token_key(secret, TokenKind.PLATE, plate), mask_plate(plate), Assurance.IDENTIFIED)

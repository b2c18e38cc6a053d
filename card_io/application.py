"""The card application: where it lies on the card, and what file 01 says.

File 01, 32 bytes, MAC mode, read with the read key:

    offset length
     0      1     format of this file: 1
     1      1     version of the read key the card was last written under (for support; the card itself is asked
                  for the version before authentication)
     2     10     card number, 8 to 19 digits, two a byte, filled up with F
    12      4     scheme (the card programme), ASCII letters and digits, filled up with zeros
    16      8     issuer, ASCII letters and digits, filled up with zeros
    24      1     what else is on the card (`Part`), so that nobody asks for a file in vain: an error ends a session
    25      1     the purse's unit: 0 none, 1 money in minor units, 2 volume in ml, 3 points
    26      6     zeros in format 1

It must not know how the bytes were read, nor any key.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntFlag
from typing import Literal

from card_io.errors import NotOurCard

HEADER_FILE = 0x01
HEADER_LENGTH = 32
HEADER_FORMAT = 1

AID_LENGTH = 3
SYSTEM_ID_MAX = 20  # AN10922 takes 31 bytes: 7 of UID, 3 of AID, 1 of key number are before it
READ_KEY_NUMBER = 1
KEY_NUMBER_MAX = 13  # a DESFire application has at most 14 keys

MASTER_KEY_NUMBER, DEBIT_KEY_NUMBER, WRITE_KEY_NUMBER = 0, 2, 3
GUEST_KEY_NUMBERS = range(5, 10)  # reserved for the read keys of other acquirers
# Keys that are no application's, numbered for AN10922 and for the key stores:
TRANSACTION_MAC_KEY_NUMBER = 0x0F  # of file 0F, at headquarters only
CARD_KEY_NUMBER = 0x10  # the card's own master key

PurseUnit = Literal["money_minor", "volume_ml", "points"]
_UNITS: tuple[PurseUnit, ...] = ("money_minor", "volume_ml", "points")
_PARTS_AT, _UNIT_AT = 24, 25
_NUMBER_AT, _SCHEME_AT, _ISSUER_AT, _RESERVED_AT = slice(2, 12), slice(12, 16), slice(16, 24), slice(26, 32)
_PUBLIC_KEY_LENGTH = 32
_NUMBER_DIGITS = range(8, 20)  # ISO/IEC 7812: a primary account number has 8 to 19 digits


class Part(IntFlag):
    """What a card carries besides file 01."""

    NONE = 0
    ENTITLEMENT = 1
    PURSE = 2
    FILLS = 4
    COUNTERS = 8
    TRANSACTION_MAC = 16


ALL_PARTS = Part(31)


@dataclass(frozen=True, slots=True)
class CardProfile:
    """A network's cards. No secret in it.

    `aid`: 3 bytes in the order in which they travel to the card. `system_id`: 1 to 20 bytes that keep the keys of
    two networks apart which share a master by accident. `read_key_number`: 1 in the own network, 5 to 9 where this
    station is a guest acquirer. `uid_only`: whether a card without the application may identify by its bare UID.
    `issuer_keys`: headquarters' public Ed25519 keys, 32 bytes each; without any, entitlements are not read.
    """

    aid: bytes
    system_id: bytes
    read_key_number: int = READ_KEY_NUMBER
    uid_only: bool = True
    issuer_keys: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if len(self.aid) != AID_LENGTH or self.aid == bytes(AID_LENGTH):
            raise ValueError("the card application's AID is 3 bytes, not all of them zero")
        if not 1 <= len(self.system_id) <= SYSTEM_ID_MAX:
            raise ValueError(f"the system id has 1 to {SYSTEM_ID_MAX} bytes, not {len(self.system_id)}")
        if not 0 <= self.read_key_number <= KEY_NUMBER_MAX:
            raise ValueError(f"a key number is 0 to {KEY_NUMBER_MAX}, not {self.read_key_number}")
        if any(len(key) != _PUBLIC_KEY_LENGTH for key in self.issuer_keys):
            raise ValueError(f"a public key of headquarters has {_PUBLIC_KEY_LENGTH} bytes")

    @property
    def guest(self) -> bool:
        """Whether this station belongs to another acquirer: it reads what guests may read, and writes nothing."""
        return self.read_key_number in GUEST_KEY_NUMBERS

    def diversification(self, uid: bytes, key_number: int) -> bytes:
        """What goes into AN10922 for one key of one card: UID(7) | AID(3) | key number | system id."""
        return uid + self.aid + bytes((key_number,)) + self.system_id


@dataclass(frozen=True, slots=True)
class CardHeader:
    """File 01. Checked in the constructor; `encode` and `decode` are each other's inverse."""

    card_number: str = field(repr=False)
    scheme: str
    issuer: str
    key_version: int
    parts: Part = Part.NONE
    purse_unit: PurseUnit | None = None

    def __post_init__(self) -> None:
        if len(self.card_number) not in _NUMBER_DIGITS or not (
            self.card_number.isascii() and self.card_number.isdigit()
        ):
            raise ValueError("a card number has 8 to 19 digits")
        for name, text, limit in (("scheme", self.scheme, 4), ("issuer", self.issuer, 8)):
            if not (1 <= len(text) <= limit and text.isascii() and text.isalnum()):
                raise ValueError(f"{name} is 1 to {limit} ASCII letters and digits")
        if not 0 <= self.key_version <= 0xFF:
            raise ValueError("a key version is one byte")
        if not 0 <= self.parts <= ALL_PARTS or (Part.PURSE in self.parts) != (self.purse_unit is not None):
            raise ValueError("a card with a purse, and no other, has a unit of it")

    def encode(self) -> bytes:
        """The 32 bytes of file 01."""
        number = bytes.fromhex(self.card_number.ljust(20, "F"))
        scheme = self.scheme.encode("ascii").ljust(4, b"\0")
        issuer = self.issuer.encode("ascii").ljust(8, b"\0")
        unit = 0 if self.purse_unit is None else 1 + _UNITS.index(self.purse_unit)
        tail = bytes((self.parts, unit)) + bytes(6)
        return bytes((HEADER_FORMAT, self.key_version)) + number + scheme + issuer + tail

    @classmethod
    def decode(cls, data: bytes) -> CardHeader:
        """File 01 from its bytes. Raises NotOurCard for anything that `encode` would not write."""
        if len(data) != HEADER_LENGTH:
            raise NotOurCard(f"file 01 has {len(data)} bytes, not {HEADER_LENGTH}")
        if data[0] != HEADER_FORMAT:
            raise NotOurCard(f"file 01 has format {data[0]}, this station reads format {HEADER_FORMAT}")
        try:
            header = cls(
                card_number=data[_NUMBER_AT].hex().rstrip("f"),
                scheme=data[_SCHEME_AT].rstrip(b"\0").decode("ascii"),
                issuer=data[_ISSUER_AT].rstrip(b"\0").decode("ascii"),
                key_version=data[1],
                parts=_parts(data[_PARTS_AT]),
                purse_unit=(None, *_UNITS)[data[_UNIT_AT]],
            )
        except (ValueError, IndexError) as error:
            raise NotOurCard(f"file 01 cannot be read ({error})") from None
        if any(data[_RESERVED_AT]):
            raise NotOurCard("file 01 has bytes that format 1 does not know")
        return header


def _parts(bits: int) -> Part:
    if bits > ALL_PARTS:
        raise ValueError("parts that format 1 does not know")
    return Part(bits)


def masked(card_number: str) -> str:
    """A card number as screens and logs may show it: the first 6 and the last 4; short ones the last 4 only."""
    shown = 6 if len(card_number) >= 12 else 0
    return card_number[:shown] + "*" * (len(card_number) - shown - 4) + card_number[-4:]

"""The card application: where it lies on the card, and what file 01 says.

File 01, 32 bytes, MAC mode, read with the read key:

    offset length
     0      1     format of this file: 1
     1      1     version of the read key the card was last written under (for support; the card itself is asked
                  for the version before authentication)
     2     10     card number, 8 to 19 digits, two a byte, filled up with F
    12      4     scheme (the card programme), ASCII letters and digits, filled up with zeros
    16      8     issuer, ASCII letters and digits, filled up with zeros
    24      8     zeros in format 1

It must not know how the bytes were read, nor any key.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from card_io.errors import NotOurCard

HEADER_FILE = 0x01
HEADER_LENGTH = 32
HEADER_FORMAT = 1

AID_LENGTH = 3
SYSTEM_ID_MAX = 20  # AN10922 takes 31 bytes: 7 of UID, 3 of AID, 1 of key number are before it
READ_KEY_NUMBER = 1
KEY_NUMBER_MAX = 13  # a DESFire application has at most 14 keys

_NUMBER_AT, _SCHEME_AT, _ISSUER_AT, _RESERVED_AT = slice(2, 12), slice(12, 16), slice(16, 24), slice(24, 32)
_NUMBER_DIGITS = range(8, 20)  # ISO/IEC 7812: a primary account number has 8 to 19 digits


@dataclass(frozen=True, slots=True)
class CardProfile:
    """A network's cards. No secret in it.

    `aid`: 3 bytes in the order in which they travel to the card. `system_id`: 1 to 20 bytes that keep the keys of
    two networks apart which share a master by accident. `read_key_number`: 1 in the own network, 5 to 9 where this
    station is a guest acquirer. `uid_only`: whether a card without the application may identify by its bare UID.
    """

    aid: bytes
    system_id: bytes
    read_key_number: int = READ_KEY_NUMBER
    uid_only: bool = True

    def __post_init__(self) -> None:
        if len(self.aid) != AID_LENGTH or self.aid == bytes(AID_LENGTH):
            raise ValueError("the card application's AID is 3 bytes, not all of them zero")
        if not 1 <= len(self.system_id) <= SYSTEM_ID_MAX:
            raise ValueError(f"the system id has 1 to {SYSTEM_ID_MAX} bytes, not {len(self.system_id)}")
        if not 0 <= self.read_key_number <= KEY_NUMBER_MAX:
            raise ValueError(f"a key number is 0 to {KEY_NUMBER_MAX}, not {self.read_key_number}")

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

    def encode(self) -> bytes:
        """The 32 bytes of file 01."""
        number = bytes.fromhex(self.card_number.ljust(20, "F"))
        scheme = self.scheme.encode("ascii").ljust(4, b"\0")
        issuer = self.issuer.encode("ascii").ljust(8, b"\0")
        return bytes((HEADER_FORMAT, self.key_version)) + number + scheme + issuer + bytes(8)

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
            )
        except ValueError as error:
            raise NotOurCard(f"file 01 cannot be read ({error})") from None
        if any(data[_RESERVED_AT]):
            raise NotOurCard("file 01 has bytes that format 1 does not know")
        return header


def masked(card_number: str) -> str:
    """A card number as screens and logs may show it: the first 6 and the last 4; short ones the last 4 only."""
    shown = 6 if len(card_number) >= 12 else 0
    return card_number[:shown] + "*" * (len(card_number) - shown - 4) + card_number[-4:]

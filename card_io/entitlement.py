"""File 02: what a card's holder may do, signed by headquarters, so that a stolen station key cannot mint rights.

    format 1, length of all before the signature (1), UID (7), card number (10), issuer (8), sequence (4),
    first and last day of validity (2 each), currency (3),
    which limits there are (1) and these: of a fill, a day, a month, each volume in ml (4) and amount in minor units (5)
    product set: length (1) and text
    PIN verifier: 0, or 1 and the verifier (24)
    plates: how many (1), each its length (1) and text in UTF-8
    which key signed it (4), the Ed25519 signature (64), zeros up to 239

239 bytes, because that is the most that a short APDU answers encrypted: 240 with padding, and a MAC of 8. What is
signed is a label, and all before the signature. UID and card number are in it, so that it is of no use on another
card; the sequence says which of two entitlements of one card is the newer. Knows no session; whether a date or a
sequence is good is for the rules to say, not for the card.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from card_io.application import CardHeader
from card_io.errors import EntitlementForged, EntitlementKeyMissing, NotOurCard
from card_io.octets import Octets, day, day_of, digits, number
from card_io.pin import VERIFIER_LENGTH, PinVerifier

ENTITLEMENT_FILE = 0x02
ENTITLEMENT_LENGTH = 239
ENTITLEMENT_FORMAT = 1
PLATE_BYTES_MAX = 16
PRODUCT_SET_MAX = 16

KEY_ID_LENGTH = 4
SIGNATURE_LENGTH = 64
PUBLIC_KEY_LENGTH = 32
_LABEL = b"forecourt card entitlement 1\0"
_LIMIT_LENGTHS = (4, 5) * 3


@dataclass(frozen=True, slots=True)
class Limits:
    """At most so much; None is no limit."""

    volume_ml: int | None = None
    amount_minor: int | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Entitlement:
    """Checked in the constructor; `encode` and `decode` are each other's inverse.

    `product_set` names a set that the network's rules know. `plates` are folded: capital letters and digits, nothing
    between them; empty is any vehicle. `valid_until` is the last good day.
    """

    uid: bytes
    card_number: str = field(repr=False)
    issuer: str
    sequence: int
    valid_from: date
    valid_until: date
    product_set: str
    currency: str
    fill: Limits = NO_LIMITS
    day: Limits = NO_LIMITS
    month: Limits = NO_LIMITS
    plates: tuple[str, ...] = field(default=(), repr=False)
    pin: PinVerifier | None = None

    def __post_init__(self) -> None:
        CardHeader(self.card_number, "X", self.issuer, 0)  # the same rules for number and issuer
        if len(self.uid) != 7:
            raise ValueError(f"the UID of a card has 7 bytes, not {len(self.uid)}")
        if self.valid_until < self.valid_from:
            raise ValueError("the last day of validity is before the first")
        if not (len(self.currency) == 3 and self.currency.isascii() and self.currency.isupper()):
            raise ValueError("a currency is three capital letters")
        word = self.product_set.replace("-", "").replace("_", "")
        if not (1 <= len(self.product_set) <= PRODUCT_SET_MAX and word.isascii() and word.isalnum()):
            raise ValueError(f"a product set is named by 1 to {PRODUCT_SET_MAX} ASCII letters, digits, - and _")
        for plate in self.plates:
            if not (plate.isalnum() and plate == plate.upper() and len(plate.encode()) <= PLATE_BYTES_MAX):
                raise ValueError(f"a plate is capital letters and digits, at most {PLATE_BYTES_MAX} bytes of UTF-8")
        if (length := len(self.encode()) + KEY_ID_LENGTH + SIGNATURE_LENGTH) > ENTITLEMENT_LENGTH:
            raise ValueError(f"the entitlement takes {length} bytes of {ENTITLEMENT_LENGTH}: give fewer plates")

    def encode(self) -> bytes:
        """All before the signing key's name."""
        limits = (
            self.fill.volume_ml,
            self.fill.amount_minor,
            self.day.volume_ml,
            self.day.amount_minor,
            self.month.volume_ml,
            self.month.amount_minor,
        )
        there = sum(1 << bit for bit, limit in enumerate(limits) if limit is not None)
        plates = [plate.encode() for plate in self.plates]
        parts = [
            self.uid,
            digits(self.card_number),
            self.issuer.encode("ascii").ljust(8, b"\0"),
            number(self.sequence, 4, "the sequence"),
            day(self.valid_from, "the first day of validity"),
            day(self.valid_until, "the last day of validity"),
            self.currency.encode("ascii"),
            bytes((there,)),
            *(
                number(limit, length, "a limit")
                for limit, length in zip(limits, _LIMIT_LENGTHS, strict=True)
                if limit is not None
            ),
            _counted(self.product_set.encode("ascii")),
            b"\0" if self.pin is None else b"\1" + bytes(self.pin),
            number(len(plates), 1, "the number of plates"),
            *map(_counted, plates),
        ]
        body = b"".join(parts)
        length = 2 + len(body) + KEY_ID_LENGTH
        return bytes((ENTITLEMENT_FORMAT, min(length, 0xFF))) + body

    def signed(self, signer: Signer) -> bytes:
        """File 02, all 239 bytes of it."""
        body = self.encode() + key_id(signer.public_key)
        return (body + signer.sign(_LABEL + body)).ljust(ENTITLEMENT_LENGTH, b"\0")


class Signer(Protocol):
    """Headquarters' signing key, wherever it is kept."""

    @property
    def public_key(self) -> bytes:
        """32 bytes."""

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature, 64 bytes."""


def key_id(public_key: bytes) -> bytes:
    """Four bytes that tell signing keys apart; they prove nothing."""
    return hashlib.sha256(public_key).digest()[:KEY_ID_LENGTH]


def verified(data: bytes, public_keys: Iterable[bytes], uid: bytes, card_number: str) -> Entitlement:
    """File 02 of the card with this proven UID and number, its signature checked with one of these Ed25519 keys.

    Raises EntitlementKeyMissing, EntitlementForged (wrong signature, or another card's), NotOurCard (no format of
    ours).
    """
    body, signature = _split(data)
    by_id = {key_id(public_key): public_key for public_key in public_keys}
    public_key = by_id.get(body[-KEY_ID_LENGTH:])
    if public_key is None:
        raise EntitlementKeyMissing(
            f"the card's entitlement is signed with key {body[-KEY_ID_LENGTH:].hex()}, which this station does not have"
        )
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, _LABEL + body)
    except InvalidSignature:
        raise EntitlementForged("the signature of the card's entitlement is wrong") from None
    entitlement = _decoded(body)
    if entitlement.uid != uid:
        raise EntitlementForged("the card's entitlement belongs to a card of another UID")
    if entitlement.card_number != card_number:
        raise EntitlementForged("the card's entitlement belongs to another card number")
    return entitlement


def decode(data: bytes) -> Entitlement:
    """File 02 from its bytes, its signature not looked at. Raises NotOurCard for what `signed` would not write."""
    body, _ = _split(data)
    return _decoded(body)


def _decoded(body: bytes) -> Entitlement:
    try:
        entitlement = _decode(Octets(body[2:]))
        if entitlement.encode() != body[:-KEY_ID_LENGTH]:
            raise ValueError("bytes that format 1 does not know")
    except ValueError as error:
        raise NotOurCard(f"file 02 cannot be read ({error})") from None
    return entitlement


def _split(data: bytes) -> tuple[bytes, bytes]:
    """What is signed, and the signature."""
    if len(data) != ENTITLEMENT_LENGTH:
        raise NotOurCard(f"file 02 has {len(data)} bytes, not {ENTITLEMENT_LENGTH}")
    if data[0] != ENTITLEMENT_FORMAT:
        raise NotOurCard(f"file 02 has format {data[0]}, this program reads format {ENTITLEMENT_FORMAT}")
    length = data[1]
    signature = data[length : length + SIGNATURE_LENGTH]
    if length < 2 + KEY_ID_LENGTH or len(signature) != SIGNATURE_LENGTH:
        raise NotOurCard("file 02 cannot be read (its length is wrong)")
    if any(data[length + SIGNATURE_LENGTH :]):
        raise NotOurCard("file 02 has bytes that format 1 does not know")
    return data[:length], signature


def _decode(data: Octets) -> Entitlement:
    uid, card_number, issuer = data.take(7), data.take(10).hex().rstrip("f"), data.text(8)
    sequence, first, last = data.number(4), day_of(data.number(2)), day_of(data.number(2))
    currency, there = data.take(3).decode("ascii"), data.number(1)
    limits = [data.number(length) if there >> bit & 1 else None for bit, length in enumerate(_LIMIT_LENGTHS)]
    product_set = data.counted().decode("ascii")
    pin = PinVerifier.parse(data.take(VERIFIER_LENGTH)) if data.number(1) else None
    plates = tuple(data.counted().decode() for _ in range(data.number(1)))
    fill, of_day, of_month = (Limits(*limits[at : at + 2]) for at in (0, 2, 4))
    return Entitlement(
        uid, card_number, issuer, sequence, first, last, product_set, currency, fill, of_day, of_month, plates, pin
    )


def _counted(raw: bytes) -> bytes:
    return bytes((len(raw),)) + raw

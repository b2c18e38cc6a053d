"""What two card issuers send each other, as files: their cards and keys, and what was sold to them.

A package is two lines of text: JSON, and the sender's Ed25519 signature over the bytes of the first, in hex. It names
sender and receiver, and has a number: from 1, one more each time, by sender and receiver. So a package that is
missing, comes twice, was changed or was meant for somebody else is found. Bytes in, bytes out; knows no
database, clock and file.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from controller.domain.tokens import check_card_number, mask_card

FORMAT: Literal["forecourt-exchange/1"] = "forecourt-exchange/1"
MOST = 10**15
"""Of any amount or volume: beyond all that is sold."""
PACKAGE_BYTES_MAX = 256 << 20
YEAR_MIN = 1970
A_DAY = timedelta(days=1)
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"

Name = Annotated[str, msgspec.Meta(pattern=_NAME)]
Ref = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f-\x9f]*\Z")]
"""Printed at a terminal: nothing in it moves a cursor."""
Sequence = Annotated[int, msgspec.Meta(ge=1, le=MOST)]
Exact = Annotated[int, msgspec.Meta(ge=-MOST, le=MOST)]


class PackageError(ValueError):
    """A package that is not taken; the text says why, and what to ask of its sender."""


class ListedCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A card of the sender: `stopped` is the stop list. `valid_until`: its last day."""

    card: str
    contract: Ref
    stopped: bool = False
    valid_until: date | None = None


class IssuerKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The public key by which the sender signs what its cards may, in hex, and its number."""

    number: Annotated[int, msgspec.Meta(ge=0, le=255)]
    public_key: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Transaction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fuel that the sender gave for a card of the receiver. `ref`: the sender's own name of it, once for ever.

    `reverses`: the ref of an earlier one that this takes back; its volume and amount are then below zero.
    """

    ref: Ref
    at: datetime
    card: str
    station: Ref
    product: Literal["gasoline", "diesel", "autogas", "cng"]
    volume_ml: Exact
    amount_minor: Exact
    reverses: Ref | None = None


class _Package(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    format: Literal["forecourt-exchange/1"]
    sender: Name
    receiver: Name
    sequence: Sequence
    made_at: datetime


class Service(_Package, frozen=True, tag="service"):
    """All cards and keys of the sender as they stand: in place of all that it said before."""

    cards: tuple[ListedCard, ...]
    keys: tuple[IssuerKey, ...] = ()


class Traded(_Package, frozen=True, tag="transactions"):
    """All that is settled between the two for `day`, in one direction. Sent for each day, also when there was nothing.

    What came too late for its day is in a later one, with its own time.
    """

    day: date
    currency: Annotated[str, msgspec.Meta(min_length=3, max_length=3)]
    transactions: tuple[Transaction, ...]


Package = Service | Traded

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Package] = msgspec.json.Decoder(Package)
_SIGNATURE = re.compile(rb"[0-9a-f]{128}")


def pack(package: Package, key: Ed25519PrivateKey) -> bytes:
    """The package's two lines, signed by its sender."""
    line = _encoder.encode(package)
    return line + b"\n" + key.sign(line).hex().encode() + b"\n"


def unpack(data: bytes, receiver: str, senders: Mapping[str, bytes]) -> Package:
    """The package that `receiver` was sent, after all checks that need nothing else. `senders`: public keys by name.

    With `receiver` among the senders, one that it sent itself, and that came back. PackageError: not signed by who it
    says, not for this receiver, or something in it cannot be.
    """
    line, _, rest = data.partition(b"\n")
    signature = rest.strip()
    if not _SIGNATURE.fullmatch(signature):
        raise PackageError("it is not two lines, JSON and a signature of 128 hex digits: was the file cut off?")
    try:
        package = _decoder.decode(line)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise PackageError(f"its first line is no package: {error}") from error
    public = senders.get(package.sender)
    if public is None:
        raise PackageError(f"it is from {package.sender}, who is no partner here: forecourt hq exchange partner")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(bytes.fromhex(signature.decode()), line)
    except InvalidSignature:
        raise PackageError(
            f"it was not signed by {package.sender}, or was changed since: ask them to send it again"
        ) from None
    if receiver not in (package.receiver, package.sender):
        raise PackageError(f"it is for {package.receiver}, and this is {receiver}: send it on to them")
    _check(package)
    return package


def read_kept(data: bytes) -> Package:
    """A package whose signature was checked when it came, or that was signed here."""
    return _decoder.decode(data.partition(b"\n")[0])


def _check(package: Package) -> None:
    if package.made_at.tzinfo is None:
        raise PackageError("made_at has no offset from UTC")
    cards = [entry.card for entry in (package.cards if isinstance(package, Service) else package.transactions)]
    for number, card in enumerate(cards, 1):
        try:
            check_card_number(card)
        except ValueError as error:
            raise PackageError(f"entry {number}: {error}") from error
    seen: set[str] = set()
    if isinstance(package, Service):
        for listed in package.cards:
            if listed.card in seen:
                raise PackageError(f"the card {mask_card(listed.card)} stands in it twice")
            seen.add(listed.card)
        return
    for sold in package.transactions:
        if sold.ref in seen:
            raise PackageError(f"the transaction {sold.ref} stands in it twice")
        seen.add(sold.ref)
        if sold.at.tzinfo is None:
            raise PackageError(f"the time of {sold.ref} has no offset from UTC")
        if sold.at.year < YEAR_MIN or sold.at > package.made_at + A_DAY:
            raise PackageError(f"the time of {sold.ref} cannot be: {sold.at:%Y-%m-%d}")
        sign = 1 if sold.reverses is None else -1
        nothing = sold.volume_ml == sold.amount_minor == 0
        if sign * sold.volume_ml < 0 or sign * sold.amount_minor < 0 or (nothing and sign < 0):
            raise PackageError(f"{sold.ref}: below zero is what reverses another transaction, and nothing else")

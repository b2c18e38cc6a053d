"""Headquarters' release of a purse's debit: it takes over what is left of it, because the card cannot tell any more.

As text, so that it can be told by any way: `<debit's epoch in hex>-<seq>/<amount>/<signature in base64url>`. What is
signed is a label, the station's number, the debit's name and the amount; a release is of no use at another station.
Knows no card, no journal and no key file.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from card_io.counters import EPOCH_LENGTH
from card_io.entitlement import SIGNATURE_LENGTH, Signer
from card_io.errors import ReleaseForged
from card_io.octets import number

_LABEL = b"forecourt purse release 1\0"


@dataclass(frozen=True, slots=True)
class Release:
    """`station`, `epoch` and `seq` name the debit as the card does; `amount` is in the purse's unit."""

    station: int
    epoch: bytes
    seq: int
    amount: int

    def message(self) -> bytes:
        """What is signed. ValueError for numbers that no debit has."""
        if len(self.epoch) != EPOCH_LENGTH:
            raise ValueError(f"an epoch has {EPOCH_LENGTH} bytes, not {len(self.epoch)}")
        return b"".join(
            (
                _LABEL,
                number(self.station, 4, "a station's number"),
                self.epoch,
                number(self.seq, 4, "a sequence number"),
                number(self.amount, 4, "an amount"),
            )
        )

    def signed(self, signer: Signer) -> str:
        """The release, as it is told to the station."""
        signature = base64.urlsafe_b64encode(signer.sign(self.message())).decode().rstrip("=")
        return f"{self.epoch.hex()}-{self.seq}/{self.amount}/{signature}"


def read_release(text: str, station: int = 0) -> tuple[Release, bytes]:
    """What the text says, for this station, and its signature, which nobody has checked. Raises ReleaseForged."""
    try:
        name, amount, encoded = "".join(text.split()).split("/")
        epoch, seq = name.split("-")
        release = Release(station, bytes.fromhex(epoch), int(seq), int(amount))
        signature = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        release.message()
    except (ValueError, binascii.Error):
        raise ReleaseForged("this is no release of a card purse") from None
    return release, signature


def verified_release(text: str, station: int, public_keys: Iterable[bytes]) -> tuple[Release, bytes]:
    """The release for this station and its signature. Raises ReleaseForged for whatever headquarters did not sign."""
    release, signature = read_release(text, station)
    message = release.message()
    if len(signature) == SIGNATURE_LENGTH:
        for public_key in public_keys:
            try:
                Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
            except InvalidSignature:
                continue
            return release, signature
    raise ReleaseForged("headquarters did not sign this release for this station")

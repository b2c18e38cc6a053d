"""Who is this card? The session that proves a card of the network, or identifies a foreign one by its bare UID.

    5A  select the application           not there: FF CA, the card is "identified" (weak) and no more
    60  GetVersion: the UID              diversifies the key; a claim until step 51
    64  version of the read key          chooses the master, so that keys can be rotated card by card
    71  authenticate with the read key   proves the card
    51  UID under encryption             proves the UID
    AD  file 01 under MAC                card number, scheme, issuer

Sans-IO: randomness and keys come in, commands and facts go out. It must not know readers, lists or limits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from card_io.apdu import DESFIRE_OK, Command
from card_io.application import HEADER_FILE, HEADER_LENGTH, CardHeader, CardProfile, masked
from card_io.desfire.crypto import BLOCK, same
from card_io.desfire.secure import UID_LENGTH, authenticate_ev2_first
from card_io.errors import CardStatusError, NotOurCard, ProofFailed
from card_io.keys import KeyStore
from card_io.session import Steps, StepSession, exchange

SELECT_APPLICATION = 0x5A
GET_VERSION = 0x60
GET_KEY_VERSION = 0x64
GET_UID = Command(0xFF, 0xCA, le=0)  # PC/SC part 3: the reader itself answers, with the UID of the anticollision

APPLICATION_NOT_FOUND = 0x91A0
_DESFIRE_STATUS = 0x91
_ISO_OK = 0x9000
_VERSION_LENGTHS = (28, 29)  # 7 hardware, 7 software, 14 production; EV3 may add a byte of fab key
_VERSION_UID_AT = slice(14, 21)
_UID_LENGTHS = (4, 7, 10)  # ISO/IEC 14443-3: single, double, triple size
_RANDOM_UID_FIRST = 0x08  # ISO/IEC 14443-3: a 4-byte UID that begins with 08 is drawn anew each time

Assurance = Literal["proven", "identified"]


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What is known of a card.

    "proven": it holds its key, and UID, number and issuer are its own. "identified": it has a UID, which anybody
    can copy; number and issuer are None. `uid` is 4, 7 or 10 bytes (7 when proven).
    """

    uid: bytes
    card_number: str | None
    issuer: str | None
    assurance: Assurance
    scheme: str | None = None
    key_version: int | None = None

    def __post_init__(self) -> None:
        if (self.assurance == "proven") == (self.card_number is None):
            raise ValueError("a proven card has a number, an identified one has none")

    def __repr__(self) -> str:
        number = "none" if self.card_number is None else masked(self.card_number)
        return f"CardFacts(uid=..{self.uid[-2:].hex()}, number={number}, {self.issuer}, {self.assurance})"


class IdentifySession(StepSession[CardFacts]):
    """One card, once. `random_bytes(n)` gives n fresh random bytes; it is asked once, for 16."""

    def __init__(self, profile: CardProfile, keys: KeyStore, random_bytes: Callable[[int], bytes]) -> None:
        super().__init__(_identify(profile, keys, random_bytes))


def _identify(profile: CardProfile, keys: KeyStore, random_bytes: Callable[[int], bytes]) -> Steps[CardFacts]:
    selected = yield Command.desfire(SELECT_APPLICATION, profile.aid)
    if selected.status == APPLICATION_NOT_FOUND or selected.status >> 8 != _DESFIRE_STATUS:
        return (yield from _uid_only(profile))
    if selected.status != DESFIRE_OK:
        raise CardStatusError(selected.status, "to select the application")
    claimed = yield from _claimed_uid()
    number = profile.read_key_number
    version = yield from _key_version(number)
    key = keys.read_key(version, profile.diversification(claimed, number))
    channel = yield from authenticate_ev2_first(key, number, random_bytes(BLOCK))
    uid = yield from channel.card_uid()
    if not same(uid, claimed):
        raise ProofFailed("the card claims one UID and proves another")
    header = CardHeader.decode((yield from channel.read_data(HEADER_FILE, 0, HEADER_LENGTH)))
    return CardFacts(uid, header.card_number, header.issuer, "proven", header.scheme, version)


def _uid_only(profile: CardProfile) -> Steps[CardFacts]:
    if not profile.uid_only:
        raise NotOurCard("the card does not carry this network's application")
    response = yield GET_UID
    if response.status != _ISO_OK:
        raise NotOurCard("the card has neither this network's application nor a UID that the reader knows")
    uid = response.data
    if len(uid) not in _UID_LENGTHS:
        raise NotOurCard(f"the reader gave a UID of {len(uid)} bytes")
    if len(uid) == 4 and uid[0] == _RANDOM_UID_FIRST:
        raise NotOurCard("the card shows another UID each time")
    return CardFacts(uid, None, None, "identified")


def _claimed_uid() -> Steps[bytes]:
    response = yield from exchange(Command.desfire(GET_VERSION))
    if response.status != DESFIRE_OK:
        raise CardStatusError(response.status, "to say its version")
    if len(response.data) not in _VERSION_LENGTHS:
        raise NotOurCard(f"the card's version has {len(response.data)} bytes")
    uid = response.data[_VERSION_UID_AT]
    if uid == bytes(UID_LENGTH):
        raise NotOurCard("the card hides its UID (random identifiers are switched on)")
    return uid


def _key_version(number: int) -> Steps[int]:
    response = yield Command.desfire(GET_KEY_VERSION, bytes((number,)))
    if response.status != DESFIRE_OK:
        raise CardStatusError(response.status, f"to say the version of key {number}")
    if len(response.data) != 1:
        raise NotOurCard(f"the version of key {number} has {len(response.data)} bytes")
    return response.data[0]

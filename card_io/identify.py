"""Who is this card? The sessions that prove a card of the network, or identify a foreign one by its bare UID.

`IdentifySession` proves it and reads file 01 (see `card_io.conversation`). `TapSession` goes on, as far as the card
carries more and this station has the keys:

    AD  file 02, full       the entitlement, its signature checked
    AD  file 05, full       counters, and the open debit of the purse
    AD  file 0F             the card's count of commits, where there is a purse
    64  77  6C              the purse's value, under the debit key: the read key has no right to it

At most 12 commands; a guest acquirer's station stops before the last two lines. A card without the application is
asked for its UID by FF CA, and is "identified" (weak).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

from card_io.apdu import Command
from card_io.application import DEBIT_KEY_NUMBER, CardHeader, CardProfile, Part
from card_io.conversation import APPLICATION_NOT_FOUND, Conversation, RandomBytes, select
from card_io.counters import Counters
from card_io.desfire.channel import accepted
from card_io.desfire.commands import get_value, read_data
from card_io.entitlement import ENTITLEMENT_FILE, ENTITLEMENT_LENGTH, Entitlement, verified
from card_io.errors import KeyMissing, NotOurCard
from card_io.facts import Assurance, CardFacts, Purse
from card_io.keys import KeyStore
from card_io.layout import ENTITLEMENT_MODE, PURSE_FILE, PURSE_MODE
from card_io.meanwhile import Meanwhile, at_once
from card_io.session import Steps, StepSession

__all__ = ["Assurance", "CardFacts", "IdentifySession", "Purse", "TapSession", "facts_of"]

GET_UID = Command(0xFF, 0xCA, le=0)  # PC/SC part 3: the reader itself answers, with the UID of the anticollision

_DESFIRE_STATUS = 0x91
_ISO_OK = 0x9000
_UID_LENGTHS = (4, 7, 10)  # ISO/IEC 14443-3: single, double, triple size
_RANDOM_UID_FIRST = 0x08  # ISO/IEC 14443-3: a 4-byte UID that begins with 08 is drawn anew each time


class IdentifySession(StepSession[CardFacts]):
    """One card, once: who it is. `random_bytes(n)` gives n fresh random bytes; it is asked once, for 16."""

    def __init__(self, profile: CardProfile, keys: KeyStore, random_bytes: RandomBytes) -> None:
        super().__init__(_identify(Conversation(profile, keys, random_bytes)))


class TapSession(StepSession[CardFacts]):
    """One card, once: who it is, what it may, what it has used and what is in its purse.

    The entitlement's signature is checked `meanwhile`; there is no result before it is good.
    """

    def __init__(
        self, profile: CardProfile, keys: KeyStore, random_bytes: RandomBytes, *, meanwhile: Meanwhile = at_once
    ) -> None:
        super().__init__(_tap(Conversation(profile, keys, random_bytes, meanwhile=meanwhile)))


def _identify(card: Conversation) -> Steps[CardFacts]:
    found = yield from _proven(card)
    return found if isinstance(found, CardFacts) else _who(card, *found)


def _tap(card: Conversation) -> Steps[CardFacts]:
    found = yield from _proven(card)
    if isinstance(found, CardFacts):
        return found
    return (yield from facts_of(card, *found))


def facts_of(card: Conversation, header: CardHeader, key_version: int) -> Steps[CardFacts]:
    """What a proven card carries; the session stands under the read key before it."""
    checked: Callable[[], Entitlement] | None = None
    counters: Counters | None = None
    purse: Purse | None = None
    if Part.ENTITLEMENT in header.parts and card.profile.issuer_keys:
        raw = yield from read_data(card.channel, ENTITLEMENT_FILE, ENTITLEMENT_LENGTH, ENTITLEMENT_MODE)
        checked = card.meanwhile(partial(verified, raw, card.profile.issuer_keys, card.uid, header.card_number))
    if Part.COUNTERS in header.parts:
        counters = yield from card.counters()
    if header.purse_unit is not None and not card.profile.guest:  # a guest has no right to it
        counter = None
        if Part.TRANSACTION_MAC in header.parts:
            counter = (yield from card.transaction_mac()).counter
        with suppress(KeyMissing):  # a station without the debit key sees no purse
            yield from card.switch(DEBIT_KEY_NUMBER)
            value = yield from get_value(card.channel, PURSE_FILE, PURSE_MODE)
            purse = Purse(value, header.purse_unit, counter)
    entitlement = None if checked is None else checked()
    return CardFacts(
        card.uid, header.card_number, header.issuer, "proven", header.scheme, key_version, entitlement, counters, purse
    )


def _who(card: Conversation, header: CardHeader, key_version: int) -> CardFacts:
    return CardFacts(card.uid, header.card_number, header.issuer, "proven", header.scheme, key_version)


def _proven(card: Conversation) -> Steps[CardFacts | tuple[CardHeader, int]]:
    """File 01 of a proven card and the version of the key that proved it; or who a foreign card says it is."""
    selected = yield from select(card.profile.aid)
    if selected.status == APPLICATION_NOT_FOUND or selected.status >> 8 != _DESFIRE_STATUS:
        return (yield from _uid_only(card.profile))
    accepted(selected, "to select the application")
    yield from card.meet()
    version = yield from card.authenticate(card.profile.read_key_number)
    yield from card.prove_uid()
    return (yield from card.header()), version


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

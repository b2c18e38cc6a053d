"""Simulated cards as a network's card bureau would make them, and as they leave the factory.

This is the simulator's bureau: it knows masters that a station never holds, and makes them up where it is not told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from card_io.application import HEADER_FILE, CardHeader, CardProfile
from card_io.desfire.crypto import BLOCK, AesKey, diversify_raw
from sim.cards.card import SimCard
from sim.cards.state import Application, CardState, KeyState, MasterKey, MasterKind, Rights, StandardFile

APPLICATION_KEYS = range(10)  # 0 master, 1 read, 2 debit, 3 write, 4 spare, 5..9 read keys of other acquirers
MASTER_KEY, WRITE_KEY = 0, 3


@dataclass(frozen=True, slots=True)
class Masters:
    """A network's masters: key number -> 16 bytes, of one version. Missing ones become random keys on the card."""

    profile: CardProfile
    keys: Mapping[int, bytes] = field(repr=False)
    key_version: int = 1


def make_card(
    card_number: str,
    issuer: str,
    uid: bytes,
    masters: Masters,
    random: Callable[[int], bytes],
    *,
    scheme: str = "FLT1",
) -> SimCard:
    """A proven card: the application with its diversified keys, and file 01. `uid` is 7 bytes."""
    profile, version = masters.profile, masters.key_version
    header = CardHeader(card_number, scheme, issuer, version)
    keys = [
        KeyState(
            diversify_raw(AesKey(masters.keys[number]), profile.diversification(uid, number))
            if number in masters.keys
            else random(BLOCK),
            version,
        )
        for number in APPLICATION_KEYS
    ]
    rights = Rights(read=profile.read_key_number, write=WRITE_KEY, change=MASTER_KEY)
    application = Application(profile.aid, keys, files={HEADER_FILE: StandardFile("mac", rights, header.encode())})
    return SimCard(CardState(uid=uid, applications=[application]), random)


def new_state(uid: bytes, master: MasterKind = "3des") -> CardState:
    """A card as it is delivered: no application, a master key of zeros. `uid` is 7 bytes."""
    return CardState(uid=uid, master=MasterKey(kind=master))


def make_uid_only_card(uid: bytes, random: Callable[[int], bytes]) -> SimCard:
    """A card or tag with nothing but a UID of 4, 7 or 10 bytes."""
    return SimCard(CardState(uid=uid, kind="uid_only"), random)

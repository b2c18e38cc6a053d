"""A card office for tests: a vault, cards as they are delivered, issued ones, and a way to tear a session."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, TypeVar

from card_io import errors
from card_io.apdu import Response
from card_io.application import ALL_PARTS, CardHeader, CardProfile, Part
from card_io.counters import PurseIntent
from card_io.entitlement import Entitlement, Limits
from card_io.facts import CardFacts
from card_io.fills import CardFill
from card_io.identify import TapSession
from card_io.issue import Issued, IssueSession
from card_io.keys import KeyRing
from card_io.layout import CardLayout
from card_io.rotate import LoadSession
from card_io.session import CardSession
from card_io.transaction import Changed
from card_io.transport import run_session_blocking
from card_io.vault import Vault
from sim.cards.card import SimCard
from sim.cards.make import new_state
from tests.cards.bench import NUMBER, PROFILE, UID, seeded

T = TypeVar("T")

VERSION = 3
VAULT = Vault.make(seeded(7), VERSION)
OFFICE = CardProfile(PROFILE.aid, PROFILE.system_id, issuer_keys=(VAULT.public_key,))
LAYOUT = CardLayout(ALL_PARTS, "money_minor", 1_000_000, mac_key_version=VERSION)
HEADER = CardHeader(NUMBER, "FLT1", "ACME", VERSION, ALL_PARTS, "money_minor")
READER_ID = b"station 00000012"
TODAY = date(2026, 3, 14)
STATION_KEYS = KeyRing.from_handover(
    {f"{number}.{VERSION}": VAULT.for_station(number)[str(number)][str(VERSION)] for number in (1, 2)}
)
INTENT = PurseIntent(12, bytes(range(8)), 4711, 50_000)
FILL = CardFill(12, bytes(range(8)), 4712, 3, 1, 41_230, 48_000, 1_773_480_000)


def entitlement(uid: bytes = UID, number: str = NUMBER) -> Entitlement:
    first, last = date(2026, 1, 1), date(2028, 12, 31)
    fill, of_day = Limits(80_000, 500_000), Limits(None, 900_000)
    return Entitlement(uid, number, "ACME", 5, first, last, "lpg", "TRY", fill, of_day, plates=("34ABC123",))


def signed_for(uid: bytes) -> bytes:
    return entitlement(uid).signed(VAULT)


def blank(uid: bytes = UID, seed: int = 1) -> SimCard:
    return SimCard(new_state(uid), seeded(seed))


def run(session: CardSession[T], card: SimCard) -> T:
    card.reset()
    return run_session_blocking(session, card.transmit)


def issue(card: SimCard, layout: CardLayout = LAYOUT, header: CardHeader = HEADER, seed: int = 2) -> Issued:
    has = Part.ENTITLEMENT in layout.parts
    return run(issuing(layout, header, seed, entitled=has), card)


def issuing(
    layout: CardLayout = LAYOUT, header: CardHeader = HEADER, seed: int = 2, *, entitled: bool = True
) -> IssueSession:
    return IssueSession(
        OFFICE, VAULT, seeded(seed), layout=layout, header=header, entitlement=signed_for if entitled else None
    )


def issued(layout: CardLayout = LAYOUT, header: CardHeader = HEADER) -> SimCard:
    card = blank()
    issue(card, layout, header)
    return card


def loaded(amount: int = 200_000) -> SimCard:
    card = issued()
    assert load(card, amount).outcome == "applied"
    return card


def load(card: SimCard, amount: int, seed: int = 3) -> Changed:
    return run(LoadSession(OFFICE, VAULT, seeded(seed), uid=UID, amount=amount, reader_id=READER_ID), card)


def tap(card: SimCard, seed: int = 4) -> CardFacts:
    return run(TapSession(OFFICE, STATION_KEYS, seeded(seed)), card)


def torn(session: CardSession[T], card: SimCard, after: int, *, heard: bool) -> T:
    """The session, until the card is torn out at command `after` (from 0): which it still hears, or not."""
    count = -1

    def transmit(apdu: bytes) -> bytes:
        nonlocal count
        count += 1
        if count == after:
            if heard:
                card.transmit(apdu)
            raise errors.CardRemoved("the card was taken away too early")
        return card.transmit(apdu)

    card.reset()
    try:
        return run_session_blocking(session, transmit)
    finally:
        card.reset()


def length_of(session: CardSession[Any], card: SimCard) -> int:
    """How many frames a session takes to its end, or to its refusal."""
    count = 0

    def transmit(apdu: bytes) -> bytes:
        nonlocal count
        count += 1
        return card.transmit(apdu)

    card.reset()
    run_session_blocking(session, transmit)
    return count


def fed_garbage(
    session: CardSession[Any], at: int, answers: list[bytes | None], card: Callable[[bytes], bytes]
) -> Any | None:
    """Runs a session with the answers from `at` on replaced; None stays the card's true one.

    It ends with a result, which is given, or a CardError, and with nothing else.
    """
    for index in range(400):
        command = session.next()
        if command is None:
            return session.result
        answer = card(bytes(command))
        garbage = answers[index - at] if 0 <= index - at < len(answers) else None
        try:
            try:
                response = Response.parse(answer if garbage is None else garbage)
            except errors.CardError as error:
                session.fail(error)  # as a transport says that what came is no answer
            else:
                session.feed(response)
        except errors.CardError:
            return None
    raise AssertionError("the session has no end")

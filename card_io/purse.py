"""Fuelling from a card's purse: debit the maximum before the pump is authorised, give back the unused after it.

    debit      Debit(maximum), file 05 with the debit's name as "open" and the maximum counted, reader id, Commit
    refund     LimitedCredit(unused), a record of the fill, file 05 as "settled" and with what was taken, and so on
    note       no purse: file 05 with a fill counted or PIN tries, perhaps a record
    resolve    what became of a debit whose answer was lost

The debit's name (station, epoch, seq) is in the station's journal before the session begins, and on the card in the
same commit as the debit itself: so the card, whenever it is seen again, says whether it was debited. LimitedCredit
gives back at most the latest debit, and once: a debit elsewhere in between ends it (`debit_not_open`), and the rest
comes back by headquarters. Knows no journal, no limits, no time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from card_io.application import CardHeader, CardProfile, Part
from card_io.conversation import Conversation, RandomBytes
from card_io.counters import CardDebit, Counters, PurseIntent, Use
from card_io.desfire.channel import Call
from card_io.desfire.commands import debit, limited_credit, write_record
from card_io.errors import DebitNotOpen, NotOurCard
from card_io.facts import Purse
from card_io.fills import FILLS_FILE, CardFill
from card_io.identify import facts_of
from card_io.keys import KeyStore
from card_io.layout import FILLS_MODE, PURSE_FILE, PURSE_MODE
from card_io.session import Steps, StepSession
from card_io.transaction import Change, Changed, change_card

__all__ = ["Changed", "DebitSession", "NoteSession", "RefundSession", "ResolveSession", "Resolved"]

Fate = Literal["not_applied", "applied", "refunded", "unknown"]


class DebitSession(StepSession[Changed]):
    """Takes `intent.maximum` from the purse of the card with this UID.

    The result is "applied" (with proof), "not_applied", or "unknown": then nobody may say that it was not, until
    `ResolveSession` has seen the card. Needs the read key and the debit key. `counted` goes to the day's counters in
    the same commit: a fill on `today` that takes at most so much.
    """

    def __init__(
        self,
        profile: CardProfile,
        keys: KeyStore,
        random_bytes: RandomBytes,
        *,
        uid: bytes,
        intent: PurseIntent,
        reader_id: bytes,
        today: date | None = None,
        counted: Use | None = None,
    ) -> None:
        if today is not None:
            Counters(day=today)  # ValueError here, not in the session

        def plan(header: CardHeader, counters: Counters) -> Change:
            _needs_purse(header)
            if today is not None and counted is not None:
                counters = _after(counters, today, counted)
            after = replace(counters, debit=CardDebit(intent, "open"))
            return Change((debit(PURSE_FILE, intent.maximum, PURSE_MODE),), counters=after)

        super().__init__(change_card(Conversation(profile, keys, random_bytes), uid, reader_id, plan))


class RefundSession(StepSession[Changed]):
    """Gives back `unused` (0 to the maximum) of this card's open debit, and notes the fill.

    What the debit `counted` is corrected to what was really taken, as far as that is known: by the fill, or because all
    of it comes back. Where the debit counted nothing, the fill is counted on `today`.
    """

    def __init__(
        self,
        profile: CardProfile,
        keys: KeyStore,
        random_bytes: RandomBytes,
        *,
        uid: bytes,
        intent: PurseIntent,
        unused: int,
        fill: CardFill | None,
        today: date,
        reader_id: bytes,
        counted: Use | None = None,
    ) -> None:
        if not 0 <= unused <= intent.maximum:
            raise ValueError(f"of a debit of {intent.maximum}, {unused} cannot be left")
        Counters(day=today)  # ValueError here, not in the session

        def plan(header: CardHeader, counters: Counters) -> Change:
            _needs_purse(header)
            if counters.debit != CardDebit(intent, "open"):
                raise DebitNotOpen(_why_not_open(intent, counters.debit))
            after = _counted(counters, fill, today) if counted is None else _corrected(counters, counted)
            after = replace(after, debit=CardDebit(intent, "settled"))
            back = (limited_credit(PURSE_FILE, unused, PURSE_MODE),) if unused else ()
            return Change((*back, *_recorded(header, fill)), counters=after)

        def _corrected(counters: Counters, counted: Use) -> Counters:
            if fill is None and unused < intent.maximum:
                return counters  # fuel ran, and nobody knows how much of which
            taken = Use() if fill is None else Use(fill.volume_ml, fill.amount_minor)
            try:
                return counters.corrected(counted, taken)
            except ValueError as error:
                raise NotOurCard(f"the card's counters are full ({error})") from None

        super().__init__(change_card(Conversation(profile, keys, random_bytes), uid, reader_id, plan))


class NoteSession(StepSession[Changed]):
    """Notes a fill or the number of wrong PINs on the card; its purse, if any, stays as it is."""

    def __init__(
        self,
        profile: CardProfile,
        keys: KeyStore,
        random_bytes: RandomBytes,
        *,
        uid: bytes,
        reader_id: bytes,
        today: date,
        fill: CardFill | None = None,
        odometer_km: int | None = None,
        pin_tries: int | None = None,
    ) -> None:
        Counters(pin_tries or 0, today, odometer_km=odometer_km or 0)  # ValueError here, not in the session

        def plan(header: CardHeader, counters: Counters) -> Change:
            after = _counted(counters, fill, today)
            if odometer_km is not None:
                after = replace(after, odometer_km=odometer_km)
            if pin_tries is not None:
                after = replace(after, pin_tries=pin_tries)
            return Change(_recorded(header, fill), counters=after)

        super().__init__(change_card(Conversation(profile, keys, random_bytes), uid, reader_id, plan))


@dataclass(frozen=True, slots=True)
class Resolved:
    """What became of a debit, and what the card says now. `text` says how that was found."""

    fate: Fate
    text: str
    counters: Counters
    purse: Purse | None


class ResolveSession(StepSession[Resolved]):
    """Reads what became of a debit. `before` is the debit that the card remembered before it (from the tap).

    Raises CardError when the card can't be read: the debit's fate is then as unknown as it was.
    """

    def __init__(
        self,
        profile: CardProfile,
        keys: KeyStore,
        random_bytes: RandomBytes,
        *,
        uid: bytes,
        intent: PurseIntent,
        before: CardDebit | None,
    ) -> None:
        super().__init__(_resolve(Conversation(profile, keys, random_bytes), uid, intent, before))


def _resolve(card: Conversation, uid: bytes, intent: PurseIntent, before: CardDebit | None) -> Steps[Resolved]:
    header = yield from card.prove(uid)
    _needs_purse(header)
    # the entitlement may have expired or been replaced since: it has no say in what was debited
    bare = replace(header, parts=header.parts & ~Part.ENTITLEMENT)
    facts = yield from facts_of(card, bare, header.key_version)
    counters = facts.counters
    if counters is None:
        raise NotOurCard("the card has no place for the name of a debit")
    now = counters.debit
    if now is not None and now.intent == intent:
        if now.state == "settled":
            return Resolved("refunded", "the card remembers this debit as settled", counters, facts.purse)
        return Resolved("applied", "the card remembers this debit as open", counters, facts.purse)
    if (now and now.intent) == (before and before.intent):
        return Resolved("not_applied", "the card still remembers the debit before this one", counters, facts.purse)
    text = "another debit came after it: headquarters resolves it from the cards' Transaction MACs"
    return Resolved("unknown", text, counters, facts.purse)


def _needs_purse(header: CardHeader) -> None:
    if Part.PURSE not in header.parts or Part.COUNTERS not in header.parts:
        raise NotOurCard("the card has no purse")


def _why_not_open(intent: PurseIntent, there: CardDebit | None) -> str:
    if there is not None and there.intent == intent:
        return "this debit was settled already"
    return "the card remembers another debit than this one" if there else "the card remembers no debit"


def _counted(counters: Counters, fill: CardFill | None, today: date) -> Counters:
    return counters if fill is None else _after(counters, today, Use(fill.volume_ml, fill.amount_minor))


def _after(counters: Counters, today: date, use: Use) -> Counters:
    try:
        return counters.after_fill(today, use.volume_ml, use.amount_minor)
    except ValueError as error:
        raise NotOurCard(f"the card's counters are full ({error})") from None


def _recorded(header: CardHeader, fill: CardFill | None) -> tuple[Call, ...]:
    if fill is None or Part.FILLS not in header.parts:
        return ()
    return (write_record(FILLS_FILE, fill.encode(), FILLS_MODE),)

"""Card purses at a running station: debited before the pump is let go, and given back what a fill left.

The order of a sale: `purse_intended` on disk; the card debited, with that row's name on it; `purse_debited` and
`authorised` on disk in one commit; the pump. After its end the rest goes back to the card, at once if it still lies on
a reader, else when it is seen again. Where an answer was lost, the card itself is asked before anything else is done
with it. What is open stands in the books, so a restart forgets nothing. Knows no pump, no tile and no file.
"""

import asyncio
import logging
from dataclasses import dataclass, field, replace
from datetime import date

from card_io.counters import CardDebit, PurseIntent, Use, countable
from card_io.facts import CardFacts
from card_io.fills import CardFill, keepable
from card_io.orders import DebitOrder, RefundOrder, ResolveOrder, Unresolved
from card_io.reader import CardReader
from card_io.transaction import Changed, CommitProof
from controller.domain.card_proof import CardAct, CardProof, station_reader_id
from controller.domain.card_reasons import card_reason
from controller.domain.limits import cost_minor, margin_minor
from controller.domain.names import RowName
from controller.domain.purse_records import (
    Counted,
    DebitName,
    PurseDebited,
    PurseFate,
    PurseIntended,
    PurseRefunded,
    PurseResolved,
    PurseUnit,
)
from controller.domain.purses import PurseCase, Taken
from controller.domain.quantities import Unit, UnitPrice, money_text, volume_for, volume_text
from controller.domain.reasons import Reason
from controller.domain.records import Limits
from controller.domain.seams import MS_PER_S
from controller.domain.tokens import TokenRef
from controller.site import Site

log = logging.getLogger("forecourt.cards")
_UNITS = {unit.value: unit for unit in PurseUnit}


@dataclass(slots=True)
class OnReader:
    """A proven card that lies on a reader. `tried`: what was begun to close its cases as it lies there; then `done`."""

    reader: CardReader
    facts: CardFacts
    tried: set[tuple[str, int | None]] = field(default_factory=set)
    done: set[tuple[str, int | None]] = field(default_factory=set)


class PurseDesk:
    """All card purses of a station. `station` is the number by which cards know it, 1 to 2^32-1."""

    def __init__(self, site: Site, station: int) -> None:
        self._site = site
        self._station = station
        self._on_reader: dict[bytes, OnReader] = {}
        self._locks: dict[bytes, asyncio.Lock] = {}
        self._being_taken: set[str] = set()
        self._taking: set[bytes] = set()
        self._shown: set[str] = set()
        self._stir = asyncio.Event()
        site.on_change(self._changed)

    @property
    def reader_id(self) -> bytes:
        """The 16 bytes that name this station in the cards' Transaction MACs."""
        return station_reader_id(self._station)

    def put_on(self, token: TokenRef, reader: CardReader, facts: CardFacts) -> None:
        """A proven card lies on this reader."""
        self.taken_off(reader)
        self._on_reader[token.key] = OnReader(reader, facts)

    def taken_off(self, reader: CardReader) -> None:
        """The reader has no card."""
        for key in [key for key, there in self._on_reader.items() if there.reader is reader]:
            del self._on_reader[key]
            self._show()

    def facts(self, token: TokenRef) -> CardFacts | None:
        """What is known of a card on a reader, changes of here included."""
        there = self._on_reader.get(token.key)
        return None if there is None else there.facts

    async def run(self) -> None:
        """Give back to cards that still lie on a reader when their delivery ends. Until cancelled."""
        while True:
            await self._stir.wait()
            self._stir.clear()
            for name, case in self._site.books.purses.open_cases():
                if case.owed == 0 and not case.elsewhere and case.fill is not None:
                    # All of it was used: nothing goes back, and no card is needed for that.
                    await self._site.write_surely(PurseRefunded(name, 0, None))
            for key in list(self._on_reader):
                await self._close_cases(key)

    async def settle(self, token: TokenRef) -> Reason | int | None:
        """A card was shown: close what is open of it.

        What it got back of an ended delivery (this showing was for that); None if nothing stands in the way of a sale;
        else the reason that does.
        """
        before = self._open(token.key)
        if any(case.fuelling or name.text in self._being_taken for name, case in before):
            return Reason.PURSE_IN_USE
        await self._close_cases(token.key)
        if self._open(token.key):
            return Reason.PURSE_UNKNOWN
        if any(case.elsewhere for _, case in before):
            return Reason.PURSE_ELSEWHERE
        return sum(case.owed or 0 for _, case in before if case.fill is not None) or None

    async def take(self, point: int, token: TokenRef, limits: Limits, price: UnitPrice) -> Taken | Reason:
        """See TakeFromPurse."""
        there = self._on_reader.get(token.key)
        if there is None:
            return Reason.CARD_TAKEN_AWAY
        async with self._lock(token.key):
            if self._open(token.key):
                return Reason.PURSE_IN_USE
            purse = there.facts.purse
            unit = None if purse is None else _UNITS.get(purse.unit)
            if purse is None or unit is None:
                return Reason.PURSE_MISSING
            bound = self._bound(unit, purse.value, limits, price)
            if bound is None:
                return Reason.PURSE_EMPTY
            limits, maximum, most_minor = bound
            counted = self._counted(limits, most_minor, price)
            counters = there.facts.counters
            before = counters.debit if counters else None
            named = _name_of(before.intent) if before else None
            intended = PurseIntended(point, token, self._station, unit, maximum, purse.value, named, counted)
            self._taking.add(token.key)
            try:
                (body,) = await self._site.write(intended)
                self._being_taken.add(body.name.text)
            finally:
                self._taking.discard(token.key)
            intent = PurseIntent(self._station, body.name.epoch, body.name.seq, maximum)
            try:
                order = DebitOrder(
                    uid=there.facts.uid,
                    intent=intent,
                    reader_id=self.reader_id,
                    today=self._today(),
                    counted=Use(counted.volume_ml, counted.amount_minor),
                )
                changed = await there.reader.change(order)
                if changed.outcome == "applied":
                    there.facts = _after(there.facts, -maximum, changed)
                    proof = self._proof(token.key, CardAct.DEBIT, maximum, body.name, changed.proof)
                    debited = PurseDebited(body.name, proof)
                    return Taken(body.name, debited, limits, most_minor, lambda: self._written(body.name))
            except BaseException:
                self._being_taken.discard(body.name.text)
                raise
            self._being_taken.discard(body.name.text)
            if changed.outcome == "not_applied":
                await self._site.write_surely(PurseResolved(body.name, PurseFate.NOT_APPLIED, changed.text or ""))
                return card_reason(changed.error_kind or "")
            self._changed()
            return Reason.PURSE_UNKNOWN

    def tile_text(self, point: int) -> str:
        """What is owed to the last card of a fuelling point, in a sentence; or empty."""
        texts = [
            text
            for name, case in self._site.books.purses.open_cases()
            if case.point == point and not self._busy_with(name, case) and (text := self._text(case))
        ]
        return texts[-1] if texts else ""

    # ---- inside

    def _written(self, name: RowName) -> None:
        self._being_taken.discard(name.text)
        self._changed()

    def closing(self, key: bytes) -> asyncio.Lock:
        """Held by whoever closes a case of this card: its rest must not be given back twice."""
        return self._lock(key)

    def _lock(self, key: bytes) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())

    def _open(self, key: bytes) -> list[tuple[RowName, PurseCase]]:
        return [(name, case) for name, case in self._site.books.purses.of_card(key) if not case.elsewhere]

    def _bound(self, unit: PurseUnit, value: int, limits: Limits, price: UnitPrice) -> tuple[Limits, int, int] | None:
        """The limits with the purse's own, what to debit, and what that is in money; None if there is too little."""
        currency, overrun_ml = self._site.currency, self._site.rules.overrun_ml
        money = unit is PurseUnit.MONEY
        most = value - (margin_minor(overrun_ml, price, currency) if money else overrun_ml)
        if most <= 0:
            return None
        before = limits.amount_minor if money else limits.volume_ml
        if before is None or most < before:
            by = [part for part in limits.by.split(",") if part and not part.startswith(_measure(money))]
            by.append(f"{_measure(money)}:purse")
            limits = Limits(
                volume_ml=limits.volume_ml if money else most,
                amount_minor=most if money else limits.amount_minor,
                by=",".join(by),
            )
        cost = cost_minor(limits, overrun_ml, price, currency) or 0
        if money:
            maximum = min(value, cost)
            return limits, maximum, maximum
        maximum = min(value, (limits.volume_ml or 0) + overrun_ml)
        return limits, maximum, cost

    async def _close_cases(self, key: bytes) -> None:
        there = self._on_reader.get(key)
        if there is None or not self._open(key):
            return
        async with self._lock(key):
            for name, case in self._open(key):
                # where nothing has changed since it could not be closed, it can't be now
                attempt = (name.text, case.spent)
                if case.fuelling or name.text in self._being_taken or attempt in there.tried:
                    continue
                there.tried.add(attempt)
                if case.debited is not None or await self._resolve(there, name, case):
                    owed = case.owed
                    if owed is not None and not await self._give_back(there, name, case, owed):
                        await self._resolve(there, name, case)
                there.done.add(attempt)
        self._show()

    async def _give_back(self, there: OnReader, name: RowName, case: PurseCase, owed: int) -> bool:
        """Whether the card has it."""
        order = RefundOrder(
            uid=there.facts.uid,
            intent=_intent(name, case),
            unused=owed,
            fill=self._fill(case),
            today=self._today(),
            reader_id=self.reader_id,
            counted=Use(case.counted.volume_ml, case.counted.amount_minor) if case.counted else None,
        )
        changed = await there.reader.change(order)
        if changed.outcome == "applied":
            there.facts = _after(there.facts, owed, changed)
            proof = self._proof(case.token.key, CardAct.REFUND, owed, name, changed.proof)
            await self._site.write_surely(PurseRefunded(name, owed, proof))
            return True
        log.info("card purse %s: %s: %s", name.text, changed.outcome, changed.text)
        return False

    async def _resolve(self, there: OnReader, name: RowName, case: PurseCase) -> bool:
        """Ask the card what became of a debit. Whether it is open, and known to be."""
        before = case.before
        order = ResolveOrder(
            uid=there.facts.uid,
            intent=_intent(name, case),
            before=None
            if before is None
            else CardDebit(PurseIntent(before.station, before.epoch, before.seq, before.maximum), "settled"),
        )
        answer = await there.reader.resolve(order)
        if isinstance(answer, Unresolved):
            log.info("card purse %s: %s", name.text, answer.text)
            return False
        there.facts = replace(there.facts, counters=answer.counters, purse=answer.purse or there.facts.purse)
        fate = PurseFate(answer.fate)
        if fate is PurseFate.APPLIED and case.debited:
            return True
        if fate is PurseFate.NOT_APPLIED and case.debited:
            # It said otherwise before, and fuel may have run on it: an older state was put back on the card.
            fate, text = PurseFate.UNKNOWN, "the card has forgotten this debit: it is in an older state than it was"
        else:
            text = answer.text
        await self._site.write_surely(PurseResolved(name, fate, text))
        return fate is PurseFate.APPLIED

    def _fill(self, case: PurseCase) -> CardFill | None:
        fill = case.fill
        if fill is None:
            return None
        return CardFill(
            station=case.station,
            epoch=fill.name.epoch,
            seq=fill.name.seq,
            point=fill.point,
            product=0,
            volume_ml=fill.volume_ml,
            amount_minor=fill.amount_minor,
            at_s=keepable(fill.at_ms // MS_PER_S),
        )

    def _counted(self, limits: Limits, most_minor: int, price: UnitPrice) -> Counted:
        """What a fill within these limits takes at most: on the card's counters until it is known what it took."""
        volume_ml = limits.volume_ml
        if volume_ml is None:
            volume_ml = volume_for(limits.amount_minor or 0, price, self._site.currency)
        return Counted(volume_ml, most_minor)

    def _today(self) -> date:
        """The business day, as the journal counts, or the nearest that a card can count."""
        return countable(date.fromordinal(self._site.day_of(self._site.wall_ms)))

    def _proof(
        self, key: bytes, act: CardAct, amount: int, name: RowName, proof: CommitProof | None
    ) -> CardProof | None:
        if proof is None:
            return None
        return CardProof(
            card_key=key,
            act=act,
            amount=amount,
            station=self._station,
            epoch=name.epoch,
            seq=name.seq,
            tmc=proof.counter,
            tmv=proof.value,
            reader_id=self.reader_id,
            commands=proof.commands,
        )

    def _changed(self) -> None:
        self._stir.set()
        self._show()

    def _show(self) -> None:
        """Say what is open and cannot be closed without a person."""
        shown = {
            f"purse of card {case.token.shown} ({name.text})": text
            for name, case in self._site.books.purses.open_cases()
            if not self._busy_with(name, case) and (text := self._text(case))
        }
        gone, self._shown = self._shown - shown.keys(), set(shown)
        for where in gone:
            self._site.trouble(where, None)
        for where, text in shown.items():
            self._site.trouble(where, text)

    def _busy_with(self, name: RowName, case: PurseCase) -> bool:
        """The card lies on a reader, and what is open of it is being done."""
        if name.text in self._being_taken or case.token.key in self._taking:
            return True
        there = self._on_reader.get(case.token.key)
        return there is not None and not case.elsewhere and (name.text, case.spent) not in there.done

    def _text(self, case: PurseCase) -> str:
        if case.fuelling or case.owed == 0:
            return ""
        if case.elsewhere:
            return (
                f"It was used elsewhere before {self._spelled(case, case.owed)} came back: enter headquarters' release"
            )
        if case.debited is None:
            return f"Nobody knows whether {self._spelled(case, case.maximum)} was taken from it: present the card again"
        return f"{self._spelled(case, case.owed)} goes back to it: present the card again"

    def _spelled(self, case: PurseCase, value: int | None) -> str:
        if value is None:
            return "the rest"
        return (
            money_text(value, self._site.currency) if case.unit is PurseUnit.MONEY else volume_text(value, Unit.LITRE)
        )


def _intent(name: RowName, case: PurseCase) -> PurseIntent:
    return PurseIntent(case.station, name.epoch, name.seq, case.maximum)


def _name_of(intent: PurseIntent) -> DebitName:
    return DebitName(intent.station, intent.epoch, intent.seq, intent.maximum)


def _measure(money: bool) -> str:
    return "amount" if money else "volume"


def _after(facts: CardFacts, more: int, changed: Changed) -> CardFacts:
    """What a card carries after a change of here that gave it `more`."""
    purse = facts.purse
    if purse is not None:
        counter = purse.counter if changed.proof is None else changed.proof.counter
        purse = replace(purse, value=purse.value + more, counter=counter)
    return replace(facts, purse=purse, counters=changed.written or facts.counters)

"""The customers of a simulated station: they drive up, show a card or not, lift a nozzle, fill, and hang up.

Runs on any event loop, real or virtual: time and chance are handed in. Touches only what a customer touches: the
nozzle, the trigger and the card slot.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from controller.domain.seams import US_PER_MS, Clock
from sim.cards.card import SimCard
from sim.chance import Chance
from sim.pumps.head import PumpHead
from sim.site import Holder, Place, holders

LOOK_MS = 500
"""How often a customer looks at the display."""
DONE_AFTER_LOOKS = 4
"""Nothing has flowed for so many looks: it is over."""

log = logging.getLogger("forecourt.sim.customers")


class CardSlot(Protocol):
    """Where a customer puts a card."""

    def insert(self, card: SimCard) -> None: ...

    def remove(self) -> None: ...


class Pays(StrEnum):
    CASH = "cash"
    CARD = "card"
    PLATE = "plate"


@dataclass(frozen=True, slots=True)
class Tempo:
    """How fast people are: milliseconds, each a pair of least and most."""

    arrive_ms: tuple[int, int]
    """Between two customers of one fuelling point."""
    lift_ms: tuple[int, int] = (1_500, 6_000)
    patience_ms: int = 180_000
    """A customer who gets no fuel for so long leaves."""
    want_ml: tuple[int, int] = (5_000, 45_000)


BRISK = Tempo(arrive_ms=(200, 1_500), lift_ms=(300, 900), patience_ms=12_000, want_ml=(3_000, 12_000))
"""For a demonstration that somebody waits for."""
EASY = Tempo(arrive_ms=(4_000, 20_000), lift_ms=(1_500, 5_000), patience_ms=90_000, want_ml=(4_000, 20_000))
"""For a demonstration that somebody takes part in."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One customer's plan."""

    place: Place
    nozzle: int
    want_ml: int
    pays: Pays
    holder: Holder | None


@dataclass(slots=True)
class Street:
    """What one sees through the station's window: who stands at which fuelling point."""

    standing: dict[int, Visit] = field(default_factory=dict)
    served: int = 0
    left_without: int = 0


def plan(
    place: Place, chance: Chance, *, weigh: Mapping[Pays, int], want_ml: tuple[int, int], questions: bool = True
) -> Visit:
    """A customer for `place`, by chance. `weigh`: how often each way of paying is chosen.

    `questions`: also cards for which the station asks the plate, which only who sees the vehicle can answer.
    """
    pays = _choose(weigh, chance)
    fitting = [
        holder
        for holder in holders()
        if set(holder.grades) & set(place.grades) and bool(holder.card_number) == (pays is Pays.CARD)
        if questions or not holder.ask_plate
    ]
    holder = fitting[chance.below(len(fitting))] if fitting and pays is not Pays.CASH else None
    if holder is None:
        pays = Pays.CASH
        nozzle = 1 + chance.below(len(place.grades))
    else:
        nozzle = next(number for number, grade in enumerate(place.grades, 1) if grade in holder.grades)
    wanted_ml = 10 * chance.between(want_ml[0] // 10, want_ml[1] // 10)
    return Visit(place, nozzle, wanted_ml, pays, holder)


def _choose(weigh: Mapping[Pays, int], chance: Chance) -> Pays:
    drawn = chance.below(sum(weigh.values()))
    for pays, weight in weigh.items():
        if drawn < weight:
            return pays
        drawn -= weight
    raise AssertionError("the weights add up to their sum")


class Customer:
    """Carries out a visit."""

    def __init__(
        self,
        heads: Mapping[int, PumpHead],
        slots: Mapping[int, CardSlot],
        cards: Mapping[str, SimCard],
        street: Street,
        clock: Clock,
        tempo: Tempo,
    ) -> None:
        self._heads = heads
        self._slots = slots
        self._cards = cards
        self._street = street
        self._clock = clock
        self._tempo = tempo

    async def visit(self, visit: Visit, chance: Chance) -> int:
        """From driving up to driving off. Returns what was filled, in thousandths."""
        number = visit.place.number
        head, slot = self._heads[number], self._slots.get(number)
        card = self._cards.get(visit.holder.card_number) if visit.holder else None
        self._street.standing[number] = visit
        try:
            if visit.pays is Pays.CARD and card is not None and slot is not None:
                slot.insert(card)
            await self._wait(chance.between(*self._tempo.lift_ms))
            before_ml = head.totaliser_ml(visit.nozzle, self._now())
            head.lift(visit.nozzle, self._now())
            head.squeeze(visit.want_ml, self._now())
            await self._fill(head)
            head.hang_up(self._now())
            # By the meter: the display may still show the customer before.
            filled_ml = head.totaliser_ml(visit.nozzle, self._now()) - before_ml
            if visit.pays is Pays.CARD and slot is not None:
                slot.remove()
        finally:
            del self._street.standing[number]
        if filled_ml:
            self._street.served += 1
        else:
            self._street.left_without += 1
        return filled_ml

    async def _fill(self, head: PumpHead) -> None:
        """Watch the display until nothing flows any more, or patience ends."""
        still, last_ml = 0, 0
        patience_until_us = self._now() + self._tempo.patience_ms * US_PER_MS
        begun = False
        while still < DONE_AFTER_LOOKS and (begun or self._now() < patience_until_us):
            await self._wait(LOOK_MS)
            shown_ml = head.volume_ml(self._now())
            if head.flowing and not begun:
                begun, last_ml = True, 0
            if begun and shown_ml == last_ml:
                still += 1
            else:
                still = 0
            last_ml = shown_ml

    async def _wait(self, ms: int) -> None:
        await self._clock.sleep_until(self._now() + ms * US_PER_MS)

    def _now(self) -> int:
        return self._clock.now().mono_us


@dataclass(slots=True)
class Quota:
    """How many customers may still be served; None is without end. Who leaves without fuel does not count."""

    left: int | None

    def take(self) -> bool:
        if self.left is None:
            return True
        if self.left == 0:
            return False
        self.left -= 1
        return True

    def give_back(self) -> None:
        if self.left is not None:
            self.left += 1


async def stream(
    place: Place,
    customer: Customer,
    clock: Clock,
    seed: int,
    tempo: Tempo,
    weigh: Mapping[Pays, int],
    quota: Quota,
    *,
    questions: bool = True,
) -> None:
    """Customers of one fuelling point, one after the other, until the quota is used up."""
    chance = Chance(seed, f"customers/{place.number}")
    while quota.take():
        arrive_us = clock.now().mono_us + chance.between(*tempo.arrive_ms) * US_PER_MS
        await clock.sleep_until(arrive_us)
        visit = plan(place, chance, weigh=weigh, want_ml=tempo.want_ml, questions=questions)
        filled_ml = await customer.visit(visit, chance)
        if not filled_ml:
            quota.give_back()
        log.info("point %d: %s, %d ml of nozzle %d", place.number, visit.pays, filled_ml, visit.nozzle)

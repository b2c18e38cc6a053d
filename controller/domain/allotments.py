"""Money that headquarters has set apart at this station, what was spent of it, and what is reserved. Knows no link.

A pot belongs to an account, or to one card of it: then the card spends from its own. What is reserved comes back by
proof alone: a delivery, a pump that says that nothing ran, or a totaliser that did not move.
"""

import msgspec

from controller.domain.quantities import UnitPrice
from controller.domain.tokens import TokenRef

HEADQUARTERS_POT = "headquarters"
"""What headquarters granted for one delivery: it keeps the account itself."""

PURSE_POT = "card_purse"
"""What a card's purse was debited for one delivery: nothing is set apart for it here."""

TAKEN_OFF = "restored/"
"""How an allotment's id begins that is none: headquarters takes off what rows have spent that a restored disk lost."""


class Reservation(msgspec.Struct, frozen=True, array_like=True):
    """What one delivery may take of a pot, its margin for overrun included."""

    pot: str
    amount_minor: int


class Moment(msgspec.Struct, frozen=True, array_like=True):
    """A moment by both: the time that has passed along the journal, and the wall clock (UTC)."""

    elapsed_ms: int = 0
    wall_ms: int = 0


class Held(msgspec.Struct, array_like=True):
    """A reservation that is not over, at the price that was agreed.

    `totaliser_ml`: as it stood before, None where it was never read. `doubtful`: let go of without proof that nothing
    ran at this nozzle. `at`: when it was reserved.
    """

    pot: str
    amount_minor: int
    point: int
    nozzle: int
    price: UnitPrice
    totaliser_ml: int | None
    doubtful: bool = False
    at: Moment = Moment()


class Lasts(msgspec.Struct, array_like=True):
    """How long an allotment lasts: to `until_ms` (UTC), told at the moment `told`.

    It is over when the wall clock says so, or when so much time has passed: a clock that is set back keeps nothing
    alive. One that was ahead ends it too early, and only until it is right again.
    """

    until_ms: int
    told: Moment

    def over(self, now: Moment) -> bool:
        passed_ms = now.elapsed_ms - self.told.elapsed_ms
        return now.wall_ms >= self.until_ms or passed_ms >= self.until_ms - self.told.wall_ms


class Dated(msgspec.Struct, array_like=True):
    """An allotment that does not last, and what is left of it."""

    left_minor: int
    lasts: Lasts


class Pot(msgspec.Struct, array_like=True):
    """`allotted_minor`: all that was ever set apart; `ids`: of the allotments, so that none counts twice,
    each with its amount and its end (UTC; 0: it lasts).

    `dated`: of all that, what ends some day, the first to end first. Deliveries take it before what lasts.
    """

    allotted_minor: int = 0
    spent_minor: int = 0
    ids: dict[str, tuple[int, int]] = {}
    dated: list[Dated] = []

    def spend(self, amount_minor: int, at: Moment) -> None:
        """So much was delivered, by what was there at this moment."""
        self.spent_minor += amount_minor
        for dated in self.dated:
            if not dated.lasts.over(at):
                taken_minor = min(dated.left_minor, max(amount_minor, 0))
                dated.left_minor -= taken_minor
                amount_minor -= taken_minor
        self.dated = [dated for dated in self.dated if dated.left_minor]

    def left_minor(self, now: Moment) -> int:
        """Of all that was set apart; below zero after an overrun."""
        over_minor = sum(dated.left_minor for dated in self.dated if dated.lasts.over(now))
        return self.allotted_minor - self.spent_minor - over_minor


class Allotments(msgspec.Struct):
    """All pots of a station. `held`: by the name of the row that authorised."""

    pots: dict[str, Pot] = {}
    held: dict[str, Held] = {}

    def allot(self, pot: str, allotment_id: str, amount_minor: int, lasts: Lasts | None = None) -> None:
        """Headquarters has set this apart; a second time under one id is no more than the first."""
        known = self.pots.setdefault(pot, Pot())
        if allotment_id not in known.ids:
            known.ids[allotment_id] = amount_minor, lasts.until_ms if lasts else 0
            known.allotted_minor += amount_minor
            if lasts is not None:
                known.dated.append(Dated(amount_minor, lasts))
                known.dated.sort(key=lambda dated: dated.lasts.until_ms)

    def reserve(self, name: str, held: Held) -> None:
        """From now on it may be spent by this authorisation only."""
        self.held[name] = held

    def spend(self, name: str, pot: str, amount_minor: int, now: Moment) -> None:
        """A delivery has taken this; the rest of what was reserved for it is free. `pot`: where nothing was."""
        held = self.held.pop(name, None)
        self.pots.setdefault(held.pot if held else pot, Pot()).spend(amount_minor, held.at if held else now)

    def let_go(self, name: str, *, proven: bool) -> None:
        """The authorisation is over without a delivery."""
        if proven:
            self.held.pop(name, None)
        elif (held := self.held.get(name)) is not None:
            held.doubtful = True

    def came_back(self, now_ms: int) -> None:
        """Elapsed time went back to `now_ms`: what was told in the time that did not pass was told just now."""
        for pot in self.pots.values():
            for dated in pot.dated:
                told = dated.lasts.told
                dated.lasts.told = Moment(min(told.elapsed_ms, now_ms), told.wall_ms)

    def available_minor(self, pot: str, now: Moment) -> int | None:
        """What may still be promised; below zero after an overrun. None where nothing was ever set apart."""
        known = self.pots.get(pot)
        if known is None or not known.ids:
            return None
        reserved = sum(held.amount_minor for held in self.held.values() if held.pot == pot)
        return known.left_minor(now) - reserved

    def pot_of(self, token: TokenRef, account: str) -> str:
        """The one that a token spends from."""
        own = token_pot(token.key)
        return own if own in self.pots else account_pot(account)

    def doubtful_at(self, point: int, nozzle: int) -> list[tuple[str, Held]]:
        """What waits there for the totaliser's word."""
        return [
            (name, held)
            for name, held in self.held.items()
            if held.doubtful and (held.point, held.nozzle) == (point, nozzle)
        ]


def account_pot(account: str) -> str:
    return f"account:{account}"


def taken_off(allotment_id: str) -> bool:
    """Whether this is no allotment, but headquarters' word on a disk that went back."""
    return allotment_id.startswith(TAKEN_OFF)


def token_pot(key: bytes) -> str:
    return f"token:{key.hex()}"

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


class Reservation(msgspec.Struct, frozen=True, array_like=True):
    """What one delivery may take of a pot, its margin for overrun included."""

    pot: str
    amount_minor: int


class Held(msgspec.Struct, array_like=True):
    """A reservation that is not over, at the price that was agreed.

    `totaliser_ml`: as it stood before, None where it was never read. `doubtful`: let go of without proof that nothing
    ran at this nozzle.
    """

    pot: str
    amount_minor: int
    point: int
    nozzle: int
    price: UnitPrice
    totaliser_ml: int | None
    doubtful: bool = False


class Pot(msgspec.Struct, array_like=True):
    """`allotted_minor`: all that was ever set apart; `ids`: of the allotments, so that none counts twice."""

    allotted_minor: int = 0
    spent_minor: int = 0
    ids: dict[str, int] = {}


class Allotments(msgspec.Struct):
    """All pots of a station. `held`: by the name of the row that authorised."""

    pots: dict[str, Pot] = {}
    held: dict[str, Held] = {}

    def allot(self, pot: str, allotment_id: str, amount_minor: int) -> None:
        """Headquarters has set this apart; a second time under one id is no more than the first."""
        known = self.pots.setdefault(pot, Pot())
        if allotment_id not in known.ids:
            known.ids[allotment_id] = amount_minor
            known.allotted_minor += amount_minor

    def reserve(self, name: str, held: Held) -> None:
        """From now on it may be spent by this authorisation only."""
        self.held[name] = held

    def spend(self, name: str, pot: str, amount_minor: int) -> None:
        """A delivery has taken this; the rest of what was reserved for it is free. `pot`: where nothing was."""
        held = self.held.pop(name, None)
        self.pots.setdefault(held.pot if held else pot, Pot()).spent_minor += amount_minor

    def let_go(self, name: str, *, proven: bool) -> None:
        """The authorisation is over without a delivery."""
        if proven:
            self.held.pop(name, None)
        elif (held := self.held.get(name)) is not None:
            held.doubtful = True

    def available_minor(self, pot: str) -> int | None:
        """What may still be promised; below zero after an overrun. None where nothing was ever set apart."""
        known = self.pots.get(pot)
        if known is None or not known.ids:
            return None
        reserved = sum(held.amount_minor for held in self.held.values() if held.pot == pot)
        return known.allotted_minor - known.spent_minor - reserved

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


def token_pot(key: bytes) -> str:
    return f"token:{key.hex()}"

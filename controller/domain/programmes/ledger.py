"""The books: every change is a posting of two or more legs that sum to zero, and a balance is the sum of its legs.

Points of a purse, money and rebates are commodities of their own and never mixed. Knows no rule of any programme.
"""

from collections.abc import Callable, Iterator

import msgspec

MONEY = "money"
REBATE = "rebate"


def points_of(purse: str) -> str:
    """The commodity that a purse holds."""
    return f"points:{purse}"


class Leg(msgspec.Struct, frozen=True, array_like=True):
    account: str
    amount: int


class Posting(msgspec.Struct, frozen=True):
    """What was booked for the event `ref`: when it happened, when it was booked (both UTC), and between whom."""

    ref: str
    event_ms: int
    booked_ms: int
    commodity: str
    legs: tuple[Leg, ...]


class Ledger:
    """Balances by commodity and account. `sink`, where one is set, gets each posting; they are not kept here."""

    def __init__(self, sink: Callable[[Posting], None] | None = None) -> None:
        self.sink = sink
        self.booked = 0
        self._balances: dict[str, dict[str, int]] = {}

    def move(self, ref: str, event_ms: int, booked_ms: int, commodity: str, to: str, of: str, amount: int) -> None:
        """Post `amount` to one account and take it from the other. Nothing is posted for 0."""
        if not amount:
            return
        if self.sink is not None:
            self.post(Posting(ref, event_ms, booked_ms, commodity, (Leg(to, amount), Leg(of, -amount))))
            return
        # What `post` does, without a record that nobody reads: a year of sales is replayed in a minute.
        accounts = self._balances.setdefault(commodity, {})
        accounts[to] = accounts.get(to, 0) + amount
        accounts[of] = accounts.get(of, 0) - amount
        self.booked += 1

    def post(self, posting: Posting) -> None:
        """Book it. ValueError where its legs do not sum to zero: a programmer's error, nothing is booked."""
        if len(posting.legs) < 2 or sum(leg.amount for leg in posting.legs) != 0:
            raise ValueError(f"posting for {posting.ref}: legs do not sum to zero: {posting.legs}")
        accounts = self._balances.setdefault(posting.commodity, {})
        for leg in posting.legs:
            accounts[leg.account] = accounts.get(leg.account, 0) + leg.amount
        self.booked += 1
        if self.sink is not None:
            self.sink(posting)

    def balance(self, commodity: str, account: str) -> int:
        accounts = self._balances.get(commodity)
        return 0 if accounts is None else accounts.get(account, 0)

    def commodities(self) -> list[str]:
        return sorted(self._balances)

    def accounts(self, commodity: str) -> Iterator[tuple[str, int]]:
        """Accounts of a commodity with their balances, by name."""
        return iter(sorted(self._balances.get(commodity, {}).items()))

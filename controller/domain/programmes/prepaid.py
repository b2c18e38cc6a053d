"""A contract's account paid in advance: money by month, volume by month, and when the contract was valid. State only.

Balances are the ledger's; what is kept here is what the ledger forgets: how they stood when each month ended.
"""

from dataclasses import dataclass, field

from controller.domain.programmes.answers import Act
from controller.domain.programmes.orders import Order
from controller.domain.programmes.reasons import Reason


@dataclass(slots=True)
class Volume:
    """What was got in one month in the enterprise's own network."""

    volume_ml: int = 0
    amount_minor: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the closing of a month ended. `order`: the one that decided, where a discount was due."""

    reason: Reason | None
    discount_minor: int
    act: Act | None
    order: Order | None = None


@dataclass(frozen=True, slots=True)
class Validity:
    """A time in which a contract was valid: [from, until), still open where until is None."""

    from_ms: int
    until_ms: int | None
    prepaid: bool


@dataclass(slots=True)
class Contract:
    """`prepaid`: with 100 % prepayment, at present. `valid`: when it was, each time with or without prepayment."""

    account: str
    prepaid: bool
    valid: list[Validity] = field(default_factory=list)
    month_ends: list[tuple[int, int]] = field(default_factory=list)
    """(month, balance after its last posting), months with a posting only."""
    volumes: dict[int, Volume] = field(default_factory=dict)
    closed: dict[int, Outcome] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        return bool(self.valid) and self.valid[-1].until_ms is None

    def open(self, at_ms: int) -> None:
        self.valid.append(Validity(at_ms, None, self.prepaid))

    def close(self, at_ms: int) -> None:
        self.valid[-1] = Validity(self.valid[-1].from_ms, at_ms, self.valid[-1].prepaid)

    def was_valid_with_prepayment(self, end_ms: int) -> bool:
        """Whether it was so at the end of a time: until `end_ms`, which is not part of it."""
        return any(
            time.prepaid and time.from_ms < end_ms and (time.until_ms is None or time.until_ms >= end_ms)
            for time in self.valid
        )

    def note_balance(self, month: int, balance_minor: int) -> None:
        """The balance after a posting of this month."""
        if self.month_ends and self.month_ends[-1][0] == month:
            self.month_ends[-1] = (month, balance_minor)
        else:
            self.month_ends.append((month, balance_minor))

    def balance_after(self, month: int) -> int:
        """The balance as it stood when a month ended."""
        for noted, balance in reversed(self.month_ends):
            if noted <= month:
                return balance
        return 0

    def volume_of(self, month: int) -> Volume:
        return self.volumes.setdefault(month, Volume())

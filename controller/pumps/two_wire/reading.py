"""What a two-wire pump has said of its counters and of the delivery it holds, and what follows for a delivery.

Numbers are the pump's raw digits, but for what ran by the totals. Knows no orders and no questions, and never moves
a phase.
"""

from dataclasses import dataclass, field

from controller.domain.quantities import UnitPrice, amount_for, volume_for
from controller.pumps.two_wire.blocks import TOTAL_DIGITS, WIDE_DIGITS, GradeTotals, Transaction
from controller.pumps.two_wire.settings import TwoWireSettings
from controller.pumps.words import Calling, Completed

POLLS_WITHOUT_MONEY = 2
"""While fuelling: running money is asked for after so many polls."""
POLLS_AFTER_VAIN = -20
"""A pump that gives none is asked again after so many more."""
TRANSACTION_ROUNDS_MAX = 5
"""A pump that is off after a delivery is asked for it in so many rounds of tries, some five seconds in all."""
MONEY_ROSE_MIN = 3
"""Noise does not count up: so often, and fuel ran, though the counter stood still."""
DISPLAY_MAX = 10 ** WIDE_DIGITS[1]
"""No delivery shows more: a counter that rose by this was changed, and counts no fuel."""


@dataclass(frozen=True, slots=True)
class Values:
    """A delivery, in thousandths and minor units; `price` in raw digits."""

    nozzle: int
    volume_ml: int
    amount_minor: int
    price: int


@dataclass(slots=True)
class Reading:
    """The facts of one pump, true while it answers. `nozzle` is 0 while it is not known which grade runs."""

    settings: TwoWireSettings
    nozzle: int = field(init=False)
    totals: dict[int, GradeTotals] = field(default_factory=dict)
    """By grade, as of the last reading."""
    prices: dict[int, int] = field(default_factory=dict)
    """By grade: what the pump said last, or took."""
    fresh: bool = False
    """Nothing has run since that reading."""
    vain: bool = False
    """Totals were asked for in vain, and nothing has run since."""
    stale: bool = False
    """That reading is of before the pump was away."""
    before: dict[int, GradeTotals] = field(default_factory=dict)
    """The totals before the delivery; empty if they are not known."""
    uncounted: bool = False
    """A delivery has run since the last reading of the totals."""
    unfinished: bool = False
    """The pump fell silent while it was asked for a delivery. It may have said it, and have let go of it then."""
    unheard: bool = False
    """More than this delivery may have run since `before`: nobody listened, or the totals were not to be had."""
    money: int = 0
    """Running money. Nothing checks it: for the display."""
    money_rose: int = 0
    """So often was it more than before."""
    polls_without_money: int = 0
    transaction: Transaction | None = None
    final: bool = False
    """The transaction was said twice in the same words: its check sum has four bits only."""
    final_held: bool = False
    """It was, while the pump showed the end of a delivery."""
    transaction_rounds: int = 0
    """So often was it asked for in vain, in all tries."""
    transaction_vain: bool = False
    """It does not say it (any more), and holds no delivery."""
    older: Transaction | None = None
    """What it said of the delivery before this one; None if that is not known."""

    def __post_init__(self) -> None:
        self.nozzle = self._only()

    def _only(self) -> int:
        return 1 if self.settings.nozzles == 1 else 0

    def after_silence(self) -> "Reading":
        """What is left of it when the pump comes back."""
        return Reading(self.settings, self.totals, self.prices, stale=True, unfinished=self.unfinished)

    def broken_off(self) -> Values | None:
        """The pump falls silent while it is asked for a delivery: what is known of it already."""
        known = self.final and not self.unfinished
        self.unfinished = not known
        if self.unfinished:
            self.totals = self.before  # what it delivered is still to be found in them
        return self.told(self.transaction) if known and self.transaction is not None else None

    def resume(self) -> None:
        """The pump is back, and holds nothing: what it says of its last delivery may be the one that was asked for."""
        self.begin()
        self.unfinished = True

    def spoil(self) -> None:
        """Fuel may run, or may have run: totals must be read anew."""
        self.fresh = self.vain = False

    @property
    def lacks_totals(self) -> bool:
        return not self.fresh and not self.vain

    def begin(self, nozzles: tuple[int, ...] = ()) -> None:
        """A delivery of one of these nozzles begins; of any, where none is given."""
        self.before = self.totals
        self.unheard = self.stale or self.uncounted
        self.nozzle = nozzles[0] if len(set(nozzles)) == 1 else self._only()
        self.money = self.money_rose = 0
        self.polls_without_money = POLLS_WITHOUT_MONEY
        if self.transaction is not None:
            self.older = self.transaction if self.final else None
        self.transaction = None
        self.final = self.final_held = self.transaction_vain = self.unfinished = False
        self.transaction_rounds = 0
        self.spoil()

    def totals_came(self, totals: tuple[GradeTotals, ...]) -> None:
        self.totals = {item.grade: item for item in totals}
        self.prices |= {item.grade: item.price for item in totals}
        self.fresh, self.vain, self.stale, self.uncounted = True, False, False, False

    def transaction_came(self, said: Transaction) -> bool:
        """False if it is another one than was said before."""
        same = self.transaction is None or self.transaction == said
        self.final = self.transaction == said
        self.transaction = said
        return same

    def no_transaction(self, *, patient: bool) -> None:
        """It was asked for in all tries. `patient`: it was there a moment ago, and perhaps the line is bad for a while;
        then the totals are worth another try too."""
        self.transaction_rounds += 1
        self.transaction_vain = not patient or self.transaction_rounds >= TRANSACTION_ROUNDS_MAX
        self.vain = self.vain and not patient

    def money_came(self, amount: int) -> None:
        self.money_rose += amount > self.money
        self.money = amount
        self.polls_without_money = 0

    @property
    def said_all(self) -> bool:
        """Nothing more is to be heard of the transaction."""
        return self.final or self.transaction_vain

    @property
    def lacks_older(self) -> bool:
        """What it would say of its last delivery is not known, and was not asked for in vain."""
        return self.older is None and not self.said_all

    @property
    def _is_new(self) -> bool:
        """What it says of its last delivery is not what it said of the one before. One that forgot says zeros."""
        said, older = self.transaction, self.older
        return self.final and said is not None and older is not None and said.volume > 0 and said != older

    def price(self, nozzle: int) -> int:
        """The pump's price of a nozzle; 0 if it is not known."""
        return self.prices.get(nozzle, 0)

    def shown_prices(self) -> tuple[UnitPrice | None, ...]:
        """What the pump shows for each of its nozzles; None where that is not known."""
        known = [self.prices.get(nozzle) for nozzle in range(1, self.settings.nozzles + 1)]
        return tuple(None if digits is None else self.settings.price(digits) for digits in known)

    def total_ml(self, nozzle: int) -> int | None:
        """The totaliser as of after the delivery."""
        found = self.totals.get(nozzle) if self.fresh else None
        return self.settings.total_ml(found.volume) if found is not None else None

    def running(self, price: int) -> tuple[int, int]:
        """Volume and amount for the display: the pump says the money, the volume is rounded down and never booked."""
        amount = self.settings.amount_minor(self.money)
        known = self.settings.price(price)
        return (volume_for(amount, known, self.settings.currency) if price else 0), amount

    def rises(self) -> dict[int, int] | None:
        """By nozzle, the digits by which its totaliser rose; None if that is not known."""
        if not self.fresh or not self.before:
            return None
        found = {}
        for grade, now in self.totals.items():
            was = self.before.get(grade)
            rise = (now.volume - was.volume) % 10**TOTAL_DIGITS if was is not None else 0
            # More than half way round is a counter that went back, or has fewer digits than its field.
            shown = self.settings.total_ml(rise) < self.settings.volume_ml(DISPLAY_MAX)
            if rise and shown and rise < 10**TOTAL_DIGITS // 2:
                found[grade] = rise
        return found

    def ran(self) -> bool:
        """Whether anything was delivered, as far as can be known without the pump's word."""
        rises = self.rises()
        return bool(rises) or (self.money > 0 if rises is None else self.money_rose >= MONEY_ROSE_MIN)

    def told(self, said: Transaction) -> Values:
        """A delivery in the pump's own words."""
        settings = self.settings
        return Values(said.grade, settings.volume_ml(said.volume), settings.amount_minor(said.amount), said.price)

    def nothing(self) -> Values:
        """A delivery of nothing."""
        return Values(self.nozzle, 0, 0, self.price(self.nozzle))

    def ended(self) -> Values | None:
        """What ran, of a delivery that the pump held. What it said meanwhile counts; after that it may say anything."""
        if self.final_held and self.transaction is not None:
            return self.told(self.transaction)
        if self.unfinished:  # perhaps it tells one that is in the books: then its totals stand still
            said = self.told(self.transaction) if self.final and self.transaction is not None else None
            rises = self.rises() or {}
            return said if said is not None and self._agrees(said, rises.get(said.nozzle, 0)) else None
        return self.found(held=True)

    def _agrees(self, said: Values, rise: int) -> bool:
        """Within a step of both."""
        step_ml = self.settings.total_ml(1) + self.settings.volume_ml(1)
        return said.volume_ml > 0 and abs(said.volume_ml - self.settings.total_ml(rise)) < step_ml

    def found(self, *, held: bool = False) -> Values | None:
        """A delivery that the pump did not tell by itself; None if its totals do not say what ran.

        The transaction counts if it agrees with the totals within a step of both, or is known to be a new one: then
        a counter was changed. Else it is an older one, and the totals of volume and money say what ran. `held`: the
        pump has shown that it held one, so what it said once is better than nothing.
        """
        rises, ran = self.rises(), self.settings.amount_minor(self.money)
        said = self.told(self.transaction) if (self.final or held) and self.transaction is not None else None
        if rises:
            nozzle = self.nozzle if self.nozzle in rises else max(rises, key=rises.__getitem__)
            volume_ml = self.settings.total_ml(rises[nozzle])
            if said is not None and (self._is_new or (said.nozzle == nozzle and self._agrees(said, rises[nozzle]))):
                return said
            found = Values(nozzle, volume_ml, self._money_ran(nozzle, volume_ml), self.price(nozzle))
            stuck = self.money_rose >= MONEY_ROSE_MIN and found.amount_minor < ran
            if not self.unheard and not (stuck and said is not None and ran <= said.amount_minor):
                return found
        # The totals say nothing of this delivery alone, or too little. What says less than ran already is an older one.
        return said if said is not None and said.amount_minor >= ran else None

    def _money_ran(self, nozzle: int, volume_ml: int) -> int:
        """By the totals of money; by the price where they cannot be right."""
        settings, price = self.settings, self.settings.price(self.price(nozzle))
        digits = (self.totals[nozzle].amount - self.before[nozzle].amount) % 10**TOTAL_DIGITS
        ran, worth = settings.amount_minor(digits), amount_for(volume_ml, price, settings.currency)
        slack = amount_for(settings.total_ml(1), price, settings.currency) + 2 * settings.amount_minor(1)
        return ran if abs(ran - worth) <= slack else worth

    def called(self) -> Calling:
        """A call, with what is known of the nozzle. With several grades, the pump does not say which was lifted: 0."""
        self.nozzle = 1 if self.settings.nozzles == 1 else 0
        price = self.settings.price(self.price(self.nozzle))
        return Calling(self.nozzle, price, self.total_ml(self.nozzle), () if self.nozzle else self.shown_prices())

    def completed(self, token: int, values: Values, *, at_start: bool) -> Completed:
        """A delivery as it is told; the pump keeps its nozzle with it."""
        if self.transaction_vain or (values.volume_ml and not self.final):
            self.older = None
        return Completed(
            token,
            values.nozzle,
            values.volume_ml,
            values.amount_minor,
            self.settings.price(values.price),
            self.total_ml(values.nozzle),
            at_start=at_start,
            nozzle_told=True,
        )

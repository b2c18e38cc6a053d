"""Orders that neither begin nor end a delivery: hold it and let it go on, read a total, set prices, say what it is.

Each is held here until the pump's own word shows that it is done, or that it cannot be. Knows no phase's moves,
no link, no tries and no clock.
"""

from collections.abc import Callable

from controller.pumps.dart.asking import Ask, Wish
from controller.pumps.dart.reading import Reading
from controller.pumps.dart.settings import DartSettings
from controller.pumps.dart.states import LIVE, RESTING, RUNNING, Phase
from controller.pumps.dart.transactions import Identity as IdentityDigits
from controller.pumps.dart.transactions import State
from controller.pumps.words import (
    Identify,
    Identity,
    Order,
    PumpEvent,
    ReadTotals,
    Refusal,
    Refused,
    Resume,
    SetPrices,
    Suspend,
    Suspended,
    Totals,
)


class Errands:
    """What was ordered besides a delivery and is not done yet. `tell` gets what comes of it."""

    def __init__(self, settings: DartSettings, tell: Callable[[PumpEvent], None]) -> None:
        self._settings = settings
        self._tell = tell
        self._hold: Suspend | Resume | None = None
        self._totals: list[ReadTotals] = []
        self._identify: Identify | None = None
        self._prices: SetPrices | None = None
        self._taken: SetPrices | None = None
        """The last that it took."""
        self.prices_digits: tuple[int, ...] = ()

    # --- orders ---------------------------------------------------------------------------------------------

    def submit(self, order: Order, phase: Phase, state: State | None, *, out: bool) -> Refusal | None:
        """Take an order, or say why not. `out`: a nozzle is not hung up."""
        match order:
            case Suspend() | Resume():
                return self._submit_hold(order, phase, state)
            case ReadTotals(nozzle):
                if not 1 <= nozzle <= self._settings.nozzles:
                    return Refusal.UNSUPPORTED
                if phase not in RESTING or out:
                    return Refusal.WRONG_STATE
                self._totals.append(order)
                return None
            case Identify():
                self._identify = order
                return None
            case SetPrices(prices):
                digits = self._settings.all_prices_digits(prices)
                if digits is None:
                    return Refusal.UNSUPPORTED
                self._prices, self.prices_digits = order, digits
                return None
            case _:
                return Refusal.UNSUPPORTED

    def _submit_hold(self, order: Suspend | Resume, phase: Phase, state: State | None) -> Refusal | None:
        if phase not in RUNNING or state not in LIVE:
            return Refusal.WRONG_STATE
        suspended = state is State.SUSPENDED
        if isinstance(order, Suspend) and suspended:
            self._tell(Suspended())
            return None
        if isinstance(order, Resume) and not suspended:
            return Refusal.WRONG_STATE
        self._hold = order
        return None

    # --- what is wanted -------------------------------------------------------------------------------------

    @property
    def hold(self) -> Wish | None:
        """To suspend, or to resume."""
        if self._hold is None:
            return None
        return Wish(Ask.SUSPEND if isinstance(self._hold, Suspend) else Ask.RESUME)

    @property
    def total(self) -> Wish | None:
        return Wish(Ask.TOTAL, self._totals[0].nozzle) if self._totals else None

    @property
    def prices(self) -> Wish | None:
        return Wish(Ask.PRICES) if self._prices is not None else None

    @property
    def identity(self) -> Wish | None:
        return Wish(Ask.IDENTITY) if self._identify is not None else None

    # --- what comes of it -----------------------------------------------------------------------------------

    def look(self, phase: Phase, state: State | None) -> None:
        """What the pump is doing now may end an order: as done, or as impossible."""
        if self._hold is not None:
            done = state in LIVE and (state is State.SUSPENDED) == isinstance(self._hold, Suspend)
            if phase not in RUNNING or state not in LIVE:
                self._tell(Refused(self._hold, Refusal.WRONG_STATE))
                self._hold = None
            elif done:
                self._hold = None
        if self._totals and phase not in RESTING:
            self._end_totals(self._totals, Refusal.WRONG_STATE)

    def total_came(self, nozzle: int, total_ml: int) -> None:
        for _ in self._wanted(nozzle):
            self._tell(Totals(nozzle, total_ml, asked=True))
        self._totals = [order for order in self._totals if order.nozzle != nozzle]

    def _wanted(self, nozzle: int) -> list[ReadTotals]:
        return [order for order in self._totals if order.nozzle == nozzle]

    def identity_came(self, said: IdentityDigits) -> None:
        if self._identify is not None:
            self._identify = None
            text = f"DART, manufacturer {said.manufacturer:04d}, type {said.kind:02d}, version {said.version:04d}"
            self._tell(Identity(text))

    def look_at_prices(self, before: State | None, state: State | None, reading: Reading, *, nozzle: bool) -> None:
        """They were sent, and a block came: `nozzle` says whether a price was in it, `before` the state until then."""
        if self._prices_taken(before, state, reading, nozzle=nozzle):
            self._taken, self._prices = self._prices, None

    def prices_lost(self) -> None:
        """The pump has forgotten its prices, and was not gone: it gets again what it took last."""
        self._prices = self._prices or self._taken

    def _prices_taken(self, before: State | None, state: State | None, reading: Reading, *, nozzle: bool) -> bool:
        if before is State.NOT_PROGRAMMED:
            return state is not State.NOT_PROGRAMMED
        # A pump that has no nozzle selected shows no price: then its fresh word is all there is, and the price is
        # looked at again when it calls.
        shown, number = reading.price, reading.nozzle
        unseen = not shown or not 0 < number <= len(self.prices_digits)
        return nozzle and (unseen or shown == self.prices_digits[number - 1])

    def failed(self, wish: Wish) -> None:
        """The pump has not done or answered this in all its tries."""
        match wish.ask:
            case Ask.SUSPEND | Ask.RESUME:
                self._refuse(self._hold)
                self._hold = None
            case Ask.TOTAL:
                self._end_totals(self._wanted(wish.nozzle), Refusal.NOT_CONFIRMED)
            case Ask.IDENTITY:
                self._refuse(self._identify)
                self._identify = None
            case Ask.PRICES:
                self._refuse(self._prices)
                self._prices = None

    def lost(self) -> None:
        """The pump is gone."""
        for order in (self._prices, self._hold, self._identify):
            self._refuse(order, Refusal.OFFLINE)
        self._end_totals(self._totals, Refusal.OFFLINE)

    def _end_totals(self, orders: list[ReadTotals], reason: Refusal) -> None:
        for order in orders:
            self._refuse(order, reason)
        self._totals = [order for order in self._totals if order not in orders]

    def _refuse(self, order: Order | None, reason: Refusal = Refusal.NOT_CONFIRMED) -> None:
        if order is not None:
            self._tell(Refused(order, reason))

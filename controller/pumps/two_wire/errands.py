"""Orders that neither begin nor end a delivery: hold it and let it go on, read a total, set prices, say what it is.

Each is held here until the pump's own word shows that it is done, or that it cannot be. Knows no phase's moves, no
link, no tries and no clock.
"""

from collections.abc import Callable

from controller.pumps.two_wire.asking import Ask, Wish
from controller.pumps.two_wire.blocks import Price, Version
from controller.pumps.two_wire.frame import Status
from controller.pumps.two_wire.settings import TwoWireSettings
from controller.pumps.two_wire.states import RESTING, Phase
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

    def __init__(self, settings: TwoWireSettings, tell: Callable[[PumpEvent], None]) -> None:
        self._settings = settings
        self._tell = tell
        self._hold: Suspend | Resume | None = None
        self._totals: list[ReadTotals] = []
        self._identify: Identify | None = None
        self._prices: SetPrices | None = None
        self._blocks: tuple[Price, ...] = ()
        self._block = 0
        """The price that goes out next."""

    # --- orders ---------------------------------------------------------------------------------------------

    def submit(self, order: Order, phase: Phase, state: Status | None) -> Refusal | None:
        """Take an order, or say why not."""
        match order:
            case Suspend() if phase is Phase.SUSPENDED:
                self._tell(Suspended())
            case Suspend() if phase is Phase.FUELLING:
                self._hold = order
            case Resume() if phase is Phase.SUSPENDED:
                self._hold = order
            case Suspend() | Resume():
                return Refusal.WRONG_STATE
            case ReadTotals(nozzle):
                if not 1 <= nozzle <= self._settings.nozzles:
                    return Refusal.UNSUPPORTED
                if phase not in RESTING or state is not Status.OFF:
                    return Refusal.WRONG_STATE
                self._totals.append(order)
            case Identify():
                self._identify = order
            case SetPrices(prices):
                blocks = self._settings.price_blocks(prices)
                if blocks is None:
                    return Refusal.UNSUPPORTED
                self._prices, self._blocks, self._block = order, blocks, 0
            case _:
                return Refusal.UNSUPPORTED
        return None

    def stopped(self) -> None:
        """A stop goes before what was asked for earlier: fuel must not be let run again behind it."""
        if self._hold is not None:
            self._refuse(self._hold, Refusal.WRONG_STATE)
            self._hold = None

    # --- what is wanted -------------------------------------------------------------------------------------

    @property
    def hold(self) -> Wish | None:
        """To suspend, or to resume."""
        if self._hold is None:
            return None
        return Wish(Ask.SUSPEND if isinstance(self._hold, Suspend) else Ask.RESUME)

    def wish(self, state: Status | None) -> Wish | None:
        """While the pump rests."""
        if self._totals:
            return Wish(Ask.TOTALS)
        if self._prices is not None and state is Status.OFF:
            return Wish(Ask.PRICE, self._block)
        return Wish(Ask.IDENTITY) if self._identify is not None else None

    def price_block(self) -> Price:
        """What goes out now."""
        return self._blocks[self._block]

    # --- what comes of it -----------------------------------------------------------------------------------

    def look(self, phase: Phase) -> None:
        """What the pump is doing now may end an order: as done, or as impossible."""
        if self._hold is not None:
            suspend = isinstance(self._hold, Suspend)
            if phase is (Phase.SUSPENDED if suspend else Phase.FUELLING):
                self._hold = None
            elif phase is not (Phase.FUELLING if suspend else Phase.SUSPENDED):
                # Resumed as far as authorised: that is done too.
                if suspend or phase is not Phase.ALLOWED:
                    self._refuse(self._hold, Refusal.WRONG_STATE)
                self._hold = None
        if self._totals and phase not in RESTING:
            self._end_totals(Refusal.WRONG_STATE)

    def totals_came(self, total_ml: Callable[[int], int | None]) -> None:
        for order in self._totals:
            value = total_ml(order.nozzle)
            if value is None:
                self._refuse(order, Refusal.UNSUPPORTED)
            else:
                self._tell(Totals(order.nozzle, value, asked=True))
        self._totals = []

    def price_taken(self) -> Price:
        """The pump took the one that went out, and had nothing against it."""
        taken = self._blocks[self._block]
        self._block += 1
        if self._block >= len(self._blocks):
            self._prices = None
        return taken

    def identity_came(self, said: Version) -> None:
        if self._identify is not None:
            self._identify = None
            self._tell(Identity(f"two-wire pump {self._settings.pump_id}, version {said.text or 'without digits'}"))

    def failed(self, wish: Wish) -> None:
        """The pump has not done or answered this in all its tries."""
        match wish.ask:
            case Ask.SUSPEND | Ask.RESUME:
                self._refuse(self._hold, Refusal.NOT_CONFIRMED)
                self._hold = None
            case Ask.TOTALS:
                self._end_totals(Refusal.NOT_CONFIRMED)
            case Ask.IDENTITY:
                self._refuse(self._identify, Refusal.NOT_CONFIRMED)
                self._identify = None
            case Ask.PRICE:
                self._refuse(self._prices, Refusal.NOT_CONFIRMED)
                self._prices = None

    def lost(self) -> None:
        """The pump is gone."""
        for order in (self._prices, self._hold, self._identify):
            self._refuse(order, Refusal.OFFLINE)
        self._end_totals(Refusal.OFFLINE)

    def _end_totals(self, reason: Refusal) -> None:
        for order in self._totals:
            self._refuse(order, reason)
        self._totals = []

    def _refuse(self, order: Order | None, reason: Refusal) -> None:
        if order is not None:
            self._tell(Refused(order, reason))

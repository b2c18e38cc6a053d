"""Orders that neither begin nor end a delivery: set the price, read the totals, say what the pump is.

Each is held here until the pump has answered it, or cannot. A price is the one order that no status shows: it counts
with its ACK, and what the pump charges is read with each delivery. Knows no phase's moves, no link and no clock.
"""

from collections.abc import Callable

from controller.pumps.azt2.asking import Ask
from controller.pumps.azt2.messages import price_bytes
from controller.pumps.azt2.settings import NOZZLES_MAX, AztSettings
from controller.pumps.words import (
    Identify,
    Identity,
    Order,
    PumpEvent,
    ReadTotals,
    Refusal,
    Refused,
    SetPrices,
    Totals,
)


class Errands:
    """What was ordered besides a delivery and is not done yet. `tell` gets what comes of it."""

    def __init__(self, settings: AztSettings, tell: Callable[[PumpEvent], None]) -> None:
        self._settings = settings
        self._tell = tell
        self._prices: SetPrices | None = None
        self._price_digits = 0
        self._totals: list[ReadTotals] = []
        self._identify: Identify | None = None
        self._version = ""

    # --- orders ---------------------------------------------------------------------------------------------

    def submit(self, order: Order, *, hung: bool) -> Refusal | None:
        """Take an order, or say why not. `hung`: the pump is at rest with its nozzle hung up."""
        match order:
            case SetPrices(prices):
                digits = self._settings.all_prices_digits(prices)
                if digits is None:
                    return Refusal.UNSUPPORTED
                self._prices, self._price_digits = order, digits
                return None
            case ReadTotals(nozzle):
                if nozzle != NOZZLES_MAX:
                    return Refusal.UNSUPPORTED
                if not hung:
                    return Refusal.WRONG_STATE
                self._totals.append(order)
                return None
            case Identify():
                self._identify = order
                self._version = ""
                return None
            case _:
                return Refusal.UNSUPPORTED

    # --- what is wanted -------------------------------------------------------------------------------------

    @property
    def price(self) -> Ask | None:
        return Ask.PRICE if self._prices is not None else None

    @property
    def price_data(self) -> bytes:
        return price_bytes(self._price_digits)

    @property
    def totals(self) -> Ask | None:
        return Ask.TOTALS if self._totals else None

    @property
    def identity(self) -> Ask | None:
        if self._identify is None:
            return None
        return Ask.ADDRESS if self._version else Ask.VERSION

    # --- what comes of it -----------------------------------------------------------------------------------

    def price_taken(self) -> int:
        """The pump has acknowledged it: its raw digits."""
        self._prices = None
        return self._price_digits

    def total_came(self, total_ml: int) -> None:
        for order in self._totals:
            self._tell(Totals(order.nozzle, total_ml, asked=True))
        self._totals = []

    def version_came(self, text: str) -> None:
        self._version = text

    def address_came(self, text: str) -> None:
        """Empty: the pump does not give it."""
        if self._identify is not None:
            where = f", net address {text}" if text else ""
            self._tell(Identity(f"AZT 2.0, protocol version {self._version}{where}"))
        self._identify = None

    def failed(self, ask: Ask, reason: Refusal) -> None:
        """The pump has not done or answered this in all its tries."""
        match ask:
            case Ask.PRICE:
                self._refuse(self._prices, reason)
                self._prices = None
            case Ask.TOTALS:
                self.end_totals(reason)
            case Ask.VERSION:
                self._refuse(self._identify, reason)
                self._identify = None
            case Ask.ADDRESS:
                self.address_came("")

    def end_totals(self, reason: Refusal) -> None:
        for order in self._totals:
            self._refuse(order, reason)
        self._totals = []

    def lost(self) -> None:
        """The pump is gone."""
        self._refuse(self._prices, Refusal.OFFLINE)
        self._refuse(self._identify, Refusal.OFFLINE)
        self.end_totals(Refusal.OFFLINE)

    def _refuse(self, order: Order | None, reason: Refusal) -> None:
        if order is not None:
            self._tell(Refused(order, reason))

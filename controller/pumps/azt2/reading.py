"""What an AZT pump has said of the delivery it holds, of its price and of its counters. Raw digits.

Keeps apart what was said while it ran and what was said when it was over: only the latter is a sale's value. Knows
no orders and no questions, and never moves a phase.
"""

from dataclasses import dataclass

from controller.domain.quantities import MILLI, UnitPrice, power_of_ten
from controller.pumps.azt2.messages import Full
from controller.pumps.azt2.settings import AztSettings


@dataclass(slots=True)
class Reading:
    """The facts of one pump, true while it answers."""

    settings: AztSettings
    price: int | None = None
    """What the pump charges, as it said or acknowledged last; None while nobody knows."""
    price_tried: bool = False
    """It was asked for."""
    running: int = 0
    full: Full | None = None
    """What 35 said after the delivery was over."""
    total_ml: int | None = None
    total_read: bool = False
    """It was asked for since the last change; `total_ml` is None if it did not come."""

    def begin(self) -> None:
        """What was known of the last delivery does not count for the next one."""
        self.running = 0
        self.full = None
        self.forget_total()

    def forget_total(self) -> None:
        """Fuel may have run since."""
        self.total_read, self.total_ml = False, None

    def total_came(self, total_ml: int | None) -> None:
        """None: it does not come."""
        self.total_read, self.total_ml = True, total_ml

    def full_came(self, full: Full) -> None:
        self.full = full
        self.price = full.price

    @property
    def unit_price(self) -> UnitPrice:
        return self.settings.price(self.price or 0)

    def values(self) -> tuple[int, int]:
        """Volume and amount, in thousandths and minor units.

        Until the pump has said its amount it is reckoned from volume and price, rounded down: good for a display.
        """
        if self.full is not None:
            return self.settings.volume_ml(self.full.volume), self.settings.amount_minor(self.full.amount)
        volume_ml = self.settings.volume_ml(self.running)
        return volume_ml, amount_below(volume_ml, self.unit_price, self.settings)


def amount_below(volume_ml: int, price: UnitPrice, settings: AztSettings) -> int:
    """The greatest amount that `volume_ml` covers at this price, in the pump's own steps of money."""
    numerator = volume_ml * price.value * power_of_ten(settings.currency.decimals + max(0, -price.exponent))
    amount_minor = numerator // (MILLI * power_of_ten(max(0, price.exponent)))
    step_minor = settings.amount_minor(1)
    return amount_minor // step_minor * step_minor

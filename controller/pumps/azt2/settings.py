"""How one AZT pump is configured, and what fits into its fields.

Knows no frame's layout and no state of a pump.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from controller.domain.quantities import UnitPrice
from controller.pumps.azt2.frame import CHANNEL_FIRST, CHANNEL_LAST
from controller.pumps.azt2.messages import DOSE_MAX, PRICE_MAX
from controller.pumps.digits import PumpDigits
from controller.pumps.words import Preset

NOZZLES_MAX = 1
"""A channel is one hose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AztSettings(PumpDigits):
    """How one pump is configured."""

    channel: int

    def __post_init__(self) -> None:
        PumpDigits.__post_init__(self)
        if not CHANNEL_FIRST <= self.channel <= CHANNEL_LAST:
            raise ValueError(f"AZT channel {self.channel}: set one of {CHANNEL_FIRST} to {CHANNEL_LAST}")

    @property
    def nozzles(self) -> int:
        """One to a channel."""
        return NOZZLES_MAX

    def all_prices_digits(self, prices: Sequence[UnitPrice]) -> int | None:
        """The pump's digits for the price of its nozzle; None if there is not just one, or it cannot be shown."""
        return self.price_digits(prices[0], most=PRICE_MAX) if len(prices) == NOZZLES_MAX else None

    def dose(self, preset: Preset, price: UnitPrice | None) -> int | None:
        """The pump's dose for a preset, rounded down to what it can show; None if nothing is left of it.

        A preset above all that the pump can count becomes the most that it can: it still bounds the delivery.
        """
        volume = self.preset_volume_digits(preset, price) or 0
        return min(volume, DOSE_MAX) if volume > 0 else None

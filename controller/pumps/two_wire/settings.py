"""How one two-wire pump is configured, and what fits into its fields.

Knows no command and no state of a pump.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from controller.domain.quantities import UnitPrice, power_of_ten, volume_for
from controller.pumps.digits import VOLUME_DECIMALS_MAX, PumpDigits
from controller.pumps.two_wire.blocks import PRESET_DIGITS, PRICE_DIGITS, Level, MoneyPreset, Price, VolumePreset
from controller.pumps.two_wire.frame import GRADES_MAX, PUMP_LAST
from controller.pumps.words import Authorise, Preset

PRICE_MAX = 10**PRICE_DIGITS - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoWireSettings(PumpDigits):
    """How one pump is configured. A nozzle is a grade."""

    pump_id: int
    nozzles: int = 1
    wide: bool = False
    """It has transactions of 39 words. For the simulated pump: the controller sees it by the length."""
    six_digit_money: bool = False
    """It wants presets of money in six digits."""
    price_levels: int = 1
    """Levels that get the price, all the same one."""
    old_board: bool = False
    """It goes from delivering to off without the state in between that holds the delivery."""
    preset_volume_decimals: int | None = None
    """Where a preset of volume has others than a delivery: it has five digits, and a delivery six or eight."""

    def __post_init__(self) -> None:
        PumpDigits.__post_init__(self)
        if not 1 <= self.pump_id <= PUMP_LAST:
            raise ValueError(f"two-wire pump {self.pump_id}: set one of 1 to {PUMP_LAST}")
        if not 1 <= self.nozzles <= GRADES_MAX:
            raise ValueError(f"{self.nozzles} nozzles: a two-wire pump has 1 to {GRADES_MAX}")
        if not 1 <= self.price_levels <= len(Level):
            raise ValueError(f"{self.price_levels} price levels: a two-wire pump has 1 or {len(Level)}")
        if (self.preset_volume_decimals or 0) > VOLUME_DECIMALS_MAX:
            raise ValueError(f"volumes are counted in thousandths: set at most {VOLUME_DECIMALS_MAX} decimals")

    def preset_volume_ml(self, digits: int) -> int:
        """What the digits of a preset of volume are worth."""
        decimals = self.volume_decimals if self.preset_volume_decimals is None else self.preset_volume_decimals
        return digits * power_of_ten(VOLUME_DECIMALS_MAX - decimals)

    def can_allow(self, order: Authorise) -> bool:
        """Whether the pump can be held to this order."""
        if not order.nozzles or not all(1 <= nozzle <= self.nozzles for nozzle in order.nozzles):
            return False
        return self._gives_any(order) or self.held_to(order) is not None

    def held_to(self, order: Authorise) -> VolumePreset | MoneyPreset | None:
        """The preset that goes out with the order; None where there is none to go, or none that says it.

        Without a preset the pump gives any of its grades: a full tank of one of them is a preset too, the largest
        that the pump takes. Nobody asked for that bound; it only carries the grade.
        """
        if order.preset is not None:
            return self.preset(order.nozzles, order.preset)
        return None if self._gives_any(order) else self._largest(order)

    def _gives_any(self, order: Authorise) -> bool:
        return order.preset is None and len(set(order.nozzles)) == self.nozzles

    def _largest(self, order: Authorise) -> VolumePreset | MoneyPreset | None:
        """For one grade, of volume or of money: where the fields end, one may be much more fuel than the other."""
        most_ml = self.preset_volume_ml(10**PRESET_DIGITS - 1)
        most_minor = self.amount_minor(10 ** (PRESET_DIGITS + self.six_digit_money) - 1)
        price = order.price
        money = price is not None and price.value > 0 and volume_for(most_minor, price, self.currency) > most_ml
        return self.preset(order.nozzles, Preset(amount_minor=most_minor) if money else Preset(volume_ml=most_ml))

    def preset(self, nozzles: Sequence[int], preset: Preset) -> VolumePreset | MoneyPreset | None:
        """The pump's preset, rounded down to what it can show; None if that is nothing, or too much, or if it
        would be for some of the grades and more than one."""
        chosen = set(nozzles)
        if len(chosen) != 1 and len(chosen) != self.nozzles:
            return None
        grade = min(chosen) if len(chosen) == 1 else None
        amount = self.preset_amount_digits(preset)
        if amount is not None:
            digits = PRESET_DIGITS + self.six_digit_money
            only = grade if self.nozzles > 1 else None
            return MoneyPreset(amount, only, digits=digits) if 0 < amount < 10**digits else None
        volume = (preset.volume_ml or 0) // self.preset_volume_ml(1)
        return VolumePreset(volume, grade) if grade and 0 < volume < 10**PRESET_DIGITS else None

    def price_blocks(self, prices: Sequence[UnitPrice]) -> tuple[Price, ...] | None:
        """One block a grade and level; None if the pump has other nozzles or cannot show a price."""
        digits = [value for price in prices if (value := self.price_digits(price, most=PRICE_MAX)) is not None]
        if not len(digits) == len(prices) == self.nozzles:
            return None
        levels = list(Level)[: self.price_levels]
        return tuple(Price(value, grade, level) for grade, value in enumerate(digits, 1) for level in levels)

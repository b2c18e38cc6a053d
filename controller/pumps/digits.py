"""What a pump's digits are worth: raw digits <-> volumes, money and prices, by configured decimals.

The same for every protocol; how many digits a field has is the protocol's own affair. Decimals may be negative:
23,000 in a field of four digits is 23 with -3 decimals.
"""

from dataclasses import dataclass, fields
from typing import Any

from controller.domain.quantities import Currency, UnitPrice, power_of_ten, volume_for
from controller.pumps.words import Preset

VOLUME_DECIMALS_MAX = 3
"""Volumes are counted in thousandths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PumpDigits:
    """How one pump counts."""

    currency: Currency
    volume_decimals: int = 2
    amount_decimals: int = 2
    price_decimals: int = 2
    total_decimals: int = 2

    def __post_init__(self) -> None:
        if self.volume_decimals > VOLUME_DECIMALS_MAX or self.total_decimals > VOLUME_DECIMALS_MAX:
            raise ValueError(f"volumes are counted in thousandths: set at most {VOLUME_DECIMALS_MAX} decimals")
        if self.amount_decimals > self.currency.decimals:
            raise ValueError(f"{self.currency.code} has {self.currency.decimals} decimals: the pump has more")

    def counting(self) -> dict[str, Any]:
        """For the settings of a pump that counts like this: `DartSettings(address=0x50, **digits.counting())`."""
        return {field.name: getattr(self, field.name) for field in fields(PumpDigits)}

    def volume_ml(self, digits: int) -> int:
        return digits * power_of_ten(VOLUME_DECIMALS_MAX - self.volume_decimals)

    def total_ml(self, digits: int) -> int:
        return digits * power_of_ten(VOLUME_DECIMALS_MAX - self.total_decimals)

    def amount_minor(self, digits: int) -> int:
        return digits * power_of_ten(self.currency.decimals - self.amount_decimals)

    def price(self, digits: int) -> UnitPrice:
        return UnitPrice(digits, self.price_decimals)

    def price_digits(self, price: UnitPrice, *, most: int) -> int | None:
        """The pump's digits for a price; None if it cannot show it exactly in numbers up to `most`."""
        shift = self.price_decimals - price.exponent
        digits, rest = (
            (price.value * power_of_ten(shift), 0) if shift >= 0 else divmod(price.value, power_of_ten(-shift))
        )
        return digits if not rest and 0 <= digits <= most else None

    def preset_volume_digits(self, preset: Preset, price: UnitPrice | None = None) -> int | None:
        """The digits of a preset as one of volume, rounded down; of money only where `price` is given, else None."""
        volume_ml = preset.volume_ml
        if volume_ml is None:
            if price is None or price.value <= 0:
                return None
            volume_ml = volume_for(preset.amount_minor or 0, price, self.currency)
        return volume_ml // self.volume_ml(1)

    def preset_amount_digits(self, preset: Preset) -> int | None:
        """The digits of a preset of money, rounded down; None if it is one of volume."""
        return None if preset.amount_minor is None else preset.amount_minor // self.amount_minor(1)

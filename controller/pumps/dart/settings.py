"""How one DART pump is configured, and what its digits are worth: raw digits <-> prices, volumes and money.

Knows no transaction but the two presets, and no state of a pump.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from controller.domain.quantities import Currency, UnitPrice
from controller.pumps.dart.frame import ADDRESS_FIRST, ADDRESS_LAST
from controller.pumps.dart.transactions import PresetAmount, PresetVolume
from controller.pumps.words import Preset

NOZZLES_MAX = 8
"""DC101 has counters for eight."""
PRICE_MAX = 999_999
"""CD5 has six digits for a price."""
PRESET_MAX = 99_999_999
"""CD3 and CD4 have eight digits."""


@dataclass(frozen=True, slots=True)
class DartSettings:
    """How one pump is configured. Decimals say what its digits are worth and may be negative."""

    address: int
    currency: Currency
    volume_decimals: int = 2
    amount_decimals: int = 2
    price_decimals: int = 2
    total_decimals: int = 2
    nozzles: int = 1
    display_hold_ms: int = 10_000
    """How long a cleared delivery stays on the display, unless somebody wants the pump."""

    def __post_init__(self) -> None:
        if not ADDRESS_FIRST <= self.address <= ADDRESS_LAST:
            raise ValueError(f"DART address {self.address:#x}: set one of 0x50 to 0x6F")
        if not 1 <= self.nozzles <= NOZZLES_MAX:
            raise ValueError(f"{self.nozzles} nozzles: a DART pump has 1 to {NOZZLES_MAX}")
        if self.volume_decimals > 3 or self.total_decimals > 3:
            raise ValueError("volumes are counted in thousandths: set at most 3 decimals")
        if self.amount_decimals > self.currency.decimals:
            raise ValueError(f"{self.currency.code} has {self.currency.decimals} decimals: the pump has more")

    def volume_ml(self, digits: int) -> int:
        return digits * int(10 ** (3 - self.volume_decimals))

    def total_ml(self, digits: int) -> int:
        return digits * int(10 ** (3 - self.total_decimals))

    def amount_minor(self, digits: int) -> int:
        return digits * int(10 ** (self.currency.decimals - self.amount_decimals))

    def price(self, digits: int) -> UnitPrice:
        return UnitPrice(digits, self.price_decimals)

    def price_digits(self, price: UnitPrice) -> int | None:
        """The pump's digits for a price; None if it cannot show it exactly."""
        shift = self.price_decimals - price.exponent
        digits, rest = (price.value * int(10**shift), 0) if shift >= 0 else divmod(price.value, int(10**-shift))
        return digits if not rest and 0 <= digits <= PRICE_MAX else None

    def all_prices_digits(self, prices: Sequence[UnitPrice]) -> tuple[int, ...] | None:
        """The pump's digits for the prices of nozzles 1..n; None if it has other nozzles or cannot show one."""
        digits = [value for price in prices if (value := self.price_digits(price)) is not None]
        return tuple(digits) if len(digits) == len(prices) == self.nozzles else None

    def preset(self, preset: Preset) -> PresetVolume | PresetAmount | None:
        """The pump's preset, rounded down to what it can show; None if nothing is left, or it is too much."""
        if preset.amount_minor is not None:
            digits = preset.amount_minor // self.amount_minor(1)
            return PresetAmount(digits) if 0 < digits <= PRESET_MAX else None
        digits = (preset.volume_ml or 0) // self.volume_ml(1)
        return PresetVolume(digits) if 0 < digits <= PRESET_MAX else None

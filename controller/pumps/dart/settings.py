"""How one DART pump is configured, and what fits into its fields.

Knows no transaction but the two presets, and no state of a pump.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from controller.domain.quantities import UnitPrice
from controller.pumps.dart.frame import ADDRESS_FIRST, ADDRESS_LAST
from controller.pumps.dart.transactions import PresetAmount, PresetVolume
from controller.pumps.digits import PumpDigits
from controller.pumps.words import Preset

NOZZLES_MAX = 8
"""DC101 has counters for eight."""
PRICE_MAX = 999_999
"""CD5 has six digits for a price."""
PRESET_MAX = 99_999_999
"""CD3 and CD4 have eight digits."""
DISPLAY_HOLD_MS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DartSettings(PumpDigits):
    """How one pump is configured."""

    address: int
    nozzles: int = 1
    display_hold_ms: int = DISPLAY_HOLD_MS
    """How long a cleared delivery stays on the display, unless somebody wants the pump."""

    def __post_init__(self) -> None:
        PumpDigits.__post_init__(self)
        if not ADDRESS_FIRST <= self.address <= ADDRESS_LAST:
            raise ValueError(f"DART address {self.address:#x}: set one of 0x50 to 0x6F")
        if not 1 <= self.nozzles <= NOZZLES_MAX:
            raise ValueError(f"{self.nozzles} nozzles: a DART pump has 1 to {NOZZLES_MAX}")

    def all_prices_digits(self, prices: Sequence[UnitPrice]) -> tuple[int, ...] | None:
        """The pump's digits for the prices of nozzles 1..n; None if it has other nozzles or cannot show one."""
        digits = [value for price in prices if (value := self.price_digits(price, most=PRICE_MAX)) is not None]
        return tuple(digits) if len(digits) == len(prices) == self.nozzles else None

    def preset(self, preset: Preset) -> PresetVolume | PresetAmount | None:
        """The pump's preset, rounded down to what it can show; None if nothing is left, or it is too much."""
        amount = self.preset_amount_digits(preset)
        if amount is not None:
            return PresetAmount(amount) if 0 < amount <= PRESET_MAX else None
        volume = self.preset_volume_digits(preset) or 0
        return PresetVolume(volume) if 0 < volume <= PRESET_MAX else None

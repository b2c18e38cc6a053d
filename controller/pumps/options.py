"""What only the pumps of one protocol can be told, beside what all pumps can: one struct a protocol.

What is left out is as on most pumps. Knows no pump and no file.
"""

from typing import Annotated, Literal

import msgspec

from controller.pumps.dart.settings import DISPLAY_HOLD_MS
from controller.pumps.digits import VOLUME_DECIMALS_MAX

DISPLAY_HOLD_MS_MAX = 600_000
"""Who wants to look longer has the receipt."""


class PumpOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A protocol's own keys of a pump."""


class DartOptions(PumpOptions, frozen=True):
    """`display_hold_ms`: how long a cleared delivery stays on the display, unless somebody wants the pump."""

    display_hold_ms: Annotated[int, msgspec.Meta(ge=0, le=DISPLAY_HOLD_MS_MAX)] = DISPLAY_HOLD_MS


class TwoWireOptions(PumpOptions, frozen=True):
    """What differs from board to board; each as in `TwoWireSettings`."""

    old_board: bool = False
    six_digit_money: bool = False
    price_levels: Literal[1, 2] = 1
    preset_volume_decimals: Annotated[int, msgspec.Meta(le=VOLUME_DECIMALS_MAX)] | None = None


class AztOptions(PumpOptions, frozen=True):
    """Its pumps differ in nothing that the controller does not see by itself."""

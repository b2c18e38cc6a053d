"""The pump protocols that a station can speak: one row a protocol, by the name that station.toml uses.

Knows how a pump's core is made of its settings. Knows no port, no clock and no configuration file.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from controller.pumps.abilities import Abilities
from controller.pumps.azt2 import protocol as azt2
from controller.pumps.azt2.messages import PRICE_MAX as AZT_PRICE_MAX
from controller.pumps.azt2.pump import AztPump
from controller.pumps.azt2.settings import AztSettings
from controller.pumps.core import LineSettings, PumpCore
from controller.pumps.dart import protocol as dart
from controller.pumps.dart.pump import DartPump, DartSettings
from controller.pumps.dart.settings import PRICE_MAX as DART_PRICE_MAX
from controller.pumps.digits import PumpDigits
from controller.pumps.framing import framed
from controller.pumps.options import AztOptions, DartOptions, PumpOptions, TwoWireOptions
from controller.pumps.two_wire import protocol as two_wire
from controller.pumps.two_wire.pump import TwoWirePump
from controller.pumps.two_wire.settings import PRICE_MAX as TWO_WIRE_PRICE_MAX
from controller.pumps.two_wire.settings import TwoWireSettings

_Options = TypeVar("_Options", bound=PumpOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """One pump: what every protocol needs, and the options of its own; without them, as on most pumps."""

    address: int
    nozzles: int
    digits: PumpDigits
    options: PumpOptions | None = None

    def own(self, kind: type[_Options]) -> _Options:
        """The options of this protocol. TypeError if they are another's."""
        if self.options is None:
            return kind()
        if not isinstance(self.options, kind):
            raise TypeError(f"{type(self.options).__name__} given, and the pump takes {kind.__name__}")
        return self.options


@dataclass(frozen=True, slots=True)
class Row:
    """One protocol. `nozzles_max`: how many grades a point may have with it. `totaliser_digits`: of its counters on the
    wire, decimals included; at this many they roll over. `price_max`: the largest number in its field of a price."""

    line: LineSettings
    addresses: range
    abilities: Abilities
    nozzles_max: int
    totaliser_digits: int
    price_max: int
    core: Callable[[Setup], PumpCore]


def _dart(setup: Setup) -> PumpCore:
    options = setup.own(DartOptions)
    return DartPump(
        DartSettings(
            address=setup.address,
            nozzles=setup.nozzles,
            display_hold_ms=options.display_hold_ms,
            **setup.digits.counting(),
        )
    )


def _two_wire(setup: Setup) -> PumpCore:
    options = setup.own(TwoWireOptions)
    return TwoWirePump(
        TwoWireSettings(
            pump_id=setup.address,
            nozzles=setup.nozzles,
            old_board=options.old_board,
            six_digit_money=options.six_digit_money,
            price_levels=options.price_levels,
            preset_volume_decimals=options.preset_volume_decimals,
            **setup.digits.counting(),
        )
    )


def _azt2(setup: Setup) -> PumpCore:
    setup.own(AztOptions)
    return AztPump(AztSettings(channel=setup.address, **setup.digits.counting()))


PROTOCOLS: dict[str, Row] = {
    "dart": Row(dart.LINE, dart.ADDRESSES, dart.ABILITIES, dart.ABILITIES.nozzles_max, 10, DART_PRICE_MAX, _dart),
    "two-wire": Row(
        two_wire.LINE,
        two_wire.ADDRESSES,
        two_wire.ABILITIES,
        two_wire.ABILITIES.nozzles_max,
        8,
        TWO_WIRE_PRICE_MAX,
        _two_wire,
    ),
    "azt2": Row(azt2.LINE, azt2.ADDRESSES, azt2.ABILITIES, azt2.ABILITIES.nozzles_max, 10, AZT_PRICE_MAX, _azt2),
}


def line_settings(protocol: str, baud: int | None, framing: str | None = None) -> LineSettings:
    """How bytes look on a line: the protocol's own way, with another speed or framing where one is given.

    ValueError with a sentence if the framing does not fit.
    """
    line = PROTOCOLS[protocol].line
    if baud is not None:
        line = replace(line, baud=baud)
    return line if framing is None else framed(line, framing)

"""The pump protocols that a station can speak: one row a protocol, by the name that station.toml uses.

Knows how a pump's core is made of its settings. Knows no port, no clock and no configuration file.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from controller.domain.quantities import Currency
from controller.pumps.abilities import Abilities
from controller.pumps.azt2 import protocol as azt2
from controller.pumps.azt2.pump import AztPump
from controller.pumps.azt2.settings import AztSettings
from controller.pumps.core import LineSettings, PumpCore
from controller.pumps.dart import protocol as dart
from controller.pumps.dart.pump import DartPump, DartSettings
from controller.pumps.two_wire import protocol as two_wire
from controller.pumps.two_wire.pump import TwoWirePump
from controller.pumps.two_wire.settings import TwoWireSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """One pump, as every protocol needs it."""

    address: int
    nozzles: int
    currency: Currency
    volume_decimals: int
    amount_decimals: int
    price_decimals: int
    total_decimals: int


@dataclass(frozen=True, slots=True)
class Row:
    """One protocol. `nozzles_max`: how many grades a point may have with it."""

    line: LineSettings
    addresses: range
    abilities: Abilities
    nozzles_max: int
    core: Callable[[Setup], PumpCore]


def _dart(setup: Setup) -> PumpCore:
    return DartPump(
        DartSettings(
            address=setup.address,
            nozzles=setup.nozzles,
            currency=setup.currency,
            volume_decimals=setup.volume_decimals,
            amount_decimals=setup.amount_decimals,
            price_decimals=setup.price_decimals,
            total_decimals=setup.total_decimals,
        )
    )


def _two_wire(setup: Setup) -> PumpCore:
    return TwoWirePump(
        TwoWireSettings(
            pump_id=setup.address,
            nozzles=setup.nozzles,
            currency=setup.currency,
            volume_decimals=setup.volume_decimals,
            amount_decimals=setup.amount_decimals,
            price_decimals=setup.price_decimals,
            total_decimals=setup.total_decimals,
        )
    )


def _azt2(setup: Setup) -> PumpCore:
    return AztPump(
        AztSettings(
            channel=setup.address,
            currency=setup.currency,
            volume_decimals=setup.volume_decimals,
            amount_decimals=setup.amount_decimals,
            price_decimals=setup.price_decimals,
            total_decimals=setup.total_decimals,
        )
    )


PROTOCOLS: dict[str, Row] = {
    "dart": Row(dart.LINE, dart.ADDRESSES, dart.ABILITIES, dart.ABILITIES.nozzles_max, _dart),
    # A two-wire pump does not say which of its grades was lifted: a point has one.
    "two-wire": Row(two_wire.LINE, two_wire.ADDRESSES, two_wire.ABILITIES, 1, _two_wire),
    "azt2": Row(azt2.LINE, azt2.ADDRESSES, azt2.ABILITIES, azt2.ABILITIES.nozzles_max, _azt2),
}


def line_settings(protocol: str, baud: int | None) -> LineSettings:
    """How bytes look on a line: the protocol's own way, at `baud` where one is given."""
    line = PROTOCOLS[protocol].line
    return line if baud is None else replace(line, baud=baud)

"""One two-wire core and one simulated twin: for tests of the core."""

from typing import Any

from controller.domain.quantities import CURRENCIES, UnitPrice
from controller.pumps.two_wire.protocol import LINE
from controller.pumps.two_wire.pump import TwoWirePump, TwoWireSettings
from controller.pumps.words import Authorise, Completed, Preset
from sim.pumps.head import HeadNozzle, PumpHead
from sim.pumps.two_wire import TwoWireTwin
from tests.pumps.core_bench import Bench, fuel, sell

TRY = CURRENCIES["TRY"]
PRICE = UnitPrice(4379, 2)
TwoWireBench = Bench[TwoWirePump, TwoWireTwin]


def bench(
    nozzles: int = 1, *, pump: int = 1, overrun_ml: int = 0, twin: dict[str, Any] | None = None, **settings: Any
) -> TwoWireBench:
    head = PumpHead(
        [HeadNozzle(f"grade {n}", PRICE, 1_000_000 * n) for n in range(1, nozzles + 1)], TRY, overrun_ml=overrun_ml
    )
    made = TwoWireSettings(pump_id=pump, currency=TRY, nozzles=nozzles, **settings)
    return Bench(TwoWirePump(made), TwoWireTwin(head, made, **(twin or {})), LINE, lambda: TwoWirePump(made))


def order(b: TwoWireBench, preset: Preset | None = None, nozzle: int = 1) -> Authorise:
    """A preset is of one grade; without one, any may be taken."""
    return Authorise((nozzle,) if preset else tuple(range(1, b.core.settings.nozzles + 1)), preset)


def deliver(b: TwoWireBench, want_ml: int = 5_000) -> None:
    """Call, authorise, fuel until nothing flows any more."""
    fuel(b, want_ml, order(b))


def sale(b: TwoWireBench, want_ml: int = 5_000, preset: Preset | None = None, nozzle: int = 1) -> Completed:
    """The whole of it, until the pump's values are told."""
    return sell(b, want_ml, order(b, preset, nozzle), nozzle)

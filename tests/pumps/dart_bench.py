"""One DART core and one simulated twin: for tests of the core."""

from controller.domain.quantities import CURRENCIES, UnitPrice
from controller.pumps.dart import transactions as dart
from controller.pumps.dart.protocol import LINE
from controller.pumps.dart.pump import DartPump, DartSettings
from controller.pumps.words import Authorise, Completed, Preset
from sim.pumps.dart import DartTwin
from sim.pumps.head import HeadNozzle, PumpHead
from tests.pumps.core_bench import Bench, sell

TRY = CURRENCIES["TRY"]
PRICE = UnitPrice(4379, 2)
RESET = dart.Command(dart.Order.RESET)
AUTHORIZE = dart.Command(dart.Order.AUTHORIZE)
DartBench = Bench[DartPump, DartTwin]


def bench(nozzles: int = 1, *, overrun_ml: int = 0, address: int = 0x50, **twin_options: bool | int) -> DartBench:
    head = PumpHead(
        [HeadNozzle(f"grade {n}", PRICE, 1_000_000 * n) for n in range(1, nozzles + 1)], TRY, overrun_ml=overrun_ml
    )
    settings = DartSettings(address=address, currency=TRY, nozzles=nozzles)
    twin = DartTwin(head, settings, **twin_options)  # type: ignore[arg-type]
    return Bench(DartPump(settings), twin, LINE, lambda: DartPump(settings))


def sale(b: DartBench, want_ml: int = 5_000, preset: Preset | None = None, nozzle: int = 1) -> Completed:
    """Call, authorise, fuel, hang up."""
    return sell(b, want_ml, Authorise((nozzle,), preset), nozzle)

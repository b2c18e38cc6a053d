"""One AZT core and one simulated twin: for tests of the core."""

from typing import Any

from controller.domain.quantities import CURRENCIES, UnitPrice
from controller.pumps.azt2.messages import Command
from controller.pumps.azt2.protocol import LINE
from controller.pumps.azt2.pump import AztPump, AztSettings
from controller.pumps.words import Authorise, Completed, Preset
from sim.pumps.azt2 import AztTwin
from sim.pumps.head import HeadNozzle, PumpHead
from tests.pumps.core_bench import Bench, fuel, sell

UAH = CURRENCIES["UAH"]
PRICE = UnitPrice(5_499, 2)
QUERIES = {
    Command.STATUS,
    Command.RUNNING,
    Command.FULL,
    Command.TOTALS,
    Command.VERSION,
    Command.ADDRESS,
    Command.READ_DOSE,
}
AztBench = Bench[AztPump, AztTwin]


def bench(*, channel: int = 1, overrun_ml: int = 0, **twin_options: Any) -> AztBench:
    head = PumpHead([HeadNozzle("diesel", PRICE, 1_000_000)], UAH, overrun_ml=overrun_ml)
    settings = AztSettings(channel=channel, currency=UAH)
    return Bench(AztPump(settings), AztTwin(head, settings, **twin_options), LINE, lambda: AztPump(settings))


def acts(b: AztBench) -> list[Command]:
    """What the pump was told to do, and did, in order."""
    return [Command(request.command) for request in b.twin.log if request.command not in QUERIES]


def deliver(b: AztBench, want_ml: int = 5_000, preset: Preset | None = None) -> None:
    """Call, authorise, fuel as far as the pump allows."""
    fuel(b, want_ml, Authorise((1,), preset, PRICE))


def sale(b: AztBench, want_ml: int = 5_000, preset: Preset | None = None, price: UnitPrice | None = PRICE) -> Completed:
    """Call, authorise, fuel, hang up."""
    return sell(b, want_ml, Authorise((1,), preset, price))

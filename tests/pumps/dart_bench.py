"""One DART core and one simulated twin, wired straight to each other: for tests of the core."""

from collections.abc import Callable
from dataclasses import dataclass, field

from controller.domain.quantities import CURRENCIES, UnitPrice
from controller.pumps.dart import transactions as dart
from controller.pumps.dart.pump import DartPump, DartSettings
from controller.pumps.words import (
    Authorise,
    Authorised,
    Calling,
    Completed,
    Fuelling,
    LinkFault,
    Order,
    Preset,
    PumpEvent,
)
from sim.pumps.dart import DartTwin
from sim.pumps.head import HeadNozzle, PumpHead

TRY = CURRENCIES["TRY"]
PRICE = UnitPrice(4379, 2)
RESET = dart.Command(dart.Order.RESET)
AUTHORIZE = dart.Command(dart.Order.AUTHORIZE)
Mangle = Callable[[bytes], bytes]


@dataclass
class Bench:
    """One core and one twin; `to_pump` and `to_core` may lose or spoil what passes."""

    twin: DartTwin
    core: DartPump
    now_us: int = 1_000_000
    to_pump: Mangle = bytes
    to_core: Mangle = bytes
    told: list[PumpEvent] = field(default_factory=list)
    turns: int = 0

    def step(self) -> None:
        turn = self.core.next_turn(self.now_us)
        heard = self.to_pump(turn.data)
        answer = self.twin.receive(heard, self.now_us) if heard else b""
        self.now_us += turn.gap_us + 25_000 + 1_146 * (len(turn.data) + len(answer))
        self.core.received(self.to_core(answer) if turn.window_us else b"", self.now_us)
        self.turns += 1
        self.told += self.core.events()

    def until(self, wanted: type[PumpEvent], turns_max: int = 2_000) -> PumpEvent:
        """Run until an event of this kind comes that was not there before."""
        begin = len(self.told)
        for _ in range(turns_max):
            self.step()
            for event in self.told[begin:]:
                if isinstance(event, wanted):
                    return event
        raise AssertionError(f"no {wanted.__name__} in {turns_max} turns: {self.kinds()} {self.core.phase}")

    def run(self, turns: int) -> None:
        for _ in range(turns):
            self.step()

    def submit(self, order: Order) -> None:
        self.core.submit(order, self.now_us)

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.told if not isinstance(event, LinkFault | Fuelling)]

    def restart_controller(self) -> None:
        self.core = DartPump(self.core.settings)
        self.told = []


def bench(nozzles: int = 1, *, overrun_ml: int = 0, **twin_options: bool | int) -> Bench:
    head = PumpHead(
        [HeadNozzle(f"grade {n}", PRICE, 1_000_000 * n) for n in range(1, nozzles + 1)], TRY, overrun_ml=overrun_ml
    )
    settings = DartSettings(address=0x50, currency=TRY, nozzles=nozzles)
    return Bench(DartTwin(head, settings, **twin_options), DartPump(settings))  # type: ignore[arg-type]


def completed(b: Bench) -> Completed:
    event = b.until(Completed)
    assert isinstance(event, Completed)
    return event


def sale(b: Bench, want_ml: int = 5_000, preset: Preset | None = None, nozzle: int = 1) -> Completed:
    """Call, authorise, fuel, hang up."""
    b.twin.head.lift(nozzle, b.now_us)
    b.until(Calling)
    b.submit(Authorise((nozzle,), preset))
    b.until(Authorised)
    b.twin.head.squeeze(want_ml, b.now_us)
    while b.twin.head.next_change_us(b.now_us) is not None or not b.twin.head.volume_ml(b.now_us):
        b.step()
    b.twin.head.hang_up(b.now_us)
    return completed(b)

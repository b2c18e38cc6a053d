"""One two-wire core and one simulated twin, wired straight to each other: for tests of the core."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from controller.domain.quantities import CURRENCIES, UnitPrice
from controller.pumps.two_wire.protocol import LINE
from controller.pumps.two_wire.pump import TwoWirePump, TwoWireSettings
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
from sim.pumps.head import HeadNozzle, PumpHead
from sim.pumps.two_wire import TwoWireTwin

TRY = CURRENCIES["TRY"]
PRICE = UnitPrice(4379, 2)
Mangle = Callable[[bytes], bytes]


@dataclass
class Bench:
    """One core and one twin; `to_pump` and `to_core` may lose or spoil what passes."""

    twin: TwoWireTwin
    core: TwoWirePump
    now_us: int = 1_000_000
    to_pump: Mangle = bytes
    to_core: Mangle = bytes
    told: list[PumpEvent] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)

    def step(self) -> None:
        turn = self.core.next_turn(self.now_us)
        self.sent.append(turn.data)
        heard = self.to_pump(turn.data)
        answer = self.twin.receive(heard, self.now_us) if self.twin.hears(heard) else b""
        heard_back = self.to_core(answer) if turn.window_us and answer else b""
        self.now_us += turn.gap_us + LINE.wire_us(len(turn.data))
        if turn.window_us:
            self.now_us += self.twin.reply_latency_us + LINE.wire_us(len(answer)) if answer else turn.window_us
        self.core.received(heard_back, self.now_us)
        self.told += self.core.events()

    def until(self, wanted: type[PumpEvent], turns_max: int = 2_000) -> Any:
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
        self.told += self.core.events()

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.told if not isinstance(event, LinkFault | Fuelling)]

    def restart_controller(self) -> None:
        self.core = TwoWirePump(self.core.settings)
        self.told = []


def bench(nozzles: int = 1, *, overrun_ml: int = 0, twin: dict[str, Any] | None = None, **settings: Any) -> Bench:
    head = PumpHead(
        [HeadNozzle(f"grade {n}", PRICE, 1_000_000 * n) for n in range(1, nozzles + 1)], TRY, overrun_ml=overrun_ml
    )
    made = TwoWireSettings(pump_id=1, currency=TRY, nozzles=nozzles, **settings)
    return Bench(TwoWireTwin(head, made, **(twin or {})), TwoWirePump(made))


def fuel(b: Bench, want_ml: int = 5_000, preset: Preset | None = None, nozzle: int = 1) -> None:
    """Call, authorise, fuel until nothing flows any more."""
    b.twin.head.lift(nozzle, b.now_us)
    b.until(Calling)
    nozzles = (nozzle,) if preset else tuple(range(1, b.core.settings.nozzles + 1))
    b.submit(Authorise(nozzles, preset))
    b.until(Authorised)
    b.twin.head.squeeze(want_ml, b.now_us)
    while b.twin.head.next_change_us(b.now_us) is not None or not b.twin.head.volume_ml(b.now_us):
        b.step()


def sale(b: Bench, want_ml: int = 5_000, preset: Preset | None = None, nozzle: int = 1) -> Completed:
    """The whole of it, until the pump's values are told."""
    fuel(b, want_ml, preset, nozzle)
    b.twin.head.hang_up(b.now_us)
    done = b.until(Completed)
    assert isinstance(done, Completed)
    return done

"""One AZT core and one simulated twin, wired straight to each other: for tests of the core."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from controller.domain.quantities import CURRENCIES, UnitPrice
from controller.pumps.azt2.messages import Command
from controller.pumps.azt2.protocol import LINE
from controller.pumps.azt2.pump import AztPump, AztSettings
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
from sim.pumps.azt2 import AztTwin
from sim.pumps.head import HeadNozzle, PumpHead

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
Mangle = Callable[[bytes], bytes]


@dataclass
class Bench:
    """One core and one twin; `to_pump` and `to_core` may lose or spoil what passes."""

    twin: AztTwin
    core: AztPump
    now_us: int = 1_000_000
    to_pump: Mangle = bytes
    to_core: Mangle = bytes
    told: list[PumpEvent] = field(default_factory=list)

    def step(self) -> None:
        turn = self.core.next_turn(self.now_us)
        heard = self.to_pump(turn.data)
        answer = self.twin.receive(heard, self.now_us) if heard else b""
        waited_us = self.twin.reply_latency_us if answer else turn.window_us
        self.now_us += turn.gap_us + waited_us + LINE.wire_us(len(turn.data) + len(answer))
        self.core.received(self.to_core(answer) if answer else b"", self.now_us)
        self.told += self.core.events()

    def until(self, wanted: type[PumpEvent], turns_max: int = 1_000) -> PumpEvent:
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

    def done(self) -> list[Command]:
        """What the pump was told to do, and did, in order."""
        return [Command(request.command) for request in self.twin.log if request.command not in QUERIES]

    def restart_controller(self) -> None:
        self.core = AztPump(self.core.settings)
        self.told = []


def bench(*, channel: int = 1, overrun_ml: int = 0, **twin_options: Any) -> Bench:
    head = PumpHead([HeadNozzle("diesel", PRICE, 1_000_000)], UAH, overrun_ml=overrun_ml)
    settings = AztSettings(channel=channel, currency=UAH)
    return Bench(AztTwin(head, settings, **twin_options), AztPump(settings))


def completed(b: Bench) -> Completed:
    event = b.until(Completed)
    assert isinstance(event, Completed)
    return event


def fuel(b: Bench, want_ml: int = 5_000, preset: Preset | None = None, price: UnitPrice | None = PRICE) -> None:
    """Call, authorise, fuel as far as the pump allows."""
    b.twin.head.lift(1, b.now_us)
    b.until(Calling)
    b.submit(Authorise((1,), preset, price))
    b.until(Authorised)
    b.twin.head.squeeze(want_ml, b.now_us)
    while b.twin.head.next_change_us(b.now_us) is not None or not b.twin.head.volume_ml(b.now_us):
        b.step()


def sale(b: Bench, want_ml: int = 5_000, preset: Preset | None = None, price: UnitPrice | None = PRICE) -> Completed:
    """Call, authorise, fuel, hang up."""
    told = len(b.told)
    fuel(b, want_ml, preset, price)
    b.twin.head.hang_up(b.now_us)
    done = [event for event in b.told[told:] if isinstance(event, Completed)]
    return done[0] if done else completed(b)


def lossy(chance: random.Random, percent: int) -> Mangle:
    """Lose, cut, spoil, double what passes, or put noise before it."""

    def mangle(data: bytes) -> bytes:
        if chance.randrange(100) >= percent:
            return data
        match chance.randrange(5):
            case 0:
                return b""
            case 1:
                return data[: chance.randrange(len(data))]
            case 2:
                spoilt = bytearray(data)
                spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(7)
                # What parity would have caught: a short reply has no other check.
                return bytes(spoilt) if len(data) > 2 else b""
            case 3:
                return bytes(chance.randrange(128) for _ in range(chance.randrange(1, 9))) + data
            case _:
                return data + data

    return mangle

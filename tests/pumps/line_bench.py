"""Several pumps of one protocol on one line: the production schedule over cores and twins, turn by turn."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from controller.pumps.core import PumpCore, Turn
from controller.pumps.schedule import LineSchedule
from controller.pumps.words import Authorise, Authorised, Calling, Completed, Idle, Order, PumpEvent
from sim.pumps.port import Twin
from tests.pumps.core_bench import Bench

TwinT = TypeVar("TwinT", bound=Twin)
EventT = TypeVar("EventT", bound=PumpEvent)


class LineBench(Generic[TwinT]):
    """`cut` pumps are not on the line; `spoil` makes of what a point says what the master hears."""

    def __init__(self, pumps: Mapping[int, Bench[Any, TwinT]]) -> None:
        self.twins = {point: pump.twin for point, pump in pumps.items()}
        self.cores: dict[int, PumpCore] = {point: pump.core for point, pump in pumps.items()}
        self.schedule = LineSchedule(self.cores)
        self.line = next(iter(pumps.values())).line
        self.now_us = 1_000_000
        self.cut: set[int] = set()
        self.spoil: Callable[[int, bytes], bytes] | None = None
        self.told: list[tuple[int, PumpEvent]] = []
        self.spoken: list[int] = []
        self.turns: list[Turn] = []

    @property
    def sent(self) -> list[bytes]:
        return [turn.data for turn in self.turns]

    def turn(self) -> int:
        """One turn; whose it was."""
        point, turn = self.schedule.next(self.now_us)
        answers = []
        latency_us = 0
        for number, twin in self.twins.items():  # all of them hear all, as on a real wire
            if number not in self.cut and twin.hears(turn.data) and (said := twin.receive(turn.data, self.now_us)):
                answers.append(said)
                latency_us = twin.reply_latency_us
        assert len(answers) <= 1, "two pumps speak at once"
        answer = answers[0] if answers and turn.window_us else b""
        if self.spoil is not None and turn.window_us:
            answer = self.spoil(point, answer)
        self.now_us += turn.gap_us + self.line.wire_us(len(turn.data) + len(answer))
        if turn.window_us:
            self.now_us += (latency_us or 1_000) if answer else turn.window_us
        self.schedule.answered(answer, self.now_us)
        self.told += self.schedule.events()
        self.spoken.append(point)
        self.turns.append(turn)
        return point

    def run(self, turns: int) -> None:
        for _ in range(turns):
            self.turn()

    def submit(self, point: int, order: Order) -> None:
        """The pump gets it at its next turn."""
        self.schedule.submit(point, order, self.now_us)
        self.now_us += 1

    def of(self, point: int, kind: type[EventT]) -> list[EventT]:
        """All of this kind that was told of a point."""
        return [event for at, event in self.told if at == point and isinstance(event, kind)]

    def kinds(self, point: int) -> list[type[PumpEvent]]:
        return [type(event) for at, event in self.told if at == point]

    def until(self, point: int, kind: type[EventT], turns_max: int = 3_000) -> EventT:
        """Run until such an event comes that was not there before."""
        before = len(self.told)
        for _ in range(turns_max):
            self.turn()
            for at, event in self.told[before:]:
                if at == point and isinstance(event, kind):
                    return event
            before = len(self.told)
        raise AssertionError(f"no {kind.__name__} of {point} in {turns_max} turns: {self.told[-10:]}")

    def fuel(self, *points: int, order: Authorise | None = None, want_ml: int = 1_000_000) -> None:
        """Call, authorise and begin to fuel at all of them."""
        for point in points:
            self.twins[point].head.lift(1, self.now_us)
        self.run(20 * len(points) + 40)
        for point in points:
            self.submit(point, order or Authorise((1,)))
        self.run(20 * len(points) + 40)
        for point in points:
            assert self.of(point, Authorised), (point, self.kinds(point))
            self.twins[point].head.squeeze(want_ml, self.now_us)
        self.run(20 * len(points))

    def sell(self, point: int, order: Authorise, want_ml: int) -> Completed:
        """A whole sale, until the pump's values are told."""
        head = self.twins[point].head
        head.lift(1, self.now_us)
        self.until(point, Calling)
        self.submit(point, order)
        self.until(point, Authorised)
        head.squeeze(want_ml, self.now_us)
        while head.next_change_us(self.now_us) is not None or not head.volume_ml(self.now_us):
            self.turn()
        head.hang_up(self.now_us)
        return self.until(point, Completed)


def rested(pumps: Mapping[int, Bench[Any, TwinT]]) -> LineBench[TwinT]:
    """A line whose pumps are all known and at rest; nothing was spoken yet."""
    line = LineBench(pumps)
    line.run(40 * len(pumps))
    assert all(line.kinds(point)[-1] is Idle for point in pumps)
    line.spoken.clear()
    line.turns.clear()
    return line

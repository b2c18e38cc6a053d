"""Whose turn it is: stops first, busy pumps often, idle ones always, silent ones seldom."""

from collections import Counter
from itertools import pairwise

from controller.domain.quantities import CURRENCIES, UnitPrice
from controller.pumps.core import PumpCore
from controller.pumps.dart.pump import DartPump, DartSettings
from controller.pumps.schedule import LineSchedule
from controller.pumps.words import (
    Authorise,
    Authorised,
    Calling,
    Completed,
    Idle,
    Offline,
    Online,
    PumpEvent,
    Refusal,
    Refused,
    Stop,
)
from sim.pumps.dart import DartTwin
from sim.pumps.head import HeadNozzle, PumpHead

TRY = CURRENCIES["TRY"]
TURN_US = 70_000
SILENT_US = 160_000


class Line:
    """A schedule over twins, turn by turn; `cut` pumps do not answer."""

    def __init__(self, count: int) -> None:
        self.twins: dict[int, DartTwin] = {}
        cores: dict[int, PumpCore] = {}
        for point in range(1, count + 1):
            settings = DartSettings(address=0x50 + point, currency=TRY)
            head = PumpHead([HeadNozzle("diesel", UnitPrice(4000, 2))], TRY)
            self.twins[point] = DartTwin(head, settings)
            cores[point] = DartPump(settings)
        self.schedule = LineSchedule(cores)
        self.now_us = 1_000_000
        self.cut: set[int] = set()
        self.told: list[tuple[int, PumpEvent]] = []
        self.spoken: list[int] = []

    def turn(self) -> int:
        point, turn = self.schedule.next(self.now_us)
        answer = b"" if point in self.cut else self.twins[point].receive(turn.data, self.now_us)
        self.now_us += TURN_US if answer or not turn.window_us else SILENT_US
        self.schedule.answered(answer, self.now_us)
        self.told += self.schedule.events()
        self.spoken.append(point)
        return point

    def run(self, turns: int) -> None:
        for _ in range(turns):
            self.turn()

    def kinds(self, point: int) -> list[type[PumpEvent]]:
        return [type(event) for at, event in self.told if at == point]

    def fuel(self, *points: int) -> None:
        for point in points:
            self.twins[point].head.lift(1, self.now_us)
            self.schedule.submit(point, Authorise((1,)), self.now_us)
        self.run(40 * len(points))
        for point in points:
            assert Authorised in self.kinds(point)
            self.twins[point].head.squeeze(1_000_000, self.now_us)
        self.run(10 * len(points))


def rested(count: int) -> Line:
    line = Line(count)
    line.run(40 * count)
    assert all(line.kinds(point)[-1] is Idle for point in range(1, count + 1))
    line.spoken.clear()
    return line


def test_idle_pumps_are_polled_in_turn() -> None:
    line = rested(4)
    line.run(8)
    first = line.spoken[0]
    assert line.spoken == [(first - 1 + index) % 4 + 1 for index in range(8)]


def test_busy_pumps_are_polled_more_often_and_idle_ones_never_starve() -> None:
    line = rested(6)
    line.fuel(2, 3)
    line.spoken.clear()
    line.run(300)
    counts = Counter(line.spoken)
    assert min(counts[2], counts[3]) > 2 * max(counts[point] for point in (1, 4, 5, 6))
    gaps = [index for index, point in enumerate(line.spoken) if point == 5]
    assert max(later - earlier for earlier, later in pairwise(gaps)) <= 30


def test_a_stop_goes_before_everything() -> None:
    line = rested(6)
    line.fuel(2, 3, 4)
    line.schedule.submit(4, Stop(), line.now_us)
    line.now_us += 1
    while line.schedule._pumps[line.schedule._last].owes_turn:
        line.turn()
    assert line.turn() == 4
    line.run(60)
    assert Completed in line.kinds(4)


def test_an_acknowledgement_follows_before_anybody_else_is_spoken_to() -> None:
    line = rested(3)
    line.twins[2].head.lift(1, line.now_us)
    line.now_us += 1
    while not line.schedule._pumps[2].owes_turn:
        line.turn()
    assert line.turn() == 2


def test_silent_pumps_cost_the_others_little_and_come_back_by_themselves() -> None:
    line = Line(4)
    line.cut = {1, 2}
    line.run(200)
    assert line.kinds(1).count(Offline) == 1
    line.spoken.clear()
    line.run(200)
    counts = Counter(line.spoken)
    assert counts[1] + counts[2] < 40
    assert counts[1] >= 3
    line.cut.clear()
    line.run(150)
    assert line.kinds(1)[-3:].count(Online) == 1
    assert line.kinds(1)[-1] is Idle


def test_a_line_of_silent_pumps_only_goes_on_trying_all_of_them() -> None:
    line = Line(2)
    line.cut = {1, 2}
    line.run(60)
    assert set(line.spoken[-20:]) == {1, 2}


def test_an_order_is_taken_by_the_first_turn_that_begins_strictly_later() -> None:
    line = rested(2)
    line.schedule.submit(1, Authorise((9,)), line.now_us)
    assert line.schedule.quiet_cycle(line.now_us) is None
    line.schedule.next(line.now_us)
    assert line.schedule.events() == []
    line.schedule.answered(b"", line.now_us)
    line.schedule.next(line.now_us + 1)
    assert line.schedule.events() == [(1, Refused(Authorise((9,)), Refusal.UNSUPPORTED))]


def test_a_quiet_cycle_is_exactly_the_turns_that_would_follow() -> None:
    line = rested(3)
    line.turn()
    cycle = line.schedule.quiet_cycle(line.now_us)
    assert cycle is not None
    line.schedule.skipped(7)
    assert line.schedule.next(line.now_us)[1] == cycle[7 % 3]


def test_there_is_no_quiet_cycle_while_anything_goes_on() -> None:
    line = rested(3)
    assert line.schedule.quiet_cycle(line.now_us) is not None
    line.twins[3].head.lift(1, line.now_us)
    line.now_us += 1
    while Calling not in line.kinds(3):
        line.turn()
    line.run(2)
    assert line.schedule.quiet_cycle(line.now_us) is not None, "a pump that waits for an order changes nothing"
    line.schedule.submit(3, Authorise((1,)), line.now_us)
    line.run(20)
    assert line.schedule.quiet_cycle(line.now_us) is None


def test_a_lost_port_makes_every_pump_offline_once() -> None:
    line = rested(3)
    line.schedule.port_lost(line.now_us)
    line.schedule.port_lost(line.now_us)
    assert line.schedule.events() == [(1, Offline()), (2, Offline()), (3, Offline())]
    line.told.clear()
    line.run(100)
    assert all(line.kinds(point)[0] is Online for point in (1, 2, 3))

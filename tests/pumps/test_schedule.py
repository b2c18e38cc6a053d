"""Whose turn it is: stops first, busy pumps often, idle ones always, silent ones seldom."""

from collections import Counter
from itertools import pairwise

import pytest

from controller.domain.quantities import CURRENCIES, UnitPrice
from controller.domain.seams import US_PER_S
from controller.pumps.core import PumpCore, Turn
from controller.pumps.dart.frame import is_whole
from controller.pumps.dart.pump import DartPump, DartSettings
from controller.pumps.schedule import IDLE_ROUNDS, IDLE_TURNS_MIN, SILENT_WAIT_US_MAX, LineSchedule
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
    """A schedule over twins, turn by turn; `cut` pumps do not answer, `noisy` ones only with noise."""

    def __init__(self, count: int, kind: type[DartPump] = DartPump) -> None:
        self.twins: dict[int, DartTwin] = {}
        cores: dict[int, PumpCore] = {}
        for point in range(1, count + 1):
            settings = DartSettings(address=0x50 + point, currency=TRY)
            head = PumpHead([HeadNozzle("diesel", UnitPrice(4000, 2))], TRY)
            self.twins[point] = DartTwin(head, settings)
            cores[point] = kind(settings)
        self.schedule = LineSchedule(cores)
        self.now_us = 1_000_000
        self.cut: set[int] = set()
        self.noisy: set[int] = set()
        self.noise_made = 0
        self.turns: list[Turn] = []
        self.told: list[tuple[int, PumpEvent]] = []
        self.spoken: list[int] = []

    def turn(self) -> int:
        point, turn = self.schedule.next(self.now_us)
        answer = b"" if point in self.cut else self.twins[point].receive(turn.data, self.now_us)
        if point in self.noisy:
            answer = b"\x00"
            self.noise_made += 1
        self.now_us += TURN_US if answer or not turn.window_us else SILENT_US
        self.schedule.answered(answer, self.now_us)
        self.told += self.schedule.events()
        self.spoken.append(point)
        self.turns.append(turn)
        return point

    def run(self, turns: int) -> None:
        for _ in range(turns):
            self.turn()

    def tries_at(self, point: int, until_us: int) -> list[int]:
        """When this pump is spoken to, until then."""
        moments = []
        while self.now_us < until_us:
            start_us = self.now_us
            if self.turn() == point:
                moments.append(start_us)
        return moments

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


def test_stop_all_reaches_every_pump_before_anything_else_and_those_that_fuel_first() -> None:
    line = rested(6)
    line.fuel(3, 5)
    line.schedule.submit(1, Authorise((1,)), line.now_us)
    line.schedule.stop_all(line.now_us)
    line.now_us += 1
    while line.schedule._pumps[line.schedule._last].owes_turn:
        line.turn()
    line.spoken.clear()
    line.run(6)
    assert set(line.spoken[:2]) == {3, 5}
    assert set(line.spoken) == {1, 2, 3, 4, 5, 6}
    line.run(60)
    assert Completed in line.kinds(3)
    assert Completed in line.kinds(5)
    assert Authorised not in line.kinds(1)
    assert (1, Refused(Authorise((1,)), Refusal.WRONG_STATE)) in line.told
    assert not line.schedule._urgent


def test_stop_all_is_refused_by_a_pump_that_is_gone() -> None:
    line = rested(2)
    line.cut = {1}
    while Offline not in line.kinds(1):
        line.turn()
    line.schedule.stop_all(line.now_us)
    line.run(2)
    assert (1, Refused(Stop(), Refusal.OFFLINE)) in line.told
    assert (2, Refused(Stop(), Refusal.OFFLINE)) not in line.told


STOP_ALL = Turn(b"\xfc", 5_000, 0, 0, is_whole)


class BroadcastPump(DartPump):
    """As if DART had one transmission that stops all."""

    def stop_all_turn(self) -> Turn | None:
        return STOP_ALL if self.settings.address > 0x51 else None


def test_one_transmission_stops_all_where_the_protocol_has_it_and_each_pump_is_told_besides() -> None:
    line = Line(3, BroadcastPump)
    line.run(120)
    line.schedule.stop_all(line.now_us)
    assert line.schedule.quiet_cycle(line.now_us) is None
    line.now_us += 1
    while line.schedule._pumps[line.schedule._last].owes_turn:
        line.turn()
    line.turns.clear()
    line.run(4)
    assert line.turns[0] is STOP_ALL
    assert line.turns.count(STOP_ALL) == 1
    assert set(line.spoken[-3:]) == {1, 2, 3}


def test_an_acknowledgement_and_a_turn_to_another_pump_are_close_together() -> None:
    line = rested(4)
    line.fuel(2, 3)
    line.turns.clear()
    line.spoken.clear()
    line.run(100)
    followers = [
        (before, after, before_point == after_point)
        for (before, after), (before_point, after_point) in zip(
            pairwise(line.turns), pairwise(line.spoken), strict=True
        )
        if not before.window_us
    ]
    assert followers
    for reply, after, same in followers:
        follow_us = reply.gap_us if reply.follow_us is None else reply.follow_us
        assert after.gap_us == (35_000 if same else follow_us)
    assert {turn.gap_us for turn in line.turns if not turn.window_us} == {5_000}


def test_the_silence_before_the_next_turn_is_known_before_the_turn_is() -> None:
    line = rested(4)
    line.fuel(2, 3)
    for _ in range(200):
        silence_us = line.schedule.silence_us(line.now_us)
        line.turn()
        assert silence_us == (0 if not line.turns[-1].window_us else line.turns[-1].gap_us)


@pytest.mark.parametrize("count", [2, 3, 9])
def test_one_idle_pump_has_few_of_the_turns_of_busy_ones(count: int) -> None:
    line = rested(count)
    line.fuel(*range(2, count + 1))
    line.spoken.clear()
    line.run(40 * count)
    polls = [point for point, turn in zip(line.spoken, line.turns[-40 * count :], strict=True) if turn.window_us]
    gaps = [later - earlier for earlier, later in pairwise(i for i, point in enumerate(polls) if point == 1)]
    assert gaps
    # Once in a while a round of the busy ones goes by without an idle poll.
    assert all(IDLE_TURNS_MIN <= gap <= IDLE_TURNS_MIN + 2 * count for gap in gaps)
    assert sum(gap > IDLE_TURNS_MIN + count for gap in gaps) * IDLE_ROUNDS <= len(gaps) + IDLE_ROUNDS


def test_an_acknowledgement_follows_before_anybody_else_is_spoken_to() -> None:
    line = rested(3)
    line.twins[2].head.lift(1, line.now_us)
    line.now_us += 1
    while not line.schedule._pumps[2].owes_turn:
        line.turn()
    assert line.turn() == 2


def test_silent_pumps_cost_the_others_less_and_less_and_come_back_by_themselves() -> None:
    line = Line(4)
    line.cut = {1, 2}
    line.run(200)
    assert line.kinds(1).count(Offline) == 1
    tries = line.tries_at(1, until_us=line.now_us + 200 * US_PER_S)
    waits = [later - earlier for earlier, later in pairwise(tries)]
    assert waits == sorted(waits)
    assert max(waits) < SILENT_WAIT_US_MAX + 3 * SILENT_US
    assert waits[-1] > SILENT_WAIT_US_MAX - 1
    line.cut.clear()
    came_us = line.now_us
    while Idle not in line.kinds(1)[-1:]:
        line.turn()
    assert line.kinds(1)[-3:].count(Online) == 1
    assert line.now_us - came_us < SILENT_WAIT_US_MAX + 30 * TURN_US
    while Idle not in line.kinds(2)[-1:]:
        line.turn()
    assert line.now_us - came_us < SILENT_WAIT_US_MAX + 60 * TURN_US, "what is mended for one is tried for all"


def test_a_pump_that_falls_silent_is_tried_again_soon_and_then_seldom() -> None:
    line = rested(4)
    line.cut = {3}
    while Offline not in line.kinds(3):
        line.turn()
    gone_us = line.now_us
    tries = line.tries_at(3, until_us=gone_us + 100 * US_PER_S)
    for count, wait_s in enumerate((2, 6, 14, 30, 60, 90)):
        assert wait_s * US_PER_S <= tries[count] - gone_us < wait_s * US_PER_S + (count + 1) * 2 * SILENT_US


def test_no_two_silent_pumps_in_a_row_while_others_wait() -> None:
    line = Line(8)
    line.cut = {1, 2, 3, 4, 5, 6, 7}
    line.run(40)
    assert Idle in line.kinds(8)
    line.spoken.clear()
    line.run(60)
    assert all(8 in pair for pair in pairwise(line.spoken))


def test_one_byte_of_noise_does_not_make_a_silent_pump_a_burden() -> None:
    line = rested(3)
    line.cut = {2}
    line.run(300)
    line.noisy = {2}
    while not line.noise_made:
        line.turn()
    line.noisy = set()
    line.spoken.clear()
    line.run(300)
    assert line.spoken.count(2) < 10
    assert Online not in line.kinds(2)[-3:]


def test_a_pump_that_never_gives_its_status_does_not_starve_the_others() -> None:
    line = rested(3)
    line.cut = {2}
    line.run(300)
    line.noisy = {2}  # it "answers" every try from now on
    line.run(400)
    line.spoken.clear()
    line.run(90)
    assert line.spoken.count(2) <= 45


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


def test_the_quiet_cycle_goes_on_around_a_silent_pump_until_it_is_tried() -> None:
    line = rested(4)
    line.cut = {2}
    while Offline not in line.kinds(2):
        line.turn()
    until_us = line.schedule.quiet_until_us
    assert until_us is not None
    cycle = line.schedule.quiet_cycle(line.now_us)
    assert cycle is not None
    assert len(cycle) == 3
    assert line.schedule.quiet_cycle(until_us) is not None, "a silent pump is tried strictly later"
    assert line.schedule.quiet_cycle(until_us + 1) is None
    line.schedule.skipped(8)
    assert line.schedule.next(until_us)[1] == cycle[8 % 3]
    line.schedule.answered(b"\x50\x70\xfa", until_us)
    assert line.schedule.next(until_us + 1)[0] == 2


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


def test_when_the_port_is_back_all_are_tried_at_once_however_long_they_were_gone() -> None:
    line = rested(3)
    line.cut = {1, 2, 3}
    line.run(400)
    line.schedule.port_lost(line.now_us)
    line.cut.clear()
    line.run(3)
    assert set(line.spoken[-3:]) == {1, 2, 3}

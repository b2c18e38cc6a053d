"""What comes over a line and cannot be used is counted by point and kind, where a person can see it."""

import asyncio
import logging
import random
from collections import Counter

import pytest

from controller.domain.seams import US_PER_S
from controller.pumps.core import LinePort, Turn
from controller.pumps.line import LineRunner
from controller.pumps.schedule import LineSchedule
from controller.pumps.words import LinkFault, PumpEvent
from sim.loop import VirtualClock, VirtualLoop, run
from sim.pumps.port import SimLinePort
from tests.pumps.every_protocol import EVERY


class BadPort(SimLinePort):
    """Every fifth answer has one bit wrong."""

    chance = random.Random(1)

    async def transact(self, turn: Turn) -> bytes:
        answer = await super().transact(turn)
        if not answer or not turn.window_us or self.chance.randrange(5):
            return answer
        at = self.chance.randrange(len(answer))
        return answer[:at] + bytes((answer[at] ^ 1 << self.chance.randrange(8),)) + answer[at + 1 :]


@pytest.mark.parametrize("name", EVERY)
def test_faults_are_counted_by_point_and_kind_and_many_of_one_are_told(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[tuple[int, PumpEvent]] = []

    async def main(loop: VirtualLoop) -> LineRunner:
        clock = VirtualClock(loop, 0)
        pumps = {point: EVERY[name].bench(point) for point in (1, 2)}
        port = BadPort([pump.twin for pump in pumps.values()], pumps[1].line, clock, skip=False)
        schedule = LineSchedule({point: pump.core for point, pump in pumps.items()})
        runner = LineRunner(schedule, port, clock, lambda *event: told.append(event), never)
        assert not runner.faults
        task = asyncio.create_task(runner.run())
        await clock.sleep_until(60 * US_PER_S)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return runner

    with caplog.at_level(logging.WARNING, "forecourt.line"):
        runner = run(main)
    assert runner.faults == Counter((point, event.kind) for point, event in told if isinstance(event, LinkFault))
    assert {point for point, _ in runner.faults} == {1, 2}
    often = [(point, kind) for (point, kind), count in runner.faults.items() if count >= 10]
    assert often
    for point, kind in often:
        assert caplog.text.count(f"point {point}: {kind} came 10 times") == 1


def never() -> LinePort:
    raise AssertionError("a simulated port is never gone")

"""A simulated line that skips its quiet polls tells the same story, at the same microseconds, as one that does not."""

import asyncio
import random

import pytest

from controller.domain.seams import US_PER_S
from controller.pumps.core import LinePort
from controller.pumps.line import LineRunner
from controller.pumps.schedule import LineSchedule
from controller.pumps.words import Authorise, Calling, Clear, Completed, PumpEvent
from sim.loop import VirtualClock, VirtualLoop, run
from sim.pumps.head import PumpHead
from sim.pumps.port import SimLinePort
from tests.pumps import dart_bench
from tests.pumps.every_protocol import EVERY, Row

LAST_US = 120_000
"""At the end: a turn or two of every protocol."""
LAST_TURNS = 4
SECONDS = 360
POINTS = (1, 2, 3)
Story = list[tuple[int, int, PumpEvent]]


def no_port() -> LinePort:
    raise AssertionError("a simulated port is never gone")


def story_of(row: Row, seed: int, *, skip: bool) -> tuple[Story, SimLinePort]:
    """Customers come at moments drawn from the seed; the controller answers at once or a little later."""
    chance = random.Random(seed)
    pumps = {point: row.bench(point) for point in POINTS}
    told: Story = []

    async def customers(clock: VirtualClock, head: PumpHead, moments: list[int]) -> None:
        for moment in moments:
            await clock.sleep_until(moment)
            head.lift(1 + moment % len(head.nozzles), moment)
            await clock.sleep_until(moment + 6 * US_PER_S)
            head.squeeze(2_000 + moment % 3_000, clock.now().mono_us)
            await clock.sleep_until(moment + 30 * US_PER_S)
            head.hang_up(clock.now().mono_us)

    async def main(loop: VirtualLoop) -> SimLinePort:
        clock = VirtualClock(loop, 0)
        port = SimLinePort([pump.twin for pump in pumps.values()], pumps[1].line, clock, skip=skip)

        def on_event(point: int, event: PumpEvent) -> None:
            now_us = clock.now().mono_us
            told.append((now_us, point, event))
            if isinstance(event, Calling):
                clock.call_at(now_us + 3 * US_PER_S, lambda: runner.submit(point, row.order))
            if isinstance(event, Completed):
                clear = Clear(event.clear_token)
                clock.call_at(now_us + point * 20_000, lambda: runner.submit(point, clear))

        schedule = LineSchedule({point: pump.core for point, pump in pumps.items()})
        runner = LineRunner(schedule, port, clock, on_event, no_port)
        tasks = [asyncio.create_task(runner.run())]
        for pump in pumps.values():
            minutes = sorted({chance.randrange(SECONDS // 60) for _ in range(3)})
            moments = [
                (60 * minute + chance.randrange(20)) * US_PER_S + chance.randrange(US_PER_S) for minute in minutes
            ]
            tasks.append(asyncio.create_task(customers(clock, pump.twin.head, moments)))
        await clock.sleep_until(SECONDS * US_PER_S)
        port.wake()  # a rest that is called off is not counted
        await clock.sleep_until(SECONDS * US_PER_S + LAST_US)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [r for r in results if isinstance(r, Exception)] == []
        return port

    return told, run(main)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", EVERY)
def test_skipping_quiet_polls_changes_nothing_else(name: str, seed: int) -> None:
    with_skips, port = story_of(EVERY[name], seed, skip=True)
    without, whole = story_of(EVERY[name], seed, skip=False)
    assert with_skips == without
    sold = [event for _, _, event in without if isinstance(event, Completed) and event.volume_ml]
    assert len(sold) >= 3
    assert port.turns_skipped > port.turns_made / 4
    assert whole.turns_skipped == 0
    assert abs(port.turns_made + port.turns_skipped - whole.turns_made) <= LAST_TURNS, "skipped turns are counted"


def test_a_change_exactly_at_the_boundary_of_two_turns_is_seen_by_neither_sooner() -> None:
    """Each turn takes a round number of microseconds here, so customers come exactly between two turns."""
    ties = 0
    for seed in range(4):
        with_skips = at_boundaries(seed, skip=True)
        without = at_boundaries(seed, skip=False)
        assert with_skips == without
        ties += len(without)
    assert ties


def at_boundaries(seed: int, *, skip: bool) -> Story:
    """One pump, lifted at the very microsecond at which a quiet turn begins."""
    # A poll and EOT: 35,000 gap + 3,437 + latency + 3,437.
    pump = dart_bench.bench(reply_latency_us=100_000 - 35_000 - 2 * 3_437)
    head = pump.twin.head
    story: Story = []

    async def main(loop: VirtualLoop) -> None:
        clock = VirtualClock(loop, 0)
        port = SimLinePort([pump.twin], pump.line, clock, skip=skip)

        def on_event(point: int, event: PumpEvent) -> None:
            story.append((clock.now().mono_us, point, event))

        runner = LineRunner(LineSchedule({1: pump.core}), port, clock, on_event, no_port)
        # Registered before the line's own timers, and after them: both orders of the same microsecond.
        task = asyncio.create_task(runner.run())
        await clock.sleep_until(5 * US_PER_S)
        settled_us = story[-1][0]
        boundary = settled_us + (100 + seed) * 100_000
        if seed % 2:
            await clock.sleep_until(boundary - 50_000)
        await clock.sleep_until(boundary)
        head.lift(1, boundary)
        runner.submit(1, Authorise((1,)))
        await clock.sleep_until(boundary + 10 * US_PER_S)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(main)
    return story

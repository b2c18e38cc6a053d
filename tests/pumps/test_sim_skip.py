"""A simulated line that skips its quiet polls tells the same story, at the same microseconds, as one that does not."""

import asyncio
import random
import selectors
from collections.abc import Callable

import pytest

from controller.domain.quantities import CURRENCIES, UnitPrice
from controller.domain.seams import US_PER_S, ClockQuality, Now, Timer
from controller.pumps.core import LinePort, LineSettings, PumpCore
from controller.pumps.dart.pump import DartPump, DartSettings
from controller.pumps.line import LineRunner
from controller.pumps.schedule import LineSchedule
from controller.pumps.words import Authorise, Calling, Clear, Completed, Preset, PumpEvent
from sim.pumps.dart import DartTwin
from sim.pumps.head import HeadNozzle, PumpHead
from sim.pumps.port import SimLinePort

TRY = CURRENCIES["TRY"]
PRICE = UnitPrice(4379, 2)
LAST_TURNS = 3


class JumpingSelector(selectors.SelectSelector):
    """Instead of waiting, it lets the time be later."""

    now_us = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "nothing is left to wait for"
        self.now_us += int(timeout)
        return []


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is a whole number of microseconds."""

    def __init__(self) -> None:
        self.jumping = JumpingSelector()
        super().__init__(self.jumping)
        self._clock_resolution = 1

    def time(self) -> float:
        return self.jumping.now_us


class JumpingClock:
    quality = ClockQuality.SIMULATED

    def __init__(self, loop: JumpingLoop) -> None:
        self._loop = loop

    def now(self) -> Now:
        return Now(0, self._loop.jumping.now_us)

    def call_at(self, mono_us: int, callback: Callable[[], None]) -> Timer:
        return self._loop.call_at(mono_us, callback)

    async def sleep_until(self, mono_us: int) -> None:
        done = self._loop.create_future()
        timer = self._loop.call_at(mono_us, lambda: None if done.done() else done.set_result(None))
        try:
            await done
        finally:
            timer.cancel()


Story = list[tuple[int, int, PumpEvent]]


def run(seed: int, *, skip: bool, seconds: int, latency_us: int = 25_000) -> tuple[Story, SimLinePort]:
    """Customers come at moments drawn from the seed; the controller answers at once or a little later."""
    loop = JumpingLoop()
    clock = JumpingClock(loop)
    chance = random.Random(seed)
    heads = {n: PumpHead([HeadNozzle("a", PRICE), HeadNozzle("b", PRICE)], TRY) for n in range(1, 4)}
    settings = {n: DartSettings(address=0x50 + n, currency=TRY, nozzles=2) for n in heads}
    twins = [DartTwin(heads[n], settings[n], reply_latency_us=latency_us) for n in heads]
    port = SimLinePort(twins, LineSettings(), clock, skip=skip)
    story: Story = []
    cores: dict[int, PumpCore] = {n: DartPump(settings[n]) for n in heads}

    def on_event(point: int, event: PumpEvent) -> None:
        story.append((clock.now().mono_us, point, event))
        now_us = clock.now().mono_us
        if isinstance(event, Calling):
            order = Authorise((event.nozzle,), Preset(volume_ml=5_000))
            clock.call_at(now_us + 3_000_000, lambda: runner.submit(point, order))
        if isinstance(event, Completed):
            runner.submit(point, Clear(event.clear_token))

    def no_port() -> LinePort:
        raise AssertionError("a simulated port is never gone")

    runner = LineRunner(LineSchedule(cores), port, clock, on_event, no_port)

    async def customers(head: PumpHead, moments: list[int]) -> None:
        for moment in moments:
            await clock.sleep_until(moment)
            head.lift(1 + moment % 2, moment)
            await clock.sleep_until(moment + 6 * US_PER_S)
            head.squeeze(2_000 + moment % 6_000, clock.now().mono_us)
            await clock.sleep_until(moment + 30 * US_PER_S)
            head.hang_up(clock.now().mono_us)

    async def main() -> None:
        tasks = [asyncio.create_task(runner.run())]
        for head in heads.values():
            moments = sorted(chance.randrange(0, seconds // 60) * 60 * US_PER_S for _ in range(3))
            moments = [moment + chance.randrange(20 * US_PER_S) for moment in dict.fromkeys(moments)]
            tasks.append(asyncio.create_task(customers(head, moments)))
        await clock.sleep_until(seconds * US_PER_S)
        port.wake()  # a rest that is called off is not counted
        await clock.sleep_until(seconds * US_PER_S + LAST_TURNS * 60_000)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [r for r in results if isinstance(r, Exception)] == []

    with asyncio.Runner(loop_factory=lambda: loop) as at_once:
        at_once.run(main())
    return story, port


@pytest.mark.parametrize("seed", range(4))
def test_skipping_quiet_polls_changes_nothing_else(seed: int) -> None:
    with_skips, port = run(seed, skip=True, seconds=720)
    without, whole = run(seed, skip=False, seconds=720)
    assert with_skips == without
    assert sum(isinstance(event, Completed) for _, _, event in without) >= 3
    assert port.turns_skipped > port.turns_made
    assert whole.turns_skipped == 0
    assert abs(port.turns_made + port.turns_skipped - whole.turns_made) <= LAST_TURNS, "skipped turns are counted"


def test_a_change_exactly_at_the_boundary_of_two_turns_is_seen_by_neither_sooner() -> None:
    """Each turn takes a round number of microseconds here, so customers come exactly between two turns."""
    # A poll and EOT: 35,000 gap + 3,437 + latency + 3,437.
    latency_us = 100_000 - 35_000 - 2 * 3_437
    ties = 0
    for seed in range(4):
        with_skips, _ = run_at_boundaries(seed, latency_us, skip=True)
        without, _ = run_at_boundaries(seed, latency_us, skip=False)
        assert with_skips == without
        ties += len(without)
    assert ties


def run_at_boundaries(seed: int, latency_us: int, *, skip: bool) -> tuple[Story, int]:
    """One pump, lifted at the very microsecond at which a quiet turn begins."""
    loop = JumpingLoop()
    clock = JumpingClock(loop)
    head = PumpHead([HeadNozzle("a", PRICE)], TRY)
    settings = DartSettings(address=0x50, currency=TRY)
    port = SimLinePort([DartTwin(head, settings, reply_latency_us=latency_us)], LineSettings(), clock, skip=skip)
    story: Story = []
    cores: dict[int, PumpCore] = {1: DartPump(settings)}

    def on_event(point: int, event: PumpEvent) -> None:
        story.append((clock.now().mono_us, point, event))

    def no_port() -> LinePort:
        raise AssertionError("a simulated port is never gone")

    runner = LineRunner(LineSchedule(cores), port, clock, on_event, no_port)

    async def main() -> int:
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
        return boundary

    with asyncio.Runner(loop_factory=lambda: loop) as at_once:
        return story, at_once.run(main())

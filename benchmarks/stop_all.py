"""How soon the first STOP leaves after somebody pressed "stop all": measured from the end of the exchange that runs at
that moment, or from the press itself when none runs.
"""

import asyncio
import random
from collections.abc import Sequence
from typing import TypeVar

from benchmarks.lines import Lines, running
from benchmarks.report import Check, Report, machine_fact, percentile
from benchmarks.wire import Passed, PumpProcess, is_ack
from controller.pumps.dart.errors import FrameError
from controller.pumps.dart.frame import Control, decode
from controller.pumps.dart.transactions import Command, Order, to_pump
from controller.pumps.words import Authorise, Authorised, Calling, Clear, Completed, Fuelling, Idle, PumpEvent

T = TypeVar("T", bound=PumpEvent)
LINES = 4
PUMPS = 4
"""Of each line; the first one fuels at each try."""
TRIES = 25
"""On each line."""
LIMIT_MS = 50
RANDOM_WAIT_S = 0.3
READ_LAG_US = 2_000
"""The pumps' process reads a byte a little after it left: what it saw so soon after the press had left before it."""
SEED = 7
MS = 1_000


def measure() -> Report:
    with PumpProcess(LINES, PUMPS) as pumps:
        asked = asyncio.run(_press(pumps))
        frames = pumps.passed()
    delays = []
    during = 0
    for line, asked_us in asked:
        delay_us, exchange_ran = first_stop(frames, line, asked_us)
        delays.append(delay_us)
        during += exchange_ran
    return Report(
        "stop_all",
        [Check("the first STOP, p99", percentile(delays, 0.99) / MS, LIMIT_MS, "ms")],
        [
            ("tries", f"{len(delays)}, of which {during} came while an exchange ran"),
            ("delay", f"p50 {percentile(delays, 0.5) / MS:.2f} ms, longest {max(delays) / MS:.2f} ms"),
            machine_fact(pumps.late_us),
            ("of it", "35 ms are the silence that pumps need before each transmission"),
        ],
    )


def first_stop(frames: Sequence[Passed], line: int, asked_us: int) -> tuple[int, bool]:
    """Microseconds until the first STOP, and whether an exchange ran when it was asked for."""
    of_line = [frame for frame in frames if frame.line == line]
    begun = [
        index
        for index, frame in enumerate(of_line)
        if frame.begin_us <= asked_us + READ_LAG_US and not frame.by_pump and not is_stop(frame)
    ]
    end_us = 0
    if begun:
        index = begun[-1]
        end_us = of_line[index].end_us
        # Poll, answer, and our acknowledgement of it are one exchange.
        for frame in of_line[index + 1 : index + 3]:
            if not frame.by_pump and not is_ack(frame.data):
                break
            end_us = frame.end_us
    stop = next(frame for frame in of_line if frame.begin_us > asked_us and is_stop(frame))
    return stop.begin_us - max(asked_us, end_us), end_us > asked_us


def is_stop(frame: Passed) -> bool:
    """Whether this is our order to stop."""
    if frame.by_pump:
        return False
    try:
        found = decode(frame.data)
    except FrameError:
        return False
    return found.control is Control.DATA and Command(Order.STOP) in to_pump(found.body)


async def _press(pumps: PumpProcess) -> list[tuple[int, int]]:
    """(line, when) of each try."""
    async with running(pumps.paths, PUMPS) as lines:
        await lines.all_said([(line, index) for line in range(LINES) for index in range(PUMPS)], Idle)
        pumps.passed()
        tries = await asyncio.gather(*(_press_one(lines, pumps, line) for line in range(LINES)))
    return [each for found in tries for each in found]


async def _press_one(lines: Lines, pumps: PumpProcess, line: int) -> list[tuple[int, int]]:
    chance = random.Random(SEED + line)
    runner = lines.runners[line]
    news: asyncio.Queue[PumpEvent] = asyncio.Queue()
    lines.listeners.append(lambda place, event: news.put_nowait(event) if place == (line, 0) else None)

    async def until(kind: type[T]) -> T:
        while not isinstance(event := await news.get(), kind):
            pass
        return event

    asked = []
    for _ in range(TRIES):
        pumps.lift(line, 0)
        await until(Calling)
        runner.submit(0, Authorise((1,)))
        await until(Authorised)
        pumps.squeeze(line, 0)
        await until(Fuelling)
        await asyncio.sleep(chance.random() * RANDOM_WAIT_S)
        asked.append((line, lines.now_us()))
        runner.stop_all()
        done = await until(Completed)
        pumps.hang_up(line, 0)
        runner.submit(0, Clear(done.clear_token))
        await until(Idle)
    return asked


if __name__ == "__main__":
    measure().show()

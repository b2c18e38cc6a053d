"""How long 16 idle pumps on one line of 9600 baud take to be polled once each, against what the wire must take."""

import asyncio
from itertools import pairwise

from benchmarks.lines import running
from benchmarks.report import Check, Report, machine_fact, percentile
from benchmarks.wire import PumpProcess, gaps_us, latency_us, settings_of, wire_us
from controller.pumps.dart.frame import Control, Frame, encode
from controller.pumps.dart.link import GAP_US
from controller.pumps.words import Idle

PUMPS = 16
MEASURE_S = 25
RATIO_MAX = 1.15
MS = 1_000


def measure() -> Report:
    poll = len(encode(Frame(settings_of(0).address, Control.POLL)))
    answer = len(encode(Frame(settings_of(0).address, Control.EOT)))
    turn_us = GAP_US + wire_us(poll) + latency_us() + wire_us(answer)
    round_us = PUMPS * turn_us
    with PumpProcess(1, PUMPS) as pumps:
        asyncio.run(_poll(pumps))
        frames = pumps.passed()
    begins: dict[int, list[int]] = {}
    for frame in frames:
        if not frame.by_pump:
            begins.setdefault(frame.data[0], []).append(frame.begin_us)
    rounds = [later - earlier for moments in begins.values() for earlier, later in pairwise(moments)]
    own = gaps_us(frames)["own"]
    return Report(
        "idle_round",
        [
            Check("a round, p50", percentile(rounds, 0.5) / MS, RATIO_MAX * round_us / MS, "ms"),
            Check("a round, p99", percentile(rounds, 0.99) / MS, RATIO_MAX * round_us / MS, "ms"),
        ],
        [
            (
                "a turn",
                f"gap {GAP_US / MS:.1f} + poll {wire_us(poll) / MS:.2f} + pump {latency_us() / MS:.1f} "
                f"+ answer {wire_us(answer) / MS:.2f} = {turn_us / MS:.2f} ms",
            ),
            ("a round, computed", f"{PUMPS} turns = {round_us / MS:.1f} ms; the limit is {RATIO_MAX} times that"),
            ("p50 against computed", f"{percentile(rounds, 0.5) / round_us:.3f}"),
            (
                "gaps kept",
                f"p50 {percentile(own, 0.5) / MS:.2f} ms, shortest {min(own) / MS:.2f} ms of {GAP_US / MS:.0f}",
            ),
            machine_fact(pumps.late_us),
            ("rounds measured", f"{len(rounds)}"),
        ],
    )


async def _poll(pumps: PumpProcess) -> None:
    async with running(pumps.paths, PUMPS) as lines:
        await lines.all_said([(0, index) for index in range(PUMPS)], Idle)
        await asyncio.sleep(1)
        pumps.passed()  # what went before does not count
        await asyncio.sleep(MEASURE_S)


if __name__ == "__main__":
    measure().show()

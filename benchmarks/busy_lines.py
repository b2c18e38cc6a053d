"""32 pumps on two lines, 16 deliveries running: how old running values get, and what the lines cost the processor.

The simulated pumps are another process: the processor time is that of the controller's side alone.
"""

import asyncio
import time
from itertools import pairwise

from benchmarks.lines import Lines, Place, running
from benchmarks.report import Check, Report, machine_fact, percentile
from benchmarks.wire import PumpProcess, gaps_us, latency_us, settings_of, wire_us
from controller.pumps.dart.frame import Control, Frame, encode
from controller.pumps.dart.link import GAP_US, REPLY_GAP_US
from controller.pumps.dart.transactions import Filled, block
from controller.pumps.words import Authorise, Authorised, Calling, Fuelling, Idle, LinkFault, PumpEvent

LINES = 2
PUMPS = 16
RUNNING = 8
"""Of each line."""
MEASURE_S = 40
RATIO_MAX = 1.15
CPU_SHARE_MAX = 0.15
MS = 1_000
SAMPLES_PER_INTERVAL = 100


def measure() -> Report:
    address = settings_of(0).address
    poll = wire_us(len(encode(Frame(address, Control.POLL))))
    ack = wire_us(len(encode(Frame(address, Control.ACK))))
    eot = wire_us(len(encode(Frame(address, Control.EOT))))
    values = wire_us(len(encode(Frame(address, Control.DATA, 1, block((Filled(1234, 5678),))))))
    # Behind an acknowledgement the poll of another pump may follow directly: no gap of its own.
    exchange_us = poll + latency_us() + values + REPLY_GAP_US + ack
    active_us = RUNNING * exchange_us
    # The one idle poll between two rounds follows directly too; the busy one behind its EOT waits the gap.
    idle_us = poll + latency_us() + eot + GAP_US
    with PumpProcess(LINES, PUMPS) as pumps:
        arrivals, faults, cpu_share = asyncio.run(_fuel(pumps))
        gaps = gaps_us(pumps.passed())
    intervals = [later - earlier for moments in arrivals.values() for earlier, later in pairwise(moments)]
    # The age of a value on the screen grows from 0 to the interval; every moment of it counts.
    ages = [
        interval * (index + 0.5) / SAMPLES_PER_INTERVAL
        for interval in intervals
        for index in range(SAMPLES_PER_INTERVAL)
    ]
    age_us = percentile(ages, 0.99)
    return Report(
        "busy_lines",
        [
            Check("age p99, against the active pumps' round", age_us / MS, RATIO_MAX * active_us / MS, "ms"),
            Check("age p99, with the idle poll of a round", age_us / MS, RATIO_MAX * (active_us + idle_us) / MS, "ms"),
            Check("processor, share of one core", 100 * cpu_share, 100 * CPU_SHARE_MAX, "%"),
        ],
        [
            (
                "an exchange",
                f"poll {poll / MS:.2f} + pump {latency_us() / MS:.1f} + values {values / MS:.2f} "
                f"+ gap {REPLY_GAP_US / MS:.1f} + ack {ack / MS:.2f} = {exchange_us / MS:.2f} ms",
            ),
            ("the active pumps' round", f"{RUNNING} exchanges = {active_us / MS:.1f} ms"),
            (
                "the idle poll of each round",
                f"poll {poll / MS:.2f} + pump {latency_us() / MS:.1f} + EOT {eot / MS:.2f} + gap {GAP_US / MS:.1f} "
                f"= {idle_us / MS:.2f} ms: with it a round is {(active_us + idle_us) / MS:.1f} ms",
            ),
            (
                "between two values",
                f"p50 {percentile(intervals, 0.5) / MS:.1f} ms, p99 {percentile(intervals, 0.99) / MS:.1f} ms",
            ),
            ("age as the pump counts it", f"p99 {(age_us + latency_us() + values) / MS:.1f} ms, with the way to us"),
            *(
                (f"gaps kept, {what}", f"p50 {percentile(found, 0.5) / MS:.2f} ms, shortest {min(found) / MS:.2f} ms")
                for what, found in gaps.items()
                if found
            ),
            machine_fact(pumps.late_us),
            ("values measured", f"{len(intervals)}; answers that could not be used: {faults}"),
        ],
    )


async def _fuel(pumps: PumpProcess) -> tuple[dict[Place, list[int]], int, float]:
    places = [(line, index) for line in range(LINES) for index in range(PUMPS)]
    customers = [(line, index) for line, index in places if index < RUNNING]
    async with running(pumps.paths, PUMPS) as lines:
        await lines.all_said(places, Idle)
        lines.listeners.append(lambda place, event: _serve(lines, pumps, place, event))
        for place in customers:
            pumps.lift(*place)
        await lines.all_said(customers, Fuelling)
        await asyncio.sleep(2)
        arrivals: dict[Place, list[int]] = {place: [] for place in customers}

        faults = 0

        def note(place: Place, event: PumpEvent) -> None:
            nonlocal faults
            faults += isinstance(event, LinkFault)
            if isinstance(event, Fuelling):
                arrivals[place].append(lines.now_us())

        pumps.passed()
        lines.listeners[:] = [note]
        began_cpu_s, began_s = time.process_time(), time.monotonic()
        await asyncio.sleep(MEASURE_S)
        share = (time.process_time() - began_cpu_s) / (time.monotonic() - began_s)
        return arrivals, faults, share


def _serve(lines: Lines, pumps: PumpProcess, place: Place, event: PumpEvent) -> None:
    if isinstance(event, Calling):
        lines.runners[place[0]].submit(place[1], Authorise((1,)))
    elif isinstance(event, Authorised):
        pumps.squeeze(*place)


if __name__ == "__main__":
    measure().show()

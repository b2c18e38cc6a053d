"""Any bytes on a line leave the master working, and each error is counted under its name.

What is drawn is a tape: it says what comes instead of each answer (`noise.py`), and what customers and the cashier do
meanwhile. After it, both pumps of the line come to rest and sell, to the drop. Ten thousand bytes a protocol; as many
as `FORECOURT_FUZZ_BYTES` says, from the seed `FORECOURT_FUZZ_SEED`: `make fuzz`, docs/testing.md.
"""

import contextlib
import itertools
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from controller.pumps.words import (
    Clear,
    Completed,
    Fuelling,
    Identify,
    LinkFault,
    Order,
    ReadTotals,
    Resume,
    SetPrices,
    Stop,
    Suspend,
)
from tests.pumps.every_protocol import EVERY, Row
from tests.pumps.line_bench import LineBench
from tests.pumps.noise import Noise, Tape

BYTES = int(os.environ.get("FORECOURT_FUZZ_BYTES", "10000"))
SEED = int(os.environ.get("FORECOURT_FUZZ_SEED", "0"))
POINTS = (1, 2)
EXAMPLES_A_ROUND = 200
EXAMPLES_MIN = 8
"""The first one of a round is all zeros, which is a line on which nothing goes wrong."""
TURNS_MAX = 20_000
"""To come to rest; a silent pump is tried every thirty seconds, while the other one is polled."""
NIGHTLY = BYTES > 100_000
"""A tape that fails is printed as it was drawn then: to make it smaller takes longer than it helps."""
TAPE_BYTES = 6_000 if NIGHTLY else 2_000
HANDS_FROM = 210
"""Of 256: so seldom somebody does something."""
NAME = re.compile(r"[a-z]+(_[a-z]+)*")


class Disturbed:
    """A line on which the tape goes wrong, and what was counted."""

    def __init__(self, row: Row, tape: bytes) -> None:
        self.row = row
        self.tape = Tape(tape)
        self.noise = Noise(self.tape, row.alphabet)
        self.pumps = {point: row.bench(point) for point in POINTS}
        self.line = LineBench(self.pumps)
        self.line.run(self.tape.below(64))
        self.faults: Counter[str] = Counter()
        self.authorised = False

    def disturb(self) -> None:
        """Until the tape ends."""
        self.line.spoil = self._spoil
        while not self.tape.ended:
            self._hands()
            point = self.line.turn()
            self._account(point)
        self.line.spoil = None
        opened = any(self.row.authorises(data) for data in self.line.sent)
        assert self.authorised or not opened, "a valve may have opened, and nobody has asked for it"

    def _spoil(self, point: int, answer: bytes) -> bytes:
        self._counted = self._total(point)
        self._heard = self.noise.instead_of(answer)
        return self._heard

    def _total(self, point: int) -> int:
        return sum(self.pumps[point].core.link_faults.values())

    def _account(self, point: int) -> None:
        """What was damaged, or did not come, was counted; and everything told has a name."""
        if self.line.turns[-1].window_us and (not self._heard or self.row.damaged(self._heard, point)):
            assert self._total(point) > self._counted, f"not counted: {self._heard.hex(' ')}"
        for _, event in self.line.told:
            if isinstance(event, LinkFault):
                assert NAME.fullmatch(event.kind), event
                assert event.detail
                self.faults[event.kind] += 1
        done = [(at, event) for at, event in self.line.told if isinstance(event, Completed)]
        self.line.told = [*done[-8:]]

    def _hands(self) -> None:
        """Now and then somebody does something."""
        choice = self.tape.below(256) - HANDS_FROM
        if choice < 0:
            return
        point = POINTS[choice % 2]
        head, now_us = self.line.twins[point].head, self.line.now_us
        last = [event.clear_token for at, event in self.line.told if at == point and isinstance(event, Completed)]
        orders: tuple[Order, ...] = (
            self.row.order,
            Stop(),
            Suspend(),
            Resume(),
            SetPrices((head.price(1),) * len(head.nozzles)),
            Identify(),
            ReadTotals(1),
            Clear(last[-1] if last else 1),
        )
        match choice // 2:
            case number if number < len(orders):
                self.authorised |= number == 0
                self.line.submit(point, orders[number])
            case number if number < 2 * len(orders) and head.nozzle_out is not None:
                head.squeeze(1_000, now_us)
            case _ if head.nozzle_out is None:
                head.lift(1 + choice // 2 % len(head.nozzles), now_us)
            case _:
                head.hang_up(now_us)

    # --- and then all is well again ---------------------------------------------------------------------------

    def rest(self) -> None:
        """Come to rest, serve a customer at each pump, whatever comes of it, and come to rest.

        Among the noise were a pump's own words of another moment, whose check fits: a master that took them for news
        knows better once something has happened at the pump.
        """
        self._come_to_rest()
        line = self.line
        for point in POINTS:
            line.twins[point].head.lift(1, line.now_us)
        line.run(100)
        for point in POINTS:
            line.submit(point, self.row.order)
        line.run(100)
        for point in POINTS:
            line.twins[point].head.squeeze(500, line.now_us)
        line.run(100)
        self._come_to_rest()

    def _come_to_rest(self) -> None:
        """Hang up, stop and clear, as a station does, until nothing is open at either pump."""
        line = self.line
        for point in POINTS:
            if line.twins[point].head.nozzle_out is not None:
                line.twins[point].head.hang_up(line.now_us)
        rested = 0
        for _ in range(0, TURNS_MAX, 20):
            line.run(20)
            rested = 0 if [point for point in POINTS if not self._at_rest(point)] else rested + 1
            if rested > 1:  # what it took for its state may have been noise
                return
        raise AssertionError(f"no rest: {[pump.core.phase for pump in self.pumps.values()]} {line.told[-10:]}")

    def _at_rest(self, point: int) -> bool:
        core = self.pumps[point].core
        match core.phase:
            case "holding":
                self.line.submit(point, Clear(self.line.of(point, Completed)[-1].clear_token))
            case "allowed" | "fuelling" | "suspended":
                self.line.submit(point, Stop())
            case "ready":
                return not core.busy and self.line.schedule.quiet_cycle(self.line.now_us) is not None
        return False

    def sell(self) -> None:
        """Both sell what the pump says, told once."""
        for point in POINTS:
            head = self.line.twins[point].head
            self.line.told.clear()
            done = self.line.sell(point, self.row.order, 2_000)
            assert (done.nozzle, done.volume_ml, done.at_start) == (1, 2_000, False)
            assert done.totaliser_ml in (None, head.totaliser_ml(1, self.line.now_us) // 10 * 10)
            assert self.line.of(point, Fuelling)
            assert len(self.line.of(point, Completed)) == 1
            self.line.submit(point, Clear(done.clear_token))


@pytest.mark.parametrize("name", EVERY)
def test_any_bytes_leave_the_master_working_and_are_counted_by_name(name: str) -> None:
    faults: Counter[str] = Counter()
    fed = 0

    def once(tape: bytes) -> None:
        nonlocal fed
        disturbed = Disturbed(EVERY[name], tape)
        disturbed.disturb()
        disturbed.rest()
        disturbed.sell()
        fed += disturbed.noise.fed
        faults.update(disturbed.faults)

    begun_s = time.process_time()
    for number in itertools.count(SEED):
        with a_note_on_failure(f"{name}: FORECOURT_FUZZ_SEED={number} FORECOURT_FUZZ_BYTES={BYTES} repeats it"):
            drawn(
                once, number, examples=EXAMPLES_A_ROUND if BYTES - fed > EXAMPLES_A_ROUND * TAPE_BYTES else EXAMPLES_MIN
            )
        if fed >= BYTES:
            break
    told = ", ".join(f"{kind} {count:,}" for kind, count in faults.most_common())
    sys.stdout.write(f"\n{name}: {fed:,} bytes in {time.process_time() - begun_s:.0f} s, faults: {told}\n")
    assert len(faults) > 5, "so much noise, and hardly anything was found wrong with it"


def drawn(once: Callable[[bytes], None], number: int, *, examples: int) -> None:
    """So many tapes of this seed; the first that fails is made smaller and printed."""
    strategy = st.binary(min_size=TAPE_BYTES // 4, max_size=TAPE_BYTES)
    settled = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate,) if NIGHTLY else (Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    seed(number)(settled(given(strategy)(once)))()


@contextlib.contextmanager
def a_note_on_failure(text: str) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        error.add_note(text)
        raise

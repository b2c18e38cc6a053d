"""A line's port as a stream of bytes, in virtual time: what comes when, and when a turn is over."""

import asyncio

from controller.pumps.core import LineSettings, Turn
from controller.pumps.stream import ANSWER_US_MAX, StreamPort
from sim.loop import VirtualClock, VirtualLoop, run

WINDOW_US, SILENCE_US, SLACK_US = 70_000, 70_000, 200_000
QUESTION = b"\x41"


class Trickle(StreamPort):
    """Behind it something says a byte from time to time, for ever."""

    def __init__(self, clock: VirtualClock, every_us: int, count: int) -> None:
        super().__init__("port of a test", LineSettings(), clock, slack_us=SLACK_US, echo=False)
        self._every_us = every_us
        self._left = count

    def put(self, data: bytes) -> bool:
        self._say()
        return True

    def _say(self) -> None:
        if self._left:
            self._left -= 1
            self._clock.call_at(self._now() + self._every_us, self._said)

    def _said(self) -> None:
        self._heard(b"\xe0")
        self._say()

    def _forget_input(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing to let go."""


def turn_over(every_us: int, count: int) -> tuple[bytes, int]:
    """What was heard, and how long it took."""

    async def main(loop: VirtualLoop) -> tuple[bytes, int]:
        clock = VirtualClock(loop, 0)
        port = Trickle(clock, every_us, count)
        began_us = clock.now().mono_us
        answer = await port.transact(Turn(QUESTION, 0, WINDOW_US, SILENCE_US, lambda _: False))
        return answer, clock.now().mono_us - began_us

    return run(main)


def test_bytes_that_come_one_by_one_and_slowly_are_one_answer() -> None:
    answer, took_us = turn_over(200_000, 33)
    assert len(answer) == 33
    assert took_us == 33 * 200_000 + SILENCE_US + SLACK_US


def test_who_never_falls_silent_and_never_says_anything_whole_does_not_keep_the_line() -> None:
    """A stop for another pump of the line would wait as long."""
    _, took_us = turn_over(200_000, 5_000)
    assert took_us <= ANSWER_US_MAX + WINDOW_US + SLACK_US + LineSettings().wire_us(1)


def test_the_next_turn_has_its_whole_time_again() -> None:
    async def main(loop: VirtualLoop) -> list[int]:
        clock = VirtualClock(loop, 0)
        port = Trickle(clock, 200_000, 10)
        lengths = []
        for _ in range(2):
            lengths.append(len(await port.transact(Turn(QUESTION, 0, WINDOW_US, SILENCE_US, lambda _: False))))
            await asyncio.sleep(0)
            port._left = 10
            await clock.sleep_until(clock.now().mono_us + 20_000_000)
        return lengths

    assert run(main) == [10, 10]

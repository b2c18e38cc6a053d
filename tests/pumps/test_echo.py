"""Our own bytes, heard again: taken out where they are ours, handed on where they are not."""

import asyncio
import contextlib
import os
import tty
from collections.abc import Iterator
from itertools import pairwise

import pytest
import serial
from hypothesis import given
from hypothesis import strategies as st

from controller.machine import MachineClock
from controller.pumps.core import LineSettings, Turn
from controller.pumps.dart.frame import is_whole
from controller.pumps.echo import Echo
from controller.pumps.line import SerialLinePort
from controller.pumps.stream import PortError

POLL, ACK, EOT = bytes.fromhex("51 20 FA"), bytes.fromhex("51 C1 FA"), bytes.fromhex("51 70 FA")
ASK = Turn(POLL, 0, 20_000_000, 15_000, is_whole)
"""Always answered, however late."""
TELL = Turn(ACK, 0, 0, 0, is_whole, 0)
PATIENCE_S = 30


@given(sent=st.binary(min_size=1, max_size=20), answer=st.binary(max_size=20), cuts=st.lists(st.integers(0, 40)))
def test_what_was_sent_is_taken_out_however_it_is_cut(sent: bytes, answer: bytes, cuts: list[int]) -> None:
    echo = Echo()
    echo.sent(sent)
    came = sent + answer
    edges = [0, *sorted(min(cut, len(came)) for cut in cuts), len(came)]
    heard = b"".join(echo.heard(came[start:end]) for start, end in pairwise(edges))
    assert heard == answer
    assert not echo.owed


def test_what_is_not_ours_is_handed_on() -> None:
    echo = Echo()
    echo.sent(POLL)
    assert echo.heard(EOT) == EOT  # the first byte is the same: all of it is looked at
    assert not echo.owed
    assert echo.heard(POLL) == POLL


def test_an_echo_is_owed_until_it_came() -> None:
    echo = Echo()
    echo.sent(ACK)
    assert echo.heard(ACK[:2]) == b""
    assert echo.owed
    assert echo.heard(ACK[2:]) == b""
    assert not echo.owed


@contextlib.contextmanager
def loop_line(*, echoes: bool) -> Iterator[str]:
    """A terminal whose other end sends back what it hears and answers a poll, all in one go."""
    master, other = os.openpty()
    tty.setraw(other)

    def pump() -> None:
        data = os.read(master, 100)
        os.write(master, (data if echoes else b"") + EOT * data.count(POLL))

    loop = asyncio.get_running_loop()
    loop.add_reader(master, pump)
    try:
        yield os.ttyname(other)
    finally:
        loop.remove_reader(master)
        os.close(master)
        os.close(other)


@pytest.mark.parametrize("echoes", [True, False])
def test_a_line_with_or_without_its_echo_is_understood_when_it_may_echo(echoes: bool) -> None:
    async def main() -> None:
        with loop_line(echoes=echoes) as path:
            port = SerialLinePort(path, LineSettings(), MachineClock(), echo=True)
            for _ in range(3):
                assert await port.transact(ASK) == EOT
                assert await port.transact(TELL) == b""
            assert await port.transact(ASK) == EOT
            port.close()

    asyncio.run(asyncio.wait_for(main(), PATIENCE_S))


def test_an_echo_that_nobody_told_of_is_no_answer_of_a_pump() -> None:
    async def main() -> None:
        with loop_line(echoes=True) as path:
            port = SerialLinePort(path, LineSettings(), MachineClock())
            assert (await port.transact(ASK)).startswith(POLL)
            port.close()

    asyncio.run(asyncio.wait_for(main(), PATIENCE_S))


def test_a_speed_that_the_driver_refuses_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ValueError("Failed to set custom baud rate (5787): [Errno 22] Invalid argument")

    async def main() -> None:
        with loop_line(echoes=False) as path:
            monkeypatch.setattr(serial, "Serial", refuse)
            with pytest.raises(PortError, match=r"serial port /dev/pts/\d+: Failed to set custom baud rate"):
                SerialLinePort(path, LineSettings(5_787, 8, "E", 1), MachineClock())

    asyncio.run(main())

"""How a line's port is opened: what the kernel is asked for, by each protocol and by what station.toml says instead.

A pseudo terminal keeps the speed, the stop bits and the kind of parity, but not that there is parity at all, nor the
data bits: so what is asked for is caught on its way into the kernel, and what is kept is read back.
"""

import asyncio
import contextlib
import os
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller import daemon
from controller.config import parse
from controller.domain.seams import Clock
from controller.install import template
from controller.machine import MachineClock
from controller.pumps import line
from controller.pumps.core import LineSettings, Turn
from controller.pumps.framing import framed, framing_text
from controller.pumps.line import SerialLinePort
from controller.pumps.protocols import PROTOCOLS, line_settings
from controller.pumps.stream import PortError
from tests.pumps.terminals import framing_of, kept_of


@contextlib.contextmanager
def opened(settings: LineSettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, list[int]]]:
    """A port on a new terminal: its other end's descriptor, and the control flags that the kernel was asked for."""
    asked: list[int] = []
    real = termios.tcsetattr

    def watched(fd: int, when: int, attributes: list[Any]) -> None:
        asked.append(attributes[2])
        real(fd, when, attributes)

    monkeypatch.setattr(termios, "tcsetattr", watched)
    master, other = os.openpty()
    try:

        async def main() -> None:
            SerialLinePort(os.ttyname(other), settings, MachineClock()).close()

        asyncio.run(main())
        yield other, asked
    finally:
        os.close(master)
        os.close(other)


CASES = [
    ("dart", None, None, LineSettings(9_600, 8, "O", 1)),
    ("two-wire", None, None, LineSettings(5_787, 8, "E", 1)),
    ("azt2", None, None, LineSettings(4_800, 7, "E", 2)),
    ("dart", 19_200, "8E1", LineSettings(19_200, 8, "E", 1)),
    ("two-wire", 5_760, "8O1", LineSettings(5_760, 8, "O", 1)),
    ("azt2", 9_600, "7O1", LineSettings(9_600, 7, "O", 1)),
    ("azt2", None, "8N2", LineSettings(4_800, 8, "N", 2)),
]


@pytest.mark.parametrize(("protocol", "baud", "framing", "wanted"), CASES)
def test_the_port_is_opened_as_the_line_is(
    protocol: str, baud: int | None, framing: str | None, wanted: LineSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = line_settings(protocol, baud, framing)
    assert settings == wanted
    with opened(settings, monkeypatch) as (other, asked):
        assert framing_of(asked[-1]) == framing_text(wanted)
        assert kept_of(other) == (wanted.baud, "odd" if wanted.parity == "O" else "even", wanted.stop)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_framing_is_read_as_it_is_written(protocol: str) -> None:
    line = PROTOCOLS[protocol].line
    assert framed(line, framing_text(line)) == line
    for text in ("8O1", "8E1", "8N1", "8N2", "8E2"):
        assert framing_text(framed(line, text)) == text


@pytest.mark.parametrize("text", ["", "8", "8o1", "8M1", "6N1", "8N3", "8N1 ", "N81", "18N1"])
def test_what_is_no_framing_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected data bits, parity and stop bits, such as"):
        framed(LineSettings(), text)


def test_a_byte_never_loses_a_bit() -> None:
    assert framed(line_settings("azt2", None), "7E2").bits == 7
    with pytest.raises(ValueError, match=r"'7E1': the bytes of this protocol have 8 bits, so 7 would lose some"):
        framed(line_settings("dart", None), "7E1")


def test_parity_and_stop_bits_take_their_time_on_the_wire() -> None:
    assert [framed(LineSettings(9_600), text).wire_us(96) for text in ("8N1", "8O1", "8E2")] == [
        100_000,
        110_000,
        120_000,
    ]


def test_the_station_opens_a_line_as_its_file_says(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, LineSettings, int | None]] = []

    def port(path: str, settings: LineSettings, _clock: Clock, *, slack_us: int | None, **_others: object) -> None:
        opened.append((path, settings, slack_us))

    monkeypatch.setattr(daemon, "SerialLinePort", port)
    for said in ("baud = 9600", 'framing = "8E1"\nslack_us = 3000'):
        config = parse(template(simulated=False).replace("baud = 9600", said), Path("/srv/station.toml"))
        daemon._open_port(config, config.file.lines[0], MachineClock(), simulation=False)
    assert opened == [
        ("/dev/ttyUSB0", LineSettings(9_600, 8, "O", 1), None),
        ("/dev/ttyUSB0", LineSettings(9_600, 8, "E", 1), 3_000),
    ]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_real_port_looks_at_parity_too(protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Played on a pseudo terminal, which keeps these flags and has no parity."""
    monkeypatch.setattr(line, "is_pty", lambda _: False)
    master, other = os.openpty()
    try:

        async def main() -> int:
            port = SerialLinePort(os.ttyname(other), line_settings(protocol, None), MachineClock(), slack_us=0)
            flags: int = termios.tcgetattr(port.serial.fileno())[0]
            port.close()
            return flags

        flags = asyncio.run(main())
    finally:
        os.close(master)
        os.close(other)
    assert flags & termios.INPCK
    assert not flags & (termios.IGNPAR | termios.PARMRK)


def test_a_far_side_that_takes_no_more_bytes_is_a_sentence_and_holds_nobody() -> None:
    master, other = os.openpty()

    async def main() -> None:
        port = SerialLinePort(os.ttyname(other), LineSettings(), MachineClock())
        turn = Turn(bytes(1_000), 0, 0, 0, lambda _: True)

        def send() -> None:
            for _ in range(1_000):
                port._send(turn.data)

        with pytest.raises(PortError, match="it takes no more bytes: check the converter"):
            send()
        port.close()

    try:
        asyncio.run(asyncio.wait_for(main(), 20))
    finally:
        os.close(master)
        os.close(other)

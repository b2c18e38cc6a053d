"""The bench's keypads, on real ports, with a station's own client."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from controller.domain.keypad_words import CANCEL, ENTER, Echo, Screen, screen_of
from controller.keypads.keypads import KeypadDown, KeypadUp, KeyPressed, tcp_keypad
from controller.machine import MachineClock
from sim.bench_file import BenchError, parse
from sim.held_ports import HeldPorts
from sim.keypads import NO_STATION, TcpKeypadDevice

DEADLINE_S = 30
PIN = Screen(("Type your PIN", "PIN:"), Echo.HIDDEN, 4)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[keypads]]\npoint = 9", "keypads[0].point: 9: no pump stands there, expected one of 1, 2, 3, 4"),
        ("[[keypads]]\npoint = 1\n[[keypads]]\npoint = 1", "keypads[1].point: 1 has a keypad already"),
        ("[[keypads]]\npoint = 1\nport = 70000", "keypads[0].port: 70000: expected a port"),
        ("[[keypads]]\nport = 7900", "keypads[0].point: this key is missing"),
    ],
)
def test_what_is_wrong_in_bench_toml_is_named(text: str, says: str) -> None:
    with pytest.raises(BenchError) as caught:
        parse(text, Path("bench.toml"))
    assert says in str(caught.value)


@contextlib.asynccontextmanager
async def device() -> AsyncIterator[TcpKeypadDevice]:
    with contextlib.closing(HeldPorts()) as ports:  # it goes and comes back
        keypad = TcpKeypadDevice(ports.one())
        await keypad.start()
        try:
            yield keypad
        finally:
            await keypad.stop()


def test_a_keypad_on_a_port_shows_is_typed_at_goes_and_comes_back() -> None:
    async def main() -> None:
        async with asyncio.timeout(DEADLINE_S), device() as twin:
            station = tcp_keypad("127.0.0.1", twin.port, MachineClock())
            station.show(PIN)
            async with contextlib.aclosing(station.events()) as events:
                assert await anext(events) == KeypadUp()
                await _until(lambda: twin.twin.asks)
                for key in "47":
                    twin.press(key)
                assert twin.twin.rows == ("Type your PIN", "PIN:              **")
                twin.press(ENTER)
                twin.press("1")
                assert [(await anext(events)) for _ in range(3)] == [KeyPressed(key) for key in ("4", "7", ENTER)]
                station.show(screen_of("Please fuel"))
                await _until(lambda: twin.twin.rows == ("Please fuel", ""))
                twin.press(CANCEL)

                await twin.stop()
                gone = await anext(events)
                assert isinstance(gone, KeypadDown)
                assert f"The keypad at 127.0.0.1:{twin.port} is gone" in gone.text
                assert twin.twin.rows == NO_STATION.rows
                await twin.start()
                again = await anext(events)
                while isinstance(again, KeypadDown):
                    again = await anext(events)
                assert again == KeypadUp()
                await _until(lambda: twin.twin.rows == ("Please fuel", ""))

    asyncio.run(main())


async def _until(met: Callable[[], bool]) -> None:
    clock = MachineClock()
    while not met():
        await clock.sleep_until(clock.now().mono_us + 5_000)


def test_something_else_on_the_port_is_no_keypad() -> None:
    async def printer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 printer ready\r\n")
        await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(printer, "127.0.0.1", 0)
        async with server:
            station = tcp_keypad("127.0.0.1", server.sockets[0].getsockname()[1], MachineClock())
            async with contextlib.aclosing(station.events()) as events:
                gone = await anext(events)
                assert isinstance(gone, KeypadDown)
                assert "says what no keypad says" in gone.text

    asyncio.run(main())


def test_a_host_that_is_none_is_a_sentence() -> None:
    async def main() -> None:
        station = tcp_keypad("a..b", 7900, MachineClock())
        async with contextlib.aclosing(station.events()) as events:
            gone = await anext(events)
            assert isinstance(gone, KeypadDown)
            assert "'a..b' is no name of a host" in gone.text

    asyncio.run(main())

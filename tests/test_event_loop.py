"""The station's event loop: a name server that does not answer holds nobody."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from controller import commands
from controller.event_loop import StationLoop
from controller.install import template
from controller.machine import MachineClock, ThreadedPins
from controller.pincheck import make_verifier
from controller.pumps.address import NetAddress
from controller.pumps.core import LineSettings
from controller.pumps.net import NetLinePort
from controller.pumps.stream import PortError

DEADLINE_S = 30
ASKED = 40
"""More than asyncio has threads of its own."""


class NameServer:
    """It says nothing until `answers`."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.asked = threading.Semaphore(0)
        self.threads: list[threading.Thread] = []

    def look_up(self, host: str, *_: object) -> list[Any]:
        self.threads.append(threading.current_thread())
        self.asked.release()
        self.answers.wait(DEADLINE_S)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


@pytest.fixture
def name_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    server = NameServer()
    monkeypatch.setattr(socket, "getaddrinfo", server.look_up)
    yield server
    server.answers.set()
    for thread in server.threads:
        thread.join(DEADLINE_S)


async def dial(host: str = "moxa") -> None:
    await NetLinePort(NetAddress("socket", host, 4_001), LineSettings(), MachineClock()).connect()


def test_many_names_that_nobody_answers_hold_neither_a_pin_nor_the_end(name_server: NameServer) -> None:
    verifier = make_verifier("1234", bytes(16))

    async def main() -> None:
        dialling = [asyncio.ensure_future(dial(f"moxa-{index}")) for index in range(ASKED)]
        while len(name_server.threads) < ASKED:
            await asyncio.sleep(0)
        assert await ThreadedPins().verify(verifier, "1234")
        assert not any(task.done() for task in dialling)
        for task in dialling:
            task.cancel()
        await asyncio.gather(*dialling, return_exceptions=True)

    with asyncio.Runner(loop_factory=StationLoop) as runner:
        runner.run(asyncio.wait_for(main(), DEADLINE_S))
    assert not name_server.answers.is_set(), "and it ended all the same"
    assert all(thread.daemon for thread in name_server.threads)


def test_what_the_name_server_says_comes_back(name_server: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    name_server.answers.set()

    async def main() -> None:
        with pytest.raises(PortError, match=r"the name is not known \(Temporary failure in name resolution\)"):
            await dial()
        monkeypatch.undo()
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo("localhost", 4_001, type=socket.SOCK_STREAM)
        assert {address[:2] for *_, address in found} <= {("127.0.0.1", 4_001), ("::1", 4_001)}
        assert found
        with pytest.raises(UnicodeError):
            await loop.getaddrinfo("a" * 64, 4_001)

    with asyncio.Runner(loop_factory=StationLoop) as runner:
        runner.run(asyncio.wait_for(main(), DEADLINE_S))


def test_a_station_runs_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    async def run_station(*_: object, **__: object) -> None:
        loops.append(asyncio.get_running_loop())

    monkeypatch.setattr(commands, "run_station", run_station)
    (tmp_path / "station.toml").write_text(template(simulated=False))
    given = CliRunner().invoke(commands.station, ["run", "--config", str(tmp_path / "station.toml")], obj=None)
    assert (given.exit_code, given.output) == (0, "")
    assert [type(loop) for loop in loops] == [StationLoop]

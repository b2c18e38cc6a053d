"""A station of processes whose only customer and only cashier is the test: a shell with a till's token, and hands."""

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import msgspec
from click.testing import CliRunner

from controller.machine import MachineClock
from forecourt import main
from sim.backstage import Backstage
from sim.control import AskPumps, ControlClient, HangUp, Lift, PumpView, Squeeze

DEADLINE_S = 60
POLL_S = 0.1
SILENT = "The pump does not answer"


class EmptyStreet(Backstage):
    """Nobody comes: the test is the customer."""

    def _write_files(self) -> None:
        super()._write_files()
        bench = self.folder / "bench.toml"
        bench.write_text(bench.read_text(encoding="utf-8").partition("[customers]")[0], encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said, and how it ended."""

    code: int
    out: str
    error: str


Run = Callable[..., Said]
"""How a command is run."""


def in_a_process(*words: str) -> Said:
    """A command as a shell runs it."""
    done = subprocess.run(
        [sys.executable, "-m", "forecourt", *words], capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    return Said(done.returncode, done.stdout, done.stderr)


def in_this_one(*words: str) -> Said:
    """The same command without a start of Python: for what is asked again and again."""
    with ThreadPoolExecutor(1) as elsewhere:  # a loop runs here, and the command makes its own
        done = elsewhere.submit(CliRunner().invoke, main, words).result(DEADLINE_S)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Said(done.exit_code, done.stdout, done.stderr)


class Scene:
    """`forecourt pump ...` with a till's token, and a customer's hands at the pumps.

    `run`: how commands are run, if nothing else is said; the list that is waited for is always asked from here.
    """

    def __init__(self, backstage: Backstage, run: Run = in_a_process) -> None:
        token = backstage.station_folder / "keys" / "till-1.token"
        self._where = ("--station", backstage.station_url, "--token-file", str(token))
        self._run = run
        self._bench = ControlClient(backstage.ports.control)
        self._clock = MachineClock()

    def done(self, *words: str, run: Run | None = None) -> str:
        said = self._said(*words, run=run)
        assert said.code == 0, f"{words}: {said.error}"
        return said.out

    def refused(self, *words: str, run: Run | None = None) -> str:
        said = self._said(*words, run=run)
        assert said.code == 1, f"{words}: {said.out}"
        assert "Traceback" not in said.error
        return said.error

    def _said(self, *words: str, run: Run | None) -> Said:
        """Again, as a person would, while a busy machine keeps the bench from answering as fast as a pump must."""
        deadline_us = self._clock.now().mono_us + DEADLINE_S * 1_000_000
        while SILENT in (said := (run or self._run)("pump", *words, *self._where)).error:
            assert self._clock.now().mono_us < deadline_us, f"{words}: {said.error}"
            time.sleep(POLL_S)
        return said

    def _list(self) -> str:
        said = in_this_one("pump", "list", *self._where)
        assert said.code == 0, said.error
        return said.out

    async def listed(self, *wanted: str) -> str:
        """What `pump list` says as soon as all of this stands there."""
        listed = self._list()
        deadline_us = self._clock.now().mono_us + DEADLINE_S * 1_000_000
        while not all(word in listed for word in wanted):
            assert self._clock.now().mono_us < deadline_us, f"never {wanted}: {listed}"
            await self._clock.sleep_until(self._clock.now().mono_us + 100_000)
            listed = self._list()
        return listed

    async def customer(self, what: Lift | Squeeze | HangUp) -> None:
        await self._bench.ask(what, msgspec.Raw)

    async def pump(self, number: int) -> PumpView:
        """What is to be seen of a pump through the window."""
        return next(view for view in await self._bench.ask(AskPumps(), list[PumpView]) if view.pump == number)

    async def seen(self, number: int, met: Callable[[PumpView], bool]) -> PumpView:
        """The pump, as soon as it is to be seen like this."""
        deadline_us = self._clock.now().mono_us + DEADLINE_S * 1_000_000
        while not met(view := await self.pump(number)):
            assert self._clock.now().mono_us < deadline_us, f"never: {view}"
            await self._clock.sleep_until(self._clock.now().mono_us + 20_000)
        return view

    async def unpaid(self) -> tuple[str, str]:
        """Pump 1 is idle and one delivery of it unpaid: its id, and its line in the list."""
        listed = await self.listed(" 1 idle", "unpaid")
        line = next(line for line in listed.splitlines() if line.strip().startswith("unpaid"))
        return line.split()[1], line

    async def close(self) -> None:
        await self._bench.close()

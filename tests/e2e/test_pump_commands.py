"""`forecourt pump ...` against a running station: each command does it, each refusal is a sentence and exit code 1."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec

from controller.machine import MachineClock
from sim.backstage import Backstage, Cast
from sim.control import ControlClient, HangUp, Lift, Squeeze

DEADLINE_S = 30


class _EmptyStreet(Backstage):
    """Nobody comes: the test is the customer."""

    def _write_files(self) -> None:
        super()._write_files()
        bench = self.folder / "bench.toml"
        bench.write_text(bench.read_text(encoding="utf-8").partition("[customers]")[0], encoding="utf-8")


class _Scene:
    """A shell with a till's token, and a customer's hands at the pumps."""

    def __init__(self, backstage: Backstage) -> None:
        token = backstage.station_folder / "keys" / "till-1.token"
        self._where = ("--station", backstage.station_url, "--token-file", str(token))
        self._bench = ControlClient(backstage.ports.control)
        self._clock = MachineClock()

    def _pump(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "forecourt", "pump", *words, *self._where],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )

    def done(self, *words: str) -> str:
        said = self._pump(*words)
        assert said.returncode == 0, f"{words}: {said.stderr}"
        return said.stdout

    def refused(self, *words: str) -> str:
        said = self._pump(*words)
        assert said.returncode == 1, f"{words}: {said.stdout}"
        assert "Traceback" not in said.stderr
        return said.stderr

    async def listed(self, *wanted: str) -> str:
        """What `pump list` says as soon as all of this stands there."""
        deadline_us = self._clock.now().mono_us + DEADLINE_S * 1_000_000
        while not all(word in (listed := self.done("list")) for word in wanted):
            assert self._clock.now().mono_us < deadline_us, f"never {wanted}: {listed}"
            await self._clock.sleep_until(self._clock.now().mono_us + 100_000)
        return listed

    async def customer(self, what: Lift | Squeeze | HangUp) -> None:
        await self._bench.ask(what, msgspec.Raw)

    async def fuels(self, *how: str, litres: int) -> str:
        """A delivery at pump 1; returns its id."""
        await self.customer(Lift(1, 2))
        await self.listed(" 1 calling")
        assert "may deliver" in self.done("authorise", "1", *how)
        await self.customer(Squeeze(1, litres * 1_000))
        await self.listed(" 1 fuelling", f" {litres}.00 l")
        await self.customer(HangUp(1))
        listed = await self.listed(" 1 idle", "unpaid")
        return next(line.split()[1] for line in listed.splitlines() if line.strip().startswith("unpaid"))

    async def close(self) -> None:
        await self._bench.close()


def _play(folder: Path, play: Callable[[_Scene], Coroutine[Any, Any, None]]) -> None:
    async def main(backstage: Backstage) -> None:
        scene = _Scene(backstage)
        try:
            await scene.listed(" 1 idle", " 2 idle", " 3 idle", " 4 idle")
            await play(scene)
        finally:
            await scene.close()

    cast = Cast(seed=3, tempo="easy", served=0, questions=False, flow_ml_per_s=2_000)
    with _EmptyStreet(folder / "demo", cast) as backstage:
        backstage.start()
        asyncio.run(main(backstage))


def test_every_command_of_the_pump_group_does_what_it_says(tmp_path: Path) -> None:
    _play(tmp_path, _every_command)


async def _every_command(scene: _Scene) -> None:
    assert "No nozzle is lifted" in scene.refused("authorise", "1")
    assert "no such pump" in scene.refused("stop", "77")
    assert "look at its tile" in scene.refused("suspend", "1")
    assert "diesel: 45.00 from the next sale on" in scene.done("price", "diesel", "45.00")
    assert "no such grade" in scene.refused("price", "kerosene", "45.00")
    assert "such as 43.79" in scene.refused("price", "diesel", "cheap")
    scene.done("identity", "1")
    assert "nozzle 2  Diesel  0.00 l" in scene.done("totals", "1")

    await scene.customer(Lift(1, 2))
    await scene.listed(" 1 calling", "45.00")
    assert "not both" in scene.refused("authorise", "1", "--volume", "5", "--amount", "5")
    assert "plain decimal" in scene.refused("authorise", "1", "--volume", "much")
    await scene.customer(HangUp(1))
    await scene.listed(" 1 idle")

    paid = await scene.fuels("--volume", "4", litres=4)
    assert "less than the amount" in scene.refused("pay", paid, "--cash", "100")
    receipt = scene.done("pay", paid, "--cash", "200")
    assert "SIMULATION" in receipt
    assert "change 20.00 TRY" in receipt
    assert "paid already" in scene.refused("pay", paid)

    measured = await scene.fuels(litres=5)
    assert "5.00 l back in the tank" in scene.done("test-measure", measured)
    assert "test measure" in scene.refused("pay", measured, "--card")

    await scene.customer(Lift(1, 2))
    await scene.listed(" 1 calling")
    scene.done("authorise", "1", "--amount", "2000")
    await scene.customer(Squeeze(1, 60_000))
    await scene.listed(" 1 fuelling")
    scene.done("suspend", "1")
    await scene.listed(" 1 stopped", "held: resume or stop")
    scene.done("resume", "1")
    await scene.listed(" 1 fuelling")
    scene.done("stop", "1")
    await scene.customer(HangUp(1))
    listed = await scene.listed(" 1 idle", "unpaid")
    stopped = next(line.split()[1] for line in listed.splitlines() if line.strip().startswith("unpaid"))
    assert "change 0.00" in scene.done("pay", stopped, "--card")
    scene.done("stop-all")

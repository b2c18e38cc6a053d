"""`forecourt pump ...` against a running station: each command does it, each refusal is a sentence and exit code 1."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from sim.backstage import Backstage, Cast
from sim.control import HangUp, Lift, Squeeze
from tests.e2e.scene import EmptyStreet, Scene, in_a_process, in_this_one

FULL_TANK_ML = 190_000
"""It takes far longer than all that is done meanwhile."""


async def _fuels(scene: Scene, *how: str, litres: int) -> str:
    """A delivery at pump 1; returns its id."""
    await scene.customer(Lift(1, 2))
    await scene.listed(" 1 calling")
    assert "may deliver" in scene.done("authorise", "1", *how)
    await scene.customer(Squeeze(1, litres * 1_000))
    await scene.listed(" 1 fuelling", f" {litres}.00 l")
    await scene.customer(HangUp(1))
    delivery, _ = await scene.unpaid()
    return delivery


def _play(folder: Path, play: Callable[[Scene], Coroutine[Any, Any, None]]) -> None:
    async def main(backstage: Backstage) -> None:
        scene = Scene(backstage, in_this_one)
        try:
            await scene.listed(" 1 idle", " 2 idle", " 3 idle", " 4 idle")
            await play(scene)
        finally:
            await scene.close()

    cast = Cast(seed=3, tempo="easy", served=0, questions=False, flow_ml_per_s=2_000)
    with EmptyStreet(folder / "demo", cast) as backstage:
        backstage.start()
        asyncio.run(main(backstage))


def test_every_command_of_the_pump_group_does_what_it_says(tmp_path: Path) -> None:
    _play(tmp_path, _every_command)


async def _every_command(scene: Scene) -> None:
    assert "No nozzle is lifted" in scene.refused("authorise", "1", run=in_a_process)
    assert "no such pump" in scene.refused("stop", "77")
    assert "look at its tile" in scene.refused("suspend", "1")
    assert "diesel: 45.00 from the next sale on" in scene.done("price", "diesel", "45.00", run=in_a_process)
    assert "no such grade" in scene.refused("price", "kerosene", "45.00")
    assert "such as 43.79" in scene.refused("price", "diesel", "cheap")
    scene.done("identity", "1")
    assert "nozzle 2  Diesel  0.00 l" in scene.done("totals", "1")

    await scene.customer(Lift(1, 2))
    await scene.listed(" 1 calling", "45.00")
    assert "not both" in scene.refused("authorise", "1", "--volume", "5", "--amount", "5")
    assert "plain decimal" in scene.refused("authorise", "1", "--volume", "much")
    assert "Another nozzle" in scene.refused("authorise", "1", "--grade", "gasoline")
    assert "no such grade" in scene.refused("authorise", "1", "--grade", "kerosene")
    assert "does not wait for an answer" in scene.refused("answer", "1", "grade", "diesel")
    await scene.customer(HangUp(1))
    await scene.listed(" 1 idle")

    paid = await _fuels(scene, "--volume", "4", litres=4)
    assert "less than the amount" in scene.refused("pay", paid, "--cash", "100")
    receipt = scene.done("pay", paid, "--cash", "200")
    assert "SIMULATION" in receipt
    assert "change 20.00 TRY" in receipt
    assert "paid already" in scene.refused("pay", paid)

    measured = await _fuels(scene, litres=5)
    assert "5.00 l back in the tank" in scene.done("test-measure", measured)
    assert "test measure" in scene.refused("pay", measured, "--card")

    await scene.customer(Lift(1, 2))
    await scene.listed(" 1 calling")
    scene.done("authorise", "1", "--amount", "9000")
    await scene.customer(Squeeze(1, FULL_TANK_ML))
    await scene.listed(" 1 fuelling")
    scene.done("suspend", "1")
    await scene.listed(" 1 stopped", "held: resume or stop")
    scene.done("resume", "1")
    await scene.listed(" 1 fuelling")
    scene.done("stop", "1")
    await scene.customer(HangUp(1))
    stopped, _ = await scene.unpaid()
    assert "change 0.00" in scene.done("pay", stopped, "--card")
    scene.done("stop-all")

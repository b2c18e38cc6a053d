"""Every pump protocol through the whole house: bench and station as processes, a pseudo terminal between them, and
nothing but `forecourt pump ...` to work with.
"""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.pumps.protocols import PROTOCOLS
from sim.backstage import Cast
from sim.control import HangUp, Lift, PumpView, Squeeze
from tests.e2e.scene import EmptyStreet, Scene, in_this_one
from tests.pumps.terminals import kept_of

FLOW_ML_PER_S = 4_000
CAST = Cast(seed=1, tempo="brisk", served=0, questions=False, flow_ml_per_s=FLOW_ML_PER_S)
FULL_TANK_ML = 190_000
"""It takes far longer than all that is done meanwhile."""


@dataclass(frozen=True, slots=True)
class Case:
    """A protocol, and what is different with it. `worth`: what becomes of a preset of 100.00 at 45.00 a litre."""

    protocol: str
    address: int
    terminal: tuple[int, str, int]
    identity: str
    worth: tuple[str, str]


CASES = [
    Case("dart", 0x50, (9_600, "odd", 1), "manufacturer 1234", ("2.22 l", "100.00 TRY")),
    Case("two-wire", 3, (5_787, "even", 1), "0107", ("2.22 l", "100.00 TRY")),
    Case("azt2", 17, (4_800, "even", 2), "00000200", ("2.22 l", "99.90 TRY")),
]


class OneLine(EmptyStreet):
    """A station of one line with one pump, and without headquarters."""

    def __init__(self, folder: Path, case: Case) -> None:
        super().__init__(folder, CAST)
        self._case = case

    def start(self) -> None:
        self._write_files()
        self._spawn("bench", "sim", "bench", "--config", "bench.toml")
        self._await_ready("bench")
        self.start_station()

    def _write_files(self) -> None:
        super()._write_files()
        case = self._case
        station = self.station_folder / "station.toml"
        text = station.read_text(encoding="utf-8")
        head, _, rest = text.replace(f'[headquarters]\nurl = "{self.headquarters_url}"\n', "").partition("[[lines]]")
        _, _, printer = rest.partition("[printer]")
        line = f'[[lines]]\nname = "east"\nprotocol = "{case.protocol}"\nport = "../ports/east"\n'
        point = f'[[points]]\nnumber = 1\nline = "east"\naddress = {case.address}\nnozzles = ["diesel"]\n'
        station.write_text(f"{head}{line}{point}[printer]{printer}", encoding="utf-8")
        (self.folder / "bench.toml").write_text(
            f"control_port = {self.ports.control}\n"
            "reader_ports = []\n"
            f'[[lines]]\nname = "east"\nprotocol = "{case.protocol}"\npace = true\n'
            f'[[pumps]]\nnumber = 1\nline = "east"\naddress = {case.address}\n'
            f"flow_ml_per_s = {FLOW_ML_PER_S}\nslow_band_ml = 0\n"
            'nozzles = [{ grade = "diesel", price = "44.12", totaliser_ml = 1_000_000 }]\n',
            encoding="utf-8",
        )

    def terminal(self) -> tuple[int, str, int]:
        """What the station has set the line's terminal to; fails unless the station has it open."""
        path = (self.folder / "ports" / "east").resolve()
        held = Path(f"/proc/{self._processes['station'].pid}/fd")
        assert path in {link.resolve() for link in held.iterdir()}
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            return kept_of(fd)
        finally:
            os.close(fd)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.protocol)
def test_a_working_day_over_each_protocol_by_commands_alone(tmp_path: Path, case: Case) -> None:
    backstage = OneLine(tmp_path / "demo", case)

    async def main() -> None:
        scene = Scene(backstage, in_this_one)
        try:
            await scene.listed(" 1 idle")
            assert backstage.terminal() == case.terminal
            await _play(scene, case)
        finally:
            await scene.close()

    with backstage:
        backstage.start()
        asyncio.run(main())


async def _play(scene: Scene, case: Case) -> None:
    assert case.identity in scene.done("identity", "1")
    assert "Diesel  1000.00 l" in scene.done("totals", "1")
    scene.done("price", "diesel", "45.00")
    await scene.seen(1, lambda pump: pump.nozzles[0].price == "45.00")

    assert await _preset(scene, "--amount", "100") == case.worth
    assert await _preset(scene, "--volume", "3") == ("3.00 l", "135.00 TRY")
    volume, amount = await _stopped(scene, suspends=PROTOCOLS[case.protocol].abilities.suspend)

    meter_ml = (await scene.pump(1)).nozzles[0].totaliser_ml
    assert meter_ml // 10 - 100_000 - 222 - 300 - _hundredths(volume) in range(3), "three sales, each cut to hundredths"
    assert f"Diesel  {meter_ml // 1_000}.{meter_ml // 10 % 100:02d} l" in scene.done("totals", "1")
    assert abs(_hundredths(volume) * 45 - _hundredths(amount)) <= 45, "within what a hundredth of a litre costs"


async def _preset(scene: Scene, *preset: str) -> tuple[str, str]:
    """A sale up to a preset, by a customer who would take more: what it was."""
    meter_ml = await _calls(scene)
    assert "may deliver" in scene.done("authorise", "1", *preset)
    await scene.customer(Squeeze(1, FULL_TANK_ML))
    await scene.seen(1, lambda pump: _stands(pump, meter_ml))
    return await _pays(scene)


async def _stopped(scene: Scene, *, suspends: bool) -> tuple[str, str]:
    """A sale that is held, goes on, and is stopped before the tank is full: what it was."""
    meter_ml = await _calls(scene)
    scene.done("authorise", "1")
    await scene.customer(Squeeze(1, FULL_TANK_ML))
    await scene.listed(" 1 fuelling")
    if suspends:
        scene.done("suspend", "1")
        held = await scene.seen(1, lambda pump: _stands(pump, meter_ml))
        meter_ml = held.nozzles[0].totaliser_ml
        await scene.listed(" 1 stopped", "held: resume or stop")
        scene.done("resume", "1")
        await scene.listed(" 1 fuelling")
    else:
        assert "This pump has no such function" in scene.refused("suspend", "1")
        assert (await scene.pump(1)).flowing
    scene.done("stop", "1")
    view = await scene.seen(1, lambda pump: _stands(pump, meter_ml))
    assert view.volume_ml < FULL_TANK_ML
    volume, amount = await _pays(scene)
    assert _hundredths(volume) == view.volume_ml // 10
    return volume, amount


async def _calls(scene: Scene) -> int:
    """The customer lifts the nozzle; returns what the meter shows before the sale, in thousandths."""
    await scene.customer(Lift(1))
    await scene.listed(" 1 calling", "45.00")
    return (await scene.pump(1)).nozzles[0].totaliser_ml


def _stands(pump: PumpView, meter_ml: int) -> bool:
    """Whether fuel has run since the meter showed this, and runs no more."""
    return not pump.flowing and pump.nozzles[0].totaliser_ml > meter_ml


async def _pays(scene: Scene) -> tuple[str, str]:
    """The customer hangs up and pays: volume and amount, as the list had them."""
    await scene.customer(HangUp(1))
    delivery, line = await scene.unpaid()
    assert "SIMULATION" in scene.done("pay", delivery, "--card")
    _, _, volume, amount = line.strip().split("  ")
    return volume, amount


def _hundredths(text: str) -> int:
    """ "2.22 l" as 222."""
    return int(text.split(maxsplit=1)[0].replace(".", ""))

"""A sale over each pump protocol: the controller at one end of a pseudo terminal, the simulated pump at the other."""

import asyncio
from pathlib import Path

import pytest

from sim.backstage import Cast
from sim.control import HangUp, Lift, Squeeze
from tests.e2e.test_pump_commands import _EmptyStreet, _Scene

CAST = Cast(seed=1, tempo="brisk", served=0, questions=False, flow_ml_per_s=4_000)
LITRES = 5


class _OneProtocol(_EmptyStreet):
    """Every line of the station speaks `protocol`, one grade a point."""

    def __init__(self, folder: Path, protocol: str) -> None:
        super().__init__(folder, CAST)
        self._protocol = protocol

    def _write_files(self) -> None:
        super()._write_files()
        station = self.station_folder / "station.toml"
        text = station.read_text(encoding="utf-8").replace('protocol = "dart"', f'protocol = "{self._protocol}"')
        bench = [f"control_port = {self.ports.control}", f"reader_ports = [{', '.join(map(str, self.ports.readers))}]"]
        for line in ("east", "west"):
            bench += ["[[lines]]", f'name = "{line}"', f'protocol = "{self._protocol}"', "pace = true"]
        for number, line, address in ((1, "east", 1), (2, "east", 2), (3, "west", 1), (4, "west", 2)):
            was = 0x50 + address - 1
            text = text.replace(
                f'number = {number}\nline = "{line}"\naddress = 0x{was:02X}',
                f'number = {number}\nline = "{line}"\naddress = {address}',
            )
            bench += ["[[pumps]]", f"number = {number}", f'line = "{line}"', f"address = {address}"]
            bench += ["flow_ml_per_s = 4000", 'nozzles = [{ grade = "diesel", price = "44.12" }]']
        for grades in ('"gasoline", "diesel"', '"diesel", "gasoline"', '"autogas"'):
            text = text.replace(f"nozzles = [{grades}]", 'nozzles = ["diesel"]')
        station.write_text(text, encoding="utf-8")
        (self.folder / "bench.toml").write_text("\n".join(bench) + "\n", encoding="utf-8")


@pytest.mark.parametrize("protocol", ["two-wire", "azt2"])
def test_a_sale_over_each_protocol_through_the_controller(tmp_path: Path, protocol: str) -> None:
    with _OneProtocol(tmp_path / "demo", protocol) as backstage:
        backstage.start()
        scene = _Scene(backstage)
        asyncio.run(_sell(scene))


async def _sell(scene: _Scene) -> None:
    try:
        await scene.listed(" 1 idle", " 2 idle", " 3 idle", " 4 idle")
        await scene.customer(Lift(1, 1))
        await scene.listed(" 1 calling")
        assert "may deliver" in scene.done("authorise", "1")
        await scene.customer(Squeeze(1, LITRES * 1_000))
        await scene.listed(" 1 fuelling", f" {LITRES}.00 l")
        await scene.customer(HangUp(1))
        listed = await scene.listed(" 1 idle", "unpaid")
        unpaid = next(line.split()[1] for line in listed.splitlines() if line.strip().startswith("unpaid"))
        scene.done("pay", unpaid, "--card")
        assert f"Diesel  {LITRES}.00 l" in scene.done("totals", "1")
    finally:
        await scene.close()

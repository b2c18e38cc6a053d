"""A sale with a PIN that is typed at the pump: bench and station as processes, between them only ports."""

import asyncio
from pathlib import Path

from controller.config import load
from controller.daemon import JOURNAL_FILE
from controller.domain.pin_records import PinTried
from controller.domain.records import Authorised, Delivery
from controller.pincheck import make_verifier
from controller.store.journal import Journal
from sim.backstage import Backstage, Cast
from sim.control import AskKeypads, ControlClient, HangUp, InsertCard, KeypadView, Lift, PumpView, Squeeze
from tests.e2e.scene import DEADLINE_S, EmptyStreet, Said, in_this_one

CARD, POINT, DIESEL = "9001000000000101", 1, 2
PIN, WRONG = "480153", "771906"
VERIFIER = make_verifier(PIN, bytes(range(16)), cost=2)
WANT_ML = 2_000


class WithKeypad(EmptyStreet):
    """Bench and station, with a keypad at pump 1; headquarters is away."""

    def _write_files(self) -> None:
        super()._write_files()
        port = self.held_ports.one()
        _append(self.folder / "bench.toml", f"[[keypads]]\npoint = {POINT}\nport = {port}\n")
        keypad = f'[[keypads]]\npoint = {POINT}\nkind = "tcp"\nhost = "127.0.0.1"\nport = {port}\n'
        _append(self.station_folder / "station.toml", keypad)
        cards = f"card,account,status,products,pin_verifier,pin_version\n{CARD},KUZEY,active,diesel,{VERIFIER},1\n"
        (self.folder / "cards.csv").write_text(cards, encoding="utf-8")

    def start(self) -> None:
        self._write_files()
        self._spawn("bench", "sim", "bench", "--config", "bench.toml")
        self._run_together(("whitelist", "import", "--config", "station/station.toml", "cards.csv"))
        self._await_ready("bench")
        self.start_station()


def _append(path: Path, text: str) -> None:
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{text}", encoding="utf-8")


async def _shows(bench: ControlClient, words: str) -> None:
    """Until the keypad shows this."""
    shown = ""
    while words not in shown:
        (view,) = await bench.ask(AskKeypads(), list[KeypadView])
        shown = " ".join(view.rows)
        await asyncio.sleep(0.02)


def _types(folder: Path, *words: str) -> Said:
    """A driver's fingers, from a shell."""
    return in_this_one("sim", "type", *words, "--bench", str(folder))


async def _sale(backstage: Backstage, folder: Path) -> None:
    bench = ControlClient(backstage.ports.control)
    try:
        async with asyncio.timeout(DEADLINE_S):
            await _shows(bench, "SIMULATION")
            await bench.ask(Lift(POINT, DIESEL), PumpView)
            await _shows(bench, "Present your card")
            await bench.ask(InsertCard(POINT, CARD), PumpView)
            await _shows(bench, "Type your PIN")
            assert _types(folder, "1", PIN).out == "keypad1  [Type your PIN       ]\n         [PIN:          ******]\n"
            assert "expected a digit, enter, clear or cancel" in _types(folder, "1", "star").error
            assert "point 2 has no keypad: expected one of 1" in _types(folder, "pump2", PIN).error
            assert _types(folder, "1", "clear", WRONG, "enter").code == 0
            await _shows(bench, "PIN wrong: try again")
            assert _types(folder, "1", PIN, "enter").code == 0
            await _shows(bench, "Please fuel")
            assert "the keypad of point 1 asks nothing now" in _types(folder, "1", PIN).error
            shown = in_this_one("sim", "keypads", "--bench", str(folder)).out
            assert shown == "keypad1  [Please fuel         ]\n         [                    ]\n"
            await bench.ask(Squeeze(POINT, WANT_ML), PumpView)
            while (await bench.pumps())[0].volume_ml < WANT_ML:
                await asyncio.sleep(0.02)
            await bench.ask(HangUp(POINT), PumpView)
            await _shows(bench, "SIMULATION")
    finally:
        await bench.close()


def test_a_pin_is_typed_at_the_pump_and_stands_in_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "house"
    with WithKeypad(folder, Cast(seed=5, tempo="easy", served=0, questions=False, flow_ml_per_s=4_000)) as backstage:
        backstage.start()
        asyncio.run(_sale(backstage, folder))
        assert backstage.end_station() == 0

    config = load(folder / "station" / "station.toml")
    journal = Journal(config.data / JOURNAL_FILE)
    try:
        records = [body.record for body in journal.replay()]
    finally:
        journal.close()
    (delivery,) = (record for record in records if isinstance(record, Delivery))
    assert delivery.volume_ml == WANT_ML
    assert [record.till for record in records if isinstance(record, Authorised)] == [""]
    assert [record.right for record in records if isinstance(record, PinTried)] == [False, True]
    kept = b"".join(path.read_bytes() for path in (folder / "station").rglob("*") if path.is_file())
    kept += b"".join(path.read_bytes() for path in (folder / "logs").iterdir())
    assert b"authorised" in kept, "its log is among them"
    for pin in (PIN, WRONG):
        assert pin.encode() not in kept

"""A running bench, as its own process: its window, a customer's hands and the faults, from the command line and TCP."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
import serial
from click.testing import CliRunner

from controller.pumps.azt2.frame import Answer, Reply, Request, encode_reply, encode_request
from controller.pumps.azt2.messages import Command
from sim.control import (
    ControlClient,
    ControlError,
    HangUp,
    InsertCard,
    Lift,
    PumpView,
    RemoveCard,
    Squeeze,
)
from sim.door import sim
from tests.bench.dart_pump import EOT, POLL

DEADLINE_S = 30
SILENT_S = 0.3
T = TypeVar("T")
BENCH = """
printer = "none"
reader_ports = []

[[lines]]
name = "north"

[[pumps]]
number = 3
line = "north"
address = 0x50
nozzles = [{ grade = "diesel", price = "40.00", totaliser_ml = 1000 }]

[[lines]]
name = "yard"
protocol = "two-wire"

[[pumps]]
number = 5
line = "yard"
address = 1
nozzles = [{ grade = "autogas", price = "24.35" }]

[[lines]]
name = "south"
protocol = "azt2"

[[pumps]]
number = 6
line = "south"
address = 1
nozzles = [{ grade = "diesel", price = "40.00" }]
"""
TWO_WIRE_POLL = b"\x01"
AZT_POLL = encode_request(Request(1, Command.STATUS))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where a bench runs."""
    folder = tmp_path_factory.mktemp("bench")
    (folder / "bench.toml").write_text(BENCH, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "forecourt", "sim", "bench", "--config", "bench.toml"],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.strip() == "ready":
                break
        yield folder
    finally:
        process.terminate()
        assert process.wait(DEADLINE_S) == 0
        process.stdout.close()
    assert not list((folder / "ports").iterdir()), "it takes its links and its control file away"


def forecourt(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "forecourt", "sim", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def said(folder: Path, *words: str) -> str:
    done = forecourt(folder, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def at_control(folder: Path, act: Callable[[ControlClient], Awaitable[T]]) -> T:
    async def main() -> T:
        port = int((folder / "ports" / "control").read_text(encoding="ascii").rpartition(":")[2])
        client = ControlClient(port)
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await act(client)
        finally:
            await client.close()

    return asyncio.run(main())


def test_a_fault_is_injected_into_a_running_bench_seen_on_the_wire_and_cleared(folder: Path) -> None:
    assert said(folder, "inject", "pump3", "no_response", "count=2") == "pump3 no_response count=2\n"
    with serial.Serial(str(folder / "ports" / "north")) as line:
        answers = []
        for patience_s in (SILENT_S, SILENT_S, DEADLINE_S):
            line.timeout = patience_s
            line.write(POLL)
            answers.append(line.read_until(b"\xfa"))
    assert answers == [b"", b"", EOT]
    assert said(folder, "faults") == ""

    control = (folder / "ports" / "control").read_text(encoding="ascii").strip()
    assert said(folder.parent, "inject", "3", "delay", "ms=200", "--control", control) == "pump3 delay ms=200\n"
    said(folder, "inject", "pump3", "stuck_totaliser")
    assert said(folder, "faults") == "pump3 delay ms=200\npump3 stuck_totaliser\n"
    assert said(folder, "clear", "pump3", "delay") == "pump3 stuck_totaliser\n"
    assert said(folder.parent, "clear", "--bench", str(folder)) == ""


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["inject", "pump4", "delay"], "there is no pump 4: expected one of 3, 5, 6"),
        (["inject", "pump6", "alarm", "code=0"], "alarm: code=0: pumps of this protocol report 1 to 9"),
        (["inject", "pump5", "power_cut", "forgets=2"], "power_cut: forgets=2: expected 0 to 1"),
        (["inject", "pump3", "explosion"], "'explosion' is no fault: expected one of no_response"),
        (["inject", "pump3", "delay", "ml=3"], "'ml' is no value of this fault: expected ms"),
        (["inject", "pump3", "delay", "soon"], "'soon': expected KEY=NUMBER"),
        (["inject", "third", "delay"], "'third' is no pump"),
        (["clear", "pump3", "explosion"], "'explosion' is no fault"),
        (["faults", "--control", "here"], "'here' is no control port: expected HOST:PORT"),
        (["faults", "--control", "127.0.0.1:1"], "no bench answers at 127.0.0.1:1"),
        (["faults", "--bench", ".."], "no bench runs in"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(folder: Path, words: list[str], says: str) -> None:
    done = forecourt(folder, *words)
    assert done.returncode != 0
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_two_wire_pump_shows_an_alarm_as_a_data_error(folder: Path) -> None:
    assert said(folder, "inject", "pump5", "alarm", "count=2") == "pump5 alarm count=1 code=9\n", "one has happened"
    with serial.Serial(str(folder / "ports" / "yard"), timeout=DEADLINE_S) as line:
        answers = []
        for _ in range(3):
            line.write(TWO_WIRE_POLL)
            answers.append(line.read(1))
    assert answers == [b"\x01", b"\x01", b"\x61"], "data error, data error, off"
    assert said(folder, "faults") == ""


def test_an_azt_pump_keeps_alarms_for_deliveries_that_they_can_end(folder: Path) -> None:
    kept = "pump6 alarm count=2 code=9\n"
    assert said(folder, "inject", "pump6", "alarm", "count=2") == kept
    hung = encode_reply(Reply(Answer.DATA, b"0"))
    with serial.Serial(str(folder / "ports" / "south"), timeout=DEADLINE_S) as line:
        line.write(AZT_POLL)
        assert line.read(len(hung)) == hung
    assert said(folder, "faults") == kept
    assert said(folder, "clear", "pump6", "alarm") == ""


def test_a_customers_hands_and_what_one_sees(folder: Path) -> None:
    async def story(control: ControlClient) -> list[PumpView]:
        seen = (await control.pumps())[:1]
        seen.append(await control.ask(Lift(3), PumpView))
        with pytest.raises(ControlError, match="pump 3: nozzle 1 is out: hang it up first"):
            await control.ask(Lift(3), PumpView)
        seen.append(await control.ask(Squeeze(3, 500), PumpView))
        seen.append(await control.ask(HangUp(3), PumpView))
        return seen

    before, lifted, squeezed, hung_up = at_control(folder, story)
    assert (before.line, before.protocol, before.address, before.state) == ("north", "dart", 0x50, "reset")
    assert (before.nozzle_out, lifted.nozzle_out, hung_up.nozzle_out) == (0, 1, 0)
    assert (squeezed.flowing, squeezed.volume_ml) == (False, 0), "nobody has allowed it"
    [nozzle] = before.nozzles
    assert (nozzle.grade, nozzle.price, nozzle.totaliser_ml) == ("diesel", "40.00", 1_000)


def test_hands_and_eyes_from_a_shell(folder: Path) -> None:
    runner = CliRunner()

    def done(*words: str) -> str:
        result = runner.invoke(sim, [*words, "--bench", str(folder)])
        assert result.exit_code == 0, result.output
        return result.output

    assert "pump5 two-wire  off, lamp off, nozzles in  0 ml, 0 minor\n   nozzle 1  autogas 24.35" in done("pumps")
    assert "lamp blinking, nozzle 1 out" in done("lift", "pump5")
    assert "lamp blinking" in done("squeeze", "5", "2000")
    assert "lamp off, nozzles in" in done("hang-up", "pump5")
    for words, says in (
        (("lift", "pump9"), "there is no pump 9: expected one of 3, 5, 6"),
        (("lift", "pump5", "2"), "nozzle"),
        (("insert-card", "pump5", "9001"), "pump 5 has no reader"),
        (("remove-card", "pump5"), "pump 5 has no reader"),
    ):
        result = runner.invoke(sim, [*words, "--bench", str(folder)])
        assert (result.exit_code, says in result.output) == (1, True), result.output


def test_a_card_needs_a_reader(folder: Path) -> None:
    async def story(control: ControlClient) -> None:
        for ask in (InsertCard(3, "9001000000000101"), RemoveCard(3)):
            with pytest.raises(ControlError, match=r"pump 3 has no reader: give it a port in reader_ports"):
                await control.ask(ask, PumpView)

    at_control(folder, story)


def test_several_who_ask_at_once_get_their_own_answers(folder: Path) -> None:
    async def story(control: ControlClient) -> tuple[object, ...]:
        late = asyncio.ensure_future(control.street())
        await asyncio.sleep(0)
        late.cancel()  # its answer must not become the next one's
        await asyncio.gather(late, return_exceptions=True)
        return await asyncio.gather(control.totals(), control.street(), control.faults(), control.totals())

    totals, street, faults, again = at_control(folder, story)
    assert totals == again
    assert (street, faults) == ([], [])


def test_a_line_that_is_no_question_is_answered_with_the_words(folder: Path) -> None:
    async def story(control: ControlClient) -> bytes:
        return await control._say(b'{"ask": "weather"}')

    assert b"one of totals, street, pumps, faults, inject" in at_control(folder, story)


def test_the_bench_opens_no_real_port_without_being_told(tmp_path: Path) -> None:
    text = BENCH.replace('name = "north"', 'name = "north"\ntransport = "serial"\nport = "/dev/ttyUSB9"')
    (tmp_path / "bench.toml").write_text(text, encoding="utf-8")

    refused = forecourt(tmp_path, "bench", "--config", "bench.toml")
    assert refused.returncode == 1
    assert "bench.toml: lines[0].transport: this opens the real device /dev/ttyUSB9" in refused.stderr

    missing = forecourt(tmp_path, "bench", "--config", "bench.toml", "--real-port")
    assert missing.returncode == 1
    assert "line north: port /dev/ttyUSB9 cannot be opened" in missing.stderr
    assert "Traceback" not in missing.stderr

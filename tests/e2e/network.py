"""A network of fuel cards and one station of it, as an operator runs them: every step is a command of `forecourt`.

A card office, a headquarters, a bench with pumps, and a station whose reader is real PC/SC. The private pcscd has two
virtual readers: one stands at fuelling point 1, the other on the card office's desk. Cards are processes too.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import msgspec
from click.testing import CliRunner

from forecourt import main
from sim.cards.state import ValueFile, load
from tests.cards.pcscd import PrivatePcscd

DEADLINE_S = 60  # far beyond what any step takes; only a failing test waits for it
POLL_S = 0.1  # each look costs the processor some of the time that the station needs too
PUMP_READER, DESK_READER = "Virtual PCD 00 00", "Virtual PCD 00 01"
PASSPHRASE = "correct horse battery staple"
STATION_NUMBER = 4711
STATION_TOML = "station/station.toml"
LOADED = 100_000
"""In the purse of each card, in kurus."""
FILL_MINOR = 20_000
"""The most that a fill may cost, by what headquarters signs."""

TRUCK = f"""\
product_set = "truck"
currency = "TRY"
sequence = 1
valid_from = 2020-01-01
valid_until = 2060-12-31

[fill]
amount_minor = {FILL_MINOR}
"""

RIGHTS = ("--entitlement", "truck.toml")
CARDS_TABLE = f"""\
[cards]
aid = "F50401"
system = "forecourt"
station_number = {STATION_NUMBER}
purse = true
product_sets = {{ truck = ["diesel"] }}

[[readers]]
point = 1
kind = "pcsc"
name = "{PUMP_READER}"
"""


class Network:
    """All of it in `folder`. `close()` ends what was started, whatever state it is in."""

    def __init__(self, folder: Path, pcscd: PrivatePcscd) -> None:
        self.folder = folder
        self._pcscd = pcscd
        self._environment = {
            **pcscd.environment,
            "FORECOURT_CARD_PASSPHRASE": PASSPHRASE,
            "PYTHONUNBUFFERED": "1",
        }
        self._running: list[subprocess.Popen[str]] = []
        self._station_url = ""
        self._counted_ml = 0
        """What pump 1 has given by its second nozzle."""

    # ---- commands

    def forecourt(self, *words: str | Path, fails: bool = False) -> str:
        """A command as a process of its own, to its end; what it said."""
        return self._ended(words, self._begun(words), fails=fails)

    def together(self, *commands: tuple[str | Path, ...]) -> None:
        """Commands side by side, each a process."""
        begun = [(words, self._begun(words)) for words in commands]
        for words, process in begun:
            self._ended(words, process, fails=False)

    def quickly(self, *words: str | Path) -> str:
        """The same command without a start of Python: for what is asked again and again."""
        with contextlib.chdir(self.folder):
            done = CliRunner().invoke(main, [str(word) for word in words])
        assert done.exit_code == 0, f"{words}: {done.output}"
        return done.output

    def _begun(self, words: tuple[str | Path, ...]) -> subprocess.Popen[str]:
        return self._started(words, subprocess.STDOUT)

    def _started(self, words: tuple[str | Path, ...], errors: int | IO[str]) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "forecourt", *map(str, words)],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        self._running.append(process)
        return process

    def _ended(self, words: tuple[str | Path, ...], process: subprocess.Popen[str], *, fails: bool) -> str:
        said, _ = process.communicate(timeout=DEADLINE_S)
        self._running.remove(process)
        assert process.returncode == int(fails), f"{words}: {said}"
        assert "Traceback" not in said, said
        return said

    def _serving(self, *words: str | Path, ready: str) -> str:
        """A command that runs on; the line with which it said that it is ready."""
        path = self.folder / f"{words[0]}.log"
        with path.open("w") as log:
            process = self._started(words, log)
        return _heard(process, ready, path)

    # ---- setting up

    def set_up(self, number: str, card: Path) -> None:
        """The office, headquarters, the station and the bench; and a card of this number, issued and loaded."""
        self.together(
            ("keys", "init", "office", "--issuer", "ACME", "--scheme", "FLT1", "--purse", "money_minor"),
            ("station", "init", "station", "--simulated"),
            ("hq", "init", "hq", "--simulated"),
        )
        (self.folder / "truck.toml").write_text(TRUCK)
        (self.folder / "bench.toml").write_text('flow_ml_per_s = 4000\nreader_ports = []\nprinter = "none"\n')
        self._change("hq/hq.toml", ("port = 8480", "port = 0"))
        self.together(
            ("keys", "export-station", "station", "--office", "office", "--with-debit", "--replace"),
            ("hq", "enrol", "--config", "hq/hq.toml", "TR-0001", "station/keys/station.pub"),
        )
        self._serving("sim", "bench", ready="ready")
        headquarters = self._serving("hq", "serve", "--config", "hq/hq.toml", ready="http://")
        self._change(
            STATION_TOML,
            ("port = 7733", "port = 0"),
            ('port = "/dev/ttyUSB0"', 'port = "../ports/east"'),
            ("# [headquarters]", f'[headquarters]\nurl = "{_url_in(headquarters)}"\n#'),
        )
        with (self.folder / "station" / "station.toml").open("a") as toml:
            toml.write(CARDS_TABLE)
        self.send_list({number: "active"})
        self.forecourt("sim", "card", card, "--new")
        with self.on_desk(card):
            self.desk("issue", "--card-number", number, *RIGHTS)
            self.desk("load", "--card-number", number, "--amount", str(LOADED))
        run = ("station", "run", "--config", STATION_TOML, "--simulation")
        self._station_url = _url_in(self._serving(*run, ready="ready at"))
        self.shows(" 1 idle")

    def _change(self, name: str, *changes: tuple[str, str]) -> None:
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        for old, new in changes:
            assert text.count(old) == 1, f"{name} has not one {old!r}"
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")

    def desk(self, *words: str) -> str:
        """`forecourt card WORDS` with whatever lies on the desk's reader."""
        return self.forecourt("card", *words, "--office", "office", "--reader", DESK_READER)

    def send_list(self, status_by_number: dict[str, str]) -> None:
        """The station gets a list of these cards."""
        rows = [f"{number},ACME,{status},diesel,card_purse" for number, status in status_by_number.items()]
        (self.folder / "cards.csv").write_text("\n".join(["card,account,status,products,funds", *rows]) + "\n")
        self.forecourt("whitelist", "import", "--config", STATION_TOML, "cards.csv")

    # ---- cards in readers

    @contextlib.contextmanager
    def on_desk(self, path: Path) -> Iterator[None]:
        with self._in_reader(path, 1):
            yield

    @contextlib.contextmanager
    def at_pump(self, path: Path) -> Iterator[None]:
        """The card lies on the pump's reader as long as the block runs."""
        with self._in_reader(path, 0):
            yield

    @contextlib.contextmanager
    def _in_reader(self, path: Path, slot: int) -> Iterator[None]:
        process = self._card(path, slot)
        try:
            yield
        finally:
            process.terminate()
            assert process.stdout is not None
            said = process.stdout.read()  # not communicate(), which knows nothing of what is in the buffer already
            process.wait(DEADLINE_S)
            _close(process)
            self._running.remove(process)
            self._pcscd.wait_for_removal()
        assert said.endswith("is taken away\n"), said

    def torn_at_pump(self, path: Path, tear: str) -> subprocess.Popen[str]:
        """The card comes to the pump's reader, and is torn out of it by plan."""
        return self._card(path, 0, "--tear", tear)

    def is_torn(self, card: subprocess.Popen[str]) -> None:
        """Waits until it is, and the service has seen it."""
        _heard(card, "is torn out of the reader")
        assert card.wait(DEADLINE_S) == 0
        _close(card)
        self._running.remove(card)
        self._pcscd.wait_for_removal()

    def _card(self, path: Path, slot: int, *words: str) -> subprocess.Popen[str]:
        process = self._begun(("sim", "card", path, "--vpcd", str(self._pcscd.port + slot), *words))
        _heard(process, "is in the reader at")
        return process

    # ---- at the pump

    def lifts(self) -> None:
        self.quickly("sim", "lift", "1", "2")

    def fills(self, volume_ml: int) -> None:
        """The customer takes so much as soon as the pump is let go, and hangs up."""
        self.quickly("sim", "squeeze", "1", str(volume_ml))
        self.is_filled(volume_ml)
        self.hangs_up()

    def hangs_up(self) -> None:
        self.quickly("sim", "hang-up", "1")

    def is_filled(self, volume_ml: int) -> None:
        """Waits until so much more has run through the nozzle: its display may still show the customer before."""
        self._counted_ml += volume_ml

        def filled() -> bool:
            display, _, nozzle, *_ = self.quickly("sim", "pumps").splitlines()
            return f"counters {self._counted_ml} ml," in nozzle and "fuel runs" not in display

        self.wait_until(filled)

    def shows(self, *wanted: str) -> str:
        """What `pump list` says as soon as all of this stands there."""
        return self._shown(lambda text: all(word in text for word in wanted))

    def shows_no(self, *unwanted: str) -> str:
        """What `pump list` says as soon as none of this stands there."""
        return self._shown(lambda text: not any(word in text for word in unwanted))

    def _shown(self, met: Callable[[str], bool]) -> str:
        words = ("pump", "list", "--station", self._station_url, "--token-file", "station/keys/till-1.token")
        text = ""

        def asked() -> bool:
            nonlocal text
            text = self.quickly(*words)
            return met(text)

        self._until(asked, lambda: text)
        return text

    def _until(self, met: Callable[[], bool], said: Callable[[], str] = str) -> None:
        until = time.monotonic() + DEADLINE_S
        while not met():
            logs = "".join(path.read_text(errors="replace")[-2_000:] for path in self.folder.glob("*.log"))
            assert time.monotonic() < until, f"never; it says: {said()}\n{logs}"
            time.sleep(POLL_S)

    # ---- afterwards

    def synced(self) -> bool:
        """Whether headquarters has every row."""
        said = self.quickly("hq", "totals", "--config", "hq/hq.toml", "TR-0001")
        return msgspec.json.decode(said, type=_Totals).rows == len(self.rows())

    def check_cards(self, *, fails: bool = False) -> str:
        words = ("hq", "check-cards", "--config", "hq/hq.toml", "--office", "office")
        return self.forecourt(*words, "--list-key", "station/keys/list.key", fails=fails)

    def rows(self) -> list[Row]:
        """The journal's rows, as `forecourt journal show` prints them."""
        said = self.quickly("journal", "show", "--config", STATION_TOML)
        return [msgspec.json.decode(line, type=Row) for line in said.splitlines()]

    def wait_until(self, met: Callable[[], bool]) -> None:
        self._until(met)

    def close(self) -> None:
        for process in self._running:
            if process.poll() is None:
                process.kill()
                process.wait()
            _close(process)
        self._running.clear()


class _Totals(msgspec.Struct):
    rows: int


class Row(msgspec.Struct):
    """What a row shows, as far as it is looked at here."""

    kind: str
    point: int = 0
    reason: str = ""
    fate: str = ""
    maximum: int = 0
    amount: int = 0
    amount_minor: int = 0
    volume_ml: int = 0


def purse_of(path: Path) -> int:
    """What is in the purse of a card that lies in no reader."""
    (application,) = load(path).applications
    (purse,) = (file for file in application.files.values() if isinstance(file, ValueFile))
    return purse.value


def _url_in(line: str) -> str:
    found = re.search(r"http://[\d.:]+", line)
    assert found, line
    return found[0]


def _heard(process: subprocess.Popen[str], word: str, log: Path | None = None) -> str:
    """The line with that word, when it comes. `log`: where it complains."""
    assert process.stdout is not None
    said = ""
    too_long = threading.Timer(DEADLINE_S, process.kill)  # a test that waits for ever says nothing
    too_long.start()
    try:
        for line in process.stdout:
            said += line
            if word in line:
                return line
    finally:
        too_long.cancel()
    said += "" if log is None else log.read_text(errors="replace")
    raise AssertionError(f"it ended with code {process.wait(DEADLINE_S)} and never said {word!r}: {said}")


def _close(process: subprocess.Popen[str]) -> None:
    if process.stdout is not None:
        process.stdout.close()

"""Behind a demonstration: headquarters, bench and station as processes of their own, in a folder of their own.

Each is the very command that a person would start. Knows no screen.
"""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from controller.install import install
from controller.machine import MachineClock
from sim.chance import Chance
from sim.club import with_members, with_programmes
from sim.held_ports import HeldPorts
from sim.site import CARD_MASTER_BYTES, LINES, PLACES, STATION_ID, list_csv, station_toml

TILL = "till-1"
READY_WAIT_S = 60
"""A small machine that does other things too starts all of it slowly; only what hangs takes so long."""
END_WAIT_S = 30
LOGS = "logs"


class BackstageError(Exception):
    """A process did not start; the text says which, and what it said."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the demonstration's programs listen."""

    api: int
    headquarters: int
    control: int
    readers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cast:
    """What the demonstration shall be: customers by `seed`, `served` of them (0: without end)."""

    seed: int
    tempo: str
    served: int
    questions: bool
    flow_ml_per_s: int


class Backstage:
    """Starts everything, and ends what it started. Use it in a `with` statement."""

    def __init__(self, folder: Path, cast: Cast) -> None:
        self.folder = folder
        self.station_folder = folder / "station"
        self._cast = cast
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self.held_ports = HeldPorts()
        one = self.held_ports.one
        self.ports = Ports(one(), one(), one(), tuple(one() for _ in PLACES))
        self.read_token = secrets.token_hex(16)

    @property
    def station_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.api}"

    @property
    def headquarters_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.headquarters}"

    def till_token(self) -> str:
        return (self.station_folder / "keys" / f"{TILL}.token").read_text(encoding="ascii").strip()

    def __enter__(self) -> "Backstage":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def start(self) -> None:
        """Set everything up and start it; returns when all of it is ready. BackstageError says what is not."""
        self._write_files()
        self._spawn("bench", "sim", "bench", "--config", "bench.toml", "--verbose")
        self._run_together(
            ("whitelist", "import", "--config", "station/station.toml", "cards.csv"),
            ("hq", "enrol", "--config", "hq/hq.toml", STATION_ID, "station/keys/station.pub"),
        )
        self._spawn("headquarters", "hq", "serve", "--config", "hq/hq.toml")
        self._await_ready("bench")
        self.start_station()
        self._await_ready("headquarters")

    def start_station(self) -> None:
        """Start the controller (again)."""
        self._spawn("station", "station", "run", "--config", "station/station.toml", "--simulation")
        self._await_ready("station")

    def kill_station(self) -> None:
        """kill -9."""
        process = self._processes.pop("station")
        process.kill()
        process.wait(END_WAIT_S)
        _close(process)

    def end_station(self) -> int:
        """SIGTERM; returns the exit code."""
        return self._end_one("station")

    def end_all(self) -> dict[str, int]:
        """SIGTERM to each, the station first; returns the exit codes by name."""
        return {name: self._end_one(name) for name in ("station", "headquarters", "bench")}

    def _end_one(self, name: str) -> int:
        process = self._processes[name]  # it stays there until it has ended: who does not is ended by force
        process.send_signal(signal.SIGTERM)
        code = process.wait(END_WAIT_S)
        del self._processes[name]
        _close(process)
        return code

    def end(self) -> None:
        """End whatever runs: in order first, by force what does not. It cannot be started again after that."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(END_WAIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(END_WAIT_S)
            _close(process)
        self._processes.clear()
        self.held_ports.close()

    def log_of(self, name: str) -> str:
        """The last lines that a process wrote."""
        with contextlib.suppress(FileNotFoundError):
            return "\n".join((self.folder / LOGS / f"{name}.log").read_text(errors="replace").splitlines()[-15:])
        return ""

    # ---- inside

    def _write_files(self) -> None:
        ports, cast, now_ms = self.ports, self._cast, MachineClock().now().wall_ms
        toml = with_programmes(
            station_toml(
                line_ports={line: f"../ports/{line}" for line in LINES},
                reader_ports={
                    place.number: f"127.0.0.1:{port}" for place, port in zip(PLACES, ports.readers, strict=True)
                },
                printer_port="../ports/printer",
                api_port=ports.api,
                headquarters=self.headquarters_url,
            )
        )
        card_key = Chance(cast.seed, "card key").random_bytes(CARD_MASTER_BYTES)
        (self.folder / LOGS).mkdir(parents=True)
        install(self.station_folder, toml, secrets.token_bytes, tills=(TILL, "till-2"), card_key=card_key)
        (self.folder / "cards.csv").write_text(with_members(list_csv(), now_ms), encoding="utf-8")
        (self.folder / "hq").mkdir()
        (self.folder / "hq" / "hq.toml").write_text(
            "simulated = true\n"
            'database = "hq.db"\n'
            f"[listen]\nport = {ports.headquarters}\n"
            f'[tokens]\nread = "{self.read_token}"\nadmin = "{secrets.token_hex(16)}"\n',
            encoding="utf-8",
        )
        (self.folder / "bench.toml").write_text(
            f"seed = {cast.seed}\n"
            f"control_port = {ports.control}\n"
            'card_keys = "station/keys/cards.json"\n'
            f"reader_ports = [{', '.join(map(str, ports.readers))}]\n"
            f"flow_ml_per_s = {cast.flow_ml_per_s}\n"
            "[customers]\n"
            f'tempo = "{cast.tempo}"\n'
            f"served = {cast.served}\n"
            f"questions = {str(cast.questions).lower()}\n"
            f"plates = {str(cast.questions).lower()}\n",
            encoding="utf-8",
        )

    def _command(self, words: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "forecourt", *words]

    def _spawn(self, name: str, *words: str) -> None:
        with open(self.folder / LOGS / f"{name}.log", "ab") as log:
            self._processes[name] = subprocess.Popen(
                self._command(words),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                # Ctrl-C in a terminal goes to the foreground group: these end when they are told to.
                start_new_session=True,
            )

    def _run_together(self, *commands: tuple[str, ...]) -> None:
        """Commands that end by themselves, side by side."""
        running = [
            subprocess.Popen(
                self._command(words), cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
            )
            for words in commands
        ]
        complaints = []
        for words, process in zip(commands, running, strict=True):
            try:
                _, said = process.communicate(timeout=READY_WAIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                _, said = process.communicate()
                said = f"it did not end within {READY_WAIT_S} s\n{said}"
            if process.returncode:
                complaints.append(f"forecourt {' '.join(words)}: {said.strip()}")
        if complaints:
            raise BackstageError("\n".join(complaints))

    def _await_ready(self, name: str) -> None:
        """Read the process's lines until it says that it is ready; one that never does is killed."""
        process = self._processes[name]
        assert process.stdout is not None
        too_long = threading.Timer(READY_WAIT_S, process.kill)
        too_long.daemon = True
        too_long.start()
        try:
            for line in process.stdout:
                if line.strip() == "ready" or " ready at " in line:
                    return
        finally:
            too_long.cancel()
        code = process.wait(END_WAIT_S)
        hung = code == -signal.SIGKILL
        why = f"was not ready within {READY_WAIT_S} s" if hung else f"ended with code {code}"
        raise BackstageError(f"the {name} {why}:\n{self.log_of(name)}")


def _close(process: "subprocess.Popen[str]") -> None:
    if process.stdout is not None:
        process.stdout.close()

"""A real pcscd of the test's own: its socket, its reader configuration, its virtual reader, ended by its pid.

pcscd has one fixed directory for its socket, so each daemon lives in a mount namespace with a directory of its own.
A holder process keeps the namespace while daemons come and go; clients reach the socket through the holder's /proc.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from pathlib import Path

from sim.held_ports import HeldPorts

READY_S = 60.0
DRIVER = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
SLOTS = 2  # readers, of an entry in the configuration: the driver opens two neighbouring ports
MOST_READERS = 16  # of one pcscd: it leaves out what comes after, without a word to its clients
READER = "Virtual PCD 00 00"

# A card that is there before the daemon first looks is powered and never called inserted.
_CAME = ("Card inserted", "Card ATR")

_NEEDED = {
    "pcscd": "pcscd",
    "opensc-tool": "opensc",
    "unshare": "util-linux",
    "nsenter": "util-linux",
}


def check_installed() -> None:
    """Raises RuntimeError that says what to install. Never a skip: this path is what stations run."""
    missing = {package for program, package in _NEEDED.items() if shutil.which(program) is None}
    if not DRIVER.exists():
        missing.add("vsmartcard-vpcd")
    if missing:
        packages = " ".join(sorted(missing))
        raise RuntimeError(
            f"the PC/SC tests need the real stack: apt-get install -y --no-install-recommends {packages}"
        )


class PrivatePcscd:
    """`start()`, `kill()`, `start()` again; `close()` at the end. `port` is where the virtual card connects.

    `ports` is where it connects to each reader, by the reader's name. Raises ValueError for an odd or too great number.
    """

    def __init__(self, folder: Path, readers: int = SLOTS) -> None:
        if readers not in range(SLOTS, MOST_READERS + 1, SLOTS):
            raise ValueError(f"{readers} readers: expected an even number up to {MOST_READERS}")
        check_installed()
        self._held_ports = HeldPorts()
        firsts = [self._held_ports.neighbours(SLOTS) for _ in range(readers // SLOTS)]
        self.port = firsts[0]
        self.ports: dict[str, int] = {}
        self.log: list[str] = []
        self._grown = threading.Condition()
        self._began = 0  # where in the log the present daemon's lines begin
        self._config = folder / "reader.conf.d"
        self._config.mkdir()
        for number, port in enumerate(firsts):
            name, driver = "Virtual PCD", DRIVER
            if len(firsts) > 1:
                name = f"{name} {number}"
                # it keeps its cards by slot alone: entries that share one driver give out each other's cards
                driver = Path(shutil.copy(DRIVER, folder / f"{number}-{DRIVER.name}"))
            (self._config / f"vpcd-{number}").write_text(
                f'FRIENDLYNAME "{name}"\nDEVICENAME /dev/null:0x{port:X}\nLIBPATH {driver}\nCHANNELID 0x{port:X}\n'
            )
            self.ports |= {f"{name} 00 {slot:02}": port + slot for slot in range(SLOTS)}
        as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
        script = "mkdir -p /run/pcscd && mount -t tmpfs tmpfs /run/pcscd && echo mounted && exec cat"
        self._holder = subprocess.Popen(
            ["unshare", *as_root, "--mount", "bash", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline().strip() != "mounted":
            self.close()
            raise RuntimeError("no private mount namespace could be made: run the PC/SC tests as root")
        self._daemon: subprocess.Popen[str] | None = None
        self._drain: threading.Thread | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What a client of this daemon needs in its environment."""
        return {**os.environ, "PCSCLITE_CSOCK_NAME": f"/proc/{self._holder.pid}/root/run/pcscd/pcscd.comm"}

    def start(self) -> None:
        """Starts the daemon and waits until it says that it is ready."""
        self._began = len(self.log)
        ready = threading.Event()
        as_root = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        command = ["nsenter", "--target", str(self._holder.pid), "--mount", *as_root]
        self._daemon = subprocess.Popen(
            [*command, "pcscd", "--foreground", "--info", "--config", str(self._config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._drain = threading.Thread(target=self._read_log, args=(self._daemon, ready))
        self._drain.start()
        if not ready.wait(READY_S) or self._daemon.poll() is not None:
            raise RuntimeError("pcscd did not start:\n" + "\n".join(self.log[-20:]))

    def wait_for_card(self) -> None:
        """Until this daemon has seen a card, for which it needs some hundred milliseconds."""
        with self._grown:
            if not self._grown.wait_for(lambda: self._last(*_CAME) >= 0, READY_S):
                raise RuntimeError("pcscd saw no card:\n" + "\n".join(self.log[-20:]))

    def wait_for_removal(self, reader: str | None = None) -> None:
        """Until this daemon has seen that its cards are gone: what comes sooner, it takes for the same card.

        With a reader's name only of that one; its card must have come after the daemon.
        """
        came: tuple[str, ...] = _CAME
        went = "Card Removed"
        if reader is not None:
            came, went = (f"Card inserted into {reader}",), f"Card Removed From {reader}"
        with self._grown:
            if not self._grown.wait_for(lambda: self._last(went) >= self._last(*came), READY_S):
                raise RuntimeError("pcscd saw no card go:\n" + "\n".join(self.log[-20:]))

    def _last(self, *words: str) -> int:
        """Where this daemon's log last has one of the words; -1: nowhere."""
        log = self.log[self._began :]
        return max((at for at, line in enumerate(log) if any(word in line for word in words)), default=-1)

    def kill(self) -> None:
        """Kills the daemon, as a crash would."""
        if self._daemon is not None and self._drain is not None:
            self._daemon.kill()
            self._daemon.wait()
            self._drain.join()
            assert self._daemon.stdout is not None
            self._daemon.stdout.close()
            self._daemon = None

    def close(self) -> None:
        """Ends everything that was started here."""
        if getattr(self, "_daemon", None) is not None:
            self.kill()
        assert self._holder.stdin is not None
        assert self._holder.stdout is not None
        self._holder.stdin.close()
        self._holder.wait()
        self._holder.stdout.close()
        self._held_ports.close()

    def _read_log(self, daemon: subprocess.Popen[str], ready: threading.Event) -> None:
        assert daemon.stdout is not None
        for line in daemon.stdout:
            with self._grown:
                self.log.append(line.rstrip())
                self._grown.notify_all()
            if "daemon ready" in line:
                ready.set()
        ready.set()  # it ended; start() looks which

"""A bench in a process of its own, before a program that shares nothing with it but the wire: bytes, and JSON lines.

Nothing of the product is imported here, so that an error that both ends share shows.
"""

import contextlib
import json
import socket
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import serial

TRANSPORTS = ("pty", "tcp", "rfc2217")
ANSWER_S = 30.0
"""Far more than any answer takes; what stays silent is asked by `silent`."""
END_S = 30
POLLS_MAX = 400
"""Far more than any of these stories takes."""


class Window:
    """The bench's control port: what a customer's hands do, and what is to be seen of a pump."""

    def __init__(self, where: str) -> None:
        host, _, port = where.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), ANSWER_S)
        self._lines = self._socket.makefile("r", encoding="utf-8")

    def ask(self, what: str, **more: int) -> Any:
        self._socket.sendall(json.dumps({"ask": what, **more}).encode() + b"\n")
        answer = json.loads(self._lines.readline())
        assert not (isinstance(answer, dict) and "error" in answer), answer
        return answer

    def pump(self, number: int) -> Any:
        return next(view for view in self.ask("pumps") if view["pump"] == number)

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


@dataclass
class Bench:
    """A running bench: where each line is, as a program opens it, and a window on its pumps."""

    window: Window
    lines: dict[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def bench(folder: Path, toml: str) -> Iterator[Bench]:
    """`forecourt sim bench` on this file, until the block ends; it must end in order."""
    (folder / "bench.toml").write_text(toml, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "forecourt", "sim", "bench", "--config", "bench.toml"],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        said = []
        while (line := process.stdout.readline()) != "ready\n":
            assert line, "the bench has ended"
            said.append(line.split())
        window = Window(next(words[1] for words in said if words[0] == "control"))
        yield Bench(window, {words[1]: words[2] for words in said if words[0] == "line"})
        window.close()
    finally:
        process.terminate()
        code = process.wait(END_S)
        process.stdout.close()
    assert code == 0


class Wire:
    """One line, as any program would open it. `framing`: bits, parity and stop bits, which a pty does not have."""

    def __init__(self, where: str, baud: int, framing: tuple[int, str, int]) -> None:
        bits, parity, stop = (8, "N", 1) if where.startswith("/dev/") else framing
        with warnings.catch_warnings():
            # pyserial starts its thread in the old way: setDaemon, setName.
            warnings.filterwarnings("ignore", "set(Daemon|Name)", DeprecationWarning)
            self.port = serial.serial_for_url(
                where, baud, bytesize=bits, parity=parity, stopbits=stop, timeout=ANSWER_S
            )

    def say(self, data: bytes) -> None:
        self.port.write(data)

    def hear(self, count: int) -> bytes:
        """So many bytes, and no fewer."""
        heard: bytes = self.port.read(count)
        assert len(heard) == count, f"{count} bytes were to come, and these came: {heard.hex(' ')}"
        return heard

    def hear_to(self, last: bytes, more: int = 0) -> bytes:
        """Up to these bytes, and so many behind them."""
        heard = bytearray()
        while not heard.endswith(last):
            heard += self.hear(1)
        return bytes(heard + self.hear(more)) if more else bytes(heard)

    def silent(self, seconds: float) -> None:
        """Nothing comes for so long."""
        self.port.timeout = seconds
        assert self.port.read(1) == b""
        self.port.timeout = ANSWER_S

    def close(self) -> None:
        self.port.close()

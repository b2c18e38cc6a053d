"""Simulated pumps in a process of their own, on pseudo terminals that are as slow as the wire.

Every byte in both directions takes its time: a frame counts as heard when its last byte would have come, and the
pump's answer comes back byte by byte. The process writes down all that passed, so that gaps and rounds can be
measured where the pumps are; CLOCK_MONOTONIC is the same for all processes.

A blocking loop over select(), which waits in microseconds: an event loop would round each wait up to milliseconds.
"""

import heapq
import multiprocessing
import os
import select
import time
import tty
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType

from controller.domain.quantities import CURRENCIES, UnitPrice
from controller.pumps.core import LineSettings
from controller.pumps.dart.frame import split
from controller.pumps.dart.pump import DartSettings
from sim.pumps.dart import REPLY_LATENCY_US, DartTwin
from sim.pumps.head import HeadNozzle, PumpHead

CURRENCY = CURRENCIES["TRY"]
PRICE = UnitPrice(4379, 2)
ADDRESS_FIRST = 0x50
READ_BYTES = 4_096
NS_PER_US = 1_000
US_PER_S = 1_000_000
STOP_S = 10


@dataclass(frozen=True, slots=True)
class Passed:
    """One frame on the wire: who spoke, when its first byte left and its last one had come."""

    line: int
    by_pump: bool
    begin_us: int
    end_us: int
    data: bytes


def settings_of(index: int) -> DartSettings:
    """The pump at this place of a line, counted from 0, as both ends know it."""
    return DartSettings(address=ADDRESS_FIRST + index, currency=CURRENCY, display_hold_ms=100)


def now_us() -> int:
    return time.monotonic_ns() // NS_PER_US


class PumpProcess:
    """The process, from the controller's side. `paths`: what to open, line by line."""

    def __init__(self, lines: int, pumps: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, lines, pumps), daemon=True)
        self._process.start()
        other.close()
        self.paths: list[str] = self._pipe.recv()
        self.late_us: list[int] = []
        """How late this process did what was due, until `passed` was asked: what the machine itself adds."""

    def __enter__(self) -> "PumpProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipe.close()
        self._process.join(STOP_S)

    def lift(self, line: int, index: int) -> None:
        self._pipe.send(("lift", line, index))

    def squeeze(self, line: int, index: int) -> None:
        """Hold the trigger for as long as the pump allows it."""
        self._pipe.send(("squeeze", line, index))

    def hang_up(self, line: int, index: int) -> None:
        self._pipe.send(("hang_up", line, index))

    def passed(self) -> list[Passed]:
        """All that went over the wires since the last call, in order of its beginning."""
        self._pipe.send(("passed", 0, 0))
        found: tuple[list[Passed], list[int]] = self._pipe.recv()
        frames, self.late_us = found
        return sorted(frames, key=lambda frame: frame.begin_us)


class _Line:
    """One pseudo terminal and its pumps."""

    def __init__(self, number: int, pumps: int, at: Callable[[int, Callable[[], None]], None]) -> None:
        self.number = number
        self.log: list[Passed] = []
        self.twins: list[DartTwin] = [
            DartTwin(PumpHead([HeadNozzle("diesel", PRICE)], CURRENCY), settings_of(index)) for index in range(pumps)
        ]
        self._settings = LineSettings()
        self._at = at
        self._free_us = 0
        self.fd, self._other = os.openpty()
        tty.setraw(self._other)
        self.path = os.ttyname(self._other)

    def readable(self) -> None:
        data = os.read(self.fd, READ_BYTES)
        for piece in split(data):
            # The port takes all at once and sends it byte by byte, behind what it still has.
            begin_us = max(now_us(), self._free_us)
            self._free_us = end_us = begin_us + self._settings.wire_us(len(piece))
            self.log.append(Passed(self.number, False, begin_us, end_us, piece))
            self._at(end_us, lambda piece=piece, end_us=end_us: self._heard(piece, end_us))  # type: ignore[misc]

    def _heard(self, data: bytes, at_us: int) -> None:
        twin = next((twin for twin in self.twins if twin.hears(data)), None)
        answer = twin.receive(data, at_us) if twin is not None else b""
        if twin is None or not answer:
            return
        begin_us = at_us + twin.reply_latency_us
        self.log.append(Passed(self.number, True, begin_us, begin_us + self._settings.wire_us(len(answer)), answer))
        for index in range(len(answer)):
            byte = answer[index : index + 1]
            self._at(begin_us + self._settings.wire_us(index + 1), lambda byte=byte: self._say(byte))  # type: ignore[misc]

    def _say(self, byte: bytes) -> None:
        os.write(self.fd, byte)


class _Pumps:
    """The loop of the process: what is due, what was heard, what the bench's customers do."""

    def __init__(self, pipe: Connection, lines: int, pumps: int) -> None:
        self._pipe = pipe
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0
        self._late_us: list[int] = []
        self._lines = [_Line(number, pumps, self._at) for number in range(lines)]
        pipe.send([line.path for line in self._lines])

    def _at(self, at_us: int, call: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._due, (at_us, self._order, call))

    def run(self) -> None:
        by_fd = {line.fd: line for line in self._lines}
        while True:
            wait_s = max(0, self._due[0][0] - now_us()) / US_PER_S if self._due else None
            ready, _, _ = select.select([*by_fd, self._pipe.fileno()], [], [], wait_s)
            while self._due and self._due[0][0] <= now_us():
                due_us, _, call = heapq.heappop(self._due)
                self._late_us.append(now_us() - due_us)
                call()
            for source in ready:
                if source in by_fd:
                    by_fd[source].readable()
                elif not self._told():
                    return

    def _told(self) -> bool:
        """Do what the bench says; False when it has gone."""
        try:
            what, line, index = self._pipe.recv()
        except EOFError:
            return False
        head = self._lines[line].twins[index].head
        match what:
            case "lift":
                head.lift(1, now_us())
            case "squeeze":
                head.squeeze(1_000_000_000, now_us())
            case "hang_up":
                head.hang_up(now_us())
            case "passed":
                self._pipe.send(([frame for each in self._lines for frame in each.log], self._late_us))
                self._late_us = []
                for each in self._lines:
                    each.log.clear()
        return True


def _serve(pipe: Connection, lines: int, pumps: int) -> None:
    _Pumps(pipe, lines, pumps).run()


# --- what the wire alone would take -----------------------------------------------------------------------------


def wire_us(*sizes: int) -> int:
    """How long so many bytes take."""
    return sum(LineSettings().wire_us(size) for size in sizes)


def latency_us() -> int:
    """What a simulated pump waits before it answers."""
    return REPLY_LATENCY_US


def gaps_us(frames: Sequence[Passed]) -> dict[str, list[int]]:
    """The silences that the controller kept, measured at the pumps: before polls and orders, before
    acknowledgements, and between an acknowledgement and what followed it to another pump."""
    found: dict[str, list[int]] = {"own": [], "ack": [], "follow": []}
    last: dict[int, Passed] = {}
    for frame in frames:
        before = last.get(frame.line)
        last[frame.line] = frame
        if before is None or frame.by_pump:
            continue
        silence_us = frame.begin_us - before.end_us
        if is_ack(frame.data):
            found["ack"].append(silence_us)
        elif is_ack(before.data) and not before.by_pump and before.data[0] != frame.data[0]:
            found["follow"].append(silence_us)
        else:
            found["own"].append(silence_us)
    return found


def is_ack(data: bytes) -> bool:
    """Whether this frame is an acknowledgement."""
    return data[1] & 0xF0 == 0xC0

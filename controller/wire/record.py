"""The file of a recording: lines of JSON, a heading and then one frame a line. Written whole lines only.

    {"wire":1,"protocol":"dart","source":"/dev/ttyUSB0","started_ms":1790000000000}
    {"direction":"to-pump","address":81,"kind":"poll","crc":"none","hex":"51 20 fa","transactions":[],...,"at_us":0}

Knows no port, no clock and no network.
"""

from collections.abc import Iterable
from typing import BinaryIO, TypeVar

import msgspec

from controller.wire.decode import BadHex, Heard, from_hex

_Line = TypeVar("_Line", bound=msgspec.Struct)
FORMAT = 1
LINE_BYTES_MAX = 100_000
"""A frame has some hundred bytes: a longer line is of another file."""


class BadRecording(Exception):
    """A file that is no recording, or a damaged one; names the line."""


class Heading(msgspec.Struct, frozen=True, kw_only=True):
    """The first line. `started_ms`: wall time at which `at_us` is 0; `source`: what was listened to, for people."""

    wire: int = FORMAT
    protocol: str
    source: str
    started_ms: int


class Recorder:
    """Writes a recording; each line is on its way to the disk before the next one is made."""

    def __init__(self, file: BinaryIO, heading: Heading) -> None:
        self._file = file
        self.count = 0
        self._write(heading)

    def add(self, frames: Iterable[Heard], at_us: int) -> None:
        """Frames that were complete at `at_us`, since the beginning."""
        for frame in frames:
            self._write(msgspec.structs.replace(frame, at_us=at_us))
            self.count += 1

    def _write(self, line: Heading | Heard) -> None:
        self._file.write(msgspec.json.encode(line) + b"\n")
        self._file.flush()


class Recording:
    """A recording that was read: `heading`, `frames`, and whether its last line was cut off (`cut`)."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        """`BadRecording` if a line is none of ours. A last line without its end is left out: the power went."""
        self.frames: list[Heard] = []
        self.cut = False
        heading: Heading | None = None
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):
                self.cut = True
            elif heading is None:
                heading = _read(line, number, Heading)
                if heading.wire != FORMAT:
                    raise BadRecording(f"line 1: a recording of format {heading.wire}, this program reads {FORMAT}")
            elif line.strip():
                self.frames.append(_frame(line, number))
        if heading is None:
            raise BadRecording("line 1: there is no heading: this is no recording")
        self.heading = heading


def _frame(line: bytes, number: int) -> Heard:
    frame = _read(line, number, Heard)
    try:
        from_hex(frame.hex)
    except BadHex as error:
        raise BadRecording(f"line {number}: hex: {error}") from None
    if not isinstance(frame.at_us, int) or frame.at_us < 0:
        raise BadRecording(f"line {number}: at_us is missing or below 0")
    return frame


def _read(line: bytes, number: int, kind: type[_Line]) -> _Line:
    if len(line) > LINE_BYTES_MAX:
        raise BadRecording(f"line {number}: {len(line)} bytes: this is no recording")
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRecording(f"line {number}: {error}") from None

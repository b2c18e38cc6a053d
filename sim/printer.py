"""The simulated receipt printer: bytes back to the lines that a real one would have put on paper.

The twin is sans-IO and reads with the product's own tables of commands and code pages, so a test can print and
read back; `serve_pty` gives it a serial port on the bench. It must not know what a receipt is.
"""

import asyncio
import os
import tty
from collections.abc import Callable
from dataclasses import dataclass

from controller.domain.receipt import Align, Line, receipt_text
from controller.printing import escpos
from controller.printing.escpos import PrinterModel

READ_BYTES = 4_096
STATUS_FINE = 0x12
"""Bits 1 and 4 are always set in a status byte."""
STATUS_NO_PAPER = 0x60

_ALIGNS = {code: align for align, code in escpos.ALIGN_CODES.items()}
_LENGTHS = {
    escpos.RESET: 2,
    escpos.KANJI_OFF: 2,
    escpos.SELECT_PAGE: 3,
    escpos.ALIGN: 3,
    escpos.EMPHASIS: 3,
    escpos.FEED_LINES: 3,
    escpos.PULSE: 5,
    escpos.SIZE: 3,
    escpos.CUT_AFTER_FEED[:2]: 4,
    escpos.STATUS: 3,
}
"""Each command's first two bytes, and its whole length."""
_STARTS = b"".join({command[:1] for command in _LENGTHS})


@dataclass(frozen=True, slots=True)
class PrintedSlip:
    """A slip after its cut: its lines as they lie on the paper, and as text."""

    lines: tuple[Line, ...]
    text: str


class PrinterTwin:
    """A printer of `width` columns. `feed` it bytes in any pieces; it gives the slips that were cut off.

    `complaints` are bytes that a real printer would have printed as rubbish. `paper` may be set to False: its
    status says so.
    """

    def __init__(self, model: PrinterModel, width: int) -> None:
        self.model = model
        self.width = width
        self.paper = True
        self.drawer_kicks = 0
        self.complaints: list[str] = []
        self._codecs = {page.number: page.codec for page in model.pages}
        self._buffer = bytearray()
        self._replies = bytearray()
        self._lines: list[Line] = []
        self._text = ""
        self._reset()

    def feed(self, data: bytes) -> tuple[PrintedSlip, ...]:
        """Take bytes; return the slips that they finished."""
        self._buffer += data
        slips: list[PrintedSlip] = []
        while self._buffer:
            if self._buffer[0] in _STARTS:
                taken = self._command(slips)
                if not taken:
                    break
            else:
                self._letter(self._buffer[0])
                taken = 1
            del self._buffer[:taken]
        return tuple(slips)

    def take_replies(self) -> bytes:
        """The bytes that the printer sends back: answers to status requests."""
        replies = bytes(self._replies)
        self._replies.clear()
        return replies

    def _command(self, slips: list[PrintedSlip]) -> int:
        """Obey the command at the buffer's start; how many bytes it had, 0 while it is not whole."""
        if len(self._buffer) < 2:
            return 0
        name = bytes(self._buffer[:2])
        length = _LENGTHS.get(name)
        if length is None:
            self.complaints.append(f"unknown command {name.hex(' ')}")
            return 1
        if len(self._buffer) < length:
            return 0
        self._obey(name, self._buffer[2] if length > 2 else 0, slips)
        return length

    def _obey(self, name: bytes, value: int, slips: list[PrintedSlip]) -> None:
        if name == escpos.RESET:
            self._reset()
        elif name == escpos.SELECT_PAGE:
            if value in self._codecs:
                self._codec = self._codecs[value]
            else:
                self.complaints.append(f"this {self.model.name} printer has no code page {value}")
        elif name == escpos.ALIGN and value in _ALIGNS:
            self._align = _ALIGNS[value]
        elif name == escpos.EMPHASIS:
            self._emphasis = bool(value & 1)
        elif name == escpos.SIZE and value in (escpos.NORMAL_SIZE, escpos.DOUBLE_SIZE):
            self._double = value == escpos.DOUBLE_SIZE
        elif name == escpos.FEED_LINES:
            self._end_line()
            self._lines += [Line()] * (value - 1)
        elif name == escpos.PULSE:
            self.drawer_kicks += 1
        elif name == escpos.CUT_AFTER_FEED[:2]:
            slips.append(self._cut())
        elif name == escpos.STATUS:
            self._replies.append(STATUS_FINE | (0 if self.paper else STATUS_NO_PAPER))
        elif name != escpos.KANJI_OFF:
            self.complaints.append(f"command {name.hex(' ')} with the value {value}")

    def _letter(self, byte: int) -> None:
        if byte == escpos.LF[0]:
            self._end_line()
            return
        letter = bytes((byte,)).decode(self._codec, errors="ignore")
        if letter not in escpos.page_letters(self._codec):
            self.complaints.append(f"byte {byte:02x} is no letter of {self._codec}")
            return
        if len(self._text) >= Line(double=self._double).cells(self.width):
            self._end_line()
        self._text += letter

    def _end_line(self) -> None:
        self._lines.append(Line(self._text, self._align, self._emphasis, self._double))
        self._text = ""

    def _cut(self) -> PrintedSlip:
        if self._text:
            self._end_line()
        lines = tuple(self._lines)
        self._lines.clear()
        return PrintedSlip(lines, receipt_text(lines, self.width))

    def _reset(self) -> None:
        """Settings as at power-on and an empty line buffer; what is on paper stays."""
        self._codec = self.model.pages[0].codec
        self._align = Align.LEFT
        self._emphasis = False
        self._double = False
        self._text = ""


class PtyService:
    """A twin behind a pseudo-terminal. `path` is the serial device that a station opens."""

    def __init__(self, twin: PrinterTwin, on_slip: Callable[[PrintedSlip], None]) -> None:
        self._twin = twin
        self._on_slip = on_slip
        # The near end stays open too: else reading fails whenever the station has closed its port.
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._master, self._readable)

    def close(self) -> None:
        """Take the device away, as if the cable were pulled."""
        self._loop.remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)

    def _readable(self) -> None:
        try:
            data = os.read(self._master, READ_BYTES)
        except BlockingIOError:
            return
        slips = self._twin.feed(data)
        replies = self._twin.take_replies()
        if replies:
            os.write(self._master, replies)
        for slip in slips:
            self._on_slip(slip)


def serve_pty(twin: PrinterTwin, on_slip: Callable[[PrintedSlip], None]) -> PtyService:
    """Serve the twin on a new pseudo-terminal of the running event loop, until `close`."""
    return PtyService(twin, on_slip)

"""What a session does to a command's data on its way in and to an answer's on its way out.

A command is a header, which always travels in plain, and perhaps a body, which the session protects. `mode` is the
communication mode that the command or its file has: plain, MAC or full (MAC and encryption).
"""

from __future__ import annotations

from typing import Protocol

from sim.cards.state import Mode
from sim.cards.status import LENGTH, Refused


class Messaging(Protocol):
    """Between the frames and the commands. Any failure raises Refused, which ends the session."""

    def length(self, header: int, body: int | None, mode: Mode) -> int:
        """How many bytes of data a command has on its way, `body` None where the command has none."""

    def opened(self, ins: int, data: bytes, header: int, body: int | None, mode: Mode, *, tail: int = 0) -> bytes:
        """The command's plain data, `header + body + tail` bytes, all its protection checked.

        `tail`: bytes behind the body's check sum, where EV1 puts a second check sum of a changed key.
        """

    def sealed(self, data: bytes, mode: Mode, *, unknown_length: bool = False) -> bytes:
        """The answer's data as it travels. `unknown_length`: the reader did not say how much it wants."""


class Session(Messaging, Protocol):
    """Messaging after an authentication with key `key_number`."""

    key_number: int


class Unprotected:
    """No session: everything travels as it is."""

    def length(self, header: int, body: int | None, mode: Mode) -> int:
        return header + (body or 0)

    def opened(self, ins: int, data: bytes, header: int, body: int | None, mode: Mode, *, tail: int = 0) -> bytes:
        if len(data) != self.length(header, body, mode) + tail:
            raise Refused(LENGTH)
        return data

    def sealed(self, data: bytes, mode: Mode, *, unknown_length: bool = False) -> bytes:
        return data

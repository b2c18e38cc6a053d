"""The status bytes of a DESFire card, and the refusal that carries one out of a command."""

from __future__ import annotations

OK = 0x00
NO_CHANGES = 0x0C
OUT_OF_MEMORY = 0x0E
ILLEGAL_COMMAND = 0x1C
INTEGRITY = 0x1E
NO_SUCH_KEY = 0x40
LENGTH = 0x7E
DENIED = 0x9D
PARAMETER = 0x9E
NO_APPLICATION = 0xA0
AUTHENTICATION = 0xAE
MORE = 0xAF
BOUNDARY = 0xBE
ABORTED = 0xCA
TOO_MANY = 0xCE
DUPLICATE = 0xDE
NO_FILE = 0xF0


class Refused(Exception):
    """The card answers with this status; the session and the transaction end with it."""

    def __init__(self, status: int) -> None:
        super().__init__(f"{status:02X}")
        self.status = status


class Incomplete(Exception):
    """The command's data goes on in further frames: the card asks for them."""

"""One command to a card and one answer from it, as ISO 7816-4 short APDUs and as DESFire wraps them in these.

A command is `CLA INS P1 P2 [Lc data] [Le]`, an answer `data SW1 SW2`. DESFire's native commands travel as
`90 INS 00 00 [Lc data] 00`, their status comes as `91xx`. This file knows bytes only: no meaning of any command,
no key, no reader. Data never shows in a repr: it may hold a card's number.
"""

from __future__ import annotations

from typing import Any

import msgspec

from card_io.errors import GarbledAnswer

DATA_MAX = 255  # a short APDU's Lc is one byte; extended length is of no use to 59-byte frames
DESFIRE_DATA_MAX = 59  # a 64-byte ISO 14443-4 frame less its own bytes: what every DESFire generation takes
ANSWER_MAX = 256  # a short APDU's Le of 00 asks for at most 256 bytes

DESFIRE_CLA = 0x90
DESFIRE_OK = 0x9100
DESFIRE_MORE = 0x91AF
MORE_INS = 0xAF

_ONE_BYTE = tuple(bytes((number,)) for number in range(0x100))


class Command(msgspec.Struct, frozen=True):
    """One short command. `le` is None (no answer data asked for) or 0..255, 0 meaning "as much as there is"."""

    cla: int
    ins: int
    p1: int = 0
    p2: int = 0
    data: bytes = b""
    le: int | None = None

    def __repr__(self) -> str:
        return f"Command(cla={self.cla}, ins={self.ins}, p1={self.p1}, p2={self.p2}, le={self.le})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("ins", self.ins)]

    def __post_init__(self) -> None:
        if (self.cla | self.ins | self.p1 | self.p2) & ~0xFF:
            wrong = next(name for name in ("cla", "ins", "p1", "p2") if not 0 <= getattr(self, name) <= 0xFF)
            raise ValueError(f"{wrong} of an APDU is one byte, not {getattr(self, wrong)}")
        if self.le is not None and not 0 <= self.le <= 0xFF:
            raise ValueError(f"Le of a short APDU is one byte, not {self.le}")
        limit = DESFIRE_DATA_MAX if self.cla == DESFIRE_CLA else DATA_MAX
        if len(self.data) > limit:
            raise ValueError(f"{len(self.data)} bytes of data do not fit one frame of {limit}")

    @classmethod
    def desfire(cls, ins: int, data: bytes = b"") -> Command:
        """A native DESFire command in its ISO wrapping; `data` is at most 59 bytes."""
        return cls(DESFIRE_CLA, ins, 0, 0, data, 0)

    @classmethod
    def parse(cls, raw: bytes) -> Command:
        """The card's side: a command from its bytes. Raises ValueError for what is no short APDU."""
        if len(raw) < 4:
            raise ValueError(f"an APDU has at least 4 bytes, not {len(raw)}")
        cla, ins, p1, p2 = raw[:4]
        body = raw[4:]
        if len(body) <= 1:
            return cls(cla, ins, p1, p2, le=body[0] if body else None)
        lc = body[0]
        data, tail = body[1 : 1 + lc], body[1 + lc :]
        if lc == 0 or len(data) != lc or len(tail) > 1:
            raise ValueError(f"Lc is {lc} and {len(body) - 1} bytes follow")
        return cls(cla, ins, p1, p2, data=data, le=tail[0] if tail else None)

    def __bytes__(self) -> bytes:
        head = bytes((self.cla, self.ins, self.p1, self.p2))
        tail = b"" if self.le is None else _ONE_BYTE[self.le]
        return head + _ONE_BYTE[len(self.data)] + self.data + tail if self.data else head + tail


class Response(msgspec.Struct, frozen=True):
    """One answer: `data` (0..256 bytes) and `status`, SW1 SW2 as one number (0x9000, 0x91AF)."""

    status: int
    data: bytes = b""

    def __repr__(self) -> str:
        return f"Response(status={self.status:#06x})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("status", self.status)]

    def __post_init__(self) -> None:
        if not 0 <= self.status <= 0xFFFF:
            raise ValueError(f"a status word is two bytes, not {self.status}")
        if len(self.data) > ANSWER_MAX:
            raise ValueError(f"{len(self.data)} bytes do not fit one answer of {ANSWER_MAX}")

    @classmethod
    def parse(cls, raw: bytes) -> Response:
        """An answer from its bytes. Raises GarbledAnswer for fewer than 2 or more than 258 of them."""
        if not 2 <= len(raw) <= ANSWER_MAX + 2:
            raise GarbledAnswer(f"an answer of {len(raw)} bytes came back")
        return cls(int.from_bytes(raw[-2:], "big"), raw[:-2])

    def __bytes__(self) -> bytes:
        return self.data + self.status.to_bytes(2, "big")

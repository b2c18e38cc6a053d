"""What a line's listener says of the bytes that pass: one record a frame. For people and tools, never for action.

Knows no protocol and no port.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import msgspec


class Direction(StrEnum):
    """Who spoke. The same bytes mean different things in the two directions."""

    TO_PUMP = "to-pump"
    TO_MASTER = "to-master"


class Check(StrEnum):
    """Whether a frame's check sum fits."""

    OK = "ok"
    BAD = "bad"
    NONE = "none"
    """This kind of frame has none."""


class Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """One transaction of a frame: its name in the field's words, and its values by name."""

    name: str
    values: dict[str, int | str | list[int] | bool] = {}


class Decoded(msgspec.Struct, frozen=True, omit_defaults=True):
    """One frame, or a piece of bytes that is none (`kind` "noise").

    `address`: the pump, as the protocol counts; `error` says what is wrong, in a sentence; `raw`: the bytes as hex.
    """

    address: int | None
    kind: str
    crc: Check
    raw: str
    parts: Sequence[Part] = ()
    error: str = ""


class Decoder(Protocol):
    """Listens to one line. Never raises on bytes, however wrong they are."""

    def feed(self, data: bytes, direction: Direction) -> list[Decoded]:
        """The frames that these bytes complete."""
        ...

    def flush(self, direction: Direction) -> list[Decoded]:
        """What is left over, after a silence or at the end."""
        ...

    def likely(self, piece: bytes) -> Direction | None:
        """Who says this, where it could be either: by what was said before it. None where that does not tell."""
        ...

    def pieces(self, data: bytes) -> list[bytes]:
        """Bytes of both directions, cut so that none has words of both."""
        ...

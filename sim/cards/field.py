"""What a simulated reader needs of a card in its field: so that a broken or silent card can stand in for a good one."""

from __future__ import annotations

from typing import Protocol


class LeftField(Exception):
    """The card lost its power in the middle of a command: no answer comes, and the card is gone from the reader."""


class FieldCard(Protocol):
    """A card that may not answer: None is silence.

    `latency_ms` is how long the reader holds each answer back. `transmit` may raise LeftField.
    """

    @property
    def atr(self) -> bytes: ...

    @property
    def latency_ms(self) -> int: ...

    def reset(self) -> None: ...

    def transmit(self, frame: bytes) -> bytes | None: ...


class SilentCard:
    """Shows itself and never answers: it hangs a PC/SC reader for ever."""

    atr = bytes.fromhex("3B8180018080")
    latency_ms = 0

    def reset(self) -> None:
        """Nothing to reset."""

    def transmit(self, frame: bytes) -> bytes | None:
        return None

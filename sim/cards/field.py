"""What a simulated reader needs of a card in its field: so that a broken or silent card can stand in for a good one."""

from __future__ import annotations

from typing import Protocol


class FieldCard(Protocol):
    """A card that may not answer: None is silence."""

    @property
    def atr(self) -> bytes: ...

    def reset(self) -> None: ...

    def transmit(self, frame: bytes) -> bytes | None: ...


class SilentCard:
    """Shows itself and never answers: it hangs a PC/SC reader for ever."""

    atr = bytes.fromhex("3B8180018080")

    def reset(self) -> None:
        """Nothing to reset."""

    def transmit(self, frame: bytes) -> bytes | None:
        return None

"""A reader at a card office's desk with simulated cards in it: one card's file, or a folder that is a stack of them.

It stands where a PC/SC reader would (`sync.hq.cards.office.CardSlot`); sessions are the production ones.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from card_io import errors
from card_io.session import CardSession
from card_io.transport import run_session_blocking
from sim.cards.card import SimCard
from sim.cards.field import FieldCard, LeftField
from sim.cards.held import HeldCard
from sim.cards.make import new_state
from sim.cards.state import CardFileError, CardState, save
from sync.hq.cards.network import OfficeError
from sync.hq.cards.office import NEXT_CARD

T = TypeVar("T")
Wrap = Callable[[FieldCard], FieldCard]
"""Makes another card of a good one: a torn, a silent one."""

NXP = b"\x04"  # the first byte of a UID names its maker


class SimulatedSlot:
    """`path` is a .card file; or a folder, whose card PLACE is PLACE.card and is made, blank, where it is not there.

    The place NEXT_CARD is each card of the folder once, by name.
    """

    def __init__(self, path: Path, wrap: Wrap = lambda card: card) -> None:
        self._path, self._wrap = path, wrap
        self._card: FieldCard | None = None
        self._held: HeldCard | None = None
        self._seen: set[Path] = set()

    def present(self, place: str = "") -> None:
        """The card is in the field, as after power-up. Raises OfficeError for a file that is no card, or is held."""
        self.removed()
        path = self._path
        try:
            if place == NEXT_CARD:
                path = self._next()
            elif path.is_dir():
                path = path / f"{place or 'card'}.card"
                if not path.exists():
                    _store(new_state(NXP + secrets.token_bytes(6)), path)
            self._held = HeldCard(path)
        except CardFileError as error:
            raise OfficeError(
                str(error) if path.exists() else f"{error} (forecourt sim card FILE.card --new)"
            ) from None
        self._card = self._wrap(SimCard(self._held.state, secrets.token_bytes, self._held.store))

    def _next(self) -> Path:
        for path in sorted(self._path.glob("*.card")) if self._path.is_dir() else [self._path]:
            if path not in self._seen:
                self._seen.add(path)
                return path
        raise errors.NoCard("no card is left in the stack")

    def run(self, session: CardSession[T]) -> T:
        """See CardSlot."""
        if self._card is None:
            raise errors.NoCard("no card was put on the reader")
        self._card.reset()
        return run_session_blocking(session, self._transmit)

    def removed(self) -> None:
        """See CardSlot."""
        self._card = None
        if self._held is not None:
            self._held.close()
            self._held = None

    def close(self) -> None:
        """See CardSlot."""
        self.removed()

    def _transmit(self, frame: bytes) -> bytes:
        assert self._card is not None
        try:
            answer = self._card.transmit(frame)
        except LeftField:
            raise errors.CardRemoved("the card was taken away too early") from None
        if answer is None:
            raise errors.CardSilent("the card did not answer")
        return answer


def _store(state: CardState, path: Path) -> None:
    try:
        save(state, path)
    except OSError as error:
        raise CardFileError(f"{path} cannot be written ({error.strerror})") from None

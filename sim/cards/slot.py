"""A reader at a card office's desk with simulated cards in it: one card's file, or a folder that is a stack of them.

It stands where a PC/SC reader would (`sync.hq.cards.office.CardSlot`); sessions are the production ones.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from card_io import errors
from card_io.session import CardSession
from card_io.transport import run_session_blocking
from sim.cards.card import SimCard
from sim.cards.field import FieldCard, LeftField
from sim.cards.make import new_state
from sim.cards.state import CardFileError, CardState, load, save
from sync.hq.cards.network import OfficeError

T = TypeVar("T")
Wrap = Callable[[FieldCard], FieldCard]
"""Makes another card of a good one: a torn, a silent one."""

NXP = b"\x04"  # the first byte of a UID names its maker


class SimulatedSlot:
    """`path` is a .card file; or a folder, whose card PLACE is PLACE.card and is made, blank, where it is not there."""

    def __init__(self, path: Path, wrap: Wrap = lambda card: card) -> None:
        self._path, self._wrap = path, wrap
        self._card: FieldCard | None = None

    def present(self, place: str = "") -> None:
        """The card is in the field, as after power-up. Raises OfficeError for a file that is no card."""
        path = self._path
        try:
            if path.is_dir():
                path = path / f"{place or 'card'}.card"
                if not path.exists():
                    _store(new_state(NXP + secrets.token_bytes(6)), path)
            state = load(path)
        except CardFileError as error:
            raise OfficeError(f"{error} (forecourt sim card FILE.card --new)") from None
        self._card = self._wrap(SimCard(state, secrets.token_bytes, partial(_store, path=path)))

    def run(self, session: CardSession[T]) -> T:
        """See CardSlot."""
        if self._card is None:
            raise errors.NoCard("no card was put on the reader")
        self._card.reset()
        return run_session_blocking(session, self._transmit)

    def removed(self) -> None:
        """See CardSlot."""
        self._card = None

    def close(self) -> None:
        """See CardSlot."""
        self._card = None

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

"""What the station and its PC/SC child say to each other: JSON lines over the child's stdin and stdout.

To the child: one `Start`, then an `Ask` for each order; the end of stdin is the order to end. From the child: `Alive`
at least each second while it waits, the reader's events, and one `Answer` for each `Ask`. Keys travel in `Start` and
only there: a pipe is seen by nobody else, an argument or an environment variable is. Knows neither pcscd nor processes.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from card_io.application import CardProfile
from card_io.orders import CardOrder, Unresolved
from card_io.purse import Resolved
from card_io.reader import CardPresented, CardRefused, CardRemoved, ReaderDown, ReaderUp
from card_io.transaction import Changed

TICK_MS = 1_000  # how often the child shows that it lives
EXIT_HUNG = 3  # a card holds a thread of the child for ever
EXIT_NO_PYSCARD = 4


class Start(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`pattern` is a regular expression searched in the readers' names; `masters` is KeyRing.handover().

    `session_ms` is how long a card may take from the first APDU to the last. `ignore_present`: a card that is in
    the field at the start is refused unread, because it hung the child before; its going is seen as any card's.
    """

    pattern: str
    profile: CardProfile
    masters: dict[str, str]
    session_ms: int
    ignore_present: bool

    def __repr__(self) -> str:
        return f"Start({self.pattern!r})"


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An order for the card in the field, and the number under which it is answered."""

    number: int
    order: CardOrder


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """What became of an order: one of the three, the last two of a ResolveOrder only."""

    number: int
    changed: Changed | None = None
    resolved: Resolved | None = None
    unresolved: Unresolved | None = None


class Alive(msgspec.Struct, frozen=True, tag="alive"):
    """Nothing new."""


Line: TypeAlias = CardPresented | CardRefused | CardRemoved | ReaderDown | ReaderUp | Answer | Alive

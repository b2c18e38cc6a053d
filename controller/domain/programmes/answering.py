"""How an event is answered in one line: accepted or declined, with the balances it touched. Knows no rule."""

from typing import Any

from controller.domain.programmes.answers import Answer
from controller.domain.programmes.books import Books
from controller.domain.programmes.events import Event
from controller.domain.programmes.members import Holder
from controller.domain.programmes.reasons import Reason


def accept(books: Books, event: Event, reason: Reason | None = None, **more: Any) -> Answer:
    """`more`: further fields of the answer."""
    return Answer(event.ref, "accepted", reason, books.take_looked_at(), **more)


def decline(books: Books, event: Event, reason: Reason, **more: Any) -> Answer:
    return Answer(event.ref, "declined", reason, books.take_looked_at(), **more)


def look_at_purses(books: Books, holder: Holder) -> None:
    """Name all purses of a member in the answer: they were looked at."""
    if holder.kind in ("person", "organisation"):
        for name in books.rules.purses:
            books.look_at_points(books.purse(holder, name))

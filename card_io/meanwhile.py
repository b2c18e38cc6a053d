"""Work that needs nothing more of the card, done while the card is asked for more.

The card answers in its own time, and a signature takes about as long to check as a virtual reader to carry a frame. Who
runs sessions on threads gives them a `Meanwhile`; everybody else has `at_once`. A session takes the result before its
own end, so that nothing leaves it unchecked: only the order of two errors may be another one. Knows no thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Meanwhile(Protocol):
    """Begins a piece of work; calling what it returns waits for the end and gives the result, or raises the error."""

    def __call__(self, work: Callable[[], T], /) -> Callable[[], T]: ...


def at_once(work: Callable[[], T], /) -> Callable[[], T]:
    """A Meanwhile that has no other thread: the work is done here and now, and its error raised."""
    result = work()
    return lambda: result

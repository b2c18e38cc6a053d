"""A thread beside the one that a card holds: it does a session's work while the card is asked for more.

The interpreter's lock is free while PC/SC waits for a card. A thread pool of the standard library would do the same
and take 30 us longer to be told. Knows no card.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Raised:
    error: Exception


class Beside:
    """A Meanwhile with one thread, which ends with the process."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[tuple[Callable[[], Any], queue.SimpleQueue[Any]]] = queue.SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def __call__(self, work: Callable[[], T], /) -> Callable[[], T]:
        """See Meanwhile. The result is asked for once."""
        found: queue.SimpleQueue[T | _Raised] = queue.SimpleQueue()
        self._work.put((work, found))

        def result() -> T:
            done = found.get()
            if isinstance(done, _Raised):
                raise done.error
            return done

        return result

    def _run(self) -> NoReturn:
        while True:
            work, found = self._work.get()
            try:
                found.put(work())
            except Exception as error:  # noqa: BLE001  # belongs to whoever asks for the result
                found.put(_Raised(error))

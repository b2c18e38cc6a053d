"""A pump that was let go and gives no fuel is stopped after a while, again and again: a stop may get lost.

Knows no pump, no decision and no tile.
"""

from collections.abc import Callable

from controller.domain.seams import US_PER_S, Clock, Timer

UNUSED_AUTHORISATION_S = 120
"""A pump that was let go and gives no fuel for this long is stopped again."""


class UnusedWatch:
    """For one pump. `unused` says whether it was let go and gives no fuel; `stop` stops it."""

    def __init__(self, clock: Clock, unused: Callable[[], bool], stop: Callable[[], None]) -> None:
        self._clock = clock
        self._unused = unused
        self._stop = stop
        self._timer: Timer | None = None

    def begin(self) -> None:
        """It was let go just now."""
        self.end()
        due_us = self._clock.now().mono_us + UNUSED_AUTHORISATION_S * US_PER_S
        self._timer = self._clock.call_at(due_us, self._check)

    def end(self) -> None:
        """Nobody looks any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _check(self) -> None:
        if self._unused():
            self._stop()
            self.begin()

"""A card that was shown before the nozzle was lifted: kept for a while, for whoever lifts it.

Knows no pump, no decision and no tile.
"""

from collections.abc import Callable

from controller.domain.seams import US_PER_S, Clock
from controller.domain.tokens import TokenRef

HELD_TOKEN_S = 60
"""A card shown before the nozzle was lifted counts for this long."""


class HeldToken:
    """At most one: a newer card takes the place of an older one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: tuple[TokenRef, int] | None = None

    def hold(self, token: TokenRef, forgotten: Callable[[], None]) -> None:
        """Keep it; `forgotten` is called when its time is over and nobody has taken it."""
        until_us = self._clock.now().mono_us + HELD_TOKEN_S * US_PER_S
        held = self._held = (token, until_us)

        def forget() -> None:
            if self._held is held:
                self._held = None
                forgotten()

        self._clock.call_at(until_us, forget)

    def take(self) -> TokenRef | None:
        """The card that counts now; it is held no more."""
        held, self._held = self._held, None
        return held[0] if held is not None and self._clock.now().mono_us <= held[1] else None

    def drop(self) -> None:
        """It counts for nobody."""
        self._held = None

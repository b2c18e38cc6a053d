"""How long one two-wire pump may keep the line to itself, because a word to another one would end what it holds.

Bounded, for the others wait; past the bound the line is let go, and nothing is lost but the pump's own memory. A stop
elsewhere on the line does not wait at all. Knows no words of the wire and no clock.
"""

FINISH_US_MAX = 5_000_000
"""For reading totals and transaction; until the transaction was read, letting go loses nothing."""
HOLD_US_MAX = 2_000_000
"""For the disk: from the transaction to `Clear`."""


class Keeping:
    """The line is kept, or not."""

    def __init__(self) -> None:
        self._until_us: int | None = None

    def __bool__(self) -> bool:
        return self._until_us is not None

    def finish(self, now_us: int) -> None:
        """The pump holds a delivery that is not read yet."""
        self._until_us = now_us + FINISH_US_MAX

    def read(self, now_us: int) -> None:
        """From now on it is lost at the next word to another pump."""
        self._until_us = max(self._until_us or 0, now_us + HOLD_US_MAX)

    def told(self, now_us: int) -> None:
        """It waits for the disk only."""
        self._until_us = now_us + HOLD_US_MAX

    def let_go(self) -> None:
        self._until_us = None

    def tick(self, now_us: int) -> None:
        """Let go when it was kept too long."""
        if self._until_us is not None and now_us >= self._until_us:
            self.let_go()

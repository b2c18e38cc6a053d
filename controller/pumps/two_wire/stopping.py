"""The order to stop one two-wire pump: it goes before every other, and is done when the status says so.

Knows no phase, no tries and no clock.
"""

from collections.abc import Callable

from controller.pumps.two_wire.frame import Status
from controller.pumps.two_wire.states import LIVE
from controller.pumps.words import PumpEvent, Refusal, Refused, Stop


class Stopping:
    """Whether the pump is to be stopped. `tell` gets what comes of the order."""

    def __init__(self, tell: Callable[[PumpEvent], None]) -> None:
        self.wanted = False
        self.final = False
        """It was stopped for good: only hanging up is left."""
        self._tell = tell
        self._order: Stop | None = None
        self._sent = False

    def ask(self, order: Stop | None = None) -> None:
        """By order, or because an order to authorise may have been taken after all."""
        self._order = order or self._order
        self.wanted = True
        self._sent = False

    def went_out(self) -> None:
        self._sent = True

    def status_came(self, status: Status) -> None:
        """A status of before it went out says nothing."""
        if self.wanted and self._sent and status not in LIVE:
            self.final = True
            self.wanted, self._order = False, None
        self.final &= status is Status.STOPPED

    def end(self, reason: Refusal) -> None:
        """It was not done, as far as is known."""
        if self._order is not None:
            self._tell(Refused(self._order, reason))
        self.wanted, self._order = False, None

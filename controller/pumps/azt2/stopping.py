"""A stop, from the order to the status that shows it. It goes out before everything else.

Knows no phase, no link and no clock.
"""

from controller.pumps.azt2.asking import TRIES_MAX, Ask
from controller.pumps.azt2.messages import State
from controller.pumps.azt2.states import STOPPABLE
from controller.pumps.words import Stop


class Stopping:
    """Whether the pump is to be stopped. `order`: who asked for it; None if the core did."""

    def __init__(self) -> None:
        self.active = False
        self.order: Stop | None = None
        self._sendings = 0

    def begin(self, order: Stop | None = None) -> None:
        self.active = True
        self.order = order or self.order
        self._sendings = 0

    def end(self) -> Stop | None:
        """No more of it. Gives who asked for it."""
        order, self.order = self.order, None
        self.active = False
        return order

    def wish(self, state: State | None) -> Ask | None:
        """A finished delivery is left alone: what 33 does to one that waits for its `Clear`, nobody has tried."""
        return Ask.STOP if self.active and state is not State.FINISHED else None

    def goes_out(self, ask: Ask) -> None:
        """This is sent now."""
        self._sendings += ask is Ask.STOP

    def look(self, state: State) -> bool:
        """A status has come. False: it was asked for in vain, and often enough."""
        if not self.active:
            return True
        if state not in STOPPABLE and (self._sendings or state is State.FINISHED):
            self.end()
        return self._sendings < TRIES_MAX[Ask.STOP] or not self.active

"""An event loop whose time leaves out how long the machine let this process wait.

For tests of both ends of a line in one loop, on a real terminal: a pump that answers within milliseconds, and a window
that is over after some more. A busy machine stops both ends at once, for longer than any window; who looks at a clock
that went on meanwhile finds the window over before the pump had its turn. Here both find their own time.
"""

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
STEP_S = 0.002
"""What one round of the loop may take of its time; what it took longer, it was not let run."""


class _Patience(selectors.DefaultSelector):
    """Knows how long it was meant to wait."""

    meant_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(timeout)
        # what came from a descriptor was written by this very loop, and was there at once
        self.meant_s += 0.0 if events or timeout is None else max(timeout, 0.0)
        return events


class SteadyLoop(asyncio.SelectorEventLoop):
    """Its `time()` goes on as it should, never faster than the real one."""

    def __init__(self) -> None:
        self._patience = _Patience()
        self._looked_s = time.monotonic()
        self._steady_s = 0.0
        super().__init__(self._patience)

    def time(self) -> float:
        now_s = time.monotonic()
        self._steady_s += min(now_s - self._looked_s, self._patience.meant_s + STEP_S)
        self._looked_s, self._patience.meant_s = now_s, 0.0
        return self._steady_s


def run_steadily(main: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`, in such a loop."""
    with asyncio.Runner(loop_factory=SteadyLoop) as runner:
        return runner.run(main)

"""Posts what stations send to the fuel programmes while the server runs, in steps: stations are answered in between.

Knows no thread: `submit` brings a step to whoever does the database's work.
"""

import logging
from collections.abc import Callable, Iterable

from sync.hq.hold import StoreError
from sync.hq.programmes.desk import Desk

MS_PER_HOUR = 3_600_000
_log = logging.getLogger("forecourt.hq")


class Following:
    """What is to be posted yet. `stations`: those that may have sent something before."""

    def __init__(
        self,
        desk: Desk,
        stations: Iterable[str],
        submit: Callable[[Callable[[], None]], object],
        wall_ms: Callable[[], int],
    ) -> None:
        self._desk = desk
        self._heard = dict.fromkeys(stations)
        self._submit = submit
        self._wall_ms = wall_ms
        self._hour = 0
        self._runs = False

    def start(self) -> None:
        self._runs = True
        self._submit(self._step)

    def end(self) -> None:
        self._runs = False

    def heard(self, station: str) -> None:
        """A station's batch is on disk."""
        self._heard[station] = None
        if self._runs:
            self._submit(self._step)

    def _step(self) -> None:
        """Post some rows, then let others in. What goes wrong is logged, and tried again at the next batch."""
        station = next(iter(self._heard), None)
        now_ms = self._wall_ms()
        try:
            if station is not None and not self._desk.follow(station, now_ms):
                self._heard.pop(station, None)
            if not self._heard and now_ms // MS_PER_HOUR != self._hour:
                self._hour = now_ms // MS_PER_HOUR
                self._desk.let_time_pass(now_ms)
        except (StoreError, ValueError) as error:
            self._heard.pop(station or "", None)
            _log.error("posting the rows of %s to the fuel programmes failed", station, exc_info=error)
        if self._heard and self._runs:
            self._submit(self._step)

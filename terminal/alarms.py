"""When the till makes a sound: while a pump calls, and once when something goes wrong at one.

Pure: snapshots and the till's own clock in, "now" out. Makes no sound itself.
"""

from controller.domain.desk import PointState, Snapshot

CALLING_EVERY_MS = 5_000
"""A customer with a lifted nozzle is heard again after this."""
ONCE = {PointState.STOPPED, PointState.REFUSED, PointState.ERROR, PointState.OFFLINE}


class Alarms:
    """Remembers what has been heard."""

    def __init__(self) -> None:
        self._heard: set[tuple[int, PointState]] | None = None
        self._called_ms: int | None = None

    def due(self, snapshot: Snapshot, now_ms: int) -> bool:
        """Whether a sound is due. What a till finds at its start is no news, except a pump that calls."""
        wrong = {(point.number, point.state) for point in snapshot.points if point.state in ONCE}
        news = self._heard is not None and bool(wrong - self._heard)
        self._heard = wrong
        if not any(point.state is PointState.CALLING for point in snapshot.points):
            self._called_ms = None
        elif self._called_ms is None or now_ms - self._called_ms >= CALLING_EVERY_MS:
            self._called_ms = now_ms
            news = True
        return news

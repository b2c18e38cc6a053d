"""Whose turn it is on a line: one half-duplex wire, several pumps, one transmission at a time.

In this order: a turn that is owed to the pump spoken to last, pumps with a stop to be sent, pumps that are
busy, idle ones (one between two rounds of the busy ones, so that none starves), and now and then one that is
gone, so that it comes back by itself. Pumps of different protocols may not share a line, but nothing here
depends on which one it is. Sans-IO: no port and no clock.
"""

from collections import deque
from collections.abc import Mapping

from controller.domain.seams import US_PER_S
from controller.pumps.core import PumpCore, Turn
from controller.pumps.words import Offline, Order, PumpEvent

OFFLINE_POLL_US = 2 * US_PER_S
"""A silent pump costs the others a whole window: so seldom is it tried."""
LOST_TURNS_MAX = 64
"""More empty answers than any protocol's core needs to call its pump gone."""


class LineSchedule:
    """The pumps of one line, by number of the fuelling point."""

    def __init__(self, pumps: Mapping[int, PumpCore]) -> None:
        if not pumps:
            raise ValueError("a line without pumps: take it out of the configuration")
        self._pumps = {point: pumps[point] for point in sorted(pumps)}
        self._points = list(self._pumps)
        self._orders: deque[tuple[int, int, Order]] = deque()
        self._events: list[tuple[int, PumpEvent]] = []
        self._last = self._points[0]
        self._turn_for: int | None = None
        self._idle_next = 0
        self._busy_next = 0
        self._urgent_next = 0
        self._since_idle = 0
        self._offline_until: dict[int, int] = {}

    @property
    def points(self) -> tuple[int, ...]:
        """The fuelling points of this line."""
        return tuple(self._points)

    def submit(self, point: int, order: Order, now_us: int) -> None:
        """Take an order; its pump gets it at the first turn that begins strictly later."""
        if point not in self._pumps:
            raise KeyError(f"fuelling point {point} is not on this line: it has {self._points}")
        self._orders.append((now_us, point, order))

    def take_orders(self, now_us: int) -> None:
        """Hand the orders that came strictly before `now_us` to their pumps."""
        while self._orders and self._orders[0][0] < now_us:
            _, point, order = self._orders.popleft()
            self._pumps[point].submit(order, now_us)
            self._collect(point, now_us)

    def next(self, now_us: int) -> tuple[int, Turn]:
        """The next transmission on the line, and whose it is."""
        self.take_orders(now_us)
        point = self._choose(now_us)
        self._last = self._turn_for = point
        return point, self._pumps[point].next_turn(now_us)

    def answered(self, data: bytes, now_us: int) -> None:
        """The answer to the turn that `next` gave last; empty when none came."""
        if self._turn_for is None:
            raise RuntimeError("an answer, and no turn was given")
        point, self._turn_for = self._turn_for, None
        self._pumps[point].received(data, now_us)
        if data:
            self._offline_until.pop(point, None)
        elif point in self._offline_until:
            self._offline_until[point] = now_us + OFFLINE_POLL_US
        self._collect(point, now_us)

    def events(self) -> list[tuple[int, PumpEvent]]:
        """Take what has happened since the last call, in order."""
        taken, self._events = self._events, []
        return taken

    def quiet_cycle(self, now_us: int) -> tuple[Turn, ...] | None:
        """The turns that would go round and round from now; None if anything at all is going on."""
        if self._orders or self._offline_until:
            return None
        turns = []
        for index in range(len(self._points)):
            pump = self._pumps[self._points[(self._idle_next + index) % len(self._points)]]
            turn = pump.quiet_turn(now_us)
            if turn is None or pump.owes_turn:
                return None
            turns.append(turn)
        return tuple(turns)

    def skipped(self, count: int) -> None:
        """`count` turns of the quiet cycle were left out, each as if answered with "nothing"."""
        rounds, rest = divmod(count, len(self._points))
        for index in range(len(self._points)):
            point = self._points[(self._idle_next + index) % len(self._points)]
            polls = rounds + (1 if index < rest else 0)
            if polls:
                self._pumps[point].skipped(polls)
                self._last = point if index == (count - 1) % len(self._points) else self._last
        self._idle_next = (self._idle_next + count) % len(self._points)
        if count:
            self._since_idle = 0

    def port_lost(self, now_us: int) -> None:
        """The port is gone: every pump of the line counts as offline, by the rules of its own protocol."""
        self._turn_for = None
        for point, pump in self._pumps.items():
            for _ in range(LOST_TURNS_MAX):
                if point in self._offline_until:
                    break
                pump.next_turn(now_us)
                pump.received(b"", now_us)
                self._collect(point, now_us)
        # The port comes back for all at once.
        self._offline_until = dict.fromkeys(self._offline_until, now_us)

    def _collect(self, point: int, now_us: int) -> None:
        for event in self._pumps[point].events():
            if isinstance(event, Offline):
                self._offline_until[point] = now_us + OFFLINE_POLL_US
            self._events.append((point, event))

    def _choose(self, now_us: int) -> int:
        if self._pumps[self._last].owes_turn:
            return self._last
        urgent = self._after(self._urgent_next, [p for p in self._points if self._pumps[p].urgent])
        if urgent is not None:
            self._urgent_next = self._points.index(urgent) + 1
            return urgent
        gone = [point for point in self._points if point in self._offline_until]
        due = [point for point in gone if self._offline_until[point] <= now_us]
        # Not two silent pumps in a row while others wait.
        if due and (len(gone) == len(self._points) or self._last not in self._offline_until):
            return min(due, key=self._offline_until.__getitem__)
        return self._online(gone)

    def _online(self, gone: list[int]) -> int:
        busy = [point for point in self._points if point not in gone and self._pumps[point].busy]
        idle = [point for point in self._points if point not in gone and point not in busy]
        if busy and (not idle or self._since_idle < len(busy)):
            self._since_idle += 1
            point = self._after(self._busy_next, busy)
            assert point is not None, "one of several"
            self._busy_next = self._points.index(point) + 1
            return point
        self._since_idle = 0
        point = self._after(self._idle_next, idle)
        if point is None:  # all are gone: try the one that has waited longest
            return min(gone, key=self._offline_until.__getitem__)
        self._idle_next = (self._points.index(point) + 1) % len(self._points)
        return point

    def _after(self, index: int, candidates: list[int]) -> int | None:
        """The first candidate in the round from `index`."""
        count = len(self._points)
        return min(candidates, key=lambda p: (self._points.index(p) - index) % count, default=None)

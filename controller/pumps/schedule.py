"""Whose turn it is on a line: one half-duplex wire, several pumps, one transmission at a time.

In this order: a turn that is owed to the pump spoken to last (but a pump that only keeps the line for its delivery
gives way to a stop), the one transmission that stops all, pumps with a stop to be sent, now and then one that is silent
(so that it comes back by itself), pumps that are busy, idle ones (one between two rounds of the busy ones, so that none
starves). Pumps of different protocols may not share a line, but nothing here depends on which one it is. Sans-IO: no
port and no clock.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from controller.domain.seams import US_PER_S
from controller.pumps.core import KeepsLine, PumpCore, StopsAll, Turn
from controller.pumps.words import Offline, Online, Order, PumpEvent, Stop

SILENT_WAIT_US = 2 * US_PER_S
"""A silent pump costs the others a whole window: so long it is left alone at first, then twice as long each time."""
SILENT_WAIT_US_MAX = 30 * US_PER_S
"""Who switches a pump on again waits no longer than this; 31 silent pumps then take a sixth of the line."""
IDLE_TURNS_MIN = 6
"""While others are busy, an idle pump that had one of the last so many turns can wait: a lifted nozzle is still
seen within half a second."""
IDLE_ROUNDS = 3
"""After so many rounds of the busy pumps with an idle one between them, one follows without: an idle poll in each of
them would make running values a little older than they may be."""
LOST_TURNS_MAX = 64
"""More empty answers than any protocol's core needs to call its pump gone."""


@dataclass(slots=True)
class _Away:
    """A pump that is not known to be there: it is tried in turns that begin later than `due_us`.

    `wait_us`: how long it is left alone after the next try in vain; 0 until it was told as offline.
    """

    due_us: int = -1
    wait_us: int = 0


class LineSchedule:
    """The pumps of one line, by number of the fuelling point."""

    def __init__(self, pumps: Mapping[int, PumpCore]) -> None:
        if not pumps:
            raise ValueError("a line without pumps: take it out of the configuration")
        self._pumps = {point: pumps[point] for point in sorted(pumps)}
        self._points = tuple(self._pumps)
        self._index = {point: index for index, point in enumerate(self._points)}
        self._orders: deque[tuple[int, int, Order]] = deque()
        self._events: list[tuple[int, PumpEvent]] = []
        self._last = self._points[0]
        self._turn: Turn | None = None
        """The one under way, and after it the one before the next."""
        self._turn_for: int | None = None
        self._under_way = False
        self._gap_us: int | None = None
        """The shortest silence that an ordinary turn of this line has asked for."""
        self._stop_all_us: int | None = None
        self._broadcast: Turn | None = None
        self._stop_first: set[int] = set()
        # Kept from call to call: asking every pump before each turn would be most of the work of a line.
        self._busy: set[int] = set()
        self._urgent: set[int] = set()
        self._away = {point: _Away() for point in self._points}
        self._probes_in_row = 0
        self._probe_failed = False
        self._idle_next = self._busy_next = self._urgent_next = 0
        self._since_idle = 0
        self._idle_between = 0
        """Idle polls between rounds of busy pumps, since a round without one."""
        self._turns = 0
        self._idle_at = dict.fromkeys(self._points, -IDLE_TURNS_MIN)

    @property
    def points(self) -> tuple[int, ...]:
        """The fuelling points of this line."""
        return self._points

    # --- orders ---------------------------------------------------------------------------------------------

    def submit(self, point: int, order: Order, now_us: int) -> None:
        """Take an order; its pump gets it at the first turn that begins strictly later."""
        if point not in self._pumps:
            raise KeyError(f"fuelling point {point} is not on this line: it has {list(self._points)}")
        self._orders.append((now_us, point, order))

    def stop_all(self, now_us: int) -> None:
        """Stop every pump, from the first turn on that begins strictly later: before all orders that still wait.

        Each pump gets a `Stop` and answers for itself. Where the protocol has one transmission that stops all, it
        goes out first.
        """
        if self._stop_all_us is None:
            self._stop_all_us = now_us

    def take_orders(self, now_us: int) -> None:
        """Hand the orders that came strictly before `now_us` to their pumps."""
        if self._stop_all_us is not None and self._stop_all_us < now_us:
            self._stop_all_us = None
            self._take_stop_all(now_us)
        while self._orders and self._orders[0][0] < now_us:
            _, point, order = self._orders.popleft()
            self._give(point, order, now_us)

    def _take_stop_all(self, now_us: int) -> None:
        offers = (pump.stop_all_turn() for pump in self._pumps.values() if isinstance(pump, StopsAll))
        self._broadcast = next((turn for turn in offers if turn is not None), None)
        self._stop_first = set(self._busy)  # where fuel may run, before those that only might begin
        for point in self._points:
            self._give(point, Stop(), now_us)

    def _give(self, point: int, order: Order, now_us: int) -> None:
        self._pumps[point].submit(order, now_us)
        self._collect(point, now_us)

    # --- turns ----------------------------------------------------------------------------------------------

    def silence_us(self, now_us: int) -> int:
        """How long the line must be silent before the next turn, as far as is known now.

        A port that waits so long before it asks for `next` sends what is wanted most at that moment.
        """
        if self._pumps[self._last].owes_turn:
            return 0
        gap_us = self._gap_us or 0
        return self._shortened_us(gap_us) if self._choose(now_us) != self._last else gap_us

    def next(self, now_us: int) -> tuple[int, Turn]:
        """The next transmission on the line, and whose it is."""
        self.take_orders(now_us)
        self._make_way()
        if self._broadcast is not None and not self._pumps[self._last].owes_turn:
            turn, self._broadcast = self._broadcast, None
            self._turn, self._turn_for, self._under_way = turn, None, True
            return self._last, turn
        before, point = self._last, self._choose(now_us)
        owed = self._pumps[before].owes_turn
        if not owed:
            self._took(point)
        turn = self._pumps[point].next_turn(now_us)
        self._refresh(point)
        if not owed and (self._gap_us is None or turn.gap_us < self._gap_us):
            self._gap_us = turn.gap_us
        gap_us = self._shortened_us(turn.gap_us) if point != before else turn.gap_us
        if gap_us != turn.gap_us:
            turn = replace(turn, gap_us=gap_us)
        self._last = point
        self._turn, self._turn_for, self._under_way = turn, point, True
        return point, turn

    def _make_way(self) -> None:
        """Fuel that is to be stopped runs on: it does not wait until another pump's delivery is saved."""
        last = self._pumps[self._last]
        if isinstance(last, KeepsLine) and last.owes_turn and (self._broadcast is not None or self._urgent):
            last.give_way()
            self._refresh(self._last)

    def _shortened_us(self, gap_us: int) -> int:
        """The silence before a turn to another pump than the last one."""
        behind = self._turn
        if behind is None or behind.window_us:
            return gap_us
        return min(gap_us, behind.gap_us if behind.follow_us is None else behind.follow_us)

    def answered(self, data: bytes, now_us: int) -> None:
        """The answer to the turn that `next` gave last; empty when none came."""
        if self._turn is None or not self._under_way:
            raise RuntimeError("an answer, and no turn was given")
        self._under_way = False
        point = self._turn_for
        if point is None:
            return  # all were stopped at once: each pump's own status says what became of it
        asked = self._turn.window_us > 0
        self._pumps[point].received(data, now_us)
        away = self._away.get(point)
        if away is not None and asked:
            self._tried(away, answered=bool(data), now_us=now_us)
        self._collect(point, now_us)

    def _tried(self, away: _Away, *, answered: bool, now_us: int) -> None:
        self._probe_failed = not answered
        if answered:
            away.due_us = now_us  # until its state is known, or it falls silent again
            return
        away.due_us = now_us + away.wait_us
        away.wait_us = min(2 * away.wait_us, SILENT_WAIT_US_MAX)

    def events(self) -> list[tuple[int, PumpEvent]]:
        """Take what has happened since the last call, in order."""
        taken, self._events = self._events, []
        return taken

    def port_lost(self, now_us: int) -> None:
        """The port is gone: every pump of the line counts as offline, by the rules of its own protocol."""
        self._turn = self._broadcast = None
        for point, pump in self._pumps.items():
            for _ in range(LOST_TURNS_MAX):
                if point in self._away and self._away[point].wait_us:
                    break
                pump.next_turn(now_us)
                pump.received(b"", now_us)
                self._collect(point, now_us)
        # The port comes back for all at once.
        self._away = {point: _Away(now_us, SILENT_WAIT_US) for point in self._away}
        self._probe_failed = False

    def _collect(self, point: int, now_us: int) -> None:
        for event in self._pumps[point].events():
            if isinstance(event, Offline):
                self._gone(point, now_us)
            elif isinstance(event, Online):
                self._came(point, now_us)
            self._events.append((point, event))
        self._refresh(point)

    def _gone(self, point: int, now_us: int) -> None:
        # One that only seemed to come back does not begin anew.
        wait_us = max(self._away[point].wait_us, SILENT_WAIT_US) if point in self._away else SILENT_WAIT_US
        self._away[point] = _Away(now_us + wait_us, min(2 * wait_us, SILENT_WAIT_US_MAX))

    def _came(self, point: int, now_us: int) -> None:
        self._away.pop(point, None)
        for away in self._away.values():  # what was mended for one is often mended for all
            away.due_us = min(away.due_us, now_us)

    def _refresh(self, point: int) -> None:
        pump = self._pumps[point]
        for points, belongs in ((self._busy, pump.busy), (self._urgent, pump.urgent)):
            if belongs:
                points.add(point)
            else:
                points.discard(point)

    # --- turns that may be left out -------------------------------------------------------------------------

    @property
    def quiet_until_us(self) -> int | None:
        """The first turn that begins later than this is no quiet one; None: they go on for ever."""
        return min((away.due_us for away in self._away.values()), default=None)

    def quiet_cycle(self, now_us: int) -> tuple[Turn, ...] | None:
        """The turns that would go round and round from now; None if anything at all is going on.

        They end at `quiet_until_us`, when a silent pump is tried.
        """
        if self._orders or self._busy or self._urgent or self._stop_all_us is not None or self._broadcast is not None:
            return None
        if self._turn is not None and not self._turn.window_us:
            return None  # the next turn follows sooner than it would in its round
        points = self._round()
        if not points or any(away.due_us < now_us for away in self._away.values()):
            return None
        turns = []
        for point in points:
            turn = self._pumps[point].quiet_turn(now_us)
            if turn is None or self._pumps[point].owes_turn:
                return None
            turns.append(turn)
        return tuple(turns)

    def skipped(self, count: int) -> None:
        """`count` turns of the quiet cycle were left out, each as if answered with "nothing"."""
        points = self._round()
        for index, point in enumerate(points[:count]):
            polls = (count - index - 1) // len(points) + 1
            self._pumps[point].skipped(polls)
            self._refresh(point)
            self._idle_at[point] = self._turns + index + 1 + (polls - 1) * len(points)
        if count:
            self._last = points[(count - 1) % len(points)]
            self._idle_next = self._after(self._last)
            self._turns += count
            self._turn = None
            self._since_idle = self._probes_in_row = 0
            self._idle_between = 1
            self._probe_failed = False

    def _round(self) -> list[int]:
        """The pumps that answer, in the order in which idle ones get their turns from now on."""
        turned = self._points[self._idle_next :] + self._points[: self._idle_next]
        return [point for point in turned if point not in self._away]

    # --- the choice -----------------------------------------------------------------------------------------

    def _choose(self, now_us: int) -> int:
        """Whose turn is next. Changes nothing: `_took` does."""
        if self._pumps[self._last].owes_turn:
            return self._last
        if self._urgent:
            return self._first(self._urgent_next, self._stop_first & self._urgent or self._urgent)
        if self._away:
            due = [point for point in self._away if self._away[point].due_us < now_us]
            if len(self._away) == len(self._points):  # nobody else waits: try the one that has waited longest
                return min(due or self._away, key=lambda point: self._away[point].due_us)
            # Not two silent pumps in a row while others wait, nor without end such as answer and say no status.
            if due and not self._probe_failed and self._probes_in_row < len(self._away):
                return min(due, key=lambda point: self._away[point].due_us)
        return self._present()

    def _present(self) -> int:
        """A turn among the pumps that answer; there is at least one."""
        if not self._busy:
            return self._next_idle()
        busy = [point for point in self._busy if point not in self._away]
        rounds = 2 if self._idle_between >= IDLE_ROUNDS else 1
        if self._since_idle >= rounds * len(busy) and len(busy) + len(self._away) < len(self._points):
            idle = self._next_idle()
            if not busy or self._turns - self._idle_at[idle] >= IDLE_TURNS_MIN:
                return idle
        return self._first(self._busy_next, busy)

    def _next_idle(self) -> int:
        for index in range(self._idle_next, self._idle_next + len(self._points)):
            point = self._points[index % len(self._points)]
            if point not in self._busy and point not in self._away:
                return point
        raise RuntimeError("no pump of this line is idle")

    def _first(self, start: int, among: Iterable[int]) -> int:
        """The first of `among` in the round that begins at index `start`."""
        count = len(self._points)
        return min(among, key=lambda point: (self._index[point] - start) % count)

    def _took(self, point: int) -> None:
        """This pump has the turn, and owed none."""
        self._turns += 1
        self._probe_failed = False
        self._probes_in_row = self._probes_in_row + 1 if point in self._away else 0
        if point in self._urgent:
            self._urgent_next = self._after(point)
        elif point in self._away:
            pass
        elif point in self._busy:
            self._since_idle += 1
            self._busy_next = self._after(point)
        else:
            between = self._idle_between if self._busy else 0
            self._idle_between = 1 if between >= IDLE_ROUNDS else between + 1
            self._since_idle = 0
            self._idle_at[point] = self._turns
            self._idle_next = self._after(point)

    def _after(self, point: int) -> int:
        """The index behind this pump's, in the round."""
        return (self._index[point] + 1) % len(self._points)

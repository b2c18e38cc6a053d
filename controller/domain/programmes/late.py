"""An account whose events come late: a station was offline, and its sales arrive after others were posted.

The account is replayed from its snapshot with the late event in its place, and what comes out differently is posted
anew, at the late event's time and the present booking time. Postings that were made are never changed.
"""

import copy
from bisect import bisect_right

from controller.domain.programmes.engine import Engine
from controller.domain.programmes.events import AnyEvent, FieldError
from controller.domain.programmes.ledger import Leg, Posting
from controller.domain.programmes.programme import Programme


class LateBeyondSnapshot(ValueError):
    """An event is older than the account's snapshot: take it to a person, or replay from an older one."""


class AccountHistory:
    """The events of one account (a member, a contract, and their cards) since a snapshot, and all its postings."""

    def __init__(self, programme: Programme) -> None:
        self.postings: list[Posting] = []
        self._snapshot = Engine(programme)
        self._snapshot_ms: int | None = None
        self._since: list[tuple[int, AnyEvent]] = []
        self._engine = Engine(programme)

    @property
    def engine(self) -> Engine:
        """The account as it stands. Read its books; post by this class only."""
        return self._engine

    def post(self, event: AnyEvent, at_ms: int, booked_ms: int) -> list[Posting]:
        """Book an event that happened at `at_ms`, now. The new postings."""
        if self._snapshot_ms is not None and at_ms < self._snapshot_ms:
            raise LateBeyondSnapshot(
                f"{event.ref} happened at {at_ms}, before the account's snapshot of {self._snapshot_ms}"
            )
        if event.ref in self._engine.books.sales.refs:
            raise FieldError("ref", f"{event.ref!r} was posted before")
        late = bool(self._since) and at_ms < self._since[-1][0]
        place = bisect_right(self._since, at_ms, key=lambda known: known[0])
        self._since.insert(place, (at_ms, event))
        made = self._rerate(event, at_ms, booked_ms) if late else self._append(event, at_ms, booked_ms)
        self.postings.extend(made)
        return made

    def take_snapshot(self) -> None:
        """Forget the events until now: none older than the last is taken any more."""
        if self._since:
            self._snapshot = copy.deepcopy(self._engine)
            self._snapshot_ms = self._since[-1][0]
            self._since.clear()

    def _append(self, event: AnyEvent, at_ms: int, booked_ms: int) -> list[Posting]:
        made: list[Posting] = []
        books = self._engine.books
        books.ledger.sink, books.booked_ms = made.append, booked_ms
        self._engine.post(event, at_ms)
        books.ledger.sink, books.booked_ms = None, None
        return made

    def _rerate(self, event: AnyEvent, at_ms: int, booked_ms: int) -> list[Posting]:
        replayed = copy.deepcopy(self._snapshot)
        for known_ms, known in self._since:
            replayed.post(known, known_ms)
        before, after = self._engine.books.ledger, replayed.books.ledger
        made = []
        for commodity in sorted({*before.commodities(), *after.commodities()}):
            old, new = dict(before.accounts(commodity)), dict(after.accounts(commodity))
            legs = [Leg(name, new.get(name, 0) - old.get(name, 0)) for name in sorted({*old, *new})]
            moved = tuple(leg for leg in legs if leg.amount)
            if moved:
                made.append(Posting(event.ref, at_ms, booked_ms, commodity, moved))
        self._engine = replayed
        return made

"""An account whose events come late: a station was offline, and its sales arrive after others were posted.

The account is replayed with the late event in its place, and what comes out differently is posted anew, at the late
event's time and the present booking time. Postings that were made are never changed. Of a long account there are copies
as it stood some events ago: what comes little too late costs little.
"""

import copy
from bisect import bisect_right
from collections.abc import Iterable, Sequence

import msgspec

from controller.domain.programmes.answers import Answer
from controller.domain.programmes.engine import Engine
from controller.domain.programmes.events import AnyEvent, FieldError, Redeem, Sale
from controller.domain.programmes.ledger import Leg, Posting
from controller.domain.programmes.programme import Programme

MARK_EVERY, MARKS = 500, 2


class LateBeyondSnapshot(ValueError):
    """An event is older than the account's snapshot: take it to a person, or replay from an older one."""


class LateUndoes(ValueError):
    """A late event would undo a redemption that was granted since: what was paid with the points is gone."""


class AccountHistory:
    """The events of one account (a member, a contract, and their cards) since a snapshot, and all its postings."""

    def __init__(self, programme: Programme) -> None:
        self.postings: list[Posting] = []
        self._programme = programme
        self._snapshot: Engine | None = None
        """None: of an account without any event."""
        self._snapshot_ms: int | None = None
        self._since: list[tuple[int, AnyEvent]] = []
        self._engine = Engine(programme)
        self._marks: list[tuple[int, Engine]] = []
        """The account as it stood after so many events of `_since`: the last ones."""
        self._redeemed: set[str] = set()
        """Redemptions that were granted: whatever comes late, they stay so."""
        self._beyond: set[str] = set()
        """Those of them that would be refused, by what came late."""

    def resume(self, known: Iterable[tuple[int, AnyEvent]], granted: Iterable[str] = ()) -> None:
        """Take an account up again by the events that were posted, in the order of their times. Nothing is posted.

        `granted`: redemptions that were granted then, whatever came late since.
        """
        events = list(known)
        self._redeemed.update(granted)
        for number, (at_ms, event) in enumerate(events, 1):
            self._since.append((at_ms, event))
            self._note(event, self._engine.post(event, at_ms, granted=event.ref in self._redeemed))
            if len(events) - number < MARKS * MARK_EVERY:
                self._mark()

    def __len__(self) -> int:
        """Events in memory."""
        return len(self._since)

    @property
    def last_ms(self) -> int:
        """When its last event happened; 0 where there is none."""
        return self._since[-1][0] if self._since else self._snapshot_ms or 0

    @property
    def engine(self) -> Engine:
        """The account as it stands. Read its books; post by this class only."""
        return self._engine

    def post(self, event: AnyEvent, at_ms: int, booked_ms: int) -> list[Posting]:
        """Book an event that happened at `at_ms`, now. The new postings."""
        self._check_snapshot(at_ms, event)
        if event.ref in self._engine.books.sales.refs:
            raise FieldError("ref", f"{event.ref!r} was posted before")
        late = bool(self._since) and at_ms < self._since[-1][0]
        place = bisect_right(self._since, at_ms, key=lambda known: known[0])
        self._since.insert(place, (at_ms, event))
        made = self._rerate(place, event, at_ms, booked_ms) if late else self._append(event, at_ms, booked_ms)
        self.postings.extend(made)
        return made

    def post_all(
        self, events: Sequence[tuple[int, AnyEvent]], booked_ms: int, *, facts: bool = False
    ) -> tuple[list[Posting], dict[str, Answer]]:
        """Book several at once, late ones among them: the account is replayed once. New postings; answers by ref.

        What late events change together is posted under the ref of the first of them. `post` says what may not be.
        `facts`: these happened at a station, and are booked though a granted redemption comes out below zero.
        """
        made: list[Posting] = []
        answers: dict[str, Answer] = {}
        last_ms = self._since[-1][0] if self._since else None
        late = [found for found in events if last_ms is not None and found[0] < last_ms]
        if late:
            self._check_snapshot(*min(late, key=lambda found: found[0]))
            first_ms, first = min(late, key=lambda found: found[0])
            first_place = bisect_right(self._since, first_ms, key=lambda known: known[0])
            for at_ms, event in late:
                place = bisect_right(self._since, at_ms, key=lambda known: known[0])
                self._since.insert(place, (at_ms, event))
            refs = {event.ref for _, event in late}
            made += self._rerate(first_place, first, first_ms, booked_ms, answers, refs, facts=facts)
        for at_ms, event in sorted(events, key=lambda found: found[0]):
            if last_ms is None or at_ms >= last_ms:
                self._since.append((at_ms, event))
                made += self._append(event, at_ms, booked_ms, answers)
        self.postings.extend(made)
        return made, answers

    def rename_plate(self, known_as: str, plate: str, booked_ms: int) -> list[Posting]:
        """Sales were taken with a stand-in for a plate that is known now: rate them with it. The new postings."""
        places = [
            place for place, (_, event) in enumerate(self._since) if isinstance(event, Sale) and event.plate == known_as
        ]
        for place in places:
            at_ms, event = self._since[place]
            self._since[place] = (at_ms, msgspec.structs.replace(event, plate=plate))
        if not places:
            return []
        first_ms, first = self._since[places[0]]
        made = self._rerate(places[0], first, first_ms, booked_ms, facts=True)
        self.postings.extend(made)
        return made

    def take_snapshot(self) -> None:
        """Forget the events until now: none older than the last is taken any more."""
        if self._since:
            self._snapshot = copied(self._engine)
            self._snapshot_ms = self._since[-1][0]
            self._since.clear()
            self._marks.clear()

    def _note(self, event: AnyEvent, answer: Answer) -> None:
        if isinstance(event, Redeem) and answer.result == "accepted":
            self._redeemed.add(event.ref)
            if answer.reason is not None:
                self._beyond.add(event.ref)

    def _check_snapshot(self, at_ms: int, event: AnyEvent) -> None:
        if self._snapshot_ms is not None and at_ms < self._snapshot_ms:
            raise LateBeyondSnapshot(
                f"{event.ref} happened at {at_ms}, before the account's snapshot of {self._snapshot_ms}"
            )

    def _append(
        self, event: AnyEvent, at_ms: int, booked_ms: int, answers: dict[str, Answer] | None = None
    ) -> list[Posting]:
        made: list[Posting] = []
        books = self._engine.books
        books.ledger.sink, books.booked_ms = made.append, booked_ms
        answer = self._engine.post(event, at_ms)
        self._note(event, answer)
        if answers is not None:
            answers[event.ref] = answer
        books.ledger.sink, books.booked_ms = None, None
        self._mark()
        return made

    def _mark(self) -> None:
        """Have a copy from time to time: the last ones."""
        count = len(self._since)
        if count >= MARK_EVERY and count - (self._marks[-1][0] if self._marks else 0) >= MARK_EVERY:
            self._marks = [*self._marks[1 - MARKS :], (count, copied(self._engine))]

    def _rerate(
        self,
        place: int,
        event: AnyEvent,
        at_ms: int,
        booked_ms: int,
        answers: dict[str, Answer] | None = None,
        asked: Iterable[str] = (),
        *,
        facts: bool = False,
    ) -> list[Posting]:
        self._marks = [mark for mark in self._marks if mark[0] <= place]
        before_it, start = self._marks[-1] if self._marks else (0, self._snapshot)
        replayed = Engine(self._programme) if start is None else copied(start)
        for known_ms, known in self._since[before_it:]:
            granted = known.ref in self._redeemed
            answer = replayed.post(known, known_ms, granted=granted)
            online = isinstance(known, Redeem) and not known.offline
            if granted and online and answer.reason is not None and not facts and known.ref not in self._beyond:
                raise LateUndoes(
                    f"{event.ref} of {event.at} would undo the redemption {known.ref} of {known.at}: enter it with a "
                    "later time"
                )
            self._note(known, answer)
            if answers is not None and known.ref in asked:
                answers[known.ref] = answer
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


def copied(engine: Engine) -> Engine:
    """The same books once more; their programme is shared, for nobody changes it."""
    programme = engine.books.programme
    return copy.deepcopy(engine, {id(programme): programme})

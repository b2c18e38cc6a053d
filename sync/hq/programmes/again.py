"""Rows that could not be posted, posted again when a person has mended what was missing: each once, for ever.

A row comes off the oddities in the commit of its events. Knows no rule of any programme.
"""

import sqlalchemy as sa

from controller.domain.names import parse_row_name
from controller.domain.records import RowName, Settlement
from sync.hq.programmes.ledger import ProgrammeLedger
from sync.hq.programmes.office_asks import AgainAnswer, AgainAsk, PostedAgain
from sync.hq.programmes.posting import CANNOT, Posting, in_words
from sync.hq.programmes.sales import ref_of
from sync.hq.programmes.statements import DeskError
from sync.hq.programmes.tables import oddities, posted_again

SEQ_MAX = 1 << 62
_EXPECTED = "expected STATION/ROW, as `forecourt hq programme oddities` shows them"


def post_again(db: sa.Connection, ledger: ProgrammeLedger, posting: Posting, ask: AgainAsk, now_ms: int) -> AgainAnswer:
    """All of these rows or, where one cannot be posted, none: DeskError says which, and why. See AgainAsk."""
    if not ask.rows and not ask.all:
        raise DeskError("name rows, or --all: `forecourt hq programme oddities` shows them")
    again = _Again(db, ledger, posting, now_ms)
    named = [_named(row) for row in dict.fromkeys(ask.rows)]
    if ask.all:
        waiting = again.waiting()
        named = [each for each in waiting if each in set(named)] if named else waiting
    else:
        for station, name in named:
            again.check(station, name)
    posted = []
    for station, name in named:
        refs = again.post(station, name, must=not ask.all)
        if refs:
            posted.append(PostedAgain(f"{station}/{name.text}", refs))
    return AgainAnswer(tuple(posted))


class _Again:
    """One programme's, within one transaction."""

    def __init__(self, db: sa.Connection, ledger: ProgrammeLedger, posting: Posting, now_ms: int) -> None:
        self._db = db
        self._ledger = ledger
        self._posting = posting
        self._now_ms = now_ms

    def waiting(self) -> list[tuple[str, RowName]]:
        """Those that wait for a person, by the time at which they were seen."""
        query = sa.select(oddities).where(oddities.c.programme == self._ledger.programme.name)
        rows = self._db.execute(query.order_by(oddities.c.at_ms, oddities.c.station_id, oddities.c.seq))
        return [(row.station_id, RowName(bytes(row.epoch), row.seq)) for row in rows]

    def check(self, station: str, name: RowName) -> None:
        """That it waits for a person. DeskError."""
        where = self._at(posted_again, station, name)
        done = self._db.execute(sa.select(posted_again.c.again_ms).where(*where)).scalar()
        if done is not None:
            at = self._posting.local.text(done)
            raise DeskError(f"{station}/{name.text} was posted again on {at}: a row is posted never twice")
        if self._db.execute(sa.select(oddities.c.seq).where(*self._at(oddities, station, name))).first() is None:
            raise DeskError(
                f"{station}/{name.text} is not among the oddities of {self._ledger.programme.name}: "
                "see `forecourt hq programme oddities`"
            )

    def post(self, station: str, name: RowName, *, must: bool) -> tuple[str, ...]:
        """The events that the row makes now; none where it still makes none. `must`: then DeskError says why."""
        where = self._at(oddities, station, name)
        odd = self._db.execute(sa.select(oddities).where(*where)).one()
        self._db.execute(sa.delete(oddities).where(*where))
        refs, failed = self._tried(station, name)
        if refs:
            done = {"what": odd.what, "at_ms": odd.at_ms, "again_ms": self._now_ms}
            key = {"programme": odd.programme, "station_id": station, "seq": name.seq, "epoch": name.epoch}
            self._db.execute(sa.insert(posted_again).values(**key, **done))
            return refs
        # What was said of it first stays: the reader may have put it down anew.
        said = self._db.execute(sa.select(oddities.c.what).where(*where)).scalar()
        self._db.execute(sa.delete(oddities).where(*where))
        self._db.execute(sa.insert(oddities).values(**odd._mapping))
        if must:
            why = failed or said or self._why(station, name, odd.what)
            raise DeskError(f"{station}/{name.text} cannot be posted: {why}")
        return ()

    def _tried(self, station: str, name: RowName) -> tuple[tuple[str, ...], str]:
        """What the row made, or why it cannot be kept: then nothing is left of it."""
        try:
            with self._db.begin_nested():
                return self._posting.reader(self._db, station, self._now_ms).post_one(name), ""
        except CANNOT as error:
            self._ledger.forget()
            return (), in_words(error)

    def _why(self, station: str, name: RowName, what: str) -> str:
        body = self._posting.reader(self._db, station, self._now_ms).row(name)
        delivery = body.record.delivery if body is not None and isinstance(body.record, Settlement) else name
        refs = {ref_of(station, name), ref_of(station, delivery)}
        known = self._posting.known(self._db, refs)
        return f"it is posted already, as {known[0]}" if known else what

    def _at(self, table: sa.Table, station: str, name: RowName) -> tuple[sa.ColumnElement[bool], ...]:
        mine = (table.c.programme == self._ledger.programme.name, table.c.station_id == station)
        return (*mine, table.c.seq == name.seq, table.c.epoch == name.epoch)


def _named(text: str) -> tuple[str, RowName]:
    station, _, row = text.rpartition("/")
    try:
        name = parse_row_name(row)
    except ValueError as error:
        raise DeskError(f"{_EXPECTED}, got {text}") from error
    if not station or name.seq > SEQ_MAX:
        raise DeskError(f"{_EXPECTED}, got {text}")
    return station, name

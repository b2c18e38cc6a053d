"""A station's rows and sales, read again within one transaction: many at once, and single ones where they are far away.

Knows no programme.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from controller.domain.programme_records import Presented, Quoted
from controller.domain.records import Authorised, Body, Delivery, RowName, decode_body
from sync.hq.schema import branches, rows, sales

BEHIND = 500
"""Rows before those that are posted: most deliveries are settled within as many."""


class StationRows:
    """Of one station. Bodies come with the time at which headquarters got them."""

    def __init__(self, db: sa.Connection, station: str) -> None:
        self._db = db
        self._station = station
        self._first, self._last = 0, -1
        """The numbers that are loaded, both included."""
        self._seqs: list[int] = []
        self._loaded: list[tuple[Body, int, int]] = []
        self._by_name: dict[RowName, tuple[Body, int]] = {}
        self._sales: dict[RowName, sa.Row[Any]] = {}
        self._branches: dict[int, tuple[int, int]] | None = None

    def load(self, after: int, until: int) -> None:
        """Read these rows, some before them, and the sales whose deliveries are among them."""
        self._first, self._last = max(after - BEHIND, 1), until
        mine = rows.c.station_id == self._station, rows.c.seq.between(self._first, self._last)
        columns = rows.c.body, rows.c.received_ms, rows.c.branch
        found = self._db.execute(sa.select(*columns).where(*mine).order_by(rows.c.seq, rows.c.epoch))
        self._loaded = [(decode_body(bytes(row.body)), row.received_ms, row.branch) for row in found]
        self._seqs = [body.name.seq for body, *_ in self._loaded]
        self._by_name = {body.name: (body, received_ms) for body, received_ms, _ in self._loaded}
        query = sa.select(sales).where(
            sales.c.station_id == self._station, sales.c.seq.between(self._first, self._last)
        )
        self._sales = {RowName(bytes(row.epoch), row.seq): row for row in self._db.execute(query)}

    def of_branch(self, branch: int, after: int) -> list[tuple[Body, int]]:
        """Of those that are loaded, a branch's after a number."""
        start = bisect_right(self._seqs, after)
        return [(body, received_ms) for body, received_ms, of in self._loaded[start:] if of == branch]

    def between(self, first: int, last: RowName) -> Sequence[Body]:
        """Rows after a number and before a row, of its own chain: what another disk says has no part in it."""
        if self._first <= first + 1 and last.seq <= self._last:
            here = self._loaded[bisect_right(self._seqs, first) : bisect_left(self._seqs, last.seq)]
            found = [(body, branch) for body, _, branch in here]
        else:
            mine = rows.c.station_id == self._station, rows.c.seq > first, rows.c.seq < last.seq
            query = sa.select(rows.c.body, rows.c.branch).where(*mine).order_by(rows.c.seq, rows.c.epoch)
            found = [(decode_body(bytes(row.body)), row.branch) for row in self._db.execute(query)]
        if len(self._forks()) < 2:
            return [body for body, _ in found]
        branch = self._branch_of(last)
        return [body for body, of in found if of == self._chain(branch, body.name.seq)]

    def _forks(self) -> dict[int, tuple[int, int]]:
        """By branch: its parent, and the number after which it leaves it."""
        if self._branches is None:
            query = sa.select(branches).where(branches.c.station_id == self._station)
            self._branches = {row.branch: (row.parent, row.fork_seq) for row in self._db.execute(query)}
        return self._branches

    def _chain(self, branch: int, seq: int) -> int:
        """Which branch has the row of this number in a branch's chain."""
        while branch in self._forks() and seq <= self._forks()[branch][1]:
            branch = self._forks()[branch][0]
        return branch

    def _branch_of(self, name: RowName) -> int:
        query = sa.select(rows.c.branch).where(
            rows.c.station_id == self._station, rows.c.seq == name.seq, rows.c.epoch == name.epoch
        )
        found: int = self._db.execute(query).scalar_one()
        return found

    def one(self, name: RowName) -> tuple[Body, int] | None:
        """The row of this name; None for one that never came."""
        if self._first <= name.seq <= self._last:
            return self._by_name.get(name)
        query = sa.select(rows.c.body, rows.c.received_ms).where(
            rows.c.station_id == self._station, rows.c.seq == name.seq, rows.c.epoch == name.epoch
        )
        found = self._db.execute(query).one_or_none()
        return None if found is None else (decode_body(bytes(found.body)), found.received_ms)

    def sale(self, delivery: RowName) -> sa.Row[Any] | None:
        """What headquarters' books say of a delivery."""
        if self._first <= delivery.seq <= self._last:
            return self._sales.get(delivery)
        query = sa.select(sales).where(
            sales.c.station_id == self._station, sales.c.seq == delivery.seq, sales.c.epoch == delivery.epoch
        )
        return self._db.execute(query).one_or_none()

    def deliveries(self) -> list[RowName]:
        """Those among the loaded rows."""
        return [body.name for body, *_ in self._loaded if isinstance(body.record, Delivery)]

    def token_keys(self) -> Iterable[bytes]:
        """What was shown in the loaded rows, each once."""
        return dict.fromkeys(key for body, *_ in self._loaded for key in _keys_of(body) if key)


def _keys_of(body: Body) -> Iterator[bytes]:
    match body.record:
        case Authorised() as record:
            yield record.evidence.plate_key
        case Delivery() as record:
            yield b"" if record.token is None else record.token.key
        case Presented() as record:
            yield record.token.key
            yield record.plate_key
        case Quoted() as record:
            yield b"" if record.token is None else record.token.key
            yield record.bound_plate
        case _:
            pass

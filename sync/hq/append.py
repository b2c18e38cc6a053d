"""One batch's way into the tables, within one transaction, and what is then said to be on disk.

Rows hang on the row before them, wherever that lies: on a head they make its branch longer, elsewhere they make a
new branch. Knows no signature and no connection's settings.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from controller.domain.records import GENESIS, Body, Row, RowName
from sync.hq.books import Books
from sync.hq.prepaid import allotments_due
from sync.hq.schema import branches, rows, stations
from sync.hq.used_codes import used_elsewhere
from sync.hq.went_back import WentBack
from sync.wire import MAX_KNOWN, Acknowledgement, Expects, NameReused, Position

HEADS_MAX = 16
"""Branches whose heads are told in an acknowledgement; a station has one, and one more for each restored disk."""
STEPS_MAX = 24
"""Older rows that are told when an ancestor is sought, at doubling distances: 2**24 rows back is many years."""
NO_BRANCH = -1

_BRANCHES = sa.select(branches).where(branches.c.station_id == sa.bindparam("station"))
_ANCHOR = sa.select(rows.c.branch, rows.c.epoch).where(
    rows.c.station_id == sa.bindparam("station"), rows.c.seq == sa.bindparam("seq"), rows.c.hash == sa.bindparam("hash")
)
_BETWEEN = sa.select(rows.c.epoch, rows.c.seq, rows.c.hash, rows.c.branch).where(
    rows.c.station_id == sa.bindparam("station"), rows.c.seq.between(sa.bindparam("first"), sa.bindparam("last"))
)
_GROW = (
    sa.update(branches)
    .where(branches.c.station_id == sa.bindparam("b_station"), branches.c.branch == sa.bindparam("b_branch"))
    .values({name: sa.bindparam(name) for name in ("head_epoch", "head_seq", "head_hash", "grown_ms")})
)
_FORK = sa.insert(branches)
_KEEP = sa.insert(rows)
_COUNTED = ("rows", "sales", "volume_ml", "amount_minor", "unpaid")
_MOVE = (
    sa.update(stations)
    .where(stations.c.station_id == sa.bindparam("b_station"))
    .values(
        {name: stations.c[name] + sa.bindparam("by_" + name, type_=sa.BigInteger) for name in _COUNTED}
        | {"branch": sa.bindparam("branch")}
    )
)


class Append:
    """One batch's way into the tables, within one transaction."""

    def __init__(self, db: sa.Connection, station: str, current_branch: int, now_ms: int) -> None:
        self._db = db
        self._station = station
        self._current = current_branch
        self._now_ms = now_ms
        found = db.execute(_BRANCHES, {"station": station}).all()
        self._heads = {b.branch: Position(bytes(b.head_epoch), b.head_seq, bytes(b.head_hash)) for b in found}
        self._grown_ms = {b.branch: b.grown_ms for b in found}
        self._left = {b.branch: (b.parent, b.fork_seq) for b in found}
        """By branch: from which one, and after which row."""

    def run(self, after_seq: int, previous_hash: bytes, new: Sequence[tuple[Row, Body]]) -> Acknowledgement:
        """Store what is new after that row. NameReused if a row has a stored one's name and not its bytes."""
        anchor = self._anchor(after_seq, previous_hash)
        if anchor is None:
            return self._answer(self._current, None, Expects.ANCESTOR)
        branch, last = anchor
        nothing_beyond = all(head.seq <= after_seq for head in self._heads.values())
        stored = {} if nothing_beyond else self._stored(after_seq + 1, after_seq + len(new))
        fresh: list[tuple[Row, Body]] = []
        for row, body in new:
            held = stored.get(body.name)
            if held is None:
                fresh.append((row, body))
            elif held[0] != row.hash or fresh:
                raise NameReused(
                    f"station {self._station} sent row {body.name.text} with other contents than before: its "
                    "journal was changed; keep both files and have them looked at"
                )
            else:
                branch = held[1]
                last = Position(body.name.epoch, body.name.seq, row.hash)
        if fresh:
            branch = self._grow(branch, last, fresh)
            row, body = fresh[-1]
            last = Position(body.name.epoch, body.name.seq, row.hash)
        return self._answer(branch, last, Expects.NEXT)

    def _anchor(self, seq: int, row_hash: bytes) -> tuple[int, Position | None] | None:
        """That row and its branch; NO_BRANCH and None for the beginning of all; None if it is not here."""
        if seq == 0:
            return (NO_BRANCH, None) if row_hash == GENESIS else None
        for branch, head in self._heads.items():
            if head.seq == seq and head.hash == row_hash:
                return branch, head
        found = self._db.execute(_ANCHOR, {"station": self._station, "seq": seq, "hash": row_hash}).first()
        return None if found is None else (found.branch, Position(bytes(found.epoch), seq, row_hash))

    def _stored(self, first: int, last: int) -> dict[RowName, tuple[bytes, int]]:
        found = self._db.execute(_BETWEEN, {"station": self._station, "first": first, "last": last})
        return {RowName(bytes(r.epoch), r.seq): (bytes(r.hash), r.branch) for r in found}

    def _grow(self, branch: int, last: Position | None, fresh: Sequence[tuple[Row, Body]]) -> int:
        row, body = fresh[-1]
        head = {
            "head_epoch": body.name.epoch,
            "head_seq": body.name.seq,
            "head_hash": row.hash,
            "grown_ms": self._now_ms,
        }
        if last is not None and self._heads[branch] == last:
            self._db.execute(_GROW, {"b_station": self._station, "b_branch": branch, **head})
        else:
            parent, branch = branch, len(self._heads)
            self._left[branch] = parent, last.seq if last else 0
            self._db.execute(
                _FORK,
                {
                    "station_id": self._station,
                    "branch": branch,
                    "parent": parent,
                    "fork_seq": last.seq if last else 0,
                    **head,
                },
            )
        self._heads[branch] = Position(body.name.epoch, body.name.seq, row.hash)
        self._grown_ms[branch] = self._now_ms
        went_back = self._current not in {NO_BRANCH, branch}
        self._current = branch
        self._db.execute(
            _KEEP,
            [
                {
                    "station_id": self._station,
                    "seq": body.name.seq,
                    "epoch": body.name.epoch,
                    "branch": branch,
                    "hash": row.hash,
                    "body": row.body,
                    "received_ms": self._now_ms,
                }
                for row, body in fresh
            ],
        )
        moved = Books(self._db, self._station, self._now_ms).enter([body for _, body in fresh])
        if went_back:
            WentBack(self._db, self._station, self._chain(branch), self._now_ms).settle(fresh[0][1].name)
        self._db.execute(
            _MOVE,
            {"b_station": self._station, "branch": branch, "by_rows": len(fresh)}
            | {"by_" + n: by for n, by in moved.items()},
        )
        return branch

    def _chain(self, branch: int) -> list[tuple[int, int | None]]:
        """The branches on whose rows this one stands, and up to which; itself first, whole."""
        chain: list[tuple[int, int | None]] = [(branch, None)]
        last: int | None = None
        while (left := self._left.get(branch)) is not None and left[0] != NO_BRANCH:
            branch, last = left[0], left[1] if last is None else min(last, left[1])
            chain.append((branch, last))
        return chain

    def _answer(self, branch: int, last: Position | None, expects: Expects) -> Acknowledgement:
        known = [] if last is None else [last]
        newest_first = sorted(self._heads, key=lambda b: (self._grown_ms[b], b), reverse=True)
        known += [self._heads[b] for b in newest_first[:HEADS_MAX]]
        if expects is Expects.ANCESTOR and self._heads:
            top = max(head.seq for head in self._heads.values())
            older = [top - (1 << step) for step in range(STEPS_MAX) if top > 1 << step]
            query = (
                sa.select(rows.c.epoch, rows.c.seq, rows.c.hash)
                .where(rows.c.station_id == self._station, rows.c.seq.in_(older))
                .order_by(rows.c.seq.desc())
            )
            known += [Position(bytes(r.epoch), r.seq, bytes(r.hash)) for r in self._db.execute(query)]
        told = tuple(dict.fromkeys(known))[:MAX_KNOWN]
        due = allotments_due(self._db, self._station)
        mine = [] if self._current == NO_BRANCH else self._chain(self._current)
        used = used_elsewhere(self._db, self._station, mine, self._now_ms)
        return Acknowledgement(self._station, self._heads.get(branch), told, expects, due, used)

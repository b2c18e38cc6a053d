"""A station's disk that went back: what was set apart there comes to it again, less what was spent of it since.

Headquarters keeps the rows that the disk has lost. When a station goes on with another branch of its rows than before,
each allotment whose row is not on that branch is told again, and what deliveries and redemptions took that are not on
it is taken off, by a word of its own, which is no allotment. So what is known to be spent and what the station may
still spend are together what was set apart. Runs within the transaction that stores the rows. Knows no wire.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from controller.domain.names import RowName
from controller.domain.records import decode_body
from sync.hq.prepaid_rows import PrepaidRows, tell_off
from sync.hq.prepaid_tables import allotments, allotted_fills, allotted_rows, taken_off
from sync.hq.schema import rows

Chain = Sequence[tuple[int, int | None]]
"""The branches on whose rows one stands, itself among them, and up to which row; None: whole."""


def on_chain(chain: Chain) -> sa.ColumnElement[bool]:
    """Of the table of rows: those that a station has which goes on with this."""
    return sa.or_(
        *(
            rows.c.branch == branch if last is None else sa.and_(rows.c.branch == branch, rows.c.seq <= last)
            for branch, last in chain
        )
    )


class WentBack:
    """One station that goes on with another branch."""

    def __init__(self, db: sa.Connection, station: str, chain: Chain, now_ms: int) -> None:
        self._db = db
        self._station = station
        self._now_ms = now_ms
        self._on_chain = on_chain(chain)

    def settle(self, name: RowName) -> None:
        """See what it lacks. `name`: of the first row that it went on with."""
        self._know_older()
        self._tell_again()
        untold = taken_off.c.station_id == self._station, taken_off.c.arrived.is_(False)
        self._db.execute(sa.delete(taken_off).where(*untold))  # reckoned anew here
        lost = self._lost_spends()
        heard = self._sums(taken_off, taken_off.c.amount_minor, self._on_chain)
        for account in self._accounts():
            amount_minor = -lost.get(account, 0) - heard.get(account, 0)
            tell_off(self._db, self._station, name, account, amount_minor, self._now_ms)

    # ---- inside

    def _know_older(self) -> None:
        """A database that an older program wrote lacks the rows by which allotments arrived: they are read once."""
        mine = allotments.c.station_id == self._station, allotments.c.arrived.is_(True)
        known = sa.select(allotted_rows.c.allotment_id).where(allotted_rows.c.station_id == self._station)
        lacks = sa.select(allotments.c.account).where(*mine, allotments.c.allotment_id.not_in(known))
        if self._db.execute(lacks.limit(1)).first() is None:
            return
        found = self._db.execute(sa.select(rows.c.body).where(rows.c.station_id == self._station)).scalars()
        PrepaidRows(self._db, self._station, self._now_ms).keep_older(decode_body(bytes(body)) for body in found)

    def _tell_again(self) -> None:
        """Allotments whose rows are known, and not on this branch; those of before rows were kept stay as they are."""
        query = sa.select(allotted_rows.c.allotment_id, sa.func.max(sa.case((self._on_chain, 1), else_=0)))
        found = self._db.execute(
            query.select_from(_with_rows(allotted_rows))
            .where(allotted_rows.c.station_id == self._station, allotted_rows.c.allotment_id != "")
            .group_by(allotted_rows.c.allotment_id)
        )
        for allotment_id, there in found.all():
            key = allotments.c.station_id == self._station, allotments.c.allotment_id == allotment_id
            self._db.execute(sa.update(allotments).where(*key).values(arrived=bool(there)))

    def _lost_spends(self) -> dict[str, int]:
        """By account or pot: deliveries, and redemptions of vouchers."""
        lost = self._sums(allotted_fills, allotted_fills.c.amount_minor, sa.not_(self._on_chain))
        redeemed = sa.and_(sa.not_(self._on_chain), allotted_rows.c.allotment_id == "")
        for account, points in self._sums(allotted_rows, allotted_rows.c.amount_minor, redeemed).items():
            lost[account] = lost.get(account, 0) + points
        return lost

    def _sums(self, table: sa.Table, amount: sa.Column[int], which: sa.ColumnElement[bool]) -> dict[str, int]:
        query = sa.select(table.c.account, sa.func.sum(amount)).select_from(_with_rows(table))
        found = self._db.execute(query.where(table.c.station_id == self._station, which).group_by(table.c.account))
        return {str(account): int(total) for account, total in found}

    def _accounts(self) -> list[str]:
        """Of which anything is set apart there."""
        query = sa.select(allotments.c.account).where(allotments.c.station_id == self._station).distinct()
        return sorted(self._db.execute(query).scalars())


def _with_rows(table: sa.Table) -> sa.FromClause:
    """With the branch of each row that is named there."""
    same = table.c.station_id == rows.c.station_id, table.c.seq == rows.c.seq, table.c.epoch == rows.c.epoch
    return table.join(rows, sa.and_(*same))

"""Points of vouchers that are set apart at stations, to be spent while headquarters is not heard.

What is set apart at a station is spent there and nowhere else, until it was spent or taken back; taken back is what the
station's own journal says. So no stations together can spend more than a voucher has. Knows no command and no wire.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from controller.domain.member_books import voucher_pot
from controller.domain.programmes.books import Books
from controller.domain.programmes.purses import Voucher
from controller.domain.programmes.sale_book import REVERSED
from sync.hq.prepaid_tables import allotments
from sync.hq.programmes.tables import apart


@dataclass(frozen=True, slots=True)
class AtStation:
    """One station's part of a voucher. `points`: set apart, and not known to be taken back. `asked_back`: on its way.

    `spent`: there, with and without headquarters.
    """

    station: str
    points: int
    spent: int
    asked_back: int

    @property
    def left(self) -> int:
        return max(self.points - self.spent, 0)


class Apart:
    """One programme's part of the table, within one transaction."""

    def __init__(self, db: sa.Connection, programme: str) -> None:
        self._db = db
        self._programme = programme

    def vouchers(self) -> set[str]:
        """Of which anything was ever set apart."""
        query = sa.select(apart.c.voucher).where(apart.c.programme == self._programme).distinct()
        return set(self._db.execute(query).scalars())

    def at_stations(self, books: Books, voucher: Voucher) -> list[AtStation]:
        """By station, where anything was ever set apart of it."""
        where = (apart.c.programme == self._programme, apart.c.voucher == voucher.id)
        points: dict[str, int] = {}
        asked_back: dict[str, int] = {}
        for row in self._db.execute(sa.select(apart).where(*where).order_by(apart.c.station_id)):
            points.setdefault(row.station_id, 0)
            if row.points > 0 or row.arrived:
                points[row.station_id] += row.points
            else:
                asked_back[row.station_id] = asked_back.get(row.station_id, 0) - row.points
        spent = _spent(books, voucher) if points else {}
        return [
            AtStation(station, there, spent.get(station, 0), asked_back.get(station, 0))
            for station, there in points.items()
        ]

    def usable_at(self, books: Books, voucher: Voucher, station: str) -> int:
        """What a station may be granted of a voucher: all of it but what is set apart at others."""
        elsewhere = sum(each.left for each in self.at_stations(books, voucher) if each.station != station)
        return books.balance(voucher) - elsewhere

    def known(self, voucher: str, station: str, allotment_id: str) -> int | None:
        """How many points an allotment is; None for a new one."""
        query = sa.select(apart.c.points).where(*self._key(voucher, station, allotment_id))
        return self._db.execute(query).scalar()

    def keep(self, voucher: str, station: str, allotment_id: str, points: int, now_ms: int) -> None:
        """Set apart, or take back. The station is told until it has it."""
        named = {"station_id": station, "allotment_id": allotment_id, "booked_ms": now_ms, "arrived": False}
        self._db.execute(sa.insert(apart).values(programme=self._programme, voucher=voucher, points=points, **named))
        self._db.execute(sa.insert(allotments).values(account=voucher_pot(voucher), amount_minor=points, **named))

    def arrived(self, station: str, pot: str, allotment_id: str) -> None:
        """The station's journal has it, and what it spent before is posted."""
        voucher = pot.removeprefix(voucher_pot(""))
        self._db.execute(sa.update(apart).where(*self._key(voucher, station, allotment_id)).values(arrived=True))

    def _key(self, voucher: str, station: str, allotment_id: str) -> tuple[sa.ColumnElement[bool], ...]:
        mine = (apart.c.programme == self._programme, apart.c.voucher == voucher)
        return (*mine, apart.c.station_id == station, apart.c.allotment_id == allotment_id)


def _spent(books: Books, voucher: Voucher) -> dict[str, int]:
    """By station, what was taken of a voucher there and not given back."""
    sales, found = books.sales, dict[str, int]()
    for number, (account, pieces) in sales.redemptions.items():
        if account is voucher and not sales.is_flagged(number, REVERSED):
            station = sales.station_of(number)
            found[station] = found.get(station, 0) + sum(points for _, points in pieces)
    return found

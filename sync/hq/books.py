"""What rows mean in headquarters' books: sales, accounts, and rows that do not add up.

A delivery counts as a sale once, when its first settlement comes; a test measure closes it, and then it is none. What
a restored disk made a station write a second time is kept as a row and put aside as an oddity, so nothing is lost and
nothing counts twice. Runs within the transaction that stores the rows; knows no chain and no branch.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from controller.domain.records import Body, Delivery, RowName, Settlement, TenderKind, TestMeasure
from sync.hq.prepaid_rows import PrepaidRows
from sync.hq.schema import oddities, postings, sales
from sync.hq.used_codes import CodeRows

UNKNOWN_DELIVERY = "settles_unknown_delivery"
SETTLED_TWICE = "settles_again"

_DELIVERED = sa.insert(sales)
_POSTED = sa.insert(postings)
_ODD = sa.insert(oddities)
_SETTLE = (
    sa.update(sales)
    .where(
        sales.c.station_id == sa.bindparam("b_station_id"),
        sales.c.seq == sa.bindparam("b_seq"),
        sales.c.epoch == sa.bindparam("b_epoch"),
    )
    .values(
        {name: sa.bindparam("b_" + name) for name in ("settled_seq", "settled_epoch", "settled_ms", "receipt_number")}
    )
)


class Books:
    """Sales, accounts and oddities out of rows that are new, within the transaction that stores them."""

    def __init__(self, db: sa.Connection, station: str, now_ms: int) -> None:
        self._db = db
        self._station = station
        self._now_ms = now_ms

    def enter(self, bodies: Sequence[Body]) -> dict[str, int]:
        """By how much the station's totals move."""
        fresh = {b.name: self._delivered(b, b.record) for b in bodies if isinstance(b.record, Delivery)}
        known = fresh | self._delivered_before(
            [
                b.record.delivery.seq
                for b in bodies
                if isinstance(b.record, Settlement | TestMeasure)
                if b.record.delivery not in fresh
            ]
        )
        settled_before: list[dict[str, Any]] = []
        odd: list[dict[str, Any]] = []
        posted: list[dict[str, Any]] = []
        moved = {"sales": 0, "volume_ml": 0, "amount_minor": 0, "unpaid": len(fresh)}
        for body in bodies:
            record = body.record
            if not isinstance(record, Settlement | TestMeasure):
                continue
            sale = known.get(record.delivery)
            if sale is None or sale["settled_seq"] is not None:
                what = UNKNOWN_DELIVERY if sale is None else SETTLED_TWICE
                odd.append({**self._named(body), "what": what, "at_ms": self._now_ms})
                continue
            sale |= {
                "settled_seq": body.name.seq,
                "settled_epoch": body.name.epoch,
                "settled_ms": body.stamp.wall_ms,
                "receipt_number": record.receipt_number if isinstance(record, Settlement) else None,
            }
            if record.delivery not in fresh:
                settled_before.append({"b_" + name: value for name, value in sale.items()})
            moved["unpaid"] -= 1
            if isinstance(record, TestMeasure):
                continue  # back in the tank: closed, and no sale
            moved["sales"] += 1
            moved["volume_ml"] += sale["volume_ml"]
            moved["amount_minor"] += sale["amount_minor"]
            posted += [
                {
                    **self._named(body),
                    "tender": number,
                    "account": sale["account"],
                    "amount_minor": -tender.amount_minor,
                    "booked_ms": self._now_ms,
                }
                for number, tender in enumerate(record.tenders)
                if tender.kind is TenderKind.ACCOUNT
            ]
        for insert, entries in ((_DELIVERED, list(fresh.values())), (_POSTED, posted), (_ODD, odd)):
            if entries:
                self._db.execute(insert, entries)
        if settled_before:
            self._db.execute(_SETTLE, settled_before)
        PrepaidRows(self._db, self._station, self._now_ms).enter(bodies)
        CodeRows(self._db, self._station, self._now_ms).enter(bodies)
        return moved

    def _named(self, body: Body) -> dict[str, Any]:
        return {"station_id": self._station, "seq": body.name.seq, "epoch": body.name.epoch}

    def _delivered(self, body: Body, record: Delivery) -> dict[str, Any]:
        return {
            **self._named(body),
            "delivered_ms": body.stamp.wall_ms,
            "point": record.point,
            "grade": record.grade,
            "unit": str(record.unit),
            "volume_ml": record.volume_ml,
            "amount_minor": record.amount_minor,
            "account": record.account,
            "settled_seq": None,
            "settled_epoch": None,
            "settled_ms": None,
            "receipt_number": None,
        }

    def _delivered_before(self, seqs: Sequence[int]) -> dict[RowName, dict[str, Any]]:
        if not seqs:
            return {}
        query = sa.select(sales).where(sales.c.station_id == self._station, sales.c.seq.in_(seqs))
        found = (dict(sale) for sale in self._db.execute(query).mappings())
        return {RowName(bytes(s["epoch"]), s["seq"]): s for s in found}

"""Reservations whose delivery was lost: what became of them, by the totaliser of their nozzle.

A pump that forgot a delivery, or was not heard while it might have given fuel, proves nothing by its silence: what was
reserved stays so until the totaliser is read. Knows no decision and no protocol.
"""

from collections.abc import Sequence

from controller.domain.quantities import amount_for
from controller.domain.records import MeterChanged, Record, UnrecordedDelivery, Unreserved, parse_row_name
from controller.site import Site


class Doubts:
    """Those of one fuelling point."""

    def __init__(self, site: Site, number: int) -> None:
        self._site = site
        self._number = number

    @property
    def nozzles(self) -> set[int]:
        """Whose totalisers should be read."""
        held = self._site.books.usage.allotments.held.values()
        return {each.nozzle for each in held if each.doubtful and each.point == self._number}

    async def settle(self, nozzle: int, rows: Sequence[Record]) -> None:
        """The nozzle's totaliser was read, and this is what it made of it: the rows that were written.

        It counts from before the first of these reservations, whose reading the books have held until now.
        """
        moved_ml = sum(
            row.volume_ml
            for row in rows
            if isinstance(row, UnrecordedDelivery) and (row.point, row.nozzle) == (self._number, nozzle)
        )
        another_meter = any(isinstance(row, MeterChanged) for row in rows)
        for name, held in self._site.books.usage.allotments.doubtful_at(self._number, nozzle):
            if another_meter or held.totaliser_ml is None:
                unreserved = Unreserved(parse_row_name(name), held.pot, held.amount_minor, None)
            else:
                spent_minor = amount_for(moved_ml, held.price, self._site.currency)
                unreserved = Unreserved(parse_row_name(name), held.pot, spent_minor, moved_ml)
                moved_ml = 0  # it ran out once: the first of several has taken it
            await self._site.write_surely(unreserved)

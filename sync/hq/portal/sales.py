"""Where the portal finds sales: in headquarters' ledger of a programme, as they stand after all postings.

A sale that was reversed is none. Reads; changes nothing.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager

import sqlalchemy as sa

from controller.domain.programmes.books import Books
from controller.domain.programmes.rules import PRODUCTS
from controller.domain.programmes.sale_book import REDEMPTION, REVERSED
from controller.domain.quantities import Currency
from sync.hq.portal.report import Filter, ReportLine, fits
from sync.hq.programmes.ledger import ProgrammeLedger
from sync.hq.programmes.routing import HOLDER


class LedgerSales:
    """The sales of customers, by the ledgers of the programmes that are kept here."""

    def __init__(
        self,
        commit: Callable[[], AbstractContextManager[sa.Connection]],
        ledger: Callable[[str], ProgrammeLedger],
    ) -> None:
        self._commit = commit
        self._ledger = ledger

    def currency(self, programme: str) -> Currency:
        return self._ledger(programme).programme.currency

    def lines(self, programme: str, customers: Collection[str], wanted: Filter) -> Iterator[ReportLine]:
        """The sales of these customers that fit, the earliest first."""
        found: list[ReportLine] = []
        ledger = self._ledger(programme)
        with self._commit() as db:
            for customer in customers:
                history = ledger.at(db, HOLDER + customer)
                if history is not None:
                    found += [line for line in _lines(history.engine.books, customer) if fits(line, wanted)]
        return iter(sorted(found, key=lambda line: line.at))


def _lines(books: Books, customer: str) -> Iterator[ReportLine]:
    holder = books.holder_of.get(customer)
    if holder is None:
        return
    sales = books.sales
    rebates = bool(books.programme.file.rebate)
    for number, index in enumerate(sales.holder):
        if index != holder.index or sales.is_flagged(number, REVERSED | REDEMPTION):
            continue
        card = books.cards.get(sales.card_of(number))
        plates = () if card is None else card.plates
        yield ReportLine(
            customer,
            sales.plate_of(number) or (plates[0] if len(plates) == 1 else ""),
            sales.card_of(number),
            sales.station_of(number),
            books.time.local(sales.at_ms[number]),
            PRODUCTS[sales.product[number]],
            sales.volume_ml[number],
            sales.amount_minor[number],
            sales.earned[number] if rebates else 0,
        )

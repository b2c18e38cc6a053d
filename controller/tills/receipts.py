"""Receipts of settled sales, and how they get into the printer's queue. Knows no printer and no till."""

from collections.abc import Mapping

from controller.config import StationConfig
from controller.domain.books import Books, Sale
from controller.domain.programme_records import Quoted, Redeemed
from controller.domain.programmes.dates import LocalTime
from controller.domain.programmes.programme import Programme
from controller.domain.programmes.rules import Product
from controller.domain.receipt import DEFAULT_WIDTH, ReceiptSite, receipt_lines, receipt_of, receipt_text
from controller.domain.receipt_programme import ReceiptProgramme, programme_of
from controller.domain.receipt_words import WORDS
from controller.printing.escpos import PrinterModel, slip_bytes
from controller.printing.spool import PrintQueue, Slip, slip_name

POINTS_COPY = 1
"""The copy of a receipt that says what a card earned that was shown after the payment."""


class Receipts:
    """Of one station. A slip of one name is printed once, however often it is asked for."""

    def __init__(
        self, config: StationConfig, products: Mapping[str, Product], queue: PrintQueue, model: PrinterModel
    ) -> None:
        """`products`: by grade, the programmes' word for it."""
        file = config.file
        self._site = ReceiptSite(
            name=file.station.name,
            address=file.station.address,
            currency=config.currency,
            zone=config.zone,
            simulated=file.station.simulated,
            grades=tuple(config.grades.values()),
            words=WORDS[file.receipt.language],
            vat=config.vat,
        )
        self._queue = queue
        self._model = model
        self._programmes = {used.programme.name: used.programme for used in config.programmes}
        self._products = products
        self._width = file.printer.width if file.printer else DEFAULT_WIDTH

    def go_by(self, programme: Programme) -> None:
        """A programme has other rules now: receipts name purses and titles by them."""
        self._programmes[programme.name] = programme

    def print(self, sale: Sale, books: Books) -> str:
        """Give the slip of a settled sale to the queue; returns its readable text."""
        return self._submit(sale, books, shown_after=False, name=slip_name(sale.settlement.receipt_number))

    def print_all(self, sale: Sale, books: Books) -> None:
        """All slips that a sale has: of before a restart, some may not be on paper."""
        self.print(sale, books)
        quoted = books.members.quoted.get(sale.name.text)
        if quoted is not None and quoted.shown_after:
            self.print_points(sale, books)

    def print_points(self, sale: Sale, books: Books) -> str:
        """The same for a card that was shown after the payment: a copy, with what it earned."""
        return self._submit(sale, books, shown_after=True, name=slip_name(sale.settlement.receipt_number, POINTS_COPY))

    def _submit(self, sale: Sale, books: Books, *, shown_after: bool, name: str) -> str:
        quoted = books.members.quoted.get(sale.name.text)
        if quoted is not None and quoted.shown_after and not shown_after:
            quoted = None  # it has a slip of its own
        receipt = receipt_of(
            sale.delivery,
            sale.name,
            sale.settlement,
            self._site,
            wall_ms=sale.settled_ms,
            ended_ms=sale.ended_ms,
            copy=shown_after,
            programmes=self._on(sale, quoted, books.members.redeemed.get(sale.name.text)),
            shown=None if quoted is None else quoted.token,
        )
        lines = receipt_lines(receipt, self._width)
        text = receipt_text(lines, self._width)
        self._queue.submit(Slip(name, text, slip_bytes(lines, self._model, self._width)))
        return text

    def _on(self, sale: Sale, quoted: Quoted | None, redeemed: Redeemed | None) -> tuple[ReceiptProgramme, ...]:
        """What it earns, and points that paid: where those are of another programme, under the name of that."""
        found: list[ReceiptProgramme] = []
        programme = None if quoted is None else self._programmes.get(quoted.programme)
        product = self._products.get(sale.delivery.grade)
        if quoted is not None and programme is not None and product is not None:
            spent = redeemed.points if redeemed is not None and redeemed.programme == quoted.programme else 0
            redeemed = None if spent else redeemed
            day = LocalTime(programme.zone).day(sale.ended_ms)
            found.append(programme_of(programme, product, quoted, spent, self._site.zone, day))
        if redeemed is not None:
            named = self._programmes.get(redeemed.programme)
            title = redeemed.programme if named is None else named.file.programme.title
            found.append(ReceiptProgramme(title, spent=redeemed.points))
        return tuple(found)

"""The receipt: what a customer takes away from a settled delivery, and how it stands on paper of a given width.

Pure: records in, lines of text out, every amount an exact integer until it is spelled. Knows no printer, no code
page and no file: `controller.printing` turns lines into bytes. All layout happens here, so the text copy, the
printed slip and a screen always show the same receipt.
"""

import textwrap
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from controller.domain.days import local_time
from controller.domain.products import Grade
from controller.domain.quantities import Currency, Unit, UnitPrice, decimal_text, money_text, volume_text
from controller.domain.receipt_programme import ReceiptProgramme, programme_rows
from controller.domain.receipt_words import EN, ReceiptWords
from controller.domain.records import Delivery, RowName, Settlement, TenderKind
from controller.domain.tokens import TokenKind, TokenRef
from controller.domain.vat import VatLine, VatRate, rate_on, split

DEFAULT_WIDTH = 42
"""Columns of 80 mm paper in the printer's normal font."""
WIDTH_MIN = 24
"""Narrower than any receipt paper (58 mm holds 32): below this a layout would be noise."""
NUMBER_DIGITS = 6
SIMULATION = "SIMULATION"
COPY = "COPY"
"""What the spool stamps above a slip that may be on paper already, in letters that every printer has."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Align(StrEnum):
    LEFT = "left"
    CENTRE = "centre"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Line:
    """One printed line. A `double` line has letters twice as wide and high: it holds half as many."""

    text: str = ""
    align: Align = Align.LEFT
    emphasis: bool = False
    double: bool = False

    def cells(self, width: int) -> int:
        """How many letters of this line fit on paper of `width` columns."""
        return width // 2 if self.double else width


@dataclass(frozen=True, slots=True)
class ReceiptSite:
    """What a receipt says of its station. `grades` give a grade's name; without one its code is printed."""

    name: str
    address: tuple[str, ...]
    currency: Currency
    zone: ZoneInfo
    simulated: bool
    grades: tuple[Grade, ...] = ()
    words: ReceiptWords = EN
    vat: tuple[VatRate, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiptTender:
    """A means of payment: what was handed over and what came back."""

    kind: TenderKind
    given_minor: int
    change_minor: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """Everything that a receipt shows, before layout.

    `amount_minor` is what the pump said, `total_minor` what was settled. `token_shown` is masked, and empty when
    no token was shown. `local_time` is spelled in the station's zone. `vat`: the tax in the total, by the rate of the
    delivery's day. `programmes`: what a fuel programme gives, and one whose points paid.
    """

    station: str
    address: tuple[str, ...]
    simulated: bool
    number: int
    delivery_id: str
    point: int
    grade: str
    unit: Unit
    volume_ml: int
    price: UnitPrice
    amount_minor: int
    total_minor: int
    tenders: tuple[ReceiptTender, ...]
    token_kind: TokenKind | None
    token_shown: str
    local_time: str
    currency: Currency
    copy: bool
    words: ReceiptWords = EN
    vat: VatLine | None = None
    programmes: tuple[ReceiptProgramme, ...] = ()
    held_by: str = ""
    """The limit of a partial approval."""


def receipt_of(
    delivery: Delivery,
    delivery_name: RowName,
    settlement: Settlement,
    site: ReceiptSite,
    *,
    wall_ms: int,
    ended_ms: int | None = None,
    copy: bool = False,
    programmes: tuple[ReceiptProgramme, ...] = (),
    shown: TokenRef | None = None,
) -> Receipt:
    """The receipt of a settled delivery. `wall_ms` is the settlement's stamp, so that a copy shows the same time.

    `ended_ms`: the delivery's, for tax; else the settlement's. `shown`: a token that was shown at the till, printed
    where the pump knew none. ValueError if the settlement is of another delivery.
    """
    if settlement.delivery != delivery_name:
        raise ValueError(
            f"receipt {settlement.receipt_number} settles delivery {settlement.delivery.text}, "
            f"not {delivery_name.text}: pass the delivery that it names"
        )
    token = delivery.token or shown
    day = local_time(wall_ms if ended_ms is None else ended_ms, site.zone).toordinal()
    rate = rate_on(site.vat, delivery.grade, day)
    return Receipt(
        station=site.name,
        address=site.address,
        simulated=site.simulated,
        number=settlement.receipt_number,
        delivery_id=delivery_name.text,
        point=delivery.point,
        grade=next((grade.name for grade in site.grades if grade.code == delivery.grade), delivery.grade),
        unit=delivery.unit,
        volume_ml=delivery.volume_ml,
        price=delivery.price,
        amount_minor=delivery.amount_minor,
        total_minor=settlement.amount_minor,
        tenders=tuple(
            ReceiptTender(tender.kind, tender.given_minor, tender.given_minor - tender.amount_minor)
            for tender in settlement.tenders
        ),
        token_kind=token.kind if token else None,
        token_shown=token.shown if token else "",
        local_time=local_time_text(wall_ms, site.zone),
        currency=site.currency,
        copy=copy,
        words=site.words,
        vat=None if rate is None else split(settlement.amount_minor, rate),
        programmes=programmes,
        held_by=delivery.held_by,
    )


def receipt_lines(receipt: Receipt, width: int = DEFAULT_WIDTH) -> tuple[Line, ...]:
    """The receipt laid out on `width` columns; no line is longer than its paper. ValueError below WIDTH_MIN."""
    if width < WIDTH_MIN:
        raise ValueError(f"a receipt needs at least {WIDTH_MIN} columns, {width} are configured")
    rule = Line("-" * width)
    words, decimals = receipt.words, receipt.currency.decimals
    lines: list[Line] = []
    lines += _marks(receipt)
    lines += _headline(receipt.station, width)
    for address in receipt.address:
        lines += _centred(address, width)
    lines.append(rule)
    lines += _columns(words.receipt, str(receipt.number).rjust(NUMBER_DIGITS, "0"), width)
    lines += _columns(words.time, receipt.local_time, width)
    lines += _columns(words.point, str(receipt.point), width)
    lines += _columns(words.delivery, receipt.delivery_id, width)
    if receipt.token_kind is not None:
        lines += _columns(words.tokens[receipt.token_kind], receipt.token_shown, width)
    if limit := words.limits.text(receipt.held_by):
        lines += _columns(words.limits.label, limit, width)
    lines.append(rule)
    lines += [Line(text, emphasis=True) for text in _wrapped(receipt.grade, width)]
    quantity = volume_text(receipt.volume_ml, receipt.unit)
    each = f"{quantity} x {receipt.price} {receipt.currency.code}/{receipt.unit}"
    lines += _columns(each, decimal_text(receipt.amount_minor, decimals), width)
    lines.append(rule)
    lines += _total(words.total, money_text(receipt.total_minor, receipt.currency), width)
    for tender in receipt.tenders:
        lines += _columns(words.tenders[tender.kind], decimal_text(tender.given_minor, decimals), width)
        if tender.change_minor:
            lines += _columns(words.change, decimal_text(tender.change_minor, decimals), width)
    if receipt.vat is not None:
        net = decimal_text(receipt.vat.net_minor, decimals)
        label = f"{words.vat} {receipt.vat.rate.text} % ({words.net} {net})"
        lines += _columns(label, decimal_text(receipt.vat.tax_minor, decimals), width)
    for programme in receipt.programmes:
        lines.append(rule)
        lines += [Line(text, emphasis=True) for text in _wrapped(programme.title, width)]
        for text, value in programme_rows(programme, words, receipt.currency):
            lines += _columns(text, value, width) if value else [Line(part) for part in _wrapped(text, width)]
    lines += _marks(receipt)
    return tuple(lines)


def receipt_text(lines: Iterable[Line], width: int = DEFAULT_WIDTH) -> str:
    """The lines as plain text for reading, aligned as they are on paper, each ended by a newline."""
    return "".join(f"{_aligned(line, width)}\n" for line in lines)


def local_time_text(wall_ms: int, zone: ZoneInfo) -> str:
    """Wall time in a zone, to the second, with its offset: the hour that comes twice in autumn stays distinct."""
    local = (_EPOCH + timedelta(milliseconds=wall_ms)).astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M:%S} {local.isoformat(timespec='seconds')[19:]}"


def _aligned(line: Line, width: int) -> str:
    if line.align is Align.CENTRE:
        # A double line is as wide on paper as twice its letters, but in plain text only as wide as its letters.
        return (" " * ((width - len(line.text)) // 2) + line.text).rstrip()
    if line.align is Align.RIGHT:
        return line.text.rjust(width).rstrip()
    return line.text.rstrip()


def _marks(receipt: Receipt) -> list[Line]:
    """What nobody may overlook. Both stand at both ends, so that a torn slip still shows them."""
    words = ([SIMULATION] if receipt.simulated else []) + ([receipt.words.copy] if receipt.copy else [])
    return [Line(word, Align.CENTRE, emphasis=True, double=True) for word in words]


def _headline(text: str, width: int) -> list[Line]:
    double = len(_plain(text)) <= width // 2
    return [Line(part, Align.CENTRE, emphasis=True, double=double) for part in _wrapped(text, width)]


def _total(word: str, amount: str, width: int) -> list[Line]:
    """The total in double letters where they fit on one line, else in plain columns."""
    double = len(f"{word} {amount}") <= width // 2
    columns = _columns(word, amount, width // 2 if double else width)
    return [Line(line.text, line.align, emphasis=True, double=double) for line in columns]


def _centred(text: str, width: int) -> list[Line]:
    return [Line(part, Align.CENTRE) for part in _wrapped(text, width)]


def _columns(label: str, value: str, width: int) -> list[Line]:
    """A label at the left and its value at the right, on one line or, where they do not fit, on their own."""
    label, value = _plain(label), _plain(value)
    if len(label) + 1 + len(value) <= width:
        return [Line(label + value.rjust(width - len(label)))]
    return [Line(part) for part in _wrapped(label, width)] + [
        Line(part.rjust(width)) for part in _wrapped(value, width)
    ]


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(_plain(text), width)


def _plain(text: str) -> str:
    """One letter a cell: composed, without invisible joiners, controls and every kind of space as one space."""
    composed = unicodedata.normalize("NFC", text)
    visible = (" " if unicodedata.category(ch) == "Cc" else ch for ch in composed if unicodedata.category(ch) != "Cf")
    return " ".join("".join(visible).split())

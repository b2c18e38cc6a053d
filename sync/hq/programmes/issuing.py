"""Rebate statements that were issued: kept as they were, with number and fingerprint; corrected by those that follow.

What is known of an issued period is held against all that was issued of it: what differs stands in the next statement
of that customer, whichever period it is of, each sale in a line of its own. Knows no command and no screen but the text
of the document.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec
import sqlalchemy as sa

from controller.domain.programmes.answers import StatementLine
from controller.domain.programmes.books import Books
from controller.domain.programmes.dates import LocalTime, parse_period
from controller.domain.programmes.members import Holder
from controller.domain.programmes.sale_book import REVERSED, SaleBook
from sync.hq.programmes import showing
from sync.hq.programmes.asks import Correction, IssueAsk, StatementAnswer, StatementAsk
from sync.hq.programmes.statements import (
    GIVEN_BACK,
    LATE,
    RATED_ANEW,
    TAKEN_OFF,
    DeskError,
    lines_of,
    period_of,
    statement,
)
from sync.hq.programmes.tables import issued
from sync.hq.programmes.vat import VatRate

_decoder = msgspec.json.Decoder(StatementAnswer)


@dataclass(frozen=True, slots=True)
class _Stated:
    """What statements say of a sale, all of them together. `line`: the last that says it."""

    line: StatementLine | Correction
    volume_ml: int
    amount_minor: int
    discount_minor: int


class Issued:
    """One programme's part of the table, within one transaction."""

    def __init__(self, db: sa.Connection, programme: str) -> None:
        self._db = db
        self._programme = programme

    def find(self, customer: str, period: str) -> StatementAnswer | None:
        """What was issued, as it was."""
        where = (*self._mine(customer), issued.c.period == period)
        found = self._db.execute(sa.select(issued.c.answer).where(*where)).scalar()
        return None if found is None else _decoder.decode(bytes(found))

    def of(self, customer: str) -> list[StatementAnswer]:
        """All of a customer, in the order in which they were issued."""
        query = sa.select(issued.c.answer).where(*self._mine(customer)).order_by(issued.c.number)
        return [_decoder.decode(bytes(answer)) for answer in self._db.execute(query).scalars()]

    def keep(self, drawn: StatementAnswer, issued_ms: int, issued_text: str) -> StatementAnswer:
        """Issue it: give it the programme's next number, and keep it with its text."""
        last = sa.select(sa.func.max(issued.c.number)).where(issued.c.programme == self._programme)
        number = (self._db.execute(last).scalar() or 0) + 1
        numbered = msgspec.structs.replace(drawn, number=number, issued=issued_text)
        document = "".join(f"{line}\n" for line in showing.document_lines(numbered))
        fingerprint = hashlib.sha256(document.encode()).hexdigest()
        whole = msgspec.structs.replace(numbered, document=document, fingerprint=fingerprint)
        self._db.execute(
            sa.insert(issued).values(
                programme=self._programme,
                customer=whole.customer,
                period=whole.period,
                number=number,
                issued_ms=issued_ms,
                fingerprint=fingerprint,
                answer=msgspec.json.encode(whole),
            )
        )
        return whole

    def _mine(self, customer: str) -> tuple[sa.ColumnElement[bool], ...]:
        return issued.c.programme == self._programme, issued.c.customer == customer


def stated(
    db: sa.Connection, books: Books, holder: Holder, ask: StatementAsk, rates: Sequence[VatRate], now_ms: int
) -> StatementAnswer:
    """A statement as it was issued, or as it would be issued now. DeskError."""
    kept = Issued(db, ask.programme)
    found = kept.find(holder.id, ask.period)
    if found is not None:
        return found
    return statement(books, holder, ask, list(corrections(books, holder, kept.of(holder.id))), rates, now_ms)


def issue(
    db: sa.Connection, books: Books, holder: Holder, ask: IssueAsk, rates: Sequence[VatRate], now_ms: int
) -> StatementAnswer:
    """Issue a statement, once. DeskError; then nothing is issued."""
    kept = Issued(db, ask.programme)
    found = kept.find(holder.id, ask.period)
    if found is not None:
        return found
    drawn = statement(books, holder, ask, list(corrections(books, holder, kept.of(holder.id))), rates, now_ms)
    local = LocalTime(books.programme.zone)
    if drawn.open:
        end = local.local(local.midnight(period_of(ask.period).last_day + 1)).date()
        raise DeskError(f"{ask.period} is not over: a statement of it can be issued from {end} on")
    return kept.keep(drawn, now_ms, local.text(now_ms))


def corrections(books: Books, holder: Holder, before: Sequence[StatementAnswer]) -> Iterator[Correction]:
    """What is known now of the issued periods, less what was issued of them: by period and time."""
    said: dict[str, dict[str, _Stated]] = {}
    for answer in before:
        said.setdefault(answer.period, {})
        for line in answer.lines:
            _say(said[answer.period], line)
        for correction in answer.corrections:
            _say(said[correction.of], correction)
    numbers = {answer.period: answer.number for answer in before}
    for period, number in sorted(numbers.items()):
        known = {line.sale: line for line in lines_of(books, holder, parse_period(period))}
        found = list(_differences(books.sales, known, said[period], period, number))
        yield from sorted(found, key=lambda line: (line.at, line.sale))


def _say(said: dict[str, _Stated], line: StatementLine | Correction) -> None:
    before = said.get(line.sale, _Stated(line, 0, 0, 0))
    said[line.sale] = replace(
        before,
        line=line,
        volume_ml=before.volume_ml + line.volume_ml,
        amount_minor=before.amount_minor + line.amount_minor,
        discount_minor=before.discount_minor + line.discount_minor,
    )


def _differences(
    sales: SaleBook, known: dict[str, StatementLine], said: dict[str, _Stated], period: str, number: int
) -> Iterator[Correction]:
    for sale, line in known.items():
        before = said.get(sale, _Stated(line, 0, 0, 0))
        by = (
            line.volume_ml - before.volume_ml,
            line.amount_minor - before.amount_minor,
            line.discount_minor - before.discount_minor,
        )
        if any(by):
            why = RATED_ANEW if before.volume_ml or before.amount_minor or before.discount_minor else LATE
            yield _correction(line, period, number, why, by)
    for sale, before in said.items():
        by = (-before.volume_ml, -before.amount_minor, -before.discount_minor)
        if sale not in known and any(by):
            at = sales.find(sale)
            reversed_ = at is not None and sales.is_flagged(at, REVERSED)
            yield _correction(before.line, period, number, GIVEN_BACK if reversed_ else TAKEN_OFF, by)


def _correction(
    line: StatementLine | Correction, period: str, number: int, why: str, by: tuple[int, int, int]
) -> Correction:
    return Correction(period, number, why, line.sale, line.at, line.card, line.plate, line.station, line.product, *by)

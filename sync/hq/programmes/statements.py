"""What the finance department prints: the rebate statement, the act of price change, the tax of a period.

Pure but for the sales of a period, which are read by the tables' own reader. Amounts include the tax; what is rounded
and when stands in `vat`.
"""

from collections.abc import Sequence
from datetime import date, datetime

import msgspec

from controller.domain.programmes.answers import Answer, Result, StatementLine
from controller.domain.programmes.books import Books
from controller.domain.programmes.dates import HALF_DAY, LocalTime, Period, parse_period
from controller.domain.programmes.events import ReverseSale, Sale, decode
from controller.domain.programmes.members import Holder
from controller.domain.programmes.periods import statement_of
from controller.domain.programmes.rules import PRODUCTS, Product
from controller.domain.programmes.sale_book import REVERSED
from controller.domain.tokens import mask_card
from sync.hq.programmes.asks import (
    ActAnswer,
    ActAsk,
    Correction,
    IssueActAsk,
    IssueAsk,
    StatementAnswer,
    StatementAsk,
    TaxedLine,
    VatAnswer,
    VatAsk,
)
from sync.hq.programmes.keeping import Keeping
from sync.hq.programmes.ledger import ProgrammeLedger
from sync.hq.programmes.vat import NoVatRate, Taxed, VatRate, by_rate

FOR_EVER_MS = 1 << 62
LATE, GIVEN_BACK, TAKEN_OFF, RATED_ANEW = "late", "reversed", "taken off", "rated anew"
"""Why a statement that was issued is corrected."""
_SALES = {LATE: 1, GIVEN_BACK: -1, TAKEN_OFF: -1, RATED_ANEW: 0}


class DeskError(ValueError):
    """It cannot be done. The text says why, and what to do."""


class _Kept(msgspec.Struct, frozen=True):
    """Of an answer, what is asked again."""

    result: Result


_answers = msgspec.json.Decoder(_Kept)


def statement(
    books: Books,
    holder: Holder,
    ask: StatementAsk | IssueAsk,
    corrections: Sequence[Correction],
    rates: Sequence[VatRate],
    now_ms: int,
) -> StatementAnswer:
    """The rebate statement of a customer for a period, line by line, as it would be issued now. DeskError.

    A period of another length than the contract has now is stated where something accrued by an earlier contract.
    """
    period = period_of(ask.period)
    if holder.kind != "customer":
        raise DeskError(f"{ask.customer} is no customer with a rebate: there is no statement")
    if holder.half != period.half and (holder.index, period.name) not in books.rebates:
        kind = "half months, such as 2026-01a" if holder.half else "months, such as 2026-01"
        raise DeskError(
            f"the contract of {ask.customer} goes by {kind}, and nothing accrued in {period.name} by an earlier one"
        )
    lines, found = lines_of(books, holder, period), statement_of(books, holder, period, False)
    currency = books.programme.currency
    return StatementAnswer(
        ask.programme,
        ask.customer,
        period.name,
        currency.code,
        currency.decimals,
        now_ms < books.time.midnight(period.last_day + 1),
        lines,
        _taxed([*lines, *corrections], rates),
        found.sales,
        found.volume_ml,
        found.amount_minor,
        found.discount_minor,
        tuple(corrections),
        found.discount_minor + sum(each.discount_minor for each in corrections),
    )


def lines_of(books: Books, holder: Holder, period: Period) -> tuple[StatementLine, ...]:
    """A period's sales as they are known now. Cards are masked."""
    return _masked(statement_of(books, holder, period, True).lines or ())


def masked(answer: Answer) -> Answer:
    """An event's answer as people may read it: the cards of a closed period's statement are masked."""
    if not answer.statement or not answer.statement.lines:
        return answer
    told = msgspec.structs.replace(answer.statement, lines=_masked(answer.statement.lines))
    return msgspec.structs.replace(answer, statement=told)


def act(books: Books, holder: Holder, ask: ActAsk | IssueActAsk) -> ActAnswer:
    """The act of price change of a closed month as it is known now, or why there is none. DeskError."""
    period = period_of(ask.period)
    if holder.kind != "contract" or holder.contract is None:
        raise DeskError(f"{ask.contract} is no contract with an account: there is no act")
    outcome = None if period.half else holder.contract.closed.get(period.month)
    if outcome is None:
        raise DeskError(f"{period.name} is not closed for {ask.contract}: enter a period.close event after its end")
    currency = books.programme.currency
    return ActAnswer(
        ask.programme,
        ask.contract,
        period.name,
        currency.code,
        currency.decimals,
        outcome.reason or "",
        outcome.discount_minor,
        outcome.act,
    )


def vat_of(ledger: ProgrammeLedger, keeping: Keeping, ask: VatAsk, rates: Sequence[VatRate]) -> VatAnswer:
    """The tax in a programme's sales of a period, by product, rate and day. Sales that were reversed are none."""
    programme = ledger.programme
    period, local = period_of(ask.period), LocalTime(programme.zone)
    from_ms, until_ms = local.midnight(_first_day(period)), local.midnight(period.last_day + 1)
    gone = set()
    for reversal in keeping.events_between(["sale.reverse"], from_ms, FOR_EVER_MS):
        event = decode(reversal.line)
        if not isinstance(event, ReverseSale):
            continue
        if _answers.decode(reversal.answer).result == "accepted":
            gone.add(event.sale)
        else:  # what was said first: the sale may have come since
            sales = ledger.account(keeping, reversal.account).engine.books.sales
            number = sales.find(event.sale)
            if number is not None and sales.is_flagged(number, REVERSED):
                gone.add(event.sale)
    taxed = []
    for kept in keeping.events_between(["sale"], from_ms, until_ms):
        sale = decode(kept.line)
        if isinstance(sale, Sale) and sale.ref not in gone:
            taxed.append(Taxed(sale.product, local.local(kept.at_ms).date(), sale.amount_minor, sale.volume_ml))
    currency = programme.currency
    try:
        lines = tuple(by_rate(rates, taxed, daily=True))
    except NoVatRate as error:
        raise DeskError(str(error)) from error
    return VatAnswer(ask.programme, period.name, currency.code, currency.decimals, lines)


def _taxed(lines: Sequence[StatementLine | Correction], rates: Sequence[VatRate]) -> tuple[TaxedLine, ...]:
    """Amounts and discounts by product and rate, each sum split once."""
    amounts = [Taxed(_product(one), _day(one), one.amount_minor, one.volume_ml, _count(one)) for one in lines]
    discounts = [Taxed(_product(one), _day(one), one.discount_minor, one.volume_ml, _count(one)) for one in lines]
    try:
        pairs = list(zip(by_rate(rates, amounts, daily=False), by_rate(rates, discounts, daily=False), strict=True))
    except NoVatRate as error:
        raise DeskError(str(error)) from error
    return tuple(
        TaxedLine(
            of.product,
            of.rate_bp,
            of.sales,
            of.volume_ml,
            of.gross_minor,
            of.net_minor,
            of.vat_minor,
            off.gross_minor,
            off.net_minor,
            off.vat_minor,
        )
        for of, off in pairs
    )


def _masked(lines: Sequence[StatementLine]) -> tuple[StatementLine, ...]:
    return tuple(msgspec.structs.replace(each, card=mask_card(each.card)) for each in lines)


def _count(line: StatementLine | Correction) -> int:
    return _SALES[line.why] if isinstance(line, Correction) else 1


def _product(line: StatementLine | Correction) -> Product:
    return next(product for product in PRODUCTS if product == line.product)


def _day(line: StatementLine | Correction) -> date:
    return datetime.fromisoformat(line.at).date()


def period_of(text: str) -> Period:
    """DeskError where it is none."""
    try:
        return parse_period(text)
    except ValueError as error:
        raise DeskError(str(error)) from error


def _first_day(period: Period) -> int:
    last = date.fromordinal(period.last_day)
    return last.replace(day=HALF_DAY + 1 if period.name.endswith("b") else 1).toordinal()

"""The answers of the desk as people read them: text, with amounts in the programme's currency. Pure."""

import csv
import io
from collections.abc import Iterator

from controller.domain.programmes.answers import Act
from controller.domain.quantities import decimal_text
from sync.hq.programmes.asks import (
    ActAnswer,
    AllotAnswer,
    BalancesAnswer,
    IssuedAct,
    ListAnswer,
    StatementAnswer,
    VatAnswer,
)

VOLUME_DECIMALS = 3
RATE_DECIMALS = 2
_MEASURED = ("product", "quantity", "amount", "discount")


def balances_lines(answer: BalancesAnswer) -> Iterator[str]:
    """By commodity, in points or minor units."""
    commodity = ""
    for each in answer.balances:
        if each.commodity != commodity:
            commodity = each.commodity
            yield commodity
        yield f"  {each.account:<48} {each.amount:>20}"


def statement_lines(answer: StatementAnswer) -> Iterator[str]:
    """The rebate statement. One that was issued: as it was, with the fingerprint of its lines."""
    if answer.document:
        yield from answer.document.removesuffix("\n").split("\n")
        yield f"SHA-256 of the lines above: {answer.fingerprint}"
    else:
        yield from document_lines(answer)


def document_lines(answer: StatementAnswer) -> Iterator[str]:
    """The statement's text: each sale, what is corrected of earlier ones, the tax, the sums."""
    state = f", issued {answer.issued}" if answer.number else ", so far" if answer.open else ", not issued"
    number = f" {answer.number}" if answer.number else ""
    yield f"Rebate statement{number}, {answer.programme}, {answer.customer}, {answer.period}{state}"
    yield f"Amounts in {answer.currency}, VAT included"
    yield ""
    heading = ("plate", "card", "station", "date and time", *_MEASURED)
    rows = [
        (
            each.plate or "",
            each.card,
            each.station,
            each.at,
            each.product,
            decimal_text(each.volume_ml, VOLUME_DECIMALS),
            decimal_text(each.amount_minor, answer.decimals),
            decimal_text(each.discount_minor, answer.decimals),
        )
        for each in answer.lines
    ]
    total = (
        "total",
        "",
        "",
        "",
        f"{answer.sales} sales",
        decimal_text(answer.volume_ml, VOLUME_DECIMALS),
        decimal_text(answer.amount_minor, answer.decimals),
        decimal_text(answer.discount_minor, answer.decimals),
    )
    yield from table([heading, *rows, total], numbers=3)
    yield ""
    if answer.corrections:
        yield "Corrections of statements that were issued before"
        yield from table(_corrections(answer), numbers=3)
        yield ""
        yield f"To be invoiced: {decimal_text(answer.due_minor, answer.decimals)}"
        yield ""
    vat: list[tuple[str, ...]] = [("VAT", "rate", "amount net", "VAT", "amount", "discount net", "VAT", "discount")]
    for each in answer.vat:
        amounts = (
            each.amount_net_minor,
            each.amount_vat_minor,
            each.amount_minor,
            each.discount_net_minor,
            each.discount_vat_minor,
            each.discount_minor,
        )
        vat.append((each.product, _rate(each.rate_bp), *(decimal_text(one, answer.decimals) for one in amounts)))
    yield from table(vat, numbers=7)


def _corrections(answer: StatementAnswer) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        ("of", "no.", "why", "sale", "plate", "card", "station", "date and time", *_MEASURED),
    ]
    for each in answer.corrections:
        rows.append(
            (
                each.of,
                str(each.statement),
                each.why,
                each.sale,
                each.plate or "",
                each.card,
                each.station,
                each.at,
                each.product,
                decimal_text(each.volume_ml, VOLUME_DECIMALS),
                decimal_text(each.amount_minor, answer.decimals),
                decimal_text(each.discount_minor, answer.decimals),
            )
        )
    return rows


def act_lines(answer: ActAnswer) -> Iterator[str]:
    """The acts that were issued, as they were, each with the fingerprint of its lines; then what would be issued next.

    Where there is neither: why.
    """
    if not answer.issued and answer.draft is None:
        yield f"No act for {answer.contract}, {answer.period}: {answer.reason}"
    for each in answer.issued:
        yield from each.document.removesuffix("\n").split("\n")
        yield f"SHA-256 of the lines above: {each.fingerprint}"
        if each is not answer.issued[-1] or answer.draft is not None:
            yield ""
    if answer.draft is not None:
        yield from act_document(answer.draft)


def act_document(issued: IssuedAct) -> Iterator[str]:
    """The text of an act. One that corrects another says what was issued, what it is, and the difference."""
    now, before = issued.act, issued.before
    number = f" {issued.number}" if issued.number else ""
    corrects = f", corrects {issued.corrects}" if issued.corrects else ""
    state = f", issued {issued.issued}" if issued.number else ", not issued"
    yield f"Act of price change{number} to the acceptance act{corrects}{state}"
    if before is None:
        for name, text, _ in _act_rows(now, issued.decimals):
            yield f"  {name:<20} {text:>20}"
    else:
        yield f"  {'':<20} {'as issued':>20} {'as it is':>20} {'difference':>20}"
        rows = zip(_act_rows(before, issued.decimals), _act_rows(now, issued.decimals), strict=True)
        for (name, was, was_number), (_, text, is_number) in rows:
            by = "" if is_number is None or was_number is None else decimal_text(*_less(is_number, was_number))
            yield f"  {name:<20} {was:>20} {text:>20} {by:>20}".rstrip()
    if issued.reason:
        yield f"No discount is due: {issued.reason}"
    yield f"Prices and amounts in {issued.currency}"


def _less(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    """Two numbers of the same decimals, one less the other."""
    return one[0] - other[0], one[1]


def _act_rows(act: Act, decimals: int) -> Iterator[tuple[str, str, tuple[int, int] | None]]:
    """Name and text; with the number and its decimals, where a difference of it says something."""
    yield "contract", act.contract, None
    yield "month", act.month, None
    yield "order", act.order, None
    yield "volume", f"{decimal_text(act.volume_ml, VOLUME_DECIMALS)} m3", (act.volume_ml, VOLUME_DECIMALS)
    yield "discount for 1 m3", decimal_text(act.discount_per_m3_minor, decimals), None
    yield "price before", act.price_before, None
    yield "price after", act.price_after, None
    for name, minor in (
        ("amount before", act.amount_before_minor),
        ("amount after", act.amount_after_minor),
        ("difference", act.difference_minor),
    ):
        yield name, decimal_text(minor, decimals), (minor, decimals)


def vat_lines(answer: VatAnswer) -> Iterator[str]:
    """The tax in a period's sales, day by day."""
    yield f"VAT in the sales of {answer.programme}, {answer.period}, in {answer.currency}"
    rows: list[tuple[str, ...]] = [("date", "product", "rate", "sales", "quantity", "net", "VAT", "amount")]
    for each in answer.lines:
        rows.append(
            (
                each.day,
                each.product,
                _rate(each.rate_bp),
                str(each.sales),
                decimal_text(each.volume_ml, VOLUME_DECIMALS),
                *(decimal_text(one, answer.decimals) for one in (each.net_minor, each.vat_minor, each.gross_minor)),
            )
        )
    sums = [
        sum(column) for column in zip(*((e.net_minor, e.vat_minor, e.gross_minor) for e in answer.lines), strict=True)
    ]
    totals = [decimal_text(one, answer.decimals) for one in sums or (0, 0, 0)]
    rows.append(("total", "", "", str(sum(each.sales for each in answer.lines)), "", *totals))
    yield from table(rows, numbers=6)


def allot_lines(answer: AllotAnswer) -> Iterator[str]:
    """Where a voucher's points are."""
    yield f"{answer.voucher}: {answer.free} points are set apart nowhere"
    for each in answer.stations:
        back = f", {each.asked_back} of them asked back" if each.asked_back else ""
        yield f"  {each.station}: {each.left} points{back}"


def list_csv(answer: ListAnswer) -> str:
    """A file for `forecourt whitelist import` and `build`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(answer.columns)
    writer.writerows(answer.rows)
    return text.getvalue()


def _rate(rate_bp: int) -> str:
    return f"{decimal_text(rate_bp, RATE_DECIMALS)} %"


def table(rows: list[tuple[str, ...]], *, numbers: int) -> Iterator[str]:
    """Columns side by side; the last `numbers` of them to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    left = len(widths) - numbers
    for row in rows:
        cells = [
            text.ljust(width) if at < left else text.rjust(width)
            for at, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()

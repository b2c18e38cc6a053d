"""The answers of the desk as people read them: text, with amounts in the programme's currency. Pure."""

import csv
import io
from collections.abc import Iterator

from controller.domain.quantities import decimal_text
from sync.hq.programmes.asks import ActAnswer, AllotAnswer, BalancesAnswer, ListAnswer, StatementAnswer, VatAnswer

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
    """The act of price change, or why there is none."""
    act = answer.act
    if act is None:
        yield f"No act for {answer.contract}, {answer.period}: {answer.reason}"
        return
    yield "Act of price change to the acceptance act"
    for name, text in (
        ("contract", act.contract),
        ("month", act.month),
        ("order", act.order),
        ("volume", f"{decimal_text(act.volume_ml, VOLUME_DECIMALS)} m3"),
        ("discount for 1 m3", decimal_text(act.discount_per_m3_minor, answer.decimals)),
        ("price before", act.price_before),
        ("price after", act.price_after),
        ("amount before", decimal_text(act.amount_before_minor, answer.decimals)),
        ("amount after", decimal_text(act.amount_after_minor, answer.decimals)),
        ("difference", decimal_text(act.difference_minor, answer.decimals)),
    ):
        yield f"  {name:<20} {text:>20}"
    yield f"Prices and amounts in {answer.currency}"


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

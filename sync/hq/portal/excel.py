"""A report as an Excel file. Row by row, so that a year of a large fleet needs no more memory than a day.

Numbers are exact decimals in the file's text; what a customer's text begins with is never taken for a formula.
"""

import io
from collections.abc import Iterable
from decimal import Decimal

import xlsxwriter

from controller.domain.quantities import Currency
from sync.hq.portal.report import ReportLine, Totals
from sync.hq.portal.words import Words

SHEET_ROWS_MAX = 1_048_576
"""What Excel opens."""
MILLI = 3
WIDTHS = (14, 14, 22, 16, 18, 12, 12, 14, 14)


class TooLong(ValueError):
    """More sales than a sheet has rows: a shorter time is to be asked for."""


def excel_bytes(lines: Iterable[ReportLine], totals: Totals, currency: Currency, words: Words) -> bytes:
    """The file: a heading, a row for each sale, the totals under them. TooLong beyond what Excel opens."""
    if totals.sales + 2 > SHEET_ROWS_MAX:
        raise TooLong(words.too_long)
    out = io.BytesIO()
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(out, options) as book:
        sheet = book.add_worksheet(words.sheet)
        bold = book.add_format({"bold": True})
        when = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        money = book.add_format({"num_format": "0." + "0" * currency.decimals if currency.decimals else "0"})
        volume = book.add_format({"num_format": "0.000"})
        for column, width in enumerate(WIDTHS):
            sheet.set_column(column, column, width)
        sheet.freeze_panes(1, 0)
        for column, heading in enumerate(words.headings(currency.code)):
            sheet.write_string(0, column, heading, bold)
        row = 0
        for row, line in enumerate(lines, 1):
            for column, text in enumerate((line.customer, line.plate, line.card_shown, line.station)):
                sheet.write_string(row, column, text)
            sheet.write_datetime(row, 4, line.at.replace(tzinfo=None), when)
            sheet.write_string(row, 5, words.product(line.product))
            sheet.write_number(row, 6, _exact(line.volume_ml, MILLI), volume)
            sheet.write_number(row, 7, _exact(line.amount_minor, currency.decimals), money)
            sheet.write_number(row, 8, _exact(line.discount_minor, currency.decimals), money)
        sheet.write_string(row + 1, 0, f"{words.total}: {totals.sales}", bold)
        sheet.write_number(row + 1, 6, _exact(totals.volume_ml, MILLI), volume)
        sheet.write_number(row + 1, 7, _exact(totals.amount_minor, currency.decimals), money)
        sheet.write_number(row + 1, 8, _exact(totals.discount_minor, currency.decimals), money)
    return out.getvalue()


def _exact(whole: int, decimals: int) -> Decimal:
    """A number of so many decimals. Excel reads it as its own kind of number, of 15 digits: more than any sale has."""
    return Decimal(whole).scaleb(-decimals)

"""The portal's pages, as text: a form for the code, one for the password, the report. No script runs in them.

Everything that came from outside is escaped. Knows no HTTP.
"""

from collections.abc import Sequence
from html import escape

from controller.domain.quantities import Currency, Unit, decimal_text, volume_text
from sync.hq.portal.report import Filter, ReportLine, Totals
from sync.hq.portal.words import Words

SHOWN_MAX = 500
"""Lines on a page; the Excel file has all."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_STYLE = """
body { font: 16px/1.5 sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #222; background: #fff }
h1 { font-size: 1.4rem } form { margin: 1rem 0 } label { display: inline-block; margin: 0 1rem .5rem 0 }
input, select, button { font: inherit; padding: .3rem .5rem } .wrong { color: #a00 }
table { border-collapse: collapse; width: 100% }
td, th { padding: .3rem .6rem; border-bottom: 1px solid #ddd; text-align: left }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums } tfoot td { font-weight: bold }
"""
_NUMBERS = (6, 7, 8)
MILLI_DECIMALS = 3


def code_page(words: Words, *, simulated: bool) -> str:
    """Asks for the code."""
    form = (
        f'<form method="post" action="/portal/code"><label>{escape(words.code)} '
        f'<input name="code" required maxlength="64" autocomplete="username"></label>'
        f"<button>{escape(words.send)}</button></form>"
    )
    return _page(words, form, simulated=simulated)


def password_page(words: Words, code: str, *, wrong: bool, simulated: bool) -> str:
    """Asks for the password that was sent, if one was."""
    said = f'<p class="wrong">{escape(words.wrong)}</p>' if wrong else f"<p>{escape(words.sent)}</p>"
    form = (
        f'{said}<form method="post" action="/portal/enter"><input type="hidden" name="code" value="{escape(code)}">'
        f'<label>{escape(words.password)} <input name="password" required inputmode="numeric" maxlength="12" '
        f'autocomplete="one-time-code"></label><button>{escape(words.enter)}</button></form>'
        f'<form method="get" action="/portal"><button>{escape(words.code)}</button></form>'
    )
    return _page(words, form, simulated=simulated)


def report_page(
    words: Words,
    code: str,
    wanted: Filter,
    lines: Sequence[ReportLine],
    totals: Totals,
    currency: Currency,
    *,
    wrong: str = "",
    query: str = "",
    simulated: bool,
) -> str:
    """The report: the first SHOWN_MAX lines and the totals of all. `wrong`: what was wrong with the filter."""
    parts = [
        f"<p>{escape(code)}</p>",
        f'<form method="post" action="/portal/leave"><button>{escape(words.leave)}</button></form>',
        _filter_form(words, wanted),
    ]
    if wrong:
        parts.append(f'<p class="wrong">{escape(wrong)}</p>')
    else:
        parts.append(f'<p><a href="/portal/report.xlsx?{escape(query)}">{escape(words.excel)}</a></p>')
        if totals.sales > len(lines):
            parts.append(f"<p>{escape(words.more)}</p>")
        parts.append(_table(words, lines, totals, currency))
    return _page(words, "".join(parts), simulated=simulated)


def _filter_form(words: Words, wanted: Filter) -> str:
    since = wanted.since.isoformat() if wanted.since else ""
    until = wanted.until.isoformat() if wanted.until else ""
    options = [f'<option value="">{escape(words.all)}</option>']
    for code, name in words.products.items():
        chosen = " selected" if code == wanted.product else ""
        options.append(f'<option value="{escape(code)}"{chosen}>{escape(name)}</option>')
    return (
        '<form method="get" action="/portal/report">'
        f'<label>{escape(words.since)} <input type="date" name="since" value="{since}"></label>'
        f'<label>{escape(words.until)} <input type="date" name="until" value="{until}"></label>'
        f'<label>{escape(words.card)} <input name="card" value="{escape(wanted.card)}" maxlength="23"></label>'
        f'<label>{escape(words.product_word)} <select name="product">{"".join(options)}</select></label>'
        f'<label>{escape(words.plate)} <input name="plate" value="{escape(wanted.plate)}" maxlength="24"></label>'
        f"<button>{escape(words.show)}</button></form>"
    )


def _table(words: Words, lines: Sequence[ReportLine], totals: Totals, currency: Currency) -> str:
    heads = "".join(_cell("th", at, text) for at, text in enumerate(words.headings(currency.code)))
    rows = "".join(f"<tr>{_row(words, line, currency)}</tr>" for line in lines)
    sums = (
        f"{words.total}: {totals.sales}",
        *[""] * 5,
        decimal_text(totals.volume_ml, MILLI_DECIMALS),
        decimal_text(totals.amount_minor, currency.decimals),
        decimal_text(totals.discount_minor, currency.decimals),
    )
    foot = "".join(_cell("td", at, text) for at, text in enumerate(sums))
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody><tfoot><tr>{foot}</tr></tfoot></table>"


def _row(words: Words, line: ReportLine, currency: Currency) -> str:
    unit = Unit.CUBIC_METRE if line.product == "cng" else Unit.LITRE
    cells = (
        line.customer,
        line.plate,
        line.card_shown,
        line.station,
        f"{line.at:%Y-%m-%d %H:%M}",
        words.product(line.product),
        volume_text(line.volume_ml, unit),
        decimal_text(line.amount_minor, currency.decimals),
        decimal_text(line.discount_minor, currency.decimals),
    )
    return "".join(_cell("td", at, text) for at, text in enumerate(cells))


def _cell(tag: str, at: int, text: str) -> str:
    kind = ' class="number"' if at in _NUMBERS else ""
    return f"<{tag}{kind}>{escape(text)}</{tag}>"


def _page(words: Words, body: str, *, simulated: bool) -> str:
    title = f"{words.title} · SIMULATION" if simulated else words.title
    return (
        f'<!doctype html><html lang="{words.language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1>{body}</body></html>"
    )

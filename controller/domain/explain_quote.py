"""A programme's quote, made again from its row and the rules in the journal, for people: what was known, and what came.

Pure. Says whether the answer is the one of then.
"""

from datetime import date

import msgspec

from controller.domain.explain import Explained, NotADecision
from controller.domain.programme_reasons import attendant_text
from controller.domain.programme_records import Quoted, RulesTaken
from controller.domain.programmes.programme import ProgrammeError, parse
from controller.domain.programmes.quoting import Quote
from controller.domain.quantities import Currency, decimal_text, money_text
from controller.domain.quoted import QuotedFrom, again, known_of
from controller.domain.records import Body


def explain_quote(body: Body, rules: RulesTaken | None) -> Explained:
    """The quote of this row again. `rules`: the row with the rules of its version. NotADecision says why not."""
    record = body.record
    if not isinstance(record, Quoted):
        raise NotADecision("this row is no quote of a fuel programme")
    head = f"row {body.name.text}: {record.programme}, rules {record.version}"
    if rules is None:
        raise NotADecision(f"{head}: the journal has no rules of this version")
    try:
        programme = parse(rules.text, "the journal")
        known = known_of(record)
    except (ProgrammeError, msgspec.DecodeError, msgspec.ValidationError) as error:
        raise NotADecision(f"{head}: what it was quoted from cannot be read ({error})") from error
    made = again(programme, known)
    same = _fields(made) == (record.reason, record.purse, record.points, record.rebate_minor, record.provisional)
    lines = [head, *_known(known, programme.currency)]
    lines.append(f"Quoted again: {_said(made, programme.currency)}")
    lines.append(
        "The same answer" if same else "NOT the same answer: this program quotes otherwise than the one of then"
    )
    return Explained(tuple(lines), same)


def _fields(made: Quote) -> tuple[str, str, int, int, bool]:
    return (made.reason or "", made.purse, made.points, made.rebate_minor, made.provisional)


def _known(known: QuotedFrom, currency: Currency) -> list[str]:
    sale, standing = known.sale, known.standing
    paid = {
        "in cash": sale.cash_minor,
        "electronically": sale.electronic_minor,
        "with points": sale.points_minor,
        "on account": sale.account_minor,
    }
    how = ", ".join(f"{money_text(minor, currency)} {word}" for word, minor in paid.items() if minor)
    flags = ("by_card", "cancelled", "suspended", "verified", "remote")
    said = [flag.replace("_", " ") for flag in flags if getattr(standing, flag)]
    return [
        f"Day of the rules: {date.fromordinal(known.day).isoformat()}",
        f"Sale: {decimal_text(sale.volume_ml, 3)} of {sale.product}, {money_text(sale.amount_minor, currency)}"
        f" ({how or 'nothing paid'}), headquarters {'not ' if sale.offline else ''}heard",
        f"Buyer: {standing.holder or 'nobody'}"
        + (f", {', '.join(said)}" if said else "")
        + (f", product set {standing.product_set}" if standing.product_set else "")
        + (f", plate {standing.plate}" if standing.plate != "none" else "")
        + (f", token: {standing.token_reason}" if standing.token_reason else ""),
        f"Of this day before: {standing.day_points} points by {standing.day_sales} sales here",
    ]


def _said(made: Quote, currency: Currency) -> str:
    parts = []
    if made.points or not made.rebate_minor:
        parts.append(f"{made.points} points" + (f" for {made.purse}" if made.purse else ""))
    if made.rebate_minor:
        parts.append(f"a rebate of {money_text(made.rebate_minor, currency)}")
    if made.reason is not None:
        parts.append(f"{made.reason} ({attendant_text(made.reason)})")
    if made.provisional:
        parts.append("provisional")
    return ", ".join(parts)

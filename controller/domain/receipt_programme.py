"""What a receipt says of a fuel programme: points or rebate, why there are none, the balance. Knows no layout."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from controller.domain.days import local_time
from controller.domain.programme_records import Quoted
from controller.domain.programmes.programme import Programme
from controller.domain.programmes.reasons import Reason
from controller.domain.programmes.rules import Product
from controller.domain.quantities import Currency, money_text
from controller.domain.receipt_words import ReceiptWords


@dataclass(frozen=True, slots=True)
class ReceiptProgramme:
    """`points` and `rebate_minor`: earned by this sale; None where the programme gives no such thing on it.

    `spent`: points that paid for it. `balance`: of the purse, with these, as it was known at `as_of` (local time, as
    text); None where nobody knows it. `counted`: the volume counts for a discount after the month.
    """

    title: str
    points: int | None = None
    rebate_minor: int | None = None
    spent: int = 0
    reason: Reason | None = None
    balance: int | None = None
    as_of: str = ""
    provisional: bool = False
    counted: bool = False


def programme_of(
    programme: Programme, product: Product, quoted: Quoted, spent: int, zone: ZoneInfo, day: int
) -> ReceiptProgramme:
    """What is printed of a quote, and of points of the same programme that paid.

    `day`: of the delivery's end, in the programme's zone.
    """
    rules = programme.on(day)
    title = programme.file.programme.title
    reason = _reason(quoted.reason)
    at = local_time(quoted.as_of_ms, zone)
    return ReceiptProgramme(
        title=title,
        points=quoted.points if rules.earn[product] else None,
        rebate_minor=quoted.rebate_minor or None,
        spent=spent,
        reason=reason,
        balance=quoted.balance,
        as_of=f"{at:%Y-%m-%d %H:%M}" if quoted.balance is not None and quoted.as_of_ms else "",
        provisional=quoted.provisional,
        counted=rules.volume_discount is not None and reason is None and bool(quoted.holder),
    )


def programme_rows(programme: ReceiptProgramme, words: ReceiptWords, currency: Currency) -> list[tuple[str, str]]:
    """Labels and their values, top to bottom; a value that is empty: the text stands alone."""
    rows: list[tuple[str, str]] = []
    if programme.spent:
        rows.append((words.points_spent, str(programme.spent)))
    if programme.points:
        rows.append((words.points_earned, str(programme.points)))
    elif programme.points is not None:
        rows.append((words.nothing_earned, ""))
    if programme.rebate_minor is not None:
        rows.append((words.rebate, money_text(programme.rebate_minor, currency)))
    if programme.counted:
        rows.append((words.volume_counted, ""))
    if programme.reason is not None:
        rows.append((words.reasons.get(programme.reason, programme.reason), ""))
    if programme.balance is not None:
        rows.append((words.balance, f"{programme.balance} {words.points}"))
        if programme.as_of:
            rows.append((f"{words.as_of} {programme.as_of}", ""))
    if programme.provisional:
        rows.append((words.provisional, ""))
    return rows


def _reason(code: str) -> Reason | None:
    try:
        return Reason(code) if code else None
    except ValueError:
        return None  # of a later program

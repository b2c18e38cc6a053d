"""The watch against abuse: more in a day than a tank can hold, one card at two distant stations within minutes.

What is found stops the holder's earning until a person has reviewed it. Reads and changes the books, sells nothing.
"""

from controller.domain.programmes.answering import accept, decline
from controller.domain.programmes.answers import Answer
from controller.domain.programmes.books import Books
from controller.domain.programmes.events import Review
from controller.domain.programmes.members import Holder
from controller.domain.programmes.reasons import Reason
from controller.domain.programmes.reversing import take_back
from controller.domain.programmes.rules import AbuseRule
from controller.domain.programmes.today import DayUse

MS_PER_MINUTE = 60_000


def watch(books: Books, holder: Holder, token: str, station: str, volume_ml: int, at_ms: int) -> None:
    """Look at a sale of `at_ms` before it earns: one that is suspicious suspends its holder, and notes what was
    gained."""
    rule = books.rules.abuse
    if rule is None or holder.suspended:
        return
    use = books.day_use.get(holder.index)
    gained = list(use.numbers) if use is not None else []
    seen = books.seen.get(token) if token else None
    suspicious = (use.volume_ml if use is not None else 0) + volume_ml > rule.tank_ml_a_day
    if seen is not None and seen.sale >= holder.reviewed_sales and _distant(rule, seen.station, station):
        near_in_time = abs(at_ms - seen.at_ms) < rule.minutes_between_stations * MS_PER_MINUTE
        suspicious = suspicious or near_in_time
        if near_in_time and seen.sale not in gained:
            gained.append(seen.sale)
    if suspicious:
        holder.suspended = True
        holder.gained = tuple(gained)


def review(books: Books, event: Review) -> Answer:
    """A person has looked: earning goes on, and what was gained stays or is taken back."""
    holder = books.holder_of.get(event.member)
    if holder is None:
        return decline(books, event, Reason.HOLDER_UNKNOWN)
    taken = 0
    if event.outcome == "take_back":
        for number in holder.gained:
            taken += take_back(books, event.ref, number)
    holder.suspended = False
    holder.gained = ()
    # What was reviewed is not found again by the next sale.
    holder.reviewed_sales = len(books.sales.names)
    use = books.day_use.get(holder.index)
    if use is not None:
        books.day_use[holder.index] = DayUse(use.points, use.sales, 0, use.numbers)
    for purse in holder.purses.values():
        books.look_at_points(purse)
    return accept(books, event) if event.outcome == "clear" else accept(books, event, points=-taken)


def _distant(rule: AbuseRule, one: str, other: str) -> bool:
    return one != other and not any(one in group and other in group for group in rule.near)

"""What a decision is made from at this moment: the list's row, and all that counts against it.

The journal says what was used; what other pumps may take right now counts as good as used. Knows no pump and no tile.
"""

from collections.abc import Iterable

from controller.domain.allotments import HEADQUARTERS_POT, Reservation
from controller.domain.days import local_time
from controller.domain.decide import Approved, Facts, Request
from controller.domain.funds import Funds
from controller.domain.limits import cost_minor
from controller.domain.lists import MINUTES_A_DAY, Cap, Level, ListRow, Measure, Window
from controller.domain.quantities import Currency, amount_for, volume_for
from controller.domain.records import Authorised
from controller.domain.tokens import TokenRef
from controller.domain.usage import key_of
from controller.site import Site

_DAY_ML = Cap(Level.CARD, Window.DAY, Measure.VOLUME, 1)
_DAY_MINOR = Cap(Level.CARD, Window.DAY, Measure.AMOUNT, 1)
_MINUTES_AN_HOUR = 60


def facts_for(site: Site, token: TokenRef, point: int, now_ms: int) -> Facts:
    """The facts for a token at a fuelling point. `now_ms`: the wall clock (UTC)."""
    found = site.lists.look_up(token.key)
    site.trouble("card list", site.lists.trouble or None)
    row, usage = found.row, site.books.usage
    day, elapsed_ms = site.day_of(now_ms), site.elapsed_ms
    elsewhere = site.allowed_elsewhere(point)

    def used(cap: Cap) -> int:
        who = _who(cap.level, token, row)
        if not who or cap.window is Window.FILL:
            return 0
        flowing = sum(_may_take(record, cap.measure, site.currency) for record in _of(cap.level, who, elsewhere))
        return usage.used(key_of(cap.level, who), cap, day, elapsed_ms) + flowing

    local = local_time(now_ms, site.books.business_day.zone)
    return Facts(
        found=found,
        used_day_ml=used(_DAY_ML),
        used_day_minor=used(_DAY_MINOR),
        last_odometer_km=site.books.odometer_km.get(token.key, 0),
        station=site.station,
        week_minute=local.weekday() * MINUTES_A_DAY + local.hour * _MINUTES_AN_HOUR + local.minute,
        used=tuple(used(cap) for cap in row.caps) if row else (),
        pin_wrong=usage.pins.wrong(token.key, row.pin_version) if row else 0,
        contact_age_ms=site.contact_age_ms(),
        ladder=site.rules.ladder,
        available_minor=_available_minor(site, token, row),
        overrun_ml=site.rules.overrun_ml,
    )


def reservation_for(site: Site, request: Request, decision: Approved) -> Reservation | None:
    """What an approved delivery must be able to cost, overrun included: nobody else may spend it meanwhile."""
    if decision.funds is not Funds.PREPAID or request.price is None:
        return None
    granted = decision.evidence.granted
    cost = cost_minor(decision.limits, decision.evidence.overrun_ml, request.price, request.currency) or 0
    if granted is not None and granted.amount_minor is not None:
        return Reservation(HEADQUARTERS_POT, cost)
    pot = site.books.usage.allotments.pot_of(request.token, decision.account)
    return Reservation(pot, min(cost, decision.evidence.available_minor or 0))


def _who(level: Level, token: TokenRef, row: ListRow | None) -> bytes | str:
    match level:
        case Level.CARD:
            return token.key
        case Level.VEHICLE:
            return row.vehicle if row else b""
        case Level.ACCOUNT:
            return row.account if row else ""


def _of(level: Level, who: bytes | str, records: Iterable[Authorised]) -> list[Authorised]:
    """The authorisations of this token, vehicle or account."""
    return [
        record
        for record in records
        if record.token is not None
        and who == {Level.CARD: record.token.key, Level.VEHICLE: record.vehicle, Level.ACCOUNT: record.account}[level]
    ]


def _may_take(record: Authorised, measure: Measure, currency: Currency) -> int:
    """How much an authorisation lets go at most; none, where nothing bounds it."""
    limits = record.limits
    match measure:
        case Measure.FILLS:
            return 1
        case Measure.VOLUME:
            by_money = limits.amount_minor and volume_for(limits.amount_minor, record.price, currency)
            return limits.volume_ml if limits.volume_ml is not None else by_money or 0
        case Measure.AMOUNT:
            by_volume = limits.volume_ml and amount_for(limits.volume_ml, record.price, currency)
            return limits.amount_minor if limits.amount_minor is not None else by_volume or 0


def _available_minor(site: Site, token: TokenRef, row: ListRow | None) -> int | None:
    if row is None or row.funds is not Funds.PREPAID:
        return None
    allotments = site.books.usage.allotments
    pot = allotments.pot_of(token, row.account)
    available = allotments.available_minor(pot)
    return None if available is None else available - site.being_reserved_minor(pot)

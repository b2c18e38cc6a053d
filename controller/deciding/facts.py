"""What a decision is made from at this moment: the list's row, and all that counts against it.

The journal says what was used; what other pumps may take right now counts as good as used. Knows no pump and no tile.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

import msgspec

from controller.domain.allotments import HEADQUARTERS_POT, Moment, Reservation
from controller.domain.codes import Scanned
from controller.domain.days import local_time
from controller.domain.decide import Approved, Facts, Request, decide
from controller.domain.funds import Funds
from controller.domain.limits import cost_minor
from controller.domain.lists import MINUTES_A_DAY, Cap, Level, ListRow, LookUp, Measure, Window
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
    card_use = site.card_use(token.key, date.fromordinal(day))

    def used(cap: Cap) -> int:
        who = _who(cap.level, token, row)
        if not who or cap.window is Window.FILL:
            return 0
        flowing = sum(_may_take(record, cap.measure, site.currency) for record in _of(cap.level, who, elsewhere))
        here = usage.used(key_of(cap.level, who), cap, day, elapsed_ms) + flowing
        # A card that bought elsewhere today says so itself; what it bought here, it may not know.
        return here if card_use is None else max(here, card_use.of(cap))

    reading = usage.odometers.get(token.key)
    local = local_time(now_ms, site.books.business_day.zone)
    return Facts(
        found=found,
        used_day_ml=used(_DAY_ML),
        used_day_minor=used(_DAY_MINOR),
        last_odometer_km=reading.km if reading else 0,
        station=site.station,
        week_minute=local.weekday() * MINUTES_A_DAY + local.hour * _MINUTES_AN_HOUR + local.minute,
        used=tuple(used(cap) for cap in row.caps) if row else (),
        pin_wrong=pin_wrong(site, token, found),
        contact_age_ms=site.contact_age_ms(),
        ladder=site.rules.ladder,
        available_minor=_available_minor(site, token, row),
        overrun_ml=site.rules.overrun_ml,
        odometer_age_ms=elapsed_ms - reading.at_ms if reading else None,
        odometer_km_a_day=site.rules.odometer_km_a_day,
        card_use=card_use,
        code_wrong=usage.driver_codes.wrong(token.key, row.pin_version) if row else 0,
    )


def pin_wrong(site: Site, token: TokenRef, found: LookUp) -> int:
    """Wrong PINs in a row: the larger of what was typed here and what a card with a PIN of its own counts."""
    row = found.row
    return site.books.usage.pins.wrong(token.key, row.pin_version, pins_on_card(site, token, found)) if row else 0


def pins_on_card(site: Site, token: TokenRef, found: LookUp) -> int:
    """What the card itself counts of wrong PINs; 0 where its PIN is the list's, and other stations cannot know it."""
    use = site.card_use(token.key, date.fromordinal(site.day_of(site.wall_ms))) if found.pin_on_card else None
    return use.pin_wrong if use is not None else 0


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


def most_minor(request: Request, facts: Facts, now_ms: int) -> int | None:
    """What headquarters is asked for: the most that the delivery may cost, overrun included; 0: there is no bound.

    None where it would be refused for all the money in the world: then nobody need be asked.
    """
    if facts.found.row is None or request.price is None:
        return None
    row = msgspec.structs.replace(facts.found.row, funds=Funds.POSTPAID)
    boundless = replace(facts, found=msgspec.structs.replace(facts.found, row=row))
    decision = decide(request, boundless, now_ms)
    if not isinstance(decision, Approved):
        return None
    return cost_minor(decision.limits, facts.overrun_ml, request.price, request.currency) or 0


def looked_at(site: Site, code: Scanned | None, point: int) -> Scanned | None:
    """A scanned code, and whether it is used now: by the journal, by a pump that is being let go, or elsewhere."""
    if code is None:
        return None
    others = (record.evidence.code for record in site.allowed_elsewhere(point))
    used = code.nonce.hex() in site.books.codes.until_ms or site.code_used_elsewhere(code.nonce)
    used = used or any(other is not None and other.nonce == code.nonce for other in others)
    return msgspec.structs.replace(code, used=used)


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
    available = allotments.available_minor(pot, Moment(site.elapsed_ms, site.wall_ms))
    return None if available is None else available - site.being_reserved_minor(pot)

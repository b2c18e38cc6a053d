"""A list's row in the words of its columns, for people: of plates, drivers' codes and PINs only that they are there."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from controller.domain.funds import Funds
from controller.domain.lists import MINUTES_A_DAY, Cap, Hours, Level, ListRow, Measure, Window
from controller.domain.memberships import Membership
from controller.domain.quantities import Currency, decimal_text
from controller.domain.seams import MS_PER_S
from controller.domain.tokens import Assurance

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FOR_EVER_MS = 253_402_128_000_000
"""The next to last day of the year 9999: what ends there or later was written as 9999-12-31, for ever."""


def row_lines(row: ListRow, currency: Currency, zone: ZoneInfo) -> Iterator[tuple[str, str]]:
    """Column and text of each condition that the row has."""
    yield "account", row.account
    yield "status", row.status.value
    if row.products:
        yield "products", row.products.replace(",", ";")
    if row.valid_from_ms:
        yield "valid_from", _day(row.valid_from_ms, zone)
    if row.valid_until_ms:
        yield "valid_until", _day(row.valid_until_ms - 1, zone)
    if row.plate_key:
        yield "only_plate", "set (only its hash is known)"
    if row.ask_odometer:
        yield "ask_odometer", "yes"
    if row.stations:
        yield "stations", row.stations.replace(",", ";")
    if row.hours:
        yield "hours", "; ".join(map(_hours, row.hours))
    if row.pin:
        yield "pin_verifier", "set"
    if row.pin_version:
        yield "pin_version", str(row.pin_version)
    if row.drivers:
        yield "drivers", f"{len(row.drivers)} (only their hashes are known)"
    if row.tank_ml:
        yield "tank_volume", _decimal(row.tank_ml, 3)
    if row.vehicle_key:
        yield "vehicle", "set (only its hash is known)"
    if row.funds is not Funds.POSTPAID:
        yield "funds", row.funds.value
    if row.assurance is not Assurance.IDENTIFIED:
        yield "assurance", row.assurance.value
    for cap in (*_own_limits(row), *row.caps):
        yield _column(cap), _most(cap, currency)
    if row.member is not None:
        yield from _member_lines(row.member, currency, zone)


def _member_lines(member: Membership, currency: Currency, zone: ZoneInfo) -> Iterator[tuple[str, str]]:
    """Its place in a fuel programme. Of plates only that they are there."""
    yield "programme", member.programme
    yield "holder", member.holder
    if member.product_set:
        yield "product_set", member.product_set
    if not member.contract_valid:
        yield "contract_valid", "no"
    for name in ("cancelled", "suspended", "verified", "remote", "activated", "organisation"):
        if getattr(member, name):
            yield name, "yes"
    if member.plates:
        yield "plates", f"{len(member.plates)} (only their hashes are known)"
    if member.plates_waiting:
        yield "plates_waiting", f"{len(member.plates_waiting)} (only their hashes are known)"
    if member.plates_free != 1:
        yield "plates_free", str(member.plates_free)
    if member.pay_and_go:
        yield "pay_and_go", "yes"
    if member.plates_full:
        yield "plates_full", "yes"
    if member.per_litre_minor:
        yield "per_litre", _decimal(member.per_litre_minor, currency.decimals)
    if member.percent_bp:
        yield "percent_bp", str(member.percent_bp)
    if member.purses:
        yield "purses", ";".join(f"{each.purse}:{each.points}/{each.available}" for each in member.purses)
    if member.as_of_ms:
        moment = datetime.fromtimestamp(0, UTC) + timedelta(seconds=member.as_of_ms // MS_PER_S)
        yield "as_of", moment.astimezone(zone).isoformat()


def _own_limits(row: ListRow) -> Iterator[Cap]:
    for window, measure, most in (
        (Window.FILL, Measure.VOLUME, row.fill_ml),
        (Window.FILL, Measure.AMOUNT, row.fill_minor),
        (Window.DAY, Measure.VOLUME, row.day_ml),
        (Window.DAY, Measure.AMOUNT, row.day_minor),
    ):
        if most:
            yield Cap(Level.CARD, window, measure, most)


def _column(cap: Cap) -> str:
    return f"{cap.name}_{cap.measure}"


def _most(cap: Cap, currency: Currency) -> str:
    if cap.measure is Measure.FILLS:
        return str(cap.most)
    return _decimal(cap.most, 3 if cap.measure is Measure.VOLUME else currency.decimals)


def _decimal(value: int, decimals: int) -> str:
    text = decimal_text(value, decimals)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _day(at_ms: int, zone: ZoneInfo) -> str:
    if at_ms >= _FOR_EVER_MS:
        return "9999-12-31"
    moment = datetime.fromtimestamp(0, UTC) + timedelta(seconds=at_ms // MS_PER_S)
    return moment.astimezone(zone).date().isoformat()


def _hours(hours: Hours) -> str:
    days = ",".join(name for day, name in enumerate(_DAYS) if hours.days >> day & 1)
    return f"{days} {_clock(hours.from_minute)}-{_clock(hours.until_minute or MINUTES_A_DAY)}"


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"

"""What is on a card, in lines for the card office. Numbers are masked; no key is known here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from card_io.application import masked
from card_io.counters import Counters
from card_io.entitlement import Entitlement, Limits
from card_io.fills import CardFill
from card_io.inspect_card import CardReading


def tail_of(uid: bytes) -> str:
    """Enough of a UID to tell cards on one desk apart."""
    return f"..{uid[-3:].hex().upper()}"


def described(reading: CardReading) -> Iterator[str]:
    """A line for each thing that the card says."""
    facts, header = reading.facts, reading.header
    yield f"card          {masked(header.card_number)}, {header.issuer} {header.scheme}, UID {tail_of(facts.uid)}"
    yield f"keys          version {facts.key_version}, proven"
    if facts.entitlement is not None:
        yield from _entitlement(facts.entitlement)
    if facts.counters is not None:
        yield from _counters(facts.counters)
    if facts.purse is not None:
        commits = "" if facts.purse.counter is None else f", {facts.purse.counter} commits"
        yield f"purse         {facts.purse.value} {_UNITS[facts.purse.unit]}{commits}"
    for fill in reading.fills:
        yield f"fill          {_fill(fill)}"
    if not reading.fills:
        yield "fills         none"


_UNITS = {"money_minor": "minor units", "volume_ml": "ml", "points": "points"}


def _entitlement(rights: Entitlement) -> Iterator[str]:
    yield f"may           {rights.product_set}, {rights.valid_from} to {rights.valid_until}, number {rights.sequence}"
    for name, limits in (("a fill", rights.fill), ("a day", rights.day), ("a month", rights.month)):
        if text := _limits(limits, rights.currency):
            yield f"limit         {text} {name}"
    yield f"plates        {', '.join(rights.plates) or 'any'}"
    yield f"PIN           {'yes' if rights.pin else 'no'}"


def _limits(limits: Limits, currency: str) -> str:
    parts = []
    if limits.volume_ml is not None:
        parts.append(f"{limits.volume_ml} ml")
    if limits.amount_minor is not None:
        parts.append(f"{limits.amount_minor} minor units {currency}")
    return ", ".join(parts)


def _counters(counters: Counters) -> Iterator[str]:
    if counters.day is None:
        yield "used          never"
    else:
        yield (
            f"used          {counters.day}: {counters.day_fills} fills, {counters.day_volume_ml} ml, "
            f"{counters.day_amount_minor} minor units; that month {counters.month_volume_ml} ml"
        )
    if counters.pin_tries:
        yield f"wrong PINs    {counters.pin_tries}"
    if counters.odometer_km:
        yield f"odometer      {counters.odometer_km} km"
    if counters.debit is not None:
        intent = counters.debit.intent
        name = f"{intent.epoch.hex()}-{intent.seq}"
        yield f"debit         {intent.maximum} at station {intent.station}, {name}: {counters.debit.state}"


def _fill(fill: CardFill) -> str:
    at = datetime.fromtimestamp(fill.at_s, UTC).strftime("%Y-%m-%d %H:%M")
    return (
        f"{at} UTC, station {fill.station}, point {fill.point}: {fill.volume_ml} ml, {fill.amount_minor} minor units, "
        f"row {fill.epoch.hex()}-{fill.seq}"
    )

"""Plates, names, phones, months, periods: what is compared and how it is counted."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from controller.domain.programmes.dates import (
    LocalTime,
    month_of,
    parse_period,
    period_name,
    to_ms,
    years_reached,
)
from controller.domain.programmes.folding import fold_name, fold_phone, fold_plate


@pytest.mark.parametrize("text", ["34 ABI 12", "34-abı-12", "34.abi.12", "34ABİ12", "34 АВІ 12", "34аві12", "34abi̇12"])
def test_plates_are_compared_without_spaces_hyphens_and_dots_in_capitals_with_one_i(text: str) -> None:
    """Cyrillic look-alikes as Latin; ı, i and İ as I."""
    assert fold_plate(text) == "34ABI12"


def test_all_cyrillic_look_alikes() -> None:
    assert fold_plate("авеікмнорстху АВЕІКМНОРСТХУ") == "ABEIKMHOPCTXY" * 2


def test_other_letters_stay_what_they_are() -> None:
    assert fold_plate("34 ğü 1") == "34ĞÜ1"
    assert fold_plate("Б1") != fold_plate("B1")


@pytest.mark.parametrize("text", ["AYTEKİN", "Aytekin", "aytekın", "AYTEKIN", " AYTEKİN ", "AYTEKI\u0307N"])
def test_names_are_compared_after_folding_case_and_i(text: str) -> None:
    assert fold_name(text) == fold_name("Aytekin")


def test_other_names_are_others() -> None:
    assert fold_name("Ayse") != fold_name("Ayşe")
    assert fold_name("Ali  Can") == fold_name("ALİ CAN")
    assert fold_name("AliCan") != fold_name("Ali Can")


def test_phones_are_compared_by_their_digits() -> None:
    assert fold_phone("+90 (532) 111-22.33") == "+905321112233"


def at(text: str) -> int:
    return to_ms(datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ("2026-08-31T10:00:00+03:00", 6, "2027-02-28T10:00:00+03:00"),
        ("2027-08-31T10:00:00+03:00", 6, "2028-02-29T10:00:00+03:00"),
        ("2026-12-31T10:00:00+03:00", 6, "2027-06-30T10:00:00+03:00"),
        ("2028-02-29T10:00:00+03:00", 6, "2028-08-29T10:00:00+03:00"),
        ("2026-07-01T00:30:00+03:00", 6, "2027-01-01T00:30:00+03:00"),
    ],
)
def test_months_later(start: str, months: int, end: str) -> None:
    assert LocalTime(ZoneInfo("Europe/Istanbul")).months_later(at(start), months) == at(end)


def test_months_later_keeps_the_clock_of_the_place() -> None:
    """Summer time in between: 10:00 stays 10:00."""
    kyiv = LocalTime(ZoneInfo("Europe/Kyiv"))
    assert kyiv.months_later(at("2026-01-15T10:00:00+02:00"), 6) == at("2026-07-15T10:00:00+03:00")


def test_days_are_local() -> None:
    kyiv = LocalTime(ZoneInfo("Europe/Kyiv"))
    assert kyiv.day(at("2026-01-31T21:59:59+00:00")) == date(2026, 1, 31).toordinal()
    assert kyiv.day(at("2026-01-31T22:00:00+00:00")) == date(2026, 2, 1).toordinal()
    assert kyiv.midnight(date(2026, 7, 1).toordinal()) == at("2026-06-30T21:00:00+00:00")


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("2026-01", date(2026, 1, 31)),
        ("2026-01a", date(2026, 1, 15)),
        ("2026-01b", date(2026, 1, 31)),
        ("2028-02", date(2028, 2, 29)),
        ("2027-02b", date(2027, 2, 28)),
    ],
)
def test_periods(name: str, last: date) -> None:
    period = parse_period(name)
    assert period.last_day == last.toordinal()
    assert period_name(period.last_day, period.half) == name
    assert period.month == month_of(period.last_day)


@pytest.mark.parametrize(
    ("birth", "today", "years"),
    [
        (date(2008, 3, 15), date(2026, 3, 14), 17),
        (date(2008, 3, 15), date(2026, 3, 15), 18),
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
        (date(2008, 2, 29), date(2028, 2, 29), 20),
    ],
)
def test_years_are_reached_on_the_birthday(birth: date, today: date, years: int) -> None:
    assert years_reached(birth, today.toordinal()) == years


def test_milliseconds_are_cut() -> None:
    assert to_ms(datetime(1970, 1, 1, 0, 0, 0, 1_999, tzinfo=UTC)) == 1

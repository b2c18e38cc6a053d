"""The business day over changes of the clock, in the three countries and at every hour that it may begin."""

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from controller.domain.days import BusinessDay, local_time

KYIV, ISTANBUL, SAIGON = "Europe/Kyiv", "Europe/Istanbul", "Asia/Ho_Chi_Minh"
HOUR_MS, MINUTE_MS = 3_600_000, 60_000


def ms(year: int, month: int, day: int, hour: int = 0, minute: int = 0, *, zone: str, fold: int = 0) -> int:
    """A local time as UTC milliseconds."""
    local = datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(zone), fold=fold)
    return round(local.timestamp()) * 1_000


def lengths(zone: str, starts_hour: int, year: int) -> dict[int, list[str]]:
    """The days of a year that are not of 24 hours: by hours, as dates."""
    day = BusinessDay(ZoneInfo(zone), starts_hour)
    first = ms(year, 1, 2, starts_hour, zone=zone)
    hours: dict[int, int] = {}
    for hour in range(363 * 24):
        of = day.of(first + hour * HOUR_MS)
        hours[of] = hours.get(of, 0) + 1
    hours.popitem()  # the last one is not whole
    odd: dict[int, list[str]] = {}
    for ordinal, count in hours.items():
        if count != 24:
            odd.setdefault(count, []).append(datetime.fromordinal(ordinal).date().isoformat())
    return odd


@pytest.mark.parametrize("starts_hour", [0, 1, 2])
def test_kyiv_has_a_day_of_23_and_one_of_25_hours(starts_hour: int) -> None:
    """Clocks go on at 03:00 on 29 March and back at 04:00 on 25 October 2026."""
    assert lengths(KYIV, starts_hour, 2026) == {23: ["2026-03-29"], 25: ["2026-10-25"]}


@pytest.mark.parametrize("starts_hour", [5, 6, 23])
def test_a_day_that_begins_after_the_change_has_it_in_the_day_before(starts_hour: int) -> None:
    assert lengths(KYIV, starts_hour, 2026) == {23: ["2026-03-28"], 25: ["2026-10-24"]}


@pytest.mark.parametrize("zone", [ISTANBUL, SAIGON])
@pytest.mark.parametrize("starts_hour", [0, 4, 12])
def test_where_clocks_do_not_change_every_day_has_24_hours(zone: str, starts_hour: int) -> None:
    assert lengths(zone, starts_hour, 2026) == {}


def test_istanbul_changed_its_clocks_until_2016_and_not_back_in_that_year() -> None:
    assert lengths(ISTANBUL, 0, 2015) == {23: ["2015-03-29"], 25: ["2015-11-08"]}
    assert lengths(ISTANBUL, 0, 2016) == {23: ["2016-03-27"]}
    assert lengths(ISTANBUL, 0, 2017) == {}


@pytest.mark.parametrize(
    ("zone", "hours"), [(ISTANBUL, 3), (SAIGON, 7), (KYIV, 2)]
)  # of 1 January; Kyiv has 3 in summer
def test_a_day_begins_at_its_hour_to_the_minute(zone: str, hours: int) -> None:
    day = BusinessDay(ZoneInfo(zone), 4)
    begins = round(datetime(2026, 1, 10, 4, tzinfo=UTC).timestamp()) * 1_000 - hours * HOUR_MS
    tenth = datetime(2026, 1, 10).toordinal()
    assert day.of(begins) == tenth
    assert day.of(begins - 1) == tenth - 1
    assert day.of(begins + 24 * HOUR_MS - 1) == tenth


def test_the_hour_that_comes_twice_is_in_one_day_if_the_day_does_not_begin_in_it() -> None:
    day = BusinessDay(ZoneInfo(KYIV), 0)
    first, second = (ms(2026, 10, 25, 3, 30, zone=KYIV, fold=fold) for fold in (0, 1))
    assert second - first == HOUR_MS
    assert day.of(first) == day.of(second) == datetime(2026, 10, 25).toordinal()


def test_a_day_that_begins_in_the_hour_that_comes_twice_follows_the_clock_on_the_wall() -> None:
    """At 03:59 it is the new day, and at the second 03:00 again the same: no sale goes back to the day before."""
    day = BusinessDay(ZoneInfo(KYIV), 3)
    ordinal = datetime(2026, 10, 25).toordinal()
    begins = ms(2026, 10, 25, 3, 0, zone=KYIV)
    assert day.of(begins - MINUTE_MS) == ordinal - 1
    assert [day.of(begins + minutes * MINUTE_MS) for minutes in (0, 59, 60, 119, 120)] == [ordinal] * 5


def test_a_day_that_begins_in_the_hour_that_is_left_out_begins_behind_it() -> None:
    day = BusinessDay(ZoneInfo(KYIV), 3)
    ordinal = datetime(2026, 3, 29).toordinal()
    leap = ms(2026, 3, 29, 4, 0, zone=KYIV)
    assert local_time(leap - 1_000, ZoneInfo(KYIV)).strftime("%H:%M:%S") == "02:59:59"
    assert day.of(leap - 1) == ordinal - 1
    assert day.of(leap) == ordinal


@pytest.mark.parametrize("zone", [KYIV, ISTANBUL, SAIGON])
@pytest.mark.parametrize("starts_hour", range(24))
@pytest.mark.parametrize("year", [2015, 2016, 2026])
def test_days_never_go_back_and_none_is_left_out(zone: str, starts_hour: int, year: int) -> None:
    day = BusinessDay(ZoneInfo(zone), starts_hour)
    first = ms(year, 1, 1, zone=zone)
    days = [day.of(first + half * HOUR_MS // 2) for half in range(0, 366 * 48, 3)]
    assert all(after - before in {0, 1} for before, after in pairwise(days))


def test_local_time_is_to_the_second() -> None:
    assert local_time(1_234, ZoneInfo(SAIGON)) == datetime(1970, 1, 1, 8, 0, 1, tzinfo=ZoneInfo(SAIGON))

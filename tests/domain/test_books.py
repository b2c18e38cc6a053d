"""The books: told row by row, they know what is open, unpaid, sold and used up."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from controller.domain import records
from controller.domain.books import REMEMBERED, Books
from controller.domain.days import BusinessDay
from controller.domain.quantities import UnitPrice
from controller.domain.reasons import Reason
from controller.domain.records import (
    Declined,
    Evidence,
    PumpAlarm,
    Released,
    Started,
    Stopped,
    TotaliserRead,
    UnrecordedDelivery,
)
from tests.domain.rows import CARD, WALL_MS, Story, authorised, delivery, settlement

DAY_MS = 24 * 3_600_000


def test_a_delivery_waits_unpaid_until_it_is_settled() -> None:
    story = Story()
    allowed = story.tell(authorised())
    assert story.books.open[1][0] == allowed
    filled = story.tell(delivery(allowed=allowed))
    assert not story.books.open
    assert [unpaid.name for unpaid in story.books.unpaid_at(1)] == [filled]
    paid = story.tell(settlement(filled, number=7), wall_ms=WALL_MS + 60_000)
    assert not story.books.unpaid
    sale = story.books.settled[filled]
    assert (sale.settlement_name, sale.ended_ms, sale.settled_ms) == (paid, WALL_MS, WALL_MS + 60_000)
    assert story.books.receipt_number == 7
    assert story.books.sums.sales == 1
    assert story.books.sums.sales_amount_minor == 43_790


def test_deliveries_stack_at_their_own_pump_the_oldest_first() -> None:
    story = Story()
    first = story.tell(delivery(1_000))
    story.tell(delivery(2_000, point=2))
    third = story.tell(delivery(3_000))
    assert [unpaid.name for unpaid in story.books.unpaid_at(1)] == [first, third]
    story.tell(settlement(first))
    assert [unpaid.name for unpaid in story.books.unpaid_at(1)] == [third]
    assert len(story.books.unpaid_at(2)) == 1
    assert story.books.unpaid_at(3) == []


def test_a_released_authorisation_is_open_no_more_and_closes_no_other() -> None:
    story = Story()
    first = story.tell(authorised(point=1))
    second = story.tell(authorised(point=2))
    story.tell(Released(first, "hung up"))
    assert list(story.books.open) == [2]
    story.tell(Released(first, "told twice"))
    assert story.books.open[2][0] == second


def test_fuel_that_nobody_allowed_is_unpaid_too_and_closes_nothing() -> None:
    story = Story()
    allowed = story.tell(authorised(point=1))
    story.tell(delivery(point=2))
    assert story.books.open[1][0] == allowed
    assert len(story.books.unpaid) == 1


def test_a_second_settlement_of_a_delivery_counts_nothing() -> None:
    story = Story()
    filled = story.tell(delivery())
    story.tell(settlement(filled, number=1, command_id="a"))
    before = (story.books.sums.sales, story.books.receipt_number, dict(story.books.commands))
    story.tell(settlement(filled, number=2, command_id="b"))
    assert (story.books.sums.sales, story.books.receipt_number, dict(story.books.commands)) == before


def test_a_command_is_known_again_by_its_till_and_id() -> None:
    story = Story()
    allowed = story.tell(authorised(command_id="c1", till="till-1"))
    filled = story.tell(delivery(allowed=allowed))
    paid = story.tell(settlement(filled, command_id="c2", till="till-2"))
    assert story.books.commands == {("till-1", "c1"): allowed, ("till-2", "c2"): paid}
    story.tell(authorised(command_id=""))
    assert len(story.books.commands) == 2, "a card at the pump is no command"


def test_what_is_remembered_for_repeats_is_bounded_and_the_oldest_goes_first() -> None:
    story = Story()
    for number in range(1, REMEMBERED + 3):
        filled = story.tell(delivery())
        story.tell(settlement(filled, number=number, command_id=f"c{number}"))
    assert len(story.books.settled) == len(story.books.commands) == REMEMBERED
    assert ("till-1", "c2") not in story.books.commands
    assert ("till-1", "c3") in story.books.commands
    assert story.books.sums.sales == REMEMBERED + 2, "the sums forget nothing"


def test_totalisers_follow_deliveries_readings_and_gaps() -> None:
    story = Story()
    story.tell(TotaliserRead(1, 1, 50_000))
    assert story.books.totaliser_ml(1, 1) == 50_000
    story.tell(delivery(totaliser_after_ml=60_000))
    story.tell(delivery(totaliser_after_ml=None))
    assert story.books.totaliser_ml(1, 1) == 60_000, "a pump that tells no totaliser changes none"
    story.tell(UnrecordedDelivery(1, 1, 5_000, 60_000, 65_000))
    assert story.books.totaliser_ml(1, 1) == 65_000
    assert story.books.sums.unrecorded_ml == 5_000


def test_refusals_starts_and_alarms_are_counted_or_let_go() -> None:
    story = Story()
    story.tell(Started("TR-0001", "test", True, None))
    story.tell(Declined(1, 1, CARD, Reason.EXPIRED, Evidence()))
    story.tell(PumpAlarm(1, 3, "no paper"))
    story.tell(Stopped("ordered"))
    story.tell(Started("TR-0001", "test", True, None))
    assert (story.books.epochs, story.books.sums.declined) == (2, 1)


def test_the_same_rows_make_the_same_books() -> None:
    story = Story()
    allowed = story.tell(authorised(token=CARD, command_id="c1", odometer_km=5))
    filled = story.tell(delivery(allowed=allowed, token=CARD))
    story.tell(settlement(filled, command_id="c2"))
    story.tell(delivery(point=4))
    told_again = Books(story.books.business_day)
    for body in story.bodies:
        told_again.apply(body)
    assert told_again == story.books


# ---- days


def moment(text: str, zone: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 1000


def used_litres(story: Story, at: str, zone: str) -> int:
    return story.books.used_on(CARD.key, story.books.business_day.of(moment(at, zone)))[0] // 1000


ZONES = ["Europe/Istanbul", "Asia/Ho_Chi_Minh", "Europe/Kyiv"]


@pytest.mark.parametrize("zone", ZONES)
def test_a_days_use_ends_with_the_business_day_of_the_station(zone: str) -> None:
    story = Story(zone, starts_hour=4)
    story.tell(delivery(10_000, token=CARD), wall_ms=moment("2026-07-01T04:00:00", zone))
    story.tell(delivery(20_000, token=CARD), wall_ms=moment("2026-07-02T03:59:59", zone))
    assert used_litres(story, "2026-07-02T03:59:59", zone) == 30
    assert used_litres(story, "2026-07-02T04:00:00", zone) == 0
    story.tell(delivery(1_000, token=CARD), wall_ms=moment("2026-07-02T04:00:00", zone))
    assert used_litres(story, "2026-07-02T23:00:00", zone) == 1


def test_use_is_counted_by_token_and_in_both_measures() -> None:
    story = Story()
    story.tell(delivery(10_000, token=CARD))
    story.tell(delivery(10_000))
    day = story.books.business_day.of(WALL_MS)
    assert story.books.used_on(CARD.key, day) == (10_000, 43_790)
    assert story.books.used_on(b"stranger", day) == (0, 0)


@pytest.mark.parametrize(
    ("zone", "starts_hour", "night"),
    [
        ("Europe/Kyiv", 3, "2026-03-29"),  # 03:00 is followed by 04:00
        ("Europe/Kyiv", 4, "2026-03-29"),
        ("Europe/Kyiv", 3, "2026-10-25"),  # 04:00 is followed by 03:00
        ("Europe/Kyiv", 4, "2026-10-25"),
        ("Europe/Kyiv", 0, "2026-10-25"),
        ("Europe/Istanbul", 3, "2015-11-08"),  # the last winter time of Turkey: 04:00 is followed by 03:00
        ("Europe/Istanbul", 3, "2016-03-27"),
        ("Asia/Ho_Chi_Minh", 3, "2026-03-29"),  # never
    ],
)
def test_a_business_day_is_whole_on_the_night_when_clocks_change(zone: str, starts_hour: int, night: str) -> None:
    business_day = BusinessDay(ZoneInfo(zone), starts_hour)
    noon_ms = moment(f"{night}T12:00:00", zone)
    days = [business_day.of(noon_ms - DAY_MS + minute * 60_000) for minute in range(24 * 60)]
    assert days == sorted(days), "a day that is over does not come back"
    assert days[-1] - days[0] == 1
    first_ms = noon_ms - DAY_MS + days.index(days[-1]) * 60_000
    begins = datetime.fromtimestamp(first_ms // 1000, ZoneInfo(zone))
    assert begins.hour == starts_hour or (begins.hour == starts_hour + 1 and begins.minute == 0)


def test_turkey_has_had_one_time_since_2016() -> None:
    business_day = BusinessDay(ZoneInfo("Europe/Istanbul"), 0)
    midnight_ms = moment("2026-10-25T00:00:00", "Europe/Istanbul")
    assert business_day.of(midnight_ms + DAY_MS) == business_day.of(midnight_ms) + 1
    assert business_day.of(midnight_ms + DAY_MS - 1) == business_day.of(midnight_ms)


def test_a_test_measure_closes_a_delivery_and_is_counted_apart() -> None:
    story = Story()
    filled = story.tell(delivery(20_000))
    name = story.tell(records.TestMeasure(filled, "till-1", "c1"))
    books = story.books
    assert not books.unpaid
    assert books.tested == {filled: name}
    assert books.commands == {("till-1", "c1"): name}
    assert (books.sums.deliveries, books.sums.sales, books.sums.tests, books.sums.tested_ml) == (1, 0, 1, 20_000)
    story.tell(records.TestMeasure(filled, "till-1", "c2"))
    story.tell(settlement(filled))
    assert (books.sums.sales, books.sums.tests) == (0, 1), "it is closed"


def test_another_meter_is_a_baseline_and_a_mismatch_stands_until_a_delivery_agrees() -> None:
    story = Story()
    story.tell(records.MeterChanged(1, 1, 5_000, 90_000))
    assert story.books.totaliser_ml(1, 1) == 90_000
    assert story.books.sums.unrecorded_ml == 0
    story.tell(delivery(10_000, totaliser_after_ml=90_000))
    story.tell(records.TotaliserMismatch(1, 1, 10_000, 90_000, 90_000, 10_000))
    assert (1, 1) in story.books.mismatched
    assert story.books.sums.short_ml == 10_000
    story.tell(delivery(10_000, totaliser_after_ml=100_000))
    assert not story.books.mismatched


def test_the_last_change_of_a_price_is_known_by_its_grade() -> None:
    story = Story()
    old, new = UnitPrice(4412, 2), UnitPrice(4510, 2)
    first = story.tell(records.PriceChanged("diesel", new, old, "till-1", "c1"))
    story.tell(records.PriceChanged("diesel", old, old, "", ""))
    assert story.books.prices["diesel"].price == old
    assert story.books.price_changes[first].price == new
    assert story.books.commands == {("till-1", "c1"): first}

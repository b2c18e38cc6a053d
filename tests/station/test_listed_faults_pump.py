"""Every fault of a pump itself, at every protocol: its counters, its valve, its power, its alarms."""

import pytest

from controller.domain.desk import PointState, ResumePoint
from controller.domain.records import (
    Authorised,
    Delivery,
    MeterChanged,
    PumpAlarm,
    Released,
    TotaliserMismatch,
    UnrecordedDelivery,
)
from controller.pumps.two_wire.frame import Status
from tests.station.house import CARD, ROUNDING_ML, House, story
from tests.station.sale import (
    MIDDLE_ML,
    SETTLED_S,
    WANT_ML,
    after,
    begins,
    ends,
    every_protocol,
    is_booked,
    is_in_the_middle,
    link_faults,
    rows,
    was_offline,
)
from tests.station.yard import Yard

METER = "meter of pump 1, nozzle 1"
SHORT_MS, LONG_MS = 300, 6_000
"""A cut that no protocol notices, and one that all do."""


def goes_wrong(house: House, fault: str, count: int | None = None, **values: int) -> None:
    house.pumps[1].faults.inject(fault, house.now_us, count=count, **values)


# ---- counters


@every_protocol
@story()
async def test_a_counter_that_sticks_in_a_sale_is_told_and_the_sale_is_whole(house: House, yard: Yard) -> None:
    await is_in_the_middle(house)
    counted_ml = house.meters_ml()
    goes_wrong(house, "stuck_totaliser", 1)
    await ends(house)
    (wrong,) = rows(house, TotaliserMismatch)
    assert isinstance(wrong, TotaliserMismatch)
    assert (wrong.volume_ml, wrong.totaliser_before_ml) == (WANT_ML, 0)
    assert abs(wrong.missing_ml - (WANT_ML - counted_ml)) <= ROUNDING_ML
    assert "too little during a delivery of 8.00" in house.trouble(METER)
    assert house.books.sums.short_ml == wrong.missing_ml
    await after(house, deliveries=1)
    assert not house.trouble(METER), "it counts again"


@every_protocol
@story()
async def test_a_counter_that_stands_still_for_two_sales(house: House, yard: Yard) -> None:
    goes_wrong(house, "stuck_totaliser", 2)
    for sale in range(2):
        await begins(house)
        await ends(house)
        await house.pay(house.point(1).unpaid[0].delivery_id)
        assert len(rows(house, TotaliserMismatch)) == sale + 1
    assert "did not move during a delivery of 8.00" in house.trouble(METER)
    await after(house, deliveries=2)


@every_protocol
@pytest.mark.parametrize("moment", ["in a sale", "while it calls", "at rest"])
@story()
async def test_a_counter_that_jumps_by_as_much_as_could_have_run_is_fuel_that_nobody_recorded(
    house: House, yard: Yard, moment: str
) -> None:
    if moment == "in a sale":
        await is_in_the_middle(house)
    elif moment == "while it calls":
        await house.wait(SETTLED_S)
        await house.calls()
    goes_wrong(house, "totaliser_jump", ml=700)
    if moment == "while it calls":
        house.hang_up()
        await house.state(1, PointState.IDLE)
    if moment != "in a sale":
        await begins(house)
    await ends(house)
    (found,) = rows(house, UnrecordedDelivery)
    assert isinstance(found, UnrecordedDelivery)
    assert found.volume_ml == 700
    if moment == "in a sale":
        assert house.story() == ["authorised", "unrecorded", "delivery"]
    assert not rows(house, MeterChanged)
    await after(house, deliveries=1, unrecorded_ml=700, jumped_ml=700)


@every_protocol
@pytest.mark.parametrize("jump_ml", [60_000_000, -9_000])
@story()
async def test_a_counter_that_jumps_by_more_than_could_have_run_is_another_meter(
    house: House, yard: Yard, jump_ml: int
) -> None:
    await begins(house)
    await ends(house)
    await house.pay(house.point(1).unpaid[0].delivery_id)
    await is_in_the_middle(house)
    goes_wrong(house, "totaliser_jump", ml=jump_ml)
    await ends(house)
    (changed,) = rows(house, MeterChanged)
    assert isinstance(changed, MeterChanged)
    moved_ml = changed.totaliser_after_ml - changed.totaliser_before_ml
    assert moved_ml == jump_ml or moved_ml % 10**9 == jump_ml % 10**9, "it may have rolled over backwards"
    assert house.deliveries[-1].totaliser_before_ml == changed.totaliser_after_ml
    await after(house, deliveries=2)


@every_protocol
@story()
async def test_a_counter_that_jumps_back_in_a_sale_counts_too_little(house: House, yard: Yard) -> None:
    await is_in_the_middle(house)
    goes_wrong(house, "totaliser_jump", ml=-900)
    await ends(house)
    assert rows(house, TotaliserMismatch) == [TotaliserMismatch(1, 1, WANT_ML, 0, WANT_ML - 900, 900)]
    assert "counted 0.90 too little" in house.trouble(METER)
    await after(house, deliveries=1)


# ---- the valve


@every_protocol
@pytest.mark.parametrize("ml", [250, -40])
@story()
async def test_a_valve_that_closes_too_late_or_too_early_is_booked_as_it_ran(house: House, yard: Yard, ml: int) -> None:
    preset_ml = 5_000
    await begins(house, preset_ml=preset_ml)
    await house.shown_ml(MIDDLE_ML)
    goes_wrong(house, "overrun", 1, ml=ml)
    await ends(house, preset_ml + ml)
    (allowed,) = house.authorised
    (delivery,) = house.deliveries
    assert (allowed.preset_volume_ml, delivery.volume_ml) == (preset_ml, preset_ml + ml)
    over = [PumpAlarm(1, 1, "more fuel ran than the dose allowed")]
    assert rows(house, PumpAlarm) == (over if yard.protocol == "azt2" and ml > 0 else [])
    await after(house, deliveries=1)


@every_protocol
@story()
async def test_a_card_pays_for_what_ran_past_its_limit(house: House, yard: Yard) -> None:
    await house.wait(SETTLED_S)
    await house.calls()
    house.show_card(1, CARD)
    goes_wrong(house, "overrun", 1, ml=500)
    await house.shows_nothing()
    house.squeeze(1, 90_000)
    await ends(house, 60_500)
    (delivery,) = house.deliveries
    assert (delivery.volume_ml, delivery.account) == (60_500, "KUZEY")
    token = delivery.token
    assert token is not None
    day = house.station.site.day_of(house.clock.now().wall_ms)
    assert house.books.used_on(token.key, day)[0] == 60_500, "it counts against the day's limit"
    await after(house, deliveries=1)


# ---- the power


@every_protocol
@pytest.mark.parametrize("off_ms", [SHORT_MS, LONG_MS])
@story()
async def test_a_power_cut_in_a_sale_ends_it_with_what_had_run(house: House, yard: Yard, off_ms: int) -> None:
    await begins(house)
    goes_wrong(house, "power_cut", after_ml=MIDDLE_ML, off_ms=off_ms)
    if off_ms == LONG_MS:
        await house.state(1, PointState.OFFLINE, seconds=20)
        assert "check its power" in house.point(1).text
    await house.until(lambda: not house.pumps[1].faults.active(), 30)
    await house.wait(20)
    assert was_offline(house) == (off_ms == LONG_MS)
    ran_ml = house.given_ml()
    assert MIDDLE_ML <= ran_ml < WANT_ML, "no power, no fuel"
    restarted = [PumpAlarm(1, 1, "the pump's processor restarted")]
    assert rows(house, PumpAlarm) == (restarted if yard.protocol == "dart" else [])
    # A DART pump waits for the nozzle; the others say at once that it is over.
    assert bool(house.deliveries) == (yard.protocol != "dart")
    house.hang_up()
    await is_booked(house)
    (delivery,) = house.deliveries
    assert ran_ml - ROUNDING_ML < delivery.volume_ml <= ran_ml
    assert delivery.authorised is not None
    assert not rows(house, UnrecordedDelivery)
    await after(house, deliveries=1)


@every_protocol
@pytest.mark.parametrize("off_ms", [SHORT_MS, LONG_MS])
@story()
async def test_a_pump_that_comes_back_without_memory_leaves_the_fuel_in_the_books(
    house: House, yard: Yard, off_ms: int
) -> None:
    await begins(house)
    goes_wrong(house, "power_cut", after_ml=MIDDLE_ML, off_ms=off_ms, forgets=1)
    await house.until(lambda: not house.pumps[1].faults.active(), 30)
    house.hang_up()
    await house.state(1, PointState.IDLE, seconds=60)
    await house.wait(20)
    ran_ml = house.given_ml()
    sums = house.books.sums
    assert ran_ml - ROUNDING_ML * 2 < sums.volume_ml + sums.unrecorded_ml <= ran_ml
    assert len(rows(house, UnrecordedDelivery)) == 1 or off_ms == SHORT_MS
    # Either its last word is the delivery, or there is none and the authorisation is given back.
    assert len(rows(house, Released)) + sums.deliveries == 1
    if off_ms == LONG_MS:
        assert sums.unrecorded_ml >= MIDDLE_ML
        assert sums.deliveries == 0
    await after(house, deliveries=sums.deliveries, unrecorded_ml=sums.unrecorded_ml)


@every_protocol
@pytest.mark.parametrize("forgets", [0, 1])
@pytest.mark.parametrize("moment", ["before authorised", "after authorised", "before delivery", "after delivery"])
@story()
async def test_a_power_cut_at_the_worst_moment(house: House, yard: Yard, forgets: int, moment: str) -> None:
    house.at(moment, lambda: goes_wrong(house, "power_cut", off_ms=LONG_MS, forgets=forgets))
    await house.wait(SETTLED_S)
    await house.calls()
    assert (await house.authorise()).done
    if "authorised" in moment:
        house.at_nothing()
    house.squeeze(1, WANT_ML)
    if "delivery" in moment:
        await house.shown_ml(WANT_ML)
        house.hang_up()
        await house.until(lambda: bool(house.deliveries), 20)
        house.at_nothing()
    await house.wait(LONG_MS / 1_000)
    if house.head().nozzle_out:
        await house.state(1, PointState.CALLING, PointState.IDLE, seconds=60)
        house.hang_up()
    await house.state(1, PointState.IDLE, seconds=60)
    await house.wait(20)
    assert was_offline(house)
    assert house.point(1).state is PointState.IDLE
    assert len(rows(house, Authorised)) == 1
    sold = "delivery" in moment
    assert [type(record) for record in house.records if isinstance(record, Delivery | Released)] == [
        Delivery if sold else Released
    ]
    assert house.given_ml() == (WANT_ML if sold else 0)
    await after(house, deliveries=int(sold))


@every_protocol
@story()
async def test_one_power_cut_after_the_other(house: House, yard: Yard) -> None:
    await is_in_the_middle(house)
    goes_wrong(house, "power_cut", 3, off_ms=LONG_MS)
    await house.until(lambda: not house.pumps[1].faults.active(), 60)
    house.hang_up()
    await house.wait(30)
    await is_booked(house)
    assert len(house.deliveries) == 1
    assert 0 <= house.given_ml() - house.deliveries[0].volume_ml < ROUNDING_ML
    await after(house, deliveries=1)


# ---- alarms


@every_protocol
@story()
async def test_an_alarm_in_a_sale(house: House, yard: Yard) -> None:
    await is_in_the_middle(house)
    goes_wrong(house, "alarm")
    await house.until(lambda: bool(rows(house, PumpAlarm)), 10)
    (alarm,) = rows(house, PumpAlarm)
    assert isinstance(alarm, PumpAlarm)
    match yard.protocol:
        case "dart":
            assert alarm == PumpAlarm(1, 9, "the emergency stop was pressed at the pump")
            await house.until(lambda: "emergency stop" in house.point(1).text, 10)
        case "two-wire":
            assert alarm == PumpAlarm(1, Status.STOPPED, "the pump stopped by itself: look for what is wrong there")
            await house.state(1, PointState.STOPPED, seconds=5)
            assert "resume or stop" in house.point(1).text
            stopped_ml = house.given_ml()
            await house.wait(5)
            assert house.given_ml() == stopped_ml < WANT_ML
            house.squeeze(1, WANT_ML - stopped_ml)
            assert (await house.command(ResumePoint(house.next_id(), 1))).done
            await house.state(1, PointState.FUELLING, seconds=5)
        case _:
            assert alarm == PumpAlarm(1, 9, "the delivery ended for reason 9, unknown to us")
    if yard.protocol == "azt2":
        await house.until(lambda: bool(house.deliveries), 10)
        assert MIDDLE_ML <= house.deliveries[0].volume_ml < WANT_ML
        house.hang_up()
        await house.state(1, PointState.IDLE, seconds=10)
    else:
        await ends(house)
        assert house.deliveries[0].volume_ml == WANT_ML
    await after(house, deliveries=1)
    assert rows(house, PumpAlarm) == [alarm], "told once"


async def _is_ended_by_the_pump(house: House) -> None:
    before = house.books.sums.deliveries
    await begins(house)
    await house.until(lambda: house.books.sums.deliveries > before, 10)
    house.hang_up()
    await house.state(1, PointState.IDLE, seconds=20)
    await house.pay(house.point(1).unpaid[0].delivery_id)


@every_protocol
@story()
async def test_two_alarms_while_it_rests(house: House, yard: Yard) -> None:
    await house.wait(SETTLED_S)
    goes_wrong(house, "alarm", 2)
    await house.wait(5)
    assert house.point(1).state is PointState.IDLE
    match yard.protocol:
        case "dart":
            assert [type(row) for row in rows(house, PumpAlarm)] == [PumpAlarm, PumpAlarm]
            assert "emergency stop" in house.point(1).text
        case "two-wire":
            # It has no word for it: what it shows is a data error.
            assert "data_error" in link_faults(house)
            assert not rows(house, PumpAlarm)
        case _:
            assert not rows(house, PumpAlarm)
            assert house.pumps[1].faults.active(), "they wait for deliveries that they can end"
            await _is_ended_by_the_pump(house)
            await _is_ended_by_the_pump(house)
            assert len(rows(house, PumpAlarm)) == 2
    assert not house.pumps[1].faults.active()
    await after(house, deliveries=house.books.sums.deliveries)

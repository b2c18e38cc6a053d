"""Totalisers against the books: roll-over, fuel that nobody recorded, another meter, a stuck one, test measures."""

import pytest

from controller.domain import records
from controller.domain.desk import CloseAsTest, PointState
from controller.domain.reasons import Reason
from controller.domain.records import MeterChanged, TotaliserMismatch, UnrecordedDelivery
from controller.pumps.dart.transactions import State
from sim.pumps.head import TOTALISER_MODULO_ML
from tests.station.house import DIESEL, OTHER_TILL, ROUNDING_ML, TILL, House, story


def _unrecorded(house: House) -> list[UnrecordedDelivery]:
    return [record for record in house.records if isinstance(record, UnrecordedDelivery)]


async def _serve_by_hand(house: House, volume_ml: int, number: int = 1) -> None:
    """Somebody turned the pump's key: it delivers without asking anybody, and forgets it."""
    head = house.head(number)
    head.reset(house.now_us)
    head.lift(DIESEL, house.now_us)
    head.permit((DIESEL,), house.now_us)
    head.squeeze(volume_ml, house.now_us)
    await house.shown_ml(volume_ml, number)
    house.hang_up(number)
    head.reset(house.now_us)


async def _start_again(house: House) -> None:
    await house.start()
    await house.state(1, PointState.IDLE)
    await house.wait(5)


async def _meter_stands_at(house: House, totaliser_ml: int) -> None:
    """A new station at an old pump."""
    await house.kill()
    for name in ("journal.db", "journal.db-wal", "journal.db-shm"):
        (house.folder / name).unlink(missing_ok=True)
    house.head(1).nozzles[DIESEL - 1].totaliser_ml = totaliser_ml
    await _start_again(house)


@story()
async def test_a_sale_across_the_roll_over_is_a_sale_and_nothing_else(house: House) -> None:
    await _meter_stands_at(house, TOTALISER_MODULO_ML - 4_000)
    await house.cash_delivery(1, 10_000)
    delivery = house.deliveries[-1]
    assert (delivery.totaliser_before_ml, delivery.totaliser_after_ml) == (TOTALISER_MODULO_ML - 4_000, 6_000)
    assert house.story() == ["authorised", "delivery"]
    await house.kill()
    await _serve_by_hand(house, 3_000)
    await _start_again(house)
    assert [record.volume_ml for record in _unrecorded(house)] == [3_000]


@story()
async def test_fuel_that_ran_across_the_roll_over_while_the_controller_was_down_is_found(house: House) -> None:
    await _meter_stands_at(house, TOTALISER_MODULO_ML - 4_000)
    await house.kill()
    await _serve_by_hand(house, 7_000)
    await _start_again(house)
    (found,) = _unrecorded(house)
    assert (found.volume_ml, found.totaliser_before_ml, found.totaliser_after_ml) == (
        7_000,
        TOTALISER_MODULO_ML - 4_000,
        3_000,
    )


@story()
async def test_a_gap_at_start_says_from_when_to_when(house: House) -> None:
    await house.cash_delivery(1, 4_000)
    ended_ms = house.clock.now().wall_ms
    await house.kill()
    await house.wait(600)
    await _serve_by_hand(house, 7_000)
    await _start_again(house)
    (found,) = _unrecorded(house)
    assert (found.point, found.nozzle, found.volume_ml) == (1, DIESEL, 7_000)
    assert abs(found.from_ms - ended_ms) < 3_000
    assert 600_000 < found.to_ms - found.from_ms < 640_000
    house.assert_books_agree(deliveries=1)


@story()
async def test_a_gap_between_two_sales_says_from_when_to_when(house: House) -> None:
    """The pump delivers by hand so that the line never sees more than an idle pump."""
    await house.pay(await house.cash_delivery(1, 4_000))
    await house.wait(100)
    house.head(1).nozzles[DIESEL - 1].totaliser_ml += 5_000
    before_ms = house.clock.now().wall_ms
    await house.wait(100)
    await house.cash_delivery(1, 2_000)
    (found,) = _unrecorded(house)
    assert found.volume_ml == 5_000
    assert found.from_ms < before_ms - 90_000
    assert found.to_ms > before_ms + 99_000
    assert house.deliveries[-1].totaliser_before_ml == found.totaliser_after_ml
    house.assert_books_agree(deliveries=2)


@pytest.mark.parametrize("jump_ml", [50_000_000, -3_000])
@story()
async def test_a_jump_that_no_pump_could_dispense_is_another_meter_and_no_fuel(house: House, jump_ml: int) -> None:
    await house.pay(await house.cash_delivery(1, 4_000))
    await house.wait(60)
    house.head(1).jump_totaliser(DIESEL, jump_ml, house.now_us)
    await house.cash_delivery(1, 2_000)
    changes = [record for record in house.records if isinstance(record, MeterChanged)]
    assert changes == [MeterChanged(1, DIESEL, 4_000, 4_000 + jump_ml)]
    assert not _unrecorded(house)
    assert house.books.sums.unrecorded_ml == 0
    assert house.deliveries[-1].totaliser_before_ml == 4_000 + jump_ml
    assert not house.snapshot.troubles


@story()
async def test_a_meter_that_jumps_in_a_sale_is_told_and_the_sale_is_what_the_pump_says(house: House) -> None:
    await house.calls(1)
    await house.authorise(1)
    house.squeeze(1, 10_000)
    await house.shown_ml(2_000)
    house.head(1).jump_totaliser(DIESEL, -1_500, house.now_us)
    await house.shown_ml(10_000)
    house.hang_up(1)
    await house.until(lambda: house.books.sums.deliveries == 1)
    assert house.story() == ["authorised", "delivery", "totaliser_mismatch"], "8.50 of 10.00 is too little"
    await house.state(1, PointState.IDLE)
    await house.pay(house.point(1).unpaid[0].delivery_id)
    await house.calls(1)
    await house.authorise(1)
    house.squeeze(1, 10_000)
    await house.shown_ml(2_000)
    house.head(1).jump_totaliser(DIESEL, -9_000, house.now_us)
    await house.fills(1, 3_000)
    await house.until(lambda: house.books.sums.deliveries == 2)
    assert house.story()[-2:] == ["meter_changed", "delivery"]
    assert house.deliveries[-1].volume_ml > 0


@story()
async def test_a_stuck_totaliser_is_noticed_with_the_first_delivery_and_says_what_to_do(house: House) -> None:
    where = "meter of pump 1, nozzle 2"
    house.head(1).stick_totalisers(house.now_us, stuck=True)
    await house.pay(await house.cash_delivery(1, 10_000))
    stuck = [record for record in house.records if isinstance(record, TotaliserMismatch)]
    assert stuck == [TotaliserMismatch(1, DIESEL, 10_000, 0, 0, 10_000)]
    assert "did not move during a delivery of 10.00" in house.trouble(where)
    assert "call service" in house.trouble(where)
    await house.kill()
    await _start_again(house)
    assert house.trouble(where), "a restart mends no meter"
    house.head(1).stick_totalisers(house.now_us, stuck=False)
    await house.cash_delivery(1, 1_000)
    assert not house.trouble(where)
    assert house.books.sums.short_ml == 10_000


@story()
async def test_a_display_that_shows_less_than_ran_leaves_the_rest_in_the_books(house: House) -> None:
    await house.calls(1)
    await house.authorise(1)
    house.squeeze(1, 10_000)
    await house.shown_ml(2_000)
    house.head(1).jump_totaliser(DIESEL, 500, house.now_us)
    await house.shown_ml(10_000)
    house.hang_up(1)
    await house.until(lambda: house.books.sums.deliveries == 1)
    assert [record.volume_ml for record in _unrecorded(house)] == [500]
    house.assert_books_agree(deliveries=1)


@story()
async def test_a_pump_that_loses_power_in_a_sale_is_read_as_soon_as_it_is_back(house: House) -> None:
    await house.calls(1)
    house.show_card(1)
    house.squeeze(1, 30_000)
    await house.shown_ml(3_000, 1)
    house.head(1).forbid(house.now_us)
    house.hang_up(1)
    ran_ml = house.meters_ml(1)
    assert ran_ml > 3_000
    house.head(1).reset(house.now_us)
    house.twins[1].state = State.RESET
    house.twins[1].power_cycle(house.now_us)
    await house.until(lambda: bool(_unrecorded(house)), 30)
    await house.until(lambda: house.books.sums.sales == 1)
    assert house.deliveries[0].account == "KUZEY", "what the pump had said last is the delivery"
    told_ml = house.deliveries[0].volume_ml + house.books.sums.unrecorded_ml
    assert 0 <= ran_ml - told_ml < ROUNDING_ML, "the rest is in the totaliser"
    assert not house.books.open
    house.assert_books_agree(deliveries=1)


@story()
async def test_a_clock_that_was_set_back_while_the_controller_was_down_loses_no_fuel(house: House) -> None:
    await house.cash_delivery(1, 4_000)
    await house.kill()
    await _serve_by_hand(house, 7_000)
    house.clock.start_ms -= 10 * 24 * 3_600_000
    await _start_again(house)
    (found,) = _unrecorded(house)
    assert found.volume_ml == 7_000
    assert found.to_ms < found.from_ms, "the row shows it"


# ---- test measures


async def _as_test(house: House, delivery_id: str, till: str = TILL) -> str:
    result = await house.command(CloseAsTest(house.next_id(), delivery_id), till)
    return "done" if result.done else result.reason


@story()
async def test_fuel_of_a_test_measure_is_no_sale_and_waits_no_more(house: House) -> None:
    measured = await house.cash_delivery(1, 20_000)
    assert await _as_test(house, measured) == Reason.NOT_LEASED
    await house.lease(measured)
    assert await _as_test(house, measured, OTHER_TILL) == Reason.LEASED_ELSEWHERE
    assert await _as_test(house, measured) == "done"
    assert not house.point(1).unpaid
    assert await _as_test(house, measured) == Reason.TEST_MEASURE
    assert (await house.pay(measured)).reason == Reason.TEST_MEASURE
    assert not house.slips
    sold = await house.cash_delivery(1, 5_000)
    await house.pay(sold)
    sums = house.books.sums
    assert (sums.tests, sums.tested_ml, sums.sales, sums.sales_volume_ml) == (1, 20_000, 1, 5_000)
    assert sums.sales_volume_ml + sums.tested_ml + sums.unrecorded_ml == house.meters_ml()
    house.assert_books_agree(deliveries=2)


@story()
async def test_a_test_measure_may_be_said_again_also_after_a_restart(house: House) -> None:
    measured = await house.cash_delivery(1, 20_000)
    await house.lease(measured)
    command = CloseAsTest(house.next_id(), measured)
    assert (await house.command(command)).done
    assert (await house.command(command)).done
    await house.kill()
    await _start_again(house)
    assert (await house.command(command)).done
    assert house.kinds.count("test_measure") == 1
    assert records.TestMeasure in {type(record) for record in house.records}


@story()
async def test_a_delivery_on_account_is_paid_and_no_test_measure(house: House) -> None:
    await house.fill_by_card(1, 10_000)
    name = next(iter(house.books.settled)).text
    assert await _as_test(house, name) == Reason.ALREADY_SETTLED

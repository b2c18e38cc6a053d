"""Pumps that fall silent, lose their memory or deliver while nobody listens: no fuel is lost, none is invented."""

import pytest

from controller.domain.desk import PointState
from controller.domain.quantities import UnitPrice
from controller.domain.records import MeterChanged, UnrecordedDelivery
from controller.pumps.dart.transactions import State
from tests.station.house import DIESEL, GASOLINE, House, story


def _by_hand(house: House, volume_ml: int, number: int = 1, nozzle: int = DIESEL) -> None:
    """Somebody turned the pump's key: it delivers without asking anybody, and its display is forgotten."""
    head = house.head(number)
    head.reset(house.now_us)
    head.lift(nozzle, house.now_us)
    head.permit((nozzle,), house.now_us)
    head.squeeze(volume_ml, house.now_us)


async def _by_hand_and_over(house: House, volume_ml: int, number: int = 1, nozzle: int = DIESEL) -> None:
    _by_hand(house, volume_ml, number, nozzle)
    await house.shown_ml(volume_ml, number)
    house.hang_up(number)
    house.head(number).reset(house.now_us)


def _unrecorded(house: House) -> list[tuple[int, int, int]]:
    return [
        (record.point, record.nozzle, record.volume_ml)
        for record in house.records
        if isinstance(record, UnrecordedDelivery)
    ]


@pytest.mark.parametrize("comes_back", ["while it fuels", "when it is over"])
@story()
async def test_a_pump_that_falls_silent_in_a_delivery_loses_nothing(house: House, comes_back: str) -> None:
    await house.calls(1)
    house.show_card(1)
    house.squeeze(1, 30_000)
    await house.shown_ml(3_000, 1)
    house.wires[1].cut = True
    await house.state(1, PointState.OFFLINE, seconds=20)
    assert "check its power" in house.point(1).text
    if comes_back == "when it is over":
        await house.shown_ml(30_000, 1)
        house.hang_up(1)
        await house.wait(60)
    house.wires[1].cut = False
    if comes_back == "while it fuels":
        await house.state(1, PointState.FUELLING, seconds=20)
        await house.shown_ml(30_000, 1)
        house.hang_up(1)
    await house.until(lambda: house.books.sums.sales == 1)
    assert (house.deliveries[0].volume_ml, house.deliveries[0].account) == (30_000, "KUZEY")
    house.assert_books_agree(deliveries=1)


@story()
async def test_one_silent_pump_does_not_hold_up_the_other_on_its_line(house: House) -> None:
    house.wires[1].cut = True
    await house.state(1, PointState.OFFLINE)
    await house.cash_delivery(2, 5_000)
    house.assert_books_agree(deliveries=1)


@story()
async def test_a_line_whose_port_is_gone_is_a_trouble_and_comes_back(house: House) -> None:
    await house.kill()
    house.lines_down.add("east")
    await house.start()
    await house.until(lambda: "unplugged" in house.trouble("line east"))
    assert house.point(1).state is PointState.OFFLINE
    await house.cash_delivery(3, 2_000, nozzle=1)
    house.lines_down.clear()
    await house.state(1, PointState.IDLE)
    assert not house.trouble("line east")


@story()
async def test_fuel_given_while_the_controller_was_down_is_an_unrecorded_delivery(house: House) -> None:
    await house.cash_delivery(1, 4_000)
    await house.wait(20)
    await house.kill()
    await _by_hand_and_over(house, 7_000)
    house.twins[1].power_cycle(house.now_us)
    await house.start()
    await house.state(1, PointState.IDLE)
    await house.until(lambda: bool(_unrecorded(house)), 20)
    assert _unrecorded(house) == [(1, DIESEL, 7_000)]
    house.assert_books_agree(deliveries=1)
    await house.cash_delivery(1, 1_000)
    assert _unrecorded(house) == [(1, DIESEL, 7_000)], "found once, not again"
    house.assert_books_agree(deliveries=2)


@story()
async def test_a_delivery_found_complete_does_not_hide_another_one_before_it(house: House) -> None:
    """While the controller was down two customers were served by hand; the pump still shows the second."""
    await house.cash_delivery(1, 4_000)
    await house.wait(20)
    await house.kill()
    await _by_hand_and_over(house, 7_000)
    _by_hand(house, 2_000)
    await house.shown_ml(2_000)
    house.hang_up(1)
    house.twins[1].state = State.COMPLETED
    await house.start()
    await house.until(lambda: house.books.sums.deliveries == 2)
    assert house.deliveries[-1].volume_ml == 2_000
    assert house.deliveries[-1].at_start
    assert _unrecorded(house) == [(1, DIESEL, 7_000)]
    house.assert_books_agree(deliveries=2)


@story()
async def test_each_nozzle_is_held_against_its_own_totaliser(house: House) -> None:
    await house.cash_delivery(1, 4_000, nozzle=GASOLINE)
    await house.wait(20)
    await house.kill()
    await _by_hand_and_over(house, 1_000, nozzle=GASOLINE)
    await _by_hand_and_over(house, 2_000, nozzle=DIESEL)
    await house.start()
    await house.until(lambda: len(_unrecorded(house)) == 2, 20)
    assert sorted(_unrecorded(house)) == [(1, GASOLINE, 1_000), (1, DIESEL, 2_000)]
    house.assert_books_agree(deliveries=1)


@story()
async def test_another_meter_is_a_new_baseline_and_no_fuel(house: House) -> None:
    await house.cash_delivery(1, 4_000)
    await house.wait(20)
    house.head(1).nozzles[DIESEL - 1].totaliser_ml = 1_000
    await house.kill()
    await house.start()
    await house.state(1, PointState.IDLE)
    await house.wait(5)
    assert not _unrecorded(house)
    assert [record for record in house.records if isinstance(record, MeterChanged)] == [
        MeterChanged(1, DIESEL, 4_000, 1_000)
    ]
    before = house.books.sums.deliveries
    await house.pay(house.point(1).unpaid[0].delivery_id)
    await house.cash_delivery(1, 3_000)
    assert house.books.sums.deliveries == before + 1
    assert not _unrecorded(house)


@story()
async def test_a_pump_that_loses_its_memory_in_a_delivery_leaves_what_flowed_in_the_books(house: House) -> None:
    await house.calls(1)
    house.show_card(1)
    house.squeeze(1, 30_000)
    await house.shown_ml(3_000, 1)
    house.wires[1].cut = True
    await house.wait(3)
    twin = house.twins[1]
    twin.head.forbid(house.now_us)
    house.hang_up(1)
    twin.head.reset(house.now_us)
    twin.power_cycle(house.now_us, forgets=True)
    await house.state(1, PointState.OFFLINE, seconds=20)
    house.wires[1].cut = False
    await house.state(1, PointState.IDLE, seconds=60)
    await house.cash_delivery(1, 1_000)  # at the latest, the next call reads the totaliser
    assert house.books.sums.unrecorded_ml >= 3_000
    assert not house.books.open
    house.assert_books_agree()


@story()
async def test_an_alarm_is_journalled_and_shown(house: House) -> None:
    house.twins[1].alarm(0x06, house.now_us)
    await house.until(lambda: "pulser" in house.point(1).text, 10)
    assert "alarm" in house.story()


@story()
async def test_a_pump_with_another_price_sells_nothing_until_it_has_the_stations(house: House) -> None:
    house.head(1).set_prices([UnitPrice(100, 2), UnitPrice(100, 2)])
    house.lift(1)
    await house.state(1, PointState.ERROR)
    assert "hang up" in house.point(1).text
    house.show_card(1)
    house.squeeze(1, 1_000)
    await house.wait(5)
    assert house.meters_ml() == 0
    house.hang_up(1)
    await house.state(1, PointState.IDLE)
    await house.wait(3)
    house.lift(1)
    await house.state(1, PointState.CALLING, PointState.AUTHORISED)
    assert house.point(1).price == "44.12"

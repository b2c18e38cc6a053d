"""Prices: frozen when a pump is let go, changed at the desk, held against the pump's, kept over a restart."""

import pytest

from controller.config import parse
from controller.domain.desk import ChangePrice, PointState
from controller.domain.quantities import UnitPrice
from controller.domain.reasons import Reason
from controller.domain.records import PriceChanged, Started
from controller.pumps import words
from tests.station.house import DIESEL, GASOLINE, House, _toml, story

OLD, NEW = UnitPrice(4412, 2), UnitPrice(4510, 2)


async def _change(house: House, price: str = "45.10", grade: str = "diesel") -> str:
    result = await house.command(ChangePrice(house.next_id(), grade, price))
    return "done" if result.done else result.reason


def _changes(house: House) -> list[PriceChanged]:
    return [record for record in house.records if isinstance(record, PriceChanged)]


async def _restart(house: House) -> None:
    await house.kill()
    await house.start()
    await house.state(1, PointState.IDLE)
    await house.wait(3)


@story()
async def test_the_frozen_price_goes_to_the_pump_with_the_authorisation(house: House) -> None:
    sent: list[words.Order] = []
    runner = house.station._lines["east"]
    submit = runner.submit

    def watch(number: int, order: words.Order) -> None:
        sent.append(order)
        submit(number, order)

    runner.submit = watch  # type: ignore[method-assign, assignment]
    await house.cash_delivery(1, 2_000)
    assert [order.price for order in sent if isinstance(order, words.Authorise)] == [OLD]


@story()
async def test_a_new_price_is_at_the_pump_for_the_next_sale(house: House) -> None:
    assert await _change(house, "24.00", "autogas") == "done"
    assert await _change(house, "43.00", "gasoline") == "done"
    assert await _change(house, "43.79", "gasoline") == "done"
    assert await _change(house) == "done", "close upon one another"
    await house.wait(12)
    assert house.head(4).price(1) == UnitPrice(2400, 2)
    assert house.head(1).price(DIESEL) == NEW
    assert house.head(3).price(1) == NEW
    assert house.head(1).price(GASOLINE) == UnitPrice(4379, 2)
    await house.cash_delivery(1, 10_000)
    assert house.deliveries[-1].price == NEW
    assert house.deliveries[-1].amount_minor == 45_100


@story()
async def test_a_price_that_changes_while_a_pump_fuels_is_for_the_sale_after_it(house: House) -> None:
    await house.calls(1)
    await house.authorise(1)
    house.squeeze(1, 10_000)
    await house.shown_ml(3_000)
    assert await _change(house) == "done"
    await house.wait(1)
    assert "Still the old price" in house.point(1).text
    assert house.point(1).price == "44.12"
    assert not house.point(2).text, "it was idle, and has it"
    assert house.head(2).price(DIESEL) == NEW
    assert house.head(1).price(DIESEL) == OLD
    await house.shown_ml(10_000)
    house.hang_up(1)
    await house.state(1, PointState.IDLE)
    assert not house.point(1).text
    await house.wait(20)
    assert house.deliveries[0].price == OLD
    assert house.deliveries[0].amount_minor == 44_120
    assert house.deliveries[0].price_agreed is None
    await house.cash_delivery(1, 10_000)
    assert house.deliveries[1].amount_minor == 45_100


@story()
async def test_who_lifted_the_nozzle_at_the_old_price_pays_the_old_price(house: House) -> None:
    await house.calls(1)
    assert await _change(house) == "done"
    assert (await house.authorise(1)).done
    await house.fills(1, 10_000)
    await house.until(lambda: house.books.sums.deliveries == 1)
    assert house.authorised[-1].price == house.deliveries[-1].price == OLD
    assert house.deliveries[-1].price_agreed is None


@story()
async def test_a_pump_that_charges_another_price_than_agreed_is_a_trouble_and_stands_in_the_row(house: House) -> None:
    await house.calls(1)
    await house.authorise(1)
    house.head(1).nozzles[DIESEL - 1].price = UnitPrice(4000, 2)  # it takes its price when fuel begins to run
    await house.fills(1, 10_000)
    await house.until(lambda: house.books.sums.deliveries == 1)
    delivery = house.deliveries[-1]
    assert (delivery.price, delivery.price_agreed, delivery.amount_minor) == (UnitPrice(4000, 2), OLD, 40_000)
    assert "44.12 was agreed" in house.trouble("price at pump 1")
    await house.wait(20)
    await house.cash_delivery(1, 1_000)
    assert house.deliveries[-1].price == OLD, "it was sent again"
    assert not house.trouble("price at pump 1")


@story()
async def test_a_restart_keeps_the_prices(house: House) -> None:
    await _change(house)
    await _restart(house)
    assert house.head(1).price(DIESEL) == NEW
    started = [record for record in house.records if isinstance(record, Started)][-1]
    assert {grade.code: str(grade.price) for grade in started.grades}["diesel"] == "45.10"
    await house.cash_delivery(1, 10_000)
    assert house.deliveries[-1].amount_minor == 45_100
    assert len(_changes(house)) == 1


@story()
async def test_an_edit_of_station_toml_after_a_change_counts_and_is_journalled_once(house: House) -> None:
    await _change(house)
    text = _toml().replace('price = "44.12"', 'price = "46.00"')
    house.config = parse(text, house.folder / "station.toml")
    await _restart(house)
    assert house.head(1).price(DIESEL) == UnitPrice(4600, 2)
    assert _changes(house)[-1] == PriceChanged("diesel", UnitPrice(4600, 2), UnitPrice(4600, 2), "", "")
    await _restart(house)
    assert len(_changes(house)) == 2
    house.config = parse(_toml(), house.folder / "station.toml")
    await _restart(house)
    assert house.head(1).price(DIESEL) == OLD, "back to the file's old price is an edit too"


@story()
async def test_a_pump_that_was_away_gets_the_price_when_it_is_back(house: House) -> None:
    house.wires[1].cut = True
    await house.state(1, PointState.OFFLINE)
    assert await _change(house) == "done"
    await house.wait(10)
    assert house.head(1).price(DIESEL) == OLD
    house.wires[1].cut = False
    await house.until(lambda: house.head(1).price(DIESEL) == NEW, 60)


@pytest.mark.parametrize(
    ("grade", "price", "reason"),
    [
        ("kerosene", "45.10", Reason.GRADE_UNKNOWN),
        ("diesel", "45.101", Reason.PRICE_INVALID),
        ("diesel", "0", Reason.PRICE_INVALID),
        ("diesel", "free", Reason.PRICE_INVALID),
    ],
)
@story()
async def test_a_price_that_cannot_be_is_refused_and_nothing_is_written(
    house: House, grade: str, price: str, reason: Reason
) -> None:
    assert await _change(house, price, grade) == reason
    assert not _changes(house)


@story()
async def test_a_change_may_be_said_again_also_after_a_restart_and_after_another(house: House) -> None:
    command = ChangePrice("once", "diesel", "45.10")
    assert (await house.command(command)).done
    assert await _change(house, "45.20") == "done"
    await _restart(house)
    assert (await house.command(command)).done
    assert len(_changes(house)) == 2
    other = await house.command(ChangePrice("once", "diesel", "45.30"))
    assert other.reason == Reason.COMMAND_REUSED


@story()
async def test_without_a_disk_no_price_changes(house: House) -> None:
    house.disk_full = lambda _: True
    assert await _change(house) == Reason.JOURNAL_FULL
    house.disk_full = None
    await house.wait(3)
    assert house.head(1).price(DIESEL) == OLD

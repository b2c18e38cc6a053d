"""The disk refuses the journal: nothing new is allowed, what runs is kept at the pump and booked when it can be."""

from collections.abc import Sequence

import pytest

from controller.domain.desk import AuthorisePoint, PayDelivery, PointState
from controller.domain.reasons import Reason
from controller.domain.records import Delivery, Record, TenderKind, kind_of
from controller.pumps.dart.transactions import State
from tests.station.house import House, story


def _full(house: House, *kinds: str) -> None:
    house.disk_full = lambda records: not kinds or any(kind_of(record) in kinds for record in records)


@pytest.mark.parametrize("card", [False, True])
@story()
async def test_a_full_disk_authorises_nothing_new(house: House, card: bool) -> None:
    await house.calls(1)
    _full(house)
    house.squeeze(1, 5_000)
    if card:
        house.show_card(1)
    else:
        assert (await house.authorise(1)).reason == Reason.JOURNAL_FULL
    await house.state(1, PointState.ERROR)
    assert house.point(1).reason == Reason.JOURNAL_FULL
    assert "free disk space" in house.trouble("journal")
    await house.wait(10)
    assert house.meters_ml() == 0
    assert not house.books.open
    house.disk_full = None
    house.hang_up(1)
    await house.state(1, PointState.IDLE)
    await house.cash_delivery(1, 2_000)
    assert not house.trouble("journal")


@story()
async def test_a_running_delivery_is_kept_at_the_pump_until_the_disk_takes_it(house: House) -> None:
    await house.calls(1)
    house.show_card(1)
    house.squeeze(1, 5_000)
    await house.state(1, PointState.FUELLING)
    _full(house)
    await house.shown_ml(5_000, 1)
    house.hang_up(1)
    await house.state(1, PointState.COMPLETED)
    await house.wait(600)
    assert house.twins[1].state is State.COMPLETED, "the pump was cleared before its delivery was on disk"
    assert house.head(1).volume_ml(house.now_us) == 5_000
    assert house.trouble("journal")
    house.disk_full = None
    await house.until(lambda: house.books.sums.sales == 1, 30)
    await house.until(lambda: house.twins[1].state is State.RESET, 60)
    assert house.story() == ["authorised", "delivery", "settlement"]
    assert not house.trouble("journal")
    house.assert_books_agree(deliveries=1)


@story()
async def test_a_till_gets_its_answer_while_a_delivery_waits_for_the_disk(house: House) -> None:
    await house.calls(1)
    await house.authorise(1)
    house.squeeze(1, 5_000)
    await house.state(1, PointState.FUELLING)
    _full(house)
    await house.shown_ml(5_000, 1)
    house.hang_up(1)
    await house.state(1, PointState.COMPLETED)
    asked = house.send(AuthorisePoint("a", 1))
    await house.wait(5)
    assert asked.done()
    assert (await asked).reason in {Reason.JOURNAL_FULL, Reason.PUMP_BUSY}


@story()
async def test_the_other_pumps_go_on_while_one_waits_for_the_disk(house: House) -> None:
    """Only one record is refused: the disk that fails for one row takes the next."""
    for number in (1, 2):
        await house.calls(number)
        await house.authorise(number)
        house.squeeze(number, 5_000 * number)
    await house.shown_ml(4_000, 1)
    refusals: list[bool] = []

    def refuse(records: Sequence[Record]) -> bool:
        refused = any(isinstance(record, Delivery) and record.point == 1 for record in records)
        refusals.append(refused)
        return refused

    house.disk_full = refuse
    await house.shown_ml(5_000, 1)
    house.hang_up(1)
    await house.shown_ml(10_000, 2)
    house.hang_up(2)
    await house.until(lambda: len(house.point(2).unpaid) == 1)
    assert not house.point(1).unpaid
    house.disk_full = None
    await house.until(lambda: len(house.point(1).unpaid) == 1)
    assert refusals.count(True) >= 2
    house.assert_books_agree(deliveries=2)


@story()
async def test_an_account_settlement_that_the_disk_refuses_is_made_later(house: House) -> None:
    await house.calls(1)
    house.show_card(1)
    _full(house, "settlement")
    await house.fills(1, 3_000)
    await house.until(lambda: house.books.sums.deliveries == 1)
    await house.wait(60)
    assert not house.slips
    house.disk_full = None
    await house.until(lambda: house.books.sums.sales == 1, 10)
    await house.until(lambda: len(house.slips) == 1, 10)
    assert house.kinds.count("settlement") == 1


@story()
async def test_a_payment_that_the_disk_refuses_is_refused_and_may_be_tried_again(house: House) -> None:
    sale = await house.cash_delivery(1, 3_000)
    await house.lease(sale)
    _full(house)
    pay = PayDelivery("pay", sale, TenderKind.CASH, 20_000)
    assert (await house.command(pay)).reason == Reason.JOURNAL_FULL
    await house.wait(10)
    assert not house.slips
    house.disk_full = None
    again = await house.command(PayDelivery("pay-2", sale, TenderKind.CASH, 20_000))
    assert again.done
    assert house.books.receipt_number == 1
    assert house.books.sums.sales == 1


@story()
async def test_a_kill_while_the_disk_is_full_loses_no_fuel(house: House) -> None:
    await house.calls(1)
    house.show_card(1)
    house.squeeze(1, 5_000)
    await house.state(1, PointState.FUELLING)
    _full(house)
    await house.shown_ml(5_000, 1)
    house.hang_up(1)
    await house.state(1, PointState.COMPLETED)
    await house.wait(30)
    await house.kill()
    house.disk_full = None
    await house.start()
    await house.until(lambda: house.books.sums.sales == 1)
    house.assert_books_agree(deliveries=1)
    assert house.deliveries[0].account == "KUZEY"


@story()
async def test_a_declined_card_on_a_full_disk_stops_no_other_pump(house: House) -> None:
    await house.calls(1, 1)
    await house.calls(2)
    _full(house, "declined")
    house.show_card(1)
    await house.wait(5)
    assert (await house.authorise(2)).done
    await house.fills(2, 1_000)
    await house.until(lambda: house.books.sums.deliveries == 1)


@pytest.mark.parametrize("plate", [False, True])
@story()
async def test_a_decline_on_a_full_disk_says_so_and_does_not_block_its_point(house: House, plate: bool) -> None:
    """A refusal is no fuel: its row may be missing, its pump may not stand still for it."""
    await house.calls(1, 1)
    _full(house, "declined")
    if plate:
        assert (await house.authorise(1, plate="99 XX 1")).reason == Reason.JOURNAL_FULL
    else:
        house.show_card(1)
    await house.state(1, PointState.ERROR)
    assert house.point(1).reason == Reason.JOURNAL_FULL
    house.hang_up(1)
    await house.state(1, PointState.IDLE, seconds=5)
    await house.cash_delivery(1, 1_000)
    assert "declined" not in house.story()
    assert house.meters_ml() == 1_000

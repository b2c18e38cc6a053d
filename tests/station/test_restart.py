"""The controller is killed at each step of a delivery and started again, while the customer goes on: same books."""

import asyncio

import pytest

from controller.domain.desk import PayDelivery, PointState
from controller.domain.reasons import Reason
from controller.domain.records import Started, TenderKind
from tests.station.house import House, story

MOMENTS = [
    "before authorised",
    "after authorised",
    "pump RESET",
    "pump AUTHORIZE",
    "before delivery",
    "after delivery",
    "before settlement",
    "after settlement",
    "printing",
]
SECONDS_DOWN = (0, 2, 90)
PATIENCE_US = 8_000_000
"""How long a customer waits before he shows his card again."""


async def _customer(house: House, volume_ml: int) -> None:
    """Shows his card until fuel runs, fills what he wants, hangs up, and drives off."""
    head = house.head(1)
    house.lift(1)
    head.squeeze(volume_ml, house.now_us)
    shown_us = None
    while head.volume_ml(house.now_us) < volume_ml:
        waits = not house.dead and house.point(1).state in {PointState.CALLING, PointState.IDLE, PointState.REFUSED}
        if waits and not head.flowing and (shown_us is None or house.now_us - shown_us > PATIENCE_US):
            house.show_card(1)
            shown_us = house.now_us
        await house.wait(0.5)
    await house.wait(1)
    house.hang_up(1)


async def _settled(house: House) -> None:
    await house.until(lambda: house.books.sums.sales == 1 and not house.books.open)
    await house.until(lambda: bool(house.slips))
    await house.wait(15)


def _assert_one_sale(house: House, starts: int) -> None:
    house.assert_books_agree(deliveries=1)
    assert house.kinds.count("settlement") == 1
    assert house.books.sums.unrecorded_ml == 0
    assert len([slip for slip in house.slips if "COPY" not in slip.text]) <= 1
    assert 1 <= len(house.slips) <= 2
    started = [record for record in house.records if isinstance(record, Started)]
    assert len(started) == starts
    epochs = [body.name.epoch for body in house.journal.replay() if isinstance(body.record, Started)]
    assert len(set(epochs)) == starts, "an epoch came twice"
    assert house.point(1).state is PointState.IDLE


@pytest.mark.parametrize("down_s", SECONDS_DOWN)
@pytest.mark.parametrize("moment", MOMENTS)
@story()
async def test_killed_at_this_moment_it_ends_in_the_same_books(house: House, moment: str, down_s: int) -> None:
    house.kill_when(moment)
    customer = asyncio.ensure_future(_customer(house, 6_000))
    await house.until(lambda: house.dead)
    await house.kill()
    await house.wait(down_s)
    await house.start()
    await customer
    await _settled(house)
    _assert_one_sale(house, starts=2)


@pytest.mark.parametrize("down_s", SECONDS_DOWN)
@pytest.mark.parametrize("state", [PointState.CALLING, PointState.AUTHORISED, PointState.FUELLING])
@story()
async def test_killed_in_this_state_it_ends_in_the_same_books(house: House, state: PointState, down_s: int) -> None:
    await house.calls(1)
    if state is not PointState.CALLING:
        house.show_card(1)
        await house.is_let_go(1)
    if state is PointState.FUELLING:
        house.squeeze(1, 6_000)
        await house.state(1, PointState.FUELLING)
    await house.kill()
    await house.wait(down_s)
    await house.start()
    if state is PointState.CALLING:
        await house.state(1, PointState.CALLING)
        house.show_card(1)
    if state is not PointState.FUELLING:
        house.squeeze(1, 6_000)
    await house.shown_ml(6_000, 1)
    house.hang_up(1)
    await _settled(house)
    _assert_one_sale(house, starts=2)


@story()
async def test_five_kills_in_the_middle_of_one_delivery(house: House) -> None:
    await house.calls(1)
    house.show_card(1)
    house.squeeze(1, 30_000)
    for litres in range(4, 24, 4):
        await house.shown_ml(litres * 1_000, 1)
        await house.kill()
        await house.wait(1)
        await house.start()
    await house.shown_ml(30_000, 1)
    house.hang_up(1)
    await _settled(house)
    _assert_one_sale(house, starts=6)
    assert house.deliveries[0].volume_ml == 30_000
    assert house.deliveries[0].account == "KUZEY"


@story()
async def test_the_second_of_two_equal_deliveries_is_booked_although_the_controller_was_killed(house: House) -> None:
    await house.fill_by_card(1, 5_000)
    await house.wait(30)
    house.kill_when("before delivery")
    await house.calls(1)
    house.show_card(1)
    await house.fills(1, 5_000)
    await house.until(lambda: house.dead)
    await house.kill()
    await house.start()
    await house.until(lambda: house.books.sums.sales == 2)
    house.assert_books_agree(deliveries=2)


@pytest.mark.parametrize("moment", ["before settlement", "after settlement"])
@story()
async def test_a_payment_cut_by_a_kill_is_paid_once_when_it_is_repeated(house: House, moment: str) -> None:
    sale = await house.cash_delivery(1, 3_000)
    await house.lease(sale)
    pay = PayDelivery("pay", sale, TenderKind.CASH, 20_000)
    house.kill_when(moment)
    answer = house.send(pay)
    await house.until(lambda: house.dead)
    await house.kill()
    assert (await answer).reason == Reason.STATION_STOPPING, "nobody can know"
    await house.start()
    await house.state(1, PointState.IDLE)
    again = await house.command(pay)
    if not again.done:
        assert moment == "before settlement"
        await house.lease(sale)
        again = await house.command(PayDelivery("pay-2", sale, TenderKind.CASH, 20_000))
    assert again.done
    assert again.change_minor == 20_000 - 13_236
    await house.until(lambda: bool(house.slips))
    await house.wait(5)
    assert len(house.slips) == 1
    assert house.kinds.count("settlement") == 1
    house.assert_books_agree(deliveries=1)


@story()
async def test_a_refused_command_may_be_repeated_under_its_own_id_after_a_restart(house: House) -> None:
    """What was not done has left no row: it is decided anew."""
    sale = await house.cash_delivery(1, 3_000)
    pay = PayDelivery("pay", sale, TenderKind.CASH, 20_000)
    assert not (await house.command(pay)).done
    assert not (await house.command(pay)).done
    await house.kill()
    await house.start()
    await house.lease(sale)
    assert (await house.command(pay)).done


@story()
async def test_what_waits_unpaid_waits_after_a_restart_and_its_lease_is_free(house: House) -> None:
    sale = await house.cash_delivery(1, 3_000)
    await house.lease(sale)
    await house.kill()
    await house.start()
    await house.state(1, PointState.IDLE)
    (unpaid,) = house.point(1).unpaid
    assert (unpaid.delivery_id, unpaid.leased_to) == (sale, "")
    assert (await house.pay(sale)).done

"""Cash: deliveries wait unpaid, tills lease them, one payment makes one sale, whatever is repeated."""

import pytest

from controller.domain.desk import LEASE_MS, AuthorisePoint, LeaseDelivery, PayDelivery, PointState, ReleaseDelivery
from controller.domain.reasons import Reason
from controller.domain.records import TenderKind
from tests.station.house import DIESEL, OTHER_TILL, TILL, House, story


@story()
async def test_a_delivery_waits_unpaid_a_second_stacks_behind_it_and_the_third_is_blocked(house: House) -> None:
    first = await house.cash_delivery(1, 3_000)
    await house.wait(3_600)
    second = await house.cash_delivery(1, 2_000)
    assert [unpaid.delivery_id for unpaid in house.point(1).unpaid] == [first, second]
    await house.calls(1)
    refused = await house.authorise(1)
    assert (refused.done, refused.reason) == (False, Reason.TWO_UNPAID)
    house.squeeze(1, 1_000)
    await house.wait(10)
    assert house.head(1).volume_ml(house.now_us) == 0
    assert (await house.pay(first)).done
    await house.until(lambda: len(house.point(1).unpaid) == 1)
    assert (await house.authorise(1)).done, "a payment frees the pump"
    await house.fills(1, 1_000)
    await house.until(lambda: house.books.sums.deliveries == 3)
    assert house.reasons == [Reason.TWO_UNPAID]
    house.assert_books_agree(deliveries=3)


@story()
async def test_two_unpaid_deliveries_block_only_their_own_pump(house: House) -> None:
    await house.cash_delivery(1, 1_000)
    await house.cash_delivery(1, 1_000)
    await house.calls(2)
    assert (await house.authorise(2)).done


@story()
async def test_a_leased_sale_is_refused_to_another_till_until_it_is_released_or_the_lease_ends(house: House) -> None:
    sale = await house.cash_delivery(1, 3_000)
    assert (await house.lease(sale, TILL)).done
    assert house.point(1).unpaid[0].leased_to == TILL
    refused = await house.lease(sale, OTHER_TILL)
    assert refused.reason == Reason.LEASED_ELSEWHERE
    assert TILL in refused.text
    pay = PayDelivery("other", sale, TenderKind.CASH, 10**6)
    assert (await house.command(pay, OTHER_TILL)).reason == Reason.LEASED_ELSEWHERE
    await house.command(ReleaseDelivery("not mine", sale), OTHER_TILL)
    assert house.point(1).unpaid[0].leased_to == TILL, "a till releases only what it holds"
    await house.command(ReleaseDelivery("mine", sale), TILL)
    assert (await house.lease(sale, OTHER_TILL)).done
    await house.wait(LEASE_MS / 1_000)
    assert not house.point(1).unpaid[0].leased_to
    assert (await house.pay(sale, till=TILL)).done


@story()
async def test_nobody_pays_what_is_not_open_at_his_till(house: House) -> None:
    sale = await house.cash_delivery(1, 3_000)
    assert (await house.command(PayDelivery("a", sale, TenderKind.CASH, 10**6))).reason == Reason.NOT_LEASED
    assert (await house.lease("no such name")).reason == Reason.DELIVERY_UNKNOWN
    assert (await house.lease("00" * 8 + "-1")).reason == Reason.DELIVERY_UNKNOWN


@story()
async def test_a_tender_that_is_too_small_is_refused_and_change_is_said(house: House) -> None:
    sale = await house.cash_delivery(1, 1_000)
    assert (await house.pay(sale, 4_411)).reason == Reason.TENDER_TOO_SMALL
    paid = await house.pay(sale, 5_000)
    assert (paid.done, paid.change_minor) == (True, 588)
    assert "44.12" in paid.receipt
    again = await house.pay(sale, 5_000)
    assert again.reason == Reason.ALREADY_SETTLED
    assert house.books.sums.sales == 1


@pytest.mark.parametrize(
    ("given_minor", "reason"), [(4_411, Reason.TENDER_TOO_SMALL), (4_413, Reason.TENDER_TOO_LARGE), (4_412, "")]
)
@story()
async def test_a_bank_card_pays_the_exact_amount_and_no_change_is_given_for_it(
    house: House, given_minor: int, reason: str
) -> None:
    sale = await house.cash_delivery(1, 1_000)
    paid = await house.pay(sale, given_minor, tender=TenderKind.BANK_CARD)
    assert (paid.done, paid.reason, paid.change_minor) == (not reason, reason, 0)
    assert house.books.sums.sales == (0 if reason else 1)


@story()
async def test_an_account_is_no_tender_of_a_till(house: House) -> None:
    sale = await house.cash_delivery(1, 1_000)
    assert not (await house.pay(sale, tender=TenderKind.ACCOUNT)).done
    assert house.books.sums.sales == 0


@story()
async def test_paying_twice_with_one_command_id_is_one_settlement_and_one_answer(house: House) -> None:
    sale = await house.cash_delivery(1, 3_000)
    await house.lease(sale)
    pay = PayDelivery("pay-1", sale, TenderKind.CASH, 20_000)
    first, second = house.send(pay), house.send(pay)
    answers = [await first, await second, await house.command(pay)]
    assert answers[0].done
    assert answers.count(answers[0]) == 3
    assert house.kinds.count("settlement") == 1
    await house.kill()
    await house.start()
    await house.state(1, PointState.IDLE)
    again = await house.command(pay)
    assert (again.done, again.change_minor) == (True, answers[0].change_minor)
    assert house.kinds.count("settlement") == 1
    await house.wait(10)
    assert len(house.slips) == 1
    house.assert_books_agree(deliveries=1)


@pytest.mark.parametrize("restart", [False, True])
@story()
async def test_a_command_id_that_was_used_for_something_else_is_refused(house: House, restart: bool) -> None:
    first = await house.cash_delivery(1, 3_000)
    second = await house.cash_delivery(1, 1_000)
    await house.lease(first)
    assert (await house.command(PayDelivery("id-1", first, TenderKind.CASH, 20_000))).done
    await house.calls(2, DIESEL)
    assert (await house.command(AuthorisePoint("id-2", 2))).done
    if restart:
        await house.kill()
        await house.start()
        await house.state(1, PointState.IDLE)
    await house.lease(second)
    reused = await house.command(PayDelivery("id-1", second, TenderKind.CASH, 20_000))
    assert (reused.done, reused.reason) == (False, Reason.COMMAND_REUSED)
    reused = await house.command(PayDelivery("id-2", second, TenderKind.CASH, 20_000))
    assert (reused.done, reused.reason) == (False, Reason.COMMAND_REUSED)
    reused = await house.command(AuthorisePoint("id-1", 1))
    assert (reused.done, reused.reason) == (False, Reason.COMMAND_REUSED)
    reused = await house.command(LeaseDelivery("id-1", second))
    assert (reused.done, reused.reason) == (False, Reason.COMMAND_REUSED)
    reused = await house.command(AuthorisePoint("id-2", 1))
    assert (reused.done, reused.reason) == (False, Reason.COMMAND_REUSED)
    assert house.kinds.count("settlement") == 1
    assert len(house.point(1).unpaid) == 1


@story()
async def test_two_tills_may_use_the_same_command_id(house: House) -> None:
    first = await house.cash_delivery(1, 1_000)
    second = await house.cash_delivery(1, 2_000)
    await house.lease(first, TILL)
    await house.lease(second, OTHER_TILL)
    assert (await house.command(PayDelivery("1", first, TenderKind.CASH, 10**5), TILL)).done
    assert (await house.command(PayDelivery("1", second, TenderKind.CASH, 10**5), OTHER_TILL)).done
    assert house.books.sums.sales == 2


@story()
async def test_a_till_that_hangs_up_while_it_pays_has_paid_once(house: House) -> None:
    """The connection of a till breaks in the middle of the commit: the books must know what the disk knows."""
    sale = await house.cash_delivery(1, 3_000)
    await house.lease(sale)
    pay = PayDelivery("pay-1", sale, TenderKind.CASH, 20_000)
    task = house.send(pay)
    house.at("after settlement", task.cancel)
    await house.wait(1)
    assert house.books.sums.sales == 1, "the journal has it and the books do not"
    again = await house.command(pay)
    assert again.done
    assert house.kinds.count("settlement") == 1
    assert task.cancelled()
    await house.wait(5)
    assert len(house.slips) == 1


@story()
async def test_a_point_that_does_not_exist_or_does_not_call_is_not_authorised(house: House) -> None:
    assert (await house.authorise(9)).reason == Reason.POINT_UNKNOWN
    assert (await house.authorise(1)).reason == Reason.PUMP_NOT_CALLING
    await house.calls(1)
    assert (await house.authorise(1)).done
    assert (await house.authorise(1)).reason == Reason.PUMP_BUSY
    house.squeeze(1, 5_000)
    await house.state(1, PointState.FUELLING)
    assert (await house.authorise(1)).reason == Reason.PUMP_BUSY

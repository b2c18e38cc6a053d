"""Who may buy: cards and plates, what they are asked, why they are declined, and what they may take."""

import pytest

from controller.deciding.held import HELD_TOKEN_S
from controller.domain.desk import Need, PointState
from controller.domain.reasons import Reason
from tests.station.house import (
    CARD,
    CARD_EARLY,
    CARD_GASOLINE,
    CARD_LATE,
    CARD_ODOMETER,
    CARD_PLATE,
    CARD_STOPPED,
    DIESEL,
    GASOLINE,
    ITS_PLATE,
    KNOWN_PLATE,
    House,
    story,
)


@story()
async def test_a_known_plate_buys_on_its_account(house: House) -> None:
    await house.calls(1)
    assert (await house.authorise(1, plate="16-sim-401")).done
    await house.fills(1, 8_000)
    await house.until(lambda: house.books.sums.sales == 1)
    assert house.deliveries[0].account == "BURSA"


@story()
async def test_an_unknown_plate_is_declined_and_cash_is_still_possible(house: House) -> None:
    await house.calls(1)
    declined = await house.authorise(1, plate="99 XX 999")
    assert (declined.done, declined.reason) == (False, Reason.PLATE_UNKNOWN)
    assert (await house.authorise(1, plate="???")).reason == Reason.PLATE_UNKNOWN
    assert house.point(1).state is PointState.REFUSED
    assert (await house.authorise(1)).done
    assert house.reasons == [Reason.PLATE_UNKNOWN]


@story()
async def test_a_card_that_needs_its_plate_asks_for_it(house: House) -> None:
    await house.calls(1)
    house.show_card(1, CARD_PLATE)
    await house.state(1, PointState.DECIDING)
    assert house.point(1).need is Need.PLATE
    assert (await house.answer(1, Need.ODOMETER, "1")).reason == Reason.NOTHING_TO_ANSWER
    assert (await house.answer(1, Need.PLATE, "  ")).reason == Reason.PLATE_MISMATCH
    assert house.point(1).state is PointState.DECIDING, "a slip of the keys ends nothing"
    assert (await house.answer(1, Need.PLATE, ITS_PLATE.lower())).done
    await house.state(1, PointState.AUTHORISED)
    assert (await house.answer(1, Need.PLATE, ITS_PLATE)).reason == Reason.NOTHING_TO_ANSWER


@story()
async def test_a_wrong_plate_is_declined_and_the_card_may_be_shown_again(house: House) -> None:
    await house.calls(1)
    house.show_card(1, CARD_PLATE)
    await house.state(1, PointState.DECIDING)
    assert (await house.answer(1, Need.PLATE, "06 AB 123")).reason == Reason.PLATE_MISMATCH
    assert house.point(1).state is PointState.REFUSED
    house.show_card(1, CARD_PLATE)
    await house.state(1, PointState.DECIDING)
    assert (await house.answer(1, Need.PLATE, ITS_PLATE)).done
    assert house.reasons == [Reason.PLATE_MISMATCH]


@story()
async def test_what_is_no_odometer_is_refused(house: House) -> None:
    for reading in ("abc", "-5", "12345678"):
        await house.calls(1)
        house.show_card(1, CARD_ODOMETER)
        await house.state(1, PointState.DECIDING)
        assert (await house.answer(1, Need.ODOMETER, reading)).reason == Reason.ODOMETER_IMPLAUSIBLE
        house.hang_up(1)
        await house.state(1, PointState.IDLE)


@story()
async def test_an_answer_repeated_after_a_restart_gets_its_first_answer(house: House) -> None:
    await house.calls(1)
    house.show_card(1, CARD_ODOMETER)
    await house.state(1, PointState.DECIDING)
    answered = await house.answer(1, Need.ODOMETER, "700")
    assert answered.done
    await house.is_let_go(1)
    await house.kill()
    await house.start()
    await house.state(1, PointState.AUTHORISED)
    house._ids -= 1  # the same id again
    assert (await house.answer(1, Need.ODOMETER, "700")).done


@story()
async def test_each_decline_is_journalled_with_its_reason(house: House) -> None:
    shown = [
        (CARD_STOPPED, GASOLINE, Reason.CARD_BLOCKED),
        (CARD_EARLY, GASOLINE, Reason.NOT_YET_VALID),
        (CARD_LATE, GASOLINE, Reason.EXPIRED),
        (CARD, GASOLINE, Reason.PRODUCT_NOT_ALLOWED),
        (CARD_GASOLINE, DIESEL, Reason.PRODUCT_NOT_ALLOWED),
    ]
    for card, nozzle, reason in shown:
        await house.calls(2, nozzle)
        house.show_card(2, card)
        await house.state(2, PointState.REFUSED)
        assert (house.point(2).reason, bool(house.point(2).text)) == (reason, True)
        house.squeeze(2, 1_000)
        await house.wait(5)
        house.hang_up(2)
        await house.state(2, PointState.IDLE)
    assert house.reasons == [reason for _, _, reason in shown]
    assert house.meters_ml() == 0


@story(cards_csv=f"card,plate,account\n,{KNOWN_PLATE},X\n")
async def test_a_card_that_is_not_on_the_list_is_unknown(house: House) -> None:
    await house.calls(1)
    house.show_card(1)
    await house.state(1, PointState.REFUSED)
    assert house.reasons == [Reason.CARD_UNKNOWN]


@story(cards_csv=None)
async def test_without_a_list_cards_are_declined_cash_sells_and_the_trouble_says_what_to_do(house: House) -> None:
    await house.calls(1)
    house.show_card(1)
    await house.state(1, PointState.REFUSED)
    assert house.reasons == [Reason.LIST_MISSING]
    assert "whitelist import" in house.trouble("card list")
    assert (await house.authorise(1, plate=KNOWN_PLATE)).reason == Reason.LIST_MISSING
    assert (await house.authorise(1)).done
    await house.fills(1, 1_000)
    await house.until(lambda: house.books.sums.deliveries == 1)


@story()
async def test_an_unreadable_list_declines_cards_until_a_good_one_is_in_place(house: House) -> None:
    good = house.list_path.read_bytes()
    house.list_path.write_bytes(b"this is no database at all" * 100)
    await house.calls(1)
    house.show_card(1)
    await house.state(1, PointState.REFUSED)
    assert house.reasons == [Reason.LIST_UNREADABLE]
    assert "import it again" in house.trouble("card list")
    fresh = house.list_path.with_name("fresh")
    fresh.write_bytes(good)
    fresh.replace(house.list_path)
    house.show_card(1)
    await house.state(1, PointState.AUTHORISED)
    assert not house.trouble("card list")


@story()
async def test_a_card_shown_before_the_nozzle_is_lifted_counts(house: House) -> None:
    house.show_card(1)
    await house.until(lambda: "lift the nozzle" in house.point(1).text, 5)
    await house.wait(HELD_TOKEN_S - 5)
    house.lift(1)
    await house.state(1, PointState.AUTHORISED)


@story()
async def test_a_card_shown_too_long_before_does_not(house: House) -> None:
    house.show_card(1)
    await house.wait(HELD_TOKEN_S + 5)
    house.lift(1)
    await house.state(1, PointState.CALLING)
    await house.wait(10)
    assert house.point(1).state is PointState.CALLING
    assert not house.authorised


@story()
async def test_a_card_shown_while_fuel_runs_does_not_pay_for_the_next_customer(house: House) -> None:
    await house.calls(1)
    house.show_card(1)
    house.squeeze(1, 10_000)
    await house.state(1, PointState.FUELLING)
    house.show_card(1)
    await house.shown_ml(10_000, 1)
    house.show_card(1)
    house.hang_up(1)
    await house.until(lambda: house.books.sums.sales == 1)
    house.lift(1)
    await house.state(1, PointState.CALLING, PointState.AUTHORISED)
    await house.wait(5)
    assert house.point(1).state is PointState.CALLING, "the next customer fuels on the last one's account"


@story()
async def test_a_card_shown_twice_at_a_pump_is_authorised_once(house: House) -> None:
    await house.calls(1)
    house.show_card(1)
    house.show_card(1)
    await house.fills(1, 2_000)
    await house.until(lambda: house.books.sums.sales == 1)
    await house.wait(5)
    assert house.story() == ["authorised", "delivery", "settlement"]


@pytest.mark.parametrize(("volume_ml", "amount_minor", "expected_ml"), [(7_000, None, 7_000), (None, 20_000, 4_533)])
@story()
async def test_a_preset_of_volume_or_of_money_ends_the_delivery(
    house: House, volume_ml: int | None, amount_minor: int | None, expected_ml: int
) -> None:
    await house.calls(1)
    assert (await house.authorise(1, volume_ml=volume_ml, amount_minor=amount_minor)).done
    house.squeeze(1, 60_000)
    await house.wait(60)
    house.hang_up(1)
    await house.until(lambda: house.books.sums.deliveries == 1)
    assert abs(house.deliveries[0].volume_ml - expected_ml) <= 10
    if amount_minor:
        assert house.deliveries[0].amount_minor == amount_minor
    house.assert_books_agree()


@story()
async def test_a_preset_is_one_and_above_zero(house: House) -> None:
    await house.calls(1)
    for volume_ml, amount_minor in ((1_000, 1_000), (0, None), (None, 0), (-1, None), (None, -5)):
        refused = await house.authorise(1, volume_ml=volume_ml, amount_minor=amount_minor)
        assert refused.reason == Reason.PRESET_INVALID


@story()
async def test_a_preset_that_the_pump_cannot_take_is_refused_and_released(house: House) -> None:
    """Five thousandths of a litre: a pump of hundredths shows it as nothing."""
    await house.calls(1)
    await house.authorise(1, volume_ml=5)
    await house.until(lambda: house.story()[-1:] == ["released"], 10)
    house.squeeze(1, 1_000)
    await house.wait(5)
    assert house.meters_ml() == 0
    house.hang_up(1)
    await house.state(1, PointState.IDLE)
    await house.cash_delivery(1, 1_000)


@story()
async def test_the_cards_fill_limit_and_day_limit_hold_over_two_fills(house: House) -> None:
    filled = []
    for _ in range(2):
        await house.calls(1, GASOLINE)
        house.show_card(1, CARD_GASOLINE)
        house.squeeze(1, 50_000)
        await house.state(1, PointState.FUELLING)
        await house.wait(60)
        house.hang_up(1)
        await house.state(1, PointState.IDLE)
        await house.until(lambda: not house.books.unpaid)
        filled.append(house.deliveries[-1].volume_ml)
    assert filled == [20_000, 15_000]
    await house.calls(1, GASOLINE)
    house.show_card(1, CARD_GASOLINE)
    await house.state(1, PointState.REFUSED)
    assert house.reasons == [Reason.LIMIT_DAY]
    house.hang_up(1)
    await house.wait(3_600)  # 04:00: a new business day
    await house.calls(1, GASOLINE)
    house.show_card(1, CARD_GASOLINE)
    await house.state(1, PointState.AUTHORISED)


@story()
async def test_a_day_limit_holds_at_two_pumps_at_the_same_time(house: House) -> None:
    for number in (1, 2):
        await house.calls(number, GASOLINE)
        house.show_card(number, CARD_GASOLINE)
        house.squeeze(number, 50_000)
    await house.wait(90)
    for number in (1, 2):
        house.hang_up(number)
    await house.until(lambda: house.books.sums.sales == 2)
    assert sum(delivery.volume_ml for delivery in house.deliveries) <= 35_000


@story()
async def test_an_attendants_preset_narrows_the_cards_limit_and_never_widens_it(house: House) -> None:
    for wanted_ml, got_ml in ((5_000, 5_000), (90_000, 60_000)):
        await house.calls(1, GASOLINE)
        assert (await house.authorise(1, plate=KNOWN_PLATE, volume_ml=wanted_ml)).done
        assert house.authorised[-1].preset_volume_ml == got_ml
        await house.is_let_go(1)
        house.hang_up(1)
        await house.state(1, PointState.IDLE)

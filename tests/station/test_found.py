"""What a pump tells after the controller was away: whose fuel it is, when another nozzle was lifted meanwhile."""

from dataclasses import replace

import pytest

from controller.domain.desk import PointState
from controller.domain.funds import Funds
from controller.domain.meters import Meter
from controller.domain.quantities import Unit, UnitPrice
from controller.domain.records import Authorised, Delivery, Evidence, Limits
from controller.points.found import as_delivered
from controller.pumps.words import Completed
from tests.station.house import DIESEL, House, story

GASOLINE = 3 - DIESEL
EIGHT_DIGITS = Meter(modulus_ml=10**9)
PRICE, OTHER_PRICE = UnitPrice(4412, 2), UnitPrice(4379, 2)


def _completed(nozzle: int, total_ml: int | None, *, volume_ml: int = 5_000, at_start: bool = True) -> Completed:
    return Completed(1, nozzle, volume_ml, 22_060, OTHER_PRICE, total_ml, at_start)


def _delivery(nozzle: int, after_ml: int | None) -> Delivery:
    return Delivery(
        1, nozzle, "diesel", Unit.LITRE, PRICE, 5_000, 22_060, 0, after_ml, None, None, "", Funds.NONE, False
    )


def _authorised(nozzle: int) -> Authorised:
    return Authorised(
        1, nozzle, "diesel", Unit.LITRE, PRICE, None, "", Funds.NONE, Limits(), None, None, 0, Evidence(), "", ""
    )


def test_a_delivery_is_the_authorised_nozzles_when_the_named_one_has_not_moved() -> None:
    found = as_delivered(_completed(2, 700), last=None, authorised=_authorised(1), known_ml={1: 300, 2: 700}.get)

    assert found is not None
    assert (found.nozzle, found.price, found.totaliser_ml) == (1, PRICE, 5_300)


def test_a_nozzle_that_was_never_read_is_not_taken_for_the_one_that_delivered() -> None:
    found = as_delivered(_completed(2, 0), last=None, authorised=_authorised(1), known_ml={1: 0}.get)

    assert found is not None
    assert (found.nozzle, found.totaliser_ml) == (1, 5_000)


def test_what_is_booked_already_is_known_again_though_another_nozzle_was_lifted() -> None:
    event = _completed(2, 700)
    known = {1: 5_300, 2: 700}.get

    assert as_delivered(event, last=_delivery(1, 5_300), authorised=None, known_ml=known) is None
    assert as_delivered(event, last=_delivery(1, 5_300), authorised=_authorised(2), known_ml=known) is None


def test_the_same_volume_again_is_another_delivery_when_the_totaliser_moved() -> None:
    same_nozzle, other_nozzle = _completed(1, 10_300), _completed(2, 5_700)
    known = {1: 5_300, 2: 700}.get

    assert as_delivered(same_nozzle, last=_delivery(1, 5_300), authorised=None, known_ml=known) == same_nozzle
    assert as_delivered(other_nozzle, last=_delivery(1, 5_300), authorised=None, known_ml=known) == other_nozzle


@pytest.mark.parametrize("jump_ml", [700, -700, 4_980])
def test_what_is_booked_already_is_known_again_though_its_counter_jumped(jump_ml: int) -> None:
    """By less than another delivery of that volume would have moved it."""
    event = _completed(1, 5_300 + jump_ml)

    found = as_delivered(event, last=_delivery(1, 5_300), authorised=None, known_ml={1: 5_300}.get, how=EIGHT_DIGITS)
    assert found is None
    allowed = as_delivered(
        event, last=_delivery(1, 5_300), authorised=_authorised(1), known_ml={1: 5_300}.get, how=EIGHT_DIGITS
    )
    assert allowed == event, "a pump that was authorised since has let go of the last one"


def test_a_pump_that_cannot_tell_totals_is_believed_once() -> None:
    event = _completed(1, None)

    assert as_delivered(event, last=_delivery(1, None), authorised=None, known_ml=lambda _: None) is None
    assert as_delivered(event, last=None, authorised=None, known_ml=lambda _: None) == event


def test_a_pump_that_keeps_the_nozzle_with_the_delivery_is_believed() -> None:
    event = replace(_completed(2, None), nozzle_told=True)
    allowed = _authorised(1)

    assert as_delivered(event, last=None, authorised=allowed, known_ml={1: 300, 2: 700}.get) == event
    assert as_delivered(event, last=_delivery(1, None), authorised=allowed, known_ml=lambda _: None) == event
    assert as_delivered(event, last=_delivery(2, None), authorised=allowed, known_ml=lambda _: None) is None


def test_a_counter_that_rolled_over_has_moved() -> None:
    event = _completed(2, 2_000)
    known = {1: 300, 2: 10**9 - 3_000}.get

    found = as_delivered(event, last=None, authorised=_authorised(1), known_ml=known, how=EIGHT_DIGITS)
    assert found == event, "nozzle 2 gave five litres across the turn"
    last = _delivery(1, 5_300)
    assert as_delivered(event, last=last, authorised=None, known_ml=known, how=EIGHT_DIGITS) == event


def test_a_counter_that_went_back_has_not_gone_nearly_all_the_way_round() -> None:
    known = {1: 300, 2: 700}.get

    found = as_delivered(_completed(2, 600), last=None, authorised=_authorised(1), known_ml=known, how=EIGHT_DIGITS)
    assert found is not None
    assert found.nozzle == 1


def test_the_counter_that_is_reckoned_rolls_over_too() -> None:
    known = {1: 10**9 - 3_000, 2: 700}.get

    found = as_delivered(_completed(2, 700), last=None, authorised=_authorised(1), known_ml=known, how=EIGHT_DIGITS)
    assert found is not None
    assert (found.nozzle, found.totaliser_ml) == (1, 2_000)


@story()
async def test_the_next_customer_lifts_another_nozzle_before_the_controller_is_back(house: House) -> None:
    await house.calls(1, DIESEL)
    await house.authorise(1)
    house.squeeze(1, 5_000)
    await house.state(1, PointState.FUELLING)
    await house.kill()
    await house.wait(30)
    house.hang_up(1)
    await house.wait(1)
    house.lift(1, GASOLINE)
    await house.wait(2)
    await house.start()

    await house.until(lambda: len(house.deliveries) == 1)
    await house.state(1, PointState.CALLING)

    (delivery,) = house.deliveries
    assert (delivery.nozzle, delivery.grade, delivery.volume_ml) == (DIESEL, "diesel", 5_000)
    assert delivery.price == PRICE
    house.assert_books_agree(deliveries=1)
    assert house.books.sums.unrecorded_ml == 0


@story()
async def test_a_booked_delivery_is_not_booked_again_for_the_next_customers_nozzle(house: House) -> None:
    await house.calls(1, DIESEL)
    await house.authorise(1)
    await house.fills(1, 5_000)
    await house.until(lambda: len(house.deliveries) == 1)
    await house.kill()
    house.lift(1, GASOLINE)
    await house.wait(2)
    await house.start()

    await house.state(1, PointState.CALLING)
    await house.wait(20)

    house.assert_books_agree(deliveries=1)

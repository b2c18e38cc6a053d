"""Counters that roll over in a sale, boards that skip its end, a controller that was not there: at every protocol."""

from enum import Enum

import pytest

from controller.domain.desk import PointState
from controller.domain.quantities import power_of_ten
from controller.domain.records import MeterChanged, TotaliserMismatch, TotaliserRead, UnrecordedDelivery
from controller.pumps.azt2.messages import State as AztState
from controller.pumps.dart.transactions import State as DartState
from controller.pumps.two_wire.frame import Status
from tests.station.house import ROUNDING_ML, House, story
from tests.station.sale import (
    MIDDLE_ML,
    WANT_ML,
    YARDS,
    after,
    begins,
    ends,
    every_protocol,
    is_booked,
    is_in_the_middle,
    link_faults,
    rows,
)
from tests.station.yard import COUNTER_DIGITS, Yard

STEP_ML = 10
BEFORE_TURN_ML = 3_000
RUNNING: dict[str, Enum] = {"dart": DartState.FILLING, "two-wire": Status.BUSY, "azt2": AztState.FUELLING}
"""What a pump is in when somebody started it by hand."""


def turn_ml(protocol: str) -> int:
    """Where its volume counters begin again from 0."""
    return STEP_ML * power_of_ten(COUNTER_DIGITS[protocol])


NEARLY_ROUND = pytest.mark.parametrize(
    "yard", [pytest.param(Yard(name, start_ml=turn_ml(name) - BEFORE_TURN_ML), id=name) for name in COUNTER_DIGITS]
)


def nothing_strange(house: House) -> None:
    for kind in (UnrecordedDelivery, MeterChanged, TotaliserMismatch):
        assert not rows(house, kind)


# ---- roll-over


@NEARLY_ROUND
@story()
async def test_a_counter_that_rolls_over_in_a_sale(house: House, yard: Yard) -> None:
    await begins(house)
    await ends(house)
    (delivery,) = house.deliveries
    before_ml, after_ml = delivery.totaliser_before_ml, delivery.totaliser_after_ml
    assert (before_ml, after_ml) == (turn_ml(yard.protocol) - BEFORE_TURN_ML, WANT_ML - BEFORE_TURN_ML)
    assert delivery.volume_ml == WANT_ML
    nothing_strange(house)
    await after(house, deliveries=1)
    nothing_strange(house)


@NEARLY_ROUND
@story()
async def test_a_counter_that_rolls_over_while_the_pump_has_no_power_and_no_memory(house: House, yard: Yard) -> None:
    await begins(house)
    house.pumps[1].faults.inject("power_cut", house.now_us, after_ml=BEFORE_TURN_ML + 1_000, off_ms=6_000, forgets=1)
    await house.until(lambda: not house.pumps[1].faults.active(), 30)
    house.hang_up()
    await house.state(1, PointState.IDLE, seconds=60)
    await house.wait(10)
    (found,) = rows(house, UnrecordedDelivery)
    assert isinstance(found, UnrecordedDelivery)
    assert 0 <= house.given_ml() - found.volume_ml < ROUNDING_ML
    assert found.totaliser_after_ml < found.totaliser_before_ml
    await after(house, deliveries=0, unrecorded_ml=found.volume_ml)


@NEARLY_ROUND
@story()
async def test_a_counter_that_rolls_over_while_the_controller_is_down(house: House, yard: Yard) -> None:
    await is_in_the_middle(house)
    await house.kill()
    await house.shown_ml(WANT_ML)
    house.hang_up()
    await house.wait(30)
    await house.start()
    await is_booked(house)
    (delivery,) = house.deliveries
    assert (delivery.volume_ml, delivery.totaliser_after_ml) == (WANT_ML, WANT_ML - BEFORE_TURN_ML)
    nothing_strange(house)
    await after(house, deliveries=1)


# ---- totals that do not come


@pytest.mark.parametrize("yard", YARDS[1:2])
@pytest.mark.parametrize("then", ["the next customer", "a restart", "two more"])
@story()
async def test_a_sale_whose_counter_was_not_read_is_no_unrecorded_fuel_later(
    house: House, yard: Yard, then: str
) -> None:
    """Every block of the pump is damaged for a while: it gives up the sale in the end, and its counter too late."""
    sold = 2 if then == "two more" else 1
    for sale in range(sold):
        await is_in_the_middle(house)
        await house.shown_ml(WANT_ML)
        house.pumps[1].faults.inject("bad_crc", house.now_us)
        house.hang_up()
        await house.until(lambda: "no_totals" in link_faults(house), 20)
        house.told.clear()
        house.pumps[1].faults.clear(house.now_us)
        await is_booked(house, sale)
        await house.pay(house.point(1).unpaid[0].delivery_id)
    assert [delivery.totaliser_after_ml for delivery in house.deliveries] == [None] * sold
    if then == "a restart":
        await house.kill()
        await house.start()
        await house.state(1, PointState.IDLE, seconds=20)
        await house.wait(5)
        assert rows(house, TotaliserRead)[-1] == TotaliserRead(1, 1, WANT_ML), "it is known again"
    await after(house, deliveries=sold)
    assert house.deliveries[-1].totaliser_before_ml == WANT_ML * sold
    nothing_strange(house)


@pytest.mark.parametrize("yard", YARDS[1:2])
@story()
async def test_a_counter_that_was_not_read_and_stood_still_is_told_when_it_is_read(house: House, yard: Yard) -> None:
    house.pumps[1].faults.inject("stuck_totaliser", house.now_us, count=1)
    await is_in_the_middle(house)
    await house.shown_ml(WANT_ML)
    house.pumps[1].faults.inject("bad_crc", house.now_us)
    house.hang_up()
    await house.until(lambda: "no_totals" in link_faults(house), 20)
    house.pumps[1].faults.clear(house.now_us)
    await is_booked(house)
    assert not rows(house, TotaliserMismatch), "nobody knows yet"
    house.lift()
    await house.state(1, PointState.CALLING, seconds=10)
    assert rows(house, TotaliserMismatch) == [TotaliserMismatch(1, 1, WANT_ML, 0, 0, WANT_ML)]
    assert "did not move during a delivery of 8.00" in house.trouble("meter of pump 1, nozzle 1")
    house.hang_up()
    await house.state(1, PointState.IDLE, seconds=10)
    await after(house, deliveries=1)


# ---- boards that skip the end of a sale

OLD_BOARDS = [
    pytest.param(Yard("two-wire", options={"old_board": True}, keys=keys), id=name)
    for name, keys in {"told": "two_wire = { old_board = true }", "not told": ""}.items()
]
"""Whether station.toml says so or not."""


@pytest.mark.parametrize("yard", OLD_BOARDS)
@story()
async def test_an_old_board_that_skips_the_end_of_a_sale(house: House, yard: Yard) -> None:
    for sale in range(3):
        await begins(house)
        await ends(house)
        assert house.deliveries[-1].volume_ml == WANT_ML
        assert house.deliveries[-1].authorised is not None
        assert len(house.deliveries) == sale + 1, "the same values again are another sale"
        await house.pay(house.point(1).unpaid[0].delivery_id)
    nothing_strange(house)
    await after(house, deliveries=3)


@pytest.mark.parametrize("yard", OLD_BOARDS)
@pytest.mark.parametrize("fault", ["no_response", "power_cut"])
@story()
async def test_an_old_board_that_is_not_heard_when_the_sale_ends(house: House, yard: Yard, fault: str) -> None:
    await is_in_the_middle(house)
    values = {"off_ms": 15_000} if fault == "power_cut" else {}
    house.pumps[1].faults.inject(fault, house.now_us, **values)
    await house.state(1, PointState.OFFLINE, seconds=10)
    if fault == "no_response":
        await house.shown_ml(WANT_ML)
    house.hang_up()
    await house.wait(15)
    house.pumps[1].faults.clear(house.now_us)
    await house.state(1, PointState.IDLE, seconds=60)
    await house.wait(10)
    sums = house.books.sums
    # It does not say by itself what it sold: its totals do, and nobody can say more.
    assert 0 <= house.given_ml() - sums.volume_ml - sums.unrecorded_ml < ROUNDING_ML
    await after(house, deliveries=sums.deliveries, unrecorded_ml=sums.unrecorded_ml)


# ---- a controller that was down


@every_protocol
@story()
async def test_a_sale_ended_while_the_controller_was_down_and_the_next_customer_waits(house: House, yard: Yard) -> None:
    await is_in_the_middle(house)
    await house.kill()
    await house.shown_ml(WANT_ML)
    house.hang_up()
    await house.wait(60)
    house.lift()
    await house.wait(5)
    await house.start()
    await house.until(lambda: bool(house.deliveries), 30)
    await house.state(1, PointState.CALLING, seconds=30)
    (delivery,) = house.deliveries
    assert (delivery.volume_ml, delivery.at_start) == (WANT_ML, True)
    assert delivery.authorised is not None
    assert not house.books.open
    await house.authorise()
    await house.shows_nothing()
    await house.fills(1, MIDDLE_ML)
    await is_booked(house, 1)
    assert house.deliveries[-1].volume_ml == MIDDLE_ML
    nothing_strange(house)
    await house.pay(house.point(1).unpaid[0].delivery_id)
    await after(house, deliveries=2)


@every_protocol
@pytest.mark.parametrize("found", ["running", "over"])
@story()
async def test_a_second_sale_was_begun_by_hand_while_the_controller_was_down(
    house: House, yard: Yard, found: str
) -> None:
    await is_in_the_middle(house)
    await house.kill()
    await house.shown_ml(WANT_ML)
    house.hang_up()
    await house.wait(10)
    _by_hand(house, MIDDLE_ML)
    await house.wait(1)
    if found == "over":
        await house.wait(10)
        house.hang_up()
    await house.start()
    if found == "running":
        await house.state(1, PointState.FUELLING, seconds=20)
        await house.shown_ml(MIDDLE_ML)
        house.hang_up()
    await is_booked(house)
    # The pump shows the second only: the first is what its counter knows.
    assert [delivery.volume_ml for delivery in house.deliveries] == [MIDDLE_ML]
    assert house.books.sums.unrecorded_ml == WANT_ML
    assert house.given_ml() == WANT_ML + MIDDLE_ML
    await after(house, deliveries=1, unrecorded_ml=WANT_ML)


def _by_hand(house: House, volume_ml: int) -> None:
    """Somebody turned the pump's key: it delivers, and its display is the new sale's."""
    twin, head = house.twins[1], house.head()
    twin.receive(b"", house.now_us)  # what happened until now is seen
    head.reset(house.now_us)
    house.lift()
    head.permit((1,), house.now_us)
    head.squeeze(volume_ml, house.now_us)
    twin.state = RUNNING[house.yard.protocol]

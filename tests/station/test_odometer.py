"""Odometers at a running station: neither back nor further than a vehicle comes; a slip of the keys locks no card."""

from controller.domain.desk import Need, PointState, ResetOdometer
from controller.domain.ladder import ODOMETER_KM_A_DAY
from controller.domain.reasons import Reason
from controller.domain.records import OdometerReset
from tests.station.house import CARD_ODOMETER, KNOWN_PLATE, House, story
from tests.station.test_limits import DAY_MS, assert_explained

FIRST_KM = 50_000


async def tells(house: House, km: int) -> str:
    """A customer tells his odometer; the nozzle stays out. The reason, if it is not taken."""
    await house.calls(1)
    house.show_card(1, CARD_ODOMETER)
    await house.until(lambda: house.point(1).need is Need.ODOMETER, 10)
    return (await house.answer(1, Need.ODOMETER, str(km))).reason


async def refused(house: House, km: int) -> None:
    assert await tells(house, km) == Reason.ODOMETER_IMPLAUSIBLE
    house.hang_up(1)
    await house.state(1, PointState.IDLE)


async def fills(house: House, km: int) -> None:
    sales = house.books.sums.sales
    assert await tells(house, km) == ""
    await house.is_let_go(1)
    await house.shows_nothing(1)
    await house.fills(1, 1_000)
    await house.until(lambda: house.books.sums.sales > sales and house.point(1).state is PointState.IDLE, 60)


async def hangs_up_again(house: House, km: int) -> None:
    """He changes his mind: nothing was delivered."""
    assert await tells(house, km) == ""
    await house.is_let_go(1)
    house.hang_up(1)
    await house.state(1, PointState.IDLE)


@story()
async def test_it_counts_with_a_delivery_only_and_neither_goes_back_nor_too_far(house: House) -> None:
    await hangs_up_again(house, 9_000_000)
    await fills(house, FIRST_KM)
    for km in (FIRST_KM - 1, FIRST_KM + ODOMETER_KM_A_DAY + 1):
        await refused(house, km)
    await fills(house, FIRST_KM)
    house.clock.start_ms += 3 * DAY_MS  # a clock that jumps is no time in which anybody drove
    await refused(house, FIRST_KM + ODOMETER_KM_A_DAY + 1)
    await house.kill()
    house.clock.start_ms += DAY_MS  # a day while the station was off is
    await house.start()
    await house.state(1, PointState.IDLE)
    await refused(house, FIRST_KM + 5 * ODOMETER_KM_A_DAY)
    await fills(house, FIRST_KM + 2 * ODOMETER_KM_A_DAY)
    assert_explained(house)


@story()
async def test_a_manager_forgets_one_that_was_mistyped(house: House) -> None:
    await fills(house, 5_000_000)
    await refused(house, FIRST_KM)
    for wrong in ({}, {"card": "12"}, {"card": CARD_ODOMETER, "plate": KNOWN_PLATE}):
        assert (await house.command(ResetOdometer(house.next_id(), **wrong))).reason == Reason.CARD_UNKNOWN
    command = ResetOdometer("reset-1", card=CARD_ODOMETER)
    assert (await house.command(command)).done
    await house.kill()
    await house.start()
    await house.state(1, PointState.IDLE)
    assert (await house.command(command)).done
    assert (await house.command(ResetOdometer("reset-1", plate=KNOWN_PLATE))).reason == Reason.COMMAND_REUSED
    assert house.kinds.count("odometer_reset") == 1
    (row,) = (record for record in house.records if isinstance(record, OdometerReset))
    assert row.till == "till-1"
    await fills(house, FIRST_KM)
    await refused(house, FIRST_KM - 1)
    assert_explained(house)

"""A station that does not know what year it is: its cards get back what is theirs, and stay readable."""

import pytest

from controller.domain.desk import PointState
from sim.loop import VirtualClock
from tests.station.cards import CardHouse, a_purse
from tests.station.test_card_counters import TODAY, counter_story, counters_of


@pytest.mark.parametrize("wall_ms", [0, 946_684_800_000 + 12 * 3_600_000], ids=["1970", "2000"])
@counter_story
async def test_a_station_whose_clock_lost_its_battery_gives_back_and_spoils_no_card(
    house: CardHouse, wall_ms: int
) -> None:
    card = a_purse()
    await house.pays(card, 2_000, take_off_when=lambda: True)
    await house.kill()
    house.clock = VirtualClock(house.loop, wall_ms)
    await house.start()
    await house.state(2, PointState.IDLE)
    await house.calls(2)
    house.put_on(card, 2)
    await house.until(lambda: not house.open_cases, 5)
    house.assert_all_paid_once(card)
    assert (counters_of(card).day, counters_of(card).day_volume_ml) == (TODAY, 2_000)


@counter_story
async def test_a_fill_that_ends_when_the_clock_has_lost_its_year_is_given_back(house: CardHouse) -> None:
    card = a_purse()
    await house.calls(1)
    house.put_on(card)
    await house.is_let_go(1)
    await house.kill()
    house.clock = VirtualClock(house.loop, 0)
    await house.start()
    await house.fills(1, 2_000)
    await house.until(lambda: house.books.sums.deliveries == 1)
    house.take_off()
    house.put_on(card)
    await house.until(lambda: not house.open_cases, 10)
    house.assert_all_paid_once(card)

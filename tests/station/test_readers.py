"""Card readers that fail: a trouble of that reader, never the end of the station."""

from controller.domain.desk import PointState
from tests.station.house import House, story


@story()
async def test_a_reader_that_ends_by_itself_is_a_trouble_and_everything_else_goes_on(house: House) -> None:
    await house.station._readers[1].close()
    await house.until(lambda: "restart the station" in house.trouble("reader of point 1"), 5)
    await house.cash_delivery(1, 1_000)
    await house.fill_by_card(2, 2_000)
    assert house.trouble("reader of point 1")
    assert not house.trouble("reader of point 2")
    await house.kill()
    await house.start()
    await house.state(1, PointState.IDLE)
    assert not house.trouble("reader of point 1")
    await house.fill_by_card(1, 2_000)

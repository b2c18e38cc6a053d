"""What a till asks of a pump and the pump answers: hold, go on, totals, what it is."""

from controller.domain.desk import (
    CommandResult,
    IdentifyPump,
    NozzleTotal,
    PointState,
    PumpCommand,
    ReadPumpTotals,
    ResumePoint,
    StopPoint,
    SuspendPoint,
)
from controller.domain.reasons import CATALOGUE, Reason
from tests.station.house import House, story


async def _ask(house: House, kind: type[PumpCommand], number: int = 1) -> CommandResult:
    return await house.command(kind(house.next_id(), number))


async def _fuelling(house: House) -> None:
    await house.calls(1)
    await house.authorise(1)
    house.squeeze(1, 20_000)
    await house.shown_ml(3_000)
    await house.state(1, PointState.FUELLING)


@story()
async def test_a_delivery_is_held_and_goes_on(house: House) -> None:
    await _fuelling(house)
    assert (await _ask(house, SuspendPoint)).done
    await house.state(1, PointState.STOPPED, seconds=5)
    assert house.point(1).text == "held: resume or stop"
    assert house.point(1).volume_ml > 0
    held_ml = house.meters_ml(1)
    await house.wait(20)
    assert house.meters_ml(1) == held_ml
    assert (await house.authorise(1)).reason == Reason.PUMP_BUSY
    assert (await _ask(house, ResumePoint)).done
    await house.state(1, PointState.FUELLING, seconds=5)
    house.squeeze(1, 2_000)
    await house.wait(10)
    house.hang_up(1)
    await house.until(lambda: house.books.sums.deliveries == 1)
    assert house.deliveries[0].volume_ml > held_ml
    house.assert_books_agree(deliveries=1)


@story()
async def test_a_held_delivery_is_stopped_and_cannot_go_on(house: House) -> None:
    await _fuelling(house)
    assert (await _ask(house, SuspendPoint)).done
    await house.state(1, PointState.STOPPED)
    assert (await house.command(StopPoint(house.next_id(), 1))).done
    assert (await _ask(house, ResumePoint)).reason == Reason.PUMP_STOPPED
    await house.wait(3)
    house.hang_up(1)
    await house.until(lambda: house.books.sums.deliveries == 1)
    await house.state(1, PointState.IDLE)
    house.assert_books_agree(deliveries=1)


@story()
async def test_what_cannot_be_done_now_is_refused_with_a_sentence(house: House) -> None:
    for kind in (SuspendPoint, ResumePoint):
        result = await _ask(house, kind)
        assert (result.done, result.reason) == (False, Reason.PUMP_WRONG_STATE)
        assert result.text == CATALOGUE[Reason.PUMP_WRONG_STATE].attendant
    assert (await _ask(house, SuspendPoint, 99)).reason == Reason.POINT_UNKNOWN
    await _fuelling(house)
    assert (await _ask(house, ReadPumpTotals)).reason == Reason.PUMP_WRONG_STATE


@story()
async def test_totals_are_read_from_the_pump(house: House) -> None:
    await house.cash_delivery(1, 4_000)
    await house.wait(20)
    result = await _ask(house, ReadPumpTotals)
    assert result.done
    assert result.totals == (NozzleTotal(1, "Gasoline 95", "l", 0), NozzleTotal(2, "Diesel", "l", 4_000))


@story()
async def test_reading_the_totals_finds_what_nobody_recorded(house: House) -> None:
    await house.cash_delivery(1, 4_000)
    await house.wait(60)
    house.head(1).jump_totaliser(2, 1_000, house.now_us)
    result = await _ask(house, ReadPumpTotals)
    assert result.totals[1].totaliser_ml == 5_000
    await house.until(lambda: house.books.sums.unrecorded_ml == 1_000, 5)


@story()
async def test_a_pump_says_what_it_is(house: House) -> None:
    result = await _ask(house, IdentifyPump)
    assert result.done or result.reason == Reason.PUMP_NOT_CONFIRMED
    assert result.text


@story()
async def test_a_pump_that_is_away_is_told_so(house: House) -> None:
    house.wires[1].cut = True
    await house.state(1, PointState.OFFLINE)
    for kind in (SuspendPoint, ResumePoint, ReadPumpTotals, IdentifyPump):
        assert (await _ask(house, kind)).reason == Reason.PUMP_OFFLINE


@story()
async def test_a_pump_that_falls_silent_ends_what_was_asked_of_it(house: House) -> None:
    await _fuelling(house)
    house.wires[1].cut = True
    result = await _ask(house, SuspendPoint)
    assert result.reason in {Reason.PUMP_OFFLINE, Reason.PUMP_NOT_CONFIRMED}

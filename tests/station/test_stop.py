"""Stops: by the attendant, by the clock, by a nozzle that is hung up; whatever flowed is booked."""

import pytest

from controller.deciding.unused import UNUSED_AUTHORISATION_S
from controller.domain.desk import AuthorisePoint, Need, PointState, StopAll, StopPoint
from controller.domain.reasons import Reason
from controller.points.point import TokenShown
from controller.pumps import words
from controller.pumps.dart.transactions import State
from tests.station.house import CARD_PLATE, ITS_PLATE, KNOWN_PLATE, House, story


@story()
async def test_a_stopped_delivery_is_booked_with_what_flowed(house: House) -> None:
    await house.calls(1)
    house.show_card(1)
    house.squeeze(1, 50_000)
    await house.shown_ml(6_000, 1)
    assert (await house.command(StopPoint("stop", 1))).done
    await house.until(lambda: house.books.sums.sales == 1, 10)
    flowed_ml = house.head(1).volume_ml(house.now_us)
    assert 6_000 <= flowed_ml < 7_000
    assert house.deliveries[0].volume_ml == flowed_ml // 10 * 10
    await house.wait(10)
    assert house.head(1).volume_ml(house.now_us) in {0, flowed_ml}, "it went on after the stop"
    house.hang_up(1)
    await house.state(1, PointState.IDLE)
    house.assert_books_agree(deliveries=1)


@story()
async def test_stop_all_stops_every_pump_and_books_each(house: House) -> None:
    for number in (1, 2, 3):
        await house.calls(number, 1)
        await house.authorise(number)
        house.squeeze(number, 50_000)
    await house.shown_ml(3_000, 3)
    assert (await house.command(StopAll("all"))).done
    await house.until(lambda: house.books.sums.deliveries == 3, 10)
    before_ml = house.meters_ml()
    await house.wait(30)
    assert house.meters_ml() == before_ml
    house.assert_books_agree(deliveries=3)


@pytest.mark.parametrize("moment", ["before authorised", "after authorised"])
@pytest.mark.parametrize("everything", [False, True])
@story()
async def test_a_stop_wins_over_an_authorisation_being_written(house: House, moment: str, everything: bool) -> None:
    await house.calls(1)
    house.squeeze(1, 5_000)
    stop = StopAll("stop") if everything else StopPoint("stop", 1)
    house.at(moment, lambda: house.send(stop))
    answer = await house.authorise(1)
    await house.wait(10)
    assert house.meters_ml() == 0, "the pump was let go after the stop"
    assert answer.reason == Reason.PUMP_STOPPED
    assert house.point(1).state is PointState.STOPPED
    assert house.story() == ["authorised", "released"]
    house.hang_up(1)
    await house.state(1, PointState.IDLE)
    house._at.clear()
    await house.cash_delivery(1, 2_000)


@story()
async def test_a_stop_goes_past_what_waits_in_the_inbox(house: House) -> None:
    await house.calls(1)
    house.squeeze(1, 5_000)
    first = house.send(AuthorisePoint("a", 1, plate="99 XX 1"))  # is declined, and writes that down
    second = house.send(AuthorisePoint("b", 1))
    third = house.send(StopAll("c"))
    assert (await third).done
    assert not (await first).done
    assert not (await second).done
    await house.wait(5)
    assert house.meters_ml() == 0


@story()
async def test_after_a_stop_a_calling_pump_says_so_at_once_and_waits_for_its_nozzle(house: House) -> None:
    await house.calls(1)
    house.squeeze(1, 2_000)
    await house.command(StopAll("all"))
    assert house.point(1).state is PointState.STOPPED
    assert house.point(1).reason == Reason.PUMP_STOPPED
    assert "hung up" in house.point(1).text
    await _nothing_lets_it_go(house)
    house.hang_up(1)
    await house.state(1, PointState.IDLE)
    await house.calls(1)
    assert (await house.authorise(1)).done
    await house.fills(1, 2_000)
    await house.until(lambda: house.books.sums.deliveries == 1)


@pytest.mark.parametrize("everything", [False, True])
@story()
async def test_a_stopped_delivery_keeps_its_pump_stopped_until_the_nozzle_is_hung_up(
    house: House, everything: bool
) -> None:
    await house.calls(1)
    await house.authorise(1)
    house.squeeze(1, 50_000)
    await house.shown_ml(3_000, 1)
    await house.command(StopAll("stop") if everything else StopPoint("stop", 1))
    await house.until(lambda: house.books.sums.deliveries == 1, 10)
    await house.wait(10)  # booked, cleared, and the pump calls again
    assert house.point(1).volume_ml == house.deliveries[0].volume_ml, "what flowed stays on the tile"
    await _nothing_lets_it_go(house)
    house.hang_up(1)
    await house.state(1, PointState.IDLE)
    await house.wait(5)
    house.lift(1)
    await house.state(1, PointState.CALLING, PointState.AUTHORISED)
    await house.wait(5)
    assert house.point(1).state is PointState.CALLING, "a card that was shown to a stopped pump pays for the next one"
    house.show_card(1)
    await house.fills(1, 1_000)
    await house.until(lambda: house.books.sums.sales == 1)
    house.assert_books_agree(deliveries=2)


async def _nothing_lets_it_go(house: House) -> None:
    """No attendant, no plate and no card: the tile says that it is stopped, and goes on to say so."""
    before_ml = house.meters_ml()
    for plate in ("", KNOWN_PLATE):
        assert (await house.authorise(1, plate=plate)).reason == Reason.PUMP_STOPPED
    assert (await house.answer(1, Need.PLATE, ITS_PLATE)).reason == Reason.PUMP_STOPPED
    house.show_card(1)
    for _ in range(30):
        await house.wait(1)
        assert house.point(1).state is PointState.STOPPED
    assert house.meters_ml() == before_ml
    assert not house.books.open


@pytest.mark.parametrize("everything", [False, True])
@story()
async def test_a_stop_of_an_idle_pump_does_not_block_its_next_customer(house: House, everything: bool) -> None:
    await house.command(StopAll("stop") if everything else StopPoint("stop", 1))
    await house.wait(2)
    await house.cash_delivery(1, 1_000)
    await house.command(StopAll("again"))
    house.show_card(1)
    await house.until(lambda: "lift the nozzle" in house.point(1).text, 5)
    await house.command(StopAll("and again"))
    house.lift(1)
    await house.state(1, PointState.AUTHORISED)


@story()
async def test_a_nozzle_that_was_lifted_just_before_the_stop_is_hung_up_first(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tile still shows the pump as idle when the attendant presses the key."""
    point = house.station.points[1]
    post = point.post
    seen: list[PointState] = []

    def lifted(message: words.PumpEvent | TokenShown) -> None:
        post(message)
        if isinstance(message, words.Calling) and not seen:
            seen.append(house.point(1).state)
            point.stop()

    monkeypatch.setattr(point, "post", lifted)
    house.lift(1)
    await house.state(1, PointState.STOPPED)
    assert seen == [PointState.IDLE]
    await _nothing_lets_it_go(house)
    house.hang_up(1)
    await house.state(1, PointState.IDLE)
    await house.cash_delivery(1, 1_000)


@story()
async def test_a_stop_ends_the_question_that_a_card_was_asked(house: House) -> None:
    await house.calls(1)
    house.show_card(1, CARD_PLATE)
    await house.state(1, PointState.DECIDING)
    await house.command(StopPoint("stop", 1))
    assert house.point(1).need is None
    await _nothing_lets_it_go(house)


@story()
async def test_a_card_held_for_a_pump_that_is_stopped_does_not_let_it_go(house: House) -> None:
    await house.calls(1)
    house.wires[1].cut = True
    await house.state(1, PointState.OFFLINE)
    house.show_card(1)
    await house.wait(1)
    await house.command(StopAll("all"))
    house.wires[1].cut = False
    await house.state(1, PointState.STOPPED, seconds=20)
    await _nothing_lets_it_go(house)


@story()
async def test_a_stopped_pump_is_still_stopped_when_its_line_was_broken_meanwhile(house: House) -> None:
    await house.calls(1)
    await house.command(StopPoint("stop", 1))
    house.wires[1].cut = True
    await house.state(1, PointState.OFFLINE)
    assert (await house.authorise(1)).reason == Reason.PUMP_OFFLINE
    house.wires[1].cut = False
    await house.state(1, PointState.STOPPED, seconds=20)
    await _nothing_lets_it_go(house)
    house.hang_up(1)
    await house.state(1, PointState.IDLE)


@pytest.mark.parametrize("kind", ["authorised", "declined"])
@story()
async def test_a_stop_while_the_disk_refuses_is_what_the_tile_says(house: House, kind: str) -> None:
    await house.calls(1)
    house.disk_full = lambda records: True
    house.at(f"before {kind}", lambda: house.send(StopAll("stop")))
    asked = house.send(AuthorisePoint("a", 1, plate="99 XX 1" if kind == "declined" else ""))
    assert (await asked).reason == Reason.JOURNAL_FULL
    await house.state(1, PointState.STOPPED, seconds=1)
    await house.wait(5)
    assert house.point(1).state is PointState.STOPPED


@story()
async def test_a_pump_that_was_silent_when_it_was_stopped_is_stopped_when_it_answers(house: House) -> None:
    await house.calls(1)
    await house.authorise(1)
    house.squeeze(1, 60_000)
    await house.state(1, PointState.FUELLING)
    house.wires[1].cut = True
    await house.state(1, PointState.OFFLINE)
    await house.command(StopAll("all"))
    await house.wait(5)
    house.wires[1].cut = False
    await house.until(lambda: house.books.sums.deliveries == 1, 20)
    assert house.deliveries[0].volume_ml < 50_000
    house.assert_books_agree(deliveries=1)


@story()
async def test_an_authorisation_that_is_never_used_is_stopped_and_released_in_time(house: House) -> None:
    await house.calls(1)
    await house.authorise(1)
    await house.is_let_go(1)
    await house.wait(UNUSED_AUTHORISATION_S - 10)
    assert house.point(1).state is PointState.AUTHORISED
    await house.wait(20)
    assert house.story() == ["authorised", "released"]
    house.squeeze(1, 1_000)
    await house.wait(5)
    assert house.meters_ml() == 0
    assert not house.books.open


@story()
async def test_an_authorisation_of_before_a_restart_ends_in_time_too(house: House) -> None:
    await house.calls(1)
    house.show_card(1)
    await house.is_let_go(1)
    await house.kill()
    await house.start()
    await house.state(1, PointState.AUTHORISED)
    assert house.point(1).token.startswith("900100")
    assert house.point(1).grade == "Diesel"
    await house.wait(UNUSED_AUTHORISATION_S + 10)
    assert not house.books.open
    assert house.twins[1].state is not State.AUTHORIZED
    assert house.story() == ["authorised", "released"]


@story()
async def test_hung_up_before_any_fuel_is_released(house: House) -> None:
    await house.calls(1)
    await house.authorise(1)
    await house.is_let_go(1)
    house.hang_up(1)
    await house.state(1, PointState.IDLE)
    assert house.story() == ["authorised", "released"]
    house.assert_books_agree(deliveries=0)


@story()
async def test_hung_up_while_the_pump_is_being_told_is_released(house: House) -> None:
    await house.calls(1)
    house.show_card(1)
    await house.state(1, PointState.AUTHORISED)
    house.hang_up(1)
    await house.until(lambda: not house.books.open, 10)


@pytest.mark.parametrize("moment", ["before authorised", "after authorised"])
@story()
async def test_hung_up_during_the_decision_gives_the_next_customer_no_fuel(house: House, moment: str) -> None:
    await house.calls(1)
    house.at(moment, lambda: house.hang_up(1))
    house.show_card(1)
    await house.wait(UNUSED_AUTHORISATION_S + 10)
    assert house.story() == ["authorised", "released"]
    assert not house.books.open
    house._at.clear()
    await house.cash_delivery(1, 1_000)
    assert house.deliveries[0].account == ""


@story()
async def test_hung_up_while_the_card_is_being_asked_forgets_the_question(house: House) -> None:
    await house.calls(1)
    house.show_card(1, CARD_PLATE)
    await house.state(1, PointState.DECIDING)
    house.hang_up(1)
    await house.state(1, PointState.IDLE)
    assert (await house.answer(1, Need.PLATE, ITS_PLATE)).reason == Reason.NOTHING_TO_ANSWER
    await house.calls(1)
    assert (await house.answer(1, Need.PLATE, ITS_PLATE)).reason == Reason.NOTHING_TO_ANSWER
    assert not house.authorised


@story()
async def test_a_pump_that_takes_no_stop_is_told_again_and_somebody_knows(house: House) -> None:
    await house.calls(1)
    await house.authorise(1)
    house.squeeze(1, 50_000)
    await house.shown_ml(1_000, 1)
    told: list[words.Order] = []
    point = house.station.points[1]
    tell, point._tell = point._tell, told.append
    assert (await house.command(StopPoint("stop", 1))).done
    point.post(words.Refused(words.Stop(), words.Refusal.NOT_CONFIRMED))
    await house.until(lambda: words.Stop() in told, 1)
    (trouble,) = house.station.snapshot().troubles
    assert "Pump 1 does not stop: use its emergency switch" in trouble.text
    point._tell = tell
    house.hang_up(1)
    await house.state(1, PointState.IDLE)
    assert not house.station.snapshot().troubles
    house.assert_books_agree(deliveries=1)

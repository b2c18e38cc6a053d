"""Headquarters may be away for hours: the station sells on, says what waits, and everything arrives once."""

import asyncio

import pytest

from controller.domain.desk import AskBalance, PointState
from controller.domain.headquarters import Balance
from controller.domain.questions import Heard
from controller.domain.reasons import CATALOGUE, Reason
from sim.chance import Chance
from sim.headquarters import LinkQuality, SimulatedHeadquarters
from sim.site import STATION_ID
from sync.link import StationLink
from sync.runner import LinkDown
from sync.wire import REQUESTS_PATH
from tests.station.house import CARD, CARD_STOPPED, KNOWN_PLATE, OTHER_TILL, House, story

CLEAN = LinkQuality(0, 0, 0)


class Road:
    """The way to headquarters: closed, slow, or such that every message goes twice, on request."""

    def __init__(self, house: House, quality: LinkQuality = CLEAN) -> None:
        self.house = house
        self.headquarters = SimulatedHeadquarters(STATION_ID, house.clock, Chance(7, "link"), quality)
        self.closed = False
        self.late_s = 0
        self.doubled = False
        self.asked = 0

    async def post(self, path: str, body: bytes) -> bytes:
        if self.closed:
            await self.house.wait(2)
            raise LinkDown("headquarters cannot be reached (test): check the router")
        self.asked += path == REQUESTS_PATH
        answer = await self.headquarters.post(path, body)
        if self.doubled:
            assert await self.headquarters.post(path, body) == answer
        if path == REQUESTS_PATH and self.late_s:
            await self.house.wait(self.late_s)
        return answer


async def _join(house: House, quality: LinkQuality = CLEAN) -> Road:
    """Start the station again, with headquarters."""
    await house.kill()
    road = Road(house, quality)
    house.transport, house.link_key = road, road.headquarters.key
    await house.start()
    await house.until(lambda: house.snapshot.link.connected, 30)
    await house.state(1, PointState.IDLE)
    return road


@story()
async def test_headquarters_away_for_hours_then_everything_arrives(house: House) -> None:
    road = await _join(house)
    road.closed = True
    for hour in range(4):
        await house.fill_by_card(1, 3_000)
        sale = await house.cash_delivery(2, 2_000)
        assert (await house.pay(sale)).done
        await house.wait(3_600)
        link = house.snapshot.link
        assert not link.connected
        assert link.waiting_rows >= 6 * (hour + 1)
        assert link.down_since_ms > 0
    assert road.headquarters.totals().sales == 0
    road.closed = False
    await house.until(lambda: house.writer.cursor == house.writer.head_seq, 400)
    totals = road.headquarters.totals()
    assert (totals.sales, totals.volume_ml, totals.forks) == (8, 20_000, 0)
    assert house.snapshot.link.waiting_rows == 0
    assert house.snapshot.link.down_since_ms == 0


@story()
async def test_a_restart_while_headquarters_is_away_sends_nothing_twice(house: House) -> None:
    road = await _join(house)
    await house.fill_by_card(1, 3_000)
    road.closed = True
    await house.fill_by_card(1, 4_000)
    await house.kill()
    await house.wait(600)
    await house.start()
    await house.state(1, PointState.IDLE)
    await house.fill_by_card(1, 5_000)
    road.closed = False
    await house.until(lambda: house.writer.cursor == house.writer.head_seq, 400)
    totals = road.headquarters.totals()
    assert (totals.sales, totals.volume_ml, totals.forks) == (3, 12_000, 0)


@pytest.mark.parametrize("doubled", [False, True])
@story()
async def test_a_balance_is_what_headquarters_says(house: House, doubled: bool) -> None:
    road = await _join(house)
    await house.fill_by_card(1, 10_000)
    await house.until(lambda: house.writer.cursor == house.writer.head_seq, 60)
    road.doubled = doubled
    by_card = await house.command(AskBalance("b-1", card=CARD))
    assert by_card.done
    assert "-441.20" in by_card.text
    assert CARD not in by_card.text
    by_plate = await house.command(AskBalance("b-2", plate=KNOWN_PLATE))
    assert by_plate.done
    assert "0.00" in by_plate.text


@story()
async def test_a_late_balance_is_said_to_be_missing_and_asked_again_it_is_there(house: House) -> None:
    road = await _join(house)
    road.late_s = 40
    began_us = house.now_us
    late = await house.command(AskBalance("b-1", card=CARD))
    assert (late.done, late.reason) == (False, Reason.HEADQUARTERS_SILENT)
    assert house.now_us - began_us <= 16_000_000, "a driver waits at the till"
    await house.wait(60)
    road.late_s = 0
    assert (await house.command(AskBalance("b-1", card=CARD))).reason == Reason.HEADQUARTERS_SILENT, "the first answer"
    assert (await house.command(AskBalance("b-2", card=CARD))).done


@story()
async def test_a_balance_without_a_link_ends_in_time_and_holds_up_nothing(house: House) -> None:
    road = await _join(house)
    road.closed = True
    asking = house.send(AskBalance("b-1", card=CARD))
    await house.cash_delivery(1, 2_000)
    answer = await asyncio.wait_for(asking, 60)
    assert (answer.done, answer.reason) == (False, Reason.HEADQUARTERS_SILENT)
    assert road.asked == 0


@story()
async def test_a_balance_of_what_is_on_no_list_is_not_even_asked(house: House) -> None:
    road = await _join(house)
    assert (await house.command(AskBalance("1", card="9001000000009999"))).reason == Reason.CARD_UNKNOWN
    assert (await house.command(AskBalance("2", plate="00 XX 00"))).reason == Reason.PLATE_UNKNOWN
    for nonsense in (AskBalance("3"), AskBalance("4", card="abc"), AskBalance("5", plate="???")):
        answer = await house.command(nonsense)
        assert not answer.done
        assert answer.text
    assert road.asked == 0


@pytest.mark.parametrize("said", ["This account is closed: ring the office", ""])
@story()
async def test_a_balance_that_headquarters_refuses_is_refused_in_its_own_words(
    house: House, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    async def balance(self: StationLink, account: str, question: str) -> Balance:
        return Balance(Heard.REFUSED, text=said)

    monkeypatch.setattr(StationLink, "balance", balance)
    await _join(house)
    answer = await house.command(AskBalance("1", card=CARD))
    assert (answer.done, answer.reason) == (False, Reason.HEADQUARTERS_REFUSED)
    assert answer.text == (said or CATALOGUE[Reason.HEADQUARTERS_REFUSED].attendant)


@story()
async def test_a_station_without_headquarters_says_so(house: House) -> None:
    assert (await house.command(AskBalance("1", card=CARD))).reason == Reason.HEADQUARTERS_SILENT
    assert not house.snapshot.link.configured


@story()
async def test_two_tills_that_ask_under_the_same_id_get_their_own_answers(house: House) -> None:
    road = await _join(house)
    road.late_s = 3
    first = house.send(AskBalance("1", card=CARD))
    second = house.send(AskBalance("1", card=CARD_STOPPED), OTHER_TILL)
    assert (await first).text.startswith("900100******0101")
    assert (await second).text.startswith("900100******0302")


@pytest.mark.parametrize("quality", [LinkQuality(5, 5, 5), LinkQuality(2, 2, 2)])
@story()
async def test_a_bad_link_loses_and_doubles_nothing(house: House, quality: LinkQuality) -> None:
    await house.kill()
    road = Road(house, quality)
    house.transport, house.link_key = road, road.headquarters.key
    await house.start()
    await house.state(1, PointState.IDLE)
    for _ in range(3):
        await house.fill_by_card(1, 3_000)
    await house.until(lambda: house.writer.cursor == house.writer.head_seq, 7_200)
    totals = road.headquarters.totals()
    assert (totals.sales, totals.volume_ml, totals.forks) == (3, 9_000, 0)

"""Reasons that come seldom: a pump that refuses, or cannot; a nozzle that nobody knows; what a broken card says."""

import pytest

from card_io.reader import CardRefused
from controller.domain.card_reasons import CARD_REASONS
from controller.domain.desk import IdentifyPump, PointState, SuspendPoint
from controller.domain.quantities import UnitPrice
from controller.domain.reasons import CATALOGUE, Reason
from controller.domain.records import Released
from controller.pumps import words
from tests.station.cards import CardHouse, a_purse
from tests.station.house import House, story
from tests.station.test_card_purse import _debit_elsewhere, _loaded
from tests.station.yard import Yard

AZT2 = Yard("azt2")


@story()
async def test_a_nozzle_that_station_toml_does_not_know_sells_nothing(house: House) -> None:
    house.station.points[1].post(words.Calling(5, UnitPrice(4379, 2), None))
    await house.state(1, PointState.ERROR)
    assert house.point(1).reason == Reason.PRICE_MISSING
    assert "Nozzle 5 is not in station.toml" in house.point(1).text
    assert not (await house.authorise(1)).done
    assert not house.authorised


@story()
async def test_an_order_that_the_pump_refuses_leaves_nothing_allowed(house: House) -> None:
    await house.calls(1)
    house.show_card(1)
    await house.is_let_go(1)
    order = words.Authorise((2,), None, UnitPrice(4412, 2))
    house.station.points[1].post(words.Refused(order, words.Refusal.WRONG_STATE))
    await house.state(1, PointState.ERROR)
    assert house.point(1).reason == Reason.PUMP_REFUSED
    assert house.point(1).text == CATALOGUE[Reason.PUMP_REFUSED].attendant
    (released,) = (record for record in house.records if isinstance(record, Released))
    assert released.proven
    assert not house.books.open


@story(yard=AZT2)
async def test_a_pump_that_has_no_such_function_says_so(house: House) -> None:
    results = [await house.command(kind(house.next_id(), 1)) for kind in (IdentifyPump, SuspendPoint)]
    assert Reason.PUMP_UNSUPPORTED in {result.reason for result in results}, results


KINDS = {
    "another_card": "card_other",
    "card_cloned": "card_cloned",
    "card_reset": "reader_shared",
    "card_status": "card_faulty",
    "garbled_answer": "card_garbled",
    "service_down": "reader_down",
}


@pytest.mark.parametrize("kind", KINDS)
@story(kind=CardHouse)
async def test_what_a_reader_says_of_a_card_is_what_the_tile_says(house: CardHouse, kind: str) -> None:
    assert KINDS[kind] == CARD_REASONS[kind]
    await house.calls(1)
    house.reader(1)._events.put_nowait(CardRefused(kind, "a sentence of the reader's"))
    await house.refused(KINDS[kind])
    assert house.reasons == [KINDS[kind]]


@story(kind=CardHouse)
async def test_a_card_that_was_debited_elsewhere_before_its_rest_came_back(house: CardHouse) -> None:
    card = a_purse()
    await house.pays(card, 1_000, take_off_when=lambda: True)
    await house.until(lambda: house.books.sums.sales == 1)
    _loaded(card, 5_000)
    _debit_elsewhere(card, 3_000)
    await house.calls(1)
    house.put_on(card)
    await house.refused(Reason.PURSE_ELSEWHERE)

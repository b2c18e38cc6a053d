"""Pumps of several grades that do not say which nozzle was lifted: who says it, and what becomes of it."""

import asyncio
from dataclasses import dataclass

import pytest

from controller.domain.desk import AuthorisePoint, Command, CommandResult, Need, PointState, Snapshot, StopPoint
from controller.domain.funds import Funds
from controller.domain.quantities import amount_for
from controller.domain.reasons import Reason
from controller.domain.records import TotaliserRead
from controller.pumps.digits import PumpDigits
from controller.pumps.two_wire.blocks import MoneyPreset, VolumePreset
from sim.attendant import Attendant, Bell
from sim.chance import Chance
from sim.customers import BRISK, Customer, Pays, Quota, Street, stream
from sim.pumps.head import HeadNozzle, PumpHead
from sim.pumps.port import Twin
from sim.pumps.protocols import Make, protocol
from sim.site import CURRENCY, PRICES, Place
from tests.station.house import (
    CARD,
    CARD_GASOLINE,
    CARD_PLATE,
    CARD_STOPPED,
    ITS_PLATE,
    KNOWN_PLATE,
    SEED,
    TILL,
    House,
    story,
)
from tests.station.yard import Yard

GRADES = ("gasoline", "diesel", "autogas")
GASOLINE, DIESEL, AUTOGAS = 1, 2, 3


@dataclass(frozen=True)
class ThreeGrades(Yard):
    """Two two-wire pumps of three grades each."""

    protocol: str = "two-wire"

    @property
    def places(self) -> tuple[Place, ...]:
        return tuple(Place(place.number, place.line, place.address, GRADES) for place in super().places)

    def twin(self, place: Place) -> Twin:
        head = PumpHead([HeadNozzle(grade, PRICES[grade]) for grade in place.grades], CURRENCY)
        make = Make(address=place.address, digits=PumpDigits(currency=CURRENCY), options=self.options)
        return protocol(self.protocol).make(head, make)

    def toml(self) -> str:
        return super().toml().replace('nozzles = ["diesel"]', 'nozzles = ["gasoline", "diesel", "autogas"]')


YARD = ThreeGrades()
ANY_GRADE = ThreeGrades(options={"keeps_grade": False})


async def authorise(house: House, grade: str = "", *, plate: str = "", volume_ml: int | None = None) -> CommandResult:
    return await house.command(AuthorisePoint(house.next_id(), 1, plate, volume_ml, grade=grade))


async def asked(house: House) -> None:
    """Until the tile asks which fuel."""
    await house.state(1, PointState.DECIDING)
    assert house.point(1).need is Need.GRADE


def presets(house: House) -> list[object]:
    return [item for item in house.twins[1].log if isinstance(item, VolumePreset | MoneyPreset)]


async def booked(house: House, deliveries: int = 1) -> None:
    """Until so many deliveries are in the books and everybody has gone; nothing else may have moved."""
    await house.until(lambda: house.books.sums.deliveries == deliveries, 30)
    await house.state(1, PointState.IDLE)
    house.assert_books_agree(deliveries)
    assert house.books.sums.unrecorded_ml == 0


def sold(house: House, at: int = -1) -> tuple[int, str, int, bool]:
    delivery = house.deliveries[at]
    assert delivery.amount_minor == amount_for(delivery.volume_ml, delivery.price, CURRENCY)
    assert delivery.price == PRICES[delivery.grade]
    return delivery.nozzle, delivery.grade, delivery.volume_ml, delivery.authorised is not None


@pytest.mark.parametrize("yard", [YARD, ThreeGrades(options={"old_board": True}, keys="two_wire = {old_board = true}")])
@story()
async def test_cash_for_a_named_grade(house: House, yard: ThreeGrades) -> None:
    await house.calls(1, DIESEL)
    tile = house.point(1)
    assert (tile.grade, tile.price) == ("", ""), "nobody knows it yet"
    assert [(choice.nozzle, choice.grade, choice.price) for choice in tile.choices] == [
        (1, "gasoline", "43.79"),
        (2, "diesel", "44.12"),
        (3, "autogas", "24.35"),
    ]
    assert (await authorise(house, "diesel")).text == ""
    assert (house.point(1).grade, house.point(1).price, house.point(1).choices) == ("Diesel", "44.12", ())
    await house.fills(1, 8_000)
    await booked(house)

    assert sold(house) == (DIESEL, "diesel", 8_000, True)
    (allowed,) = house.authorised
    assert (allowed.nozzle, allowed.grade, allowed.price) == (DIESEL, "diesel", PRICES["diesel"])
    assert (allowed.preset_volume_ml, allowed.preset_amount_minor, allowed.limits.by) == (None, None, "")
    assert (allowed.evidence.grade, allowed.evidence.grades) == ("diesel", GRADES)
    assert presets(house) == [VolumePreset(99_999, DIESEL)], "the largest that the pump takes, only for its grade"


@story(yard=YARD)
async def test_cash_without_a_grade_asks(house: House) -> None:
    await house.calls(1, AUTOGAS)
    answer = await authorise(house, volume_ml=5_000)
    assert (answer.done, answer.text) == (True, "Which fuel? 1 Gasoline 95, 2 Diesel, 3 Autogas")
    await asked(house)
    assert len(house.point(1).choices) == 3
    assert not house.authorised
    assert (await house.answer(1, Need.PLATE, KNOWN_PLATE)).reason == Reason.NOTHING_TO_ANSWER
    assert (await house.answer(1, Need.GRADE, " 3 ")).done
    await house.fills(1, 5_000)
    await booked(house)

    assert sold(house) == (AUTOGAS, "autogas", 5_000, True)
    assert (house.authorised[0].till, house.authorised[0].preset_volume_ml) == (TILL, 5_000)
    assert presets(house) == [VolumePreset(500, AUTOGAS)]


@story(yard=YARD)
async def test_a_card_that_may_buy_one_of_the_grades_is_asked_nothing(house: House) -> None:
    house.show_card(1, CARD)
    house.lift(1, DIESEL)
    await house.state(1, PointState.AUTHORISED)
    await house.fills(1, 6_000)
    await house.until(lambda: house.books.sums.sales == 1)
    await booked(house)

    assert sold(house) == (DIESEL, "diesel", 6_000, True)
    assert (house.deliveries[0].account, house.authorised[0].preset_volume_ml) == ("KUZEY", 60_000)


@story(yard=YARD)
async def test_a_card_that_may_buy_some_asks_which_and_then_what_else_it_wants(house: House) -> None:
    await house.calls(1, GASOLINE)
    house.show_card(1, CARD_PLATE)
    await asked(house)
    assert house.point(1).token
    assert (await house.answer(1, Need.GRADE, "gasoline")).text == "Which plate does the vehicle have?"
    assert (house.point(1).need, house.point(1).grade, house.point(1).choices) == (Need.PLATE, "Gasoline 95", ())
    assert (await house.answer(1, Need.PLATE, ITS_PLATE)).done
    await house.fills(1, 6_000)
    await house.until(lambda: house.books.sums.sales == 1)

    assert sold(house) == (GASOLINE, "gasoline", 6_000, True)
    evidence = house.authorised[0].evidence
    assert (evidence.grade, evidence.grades) == ("gasoline", GRADES)


@pytest.mark.parametrize("named", [True, False])
@story(yard=YARD)
async def test_a_plate_at_the_till_is_for_the_named_grade_or_asks(house: House, named: bool) -> None:
    await house.calls(1, DIESEL)
    answer = await authorise(house, "DIESEL" if named else "", plate=KNOWN_PLATE)
    assert answer.done
    assert bool(answer.text) is not named
    if not named:
        assert (await house.answer(1, Need.GRADE, "diesel")).done
    await house.fills(1, 3_000)
    await house.until(lambda: house.books.sums.sales == 1)
    assert (house.deliveries[0].account, house.deliveries[0].grade) == ("BURSA", "diesel")


@story(yard=YARD)
async def test_a_card_that_may_buy_none_of_this_is_refused_without_a_question(house: House) -> None:
    await house.calls(1, DIESEL)
    house.show_card(1, CARD_STOPPED)
    await house.until(lambda: house.reasons == [Reason.CARD_BLOCKED], 10)
    house.show_card(1, CARD_GASOLINE)
    await house.state(1, PointState.AUTHORISED)
    assert house.authorised[0].nozzle == GASOLINE
    house.squeeze(1, 5_000)
    await house.wait(10)
    assert house.meters_ml() == 0, "diesel flowed, and gasoline was let go"
    house.hang_up(1)
    await house.state(1, PointState.IDLE)
    assert house.story() == ["declined", "authorised", "released"]
    await house.calls(1, DIESEL)
    house.show_card(1, CARD_PLATE)
    await asked(house)
    assert (await house.answer(1, Need.GRADE, "autogas")).reason == Reason.PRODUCT_NOT_ALLOWED
    assert house.point(1).state is PointState.REFUSED


@story(yard=YARD)
async def test_a_grade_that_the_pump_has_not_got_is_refused_and_ends_nothing(house: House) -> None:
    await house.calls(1, DIESEL)
    for wrong in ("kerosene", "4", "0", "diese"):
        refused = await authorise(house, wrong)
        assert (refused.reason, "name one of its grades" in refused.text) == (Reason.GRADE_NOT_HERE, True)
        assert house.point(1).state is PointState.CALLING
    assert (await authorise(house)).text
    for wrong in ("kerosene", "", "7"):
        assert (await house.answer(1, Need.GRADE, wrong)).reason == Reason.GRADE_NOT_HERE
        assert house.point(1).need is Need.GRADE, "a slip of the keys ends nothing"
    assert not house.authorised
    assert (await house.answer(1, Need.GRADE, "diesel")).done


@story()
async def test_where_the_pump_says_which_nozzle_it_is_another_grade_is_refused(house: House) -> None:
    await house.calls(1, DIESEL)
    assert house.point(1).choices == ()
    assert (await authorise(house, "gasoline")).reason == Reason.GRADE_NOT_LIFTED
    assert (await authorise(house, "autogas")).reason == Reason.GRADE_NOT_HERE
    assert (await authorise(house, "diesel")).done
    await house.is_let_go(1)
    assert house.authorised[0].evidence.grades == ()


@story(yard=YARD)
async def test_a_stop_while_the_question_stands_ends_it(house: House) -> None:
    await house.calls(1, DIESEL)
    await authorise(house)
    await asked(house)
    assert (await house.command(StopPoint("stop", 1))).done
    assert (house.point(1).state, house.point(1).choices) == (PointState.STOPPED, ())
    assert (await house.answer(1, Need.GRADE, "diesel")).reason == Reason.PUMP_STOPPED
    assert (await authorise(house, "diesel")).reason == Reason.PUMP_STOPPED
    house.squeeze(1, 2_000)
    await house.wait(5)
    assert house.meters_ml() == 0
    house.hang_up(1)
    await house.state(1, PointState.IDLE)
    assert house.story() == []
    await house.calls(1, DIESEL)
    assert (await authorise(house, "diesel")).done


@story(yard=YARD)
async def test_who_hangs_up_while_the_question_stands_is_not_answered_for(house: House) -> None:
    await house.calls(1, DIESEL)
    await authorise(house)
    await asked(house)
    house.hang_up(1)
    await house.state(1, PointState.IDLE)
    assert (await house.answer(1, Need.GRADE, "diesel")).reason == Reason.NOTHING_TO_ANSWER
    await house.calls(1, GASOLINE)
    assert (await house.answer(1, Need.GRADE, "diesel")).reason == Reason.NOTHING_TO_ANSWER
    assert not house.authorised


@story(yard=YARD)
async def test_what_was_said_for_a_refused_card_does_not_count_for_the_cash_after_it(house: House) -> None:
    await house.calls(1, AUTOGAS)
    house.show_card(1, CARD_PLATE)
    await asked(house)
    await house.answer(1, Need.GRADE, "diesel")
    assert (await house.answer(1, Need.PLATE, "06 AB 1")).reason == Reason.PLATE_MISMATCH
    assert (house.point(1).state, len(house.point(1).choices)) == (PointState.REFUSED, 3)
    assert (await authorise(house)).text.startswith("Which fuel?")
    assert (await house.answer(1, Need.GRADE, "autogas")).done
    await house.fills(1, 2_000)
    await booked(house)
    assert sold(house) == (AUTOGAS, "autogas", 2_000, True)


@pytest.mark.parametrize("yard", [ANY_GRADE, ThreeGrades(options={"keeps_grade": False, "has_totals": False})])
@story()
async def test_another_grade_than_was_authorised_is_booked_as_the_pump_says(house: House, yard: ThreeGrades) -> None:
    await house.wait(10)  # it takes the prices: without totals, that is how they are known
    await house.calls(1, GASOLINE)
    assert (await authorise(house, "diesel")).done
    await house.fills(1, 4_000)
    await house.until(lambda: house.books.sums.deliveries == 1, 60)
    await house.state(1, PointState.IDLE)

    assert sold(house) == (GASOLINE, "gasoline", 4_000, True)
    (delivery,) = house.deliveries
    assert delivery.price_agreed is None, "nothing was agreed for gasoline"
    text = house.trouble("grade at pump 1")
    assert "was Gasoline 95 at 43.79" in text
    assert "Diesel at 44.12 was authorised" in text
    assert not house.trouble("price at pump 1")
    assert not house.books.open
    if yard is ANY_GRADE:
        house.assert_books_agree(1)
        read = [row.nozzle for row in house.records if isinstance(row, TotaliserRead) and row.point == 1]
        assert sorted(read) == [1, 2, 3], "each nozzle's counter is its own"
        assert house.books.sums.unrecorded_ml == 0

    await house.calls(1, GASOLINE)
    assert (await authorise(house, "gasoline")).done
    await house.state(1, PointState.FUELLING)  # the display is cleared
    await house.fills(1, 1_000)
    await house.until(lambda: house.books.sums.deliveries == 2, 60)
    assert not house.trouble("grade at pump 1")


@story(yard=ANY_GRADE)
async def test_another_grade_found_after_a_restart_is_the_pumps_word_too(house: House) -> None:
    await house.calls(1, GASOLINE)
    assert (await authorise(house, "diesel")).done
    house.squeeze(1, 4_000)
    await house.state(1, PointState.FUELLING)
    await house.kill()
    await house.wait(20)
    house.hang_up(1)
    await house.wait(1)
    await house.start()
    await booked(house)
    assert sold(house) == (GASOLINE, "gasoline", 4_000, True)
    assert house.trouble("grade at pump 1")


@story(yard=YARD)
async def test_a_delivery_of_the_second_nozzle_is_found_after_a_restart(house: House) -> None:
    await house.calls(1, DIESEL)
    assert (await authorise(house, "diesel")).done
    house.squeeze(1, 4_000)
    await house.state(1, PointState.FUELLING)
    await house.kill()
    await house.wait(20)
    house.hang_up(1)
    await house.wait(1)
    house.lift(1, AUTOGAS)
    await house.start()
    await house.state(1, PointState.CALLING)
    assert sold(house) == (DIESEL, "diesel", 4_000, True)
    assert len(house.point(1).choices) == 3


@story(yard=YARD)
async def test_a_grade_whose_price_the_pump_does_not_show_is_not_sold_and_the_others_are(house: House) -> None:
    wrong = [PRICES["gasoline"], PRICES["autogas"], PRICES["autogas"]]
    house.head(1).set_prices(wrong)
    await house.calls(1, DIESEL)
    refused = await authorise(house, "diesel")
    assert (refused.reason, "price is being sent" in refused.text) == (Reason.PRICE_NOT_SHOWN, True)
    assert house.point(1).state is PointState.ERROR
    house.hang_up(1)
    await house.state(1, PointState.IDLE)
    await house.until(lambda: house.head(1).price(DIESEL) == PRICES["diesel"], 30)
    house.head(1).set_prices(wrong)
    await house.calls(1, GASOLINE)
    assert (await authorise(house, "gasoline")).done
    await house.fills(1, 1_000)
    await house.until(lambda: house.books.sums.deliveries == 1, 30)
    await house.until(lambda: house.head(1).price(DIESEL) == PRICES["diesel"], 30)
    await house.calls(1, DIESEL)
    house.show_card(1, CARD)
    await house.state(1, PointState.AUTHORISED)


class _Desk:
    """The house's station, as the till of a simulated attendant sees it."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._bell = Bell()
        house.station.site.on_change(self._bell.ring)

    async def changed(self) -> None:
        await self._bell.wait()

    def snapshot(self) -> Snapshot:
        return self._house.snapshot

    async def command(self, command: Command) -> CommandResult:
        return await self._house.command(command)


@story(yard=YARD)
async def test_an_attendant_serves_a_street_of_customers(house: House) -> None:
    street, served = Street(), 12
    heads = {number: house.head(number) for number in house.twins}
    customer = Customer(heads, house._readers, house.cards, street, house.clock, BRISK)
    attendant = Attendant(_Desk(house), street.standing.get, house.clock, Chance(SEED, "attendant"), (100, 600))
    weigh, quota = {Pays.CARD: 1, Pays.CASH: 1, Pays.PLATE: 1}, Quota(served)
    people = [
        asyncio.ensure_future(stream(place, customer, house.clock, SEED, BRISK, weigh, quota))
        for place in house.yard.places
    ]
    serving = asyncio.ensure_future(attendant.run())
    await house.until(lambda: all(task.done() for task in people), 3_600)
    await house.until(lambda: not house.books.unpaid and house.books.sums.sales == served, 60)
    serving.cancel()
    for task in people:
        task.result()
    house.assert_books_agree(served)
    assert house.books.sums.unrecorded_ml == 0
    assert {delivery.nozzle for delivery in house.deliveries} == {GASOLINE, DIESEL, AUTOGAS}
    assert {delivery.funds for delivery in house.deliveries} == {Funds.NONE, Funds.POSTPAID}
    assert all(sold(house, at)[3] for at in range(served))

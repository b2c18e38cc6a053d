"""Money reserved for a delivery that a pump without totalisers has lost: shown, until a manager says what ran out."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.domain.desk import CommandResult, PointState, Unreserve
from controller.domain.reasons import Reason
from controller.domain.records import Unreserved
from controller.pumps.dart.settings import DartSettings
from sim.pumps.dart import DartTwin
from sim.pumps.head import FLOW_ML_PER_S, HeadNozzle, PumpHead
from sim.pumps.port import Twin
from sim.site import CURRENCY, PRICES, Place
from tests.station.cards import LOADED, CardHouse, CardYard, a_purse, value_of
from tests.station.house import CARD, OTHER_TILL, House, live, story
from tests.station.test_limits import PREPAID_CSV, allot, available
from tests.station.yard import Yard

NO_TOTALS = Yard("dart", {"has_totals": False})
SET_APART = 100_000
SEEN = "The tank of the lorry was measured"


@dataclass(frozen=True)
class NoTotalsYard(CardYard):
    """The demonstration's pumps, as they were before they had totalisers."""

    def twin(self, place: Place) -> Twin:
        nozzles = [HeadNozzle(grade, PRICES[grade]) for grade in place.grades]
        head = PumpHead(nozzles, CURRENCY, flow_ml_per_s=FLOW_ML_PER_S)
        settings = DartSettings(address=place.address, currency=CURRENCY, nozzles=len(place.grades))
        return DartTwin(head, settings, has_totals=False)


async def loses_a_delivery(house: House) -> str:
    """The pump loses its memory in the middle of one. The name of the row that allowed it."""
    house.pumps[1].faults.inject("power_cut", house.now_us, after_ml=2_000, off_ms=6_000, forgets=1)
    house.squeeze(1, 10_000)
    await house.until(lambda: house.head(1).given_ml(house.now_us) >= 2_000, 60)
    await house.wait(10)
    house.hang_up(1)
    await house.until(lambda: any(held.doubtful for held in house.books.usage.allotments.held.values()), 60)
    (name,) = house.books.usage.allotments.held
    return name


async def says(house: House, till: str = "till-1", **what: object) -> CommandResult:
    usual: dict[str, object] = {"point": 1, "reason": SEEN}
    return await house.command(Unreserve(house.next_id(), **usual | what), till)  # type: ignore[arg-type]


@story(cards_csv=PREPAID_CSV, yard=NO_TOTALS)
async def test_it_is_shown_and_a_manager_says_what_was_spent(house: House) -> None:
    await allot(house, SET_APART)
    await house.calls(1)
    house.show_card(1, CARD)
    await house.is_let_go()
    assert (await says(house, spent_minor=0)).reason == Reason.RESERVATION_IN_USE, "it may still deliver"
    name = await loses_a_delivery(house)
    assert available(house) == 0
    assert not house.trouble(f"reservation {name}"), "a totaliser would have a minute to tell it"
    await house.until(lambda: bool(house.trouble(f"reservation {name}")), 90)
    assert f"forecourt station unreserve {name}" in house.trouble(f"reservation {name}")
    await house.kill()
    await house.start()
    await house.until(lambda: bool(house.trouble(f"reservation {name}")), 90)
    for wrong, reason in (
        ({"spent_minor": SET_APART + 1}, Reason.UNRESERVE_INVALID),
        ({"spent_minor": -1}, Reason.UNRESERVE_INVALID),
        ({"spent_minor": 5, "reason": "  "}, Reason.UNRESERVE_INVALID),
        ({"point": 2}, Reason.RESERVATION_UNKNOWN),
        ({"point": 0, "row": "0001020304050607-7"}, Reason.RESERVATION_UNKNOWN),
        ({"point": 0, "row": "no row"}, Reason.RESERVATION_UNKNOWN),
    ):
        assert (await says(house, **wrong)).reason == reason
    command = Unreserve("u1", row=name, spent_minor=8_824, reason=SEEN)
    assert (await house.command(command)).done
    assert available(house) == SET_APART - 8_824
    assert not house.trouble(f"reservation {name}")
    (row,) = (record for record in house.records if isinstance(record, Unreserved))
    assert (row.spent_minor, row.volume_ml, row.till, row.reason) == (8_824, 2_000, "till-1", SEEN)
    await house.kill()
    await house.start()
    assert (await house.command(command)).done, "told again, it is done once"
    assert available(house) == SET_APART - 8_824
    assert (await house.command(Unreserve("u1", row=name, reason=SEEN))).reason == Reason.COMMAND_REUSED
    assert (await house.command(Unreserve("u1", row=name, reason=SEEN), OTHER_TILL)).reason == (
        Reason.RESERVATION_UNKNOWN
    )


@story(cards_csv=PREPAID_CSV, yard=NO_TOTALS)
async def test_what_nobody_knows_counts_as_spent_whole(house: House) -> None:
    await allot(house, SET_APART)
    await house.calls(1)
    house.show_card(1, CARD)
    await house.is_let_go()
    await loses_a_delivery(house)
    assert (await says(house)).done
    (row,) = (record for record in house.records if isinstance(record, Unreserved))
    assert (row.spent_minor, row.volume_ml) == (SET_APART, None)
    assert (available(house), house.books.usage.allotments.held) == (0, {})


@story(cards_csv=PREPAID_CSV, yard=NO_TOTALS)
async def test_of_two_managers_at_once_one_is_told_that_it_is_over(house: House) -> None:
    await allot(house, SET_APART)
    await house.calls(1)
    house.show_card(1, CARD)
    await house.is_let_go()
    await loses_a_delivery(house)
    first = house.send(Unreserve(house.next_id(), point=1, spent_minor=8_824, reason=SEEN))
    other = house.send(Unreserve(house.next_id(), point=1, spent_minor=0, reason=SEEN), OTHER_TILL)
    assert (await first).done
    assert (await other).reason == Reason.RESERVATION_UNKNOWN
    assert available(house) == SET_APART - 8_824
    assert house.kinds.count("unreserved") == 1


@story(cards_csv=PREPAID_CSV, yard=NO_TOTALS)
async def test_a_pump_that_is_gone_for_good_holds_no_money_for_ever(house: House) -> None:
    await allot(house, SET_APART)
    await house.calls(1)
    house.show_card(1, CARD)
    await house.is_let_go()
    house.pumps[1].faults.inject("no_response", house.now_us)
    await house.state(1, PointState.OFFLINE, seconds=60)
    assert available(house) == 0
    assert (await says(house, spent_minor=0)).done
    assert house.kinds[-2:] == ["released", "unreserved"]
    assert available(house) == SET_APART
    assert not house.books.open


@pytest.mark.parametrize("ran_minor", [8_824, None])
def test_a_purse_gets_its_rest_back(tmp_path: Path, ran_minor: int | None) -> None:
    card = a_purse()

    async def tell(house: CardHouse) -> None:
        await house.calls(1)
        house.put_on(card)
        await house.is_let_go(1)
        house.take_off()
        name = await loses_a_delivery(house)
        house.put_on(card)
        await house.until(lambda: bool(house.declined), 20)
        assert house.declined[-1].reason == Reason.PURSE_IN_USE, "nobody knows what is owed"
        house.take_off()
        assert (await says(house, row=name, point=0, spent_minor=ran_minor)).done
        house.put_on(card)
        await house.until(lambda: not house.open_cases, 20)
        assert value_of(card) == (LOADED - ran_minor if ran_minor is not None else 0)

    live(tmp_path, tell, kind=CardHouse, yard=NoTotalsYard())

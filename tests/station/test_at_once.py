"""Two pumps at one moment: what one has been promised is gone for the other, however long a card's debit takes."""

from typing import Any

from controller.domain.desk import PointState
from controller.domain.reasons import Reason
from controller.domain.records import Authorised
from tests.cards.bench import NUMBER
from tests.station.cards import UNLISTED, CardHouse, a_purse, entitled
from tests.station.house import story

RICH = 900_000
"""Minor units: the purses bound nothing here."""
SHARED_CSV = f"""\
card,account,products,funds,vehicle,{{limit}}
{NUMBER},ACME,diesel,card_purse,34 SIM 900,50
{UNLISTED},ACME,diesel,card_purse,34 SIM 900,50
"""
A_LIMIT_ML = 50_000


def shared(limit: str) -> dict[str, Any]:
    return {"kind": CardHouse, "cards_csv": SHARED_CSV.format(limit=limit)}


async def both_at_once(house: CardHouse) -> None:
    await house.calls(1)
    await house.calls(2)
    house.put_on(a_purse(RICH), 1)
    house.put_on(a_purse(RICH, entitled(UNLISTED)), 2)
    ended = {PointState.AUTHORISED, PointState.REFUSED}
    await house.until(lambda: {house.point(number).state for number in (1, 2)} <= ended, 20)


async def one_has_it(house: CardHouse) -> None:
    await both_at_once(house)
    (allowed,) = house.of_kind(Authorised)
    assert allowed.limits.volume_ml == A_LIMIT_ML
    assert house.reasons == [Reason.LIMIT_DAY]
    assert len(house.intended) == 1, "the other card was not touched"


@story(**shared("account_day_volume"))
async def test_an_accounts_limit_is_held_while_a_card_is_charged(house: CardHouse) -> None:
    await one_has_it(house)


@story(**shared("vehicle_day_volume"))
async def test_a_vehicles_limit_is_held_while_a_card_is_charged(house: CardHouse) -> None:
    await one_has_it(house)


@story(**shared("account_day_volume"))
async def test_what_a_card_could_not_pay_for_is_free_for_the_next(house: CardHouse) -> None:
    await house.calls(1)
    house.put_on(a_purse(1), 1)
    await house.refused(Reason.PURSE_EMPTY)
    house.take_off(1)
    await house.calls(2)
    house.put_on(a_purse(RICH, entitled(UNLISTED)), 2)
    await house.is_let_go(2)
    (allowed,) = house.of_kind(Authorised)
    assert allowed.limits.volume_ml == A_LIMIT_ML

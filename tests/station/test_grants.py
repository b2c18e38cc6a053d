"""A prepaid account with nothing set apart: headquarters is asked, and answers in time, late, twice or never.

Whatever it is, nothing is lost and nothing stays reserved.
"""

from typing import TypeVar

import pytest

from controller.domain.allotments import Moment, account_pot
from controller.domain.desk import Need, PointState, StopPoint
from controller.domain.grant_records import GrantIntended, GrantVoided
from controller.domain.reasons import Reason
from controller.domain.records import Allotted, Unreserved
from controller.pumps.words import Completed
from sim.headquarters import LinkQuality
from sim.site import STATION_ID
from sync.hq.prepaid import AccountView
from tests.station.house import CARD, House, story
from tests.station.test_headquarters import Road, _join
from tests.station.test_limits import MARGIN_MINOR, OTHER_CARD, PREPAID_CSV, assert_explained, is_refused, spent

ACCOUNT = "KUZEY"
PAID_IN = 300_000
Kind = TypeVar("Kind")


async def join(house: House, quality: LinkQuality | None = None, paid_in: int = PAID_IN) -> Road:
    road = await (_join(house) if quality is None else _join(house, quality))
    if paid_in:
        road.headquarters.prepaid.pay_in(ACCOUNT, "2026-01", paid_in, house.clock.now().wall_ms)
    return road


def account(road: Road) -> AccountView:
    return road.headquarters.prepaid.view(ACCOUNT)


def of_kind(house: House, kind: type[Kind]) -> list[Kind]:
    return [record for record in house.records if isinstance(record, kind)]


async def sent(house: House) -> None:
    await house.until(lambda: house.writer.cursor == house.writer.head_seq, 900)


async def voided(house: House) -> None:
    await house.until(lambda: not (house.books.grants.owed or house.books.grants.used), 900)


async def shows(house: House, number: int = 1, card: str = CARD) -> None:
    await house.calls(number)
    house.show_card(number, card)


@story(cards_csv=PREPAID_CSV)
async def test_headquarters_grants_the_delivery_and_its_rows_settle_it(house: House) -> None:
    road = await join(house)
    await shows(house)
    await house.is_let_go()
    (allowed,) = house.authorised
    assert allowed.limits.amount_minor == PAID_IN - MARGIN_MINOR
    assert allowed.reserved is not None
    assert allowed.reserved.amount_minor == PAID_IN
    assert account(road).reserved_minor == PAID_IN
    assert account(road).free_minor == 0
    await house.fills(1, 10_000)
    await house.state(1, PointState.IDLE, seconds=60)
    await sent(house)
    assert account(road) == AccountView(ACCOUNT, PAID_IN - spent(house), 0, 0)
    assert of_kind(house, GrantVoided) == []
    assert not house.books.grants.used
    assert_explained(house)
    house.assert_books_agree(1)


@story(cards_csv=PREPAID_CSV)
async def test_only_what_the_delivery_may_cost_is_asked_for(house: House) -> None:
    road = await join(house)
    await shows(house, 1, OTHER_CARD)
    await house.is_let_go()
    (asked,) = of_kind(house, GrantIntended)
    assert asked.most_minor == 200_000 + MARGIN_MINOR
    (allowed,) = house.authorised
    assert allowed.limits.amount_minor == 200_000
    await shows(house, 2)
    await house.is_let_go(2)
    assert house.authorised[1].limits.amount_minor == PAID_IN - 200_000 - 2 * MARGIN_MINOR, "another card, what is left"
    assert account(road).free_minor == 0


@story(cards_csv=PREPAID_CSV)
async def test_an_empty_account_buys_nothing_and_the_question_is_over(house: House) -> None:
    road = await join(house, paid_in=0)
    await is_refused(house, Reason.INSUFFICIENT_FUNDS)
    await voided(house)
    assert [row.given_back_minor for row in of_kind(house, GrantVoided)] == [0]
    assert account(road) == AccountView(ACCOUNT, 0, 0, 0)
    assert_explained(house)


@story(cards_csv=PREPAID_CSV)
async def test_without_a_link_nobody_waits(house: House) -> None:
    road = await join(house)
    road.closed = True
    await house.until(lambda: not house.snapshot.link.connected, 900)
    began_us = house.now_us
    await is_refused(house, Reason.NEEDS_HEADQUARTERS)
    assert house.now_us - began_us < 15_000_000
    assert of_kind(house, GrantIntended) == []


@story(cards_csv=PREPAID_CSV)
async def test_a_late_answer_is_given_back_and_the_customer_does_not_wait_for_it(house: House) -> None:
    road = await join(house)
    road.late_s = 40
    await house.calls(1)
    began_us = house.now_us
    house.show_card(1)
    await house.until(lambda: house.point().need is Need.HEADQUARTERS, 10)
    assert house.point().state is PointState.DECIDING
    await house.until(lambda: house.reasons == [Reason.NEEDS_HEADQUARTERS], 20)
    assert house.now_us - began_us <= 20_000_000
    assert account(road).reserved_minor == PAID_IN, "headquarters had heard it"
    road.late_s = 0
    await voided(house)
    assert account(road).free_minor == PAID_IN
    assert [row.given_back_minor for row in of_kind(house, GrantVoided)] == [PAID_IN]
    house.hang_up()
    await house.state(1, PointState.IDLE)
    await shows(house)
    await house.is_let_go()
    assert_explained(house)


@story(cards_csv=PREPAID_CSV)
async def test_a_pump_that_is_hung_up_meanwhile_gets_nothing_and_keeps_nothing(house: House) -> None:
    road = await join(house)
    road.late_s = 5
    await shows(house)
    await house.until(lambda: house.point().need is Need.HEADQUARTERS, 10)
    house.hang_up()
    await house.state(1, PointState.IDLE, seconds=2)
    await voided(house)
    assert account(road).free_minor == PAID_IN
    assert house.authorised == []
    assert house.reasons == []


@story(cards_csv=PREPAID_CSV)
async def test_a_stop_goes_before_the_answer(house: House) -> None:
    road = await join(house)
    road.late_s = 5
    await shows(house)
    await house.until(lambda: house.point().need is Need.HEADQUARTERS, 10)
    await house.command(StopPoint(house.next_id(), 1))
    await house.wait(10)
    assert house.point().state is PointState.STOPPED
    await voided(house)
    assert account(road).free_minor == PAID_IN
    assert house.authorised == []


@story(cards_csv=PREPAID_CSV)
async def test_a_card_that_is_shown_twice_is_asked_for_once(house: House) -> None:
    road = await join(house)
    road.late_s = 5
    await shows(house)
    await house.until(lambda: house.point().need is Need.HEADQUARTERS, 10)
    house.show_card()
    await house.is_let_go()
    assert len(of_kind(house, GrantIntended)) == 1


@story(cards_csv=PREPAID_CSV)
async def test_an_authorisation_that_is_not_used_goes_back(house: House) -> None:
    road = await join(house)
    await shows(house)
    await house.is_let_go()
    house.hang_up()
    await house.state(1, PointState.IDLE)
    await voided(house)
    assert account(road).free_minor == PAID_IN


@pytest.mark.parametrize("moment", ["after grant_intended", "before authorised", "after authorised"])
@story(cards_csv=PREPAID_CSV)
async def test_a_restart_in_between_gives_back_what_nobody_uses(house: House, moment: str) -> None:
    road = await join(house)
    house.kill_when(moment)
    await shows(house)
    await house.until(lambda: house.dead, 30)
    await house.kill()
    await house.wait(5)
    house.hang_up()
    await house.start()
    await house.state(1, PointState.IDLE)
    await voided(house)
    await sent(house)
    assert account(road) == AccountView(ACCOUNT, PAID_IN, 0, 0)
    await shows(house)
    await house.is_let_go()


@story(cards_csv=PREPAID_CSV)
async def test_a_void_is_said_until_it_is_heard(house: House) -> None:
    road = await join(house)
    await shows(house)
    await house.is_let_go()
    road.closed = True
    house.hang_up()
    await house.state(1, PointState.IDLE)
    await house.wait(600)
    assert account(road).free_minor == 0
    await house.kill()
    await house.start()
    await house.wait(60)
    assert of_kind(house, GrantVoided) == []
    road.closed = False
    await voided(house)
    assert account(road).free_minor == PAID_IN
    assert len(of_kind(house, GrantVoided)) == 1


@story(cards_csv=PREPAID_CSV)
async def test_a_bad_link_reserves_nothing_for_ever(house: House) -> None:
    road = await join(house, LinkQuality(4, 4, 4))
    for _ in range(6):
        await shows(house)
        await house.until(lambda: house.point().state in {PointState.AUTHORISED, PointState.REFUSED}, 60)
        if house.point().state is PointState.AUTHORISED:
            await house.fills(1, 5_000)
        else:
            house.hang_up()
        await house.state(1, PointState.IDLE, seconds=60)
    await voided(house)
    await sent(house)
    assert house.deliveries, "not all are lost"
    assert account(road) == AccountView(ACCOUNT, PAID_IN - spent(house), 0, 0)


@story(cards_csv=PREPAID_CSV)
async def test_fuel_that_only_a_totaliser_tells_of_is_taken_from_the_balance(house: House) -> None:
    road = await join(house)
    await shows(house)
    await house.is_let_go()
    (allowed,) = house.authorised
    assert allowed.totaliser_before_ml is not None
    stands_ml = allowed.totaliser_before_ml + 2_000
    forgotten = Completed(99, allowed.nozzle, 0, 0, allowed.price, stands_ml, at_start=False)
    house.station.points[1].post(forgotten)
    await house.until(lambda: "unreserved" in house.kinds, 10)
    await sent(house)
    (unreserved,) = of_kind(house, Unreserved)
    assert account(road) == AccountView(ACCOUNT, PAID_IN - unreserved.spent_minor, 0, 0)
    assert unreserved.spent_minor > 0
    assert not of_kind(house, GrantVoided)


@story(cards_csv=PREPAID_CSV)
async def test_what_headquarters_sets_apart_arrives_once(house: House) -> None:
    road = await join(house)
    headquarters = road.headquarters.prepaid
    headquarters.allot(STATION_ID, ACCOUNT, "2026-01", 100_000, 1)
    await house.until(lambda: "allotted" in house.kinds, 400)
    await sent(house)
    await house.wait(700)
    assert house.kinds.count("allotted") == 1
    assert account(road) == AccountView(ACCOUNT, PAID_IN, 0, 100_000)
    road.closed = True
    await house.wait(60)
    await shows(house)
    await house.is_let_go()
    await house.fills(1, 10_000)
    await house.state(1, PointState.IDLE, seconds=60)
    road.closed = False
    await sent(house)
    assert account(road) == AccountView(ACCOUNT, PAID_IN - spent(house), 0, 100_000 - spent(house))


@story(cards_csv=PREPAID_CSV)
async def test_a_restored_disk_gets_its_allotment_again_less_what_its_lost_rows_spent(house: House) -> None:
    road = await join(house)
    await house.kill()
    copy = {path: path.read_bytes() for path in house.folder.glob("journal.db*")}
    await house.start()
    road.headquarters.prepaid.allot(STATION_ID, ACCOUNT, "2026-01", 100_000, 1)
    await house.until(lambda: "allotted" in house.kinds, 400)
    await sent(house)
    road.closed = True
    await house.wait(60)
    await shows(house)
    await house.is_let_go()
    await house.fills(1, 10_000)
    await house.state(1, PointState.IDLE, seconds=60)
    road.closed = False
    await sent(house)
    left_minor = 100_000 - spent(house)
    await house.kill()
    for path in house.folder.glob("journal.db*"):
        path.unlink()
    for path, data in copy.items():
        path.write_bytes(data)
    house.disk_full = lambda records: any(isinstance(row, Allotted) and row.amount_minor < 0 for row in records)
    await house.start()
    await house.until(lambda: house.snapshot.link.connected, 60)
    await house.wait(400)
    assert "allotted" not in house.kinds, "nothing is given before what was spent is taken off"
    house.disk_full = None
    await house.until(lambda: house.kinds.count("allotted") == 2, 400)
    pot = house.books.usage.allotments.pots[account_pot(ACCOUNT)]
    assert pot.left_minor(Moment()) == left_minor
    await sent(house)
    assert account(road).allotted_minor == left_minor
    await house.wait(700)
    assert house.kinds.count("allotted") == 2, "told once"

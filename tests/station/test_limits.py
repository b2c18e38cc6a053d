"""Limits, prepaid money and the age of the last contact at a running station: whatever fails, none is passed."""

import pytest
from click.testing import CliRunner

from controller.deciding import contact
from controller.domain import ladder
from controller.domain.allotments import Moment, account_pot
from controller.domain.desk import Allot, PointState
from controller.domain.explain import explain
from controller.domain.ladder import Ladder, Rules, Step
from controller.domain.reasons import Reason
from controller.domain.records import Authorised, Contact, Declined, Record, Released, Unreserved
from controller.office.journal_commands import explain as explain_command
from controller.pumps.words import Completed
from tests.station.house import CARD, CARDS_CSV, OTHER_TILL, House, _toml, story
from tests.station.test_headquarters import Road, _join

HEADING = (
    "card,account,products,fill_volume,day_volume,week_volume,vehicle_day_volume,account_month_fills,funds,vehicle"
)
OTHER_CARD = "9001000000000102"
VEHICLE = "34 SIM 900"
PREPAID_CSV = f"""\
card,account,products,fill_amount,funds
{CARD},KUZEY,diesel,,prepaid
{OTHER_CARD},KUZEY,diesel,2000,prepaid
"""
SHARED_CSV = f"""\
card,account,products,fill_volume,week_volume,vehicle_day_volume,account_month_fills,vehicle
{CARD},KUZEY,diesel,60,70,50,3,{VEHICLE}
{OTHER_CARD},KUZEY,diesel,60,,50,3,{VEHICLE}
"""
POT = account_pot("KUZEY")
DIESEL_MINOR = 4_412
MARGIN_MINOR = 442
"""Of a tenth of a litre, and rounded up."""
DAY_MS = 86_400_000
SHORT_HOUR_MS = 360_000
"""Hours of these tests: an idle station of virtual time costs real time."""


async def allot(house: House, amount_minor: int, allotment_id: str = "2026-01", **whose: str) -> Reason | str:
    whose = whose or {"account": "KUZEY"}
    return (await house.command(Allot(house.next_id(), allotment_id, amount_minor, **whose))).reason


async def is_refused(house: House, reason: Reason, number: int = 1, card: str = CARD) -> None:
    before = len(house.reasons)
    await house.calls(number)
    house.show_card(number, card)
    await house.until(lambda: len(house.reasons) > before, 10)
    assert house.reasons[-1] == reason
    house.hang_up(number)
    await house.state(number, PointState.IDLE)


def available(house: House, pot: str = POT) -> int | None:
    site = house.station.site
    return house.books.usage.allotments.available_minor(pot, Moment(site.elapsed_ms, site.wall_ms))


def spent(house: House) -> int:
    return sum(delivery.amount_minor for delivery in house.deliveries)


def assert_explained(house: House) -> None:
    """Every decision in the journal is made again from its row alone."""
    decided = [
        body
        for body in house.journal.bodies_after(0, 10_000)
        if isinstance(body.record, Declined | Authorised) and body.record.evidence.list_state is not None
    ]
    assert decided
    for body in decided:
        assert explain(body).same, body.record


@story(cards_csv=PREPAID_CSV)
async def test_prepaid_money_is_spent_as_far_as_it_is_set_apart_and_no_further(house: House) -> None:
    await is_refused(house, Reason.NEEDS_HEADQUARTERS)
    assert await allot(house, 100_000) == ""
    await house.calls(1)
    house.show_card(1)
    await house.is_let_go()
    (allowed,) = house.authorised
    assert allowed.limits.amount_minor == 100_000 - MARGIN_MINOR
    assert allowed.reserved is not None
    assert allowed.reserved.amount_minor == 100_000
    assert "At most" in house.point(1).text
    assert "set apart" in house.point(1).text
    assert available(house) == 0
    await is_refused(house, Reason.INSUFFICIENT_FUNDS, 2, OTHER_CARD)
    await house.fills(1, 10_000)
    await house.state(1, PointState.IDLE, seconds=60)
    assert available(house) == 100_000 - spent(house), "the rest is given back"
    await house.calls(1)
    house.show_card(1)
    await house.is_let_go()
    await house.shows_nothing()
    house.squeeze(1, 90_000)
    await house.wait(60)
    house.hang_up()
    await house.state(1, PointState.IDLE, seconds=60)
    assert 99_000 < spent(house) <= 100_000
    await is_refused(house, Reason.INSUFFICIENT_FUNDS)
    assert house.books.sums.sales == 2, "it pays itself"
    assert_explained(house)
    house.assert_books_agree(2)


@story(cards_csv=PREPAID_CSV)
async def test_an_allotment_counts_once_and_outlives_a_restart(house: House) -> None:
    command = Allot("allot-1", "2026-01", 50_000, account="KUZEY")
    assert (await house.command(command)).done
    await house.kill()
    await house.start()
    assert (await house.command(command)).done
    assert (await house.command(Allot("allot-1", "2026-01", 60_000, account="KUZEY"))).reason == Reason.COMMAND_REUSED
    assert (await house.command(Allot("allot-2", "2026-01", 50_000, account="KUZEY"), OTHER_TILL)).done
    assert await allot(house, 51_000) == Reason.COMMAND_REUSED, "one id, another amount"
    assert available(house) == 50_000
    assert await allot(house, 7_000, "2026-02") == ""
    assert available(house) == 57_000
    for wrong in ({"account": "KUZEY", "card": CARD}, {"card": "12"}, {"account": ""}):
        assert await allot(house, 1, "x", **wrong) == Reason.ALLOTMENT_INVALID
    assert await allot(house, 0, "y") == Reason.ALLOTMENT_INVALID
    assert await allot(house, 1, "restored/1") == Reason.ALLOTMENT_INVALID, "so headquarters names what it takes off"
    assert house.kinds.count("allotted") == 2


@story(cards_csv=PREPAID_CSV)
async def test_a_card_with_money_of_its_own_leaves_the_accounts(house: House) -> None:
    await allot(house, 50_000)
    await allot(house, DIESEL_MINOR + MARGIN_MINOR, "of the card", card=OTHER_CARD)
    await house.fill_by_card(1, 1_000, OTHER_CARD)
    assert available(house) == 50_000
    await is_refused(house, Reason.INSUFFICIENT_FUNDS, card=OTHER_CARD)
    await house.fill_by_card(1, 3_000)
    assert available(house) == 50_000 - house.deliveries[-1].amount_minor


@story(cards_csv=PREPAID_CSV)
async def test_a_reservation_comes_back_when_the_nozzle_is_hung_up_unused(house: House) -> None:
    await allot(house, 50_000)
    await house.calls(1)
    house.show_card(1)
    await house.is_let_go()
    assert available(house) == 0
    house.hang_up()
    await house.state(1, PointState.IDLE)
    await house.until(lambda: available(house) == 50_000, 10)
    (released,) = (record for record in house.records if isinstance(record, Released))
    assert released.proven


@story(cards_csv=PREPAID_CSV)
async def test_after_a_restart_only_the_totaliser_gives_a_reservation_back(house: House) -> None:
    await allot(house, 50_000)
    await house.calls(1)
    house.show_card(1)
    await house.is_let_go()
    await house.kill()
    house.hang_up()
    await house.start()
    assert available(house) == 0
    await house.until(lambda: available(house) == 50_000, 60)
    (released,) = (record for record in house.records if isinstance(record, Released))
    (unreserved,) = (record for record in house.records if isinstance(record, Unreserved))
    assert not released.proven
    assert (unreserved.spent_minor, unreserved.volume_ml) == (0, 0)


@story(cards_csv=PREPAID_CSV)
async def test_fuel_that_ran_while_nobody_listened_is_taken_from_what_was_reserved(house: House) -> None:
    await allot(house, 100_000)
    await house.calls(1)
    house.show_card(1)
    await house.is_let_go()
    await house.shows_nothing()
    house.squeeze(1, 8_000)
    await house.shown_ml(2_000)
    await house.kill()
    await house.shown_ml(8_000)
    house.hang_up()
    await house.start()
    await house.until(lambda: not house.books.open, 60)
    await house.state(1, PointState.IDLE, seconds=60)
    await house.until(lambda: not house.books.usage.allotments.held, 60)
    booked = spent(house) + sum(row.spent_minor for row in house.records if isinstance(row, Unreserved))
    assert abs(booked - 8 * DIESEL_MINOR) <= 50
    assert available(house) == 100_000 - booked


@story(cards_csv=SHARED_CSV)
async def test_two_cards_of_a_vehicle_share_its_day_also_while_both_fuel(house: House) -> None:
    await house.calls(1)
    house.show_card(1)
    await house.is_let_go()
    await is_refused(house, Reason.LIMIT_DAY, 2, OTHER_CARD)
    await house.fills(1, 30_000)
    await house.state(1, PointState.IDLE, seconds=60)
    await house.calls(2)
    house.show_card(2, OTHER_CARD)
    await house.state(2, PointState.AUTHORISED)
    allowed = house.authorised[-1]
    assert (allowed.limits.volume_ml, allowed.limits.by) == (20_000, "volume:vehicle_day")
    assert house.point(2).text == "At most 20.00 l: what is left of the day's limit, of the vehicle"
    house.hang_up(2)
    await house.state(2, PointState.IDLE)
    assert_explained(house)


@story(cards_csv=SHARED_CSV)
async def test_days_weeks_and_months_are_counted_over_restarts(house: House) -> None:
    set_clock(house, 1)  # the business day of before is of the old year
    await house.fill_by_card(1, 50_000)
    await is_refused(house, Reason.LIMIT_DAY)
    await house.kill()
    await house.start()
    await is_refused(house, Reason.LIMIT_DAY)
    set_clock(house, 1)
    await house.fill_by_card(1, 20_000)
    await is_refused(house, Reason.LIMIT_WEEK)
    await house.fill_by_card(1, 10_000, OTHER_CARD)
    await is_refused(house, Reason.LIMIT_MONTH, card=OTHER_CARD)
    assert_explained(house)


@story(cards_csv=SHARED_CSV)
async def test_a_clock_that_is_set_gives_nothing_back_and_locks_nobody(house: House) -> None:
    await house.fill_by_card(1, 50_000)
    for days in (-3, 3, 400, -400):
        set_clock(house, days)
        if days != 400:
            await is_refused(house, Reason.LIMIT_DAY)


@story(cards_csv=CARDS_CSV)
async def test_the_longer_headquarters_is_away_the_smaller_the_limits(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ladder, "MS_PER_HOUR", SHORT_HOUR_MS)
    road = await _join(house)
    use_ladder(house)
    await house.wait(400)
    await allows(house, 60_000, "while it is heard nothing shrinks")
    road.closed = True
    await house.until(lambda: not house.snapshot.link.connected, 400)
    for seconds, limit_ml in ((300, 60_000), (100, 42_000), (360, 18_000)):
        await house.wait(seconds)
        await allows(house, limit_ml)
    await house.kill()
    await house.start()
    use_ladder(house)
    await house.state(1, PointState.IDLE)
    await allows(house, 18_000, "a restart makes no contact")
    road.closed = False
    await house.until(lambda: house.snapshot.link.connected, 400)
    await allows(house, 60_000)
    assert_explained(house)


def set_clock(house: House, days: int) -> None:
    """Somebody sets the wall clock; no time passes."""
    house.clock.start_ms += days * DAY_MS


def use_ladder(house: House) -> None:
    """An hour whole, another at 70 %, then 30 %: what takes a day in life."""
    house.station.site.rules = Rules(Ladder((Step(1, 100), Step(2, 70)), 30), 100)


async def allows(house: House, limit_ml: int, why: str = "") -> None:
    await house.calls(1)
    house.show_card(1)
    await house.state(1, PointState.AUTHORISED)
    assert house.authorised[-1].limits.volume_ml == limit_ml, why or house.authorised[-1].limits
    house.hang_up(1)
    await house.state(1, PointState.IDLE)


@story(cards_csv=CARDS_CSV)
async def test_the_journal_says_hourly_that_headquarters_was_heard(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact, "EVERY_MS", SHORT_HOUR_MS)
    road: Road = await _join(house)
    await house.wait(2 * SHORT_HOUR_MS // 1000 + 60)
    contacts = [body for body in house.journal.bodies_after(0, 10_000) if isinstance(body.record, Contact)]
    assert len(contacts) == 3
    road.closed = True
    await house.until(lambda: not house.snapshot.link.connected, 400)
    heard = house.kinds.count("contact")
    await house.wait(500)
    assert house.kinds.count("contact") == heard
    assert house.station.site.contact_age_ms() in range(500_000, 501_000)


@story(cards_csv=SHARED_CSV)
async def test_a_row_of_the_journal_is_explained_by_the_command(house: House) -> None:
    await house.fill_by_card(1, 30_000)
    await house.fill_by_card(1, 20_000)
    await is_refused(house, Reason.LIMIT_DAY)
    await house.kill()
    config = house.folder / "station.toml"
    config.write_text(_toml(house.yard).replace("[station]", '[station]\ndata = "."'), encoding="utf-8")
    seqs = [seq for seq, record in enumerate(house_records(house), 1) if isinstance(record, Authorised | Declined)]
    for seq in seqs:
        result = CliRunner().invoke(explain_command, ["--config", str(config), str(seq)])
        assert result.exit_code == 0, result.output
        assert "The same answer" in result.output
    assert "declined, limit_day" in result.output
    for seq, words in ((1, "no decision"), (10_000, "there is no row 10000")):
        result = CliRunner().invoke(explain_command, ["--config", str(config), str(seq)])
        assert (result.exit_code, words in result.output) == (1, True), result.output


@story(cards_csv=SHARED_CSV)
async def test_the_receipt_names_the_limit_of_a_partial_approval(house: House) -> None:
    await house.fill_by_card(1, 30_000)
    await house.fill_by_card(1, 20_000, OTHER_CARD)
    assert [row.held_by for row in house.deliveries] == ["", "vehicle_day"]
    await house.until(lambda: len(house.slips) == 2)
    assert ["Limited by" in slip.text for slip in house.slips] == [False, True]
    assert "day limit (vehicle)" in house.slips[1].text


def house_records(house: House) -> list[Record]:
    return [body.record for body in house.copy_of_disk()]


@story(cards_csv=PREPAID_CSV)
async def test_a_pump_that_says_nothing_ran_is_not_believed_where_its_totaliser_moved(house: House) -> None:
    await allot(house, 100_000)
    await house.calls(1)
    house.show_card(1)
    await house.is_let_go()
    (allowed,) = house.authorised
    assert allowed.totaliser_before_ml is not None
    moved_ml = 2_000
    stands_ml = allowed.totaliser_before_ml + moved_ml
    forgotten = Completed(99, allowed.nozzle, 0, 0, allowed.price, stands_ml, at_start=False)
    house.station.points[1].post(forgotten)
    await house.until(lambda: "unreserved" in house.kinds, 10)
    (released,) = (record for record in house.records if isinstance(record, Released))
    assert not released.proven
    (unreserved,) = (record for record in house.records if isinstance(record, Unreserved))
    assert unreserved.volume_ml == moved_ml
    assert available(house) == 100_000 - unreserved.spent_minor < 100_000, "the fuel is charged to who was let go"

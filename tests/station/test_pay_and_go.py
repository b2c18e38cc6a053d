"""Pay-and-go: a card with linked credit cards pays by itself, or at the till, with a code above a limit."""

from dataclasses import replace

import msgspec
import pytest

from controller.domain.desk import CloseAsTest, PayDelivery, Shown
from controller.domain.lists import Status
from controller.domain.reasons import Reason
from controller.domain.records import Settlement, Tender, TenderKind
from controller.domain.tokens import TokenKind
from controller.programme_files import shipped_text
from tests.station.members import TURKEY, MemberHouse, MemberRoad, member, member_story, opet

CARD, POINT = "9001000000000201", 4
OPET = "9876540012806566"
POSITIVE = "9001000000000301"
CHARGED = TenderKind.PAY_AND_GO
LIMITED = replace(
    TURKEY,
    programmes=("limited.toml",),
    files={"limited.toml": shipped_text("positive-card").replace("= 250000 ", "= 40000 ", 1)},
)
"""Above 400 TL the member's code is asked for."""


async def _fleet(house: MemberHouse, **more: bool) -> MemberRoad:
    fleet = member("lpg-pass", "C1", product_set="lpg", per_litre_minor=75, pay_and_go=True, **more)
    house.put(TokenKind.CARD, CARD, fleet, products="autogas", account="C1")
    return await house.join()


async def _fill(house: MemberHouse, point: int, card: str, volume_ml: int) -> None:
    before = house.books.sums.deliveries
    await house.calls(point, 1)
    house.show_card(point, card)
    await house.shows_nothing(point)
    await house.fills(point, volume_ml)
    await house.until(lambda: house.books.sums.deliveries > before)
    await house.wait(3)


def _paid(house: MemberHouse) -> list[tuple[Tender, ...]]:
    return [row.tenders for row in house.rows_of(Settlement)]


@member_story()
async def test_a_linked_fleet_card_pays_by_itself_and_accrues_its_discount(house: MemberHouse) -> None:
    await _fleet(house)
    await _fill(house, POINT, CARD, 40_000)
    assert not house.point(POINT).unpaid
    assert _paid(house) == [(Tender(CHARGED, 97_400, 97_400),)]
    (quoted,) = house.quotes
    assert (quoted.programme, quoted.rebate_minor) == ("lpg-pass", 3_000)
    assert house.story()[-3:] == ["delivery", "quoted", "settlement"]
    await house.until(lambda: len(house.slips) == 1, 30)
    text = house.slips[0].text
    assert "ÖDEGEÇ                              974.00" in text
    assert "İndirim, dönem sonunda ödenir    30.00 TRY" in text


@member_story()
async def test_a_linked_card_pays_by_itself_also_while_headquarters_is_away_and_after_a_crash(
    house: MemberHouse,
) -> None:
    road = await _fleet(house)
    road.closed = True
    await house.until(lambda: not house.snapshot.link.connected, 120)
    await house.passes(13)
    house.kill_when("after delivery")
    await house.calls(POINT, 1)
    house.show_card(POINT, CARD)
    await house.shows_nothing(POINT)
    await house.fills(POINT, 10_000)
    await house.until(lambda: house.dead, 60)
    await house.kill()
    await house.start()
    await house.wait(5)
    assert _paid(house) == [(Tender(CHARGED, 24_350, 24_350),)], "no limit without a code: no limit to shrink"


@member_story()
async def test_what_cannot_be_charged_is_refused_at_the_till_and_waits(house: MemberHouse) -> None:
    await house.join()
    good = member("lpg-pass", "C1", product_set="lpg", pay_and_go=True)
    house.put(TokenKind.CARD, CARD, good)
    sale = await house.cash_delivery(POINT, 1_000, 1)
    assert (await house.shows(sale, card=CARD)).done
    changes: tuple[tuple[dict[str, object], Status, str], ...] = (
        ({"pay_and_go": False}, Status.ACTIVE, "not_offered"),
        ({"cancelled": True}, Status.ACTIVE, "inactive_cancelled"),
        ({}, Status.STOPPED, "card_blocked"),
        ({"programme": "opet-kart"}, Status.ACTIVE, "not_offered"),
        ({"product_set": "automatic"}, Status.ACTIVE, "product_not_allowed"),
        ({"contract_valid": False}, Status.ACTIVE, "contract_not_valid"),
    )
    for change, status, reason in changes:
        house.put(TokenKind.CARD, CARD, msgspec.structs.replace(good, **change), status=status)
        refused = await house.pays(sale, 2_435, CHARGED)
        assert (refused.done, refused.reason) == (False, reason)
        assert refused.text
    assert (await house.pay(sale, 2_435)).done, "in cash"


@member_story()
async def test_nothing_is_charged_to_nobody_for_another_amount_or_without_any_headquarters(house: MemberHouse) -> None:
    good = member("lpg-pass", "C1", product_set="lpg", pay_and_go=True)
    house.put(TokenKind.CARD, CARD, good)
    sale = await house.cash_delivery(POINT, 1_000, 1)
    assert (await house.pays(sale, 2_435, CHARGED)).reason == "not_offered", "no card was shown"
    assert (await house.shows(sale, card=CARD)).done
    assert (await house.pays(sale, 2_435, CHARGED)).reason == "not_offered", "no headquarters is named"
    await house.join()
    assert house.point(POINT).unpaid, "its card was shown at the till: it waits for the attendant"
    assert (await house.pays(sale, 2_434, CHARGED)).reason == "tender_too_small"
    assert (await house.pays(sale, 2_436, CHARGED)).reason == "tender_too_large"
    paid = await house.pays(sale, 2_435, CHARGED, command_id="pay-1")
    assert (paid.done, paid.change_minor) == (True, 0)
    await house.kill()
    await house.start()
    again = PayDelivery("pay-1", sale, CHARGED, 2_435)
    assert (await house.command(again)).done
    assert len(_paid(house)) == 1


@member_story(yard=LIMITED)
async def test_above_a_limit_the_members_code_is_asked_for_and_headquarters_looks_at_it(house: MemberHouse) -> None:
    key = house.put(TokenKind.CARD, POSITIVE, member("positive-card", "M9", verified=True, pay_and_go=True))
    house.office.points[key] = 5_000
    road = await house.join()
    await _fill(house, 1, POSITIVE, 9_000)
    assert _paid(house) == [(Tender(CHARGED, 39_411, 39_411),)], "below it goes by itself"
    assert house.quotes[-1].points == 394
    await _fill(house, 1, POSITIVE, 10_000)
    (waits,) = house.point(1).unpaid
    refused = await house.pays(waits.delivery_id, 43_790, CHARGED)
    assert (refused.reason, len(house.office.asked)) == ("code_required", 0)
    more = {"points": 100, "shown": Shown(card=POSITIVE)}
    both = await house.pays(waits.delivery_id, 43_690, CHARGED, code="123456", **more)
    assert (both.reason, len(house.office.asked)) == ("code_required", 0)
    house.office.codes[key] = "123456"
    wrong = await house.pays(waits.delivery_id, 43_790, CHARGED, code="654321")
    assert (wrong.reason, wrong.text.split(":")[0]) == ("code_required", "The code is wrong")
    road.answers_lost = True
    assert (await house.pays(waits.delivery_id, 43_790, CHARGED, code="123456")).reason == "headquarters_silent"
    road.answers_lost = False
    house.office.codes[key] = "222222"
    await house.until(lambda: house.snapshot.link.connected, 120)
    assert (await house.pays(waits.delivery_id, 43_790, CHARGED, code="222222")).done
    assert not house.office.codes, "it is used up"
    assert house.quotes[-1].points == 437
    del house.office.points[key]
    await _fill(house, 1, POSITIVE, 10_000)
    (waits,) = house.point(1).unpaid
    unheard = await house.pays(waits.delivery_id, 43_790, CHARGED, code="1")
    assert (unheard.done, unheard.reason) == (False, "card_unknown"), "headquarters' own word"


async def _waits_for_a_code(house: MemberHouse) -> tuple[str, bytes]:
    """A delivery above the limit, and a code that its holder has got: the delivery's id and the token's key."""
    key = house.put(TokenKind.CARD, POSITIVE, member("positive-card", "M9", verified=True, pay_and_go=True))
    house.office.points[key], house.office.codes[key] = 0, "123456"
    await house.join()
    await _fill(house, 1, POSITIVE, 10_000)
    (waits,) = house.point(1).unpaid
    return waits.delivery_id, key


@member_story(yard=LIMITED)
async def test_a_disk_that_takes_no_row_spends_no_code(house: MemberHouse) -> None:
    sale, key = await _waits_for_a_code(house)
    house.disk_full = lambda records: True
    assert (await house.pays(sale, 43_790, CHARGED, code="123456")).reason == Reason.JOURNAL_FULL
    assert (house.office.asked, house.office.codes) == ([], {key: "123456"})
    house.disk_full = None
    assert (await house.pays(sale, 43_790, CHARGED, code="123456")).done
    assert house.story()[-3:] == ["charge_intended", "quoted", "settlement"]
    assert "123456" not in repr(house.records)


@pytest.mark.parametrize("restart", [False, True])
@member_story(yard=LIMITED)
async def test_a_code_that_was_right_when_the_settlement_could_not_be_written_stays_right_for_this_sale(
    house: MemberHouse, restart: bool
) -> None:
    sale, _ = await _waits_for_a_code(house)
    house.disk_full = lambda records: any(isinstance(record, Settlement) for record in records)
    assert (await house.pays(sale, 43_790, CHARGED, code="123456")).reason == Reason.JOURNAL_FULL
    assert not house.office.codes, "headquarters has used it up"
    house.disk_full = None
    if restart:
        await house.kill()
        await house.start()
        await house.until(lambda: house.snapshot.link.connected, 30)
    await _fill(house, 2, POSITIVE, 10_000)
    (other,) = house.point(2).unpaid
    assert not (await house.pays(other.delivery_id, 43_790, CHARGED, code="123456")).done, "of no other"
    assert (await house.pays(sale, 43_790, CHARGED, code="123456")).done


@member_story(yard=LIMITED)
async def test_while_headquarters_is_away_less_goes_without_a_code_and_no_code_is_checked(house: MemberHouse) -> None:
    house.put(TokenKind.CARD, POSITIVE, member("positive-card", "M9", verified=True, pay_and_go=True))
    road = await house.join()
    road.closed = True
    await house.until(lambda: not house.snapshot.link.connected, 120)
    await house.passes(13)
    await _fill(house, 1, POSITIVE, 6_000)
    assert _paid(house) == [(Tender(CHARGED, 26_274, 26_274),)], "70 % of 400 TL are 280"
    assert house.quotes[-1].provisional
    await _fill(house, 1, POSITIVE, 6_500)
    (waits,) = house.point(1).unpaid
    away = await house.pays(waits.delivery_id, 28_464, CHARGED, code="123456")
    assert (away.done, away.reason) == (False, "needs_headquarters")
    assert (await house.pay(waits.delivery_id, 28_464, tender=TenderKind.BANK_CARD)).done
    await house.passes(12)
    await _fill(house, 1, POSITIVE, 1_000)
    assert house.point(1).unpaid, "after a day nothing goes without a code here"


@member_story()
async def test_what_was_closed_as_a_test_while_the_disk_was_full_is_not_charged_afterwards(house: MemberHouse) -> None:
    await _fleet(house)
    house.disk_full = lambda records: any(isinstance(record, Settlement) for record in records)
    await _fill(house, POINT, CARD, 1_000)
    (waits,) = house.point(POINT).unpaid
    await house.lease(waits.delivery_id)
    assert (await house.command(CloseAsTest(house.next_id(), waits.delivery_id))).done
    house.disk_full = None
    await house.wait(30)
    assert (_paid(house), house.quotes) == ([], [])
    await _fill(house, POINT, CARD, 1_000)
    assert _paid(house) == [(Tender(CHARGED, 2_435, 2_435),)], "the pump goes on"


@member_story()
async def test_points_that_were_taken_while_a_card_was_charged_are_given_back_and_no_cash_is_said_to_be_paid(
    house: MemberHouse,
) -> None:
    road = await _fleet(house)
    points = house.put(TokenKind.CARD, OPET, opet(10_000))
    house.office.points[points] = 10_000
    house.disk_full = lambda records: any(isinstance(record, Settlement) for record in records)
    await _fill(house, POINT, CARD, 1_000)
    (waits,) = house.point(POINT).unpaid
    await house.lease(waits.delivery_id)
    road.slow_s = 3
    pay = PayDelivery("pay-1", waits.delivery_id, TenderKind.CASH, 5_000, points=500, shown=Shown(card=OPET))
    asked = house.send(pay)
    await house.until(lambda: bool(house.office.taken), 10)
    house.disk_full = None
    answer = await asked
    road.slow_s = 0
    assert (answer.done, answer.reason) == (False, Reason.ALREADY_SETTLED)
    assert _paid(house) == [(Tender(CHARGED, 2_435, 2_435),)]
    await house.until(lambda: not house.books.members.intended, 120)
    assert house.office.points[points] == 10_000

"""Points that pay: asked of headquarters, which may answer late or never; or from a voucher that was set apart here."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from controller.domain.desk import AskPoints, PayDelivery, SendCode, Shown
from controller.domain.lists import Status
from controller.domain.member_books import voucher_pot
from controller.domain.pin_records import PinLocked, PinTried
from controller.domain.programme_reasons import TEXTS
from controller.domain.programme_records import Redeemed, RedeemIntended, RedeemVoided
from controller.domain.programmes.reasons import Reason as ProgrammeReason
from controller.domain.reasons import Reason
from controller.domain.records import Allotted, Settlement, Tender, TenderKind
from controller.domain.tokens import TokenKind
from controller.pincheck import make_verifier
from controller.programme_files import shipped_text
from tests.station.house import OTHER_TILL
from tests.station.members import TURKEY, VIETNAM, MemberHouse, member, member_story, opet

CARD = "9876540012806566"
SHOWN = Shown(card=CARD)
AMOUNT = 44_120


async def _ready(house: MemberHouse, points: int = 10_000) -> Any:
    key = house.put(TokenKind.CARD, CARD, opet(points))
    house.office.points[key] = points
    return await house.join()


@member_story()
async def test_points_pay_a_part_and_cash_the_rest(house: MemberHouse) -> None:
    await _ready(house)
    sale = await house.cash_delivery(1, 10_000)
    await house.shows(sale, card=CARD)
    paid = await house.pays(sale, 40_000, points=10_000)
    assert (paid.done, paid.change_minor) == (True, 40_000 - (AMOUNT - 10_000))
    assert house.story()[-4:] == ["redeem_intended", "redeemed", "quoted", "settlement"]
    (settlement,) = house.rows_of(Settlement)
    assert settlement.tenders == (
        Tender(TenderKind.POINTS, 10_000, 10_000),
        Tender(TenderKind.CASH, 34_120, 40_000),
    )
    (redeemed,) = house.rows_of(Redeemed)
    assert (redeemed.points, redeemed.worth_minor, redeemed.offline) == (10_000, 10_000, False)
    (quoted,) = house.quotes
    assert quoted.points == 170, "what points pay earns nothing"
    assert quoted.balance == 170
    assert "Puan                                100.00" in paid.receipt
    assert "Kullanılan puan                      10000" in paid.receipt
    assert not house.books.members.intended


@member_story()
async def test_points_alone_pay_all(house: MemberHouse) -> None:
    await _ready(house, 50_000)
    sale = await house.cash_delivery(1, 10_000)
    paid = await house.pays(sale, points=AMOUNT, tender=TenderKind.POINTS, shown=SHOWN)
    assert (paid.done, paid.change_minor) == (True, 0)
    assert house.rows_of(Settlement)[0].tenders == (Tender(TenderKind.POINTS, AMOUNT, AMOUNT),)


@member_story()
async def test_a_repeated_payment_with_points_gets_the_first_answer_also_after_a_restart(house: MemberHouse) -> None:
    await _ready(house)
    sale = await house.cash_delivery(1, 10_000)
    await house.lease(sale)
    pay = PayDelivery("pay-1", sale, TenderKind.CASH, AMOUNT, points=500, shown=SHOWN)
    first, second = house.send(pay), house.send(pay)
    assert (await first).done
    assert (await second).done
    await house.kill()
    await house.start()
    await house.wait(5)
    again = await house.command(pay)
    assert (again.done, again.change_minor) == (True, (await first).change_minor)
    other = PayDelivery("pay-1", sale, TenderKind.CASH, AMOUNT, points=400, shown=SHOWN)
    await house.kill()
    await house.start()
    await house.wait(5)
    assert (await house.command(other)).reason == Reason.COMMAND_REUSED
    assert len(house.rows_of(Redeemed)) == 1
    assert list(house.office.points.values()) == [9_500]


@member_story()
async def test_points_of_another_programme_than_the_cards_stand_under_their_own_name(house: MemberHouse) -> None:
    key = house.put(TokenKind.QR, "QR-9", member("positive-card", "M9"))
    house.office.points[key], house.office.programmes[key] = 900, "positive-card"
    await _ready(house)
    sale = await house.cash_delivery(1, 10_000)
    await house.shows(sale, card=CARD)
    paid = await house.pays(sale, AMOUNT - 500, points=500, shown=Shown(qr="QR-9"))
    assert paid.done
    ours, _, theirs = paid.receipt.partition(house.title("positive-card"))
    assert house.title("opet-kart") in ours
    assert "Kullanılan puan" not in ours
    assert "Kazanılan puan" in ours
    assert "Kullanılan puan                        500" in theirs
    assert "Kazanılan puan" not in theirs
    await house.until(lambda: len(house.slips) == 1, 30)
    assert house.slips[0].text.count("Kullanılan puan") == 1


@member_story()
async def test_points_of_a_programme_that_only_headquarters_has_stand_under_its_name(house: MemberHouse) -> None:
    key = house.put(TokenKind.QR, "QR-9", member("positive-card", "M9"))
    house.office.points[key], house.office.programmes[key] = 900, "star-card"
    await _ready(house)
    sale = await house.cash_delivery(1, 10_000)
    await house.shows(sale, card=CARD)
    paid = await house.pays(sale, AMOUNT - 500, points=500, shown=Shown(qr="QR-9"))
    ours, _, theirs = paid.receipt.partition("star-card")
    assert "Kullanılan puan" not in ours
    assert "Kullanılan puan                        500" in theirs


RICH = replace(
    TURKEY,
    programmes=("opet-kart", "rich.toml"),
    files={"rich.toml": shipped_text("positive-card").replace("worth_minor = 1 ", "worth_minor = 25 ", 1)},
)


@member_story(yard=RICH)
async def test_where_programmes_differ_in_what_a_point_pays_the_answer_says_it(house: MemberHouse) -> None:
    assert house.snapshot.point_worth_minor == 0
    house.put(TokenKind.CARD, CARD, opet(50))
    house.put(TokenKind.QR, "QR-9", member("positive-card", "M9"))
    sale = await house.cash_delivery(1, 1_000)
    for shown, worth in ((SHOWN, 1), (Shown(qr="QR-9"), 25)):
        assert (await house.command(AskPoints(f"ask {worth}", shown))).point_worth_minor == worth
    shown_now = await house.shows(sale, qr="QR-9")
    assert (shown_now.done, shown_now.point_worth_minor) == (True, 25)


REFUSED = (
    "insufficient_points",
    "otp_required",
    "pin_required",
    "pin_wrong",
    "pin_locked",
    "not_activated",
    "profile_incomplete",
    "voucher_unknown",
    "voucher_expired",
    "inactive_cancelled",
    "product_not_allowed",
    "card_blocked",
    "not_started",
    "programme_stopped",
    "code_required",
    "insufficient_funds",
)


@member_story()
async def test_what_headquarters_refuses_is_refused_with_its_reason_and_stays_so(house: MemberHouse) -> None:
    await _ready(house)
    sale = await house.cash_delivery(1, 10_000)
    await house.lease(sale)
    asked = {reason: PayDelivery(f"pay {reason}", sale, TenderKind.CASH, AMOUNT, 500, SHOWN) for reason in REFUSED}
    for reason, command in asked.items():
        house.office.refuses = reason
        refused = await house.command(command)
        assert (refused.done, refused.reason) == (False, reason)
        assert refused.text == TEXTS[ProgrammeReason(reason)].attendant
    assert [row.reason for row in house.rows_of(RedeemVoided)] == list(REFUSED)
    assert house.point(1).unpaid
    await house.kill()
    await house.start()
    await house.wait(5)
    for reason, command in asked.items():
        assert (await house.command(command)).reason == reason
    assert (await house.pay(sale, AMOUNT)).done


@pytest.mark.parametrize("restart", [False, True])
@member_story()
async def test_an_answer_that_never_comes_leaves_it_unpaid_and_headquarters_is_told(
    house: MemberHouse, restart: bool
) -> None:
    road = await _ready(house)
    sale = await house.cash_delivery(1, 10_000)
    road.answers_lost = True
    await house.lease(sale)
    pay = PayDelivery("pay-1", sale, TenderKind.CASH, AMOUNT, points=500, shown=SHOWN)
    asked = house.send(pay)
    await house.until(lambda: bool(house.office.taken), 10)
    if restart:
        await house.kill()
        await house.start()
        await house.wait(2)
        assert (await house.command(pay)).reason == Reason.POINTS_NOT_HEARD
    else:
        assert (await asked).reason == Reason.POINTS_NOT_HEARD
    assert len(house.rows_of(RedeemIntended)) == 1
    assert house.point(1).unpaid
    road.answers_lost = False
    await house.until(lambda: bool(house.rows_of(RedeemVoided)), 300)
    assert [row.given_back for row in house.rows_of(RedeemVoided)] == [500]
    assert list(house.office.points.values()) == [10_000]
    assert not house.office.taken
    await house.kill()
    await house.start()
    await house.wait(40)
    assert (await house.command(pay)).reason == Reason.POINTS_NOT_HEARD, "the first answer"
    assert len(house.rows_of(RedeemVoided)) == 1
    paid = await house.pays(sale, AMOUNT, points=500, shown=SHOWN)
    assert paid.done
    assert list(house.office.points.values()) == [9_500]


@pytest.mark.parametrize("moment", ["after redeem_intended", "before settlement", "after settlement"])
@member_story()
async def test_a_crash_at_any_moment_of_a_redemption_ends_in_the_same_books(house: MemberHouse, moment: str) -> None:
    await _ready(house)
    sale = await house.cash_delivery(1, 10_000)
    await house.lease(sale)
    house.kill_when(moment)
    house.send(PayDelivery("pay-1", sale, TenderKind.CASH, AMOUNT, points=500, shown=SHOWN))
    await house.until(lambda: house.dead, 30)
    await house.kill()
    await house.start()
    await house.until(lambda: not house.books.members.intended, 120)
    settled = moment == "after settlement"
    assert list(house.office.points.values()) == [9_500 if settled else 10_000]
    assert len(house.rows_of(Redeemed)) == settled
    assert bool(house.point(1).unpaid) is not settled


@member_story()
async def test_a_disk_that_takes_no_settlement_gives_the_points_back(house: MemberHouse) -> None:
    await _ready(house)
    sale = await house.cash_delivery(1, 10_000)
    house.disk_full = lambda records: any(isinstance(record, Redeemed) for record in records)
    refused = await house.pays(sale, AMOUNT, points=500, shown=SHOWN)
    assert refused.reason == Reason.JOURNAL_FULL
    await house.until(lambda: bool(house.rows_of(RedeemVoided)), 120)
    assert list(house.office.points.values()) == [10_000]


@member_story()
async def test_other_tills_go_on_while_headquarters_is_asked_and_none_pays_this_delivery(house: MemberHouse) -> None:
    road = await _ready(house)
    sale, other = await house.cash_delivery(1, 10_000), await house.cash_delivery(2, 1_000)
    road.answers_lost = True
    await house.lease(sale)
    asked = house.send(PayDelivery("pay-1", sale, TenderKind.CASH, AMOUNT, points=500, shown=SHOWN))
    await house.until(lambda: bool(house.office.taken), 10)
    assert (await house.pay(sale, AMOUNT)).reason == Reason.POINTS_BEING_TAKEN
    assert (await house.pay(other, till=OTHER_TILL)).done
    assert not asked.done()
    assert (await asked).reason == Reason.POINTS_NOT_HEARD
    assert (await house.pay(sale, AMOUNT)).done


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        ({"points": -1}, Reason.POINTS_INVALID),
        ({"points": AMOUNT + 1}, Reason.POINTS_INVALID),
        ({"points": 500, "given_minor": 100}, Reason.TENDER_TOO_SMALL),
        ({"points": 500, "tender": TenderKind.BANK_CARD}, Reason.TENDER_TOO_LARGE),
        ({"points": 0, "tender": TenderKind.POINTS}, Reason.POINTS_INVALID),
        ({"points": 500, "tender": TenderKind.POINTS, "given_minor": AMOUNT - 500}, Reason.POINTS_INVALID),
        ({"points": 500, "shown": Shown(card="no number")}, "card_unknown"),
        ({"points": 500, "shown": None, "voucher": "V-0001"}, "voucher_unknown"),
        ({"points": 500, "shown": None}, Reason.POINTS_INVALID),
    ],
)
@member_story()
async def test_a_wish_that_cannot_be_is_refused_before_headquarters_is_asked(
    house: MemberHouse, wish: dict[str, Any], reason: str
) -> None:
    await _ready(house)
    sale = await house.cash_delivery(1, 10_000)
    wanted: dict[str, Any] = {"given_minor": AMOUNT, "shown": SHOWN} | wish
    refused = await house.pays(sale, **wanted)
    assert (refused.done, refused.reason) == (False, reason)
    assert not house.office.taken
    assert (await house.pay(sale, AMOUNT)).done


@member_story()
async def test_without_headquarters_points_that_are_kept_there_cannot_be_spent(house: MemberHouse) -> None:
    house.put(TokenKind.CARD, CARD, opet(10_000))
    sale = await house.cash_delivery(1, 10_000)
    refused = await house.pays(sale, AMOUNT, points=500, shown=SHOWN)
    assert (refused.reason, refused.text) == ("needs_headquarters", TEXTS[ProgrammeReason.NEEDS_HEADQUARTERS].attendant)
    assert not house.rows_of(RedeemIntended)


@member_story()
async def test_balance_and_code_are_asked_of_headquarters_and_a_balance_also_of_the_list(house: MemberHouse) -> None:
    road = await _ready(house, 777)
    answer = await house.command(AskPoints("ask-1", SHOWN))
    assert (answer.done, answer.point_worth_minor) == (True, 1)
    assert "petrol 777 points" in answer.text
    sent = await house.command(SendCode("code-1", SHOWN))
    assert "+90 *** 33" in sent.text
    unknown = await house.command(AskPoints("ask-2", Shown(card="1234567812345678")))
    assert unknown.reason == "card_unknown"
    road.closed = True
    sale = await house.cash_delivery(1, 10_000)
    await house.until(lambda: not house.snapshot.link.connected, 120)
    await house.shows(sale, card=CARD)
    await house.pay(sale, AMOUNT)
    away = await house.command(AskPoints("ask-3", SHOWN))
    assert "petrol 997 points, 777 to spend, as of 2026-01-01 02:00 (by the list" in away.text
    assert (await house.command(SendCode("code-2", SHOWN))).reason == "needs_headquarters"


VOUCHER, PIN = "V-2026-17", "4711"
DUE = 100_500


def _voucher(house: MemberHouse) -> bytes:
    pin = make_verifier(PIN, bytes(16), cost=2**4)
    return house.put(TokenKind.VOUCHER, VOUCHER, member("petrolimex-id", "ORG", organisation=True), pin=pin)


async def _allotted(house: MemberHouse, points: int = 150_000) -> None:
    await house.station.site.write(Allotted("a1", voucher_pot(VOUCHER), points, "", ""))


@member_story(yard=VIETNAM)
async def test_a_voucher_that_was_set_apart_here_pays_without_headquarters_in_parts(house: MemberHouse) -> None:
    _voucher(house)
    await _allotted(house)
    sale = await house.cash_delivery(1, 5_000)
    paid = await house.pays(sale, points=DUE, voucher=VOUCHER, pin=PIN, command_id="pay-1")
    assert paid.done
    (redeemed,) = house.rows_of(Redeemed)
    assert (redeemed.offline, redeemed.voucher, redeemed.points, redeemed.holder) == (True, VOUCHER, DUE, "ORG")
    assert "Điểm                                100500" in paid.receipt
    await house.kill()
    await house.start()
    await house.wait(5)
    assert (
        await house.command(
            PayDelivery("pay-1", sale, TenderKind.CASH, 0, points=DUE, voucher=VOUCHER, pin=PIN),
        )
    ).done
    sale = await house.cash_delivery(1, 5_000)
    assert (await house.pays(sale, points=DUE, voucher=VOUCHER, pin=PIN)).reason == "insufficient_points"
    assert (await house.pays(sale, 51_000, points=49_500, voucher=VOUCHER, pin=PIN)).done
    assert sum(row.points for row in house.rows_of(Redeemed)) == 150_000


@member_story(yard=VIETNAM)
async def test_wrong_pins_of_a_voucher_count_and_lock(house: MemberHouse) -> None:
    _voucher(house)
    await _allotted(house)
    sale = await house.cash_delivery(1, 5_000)
    wrong = [await house.pays(sale, points=DUE, voucher=VOUCHER, pin="0000", command_id=name) for name in "ab"]
    assert [answer.reason for answer in wrong] == ["pin_wrong"] * 2
    assert (await house.pays(sale, points=DUE, voucher=VOUCHER)).reason == "pin_required"
    await house.kill()
    await house.start()
    await house.wait(5)
    again = PayDelivery("b", sale, TenderKind.CASH, 0, points=DUE, voucher=VOUCHER, pin="0000")
    assert (await house.command(again)).reason == "pin_wrong", "the first answer: it is not tried again"
    last = await house.pays(sale, points=DUE, voucher=VOUCHER, pin="0000", command_id="c")
    assert last.reason == "pin_locked"
    await house.kill()
    await house.start()
    await house.wait(5)
    third = msgspec.structs.replace(again, command_id="c")
    assert (await house.command(third)).reason == "pin_locked"
    assert (await house.pays(sale, points=DUE, voucher=VOUCHER, pin=PIN)).reason == "pin_locked"
    assert [row.wrong for row in house.rows_of(PinTried)] == [1, 2, 3]
    assert len(house.rows_of(PinLocked)) == 1
    assert not house.rows_of(Redeemed)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"valid_until_ms": 1}, "voucher_expired"),
        ({"status": Status.STOPPED}, "voucher_unknown"),
        ({"pin": ""}, "needs_headquarters"),
        ({"pin": "rubbish"}, "needs_headquarters"),
        (None, "voucher_unknown"),
    ],
)
@member_story(yard=VIETNAM)
async def test_a_voucher_that_cannot_be_used_here_without_headquarters(
    house: MemberHouse, row: dict[str, Any] | None, reason: str
) -> None:
    key = _voucher(house)
    if row is None:
        del house.rows[key]
    else:
        house.rows[key] = msgspec.structs.replace(house.rows[key], **row)
    await _allotted(house)
    sale = await house.cash_delivery(1, 5_000)
    assert (await house.pays(sale, points=DUE, voucher=VOUCHER, pin=PIN)).reason == reason
    assert (await house.pays(sale, points=DUE, voucher="V-OTHER", pin=PIN)).reason == "needs_headquarters"


@member_story(yard=VIETNAM)
async def test_what_was_set_apart_shrinks_with_the_age_of_the_last_contact(house: MemberHouse) -> None:
    _voucher(house)
    road = await house.join()
    await _allotted(house, 200_000)
    road.closed = True
    await house.until(lambda: not house.snapshot.link.connected, 120)
    await house.passes(13)
    sale = await house.cash_delivery(1, 5_000)
    assert (await house.pays(sale, points=DUE, voucher=VOUCHER, pin=PIN)).done
    sale = await house.cash_delivery(1, 5_000)
    refused = await house.pays(sale, DUE, points=39_501, voucher=VOUCHER, pin=PIN)
    assert refused.reason == "insufficient_points", "70 % of 200,000, less what was spent"
    assert (await house.pays(sale, DUE, points=39_500, voucher=VOUCHER, pin=PIN)).done


@member_story(yard=VIETNAM)
async def test_a_voucher_takes_its_own_pin_whatever_is_shown_beside_it(house: MemberHouse) -> None:
    _voucher(house)
    await _allotted(house)
    own = make_verifier("1234", bytes(16), cost=2**4)
    house.put(TokenKind.CARD, CARD, member("petrolimex-id", "ORG2", organisation=True), pin=own)
    sale = await house.cash_delivery(1, 5_000)
    other = await house.pays(sale, points=DUE, voucher=VOUCHER, pin="1234", shown=SHOWN)
    assert (other.done, other.reason) == (False, "pin_wrong")
    assert (await house.pays(sale, points=DUE, voucher=VOUCHER, pin=PIN, shown=SHOWN)).done
    assert house.rows_of(Redeemed)[0].holder == "ORG"


@member_story(yard=VIETNAM)
async def test_what_headquarters_takes_of_a_voucher_is_gone_here_too_however_it_was_named(house: MemberHouse) -> None:
    key = _voucher(house)
    house.office.points[key] = 200_000
    road = await house.join()
    await _allotted(house)
    sale = await house.cash_delivery(1, 5_000)
    by_shown: dict[str, Any] = {"points": DUE, "pin": PIN, "shown": Shown(voucher=VOUCHER)}
    assert (await house.pays(sale, command_id="pay-1", **by_shown)).done
    await house.kill()
    await house.start()
    await house.until(lambda: house.snapshot.link.connected, 30)
    again = PayDelivery("pay-1", sale, TenderKind.CASH, 0, points=DUE, pin=PIN, shown=Shown(voucher=VOUCHER))
    assert (await house.command(again)).done
    presented = await house.cash_delivery(1, 1_000)
    assert (await house.shows(presented, voucher=VOUCHER)).done
    unnamed = await house.pays(presented, points=100, given_minor=20_000, pin=PIN)
    assert (unnamed.done, unnamed.reason) == (False, "voucher_unknown"), "its id is not in the books: type it"
    road.closed = True
    await house.until(lambda: not house.snapshot.link.connected, 120)
    sale = await house.cash_delivery(2, 5_000)
    assert (await house.pays(sale, **by_shown)).reason == "insufficient_points"

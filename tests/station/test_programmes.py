"""Fuel programmes at the station: what a sale is quoted, in whose rules, and what the receipt says of it."""

import shutil
from dataclasses import replace

import msgspec
import pytest
from click.testing import CliRunner

from controller.domain.explain import NotADecision
from controller.domain.explain_quote import explain_quote
from controller.domain.lists import Status
from controller.domain.memberships import PurseState
from controller.domain.programme_records import Quoted, RulesTaken
from controller.domain.quoted import again, known_of
from controller.domain.records import Settlement, TenderKind
from controller.domain.tokens import TokenKind
from controller.office.journal_commands import explain as explain_command
from controller.programme_files import checked, shipped_text, version_of
from tests.station.house import CARD
from tests.station.members import TURKEY, UKRAINE, VIETNAM, MemberHouse, member, member_story, opet

OPET_CARD = "9876540012806566"
AUTOGAS_POINT, LPG_CARD = 4, "9001000000000201"


@member_story()
async def test_points_of_a_card_that_is_shown_before_the_payment(house: MemberHouse) -> None:
    house.put(TokenKind.CARD, OPET_CARD, opet(100))
    sale = await house.cash_delivery(1, 10_000)
    assert (await house.shows(sale, card=OPET_CARD)).done
    paid = await house.pay(sale, 44_120)
    (quoted,) = house.quotes
    assert (quoted.programme, quoted.holder, quoted.purse) == ("opet-kart", "M1", "petrol")
    assert (quoted.points, quoted.balance, quoted.reason) == (220, 320, "")
    assert quoted.version == version_of(shipped_text("opet-kart"))
    assert house.story()[-2:] == ["quoted", "settlement"], "in one commit, the quote before"
    assert house.rows_of(Settlement)[-1].delivery == quoted.delivery
    assert "Opet Kart\nKazanılan puan                         220\n" in paid.receipt
    assert "Bakiye                            320 puan\ntarih 2026-01-01 02:00" in paid.receipt
    assert "Kart                      987654******6566" in paid.receipt
    assert "KDV 20 % (matrah 367.67)             73.53" in paid.receipt
    await house.until(lambda: len(house.slips) == 1, 30)
    assert "Kazanılan puan" in house.slips[0].text


@member_story()
async def test_what_was_given_here_since_adds_to_the_lists_word_also_after_a_restart(house: MemberHouse) -> None:
    house.put(TokenKind.CARD, OPET_CARD, opet(100))
    for _ in range(2):
        sale = await house.cash_delivery(1, 10_000)
        assert (await house.shows(sale, card=OPET_CARD)).done
        assert (await house.pay(sale, 44_120)).done
    assert house.quotes[-1].balance == 100 + 220 + 220
    await house.kill()
    await house.start()
    await house.wait(5)
    sale = await house.cash_delivery(1, 10_000)
    await house.shows(sale, card=OPET_CARD)
    await house.pay(sale, 44_120)
    assert house.quotes[-1].balance == 100 + 3 * 220
    house.put(TokenKind.CARD, OPET_CARD, opet(700, as_of_ms=house.clock.now().wall_ms + 1))
    sale = await house.cash_delivery(1, 10_000)
    await house.shows(sale, card=OPET_CARD)
    await house.pay(sale, 44_120)
    assert house.quotes[-1].balance == 700 + 220, "the newer list has them in it already"


@member_story()
async def test_the_rules_are_in_the_journal_once_and_every_quote_can_be_made_again_from_it(house: MemberHouse) -> None:
    house.put(TokenKind.CARD, OPET_CARD, opet())
    sale = await house.cash_delivery(1, 10_000)
    await house.shows(sale, card=OPET_CARD)
    await house.pay(sale, 44_120)
    await house.kill()
    await house.start()
    rules = {row.version: row for row in house.rows_of(RulesTaken)}
    assert sorted(row.programme for row in house.rows_of(RulesTaken)) == ["lpg-pass", "opet-kart", "positive-card"]
    (quoted,) = house.quotes
    programme = checked(rules[quoted.version].text, "the journal").programme
    assert again(programme, known_of(quoted)).points == quoted.points == 220
    body = next(body for body in house.journal.replay() if isinstance(body.record, Quoted))
    explained = explain_quote(body, rules[quoted.version])
    assert explained.same
    assert "Sale: 10.000 of diesel, 441.20 TRY (441.20 TRY in cash), headquarters not heard" in explained.lines
    assert explained.lines[-2:] == ("Quoted again: 220 points for petrol", "The same answer")
    other = msgspec.structs.replace(rules[quoted.version], text=shipped_text("positive-card"))
    assert not explain_quote(body, other).same, "other rules give another answer"
    with pytest.raises(NotADecision, match="no rules of this version"):
        explain_quote(body, None)


@member_story()
async def test_a_quote_is_explained_by_the_command(house: MemberHouse) -> None:
    house.put(TokenKind.CARD, OPET_CARD, opet())
    sale = await house.cash_delivery(1, 10_000)
    await house.shows(sale, card=OPET_CARD)
    await house.pay(sale, 44_120)
    (house.folder / "station.toml").write_text(TURKEY.toml(), encoding="utf-8")
    (house.folder / "data").mkdir()
    await house.kill()
    for name in ("journal.db", "journal.db-wal"):
        if (house.folder / name).exists():
            shutil.copy(house.folder / name, house.folder / "data" / name)
    await house.start()
    (seq,) = (body.name.seq for body in house.journal.replay() if isinstance(body.record, Quoted))
    done = CliRunner().invoke(explain_command, ["--config", str(house.folder / "station.toml"), str(seq)])
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-2:] == ["Quoted again: 220 points for petrol", "The same answer"]


@member_story()
async def test_an_autogas_card_accrues_its_contracts_discount_and_the_receipt_says_when_it_is_paid(
    house: MemberHouse,
) -> None:
    fleet = member("lpg-pass", "C1", product_set="lpg", per_litre_minor=75)
    house.put(TokenKind.CARD, LPG_CARD, fleet, products="autogas", account="C1")
    await house.calls(AUTOGAS_POINT, 1)
    house.show_card(AUTOGAS_POINT, LPG_CARD)
    await house.shows_nothing(AUTOGAS_POINT)
    await house.fills(AUTOGAS_POINT, 40_000)
    await house.until(lambda: len(house.point(AUTOGAS_POINT).unpaid) == 1)
    paid = await house.pay(house.point(AUTOGAS_POINT).unpaid[0].delivery_id, 97_400)
    (quoted,) = house.quotes
    assert (quoted.programme, quoted.rebate_minor, quoted.points) == ("lpg-pass", 3_000, 0)
    assert "LPG Pass\nİndirim, dönem sonunda ödenir    30.00 TRY\n" in paid.receipt
    assert "974.00" in paid.receipt, "the price itself is whole"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"products": "autogas"}, "product_not_allowed"),
        ({"member": {"contract_valid": False}}, "contract_not_valid"),
        ({"status": Status.STOPPED}, "card_blocked"),
    ],
)
@member_story()
async def test_what_a_fleet_programme_declines_is_declined_at_the_pump(
    house: MemberHouse, change: dict[str, object], reason: str
) -> None:
    more = dict(change)
    fleet = member("lpg-pass", "C1", product_set="lpg", **(more.pop("member", {})))  # type: ignore[arg-type]
    house.put(TokenKind.CARD, CARD, fleet, **more)  # type: ignore[arg-type]
    await house.calls(1)
    house.show_card(1, CARD)
    await house.until(lambda: bool(house.reasons), 30)
    assert house.reasons == [reason]


@member_story(yard=VIETNAM)
async def test_points_by_tender_in_vietnam(house: MemberHouse) -> None:
    house.put(TokenKind.PHONE, "+84 912 345 678", member("petrolimex-id", "P1", verified=True))
    house.put(TokenKind.PHONE, "+84 912 000 000", member("petrolimex-id", "P2"))
    sale = await house.cash_delivery(1, 5_000)
    assert (await house.shows(sale, phone="+84 912 345 678")).done
    paid = await house.pay(sale, 100_500)
    assert (house.quotes[-1].points, house.quotes[-1].reason) == (250, "")
    assert "Petrolimex ID\nĐiểm tích lũy" in paid.receipt
    assert "TỔNG CỘNG" in paid.receipt
    assert "VAT 10 % (chưa thuế 91364)" in paid.receipt
    assert "Điện thoại" in paid.receipt
    sale = await house.cash_delivery(1, 5_000)
    await house.shows(sale, phone="+84 912 345 678")
    await house.pay(sale, 100_500, tender=TenderKind.BANK_CARD)
    assert house.quotes[-1].points == 500, "paid electronically"
    sale = await house.cash_delivery(1, 5_000)
    await house.shows(sale, phone="+84 912 000 000")
    paid = await house.pay(sale, 100_500)
    assert (house.quotes[-1].points, house.quotes[-1].reason) == (0, "not_verified")
    assert "Không có điểm\nTài khoản chưa được xác thực" in paid.receipt
    await house.until(lambda: len(house.slips) == 3, 30)
    assert "Diem tích luy" in house.slips[0].text, "a printer without such letters prints them without marks"


@member_story(yard=UKRAINE)
async def test_gas_of_a_prepaid_contract_in_ukraine_counts_for_the_month(house: MemberHouse) -> None:
    house.put(TokenKind.CARD, LPG_CARD, member("cng-interissuer", "K7", product_set="cng"), products="autogas")
    await house.calls(AUTOGAS_POINT, 1)
    house.show_card(AUTOGAS_POINT, LPG_CARD)
    await house.shows_nothing(AUTOGAS_POINT)
    await house.fills(AUTOGAS_POINT, 20_000)
    await house.until(lambda: len(house.point(AUTOGAS_POINT).unpaid) == 1)
    paid = await house.pay(house.point(AUTOGAS_POINT).unpaid[0].delivery_id, 57_800)
    (quoted,) = house.quotes
    assert (quoted.holder, quoted.points, quoted.rebate_minor, quoted.reason) == ("K7", 0, 0, "")
    assert "CNG inter-issuer cards\nВраховано в обсяг місяця\n" in paid.receipt
    assert "ПДВ 7 % (без ПДВ 540.19)             37.81" in paid.receipt, "the grade's own rate goes before"
    assert "РАЗОМ" in paid.receipt
    await house.until(lambda: len(house.slips) == 1, 30)
    assert "Враховано" in house.slips[0].text


@member_story(yard=TURKEY)
async def test_without_headquarters_points_under_limits_of_all_stations_are_provisional(house: MemberHouse) -> None:
    purse = PurseState("fuel", 50, 50)
    house.put(TokenKind.QR, "QR-M9", member("positive-card", "M9", verified=True, purses=(purse,)))
    road = await house.join()
    road.closed = True
    await house.until(lambda: not house.snapshot.link.connected, 120)
    sale = await house.cash_delivery(1, 10_000)
    assert (await house.shows(sale, qr="QR-M9")).done
    paid = await house.pay(sale, 44_120)
    assert (house.quotes[-1].points, house.quotes[-1].provisional) == (441, True)
    assert "Geçici: merkez yeniden hesaplar" in paid.receipt
    road.closed = False
    await house.until(lambda: house.snapshot.link.connected, 300)
    sale = await house.cash_delivery(1, 10_000)
    await house.shows(sale, qr="QR-M9")
    paid = await house.pay(sale, 44_120)
    assert (house.quotes[-1].points, house.quotes[-1].provisional) == (441, False)
    assert "Geçici" not in paid.receipt
    assert house.quotes[-1].balance == 50 + 441 + 441


CAPPED = replace(
    TURKEY,
    programmes=("capped.toml",),
    files={"capped.toml": shipped_text("positive-card").replace("most = 10000 ", "most = 600 ", 1)},
)


@member_story(yard=CAPPED)
async def test_a_days_limit_cuts_what_this_station_knows_it_gave(house: MemberHouse) -> None:
    house.put(TokenKind.QR, "QR-M9", member("positive-card", "M9", verified=True))
    for points, reason in ((441, ""), (159, "daily_points_cap"), (0, "daily_points_cap")):
        sale = await house.cash_delivery(1, 10_000)
        await house.shows(sale, qr="QR-M9")
        paid = await house.pay(sale, 44_120)
        assert (house.quotes[-1].points, house.quotes[-1].reason) == (points, reason)
        assert ("Günlük puan sınırına ulaşıldı" in paid.receipt) == bool(reason)
    await house.passes(24)
    sale = await house.cash_delivery(1, 10_000)
    await house.shows(sale, qr="QR-M9")
    await house.pay(sale, 44_120)
    assert house.quotes[-1].points == 441, "another day"


@member_story()
async def test_each_new_plate_is_bound_by_a_purchase_with_the_card(house: MemberHouse) -> None:
    waiting = house.key(TokenKind.PLATE, "34 ABC 12")
    other = house.put(TokenKind.PLATE, "06 OTH 99", member("positive-card", "M2", verified=True))
    assert other
    nine = member("positive-card", "M9", verified=True, plates_waiting=(waiting,), plates_free=2)
    house.put(TokenKind.CARD, OPET_CARD, nine)
    for plate, reason, points in (
        ("34 abc 12", "", 44),
        ("34-ABC-12", "", 44),
        ("06 OTH 99", "plate_in_use", 0),
        ("35 NEW 1", "not_verified", 0),
    ):
        sale = await house.cash_delivery(1, 1_000)
        assert (await house.shows(sale, card=OPET_CARD, plate=plate)).done
        await house.pay(sale, 4_412)
        assert (house.quotes[-1].reason, house.quotes[-1].points) == (reason, points), plate
    assert [quoted.bound_plate for quoted in house.quotes] == [waiting, b"", b"", b""]


@member_story()
async def test_who_is_no_member_gets_no_quote_and_a_blocked_card_gets_its_reason(house: MemberHouse) -> None:
    await house.fill_by_card(1, 3_000)
    assert not house.rows_of(Quoted), "a fleet card of no programme"
    sale = await house.cash_delivery(1, 3_000)
    assert (await house.pay(sale)).done
    assert not house.rows_of(Quoted), "an anonymous sale"
    assert "puan" not in (await house.pay(await house.cash_delivery(1, 1_000))).receipt

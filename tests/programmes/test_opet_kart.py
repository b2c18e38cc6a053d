"""Opet Kart: two purses, cards shown after fuelling, activation by a text message, cards replaced."""

import pytest

from tests.programmes.bench import ENDER, Lab

CARD = "9876540012806566"
SMS = "PARO 0012806566 ENDER AYTEKİN 20.03.1974"


@pytest.fixture
def lab() -> Lab:
    lab = Lab("opet-kart")
    lab.member(card=CARD)
    return lab


def test_the_worked_example(lab: Lab) -> None:
    """Diesel for 1,234.50 TL gives 617 petrol points, autogas for 200.00 TL 100 autogas points; none spent before."""
    assert lab.sale(123_450, card=CARD)["balances"]["points:M1:petrol"] == 617
    assert lab.sale(20_000, card=CARD, product="autogas")["balances"]["points:M1:autogas"] == 100
    answer = lab.do("redeem", holder="M1", product="diesel", points=50, proof={})
    assert (answer["result"], answer["reason"]) == ("declined", "not_activated")
    assert answer["balances"]["points:M1:petrol"] == 617


def test_half_a_percent_holds_since_10_june_2015() -> None:
    """The day before, the programme had not started."""
    lab = Lab("opet-kart", at="2015-06-09T23:59:59")
    lab.member(card=CARD)
    answer = lab.sale(card=CARD)
    assert (answer["result"], answer["reason"]) == ("accepted", "not_started")
    assert lab.sale(card=CARD, at="2015-06-10T00:00:00")["points"] == 500


def test_each_purse_is_spendable_on_its_products_only(lab: Lab) -> None:
    """Purse petrol on gasoline and diesel only, purse autogas on autogas only."""
    lab.sale(card=CARD)
    lab.do("member.activate", member="M1", channel="web")
    redeem = {"holder": "M1", "proof": {}}
    assert lab.reason("redeem", product="autogas", points=1, **redeem) == ("declined", "insufficient_points")
    assert lab.reason("redeem", product="gasoline", points=200, **redeem) == ("accepted", None)
    assert lab.reason("redeem", product="diesel", points=300, **redeem) == ("accepted", None)
    assert lab.reason("redeem", product="cng", points=1, **redeem) == ("declined", "product_not_allowed")
    assert lab.balance("points:M1:petrol") == 0


def test_points_are_rounded_down_sale_by_sale(lab: Lab) -> None:
    lab.sale(399, card=CARD)
    assert lab.sale(399, card=CARD)["balances"]["points:M1:petrol"] == 2


def test_a_sale_too_small_for_a_point_earns_none_and_has_no_reason(lab: Lab) -> None:
    answer = lab.sale(199, card=CARD)
    assert (answer["result"], answer["reason"]) == ("accepted", None)
    assert answer["balances"]["points:M1:petrol"] == 0


def test_what_is_paid_by_points_earns_nothing(lab: Lab) -> None:
    tenders = [{"kind": "points", "amount_minor": 40_000}, {"kind": "cash", "amount_minor": 60_000}]
    assert lab.sale(100_000, card=CARD, tenders=tenders)["points"] == 300


def test_a_sale_with_an_unknown_card_is_accepted_and_earns_nothing(lab: Lab) -> None:
    answer = lab.sale(card="1")
    assert (answer["result"], answer["reason"], answer["balances"]) == ("accepted", "card_unknown", {})


def test_an_anonymous_sale_has_no_reason(lab: Lab) -> None:
    answer = lab.sale()
    assert (answer["result"], answer["reason"], answer["balances"]) == ("accepted", None, {})


def test_a_card_shown_after_fuelling_earns_once(lab: Lab) -> None:
    """Earning works on a sale that is done; `already_presented` the second time, and where a card was shown at it."""
    lab.sale(123_450, ref="s1")
    answer = lab.do("present.after", card=CARD, sale="s1")
    assert (answer["result"], answer["balances"]["points:M1:petrol"]) == ("accepted", 617)
    assert lab.reason("present.after", card=CARD, sale="s1") == ("declined", "already_presented")
    lab.sale(card=CARD, ref="s2")
    assert lab.reason("present.after", card=CARD, sale="s2") == ("declined", "already_presented")


def test_a_card_is_shown_after_on_the_business_day_of_the_sale_only(lab: Lab) -> None:
    lab.sale(at="2026-01-05T23:59:00", ref="s1")
    lab.sale(at="2026-01-05T23:59:30", ref="s2")
    assert lab.do("present.after", "2026-01-05T23:59:59", card=CARD, sale="s1")["points"] == 500
    assert lab.reason("present.after", "2026-01-06T00:00:00", card=CARD, sale="s2") == ("declined", "present_too_late")


def test_a_sale_that_a_card_was_shown_for_afterwards_is_reversed_with_its_points(lab: Lab) -> None:
    lab.sale(ref="s1")
    lab.do("present.after", card=CARD, sale="s1")
    assert lab.do("sale.reverse", sale="s1")["balances"]["points:M1:petrol"] == 0


def test_what_part_was_paid_by_points_is_remembered_for_a_card_shown_after(lab: Lab) -> None:
    tenders = [{"kind": "points", "amount_minor": 40_000}, {"kind": "cash", "amount_minor": 60_000}]
    lab.sale(100_000, ref="s1", tenders=tenders)
    assert lab.do("present.after", card=CARD, sale="s1")["points"] == 300


@pytest.mark.parametrize(
    "text",
    [
        SMS,
        "PARO 0012806566 ENDER AYTEKIN 20.03.1974",
        f"PARO {CARD} ENDER AYTEKİN 20.03.1974",
    ],
)
def test_a_message_activates(lab: Lab, text: str) -> None:
    """PARO, space, the last 10 of the 16 digits, name and surname in capitals, date of birth; İ and I are one."""
    lab.sale(card=CARD)
    answer = lab.do("sms", **{"from": "+90", "to": "6738", "text": text})
    assert (answer["result"], answer["reason"], answer["member"]) == ("accepted", None, "M1")
    assert lab.reason("redeem", holder="M1", product="diesel", points=1, proof={}) == ("accepted", None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("PARO 012806566 ENDER AYTEKİN 20.03.1974", "sms_format"),
        ("PUAN 0012806566 ENDER AYTEKİN 20.03.1974", "sms_format"),
        ("PARO 0012806566 ENDER 20.03.1974", "sms_format"),
        ("PARO 0012806566 ENDER AYTEKİN 20/03/1974", "sms_format"),
        ("PARO 0012806566 ENDER AYTEKİN 31.02.1974", "sms_format"),
        ("PARO 0012806566 Ender Aytekin 20.03.1974", "sms_format"),
        ("PARO0012806566 ENDER AYTEKİN 20.03.1974", "sms_format"),
        ("paro 0012806566 ENDER AYTEKİN 20.03.1974", "sms_format"),
        ("PARO 0012806566 ENDER AYTEKİN 1974-03-20", "sms_format"),
        ("PARO 00012806566 ENDER AYTEKİN 20.03.1974", "sms_format"),
        ("PARO  0012806566 ENDER AYTEKİN 20.03.1974", "sms_format"),
        ("", "sms_format"),
        ("PARO 9999990012806566 ENDER AYTEKİN 20.03.1974", "card_unknown"),
        ("PARO 9912806566 ENDER AYTEKİN 20.03.1974", "card_unknown"),
        ("PARO 0012806566 ENDER AYTEKİN 21.03.1974", "identity_mismatch"),
        ("PARO 0012806566 ENDER AYTEN 20.03.1974", "identity_mismatch"),
    ],
)
def test_a_message_that_activates_nothing_says_why(lab: Lab, text: str, reason: str) -> None:
    """Another form: `sms_format`; no such card: `card_unknown`; another person's data: `identity_mismatch`."""
    assert lab.reason("sms", **{"from": "+90", "to": "6738", "text": text}) == ("declined", reason)
    assert lab.reason("redeem", holder="M1", product="diesel", points=1, proof={}) == ("declined", "not_activated")


def test_a_message_to_another_number_activates_nothing(lab: Lab) -> None:
    assert lab.reason("sms", **{"from": "+90", "to": "6739", "text": SMS}) == ("declined", "sms_format")


def test_two_cards_with_the_same_ten_digits_are_told_apart_by_all_sixteen(lab: Lab) -> None:
    """`card_ambiguous`: all 16 digits are asked for."""
    lab.member("M2", card="1111110012806566", name="Ayşe")
    assert lab.reason("sms", **{"from": "+90", "to": "6738", "text": SMS}) == ("declined", "card_ambiguous")
    text = f"PARO {CARD} ENDER AYTEKİN 20.03.1974"
    assert lab.do("sms", **{"from": "+90", "to": "6738", "text": text})["member"] == "M1"


def test_points_move_to_a_new_card_when_name_surname_and_birth_date_agree(lab: Lab) -> None:
    """The phone is not compared; Aytekin is AYTEKİN."""
    lab.sale(card=CARD)
    form = {"name": "ender", "surname": "AYTEKİN", "birth_date": "1974-03-20", "phone": "0"}
    answer = lab.do("card.replace", old_card=CARD, new_card="N1", form=form)
    assert (answer["result"], answer["balances"]["points:M1:petrol"]) == ("accepted", 500)
    assert lab.sale(card="N1")["balances"]["points:M1:petrol"] == 1000
    assert lab.sale(card=CARD)["reason"] == "card_blocked"


@pytest.mark.parametrize("wrong", [{"name": "Ayşe"}, {"surname": "Demir"}, {"birth_date": "1974-03-21"}])
def test_points_stay_where_the_form_is_another_persons(lab: Lab, wrong: dict[str, str]) -> None:
    form = {**ENDER, **wrong}
    replace = {"old_card": CARD, "new_card": "N1", "form": form}
    assert lab.reason("card.replace", **replace) == ("declined", "identity_mismatch")
    assert lab.sale(card=CARD)["points"] == 500


def test_offline_earning_works_and_spending_needs_headquarters(lab: Lab) -> None:
    lab.do("member.activate", member="M1", channel="web")
    answer = lab.sale(card=CARD, offline=True)
    assert (answer["points"], answer.get("provisional")) == (500, None)
    redeem = {"holder": "M1", "product": "diesel", "points": 1, "proof": {}, "offline": True}
    assert lab.reason("redeem", **redeem) == ("declined", "needs_headquarters")


def test_other_cards_of_the_same_points_scheme_earn_the_same(lab: Lab) -> None:
    lab.do("card.issue", holder="M1", card="5200000000000001")
    assert lab.sale(card="5200000000000001")["points"] == lab.sale(card=CARD)["points"] == 500


def test_another_members_card_cannot_be_shown_for_a_sale_that_earned(lab: Lab) -> None:
    lab.member("M2", card="N1")
    lab.sale(ref="s1")
    lab.do("present.after", card=CARD, sale="s1")
    assert lab.reason("present.after", card="N1", sale="s1") == ("declined", "already_presented")
    assert (lab.balance("points:M1:petrol"), lab.balance("points:M2:petrol")) == (500, 0)


def test_a_message_that_activates_nothing_leaves_both_of_two_members_as_they_are(lab: Lab) -> None:
    lab.member("M2", card="1111110012806566", name="Ayşe")
    lab.do("sms", **{"from": "+90", "to": "6738", "text": SMS})
    for member in ("M1", "M2"):
        told = lab.reason("redeem", holder=member, product="diesel", points=1, proof={})
        assert told == ("declined", "not_activated")


def test_a_lost_card_is_replaced_and_its_number_earns_no_more(lab: Lab) -> None:
    lab.sale(card=CARD)
    lab.do("card.lost", card=CARD)
    assert lab.sale(card=CARD)["reason"] == "card_blocked"
    assert lab.do("card.replace", old_card=CARD, new_card="N1", form=ENDER)["balances"]["points:M1:petrol"] == 500

"""CNG inter-issuer cards: an account paid in advance, and the discount after the month."""

from typing import Any

import pytest

from tests.programmes.bench import Lab, cng

MONEY = "money:A"


def gas(lab: Lab, volume_m3: int, amount_minor: int, at: str = "", **more: Any) -> dict[str, Any]:
    return lab.sale(amount_minor, at, "account", volume_m3 * 1_000, product="cng", card="K1", **more)


def close(lab: Lab, at: str, period: str = "2026-01") -> dict[str, Any]:
    return lab.do("period.close", at, contract="A", period=period)


def test_the_worked_example() -> None:
    """5,200 m3 in January and a balance of 0 on 1 February: +6,240.00 UAH."""
    lab = cng(paid_in=10_400_000)
    gas(lab, 5_200, 10_400_000)
    answer = close(lab, "2026-02-01T00:00:00")
    assert (answer["result"], answer["reason"], answer["balances"]) == ("accepted", None, {MONEY: 624_000})


def test_the_worked_example_with_a_balance_just_below_zero() -> None:
    """With -0.01: nothing, `negative_balance`, whatever is paid in later."""
    lab = cng(paid_in=10_400_000)
    gas(lab, 5_200, 10_400_000)
    lab.do("account.pay_in", contract="A", amount_minor=-1)
    lab.do("account.pay_in", "2026-02-01T00:00:00", contract="A", amount_minor=1_000)
    answer = close(lab, "2026-02-10T00:00:00")
    assert (answer["result"], answer["reason"], answer["balances"]) == ("accepted", "negative_balance", {MONEY: 999})


def test_dispensing_stops_at_zero_and_a_sale_above_the_balance_is_declined_whole() -> None:
    lab = cng(paid_in=10_000)
    answer = gas(lab, 6, 10_001)
    assert (answer["result"], answer["reason"], answer["balances"]) == (
        "declined",
        "insufficient_funds",
        {MONEY: 10_000},
    )
    assert gas(lab, 6, 10_000)["balances"] == {MONEY: 0}
    assert gas(lab, 1, 1, offline=True)["reason"] == "insufficient_funds"


def test_offline_dispensing_goes_on_within_the_balance() -> None:
    lab = cng(paid_in=10_000)
    assert gas(lab, 6, 10_000, offline=True)["result"] == "accepted"


def test_an_unknown_card_gets_no_gas() -> None:
    lab = cng()
    answer = lab.sale(product="cng", card="K9")
    assert (answer["result"], answer["reason"]) == ("declined", "card_unknown")


def test_a_card_alone_identifies_a_plate_does_not() -> None:
    lab = cng()
    lab.do("card.issue", holder="A", card="K2", plates=["AA 1234 BB"])
    answer = lab.sale(product="cng", plate="AA1234BB")
    assert (answer["result"], answer["reason"]) == ("declined", "plate_not_bound")


@pytest.mark.parametrize(
    ("volume_m3", "discount"), [(999, None), (1_000, 50_000), (4_999, 249_950), (5_000, 600_000), (9_000, 1_080_000)]
)
def test_a_tier_applies_to_the_whole_months_volume(volume_m3: int, discount: int | None) -> None:
    lab = cng(paid_in=1_000)
    gas(lab, volume_m3, 1_000)
    answer = close(lab, "2026-02-01T00:00:00")
    assert answer["reason"] == (None if discount else "below_first_tier")
    assert answer["balances"] == {MONEY: discount or 0}


def test_the_months_discount_is_rounded_down_once_over_the_months_volume() -> None:
    """Three sales of 333.339 m3 and one of 0.001: each alone would lose fractions."""
    lab = cng(paid_in=1_000)
    for volume_ml in (333_339, 333_339, 333_339):
        lab.sale(100, "", "account", volume_ml, product="cng", card="K1")
    assert close(lab, "2026-02-01T00:00:00")["discount_minor"] == 1_000_017 * 50 // 1_000


def test_the_order_in_force_on_the_last_day_of_the_month_decides_and_replaces_the_earlier_whole() -> None:
    lab = cng(paid_in=1_000)
    tiers = [{"from_ml": 2_000_000, "discount_per_m3_minor": 10}]
    lab.do("order.publish", order="O2", valid_from="2026-01-31", tiers=tiers)
    lab.do("order.publish", order="O3", valid_from="2026-02-01", tiers=[{"from_ml": 0, "discount_per_m3_minor": 999}])
    gas(lab, 1_500, 1_000)
    assert close(lab, "2026-02-01T00:00:00")["reason"] == "below_first_tier"


def test_volume_counts_in_the_own_network_only() -> None:
    lab = cng(paid_in=10_000)
    gas(lab, 900, 1_000)
    gas(lab, 900, 1_000, acquirer="B")
    assert close(lab, "2026-02-01T00:00:00")["reason"] == "below_first_tier"


def test_what_another_network_served_is_owed_to_it_by_day() -> None:
    """Transactions are settled per pair and day (netting)."""
    lab = cng(paid_in=10_000)
    gas(lab, 10, 1_000, acquirer="B", ref="s1")
    gas(lab, 10, 500, acquirer="B")
    gas(lab, 10, 200, at="2026-01-06T00:00:00", acquirer="B")
    lab.do("sale.reverse", sale="s1")
    assert lab.balance("settlement:B:2026-01-05") == 500
    assert lab.balance("settlement:B:2026-01-06") == 200


def test_the_contract_must_be_valid_at_the_end_of_the_month() -> None:
    """`contract_not_valid` goes before the other reasons; a contract closed on the 1st was valid until then."""
    lab = cng(paid_in=1_000)
    gas(lab, 10, 1_000)
    lab.do("contract.close", "2026-01-31T23:59:59", contract="A")
    assert close(lab, "2026-02-01T00:00:00")["reason"] == "contract_not_valid"
    late = cng(paid_in=1_000)
    gas(late, 5_000, 1_000)
    late.do("contract.close", "2026-02-01T00:00:00", contract="A")
    assert close(late, "2026-02-02T00:00:00")["reason"] is None


def test_a_contract_without_prepayment_has_no_discount_and_no_limit() -> None:
    lab = cng()
    lab.do("contract.open", contract="P", prepaid=False)
    lab.do("card.issue", holder="P", card="K2")
    assert lab.sale(1_000, "", "account", 5_000_000, product="cng", card="K2")["balances"] == {"money:P": -1_000}
    answer = lab.do("period.close", "2026-02-01T00:00:00", contract="P", period="2026-01")
    assert answer["reason"] == "contract_not_valid"


def test_the_first_reason_that_holds_is_told() -> None:
    """Below the first tier goes before the negative balance."""
    lab = cng(paid_in=1_000)
    gas(lab, 10, 1_000)
    lab.do("account.pay_in", contract="A", amount_minor=-5)
    assert close(lab, "2026-02-01T00:00:00")["reason"] == "below_first_tier"


def test_the_balance_counts_as_it_stood_at_midnight_local_time() -> None:
    """A payment at 00:00 of the 1st came after the month; one a second before is in it."""
    for at, reason in (("2026-01-31T23:59:59", None), ("2026-02-01T00:00:00", "negative_balance")):
        lab = cng(paid_in=1_000)
        gas(lab, 5_000, 1_000)
        lab.do("account.pay_in", contract="A", amount_minor=-5)
        lab.do("account.pay_in", at, contract="A", amount_minor=5)
        assert close(lab, "2026-02-10T00:00:00")["reason"] == reason


def test_closing_twice_posts_nothing_the_second_time() -> None:
    lab = cng(paid_in=1_000)
    gas(lab, 1_000, 1_000)
    assert close(lab, "2026-02-01T00:00:00")["balances"] == {MONEY: 50_000}
    booked = len(lab.postings)
    again = close(lab, "2026-02-01T00:00:01")
    assert (again["result"], again["balances"], len(lab.postings)) == ("accepted", {MONEY: 50_000}, booked)


def test_a_period_that_is_not_over_is_open() -> None:
    lab = cng()
    assert close(lab, "2026-01-31T23:59:59")["reason"] == "period_open"
    assert close(lab, "2026-02-01T00:00:00")["reason"] == "below_first_tier"


def test_a_period_without_contract_lists_them_all() -> None:
    lab = cng(paid_in=1_000)
    lab.do("contract.open", contract="B", prepaid=True)
    gas(lab, 1_000, 1_000)
    answer = lab.do("period.close", "2026-02-01T00:00:00", period="2026-01")
    assert answer["reason"] is None
    assert [(one["contract"], one["reason"], one["discount_minor"]) for one in answer["results"]] == [
        ("A", None, 50_000),
        ("B", "below_first_tier", 0),
    ]
    assert answer["balances"] == {"money:A": 50_000, "money:B": 0}


def test_the_act_of_price_change() -> None:
    """Contract, month, volume, price before (amount by volume) and after, amounts, difference."""
    lab = cng(paid_in=2_000_000)
    gas(lab, 1_000, 2_000_000)
    assert close(lab, "2026-02-01T00:00:00")["act"] == {
        "contract": "A",
        "month": "2026-01",
        "volume_ml": 1_000_000,
        "price_before": "20.0000",
        "price_after": "19.5000",
        "amount_before_minor": 2_000_000,
        "amount_after_minor": 1_950_000,
        "difference_minor": -50_000,
        "order": "O1",
        "discount_per_m3_minor": 50,
    }


def test_a_reversed_sale_gives_money_and_volume_back() -> None:
    lab = cng(paid_in=2_000)
    gas(lab, 600, 1_000, ref="s1")
    gas(lab, 600, 1_000)
    assert lab.do("sale.reverse", sale="s1")["balances"] == {MONEY: 1_000}
    assert close(lab, "2026-02-01T00:00:00")["reason"] == "below_first_tier"


def test_a_sale_of_a_closed_month_that_is_reversed_corrects_the_discount_by_a_new_posting() -> None:
    lab = cng(paid_in=2_000)
    gas(lab, 4_900, 1_000)
    gas(lab, 300, 1_000, ref="s1")
    close(lab, "2026-02-01T00:00:00")
    before = list(lab.postings)
    answer = lab.do("sale.reverse", "2026-02-02T00:00:00", sale="s1")
    assert answer["balances"] == {MONEY: 4_900 * 50 + 1_000}
    assert lab.postings[: len(before)] == before


def test_an_order_published_after_a_month_was_closed_changes_nothing_of_it() -> None:
    """Nor does it where a sale of the month is reversed then: the order that decided corrects."""
    lab = cng(paid_in=2_000)
    gas(lab, 5_000, 1_000)
    gas(lab, 200, 1_000, ref="s1")
    assert close(lab, "2026-02-01T00:00:00")["balances"] == {MONEY: 5_200 * 120}
    tiers = [{"from_ml": 0, "discount_per_m3_minor": 1}]
    lab.do("order.publish", order="O2", valid_from="2026-01-31", tiers=tiers)
    assert close(lab, "")["balances"] == {MONEY: 5_200 * 120}
    assert lab.do("sale.reverse", sale="s1")["balances"] == {MONEY: 5_000 * 120 + 1_000}
    assert close(lab, "")["act"]["order"] == "O1"


def test_a_card_of_a_closed_contract_gets_nothing_until_it_is_opened_again() -> None:
    lab = cng(paid_in=1_000)
    lab.do("contract.close", contract="A")
    assert gas(lab, 1, 10)["reason"] == "contract_not_valid"
    assert lab.reason("card.issue", holder="A", card="K5") == ("declined", "contract_not_valid")
    assert lab.reason("contract.open", contract="A", prepaid=True) == ("accepted", None)
    assert gas(lab, 1, 10)["result"] == "accepted"


def test_a_lost_card_gets_nothing() -> None:
    lab = cng(paid_in=1_000)
    lab.do("card.lost", card="K1")
    answer = gas(lab, 1, 10)
    assert (answer["result"], answer["reason"]) == ("declined", "card_blocked")


def test_a_month_ends_at_local_midnight_also_in_summer_time() -> None:
    """March ends at 21:00 UTC, since clocks went forward on the 29th: in winter it would have been 22:00."""
    lab = cng(at="2026-03-05T10:00:00+02:00", paid_in=10_000)
    gas(lab, 999, 100, "2026-03-29T04:00:00+03:00")
    gas(lab, 1, 100, "2026-03-31T23:59:59+03:00")
    assert close(lab, "2026-03-31T23:59:59+03:00", "2026-03")["reason"] == "period_open"
    gas(lab, 5_000, 100, "2026-04-01T00:00:00+03:00")
    answer = close(lab, "2026-04-01T00:00:00+03:00", "2026-03")
    assert (answer["reason"], answer["discount_minor"]) == (None, 50_000)
    gas(lab, 1_000, 100, "2026-10-25T01:30:00+00:00")
    assert close(lab, "2026-10-31T21:59:59+00:00", "2026-10")["reason"] == "period_open"
    assert close(lab, "2026-10-31T22:00:00+00:00", "2026-10")["discount_minor"] == 50_000


@pytest.mark.parametrize(("before", "after", "reason"), [(True, False, None), (False, True, "contract_not_valid")])
def test_whether_a_contract_was_with_prepayment_is_asked_of_the_months_end(
    before: bool, after: bool, reason: str | None
) -> None:
    """What was agreed in a new contract afterwards changes nothing for the month before."""
    lab = Lab("cng-interissuer")
    tiers = [{"from_ml": 1_000_000, "discount_per_m3_minor": 50}]
    lab.do("order.publish", order="O1", valid_from="2026-01-01", tiers=tiers)
    lab.do("contract.open", contract="A", prepaid=before)
    lab.do("card.issue", holder="A", card="K1")
    lab.do("account.pay_in", contract="A", amount_minor=1_000)
    gas(lab, 1_000, 1_000)
    lab.do("contract.close", "2026-02-02T00:00:00", contract="A")
    lab.do("contract.open", contract="A", prepaid=after)
    assert close(lab, "2026-02-03T00:00:00")["reason"] == reason


def test_closing_all_and_then_one_posts_nothing_the_second_time() -> None:
    lab = cng(paid_in=1_000)
    gas(lab, 1_000, 1_000)
    first = lab.do("period.close", "2026-02-01T00:00:00", period="2026-01")
    booked = len(lab.postings)
    assert close(lab, "2026-02-02T00:00:00")["balances"] == first["balances"] == {MONEY: 50_000}
    assert lab.do("period.close", period="2026-01")["balances"] == {MONEY: 50_000}
    assert len(lab.postings) == booked


def test_the_discount_of_a_month_does_not_help_the_same_months_balance() -> None:
    """As it stood on the 1st: what was paid, got back or granted later does not change it."""
    lab = cng(paid_in=1_000)
    gas(lab, 5_000, 1_000, ref="s1")
    lab.do("account.pay_in", contract="A", amount_minor=-1)
    lab.do("sale.reverse", "2026-02-01T00:00:00", sale="s1")
    gas(lab, 5_000, 900)
    assert close(lab, "2026-02-02T00:00:00")["reason"] == "below_first_tier"
    lab.do("account.pay_in", "2026-02-28T23:59:59", contract="A", amount_minor=-100)
    lab.do("account.pay_in", "2026-03-01T00:00:00", contract="A", amount_minor=500)
    assert close(lab, "2026-03-02T00:00:00", "2026-02")["reason"] == "negative_balance"


def test_of_two_orders_of_one_date_the_later_published_holds() -> None:
    lab = cng(paid_in=1_000)
    lab.do("order.publish", order="O2", valid_from="2026-01-01", tiers=[{"from_ml": 0, "discount_per_m3_minor": 7}])
    gas(lab, 1_000, 1_000)
    answer = close(lab, "2026-02-01T00:00:00")
    assert (answer["act"]["order"], answer["discount_minor"]) == ("O2", 7_000)


def test_tiers_may_stand_in_any_order() -> None:
    lab = Lab("cng-interissuer")
    tiers = [
        {"from_ml": 5_000_000, "discount_per_m3_minor": 120},
        {"from_ml": 1_000_000, "discount_per_m3_minor": 50},
    ]
    lab.do("order.publish", order="O1", valid_from="2026-01-01", tiers=tiers)
    lab.do("contract.open", contract="A", prepaid=True)
    lab.do("card.issue", holder="A", card="K1")
    lab.do("account.pay_in", contract="A", amount_minor=1_000)
    gas(lab, 5_200, 1_000)
    assert close(lab, "2026-02-01T00:00:00")["discount_minor"] == 624_000


def test_the_account_pays_what_other_tenders_did_not_and_gets_that_back() -> None:
    lab = cng(paid_in=700)
    tenders = [{"kind": "cash", "amount_minor": 300}, {"kind": "account", "amount_minor": 700}]
    assert gas(lab, 10, 1_000, tenders=tenders, ref="s1")["balances"] == {MONEY: 0}
    assert lab.do("sale.reverse", sale="s1")["balances"] == {MONEY: 700}

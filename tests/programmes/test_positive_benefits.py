"""Positive Card, what is earned and spent: limits of a day, disputes, faults, abuse, mobile payment."""

import pytest

from tests.programmes.bench import Lab, earned, positive, redeem

# Limits.


def test_a_capped_sale_earns_what_is_left_and_carries_the_caps_reason() -> None:
    lab = positive()
    assert earned(lab.sale(600_000, card="K1")) == (5_000, "sale_cap")
    assert earned(lab.sale(300_000, card="K1")) == (3_000, None)
    assert earned(lab.sale(300_000, card="K1")) == (2_000, "daily_points_cap")
    assert earned(lab.sale(300_000, card="K1")) == (0, "daily_points_cap")
    assert earned(lab.sale(100_000, at="2026-01-06T00:00:00", card="K1")) == (1_000, None)


def test_the_most_earning_sales_of_a_day_over_all_stations() -> None:
    lab = positive()
    for hour in range(10, 15):
        assert earned(lab.sale(1_000, f"2026-01-05T{hour}:00:00", card="K1", station=f"S{hour}")) == (10, None)
    assert earned(lab.sale(1_000, "2026-01-05T15:00:00", card="K1")) == (0, "daily_sales_cap")


def test_a_reversed_sale_does_not_count_for_the_day() -> None:
    lab = positive()
    lab.sale(500_000, card="K1", ref="s1")
    lab.sale(500_000, card="K1")
    lab.do("sale.reverse", sale="s1")
    assert earned(lab.sale(100_000, card="K1")) == (1_000, None)


def test_offline_a_sale_is_provisional_where_a_limit_may_cut_it() -> None:
    assert positive().sale(card="K1", offline=True)["provisional"] is True


def test_one_sale_of_1000_tl_a_day_meets_no_limit() -> None:
    lab = positive()
    for day in range(10, 30):
        assert earned(lab.sale(100_000, f"2026-01-{day}T10:00:00", card="K1")) == (1_000, None)


def test_a_reversed_sale_frees_its_place_among_the_days_earning_sales() -> None:
    lab = positive()
    for number in range(5):
        lab.sale(1_000, volume_ml=10, card="K1", ref=f"s{number}")
    lab.do("sale.reverse", sale="s0")
    assert earned(lab.sale(1_000, volume_ml=10, card="K1")) == (10, None)
    assert earned(lab.sale(1_000, volume_ml=10, card="K1")) == (0, "daily_sales_cap")


# Spending.


def test_points_are_earned_before_activation_but_not_spent() -> None:
    lab = Lab("positive-card")
    lab.member(card="K1")
    assert earned(lab.sale(card="K1")) == (1_000, None)
    assert redeem(lab) == ("declined", "not_activated")
    lab.do("member.activate", member="M1", channel="web")
    assert redeem(lab) == ("accepted", None)


@pytest.mark.parametrize("missing", ["name", "surname", "phone"])
def test_name_surname_and_phone_are_required_to_spend(missing: str) -> None:
    lab = positive(**{missing: None})
    lab.sale(card="K1")
    assert redeem(lab) == ("declined", "profile_incomplete")


def test_spending_needs_a_one_time_password_headquarters_and_points() -> None:
    """Of several reasons: offline, then proof, then amount."""
    lab = positive()
    assert redeem(lab, proof={}, offline=True) == ("declined", "needs_headquarters")
    assert redeem(lab, proof={}) == ("declined", "otp_required")
    assert redeem(lab) == ("declined", "insufficient_points")


def test_points_expire_on_31_march_of_the_next_year() -> None:
    lab = positive("2025-12-31T23:59:59")
    lab.sale(card="K1")
    lab.sale(at="2026-01-01T00:00:00", card="K1")
    assert lab.do("clock", "2026-03-30T23:59:59")["balances"] == {}
    assert lab.do("clock", "2026-03-31T00:00:00")["balances"]["points:M1:fuel"] == 1_000
    lab.sale(at="2026-06-15T00:00:00", card="K1")
    lab.sale(at="2026-12-01T00:00:00", card="K1")
    assert lab.do("clock", "2027-03-30T23:59:59")["balances"] == {}
    assert lab.do("clock", "2027-03-31T00:00:00")["balances"]["points:M1:fuel"] == 0


# Disputes and faults.


@pytest.mark.parametrize(("at", "reason"), [("2026-01-13T23:59:59", None), ("2026-01-14T00:00:00", "dispute_too_late")])
def test_a_dispute_is_possible_until_the_end_of_the_8th_day_after_the_day_of_the_sale(
    at: str, reason: str | None
) -> None:
    lab = positive()
    lab.sale(at="2026-01-05T00:00:01", card="K1", ref="s1")
    assert lab.reason("dispute", at, sale="s1")[1] == reason


def test_a_dispute_of_an_unknown_sale_or_of_nobodys() -> None:
    lab = positive()
    lab.sale(ref="s1")
    assert lab.reason("dispute", sale="x") == ("declined", "sale_unknown")
    assert lab.reason("dispute", sale="s1") == ("declined", "holder_unknown")


@pytest.mark.parametrize(
    ("points", "fault", "approved", "reason"),
    [
        (5_000, True, True, None),
        (1, False, True, "fault_not_found"),
        (1, True, False, "approval_missing"),
        (5_001, True, True, "manual_limit"),
        (5_001, False, False, "fault_not_found"),
        (5_001, True, False, "approval_missing"),
    ],
)
def test_points_by_hand_need_a_fault_in_the_journal_an_approval_and_have_a_limit(
    points: int, fault: bool, approved: bool, reason: str | None
) -> None:
    lab = positive()
    adjust = {"member": "M1", "points": points, "fault_in_journal": fault, "approved_by_second": approved}
    answer = lab.do("adjust.fault", **adjust)
    assert (answer["result"], answer["reason"]) == ("declined" if reason else "accepted", reason)
    assert answer["balances"]["points:M1:fuel"] == (0 if reason else points)


# Abuse.


def test_more_in_a_day_than_a_tank_can_hold_stops_earning_until_a_review() -> None:
    lab = positive()
    assert earned(lab.sale(volume_ml=300_000, card="K1")) == (1_000, None)
    assert earned(lab.sale(volume_ml=1, card="K1")) == (0, "suspended")
    assert earned(lab.sale(at="2026-01-08T10:00:00", card="K1")) == (0, "suspended")
    assert lab.reason("member.review", member="M1", outcome="clear") == ("accepted", None)
    assert earned(lab.sale(card="K1")) == (1_000, None)
    assert lab.balance("points:M1:fuel") == 2_000


def test_a_reviewer_may_take_back_what_was_gained() -> None:
    lab = positive()
    lab.sale(50_000, card="K1")
    lab.sale(volume_ml=299_000, at="2026-01-06T10:00:00", card="K1")
    lab.sale(volume_ml=2_000, card="K1")
    answer = lab.do("member.review", member="M1", outcome="take_back")
    assert (answer["points"], answer["balances"]["points:M1:fuel"]) == (-1_000, 500)


@pytest.mark.parametrize(("minutes", "reason"), [(9, "suspended"), (10, None)])
def test_one_card_at_two_distant_stations_within_minutes(minutes: int, reason: str | None) -> None:
    lab = positive()
    lab.sale(card="K1", station="S1")
    assert lab.sale(at=f"2026-01-05T10:{minutes:02}:00", card="K1", station="S2")["reason"] == reason
    if reason:
        assert lab.do("member.review", member="M1", outcome="take_back")["balances"]["points:M1:fuel"] == 0


def test_one_card_twice_at_one_station_is_no_abuse() -> None:
    lab = positive()
    lab.sale(card="K1")
    assert earned(lab.sale(card="K1")) == (1_000, None)


def test_fuel_of_a_reversed_sale_is_in_no_tank() -> None:
    lab = positive()
    lab.sale(volume_ml=200_000, card="K1", ref="s1")
    lab.do("sale.reverse", sale="s1")
    assert earned(lab.sale(volume_ml=200_000, card="K1")) == (1_000, None)
    assert earned(lab.sale(volume_ml=100_001, card="K1")) == (0, "suspended")


def test_two_distant_stations_around_midnight_are_found_too_and_both_sales_can_be_taken_back() -> None:
    """The other sale of the pair was yesterday's."""
    lab = positive()
    lab.sale(at="2026-01-05T10:00:00", card="K1")
    lab.sale(50_000, at="2026-01-05T23:58:00", card="K1", station="S1")
    assert earned(lab.sale(at="2026-01-06T00:02:00", card="K1", station="S2")) == (0, "suspended")
    answer = lab.do("member.review", member="M1", outcome="take_back")
    assert (answer["points"], answer["balances"]["points:M1:fuel"]) == (-500, 1_000)


def test_sales_after_a_review_are_watched_from_its_very_moment_on() -> None:
    lab = positive()
    lab.sale(card="K1", station="S1")
    assert earned(lab.sale(card="K1", station="S2")) == (0, "suspended")
    lab.do("member.review", member="M1", outcome="clear")
    assert earned(lab.sale(card="K1", station="S3")) == (1_000, None)
    assert earned(lab.sale(card="K1", station="S1")) == (0, "suspended")


def test_fuel_that_was_reviewed_is_not_taken_off_the_day_again_when_its_sale_is_reversed() -> None:
    lab = positive()
    lab.sale(volume_ml=200_000, card="K1", ref="s1")
    lab.do("member.review", member="M1", outcome="clear")
    lab.sale(volume_ml=200_000, card="K1")
    lab.do("sale.reverse", sale="s1")
    assert earned(lab.sale(volume_ml=100_001, card="K1")) == (0, "suspended")


def test_a_sale_that_was_declined_put_nothing_into_a_tank() -> None:
    lab = positive()
    large = {"paid": "pay_and_go", "card": "K1", "volume_ml": 300_001, "station": "S2"}
    lab.sale(card="K1", station="S1")
    assert lab.sale(250_001, **large)["reason"] == "code_required"
    assert earned(lab.sale(card="K1", station="S1")) == (1_000, None)


# Mobile payment.


def test_a_payment_above_the_limit_needs_a_code() -> None:
    lab = positive()
    lab.do("card.link_credit", card="K1", credit_cards=[{"token": "T", "accepts": True}])
    answer = lab.sale(250_000, paid="pay_and_go", card="K1")
    assert (answer["result"], answer["charged"], answer["points"]) == ("accepted", "T", 2_500)
    assert lab.sale(250_001, paid="pay_and_go", card="K1")["reason"] == "code_required"


def test_what_cannot_be_collected_stays_a_debt_of_the_member() -> None:
    answer = positive().sale(10_000, paid="pay_and_go", card="K1")
    assert (answer["result"], answer["reason"], answer["balances"]["debt:M1"]) == ("accepted", "charge_failed", 10_000)


def test_a_member_cannot_reverse_a_sale_by_pay_and_go_the_company_can() -> None:
    lab = positive()
    lab.sale(10_000, paid="pay_and_go", card="K1", ref="s1")
    lab.sale(10_000, card="K1", ref="s2")
    assert lab.reason("sale.reverse", sale="s1", by="member") == ("declined", "not_reversible")
    assert lab.reason("sale.reverse", sale="s2", by="member") == ("accepted", None)
    assert lab.do("sale.reverse", sale="s1")["balances"]["debt:M1"] == 0
    assert lab.balance("points:M1:fuel") == 0

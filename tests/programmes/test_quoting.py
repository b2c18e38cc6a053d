"""quote() for a station, dated rules, sub-programmes, offline limits, the order of reasons."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.domain.programmes.ledger import Ledger, Leg, Posting
from controller.domain.programmes.offline import offline_limit, share_percent
from controller.domain.programmes.programme import ProgrammeError, parse
from controller.domain.programmes.quoting import Quote, SaleFacts, Standing, quote
from controller.domain.programmes.reasons import Reason
from controller.office.programme_commands import shipped
from controller.programme_files import shipped_text
from tests.programmes.bench import Lab

DAY = date(2026, 1, 5).toordinal()
HOUR_MS = 3_600_000
POSITIVE = shipped("positive-card").on(DAY)
SALE = SaleFacts("diesel", 20_000, 100_000, cash_minor=100_000)


def test_a_quote_needs_no_books() -> None:
    assert quote(POSITIVE, SALE, Standing(holder="M1")) == Quote(False, None, "fuel", 1_000)


def test_a_quote_without_headquarters_is_provisional() -> None:
    offline = SaleFacts("diesel", 20_000, 100_000, cash_minor=100_000, offline=True)
    assert quote(POSITIVE, offline, Standing(holder="M1")).provisional
    assert not quote(shipped("opet-kart").on(DAY), offline, Standing(holder="M1")).provisional


def test_a_code_that_was_given_lets_a_large_payment_pass() -> None:
    paid: dict[str, Any] = {"electronic_minor": 300_000, "pay_and_go_minor": 300_000}
    asked = SaleFacts("diesel", 1, 300_000, **paid)
    assert quote(POSITIVE, asked, Standing(holder="M1")) == Quote(True, Reason.CODE_REQUIRED)
    assert not quote(POSITIVE, SaleFacts("diesel", 1, 300_000, **paid, code_given=True), Standing(holder="M1")).declined


STANDING_REASONS: list[tuple[dict[str, Any], Reason]] = [
    ({"token_reason": Reason.CARD_BLOCKED}, Reason.CARD_BLOCKED),
    ({"plate": "plate_limit"}, Reason.PLATE_LIMIT),
    ({"cancelled": True}, Reason.INACTIVE_CANCELLED),
    ({"suspended": True}, Reason.SUSPENDED),
    ({"remote": True}, Reason.NOT_VERIFIED),
    ({"day_sales": 9}, Reason.DAILY_SALES_CAP),
]


@pytest.mark.parametrize("first", range(len(STANDING_REASONS)))
def test_of_several_reasons_the_first_of_the_order_is_told(first: int) -> None:
    """Token, holder's state, activation and profile, started, offline, proof, amount."""
    held: dict[str, Any] = {}
    for fields, _ in STANDING_REASONS[first:]:
        held.update(fields)
    assert quote(POSITIVE, SALE, Standing(holder="M1", **held)).reason == STANDING_REASONS[first][1]


def test_a_sale_is_judged_by_the_rules_in_force_at_its_time() -> None:
    """Two percent in February only, and again one from March: the sale of January stays what it was."""
    more = """
[[earn]]
from = 2026-02-01
until = 2026-03-01
name = "all-fuel"
purse = "fuel"
products = ["diesel"]
kind = "percent"
basis_points = 200

[[earn]]
from = 2026-03-01
name = "all-fuel"
purse = "fuel"
products = ["diesel"]
kind = "percent"
basis_points = 150
"""
    lab = Lab(toml=shipped_text("positive-card") + more)
    lab.member(card="K1")
    points = [
        lab.sale(100_000, at=f"2026-{moment}", card="K1")["points"]
        for moment in ("01-31T23:59:59", "02-01T00:00:00", "02-28T23:59:59", "03-01T00:00:00")
    ]
    assert points == [1_000, 2_000, 2_000, 1_500]


def test_a_rule_that_has_ended_leaves_none() -> None:
    toml = shipped_text("positive-card").replace("[[inactivity]]", "[[inactivity]]\nuntil = 2026-07-01")
    lab = Lab(toml=toml, at="2026-05-01T10:00:00")
    lab.member(card="K1")
    assert lab.sale(at="2027-05-01T10:00:00", card="K1")["reason"] is None


def test_an_inactivity_rule_that_begins_later_finds_members_of_before() -> None:
    before, rule = shipped_text("positive-card").split("[[inactivity]]")
    toml = f"{before}[[inactivity]]{rule.replace('2010-01-01', '2027-01-01', 1)}"
    lab = Lab(toml=toml, at="2026-01-05T10:00:00")
    lab.member(card="K1")
    lab.sale(card="K1")
    lab.do("clock", "2026-12-31T23:59:59")
    assert not lab.engine.books.holder_of["M1"].cancelled
    lab.do("clock", "2027-01-01T00:00:00")
    assert lab.engine.books.holder_of["M1"].cancelled


def test_a_sub_programme_has_other_rules_for_some_cards() -> None:
    more = """
[[earn]]
from = 2010-01-01
name = "taxis"
purse = "fuel"
products = ["diesel"]
kind = "percent"
basis_points = 300
cards = ["77"]
"""
    lab = Lab(toml=shipped_text("positive-card") + more)
    lab.member(card="K1")
    lab.do("card.issue", holder="M1", card="7701")
    assert lab.sale(100_000, card="7701")["points"] == 3_000
    assert lab.sale(100_000, card="K1")["points"] == 1_000
    assert lab.sale(100_000, card="7701", product="autogas")["points"] == 1_000


def test_a_plate_sold_may_take_back_all_that_it_earned() -> None:
    toml = shipped_text("positive-card").replace('sold_takes_back = "after_sale"', 'sold_takes_back = "all"')
    lab = Lab(toml=toml)
    lab.member(card="K1")
    lab.sale(50_000, card="K1")
    lab.do("member.verify", member="M1", plate="34 A 1")
    lab.sale(100_000, card="K1", plate="34 A 1")
    lab.sale(100_000, plate="34 A 1")
    answer = lab.do("plate.sold", member="M1", plate="34 A 1")
    assert (answer["points"], answer["balances"]["points:M1:fuel"]) == (-2_000, 500)


def test_stations_that_are_near_are_not_distant() -> None:
    toml = shipped_text("positive-card").replace("near = []", 'near = [["S1", "S2"], ["S2", "S3"]]')
    lab = Lab(toml=toml)
    lab.member(card="K1")
    reasons = [
        lab.sale(1_000, volume_ml=1, card="K1", station=station)["reason"] for station in ("S1", "S2", "S3", "S1")
    ]
    assert reasons == [None, None, None, "suspended"]


def test_an_order_may_stand_in_the_file_and_a_later_one_replaces_it() -> None:
    order = '\n[[order]]\nfrom = 2026-01-01\nname = "file"\ntiers = [{ from_ml = 0, discount_per_m3_minor = 100 }]\n'
    lab = Lab(toml=shipped_text("cng-interissuer") + order)
    lab.do("contract.open", contract="A", prepaid=True)
    lab.do("card.issue", holder="A", card="K1")
    lab.do("account.pay_in", contract="A", amount_minor=2)
    lab.sale(1, "", "account", 1_000, product="cng", card="K1")
    close = {"contract": "A", "period": "2026-01"}
    assert lab.do("period.close", "2026-02-01T00:00:00", **close)["act"]["order"] == "file"
    lab.do("order.publish", order="later", valid_from="2026-02-28", tiers=[{"from_ml": 0, "discount_per_m3_minor": 1}])
    lab.sale(1, "", "account", 1_000, product="cng", card="K1")
    answer = lab.do("period.close", "2026-03-01T00:00:00", contract="A", period="2026-02")
    assert answer["act"]["order"] == "later"


@pytest.mark.parametrize(("hours", "percent"), [(0, 100), (11, 100), (12, 70), (23, 70), (24, 30), (10_000, 30)])
def test_limits_shrink_with_the_age_of_the_last_contact(hours: int, percent: int) -> None:
    """0-12 h 100 %, 12-24 h 70 %, then the programme's floor."""
    rule = shipped("lpg-pass").on(DAY).offline
    assert share_percent(rule, hours * HOUR_MS) == percent
    assert offline_limit(rule, 1_001, 100, hours * HOUR_MS) == max(1_001 * percent // 100 - 100, 0)


def test_stations_together_spend_no_more_than_was_allotted() -> None:
    rule = shipped("petrolimex-id").on(DAY).offline
    allotted = (500, 300, 200)
    for age_ms in (0, 13 * HOUR_MS, 30 * HOUR_MS):
        assert sum(offline_limit(rule, one, 0, age_ms) for one in allotted) <= 1_000
    assert offline_limit(None, 1_000, 0, 0) == 0


@given(
    allotted=st.lists(st.integers(0, 5_000), min_size=1, max_size=6),
    asked=st.lists(st.tuples(st.integers(0, 5), st.integers(1, 2_000), st.integers(0, 40)), max_size=60),
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_whatever_offline_stations_spend_it_is_never_more_than_was_allotted(
    allotted: list[int], asked: list[tuple[int, int, int]]
) -> None:
    """Each by itself, at any age of its last contact, and so all of them together."""
    rule = shipped("lpg-pass").on(DAY).offline
    spent = [0] * len(allotted)
    for place, points, hours in asked:
        station = place % len(allotted)
        if points <= offline_limit(rule, allotted[station], spent[station], hours * HOUR_MS):
            spent[station] += points
            assert spent[station] <= allotted[station] * share_percent(rule, hours * HOUR_MS) // 100
    assert all(one <= most for one, most in zip(spent, allotted, strict=True))
    assert sum(spent) <= sum(allotted)


def test_a_product_belongs_to_one_purse_only() -> None:
    more = '\n[[purse]]\nfrom = 2026-01-01\nname = "second"\nproducts = ["diesel"]\n'
    with pytest.raises(ProgrammeError, match="diesel is in fuel and second"):
        parse(shipped_text("positive-card") + more, "x.toml")


def test_a_posting_that_does_not_sum_to_zero_is_not_booked() -> None:
    ledger = Ledger()
    with pytest.raises(ValueError, match="do not sum to zero"):
        ledger.post(Posting("r", 0, 0, "money", (Leg("a", 1), Leg("b", -2))))
    with pytest.raises(ValueError, match="do not sum to zero"):
        ledger.post(Posting("r", 0, 0, "money", (Leg("a", 0),)))
    assert ledger.commodities() == []

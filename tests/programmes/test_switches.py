"""Switches and dates that a company sets in its file: what changes from a day on, and what was before stays."""

import pytest

from controller.programme_files import shipped_text
from tests.programmes.bench import ENDER, Lab, petrolimex, positive

STOP = '\n[[stage]]\nfrom = 2026-03-01\nearning = false\nspending = false\nmerged_into = "opet-kart"\n'
SPEND = {"holder": "M1", "product": "diesel", "points": 1, "proof": {"otp": True}}


def member_of(toml: str, at: str = "2026-01-05T10:00:00") -> Lab:
    lab = Lab(toml=toml, at=at)
    lab.member(card="K1")
    lab.do("member.activate", member="M1", channel="web")
    return lab


def test_a_programme_that_was_stopped_earns_and_spends_nothing_from_that_day() -> None:
    lab = member_of(shipped_text("positive-card") + STOP)
    assert lab.sale(card="K1", at="2026-02-28T23:59:59")["points"] == 1_000
    assert lab.reason("redeem", **SPEND) == ("accepted", None)
    answer = lab.sale(card="K1", at="2026-03-01T00:00:00")
    assert (answer["result"], answer["reason"]) == ("accepted", "programme_stopped")
    assert lab.reason("redeem", **SPEND) == ("declined", "programme_stopped")
    assert lab.balance("points:M1:fuel") == 999


def test_another_day_of_expiry_holds_for_points_earned_from_then_on() -> None:
    """Those of before keep the day that held when they were earned."""
    later = "\n[[expiry]]\nfrom = 2026-03-01\nyears = 1\nmonth = 5\nday = 31\n"
    lab = member_of(shipped_text("positive-card") + later)
    lab.sale(card="K1", at="2026-02-28T23:59:59")
    lab.sale(card="K1", at="2026-03-01T00:00:00")
    for month in ("07", "12"):
        lab.sale(0, at=f"2026-{month}-15T10:00:00", volume_ml=1, card="K1")
    lab.sale(0, at="2027-03-30T23:59:59", volume_ml=1, card="K1")
    assert lab.balance("points:M1:fuel") == 2_000
    assert lab.do("clock", "2027-03-31T00:00:00")["balances"]["points:M1:fuel"] == 1_000
    assert lab.do("clock", "2027-05-30T23:59:59")["balances"] == {}
    assert lab.do("clock", "2027-05-31T00:00:00")["balances"]["points:M1:fuel"] == 0


@pytest.mark.parametrize(("switch", "left"), [("true", 0), ("false", 1_000)])
def test_points_of_a_cancelled_membership_are_deleted_by_a_switch(switch: str, left: int) -> None:
    """Shipped on. Either way the membership is cancelled: nothing is earned or spent any more."""
    toml = shipped_text("positive-card").replace("delete_points = true", f"delete_points = {switch}")
    lab = member_of(toml, "2026-04-15T10:00:00")
    lab.sale(card="K1")
    lab.do("clock", "2026-10-15T10:00:00")
    assert lab.balance("points:M1:fuel") == left
    assert lab.sale(card="K1")["reason"] == "inactive_cancelled"
    assert lab.reason("redeem", **SPEND) == ("declined", "inactive_cancelled")


def test_a_shorter_time_of_inactivity_holds_from_its_day_also_for_those_who_were_given_a_longer_one() -> None:
    rule = "\n[[inactivity]]\nfrom = {}\nmonths = {}\ndelete_points = true\n"
    later = rule.format("2026-02-01", 12) + rule.format("2026-09-01", 3)
    lab = member_of(shipped_text("positive-card") + later)
    lab.sale(card="K1")
    assert lab.do("clock", "2026-08-31T23:59:59")["balances"] == {}
    assert lab.do("clock", "2026-09-01T00:00:00")["balances"]["points:M1:fuel"] == 0
    assert lab.sale(card="K1")["reason"] == "inactive_cancelled"


def test_the_shipped_file_deletes_the_points_of_an_inactive_member() -> None:
    assert "delete_points = true" in shipped_text("positive-card")


def test_points_by_hand_are_no_purchase() -> None:
    """Neither is a redemption: only a sale begins the six months anew."""
    lab = positive("2026-01-15T10:00:00")
    fault = {"member": "M1", "points": 100, "fault_in_journal": True, "approved_by_second": True}
    assert lab.reason("adjust.fault", "2026-07-01T10:00:00", **fault) == ("accepted", None)
    assert lab.reason("redeem", **SPEND) == ("accepted", None)
    assert lab.do("clock", "2026-07-15T10:00:00")["balances"]["points:M1:fuel"] == 0


def test_a_qr_code_of_a_card_earns_by_the_rules_of_that_card() -> None:
    """A sub-programme for some cards holds whichever way the card is shown."""
    taxis = '\n[[earn]]\nfrom = 2010-01-01\nname = "taxis"\npurse = "fuel"\nproducts = ["diesel"]\nkind = "percent"\n'
    lab = member_of(shipped_text("positive-card") + taxis + 'basis_points = 300\ncards = ["77"]\n')
    lab.do("card.issue", holder="M1", card="7701")
    assert lab.sale(qr="7701")["points"] == lab.sale(card="7701")["points"] == 3_000
    assert lab.sale(qr="M1")["points"] == 1_000


def test_one_change_of_a_plate_a_year_is_for_card_and_app_together() -> None:
    lab = positive()
    lab.do("card.issue", holder="M1", card="K2", plates=["34 A 1"])
    lab.do("plate.add", member="M1", plate="34 B 1")
    first = {"member": "M1", "plate": "34 A 1", "new_plate": "34 A 2"}
    assert lab.reason("plate.change", **first) == ("accepted", None)
    for plate in ("34 A 2", "34 B 1"):
        again = {"member": "M1", "plate": plate, "new_plate": "34 C 1"}
        assert lab.reason("plate.change", **again) == ("declined", "plate_change_limit")


def test_the_most_points_of_a_day_are_counted_over_all_stations_and_tokens() -> None:
    lab = positive()
    tokens = [{"card": "K1"}, {"phone": ENDER["phone"]}, {"qr": "M1"}]
    for hour, token in zip((10, 12, 14), tokens, strict=True):
        answer = lab.sale(400_000, f"2026-01-05T{hour}:00:00", station=f"S{hour}", **token)
    assert (answer["points"], answer["reason"]) == (2_000, "daily_points_cap")


@pytest.mark.parametrize(
    ("programme", "provisional"), [("opet-kart", None), ("petrolimex-id", None), ("positive-card", True)]
)
def test_offline_a_sale_earns_as_ever(programme: str, provisional: bool | None) -> None:
    """Provisional where a limit over all stations may cut it, and only there."""
    labs = []
    for _ in range(2):
        lab = petrolimex() if programme == "petrolimex-id" else Lab(programme)
        if programme != "petrolimex-id":
            lab.member(card="K1")
        labs.append(lab)
    online, offline = labs[0].sale(card="K1"), labs[1].sale(card="K1", offline=True)
    assert offline["points"] == online["points"] > 0
    assert (online.get("provisional"), offline.get("provisional")) == (None, provisional)


def test_a_reversed_sale_takes_back_what_it_earned_under_the_rules_of_its_own_day() -> None:
    """The rate is doubled meanwhile: the reversal takes the old points out of their old lot."""
    double = """
[[earn]]
from = 2026-02-01
name = "all-fuel"
purse = "fuel"
products = ["diesel"]
kind = "percent"
basis_points = 200
"""
    lab = member_of(shipped_text("positive-card") + double, "2025-12-31T10:00:00")
    lab.sale(card="K1", ref="s1")
    lab.sale(card="K1", at="2026-02-01T10:00:00")
    assert lab.do("sale.reverse", sale="s1")["points"] == -1_000
    lab.do("clock", "2026-03-31T00:00:00")
    assert lab.balance("points:M1:fuel") == 2_000


@pytest.mark.parametrize(("minute", "reason"), [("08", "suspended"), ("20", None)])
def test_a_card_that_is_shown_afterwards_was_where_the_sale_was_made_when_it_was_made(
    minute: str, reason: str | None
) -> None:
    lab = member_of(shipped_text("positive-card") + "\n[[present_after]]\nfrom = 2020-01-01\n")
    lab.sale(ref="s1", station="S1")
    assert lab.sale(at=f"2026-01-05T10:{minute}:00", card="K1", station="S2")["reason"] is None
    assert lab.do("present.after", f"2026-01-05T10:{minute}:30", card="K1", sale="s1")["reason"] == reason
    # The later sale stays the one that the next is compared with.
    assert lab.sale(at="2026-01-05T10:23:00", card="K1", station="S2")["reason"] == reason


def test_points_go_to_the_purse_that_the_rule_of_earning_names() -> None:
    """Also where the product itself is paid from another purse, or from none."""
    rule = '\n[[earn]]\nfrom = 2020-01-01\nname = "{0}"\npurse = "{0}"\nproducts = ["{1}"]\n'
    rule += 'kind = "percent"\nbasis_points = 50\n'
    petrol = rule.format("petrol", "cng")
    lab = member_of(shipped_text("opet-kart") + petrol + rule.format("autogas", "gasoline"))
    assert lab.sale(card="K1", product="cng")["balances"]["points:M1:petrol"] == 500
    assert lab.sale(card="K1", product="gasoline")["balances"]["points:M1:autogas"] == 500
    assert lab.reason("redeem", **{**SPEND, "product": "gasoline"}) == ("accepted", None)


@pytest.mark.parametrize(
    ("name", "event", "fields"),
    [
        ("positive-card", "adjust.fault", {"member": "M1", "fault_in_journal": True, "approved_by_second": True}),
        ("petrolimex-id", "voucher.create", {"organisation": "M1", "voucher": "V1", "user_may_manage": True}),
    ],
)
def test_before_the_purse_begins_nothing_goes_into_it(name: str, event: str, fields: dict[str, str | bool]) -> None:
    text = shipped_text(name)
    for since in ("2010-01-01", "2021-01-01"):
        text = text.replace(f"[[purse]]\nfrom = {since}", "[[purse]]\nfrom = 2024-01-01")
    lab = Lab(toml=text, at="2023-12-05T10:00:00")
    lab.member(card="K1", kind="organisation")
    lab.do("member.verify", member="M1")
    answer = lab.sale(card="K1")
    assert (answer["result"], answer["reason"], answer["balances"]) == ("accepted", "product_not_allowed", {})
    assert lab.reason(event, points=1, **fields) == ("declined", "not_offered")
    assert lab.sale(card="K1", at="2024-01-01T00:00:00")["points"] > 0

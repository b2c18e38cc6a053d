"""Petrolimex ID: points by tender, expiry before 31 March, passwords and PINs, vouchers of organisations."""

from typing import Any

import pytest

from tests.programmes.bench import Lab, petrolimex

OTP = {"otp": True}
PIN = {"pin": "ok"}


def redeem(lab: Lab, points: int = 10, proof: dict[str, Any] | None = None, **more: Any) -> tuple[str, str | None]:
    return lab.reason("redeem", holder="M1", product="diesel", points=points, proof=proof or {}, **more)


@pytest.fixture
def fleet() -> Lab:
    """A verified organisation with 500 points."""
    lab = petrolimex(kind="organisation")
    lab.sale(100_000, card="K1", paid="electronic")
    return lab


def voucher(lab: Lab, points: int = 300, name: str = "V1") -> dict[str, Any]:
    return lab.do("voucher.create", organisation="M1", voucher=name, points=points, user_may_manage=True)


@pytest.mark.parametrize(
    ("tenders", "points"),
    [
        ({"electronic": 105_000}, 500),
        ({"cash": 59_999}, 100),
        ({"cash": 30_000, "electronic": 25_000}, 150),
        ({"pay_and_go": 10_000}, 50),
        ({"electronic": 5_000, "pay_and_go": 5_000}, 50),
        ({"points": 100_000, "cash": 20_000}, 50),
        ({"account": 100_000}, 0),
        ({"electronic": 9_999}, 0),
    ],
)
def test_points_for_every_full_step_of_each_part(tenders: dict[str, int], points: int) -> None:
    """50 points for every full 10,000 VND electronic, 20,000 VND in cash; a sale paid in each earns by part;
    `pay_and_go` counts as electronic; what is paid by points earns nothing."""
    lab = petrolimex()
    listed = [{"kind": kind, "amount_minor": amount} for kind, amount in tenders.items()]
    answer = lab.sale(sum(tenders.values()), card="K1", tenders=listed)
    assert (answer["reason"], answer["balances"]["points:M1:fuel"]) == (None, points)
    assert answer.get("debt_minor") is None


def test_earning_started_on_15_november_2021() -> None:
    """Before, by local time: `not_started`; of an unverified member `not_verified`, which comes first."""
    lab = Lab("petrolimex-id", at="2021-11-14T23:59:59")
    lab.member(card="K1")
    assert lab.sale(20_000, card="K1")["reason"] == "not_verified"
    lab.do("member.verify", member="M1")
    assert lab.sale(20_000, card="K1")["reason"] == "not_started"
    assert lab.sale(20_000, at="2021-11-15T00:00:00", card="K1")["points"] == 50


def test_redemption_started_on_10_november_2022() -> None:
    lab = petrolimex("2022-11-09T23:00:00")
    lab.sale(100_000, card="K1")
    assert redeem(lab, proof=OTP) == ("declined", "not_started")
    lab.at = "2022-11-10T00:00:00"
    assert redeem(lab, proof=OTP) == ("accepted", None)


def test_only_a_verified_member_earns() -> None:
    """`not_verified`, also for one enrolled at the station."""
    lab = Lab("petrolimex-id", at="2023-01-05T10:00:00")
    lab.member(card="K1")
    answer = lab.sale(card="K1")
    assert (answer["result"], answer["reason"], answer["balances"]["points:M1:fuel"]) == ("accepted", "not_verified", 0)


def test_points_expire_before_31_march_of_the_next_year() -> None:
    lab = petrolimex("2022-06-01T12:00:00")
    lab.sale(100_000, card="K1", paid="electronic")
    assert lab.do("clock", "2023-03-30T23:59:59+07:00")["balances"] == {}
    assert lab.balance("points:M1:fuel") == 500
    answer = lab.do("clock", "2023-03-31T00:00:00+07:00")
    assert answer["balances"] == {"points:M1:fuel": 0, "available:M1:fuel": 0}
    assert answer["reason"] is None


def test_points_of_2021_are_usable_up_to_31_march_2023() -> None:
    lab = petrolimex("2021-12-01T12:00:00")
    lab.sale(100_000, card="K1", paid="electronic")
    lab.do("clock", "2023-03-31T23:59:59+07:00")
    assert lab.balance("points:M1:fuel") == 500
    assert lab.do("clock", "2023-04-01T00:00:00+07:00")["balances"]["available:M1:fuel"] == 0


def test_points_of_the_last_moment_of_2021_by_local_time() -> None:
    """23:59 on 31 December in Vietnam is still 2021, an hour that is 1 January there is 2022."""
    lab = petrolimex("2021-12-31T16:59:59+00:00")
    lab.sale(10_000, card="K1", paid="electronic")
    lab.sale(10_000, at="2021-12-31T17:00:00+00:00", card="K1", paid="electronic")
    assert lab.do("clock", "2023-03-31T00:00:00+07:00")["balances"]["points:M1:fuel"] == 50
    assert lab.do("clock", "2023-04-01T00:00:00+07:00")["balances"]["points:M1:fuel"] == 0


def test_a_person_redeems_with_a_one_time_password() -> None:
    lab = petrolimex()
    lab.sale(100_000, card="K1", paid="electronic")
    assert redeem(lab) == ("declined", "otp_required")
    assert redeem(lab, proof={"otp": False}) == ("declined", "otp_required")
    assert redeem(lab, 500, OTP) == ("accepted", None)
    assert redeem(lab, 1, OTP) == ("declined", "insufficient_points")


def test_an_organisation_redeems_with_its_pin(fleet: Lab) -> None:
    assert redeem(fleet) == ("declined", "pin_required")
    assert redeem(fleet, proof={"otp": True}) == ("declined", "pin_required")
    assert redeem(fleet, proof={"pin": "wrong"}) == ("declined", "pin_wrong")
    assert redeem(fleet, proof=PIN) == ("accepted", None)


def test_three_wrong_pins_in_a_row_lock_and_the_third_already_says_so(fleet: Lab) -> None:
    wrong = {"pin": "wrong"}
    assert [redeem(fleet, proof=wrong)[1] for _ in range(3)] == ["pin_wrong", "pin_wrong", "pin_locked"]
    assert redeem(fleet, proof=PIN) == ("declined", "pin_locked")


def test_a_right_pin_resets_the_count(fleet: Lab) -> None:
    wrong = {"pin": "wrong"}
    proofs = (wrong, wrong, PIN, wrong, wrong, wrong)
    reasons = [redeem(fleet, proof=proof)[1] for proof in proofs]
    assert reasons == ["pin_wrong", "pin_wrong", None, "pin_wrong", "pin_wrong", "pin_locked"]


def test_a_pin_that_is_not_asked_for_is_not_counted(fleet: Lab) -> None:
    """Offline comes before the proof."""
    for _ in range(3):
        assert redeem(fleet, proof={"pin": "wrong"}, offline=True) == ("declined", "needs_headquarters")
    assert redeem(fleet, proof=PIN) == ("accepted", None)


def test_a_voucher_takes_its_points_out_of_the_available_ones(fleet: Lab) -> None:
    assert voucher(fleet)["balances"] == {"points:M1:fuel": 500, "available:M1:fuel": 200, "voucher:V1": 300}
    assert redeem(fleet, 201, PIN) == ("declined", "insufficient_points")


def test_a_voucher_is_made_by_a_user_with_the_right_only(fleet: Lab) -> None:
    create = {"organisation": "M1", "voucher": "V1", "points": 300, "user_may_manage": False}
    assert fleet.reason("voucher.create", **create) == ("declined", "permission_missing")
    voucher(fleet)
    cancel = {"organisation": "M1", "voucher": "V1", "user_may_manage": False}
    assert fleet.reason("voucher.cancel", **cancel) == ("declined", "permission_missing")


def test_more_than_is_available_makes_no_voucher(fleet: Lab) -> None:
    assert voucher(fleet, 501)["reason"] == "insufficient_points"


def test_a_voucher_is_spent_in_parts_with_the_drivers_pin(fleet: Lab) -> None:
    voucher(fleet)
    proof = {"voucher": "V1", "driver_pin": "ok"}
    assert redeem(fleet, 100, proof) == ("accepted", None)
    answer = fleet.do("redeem", holder="M1", product="diesel", points=200, proof=proof)
    assert answer["balances"] == {"points:M1:fuel": 200, "available:M1:fuel": 200, "voucher:V1": 0}
    assert redeem(fleet, 1, proof) == ("declined", "insufficient_points")


def test_wrong_driver_pins_are_counted_by_voucher(fleet: Lab) -> None:
    voucher(fleet, 100, "V1")
    voucher(fleet, 100, "V2")
    assert redeem(fleet, proof={"voucher": "V1"}) == ("declined", "pin_required")
    wrong = {"voucher": "V1", "driver_pin": "wrong"}
    assert [redeem(fleet, proof=wrong)[1] for _ in range(3)] == ["pin_wrong", "pin_wrong", "pin_locked"]
    assert redeem(fleet, proof={"voucher": "V1", "driver_pin": "ok"}) == ("declined", "pin_locked")
    assert redeem(fleet, proof={"voucher": "V2", "driver_pin": "ok"}) == ("accepted", None)
    assert redeem(fleet, proof=PIN) == ("accepted", None)


def test_a_cancelled_vouchers_rest_is_available_again(fleet: Lab) -> None:
    voucher(fleet, 300)
    redeem(fleet, 100, {"voucher": "V1", "driver_pin": "ok"})
    answer = fleet.do("voucher.cancel", organisation="M1", voucher="V1", user_may_manage=True)
    assert answer["balances"] == {"points:M1:fuel": 400, "available:M1:fuel": 400, "voucher:V1": 0}
    cancel = {"organisation": "M1", "voucher": "V1", "user_may_manage": True}
    assert fleet.reason("voucher.cancel", **cancel) == ("declined", "voucher_unknown")


def test_a_voucher_of_two_years_returns_each_part_to_its_own_lot() -> None:
    lab = petrolimex("2022-12-01T10:00:00", kind="organisation")
    lab.sale(100_000, card="K1", paid="electronic")
    lab.sale(100_000, at="2023-01-05T10:00:00", card="K1", paid="electronic")
    purse = lab.engine.books.holder_of["M1"].purses["fuel"]
    before = purse.snapshot()
    voucher(lab, 700)
    redeem(lab, 600, {"voucher": "V1", "driver_pin": "ok"})
    lab.do("voucher.cancel", organisation="M1", voucher="V1", user_may_manage=True)
    (first, _, _), (second, _, _) = before
    # The lot that expires first was spent first: the rest is of the second.
    assert purse.snapshot() == [(second, 400, 0)]
    assert first < second


def test_a_voucher_expires_with_its_lots(fleet: Lab) -> None:
    voucher(fleet)
    answer = fleet.do("clock", "2024-03-31T00:00:00")
    assert answer["balances"] == {"points:M1:fuel": 0, "available:M1:fuel": 0, "voucher:V1": 0}
    assert redeem(fleet, 10, {"voucher": "V1", "driver_pin": "ok"}) == ("declined", "voucher_expired")
    assert redeem(fleet, 10, {"voucher": "V9", "driver_pin": "ok"}) == ("declined", "voucher_unknown")


def test_anothers_voucher_is_unknown(fleet: Lab) -> None:
    voucher(fleet)
    fleet.member("M2", kind="organisation")
    spend = {"holder": "M2", "product": "diesel", "points": 1, "proof": {"voucher": "V1", "driver_pin": "ok"}}
    assert fleet.reason("redeem", **spend) == ("declined", "voucher_unknown")
    cancel = {"organisation": "M2", "voucher": "V1", "user_may_manage": True}
    assert fleet.reason("voucher.cancel", **cancel) == ("declined", "voucher_unknown")


def test_a_reversed_voucher_redemption_goes_back_to_the_voucher_or_where_it_went(fleet: Lab) -> None:
    voucher(fleet)
    fleet.do("redeem", ref="r1", holder="M1", product="diesel", points=100, proof={"voucher": "V1", "driver_pin": "ok"})
    assert fleet.do("sale.reverse", sale="r1")["balances"]["voucher:V1"] == 300
    fleet.do("redeem", ref="r2", holder="M1", product="diesel", points=100, proof={"voucher": "V1", "driver_pin": "ok"})
    fleet.do("voucher.cancel", organisation="M1", voucher="V1", user_may_manage=True)
    assert fleet.do("sale.reverse", sale="r2")["balances"]["available:M1:fuel"] == 500


def test_offline_only_a_voucher_can_be_spent(fleet: Lab) -> None:
    """Spending from what headquarters keeps is refused; a voucher is set apart."""
    voucher(fleet)
    assert redeem(fleet, proof=PIN, offline=True) == ("declined", "needs_headquarters")
    assert redeem(fleet, proof={"voucher": "V1", "driver_pin": "ok"}, offline=True) == ("accepted", None)


def test_a_persons_voucher_there_is_none() -> None:
    lab = petrolimex()
    lab.sale(card="K1")
    assert voucher(lab)["reason"] == "holder_unknown"


def test_points_are_earned_at_the_companys_own_stations_only() -> None:
    """A sale that another network served is a sale, and earns nothing."""
    lab = petrolimex()
    answer = lab.sale(100_000, card="K1", acquirer="B", ref="s1")
    assert (answer["result"], answer["reason"], answer["balances"]["points:M1:fuel"]) == ("accepted", "not_offered", 0)
    assert lab.do("sale.reverse", sale="s1")["balances"]["points:M1:fuel"] == 0
    assert lab.sale(100_000, card="K1")["points"] == 250


def test_a_right_pin_resets_the_count_also_where_there_are_not_enough_points(fleet: Lab) -> None:
    wrong = {"pin": "wrong"}
    proofs = [(10, wrong), (10, wrong), (501, PIN), (10, wrong), (10, wrong), (10, PIN)]
    reasons = [redeem(fleet, points, proof)[1] for points, proof in proofs]
    assert reasons == ["pin_wrong", "pin_wrong", "insufficient_points", "pin_wrong", "pin_wrong", None]


def test_a_locked_pin_of_the_organisation_locks_no_voucher(fleet: Lab) -> None:
    voucher(fleet)
    for _ in range(3):
        redeem(fleet, proof={"pin": "wrong"})
    assert redeem(fleet, proof=PIN) == ("declined", "pin_locked")
    assert redeem(fleet, proof={"voucher": "V1", "driver_pin": "ok"}) == ("accepted", None)


def test_a_voucher_of_two_years_loses_what_expires_first_and_keeps_the_rest() -> None:
    lab = petrolimex("2022-12-01T10:00:00", kind="organisation")
    lab.sale(100_000, card="K1", paid="electronic")
    lab.sale(100_000, at="2023-01-05T10:00:00", card="K1", paid="electronic")
    voucher(lab, 700)
    answer = lab.do("clock", "2023-03-31T00:00:00")
    assert answer["balances"] == {"points:M1:fuel": 500, "available:M1:fuel": 300, "voucher:V1": 200}
    proof = {"voucher": "V1", "driver_pin": "ok"}
    assert redeem(lab, 201, proof) == ("declined", "insufficient_points")
    assert redeem(lab, 200, proof) == ("accepted", None)


def test_what_expired_in_a_voucher_was_not_spent(fleet: Lab) -> None:
    """A sale that is reversed after its points expired costs nothing, though a voucher held some of them."""
    fleet.sale(100_000, ref="s2", card="K1", paid="electronic")
    voucher(fleet, 700)
    redeem(fleet, 200, {"voucher": "V1", "driver_pin": "ok"})
    fleet.at = "2024-03-31T00:00:00"
    assert fleet.do("sale.reverse", sale="s2")["balances"]["points:M1:fuel"] == 0
    assert fleet.do("sale.reverse", sale="e4")["balances"]["points:M1:fuel"] == -200


def test_a_sale_reversed_while_a_voucher_holds_its_points_is_a_debt_until_the_voucher_expires(fleet: Lab) -> None:
    voucher(fleet, 300)
    answer = fleet.do("sale.reverse", sale="e4")
    assert answer["balances"] == {"points:M1:fuel": 0, "available:M1:fuel": -300}
    fleet.sale(20_000, at="2024-01-05T10:00:00", card="K1", paid="electronic")
    answer = fleet.do("clock", "2024-03-31T00:00:00")
    assert answer["balances"] == {"points:M1:fuel": 100, "available:M1:fuel": 100, "voucher:V1": 0}


def test_points_are_available_until_the_last_second_of_30_march() -> None:
    lab = petrolimex("2022-06-01T12:00:00")
    lab.sale(100_000, card="K1", paid="electronic")
    lab.at = "2023-03-30T23:59:59"
    assert redeem(lab, 499, OTP) == ("accepted", None)
    lab.at = "2023-03-31T00:00:00"
    assert redeem(lab, 1, OTP) == ("declined", "insufficient_points")

"""Positive Card, who takes part: consents, age, tokens, plates, cards, the six months without a purchase."""

from typing import Any

import pytest

from tests.programmes.bench import ENDER, Lab, earned, positive, redeem

PLATES = ("34 A 1", "34 A 2", "34 A 3")


# Enrolment.


def test_one_percent_of_the_amount() -> None:
    assert positive().sale(123_456, card="K1")["balances"]["points:M1:fuel"] == 1_234


@pytest.mark.parametrize("consents", [[], ["commercial", "card_data"]])
def test_without_the_consent_information_nobody_is_enrolled(consents: list[str]) -> None:
    lab = Lab("positive-card")
    answer = lab.reason("member.enrol", member="M1", kind="person", consents=consents, **ENDER)
    assert answer == ("declined", "consent_missing")


def test_consents_are_recorded_one_by_one_with_time_and_channel() -> None:
    lab = positive(consents=["information", "commercial"], channel="app")
    holder = lab.engine.books.holder_of["M1"]
    assert [(consent.name, consent.channel) for consent in holder.consents] == [
        ("information", "app"),
        ("commercial", "app"),
    ]
    assert {consent.at_ms for consent in holder.consents} == {1_767_596_400_000}


@pytest.mark.parametrize(
    ("birth_date", "at", "reason"),
    [
        ("2008-01-05", "2026-01-05T00:00:00", None),
        ("2008-01-06", "2026-01-05T23:59:59", "under_age"),
        ("2008-02-29", "2026-02-28T23:59:59", "under_age"),
        ("2008-02-29", "2026-03-01T00:00:00", None),
        (None, "2026-01-05T00:00:00", "under_age"),
    ],
)
def test_the_18th_birthday_is_reached(birth_date: str | None, at: str, reason: str | None) -> None:
    """Who was born on 29 February reaches it on 1 March. Without a date of birth nobody is of age."""
    lab = Lab("positive-card", at=at)
    enrol = {"member": "M1", "kind": "person", "consents": ["information"], "birth_date": birth_date}
    assert lab.reason("member.enrol", **enrol)[1] == reason


def test_a_member_is_enrolled_once() -> None:
    lab = positive()
    enrol = {"member": "M1", "kind": "person", "consents": ["information"], **ENDER}
    assert lab.reason("member.enrol", **enrol) == ("declined", "refused")


def test_the_first_use_of_a_card_accepts_the_terms() -> None:
    lab = positive()
    assert lab.sale(card="K1")["terms_accepted"] is True
    assert "terms_accepted" not in lab.sale(card="K1")


@pytest.mark.parametrize("channel", ["web", "app"])
def test_a_membership_made_by_web_or_app_earns_after_the_phone_was_verified(channel: str) -> None:
    lab = positive(channel=channel)
    assert earned(lab.sale(card="K1")) == (0, "not_verified")
    lab.do("member.verify", member="M1")
    assert earned(lab.sale(card="K1")) == (1_000, None)


@pytest.mark.parametrize("channel", ["station", "sms"])
def test_a_membership_made_otherwise_earns_at_once(channel: str) -> None:
    assert earned(positive(channel=channel).sale(card="K1")) == (1_000, None)


@pytest.mark.parametrize("token", [{"card": "K1"}, {"qr": "K1"}, {"qr": "M1"}, {"phone": "+90 532 111-22-33"}])
def test_tokens(token: dict[str, str]) -> None:
    """Card, plate, phone, QR code."""
    assert earned(positive().sale(**token)) == (1_000, None)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ({"card": "X"}, "card_unknown"),
        ({"qr": "X"}, "card_unknown"),
        ({"phone": "1"}, "holder_unknown"),
        ({"member": "X"}, "holder_unknown"),
        ({"plate": "X"}, "plate_not_bound"),
    ],
)
def test_an_unknown_token_earns_nothing_and_the_sale_stands(token: dict[str, str], reason: str) -> None:
    assert earned(positive().sale(**token)) == (0, reason)


# Plates.


def bound(lab: Lab, *plates: str, **token: str) -> None:
    for plate in plates:
        lab.do("member.verify", member="M1", plate=plate)
        assert lab.sale(1_000, volume_ml=10, plate=plate, **(token or {"card": "K1"}))["plate_bound"]


def test_each_new_plate_is_bound_by_a_purchase_after_it_was_verified() -> None:
    lab = positive()
    assert earned(lab.sale(card="K1", plate=PLATES[0])) == (0, "not_verified")
    lab.do("member.verify", member="M1")
    assert earned(lab.sale(card="K1", plate=PLATES[0])) == (0, "not_verified")
    lab.do("member.verify", member="M1", plate="34-a-1")
    answer = lab.sale(card="K1", plate=PLATES[0])
    assert (answer["reason"], answer["plate_bound"]) == (None, "34A1")
    assert earned(lab.sale(plate="34 A.1")) == (1_000, None)
    assert earned(lab.sale(card="K1", plate=PLATES[1])) == (0, "not_verified")


def test_with_two_bound_another_plate_earns_nothing_verified_or_not() -> None:
    lab = positive()
    bound(lab, PLATES[0], PLATES[1])
    assert earned(lab.sale(card="K1", plate=PLATES[2])) == (0, "plate_limit")
    lab.do("member.verify", member="M1", plate=PLATES[2])
    assert earned(lab.sale(card="K1", plate=PLATES[2])) == (0, "plate_limit")
    assert earned(lab.sale(card="K1", plate=PLATES[0])) == (1_000, None)


def test_two_plates_a_card_and_two_in_the_app() -> None:
    lab = positive()
    bound(lab, PLATES[0], PLATES[1])
    bound(lab, PLATES[2], "34 A 4", phone=ENDER["phone"])
    lab.do("member.verify", member="M1", plate="34 A 5")
    assert lab.sale(1_000, at="2026-01-06T10:00:00", phone=ENDER["phone"], plate="34 A 5")["reason"] == "plate_limit"


def test_a_third_plate_in_the_app_is_refused() -> None:
    lab = positive()
    reasons = [lab.reason("plate.add", member="M1", plate=plate)[1] for plate in PLATES]
    assert reasons == [None, None, "plate_limit"]


def test_a_plate_alone_that_is_bound_to_nobody_earns_nothing_even_if_it_was_verified() -> None:
    lab = positive()
    lab.do("member.verify", member="M1", plate=PLATES[0])
    assert earned(lab.sale(plate=PLATES[0])) == (0, "plate_not_bound")


def test_a_plate_is_bound_to_one_member() -> None:
    lab = positive()
    bound(lab, PLATES[0])
    lab.member("M2", card="K2", phone="1")
    lab.do("member.verify", member="M2", plate=PLATES[0])
    assert earned(lab.sale(card="K2", plate=PLATES[0])) == (0, "plate_in_use")
    assert lab.reason("plate.add", member="M2", plate=PLATES[0]) == ("declined", "plate_in_use")


def test_one_plate_is_changed_once_a_calendar_year() -> None:
    """Over all channels together; the new one has to be verified and bound again."""
    lab = positive()
    bound(lab, PLATES[0], PLATES[1])
    change = {"member": "M1", "plate": PLATES[0], "new_plate": PLATES[2]}
    assert lab.reason("plate.change", **change) == ("accepted", None)
    assert earned(lab.sale(plate=PLATES[0])) == (0, "plate_not_bound")
    assert earned(lab.sale(card="K1", plate=PLATES[2])) == (0, "not_verified")
    bound(lab, PLATES[2])
    again = {"member": "M1", "plate": PLATES[1], "new_plate": "34 A 9"}
    assert lab.reason("plate.change", **again) == ("declined", "plate_change_limit")
    lab.sale(1_000, at="2026-06-01T10:00:00", card="K1")
    assert lab.reason("plate.change", "2026-11-30T23:59:59", **again) == ("declined", "plate_change_limit")
    lab.sale(1_000, card="K1")
    assert lab.reason("plate.change", "2027-01-01T00:00:00", **again) == ("accepted", None)


def test_a_plate_that_is_not_the_members_is_not_changed() -> None:
    change = {"member": "M1", "plate": "34 Z 9", "new_plate": "34 Z 8"}
    assert positive().reason("plate.change", **change) == ("declined", "plate_not_bound")


def test_a_sold_vehicles_plate_is_released() -> None:
    lab = positive()
    bound(lab, PLATES[0], PLATES[1])
    assert lab.do("plate.sold", member="M1", plate=PLATES[0])["result"] == "accepted"
    assert earned(lab.sale(plate=PLATES[0])) == (0, "plate_not_bound")
    assert lab.balance("points:M1:fuel") == 20
    bound(lab, PLATES[2])
    lab.member("M2", card="K2", phone="1")
    lab.do("member.verify", member="M2", plate=PLATES[0])
    assert lab.sale(card="K2", plate=PLATES[0])["plate_bound"] == "34A1"


def test_a_plate_that_comes_back_is_verified_anew() -> None:
    """Sold or changed away, it is a new plate like any other."""
    lab = positive()
    bound(lab, PLATES[0])
    lab.do("plate.sold", member="M1", plate=PLATES[0])
    assert earned(lab.sale(card="K1", plate=PLATES[0])) == (0, "not_verified")
    bound(lab, PLATES[0])
    assert earned(lab.sale(plate=PLATES[0])) == (1_000, None)


def test_a_card_is_given_with_two_plates_at_most_and_with_none_of_another_member() -> None:
    lab = positive()
    issue: dict[str, Any] = {"holder": "M1", "card": "K2"}
    assert lab.reason("card.issue", plates=list(PLATES), **issue) == ("declined", "plate_limit")
    bound(lab, PLATES[0])
    lab.member("M2", phone="1")
    theirs: dict[str, Any] = {"holder": "M2", "card": "K2"}
    assert lab.reason("card.issue", plates=[PLATES[0]], **theirs) == ("declined", "plate_in_use")
    assert lab.reason("card.issue", plates=[PLATES[1], PLATES[2]], **theirs) == ("accepted", None)


@pytest.mark.parametrize("plate", PLATES[:2])
def test_either_of_two_announced_plates_can_be_changed_or_sold(plate: str) -> None:
    for event, more in (("plate.change", {"new_plate": "34 A 9"}), ("plate.sold", {})):
        lab = positive()
        for announced in PLATES[:2]:
            lab.do("plate.add", member="M1", plate=announced)
        assert lab.reason(event, member="M1", plate=plate, **more) == ("accepted", None)
        assert lab.reason("plate.sold", member="M1", plate=plate) == ("declined", "plate_not_bound")


def test_plates_given_with_a_card_are_announced_and_earn_nothing_alone_before_a_purchase_bound_them() -> None:
    lab = positive()
    lab.do("card.issue", holder="M1", card="K2", plates=[PLATES[0]])
    assert earned(lab.sale(plate=PLATES[0])) == (0, "plate_not_bound")
    bound(lab, PLATES[0], card="K2")
    assert earned(lab.sale(plate=PLATES[0])) == (1_000, None)


# Cards.


def test_a_lost_card_is_cancelled_at_once() -> None:
    lab = positive()
    assert lab.reason("card.lost", card="K1") == ("accepted", None)
    assert earned(lab.sale(card="K1")) == (0, "card_blocked")
    assert earned(lab.sale(phone=ENDER["phone"])) == (1_000, None)


@pytest.mark.parametrize("field", ["name", "surname", "birth_date", "phone"])
def test_a_new_card_needs_a_form_that_matches_the_old_one(field: str) -> None:
    lab = positive()
    lab.do("card.lost", card="K1")
    form = {**ENDER, field: "1990-01-01" if field == "birth_date" else "0"}
    assert lab.reason("card.replace", old_card="K1", new_card="K2", form=form) == ("declined", "identity_mismatch")
    assert lab.reason("card.replace", old_card="K1", new_card="K2", form=ENDER) == ("accepted", None)
    assert lab.reason("card.replace", old_card="K1", new_card="K3", form=ENDER) == ("declined", "card_blocked")


def test_a_new_card_has_the_old_ones_plates() -> None:
    lab = positive()
    bound(lab, PLATES[0], PLATES[1])
    lab.do("card.replace", old_card="K1", new_card="K2", form=ENDER)
    lab.do("member.verify", member="M1", plate=PLATES[2])
    assert earned(lab.sale(card="K2", plate=PLATES[2])) == (0, "plate_limit")


# Inactivity.


@pytest.mark.parametrize(
    ("last", "cancelled"),
    [
        ("2026-01-15T10:00:00", "2026-07-15T10:00:00"),
        ("2026-08-31T10:00:00", "2027-02-28T10:00:00"),
        ("2027-08-31T10:00:00", "2028-02-29T10:00:00"),
        ("2026-08-29T10:00:00", "2027-02-28T10:00:00"),
    ],
)
def test_six_months_without_a_purchase_cancel_and_delete(last: str, cancelled: str) -> None:
    """Counted from the last purchase, on the clock of the place; a month that has no such day ends on its last."""
    lab = positive(last)
    lab.sale(card="K1")
    day = cancelled[:10]
    lab.do("clock", f"{day}T09:59:59")
    assert not lab.engine.books.holder_of["M1"].cancelled
    answer = lab.do("clock", f"{day}T10:00:00")
    assert answer["balances"]["points:M1:fuel"] == 0
    assert lab.balance("points:M1:fuel") == 0
    assert earned(lab.sale(card="K1")) == (0, "inactive_cancelled")
    assert redeem(lab) == ("declined", "inactive_cancelled")


def test_without_any_purchase_it_is_counted_from_enrolment() -> None:
    lab = positive("2026-01-15T10:00:00")
    assert lab.sale(card="K1", at="2026-07-15T10:00:00")["reason"] == "inactive_cancelled"


def test_a_later_purchase_may_end_earlier_where_its_day_is_cut_to_the_months_last() -> None:
    """Enrolled on the 30th in the evening, bought on the 31st at noon: the six months end on 30 June at noon."""
    lab = positive("2025-12-30T22:00:00")
    lab.sale(card="K1", at="2025-12-31T12:00:00")
    assert lab.reason("member.verify", "2026-06-30T11:59:59", member="M1") == ("accepted", None)
    assert lab.reason("member.verify", "2026-06-30T12:00:00", member="M1") == ("declined", "inactive_cancelled")


def test_each_purchase_begins_the_six_months_anew() -> None:
    lab = positive("2026-01-15T10:00:00")
    for month in (5, 9):
        assert earned(lab.sale(card="K1", at=f"2026-{month:02}-15T10:00:00"))[1] is None
    assert lab.sale(card="K1", at="2027-03-15T10:00:00")["reason"] == "inactive_cancelled"


def test_points_put_back_after_the_membership_was_cancelled_are_deleted_at_once() -> None:
    lab = positive("2026-04-15T10:00:00")
    lab.sale(card="K1")
    lab.do("redeem", ref="r1", holder="M1", product="diesel", points=100, proof={"otp": True})
    answer = lab.do("sale.reverse", "2026-12-01T10:00:00", sale="r1")
    assert (answer["result"], answer["balances"]["points:M1:fuel"]) == ("accepted", 0)


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        ("member.activate", {"member": "M1", "channel": "web"}),
        ("member.verify", {"member": "M1"}),
        ("plate.add", {"member": "M1", "plate": "34 A 1"}),
        ("card.issue", {"holder": "M1", "card": "K7"}),
        ("card.replace", {"old_card": "K1", "new_card": "K7", "form": ENDER}),
        ("member.enrol", {"member": "M1", "kind": "person", "consents": ["information"], **ENDER}),
        ("adjust.fault", {"member": "M1", "points": 1, "fault_in_journal": True, "approved_by_second": True}),
    ],
)
def test_from_then_on_everything_is_inactive_cancelled(event: str, fields: dict[str, Any]) -> None:
    lab = positive()
    assert lab.reason(event, "2026-12-01T10:00:00", **fields) == ("declined", "inactive_cancelled")

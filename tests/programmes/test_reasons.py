"""Every reason of the catalogue is produced: one scenario each, in as few events as it takes."""

from collections.abc import Callable
from typing import Any

import pytest

from controller.domain.programmes.reasons import MEANING, Reason
from controller.programme_files import SHIPPED, shipped_text
from tests.programmes.bench import ENDER, Lab, cng, lpg, petrolimex, positive

Scenario = Callable[[], tuple[str, str | None]]
OTP = {"otp": True}
STOPPED = (
    '\n[[stage]]\nfrom = 2026-01-01\nearning = false\nspending = false\nmerged_into = "positive-card"\n\n[[purse]]'
)


def _sale(lab: Lab, **fields: Any) -> tuple[str, str | None]:
    answer = lab.sale(**fields)
    return answer["result"], answer["reason"]


def _redeem(lab: Lab, **fields: Any) -> tuple[str, str | None]:
    return lab.reason("redeem", **{"holder": "M1", "product": "diesel", "points": 1, "proof": OTP, **fields})


def _opet(**fields: Any) -> Lab:
    lab = Lab("opet-kart")
    lab.member(card="9876540012806566", **fields)
    return lab


def _fleet(points: int = 0) -> Lab:
    lab = petrolimex(kind="organisation")
    lab.sale(card="K1", amount_minor=100_000)
    if points:
        _voucher(lab, points)
    return lab


def _voucher(lab: Lab, points: int = 100, may: bool = True) -> tuple[str, str | None]:
    return lab.reason("voucher.create", organisation="M1", voucher="V1", points=points, user_may_manage=may)


def _after(lab: Lab, *events: tuple[str, dict[str, Any]]) -> tuple[str, str | None]:
    """The last event's answer, after the others."""
    for event_type, fields in events[:-1]:
        lab.do(event_type, **fields)
    return lab.reason(events[-1][0], **events[-1][1])


def _enrol(**fields: Any) -> tuple[str, str | None]:
    lab = Lab("positive-card")
    return lab.reason("member.enrol", **{"member": "M1", "kind": "person", "consents": ["information"], **fields})


def _sms(lab: Lab, text: str) -> tuple[str, str | None]:
    return lab.reason("sms", **{"from": "+90", "to": "6738", "text": text})


def _sold(lab: Lab, **fields: Any) -> Lab:
    lab.sale(ref="s1", **fields)
    return lab


def _bound() -> Lab:
    lab = positive()
    for plate in ("A1", "A2"):
        lab.do("member.verify", member="M1", plate=plate)
        lab.sale(1_000, volume_ml=10, card="K1", plate=plate)
    return lab


def _stopped() -> Lab:
    lab = Lab(toml=shipped_text("opet-kart").replace("\n[[purse]]", STOPPED, 1))
    lab.member(card="K1")
    return lab


def _gas(lab: Lab, **fields: Any) -> tuple[str, str | None]:
    return _sale(lab, **{"product": "cng", "card": "K1", "paid": "account", **fields})


def _close(lab: Lab, at: str = "2026-02-01T00:00:00", period: str = "2026-01") -> tuple[str, str | None]:
    return lab.reason("period.close", at, contract="A", period=period)


def _days(count: int) -> tuple[str, str | None]:
    lab = positive()
    for _ in range(count - 1):
        lab.sale(1_000, volume_ml=10, card="K1")
    return _sale(lab, amount_minor=1_000, volume_ml=10, card="K1")


def _negative() -> tuple[str, str | None]:
    lab = cng(paid_in=1_000)
    _gas(lab, amount_minor=1_000, volume_ml=5_000_000)
    lab.do("account.pay_in", contract="A", amount_minor=-1)
    return _close(lab)


def _capped() -> tuple[str, str | None]:
    lab = positive()
    for _ in range(2):
        lab.sale(500_000, card="K1")
    return _sale(lab, card="K1")


FAULT = {"member": "M1", "points": 5_001, "fault_in_journal": True, "approved_by_second": True}
CHANGE = {"member": "M1", "plate": "A1", "new_plate": "A9"}
CLAIM = {"plate": "A1", "damaged_at": "2026-01-01T00:00:00+03:00", "repair_minor": 1}
SCENARIOS: dict[str, Scenario] = {
    "card_unknown": lambda: _sale(positive(), card="X"),
    "holder_unknown": lambda: _sale(positive(), member="X"),
    "plate_not_bound": lambda: _sale(positive(), plate="X"),
    "voucher_unknown": lambda: _redeem(_fleet(), proof={"voucher": "V1"}),
    "voucher_expired": lambda: _redeem(_fleet(100), at="2024-04-01T00:00:00", proof={"voucher": "V1"}),
    "sale_unknown": lambda: positive().reason("sale.reverse", sale="x"),
    "card_blocked": lambda: _sale(_lost(), card="K1"),
    "card_ambiguous": lambda: _sms(_two(), "PARO 0012806566 ENDER AYTEKİN 20.03.1974"),
    "product_not_allowed": lambda: _sale(lpg(), card="L1", product="diesel"),
    "plate_limit": lambda: _sale(_bound(), card="K1", plate="A3"),
    "plate_change_limit": lambda: _after(
        _bound(), ("plate.change", CHANGE), ("plate.change", {**CHANGE, "plate": "A2", "new_plate": "A8"})
    ),
    "plate_in_use": lambda: _bound().reason("plate.add", member="M1", plate="A1"),
    "card_in_use": lambda: positive().reason("card.issue", holder="M1", card="K1"),
    "contract_exists": lambda: cng().reason("contract.open", contract="A", prepaid=True),
    "voucher_exists": lambda: _voucher(_fleet(100)),
    "order_exists": lambda: cng().reason("order.publish", order="O1", valid_from="2026-01-01", tiers=[]),
    "already_presented": lambda: _sold(_opet(), card="X").reason("present.after", card="9876540012806566", sale="s1"),
    "already_reversed": lambda: _after(_sold(positive()), *[("sale.reverse", {"sale": "s1"})] * 2),
    "present_too_late": lambda: _sold(_opet()).reason(
        "present.after", "2026-01-06T00:00:00", card="9876540012806566", sale="s1"
    ),
    "contract_not_valid": lambda: _after(cng(), *[("contract.close", {"contract": "A"})] * 2),
    "inactive_cancelled": lambda: _sale(positive(), at="2026-12-01T00:00:00", card="K1"),
    "suspended": lambda: _sale(positive(), card="K1", volume_ml=300_001),
    "not_verified": lambda: _sale(positive(channel="app"), card="K1"),
    "not_activated": lambda: _redeem(_opet()),
    "profile_incomplete": lambda: _redeem(positive(phone=None)),
    "consent_missing": lambda: _enrol(consents=[]),
    "under_age": lambda: _enrol(birth_date="2020-01-01"),
    "refused": lambda: positive().reason(
        "member.enrol", member="M1", kind="person", consents=["information"], birth_date="1974-03-20"
    ),
    "identity_mismatch": lambda: positive().reason("card.replace", old_card="K1", new_card="K2", form={}),
    "sms_format": lambda: _sms(_opet(), "hello"),
    "not_started": lambda: _redeem(petrolimex("2022-11-09T00:00:00")),
    "programme_stopped": lambda: _sale(_stopped(), card="K1"),
    "not_offered": lambda: positive().reason("claim.yes", **CLAIM),
    "needs_headquarters": lambda: _redeem(positive(), offline=True),
    "otp_required": lambda: _redeem(positive(), proof={}),
    "pin_required": lambda: _redeem(_fleet(), proof={}),
    "pin_wrong": lambda: _redeem(_fleet(), proof={"pin": "wrong"}),
    "pin_locked": lambda: _after(_fleet(), *[("redeem", _wrong_pin())] * 3),
    "code_required": lambda: _sale(positive(), card="K1", amount_minor=250_001, paid="pay_and_go"),
    "permission_missing": lambda: _voucher(_fleet(), may=False),
    "fault_not_found": lambda: positive().reason("adjust.fault", **{**FAULT, "fault_in_journal": False}),
    "approval_missing": lambda: positive().reason("adjust.fault", **{**FAULT, "approved_by_second": False}),
    "manual_limit": lambda: positive().reason("adjust.fault", **FAULT),
    "insufficient_points": lambda: _redeem(positive()),
    "insufficient_funds": lambda: _gas(cng()),
    "charge_failed": lambda: _sale(lpg(), card="L1", product="autogas", paid="pay_and_go"),
    "daily_points_cap": _capped,
    "daily_sales_cap": lambda: _days(6),
    "sale_cap": lambda: _sale(positive(), card="K1", amount_minor=600_000),
    "dispute_too_late": lambda: _sold(positive(), card="K1").reason("dispute", "2026-01-14T00:00:00", sale="s1"),
    "not_reversible": lambda: _sold(positive(), card="K1", paid="pay_and_go").reason(
        "sale.reverse", sale="s1", by="member"
    ),
    "not_covered": lambda: lpg().reason("claim.yes", **CLAIM),
    "period_open": lambda: _close(cng(), "2026-01-31T23:59:59"),
    "wrong_period": lambda: _close(cng(), period="2026-01a"),
    "below_first_tier": lambda: _close(cng()),
    "negative_balance": _negative,
}


def _lost() -> Lab:
    lab = positive()
    lab.do("card.lost", card="K1")
    return lab


def _two() -> Lab:
    lab = _opet()
    lab.member("M2", card="1111110012806566")
    return lab


def _wrong_pin() -> dict[str, Any]:
    return {"holder": "M1", "product": "diesel", "points": 1, "proof": {"pin": "wrong"}}


@pytest.mark.parametrize("reason", list(Reason))
def test_each_reason_is_produced(reason: Reason) -> None:
    assert SCENARIOS[reason]()[1] == reason


def test_each_reason_has_a_meaning_and_a_scenario_and_no_other_has() -> None:
    assert set(MEANING) == set(Reason)
    assert set(SCENARIOS) == {str(reason) for reason in Reason}


TERMS = """
    lpg-pass        product_not_allowed declined, charge_failed accepted, not_covered declined
    opet-kart       already_presented declined, not_activated declined, sms_format declined, card_unknown declined,
                    card_ambiguous declined, identity_mismatch declined
    petrolimex-id   not_started declined, not_verified accepted, otp_required declined, pin_required declined,
                    pin_wrong declined, pin_locked declined, permission_missing declined, voucher_unknown declined,
                    voucher_expired declined
    cng-interissuer insufficient_funds declined, contract_not_valid accepted, below_first_tier accepted,
                    negative_balance accepted, period_open declined
    positive-card   consent_missing declined, under_age declined, refused declined, not_verified accepted,
                    profile_incomplete declined, plate_limit accepted, plate_not_bound accepted,
                    plate_change_limit declined, daily_points_cap accepted, daily_sales_cap accepted, sale_cap accepted,
                    otp_required declined, not_activated declined, inactive_cancelled accepted,
                    dispute_too_late declined, fault_not_found declined, manual_limit declined,
                    approval_missing declined, card_blocked accepted, identity_mismatch declined, suspended accepted,
                    code_required declined, not_reversible declined, needs_headquarters declined,
                    card_unknown accepted, holder_unknown accepted, sale_unknown declined, insufficient_points declined
"""
"""The reasons that the terms of the five programmes name, with the result they are told with."""


def _terms() -> list[tuple[str, str, str]]:
    """(programme, reason, result)."""
    found = []
    programme = ""
    for entry in TERMS.replace("\n", ",").split(","):
        *named, reason, result = entry.split() or ("", "")
        programme = named[0] if named else programme
        if reason:
            assert programme in SHIPPED
            found.append((programme, reason, result))
    return found


def _unverified() -> Lab:
    lab = Lab("petrolimex-id", at="2023-01-05T10:00:00")
    lab.member(card="K1")
    return lab


def _inactive() -> Lab:
    lab = Lab("positive-card")
    lab.member(card="K1")
    return lab


def _closed_contract() -> tuple[str, str | None]:
    lab = cng()
    lab.do("contract.close", contract="A")
    return _close(lab)


ELSEWHERE: dict[tuple[str, str], Scenario] = {
    ("opet-kart", "card_unknown"): lambda: _sms(_opet(), "PARO 9999999999 ENDER AYTEKİN 20.03.1974"),
    ("opet-kart", "identity_mismatch"): lambda: _sms(_opet(), "PARO 0012806566 AYŞE DEMİR 20.03.1974"),
    ("petrolimex-id", "not_verified"): lambda: _sale(_unverified(), card="K1"),
    ("petrolimex-id", "otp_required"): lambda: _redeem(petrolimex(), proof={}),
    ("cng-interissuer", "contract_not_valid"): _closed_contract,
    ("positive-card", "not_activated"): lambda: _redeem(_inactive()),
}
"""Scenarios of a reason that another programme gives as well."""


@pytest.mark.parametrize(("programme", "reason", "result"), _terms())
def test_each_reason_of_the_five_programmes_terms_comes_out_of_their_own_file(
    programme: str, reason: str, result: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of the laboratory over the shipped file ends in it: accepted without a gain, or declined."""
    asked: list[str] = []
    begin = Lab.__init__

    def noted(lab: Lab, name: str = "", toml: str = "", **more: Any) -> None:
        asked.append(name)
        begin(lab, name, toml, **more)

    monkeypatch.setattr(Lab, "__init__", noted)
    scenario = ELSEWHERE.get((programme, reason)) or SCENARIOS[reason]
    assert scenario() == (result, reason)
    assert set(asked) == {programme}


def test_a_refused_phone_is_refused() -> None:
    toml = shipped_text("positive-card").replace("refused_phones = []", 'refused_phones = ["+90 532 111 22 33"]')
    enrol = {"member": "M1", "kind": "person", "consents": ["information"], **ENDER}
    assert Lab(toml=toml).reason("member.enrol", **enrol) == ("declined", "refused")

"""Of several reasons the first is told: token, holder's state, activation and profile, started, offline, proof, amount.

Each test begins where all of them hold and takes one away after the other. And which tokens a programme does not know.
"""

from typing import Any

import pytest

from controller.programme_files import shipped_text
from tests.programmes.bench import ENDER, Lab, cng, lpg, petrolimex

SPEND: dict[str, Any] = {"holder": "M1", "product": "diesel", "points": 1, "proof": {}}


def test_of_the_reasons_against_spending_the_first_is_told() -> None:
    """A member who never bought, was never activated, has no phone, at an hour when headquarters cannot be asked."""
    text = shipped_text("positive-card").replace("spending = true", "spending = false", 1)
    text += "\n[[stage]]\nfrom = 2026-08-01\nearning = true\nspending = true\n"
    lab = Lab(toml=text)
    offline = {**SPEND, "offline": True}
    assert lab.reason("redeem", **offline) == ("declined", "holder_unknown")
    lab.member(phone=None)
    voucher = {**offline, "proof": {"voucher": "V"}}
    assert lab.reason("redeem", "2026-07-20T10:00:00", **voucher) == ("declined", "voucher_unknown")
    assert lab.reason("redeem", **offline) == ("declined", "inactive_cancelled")
    lab.member("M2", phone=None)
    offline["holder"] = "M2"
    assert lab.reason("redeem", **offline) == ("declined", "not_activated")
    lab.do("member.activate", member="M2", channel="web")
    assert lab.reason("redeem", **offline) == ("declined", "profile_incomplete")
    lab.member("M3")
    lab.do("member.activate", member="M3", channel="web")
    offline["holder"] = "M3"
    assert lab.reason("redeem", **offline) == ("declined", "not_started")
    assert lab.reason("redeem", "2026-08-01T00:00:00", **offline) == ("declined", "needs_headquarters")
    online = {**offline, "offline": False}
    assert lab.reason("redeem", **online) == ("declined", "otp_required")
    assert lab.reason("redeem", **{**online, "proof": {"otp": True}}) == ("declined", "insufficient_points")


def test_of_the_reasons_against_an_organisations_spending_the_first_is_told() -> None:
    lab = petrolimex("2022-11-09T10:00:00", kind="organisation")
    offline = {**SPEND, "offline": True}
    assert lab.reason("redeem", **offline) == ("declined", "not_started")
    assert lab.reason("redeem", "2022-11-10T00:00:00", **offline) == ("declined", "needs_headquarters")
    assert lab.reason("redeem", **SPEND) == ("declined", "pin_required")
    assert lab.reason("redeem", **{**SPEND, "proof": {"pin": "wrong"}}) == ("declined", "pin_wrong")
    assert lab.reason("redeem", **{**SPEND, "proof": {"pin": "ok"}}) == ("declined", "insufficient_points")


def test_of_the_reasons_against_a_voucher_the_first_is_told() -> None:
    lab = petrolimex("2022-11-09T10:00:00", kind="organisation")
    make: dict[str, Any] = {"organisation": "O", "voucher": "V", "points": 1, "user_may_manage": False}
    assert lab.reason("voucher.create", **make) == ("declined", "holder_unknown")
    make["organisation"] = "M1"
    assert lab.reason("voucher.create", **make) == ("declined", "not_started")
    assert lab.reason("voucher.create", "2022-11-10T00:00:00", **make) == ("declined", "permission_missing")
    assert lab.reason("voucher.create", **{**make, "user_may_manage": True}) == ("declined", "insufficient_points")


def test_of_the_reasons_why_a_sale_earns_nothing_the_first_is_told() -> None:
    """The card, the membership, the suspension, the phone, the start: only a limit would be told after them."""
    text = shipped_text("positive-card").replace("earning = true", "earning = false", 1)
    text += "\n[[stage]]\nfrom = 2026-08-01\nearning = true\nspending = true\n"
    lab = Lab(toml=text)
    far = {"volume_ml": 300_001}
    assert lab.sale(card="K1", **far)["reason"] == "card_unknown"
    lab.member(card="K1", channel="web")
    lab.do("card.lost", card="K1")
    phone = {"phone": ENDER["phone"]}
    assert lab.sale(card="K1", at="2026-07-20T10:00:00", **far)["reason"] == "card_blocked"
    assert lab.sale(**phone, **far)["reason"] == "inactive_cancelled"
    lab.member("M2", card="K2", channel="web")
    assert lab.sale(card="K2", **far)["reason"] == "suspended"
    lab.do("member.review", member="M2", outcome="clear")
    assert lab.sale(card="K2")["reason"] == "not_verified"
    lab.do("member.verify", member="M2")
    assert lab.sale(card="K2")["reason"] == "not_started"
    assert lab.sale(600_000, at="2026-08-01T00:00:00", card="K2")["reason"] == "sale_cap"


def test_of_the_reasons_against_gas_the_first_is_told() -> None:
    """The card, its product, the contract, the money."""
    lab = cng()
    gas: dict[str, Any] = {"paid": "account", "product": "diesel"}
    assert lab.sale(card="K9", **gas)["reason"] == "card_unknown"
    lab.do("contract.close", contract="A")
    assert lab.sale(card="K1", **gas)["reason"] == "product_not_allowed"
    gas["product"] = "cng"
    assert lab.sale(card="K1", **gas)["reason"] == "contract_not_valid"
    lab.do("contract.open", contract="A", prepaid=True)
    assert lab.sale(card="K1", **gas)["reason"] == "insufficient_funds"


TOKENS = [
    ({"card": "X"}, "card_unknown"),
    ({"qr": "X"}, "card_unknown"),
    ({"phone": "X"}, "holder_unknown"),
    ({"member": "X"}, "holder_unknown"),
    ({"plate": "X"}, "plate_not_bound"),
]


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: next(iter(token[0])))
@pytest.mark.parametrize(
    ("programme", "result"),
    [
        ("lpg-pass", "declined"),
        ("cng-interissuer", "declined"),
        ("opet-kart", "accepted"),
        ("petrolimex-id", "accepted"),
        ("positive-card", "accepted"),
    ],
)
def test_an_unknown_token_gets_no_fuel_from_fleets_and_no_points_from_the_others(
    programme: str, result: str, token: tuple[dict[str, str], str]
) -> None:
    """Fleet and prepaid programmes decline; the others accept the sale, which earns nothing."""
    shown, reason = token
    answer = Lab(programme).sale(**shown)
    assert (answer["result"], answer["reason"], answer["balances"]) == (result, reason, {})
    assert "points" not in answer


@pytest.mark.parametrize("programme", ["lpg-pass", "cng-interissuer", "opet-kart", "petrolimex-id", "positive-card"])
def test_an_anonymous_sale_is_a_sale_in_every_programme(programme: str) -> None:
    answer = Lab(programme).sale()
    assert (answer["result"], answer["reason"], answer["balances"]) == ("accepted", None, {})


UNKNOWN: list[tuple[str, str, dict[str, Any], str]] = [
    ("positive-card", "member.activate", {"member": "X", "channel": "web"}, "holder_unknown"),
    ("positive-card", "member.verify", {"member": "X"}, "holder_unknown"),
    ("positive-card", "member.review", {"member": "X", "outcome": "clear"}, "holder_unknown"),
    ("positive-card", "card.issue", {"holder": "X", "card": "K1"}, "holder_unknown"),
    ("positive-card", "card.lost", {"card": "X"}, "card_unknown"),
    ("positive-card", "card.link_credit", {"card": "X", "credit_cards": []}, "card_unknown"),
    ("positive-card", "card.replace", {"old_card": "X", "new_card": "Y", "form": ENDER}, "card_unknown"),
    ("positive-card", "plate.add", {"member": "X", "plate": "P"}, "holder_unknown"),
    ("positive-card", "plate.sold", {"member": "X", "plate": "P"}, "holder_unknown"),
    ("positive-card", "plate.change", {"member": "X", "plate": "P", "new_plate": "Q"}, "holder_unknown"),
    ("positive-card", "dispute", {"sale": "X"}, "sale_unknown"),
    ("positive-card", "sale.reverse", {"sale": "X"}, "sale_unknown"),
    ("opet-kart", "present.after", {"card": "X", "sale": "X"}, "card_unknown"),
    ("positive-card", "redeem", {**SPEND, "holder": "X"}, "holder_unknown"),
    (
        "petrolimex-id",
        "voucher.cancel",
        {"organisation": "X", "voucher": "V", "user_may_manage": True},
        "holder_unknown",
    ),
    ("cng-interissuer", "account.pay_in", {"contract": "X", "amount_minor": 1}, "holder_unknown"),
    ("cng-interissuer", "contract.close", {"contract": "X"}, "holder_unknown"),
    ("cng-interissuer", "period.close", {"contract": "X", "period": "2025-12"}, "holder_unknown"),
    ("lpg-pass", "claim.yes", {"plate": "X", "damaged_at": "2026-01-05T09:00:00Z", "repair_minor": 1}, "not_covered"),
    (
        "positive-card",
        "adjust.fault",
        {"member": "X", "points": 1, "fault_in_journal": True, "approved_by_second": True},
        "holder_unknown",
    ),
]


@pytest.mark.parametrize(("programme", "event", "fields", "reason"), UNKNOWN, ids=[event for _, event, *_ in UNKNOWN])
def test_what_the_programme_does_not_know_is_named(
    programme: str, event: str, fields: dict[str, Any], reason: str
) -> None:
    """A card, a holder, a sale; a claim for a plate that nobody fuelled has a code of its own."""
    assert Lab(programme).reason(event, **fields) == ("declined", reason)


def test_a_card_shown_afterwards_for_a_sale_that_never_was() -> None:
    lab = Lab("opet-kart")
    lab.member(card="K1")
    assert lab.reason("present.after", card="K1", sale="X") == ("declined", "sale_unknown")


def test_a_fleets_product_is_asked_before_its_contract() -> None:
    lab = lpg()
    lab.do("contract.close", customer="C1")
    assert lab.sale(card="L1", product="diesel")["reason"] == "product_not_allowed"
    assert lab.sale(card="L1", product="autogas")["reason"] == "contract_not_valid"

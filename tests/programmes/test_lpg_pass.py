"""LPG Pass: cards by product, rebates by period, pay-and-go with debts, repairs covered."""

from typing import Any

import pytest

from tests.programmes.bench import Lab, lpg


def autogas(lab: Lab, at: str = "", volume_ml: int = 40_000, amount_minor: int = 80_000, **more: Any) -> dict[str, Any]:
    more.setdefault("card", "L1")
    return lab.sale(amount_minor, at, volume_ml=volume_ml, product="autogas", **more)


def test_the_worked_example() -> None:
    """40.000 l of autogas at 0.75 TL a litre: the rebate of January grows by 3000."""
    lab = lpg()
    assert autogas(lab)["balances"] == {"rebate:C1:2026-01": 3_000}
    assert autogas(lab)["balances"] == {"rebate:C1:2026-01": 6_000}


@pytest.mark.parametrize(("discount", "rebate"), [({"per_litre_minor": 75}, 749), ({"percent_bp": 333}, 333)])
def test_the_discount_is_by_litre_or_in_percent_rounded_down(discount: dict[str, int], rebate: int) -> None:
    lab = lpg(discount=discount)
    assert autogas(lab, volume_ml=9_999, amount_minor=10_020)["rebate_minor"] == rebate


@pytest.mark.parametrize(
    ("card", "product", "reason"),
    [
        ("L1", "autogas", None),
        ("L1", "diesel", "product_not_allowed"),
        ("L1", "gasoline", "product_not_allowed"),
        ("A1", "diesel", None),
        ("A1", "gasoline", None),
        ("A1", "autogas", "product_not_allowed"),
    ],
)
def test_each_kind_of_card_buys_its_products_only(card: str, product: str, reason: str | None) -> None:
    """An LPG Pass card buys autogas only, an Automatic card gasoline and diesel only."""
    answer = lpg().sale(card=card, product=product)
    assert (answer["result"], answer["reason"]) == ("declined" if reason else "accepted", reason)


def test_a_sale_too_small_for_a_rebate_still_names_the_account() -> None:
    lab = lpg()
    answer = autogas(lab, volume_ml=13, ref="s1")
    assert answer["balances"] == {"rebate:C1:2026-01": 0}
    assert "rebate_minor" not in answer
    autogas(lab)
    assert autogas(lab, volume_ml=13)["balances"] == {"rebate:C1:2026-01": 3_000}
    lines = lab.do("period.close", "2026-02-01T00:00:00", customer="C1", period="2026-01")["statement"]["lines"]
    assert [line["discount_minor"] for line in lines] == [0, 3_000, 0]
    assert lab.do("sale.reverse", sale="s1")["balances"] == {"rebate:C1:2026-01": 3_000}


def test_an_automatic_card_accrues_nothing() -> None:
    answer = lpg().sale(card="A1")
    assert (answer["result"], answer["reason"], answer["balances"]) == ("accepted", None, {})


def test_any_tender_pays_at_the_station() -> None:
    lab = lpg()
    for tender in ("cash", "electronic", "account"):
        assert autogas(lab, paid=tender)["rebate_minor"] == 3_000


def test_an_unknown_card_and_an_unknown_plate_are_declined_and_cash_is_cash() -> None:
    lab = lpg()
    assert autogas(lab, card="X")["reason"] == "card_unknown"
    assert lab.sale(product="autogas", plate="06 XX 1")["reason"] == "plate_not_bound"
    answer = lab.sale(product="autogas")
    assert (answer["result"], answer["reason"]) == ("accepted", None)


def test_a_plate_alone_names_the_card_and_accrues_nothing() -> None:
    """Sales by the card accrue."""
    lab = lpg()
    answer = lab.sale(product="autogas", plate="34abc12")
    assert (answer["result"], answer["reason"], answer["balances"]) == ("accepted", None, {})
    assert lab.sale(product="diesel", plate="34abc12")["reason"] == "product_not_allowed"


@pytest.mark.parametrize(
    ("at", "period"),
    [
        ("2026-01-15T23:59:59", "2026-01a"),
        ("2026-01-16T00:00:00", "2026-01b"),
        ("2026-01-31T23:59:59", "2026-01b"),
        ("2026-02-01T00:00:00", "2026-02a"),
    ],
)
def test_half_months_go_from_1_to_15_and_from_16_to_the_end(at: str, period: str) -> None:
    assert autogas(lpg(period="half"), at)["balances"] == {f"rebate:C1:{period}": 3_000}


def test_a_reversed_sale_takes_its_rebate_out_of_its_own_period() -> None:
    lab = lpg()
    autogas(lab, ref="s1")
    assert lab.do("sale.reverse", "2026-02-03T10:00:00", sale="s1")["balances"] == {"rebate:C1:2026-01": 0}


def test_the_statement_of_a_period_goes_line_by_line_and_empties_no_account() -> None:
    lab = lpg()
    autogas(lab, ref="s1")
    autogas(lab, ref="s2", volume_ml=10_000, amount_minor=20_000)
    autogas(lab, ref="s3")
    lab.do("sale.reverse", sale="s3")
    answer = lab.do("period.close", "2026-02-01T00:00:00", customer="C1", period="2026-01")
    assert answer["balances"] == {"rebate:C1:2026-01": 3_750}
    statement = answer["statement"]
    assert (statement["sales"], statement["volume_ml"], statement["discount_minor"]) == (2, 50_000, 3_750)
    assert statement["lines"][0] == {
        "sale": "s1",
        "at": "2026-01-05T10:00:00+03:00",
        "card": "L1",
        "plate": "34ABC12",
        "station": "S1",
        "product": "autogas",
        "volume_ml": 40_000,
        "amount_minor": 80_000,
        "discount_minor": 3_000,
    }
    assert lab.do("period.close", customer="C1", period="2026-01")["balances"] == {"rebate:C1:2026-01": 3_750}


def test_a_half_is_closed_when_it_is_over_and_a_month_is_none_of_its_periods() -> None:
    lab = lpg(period="half")
    close = {"customer": "C1"}
    assert lab.reason("period.close", "2026-01-15T23:59:59", period="2026-01a", **close) == ("declined", "period_open")
    assert lab.reason("period.close", "2026-01-16T00:00:00", period="2026-01a", **close) == ("accepted", None)
    assert lab.reason("period.close", "2026-02-01T00:00:00", period="2026-01", **close) == ("declined", "wrong_period")


def test_closing_all_lists_each_customer() -> None:
    lab = lpg()
    lab.do("contract.open", customer="C0", discount={"percent_bp": 100})
    answer = lab.do("period.close", "2026-02-01T00:00:00", period="2026-01")
    assert [(one["customer"], one["discount_minor"]) for one in answer["results"]] == [("C0", 0), ("C1", 0)]


def link(lab: Lab, *accepts: bool) -> None:
    cards = [{"token": f"T{number}", "accepts": one} for number, one in enumerate(accepts)]
    assert lab.reason("card.link_credit", card="L1", credit_cards=cards) == ("accepted", None)


def test_a_sale_is_charged_to_the_first_card_that_accepts() -> None:
    lab = lpg()
    link(lab, False, True, True)
    answer = autogas(lab, paid="pay_and_go")
    assert (answer["reason"], answer["charged"]) == (None, "T1")
    assert answer["balances"] == {"rebate:C1:2026-01": 3_000, "debt:C1": 0}


@pytest.mark.parametrize("accepts", [(), (False, False)])
def test_where_no_card_accepts_the_sale_stands_and_is_a_debt(accepts: tuple[bool, ...]) -> None:
    """`charge_failed`; the discount accrues."""
    lab = lpg()
    link(lab, *accepts)
    answer = autogas(lab, paid="pay_and_go")
    assert (answer["result"], answer["reason"]) == ("accepted", "charge_failed")
    assert answer["balances"] == {"rebate:C1:2026-01": 3_000, "debt:C1": 80_000}
    assert lab.do("account.pay_in", contract="C1", amount_minor=80_000)["balances"] == {"debt:C1": 0}


def test_linking_replaces_the_whole_list() -> None:
    lab = lpg()
    link(lab, True)
    link(lab, False)
    assert autogas(lab, paid="pay_and_go")["reason"] == "charge_failed"


def test_a_reversed_sale_takes_its_debt_away() -> None:
    lab = lpg()
    autogas(lab, paid="pay_and_go", ref="s1")
    answer = lab.do("sale.reverse", sale="s1", by="member")
    assert answer["balances"] == {"rebate:C1:2026-01": 0, "debt:C1": 0}


def test_a_repair_is_covered_with_the_plates_purchases_by_card_before_the_damage() -> None:
    lab = lpg()
    autogas(lab, ref="s1")
    autogas(lab, ref="s2", plate="34-ABC-12")
    autogas(lab, ref="s3", plate="06 B 1")
    autogas(lab, ref="s4")
    lab.do("sale.reverse", sale="s4")
    autogas(lab, "2026-01-07T10:00:00", ref="s5")
    claim = {"plate": "34 abc 12", "damaged_at": "2026-01-07T10:00:00+03:00", "repair_minor": 500_000}
    answer = lab.do("claim.yes", **claim)
    assert (answer["result"], answer["claim"], answer["evidence"]) == ("accepted", "open", ["s1", "s2"])


def test_without_a_purchase_by_card_before_the_damage_nothing_is_covered() -> None:
    """Neither a sale by plate alone, nor one by an Automatic card, nor one after the damage is evidence."""
    lab = lpg()
    lab.do("card.issue", holder="C1", card="A2", product_set="automatic", plates=["34 D 1"])
    lab.sale(product="autogas", plate="34 ABC 12")
    lab.sale(product="diesel", card="A2", plate="34 ABC 12")
    autogas(lab, "2026-01-08T10:00:00")
    claim = {"plate": "34 ABC 12", "damaged_at": "2026-01-08T09:59:59+03:00", "repair_minor": 1}
    assert lab.reason("claim.yes", **claim) == ("declined", "not_covered")
    assert lab.reason("claim.yes", **{**claim, "plate": "34 D 1"}) == ("declined", "not_covered")


def test_a_claim_is_open_until_a_finding_is_recorded() -> None:
    from controller.domain.programmes.claims import record_finding

    lab = lpg()
    autogas(lab)
    lab.do(
        "claim.yes",
        "2026-01-08T10:00:00",
        ref="c1",
        plate="34ABC12",
        damaged_at="2026-01-08T09:00:00+03:00",
        repair_minor=1,
    )
    record_finding(lab.engine.books, "c1", "fuel within the standard")
    assert lab.engine.books.claim_findings == {"c1": "fuel within the standard"}
    for claim in ("c1", "c2"):
        with pytest.raises(KeyError):
            record_finding(lab.engine.books, claim, "again")


def test_a_cards_contract_that_was_closed_gets_no_fuel() -> None:
    lab = lpg()
    lab.do("contract.close", customer="C1")
    assert autogas(lab)["reason"] == "contract_not_valid"


def test_a_replaced_card_keeps_product_plates_and_credit_cards() -> None:
    lab = lpg()
    link(lab, True)
    assert lab.reason("card.replace", old_card="L1", new_card="L2", form={}) == ("accepted", None)
    answer = autogas(lab, card="L2", paid="pay_and_go")
    assert (answer["charged"], answer["rebate_minor"]) == ("T0", 3_000)
    assert autogas(lab)["reason"] == "card_blocked"


def test_a_statement_and_a_reversal_find_the_period_that_the_sale_accrued_in() -> None:
    """Also where the contract was opened again since, with halves in place of months."""
    lab = lpg()
    autogas(lab, ref="s1")
    lab.do("contract.close", customer="C1")
    lab.do("contract.open", customer="C1", discount={"per_litre_minor": 75}, period="half")
    autogas(lab, ref="s2")
    for period in ("2026-01", "2026-01a"):
        answer = lab.do("period.close", "2026-02-01T00:00:00", customer="C1", period=period)
        assert (answer["reason"], answer["statement"]["discount_minor"]) == (None, 3_000)
    assert lab.do("sale.reverse", sale="s1")["balances"] == {"rebate:C1:2026-01": 0}
    assert lab.do("sale.reverse", sale="s2")["balances"] == {"rebate:C1:2026-01a": 0}


def test_closing_a_period_twice_posts_nothing() -> None:
    lab = lpg()
    autogas(lab)
    booked = len(lab.postings)
    close = {"customer": "C1", "period": "2026-01"}
    first = lab.do("period.close", "2026-02-01T00:00:00", **close)
    second = lab.do("period.close", **close)
    assert (first["statement"], first["balances"]) == (second["statement"], {"rebate:C1:2026-01": 3_000})
    assert len(lab.postings) == booked


def test_a_sale_belongs_to_the_period_of_its_local_day() -> None:
    """21:00 UTC on 31 January is February in Turkey."""
    assert autogas(lpg(), "2026-01-31T20:59:59+00:00")["balances"] == {"rebate:C1:2026-01": 3_000}
    assert autogas(lpg(), "2026-01-31T21:00:00+00:00")["balances"] == {"rebate:C1:2026-02": 3_000}


def test_credit_cards_are_tried_in_their_order() -> None:
    for accepts, charged in (((True, True), "T0"), ((False, True), "T1")):
        lab = lpg()
        link(lab, *accepts)
        assert autogas(lab, paid="pay_and_go")["charged"] == charged


def test_a_claim_gathers_what_was_bought_before_the_damage_whatever_the_offset() -> None:
    lab = lpg()
    autogas(lab, "2026-01-05T10:00:00", ref="s1")
    claim = {"plate": "34ABC12", "repair_minor": 1}
    assert lab.do("claim.yes", damaged_at="2026-01-05T07:00:01+00:00", **claim)["evidence"] == ["s1"]
    assert lab.reason("claim.yes", damaged_at="2026-01-05T07:00:00+00:00", **claim) == ("declined", "not_covered")


def test_a_contract_that_was_opened_again_has_its_new_discount() -> None:
    lab = lpg()
    lab.do("contract.close", customer="C1")
    lab.do("contract.open", customer="C1", discount={"percent_bp": 100})
    assert autogas(lab)["rebate_minor"] == 800

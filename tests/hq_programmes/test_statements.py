"""The rebate statement, the act of price change and the tax: whole amounts that add up, and what cannot be printed."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.tokens import TokenKind
from sync.hq.programmes import showing
from sync.hq.programmes.asks import ActAnswer, ActAsk, StatementAnswer, StatementAsk, VatAnswer, VatAsk
from sync.hq.programmes.statements import DeskError
from sync.hq.programmes.vat import NoVatRate, Taxed, VatRate, by_rate, rate_on, split
from tests.hq_programmes.bench import NOW_MS, Office, ms, sale_event, token
from tests.hq_programmes.test_five import K1, event

RATES = (
    VatRate("autogas", date(2026, 1, 1), 1_800),
    VatRate("autogas", date(2026, 1, 20), 2_000),
    VatRate("diesel", date(2026, 1, 1), 2_000),
)


def lpg() -> tuple[Office, str]:
    """January of the customer C1: two sales at 18 % and one at 20 % of VAT, one that was reversed, one in February."""
    office = Office("lpg-pass", vat=RATES)
    start = "2026-01-05T10:00:00+03:00"
    office.enter(
        [
            event(start, "contract.open", "1", customer="C1", discount={"per_litre_minor": 75}),
            event(start, "card.issue", "2", holder="C1", card=K1, product_set="lpg", plates=["34 ABC 12"]),
        ]
    )
    sales = [("2026-01-10", 40_000, 80_001), ("2026-01-11", 30_000, 60_000), ("2026-01-25", 10_000, 20_000)]
    for day, volume_ml, amount_minor in [*sales, ("2026-01-31", 5_000, 10_000)]:
        at = f"{day}T23:30:00+03:00"
        ref = office.sell(at, amount_minor, shown=token(K1), product="lpg", volume_ml=volume_ml)
    office.sell("2026-02-01T00:00:00+03:00", 10_000, shown=token(K1), product="autogas", volume_ml=5_000)
    office.sync()
    office.post()
    office.enter([event("2026-02-02T10:00:00+03:00", "sale.reverse", "r1", sale=ref)])
    return office, ref


def stated(office: Office, period: str = "2026-01", now_ms: int = NOW_MS) -> StatementAnswer:
    answer = office.desk.answer(StatementAsk("lpg-pass", "C1", period), now_ms)
    assert isinstance(answer, StatementAnswer)
    return answer


def test_a_rebate_statement_line_by_line() -> None:
    office, _ = lpg()
    answer = stated(office)
    assert [(line.plate, line.card, line.at, line.discount_minor) for line in answer.lines] == [
        ("34ABC12", "900100******0101", "2026-01-10T23:30:00+03:00", 3_000),
        ("34ABC12", "900100******0101", "2026-01-11T23:30:00+03:00", 2_250),
        ("34ABC12", "900100******0101", "2026-01-25T23:30:00+03:00", 750),
    ]
    assert (answer.sales, answer.volume_ml, answer.amount_minor, answer.discount_minor) == (3, 80_000, 160_001, 6_000)
    assert office.balances("C1")["rebate:C1:2026-01"] == 6_000
    assert [(each.rate_bp, each.amount_minor, each.discount_minor) for each in answer.vat] == [
        (1_800, 140_001, 5_250),
        (2_000, 20_000, 750),
    ]
    for each in answer.vat:
        assert each.amount_net_minor + each.amount_vat_minor == each.amount_minor
        assert each.discount_net_minor + each.discount_vat_minor == each.discount_minor
    assert answer.vat[0].amount_vat_minor == 21_356  # 140001 * 18 / 118 = 21356.08
    assert not answer.open
    assert stated(office, now_ms=ms("2026-01-31T23:59:59+03:00")).open
    text = "\n".join(showing.statement_lines(answer))
    assert "total" in text
    assert "60.00" in text
    assert K1 not in text


@pytest.mark.parametrize(
    ("ask", "what"),
    [
        (StatementAsk("lpg-pass", "C9", "2026-01"), "lpg-pass knows no C9"),
        (StatementAsk("lpg-pass", "C1", "2026-13"), "expected a period"),
        (StatementAsk("lpg-pass", "C1", "2026-01a"), "goes by months"),
        (StatementAsk("opet-kart", "C1", "2026-01"), "opet-kart is not kept here"),
        (ActAsk("lpg-pass", "C1", "2026-01"), "C1 is no contract with an account"),
    ],
)
def test_what_cannot_be_stated(ask: Any, what: str) -> None:
    office, _ = lpg()
    with pytest.raises(DeskError, match=what):
        office.desk.answer(ask, NOW_MS)


def test_no_rate_of_a_product_is_said() -> None:
    office, _ = lpg()
    office.vat = RATES[1:]
    office.restart()
    with pytest.raises(DeskError, match=r"no rate of VAT for autogas on 2026-01-10: add a \[\[vat\]\]"):
        stated(office)


def test_the_tax_of_a_period_by_day_without_reversed_sales() -> None:
    office, _ = lpg()
    answer = office.desk.answer(VatAsk("lpg-pass", "2026-01"), NOW_MS)
    assert isinstance(answer, VatAnswer)
    assert [(line.day, line.rate_bp, line.gross_minor) for line in answer.lines] == [
        ("2026-01-10", 1_800, 80_001),
        ("2026-01-11", 1_800, 60_000),
        ("2026-01-25", 2_000, 20_000),
    ]
    halves = [office.desk.answer(VatAsk("lpg-pass", f"2026-01{half}"), NOW_MS) for half in "ab"]
    assert [line for half in halves if isinstance(half, VatAnswer) for line in half.lines] == list(answer.lines)
    assert "1600.01" in list(showing.vat_lines(answer))[-1]
    empty = office.desk.answer(VatAsk("lpg-pass", "2025-01"), NOW_MS)
    assert isinstance(empty, VatAnswer)
    assert "0.00" in list(showing.vat_lines(empty))[-1]


def test_a_sale_that_was_reversed_before_it_came_is_not_taxed() -> None:
    """The customer's service enters the reversal while the station is not heard: then the station's rows come."""
    office, _ = lpg()
    before = office.desk.answer(VatAsk("lpg-pass", "2026-01"), NOW_MS)
    ref = office.sell("2026-01-12T10:00:00+03:00", 50_000, shown=token(K1), product="lpg")
    (early,) = office.enter([event("2026-02-03T10:00:00+03:00", "sale.reverse", "r2", sale=ref)])
    assert early["reason"] == "sale_unknown"
    office.sync()
    office.post()
    assert stated(office).sales == 3
    assert office.desk.answer(VatAsk("lpg-pass", "2026-01"), NOW_MS) == before


def test_closing_a_period_tells_no_whole_card() -> None:
    office, _ = lpg()
    (closed,) = office.enter(
        [event("2026-02-03T10:00:00+03:00", "period.close", "p1", customer="C1", period="2026-01")]
    )
    assert [line["card"] for line in closed["statement"]["lines"]] == ["900100******0101"] * 3


def test_the_act_of_price_change_of_a_closed_month() -> None:
    office = Office("cng-interissuer")
    start = "2026-01-01T10:00:00+02:00"
    tiers = [{"from_ml": 5_000_000, "discount_per_m3_minor": 120}]
    office.enter(
        [
            event(start, "contract.open", "1", contract="A", prepaid=True),
            event(start, "card.issue", "2", holder="A", card=K1),
            event(start, "order.publish", "3", order="12", valid_from="2026-01-01", tiers=tiers),
            event(start, "account.pay_in", "4", contract="A", amount_minor=10_400_000),
            sale_event(
                "s1",
                "2026-01-20T10:00:00+02:00",
                10_400_000,
                card=K1,
                product="cng",
                volume_ml=5_200_000,
                tenders=[{"kind": "account", "amount_minor": 10_400_000}],
            ),
        ]
    )
    with pytest.raises(DeskError, match="2026-01 is not closed for A"):
        office.desk.answer(ActAsk(office.name, "A", "2026-01"), NOW_MS)
    closings = [
        event("2026-03-01T10:00:00+02:00", "period.close", f"c{month}", period=f"2026-0{month}", contract="A")
        for month in (1, 2)
    ]
    office.enter(closings)
    answer = office.desk.answer(ActAsk(office.name, "A", "2026-01"), NOW_MS)
    assert isinstance(answer, ActAnswer)
    assert answer.act is not None
    assert (answer.act.price_before, answer.act.price_after, answer.act.difference_minor) == (
        "20.0000",
        "18.8000",
        -624_000,
    )
    assert "-6240.00" in "\n".join(showing.act_lines(answer))
    none = office.desk.answer(ActAsk(office.name, "A", "2026-02"), NOW_MS)
    assert isinstance(none, ActAnswer)
    assert list(showing.act_lines(none)) == ["No act for A, 2026-02: below_first_tier"]


@given(st.integers(-(10**15), 10**15), st.integers(0, 10_000))
def test_net_and_tax_are_the_whole_and_the_tax_is_the_nearest(gross_minor: int, rate_bp: int) -> None:
    net, tax = split(gross_minor, rate_bp)
    assert net + tax == gross_minor
    assert abs(tax * (10_000 + rate_bp) - gross_minor * rate_bp) * 2 <= 10_000 + rate_bp


def test_a_rate_holds_from_its_day_on() -> None:
    assert rate_on(RATES, "autogas", date(2026, 1, 19)) == 1_800
    assert rate_on(RATES, "autogas", date(2026, 1, 20)) == 2_000
    with pytest.raises(NoVatRate, match="autogas on 2025-12-31"):
        rate_on(RATES, "autogas", date(2025, 12, 31))
    (line,) = by_rate(RATES, [Taxed("diesel", date(2026, 1, day), 1, 1) for day in range(1, 8)], daily=False)
    assert (line.gross_minor, line.vat_minor) == (7, 1), "rounded once for the sum, and not sale by sale"


def test_a_plate_alone_is_stated_nowhere() -> None:
    office, _ = lpg()
    office.sell("2026-01-12T10:00:00+03:00", 9_000, shown=token("34 ABC 12", TokenKind.PLATE), product="autogas")
    office.sync()
    office.post()
    assert stated(office).sales == 3

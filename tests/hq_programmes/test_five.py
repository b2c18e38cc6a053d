"""Each of the five programmes: what is entered and what stations send comes to what the laboratory says of the same."""

from __future__ import annotations

from typing import Any

from controller.domain.tokens import TokenKind
from tests.hq_programmes.bench import Office, laboratory, sale_event, token
from tests.programmes.bench import ENDER

K1, K2 = "9001000000000101", "9001000000000102"


def event(at: str, type_: str, ref: str, **fields: Any) -> dict[str, Any]:
    return {"at": at, "type": type_, "ref": ref, **fields}


def enrolled(at: str, member: str = "M1", card: str = K1, **fields: Any) -> list[dict[str, Any]]:
    data = {"kind": "person", "consents": ["information"], **ENDER, **fields}
    return [
        event(at, "member.enrol", f"enrol-{member}", member=member, **data),
        event(at, "card.issue", f"card-{member}", holder=member, card=card),
    ]


def agree(office: Office, events: list[dict[str, Any]]) -> dict[tuple[str, str], int]:
    """Headquarters' balances and the laboratory's are the same; also after a new start. The balances."""
    _, expected = laboratory(office.name, events)
    assert office.kept() == expected
    office.restart()
    office.post()
    assert office.kept() == expected
    assert expected
    return expected


def test_opet_kart_earns_in_two_purses_and_shown_after() -> None:
    office = Office("opet-kart")
    entered = enrolled("2026-01-05T10:00:00+03:00")
    office.enter(entered)
    one = office.sell("2026-01-05T10:05:00+03:00", 123_450, shown=token(K1), product="motorin")
    two = office.sell("2026-01-05T11:05:00+03:00", 20_000, shown=token(K1), product="lpg")
    office.sync()
    office.post()
    events = [
        *entered,
        sale_event(one, "2026-01-05T10:05:00+03:00", 123_450, card=K1),
        sale_event(two, "2026-01-05T11:05:00+03:00", 20_000, card=K1, product="autogas"),
    ]
    found = agree(office, events)
    assert found["points:petrol", "available:M1:petrol"] == 617
    assert found["points:autogas", "available:M1:autogas"] == 100


def test_petrolimex_by_tender_and_expiry() -> None:
    office = Office("petrolimex-id")
    entered = enrolled("2022-05-31T10:00:00+07:00")
    entered.append(event("2022-05-31T11:00:00+07:00", "member.verify", "v1", member="M1"))
    office.enter(entered)
    at = "2022-06-01T10:00:00+07:00"
    paid = [("cash", 30_000), ("electronic", 25_000)]
    sale = office.sell(at, 55_000, shown=token("+90 532 111 22 33", TokenKind.PHONE), paid=paid)
    office.sync()
    office.post()
    tenders = [{"kind": kind, "amount_minor": amount} for kind, amount in paid]
    sold = sale_event(sale, at, 55_000, phone="+905321112233", tenders=tenders)
    later = event("2027-06-01T04:00:00+07:00", "clock", "c1")
    found = agree(office, [*entered, sold, later])
    assert found["points:fuel", "company:expired"] == 150
    assert office.balances("M1") == {"points:M1:fuel": 0, "available:M1:fuel": 0}


def test_positive_card_with_limits_of_a_day() -> None:
    office = Office("positive-card")
    entered = enrolled("2027-05-05T09:00:00+03:00")
    office.enter(entered)
    sales = [
        ("2027-05-05T10:00:00+03:00", 500_000),
        ("2027-05-05T11:00:00+03:00", 400_000),
        ("2027-05-05T12:00:00+03:00", 300_000),
    ]
    refs = [office.sell(at, amount, shown=token(K1)) for at, amount in sales]
    office.sync()
    office.post()
    events = [*entered, *(sale_event(ref, at, amount, card=K1) for ref, (at, amount) in zip(refs, sales, strict=True))]
    assert agree(office, events)["points:fuel", "available:M1:fuel"] == 10_000


def test_lpg_pass_accrues_a_rebate_by_card_and_not_by_plate_alone() -> None:
    office = Office("lpg-pass")
    start = "2026-01-05T10:00:00+03:00"
    entered = [
        event(start, "contract.open", "1", customer="C1", discount={"per_litre_minor": 75}),
        event(start, "card.issue", "2", holder="C1", card=K1, product_set="lpg", plates=["34 ABC 12"]),
        event(start, "card.issue", "3", holder="C1", card=K2, product_set="automatic"),
    ]
    office.enter(entered)
    sales: list[tuple[str, dict[str, Any]]] = [
        ("2026-01-10T10:00:00+03:00", {"card": K1, "product": "autogas", "volume_ml": 40_000}),
        ("2026-01-11T10:00:00+03:00", {"card": K2, "product": "diesel", "volume_ml": 30_000}),
        ("2026-01-12T10:00:00+03:00", {"plate": "34ABC12", "product": "autogas", "volume_ml": 10_000}),
        # A wrong product: delivered is delivered, and accrues nothing.
        ("2026-01-13T10:00:00+03:00", {"card": K1, "product": "diesel", "volume_ml": 10_000}),
    ]
    events = list(entered)
    for at, fields in sales:
        kind = TokenKind.CARD if "card" in fields else TokenKind.PLATE
        shown = token(fields.get("card") or fields["plate"], kind)
        ref = office.sell(at, 100_000, shown=shown, product=fields["product"], volume_ml=fields["volume_ml"])
        events.append(sale_event(ref, at, 100_000, **fields))
    office.sync()
    office.post()
    found = agree(office, events)
    assert found["rebate", "rebate:C1:2026-01"] == 3_000


def test_cng_contract_below_zero_and_its_discount() -> None:
    office = Office("cng-interissuer")
    start = "2026-01-01T10:00:00+02:00"
    tiers = [{"from_ml": 1_000_000, "discount_per_m3_minor": 50}, {"from_ml": 5_000_000, "discount_per_m3_minor": 120}]
    entered = [
        event(start, "contract.open", "1", contract="A", prepaid=True),
        event(start, "card.issue", "2", holder="A", card=K1),
        event(start, "order.publish", "3", order="O1", valid_from="2026-01-01", tiers=tiers),
        event(start, "account.pay_in", "4", contract="A", amount_minor=10_400_000),
    ]
    office.enter(entered)
    at = "2026-01-20T10:00:00+02:00"
    paid = [("account", 10_400_000)]
    ref = office.sell(at, 10_400_000, shown=token(K1), product="cng", volume_ml=5_200_000, paid=paid)
    office.sync()
    office.post()
    closing = event("2026-02-01T10:00:00+02:00", "period.close", "5", period="2026-01")
    (answer,) = office.enter([closing])
    assert [each["discount_minor"] for each in answer["results"]] == [624_000]
    tenders = [{"kind": "account", "amount_minor": 10_400_000}]
    events = [*entered, sale_event(ref, at, 10_400_000, card=K1, product="cng", volume_ml=5_200_000, tenders=tenders)]
    found = agree(office, [*events, closing])
    assert found["money", "money:A"] == 624_000
    reversal = event("2026-02-02T10:00:00+02:00", "sale.reverse", "6", sale=ref)
    (answer,) = office.enter([reversal])
    assert answer["result"] == "accepted"
    assert agree(office, [*events, closing, reversal])["money", "money:A"] == 10_400_000

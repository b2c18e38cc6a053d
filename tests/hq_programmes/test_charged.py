"""Pay-and-go at headquarters: a station's sale is charged to the first linked credit card that accepts, else a debt."""

from pathlib import Path

import pytest

from controller.domain.tokens import TokenKind
from tests.hq_programmes.bench import Office, ms, sale_event, token
from tests.hq_programmes.test_five import K1, K2, agree, enrolled, event
from tests.hq_programmes.test_list import imported

AT = "2026-01-05T10:00:00+03:00"
SALE = "2026-01-06T10:00:00+03:00"


def fleet(*accepts: bool) -> list[dict[str, object]]:
    linked = [{"token": f"credit-{number}", "accepts": each} for number, each in enumerate(accepts)]
    return [
        event(AT, "contract.open", "1", customer="C1", discount={"per_litre_minor": 75}),
        event(AT, "card.issue", "2", holder="C1", card=K1, product_set="lpg", plates=["34 ABC 12"]),
        event(AT, "card.issue", "3", holder="C1", card=K2, product_set="automatic"),
        *([event(AT, "card.link_credit", "4", card=K1, credit_cards=linked)] if linked else []),
    ]


@pytest.mark.parametrize(("accepts", "debt"), [((False, True), 0), ((False, False), 97_400), ((), 97_400)])
def test_a_stations_sale_is_charged_or_becomes_a_debt(accepts: tuple[bool, ...], debt: int) -> None:
    office = Office("lpg-pass")
    events = fleet(*accepts)
    office.enter(events)
    paid = [("pay_and_go", 97_400)]
    ref = office.sell(SALE, 97_400, shown=token(K1), product="lpg", volume_ml=40_000, paid=paid)
    office.sync()
    office.post()
    tenders = [{"kind": kind, "amount_minor": amount} for kind, amount in paid]
    sold = sale_event(ref, SALE, 97_400, card=K1, product="autogas", volume_ml=40_000, tenders=tenders)
    found = agree(office, [*events, sold])
    assert found["rebate", "rebate:C1:2026-01"] == 3_000
    assert found.get(("money", "debt:C1"), 0) == debt


def test_such_a_sale_is_electronic_for_points_and_its_member_does_not_reverse_it() -> None:
    office = Office("positive-card")
    linked = event(AT, "card.link_credit", "l", card=K1, credit_cards=[{"token": "credit", "accepts": True}])
    office.enter([*enrolled(AT), linked])
    ref = office.sell(SALE, 300_000, shown=token(K1), paid=[("pay_and_go", 300_000)])
    office.sync()
    office.post(ms("2026-01-07T00:00:00+03:00"))
    assert office.balances("M1", ms("2026-01-07T00:00:00+03:00"))["points:M1:fuel"] == 3_000
    back = event("2026-01-07T10:00:00+03:00", "sale.reverse", "r", sale=ref, by="member")
    (answer,) = office.enter([back], ms("2026-01-08T00:00:00+03:00"))
    assert (answer["result"], answer["reason"]) == ("declined", "not_reversible")


def test_the_list_says_which_cards_are_linked(tmp_path: Path) -> None:
    office = Office("lpg-pass")
    office.enter(fleet(True))
    rows = imported(office, tmp_path)
    said = {key: row.member.pay_and_go for key, row in rows.items() if row.member is not None}
    plate = token("34 ABC 12", TokenKind.PLATE).key
    assert said == {token(K1).key: True, token(K2).key: False, plate: True}

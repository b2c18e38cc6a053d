"""Headquarters' face: what was delivered is posted, and what comes late is re-rated by new postings."""

import json
from typing import Any

import pytest

from controller.domain.programmes.events import AnyEvent, FieldError, decode
from controller.domain.programmes.late import AccountHistory, LateBeyondSnapshot
from controller.office.programme_commands import shipped
from tests.programmes.bench import ENDER, Lab, cng

DAY_MS = 86_400_000
START_MS = 1_767_596_400_000  # 2026-01-05T10:00:00+03:00


def event(event_type: str, ref: str, **fields: Any) -> AnyEvent:
    return decode(json.dumps({"at": "2026-01-05T10:00:00+03:00", "type": event_type, "ref": ref, **fields}).encode())


def sale(ref: str, amount_minor: int, **fields: Any) -> AnyEvent:
    tenders = [{"kind": "cash", "amount_minor": amount_minor}]
    given = {"product": "diesel", "volume_ml": 1_000, "station": "S1", "card": "K1", "tenders": tenders, **fields}
    return event("sale", ref, amount_minor=amount_minor, **given)


def history() -> AccountHistory:
    account = AccountHistory(shipped("positive-card"))
    enrol = {"member": "M1", "kind": "person", "consents": ["information"], **ENDER}
    account.post(event("member.enrol", "e1", **enrol), START_MS, START_MS)
    account.post(event("card.issue", "e2", holder="M1", card="K1"), START_MS, START_MS)
    return account


def points(account: AccountHistory) -> int:
    return account.engine.books.ledger.balance("points:fuel", "available:M1:fuel")


def posted(account: AccountHistory) -> int:
    return sum(leg.amount for posting in account.postings for leg in posting.legs if leg.account == "available:M1:fuel")


def test_an_event_in_time_is_posted_at_its_time() -> None:
    account = history()
    (posting,) = account.post(sale("s1", 100_000), START_MS + 5, START_MS + 9)
    assert (posting.ref, posting.event_ms, posting.booked_ms) == ("s1", START_MS + 5, START_MS + 9)
    assert points(account) == posted(account) == 1_000


def test_a_late_sale_that_a_daily_limit_cuts_is_re_rated_by_new_postings() -> None:
    """The sale of the morning comes in the evening: now it is the evening's that the day's limit cuts."""
    account = history()
    account.post(sale("s1", 500_000), START_MS + 2_000, START_MS + 2_000)
    account.post(sale("s2", 400_000), START_MS + 3_000, START_MS + 3_000)
    before = list(account.postings)
    made = account.post(sale("s0", 300_000), START_MS + 1_000, START_MS + DAY_MS)
    assert account.postings == before + made
    assert [(posting.event_ms, posting.booked_ms) for posting in made] == [(START_MS + 1_000, START_MS + DAY_MS)]
    assert points(account) == posted(account) == 10_000
    assert account.engine.books.sales.earned.tolist() == [3_000, 5_000, 2_000]


def test_a_late_event_that_changes_nothing_posts_nothing() -> None:
    account = history()
    account.post(sale("s1", 100_000), START_MS + DAY_MS, START_MS + DAY_MS)
    assert account.post(event("clock", "c"), START_MS + 1, START_MS + DAY_MS) == []


def test_late_and_in_time_come_to_the_same_balance() -> None:
    late, in_time = history(), history()
    sales = [(sale(f"s{number}", 300_000), START_MS + number * 1_000) for number in range(5)]
    for one, at_ms in sales:
        in_time.post(one, at_ms, at_ms)
    for one, at_ms in reversed(sales):
        late.post(one, at_ms, START_MS + DAY_MS)
    assert points(late) == points(in_time) == posted(late)


def test_a_snapshot_forgets_what_was_before() -> None:
    account = history()
    account.post(sale("s1", 100_000), START_MS + 1_000, START_MS + 1_000)
    account.take_snapshot()
    with pytest.raises(LateBeyondSnapshot):
        account.post(sale("s0", 100_000), START_MS, START_MS + 2_000)
    account.post(sale("s3", 100_000), START_MS + 3_000, START_MS + 3_000)
    account.post(sale("s2", 100_000), START_MS + 2_000, START_MS + 4_000)
    assert points(account) == posted(account) == 3_000


def test_an_event_is_posted_once() -> None:
    account = history()
    with pytest.raises(FieldError):
        account.post(event("clock", "e1"), START_MS, START_MS)
    assert account.post(sale("s1", 100_000), START_MS, START_MS)


def test_a_delivered_sale_is_posted_even_below_zero() -> None:
    """A station may have sold more than there was: the fuel is gone, the account says so."""
    lab: Lab = cng(paid_in=1_000)
    lab.do("contract.close", contract="A")
    given = {"product": "cng", "tenders": [{"kind": "account", "amount_minor": 5_000}]}
    answer = lab.engine.post(sale("s1", 5_000, **given), START_MS + 1)
    assert (answer.result, answer.reason) == ("accepted", "contract_not_valid")
    assert answer.balances == {"money:A": -4_000}


def test_a_delivered_sale_of_a_wrong_product_accrues_nothing() -> None:
    lab = Lab("lpg-pass")
    lab.do("contract.open", customer="C1", discount={"per_litre_minor": 75})
    lab.do("card.issue", holder="C1", card="K1", product_set="lpg")
    answer = lab.engine.post(sale("s1", 5_000), START_MS + 1)
    assert (answer.result, answer.reason, answer.balances) == ("accepted", "product_not_allowed", {})

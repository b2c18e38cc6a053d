"""Random histories of every programme: no point and no money is made or lost, and balances are their postings."""

import json
from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.domain.programmes.lab import Laboratory
from controller.domain.programmes.ledger import Posting
from controller.office.programme_commands import shipped
from controller.programme_files import SHIPPED

BEGIN = datetime(2022, 11, 20, 8, tzinfo=timezone(timedelta(hours=3)))
Step = tuple[int, int, int, int]
STEPS = st.lists(st.tuples(*[st.integers(0, 1_000)] * 4), max_size=40)
BUYERS = (
    ("KM1", "diesel"),
    ("KM2", "diesel"),
    ("KM1", "autogas"),
    ("KC1", "autogas"),
    ("KC2", "autogas"),
    ("KP1", "cng"),
    ("KP1", "cng"),
)
PRODUCTS = ("diesel", "autogas", "gasoline", "cng")
TENDERS = ("cash", "electronic", "account", "pay_and_go", "points")


def opening() -> list[dict[str, Any]]:
    """Everybody whom a history may name, in all programmes; what a programme has not, it declines."""
    person = {"consents": ["information"], "name": "A", "surname": "B", "birth_date": "1980-01-01"}
    tiers = [{"from_ml": 50_000, "discount_per_m3_minor": 7}]
    return [
        {"type": "member.enrol", "member": "M1", "kind": "person", "phone": "1", **person},
        {"type": "member.enrol", "member": "M2", "kind": "organisation", "phone": "2", **person},
        {"type": "contract.open", "customer": "C1", "discount": {"per_litre_minor": 75}},
        {"type": "contract.open", "customer": "C2", "discount": {"percent_bp": 250}, "period": "half"},
        {"type": "contract.open", "contract": "P1", "prepaid": True},
        {"type": "order.publish", "order": "O", "valid_from": "2022-01-01", "tiers": tiers},
        *({"type": "member.verify", "member": member} for member in ("M1", "M2")),
        *({"type": "member.activate", "member": member, "channel": "web"} for member in ("M1", "M2")),
        *({"type": "card.issue", "holder": holder, "card": f"K{holder}"} for holder in ("M1", "M2", "C1", "C2", "P1")),
        {"type": "account.pay_in", "contract": "P1", "amount_minor": 100_000},
    ]


def event_of(step: Step, number: int) -> dict[str, Any]:
    """What a step of four numbers means."""
    kind, a, b, c = step
    earlier = f"r{max(number - a % 6 - 1, 0)}"
    match kind % 16:
        case 0 | 1 | 2 | 3 | 4 | 5:
            card, product = (*BUYERS, ("KX", PRODUCTS[c % 4]))[b % (len(BUYERS) + 1)]
            return {
                "type": "sale",
                "product": PRODUCTS[c % 4] if c % 7 == 0 else product,
                "volume_ml": a * 100,
                "amount_minor": b * 100,
                "tenders": [{"kind": TENDERS[c % 5], "amount_minor": b * 100}],
                "station": f"S{c % 2}",
                **({} if a % 5 == 0 else {"card": card}),
                **({"acquirer": "B"} if c % 5 == 0 else {}),
            }
        case 6 | 7:
            proof = ({"otp": True}, {"pin": "ok"}, {"voucher": f"V{b % 2}", "driver_pin": "ok"}, {"pin": "wrong"})
            return {
                "type": "redeem",
                "holder": "M1" if a % 2 else "M2",
                "product": PRODUCTS[c % 2],
                "points": b % 90 + 1,
                "proof": proof[0] if a % 2 else proof[c % 4],
            }
        case 8 | 9 | 10:
            return {"type": "sale.reverse", "sale": earlier}
        case 11:
            return {"type": "present.after", "card": f"KM{b % 2 + 1}", "sale": f"r{max(number - 1, 0)}"}
        case 12:
            return {
                "type": "voucher.create",
                "organisation": "M2",
                "voucher": f"V{b % 2}",
                "points": c % 50 + 1,
                "user_may_manage": True,
            }
        case 13:
            return {"type": "voucher.cancel", "organisation": "M2", "voucher": f"V{b % 2}", "user_may_manage": True}
        case 14:
            period = f"{('2022-11', '2022-12', '2023-01', '2023-02')[a % 4]}{('', 'a', 'b')[b % 3]}"
            return {"type": "period.close", "period": period}
        case _:
            outcomes = (
                {"type": "account.pay_in", "contract": "P1", "amount_minor": b * 200 - 20_000},
                {
                    "type": "adjust.fault",
                    "member": "M1",
                    "points": b + 1,
                    "fault_in_journal": True,
                    "approved_by_second": True,
                },
                {"type": "member.review", "member": "M1", "outcome": ("clear", "take_back")[b % 2]},
                {"type": "clock"},
            )
            return outcomes[a % 4]


def lines_of(steps: list[Step], days: int) -> list[bytes]:
    """A history as lines; `days` pass between two steps, at the most."""
    at = BEGIN
    lines = []
    for number, event in enumerate(opening()):
        lines.append(json.dumps({"at": at.isoformat(), "ref": f"o{number}", **event}).encode())
    for number, step in enumerate(steps):
        at += timedelta(days=step[3] % (days + 1), minutes=step[1])
        lines.append(json.dumps({"at": at.isoformat(), "ref": f"r{number}", **event_of(step, number)}).encode())
    return lines


def check_books(laboratory: Laboratory, postings: list[Posting]) -> None:
    """Each posting and each commodity sums to zero, balances are sums of postings, lots are balances."""
    books = laboratory.engine.books
    sums: Counter[tuple[str, str]] = Counter()
    for posting in postings:
        assert len(posting.legs) >= 2
        assert sum(leg.amount for leg in posting.legs) == 0
        for leg in posting.legs:
            sums[posting.commodity, leg.account] += leg.amount
    kept = {
        (commodity, name): balance
        for commodity in books.ledger.commodities()
        for name, balance in books.ledger.accounts(commodity)
    }
    assert {key: amount for key, amount in sums.items() if amount} == {
        key: amount for key, amount in kept.items() if amount
    }
    for commodity in books.ledger.commodities():
        assert sum(balance for _, balance in books.ledger.accounts(commodity)) == 0
    for holder in books.holders:
        for purse in holder.purses.values():
            for account in (purse, *purse.vouchers):
                assert sum(lot.net - lot.expired for lot in account.lots) == books.balance(account)
                assert all(lot.expired >= 0 for lot in account.lots)


@pytest.mark.parametrize("name", SHIPPED)
@given(steps=STEPS, days=st.sampled_from((0, 3, 60)))
@settings(max_examples=25, deadline=None)
def test_after_each_event_the_books_agree(name: str, steps: list[Step], days: int) -> None:
    """And an answer's balances are those of the books; what no answer names has not changed."""
    laboratory = Laboratory(shipped(name))
    postings: list[Posting] = []
    laboratory.engine.books.ledger.sink = postings.append
    told: dict[str, int] = {}
    for line, answer in zip(lines := lines_of(steps, days), laboratory.answers(lines, "events"), strict=True):
        check_books(laboratory, postings)
        told.update(json.loads(answer)["balances"])
        books = laboratory.engine.books
        for commodity in books.ledger.commodities():
            for account, balance in books.ledger.accounts(commodity):
                if not account.startswith(("company:", "settlement:")):
                    assert told.get(account, 0) == balance, line


@pytest.mark.parametrize("name", ["opet-kart", "petrolimex-id", "positive-card"])
@given(steps=STEPS, order=st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_reversing_everything_in_any_order_leaves_nothing(name: str, steps: list[Step], order: Any) -> None:
    """All sales and redemptions of a history are reversed: each lot is what it was before any of them."""
    steps = [step for step in steps if step[0] % 16 not in (15,)]
    laboratory = Laboratory(shipped(name))
    lines = lines_of(steps, 0)
    list(laboratory.answers(lines, "events"))
    books = laboratory.engine.books
    at = "2023-02-28T00:00:00+00:00"
    refs = [ref for ref, number in books.sales.refs.items() if number >= 0]
    order.shuffle(refs)
    back = [json.dumps({"at": at, "ref": f"b{ref}", "type": "sale.reverse", "sale": ref}).encode() for ref in refs]
    list(laboratory.answers(back, "events"))
    for holder in books.holders:
        for purse in holder.purses.values():
            assert books.all_points(purse) == 0
            nets: Counter[int] = Counter()
            for account in (purse, *purse.vouchers):
                for lot in account.lots:
                    nets[lot.expiry_ms] += lot.net
            assert not any(nets.values())


@pytest.mark.parametrize("name", SHIPPED)
@given(steps=STEPS)
@settings(max_examples=10, deadline=None)
def test_the_same_events_give_the_same_answers(name: str, steps: list[Step]) -> None:
    lines = lines_of(steps, 9)
    first, second = (list(Laboratory(shipped(name)).answers(lines, "events")) for _ in range(2))
    assert first == second

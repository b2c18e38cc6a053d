"""What a partner sold, on its way into the programme's ledger: when it comes to nothing, nothing of it is left."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sync.hq.exchange import orders
from sync.hq.exchange.issuing import Issuing
from sync.hq.exchange.orders import Exchange, Take
from sync.hq.exchange.packages import Transaction
from sync.hq.hold import StoreError
from tests.hq_programmes.bench import NOW_MS, SECRET, Office
from tests.hq_programmes.test_five import K1, event

AT = "2026-01-02T10:00:00+02:00"
SOLD = Transaction("1", datetime(2026, 1, 5, 12, tzinfo=UTC), K1, "UA-1", "cng", 5_000, 10_000)


def contract(paid_minor: int) -> Office:
    office = Office("cng-interissuer")
    office.enter(
        [
            event(AT, "contract.open", "1", contract="A", prepaid=True),
            event(AT, "card.issue", "2", holder="A", card=K1),
            event(AT, "account.pay_in", "3", contract="A", amount_minor=paid_minor),
        ]
    )
    return office


def test_a_package_that_comes_to_nothing_leaves_nothing_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    office = contract(50_000)
    before = office.balances("A")

    def take(_: object, issuing: Issuing, *__: object) -> None:
        with office.store.commit() as db:
            issuing.book(db, "B", [SOLD], NOW_MS)
            raise StoreError("the disk is full")

    monkeypatch.setattr(orders, "_take", take)
    ledger = office.desk.ledger(office.name)
    exchange = Exchange(office.store.commit, lambda: ledger, Ed25519PrivateKey.generate, SECRET, {})
    with pytest.raises(StoreError):
        exchange.do(Take(b""), NOW_MS)
    assert office.balances("A") == before

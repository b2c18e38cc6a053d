"""Copies of a long account as it stood before: with them a late event costs less, and comes to the same."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.domain.programmes import late
from controller.domain.programmes.events import AnyEvent, decode
from controller.domain.programmes.late import AccountHistory
from controller.office.programme_commands import shipped
from tests.hq_programmes.bench import ms, sale_event
from tests.hq_programmes.test_five import K1, enrolled, event


def made(events: list[dict[str, Any]]) -> list[tuple[int, AnyEvent]]:
    return [(ms(each["at"]), decode(json.dumps(each).encode())) for each in events]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_with_copies_and_without_the_same_is_posted(data: st.DataObject) -> None:
    minutes = data.draw(st.lists(st.integers(0, 59), min_size=1, max_size=14, unique=True), label="minutes")
    start, *more = enrolled("2026-01-05T10:00:00+03:00")
    events = [start, *more]
    for number, minute in enumerate(minutes):
        at = f"2026-02-05T10:{minute:02}:00+03:00"
        if number and data.draw(st.booleans(), label="a reversal"):
            events.append(event(at, "sale.reverse", f"r{number}", sale=f"s{data.draw(st.integers(0, number - 1))}"))
        else:
            amount = data.draw(st.integers(0, 90_000), label="amount")
            events.append(sale_event(f"s{number}", at, amount, card=K1, plate=data.draw(st.sampled_from(["A1", "B2"]))))
    told = made(events)
    cut = data.draw(st.integers(2, len(told)), label="resumed")
    plain, marked = AccountHistory(shipped("positive-card")), AccountHistory(shipped("positive-card"))
    for history, every in ((plain, 10**9), (marked, 2)):
        with patch.object(late, "MARK_EVERY", every):
            history.resume(sorted(told[:cut], key=lambda each: each[0]))
            for at_ms, one in told[cut:]:
                history.post_all([(at_ms, one)], at_ms + 1)
    assert marked.postings == plain.postings
    books, other = plain.engine.books.ledger, marked.engine.books.ledger
    assert books.commodities() == other.commodities()
    for commodity in books.commodities():
        assert list(books.accounts(commodity)) == list(other.accounts(commodity))

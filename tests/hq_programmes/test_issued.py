"""Issued statements: what was issued stays as it was, and what comes late stands in the next one, as a correction."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.hq.programmes import showing
from sync.hq.programmes.asks import IssueAsk, StatementAnswer, StatementAsk
from sync.hq.programmes.statements import DeskError
from tests.hq_programmes.bench import NOW_MS, Office, ms, sale_event, token
from tests.hq_programmes.test_commands import entered, fleet, run
from tests.hq_programmes.test_five import K1, K2, event
from tests.hq_programmes.test_statements import RATES, lpg

FEBRUARY = ms("2026-02-03T10:00:00+03:00")


def asked(office: Office, ask: IssueAsk | StatementAsk, now_ms: int = NOW_MS) -> StatementAnswer:
    answer = office.desk.answer(ask, now_ms)
    assert isinstance(answer, StatementAnswer)
    return answer


def issue(office: Office, period: str, now_ms: int = NOW_MS) -> StatementAnswer:
    return asked(office, IssueAsk("lpg-pass", "C1", period), now_ms)


def stated(office: Office, period: str, now_ms: int = NOW_MS) -> StatementAnswer:
    return asked(office, StatementAsk("lpg-pass", "C1", period), now_ms)


def text_of(answer: StatementAnswer) -> str:
    return "\n".join(showing.statement_lines(answer))


def sold(office: Office, at: str, volume_ml: int = 10_000, amount_minor: int = 20_000, card: str = K1) -> str:
    ref = office.sell(at, amount_minor, shown=token(card), product="lpg", volume_ml=volume_ml)
    office.sync()
    office.post()
    return ref


def test_an_issued_statement_stays_and_what_comes_late_stands_in_the_next() -> None:
    office, _ = lpg()
    before = stated(office, "2026-01")
    assert (before.number, before.issued) == (0, "")
    assert "not issued" in text_of(before)
    first = issue(office, "2026-01", FEBRUARY)
    assert (first.number, first.issued, first.discount_minor, first.due_minor) == (
        1,
        "2026-02-03T10:00:00+03:00",
        6_000,
        6_000,
    )
    printed = text_of(first)
    late = sold(office, "2026-01-12T10:00:00+03:00")
    office.restart()
    assert text_of(stated(office, "2026-01")) == printed
    assert stated(office, "2026-01") == first == issue(office, "2026-01"), "issued once"
    draft = stated(office, "2026-02")
    (line,) = draft.corrections
    assert (line.of, line.statement, line.why, line.sale, line.discount_minor) == ("2026-01", 1, "late", late, 750)
    assert (draft.discount_minor, draft.due_minor) == (375, 1_125)
    second = issue(office, "2026-02")
    assert (second.number, second.corrections, second.due_minor) == (2, (line,), 1_125)
    assert stated(office, "2026-03").corrections == (), "corrected once"
    assert K1 not in text_of(second)
    assert late in text_of(second)
    assert office.balances("C1")["rebate:C1:2026-01"] == 6_750, "the ledger has it where it accrued"


def test_a_sale_of_an_issued_month_that_is_reversed_is_taken_off_the_next() -> None:
    office, _ = lpg()
    first = issue(office, "2026-01")
    ref = first.lines[0].sale
    office.enter([event("2026-03-03T10:00:00+03:00", "sale.reverse", "r9", sale=ref)])
    draft = stated(office, "2026-02")
    (line,) = draft.corrections
    assert (line.why, line.sale, line.volume_ml, line.amount_minor, line.discount_minor) == (
        "reversed",
        ref,
        -40_000,
        -80_001,
        -3_000,
    )
    assert draft.due_minor == 375 - 3_000
    assert sum(each.discount_minor for each in draft.vat) == draft.due_minor
    issue(office, "2026-02")
    assert stated(office, "2026-03").due_minor == 0


def test_a_sale_that_is_rated_anew_is_corrected_by_the_difference() -> None:
    """The contract had been opened with the wrong discount, and that is entered late."""
    office, _ = lpg()
    issue(office, "2026-01")
    office.enter(
        [
            event("2026-01-24T10:00:00+03:00", "contract.close", "x1", customer="C1"),
            event("2026-01-24T10:00:01+03:00", "contract.open", "x2", customer="C1", discount={"per_litre_minor": 80}),
        ]
    )
    (line,) = stated(office, "2026-02").corrections
    assert (line.why, line.volume_ml, line.amount_minor, line.discount_minor) == ("rated anew", 0, 0, 50)


def test_a_sale_that_accrues_nothing_any_more_is_not_said_to_be_reversed() -> None:
    """The contract had ended when it was sold, and that is entered late; so it is where it goes by halves since."""
    office, _ = lpg()
    issue(office, "2026-01")
    closed = event("2026-01-24T10:00:00+03:00", "contract.close", "x1", customer="C1")
    office.enter([closed])
    (line,) = stated(office, "2026-02").corrections
    assert (line.why, line.volume_ml, line.discount_minor) == ("taken off", -10_000, -750)
    discount = {"per_litre_minor": 75}
    again = event("2026-01-24T10:00:01+03:00", "contract.open", "x2", customer="C1", discount=discount, period="half")
    office.enter([again])
    draft = stated(office, "2026-01b")
    assert [line.why for line in draft.corrections] == ["taken off"]
    assert (draft.discount_minor, draft.due_minor) == (750, 0)
    assert sum(each.sales for each in draft.vat) == 0, "it is one line here, and one less there"


def test_the_fingerprint_is_of_the_lines_above_it() -> None:
    office, _ = lpg()
    answer = issue(office, "2026-01")
    *above, last = showing.statement_lines(answer)
    whole = "".join(f"{line}\n" for line in above)
    assert hashlib.sha256(whole.encode()).hexdigest() == answer.fingerprint
    assert answer.fingerprint in last
    assert "statement 1" in above[0]


def test_the_commands(config: Path) -> None:
    """What is printed of an issued month is the same to the byte, when a sale came late as well."""
    entered(config, "lpg-pass", fleet())
    words = ("lpg-pass", "--customer", "C1", "--period", "2026-01")
    assert "not issued" in run(config, "statement", *words).stdout
    printed = run(config, "issue", *words).stdout
    above, _, last = printed.removesuffix("\n").rpartition("\n")
    digest = hashlib.sha256((above + "\n").encode()).hexdigest()
    assert last == f"SHA-256 of the lines above: {digest}"
    late = {**fleet()[-1], "ref": "late", "at": "2026-01-11T10:00:00+03:00"}
    assert entered(config, "lpg-pass", [late]).exit_code == 0
    assert run(config, "statement", *words).stdout == printed
    assert run(config, "issue", *words).stdout == printed
    told = json.loads(run(config, "statement", *words[:-1], "2026-02", "--json").stdout)
    assert [(each["sale"], each["why"]) for each in told["corrections"]] == [("late", "late")]
    assert "statement issued  1, C1, 2026-01" in run(config, "office", "lpg-pass").stdout


def test_what_was_issued_is_printed_whatever_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other rates in hq.toml, and another version of the program that prints in other words."""
    office, _ = lpg()
    printed = text_of(issue(office, "2026-01"))
    office.vat = ()
    office.restart()
    monkeypatch.setattr(showing, "RATE_DECIMALS", 1)
    assert text_of(stated(office, "2026-01")) == printed


def test_what_is_not_issued() -> None:
    office, _ = lpg()
    with pytest.raises(DeskError, match="2026-01 is not over: a statement of it can be issued from 2026-02-01"):
        issue(office, "2026-01", ms("2026-01-31T23:59:59+03:00"))
    with pytest.raises(DeskError, match="lpg-pass knows no C9"):
        asked(office, IssueAsk("lpg-pass", "C9", "2026-01"))
    office.vat = RATES[1:]
    office.restart()
    with pytest.raises(DeskError, match="no rate of VAT"):
        issue(office, "2026-01")
    office.vat = RATES
    office.restart()
    assert issue(office, "2026-01").number == 1


def test_an_old_month_is_stated_after_the_contract_was_opened_again_by_halves() -> None:
    office, _ = lpg()
    discount = {"per_litre_minor": 75}
    office.enter(
        [
            event("2026-02-10T10:00:00+03:00", "contract.close", "x1", customer="C1"),
            event("2026-02-10T10:00:01+03:00", "contract.open", "x2", customer="C1", discount=discount, period="half"),
        ]
    )
    sold(office, "2026-02-12T10:00:00+03:00")
    assert stated(office, "2026-01").discount_minor == 6_000
    assert stated(office, "2026-02").discount_minor == 375, "what accrued before, by the month"
    assert stated(office, "2026-02a").discount_minor == 750
    assert issue(office, "2026-01").number == 1
    late = sold(office, "2026-01-12T10:00:00+03:00")
    assert [line.sale for line in stated(office, "2026-02a").corrections] == [late]
    with pytest.raises(DeskError, match="the contract of C1 goes by half months, such as 2026-01a"):
        stated(office, "2026-03")


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_all_that_is_issued_comes_to_what_accrued(data: st.DataObject) -> None:
    """Sales, reversals and issues in any order: issued and still to be issued together are the ledger's rebate."""
    office = Office("lpg-pass", vat=RATES)
    start = "2026-01-02T10:00:00+03:00"
    office.enter(
        [
            event(start, "contract.open", "1", customer="C1", discount={"per_litre_minor": 75}),
            event(start, "card.issue", "2", holder="C1", card=K1, product_set="lpg"),
            event(start, "card.issue", "3", holder="C1", card=K2, product_set="lpg"),
        ]
    )
    months, refs, issued = ("2026-02", "2026-03", "2026-04"), list[str](), dict[str, StatementAnswer]()
    for step in range(data.draw(st.integers(1, 12), label="steps")):
        what: str = data.draw(st.sampled_from(["sale", "sale", "reverse", "issue"]), label="what")
        month: str = data.draw(st.sampled_from(months), label="month")
        if what == "sale":
            day = data.draw(st.integers(1, 28), label="day")
            card = data.draw(st.sampled_from([K1, K2]), label="card")
            volume_ml = data.draw(st.integers(0, 60_000), label="volume")
            sale = {"card": card, "product": "autogas", "volume_ml": volume_ml}
            refs.append(f"s{step}")
            office.enter([sale_event(refs[-1], f"{month}-{day:02}T10:00:00+03:00", 20_000, **sale)])
        elif what == "reverse" and refs:
            ref = data.draw(st.sampled_from(refs), label="sale")
            office.enter([event("2026-06-01T10:00:00+03:00", "sale.reverse", f"r{step}", sale=ref)])
        elif what == "issue":
            issued[month] = issue(office, month)
    for month, answer in issued.items():
        assert stated(office, month) == answer
    rest = {month: stated(office, month) for month in months if month not in issued}
    waiting: dict[str, Any] = {line.sale: line for each in rest.values() for line in each.corrections}
    if len(issued) == len(months):
        waiting = {line.sale: line for line in stated(office, "2026-05").corrections}
    accrued = sum(amount for name, amount in office.balances("C1").items() if name.startswith("rebate:"))
    assert accrued == (
        sum(each.due_minor for each in issued.values())
        + sum(each.discount_minor for each in rest.values())
        + sum(line.discount_minor for line in waiting.values())
    )

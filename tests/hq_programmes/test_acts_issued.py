"""Issued acts of price change: what was issued stays, what comes late is in a correcting act, and all add up."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.hq.programmes import showing
from sync.hq.programmes.asks import ActAnswer, ActAsk, IssueActAsk
from sync.hq.programmes.statements import DeskError
from tests.hq_programmes.bench import NOW_MS, Office, ms, sale_event
from tests.hq_programmes.test_commands import entered, run
from tests.hq_programmes.test_five import K1, event

FEBRUARY = ms("2026-02-03T10:00:00+02:00")
START = "2026-01-01T10:00:00+02:00"
CLOSED = event("2026-02-01T00:00:00+02:00", "period.close", "c1", period="2026-01", contract="A")


def contract() -> list[dict[str, object]]:
    tiers = [{"from_ml": 5_000_000, "discount_per_m3_minor": 120}]
    return [
        event(START, "contract.open", "1", contract="A", prepaid=True),
        event(START, "card.issue", "2", holder="A", card=K1),
        event(START, "order.publish", "3", order="12", valid_from="2026-01-01", tiers=tiers),
        event(START, "account.pay_in", "4", contract="A", amount_minor=50_000_000),
    ]


def got(ref: str, day: int, volume_ml: int) -> dict[str, object]:
    amount = 2 * volume_ml
    paid = [{"kind": "account", "amount_minor": amount}]
    at = f"2026-01-{day:02}T10:00:00+02:00"
    return sale_event(ref, at, amount, card=K1, product="cng", volume_ml=volume_ml, tenders=paid)


def office_of_january() -> Office:
    office = Office("cng-interissuer")
    office.enter([*contract(), got("s1", 20, 5_200_000), CLOSED])
    return office


def asked(office: Office, ask: ActAsk | IssueActAsk, now_ms: int = NOW_MS) -> ActAnswer:
    answer = office.desk.answer(ask, now_ms)
    assert isinstance(answer, ActAnswer)
    return answer


def issue(office: Office, *, correction: bool = False, now_ms: int = NOW_MS) -> ActAnswer:
    return asked(office, IssueActAsk(office.name, "A", "2026-01", correction), now_ms)


def acts(office: Office) -> ActAnswer:
    return asked(office, ActAsk(office.name, "A", "2026-01"))


def text_of(answer: ActAnswer) -> str:
    return "\n".join(showing.act_lines(answer))


def test_an_issued_act_stays_and_what_comes_late_is_in_an_act_that_corrects_it() -> None:
    office = office_of_january()
    assert "not issued" in text_of(acts(office))
    first = issue(office, now_ms=FEBRUARY)
    assert first.draft is None
    (one,) = first.issued
    assert (one.number, one.issued, one.act.difference_minor) == (1, "2026-02-03T10:00:00+02:00", -624_000)
    assert issue(office) == first == acts(office), "issued once"
    printed = text_of(first)
    *above, last = printed.split("\n")
    assert hashlib.sha256("".join(f"{line}\n" for line in above).encode()).hexdigest() == one.fingerprint
    assert one.fingerprint in last

    office.enter([got("late", 10, 1_000_000)])
    office.restart()
    waiting = acts(office)
    assert text_of(waiting).startswith(printed), "to the byte"
    assert waiting.draft is not None
    assert (waiting.draft.before, waiting.draft.corrects) == (one.act, 1)
    assert waiting.draft.act.difference_minor == -744_000
    assert issue(office) == waiting, "nothing is corrected unasked"
    second = issue(office, correction=True)
    assert [each.number for each in second.issued] == [1, 2]
    assert second.draft is None
    assert second.issued[0] == one
    assert "corrects 1" in text_of(second)
    assert "-1200.00" in text_of(second), "the difference"
    assert issue(office, correction=True) == second, "corrected once"
    assert office.kept()["money", "company:discount"] == second.issued[-1].act.difference_minor


def test_a_sale_that_is_reversed_takes_the_month_below_its_tier_and_back() -> None:
    office = office_of_january()
    office.enter([got("s2", 21, 100_000)])
    issue(office)
    office.enter([event("2026-03-01T10:00:00+02:00", "sale.reverse", "r1", sale="s1")])
    corrected = issue(office, correction=True).issued[-1]
    assert (corrected.act.volume_ml, corrected.act.difference_minor) == (100_000, 0)
    assert corrected.act.price_before == corrected.act.price_after
    assert ("money", "company:discount") not in office.kept()
    office.enter([got("s3", 22, 6_000_000)])
    third = issue(office, correction=True).issued[-1]
    assert (third.corrects, third.before) == (2, corrected.act)
    assert office.kept().get(("money", "company:discount"), 0) == third.act.difference_minor


def test_what_is_not_issued() -> None:
    office = Office("cng-interissuer")
    office.enter([*contract(), got("s1", 20, 4_000_000)])
    with pytest.raises(DeskError, match="2026-01 is not closed for A"):
        issue(office)
    office.enter([CLOSED])
    with pytest.raises(DeskError, match="no act for A, 2026-01: below_first_tier"):
        issue(office)
    office.enter([got("late", 10, 1_200_000)])
    with pytest.raises(DeskError, match="no act of A, 2026-01 was issued: there is nothing to correct"):
        issue(office, correction=True)
    assert issue(office).issued[0].number == 1


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_what_was_issued_and_the_draft_are_what_the_ledger_gave(data: st.DataObject) -> None:
    office, sold = office_of_january(), ["s1"]
    for step in range(data.draw(st.integers(1, 8), label="steps")):
        what = data.draw(st.sampled_from(["sale", "reverse", "issue", "correct"]), label="what")
        if what == "sale":
            sold.append(f"late{step}")
            volume_ml = data.draw(st.integers(0, 3_000_000), label="volume")
            office.enter([got(sold[-1], data.draw(st.integers(1, 31), label="day"), volume_ml)])
        elif what == "reverse":
            ref = data.draw(st.sampled_from(sold), label="sale")
            office.enter([event("2026-06-01T10:00:00+03:00", "sale.reverse", f"r{step}", sale=ref)])
        elif acts(office).issued or (what == "issue" and acts(office).draft):
            issue(office, correction=what == "correct")
        found = acts(office)
        said = [*found.issued, *([found.draft] if found.draft is not None else [])]
        told = sum(
            each.act.difference_minor - (0 if each.before is None else each.before.difference_minor) for each in said
        )
        assert office.kept().get(("money", "company:discount"), 0) == told


def test_the_commands(config: Path) -> None:
    entered(config, "cng-interissuer", [*contract(), got("s1", 20, 5_200_000), CLOSED])
    words = ("cng-interissuer", "--contract", "A", "--period", "2026-01")
    assert "to the acceptance act, not issued" in run(config, "act", *words).stdout
    printed = run(config, "issue", *words).stdout
    assert printed.startswith("Act of price change 1 to the acceptance act, issued ")
    assert run(config, "act", *words).stdout == printed
    assert entered(config, "cng-interissuer", [got("late", 10, 1_000_000)]).exit_code == 0
    assert run(config, "act", *words).stdout.startswith(printed)
    corrected = run(config, "issue", *words, "--correction").stdout
    assert corrected.startswith(printed)
    assert run(config, "act", *words).stdout == corrected
    told = json.loads(run(config, "act", *words, "--json").stdout)
    assert [each["number"] for each in told["issued"]] == [1, 2]
    assert "act issued  2, A, 2026-01" in run(config, "office", "cng-interissuer").stdout
    for wrong in (
        ("cng-interissuer", "--period", "2026-01"),
        (*words, "--customer", "C1"),
        ("lpg-pass", "--customer", "C1", "--period", "2026-01", "--correction"),
    ):
        assert run(config, "issue", *wrong).exit_code == 1

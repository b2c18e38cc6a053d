"""What an operator asks for: claims and their findings, rows to look at, and all of one member at the telephone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sync.hq.programmes.asks import (
    ClaimsAnswer,
    ClaimsAsk,
    FindingAsk,
    MemberAnswer,
    MemberAsk,
    OdditiesAnswer,
    OdditiesAsk,
)
from sync.hq.programmes.showing_people import claims_lines, member_lines, oddities_lines
from sync.hq.programmes.statements import DeskError
from tests.hq_programmes.bench import NOW_MS, Office, ms, sale_event, token
from tests.hq_programmes.test_commands import entered, fleet, run
from tests.hq_programmes.test_five import K1, K2, enrolled, event
from tests.sync.peers import STATION

CLAIM = event(
    "2026-01-20T10:00:00+03:00",
    "claim.yes",
    "y1",
    plate="34 abc 12",
    damaged_at="2026-01-15T09:00:00+03:00",
    repair_minor=1_250_000,
)


def claims(office: Office, *, every: bool = False) -> ClaimsAnswer:
    answer = office.desk.answer(ClaimsAsk(office.name, every), NOW_MS)
    assert isinstance(answer, ClaimsAnswer)
    return answer


def test_a_claim_is_open_with_its_evidence_until_a_finding_closes_it() -> None:
    office = Office("lpg-pass")
    none = {**CLAIM, "ref": "y2", "plate": "06 XYZ 1"}
    office.enter([*fleet(), CLAIM, none])
    (claim,) = claims(office).claims
    assert (claim.ref, claim.plate, claim.repair_minor, claim.by) == ("y1", "34ABC12", 1_250_000, "")
    assert [(each.ref, each.card, each.volume_ml) for each in claim.evidence] == [("3", "900100******0101", 40_000)]
    office.enter([{**fleet()[2], "at": "2026-01-12T10:00:00+03:00", "ref": "4"}])
    assert len(claims(office).claims[0].evidence) == 2, "a purchase that was heard of late is evidence too"
    found = FindingAsk(office.name, "y1", "fuel within the standard", "TSE, report 7")
    for _ in range(2):
        office.desk.answer(found, NOW_MS)
    office.restart()
    assert claims(office).claims == ()
    (closed,) = claims(office, every=True).claims
    assert (closed.finding, closed.by) == ("fuel within the standard", "TSE, report 7")
    text = "\n".join(claims_lines(claims(office, every=True)))
    assert "y1, 34ABC12: damaged 2026-01-15T09:00:00+03:00, repair 12500.00 TRY" in text
    assert "by TSE, report 7: fuel within the standard" in text
    assert list(claims_lines(claims(office))) == ["no claims"]


@pytest.mark.parametrize(
    ("ask", "what"),
    [
        (("y2", "x", "TSE"), "knows no claim y2"),
        (("3", "x", "TSE"), "knows no claim 3"),
        (("y1", " ", "TSE"), "expected a finding"),
        (("y1", "x", ""), "and who found it"),
        (("y1", "other", "TSE"), "y1 is closed already, by TSE: at fault"),
    ],
)
def test_a_finding_that_cannot_be(ask: tuple[str, str, str], what: str) -> None:
    office = Office("lpg-pass")
    office.enter([*fleet(), CLAIM])
    office.desk.answer(FindingAsk(office.name, "y1", "at fault", "TSE"), NOW_MS)
    with pytest.raises(DeskError, match=what):
        office.desk.answer(FindingAsk(office.name, *ask), NOW_MS)


def test_rows_that_could_not_be_posted() -> None:
    office = Office("opet-kart")
    office.enter(enrolled("2026-01-05T10:00:00+03:00"))
    office.sell("2026-01-05T12:00:00+03:00", 10_000, shown=token(K1), product="adblue")
    office.sync()
    office.post()
    answer = office.desk.answer(OdditiesAsk(office.name), NOW_MS)
    assert isinstance(answer, OdditiesAnswer)
    (odd,) = answer.oddities
    assert odd.station == STATION
    assert odd.row.endswith(f"-{office.station.head_seq}")
    assert "grade adblue is no product: put it into [products] of hq.toml" in list(oddities_lines(answer))[1]
    assert list(oddities_lines(OdditiesAnswer(()))) == ["no oddities"]


def member(office: Office, name: str, now: str = "2026-06-01T00:00:00+03:00") -> MemberAnswer:
    answer = office.desk.answer(MemberAsk(office.name, name), ms(now))
    assert isinstance(answer, MemberAnswer)
    return answer


def positive() -> Office:
    """A member with two cards, one of them lost; points of two years, some spent; a plate; a reversed sale."""
    office = Office("positive-card")
    at = "2025-11-05T10:00:00+03:00"
    events: list[dict[str, Any]] = [
        *enrolled(at),
        event(at, "card.issue", "i2", holder="M1", card=K2),
        event(at, "card.lost", "l2", card=K2),
        event(at, "member.activate", "a1", member="M1", channel="web"),
        event(at, "member.verify", "v1", member="M1", plate="34 ABC 12"),
        sale_event("s1", at, 100_000, card=K1, plate="34 ABC 12"),
        sale_event("s2", "2026-02-05T10:00:00+03:00", 50_000, card=K1),
        sale_event("s3", "2026-02-06T10:00:00+03:00", 30_000, card=K1),
        event("2026-02-07T10:00:00+03:00", "sale.reverse", "r3", sale="s3"),
        event(
            "2026-02-08T10:00:00+03:00", "redeem", "d1", holder="M1", product="diesel", points=200, proof={"otp": True}
        ),
    ]
    office.enter(events)
    return office


def test_a_member_at_the_telephone() -> None:
    office = positive()
    before = member(office, "M1", "2026-03-01T00:00:00+03:00")
    assert [(lot.points, lot.expires) for lot in before.lots] == [
        (800, "2026-03-31T00:00:00+03:00"),
        (500, "2027-03-31T00:00:00+03:00"),
    ]
    told = member(office, K1)
    assert [(lot.points, lot.expires) for lot in told.lots] == [(500, "2027-03-31T00:00:00+03:00")]
    assert [(card.card, card.state) for card in told.cards] == [
        ("900100******0101", "active"),
        ("900100******0102", "lost"),
    ]
    assert told.plates == ("34ABC12",)
    assert [(sale.kind, sale.points) for sale in told.sales] == [
        ("redeemed", -200),
        ("reversed", 0),
        ("sale", 500),
        ("sale", 1_000),
    ]
    for name in (K2, "9001 0000 0000 0101", "+90 532 111 22 33", "34-abc-12"):
        assert member(office, name) == told, name
    text = "\n".join(member_lines(told))
    assert "activated" in text
    for whole in (K1, K2, "5321112233"):
        assert whole not in text
    with pytest.raises(DeskError, match="knows no member, card, phone or plate Nobody"):
        member(office, "Nobody")


def test_a_fleets_card_and_its_rebates() -> None:
    office = Office("lpg-pass")
    office.enter(fleet())
    told = member(office, "34ABC12")
    assert (told.holder, told.kind, told.state) == ("C1", "customer", ("open",))
    assert {balance.account: balance.amount for balance in told.balances} == {"rebate:C1:2026-01": 3_000}
    assert told.sales[0].points == 3_000


def test_the_commands(config: Path) -> None:
    assert entered(config, "lpg-pass", [*fleet(), CLAIM]).exit_code == 0
    assert "y1, 34ABC12" in run(config, "claims", "lpg-pass").stdout
    done = run(config, "finding", "--by", "TSE", "lpg-pass", "y1", "within the standard")
    assert done.stdout == "the claim y1 is closed\n"
    assert run(config, "claims", "lpg-pass").stdout == "no claims\n"
    assert "closed" in run(config, "claims", "--all", "lpg-pass").stdout
    assert run(config, "oddities", "lpg-pass").stdout == "no oddities\n"
    assert "900100******0101" in run(config, "member", "lpg-pass", "C1").stdout
    refused = run(config, "allot", "--id", "a1", "petrolimex-id", "V-0001", STATION, "-5")
    assert "petrolimex-id knows no voucher V-0001" in refused.stderr

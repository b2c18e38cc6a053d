"""Members who share a phone: whose it is can be seen, and from a day on it is another's. What was posted stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from controller.domain.questions import CodeAnswer, CodeAsk, PointsAsk
from controller.domain.tokens import TokenKind
from sync.hq.programmes.asks import ListAnswer, ListAsk, MemberAnswer, MemberAsk
from sync.hq.programmes.office_asks import OfficeAnswer, OfficeAsk, SplitAsk, TogetherAnswer, TogetherAsk
from sync.hq.programmes.redeeming import Redemptions
from sync.hq.programmes.statements import DeskError
from tests.hq_programmes.bench import NOW_MS, Office, sale_event, token
from tests.hq_programmes.test_commands import entered, run
from tests.hq_programmes.test_five import K1, K2, enrolled, event
from tests.hq_programmes.test_redemptions import Phones
from tests.sync.peers import STATION, Chance

PHONE = "+90 532 111 22 33"
SHOWN = token(PHONE, TokenKind.PHONE)
BY, WHY = "A. Demir, call centre", "the number was transferred, form 9"


def shared() -> Office:
    """M1 and M2 gave one number; M1 was first. M3 has another."""
    office = Office("positive-card")
    events = [
        *enrolled("2027-05-01T09:00:00+03:00"),
        *enrolled("2027-05-02T09:00:00+03:00", "M2", K2),
        *enrolled("2027-05-03T09:00:00+03:00", "M3", "9001000000000103", phone="+90 532 111 22 44"),
    ]
    office.enter([*events, event("2027-05-03T10:00:00+03:00", "member.verify", "v", member="M2", plate="34 ABC 1")])
    return office


def sold(office: Office, at: str) -> None:
    office.sell(at, 100_000, shown=SHOWN)
    office.sync()
    office.post()


def points(office: Office) -> dict[str, int]:
    return {who: office.balances(who).get(f"points:{who}:fuel", 0) for who in ("M1", "M2", "M3")}


def split(office: Office, to: str = "M2", since: str = "2027-05-10", **more: str) -> Any:
    given = {"phone": PHONE, "by": BY, "why": WHY, **more}
    return office.desk.answer(SplitAsk(office.name, to=to, since=since, **given), NOW_MS)


def together(office: Office, name: str) -> TogetherAnswer:
    answer = office.desk.answer(TogetherAsk(office.name, name), NOW_MS)
    assert isinstance(answer, TogetherAnswer)
    return answer


def test_who_is_one_account_and_by_what_is_seen() -> None:
    office = shared()
    office.enter(
        [event("2027-05-04T10:00:00+03:00", "member.verify", "v2", member="M1", plate="34ABC1")]  # the same plate
    )
    answer = together(office, "M2")
    assert answer.holders == ("M1", "M2")
    told = [(each.token, each.holders, each.whose) for each in answer.shared]
    assert told == [("phone *********2233", ("M1", "M2"), "M1"), ("plate 34ABC1", ("M1", "M2"), "")]
    assert together(office, PHONE).holders == ("M1", "M2"), "also by a token"
    assert together(office, "M3").shared == ()


def test_from_a_day_on_a_phone_is_the_others_and_what_was_posted_stays() -> None:
    office = shared()
    sold(office, "2027-05-09T10:00:00+03:00")
    sold(office, "2027-05-12T10:00:00+03:00")
    split(office)
    office.restart()
    assert points(office) == {"M1": 2_000, "M2": 0, "M3": 0}, "what was posted stays"
    sold(office, "2027-05-09T23:59:59+03:00")
    sold(office, "2027-05-10T00:00:00+03:00")
    assert points(office) == {"M1": 3_000, "M2": 1_000, "M3": 0}, "by the programme's day"
    assert together(office, "M1").shared[0].whose == "M2"
    office.sync(office.station, 0)
    office.post()
    assert points(office) == {"M1": 3_000, "M2": 1_000, "M3": 0}
    office.kept()


def test_it_may_be_anybodys_and_everything_that_asks_by_it_follows() -> None:
    """Also of an account that never met it: the list, the desk, and what stations ask."""
    office = shared()
    sold(office, "2027-05-09T10:00:00+03:00")
    split(office, "M3")
    listed = office.desk.answer(ListAsk(office.name), NOW_MS)
    assert isinstance(listed, ListAnswer)
    rows = [dict(zip(listed.columns, row, strict=True)) for row in listed.rows]
    assert [(row["phone"], row["holder"]) for row in rows if row["phone"]] == [
        ("+905321112233", "M3"),
        ("+905321112244", "M3"),
    ]
    found = office.desk.answer(MemberAsk(office.name, PHONE), NOW_MS)
    assert isinstance(found, MemberAnswer)
    assert found.holder == "M3"
    sold(office, "2027-05-12T10:00:00+03:00")
    assert points(office) == {"M1": 1_000, "M2": 0, "M3": 1_000}
    phones = Phones()
    lane = Redemptions(office.desk, phones, Chance(7))
    answer: Any = lane.answer(STATION, "c1", PointsAsk(TokenKind.PHONE, SHOWN.key), NOW_MS)
    assert answer.purses[0].points == 1_000
    for number, card in enumerate((K1, K2)):
        refused: Any = lane.answer(STATION, f"d{number}", CodeAsk(TokenKind.CARD, token(card).key), NOW_MS)
        assert refused.reason == "profile_incomplete", "no code goes to a phone that is another's now"
    assert phones.got == []
    assert isinstance(lane.answer(STATION, "e", CodeAsk(TokenKind.PHONE, SHOWN.key), NOW_MS), CodeAnswer)
    assert phones.got[-1].phone == "+905321112233", "to the phone that was asked for, and not to another of M3"


def test_a_file_that_sells_by_a_phone_that_was_split_is_refused_unless_it_is_known() -> None:
    """The engine would give it to who had the phone first."""
    office = shared()
    known = sale_event("f1", "2027-05-12T10:00:00+03:00", 100_000, phone=PHONE)
    before = sale_event("f2", "2027-05-09T10:00:00+03:00", 100_000, phone=PHONE)
    office.enter([known])
    split(office)
    office.enter([before, known])
    with pytest.raises(DeskError, match=r"f3: \*+2233 is M2's from a split on: name the member .* Nothing was entered"):
        office.enter([{**known, "ref": "f3"}])
    office.enter([{key: value for key, value in known.items() if key != "phone"} | {"ref": "f3", "member": "M2"}])
    assert points(office) == {"M1": 2_000, "M2": 1_000, "M3": 0}


@pytest.mark.parametrize("since", ["0001-01-01", "9999-12-31", "2027-02-30", "20270310", "2027-W10-1"])
def test_a_day_that_is_none_or_far_off_is_refused(since: str) -> None:
    office = shared()
    with pytest.raises(DeskError, match="--from: expected a day such as 2026-01-31"):
        split(office, since=since)


def test_it_is_done_once_and_kept_with_who_and_why() -> None:
    office = shared()
    split(office)
    split(office)
    with pytest.raises(DeskError, match="is M2's from 2027-05-10 on already: take another day"):
        split(office, "M3")
    split(office, "M1", "2027-05-20")
    told = office.desk.answer(OfficeAsk(office.name), NOW_MS)
    assert isinstance(told, OfficeAnswer)
    assert [(each.what, each.of, each.by, each.why) for each in told.deeds] == [
        ("phone split", "*********2233, M2's from 2027-05-10 on", BY, WHY),
        ("phone split", "*********2233, M1's from 2027-05-20 on", BY, WHY),
    ]


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"phone": "34 ABC 1"}, "is no phone .* A plate is released by an event plate.sold"),
        ({"phone": "+90 532 999 99 99"}, "knows no phone"),
        ({"to": "M9"}, "knows no M9"),
        ({"since": "2027-13-01"}, "expected a day such as 2026-01-31"),
        ({"why": ""}, "expected who splits it"),
    ],
)
def test_what_is_not_split(more: dict[str, str], what: str) -> None:
    with pytest.raises(DeskError, match=what):
        split(shared(), **more)


def test_the_commands(config: Path) -> None:
    at = "2026-01-05T10:00:00+07:00"
    entered(config, "petrolimex-id", [*enrolled(at), *enrolled(at, "M2", K2)])
    shown = run(config, "together", "petrolimex-id", "M1").stdout
    assert shown.splitlines()[0] == "M1, M2 are one account"
    assert "phone *********2233 of M1, M2: a sale by it is M1's" in shown
    words = ("split", "petrolimex-id", PHONE, "--to", "M2", "--from", "2026-02-01", "--by", BY, "--why", WHY)
    assert run(config, *words).stdout == "*********2233 is M2's from 2026-02-01 on\n"
    assert "a sale by it is M2's" in run(config, "together", "petrolimex-id", "M1").stdout

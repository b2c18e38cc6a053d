"""Points asked for, spent and given back on the request lane: once each, whatever is lost on the way."""

from __future__ import annotations

from typing import Any

import pytest

from controller.domain.memberships import PurseState
from controller.domain.questions import (
    CodeAnswer,
    CodeAsk,
    PointsAnswer,
    PointsAsk,
    Question,
    RedeemAnswer,
    RedeemAsk,
    VoidAnswer,
    VoidAsk,
)
from controller.domain.tokens import TokenKind, token_key
from controller.pincheck import make_verifier
from sync.hq.programmes.asks import PinAsk
from sync.hq.programmes.codes import CODE_MS
from sync.hq.programmes.redeeming import Redemptions
from sync.hq.programmes.statements import DeskError
from sync.hq.sms import Sms, SmsUnsent
from sync.wire import RefusedAnswer
from tests.hq_programmes.bench import SECRET, Office, ms, sale_event, token
from tests.hq_programmes.test_five import K1, enrolled, event
from tests.sync.peers import STATION, Chance

AT = "2023-01-05T10:00:00+07:00"
NOW = ms("2023-01-06T10:00:00+07:00")
POINTS = 5_000


class Phones:
    """Who sends text messages: keeps them."""

    def __init__(self) -> None:
        self.got: list[Sms] = []
        self.error: SmsUnsent | None = None

    def send(self, message: Sms) -> None:
        if self.error is not None:
            raise self.error
        self.got.append(message)

    @property
    def code(self) -> str:
        return self.got[-1].text.split()[0]


class Lane:
    """A member (or organisation) with 5,000 points, and a station that asks."""

    def __init__(self, programme: str = "petrolimex-id", kind: str = "person") -> None:
        self.office = Office(programme)
        paid = [{"kind": "electronic", "amount_minor": 1_000_000}]
        self.events = [
            *enrolled(AT, kind=kind),
            event(AT, "member.verify", "v1", member="M1"),
            sale_event("s1", AT, 1_000_000, card=K1, tenders=paid),
        ]
        self.office.enter(self.events)
        self.phones = Phones()
        self.restart()

    def restart(self) -> None:
        self.office.restart()
        self.lane = Redemptions(self.office.desk, self.phones, Chance(7))

    def ask(self, question: Question, command_id: str = "c1", now_ms: int = NOW) -> Any:
        return self.lane.answer(STATION, command_id, question, now_ms)

    def code(self, now_ms: int = NOW) -> str:
        answer = self.ask(CodeAsk(TokenKind.CARD, token(K1).key), "code", now_ms)
        assert isinstance(answer, CodeAnswer)
        assert answer.sent_to.strip("*") == self.phones.got[-1].phone[-4:]
        return self.phones.code

    def redeem(self, points: int, command_id: str = "c1", now_ms: int = NOW, **proof: str) -> Any:
        ask = RedeemAsk(TokenKind.CARD, token(K1).key, "diesel", points, "d1", now_ms, **proof)
        return self.ask(ask, command_id, now_ms)

    @property
    def left(self) -> int:
        return self.office.balances("M1", NOW)["available:M1:fuel"]


def test_points_of_a_token() -> None:
    lane = Lane()
    answer = lane.ask(PointsAsk(TokenKind.CARD, token(K1).key))
    assert answer == PointsAnswer("petrolimex-id", (PurseState("fuel", POINTS, POINTS),), NOW)
    assert lane.ask(PointsAsk(TokenKind.CARD, token("9001000000000999").key)).reason == "card_unknown"


def test_a_redemption_with_the_code_and_its_reversal_restore_the_lots() -> None:
    lane = Lane()
    before = lane.office.kept()
    answer = lane.redeem(2_000, code=lane.code())
    assert answer == RedeemAnswer("petrolimex-id", 2_000, 2_000, (PurseState("fuel", 3_000, 3_000),))
    assert lane.left == 3_000
    lane.restart()
    assert lane.ask(VoidAsk("c1"), "v1") == VoidAnswer(2_000)
    assert lane.office.kept() == before
    assert lane.ask(VoidAsk("c1"), "v2", NOW + 1_000) == VoidAnswer(2_000), "said again, and nothing more is given"
    assert lane.office.kept() == before


def test_the_same_command_after_a_crash_takes_once() -> None:
    lane = Lane()
    code = lane.code()
    first = lane.redeem(2_000, code=code)
    lane.restart()
    assert lane.redeem(2_000, code=code, now_ms=NOW + 1) == first
    assert lane.left == 3_000


def test_what_was_voided_before_it_came_is_refused() -> None:
    lane = Lane()
    code = lane.code()
    assert lane.ask(VoidAsk("c1"), "v1") == VoidAnswer(0)
    assert isinstance(lane.redeem(2_000, code=code), RefusedAnswer)
    assert lane.left == POINTS


def test_what_was_given_back_is_not_granted_again_by_a_copy_that_comes_late() -> None:
    """Headquarters fell between the grant and its reply, and the station gave it back: then the first request comes."""
    lane = Lane()
    code = lane.code()
    lane.redeem(2_000, code=code)
    assert lane.ask(VoidAsk("c1"), "v1") == VoidAnswer(2_000)
    assert isinstance(lane.redeem(2_000, code=code), RefusedAnswer)
    assert lane.left == POINTS


def test_a_code_is_good_once_and_for_five_minutes_and_three_tries() -> None:
    lane = Lane()
    assert lane.redeem(10, "c0").reason == "otp_required"
    code = lane.code()
    assert isinstance(lane.redeem(10, "c1", code=code), RedeemAnswer)
    assert lane.redeem(10, "c2", code=code).reason == "otp_required"
    code = lane.code()
    assert lane.redeem(10, "c3", NOW + CODE_MS, code=code).reason == "otp_required"
    code = lane.code()
    wrong = f"{(int(code) + 1) % 10**6:06}"
    for number in range(3):
        assert lane.redeem(10, f"w{number}", code=wrong).reason == "otp_required"
    assert lane.redeem(10, "c4", code=code).reason == "otp_required"
    assert lane.left == POINTS - 10
    with lane.office.store.commit() as db:
        assert code.encode() not in "".join(map(repr, db.exec_driver_sql("SELECT * FROM programme_codes"))).encode()


def test_a_refused_redemption_is_never_granted_by_what_comes_late() -> None:
    lane = Lane()
    code = lane.code()
    assert lane.redeem(POINTS + 1, code=code).reason == "insufficient_points"
    paid = [{"kind": "electronic", "amount_minor": 1_000_000}]
    lane.office.enter([sale_event("late", "2023-01-05T12:00:00+07:00", 1_000_000, card=K1, tenders=paid)])
    assert lane.left == 2 * POINTS
    lane.restart()
    assert lane.left == 2 * POINTS


def test_a_granted_redemption_is_not_undone_by_what_comes_late() -> None:
    lane = Lane()
    lane.redeem(POINTS, code=lane.code())
    late = event("2023-01-05T12:00:00+07:00", "sale.reverse", "r1", sale="s1")
    with pytest.raises(DeskError, match=r"would undo the redemption .* enter it with a later time"):
        lane.office.enter([late])
    lane.office.enter([{**late, "at": "2023-01-06T12:00:00+07:00"}])
    assert lane.left == -POINTS


def test_an_organisations_pin_and_a_voucher_with_the_drivers() -> None:
    lane = Lane(kind="organisation")
    lane.office.enter(
        [
            event(
                "2023-01-05T11:00:00+07:00",
                "voucher.create",
                "w1",
                organisation="M1",
                voucher="V-001",
                points=3_000,
                user_may_manage=True,
            )
        ]
    )
    assert lane.redeem(10, "c0", pin="1234").reason == "pin_wrong", "none was set"
    for name, pin, voucher in (("M1", "1234", False), ("V-001", "4321", True)):
        verifier = make_verifier(pin, b"s" * 16, cost=2)
        lane.office.desk.answer(PinAsk("petrolimex-id", name, verifier, voucher), NOW)
    assert isinstance(lane.redeem(10, "c1", pin="1234"), RedeemAnswer)
    key = token_key(SECRET, TokenKind.VOUCHER, "V-001")
    ask = RedeemAsk(TokenKind.VOUCHER, key, "diesel", 1_000, "d1", NOW, pin="4321", voucher="V-001")
    assert isinstance(lane.ask(ask, "c2"), RedeemAnswer)
    assert lane.office.balances("M1", NOW)["voucher:V-001"] == 2_000
    assert [lane.redeem(10, f"w{number}", pin="9999").reason for number in range(3)] == [
        "pin_wrong",
        "pin_wrong",
        "pin_locked",
    ]
    lane.restart()
    assert lane.redeem(10, "c3", pin="1234").reason == "pin_locked"
    with pytest.raises(DeskError, match="knows no M9"):
        lane.office.desk.answer(PinAsk("petrolimex-id", "M9", "x"), NOW)


def test_a_gateway_that_takes_nothing_on_is_said() -> None:
    lane = Lane()
    lane.phones.error = SmsUnsent("No space left on the disk")
    answer = lane.ask(CodeAsk(TokenKind.CARD, token(K1).key))
    assert isinstance(answer, RefusedAnswer)
    assert "No space left" in answer.text


@pytest.mark.parametrize("started_anew", [False, True])
def test_a_stations_late_sale_is_posted_though_granted_points_came_out_less(*, started_anew: bool) -> None:
    """Five sales a day earn: a small one that comes late takes the place of a big one, whose points are spent."""
    office, day = Office("positive-card"), "2027-05-05"
    at = f"{day}T08:00:00+03:00"
    office.enter([*enrolled(at), event(at, "member.activate", "a1", member="M1", channel="web")])
    # The big one is the last.
    for hour, amount_minor in enumerate((10_000, 10_000, 10_000, 10_000, 100_000), 12):
        office.enter([sale_event(f"s{hour}", f"{day}T{hour}:00:00+03:00", amount_minor, card=K1)])
    earned = office.balances("M1")["available:M1:fuel"]
    spent_at = f"{day}T20:00:00+03:00"
    proof = {"otp": True}
    spend = event(spent_at, "redeem", "r1", holder="M1", product="diesel", points=earned, proof=proof)
    assert [each["result"] for each in office.enter([spend])] == ["accepted"]
    if started_anew:
        office.restart()
    office.sell(f"{day}T10:00:00+03:00", 10_000, shown=token(K1))
    office.sell("2027-05-06T10:00:00+03:00", 50_000, shown=token(K1))
    office.sync()
    office.post()
    office.kept()
    short = 5 * 100 - earned + 500
    assert (earned, short, office.balances("M1")["available:M1:fuel"]) == (1_400, -400, -400)
    office.restart()
    assert office.balances("M1")["available:M1:fuel"] == short, "and so it is when it is read again"
    office.enter([sale_event("s11", f"{day}T11:00:00+03:00", 10_000, card=K1)])
    assert office.balances("M1")["available:M1:fuel"] == short, "what an operator enters late undoes nothing more"
    office.enter([event("2027-05-07T10:00:00+03:00", "sale.reverse", "x1", sale="r1")])
    assert office.balances("M1")["available:M1:fuel"] == short + earned
    office.kept()

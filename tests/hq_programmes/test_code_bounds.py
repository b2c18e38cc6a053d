"""How many one-time passwords an hour: of a phone, by a station; and nobody learns whose a phone is."""

from __future__ import annotations

from typing import Any

import pytest

from controller.domain.questions import CodeAnswer, CodeAsk, PhoneAnswer, PhoneAsk
from controller.domain.reasons import Reason
from controller.domain.tokens import TokenKind, fold_phone, token_key
from sync.hq.programmes import code_bounds
from sync.hq.programmes.code_bounds import HOUR_MS, TOKEN_AN_HOUR
from sync.wire import RefusedAnswer
from tests.hq_programmes.bench import SECRET, token
from tests.hq_programmes.test_five import K1
from tests.hq_programmes.test_redemptions import NOW, Lane
from tests.sync.peers import STATION

CARD = CodeAsk(TokenKind.CARD, token(K1).key)
MINUTE = 60_000


def phone(text: str) -> bytes:
    return token_key(SECRET, TokenKind.PHONE, fold_phone(text))


HERS = CodeAsk(TokenKind.PHONE, phone("+90 532 111 22 33"))
NOBODYS = CodeAsk(TokenKind.PHONE, phone("+90 532 999 99 99"))


@pytest.mark.parametrize("ask", [CARD, HERS, NOBODYS], ids=["card", "phone", "unknown"])
def test_so_many_an_hour_and_no_more(ask: CodeAsk) -> None:
    """Also over a new start; and an hour after the first there is one more."""
    lane = Lane()
    for number in range(TOKEN_AN_HOUR):
        assert isinstance(lane.ask(ask, f"c{number}", NOW + number * MINUTE), CodeAnswer)
    sent = len(lane.phones.got)
    lane.restart()
    refused = lane.ask(ask, "c9", NOW + 10 * MINUTE)
    assert refused == RefusedAnswer(
        Reason.HEADQUARTERS_REFUSED, "too many codes were asked for within an hour: ask again in 50 minutes"
    )
    assert isinstance(lane.ask(ask, "c10", NOW + HOUR_MS - 1), RefusedAnswer)
    assert len(lane.phones.got) == sent
    assert isinstance(lane.ask(ask, "c11", NOW + HOUR_MS), CodeAnswer)
    assert isinstance(lane.ask(ask, "c12", NOW + HOUR_MS), RefusedAnswer), "one was free, and no more"


def test_a_phone_is_one_whatever_is_shown_for_it() -> None:
    lane = Lane()
    for number in range(TOKEN_AN_HOUR):
        lane.ask((CARD, HERS)[number % 2], f"c{number}")
    assert isinstance(lane.ask(CARD, "c8"), RefusedAnswer)
    assert isinstance(lane.ask(HERS, "c9"), RefusedAnswer)
    assert isinstance(lane.ask(NOBODYS, "c10"), CodeAnswer), "another phone is another"


def test_a_station_asks_for_so_many_and_another_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_bounds, "STATION_AN_HOUR", 3)
    lane = Lane()

    def asks(station: str, number: int) -> Any:
        ask = CodeAsk(TokenKind.PHONE, phone(f"+90532999000{number}"))
        return lane.lane.answer(station, f"c{number}", ask, NOW)

    assert [type(asks(STATION, number)) for number in range(4)] == [CodeAnswer] * 3 + [RefusedAnswer]
    assert isinstance(asks("st-2", 5), CodeAnswer)


def test_a_clock_that_was_ahead_locks_nobody_out() -> None:
    lane = Lane()
    for number in range(TOKEN_AN_HOUR):
        lane.ask(CARD, f"c{number}", NOW + 2 * HOUR_MS)
    assert isinstance(lane.ask(CARD, "c8"), CodeAnswer)


def test_a_clock_that_is_set_back_a_little_frees_no_codes() -> None:
    """As a time server does it: neither for this phone, nor for those that others asked for."""
    lane = Lane()
    for number in range(TOKEN_AN_HOUR):
        lane.ask(CARD, f"c{number}", NOW + number)
    back = NOW - 5_000
    assert isinstance(lane.ask(NOBODYS, "c7", back), CodeAnswer)
    assert isinstance(lane.ask(CARD, "c8", back), RefusedAnswer)
    lane.restart()
    assert isinstance(lane.ask(CARD, "c9", NOW + 10 * MINUTE), RefusedAnswer)
    assert isinstance(lane.ask(CARD, "c10", NOW + HOUR_MS), CodeAnswer)


def test_nobody_learns_whether_a_phone_is_a_members() -> None:
    """All that is answered is the same, step by step: the code, three wrong ones, and then none."""

    def story(ask: CodeAsk) -> list[Any]:
        lane = Lane()
        answers = [lane.ask(ask, "c1")]
        for number in range(4):
            answers.append(lane.ask(PhoneAsk(TokenKind.PHONE, ask.token_key, "abcdef"), f"p{number}"))
        answers.append(lane.ask(ask, "c2"))
        answers.append(lane.ask(PhoneAsk(TokenKind.PHONE, ask.token_key, "abcdef"), "p9", NOW + 6 * MINUTE))
        return answers

    known, unknown = story(HERS), story(NOBODYS)
    assert known == unknown
    assert known[1:4] == [PhoneAnswer(right=False)] * 3
    assert "+90" not in repr(known)


def test_nobodys_code_is_never_right(monkeypatch: pytest.MonkeyPatch) -> None:
    lane = Lane()
    lane.ask(NOBODYS, "c1")
    assert lane.phones.got == []
    monkeypatch.setattr("sync.hq.programmes.redeeming.try_code", lambda kept, typed, now_ms, asked_by: (True, None))
    assert lane.ask(PhoneAsk(TokenKind.PHONE, NOBODYS.token_key, "123456"), "p1") == PhoneAnswer(right=False)

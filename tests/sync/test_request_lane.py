"""The request lane: every question ends exactly once, and a late answer is still told."""

import pytest

from controller.domain.seams import US_PER_S
from sync.station import ASK_DEADLINE_US, IN_FLIGHT_MAX, REPEAT_US, Ending, RequestLane, SendRequest, Wait
from sync.wire import BalanceAnswer, BalanceAsk, RefusedAnswer, Reply

ASK = BalanceAsk("acme")
ANSWER = Reply("c1", BalanceAnswer("acme", -5, 1))


def _lane() -> RequestLane:
    lane = RequestLane()
    lane.ask(ASK, "c1", 0)
    assert lane.next(0) == SendRequest("c1", ASK)
    return lane


def test_an_answer_ends_it() -> None:
    lane = _lane()
    lane.replied(ANSWER, US_PER_S)
    (outcome,) = lane.outcomes()
    assert (outcome.ending, outcome.answer, outcome.late) == (Ending.ANSWERED, ANSWER.outcome, False)
    assert lane.next(US_PER_S) == Wait(None)


def test_a_doubled_answer_is_dropped() -> None:
    lane = _lane()
    lane.replied(ANSWER, 1)
    lane.replied(ANSWER, 2)
    lane.replied(Reply("never asked", ANSWER.outcome), 3)
    assert len(lane.outcomes()) == 1


def test_it_is_repeated_under_the_same_id_and_ends_unknown_at_the_deadline() -> None:
    lane, now_us, sent = _lane(), 0, 1
    while lane.open_requests:
        match lane.next(now_us):
            case SendRequest("c1", ask):
                assert ask == ASK
                sent += 1
            case Wait(int(until_us)):
                lane.failed("c1", "no network", now_us)
                now_us = until_us
    assert now_us == ASK_DEADLINE_US
    assert sent == 1 + (ASK_DEADLINE_US - 1) // REPEAT_US
    (outcome,) = lane.outcomes()
    assert (outcome.ending, outcome.answer, outcome.text) == (Ending.UNKNOWN, None, "no network")


def test_lost_sendings_do_not_pile_up() -> None:
    lane, now_us, sent = _lane(), 0, 1
    while lane.open_requests:
        match lane.next(now_us):
            case SendRequest():
                sent += 1
            case Wait(int(until_us)):
                now_us = until_us
    assert sent == IN_FLIGHT_MAX
    assert lane.outcomes()[0].ending is Ending.UNKNOWN


def test_an_answer_after_the_deadline_is_told_once_as_late() -> None:
    lane = _lane()
    lane.next(ASK_DEADLINE_US)
    for _ in range(3):
        lane.replied(ANSWER, ASK_DEADLINE_US + 1)
    unknown, late = lane.outcomes()
    assert (unknown.ending, unknown.late) == (Ending.UNKNOWN, False)
    assert (late.ending, late.late, late.answer) == (Ending.ANSWERED, True, ANSWER.outcome)


def test_an_answer_that_comes_with_the_deadline_is_late_too() -> None:
    lane = _lane()
    lane.replied(ANSWER, ASK_DEADLINE_US)
    assert [o.late for o in lane.outcomes()] == [False, True]


def test_a_refusal_ends_it_from_headquarters_or_from_its_server() -> None:
    lane = _lane()
    lane.replied(Reply("c1", RefusedAnswer("command_reused", "take a new id")), 1)
    lane.ask(ASK, "c2", 2)
    lane.next(2)
    lane.failed("c2", "not enrolled", 3, refused=True)
    first, second = lane.outcomes()
    assert (first.ending, first.text) == (Ending.REFUSED, "take a new id")
    assert (second.ending, second.text) == (Ending.REFUSED, "not enrolled")


def test_an_id_belongs_to_one_question() -> None:
    lane = _lane()
    lane.ask(ASK, "c1", 1)
    assert lane.open_requests == 1
    with pytest.raises(ValueError, match="another question"):
        lane.ask(BalanceAsk("other"), "c1", 1)

"""A recorded conversation plays back as it was, notices another course, and can be shown to others when masked."""

from __future__ import annotations

import asyncio

import pytest

from card_io import errors
from card_io.facts import CardFacts
from card_io.identify import TapSession
from card_io.transcript import RecordingTransport, Replay, masked, parse, recording
from card_io.transport import run_session, run_session_blocking
from tests.cards.bench import NUMBER, UID, seeded
from tests.cards.office import OFFICE, STATION_KEYS, VAULT, VERSION, loaded


class _Wire:
    """A card on a wire that breaks at command `breaks`."""

    def __init__(self, breaks: int = 1_000) -> None:
        self._card = loaded()
        self._card.reset()
        self._left = breaks

    async def transmit(self, apdu: bytes) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise errors.CardRemoved("the card was taken away too early")
        return self._card.transmit(apdu)


def _tap(seed: int = 4) -> TapSession:
    return TapSession(OFFICE, STATION_KEYS, seeded(seed))


def _recorded(breaks: int = 1_000) -> tuple[list[bytes], CardFacts | None]:
    lines: list[bytes] = []
    try:
        facts = asyncio.run(run_session(_tap(), RecordingTransport(_Wire(breaks), lines.append)))
    except errors.CardRemoved:
        return lines, None
    return lines, facts


def test_what_was_recorded_plays_back() -> None:
    lines, facts = _recorded()
    assert facts is not None
    replay = Replay(lines)
    assert run_session_blocking(_tap(), replay.transmit_now) == facts
    assert replay.left == 0
    assert asyncio.run(run_session(_tap(), Replay(lines))) == facts


def test_a_session_that_runs_inline_is_recorded_alike() -> None:
    card = loaded()
    lines: list[bytes] = []
    card.reset()
    run_session_blocking(_tap(), recording(card.transmit, lines.append))
    assert lines == _recorded()[0]
    lines.clear()

    def torn(apdu: bytes) -> bytes:
        raise errors.CardSilent("the card did not answer")

    with pytest.raises(errors.CardSilent):
        run_session_blocking(_tap(), recording(torn, lines.append))
    assert b'"error":"card_silent"' in lines[1]


def test_an_error_plays_back_as_itself() -> None:
    lines, facts = _recorded(breaks=5)
    assert facts is None
    with pytest.raises(errors.CardRemoved, match="too early"):
        run_session_blocking(_tap(), Replay(lines).transmit_now)


def test_another_course_is_noticed_and_named() -> None:
    lines, _ = _recorded()
    with pytest.raises(errors.TranscriptDiffers, match="90AF, the transcript has 90AF with other data"):
        run_session_blocking(_tap(seed=5), Replay(lines).transmit_now)
    with pytest.raises(errors.TranscriptDiffers, match="ends before command 3"):
        run_session_blocking(_tap(), Replay(lines[:3]).transmit_now)


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        (['{"forecourt_card_transcript": 2}'], "format 2"),
        (["nonsense"], "line 1"),
        (['{"forecourt_card_transcript": 1}', '{"command": "90"'], "line 2"),
        (['{"forecourt_card_transcript": 1}', '{"command": "xy"}'], "line 2"),
        (['{"forecourt_card_transcript": 1}', '{"command": "90", "key": "00"}'], "line 2"),
    ],
)
def test_what_is_no_transcript_is_named(lines: list[str], what: str) -> None:
    with pytest.raises(errors.TranscriptDiffers, match=what):
        parse(lines)


def test_no_key_is_in_a_transcript_and_no_person_in_a_masked_one() -> None:
    lines, _ = _recorded()
    text = b"".join(lines).decode()
    keys = [VAULT.for_station(number)[str(number)][str(VERSION)] for number in (1, 2)]
    own = [VAULT.new_key(number, VERSION, OFFICE.diversification(UID, number)).exposed().hex() for number in range(10)]
    assert not [key for key in keys + own if key in text]
    assert NUMBER in text, "the card's number travels readable: that is why there is a mask"
    shown = b"".join(masked(lines)).decode()
    assert NUMBER not in shown
    assert UID.hex() not in shown
    assert len(masked(lines)) == len(lines)
    assert '"answer":"9100"' in shown

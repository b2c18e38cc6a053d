"""The process that holds a PC/SC reader, in process: what it says of whatever pcscd lets it see."""

from __future__ import annotations

from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card_io import errors, pcsc_child
from card_io.orders import DebitOrder, change_session
from card_io.pcsc_child import _last_word, _Watcher
from card_io.pcsc_link import Alive, Line, Start
from card_io.reader import CardPresented, CardRefused, CardRemoved
from tests.cards.bench import UID, seeded
from tests.cards.office import INTENT, OFFICE, READER_ID, STATION_KEYS, run
from tests.cards.test_pcsc_field import GONE, READER, Scard, fresh

UNAVAILABLE, EMPTY, PRESENT, IN_USE, MUTE = 0x08, 0x10, 0x20, 0x100, 0x200
MOVE = 1 << 16
"""pcsc-lite counts insertions and removals in the upper half of a state."""
TIMEOUT, STOPPED = 0x8010000A, 0x8010001E


class Looks(Scard):
    """What each look at the reader finds, by turns: a result, or the reader's state; then the service stops."""

    SCARD_STATE_UNAWARE, SCARD_STATE_IGNORE, SCARD_STATE_CHANGED = 0x00, 0x01, 0x02
    SCARD_STATE_UNKNOWN, SCARD_STATE_UNAVAILABLE, SCARD_STATE_PRESENT = 0x04, UNAVAILABLE, PRESENT

    def __init__(self) -> None:
        super().__init__(fresh())
        self.script: list[int] = []
        self.said: list[list[Line]] = []

    def SCardGetStatusChange(
        self, context: int, tick_ms: int, readers: list[tuple[str, int]]
    ) -> tuple[int, list[tuple[str, int, bytes]]]:
        assert context == 7
        assert tick_ms <= 1_000
        self.said.append([])
        found = self.script.pop(0) if self.script else STOPPED
        if found >= 0x8000_0000:
            return found - (1 << 32), []
        return 0, [(READER, found | self.SCARD_STATE_CHANGED, b"")]


def watcher(looks: ModuleType) -> _Watcher:
    return _Watcher(looks, Start(READER, OFFICE, STATION_KEYS.handover(), 4_000, ignore_present=False))


LOOKS = Looks()
WATCHER = watcher(LOOKS)


def seen(*script: int, looks: Looks = LOOKS, by: _Watcher = WATCHER) -> list[list[Line]]:
    """What is said after each look, until the reader or the service goes."""
    looks.script, looks.said = list(script), [[]]

    def say(line: Line) -> None:
        looks.said[-1].append(line)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pcsc_child, "_say", say)
        with pytest.raises((errors.ServiceDown, errors.ReaderGone)):
            by._watch(7, READER)
    assert looks.said[0] == [], "nothing before the first look"
    assert looks.said[-1] == [], "the end is an error, which its caller says"
    return looks.said[1:-1]


def kinds(said: list[list[Line]]) -> list[str]:
    return [type(line).__name__ for lines in said for line in lines if not isinstance(line, Alive)]


def test_a_card_comes_and_goes() -> None:
    said = seen(EMPTY, TIMEOUT, EMPTY | MOVE, PRESENT | 2 * MOVE, TIMEOUT, EMPTY | 3 * MOVE)
    assert kinds(said) == ["CardPresented", "CardRemoved"]


def test_a_card_swapped_between_two_looks_is_two_cards() -> None:
    assert kinds(seen(PRESENT | MOVE, PRESENT | 3 * MOVE)) == ["CardPresented", "CardRemoved", "CardPresented"]


def test_another_program_that_is_always_at_the_card_hides_no_sign_of_life() -> None:
    """Its connections change the reader's state: a look then ends before its time, and has seen nothing."""
    at_it = [PRESENT | MOVE, PRESENT | IN_USE | MOVE] * 20
    said = seen(*at_it)
    assert kinds(said) == ["CardPresented"]
    assert all(said), "who says nothing for some seconds is taken for dead"


def test_a_card_that_cannot_be_powered_is_refused_once() -> None:
    looks = Looks()
    looks._wrong["connect"] = [0x80100066]
    said = seen(PRESENT | MUTE | MOVE, PRESENT | MUTE | MOVE, EMPTY | 2 * MOVE, looks=looks, by=watcher(looks))
    assert kinds(said) == ["CardRefused", "CardRemoved"]


def test_a_card_that_leaves_while_it_is_read_is_refused_and_gone() -> None:
    looks = Looks()
    looks._wrong["transmit"] = [0, 0, GONE]
    said = seen(PRESENT | MOVE, EMPTY | 2 * MOVE, looks=looks, by=watcher(looks))
    assert kinds(said) == ["CardRefused", "CardRemoved"]
    refused = said[0][0]
    assert isinstance(refused, CardRefused)
    assert refused.error_kind == "card_removed"


def test_a_debit_whose_card_hangs_only_after_its_end_is_known() -> None:
    """To unlock a card is a call to pcscd, too, and may hold the thread for ever."""
    silent = errors.CardSilent("the card did not answer within 4000 ms")
    debit = DebitOrder(uid=UID, intent=INTENT, reader_id=READER_ID)
    done = change_session(debit, OFFICE, STATION_KEYS, seeded(4))
    run(done, fresh())
    assert _last_word(done, silent).outcome == "applied"
    begun = change_session(debit, OFFICE, STATION_KEYS, seeded(4))
    assert _last_word(begun, silent).outcome == "not_applied"


_LOOK = st.sampled_from([EMPTY, PRESENT, PRESENT | IN_USE, PRESENT | MUTE, TIMEOUT, UNAVAILABLE])


@settings(max_examples=60)
@given(st.lists(st.tuples(_LOOK, st.integers(0, 2)), max_size=12))
def test_whatever_is_seen_each_card_is_said_once_and_then_its_end(found: list[tuple[int, int]]) -> None:
    script, count = [], 0
    for state, moved in found:
        count += moved
        script.append(state if state == TIMEOUT else state | count * MOVE)
    said = seen(*script)
    assert all(said)
    card_in = False
    for line in (line for lines in said for line in lines if not isinstance(line, Alive)):
        assert isinstance(line, CardRemoved if card_in else CardPresented | CardRefused), said
        card_in = not card_in

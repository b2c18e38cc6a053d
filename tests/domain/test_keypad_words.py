"""The words between a station and a keypad, and what drivers read there: two rows of twenty letters, always."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain import keypad_screens
from controller.domain.desk import GradeChoice, Need, PointState
from controller.domain.keypad_words import (
    COLUMNS,
    ENTRY_MAX,
    KEYPAD_LINE_MAX,
    KEYS,
    NUMBER_MAX,
    STATION_LINE_MAX,
    Echo,
    GarbledLine,
    Hello,
    Key,
    Ping,
    Pong,
    Screen,
    Show,
    keypad_said,
    line_of,
    plain,
    screen_of,
    station_said,
)
from controller.domain.reasons import CATALOGUE, Reason

NUMBERS = st.integers(1, NUMBER_MAX)
ROW = st.text(max_size=COLUMNS).map(plain)
SCREENS = st.one_of(
    st.builds(lambda one, two: Screen((one, two)), ROW, ROW),
    st.builds(
        lambda one, two, echo, most: Screen((one, two[: COLUMNS - 1 - most]), echo, most),
        ROW,
        ROW,
        st.sampled_from([Echo.OPEN, Echo.HIDDEN]),
        st.integers(1, ENTRY_MAX),
    ),
)


@given(NUMBERS, SCREENS)
def test_what_a_station_says_is_understood(number: int, screen: Screen) -> None:
    for word in (Show(number, screen), Ping()):
        line = line_of(word)
        assert len(line) <= STATION_LINE_MAX
        assert station_said(line.removesuffix(b"\n")) == word


@given(NUMBERS, st.sampled_from(KEYS))
def test_what_a_keypad_says_is_understood(number: int, key: str) -> None:
    for word in (Hello(), Pong(), Key(number, key)):
        line = line_of(word)
        assert len(line) <= KEYPAD_LINE_MAX
        assert keypad_said(line.removesuffix(b"\n")) == word
        assert keypad_said(line.replace(b"\n", b"\r")) == word, "as a terminal ends a line"


@given(st.binary(max_size=40))
def test_anything_else_is_nothing(line: bytes) -> None:
    for listen in (keypad_said, station_said):
        with contextlib.suppress(GarbledLine):
            word = listen(line)
            assert listen(line_of(word).removesuffix(b"\n")) == word


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"keypad 2", "it speaks another version than 1"),
        (b"key 1 4711", "no keypad says"),
        (b"key -1 1", "no keypad says"),
        (b"key 1 *", "no keypad says"),
        (b"\xff", "no keypad says"),
        (b"", "no keypad says"),
    ],
)
def test_what_no_keypad_says(line: bytes, says: str) -> None:
    with pytest.raises(GarbledLine, match=says) as caught:
        keypad_said(line)
    assert "4711" not in str(caught.value), "it may be a PIN"


@pytest.mark.parametrize(
    ("rows", "echo", "most"),
    [
        (("a" * 21, ""), Echo.NONE, 0),
        (("a|b", ""), Echo.NONE, 0),
        (("a\nb", ""), Echo.NONE, 0),
        (("", ""), Echo.NONE, 1),
        (("", ""), Echo.OPEN, 0),
        (("", ""), Echo.HIDDEN, ENTRY_MAX + 1),
        (("", "a" * 16), Echo.OPEN, 4),
    ],
)
def test_what_cannot_be_shown(rows: tuple[str, str], echo: Echo, most: int) -> None:
    with pytest.raises(ValueError, match=r"row|digits"):
        Screen(rows, echo, most)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_read_whole(reason: Reason) -> None:
    assert " ".join(screen_of(CATALOGUE[reason].driver).rows).strip() == CATALOGUE[reason].driver


@pytest.mark.parametrize("state", PointState)
def test_every_state_says_something_but_rest(state: PointState) -> None:
    shown = keypad_screens.screen(state, "", token="", resting="")
    assert (shown == Screen()) == (state is PointState.IDLE)
    assert shown.echo is Echo.NONE


@given(st.sampled_from(Need), st.lists(st.text(max_size=40), max_size=6), st.booleans())
def test_every_question_fits_whatever_the_fuels_are_called(need: Need, names: list[str], again: bool) -> None:
    choices = [GradeChoice(number, "code", name, "1.00") for number, name in enumerate(names, 1)]
    asked = keypad_screens.question(need, again=again, choices=choices)
    assert (asked.echo is Echo.NONE) == (need in {Need.PLATE, Need.HEADQUARTERS})
    if need is Need.GRADE:
        assert all(str(choice.nozzle) in "".join(asked.rows) for choice in choices)


def test_fuels_stand_beside_each_other() -> None:
    names = ["Gasoline 95", "Diesel", "Autogas", "CNG"]
    choices = [GradeChoice(number, "code", name, "1.00") for number, name in enumerate(names, 1)]
    for count, rows in {
        2: ("1 Gasoline 95", "2 Diesel"),
        3: ("1 Gasolin 2 Diesel", "3 Autogas"),
        4: ("1 Gasolin 2 Diesel", "3 Autoga 4 CNG"),
    }.items():
        assert keypad_screens.question(Need.GRADE, again=False, choices=choices[:count]).rows == rows

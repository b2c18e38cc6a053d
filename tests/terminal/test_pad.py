"""The keypad's state machine, as a table of what is typed and what is meant."""

import pytest

from terminal.pad import (
    EMPTY,
    AskAccount,
    AuthoriseCalling,
    ChooseFuel,
    DoNext,
    Hint,
    Intent,
    Leave,
    NameCard,
    Pad,
    PayCard,
    PayCash,
    Place,
    Preset,
    PresetKind,
    ShowHelp,
    ShowReceipt,
    Stop,
    StopEverything,
    TurnPage,
    TypePlate,
    press,
)


def typed(keys: str, place: Place) -> tuple[Pad, list[Intent]]:
    pad, intents = EMPTY, []
    for word in keys.split():
        for key in [word] if word[0].isalpha() else list(word):
            pad, intent = press(pad, key, place)
            intents += [intent] if intent else []
    return pad, intents


@pytest.mark.parametrize(
    ("place", "keys", "means"),
    [
        (Place.BOARD, "4 enter", DoNext(4)),
        (Place.BOARD, "12 enter", DoNext(12)),
        (Place.BOARD, "enter", DoNext(None)),
        (Place.BOARD, "4 -", Stop(4)),
        (Place.BOARD, "0 -", StopEverything()),
        (Place.BOARD, "f12", StopEverything()),
        (Place.BOARD, "4 * 10 -", Stop(4)),
        (Place.BOARD, "4 * 1000 enter", DoNext(4, Preset(PresetKind.MONEY, "1000"))),
        (Place.BOARD, "4 / 20 enter", DoNext(4, Preset(PresetKind.VOLUME, "20"))),
        (Place.BOARD, "4 / 20.5 enter", DoNext(4, Preset(PresetKind.VOLUME, "20.5"))),
        (Place.BOARD, "4 / .5 enter", DoNext(4, Preset(PresetKind.VOLUME, "0.5"))),
        (Place.BOARD, "4 / * 20. enter", DoNext(4, Preset(PresetKind.MONEY, "20"))),
        (Place.BOARD, "4 * 1 backspace backspace backspace 5 enter", DoNext(5)),
        (Place.BOARD, "4 f3", TypePlate(4)),
        (Place.BOARD, "4 / 20 f3", TypePlate(4, Preset(PresetKind.VOLUME, "20"))),
        (Place.BOARD, "f3", TypePlate(None)),
        (Place.BOARD, "4 f4", NameCard(4)),
        (Place.BOARD, "f4", NameCard(None)),
        (Place.BOARD, "f5", AskAccount()),
        (Place.BOARD, "f6", AuthoriseCalling()),
        (Place.BOARD, "f9", ShowReceipt()),
        (Place.BOARD, "4 f1", ShowHelp(4)),
        (Place.BOARD, "+", TurnPage(1)),
        (Place.BOARD, "pageup", TurnPage(-1)),
        (Place.PAYMENT, "enter", PayCash()),
        (Place.PAYMENT, "500 enter", PayCash("500")),
        (Place.PAYMENT, "500.5 enter", PayCash("500.5")),
        (Place.PAYMENT, ". enter", PayCash()),
        (Place.PAYMENT, "f2", PayCard()),
        (Place.PAYMENT, "5 escape", Leave()),
        (Place.PAYMENT, "0 -", StopEverything()),
        (Place.PAYMENT, "4 -", Stop(4)),
        (Place.PAYMENT, "f12", StopEverything()),
        (Place.CHOOSING, "2 enter", ChooseFuel("2")),
        (Place.CHOOSING, "1 backspace 3 enter", ChooseFuel("3")),
        (Place.CHOOSING, "4 -", Stop(4)),
        (Place.CHOOSING, "0 -", StopEverything()),
        (Place.CHOOSING, "2 escape", Leave()),
        (Place.CHOOSING, "f12", StopEverything()),
        (Place.READING, "enter", Leave()),
        (Place.READING, "f12", StopEverything()),
        (Place.TYPING, "escape", Leave()),
        (Place.TYPING, "f12", StopEverything()),
    ],
)
def test_keys_mean(place: Place, keys: str, means: Intent) -> None:
    pad, intents = typed(keys, place)
    assert intents == [means]
    if not isinstance(means, TurnPage | ShowHelp):
        assert pad == EMPTY


@pytest.mark.parametrize("keys", ["-", "*", "4 * enter", "f2", "4 / . enter"])
def test_a_key_without_meaning_gives_a_hint(keys: str) -> None:
    (hint,) = typed(keys, Place.BOARD)[1]
    assert isinstance(hint, Hint)


def test_a_digit_over_something_read_goes_to_the_pumps() -> None:
    assert press(EMPTY, "7", Place.READING) == (Pad(point="7"), Leave())


def test_what_is_typed_is_bounded() -> None:
    assert typed("123456", Place.BOARD)[0].echo == "123"
    assert len(typed("4 * 123456789012345", Place.BOARD)[0].value) == 10
    assert typed("4 / 1.2.3", Place.BOARD)[0].value == "1.23"


def test_escape_clears() -> None:
    assert typed("4 * 10 escape", Place.BOARD) == (EMPTY, [])

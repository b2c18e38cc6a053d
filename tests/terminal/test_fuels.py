"""Which fuel: a pump calls and does not say which of its nozzles is lifted."""

from typing import Any

import pytest
from msgspec.structs import replace

from controller.domain.desk import (
    AnswerNeed,
    AuthorisePoint,
    Command,
    GradeChoice,
    Need,
    PointState,
    StopAll,
    StopPoint,
)
from tests.terminal.fake import FakeStation, forecourt
from tests.terminal.stage import on_stage, play

FUELS = (
    GradeChoice(1, "gasoline", "Gasoline 95", "43.79"),
    GradeChoice(2, "diesel", "Diesel", "44.12"),
    GradeChoice(3, "diesel", "Diesel", "44.12"),
    GradeChoice(4, "autogas", "Autogas", "24.35"),
)
ANSWERED = "f6 4 enter"
"""All that call are let go, so the station asks which fuel."""


def station(**changes: Any) -> FakeStation:
    """Pump 4 calls for one of four fuels."""
    points = tuple(
        replace(point, grade="", price="", choices=FUELS, **changes) if point.number == 4 else point
        for point in forecourt()
    )
    return FakeStation(points)


@pytest.mark.parametrize(
    ("keys", "kind", "fields"),
    [
        ("4 enter 4 enter", AuthorisePoint, {"point": 4, "grade": "autogas", "preset_volume_ml": None}),
        ("4 enter 3 enter", AuthorisePoint, {"grade": "3"}),
        ("4 / 20 enter 1 enter", AuthorisePoint, {"grade": "gasoline", "preset_volume_ml": 20_000}),
        ("4 f3 A B 1 enter", AuthorisePoint, {"grade": "", "plate": "AB1"}),
        (f"{ANSWERED} 4 enter", AnswerNeed, {"point": 4, "need": Need.GRADE, "value": "autogas"}),
        ("4 enter 4 -", StopPoint, {"point": 4}),
        ("4 enter 0 -", StopAll, {}),
    ],
)
def test_keys_send(keys: str, kind: type[Command], fields: dict[str, object]) -> None:
    fake = station()

    async def scene() -> None:
        async with on_stage(fake) as stage:
            for word in keys.split():
                if word == "enter" and keys.startswith(ANSWERED) and not _asked(fake):
                    await stage.until(lambda: _asked(fake), "the question")
                    await stage.sees("FUEL?")
                await stage.keys(word)
            await stage.until(lambda: fake.of(kind), f"a {kind.__name__}")

    play(scene)
    (command,) = fake.of(kind)
    assert {name: getattr(command, name) for name in fields} == fields


def _asked(fake: FakeStation) -> bool:
    return fake.point(4).need is Need.GRADE


def test_the_fuels_stand_there_with_number_and_price_and_the_typed_one_is_marked() -> None:
    fake = station()

    async def scene() -> None:
        async with on_stage(fake) as stage:
            await stage.keys("4")
            await stage.sees("Enter: let pump 4 deliver (choose the fuel)")
            await stage.keys("enter")
            await stage.sees("PUMP 4: WHICH FUEL?")
            for row in ("  1  Gasoline 95              43.79", "  4  Autogas                  24.35"):
                await stage.sees(row)
            assert "▶" not in stage.text
            await stage.keys("2")
            await stage.sees("▶ 2  Diesel                   44.12")

    play(scene)
    assert not fake.of(AuthorisePoint), "nothing is let go before Enter"


def test_a_clicked_fuel_and_the_button_choose_it() -> None:
    fake = station()

    async def scene() -> None:
        async with on_stage(fake) as stage:
            await stage.keys("4 enter")
            await stage.sees("WHICH FUEL?")
            await stage.pilot.click("#choice-1")
            await stage.sees("▶ 2  Diesel")
            await stage.keys("backspace")
            await stage.pilot.click("#choice-0")
            await stage.sees("▶ 1  Gasoline")
            await stage.pilot.click("#key-enter")
            await stage.until(lambda: fake.of(AuthorisePoint))

    play(scene)
    (command,) = fake.of(AuthorisePoint)
    assert isinstance(command, AuthorisePoint)
    assert command.grade == "gasoline"


@pytest.mark.parametrize("typed", ["", "12"])
def test_a_number_that_is_no_fuel_is_said_and_the_question_stays(typed: str) -> None:
    fake = station()

    async def scene() -> None:
        async with on_stage(fake) as stage:
            await stage.keys(f"4 enter {typed} enter")
            await stage.sees("Type the number of a fuel")
            await stage.sees("WHICH FUEL?")
            await stage.keys("escape")
            await stage.until(lambda: "WHICH FUEL?" not in stage.text)
            await stage.keys("4")
            await stage.sees("Enter: let pump 4 deliver")

    play(scene)
    assert not fake.commands


def test_help_over_the_fuels_leads_back_to_the_pumps() -> None:
    fake = station()

    async def scene() -> None:
        async with on_stage(fake) as stage:
            await stage.keys("4 enter f1")
            await stage.sees("HELP")
            await stage.keys("4")
            await stage.sees("Enter: let pump 4 deliver")

    play(scene)
    assert not fake.commands


def test_a_refused_card_may_be_followed_by_cash_for_a_named_fuel() -> None:
    fake = station(state=PointState.REFUSED)

    async def scene() -> None:
        async with on_stage(fake) as stage:
            await stage.keys("4")
            await stage.sees("Enter: let pump 4 deliver (for CASH, choose the fuel)")
            await stage.keys("enter 2 backspace 4 enter")
            await stage.until(lambda: fake.of(AuthorisePoint))

    play(scene)

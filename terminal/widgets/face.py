"""The lines of a tile: a glance laid out on so many columns and rows. Pure; knows no colours and no Textual."""

from dataclasses import dataclass, replace
from enum import StrEnum
from textwrap import wrap

from terminal.glance import Glance, Mood
from terminal.widgets.large import HEIGHT, large

ROOMY_ROWS = 9
"""From this height a tile can afford a blank line under its head."""


class Part(StrEnum):
    """What a row is, for its style."""

    HEAD = "head"
    FIGURES = "figures"
    BODY = "body"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a tile, exactly as wide as the tile."""

    text: str
    part: Part
    mood: Mood
    lit: bool


def face(glance: Glance, width: int, height: int, *, lit: bool, stale: bool) -> tuple[Row, ...]:
    """The rows of a tile. `lit`: the bright half of a blink. `stale`: all grey, nothing blinks."""
    mood = Mood.STALE if stale else glance.mood
    head = Row(_fit(f" {glance.number:>2} {glance.glyph} {glance.word}", width), Part.HEAD, mood, lit=True)
    if glance.blinks and not stale:
        head = replace(head, lit=lit)
    body = Row("", Part.BODY, mood, lit=True)

    def rows(part: Part, *texts: str) -> list[Row]:
        return [replace(body, text=_fit(text, width), part=part) for text in texts]

    lines = rows(Part.BODY, "") if height >= ROOMY_ROWS else []
    lines += rows(Part.FIGURES, *_figures(glance.amount, width, height))
    lines += rows(Part.BODY, f"{glance.volume} ".rjust(width)) if glance.volume else []
    lines += rows(Part.BODY, _ends(glance.grade, glance.price, width)) if glance.grade else []
    for note in glance.notes:
        lines += rows(Part.BODY, *(f" {line}" for line in wrap(note, max(1, width - 2))))
    lines = [head, *lines][:height]
    return tuple(lines + rows(Part.BODY, "") * (height - len(lines)))


def _figures(amount: str, width: int, height: int) -> tuple[str, ...]:
    if not amount:
        return ()
    tall = large(amount)
    if len(tall[0]) <= width and height >= HEIGHT + 3:
        padding = " " if len(tall[0]) < width else ""
        return tuple((line + padding).rjust(width) for line in tall)
    return (f"{amount} ".rjust(width),)


def _ends(left: str, right: str, width: int) -> str:
    room = width - len(right) - 3
    return f" {left[:room]:<{room}} {right} " if room >= len(left) or room > 3 else f" {left}"


def _fit(text: str, width: int) -> str:
    return text[:width].ljust(width)

"""Frames as lines for people: when, which way, which pump, what.

Knows no file and no terminal.
"""

from controller.domain.seams import US_PER_S
from controller.pumps.decoded import Check, Direction, Part
from controller.wire.decode import Heard
from controller.wire.protocols import WireProtocol

ARROWS = {Direction.TO_PUMP: "->", Direction.TO_MASTER: "<-"}
HEAD = "   seconds     pump  kind      crc  what"


def line_of(frame: Heard, protocol: WireProtocol) -> str:
    """One frame as one line."""
    at_us = frame.at_us if isinstance(frame.at_us, int) else 0
    seconds = f"{at_us // US_PER_S}.{at_us % US_PER_S // 1_000:03d}"
    arrow = next((ARROWS[known] for known in ARROWS if known == frame.direction), "??")
    crc = "" if frame.crc is Check.NONE else str(frame.crc)
    what = "; ".join(map(part_text, frame.transactions))
    wrong = f"{frame.error}: {frame.hex}" if frame.error else ""
    text = "; ".join(filter(None, (what, wrong)))
    address = protocol.address_text(frame.address)
    return f"{seconds:>10}  {arrow} {address:>4}  {frame.kind:<8}  {crc:<3}  {text}".rstrip()


def part_text(part: Part) -> str:
    """A transaction in one piece of text."""
    values = ", ".join(f"{name} {_value_text(value)}" for name, value in part.values.items())
    return f"{part.name}: {values}" if values else part.name


def _value_text(value: int | str | list[int] | bool) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return " ".join(map(str, value)) or "none"
        case _:
            return str(value)

"""What is remembered of the current day for limits over all stations and for the watch against abuse. State only."""

import msgspec


class DayUse(msgspec.Struct):
    """What one holder did today. `sales`: those that earned; `numbers`: the same, by number."""

    points: int = 0
    sales: int = 0
    volume_ml: int = 0
    numbers: list[int] = []


class Seen(msgspec.Struct, frozen=True, gc=False):
    """Where and when a token was shown last, and for which sale."""

    station: str
    at_ms: int
    sale: int

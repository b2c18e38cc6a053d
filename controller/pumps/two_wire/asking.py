"""What can be wanted of a two-wire pump, one thing at a time, and how often it is put.

Knows no words of the wire, no link and no clock.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

TRIES_MAX = 6
"""Once, and five retries."""
TRIES_KEPT = 3
"""Of those, as many without a look at the status in between, which may end what the pump holds."""
POLLS_BEFORE_LEAVE = 3
"""A cleared delivery goes when another pump is polled; where there is none, any command makes it go."""


class Ask(Enum):
    """What can be wanted of the pump."""

    STOP = auto()
    SUSPEND = auto()
    RESUME = auto()
    AUTHORISE = auto()
    TOTALS = auto()
    TRANSACTION = auto()
    MONEY = auto()
    PRICE = auto()
    IDENTITY = auto()
    LEAVE = auto()
    """Any command, so that it lets go of a delivery that was read."""


class Wish(NamedTuple):
    """What is wanted now; `part` counts the prices."""

    ask: Ask
    part: int = 0


@dataclass(slots=True)
class Asking:
    """A wish under way."""

    wish: Wish
    tries: int = 0

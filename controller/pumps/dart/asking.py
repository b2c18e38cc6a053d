"""One thing asked of a pump until it is answered: what may be wanted, how often it is put, when it is given up.

Knows no transactions, no link and no clock: polls are its measure of time.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from controller.pumps.dart.transactions import State

POLLS_FOR_ANSWER = 6
"""A pump that has the answer gives it at the next poll or two; after so many the question is put again."""
ASK_TRIES_MAX = 3
CONFIRM_TRIES_MAX = 6
"""Orders: every second try asks for the status instead, since a pump that is already there reports no change."""


class Ask(Enum):
    """What can be wanted of the pump."""

    STOP = auto()
    STATUS = auto()
    RESET = auto()
    AUTHORISE = auto()
    PRICES = auto()
    FILLING = auto()
    TOTAL = auto()
    SUSPEND = auto()
    RESUME = auto()
    IDENTITY = auto()


CONFIRMED_BY_STATUS = frozenset({Ask.STOP, Ask.RESET, Ask.AUTHORISE, Ask.PRICES, Ask.SUSPEND, Ask.RESUME})


class Wish(NamedTuple):
    """What is wanted now; `nozzle` is given for totals only."""

    ask: Ask
    nozzle: int = 0


@dataclass(slots=True)
class Asking:
    """A wish under way. `due`: it is to go out at the next chance."""

    wish: Wish
    due: bool = True
    tries: int = 0
    polls: int = 0
    status_seen: bool = False
    """The pump has given its status since the last try."""

    def try_once(self, state: State | None) -> Ask:
        """Count a try, and say what goes out at it: the wish itself, or a look at the status instead."""
        status_seen, self.status_seen = self.status_seen, False
        self.due = False
        self.tries += 1
        ask = self.wish.ask
        if self.tries == 1 or ask not in CONFIRMED_BY_STATUS:
            return ask
        # An authorisation goes out again only when the status has just said that it was not taken.
        unsure = ask is Ask.AUTHORISE and not (status_seen and state is State.RESET)
        return Ask.STATUS if self.tries % 2 == 0 or unsure else ask

    def polled(self) -> bool:
        """A poll brought no answer. True once it is time to ask again."""
        self.polls += 1
        return self.polls >= POLLS_FOR_ANSWER

    def again(self, *, once: bool) -> bool:
        """Make it due again; False if it was tried often enough, or `once` and that was it."""
        self.polls = 0
        self.due = True
        tries_max = CONFIRM_TRIES_MAX if self.wish.ask in CONFIRMED_BY_STATUS else ASK_TRIES_MAX
        return self.tries < (1 if once else tries_max)

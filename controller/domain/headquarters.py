"""What a station asks of headquarters, and what it may hear: late, twice, or never. Knows no wire."""

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

import msgspec


class Heard(StrEnum):
    """How a request ended."""

    ANSWERED = "answered"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """No answer came in time: it may have been done or not."""


class Granted(msgspec.Struct, frozen=True, array_like=True):
    """What headquarters said when it was asked to let an account buy: up to `amount_minor`; None, it was not heard."""

    amount_minor: int | None


class Balance(msgspec.Struct, frozen=True):
    """What headquarters says of an account: minor units, below zero for what is owed."""

    heard: Heard
    amount_minor: int = 0
    currency: str = ""
    text: str = ""


class LinkState(msgspec.Struct, frozen=True):
    """The link: rows that wait to be sent, since when it is down (wall ms; 0: it is up), and why, in a sentence."""

    connected: bool
    waiting_rows: int
    down_since_ms: int
    trouble: str = ""


class Headquarters(Protocol):
    """The station's link to headquarters, running beside it."""

    @property
    def state(self) -> LinkState: ...

    def on_state(self, callback: Callable[[LinkState], None]) -> None:
        """Call `callback` on the event loop whenever the state has changed."""
        ...

    def rows_written(self) -> None:
        """The journal has grown: send when it suits."""
        ...

    async def balance(self, account: str, command_id: str) -> Balance: ...

    async def run(self) -> None:
        """Until cancelled. What goes wrong on the link never ends it."""
        ...

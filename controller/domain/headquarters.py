"""What a station asks of headquarters, and what it may hear: late, twice, or never. Knows no wire."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from controller.domain.names import RowName
from controller.domain.questions import Heard, Outcome, Question


class Granted(msgspec.Struct, frozen=True, array_like=True):
    """What headquarters said when it was asked to let an account buy: up to `amount_minor`; None, it was not heard.

    `asked`: the row of the journal that asked (`grant_intended`).
    """

    amount_minor: int | None
    asked: RowName | None = None


class SetApart(msgspec.Struct, frozen=True, array_like=True):
    """Money of an account that is set apart at the station; it counts once, however often it is told.

    `pot`: where it is no account's money, but points of a voucher or one card's. Below zero: it is taken back, or was
    spent by rows that this station's disk has lost. `valid_until_ms`: its end (UTC); 0: it lasts.
    """

    allotment_id: str
    account: str
    amount_minor: int
    pot: str = ""
    valid_until_ms: int = 0


class UsedCode(msgspec.Struct, frozen=True, array_like=True):
    """A code of one use that another station has let somebody go by, or this one by rows that its disk has lost.

    `until_ms`: its own end (UTC).
    """

    nonce: bytes
    until_ms: int


class Balance(msgspec.Struct, frozen=True):
    """What headquarters says of an account: minor units, below zero for what is owed."""

    heard: Heard
    amount_minor: int = 0
    currency: str = ""
    text: str = ""


class LinkState(msgspec.Struct, frozen=True):
    """The link: rows that wait to be sent, since when it is down (wall ms; 0: it is up), and why, in a sentence.

    `list_trouble`: why the list that headquarters has is not taken, in a sentence.
    """

    connected: bool
    waiting_rows: int
    down_since_ms: int
    trouble: str = ""
    list_trouble: str = ""


class Headquarters(Protocol):
    """The station's link to headquarters, running beside it."""

    @property
    def state(self) -> LinkState: ...

    def on_state(self, callback: Callable[[LinkState], None]) -> None:
        """Call `callback` on the event loop whenever the state has changed."""
        ...

    def on_set_apart(self, callback: Callable[[SetApart], None]) -> None:
        """Call `callback` on the event loop for each sum that headquarters says is set apart here, again and again
        until it has seen in this station's rows that it is known."""
        ...

    def on_used_codes(self, callback: Callable[[tuple[UsedCode, ...]], None]) -> None:
        """Call `callback` on the event loop with codes that were used at other stations, again and again."""
        ...

    def rows_written(self) -> None:
        """The journal has grown: send when it suits."""
        ...

    async def balance(self, account: str, command_id: str) -> Balance: ...

    async def ask(self, question: Question, command_id: str) -> Outcome:
        """One question; the same command id again gets the first answer."""
        ...

    async def run(self) -> None:
        """Until cancelled. What goes wrong on the link never ends it."""
        ...

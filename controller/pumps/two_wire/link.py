"""The controller's end of a two-wire line to one pump: what is sent, which answer it gets, who is there.

The controller speaks, the pump answers or does not: a step says which. A status has no check sum, and many ports
let a wrong parity pass: a new status counts only when it was said twice in a row.

Knows nothing of what an answer means for a delivery, and no clock: the line waits as each `Turn` says.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto

from controller.pumps.core import Turn
from controller.pumps.two_wire.errors import FrameError
from controller.pumps.two_wire.frame import (
    Command,
    Status,
    command_byte,
    is_whole,
    is_whole_block,
    is_whole_money,
    is_whole_status,
    money_of,
    status_of,
)

GAP_US = 5_000
"""Before the next transmission."""
COMMAND_GAP_US = 68_000
"""After a command that has no answer: the pump takes as long as it may take to answer one."""
WORD_US = 2_000
"""What a word takes on the wire, rounded up."""
WINDOW_US = 68_000 + WORD_US
"""The pump begins to answer within 68 ms; the first word is heard when it is over."""
SILENCE_US = 68_000 + WORD_US
"""The words of a block come up to 68 ms apart."""
MISSED_MAX = 5
"""So many polls in a row without a usable answer, and the pump is gone."""
WAVERS_MAX = 4
"""A pump that says something else each time is believed no status, and keeps the line no longer."""


class Answer(Enum):
    """What may come back."""

    NONE = auto()
    STATUS = auto()
    SEND_DATA = auto()
    BLOCK = auto()
    MONEY = auto()


@dataclass(frozen=True, slots=True)
class Step:
    """One transmission. `needs`: the statuses with which what was begun goes on; None: any.

    `counts`: without an answer to it, the pump has missed a poll.
    """

    data: bytes
    answer: Answer
    needs: frozenset[Status] | None = None
    counts: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """The pump answers (again)."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The pump has missed `MISSED_MAX` polls."""


@dataclass(frozen=True, slots=True)
class Said:
    """A status as it came."""

    status: Status


@dataclass(frozen=True, slots=True)
class Accepted:
    """The pump's state: said twice, or the same as before."""

    status: Status


@dataclass(frozen=True, slots=True)
class SendData:
    """The pump waits for a block."""


@dataclass(frozen=True, slots=True)
class Block:
    """What may be a block."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Money:
    """Running money, raw digits."""

    amount: int


@dataclass(frozen=True, slots=True)
class Fault:
    """Something came that could not be used; counted by `kind`."""

    kind: str
    detail: str


LinkEvent = Found | Lost | Said | Accepted | SendData | Block | Money | Fault
COMPLETE: dict[Answer, Callable[[bytes], bool]] = {
    Answer.NONE: is_whole,
    Answer.STATUS: is_whole_status,
    Answer.SEND_DATA: is_whole_status,
    Answer.BLOCK: is_whole_block,
    Answer.MONEY: is_whole_money,
}


class Link:
    """One pump's link: take the `turn` of a step, tell `received`."""

    def __init__(self, pump: int) -> None:
        self.pump = pump
        self.faults: Counter[str] = Counter()
        """Counts of link faults by name."""
        self.poll = Step(command_byte(Command.STATUS, pump), Answer.STATUS, counts=True)
        self.online = False
        self._reported_lost = False
        self._missed = 0
        self._sent = self.poll
        self._restart()

    def _restart(self) -> None:
        self._state: Status | None = None
        self._candidate: Status | None = None
        self._wavers = 0

    @property
    def unsure(self) -> bool:
        """A status was said once: the next poll will tell."""
        return self._candidate is not None and self._wavers <= WAVERS_MAX

    @property
    def calm(self) -> bool:
        """The pump answered its last poll as before."""
        return self.online and not self._missed and self._candidate is None and self._sent.answer is not Answer.NONE

    def turn(self, step: Step) -> Turn:
        """This transmission, as it follows on the last one."""
        gap_us = COMMAND_GAP_US if self._sent.answer is Answer.NONE else GAP_US
        self._sent = step
        if step.answer is Answer.NONE:
            return Turn(step.data, gap_us, 0, 0, is_whole)
        return replace(self.turn_after_answer(step), gap_us=gap_us)

    def turn_after_answer(self, step: Step) -> Turn:
        """This transmission, as it would follow on one that was answered; it is not sent."""
        return Turn(step.data, GAP_US, WINDOW_US, SILENCE_US, COMPLETE[step.answer])

    def received(self, data: bytes) -> list[LinkEvent]:
        """The answer to the last step; empty if none came."""
        step = self._sent
        if step.answer is Answer.NONE:
            return []
        if not data:
            self.faults["missed"] += 1
            return self.unanswered()
        try:
            match step.answer:
                case Answer.BLOCK:
                    return [Block(data)]
                case Answer.MONEY:
                    return [Money(money_of(data))]
                case _:
                    return self._status(status_of(data, self.pump))
        except FrameError as error:
            return [self.fault(error.kind, str(error)), *self.unanswered()]

    def fault(self, kind: str, detail: str) -> Fault:
        """Count what could not be used."""
        self.faults[kind] += 1
        return Fault(kind, detail)

    def answered(self) -> None:
        """The last answer was a good one."""
        self._missed = 0

    def unanswered(self) -> list[LinkEvent]:
        """The last step had no good answer."""
        if not self._sent.counts:
            return []
        self._missed += 1
        if self._missed < MISSED_MAX or self._reported_lost:
            return []
        self.online = False
        self._reported_lost = True
        self._restart()
        return [Lost()]

    def _status(self, status: Status) -> list[LinkEvent]:
        events: list[LinkEvent] = []
        self._missed = 0
        if not self.online:
            self.online = True
            self._reported_lost = False
            events.append(Found())
        if self._sent.answer is Answer.SEND_DATA:
            good = status is Status.SEND_DATA
            return [*events, SendData() if good else self.fault("no_send_data", f"{status.name} instead")]
        events.append(Said(status))
        match status:
            case Status.DATA_ERROR:
                events.append(self.fault("data_error", "the pump could not use what it was sent"))
            case Status.SEND_DATA:
                events.append(self.fault("unexpected", "the pump wants data and was offered none"))
            case _:
                events += self._vote(status)
        return events

    def _vote(self, status: Status) -> list[LinkEvent]:
        if status not in (self._state, self._candidate):
            self._candidate = status
            self._wavers += 1
            return []
        self._state, self._candidate, self._wavers = status, None, 0
        return [Accepted(status)]

"""The controller's end of the AZT link to one pump: one request, one reply, and what is made of damaged ones.

A reply that is damaged, or no answer to what was asked, is asked for again, three times in all. NAK and CAN are
answers: what they refuse is not sent again from here. Silence ends a request at once, since nobody knows whether it
was heard: whoever asked looks at the pump's status first.

Knows nothing of what is asked and why, and no clock: the line waits as each `Turn` says.
"""

from collections import Counter
from dataclasses import dataclass

from controller.pumps.azt2.errors import Ambiguous, FrameError
from controller.pumps.azt2.frame import Reply, Request, decode_reply, encode_request, is_whole, split
from controller.pumps.azt2.messages import Command, Outcome, outcome
from controller.pumps.core import Turn

GAP_US = 10_000
"""Before an own transmission, so that the pump has turned its line driver round."""
RESYNC_GAP_US = 60_000
"""After a bad answer: more than may lie between two bytes of one frame, so that its rest is over."""
WINDOW_US = 400_000
SILENCE_US = 50_000
"""This much silence within a frame means that the rest will not come."""
ATTEMPTS_MAX = 3
MISSED_MAX = 5
"""So many turns in a row without a usable answer, and the pump is gone."""


@dataclass(frozen=True, slots=True)
class Found:
    """The pump answers (again)."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The pump has missed `MISSED_MAX` turns."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The request has its answer, which may be a refusal."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Unanswered:
    """No usable answer: whether the pump has heard the request is not known."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something came that could not be used; counted by `kind`."""

    kind: str
    detail: str


LinkEvent = Found | Lost | Answered | Unanswered | Fault


class Link:
    """One pump's link. `ask` when `asking_again` is false, take `next_turn`, tell `received`."""

    def __init__(self, channel: int) -> None:
        self.channel = channel
        self.faults: Counter[str] = Counter()
        """Counts of link faults by name."""
        self.online = False
        self._reported_lost = False
        self._missed = 0
        self._attempts = 0
        self._spoilt = False
        self._request = Request(channel, Command.STATUS)
        self._poll = self._turn(encode_request(self._request), GAP_US)

    @property
    def asking_again(self) -> bool:
        """A damaged answer is to be asked for again."""
        return 0 < self._attempts < ATTEMPTS_MAX and self._spoilt

    @property
    def calm(self) -> bool:
        """The pump answered its last turn well."""
        return self.online and not self._missed and not self._spoilt

    @property
    def poll_turn(self) -> Turn:
        """The question for the status, without asking it."""
        return self._poll

    def ask(self, command: Command, data: bytes = b"") -> None:
        """What goes out next; an earlier request is given up."""
        self._request = Request(self.channel, command, data)
        self._attempts = 0

    def next_turn(self) -> Turn:
        """The request, for the first time or again."""
        self._attempts += 1
        if self._spoilt:
            return self._turn(encode_request(self._request), RESYNC_GAP_US)
        if self._request.command == Command.STATUS:
            return self._poll
        return self._turn(encode_request(self._request), GAP_US)

    @staticmethod
    def _turn(data: bytes, gap_us: int) -> Turn:
        return Turn(data, gap_us, WINDOW_US, SILENCE_US, is_whole)

    def received(self, data: bytes) -> list[LinkEvent]:
        """The answer to the last turn; empty if none came."""
        events: list[LinkEvent] = []
        try:
            result = outcome(self._request.command, self._one_reply(data, events)) if data else None
        except FrameError as error:
            events.append(self._fault(error.kind, str(error)))
            return events + self._spoilt_answer()
        if result is None:
            self.faults["missed"] += 1
            return events + self._no_answer()
        if not self.online:
            events.append(Found())
        self.online, self._reported_lost, self._spoilt = True, False, False
        self._missed = self._attempts = 0
        return [*events, Answered(result)]

    def _one_reply(self, data: bytes, events: list[LinkEvent]) -> Reply:
        """The one reply of an answer: noise may stand before it, and it may come twice, but nothing else."""
        found: Reply | None = None
        wrong: FrameError | None = None
        for piece in split(data):
            try:
                reply = decode_reply(piece)
            except FrameError as error:
                if found is not None:
                    raise Ambiguous(data.hex(" ")) from error  # an ACK has no check: damage may have made it
                if wrong is not None:
                    events.append(self._fault(wrong.kind, str(wrong)))
                wrong = error
                continue
            if found is not None:
                if reply != found:
                    raise Ambiguous(data.hex(" "))
                events.append(self._fault("duplicate", piece.hex(" ")))
            found = reply
        if found is None:
            assert wrong is not None, "data have at least one piece"
            raise wrong
        if wrong is not None:
            events.append(self._fault(wrong.kind, str(wrong)))
        return found

    def _fault(self, kind: str, detail: str) -> Fault:
        self.faults[kind] += 1
        return Fault(kind, detail)

    def _spoilt_answer(self) -> list[LinkEvent]:
        self._spoilt = True
        events = self._check_missed()
        return events if events or self.asking_again else self._given_up()

    def _no_answer(self) -> list[LinkEvent]:
        self._spoilt = False
        return self._check_missed() or self._given_up()

    def _given_up(self) -> list[LinkEvent]:
        self._attempts = 0
        return [Unanswered()]

    def _check_missed(self) -> list[LinkEvent]:
        self._missed += 1
        if self._missed < MISSED_MAX or self._reported_lost:
            return []
        self.online = False
        self._reported_lost = True
        self._attempts = 0
        return [Lost()]

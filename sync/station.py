"""The station's end of the link to headquarters, without a wire: what to send next, and what an answer means.

`Uplink` moves a cursor along the journal. It has one rule for every acknowledgement: of the rows that headquarters
says it has, the latest that is also a row of this journal is where to go on. So a lost acknowledgement, a batch sent
twice, headquarters restored from a backup and a station restored from an old disk all take the same path.

`RequestLane` holds the questions to headquarters: each is repeated under its own id until its deadline, and ends
in exactly one of answered, refused or unknown.

Both are told the monotonic time in microseconds and what happened; they answer with wishes. They know no journal,
no transport and no clock: `sync.runner` has those.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum

from controller.domain.seams import US_PER_MS, US_PER_S, Randomness
from sync.wire import MAX_ROWS, Acknowledgement, Answer, Ask, Expects, Position, RefusedAnswer, Reply

GATHER_US = 200 * US_PER_MS
"""A delivery writes several rows within moments: waiting this long makes them one batch."""
ROWS_MIN = 50
"""A batch of this many does not wait for more, and no failure makes batches smaller."""
RETRY_FIRST_US = 1 * US_PER_S
RETRY_LAST_US = 300 * US_PER_S
"""After weeks without a link, it is used within five minutes of its return."""
RETRY_REFUSED_US = 30 * US_PER_S
"""A refusal is for a person to mend: asking every second would only fill headquarters' log."""
HEARTBEAT_US = 300 * US_PER_S
"""With nothing to send, ask this often whether headquarters is still there."""

REPEAT_US = 2 * US_PER_S
IN_FLIGHT_MAX = 3
"""Copies of one request that may be on their way at once."""
ASK_DEADLINE_US = 15 * US_PER_S
"""As long as a driver at the till waits for a balance."""
ENDED_MAX = 1_000
"""Ended requests that are remembered, to tell a late answer from a doubled one."""


@dataclass(frozen=True, slots=True)
class SendAfter:
    """Send at most `limit` rows after `seq`; none, if there are none: then it is a heartbeat."""

    seq: int
    limit: int


@dataclass(frozen=True, slots=True)
class LookUp:
    """Which hash has the journal's row `seq`?"""

    seq: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before `until_us`, or before something happens (None)."""

    until_us: int | None


UplinkWish = SendAfter | LookUp | Wait


class _Doing(StrEnum):
    RESTING = "resting"
    """Until `_due_us`, or until rows come."""
    BACKING_OFF = "backing_off"
    """Until `_due_us`, whatever comes."""
    SENDING = "sending"
    COMPARING = "comparing"


class Uplink:
    """The cursor's way along the journal. `head_seq`, `cursor`: the last row there is, the last that is over there."""

    def __init__(
        self,
        station: str,
        *,
        cursor: int,
        head_seq: int,
        randomness: Randomness,
        now_us: int,
        heartbeat_us: int | None = HEARTBEAT_US,
    ) -> None:
        self._station = station
        self._randomness = randomness
        self._heartbeat_us = heartbeat_us
        self._head = head_seq
        # A cursor beyond the journal is of another disk. The row of this start, at least, is not over there.
        self._cursor = cursor if cursor <= head_seq else max(head_seq - 1, 0)
        self._doing = _Doing.RESTING
        self._due_us: int | None = now_us
        self._rows_max = ROWS_MIN
        self._failures = 0
        self._strayed = False
        self._sent_rows = 0
        self._candidates: list[Position] = []
        self._back_allowed = False
        self._down_since_us: int | None = now_us
        self._trouble = ""

    @property
    def cursor(self) -> int:
        return self._cursor

    @property
    def waiting_rows(self) -> int:
        return self._head - self._cursor

    @property
    def connected(self) -> bool:
        return self._down_since_us is None

    @property
    def down_since_us(self) -> int | None:
        """Since when headquarters has not answered; None while it does."""
        return self._down_since_us

    @property
    def trouble(self) -> str:
        """The last failure, as a sentence; empty while connected."""
        return self._trouble

    def next(self, now_us: int) -> UplinkWish:
        """What to do now. A `SendAfter` is given once, and wants `acknowledged` or `failed`."""
        if self._doing is _Doing.COMPARING:
            return LookUp(self._candidates[0].seq)
        if self._doing is _Doing.SENDING or self._due_us is None:
            return Wait(None)
        if now_us < self._due_us:
            return Wait(self._due_us)
        self._doing = _Doing.SENDING
        self._due_us = None
        self._sent_rows = min(self.waiting_rows, self._rows_max)
        return SendAfter(self._cursor, self._sent_rows)

    def head_moved(self, head_seq: int, now_us: int) -> None:
        """The journal has grown to `head_seq`."""
        self._head = max(self._head, head_seq)
        if self._doing is _Doing.RESTING:
            self._rest(now_us)

    def failed(self, text: str, now_us: int, *, refused: bool = False) -> None:
        """The batch did not get through, or was refused. `text` says why."""
        self._trouble = text
        if self._down_since_us is None:
            self._down_since_us = now_us
        self._rows_max = max(self._rows_max // 2, ROWS_MIN)
        self._back_off(now_us, RETRY_REFUSED_US if refused else RETRY_FIRST_US)

    def acknowledged(self, acknowledgement: Acknowledgement, now_us: int) -> None:
        """Headquarters has said what it has. Late and doubled answers are welcome."""
        if acknowledgement.station != self._station:
            self.failed(
                f"headquarters answered for station {acknowledgement.station}: check the address in station.toml",
                now_us,
            )
            return
        self._down_since_us = None
        self._trouble = ""
        self._back_allowed = acknowledgement.expects is Expects.ANCESTOR
        said = (*acknowledgement.known, *([acknowledgement.position] if acknowledgement.position else []))
        floor = 0 if self._back_allowed else self._cursor
        wanted = {p for p in said if floor < p.seq <= self._head}
        self._candidates = sorted(wanted, key=lambda p: (p.seq, p.epoch, p.hash), reverse=True)
        if self._candidates:
            self._doing = _Doing.COMPARING
            self._due_us = None
        else:
            self._go_on_from(floor, now_us)

    def looked_up(self, seq: int, row_hash: bytes | None, now_us: int) -> None:
        """The answer to `LookUp`: the hash of the journal's row `seq`, None if there is none."""
        if self._doing is not _Doing.COMPARING or self._candidates[0].seq != seq:
            return
        if any(p.hash == row_hash for p in self._candidates if p.seq == seq):
            self._candidates = []
            self._go_on_from(seq, now_us)
            return
        self._candidates = [p for p in self._candidates if p.seq != seq]
        if not self._candidates:
            self._go_on_from(0 if self._back_allowed else self._cursor, now_us)

    def _go_on_from(self, seq: int, now_us: int) -> None:
        moved_on = seq > self._cursor
        self._cursor = seq
        if self._back_allowed:
            # One step back at once; a second without progress between means that the two ends disagree for good.
            again, self._strayed = self._strayed, True
            if again:
                self._trouble = "headquarters does not know the rows it says it has: look at its log"
                self._back_off(now_us, RETRY_FIRST_US)
                return
            self._rest(now_us, at_once=True)
            return
        if moved_on or not self._sent_rows:
            self._failures = 0
            self._strayed = False
            if moved_on:
                self._rows_max = min(self._rows_max * 2, MAX_ROWS)
            self._rest(now_us)
            return
        self._back_off(now_us, RETRY_FIRST_US)

    def _rest(self, now_us: int, *, at_once: bool = False) -> None:
        resting = self._doing is _Doing.RESTING
        self._doing = _Doing.RESTING
        if at_once or self.waiting_rows >= ROWS_MIN:
            due_us: int | None = now_us
        elif self.waiting_rows:
            due_us = now_us + GATHER_US
        else:
            due_us = None if self._heartbeat_us is None else now_us + self._heartbeat_us
        if resting and self._due_us is not None and (due_us is None or self._due_us < due_us):
            return  # an earlier wish stands: rows that keep coming do not put the sending off for ever
        self._due_us = due_us

    def _back_off(self, now_us: int, at_least_us: int) -> None:
        delay_us = min(max(RETRY_FIRST_US << min(self._failures, 20), at_least_us), RETRY_LAST_US)
        self._failures += 1
        self._doing = _Doing.BACKING_OFF
        self._candidates = []
        # Half of it by chance, so that a thousand stations do not come back in the same second.
        self._due_us = now_us + delay_us // 2 + self._randomness.below(delay_us // 2 + 1)


class Ending(StrEnum):
    ANSWERED = "answered"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """No answer came in time. It may have been done over there, and a late answer may still tell."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ended. `late`: it had ended as unknown before, and this is what headquarters said after all."""

    command_id: str
    ending: Ending
    answer: Answer | None
    text: str
    late: bool = False


@dataclass(frozen=True, slots=True)
class SendRequest:
    """Send this request. Wants `replied` or `failed`, or neither if it got lost."""

    command_id: str
    ask: Ask


LaneWish = SendRequest | Wait


@dataclass(slots=True)
class _Pending:
    ask: Ask
    deadline_us: int
    due_us: int
    in_flight: int = 0
    trouble: str = field(default="headquarters did not answer in time: ask again later")


class RequestLane:
    """The questions that are open, and those that have ended."""

    def __init__(self, *, repeat_us: int = REPEAT_US) -> None:
        self._repeat_us = repeat_us
        self._pending: dict[str, _Pending] = {}
        self._ended: OrderedDict[str, Ending] = OrderedDict()
        self._outcomes: list[Outcome] = []

    @property
    def open_requests(self) -> int:
        return len(self._pending)

    def ask(self, ask: Ask, command_id: str, now_us: int, *, deadline_us: int | None = None) -> None:
        """Put a question. `deadline_us` is a moment; without one, ASK_DEADLINE_US from now.

        The same id again, while it is open, changes nothing. ValueError if the id was used for another question.
        """
        held = self._pending.get(command_id)
        if held is not None:
            if held.ask != ask:
                raise ValueError(f"command id {command_id!r} is in use for another question: take a new one")
            return
        self._ended.pop(command_id, None)
        until_us = now_us + ASK_DEADLINE_US if deadline_us is None else deadline_us
        self._pending[command_id] = _Pending(ask, until_us, now_us)

    def next(self, now_us: int) -> LaneWish:
        """What to do now; ends what is past its deadline."""
        for command_id, pending in list(self._pending.items()):
            if now_us >= pending.deadline_us:
                self._end(Outcome(command_id, Ending.UNKNOWN, None, pending.trouble))
        for command_id, pending in self._pending.items():
            if now_us >= pending.due_us and pending.in_flight < IN_FLIGHT_MAX:
                pending.in_flight += 1
                pending.due_us = now_us + self._repeat_us
                return SendRequest(command_id, pending.ask)
        moments = [
            p.deadline_us if p.in_flight >= IN_FLIGHT_MAX else min(p.deadline_us, p.due_us)
            for p in self._pending.values()
        ]
        return Wait(min(moments, default=None))

    def failed(self, command_id: str, text: str, now_us: int, *, refused: bool = False) -> None:
        """One sending came to nothing. Refused by the server itself (a wrong key, say), the request ends here."""
        pending = self._pending.get(command_id)
        if pending is None:
            return
        if refused:
            self._end(Outcome(command_id, Ending.REFUSED, None, text))
            return
        pending.in_flight = max(pending.in_flight - 1, 0)
        pending.trouble = text
        pending.due_us = max(pending.due_us, now_us + self._repeat_us)

    def replied(self, reply: Reply, now_us: int) -> None:
        """An answer has come, however late or often."""
        pending = self._pending.get(reply.command_id)
        ended = self._ended.get(reply.command_id)
        late = pending is None or now_us >= pending.deadline_us
        if pending is None and ended is not Ending.UNKNOWN:
            return  # doubled, or never asked
        if pending is not None and late:
            self._end(Outcome(reply.command_id, Ending.UNKNOWN, None, pending.trouble))
        if isinstance(reply.outcome, RefusedAnswer):
            self._end(Outcome(reply.command_id, Ending.REFUSED, reply.outcome, reply.outcome.text, late))
        else:
            self._end(Outcome(reply.command_id, Ending.ANSWERED, reply.outcome, "", late))

    def outcomes(self) -> list[Outcome]:
        """Take what has ended since the last call, in order."""
        taken, self._outcomes = self._outcomes, []
        return taken

    def _end(self, outcome: Outcome) -> None:
        self._pending.pop(outcome.command_id, None)
        self._ended[outcome.command_id] = outcome.ending
        self._ended.move_to_end(outcome.command_id)
        while len(self._ended) > ENDED_MAX:
            self._ended.popitem(last=False)
        self._outcomes.append(outcome)

"""The controller's end of the DART link to one pump: turns, numbers, acknowledgements, retries.

The controller speaks, the pump answers: POLL -> EOT or DATA, DATA -> ACK or NAK; the pump's DATA gets our ACK
(or NAK), which nothing answers. Blocks carry a TX#, counted for each direction: 0 after a restart, +1 for each
acknowledged block, after F comes 1 (or 0: both are taken from a pump). A damaged frame is never answered.

Knows nothing of what the blocks say, and no clock: the line waits as each `Turn` says.
"""

from collections import Counter
from dataclasses import dataclass
from enum import Enum, auto

from controller.pumps.core import Turn
from controller.pumps.dart.errors import FrameError
from controller.pumps.dart.frame import TX_MAX, Control, Frame, decode, encode, is_whole, split

GAP_US = 35_000
"""Before an own transmission: pumps need it to turn their line driver round."""
REPLY_GAP_US = 5_000
"""Before an acknowledgement."""
FOLLOW_US = 0
"""Between an acknowledgement, which nobody answers, and a turn to another pump: it may follow directly."""
WINDOW_US = 120_000
"""Pumps begin to answer within 10 to 50 ms; this leaves room for slow converters."""
SILENCE_US = 15_000
"""This much silence within a frame means that the rest will not come."""
MISSED_MAX = 5
"""So many turns in a row without a usable answer, and the pump is gone."""
NAKS_MAX = 3
"""So many refusals of one block, and the numbering starts again from 0."""
BLOCK_SENDINGS_MAX = 8
"""A pump that answers, but never to the point, gets a block so often; then it is given up."""


@dataclass(frozen=True, slots=True)
class Found:
    """The pump answers (again)."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The pump has missed `MISSED_MAX` turns; a block under way is given up."""


@dataclass(frozen=True, slots=True)
class Body:
    """A new block from the pump."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Nothing:
    """The pump has nothing to send."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The pump's link has our block. What the pump makes of it, its status will say."""


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Our block was refused or ignored too often."""


@dataclass(frozen=True, slots=True)
class PeerRestarted:
    """The pump numbers its blocks from 0 again: it may have forgotten things."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something came that could not be used; counted by `kind`."""

    kind: str
    detail: str


LinkEvent = Found | Lost | Body | Nothing | Delivered | GivenUp | PeerRestarted | Fault


class _Sent(Enum):
    POLL = auto()
    BLOCK = auto()
    REPLY = auto()


def successors(tx: int) -> tuple[int, ...]:
    """The numbers that may follow: after F, pumps of different makers go to 1 or to 0."""
    return (tx + 1,) if tx < TX_MAX else (1, 0)


class Link:
    """One pump's link. `send` a body when `sending` is false, take `next_turn`, tell `received`."""

    def __init__(self, address: int) -> None:
        self.address = address
        self.faults: Counter[str] = Counter()
        """Counts of link faults by name."""
        self.online = False
        self._poll = self._turn(encode(Frame(address, Control.POLL)))
        self._reported_lost = False
        self._missed = 0
        self._sent = _Sent.POLL
        self._restart()

    def _restart(self) -> None:
        self._tx = 0
        self._body: bytes | None = None
        self._sendings = 0
        self._naks = 0
        self._restarts = 0
        self._last: tuple[int, bytes] | None = None
        self._reply: Frame | None = None
        self._naks_given = 0

    @property
    def owes(self) -> bool:
        """An acknowledgement must go out next."""
        return self._reply is not None

    @property
    def sending(self) -> bool:
        """A block is not acknowledged yet."""
        return self._body is not None

    @property
    def calm(self) -> bool:
        """The pump answered its last turn and nothing is open."""
        return self.online and not self._missed and not self.owes and not self.sending

    def send(self, body: bytes) -> None:
        """Take a block to be delivered; only when none is under way."""
        if self._body is not None:
            raise RuntimeError(f"pump {self.address:#x}: a block is still under way")
        self._body = body
        self._sendings = self._naks = self._restarts = 0

    def poll_turn(self) -> Turn:
        """The poll, without sending it."""
        return self._poll

    def next_turn(self) -> Turn:
        """What goes out next: an acknowledgement, our block, or a poll."""
        if self._reply is not None:
            data = encode(self._reply)
            self._reply = None
            self._sent = _Sent.REPLY
            return Turn(data, REPLY_GAP_US, 0, 0, is_whole, FOLLOW_US)
        if self._body is not None:
            self._sendings += 1
            self._sent = _Sent.BLOCK
            return self._turn(encode(Frame(self.address, Control.DATA, self._tx, self._body)))
        self._sent = _Sent.POLL
        return self._poll

    @staticmethod
    def _turn(data: bytes) -> Turn:
        return Turn(data, GAP_US, WINDOW_US, SILENCE_US, is_whole)

    def received(self, data: bytes) -> list[LinkEvent]:
        """The answer to the last turn; empty if none came."""
        if self._sent is _Sent.REPLY:
            return []
        events: list[LinkEvent] = []
        for piece in split(data):
            try:
                frame = decode(piece)
            except FrameError as error:
                events.append(self._fault(error.kind, str(error)))
                continue
            if frame.address != self.address:
                events.append(self._fault("wrong_address", piece.hex(" ")))
                continue
            events += self._heard(frame)
        if not data:
            self.faults["missed"] += 1
        if not any(not isinstance(event, Fault) for event in events) and not self.owes:
            self._missed += 1
            events += self._check_missed()
        if self._body is not None and self._sendings >= BLOCK_SENDINGS_MAX:
            events += self._give_up("block_ignored")
        return events

    def _fault(self, kind: str, detail: str) -> Fault:
        self.faults[kind] += 1
        return Fault(kind, detail)

    def _check_missed(self) -> list[LinkEvent]:
        if self._missed < MISSED_MAX or self._reported_lost:
            return []
        self.online = False
        self._reported_lost = True
        self._restart()
        return [Lost()]

    def _give_up(self, kind: str) -> list[LinkEvent]:
        self._body = None
        self._tx = 0
        return [self._fault(kind, f"pump {self.address:#x}"), GivenUp()]

    def _heard(self, frame: Frame) -> list[LinkEvent]:
        events: list[LinkEvent] = []
        if frame.control in (Control.POLL, Control.ACK_POLL):
            return [self._fault("unexpected", f"{frame.control.name} from a pump")]  # an echo of ourselves
        self._missed = 0
        if not self.online:
            self.online = True
            self._reported_lost = False
            events.append(Found())
        match frame.control:
            case Control.DATA:
                events += self._data(frame)
            case Control.ACK:
                events += self._ack(frame)
            case Control.NAK:
                events += self._nak(frame)
            case _:
                events.append(Nothing() if self._sent is _Sent.POLL else self._fault("unexpected", "EOT for a block"))
        return events

    def _data(self, frame: Frame) -> list[LinkEvent]:
        events: list[LinkEvent] = []
        if self._last is not None:
            last_tx, last_body = self._last
            # The same number says that our ACK was lost, but not with another content: the pump restarted twice, or
            # what we took for its last block was none of its own. It would not be told again.
            if frame.tx == last_tx and frame.body == last_body:
                self._reply = Frame(self.address, Control.ACK, frame.tx)
                return [self._fault("duplicate", f"TX# {frame.tx:X}"), Nothing()]
            if frame.tx not in (*successors(last_tx), last_tx or None):
                if frame.tx == 0:
                    events.append(PeerRestarted())
                elif self._naks_given < NAKS_MAX:
                    self._naks_given += 1
                    self._reply = Frame(self.address, Control.NAK, frame.tx)
                    return [self._fault("wrong_tx", f"TX# {frame.tx:X} after {last_tx:X}")]
        self._naks_given = 0
        self._last = frame.tx, frame.body
        self._reply = Frame(self.address, Control.ACK, frame.tx)
        return [*events, Body(frame.body)]

    def _ack(self, frame: Frame) -> list[LinkEvent]:
        if self._sent is not _Sent.BLOCK or self._body is None or frame.tx != self._tx:
            return [self._fault("wrong_ack", f"TX# {frame.tx:X}")]
        self._body = None
        self._tx = successors(self._tx)[0]
        return [Delivered()]

    def _nak(self, frame: Frame) -> list[LinkEvent]:
        if self._sent is not _Sent.BLOCK or self._body is None:
            return [self._fault("unexpected", "NAK for a poll")]
        events: list[LinkEvent] = [self._fault("nak", f"TX# {frame.tx:X}")]
        self._naks += 1
        if self._naks >= NAKS_MAX:
            self._naks = 0
            self._restarts += 1
            self._tx = 0
            if self._restarts > 1:
                events += self._give_up("block_refused")
        return events

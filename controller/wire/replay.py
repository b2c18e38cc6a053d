"""A recording sent again: what went to the pumps goes out in its rhythm, and the answers are held against it.

Knows no files and no serial port: the port is a `LinePort`, time the injected `Clock`.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from controller.domain.seams import Clock
from controller.pumps.core import LinePort, Turn
from controller.pumps.decoded import Direction
from controller.wire.decode import Heard, decode_all
from controller.wire.protocols import WireProtocol

GAP_US = 5_000
WINDOW_US = 120_000
"""The longest that pumps of the known protocols take to begin their answer."""
SILENCE_US = 30_000


@dataclass(frozen=True, slots=True)
class Exchange:
    """What was sent, and what was answered in the recording."""

    sent: Heard
    answers: list[Heard] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Replayed:
    """An exchange, made again."""

    exchange: Exchange
    at_us: int
    answers: list[Heard]

    @property
    def same(self) -> bool:
        """The same bytes came back."""
        return b"".join(answer.data for answer in self.answers) == b"".join(
            answer.data for answer in self.exchange.answers
        )


def exchanges(frames: Sequence[Heard]) -> list[Exchange]:
    """The recording's turns: frames whose direction is unknown belong to nobody and are left out."""
    found: list[Exchange] = []
    for frame in frames:
        if frame.direction == Direction.TO_PUMP and frame.data:
            found.append(Exchange(frame))
        elif frame.direction == Direction.TO_MASTER and found:
            found[-1].answers.append(frame)
    return found


async def replay(
    turns: Sequence[Exchange], port: LinePort, clock: Clock, protocol: WireProtocol, speed: float
) -> AsyncIterator[Replayed]:
    """Turn after turn. `speed` 2 is twice as fast as recorded; a pump's own time stays what it is."""
    began_us = clock.now().mono_us
    first_us = _at_us(turns[0].sent) if turns else 0
    for turn in turns:
        await clock.sleep_until(began_us + int((_at_us(turn.sent) - first_us) / speed))
        at_us = clock.now().mono_us - began_us
        window_us = 0 if not turn.answers and turn.sent.kind in ("ack", "nak") else WINDOW_US
        answer = await port.transact(
            Turn(turn.sent.data, GAP_US, window_us, SILENCE_US, lambda data: _whole(protocol, data))
        )
        yield Replayed(turn, at_us, decode_all(protocol, answer, Direction.TO_MASTER) if answer else [])


def _at_us(frame: Heard) -> int:
    return frame.at_us if isinstance(frame.at_us, int) else 0


def _whole(protocol: WireProtocol, data: bytes) -> bool:
    """Whether these bytes are a whole answer: a frame, and nothing unfinished behind it."""
    said = decode_all(protocol, data, Direction.TO_MASTER)
    return bool(said) and said[-1].kind != "noise"

"""One pump's core and its simulated twin, turn by turn, in virtual time, with a line between them that may be bad.

What the core hears is what the production port would give it (`SerialLinePort.transact`): bytes that come before it
has spoken are dropped, an answer ends when it is complete, when it falls silent or when its window is over, and the
rest of it may be heard as the answer to the next question. The port does not look at parity, so a word with a wrong
one comes as it is; a pump's own receiver drops it.

Knows no protocol: `dart_bench.py`, `two_wire/bench.py` and `azt2/bench.py` make the benches of each.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from controller.pumps.core import LineSettings, PumpCore, Turn
from controller.pumps.stream import ANSWER_BYTES_MAX, SILENCE_TRIES_MAX
from controller.pumps.words import Authorise, Authorised, Calling, Completed, Fuelling, LinkFault, Order, PumpEvent
from sim.pumps.port import Twin

Mangle = Callable[[bytes], bytes]
Piece = tuple[int, bytes]
"""Bytes that are heard together, and how long after the end of the master's own they are."""
Pace = Callable[[Turn, int, bytes], list[Piece]]
"""From a turn, the pump's latency in microseconds and its answer: what is heard when."""


class Core(PumpCore, Protocol):
    """What every protocol's core has besides."""

    @property
    def phase(self) -> str: ...

    @property
    def link_faults(self) -> Counter[str]: ...


CoreT = TypeVar("CoreT", bound=Core)
TwinT = TypeVar("TwinT", bound=Twin)
EventT = TypeVar("EventT", bound=PumpEvent)


class Air:
    """What is under way to the master, as a real port hears it."""

    def __init__(self, line: LineSettings) -> None:
        self._line = line
        self._pieces: list[Piece] = []

    def silent_us(self, now_us: int, gap_us: int) -> int:
        """When the line has been silent for so long; what comes until then is dropped."""
        at_us = now_us + gap_us
        for _ in range(SILENCE_TRIES_MAX):
            if not any(at_us - gap_us < heard_us <= at_us for heard_us, _ in self._pieces):
                break
            at_us = gap_us + max(heard_us for heard_us, _ in self._pieces if heard_us <= at_us)
        return at_us

    def listen(self, turn: Turn, sent_us: int, answer: list[Piece]) -> tuple[bytes, int]:
        """What is heard as the answer to a turn that was sent until `sent_us`, and when that is known."""
        pieces = self._pieces = [piece for piece in self._pieces if piece[0] >= sent_us]
        pieces += answer
        pieces.sort(key=lambda piece: piece[0])
        if not turn.window_us:
            return b"", sent_us
        heard, until_us = b"", sent_us + turn.window_us
        while pieces and self._begin_us(pieces[0]) <= until_us:
            at_us, data = pieces.pop(0)
            heard += data
            if turn.complete(heard) or len(heard) > ANSWER_BYTES_MAX:
                return heard, at_us
            until_us = at_us + turn.silence_us
        return heard, until_us

    def _begin_us(self, piece: Piece) -> int:
        """When its first byte was through."""
        at_us, data = piece
        return at_us - self._line.wire_us(len(data) - 1)


@dataclass
class Bench(Generic[CoreT, TwinT]):
    """One core and one twin. `to_pump` and `to_core` may lose or spoil what passes, `pace` says when it comes."""

    core: CoreT
    twin: TwinT
    line: LineSettings
    make_core: Callable[[], CoreT]
    now_us: int = 1_000_000
    to_pump: Mangle = bytes
    to_core: Mangle = bytes
    pace: Pace | None = None
    told: list[PumpEvent] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    _fresh: int | None = None
    """What was told from here on came with orders, before any turn."""

    def __post_init__(self) -> None:
        self._air = Air(self.line)

    def step(self) -> None:
        """One turn."""
        self._fresh = None
        turn = self.core.next_turn(self.now_us)
        self.sent.append(turn.data)
        heard = self.to_pump(turn.data)
        said = self.twin.receive(heard, self.now_us) if self.twin.hears(heard) else b""
        answer = self.to_core(said) if turn.window_us else b""
        sent_us = self._air.silent_us(self.now_us, turn.gap_us) + self.line.wire_us(len(turn.data))
        pieces = (self.pace or self.whole)(turn, self.twin.reply_latency_us, answer) if answer else []
        answer, self.now_us = self._air.listen(turn, sent_us, [(sent_us + after_us, data) for after_us, data in pieces])
        self.core.received(answer, self.now_us)
        self.told += self.core.events()

    def whole(self, _turn: Turn, latency_us: int, answer: bytes) -> list[Piece]:
        """All at once, at its end."""
        return [(latency_us + self.line.wire_us(len(answer)), answer)]

    def run(self, turns: int) -> None:
        for _ in range(turns):
            self.step()

    def until(self, wanted: type[EventT], turns_max: int = 2_000) -> EventT:
        """Run until an event of this kind comes; one that came at once with the last orders counts."""
        seen = len(self.told) if self._fresh is None else self._fresh
        for _ in range(turns_max):
            for event in self.told[seen:]:
                if isinstance(event, wanted):
                    return event
            seen = len(self.told)
            self.step()
        raise AssertionError(f"no {wanted.__name__} in {turns_max} turns: {self.kinds()} {self.core.phase}")

    def submit(self, order: Order) -> None:
        self._fresh = len(self.told) if self._fresh is None else self._fresh
        self.core.submit(order, self.now_us)
        self.told += self.core.events()

    def kinds(self) -> list[str]:
        """What was told, but for what comes again and again."""
        return [type(event).__name__ for event in self.told if not isinstance(event, LinkFault | Fuelling)]

    def all(self, kind: type[EventT]) -> list[EventT]:
        """All that was told of this kind."""
        return [event for event in self.told if isinstance(event, kind)]

    def restart_controller(self) -> None:
        self.core = self.make_core()
        self.told = []

    def heal(self) -> None:
        """From now on the line is a good one."""
        self.to_pump = self.to_core = bytes
        self.pace = None


def authorise(b: Bench[CoreT, TwinT], order: Authorise, nozzle: int = 1) -> None:
    """Call, and get what was called for."""
    b.twin.head.lift(nozzle, b.now_us)
    b.until(Calling)
    b.submit(order)
    b.until(Authorised)


def fuel(b: Bench[CoreT, TwinT], want_ml: int, order: Authorise, nozzle: int = 1) -> None:
    """Call, authorise, fuel until nothing flows any more."""
    authorise(b, order, nozzle)
    b.twin.head.squeeze(want_ml, b.now_us)
    while b.twin.head.next_change_us(b.now_us) is not None or not b.twin.head.volume_ml(b.now_us):
        b.step()


def sell(b: Bench[CoreT, TwinT], want_ml: int, order: Authorise, nozzle: int = 1) -> Completed:
    """The whole of it, until the pump's values are told."""
    told = len(b.told)
    fuel(b, want_ml, order, nozzle)
    b.twin.head.hang_up(b.now_us)
    done = [event for event in b.told[told:] if isinstance(event, Completed)]
    return done[0] if done else b.until(Completed)


# --- lines ------------------------------------------------------------------------------------------------------


class Line(StrEnum):
    """What a line does to some of what passes."""

    WHOLE = "whole"
    """Nothing: an answer comes at once, at its end."""
    BYTES = "byte by byte"
    """Nothing: an answer comes byte by byte, with pauses that are allowed."""
    LOSS = "loss"
    """All of it, its end or one word of it is lost."""
    DELAY = "delay"
    """It comes too late for its window, or with a pause in it."""
    DUPLICATES = "duplicates"
    """It comes twice."""
    PARITY = "parity errors"
    """One bit of it is another one."""
    NOISE = "noise"
    """Other bytes before it, or instead of it."""
    EVERYTHING = "everything"
    """Now this, now that."""


BAD = (Line.LOSS, Line.DELAY, Line.DUPLICATES, Line.PARITY, Line.NOISE)


def set_line(b: Bench[CoreT, TwinT], line: Line, chance: random.Random, percent: int = 20) -> None:
    """From now on the line is like this for so many of a hundred transmissions; `chance` says for which."""

    def now() -> Line:
        if chance.randrange(100) >= percent:
            return Line.WHOLE
        return chance.choice(BAD) if line is Line.EVERYTHING else line

    b.heal()
    if line not in (Line.WHOLE, Line.BYTES):
        b.to_pump = lambda data: _to_pump(now(), chance, data)
        b.to_core = lambda data: _to_core(now(), chance, data, b.line.bits)
    if line in (Line.BYTES, Line.DELAY, Line.EVERYTHING):
        b.pace = lambda turn, latency_us, data: _paced(now(), chance, turn, latency_us, data, b.line.wire_us(1))


def _to_pump(line: Line, chance: random.Random, data: bytes) -> bytes:
    """What of it a pump hears: its receiver drops a word with a wrong parity."""
    match line:
        case Line.LOSS:
            return _lost(chance, data)
        case Line.PARITY:
            at = chance.randrange(len(data))
            return data[:at] + data[at + 1 :]
        case Line.DUPLICATES:
            return data + data
        case _:
            return data


def _to_core(line: Line, chance: random.Random, data: bytes, bits: int) -> bytes:
    """What of it the port gives."""
    if line is Line.NOISE:
        noise = bytes(chance.randrange(1 << bits) for _ in range(chance.randrange(1, 12)))
        return noise + data if chance.randrange(2) else noise
    if not data:
        return data
    match line:
        case Line.LOSS:
            return _lost(chance, data)
        case Line.PARITY:
            at = chance.randrange(len(data))
            return data[:at] + bytes((data[at] ^ 1 << chance.randrange(bits),)) + data[at + 1 :]
        case Line.DUPLICATES:
            return data + data
        case _:
            return data


def _lost(chance: random.Random, data: bytes) -> bytes:
    """All of it, its end, or one word."""
    at = chance.randrange(len(data))
    return (b"", data[:at], data[:at] + data[at + 1 :])[chance.randrange(3)]


def _paced(line: Line, chance: random.Random, turn: Turn, latency_us: int, answer: bytes, byte_us: int) -> list[Piece]:
    """Byte by byte; where the line delays, after the window or with a pause that ends the answer for the port."""
    at_us, pause_at = latency_us, 0
    if line is Line.DELAY and chance.randrange(2):
        at_us = turn.window_us + chance.randrange(turn.window_us)
    elif line is Line.DELAY:
        pause_at = chance.randrange(len(answer))
    pieces = []
    for index in range(len(answer)):
        at_us += byte_us + (chance.randrange(turn.silence_us // 2) if index else 0)
        if pause_at and index == pause_at:
            at_us += turn.silence_us
        pieces.append((at_us, answer[index : index + 1]))
    return pieces

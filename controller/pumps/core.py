"""What a line needs of a protocol: the shape of a pump's core, and of the port that carries its bytes.

A pump core is sans-IO: it says which bytes go out next and is told what came back. It never waits.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from controller.domain.seams import US_PER_S
from controller.pumps.words import Order, PumpEvent


@dataclass(frozen=True, slots=True)
class Turn:
    """One transmission on a half-duplex line and the time its answer may take.

    `gap_us`: silence before it. `window_us`: how long the first byte of the answer may take; 0 means that no
    answer comes (an acknowledgement). `silence_us`: this much quiet within an answer ends it. `complete` says
    whether the bytes so far are a whole answer.

    `follow_us`, of a turn that nobody answers: the silence that is enough between it and a turn to another pump,
    for the line is still ours; 0 lets it follow directly. None: this turn's own `gap_us`.
    """

    data: bytes
    gap_us: int
    window_us: int
    silence_us: int
    complete: Callable[[bytes], bool]
    follow_us: int | None = None


@dataclass(frozen=True, slots=True)
class LineSettings:
    """How bytes look on the wire. The defaults are DART's; `parity` is N, E or O."""

    baud: int = 9_600
    bits: int = 8
    parity: str = "O"
    stop: int = 1

    @property
    def byte_bits(self) -> int:
        """Bits that one byte takes on the wire, start bit included."""
        return 1 + self.bits + (self.parity != "N") + self.stop

    def wire_us(self, count: int) -> int:
        """How long `count` bytes take."""
        return count * self.byte_bits * US_PER_S // self.baud


class PumpCore(Protocol):
    """One pump on a line, in one protocol.

    What `owes_turn`, `urgent` and `busy` say changes only in `submit`, `next_turn`, `received` and `skipped`, so
    that a line of 32 pumps need not ask all of them before each turn.
    """

    @property
    def name(self) -> str:
        """For messages: protocol and address."""
        ...

    def submit(self, order: Order, now_us: int) -> None:
        """Take an order. What becomes of it is an event."""
        ...

    def next_turn(self, now_us: int) -> Turn:
        """The next transmission to this pump: an acknowledgement that is owed, an order, or a poll."""
        ...

    def received(self, data: bytes, now_us: int) -> None:
        """The answer to the last turn; empty when none came within its window."""
        ...

    def events(self) -> list[PumpEvent]:
        """Take what has happened since the last call, in order."""
        ...

    @property
    def owes_turn(self) -> bool:
        """The next turn must follow before any other pump of the line is spoken to."""
        ...

    @property
    def urgent(self) -> bool:
        """A stop waits to be sent."""
        ...

    @property
    def busy(self) -> bool:
        """A delivery runs or an order is under way: poll often."""
        ...

    def quiet_turn(self, now_us: int) -> Turn | None:
        """The poll that would be sent if nothing at all is going on with this pump; None if something is.

        While every pump of a line is quiet, polls change nothing: a simulated line may skip them.
        """
        ...

    def skipped(self, count: int) -> None:
        """`count` quiet polls were left out by the port, each as if it had been answered with "nothing"."""
        ...


@runtime_checkable
class StopsAll(Protocol):
    """A pump core whose protocol can stop every pump of a line by one transmission: beside `PumpCore`."""

    def stop_all_turn(self) -> Turn | None:
        """The transmission that stops all; None if these pumps do not know it. Changes nothing in the core.

        What is answered to it goes to no pump: each is told to stop besides, and confirms that by its own status.
        """
        ...


@runtime_checkable
class KeepsLine(Protocol):
    """A pump core that may owe itself turn after turn, so that nothing it holds is lost: beside `PumpCore`."""

    def give_way(self) -> None:
        """A stop waits elsewhere on the line: until the next turn of this pump, `owes_turn` says no more than what the
        other pumps could not bear to be spoken into. What it holds is then known by other means, or read again."""
        ...


class LinePort(Protocol):
    """A half-duplex serial line. The only way in which bytes reach pumps."""

    async def transact(self, turn: Turn) -> bytes:
        """Send, then give the answer: whole, or what had come when it fell silent, or nothing.

        OSError with a sentence if the port itself is gone.
        """
        ...

    async def rest(self, turns: Sequence[Turn]) -> int:
        """All pumps are quiet and `turns` would go round and round from now. Return how many were skipped.

        A real port skips none and returns 0 at once. A simulated one may return much later, when something
        has changed at a pump or `wake` was called, at the end of a turn, with the number of turns that fitted.
        """
        ...

    def wake(self) -> None:
        """An order has come: stop resting."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class PacedPort(Protocol):
    """A port whose silences take real time, offered beside `LinePort`: what goes out is then chosen at their end.

    So an order that comes during a silence does not wait for an exchange that had not begun.
    """

    async def silence(self, gap_us: int) -> None:
        """Return when the line has been silent for `gap_us`; at once if that is 0."""
        ...


@runtime_checkable
class ConnectingPort(Protocol):
    """A port at the other end of a network, offered beside `LinePort`: it is connected before its first turn."""

    async def connect(self) -> None:
        """Return when it can be used, with the line's settings. OSError with a sentence if it cannot; it is closed
        then."""
        ...

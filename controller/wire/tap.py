"""Listening in at a running station's line: bytes that pass its port are given to whoever subscribed.

`Tap` belongs to a line and outlives its ports, which come and go with the cable. The line never waits for a
listener: each has a bounded queue, and one that is too slow loses pieces and is told how many.
Knows no protocol and no network.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from controller.domain.seams import Clock
from controller.pumps.core import ConnectingPort, LinePort, PacedPort, Turn
from controller.pumps.decoded import Direction

PIECES_MAX = 2_000
"""About a minute of a busy line: a listener that is further behind will not catch up."""
LISTENERS_MAX = 8
"""Each is a person with a question; more are a mistake."""


class TooManyListeners(Exception):
    """`LISTENERS_MAX` listen already."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that passed in one direction. `at_us`: the controller's monotonic time; what goes to a pump may have
    its turn's gap still before it. `lost`: so many pieces before this one did not fit into the queue.
    """

    at_us: int
    direction: Direction
    data: bytes
    lost: int = 0


class Listening(Protocol):
    """One listener's queue."""

    async def piece(self) -> Piece:
        """The next piece, when it comes."""
        ...

    def close(self) -> None:
        """Stop listening; may be called twice."""
        ...


class LineTap(Protocol):
    """Where one can subscribe to a line."""

    def listen(self) -> Listening:
        """From now on. `TooManyListeners` if there are enough."""
        ...


class _Queue:
    """Implements `Listening`."""

    def __init__(self, tap: "Tap") -> None:
        self._tap = tap
        self._pieces: deque[Piece] = deque()
        self._lost = 0
        self._news = asyncio.Event()

    def put(self, piece: Piece) -> None:
        if len(self._pieces) >= PIECES_MAX:
            self._lost += 1
            return
        self._pieces.append(replace(piece, lost=self._lost) if self._lost else piece)
        self._lost = 0
        self._news.set()

    async def piece(self) -> Piece:
        while not self._pieces:
            self._news.clear()
            await self._news.wait()
        return self._pieces.popleft()

    def close(self) -> None:
        self._tap.left(self)


class Tap:
    """Implements `LineTap`; `port` makes a port that is listened to."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queues: list[_Queue] = []

    def port(self, port: LinePort) -> LinePort:
        """The same port, heard by the listeners that there are or will be."""
        if isinstance(port, PacedPort):
            if isinstance(port, ConnectingPort):
                return ConnectingTappedPort(port, port, port, self)
            return PacedTappedPort(port, port, self)
        return TappedPort(port, self)

    def listen(self) -> Listening:
        if len(self._queues) >= LISTENERS_MAX:
            raise TooManyListeners(f"{LISTENERS_MAX} listen to this line already: stop one of them")
        queue = _Queue(self)
        self._queues.append(queue)
        return queue

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return len(self._queues)

    def left(self, queue: _Queue) -> None:
        if queue in self._queues:
            self._queues.remove(queue)

    def passed(self, direction: Direction, data: bytes) -> None:
        """These bytes have passed."""
        if self._queues and data:
            piece = Piece(self._clock.now().mono_us, direction, bytes(data))
            for queue in self._queues:
                queue.put(piece)


class TappedPort:
    """A port that is listened to; implements `LinePort`. Everything goes through as it is, errors too."""

    def __init__(self, port: LinePort, tap: Tap) -> None:
        self._port = port
        self._tap = tap

    async def transact(self, turn: Turn) -> bytes:
        self._tap.passed(Direction.TO_PUMP, turn.data)
        answer = await self._port.transact(turn)
        self._tap.passed(Direction.TO_MASTER, answer)
        return answer

    async def rest(self, turns: Sequence[Turn]) -> int:
        return await self._port.rest(turns)

    def wake(self) -> None:
        self._port.wake()

    def close(self) -> None:
        self._port.close()


class PacedTappedPort(TappedPort):
    """A port with silences of real time that is listened to; implements `PacedPort` too."""

    def __init__(self, port: LinePort, paced: PacedPort, tap: Tap) -> None:
        super().__init__(port, tap)
        self._paced = paced

    async def silence(self, gap_us: int) -> None:
        await self._paced.silence(gap_us)


class ConnectingTappedPort(PacedTappedPort):
    """A port in the network that is listened to; implements `ConnectingPort` too."""

    def __init__(self, port: LinePort, paced: PacedPort, connecting: ConnectingPort, tap: Tap) -> None:
        super().__init__(port, paced, tap)
        self._connecting = connecting

    async def connect(self) -> None:
        await self._connecting.connect()

"""The simulated keypad of a pump: its two rows, its keys, and how a station reaches it.

`KeypadTwin` is the device, sans-IO: bytes of the station in, bytes for it out. `TcpKeypadDevice` puts it on a port, for
the bench; `keypad_in_place` joins it to a station in virtual time, through the station's own code.
"""

import asyncio
import contextlib

from controller.domain.keypad_words import (
    CANCEL,
    CLEAR,
    COLUMNS,
    ENTER,
    KEYS,
    STATION_LINE_MAX,
    Echo,
    GarbledLine,
    Hello,
    Key,
    Lines,
    Ping,
    Pong,
    Screen,
    Show,
    line_of,
    station_said,
)
from controller.domain.seams import Clock
from controller.keypads.keypads import LineKeypad, Wire

HOST = "127.0.0.1"
READ_BYTES = 256
NO_STATION = Screen(("Out of order", ""))


class KeypadTwin:
    """One keypad. It shows stars for what is hidden, and lets go of what was typed once it is sent."""

    def __init__(self) -> None:
        self._lines = Lines(STATION_LINE_MAX)
        self._number = 0
        self._screen = NO_STATION
        self._digits = ""
        self._open = False
        """Keys count: they were asked for, and neither Enter nor Cancel was pressed since."""

    @property
    def rows(self) -> tuple[str, str]:
        """What a driver sees; what is typed stands at the right end of the second row."""
        first, second = self._screen.rows
        typed = "*" * len(self._digits) if self._screen.echo is Echo.HIDDEN else self._digits
        return first, second + typed.rjust(COLUMNS - len(second)) if typed else second

    @property
    def asks(self) -> bool:
        """Keys are wanted now."""
        return self._open

    def connected(self) -> bytes:
        """A station has connected: the first words to it."""
        self.disconnected()
        return line_of(Hello())

    def disconnected(self) -> None:
        """There is no station."""
        self._lines = Lines(STATION_LINE_MAX)
        self._show(Show(0, NO_STATION))

    def received(self, data: bytes) -> bytes:
        """What the station says; returns what is answered. GarbledLine if no station says that."""
        answer = b""
        for line in self._lines.feed(data):
            match station_said(line):
                case Ping():
                    answer += line_of(Pong())
                case Show() as show:
                    self._show(show)
        return answer

    def press(self, key: str) -> bytes:
        """A key is pressed; returns what the station hears of it. ValueError if there is no such key."""
        if key not in KEYS:
            raise ValueError(f"the keypad has no such key: expected a digit, {ENTER}, {CLEAR} or {CANCEL}")
        if not self._open:
            return b""
        if key in {ENTER, CANCEL}:
            self._open = False
        elif key == CLEAR:
            self._digits = ""
        elif len(self._digits) < self._screen.most:
            self._digits += key
        else:
            return b""
        return line_of(Key(self._number, key))

    def _show(self, show: Show) -> None:
        self._number, self._screen = show.number, show.screen
        self._digits, self._open = "", show.screen.echo is not Echo.NONE


class TcpKeypadDevice:
    """A keypad on a port. `await start()`, then `press(key)` at will. A newer connection replaces the older one."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        """The one that it listens on; 0 becomes the one that was free."""
        self.twin = KeypadTwin()
        self._server: asyncio.Server | None = None
        self._client: asyncio.StreamWriter | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def connected(self) -> bool:
        return self._client is not None

    async def start(self) -> None:
        """Begins to listen. OSError if the port is taken."""
        self._server = await asyncio.start_server(self._accept, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Ends the server and its connection; `start()` may follow, on the same port."""
        if self._server is not None:
            self._server.close()
            for task in self._connections:
                task.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)
            await self._server.wait_closed()
            self._server = None

    def press(self, key: str) -> None:
        """A driver's finger. ValueError if there is no such key."""
        data = self.twin.press(key)
        if self._client is not None and data:
            self._client.write(data)

    async def _accept(self, stream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        if self._client is not None:
            self._client.close()
        self._client = writer
        try:
            writer.write(self.twin.connected())
            while data := await stream.read(READ_BYTES):
                if self._client is not writer:
                    break
                writer.write(self.twin.received(data))
        except (OSError, GarbledLine, asyncio.CancelledError):
            pass  # the station went, or the bench ends: either way this connection is over
        finally:
            self._connections.discard(task)
            if self._client is writer:
                self._client = None
                self.twin.disconnected()
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()


class KeypadInPlace:
    """A keypad of a simulated world, which can be unplugged, frozen, or talk nonsense. `keypad` is for the station."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.twin = KeypadTwin()
        self.keypad = LineKeypad(name, self._dial, clock)
        self.plugged = True
        self.frozen = False
        """It is connected, and neither hears nor says anything."""
        self.dialled = 0
        """How often a station has tried."""
        self._wire: _WireInPlace | None = None

    @property
    def connected(self) -> bool:
        return self._wire is not None

    def press(self, *keys: str) -> None:
        """A driver's finger: digits may stand together."""
        for word in keys:
            for key in word if word.isdecimal() else (word,):
                self.say(self.twin.press(key))

    def say(self, data: bytes) -> None:
        """Let these bytes come from the keypad, whatever they are."""
        if self._wire is not None and not self.frozen and data:
            self._wire.arrived.put_nowait(data)

    def unplug(self) -> None:
        """Its power is off."""
        self.plugged = False
        if self._wire is not None:
            self._wire.close()

    def plug_in(self) -> None:
        self.plugged = True

    def heard(self, data: bytes) -> None:
        """What the station says."""
        if not self.frozen:
            self.say(self.twin.received(data))

    def over(self, wire: "_WireInPlace") -> None:
        """The connection has ended."""
        if self._wire is wire:
            self._wire = None
            self.twin.disconnected()

    async def _dial(self) -> Wire:
        self.dialled += 1
        if not self.plugged:
            raise OSError(111, "Connection refused")
        self._wire = _WireInPlace(self)
        self.say(self.twin.connected())
        return self._wire


class _WireInPlace:
    """Implements `Wire`."""

    def __init__(self, device: KeypadInPlace) -> None:
        self._device = device
        self._closed = False
        self.arrived: asyncio.Queue[bytes] = asyncio.Queue()

    async def read(self) -> bytes:
        return b"" if self._closed and self.arrived.empty() else await self.arrived.get()

    def write(self, data: bytes) -> None:
        if self._closed:
            raise ConnectionError("it is closed")
        self._device.heard(data)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self.arrived.put_nowait(b"")
            self._device.over(self)

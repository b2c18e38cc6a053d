"""Cables of simulated lines beside the pseudo terminal: raw TCP, RFC 2217 (a serial port behind telnet), and a real
serial port, of this machine or of a serial server.

One client at a time: a newer connection replaces the older one, as a controller that starts again wants it. A
`LineEnd` says what the pumps make of the bytes; nothing here knows a protocol of pumps.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from enum import IntEnum
from typing import Protocol

import serial

from controller.domain.seams import US_PER_S, Clock
from controller.pumps.address import NetAddress
from controller.pumps.core import LineSettings
from controller.pumps.net import NetLinePort
from sim.pumps.port import READ_BYTES, LineEnd

HOST = "127.0.0.1"
NETWORK_SILENCE_US = 200_000
"""A network may hold the rest of a frame back for so long: added to the silence that drops it."""

LISTEN_US = 60 * US_PER_S
"""Whoever waits is woken by what comes."""

log = logging.getLogger("forecourt.sim.lines")

IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240
BINARY, SUPPRESS_GO_AHEAD, COM_PORT = 0, 3, 44
SPOKEN = (BINARY, SUPPRESS_GO_AHEAD, COM_PORT)
SERVER = 100
"""The server's answer to a command has this added."""
MODEM_READY = 0xB0
"""Carrier, data set ready, clear to send."""
CONTROL_NOW = {0: 1, 4: 6, 7: 8, 10: 11, 13: 14}
"""Questions of SET-CONTROL, and what they are answered: no flow control, no break, DTR on, RTS on, none inbound."""
PARITIES = {1: "N", 2: "O", 3: "E", 4: "M", 5: "S"}
SUBNEGOTIATION_BYTES_MAX = 64
SIGNATURE_TEXT = b"Forecourt simulator"


class Com(IntEnum):
    """The client's commands."""

    SIGNATURE = 0
    SET_BAUD = 1
    SET_BITS = 2
    SET_PARITY = 3
    SET_STOP = 4
    SET_CONTROL = 5
    LINE_STATE = 6
    MODEM_STATE = 7
    LINE_MASK = 10
    MODEM_MASK = 11
    PURGE = 12


class Framing(Protocol):
    """What a connection puts around the bytes of a line."""

    def greeting(self) -> bytes: ...

    def receive(self, data: bytes) -> tuple[bytes, bytes]:
        """What of it goes on the wire, and what is answered to the client at once."""
        ...

    def wrap(self, data: bytes) -> bytes:
        """Bytes of the wire, as they go to the client."""
        ...


class Raw:
    """Nothing around them: `socket://` of pyserial, a serial server in raw mode."""

    def greeting(self) -> bytes:
        return b""

    def receive(self, data: bytes) -> tuple[bytes, bytes]:
        return data, b""

    def wrap(self, data: bytes) -> bytes:
        return data


class Rfc2217:
    """The server's side of RFC 2217, sans-IO: a serial port whose speed and parity the client sets over telnet.

    It agrees to everything that a serial port could be set to, and to nothing else of telnet.
    """

    def __init__(self, line: LineSettings) -> None:
        self._line = line
        self.client = line
        """What the client has set."""
        self._said: set[tuple[int, int]] = set()
        self._mode = 0
        """The telnet byte that what comes belongs to: 0 for none, IAC, DO..WILL, SB."""
        self._inner: bytearray | None = None
        self._reply = bytearray()

    def greeting(self) -> bytes:
        self._reply.clear()
        for option in (BINARY, SUPPRESS_GO_AHEAD):
            self._say(WILL, option)
            self._say(DO, option)
        return bytes(self._reply)

    def wrap(self, data: bytes) -> bytes:
        return data.replace(b"\xff", b"\xff\xff")

    def receive(self, data: bytes) -> tuple[bytes, bytes]:
        self._reply.clear()
        wire = bytearray()
        for byte in data:
            if self._mode in (DO, DONT, WILL, WONT):
                self._asked(self._mode, byte)
                self._mode = 0
            elif self._mode == IAC:
                self._mode = 0
                self._command(byte, wire)
            elif byte == IAC:
                self._mode = IAC
            else:
                self._plain(byte, wire)
        return bytes(wire), bytes(self._reply)

    def differs(self) -> bool:
        """The client has set another speed or shape of bytes than the line has: on a real one nobody understood."""
        return self.client != self._line

    def _plain(self, byte: int, wire: bytearray) -> None:
        if self._inner is None:
            wire.append(byte)
        elif len(self._inner) < SUBNEGOTIATION_BYTES_MAX:
            self._inner.append(byte)

    def _command(self, byte: int, wire: bytearray) -> None:
        if byte == IAC:
            self._plain(byte, wire)
        elif byte == SB:
            self._inner = bytearray()
        elif byte == SE:
            inner, self._inner = bytes(self._inner or b""), None
            if len(inner) >= 2 and inner[0] == COM_PORT:
                self._set(inner[1], inner[2:])
        elif byte in (DO, DONT, WILL, WONT):
            self._mode = byte

    def _asked(self, verb: int, option: int) -> None:
        """DO: the client wants us to. WILL: it would itself. What is agreed is said once, what is not is refused."""
        ours = verb in (DO, DONT)
        yes, no = (WILL, WONT) if ours else (DO, DONT)
        if verb in (DO, WILL) and option in SPOKEN:
            new = (yes, option) not in self._said
            self._say(yes, option)
            if new and option == COM_PORT:
                self._tell(Com.MODEM_STATE, bytes((MODEM_READY,)))
        elif verb in (DO, WILL):
            self._reply += bytes((IAC, no, option))
        elif (yes, option) in self._said:
            self._said.discard((yes, option))
            self._reply += bytes((IAC, no, option))

    def _say(self, verb: int, option: int) -> None:
        if (verb, option) not in self._said:
            self._said.add((verb, option))
            self._reply += bytes((IAC, verb, option))

    def _tell(self, command: int, value: bytes) -> None:
        self._reply += bytes((IAC, SB, COM_PORT, command + SERVER)) + self.wrap(value) + bytes((IAC, SE))

    def _set(self, command: int, value: bytes) -> None:
        number = int.from_bytes(value, "big")
        client = self.client
        match command:
            case Com.SIGNATURE:
                if not value:
                    self._tell(Com.SIGNATURE, SIGNATURE_TEXT)
            case Com.SET_BAUD:
                self.client = replace(client, baud=number or client.baud)
                self._tell(Com.SET_BAUD, self.client.baud.to_bytes(4, "big"))
            case Com.SET_BITS:
                self.client = replace(client, bits=number if 5 <= number <= 8 else client.bits)
                self._tell(Com.SET_BITS, bytes((self.client.bits,)))
            case Com.SET_PARITY:
                self.client = replace(client, parity=PARITIES.get(number, client.parity))
                self._tell(Com.SET_PARITY, bytes((next(n for n, p in PARITIES.items() if p == self.client.parity),)))
            case Com.SET_STOP:
                self.client = replace(client, stop=number if number in (1, 2) else client.stop)
                self._tell(Com.SET_STOP, bytes((self.client.stop,)))
            case Com.SET_CONTROL:
                self._tell(Com.SET_CONTROL, bytes((CONTROL_NOW.get(number, number & 0xFF),)))
            case Com.LINE_STATE | Com.MODEM_STATE:
                self._tell(command, bytes((MODEM_READY if command == Com.MODEM_STATE else 0,)))
            case Com.LINE_MASK | Com.MODEM_MASK | Com.PURGE:
                self._tell(command, value)
            case _:
                pass  # suspend and resume: what is said here is short


MakeEnd = Callable[[Callable[[bytes], None]], LineEnd]
"""A line's end that says what its pumps say through the function given."""


class NetLine:
    """A line behind a TCP port. `await start()`; `where` is what a client opens then."""

    def __init__(self, name: str, port: int, make_end: MakeEnd, framing: Callable[[], Framing], scheme: str) -> None:
        self._name = name
        self.port = port
        self._end = make_end(self._say)
        self._framing = framing
        self._scheme = scheme
        self._server: asyncio.Server | None = None
        self._client: tuple[asyncio.StreamWriter, Framing] | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def where(self) -> str:
        """A URL of pyserial."""
        return f"{self._scheme}://{HOST}:{self.port}"

    async def start(self) -> None:
        """Listen; port 0 becomes the one that was free. OSError if it is taken."""
        self._server = await asyncio.start_server(self._accept, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Pull the cable."""
        if self._server is None:
            return
        self._server.close()
        self._end.forget()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    def _say(self, data: bytes) -> None:
        if self._client is not None:
            writer, framing = self._client
            writer.write(framing.wrap(data))

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        if self._client is not None:
            self._client[0].close()
            self._end.forget()
        framing = self._framing()
        self._client = client = (writer, framing)
        warned = False
        try:
            writer.write(framing.greeting())
            while data := await reader.read(READ_BYTES):
                if self._client is not client:
                    break
                wire, reply = framing.receive(data)
                writer.write(reply)
                if wire:
                    self._end.heard(wire)
                    if not warned and isinstance(framing, Rfc2217) and framing.differs():
                        warned = True
                        log.warning("line %s: a client set %s: a real line has other", self._name, framing.client)
        except (OSError, asyncio.CancelledError):
            pass  # the client went, or the bench ends: either way this connection is over
        finally:
            self._connections.discard(task)
            if self._client is client:
                self._client = None
                self._end.forget()
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()


class ServerLine:
    """Simulated pumps on a real cable behind a serial server. `await start()`."""

    def __init__(self, where: NetAddress, settings: LineSettings, clock: Clock, make_end: MakeEnd) -> None:
        self.where = str(where)
        self._port = NetLinePort(where, settings, clock)
        self._end = make_end(self._say)
        self._hearing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """OSError with a sentence if the server is not there, or does not set the line."""
        await self._port.connect()
        self._hearing = asyncio.create_task(self._hear())

    async def _hear(self) -> None:
        try:
            while True:
                _, data = await self._port.hear(LISTEN_US)
                if data:
                    self._end.heard(data)
        except OSError as error:
            log.error("%s: no pump of it is heard any more", error)
            self._end.forget()

    def _say(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # the cable is gone: it is lost
            self._port.put(data)

    async def close(self) -> None:
        """Let the port go."""
        if self._hearing is not None:
            self._hearing.cancel()
            await asyncio.gather(self._hearing, return_exceptions=True)
        self._end.forget()
        self._port.close()


class SerialLine:
    """Simulated pumps on a real cable: it opens a device which is not its own."""

    def __init__(self, path: str, settings: LineSettings, make_end: MakeEnd) -> None:
        """OSError if the device cannot be opened."""
        self.where = path
        self._serial = serial.Serial(
            path,
            settings.baud,
            bytesize=settings.bits,
            parity=settings.parity,
            stopbits=settings.stop,
            timeout=0,
            write_timeout=0,
            exclusive=True,
        )
        self._end = make_end(self._say)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._serial.fileno(), self._readable)

    def _readable(self) -> None:
        try:
            data = self._serial.read(READ_BYTES)
        except OSError as error:
            log.error("line %s: %s: no pump of it is heard any more", self.where, error)
            self.close()
            return
        self._end.heard(data)

    def _say(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # the cable is gone: it is lost
            self._serial.write(data)

    def close(self) -> None:
        """Let the device go; may be called twice."""
        if self._serial.is_open:
            self._loop.remove_reader(self._serial.fileno())
            self._end.forget()
            self._serial.close()

"""The client's side of RFC 2217: a serial port behind telnet, whose speed and shape of bytes are set over it.

The settings count when the server has said each of them back, and as it says them: one that sets another speed is not
used. Sans-IO: bytes of the connection in, bytes of the line and the answers to the server out. Knows no port and no
protocol of pumps.
"""

from enum import IntEnum

from controller.pumps.core import LineSettings

IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240
BINARY, SUPPRESS_GO_AHEAD, COM_PORT = 0, 3, 44
OURS = (BINARY, SUPPRESS_GO_AHEAD, COM_PORT)
"""What we would do, of telnet's options."""
THEIRS = (BINARY, SUPPRESS_GO_AHEAD, COM_PORT)
"""What the server may do; of COM-PORT some say that they will, too."""
SERVER = 100
"""The server's answer to a command has this added."""
PARITIES = {"N": 1, "O": 2, "E": 3}
NO_FLOW_CONTROL = 1
PURGE_BOTH = 3
SUBNEGOTIATION_BYTES_MAX = 64
"""Longer than any answer; one without an end is no reason to keep it all."""


class Com(IntEnum):
    """The client's commands, as far as they are used."""

    SET_BAUD = 1
    SET_BITS = 2
    SET_PARITY = 3
    SET_STOP = 4
    SET_CONTROL = 5
    PURGE = 12


class Rfc2217Client:
    """One connection. Send `greeting`, give `receive` what comes; the line is ours once `ready`.

    `refused` says in words why it never will be, and what to do; empty otherwise.
    """

    def __init__(self, settings: LineSettings) -> None:
        self._wanted = {
            Com.SET_BAUD: settings.baud,
            Com.SET_BITS: settings.bits,
            Com.SET_PARITY: PARITIES[settings.parity],
            Com.SET_STOP: settings.stop,
        }
        self._owed = set(self._wanted)
        self._asked = False
        self.refused = ""
        self.telnet = False
        """The server has said a word of telnet."""
        self._mode = 0
        """The telnet byte that what comes belongs to: 0 for none, IAC, DO..WILL."""
        self._inner: bytearray | None = None
        self._said: set[tuple[int, int]] = set()
        self._reply = bytearray()

    @property
    def ready(self) -> bool:
        """The server has said all settings back as they were asked for."""
        return self._asked and not self._owed and not self.refused

    def greeting(self) -> bytes:
        """What is sent first."""
        for option in OURS:
            self._say(WILL, option)
        for option in (BINARY, SUPPRESS_GO_AHEAD):
            self._say(DO, option)
        return self._take()

    def wrap(self, data: bytes) -> bytes:
        """Bytes for the line, as they go to the server."""
        return data.replace(b"\xff", b"\xff\xff")

    def receive(self, data: bytes) -> tuple[bytes, bytes]:
        """What of it came from the line, and what is answered to the server at once."""
        line = bytearray()
        for byte in data:
            if self._mode in (DO, DONT, WILL, WONT):
                self._offered(self._mode, byte)
                self._mode = 0
            elif self._mode == IAC:
                self._mode = 0
                self._command(byte, line)
            elif byte == IAC:
                self._mode = IAC
            else:
                self._plain(byte, line)
        return bytes(line), self._take()

    # --- inside ---------------------------------------------------------------------------------------------

    def _take(self) -> bytes:
        taken = bytes(self._reply)
        self._reply.clear()
        return taken

    def _plain(self, byte: int, line: bytearray) -> None:
        if self._inner is None:
            line.append(byte)
        elif len(self._inner) < SUBNEGOTIATION_BYTES_MAX:
            self._inner.append(byte)

    def _command(self, byte: int, line: bytearray) -> None:
        match byte:
            case 255:  # twice: the byte itself
                self._plain(byte, line)
            case 250:
                self._inner = bytearray()
            case 240:
                inner, self._inner = bytes(self._inner or b""), None
                if len(inner) >= 2 and inner[0] == COM_PORT:
                    self._answered(inner[1] - SERVER, int.from_bytes(inner[2:], "big"))
            case 251 | 252 | 253 | 254:
                self._mode = byte

    def _offered(self, verb: int, option: int) -> None:
        """WILL and WONT: of the server. DO and DONT: of us. What was said already is not said again: else it never
        ends."""
        self.telnet = True
        match verb:
            case 253:
                self._say(WILL if option in OURS else WONT, option)
                if option == COM_PORT:
                    self._ask()
            case 251:
                self._say(DO if option in THEIRS else DONT, option)
            case 254 if option == COM_PORT:
                self.refused = "it speaks telnet, and sets no speed of a serial port: set it to RFC 2217"
            case 254 | 252:
                self._say(WONT if verb == DONT else DONT, option)

    def _say(self, verb: int, option: int) -> None:
        if (verb, option) not in self._said:
            self._said.add((verb, option))
            self._reply += bytes((IAC, verb, option))

    def _ask(self) -> None:
        if self._asked:
            return
        self._asked = True
        for command, value in self._wanted.items():
            self._tell(command, value.to_bytes(4 if command is Com.SET_BAUD else 1, "big"))
        self._tell(Com.SET_CONTROL, bytes((NO_FLOW_CONTROL,)))
        self._tell(Com.PURGE, bytes((PURGE_BOTH,)))

    def _tell(self, command: Com, value: bytes) -> None:
        self._reply += bytes((IAC, SB, COM_PORT, command)) + self.wrap(value) + bytes((IAC, SE))

    def _answered(self, command: int, value: int) -> None:
        wanted = {int(com): (com, number) for com, number in self._wanted.items()}.get(command)
        if wanted is None:
            return  # states of lines and modems, its name: nothing that the line needs
        com, number = wanted
        if value == number:
            self._owed.discard(com)
        else:
            said, asked = _text(com, value), _text(com, number)
            self.refused = f"it set {said} where {asked} was asked for: set baud and framing of the line to what it can"


def _text(command: Com, value: int) -> str:
    """A setting in words."""
    match command:
        case Com.SET_PARITY:
            return f"parity {next((name for name, number in PARITIES.items() if number == value), value)}"
        case Com.SET_BITS:
            return f"{value} data bits"
        case Com.SET_STOP:
            return f"stop bits {value}"
        case _:
            return f"{value} baud"

"""What passes on an AZT line, in words: for people and tools that listen, never for action.

A reply says neither who gives it nor to what, so the last request is remembered. Knows no port and no clock.
"""

from controller.pumps.azt2 import messages as azt
from controller.pumps.azt2.errors import FrameError
from controller.pumps.azt2.frame import (
    FRAME_BYTES_MAX,
    SHORT,
    SOF,
    Answer,
    Reply,
    Request,
    decode_reply,
    decode_request,
    is_whole,
    split,
)
from controller.pumps.azt2.messages import Command, State
from controller.pumps.decoded import Check, Decoded, Direction, Part

NAMES = {
    Command.STATUS: "status",
    Command.AUTHORISE: "authorise",
    Command.STOP: "stop",
    Command.RUNNING: "running volume",
    Command.FULL: "full data",
    Command.TOTALS: "totals",
    Command.CONFIRM: "confirm",
    Command.VERSION: "protocol version",
    Command.PRICE: "set price",
    Command.DOSE: "set dose",
    Command.START: "unconditional start",
    Command.READ_DOSE: "dose",
    Command.ADDRESS: "net address",
}
MONEY_DOSE = 0x53
"""Known to exist; what its data look like is not."""
STATE_NAMES = {
    State.HUNG: "nozzle hung up",
    State.LIFTED: "nozzle lifted",
    State.AUTHORISED: "authorised",
    State.FUELLING: "fuelling",
    State.FINISHED: "finished",
    State.DOSED: "dose set at the pump",
}
REASON_NAMES = {azt.REASON_NORMAL: "normal", azt.REASON_OVERFILL: "overfill"}
SHORT_KINDS = {Answer.ACK: "ack", Answer.NAK: "nak", Answer.CAN: "can"}


class AztDecoder:
    """Listens to one line; implements `Decoder`."""

    def __init__(self) -> None:
        self._rest = dict.fromkeys(Direction, b"")
        self._request: Request | None = None
        self._replied = False

    def feed(self, data: bytes, direction: Direction) -> list[Decoded]:
        """The frames that these bytes complete, and the noise between them."""
        pieces = split(self._rest[direction] + data)
        self._rest[direction] = b""
        if pieces and not is_whole(pieces[-1]) and len(pieces[-1]) <= FRAME_BYTES_MAX:
            self._rest[direction] = pieces.pop()
        return [self._decoded(piece, direction) for piece in pieces]

    def flush(self, direction: Direction) -> list[Decoded]:
        """What is left over, after a silence or at the end."""
        rest, self._rest[direction] = self._rest[direction], b""
        return [self._decoded(rest, direction)] if rest else []

    def likely(self, _piece: bytes) -> Direction | None:
        return None if self._request is None or self._replied else Direction.TO_MASTER

    def pieces(self, data: bytes) -> list[bytes]:
        return split(data)

    def _decoded(self, piece: bytes, direction: Direction) -> Decoded:
        try:
            if direction is Direction.TO_PUMP:
                return self._request_decoded(piece)
            return self._reply_decoded(piece)
        except FrameError as error:
            if direction is Direction.TO_PUMP:
                self._request = None  # what answers it, nobody knows
            frame = is_whole(piece) and piece[:1] == bytes((SOF,))
            text = f"{error.kind.replace('_', ' ')}: {type(error).__doc__}"
            return Decoded(
                None, "frame" if frame else "noise", Check.BAD if frame else Check.NONE, piece.hex(" "), error=text
            )

    def _request_decoded(self, piece: bytes) -> Decoded:
        request = decode_request(piece)
        self._request, self._replied = request, False
        part, error = _request_part(request)
        return Decoded(request.channel, "request", Check.OK, piece.hex(" "), (part,), error)

    def _reply_decoded(self, piece: bytes) -> Decoded:
        reply = decode_reply(piece)
        request, self._replied = self._request, True
        address = request.channel if request is not None else None
        kind, check = ("reply", Check.OK) if reply.answer not in SHORT else (SHORT_KINDS[reply.answer], Check.NONE)
        part, error = _reply_part(request, reply)
        return Decoded(address, kind, check, piece.hex(" "), (part,), error)


def _name(command: int) -> str:
    if command in NAMES:
        return NAMES[Command(command)]
    return "set dose in money" if command == MONEY_DOSE else f"command {command:02x}"


def _request_part(request: Request) -> tuple[Part, str]:
    name, data = _name(request.command), request.data
    if request.command == Command.DOSE:
        try:
            dose = azt.dose_of(data)
        except ValueError:
            return Part(name, _raw(data)), "these are no dose's digits"
        return Part(name, {"full_tank": True} if dose is None else {"volume": dose}), ""
    if request.command == Command.PRICE and len(data) == azt.PRICE_DIGITS and data.isdigit():
        return Part(name, {"price": int(data)}), ""
    unknown = request.command not in NAMES and request.command != MONEY_DOSE
    if request.command in NAMES and data:
        return Part(name, _raw(data)), "these data do not go with this command"
    return Part(name, _raw(data)), "a command that is not known" if unknown else ""


def _reply_part(request: Request | None, reply: Reply) -> tuple[Part, str]:
    if request is None:
        # To which request is not known, and so not what it says. All replies are digits.
        return Part("reply", _raw(reply.data)), "" if not reply.data or reply.data.isdigit() else "no digits: no reply"
    name = _name(request.command)
    try:
        said = azt.outcome(request.command, reply)
    except FrameError as error:
        return Part(name, _raw(reply.data)), str(error)
    match said:
        case azt.Status(State.FINISHED as state, reason):
            text = REASON_NAMES.get(reason, "unknown")
            return Part(name, {"state": int(state), "text": STATE_NAMES[state], "reason": reason, "why": text}), ""
        case azt.Status(state):
            return Part(name, {"state": int(state), "text": STATE_NAMES[state]}), ""
        case azt.Running(volume):
            return Part(name, {"volume": volume}), ""
        case azt.Full(volume, amount, price):
            return Part(name, {"volume": volume, "amount": amount, "price": price}), ""
        case azt.Counters(volume, amount):
            return Part(name, {"volume": volume, "amount": amount}), ""
        case azt.Text(text):
            return Part(name, {"text": text}), ""
        case _:
            return Part(name), ""


def _raw(data: bytes) -> dict[str, int | str | list[int] | bool]:
    return {"data": data.decode("ascii", "backslashreplace")} if data else {}

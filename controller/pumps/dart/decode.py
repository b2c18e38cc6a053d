"""What passes on a DART line, in words: for people and tools that listen, never for action.

Bytes come in as they were heard, cut anywhere and damaged anyhow, each with the direction in which they went;
`Directions` makes a good guess at that for a tap that hears both. Knows no pump's state, no port and no clock.
"""

from controller.pumps.dart import transactions as dart
from controller.pumps.dart.errors import BadBlock, BadCrc, FrameError
from controller.pumps.dart.frame import (
    ADDRESS_FIRST,
    ADDRESS_LAST,
    END,
    ESCAPE,
    FRAME_BYTES_MAX,
    NOISE,
    Control,
    Frame,
    decode,
    split,
)
from controller.pumps.decoded import Check, Decoded, Direction, Part

KINDS = {
    Control.POLL: "poll",
    Control.DATA: "data",
    Control.NAK: "nak",
    Control.EOT: "eot",
    Control.ACK: "ack",
    Control.ACK_POLL: "ack+poll",
}
ORDERS = {
    dart.Order.RETURN_STATUS: "return status",
    dart.Order.RETURN_IDENTITY: "return identity",
    dart.Order.RETURN_FILLING: "return filling information",
    dart.Order.RESET: "reset",
    dart.Order.AUTHORIZE: "authorize",
    dart.Order.STOP: "stop",
    dart.Order.SWITCH_OFF: "switch off",
    dart.Order.SUSPEND: "suspend",
    dart.Order.RESUME: "resume",
    dart.Order.RETURN_PRICES: "return prices",
}
STATES = {
    dart.State.NOT_PROGRAMMED: "not programmed",
    dart.State.RESET: "reset",
    dart.State.AUTHORIZED: "authorized",
    dart.State.FILLING: "filling",
    dart.State.COMPLETED: "filling completed",
    dart.State.MAX: "max amount/volume",
    dart.State.SWITCHED_OFF: "switched off",
    dart.State.SUSPENDED: "suspended",
}
_Values = dict[str, int | str | list[int] | bool]


class DartDecoder:
    """Implements `Decoder`: both directions of one line, each with its own unfinished bytes."""

    def __init__(self) -> None:
        self._rest = dict.fromkeys(Direction, b"")

    def feed(self, data: bytes, direction: Direction) -> list[Decoded]:
        *pieces, rest = split(self._rest[direction] + data) or [b""]
        if _ended(rest) or len(rest) > FRAME_BYTES_MAX:
            pieces.append(rest)
            rest = b""
        self._rest[direction] = rest
        return [said for piece in pieces for said in _piece(piece, direction)]

    def flush(self, direction: Direction) -> list[Decoded]:
        rest, self._rest[direction] = self._rest[direction], b""
        if not rest.strip(NOISE):
            return [_noise(rest)] if rest else []
        return [Decoded(_address(rest), "noise", Check.NONE, rest.hex(" "), error="the frame stops before its end")]

    def likely(self, _piece: bytes) -> Direction | None:
        """`Directions` knows more."""
        return None

    def pieces(self, data: bytes) -> list[bytes]:
        return split(data)


class Directions:
    """Whose words a frame is, heard on a wire that carries both: by control word, and by what came before it.

    A poll is the master's, EOT the pump's. After a poll a block is the pump's, otherwise it is the master's; an
    acknowledgement is of whoever did not send the block. None where nothing tells, as in the middle of a talk.
    """

    def __init__(self) -> None:
        self._polled: int | None = None
        self._block: tuple[int, Direction] | None = None
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that these bytes complete; `of` is to be asked of each, in order."""
        *pieces, self._rest = split(self._rest + data) or [b""]
        if _ended(self._rest) or len(self._rest) > FRAME_BYTES_MAX:
            pieces.append(self._rest)
            self._rest = b""
        return pieces

    def flush(self) -> bytes:
        """What is left over, after a silence or at the end."""
        rest, self._rest = self._rest, b""
        return rest

    def was(self, direction: Direction) -> None:
        """The last frame went this way after all."""
        if self._block is not None:
            self._block = self._block[0], direction

    def of(self, piece: bytes) -> Direction | None:
        """The direction of one frame of the wire, as `split` gives them."""
        try:
            frame = decode(piece)
        except FrameError:
            # A damaged block after a poll is the pump's; other noise may be anybody's.
            polled, self._polled, self._block = self._polled, None, None
            return Direction.TO_MASTER if polled is not None and _address(piece.lstrip(NOISE)) == polled else None
        polled, self._polled = self._polled, None
        block, self._block = self._block, None
        match frame.control:
            case Control.POLL | Control.ACK_POLL:
                self._polled = frame.address
                return Direction.TO_PUMP
            case Control.EOT:
                return Direction.TO_MASTER
            case Control.DATA:
                direction = Direction.TO_MASTER if polled == frame.address else Direction.TO_PUMP
                self._block = frame.address, direction
                return direction
            case _ if block is not None and block[0] == frame.address:
                return Direction.TO_PUMP if block[1] is Direction.TO_MASTER else Direction.TO_MASTER
        return None


def _ended(piece: bytes) -> bool:
    return piece[-1:] == bytes((END,)) and piece[-2:-1] != bytes((ESCAPE,))


def _address(piece: bytes) -> int | None:
    return piece[0] if piece and ADDRESS_FIRST <= piece[0] <= ADDRESS_LAST else None


def _noise(piece: bytes, error: str = "no frame") -> Decoded:
    return Decoded(None, "noise", Check.NONE, piece.hex(" "), error=error)


def _piece(piece: bytes, direction: Direction) -> list[Decoded]:
    """What ends with the end of a frame: a frame, or noise with perhaps a frame behind it."""
    found: list[Decoded] = []
    at = len(piece) - len(piece.lstrip(NOISE))
    if at:
        found.append(_noise(piece[:at], "what a line driver makes when it switches on"))
        piece = piece[at:]
    try:
        return [*found, _frame(piece, decode(piece), direction)]
    except FrameError as error:
        why = error
    for start in range(max(1, len(piece) - FRAME_BYTES_MAX), len(piece) - 2):  # no frame is longer
        if ADDRESS_FIRST <= piece[start] <= ADDRESS_LAST:
            try:
                frame = decode(piece[start:])
            except FrameError:
                continue
            return [*found, _noise(piece[:start]), _frame(piece[start:], frame, direction)]
    return [*found, _damaged(piece, why)]


def _damaged(piece: bytes, why: FrameError) -> Decoded:
    address = _address(piece)
    if isinstance(why, BadCrc):
        parts = (_number(piece[1] & 0x0F),)
        return Decoded(address, "data", Check.BAD, piece.hex(" "), parts, "the check sum does not fit: damaged")
    text = {
        "unfinished": "the frame stops before its end",
        "too_long": "more bytes than any frame has, and no end",
        "bad_address": "the first byte is no pump's address (50 to 6F)",
        "bad_control": "the second byte is no control word, or one that does not go with this length",
        "bad_end": "a block without 03 before its end",
    }.get(why.kind, "no frame")
    return Decoded(address, "noise", Check.NONE, piece.hex(" "), error=text)


def _number(tx: int) -> Part:
    return Part("block", {"tx": tx})


def _frame(piece: bytes, frame: Frame, direction: Direction) -> Decoded:
    kind = KINDS[frame.control]
    raw = piece.hex(" ")
    if frame.control in (Control.POLL, Control.EOT):
        strange = (frame.control is Control.POLL) is (direction is Direction.TO_MASTER)
        error = f"{kind} does not go in this direction" if strange else ""
        return Decoded(frame.address, kind, Check.NONE, raw, error=error)
    if frame.control is not Control.DATA:
        error = "a pump does not poll" if kind == "ack+poll" and direction is Direction.TO_MASTER else ""
        return Decoded(frame.address, kind, Check.NONE, raw, (_number(frame.tx),), error)
    try:
        items = dart.to_pump(frame.body) if direction is Direction.TO_PUMP else dart.to_master(frame.body)
    except BadBlock:
        parts: tuple[Part, ...] = (_number(frame.tx), Part("unknown", {"data": frame.body.hex(" ")}))
        return Decoded(frame.address, kind, Check.OK, raw, parts, "the lengths of its transactions do not add up")
    parts = (_number(frame.tx), *(Part(*_said(item)) for item in items))
    unusable = [item for item in items if isinstance(item, dart.Unusable)]
    error = f"transaction {unusable[0].trans:02X} cannot be read: {unusable[0].why}" if unusable else ""
    return Decoded(frame.address, kind, Check.OK, raw, parts, error)


def _said(item: dart.ToPump | dart.ToMaster) -> tuple[str, _Values]:
    """A transaction's name in the field's words, and its values: numbers are raw digits."""
    match item:
        case dart.Command(order):
            return ORDERS[order], {}
        case dart.AllowNozzles(nozzles):
            return "allowed nozzles", {"nozzles": list(nozzles)}
        case dart.PresetVolume(volume):
            return "preset volume", {"volume": volume}
        case dart.PresetAmount(amount):
            return "preset amount", {"amount": amount}
        case dart.Prices(prices):
            return "unit prices", {"prices": list(prices)}
        case dart.IdentityLost(nozzle):
            return "suspend", {"nozzle": nozzle}
        case dart.IdentityRegained(nozzle):
            return "resume", {"nozzle": nozzle}
        case dart.AskTotal(counter):
            return "return total", {"counter": counter, "of": _counter(counter)}
        case dart.Status(state):
            return "status", {"state": STATES[state]}
        case dart.Filled(volume, amount):
            return "filled", {"volume": volume, "amount": amount}
        case dart.NozzleState(price, nozzle, out):
            return "nozzle", {"price": price, "nozzle": nozzle, "out": out}
        case dart.Alarmed(code):
            return "alarm", {"code": code}
        case dart.Identity(manufacturer, kind, version):
            return "identity", {"manufacturer": manufacturer, "type": kind, "version": version}
        case dart.Total(counter, total, first, second):
            values: _Values = {"counter": counter, "of": _counter(counter)}
            return "total", values | {"total": total, "first_meter": first, "second_meter": second}
        case dart.Unusable(trans, data, why):
            return "unknown", {"trans": trans, "data": data.hex(" "), "why": why}


def _counter(counter: int) -> str:
    what, which = ("amount" if counter & 0x10 else "volume"), counter & 0x0F
    return f"{what} of all nozzles" if which == 9 else f"{what} of nozzle {which}"

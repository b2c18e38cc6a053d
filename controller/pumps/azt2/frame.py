"""AZT 2.0 frames: bytes <-> `Request` and `Reply`.

    request  7F STX ADR ~ADR CMD ~CMD {d ~d} 03 03 SUM
    reply    7F 02           {d ~d}          03 03 SUM      or  7F 06 (ACK), 7F 15 (NAK), 7F 18 (CAN)

Seven bits a byte; `~b` is b ^ 7F. SUM is the XOR of ADR, command, data and one ETX, with 40 set. A channel is a
start byte and one of fifteen addresses. A reply says neither who gives it nor to what.

Knows no time, no retries and nothing of what the data say. A damaged frame is a `FrameError`, never a value.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from controller.pumps.azt2.errors import BadComplement, BadStart, BadSum, EighthBit, TooLong, Unfinished

SOF = 0x7F
ETX = 0x03
END = bytes((ETX, ETX))
STARTS = (0x02, *range(0x07, 0x15))
"""One for each fifteen channels; replies always begin with the first."""
REPLY_START = STARTS[0]
CHANNELS_A_START = 15
CHANNEL_FIRST = 1
CHANNEL_LAST = CHANNELS_A_START * len(STARTS)
ADDRESS_BASE = 0x20
SUM_BIT = 0x40
BITS = 0x7F
FRAME_BYTES_MAX = 96
"""Counters of twenty digits each make a reply of 85 bytes: anything longer is noise that never ended."""


class Answer(IntEnum):
    """The second byte of a reply."""

    DATA = REPLY_START
    ACK = 0x06
    NAK = 0x15
    """Not supported."""
    CAN = 0x18
    """Not now."""


SHORT = frozenset({Answer.ACK, Answer.NAK, Answer.CAN})


@dataclass(frozen=True, slots=True)
class Request:
    """One good frame to a pump."""

    channel: int
    command: int
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """One good frame from a pump; `data` is empty unless `answer` is DATA."""

    answer: Answer
    data: bytes = b""


def encode_request(request: Request) -> bytes:
    """The frame as it goes over the wire. ValueError for what cannot be sent: our own mistake."""
    start, address = channel_bytes(request.channel)
    return _framed(start, bytes((address, request.command)) + request.data)


def encode_reply(reply: Reply) -> bytes:
    """The frame as it goes over the wire. ValueError for what cannot be sent."""
    if reply.answer is Answer.DATA:
        return _framed(REPLY_START, reply.data)
    if reply.data:
        raise ValueError(f"{reply.answer.name} carries no data")
    return bytes((SOF, reply.answer))


def channel_bytes(channel: int) -> tuple[int, int]:
    """Start byte and address of a channel."""
    if not CHANNEL_FIRST <= channel <= CHANNEL_LAST:
        raise ValueError(f"channel {channel} is outside {CHANNEL_FIRST}..{CHANNEL_LAST}")
    block, index = divmod(channel - CHANNEL_FIRST, CHANNELS_A_START)
    return STARTS[block], ADDRESS_BASE + index + 1


def _framed(start: int, payload: bytes) -> bytes:
    if any(byte < ADDRESS_BASE or byte > BITS for byte in payload):
        raise ValueError(f"{payload.hex(' ')}: data are printable, of seven bits")
    pairs = bytes(part for byte in payload for part in (byte, byte ^ BITS))
    wire = bytes((SOF, start)) + pairs + END + bytes((check_sum(payload),))
    if len(wire) > FRAME_BYTES_MAX:
        raise ValueError(f"a frame of {len(wire)} bytes is above {FRAME_BYTES_MAX}")
    return wire


def check_sum(payload: Iterable[int]) -> int:
    """SUM over address, command and data."""
    result = ETX
    for byte in payload:
        result ^= byte
    return result | SUM_BIT


def is_whole(data: bytes) -> bool:
    """Whether these bytes end with the end of a frame, of either direction. Constant time.

    No two bytes of a good frame but its end are 03 03, and no start byte is that of a short reply.
    """
    if len(data) >= 3 and data[-3:-1] == END:
        return True
    return len(data) >= 2 and data[-2] == SOF and data[-1] in SHORT


def split(data: bytes) -> list[bytes]:
    """The bytes cut after each frame's end and before each 7F; the last piece may be unfinished. Linear time."""
    pieces = []
    start = 0
    for at, byte in enumerate(data):
        whole = at - start >= 2 and data[at - 2 : at] == END
        if not whole and byte == SOF and at > start:
            pieces.append(data[start:at])
            start = at
        whole = whole or (at - start == 1 and data[start] == SOF and byte in SHORT)
        if whole:
            pieces.append(data[start : at + 1])
            start = at + 1
    if start < len(data):
        pieces.append(data[start:])
    return pieces


def decode_request(piece: bytes) -> Request:
    """One frame to a pump, as `split` gives them. A `FrameError` says why it is none."""
    start, payload = _unframed(piece)
    if start not in STARTS or len(payload) < 2:
        raise BadStart(piece.hex(" "))
    index = payload[0] - ADDRESS_BASE - 1
    if not 0 <= index < CHANNELS_A_START:
        raise BadStart(piece.hex(" "))
    return Request(CHANNEL_FIRST + STARTS.index(start) * CHANNELS_A_START + index, payload[1], payload[2:])


def decode_reply(piece: bytes) -> Reply:
    """One frame from a pump, as `split` gives them. A `FrameError` says why it is none."""
    if len(piece) == 2 and piece[0] == SOF and piece[1] in SHORT:
        return Reply(Answer(piece[1]))
    start, payload = _unframed(piece)
    if start != REPLY_START:
        raise BadStart(piece.hex(" "))
    return Reply(Answer.DATA, payload)


def _unframed(piece: bytes) -> tuple[int, bytes]:
    """Start byte and payload of a long frame."""
    if len(piece) > FRAME_BYTES_MAX:
        raise TooLong(f"{len(piece)} bytes without an end")
    if any(byte > BITS for byte in piece):
        raise EighthBit(piece.hex(" "))
    if not piece or piece[0] != SOF:
        raise BadStart(piece.hex(" "))
    if len(piece) < 2 + len(END) + 1 or piece[-3:-1] != END:
        raise Unfinished(piece.hex(" "))
    payload, complements = piece[2:-3:2], piece[3:-3:2]
    if len(payload) != len(complements) or any(a ^ BITS != b for a, b in zip(payload, complements, strict=True)):
        raise BadComplement(piece.hex(" "))
    if check_sum(payload) != piece[-1]:
        raise BadSum(piece.hex(" "))
    return piece[1], payload

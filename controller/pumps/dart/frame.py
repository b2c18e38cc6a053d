"""DART frames: bytes <-> `Frame`.

    short : ADR CTRL FA
    data  : ADR CTRL {TRANS LNG DATA[LNG]}+ CRC-lo CRC-hi 03 FA

FA ends a frame; an FA among data or CRC has a 10 put before it, which the CRC does not count. The CRC is
CRC-16/ARC over ADR to the last data byte.

Knows no time, no retries and nothing of what a body says. A damaged frame is a `FrameError`, never a value.
"""

from dataclasses import dataclass
from enum import IntEnum

from controller.pumps.dart.errors import BadAddress, BadControl, BadCrc, BadEnd, TooLong, Unfinished

END = 0xFA
ESCAPE = 0x10
ETX = 0x03
ADDRESS_FIRST = 0x50
ADDRESS_LAST = 0x6F
OWN_FRAME_BYTES_MAX = 128
"""Older pumps have a buffer of this size."""
FRAME_BYTES_MAX = 256
"""LNG is one byte and a block is short: anything longer is noise that never ended."""
TX_MAX = 0xF
NOISE = b"\x00\xff"
"""What a line driver makes of its own switching on; put before the first byte of an answer."""


class Control(IntEnum):
    """CTRL without its TX#."""

    POLL = 0x20
    DATA = 0x30
    NAK = 0x50
    EOT = 0x70
    ACK = 0xC0
    ACK_POLL = 0xE0


NUMBERED = frozenset({Control.DATA, Control.NAK, Control.ACK, Control.ACK_POLL})


@dataclass(frozen=True, slots=True)
class Frame:
    """One good frame. `tx` is 0 for POLL and EOT; `body` is empty unless `control` is DATA."""

    address: int
    control: Control
    tx: int = 0
    body: bytes = b""


def encode(frame: Frame) -> bytes:
    """The frame as it goes over the wire. ValueError for what cannot be sent: our own mistake."""
    if not ADDRESS_FIRST <= frame.address <= ADDRESS_LAST:
        raise ValueError(f"address {frame.address:#x} is outside 0x50..0x6F")
    if not 0 <= frame.tx <= TX_MAX or (frame.tx and frame.control not in NUMBERED):
        raise ValueError(f"{frame.control.name} cannot carry TX# {frame.tx}")
    head = bytes((frame.address, frame.control | frame.tx))
    if frame.control is not Control.DATA:
        return head + bytes((END,))
    payload = head + frame.body
    payload += crc16(payload).to_bytes(2, "little")
    wire = payload.replace(b"\xfa", b"\x10\xfa") + bytes((ETX, END))
    if len(wire) > OWN_FRAME_BYTES_MAX:
        raise ValueError(f"a block of {len(wire)} bytes is above {OWN_FRAME_BYTES_MAX}: send it in parts")
    return wire


def is_whole(data: bytes) -> bool:
    """Whether these bytes end with the end of a frame: an FA that no 10 precedes. Constant time."""
    return len(data) >= 3 and data[-1] == END and data[-2] != ESCAPE


def split(data: bytes) -> list[bytes]:
    """The bytes cut after each frame's end; the last piece may be unfinished. Linear time."""
    pieces = []
    start = 0
    at = data.find(END)
    while at >= 0:
        if at == 0 or data[at - 1] != ESCAPE:
            pieces.append(data[start : at + 1])
            start = at + 1
        at = data.find(END, at + 1)
    if start < len(data):
        pieces.append(data[start:])
    return pieces


def decode(data: bytes) -> Frame:
    """One frame of the wire, as `split` gives them. A `FrameError` says why it is none."""
    if len(data) > FRAME_BYTES_MAX:
        raise TooLong(f"{len(data)} bytes without an end")
    heard, data = data, data.lstrip(NOISE)
    if not is_whole(data):
        raise Unfinished(heard.hex(" "))
    address = data[0]
    if not ADDRESS_FIRST <= address <= ADDRESS_LAST:
        raise BadAddress(data.hex(" "))
    try:
        control = Control(data[1] if data[1] in (Control.POLL, Control.EOT) else data[1] & 0xF0)
    except ValueError:
        raise BadControl(data.hex(" ")) from None
    tx = data[1] & 0x0F
    if (tx and control not in NUMBERED) or (control is not Control.DATA and len(data) != 3):
        raise BadControl(data.hex(" "))
    if control is not Control.DATA:
        return Frame(address, control, tx)
    if len(data) < 6 or data[-2] != ETX:
        raise BadEnd(data.hex(" "))
    payload = data[:-2].replace(b"\x10\xfa", b"\xfa")
    if len(payload) < 4 or crc16(payload):
        raise BadCrc(data.hex(" "))
    return Frame(address, control, tx, payload[2:-2])


def crc16(data: bytes) -> int:
    """CRC-16/ARC: polynomial 8005 reflected, start 0. 0 over data that its CRC follows, low byte first."""
    crc = 0
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
        table.append(crc)
    return tuple(table)


CRC_TABLE = _crc_table()

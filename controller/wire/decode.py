"""Bytes of a line -> `Heard`: what a frame says, who said it, whether it is whole. The one shape of all wire tools.

Knows no port, no file and no clock.
"""

import copy
import re

import msgspec
from msgspec import UNSET, UnsetType

from controller.pumps.decoded import Check, Decoded, Decoder, Direction, Part
from controller.wire.protocols import WireProtocol

UNKNOWN = "unknown"
"""A direction that nothing tells."""
_DIGIT_RUN = re.compile(r"\d{12,}|\d{4}(?:[ -]\d{4}){2,}(?:[ -]?\d+)?")
"""Twelve digits and more may be a card's number: no value of a pump is so long."""
FRAME_SILENCE_US = 30_000
"""USB converters give bytes in portions up to 16 ms apart."""
BURST_SILENCE_US = 3_000
"""Pumps answer some milliseconds after the question; longer would put both into one burst."""
_HEX = frozenset("0123456789abcdefABCDEF")


class BadHex(ValueError):
    """Text that is not bytes; says where, counted from 1."""


class Heard(msgspec.Struct, frozen=True):
    """One frame that went over the line. `at_us`: since the beginning of a recording."""

    direction: str
    address: int | None
    kind: str
    crc: Check
    hex: str
    transactions: list[Part]
    error: str = ""
    at_us: int | UnsetType = UNSET

    @property
    def data(self) -> bytes:
        return bytes.fromhex(self.hex)

    @property
    def damaged(self) -> bool:
        """Not a whole good frame, or one that says what cannot be."""
        return self.crc is Check.BAD or bool(self.error)


def from_hex(words: str) -> bytes:
    """Bytes of hex digits, with or without spaces. `BadHex` names the first character that is wrong."""
    found = bytearray()
    high: int | None = None
    for position, character in enumerate(words, 1):
        if character.isspace():
            if high is not None:
                raise BadHex(f"odd number of hex digits: the one at position {high} stands alone")
        elif character not in _HEX:
            raise BadHex(f"{character!r} at position {position} is no hex digit")
        elif high is None:
            high = position
        else:
            found.append(int(words[high - 1] + character, 16))
            high = None
    if high is not None:
        raise BadHex(f"odd number of hex digits: the one at position {high} stands alone")
    return bytes(found)


class Ear:
    """Listens to one line. With a direction it is told who speaks, without one it judges by the frames."""

    def __init__(self, protocol: WireProtocol) -> None:
        self._decoder: Decoder = protocol.decoder()
        self._directions = protocol.directions()
        self._burst = b""
        self._asked = False
        """The last burst was the master's: the next may be its answer."""

    def hear(self, data: bytes, direction: Direction | None = None) -> list[Heard]:
        """The frames that these bytes complete."""
        if direction is not None:
            return [heard(said, direction) for said in self._decoder.feed(data, direction)]
        if self._directions is None:  # whose it is shows only when the burst is over
            self._burst += data
            return []
        return [one for piece in self._directions.feed(data) for one in self._judged(piece)]

    @property
    def silence_us(self) -> int:
        """So long a silence ends a frame: a short one where it is all that parts question and answer."""
        return BURST_SILENCE_US if self._directions is None else FRAME_SILENCE_US

    def silence(self) -> list[Heard]:
        """Nobody has spoken for a while, or it is the end: what is left over."""
        found = [heard(said, direction) for direction in Direction for said in self._decoder.flush(direction)]
        rest, self._burst = self._burst, b""
        if self._directions is not None:
            rest = self._directions.flush()
        return found + self._judged(rest) if rest else found

    def _judged(self, piece: bytes) -> list[Heard]:
        """A piece read both ways: the reading with fewer errors, else what the talk so far makes likely."""
        to_pump, to_master = Direction.TO_PUMP, Direction.TO_MASTER
        context = self._directions.of(piece) if self._directions is not None else to_master if self._asked else None
        # A decoder remembers what was asked: each reading begins from the same memory, and the chosen one's stays.
        decoders = {direction: copy.deepcopy(self._decoder) for direction in Direction}
        readings = {
            direction: [*decoder.feed(piece, direction), *decoder.flush(direction)]
            for direction, decoder in decoders.items()
        }
        errors = {direction: sum(bool(said.error) for said in readings[direction]) for direction in Direction}
        if errors[to_pump] != errors[to_master]:
            chosen = min(Direction, key=errors.__getitem__)
        elif context is None and readings[to_pump] == readings[to_master]:
            return [heard(said, None) for said in readings[to_pump]]
        else:
            chosen = context or to_pump
        self._decoder, self._asked = decoders[chosen], chosen is to_pump
        if self._directions is not None:
            self._directions.was(chosen)
        return [heard(said, chosen) for said in readings[chosen]]


def decode_all(protocol: WireProtocol, data: bytes, direction: Direction | None = None) -> list[Heard]:
    """All frames of some bytes."""
    ear = Ear(protocol)
    return [*ear.hear(data, direction), *ear.silence()]


def heard(said: Decoded, direction: Direction | None) -> Heard:
    """The one shape, with whatever could be a card's number masked."""
    parts = [
        Part(mask(part.name), {mask(key): _masked(value) for key, value in part.values.items()}) for part in said.parts
    ]
    return Heard(direction or UNKNOWN, said.address, said.kind, said.crc, said.raw, parts, mask(said.error))


def _masked(value: int | str | list[int] | bool) -> int | str | list[int] | bool:
    return mask(value) if isinstance(value, str) else value


def mask(text: str) -> str:
    """First 6 and last 4 of any long run of digits, the rest as stars."""

    def stars(found: re.Match[str]) -> str:
        digits = re.sub(r"\D", "", found.group())
        return digits[:6] + "*" * (len(digits) - 10) + digits[-4:]

    return _DIGIT_RUN.sub(stars, text)
